"""What all benchmarks share: arguments, models, manifests, the environment line, tables, timing.

A benchmark is a module with ``main(argv=None)`` that ends in ``run(main)``:

    def main(argv: Sequence[str] | None = None) -> None:
        options = make_parser(__doc__, manifests=True).parse_args(argv)
        recognizer = load(options)
        table = Table(("list", "<14"), ("WER %", "8.2f"))
        for name, utterances in read_lists(options).items():
            table.row(name, ...)
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import resource
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from asr_gru import Recognizer
from asr_gru.audio import Samples
from asr_gru.data.audio import load_audio
from asr_gru.data.manifest import Utterance, name_manifests, read_manifest
from asr_gru.decoding import AnyDecoder
from asr_gru.errors import DataError
from asr_gru.model.info import DEFAULT_MODEL
from asr_gru.text import normalise
from asr_gru.tuning import EncodedUtterance
from recipes.command_line import one_line_errors, positive, whole_number

__all__ = [
    "AUDIO_SAMPLES",
    "Table",
    "add_manifests",
    "fastest",
    "load",
    "make_parser",
    "peak_mb",
    "positive",
    "print_environment",
    "read_all",
    "read_list",
    "read_lists",
    "read_samples",
    "reference",
    "resident_mb",
    "run",
    "text_of",
    "whole_number",
]

AUDIO_SAMPLES = Path(__file__).parents[1] / "audio_samples"


def make_parser(
    doc: str | None,
    *,
    recording: bool = False,
    manifests: bool = False,
    every: int = 1,
    model: bool = True,
) -> argparse.ArgumentParser:
    """Return a parser with the arguments that benchmarks have in common.

    Args:
        doc: the benchmark's docstring, shown by ``--help``.
        recording: add ``RECORDING``, by default ``audio_samples/long.ogg``.
        manifests: add ``MANIFEST…``, by default the project's samples, and ``--every``.
        every: default of ``--every``.
        model: add ``--model``.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if recording:
        parser.add_argument(
            "recording",
            type=Path,
            nargs="?",
            default=AUDIO_SAMPLES / "long.ogg",
            metavar="RECORDING",
        )
    if manifests:
        add_manifests(parser, every)
    if model:
        parser.add_argument("--model", default=DEFAULT_MODEL, help="bundled model, or a folder")
    return parser


def add_manifests(parser: argparse.ArgumentParser, every: int = 1) -> None:
    """Add ``MANIFEST…`` and ``--every`` at this place, for a parser with another first argument."""
    parser.add_argument(
        "manifests",
        type=Path,
        nargs="*",
        default=[AUDIO_SAMPLES / "samples.tsv"],
        metavar="MANIFEST",
    )
    parser.add_argument(
        "--every", type=whole_number, default=every, metavar="N", help="take every N-th utterance"
    )


def load(options: argparse.Namespace, **arguments: Any) -> Recognizer:
    """Print the environment line, and load ``--model`` with ``arguments`` of `Recognizer.load`."""
    print_environment(options.model)
    return Recognizer.load(options.model, **arguments)


def print_environment(*parts: str) -> None:
    """Print a line that begins with ``#``: versions, processor and threads of the figures below."""
    libraries = [f"{name} {version(name)}" for name in ("onnxruntime", "numpy")]
    if "torch" in sys.modules:
        libraries.append(f"torch {version('torch')}")
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    where = f"{_processor()}, {os.cpu_count()} logical cores, OMP_NUM_THREADS {threads}"
    print("#", ", ".join([*parts, f"Python {platform.python_version()}", *libraries, where]))


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


def read_lists(options: argparse.Namespace) -> dict[str, list[Utterance]]:
    """Return every ``--every``-th utterance of each manifest, by a name that is its own."""
    return {
        name: read_list(path, options.every)
        for name, path in zip(name_manifests(options.manifests), options.manifests, strict=True)
    }


def read_list(path: Path, every: int = 1) -> list[Utterance]:
    """Return every ``every``-th utterance of a manifest; DataError if it lists none."""
    utterances = read_manifest(path)[::every]
    if not utterances:
        raise DataError(f"{path}: lists no recordings; give another manifest")
    return utterances


def read_all(options: argparse.Namespace) -> list[Utterance]:
    """Return the utterances of all manifests together."""
    return [utterance for chosen in read_lists(options).values() for utterance in chosen]


def read_samples(path: Path, sample_rate: int) -> Samples:
    """Return the samples of a recording; AudioError if it has none."""
    return load_audio(Utterance(path, ""), sample_rate)


def reference(utterance: Utterance) -> str:
    """Return the normalised text that a recogniser's is compared with."""
    return normalise(utterance.text, "english")


def text_of(decoder: AnyDecoder, heard: EncodedUtterance) -> str:
    """Return the text that a decoder finds in a whole utterance; "" if there are no words."""
    (state,) = decoder.advance([decoder.start()], [heard.log_probs])
    words = decoder.best(decoder.finish(state))[0].words or ()
    return " ".join(word.text for word in words)


class Table:
    """Prints a header, then rows in columns of fixed width, each as soon as it is known.

    Args:
        columns: a title for each column, and the format of its values; ``<`` aligns to the left.
    """

    def __init__(self, *columns: tuple[str, str]) -> None:
        self._formats = [(form, _text_format(form)) for _, form in columns]
        self.row(*(title for title, _ in columns))

    def row(self, *values: object) -> None:
        """Print ``values``; text stands in a column of numbers as it is, as wide as they are."""
        cells = [
            format(value, text_form if isinstance(value, str) else form)
            for value, (form, text_form) in zip(values, self._formats, strict=True)
        ]
        print(" ".join(cells).rstrip(), flush=True)


def _text_format(form: str) -> str:
    found = re.match(r"([<>])?[+,]?(\d+)", form)
    assert found is not None, form
    return f"{found[1] or '>'}{found[2]}"


def fastest(action: Callable[[], object], tries: int = 5) -> float:
    """Return the seconds that the fastest of ``tries`` calls took."""
    times = []
    for _ in range(tries):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return min(times)


def resident_mb() -> float:
    """Return the resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_mb(who: int = resource.RUSAGE_SELF) -> float:
    """Return the highest resident memory of this process, or of its largest child, in MB."""
    return resource.getrusage(who).ru_maxrss * 1024 / 1e6


def run(main: Callable[[], None]) -> None:
    """Call ``main`` and exit; errors of the package and the system become one line."""

    @one_line_errors()
    def status() -> int:
        main()
        return 0

    sys.exit(status())
