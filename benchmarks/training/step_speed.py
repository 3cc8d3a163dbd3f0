"""Training steps on the CPU: the package's GRU layers against ``nn.GRU``, in one process.

OMP_NUM_THREADS=1 python -m benchmarks.training.step_speed
"""

import time
from collections.abc import Sequence
from functools import partial
from unittest import mock

import numpy as np

from asr_gru.model.net_config import EncoderConfig, NetConfig
from benchmarks._common import make_parser, print_environment, run, whole_number
from recipes.command_line import needed

with needed(__name__, "train"):
    import torch

    from asr_gru.nn import fast_gru
    from asr_gru.nn.gru_loops import compiled_loops
    from asr_gru.nn.net import AcousticNet
    from asr_gru.nn.recurrent import RecurrentLayer
    from asr_gru.training.augment import mask_features
    from asr_gru.training.config import AugmentConfig, OptimiserConfig
    from asr_gru.training.loss import training_loss
    from asr_gru.training.optimiser import build_optimiser

TOKENS, TOKENS_PER_S = 30, 10
MASKS = AugmentConfig(frequency_masks=2, time_masks=4)


def whole_step(net, optimiser, features, frames, targets, lengths, low):
    masked = mask_features(features, frames.numpy() * 4, MASKS, np.random.default_rng(0))
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        log_probs, _ = net.encoder(masked, net.encoder.start(len(masked)))
    loss = training_loss(log_probs.float(), targets, frames, lengths, 0.0)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimiser.step()


def layer_step(layer, x, low):
    with torch.autocast("cpu", torch.bfloat16, enabled=low):
        y, _ = layer(x, layer.start(x.shape[1]))
    y.float().sum().backward()


def with_loops(loops, step, *arguments):
    """Run a step with ``loops`` in place of the compiled ones."""
    with mock.patch.object(fast_gru, "compiled_loops", loops):
        step(*arguments)


def race(title, steps, tries):
    """Print the fastest of several tries of each step, which take turns."""
    best = dict.fromkeys(steps, float("inf"))
    for _ in range(tries):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            best[name] = min(best[name], time.perf_counter() - began)
    first = next(iter(best.values()))
    print(title)
    for name, seconds in best.items():
        print(f"  {name:30} {seconds * 1000:8.0f} ms {first / seconds:6.2f} times")


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, model=False)
    parser.add_argument("--tries", type=whole_number, default=5, help="of which the fastest counts")
    parser.add_argument("--batch", type=whole_number, default=16, help="recordings per batch")
    parser.add_argument("--seconds", type=whole_number, default=10, help="length of each recording")
    parser.add_argument("--width", type=whole_number, default=384, help="of the layers")
    parser.add_argument("--layers", type=whole_number, default=5, help="of the whole network")
    options = parser.parse_args(argv)
    print_environment()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    batch, seconds = options.batch, options.seconds
    x = torch.randn(seconds * 25, batch, options.width, requires_grad=True)
    features = torch.randn(batch, seconds * 100, 80)
    frames = torch.full((batch,), seconds * 25)
    targets = torch.randint(1, TOKENS, (batch * seconds * TOKENS_PER_S,))
    lengths = torch.full((batch,), seconds * TOKENS_PER_S)

    kinds = {
        "nn.GRU float32": (None, False, compiled_loops),
        "nn.GRU autocast bfloat16": (None, True, compiled_loops),
        "package, loops in Python, float32": (torch.float32, False, lambda: None),
        "package, loops in Python, bfloat16": (torch.bfloat16, False, lambda: None),
        "package, compiled, float32": (torch.float32, False, compiled_loops),
        "package, compiled, bfloat16": (torch.bfloat16, False, compiled_loops),
    }
    if compiled_loops() is None:
        print("no C++ compiler: the compiled loops run in Python")
    if not fast_gru.bf16_available():
        print("no bfloat16 on this processor: left out of the package's layers")
        kinds = {name: kind for name, kind in kinds.items() if kind[0] != torch.bfloat16}
    one, whole = {}, {}
    for name, (fast, low, loops) in kinds.items():
        layer = RecurrentLayer("gru", options.width, fast).train()
        one[name] = partial(with_loops, loops, layer_step, layer, x, low)
        encoder = EncoderConfig(layers=options.layers, width=options.width)
        net = AcousticNet(NetConfig(encoder=encoder), TOKENS, fast).train()
        optimiser = build_optimiser(net, OptimiserConfig())
        whole[name] = partial(
            with_loops, loops, whole_step, net, optimiser, features, frames, targets, lengths, low
        )
    race(f"one layer of {options.width}, {seconds * 25} frames, batch {batch}", one, options.tries)
    parameters = sum(p.numel() for p in net.parameters()) / 1e6
    race(
        f"whole step, {parameters:.1f} M parameters, {batch} x {seconds} s: masks, CTC, AdamW",
        whole,
        options.tries,
    )


if __name__ == "__main__":
    run(main)
