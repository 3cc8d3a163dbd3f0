"""Word error rates at several levels, and with a step of the level inside each utterance.

python -m benchmarks.accuracy.level MANIFEST... --every 3
"""

from collections.abc import Sequence

import numpy as np

from asr_gru import EndpointRules, Recognizer
from asr_gru.data.audio import load_audio
from asr_gru.model.info import DEFAULT_MODEL
from asr_gru.scoring import Score, word_errors
from asr_gru.text import normalise
from benchmarks._common import Table, make_parser, print_environment, read_all, reference, run

RATE = 16_000


def levels(samples):
    for gain_db in (0, -15, -30, 10):
        yield f"{gain_db:+} dB", samples * 10 ** (gain_db / 20)
    for step_db in (-20, 20):
        gains = np.full(len(samples), 10 ** (-10 / 20))
        gains[len(samples) // 2 :] *= 10 ** (step_db / 20)
        yield f"step of {step_db:+} dB", samples * gains


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, manifests=True, model=False)
    parser.add_argument("--model", action="append", help="repeat to compare models")
    options = parser.parse_args(argv)
    names = options.model or [DEFAULT_MODEL]
    print_environment(*names)
    recognizers = {name: Recognizer.load(name) for name in names}
    scores: dict[tuple[str, str], Score] = {}
    for utterance in read_all(options):
        expected = reference(utterance)
        for level, samples in levels(load_audio(utterance, RATE)):
            for name, recognizer in recognizers.items():
                text = recognizer.transcribe(
                    samples.astype(np.float32), RATE, endpoint=EndpointRules.off()
                ).text
                score = word_errors(expected, normalise(text, "english"))
                scores[level, name] = scores.get((level, name), Score()) + score
    table = Table(("WER %", "<15"), *((name, "12.2f") for name in names))
    for level in dict.fromkeys(level for level, _ in scores):
        table.row(level, *(scores[level, name].rate for name in names))


if __name__ == "__main__":
    run(main)
