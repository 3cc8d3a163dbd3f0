"""Transcripts as text in the formats that other programs read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from asr_gru.errors import ConfigError, did_you_mean
from asr_gru.formats.ctm import write_ctm
from asr_gru.formats.json import write_json
from asr_gru.formats.srt import write_srt
from asr_gru.formats.textgrid import write_textgrid
from asr_gru.formats.tsv import write_tsv
from asr_gru.formats.txt import write_txt
from asr_gru.formats.vtt import write_vtt
from asr_gru.results import Transcript

__all__ = ["WRITERS", "Writer", "writer"]

Writer = Callable[[Transcript, str], str]
"""Takes a transcript and the recording's name; returns the whole file."""

WRITERS: Mapping[str, Writer] = {
    "txt": write_txt,
    "srt": write_srt,
    "vtt": write_vtt,
    "json": write_json,
    "tsv": write_tsv,
    "ctm": write_ctm,
    "TextGrid": write_textgrid,
}


def writer(name: str) -> Writer:
    """Return the writer of a format; ConfigError names the nearest one."""
    if name not in WRITERS:
        raise ConfigError(
            f"no format {name!r}{did_you_mean(name, WRITERS)}; one of {', '.join(WRITERS)}"
        )
    return WRITERS[name]
