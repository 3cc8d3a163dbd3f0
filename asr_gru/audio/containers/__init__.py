"""Container structure of audio files, parsed to find audio that decoders silently skip."""

from __future__ import annotations

from pathlib import Path

from asr_gru.audio.containers.chunks import CHUNK_FORMATS, au_layout, chunk_layout
from asr_gru.audio.containers.flac import flac_layout
from asr_gru.audio.containers.layout import Extent, Layout, Part, SplicedFile
from asr_gru.audio.containers.mpeg import mpeg_layout
from asr_gru.audio.containers.ogg import ogg_layout

__all__ = ["Extent", "Layout", "Part", "SplicedFile", "read_layout"]

MPEG_SUFFIXES = {".mp3", ".mpga", ".mpeg"}


def read_layout(path: Path) -> Layout:
    """Parse the container of a file and return how to decode it.

    Formats that are not known here get an empty ``Layout``: the decoder reads the file as it is.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        magic = file.read(4)
    if magic == b"OggS":
        return ogg_layout(path)
    if magic == b"fLaC":
        return flac_layout(path)
    if magic in CHUNK_FORMATS:
        return chunk_layout(path, magic)
    if magic in {b".snd", b"dns."}:
        return au_layout(path)
    is_frame = magic[:1] == b"\xff" and magic[1:2] >= b"\xe0"
    if magic[:3] == b"ID3" or is_frame or path.suffix.lower() in MPEG_SUFFIXES:
        return mpeg_layout(path)
    return Layout()
