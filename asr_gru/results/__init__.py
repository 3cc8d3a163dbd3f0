"""Result types: words, segments, transcripts, events and alignments.

``to_dict`` returns the JSON object of a result, with times (in seconds) and confidences rounded to
three decimals.
"""

from asr_gru.results.alignment import Alignment, Mismatch
from asr_gru.results.event import Event
from asr_gru.results.transcript import Alternative, Match, Segment, Transcript
from asr_gru.results.words import Phone, Word, WordAlternative

__all__ = [
    "Alignment",
    "Alternative",
    "Event",
    "Match",
    "Mismatch",
    "Phone",
    "Segment",
    "Transcript",
    "Word",
    "WordAlternative",
]
