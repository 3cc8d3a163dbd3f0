"""Opening recordings: files, raw PCM, pipes, standard input."""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import IO

import numpy as np

from asr_gru.audio.containers import Part, read_layout
from asr_gru.audio.ffmpeg import FfmpegReader, find_ffmpeg
from asr_gru.audio.pcm import MAX_HEADER_BYTES, WAV_MAGIC, PcmReader, RawAudio, wav_reader
from asr_gru.audio.readers import DamagedError, Reader, SoundFileReader
from asr_gru.audio.recording import Recording
from asr_gru.audio.resampler import Resampler
from asr_gru.audio.samples import Samples
from asr_gru.audio.temporary import TemporaryCopy
from asr_gru.errors import AudioError

__all__ = ["STDIN", "is_pipe", "open_recording", "read_recording"]

STDIN = Path("-")
"""Name of the standard input."""
SUFFIX = re.compile(r"\.\w{1,16}", re.ASCII)
"""Suffixes that the name of a temporary file can have, whatever a file object is called."""
RAW_SUFFIXES = {".raw", ".pcm"}
COPY_BLOCK = 1 << 20


def open_recording(source: str | Path | RawAudio | IO[bytes] | bytes) -> Recording:
    """Open a recording of any sample rate and number of channels.

    A source is a path, raw PCM, a binary file object, or the bytes of a whole file.

    Formats that libsndfile knows (wav, flac, mp3, ogg, opus, aiff and others) are decoded by it;
    all others by ffmpeg, if it is installed. Of pipes, raw PCM and WAV are decoded as data
    arrive, other formats once they are complete. ``-`` is the standard input.

    Raises:
        AudioError: missing, a folder, empty, not audio, or with an invalid header.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return _open_object(io.BytesIO(source), Path("the recording"))
    if not isinstance(source, str | Path | RawAudio):
        return _open_object(source, Path(str(getattr(source, "name", "the recording"))))
    path = source.path if isinstance(source, RawAudio) else Path(source)
    if "\0" in str(path):
        raise AudioError(f"{str(path)[:200]!r}: is no name of a file; name a recording")
    try:
        if path.is_dir():
            raise AudioError(f"{path}: is a folder; name a recording in it")
        if is_pipe(path) or (path == STDIN and sys.platform != "linux"):
            return _open_pipe(path, source)
        if path == STDIN:  # in Linux, this opens the file once more, from its first byte
            path = Path("/dev/stdin")
        if path.stat().st_size == 0:
            raise AudioError(f"{path}: is empty (0 bytes); record it again")
        if isinstance(source, RawAudio):
            return _open_raw(path.open("rb", buffering=0), source, path.stat().st_size)
        return _open_file(path, path)
    except OSError as error:
        raise AudioError(f"{path}: {error.strerror or error}; name a recording") from None


def is_pipe(path: Path) -> bool:
    """Return whether ``path`` is not seekable, so that it can be read only once."""
    mode = os.fstat(0).st_mode if path == STDIN else path.stat().st_mode
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _open_file(path: Path, name: Path, copy: TemporaryCopy | None = None) -> Recording:
    """Open a seekable file; ``name`` stands for it in messages."""
    import soundfile

    layout = read_layout(path)
    links: Sequence[tuple[Part, ...]] = layout.links or ((),)

    def link(parts: tuple[Part, ...]) -> Callable[[], Reader]:
        return lambda: SoundFileReader(path, parts)

    try:
        return Recording(
            name,
            [link(parts) for parts in links],
            is_truncated=layout.is_truncated,
            can_fall_back=not layout.links,
            copy=copy,
        )
    except soundfile.LibsndfileError:
        program = find_ffmpeg()
    raw = ", or give raw PCM to asr-gru transcribe --raw-rate" * (
        path.suffix.lower() in RAW_SUFFIXES
    )
    if program is None:
        raise AudioError(
            f"{name}: not in a supported format (wav, flac, mp3, ogg, opus, aiff); "
            f"convert it, or install ffmpeg for other formats{raw}"
        )
    try:
        reader = FfmpegReader(program, path)
    except DamagedError as error:
        raise AudioError(f"{name}: {error}{raw}") from None
    return Recording(name, [lambda: reader], is_truncated=layout.is_truncated, copy=copy)


def _open_raw(
    file: IO[bytes], audio: RawAudio, size: int | None = None, head: bytes = b""
) -> Recording:
    reader = PcmReader(
        file, audio.sample_rate, audio.channels, audio.encoding, size=size, head=head
    )
    return Recording(audio.path, [lambda: reader])


def _open_pipe(path: Path, source: str | Path | RawAudio) -> Recording:
    if path == STDIN:
        file: IO[bytes] = os.fdopen(os.dup(0), "rb", buffering=0)
    else:
        file = path.open("rb", buffering=0)
    try:
        _make_blocking(file)
        head, reader = b"", None
        if isinstance(source, RawAudio):
            head = file.read(1)
        else:
            while len(head) < MAX_HEADER_BYTES and reader is None:
                piece = file.read(MAX_HEADER_BYTES - len(head))
                head += piece
                if not piece or (len(head) >= 12 and head[:4] not in WAV_MAGIC):
                    break
                reader = wav_reader(file, head)
        if not head:
            raise AudioError(
                f"{path}: no data came through this pipe; check the program that writes to it"
            )
        if isinstance(source, RawAudio):
            return _open_raw(file, source, head=head)
        if reader is not None:
            found = reader
            return Recording(path, [lambda: found])
        opened = _open_copy(file, path, head)
    except BaseException:
        file.close()
        raise
    file.close()
    return opened


def _make_blocking(file: IO[bytes]) -> None:
    """Make reads wait for data, as other programs may share a pipe that does not."""
    if hasattr(os, "set_blocking"):  # from Python 3.12 on in Windows, and for pipes only
        with suppress(OSError):
            os.set_blocking(file.fileno(), True)


def _open_object(file: IO[bytes], name: Path) -> Recording:
    """Open the caller's file object, which is read from its current position and left open."""
    head = _read_object(file, name)
    if not head:
        raise AudioError(f"{name}: no data at the current position; rewind it with seek(0)")
    return _open_copy(file, name, head)


def _read_object(file: IO[bytes], name: Path) -> bytes:
    """Read from the caller's file object, which may be of any kind and in any state."""
    try:
        data: bytes | str | None = file.read(COPY_BLOCK)
    except UnicodeDecodeError:
        data = ""
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(
            f"{name}: cannot be read ({reason}); open it again, with mode 'rb'"
        ) from None
    if data is None:
        raise AudioError(f"{name}: has no data yet; open it in blocking mode")
    if not isinstance(data, bytes):
        raise AudioError(f"{name}: opened in text mode; open it with mode 'rb'")
    return data


def _open_copy(file: IO[bytes], name: Path, head: bytes) -> Recording:
    """Copy a stream that cannot seek to a temporary file, and open that."""
    try:
        copy = TemporaryCopy(name.suffix if SUFFIX.fullmatch(name.suffix) else "")
    except OSError as error:
        raise AudioError(
            f"{name}: needs a temporary file ({error.strerror or error}); "
            "set TMPDIR to a folder that can be written to"
        ) from None
    try:
        data = head
        while data:
            try:
                copy.file.write(data)
                copy.file.flush()
            except OSError as error:
                reason = error.strerror or error
                raise AudioError(f"{copy.path}: {reason}; free some space there") from None
            data = _read_object(file, name)
        copy.file.close()
        return _open_file(copy.path, name, copy)
    except BaseException:
        copy.close()
        raise


def read_recording(
    source: str | Path | RawAudio | IO[bytes] | bytes,
    sample_rate: int,
    *,
    start_s: float = 0.0,
    duration_s: float | None = None,
    warnings: list[str] | None = None,
) -> Samples:
    """Read a recording, or a segment of it, as mono float32 at ``sample_rate``, shape ``(n,)``.

    Where the decoder can seek, what is before ``start_s`` is not decoded.

    Args:
        source: the recording.
        sample_rate: in Hz.
        start_s: start of the part, in seconds.
        duration_s: seconds to read; None for the rest. Fewer are returned at the end.
        warnings: receives those of the recording.

    Raises:
        AudioError: as ``open_recording`` and ``Recording.blocks``.
    """
    with closing(open_recording(source)) as recording:
        resampler = Resampler(recording.sample_rate, sample_rate)
        first = round(start_s * recording.sample_rate)
        first -= recording.seek(first) if first else 0
        left = None if duration_s is None else round(duration_s * recording.sample_rate)
        pieces = []
        for block in recording.blocks(10.0 if duration_s is None else 1.0):
            rest = block[first:]
            first = max(0, first - len(block))
            if left is not None:
                rest = rest[:left]
                left -= len(rest)
            pieces.append(resampler.feed(rest))
            if left == 0:
                break
        pieces.append(resampler.finish())
        if warnings is not None:
            warnings += recording.warnings
    return np.concatenate(pieces)
