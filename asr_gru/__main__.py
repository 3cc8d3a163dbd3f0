"""The program: ``asr-gru``, and ``python -m asr_gru``."""

import os
import signal
import types

__all__ = ["main"]


def main() -> None:
    """Run the command line; Ctrl-C while it is imported exits with 130 at once."""
    handles = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # False under nohup
    if handles:  # an exception would become another one in the midst of some imports
        signal.signal(signal.SIGINT, _exit)
    from asr_gru.cli import main as run

    if handles:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


def _exit(number: int, frame: types.FrameType | None) -> None:  # noqa: ARG001
    os._exit(128 + number)


if __name__ == "__main__":
    main()
