"""Words printed without speech: in digital silence, faint noise, and a folder of noises.

python -m benchmarks.accuracy.silence_and_noise --noise FOLDER
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asr_gru import Recognizer
from asr_gru.audio import find_recordings, read_recording
from benchmarks._common import Table, load, make_parser, positive, run


def words(recognizer: Recognizer, blocks, rate: int) -> tuple[float, list[str]]:
    stream = recognizer.stream(rate)
    events = []
    for block in blocks:
        events += stream.feed(block)
    events += stream.finish()
    printed = [word.text for e in events if e.kind == "final" for word in e.words]
    return stream.audio_s, printed


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--noise", type=Path, help="folder of recordings without speech")
    parser.add_argument("--minutes", type=positive, default=60.0)
    options = parser.parse_args(argv)
    paths = find_recordings([options.noise]) if options.noise else []
    recognizer = load(options)
    rate = recognizer.info.sample_rate
    seconds = round(options.minutes * 60)
    random = np.random.default_rng(0)

    def noises():
        total, index = 0.0, 0
        while total < seconds:
            clip = read_recording(paths[index % len(paths)], rate)
            index += 1
            total += len(clip) / rate
            yield clip

    sources = {
        "digital silence": (np.zeros(rate, np.float32) for _ in range(seconds)),
        "white noise at -60 dBFS": (
            (random.standard_normal(rate) * 1e-3).astype(np.float32) for _ in range(seconds)
        ),
    }
    if paths:
        sources["recorded noise"] = noises()
    table = Table(("", "<24"), ("minutes", "8.1f"), ("words", "6"), ("", "<2"))
    for name, blocks in sources.items():
        audio_s, printed = words(recognizer, blocks, rate)
        table.row(name, audio_s / 60, len(printed), "  " + " ".join(printed[:6]))


if __name__ == "__main__":
    run(main)
