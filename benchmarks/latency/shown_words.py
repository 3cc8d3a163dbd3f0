"""When words are shown, and how many are revised, by step and share of the probability.

    python -m benchmarks.latency.shown_words MANIFEST… --every 8
    python -m benchmarks.latency.shown_words MANIFEST… --shares 0.3 0.5 --steps-ms 160 80 40

Recordings are decoded in live steps; the log-probabilities are computed once, as they do not depend
on the steps. A word is shown when a partial first has it at its position, and revised when a later
partial or the final has another word there, or none. Its delay runs from its end time in the final,
for which it may first have been shown one position off, to the amount of audio fed when it was
shown: the look-ahead, the wait for a full step, and the wait until the word is likely enough,
without the time to compute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from asr_gru import DataError, EndpointRules, Recognizer
from asr_gru.data.audio import load_audio
from asr_gru.decoding import TreeSearch
from asr_gru.streaming.engine import Pipeline
from asr_gru.streaming.segmenter import Segmenter
from benchmarks._common import Table, load, make_parser, read_all, run, whole_number

SHARES = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def log_probs(recognizer: Recognizer, samples: np.ndarray) -> np.ndarray:
    """Return all rows ``(frames, tokens)`` of a recording."""
    acoustic = recognizer.acoustic
    return acoustic.finish(samples[None], acoustic.start(1))[0]


def shown_in(
    pipeline: Pipeline, decoder: TreeSearch, rows: np.ndarray, end_s: float, step: int
) -> tuple[int, int, list[float]]:
    """Return how many words were shown, how many of them revised, and the delays in seconds.

    Args:
        pipeline: how tokens become words.
        decoder: in place of the pipeline's.
        rows: of the recording; those that come only at its end are flushed.
        end_s: length of the recording.
        step: frames in a step.
    """
    frame_s = pipeline.times.frame_s
    parts = (decoder, pipeline.tokenizer, pipeline.times, EndpointRules.off(), pipeline.speech)
    segmenter = Segmenter(*parts)
    now: list[str] = []
    first: dict[tuple[int, str], float] = {}
    shown = revised = 0
    whole = int(end_s / frame_s + 1e-6) // step * step
    for behind in range(step, whole + 1, step):
        segmenter.advance(rows[behind - step : behind])
        spoken = segmenter.open_segment()
        if spoken is None:
            continue
        words = spoken.text.split()
        both = list(zip(now, words, strict=False))
        revised += sum(a != b for a, b in both) + max(0, len(now) - len(words))
        shown += sum(a != b for a, b in both) + max(0, len(words) - len(now))
        for place, text in enumerate(words):
            first.setdefault((place, text), behind * frame_s)
        now = words
    final = [
        word
        for segment in segmenter.advance(rows[whole:]) + segmenter.finish(end_s)
        for word in segment.words
    ]
    both = list(zip(now, (word.text for word in final), strict=False))
    revised += sum(a != b for a, b in both) + max(0, len(now) - len(final))
    delays = []
    for place, word in enumerate(final):
        at = [first[key] for d in (-1, 0, 1) if (key := (place + d, word.text)) in first]
        delays.append(min(at, default=end_s) - word.end_s)
    return shown, revised, delays


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, manifests=True, every=8)
    parser.add_argument(
        "--shares", type=float, nargs="+", default=SHARES, help="of the probability, 0 to 1"
    )
    parser.add_argument("--steps-ms", type=whole_number, nargs="+", help="by default the model's")
    options = parser.parse_args(argv)
    recognizer = load(options, decoder="words")
    decoder = recognizer.decoder
    assert isinstance(decoder, TreeSearch)
    info = recognizer.acoustic.info
    pipeline = recognizer.stream(info.sample_rate).engine.pipeline
    recordings = []
    for utterance in read_all(options):
        samples = load_audio(utterance, info.sample_rate)
        recordings.append((log_probs(recognizer, samples), len(samples) / info.sample_rate))
    table = Table(
        *(("step ms", "7.0f"), ("share", "6.1f"), ("shown", "7"), ("revised %", "10.1f")),
        *(("p50 ms", "7.0f"), ("p90 ms", "7.0f")),
    )
    for step_ms in options.steps_ms or [1000 * info.step_samples / info.sample_rate]:
        step = max(1, round(step_ms / 1000 / info.frame_s))
        for share in options.shares:
            tuned = decoder.tuned(replace(decoder.parameters, shown_share=share))
            found = [shown_in(pipeline, tuned, *recording, step) for recording in recordings]
            shown = sum(one[0] for one in found)
            revised = sum(one[1] for one in found)
            delays = [1000 * delay_s for one in found for delay_s in one[2]]
            if not delays:
                raise DataError("no words were recognised; give recordings of speech")
            table.row(
                *(1000 * step * info.frame_s, share, shown, 100 * revised / max(shown, 1)),
                *np.percentile(delays, [50, 90]),
            )


if __name__ == "__main__":
    run(main)
