"""An open recording: its links decoded one after the other, mixed to mono, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from asr_gru.audio.ffmpeg import FfmpegReader, find_ffmpeg
from asr_gru.audio.mixdown import Mixdown
from asr_gru.audio.pcm import PcmReader
from asr_gru.audio.readers import DamagedError, Reader, SoundFileReader
from asr_gru.audio.resampler import Resampler
from asr_gru.audio.samples import HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS, Samples
from asr_gru.errors import AudioError

__all__ = ["Recording"]

BLOCK_S = 1.0
MOST_DAMAGES = 50
"""Places in a file that are passed over before the rest is given up."""
SKIPPED_S = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56)
"""How far damage is passed over, more each time until something can be decoded again."""


class Recording:
    """An open recording.

    Attributes:
        path: the file.
        sample_rate: in Hz, of its first link.
        channels: that ``blocks`` averages.
        warnings: what was wrong but bearable; complete once ``blocks`` is exhausted.

    Args:
        path: for messages, and for ffmpeg where libsndfile gives up.
        opened: its links, decoded one after the other; the first is open.
        is_cut: whether the file is known to stop before its end.
        can_fall_back: whether ffmpeg may be tried on ``path``.
        copy: a temporary file that is removed with the recording.
    """

    def __init__(
        self,
        path: Path,
        opened: Sequence[Callable[[], Reader]],
        *,
        is_cut: bool = False,
        can_fall_back: bool = False,
        copy: IO[bytes] | None = None,
    ) -> None:
        self.path = path
        self.warnings: list[str] = []
        self._links = opened
        self._is_cut = is_cut
        self._can_fall_back = can_fall_back
        self._reader = self._checked(opened[0]())
        self.sample_rate = self._reader.sample_rate
        self.channels = self._reader.channels
        self._mixdown = Mixdown()
        self._copy = copy
        self._file_path = path if copy is None else Path(copy.name)
        self._given = 0
        self._skipped_s = 0.0
        self._damage = ""

    @property
    def duration_s(self) -> float | None:
        """Seconds that the file announces, or None; may be known only after the first block."""
        return self._reader.duration_s if len(self._links) == 1 else None

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
        self._reader.close()
        if self._copy is not None:
            self._copy.close()

    def blocks(self, seconds: float = BLOCK_S) -> Iterator[Samples]:
        """Yield mono float32 blocks of ``seconds``; the last one may be shorter.

        However the blocks are cut, their samples are the same. A file that was cut off ends
        early, and damage in its middle becomes silence, each with a warning.

        Raises:
            AudioError: samples that are not numbers, or nothing that can be decoded.
        """
        size = max(1, round(seconds * self.sample_rate))
        kept: list[Samples] = []
        count = 0
        for block in self._mono():
            kept.append(block)
            count += len(block)
            while count >= size:
                joined = np.concatenate(kept)
                yield joined[:size]
                kept, count = [joined[size:]], count - size
        if count:
            yield np.concatenate(kept)
        self._conclude()

    def _mono(self) -> Iterator[Samples]:
        for index, link in enumerate(self._links):
            if index:
                self._reader.close()
                self._reader = self._checked(link())
            resampler = Resampler(self._reader.sample_rate, self.sample_rate)
            for frames in self._frames():
                try:
                    mono = self._mixdown.mix(frames)
                except AudioError as error:
                    raise AudioError(f"{self.path}: {error}") from None
                block = resampler.feed(mono)
                self._given += len(block)
                yield block
            rest = resampler.finish()
            self._given += len(rest)
            yield rest

    def _frames(self) -> Iterator[Samples]:
        """Yield what the open link holds, ``(n, channels)``; silence where it is damaged."""
        given = failures = damages = 0
        silence: list[Samples] = []
        while True:
            reader = self._reader
            try:
                block = reader.read(max(1, round(BLOCK_S * reader.sample_rate)))
            except DamagedError as damage:
                self._damage = str(damage)
                if self._take_ffmpeg(given):
                    continue
                hop = round(SKIPPED_S[min(failures, len(SKIPPED_S) - 1)] * reader.sample_rate)
                failures, damages = failures + 1, damages + 1
                if not given or damages > MOST_DAMAGES or not isinstance(reader, SoundFileReader):
                    break
                if not reader.skip(hop):
                    break
                silence.append(np.zeros((hop, reader.channels), np.float32))
                continue
            if not len(block):
                break
            for piece in silence:  # only between samples: an end without any is an early end
                self._skipped_s += len(piece) / reader.sample_rate
                given += len(piece)
                yield piece
            silence, failures = [], 0
            given += len(block)
            yield block
        announced = reader.frames
        self._is_cut |= bool(silence) or (announced is not None and given < announced)

    def _take_ffmpeg(self, given: int) -> bool:
        """Go on with ffmpeg where libsndfile stopped; say whether that is possible."""
        program = find_ffmpeg() if self._can_fall_back else None
        if program is None or isinstance(self._reader, FfmpegReader):
            return False
        try:
            reader = FfmpegReader(program, self._file_path, self._reader.sample_rate)
        except DamagedError:
            return False
        while given > 0:
            block = reader.read(min(given, 1 << 16))
            if not len(block):
                break
            given -= len(block)
        self._reader.close()
        self._reader = reader
        self._damage = ""
        return True

    def _conclude(self) -> None:
        """Say what was wrong with the recording."""
        reader = self._reader
        if isinstance(reader, FfmpegReader | PcmReader):
            self._is_cut |= reader.is_cut
        if isinstance(reader, FfmpegReader) and reader.damage and not self._is_cut:
            if not self._given:
                raise AudioError(f"{self.path}: cannot be decoded ({reader.damage})")
            self.warnings.append(f"{self.path}: damaged ({reader.damage}); check the text")
        if not self._given and (self._damage or self._is_cut):
            reason = self._damage or "was cut off before its first sample; record it again"
            raise AudioError(f"{self.path}: {reason}")
        if self._mixdown.has_cancelled:
            self.warnings.append(
                f"{self.path}: its channels cancel out (one is inverted); the louder one was taken"
            )
        if self._skipped_s:
            self.warnings.append(
                f"{self.path}: damaged; {self._skipped_s:.2f} s could not be decoded and are "
                "silence (ffmpeg, where it is installed, may read them)"
            )
        if self._is_cut:
            self.warnings.append(
                f"{self.path}: ends early, after {self._given / self.sample_rate:.1f} s; "
                "transcribed as far as it goes"
            )

    def _checked(self, reader: Reader) -> Reader:
        if (
            LOWEST_RATE <= reader.sample_rate <= HIGHEST_RATE
            and 1 <= reader.channels <= MOST_CHANNELS
        ):
            return reader
        reader.close()
        raise AudioError(
            f"{self.path}: its header says {reader.sample_rate} Hz and {reader.channels} channels; "
            "convert it to WAV"
        )
