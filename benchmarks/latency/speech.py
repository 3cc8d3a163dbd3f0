"""Speech whose words' ends are known: from flite's own times, and by alignment of recordings."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from asr_gru import DataError, Recognizer
from asr_gru.audio.samples import to_int16
from asr_gru.data.audio import load_audio
from asr_gru.data.manifest import Utterance
from asr_gru.text import normalise
from benchmarks.latency.words import Spoken

__all__ = ["Piece", "align_by_model", "align_by_pocketsphinx", "aligner_errors", "joined", "speak"]

Samples = npt.NDArray[np.float32]
RATE = 16_000
GAP_S = 1.6
MARGIN_S = 0.15
NOISE_DB = -75.0
SENTENCES = (
    "the train to the coast leaves at nine in the morning",
    "what was i to make of it",
    "we are glad to welcome you to our house by the river",
    "she opened the window because the room was very warm",
    "nobody knows how many people came to hear him speak",
    "put the letters on the table and close the door behind you",
    "he asked whether the work would be finished before winter",
    "there is nothing in the world that i would rather do",
    "they walked along the street until they reached the old church",
    "my brother has lived in this town for almost twenty years",
    "it was a cold night and the wind came from the north",
    "please tell me when the next boat is going to arrive",
    "the children were playing under the trees near the water",
    "i have never seen so many birds in one place before",
    "after a long day he wanted to sit down and read a book",
    "the doctor said that she should rest for another week",
    "at last we found the road that leads back to the village",
    "a friend of mine told me the same story a month ago",
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Something said, ``samples (n,)`` at 16 kHz, and its words' times in it."""

    samples: Samples
    words: tuple[Spoken, ...]

    def until(self, seconds: float) -> Piece:
        """Return the beginning, cut in the longest pause of its last third before ``seconds``."""
        near = [
            (after.start_s - word.end_s, number, after.start_s)
            for number, (word, after) in enumerate(zip(self.words, self.words[1:], strict=False), 1)
            if seconds * 2 / 3 < word.end_s < seconds
        ]
        if len(self.samples) / RATE <= seconds or not near:
            return self
        _, count, end_s = max(near)
        return Piece(self.samples[: int(end_s * RATE)], self.words[:count])


def joined(pieces: Iterable[Piece], seconds: float, rate: int) -> tuple[Samples, list[Spoken]]:
    """Join pieces with pauses until ``seconds`` are full; return the samples and all words."""
    import soxr

    parts, words, length = [np.zeros(RATE // 2, np.float32)], [], RATE // 2
    for piece in pieces:
        piece = piece.until(seconds - length / RATE)
        first = max(0, round((piece.words[0].start_s - MARGIN_S) * RATE))
        last = round((piece.words[-1].end_s + MARGIN_S) * RATE)
        samples = piece.samples[first:last]
        moved_s = (length - first) / RATE
        words += [Spoken(w.text, w.start_s + moved_s, w.end_s + moved_s) for w in piece.words]
        pause = np.zeros(round((GAP_S - 2 * MARGIN_S) * RATE), np.float32)
        parts += [samples, pause]
        length += len(samples) + len(pause)
        if length / RATE > seconds - 2.0:
            break
    parts.append(np.zeros(2 * RATE, np.float32))
    whole = np.concatenate(parts)
    noise = np.random.default_rng(0).standard_normal(len(whole)) * 10 ** (NOISE_DB / 20)
    whole = (whole + noise).astype(np.float32)
    return (whole if rate == RATE else soxr.resample(whole, RATE, rate)), words


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("rate", ctypes.c_int),
        ("count", ctypes.c_int),
        ("channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


def _library(name: str) -> ctypes.CDLL:
    return ctypes.CDLL(find_library(name) or f"lib{name}.so.1", mode=ctypes.RTLD_GLOBAL)


@lru_cache(maxsize=1)
def _flite() -> ctypes.CDLL:
    """Load flite; OSError where it is not installed."""
    flite = _library("flite")
    _library("flite_usenglish")
    _library("flite_cmulex")
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    for name, result, arguments in (
        ("flite_init", ctypes.c_int, []),
        ("flite_synth_text", pointer, [text, pointer]),
        ("utt_wave", pointer, [pointer]),
        ("utt_relation", pointer, [pointer, text]),
        ("relation_head", pointer, [pointer]),
        ("item_next", pointer, [pointer]),
        ("path_to_item", pointer, [pointer, text]),
        ("ffeature_string", text, [pointer, text]),
        ("ffeature_float", ctypes.c_float, [pointer, text]),
        ("delete_utterance", None, [pointer]),
    ):
        function = getattr(flite, name)
        function.restype, function.argtypes = result, arguments
    flite.flite_init()
    return flite


@lru_cache(maxsize=4)
def _voice(name: str) -> int:
    register = getattr(_library(f"flite_cmu_us_{name}"), f"register_cmu_us_{name}")
    register.restype, register.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    return int(register(None))


def _synthesise(text: str, voice: str) -> tuple[Samples, list[tuple[str, int, float]]]:
    """Return samples, and for each phone its name, a number of its word, and its end."""
    flite = _flite()
    utterance = flite.flite_synth_text(text.encode(), _voice(voice))
    wave = ctypes.cast(flite.utt_wave(utterance), ctypes.POINTER(_Wave)).contents
    assert wave.rate == RATE
    samples = np.ctypeslib.as_array(wave.samples, (wave.count,)).astype(np.float32)
    samples /= 32768
    phones = []
    phone = flite.relation_head(flite.utt_relation(utterance, b"Segment"))
    while phone:
        word = flite.path_to_item(phone, b"R:SylStructure.parent.parent")
        name = flite.ffeature_string(phone, b"name").decode()
        phones.append((name, word or 0, float(flite.ffeature_float(phone, b"end"))))
        phone = flite.item_next(phone)
    flite.delete_utterance(utterance)
    return samples, phones


def speak(voices: Sequence[str] = ("slt", "rms")) -> Iterator[Piece]:
    """Let flite speak ``SENTENCES``, its voices by turns.

    Raises:
        OSError: flite is not installed.
    """
    for number, sentence in enumerate(SENTENCES):
        samples, phones = _synthesise(sentence, voices[number % len(voices)])
        texts = iter(sentence.split())
        words: list[Spoken] = []
        before, begin_s = 0, 0.0
        for name, word, end_s in phones:
            if name != "pau" and word != before:
                words.append(Spoken(next(texts), begin_s, end_s))
            elif name != "pau":
                words[-1] = Spoken(words[-1].text, words[-1].start_s, end_s)
            before, begin_s = word, end_s
        assert next(texts, None) is None, sentence
        yield Piece(samples, tuple(words))


@lru_cache(maxsize=1)
def _decoder() -> Any:
    from pocketsphinx import Decoder

    return Decoder(samprate=RATE, loglevel="FATAL", lm=None)


def align_by_pocketsphinx(utterances: Iterable[Utterance]) -> Iterator[Piece]:
    """Find the words' times with PocketSphinx's model, which is none of ours.

    Words that are not in its dictionary are pronounced as flite does. What cannot be aligned is
    left out.

    Raises:
        ImportError: PocketSphinx is not installed.
    """
    decoder = _decoder()
    for utterance in utterances:
        samples = load_audio(utterance, RATE)
        text = normalise(utterance.text, "english")
        if not text:
            continue
        for word in set(text.split()):
            if decoder.lookup_word(word) is None:
                decoder.add_word(word, _pronounced(word), update=False)
        decoder.set_align_text(text)
        decoder.start_utt()
        quiet = np.zeros(RATE // 2, np.float32)
        decoder.process_raw(_dithered(np.concatenate([samples, quiet])), full_utt=True)
        decoder.end_utt()
        words = tuple(
            Spoken(s.word.split("(")[0], s.start_frame / 100, (s.end_frame + 1) / 100)
            for s in decoder.seg() or ()
            if s.word[0] not in "<["
        )
        if " ".join(word.text for word in words) == text:
            yield Piece(samples, words)


def aligner_errors() -> tuple[list[float], list[float]]:
    """Return how many seconds late PocketSphinx finds the ends of flite's words.

    Returns:
        Of words inside a sentence, and of the last ones.
    """
    inner: list[float] = []
    last: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, piece in enumerate(speak()):
            path = Path(folder) / f"{number}.wav"
            soundfile.write(path, piece.samples, RATE)
            spoken = Utterance(path, " ".join(word.text for word in piece.words))
            for aligned in align_by_pocketsphinx([spoken]):
                pairs = zip(aligned.words, piece.words, strict=True)
                errors = [found.end_s - word.end_s for found, word in pairs]
                inner += errors[:-1]
                last.append(errors[-1])
    return inner, last


def _pronounced(word: str) -> str:
    _, phones = _synthesise(word, "slt")
    return " ".join("AH" if p[0] == "ax" else p[0].upper() for p in phones if p[0] != "pau")


def _dithered(samples: Samples) -> bytes:
    """Return samples of 16 bits, with noise of their last bit: digital silence has no features."""
    noise = np.random.default_rng(0).standard_normal(len(samples), np.float32)
    return to_int16(samples + noise * np.float32(2**-15)).tobytes()


def align_by_model(utterances: Iterable[Utterance], recognizer: Recognizer) -> Iterator[Piece]:
    """Find the words' times by the recogniser's own forced alignment.

    That leaves most of the model's own delay out of all figures. What does not agree with its text
    is left out.

    Raises:
        ConfigError: the model's tokens are word pieces, which have no pronunciations.
    """
    for utterance in utterances:
        samples = load_audio(utterance, RATE)
        text = normalise(utterance.text, "english")
        try:
            aligned = recognizer.align(text, samples, RATE)
        except DataError:  # no word has a pronunciation
            continue
        found = aligned.transcript.words
        if not aligned.mismatches and " ".join(word.text for word in found) == text:
            yield Piece(samples, tuple(Spoken(w.text, w.start_s, w.end_s) for w in found))
