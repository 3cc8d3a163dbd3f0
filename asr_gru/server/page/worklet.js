// Runs beside the audio: gathers blocks of 40 ms as 16-bit samples and posts them.

const BLOCK_S = 0.04;

class Blocks extends AudioWorkletProcessor {
  constructor() {
    super();
    this.length = Math.round(sampleRate * BLOCK_S);
    this.begin();
    this.port.onmessage = () => this.flush(); // any message asks for what is left
  }

  begin() {
    this.block = new Int16Array(this.length);
    this.filled = 0;
  }

  /** Called for every 128 samples; `inputs[0]` is empty while there is no source. */
  process([channels]) {
    if (channels.length === 0) return true;
    for (let index = 0; index < channels[0].length; index += 1) {
      let sum = 0;
      for (const channel of channels) sum += channel[index];
      this.add(sum / channels.length);
    }
    return true;
  }

  add(sample) {
    this.block[this.filled] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
    this.filled += 1;
    if (this.filled === this.length) this.post();
  }

  post() {
    const samples = this.block.subarray(0, this.filled).slice();
    this.begin();
    this.port.postMessage(samples, [samples.buffer]);
  }

  flush() {
    if (this.filled) this.post();
    this.port.postMessage(null);
  }
}

registerProcessor('blocks', Blocks);
