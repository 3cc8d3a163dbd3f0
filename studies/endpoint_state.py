"""Word errors with the encoder's state kept over an endpoint, and reset at it.

python -m studies.endpoint_state MANIFEST... --every 10

Utterances of a manifest are joined in groups, with one second of low noise between them. "kept"
recognises each group as one stream: at an endpoint the decoder is reset and the encoder's state is
kept. "reset" cuts the same audio in the middle of the gaps and feeds each piece, which has half a
second of lead-in, to a stream of its own. "alone" are the utterances without the noise. Word error
rates are over all groups.
"""

from collections.abc import Sequence

import numpy as np

from asr_gru.data.audio import load_audio
from asr_gru.scoring import Score, word_errors
from benchmarks._common import load, make_parser, read_lists, reference, run

GAP_S = 1.0


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, manifests=True)
    parser.add_argument("--group", type=int, default=4, help="utterances per group")
    options = parser.parse_args(argv)
    recognizer = load(options)
    rate = recognizer.info.sample_rate
    random = np.random.default_rng(0)
    half = round(GAP_S / 2 * rate)
    kept, reset, alone = Score(), Score(), Score()
    for chosen in read_lists(options).values():
        for first in range(0, len(chosen), options.group):
            group = chosen[first : first + options.group]
            text = " ".join(reference(utterance) for utterance in group)
            recordings = [load_audio(utterance, rate) for utterance in group]
            pieces = []
            for recording in recordings:
                sides = 1e-4 * random.standard_normal((2, half)).astype(np.float32)
                pieces.append(np.concatenate([sides[0], recording, sides[1]]))
            whole = recognizer.transcribe(np.concatenate(pieces), rate).text
            parts, bare = (
                " ".join(recognizer.transcribe(samples, rate).text for samples in each)
                for each in (pieces, recordings)
            )
            kept += word_errors(text, whole)
            reset += word_errors(text, parts)
            alone += word_errors(text, bare)
    print(f"state kept  {kept.rate:6.2f} % WER over {kept.words} words")
    print(f"state reset {reset.rate:6.2f} % WER")
    print(f"alone       {alone.rate:6.2f} % WER")


if __name__ == "__main__":
    run(main)
