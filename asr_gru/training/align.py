"""Forced alignment: which phones are spoken in recordings, and when.

The resulting file can be used as ``data.pronunciations`` (which pronunciation of each word was
spoken) and as ``phones.file`` (frame-wise targets for another model).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from asr_gru.decoding.pronunciation_choice import AlignedWords, align_words
from asr_gru.errors import DataError, ModelError
from asr_gru.nn.net import AcousticNet
from asr_gru.text import Tokenizer
from asr_gru.training.audio_cache import Corpus
from asr_gru.training.dataset import collate
from asr_gru.training.pronunciations import Pronunciations
from asr_gru.training.sampler import split_batches

__all__ = ["Alignment", "align_corpus", "phone_line"]

BATCH_S = 120.0
PHONE_RADIUS_S = 0.12
"""A phone extends at most this far to either side of the frame in which CTC emits it."""


@dataclass
class Alignment:
    """Result of aligning a corpus.

    Attributes:
        lines: phones of each recording and their end times; see ``phone_line``.
        left_out: number of utterances left out, by reason.
        ambiguous_words: words spoken that have several pronunciations.
        variant_words: how many of them were not spoken in the first one.
        log_prob: log-probability of all alignment paths together.
        phones: number of phones aligned.
    """

    lines: dict[Path, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    ambiguous_words: int = 0
    variant_words: int = 0
    log_prob: float = 0.0
    phones: int = 0


def align_corpus(
    net: AcousticNet,
    tokenizer: Tokenizer,
    corpus: Corpus,
    pronunciations: Pronunciations,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> Alignment:
    """Align every utterance of ``corpus`` whose words all have a pronunciation.

    ``on_progress`` is called after each batch with the number of utterances done so far.

    Raises:
        ModelError: the model's tokens are not phones, or not the phones of the lexicon.
    """
    ids = {symbol: index for index, symbol in enumerate(tokenizer.symbols)}
    missing = [phone for phone in pronunciations.phones if phone not in ids]
    if missing:
        raise ModelError(
            f"the model has no token {missing[0]!r}; align with a model of the lexicon's phones"
        )
    result, done = Alignment(), 0
    pronunciations.prefetch(word for u in corpus.utterances for word in u.text.split())
    frame_s = net.config.frame_samples / net.config.frontend.sample_rate
    for batch in split_batches(
        sorted(range(len(corpus)), key=corpus.duration_s), corpus.duration_s, BATCH_S
    ):
        log_probs, frames = _log_probs(net, corpus, batch)
        for row, index in enumerate(batch):
            utterance = corpus.utterances[index]
            variants = [pronunciations.variants(word) for word in utterance.text.split()]
            if not variants or not all(variants):
                reason = "a word has no pronunciation" if variants else "no text"
                result.left_out[reason] += 1
                continue
            spelled = [[tuple([ids[p] for p in variant]) for variant in word] for word in variants]
            try:
                aligned = align_words(log_probs[row, : frames[row]].numpy(), spelled)
            except DataError:
                result.left_out["text longer than its audio"] += 1
                continue
            result.ambiguous_words += sum(len(word) > 1 for word in variants)
            result.variant_words += sum(choice > 0 for choice in aligned.chosen)
            result.log_prob += aligned.log_prob
            result.phones += len(aligned.tokens)
            result.lines[utterance.key] = phone_line(
                aligned,
                tokenizer.symbols,
                frame_s,
                net.config.encoder.delay,
                corpus.duration_s(index),
            )
        done += len(batch)
        on_progress(done)
    return result


def phone_line(
    aligned: AlignedWords, symbols: Sequence[str], frame_s: float, delay: int, duration_s: float
) -> str:
    """Return ``SIL 0.16 HH 0.21 ...``: phones and their end times in seconds.

    CTC emits a phone in a single frame; it is taken to extend halfway to its neighbours.

    Args:
        aligned: the alignment path.
        symbols: token names.
        frame_s: seconds per frame.
        delay: frames by which the model's outputs trail the audio.
        duration_s: duration of the recording.
    """
    peaks = [max(0.0, (frame - delay + 0.5) * frame_s) for frame in aligned.frames]
    pairs: list[tuple[str, float]] = []
    end = 0.0
    for index, (token, peak) in enumerate(zip(aligned.tokens, peaks, strict=True)):
        start = max(end, peak - PHONE_RADIUS_S)
        if start > end:
            pairs.append(("SIL", start))
        next_peak = peaks[index + 1] if index + 1 < len(peaks) else duration_s
        end = max(start, min(peak + PHONE_RADIUS_S, (peak + next_peak) / 2, duration_s))
        pairs.append((symbols[token], end))
    if end < duration_s:
        pairs.append(("SIL", duration_s))
    return " ".join(f"{phone} {second:.2f}" for phone, second in pairs)


def _log_probs(
    net: AcousticNet, corpus: Corpus, indices: Sequence[int]
) -> tuple[torch.Tensor, list[int]]:
    batch = collate([corpus.samples(i) for i in indices], [[] for _ in indices], net.config)
    with torch.no_grad():
        log_probs, _ = net(batch.samples, None, batch.frames)
    return log_probs, batch.frames.tolist()
