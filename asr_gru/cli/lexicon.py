"""``asr-gru lexicon``: build lexicons and train grapheme-to-phoneme models."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from asr_gru.cli.options import size_in_bytes
from asr_gru.data.manifest import read_manifest
from asr_gru.errors import ConfigError, DataError
from asr_gru.language.corpus import read_words
from asr_gru.language.dictionary import ENGLISH_PHONES, read_dictionary
from asr_gru.language.files import open_lexicon
from asr_gru.language.g2p import train_g2p
from asr_gru.language.lexicon import Lexicon
from asr_gru.language.pronounce import Pronouncer, load_english, plain_spelling
from asr_gru.language.variants import count_variants, weighted
from asr_gru.text import normalise

__all__ = ["command", "pronouncer"]

FILE = click.Path(path_type=Path)


@click.group("lexicon")
def command() -> None:
    """Build pronunciation lexicons and train grapheme-to-phoneme models."""


@command.command("build", short_help="Write the lexicon of lists of words.")
@click.argument("words", nargs=-1, required=True, type=FILE)
@click.option("--out", required=True, type=FILE, help=".bin for recognition, or .txt (.gz, .xz).")
@click.option("--dictionary", type=FILE, help="Your own entries, which take precedence.")
@click.option(
    "--n",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Pronunciations per word from the grapheme-to-phoneme model.",
)
def _build(words: tuple[Path, ...], out: Path, dictionary: Path | None, n: int) -> None:
    """Write a lexicon of the words in WORDS: files with one word per line."""
    _check_folder(out)
    listed = [word for path in words for word in read_words(path)]
    lexicon, kinds = pronouncer(dictionary).lexicon(listed, n=n)
    _write(lexicon, out)
    for kind, count in Counter(kinds.values()).most_common():
        click.echo(f"{count:7}  {kind}")


@command.command("count", short_help="Count how often each pronunciation was spoken.")
@click.argument("lexicon", type=FILE)
@click.argument("manifests", nargs=-1, required=True, type=FILE)
@click.option(
    "--pronunciations",
    required=True,
    type=FILE,
    help="What was spoken in the recordings, from asr-gru align-corpus.",
)
@click.option("--out", required=True, type=FILE, help="File to write: .bin or .txt (.gz, .xz).")
def _count(lexicon: Path, manifests: tuple[Path, ...], pronunciations: Path, out: Path) -> None:
    """Write LEXICON with the probability of each pronunciation, counted in MANIFESTS."""
    from asr_gru.training.phone_times import read_phone_times
    from asr_gru.training.pronunciations import SILENCE

    _check_folder(out)
    plain = open_lexicon(lexicon, ENGLISH_PHONES)
    utterances = [utterance for path in manifests for utterance in read_manifest(path)]
    aligned = read_phone_times(pronunciations, {path.parent for path in manifests})
    spoken = {
        path: [aligned.names[i] for i in ids.tolist() if aligned.names[i] not in SILENCE]
        for path, (ids, _) in aligned.times.items()
    }
    found = count_variants(
        plain,
        (
            (normalise(utterance.text, "english").split(), spoken[utterance.absolute_key])
            for utterance in utterances
            if utterance.absolute_key in spoken
        ),
    )
    if not found.utterances:
        raise DataError(
            f"{pronunciations}: no utterance of the manifests with phones of its words; align them "
            "with asr-gru align-corpus and this lexicon"
        )
    _write(weighted(plain, found.counts), out)
    click.echo(
        f"{found.counts.total()} words of {found.utterances} utterances counted; "
        f"{found.left_out} utterances left out, with other words or phones"
    )


@command.command("train", short_help="Train a grapheme-to-phoneme model.")
@click.argument("dictionary", type=FILE)
@click.option("--out", required=True, type=FILE, help="File to write: .bin or .bin.xz.")
@click.option("--order", default=6, show_default=True, help="Order of the graphone n-gram.")
@click.option(
    "--size", callback=size_in_bytes, help="Prune to this size before compression, such as 2MB."
)
def _train(dictionary: Path, out: Path, order: int, size: int | None) -> None:
    """Train a grapheme-to-phoneme model on DICTIONARY (lines of WORD PH ON ES)."""
    _check_folder(out)
    if not 1 <= order <= 8:
        raise ConfigError(f"order {order}; give 1 to 8")
    entries = [
        (word.lower(), phones) for word, phones in read_dictionary(dictionary, ENGLISH_PHONES)
    ]
    g2p = train_g2p(
        [(word, phones) for word, phones in entries if word.replace("'", "").isalpha()],
        order,
        size,
        lambda line: click.echo(line, err=True),
    )
    g2p.save(out)
    click.echo(f"{out}: {sum(g2p.model.counts)} n-grams, {out.stat().st_size / 1e6:.2f} MB")


def _write(lexicon: Lexicon, out: Path) -> None:
    if out.suffix == ".bin":
        lexicon.save(out)
    else:
        lexicon.write_text(out)
    click.echo(
        f"{out}: {len(lexicon)} words, {len(lexicon.spoken_words)} pronunciations, "
        f"{out.stat().st_size / 1e6:.2f} MB"
    )


def pronouncer(dictionary: Path | None) -> Pronouncer:
    """Return the English pronouncer, with the entries of a file taking precedence."""
    english = load_english()
    if dictionary is None:
        return english
    own = _plainly_spelled(Lexicon.read_text(dictionary, ENGLISH_PHONES))
    others = (entry for entry in english.dictionary.entries() if entry[0] not in own)
    both = Lexicon.build([*own.entries(), *others], ENGLISH_PHONES, own.entry_log_probs())
    return Pronouncer(both, english.g2p)


def _plainly_spelled(lexicon: Lexicon) -> Lexicon:
    """Return a lexicon with words in lower case and without accents, as they are looked up."""
    entries = [(plain_spelling(word), phones) for word, phones in lexicon.entries()]
    log_probs = zip(entries, lexicon.log_probs.tolist(), strict=True)
    return Lexicon.build(entries, lexicon.phones, dict(log_probs))


def _check_folder(path: Path) -> None:
    if not path.parent.is_dir():
        raise DataError(f"{path.parent}: no such folder; make it first")
