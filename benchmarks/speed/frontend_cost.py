"""Cost of each front end in a live stream: int8 graphs of networks with the same layers.

    python -m benchmarks.speed.frontend_cost

Weights are random, as the cost does not depend on them. With ``conv``, the mean of each window is
also subtracted, as in the recipes. The graphs take turns, and the fastest of
many rounds counts, so that other load on the machine affects all of them alike.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np

from asr_gru.model.net_config import EncoderConfig, FrontendConfig, LevelConfig, NetConfig
from asr_gru.model.onnx import OnnxAcousticModel
from benchmarks._common import Table, make_parser, print_environment, run, whole_number
from recipes.command_line import needed

with needed(__name__, "train"):
    import torch

    from asr_gru.export.acoustic_graph import acoustic_graph
    from asr_gru.export.calibrate import calibrate
    from asr_gru.nn.net import AcousticNet
    from asr_gru.nn.torch_model import acoustic_info

KINDS = [
    ("linear", "none"),
    ("linear", "mean_variance"),
    ("conv", "none"),
    ("conv", "mean"),
    ("conv", "mean_variance"),
]


def make_model(subsampler: str, cmvn: str, args: argparse.Namespace) -> OnnxAcousticModel:
    torch.manual_seed(0)
    config = NetConfig(
        frontend=FrontendConfig(remove_dc_offset=subsampler == "conv"),
        level=LevelConfig(cmvn=cmvn),  # type: ignore[arg-type]
        encoder=EncoderConfig(
            layers=args.layers,
            width=args.width,
            subsampling=args.subsampling,
            lookahead=3,
            subsampler=subsampler,  # type: ignore[arg-type]
        ),
    )
    net = AcousticNet(config, 40).eval()
    noise = np.random.default_rng(0).standard_normal(64_000).astype(np.float32) * 0.05
    return OnnxAcousticModel(acoustic_graph(net, calibrate(net, [noise])), acoustic_info(net))


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, model=False)
    parser.add_argument("--layers", type=whole_number, default=4)
    parser.add_argument("--width", type=whole_number, default=384, help="of the layers")
    parser.add_argument("--subsampling", type=int, choices=(2, 3, 4, 6, 8), default=4)
    parser.add_argument(
        "--rounds", type=whole_number, default=60, help="of which the fastest counts"
    )
    args = parser.parse_args(argv)
    print_environment()
    models = {kind: make_model(*kind, args) for kind in KINDS}
    for batch in (1, 16):
        best = dict.fromkeys(KINDS, float("inf"))
        for _ in range(args.rounds):
            for kind, model in models.items():
                step = model.info.step_samples
                samples = np.random.default_rng(1).standard_normal((batch, step)) * 0.05
                block, state = samples.astype(np.float32), model.start(batch)
                for _ in range(10):
                    began = time.perf_counter()
                    _, state = model.step(block, state)
                    best[kind] = min(best[kind], time.perf_counter() - began)
        print(f"batch {batch}")
        table = Table(
            *(("front end", "<28"), ("ms per step", "12.3f")),
            *(("cores per stream", "17.5f"), ("more", "10.5f")),
        )
        first = None
        for kind, seconds in best.items():
            info = models[kind].info
            cores = seconds / batch / (info.step_samples / info.sample_rate)
            first = cores if first is None else first
            table.row(f"{kind[0]}, cmvn = {kind[1]}", 1e3 * seconds, cores, cores - first)


if __name__ == "__main__":
    run(main)
