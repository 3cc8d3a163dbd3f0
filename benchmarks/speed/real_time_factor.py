"""Real-time factor of the graph with features, and speed of whole recordings, on one thread.

python -m benchmarks.speed.real_time_factor audio_samples/long.ogg
"""

import argparse
import time

import numpy as np

from asr_gru import Recognizer
from asr_gru.audio import read_recording
from asr_gru.model.directory import ModelDirectory

TRIES = 5


def best(action) -> float:
    times = []
    for _ in range(TRIES):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording")
    parser.add_argument("--model", default="en-small")
    options = parser.parse_args()
    directory = ModelDirectory.open(options.model)
    recognizer = Recognizer.load(options.model)
    acoustic = recognizer.acoustic
    info = acoustic.info
    samples = read_recording(options.recording, info.sample_rate)
    step_s = info.step_samples / info.sample_rate
    print(f"steps of {step_s * 1000:.0f} ms, features included")
    print(f"{'batch':>6} {'ms a step':>10} {'real-time factor a stream':>26}")
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

        spent = best(steps) / count
        print(f"{batch:6} {spent * 1000:10.3f} {spent / step_s / batch:26.5f}")
    seconds = len(samples) / info.sample_rate
    default = Recognizer.load(options.model)

    def live(recognizer: Recognizer = default) -> None:
        stream = recognizer.stream(info.sample_rate)
        for first in range(0, len(samples), info.step_samples):
            stream.feed(samples[first : first + info.step_samples])
        stream.finish()

    print(f"\nlive stream of {seconds:.0f} s, decoder and words included")
    print(f"{'default':8} {best(live) / seconds:10.5f} of a core")
    print("\nwhole recording, decoder and words included")
    kinds = ["greedy", "words"] if directory.config.tokens.kind == "phones" else ["greedy", "beam"]
    for kind in kinds:
        one = Recognizer.load(options.model, decoder=kind)
        spent = best(lambda one=one: one.transcribe(samples, info.sample_rate))
        print(f"{kind:8} {seconds / spent:6.0f} times real time")


if __name__ == "__main__":
    main()
