"""Output of ``asr-gru data``: a report, or a JSON document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click

from asr_gru.inspection import Finding, Inspection, Overlap, Unknown
from asr_gru.inspection.corpus import PERCENTILES

__all__ = ["inspection_document", "overlap_line", "print_inspection"]

MOST_WORDS = 20


def print_inspection(name: str, found: Inspection, unknown: Unknown | None, *, most: int) -> None:
    """Print statistics of a manifest, and up to ``most`` suspicious utterances of each kind."""
    words, characters = found.words, found.characters
    click.echo(
        f"{name}: {len(found.items)} utterances, {found.hours:.2f} hours, {_speakers(found)}"
    )
    click.echo(f"texts: {words.total()} words, {len(words)} different")
    click.echo(f"characters: {_counted(characters, 60)}")
    if unknown is not None:
        if unknown.words is not None:
            share = 100 * unknown.words.total() / max(1, words.total())
            click.echo(
                f"words that the model lacks: {unknown.words.total()} ({share:.1f} %), "
                f"{len(unknown.words)} different: {_counted(unknown.words, MOST_WORDS)}"
            )
        click.echo(f"characters that the model lacks: {_counted(unknown.characters, MOST_WORDS)}")
    heads = [{0: "min", 100: "max"}.get(p, f"{p} %") for p in PERCENTILES]
    click.echo(f"\n{'':24}" + "".join(f"{head:>8}" for head in heads))
    for label, figures in found.percentiles.items():
        click.echo(f"{label:24}" + "".join(f"{figure:8.2f}" for figure in figures))
    findings = found.findings()
    count = len({finding.recording for finding in findings})
    click.echo(f"\nunreadable: {len(found.unreadable)}, suspicious: {count}")
    by_kind: dict[str, list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, []).append(finding)
    for kind, some in sorted(by_kind.items(), key=lambda entry: -len(entry[1])):
        click.echo(f"  {kind}: {len(some)}")
        for finding in some[:most]:
            click.echo(f"    {finding.recording}: {finding.detail}")
    click.echo()


def _speakers(found: Inspection) -> str:
    speakers = found.speakers
    nameless = speakers.pop("", 0)
    if not speakers:
        return "no speakers named"
    name, seconds = speakers.most_common(1)[0]
    share = 100 * seconds / max(1.0, found.hours * 3600)
    text = f"{len(speakers)} speakers ({name} has {share:.0f} %)"
    return f"{text}, {nameless} s without one" if nameless else text


def _counted(counts: Counter[str], most: int) -> str:
    """Return the most frequent names with their counts."""
    if not counts:
        return "none"
    shown = ", ".join(f"{name} ({count})" for name, count in counts.most_common(most))
    return f"{shown} and {len(counts) - most} more" if len(counts) > most else shown


def overlap_line(one: Overlap) -> str:
    """Return a line about recordings or speakers that are in two manifests."""
    first, second = one.lists
    example = ", ".join(one.shared[:3])
    return f"{first} and {second} share {len(one.shared)} {one.kind} (such as {example})"


def inspection_document(
    lists: Mapping[str, Inspection],
    unknown: Mapping[str, Unknown],
    shared: Sequence[Overlap],
) -> dict[str, Any]:
    """Return the output of ``--format json``: all manifests, and what they share."""
    documents = {}
    for name, found in lists.items():
        documents[name] = {
            "utterances": len(found.items),
            "hours": round(found.hours, 4),
            "speakers": dict(found.speakers.most_common()),
            "words": found.words.total(),
            "different_words": len(found.words),
            "characters": dict(found.characters.most_common()),
            "percentiles": {
                label: {str(p): _finite(f) for p, f in zip(PERCENTILES, figures, strict=True)}
                for label, figures in found.percentiles.items()
            },
            "unreadable": list(found.unreadable),
            "suspicious": [
                {"recording": str(one.recording), "kind": one.kind, "detail": one.detail}
                for one in found.findings()
            ],
        }
        if name in unknown:
            words = unknown[name].words
            documents[name]["unknown_words"] = None if words is None else dict(words.most_common())
            documents[name]["unknown_characters"] = dict(unknown[name].characters.most_common())
    return {
        "lists": documents,
        "shared": [
            {"lists": list(one.lists), "kind": one.kind, "shared": list(one.shared)}
            for one in shared
        ],
    }


def _finite(figure: float) -> float | None:
    """Return a value for JSON; infinite scores of texts that are too long become null."""
    return round(figure, 4) if abs(figure) != float("inf") else None
