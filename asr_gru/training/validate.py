"""Word and character error rates of a network on packed recordings, greedily decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from asr_gru.decoding.alignment import collapse
from asr_gru.nn.net import AcousticNet
from asr_gru.scoring import character_errors, word_errors
from asr_gru.text import Tokenizer
from asr_gru.training.audio_cache import Corpus
from asr_gru.training.dataset import collate
from asr_gru.training.distributed import Processes

__all__ = ["Validation", "validate"]


@dataclass(frozen=True, slots=True)
class Validation:
    """Rates in percent, and examples as (reference, hypothesis)."""

    word_error_rate: float
    character_error_rate: float
    examples: tuple[tuple[str, str], ...]


def validate(
    net: AcousticNet,
    corpus: Corpus,
    tokens: Tokenizer,
    processes: Processes,
    batch_s: float = 120.0,
) -> Validation:
    """Recognise ``corpus`` with ``net``, each process a share of it."""
    order = sorted(range(len(corpus)), key=corpus.duration_s)[processes.rank :: processes.count]
    device = next(net.parameters()).device
    counts = torch.zeros(4, dtype=torch.float64)
    examples: list[tuple[int, str, str]] = []
    net.eval()
    for indices in _batches(order, corpus, batch_s):
        batch = collate([corpus.samples(i) for i in indices], [[] for _ in indices], net.config)
        with torch.no_grad():
            log_probs, _ = net(batch.samples.to(device), None, batch.frames.to(device))
        best = log_probs.argmax(dim=-1).cpu().numpy()
        for row, index in enumerate(indices):
            heard = tokens.decode(collapse(best[row, : int(batch.frames[row])].tolist()))
            said = corpus.utterances[index].text
            words, characters = word_errors(said, heard), character_errors(said, heard)
            counts += torch.tensor([words.errors, words.words, characters.errors, characters.words])
            examples.append((index, said, heard))
    processes.sum_(counts)
    wrong, words_said, wrong_characters, characters_said = counts.tolist()
    spread = sorted(examples)[:: max(1, len(examples) // 3)][:3]
    return Validation(
        word_error_rate=100.0 * wrong / max(1.0, words_said),
        character_error_rate=100.0 * wrong_characters / max(1.0, characters_said),
        examples=tuple((said, heard) for _, said, heard in spread),
    )


def _batches(order: Sequence[int], corpus: Corpus, batch_s: float) -> list[list[int]]:
    lengths = np.array([corpus.duration_s(index) for index in order])
    batches: list[list[int]] = []
    for index, duration_s in zip(order, lengths.tolist(), strict=True):
        if not batches or (len(batches[-1]) + 1) * duration_s > batch_s:
            batches.append([])
        batches[-1].append(index)
    return batches
