"""The one file that describes a training run: strict TOML, stored with every checkpoint."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from asr_gru.errors import ConfigError, did_you_mean
from asr_gru.model.net_config import EncoderConfig, FrontendConfig, LevelConfig, NetConfig
from asr_gru.training.renamed_keys import RENAMED, upgrade_keys

__all__ = [
    "AugmentConfig",
    "DataConfig",
    "Layer",
    "OptimiserConfig",
    "PhonesConfig",
    "TrainConfig",
    "load_train_config",
    "parse_train_config",
]

Count = Annotated[int, Meta(ge=0)]
Layer = Literal["auto", "torch", "float32", "bf16"]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class DataConfig(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is learnt from.

    Attributes:
        train: manifests, relative to the data root (``--root``, else the configuration's folder).
        validation: manifests to choose by; their word error rates are averaged.
        tokens: ``"characters"``, ``"pieces"`` or ``"phones"``.
        vocab_size: number of word pieces, the blank included.
        lexicon: pronunciation dictionary for phones, relative to the data root; without one the
            package's own of English.
        pronunciations: phones as ``asr-gru align`` found them, relative to the data root; other
            recordings get the first pronunciation of each word.
        normaliser: how texts are written for training and scoring.
        shortest_s: shorter recordings are left out.
        longest_s: longer recordings are left out.
        batch_s: seconds of audio a batch and process, padding included.
        weights: how often the utterances of a source are seen per epoch (default 1;
            0.5 is every second epoch).
        noise_only: utterances of noise alone with an empty text, as a share of the others.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...] = ()
    tokens: Literal["characters", "pieces", "phones"] = "characters"
    vocab_size: Annotated[int, Meta(ge=2)] = 256
    lexicon: str = ""
    pronunciations: str = ""
    normaliser: Literal["none", "basic", "english"] = "english"
    shortest_s: Positive = 0.2
    longest_s: Positive = 20.0
    batch_s: Positive = 60.0
    weights: dict[str, NotNegative] = {}
    noise_only: NotNegative = 0.0


class AugmentConfig(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How recordings are varied; every ``..._prob`` is a probability per utterance.

    Attributes:
        noise: folder of noise recordings, relative to the data root.
        noise_prob: probability of added noise.
        snr_db: lowest and highest ratio of speech to noise.
        babble_prob: probability of several other utterances as noise.
        rooms: folder of room impulse responses, relative to the data root.
        rooms_prob: probability of a room.
        speed: largest relative change of speed (and pitch), 0.1 is 0.9 to 1.1.
        speed_prob: probability of a change of speed.
        gain_db: lowest and highest change of level.
        bandwidth_prob: probability of a low-pass, a telephone band or mu-law coding.
        frequency_masks: SpecAugment masks over mel bins (Park et al. 2019).
        frequency_width: widest of them, in bins.
        time_masks: masks over frames for each ten seconds.
        time_width: longest of them, in frames of one hop.
        trim_tail_s: most that is cut off an utterance's end while its text stays whole, which
            teaches the model to write words sooner (TrimTail, Song et al. 2022); 0 for none.
    """

    noise: str = ""
    noise_prob: Share = 0.0
    snr_db: tuple[float, float] = (5.0, 30.0)
    babble_prob: Share = 0.0
    rooms: str = ""
    rooms_prob: Share = 0.0
    speed: Annotated[float, Meta(ge=0, le=0.5)] = 0.1
    speed_prob: Share = 0.0
    gain_db: tuple[float, float] = (0.0, 0.0)
    bandwidth_prob: Share = 0.0
    frequency_masks: Count = 0
    frequency_width: Count = 20
    time_masks: Count = 0
    time_width: Count = 30
    trim_tail_s: NotNegative = 0.0

    def __post_init__(self) -> None:
        if (self.noise_prob and not self.noise) or (self.rooms_prob and not self.rooms):
            raise ConfigError("augment: noise_prob and rooms_prob need the folders noise and rooms")


class PhonesConfig(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Frame-wise targets beside CTC; see ``training/phones.py``.

    Attributes:
        file: phones and their times, relative to the data root; empty for CTC alone.
        layer: recurrent layers below the head that names phones.
        delay_s: how long after its middle a frame is named.
        weight: of its nats a frame, beside CTC's nats a token.
        final_weight_ratio: where the weight ends, as a fraction of it; it falls linearly.
    """

    file: str = ""
    layer: Annotated[int, Meta(ge=1)] = 2
    delay_s: NotNegative = 0.08
    weight: Positive = 1.0
    final_weight_ratio: Share = 1.0


class OptimiserConfig(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How weights move.

    Attributes:
        name: the rule; ``"muon"`` moves matrices by orthogonalised momentum.
        learning_rate: highest learning rate.
        warmup_steps: steps from 0 to it.
        decay: how it falls until the last epoch.
        final_lr_ratio: where it ends, as a fraction of ``learning_rate``.
        weight_decay: of matrices, not of biases or norms.
        clip: largest norm of the gradient.
        ema: decay of the exponential moving average of weights, which is what is validated
            and exported; 0 for none.
    """

    name: Literal["adamw", "adam", "rmsprop", "sgd", "muon"] = "adamw"
    learning_rate: Positive = 1e-3
    warmup_steps: Count = 300
    decay: Literal["none", "linear", "cosine"] = "cosine"
    final_lr_ratio: Share = 0.05
    weight_decay: NotNegative = 0.01
    clip: Positive = 1.0
    ema: Annotated[float, Meta(ge=0, lt=1)] = 0.998


class TrainConfig(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole training run.

    Attributes:
        epochs: times through the training set.
        curriculum_epochs: first epochs with short utterances first (Amodei et al. 2016).
        cr_ctc_weight: weight of CR-CTC (Yao et al. 2024): two masked views of each utterance that
            have to agree; 0 for one view and the plain loss.
        seed: of everything random.
        gru_kernel: of the recurrent layers: the fastest as measured, ``nn.GRU``, or the package's
            own with products in float32 or bfloat16.
    """

    data: DataConfig
    augment: AugmentConfig = AugmentConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    frontend: FrontendConfig = FrontendConfig()
    level: LevelConfig = LevelConfig()
    encoder: EncoderConfig = EncoderConfig()
    phones: PhonesConfig = PhonesConfig()
    epochs: Annotated[int, Meta(ge=1)] = 30
    curriculum_epochs: Count = 1
    cr_ctc_weight: NotNegative = 0.0
    seed: Count = 1
    gru_kernel: Layer = "auto"

    def __post_init__(self) -> None:
        if self.phones.file and self.phones.layer > self.encoder.layers:
            raise ConfigError(
                f"phones.layer = {self.phones.layer}: the encoder has {self.encoder.layers} layers"
            )
        if self.phones.file and self.encoder.direction == "chunked":
            raise ConfigError(
                'phones: not for encoder.direction = "chunked"; leave phones.file out'
            )

    @property
    def net(self) -> NetConfig:
        """The acoustic model's part."""
        return NetConfig(frontend=self.frontend, level=self.level, encoder=self.encoder)


def load_train_config(
    path: Path, changes: Sequence[str] = (), notice: Callable[[str], None] = lambda _line: None
) -> TrainConfig:
    """Read a TOML file; ``changes`` are ``key.name=value`` with values as TOML writes them.

    ``notice`` gets a line that names keys of earlier versions with what they are called now.

    Raises:
        ConfigError: not there, not TOML, an unknown key (the nearest is named), a wrong value.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a configuration in TOML") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    renamed = upgrade_keys(values, str(path))
    for change in changes:
        key, equals, value = change.partition("=")
        renamed += [(key, RENAMED[key])] if key in RENAMED else []
        _apply(values, f"{RENAMED.get(key, key)}{equals}{value}")
    if renamed:
        now = ", ".join(f"{old} is now {new}" for old, new in renamed)
        notice(f"{path}: keys of an earlier version: {now}")
    return parse_train_config(values, str(path))


def _apply(values: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals:
        raise ConfigError(f"--set {change}: write it as key.name=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {change}: {parent} is not a table")
    values[last] = value


def parse_train_config(values: dict[str, Any], name: str = "configuration") -> TrainConfig:
    """Turn plain values into a checked configuration; keys of earlier versions are understood."""
    values = {k: dict(v) if isinstance(v, dict) else v for k, v in values.items()}
    upgrade_keys(values, name)
    try:
        return msgspec.convert(values, TrainConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {_explain(str(error))}") from None


def _explain(message: str) -> str:
    unknown = re.search(r"unknown field `(\w+)`(?: - at `\$\.?(.*)`)?", message)
    if not unknown:
        return message.replace("`$.", "`")
    key, table = unknown[1], unknown[2] or ""
    owner: Any = TrainConfig
    if table:
        kinds = {field.name: field.type for field in msgspec.structs.fields(TrainConfig)}
        owner = kinds.get(table, TrainConfig)
    where = f"{table}.{key}" if table else key
    return f"unknown key {where!r}{did_you_mean(key, owner.__struct_fields__)}"
