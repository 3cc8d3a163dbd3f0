"""What a model says of itself: from a TOML file and from the run's own history."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from asr_gru.errors import ConfigError
from asr_gru.export.exporter import Card
from asr_gru.model.config import Source
from asr_gru.training.checkpoint import Checkpoint

__all__ = ["load_card"]


class _Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    language: str = ""
    licence: str = ""
    time_shift_s: float = 0.0
    temperature: float = 1.0
    sources: tuple[Source, ...] = ()


def load_card(path: Path | None, name: str, checkpoint: Checkpoint) -> Card:
    """Join what ``path`` says (language, licence, sources, corrections) with the run's figures.

    Raises:
        ConfigError: a card that cannot be read, or has an unknown key.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8")) if path else {}
        written = msgspec.convert(values, _Written)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); give a card in TOML") from None
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from None
    history = checkpoint.history[-1] if checkpoint.history else {}
    training: dict[str, str | float] = {
        "steps": float(checkpoint.step),
        "passes": float(checkpoint.number),
        **{key: round(value, 2) for key, value in history.items() if key.endswith("ER")},
    }
    return Card(
        name=name,
        language=written.language,
        licence=written.licence,
        normaliser=checkpoint.config.data.normaliser,
        time_shift_s=written.time_shift_s,
        temperature=written.temperature,
        sources=written.sources,
        training=training,
    )
