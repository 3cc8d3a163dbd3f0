"""Export of a trained network to a model directory, checked in float and int8."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from asr_gru.decoding import (
    AnyDecoder,
    GreedyDecoder,
    TreeSearchParameters,
    word_search,
    word_spans,
)
from asr_gru.errors import ModelError
from asr_gru.export.acoustic_graph import acoustic_graph
from asr_gru.export.calibrate import calibrate
from asr_gru.language import LanguageModel, Lexicon
from asr_gru.language.token_trigram import TokenTrigram
from asr_gru.model.config import (
    ConfidenceWeights,
    DecoderConfig,
    ModelConfig,
    Source,
    SpeechConfig,
    TokensConfig,
    WordsConfig,
)
from asr_gru.model.directory import (
    FLOAT_GRAPH,
    GRAPH,
    LANGUAGE,
    LEXICON,
    TRIGRAM,
    WEIGHTS,
    write_model_directory,
)
from asr_gru.model.onnx import OnnxAcousticModel
from asr_gru.nn.net import AcousticNet
from asr_gru.nn.torch_model import acoustic_info, pack_weights
from asr_gru.scoring import Score, word_errors
from asr_gru.text import TOKENS, Tokenizer

__all__ = ["Card", "ExportReport", "Figures", "export_model"]

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Card:
    """Metadata of a model directory: name, licence, thresholds, sources."""

    name: str
    language: str = ""
    licence: str = ""
    normaliser: str = "none"
    time_shift_s: float = 0.0
    temperature: float = 1.0
    confidence: ConfidenceWeights | None = None
    speech: SpeechConfig | None = None
    sources: tuple[Source, ...] = ()
    training: dict[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figures:
    """One form of the model: size, real-time factor of one thread, word errors."""

    megabytes: float
    real_time_factor: float
    words: Score


@dataclass(frozen=True, slots=True)
class ExportReport:
    """Figures of the float and the int8 graph on the same recordings."""

    float32: Figures
    int8: Figures
    agreement: float
    """Percentage of frames in which both graphs rank the same token first."""


def export_model(
    net: AcousticNet,
    tokens: Tokenizer,
    folder: str | Path,
    card: Card,
    *,
    calibration: Sequence[Samples],
    check: Sequence[tuple[Samples, str]],
    bound: float = 0.5,
    with_float: bool = False,
    with_weights: bool = False,
    lexicon: Lexicon | None = None,
    language_model: LanguageModel | None = None,
    parameters: TreeSearchParameters | None = None,
    trigram: TokenTrigram | None = None,
) -> ExportReport:
    """Write ``folder`` and return what was measured.

    Args:
        net: the network, in evaluation mode.
        tokens: its tokenizer.
        folder: a new model directory, or an old one to replace.
        card: its metadata.
        calibration: a few minutes of training audio at the model's rate.
        check: recordings with their texts, for the word error rates.
        bound: points of word error rate that int8 may lose.
        with_float: add ``acoustic.float.onnx``.
        with_weights: add ``weights.npz`` for the torch backend.
        lexicon: the words that the model finds; its decoder is then the search for words.
        language_model: which words follow which; its vocabulary holds the lexicon's words.
        parameters: parameters of the word search.
        trigram: which tokens follow each other, for the search for phones.

    Raises:
        ModelError: int8 lost more than ``bound``, or lexicon, language model and tokens do not
            belong together; nothing is written.
    """
    decoder: AnyDecoder = GreedyDecoder()
    if lexicon is not None:
        spaced = tokens.kind == "characters"
        decoder = word_search(
            tokens.symbols, lexicon, language_model, parameters=parameters, spaced=spaced
        )
    elif language_model is not None:
        raise ModelError("a language model without a lexicon; give both")
    if not calibration or not check:
        raise ModelError("export needs recordings for calibration and for the check")
    info = acoustic_info(net)
    graphs = {
        "float32": acoustic_graph(net, None),
        "int8": acoustic_graph(net, calibrate(net, calibration)),
    }
    figures, paths = {}, {}
    for name, graph in graphs.items():
        model = OnnxAcousticModel(graph, info)
        figures[name], paths[name] = _measure(model, len(graph), tokens, decoder, check)
    same = sum(int((a == b).sum()) for a, b in zip(paths["float32"], paths["int8"], strict=True))
    total = sum(len(path) for path in paths["int8"])
    report = ExportReport(figures["float32"], figures["int8"], 100.0 * same / max(1, total))
    lost = report.int8.words.rate - report.float32.words.rate
    if lost > bound:
        raise ModelError(
            f"int8 lost {lost:.2f} points of word error rate, more than {bound}; "
            "calibrate on more training audio"
        )
    files = {GRAPH: graphs["int8"], **_saved(tokens, lexicon, language_model, trigram)}
    if with_float:
        files[FLOAT_GRAPH] = graphs["float32"]
    if with_weights:
        packed = io.BytesIO()
        np.savez_compressed(packed, **pack_weights(net))  # type: ignore[arg-type]
        files[WEIGHTS] = packed.getvalue()
    config = ModelConfig(
        name=card.name,
        language=card.language,
        sample_rate=info.sample_rate,
        frame_samples=info.frame_samples,
        step_samples=info.step_samples,
        lookahead_frames=info.lookahead_frames,
        streaming=info.streaming,
        tokens=TokensConfig(kind=tokens.kind, file=TOKENS, count=len(tokens)),
        normaliser=card.normaliser,  # type: ignore[arg-type]
        time_shift_s=card.time_shift_s,
        temperature=card.temperature,
        decoder=_decoder_config(lexicon, parameters),
        confidence=card.confidence,
        speech=card.speech,
        network=msgspec.to_builtins(net.config),
        licence=card.licence,
        sources=card.sources,
        training=card.training,
        word_error_rates={"export check": round(report.int8.words.rate, 2)},
    )
    write_model_directory(folder, config, files)
    return report


def _measure(
    model: OnnxAcousticModel,
    size: int,
    tokens: Tokenizer,
    decoder: AnyDecoder,
    check: Sequence[tuple[Samples, str]],
) -> tuple[Figures, list[npt.NDArray[np.intp]]]:
    words, seconds, spent = Score(), 0.0, 0.0
    paths = []
    for samples, text in check:
        began = time.perf_counter()
        log_probs = model.finish(samples[None], model.start(1))[0]
        (state,) = decoder.advance([decoder.start()], [log_probs])
        best = decoder.best(decoder.finish(state))[0]
        found = " ".join(span.text for span in word_spans(best, tokens))
        spent += time.perf_counter() - began
        seconds += len(samples) / model.info.sample_rate
        words += word_errors(text, found)
        paths.append(log_probs.argmax(axis=1))
    return Figures(size / 1e6, spent / max(seconds, 1e-9), words), paths


def _decoder_config(
    lexicon: Lexicon | None, parameters: TreeSearchParameters | None
) -> DecoderConfig:
    if lexicon is None:
        return DecoderConfig(kind="greedy")
    values = asdict(parameters or TreeSearchParameters())
    return DecoderConfig(
        kind="words",
        words=WordsConfig(**{name: values[name] for name in WordsConfig.__struct_fields__}),
    )


def _saved(
    tokens: Tokenizer,
    lexicon: Lexicon | None,
    language_model: LanguageModel | None,
    trigram: TokenTrigram | None,
) -> dict[str, bytes]:
    """``tokens.txt``, for word pieces ``tokens.model``, lexicon, language model and trigram."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tokens.save(folder)
        if lexicon is not None:
            lexicon.save(folder / LEXICON)
        if language_model is not None:
            language_model.save(folder / LANGUAGE)
        if trigram is not None:
            trigram.save(folder / TRIGRAM)
        return {path.name: path.read_bytes() for path in folder.iterdir()}
