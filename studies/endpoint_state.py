"""What the encoder's state is worth across an endpoint: go on with it, or begin afresh?

python -m studies.endpoint_state MANIFEST... --every 10

Utterances of a manifest are joined in groups with a second of low noise between them. "goes on"
recognises a group as one stream: at an endpoint the decoder starts afresh and the encoder goes on.
"starts afresh" cuts the same sound in the middle of the gaps and gives each piece, with half a
second of lead-in, to a stream of its own. Word errors over all groups.
"""

import argparse
from pathlib import Path

import numpy as np

from asr_gru import Recognizer
from asr_gru.audio import read_recording
from asr_gru.data.manifest import read_manifest
from asr_gru.scoring import Score, word_errors
from asr_gru.text import normalise

GAP_S = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--model", default="en-small")
    parser.add_argument("--every", type=int, default=1, help="take every nth utterance")
    parser.add_argument("--group", type=int, default=4, help="utterances a group")
    options = parser.parse_args()
    recognizer = Recognizer.load(options.model)
    rate = recognizer.acoustic.info.sample_rate
    random = np.random.default_rng(0)
    half = round(GAP_S / 2 * rate)
    on, afresh = Score(), Score()
    for manifest in options.manifests:
        chosen = read_manifest(manifest)[:: options.every]
        for first in range(0, len(chosen), options.group):
            group = chosen[first : first + options.group]
            text = " ".join(normalise(utterance.text, "english") for utterance in group)
            pieces = []
            for utterance in group:
                sides = 1e-4 * random.standard_normal((2, half)).astype(np.float32)
                pieces.append(
                    np.concatenate([sides[0], read_recording(utterance.path, rate), sides[1]])
                )
            whole = recognizer.transcribe(np.concatenate(pieces), rate).text
            parts = " ".join(recognizer.transcribe(piece, rate).text for piece in pieces)
            on += word_errors(text, whole)
            afresh += word_errors(text, parts)
    print(f"the state goes on      {on.rate:6.2f} % WER over {on.words} words")
    print(f"the state starts afresh{afresh.rate:6.2f} % WER")


if __name__ == "__main__":
    main()
