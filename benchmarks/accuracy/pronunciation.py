"""Pronunciation errors of words outside the dictionary: by rule, and from their letters.

    python -m benchmarks.accuracy.pronunciation --words 2000

Words are held out of the bundled dictionary; the rules see only the rest, and a
grapheme-to-phoneme model of the shipped order and size is trained on it. A pronunciation is correct
if the dictionary lists it, ignoring stress.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from asr_gru.language import ENGLISH_PHONES, Lexicon
from asr_gru.language.g2p import GraphemeToPhoneme, train_g2p
from asr_gru.language.pronounce import Pronouncer, load_english
from asr_gru.scoring import word_errors
from benchmarks._common import Table, make_parser, print_environment, run, whole_number

Phones = tuple[str, ...]
ORDER, SIZE = 6, 3_300_000
BEST = 3


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, model=False)
    parser.add_argument(
        "--words", type=whole_number, default=2000, help="number of words to hold out"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--learn-from", type=whole_number, metavar="N", help="train on N words instead of all"
    )
    options = parser.parse_args(argv)
    print_environment()
    entries = list(load_english().dictionary.entries())
    spoken: defaultdict[str, list[Phones]] = defaultdict(list)
    for word, phones in entries:
        spoken[word].append(phones)
    plain = sorted(word for word in spoken if word.isalpha() and len(word) > 1)
    random.Random(options.seed).shuffle(plain)
    held_out = plain[: options.words]
    rest = [entry for entry in entries if entry[0] not in set(held_out)]
    learned = [entry for entry in rest if entry[0].replace("'", "").isalpha()]
    if options.learn_from is not None:
        kept = set(plain[options.words :][: options.learn_from])
        learned = [entry for entry in learned if entry[0] in kept]
    g2p = train_g2p(learned, ORDER, SIZE, print)
    letters(g2p, held_out, spoken)
    rules(Pronouncer(Lexicon.build(rest, ENGLISH_PHONES)), g2p, held_out, spoken)


def letters(g2p: GraphemeToPhoneme, words: Sequence[str], spoken: dict[str, list[Phones]]) -> None:
    wrong = none_right = errors = phones = 0
    for first in range(0, len(words), 256):
        part = words[first : first + 256]
        for word, ways in zip(part, g2p.pronounce_all(part, BEST), strict=True):
            found = [way for way, _ in ways] or [()]
            wrong += found[0] not in spoken[word]
            none_right += not set(found) & set(spoken[word])
            errors += min(
                word_errors(" ".join(right), " ".join(found[0])).errors for right in spoken[word]
            )
            phones += len(spoken[word][0])
    print(
        f"grapheme to phoneme, {len(words)} words: {100 * wrong / len(words):.1f} % wrong, "
        f"{100 * none_right / len(words):.1f} % without a right one among {BEST}, "
        f"{100 * errors / phones:.1f} % of phones wrong"
    )


def rules(
    pronouncer: Pronouncer,
    g2p: GraphemeToPhoneme,
    words: Sequence[str],
    spoken: dict[str, list[Phones]],
) -> None:
    by_kind: defaultdict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for word in words:
        ways = pronouncer.by_rule(word)
        if ways:
            other = g2p.pronounce(word)
            by_letters = bool(other) and other[0][0] in spoken[word]
            by_kind[ways[0].kind].append((ways[0].phones in spoken[word], by_letters))
    table = Table(("rule", "<22"), ("words", "6"), ("wrong %", "8.1f"), ("by letters %", "13.1f"))
    for kind, judged in sorted(by_kind.items(), key=lambda pair: -len(pair[1])):
        ruled = 100 - 100 * sum(rule for rule, _ in judged) / len(judged)
        spelled = 100 - 100 * sum(by_letters for _, by_letters in judged) / len(judged)
        table.row(kind, len(judged), ruled, spelled)


if __name__ == "__main__":
    run(main)
