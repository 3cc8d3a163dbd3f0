"""Samples and durations of utterances."""

from __future__ import annotations

from asr_gru.audio import Samples, open_recording, read_recording
from asr_gru.data.utterance import Utterance
from asr_gru.errors import AudioError

__all__ = ["duration_of", "load_audio"]


def load_audio(
    utterance: Utterance, sample_rate: int, warnings: list[str] | None = None
) -> Samples:
    """Read an utterance as mono float32 at ``sample_rate``, shape ``(n,)``.

    A segment is shorter than in the manifest if its recording ends before it does.

    Args:
        utterance: a recording, or a segment of one.
        sample_rate: in Hz.
        warnings: problems that did not stop decoding are appended to it.

    Raises:
        AudioError: the recording cannot be read, has no samples, or ends before the segment.
    """
    if utterance.start_s is None:
        samples = read_recording(utterance.path, sample_rate, warnings=warnings)
        if not len(samples):
            raise AudioError(f"{utterance.path}: has no samples; record it again")
        return samples
    samples = read_recording(
        utterance.path,
        sample_rate,
        start_s=utterance.start_s,
        duration_s=utterance.duration_s,
        warnings=warnings,
    )
    if not len(samples):
        raise AudioError(
            f"{utterance.path}: ends before the segment at {utterance.start_s:g} s; "
            "check the times of its manifest"
        )
    return samples


def duration_of(utterance: Utterance) -> float:
    """Return the duration of an utterance in seconds, from its manifest or else its recording.

    Raises:
        AudioError: the recording cannot be read.
    """
    if utterance.duration_s:
        return utterance.duration_s
    with open_recording(utterance.path) as recording:
        if recording.duration_s is not None:
            return recording.duration_s
        return sum(map(len, recording.blocks(10.0))) / recording.sample_rate
