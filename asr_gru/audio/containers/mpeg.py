"""MPEG audio, layer III: every frame counted, whatever the header of the file says.

Frame headers are those of ISO/IEC 11172-3 and 13818-3; the first frame of a file may be a silent
one with a Xing (or Info) or VBRI header, which says how many frames follow. Decoders believe it,
and without one they guess the length from the first frame.
"""

from __future__ import annotations

import functools
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from asr_gru.audio.containers.layout import Extent, Layout

__all__ = ["mpeg_layout"]

KBPS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES = (44_100, 48_000, 32_000)
SEARCHED = 1 << 20
"""Bytes in which the next frame must be found."""
PEEKED = 48
XING_FRAMES, XING_BYTES = 1, 2


@dataclass(frozen=True, slots=True)
class _Frame:
    """What a frame header says; ``key`` is the same in all frames of one stream."""

    length: int
    key: tuple[int, int, bool]
    info_offset: int


@dataclass(slots=True)
class _Link:
    """Frames of one rate and channel count, without those that only inform."""

    key: tuple[int, int, bool]
    header: bytes
    extents: list[Extent] = field(default_factory=list)
    frames: int = 0
    info: bytes = b""
    infos: int = 0


@functools.lru_cache(4096)
def _parse(header: bytes) -> _Frame | None:
    """Read the four bytes of a frame header; None when they are none of layer III."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    bitrate, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer != 1 or not 0 < bitrate < 15 or rate == 3:
        return None
    is_first = version == 3
    hz = RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    length = (144 if is_first else 72) * KBPS[is_first][bitrate] * 1000 // hz
    is_mono = header[3] >> 6 == 3
    side = (17 if is_mono else 32) if is_first else (9 if is_mono else 17)
    return _Frame(length + (header[2] >> 1 & 1), (version, hz, is_mono), 4 + side)


def mpeg_layout(path: Path) -> Layout:
    """Count the frames of an mp3 file.

    A file that is all frames, as many as its first one says, is read as it is. Otherwise tags and
    damaged bytes are left out, and each run of frames of one rate and channel count gets a first
    frame that says how many it has.
    """
    links: list[_Link] = []
    size = path.stat().st_size
    has_junk = is_cut = False
    with path.open("rb", buffering=1 << 16) as file:
        begin = position = _skip_tags(file, 0)
        stop = size - _tag_behind(file, size)
        while position < stop:
            file.seek(position)
            head = file.read(PEEKED)
            frame = _parse(head[:4])
            if frame is None:
                found = _find(file, position, stop)
                has_junk |= found is not None or (not links and position == begin)
                if found is None:
                    break
                position = found
                continue
            if position + frame.length > stop:
                is_cut = True
                break
            if not links or links[-1].key != frame.key:
                file.seek(position + frame.length)
                behind = _parse(file.read(4))
                if links and (behind is None or behind.key != frame.key):  # damage, no new stream
                    has_junk = True
                    position += 1
                    continue
                links.append(_Link(frame.key, head[:4]))
            link = links[-1]
            if _is_info(head, frame):
                file.seek(position)
                link.info = link.info or file.read(frame.length)
                link.infos += 1
                if len(links) == 1 and _is_trusted(link.info, frame, stop - position, link):
                    return Layout()
            else:
                link.frames += 1
                _append(link.extents, Extent(position, position + frame.length))
            position += frame.length
    links = [link for link in links if link.frames]
    if not links:
        return Layout()
    announced = _announced(links[0])
    if len(links) == 1 and links[0].infos == 1 and announced is not None:
        is_cut |= announced > links[0].frames
        if announced == links[0].frames and not has_junk:
            return Layout(is_cut=is_cut)
    return Layout(tuple((_first_frame(link), *link.extents) for link in links), is_cut)


def _skip_tags(file: BinaryIO, position: int) -> int:
    """Return where the ID3v2 tags at ``position`` end."""
    while True:
        file.seek(position)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3" or any(byte & 0x80 for byte in head[6:]):
            return position
        length = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        position += 10 + length + (10 if head[5] & 0x10 else 0)


def _tag_behind(file: BinaryIO, size: int) -> int:
    file.seek(max(0, size - 128))
    return 128 if size >= 128 and file.read(3) == b"TAG" else 0


def _find(file: BinaryIO, position: int, stop: int) -> int | None:
    """Return the next place after ``position`` with two frames of one stream in a row."""
    tagged = _skip_tags(file, position)
    if tagged > position:
        return tagged if tagged < stop else None
    file.seek(position)
    data = file.read(min(SEARCHED, stop - position))
    offset = 0
    while True:
        offset = data.find(b"\xff", offset + 1)
        if offset < 0:
            tag = data.find(b"ID3", 1)
            return position + tag if tag > 0 else None
        frame = _parse(data[offset : offset + 4])
        if frame is None:
            continue
        behind = _parse(data[offset + frame.length : offset + frame.length + 4])
        if behind is not None and behind.key == frame.key:
            tag = data.find(b"ID3", 1, offset)
            is_tag = tag > 0 and _skip_tags(file, position + tag) > position + tag
            return position + (tag if is_tag else offset)


def _is_info(head: bytes, frame: _Frame) -> bool:
    at = frame.info_offset
    return head[at : at + 4] in (b"Xing", b"Info") or head[36:40] == b"VBRI"


def _announced(link: _Link) -> int | None:
    """Return how many frames the informing frame of a link announces."""
    frame = _parse(link.header)
    if frame is None or not link.info:
        return None
    if link.info[36:40] == b"VBRI":
        return int.from_bytes(link.info[50:54], "big")
    at = frame.info_offset
    flags = int.from_bytes(link.info[at + 4 : at + 8], "big")
    return int.from_bytes(link.info[at + 8 : at + 12], "big") if flags & XING_FRAMES else None


def _is_trusted(info: bytes, frame: _Frame, rest: int, link: _Link) -> bool:
    """Say whether the first frame announces frames, and all the bytes there are from it on."""
    at = frame.info_offset
    flags = int.from_bytes(info[at + 4 : at + 8], "big")
    wanted = XING_FRAMES | XING_BYTES
    return (
        not link.frames
        and info[at : at + 4] in (b"Xing", b"Info")
        and flags & wanted == wanted
        and int.from_bytes(info[at + 8 : at + 12], "big") > 0
        and int.from_bytes(info[at + 12 : at + 16], "big") == rest
    )


def _first_frame(link: _Link) -> bytes:
    """Return a frame that announces the link's own length: its own put right, or a new one."""
    length = sum(map(len, link.extents))
    frame = _parse(link.header)
    assert frame is not None
    at = frame.info_offset
    if link.infos == 1 and link.info[at : at + 4] in (b"Xing", b"Info"):
        flags = int.from_bytes(link.info[at + 4 : at + 8], "big")
        if flags & 3 == XING_FRAMES | XING_BYTES:
            counts = struct.pack(">II", link.frames, len(link.info) + length)
            return link.info[: at + 8] + counts + link.info[at + 16 :]
    bits = bytes((link.header[0], link.header[1] | 1, 9 << 4 | link.header[2] & 0x0C))
    header = bits + link.header[3:4]
    made = _parse(header)
    assert made is not None
    counts = struct.pack(">III", XING_FRAMES | XING_BYTES, link.frames, made.length + length)
    return (header + bytes(at - 4) + b"Xing" + counts).ljust(made.length, b"\0")


def _append(extents: list[Extent], extent: Extent) -> None:
    if extents and extents[-1].stop == extent.start:
        extents[-1] = Extent(extents[-1].start, extent.stop)
    else:
        extents.append(extent)
