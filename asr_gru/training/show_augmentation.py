"""Each augmentation of training on its own, to listen to and to look at."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import soundfile
import torch

from asr_gru.data.audio import load_audio
from asr_gru.data.manifest import Utterance
from asr_gru.errors import AudioError, DataError, MissingExtraError
from asr_gru.files import replace_file
from asr_gru.model.net_config import FrontendConfig
from asr_gru.nn.frontend import log_mel_db
from asr_gru.training.audio_cache import Corpus
from asr_gru.training.augment import Augmenter, mask_features
from asr_gru.training.config import AugmentConfig
from asr_gru.training.config_file import load_train_config
from asr_gru.training.dataset import folder_corpus

__all__ = ["show_augmentation"]

Samples = npt.NDArray[np.float32]
DEFAULT = AugmentConfig(gain_db=(-20.0, 6.0), frequency_masks=2, time_masks=10, trim_tail_s=0.0)
"""Shown without a configuration; noise and rooms need folders, so they need one."""
SEED = 1
OTHERS = 8
"""Utterances that babble is made of."""


def show_augmentation(
    utterances: Sequence[Utterance],
    folder: Path,
    *,
    config: Path | None = None,
    root: Path | None = None,
) -> list[Path]:
    """Write an utterance with each augmentation on its own, as ``.wav``, and their spectrograms.

    The utterance is the one of median length among the first hundred that can be read. Only
    augmentations that the configuration uses are shown, each as if it were drawn.

    Args:
        utterances: utterances of a manifest.
        folder: receives the files.
        config: training configuration; without one, all augmentations that need no folder of
            recordings are shown.
        root: folder that the paths of ``config`` are relative to; by default that of ``config``.

    Raises:
        DataError: no utterance can be read, or no recording of noise or rooms.
        MissingExtraError: matplotlib is not installed.
    """
    frontend, augment = FrontendConfig(), DEFAULT
    base = root or (config.parent if config else Path())
    if config is not None:
        parsed = load_train_config(config)
        frontend, augment = parsed.frontend, parsed.augment
    rate = frontend.sample_rate
    spoken = _readable(utterances, rate)
    clean = sorted(spoken, key=len)[len(spoken) // 2]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as cache:
        noise = folder_corpus(base / augment.noise, Path(cache), rate) if augment.noise else None
        rooms = folder_corpus(base / augment.rooms, Path(cache), rate) if augment.rooms else None
        shown = {"original": clean}
        for name, one in _alone(augment, everything=config is None).items():
            shown[name] = _augment(clean, one, rate, noise, rooms, spoken)
    written = []
    for name, samples in shown.items():
        path = folder / f"{name}.wav"
        with replace_file(path) as file:
            soundfile.write(file, np.clip(samples, -1.0, 1.0), rate, "PCM_16", format="WAV")
        written.append(path)
    picture = folder / "spectrograms.png"
    _draw(picture, shown, frontend, augment)
    return [*written, picture]


def _readable(utterances: Sequence[Utterance], rate: int) -> list[Samples]:
    spoken, problem = [], "the list is empty"
    for utterance in utterances[:100]:
        try:
            spoken.append(load_audio(utterance, rate))
        except AudioError as error:
            problem = str(error)
    if not spoken:
        raise DataError(f"no recording can be read ({problem})")
    return spoken


def _alone(config: AugmentConfig, *, everything: bool) -> dict[str, AugmentConfig]:
    """Return a configuration for each augmentation of ``config``, which draws it and no other."""
    nothing = msgspec.structs.replace(
        config,
        pause_prob=0.0,
        noise_prob=0.0,
        babble_prob=0.0,
        rooms_prob=0.0,
        speed_prob=0.0,
        gain_db=(0.0, 0.0),
        bandwidth_prob=0.0,
    )
    found = {}
    for name, key in (
        ("pauses", "pause_prob"),
        ("speed", "speed_prob"),
        ("room", "rooms_prob"),
        ("noise", "noise_prob"),
        ("babble", "babble_prob"),
        ("bandwidth", "bandwidth_prob"),
    ):
        needs_folder = key in ("rooms_prob", "noise_prob")
        if getattr(config, key) or (everything and not needs_folder):
            found[name] = msgspec.structs.replace(nothing, **{key: 1.0})
    if config.gain_db != (0.0, 0.0):
        found["gain"] = msgspec.structs.replace(nothing, gain_db=config.gain_db)
    return found


def _augment(
    samples: Samples,
    config: AugmentConfig,
    rate: int,
    noise: Corpus | None,
    rooms: Corpus | None,
    spoken: Sequence[Samples],
) -> Samples:
    random = np.random.default_rng(SEED)

    def other_speech() -> Samples:
        return spoken[int(random.integers(min(OTHERS, len(spoken))))]

    return Augmenter(config, rate, noise, rooms)(samples, random, other_speech)


def _draw(
    path: Path, shown: dict[str, Samples], config: FrontendConfig, augment: AugmentConfig
) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("matplotlib", "train") from None
    features = {name: log_mel_db(samples, config) for name, samples in shown.items()}
    if augment.frequency_masks or augment.time_masks:
        features["masks"] = _masked(features["original"], augment)
    figure = Figure(figsize=(9, 1.6 * len(features)), layout="constrained")
    rows = figure.subplots(len(features), 1, squeeze=False, sharex=True)[:, 0]
    high = max(float(one.max()) for one in features.values())
    for axes, (name, one) in zip(rows, features.items(), strict=True):
        seconds = len(one) * config.hop_ms / 1000
        axes.imshow(
            one.T, origin="lower", aspect="auto", extent=(0, seconds, 0, config.mels),
            vmin=high - 70, vmax=high,
        )  # fmt: skip
        axes.set_ylabel(name)
    rows[-1].set_xlabel("seconds")
    with replace_file(path) as file:
        figure.savefig(file, format="png", dpi=110)


def _masked(features: npt.NDArray[np.float32], config: AugmentConfig) -> npt.NDArray[np.float32]:
    mean = features.mean(axis=0)
    normal = torch.from_numpy(features - mean)[None]
    masked = mask_features(normal, np.array([len(features)]), config, np.random.default_rng(SEED))
    return np.asarray(masked[0].numpy() + mean, np.float32)
