"""Log-probabilities to words, in numpy alone."""

from asr_gru.decoding.beam import BeamDecoder
from asr_gru.decoding.confidence import word_confidence
from asr_gru.decoding.fusion import Fusion, LanguageModel
from asr_gru.decoding.greedy import GreedyDecoder
from asr_gru.decoding.protocol import Beam, Decoder, Hypothesis, LogProbs
from asr_gru.decoding.words import WordTimes, words_of

__all__ = [
    "Beam",
    "BeamDecoder",
    "Decoder",
    "Fusion",
    "GreedyDecoder",
    "Hypothesis",
    "LanguageModel",
    "LogProbs",
    "WordTimes",
    "word_confidence",
    "words_of",
]
