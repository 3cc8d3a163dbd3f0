"""Error rates of a network on packed recordings, greedily decoded: words and letters, or phones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from asr_gru.decoding.alignment import collapse
from asr_gru.nn.net import AcousticNet
from asr_gru.scoring import character_errors, word_errors
from asr_gru.text import Tokenizer, TokenKind
from asr_gru.training.audio_cache import Corpus
from asr_gru.training.dataset import collate
from asr_gru.training.distributed import Processes

__all__ = ["RATE_NAMES", "Validation", "validate"]

RATE_NAMES: dict[TokenKind, str] = {"characters": "WER", "pieces": "WER", "phones": "PER"}
"""What is in error between spaces, by the kind of tokens."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Rates in percent by name, the one to choose by first; examples (reference, hypothesis).

    Models of phones have a phone error rate, ``PER``; others ``WER`` and ``CER``.
    """

    rates: dict[str, float]
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
    rates = {RATE_NAMES[tokens.kind]: 100.0 * wrong / max(1.0, words_said)}
    if tokens.kind != "phones":
        rates["CER"] = 100.0 * wrong_characters / max(1.0, characters_said)
    spread = sorted(examples)[:: max(1, len(examples) // 3)][:3]
    return Validation(
        rates=rates,
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
