"""``asr-gru report``: write the report of a training run."""

from __future__ import annotations

from pathlib import Path

import click

from asr_gru.cli.outputs import check_folder
from asr_gru.errors import ConfigError, MissingExtraError

__all__ = ["command"]

FILE = click.Path(path_type=Path)


@click.command("report")
@click.argument("run_dir", metavar="RUN", type=FILE)
@click.option(
    "--root",
    type=FILE,
    help="Base folder of the paths in the run's configuration, as for train; without it, the "
    "report has no posteriorgrams.",
)
@click.option("--output", type=FILE, help="The file (default: report.html in RUN).")
def command(run_dir: Path, root: Path | None, output: Path | None) -> None:
    """Write the report of a training run as one HTML file.

    It has the curves, the configuration, and the worst utterances of the validation sets. RUN may
    be in progress, or stopped.
    """
    if root is not None and not root.is_dir():
        raise ConfigError(f"{root}: no such folder; give --root as for asr-gru train")
    if output is not None:
        check_folder(output.parent)
        if output.is_dir():
            raise ConfigError(f"{output}: is a folder; name a file in it")
    try:
        from asr_gru.training.run_report import write_report
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "train") from None
    click.echo(f"wrote {write_report(run_dir, root=root, output=output)}", err=True)
