"""Loads the datasets and the tokenizer of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from asr_gru.data.manifest import Utterance, name_manifests
from asr_gru.errors import ConfigError, DataError
from asr_gru.text import Tokenizer, find_tokens, load_tokenizer
from asr_gru.training.audio_cache import Corpus, pack_corpus
from asr_gru.training.augment import Augmenter
from asr_gru.training.checkpoint import NAME
from asr_gru.training.config import TrainConfig
from asr_gru.training.dataset import TrainingSet, build_tokenizer, folder_corpus, read_utterances
from asr_gru.training.distributed import Processes
from asr_gru.training.initialise import load_net_tokenizer
from asr_gru.training.phone_times import read_phone_times
from asr_gru.training.pronunciations import Pronunciations, load_pronunciations
from asr_gru.training.report import Report
from asr_gru.training.run import Run
from asr_gru.training.shard_corpus import ShardCorpus, index_shards
from asr_gru.training.shard_texts import find_shards, normalised, shard_targets, uses_shards

__all__ = ["prepare"]


def prepare(
    config: TrainConfig, run: Run, processes: Processes, report: Report
) -> tuple[Tokenizer, TrainingSet, dict[str, Corpus]]:
    """Load the training set, the validation sets and the tokenizer.

    The main process decodes recordings into the cache while the others wait.

    Returns:
        tokenizer, training set, and validation sets by name.
    """
    if not processes.is_main:
        processes.barrier()
    sample_rate, augment = config.frontend.sample_rate, config.augment
    pronunciations = _pronunciations(config, run)
    unpronounced: dict[Path, str] = {}
    utterances: Sequence[Utterance] = ()
    corpus: Corpus
    if uses_shards(config.data):
        shards = find_shards(config.data, run.root)
        corpus = index_shards(shards, run.cache, sample_rate, report.decoding(None))
    else:
        utterances = read_utterances(config.data.train, run.root, config.data)
        if pronunciations is not None:
            texts = pronunciations.to_phones(utterances)
            utterances, unpronounced = texts.utterances, texts.missing
            for line in texts.notes():
                report.note(line)
        progress = report.decoding(len(utterances))
        corpus = pack_corpus(utterances, run.cache, sample_rate, progress)
    noise = (
        folder_corpus(run.root / augment.noise, run.cache, sample_rate) if augment.noise else None
    )
    rooms = (
        folder_corpus(run.root / augment.rooms, run.cache, sample_rate) if augment.rooms else None
    )
    names = name_manifests(config.data.validation)
    validation = {
        name: pack_corpus(
            _validation_texts(manifest, config, run, pronunciations), run.cache, sample_rate
        )
        for name, manifest in zip(names, config.data.validation, strict=True)
    }
    for name, one in validation.items():
        if one.unreadable and not len(one):
            problem = next(iter(one.unreadable.values()))
            raise DataError(f"no recording of validation set {name} can be read ({problem})")
    saved = _saved_tokens(run, processes)
    if saved is not None:
        tokenizer = load_tokenizer(saved)
    elif run.start_from is not None and not run.new_head:
        tokenizer = load_net_tokenizer(run.start_from)
    else:
        if isinstance(corpus, ShardCorpus) and config.data.tokens != "phones":
            utterances = normalised(corpus, config.data)
        tokenizer = build_tokenizer(utterances, config.data)
    if tokenizer.kind != config.data.tokens:
        resumed = (run.folder / NAME).exists()
        whose = f"the run in {run.folder}" if resumed else "the model to start from"
        remedy = "another --run-dir" if resumed else "--new-head"
        raise ConfigError(
            f"data.tokens = {config.data.tokens!r}, but {whose} has {tokenizer.kind}; "
            f"set data.tokens = {tokenizer.kind!r}, or give {remedy}"
        )
    if saved is None and processes.is_main:
        tokenizer.save(run.folder)
    phones = None
    if config.phones.file:
        folders = {(run.root / name).parent for name in config.data.train}
        phones = read_phone_times(run.root / config.phones.file, folders)
    augmenter = Augmenter(augment, sample_rate, noise, rooms)
    targets = None
    if isinstance(corpus, ShardCorpus):
        targets = shard_targets(corpus, tokenizer, config, run, pronunciations, report)
    training_set = TrainingSet(corpus, tokenizer, config, augmenter, phones, unpronounced, targets)
    if processes.is_main:
        processes.barrier()
    report.training_set(training_set)
    for other in (noise, rooms, *validation.values()):
        if other is not None:
            report.unreadable(other.unreadable)
    return tokenizer, training_set, validation


def _saved_tokens(run: Run, processes: Processes) -> Path | None:
    """Return the tokens of the run's checkpoint, or those that the main process has just written.

    A start that failed before its first checkpoint leaves tokens of other texts or another kind.
    """
    if processes.is_main and not (run.folder / NAME).exists():
        while (stale := find_tokens(run.folder)) is not None:
            stale.unlink()
    return find_tokens(run.folder)


def _pronunciations(config: TrainConfig, run: Run) -> Pronunciations | None:
    return load_pronunciations(config.data, run.root) if config.data.tokens == "phones" else None


def _validation_texts(
    name: str, config: TrainConfig, run: Run, pronunciations: Pronunciations | None
) -> list[Utterance]:
    """Read a validation set; for phone models, only utterances whose words all have phones."""
    utterances = read_utterances([name], run.root, config.data)
    if pronunciations is None:
        return utterances
    texts = pronunciations.to_phones(utterances)
    return [utterance for utterance in texts.utterances if utterance.key not in texts.missing]
