"""Download archives, resumed and checked, and unpack them defensively."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import lzma
import re
import shutil
import tarfile
import urllib.error
import urllib.request
import zlib
from pathlib import Path, PurePosixPath

from asr_gru.errors import DataError

__all__ = ["download", "md5_beside", "unpack"]

BLOCK = 1 << 20
TIMEOUT_S = 60
BROKEN = (OSError, ValueError, http.client.HTTPException)
"""What a failed connection raises."""
DAMAGED = (tarfile.TarError, EOFError, ValueError, gzip.BadGzipFile, lzma.LZMAError, zlib.error)
"""What reading a damaged archive raises."""


def download(url: str, path: Path, md5: str) -> None:
    """Download ``url`` to ``path``, going on where an earlier try stopped.

    Raises:
        DataError: the connection failed (call again to resume), or the MD5 differs.
    """
    if path.exists() and _md5(path) == md5:
        return
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            resumed = answer.status == 206
            promised = int(answer.headers.get("Content-Length", 0)) + (have if resumed else 0)
            with partial.open("ab" if resumed else "wb") as file:
                shutil.copyfileobj(answer, file, BLOCK)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # 416: the whole file was there already
            raise DataError(f"{url}: the server answers {error.code}; try again later") from None
    except BROKEN as error:
        raise DataError(f"{url}: {error}; run the command again to go on") from None
    else:
        if partial.stat().st_size < promised:
            raise DataError(f"{url}: the connection was closed; run the command again to go on")
    found = _md5(partial)
    if found != md5:
        partial.unlink()
        raise DataError(f"{path.name}: has MD5 {found}, should have {md5}; run the command again")
    partial.replace(path)


def md5_beside(url: str) -> str:
    """Read the MD5 of an archive from ``md5sum.txt`` in its folder on the server."""
    folder, _, name = url.rpartition("/")
    try:
        with urllib.request.urlopen(f"{folder}/md5sum.txt", timeout=TIMEOUT_S) as answer:  # noqa: S310
            text = answer.read(100_000).decode("utf-8", "replace")
    except BROKEN as error:
        raise DataError(f"{folder}/md5sum.txt: {error}; try again later") from None
    match = re.search(rf"^([0-9a-f]{{32}})\s+\*?(?:\./)?{re.escape(name)}\s*$", text, re.MULTILINE)
    if not match:
        raise DataError(f"{folder}/md5sum.txt: does not name {name}")
    return match[1]


def unpack(archive: Path, folder: Path, max_bytes: int) -> None:
    """Unpack the regular files and folders of a tar archive into ``folder``, and refuse the rest.

    Raises:
        DataError: not such an archive, a path that leaves the folder, a link or device, or more
            than ``max_bytes``.
        OSError: the files cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts or set("\\:") & set(member.name):
                    raise DataError(f"{archive}: {member.name!r} leaves the folder; not unpacked")
                target = folder.joinpath(*name.parts)
                if member.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                if not member.isreg():
                    raise DataError(f"{archive}: {member.name!r} is not a regular file; refused")
                written += member.size
                if written > max_bytes:
                    raise DataError(f"{archive}: unpacks to more than {max_bytes} bytes; refused")
                source = tar.extractfile(member)
                assert source is not None
                target.parent.mkdir(parents=True, exist_ok=True)
                with source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, BLOCK)
    except DAMAGED as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{archive}: damaged ({reason}); delete it and run again") from None


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
