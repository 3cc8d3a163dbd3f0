from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.errors import ConfigError, DataError
from asr_gru.language import EstimateConfig, LanguageModel, estimate
from asr_gru.language.adaptation import adapt_ngrams
from asr_gru.language.background import background_estimate
from asr_gru.language.encoded_text import encode_text, split_sentences
from asr_gru.language.ngrams import EOS, UNK
from tests.language.small_texts import random_text


def model_of(seed=0, order=3, size=None, words=15):
    """Return a pruned model in 8-bit codes, as the bundled one is."""
    config = EstimateConfig(order=order, size=size)
    return LanguageModel.build(
        estimate([("text", [random_text(seed, words=words)])], config).ngrams
    )


def adapted(model, lines, new=(), *, quantise=False, **options):
    known = 3 + 5 if model is None else len(model.words)
    words = [f"w{n}" for n in range(5)] if model is None else ()
    vocabulary, background = background_estimate(model, [*words, *new])
    text = encode_text(lines, vocabulary, "text") if lines else None
    found = adapt_ngrams(vocabulary, background, known, text, **options)
    return LanguageModel.build(found.ngrams, quantise=quantise), found


def sums(model, lines):
    """Return the sum of all words' probabilities after each word of some sentences."""
    words = np.arange(len(model.words))
    totals, states = [], [model.start()]
    for line in lines:
        state = np.array([model.start()])
        for word in line.split():
            _, state = model.score(state, np.array([model.id(word)]))
            states.append(int(state[0]))
    for state in set(states):
        log_probs, _ = model.score(np.full(len(words), state), words)
        totals.append(float(np.exp(log_probs.astype(np.float64)).sum()))
    return totals


@given(
    seed=st.integers(0, 1000),
    order=st.integers(1, 4),
    sentences=st.integers(1, 40),
    weight=st.sampled_from([None, 0.0, 0.4, 1.0]),
    small=st.booleans(),
    is_new=st.booleans(),
)
@settings(max_examples=40)
def test_probabilities_sum_to_one(seed, order, sentences, weight, small, is_new):
    model = None if is_new else model_of(seed % 7, order, 14_000)
    lines = random_text(seed, sentences, words=20).splitlines()
    new = ["new", "w17", "w18"]
    options = {"weight": weight, "size": 13_000 if small else None}
    if not any(line.split() for line in lines):
        lines = ["new"]
    mixed, _ = adapted(model, [*lines, "w1 new"], new, **options)
    assert set(new) <= set(mixed.words)
    assert np.array(sums(mixed, lines)) == pytest.approx(1, abs=2e-4)


def test_words_without_text_get_the_probability_of_common_words():
    model = model_of(words=100)
    mixed, found = adapted(model, [], ["new"])
    assert (found.weight, found.held_out) == (0.0, None)
    probs = np.exp(mixed.unigram_log_probs[3:])
    assert np.median(probs) == pytest.approx(probs[-1], rel=0.1)
    assert np.array(sums(mixed, ["w1 new w2"])) == pytest.approx(1, abs=2e-4)


def test_adding_words_alone_hardly_changes_the_old_model():
    model = model_of(words=100)
    mixed, _ = adapted(model, [], ["new"], quantise=True)
    for line in random_text(5, words=100).splitlines()[:50]:
        assert mixed.sentence(line.split()) == pytest.approx(model.sentence(line.split()), abs=0.2)


def test_a_repeated_sentence_becomes_likelier():
    model = model_of()
    line = "w3 w9 w1 w4"
    before = float(model.sentence(line.split()).sum())
    mixed, found = adapted(model, [line] * 20, quantise=True)
    assert float(mixed.sentence(line.split()).sum()) > before + 1
    assert found.weight == 0.9  # which words remain
    light, _ = adapted(model, [line] * 20, weight=0.01, quantise=True)
    assert float(light.sentence(line.split()).sum()) < float(mixed.sentence(line.split()).sum())


def test_texts_unlike_the_old_model_get_a_larger_weight():
    model = model_of(3)
    same, other = random_text(3, 60).splitlines(), random_text(4, 60).splitlines()
    _, alike = adapted(model, same)
    _, unlike = adapted(model, other)
    assert alike.weight < unlike.weight
    assert unlike.held_out.after < unlike.held_out.before


def test_the_weight_is_optimised_on_a_development_text():
    model = model_of(3)
    vocabulary, background = background_estimate(model, [])
    text = encode_text(random_text(4, 60).splitlines(), vocabulary, "text")
    known = len(model.words)
    weights = []
    for seed in (3, 4):
        dev = encode_text(random_text(seed, 80).splitlines(), vocabulary, "dev")
        found = adapt_ngrams(vocabulary, background, known, text, development=dev)
        assert found.development.after <= found.development.before + 1e-3
        weights.append(found.weight)
    assert weights[0] < 0.2 < weights[1]


def test_perplexities_before_and_after_cover_the_same_words():
    model = model_of()
    lines = ["new w1 w2", "new w2 w1", "w1 strange"] * 4
    _, found = adapted(model, lines, ["new"])
    change = found.held_out
    assert change.words == 32
    assert change.unknown_before == pytest.approx(100 * 12 / 32)
    assert change.unknown_after == pytest.approx(100 * 4 / 32)


def test_the_size_limit_is_kept_and_impossible_ones_are_refused():
    model = model_of()
    lines = random_text(8, 600, words=60).splitlines()
    new = [f"w{n}" for n in range(60)]
    whole, _ = adapted(model, lines, new, quantise=True)
    small, _ = adapted(model, lines, new, quantise=True, size=14_000)
    assert len(small.to_bytes()) <= 14_000 < len(whole.to_bytes())
    with pytest.raises(ConfigError, match="too small for"):
        adapted(model, lines, size=1000)


def test_paragraphs_are_split_into_sentences():
    line = 'Dr. Who met J. Doe. "Where?" he asked! e.g. here... And 3.5 left.'
    assert list(split_sentences(line)) == [
        "Dr. Who met J. Doe.",
        '"Where?',
        "he asked!",
        "e.g. here...",
        "And 3.5 left.",
    ]
    assert list(split_sentences("")) == [""]


def test_unknown_words_are_counted_and_sentence_marks_are_not_words():
    text = encode_text(["a b a", "", f"{UNK} {EOS} c"], ("<unk>", "<s>", "</s>", "a"), "text")
    assert text.words == 6
    assert text.unknown == {"b": 1, UNK: 1, EOS: 1, "c": 1}
    assert text.stream.tolist() == [1, 3, 0, 3, 2, 1, 0, 0, 0, 2]
    with pytest.raises(DataError, match="notes: no words"):
        encode_text(["", " "], ("<unk>", "<s>", "</s>", "a"), "notes")
