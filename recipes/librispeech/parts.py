"""The parts of LibriSpeech: addresses and checksums of their archives."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PARTS", "Part"]

HOST = "https://www.openslr.org/resources"


@dataclass(frozen=True, slots=True)
class Part:
    """One archive.

    Attributes:
        url: address of the archive.
        md5: its MD5, or "" if ``md5sum.txt`` beside it has it.
        max_unpacked_gb: size at which unpacking is given up.
    """

    url: str
    md5: str
    max_unpacked_gb: float


def _libri(name: str, md5: str, max_unpacked_gb: float) -> Part:
    return Part(f"{HOST}/12/{name}.tar.gz", md5, max_unpacked_gb)


def _mini(name: str) -> Part:
    return Part(f"{HOST}/31/{name}.tar.gz", "", 2.0)


PARTS = {
    "dev-clean": _libri("dev-clean", "42e2234ba48799c1f50f24a7926300a1", 2.0),
    "dev-other": _libri("dev-other", "c8d0bcc9cca99d4f8b62fcc847357931", 2.0),
    "test-clean": _libri("test-clean", "32fa31d27d2e1cad72775fee3f4849a9", 2.0),
    "test-other": _libri("test-other", "fb5a50374b501bb3bac4815ee91d3135", 2.0),
    "train-clean-100": _libri("train-clean-100", "2a93770f6d5c6c964bc36631d331a522", 20.0),
    "train-clean-360": _libri("train-clean-360", "c0e676e450a7ff2f54aeade5171606fa", 60.0),
    "train-other-500": _libri("train-other-500", "d1a0fd59409feb2c614ce4d30c387708", 80.0),
    "dev-clean-2": _mini("dev-clean-2"),
    "train-clean-5": _mini("train-clean-5"),
}
