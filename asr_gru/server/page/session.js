// One after the other: the microphone is opened, its sound goes to the server, both are closed.

import { Connection } from './connection.js';
import { microphones, openMicrophone } from './microphone.js';
import { UNFINISHED, ofMicrophone, ofServer } from './sentences.js';

/**
 * Listens, from `start` to `stop`.
 *
 * `state` is one of idle, opening, connecting, listening, reconnecting, finishing, and waiting
 * (for a microphone that was pulled out). `settings()` returns {device, endpoint, options, key}. `on` holds:
 * `state(name)`; `say(sentence)`, empty when all is well again and nothing is lost; `sound(samples, seconds)` for each
 * block; `event(message)`, `cut()` and `lag(seconds)` of the connection; `opened()`;
 * `unauthorized()`.
 */
export class Session {
  state = 'idle';
  clock_s = 0; // of sound heard
  #settings;
  #on;
  #microphone = null;
  #connection = null;
  #dropped = 0;
  #loss = ''; // what of this session is lost, in a sentence
  #wakeLock = null;

  constructor({ settings, on }) {
    this.#settings = settings;
    this.#on = on;
  }

  async start() {
    this.#on.say('');
    this.#set('opening');
    this.#dropped = 0;
    this.#loss = '';
    const { device } = this.#settings();
    let opened;
    try {
      opened = await openMicrophone(device, (...block) => this.#heard(...block), () => this.#vanished());
    } catch (error) {
      this.#set('idle');
      this.#on.say(ofMicrophone(error));
      return;
    }
    if (this.state !== 'opening') { // stopped meanwhile
      await opened.close();
      return;
    }
    this.#microphone = opened;
    this.#connection = this.#connect();
    this.#on.opened();
    await this.#stayAwake();
  }

  /** Let go of the microphone, and wait for the last words. */
  async stop() {
    if (this.state === 'finishing') return;
    const ending = this.#connection;
    if (!ending) {
      this.#set('idle');
      return;
    }
    this.#set('finishing');
    await this.#release();
    const confirmed = await ending.finish();
    if (this.#connection !== ending) return; // refused meanwhile, which was said
    this.#connection = null;
    this.#set('idle');
    if (!confirmed) this.#on.say(UNFINISHED);
  }

  /** Take up the settings: at once, or by listening anew where that is needed. */
  changeEndpoint() {
    this.#connection?.change(this.#settings().endpoint);
  }

  /** Go on with other options: what is heard from here on goes to another connection. */
  async changeOptions() {
    if (!this.#connection || this.state === 'finishing') return;
    const ending = this.#connection;
    const wasServed = ending.ready; // otherwise all that it has goes to the next one
    this.#connection = this.#connect();
    for (const { samples, start_s: startS } of ending.unsent()) this.#connection.offer(samples, startS);
    if ((await ending.finish()) || !wasServed) return;
    this.#loss ||= UNFINISHED;
    this.#on.say(this.#loss);
  }

  async changeDevice() {
    if (!this.#connection || this.state === 'finishing') return;
    await this.stop();
    await this.start();
  }

  /** Devices have come or gone. */
  async devicesChanged() {
    if (this.state === 'waiting' && (await microphones()).length) await this.start();
  }

  #connect() {
    const { endpoint, options, key } = this.#settings();
    let made = null;
    let open = null; // the last partial, while it has no final
    const isCurrent = () => this.#connection === made;
    made = new Connection({
      rate: this.#microphone.rate,
      endpoint,
      options,
      key,
      on: {
        ...this.#on,
        // one that others have followed still has finals, and nothing else to say
        event: (message) => {
          open = message.type === 'partial' ? message : null;
          if (isCurrent() || !open) this.#on.event(message);
        },
        lag: (seconds) => { if (isCurrent()) this.#on.lag(seconds); },
        cut: () => {
          if (isCurrent()) this.#on.cut();
          else if (open?.text) this.#on.event({ ...open, type: 'final' });
          open = null;
        },
        state: (name, problem) => { if (isCurrent()) this.#connected(name, problem); },
        dropped: (seconds) => this.#lost(seconds),
      },
    });
    return made;
  }

  #set(state) {
    this.state = state;
    this.#on.state(state);
  }

  #heard(samples, rate) {
    const startS = this.clock_s;
    const seconds = samples.length / rate;
    this.clock_s += seconds;
    this.#connection?.offer(samples, startS);
    this.#on.sound(samples, seconds);
  }

  /** The microphone was pulled out: finish what was said, and wait for one to come back. */
  async #vanished() {
    await this.stop();
    this.#on.say('The microphone went away. Listening goes on as soon as there is one again.');
    this.#set('waiting');
    await this.devicesChanged();
  }

  #connected(name, problem) {
    if (name === 'closed') {
      if (problem) this.#refused(problem);
      return;
    }
    if (this.state !== 'finishing') this.#set(name);
    if (problem) this.#on.say(ofServer(problem));
    else if (name === 'listening') this.#on.say(this.#loss);
  }

  /** The server will not have us; trying again would not help. */
  async #refused(problem) {
    this.#connection = null;
    await this.#release();
    this.#set('idle');
    this.#on.say(ofServer(problem));
    if (problem.code === 'unauthorized') this.#on.unauthorized();
  }

  #lost(seconds) {
    this.#dropped += seconds;
    this.#loss = `The server has not taken the sound for too long; ${Math.ceil(this.#dropped)} s of it are lost.`;
    this.#on.say(this.#loss);
  }

  async #release() {
    const closing = this.#microphone;
    this.#microphone = null;
    await closing?.close(); // its last block still goes to the connection
    await this.#wakeLock?.release();
    this.#wakeLock = null;
  }

  /** Keep the screen of a phone on. */
  async #stayAwake() {
    const lock = await navigator.wakeLock?.request('screen').catch(() => null);
    if (this.#microphone) this.#wakeLock = lock ?? null;
    else await lock?.release(); // stopped meanwhile
  }
}
