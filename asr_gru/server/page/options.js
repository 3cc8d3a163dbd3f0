// The decoding options of the page, as the server takes them.

const OMIT_BELOW = 0.5;
const ALTERNATIVES = 5;

/** The lines of a text, without empty ones and # comments. */
export function lines(text) {
  return text.split('\n').map((line) => line.trim()).filter((line) => line && !line.startsWith('#'));
}

/** Whether `only` holds a grammar or phrases. */
export function isClosed(only) {
  return only.trimStart().startsWith('#JSGF') || lines(only).length > 0;
}

/**
 * The fields of a start message for what was chosen.
 *
 * `only` holds phrases or a JSGF grammar, which are all that is recognised then; hot words and
 * uncertain words have no meaning beside it. What is not chosen has no field.
 */
export function decodingOptions({ written, alternatives, omitUncertain, hotWords, only }) {
  const options = {};
  if (written) options.written = true;
  if (alternatives) options.alternatives = ALTERNATIVES;
  if (only.trimStart().startsWith('#JSGF')) {
    options.grammar = only.trim();
  } else if (lines(only).length) {
    options.phrases = lines(only);
  } else {
    if (omitUncertain) options.minimum_confidence = OMIT_BELOW;
    if (lines(hotWords).length) options.hot_words = lines(hotWords);
  }
  return options;
}

/** Add the options to the form of an upload, where a list is a field for each item. */
export function appendOptions(form, options) {
  for (const [name, value] of Object.entries(options)) {
    if (Array.isArray(value)) for (const item of value) form.append(`${name}[]`, item);
    else form.append(name, String(value));
  }
}
