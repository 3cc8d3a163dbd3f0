"""Orders at a coffee machine, spoken by free voices: how many are accepted, whole and right.

    OMP_NUM_THREADS=1 python -m benchmarks.accuracy.orders --noise FOLDER --open MANIFEST

Sentences are drawn from the grammar with a fixed seed, in turn by each voice, over the recordings
of FOLDER, at each ratio of the mean powers of speech and noise. ``right %`` counts those that come
out as one segment with the intent and slots of what was said, ``words %`` those with the same
words as well, ``wrong %`` those that are accepted with another meaning. ``open %`` is the share of
the recordings of ``--open`` in which the grammar accepts anything, between pauses as in a stream.
Needs flite; ``--piper VOICE.onnx`` adds a voice of Piper (``pip install piper-tts``).
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asr_gru import Recognizer, Transcript
from asr_gru.audio import find_recordings, read_recording
from asr_gru.data.audio import load_audio
from asr_gru.decoding import AnyDecoder
from asr_gru.errors import ConfigError
from asr_gru.language import Grammar, read_grammar
from benchmarks._common import AUDIO_SAMPLES, Table, load, make_parser, read_list, run, whole_number

GRAMMAR = Path(__file__).parents[1] / "grammars" / "coffee.jsgf"
VOICES = ("slt", "rms", "awb", "kal16")
RATE = 16_000
MARGIN = RATE // 2
QUIET = 0.05
Samples = npt.NDArray[np.float32]


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--noise", type=Path, required=True, help="a folder of recordings")
    parser.add_argument("--open", type=Path, default=AUDIO_SAMPLES / "samples.tsv")
    parser.add_argument("--grammar", type=Path, default=GRAMMAR)
    parser.add_argument("--sentences", type=whole_number, default=300)
    parser.add_argument("--snr", type=float, nargs="+", default=(24, 18, 12, 6))
    parser.add_argument("--rejection", type=float)
    parser.add_argument("--piper", type=Path, help="a voice's .onnx, its .onnx.json beside it")
    options = parser.parse_args(argv)
    flite = shutil.which("flite")
    if flite is None:
        raise ConfigError("flite is not installed; install it (apt-get install flite)")
    open_speech = read_list(options.open)
    recognizer = load(options)
    grammar = Grammar(*read_grammar(options.grammar))
    decoder = recognizer.grammar_decoder(options.grammar, rejection=options.rejection)
    rng = np.random.default_rng(1)
    sentences = [_sentence(grammar, rng) for _ in range(options.sentences)]
    voices = (*VOICES, *(["piper"] if options.piper else []))
    spoken = [*_spoken(flite, options.piper, sentences)]
    files = np.array(find_recordings([options.noise]), object)
    noises = [read_recording(path, RATE) for path in rng.permutation(files)[: len(sentences)]]
    table = Table(
        ("dB", "5.0f"),
        ("voice", "<6"),
        ("right %", "7.1f"),
        ("words %", "7.1f"),
        ("wrong %", "7.1f"),
    )
    for snr in options.snr:
        noisy = [
            _mixed(speech, noises[i % len(noises)], snr, rng) for i, speech in enumerate(spoken)
        ]
        results = [
            _result(grammar, sentence, heard)
            for sentence, heard in zip(sentences, _hear(recognizer, noisy, decoder), strict=True)
        ]
        for place, voice in enumerate((*voices, "all")):
            own = results if voice == "all" else results[place :: len(voices)]
            if own:
                table.row(snr, voice, *(100 * np.mean(own, axis=0)))
    others = [load_audio(utterance, RATE) for utterance in open_speech]
    accepted = sum(bool(heard.segments) for heard in _hear(recognizer, others, decoder))
    print(f"\nopen speech: {100 * accepted / len(others):.1f} % of {len(others)} accepted")


def _sentence(grammar: Grammar, rng: np.random.Generator) -> str:
    """Return a sentence of a grammar, drawn word by word."""
    graph, state = grammar.graph, 0
    words: list[str] = []
    while True:
        arcs = np.flatnonzero(graph.source == state)
        ends = bool(np.isfinite(graph.final[state]))
        if not len(arcs) or (ends and rng.random() < 1 / 3):
            return " ".join(words)
        arc = rng.choice(arcs)
        words.append(graph.words[graph.word[arc]])
        state = int(graph.target[arc])


def _spoken(flite: str, piper: Path | None, sentences: Sequence[str]) -> Iterator[Samples]:
    """Yield each sentence, by flite's voices and that of Piper in turn."""
    speaker = _piper(piper) if piper else None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        for number, sentence in enumerate(sentences):
            place = number % (len(VOICES) + (speaker is not None))
            if place < len(VOICES):
                command = [flite, "-voice", VOICES[place], "-t", sentence, "-o", str(path)]
                subprocess.run(command, check=True)
            elif speaker is not None:
                with wave.open(str(path), "wb") as file:
                    speaker.synthesize_wav(sentence, file)
            speech = read_recording(path, RATE)
            yield np.pad(speech * (QUIET / max(float(speech.std()), 1e-6)), MARGIN)


def _piper(voice: Path) -> Any:
    try:
        from piper import PiperVoice
    except ImportError:
        raise ConfigError("piper is not installed; run: pip install piper-tts") from None
    return PiperVoice.load(voice)


def _mixed(speech: Samples, noise: Samples, snr: float, rng: np.random.Generator) -> Samples:
    """Return speech over noise that is ``snr`` dB below it."""
    first = int(rng.integers(len(noise)))
    cut = np.resize(np.roll(noise, -first), len(speech))
    power = float(cut.std())
    gain = QUIET / 10 ** (snr / 20) / power if power > 1e-5 else 0.0
    return np.asarray(speech + gain * cut, np.float32)


def _hear(
    recognizer: Recognizer, sources: Sequence[Any], decoder: AnyDecoder
) -> Iterator[Transcript]:
    for _, heard in recognizer.transcribe_batch(sources, RATE, decoder=decoder):
        if not isinstance(heard, Transcript):
            raise heard
        yield heard


def _result(grammar: Grammar, sentence: str, heard: Transcript) -> tuple[bool, bool, bool]:
    """Return whether the meaning is right, the words too, and whether another was accepted."""
    expected = grammar.match(sentence.split())
    matches = [segment.match for segment in heard.segments]
    is_right = matches == [expected]
    return is_right, is_right and heard.text == sentence, bool(matches) and not is_right


if __name__ == "__main__":
    run(main)
