"""Benchmarks of accuracy on odd input, and what they compute."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_gru.data.manifest import Utterance, evenly_spread
from asr_gru.errors import AudioError, ConfigError, DataError
from benchmarks._common import AUDIO_SAMPLES, make_parser, read_lists, run
from benchmarks.accuracy import (
    confidence,
    hot_words,
    int8,
    orders,
    peers,
    silence_and_noise,
    speech_detector,
    word_times,
)
from benchmarks.accuracy.text_doubt import versions
from benchmarks.latency import speech


@pytest.fixture
def manifest(tmp_path):
    def write(text, name="list.tsv", recording=AUDIO_SAMPLES / "read.flac"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"path\ttext\n{recording}\t{text}\n", encoding="utf-8")
        return str(path)

    return write


def test_lists_of_the_same_file_name_are_kept_apart(manifest):
    paths = [manifest("one", "a/dev.tsv"), manifest("two", "b/dev.tsv")]
    lists = read_lists(make_parser("", manifests=True).parse_args(paths))
    assert {name: one[0].text for name, one in lists.items()} == {"a/dev": "one", "b/dev": "two"}


@pytest.mark.parametrize(("have", "want", "kept"), [(399, 200, 200), (5, 200, 5), (5, 2, 2)])
def test_at_most_so_many_utterances_are_taken(have, want, kept):
    utterances = [Utterance(Path(str(number)), "") for number in range(have)]
    assert len(evenly_spread(utterances, want)) == kept


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (DataError("list.tsv: is empty; give another"), 1, "list.tsv: is empty; give another"),
        (FileNotFoundError(2, "No such file", "plot.png"), 1, "plot.png: No such file"),
        (ConfigError("no flite; install it"), 2, "no flite; install it"),
    ],
)
def test_errors_are_one_line(error, status, line, capsys):
    def main():
        raise error

    with pytest.raises(SystemExit) as stopped:
        run(main)
    assert stopped.value.code == status
    assert capsys.readouterr().err == f"error: {line}\n"


def test_area_under_the_curve():
    right = np.array([True, True, False, False])
    assert confidence.area(np.array([0.9, 0.8, 0.2, 0.1]), right) == 1.0
    assert confidence.area(np.array([0.9, 0.1, 0.5, 0.5]), right) == 0.5
    assert confidence.area(np.array([0.5, 0.5, 0.5, 0.5]), right) == 0.5


def test_calibration_error_and_temperature():
    sure = np.array([0.95, 0.95, 0.95, 0.95, 0.55, 0.55])
    right = np.array([True, True, True, False, True, False])
    expected = (4 * 0.2 + 2 * 0.05) / 6  # means of the two bins that are not empty
    assert confidence.calibration_error(sure, right) == pytest.approx(expected)
    assert confidence.rescale(np.array([0.8]), 2.0) == pytest.approx(2 / 3)  # odds of 4, then 2
    assert confidence.rescale(sure, 1.0) == pytest.approx(sure)


def test_confidence_without_a_recognised_word_is_refused(manifest, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(16_000), 16_000)
    with pytest.raises(DataError, match="no word was recognised"):
        confidence.main([manifest("nothing", recording=tmp_path / "silence.wav")])


def test_rare_words_and_distractors():
    unigrams = {"the": -2.0, "owl": -9.0, "elk": -9.5, "yak": -9.2, "ibis": -12.0, "cat": -5.0}
    rare = hot_words.rarest(unigrams, {"the", "owl", "elk", "zyx"}, 3)
    assert rare == ["zyx", "elk", "owl"]
    assert hot_words.distractors(unigrams, rare, set(rare), 5) == ["yak"]
    assert hot_words.distractors(unigrams, ["zyx"], {"zyx"}, 5) == ["ibis"]


def test_hot_words_are_measured_if_all_words_are_rare(manifest, capsys):
    hot_words.main([manifest("why do i know you"), "--weights"])
    assert "nan" in capsys.readouterr().out


def test_hot_words_are_measured_without_any_word(manifest, capsys):
    hot_words.main([manifest("..."), "--weights"])
    assert "nan" in capsys.readouterr().out


def test_a_manifest_without_recordings_is_refused(tmp_path):
    path = tmp_path / "list.tsv"
    path.write_text("path\ttext\n", encoding="utf-8")
    options = make_parser("", manifests=True).parse_args([str(path)])
    with pytest.raises(DataError, match=r"list\.tsv: lists no recordings"):
        read_lists(options)


def test_a_folder_of_noise_is_looked_for_before_the_silence(tmp_path, capsys):
    with pytest.raises(AudioError, match="No such file"):
        silence_and_noise.main(["--noise", str(tmp_path / "none"), "--minutes", "0.001"])
    assert not capsys.readouterr().out
    with pytest.raises(SystemExit):
        silence_and_noise.main(["--minutes", "nan"])


def test_each_product_is_of_one_kind():
    modules = ["encoder.conv", "encoder.conv.second", "encoder.subsample", "encoder.norms.10"]
    modules += ["encoder.forwards.0", "encoder.backwards.0", "encoder.head"]
    kinds = [[kind for kind, name in int8.KINDS.items() if name.fullmatch(m)] for m in modules]
    assert [len(kind) for kind in kinds] == [1] * len(modules)
    assert kinds[:2] == [["first convolution"], ["second convolution"]]


def test_the_distance_of_log_probabilities():
    wanted = np.log(np.array([[0.5, 0.5], [0.9, 0.1]]))
    found = np.log(np.array([[0.5, 0.5], [0.1, 0.9]]))
    divergence = 0.8 * math.log(9)
    assert int8.distance(wanted, wanted) == (0.0, 0.0, 100.0)
    assert int8.distance(wanted, found) == pytest.approx((500 * divergence, 0.0, 50.0))


@pytest.mark.skipif(not orders.shutil.which("flite"), reason="flite is not installed")
def test_noise_may_be_in_any_format(manifest, tmp_path, capsys):
    (tmp_path / "noise").mkdir()
    arguments = ["--noise", str(tmp_path / "noise"), "--sentences", "1", "--snr", "24"]
    arguments += ["--open", manifest("why do i know you")]
    with pytest.raises(AudioError, match="no recordings in this folder"):
        orders.main(arguments)
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000)
    soundfile.write(tmp_path / "noise" / "noise.wav", noise, 16_000)
    orders.main(arguments)
    assert "open speech" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("peer", "library"), [("pocketsphinx", "pocketsphinx"), ("moonshine", "moonshine_voice")]
)
def test_a_missing_peer_is_named(peer, library, manifest, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ConfigError, match=f"pip install {library}"):
        peers.main([peer, manifest("why do i know you")])


def test_whisper_needs_a_model(manifest):
    with pytest.raises(ConfigError, match="--peer-model"):
        peers.main(["whisper", manifest("why do i know you")])


def test_single_words_are_required_if_they_are_asked_for(manifest):
    with pytest.raises(DataError, match="no recording of one word"):
        speech_detector.single_words(Path(manifest("two words")), "", 10)
    assert len(speech_detector.single_words(Path(manifest("word")), "", 10)) == 1


def test_word_times_do_without_pocketsphinx(monkeypatch):
    speech._decoder.cache_clear()
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    utterance = Utterance(AUDIO_SAMPLES / "read.flac", "why do i know you")
    assert not list(word_times._aligned([utterance]))


def test_texts_made_wrong_differ_from_the_right_one():
    assert versions("a b c", "d e") == {
        "right": "a b c",
        "next one's": "d e",
        "first half": "a",
        "middle third missing": "a c",
        "five words more": "a b c d e",
    }
    assert versions("a", "b") == {"right": "a", "next one's": "b", "five words more": "a b"}
