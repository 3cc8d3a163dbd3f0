"""N-best lists of manifests, recognised once and then kept in a file."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import msgspec

from asr_gru import Recognizer
from asr_gru.data.audio import load_audio
from asr_gru.data.manifest import Utterance, check_files, read_manifest
from asr_gru.decoder_config import search_parameters
from asr_gru.decoding import word_search
from asr_gru.errors import AudioError, DataError
from asr_gru.files import write_bytes
from asr_gru.language import Lexicon
from asr_gru.model.directory import CONFIG, LEXICON, ModelDirectory
from asr_gru.results.transcript import MAX_ALTERNATIVES
from asr_gru.text import normalise
from recipes.sequences.word_model import load_ngram

__all__ = ["NBest", "load_n_best"]

HISTORIES = 10
"""Word sequences kept for each state of the search; with one, n-best lists are short."""


class NBest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The n-best list of an utterance.

    Attributes:
        speaker: speaker, or the recording if the manifest names none.
        reference: normalised transcript.
        texts: hypotheses, the decoder's first choice first.
        scores: log-probability of each.
    """

    speaker: str
    reference: str
    texts: tuple[str, ...]
    scores: tuple[float, ...]


def load_recognizer(model: str) -> Recognizer:
    """Load a model with a word search that keeps several histories."""
    directory = ModelDirectory.open(model)
    symbols, lexicon = directory.tokenizer().symbols, Lexicon.load(directory.path / LEXICON)
    parameters = replace(search_parameters(directory.config.decoder), histories=HISTORIES)
    search = word_search(symbols, lexicon, load_ngram(model), parameters=parameters)
    return Recognizer.load(model, decoder=search)


def n_best(recognizer: Recognizer, utterances: Sequence[Utterance]) -> list[NBest]:
    """Recognise whole recordings; unreadable ones are left out, with a line on stderr."""
    check_files(utterances)
    rate = recognizer.info.sample_rate
    found: list[NBest] = []
    for utterance in utterances:
        try:
            samples = load_audio(utterance, rate)
        except AudioError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        transcript = recognizer.transcribe(
            samples, rate, endpoint="off", alternatives=MAX_ALTERNATIVES
        )
        texts: tuple[str, ...] = ("",)
        scores: tuple[float, ...] = (0.0,)
        if transcript.segments:
            (segment,) = transcript.segments
            texts = tuple(one.text for one in segment.alternatives)
            scores = tuple(one.log_prob for one in segment.alternatives)
        reference = normalise(utterance.text, "english")
        speaker = utterance.speaker or str(utterance.path)
        found.append(NBest(speaker=speaker, reference=reference, texts=texts, scores=scores))
    return found


def load_n_best(path: Path, model: str, manifests: Sequence[Path]) -> list[list[NBest]]:
    """Return the n-best lists of manifests from ``path``, where they are kept once recognised.

    Raises:
        DataError: the file is damaged, or of another model or other utterances, even if these have
            the same names.
    """
    read = [read_manifest(manifest) for manifest in manifests]
    key = _key(model, read)
    if path.exists():
        try:
            stored = msgspec.json.decode(path.read_bytes())
            if stored["key"] == key:
                return msgspec.convert(stored["lists"], list[list[NBest]])
        except (msgspec.MsgspecError, KeyError, TypeError):
            raise DataError(f"{path}: damaged; delete it to recognise again") from None
        raise DataError(
            f"{path}: n-best lists of another model or other utterances; "
            "delete it to recognise again, or give another --nbest"
        )
    recognizer = load_recognizer(model)
    lists = []
    for manifest, utterances in zip(manifests, read, strict=True):
        lists.append(n_best(recognizer, utterances))
        print(f"{manifest}: {len(lists[-1])} utterances recognised", file=sys.stderr, flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, msgspec.json.encode({"key": key, "lists": lists}))
    return lists


def _key(model: str, lists: Sequence[Sequence[Utterance]]) -> dict[str, Any]:
    """Return what n-best lists depend on: hashes of the model and of each list."""
    config = (ModelDirectory.open(model).path / CONFIG).read_bytes()  # has hashes of all files
    digests = [
        hashlib.sha256(repr([astuple(one) for one in utterances]).encode()).hexdigest()
        for utterances in lists
    ]
    return {"model": hashlib.sha256(config).hexdigest(), "utterances": digests}
