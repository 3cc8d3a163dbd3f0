"""The configuration of a training run, which every checkpoint contains."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from asr_gru.errors import ConfigError
from asr_gru.model.net_config import EncoderConfig, FrontendConfig, LevelConfig, NetConfig

__all__ = [
    "AugmentConfig",
    "DataConfig",
    "DistillationConfig",
    "GruKernel",
    "OptimiserConfig",
    "PhonesConfig",
    "TrainConfig",
]

Count = Annotated[int, Meta(ge=0)]
GruKernel = Literal["auto", "torch", "float32", "bf16"]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Fraction = Annotated[float, Meta(ge=0, le=1)]
MAX_DB = 200.0


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class DataConfig(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Training and validation data.

    Attributes:
        train: manifests, relative to the data root (``--root``, else the configuration's folder),
            or shards, such as ``train-{000..099}.tar``; see ``asr_gru.data.shards``.
        validation: manifests for model selection; their error rates are averaged.
        tokens: ``"characters"``, ``"pieces"`` or ``"phones"``.
        vocab_size: number of word pieces, the blank included.
        lexicon: pronunciation dictionary for phones, relative to the data root; without one the
            package's English one.
        pronunciations: output of ``asr-gru align-corpus``, relative to the data root; recordings
            that are not in it get the first pronunciation of each word.
        normaliser: normaliser of training and reference texts.
        shortest_s: shorter recordings are left out.
        longest_s: longer recordings are left out.
        batch_s: seconds of audio per batch and process, padding included.
        weights: how often the utterances of a source are seen per epoch (default 1;
            0.5 is every second epoch).
        noise_only: utterances of noise alone, with an empty text, per other utterance.
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
    """Data augmentation; every ``..._prob`` is a probability per utterance.

    Attributes:
        noise: folder of noise recordings, relative to the data root.
        noise_prob: probability of added noise.
        snr_db: lowest and highest signal-to-noise ratio.
        babble_prob: probability of several other utterances in the background.
        rooms: folder of room impulse responses, relative to the data root.
        rooms_prob: probability of reverberation.
        speed: largest relative change of speed (and pitch), 0.1 is 0.9 to 1.1.
        speed_prob: probability of a change of speed.
        gain_db: lowest and highest change of level.
        bandwidth_prob: probability of a low-pass filter, telephone bandwidth or mu-law coding.
        frequency_masks: SpecAugment masks over mel bins (Park et al. 2019).
        frequency_width: largest width of a frequency mask, in bins.
        time_masks: time masks per ten seconds.
        time_width: largest width of a time mask, in mel frames.
        pause_prob: probability that the quiet edges of an utterance are cut off, or replaced by
            pauses.
        pause_s: longest of these pauses.
        carry_prob: probability that an utterance starts from the state that another one left
            behind, as in a stream, instead of from zero.
        trim_tail_s: up to this much is cut off the end of an utterance while its text is kept,
            which lowers emission delay (TrimTail, Song et al. 2022); 0 disables it.
    """

    noise: str = ""
    noise_prob: Fraction = 0.0
    snr_db: tuple[float, float] = (5.0, 30.0)
    babble_prob: Fraction = 0.0
    rooms: str = ""
    rooms_prob: Fraction = 0.0
    speed: Annotated[float, Meta(ge=0, le=0.5)] = 0.1
    speed_prob: Fraction = 0.0
    gain_db: tuple[float, float] = (0.0, 0.0)
    bandwidth_prob: Fraction = 0.0
    frequency_masks: Count = 0
    frequency_width: Count = 20
    time_masks: Count = 0
    time_width: Count = 30
    pause_prob: Fraction = 0.0
    pause_s: NotNegative = 1.0
    carry_prob: Fraction = 0.0
    trim_tail_s: NotNegative = 0.0

    def __post_init__(self) -> None:
        if (self.noise_prob and not self.noise) or (self.rooms_prob and not self.rooms):
            raise ConfigError("augment: noise_prob and rooms_prob need the folders noise and rooms")
        for name, (low, high) in (("snr_db", self.snr_db), ("gain_db", self.gain_db)):
            if not -MAX_DB <= low <= high <= MAX_DB:
                raise ConfigError(
                    f"augment.{name} = [{low:g}, {high:g}]: write the lower bound first, in dB"
                )


class PhonesConfig(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Frame-wise phone targets as an auxiliary loss; see ``training/phones.py``.

    Attributes:
        file: aligned phones, relative to the data root; empty for CTC alone.
        layer: number of recurrent layers below the phone head.
        delay_s: how far targets trail the middle of their frame.
        weight: weight of the phone loss (nats per frame), added to the CTC loss (nats per token).
        final_weight_ratio: final weight as a fraction of ``weight``, reached linearly.
    """

    file: str = ""
    layer: Annotated[int, Meta(ge=1)] = 2
    delay_s: NotNegative = 0.08
    weight: Positive = 1.0
    final_weight_ratio: Fraction = 1.0


class DistillationConfig(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Distillation from a teacher as an additional loss; see ``training/distillation.py``.

    Attributes:
        teacher: an earlier stage of the recipe, a run or model relative to the data root, or a
            bundled model; empty for none.
        weight: weight of the divergence from the teacher (nats per token), added to the CTC loss.
        max_delay_s: how much later than its teacher the student may emit a token, in seconds.
    """

    teacher: str = ""
    weight: Positive = 0.5
    max_delay_s: Annotated[float, Meta(ge=0, le=2)] = 0.2


class OptimiserConfig(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Optimiser and learning rate schedule.

    Attributes:
        name: optimiser; ``"muon"`` uses orthogonalised momentum for matrices, AdamW for the rest.
        learning_rate: peak learning rate.
        warmup_steps: steps of linear warm-up.
        decay: shape of the learning rate decay until the end of training.
        final_lr_ratio: final learning rate as a fraction of ``learning_rate``.
        weight_decay: weight decay of matrices; biases and norms have none.
        clip: largest norm of the gradient.
        accumulate: batches per process whose gradients are added up before each update.
        ema: decay of the exponential moving average of weights, which is validated and exported;
            0 disables it.
    """

    name: Literal["adamw", "adam", "rmsprop", "sgd", "muon"] = "adamw"
    learning_rate: Positive = 1e-3
    warmup_steps: Count = 300
    decay: Literal["none", "linear", "cosine"] = "cosine"
    final_lr_ratio: Fraction = 0.05
    weight_decay: NotNegative = 0.01
    clip: Positive = 1.0
    accumulate: Annotated[int, Meta(ge=1)] = 1
    ema: Annotated[float, Meta(ge=0, lt=1)] = 0.998


class TrainConfig(_Strict, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Configuration of a training run.

    Attributes:
        epochs: number of epochs.
        curriculum_epochs: initial epochs that go from short to long utterances (Amodei et al.
            2016).
        cr_ctc_weight: weight of the consistency loss between two masked views of each utterance
            (CR-CTC, Yao et al. 2024); 0 for a single view and plain CTC.
        ctc_crf_weight: weight of the log-partition of a CTC-CRF (Xiang and Ou 2019): 0 for CTC,
            1 for a CTC-CRF; see ``training/ctc_crf.py``.
        recurrent_init: random initialisation of recurrent layers: orthogonal for each gate (Saxe et
            al. 2014), or uniform, which is torch's default.
        seed: seed of all randomness.
        gru_kernel: GRU implementation: ``nn.GRU``, the package's own in float32 or bfloat16, or
            the fastest of them.
        precision: ``"bf16"`` for mixed precision (``torch.autocast`` in bfloat16; weights, losses
            and gradients of weights stay in float32), ``"float32"``, or ``"auto"``: mixed precision
            on a GPU only.
    """

    data: DataConfig
    augment: AugmentConfig = AugmentConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    frontend: FrontendConfig = FrontendConfig()
    level: LevelConfig = LevelConfig()
    encoder: EncoderConfig = EncoderConfig()
    phones: PhonesConfig = PhonesConfig()
    distillation: DistillationConfig = DistillationConfig()
    epochs: Annotated[int, Meta(ge=1)] = 30
    curriculum_epochs: Count = 1
    cr_ctc_weight: NotNegative = 0.0
    ctc_crf_weight: Fraction = 0.0
    recurrent_init: Literal["orthogonal", "uniform"] = "orthogonal"
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 1
    gru_kernel: GruKernel = "auto"
    precision: Literal["auto", "float32", "bf16"] = "auto"

    def __post_init__(self) -> None:
        if self.phones.file and self.phones.layer > self.encoder.layers:
            raise ConfigError(
                f"phones.layer = {self.phones.layer}: the encoder has {self.encoder.layers} layers"
            )
        if self.phones.file and self.encoder.direction == "chunked":
            raise ConfigError(
                'phones: not for encoder.direction = "chunked"; leave phones.file out'
            )

        if {self.gru_kernel, self.precision} == {"float32", "bf16"}:
            raise ConfigError(
                f"precision = {self.precision!r}: not that of gru_kernel = {self.gru_kernel!r}; "
                "leave one of them out"
            )
        if self.phones.file and self.augment.pause_prob:
            raise ConfigError(
                "augment.pause_prob: moves speech, which phones.file cannot follow; "
                "leave one of them out"
            )

    @property
    def net(self) -> NetConfig:
        """The part that describes the acoustic network."""
        return NetConfig(frontend=self.frontend, level=self.level, encoder=self.encoder)
