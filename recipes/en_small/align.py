"""Align the phones of the training texts with their recordings, by PocketSphinx.

    pip install pocketsphinx
    python -m recipes.en_small.align DATA/speech/train.tsv runs/phones.tsv --jobs 2

Writes one line per utterance: its path as in the manifest, and its phones with their end times in
seconds (``SIL 0.16 HH 0.21 ...``), for ``phones`` of a training configuration. Utterances with a
word that is not in the dictionary, or that cannot be aligned, are skipped and counted. Running the
command again resumes it.
"""

import argparse
import contextlib
import multiprocessing
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from asr_gru.audio.samples import to_int16
from asr_gru.data.audio import load_audio
from asr_gru.data.manifest import Utterance, read_manifest
from asr_gru.errors import AudioError, DataError
from asr_gru.files import write_bytes
from asr_gru.text import normalise
from recipes.command_line import needed, one_line_errors, whole_number

with needed(__name__):
    from pocketsphinx import Decoder

RATE = 16_000
FRAMES_PER_SECOND = 100
HEADER = "path\tphones\n"
IGNORED = (signal.SIGINT, signal.SIG_IGN)
"""Ctrl-C ends the processes through the first one, which reports it in one line."""


@cache
def decoder() -> Decoder:
    """Return the aligner of this process."""
    return Decoder(samprate=RATE, lm=None, loglevel="FATAL")


def align(job: tuple[Utterance, str]) -> tuple[str, str, str]:
    """Return the path as in the manifest, the phones, and the reason if there are none."""
    utterance, name = job
    words = normalise(utterance.text, "english").split()
    if not words:
        return name, "", "no text"
    if any(decoder().lookup_word(word) is None for word in words):
        return name, "", "a word is not in the dictionary"
    try:
        audio = load_audio(utterance, RATE)
    except AudioError:
        return name, "", "the recording cannot be read"
    samples = to_int16(audio).tobytes()
    try:
        decoder().set_align_text(" ".join(words))
        _process(samples)
        decoder().set_alignment()
        _process(samples)
    except RuntimeError:
        with contextlib.suppress(RuntimeError):
            decoder().end_utt()
        return name, "", "the aligner gave up"
    phones = [phone for word in decoder().get_alignment() for phone in word]
    pairs = [f"{p.name} {(p.start + p.duration) / FRAMES_PER_SECOND:.2f}" for p in phones]
    return name, " ".join(pairs), ""


def _process(samples: bytes) -> None:
    decoder().start_utt()
    decoder().process_raw(samples, full_utt=True)
    decoder().end_utt()


def jobs(manifest: Path, done: set[str]) -> Iterator[tuple[Utterance, str]]:
    """Yield the utterances to align and their names, in random order, single words last."""
    utterances = read_manifest(manifest)
    random.Random(0).shuffle(utterances)
    utterances.sort(key=lambda utterance: " " not in utterance.text.strip())
    for utterance in utterances:
        path = utterance.key
        inside = path.is_relative_to(manifest.parent)
        name = (path.relative_to(manifest.parent) if inside else path).as_posix()
        if name not in done:
            yield utterance, name


@one_line_errors("stopped; the same command goes on with what is not aligned")
def main() -> int:
    """Align a manifest; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path, help="utterances to align")
    parser.add_argument("output", type=Path, help="list of phones, written or continued (.tsv)")
    parser.add_argument("--jobs", type=whole_number, default=1, help="processes")
    options = parser.parse_args()
    lines = [HEADER]
    if options.output.exists():
        found = options.output.read_text(encoding="utf-8").splitlines(keepends=True)
        if found and found[0] != HEADER:
            raise DataError(f"{options.output}: is not a list of phones; name another output")
        lines += [line for line in found[1:] if line.endswith("\n")]  # the last may be cut
    write_bytes(options.output, "".join(lines).encode())
    done = {line.partition("\t")[0] for line in lines[1:]}
    reasons: Counter[str] = Counter()
    with (
        options.output.open("a", encoding="utf-8") as file,
        multiprocessing.Pool(options.jobs, signal.signal, IGNORED) as pool,
    ):
        for name, phones, reason in pool.imap_unordered(align, jobs(options.manifest, done), 8):
            file.write(f"{name}\t{phones}\n")
            file.flush()
            reasons[reason or "aligned"] += 1
    for reason, times in reasons.most_common():
        print(f"{times:6} {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
