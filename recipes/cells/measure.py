"""Measurements of the trained rows: size, errors, speed, training curves, gradients and gates."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from asr_gru import Recognizer
from asr_gru.decoding import TreeSearch, word_search, word_spans
from asr_gru.decoding.alignment import collapse
from asr_gru.errors import DataError
from asr_gru.export.acoustic_graph import acoustic_graph
from asr_gru.export.calibrate import calibrate
from asr_gru.language import LanguageModel, Lexicon
from asr_gru.model.directory import LANGUAGE, LEXICON, ModelDirectory
from asr_gru.model.onnx import OnnxAcousticModel
from asr_gru.nn.net import AcousticNet
from asr_gru.nn.torch_model import TorchAcousticModel, acoustic_info
from asr_gru.results import Word
from asr_gru.scoring import Score, word_errors
from asr_gru.text import Tokenizer
from asr_gru.training.audio_cache import Corpus
from asr_gru.training.autotune import KERNELS
from asr_gru.training.config import GruKernel, TrainConfig
from asr_gru.training.dataset import Batch, collate
from asr_gru.training.distributed import init_processes
from asr_gru.training.optimiser import build_optimiser
from asr_gru.training.sampler import split_batches
from asr_gru.training.step import TrainStep
from recipes.cells.gates import correlate, event_frames, net_gates, shifted
from recipes.cells.rows import net_builder

__all__ = [
    "align_words",
    "bundled_search",
    "gate_figures",
    "inference_speed",
    "parameters",
    "read_curves",
    "training_speeds",
    "utterance_scores",
    "word_scores",
]

BATCH_S = 60.0
CALIBRATION = 20
"""Recordings on which the int8 graph is calibrated."""


def parameters(net: AcousticNet) -> dict[str, int]:
    """Return the number of parameters: all of them, those of the recurrent layers, their matrices.

    A matrix element is one multiplication per output frame, so ``matrices`` is the compute.
    """
    layers = [module for module in net.modules() if isinstance(module, nn.RNNBase)]
    inner = [parameter for layer in layers for parameter in layer.parameters()]
    return {
        "all": sum(parameter.numel() for parameter in net.parameters()),
        "recurrent": sum(parameter.numel() for parameter in inner),
        "matrices": sum(parameter.numel() for parameter in inner if parameter.ndim == 2),
    }


def utterance_scores(net: AcousticNet, corpus: Corpus, tokenizer: Tokenizer) -> list[Score]:
    """Return the errors of greedy decoding for each utterance: in phones, or else in words."""
    scores = [Score()] * len(corpus)
    for index, log_probs in _log_probs(net, corpus):
        found = tokenizer.decode(collapse(log_probs.argmax(axis=1).tolist()))
        scores[index] = word_errors(corpus.utterances[index].text, found)
    return scores


def bundled_search(tokenizer: Tokenizer) -> TreeSearch:
    """Return a search for words with the lexicon and the language model of the bundled model."""
    path = ModelDirectory.open("en-small").path
    lexicon, model = Lexicon.load(path / LEXICON), LanguageModel.load(path / LANGUAGE)
    return word_search(tokenizer.symbols, lexicon, model)


def word_scores(
    net: AcousticNet, corpus: Corpus, texts: Sequence[str], search: TreeSearch, tokens: Tokenizer
) -> list[Score]:
    """Return the word errors of each utterance, of a network of phones with a search for words.

    Args:
        net: the network.
        corpus: recordings.
        texts: the words spoken in each.
        search: from ``bundled_search``.
        tokens: tokenizer of the network.
    """
    scores = [Score()] * len(corpus)
    for index, log_probs in _log_probs(net, corpus):
        (state,) = search.advance([search.start()], [log_probs])
        best = search.best(search.finish(state))[0]
        found = " ".join(span.text for span in word_spans(best, tokens))
        scores[index] = word_errors(texts[index], found)
    return scores


def _log_probs(net: AcousticNet, corpus: Corpus) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Yield the index and the log-probabilities ``(frames, tokens)`` of each utterance."""
    order = sorted(range(len(corpus)), key=corpus.duration_s)
    for indices in split_batches(order, corpus.duration_s, BATCH_S):
        batch = collate([corpus.samples(i) for i in indices], [[] for _ in indices], net.config)
        with torch.no_grad():
            log_probs = net(batch.samples, None, batch.frames)[0].numpy()
        for row, index in enumerate(indices):
            yield index, log_probs[row, : int(batch.frames[row])]


def read_curves(folder: Path) -> dict[str, list[float]]:
    """Return the loss and the gradient norm of every step of a run, from its TensorBoard file."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    curves = {}
    for tag in ("loss", "gradient norm"):
        by_step = {
            event.step: event.value for event in events.Scalars(tag)
        }  # the last run's counts
        curves[tag] = [by_step[step] for step in sorted(by_step)]
    return curves


def training_speeds(
    rows: Sequence[tuple[str, TrainConfig, GruKernel]], batch: Batch, vocab_size: int, repeats: int
) -> list[float]:
    """Return seconds of audio trained per second, for each of several networks.

    Every network takes a step in turn, and the fastest of its steps counts, so that other load on
    the machine slows down all of them or none.

    Args:
        rows: name of the row, its configuration and the GRU kernel to train with.
        batch: a batch that they all train on.
        vocab_size: tokens, the blank included.
        repeats: steps of each network.
    """
    processes = init_processes()
    steps = []
    for name, config, kernel in rows:
        net = net_builder(name)(config.net, vocab_size, KERNELS[kernel])
        optimiser = build_optimiser(net, config.optimiser)
        steps.append(TrainStep(net, None, optimiser, config, processes))
    fastest = [float("inf")] * len(steps)
    for number in range(repeats):
        for index, step in enumerate(steps):
            began = time.perf_counter()
            step(batch, number, 0.0, (number,))
            fastest[index] = min(fastest[index], time.perf_counter() - began)
    config = rows[0][1]
    frame_s = config.net.frame_samples / config.frontend.sample_rate
    seconds = float(batch.frames.sum()) * frame_s
    return [seconds / spent for spent in fastest]


def inference_speed(
    nets: Sequence[AcousticNet], corpus: Corpus, repeats: int
) -> list[dict[str, float]]:
    """Return seconds of audio recognised per second by one stream, in live steps.

    ``float32`` and ``int8`` are the exported graphs in ONNX Runtime, ``torch`` is the network. As
    in ``training_speeds``, the fastest of several interleaved rounds counts.
    """
    recordings = [corpus.samples(i) for i in range(min(CALIBRATION, len(corpus)))]
    samples = np.concatenate(recordings)[None]
    models: list[dict[str, Any]] = []
    for net in nets:
        info = acoustic_info(net)
        calibrations = {"float32": None, "int8": calibrate(net, recordings)}
        ready: dict[str, Any] = {"torch": TorchAcousticModel(net)}
        for form, calibration in calibrations.items():
            ready[form] = OnnxAcousticModel(acoustic_graph(net, calibration), info)
        models.append(ready)
    results = [dict.fromkeys(ready, 0.0) for ready in models]
    rate = corpus.sample_rate
    for _ in range(repeats):
        for ready, speeds in zip(models, results, strict=True):
            for form, model in ready.items():
                step, state = model.info.step_samples, model.start(1)
                began = time.perf_counter()
                for first in range(0, samples.shape[1] - step + 1, step):
                    _, state = model.step(samples[:, first : first + step], state)
                spent = time.perf_counter() - began
                speeds[form] = max(speeds[form], samples.shape[1] / rate / spent)
    return results


def align_words(
    corpus: Corpus, texts: Sequence[str], log: Callable[[str], None]
) -> list[tuple[Word, ...]]:
    """Return the words of each utterance with the times of their phones, by the bundled model."""
    recognizer = Recognizer.load("en-small")
    aligned: list[tuple[Word, ...]] = []
    for index, text in enumerate(texts):
        try:
            found = recognizer.align(text, corpus.samples(index), corpus.sample_rate)
        except DataError as error:
            log(f"not aligned: {corpus.utterances[index].key}: {error}")
            aligned.append(())
            continue
        aligned.append(found.words)
    return aligned


def gate_figures(
    net: AcousticNet, corpus: Corpus, words: Sequence[Sequence[Word]]
) -> list[dict[str, dict[str, dict[str, Any]]]]:
    """Correlate the gates of each layer with silence, word ends and long vowels.

    Returns:
        for each layer: ``reset`` and ``update``, each as ``gates.correlate`` returns it. Units are
        chosen on every second recording.
    """
    frame_s = net.config.frame_samples / net.config.frontend.sample_rate
    gates: dict[tuple[int, str], list[Any]] = {}
    events: dict[str, list[Any]] = {}
    halves = []
    spoken = [index for index, found in enumerate(words) if found]
    for number, index in enumerate(spoken):
        layers = net_gates(net, corpus.samples(index))
        frames = len(layers[0].reset)
        for name, flags in event_frames(words[index], frames, frame_s).items():
            events.setdefault(name, []).append(shifted(flags))
        halves.append(np.full(frames, number % 2 == 0))
        for layer, one in enumerate(layers):
            gates.setdefault((layer, "reset"), []).append(one.reset[:, 0].numpy())
            gates.setdefault((layer, "update"), []).append(one.update[:, 0].numpy())
    flagged = {name: np.concatenate(parts) for name, parts in events.items()}
    chosen = np.concatenate(halves)
    return [
        {
            gate: correlate(np.concatenate(gates[layer, gate]), flagged, chosen)
            for gate in ("reset", "update")
        }
        for layer in range(net.config.encoder.layers)
    ]
