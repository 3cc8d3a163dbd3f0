"""Validation: loss and error rates of the network with greedy decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asr_gru.decoding.alignment import collapse
from asr_gru.errors import DataError
from asr_gru.nn.net import AcousticNet
from asr_gru.scoring import character_errors, word_errors
from asr_gru.text import Tokenizer, TokenKind
from asr_gru.training.audio_cache import Corpus
from asr_gru.training.dataset import collate
from asr_gru.training.distributed import Processes
from asr_gru.training.hypotheses import Hypothesis, recording_name
from asr_gru.training.loss import utterance_losses
from asr_gru.training.sampler import split_batches

__all__ = ["RATE_NAMES", "Validation", "named_hypotheses", "validate", "validation_metrics"]

RATE_NAMES: dict[TokenKind, str] = {"characters": "WER", "pieces": "WER", "phones": "PER"}
"""Name of the error rate over what stands between spaces, by kind of token."""


@dataclass(frozen=True, slots=True)
class Validation:
    """Result of one validation set.

    Attributes:
        rates: error rates in percent; the first is the one to select models by. Phone models have
            a phone error rate ``PER``, others ``WER`` and ``CER``.
        loss: CTC or CTC-CRF loss in nats per token, of the utterances whose texts consist of
            tokens and have enough frames.
        hypotheses: what was recognised in each utterance of the corpus.
    """

    rates: dict[str, float]
    loss: float
    hypotheses: tuple[str, ...]


def validate(
    net: AcousticNet,
    corpus: Corpus,
    tokenizer: Tokenizer,
    processes: Processes,
    *,
    batch_s: float = 120.0,
    ctc_crf_weight: float = 0.0,
    trigram: Tensor | None = None,
) -> Validation:
    """Recognise ``corpus`` with ``net``, split over the processes.

    Args:
        net: the network; it is put into evaluation mode.
        corpus: the utterances.
        tokenizer: tokens of the network.
        processes: each recognises its part, and all return the result of the whole.
        batch_s: seconds of audio per batch, padding included.
        ctc_crf_weight: weight of the log-partition in the loss.
        trigram: trigram over tokens, for CTC-CRF.
    """
    order = sorted(range(len(corpus)), key=corpus.duration_s)
    order = order[processes.rank :: processes.world_size]
    device = next(net.parameters()).device
    counts = torch.zeros(6, dtype=torch.float64)
    recognised: dict[int, list[int]] = {}
    net.eval()
    for indices in split_batches(order, corpus.duration_s, batch_s):
        targets = [_encode(tokenizer, corpus.utterances[index].text) for index in indices]
        batch = collate(
            [corpus.samples(i) for i in indices], [one or [] for one in targets], net.config
        )
        with torch.no_grad():
            log_probs, _ = net(batch.samples.to(device), None, batch.frames.to(device))
            losses = utterance_losses(
                log_probs.float(),
                batch.targets.to(device),
                batch.frames.to(device),
                batch.target_lengths.to(device),
                ctc_crf_weight,
                trigram,
            ).cpu()
        fits = torch.isfinite(losses) & torch.tensor([one is not None for one in targets])
        counts[4:] += torch.stack([losses[fits].double().sum(), batch.target_lengths[fits].sum()])
        best = log_probs.argmax(dim=-1).cpu().numpy()
        for row, index in enumerate(indices):
            recognised[index] = collapse(best[row, : int(batch.frames[row])].tolist())
            hypothesis = tokenizer.decode(recognised[index])
            reference = corpus.utterances[index].text
            words = word_errors(reference, hypothesis)
            characters = character_errors(reference, hypothesis)
            counts[:4] += torch.tensor(
                [words.errors, words.words, characters.errors, characters.words]
            )
    processes.all_reduce_(counts)
    wrong_words, words_total, wrong_characters, characters_total, loss, tokens = counts.tolist()
    rates = {RATE_NAMES[tokenizer.kind]: 100.0 * wrong_words / max(1.0, words_total)}
    if tokenizer.kind != "phones":
        rates["CER"] = 100.0 * wrong_characters / max(1.0, characters_total)
    together = _gather([recognised.get(index, []) for index in range(len(corpus))], processes)
    return Validation(
        rates=rates,
        loss=loss / max(1.0, tokens),
        hypotheses=tuple(tokenizer.decode(ids) for ids in together),
    )


def _encode(tokenizer: Tokenizer, text: str) -> list[int] | None:
    try:
        return tokenizer.encode(text)
    except DataError:  # a character that the training texts do not have
        return None


def validation_metrics(validations: Mapping[str, Validation]) -> dict[str, float]:
    """Return the loss and error rates of each set, and the mean of the error rates."""
    metrics: dict[str, float] = {}
    for name, result in validations.items():
        metrics[f"{name} loss"] = result.loss
        metrics |= {f"{name} {rate}": value for rate, value in result.rates.items()}
    if validations:
        firsts = [next(iter(result.rates.items())) for result in validations.values()]
        metrics[f"mean {firsts[0][0]}"] = float(np.mean([value for _, value in firsts]))
    return metrics


def named_hypotheses(
    validations: Mapping[str, Validation], corpora: Mapping[str, Corpus], root: Path
) -> list[Hypothesis]:
    """Return what was recognised in each utterance of each set; names are relative to ``root``."""
    return [
        Hypothesis(
            list_name=name,
            recording=recording_name(utterance, root),
            reference=utterance.text,
            hypothesis=hypothesis,
        )
        for name, result in validations.items()
        for utterance, hypothesis in zip(corpora[name].utterances, result.hypotheses, strict=True)
    ]


def _gather(rows: Sequence[Sequence[int]], processes: Processes) -> list[list[int]]:
    """Return the rows of all processes; each row has tokens in one process at most."""
    lengths = torch.tensor([len(row) for row in rows])
    processes.all_reduce_(lengths)
    ids = torch.zeros(int(lengths.sum()), dtype=torch.long)
    pieces = torch.split(ids, lengths.tolist())
    for piece, row in zip(pieces, rows, strict=True):
        if row:
            piece.copy_(torch.tensor(row))
    processes.all_reduce_(ids)
    return [piece.tolist() for piece in pieces]
