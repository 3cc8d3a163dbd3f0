"""Output of transcripts: printed to standard output as they arrive, or one file each."""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from asr_gru.audio.opening import STDIN
from asr_gru.cli.progress import AudioProgress, hours
from asr_gru.cli.workers import Finished
from asr_gru.errors import ConfigError, Error
from asr_gru.files import readable_name, write_bytes
from asr_gru.formats import writer
from asr_gru.formats.json import write_json_line
from asr_gru.results import Segment, Transcript
from asr_gru.streaming.recordings import Update

__all__ = ["Outputs", "check_folder", "name_outputs"]

SAVE_INTERVAL_S = 10.0
"""Seconds between saves of an unfinished transcript."""
FATAL_ERRORS = {errno.ENOSPC, errno.EROFS, errno.EIO, errno.EFBIG, getattr(errno, "EDQUOT", -1)}
"""Errors that would affect the next file as well."""
PARTIAL = ".partial"
"""Added to the name of an unfinished transcript."""
CONCATENABLE = ("txt", "json", "ctm")
"""Formats that can hold several transcripts in sequence."""


class Outputs:
    """Writes transcripts to files or standard output.

    With a folder, each transcript is written to a file when it is complete; until then it is
    saved regularly as ``NAME.partial.FORMAT``. Without one, transcripts are printed in the order
    of the recordings, and plain text segment by segment.

    Args:
        paths: the recordings.
        formats: names in ``formats.WRITERS``; only one without a folder.
        folder: folder of the files, or None to print.
        progress: prints above the progress bar.

    Raises:
        ConfigError: the format cannot hold several transcripts on standard output.
        Error: the folder is not writable.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        formats: Sequence[str],
        folder: Path | None,
        progress: AudioProgress,
    ) -> None:
        self._paths, self._folder, self._progress = paths, folder, progress
        self._formats = {name: writer(name) for name in dict.fromkeys(formats)}
        self._format = next(iter(self._formats))
        if folder is None:
            if len(paths) > 1 and self._format not in CONCATENABLE:
                raise ConfigError(
                    f"{len(paths)} recordings cannot be one {self._format} file; give --output-dir"
                )
        else:
            check_folder(folder)
        self._names = name_outputs(paths)
        self._segments: dict[int, list[Segment]] = defaultdict(list)
        self._audio_s: dict[int, float] = {}
        self._finished: dict[int, Transcript | Error] = {}
        self._count = self._next_to_print = self._printed = 0
        self._saved_s: dict[int, float] = {}
        self.failed = False

    def take(self, message: Update | Finished) -> None:
        """Print or save new results.

        Raises:
            Error: the disk is full or failing; finished transcripts are complete.
        """
        index = message.index
        if isinstance(message, Update):
            self._audio_s[index] = message.audio_s
            self._segments[index] += message.segments
            if self._folder is None:
                self._print()
            elif self._segments[index]:
                last_s = self._saved_s.setdefault(index, time.monotonic())
                if time.monotonic() - last_s >= SAVE_INTERVAL_S:
                    self._saved_s[index] = time.monotonic()
                    self._save_partial(index)
            return
        self._count += 1
        if self._folder is None:
            self._finished[index] = message.result
            self._print()
        else:
            self._finish_recording(message.result, lambda result: self._save(index, result))
            self._forget(index)

    def interrupted(self) -> None:
        """Save unfinished transcripts and report where."""
        begun = [index for index, segments in self._segments.items() if segments]
        message_text = f"interrupted; {self._count} of {len(self._paths)} recordings are done"
        for index in begun if self._folder is not None else []:
            files = " and ".join(str(path) for path in self._save_partial(index))
            if files:
                message_text += f"; {self._describe_partial(index)} is in {files}"
        if self._folder is None and self._next_to_print in begun:
            message_text += f"; {self._describe_partial(self._next_to_print)} was printed"
            if self._format != "txt":
                self._write(
                    self._text(self._next_to_print, self._partial_transcript(self._next_to_print))
                )
        self._report(message_text)

    def _describe_partial(self, index: int) -> str:
        return f"{self._paths[index]} up to {hours(self._audio_s[index])}"

    def _partial_transcript(self, index: int) -> Transcript:
        return Transcript(tuple(self._segments[index]), self._audio_s[index])

    def _print(self) -> None:
        """Print complete transcripts, up to the first recording that is unfinished."""
        while self._next_to_print < len(self._paths):
            index = self._next_to_print
            result = self._finished.pop(index, None)
            if isinstance(result, Transcript):
                self._segments[index] = list(result.segments)
            if self._format == "txt" and not isinstance(result, Error):
                self._print_segments(index, is_whole=result is not None)
            if result is None:
                return
            self._finish_recording(result, lambda result: self._print_whole(result))
            self._forget(index)
            self._next_to_print, self._printed = index + 1, 0

    def _print_segments(self, index: int, *, is_whole: bool) -> None:
        fresh = self._segments[index][self._printed :]
        if not self._printed and len(self._paths) > 1 and (fresh or is_whole):
            self._write(f"# {self._paths[index]}\n")
        self._printed = max(self._printed + len(fresh), 1 if is_whole else 0)
        if fresh:
            self._write(self._formats["txt"](Transcript(tuple(fresh), 0.0), ""))

    def _print_whole(self, transcript: Transcript) -> None:
        if self._format != "txt":
            self._write(self._text(self._next_to_print, transcript))

    def _text(self, index: int, transcript: Transcript) -> str:
        if self._format == "json" and len(self._paths) > 1:
            return write_json_line(transcript, readable_name(self._paths[index]))
        name = self._name(index)
        if len(self._paths) > 1:  # lines of CTM are told apart by the name
            name = readable_name(self._names[index].as_posix())
        return self._formats[self._format](transcript, name)

    def _name(self, index: int) -> str:
        path = self._paths[index]
        return "stdin" if path == STDIN else readable_name(path.stem)

    def _finish_recording(
        self, result: Transcript | Error, keep: Callable[[Transcript], object]
    ) -> None:
        if isinstance(result, Error):
            self.failed = True
            self._report(str(result))
            return
        keep(result)
        for warning in result.warnings:
            self._report(warning)

    def _save(self, index: int, transcript: Transcript) -> None:
        written = self._write_files(index, transcript, "")
        for path, partial in zip(self._files(index, ""), self._files(index, PARTIAL), strict=True):
            if path in written:  # otherwise that is all there is of the transcript
                partial.unlink(missing_ok=True)

    def _save_partial(self, index: int) -> list[Path]:
        return self._write_files(index, self._partial_transcript(index), PARTIAL)

    def _files(self, index: int, mark: str) -> list[Path]:
        assert self._folder is not None
        name = self._names[index]
        return [
            self._folder / name.with_name(f"{name.name}{mark}.{form}") for form in self._formats
        ]

    def _write_files(self, index: int, transcript: Transcript, mark: str) -> list[Path]:
        """Write a file in each format; return those that could be written."""
        files = []
        for path, write in zip(self._files(index, mark), self._formats.values(), strict=True):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(path, write(transcript, self._name(index)).encode())
                files.append(path)
            except OSError as error:
                problem = Error(f"{error.filename or path}: {error.strerror or error}")
                if error.errno in FATAL_ERRORS:
                    raise problem from None
                self.failed = True
                self._report(str(problem))
        return files

    def _forget(self, index: int) -> None:
        for kept in (self._segments, self._audio_s, self._saved_s):
            kept.pop(index, None)

    def _write(self, text: str) -> None:
        try:
            self._progress.write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Error(f"standard output: {error.strerror or error}") from None

    def _report(self, text: str) -> None:
        self._progress.write(f"asr-gru: {' '.join(text.split())}\n", err=True)


def check_folder(folder: Path) -> None:
    """Raise Error unless ``folder`` is writable, or can be created."""
    existing = folder.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise Error(f"{folder}: {error.strerror or error}; give a writable folder") from None


def name_outputs(paths: Sequence[Path]) -> list[Path]:
    """Return the output path of each recording, relative to the output folder, without suffix.

    Each is the shortest of these that is unique: the name without suffix, the full name, or these
    within the folders that differ. Case is ignored, as some file systems do. No name is that of
    another recording's unfinished transcript, which is deleted when it is complete.
    """
    plain = [Path("stdin") if path == STDIN else Path(path.stem or path.name) for path in paths]
    named = [Path(path.name) if path != STDIN else Path("stdin") for path in paths]
    names = list(plain)
    clashes: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(plain):
        clashes[_key(name)].append(index)
    for group in clashes.values():
        if len(group) == 1:
            continue
        counts = Counter(_key(named[index]) for index in group)
        folders = {index: Path(os.path.abspath(paths[index])).parent for index in group}  # noqa: PTH100
        drives = {_key(Path(folder.anchor)) for folder in folders.values()}
        if max(counts.values()) == 1 or len(drives) > 1:  # drives have no folder in common
            for index in group:
                names[index] = named[index]
            continue
        common = os.path.commonpath([*folders.values()])
        beside = Counter((folders[index], _key(plain[index])) for index in group)
        for index in group:
            is_alone = beside[folders[index], _key(plain[index])] == 1
            name = plain[index] if is_alone else named[index]
            names[index] = folders[index].relative_to(common) / name
    return _distinct(names)


def _distinct(names: Sequence[Path]) -> list[Path]:
    """Append numbers to names that are not unique, or those of another's unfinished transcript."""
    taken = {f"{_key(name)}{PARTIAL}" for name in names}
    counts: Counter[str] = Counter()
    distinct = []
    for name in names:
        unique = name
        while _key(unique) in taken:
            counts[_key(name)] += 1
            unique = name.with_name(f"{name.name}-{counts[_key(name)] + 1}")
        taken.add(_key(unique))
        distinct.append(unique)
    return distinct


def _key(name: Path) -> str:
    return str(name).casefold()
