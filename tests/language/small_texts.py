"""Texts of a few words from a random walk, so that n-grams repeat as in language."""

import numpy as np


def random_text(seed, sentences=300, words=15):
    rng = np.random.default_rng(seed)
    follows = rng.dirichlet(np.full(words + 1, 0.2), size=words + 1)
    lines = []
    for _ in range(sentences):
        line, word = [], 0
        while len(line) < 20:
            word = int(rng.choice(words + 1, p=follows[word]))
            if word == words:
                break
            line.append(f"w{word}")
        lines.append(" ".join(line))
    return "\n".join(lines) + "\n"
