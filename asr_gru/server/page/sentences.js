// What the page says when something is wrong: what it is, and what to do.

const AGAIN = 'Trying again; the text so far stays.';

export const UNFINISHED = 'The server went away before it had finished; the last words may be missing.';

const OF_SERVER = {
  unauthorized: () => 'The server asks for a key, or the key was wrong. Enter it below.',
  bad_message: (message) => `The server refuses what this page asks for; check the options, or reload the page. (${message})`,
  bad_audio: (message) => `The server cannot read the sound of this microphone; choose another one. (${message})`,
  message_too_big: () => 'A block of sound was larger than the server takes. Its option --message-bytes sets that.',
  too_many_clients: () => `All places at the server are taken. ${AGAIN}`,
  overloaded: () => `The server has more to do than it can keep up with. ${AGAIN}`,
  session_too_long: () => 'The session was as long as the server allows; a new one begins.',
  idle: () => `The server heard nothing for too long and closed the connection. ${AGAIN}`,
  too_slow: () => `This browser did not read fast enough for the server. ${AGAIN}`,
  shutting_down: () => `The server is going down. ${AGAIN}`,
  internal: () => `The server failed; its log says why. ${AGAIN}`,
  gone: () => `The server does not answer. ${AGAIN}`,
};

/** A sentence for an error {code, message} of the server. */
export function ofServer({ code, message = '' }) {
  return OF_SERVER[code]?.(message) ?? `The server reports: ${message || code}.`;
}

const OF_MICROPHONE = {
  NotAllowedError: 'The browser was not allowed to use the microphone. Allow it beside the address '
    + 'of this page (or in the settings of the system), then press Start again.',
  NotFoundError: 'No microphone was found. Connect one, then press Start again.',
  NotReadableError: 'The microphone cannot be opened; perhaps another program holds it. Close that '
    + 'program or choose another microphone, then press Start again.',
  ServerAway: 'The server does not answer. Press Start again when it is back; the text so far stays.',
};

/** A sentence for what getUserMedia or the AudioContext threw. */
export function ofMicrophone(error) {
  const name = error.name === 'SecurityError' ? 'NotAllowedError' : error.name;
  return OF_MICROPHONE[name] ?? `The microphone does not work: ${error.message || name}.`;
}

/** Why there is no microphone on this page, and what to do. */
export function insecure({ host, hostname, port, protocol }) {
  if (protocol === 'https:') return 'This browser has no microphone to offer. Recordings can be transcribed all the same.';
  const number = port || '80';
  return 'No microphone here: browsers give it only to pages that came over https or from '
    + 'this machine. Start the server with “asr-gru serve --self-signed” (and its other options) and open '
    + `https://${host}/, or make a tunnel with “ssh -L ${number}:localhost:${number} ${hostname}” and open `
    + `http://localhost:${number}/. Recordings can be transcribed all the same.`;
}
