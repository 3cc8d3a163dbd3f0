"""Initial weights of a run: random, from another run, or from a model directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from asr_gru.errors import AudioError, ConfigError
from asr_gru.model.directory import ModelDirectory
from asr_gru.model.net_config import NetConfig
from asr_gru.nn.net import AcousticNet, NetBuilder
from asr_gru.text import TOKENS, Tokenizer, find_tokens, load_tokenizer
from asr_gru.training.checkpoint import NAME, Checkpoint, load_checkpoint, net_from_checkpoint
from asr_gru.training.config import TrainConfig
from asr_gru.training.dataset import TrainingSet
from asr_gru.training.from_model import net_from_directory

__all__ = [
    "initial_checkpoint",
    "load_net",
    "load_net_tokenizer",
    "measure_statistics",
    "random_net",
]

STATISTICS_UTTERANCES = 400


def load_net_tokenizer(path: Path) -> Tokenizer:
    """Load the tokenizer of a run or model directory."""
    if _is_run(path):
        folder = path.parent if path.is_file() else path
        return load_tokenizer(find_tokens(folder) or folder / TOKENS)
    return ModelDirectory.open(str(path)).tokenizer()


def load_net(path: Path, notice: Callable[[str], None] = lambda _line: None) -> AcousticNet:
    """Load the network of a run (with its averaged weights) or of a model directory.

    ``notice`` receives a line if the checkpoint is of an earlier version.
    """
    if _is_run(path):
        return net_from_checkpoint(load_checkpoint(path, notice))
    return net_from_directory(ModelDirectory.open(str(path)))


def initial_checkpoint(
    config: TrainConfig,
    start_from: Path | None,
    tokenizer: Tokenizer,
    training_set: TrainingSet,
    *,
    new_head: bool = False,
    log: Callable[[str], None] = lambda _line: None,
    build_net: NetBuilder = AcousticNet,
) -> Checkpoint:
    """Return the checkpoint before the first step.

    A look-ahead that ``start_from`` lacks is initialised as a plain delay. Additional layers, on
    top, are initialised so that they output 0 and only the residual passes, and so are backward
    layers that ``start_from`` lacks; its look-ahead is then dropped, and its weights of each unit
    are added up in the head, as if the unit changed little from frame to frame. If a linear
    subsampler has another subsampling factor, the weights of the newest mel frames are kept and
    those of older frames start at 0. Another kind of subsampler is initialised at random, with
    newly measured feature statistics.

    Args:
        config: configuration of the run.
        start_from: a run or model whose weights are loaded, or None.
        tokenizer: tokenizer of the run.
        training_set: feature statistics are measured on it.
        new_head: initialise the head at random.
        log: called with a line that describes which weights were loaded.
        build_net: builds the network.

    Raises:
        ConfigError: the weights of ``start_from`` do not fit the configuration.
        ModelError: ``start_from`` is neither a run nor a model.
    """
    net = random_net(config, len(tokenizer), build_net)
    if start_from is None:
        measure_statistics(net, sample_recordings(training_set))
    else:
        earlier = load_net(start_from, log)
        if not config.net.grows_from(earlier.config):
            raise ConfigError(f"{start_from}: a different model than this configuration describes")
        if not new_head and earlier.vocab_size != len(tokenizer):
            raise ConfigError(f"{start_from}: has other tokens; give --new-head to build new ones")
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
            measure_statistics(net, sample_recordings(training_set))
        old, new = earlier.encoder, net.encoder
        for layers, known in ((new.forwards, old.forwards), (new.backwards, old.backwards)):
            for layer in layers[len(known) :]:
                layer.zero_output()  # type: ignore[operator]
        lookahead = kept.get("encoder.lookahead")
        if lookahead is not None and not config.encoder.lookahead:
            del kept["encoder.lookahead"]
            if "encoder.head.weight" in kept:
                kept["encoder.head.weight"] = kept["encoder.head.weight"] * lookahead.sum(dim=0)
        net.load_state_dict({**net.state_dict(), **kept})
        log(f"{start_from}: weights loaded; {_new_layers(net, kept)}")
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    ema = {name: value.clone() for name, value in weights.items()}
    return Checkpoint(
        config=config,
        vocab_size=len(tokenizer),
        weights=weights,
        ema=ema if config.optimiser.ema else {},
    )


def random_net(config: TrainConfig, vocab_size: int, build_net: NetBuilder) -> AcousticNet:
    """Return a network with the random weights of ``config``; feature statistics are not set."""
    torch.manual_seed(config.seed)
    net = build_net(config.net, vocab_size, None)
    if config.recurrent_init == "uniform":
        for layer in (*net.encoder.forwards, *net.encoder.backwards):
            layer.init_uniform()
    return net


def _is_run(path: Path) -> bool:
    return path.is_file() or (path / NAME).is_file()


def _same_subsampler(wanted: NetConfig, earlier: NetConfig) -> bool:
    """Whether the weights of the subsampler can be loaded."""
    one, other = wanted.encoder, earlier.encoder
    if (one.subsampler, other.subsampler) == ("linear", "linear"):
        return True
    return (one.subsampler, one.subsampling, one.conv_channels) == (
        other.subsampler,
        other.subsampling,
        other.conv_channels,
    )


def _new_layers(net: AcousticNet, kept: Mapping[str, Tensor]) -> str:
    """List the layers of ``net`` whose weights are not in ``kept``."""
    new = {
        name.removeprefix("encoder.").rsplit(".", 1)[0]
        for name, _ in net.named_parameters()
        if name not in kept
    }
    return f"newly initialised: {', '.join(sorted(new))}" if new else "no new layers"


def _newest_columns(weight: Tensor, columns: int) -> Tensor:
    """Fit the subsampler to more or fewer mel frames; the weights of the newest are kept."""
    grown = weight.new_zeros(weight.shape[0], max(columns - weight.shape[1], 0))
    return torch.cat([grown, weight], dim=1)[:, -columns:]


def sample_recordings(training_set: TrainingSet) -> Iterator[npt.NDArray[np.float32]]:
    """Yield a few hundred clean utterances, the same in every run over this training set."""
    random = np.random.default_rng(0)
    count = min(STATISTICS_UTTERANCES, len(training_set.kept))
    for index in random.choice(len(training_set.kept), count, replace=False):
        with suppress(AudioError):  # the training itself lists it
            yield training_set.corpus.samples(training_set.kept[int(index)])


def measure_statistics(net: AcousticNet, recordings: Iterable[npt.NDArray[np.float32]]) -> None:
    """Set the mean and scale of each mel bin to those of ``recordings``.

    With ``cmvn`` they are statistics of speech only, as its running statistics are.
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
