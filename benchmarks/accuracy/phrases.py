"""Closed phrases and grammars: what is accepted, whole and right, and what of open speech.

    OMP_NUM_THREADS=1 python -m benchmarks.accuracy.phrases MANIFEST… --open MANIFEST \
        --grammar benchmarks/grammars/digits.jsgf --rejection 1.5 2.5

Without ``--grammar`` the texts of each list are its phrases. ``right %`` is the share of the
utterances that are accepted as what was said, word by word, ``wrong %`` that of those accepted as
something else; ``open %`` is the share of the utterances of ``--open`` that are accepted at all,
of which those that are sentences of the grammar are left out. The acoustic model runs once; the
costs are those of the search alone, in processor time per frame, beside the search with the
open vocabulary.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from asr_gru.decoding import AnyDecoder, GraphSearch
from asr_gru.scoring import Score, word_errors
from asr_gru.tuning import EncodedUtterance, run_acoustic_model
from benchmarks._common import (
    AUDIO_SAMPLES,
    Table,
    fastest,
    load,
    make_parser,
    read_list,
    read_lists,
    run,
    text_of,
)

REJECTIONS = (1.0, 1.5, 2.0, 2.5, 3.0, 20.0)
WORDS = [
    *("turn", "set", "open", "close", "start", "stop", "the", "a", "my", "kitchen", "bedroom"),
    *("garden", "front", "back", "red", "blue", "green", "light", "lamp", "door", "window"),
    *("heater", "fan", "timer", "radio", "to", "on", "off", "up", "down", "one", "two", "three"),
]


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, manifests=True)
    parser.add_argument("--open", type=Path, help="open speech  [the project's samples]")
    parser.add_argument("--grammar", type=Path, help="JSGF; otherwise each list's own texts")
    parser.add_argument("--rejection", type=float, nargs="+", default=REJECTIONS)
    parser.add_argument(
        "--stray", type=float, nargs="+", help="values of GraphSearchParameters.stray"
    )
    options = parser.parse_args(argv)
    recognizer = load(options, decoder="words")
    lists = {
        name: run_acoustic_model(recognizer.acoustic, utterances)
        for name, utterances in read_lists(options).items()
    }
    open_list = options.open or AUDIO_SAMPLES / "samples.tsv"
    open_speech = run_acoustic_model(recognizer.acoustic, read_list(open_list, options.every))
    table = Table(
        ("list", "<14"),
        ("rejection", "9.2f"),
        ("stray", "5.1f"),
        ("right %", "7.1f"),
        ("wrong %", "7.1f"),
        ("WER %", "6.1f"),
        ("open %", "6.1f"),
    )
    costs = {"open vocabulary": _cost(recognizer.decoder, open_speech)}
    for name, heard in lists.items():
        if options.grammar:
            compiled = recognizer.grammar_decoder(options.grammar)
        else:
            compiled = recognizer.phrase_decoder(sorted({one.text for one in heard}))
        assert isinstance(compiled, GraphSearch)
        matcher = compiled.matcher
        assert matcher is not None
        others = [one for one in open_speech if matcher(one.text.split()) is None]
        costs[f"{name}, {len(compiled.graph)} nodes"] = _cost(compiled, open_speech)
        for rejection in options.rejection:
            for stray in options.stray or [compiled.parameters.stray]:
                parameters = replace(compiled.parameters, rejection=rejection, stray=stray)
                decoder = compiled.tuned(parameters)
                said = [text_of(decoder, one) for one in heard]  # nothing if rejected
                right = sum(text == one.text for text, one in zip(said, heard, strict=True))
                errors = Score()
                for text, one in zip(said, heard, strict=True):
                    errors += word_errors(one.text, text)
                accepted = sum(bool(text_of(decoder, one)) for one in others)
                table.row(
                    name,
                    rejection,
                    stray,
                    100 * right / len(heard),
                    100 * (sum(map(bool, said)) - right) / len(heard),
                    errors.rate,
                    100 * accepted / max(len(others), 1),
                )
    print()
    table = Table(("search", "<40"), ("us per frame", "12.0f"))
    for name, cost in costs.items():
        table.row(name, 1e6 * cost)
    phrases = _phrases(10_000)
    recognizer.phrase_decoder(phrases[:1])  # loads the lexicon
    seconds = fastest(lambda: recognizer.phrase_decoder(phrases), 1)
    print(f"\n{len(phrases)} phrases compiled in {seconds:.2f} s")


def _cost(decoder: AnyDecoder, heard: Sequence[EncodedUtterance]) -> float:
    """Return processor seconds per frame, in steps of four frames, about those of a stream."""
    frames, began = 0, time.process_time()
    for one in heard:
        states = [decoder.start()]
        for first in range(0, len(one.log_probs), 4):
            states = decoder.advance(states, [one.log_probs[first : first + 4]])
        decoder.best(decoder.finish(states[0]))
        frames += len(one.log_probs)
    return (time.process_time() - began) / frames


def _phrases(count: int) -> list[str]:
    """Return so many phrases of five words."""
    base = len(WORDS)
    return [
        " ".join(WORDS[n // base**k % base] for k in range(5)) for n in range(0, 37 * count, 37)
    ]


if __name__ == "__main__":
    run(main)
