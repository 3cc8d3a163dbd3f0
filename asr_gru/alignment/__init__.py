"""Forced alignment of texts with recordings: times of words and phones."""

from asr_gru.alignment.aligner import Aligner, AlignmentPenalties

__all__ = ["Aligner", "AlignmentPenalties"]
