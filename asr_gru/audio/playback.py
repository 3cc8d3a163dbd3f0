"""Playing a recording on the default output."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from asr_gru.audio.opening import open_recording
from asr_gru.errors import DeviceError

__all__ = ["play"]


def play(path: Path) -> None:
    """Play a recording to its end.

    Raises:
        AudioError: the recording cannot be read.
        DeviceError: there is no output device, or it cannot be opened.
    """
    with open_recording(path) as recording:
        rate = recording.sample_rate
        samples = np.concatenate([np.zeros(0, np.float32), *recording.blocks()])
    try:
        import sounddevice
    except OSError:
        raise DeviceError(
            "PortAudio is not installed, and playing needs it; install it "
            "(Debian and Ubuntu: apt-get install libportaudio2)"
        ) from None
    try:
        sounddevice.play(samples, rate, blocking=True)
    except sounddevice.PortAudioError as error:
        raise DeviceError(
            f"{path}: cannot be played ({error}); connect loudspeakers, or play it elsewhere"
        ) from None
