"""Read the files of a repository from its git directory, without a work tree."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from asr_gru.errors import DataError

__all__ = ["find_snapshot", "read_files"]


def find_snapshot(folder: Path, repository: str) -> Path:
    """Return the git directory of ``owner/name`` below ``folder``.

    It is ``folder/owner+name/repo`` itself, bare, or the ``.git`` in it.

    Raises:
        FileNotFoundError: it is not there.
    """
    base = folder / repository.replace("/", "+") / "repo"
    for candidate in (base / ".git", base):
        if (candidate / "objects").is_dir():
            return candidate
    raise FileNotFoundError(f"{base}: no git directory of {repository}; clone it there")


def read_files(
    git: Path, pattern: str, revision: str = "HEAD", *, copies: bool = False
) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of the files whose path matches ``pattern``, each content once.

    Files whose objects the snapshot lacks are left out.

    Args:
        git: the git directory.
        pattern: regular expression that is searched for in paths.
        revision: the commit.
        copies: whether to yield a content with every path that it has, not only with the first.

    Raises:
        DataError: the repository does not have the revision.
    """
    command = ["git", f"--git-dir={git}"]
    result = subprocess.run(
        [*command, "ls-tree", "-r", "-z", "--full-tree", revision], check=False, capture_output=True
    )
    if result.returncode:
        reason = result.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        raise DataError(f"{git}: {revision} cannot be read ({reason}); clone the repository again")
    listed = result.stdout.decode("utf-8", "replace")
    wanted: dict[str, list[str]] = {}
    for entry in filter(None, listed.split("\0")):
        about, path = entry.split("\t", 1)
        mode, _, name = about.split()
        if mode.startswith("100") and re.search(pattern, path):
            wanted.setdefault(name, []).append(path)
    if not wanted:
        return
    with subprocess.Popen(
        [*command, "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for name, paths in wanted.items():
            process.stdin.write(name.encode() + b"\n")
            process.stdin.flush()
            header = process.stdout.readline().split()
            if header[1] == b"missing":
                continue
            content = process.stdout.read(int(header[2]))
            process.stdout.read(1)
            for path in paths if copies else paths[:1]:
                yield path, content
        process.stdin.close()
