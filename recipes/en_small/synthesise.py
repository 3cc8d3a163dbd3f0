"""Synthesise training texts with flite, for further voices.

    python -m recipes.en_small.synthesise DATA/speech/train.tsv flite --utterances 3000 --jobs 2

Needs the program ``flite`` (Black and Lenzo 2001). Writes recordings and a manifest ``train.tsv``
into the folder, with ``source`` flite, and ``phones.tsv`` in the form of ``align.py``, whose times
are exact because flite made them. Voice, rate and pitch are drawn for each utterance.
"""

import argparse
import random
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import soundfile

from asr_gru.data.manifest import Utterance, read_manifest, write_manifest
from asr_gru.errors import DataError
from asr_gru.files import write_bytes
from asr_gru.text import normalise

VOICES = {"slt": 175.0, "awb": 130.0, "rms": 105.0, "kal16": 105.0}
"""16 kHz voices, and the mean pitch of each in hertz."""

PHONES = {"pau": "SIL", "ax": "AH"}
"""flite's phones that PocketSphinx names differently; the others only differ in case."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text and how it is spoken."""

    text: str
    voice: str
    stretch: float
    pitch_hz: float


def draw(utterances: Sequence[Utterance], count: int, seed: int) -> list[Prompt]:
    """Draw ``count`` texts of two words and more, each once until all were drawn."""
    texts = sorted({normalise(utterance.text, "english") for utterance in utterances})
    texts = [text for text in texts if " " in text]
    if not texts:
        raise DataError("no text of two words or more in the manifest; give another")
    dice = random.Random(seed)
    dice.shuffle(texts)
    prompts = []
    for number in range(count):
        voice = dice.choice(list(VOICES))
        pitch_hz = VOICES[voice] * dice.uniform(0.8, 1.25)
        text = texts[number % len(texts)]
        prompts.append(Prompt(text, voice, dice.uniform(0.75, 1.25), pitch_hz))
    return prompts


def command(prompt: Prompt, text: Path, wave: Path) -> list[str]:
    """Return flite's arguments; the text comes from a file, never from the command line."""
    pace, pitch = (
        f"duration_stretch={prompt.stretch:.2f}",
        f"int_f0_target_mean={prompt.pitch_hz:.0f}",
    )
    options = ["--setf", pace, "--setf", pitch]
    return ["flite", "-voice", prompt.voice, *options, "-psdur", "-f", str(text), "-o", str(wave)]


def phones(printed: str) -> str:
    """Turn what ``flite -psdur`` prints (``pau:0.246 hh:0.350``) into the form of ``align.py``."""
    pairs = [field.rsplit(":", 1) for field in printed.split()]
    return " ".join(f"{PHONES.get(name, name.upper())} {float(end):.2f}" for name, end in pairs)


def speak(prompt: Prompt, path: Path) -> tuple[Utterance, str]:
    """Write one recording (FLAC); return its line of the manifest and its phones."""
    with tempfile.TemporaryDirectory() as folder:
        text, wave = Path(folder) / "text", Path(folder) / "wave"
        text.write_text(prompt.text, encoding="ascii", errors="ignore")
        done = subprocess.run(
            command(prompt, text, wave), capture_output=True, text=True, check=True, timeout=120
        )
        samples, rate = soundfile.read(wave)
    soundfile.write(path, samples, rate)
    return (
        Utterance(
            path=path,
            text=prompt.text,
            duration_s=len(samples) / rate,
            speaker=f"flite-{prompt.voice}",
            source="flite",
            written=prompt.text,
        ),
        phones(done.stdout),
    )


def main() -> None:
    """Synthesise the texts of a manifest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--utterances", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes of flite at once")
    options = parser.parse_args()
    if options.utterances < 1 or options.jobs < 1:
        parser.error("--utterances and --jobs have to be 1 or more")
    try:
        prompts = draw(read_manifest(options.manifest), options.utterances, options.seed)
    except DataError as error:
        parser.error(str(error))
    options.folder.mkdir(parents=True, exist_ok=True)
    paths = [options.folder / f"{number:05}.flac" for number in range(len(prompts))]
    try:
        with ThreadPoolExecutor(options.jobs) as pool:
            spoken = list(pool.map(speak, prompts, paths))
    except FileNotFoundError:
        parser.error("the program flite is not there; install it (apt install flite)")
    except subprocess.CalledProcessError as error:
        parser.error(f"flite failed: {error.stderr.strip()[-200:] or error.returncode}")
    except subprocess.TimeoutExpired:
        parser.error("flite took more than two minutes over one utterance; run it again")
    write_manifest(options.folder / "train.tsv", [utterance for utterance, _ in spoken])
    lines = [f"{utterance.path.name}\t{times}\n" for utterance, times in spoken]
    write_bytes(options.folder / "phones.tsv", "".join(["path\tphones\n", *lines]).encode())
    hours = sum(utterance.duration_s for utterance, _ in spoken) / 3600
    print(f"{len(spoken)} utterances, {hours:.2f} hours")


if __name__ == "__main__":
    main()
