"""Extract further speech from git directories of public repositories, as 16 kHz FLAC.

    python -m recipes.en_small.more LIST.tsv DATA/speech/more --snapshots FOLDER --above -0.25

``LIST.tsv`` is a manifest with a further column ``blob``, the recording's path in the repository of
its ``source`` (``SOURCES``), and ``confidence`` where a teacher wrote the text (``label.py``).
``FOLDER/OWNER+NAME/repo`` is a git directory of each repository. A clip that is missing or cannot
be read is left out of the manifest that is written beside the recordings. Running the command again
resumes it.
"""

import argparse
import csv
import io
import math
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

from asr_gru.errors import AudioError, DataError
from asr_gru.files import replace_file, write_bytes
from recipes.command_line import one_line_errors
from recipes.en_small.text.snapshot import find_snapshot, read_files

SAMPLE_RATE = 16_000
NEEDED = ("path", "text", "source", "blob")
AUDIO = r"\.(mp3|wav|flac|ogg)$"

SOURCES = {
    "commonvoice-13-more": "korliu/whisper",
    "commonvoice-1": "hys89/myrepo",
    "commonvoice-4": "fsta-fo/voice-age-prediction",
    "commonvoice-4b": "puri-gagan/speechdataset",
    "commonvoice-6": "omnilingo/rsample-100-cv-corpus-6.1-2020-12-11",
    "librispeech-clean-100-part": "Jenny-Smolensky/LibriSpeechFilesParser",
}
"""The repository of each source; README.md describes them."""

Row = dict[str, str]


def read_list(path: Path) -> list[Row]:
    """Read the list of clips.

    Raises:
        DataError: the list or a column is missing, a field is not a number, or a path leaves the
            folder.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}; give the list of clips (a .tsv file)") from None
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise DataError(f"{path}:{number}: has not as many fields as the header")
        if any(name not in row for name in NEEDED):
            raise DataError(f"{path}:{number}: needs the columns {', '.join(NEEDED)}")
        _number(row, "duration_s", f"{path}:{number}")
        _number(row, "confidence", f"{path}:{number}")
        if Path(row["path"]).is_absolute() or ".." in Path(row["path"]).parts:
            raise DataError(f"{path}:{number}: {row['path']!r} leads out of the folder")
        if row["source"] not in SOURCES:
            raise DataError(f"{path}:{number}: unknown source {row['source']!r}")
    return rows


def _number(row: Row, name: str, where: str) -> float | None:
    """Return a number of a row, or None if it has none."""
    try:
        return float(row[name]) if row.get(name) else None
    except ValueError:
        raise DataError(f"{where}: {name} {row[name]!r} is not a number") from None


def _is_sure(row: Row, above: float) -> bool:
    """Return whether a text is the corpus's own, or above the threshold."""
    return not row.get("confidence") or float(row["confidence"]) > above


def write_clip(data: bytes, target: Path) -> None:
    """Decode ``data``, mix it to one channel of 16 kHz, and write FLAC.

    Raises:
        AudioError: it has no samples.
    """
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    if not len(samples):
        raise AudioError("has no samples")
    mono = soxr.resample(samples.mean(axis=1), rate, SAMPLE_RATE)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(target) as file:
        clipped = np.clip(mono, -1.0, 1.0)
        soundfile.write(file, clipped, SAMPLE_RATE, format="FLAC", subtype="PCM_16")


def extract(rows: Sequence[Row], out: Path, snapshots: Path) -> list[Row]:
    """Write the recordings of ``rows`` that are missing; return the rows that could be written."""
    wanted: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if not (out / row["path"]).exists():
            wanted[row["source"]][row["blob"]].append(row)
    for source, blobs in wanted.items():
        try:
            git = find_snapshot(snapshots, SOURCES[source])
        except FileNotFoundError as error:
            print(f"{source}: {error}", file=sys.stderr)
            continue
        for path, data in read_files(git, AUDIO, copies=True):
            for row in blobs.get(path, ()):
                try:
                    write_clip(data, out / row["path"])
                except (AudioError, soundfile.LibsndfileError) as error:
                    print(f"{path}: {error}; left out", file=sys.stderr)
    return [row for row in rows if (out / row["path"]).exists()]


@one_line_errors("stopped; the same command goes on with the missing clips")
def main(arguments: Sequence[str] | None = None) -> int:
    """Write recordings and their manifest; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("list", type=Path, help="clips to extract (.tsv)")
    parser.add_argument("out", type=Path, help="folder of the recordings and their manifest")
    parser.add_argument(
        "--snapshots", type=Path, required=True, metavar="FOLDER", help="git directories"
    )
    parser.add_argument(
        "--above",
        type=float,
        default=-math.inf,
        metavar="CONFIDENCE",
        help="take texts of a teacher only above this confidence",
    )
    options = parser.parse_args(arguments)
    rows = [row for row in read_list(options.list) if _is_sure(row, options.above)]
    kept = extract(rows, options.out, options.snapshots)
    if not kept:
        raise DataError("none of the clips is there; clone the repositories into --snapshots")
    names = list(kept[0])
    table = (names, *([row[name] for name in names] for row in kept))
    lines = ("\t".join(fields) + "\n" for fields in table)
    write_bytes(options.out / options.list.name, "".join(lines).encode())
    hours = sum(float(row.get("duration_s") or 0.0) for row in kept) / 3600
    print(f"{len(kept)} of {len(rows)} clips, {hours:.2f} hours")
    return 0


if __name__ == "__main__":
    sys.exit(main())
