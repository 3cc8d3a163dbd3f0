"""Writes manifests of LibriSpeech, from an existing folder or a download.

    python -m recipes.librispeech.prepare --folder data --parts train-clean-5 dev-clean-2 --download

The folder holds ``LibriSpeech/PART/SPEAKER/CHAPTER/*.flac``; each part becomes ``PART.tsv`` in it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import soundfile

from asr_gru.data.manifest import Utterance, write_manifest
from asr_gru.errors import DataError, Error, did_you_mean
from recipes.librispeech.fetch import download, md5_beside, unpack
from recipes.librispeech.parts import PARTS

__all__ = ["main", "read_part"]


def read_part(folder: Path, part: str) -> list[Utterance]:
    """Read the transcripts of ``folder/LibriSpeech/part`` in LibriSpeech's own layout.

    Raises:
        DataError: the part is not there, or a transcript names a recording that is not.
    """
    root = folder / "LibriSpeech" / part
    lists = sorted(root.glob("*/*/*.trans.txt"))
    if not lists:
        raise DataError(f"{root}: no transcripts here; give --download, or the right --folder")
    utterances = []
    for transcripts in lists:
        try:
            lines = transcripts.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            raise DataError(f"{transcripts}: not UTF-8 text; download the part again") from None
        for number, line in enumerate(lines, 1):
            name, _, text = line.partition(" ")
            path = transcripts.parent / f"{name}.flac"
            if "/" in name or "\\" in name or not path.is_file():
                raise DataError(f"{transcripts}:{number}: {name}.flac is not there")
            utterances.append(
                Utterance(
                    path=path,
                    text=" ".join(text.lower().split()),
                    duration_s=_duration_s(path),
                    speaker=name.split("-")[0],
                    source=f"librispeech-{part}",
                    written=text.strip(),
                )
            )
    return utterances


def _duration_s(path: Path) -> float:
    try:
        return round(soundfile.info(str(path)).duration, 3)
    except soundfile.LibsndfileError:
        raise DataError(f"{path}: not a recording; download the part again") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.librispeech.prepare", description="Manifests of LibriSpeech."
    )
    parser.add_argument("--folder", type=Path, required=True, help="folder with LibriSpeech/ in it")
    parser.add_argument("--parts", nargs="+", required=True, help=", ".join(PARTS))
    parser.add_argument("--download", action="store_true", help="download missing parts")
    options = parser.parse_args(arguments)
    try:
        for name in options.parts:
            if name not in PARTS:
                raise DataError(
                    f"no part {name!r}{did_you_mean(name, PARTS)}; one of {', '.join(PARTS)}"
                )
        for name in options.parts:
            if options.download and not (options.folder / "LibriSpeech" / name).is_dir():
                _fetch(name, options.folder)
            utterances = read_part(options.folder, name)
            write_manifest(options.folder / f"{name}.tsv", utterances)
            hours = sum(utterance.duration_s for utterance in utterances) / 3600
            print(f"{options.folder / name}.tsv: {len(utterances)} utterances, {hours:.2f} hours")
    except Error as error:
        print(f"prepare: {error}", file=sys.stderr)
        return error.exit_status
    except OSError as error:
        print(f"prepare: {error}", file=sys.stderr)
        return 1
    return 0


def _fetch(name: str, folder: Path) -> None:
    """Download and unpack a part; it appears whole or not at all."""
    part = PARTS[name]
    archive = folder / f"{name}.tar.gz"
    download(part.url, archive, part.md5 or md5_beside(part.url))
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-") as work:
        unpack(archive, Path(work), int(part.largest_gb * 1e9))
        unpacked = Path(work) / "LibriSpeech"
        if not (unpacked / name).is_dir():
            raise DataError(f"{archive}: holds no LibriSpeech/{name}; download it again")
        (folder / "LibriSpeech").mkdir(exist_ok=True)
        for found in unpacked.iterdir():  # the part, and LibriSpeech's own README and licence
            target = folder / "LibriSpeech" / found.name
            if not target.exists():
                found.replace(target)


if __name__ == "__main__":
    sys.exit(main())
