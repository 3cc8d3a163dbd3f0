// Transcripts as files, by the rules of asr_gru/formats.
//
// A part is {name, duration_s, segments: [{id, start_s, end_s, text, words}]}, and a word is
// {text, start_s, end_s, confidence}. A segment may also have what its options brought: written and
// written_words; alternatives; unit with phrase and phrase_index, or with parse. Nothing here
// touches the page.

const LINE = 42;
const LINES = 2;
const LONGEST_S = 7.0;
const SHORTEST_S = 1.0;
const PAUSE_S = 0.6;

/** Each format: its writer, and the type and name of its file. */
export const FORMATS = {
  txt: { write: writeTxt, type: 'text/plain', file: 'transcript.txt' },
  srt: { write: writeSrt, type: 'application/x-subrip', file: 'transcript.srt' },
  vtt: { write: writeVtt, type: 'text/vtt', file: 'transcript.vtt' },
  json: { write: writeJson, type: 'application/json', file: 'transcript.json' },
};

function writeTxt(part) {
  return part.segments.map((segment) => `${shownText(segment)}\n`).join('');
}

function writeSrt(part) {
  const blocks = cues(part).map((cue, index) => {
    const times = `${stamp(cue.start_s, ',')} --> ${stamp(cue.end_s, ',')}`;
    return [index + 1, times, ...cue.lines, ''].join('\n');
  });
  return blocks.join('\n');
}

function writeVtt(part) {
  const blocks = cues(part).map((cue) => {
    const times = `${stamp(cue.start_s, '.')} --> ${stamp(cue.end_s, '.')}`;
    return ['', times, ...cue.lines.map(escapeText), ''].join('\n');
  });
  return ['WEBVTT\n', ...blocks].join('');
}

function writeJson(part) {
  const file = {
    name: part.name,
    duration_s: rounded(part.duration_s),
    text: part.segments.map((segment) => segment.text).join(' '),
    ...writtenText(part),
    segments: part.segments.map(({ id, start_s: startS, end_s: endS, text, words, ...brought }) => ({
      id,
      start_s: rounded(startS),
      end_s: rounded(endS),
      text,
      words: words.map(wordFields),
      ...brought,
      ...(brought.written_words ? { written_words: brought.written_words.map(wordFields) } : {}),
    })),
  };
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** The text of a segment as it is shown, and its words. */
export const shownText = ({ text, written }) => written ?? text;
export const shownWords = ({ words, written_words: written }) => written ?? words;

function writtenText({ segments }) {
  const texts = segments.map(({ written }) => written).filter((text) => text !== undefined);
  return texts.length ? { written: texts.join(' ') } : {};
}

const wordFields = (word) => ({
  ...word,
  start_s: rounded(word.start_s),
  end_s: rounded(word.end_s),
  confidence: rounded(word.confidence),
});

/** Cut a part into cues {start_s, end_s, lines} that never overlap and hold every word. */
export function cues(part) {
  const groups = part.segments.flatMap((segment) => grouped(timedWords(segment)));
  return groups.map((group, index) => {
    const startS = group[0].start_s;
    const spokenS = group.at(-1).end_s;
    const isLast = index + 1 === groups.length;
    const limitS = isLast ? part.duration_s : groups[index + 1][0].start_s;
    const shownS = Math.min(Math.max(spokenS, startS + SHORTEST_S), limitS);
    const endS = isLast ? Math.max(spokenS, shownS) : shownS;
    return { start_s: startS, end_s: Math.max(startS, endS), lines: evenLines(texts(group)) };
  });
}

/** The words of a segment; a long one that was cut off has none, and its time is divided among its text's. */
function timedWords(segment) {
  const words = shownWords(segment);
  if (words.length) return words;
  const found = shownText(segment).split(' ').filter(Boolean);
  const wordS = (segment.end_s - segment.start_s) / found.length;
  return found.map((text, index) => (
    { text, start_s: segment.start_s + index * wordS, end_s: segment.start_s + (index + 1) * wordS }
  ));
}

function grouped(words) {
  const groups = [];
  for (const word of words) {
    if (groups.length && fits(groups.at(-1), word)) groups.at(-1).push(word);
    else groups.push([word]);
  }
  return groups;
}

function fits(group, word) {
  if (word.start_s - group.at(-1).end_s >= PAUSE_S) return false;
  if (word.end_s - group[0].start_s > LONGEST_S) return false;
  return wrap(texts([...group, word]), LINE).length <= LINES;
}

const texts = (words) => words.map((word) => word.text);
const length = (text) => [...text].length; // characters, not UTF-16 units

function wrap(words, width) {
  const lines = [];
  for (const word of words) {
    if (lines.length && length(lines.at(-1)) + 1 + length(word) <= width) {
      lines[lines.length - 1] += ` ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines;
}

/** Break into as few lines as needed, as even as possible. */
function evenLines(words) {
  const lines = wrap(words, LINE);
  for (let width = 1; width < LINE; width += 1) {
    const narrower = wrap(words, width);
    const fit = narrower.every((line) => length(line) <= LINE);
    if (fit && narrower.length === lines.length) return narrower;
  }
  return lines;
}

/** hh:mm:ss.mmm with `point` before the milliseconds. */
export function stamp(seconds, point) {
  const all = Math.round(seconds * 1000);
  const two = (number) => String(Math.floor(number)).padStart(2, '0');
  const rest = String(all % 1000).padStart(3, '0');
  return `${two(all / 3_600_000)}:${two((all / 60_000) % 60)}:${two((all / 1000) % 60)}${point}${rest}`;
}

/** m:ss or h:mm:ss, for reading. */
export function clock(seconds) {
  const all = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, index) => (index ? String(part).padStart(2, '0') : part)).join(':');
}

function escapeText(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function rounded(number) {
  return Math.round(number * 1000) / 1000;
}
