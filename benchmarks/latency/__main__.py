"""Delay from the end of a spoken word until it is shown, stable and final, end to end.

    python -m benchmarks.latency
    python -m benchmarks.latency --through microphone
    python -m benchmarks.latency --manifest MANIFEST --seconds 600

Plays speech in real time and records every event. A word counts as shown when a partial (or the
final) first has it at the position it has in the final. All delays are relative to the end of the
word in the audio. There are two rows: speech by flite, which reports its word times, and
recordings, whose word ends PocketSphinx finds (``pip install pocketsphinx``; its lag on flite's
speech is printed below the row). ``--aligner model`` uses the recogniser's own forced alignment
instead, which leaves out most of its emission delay, and needs a model of phones or characters.

The delay of a shown word is the sum of

* emission: from the word's end to the end of the frame with its last token, as the model chose it
* lookahead: by which the model's frames trail the audio
* step: until the step with that frame is full
* resampler: until it has given that step
* block: until the source has given the block with that sample
* compute: what is left: the time to compute; with the word search, the wait until the word is
  likely enough to be shown; and with a server or page all that lies between

Microphone and page: the clock is set by finding the recording in the sound that arrived; zero is
the earliest moment at which the program (the page's script) had a sample, so what lies before it,
the sound system's or browser's own buffers, is not in the figures.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile

from asr_gru import EndpointRules, Recognizer
from asr_gru.data.manifest import read_manifest
from asr_gru.model.directory import ModelDirectory
from benchmarks._common import AUDIO_SAMPLES, load, make_parser, positive, run, whole_number
from benchmarks._processes import pin
from benchmarks.latency.paths import (
    Played,
    fed_s,
    through_session,
    through_stream,
    through_websocket,
)
from benchmarks.latency.speech import (
    Piece,
    align_by_model,
    align_by_pocketsphinx,
    aligner_errors,
    joined,
    speak,
)
from benchmarks.latency.words import Delay, Grid, Spoken, delays, revised

PARTS = ("emission", "lookahead", "step", "resampler", "block", "compute")


def main(argv: Sequence[str] | None = None) -> None:
    options = arguments(argv)
    rules = EndpointRules.named(options.endpoint)
    if options.through in {"session", "stream"}:
        pin(options.core)
    recognizer = load(options)
    print(f"through {options.through}, model {options.model}, endpointing {options.endpoint}")
    for name in options.rows:
        try:
            pieces = list(_pieces(name, options, recognizer))
            errors = aligner_errors() if name == "real" and options.aligner != "model" else None
        except (ImportError, OSError) as error:
            print(f"\n{name}: left out, {error}; see --help for what it needs")
            continue
        if not pieces:
            print(f"\n{name}: left out, none of the speech could be aligned with its text")
            continue
        if options.aligner == "model" and name == "real":
            name = "real (the model's own alignment)"
        samples, words = joined(pieces, options.seconds, options.rate)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "speech.wav"
            soundfile.write(path, samples, options.rate, "PCM_16")
            played = play(options, recognizer, path, rules)
        report(name, options.model, recognizer, rules, played, words, len(samples) / options.rate)
        if errors is not None:
            print(f"  {'for comparison, ms':32} {'number':>6} {'p50':>6} {'p90':>6} {'p99':>6}")
            line("PocketSphinx late on flite", errors[0])
            line("the same, last words", errors[1])


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    ways = ("session", "stream", "websocket", "microphone", "page")
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [0]
    parser.add_argument("--through", choices=ways, default="session")
    rows = ("synthetic", "real")
    parser.add_argument("--rows", nargs="+", choices=rows, default=rows)
    parser.add_argument("--seconds", type=positive, default=55.0, help="seconds of speech per row")
    parser.add_argument(
        "--manifest", type=Path, default=AUDIO_SAMPLES / "samples.tsv", help="of the real speech"
    )
    parser.add_argument(
        "--every", type=whole_number, default=1, help="take every n-th of the manifest"
    )
    parser.add_argument("--aligner", choices=("pocketsphinx", "model"), default="pocketsphinx")
    parser.add_argument("--rate", type=whole_number, default=48_000, help="of the sound, in Hz")
    parser.add_argument("--endpoint", choices=("short", "normal", "long"), default="normal")
    parser.add_argument(
        "--core", type=int, choices=cores, default=cores[-1], help="where the recogniser runs"
    )
    return parser.parse_args(argv)


def _pieces(name: str, options: argparse.Namespace, recognizer: Recognizer) -> Iterator[Piece]:
    """Yield pieces of speech until ``options.seconds`` are full."""
    if name == "synthetic":
        found = speak()
    else:
        utterances = read_manifest(options.manifest)[:: options.every]
        # a voice of flite is no real speech
        utterances = [u for u in utterances if not u.source.startswith("flite")]
        if options.aligner == "model":
            found = align_by_model(utterances, recognizer)
        else:
            found = align_by_pocketsphinx(utterances)
    wanted_s = options.seconds
    for piece in found:
        yield piece
        wanted_s -= piece.words[-1].end_s - piece.words[0].start_s
        if wanted_s < 0:
            return


def play(
    options: argparse.Namespace, recognizer: Recognizer, path: Path, rules: EndpointRules
) -> Played:
    if options.through == "stream":
        return through_stream(recognizer, path, rules)
    if options.through == "session":
        return through_session(recognizer, path, rules)
    if options.through == "websocket":
        return through_websocket(options.model, options.core, path, options.endpoint)
    from benchmarks.latency.devices import through_microphone, through_page

    if options.through == "microphone":
        return through_microphone(recognizer, options.core, path, rules)
    return through_page(options.model, options.core, path, options.endpoint)


def report(
    name: str,
    model: str,
    recognizer: Recognizer,
    rules: EndpointRules,
    played: Played,
    spoken: Sequence[Spoken],
    seconds: float,
) -> None:
    found = delays(played.seen, spoken, played.offset_s)
    exact = [delay for delay in found if delay.exact]
    print(
        f"\n{name}: {seconds:.0f} s, {len(spoken)} words; {len(found)} matched, {len(exact)} exact"
    )
    if played.note:
        print(f"  {played.note}")
    if not found:
        return
    print(f"  {'ms after the end of a word':32} {'number':>6} {'p50':>6} {'p90':>6} {'p99':>6}")
    for which, chosen in (("exact", exact), ("all", found)):
        for stage in ("shown", "stable", "final"):
            line(f"{stage}, {which}", [getattr(delay, f"{stage}_s") for delay in chosen])
    assert rules.trailing_s is not None
    ends = [d.final_s for d in exact if d.pause_s > rules.trailing_s + 0.3]
    line("final after an utterance", ends)
    line("final after the rule's silence", [end_s - rules.trailing_s for end_s in ends])
    altered, shown = revised(played.seen)
    print(f"  revised: {altered} of {shown} shown words, {100 * altered / max(1, shown):.1f} %")
    parts(exact or found, grid(model, recognizer, played, seconds), played.offset_s)


def line(what: str, times_s: Sequence[float]) -> None:
    if times_s:
        p50, p90, p99 = np.percentile(times_s, [50, 90, 99]) * 1000
        print(f"  {what:32} {len(times_s):6d} {p50:6.0f} {p90:6.0f} {p99:6.0f}")


def grid(model: str, recognizer: Recognizer, played: Played, seconds: float) -> Grid:
    info = recognizer.acoustic.info
    shift_s = min(ModelDirectory.open(model).config.time_shift_s - info.lookahead_s, 0.0)
    step_s = info.step_samples / info.sample_rate
    steps = fed_s(recognizer, played.rate, seconds + played.offset_s + 5)
    return Grid(
        info.frame_s, step_s, info.lookahead_s, shift_s, played.block_s, steps, played.arrivals
    )


def parts(found: Sequence[Delay], steps: Grid, offset_s: float) -> None:
    splits = [steps.split(delay, offset_s) for delay in found]
    print(f"  {'of the delay until shown, ms':32} {'mean':>6} {'p50':>6} {'p90':>6} {'p99':>6}")
    for part in (*PARTS, "sum"):
        times = [sum(split.values()) if part == "sum" else split[part] for split in splits]
        p50, p90, p99 = np.percentile(times, [50, 90, 99]) * 1000
        mean = np.mean(times) * 1000
        print(f"  {part:32} {mean:6.0f} {p50:6.0f} {p90:6.0f} {p99:6.0f}", flush=True)


if __name__ == "__main__":
    run(main)
