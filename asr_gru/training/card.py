"""The model card: from a TOML file and the metrics of the run."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec

from asr_gru.errors import ConfigError
from asr_gru.export.exporter import Card
from asr_gru.files import read_text
from asr_gru.model.config import ConfidenceWeights, Source, SpeechConfig
from asr_gru.training.checkpoint import Checkpoint

__all__ = ["load_card"]

REMEDY = "give a card in TOML"


class _CardFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    language: str = ""
    licence: str = ""
    time_shift_s: float = 0.0
    temperature: float = 1.0
    confidence: ConfidenceWeights | None = None
    speech: SpeechConfig | None = None
    sources: tuple[Source, ...] = ()


def load_card(path: Path | None, name: str, checkpoint: Checkpoint) -> Card:
    """Combine a card file (language, licence, sources, corrections) with the run's metrics.

    Raises:
        ConfigError: the card cannot be read, or has an unknown key.
    """
    try:
        values = tomllib.loads(read_text(path, REMEDY, ConfigError)) if path else {}
        card = msgspec.convert(values, _CardFile)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: cannot be read ({error}); {REMEDY}") from None
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}") from None
    metrics = checkpoint.history[-1] if checkpoint.history else {}
    training: dict[str, str | float] = {
        "steps": float(checkpoint.global_step),
        "epochs": float(checkpoint.epoch),
        **{key: round(value, 2) for key, value in metrics.items() if key.endswith("ER")},
    }
    return Card(
        name=name,
        language=card.language,
        licence=card.licence,
        normaliser=checkpoint.config.data.normaliser,
        time_shift_s=card.time_shift_s,
        temperature=card.temperature,
        confidence=card.confidence,
        speech=card.speech,
        sources=card.sources,
        training=training,
    )
