"""Diagnosis of the layer, the step and the recordings in which a NaN or an infinity arises."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from asr_gru.data.manifest import Utterance, read_manifest, write_manifest
from asr_gru.nn.net import AcousticNet
from asr_gru.nn.recurrent import RecurrentLayer
from asr_gru.text import build_character_tokenizer
from asr_gru.training import divergence
from asr_gru.training.audio_cache import pack_corpus
from asr_gru.training.augment import Augmenter
from asr_gru.training.checkpoint import NAME, load_checkpoint
from asr_gru.training.config import AugmentConfig
from asr_gru.training.dataset import TrainingSet, read_utterances
from asr_gru.training.diagnosis import Anomaly, find_anomaly
from asr_gru.training.divergence import DivergedError
from asr_gru.training.loop import Run, train
from asr_gru.training.optimiser import build_optimiser
from asr_gru.training.step import TrainStep

from .conftest import ALONE, RATE, ToneCorpus

NAN, INF = math.nan, math.inf
SEED = (1, 0, 0, 0)


class Breaking(torch.autograd.Function):
    """The identity, whose gradient is NaN for one column."""

    @staticmethod
    def forward(ctx, x, column):
        ctx.column = column
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        gradient = gradient.clone()
        gradient[:, ctx.column] = NAN
        return gradient, None


def step_and_batch(tone_corpus: ToneCorpus, rows: int = 5, **tables):
    """Return a training step of a new network with two layers, and a batch."""
    config = tone_corpus.config(encoder={"layers": 2}, **tables)
    corpus = pack_corpus(
        read_utterances(["train.tsv"], tone_corpus.root, config.data),
        tone_corpus.root / "cache",
        RATE,
    )
    tokens = build_character_tokenizer([u.text for u in corpus.utterances])
    examples = TrainingSet(corpus, tokens, config, Augmenter(AugmentConfig(), RATE, None, None))
    torch.manual_seed(0)
    net = AcousticNet(config.net, len(tokens), tables.get("kernel"))
    step = TrainStep(net, None, build_optimiser(net, config.optimiser), config, ALONE)
    return step, examples.batch(range(rows), (0,))


def diagnose(step, batch):
    return find_anomaly(step, batch, 0.0, SEED)


def break_output(monkeypatch, broken, value, column):
    """Let one recurrent layer output ``value`` for one utterance."""
    forward = RecurrentLayer.forward

    def run(layer, x, state):
        y, after = forward(layer, x, state)
        if layer is broken:
            y = y.clone()
            y[2, column] = value
        return y, after

    monkeypatch.setattr(RecurrentLayer, "forward", run)


def test_a_finite_step_has_no_anomaly(tone_corpus):
    step, batch = step_and_batch(tone_corpus)
    before = {name: value.clone() for name, value in step.net.state_dict().items()}
    assert diagnose(step, batch) is None
    assert all(torch.equal(step.net.state_dict()[name], value) for name, value in before.items())
    assert not any(module._forward_hooks or module._backward_hooks for module in step.net.modules())


@pytest.mark.parametrize(("value", "kind"), [(NAN, "NaN"), (-INF, "infinity")])
@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("cr_ctc_weight", [0.0, 0.2])
def test_the_first_layer_and_the_utterance_are_named(
    tone_corpus, monkeypatch, value, kind, layer, cr_ctc_weight
):
    step, batch = step_and_batch(tone_corpus, cr_ctc_weight=cr_ctc_weight)
    break_output(monkeypatch, step.net.encoder.forwards[layer], value, 3)
    place = f"the output of encoder.forwards.{layer} (RecurrentLayer)"
    assert diagnose(step, batch) == Anomaly(kind, place, (3,))


def test_a_batch_with_as_many_rows_as_frames_uses_the_right_axis(tone_corpus, monkeypatch):
    step, batch = step_and_batch(tone_corpus, rows=8)
    frames = 8 * step.config.net.frame_samples
    batch = replace(
        batch,
        samples=batch.samples[:, :frames],
        frames=torch.full((8,), 8),
        targets=batch.targets[:8],
        target_lengths=torch.ones(8, dtype=torch.long),
    )
    break_output(monkeypatch, step.net.encoder.forwards[1], NAN, 5)
    assert diagnose(step, batch).rows == (5,)


def test_samples_are_named_before_values_computed_from_them(tone_corpus):
    step, batch = step_and_batch(tone_corpus)
    batch.samples[2, 100] = NAN
    batch.samples[4, 200] = INF
    assert diagnose(step, batch) == Anomaly("NaN", "the samples", (2, 4))


def test_non_finite_weights_are_named(tone_corpus):
    step, batch = step_and_batch(tone_corpus)
    with torch.no_grad():
        step.net.encoder.norms[1].weight[3] = INF
    assert diagnose(step, batch) == Anomaly("infinity", "the weights encoder.norms.1.weight", ())


def test_values_between_layers_are_named_as_inputs_of_the_next(tone_corpus, monkeypatch):
    step, batch = step_and_batch(tone_corpus)
    relu = torch.nn.functional.relu

    def broken(x):
        y = relu(x).clone()
        y[1, 4] = NAN
        return y

    monkeypatch.setattr(torch.nn.functional, "relu", broken)
    place = "the input of encoder.norms.0 (LayerNorm)"
    assert diagnose(step, batch) == Anomaly("NaN", place, (4,))


def test_an_utterance_whose_loss_is_infinite_is_named(tone_corpus):
    step, batch = step_and_batch(tone_corpus)
    batch.frames[1] = 1  # fewer frames than tokens
    assert diagnose(step, batch) == Anomaly("infinity", "the CTC loss", (1,))


@pytest.mark.parametrize("layer", [0, 1])
def test_non_finite_gradients_are_traced_back_from_the_loss(tone_corpus, monkeypatch, layer):
    step, batch = step_and_batch(tone_corpus)
    forward = RecurrentLayer.forward
    broken = step.net.encoder.forwards[layer]

    def run(one, x, state):
        return forward(one, Breaking.apply(x, 2) if one is broken else x, state)

    monkeypatch.setattr(RecurrentLayer, "forward", run)
    found = diagnose(step, batch)
    place = f"the gradient of the input of encoder.forwards.{layer} (RecurrentLayer)"
    assert found == Anomaly("NaN", place, (2,))


def test_a_non_finite_gradient_of_the_loss_is_named_as_such(tone_corpus, monkeypatch):
    step, batch = step_and_batch(tone_corpus)
    softmax = torch.nn.functional.log_softmax
    monkeypatch.setattr(
        torch.nn.functional,
        "log_softmax",
        lambda x, dim: softmax(Breaking.apply(x, 0), dim=dim),
    )
    found = diagnose(step, batch)
    assert found.place.startswith("the gradient of the loss with respect to the output of encoder")
    assert found.rows == (0,)


def test_an_overflowing_gradient_norm_is_not_attributed_to_a_layer(tone_corpus):
    step, batch = step_and_batch(tone_corpus)
    for weight in step.net.encoder.head.parameters():
        weight.register_hook(lambda gradient: torch.full_like(gradient, 3e38))
    found = diagnose(step, batch)
    assert found.kind == "infinity"
    assert found.place.startswith("the norm of the gradient")


@pytest.mark.parametrize("kernel", [None, torch.float32])
def test_both_kernels_work_with_hooks(tone_corpus, monkeypatch, kernel):
    step, batch = step_and_batch(tone_corpus)
    step = replace(step, net=AcousticNet(step.config.net, step.net.vocab_size, kernel))
    break_output(monkeypatch, step.net.encoder.forwards[0], NAN, 0)
    assert "encoder.forwards.0" in diagnose(step, batch).place


def messages_of(tone_corpus, folder, config, **run):
    messages: list[str] = []
    place = Run(folder, tone_corpus.root, tone_corpus.root / "cache", **run)
    return train(config, place, ALONE, messages.append), messages


def break_utterance(monkeypatch, name):
    """Make augmentation return NaN for one recording."""
    batch = TrainingSet.batch

    def broken(examples, indices, seed):
        made = batch(examples, indices, seed)
        for row, index in enumerate(indices):
            if examples.name(index).endswith(name):
                made.samples[row, 100] = NAN
        return made

    monkeypatch.setattr(TrainingSet, "batch", broken)


def test_a_run_continues_and_names_the_recording(tone_corpus, tmp_path, monkeypatch):
    break_utterance(monkeypatch, "/5.wav")
    state, messages = messages_of(tone_corpus, tmp_path, tone_corpus.config(epochs=2))
    named = [line for line in messages if line.startswith("skipped step")]
    assert len(named) == 2  # once per epoch
    assert all("NaN in the samples, of " in line for line in named)
    assert [line.rpartition("/")[2] for line in named] == ["5.wav", "5.wav"]
    assert all(bool(torch.isfinite(value).all()) for value in state.weights.values())


def test_diagnosis_does_not_change_a_run(tone_corpus, tmp_path, monkeypatch):
    break_utterance(monkeypatch, "/5.wav")
    config = tone_corpus.config(epochs=2, encoder={"dropout": 0.3})
    one, _ = messages_of(tone_corpus, tmp_path / "one", config)
    monkeypatch.setattr(divergence, "MAX_DIAGNOSES", 0)
    other, messages = messages_of(tone_corpus, tmp_path / "other", config)
    assert not any(line.startswith("skipped step") for line in messages)
    assert all(torch.equal(one.weights[key], value) for key, value in other.weights.items())


def test_recordings_with_nan_are_left_out_and_huge_samples_are_harmless(tone_corpus, tmp_path):
    random = np.random.default_rng(0)
    listed = read_manifest(tone_corpus.root / "train.tsv")[:6]
    for name, value in (("nan", NAN), ("inf", INF), ("huge", 1e30)):
        values = 0.1 * random.standard_normal(RATE).astype(np.float32)
        values[500:600] = value
        soundfile.write(tmp_path / f"{name}.wav", values, RATE, subtype="FLOAT")
        listed.append(Utterance(path=tmp_path / f"{name}.wav", text="ab"))
    write_manifest(tmp_path / "train.tsv", listed)
    messages: list[str] = []
    run = Run(tmp_path / "run", tmp_path, tmp_path / "cache")
    state = train(tone_corpus.config(epochs=2), run, ALONE, messages.append)
    left_out = [line for line in messages if "samples contain NaN or infinity" in line]
    assert ["nan.wav" in line or "inf.wav" in line for line in left_out] == [True, True]
    assert any(line.startswith("training set: 7 utterances") for line in messages)
    assert not any(line.startswith("skipped step") for line in messages)
    assert all(bool(torch.isfinite(value).all()) for value in state.weights.values())


def test_a_diverging_run_names_the_first_anomaly(tone_corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(divergence, "MAX_NONFINITE_STEPS", 3)
    _, _ = messages_of(tone_corpus, tmp_path, tone_corpus.config(), stop_after=2)
    forward = RecurrentLayer.forward

    def broken(layer, x, state):
        y, after = forward(layer, x, state)
        return y * INF, after

    monkeypatch.setattr(RecurrentLayer, "forward", broken)
    with pytest.raises(DivergedError) as caught:
        messages_of(tone_corpus, tmp_path, tone_corpus.config(epochs=20))
    message = str(caught.value)
    assert message.startswith("no finite gradient in 3 steps (step 3: ")
    assert "in the output of encoder.forwards.0 (RecurrentLayer), of all " in message
    assert ".wav" in message
    assert message.endswith("resume from the last checkpoint with a lower learning rate")
    assert "\n" not in message


def test_non_finite_weights_are_never_saved(tone_corpus, tmp_path, monkeypatch):
    tone_corpus.train(tmp_path, stop_after=1)
    kept = (tmp_path / NAME).read_bytes()
    update = TrainStep._update

    def explode(step, lr):
        norm = update(step, lr)
        with torch.no_grad():
            step.net.encoder.head.bias.fill_(INF)
        return norm

    monkeypatch.setattr(TrainStep, "_update", explode)
    monkeypatch.setattr(divergence, "MAX_NONFINITE_STEPS", 4)
    with pytest.raises(DivergedError, match=r"the weights encoder.head.bias"):
        messages_of(tone_corpus, tmp_path, tone_corpus.config(epochs=20), save_every_s=0.0)
    assert (tmp_path / NAME).read_bytes() == kept
    with pytest.raises(DivergedError, match="weights are not finite"):
        messages_of(tone_corpus, tmp_path, tone_corpus.config(), stop_after=3)
    assert load_checkpoint(tmp_path).global_step == 1
