"""``asr-gru data``: statistics of manifests, and suspicious utterances."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import click

from asr_gru.cli.data_report import inspection_document, overlap_line, print_inspection
from asr_gru.cli.options import normaliser_option
from asr_gru.cli.outputs import check_folder
from asr_gru.cli.terminal import count_progress, left_out
from asr_gru.data.manifest import (
    Utterance,
    check_files,
    name_manifests,
    read_manifest,
    write_manifest,
)
from asr_gru.errors import ConfigError, DataError, MissingExtraError
from asr_gru.inspection import (
    Inspection,
    ModelVocabulary,
    TextDoubt,
    inspect,
    overlap,
    plot,
)
from asr_gru.inspection.plot import PLOT_SUFFIXES

__all__ = ["command"]

FILE = click.Path(path_type=Path)


@click.command("data")
@click.argument("manifests", nargs=-1, required=True, type=FILE)
@click.option(
    "--model",
    help="Bundled model, or a folder: also list words unknown to it, and check texts by alignment.",
)
@normaliser_option("Normalisation of the texts.")
@click.option(
    "--list",
    "listed",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="Number of suspicious utterances to print of each kind.",
)
@click.option(
    "--plot", "picture", type=FILE, help="Draw the distributions to this .png, .svg or .pdf."
)
@click.option(
    "--write", "output", type=FILE, help="Write the utterances without findings to this manifest."
)
@click.option(
    "--show",
    type=FILE,
    metavar="FOLDER",
    help="Write each augmentation of an utterance to this folder, and a picture.",
)
@click.option(
    "--augment",
    type=FILE,
    metavar="CONFIG",
    help="With --show: the training configuration whose [augment] is shown.",
)
@click.option(
    "--root", type=FILE, help="With --augment: folder of the paths in CONFIG, as for train."
)
@click.option("--play", is_flag=True, help="With --show: play each augmentation, too.")
@click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def command(
    manifests: tuple[Path, ...],
    model: str | None,
    normaliser: Literal["none", "basic", "english"],
    listed: int,
    picture: Path | None,
    output: Path | None,
    show: Path | None,
    augment: Path | None,
    root: Path | None,
    play: bool,
    form: str,
) -> int:
    """Print what is in MANIFESTS: hours, speakers, lengths, words, and suspicious utterances.

    Recordings and speakers that several of the lists share are named. Exits with 1 if a recording
    cannot be read.
    """
    _check_options(picture, output, show, given=(augment, root, play or None))
    lists = {}
    for name, path in zip(name_manifests(manifests), manifests, strict=True):
        lists[name] = read_manifest(path)
        if not lists[name]:
            raise DataError(f"{path}: is empty; there is nothing to report")
        check_files(lists[name])
    doubt, vocabulary = None, None
    if model is not None:
        from asr_gru.recognizer import Recognizer

        doubt, vocabulary = TextDoubt(Recognizer.load(model)), ModelVocabulary(model)
    found = {name: _inspect(name, one, normaliser, doubt) for name, one in lists.items()}
    unknown = {
        name: vocabulary.unknown(item.text for item in one.items)
        for name, one in found.items()
        if vocabulary is not None
    }
    shared = overlap(lists)
    if picture is not None:
        plot(picture, found)
    if output is not None:
        write_manifest(output, _unsuspicious(found))
    if form == "json":
        click.echo(
            json.dumps(inspection_document(found, unknown, shared), indent=2, ensure_ascii=False)
        )
    else:
        for name, one in found.items():
            print_inspection(name, one, unknown.get(name), most=listed)
        for one_shared in shared:
            click.echo(overlap_line(one_shared))
    if show is not None:
        _show(
            show, [one for listed_ in lists.values() for one in listed_], augment, root, play=play
        )
    return int(any(one.unreadable for one in found.values()))


def _check_options(
    picture: Path | None, output: Path | None, show: Path | None, given: Sequence[object]
) -> None:
    """Check options that would otherwise fail only after everything has been read."""
    if show is None and any(one is not None for one in given):
        raise ConfigError("--augment, --root and --play need --show")
    if picture is not None and picture.suffix not in PLOT_SUFFIXES:
        raise ConfigError(f"{picture}: unknown suffix; use one of {', '.join(PLOT_SUFFIXES)}")
    for path in (picture, output):
        if path is not None and not path.parent.is_dir():
            raise ConfigError(f"{path.parent}: no such folder; make it first")
    if output is not None and output.exists():
        raise ConfigError(f"{output}: exists; give another name")
    if show is not None:
        check_folder(show)
    if picture is not None or show is not None:
        try:
            import matplotlib as mpl  # noqa: F401
        except ImportError:
            raise MissingExtraError("matplotlib", "train") from None


def _inspect(
    name: str,
    utterances: Sequence[Utterance],
    normaliser: Literal["none", "basic", "english"],
    doubt: TextDoubt | None,
) -> Inspection:
    with count_progress(name, len(utterances)) as update:
        found = inspect(utterances, normaliser=normaliser, doubt=doubt, on_progress=update)
    for problem in found.unreadable:
        left_out(problem)
    if not found.items:
        raise DataError(f"{name}: no recording can be read ({found.unreadable[0]})")
    return found


def _unsuspicious(lists: Mapping[str, Inspection]) -> list[Utterance]:
    kept = []
    for one in lists.values():
        suspicious = {finding.recording for finding in one.findings()}
        kept += [i.utterance for i in one.items if i.utterance.key not in suspicious]
    return kept


def _show(
    folder: Path,
    utterances: Sequence[Utterance],
    config: Path | None,
    root: Path | None,
    *,
    play: bool,
) -> None:
    try:
        from asr_gru.training.show_augmentation import show_augmentation
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "train") from None
    written = show_augmentation(utterances, folder, config=config, root=root)
    for path in written:
        click.echo(f"wrote {path}", err=True)
    if play:
        from asr_gru.audio.playback import play as play_recording

        for path in written:
            if path.suffix == ".wav":
                click.echo(f"playing {path.stem}", err=True)
                play_recording(path)
