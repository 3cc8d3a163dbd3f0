"""The training loop on a CPU against the usual one, two processes against one, cost of loading.

OMP_NUM_THREADS=1 python -m benchmarks.training.loop_speed

Recordings of 1 to 17 s of noise, 16-bit samples in the cache of a run. "usual" is the loop of most
recipes: shuffled recordings, padded to the longest of their batch, and ``nn.GRU`` in float32. All
loops see the same audio per step on average. Two processes need two free cores.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asr_gru.errors import Error
from benchmarks._common import make_parser, print_environment, run, whole_number
from recipes.command_line import needed

with needed(__name__, "train"):
    import torch

RATE = 16_000
SHORTEST_S, LONGEST_S = 1.0, 17.0
LETTERS_PER_S = 12


def write_cache(folder: Path, recordings: int) -> None:
    random = np.random.default_rng(0)
    lengths = (random.uniform(SHORTEST_S, LONGEST_S, recordings) * RATE).astype(np.int64)
    noise = random.integers(-3000, 3000, int(lengths.sum()), np.int16)
    (folder / "c.i16").write_bytes(noise.tobytes())
    (folder / "c.json").write_text("{}")
    np.save(folder / "c.npy", np.append(0, np.cumsum(lengths)))


def worker(folder: Path, kind: str, options: argparse.Namespace) -> None:
    """Train ``options.steps`` steps and print the seconds of audio, of loading and of the steps."""
    from asr_gru.data.utterance import Utterance
    from asr_gru.model.net_config import EncoderConfig
    from asr_gru.nn.fast_gru import bf16_available
    from asr_gru.nn.net import AcousticNet
    from asr_gru.text import build_character_tokenizer
    from asr_gru.training.audio_cache import Corpus
    from asr_gru.training.augment import Augmenter
    from asr_gru.training.config import AugmentConfig, DataConfig, TrainConfig
    from asr_gru.training.dataset import TrainingSet
    from asr_gru.training.distributed import init_processes
    from asr_gru.training.optimiser import build_optimiser
    from asr_gru.training.sampler import plan_epoch
    from asr_gru.training.step import TrainStep

    processes = init_processes()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    random = np.random.default_rng(1)
    bounds = np.load(folder / "c.npy")
    letters = np.array(list("etaoinshrdlu "))
    utterances = [
        Utterance(Path(f"{number}.wav"), "".join(random.choice(letters, count)))
        for number, count in enumerate((LETTERS_PER_S * np.diff(bounds) // RATE).tolist())
    ]
    config = TrainConfig(
        data=DataConfig(train=("train.tsv",), batch_s=options.batch_s),
        augment=AugmentConfig(frequency_masks=2, time_masks=4),
        encoder=EncoderConfig(layers=options.layers, width=options.width),
    )
    tokenizer = build_character_tokenizer(["etaoinshrdlu "])
    corpus = Corpus(utterances, folder / "c", RATE)
    augmenter = Augmenter(config.augment, RATE, None, None)
    training_set = TrainingSet(corpus, tokenizer, config, augmenter)
    kernel = torch.bfloat16 if bf16_available() else torch.float32
    net = AcousticNet(config.net, len(tokenizer), None if kind == "usual" else kernel)
    optimiser = build_optimiser(net, config.optimiser, None, processes)
    step = TrainStep(net, None, optimiser, config, processes)
    began = time.perf_counter()
    if kind == "usual":
        count = len(utterances)
        per_batch = max(1, round(options.batch_s / training_set.durations_s.mean()))
        order = random.permutation(count)
        plan = [[order[i : i + per_batch].tolist()] for i in range(0, count, per_batch)]
    else:
        plan = plan_epoch(
            training_set.durations_s,
            training_set.weights,
            batch_s=options.batch_s,
            processes=processes.world_size,
            noise_only=0.0,
            seed=1,
            epoch=1,
            ascending=False,
        )
    # an epoch is planned once; its share of these steps counts
    loading = (time.perf_counter() - began) * min(1.0, options.steps / len(plan))
    audio = stepping = 0.0
    for number in range(options.steps + 1):
        began = time.perf_counter()
        indices = plan[number % len(plan)][processes.rank]
        batch = training_set.batch(indices, (number, processes.rank))
        loaded = time.perf_counter()
        step(batch, number, 0.0, (number, processes.rank))
        if number:  # the first step compiles
            audio += float(training_set.durations_s[indices].sum())
            loading += loaded - began
            stepping += time.perf_counter() - loaded
    totals = torch.tensor([audio])
    processes.all_reduce_(totals)
    if processes.is_main:
        print(json.dumps([float(totals[0]), loading, stepping]))
    processes.shutdown()


def measure(
    folder: Path, kind: str, processes: int, arguments: Sequence[str]
) -> tuple[float, float, float]:
    """Return what ``worker`` prints."""
    command = [sys.executable, "-m", "benchmarks.training.loop_speed", *arguments]
    if processes > 1:
        launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
        command = [sys.executable, *launcher, *command[1:]]
    done = subprocess.run(
        [*command, "--worker", str(folder), "--kind", kind],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        raise Error("a process of the benchmark failed; its error is above")
    audio, loading, stepping = json.loads(done.stdout.strip().splitlines()[-1])
    return audio, loading, stepping


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, model=False)
    parser.add_argument("--steps", type=whole_number, default=20, help="steps of each loop")
    parser.add_argument("--rounds", type=whole_number, default=3, help="the best of so many counts")
    parser.add_argument("--recordings", type=whole_number, default=1000)
    parser.add_argument(
        "--batch-s", type=whole_number, default=80, help="seconds of audio per batch"
    )
    parser.add_argument("--width", type=whole_number, default=384, help="of the layers")
    parser.add_argument("--layers", type=whole_number, default=5)
    parser.add_argument("--worker", type=Path, help="for the command's own processes")
    parser.add_argument("--kind", choices=("usual", "package"), help="for its own processes")
    options = parser.parse_args(argv)
    if options.worker:
        worker(options.worker, options.kind, options)
        return
    print_environment()
    names = ("steps", "recordings", "batch_s", "width", "layers")
    arguments = [f"--{name.replace('_', '-')}={getattr(options, name)}" for name in names]
    rows = {"usual": ("usual", 1), "package": ("package", 1), "two processes": ("package", 2)}
    best: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        write_cache(Path(name), options.recordings)
        for _ in range(options.rounds):
            for row, (kind, processes) in rows.items():
                audio, loading, stepping = measure(Path(name), kind, processes, arguments)
                speed = audio / (loading + stepping)
                if speed > best.get(row, (0.0, 0.0))[0]:
                    best[row] = (speed, loading / (loading + stepping))
    for row, (speed, share) in best.items():
        print(
            f"{row:14} {speed:7.1f} s of audio per second, {100 * share:4.1f} % sampler and loader"
        )
    print(f"package against usual: {best['package'][0] / best['usual'][0]:.2f} times")
    print(f"two processes against one: {best['two processes'][0] / best['package'][0]:.2f} times")


if __name__ == "__main__":
    run(main)
