"""The start of a run over many lines: its time and memory, and the time to resume anywhere.

python -m benchmarks.training.sampler --lines 1000000

An index of shards with invented lines is written first. A fresh process then opens it, filters the
utterances, plans an epoch, and finds the batches of its first and of its last step.
"""

import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np

from asr_gru.errors import Error
from benchmarks._common import (
    make_parser,
    peak_mb,
    print_environment,
    resident_mb,
    run,
    whole_number,
)
from recipes.command_line import require

WORDS = ("the", "river", "bends", "we", "met", "in", "nineteen", "ninety", "where", "coast")
LINES_PER_SHARD = 5_000


def write_index(folder: Path, lines: int) -> None:
    from asr_gru.data.shards import ShardSample
    from asr_gru.text import build_character_tokenizer
    from asr_gru.training.shard_corpus import IndexBuilder, ShardCorpus
    from asr_gru.training.targets import Targets

    random = np.random.default_rng(0)
    shards = -(-lines // LINES_PER_SHARD)
    builder = IndexBuilder([f"/data/train-{number:06d}.tar" for number in range(shards)])
    lengths = random.uniform(1.0, 18.0, lines)
    for number, length in enumerate(lengths):
        words = random.integers(0, len(WORDS), int(2 * length) + 1)
        text = " ".join([WORDS[word] for word in words])
        sample = ShardSample(f"{number:08d}.flac", 1024 * number, 90_000, text, "", float(length))
        builder.add(number // LINES_PER_SHARD, sample)
    builder.write(folder / "index")
    corpus = ShardCorpus(folder / "index", 16_000)
    tokenizer = build_character_tokenizer([" ".join(WORDS)])
    tokenizer.save(folder)
    Targets.encode((one.text for one in corpus.utterances), tokenizer).save(folder / "targets")


def start(folder: Path, results) -> None:
    imported = time.perf_counter()
    from asr_gru.text import load_tokenizer
    from asr_gru.training.augment import Augmenter
    from asr_gru.training.config import AugmentConfig, DataConfig, TrainConfig
    from asr_gru.training.dataset import TrainingSet
    from asr_gru.training.sampler import plan_epoch
    from asr_gru.training.shard_corpus import ShardCorpus
    from asr_gru.training.targets import Targets

    began, imported_mb = time.perf_counter(), resident_mb()
    config = TrainConfig(data=DataConfig(train=("train.tar",)))
    training_set = TrainingSet(
        ShardCorpus(folder / "index", 16_000),
        load_tokenizer(folder / "tokens.txt"),
        config,
        Augmenter(AugmentConfig(), 16_000, None, None),
        targets=Targets.load(folder / "targets"),
    )
    opened = time.perf_counter()
    steps = plan_epoch(
        training_set.durations_s,
        training_set.weights,
        batch_s=60.0,
        processes=1,
        noise_only=0.0,
        seed=1,
        epoch=1,
        ascending=False,
    )
    planned = time.perf_counter()
    seconds = {"imports": began - imported, "index": opened - began, "plan": planned - opened}
    for name, step in (("first step", 0), ("last step", len(steps) - 1)):
        looked_up = time.perf_counter()
        (indices,) = steps[step]
        for index in indices:
            training_set.targets[training_set.kept[index]]
            training_set.corpus.utterances[training_set.kept[index]]
        seconds[name] = time.perf_counter() - looked_up
    results.put((seconds, (peak_mb(), imported_mb), len(training_set.kept), len(steps)))


def _join(process: BaseProcess) -> None:
    process.join()
    if process.exitcode:
        raise Error("the measuring process failed; its error is above")


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, model=False)
    parser.add_argument("--lines", type=whole_number, default=1_000_000, help="utterances")
    options = parser.parse_args(argv)
    require("train", "torch", "filelock")
    print_environment()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = multiprocessing.get_context("spawn")
        began = time.perf_counter()
        writer = context.Process(target=write_index, args=(folder, options.lines))
        writer.start()
        _join(writer)
        size = sum(path.stat().st_size for path in folder.rglob("*")) / 1e6
        print(f"index and targets: {time.perf_counter() - began:.1f} s once, {size:.0f} MB")
        results = context.Queue()
        reader = context.Process(target=start, args=(folder, results))
        reader.start()
        _join(reader)
        seconds, (peak, imported), kept, steps = results.get()
    print(f"start over {kept} utterances, {steps} steps:")
    print(f"  imports {seconds['imports']:.1f} s")
    print(f"  index   {seconds['index']:.2f} s")
    print(f"  plan    {seconds['plan']:.2f} s per epoch")
    print(f"  peak memory {peak:.0f} MB, {imported:.0f} of it after the imports")
    for name in ("first step", "last step"):
        print(f"  utterances of the {name}: {1000 * seconds[name]:.2f} ms")


if __name__ == "__main__":
    run(main)
