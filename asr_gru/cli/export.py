"""``asr-gru export``: a run becomes a model directory."""

from __future__ import annotations

from pathlib import Path

import click

from asr_gru.errors import DataError, MissingExtraError

__all__ = ["command"]

CALIBRATION_S = 300.0


@click.command("export")
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.argument("model_dir", type=click.Path(path_type=Path))
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    required=True,
    help="Manifest of training audio; five minutes of it set the int8 scales.",
)
@click.option(
    "--check",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Manifest to compare float and int8 on.",
)
@click.option("--card", type=click.Path(path_type=Path), help="TOML with licence and sources.")
@click.option("--name", help="Name of the model (default: the folder's).")
@click.option("--bound", default=0.5, show_default=True, help="Points of WER int8 may lose.")
@click.option("--float", "with_float", is_flag=True, help="Add the float32 graph.")
@click.option("--weights", is_flag=True, help="Add the weights for --backend torch.")
def command(
    run_dir: Path,
    model_dir: Path,
    calibration: Path,
    check: tuple[Path, ...],
    card: Path | None,
    name: str | None,
    bound: float,
    with_float: bool,
    weights: bool,
) -> None:
    """Write the model of RUN_DIR into MODEL_DIR, int8, with its checksums.

    Prints size, real-time factor and word error rate of float and int8 side by side, and writes
    nothing if int8 lost more than the bound.
    """
    try:
        from asr_gru.export.exporter import export_model
        from asr_gru.training.card import load_card
        from asr_gru.training.checkpoint import load_checkpoint, net_from_checkpoint
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "train") from None
    from asr_gru.audio import read_recording
    from asr_gru.data.manifest import check_files, read_manifest
    from asr_gru.text import load_tokenizer, normalise

    checkpoint = load_checkpoint(run_dir)
    net = net_from_checkpoint(checkpoint)
    data = checkpoint.config.data
    rate = net.config.frontend.sample_rate
    spoken = read_manifest(calibration)
    checked = [utterance for manifest in check for utterance in read_manifest(manifest)]
    check_files([*spoken, *checked])
    if not spoken or not checked:
        raise DataError("an empty manifest; export needs recordings for calibration and check")
    recordings, seconds = [], 0.0
    for utterance in spoken[:: max(1, len(spoken) // 200)]:
        recordings.append(read_recording(utterance.path, rate))
        seconds += len(recordings[-1]) / rate
        if seconds > CALIBRATION_S:
            break
    report = export_model(
        net,
        load_tokenizer(run_dir / "tokens.txt"),
        model_dir,
        load_card(card, name or model_dir.name, checkpoint),
        calibration=recordings,
        check=[(read_recording(u.path, rate), normalise(u.text, data.normaliser)) for u in checked],
        bound=bound,
        with_float=with_float,
        with_weights=weights,
    )
    click.echo(f"{'':8}  {'MB':>6}  {'real-time factor':>16}  {'WER %':>6}")
    for form, figures in (("float32", report.float32), ("int8", report.int8)):
        click.echo(
            f"{form:8}  {figures.megabytes:6.2f}  {figures.real_time_factor:16.4f}  "
            f"{figures.words.rate:6.2f}"
        )
    click.echo(f"same likeliest token in {report.agreement:.2f} % of frames")
