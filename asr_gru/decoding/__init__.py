"""Log-probabilities to words, in numpy alone."""

from asr_gru.decoding.beam import BeamDecoder
from asr_gru.decoding.confidence import word_confidence
from asr_gru.decoding.fusion import Fusion, LanguageModel
from asr_gru.decoding.greedy import GreedyDecoder
from asr_gru.decoding.pronunciation_tree import PronunciationTree, build_tree, look_ahead
from asr_gru.decoding.protocol import Beam, Decoder, Hypothesis, LogProbs, WordScore
from asr_gru.decoding.tree_knobs import TreeSearchKnobs, WordModel
from asr_gru.decoding.tree_search import TreeSearch
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
    "PronunciationTree",
    "TreeSearch",
    "TreeSearchKnobs",
    "WordModel",
    "WordScore",
    "WordTimes",
    "build_tree",
    "look_ahead",
    "word_confidence",
    "words_of",
]
