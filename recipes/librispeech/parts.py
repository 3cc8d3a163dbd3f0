"""The parts of LibriSpeech: where they are and what their archives' MD5 must be."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PARTS", "Part"]

HOST = "https://www.openslr.org/resources"


@dataclass(frozen=True, slots=True)
class Part:
    """One archive: its address, its MD5 ("" if a file beside it says so), its size unpacked."""

    url: str
    md5: str
    largest_gb: float


def _libri(name: str, md5: str, largest_gb: float) -> Part:
    return Part(f"{HOST}/12/{name}.tar.gz", md5, largest_gb)


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
