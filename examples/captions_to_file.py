"""Write captions of live speech to a file.

python examples/captions_to_file.py captions.srt                  listens until Ctrl-C
python examples/captions_to_file.py captions.srt RECORDING        reads a recording instead
"""

import argparse
import signal
import sys

from asr_gru import Error, Event, Recognizer
from asr_gru.audio.microphone import Microphone
from asr_gru.audio.paced import PacedRecording
from asr_gru.live import LiveSession, SourceLost, SourceRestored
from asr_gru.live.writers import SessionWriter


def main(output: str, recording: str | None) -> None:
    """Listen to the microphone, or to ``recording``."""
    recognizer = Recognizer.load()
    source = PacedRecording(recording) if recording else Microphone()
    print(f"listening to {source.description}")
    with SessionWriter(output) as file, LiveSession(recognizer, source) as session:
        # the session then finishes, so that the last words are written too
        signal.signal(signal.SIGINT, lambda *_: session.stop())
        for record in session:
            if isinstance(record, Event) and record.kind == "final":
                file.write(record)
                print(f"{record.start_s:7.2f} {record.text}")
            elif isinstance(record, SourceLost):
                print(record.message)
            elif isinstance(record, SourceRestored):
                print(f"back after {record.gap_s:.1f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write captions of live speech to a file.")
    parser.add_argument("output", help="a .srt, .vtt, .txt or .jsonl file")
    parser.add_argument("recording", nargs="?", help="by default the microphone")
    options = parser.parse_args()
    try:
        main(options.output, options.recording)
    except Error as error:
        sys.exit(f"error: {error}")
