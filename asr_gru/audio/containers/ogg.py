"""Ogg (RFC 3533): split chained files into links, and detect a missing last page."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

from asr_gru.audio.containers.layout import Extent, Layout, append_extent

__all__ = ["ogg_layout"]

MAGIC = b"OggS"
HEADER = struct.Struct("<4sBBqIIIB")
FIRST_PAGE, LAST_PAGE = 2, 4
AUDIO = (b"OpusHead", b"\x01vorbis", b"\x7fFLAC", b"Speex   ")
MAX_PAGE_HEADER, MAX_PAGE = 27 + 255, 27 + 255 + 255 * 255


@dataclass(slots=True)
class _Link:
    """Link of a chain: logical streams that begin together.

    ``audio`` is the serial number of the first audio stream, ``pages`` are its pages.
    """

    start: int
    stop: int = 0
    serials: set[int] = field(default_factory=set)
    audio: int | None = None
    pages: list[Extent] = field(default_factory=list)
    has_begun: bool = False
    has_ended: bool = False


def ogg_layout(path: Path) -> Layout:
    """Walk the pages of an Ogg file.

    A file of one link with one stream is decoded as it is. Otherwise each link is decoded as a
    file of its own that holds only the pages of its first audio stream.
    """
    links: list[_Link] = []
    is_partial = has_junk = False
    size = path.stat().st_size
    with path.open("rb", buffering=1 << 20) as file:
        position = 0
        while position < size:
            file.seek(position)
            head = file.read(MAX_PAGE_HEADER)
            if len(head) < HEADER.size and MAGIC.startswith(head[:4]):
                is_partial = True
                break
            if head[:4] != MAGIC:
                head += file.read(MAX_PAGE)
                found = head.find(MAGIC, 1)
                has_junk = True
                position += found if found > 0 else max(1, len(head) - 3)
                continue
            _, _, flags, _, serial, _, _, segments = HEADER.unpack_from(head)
            lengths = head[HEADER.size : HEADER.size + segments]
            body = HEADER.size + segments
            stop = position + body + sum(lengths)
            if len(lengths) < segments or stop > size:
                is_partial = True
                break
            if flags & FIRST_PAGE:
                if not links or links[-1].has_begun:
                    links.append(_Link(position))
                link = links[-1]
                link.serials.add(serial)
                if link.audio is None and head[body:].startswith(AUDIO):
                    link.audio = serial
            elif links:
                links[-1].has_begun = True
            if links:
                link = links[-1]
                link.stop = stop
                if serial == link.audio:
                    append_extent(link.pages, Extent(position, stop))
                    link.has_ended |= bool(flags & LAST_PAGE)
            position = stop
    audio_links = [link for link in links if link.audio is not None and link.has_begun]
    if not audio_links:
        return Layout()
    is_truncated = is_partial or not audio_links[-1].has_ended
    if len(links) == 1 and len(links[0].serials) == 1 and not has_junk:
        return Layout(is_truncated=is_truncated)
    return Layout(tuple(tuple(link.pages) for link in audio_links), is_truncated)
