r"""Cut single words out of longer recordings, so that training hears words without neighbours.

    python -m recipes.en_small.single_words DATA/speech/train.tsv DATA/speech/words.jsonl \
        --sources commonvoice-13 librispeech-clean-5 --utterances 3000

With ``--words``, only these are cut out, of utterances that have one of them: digits, say, of which
there are few on their own.

Utterances are drawn at random and aligned with their texts by a model. A word is kept if a pause
precedes or follows it, since words in the middle of a phrase are run into each other, and if the
model is sure of it. The manifest that is written names segments of the recordings, which stay as
they are. The same seed draws the same utterances and edges.
"""

import argparse
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from asr_gru import Recognizer
from asr_gru.data.audio import load_audio
from asr_gru.data.json_lines import json_lines
from asr_gru.data.manifest import read_manifest
from asr_gru.data.utterance import Utterance
from asr_gru.errors import ConfigError, DataError, Error
from asr_gru.files import write_bytes
from asr_gru.model.info import DEFAULT_MODEL
from asr_gru.results import Word
from recipes.command_line import log, one_line_errors, whole_number

SOURCE = "single-words"
PAUSE_S = 0.08
"""Least pause on one side of a word that is cut out."""
INTO_PAUSE_S = (0.02, 0.15)
"""How much of a pause stays: from tightly cut to comfortable."""
INTO_SPEECH_S = (0.0, 0.03)
"""The same on a side without a pause, where more would be the neighbour."""
SHORTEST_S, LONGEST_S = 0.15, 1.5
LEAST_CONFIDENCE = 0.5


def cut_words(utterance: Utterance, words: Sequence[Word], draw: random.Random) -> list[Utterance]:
    """Return the words of an utterance that can be cut out, as segments of its recording.

    Args:
        utterance: the whole utterance, with its duration.
        words: its words with their times, in seconds from its start.
        draw: where the edges fall.
    """
    cuts = []
    for index, word in enumerate(words):
        earlier = words[index - 1].end_s if index else 0.0
        later = words[index + 1].start_s if index + 1 < len(words) else utterance.duration_s
        before, after = word.start_s - earlier, later - word.end_s
        length = word.end_s - word.start_s
        if (
            max(before, after) < PAUSE_S
            or word.confidence < LEAST_CONFIDENCE
            or not SHORTEST_S <= length <= LONGEST_S
        ):
            continue
        start_s = max(0.0, word.start_s - _margin(before, draw))
        end_s = min(utterance.duration_s, word.end_s + _margin(after, draw))
        cuts.append(
            replace(
                utterance,
                text=word.text,
                written="",
                source=SOURCE,
                start_s=round((utterance.start_s or 0.0) + start_s, 3),
                duration_s=round(end_s - start_s, 3),
            )
        )
    return cuts


def _margin(pause_s: float, draw: random.Random) -> float:
    low, high = INTO_PAUSE_S if pause_s >= PAUSE_S else INTO_SPEECH_S
    return min(max(pause_s, low), draw.uniform(low, high))


def cut_all(
    recognizer: Recognizer, utterances: Sequence[Utterance], draw: random.Random
) -> Iterator[list[Utterance]]:
    """Yield the single words of each utterance; none of one that cannot be read or aligned."""
    rate = recognizer.acoustic.info.sample_rate
    for utterance in utterances:
        try:
            samples = load_audio(utterance, rate)
            found = recognizer.align(utterance.text, samples, rate)
        except Error as error:
            log(f"left out: {error}")
            yield []
            continue
        whole = replace(utterance, duration_s=len(samples) / rate)
        yield [] if found.mismatches else cut_words(whole, found.words, draw)


@one_line_errors("stopped; nothing was written")
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the manifest of single words; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path, nargs="+")
    parser.add_argument("output", type=Path, help="manifest to write (.jsonl)")
    parser.add_argument("--model", default=DEFAULT_MODEL, help="aligns the texts")
    parser.add_argument("--sources", nargs="+", help="take utterances of these sources [all]")
    parser.add_argument("--words", nargs="+", default=[], help="cut out only these words [all]")
    parser.add_argument("--name", default=SOURCE, help=f"source of what is cut out [{SOURCE}]")
    parser.add_argument(
        "--utterances", type=whole_number, default=3000, help="how many are aligned"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.output.suffix != ".jsonl":
        raise ConfigError(f"{options.output}: segments need a manifest that ends in .jsonl")
    if not options.output.absolute().parent.is_dir():
        raise ConfigError(f"{options.output.parent}: no such folder; create it")
    wanted = {word.lower() for word in options.words}
    utterances = [
        utterance
        for manifest in options.manifest
        for utterance in read_manifest(manifest)
        if " " in utterance.text
        and (not options.sources or utterance.source in options.sources)
        and (not wanted or not wanted.isdisjoint(utterance.text.lower().split()))
    ]
    if not utterances:
        raise ConfigError(
            "no utterance of several words is of these sources and has these words; "
            "see --sources and --words"
        )
    draw = random.Random(options.seed)
    chosen = draw.sample(utterances, min(options.utterances, len(utterances)))
    cuts: list[Utterance] = []
    for done, found in enumerate(cut_all(Recognizer.load(options.model), chosen, draw), start=1):
        kept = [one for one in found if not wanted or one.text in wanted]
        cuts += [replace(one, source=options.name) for one in kept]
        if done % 500 == 0 or done == len(chosen):
            log(f"{done} of {len(chosen)} utterances, {len(cuts)} words")
    if not cuts:
        raise DataError("no word could be cut out; raise --utterances, or give other --sources")
    folder = options.output.parent.absolute()
    write_bytes(options.output, ("\n".join(json_lines(cuts, folder)) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
