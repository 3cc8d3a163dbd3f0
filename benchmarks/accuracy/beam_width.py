"""Word error rate against the cost of the search, from a narrow beam to a wide one.

    OMP_NUM_THREADS=1 python -m benchmarks.accuracy.beam_width MANIFEST… --every 8

The acoustic model runs once and is not timed. The real-time factor is that of the search alone, one
recording at a time: processor seconds of one thread per second of audio.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from asr_gru.decoding import TreeSearch
from asr_gru.scoring import Score, word_errors
from asr_gru.tuning import run_acoustic_model
from benchmarks._common import Table, load, make_parser, read_lists, run, text_of

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


def main(argv: Sequence[str] | None = None) -> None:
    options = make_parser(__doc__, manifests=True, every=8).parse_args(argv)
    recognizer = load(options, decoder="words")
    decoder = recognizer.decoder
    assert isinstance(decoder, TreeSearch)
    lists = {
        name: run_acoustic_model(recognizer.acoustic, utterances)
        for name, utterances in read_lists(options).items()
    }
    frame_s = recognizer.acoustic.info.frame_s
    table = Table(
        ("beam", "6.1f"), ("width", "6"), *((name, "13.2f") for name in lists), ("RTF", "8.4f")
    )
    for beam, width in BEAMS:
        tuned = decoder.tuned(replace(decoder.parameters, beam=beam, width=width))
        rates, frames, spent = [], 0, 0.0
        for utterances in lists.values():
            began = time.process_time()
            texts = [text_of(tuned, one) for one in utterances]
            spent += time.process_time() - began
            errors = Score()
            for one, text in zip(utterances, texts, strict=True):
                errors += word_errors(one.text, text)
                frames += len(one.log_probs)
            rates.append(errors.rate)
        table.row(beam, width, *rates, spent / (frames * frame_s))


if __name__ == "__main__":
    run(main)
