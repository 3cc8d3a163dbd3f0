"""Programs that measure speed and memory: what they refuse, in one line."""

import numpy as np
import pytest
import soundfile

from asr_gru import AudioError, Error
from benchmarks.memory import long_recording
from benchmarks.speed import against_commit, cold_start, real_time_factor


def test_a_recording_that_cannot_be_transcribed_is_named():
    with pytest.raises(Error, match=r"^missing\.wav: "):
        cold_start.main(["missing.wav", "--times", "1"])


def test_a_commit_that_does_not_exist_is_named():
    with pytest.raises(Error, match=r"^no-such-commit: "):
        against_commit.main(["no-such-commit"])


def test_the_real_time_factor_needs_a_whole_step(tmp_path):
    soundfile.write(tmp_path / "short.wav", np.zeros(160), 16_000)
    with pytest.raises(AudioError, match=r"short\.wav: shorter than a step of 0\.2 s"):
        real_time_factor.main([str(tmp_path / "short.wav")])


def test_an_empty_recording_is_refused(tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 16_000)
    with pytest.raises(AudioError, match=r"empty\.wav: has no samples"):
        long_recording.main([str(tmp_path / "empty.wav")])


def test_a_recording_longer_than_the_requested_minutes_is_written_once(tmp_path):
    soundfile.write(tmp_path / "long.wav", np.zeros(16_000), 16_000)
    long_recording.write_repeated(tmp_path / "out.wav", tmp_path / "long.wav", 16_000, 0.2)
    assert soundfile.info(tmp_path / "out.wav").frames == 16_000
    long_recording.write_repeated(tmp_path / "out.wav", tmp_path / "long.wav", 16_000, 2.9)
    assert soundfile.info(tmp_path / "out.wav").frames == 48_000


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "x"])
def test_durations_are_above_zero(minutes, capsys):
    with pytest.raises(SystemExit):
        long_recording.main(["--minutes", minutes])
    assert "--minutes" in capsys.readouterr().err
