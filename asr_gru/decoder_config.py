"""What the configuration of a model says of its decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_gru.decoding import TreeSearchParameters

if TYPE_CHECKING:
    from asr_gru.model.config import DecoderConfig, DecoderKind, ModelConfig

__all__ = ["default_kind", "search_parameters", "with_search_parameters"]


def default_kind(config: DecoderConfig) -> DecoderKind:
    """Return the decoder that a configuration selects."""
    return config.kind or ("greedy" if config.beam == 1 else "beam")


def search_parameters(config: DecoderConfig) -> TreeSearchParameters:
    """Return a model's parameters of the word search.

    Raises:
        ConfigError: a parameter is out of range.
    """
    import msgspec

    return TreeSearchParameters(**msgspec.structs.asdict(config.words))


def with_search_parameters(config: ModelConfig, parameters: TreeSearchParameters) -> ModelConfig:
    """Return a copy of a model's configuration with other parameters of the word search."""
    import msgspec

    names = config.decoder.words.__struct_fields__
    words = type(config.decoder.words)(**{name: getattr(parameters, name) for name in names})
    decoder = msgspec.structs.replace(config.decoder, words=words)
    return msgspec.structs.replace(config, decoder=decoder)
