"""Packs the recordings of a configuration into parts of limited size, for a machine without them.

Each part is a folder with ``recordings.bin``, the files one after the other, and ``index.npz``,
which says where each ends and which tokens it has. The first part also holds the validation sets,
noise, rooms, the trigram for CTC-CRF, the configuration and the weights to start from.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import soundfile

from asr_gru.audio import find_recordings
from asr_gru.data.audio import load_audio
from asr_gru.data.manifest import Utterance
from asr_gru.decoding.alignment import frames_needed
from asr_gru.errors import ConfigError
from asr_gru.language.dictionary import ENGLISH_PHONES
from asr_gru.text import PhoneTokenizer
from asr_gru.training.config import TrainConfig
from asr_gru.training.ctc_crf import token_trigram, trigram_probs
from asr_gru.training.dataset import read_utterances
from asr_gru.training.initialise import load_net
from asr_gru.training.pronunciations import load_pronunciations
from recipes.en_small.gpu.corpus import NOISE, ROOM, SPEECH, VALIDATION

__all__ = ["Item", "pack", "read_items", "write_parts"]


@dataclass(frozen=True, slots=True)
class Item:
    """A recording: its file, kind, token ids, and how often it is seen per epoch.

    ``segment`` has the start and the duration of a segment of the file, in seconds; None for all.
    """

    path: Path
    kind: int
    target: list[int]
    weight: float = 1.0
    segment: tuple[float, float] | None = None


def pack(
    config: TrainConfig, root: Path, out: Path, *, start_from: Path, part_mib: float, copies: Path
) -> list[Path]:
    """Write the parts; return their folders.

    Args:
        config: configuration of the run, with phones as tokens.
        root: data root.
        out: folder of the parts.
        start_from: run or model whose weights are packed, in float16.
        part_mib: size limit of a part in MiB.
        copies: folder with smaller copies of some recordings, under the same names but for the
            suffix ``.opus``; they are packed instead.

    Raises:
        ConfigError: the configuration has something that training on a GPU lacks.
    """
    _check(config)
    first, speech = read_items(config, root)
    order = np.random.default_rng(config.seed).permutation(len(speech))
    speech = [_copy(speech[i], root, copies) for i in order]
    tokenizer = PhoneTokenizer(ENGLISH_PHONES)
    noise: list[list[int]] = [[] for _ in range(round(config.data.noise_only * len(speech)))]
    targets = [*(item.target for item in speech), *noise]
    trigram = trigram_probs(token_trigram(targets, tokenizer.symbols))
    weights = load_net(start_from).state_dict()
    head = out / "part0"
    head.mkdir(parents=True, exist_ok=True)
    np.save(head / "trigram.npy", trigram.numpy())
    np.savez(head / "start.npz", **{k: v.numpy().astype(np.float16) for k, v in weights.items()})
    (head / "config.json").write_bytes(msgspec.json.encode(config))
    names = [Path(name).stem for name in config.data.validation]
    (head / "validation.json").write_text(json.dumps(names), encoding="utf-8")
    tokenizer.save(head)
    used = sum(path.stat().st_size for path in head.iterdir())
    rate = config.frontend.sample_rate
    return write_parts([*first, *speech], out, int(part_mib * 2**20), used, rate)


def _check(config: TrainConfig) -> None:
    augment, optimiser = config.augment, config.optimiser
    lacking = {
        "augment.babble_prob": augment.babble_prob > 0,
        "augment.carry_prob": augment.carry_prob > 0,
        "augment.trim_tail_s": augment.trim_tail_s > 0,
        "cr_ctc_weight": config.cr_ctc_weight > 0,
        "distillation.teacher": bool(config.distillation.teacher),
        "encoder.direction": config.encoder.direction != "uni",
        "optimiser.accumulate": optimiser.accumulate > 1,
        "optimiser.name": optimiser.name != "muon",
        "phones.file": bool(config.phones.file),
    }
    if used := [key for key, is_used in lacking.items() if is_used]:
        raise ConfigError(
            f"{', '.join(used)}: not on this path, which trains CTC or CTC-CRF with Muon; "
            "change them with --set"
        )


def read_items(config: TrainConfig, root: Path) -> tuple[list[Item], list[Item]]:
    """Return noise, rooms and validation sets, and the training set."""
    tokenizer = PhoneTokenizer(ENGLISH_PHONES)
    pronunciations = load_pronunciations(config.data, root)
    frame_s = config.net.frame_samples / config.frontend.sample_rate

    def items(manifests: Iterable[str], kind: int) -> Iterator[Item]:
        utterances = read_utterances(tuple(manifests), root, config.data)
        texts = pronunciations.to_phones(utterances)
        for utterance in texts.utterances:
            target = tokenizer.encode(utterance.text)
            seconds = _duration_s(utterance)
            if utterance.key in texts.missing or frames_needed(target) * frame_s > seconds:
                continue
            if config.data.shortest_s <= seconds <= config.data.longest_s:
                weight = config.data.weights.get(utterance.source, 1.0)
                start_s = utterance.start_s
                segment = None if start_s is None else (start_s, utterance.duration_s)
                yield Item(utterance.path, kind, target, weight, segment)

    folders = ((config.augment.noise, NOISE), (config.augment.rooms, ROOM))
    first = [
        Item(path, kind, [])
        for folder, kind in folders
        if folder
        for path in find_recordings([root / folder])
    ]
    for number, name in enumerate(config.data.validation):
        first += items([name], VALIDATION + number)
    return first, list(items(config.data.train, SPEECH))


def write_parts(
    items: Iterable[Item], out: Path, limit: int, used: int, sample_rate: int
) -> list[Path]:
    """Write ``items`` in parts of at most ``limit`` bytes, the first less ``used`` bytes.

    Files are written as they are, segments of files as FLAC at ``sample_rate``.
    """
    parts: list[Path] = []
    batch: list[tuple[Item, bytes]] = []
    size = used
    for item in items:
        data = _data(item, sample_rate)
        if batch and size + len(data) > limit:
            parts.append(_write_part(batch, out / f"part{len(parts)}"))
            batch, size = [], 0
        batch.append((item, data))
        size += len(data)
    return [*parts, _write_part(batch, out / f"part{len(parts)}")]


def _write_part(batch: list[tuple[Item, bytes]], folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "recordings.bin").open("wb") as file:
        for _, data in batch:
            file.write(data)
    targets = [item.target for item, _ in batch]
    np.savez(
        folder / "index.npz",
        ends=np.cumsum([len(data) for _, data in batch]),
        kinds=np.array([item.kind for item, _ in batch], np.uint8),
        weights=np.array([item.weight for item, _ in batch], np.float32),
        targets=np.array([token for target in targets for token in target], np.int16),
        target_ends=np.cumsum([len(target) for target in targets]),
        frames_needed=np.array([frames_needed(target) for target in targets], np.int64),
    )
    return folder


def _data(item: Item, sample_rate: int) -> bytes:
    if item.segment is None:
        return item.path.read_bytes()
    start_s, duration_s = item.segment
    segment = Utterance(item.path, "", start_s=start_s, duration_s=duration_s)
    data = io.BytesIO()
    samples = load_audio(segment, sample_rate)
    soundfile.write(data, samples, sample_rate, format="FLAC", subtype="PCM_16")
    return data.getvalue()


def _copy(item: Item, root: Path, copies: Path) -> Item:
    """Replace the path by that of a smaller copy, if there is one."""
    copy = copies / item.path.relative_to(root).with_suffix(".opus")
    return replace(item, path=copy) if copy != item.path and copy.exists() else item


def _duration_s(utterance: Utterance) -> float:
    return utterance.duration_s or float(soundfile.info(utterance.path).duration)
