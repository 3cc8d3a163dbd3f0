"""A language model for text, and rescoring with it."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from asr_gru.data.manifest import Utterance, write_manifest
from asr_gru.errors import ConfigError, DataError, ModelError
from asr_gru.language import EstimateConfig, LanguageModel, estimate
from asr_gru.scoring import Score
from asr_gru.training.config import OptimiserConfig
from recipes.sequences import n_best, rescore, text, word_model
from recipes.sequences.stack import RecurrentStack, train_steps

LARGEST_PICTURE = 80_000
SENTENCES = ["the cat sat on the mat", "the dog sat on the log", "a cat saw the dog"] * 40


def estimated(lines: str, order: int) -> LanguageModel:
    found = estimate([("text", [lines])], EstimateConfig(order=order))
    return LanguageModel.build(found.ngrams, quantise=False)


@pytest.fixture(scope="module")
def ngram() -> LanguageModel:
    return estimated("\n".join(SENTENCES) + "\n", 2)


@pytest.fixture(scope="module")
def trained(ngram) -> word_model.WordModel:
    sentences = [line.split() for line in SENTENCES]
    losses = []
    model = text.train(
        sentences,
        ngram,
        vocab_size=9,
        layers=2,
        width=16,
        tokens=40,
        learning_rate=1e-2,
        epochs=3,
        on_step=lambda _model, step, steps, loss: losses.append((step, steps, loss)),
    )
    assert [step for step, _, _ in losses] == list(range(1, losses[0][1] + 1))
    assert losses[-1][2] < 0.5 * losses[0][2]
    return model


def test_a_sequence_can_be_cut_anywhere():
    torch.manual_seed(0)
    stack = RecurrentStack(2, 8).eval()
    x = torch.randn(11, 3, 8)
    whole, after = stack(x, stack.start(3))
    first, state = stack(x[:4], stack.start(3))
    second, last = stack(x[4:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(last, after)
    assert not torch.allclose(stack(x[4:], stack.start(3))[0], second)


def test_training_leaves_subnormal_numbers_as_they_were(trained):
    assert torch.tensor(1e-40) * 1.0 > 0
    assert np.float32(1e-40) * np.float32(1.0) > 0


def test_training_that_diverges_ends_with_an_error():
    net = torch.nn.Linear(1, 1)
    losses = iter([1.0, float("nan")])
    taken = []
    with pytest.raises(ConfigError, match="the loss of step 2 is nan; lower the learning rate"):
        train_steps(
            net,
            lambda _step: net.weight.sum() * 0 + next(losses),
            3,
            config=OptimiserConfig(),
            on_step=lambda step, loss: taken.append((step, loss)),
        )
    assert taken == [(1, 1.0)]


def test_the_model_is_a_distribution_over_the_words_of_the_ngram_model(trained, ngram):
    assert trained.words[:2] == ["</s>", "<unk>"]
    assert set(trained.words) - set(word_model.MARKS) < set(ngram.words)
    vocabulary = [word for word in ngram.words if word not in {"<s>", "</s>", "<unk>"}]
    assert set(vocabulary) - set(trained.words)  # some are left to the n-gram model's unigrams
    rows = trained.log_probs([["the", word] for word in vocabulary])
    end = trained.log_probs([["the"]])[0][-1]
    total = math.fsum(math.exp(row[1]) for row in rows) + math.exp(end)
    assert total == pytest.approx(1.0, abs=1e-4)


def test_it_prefers_what_it_was_trained_on(trained):
    good, bad = trained.log_probs([["the", "cat", "sat"], ["sat", "the", "the"]])
    assert good.sum() > bad.sum() + 2
    assert len(good) == 4


def test_log_probs_do_not_depend_on_the_batch(trained):
    sentences = [line.split() for line in SENTENCES[:3]] + [[]]
    together = trained.log_probs(sentences)
    for sentence, row in zip(sentences, together, strict=True):
        np.testing.assert_allclose(trained.log_probs([sentence], batch=1)[0], row, atol=1e-5)


def test_a_saved_model_is_the_same(trained, ngram, tmp_path):
    trained.save(tmp_path / "model.pt")
    loaded = word_model.WordModel.load(tmp_path / "model.pt", ngram)
    assert loaded.words == trained.words
    sentence = [SENTENCES[0].split()]
    np.testing.assert_array_equal(loaded.log_probs(sentence)[0], trained.log_probs(sentence)[0])
    (tmp_path / "model.pt").write_bytes(b"something else")
    with pytest.raises(ModelError, match=r"model\.pt: not a model of recipes\.sequences\.text"):
        word_model.WordModel.load(tmp_path / "model.pt", ngram)


def test_mixture_and_perplexity():
    first, second = np.log([0.5, 0.2]), np.log([0.1, 0.4])
    np.testing.assert_allclose(np.exp(word_model.mixture(first, second, 0.25)), [0.2, 0.35])
    np.testing.assert_allclose(word_model.mixture(first, second, 1.0), first)
    np.testing.assert_allclose(word_model.mixture(first, second, 0.0), second)
    rows = [np.log([0.25, 1e-9, 0.25]), np.log([0.25])]
    known = [np.array([True, False, True]), np.array([True])]
    assert word_model.perplexity(rows, known) == pytest.approx(4.0)


def test_texts_have_equal_shares_and_small_ones_are_taken_whole(tmp_path):
    (tmp_path / "small.txt").write_text("one two\n" * 50)
    for name in ("b", "c"):
        (tmp_path / f"{name}.txt").write_text(f"{name} {name}\n" * 5000)
    paths = [tmp_path / f"{name}.txt" for name in ("b", "small", "c")]
    chosen = text.sample_texts(paths, 4100)
    counts = {word: sum(s.count(word) for s in chosen) for word in ("one", "b", "c")}
    assert counts["one"] == 50
    assert counts["b"] == pytest.approx(2000, rel=0.1)
    assert counts["c"] == pytest.approx(2000, rel=0.1)
    (tmp_path / "small.txt").write_text("\n\n")
    with pytest.raises(DataError, match="no words"):
        text.sample_texts(paths, 100)


def test_batches_hold_every_sentence_once_and_at_most_so_many_words():
    lengths = np.random.default_rng(0).integers(1, 30, 500)
    sentences = [[2] * int(length) for length in lengths]
    batches = text.plan_batches(sentences, 64)
    assert sorted(itertools.chain(*batches)) == list(range(500))
    assert max(len(b) * (max(lengths[i] for i in b) + 1) for b in batches) <= 64


def entry(speaker: str, reference: str, *texts: str, scores: tuple[float, ...]) -> n_best.NBest:
    return n_best.NBest(speaker=speaker, reference=reference, texts=texts, scores=scores)


def test_rescoring_repairs_what_the_decoder_got_wrong(trained, ngram):
    unigrams = estimated("mat the cat\ndog sat\nthe log saw\nsat a on cat\n", 1)
    model = word_model.WordModel(trained.net, trained.words, unigrams)
    entries = [
        entry(f"speaker {n}", "the cat sat", "sat the the", "the cat sat", scores=(-1.0, -1.5))
        for n in range(8)
    ]
    one = rescore.ScoredList(entries, model, unigrams, rescore.halve([entries]))
    assert set(one.half) == {0, 1}
    before = sum((errors[0] for errors in one.errors), Score())
    weights = [rescore.choose([one], half) for half in (0, 1)]
    assert all(chosen.weight > 0 for chosen in weights)
    assert before.errors > 0
    assert sum(rescore.rescore(one, weights), Score()).errors == 0
    assert sum(one.oracle(), Score()).errors == 0
    assert sum(one.oracle(1), Score()) == before


def test_halves_have_no_speaker_in_common():
    lists = [
        [entry(name, "a", "a", scores=(0.0,)) for name in names]
        for names in (["x", "y", "x", "z", "w"], ["z", "v", "u", "u"])
    ]
    half_of = rescore.halve(lists)
    assert set(half_of) == set("xyzwvu")
    for names in ("xyzw", "vu"):
        assert sum(half_of[name] for name in names) == len(names) / 2


def test_weights_come_from_the_other_half():
    class Recorded:
        half = (0, 1, 0)

        def choices(self, weights, size=20):
            return [Score(1, substitutions=int(weights.weight)) for _ in self.half]

    found = rescore.rescore(Recorded(), [rescore.Weights(0, 0.1), rescore.Weights(1, 0.1)])
    assert [score.errors for score in found] == [1, 0, 1]


def test_nothing_to_gain_keeps_the_decoder(trained, ngram):
    entries = [entry(str(n), "the cat", "the cat", "cat", scores=(-1.0, -9.0)) for n in range(6)]
    one = rescore.ScoredList(entries, trained, ngram, rescore.halve([entries]))
    assert rescore.choose([one], 0).weight == 0.0


def test_the_commands_train_and_rescore(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(text, "fastest_kernel", lambda _width: None)
    (tmp_path / "own.txt").write_text("turn the kitchen light on\nthe train leaves at nine\n" * 60)
    audio = Path("audio_samples").absolute()
    references = {"read.flac": "one", "accent.opus": "mandy has a big arm"}
    write_manifest(
        tmp_path / "dev.tsv",
        [Utterance(audio / name, said, speaker=name) for name, said in references.items()],
    )
    arguments = ["--dev", str(tmp_path / "dev.tsv"), "--output", str(tmp_path / "own.pt")]
    sizes = ["--words", "500", "--width", "8", "--vocab-size", "12", "--layers", "1"]
    picture = ["--picture", str(tmp_path / "text.png")]
    assert text.main([str(tmp_path / "own.txt"), *arguments, *sizes, *picture]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[1].split() == ["perplexity", "n-gram", "GRU", "both"]
    name, *perplexities = printed[2].split()
    assert name == "dev"
    assert all(float(value) > 1 for value in perplexities)
    assert (tmp_path / "text.png").stat().st_size < LARGEST_PICTURE

    command = [
        str(tmp_path / "dev.tsv"), "--language", str(tmp_path / "own.pt"),
        "--nbest", str(tmp_path / "nbest.json"), "--picture", str(tmp_path / "wer.png"),
    ]  # fmt: skip
    assert rescore.main(command) == 0
    first = capsys.readouterr().out
    rows = [line.split() for line in first.splitlines() if line.startswith("dev")]
    assert rows[0][1] == "2"
    assert float(rows[0][4]) <= float(rows[0][2])  # the oracle
    with Image.open(tmp_path / "wer.png") as image:
        assert image.width > 100
    monkeypatch.setattr(n_best, "load_recognizer", pytest.fail)  # kept lists are used again
    assert rescore.main(command) == 0
    assert capsys.readouterr().out == first
    assert rescore.main([str(tmp_path / "dev.tsv"), *command]) == 1
    assert "of another model or other utterances; delete it" in capsys.readouterr().err
    references["read.flac"] = "two"
    write_manifest(
        tmp_path / "dev.tsv",
        [Utterance(audio / name, said, speaker=name) for name, said in references.items()],
    )
    assert rescore.main(command) == 1  # the same name, but another text
    assert "of another model or other utterances; delete it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.txt"], "missing.txt: No such file"),
        (["own.txt", "--model", "nothing"], "nothing"),
        (["own.txt", "--dev", "missing.tsv"], "missing.tsv"),
        (["own.txt", "--dev", "silent.tsv"], "silent.tsv: texts without words"),
    ],
)
def test_wrong_input_is_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.txt").write_text("the cat\n")
    write_manifest(tmp_path / "silent.tsv", [Utterance(tmp_path / "a.wav", "...")])
    assert text.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_rescoring_needs_a_trained_model(tmp_path, capsys):
    assert rescore.main(["dev.tsv", "--language", str(tmp_path / "none.pt")]) == 1
    assert "python -m recipes.sequences.text" in capsys.readouterr().err


def test_pictures_of_the_readme_are_small():
    folder = Path(text.__file__).parent
    shown = re.findall(r"\]\((pictures/\S+)\)", (folder / "README.md").read_text())
    assert {str(one.relative_to(folder)) for one in folder.glob("pictures/*")} == set(shown)
    assert all((folder / name).stat().st_size < LARGEST_PICTURE for name in shown)
