"""Which phones are spoken in recordings, and when: forced alignment with a trained model.

The file that comes of it serves twice: as ``data.pronunciations`` (which pronunciation of a word
was said) and as ``phones.file`` (frame-wise targets for another model).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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

__all__ = ["Alignment", "align_corpus", "phone_line"]

BATCH_S = 120.0
MIDDLE_S = 0.12
"""How far from the frame that names it a phone is taken to reach, when no other is nearer."""


@dataclass
class Alignment:
    """What came of aligning a list.

    Attributes:
        lines: for each recording its phones and the seconds in which they end.
        left_out: reason to count.
        words: words that have several pronunciations.
        changed: how many of them were not said in the first way.
        log_prob: of all paths.
        phones: how many phones were aligned.
    """

    lines: dict[Path, str] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    words: int = 0
    changed: int = 0
    log_prob: float = 0.0
    phones: int = 0


def align_corpus(
    net: AcousticNet,
    tokens: Tokenizer,
    corpus: Corpus,
    pronunciations: Pronunciations,
    on_progress: Callable[[int], object] = lambda _count: None,
) -> Alignment:
    """Align every utterance of ``corpus`` whose words all have a pronunciation.

    ``on_progress`` gets the number of utterances of each batch that is done.

    Raises:
        ModelError: the model's tokens are not phones, or not those of the lexicon.
    """
    ids = {symbol: place for place, symbol in enumerate(tokens.symbols)}
    missing = [phone for phone in pronunciations.phones if phone not in ids]
    if missing:
        raise ModelError(
            f"the model has no token {missing[0]!r}; align with a model of the lexicon's phones"
        )
    found = Alignment()
    pronunciations.look_up(word for u in corpus.utterances for word in u.text.split())
    frame_s = net.config.frame_samples / net.config.frontend.sample_rate
    for batch in _batches(corpus):
        log_probs, frames = _log_probs(net, corpus, batch)
        for row, index in enumerate(batch):
            utterance = corpus.utterances[index]
            ways = [pronunciations.ways(word) for word in utterance.text.split()]
            if not ways or not all(ways):
                reason = "a word has no pronunciation" if ways else "no text"
                found.left_out[reason] += 1
                continue
            spelled = [[tuple([ids[p] for p in way]) for way in word] for word in ways]
            try:
                aligned = align_words(log_probs[row, : frames[row]].numpy(), spelled)
            except DataError:
                found.left_out["text longer than its audio"] += 1
                continue
            found.words += sum(len(word) > 1 for word in ways)
            found.changed += sum(choice > 0 for choice in aligned.chosen)
            found.log_prob += aligned.log_prob
            found.phones += len(aligned.tokens)
            found.lines[utterance.path] = phone_line(
                aligned, tokens.symbols, frame_s, net.config.encoder.delay, corpus.duration_s(index)
            )
        on_progress(len(batch))
    return found


def phone_line(
    aligned: AlignedWords, symbols: Sequence[str], frame_s: float, delay: int, duration_s: float
) -> str:
    """Return ``SIL 0.16 HH 0.21 ...``: phones and the seconds in which they end.

    A CTC model names a phone in one frame; it is taken to last until halfway to its neighbours.

    Args:
        aligned: the path.
        symbols: of the tokens.
        frame_s: seconds per frame.
        delay: frames by which the model's outputs trail the audio.
        duration_s: of the recording.
    """
    middles = [max(0.0, (frame - delay + 0.5) * frame_s) for frame in aligned.frames]
    pairs: list[tuple[str, float]] = []
    end = 0.0
    for place, (token, middle) in enumerate(zip(aligned.tokens, middles, strict=True)):
        start = max(end, middle - MIDDLE_S)
        if start > end:
            pairs.append(("SIL", start))
        following = middles[place + 1] if place + 1 < len(middles) else duration_s
        end = max(start, min(middle + MIDDLE_S, (middle + following) / 2, duration_s))
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


def _batches(corpus: Corpus) -> Iterator[list[int]]:
    batch: list[int] = []
    for index in sorted(range(len(corpus)), key=corpus.duration_s):
        if batch and (len(batch) + 1) * corpus.duration_s(index) > BATCH_S:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
