"""Run commands by voice.

python examples/voice_commands.py                  listens until "stop" or Ctrl-C
python examples/voice_commands.py RECORDING        reads a recording instead
"""

import argparse
import difflib
import signal
import sys
import time

from asr_gru import EndpointRules, Error, Event, Recognizer
from asr_gru.audio.microphone import Microphone
from asr_gru.audio.paced import PacedRecording
from asr_gru.live import LiveSession

COMMANDS = {
    "what time is it": lambda: print(time.strftime("It is %H:%M.")),
    "turn on the light": lambda: print("The light is on."),
    "turn off the light": lambda: print("The light is off."),
}


def main(recording: str | None) -> None:
    """Listen to the microphone, or to ``recording``."""
    recognizer = Recognizer.load()
    source = PacedRecording(recording) if recording else Microphone()
    with LiveSession(recognizer, source, EndpointRules.short()) as session:
        signal.signal(signal.SIGINT, lambda *_: session.stop())
        for record in session:
            if not isinstance(record, Event) or record.kind != "final":
                continue
            match = difflib.get_close_matches(record.text, [*COMMANDS, "stop"], n=1, cutoff=0.7)
            if match == ["stop"]:
                session.stop()
            elif match:
                COMMANDS[match[0]]()
            else:
                print(f"not a command: {record.text}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run commands by voice.")
    parser.add_argument("recording", nargs="?", help="by default the microphone")
    try:
        main(parser.parse_args().recording)
    except Error as error:
        sys.exit(f"error: {error}")
