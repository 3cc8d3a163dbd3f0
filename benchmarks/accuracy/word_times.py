"""Errors of word times against a forced alignment by another recogniser.

Words that the model recognises correctly are compared with PocketSphinx's alignment of the
reference. A constant lag of the starts (their median) is corrected by the model's ``time_shift_s``.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np

from benchmarks._common import load, make_parser, read_all, run
from benchmarks.latency.speech import align_by_pocketsphinx

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
FAR_S = 1.0
"""Words further apart than this are not the same."""


def main(argv: Sequence[str] | None = None) -> None:
    """Print quantiles of the errors in seconds; positive is late."""
    options = make_parser(__doc__, manifests=True).parse_args(argv)
    recognizer = load(options)
    starts: list[float] = []
    ends: list[float] = []
    for utterance in read_all(options):
        for piece in align_by_pocketsphinx([utterance]):
            found = recognizer.transcribe(utterance.path, endpoint="off").words
            said = piece.words
            matcher = difflib.SequenceMatcher(
                None, [w.text for w in said], [w.text for w in found], autojunk=False
            )
            for first, second, length in matcher.get_matching_blocks():
                for one, other in zip(
                    said[first : first + length], found[second : second + length], strict=True
                ):
                    if abs(other.start_s - one.start_s) < FAR_S:
                        starts.append(other.start_s - one.start_s)
                        ends.append(other.end_s - one.end_s)
    print(f"{len(starts)} words; seconds late, at 5, 25, 50, 75 and 95 %")
    for name, errors in (("starts", starts), ("ends", ends)):
        row = "  ".join(f"{value:+.3f}" for value in np.quantile(errors, QUANTILES))
        print(f"{name:6}  {row}   more than 80 ms early: {np.mean(np.array(errors) < -0.08):.1%}")


if __name__ == "__main__":
    run(main)
