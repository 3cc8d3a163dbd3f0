"""Utterances that are a part of their recording."""

import numpy as np
import pytest
import soundfile

from asr_gru.data.audio import duration_of, load_audio
from asr_gru.data.manifest import Utterance, read_manifest, write_manifest
from asr_gru.errors import AudioError, DataError
from tests.data.manifests import write_lines

RATE = 16_000


def test_tables_can_have_segments(tmp_path):
    said = [
        Utterance(tmp_path / "a.wav", "x", 1.25, start_s=0.0),
        Utterance(tmp_path / "a.wav", "y", 2.125, "s", start_s=3_600.125),
        Utterance(tmp_path / "b.wav", "z", 1.5),
    ]
    for name in ("list.tsv", "list.jsonl"):
        write_manifest(tmp_path / name, said)
        assert read_manifest(tmp_path / name) == said
    assert said[1].key == tmp_path / "a.wav#t=3600.125,3602.250"
    write_lines(tmp_path / "no.tsv", "path\ttext\tstart_s", "a.wav\thi\t3")
    with pytest.raises(DataError, match="segment without duration_s"):
        read_manifest(tmp_path / "no.tsv")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("rate", [RATE, 22_050])
def test_segments_are_read_from_their_part_of_the_recording(tmp_path, name, rate):
    chirp = np.sin(np.cumsum(np.linspace(0.02, 0.6, 4 * rate))) * 0.5
    soundfile.write(tmp_path / name, chirp, rate)
    whole = load_audio(Utterance(tmp_path / name, ""), RATE)
    part = load_audio(Utterance(tmp_path / name, "", 1.5, start_s=1.2), RATE)
    assert len(part) == pytest.approx(1.5 * RATE, abs=1)
    expected = whole[round(1.2 * RATE) :][: len(part)]
    middle = slice(RATE // 10, -RATE // 10)  # the resampler's filter sees other samples
    assert np.abs(part - expected)[middle].max() < 0.02


def test_a_segment_past_the_end_is_shortened_or_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(2 * RATE), RATE)
    assert len(load_audio(Utterance(tmp_path / "a.wav", "", 3.0, start_s=1.5), RATE)) == RATE // 2
    for start_s in (2.0, 5.0):
        with pytest.raises(AudioError, match="ends before the segment"):
            load_audio(Utterance(tmp_path / "a.wav", "", 1.0, start_s=start_s), RATE)


def test_durations_come_from_the_manifest_or_the_recording(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(RATE), RATE)
    assert duration_of(Utterance(tmp_path / "a.wav", "")) == 1.0
    assert duration_of(Utterance(tmp_path / "a.wav", "", 0.5, start_s=0.1)) == 0.5
