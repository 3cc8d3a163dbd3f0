"""Recordings: any file that soundfile reads, others through ffmpeg, block by block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from asr_gru.audio import ffmpeg
from asr_gru.audio.resampler import Resampler
from asr_gru.audio.samples import HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS, Samples, check_samples
from asr_gru.errors import AudioError

__all__ = ["SUFFIXES", "Recording", "find_recordings", "open_recording", "read_recording"]

SUFFIXES = frozenset(
    [
        ".wav",
        ".wave",
        ".flac",
        ".mp3",
        ".ogg",
        ".oga",
        ".opus",
        ".aiff",
        ".aif",
        ".aifc",
        ".au",
        ".caf",
        ".w64",
        ".rf64",
        ".m4a",
        ".mp4",
        ".aac",
        ".webm",
        ".mkv",
        ".mov",
        ".wma",
        ".amr",
        ".3gp",
    ]
)
BLOCK_S = 1.0
SALVAGE = 240
"""Samples a read close to damage in a file."""


class Recording:
    """An open recording.

    Attributes:
        path: the file.
        sample_rate: in Hz.
        channels: averaged by ``blocks``.
        duration_s: what the header declares, or None.
        warnings: what was wrong but bearable; complete once ``blocks`` is exhausted.
    """

    def __init__(self, path: Path, file: Any) -> None:
        self.path = path
        self.warnings: list[str] = []
        self.sample_rate = int(file.samplerate)
        self.channels = int(file.channels)
        frames = int(file.frames)
        known = 0 <= frames < 2**62
        self.duration_s = frames / self.sample_rate if known else None
        self._frames = frames if known else None
        self._file = file

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _reopen(self, skip: int) -> None:
        import soundfile

        self._file.close()
        self._file = soundfile.SoundFile(str(self.path))
        _discard(self._file, skip)

    def blocks(self, seconds: float = BLOCK_S) -> Iterator[Samples]:
        """Yield mono float32 blocks of about ``seconds``; the last one may be shorter.

        A file cut in its middle ends early, with a warning.

        Raises:
            AudioError: samples that are not numbers, or nothing that can be decoded.
        """
        size = max(1, round(seconds * self.sample_rate))
        given = 0
        broken = ""
        while True:
            try:
                block = self._file.read(size, dtype="float32", always_2d=True)
            except RuntimeError as error:
                if size == SALVAGE or isinstance(self._file, ffmpeg.FfmpegFile):
                    broken = str(error)
                    break
                self._reopen(given)  # a failed read loses what came before the damage in it
                size = SALVAGE
                continue
            if not len(block):
                break
            given += len(block)
            try:
                yield check_samples(block)
            except AudioError as error:
                raise AudioError(f"{self.path}: {error}") from None
        if broken and not given:
            raise AudioError(f"{self.path}: cannot be decoded ({broken}); convert it to WAV")
        if broken or (self._frames is not None and given < self._frames):
            self.warnings.append(
                f"{self.path}: ends early, after {given / self.sample_rate:.1f} s; "
                "transcribed as far as it goes"
            )


def _discard(file: Any, frames: int) -> None:
    while frames > 0:
        frames -= len(file.read(min(frames, 1 << 16), dtype="float32", always_2d=True))


def open_recording(path: str | Path) -> Recording:
    """Open a recording of any rate and channel count.

    wav, flac, mp3, ogg, opus, aiff and their kin are read by soundfile; anything else by ffmpeg
    where it is installed.

    Raises:
        AudioError: not there, a folder, empty, not audio, or with an impossible header.
    """
    import soundfile

    path = Path(path)
    try:
        if path.is_dir():
            raise AudioError(f"{path}: is a folder; name a recording in it")
        if path.stat().st_size == 0:
            raise AudioError(f"{path}: is empty (0 bytes); record it again")
        file: Any = soundfile.SoundFile(str(path))
    except OSError as error:
        raise AudioError(f"{path}: {error.strerror or error}; name a recording") from None
    except soundfile.LibsndfileError:
        file = ffmpeg.decode(path)
    if not (LOWEST_RATE <= file.samplerate <= HIGHEST_RATE and 1 <= file.channels <= MOST_CHANNELS):
        file.close()
        raise AudioError(
            f"{path}: its header says {file.samplerate} Hz and {file.channels} channels; "
            "convert it to WAV"
        )
    return Recording(path, file)


def read_recording(path: str | Path, sample_rate: int) -> Samples:
    """Read a whole recording as mono float32 at ``sample_rate``, shape ``(n,)``."""
    with closing(open_recording(path)) as recording:
        resampler = Resampler(recording.sample_rate, sample_rate)
        pieces = [resampler.feed(block) for block in recording.blocks(10.0)]
        pieces.append(resampler.finish())
    return np.concatenate(pieces)


def find_recordings(paths: Iterable[str | Path]) -> list[Path]:
    """Return the files of ``paths``, with every folder replaced by the recordings under it.

    Raises:
        AudioError: a path that is not there, or a folder without a recording.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(
                file
                for file in path.rglob("*")
                if file.suffix.lower() in SUFFIXES
                and file.is_file()
                and not any(part.startswith(".") for part in file.relative_to(path).parts)
            )
            if not inside:
                raise AudioError(f"{path}: no recordings in this folder; name one that has some")
            found.extend(inside)
        elif path.exists():
            found.append(path)
        else:
            raise AudioError(f"{path}: no such file; name a recording or a folder of them")
    return found
