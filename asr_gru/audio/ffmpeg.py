"""Decoding of formats that libsndfile does not know with ffmpeg, if it is installed."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
import threading
from pathlib import Path

from asr_gru.audio.pcm import MAX_HEADER_BYTES, PcmReader, wav_reader
from asr_gru.audio.readers import DamagedError
from asr_gru.audio.samples import Samples

__all__ = ["FfmpegReader", "find_ffmpeg"]

DEMUXERS = (
    "3gp,aac,ac3,aiff,amr,ape,asf,au,avi,caf,dts,eac3,flac,flv,m4a,matroska,mj2,mov,mp3,mp4,mpc,"
    "mpc8,mpeg,mpegts,mxf,ogg,rm,tta,voc,w64,wav,webm,wv"
)
"""Formats that ffmpeg may detect; no playlists, as these name other files."""
MAX_LOG_LINES, MAX_LINE_BYTES = 400, 500
DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
TRUNCATED = re.compile(
    "prematurely|partial file|buffer exhausted|moov atom not found", re.IGNORECASE
)
REASONS = (
    ("matches no streams", "has no audio track; name a recording with audio"),
    ("moov atom not found", "was cut off before its index was written; copy or record it again"),
    ("not on whitelist", "is in a format that is not accepted; convert it to WAV"),
)
MAX_MISSING_S, MAX_MISSING_RATIO = 1.0, 0.02
"""A file is truncated if more than this of its declared duration is missing."""


class FfmpegReader:
    """A ``Reader`` over a pipe into which ffmpeg writes WAV.

    ffmpeg is started without a shell and restricted to this local file: its name cannot be taken
    for an option, a command or a URL, nor its contents for a playlist of other files.

    Args:
        program: path of ffmpeg.
        path: the file.
        sample_rate: rate in Hz to resample to; by default that of the file.

    Raises:
        DamagedError: ffmpeg cannot decode it.
    """

    frames = None

    def __init__(self, program: str, path: Path, sample_rate: int | None = None) -> None:
        self._path = path
        self._frames_read = 0
        self._lines: list[str] = []
        resampled = () if sample_rate is None else ("-ar", str(sample_rate))
        self._process = subprocess.Popen(
            [
                *(program, "-nostdin", "-hide_banner", "-nostats", "-v", "level+info"),
                *("-protocol_whitelist", "file,pipe", "-format_whitelist", DEMUXERS),
                *("-i", f"file:{path.absolute()}", "-vn", "-map", "0:a:0", "-map_metadata", "-1"),
                *("-c:a", "pcm_f32le", *resampled, "-f", "wav", "pipe:1"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C must reach this process only, which then stops ffmpeg
        )
        assert self._process.stderr is not None
        self._log = threading.Thread(
            target=self._read_log, args=(io.BufferedReader(self._process.stderr),), daemon=True
        )
        self._log.start()
        try:
            self._pcm = self._begin()
        except BaseException:
            self.close()
            raise
        self.sample_rate, self.channels = self._pcm.sample_rate, self._pcm.channels

    def _begin(self) -> PcmReader:
        stdout = self._process.stdout
        assert stdout is not None
        head, reader = b"", None
        while reader is None and len(head) < MAX_HEADER_BYTES:
            piece = stdout.read(MAX_HEADER_BYTES)
            if not piece:
                self._process.wait()
                self._log.join()
                raise DamagedError(self._reason())
            head += piece
            reader = wav_reader(stdout, head)
        if reader is None:
            raise DamagedError("cannot be decoded by ffmpeg; convert it to WAV")
        return reader

    @property
    def duration_s(self) -> float | None:
        """Declared duration, once ffmpeg has read the header; None if it is only an estimate."""
        lines = list(self._lines)
        if any("Estimating duration" in line for line in lines):
            return None
        for match in filter(None, map(DURATION.search, lines)):
            hours, minutes, seconds = match.groups()
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        return None

    @property
    def is_truncated(self) -> bool:
        """Whether the file is cut off; known at its end."""
        if any(TRUNCATED.search(line) for line in self._errors()):
            return True
        declared_s = self.duration_s
        if declared_s is None or any(": Video:" in line for line in self._lines):
            return False  # the video may be longer than the audio
        missing_s = declared_s - self._frames_read / self.sample_rate
        return missing_s > max(MAX_MISSING_S, MAX_MISSING_RATIO * declared_s)

    @property
    def damage(self) -> str:
        """Error message of ffmpeg, or ""; known at the end of the file."""
        return next((line for line in self._errors() if not TRUNCATED.search(line)), "")

    def read(self, count: int) -> Samples:
        """Return the next frames; see ``Reader.read``."""
        block = self._pcm.read(count)
        if not len(block):
            self._process.wait()
            self._log.join()
        self._frames_read += len(block)
        return block

    def close(self) -> None:
        """Stop ffmpeg."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait()
        self._log.join()

    def _read_log(self, stderr: io.BufferedReader) -> None:
        with stderr:
            while line := stderr.readline(MAX_LINE_BYTES):
                if len(self._lines) < MAX_LOG_LINES:
                    self._lines.append(line.decode(errors="replace").rstrip())

    def _errors(self) -> list[str]:
        name = f"file:{self._path.absolute()}: ".encode(errors="surrogateescape").decode(
            errors="replace"
        )
        found = (re.search(r"\[(?:error|fatal)\] (.*)", line) for line in list(self._lines))
        return [match.group(1).removeprefix(name) for match in found if match]

    def _reason(self) -> str:
        errors = self._errors()
        for text, reason in REASONS:
            if any(text in line for line in errors):
                return reason
        message = errors[-1] if errors else "failed"
        return f"cannot be decoded (ffmpeg: {message}); convert it to WAV"


def find_ffmpeg() -> str | None:
    """Return the path of ffmpeg, or None if it is not installed."""
    return shutil.which("ffmpeg")
