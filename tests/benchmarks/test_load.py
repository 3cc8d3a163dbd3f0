import asyncio

import numpy as np
import pytest
import soundfile

from asr_gru import Error
from benchmarks._processes import last_line, serving
from benchmarks.server import load


@pytest.mark.parametrize("milliseconds", [1, 100, 101, 2200, 4400, 16_600])
def test_the_lag_is_relative_to_the_block_with_the_last_sample(milliseconds):
    assert load.blocks_within(milliseconds / 1000) == -(-milliseconds // 100)


def test_a_client_without_an_answer_is_broken(monkeypatch):
    monkeypatch.setattr(load, "PATIENCE_S", 0.05)
    hung_up = asyncio.Event()

    async def keep_silent(reader, writer):
        while await reader.read(1000):
            pass
        hung_up.set()
        writer.close()

    async def measure():
        server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            tally = await load.load(1, [load.Clip([b""], 0.05, "")], port, 0.0)
            await asyncio.wait_for(hung_up.wait(), 10)
        return tally

    tally = asyncio.run(measure())
    assert tally.broken == ["no end within 0.05 s"]
    assert tally.whole == 0


def test_a_recording_shorter_than_a_clip_is_repeated(model, tmp_path):
    samples = np.arange(1, 8001, dtype=np.int16)
    soundfile.write(tmp_path / "short.wav", samples, 16_000)
    clips = load.clips(str(model), tmp_path / "short.wav", 1.2)
    assert len(clips) == load.CLIPS
    assert {(clip.seconds, len(clip.frames)) for clip in clips} == {(1.2, 12)}
    # a frame has a header of 8 bytes
    sent = np.frombuffer(b"".join(frame[8:] for frame in clips[0].frames), "<i2")
    np.testing.assert_array_equal(sent, np.tile(samples, 3)[:19_200])


@pytest.mark.parametrize(
    ("text", "difference"),
    [
        ("one two three", ""),
        ("one too three", "text differs: word 2 is too, not two"),
        ("one two", "text differs: word 3 is nothing, not three"),
        ("one two three four", "text differs: word 4 is four, not nothing"),
    ],
)
def test_the_first_word_that_differs_is_named(text, difference):
    assert load.first_difference(text, "one two three") == difference


def test_a_server_that_does_not_start_says_why():
    with (
        pytest.raises(Error, match=r"^the server did not start: .*no-such-model"),
        serving("--model", "no-such-model"),
    ):
        pass


def test_the_last_line_of_a_failed_program_is_its_reason():
    assert last_line("a warning\nasr-gru: a.wav: no such file\n") == "a.wav: no such file"
    assert last_line("") == "it wrote no reason"
