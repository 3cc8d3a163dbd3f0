"""Files that soundfile cannot read, decoded by ffmpeg where it is installed."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr_gru.errors import AudioError

__all__ = ["FfmpegFile", "decode"]

RATE = 48_000
CONTAINERS = (
    "3gp,aac,aiff,amr,ape,asf,au,avi,caf,flac,flv,m4a,matroska,mj2,mov,mp3,mp4,mpeg,mpegts,"
    "ogg,wav,webm,wv"
)
"""What ffmpeg may take a file for; not lists, which name other files."""


class FfmpegFile:
    """The part of a SoundFile's face that a recording needs, over a pipe from ffmpeg.

    ffmpeg is started with a list of arguments and may open this local file only, so nothing in
    its name is understood as an option, a command or an address, and nothing in it as a list of
    other files.
    """

    samplerate = RATE
    channels = 1
    frames = -1

    def __init__(self, program: str, path: Path) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self._process = subprocess.Popen(
            [
                *(program, "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe"),
                *("-format_whitelist", CONTAINERS),
                *("-i", f"file:{path.absolute()}", "-vn", "-map", "0:a:0"),
                *("-f", "f32le", "-ac", "1", "-ar", str(RATE), "pipe:1"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    def read(self, size: int, dtype: str, always_2d: bool) -> npt.NDArray[np.float32]:
        """Return up to ``size`` samples ``(n, 1)``; none at the end."""
        assert self._process.stdout is not None
        data = self._process.stdout.read(size * np.dtype(dtype).itemsize)
        samples = np.frombuffer(data[: len(data) // 4 * 4], "<f4")
        if not len(samples) and self._process.wait() != 0:
            self._errors.seek(0)
            lines = self._errors.read(4000).decode(errors="replace").strip().splitlines()
            raise RuntimeError(f"ffmpeg: {lines[-1] if lines else 'failed'}")
        return samples[:, None] if always_2d else samples

    def close(self) -> None:
        """End ffmpeg, wherever it is."""
        assert self._process.stdout is not None
        self._process.stdout.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        self._errors.close()


def decode(path: Path) -> FfmpegFile:
    """Start to decode ``path``; AudioError when ffmpeg is not installed."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise AudioError(
            f"{path}: not audio that can be read here (wav, flac, mp3, ogg, opus, aiff); "
            "convert it, or install ffmpeg for other kinds"
        )
    return FfmpegFile(program, path)
