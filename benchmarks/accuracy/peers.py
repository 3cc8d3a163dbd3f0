"""Word error rate and speed beside other recognisers, utterance by utterance in one process.

    pip install pocketsphinx
    python -m benchmarks.accuracy.peers pocketsphinx MANIFEST... --every 12
    pip install moonshine-voice
    python -m benchmarks.accuracy.peers moonshine MANIFEST... --every 12
    pip install faster-whisper
    python -m benchmarks.accuracy.peers whisper MANIFEST... --every 12 --peer-model FOLDER

PocketSphinx and Moonshine (tiny-en) run with the English model in their wheels, Whisper with the
CTranslate2 model in FOLDER, in int8 and with a beam of 5. Moonshine and Whisper read an utterance
to its end before they write. The real-time factor is in processor seconds per second of audio,
those of all threads together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr_gru import EndpointRules
from asr_gru.audio.samples import to_int16
from asr_gru.data.audio import load_audio
from asr_gru.errors import ConfigError
from asr_gru.scoring import Score, word_errors
from asr_gru.text import normalise
from benchmarks._common import (
    Table,
    add_manifests,
    load,
    make_parser,
    read_lists,
    reference,
    run,
)
from recipes.command_line import needed

RATE = 16_000

Transcribe = Callable[[npt.NDArray[np.float32]], str]
"""Returns the text of samples at 16 kHz."""


def load_pocketsphinx(_model: str) -> Transcribe:
    with needed(__name__):
        from pocketsphinx import Decoder
    decoder = Decoder(samprate=RATE, loglevel="FATAL")

    def transcribe(samples: npt.NDArray[np.float32]) -> str:
        decoder.start_utt()
        decoder.process_raw(to_int16(samples).tobytes(), full_utt=True)
        decoder.end_utt()
        return decoder.hyp().hypstr if decoder.hyp() else ""

    return transcribe


def load_moonshine(model: str) -> Transcribe:
    with needed(__name__):
        import moonshine_voice
    folder = model or Path(moonshine_voice.__file__).parent / "assets" / "tiny-en"
    transcriber = moonshine_voice.Transcriber(str(folder), moonshine_voice.ModelArch.TINY)

    def transcribe(samples: npt.NDArray[np.float32]) -> str:
        transcript = transcriber.transcribe_without_streaming(samples.tolist(), RATE)
        return " ".join(line.text for line in transcript.lines)

    return transcribe


def load_whisper(model: str) -> Transcribe:
    with needed(__name__):
        from faster_whisper import WhisperModel
    whisper = WhisperModel(
        model, device="cpu", compute_type="int8", cpu_threads=1, local_files_only=True
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


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("peer", choices=sorted(PEERS))
    add_manifests(parser)
    parser.add_argument(
        "--peer-model", default="", metavar="FOLDER", help="model of Moonshine or Whisper"
    )
    options = parser.parse_args(argv)
    if options.peer == "whisper" and not options.peer_model:
        raise ConfigError("whisper has no model of its own; give the folder of one: --peer-model")
    recognizer = load(options)

    def transcribe(samples: npt.NDArray[np.float32]) -> str:
        return recognizer.transcribe(samples, RATE, endpoint=EndpointRules.off()).text

    systems = (transcribe, PEERS[options.peer](options.peer_model))
    print(f"{'':21}   {'asr_gru':>16}   {options.peer:>16}")
    columns = (("WER %", "10.1f"), ("RTF", "7.4f"))
    table = Table(("list", "<14"), ("words", "6"), *columns, *columns)
    for name, utterances in read_lists(options).items():
        scores, spent, seconds = [Score(), Score()], [0.0, 0.0], 0.0
        for utterance in utterances:
            samples = load_audio(utterance, RATE)
            seconds += len(samples) / RATE
            expected = reference(utterance)
            for index, system in enumerate(systems):
                began = time.process_time()
                hypothesis = system(samples)
                spent[index] += time.process_time() - began
                scores[index] += word_errors(expected, normalise(hypothesis, "english"))
        figures = zip((score.rate for score in scores), spent, strict=True)
        cells = [cell for rate, used in figures for cell in (rate, used / seconds)]
        table.row(name, scores[0].words, *cells)


if __name__ == "__main__":
    run(main)
