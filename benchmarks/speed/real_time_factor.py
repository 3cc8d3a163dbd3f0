"""Real-time factor of the graph with features, and speed of whole recordings, on one thread.

python -m benchmarks.speed.real_time_factor audio_samples/long.ogg --steps-ms 160 240

With ``--steps-ms``, a live stream is also measured in steps other than the model's own.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from asr_gru import AudioError, Recognizer
from asr_gru.model.directory import ModelDirectory
from benchmarks._common import Table, fastest, load, make_parser, read_samples, run, whole_number


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, recording=True)
    parser.add_argument("--steps-ms", type=whole_number, nargs="+", help="by default the model's")
    parser.add_argument("--tries", type=whole_number, default=5, help="of which the fastest counts")
    options = parser.parse_args(argv)
    recognizer = load(options)
    directory = ModelDirectory.open(options.model)
    acoustic = recognizer.acoustic
    info = acoustic.info
    samples = read_samples(options.recording, info.sample_rate)
    step_s = info.step_samples / info.sample_rate
    if len(samples) < info.step_samples:
        raise AudioError(f"{options.recording}: shorter than a step of {step_s:g} s; give another")
    print(f"steps of {step_s * 1000:.0f} ms, features included")
    table = Table(
        ("batch", "6"), ("ms per step", "11.3f"), ("real-time factor per stream", "28.5f")
    )
    for batch in (1, 8, 32):
        state = acoustic.start(batch)
        count = min(len(samples) // info.step_samples, 100)
        blocks = [
            np.repeat(samples[None, i * info.step_samples : (i + 1) * info.step_samples], batch, 0)
            for i in range(count)
        ]

        def steps(blocks=blocks, state=state):
            for block in blocks:
                _, state = acoustic.step(block, state)

        spent = fastest(steps, options.tries) / count
        table.row(batch, spent * 1000, spent / step_s / batch)
    seconds = len(samples) / info.sample_rate

    print(f"\nlive stream of {seconds:.0f} s, decoder and words included")
    table = Table(("step ms", "7.0f"), ("of a core", "9.5f"))
    for step_ms in options.steps_ms or [1000 * step_s]:
        with stepping(directory.path, step_ms) as model:
            stream = partial(live, Recognizer.load(model), samples)
            table.row(step_ms, fastest(stream, options.tries) / seconds)
    print("\nwhole recording, decoder and words included")
    kinds = ["greedy", "words"] if directory.config.tokens.kind == "phones" else ["greedy", "beam"]
    for kind in kinds:
        one = Recognizer.load(options.model, decoder=kind)
        spent = fastest(partial(one.transcribe, samples, info.sample_rate), options.tries)
        print(f"{kind:8} {seconds / spent:6.0f} times real time")


def live(recognizer: Recognizer, samples: np.ndarray) -> None:
    """Recognise a recording as a live stream, which is fed a step at a time."""
    info = recognizer.acoustic.info
    stream = recognizer.stream(info.sample_rate)
    for first in range(0, len(samples), info.step_samples):
        stream.feed(samples[first : first + info.step_samples])
    stream.finish()


@contextmanager
def stepping(model: Path, step_ms: float) -> Iterator[Path]:
    """Make a copy of a model directory with live steps of another length."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / model.name
        shutil.copytree(model, copy)
        file = copy / "config.json"
        config = json.loads(file.read_text(encoding="utf-8"))
        config["step_samples"] = round(step_ms / 1000 * config["sample_rate"])
        file.write_text(json.dumps(config), encoding="utf-8")
        yield copy


if __name__ == "__main__":
    run(main)
