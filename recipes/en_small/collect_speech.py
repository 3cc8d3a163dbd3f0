"""Collect more transcribed speech from git directories of public repositories, as 16 kHz Opus.

    python -m recipes.en_small.collect_speech DATA/speech/more2 --snapshots FOLDER \
      --held-out DATA/speech/dev-*.tsv DATA/speech/test-*.tsv --labels teacher.jsonl

``FOLDER/OWNER+NAME/repo`` is a git directory of each repository of ``speech_sources.py``. The
command writes the recordings, cut to 0.4 s around the speech, and ``more2.tsv`` beside them. The
texts are those of the corpora. Where a speaker could choose between several readings, as of a
number, the reading nearest to a teacher's text is taken, and the recording is left out if that
text is too far from all of them. Where the corpus has no texts, a teacher's is taken if it is
confident. For both, run the command, transcribe the recordings named in ``unlabelled.txt`` with any
recogniser that writes the JSON lines of ``label.py``, and run it again with ``--labels``. Texts of
four words or more of the lists in ``--held-out`` are left out. Running the command again resumes
it. Videos need FFmpeg.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import soundfile
import soxr

from asr_gru.data.manifest import read_manifest
from asr_gru.errors import DataError
from asr_gru.files import replace_file, write_bytes
from asr_gru.text import normalise
from recipes.en_small.label import Label, read_labels
from recipes.en_small.speech_layouts import Clip
from recipes.en_small.speech_sources import SOURCES, Source
from recipes.en_small.speech_texts import choose_text
from recipes.en_small.text.snapshot import find_snapshot, read_files
from recipes.en_small.trimming import SAMPLE_RATE, Samples, trim

MARGIN_S = 0.4

PACE = (1.0, 30.0)
"""Characters per second of a text that can belong to its recording."""

LONGEST_S = 30.0
HELD_OUT_WORDS = 4
OPUS_LEVEL = 0.9
"""Compression level of libsndfile: about 25 kbit/s."""

BLOB_HEADER = ("name", "type", "size")
"""What ``git cat-file --batch`` writes before a file."""

COLUMNS = (
    *("path", "duration_s", "speaker", "source", "text", "written"),
    *("text_by", "confidence", "blob"),
)

Row = dict[str, str]


def decode(data: bytes) -> Samples:
    """Return recording or video as mono samples at 16 kHz.

    Raises:
        DataError: neither libsndfile nor FFmpeg can read it.
    """
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        return _decode_video(data)
    mono: Samples = soxr.resample(samples.mean(axis=1), rate, SAMPLE_RATE)
    return mono


def _decode_video(data: bytes) -> Samples:
    command = ["ffmpeg", "-v", "error", "-i", "pipe:0", "-vn", "-f", "f32le"]
    try:
        done = subprocess.run(
            [*command, "-ac", "1", "-ar", str(SAMPLE_RATE), "pipe:1"],
            input=data,
            capture_output=True,
            timeout=60,
            check=True,
        )
    except FileNotFoundError:
        raise DataError("ffmpeg is not installed; videos need it") from None
    except subprocess.SubprocessError:
        raise DataError("neither libsndfile nor FFmpeg can read it") from None
    return np.frombuffer(done.stdout, np.float32)


def read_held_out(paths: Sequence[Path]) -> set[str]:
    """Return the normalised texts of four words or more in lists."""
    texts = {normalise(u.text, "english") for path in paths for u in read_manifest(path)}
    return {text for text in texts if len(text.split()) >= HELD_OUT_WORDS}


def find_clips(git: Path, source: Source) -> Iterator[Clip]:
    """Yield the clips of a source, at most ``limit`` of each text."""
    command = ["git", f"--git-dir={git}"]
    listed = subprocess.run(
        [*command, "ls-tree", "-r", "-z", "--name-only", "--full-tree", source.commit],
        capture_output=True,
    ).stdout.decode("utf-8", "replace")
    if not listed:
        raise DataError(f"{git}: no commit {source.commit} of {source.repository}; fetch it")
    paths = sorted(path for path in listed.split("\0") if re.search(source.pattern, path))

    with subprocess.Popen(
        [*command, "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        reader, writer = process.stdout, process.stdin
        assert reader is not None
        assert writer is not None

        def read(path: str) -> str:
            writer.write(f"{source.commit}:{path}\n".encode())
            writer.flush()
            header = reader.readline().split()
            if len(header) != len(BLOB_HEADER):
                raise DataError(f"{source.repository}: no {path} in {source.commit}")
            content = reader.read(int(header[2]))
            reader.read(1)
            return content.decode("utf-8", "replace")

        taken: Counter[tuple[str, ...]] = Counter()
        for clip in source.layout(paths, read):
            taken[clip.texts] += 1
            if not source.limit or taken[clip.texts] <= source.limit:
                yield clip
        writer.close()


def path_of(name: str, blob: str) -> str:
    """Return the path of a clip in the list."""
    stem = re.sub(r"[^\w.-]+", "-", str(PurePosixPath(blob).with_suffix("")))
    return f"{name}/{stem}.opus"


def write_clips(git: Path, source: Source, name: str, clips: Sequence[Clip], out: Path) -> None:
    """Write the recordings that are missing."""
    missing = {clip.blob for clip in clips if not (out / path_of(name, clip.blob)).exists()}
    if not missing:
        return
    for blob, data in read_files(git, source.pattern, source.commit, copies=True):
        if blob not in missing:
            continue
        try:
            samples = trim(decode(data), MARGIN_S)
            if not len(samples):
                raise DataError("silent")
        except DataError as error:
            print(f"{blob}: {error}; left out", file=sys.stderr)
            continue
        target = out / path_of(name, blob)
        target.parent.mkdir(parents=True, exist_ok=True)
        with replace_file(target) as file:
            soundfile.write(
                file,
                np.clip(samples, -1.0, 1.0),
                SAMPLE_RATE,
                format="OGG",
                subtype="OPUS",
                compression_level=OPUS_LEVEL,
            )


def make_row(
    name: str,
    clip: Clip,
    out: Path,
    held_out: set[str],
    label: Label | None,
) -> tuple[Row | None, str]:
    """Return the row of a clip, or ``None`` and the reason to leave it out."""
    path = path_of(name, clip.blob)
    if not (out / path).exists():
        return None, "not readable"
    text, by = choose_text(clip, label)
    if not text:
        return None, by
    info = soundfile.info(out / path)
    duration_s = info.frames / info.samplerate
    if text in held_out:
        return None, "text held out"
    if duration_s > LONGEST_S or not PACE[0] <= len(text) / max(duration_s, 0.01) <= PACE[1]:
        return None, "text does not fit the duration"
    written = " ".join(clip.texts[0].split()) if clip.sure else text
    speaker = f"{name}-{clip.speaker}" if clip.speaker else ""
    confidence = f"{label.confidence:.3f}" if label is not None and by == "teacher" else ""
    values = (path, f"{duration_s:.2f}", speaker, name, text, written, by, confidence, clip.blob)
    return dict(zip(COLUMNS, values, strict=True)), ""


def collect(
    name: str, snapshots: Path, out: Path, held_out: set[str], labels: Mapping[Path, Label]
) -> tuple[list[Row], list[str]]:
    """Write the clips of a source; return its rows, and the paths that need a teacher."""
    source = SOURCES[name]
    git = find_snapshot(snapshots, source.repository)
    clips = list(find_clips(git, source))
    write_clips(git, source, name, clips, out)
    rows, unlabelled = [], []
    left_out: Counter[str] = Counter()
    for clip in clips:
        label = labels.get((out / path_of(name, clip.blob)).resolve())
        row, reason = make_row(name, clip, out, held_out, label)
        if row is not None:
            rows.append(row)
            continue
        left_out[reason] += 1
        if reason == "unlabelled":
            unlabelled.append(path_of(name, clip.blob))
    hours = sum(float(row["duration_s"]) for row in rows) / 3600
    reasons = "".join(f"; {count} {reason}" for reason, count in left_out.items())
    print(f"{name}: {len(rows)} of {len(clips)} clips, {hours:.2f} hours{reasons}")
    return rows, unlabelled


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the recordings and their manifest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--snapshots", type=Path, required=True)
    parser.add_argument("--source", nargs="*", choices=sorted(SOURCES), help="default: all")
    parser.add_argument("--held-out", type=Path, nargs="*", default=[], help="manifests")
    parser.add_argument("--labels", type=Path, help="a teacher's JSON lines")
    options = parser.parse_args(arguments)
    rows, unlabelled = [], []
    try:
        held_out = read_held_out(options.held_out)
        labels = read_labels(options.labels) if options.labels else []
        by_path = {label.path.resolve(): label for label in labels}
        for name in options.source or SOURCES:
            try:
                found = collect(name, options.snapshots, options.out, held_out, by_path)
            except FileNotFoundError as error:
                print(f"{name}: {error}", file=sys.stderr)
                continue
            rows += found[0]
            unlabelled += found[1]
    except DataError as error:
        parser.error(str(error))
    if not rows and not unlabelled:
        parser.error("none of the clips is there; clone the repositories into --snapshots")
    table = (COLUMNS, *([row[name] for name in COLUMNS] for row in rows))
    lines = "".join("\t".join(fields) + "\n" for fields in table)
    write_bytes(options.out / f"{options.out.name}.tsv", lines.encode())
    write_bytes(options.out / "unlabelled.txt", "".join(f"{p}\n" for p in unlabelled).encode())
    hours = sum(float(row["duration_s"]) for row in rows) / 3600
    print(f"{len(rows)} clips, {hours:.2f} hours; {len(unlabelled)} need a teacher's text")


if __name__ == "__main__":
    main()
