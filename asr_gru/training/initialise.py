"""Where a new run begins: at random, at another run, or at a model directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from asr_gru.errors import ConfigError
from asr_gru.model.directory import ModelDirectory
from asr_gru.model.net_config import NetConfig
from asr_gru.nn.net import AcousticNet
from asr_gru.text import Tokenizer, load_tokenizer
from asr_gru.training.checkpoint import NAME, Checkpoint, load_checkpoint, net_from_checkpoint
from asr_gru.training.config import TrainConfig
from asr_gru.training.dataset import Examples
from asr_gru.training.from_model import net_from_directory

__all__ = ["fresh_start", "measure_statistics", "net_of", "tokens_of"]

STATISTICS_UTTERANCES = 400


def tokens_of(start_from: Path) -> Tokenizer:
    """Return the tokens of the run or model directory that a new run starts from."""
    if _is_run(start_from):
        folder = start_from.parent if start_from.is_file() else start_from
        kept = [folder / name for name in ("tokens.model", "tokens.txt")]
        return load_tokenizer(next((path for path in kept if path.exists()), kept[-1]))
    return ModelDirectory.open(str(start_from)).tokens()


def net_of(start_from: Path) -> AcousticNet:
    """Return the network of a run (its averaged weights) or of a model directory."""
    if _is_run(start_from):
        return net_from_checkpoint(load_checkpoint(start_from))
    return net_from_directory(ModelDirectory.open(str(start_from)))


def fresh_start(
    config: TrainConfig,
    start_from: Path | None,
    tokens: Tokenizer,
    examples: Examples,
    *,
    new_head: bool = False,
    say: Callable[[str], None] = lambda _line: None,
) -> Checkpoint:
    """Return the state before the first step; with ``new_head`` the head starts at random.

    A look-ahead that ``start_from`` did not have yet begins as a plain delay, and further layers,
    on top, begin as none: their candidates are 0, so that only the residual passes. With another
    subsampling of a linear subsampler, the weights of the newest mel frames stay and those
    further back begin at 0. Another kind of subsampler starts at random, with statistics of its
    own. ``say`` gets one line on what was taken over.

    Raises:
        ConfigError: the weights of ``start_from`` do not fit the configuration.
        ModelError: ``start_from`` is neither a run nor a model.
    """
    torch.manual_seed(config.seed)
    net = AcousticNet(config.net, len(tokens))
    if start_from is None:
        measure_statistics(net, some_recordings(examples))
    else:
        earlier = net_of(start_from)
        if not config.net.grows_from(earlier.config):
            raise ConfigError(f"{start_from}: another model than this configuration asks for")
        if not new_head and earlier.tokens != len(tokens):
            raise ConfigError(f"{start_from}: has other tokens; give --new-head to make new ones")
        kept = {
            name: value
            for name, value in earlier.state_dict().items()
            if not (new_head and name.startswith("encoder.head."))
        }
        if _same_subsampler(config.net, earlier.config):
            name = "encoder.subsample.weight"
            kept[name] = _newest_columns(kept[name], net.encoder.subsample.in_features)
        else:
            kept = {
                name: value
                for name, value in kept.items()
                if not name.startswith(("level.", "encoder.conv.", "encoder.subsample."))
            }
            measure_statistics(net, some_recordings(examples))
        for layers in (net.encoder.forwards, net.encoder.backwards):
            for layer in layers[earlier.config.encoder.layers :]:
                layer.silence()  # type: ignore[operator]
        net.load_state_dict({**net.state_dict(), **kept})
        say(f"{start_from}: weights taken over; {_new_layers(net, kept)}")
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    average = {name: value.clone() for name, value in weights.items()}
    return Checkpoint(
        config=config,
        tokens=len(tokens),
        weights=weights,
        average=average if config.optimiser.ema else {},
    )


def _is_run(path: Path) -> bool:
    return path.is_file() or (path / NAME).is_file()


def _same_subsampler(wanted: NetConfig, earlier: NetConfig) -> bool:
    """Say whether the subsampler's weights can be taken over."""
    one, other = wanted.encoder, earlier.encoder
    if (one.subsampler, other.subsampler) == ("linear", "linear"):
        return True
    return (one.subsampler, one.subsampling, one.conv_channels) == (
        other.subsampler,
        other.subsampling,
        other.conv_channels,
    )


def _new_layers(net: AcousticNet, kept: Mapping[str, Tensor]) -> str:
    """Name the layers of ``net`` that are not among the weights ``kept``."""
    new = {
        name.removeprefix("encoder.").rsplit(".", 1)[0]
        for name, _ in net.named_parameters()
        if name not in kept
    }
    return f"new: {', '.join(sorted(new))}" if new else "none new"


def _newest_columns(weight: Tensor, columns: int) -> Tensor:
    """Fit the subsampling's product to more or fewer mel frames: the newest stay as they are."""
    grown = weight.new_zeros(weight.shape[0], max(columns - weight.shape[1], 0))
    return torch.cat([grown, weight], dim=1)[:, -columns:]


def some_recordings(examples: Examples) -> Iterator[npt.NDArray[np.float32]]:
    """Yield a few hundred clean utterances, the same for every run over these examples."""
    random = np.random.default_rng(0)
    count = min(STATISTICS_UTTERANCES, len(examples.kept))
    for index in random.choice(len(examples.kept), count, replace=False):
        yield examples.corpus.samples(examples.kept[int(index)])


def measure_statistics(net: AcousticNet, recordings: Iterable[npt.NDArray[np.float32]]) -> None:
    """Set mean and scale of each mel bin to those of ``recordings``.

    With ``cmvn`` they are those of speech, as its running statistics are.
    """
    rows, counts = [], []
    for recording in recordings:
        samples = torch.from_numpy(recording)
        whole = len(samples) - len(samples) % net.config.frame_samples
        with torch.no_grad():
            mel, _ = net.frontend(samples[None, :whole], net.frontend.start(1))
            features, weights, _ = net.level.level_features(mel, net.level.start(1)[:2])
        rows.append(features[0])
        counts.append(weights[0])
    blocks, weights = torch.cat(rows), torch.cat(counts)
    if net.config.level.cmvn == "none":
        weights = torch.ones_like(weights)
    weights = (weights / weights.sum().clamp(min=1e-6))[:, None]
    mean = (weights * blocks.mean(dim=1)).sum(dim=0)
    variance = (weights * (blocks - mean).square().mean(dim=1)).sum(dim=0)
    net.level.mean.copy_(mean)
    net.level.scale.copy_(1.0 / variance.sqrt().clamp(min=1e-3))
