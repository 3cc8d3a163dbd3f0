"""Estimation against reference implementations with dictionaries."""

import math
import tracemalloc
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest

from asr_gru.errors import ConfigError, DataError
from asr_gru.language import EstimateConfig, LanguageModel, estimate, packing, perplexity, pruning
from asr_gru.language.corpus import blocks_of
from asr_gru.language.kneser_ney import discounts
from asr_gru.language.mixing import mixture_weights
from asr_gru.language.ngrams import BOS, EOS
from tests.language.small_texts import random_text


class BruteForce:
    """Interpolated modified Kneser-Ney as Chen and Goodman write it, n-gram by n-gram."""

    def __init__(self, text, order, vocabulary):
        self.vocabulary = [word for word in vocabulary if word != BOS]
        sentences = [[BOS, *line.split(), EOS] for line in text.splitlines() if line.split()]
        self.counts = {}
        for n in range(1, order + 1):
            raw = Counter(tuple(s[i : i + n]) for s in sentences for i in range(len(s) - n + 1))
            self.counts[n] = {
                gram: count
                if n == order or gram[0] == BOS
                else len({s[i - 1] for s in sentences for i in self.places(s, gram)})
                for gram, count in raw.items()
                if gram != (BOS,)
            }
        self.discounts = {n: self.discount(counts) for n, counts in self.counts.items()}
        self.after = {n: self.by_context(counts) for n, counts in self.counts.items()}

    @staticmethod
    def places(sentence, gram):
        n = len(gram)
        return [i for i in range(1, len(sentence)) if tuple(sentence[i : i + n]) == gram]

    @staticmethod
    def by_context(counts):
        found = defaultdict(dict)
        for gram, count in counts.items():
            found[gram[:-1]][gram[-1]] = count
        return found

    @staticmethod
    def discount(counts):
        n1, n2, n3, n4 = (list(counts.values()).count(n) for n in (1, 2, 3, 4))
        if not min(n1, n2, n3, n4):
            return [0, 0.5, 1, 1.5]
        y = n1 / (n1 + 2 * n2)
        found = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3]
        return [0, *(min(max(d, 0.05), 0.95 * (n + 1)) for n, d in enumerate(found))]

    def prob(self, context, word):
        n = len(context) + 1
        counts = self.after[n].get(tuple(context))
        if n > 1 and not counts:
            return self.prob(context[1:], word)
        lower = self.prob(context[1:], word) if n > 1 else 1 / len(self.vocabulary)
        taken = [self.discounts[n][min(count, 3)] for count in counts.values()]
        total = sum(counts.values())
        own = counts.get(word, 0)
        kept = own - self.discounts[n][min(own, 3)]
        return (kept + sum(taken) * lower) / total


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_agrees_with_brute_force_kneser_ney(order):
    text = random_text(order, sentences=150, words=8)
    made = estimate([("text", [text])], EstimateConfig(order, 100))
    model = LanguageModel.build(made.ngrams, quantise=False)
    plain = BruteForce(text, order, made.ngrams.words)
    rng = np.random.default_rng(0)
    for _ in range(60):
        sentence = [f"w{word}" for word in rng.integers(0, 8, rng.integers(1, 6))]
        found = model.sentence(sentence)
        said = [BOS, *sentence, EOS]
        for place in range(1, len(said)):
            context = said[max(0, place - order + 1) : place]
            expected = math.log(plain.prob(context, said[place]))
            assert found[place - 1] == pytest.approx(expected, abs=1e-4)


def sums(model, contexts=40):
    rng = np.random.default_rng(0)
    words = np.arange(len(model.words))
    for _ in range(contexts):
        state = np.array([model.start()])
        for word in rng.integers(0, len(words), rng.integers(0, 5)):
            state = model.score(state, np.array([word]))[1]
        log_probs = model.score(np.repeat(state, len(words)), words)[0]
        yield float(np.exp(log_probs.astype(np.float64)).sum())


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("size", [None, 23_000])
def test_probabilities_sum_to_one(order, size):
    """After random contexts, with several texts, unknown words, and pruning."""
    texts = [("a", [random_text(1)]), ("b", [random_text(2, words=25)])]
    made = estimate(texts, EstimateConfig(order, 15, size), [[random_text(3, 20)]])
    model = LanguageModel.build(made.ngrams, quantise=False)
    for total in sums(model):
        assert total == pytest.approx(1, abs=1e-4)
    packed = LanguageModel.build(made.ngrams)
    for total in sums(packed):
        assert total == pytest.approx(1, abs=0.05)


def test_pruning_reduces_counts_to_the_requested_size(tmp_path):
    texts = [("a", [random_text(1, 2000, 60)]), ("b", [random_text(2, 2000, 60)])]
    development = [[random_text(1, 2100, 60)[-4000:]]]
    counts, sizes, scores = [], [], []
    for size in (None, 60_000, 40_000, 30_000, 20_000, 15_000):
        made = estimate(texts, EstimateConfig(3, 100, size), development)
        model = LanguageModel.build(made.ngrams)
        model.save(tmp_path / "l.bin")
        counts.append(made.ngrams.counts)
        sizes.append((tmp_path / "l.bin").stat().st_size)
        scores.append(perplexity(model, development[0]).perplexity)
        assert all(c <= n for c, n in zip(made.candidates, counts[0], strict=True))
        if size:
            assert 0.97 * size - 2500 < sizes[-1] <= size
    for larger, smaller in pairwise(counts):
        assert all(s <= n for s, n in zip(smaller, larger, strict=True))
        assert sum(smaller) < sum(larger)
    assert sizes == sorted(sizes, reverse=True)
    assert scores[1] < scores[-1]


def test_the_size_is_kept_if_neighbouring_words_begin_most_ngrams():
    """Their offsets take more bytes than those of other texts."""
    words = [f"w{number:05}" for number in range(16_000)]
    rng = np.random.default_rng(0)
    begins = rng.integers(100, 112, 150_000).tolist()
    ends = (16_000 * rng.random(150_000) ** 2).astype(int).tolist()
    pairs = [f"{words[one]} {words[other]}" for one, other in zip(begins, ends, strict=True)]
    text, size = "\n".join([*pairs, *words]), 540_000
    made = estimate([("a text", [text])], EstimateConfig(2, 16_000, size))
    assert 0.98 * size < len(LanguageModel.build(made.ngrams).to_bytes()) <= size


def test_rare_words_of_a_large_vocabulary_have_no_ngrams_but_their_own(monkeypatch):
    text = [("a", [random_text(1, 2000, 300)])]
    for module in (packing, pruning):
        monkeypatch.setattr(module, "MAX_ENDINGS", 1 << 8)
    made = estimate(text, EstimateConfig(3, 400, 30_000))
    ngrams = made.ngrams
    endings = set(ngrams.grams(3)[:, 1:].ravel()) | set(ngrams.grams(2)[:, 1].ravel())
    frequent = np.argsort(-ngrams.levels[0].log_probs, kind="stable")[: 1 << 8]
    assert endings <= set(frequent)
    assert len(ngrams.words) > 1 << 8
    assert 27_000 < len(LanguageModel.build(ngrams).to_bytes()) <= 30_000
    assert packing.pack(ngrams, quantise=True)[1]["last_words"].dtype == np.uint8
    for total in sums(LanguageModel.build(made.ngrams, quantise=False)):
        assert total == pytest.approx(1, abs=1e-4)


def test_entropy_pruning_is_better_than_random_pruning():
    from asr_gru.language.backoff import BackoffModel, normalise
    from asr_gru.language.corpus import Corpus
    from asr_gru.language.interpolation import interpolate, word_probs
    from asr_gru.language.kneser_ney import kneser_ney
    from asr_gru.language.packing import packed_bytes
    from asr_gru.language.pruning import prune

    corpus = Corpus()
    corpus.add([random_text(1, 2000, 60)], "text")
    words = corpus.choose(100)
    one = kneser_ney(corpus.texts[0], len(words), 2, 8)
    model, contexts = interpolate([one], np.ones(1), np.inf)
    margins = normalise(model)
    whole = -np.log(word_probs(model, corpus.texts[0])).mean()
    half = packed_bytes(len(words), (len(words), len(model.keys[0]) // 2))
    pruned = prune(model, margins, contexts, half)
    left = len(pruned.keys[0])
    assert 0.9 < left / (len(model.keys[0]) // 2) <= 1
    chance = np.sort(np.random.default_rng(0).permutation(len(model.keys[0]))[:left])
    other = BackoffModel(8, model.unigrams, [model.keys[0][chance]], [model.probs[0][chance]])
    normalise(other)
    lost = -np.log(word_probs(pruned, corpus.texts[0])).mean() - whole
    by_chance = -np.log(word_probs(other, corpus.texts[0])).mean() - whole
    assert 0 < lost < by_chance / 3


def test_interpolation_weights_fit_the_development_text():
    near, far = random_text(1, 1500), random_text(2, 1500)
    held_out = random_text(1, 1600)[len(near) :]
    config = EstimateConfig(2, 50)
    made = estimate([("near", [near]), ("far", [far])], config, [[held_out]])
    assert made.weights[0] > 0.9
    assert sum(made.weights) == pytest.approx(1)
    score = perplexity(LanguageModel.build(made.ngrams), [held_out]).perplexity
    pooled = estimate([("near", [near]), ("far", [far])], config)
    assert pooled.weights == (1.0,)
    assert score < perplexity(LanguageModel.build(pooled.ngrams), [held_out]).perplexity


def test_mixture_weights_are_the_best_on_a_grid():
    rng = np.random.default_rng(0)
    probs = [rng.random((2, 50)), rng.random((2, 500))]

    def gain(weight):
        mixed = (np.log(weight * p[0] + (1 - weight) * p[1]).mean() for p in probs)
        return sum(mixed)

    best = max(np.linspace(0, 1, 1001), key=gain)
    assert mixture_weights(probs)[0] == pytest.approx(best, abs=2e-3)


def test_unknown_words_have_a_probability():
    text = "the cat sat\nthe dog sat\n" * 10 + "a rare zebra sat\n"
    made = estimate([("text", [text])], EstimateConfig(3, 4))
    model = LanguageModel.build(made.ngrams, quantise=False)
    assert set(model.words[3:]) == {"the", "cat", "dog", "sat"}
    grams = {tuple(gram) for n in (2, 3) for gram in made.ngrams.grams(n).tolist()}
    assert not any(model.unk in gram for gram in grams)
    assert -8 < model.unigram_log_probs[model.unk] < -1
    found = perplexity(model, ["the zebra sat\n"])
    assert (found.words, found.unknown, found.sentences) == (3, 1, 1)
    known = model.sentence(["the", "zebra", "sat"])[[0, 2, 3]]
    assert found.log_prob == pytest.approx(float(known.sum()), abs=1e-5)


def test_the_vocabulary_has_the_most_frequent_allowed_words():
    texts = [("a", ["x x x y z\n"]), ("b", ["b c c c c c c c c d\n"])]
    chosen = estimate(texts, EstimateConfig(1, 2)).ngrams.words[3:]
    assert chosen == ("c", "x")
    config = EstimateConfig(1, 2, allowed_words=("never", "d", "y", "x", "d"))
    assert estimate(texts, config).ngrams.words[3:] == ("d", "x")
    like_a = estimate(texts, EstimateConfig(1, 2), [["x y y\n"]]).ngrams.words[3:]
    assert like_a == ("x", "y")


def test_hidden_files_of_a_folder_are_no_texts(tmp_path):
    (tmp_path / ".DS_Store").write_bytes(b"\x80\x81")
    with pytest.raises(DataError, match="no files"):
        list(blocks_of(tmp_path))
    (tmp_path / "a.txt").write_text("a b\n")
    assert list(blocks_of(tmp_path)) == ["a b\n"]


def test_sentence_marks_within_a_text_are_unknown_words():
    config = EstimateConfig(2, 4, allowed_words=tuple("abcd"))
    plain = estimate([("t", ["a b\nc ? d\n"])], config)
    for marked in ("a b\n\n  \nc <s> d\n\n", "a b\nc </s> d", "a b\r\nc <unk> d\n"):
        made = estimate([("t", [marked])], config)
        assert made.words == plain.words == (7,)
        for one, other in zip(made.ngrams.levels, plain.ngrams.levels, strict=True):
            np.testing.assert_array_equal(one.keys, other.keys)
            np.testing.assert_array_equal(one.log_probs, other.log_probs)
    for order in (1, 2, 3):
        made = estimate([("t", ["</s> a <s> b </s>\n<s> <s> </s>\n"])], EstimateConfig(order, 4))
        assert set(made.ngrams.words[3:]) == {"a", "b"}
        assert all(np.all(np.isfinite(level.log_probs)) for level in made.ngrams.levels)


def test_sentence_marks_are_unknown_words_in_perplexities_as_well():
    made = estimate([("text", ["the cat sat\n"])], EstimateConfig(order=2))
    model = LanguageModel.build(made.ngrams)
    plain, marked = (perplexity(model, [text]) for text in ("the cat sat", "<s> the cat sat </s>"))
    assert (marked.words, marked.unknown) == (5, 2)
    assert marked.perplexity < 10 * plain.perplexity


def test_the_block_size_does_not_change_counts():
    text = random_text(4)
    lines = text.splitlines(keepends=True)
    whole = estimate([("t", [text])], EstimateConfig(3, 50)).ngrams
    cut = estimate([("t", ["", *lines, "\n"])], EstimateConfig(3, 50)).ngrams
    assert whole.words == cut.words
    for one, other in zip(whole.levels, cut.levels, strict=True):
        np.testing.assert_array_equal(one.keys, other.keys)
        np.testing.assert_array_equal(one.log_probs, other.log_probs)


def test_invalid_settings_are_refused():
    text = [("empty.txt", ["\n \n"])]
    with pytest.raises(DataError, match=r"empty\.txt: no words"):
        estimate(text, EstimateConfig())
    with pytest.raises(ConfigError, match="order 6; use 1 to 5"):
        EstimateConfig(order=6)
    with pytest.raises(ConfigError, match="vocabulary 0"):
        EstimateConfig(vocabulary=0)
    many = " ".join(f"w{n}" for n in range(5000))
    with pytest.raises(ConfigError, match="vocabulary of 5003 words; use at most order 4"):
        estimate([("t", [many])], EstimateConfig(order=5))
    with pytest.raises(ConfigError, match="size 9000 bytes is too small for 5003 words"):
        estimate([("t", [many])], EstimateConfig(size=9000))


def test_the_perplexity_of_a_long_sentence_takes_no_table():
    made = estimate([("text", ["the cat sat\n"])], EstimateConfig(order=2))
    model = LanguageModel.build(made.ngrams)
    tracemalloc.start()
    found = perplexity(model, ["the cat\n" * 2000 + "the cat " * 1500])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8e6
    parts = [perplexity(model, [text]) for text in ("the cat\n" * 2000, "the cat " * 1500)]
    assert found.log_prob == pytest.approx(sum(part.log_prob for part in parts))
    assert (found.words, found.sentences) == (7000, 2001)


def test_development_texts_without_a_known_word_are_refused():
    texts = [("one", ["the cat sat\n"]), ("other", ["the dog sat\n"])]
    with pytest.raises(DataError, match="no words that the other texts have; spell both alike"):
        estimate(texts, EstimateConfig(order=2), [["THE CAT SAT\n"]])
    found = estimate(texts, EstimateConfig(order=2), [["THE CAT SAT\n"], ["the cat sat\n"]])
    assert found.weights[0] > found.weights[1]


def test_small_texts_use_default_discounts():
    assert discounts(np.array([1, 1, 2])).tolist() == [0, 0.5, 1, 1.5]
    assert discounts(np.repeat([1, 2, 3, 4], [40, 20, 10, 5])).tolist() == pytest.approx(
        [0, 0.5, 1.25, 2.0]
    )
