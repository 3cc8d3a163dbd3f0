"""``asr-gru align-corpus``: align a training corpus, phone by phone."""

from __future__ import annotations

from pathlib import Path

import click

from asr_gru.cli.options import cache_option, normaliser_option
from asr_gru.cli.terminal import count_progress, left_out
from asr_gru.errors import DataError, MissingExtraError

__all__ = ["command"]


@click.command("align-corpus")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("manifests", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--lexicon",
    type=click.Path(path_type=Path),
    help="Pronunciation dictionary, lines of WORD PH ON ES (default: the English one).",
)
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="File of phones to write."
)
@normaliser_option("Normalisation of the manifests' texts.")
@cache_option
def command(
    model: Path,
    manifests: tuple[Path, ...],
    lexicon: Path | None,
    output: Path,
    normaliser: str,
    cache: Path,
) -> None:
    """Align the recordings of MANIFESTS with MODEL, a run or model directory of phones.

    Each word gets its likeliest pronunciation. The file can be used as data.pronunciations and
    as phones.file in a training configuration.
    """
    try:
        from asr_gru.training.align import align_corpus
        from asr_gru.training.audio_cache import pack_corpus
        from asr_gru.training.config import DataConfig
        from asr_gru.training.dataset import read_utterances
        from asr_gru.training.initialise import load_net, load_net_tokenizer
        from asr_gru.training.pronunciations import load_pronunciations
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "train") from None
    from asr_gru.files import write_bytes

    names = tuple(str(path.absolute()) for path in manifests)
    data = DataConfig(
        train=names,
        lexicon=str(lexicon.absolute()) if lexicon else "",
        normaliser=normaliser,  # type: ignore[arg-type]
    )
    net, tokenizer = load_net(model, _notice), load_net_tokenizer(model)
    lines = ["path\tphones"]
    utterances = read_utterances(names, Path(), data)
    corpus = pack_corpus(utterances, cache, net.config.frontend.sample_rate)
    for problem in corpus.unreadable.values():
        left_out(problem)
    pronunciations = load_pronunciations(data, Path())
    with count_progress("aligning", len(utterances)) as update:
        result = align_corpus(net, tokenizer, corpus, pronunciations, update)
    if not result.lines:
        why = ", ".join(f"{count}: {reason}" for reason, count in result.left_out.items())
        raise DataError(f"no utterance could be aligned ({why or 'the manifests are empty'})")
    folders = [path.absolute().parent for path in manifests]
    for path, phones in result.lines.items():
        folder = next((one for one in folders if path.is_relative_to(one)), None)
        name = path.relative_to(folder) if folder else path
        lines.append(f"{name.as_posix()}\t{phones}")
    write_bytes(output, ("\n".join(lines) + "\n").encode())
    click.echo(
        f"{len(result.lines)} utterances aligned, {result.phones} phones, "
        f"{result.log_prob / max(1, result.phones):.3f} nats per phone"
    )
    click.echo(
        f"{result.ambiguous_words} words with several pronunciations, "
        f"{result.variant_words} of them not spoken in the first one"
    )
    for reason, count in result.left_out.most_common():
        click.echo(f"left out: {count} ({reason})")


def _notice(line: str) -> None:
    click.echo(line, err=True)
