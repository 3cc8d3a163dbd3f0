"""Files that libsndfile cannot read, decoded by ffmpeg where it is installed."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
import threading
from pathlib import Path

from asr_gru.audio.pcm import MOST_HEADER, PcmReader, wav_reader
from asr_gru.audio.readers import DamagedError
from asr_gru.audio.samples import Samples

__all__ = ["FfmpegReader", "find_ffmpeg"]

CONTAINERS = (
    "3gp,aac,aiff,amr,ape,asf,au,avi,caf,flac,flv,m4a,matroska,mj2,mov,mp3,mp4,mpeg,mpegts,"
    "ogg,wav,webm,wv"
)
"""What ffmpeg may take a file for; not lists, which name other files."""
MOST_LINES, LONGEST_LINE = 400, 500
DURATION = re.compile(r"Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
CUT = re.compile("prematurely|partial file|buffer exhausted|moov atom not found", re.IGNORECASE)
REASONS = (
    ("matches no streams", "has no sound track; name a recording with sound"),
    ("moov atom not found", "was cut off before its index was written; copy or record it again"),
)
SHORT_S, SHORT_SHARE = 1.0, 0.02
"""A file ends early when that much less comes out of it than it announces."""


class FfmpegReader:
    """A ``Reader`` over a pipe from ffmpeg, which writes WAV into it.

    ffmpeg is started with a list of arguments and may open this local file only, so nothing in
    its name is understood as an option, a command or an address, and nothing in it as a list of
    other files.

    Args:
        program: where ffmpeg is.
        path: the file.
        sample_rate: that ffmpeg resamples to, in Hz; the file's own when not given.

    Raises:
        DamagedError: ffmpeg cannot read it.
    """

    frames = None

    def __init__(self, program: str, path: Path, sample_rate: int | None = None) -> None:
        self._given = 0
        self._lines: list[str] = []
        resampled = () if sample_rate is None else ("-ar", str(sample_rate))
        self._process = subprocess.Popen(
            [
                *(program, "-nostdin", "-hide_banner", "-nostats", "-v", "level+info"),
                *("-protocol_whitelist", "file,pipe", "-format_whitelist", CONTAINERS),
                *("-i", f"file:{path.absolute()}", "-vn", "-map", "0:a:0", "-map_metadata", "-1"),
                *("-c:a", "pcm_f32le", *resampled, "-f", "wav", "pipe:1"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for this process, which then ends ffmpeg
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
        while reader is None and len(head) < MOST_HEADER:
            piece = stdout.read(MOST_HEADER)
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
        """What the file announces, once ffmpeg has read its header; None when only estimated."""
        lines = list(self._lines)
        if any("Estimating duration" in line for line in lines):
            return None
        for match in filter(None, map(DURATION.search, lines)):
            hours, minutes, seconds = match.groups()
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        return None

    @property
    def is_cut(self) -> bool:
        """Whether the file stops before its end; known once all was read."""
        if any(CUT.search(line) for line in self._errors()):
            return True
        announced_s = self.duration_s
        if announced_s is None or any(": Video:" in line for line in self._lines):
            return False  # pictures may last longer than the sound
        missing_s = announced_s - self._given / self.sample_rate
        return missing_s > max(SHORT_S, SHORT_SHARE * announced_s)

    @property
    def damage(self) -> str:
        """What ffmpeg could not decode, in its words, or ""; known once all was read."""
        return next((line for line in self._errors() if not CUT.search(line)), "")

    def read(self, count: int) -> Samples:
        """Return the next frames; see ``Reader.read``."""
        block = self._pcm.read(count)
        if not len(block):
            self._process.wait()
            self._log.join()
        self._given += len(block)
        return block

    def close(self) -> None:
        """End ffmpeg, wherever it is."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait()
        self._log.join()

    def _read_log(self, stderr: io.BufferedReader) -> None:
        with stderr:
            while line := stderr.readline(LONGEST_LINE):
                if len(self._lines) < MOST_LINES:
                    self._lines.append(line.decode(errors="replace").rstrip())

    def _errors(self) -> list[str]:
        found = (re.search(r"\[(?:error|fatal)\] (.*)", line) for line in list(self._lines))
        return [match.group(1) for match in found if match]

    def _reason(self) -> str:
        errors = self._errors()
        for text, reason in REASONS:
            if any(text in line for line in errors):
                return reason
        said = errors[-1] if errors else "failed"
        return f"cannot be decoded (ffmpeg: {said}); convert it to WAV"


def find_ffmpeg() -> str | None:
    """Return where ffmpeg is installed, or None."""
    return shutil.which("ffmpeg")
