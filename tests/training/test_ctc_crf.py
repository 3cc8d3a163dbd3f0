"""The log-partition of a CTC-CRF against its definition, a sum over all paths."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from asr_gru.decoding.alignment import collapse
from asr_gru.errors import ConfigError
from asr_gru.nn.ctc import ctc_loss
from asr_gru.training.ctc_crf import (
    forward_backward,
    log_partition,
    sequence_log_prob,
    token_trigram,
    trigram_probs,
)
from asr_gru.training.loss import training_loss

SYMBOLS, FRAMES = ["", "a", "b", "c"], torch.tensor([5, 4, 1])
VOCAB = len(SYMBOLS)
SEQUENCES = [[1, 2, 2, 3], [1, 1], [3, 2, 1], [2], []]


@pytest.fixture(scope="module")
def trigram() -> Tensor:
    return trigram_probs(token_trigram(SEQUENCES, SYMBOLS)).double()


@pytest.fixture
def log_probs() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(3, 5, VOCAB, generator=generator).double().log_softmax(dim=2)


def probability(trigram: Tensor, tokens: list[int]) -> float:
    padded = [0, 0, *tokens, 0]
    steps = zip(padded, padded[1:], padded[2:], strict=False)
    return math.prod(float(trigram[step]) for step in steps)


def paths(log_probs: Tensor, trigram: Tensor, frames: int) -> dict[tuple[int, ...], float]:
    return {
        path: math.exp(sum(float(log_probs[t, k]) for t, k in enumerate(path)))
        * probability(trigram, collapse(path))
        for path in itertools.product(range(VOCAB), repeat=frames)
    }


def test_log_partition_is_the_sum_over_every_path(log_probs, trigram):
    total = log_partition(log_probs, FRAMES, trigram)
    for row, frames in enumerate(FRAMES.tolist()):
        expected = math.log(sum(paths(log_probs[row], trigram, frames).values()))
        assert total[row].item() == pytest.approx(expected, rel=1e-9)


def test_occupancies_are_posteriors_of_outputs(log_probs, trigram):
    _, occupancies = forward_backward(log_probs, FRAMES, trigram)
    for row, frames in enumerate(FRAMES.tolist()):
        weights = paths(log_probs[row], trigram, frames)
        total = sum(weights.values())
        for t, k in itertools.product(range(frames), range(VOCAB)):
            expected = sum(w for path, w in weights.items() if path[t] == k) / total
            assert occupancies[row, t, k].item() == pytest.approx(expected, abs=1e-9)
        assert not occupancies[row, frames:].any()


def test_gradient_is_that_of_the_value(log_probs, trigram):
    assert torch.autograd.gradcheck(
        lambda x: log_partition(x, FRAMES, trigram), log_probs.requires_grad_()
    )


def test_float32_is_accurate_over_many_frames(trigram):
    generator = torch.Generator().manual_seed(2)
    log_probs = (8.0 * torch.randn(2, 800, VOCAB, generator=generator)).log_softmax(dim=2)
    frames = torch.tensor([800, 650])
    single = log_partition(log_probs, frames, trigram.float())
    double = log_partition(log_probs.double(), frames, trigram)
    assert torch.allclose(single.double(), double, rtol=1e-5)


def test_the_trigram_sums_to_one_and_prefers_seen_sequences(trigram):
    assert torch.allclose(trigram.sum(dim=2), torch.ones(VOCAB, VOCAB).double())
    assert (trigram > 0).all()
    assert trigram[0, 1].argmax() in (1, 2)
    assert trigram[2, 3].argmax() == 0


def test_log_probability_of_targets(trigram):
    targets, lengths = torch.tensor([1, 2, 3, 1]), torch.tensor([3, 0, 1])
    expected = [math.log(probability(trigram, row)) for row in ([1, 2, 3], [], [1])]
    result = sequence_log_prob(trigram, targets, lengths)
    assert result.tolist() == pytest.approx(expected, rel=1e-6)


def test_loss_is_minus_the_log_posterior_of_the_targets(log_probs, trigram):
    targets, lengths = torch.tensor([1, 2, 3]), torch.tensor([2, 1, 0])
    loss = training_loss(log_probs, targets, FRAMES, lengths, 0.0, 1.0, trigram)
    expected = 0.0
    for row, tokens in enumerate(([1, 2], [3], [])):
        weights = paths(log_probs[row], trigram, int(FRAMES[row]))
        chosen = sum(w for path, w in weights.items() if collapse(path) == tokens)
        expected -= math.log(chosen / sum(weights.values()))
    assert loss.item() == pytest.approx(expected / 3, rel=1e-6)


def test_two_views_count_once_on_average(log_probs, trigram):
    targets, lengths = torch.tensor([1, 2, 3]), torch.tensor([2, 1, 0])
    one = training_loss(log_probs, targets, FRAMES, lengths, 0.0, 0.7, trigram)
    two = training_loss(log_probs.repeat(2, 1, 1), targets, FRAMES, lengths, 0.3, 0.7, trigram)
    assert two.item() == pytest.approx(one.item(), rel=1e-9)


def test_weight_scales_from_ctc(log_probs, trigram):
    targets, lengths = torch.tensor([1, 2, 3]), torch.tensor([2, 1, 0])
    ctc = ctc_loss(log_probs, targets, FRAMES, lengths).sum() / 3
    full = training_loss(log_probs, targets, FRAMES, lengths, 0.0, 1.0, trigram)
    half = training_loss(log_probs, targets, FRAMES, lengths, 0.0, 0.5, trigram)
    assert half.item() == pytest.approx(((ctc + full) / 2).item(), rel=1e-9)


def test_large_vocabulary_is_refused():
    with pytest.raises(ConfigError, match="ctc_crf_weight: at most 128 tokens, not 500"):
        token_trigram([[1]], [str(token) for token in range(500)])
