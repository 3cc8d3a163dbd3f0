"""Memory while an hour of audio is transcribed from a file.

python -m benchmarks.memory.long_recording audio_samples/long.ogg
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import soundfile

from benchmarks._common import Table, load, make_parser, positive, read_samples, resident_mb, run


def write_repeated(path: Path, recording: Path, rate: int, seconds: float) -> None:
    """Write a recording about as often as ``seconds`` need; it does not stay in memory."""
    samples = read_samples(recording, rate)
    with soundfile.SoundFile(str(path), "w", rate, 1) as file:
        for _ in range(max(1, round(seconds * rate / len(samples)))):
            file.write(samples)


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, recording=True)
    parser.add_argument("--minutes", type=positive, default=60.0, help="of audio, about")
    options = parser.parse_args(argv)
    recognizer = load(options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.wav"
        rate = recognizer.info.sample_rate
        write_repeated(path, options.recording, rate, options.minutes * 60)
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
