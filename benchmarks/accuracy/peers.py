"""Word error rate and speed beside other recognisers, utterance by utterance in one process.

    pip install pocketsphinx
    python -m benchmarks.accuracy.peers pocketsphinx MANIFEST... --every 12
    pip install moonshine-voice
    python -m benchmarks.accuracy.peers moonshine MANIFEST... --every 12
    pip install faster-whisper
    python -m benchmarks.accuracy.peers whisper MANIFEST... --every 12 --peer-model FOLDER

PocketSphinx and Moonshine (tiny-en) run with the English model in their wheels, Whisper with the
CTranslate2 model in FOLDER, in int8 and with a beam of 5. Moonshine and Whisper read an utterance
to its end before they write. The real-time factor is in processor seconds for each second of
audio, those of all threads together.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr_gru import EndpointRules, Recognizer
from asr_gru.audio import read_recording
from asr_gru.data.manifest import read_manifest
from asr_gru.scoring import Score, word_errors
from asr_gru.text import normalise

RATE = 16_000

Transcribe = Callable[[npt.NDArray[np.float32]], str]
"""Returns the text of samples at 16 kHz."""


def load_pocketsphinx(_model: str) -> Transcribe:
    from pocketsphinx import Decoder

    decoder = Decoder(samprate=RATE, loglevel="FATAL")

    def transcribe(samples: npt.NDArray[np.float32]) -> str:
        decoder.start_utt()
        decoder.process_raw((samples * 32767).astype(np.int16).tobytes(), full_utt=True)
        decoder.end_utt()
        return decoder.hyp().hypstr if decoder.hyp() else ""

    return transcribe


def load_moonshine(model: str) -> Transcribe:
    import moonshine_voice

    folder = model or Path(moonshine_voice.__file__).parent / "assets" / "tiny-en"
    transcriber = moonshine_voice.Transcriber(str(folder), moonshine_voice.ModelArch.TINY)

    def transcribe(samples: npt.NDArray[np.float32]) -> str:
        transcript = transcriber.transcribe_without_streaming(samples.tolist(), RATE)
        return " ".join(line.text for line in transcript.lines)

    return transcribe


def load_whisper(model: str) -> Transcribe:
    from faster_whisper import WhisperModel

    whisper = WhisperModel(
        model or "base", device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True
    )

    def transcribe(samples: npt.NDArray[np.float32]) -> str:
        segments, _ = whisper.transcribe(
            samples, language="en", beam_size=5, without_timestamps=True
        )
        return " ".join(segment.text for segment in segments)

    return transcribe


PEERS = {
    "pocketsphinx": load_pocketsphinx,
    "moonshine": load_moonshine,
    "whisper": load_whisper,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("peer", choices=sorted(PEERS))
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th utterance")
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--peer-model", default="", help="the peer's model")
    options = parser.parse_args()
    recognizer = Recognizer.load(options.model)

    def transcribe(samples: npt.NDArray[np.float32]) -> str:
        return recognizer.transcribe(samples, RATE, endpoint=EndpointRules.off()).text

    systems = (transcribe, PEERS[options.peer](options.peer_model))
    print(f"{'list':14} {'words':>6}   {'asr_gru':>16}   {options.peer:>16}")
    print(f"{'':14} {'':6}   {'WER %':>8} {'RTF':>7}   {'WER %':>8} {'RTF':>7}")
    for manifest in options.manifests:
        scores, spent, seconds = [Score(), Score()], [0.0, 0.0], 0.0
        for utterance in read_manifest(manifest)[:: options.every]:
            samples = read_recording(utterance.path, RATE)
            seconds += len(samples) / RATE
            reference = normalise(utterance.text, "english")
            for index, system in enumerate(systems):
                began = time.process_time()
                hypothesis = system(samples)
                spent[index] += time.process_time() - began
                scores[index] += word_errors(reference, normalise(hypothesis, "english"))
        row = "   ".join(
            f"{score.rate:8.1f} {used / seconds:7.4f}"
            for score, used in zip(scores, spent, strict=True)
        )
        print(f"{manifest.stem:14} {scores[0].words:6}   {row}", flush=True)


if __name__ == "__main__":
    main()
