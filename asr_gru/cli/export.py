"""``asr-gru export``: write a training run as a model directory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asr_gru.cli.options import finite
from asr_gru.cli.terminal import left_out
from asr_gru.errors import AudioError, DataError, MissingExtraError

if TYPE_CHECKING:
    from asr_gru.audio import Samples
    from asr_gru.data.manifest import Utterance
    from asr_gru.language import LanguageModel, Lexicon
    from asr_gru.text import Tokenizer

__all__ = ["command"]

CALIBRATION_S = 300.0


@click.command("export")
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.argument("model_dir", type=click.Path(path_type=Path))
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    required=True,
    help="Manifest of training audio; five minutes of it calibrate the int8 scales.",
)
@click.option(
    "--check",
    type=click.Path(path_type=Path),
    multiple=True,
    required=True,
    help="Manifest to compare float32 and int8 on.",
)
@click.option("--card", type=click.Path(path_type=Path), help="TOML file with licence and sources.")
@click.option("--name", help="Name of the model (default: the folder's).")
@click.option(
    "--bound",
    type=float,
    default=0.5,
    show_default=True,
    callback=finite,
    help="Maximum increase of the WER by int8, in percentage points.",
)
@click.option(
    "--lexicon",
    type=click.Path(path_type=Path),
    help="Pronunciations: a dictionary, lexicon.bin, or 'letters' (words as spelled).",
)
@click.option(
    "--language-model",
    type=click.Path(path_type=Path),
    help="N-gram language model: ARPA, or language.bin.",
)
@click.option("--float", "with_float", is_flag=True, help="Also write the float32 graph.")
@click.option("--weights", is_flag=True, help="Also write the weights for --backend torch.")
def command(
    run_dir: Path,
    model_dir: Path,
    calibration: Path,
    check: tuple[Path, ...],
    card: Path | None,
    name: str | None,
    bound: float,
    lexicon: Path | None,
    language_model: Path | None,
    with_float: bool,
    weights: bool,
) -> None:
    """Export the model of RUN_DIR to MODEL_DIR as int8, with checksums.

    With a lexicon the model recognises words: those that the language model knows as well.
    The phone trigram of RUN_DIR, written in training, becomes part of the model.

    Prints size, real-time factor and word error rate of float32 and int8 side by side. Writes
    nothing if the WER of int8 is higher by more than the bound.
    """
    try:
        from asr_gru.export.exporter import export_model
        from asr_gru.training.card import load_card
        from asr_gru.training.checkpoint import load_checkpoint, net_from_checkpoint
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "train") from None
    from asr_gru.data.manifest import check_files, evenly_spread, read_manifest
    from asr_gru.language.token_trigram import TokenTrigram
    from asr_gru.model.directory import TRIGRAM
    from asr_gru.text import TOKENS, load_tokenizer, normalise

    checkpoint = load_checkpoint(run_dir, lambda line: click.echo(line, err=True))
    net = net_from_checkpoint(checkpoint)
    rate = net.config.frontend.sample_rate
    tokens = load_tokenizer(run_dir / TOKENS)
    says = lexicon and tokens.kind == "phones"  # a lexicon of letters spells words as trained
    normaliser = "english" if says else checkpoint.config.data.normaliser
    words, model = _words(lexicon, language_model, tokens)
    saved = run_dir / TRIGRAM
    trigram = TokenTrigram.load(saved, tokens.symbols) if saved.is_file() else None
    spoken = read_manifest(calibration)
    checked = [utterance for manifest in check for utterance in read_manifest(manifest)]
    check_files([*spoken, *checked])
    if not spoken or not checked:
        raise DataError(
            "a manifest is empty; export needs recordings for --calibration and --check"
        )
    recordings, seconds = [], 0.0
    for _, samples in _readable(evenly_spread(spoken, 200), rate):
        recordings.append(samples)
        seconds += len(samples) / rate
        if seconds > CALIBRATION_S:
            break
    report = export_model(
        net,
        tokens,
        model_dir,
        load_card(card, name or model_dir.name, checkpoint),
        calibration=recordings,
        check=[(samples, normalise(u.text, normaliser)) for u, samples in _readable(checked, rate)],
        bound=bound,
        with_float=with_float,
        with_weights=weights,
        lexicon=words,
        language_model=model,
        trigram=trigram,
    )
    click.echo(f"{'':8}  {'MB':>6}  {'real-time factor':>16}  {'WER %':>6}")
    for form, figures in (("float32", report.float32), ("int8", report.int8)):
        click.echo(
            f"{form:8}  {figures.megabytes:6.2f}  {figures.real_time_factor:16.4f}  "
            f"{figures.words.rate:6.2f}"
        )
    click.echo(f"int8 and float32 agree on the best token in {report.agreement:.2f} % of frames")


def _readable(utterances: Sequence[Utterance], rate: int) -> Iterator[tuple[Utterance, Samples]]:
    """Yield the utterances that can be read, and their samples; name the others."""
    from asr_gru.data.audio import load_audio

    is_any_read, problem = False, ""
    for utterance in utterances:
        try:
            samples = load_audio(utterance, rate)
        except AudioError as error:
            problem = str(error)
            left_out(problem)
            continue
        is_any_read = True
        yield utterance, samples
    if not is_any_read:
        raise DataError(f"no recording of the manifest can be read ({problem})")


def _words(
    lexicon: Path | None, language_model: Path | None, tokens: Tokenizer
) -> tuple[Lexicon | None, LanguageModel | None]:
    from asr_gru.language import Lexicon, open_language_model, open_lexicon, restrict_lexicon

    if lexicon is None:
        if language_model is not None:
            raise DataError("--language-model without --lexicon; give both")
        return None, None
    model = open_language_model(language_model) if language_model else None
    phones = [symbol for symbol in tokens.symbols[1:] if symbol != " "]
    if str(lexicon) == "letters":
        if model is None:
            raise DataError("--lexicon letters needs --language-model, whose words it spells")
        known = set(phones)
        words = [word for word in model.words if set(word) <= known]
        return Lexicon.of_letters(words, phones), model
    found = open_lexicon(lexicon, phones)
    return (restrict_lexicon(found, model) if model else found), model
