"""``asr-gru models``: what is bundled."""

from __future__ import annotations

import click

from asr_gru.model.directory import DEFAULT, ModelDirectory, bundled_models

__all__ = ["command"]


@click.command("models")
def command() -> None:
    """List the bundled models: name, language, size, licence, word error rates."""
    for name in bundled_models():
        config = ModelDirectory.open(name, verify=False).config
        megabytes = sum(record.bytes for record in config.files.values()) / 1e6
        default = " (default)" if name == DEFAULT else ""
        click.echo(f"{name}{default}: {config.language}, {megabytes:.1f} MB, {config.licence}")
        for listed, rate in config.word_error_rates.items():
            click.echo(f"    {listed}: {rate:.1f} % word errors")
