"""Two runs may decode the same recordings into one cache at the same time."""

from __future__ import annotations

import threading

import numpy as np

from asr_gru.training import audio_cache
from asr_gru.training.dataset import folder_corpus


def test_a_second_run_in_the_middle_of_decoding_disturbs_nothing(world, tmp_path, monkeypatch):
    monkeypatch.setattr(audio_cache.os, "getpid", threading.get_ident)  # threads for processes
    found = []

    def meanwhile(_done: int) -> None:
        if not found:
            found.append(None)
            other = threading.Thread(
                target=lambda: found.append(folder_corpus(world.root / "train", tmp_path, 16_000))
            )
            other.start()
            other.join()

    first = folder_corpus(world.root / "train", tmp_path, 16_000, meanwhile)
    second = found[1]
    assert len(first) == len(second) == 16
    assert all(np.array_equal(first.samples(i), second.samples(i)) for i in range(16))
    assert {path.suffix for path in tmp_path.iterdir()} == {".i16", ".npy"}
    assert len(list(tmp_path.iterdir())) == 2
