"""Sources that play a script, on a clock of their own."""

from __future__ import annotations

from asr_gru.audio.blocks import Block
from asr_gru.errors import DeviceError

RATE = 16_000


class Clock:
    now = 50.0

    def __call__(self):
        return self.now


class ScriptedSource:
    """A source that plays a list: arrays are sound, numbers seconds that pass, errors are raised.

    An int is a number of samples that were dropped.
    """

    sample_rate = RATE
    description = "a script"

    def __init__(self, clock, *items, then=None):
        self.clock, self.items, self.then = clock, list(items), then
        self.dropped = 0
        self.refusals = 0
        self.closed = False

    def read(self, timeout_s, min_samples=1):
        if not self.items:
            raise EOFError
        item = self.items[0]
        if isinstance(item, Exception):
            raise item
        if isinstance(item, float):
            self.clock.now += item
            self.items.pop(0)
            return None
        if isinstance(item, int):
            self.dropped = item
            self.clock.now += item / RATE
            self.items.pop(0)
            return self.read(timeout_s)
        samples, rest = item[:640], item[640:]
        self.items[0:1] = [rest] if len(rest) else []
        self.clock.now += len(samples) / RATE
        block = Block(samples, self.clock.now, self.dropped)
        self.dropped = 0
        return block

    def close(self):
        self.closed = True
        self.items = []

    def reopen(self):
        if self.refusals:
            self.refusals -= 1
            self.clock.now += 1.0
            raise DeviceError("not yet")
        return self.then
