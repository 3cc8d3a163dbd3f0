"""Files that decoders truncate silently have the right duration, with and without ffmpeg."""

import io
import os
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from time import sleep

import numpy as np
import pytest
import soundfile

from asr_gru.audio import RawAudio, open_recording, read_recording
from asr_gru.audio.containers.mpeg import mpeg_layout
from asr_gru.audio.opening import STDIN
from asr_gru.audio.pcm import ENCODINGS
from asr_gru.errors import AudioError, ConfigError

RATE = 16_000


@pytest.fixture(autouse=True)
def without_ffmpeg(monkeypatch):
    monkeypatch.setenv("PATH", "")


def speechlike(seconds, rate=RATE, seed=0):
    """A tone, then noise: a variable bit rate starts low and rises."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate / 2)) / rate
    quiet, loud = 0.01 * np.sin(2800 * time), 0.2 * random.standard_normal(len(time))
    return np.concatenate([quiet, loud]).astype("float32")


def encoded(seconds=6.0, rate=RATE, seed=0, **how):
    file = io.BytesIO()
    soundfile.write(file, speechlike(seconds, rate, seed), rate, **how)
    return file.getvalue()


def mp3(seconds=6.0, *, header=True, **rest):
    how = {"bitrate_mode": "VARIABLE", "compression_level": 0.5, **rest}
    data = encoded(seconds, format="MP3", subtype="MPEG_LAYER_III", **how)
    assert data[:1] == b"\xff"
    assert b"Xing" in data[:60] or b"Info" in data[:60]
    return data if header else data[data.index(data[:2], 4) :]


OPUS = {"format": "OGG", "subtype": "OPUS"}
VORBIS = {"format": "OGG", "subtype": "VORBIS"}
ID3 = b"ID3\x04\0\0\0\0\x40\0" + b"x" * (1 << 13)


def wav(size, behind=b""):
    data = bytearray(encoded(format="WAV", subtype="PCM_16"))
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", size)
    return bytes(data) + behind


WHOLE = {
    "mp3": lambda: mp3(),
    "mp3 without a header": lambda: mp3(header=False),
    "constant mp3 without a header": lambda: mp3(header=False, bitrate_mode="CONSTANT"),
    "mp3 behind a tag": lambda: ID3 + mp3(),
    "mp3 behind a tag, without a header": lambda: ID3 + mp3(header=False),
    "mp3 behind zeros": lambda: bytes(5000) + mp3(header=False),
    "mp3 before a tag": lambda: mp3(header=False) + b"TAG" + bytes(125),
    "joined mp3": lambda: mp3(3.0) + mp3(3.0),
    "joined mp3 with tags": lambda: ID3 + mp3(3.0) + ID3 + mp3(3.0),
    "joined mp3 without headers": lambda: mp3(3.0, header=False) + mp3(3.0, header=False),
    "joined mp3 of two rates": lambda: mp3(3.0) + mp3(3.0, rate=44_100),
    "mp3 with damage in it": lambda: mp3(3.0, header=False) + bytes(999) + mp3(3.0, header=False),
    "opus": lambda: encoded(**OPUS),
    "chained opus": lambda: encoded(2.0, **OPUS) + encoded(4.0, seed=1, **OPUS),
    "chained opus of two rates": lambda: encoded(2.0, **OPUS) + encoded(4.0, rate=48_000, **OPUS),
    "vorbis": lambda: encoded(**VORBIS),
    "chained vorbis": lambda: encoded(2.0, **VORBIS) + encoded(4.0, seed=1, **VORBIS),
    "joined flac": lambda: encoded(2.0, format="FLAC") + encoded(4.0, format="FLAC"),
    "wav of size 0": lambda: wav(0),
    "wav of unknown size": lambda: wav(0xFFFFFFFF),
    "wav": lambda: encoded(format="WAV"),
}


@pytest.mark.parametrize("what", WHOLE)
def test_complete_files_are_read_whole_and_without_a_warning(tmp_path, what):
    path = tmp_path / f"a.{'mp3' if 'mp3' in what else 'audio'}"
    path.write_bytes(WHOLE[what]())
    with open_recording(path) as recording:
        read = np.concatenate(list(recording.blocks()))
    assert len(read) / recording.sample_rate == pytest.approx(6.0, abs=0.2)
    assert recording.warnings == []
    half = len(read) // 2
    assert np.std(read[half + half // 2 :]) > 0.1  # noise to the end


TRUNCATED = {
    "wav": lambda: encoded(format="WAV"),
    "aiff": lambda: encoded(format="AIFF"),
    "au": lambda: encoded(format="AU"),
    "w64": lambda: encoded(format="W64"),
    "rf64": lambda: encoded(format="RF64"),
    "flac": lambda: encoded(format="FLAC"),
    "mp3": mp3,
    "opus": lambda: encoded(**OPUS),
    "vorbis": lambda: encoded(**VORBIS),
    "chained opus": lambda: encoded(0.5, **OPUS) + encoded(6.0, **OPUS),
}


@pytest.mark.parametrize("what", TRUNCATED)
def test_truncated_files_are_read_to_their_end_with_a_warning(tmp_path, what):
    path, data = tmp_path / "a.audio", TRUNCATED[what]()
    path.write_bytes(data[: len(data) * 3 // 4])
    with open_recording(path) as recording:
        read = np.concatenate(list(recording.blocks()))
    assert 3.0 < len(read) / recording.sample_rate < 6.0
    (warning,) = recording.warnings
    assert warning.startswith(f"{path}: ends early, after ")


def page_shortened(data, number, by):
    """Return an Ogg file whose page claims to end ``by`` samples before it does."""
    pages = bytearray(data)
    position = 0
    for _ in range(number):
        segments = pages[position + 26]
        position += 27 + segments + sum(pages[position + 27 : position + 27 + segments])
    segments = pages[position + 26]
    stop = position + 27 + segments + sum(pages[position + 27 : position + 27 + segments])
    granule = struct.unpack_from("<q", pages, position + 6)[0]
    struct.pack_into("<q", pages, position + 6, granule - by)
    struct.pack_into("<I", pages, position + 22, 0)
    struct.pack_into("<I", pages, position + 22, ogg_crc(pages[position:stop]))
    return bytes(pages)


def ogg_crc(data):
    crc = 0
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def test_opus_whose_last_page_declares_too_many_samples_is_complete(tmp_path):
    """Its last page is there, and declares a few samples more than its packets hold."""
    data = encoded(**OPUS)
    count, position = 0, 0
    while (position := data.find(b"OggS", position)) >= 0:
        count, position = count + 1, position + 4
    path = tmp_path / "a.opus"
    path.write_bytes(page_shortened(data, count - 1, -1500))
    with open_recording(path) as recording:
        length = sum(len(block) for block in recording.blocks())
        declared = recording.duration_s
    assert length / RATE == pytest.approx(6.0, abs=0.02)
    assert declared is not None
    assert declared > length / RATE
    assert recording.warnings == []


def test_opus_that_libsndfile_cannot_decode_is_read_to_its_end(tmp_path):
    path = tmp_path / "a.opus"
    path.write_bytes(page_shortened(encoded(**OPUS), 4, 490))
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.read(path)
    with open_recording(path) as recording:
        read = np.concatenate(list(recording.blocks()))
    assert len(read) / RATE == pytest.approx(6.0, abs=0.03)
    (warning,) = recording.warnings
    assert "0.02 s could not be decoded" in warning
    assert np.std(read[5 * RATE :]) > 0.1


def test_a_wav_header_before_other_chunks_is_an_empty_recording(tmp_path):
    data = encoded(0.0, format="WAV") + b"LIST\x04\0\0\0INFO"
    (tmp_path / "a.wav").write_bytes(data)
    assert len(read_recording(tmp_path / "a.wav", RATE)) == 0


@pytest.mark.parametrize("block_s", [0.02, 1.0, 2.7])
def test_phase_inverted_stereo_is_not_silent_at_any_block_size(tmp_path, block_s):
    sound = speechlike(4.0)
    soundfile.write(tmp_path / "a.wav", np.stack([sound, -sound], 1), RATE, "FLOAT")
    with open_recording(tmp_path / "a.wav") as recording:
        read = np.concatenate(list(recording.blocks(block_s)))
    np.testing.assert_array_equal(read, sound)
    (warning,) = recording.warnings
    assert "cancel out" in warning


def test_ordinary_stereo_is_averaged_even_if_one_channel_is_silent(tmp_path):
    left, right = speechlike(2.0), speechlike(2.0, seed=1)
    for other in (right, np.zeros_like(left), left):
        soundfile.write(tmp_path / "a.wav", np.stack([left, other], 1), RATE, "FLOAT")
        with open_recording(tmp_path / "a.wav") as recording:
            read = np.concatenate(list(recording.blocks()))
        np.testing.assert_allclose(read, (left + other) / 2, atol=1e-7)
        assert recording.warnings == []


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_raw_pcm_of_every_encoding_is_decoded(tmp_path, encoding):
    sound = np.stack([speechlike(1.0), speechlike(1.0, seed=1)], 1)
    subtypes = {"u8": "PCM_U8", "mulaw": "ULAW", "alaw": "ALAW", "f32le": "FLOAT"}
    subtypes |= {"f64le": "DOUBLE", "s24le": "PCM_24", "s32le": "PCM_32"}
    endian = "BIG" if encoding.endswith("be") else "LITTLE"
    path = tmp_path / "a.raw"
    how = (subtypes.get(encoding, "PCM_16"), endian, "RAW")
    soundfile.write(path, sound, RATE, *how)
    read = read_recording(RawAudio(path, RATE, encoding, 2), RATE)
    expected = soundfile.read(
        path, dtype="float32", samplerate=RATE, channels=2, subtype=how[0], endian=endian,
        format="RAW",
    )[0]  # fmt: skip
    np.testing.assert_allclose(read, expected.mean(axis=1), atol=1e-6)


def test_raw_pcm_without_a_rate_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(999))
    with pytest.raises(AudioError, match="--raw-rate"):
        open_recording(tmp_path / "a.raw")
    with pytest.raises(ConfigError, match="did you mean 's16le'"):
        RawAudio(tmp_path / "a.raw", RATE, "s16l")
    with pytest.raises(AudioError, match="Hz"):
        RawAudio(tmp_path / "a.raw", 3)
    for channels in (0, 65, "2", 2.0):
        with pytest.raises(ConfigError, match="channels; give 1 to 64"):
            RawAudio(tmp_path / "a.raw", RATE, channels=channels)
    with pytest.raises(ConfigError, match="give the path of a file"):
        RawAudio(io.BytesIO(bytes(998)), RATE)
    assert RawAudio(str(tmp_path / "a.raw"), RATE) == RawAudio(tmp_path / "a.raw", RATE)


@pytest.mark.parametrize("form", ["WAV", "wav of size 0", "FLAC", "OGG", "raw"])
def test_pipes_can_be_read(tmp_path, form):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    data = wav(0) if form == "wav of size 0" else encoded(format="WAV" if form == "raw" else form)
    data = data[44:] if form == "raw" else data
    thread = threading.Thread(target=path.write_bytes, args=(data,))
    thread.start()
    read = read_recording(RawAudio(path, RATE) if form == "raw" else path, RATE)
    thread.join()
    assert len(read) == 6 * RATE
    assert np.std(read[5 * RATE :]) > 0.1


@pytest.mark.parametrize("form", ["WAV", "FLAC", "raw"])
def test_standard_input_that_does_not_block_is_read_to_its_end(monkeypatch, form):
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    duplicate = os.dup
    monkeypatch.setattr(os, "dup", lambda number: duplicate(reading if number == 0 else number))
    monkeypatch.setattr("asr_gru.audio.opening.is_pipe", lambda path: path == STDIN)
    data = encoded(format="WAV" if form == "raw" else form)[44 if form == "raw" else 0 :]

    def write():
        with suppress(BrokenPipeError), os.fdopen(writing, "wb", buffering=0) as file:
            for part in (data[:50_000], data[50_000:]):
                sleep(0.1)
                file.write(part)

    threading.Thread(target=write, daemon=True).start()
    try:
        read = read_recording(RawAudio(STDIN, RATE) if form == "raw" else STDIN, RATE)
    finally:
        os.close(reading)
    assert len(read) == 6 * RATE


@pytest.mark.parametrize("form", ["WAV", "FLAC"])
def test_a_file_on_standard_input_is_read_where_dev_stdin_shares_its_position(tmp_path, form):
    (tmp_path / "a").write_bytes(encoded(format=form))
    code = (
        "import sys, soundfile, soxr; from asr_gru.audio import read_recording; "
        f"sys.platform = 'darwin'; print(len(read_recording('-', {RATE})))"
    )
    with (tmp_path / "a").open("rb") as file:
        printed = subprocess.check_output([sys.executable, "-c", code], stdin=file, text=True)
    assert int(printed) == 6 * RATE


def test_file_objects_may_have_any_name():
    for name in ("a\0b.wav", "a." + "x" * 300, "a./b"):
        file = io.BytesIO(encoded(1.0, format="WAV"))
        file.name = name
        assert len(read_recording(file, RATE)) == RATE


def test_a_warning_about_a_truncated_file_counts_from_its_start(tmp_path):
    (tmp_path / "a.wav").write_bytes(encoded(format="WAV")[: 44 + 2 * 3 * RATE])
    warnings: list[str] = []
    read = read_recording(tmp_path / "a.wav", RATE, start_s=2.0, warnings=warnings)
    assert len(read) == RATE
    assert "ends early, after 3.0 s" in warnings[0]


def test_pipes_that_are_empty_or_contain_text_are_refused(tmp_path):
    for data in (b"", b"this is not audio " * 9):
        path = tmp_path / f"pipe{len(data)}"
        os.mkfifo(path)
        thread = threading.Thread(target=path.write_bytes, args=(data,))
        thread.start()
        with pytest.raises(AudioError, match=path.name):
            read_recording(path, RATE)
        thread.join()


def test_a_file_whose_name_is_not_utf_8_can_be_opened(tmp_path):
    path = tmp_path / os.fsdecode(b"caf\xe9.wav")
    path.write_bytes(encoded(1.0, format="WAV"))
    assert len(read_recording(path, RATE)) == RATE


def test_later_parts_with_unreadable_headers_are_left_out_with_a_warning(tmp_path):
    path = tmp_path / "a.flac"
    whole = encoded(2.0, format="FLAC")
    path.write_bytes(whole + whole[:60])  # the header of a second file, cut off
    with open_recording(path) as recording:
        assert sum(map(len, recording.blocks())) == 2 * RATE
        (warning,) = recording.warnings
    assert warning.startswith(f"{path}: 1 of 2 concatenated parts cannot be decoded")


@pytest.fixture
def counted(monkeypatch):
    """Return a function that parses an mp3 and also returns how many bytes were read."""

    def parse(path):
        read = 0

        class Counted(io.BytesIO):
            def read(self, size=-1):
                nonlocal read
                data = super().read(size)
                read += len(data)
                return data

        file = Counted(path.read_bytes())
        with monkeypatch.context() as patch:
            patch.setattr(type(path), "open", lambda *_, **__: file)
            return mpeg_layout(path), read

    return parse


def test_damage_between_all_frames_is_skipped_without_reading_far(tmp_path, counted):
    """Bytes read are counted, not timed."""
    frame = bytes([0xFF, 0xF3, 0x14, 0xC4]) + bytes(20)
    path = tmp_path / "a.mp3"
    path.write_bytes((2 * frame + b"\0") * 500)
    layout, read = counted(path)
    ((_, *extents),) = layout.links
    assert len(extents) == 500
    assert read < 500 * 10_000


@pytest.mark.parametrize("junk", [b"ID3" + bytes([128] * 7), b"ID3\x04" + bytes(6) + b"x"])
def test_tags_without_frames_are_passed_without_reading_far(tmp_path, counted, junk):
    """Neither what only begins like a tag nor many short tags make parsing quadratic."""
    path = tmp_path / "a.mp3"
    path.write_bytes(junk * 1500)
    layout, read = counted(path)
    assert not layout.links
    assert read < 1500 * 5_000
