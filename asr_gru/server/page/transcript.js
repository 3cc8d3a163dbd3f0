// The transcript on the page: its parts, the finished segments, the line that is being said.

import { clock, shownText, shownWords } from './formats.js';

const UNSURE = 0.5;
const LIKELY = 0.005; // alternatives below it would read 0.00
const NEAR_PX = 80;
const FIELDS = ['start_s', 'end_s', 'text', 'unit', 'phrase', 'phrase_index', 'parse', 'words', 'written', 'written_words', 'alternatives'];

/** `nodes` holds the page's elements: paper, log, empty, partial, stable, unstable, legend. */
export class Transcript {
  #nodes;
  #parts = [];
  #live = null; // the part of the microphone: one for all of the session
  #last = null; // the last section of the log: {part, section, list}
  #open = null; // the last partial
  #follows = true; // the end of the text is in sight

  constructor(nodes) {
    this.#nodes = nodes;
    const { paper } = nodes;
    paper.onscroll = () => {
      this.#follows = paper.scrollHeight - paper.scrollTop - paper.clientHeight < NEAR_PX;
    };
    new ResizeObserver(() => this.#keepingPlace(() => null)).observe(paper);
  }

  /** The parts, in the order in which they were begun. */
  get parts() {
    return this.#parts;
  }

  /** Add a whole part; shown from its beginning unless the microphone `isOn`. */
  add(part, isOn) {
    this.#keepingPlace(() => {
      const { section } = this.#section(part);
      if (!part.segments.length) section.append(element('p', 'note', 'No speech was found.'));
      for (const segment of part.segments) this.#append(segment);
      return isOn ? null : section;
    });
  }

  /** Show what is being said. */
  partial(event) {
    const stable = event.text.startsWith(event.stable) ? event.stable : '';
    this.#open = event;
    this.#keepingPlace(() => {
      this.#nodes.empty.hidden = true;
      this.#nodes.stable.textContent = stable;
      this.#nodes.unstable.textContent = event.text.slice(stable.length);
      this.#nodes.partial.hidden = false;
    });
  }

  /** Add a finished segment of the microphone. */
  final(event) {
    this.#live ??= { name: 'Microphone', duration_s: 0, segments: [] };
    const { segments } = this.#live;
    const segment = { id: segments.length, ...pick(event, FIELDS) };
    segments.push(segment);
    this.#live.duration_s = Math.max(this.#live.duration_s, segment.end_s);
    this.#keepingPlace(() => {
      this.#hidePartial();
      // A recording may have come in between: then the microphone's text goes on below it.
      if (this.#last?.part !== this.#live) this.#section(this.#live);
      this.#append(segment);
    });
  }

  /** Keep what was being said, since nobody will finish it; false when nothing was. */
  cut() {
    if (!this.#open?.text) return false;
    this.final(this.#open);
    return true;
  }

  clear() {
    this.#parts = [];
    this.#live = null;
    this.#last = null;
    this.#nodes.log.replaceChildren();
    this.#hidePartial();
    this.#nodes.legend.hidden = true;
    this.#nodes.empty.hidden = false;
  }

  #section(part) {
    if (!this.#parts.includes(part)) this.#parts.push(part);
    const section = element('section', part === this.#live ? 'part live' : 'part');
    const list = element('ol', 'segments');
    section.append(element('h3', '', part.name), list);
    this.#nodes.log.append(section);
    this.#nodes.empty.hidden = true;
    this.#last = { part, section, list };
    return this.#last;
  }

  #append(segment) {
    const item = element('li', 'segment');
    const time = element('time', '', clock(segment.start_s));
    time.dateTime = `PT${segment.start_s.toFixed(3)}S`;
    const said = element('span', 'said');
    said.append(...pieces(segment));
    said.normalize();
    item.append(time, ' ', said);
    if (segment.parse) said.append(' ', element('span', 'parse', parseText(segment.parse)));
    const likely = segment.alternatives?.slice(1).filter((one) => one.probability >= LIKELY) ?? [];
    if (likely.length) item.append(others(likely));
    this.#last.list.append(item);
    if (said.querySelector('.unsure')) this.#nodes.legend.hidden = false;
  }

  #hidePartial() {
    this.#open = null;
    this.#nodes.partial.hidden = true;
    this.#nodes.stable.textContent = '';
    this.#nodes.unstable.textContent = '';
  }

  /** Follow the text, or show the section returned, unless the reader has scrolled away. */
  #keepingPlace(change) {
    const { paper } = this.#nodes;
    const section = change();
    if (this.#follows) paper.scrollTop = section ? section.offsetTop : paper.scrollHeight;
  }
}

/** The text of a segment as nodes, with each uncertain word marked. */
function pieces(segment) {
  const text = shownText(segment);
  const nodes = [];
  let place = 0;
  for (const word of shownWords(segment)) {
    const start = text.indexOf(word.text, place);
    if (start < 0) continue;
    const end = start + word.text.length;
    nodes.push(text.slice(place, start), word.confidence < UNSURE ? marked(word) : word.text);
    place = end;
  }
  nodes.push(text.slice(place));
  return nodes;
}

function marked({ text, confidence }) {
  const mark = element('span', 'unsure', text);
  mark.title = `uncertain: confidence ${confidence.toFixed(2)}`;
  return mark;
}

/** What a segment may have been instead, with probabilities. */
function others(alternatives) {
  const list = element('ul', 'others');
  list.setAttribute('aria-label', 'Alternatives');
  list.append(...alternatives.map(({ text, probability }) => (
    element('li', '', `${probability.toFixed(2)} ${text || '(nothing)'}`)
  )));
  return list;
}

function parseText({ intent, slots }) {
  const values = Object.entries(slots).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `[${[intent, ...values].join(' ')}]`;
}

function pick(object, names) {
  return Object.fromEntries(names.filter((name) => name in object).map((name) => [name, object[name]]));
}

function element(tag, className, text = '') {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.textContent = text;
  return node;
}
