"""Decoders: from log-probabilities to words. Needs numpy only."""

from asr_gru.decoding.beam import BeamDecoder
from asr_gru.decoding.confidence import word_confidence
from asr_gru.decoding.fusion import Fusion, TokenModel
from asr_gru.decoding.graph_parameters import GraphSearchParameters
from asr_gru.decoding.graph_search import GraphSearch
from asr_gru.decoding.greedy import GreedyDecoder
from asr_gru.decoding.hot_search import hot_word_search, own_pronunciations
from asr_gru.decoding.hot_words import HotWords
from asr_gru.decoding.phone_graph import PhoneGraph, build_phone_graph
from asr_gru.decoding.pronunciation_tree import PronunciationTree, build_tree, look_ahead
from asr_gru.decoding.protocol import AnyDecoder, Decoder, Hypothesis, LogProbs, WordScore
from asr_gru.decoding.tree_parameters import TreeSearchParameters
from asr_gru.decoding.tree_search import TreeSearch
from asr_gru.decoding.word_model import WordModel
from asr_gru.decoding.word_search import word_search
from asr_gru.decoding.words import WordSpan, WordTimes, word_spans, words_of

__all__ = [
    "AnyDecoder",
    "BeamDecoder",
    "Decoder",
    "Fusion",
    "GraphSearch",
    "GraphSearchParameters",
    "GreedyDecoder",
    "HotWords",
    "Hypothesis",
    "LogProbs",
    "PhoneGraph",
    "PronunciationTree",
    "TokenModel",
    "TreeSearch",
    "TreeSearchParameters",
    "WordModel",
    "WordScore",
    "WordSpan",
    "WordTimes",
    "build_phone_graph",
    "build_tree",
    "hot_word_search",
    "look_ahead",
    "own_pronunciations",
    "word_confidence",
    "word_search",
    "word_spans",
    "words_of",
]
