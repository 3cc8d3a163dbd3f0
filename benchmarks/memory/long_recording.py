"""Memory while an hour of audio is transcribed from a file.

python -m benchmarks.memory.long_recording audio_samples/long.ogg
"""

import argparse
import tempfile
from pathlib import Path

import soundfile

from asr_gru import Recognizer
from asr_gru.audio import read_recording


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", help="is repeated until the hour is full")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--model", default="en-small")
    options = parser.parse_args()
    recognizer = Recognizer.load(options.model)
    rate = recognizer.acoustic.info.sample_rate
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
    print(f"{'minute':>7} {'MB':>7}")
    for done_s, megabytes in marks:
        print(f"{done_s / 60:7.1f} {megabytes:7.1f}")
    print(f"{transcript.duration_s / 60:.1f} minutes, {len(transcript.words)} words")


if __name__ == "__main__":
    main()
