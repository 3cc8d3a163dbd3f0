"""How often words that the dictionary lacks get a right pronunciation, by rule and by letters.

Words are taken out of the bundled dictionary; the rules see only the rest, and a
grapheme-to-phoneme model of the shipped order and size is trained on it. A pronunciation is right
if the dictionary has it, stress aside.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Sequence

from asr_gru.language import ENGLISH_PHONES, Lexicon
from asr_gru.language.g2p import GraphemeToPhoneme, train_g2p
from asr_gru.language.pronounce import Pronouncer, load_english
from asr_gru.scoring import word_errors

Phones = tuple[str, ...]
ORDER, SIZE = 6, 3_300_000
BEST = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=int, default=2000, help="how many words are taken out")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    entries = list(load_english().dictionary.entries())
    spoken: defaultdict[str, list[Phones]] = defaultdict(list)
    for word, phones in entries:
        spoken[word].append(phones)
    plain = sorted(word for word in spoken if word.isalpha() and len(word) > 1)
    random.Random(arguments.seed).shuffle(plain)
    held_out = plain[: arguments.words]
    rest = [entry for entry in entries if entry[0] not in set(held_out)]
    g2p = train_g2p([e for e in rest if e[0].replace("'", "").isalpha()], ORDER, SIZE, print)
    letters(g2p, held_out, spoken)
    rules(Pronouncer(Lexicon.build(rest, ENGLISH_PHONES)), g2p, held_out, spoken)


def letters(g2p: GraphemeToPhoneme, words: Sequence[str], spoken: dict[str, list[Phones]]) -> None:
    wrong = none_right = errors = phones = 0
    for first in range(0, len(words), 256):
        part = words[first : first + 256]
        for word, ways in zip(part, g2p.pronounce_all(part, BEST), strict=True):
            said = [way for way, _ in ways] or [()]
            wrong += said[0] not in spoken[word]
            none_right += not set(said) & set(spoken[word])
            errors += min(
                word_errors(" ".join(right), " ".join(said[0])).errors for right in spoken[word]
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
    print(f"{'rule':22} {'words':>6} {'wrong %':>8} {'by letters %':>13}")
    for kind, judged in sorted(by_kind.items(), key=lambda pair: -len(pair[1])):
        ruled = 100 - 100 * sum(rule for rule, _ in judged) / len(judged)
        spelled = 100 - 100 * sum(by_letters for _, by_letters in judged) / len(judged)
        print(f"{kind:22} {len(judged):6} {ruled:8.1f} {spelled:13.1f}")


if __name__ == "__main__":
    main()
