"""The token ids of all utterances of a training set, in flat arrays."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr_gru.decoding.alignment import frames_needed
from asr_gru.files import replace_file
from asr_gru.text import Tokenizer

__all__ = ["UNPRONOUNCED", "Targets"]

UNPRONOUNCED = -1
"""Frames of an utterance with a word that has no pronunciation."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Token ids of every utterance of a corpus.

    Attributes:
        frames: fewest frames that each target fits in, or ``UNPRONOUNCED``, ``(utterances,)``.
        ends: position after the last token of each, ``(utterances,)``.
        tokens: token ids of all, one after the other.
    """

    frames: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int32]

    @classmethod
    def encode(cls, texts: Iterable[str | None], tokenizer: Tokenizer) -> Targets:
        """Encode texts; None stands for a text without a pronunciation."""
        frames, ends, tokens = array("i"), array("q"), array("i")
        for text in texts:
            target = [] if text is None else tokenizer.encode(text)
            tokens.extend(target)
            ends.append(len(tokens))
            frames.append(UNPRONOUNCED if text is None else frames_needed(target))
        return cls(
            np.frombuffer(frames, np.int32),
            np.frombuffer(ends, np.int64),
            np.frombuffer(tokens, np.int32),
        )

    def __getitem__(self, index: int) -> list[int]:
        first = int(self.ends[index - 1]) if index else 0
        target: list[int] = self.tokens[first : int(self.ends[index])].tolist()
        return target

    def save(self, stem: Path) -> None:
        """Write one file per array; the last one is there only if the others are."""
        for name in ("tokens", "ends", "frames"):
            with replace_file(stem.with_name(f"{stem.name}.{name}.npy")) as file:
                np.save(file, getattr(self, name))

    @classmethod
    def load(cls, stem: Path) -> Targets:
        """Map what ``save`` wrote into memory.

        Raises:
            OSError, ValueError: the files are not whole.
        """
        frames, ends, tokens = (
            np.load(stem.with_name(f"{stem.name}.{name}.npy"), mmap_mode="r")
            for name in ("frames", "ends", "tokens")
        )
        if len(frames) != len(ends) or (len(ends) and ends[-1] != len(tokens)):
            raise ValueError(f"{stem}: arrays of different lengths")
        return cls(frames, ends, tokens)
