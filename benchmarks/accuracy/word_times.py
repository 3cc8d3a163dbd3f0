"""Errors of word times against speech with known times, and against another recogniser.

python -m benchmarks.accuracy.word_times MANIFEST... --utterances 200

Words that the model recognises correctly are compared with the times at which flite has spoken
them, where it is installed, and with PocketSphinx's alignment of the references. A constant lag of
the starts (the median of ``late``) is corrected by the model's ``time_shift_s``.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from asr_gru import Recognizer
from asr_gru.data.manifest import Utterance, evenly_spread
from benchmarks._common import Table, load, make_parser, read_all, run, whole_number
from benchmarks.latency.speech import RATE, Piece, align_by_pocketsphinx, speak
from benchmarks.latency.words import Spoken

FAR_S = 1.0
"""Words further apart than this are not the same."""
VOICES = ("slt", "rms")


def main(argv: Sequence[str] | None = None) -> None:
    """Print how far starts and ends are off, and how late they are; positive is late."""
    parser = make_parser(__doc__, manifests=True)
    parser.add_argument(
        "--utterances", type=whole_number, default=200, help="most of them, evenly spaced [200]"
    )
    options = parser.parse_args(argv)
    recognizer = load(options)
    utterances = evenly_spread(read_all(options), options.utterances)
    table = Table(
        ("against", "<12"),
        ("", "<7"),
        ("words", "6d"),
        ("median ms", "9.0f"),
        ("90 % ms", "8.0f"),
        ("late ms", "+8.0f"),
        ("early %", "8.1f"),
    )
    for name, pieces in (("flite", _spoken()), ("PocketSphinx", _aligned(utterances))):
        pairs = [pair for piece in pieces for pair in _matched(recognizer, piece)]
        if not pairs:
            print(f"{name}: no words; is it installed?")
            continue
        for edge in ("start_s", "end_s"):
            late = 1000 * np.array([getattr(b, edge) - getattr(a, edge) for a, b in pairs])
            size = np.abs(late)
            table.row(
                name,
                {"start_s": "starts", "end_s": "ends"}[edge],
                len(late),
                np.median(size),
                np.quantile(size, 0.9),
                np.median(late),
                100 * np.mean(late < -80),
            )
    print("(median and 90 %: of the absolute error; early: by more than 80 ms)")


def _spoken() -> Iterator[Piece]:
    """Return the sentences by each voice; none if flite is not installed."""
    try:
        yield from itertools.chain(speak(VOICES), speak(VOICES[::-1]))
    except OSError:
        return


def _aligned(utterances: Iterable[Utterance]) -> Iterator[Piece]:
    """Return the utterances as PocketSphinx aligns them; none if it is not installed."""
    try:
        yield from align_by_pocketsphinx(utterances)
    except ImportError:
        return


def _matched(recognizer: Recognizer, piece: Piece) -> Iterable[tuple[Spoken, Spoken]]:
    """Yield each word that was recognised correctly, as it was said and as it was found."""
    found = [
        Spoken(word.text, word.start_s, word.end_s)
        for word in recognizer.transcribe(piece.samples, RATE, endpoint="off").words
    ]
    spoken, heard_texts = ([word.text for word in words] for words in (piece.words, found))
    matcher = difflib.SequenceMatcher(None, spoken, heard_texts, autojunk=False)
    blocks = matcher.get_matching_blocks()
    for first, second, length in blocks:
        pairs = zip(piece.words[first:], found[second : second + length], strict=False)
        for said, heard in pairs:
            if abs(heard.start_s - said.start_s) < FAR_S:
                yield said, heard


if __name__ == "__main__":
    run(main)
