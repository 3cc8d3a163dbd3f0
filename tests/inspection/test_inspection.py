"""Statistics of manifests and suspicious utterances."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_gru.data.audio import load_audio
from asr_gru.data.manifest import Utterance, read_manifest
from asr_gru.errors import ConfigError, MissingExtraError
from asr_gru.inspection import (
    Inspected,
    Inspection,
    Limits,
    ModelVocabulary,
    SignalMeasures,
    TextDoubt,
    find,
    inspect,
    measure,
    overlap,
    plot,
)
from asr_gru.recognizer import Recognizer
from asr_gru.text import normalise

RATE = 16_000
SAMPLES = [u for u in read_manifest("audio_samples/samples.tsv") if u.duration_s < 20]


def noise(seconds, level_db=-20.0):
    random = np.random.default_rng(0)
    white = random.standard_normal(round(seconds * RATE)) * 10 ** (level_db / 20)
    return white.astype(np.float32)


def test_the_level_is_measured_over_frames_that_are_not_silent():
    found = measure(np.concatenate([np.zeros(RATE), noise(1.0)]).astype(np.float32), RATE)
    assert found.level_db == pytest.approx(-20, abs=0.3)
    assert found.silent_ratio == pytest.approx(0.5, abs=0.02)
    assert (found.duration_s, found.clipped_ratio) == (2.0, 0.0)


def test_quiet_pauses_are_silence_at_any_level():
    for level in (-20, -45):
        speech = np.concatenate([noise(1.0, level), noise(3.0, level - 40)])
        assert measure(speech, RATE).silent_ratio == pytest.approx(0.75, abs=0.02)


def test_clipped_samples_are_counted():
    loud = np.clip(noise(1.0, -3.0), -1, 1)
    expected = np.mean(np.abs(loud) >= 1)
    assert measure(loud, RATE).clipped_ratio == pytest.approx(expected, abs=0.01)
    assert expected > 0.1


@pytest.mark.parametrize("count", [1, 100])
def test_very_short_recordings_are_measured(count):
    found = measure(np.zeros(count, np.float32), RATE)
    assert (found.level_db, found.silent_ratio) == (-120.0, 1.0)


GOOD = SignalMeasures(duration_s=4.0, level_db=-20.0, silent_ratio=0.25, clipped_ratio=0.0)


def item(name="a.wav", text="x" * 30, utterance=None, doubt=None, warnings=(), **signal):
    said = utterance or Utterance(Path(name), text)
    return Inspected(said, text, replace(GOOD, **signal), warnings, doubt)


@pytest.mark.parametrize(
    ("one", "kind", "detail"),
    [
        (item(text=""), "no text", "empty"),
        (item(text="x" * 70), "too much text", "23.3 characters per second, 10.0 are usual"),
        (item(text="x" * 9), "too little text", "3.0 characters"),
        (item(level_db=-120.0, silent_ratio=1.0, text=""), "silence", "no sound"),
        (item(silent_ratio=0.9, text="xxx"), "silence", "90 %"),
        (item(level_db=-55.0), "quiet", "-55 dB"),
        (item(clipped_ratio=0.02), "clipping", "2.00 %"),
        (item(duration_s=21.0, text="x" * 150), "length", "21.00 s"),
        (item(duration_s=0.1, text="x"), "length", "0.2 to 20 s"),
        (item(doubt=3.0), "doubtful text", "3.0 nats"),
        (item(doubt=float("inf")), "doubtful text", "too long"),
        (item(warnings=("ends early",)), "damaged file", "ends early"),
        (item(utterance=Utterance(Path("a.wav"), "", 9.0)), "wrong duration", "9.00 s"),
    ],
)
def test_suspicious_utterances_are_found_with_their_measure(one, kind, detail):
    usual = [item(f"{number}.wav") for number in range(5)]
    assert find(usual) == []
    found = [finding for finding in find([*usual, one]) if finding.kind == kind]
    assert len(found) == 1
    assert found[0].recording == Path("a.wav")
    assert detail in found[0].detail


def test_limits_change_the_findings():
    one = item(doubt=2.0)
    assert find([one]) == []
    assert [f.kind for f in find([one], Limits(doubt=1.9))] == ["doubtful text"]


def test_duplicates_are_found_but_not_other_segments_of_a_recording():
    segments = [
        item(utterance=Utterance(Path("a.wav"), "", 4.0, start_s=start)) for start in (0.0, 4.0)
    ]
    assert find(segments) == []
    (found,) = find([*segments, segments[1]])
    assert (found.kind, found.recording) == ("listed twice", Path("a.wav#t=4.000,8.000"))


def test_statistics_of_a_manifest(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(2.0), RATE)
    soundfile.write(tmp_path / "b.wav", noise(4.0), RATE)
    (tmp_path / "c.wav").write_bytes(b"RIFF")
    said = [
        Utterance(tmp_path / "a.wav", "Go, go 2!", speaker="ann"),
        Utterance(tmp_path / "b.wav", "stop", speaker="bob"),
        Utterance(tmp_path / "c.wav", "no"),
    ]
    done = []
    found = inspect(said, on_progress=done.append)
    assert found.hours == pytest.approx(6 / 3600)
    assert found.speakers == {"ann": 2, "bob": 4}
    assert found.words == {"go": 2, "two": 1, "stop": 1}
    assert found.characters["o"] == 4
    assert found.percentiles["seconds"] == [2, 2, 2, 2, 4, 4, 4] or found.percentiles["seconds"][
        -1
    ] == pytest.approx(4.0)
    assert len(found.unreadable) == 1
    assert "c.wav" in found.unreadable[0]
    assert done == [1, 2]


def test_shared_recordings_and_speakers_are_found(tmp_path):
    train = [Utterance(tmp_path / "a.wav", "", speaker="ann"), Utterance(tmp_path / "b.wav", "")]
    dev = [Utterance(tmp_path / "x" / ".." / "a.wav", "", speaker="ann")]
    test = [Utterance(tmp_path / "d.wav", "", speaker="dan")]
    (tmp_path / "x").mkdir()
    found = overlap({"train": train, "dev": dev, "test": test})
    assert [(one.lists, one.kind, len(one.shared)) for one in found] == [
        (("train", "dev"), "recordings", 1),
        (("train", "dev"), "speakers", 1),
    ]


def test_words_and_characters_unknown_to_a_model_are_counted(word_model, model):
    found = ModelVocabulary(word_model).unknown(["a cat", "a dog ñ"])
    assert found.words == {"dog": 1, "ñ": 1}
    assert set(found.characters) == {"d", "g", "ñ"}
    letters = ModelVocabulary(model).unknown(["abc xyz"])
    assert letters.words is None
    assert set(letters.characters) == {"x", "y", "z"}


@pytest.fixture(scope="module")
def doubt():
    return TextDoubt(Recognizer.load())


def test_wrong_texts_are_doubtful_and_correct_ones_are_not(doubt):
    limit = Limits().doubt
    texts = [normalise(u.text, "english") for u in SAMPLES]
    audio = [load_audio(u, doubt.sample_rate) for u in SAMPLES]
    english = [i for i, u in enumerate(SAMPLES) if u.path.name in ("read.flac", "telephone.wav")]
    assert english
    for index in english:
        other = texts[english[0] if index != english[0] else (index + 1) % len(texts)]
        right, wrong, longer = (
            doubt.score(text, audio[index]) or 0.0
            for text in (texts[index], other, f"{texts[index]} and now something else entirely")
        )
        assert 0 < right < limit < min(wrong, longer)


def test_texts_that_cannot_be_aligned_have_no_score(doubt):
    assert doubt.score("", noise(1.0)) is None
    assert doubt.score("go " + "x" * 500, noise(1.0)) is None
    assert doubt.score("go", np.zeros(601 * RATE, np.float32)) is None
    assert doubt.score("many words " * 50, noise(1.0)) == float("inf")


def test_texts_can_be_scored_by_a_model_of_characters(model):
    doubt = TextDoubt(Recognizer.load(model))
    assert (doubt.score("a b", noise(1.0)) or 0.0) > 0
    assert doubt.score("a b " * 50, noise(1.0)) == float("inf")


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_distributions_are_plotted(tmp_path, suffix):
    lists = {
        "some": Inspection((item(doubt=1.0), item(doubt=float("inf"), duration_s=5.0))),
        "one": Inspection((item(),)),
    }
    path = tmp_path / f"all{suffix}"
    plot(path, lists)
    assert path.read_bytes()[:4] in (b"\x89PNG", b"<?xm", b"%PDF")
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ConfigError, match="unknown suffix"):
        plot(tmp_path / "all.txt", lists)


def test_a_missing_matplotlib_is_named_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"matplotlib is not installed.*\[train\]"):
        plot(tmp_path / "all.png", {})
