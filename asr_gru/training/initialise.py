"""Where a new run begins: at random, at another run, or at a model directory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from asr_gru.errors import ConfigError
from asr_gru.model.directory import ModelDirectory
from asr_gru.nn.net import AcousticNet
from asr_gru.text import Tokens, load_tokens
from asr_gru.training.checkpoint import NAME, Checkpoint, load_checkpoint, net_from_checkpoint
from asr_gru.training.config import TrainConfig
from asr_gru.training.dataset import Examples
from asr_gru.training.from_model import net_from_directory

__all__ = ["fresh_start", "tokens_of"]

STATISTICS_UTTERANCES = 400


def tokens_of(start_from: Path) -> Tokens:
    """Return the tokens of the run or model directory that a new run starts from."""
    if _is_run(start_from):
        folder = start_from.parent if start_from.is_file() else start_from
        kept = [folder / name for name in ("tokens.model", "tokens.txt")]
        return load_tokens(next((path for path in kept if path.exists()), kept[-1]))
    return ModelDirectory.open(str(start_from)).tokens()


def fresh_start(
    config: TrainConfig,
    start_from: Path | None,
    tokens: Tokens,
    examples: Examples,
    *,
    new_head: bool = False,
) -> Checkpoint:
    """Return the state before the first step; with ``new_head`` the head starts at random.

    A look-ahead that ``start_from`` did not have yet begins as a plain delay. With another
    subsampling, the weights of the newest mel frames stay and those further back begin at 0.

    Raises:
        ConfigError: the weights of ``start_from`` do not fit the configuration.
        ModelError: ``start_from`` is neither a run nor a model.
    """
    torch.manual_seed(config.seed)
    net = AcousticNet(config.net, len(tokens))
    if start_from is None:
        _measure_statistics(net, examples)
    else:
        earlier = (
            net_from_checkpoint(load_checkpoint(start_from))
            if _is_run(start_from)
            else net_from_directory(ModelDirectory.open(str(start_from)))
        )
        if not config.net.grows_from(earlier.config):
            raise ConfigError(f"{start_from}: another model than this configuration asks for")
        if not new_head and earlier.tokens != len(tokens):
            raise ConfigError(f"{start_from}: has other tokens; give --new-head to make new ones")
        kept = {
            name: value
            for name, value in earlier.state_dict().items()
            if not (new_head and name.startswith("encoder.head."))
        }
        name = "encoder.subsample.weight"
        kept[name] = _newest_columns(kept[name], net.encoder.subsample.in_features)
        net.load_state_dict({**net.state_dict(), **kept})
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    average = {name: value.clone() for name, value in weights.items()}
    return Checkpoint(
        config=config,
        tokens=len(tokens),
        weights=weights,
        average=average if config.optimiser.average else {},
    )


def _is_run(path: Path) -> bool:
    return path.is_file() or (path / NAME).is_file()


def _newest_columns(weight: Tensor, columns: int) -> Tensor:
    """Fit the subsampling's product to more or fewer mel frames: the newest stay as they are."""
    grown = weight.new_zeros(weight.shape[0], max(columns - weight.shape[1], 0))
    return torch.cat([grown, weight], dim=1)[:, -columns:]


def _measure_statistics(net: AcousticNet, examples: Examples) -> None:
    """Set mean and scale of each mel bin from a few hundred clean utterances."""
    random = np.random.default_rng(0)
    count = min(STATISTICS_UTTERANCES, len(examples.kept))
    rows = []
    for index in random.choice(len(examples.kept), count, replace=False):
        samples = torch.from_numpy(examples.corpus.samples(examples.kept[int(index)]))
        whole = len(samples) - len(samples) % net.config.frame_samples
        with torch.no_grad():
            rows.append(net.features(samples[None, :whole])[0][0])
    frames = torch.cat(rows)
    net.level.mean.copy_(frames.mean(dim=0))
    net.level.scale.copy_(1.0 / frames.std(dim=0).clamp(min=1e-3))
