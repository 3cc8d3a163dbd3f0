"""Recordings and speakers that several manifests share, such as training and test lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from asr_gru.data.manifest import Utterance

__all__ = ["Overlap", "overlap"]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Recordings or speakers that two manifests share.

    Attributes:
        lists: names of the manifests.
        kind: ``"recordings"`` or ``"speakers"``.
        shared: sorted paths or speaker ids.
    """

    lists: tuple[str, str]
    kind: str
    shared: tuple[str, ...]


def overlap(lists: Mapping[str, Sequence[Utterance]]) -> list[Overlap]:
    """Return the recordings (or segments) and speakers that are in several of ``lists``."""
    return list(_overlaps(lists))


def _overlaps(lists: Mapping[str, Sequence[Utterance]]) -> Iterator[Overlap]:
    recordings = {name: {_key(u) for u in listed} for name, listed in lists.items()}
    speakers = {name: {u.speaker for u in listed} - {""} for name, listed in lists.items()}
    for kind, sets in (("recordings", recordings), ("speakers", speakers)):
        for one, other in combinations(lists, 2):
            shared = tuple(sorted(sets[one] & sets[other]))
            if shared:
                yield Overlap((one, other), kind, shared)


def _key(utterance: Utterance) -> str:
    name = utterance.key.name
    return str(utterance.path.resolve().with_name(name))
