"""Recordings and speakers that several lists share, so that they cannot judge each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from asr_gru.data.manifest import Utterance

__all__ = ["Overlap", "overlap"]


@dataclass(frozen=True, slots=True)
class Overlap:
    """What two lists share.

    Attributes:
        lists: their names.
        kind: ``"recordings"`` or ``"speakers"``.
        shared: paths or ids, sorted.
    """

    lists: tuple[str, str]
    kind: str
    shared: tuple[str, ...]


def overlap(lists: Mapping[str, Sequence[Utterance]]) -> list[Overlap]:
    """Return which recordings (or segments) and speakers are in several lists."""
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
