import numpy as np
import pytest

from asr_gru.errors import DataError, ModelError
from asr_gru.language import LanguageModel, packing, read_arpa
from asr_gru.language.ngrams import Level, NGrams
from asr_gru.language.packing import packed_bytes
from tests.language.small_models import random_ngrams

LN10 = np.log(10)


def plain(ngrams, context, word):
    """Return the definition of back-off (Katz 1987), with dictionaries."""
    tables = []
    for n, level in enumerate(ngrams.levels, start=1):
        rows = map(tuple, ngrams.grams(n).tolist())
        values = zip(level.log_probs.tolist(), level.backoffs.tolist(), strict=True)
        tables.append(dict(zip(rows, values, strict=True)))
    context = tuple(context)[-(ngrams.order - 1) :] if ngrams.order > 1 else ()
    while True:
        found = tables[len(context)].get((*context, word))
        if found:
            return found[0]
        backoff = tables[len(context) - 1].get(context, (0.0, 0.0))[1]
        return backoff + plain(ngrams, context[1:], word) if context else None


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_queries_agree_with_the_definition_of_back_off(order):
    rng = np.random.default_rng(order)
    for _ in range(5):
        ngrams = random_ngrams(rng, order=order)
        model = LanguageModel.build(ngrams, quantise=False)
        histories = rng.integers(0, len(ngrams.words), (40, 8))
        states = np.full(40, model.start())
        for place in range(8):
            words = histories[:, place]
            log_probs, states = model.score(states, words)
            for row in range(40):
                before = [model.bos, *histories[row, :place].tolist()]
                assert log_probs[row] == pytest.approx(plain(ngrams, before, words[row]), abs=1e-4)


def test_queries_do_not_depend_on_others_in_the_call():
    rng = np.random.default_rng(0)
    model = LanguageModel.build(random_ngrams(rng, words=40))
    words = rng.integers(0, 40, 300)
    states = model.score(np.full(300, model.start()), rng.integers(0, 40, 300))[1]
    together = model.score(states, words)
    for row in range(300):
        alone = model.score(states[row : row + 1], words[row : row + 1])
        assert alone[0][0] == together[0][row]
        assert alone[1][0] == together[1][row]
    assert model.score(states[:0], words[:0])[0].shape == (0,)


def test_contexts_with_the_same_continuations_share_a_state(arpa):
    model = LanguageModel.build(read_arpa(arpa), quantise=False)
    start = np.array([model.start()])
    cat, sat, unk = model.ids(["cat", "sat", "nobody's word"])
    assert unk == model.unk
    through_cat = model.score(model.score(start, np.array([cat]))[1], np.array([sat]))[1]
    directly = model.score(start, np.array([sat]))[1]
    assert through_cat == directly  # 'cat sat' is listed, but nothing follows it
    assert model.score(start, np.array([unk]))[1] == 0


def test_sentence_ends_and_unigrams_have_their_probabilities(arpa):
    model = LanguageModel.build(read_arpa(arpa), quantise=False)
    state = model.score(np.array([model.start()]), model.ids(["sat"]))[1]
    assert model.end(state) == pytest.approx(-0.4 * LN10)
    assert model.unigram_log_probs[model.id("cat")] == pytest.approx(-0.7 * LN10)
    assert model.sentence(["the", "cat"]) == pytest.approx(
        np.array([-0.2, -0.1, 0.2 - 0.3 - 0.8]) * LN10, abs=1e-5
    )
    assert "cat" in model
    assert "dog" not in model


def test_saved_models_are_read_back(arpa, tmp_path):
    for order in (1, 2, 3, 4):
        ngrams = random_ngrams(np.random.default_rng(order), words=30, order=order)
        model = LanguageModel.build(ngrams)
        model.save(tmp_path / "language.bin")
        loaded = LanguageModel.load(tmp_path / "language.bin")
        assert loaded.counts == ngrams.counts
        assert loaded.words == ngrams.words
        words = np.arange(30)
        states = np.full(30, model.start())
        for _ in range(4):
            ours, theirs = model.score(states, words), loaded.score(states, words)
            np.testing.assert_array_equal(ours[0], theirs[0])
            np.testing.assert_array_equal(ours[1], theirs[1])
            states, words = ours[1], np.roll(words, 1)


def test_eight_bits_are_within_half_a_step():
    ngrams = random_ngrams(np.random.default_rng(3), words=50)
    packed = LanguageModel.build(ngrams).ngrams()
    for before, after in zip(ngrams.levels, packed.levels, strict=True):
        np.testing.assert_array_equal(before.keys, after.keys)
        for name in ("log_probs", "backoffs"):
            old, new = getattr(before, name), getattr(after, name)
            bound = (old.max() - old.min()) / 254 / 2 + 1e-5
            listed = new != 0  # a back-off weight after which nothing is listed may be dropped
            assert np.abs(old - new)[listed].max(initial=0) <= bound


def test_a_context_may_have_more_words_than_sixteen_bits_count(tmp_path):
    words = ("<unk>", "<s>", "</s>", *(f"w{number}" for number in range(70_000)))
    count = len(words)
    every = np.arange(count)
    zeros = np.zeros(count, np.int64)
    flat = np.full(count, -3, np.float32)
    first = Level(zeros, every, flat, flat)
    second = Level(zeros + 5, every, -every.astype(np.float32) / count, flat * 0)
    model = LanguageModel.build(NGrams(words, (first, second)), quantise=False)
    asked = np.array([0, 5, 69_999, 70_002])
    state = model.score(np.full(4, model.start()), np.full(4, 5))[1]
    np.testing.assert_allclose(model.score(state, asked)[0], -asked / count, rtol=1e-6)


@pytest.mark.parametrize("shares", [(0.02, 0.1), (0.3, 0.9), (1.0, 1.0)])
def test_frequent_contexts_are_searched_with_buckets(shares):
    """Contexts followed by few, many and all words, and more than ``MANY_PAIRS`` queries."""
    rng, count = np.random.default_rng(11), 700
    names = ("<unk>", "<s>", "</s>", *(f"w{number}" for number in range(count - 3)))
    share = rng.uniform(shares[0], shares[1], (count, 1))
    parents, last = (rng.random((count, count)) < share).nonzero()
    first = Level(
        np.zeros(count, np.int64),
        np.arange(count),
        rng.random(count).astype(np.float32),
        rng.random(count).astype(np.float32),
    )
    second = Level(parents, last, rng.random(len(last)).astype(np.float32), last * np.float32(0))
    model = LanguageModel.build(NGrams(names, (first, second)), quantise=False)
    expected = first.backoffs[:, None] + first.log_probs
    expected[parents, last] = second.log_probs
    contexts, words = (each.ravel() for each in np.indices((count, count)))
    states = model.score(np.full(count, model.start()), np.arange(count))[1]
    listed = np.isin(np.arange(count), parents)  # another context shares the state
    expected[~listed] = first.log_probs
    scores = model.score(states[contexts], words)[0]
    np.testing.assert_allclose(scores.reshape(count, count), expected, rtol=1e-6)
    some = rng.permutation(len(words))[:500]
    np.testing.assert_array_equal(model.score(states[contexts[some]], words[some])[0], scores[some])


def test_the_size_of_a_file_is_the_estimate_of_pruning(tmp_path):
    ngrams = random_ngrams(np.random.default_rng(3), words=80, share=0.5)
    model = LanguageModel.build(ngrams)
    model.save(tmp_path / "language.bin")
    fixed = sum(len(word) + 1 for word in ngrams.words) + 5 * 1024 + 1500  # grids and header
    reckoned = packed_bytes(len(ngrams.words), ngrams.counts) + fixed
    assert (tmp_path / "language.bin").stat().st_size == pytest.approx(reckoned, rel=0.01)


@pytest.mark.parametrize("keep", [0, 10, 40, 3000, -64, -1])
def test_truncated_files_are_refused(tmp_path, keep):
    path = tmp_path / "language.bin"
    LanguageModel.build(random_ngrams(np.random.default_rng(1), words=40)).save(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"language\.bin"):
        LanguageModel.load(path)


def test_altered_bytes_are_refused_or_harmless(tmp_path):
    """Whatever byte is altered, queries terminate and stay within the arrays."""
    path = tmp_path / "language.bin"
    model = LanguageModel.build(random_ngrams(np.random.default_rng(1), words=40))
    model.save(path)
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        data = bytearray(good)
        for place in rng.integers(0, len(good), 3):
            data[place] = rng.integers(256)
        path.write_bytes(data)
        try:
            broken = LanguageModel.load(path)
        except ModelError:
            refused += 1
            continue
        states = np.full(40, broken.start())
        for _ in range(3):
            states = broken.score(states, np.arange(40))[1]
    assert refused > 50


def test_foreign_files_are_refused(tmp_path):
    with pytest.raises(ModelError, match="No such file"):
        LanguageModel.load(tmp_path / "none.bin")
    (tmp_path / "text.bin").write_text("this is a text, much longer than a header would be")
    with pytest.raises(ModelError, match="not a binary file"):
        LanguageModel.load(tmp_path / "text.bin")


def test_a_vocabulary_without_sentence_ends_is_refused():
    ngrams = random_ngrams(np.random.default_rng(0), order=1)
    with pytest.raises(DataError, match="</s>"):
        LanguageModel.build(NGrams(("<unk>", "<s>", "x", *ngrams.words[3:]), ngrams.levels))


def test_rare_words_that_end_no_ngrams_leave_ids_short(monkeypatch, tmp_path):
    ngrams = random_ngrams(np.random.default_rng(4), words=300, share=0.02)
    rare = np.arange(3, 300)[np.random.default_rng(5).random(297) < 0.4]
    kept = [~np.isin(ngrams.grams(n)[:, 1:], rare).any(axis=1) for n in (1, 2, 3)]
    levels = [ngrams.levels[0]]
    for n, below in ((2, kept[0]), (3, kept[1])):
        level, mask = ngrams.levels[n - 1], kept[n - 1]
        parents = (np.cumsum(below) - 1)[level.parents[mask]]
        levels.append(
            Level(parents, level.words[mask], level.log_probs[mask], level.backoffs[mask])
        )
    ngrams = NGrams(ngrams.words, tuple(levels))
    long = LanguageModel.build(ngrams, quantise=False)
    monkeypatch.setattr(packing, "MAX_ENDINGS", 1 << 8)
    LanguageModel.build(ngrams, quantise=False).save(tmp_path / "model.bin")
    short = LanguageModel.load(tmp_path / "model.bin")
    assert long.words != short.words
    assert set(long.words) == set(short.words)
    arrays = packing.pack(ngrams, quantise=False)[1]
    assert arrays["last_words"].dtype == np.uint8
    rng = np.random.default_rng(6)
    for _ in range(300):
        sentence = [ngrams.words[word] for word in rng.integers(3, 300, 8)]
        np.testing.assert_array_equal(long.sentence(sentence), short.sentence(sentence))
    words = np.arange(len(short.words))
    for word in words[:60]:  # each after every context of one word: none is found by its low bits
        states = np.full(len(words), short.score(np.zeros(1, int), np.array([word]))[1][0])
        old = [long.id(short.words[other]) for other in words]
        state = long.score(np.zeros(1, int), np.array([old[word]]))[1]
        expected, _ = long.score(np.repeat(state, len(old)), np.array(old))
        np.testing.assert_array_equal(short.score(states, words)[0], expected)
