// The WebSocket /v1/stream, which is opened again for as long as it is wanted.

const BACK_OFF_S = [0.5, 1, 2, 4, 8, 10];
const KEEP_S = 30; // sound kept while the server is away; the oldest goes first
const QUIET_S = 15; // a server says something every second; after this long it is gone
const FINISH_S = 30;
const ROOM_BYTES = 500_000; // that may wait in the browser's own queue
const FATAL = new Set(['unauthorized', 'bad_message', 'bad_audio', 'message_too_big']);

/** Times of one stream of the server as times of this page, which may have gaps in between. */
export class Timeline {
  #marks = [];
  sent_s = 0;

  add(startS, lengthS) {
    if (!this.#marks.length || Math.abs(this.toPage(this.sent_s) - startS) > 1e-3) {
      this.#marks.push({ server_s: this.sent_s, page_s: startS });
    }
    this.sent_s += lengthS;
  }

  toPage(serverS) {
    const mark = this.#marks.findLast((one) => one.server_s <= serverS) ?? this.#marks[0];
    return mark ? mark.page_s + serverS - mark.server_s : serverS;
  }
}

/**
 * Sends blocks and receives events.
 *
 * `options` are further fields of the start message (see options.js).
 * `on` holds: `state(name, problem)` with connecting, listening, reconnecting, closed;
 * `event(message)` for partial and final, in times of the page; `lag(seconds)`; `cut()` when the
 * open segment will have no final; `dropped(seconds)` when kept sound had to go.
 * A problem is {code, message}.
 */
export class Connection {
  #rate;
  #endpoint;
  #begunWith; // the endpoint of the start message
  #options;
  #key;
  #on;
  #socket = null;
  #timeline = new Timeline();
  #waiting = []; // blocks {samples, start_s} not yet sent
  #ready = false;
  #ending = false;
  #ended = false; // the server has said all; when it goes down, without being asked
  #problem = null;
  #attempts = 0;
  #retry;
  #watch;
  #heard = 0;
  #progress = 0;
  #closed;
  #resolve;

  constructor({ rate, endpoint, options = {}, key, on }) {
    this.#rate = rate;
    this.#endpoint = endpoint;
    this.#options = options;
    this.#key = key;
    this.#on = on;
    this.#closed = new Promise((resolve) => { this.#resolve = resolve; });
    this.#watch = setInterval(() => this.#look(), 1000);
    on.state('connecting');
    this.#open();
  }

  /** Whether the server takes sound. */
  get ready() {
    return this.#ready;
  }

  /** Take a block that was heard at `startS`. */
  offer(samples, startS) {
    this.#waiting.push({ samples, start_s: startS });
    let surplus = this.#waitingS() - KEEP_S;
    while (surplus > 0) {
      const lost = this.#waiting.shift().samples.length / this.#rate;
      surplus -= lost;
      this.#on.dropped(lost);
    }
    this.#pump();
  }

  /** Give up what has not been sent and may never be, as blocks {samples, start_s}. */
  unsent() {
    return this.#ready ? [] : this.#waiting.splice(0);
  }

  /** Change the rules for where segments end. */
  change(endpoint) {
    this.#endpoint = endpoint;
    if (this.#ready) this.#tell({ type: 'endpoint', mode: endpoint });
  }

  /** Send what is left and wait for the last final; false when the server did not confirm. */
  async finish() {
    this.#ending = true;
    if (this.#socket === null) this.#close(); // between two attempts: no more of them
    else if (this.#ready) this.#end();
    const late = setTimeout(() => this.#lost(1006), FINISH_S * 1000);
    await this.#closed;
    clearTimeout(late);
    return this.#ended;
  }

  #open() {
    const url = new URL('/v1/stream', window.location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#timeline = new Timeline();
    this.#problem = null;
    this.#ended = false;
    this.#heard = performance.now();
    socket.onopen = () => this.#begin();
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = ({ code }) => this.#lost(code);
  }

  #begin() {
    this.#begunWith = this.#endpoint;
    this.#tell({
      type: 'start',
      sample_rate: this.#rate,
      encoding: 'pcm16',
      channels: 1,
      endpoint: this.#endpoint,
      ...this.#options,
      ...(this.#key ? { key: this.#key } : {}),
    });
  }

  #receive(message) {
    this.#heard = performance.now();
    if ('audio_s' in message) this.#measure(message.audio_s);
    switch (message.type) {
      case 'ready':
        this.#ready = true;
        this.#attempts = 0;
        this.#on.state('listening');
        if (this.#endpoint !== this.#begunWith) this.change(this.#endpoint); // changed meanwhile
        this.#pump();
        if (this.#ending) this.#end();
        break;
      case 'partial':
      case 'final':
        this.#on.event(this.#inPageTime(message));
        break;
      case 'end':
        this.#ended = true;
        break;
      case 'error':
        this.#problem = message;
        break;
      default: // a later server may say more
    }
  }

  /** The socket is closed: done, hopeless, or to be opened again. */
  #lost(code) {
    this.#forget();
    this.#on.cut();
    if (this.#ending) {
      this.#close();
      return;
    }
    const problem = this.#problem ?? { code: code === 1009 ? 'message_too_big' : 'gone' };
    if (FATAL.has(problem.code)) {
      this.#close(problem);
      return;
    }
    const wait = BACK_OFF_S[Math.min(this.#attempts, BACK_OFF_S.length - 1)];
    this.#attempts += 1;
    this.#retry = setTimeout(() => this.#open(), wait * 1000);
    this.#on.state('reconnecting', problem);
  }

  #close(problem) {
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    this.#forget();
    this.#on.state('closed', problem);
    this.#resolve();
  }

  #forget() {
    const socket = this.#socket;
    this.#socket = null;
    this.#ready = false;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #look() {
    const quiet = (performance.now() - this.#heard) / 1000;
    if (this.#socket && quiet > QUIET_S) this.#lost(1006);
    else if (this.#ready && quiet > 2) this.#measure(this.#progress);
  }

  #measure(audioS) {
    this.#progress = audioS;
    this.#on.lag(Math.max(0, this.#timeline.sent_s + this.#waitingS() - audioS));
  }

  #pump() {
    while (this.#ready && this.#waiting.length) {
      if (!this.#ending && this.#socket.bufferedAmount > ROOM_BYTES) return;
      const { samples, start_s: startS } = this.#waiting.shift();
      this.#timeline.add(startS, samples.length / this.#rate);
      this.#socket.send(samples);
    }
  }

  #end() {
    this.#pump();
    this.#tell({ type: 'end' });
  }

  #tell(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #waitingS() {
    return this.#waiting.reduce((sum, { samples }) => sum + samples.length, 0) / this.#rate;
  }

  #inPageTime(message) {
    const move = (thing) => ({
      ...thing,
      start_s: this.#timeline.toPage(thing.start_s),
      end_s: this.#timeline.toPage(thing.end_s),
    });
    const moved = { ...move(message), words: (message.words ?? []).map(move) };
    if (message.written_words) moved.written_words = message.written_words.map(move);
    if (message.alternatives) {
      moved.alternatives = message.alternatives.map((one) => ({ ...one, words: one.words.map(move) }));
    }
    return moved;
  }
}
