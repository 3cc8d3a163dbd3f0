import html
import itertools
import json
import os
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_gru.errors import ConfigError
from asr_gru.formats import WRITERS, writer
from asr_gru.formats.subtitles import cues, timestamp
from asr_gru.results import Segment, Transcript, Word


@st.composite
def transcripts(draw):
    now, segments = 0.0, []
    for number in range(draw(st.integers(0, 3))):
        words = []
        for _ in range(draw(st.integers(1, 25))):
            start = now + draw(st.floats(0, 1.5))
            now = start + draw(st.floats(0, 1.0))
            text = draw(st.text('abc"<&é', min_size=1, max_size=12))
            words.append(Word(text, start, now, draw(st.floats(0, 1))))
        text = " ".join(word.text for word in words)
        segments.append(Segment(number, text, words[0].start_s, now, tuple(words)))
    return Transcript(tuple(segments), now + draw(st.floats(0, 2)))


@given(transcripts())
def test_cues_contain_all_words_in_order_without_overlap(transcript):
    shown = cues(transcript)
    words = [word for cue in shown for line in cue.lines for word in line.split()]
    assert words == [word.text for word in transcript.words]
    for cue in shown:
        assert cue.start_s <= cue.end_s
        assert 1 <= len(cue.lines) <= 2
        assert all(len(line) <= 42 for line in cue.lines)
    for one, two in itertools.pairwise(shown):
        assert one.end_s <= two.start_s + 1e-9


@given(transcripts())
def test_textgrid_has_no_gaps(transcript):
    text = WRITERS["TextGrid"](transcript, "x")
    for tier in text.split("item [")[2:]:
        bounds = re.findall(r"intervals \[\d+\]:\s+xmin = ([\d.]+)\s+xmax = ([\d.]+)", tier)
        assert float(bounds[0][0]) == 0
        for (start, end), after in zip(bounds, [*bounds[1:], None], strict=True):
            assert float(start) < float(end)
            assert after is None or after[0] == end


@given(transcripts())
def test_praatio_reads_textgrids(transcript):
    textgrid = pytest.importorskip("praatio.textgrid")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.TextGrid")
        path.write_text(WRITERS["TextGrid"](transcript, "x"), encoding="utf-8")
        grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    assert grid.tierNames == ("words", "segments")
    kept = [word for word in transcript.words if round(word.end_s, 6) > round(word.start_s, 6)]
    found = grid.getTier("words").entries
    assert [entry.label for entry in found] == [word.text for word in kept]
    for entry, word in zip(found, kept, strict=True):
        assert (entry.start, entry.end) == pytest.approx((word.start_s, word.end_s), abs=2e-6)


@given(transcripts())
def test_srt_reads_subtitles(transcript):
    srt = pytest.importorskip("srt")
    shown = cues(transcript)
    found = list(srt.parse(WRITERS["srt"](transcript, "x")))
    assert [cue.index for cue in found] == list(range(1, len(shown) + 1))
    assert [cue.content for cue in found] == ["\n".join(cue.lines) for cue in shown]
    for cue, written in zip(found, shown, strict=True):
        assert cue.start.total_seconds() == pytest.approx(written.start_s, abs=6e-4)
        assert cue.end.total_seconds() == pytest.approx(written.end_s, abs=6e-4)


@given(transcripts())
def test_webvtt_reads_subtitles(transcript):
    webvtt = pytest.importorskip("webvtt")
    shown = cues(transcript)
    found = list(webvtt.from_string(WRITERS["vtt"](transcript, "x")))
    lines = [tuple(map(html.unescape, cue.lines)) for cue in found]
    assert lines == [cue.lines for cue in shown]
    for cue, written in zip(found, shown, strict=True):
        assert cue.start_in_seconds == pytest.approx(written.start_s, abs=1)
        assert cue.start == timestamp(written.start_s, ".")
        assert cue.end == timestamp(written.end_s, ".")


@given(transcripts())
def test_json_contains_the_whole_transcript(transcript):
    document = json.loads(WRITERS["json"](transcript, "name"))
    assert document["text"] == transcript.text
    words = [word["text"] for segment in document["segments"] for word in segment["words"]]
    assert words == [word.text for word in transcript.words]


@given(transcripts())
def test_tsv_and_ctm_have_their_columns(transcript):
    ctm = WRITERS["ctm"](transcript, "my talk").splitlines()
    assert [line.split()[0] for line in ctm] == ["my_talk"] * len(transcript.words)
    tsv = WRITERS["tsv"](transcript, "x").splitlines()
    assert len(tsv) == 1 + len(transcript.segments)
    assert all(line.count("\t") == 2 for line in tsv)


def test_each_format_matches_a_known_document():
    words = (Word("a<b", 0.0, 0.4, 0.9), Word("two", 3_599.9, 3_661.25, 1.0))
    transcript = Transcript((Segment(0, "a<b two", 0.0, 3_661.25, words),), 3_700.0)
    assert WRITERS["txt"](transcript, "x") == "a<b two\n"
    assert WRITERS["srt"](transcript, "x").startswith(
        "1\n00:00:00,000 --> 00:00:01,000\na<b\n\n2\n"
    )
    vtt = WRITERS["vtt"](transcript, "x")
    assert vtt.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na&lt;b\n")
    assert "00:59:59.900 --> 01:01:01.250" in vtt
    assert WRITERS["ctm"](transcript, "x").startswith("x 1 0.000 0.400 a<b 0.900\n")


@pytest.mark.parametrize("name", WRITERS)
def test_an_empty_transcript_is_a_valid_file(name):
    assert isinstance(WRITERS[name](Transcript((), 0.0), "x"), str)


def test_the_error_for_an_unknown_format_suggests_the_nearest():
    with pytest.raises(ConfigError, match="'srt'"):
        writer("srtt")


def test_words_marked_as_uncertain_are_marked_in_text_and_subtitles():
    words = (
        Word(text="one", start_s=0.0, end_s=0.4, confidence=0.9),
        Word(text="two", start_s=0.5, end_s=0.9, confidence=0.2, uncertain=True),
    )
    transcript = Transcript((Segment.from_words(0, words),), 1.0)
    for name in ("txt", "srt", "vtt", "tsv", "TextGrid"):
        assert "[two?]" in writer(name)(transcript, "x"), name
    assert " two 0.200\n" in writer("ctm")(transcript, "x")
    assert '"uncertain": true' in writer("json")(transcript, "x")


def test_a_subtitle_stays_until_its_last_word_has_been_said():
    starts = [0.0, 0.5, 2.0, 2.3, 8.9, 9.5]
    words = tuple(
        Word(text=f"w{i}", start_s=start, end_s=start + 0.3, confidence=1.0)
        for i, start in enumerate(starts)
    )
    transcript = Transcript((Segment.from_words(0, words),), 9.7)
    shown = cues(transcript)
    assert len(shown) > 1
    for word in words:
        cue = next(cue for cue in shown if word.text in " ".join(cue.lines).split())
        assert cue.start_s <= word.start_s < word.end_s <= cue.end_s


def test_a_name_that_is_not_utf_8_is_written_with_replacement_characters(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.json")
    Transcript((), 1.0).save(path)
    assert json.loads(path.read_text(encoding="utf-8"))["name"] == "caf\ufffd"
