"""Synthesise training texts, for further voices.

    python -m recipes.en_small.synthesise DATA/speech/train.tsv OUT --engine flite --hours 2
    python -m recipes.en_small.synthesise TEXTS.txt OUT --engine kokoro --hours 2 --seed 1 \
      --model kokoro.onnx --voices FOLDER

Speaks the texts of a manifest, or the lines of a text file, in random order and with a voice and a
pace drawn for each. Writes recordings (16 kHz FLAC) and a manifest ``train.tsv`` into the folder,
with the engine as ``source``; flite also gives ``phones.tsv`` in the form of ``align.py``. The
manifest is written as the work proceeds, so the command can be stopped at any time.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import soundfile

from asr_gru.data.manifest import Utterance, write_manifest
from asr_gru.errors import ConfigError, DataError
from asr_gru.files import write_bytes
from recipes.command_line import log, one_line_errors, positive, whole_number
from recipes.en_small.synthesis.flite import Flite
from recipes.en_small.synthesis.hibari import Hibari
from recipes.en_small.synthesis.kokoro import Kokoro
from recipes.en_small.synthesis.speech import SAMPLE_RATE, Engine
from recipes.en_small.synthesis.texts import Sentence, draw, read_sentences

WAVE = 16
"""Utterances between two writes of the manifest."""

Spoken = tuple[Utterance, str]


@dataclass(frozen=True, slots=True)
class Task:
    """What to synthesise; the first limit that is reached ends it."""

    engine: Engine
    source: str
    folder: Path
    seed: int = 0
    jobs: int = 1
    utterances: int = 3000
    hours: float = math.inf
    minutes: float = math.inf


def speak(task: Task, number: int, sentence: Sentence) -> Spoken | None:
    """Write one recording; return its line of the manifest and its phones, or None if empty."""
    speech = task.engine.speak(sentence.written, random.Random(f"{task.seed} {number}"))
    if not len(speech.samples):
        return None
    path = task.folder / f"{number:06}.flac"
    soundfile.write(path, speech.samples, SAMPLE_RATE)
    utterance = Utterance(
        path=path,
        text=sentence.text,
        duration_s=len(speech.samples) / SAMPLE_RATE,
        speaker=f"{task.source}-{speech.voice}",
        source=task.source,
        written=sentence.written,
    )
    return utterance, speech.phones


def synthesise(task: Task, sentences: Sequence[Sentence]) -> list[Utterance]:
    """Speak sentences until a limit is reached; return the lines of the manifest.

    An engine that could say none of the sentences is not asked for them again.
    """
    spoken: list[Spoken] = []
    begun = time.monotonic()
    numbered = enumerate(itertools.islice(draw(sentences, task.seed), task.utterances))
    with ThreadPoolExecutor(task.jobs) as pool:
        while wave := list(itertools.islice(numbered, WAVE)):
            made = pool.map(lambda item: speak(task, *item), wave)
            spoken += [one for one in made if one is not None]
            seconds = sum(utterance.duration_s for utterance, _ in spoken)
            write_lists(task.folder, spoken)
            log(f"{len(spoken)} utterances, {seconds / 3600:.2f} hours")
            if seconds > task.hours * 3600 or time.monotonic() - begun > task.minutes * 60:
                break
            if not spoken and wave[-1][0] + 1 >= len(sentences):
                break
    return [utterance for utterance, _ in spoken]


def write_lists(folder: Path, spoken: Sequence[Spoken]) -> None:
    """Write the manifest, and the phones if the engine gives them."""
    write_manifest(folder / "train.tsv", [utterance for utterance, _ in spoken])
    lines = [f"{utterance.path.name}\t{times}\n" for utterance, times in spoken if times]
    if lines:
        write_bytes(folder / "phones.tsv", "".join(["path\tphones\n", *lines]).encode())


def open_engine(options: argparse.Namespace) -> Engine:
    """Load the engine.

    Raises:
        ConfigError: it is not installed, or a file of it was not given.
    """
    if options.engine == "flite":
        return Flite()
    if options.engine == "hibari":
        return Hibari()
    if options.model is None or options.voices is None:
        raise ConfigError("kokoro needs --model and --voices; recipes/en_small/README.md has both")
    return Kokoro(options.model, options.voices)


@one_line_errors()
def main(arguments: Sequence[str] | None = None) -> int:
    """Synthesise the texts of a manifest or of a text file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("texts", type=Path, help="a manifest, or a .txt of one sentence per line")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", choices=("flite", "kokoro", "hibari"), default="flite")
    parser.add_argument("--utterances", type=whole_number, help="stop after so many")
    parser.add_argument(
        "--hours", type=positive, default=math.inf, help="stop after so much speech"
    )
    parser.add_argument("--minutes", type=positive, default=math.inf, help="stop after that time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=whole_number, default=1, help="utterances at once")
    parser.add_argument("--model", type=Path, help="Kokoro's ONNX model")
    parser.add_argument("--voices", type=Path, help="folder of Kokoro's style tables")
    options = parser.parse_args(arguments)
    sentences = read_sentences(options.texts)
    options.folder.mkdir(parents=True, exist_ok=True)
    task = Task(
        open_engine(options),
        options.engine,
        options.folder,
        options.seed,
        options.jobs,
        options.utterances or (3000 if math.isinf(options.hours) else sys.maxsize),
        options.hours,
        options.minutes,
    )
    begun = time.monotonic()
    spoken = synthesise(task, sentences)
    seconds = sum(utterance.duration_s for utterance in spoken)
    if not spoken:
        raise DataError(f"{options.texts}: the engine could say none of it; give other texts")
    speed = seconds / (time.monotonic() - begun)
    speakers = len({utterance.speaker for utterance in spoken})
    print(
        f"{len(spoken)} utterances, {seconds / 3600:.2f} hours, {speakers} speakers, "
        f"{speed:.1f} seconds of speech per second"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
