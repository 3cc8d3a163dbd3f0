"""Alignment of the sample recordings with the bundled model."""

import json
import re

import pytest

import asr_gru
from asr_gru.alignment import aligner as aligner_module
from asr_gru.data.manifest import read_manifest
from asr_gru.errors import DataError

SAMPLES = {u.path.name: u for u in read_manifest("audio_samples/samples.tsv")}


@pytest.fixture(scope="module")
def long(bundled):
    sample = SAMPLES["long.ogg"]
    return bundled.align(sample.text, sample.path)


def equal_starts(one, other):
    """Return the ratio of words that start at the same time in both alignments."""
    pairs = list(zip(one.words, other.words, strict=True))
    return sum(a.start_s == b.start_s for a, b in pairs) / len(pairs)


def test_times_of_words_and_phones_increase(long):
    words = long.words
    assert [word.text for word in words] == SAMPLES["long.ogg"].text.split()
    now = 0.0
    for word in words:
        assert now <= word.start_s <= word.end_s <= long.transcript.duration_s
        now = word.end_s
        if word.phones:
            assert word.phones[0].start_s == word.start_s
            assert word.phones[-1].end_s == word.end_s
            ends = [phone.end_s for phone in word.phones[:-1]]
            assert ends == [phone.start_s for phone in word.phones[1:]]
    missing = [word for word in words if not word.phones]
    assert len(missing) < 0.02 * len(words)
    assert all(word.confidence == 0 for word in missing)


def test_words_are_aligned_where_they_are_recognised(bundled, long):
    words = bundled.transcribe(SAMPLES["long.ogg"].path).words
    for word in words:
        if word.confidence > 0.9 and len(word.text) > 5:
            near = [w for w in long.words if abs(w.start_s - word.start_s) < 0.2]
            assert any(w.text == word.text for w in near) or not any(
                w.text == word.text for w in long.words
            )


def test_aligning_in_pieces_gives_nearly_the_same_times(bundled, long, monkeypatch):
    """Compared with an alignment of the whole recording as a single piece."""
    monkeypatch.setattr(aligner_module, "PIECE_S", 1e9)
    sample = SAMPLES["long.ogg"]
    assert equal_starts(bundled.align(sample.text, sample.path), long) > 0.98


def test_a_banded_alignment_gives_nearly_the_same_times(bundled, long, monkeypatch):
    monkeypatch.setattr(aligner_module, "PIECE_S", 1e9)
    monkeypatch.setattr(aligner_module, "MAX_CELLS", 0)
    sample = SAMPLES["long.ogg"]
    assert equal_starts(bundled.align(sample.text, sample.path), long) > 0.95


def test_differences_are_reported(bundled):
    sample = SAMPLES["long.ogg"]
    words = sample.text.split()
    foreign = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog"]
    text = " ".join([*words[:100], *foreign, *words[100:200], *words[230:]])
    found = bundled.align(text, sample.path)
    missing = [w.text for w in found.words[100:109] if w.confidence == 0]
    assert len(missing) >= 7
    kinds = {
        m.kind: m for m in found.mismatches if len(m.text.split()) > 4 or len(m.heard.split()) > 4
    }
    assert kinds["text"].text in " ".join(foreign)
    assert kinds["text"].end_s - kinds["text"].start_s < 1.0
    assert "british and foreign" in kinds["audio"].heard
    assert kinds["audio"].end_s - kinds["audio"].start_s > 10.0


def test_each_sentence_is_a_segment(bundled):
    found = bundled.align("Why do I? — Know you, Хлеб!", "audio_samples/read.flac")
    assert [s.text for s in found.transcript.segments] == ["Why do I? —", "Know you, Хлеб!"]
    assert found.unpronounceable == ("хлеб",)
    assert [w.text for w in found.words if w.confidence == 0] == ["Хлеб!"]


def test_pronunciations_can_be_given(bundled):
    from asr_gru.language import Lexicon

    phones = bundled.tokenizer.symbols[1:]
    lexicon = Lexicon.build([("ydku", ("D", "UW", "AY", "N", "OW", "Y", "UW"))], phones)
    found = bundled.align("why ydku", "audio_samples/read.flac", lexicon=lexicon)
    assert [phone.text for phone in found.words[1].phones] == [
        "D",
        "UW",
        "AY",
        "N",
        "OW",
        "Y",
        "UW",
    ]


def test_words_in_silence_are_reported_as_not_spoken(bundled):
    found = bundled.align("hello there", [0.0] * 16_000, 16_000)
    assert [w.confidence for w in found.words] == [0.0, 0.0]
    assert [m.kind for m in found.mismatches] == ["text"]
    empty = bundled.align("hello there", [0.0] * 10, 16_000)
    assert len(empty.words) == 2


def test_texts_that_cannot_be_aligned_are_refused(bundled):
    with pytest.raises(DataError, match="no words"):
        bundled.align("...", "audio_samples/read.flac")
    with pytest.raises(DataError, match="pronounced"):
        bundled.align("хлеб", "audio_samples/read.flac")


def test_alignments_are_saved_in_every_format(long, tmp_path):
    long.save(tmp_path / "a.TextGrid")
    grid = (tmp_path / "a.TextGrid").read_text()
    assert re.findall(r'name = "(\w+)"', grid) == ["words", "phones", "segments"]
    long.save(tmp_path / "a.json")
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["mismatches"] == [m.to_dict() for m in long.mismatches]
    assert document["segments"][0]["words"][1]["phones"]
    long.save(tmp_path / "a.srt")
    assert (tmp_path / "a.srt").read_text().startswith("1\n00:00:")


def test_the_align_function_loads_a_model():
    found = asr_gru.align("why do i know you", "audio_samples/read.flac")
    assert [word.text for word in found.words] == ["why", "do", "i", "know", "you"]
