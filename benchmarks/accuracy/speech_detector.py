"""What the speech detector saves in noise and costs in speech, for each threshold.

    python -m benchmarks.accuracy.speech_detector --noise FOLDER MANIFEST… --kept 0 0.5 1

For no detector and then each value of ``speech.kept``: words per hour of noise, and for each list
its word error rate, the recordings that become empty, and those without an error. ``--one-word``
adds recordings of a single word:

    … --one-word DATA/speech/train.tsv --source robotutor-words
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from asr_gru import EndpointRules, Recognizer, Segment
from asr_gru.audio import find_recordings, read_recording
from asr_gru.data.audio import load_audio
from asr_gru.data.manifest import Utterance, read_manifest
from asr_gru.errors import DataError
from asr_gru.model.acoustic import AcousticModel
from asr_gru.model.directory import ModelDirectory
from asr_gru.scoring import Score, word_errors
from asr_gru.streaming.engine import FINAL_SILENCE_S
from asr_gru.streaming.segmenter import Segmenter, advance_segmenters
from asr_gru.streaming.speech import SpeechThresholds, speech_thresholds
from benchmarks._common import Table, load, make_parser, read_lists, reference, run, whole_number

BATCH = 32
PIECE_S = 30


def log_probs(acoustic: AcousticModel, samples: np.ndarray) -> np.ndarray:
    """Return the rows of a recording, as a stream has them.

    They are computed in pieces, so that an hour needs little memory.
    """
    samples = np.pad(samples, (0, round(FINAL_SILENCE_S * acoustic.info.sample_rate)))
    piece = round(PIECE_S * acoustic.info.sample_rate / acoustic.info.step_samples)
    length = piece * acoustic.info.step_samples
    state, rows = acoustic.start(1), []
    while len(samples) > length:
        found, state = acoustic.step(samples[None, :length], state)
        rows.append(found[0])
        samples = samples[length:]
    return np.concatenate([*rows, acoustic.finish(samples[None], state)[0]])


def segments(
    recognizer: Recognizer, rows: Sequence[np.ndarray], speech: SpeechThresholds | None
) -> list[list[Segment]]:
    """Return the segments of each recording."""
    pipeline = recognizer.stream(recognizer.info.sample_rate).engine.pipeline
    parts = (pipeline.decoder, pipeline.tokenizer, pipeline.times, EndpointRules.normal(), speech)
    found = []
    for first in range(0, len(rows), BATCH):
        batch = rows[first : first + BATCH]
        segmenters = [Segmenter(*parts) for _ in batch]
        for closed, one, own in zip(
            advance_segmenters(segmenters, batch), segmenters, batch, strict=True
        ):
            found.append(closed + one.finish(len(own) * pipeline.times.frame_s))
    return found


def single_words(path: Path, source: str, count: int) -> list[Utterance]:
    """Return a random choice of the recordings of a single word.

    Raises:
        DataError: there are none.
    """
    single = [
        utterance
        for utterance in read_manifest(path)
        if source in str(utterance.path) and len(utterance.text.split()) == 1
    ]
    if not single:
        raise DataError(f"{path}: no recording of one word; see --one-word and --source")
    return [single[i] for i in np.random.default_rng(0).permutation(len(single))[:count]]


def score(texts: Iterable[str], found: Iterable[list[Segment]]) -> tuple[float, int, int]:
    """Return the word error rate, and how many recordings are empty and without an error."""
    errors, empty, right = Score(), 0, 0
    for text, closed in zip(texts, found, strict=True):
        own = word_errors(text, " ".join(segment.text for segment in closed))
        errors += own
        empty += not closed
        right += own.rate == 0
    return errors.rate, empty, right


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, manifests=True)
    parser.add_argument("--noise", type=Path, required=True, help="recordings without speech")
    parser.add_argument("--one-word", type=Path, help="a manifest with recordings of one word")
    parser.add_argument("--source", default="", help="of them, those with this in their path")
    parser.add_argument("--words", type=whole_number, default=300, help="of them, this many")
    parser.add_argument("--shown", type=float, help="by default the model's")
    parser.add_argument("--kept", type=float, nargs="+", help="by default the model's")
    options = parser.parse_args(argv)
    recognizer = load(options)
    acoustic, rate = recognizer.acoustic, recognizer.info.sample_rate
    own = speech_thresholds(ModelDirectory.open(options.model)) or SpeechThresholds()
    shown = own.shown if options.shown is None else options.shown
    thresholds = [SpeechThresholds(shown, kept) for kept in options.kept or [own.kept]]
    chosen = read_lists(options)
    if options.one_word:
        chosen["one word"] = single_words(options.one_word, options.source, options.words)
    lists = {
        name: (
            [reference(utterance) for utterance in utterances],
            [log_probs(acoustic, load_audio(u, rate)) for u in utterances],
        )
        for name, utterances in chosen.items()
    }
    clips = [read_recording(path, rate) for path in find_recordings([options.noise])]
    noise = log_probs(acoustic, np.concatenate(clips))
    hours = sum(map(len, clips)) / rate / 3600
    print(f"{60 * hours:.1f} minutes of noise")
    columns = [
        column
        for name, (texts, _) in lists.items()
        for column in (
            (f"{name} ({len(texts)}) WER %", "24.2f"),
            ("empty", "6"),
            ("right", "6"),
        )
    ]
    table = Table(("shown", "6.1f"), ("kept", "6.1f"), ("words/h", "8.1f"), *columns)
    for speech in [None, *thresholds]:
        (found,) = segments(recognizer, [noise], speech)
        table.row(
            *((speech.shown, speech.kept) if speech else ("-", "-")),
            sum(len(segment.words) for segment in found) / hours,
            *(
                value
                for texts, rows in lists.values()
                for value in score(texts, segments(recognizer, rows, speech))
            ),
        )


if __name__ == "__main__":
    run(main)
