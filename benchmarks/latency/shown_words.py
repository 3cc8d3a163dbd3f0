"""When words are shown, and how many are revised, by the share of the probability they need.

    python -m benchmarks.latency.shown_words MANIFEST… --every 8

Recordings are fed in live steps. A word is shown when it first appears in a partial at its
position, and revised when a later partial or the final has another word there. Its delay runs from
its end time in the final to the amount of audio fed when it was shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from asr_gru import EndpointRules, Recognizer
from asr_gru.audio import read_recording
from asr_gru.decoding import TreeSearch
from benchmarks._common import Table, load, make_parser, read_all, run

SHARES = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def shown_in(recognizer: Recognizer, decoder: TreeSearch, samples: np.ndarray) -> tuple:
    """Return how many words were shown, how many of them revised, and the delays in seconds."""
    info = recognizer.acoustic.info
    stream = recognizer.stream(info.sample_rate, EndpointRules.off(), decoder=decoder)
    now: list[str] = []
    first: dict[tuple[int, str], float] = {}
    shown = revised = 0
    final: tuple = ()
    steps = range(0, len(samples), info.step_samples)
    blocks = [samples[at : at + info.step_samples] for at in steps]
    for number, block in enumerate([*blocks, None]):
        events = stream.finish() if block is None else stream.feed(block)
        for event in events:
            fed_s = min((number + 1) * info.step_samples, len(samples)) / info.sample_rate
            words = [word.text for word in event.words]
            both = list(zip(now, words, strict=False))
            revised += sum(a != b for a, b in both) + max(0, len(now) - len(words))
            if event.kind == "final":
                final = event.words
                break
            shown += sum(a != b for a, b in both) + max(0, len(words) - len(now))
            for place, word in enumerate(words):
                first.setdefault((place, word), fed_s)
            now = words
    end_s = len(samples) / info.sample_rate
    delays = []
    for place, word in enumerate(final):
        at = [first[key] for d in (-1, 0, 1) if (key := (place + d, word.text)) in first]
        delays.append(min(at, default=end_s) - word.end_s)
    return shown, revised, delays


def main(argv: Sequence[str] | None = None) -> None:
    options = make_parser(__doc__, manifests=True, every=8).parse_args(argv)
    recognizer = load(options, decoder="words")
    decoder = recognizer.decoder
    assert isinstance(decoder, TreeSearch)
    rate = recognizer.acoustic.info.sample_rate
    recordings = [read_recording(utterance.path, rate) for utterance in read_all(options)]
    table = Table(
        *(("share", "6.1f"), ("shown", "7"), ("revised %", "10.1f")),
        *(("p50 ms", "7.0f"), ("p90 ms", "7.0f")),
    )
    for share in SHARES:
        tuned = decoder.tuned(replace(decoder.knobs, shown_share=share))
        found = [shown_in(recognizer, tuned, samples) for samples in recordings]
        shown = sum(one[0] for one in found)
        revised = sum(one[1] for one in found)
        delays = 1000 * np.concatenate([one[2] for one in found])
        table.row(share, shown, 100 * revised / max(shown, 1), *np.percentile(delays, [50, 90]))


if __name__ == "__main__":
    run(main)
