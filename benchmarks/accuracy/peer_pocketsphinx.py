"""Word errors and speed beside PocketSphinx with its own English model, in one process.

pip install pocketsphinx
python -m benchmarks.accuracy.peer_pocketsphinx MANIFEST... --every 5
"""

import argparse
import time
from pathlib import Path

import numpy as np
from pocketsphinx import Decoder

from asr_gru import EndpointRules, Recognizer
from asr_gru.audio import read_recording
from asr_gru.data.manifest import read_manifest
from asr_gru.scoring import Score, word_errors
from asr_gru.text import normalise

RATE = 16_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th utterance")
    parser.add_argument("--model", default="en-small")
    options = parser.parse_args()
    recognizer = Recognizer.load(options.model)
    decoder = Decoder(samprate=RATE, loglevel="FATAL")

    def ours(samples):
        return recognizer.transcribe(samples, RATE, endpoint=EndpointRules.off()).text

    def theirs(samples):
        decoder.start_utt()
        decoder.process_raw((samples * 32767).astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
        return decoder.hyp().hypstr if decoder.hyp() else ""

    print(f"{'list':14} {'words':>6}   {'asr_gru':>16}   {'PocketSphinx':>16}")
    print(f"{'':14} {'':6}   {'WER %':>8} {'RTF':>7}   {'WER %':>8} {'RTF':>7}")
    for manifest in options.manifests:
        scores, spent, seconds = [Score(), Score()], [0.0, 0.0], 0.0
        for utterance in read_manifest(manifest)[:: options.every]:
            samples = read_recording(utterance.path, RATE)
            seconds += len(samples) / RATE
            said = normalise(utterance.text, "english")
            for index, system in enumerate((ours, theirs)):
                began = time.process_time()
                heard = system(samples)
                spent[index] += time.process_time() - began
                scores[index] += word_errors(said, normalise(heard, "english"))
        row = "   ".join(
            f"{score.rate:8.1f} {used / seconds:7.4f}"
            for score, used in zip(scores, spent, strict=True)
        )
        print(f"{manifest.stem:14} {scores[0].words:6}   {row}", flush=True)


if __name__ == "__main__":
    main()
