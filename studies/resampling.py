"""Word errors and lag of each resampler quality, on copies of recordings at other rates.

python -m studies.resampling MANIFEST... --every 1

Each recording is resampled to the other rate once, at soxr's best quality, and back to the model's
rate at each quality. "other text" counts the recordings whose text is not that of HQ; the lag is
the most audio that the resampler holds back while it is fed blocks of 10 ms.
"""

from collections.abc import Sequence

import numpy as np
import soxr

from asr_gru import EndpointRules
from asr_gru.data.audio import load_audio
from asr_gru.scoring import Score, word_errors
from asr_gru.text import normalise
from benchmarks._common import Table, load, make_parser, read_all, reference, run

RATES = (44_100, 48_000, 8_000)
QUALITIES = ("HQ", "MQ", "LQ", "QQ")


def lag_s(rate: int, to_rate: int, quality: str) -> float:
    """Return the largest lag while ten seconds come in blocks of 10 ms."""
    stream = soxr.ResampleStream(rate, to_rate, 1, "float32", quality)
    block = np.zeros(rate // 100, np.float32)
    given, lags = 0, []
    for number in range(1, 1001):
        given += len(stream.resample_chunk(block))
        lags.append(number * len(block) / rate - given / to_rate)
    return max(lags)


def main(argv: Sequence[str] | None = None) -> None:
    options = make_parser(__doc__, manifests=True).parse_args(argv)
    recognizer = load(options)
    to_rate = recognizer.info.sample_rate
    off = EndpointRules.off()
    utterances = read_all(options)
    references = [reference(utterance) for utterance in utterances]

    def transcribed(change):
        sources = (change(load_audio(u, to_rate)) for u in utterances)
        results = recognizer.transcribe_batch(sources, to_rate, endpoint=off)
        texts = []
        for _, result in results:
            assert not isinstance(result, Exception)
            texts.append(normalise(result.text, "english"))
        return texts, sum(map(word_errors, references, texts), Score())

    _, score = transcribed(lambda samples: samples)
    print(f"{len(utterances)} recordings, {score.words} words; as they are: WER {score.rate:.2f} %")
    table = Table(
        *(("rate", "6"), ("quality", ">7"), ("WER %", "7.2f")),
        *(("other text", "10"), ("lag ms", "7.1f")),
    )
    for rate in RATES:
        best = None
        for quality in QUALITIES:

            def there_and_back(samples, rate=rate, quality=quality):
                there = soxr.resample(samples, to_rate, rate, "VHQ")
                return soxr.resample(there, rate, to_rate, quality).astype(np.float32)

            texts, score = transcribed(there_and_back)
            best = best or texts
            other = sum(a != b for a, b in zip(texts, best, strict=True))
            table.row(rate, quality, score.rate, other, 1000 * lag_s(rate, to_rate, quality))


if __name__ == "__main__":
    run(main)
