"""The configuration of a model directory, ``config.json``."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from asr_gru.errors import ModelError, did_you_mean
from asr_gru.model.search_parameters import PARAMETERS

__all__ = [
    "ConfidenceWeights",
    "DecoderConfig",
    "DecoderKind",
    "FileRecord",
    "ModelConfig",
    "Source",
    "SpeechConfig",
    "TokensConfig",
    "WordsConfig",
    "parse_config",
]

FORMAT = 2
READABLE = (1, 2)
DecoderKind = Literal["greedy", "beam", "words", "phones"]
MAX_S = 60
"""Longest step, look-ahead and time shift accepted, which bounds memory for untrusted files."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class TokensConfig(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The list of tokens: kind, file and number."""

    kind: Literal["characters", "pieces", "phones"]
    file: str
    count: int


class WordsConfig(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of the word search; see ``decoding.TreeSearchParameters``."""

    language_weight: float = PARAMETERS["language_weight"].default
    word_bonus: float = PARAMETERS["word_bonus"].default
    blank_bias: float = PARAMETERS["blank_bias"].default
    beam: float = PARAMETERS["beam"].default
    width: int = int(PARAMETERS["width"].default)
    blank_skip: float = PARAMETERS["blank_skip"].default
    phone_floor: float = PARAMETERS["phone_floor"].default
    shown_share: float = PARAMETERS["shown_share"].default


class DecoderConfig(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The default decoder of a model.

    Attributes:
        kind: kind of decoder; None means greedy if ``beam`` is 1, otherwise prefix beam search.
        beam: prefixes kept by the prefix beam search.
        words: parameters of the word search.
    """

    kind: DecoderKind | None = None
    beam: int = 1
    words: WordsConfig = WordsConfig()

    def __post_init__(self) -> None:
        if not 1 <= self.beam <= 1_000:
            raise ModelError("decoder.beam out of range")


class SpeechConfig(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Evidence of speech that words need; see ``streaming.speech.SpeechThresholds``."""

    shown: float = 4.5
    kept: float = 0.5


class ConfidenceWeights(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weights of a logistic regression for the probability that a word is correct.

    The features are described at ``decoding.confidence.word_features``.

    Attributes:
        bias: constant.
        weakest: weight of the logit of the lowest token probability.
        mean: weight of the mean log-probability of the tokens, in nats.
        acoustic: weight of the log-probability of the word's frames per token, in nats.
        language: weight of the language model's log-probability of the word, in nats.
        duration: weight of the logarithm of the number of frames per token.
        tokens: weight of the logarithm of the number of tokens.
        posterior: weight of the logit of the word's share of the probability of all hypotheses.
        posterior_before: the same of the word before.
        posterior_after: the same of the word after.
        language_before: as ``language``, of the word before.
        language_after: as ``language``, of the word after.

    Raises:
        ModelError: a weight is out of range.
    """

    bias: float = 0.0
    weakest: float = 1.0
    mean: float = 0.0
    acoustic: float = 0.0
    language: float = 0.0
    duration: float = 0.0
    tokens: float = 0.0
    posterior: float = 0.0
    posterior_before: float = 0.0
    posterior_after: float = 0.0
    language_before: float = 0.0
    language_after: float = 0.0

    def __post_init__(self) -> None:
        if not all(abs(getattr(self, name)) <= 1_000 for name in self.__struct_fields__):
            raise ModelError("confidence: a weight out of range")


class Source(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A speech corpus that the model was trained on."""

    name: str
    licence: str
    hours: float = 0.0
    url: str = ""


class FileRecord(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Checksum and size of a file in the directory."""

    sha256: str
    bytes: int


class ModelConfig(_Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model on disk.

    Attributes:
        format: version of the format.
        name: name of the model.
        kind: architecture.
        language: BCP 47 tag.
        sample_rate: in Hz.
        frame_samples: samples per row of log-probabilities.
        step_samples: samples per step of a live stream.
        lookahead_frames: rows by which the log-probabilities trail the audio.
        streaming: False for bidirectional models.
        tokens: the list of tokens.
        normaliser: normaliser of the training texts.
        time_shift_s: added to the times of words.
        temperature: temperature of confidences.
        decoder: default decoder.
        confidence: weights of confidences of the tree search's words; None uses the temperature.
        speech: evidence of speech that words need; None accepts all words.
        network: configuration of the network (``NetConfig``).
        licence: licence of the weights.
        sources: corpora that the model was trained on.
        training: summary of the training run.
        word_error_rates: word error rates in percent, by list, from the export or from
            ``asr-gru evaluate --record``.
        files: all files of the directory except ``config.json``.
    """

    format: int = FORMAT
    name: str
    kind: Literal["gru-ctc"] = "gru-ctc"
    language: str = ""
    sample_rate: int
    frame_samples: int
    step_samples: int
    lookahead_frames: int = 0
    streaming: bool = True
    tokens: TokensConfig
    normaliser: Literal["none", "basic", "english"] = "none"
    time_shift_s: float = 0.0
    temperature: float = 1.0
    decoder: DecoderConfig = DecoderConfig()
    confidence: ConfidenceWeights | None = None
    speech: SpeechConfig | None = None
    network: dict[str, Any] = {}
    licence: str = ""
    sources: tuple[Source, ...] = ()
    training: dict[str, str | float] = {}
    word_error_rates: dict[str, float] = {}
    files: dict[str, FileRecord] = {}

    def __post_init__(self) -> None:
        if not (1_000 <= self.sample_rate <= 768_000 and self.frame_samples > 0):
            raise ModelError("sample_rate or frame_samples out of range")
        if self.step_samples <= 0 or self.step_samples % self.frame_samples:
            raise ModelError("step_samples is not a multiple of frame_samples")
        max_samples = MAX_S * self.sample_rate
        if max(self.step_samples, self.lookahead_frames * self.frame_samples) > max_samples:
            raise ModelError(f"step_samples or lookahead_frames above {MAX_S} seconds")
        if self.tokens.count < 2 or self.lookahead_frames < 0 or self.temperature <= 0:
            raise ModelError("tokens.count, lookahead_frames or temperature out of range")
        if abs(self.time_shift_s) > MAX_S:
            raise ModelError(f"time_shift_s above {MAX_S} seconds")


class _Version(msgspec.Struct):
    """Decoded first, as nothing else of a newer format may be known."""

    format: int = 1


PARTS = (
    ModelConfig,
    TokensConfig,
    DecoderConfig,
    WordsConfig,
    ConfidenceWeights,
    SpeechConfig,
    Source,
    FileRecord,
)


def parse_config(data: bytes) -> ModelConfig:
    """Parse the bytes of ``config.json``.

    Raises:
        ModelError: not JSON, an unsupported format, an unknown key or an invalid value.
    """
    try:
        version = msgspec.json.decode(data, type=_Version).format
        if version not in READABLE:
            raise ModelError(
                f"model format {version}; this version reads formats {READABLE[0]} to {FORMAT}: "
                "update asr-gru"
            )
        return msgspec.json.decode(data, type=ModelConfig)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, ModelError):
            raise error.__cause__ from None
        unknown = re.search(r"unknown field `([^`]*)`", str(error))
        if unknown:
            known = [name for part in PARTS for name in part.__struct_fields__]
            raise ModelError(
                f"unknown key {unknown[1]!r}{did_you_mean(unknown[1], known)}"
            ) from None
        raise ModelError(str(error)) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise ModelError(f"not JSON: {error}") from None
