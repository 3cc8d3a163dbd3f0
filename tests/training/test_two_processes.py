"""Training with two processes (gloo) equals training with one at the same global batch."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace

from asr_gru.nn.net import AcousticNet
from asr_gru.text import build_character_tokenizer, load_tokenizer
from asr_gru.training import loop
from asr_gru.training.audio_cache import pack_corpus
from asr_gru.training.augment import Augmenter
from asr_gru.training.checkpoint import load_checkpoint, net_from_checkpoint
from asr_gru.training.config import AugmentConfig, TrainConfig
from asr_gru.training.dataset import Batch, TrainingSet, read_utterances
from asr_gru.training.distributed import Processes
from asr_gru.training.divergence import Attempt, DivergenceGuard
from asr_gru.training.hypotheses import read_hypotheses
from asr_gru.training.loop import Run, train
from asr_gru.training.metrics import METRICS_FILE, read_metrics
from asr_gru.training.optimiser import build_optimiser
from asr_gru.training.sampler import NOISE
from asr_gru.training.step import TrainStep
from asr_gru.training.validate import validate

from .conftest import ALONE, RATE, write_tone_corpus

BATCHES = [([0, 1, 2], [3]), ([4], [5, 6, 7, 8]), ([9, 10], [11]), ([12], [13, 14, 15])]
"""Batches of each of two processes for each step, with different numbers of tokens."""
STEPS = 4

WORKER = """
import sys
from pathlib import Path
from tests.training.test_two_processes import name_recording, step_batches, train_and_resume
from asr_gru.training.distributed import init_processes
processes = init_processes()
step_batches(Path(sys.argv[1]), Path(sys.argv[2]) / "two.pt", processes)
train_and_resume(Path(sys.argv[1]), Path(sys.argv[2]), processes)
name_recording(Path(sys.argv[1]), Path(sys.argv[2]), processes)
processes.shutdown()
threads = [name.read_text() for name in Path("/proc/self/task").glob("*/comm")]
(Path(sys.argv[2]) / f"threads{processes.rank}.txt").write_text("".join(sorted(threads)))
"""


def configuration(root: Path, **changes) -> TrainConfig:
    from .conftest import ToneCorpus

    encoder = {"layers": 1, "width": 16, "dropout": 0.0}
    return ToneCorpus(root).config(encoder=encoder, **changes)


def name_recording(root: Path, output: Path, processes: Processes) -> None:
    """Write what the main process logs of a NaN in a batch of the other one."""
    train_step, examples = make_step(root, processes)
    batch = examples.batch([3, 4, 5], (0,))
    if not processes.is_main:
        batch.samples[1, 100] = float("nan")
    lines: list[str] = []
    guard = DivergenceGuard(train_step, examples, lines.append)
    guard.check(Attempt(batch, [3, 4, 5], 7, 0.0, (0, processes.rank)), finite=False)
    if processes.is_main:
        (output / "named.txt").write_text("\n".join(lines))


def step_batches(root: Path, output: Path, processes: Processes) -> None:
    """Train a few steps on ``BATCHES`` and write the weights to ``output``."""
    train_step, examples = make_step(root, processes)
    for step, (first, second) in enumerate(BATCHES):
        indices = [first + second] if processes.world_size == 1 else [first, second]
        batch = examples.batch(indices[processes.rank], (0, step, processes.rank))
        train_step(batch, step, step / len(BATCHES), (0, step, processes.rank))
    if processes.is_main:
        torch.save(train_step.net.state_dict(), output)


def make_step(root: Path, processes: Processes) -> tuple[TrainStep, TrainingSet]:
    """Return a step over a fresh network, and the training set."""
    torch.set_num_threads(1)
    config = configuration(root)
    corpus = pack_corpus(read_utterances(["train.tsv"], root, config.data), root / "c", RATE)
    tokens = build_character_tokenizer([u.text for u in corpus.utterances])
    examples = TrainingSet(corpus, tokens, config, Augmenter(AugmentConfig(), RATE, None, None))
    torch.manual_seed(0)
    net = AcousticNet(config.net, len(tokens))
    train_step = TrainStep(
        net, None, build_optimiser(net, config.optimiser, None, processes), config, processes
    )
    return train_step, examples


def train_and_resume(root: Path, output: Path, processes: Processes) -> None:
    """Train a run without interruption, and another one that is stopped and resumed."""
    config = configuration(
        root,
        curriculum_epochs=0,
        data={"validation": ["validation.tsv"], "batch_s": 3.0},
        augment={"speed_prob": 0.5},
    )
    place = {"root": root, "cache": output / "cache"}
    for name, stop_after in (("whole", None), ("parts", 3), ("parts", None), ("short", STEPS)):
        run = Run(output / name, stop_after=stop_after, **place)
        train(config, run, processes, lambda _line: None)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return write_tone_corpus(tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def output(root, tmp_path_factory) -> Path:
    """Return the output folder of two processes under torchrun."""
    folder = tmp_path_factory.mktemp("output")
    (folder / "worker.py").write_text(WORKER)
    project = Path(__file__).parents[2]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"),
            *(str(folder / "worker.py"), str(root), str(folder)),
        ],
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": str(project),
            "CUDA_VISIBLE_DEVICES": "",
        },
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_accumulated_gradients_equal_those_of_one_batch(root, tmp_path):
    step_batches(root, tmp_path / "one.pt", ALONE)
    train_step, examples = make_step(root, ALONE)
    for step, parts in enumerate(BATCHES):
        batches = [(examples.batch(part, (0,)), (0, step)) for part in parts]
        result = train_step.accumulate(batches, step, step / len(BATCHES))
        assert result.ctc_loss > 0
    one = torch.load(tmp_path / "one.pt")
    for name, value in train_step.net.state_dict().items():
        torch.testing.assert_close(value, one[name], rtol=0, atol=1e-5)


def test_noise_alone_counts_in_a_batch_of_its_own_as_beside_speech(root):
    gradients, losses = [], []
    for ends in ([4], [2, 4]):
        train_step, examples = make_step(root, ALONE)
        whole = examples.batch([0, 1, NOISE, NOISE], (0,))
        batches = [
            Batch(whole.samples[rows], whole.frames[rows], targets, whole.target_lengths[rows])
            for rows, targets in zip(
                [slice(first, last) for first, last in itertools.pairwise([0, *ends])],
                [whole.targets, whole.targets[:0]],
                strict=False,
            )
        ]
        losses.append(train_step.accumulate([(one, (0, 0)) for one in batches], 0, 0.0).ctc_loss)
        gradients.append([p.grad for p in train_step.net.parameters()])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5)


def test_two_processes_train_as_one_that_accumulates_two_batches(root, output):
    """The plan, the augmentation and the sum of gradients are the same."""
    two = load_checkpoint(output / "short")
    config = two.config
    config = replace(config, optimiser=replace(config.optimiser, accumulate=2))
    run = Run(output / "alone", root=root, cache=output / "cache", stop_after=STEPS)
    one = train(config, run, ALONE, lambda _line: None)
    assert one.global_step == two.global_step == STEPS
    for name, value in one.weights.items():
        torch.testing.assert_close(two.weights[name], value, rtol=0, atol=1e-5)


def test_two_processes_equal_one_at_the_same_global_batch(root, output, tmp_path):
    step_batches(root, tmp_path / "one.pt", ALONE)
    one, two = torch.load(tmp_path / "one.pt"), torch.load(output / "two.pt")
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=0, atol=1e-5)


def test_a_run_of_two_processes_resumes_exactly_and_validates(output):
    one, other = load_checkpoint(output / "whole"), load_checkpoint(output / "parts")
    assert (one.epoch, one.global_step) == (other.epoch, other.global_step)
    assert one.global_step > 3
    for name, value in one.weights.items():
        assert torch.equal(other.weights[name], value)
    for name, value in one.ema.items():
        assert torch.equal(other.ema[name], value)
    assert other.history == one.history
    assert "validation WER" in one.history[-1]
    assert len((output / "parts" / "log.jsonl").read_text().splitlines()) == 2


def test_metrics_and_hypotheses_are_written_once_for_all_processes(output):
    rows = read_metrics(output / "whole" / METRICS_FILE)
    steps = load_checkpoint(output / "whole").global_step
    assert sum(row.steps for row in rows) == steps
    assert len((output / "whole" / METRICS_FILE).read_text().splitlines()) == len(rows)
    found = read_hypotheses(output / "whole")  # one process recognised two, the other one
    assert [one.recording for one in found] == [f"validation/{i}.wav" for i in range(3)]
    assert found == read_hypotheses(output / "parts")


def test_non_finite_values_in_any_process_are_reported_by_the_main_one(output):
    line = (output / "named.txt").read_text()
    assert line.startswith("skipped step 8: NaN in the samples, of ")
    assert line.endswith("/4.wav")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_shutdown_ends_the_threads_of_the_process_group(output):
    """A thread of gloo that outlives it may abort the process at its end."""
    for rank in range(2):
        threads = (output / f"threads{rank}.txt").read_text().split()
        assert threads
        assert not [name for name in threads if "gloo" in name]


def test_damaged_recordings_of_all_processes_are_listed(root):
    class Pair:
        """The first of two processes."""

        def gather_texts(self, text: str) -> list[str]:
            return [text, "b.flac: is cut off"]

    _, examples = make_step(root, ALONE)
    examples.damaged[Path("a.flac")] = "a.flac: is damaged"
    found = loop._damaged(examples, Pair())
    assert [*found.values()] == ["a.flac: is damaged", "b.flac: is cut off"]
    assert not examples.damaged


def test_processes_wait_for_hours_while_recordings_are_decoded(monkeypatch):
    given = {}
    monkeypatch.setattr("torch.distributed.new_group", lambda **options: given.update(options))
    monkeypatch.setattr("torch.distributed.barrier", lambda _group: None)
    monkeypatch.setattr("torch.distributed.destroy_process_group", lambda _group: None)
    Processes(0, 2, torch.device("cpu")).barrier()
    assert given["timeout"] >= timedelta(days=1)


def test_validation_with_two_processes_equals_that_with_one(root, output):
    state = load_checkpoint(output / "whole")
    config = state.config
    listed = read_utterances(config.data.validation, root, config.data)
    corpus = pack_corpus(listed, output / "cache", RATE)
    tokens = load_tokenizer(output / "whole" / "tokens.txt")
    found = validate(net_from_checkpoint(state), corpus, tokens, ALONE)
    for name, rate in found.rates.items():
        assert state.history[-1][f"validation {name}"] == pytest.approx(rate)
    assert state.history[-1]["validation loss"] == pytest.approx(found.loss, rel=1e-5)
    heard = [one.hypothesis for one in read_hypotheses(output / "whole")]
    assert heard == list(found.hypotheses)
