r"""The front end by training: the same small network behind several normalisers and subsamplers.

Each is trained to classify the phone of every frame (the quick part of training: no text, no
CTC), with gains from -30 to +10 dB, and tested on other recordings at several levels.

asr-gru align-corpus RUN DATA/speech/train.tsv --lexicon cmudict.dict --output runs/phones.tsv
asr-gru align-corpus RUN DATA/speech/dev-read.tsv --lexicon cmudict.dict --output runs/dev.tsv
python -m studies.level_training --train DATA/speech/train.tsv --phones runs/phones.tsv \
  --check DATA/speech/dev-read.tsv --check-phones runs/dev.tsv
"""

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from asr_gru.model.net_config import EncoderConfig, FrontendConfig, LevelConfig, NetConfig
from asr_gru.text import build_character_tokenizer
from benchmarks._common import Table, make_parser, print_environment, run
from benchmarks.accuracy.level import levels
from recipes.command_line import needed

with needed(__name__, "train"):
    import torch
    from torch import nn

    from asr_gru.nn.fast_gru import bf16_available
    from asr_gru.nn.level import LevelNormaliser
    from asr_gru.nn.net import AcousticNet
    from asr_gru.training.audio_cache import pack_corpus
    from asr_gru.training.augment import Augmenter
    from asr_gru.training.config import AugmentConfig, DataConfig, TrainConfig
    from asr_gru.training.dataset import TrainingSet, collate, read_utterances
    from asr_gru.training.initialise import measure_statistics
    from asr_gru.training.phone_times import (
        IGNORE_INDEX,
        PhoneTimes,
        frame_targets,
        read_phone_times,
    )
    from asr_gru.training.phones import PhoneHead, pad_targets
    from asr_gru.training.sampler import plan_epoch

RATE, LAYERS, DELAY_S, FLOOR = 16_000, 2, 0.08, 1e-6
ENCODER = EncoderConfig(layers=LAYERS, width=192, dropout=0.0)


class RunningMean(LevelNormaliser):
    """Log-mels less their own mean so far: 0.2 s of prior, then a time constant of 4 s."""

    def forward(self, mel, state):  # noqa: D102
        features = torch.log(mel + FLOOR) - self.mean
        batch, frames, mels = mel.shape
        blocks = features.reshape(batch, frames // self.block, self.block, mels).mean(dim=2)
        mean = mel.new_zeros(batch, mels)
        means: list[torch.Tensor] = []
        for number, block in enumerate(blocks.unbind(1)):
            rate = max(1.0 / (number + 1 + self.prior_blocks), self.decay)
            mean = mean + rate * (block - mean)
            means.append(mean)
        centre = torch.stack(means, dim=1).repeat_interleave(self.block, dim=1)
        return (features - centre) * self.scale, state


class Pcen(LevelNormaliser):
    """Per-channel energy normalisation (Wang et al. 2017) with its published constants."""

    def forward(self, mel, state):  # noqa: D102
        energy = mel * 2.0**30  # the constants are for samples of 16 bits
        smooth, smoothed = energy[:, 0], []
        for now in energy.unbind(1):
            smooth = smooth + 0.025 * (now - smooth)
            smoothed.append(smooth)
        gain = (torch.stack(smoothed, dim=1) + 1e-6) ** -0.98
        features = (energy * gain + 2.0) ** 0.5 - 2.0**0.5
        return (features - self.mean) * self.scale, state


KINDS = {
    "fixed statistics": (LevelNormaliser, LevelConfig(follow=False), "linear"),
    "running mean": (RunningMean, LevelConfig(), "linear"),
    "PCEN": (Pcen, LevelConfig(), "linear"),
    "level follower": (LevelNormaliser, LevelConfig(), "linear"),
    "and mean": (LevelNormaliser, LevelConfig(cmvn="mean"), "linear"),
    "follower, conv": (LevelNormaliser, LevelConfig(), "conv"),
    "conv and mean": (LevelNormaliser, LevelConfig(cmvn="mean"), "conv"),
    "conv, mean, var.": (LevelNormaliser, LevelConfig(cmvn="mean_variance"), "conv"),
}


def network(kind, examples):
    """Return a net with this normaliser, its mean and scale measured as training does."""
    normaliser, level, subsampler = KINDS[kind]
    torch.manual_seed(0)
    frontend = FrontendConfig(remove_dc_offset=True)
    encoder = msgspec.structs.replace(ENCODER, subsampler=subsampler)
    fast = torch.bfloat16 if bf16_available() else torch.float32
    net = AcousticNet(NetConfig(frontend=frontend, level=level, encoder=encoder), 2, fast)
    net.level = normaliser(level, 80, net.level.block, ENCODER.subsampling * 0.01)
    random = np.random.default_rng(0)
    chosen = random.choice(len(examples.kept), min(300, len(examples.kept)), replace=False)
    # gains are part of what is measured, as fixed statistics have to cover them
    batches = [examples.batch([int(i)], (0, int(i))).samples for i in chosen]
    if normaliser is LevelNormaliser:
        measure_statistics(net, [samples[0].numpy() for samples in batches])
    else:
        with torch.no_grad():
            rows = torch.cat([net.features(samples)[0][0] for samples in batches])
        net.level.mean.copy_(rows.mean(dim=0))
        net.level.scale.copy_(1 / rows.std(dim=0).clamp(1e-3))
    return net, PhoneHead(ENCODER.width, len(examples.phones.names))


def train(kind, examples, steps, batch_s):
    net, head = network(kind, examples)
    optimiser = torch.optim.AdamW([*net.parameters(), *head.parameters()], lr=2e-3)
    planned: list[list[list[int]]] = []
    epoch = 0
    while len(planned) < steps:
        planned += plan_epoch(
            examples.durations_s,
            examples.weights,
            seed=1,
            epoch=epoch,
            batch_s=batch_s,
            processes=1,
            noise_only=0.0,
            ascending=False,
        )
        epoch += 1
    net.train()
    for step, groups in enumerate(planned[:steps]):
        batch = examples.batch(groups[0], (1, step))
        with torch.no_grad():
            features, _ = net.features(batch.samples)
        state = net.encoder.start(len(features))
        hidden = net.encoder.encode(features, state, tap=LAYERS).hidden
        loss = head.loss(hidden, batch.phones)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * min(1.0, (step + 1) / 50) * (1.0 - step / steps)
        optimiser.step()
    return net, head


def frame_errors(net, head, corpus, phones: PhoneTimes):
    """Return the share of frames, in percent, whose phone is named wrongly, for each level."""
    wrong: dict[str, int] = {}
    asked: dict[str, int] = {}
    frame_s = net.config.frame_samples / RATE
    for index, utterance in enumerate(corpus.utterances):
        spoken = phones.times.get(utterance.absolute_key)
        if spoken is None:
            continue
        for level, samples in levels(corpus.samples(index)):
            batch = collate([np.asarray(samples, np.float32)], [[]], net.config)
            row = frame_targets(spoken, int(batch.frames[0]), frame_s, DELAY_S)
            wanted = pad_targets([row], batch.frames)
            with torch.no_grad():
                features, _ = net.features(batch.samples)
                hidden = net.encoder.encode(features, net.encoder.start(1), tap=LAYERS).hidden
                named = head(hidden).argmax(dim=-1)
            known = wanted != IGNORE_INDEX
            wrong[level] = wrong.get(level, 0) + int(((named != wanted) & known).sum())
            asked[level] = asked.get(level, 0) + int(known.sum())
    return {level: 100.0 * wrong[level] / asked[level] for level in wrong}


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, model=False)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--phones", type=Path, required=True)
    parser.add_argument("--check", type=Path, required=True)
    parser.add_argument("--check-phones", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch-s", type=float, default=100.0)
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    options = parser.parse_args(argv)
    print_environment()
    torch.set_num_threads(1)
    augment = AugmentConfig(gain_db=(-30.0, 10.0))
    config = TrainConfig(data=DataConfig(train=(options.train.name,)), augment=augment)
    utterances = read_utterances([options.train.name], options.train.parent, config.data)
    phones = read_phone_times(options.phones, [options.train.parent])
    corpus = pack_corpus(utterances, options.cache, RATE)
    tokens = build_character_tokenizer([u.text for u in utterances])
    examples = TrainingSet(corpus, tokens, config, Augmenter(augment, RATE, None, None), phones)
    keys = [corpus.utterances[i].absolute_key for i in examples.kept]
    examples.weights = np.array([float(key in phones.times) for key in keys])
    checked = read_utterances([options.check.name], options.check.parent, config.data)
    check = pack_corpus(checked, options.cache, RATE)
    check_phones = read_phone_times(options.check_phones, [options.check.parent])
    ids = {name: number for number, name in enumerate(phones.names)}
    renumber = np.array([ids.get(name, IGNORE_INDEX) for name in check_phones.names])
    spoken = {path: (renumber[n], ends) for path, (n, ends) in check_phones.times.items()}
    check_phones = PhoneTimes(phones.names, spoken)
    table = {}
    for kind in options.kinds:
        began = time.perf_counter()
        net, head = train(kind, examples, options.steps, options.batch_s)
        table[kind] = frame_errors(net, head, check, check_phones)
        print(f"# {kind}: {time.perf_counter() - began:.0f} s", flush=True)
    rows = Table(("frames wrong %", "<17"), *((kind, "17.2f") for kind in table))
    for level in next(iter(table.values())):
        rows.row(level, *(errors[level] for errors in table.values()))


if __name__ == "__main__":
    run(main)
