"""An acoustic model that hears which token to output, and sounds for it."""

from __future__ import annotations

import itertools
import random

import numpy as np

from asr_gru.model.acoustic import AcousticInfo
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.text import CharacterTokenizer

TOKENS = CharacterTokenizer(" abcd")
RATE, FRAME = 1000, 40
QUICK = EndpointRules(trailing_s=0.6, longest_s=3.0, leading_s=1.0, pause_s=0.12)


class FakeModel:
    """Hears, in a frame's first sample, the token (in sixteenths); the second is its weight.

    The state holds the frames of the look-ahead, so nothing depends on how samples come.
    """

    def __init__(self, lookahead: int = 2, streaming: bool = True) -> None:
        self.info = AcousticInfo(RATE, FRAME, 4 * FRAME, lookahead, len(TOKENS), streaming)
        self.largest, self.heard = (0, 0), 0

    def start(self, batch=1):
        return (np.zeros((batch, self.info.lookahead_frames * FRAME), np.float32),)

    def step(self, samples, state):
        assert samples.dtype == np.float32
        assert samples.shape[1] % FRAME == 0
        self.heard += samples.size
        self.largest = max(self.largest, samples.shape, key=lambda shape: shape[1])
        heard = np.concatenate((state[0], samples), axis=1)
        count = samples.shape[1]
        frames = heard[:, :count].reshape(len(samples), -1, FRAME)
        token = np.rint(frames[:, :, 0] * 16).astype(int).clip(0, 5)
        weight = 6.0 + 2.0 * frames[:, :, 1:2]
        scores = np.where(np.arange(6) == token[:, :, None], weight, 0.0)
        rows = scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))
        return rows.astype(np.float32), (heard[:, count:],)

    def finish(self, samples, state):
        missing = -samples.shape[1] % FRAME + self.info.lookahead_frames * FRAME
        return self.step(np.pad(samples, ((0, 0), (0, missing))), state)[0]


def sound_of(path, seed=0):
    rng = np.random.default_rng(seed)
    frames = rng.uniform(-1, 1, (len(path), FRAME)).astype(np.float32)
    frames[:, 0] = np.array(path, np.float32) / 16
    return frames.ravel()


def random_sound(seed, frames=120):
    rng, path = random.Random(seed), []
    while len(path) < frames:
        for _ in range(rng.randint(1, 4)):
            path += [rng.randint(2, 5), 0]
        path += [1] + [0] * rng.choice([0, 1, 5, 20])
    return sound_of(path[:frames], seed)


def blocks_of(sound, sizes):
    """Yield blocks of ``sizes`` samples, which are repeated up to the end of the sound."""
    first = 0
    for size in itertools.cycle(sizes):
        if first >= len(sound):
            return
        yield sound[first : first + size]
        first += size
