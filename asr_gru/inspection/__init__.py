"""Statistics of manifests, and the recordings to listen to before training on them."""

from asr_gru.inspection.corpus import Inspection, inspect
from asr_gru.inspection.doubt import TextDoubt
from asr_gru.inspection.findings import Finding, Inspected, Limits, find
from asr_gru.inspection.overlap import Overlap, overlap
from asr_gru.inspection.plot import plot
from asr_gru.inspection.signal import SignalMeasures, measure
from asr_gru.inspection.vocabulary import ModelVocabulary, Unknown

__all__ = [
    "Finding",
    "Inspected",
    "Inspection",
    "Limits",
    "ModelVocabulary",
    "Overlap",
    "SignalMeasures",
    "TextDoubt",
    "Unknown",
    "find",
    "inspect",
    "measure",
    "overlap",
    "plot",
]
