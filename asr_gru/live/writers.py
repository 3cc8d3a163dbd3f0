"""Files that a live session is written to while it runs.

After every final the file on disk is complete. Nothing is buffered in this process, so nothing is
lost if it dies.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asr_gru.audio import Resampler
from asr_gru.errors import ConfigError, Error, did_you_mean
from asr_gru.files import write_bytes
from asr_gru.formats.json import write_json
from asr_gru.formats.srt import srt_cue
from asr_gru.formats.subtitles import Cue, cues
from asr_gru.formats.txt import write_txt
from asr_gru.formats.vtt import VTT_HEADER, vtt_cue
from asr_gru.live.wav import WavFile
from asr_gru.results import Event, Segment, Transcript

if TYPE_CHECKING:
    from asr_gru.live.records import AudioBlock

__all__ = ["SUFFIXES", "AudioWriter", "SessionWriter", "check_new"]


class SessionWriter:
    """Writes the finals of a session to a new file.

    The suffix chooses the format: ``.txt`` (one line per segment), ``.srt`` and ``.vtt``
    (subtitles) and ``.jsonl`` (one JSON object per line) are appended to; ``.json`` is replaced as
    a whole after each final. Times are those of the session.

    Args:
        path: a file that does not exist yet or is empty.

    Raises:
        ConfigError: another suffix.
        Error: the file exists and is not empty.
        OSError: the file cannot be created.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = check_new(path, SUFFIXES)
        self._format = SUFFIXES[self.path.suffix.lower()](self.path.stem)
        self._file = None if isinstance(self._format, _Json) else self.path.open("wb", buffering=0)
        self._pending = b""
        self._put(self._format.begin())

    def __enter__(self) -> SessionWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, event: Event) -> None:
        """Write a final; partials are ignored.

        Raises:
            Error: the file cannot be written now. The text is kept and written with the next
                final or by ``close``.
        """
        if event.kind == "final":
            self._put(self._format.add(event.to_segment()))

    def close(self) -> None:
        """Write what is pending and close the file; raises as ``write`` does."""
        try:
            if self._pending:
                self._write()
        finally:
            if self._file is not None:
                self._file.close()

    def _put(self, text: str) -> None:
        data = text.encode()
        self._pending = data if self._file is None else self._pending + data
        self._write()

    def _write(self) -> None:
        try:
            if self._file is None:
                write_bytes(self.path, self._pending)
                self._pending = b""
            while self._pending and self._file is not None:
                self._pending = self._pending[self._file.write(self._pending) or 0 :]
        except OSError as error:
            raise Error(
                f"{self.path}: {error.strerror or error}; {len(self._pending)} bytes are kept "
                "and will be written with the next words"
            ) from None


class _Text:
    """One line per segment; the base of all formats."""

    def __init__(self, name: str) -> None:
        self._name = name

    def begin(self) -> str:
        return ""

    def add(self, segment: Segment) -> str:
        return write_txt(_alone(segment), self._name)


class _Subtitles(_Text, ABC):
    """Cues that never begin before the last one has ended."""

    _end_s = 0.0

    def add(self, segment: Segment) -> str:
        written = ""
        for cue in cues(_alone(segment)):
            start_s = max(cue.start_s, self._end_s)
            self._end_s = max(cue.end_s, start_s)
            written += self._cue(Cue(start_s, self._end_s, cue.lines))
        return written

    @abstractmethod
    def _cue(self, cue: Cue) -> str:
        """Return one cue in this format."""


class _Srt(_Subtitles):
    _count = 0

    def _cue(self, cue: Cue) -> str:
        self._count += 1
        return srt_cue(self._count, cue) + "\n"


class _Vtt(_Subtitles):
    def begin(self) -> str:
        return VTT_HEADER

    def _cue(self, cue: Cue) -> str:
        return vtt_cue(cue)


class _JsonLines(_Text):
    def add(self, segment: Segment) -> str:
        return json.dumps(segment.to_dict(), ensure_ascii=False) + "\n"


class _Json(_Text):
    """Returns the whole file each time."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._segments: list[Segment] = []

    def begin(self) -> str:
        return write_json(Transcript((), 0.0), self._name)

    def add(self, segment: Segment) -> str:
        self._segments.append(segment)
        return write_json(Transcript(tuple(self._segments), segment.end_s), self._name)


SUFFIXES: Mapping[str, Callable[[str], _Text]] = {
    ".txt": _Text,
    ".srt": _Srt,
    ".vtt": _Vtt,
    ".json": _Json,
    ".jsonl": _JsonLines,
}
"""The formats of ``SessionWriter`` by suffix."""


class AudioWriter:
    """Writes the audio of a session to a WAV file: 16 bits, mono, at the rate of the first block.

    Positions in the file are times of the session: gaps are filled with silence, as is what could
    not be written while the disk was full, and audio from a device with another rate is
    resampled. The file can be read at any time.

    Args:
        path: a file that ends in ``.wav`` and does not exist yet or is empty.

    Raises:
        ConfigError: another suffix.
        Error: the file exists and is not empty.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = check_new(path, [".wav"])
        self._file: WavFile | None = None
        self._from_rate = self._to_rate = 0
        self._is_behind = False

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, block: AudioBlock) -> None:
        """Append a block.

        Raises:
            Error: the file cannot be created or written now. Further blocks may be written
                nevertheless; what is missing between them becomes silence.
        """
        try:
            self._write(block)
        except OSError as error:
            self._is_behind = True
            raise Error(
                f"{self.path}: {error.strerror or error}; sound from {block.start_s:.1f} s on is "
                "silent in it until it can be written again"
            ) from None

    def close(self) -> None:
        """Close the file; raises as ``write`` does."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
        except OSError as error:
            raise Error(f"{self.path}: {error.strerror or error}") from None

    def _write(self, block: AudioBlock) -> None:
        if self._file is None:
            self._to_rate = block.sample_rate
            self._file = WavFile(self.path, self._to_rate)
        if block.sample_rate != self._from_rate:
            self._from_rate = block.sample_rate
            self._resampler = Resampler(self._from_rate, self._to_rate)
        missing = round(block.start_s * self._to_rate) - self._file.samples
        least = 0 if self._is_behind else 0.5 * self._to_rate  # up to that it may be mere lag
        if missing > least:
            self._resampler = Resampler(self._from_rate, self._to_rate)
            while missing > 0:
                self._file.append(np.zeros(min(missing, self._to_rate), np.float32))
                missing -= self._to_rate
        self._file.append(self._resampler.feed(block.samples))
        self._is_behind = False


def check_new(path: str | Path, suffixes: Mapping[str, object] | list[str]) -> Path:
    """Return ``path`` if a session may be written there.

    Raises:
        ConfigError: its suffix is not one of ``suffixes``.
        Error: the file exists and is not empty; nobody can speak a session again.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise ConfigError(
            f"{path}: no live format{did_you_mean(suffix, suffixes)}; "
            f"the name must end in {', '.join(suffixes)}"
        )
    if path.is_dir() or (path.is_file() and path.stat().st_size):
        raise Error(f"{path}: exists already; name another file, or remove it")
    return path


def _alone(segment: Segment) -> Transcript:
    return Transcript((segment,), float("inf"))
