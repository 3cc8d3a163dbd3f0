"""Synthetic recordings, invalid inputs and small models."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("desk", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


def pytest_addoption(parser):
    parser.addoption(
        "--manifest", action="append", help="recordings for tests/real/test_recordings.py"
    )


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # As in the background of a shell. Programs that tests start would ignore Ctrl-C as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def tone(seconds=1.0, rate=16_000, hz=440.0):
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(
        "float32"
    )


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(2.0), 16_000)
    return path


@pytest.fixture
def bad_inputs(tmp_path) -> dict[str, Path]:
    """Inputs that must be refused, by what is wrong with each."""
    folder = tmp_path / "bad"
    folder.mkdir()
    files = {
        "zero bytes": ("zero.wav", b""),
        "text": ("text.wav", b"this is not audio at all, it is text\n" * 20),
        "header only half": ("half.wav", b"RIFF\x24\x00\x00\x00WAVEfm"),
        "noise of bytes": ("bytes.flac", bytes(range(256)) * 20),
        "flac magic alone": ("magic.flac", b"fLaC" + b"\0" * 60),
    }
    table = {}
    for what, (name, data) in files.items():
        (folder / name).write_bytes(data)
        table[what] = folder / name
    soundfile.write(folder / "nan.wav", np.full(1600, np.nan, "float32"), 16_000, "FLOAT")
    table["NaN samples"] = folder / "nan.wav"
    soundfile.write(folder / "rate.wav", tone(0.1), 5)
    table["5 Hz"] = folder / "rate.wav"
    table["missing"] = folder / "missing.wav"
    (folder / "empty folder").mkdir()
    table["folder without audio"] = folder / "empty folder"
    for what, name, target in (
        ("link to nothing", "nothing.wav", "nowhere.wav"),
        ("link to itself", "itself.wav", "itself.wav"),
    ):
        (folder / name).symlink_to(target)
        table[what] = folder / name
    table["name that no disk takes"] = folder / f"{'x' * 300}.wav"
    table["a file as a folder"] = folder / "text.wav" / "talk.wav"
    if os.geteuid():  # the superuser reads everything
        soundfile.write(folder / "locked.wav", tone(0.1), 16_000)
        (folder / "locked.wav").chmod(0)
        table["no permission"] = folder / "locked.wav"
    return table


@pytest.fixture(scope="session")
def bundled():
    """The recogniser of the bundled model."""
    from asr_gru.recognizer import Recognizer

    return Recognizer.load()


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A model directory with an untrained network that outputs many letters."""
    import torch

    from asr_gru.export.exporter import Card, export_model
    from asr_gru.model.net_config import EncoderConfig, NetConfig
    from asr_gru.nn.net import AcousticNet
    from asr_gru.text import build_character_tokenizer

    torch.manual_seed(1)
    tokens = build_character_tokenizer(["abcdefghij "])
    net = AcousticNet(NetConfig(encoder=EncoderConfig(width=32, layers=1)), len(tokens)).eval()
    net.encoder.head.weight.data *= 8
    noise = 0.1 * np.random.default_rng(0).standard_normal(32_000, dtype=np.float32)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    card = Card(name="tiny", language="en", licence="CC0")
    export_model(
        net, tokens, folder, card, calibration=[noise], check=[(noise, "a b")], bound=1000.0
    )
    return folder


ARPA = """\\data\\
ngram 1=8
ngram 2=3

\\1-grams:
-2.0\t<unk>
-99\t<s>\t-0.5
-0.8\t</s>
-0.6\ta\t-0.4
-0.7\tback
-0.9\tcat\t-0.2
-1.1\ttack
-1.3\tbob

\\2-grams:
-0.2\t<s> a
-0.3\ta cat
-0.5\tcat back

\\end\\
"""


@pytest.fixture(scope="session")
def word_model(tmp_path_factory):
    """A model directory with phones, a lexicon and a language model; it finds words in noise."""
    import torch

    from asr_gru.export.exporter import Card, export_model
    from asr_gru.language import LanguageModel, Lexicon, read_arpa
    from asr_gru.model.net_config import EncoderConfig, NetConfig
    from asr_gru.nn.net import AcousticNet
    from asr_gru.text import PhoneTokenizer

    torch.manual_seed(2)
    tokens = PhoneTokenizer(["AA", "B", "K", "T"])
    net = AcousticNet(NetConfig(encoder=EncoderConfig(width=32, layers=1)), len(tokens)).eval()
    net.encoder.head.weight.data *= 8
    spoken = {"a": "AA", "back": "B AA K", "cat": "K AA T", "tack": "T AA K", "bob": "B AA B"}
    entries = [(word, tuple(phones.split())) for word, phones in spoken.items()]
    lexicon = Lexicon.build([*entries, ("cat", ("K", "T"))], tokens.symbols[1:])
    noise = 0.1 * np.random.default_rng(0).standard_normal(32_000, dtype=np.float32)
    folder = tmp_path_factory.mktemp("models") / "words"
    arpa = folder.with_name("words.arpa")
    arpa.write_text(ARPA)
    export_model(
        net,
        tokens,
        folder,
        Card(name="words", language="en", licence="CC0"),
        calibration=[noise],
        check=[(noise, "a cat")],
        bound=1000.0,
        lexicon=lexicon,
        language_model=LanguageModel.build(read_arpa(arpa)),
    )
    return folder
