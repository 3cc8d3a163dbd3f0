// The browser's microphone, at its own rate, as blocks of 16-bit samples.

const FLUSH_MS = 500;
const ALIASES = new Set(['default', 'communications']);

/** Whether this page may ask for a microphone at all. */
export function microphoneAllowed() {
  return window.isSecureContext && Boolean(navigator.mediaDevices?.getUserMedia);
}

/** The microphones as {id, label}; labels are empty until the user has allowed one. */
export async function microphones() {
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices
    .filter(({ kind, deviceId }) => kind === 'audioinput' && deviceId && !ALIASES.has(deviceId))
    .map(({ deviceId, label }) => ({ id: deviceId, label }));
}

/**
 * Open a microphone.
 *
 * `id` is a device's, or '' for the default; a device that is not there is replaced by the default.
 * `onBlock` takes an Int16Array and its rate; `onGone` is called when the device vanishes.
 */
export async function openMicrophone(id, onBlock, onGone) {
  const media = await getMedia(id);
  const [track] = media.getAudioTracks();
  try {
    const { context, source } = await openContext(media, track.getSettings().sampleRate);
    return new Microphone(track, context, source, onBlock, onGone);
  } catch (error) {
    track.stop();
    throw error;
  }
}

async function getMedia(id) {
  // The model has its own way with level and noise; what browsers do for telephony only harms.
  const audio = {
    channelCount: { ideal: 1 },
    echoCancellation: false,
    noiseSuppression: false,
    autoGainControl: false,
  };
  if (!id) return navigator.mediaDevices.getUserMedia({ audio });
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: { ...audio, deviceId: { exact: id } } });
  } catch (error) {
    if (error.name !== 'OverconstrainedError' && error.name !== 'NotFoundError') throw error;
    return navigator.mediaDevices.getUserMedia({ audio });
  }
}

/** A context at the device's rate; where the browser refuses that, at the browser's own. */
async function openContext(media, sampleRate) {
  for (const options of sampleRate ? [{ sampleRate }, {}] : [{}]) {
    let context;
    try {
      context = new AudioContext({ ...options, latencyHint: 'interactive' });
      const source = context.createMediaStreamSource(media);
      await context.audioWorklet.addModule('/page/worklet.js').catch(serverAway);
      await context.resume();
      return { context, source };
    } catch (error) {
      await context?.close();
      if (!options.sampleRate) throw error;
    }
  }
  throw new Error('unreachable');
}

/** The code that runs beside the audio is fetched from the server, which the microphone is not to blame for. */
function serverAway(cause) {
  throw Object.assign(new Error('the server does not answer', { cause }), { name: 'ServerAway' });
}

class Microphone {
  #track;
  #context;
  #node;
  #flushed = () => {};

  constructor(track, context, source, onBlock, onGone) {
    this.#track = track;
    this.#context = context;
    this.rate = context.sampleRate;
    this.label = track.label;
    this.#node = new AudioWorkletNode(context, 'blocks');
    this.#node.port.onmessage = ({ data }) => (data ? onBlock(data, this.rate) : this.#flushed());
    source.connect(this.#node);
    this.#node.connect(context.destination); // silent, but some browsers run nothing unheard
    track.onended = () => onGone();
    // A telephone call, or a locked screen, may suspend the context of a phone.
    context.onstatechange = () => {
      if (context.state === 'suspended') context.resume().catch(() => {});
    };
  }

  /** Hand out what is left of the last block, then release the device. */
  async close() {
    this.#track.onended = null;
    this.#context.onstatechange = null;
    await new Promise((resolve) => {
      this.#flushed = resolve;
      setTimeout(resolve, FLUSH_MS); // a suspended context answers nothing
      this.#node.port.postMessage('flush');
    });
    this.#track.stop();
    this.#node.disconnect();
    await this.#context.close();
  }
}
