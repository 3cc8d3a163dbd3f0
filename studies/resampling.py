"""Word errors and lag of each resampler quality, on copies of recordings at other rates.

python -m studies.resampling MANIFEST... --every 1

Each recording is brought to the other rate once, at soxr's best quality, and back to the model's
rate at each quality. "other text" counts the recordings whose text is not that of HQ; the lag is
the most audio that the resampler holds back while it is fed blocks of 10 ms.
"""

import argparse
from pathlib import Path

import numpy as np
import soxr

from asr_gru import EndpointRules, Recognizer
from asr_gru.audio import read_recording
from asr_gru.data.manifest import read_manifest
from asr_gru.scoring import Score, word_errors
from asr_gru.text import normalise

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th utterance")
    parser.add_argument("--model", default="en-small")
    options = parser.parse_args()
    recognizer = Recognizer.load(options.model)
    to_rate = recognizer.acoustic.info.sample_rate
    off = EndpointRules.off()
    utterances = [u for path in options.manifests for u in read_manifest(path)[:: options.every]]
    said = [normalise(utterance.text, "english") for utterance in utterances]

    def transcribed(change):
        sources = (change(read_recording(u.path, to_rate)) for u in utterances)
        results = recognizer.transcribe_batch(sources, to_rate, endpoint=off)
        texts = []
        for _, result in results:
            assert not isinstance(result, Exception)
            texts.append(normalise(result.text, "english"))
        return texts, sum(map(word_errors, said, texts), Score())

    _, score = transcribed(lambda samples: samples)
    print(f"{len(utterances)} recordings, {score.words} words; as they are: WER {score.rate:.2f} %")
    print(f"{'rate':>6} {'quality':>7} {'WER %':>7} {'other text':>10} {'lag ms':>7}")
    for rate in RATES:
        reference = None
        for quality in QUALITIES:

            def there_and_back(samples, rate=rate, quality=quality):
                there = soxr.resample(samples, to_rate, rate, "VHQ")
                return soxr.resample(there, rate, to_rate, quality).astype(np.float32)

            texts, score = transcribed(there_and_back)
            reference = reference or texts
            other = sum(a != b for a, b in zip(texts, reference, strict=True))
            lag_ms = 1000 * lag_s(rate, to_rate, quality)
            print(f"{rate:6} {quality:>7} {score.rate:7.2f} {other:10} {lag_ms:7.1f}", flush=True)


if __name__ == "__main__":
    main()
