"""The training texts of shards, and their targets, which are kept beside the index."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from asr_gru.data.shards import expand_shards, is_shard, shard_version
from asr_gru.data.utterance import Utterance
from asr_gru.errors import ConfigError
from asr_gru.text import Tokenizer, normalise
from asr_gru.training.config import DataConfig, TrainConfig
from asr_gru.training.pronunciations import Pronunciations
from asr_gru.training.report import Report
from asr_gru.training.run import Run
from asr_gru.training.shard_corpus import ShardCorpus
from asr_gru.training.targets import Targets

__all__ = ["find_shards", "normalised", "shard_targets", "uses_shards"]

TARGETS_VERSION = 1
"""Increase it when normalisation or the pronouncing dictionary change."""


def uses_shards(data: DataConfig) -> bool:
    """Return whether the training set is in shards.

    Raises:
        ConfigError: part of it is.
    """
    kinds = {is_shard(name) for name in data.train}
    if len(kinds) > 1:
        raise ConfigError("data.train: has shards and manifests; put all recordings into shards")
    return kinds == {True}


def find_shards(data: DataConfig, root: Path) -> list[str]:
    """Return the paths and URLs of all shards."""
    names = expand_shards(data.train)
    return [name if "://" in name else str(root / name) for name in names]


def normalised(corpus: ShardCorpus, data: DataConfig) -> list[Utterance]:
    """Return all utterances with normalised texts."""
    return [replace(u, text=normalise(u.text, data.normaliser)) for u in corpus.utterances]


def shard_targets(
    corpus: ShardCorpus,
    tokenizer: Tokenizer,
    config: TrainConfig,
    run: Run,
    pronunciations: Pronunciations | None,
    report: Report,
) -> Targets:
    """Return the targets of all utterances, from an earlier start of a run if there was one."""
    data = config.data
    files = [str(run.root / name) for name in (data.lexicon, data.pronunciations) if name]
    facts = [
        *(TARGETS_VERSION, tokenizer.kind, list(tokenizer.symbols), data.normaliser),
        *map(shard_version, files),
    ]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    stem = run.cache / corpus.key / f"targets-{digest}"
    try:
        return Targets.load(stem)
    except (OSError, ValueError, EOFError):
        targets = Targets.encode(_texts(corpus, data, pronunciations, report), tokenizer)
    targets.save(stem)
    return targets


def _texts(
    corpus: ShardCorpus, data: DataConfig, pronunciations: Pronunciations | None, report: Report
) -> Iterator[str | None]:
    if pronunciations is None:
        for utterance in corpus.utterances:
            yield normalise(utterance.text, data.normaliser)
        return
    texts = pronunciations.to_phones(normalised(corpus, data))
    for line in texts.notes():
        report.note(line)
    for utterance in texts.utterances:
        yield None if utterance.key in texts.missing else utterance.text
