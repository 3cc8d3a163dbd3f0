"""Small language models: one that covers every case of a query, and random ones."""

import numpy as np

from asr_gru.language.ngrams import BOS, EOS, UNK, Level, NGrams

ARPA = """\\data\\
ngram 1=6
ngram 2=5
ngram 3=3

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.5
-0.8\t</s>
-0.6\tthe\t-0.4
-0.7\tcat\t-0.3
-0.9\tsat\t-0.2

\\2-grams:
-0.2\t<s> the\t-0.1
-0.3\tthe cat\t0.2
-0.5\tcat sat
-0.4\tsat </s>
-1.2\tthe the\t-0.3

\\3-grams:
-0.1\t<s> the cat
-0.15\tthe cat sat
-0.9\tthe the the

\\end\\
"""


def random_ngrams(rng, words=12, order=3, share=0.4, endings=False):
    """N-grams with random probabilities (no distribution); every prefix is listed.

    With ``endings`` every suffix is listed as well, as KenLM demands.
    """
    names = (UNK, BOS, EOS, *(f"w{number}" for number in range(words - 3)))
    count, parents = words, np.zeros(words, np.int64)
    last = np.arange(words)
    levels = []
    for n in range(1, order + 1):
        log_probs = -5 * rng.random(count).astype(np.float32)
        backoffs = rng.normal(0, 1, count).astype(np.float32) * (n < order)
        levels.append(Level(parents, last, log_probs, backoffs))
        grid = np.argwhere(rng.random((count, words)) < share / n)
        if endings and n > 1:
            listed = NGrams(names, tuple(levels))
            grams = np.column_stack([listed.grams(n)[grid[:, 0]], grid[:, 1]])
            grid = grid[listed.rows(grams[:, 1:]) >= 0]
        parents, last, count = grid[:, 0], grid[:, 1], len(grid)
    return NGrams(names, tuple(levels))
