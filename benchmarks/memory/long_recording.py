"""Memory while an hour of audio is transcribed from a file.

python -m benchmarks.memory.long_recording audio_samples/long.ogg
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import soundfile

from asr_gru.audio import read_recording
from benchmarks._common import Table, load, make_parser, resident_mb, run


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, recording=True)
    parser.add_argument("--minutes", type=float, default=60.0)
    options = parser.parse_args(argv)
    recognizer = load(options)
    rate = recognizer.info.sample_rate
    samples = read_recording(options.recording, rate)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.wav"
        times = round(options.minutes * 60 * rate / len(samples))
        with soundfile.SoundFile(str(path), "w", rate, 1) as file:
            for _ in range(times):
                file.write(samples)
        marks: list[tuple[float, float]] = []

        def note(done_s: float) -> None:
            if not marks or done_s - marks[-1][0] >= 300:
                marks.append((done_s, resident_mb()))

        transcript = recognizer.transcribe(path, on_progress=note)
    table = Table(("minute", "7.1f"), ("MB", "7.1f"))
    for done_s, megabytes in marks:
        table.row(done_s / 60, megabytes)
    print(f"{transcript.duration_s / 60:.1f} minutes, {len(transcript.words)} words")


if __name__ == "__main__":
    run(main)
