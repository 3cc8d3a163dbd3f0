"""What a wider beam buys: word errors against the time of the search, from narrow to wide.

    OMP_NUM_THREADS=1 python -m benchmarks.accuracy.beam_width MODEL MANIFEST… --every 8

The acoustic model runs once, outside the time. The real-time factor is that of the search alone,
one recording at a time, in processor seconds of one thread for each second of audio.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

from asr_gru import Recognizer
from asr_gru.data.manifest import read_manifest
from asr_gru.decoding import TreeSearch
from asr_gru.scoring import Score, word_errors
from asr_gru.tuning import hear

BEAMS = (
    (5.0, 40),
    (7.0, 80),
    (8.0, 150),
    (9.0, 250),
    (11.0, 300),
    (14.0, 400),
    (16.0, 800),
    (18.0, 1500),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--every", type=int, default=8)
    options = parser.parse_args()
    recognizer = Recognizer.load(options.model, decoder="words")
    decoder = recognizer.decoder
    assert isinstance(decoder, TreeSearch)
    lists = {
        manifest.stem: hear(recognizer.acoustic, read_manifest(manifest)[:: options.every])
        for manifest in options.manifests
    }
    frame_s = recognizer.acoustic.info.frame_s
    print(f"{'beam':>6} {'width':>6}" + "".join(f"{name:>14}" for name in lists) + f"{'RTF':>9}")
    for beam, width in BEAMS:
        tuned = decoder.tuned(replace(decoder.knobs, beam=beam, width=width))
        rates, frames, began = [], 0, time.process_time()
        for heard in lists.values():
            errors = Score()
            for one in heard:
                (state,) = tuned.advance([tuned.start()], [one.log_probs])
                words = tuned.best(tuned.finish(state))[0].words or ()
                errors += word_errors(one.text, " ".join(word.text for word in words))
                frames += len(one.log_probs)
            rates.append(errors.rate)
        factor = (time.process_time() - began) / (frames * frame_s)
        figures = "".join(f"{rate:14.2f}" for rate in rates)
        print(f"{beam:6.1f} {width:6}{figures}{factor:9.4f}", flush=True)


if __name__ == "__main__":
    main()
