"""Make recordings to train on, with a speech synthesiser.

    python -m recipes.minute.prepare minute

The folder receives ``train.tsv``, ``dev.tsv`` and ``test.tsv`` with their recordings. No sentence
is in two of them. Without flite and eSpeak NG each letter becomes a pair of tones.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile

from asr_gru.data.manifest import Utterance, write_manifest
from recipes.command_line import one_line_errors, whole_number
from recipes.minute.sentences import draw_sentences
from recipes.minute.voices import SYNTHESISERS, choose_synthesiser

PAUSE_S = (0.1, 0.5)
"""Shortest and longest pause at each end of a recording."""
NOISE_LEVEL = 0.001
"""Root mean square of the noise (full scale is 1)."""
PARTS = ("train", "dev", "test")
CONFIG = "recipes/minute/minute.toml"


@one_line_errors()
def main(argv: Sequence[str] | None = None) -> int:
    """Synthesise the three lists; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.minute.prepare", description=__doc__.splitlines()[0]
    )
    parser.add_argument("folder", type=Path, help="folder of recordings and manifests")
    for part, size in zip(PARTS, (2500, 50, 200), strict=True):
        parser.add_argument(
            f"--{part}", type=whole_number, default=size, help=f"sentences of {part}.tsv"
        )
    voices = ("auto", *SYNTHESISERS)
    voice_help = "synthesiser (auto: the first that is installed)"
    parser.add_argument("--voice", choices=voices, default="auto", help=voice_help)
    parser.add_argument("--seed", type=int, default=1, help="seed of sentences and voices")
    parser.add_argument("--jobs", type=whole_number, default=2, help="sentences spoken at once")
    options = parser.parse_args(argv)
    counts = [getattr(options, part) for part in PARTS]
    name = prepare(options.folder, counts, options.voice, options.seed, options.jobs)
    print(f"spoken by {name}; next: asr-gru train {CONFIG} --root {options.folder}")
    return 0


def prepare(folder: Path, counts: Sequence[int], voice: str, seed: int, jobs: int) -> str:
    """Write ``counts`` sentences for each of the lists; return the name of the synthesiser."""
    name, synthesiser = choose_synthesiser(voice)
    sentences = iter(draw_sentences(sum(counts), random.Random(seed)))

    def speak(text: str, path: Path) -> Utterance:
        dice = random.Random(f"{seed} {text}")
        speaker = synthesiser.speak(text, path, dice)
        duration_s = add_pauses(path, dice)
        return Utterance(path=path, text=text, duration_s=duration_s, speaker=speaker, source=name)

    with ThreadPoolExecutor(jobs) as pool:
        for part, size in zip(PARTS, counts, strict=True):
            (folder / part).mkdir(parents=True, exist_ok=True)
            texts = [next(sentences) for _ in range(size)]
            paths = [folder / part / f"{number:04}.wav" for number in range(size)]
            spoken = list(pool.map(speak, texts, paths))
            write_manifest(folder / f"{part}.tsv", spoken)
            minutes = sum(utterance.duration_s for utterance in spoken) / 60
            print(f"{part}.tsv: {size} sentences, {minutes:.1f} minutes")
    return name


def add_pauses(path: Path, dice: random.Random) -> float:
    """Add a pause of faint noise before and after the speech in a file; return its seconds.

    Where every recording begins with speech at the same instant, a model learns to guess the first
    letter before it has heard it.
    """
    samples, rate = soundfile.read(path)
    before, after = (np.zeros(round(dice.uniform(*PAUSE_S) * rate)) for _ in range(2))
    whole = np.concatenate([before, samples, after])
    noise = np.random.default_rng(dice.getrandbits(32)).standard_normal(len(whole))
    whole += NOISE_LEVEL * noise
    soundfile.write(path, whole, rate)
    return len(whole) / rate


if __name__ == "__main__":
    sys.exit(main())
