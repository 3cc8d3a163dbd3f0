"""Decodes a part on all processors, into one array of 16-bit samples."""

from __future__ import annotations

import io
import multiprocessing
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from asr_gru.audio.samples import to_int16

__all__ = ["DECODED", "decode", "loud_span"]

DECODED = "decoded.npz"
"""Written last: a part that has it is complete."""

QUIET = 10.0 ** (-40.0 / 20.0)
"""Level below which the edges of an utterance count as quiet, relative to its loudest 10 ms."""

FRAMES_A_SECOND = 100

Samples = npt.NDArray[np.int16]


def decode(folder: Path, sample_rate: int, processes: int | None = None) -> None:
    """Write ``samples.npy`` and ``decoded.npz`` beside the recordings of a part.

    For each recording the second holds where its samples end and its ``loud_span``. Channels are
    averaged, and other sample rates resampled. A recording that cannot be decoded gets no samples.
    """
    ends = np.load(folder / "index.npz")["ends"].tolist()
    jobs = [
        (str(folder / "recordings.bin"), begin, end, sample_rate)
        for begin, end in zip([0, *ends], ends, strict=False)
    ]
    with multiprocessing.Pool(processes or os.cpu_count()) as pool:
        recordings = pool.map(_decode_one, jobs, chunksize=32)
        spans = pool.map(_span, [(one, sample_rate) for one in recordings], chunksize=64)
    np.save(folder / "samples.npy", np.concatenate(recordings))
    firsts, lasts, levels = (np.array(column) for column in zip(*spans, strict=True))
    np.savez(
        folder / "decoding.npz",
        ends=np.cumsum([len(one) for one in recordings]),
        firsts=firsts,
        lasts=lasts,
        levels=levels.astype(np.float32),
    )
    (folder / "decoding.npz").rename(folder / DECODED)


def loud_span(samples: Samples, sample_rate: int) -> tuple[int, int, float]:
    """Return the first and the last loud frame of 10 ms, and the level of the quietest 5 %.

    The level is that of samples between -1 and 1.
    """
    frame = sample_rate // FRAMES_A_SECOND
    frames = samples[: len(samples) // frame * frame].reshape(-1, frame).astype(np.float32)
    if not len(frames):
        return 0, 0, 0.0
    levels = np.sqrt(np.mean(np.square(frames / 32768.0), axis=1))
    loud = np.flatnonzero(levels > levels.max() * QUIET)
    if not len(loud):
        return 0, len(frames) - 1, 0.0
    return int(loud[0]), int(loud[-1]), float(np.quantile(levels, 0.05))


def _decode_one(job: tuple[str, int, int, int]) -> Samples:
    path, begin, end, sample_rate = job
    with Path(path).open("rb") as file:
        file.seek(begin)
        data = file.read(end - begin)
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
    except soundfile.LibsndfileError:
        return np.zeros(0, np.int16)
    if rate == sample_rate and samples.shape[1] == 1:
        return np.ascontiguousarray(samples[:, 0])
    mono = samples.mean(axis=1, dtype=np.float32) / np.float32(32768.0)
    return to_int16(soxr.resample(mono, rate, sample_rate))


def _span(job: tuple[Samples, int]) -> tuple[int, int, float]:
    return loud_span(*job)
