"""The page's JavaScript modules in node: saved files, times, uploads, options and errors."""

import json
import random
from dataclasses import replace

import pytest

from asr_gru.formats import writer
from asr_gru.results import Alternative, Match, Segment, Transcript, Word
from asr_gru.streaming.written_form import with_written
from tests.server.page_files import READ


def _transcript(seed):
    rng = random.Random(seed)
    texts = ["a", "the", "<b>", "R&D", "naïve", "𝒳𝒴", "w" * 50, "considerable", "it's", "nine"]
    now, segments = rng.uniform(0, 4000), []
    match = rng.choice([Match("the", 1), Match(intent="on", slots={"light": True})])
    for number in range(rng.randrange(5)):
        words = []
        for _ in range(rng.randrange(1, 30)):
            start = now + rng.choice([0, 0.02, 0.3, 0.7])
            now = start + rng.choice([0.05, 0.2, 0.5, 3.0])
            words.append(Word(rng.choice(texts), round(start, 3), round(now, 3), rng.random()))
            now = words[-1].end_s
        text = " ".join(word.text for word in words)
        span = words[0].start_s, words[-1].end_s
        segments.append(Segment(number, text, *span, tuple(words)))
        if seed % 3 == 0:
            segments[-1] = with_written(segments[-1])
        if seed % 3 == 1:
            other = Alternative("or", (replace(words[0], text="or"),), -3.5, 0.25)
            segments[-1] = replace(segments[-1], alternatives=(other,), match=match)
    return Transcript(tuple(segments), round(now + rng.choice([0, 0.4, 2.0]), 3))


def _part(transcript):
    """Return a transcript in the form that the page uses."""
    segments = [segment.to_dict() for segment in transcript.segments]
    return {"name": "talk", "duration_s": transcript.duration_s, "segments": segments}


def test_saved_formats_agree_with_the_package(node):
    transcripts = [_transcript(seed) for seed in range(40)]
    written = node(
        READ + "import { FORMATS } from './formats.js';"
        "console.log(JSON.stringify(given.map((part) => Object.fromEntries("
        "Object.entries(FORMATS).map(([name, { write }]) => [name, write(part)])))))",
        [_part(transcript) for transcript in transcripts],
    )
    for transcript, files in zip(transcripts, written, strict=True):
        assert set(files) == {"txt", "srt", "vtt", "json"}
        for name in ("txt", "srt", "vtt"):
            assert files[name] == writer(name)(transcript, "talk")
        assert json.loads(files["json"]) == json.loads(writer("json")(transcript, "talk"))


def test_subtitles_hold_a_segment_whose_words_have_no_times(node):
    """The server sends long partials without words, and a lost one has no final."""
    text = " ".join(f"word{number}" for number in range(201))
    segment = {"id": 0, "start_s": 10, "end_s": 110.5, "text": text, "words": []}
    found = node(
        READ + "import { cues } from './formats.js'; console.log(JSON.stringify(cues(given)))",
        {"name": "Microphone", "duration_s": 110.5, "segments": [segment]},
    )
    assert " ".join(line for cue in found for line in cue["lines"]) == text
    assert (found[0]["start_s"], found[-1]["end_s"]) == (10, pytest.approx(110.5))


def test_the_clock_is_human_readable(node):
    seconds = [0, 59.9, 60, 3599, 3600, 36_061]
    shown = node(
        READ
        + "import { clock } from './formats.js'; console.log(JSON.stringify(given.map(clock)))",
        seconds,
    )
    assert shown == ["0:00", "0:59", "1:00", "59:59", "1:00:00", "10:01:01"]


def test_times_continue_across_gaps(node):
    """A stream that starts at 10 s of the page's time and loses the audio from 12 to 15 s."""
    shown = node(
        "import { Timeline } from './connection.js'; const line = new Timeline();"
        "line.add(10, 1); line.add(11, 1); line.add(15, 1); line.add(16, 1);"
        "console.log(JSON.stringify([0, 1.5, 1.9, 2, 3.5].map((time) => line.toPage(time))))"
    )
    assert shown == pytest.approx([10, 11.5, 11.9, 15, 16.5])


def test_words_of_an_upload_are_assigned_to_their_segments(node):
    answer = {
        "duration": 9.0,
        "segments": [
            {"start": 1.0, "end": 2.0, "text": " one two"},
            {"start": 5.0, "end": 6.0, "text": "three"},
        ],
        "words": [
            {"word": "one", "start": 1.0, "end": 1.4, "confidence": 0.25},
            {"word": "two", "start": 1.5, "end": 2.0, "confidence": 0.9},
            {"word": "three", "start": 5.0, "end": 6.0},
        ],
    }
    part = node(
        READ + "import { toPart } from './uploads.js';"
        "console.log(JSON.stringify(toPart('talk.wav', given)))",
        answer,
    )
    assert [segment["text"] for segment in part["segments"]] == ["one two", "three"]
    assert [[w["text"] for w in s["words"]] for s in part["segments"]] == [
        ["one", "two"],
        ["three"],
    ]
    assert part["segments"][0]["words"][0]["confidence"] == 0.25
    assert part["duration_s"] == 9.0


def test_optional_fields_are_assigned_to_the_segments_of_an_upload(node):
    answer = {
        "duration": 9.0,
        "segments": [
            {
                "start": 1.0,
                "end": 2.0,
                "text": "5%",
                "spoken": "five percent",
                "written_words": [{"word": "5%", "start": 1.0, "end": 2.0, "confidence": 0.5}],
                "unit": "phrase",
                "parse": {"intent": "set", "slots": {"to": 5}},
                "alternatives": [
                    {"text": "five", "log_prob": -1.0, "probability": 0.4, "words": []}
                ],
            }
        ],
        "words": [
            {
                "word": "five",
                "start": 1.0,
                "end": 1.4,
                "confidence": 0.7,
                "alternatives": [{"word": "nine", "probability": 0.3}],
            },
        ],
    }
    script = (
        "import { toPart } from './uploads.js'; console.log(JSON.stringify(toPart('a', given)))"
    )
    (segment,) = node(READ + script, answer)["segments"]
    assert (segment["text"], segment["written"]) == ("five percent", "5%")
    assert segment["written_words"][0] == {
        "text": "5%",
        "start_s": 1.0,
        "end_s": 2.0,
        "confidence": 0.5,
    }
    assert segment["words"][0]["alternatives"] == [{"text": "nine", "probability": 0.3}]
    assert segment["alternatives"][0]["text"] == "five"
    assert segment["parse"] == {"intent": "set", "slots": {"to": 5}}


def test_a_key_that_no_header_can_hold_is_a_wrong_key(node):
    error = node(
        "import { transcribe } from './uploads.js';"
        "globalThis.fetch = async (address, { headers }) => new Response(null, { headers });"
        "const failed = transcribe({ name: 'a.wav' }, {}, 'ключ', null);"
        "console.log(JSON.stringify(await failed.catch(({ code }) => code)))"
    )
    assert error == "unauthorized"


def test_a_file_that_cannot_be_read_is_not_taken_for_a_server_that_is_away(node):
    error = node(
        "import { transcribe } from './uploads.js';"
        "globalThis.fetch = async (address, { method }) => {"
        "  if (method === 'POST') throw new TypeError('Failed to fetch');"
        "  return new Response('{\"data\": []}');"
        "};"
        "const gone = new DOMException('', 'NotFoundError');"
        "class Moved extends Blob {"
        "  slice() { return { arrayBuffer: () => Promise.reject(gone) }; }"
        "}"
        "const failed = transcribe(new Moved([]), {}, null, null);"
        "console.log(JSON.stringify(await failed.catch(({ code, message }) => [code, message])))"
    )
    assert error[0] == "unreadable"
    assert "cannot read it" in error[1]


def test_comments_alone_leave_every_word_to_be_recognised(node):
    chosen = ["", "# none", "# one\na cat", "#JSGF V1.0;"]
    printed = node(
        "import { isClosed } from './options.js';"
        f"console.log(JSON.stringify({json.dumps(chosen)}.map(isClosed)))"
    )
    assert printed == [False, False, True, True]


NOTHING = {
    "written": False,
    "alternatives": False,
    "omitUncertain": False,
    "hotWords": "",
    "only": " \n# none\n",
}
GRAMMAR = "#JSGF V1.0;\npublic <light> = turn it on;"
CHOSEN: list[tuple[dict[str, object], dict[str, object]]] = [
    ({}, {}),
    ({"written": True, "alternatives": True}, {"written": True, "alternatives": 5}),
    ({"omitUncertain": True}, {"minimum_confidence": 0.5}),
    ({"hotWords": " Siobhan \n# a comment\n\nbob = 9"}, {"hot_words": ["Siobhan", "bob = 9"]}),
    ({"only": "a cat\ntack", "hotWords": "bob"}, {"phrases": ["a cat", "tack"]}),
    ({"only": f"\n{GRAMMAR}\n", "omitUncertain": True}, {"grammar": GRAMMAR}),
]


@pytest.mark.parametrize(("chosen", "options"), CHOSEN)
def test_options_agree_with_the_server(node, chosen, options):
    request = pytest.importorskip("asr_gru.server.decoding_request").DecodingRequest
    found, form = node(
        READ + "import { appendOptions, decodingOptions } from './options.js';"
        "const options = decodingOptions(given); const form = [];"
        "appendOptions({ append: (...field) => form.push(field) }, options);"
        "console.log(JSON.stringify([options, form]))",
        NOTHING | chosen,
    )
    assert found == options
    assert set(found) <= set(request.__struct_fields__)
    lists = [name for name, value in found.items() if isinstance(value, list)]
    assert {name for name, _ in form} == {
        f"{name}[]" if name in lists else name for name in options
    }
    assert len(form) == sum(len(found[name]) if name in lists else 1 for name in found)


def test_every_error_of_the_server_has_a_sentence(node):
    limits = pytest.importorskip("asr_gru.server.limits")
    codes = [*limits.CLOSE_CODES, "message_too_big", "gone"]
    sentences = node(
        READ + "import { ofServer } from './sentences.js';"
        "console.log(JSON.stringify(given.map((code) => ofServer({ code, message: 'why' }))))",
        codes,
    )
    assert len(set(sentences)) == len(codes)
    assert not [one for one in sentences if one.startswith("The server reports")]
