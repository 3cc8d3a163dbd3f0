"""A corpus in which each letter is a tone of its own, which a small network can learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from asr_gru.data.manifest import Utterance, write_manifest
from asr_gru.training.checkpoint import Checkpoint
from asr_gru.training.config import TrainConfig
from asr_gru.training.config_file import parse_train_config
from asr_gru.training.distributed import Processes
from asr_gru.training.loop import Run, train
from asr_gru.training.report import Report

RATE = 16_000
LETTERS = {"a": 300.0, "b": 700.0, "c": 1_500.0, "d": 3_000.0, " ": 0.0}
ALONE = Processes(0, 1, torch.device("cpu"))


def letter_tones(text: str, random: np.random.Generator, seconds: float = 0.16) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    tones = [0.2 * np.sin(2 * np.pi * LETTERS[letter] * time) for letter in text]
    silence = np.zeros(RATE // 10)
    whole = np.concatenate([silence, *tones, silence])
    return np.asarray(whole + 0.003 * random.standard_normal(len(whole)), np.float32)


def write_tone_corpus(root: Path, utterances: int = 16) -> Path:
    """Write ``train.tsv``, ``validation.tsv``, ``noise/`` and ``rooms/`` under ``root``."""
    random = np.random.default_rng(7)
    for name, count in (("train", utterances), ("validation", 3)):
        listed = []
        for number in range(count):
            letters = random.choice(list("abcd"), int(random.integers(2, 6)))
            text = "".join(letters[:2]) + (" " + "".join(letters[2:]) if len(letters) > 2 else "")
            path = root / name / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, letter_tones(text, random), RATE)
            source = "first" if number % 2 else "second"
            listed.append(Utterance(path=path, text=text, source=source))
        write_manifest(root / f"{name}.tsv", listed)
    (root / "noise").mkdir()
    soundfile.write(root / "noise" / "n.wav", 0.1 * random.standard_normal(RATE), RATE)
    (root / "rooms").mkdir()
    response = random.standard_normal(RATE // 4) * np.exp(-np.arange(RATE // 4) / 800) * 0.2
    response[40] = 1.0
    soundfile.write(root / "rooms" / "r.wav", response, RATE)
    return root


@dataclass
class ToneCorpus:
    """Recordings on disk, and short runs over them."""

    root: Path
    losses: list[float] = field(default_factory=list)
    phones: list[float | None] = field(default_factory=list)
    distillation: list[float | None] = field(default_factory=list)

    def config(self, **tables: Any) -> TrainConfig:
        values: dict[str, Any] = {"epochs": 2, "gru_kernel": "torch"}
        values["data"] = {"train": ["train.tsv"], "batch_s": 5.0, **tables.pop("data", {})}
        values["encoder"] = {"layers": 1, "width": 16, **tables.pop("encoder", {})}
        values["optimiser"] = {"warmup_steps": 2, **tables.pop("optimiser", {})}
        return parse_train_config(values | tables)

    def train(
        self, folder: Path, config: TrainConfig | None = None, **run: Any
    ) -> tuple[Checkpoint, list[float]]:
        """Return the last checkpoint and the loss of each step."""
        self.losses.clear()
        self.phones.clear()
        self.distillation.clear()
        where = Run(folder=folder, root=self.root, cache=self.root / "cache", **run)
        state = train(config or self.config(), where, ALONE, lambda _line: None)
        return state, list(self.losses)


@pytest.fixture(scope="session")
def tone_corpus_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tone_corpus(tmp_path_factory.mktemp("tones"))


@pytest.fixture
def tone_corpus(tone_corpus_root: Path, monkeypatch: pytest.MonkeyPatch) -> ToneCorpus:
    tone_corpus = ToneCorpus(tone_corpus_root)
    record: Callable[..., None] = Report.step

    def step(report: Report, *figures: Any, **more: float) -> None:
        tone_corpus.losses.append(figures[4].ctc_loss)
        tone_corpus.phones.append(figures[4].phone_loss)
        tone_corpus.distillation.append(figures[4].distillation_loss)
        record(report, *figures, **more)

    monkeypatch.setattr(Report, "step", step)
    return tone_corpus


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
