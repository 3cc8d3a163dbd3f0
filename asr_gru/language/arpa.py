"""Reads and writes n-gram models in the ARPA format of SRILM, KenLM and others."""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NoReturn

import numpy as np
import numpy.typing as npt

from asr_gru.errors import DataError
from asr_gru.language.ngrams import (
    BOS,
    EOS,
    IMPOSSIBLE,
    MAX_ORDER,
    UNK,
    Ints,
    Level,
    NGrams,
    find,
    keys,
)
from asr_gru.language.text_files import create_text, read_lines

__all__ = ["read_arpa", "write_arpa"]

MAX_ARPA_BYTES = 1 << 33
LN10 = math.log(10)
WRITE_BATCH = 200_000
COUNT = re.compile(r"ngram +(\d{1,18}) *= *(\d{1,18})")  # int refuses thousands of digits


class _Reader:
    """Iterates over the lines of a file; ``refuse`` raises an error with the current line."""

    def __init__(self, path: Path) -> None:
        self.path, self.number = path, 0
        self._lines = read_lines(path, MAX_ARPA_BYTES)

    def __iter__(self) -> Iterator[str]:
        for number, line in self._lines:
            self.number = number
            yield line.strip(" \t")

    def refuse(self, problem: str) -> NoReturn:
        raise DataError(f"{self.path}: line {self.number}: {problem}")


def read_arpa(path: str | Path) -> NGrams:
    """Read a model; the name may end in ``.gz`` or ``.xz``. A missing ``<unk>`` is added.

    Raises:
        DataError: a truncated file, wrong counts, an order above 5, invalid UTF-8, an invalid
            number, or an n-gram that is repeated or whose prefix is missing; with the line.
    """
    reader = _Reader(Path(path))
    lines = iter(reader)
    counts = _counts(reader, lines)
    ids: dict[str, int] = {}
    levels: list[Level] = []
    for n in range(1, len(counts) + 1):
        levels.append(_section(reader, lines, n, counts, ids, levels))
    return _complete(reader, NGrams(tuple(ids), tuple(levels)))


def _counts(reader: _Reader, lines: Iterator[str]) -> list[int]:
    for line in lines:
        if line == "\\data\\":
            break
    else:
        reader.refuse("no \\data\\ in the file; give a language model in ARPA format")
    counts: list[int] = []
    for line in lines:
        if not line:
            continue
        if line == "\\1-grams:":
            break
        stated = COUNT.fullmatch(line)
        if not stated or int(stated[1]) != len(counts) + 1:
            reader.refuse(f"expected 'ngram {len(counts) + 1}=...' or '\\1-grams:'; repair it")
        counts.append(int(stated[2]))
        if len(counts) > MAX_ORDER:
            reader.refuse(f"order above {MAX_ORDER}; make a model of order 1 to 5")
    else:
        reader.refuse("truncated before '\\1-grams:'; write the model again")
    if not counts:
        reader.refuse("no 'ngram 1=...' in the header; write the model again")
    return counts


def _section(
    reader: _Reader,
    lines: Iterator[str],
    n: int,
    counts: list[int],
    ids: dict[str, int],
    below: list[Level],
) -> Level:
    """Read the n-grams of one order, up to the heading of the next."""
    columns = [array("i") for _ in range(n)]
    log_probs, backoffs = array("d"), array("d")
    last = n == len(counts)
    heading = "\\end\\" if last else f"\\{n + 1}-grams:"
    for line in lines:
        if not line:
            continue
        if line[0] == "\\" and line == heading:
            break
        log_prob, words, backoff = _fields(reader, line, n)
        if n == 1:
            if words[0] in ids:
                reader.refuse(f"{words[0]!r} is listed twice; remove one of them")
            ids[words[0]] = len(ids)
        try:
            for column, word in zip(columns, words, strict=True):
                column.append(ids[word])
        except KeyError as error:
            reader.refuse(f"{error.args[0]!r} is not listed in the 1-grams; write the model again")
        log_probs.append(log_prob)
        backoffs.append(0.0 if last else backoff)
    else:
        reader.refuse(f"truncated before {heading!r}; write the model again")
    if len(log_probs) != counts[n - 1]:
        reader.refuse(
            f"{len(log_probs)} {n}-grams, but the header says {counts[n - 1]}; "
            "write the model again"
        )
    return _level(
        reader,
        [np.frombuffer(column, np.intc).astype(np.int64) for column in columns],
        np.frombuffer(log_probs, np.float64),
        np.frombuffer(backoffs, np.float64),
        tuple(ids),
        below,
    )


def _fields(reader: _Reader, line: str, n: int) -> tuple[float, list[str], float]:
    fields = line.split("\t")
    words = fields[1].split(" ") if len(fields) in (2, 3) else []
    if len(words) != n or "" in words:
        parts = [part for part in re.split(r"[ \t]+", line) if part]
        if len(parts) not in (n + 1, n + 2):
            reader.refuse(f"expected a number, {n} words and a back-off weight; repair it")
        fields, words = [parts[0], "", *parts[n + 1 :]], parts[1 : n + 1]
    try:
        log_prob = max(float(fields[0]) * LN10, IMPOSSIBLE)
        backoff = float(fields[2]) * LN10 if len(fields) == 3 else 0.0
    except ValueError:
        reader.refuse("a field is not a number; repair it")
    if math.isnan(log_prob) or log_prob > 1e-4 or not math.isfinite(backoff):
        reader.refuse("a probability above one or a number that is not finite; repair it")
    return min(log_prob, 0.0), words, max(backoff, IMPOSSIBLE)


def _level(
    reader: _Reader,
    columns: list[Ints],
    log_probs: npt.NDArray[np.float64],
    backoffs: npt.NDArray[np.float64],
    words: tuple[str, ...],
    below: list[Level],
) -> Level:
    parents = np.zeros(len(log_probs), np.int64)
    for level, column in zip(below, columns, strict=False):
        parents = find(level.keys, keys(parents, column))
        if len(parents) and parents.min() < 0:
            gram = [words[column[np.argmin(parents)]] for column in columns]
            reader.refuse(f"{' '.join(gram)!r} without {' '.join(gram[:-1])!r}; repair the model")
    order = np.argsort(keys(parents, columns[-1]), kind="stable")
    level = Level(
        parents[order],
        columns[-1][order],
        log_probs[order].astype(np.float32),
        backoffs[order].astype(np.float32),
    )
    (twice,) = np.nonzero(np.diff(level.keys) == 0)
    if len(twice):
        gram = [words[column[order[twice[0]]]] for column in columns]
        reader.refuse(f"{' '.join(gram)!r} is listed twice; remove one of them")
    return level


def _complete(reader: _Reader, ngrams: NGrams) -> NGrams:
    words, level = ngrams.words, ngrams.levels[0]
    if UNK not in words and "<UNK>" in words:
        words = tuple(UNK if word == "<UNK>" else word for word in words)
    for word in (BOS, EOS):
        if word not in words:
            reader.refuse(f"{word} is missing from the 1-grams; train with sentence boundaries")
    if UNK not in words:
        words = (*words, UNK)
        level = Level(
            np.append(level.parents, 0),
            np.append(level.words, len(words) - 1),
            np.append(level.log_probs, np.float32(IMPOSSIBLE)),
            np.append(level.backoffs, np.float32(0)),
        )
    return NGrams(words, (level, *ngrams.levels[1:]))


def write_arpa(ngrams: NGrams, path: str | Path) -> None:
    """Write a model atomically; compressed if the name ends in ``.gz`` or ``.xz``."""
    with create_text(Path(path)) as file:
        file.write("\\data\\\n")
        file.writelines(f"ngram {n}={count}\n" for n, count in enumerate(ngrams.counts, 1))
        for n in range(1, ngrams.order + 1):
            file.write(f"\n\\{n}-grams:\n")
            _write_level(file, ngrams, n)
        file.write("\n\\end\\\n")


def _write_level(file: IO[str], ngrams: NGrams, n: int) -> None:
    level, grams, words = ngrams.levels[n - 1], ngrams.grams(n), ngrams.words
    for start in range(0, len(level), WRITE_BATCH):
        part = slice(start, start + WRITE_BATCH)
        named = [" ".join([words[word] for word in gram]) for gram in grams[part].tolist()]
        log_probs = (level.log_probs[part].astype(np.float64) / LN10).tolist()
        backoffs = (level.backoffs[part].astype(np.float64) / LN10).tolist()
        if n < ngrams.order:
            rows = zip(log_probs, named, backoffs, strict=True)
            file.write("".join([f"{p:.6f}\t{gram}\t{b:.6f}\n" for p, gram, b in rows]))
        else:
            pairs = zip(log_probs, named, strict=True)
            file.write("".join([f"{p:.6f}\t{gram}\n" for p, gram in pairs]))
