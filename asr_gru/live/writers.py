"""Files that a live session is written to while it goes.

After every final the file on disk is whole: nothing waits in this process, so nothing is lost
with it.
"""

from __future__ import annotations

import html
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asr_gru.audio import Resampler
from asr_gru.errors import ConfigError, Error, did_you_mean
from asr_gru.files import write_bytes
from asr_gru.formats.json import write_json
from asr_gru.formats.subtitles import Cue, cues, stamp
from asr_gru.formats.txt import write_txt
from asr_gru.results import Event, Segment, Transcript

if TYPE_CHECKING:
    from asr_gru.live.session import AudioBlock

__all__ = ["SUFFIXES", "AudioWriter", "SessionWriter", "check_new"]


class SessionWriter:
    """Writes the finals of a session to a new file.

    The suffix says how: ``.txt`` a line a segment, ``.srt`` and ``.vtt`` subtitles, ``.jsonl`` a
    line of JSON a segment, all of them only ever appended to; ``.json`` is replaced as a whole
    after each final. Times are the session's.

    Args:
        path: the file; must not be there, or be empty.

    Raises:
        ConfigError: another suffix.
        Error: the file is there already.
        OSError: it cannot be made.
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
        """Write a final; partials are passed over.

        Raises:
            Error: the file cannot be written now. The text is kept, and tried again with the
                next final and by ``close``.
        """
        if event.kind == "final":
            segment = Segment(event.segment, event.text, event.start_s, event.end_s, event.words)
            self._put(self._format.add(segment))

    def close(self) -> None:
        """Write what is left and close the file; raises as ``write`` does."""
        try:
            if self._pending:
                self._put("")
        finally:
            if self._file is not None:
                self._file.close()

    def _put(self, text: str) -> None:
        data = text.encode()
        self._pending = data if self._file is None else self._pending + data
        try:
            if self._file is None:
                write_bytes(self.path, self._pending)
                self._pending = b""
            while self._pending and self._file is not None:
                self._pending = self._pending[self._file.write(self._pending) or 0 :]
        except OSError as error:
            raise Error(
                f"{self.path}: {error.strerror or error}; {len(self._pending)} bytes are kept "
                "and tried again with the next words"
            ) from None


class _Text:
    """One line a segment; the base of all formats."""

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
        """Return one cue as the format writes it."""


class _Srt(_Subtitles):
    _count = 0

    def _cue(self, cue: Cue) -> str:
        self._count += 1
        lines = "".join(f"{line}\n" for line in cue.lines)
        return f"{self._count}\n{stamp(cue.start_s, ',')} --> {stamp(cue.end_s, ',')}\n{lines}\n"


class _Vtt(_Subtitles):
    def begin(self) -> str:
        return "WEBVTT\n"

    def _cue(self, cue: Cue) -> str:
        lines = "".join(f"{html.escape(line, quote=False)}\n" for line in cue.lines)
        return f"\n{stamp(cue.start_s, '.')} --> {stamp(cue.end_s, '.')}\n{lines}"


class _JsonLines(_Text):
    def add(self, segment: Segment) -> str:
        document: dict[str, Any] = json.loads(write_json(_alone(segment), self._name))
        return json.dumps(document["segments"][0], ensure_ascii=False) + "\n"


class _Json(_Text):
    """Gives the whole file each time."""

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
"""What a session can be written as."""


class AudioWriter:
    """Writes the sound of a session to a WAV file, 16 bits, mono, at the first block's rate.

    A place in the file is a time of the session: gaps are filled with silence, and sound of a
    device with another rate is resampled. The header is right after every second.

    Args:
        path: the file, ending in ``.wav``; must not be there, or be empty.

    Raises:
        ConfigError: another suffix.
        Error: the file is there already.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = check_new(path, [".wav"])
        self._file: Any = None
        self._from_rate = self._to_rate = 0
        self._written = self._flushed = 0

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, heard: AudioBlock) -> None:
        """Write a block.

        Raises:
            Error: the file cannot be made or written.
        """
        try:
            self._write(heard)
        except (OSError, RuntimeError) as error:
            raise Error(
                f"{self.path}: {error}; the sound from {heard.start_s:.1f} s on is not saved"
            ) from None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, heard: AudioBlock) -> None:
        import soundfile

        if self._file is None:
            self._to_rate = heard.sample_rate
            self._file = soundfile.SoundFile(
                str(self.path), "w", self._to_rate, 1, "PCM_16", format="WAV"
            )
        if heard.sample_rate != self._from_rate:
            self._from_rate = heard.sample_rate
            self._resampler = Resampler(self._from_rate, self._to_rate)
        missing = round(heard.start_s * self._to_rate) - self._written
        if missing > 0.5 * self._to_rate:  # smaller ones are the resampler's lag
            self._resampler = Resampler(self._from_rate, self._to_rate)
            while missing > 0:
                self._append(np.zeros(min(missing, self._to_rate), np.float32))
                missing -= self._to_rate
        self._append(self._resampler.feed(heard.samples))
        if self._written - self._flushed >= self._to_rate:
            self._file.flush()
            self._flushed = self._written

    def _append(self, samples: Any) -> None:
        self._file.write(np.clip(samples, -1.0, 1.0))
        self._written += len(samples)


def check_new(path: str | Path, suffixes: Mapping[str, object] | list[str]) -> Path:
    """Return ``path`` if a session may be written there.

    Raises:
        ConfigError: its suffix is not one of ``suffixes``.
        Error: it is there already and not empty; a session cannot be spoken again.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise ConfigError(
            f"{path}: no live format{did_you_mean(suffix, suffixes)}; "
            f"the name must end in {', '.join(suffixes)}"
        )
    if path.is_dir() or (path.is_file() and path.stat().st_size):
        raise Error(f"{path}: is there already; name another file, or remove it")
    return path


def _alone(segment: Segment) -> Transcript:
    return Transcript((segment,), float("inf"))
