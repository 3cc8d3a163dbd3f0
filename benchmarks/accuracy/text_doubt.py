"""How well wrong texts are told from right ones by forced alignment (``asr-gru data --model``).

Prints, for each list, the median score in nats per token and how many of the utterances are
suspicious by the default limit: with their own texts, and with texts made wrong: that of the next
utterance, the first half, without the middle third, with five words of the next one at the end.

    python -m benchmarks.accuracy.text_doubt DATA/speech/dev-read.sub.tsv …
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asr_gru.data.audio import load_audio
from asr_gru.inspection import Limits, TextDoubt
from asr_gru.text import normalise
from benchmarks._common import load, make_parser, read_lists, run


def versions(text: str, following: str) -> dict[str, str]:
    """Return a text and what is made wrong of it; a short text has no middle third to leave out."""
    words = text.split()
    third = len(words) // 3
    wrong = {
        "next one's": following,
        "first half": " ".join(words[: max(1, len(words) // 2)]),
        "middle third missing": " ".join(words[:third] + words[2 * third :]),
        "five words more": " ".join([*words, *following.split()[:5]]),
    }
    return {"right": text} | {label: other for label, other in wrong.items() if other != text}


def main(argv: Sequence[str] | None = None) -> None:
    options = make_parser(__doc__, manifests=True).parse_args(argv)
    doubt, limit = TextDoubt(load(options)), Limits().doubt
    print(f"{'list':18}{'text':22}{'utterances':>11}{'median':>8}{'suspicious %':>14}")
    for name, utterances in read_lists(options).items():
        texts = [normalise(one.text, "english") for one in utterances]
        scores: dict[str, list[float]] = {}
        for index, utterance in enumerate(utterances):
            samples = load_audio(utterance, doubt.sample_rate)
            for label, text in versions(texts[index], texts[(index + 1) % len(texts)]).items():
                score = doubt.score(text, samples)
                if score is not None:
                    scores.setdefault(label, []).append(score)
        for label, found in scores.items():
            share = 100 * float(np.mean(np.array(found) > limit))
            print(f"{name:18}{label:22}{len(found):11}{np.median(found):8.2f}{share:14.1f}")


if __name__ == "__main__":
    run(main)
