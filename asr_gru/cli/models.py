"""``asr-gru models``: list the bundled models."""

from __future__ import annotations

import click

from asr_gru.model.directory import ModelDirectory, bundled_models
from asr_gru.model.info import DEFAULT_MODEL

__all__ = ["command"]


@click.command("models")
def command() -> None:
    """List the bundled models: name, language, size, licence, folder, word error rates."""
    for name in bundled_models():
        directory = ModelDirectory.open(name, verify=False)
        config = directory.config
        megabytes = sum(record.bytes for record in config.files.values()) / 1e6
        default = " (default)" if name == DEFAULT_MODEL else ""
        click.echo(f"{name}{default}: {config.language}, {megabytes:.1f} MB, {config.licence}")
        click.echo(f"    {directory.path}")
        for listed, rate in config.word_error_rates.items():
            click.echo(f"    {listed}: WER {rate:.2f} %")
