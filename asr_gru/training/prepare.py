"""What a run needs before its first step: recordings, texts and tokens."""

from __future__ import annotations

from pathlib import Path

from asr_gru.data.manifest import Utterance
from asr_gru.errors import ConfigError
from asr_gru.text import Tokenizer, load_tokenizer
from asr_gru.training.audio_cache import Corpus, pack_corpus
from asr_gru.training.augment import Augmenter
from asr_gru.training.config import TrainConfig
from asr_gru.training.dataset import Examples, folder_corpus, make_tokens, read_utterances
from asr_gru.training.distributed import Processes
from asr_gru.training.initialise import tokens_of
from asr_gru.training.phones import read_phones
from asr_gru.training.pronunciations import Pronunciations, load_pronunciations
from asr_gru.training.report import Report
from asr_gru.training.run import Run

__all__ = ["prepare"]


def prepare(
    config: TrainConfig, run: Run, processes: Processes, report: Report
) -> tuple[Tokenizer, Examples, dict[str, Corpus]]:
    """Read manifests, decode recordings (the first process does; the others wait), list tokens.

    Returns:
        tokens, the training set, and the validation lists by name.
    """
    if not processes.first:
        processes.wait()
    rate, augment = config.frontend.sample_rate, config.augment
    spoken = _pronunciations(config, run)
    utterances = read_utterances(config.data.train, run.root, config.data)
    unpronounced: dict[Path, str] = {}
    if spoken is not None:
        texts = spoken.spell(utterances)
        utterances, unpronounced = texts.utterances, texts.missing
        for line in texts.notes():
            report.note(line)
    progress = report.decoding(len(utterances))
    corpus = pack_corpus(utterances, run.cache, rate, progress)
    noise = folder_corpus(run.root / augment.noise, run.cache, rate) if augment.noise else None
    rooms = folder_corpus(run.root / augment.rooms, run.cache, rate) if augment.rooms else None
    validation = {
        Path(name).stem: pack_corpus(_validation_texts(name, config, run, spoken), run.cache, rate)
        for name in config.data.validation
    }
    named = [run.folder / name for name in ("tokens.txt", "tokens.model")]
    there = [path for path in named if path.exists()]
    if there:
        tokens = load_tokenizer(there[-1])
    elif run.start_from is not None and not run.new_head:
        tokens = tokens_of(run.start_from)
    else:
        tokens = make_tokens(utterances, config.data)
    if (tokens.kind == "phones") != (config.data.tokens == "phones"):
        raise ConfigError(
            f"data.tokens = {config.data.tokens!r}, and the start has {tokens.kind}; "
            f"write data.tokens = {tokens.kind!r}, or give --new-head"
        )
    if not there and processes.first:
        tokens.save(run.folder)
    phones = None
    if config.phones.file:
        folders = {(run.root / name).parent for name in config.data.train}
        phones = read_phones(run.root / config.phones.file, folders)
    augmenter = Augmenter(augment, rate, noise, rooms)
    examples = Examples(corpus, tokens, config, augmenter, phones, unpronounced)
    if processes.first:
        processes.wait()
    report.data(examples)
    for listed in validation.values():
        report.unreadable(listed)
    return tokens, examples, validation


def _pronunciations(config: TrainConfig, run: Run) -> Pronunciations | None:
    return load_pronunciations(config.data, run.root) if config.data.tokens == "phones" else None


def _validation_texts(
    name: str, config: TrainConfig, run: Run, spoken: Pronunciations | None
) -> list[Utterance]:
    """Read a list, for models of phones without utterances that have no phones to judge by."""
    utterances = read_utterances([name], run.root, config.data)
    if spoken is None:
        return utterances
    texts = spoken.spell(utterances)
    return [utterance for utterance in texts.utterances if utterance.path not in texts.missing]
