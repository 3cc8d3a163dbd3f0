// The page: its elements, and what happens when they are used.

import { FORMATS, clock } from './formats.js';
import { decodingOptions, isClosed } from './options.js';
import { microphoneAllowed, microphones } from './microphone.js';
import { insecure, ofServer } from './sentences.js';
import { Session } from './session.js';
import { Transcript } from './transcript.js';
import { Uploads } from './uploads.js';

const KEY = 'asr_gru.key';
const FLOOR_DB = -60;
const LOUD_DB = -3;
const SHOW_MS = 90;
const MUTED_S = 5; // of nothing but zeros
const STATES = {
  idle: 'Not listening',
  opening: 'Opening the microphone…',
  connecting: 'Connecting…',
  listening: 'Listening',
  reconnecting: 'Server away, trying again…',
  finishing: 'Finishing…',
  waiting: 'Waiting for a microphone…',
};

const byId = (id) => document.getElementById(id);
const toggle = byId('toggle');
const device = byId('device');
const endpoint = byId('endpoint');
const notice = byId('notice');
const hotWords = byId('hot-words');
const only = byId('only');
const omitUncertain = byId('omit-uncertain');

const transcript = new Transcript({
  paper: byId('paper'),
  log: byId('log'),
  empty: byId('empty'),
  partial: byId('partial'),
  stable: byId('stable'),
  unstable: byId('unstable'),
  legend: byId('legend'),
});

const session = new Session({
  settings: () => (
    { device: device.value, endpoint: endpoint.value, options: options(), key: sessionStorage.getItem(KEY) }
  ),
  on: {
    state: showState,
    say,
    sound: showSound,
    event: showEvent,
    cut: () => { unsaved = transcript.cut() || unsaved; showTools(); },
    lag: (seconds) => { byId('lag').textContent = `${seconds.toFixed(1)} s`; },
    opened: listMicrophones,
    unauthorized: () => askForKey(startAgain),
  },
});

const uploads = new Uploads({
  key: () => sessionStorage.getItem(KEY),
  options,
  on: {
    begun: (name) => showWork(`Transcribing ${name}…`),
    idle: () => showWork(''),
    part: (part) => { transcript.add(part, session.state !== 'idle'); unsaved = true; showTools(); },
    problem: showFailure,
    unauthorized: (error, again) => { say(ofServer(error)); askForKey(again); },
  },
});

// ---- options

function options() {
  return decodingOptions({
    written: byId('written').checked,
    alternatives: byId('alternatives').checked,
    omitUncertain: omitUncertain.checked,
    hotWords: hotWords.value,
    only: only.value,
  });
}

/** Words to favour and uncertain words have no meaning where only some phrases are recognised. */
function showWhatApplies() {
  hotWords.disabled = isClosed(only.value);
  omitUncertain.disabled = hotWords.disabled;
}

// ---- what is shown

function showState(name) {
  document.body.dataset.state = name;
  byId('state').textContent = STATES[name];
  toggle.textContent = name === 'idle' ? 'Start' : 'Stop';
  toggle.setAttribute('aria-disabled', String(name === 'finishing'));
  if (name === 'idle' || name === 'waiting') showLevel(FLOOR_DB, 'off');
  if (name !== 'listening') byId('lag').textContent = '–';
  if (name === 'idle' && notice.dataset.kind === 'muted') say('');
}

function say(sentence, kind = 'problem') {
  notice.textContent = sentence;
  notice.dataset.kind = kind;
  notice.hidden = !sentence;
}

let shownAt = 0;
let mutedS = 0;

function showSound(samples, seconds) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  mutedS = sum ? 0 : mutedS + seconds;
  if (mutedS > MUTED_S && notice.hidden) {
    say('The microphone gives nothing but silence; perhaps it is muted.', 'muted');
  } else if (!mutedS && notice.dataset.kind === 'muted') {
    say('');
  }
  const now = performance.now();
  if (now - shownAt < SHOW_MS) return;
  shownAt = now;
  byId('clock').textContent = clock(session.clock_s);
  showLevel(sum ? 10 * Math.log10(sum / samples.length / 2 ** 30) : FLOOR_DB);
}

function showLevel(db, words) {
  const shown = Math.max(FLOOR_DB, Math.min(0, Math.round(db)));
  const level = byId('level');
  byId('level-bar').style.transform = `scaleX(${(1 - shown / FLOOR_DB).toFixed(3)})`;
  level.dataset.loud = String(db > LOUD_DB);
  level.setAttribute('aria-valuenow', String(shown));
  level.setAttribute('aria-valuetext', words ?? `${shown} dB`);
}

function showEvent(event) {
  if (event.type === 'partial') {
    transcript.partial(event);
  } else {
    transcript.final(event);
    unsaved = true;
    showTools();
  }
}

function showTools() {
  const { parts } = transcript;
  const select = byId('part');
  byId('tools').hidden = !parts.some(({ segments }) => segments.length);
  if (select.options.length === parts.length) return;
  const chosen = select.selectedIndex;
  const isNewest = chosen === select.options.length - 1; // then the next one is chosen as it comes
  select.replaceChildren(...parts.map(({ name }, index) => new Option(name, String(index))));
  select.value = String(isNewest ? parts.length - 1 : chosen);
  select.hidden = parts.length < 2;
}

function showWork(sentence) {
  byId('work-text').textContent = sentence;
  byId('work').hidden = !sentence;
}

function showFailure(name, { message }) {
  const item = document.createElement('li');
  item.textContent = `${name}: ${message.replace(/\.?$/, '.')}`;
  byId('failures').append(item);
}

/** Transcribe files; failures of the last ones are shown until then. */
function takeFiles(files) {
  if (byId('work').hidden) byId('failures').replaceChildren();
  uploads.take(files);
}

async function listMicrophones() {
  const found = (await microphones()).filter(({ label }) => label);
  const chosen = device.value;
  const options = found.map(({ id, label }) => new Option(label, id));
  device.replaceChildren(new Option('Default', ''), ...options);
  device.value = found.some(({ id }) => id === chosen) ? chosen : '';
}

// ---- key

const afterKey = new Set(); // what to do again once there is a key
const startAgain = () => session.start();

function askForKey(then) {
  sessionStorage.removeItem(KEY);
  afterKey.add(then);
  byId('key-form').hidden = false;
  byId('key').focus();
}

function useKey(submit) {
  submit.preventDefault();
  sessionStorage.setItem(KEY, byId('key').value.trim());
  byId('key').value = '';
  byId('key-form').hidden = true;
  toggle.focus();
  say('');
  const again = [...afterKey];
  afterKey.clear();
  for (const act of again) act();
}

// ---- saving and clearing

let unsaved = false; // text has come since the last save

function save(format) {
  const part = transcript.parts[Number(byId('part').value)];
  const { write, type, file } = FORMATS[format];
  const address = URL.createObjectURL(new Blob([write(part)], { type }));
  const link = document.createElement('a');
  link.href = address;
  link.download = file;
  link.click();
  unsaved = false;
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

function clear() {
  transcript.clear();
  unsaved = false;
  if (session.state === 'idle') {
    session.clock_s = 0;
    byId('clock').textContent = clock(0);
  }
  showTools();
  toggle.focus();
}

// ---- use

function acceptDrops() {
  const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
  document.ondragover = (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    document.body.classList.add('dropping');
  };
  document.ondragleave = (event) => {
    if (!event.relatedTarget) document.body.classList.remove('dropping');
  };
  document.ondrop = (event) => {
    document.body.classList.remove('dropping');
    if (!hasFiles(event)) return;
    event.preventDefault();
    takeFiles([...event.dataTransfer.files]);
  };
}

function chooseFiles({ target }) {
  const files = [...target.files];
  target.value = '';
  takeFiles(files);
}

function begin() {
  toggle.onclick = () => (session.state === 'idle' ? session.start() : session.stop());
  endpoint.onchange = () => session.changeEndpoint();
  device.onchange = () => session.changeDevice();
  for (const id of ['written', 'alternatives', 'omit-uncertain', 'hot-words', 'only']) {
    byId(id).onchange = () => session.changeOptions();
  }
  only.oninput = showWhatApplies;
  byId('key-form').onsubmit = useKey;
  byId('clear').onclick = clear;
  byId('choose').onclick = () => byId('file').click();
  byId('file').onchange = chooseFiles;
  byId('cancel').onclick = () => uploads.cancel();
  for (const button of document.querySelectorAll('[data-format]')) {
    button.onclick = () => save(button.dataset.format);
  }
  window.onbeforeunload = (event) => { if (unsaved) event.preventDefault(); }; // the browser asks
  acceptDrops();
  showState('idle');
  showWhatApplies(); // browsers fill in what was there before a reload
  if (microphoneAllowed()) {
    navigator.mediaDevices.ondevicechange = async () => {
      await listMicrophones();
      await session.devicesChanged();
    };
    listMicrophones();
  } else {
    toggle.disabled = true;
    device.disabled = true;
    byId('empty').textContent = 'Drop a recording on this page.';
    say(insecure(window.location));
  }
}

begin();
