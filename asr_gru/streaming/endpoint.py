"""Endpoint detection: rules in seconds, applied frame by frame.

    speech  ██████ ███ ████            ███████ ████ ██ ████ ████ ██████
    silence       ·   ·    ············       ·    ·  ·    ··    ·
                           |<-trailing_s->|    |<---- 0.8 longest_s --->|<- pauses end it ->|

* ``trailing_s`` of silence after speech ends an utterance. Where the language model finds the end
  of the sentence unlikely, more silence is needed, up to ``incomplete_s``.
* After four fifths of ``longest_s`` any pause of ``pause_s`` between two words ends it; at the
  full length it ends at its last word boundary, and the frames after that begin the next one.
* ``leading_s`` of silence without any speech yields nothing, but restarts the decoder.

A frame is silent when its blank has at least half of the probability. Only the decoder knows
whether there are words, so the caller asks it before acting on an endpoint.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from asr_gru.errors import ConfigError, did_you_mean, is_real, one_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MODES", "Endpoint", "EndpointRules", "EndpointState", "find_endpoint"]

Reason = Literal["silence", "pause", "length", "nothing"]
EASED = 0.8
LIKELY_END, UNLIKELY_END = 1e-3, 1e-4
"""Probabilities of the sentence end at which ``trailing_s`` and ``incomplete_s`` apply; between
them, the silence needed is linear in the log-probability."""
SHORTEST_S, LONGEST_S = 0.1, 60.0
"""Seconds of trailing silence that ``EndpointRules.parse`` accepts."""


@dataclass(frozen=True, slots=True)
class EndpointRules:
    """The rules, in seconds; None switches a rule off.

    Attributes:
        trailing_s: silence after speech that ends the utterance.
        incomplete_s: silence that ends it if the sentence is probably incomplete, which needs a
            tree search with a language model; None for ``trailing_s`` in any case.
        longest_s: longest utterance, from its first speech on.
        leading_s: silence before any speech after which the decoder is restarted.
        pause_s: pause that ends an utterance of more than four fifths of ``longest_s``.
    """

    trailing_s: float | None = 0.88
    incomplete_s: float | None = None
    longest_s: float | None = 20.0
    leading_s: float | None = 5.0
    pause_s: float = 0.2

    def __post_init__(self) -> None:
        rules = (self.trailing_s, self.incomplete_s, self.longest_s, self.leading_s, self.pause_s)
        for value in rules:
            if value is not None and not (is_real(value) and 0 < value < math.inf):
                raise ConfigError(f"an endpoint rule of {str(value)[:40]} s; give seconds above 0")

    @classmethod
    def named(cls, mode: str) -> EndpointRules:
        """Return the rules of a mode: ``short``, ``normal``, ``long`` or ``off``."""
        if mode not in MODES:
            raise ConfigError(
                f"unknown endpoint mode {mode!r}{did_you_mean(mode, MODES)}; choose {one_of(MODES)}"
            )
        return MODES[mode]

    @classmethod
    def parse(cls, value: EndpointRules | str | float) -> EndpointRules:
        """Parse endpoint rules.

        Args:
            value: rules; the name of a mode; or seconds of trailing silence, 0.1 to 60, as a
                number or as text.

        Raises:
            ConfigError: anything else.
        """
        if isinstance(value, EndpointRules):
            return value
        try:
            seconds = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            if isinstance(value, str):
                return cls.named(value)
            raise ConfigError(
                f"endpoint is {value!r}; give EndpointRules, a mode ({', '.join(MODES)}) "
                "or seconds of silence"
            ) from None
        if not SHORTEST_S <= seconds <= LONGEST_S:
            raise ConfigError(
                f"endpoint {value}: give {SHORTEST_S:g} to {LONGEST_S:g} seconds of silence"
            )
        return cls(trailing_s=seconds)

    @classmethod
    def short(cls) -> EndpointRules:
        """Return rules for commands and short turns."""
        return MODES["short"]

    @classmethod
    def normal(cls) -> EndpointRules:
        """Return rules for conversation."""
        return MODES["normal"]

    @classmethod
    def long(cls) -> EndpointRules:
        """Return rules for dictation, with long pauses."""
        return MODES["long"]

    @classmethod
    def off(cls) -> EndpointRules:
        """Return rules that never end an utterance before the end of the audio."""
        return MODES["off"]


MODES = {
    "short": EndpointRules(trailing_s=0.5, incomplete_s=1.0, longest_s=10.0),
    "normal": EndpointRules(trailing_s=0.88, incomplete_s=1.8),
    "long": EndpointRules(trailing_s=1.6, incomplete_s=2.4, longest_s=40.0),
    "off": EndpointRules(trailing_s=None, longest_s=None, leading_s=None),
}


@dataclass(frozen=True, slots=True)
class EndpointState:
    """State of endpoint detection.

    Attributes:
        length: number of frames since the first speech of the utterance, 0 before it.
        silent: length of the current run of silent frames.
        needed: length at which this run ends the utterance, 0 until set by ``with_needed``.
    """

    length: int = 0
    silent: int = 0
    needed: int = 0

    def with_needed(
        self, probability: float | None, rules: EndpointRules, frame_s: float
    ) -> EndpointState:
        """Return the state with the length of silence needed after ``trailing_s`` of it.

        Args:
            probability: probability that the sentence ends here; None if unknown.
            rules: rules of the utterance.
            frame_s: seconds per frame.
        """
        trailing, incomplete = _in_frames(rules, frame_s)[:2]
        doubt = 0.0
        if probability is not None:
            ratio = math.log(LIKELY_END / max(probability, 1e-30))
            doubt = min(1.0, max(0.0, ratio / math.log(LIKELY_END / UNLIKELY_END)))
        needed = trailing + math.ceil(round(doubt * (incomplete - trailing), 6))
        return replace(self, needed=int(needed))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A frame at which a rule applies.

    Attributes:
        frames: number of given frames before the endpoint.
        reason: ``"silence"`` after speech; ``"pause"``, an endpoint only if it is between words;
            ``"length"``, to be moved to the last word boundary; ``"nothing"``, no speech at all.
    """

    frames: int
    reason: Reason


def find_endpoint(
    state: EndpointState, silence: Sequence[bool], rules: EndpointRules, frame_s: float
) -> tuple[EndpointState, Endpoint | None]:
    """Return the first frame at which a rule applies.

    Args:
        state: state from the last call; ``EndpointState()`` begins an utterance.
        silence: whether each frame is silent.
        rules: endpoint rules; may differ between calls.
        frame_s: seconds per frame.

    Returns:
        The state after the last frame used, and the endpoint, or None if no rule applied.
        ``"silence"`` is also returned once without speech, because a decoder may find a word in
        frames in which blank is likelier.
    """
    trailing, incomplete, longest, leading, pause = _in_frames(rules, frame_s)
    eased = EASED * longest
    length, silent, needed = state.length, state.silent, state.needed
    for count, is_silent in enumerate(silence, 1):
        before = silent
        silent = silent + 1 if is_silent else 0
        if not is_silent:
            needed = 0
        enough = min(max(trailing, needed), incomplete)
        if length or not is_silent:
            length += 1
        reason: Reason | None = None
        if silent == enough or (length and silent > enough):
            reason = "silence"
        elif not length and silent >= leading:
            reason = "nothing"
        elif length >= longest:
            reason = "length"
        elif length > eased and (silent == pause or (before >= pause and not silent)):
            reason = "pause"
        if reason:
            return EndpointState(length, silent, needed), Endpoint(count, reason)
    return EndpointState(length, silent, needed), None


@lru_cache(maxsize=64)
def _in_frames(rules: EndpointRules, frame_s: float) -> tuple[float, ...]:
    trailing, incomplete, *others = (
        math.inf if seconds is None else max(1, math.ceil(round(seconds / frame_s, 6)))
        for seconds in (
            rules.trailing_s,
            rules.incomplete_s or rules.trailing_s,
            rules.longest_s,
            rules.leading_s,
            rules.pause_s,
        )
    )
    return trailing, max(trailing, incomplete), *others
