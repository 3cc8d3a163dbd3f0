import math

import numpy as np
import pytest
import soundfile

from asr_gru import Error, Recognizer
from asr_gru.data.manifest import Utterance
from benchmarks._common import AUDIO_SAMPLES
from benchmarks.latency.devices import SoundClock, place
from benchmarks.latency.paths import through_websocket
from benchmarks.latency.speech import Piece, align_by_model, joined
from benchmarks.latency.words import Delay, Grid, Seen, Spoken, delays, revised

SPOKEN = (Spoken("a", 0.0, 0.3), Spoken("big", 0.4, 0.9), Spoken("arm", 1.0, 1.5))


def seen(at_s, text, stable=0, *, segment=0, final=False):
    words = tuple((word, 0.5 * place + 0.4) for place, word in enumerate(text.split()))
    return Seen(at_s, final, segment, words, len(words) if final else stable)


EVENTS = (
    seen(0.5, "a"),
    seen(0.8, "a b", 1),
    seen(1.0, "a big", 1),
    seen(1.6, "a big on", 2),
    seen(1.7, "a big arm", 2),
    seen(2.5, "a big arm", final=True),
)


def test_delays_are_measured_from_the_end_of_each_word():
    found = delays(EVENTS, SPOKEN)
    assert [delay.recognised for delay in found] == ["a", "big", "arm"]
    assert all(delay.exact for delay in found)
    assert [delay.shown_s for delay in found] == pytest.approx([0.2, 0.1, 0.2])
    assert [delay.stable_s for delay in found] == pytest.approx([0.5, 0.7, 1.0])
    assert [delay.final_s for delay in found] == pytest.approx([2.2, 1.6, 1.0])
    assert [delay.read_s for delay in found] == pytest.approx([0.4, 0.9, 1.4])
    assert [delay.pause_s for delay in found] == pytest.approx([0.1, 0.1, math.inf])


def test_errors_are_aligned_and_distant_words_do_not_count():
    wrong = (seen(1.0, "a pig"), seen(2.5, "a pig", final=True))
    assert [(d.recognised, d.exact) for d in delays(wrong, SPOKEN)] == [("a", True), ("pig", False)]
    assert [d.spoken.text for d in delays(EVENTS, SPOKEN, offset_s=50.0)] == []
    assert delays((), SPOKEN) == []


def test_the_next_segment_is_aligned_from_its_own_first_word():
    again = (*EVENTS, seen(3.0, "a", segment=1), seen(4.0, "a", segment=1, final=True))
    spoken = (*SPOKEN, Spoken("a", 1.7, 1.9))
    assert delays(again, spoken)[-1].shown_s == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["a", "a bi", "a big"], (0, 2)),
        (["a", "a on", "a arm"], (1, 2)),
        (["a b", "a", "a"], (1, 2)),
        (["a big", "the", "a"], (2, 2)),
    ],
)
def test_a_longer_partial_is_not_a_revision(texts, expected):
    assert revised([seen(0.0, text) for text in texts]) == expected


@pytest.mark.parametrize("arrivals", [(), ((0.1, 0.12), (0.4, 0.44), (0.6, 0.61))])
def test_the_components_add_up_to_the_total(arrivals):
    steps = Grid(0.04, 0.16, 0.08, -0.08, 0.0 if arrivals else 0.02, (0.17, 0.33, 0.49), arrivals)
    delay = Delay(SPOKEN[0], "a", 0.25, 0.3, 2.0, 0.16, 1.0)
    split = steps.split(delay, offset_s=-0.1)
    assert sum(split.values()) == pytest.approx(delay.shown_s)
    # the word's last frame is at 0.24 s, in the second step
    assert split["emission"] == pytest.approx(0.24 - 0.08 - 0.2)
    assert split["lookahead"] == 0.08
    assert split["step"] == pytest.approx(0.08)
    assert split["resampler"] == pytest.approx(0.01)
    assert split["block"] == pytest.approx(0.11 if arrivals else 0.01)


def test_the_recording_is_found_in_the_captured_audio():
    played = np.random.default_rng(0).standard_normal(500).astype("float32")
    heard = np.concatenate([np.zeros(123), 0.5 * played, np.zeros(77)])
    assert place(heard, played) == 123
    assert place(heard[150:], played) == -27


def test_drift_of_the_sound_clock_is_corrected():
    jitter = np.random.default_rng(0).uniform(0.0, 0.002, 400)
    came_s = 100.0 + 1.001 * 0.1 * np.arange(1, 401) + jitter
    clock = SoundClock.of([(at_s, 1600) for at_s in came_s.tolist()], 16_000)
    assert clock.pace == pytest.approx(1.001, abs=1e-4)
    assert clock.sound_s(100.0 + 20.02) == pytest.approx(20.0, abs=0.003)
    first, second = clock.arrivals([(100.2, 1600), (100.4, 1600)], 16_000)
    assert first == pytest.approx((0.1, 0.2 / 1.001), abs=0.003)
    assert second == pytest.approx((0.2, 0.4 / 1.001), abs=0.003)


def test_the_recogniser_itself_can_align_the_recordings():
    recognizer = Recognizer.load()
    recording = AUDIO_SAMPLES / "read.flac"
    good = Utterance(recording, "Why do I know you?")
    empty, wrong = Utterance(recording, "..."), Utterance(recording, "the train to the coast")
    (piece,) = align_by_model([empty, wrong, good], recognizer)
    assert [word.text for word in piece.words] == ["why", "do", "i", "know", "you"]
    times_s = [time_s for word in piece.words for time_s in (word.start_s, word.end_s)]
    assert times_s == sorted(times_s)
    assert 0 < times_s[0] < times_s[-1] < len(piece.samples) / 16_000


def test_a_server_that_ends_the_stream_early_says_why(tmp_path):
    pytest.importorskip("websockets")
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    with pytest.raises(Error, match=r"^the server refused the stream: invalid message"):
        through_websocket("en-small", None, tmp_path / "a.wav", "no such mode")


def test_the_websocket_delivers_the_words():
    pytest.importorskip("websockets")
    played = through_websocket("en-small", None, AUDIO_SAMPLES / "read.flac", "normal")
    final = played.seen[-1]
    assert final.final
    assert [text for text, _ in final.words] == ["why", "do", "i", "know", "you"]
    assert [event.at_s for event in played.seen] == sorted(event.at_s for event in played.seen)


def test_joined_pieces_keep_their_times():
    piece = Piece(np.ones(32_000, np.float32), SPOKEN)
    samples, words = joined([piece] * 9, 10.0, 16_000)
    assert len(words) >= 9
    assert len(samples) / 16_000 < 15
    for word in words:
        inside = samples[round(word.start_s * 16_000) : round(word.end_s * 16_000)]
        assert inside.min() > 0.9
    assert [word.text for word in words[:4]] == ["a", "big", "arm", "a"]


def test_a_long_piece_is_cut_at_a_pause():
    words = tuple(Spoken(str(n), n * 1.0, n * 1.0 + (0.5 if n == 7 else 0.9)) for n in range(12))
    cut = Piece(np.zeros(12 * 16_000, np.float32), words).until(9.0)
    assert [word.text for word in cut.words] == [str(n) for n in range(8)]
    assert len(cut.samples) == 8 * 16_000
