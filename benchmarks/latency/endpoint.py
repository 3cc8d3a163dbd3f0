"""Errors and delay of endpointing: cuts that are early or late, and the time until a final.

    python -m benchmarks.latency.endpoint
    python -m benchmarks.latency.endpoint MANIFEST... --utterances 300
    python -m benchmarks.latency.endpoint MANIFEST... --rules 0.8 0.9 0.9,1.8

Joins utterances, trimmed of their own silence (librosa.effects.trim), with gaps of quiet noise:
pauses within a turn of 0.2 to 0.6 s, and 0.5, 1, 1.5, 2 or 3 s between turns, from a fixed seed.
For each mode, or each of ``--rules`` (``trailing_s``, or it and ``incomplete_s``):

* early: finals inside an utterance, because of a silence inside it, with words of it still to come
* length: finals inside an utterance because the segment became too long
* late: gaps of at least the mode's silence and 0.3 s, with words of both sides in one segment
* after: from the end of an utterance before such a gap until its final, in seconds of sound, with
  the wait for a full step; the median and the 90th percentile
* none: such gaps in which no final came although none reaches over it: the utterance was not
  recognised, or its last words were not, so that its final came early
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from asr_gru import ConfigError, DataError, EndpointRules, Recognizer, Segment
from asr_gru.data.audio import duration_of, load_audio
from asr_gru.data.manifest import Utterance
from asr_gru.streaming.segmenter import Segmenter
from benchmarks._common import Table, load, make_parser, positive, read_all, run, whole_number
from recipes.command_line import needed

LogProbs = npt.NDArray[np.float32]
GAPS_S = (0.5, 1.0, 1.5, 2.0, 3.0)
WITHIN_S = (0.2, 0.6)
WITHIN_SHARE = 0.25
ENOUGH_S = 0.3
NOISE_DB = -70.0
TRIM_DB = 40.0


@dataclass(frozen=True, slots=True)
class Final:
    """A final: when it was decided, and where its words are, in seconds."""

    at_s: float
    words_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Cuts:
    """What was counted over ``utterances``; ``after_s`` has a delay for each good cut."""

    utterances: int
    early: int
    length: int
    gaps: int
    late: int
    none: int
    after_s: tuple[float, ...]


def judge(
    utterances: Sequence[tuple[float, float]],
    finals: Iterable[Final],
    trailing_s: float,
    *,
    step_s: float = 0.0,
) -> Cuts:
    """Count cuts.

    Args:
        utterances: first and last sound of each.
        finals: in order; ``at_s`` is when the silence that ended it was long enough.
        trailing_s: that silence.
        step_s: decisions are known when a step of this length is full.
    """
    finals = list(finals)
    early = length = gaps = late = none = 0
    after_s: list[float] = []
    for begin_s, end_s in utterances:
        for number, final in enumerate(finals):
            if begin_s < final.at_s < end_s:
                silent = final.at_s - final.words_s[-1] > 0.75 * trailing_s
                after = (word_s for later in finals[number + 1 :] for word_s in later.words_s)
                more = any(final.at_s < word_s < end_s for word_s in after)
                length += not silent
                early += silent and more and final.at_s - trailing_s > begin_s
    for (_, end_s), (next_s, _) in pairwise(utterances):
        if next_s - end_s < trailing_s + ENOUGH_S:
            continue
        gaps += 1
        middle_s = (end_s + next_s) / 2
        both = any(final.words_s[0] < middle_s < final.words_s[-1] for final in finals)
        done = [f.at_s for f in finals if end_s < f.at_s < next_s + trailing_s]
        done = [at_s for at_s in done if at_s - trailing_s < next_s]
        late += both
        none += not both and not done
        if done and not both:
            shown_s = math.ceil(done[0] / step_s - 1e-6) * step_s if step_s else done[0]
            after_s.append(shown_s - end_s)
    return Cuts(len(utterances), early, length, gaps, late, none, tuple(after_s))


def joined(
    utterances: Sequence[Utterance], count: int, longest_s: float, rate: int
) -> tuple[npt.NDArray[np.float32], list[tuple[float, float]]]:
    """Return utterances with gaps between, and where each begins and ends."""
    with needed(__name__, "train"):
        from librosa.effects import trim

    random = np.random.default_rng(0)
    found = [utterance for utterance in utterances if duration_of(utterance) <= longest_s]
    if not found:
        raise DataError(f"no utterance is at most {longest_s:g} s long; raise --longest")
    order = np.concatenate([random.permutation(len(found)) for _ in range(-(-count // len(found)))])
    parts, places, length = [], [], 0
    gap_s = 1.0
    for place in order[:count]:
        samples, _ = trim(load_audio(found[place], rate), top_db=TRIM_DB)
        gap = np.zeros(round(gap_s * rate), np.float32)
        parts += [gap, samples]
        length += len(gap)
        places.append((length / rate, (length + len(samples)) / rate))
        length += len(samples)
        within = random.random() < WITHIN_SHARE
        gap_s = random.uniform(*WITHIN_S) if within else float(random.choice(GAPS_S))
    whole = np.concatenate([*parts, np.zeros(3 * rate, np.float32)])
    noise = random.standard_normal(len(whole), np.float32) * np.float32(10 ** (NOISE_DB / 20))
    return whole + noise, places


def log_probs(recognizer: Recognizer, samples: npt.NDArray[np.float32]) -> LogProbs:
    """Return the rows ``(frames, tokens)`` of whole steps."""
    acoustic, step = recognizer.acoustic, recognizer.acoustic.info.step_samples
    state, rows = acoustic.start(1), []
    for first in range(0, len(samples) - step + 1, step):
        found, state = acoustic.step(samples[None, first : first + step], state)
        rows.append(found[0])
    return np.concatenate(rows)


def cut(recognizer: Recognizer, rows: LogProbs, rules: EndpointRules) -> list[Final]:
    """Segment frame by frame, so that a decision's time is known to the frame."""
    pipeline = recognizer.stream(recognizer.info.sample_rate).engine.pipeline
    parts = (pipeline.decoder, pipeline.tokenizer, pipeline.times)
    segmenter = Segmenter(*parts, rules, pipeline.speech)
    frame_s = pipeline.times.frame_s
    finals: list[Final] = []

    def note(segments: Iterable[Segment], at_s: float) -> None:
        for segment in segments:
            places = tuple((word.start_s + word.end_s) / 2 for word in segment.words)
            finals.append(Final(at_s, places))

    for number, row in enumerate(rows, 1):
        note(segmenter.advance(row[None]), number * frame_s)
    note(segmenter.finish(len(rows) * frame_s), len(rows) * frame_s)
    return finals


def parse_rules(text: str) -> EndpointRules:
    """Read ``trailing_s`` or ``trailing_s,incomplete_s``, as a type of arguments."""
    try:
        trailing_s, *incomplete_s = (float(part) for part in text.split(",", 1))
        return EndpointRules(trailing_s, *incomplete_s)
    except (ValueError, ConfigError) as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, manifests=True)
    parser.add_argument("--utterances", type=whole_number, default=60, help="how many to join")
    parser.add_argument("--longest", type=positive, default=20.0, help="utterance, in seconds")
    parser.add_argument("--rules", type=parse_rules, nargs="+", help="in place of the modes")
    options = parser.parse_args(argv)
    recognizer = load(options)
    info = recognizer.acoustic.info
    utterances = read_all(options)
    samples, places = joined(utterances, options.utterances, options.longest, info.sample_rate)
    print(f"{len(places)} utterances, {len(samples) / info.sample_rate / 60:.1f} minutes")
    print(f"{'':8} {'per 100 utterances':>18}   {'per 100 gaps':>22}   {'seconds':>25}")
    table = Table(
        *(("mode", "<8"), ("early", "9.1f"), ("length", "8.1f"), ("gaps", "8d")),
        *(("late", "7.1f"), ("none", "7.1f"), ("silence", "9.1f"), ("incomplete", "10.1f")),
        *(("after", "7.2f"), ("p90", "7.2f")),
    )
    rows = log_probs(recognizer, samples)
    chosen = {mode: EndpointRules.named(mode) for mode in ("short", "normal", "long")}
    if options.rules:
        chosen = {f"{number}": rules for number, rules in enumerate(options.rules, 1)}
    for mode, rules in chosen.items():
        assert rules.trailing_s is not None
        step_s = info.step_samples / info.sample_rate
        cuts = judge(places, cut(recognizer, rows, rules), rules.trailing_s, step_s=step_s)
        each, gap = 100 / cuts.utterances, 100 / max(1, cuts.gaps)
        after_s = np.percentile(cuts.after_s, [50, 90]) if cuts.after_s else (math.nan, math.nan)
        table.row(
            *(mode, cuts.early * each, cuts.length * each, cuts.gaps, cuts.late * gap),
            *(cuts.none * gap, rules.trailing_s, rules.incomplete_s or rules.trailing_s, *after_s),
        )


if __name__ == "__main__":
    run(main)
