"""A language with regular spelling, whose pronunciations are known."""

import lzma

import numpy as np
import pytest

from asr_gru.errors import ConfigError, DataError, ModelError
from asr_gru.language import LanguageModel
from asr_gru.language.g2p import GraphemeToPhoneme, train_g2p
from asr_gru.language.graphones import align
from tests.language.small_models import random_ngrams

SOUNDS = {"b": "B", "d": "D", "k": "K", "m": "M", "s": "S", "t": "T"}
VOWELS = {"a": "AA", "u": "UW", "i": "IY", "o": "OW"}


def regular(seed, count=400):
    """'x' says K S, 'sh' is one phone, a final 'e' is silent."""
    rng = np.random.default_rng(seed)
    entries = []
    for _ in range(count):
        word, phones = "", []
        for _ in range(rng.integers(2, 4)):
            onset = rng.choice(["sh", "x", *SOUNDS])
            vowel = rng.choice(list(VOWELS))
            word += f"{onset}{vowel}"
            phones += {"sh": ["SH"], "x": ["K", "S"]}.get(onset) or [SOUNDS[onset]]
            phones.append(VOWELS[vowel])
        if rng.random() < 0.5:
            onset = rng.choice(list(SOUNDS))
            word, phones = f"{word}{onset}e", [*phones, SOUNDS[onset]]
        entries.append((word, tuple(phones)))
    return list(dict.fromkeys(entries))


@pytest.fixture(scope="module")
def model():
    return train_g2p(regular(0), order=4)


def test_alignment_finds_the_graphones():
    cuts = dict(zip([word for word, _ in regular(0)], align(regular(0)), strict=True))
    for word, cut in cuts.items():
        assert "".join(letters for letters, _ in cut) == word
        for letters, phones in cut:
            if letters == "x":
                assert phones == ("K", "S")
            if letters in SOUNDS and letters != "s":
                assert phones == (SOUNDS[letters],)
    assert any(("sh", ("SH",)) in cut for cut in cuts.values())


def test_entries_that_cannot_be_segmented_are_left_out():
    cuts = align([*regular(0), ("b", tuple("BDKMS"))])
    assert cuts[-1] == []
    assert all(cuts[:-1])


def test_unseen_words_are_pronounced(model):
    known = {word for word, _ in regular(0)}
    unseen = [entry for entry in regular(1) if entry[0] not in known]
    assert len(unseen) > 200
    found = model.pronounce_all([word for word, _ in unseen], n=3)
    right = sum(ways[0][0] == phones for ways, (_, phones) in zip(found, unseen, strict=True))
    assert right / len(unseen) > 0.97
    for ways in found:
        shares = [share for _, share in ways]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1 + 1e-9
        assert len({phones for phones, _ in ways}) == len(ways) <= 3


def test_batching_does_not_change_results(model):
    words = [word for word, _ in regular(2)][:60]
    together = model.pronounce_all(words, n=2)
    assert together == [model.pronounce(word, n=2) for word in words]


def test_a_wide_beam_is_exhaustive(model):
    """The best pronunciation has the largest total probability over all segmentations."""
    from asr_gru.language import g2p

    word = "xamide"
    scores = {}

    def spell(place, state, score, phones):
        if place == len(word):
            end = float(model.model.end(np.array([state]))[0])
            scores[phones] = np.logaddexp(scores.get(phones, -np.inf), score + end)
            return
        for graphone, name in enumerate(model.model.words):
            letters, _, spoken = name.rpartition(":")
            if letters and word.startswith(letters, place):
                log_prob, following = model.model.score(np.array([state]), np.array([graphone]))
                more = tuple(spoken.split("_")) if spoken else ()
                after = float(score + log_prob[0])
                spell(place + len(letters), int(following[0]), after, phones + more)

    spell(0, model.model.start(), 0.0, ())
    best = sorted(scores, key=scores.get, reverse=True)[:3]
    wide = {"BEAM": 10_000, "MARGIN": 1000.0}
    old = {name: getattr(g2p, name) for name in wide}
    try:
        for name, value in wide.items():
            setattr(g2p, name, value)
        found = model.pronounce(word, n=3)
    finally:
        for name, value in old.items():
            setattr(g2p, name, value)
    assert [phones for phones, _ in found] == best
    total = np.logaddexp.reduce(list(scores.values()))
    assert found[0][1] == pytest.approx(np.exp(scores[best[0]] - total), rel=1e-4)


@pytest.mark.parametrize("name", ["g2p.bin", "g2p.bin.xz"])
def test_saved_models_are_read_back(model, tmp_path, name):
    model.save(tmp_path / name)
    words = [word for word, _ in regular(3)][:20]
    assert GraphemeToPhoneme.load(tmp_path / name).pronounce_all(words) == model.pronounce_all(
        words
    )


def test_pruning_reduces_the_size():
    small, whole = train_g2p(regular(0), 4, 5_000), train_g2p(regular(0), 4)
    assert sum(small.model.counts) < sum(whole.model.counts)
    assert len(small.model.to_bytes(links=False)) < 5_000 + 12_000


def test_invalid_input_is_refused(model, tmp_path):
    with pytest.raises(DataError, match=r"'bé3' cannot be pronounced: '3' 'é'"):
        model.pronounce("bé3")
    with pytest.raises(DataError, match="no letters"):
        model.pronounce("")
    with pytest.raises(DataError, match="no usable entries in the dictionary"):
        train_g2p([])
    with pytest.raises(DataError, match="'a:b'"):
        train_g2p([("a:b", ("AA",))])
    with pytest.raises(ConfigError, match="graphones: order 20"):
        train_g2p(regular(0), 20)
    with pytest.raises(ConfigError, match="size 10 bytes"):
        train_g2p(regular(0), 2, 10)
    LanguageModel.build(random_ngrams(np.random.default_rng(0))).save(tmp_path / "words.bin")
    with pytest.raises(ModelError, match="'w0' is not a graphone"):
        GraphemeToPhoneme.load(tmp_path / "words.bin")
    model.save(tmp_path / "g.bin.xz")
    data = (tmp_path / "g.bin.xz").read_bytes()
    for broken in (data[:-20], b"text", lzma.compress(b"text")):
        (tmp_path / "g.bin.xz").write_bytes(broken)
        with pytest.raises(ModelError):
            GraphemeToPhoneme.load(tmp_path / "g.bin.xz")
    with pytest.raises(ModelError, match="No such file"):
        GraphemeToPhoneme.load(tmp_path / "none.bin.xz")
