"""Label recordings with a teacher model's texts, and keep the confident ones.

    python -m recipes.en_small.label threshold DATA/speech/dev-crowd.tsv teacher-dev.jsonl
    python -m recipes.en_small.label manifest teacher.jsonl DATA/speech/labelled.tsv --above -0.25

The teacher is any recogniser that writes JSON lines with the keys ``path``, ``text`` and
``confidence`` (the mean natural log-probability of its tokens). ``threshold`` compares its texts
with those of a development list, and prints the share of recordings and their word error rate above
each threshold. ``manifest`` writes a training manifest of the recordings above a threshold; texts
are normalised, and ``source`` marks them as a teacher's.
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import soundfile

from asr_gru.data.manifest import Utterance, read_manifest, write_manifest
from asr_gru.errors import DataError
from asr_gru.scoring import Score, word_errors
from asr_gru.text import normalise

THRESHOLDS = (-math.inf, -0.5, -0.4, -0.3, -0.25, -0.2, -0.15, -0.1)
LONGEST_LINE = 1_000_000
PACE = (2.0, 30.0)
"""Characters per second of a text that can belong to its recording."""


@dataclass(frozen=True, slots=True)
class Label:
    """The output of a teacher for one recording.

    Attributes:
        path: the recording.
        text: the teacher's text, normalised.
        confidence: mean natural log-probability of its tokens, at most 0.
    """

    path: Path
    text: str
    confidence: float


def read_labels(path: Path) -> list[Label]:
    """Read a teacher's JSON lines; relative paths are relative to the file's folder.

    Raises:
        DataError: not there, or a line that is not of this form (named by its number).
    """
    labels = []
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE), ""), 1):
                if line.strip():
                    labels.append(_parse(line, path.parent, f"{path}:{number}"))
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; give a teacher's JSON lines") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8; give a teacher's JSON lines") from None
    return labels


def _parse(line: str, base: Path, where: str) -> Label:
    try:
        row = json.loads(line)
        name, text, confidence = row["path"], row["text"], float(row["confidence"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise DataError(
            f'{where}: write {{"path": "a.flac", "text": "the words", "confidence": -0.1}}'
        ) from None
    if not (isinstance(name, str) and isinstance(text, str) and confidence <= 0.0):
        raise DataError(f"{where}: path and text are strings, confidence is a number up to 0")
    return Label(base / name, normalise(text, "english"), confidence)


def judge(truth: Sequence[Utterance], labels: Sequence[Label]) -> list[tuple[float, float, Score]]:
    """Return threshold, share of the recordings kept, and word errors of each threshold.

    Raises:
        DataError: no recording of the list was labelled.
    """
    by_path = {label.path.resolve(): label for label in labels}
    pairs = [(u, by_path[u.path.resolve()]) for u in truth if u.path.resolve() in by_path]
    if not pairs:
        raise DataError("no recording of the list is among the teacher's; compare the paths")
    rows = []
    for threshold in THRESHOLDS:
        kept = [(u, label) for u, label in pairs if label.confidence > threshold]
        score = Score()
        for utterance, label in kept:
            score += word_errors(normalise(utterance.text, "english"), label.text)
        rows.append((threshold, len(kept) / len(pairs), score))
    return rows


def keep(labels: Sequence[Label], above: float, source: str) -> list[Utterance]:
    """Return labels above the threshold that have words and fit the recording's length."""
    kept = []
    for label in labels:
        if label.confidence <= above or not label.text:
            continue
        info = soundfile.info(label.path)
        duration_s = info.frames / info.samplerate
        if PACE[0] <= len(label.text) / max(duration_s, 0.01) <= PACE[1]:
            kept.append(
                Utterance(
                    path=label.path,
                    text=label.text,
                    duration_s=round(duration_s, 2),
                    source=source,
                    written=label.text,
                )
            )
    return kept


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of thresholds, or write the manifest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    table = commands.add_parser("threshold", help="share and WER above each threshold")
    table.add_argument("truth", type=Path, help="manifest with reference texts")
    table.add_argument("labels", type=Path, help="the teacher's JSON lines for it")
    write = commands.add_parser("manifest", help="write the recordings above a threshold")
    write.add_argument("labels", type=Path, help="JSON lines")
    write.add_argument("out", type=Path, help="the manifest to write")
    write.add_argument("--above", type=float, default=-0.25, help="confidence (default: -0.25)")
    write.add_argument("--source", default="teacher", help="name of the source in the manifest")
    options = parser.parse_args(arguments)
    try:
        labels = read_labels(options.labels)
        if options.command == "threshold":
            print("above    kept %   WER %")
            for threshold, share, score in judge(read_manifest(options.truth), labels):
                print(f"{threshold:6.2f} {100 * share:9.1f} {score.rate:7.1f}")
            return
        kept = keep(labels, options.above, options.source)
        write_manifest(options.out, kept)
    except (DataError, OSError, soundfile.LibsndfileError) as error:
        parser.error(str(error))
    hours = sum(utterance.duration_s for utterance in kept) / 3600
    print(f"{len(kept)} of {len(labels)} recordings, {hours:.2f} hours")


if __name__ == "__main__":
    main()
