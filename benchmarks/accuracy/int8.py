"""How far int8 moves the log-probabilities, and which products do it.

OMP_NUM_THREADS=1 python -m benchmarks.accuracy.int8 MANIFEST... --calibration TRAIN --run RUN_DIR

The network of ``--run`` is exported in float32 and in int8, with up to 200 recordings of
``--calibration``. Without ``--run`` it is that of ``--model``, whose weights have been rounded
already unless it has ``weights.npz``.

KL is the divergence of int8 from float32, a mean over frames in units of 0.001; the next column
leaves out the most distant hundredth, as single utterances may part. ``same %`` are frames in which
both rank the same token first. "as exported" is what ``asr-gru export`` writes. In the rows below
"all", one kind of product is in int8 and all others are in float32, or the other way round.
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from asr_gru.data.audio import load_audio
from asr_gru.data.manifest import evenly_spread, read_manifest
from asr_gru.model.directory import ModelDirectory
from asr_gru.model.onnx import OnnxAcousticModel
from benchmarks._common import Table, make_parser, print_environment, read_all, run
from recipes.command_line import needed

with needed(__name__, "train"):
    from asr_gru.export.acoustic_graph import EXACT, acoustic_graph
    from asr_gru.export.calibrate import Calibration, calibrate
    from asr_gru.nn.net import AcousticNet
    from asr_gru.nn.torch_model import acoustic_info
    from asr_gru.training.checkpoint import load_checkpoint, net_from_checkpoint
    from asr_gru.training.from_model import net_from_directory

KINDS = {
    "first convolution": re.compile(r"encoder\.conv"),
    "second convolution": re.compile(r"encoder\.conv\.second"),
    "subsampling": re.compile(r"encoder\.subsample"),
    "layers, of inputs": re.compile(r"encoder\.norms\..*"),
    "layers, of states": re.compile(r"encoder\.(forwards|backwards)\..*"),
    "head": re.compile(r"encoder\.head"),
}
"""Names of the modules of each kind of product."""
CALIBRATION = 200
"""Most recordings that are taken from ``--calibration``, evenly spread."""


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, manifests=True)
    parser.add_argument("--calibration", type=Path, required=True, metavar="MANIFEST")
    parser.add_argument("--run", type=Path, metavar="RUN_DIR", help="training run")
    options = parser.parse_args(argv)
    print_environment(str(options.run or options.model))
    if options.run:
        net = net_from_checkpoint(load_checkpoint(options.run, print)).eval()
    else:
        net = net_from_directory(ModelDirectory.open(options.model))
    rate = net.config.frontend.sample_rate
    recordings = [load_audio(utterance, rate) for utterance in read_all(options)]
    spoken = evenly_spread(read_manifest(options.calibration), CALIBRATION)
    seen = calibrate(net, [load_audio(utterance, rate) for utterance in spoken])
    wanted = log_probs(net, None, (), recordings)
    table = Table(
        ("in int8", "<28"), ("MB", "6.2f"), ("KL", "8.3f"), ("of 99 %", "8.3f"), ("same %", "8.2f")
    )

    def row(name: str, exact: Collection[str]) -> None:
        size, found = log_probs(net, seen, exact, recordings)
        table.row(name, size, *distance(wanted[1], found))

    row("as exported", EXACT)
    row("all", ())
    for name, pattern in KINDS.items():
        chosen = {module for module in seen if pattern.fullmatch(module)}
        if chosen:
            row(f"only {name}", seen.keys() - chosen)
            row(f"all but {name}", chosen)


def log_probs(
    net: AcousticNet,
    seen: Calibration | None,
    exact: Collection[str],
    recordings: Sequence[np.ndarray],
) -> tuple[float, np.ndarray]:
    """Return megabytes of the graph, and the rows of all recordings."""
    graph = acoustic_graph(net, seen, exact=exact)
    model = OnnxAcousticModel(graph, acoustic_info(net))
    rows = [model.finish(samples[None], model.start())[0] for samples in recordings]
    return len(graph) / 1e6, np.concatenate(rows)


def distance(wanted: np.ndarray, found: np.ndarray) -> tuple[float, float, float]:
    """Return the columns of the table."""
    wide = wanted.astype(np.float64)
    divergence = np.sort((np.exp(wide) * (wide - found)).sum(axis=1))
    kept = divergence[: max(1, int(0.99 * len(divergence)))]
    same = np.mean(wanted.argmax(axis=1) == found.argmax(axis=1))
    return 1e3 * float(divergence.mean()), 1e3 * float(kept.mean()), 100 * float(same)


if __name__ == "__main__":
    run(main)
