"""An open recording: decoded link by link, mixed down to mono, and returned in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from asr_gru.audio.ffmpeg import FfmpegReader, find_ffmpeg
from asr_gru.audio.mixdown import Mixdown
from asr_gru.audio.pcm import PcmReader
from asr_gru.audio.readers import DamagedError, Reader, SoundFileReader
from asr_gru.audio.resampler import Resampler
from asr_gru.audio.samples import MAX_CHANNELS, MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, Samples
from asr_gru.audio.temporary import TemporaryCopy
from asr_gru.errors import AudioError

__all__ = ["Recording"]

BLOCK_S = 1.0
"""Seconds to decode at a time."""
PROMPT_MIX_S = 0.1
"""The same of several channels that are to be prompt: enough to tell if they cancel out."""
MAX_DAMAGED_REGIONS = 50
"""Damaged regions to skip before the rest of the file is abandoned."""
SKIP_LENGTHS_S = (0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56)
"""Seconds to skip at damage, longer each time until decoding succeeds again."""


class Recording:
    """An open recording.

    Attributes:
        path: the file.
        sample_rate: sample rate of the first link, in Hz.
        channels: number of channels, which ``blocks`` averages.
        warnings: problems that did not stop decoding; complete once ``blocks`` is exhausted.

    Args:
        path: named in messages, and given to ffmpeg if libsndfile fails.
        links: open a reader for each link; they are decoded in turn.
        is_truncated: whether the file is known to be cut off.
        can_fall_back: whether to retry ``path`` with ffmpeg.
        copy: temporary file that is deleted when the recording is closed.
    """

    def __init__(
        self,
        path: Path,
        links: Sequence[Callable[[], Reader]],
        *,
        is_truncated: bool = False,
        can_fall_back: bool = False,
        copy: TemporaryCopy | None = None,
    ) -> None:
        self.path = path
        self.warnings: list[str] = []
        self._links = links
        self._is_truncated = is_truncated
        self._can_fall_back = can_fall_back
        self._reader = self._checked_header(links[0]())
        self.sample_rate = self._reader.sample_rate
        self.channels = self._reader.channels
        self._mixdown = Mixdown()
        self._copy = copy
        self._file_path = path if copy is None else copy.path
        self._produced = 0
        self._skipped_s = 0.0
        self._unreadable_links = 0
        self._damage = ""
        self._first_frame = 0
        self._pcm_s = BLOCK_S

    @property
    def duration_s(self) -> float | None:
        """Declared duration in seconds, or None; may be known only after the first block."""
        return self._reader.duration_s if len(self._links) == 1 else None

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        try:
            self._reader.close()
        finally:
            if self._copy is not None:
                self._copy.close()

    def seek(self, frame: int) -> int:
        """Go on from ``frame`` before the first block, if the decoder can.

        Returns:
            the frame that decoding starts with: ``frame``, or 0.
        """
        reader = self._reader
        if len(self._links) > 1 or not isinstance(reader, SoundFileReader):
            return 0
        if not reader.seek(frame):
            return 0
        self._first_frame = frame
        return frame

    def blocks(self, seconds: float = BLOCK_S, *, prompt: bool = False) -> Iterator[Samples]:
        """Yield mono float32 blocks of ``seconds``; the last one may be shorter.

        The samples do not depend on ``seconds``. A truncated file ends early and damaged regions
        become silence, each with a warning.

        Args:
            seconds: length of a block.
            prompt: of a pipe with PCM, decode what a block needs and not a whole second, so that
                a block comes as soon as its samples have. Whether channels cancel out is then
                decided for shorter pieces.

        Raises:
            AudioError: NaN or infinite samples, nothing could be decoded, or reading failed.
        """
        size = max(1, round(seconds * self.sample_rate))
        if prompt:
            self._pcm_s = min(BLOCK_S, max(seconds, PROMPT_MIX_S * (self.channels > 1)))
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
        self._report_problems()

    def _mono(self) -> Iterator[Samples]:
        for index, link in enumerate(self._links):
            if index and not self._open_link(link):
                self._unreadable_links += 1
                continue
            resampler = Resampler(self._reader.sample_rate, self.sample_rate)
            for frames in self._frames():
                try:
                    mono = self._mixdown.mix(frames)
                except AudioError as error:
                    raise AudioError(f"{self.path}: {error}") from None
                block = resampler.feed(mono)
                self._produced += len(block)
                yield block
            rest = resampler.finish()
            self._produced += len(rest)
            yield rest

    def _open_link(self, link: Callable[[], Reader]) -> bool:
        """Go on with another link; return whether its header can be read."""
        import soundfile

        try:
            reader = link()
        except soundfile.LibsndfileError:
            return False
        self._reader.close()
        self._reader = self._checked_header(reader)
        return True

    def _frames(self) -> Iterator[Samples]:
        """Yield the frames ``(n, channels)`` of the open link, with silence for damaged regions."""
        produced = self._first_frame
        failures = damaged_regions = 0
        silence: list[Samples] = []
        while True:
            reader = self._reader
            try:
                seconds = self._pcm_s if isinstance(reader, PcmReader) else BLOCK_S
                block = reader.read(max(1, round(seconds * reader.sample_rate)))
            except OSError as error:
                raise AudioError(
                    f"{self.path}: cannot be read any further ({error.strerror or error}); check "
                    "the device or the program that it comes from"
                ) from None
            except DamagedError as damage:
                self._damage = str(damage)
                if self._switch_to_ffmpeg(produced):
                    continue
                hop = round(
                    SKIP_LENGTHS_S[min(failures, len(SKIP_LENGTHS_S) - 1)] * reader.sample_rate
                )
                failures, damaged_regions = failures + 1, damaged_regions + 1
                if (
                    not produced
                    or damaged_regions > MAX_DAMAGED_REGIONS
                    or not isinstance(reader, SoundFileReader)
                ):
                    break
                if not reader.skip(hop):
                    break
                silence.append(np.zeros((hop, reader.channels), np.float32))
                continue
            if not len(block):
                break
            for zeros in silence:  # only between samples: damage at the end is truncation
                self._skipped_s += len(zeros) / reader.sample_rate
                produced += len(zeros)
                yield zeros
            silence, failures = [], 0
            produced += len(block)
            yield block
        least = reader.min_frames if isinstance(reader, SoundFileReader) else reader.frames
        self._is_truncated |= bool(silence) or (least is not None and produced < least)

    def _switch_to_ffmpeg(self, produced: int) -> bool:
        """Continue with ffmpeg where libsndfile failed; return whether that is possible."""
        program = find_ffmpeg() if self._can_fall_back else None
        if program is None or isinstance(self._reader, FfmpegReader):
            return False
        try:
            reader = FfmpegReader(program, self._file_path, self._reader.sample_rate)
        except DamagedError:
            return False
        while produced > 0:
            block = reader.read(min(produced, 1 << 16))
            if not len(block):
                break
            produced -= len(block)
        self._reader.close()
        self._reader = reader
        self._damage = ""
        return True

    def _report_problems(self) -> None:
        """Add warnings, or raise AudioError if nothing could be decoded."""
        reader = self._reader
        if isinstance(reader, FfmpegReader | PcmReader):
            self._is_truncated |= reader.is_truncated
        if isinstance(reader, FfmpegReader) and reader.damage and not self._is_truncated:
            if not self._produced:
                raise AudioError(f"{self.path}: cannot be decoded ({reader.damage})")
            self.warnings.append(f"{self.path}: damaged ({reader.damage}); check the text")
        if not self._produced and (self._damage or self._is_truncated):
            reason = self._damage or "is cut off before its first sample; record it again"
            raise AudioError(f"{self.path}: {reason}")
        if self._mixdown.phase_cancelled:
            self.warnings.append(
                f"{self.path}: its channels cancel out (one is phase-inverted); "
                "only the louder one is used"
            )
        if self._skipped_s:
            self.warnings.append(
                f"{self.path}: damaged; {self._skipped_s:.2f} s could not be decoded and were "
                "replaced by silence (ffmpeg may decode them, if it is installed)"
            )
        if self._unreadable_links:
            self.warnings.append(
                f"{self.path}: {self._unreadable_links} of {len(self._links)} concatenated parts "
                "cannot be decoded and were left out; convert it to WAV"
            )
        if self._is_truncated:
            self.warnings.append(
                f"{self.path}: ends early, after "
                f"{(self._first_frame + self._produced) / self.sample_rate:.1f} s; "
                "only this much was transcribed"
            )

    def _checked_header(self, reader: Reader) -> Reader:
        if (
            MIN_SAMPLE_RATE <= reader.sample_rate <= MAX_SAMPLE_RATE
            and 1 <= reader.channels <= MAX_CHANNELS
        ):
            return reader
        reader.close()
        raise AudioError(
            f"{self.path}: its header declares {reader.sample_rate} Hz and "
            f"{reader.channels} channels; "
            "convert it to WAV"
        )
