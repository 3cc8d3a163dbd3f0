"""The text of a stream, in blocks of 37 ms, against the transcript of the same recording.

python -m benchmarks.stream_equals_file MANIFEST...
"""

import argparse
from pathlib import Path

from asr_gru import EndpointRules, Recognizer
from asr_gru.audio import read_recording
from asr_gru.data.manifest import read_manifest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifests", nargs="+", type=Path)
    parser.add_argument("--model", default="en-small")
    options = parser.parse_args()
    recognizer = Recognizer.load(options.model)
    rate = recognizer.acoustic.info.sample_rate
    for mode in ("normal", "off"):
        count = differing = 0
        for manifest in options.manifests:
            for utterance in read_manifest(manifest):
                samples = read_recording(utterance.path, rate)
                rules = EndpointRules.named(mode)
                stream = recognizer.stream(rate, rules)
                events = []
                for first in range(0, len(samples), 592):
                    events += stream.feed(samples[first : first + 592])
                events += stream.finish()
                streamed = [event.words for event in events if event.kind == "final"]
                whole = recognizer.transcribe(samples, rate, endpoint=rules)
                count += 1
                if streamed != [segment.words for segment in whole.segments]:
                    differing += 1
                    print(f"  differs: {utterance.path}")
        print(f"endpointing {mode:7} {count} recordings, {differing} differ")


if __name__ == "__main__":
    main()
