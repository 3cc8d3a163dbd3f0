"""MP3 (MPEG audio layer III): count the frames rather than trust the header of the file.

Frame headers are those of ISO/IEC 11172-3 and 13818-3. The first frame may be an info frame: a
silent one with a Xing (or Info) or VBRI header that gives the number of frames. Decoders trust
it; without one they estimate the length from the bit rate of the first frame.
"""

from __future__ import annotations

import functools
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from asr_gru.audio.containers.layout import Extent, Layout, append_extent

__all__ = ["mpeg_layout"]

BITRATES_KBPS = {
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES = (44_100, 48_000, 32_000)
SEARCH_BYTES = 1 << 20
"""Maximum number of bytes searched for the next frame."""
NEAR_BYTES = 1 << 12
"""Bytes searched at first."""
MAX_FRAME_BYTES = 1 << 11
"""More than the longest frame and the next header have."""
PEEK_BYTES = 48
TAG = re.compile(rb"ID3.{3}[\x00-\x7f]{4}", re.DOTALL)
"""Header of an ID3v2 tag; its size has seven bits in each byte."""
TAG_BYTES = 10
XING_FRAMES, XING_BYTES = 1, 2


@dataclass(frozen=True, slots=True)
class _Frame:
    """Parsed frame header; ``key`` is the same in all frames of one stream."""

    length: int
    key: tuple[int, int, bool]
    info_offset: int


@dataclass(slots=True)
class _Link:
    """Run of frames of one sample rate and channel count, without info frames."""

    key: tuple[int, int, bool]
    header: bytes
    extents: list[Extent] = field(default_factory=list)
    frames: int = 0
    info: bytes = b""
    info_count: int = 0


@functools.lru_cache(4096)
def _parse(header: bytes) -> _Frame | None:
    """Parse the four bytes of a frame header; None if they are no layer III header."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
    bitrate, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer != 1 or not 0 < bitrate < 15 or rate == 3:
        return None
    is_first = version == 3
    hz = RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    length = (144 if is_first else 72) * BITRATES_KBPS[is_first][bitrate] * 1000 // hz
    is_mono = header[3] >> 6 == 3
    side = (17 if is_mono else 32) if is_first else (9 if is_mono else 17)
    return _Frame(length + (header[2] >> 1 & 1), (version, hz, is_mono), 4 + side)


def mpeg_layout(path: Path) -> Layout:
    """Count the frames of an mp3 file.

    A file whose info frame gives the right count, and that holds nothing but frames, is decoded
    as it is. Otherwise tags and damaged bytes are dropped, and each run of frames of one sample
    rate and channel count gets a correct info frame.
    """
    links: list[_Link] = []
    size = path.stat().st_size
    has_junk = is_truncated = False
    with path.open("rb", buffering=1 << 16) as file:
        begin = position = _skip_tags(file, 0)
        stop = size - _id3v1_size(file, size)
        while position < stop:
            file.seek(position)
            head = file.read(PEEK_BYTES)
            frame = _parse(head[:4])
            if frame is None:
                found = _resync(file, position, stop)
                has_junk |= found is not None or (not links and position == begin)
                if found is None:
                    break
                position = found
                continue
            if position + frame.length > stop:
                is_truncated = True
                break
            if not links or links[-1].key != frame.key:
                file.seek(position + frame.length)
                following = _parse(file.read(4))
                if links and (
                    following is None or following.key != frame.key
                ):  # damage, not a new stream
                    has_junk = True
                    position += 1
                    continue
                links.append(_Link(frame.key, head[:4]))
            link = links[-1]
            if _is_info(head, frame):
                file.seek(position)
                link.info = link.info or file.read(frame.length)
                link.info_count += 1
                if len(links) == 1 and _matches_file(link.info, frame, stop - position, link):
                    return Layout()
            else:
                link.frames += 1
                append_extent(link.extents, Extent(position, position + frame.length))
            position += frame.length
    links = [link for link in links if link.frames]
    if not links:
        return Layout()
    declared = _declared_frames(links[0])
    if len(links) == 1 and links[0].info_count == 1 and declared is not None:
        is_truncated |= declared > links[0].frames
        if declared == links[0].frames and not has_junk:
            return Layout(is_truncated=is_truncated)
    return Layout(tuple((_info_frame(link), *link.extents) for link in links), is_truncated)


def _skip_tags(file: BinaryIO, position: int) -> int:
    """Return the offset behind the ID3v2 tags at ``position``."""
    while True:
        file.seek(position)
        head = file.read(TAG_BYTES)
        if TAG.match(head) is None:
            return position
        length = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        position += TAG_BYTES + length + (TAG_BYTES if head[5] & 0x10 else 0)


def _id3v1_size(file: BinaryIO, size: int) -> int:
    file.seek(max(0, size - 128))
    return 128 if size >= 128 and file.read(3) == b"TAG" else 0


def _resync(file: BinaryIO, position: int, stop: int) -> int | None:
    """Return the next offset after ``position`` of a tag or of two frames of one stream."""
    tagged = _skip_tags(file, position)
    if tagged > position:
        return tagged if tagged < stop else None
    size = NEAR_BYTES
    while True:  # most frames are near: reading far each time would take long
        file.seek(position)
        data = file.read(min(size, stop - position))
        is_last = len(data) < size or size == SEARCH_BYTES
        searched = len(data) if is_last else size - MAX_FRAME_BYTES
        offset = _find_frames(data, searched)
        before = searched if offset is None else offset
        tag = TAG.search(data, 1, before + TAG_BYTES - 1)
        if tag is not None:
            return position + tag.start()
        if offset is not None:
            return position + offset
        if is_last:
            return None
        size *= 4


def _find_frames(data: bytes, stop: int) -> int | None:
    """Return the first offset from 1 to ``stop`` with two consecutive frames of one stream."""
    offset = 0
    while True:
        offset = data.find(b"\xff", offset + 1, stop)
        if offset < 0:
            return None
        frame = _parse(data[offset : offset + 4])
        if frame is None:
            continue
        following = _parse(data[offset + frame.length : offset + frame.length + 4])
        if following is not None and following.key == frame.key:
            return offset


def _is_info(head: bytes, frame: _Frame) -> bool:
    at = frame.info_offset
    return head[at : at + 4] in (b"Xing", b"Info") or head[36:40] == b"VBRI"


def _declared_frames(link: _Link) -> int | None:
    """Return the number of frames that the info frame of a link declares, or None."""
    frame = _parse(link.header)
    if frame is None or not link.info:
        return None
    if link.info[36:40] == b"VBRI":
        return int.from_bytes(link.info[50:54], "big")
    at = frame.info_offset
    flags = int.from_bytes(link.info[at + 4 : at + 8], "big")
    return int.from_bytes(link.info[at + 8 : at + 12], "big") if flags & XING_FRAMES else None


def _matches_file(info: bytes, frame: _Frame, rest: int, link: _Link) -> bool:
    """Return whether an info frame declares frames, and as many bytes as the file holds."""
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


def _info_frame(link: _Link) -> bytes:
    """Return an info frame with the link's true length: its own, corrected, or a new one."""
    length = sum(map(len, link.extents))
    frame = _parse(link.header)
    assert frame is not None
    at = frame.info_offset
    if link.info_count == 1 and link.info[at : at + 4] in (b"Xing", b"Info"):
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
