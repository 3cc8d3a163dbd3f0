"""Writers of transcripts: plain text, subtitles, JSON, TSV, CTM and TextGrid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from asr_gru.errors import ConfigError, Error, did_you_mean
from asr_gru.files import readable_name, write_bytes
from asr_gru.formats.ctm import write_ctm
from asr_gru.formats.json import write_json
from asr_gru.formats.srt import write_srt
from asr_gru.formats.textgrid import write_textgrid
from asr_gru.formats.tsv import write_tsv
from asr_gru.formats.txt import write_txt
from asr_gru.formats.vtt import write_vtt
from asr_gru.results import Alignment, Transcript, Word

__all__ = ["WRITERS", "Writer", "format_alignment", "save", "writer"]

Writer = Callable[[Transcript, str], str]
"""Takes a transcript and the name of its recording; returns the contents of a file."""

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
    """Return the writer for a format.

    Raises:
        ConfigError: unknown format; the message suggests a similar one.
    """
    if name not in WRITERS:
        raise ConfigError(
            f"unknown format {name!r}{did_you_mean(name, WRITERS)}; use one of {', '.join(WRITERS)}"
        )
    return WRITERS[name]


def format_alignment(
    alignment: Alignment, name: str, recording: str, *, phones: bool = False
) -> str:
    """Return an alignment in a format.

    Args:
        alignment: the alignment; only JSON includes its mismatches.
        name: name of the format.
        recording: name of the recording.
        phones: write each phone in place of each word.

    Raises:
        ConfigError: no such format.
    """
    write = writer(name)
    if write is write_json:
        return write_json(alignment, recording)
    transcript = alignment.transcript
    if phones:
        segments = tuple(
            replace(
                segment,
                words=tuple(
                    Word(
                        text=phone.text,
                        start_s=phone.start_s,
                        end_s=phone.end_s,
                        confidence=phone.confidence,
                    )
                    for word in segment.words
                    for phone in word.phones
                ),
            )
            for segment in transcript.segments
        )
        transcript = replace(transcript, segments=segments)
    return write(transcript, recording)


def save(result: Transcript | Alignment, path: Path, name: str | None) -> None:
    """Write a transcript or an alignment in the format given by the suffix of ``path``.

    The name of the recording is the stem of ``path`` by default.

    Raises:
        ConfigError: the suffix is not that of a format.
        Error: the file cannot be written.
    """
    suffixes = {f".{known.lower()}": known for known in WRITERS}
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        raise ConfigError(
            f"{path}: unknown suffix{did_you_mean(suffix, suffixes)}; "
            f"the name must end in {', '.join(f'.{known}' for known in WRITERS)}"
        )
    name = readable_name(path.stem if name is None else name)
    if isinstance(result, Alignment):
        text = format_alignment(result, suffixes[suffix], name)
    else:
        text = WRITERS[suffixes[suffix]](result, name)
    try:
        write_bytes(path, text.encode())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Error(f"{path}: {reason}; name another file") from None
