"""Validation: error rates of the network with greedy decoding."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from asr_gru.decoding.alignment import collapse
from asr_gru.nn.net import AcousticNet
from asr_gru.scoring import character_errors, word_errors
from asr_gru.text import Tokenizer, TokenKind
from asr_gru.training.audio_cache import Corpus
from asr_gru.training.dataset import collate
from asr_gru.training.distributed import Processes
from asr_gru.training.sampler import split_batches

__all__ = ["RATE_NAMES", "Validation", "validate"]

RATE_NAMES: dict[TokenKind, str] = {"characters": "WER", "pieces": "WER", "phones": "PER"}
"""Name of the error rate over what stands between spaces, by kind of token."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Result of one validation set.

    Attributes:
        rates: error rates in percent; the first is the one to select models by. Phone models have
            a phone error rate ``PER``, others ``WER`` and ``CER``.
        examples: pairs of reference and hypothesis.
    """

    rates: dict[str, float]
    examples: tuple[tuple[str, str], ...]


def validate(
    net: AcousticNet,
    corpus: Corpus,
    tokenizer: Tokenizer,
    processes: Processes,
    batch_s: float = 120.0,
) -> Validation:
    """Recognise ``corpus`` with ``net``, split over the processes."""
    order = sorted(range(len(corpus)), key=corpus.duration_s)
    order = order[processes.rank :: processes.world_size]
    device = next(net.parameters()).device
    counts = torch.zeros(4, dtype=torch.float64)
    examples: list[tuple[int, str, str]] = []
    net.eval()
    for indices in split_batches(order, corpus.duration_s, batch_s):
        batch = collate([corpus.samples(i) for i in indices], [[] for _ in indices], net.config)
        with torch.no_grad():
            log_probs, _ = net(batch.samples.to(device), None, batch.frames.to(device))
        best = log_probs.argmax(dim=-1).cpu().numpy()
        for row, index in enumerate(indices):
            hypothesis = tokenizer.decode(collapse(best[row, : int(batch.frames[row])].tolist()))
            reference = corpus.utterances[index].text
            words = word_errors(reference, hypothesis)
            characters = character_errors(reference, hypothesis)
            counts += torch.tensor([words.errors, words.words, characters.errors, characters.words])
            examples.append((index, reference, hypothesis))
    processes.all_reduce_(counts)
    wrong_words, words_total, wrong_characters, characters_total = counts.tolist()
    rates = {RATE_NAMES[tokenizer.kind]: 100.0 * wrong_words / max(1.0, words_total)}
    if tokenizer.kind != "phones":
        rates["CER"] = 100.0 * wrong_characters / max(1.0, characters_total)
    spread = sorted(examples)[:: max(1, len(examples) // 3)][:3]
    return Validation(
        rates=rates,
        examples=tuple((reference, hypothesis) for _, reference, hypothesis in spread),
    )
