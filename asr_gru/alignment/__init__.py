"""Forced alignment: when each word and phone of a text is said in a recording of it."""

from asr_gru.alignment.aligner import Aligner, AlignmentPenalties

__all__ = ["Aligner", "AlignmentPenalties"]
