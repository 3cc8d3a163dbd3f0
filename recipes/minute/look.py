"""Show how a model recognises one recording: features, the token of each frame, the text.

    python -m recipes.minute.look models/minute minute/test/0000.wav --picture look.png

The picture has the waveform, the log-mel energies and the probability of every token over time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from asr_gru.audio import read_recording
from asr_gru.errors import AudioError
from asr_gru.model.acoustic import AcousticInfo
from asr_gru.model.directory import ModelDirectory
from asr_gru.model.net_config import FrontendConfig, NetConfig
from asr_gru.model.onnx import OnnxAcousticModel
from asr_gru.text import Tokenizer
from recipes.command_line import needed, one_line_errors, require

with needed(__name__, "train"):
    import torch

    from asr_gru.nn.frontend import Frontend

Array = npt.NDArray[np.float32]
BLANK, SPACE = "-", "_"


@one_line_errors()
def main(argv: Sequence[str] | None = None) -> int:
    """Print each step from samples to text; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.minute.look", description=__doc__.splitlines()[0]
    )
    parser.add_argument("model", help="name of a bundled model, or folder of asr-gru export")
    parser.add_argument("recording", type=Path)
    parser.add_argument("--picture", type=Path, help="PNG file to draw")
    options = parser.parse_args(argv)
    if options.picture:
        require("train", "matplotlib")
    look(options.model, options.recording, options.picture)
    return 0


def look(model: str | Path, recording: Path, picture: Path | None) -> None:
    """Print the shapes and tokens of a recording, and draw them if ``picture`` is given.

    Raises:
        AudioError: the recording cannot be read, or is shorter than a frame.
    """
    directory = ModelDirectory.open(model)
    acoustic = OnnxAcousticModel(directory.acoustic_path, directory.info)
    info, tokenizer = directory.info, directory.tokenizer()
    samples = read_recording(recording, info.sample_rate)
    config = msgspec.convert(directory.config.network, NetConfig).frontend
    if len(samples) < config.hop:
        raise AudioError(f"{recording}: shorter than {config.hop_ms:g} ms; give a longer recording")
    mel = log_mel(samples, config)
    rows = acoustic.finish(samples[None], acoustic.start())[0][info.lookahead_frames :]
    best = rows.argmax(axis=1)
    merged = [token for at, token in enumerate(best) if at == 0 or token != best[at - 1]]
    print(f"samples   {len(samples)}, {len(samples) / info.sample_rate:.2f} s")
    print(f"log-mel   {len(mel)} frames of {mel.shape[1]} energies, every {config.hop_ms:g} ms")
    frame_ms = round(1000 * info.frame_s, 3)
    print(f"network   {len(rows)} rows of {rows.shape[1]} probabilities, every {frame_ms:g} ms")
    print(f"best      {spell(best, tokenizer)}")
    print(f"merged    {spell(merged, tokenizer)}")
    print(f"text      {tokenizer.decode([int(token) for token in merged if token])}")
    if picture is not None:
        draw(samples, mel, rows, info, tokenizer, picture)


def log_mel(samples: Array, config: FrontendConfig) -> Array:
    """Return log-mel energies in decibels, ``(frames, mels)``, without level normalisation."""
    frontend = Frontend(config)
    whole = torch.from_numpy(samples[: len(samples) // config.hop * config.hop])
    mel = frontend(whole[None], frontend.start(1))[0][0].numpy()
    return np.asarray(10 * np.log10(mel + 1e-6), np.float32)


def spell(tokens: Sequence[int] | npt.NDArray[np.int64], tokenizer: Tokenizer) -> str:
    """Write the tokens, ``-`` for the blank and ``_`` for a space; spaced if some are long."""
    symbols = [BLANK, *tokenizer.symbols[1:]]
    between = " " if max(map(len, symbols)) > 1 else ""
    return between.join(symbols[int(token)].replace(" ", SPACE) for token in tokens)


def draw(
    samples: Array,
    mel: Array,
    rows: Array,
    info: AcousticInfo,
    tokenizer: Tokenizer,
    picture: Path,
) -> None:
    """Draw waveform, log-mel energies and probabilities above each other."""
    from matplotlib.figure import Figure

    from recipes.cells.pictures import save

    seconds = len(samples) / info.sample_rate
    figure = Figure(figsize=(11, 8), layout="constrained")
    wave, energies, tokens = figure.subplots(3, 1, sharex=True, height_ratios=(1, 2, 3))
    wave.plot(np.arange(len(samples)) / info.sample_rate, samples, linewidth=0.3)
    wave.set_ylabel("samples")
    energies.imshow(mel.T, origin="lower", aspect="auto", extent=(0, seconds, 0, mel.shape[1]))
    energies.set_ylabel("mel bin (dB)")
    end = rows.shape[0] * info.frame_s
    shape = (0.0, end, rows.shape[1] - 0.5, -0.5)
    tokens.imshow(np.exp(rows.T), aspect="auto", extent=shape, cmap="Greys", vmin=0.0, vmax=1.0)
    labels = ["blank", *(symbol.replace(" ", "space") for symbol in tokenizer.symbols[1:])]
    tokens.set_yticks(range(len(labels)), labels, fontsize=min(7, 200 / len(labels)))
    tokens.set_ylabel("probability")
    tokens.set_xlabel("seconds")
    save(figure, picture)


if __name__ == "__main__":
    sys.exit(main())
