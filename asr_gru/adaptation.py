"""A model with words and texts of its own: a further model directory, made in seconds."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from asr_gru.data.manifest import Utterance, check_files, read_manifest
from asr_gru.errors import ConfigError, DataError, ModelError
from asr_gru.evaluation import Evaluation, evaluate
from asr_gru.language import LanguageModel, Lexicon
from asr_gru.language.adaptation import AdaptedNGrams, PerplexityChange, adapt_ngrams
from asr_gru.language.background import background_estimate
from asr_gru.language.corpus import blocks_of
from asr_gru.language.encoded_text import EncodedText, encode_text, split_sentences
from asr_gru.language.pronounce import load_english
from asr_gru.language.text_files import read_lines
from asr_gru.language.word_list import AddedWord, ListedWord, parse_word_list, pronounce_listed
from asr_gru.model.directory import LANGUAGE, LEXICON, ModelDirectory, write_model_directory
from asr_gru.recognizer import Recognizer
from asr_gru.scoring import Comparison, compare
from asr_gru.text import normalise

__all__ = ["Adaptation", "AdaptedText", "adapt"]

MAX_WORD_LIST_BYTES = 1 << 26
Normaliser = Literal["none", "basic", "english"]


@dataclass(frozen=True, slots=True)
class AdaptedText:
    """What the texts changed.

    Attributes:
        words: number of words of all texts.
        unknown: words that the new model lacks, the most frequent first, each with its count.
        weight: weight of the texts in the mixture with the model's own n-gram.
        held_out: perplexity of sentences that the estimate had not seen; None for one sentence.
    """

    words: int
    unknown: tuple[tuple[str, int], ...]
    weight: float
    held_out: PerplexityChange | None


@dataclass(frozen=True, slots=True)
class Adaptation:
    """A model that was adapted, and what is different.

    Attributes:
        path: the new model directory.
        added: words and pronunciations that are new.
        known: words of the list that were there already.
        text: effect of the texts; None without texts.
        language_bytes: size of the language model before and after.
        development: perplexity of the development list; None without texts or list.
        before: word errors of the model on the development list; None without one.
        after: word errors of the new model.
        comparison: whether the difference is significant.
    """

    path: Path
    added: tuple[AddedWord, ...]
    known: tuple[str, ...]
    text: AdaptedText | None
    language_bytes: tuple[int, int]
    development: PerplexityChange | None = None
    before: Evaluation | None = None
    after: Evaluation | None = None
    comparison: Comparison | None = None


def adapt(
    model: str | Path,
    out: str | Path,
    *,
    words: str | Path | Iterable[str] | None = None,
    texts: Iterable[str | Path] = (),
    development: str | Path | None = None,
    weight: float | None = None,
    size: int | None = None,
    overwrite: bool = False,
    on_progress: Callable[[str], None] | None = None,
) -> Adaptation:
    """Write a copy of a model, with additional words and a language model adapted to texts.

    Words get pronunciations of their own or by dictionary, rule and grapheme-to-phoneme model.
    The texts become an n-gram model with Kneser-Ney smoothing, which is interpolated with the
    model's own; the weight is found by EM (Jelinek and Mercer 1980) on the development list, or
    by cross-validation within the texts.

    Args:
        model: the name of a bundled model, or the path of a model directory.
        out: the folder to write; it appears whole or not at all.
        words: lines of ``WORD`` or ``WORD: PH ON ES``, or the name of a file of such lines.
        texts: names of files or of folders of files; a sentence or a paragraph a line.
        development: a manifest; the weight is found on its texts, and word errors are measured.
        weight: weight of the texts in the mixture, 0 to 1; estimated by default.
        size: bytes that the language model may have; n-grams that matter least are left out.
        overwrite: replace a model directory at ``out``.
        on_progress: called with a line of text at each stage.

    Raises:
        ConfigError: neither words nor texts, a weight or size out of range, ``out`` is taken.
        DataError: a word that cannot be pronounced, a file that is not there or not UTF-8, a list
            or text without words.
        ModelError: a model that is damaged, or has no lexicon.
    """
    say = on_progress or (lambda _: None)
    texts = _paths(texts)
    if words is None and not texts:
        raise ConfigError("nothing to adapt to; give a list of words, a text, or both")
    if weight is not None and not 0.0 <= weight <= 1.0:
        raise ConfigError(f"weight {weight}; give 0 to 1")
    if weight is not None and not texts:
        raise ConfigError("a weight is of the texts; give a text as well")
    if size is not None and size < 1:
        raise ConfigError(f"size {size}; give the bytes of the language model")
    path = Path(out)
    _check_target(path, overwrite=overwrite)
    directory = ModelDirectory.open(model)
    config = directory.config
    if not directory.has_lexicon:
        raise ModelError(
            f"{model}: has no lexicon, so it has no words to add to; export it with --lexicon"
        )
    if size is not None and not texts and LANGUAGE not in config.files:
        raise ConfigError(f"{model}: has no language model to limit the size of; give a text")
    spoken = _development(development)
    lexicon = Lexicon.load(directory.path / LEXICON)
    listed = _listed(words, config.normaliser)
    added = tuple(
        pronounce_listed(
            listed,
            lexicon,
            characters=config.tokens.kind == "characters",
            pronouncer=load_english if config.language.partition("-")[0] in ("", "en") else None,
        )
    )
    say(f"words and pronunciations to add: {len(added)}")
    files = {name: (directory.path / name).read_bytes() for name in config.files}
    if added:
        files[LEXICON] = _extended(lexicon, added)
    old = None
    if LANGUAGE in files:
        old = LanguageModel.from_bytes(files[LANGUAGE], str(directory.path / LANGUAGE))
    summary = developed = None
    new_words = old is not None and any(one.word not in old for one in added)
    if texts or new_words or (old is not None and size is not None):
        ngrams, text = _adapted(
            old,
            [*lexicon.words, *(one.word for one in added)],
            texts,
            [utterance.text for utterance in spoken],
            normaliser=config.normaliser,
            weight=weight,
            size=size,
        )
        files[LANGUAGE] = LanguageModel.build(ngrams.ngrams).to_bytes()
        developed = ngrams.development
        if text is not None:
            unknown = tuple(text.unknown.most_common())
            summary = AdaptedText(text.words, unknown, ngrams.weight, ngrams.held_out)
    record = {"adapted_from": config.name} | ({"text_weight": summary.weight} if summary else {})
    before_bytes = config.files[LANGUAGE].bytes if LANGUAGE in config.files else 0
    config = msgspec.structs.replace(
        config,
        name=path.absolute().name,
        training={**config.training, **record},
        word_error_rates={},
    )
    before = after = comparison = None
    if spoken:
        say(f"evaluating {model}")
        before = evaluate(Recognizer.load(model), spoken)
    written = write_model_directory(path, config, files)
    say(f"wrote {path}")
    if before is not None:
        say(f"evaluating {path}")
        after = evaluate(Recognizer.load(written.path), spoken)
        comparison = compare(
            [one.words for one in before.results], [one.words for one in after.results]
        )
    return Adaptation(
        path=path,
        added=added,
        known=_already(listed, added),
        text=summary,
        language_bytes=(before_bytes, len(files.get(LANGUAGE, b""))),
        development=developed,
        before=before,
        after=after,
        comparison=comparison,
    )


def _adapted(
    old: LanguageModel | None,
    words: Sequence[str],
    texts: Sequence[Path],
    development: Sequence[str],
    *,
    normaliser: Normaliser,
    weight: float | None,
    size: int | None,
) -> tuple[AdaptedNGrams, EncodedText | None]:
    """Return the language model, and the texts as its vocabulary sees them."""
    vocabulary, background = background_estimate(old, words)
    text = heard = None
    if texts:
        name = ", ".join(map(str, texts))
        text = encode_text(_sentences(texts, normaliser), vocabulary, name)
        if development:
            said = (normalise(line, normaliser) for line in development)
            heard = encode_text(said, vocabulary, "development list")
    known = len(vocabulary) if old is None else len(old.words)
    adapted = adapt_ngrams(
        vocabulary, background, known, text, development=heard, weight=weight, size=size
    )
    return adapted, text


def _paths(texts: Iterable[str | Path]) -> list[Path]:
    if isinstance(texts, str | Path):
        raise ConfigError(f"texts is {str(texts)[:40]!r}; give a list of files")
    return [Path(path) for path in texts]


def _check_target(path: Path, *, overwrite: bool) -> None:
    if path.exists() and not path.is_dir():
        raise ConfigError(f"{path}: is a file; give the name of a folder")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise ConfigError(f"{path}: exists; give another name, or overwrite it (--force)")


def _development(manifest: str | Path | None) -> list[Utterance]:
    if manifest is None:
        return []
    utterances = read_manifest(manifest)
    if not utterances:
        raise DataError(f"{manifest}: no recordings in it; give a manifest with some")
    check_files(utterances)
    return utterances


def _listed(words: str | Path | Iterable[str] | None, normaliser: Normaliser) -> list[ListedWord]:
    if words is None:
        return []
    if isinstance(words, str | Path):
        path = Path(words)
        return parse_word_list(read_lines(path, MAX_WORD_LIST_BYTES), str(path), normaliser)
    return parse_word_list(enumerate(words, 1), "words", normaliser)


def _already(listed: Sequence[ListedWord], added: Sequence[AddedWord]) -> tuple[str, ...]:
    new = {one.word for one in added}
    return tuple(dict.fromkeys(one.word for one in listed if one.word not in new))


def _extended(lexicon: Lexicon, added: Sequence[AddedWord]) -> bytes:
    entries = [(one.word, phones) for one in added for phones in one.pronunciations]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / LEXICON
        extended = Lexicon.build(
            [*lexicon.entries(), *entries], lexicon.phones, lexicon.entry_log_probs()
        )
        extended.save(path)
        return path.read_bytes()


def _sentences(texts: Sequence[Path], normaliser: Normaliser) -> Iterator[str]:
    for path in texts:
        for block in blocks_of(path):
            for line in block.split("\n"):
                for sentence in [line] if normaliser == "none" else split_sentences(line):
                    yield normalise(sentence, normaliser)
