"""Write manifests of LibriSpeech, from an existing folder or a download.

    python -m recipes.librispeech.prepare --folder data --parts train-clean-5 dev-clean-2 --download

The folder holds ``LibriSpeech/PART/SPEAKER/CHAPTER/*.flac``; each part becomes ``PART.tsv`` in it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from asr_gru.data.audio import duration_of
from asr_gru.data.manifest import Utterance, check_files, read_manifest, write_manifest
from asr_gru.errors import AudioError, DataError, did_you_mean
from recipes.command_line import one_line_errors
from recipes.librispeech.fetch import download, md5_beside, unpack
from recipes.librispeech.parts import PARTS

__all__ = ["main", "read_part"]


def read_part(folder: Path, part: str) -> list[Utterance]:
    """Read the utterances of ``folder/LibriSpeech/part``, with their durations.

    Raises:
        DataError: the part or a recording is missing, or a transcript is damaged.
        AudioError: a recording is damaged.
    """
    root = folder / "LibriSpeech" / part
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; give --download, or the right --folder")
    try:
        utterances = read_manifest(root)
        check_files(utterances)
        return [replace(one, duration_s=round(duration_of(one), 3)) for one in utterances]
    except (AudioError, DataError) as error:
        raise type(error)(f"{error}; to download it again, delete {root}") from None


@one_line_errors("stopped; the same command resumes the download")
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.librispeech.prepare", description="Write manifests of LibriSpeech."
    )
    parser.add_argument("--folder", type=Path, required=True, help="folder with LibriSpeech/ in it")
    parser.add_argument("--parts", nargs="+", required=True, help=", ".join(PARTS))
    parser.add_argument("--download", action="store_true", help="download missing parts")
    options = parser.parse_args(arguments)
    for name in options.parts:
        if name not in PARTS:
            raise DataError(
                f"no part {name!r}{did_you_mean(name, PARTS)}; give any of {', '.join(PARTS)}"
            )
    for name in options.parts:
        if options.download and not (options.folder / "LibriSpeech" / name).is_dir():
            _fetch(name, options.folder)
        utterances = read_part(options.folder, name)
        write_manifest(options.folder / f"{name}.tsv", utterances)
        hours = sum(utterance.duration_s for utterance in utterances) / 3600
        print(f"{options.folder / name}.tsv: {len(utterances)} utterances, {hours:.2f} hours")
    return 0


def _fetch(name: str, folder: Path) -> None:
    """Download and unpack a part; it appears whole or not at all."""
    part = PARTS[name]
    archive = folder / f"{name}.tar.gz"
    download(part.url, archive, part.md5 or md5_beside(part.url))
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-") as work:
        unpack(archive, Path(work), int(part.max_unpacked_gb * 1e9))
        unpacked = Path(work) / "LibriSpeech"
        if not (unpacked / name).is_dir():
            raise DataError(f"{archive}: holds no LibriSpeech/{name}; delete it and run again")
        (folder / "LibriSpeech").mkdir(exist_ok=True)
        for found in unpacked.iterdir():  # the part, and LibriSpeech's own README and licence
            target = folder / "LibriSpeech" / found.name
            if not target.exists():
                found.replace(target)


if __name__ == "__main__":
    sys.exit(main())
