"""The distillation loss, its teacher, and the runs that use them."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from asr_gru.errors import ConfigError, ModelError
from asr_gru.model.net_config import EncoderConfig, NetConfig
from asr_gru.nn.net import AcousticNet
from asr_gru.text import build_character_tokenizer
from asr_gru.training.checkpoint import NAME, Checkpoint, save_checkpoint
from asr_gru.training.config_file import parse_train_config
from asr_gru.training.distillation import Teacher, best_delays, distillation_loss

FRAMES = torch.tensor([12, 11])


def spikes(seed: int = 0) -> Tensor:
    """Return log-probabilities ``(2, 12, 5)`` with a few sharp tokens between blanks."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 12, 5, generator=generator)
    logits[:, :, 0] += 4.0
    for row, (time, token) in itertools.product(range(2), ((1, 2), (4, 1), (6, 3))):
        logits[row, time, token] += 10.0
    return logits.log_softmax(dim=2)


def later(log_probs: Tensor, frames: int) -> Tensor:
    """Return a copy that is delayed by ``frames``, with blanks before it."""
    blank = torch.full_like(log_probs, -8.0)
    blank[:, :, 0] = 0.0
    return torch.cat([blank[:, :frames].log_softmax(dim=2), log_probs[:, :-frames]], dim=1)


def test_without_tolerance_the_loss_is_the_divergence_of_each_frame():
    student, teacher = spikes(1), spikes(2)
    expected = 0.0
    for row, frames in enumerate(FRAMES.tolist()):
        p, q = teacher[row, :frames], student[row, :frames]
        expected += float((p.exp() * (p - q)).sum())
    assert distillation_loss(student, teacher, FRAMES, 0).item() == pytest.approx(expected)
    assert distillation_loss(teacher, teacher, FRAMES, 3).item() == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_a_delayed_copy_costs_less_with_tolerance(shift):
    teacher = spikes()
    student = later(teacher, shift)
    losses = [distillation_loss(student, teacher, FRAMES, delay).item() for delay in range(5)]
    assert all(a >= b - 1e-5 for a, b in itertools.pairwise(losses))
    assert losses[0] > 20.0
    assert losses[shift - 1] > 2 * losses[shift]
    assert losses[shift] < 3.0
    delays = best_delays(student, teacher, FRAMES, 4)
    assert delays[0, 4:7].tolist() == [shift] * 3


def test_an_early_copy_has_a_loss():
    """Only delays are tolerated: a student cannot know a token before its teacher does."""
    teacher = later(spikes(), 2)
    early = distillation_loss(spikes(), teacher, FRAMES, 4).item()
    assert early > 5 * distillation_loss(teacher, spikes(), FRAMES, 4).item()


def test_the_path_is_the_best_monotonic_one():
    student, teacher = spikes(3)[:, :5], spikes(4)[:, :5]
    frames, max_delay = torch.tensor([5, 4]), 2
    expected = 0.0
    for row, count in enumerate(frames.tolist()):
        p, q = teacher[row, :count], student[row, :count]
        divergence = (p.exp()[:, None] * (p[:, None] - q[None])).sum(dim=2)
        paths = itertools.product(range(max_delay + 1), repeat=count)
        matches = ([t + delay for t, delay in enumerate(path)] for path in paths)
        expected += min(
            sum(float(divergence[t, s]) for t, s in enumerate(match))
            for match in matches
            if match == sorted(match) and match[-1] < count
        )
    found = distillation_loss(student, teacher, frames, max_delay)
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_gradients_are_finite_and_point_towards_the_teacher():
    logits = torch.randn(2, 12, 5, generator=torch.Generator().manual_seed(5)).requires_grad_()
    teacher = spikes()
    losses = []
    for _ in range(40):
        loss = distillation_loss(logits.log_softmax(dim=2), teacher, FRAMES, 2)
        (slope,) = torch.autograd.grad(loss, logits)
        assert slope.isfinite().all()
        assert not slope[1, 11:].any()  # padding
        losses.append(loss.item())
        logits = (logits - slope).detach().requires_grad_()
    assert losses[-1] < 0.2 * losses[0]


def test_the_window_may_be_longer_than_the_audio():
    loss = distillation_loss(spikes(1)[:, :3], spikes(2)[:, :3], torch.tensor([3, 1]), 10)
    assert loss.isfinite()


KINDS = [
    {},
    {"lookahead": 3},
    {"direction": "bi"},
    {"direction": "chunked", "chunk_frames": 4, "right_frames": 2},
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_delay_of_the_teacher_is_removed(kind):
    torch.manual_seed(0)
    config = NetConfig(encoder=EncoderConfig(layers=1, width=8, **kind))
    net = AcousticNet(config, 5).eval()
    samples = 0.1 * torch.randn(2, 12 * 640)
    samples[1, 7 * 640 :] = 0.0
    heard = torch.tensor([12, 7])
    found = Teacher(net, 0).log_probs(samples, heard)
    delay = config.encoder.delay
    with torch.no_grad():
        padded = torch.cat([samples, torch.zeros(2, delay * 640)], dim=1)
        expected = net(padded, None, heard)[0][:, delay:]
    assert found.shape == (2, 12, 5)
    torch.testing.assert_close(found, expected)


def test_a_copy_with_a_delay_and_several_views_has_no_loss():
    torch.manual_seed(0)
    config = NetConfig(encoder=EncoderConfig(layers=1, width=8, lookahead=2))
    net = AcousticNet(config, 5).eval()
    samples, frames = 0.1 * torch.randn(2, 12 * 640), torch.tensor([12, 12])
    samples[:, 10 * 640 :] = 0.0  # the delay of the look-ahead
    with torch.no_grad():
        log_probs = net(samples)[0]
    loss = Teacher(net, 3).loss(torch.cat([log_probs, log_probs]), samples, frames, 2)
    assert loss.item() == pytest.approx(0.0, abs=1e-4)
    half = Teacher(net, 3).loss(torch.cat([log_probs, log_probs.flip(2)]), samples, frames, 2)
    whole = Teacher(net, 3).loss(log_probs.flip(2), samples, frames, 2)
    assert half.item() == pytest.approx(whole.item() / 2, rel=1e-5)


@pytest.fixture
def teacher(tone_corpus, tmp_path):
    """A trained bidirectional run."""
    folder = tmp_path / "teacher"
    tone_corpus.train(folder, tone_corpus.config(encoder={"direction": "bi"}))
    return folder


def test_a_run_with_distillation_resumes_exactly(tone_corpus, teacher, tmp_path):
    changes = {"encoder": {"lookahead": 2}, "cr_ctc_weight": 0.2}
    table = {"teacher": str(teacher), "max_delay_s": 0.12}
    _, plain = tone_corpus.train(tmp_path / "plain", tone_corpus.config(**changes))
    config = tone_corpus.config(**changes, distillation=table)
    whole, losses = tone_corpus.train(tmp_path / "whole", config)
    assert losses[0] == pytest.approx(plain[0])  # the logged loss is that of CTC
    assert losses[1:] != plain[1:]
    tone_corpus.train(tmp_path / "parts", config, stop_after=3)
    parts, _ = tone_corpus.train(tmp_path / "parts", config)
    for name, value in whole.weights.items():
        assert torch.equal(value, parts.weights[name]), name
    tolerant = tone_corpus.config(**changes, distillation={**table, "max_delay_s": 0.0})
    other, _ = tone_corpus.train(tmp_path / "exact", tolerant)
    assert any(not torch.equal(value, other.weights[name]) for name, value in whole.weights.items())


def test_distillation_makes_the_student_more_similar_to_its_teacher(tone_corpus, teacher, tmp_path):
    table = {"teacher": str(teacher), "weight": 20.0}
    config = tone_corpus.config(distillation=table, epochs=30, optimiser={"learning_rate": 0.01})
    tone_corpus.train(tmp_path / "student", config)
    assert tone_corpus.distillation[-1] < 0.5 * tone_corpus.distillation[0]


def test_an_incompatible_teacher_is_refused(tone_corpus, teacher, tmp_path):
    def refused(kind, **changes):
        config = tone_corpus.config(**{"distillation": {"teacher": str(teacher)}, **changes})
        with pytest.raises(kind) as error:
            tone_corpus.train(tmp_path / "student", config)
        assert "\n" not in str(error.value)
        assert not (tmp_path / "student" / NAME).exists()
        return str(error.value)

    message = refused(ConfigError, encoder={"subsampling": 3})
    assert "frames of 40 ms at 16000 Hz, this run 30 ms" in message
    foreign = parse_train_config({"data": {"train": ["t"]}, "encoder": {"layers": 1, "width": 8}})
    tokens = build_character_tokenizer(["xyz"])
    made = AcousticNet(foreign.net, len(tokens)).state_dict()
    (tmp_path / "foreign").mkdir()
    save_checkpoint(Checkpoint(foreign, len(tokens), made), tmp_path / "foreign" / NAME)
    tokens.save(tmp_path / "foreign")
    message = refused(ConfigError, distillation={"teacher": str(tmp_path / "foreign")})
    assert "has other tokens than this run; start from it" in message
    assert "nowhere" in refused(ModelError, distillation={"teacher": "nowhere"})


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({"max_delay_s": 3}, "max_delay_s"),
        ({"max_delay_s": -1}, "max_delay_s"),
        ({"weight": 0}, "weight"),
        ({"teecher": "a"}, "did you mean 'teacher'"),
    ],
)
def test_invalid_keys_are_refused(tone_corpus, table, named):
    with pytest.raises(ConfigError, match=named):
        tone_corpus.config(distillation=table)
