// Recordings that are sent as a whole, one after the other.

import { appendOptions } from './options.js';

/**
 * Recordings waiting to be transcribed.
 *
 * `on` holds: `begun(name)`, `part(part)` for a transcript, `problem(name, error)`, `idle()`, and
 * `unauthorized(error, again)`, where `again` goes on with what is left. `key` returns the key, `options`
 * the decoding options (see options.js).
 */
export class Uploads {
  #key;
  #options;
  #on;
  #files = [];
  #working = null; // the AbortController of the one in work

  constructor({ key, options, on }) {
    this.#key = key;
    this.#options = options;
    this.#on = on;
  }

  /** Transcribe files after those that wait already. */
  async take(files) {
    this.#files.push(...files);
    if (this.#working) return;
    this.#working = new AbortController();
    while (this.#files.length) await this.#one(this.#files.shift());
    this.#working = null;
    this.#on.idle();
  }

  /** Give up what is in work and what waits. */
  cancel() {
    this.#files = [];
    this.#working?.abort();
  }

  async #one(file) {
    this.#on.begun(file.name);
    try {
      this.#on.part(await transcribe(file, this.#options(), this.#key(), this.#working.signal));
    } catch (error) {
      if (error.name === 'AbortError') return;
      if (error.code === 'unauthorized') {
        const left = [file, ...this.#files.splice(0)];
        this.#on.unauthorized(error, () => this.take(left));
      } else {
        this.#on.problem(file.name, error);
      }
    }
  }
}

/** Why a recording has no transcript; `code` is the server's, or 'gone'. */
export class UploadError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Transcribe a File; returns a part (see formats.js). */
export async function transcribe(file, options, key, signal) {
  if (key && /[^ -~]/.test(key)) { // as from another keyboard; no header can hold it
    throw new UploadError('unauthorized', 'a key consists of ASCII characters');
  }
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const models = await ask('/v1/models', { headers, signal });
  const form = new FormData();
  form.append('model', models.data[0]?.id ?? 'en-small');
  form.append('response_format', 'verbose_json');
  form.append('timestamp_granularities[]', 'word');
  form.append('timestamp_granularities[]', 'segment');
  appendOptions(form, options);
  await readable(file);
  form.append('file', file);
  const answer = await ask('/v1/audio/transcriptions', { method: 'POST', headers, body: form, signal });
  return toPart(file.name, answer);
}

/** Say so if the browser cannot read a file, which looks like a server that is away otherwise. */
async function readable(file) {
  try {
    await file.slice(0, 1).arrayBuffer();
  } catch {
    throw new UploadError('unreadable', 'the browser cannot read it; is it a folder, or was it moved or changed?');
  }
}

async function ask(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new UploadError('gone', 'the server does not answer');
  }
  if (response.ok) return response.json();
  const { error } = await response.json().catch(() => ({}));
  const code = error?.code ?? (response.status === 401 ? 'unauthorized' : 'internal');
  throw new UploadError(code, error?.message ?? `the server answered ${response.status}`);
}

/** The answer's words stand in one list; give each segment its own. */
export function toPart(name, { duration, segments = [], words = [] }) {
  const shares = segments.map(() => []);
  let current = 0;
  for (const word of words) {
    while (current + 1 < segments.length && word.start >= segments[current + 1].start) current += 1;
    shares[current]?.push(toWord(word));
  }
  return {
    name,
    duration_s: duration,
    segments: segments.map((segment, id) => toSegment(segment, id, shares[id])),
  };
}

function toSegment({ start, end, text, spoken, ...answer }, id, words) {
  const segment = { id, start_s: start, end_s: end, text: (spoken ?? text).trim() };
  for (const name of ['unit', 'phrase', 'phrase_index', 'parse']) {
    if (name in answer) segment[name] = answer[name];
  }
  segment.words = words;
  if (spoken !== undefined) {
    segment.written = text;
    segment.written_words = answer.written_words.map(toWord);
  }
  if (answer.alternatives) {
    segment.alternatives = answer.alternatives.map((one) => ({ ...one, words: one.words.map(toWord) }));
  }
  return segment;
}

function toWord({ word, start, end, confidence, alternatives }) {
  return {
    text: word,
    start_s: start,
    end_s: end,
    confidence: confidence ?? 1,
    ...(alternatives ? {
      alternatives: alternatives.map(({ word: text, probability }) => ({ text, probability })),
    } : {}),
  };
}
