"""Every benchmark and study runs on small input and prints its table."""

import ctypes.util
import importlib
import importlib.util
import re
from pathlib import Path

import pytest

from asr_gru.data.manifest import read_manifest
from benchmarks._common import AUDIO_SAMPLES, make_parser, read_lists

ROOT = Path(__file__).parents[2]

COMMANDS = {
    "benchmarks.accuracy.alignment": ["{manifest}"],
    "benchmarks.accuracy.beam_width": ["{manifest}", "--every", "1"],
    "benchmarks.accuracy.text_doubt": ["{manifest}"],
    "benchmarks.accuracy.confidence": ["{manifest}"],
    "benchmarks.accuracy.hot_words": ["{manifest}", "--count", "2", "--weights", "4"],
    "benchmarks.accuracy.int8": ["{manifest}", "--calibration", "{manifest}"],
    "benchmarks.accuracy.level": ["{manifest}"],
    "benchmarks.accuracy.orders": [
        *("--noise", "{noise}", "--sentences", "4", "--snr", "24", "--open", "{manifest}"),
    ],
    "benchmarks.accuracy.peers": ["pocketsphinx", "{manifest}"],
    "benchmarks.accuracy.phones": ["{manifest}"],
    "benchmarks.accuracy.phrases": ["{manifest}", "--open", "{manifest}"],
    "benchmarks.accuracy.pronunciation": ["--words", "100", "--learn-from", "2000"],
    "benchmarks.accuracy.silence_and_noise": ["--noise", "{noise}", "--minutes", "0.1"],
    "benchmarks.accuracy.speech_detector": ["{manifest}", "--noise", "{noise}", "--kept", "0", "1"],
    "benchmarks.accuracy.word_times": ["{manifest}"],
    "benchmarks.latency": ["--rows", "synthetic", "--seconds", "4", "--through", "stream"],
    "benchmarks.latency.endpoint": ["{manifest}", "--utterances", "2"],
    "benchmarks.latency.shown_words": ["{manifest}", "--every", "1", "--steps-ms", "160", "80"],
    "benchmarks.memory.live_soak": [
        *("--recording", "{recording}", "--hours", "0.002", "--every", "0.05"),
        *("--silence", "0.001", "--paced", "0.2"),
    ],
    "benchmarks.memory.long_recording": ["{recording}", "--minutes", "0.1"],
    "benchmarks.server.load": ["{recording}", "--clients", "2", "--seconds", "1"],
    "benchmarks.speed.against_commit": ["HEAD", "{recording}", "--rounds", "1"],
    "benchmarks.speed.cold_start": ["{recording}", "--times", "1"],
    "benchmarks.speed.frontend_cost": ["--rounds", "1", "--layers", "1", "--width", "32"],
    "benchmarks.speed.real_time_factor": ["{recording}", "--tries", "1", "--steps-ms", "80", "160"],
    "benchmarks.training.loop_speed": [
        *("--steps", "1", "--rounds", "1", "--recordings", "40", "--batch-s", "8"),
        *("--width", "32", "--layers", "1"),
    ],
    "benchmarks.training.sampler": ["--lines", "1000"],
    "benchmarks.training.step_speed": [
        *("--tries", "1", "--batch", "2", "--seconds", "1"),
        *("--layers", "1", "--width", "32"),
    ],
    "studies.endpoint_state": ["{manifest}", "--group", "1"],
    "studies.level_training": [
        *("--train", "{manifest}", "--phones", "{phones}", "--cache", "{cache}", "--steps", "1"),
        *("--check", "{manifest}", "--check-phones", "{phones}", "--batch-s", "3"),
    ],
    "studies.resampling": ["{manifest}"],
}
HEADERS = {
    "benchmarks.accuracy.alignment": "list words false % found % precise % extra %",
    "benchmarks.accuracy.beam_width": "beam width one RTF",
    "benchmarks.accuracy.text_doubt": "list text utterances median suspicious %",
    "benchmarks.accuracy.confidence": "confidence words correct %",
    "benchmarks.accuracy.hot_words": "list weight caution recall % rest WER % false/h misheard RTF",
    "benchmarks.accuracy.int8": "in int8 MB KL of 99 % same %",
    "benchmarks.accuracy.level": "WER % en-small",
    "benchmarks.accuracy.orders": "dB voice right % words % wrong %",
    "benchmarks.accuracy.peers": "list words WER % RTF WER % RTF",
    "benchmarks.accuracy.phones": "decoder one RTF",
    "benchmarks.accuracy.phrases": "list rejection stray right % wrong % WER % open %",
    "benchmarks.accuracy.pronunciation": "rule words wrong % by letters %",
    "benchmarks.accuracy.silence_and_noise": "minutes words",
    "benchmarks.accuracy.speech_detector": "shown kept words/h one (1) WER % empty right",
    "benchmarks.accuracy.word_times": "against words median ms 90 % ms late ms early %",
    "benchmarks.latency": "of the delay until shown, ms mean p50 p90 p99",
    "benchmarks.latency.endpoint": "mode early length gaps late none silence incomplete after p90",
    "benchmarks.latency.shown_words": "step ms share shown revised % p50 ms p90 ms",
    "benchmarks.memory.live_soak": "h of silence",
    "benchmarks.memory.long_recording": "minute MB",
    "benchmarks.server.load": "clients whole p50 p90 p99 max server clients refused, broken",
    "benchmarks.speed.against_commit": "equal to the bit log-probs text live",
    "benchmarks.speed.cold_start": "best median",
    "benchmarks.speed.frontend_cost": "front end ms per step cores per stream more",
    "benchmarks.speed.real_time_factor": "batch ms per step real-time factor per stream",
    "benchmarks.training.loop_speed": "package against usual",
    "benchmarks.training.sampler": "start over 1000 utterances",
    "benchmarks.training.step_speed": "whole step",
    "studies.endpoint_state": "state kept",
    "studies.level_training": "frames wrong % fixed statistics",
    "studies.resampling": "rate quality WER % other text lag ms",
}
POCKETSPHINX = {"benchmarks.accuracy.peers", "benchmarks.accuracy.word_times"}
FLITE = {"benchmarks.latency", "benchmarks.accuracy.orders"}


def mains() -> set[str]:
    """Return every module of the folders that can be run as a program."""
    found = set()
    for folder in ("benchmarks", "studies"):
        for path in (ROOT / folder).rglob("*.py"):
            if "\ndef main(" in path.read_text(encoding="utf-8"):
                parts = path.relative_to(ROOT).with_suffix("").parts
                found.add(".".join(part for part in parts if part != "__main__"))
    return found


def test_every_benchmark_has_a_line_here_and_in_its_readme():
    assert mains() == set(COMMANDS) == set(HEADERS)
    for folder in ("benchmarks", "studies"):
        text = (ROOT / folder / "README.md").read_text(encoding="utf-8")
        named = set(re.findall(rf"`python -m ({folder}[.\w]*)", text))
        assert named == {name for name in COMMANDS if name.startswith(folder)}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("inputs")
    recording = AUDIO_SAMPLES / "read.flac"
    (folder / "noise").mkdir()
    (folder / "noise" / "read.flac").symlink_to(recording)
    manifest = folder / "one.tsv"
    header = "path\tduration_s\ttext\tsource\n"
    manifest.write_text(f"{header}{recording}\t2.54\twhy do i know you\tsample\n", encoding="utf-8")
    phones = folder / "phones.tsv"
    times = "SIL 0.4 W 0.6 AY 1.0 SIL 2.5"
    phones.write_text(f"path\tphones\n{recording}\t{times}\n", encoding="utf-8")
    return {
        "recording": str(recording),
        "manifest": str(manifest),
        "noise": str(folder / "noise"),
        "phones": str(phones),
        "cache": str(folder / "cache"),
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_a_benchmark_prints_its_table(name, inputs, capsys):
    if name in POCKETSPHINX:
        pytest.importorskip("pocketsphinx")
    if name in FLITE and ctypes.util.find_library("flite") is None:
        pytest.skip("flite is not installed")
    if "HEAD" in COMMANDS[name] and not (ROOT / ".git").exists():
        pytest.skip("needs the project's git repository")
    folder = importlib.util.find_spec(name).submodule_search_locations
    module = importlib.import_module(f"{name}.__main__" if folder else name)
    module.main([word.format(**inputs) for word in COMMANDS[name]])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert any(line.startswith("# ") and "OMP_NUM_THREADS" in line for line in lines)
    (header, *_) = [number for number, line in enumerate(lines) if HEADERS[name] in line]
    assert re.search(r"\d|yes", " ".join(lines[header:])), lines


def test_all_benchmarks_parse_common_arguments_alike(capsys):
    parser = make_parser("What it prints.", recording=True, every=8)
    assert parser.parse_args([]).recording == AUDIO_SAMPLES / "long.ogg"
    parser = make_parser("What it prints.", manifests=True, every=8)
    manifest = AUDIO_SAMPLES / "samples.tsv"
    options = parser.parse_args([str(manifest), "--every", "2"])
    assert read_lists(options) == {"samples": read_manifest(manifest)[::2]}
    for bad in ("0", "-1", "x", "1.5"):
        with pytest.raises(SystemExit):
            parser.parse_args(["--every", bad])
    assert "is not a whole number from 1" in capsys.readouterr().err


def test_the_reliability_diagram_is_drawn(inputs, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    module = importlib.import_module("benchmarks.accuracy.confidence")
    path = tmp_path / "reliability.png"
    module.main([inputs["manifest"], "--plot", str(path)])
    assert path.read_bytes().startswith(b"\x89PNG")
    assert "AUC" in capsys.readouterr().out
