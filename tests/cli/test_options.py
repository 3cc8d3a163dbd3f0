"""Every option of every command appears in a test and has an effect."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import click
import pytest

from asr_gru.cli import COMMANDS
from asr_gru.server.context import ServerContext
from asr_gru.streaming.endpoint import EndpointRules

TESTS = Path(__file__).parents[1]


def options():
    """Yield the longest name of each option of each command."""
    waiting = [
        (name, importlib.import_module(f"asr_gru.cli.{name.replace('-', '_')}").command)
        for name in COMMANDS
    ]
    for name, command in waiting:
        if isinstance(command, click.Group):
            waiting += [(f"{name} {sub}", each) for sub, each in command.commands.items()]
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                yield name, max(parameter.opts, key=len)


@pytest.mark.parametrize("group", ["language-model", "lexicon"])
def test_lists_of_commands_are_not_cut(run, group):
    assert "..." not in run(group, "--help").out.partition("Commands:")[2]


def test_every_option_of_recognition_has_a_help_text():
    for name in ("transcribe", "live", "serve", "align", "evaluate"):
        command = importlib.import_module(f"asr_gru.cli.{name}").command
        bare = [
            one.name for one in command.params if isinstance(one, click.Option) and not one.help
        ]
        assert bare == [], name


def test_every_option_is_used_in_a_test():
    texts = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py"))
    found = set(options())
    assert ("serve", "--origin") in found
    assert ("language-model train", "--order") in found
    assert [pair for pair in found if f'"{pair[1]}"' not in texts] == []


@pytest.fixture
def served(run, model, monkeypatch):
    """Return a function that returns the context of ``asr-gru serve`` without serving."""

    def call(*arguments) -> ServerContext:
        contexts: list[ServerContext] = []
        monkeypatch.setattr(
            "asr_gru.server.run.serve", lambda context, _sockets, **_rest: contexts.append(context)
        )
        result = run("serve", "--port", "0", "--model", model, *arguments)
        assert result.status == 0, result.err
        return contexts[0]

    return call


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--clients", 7),
        ("--session-s", 8.5),
        ("--idle-s", 9.5),
        ("--message-bytes", 70_000),
        ("--slow-reader-s", 3.5),
        ("--behind-s", 4.5),
        ("--lag-s", 3.5),
        ("--upload-bytes", 80_000),
        ("--upload-s", 60.5),
        ("--uploads", 3),
        ("--queued-uploads", 5),
    ],
)
def test_limits_are_passed_to_the_server(served, option, value):
    name = option[2:].replace("-", "_")
    assert getattr(served().limits, name) != value
    assert getattr(served(option, value).limits, name) == value


def test_the_key_of_the_variable_is_read_like_that_of_a_file(served, monkeypatch):
    monkeypatch.setenv("ASR_GRU_API_KEY", "a-key-of-twenty-characters\n")
    assert served().access.key == "a-key-of-twenty-characters"


def test_origins_strict_models_and_decoders_are_passed_to_the_server(served):
    plain, configured = (
        served(),
        served(
            *("--origin", "https://a.example", "--origin", "http://b.example:8080"),
            *("--strict-model", "--endpoint", "1.5", "--beam", "4"),
        ),
    )
    assert (plain.access.origins, plain.strict_model) == (frozenset(), False)
    assert configured.access.origins == {"https://a.example", "http://b.example:8080"}
    assert configured.strict_model
    assert plain.endpoint == EndpointRules.normal()
    assert configured.endpoint.trailing_s == 1.5
    assert type(plain.recognizer.decoder) is not type(configured.recognizer.decoder)


def test_a_backend_that_the_model_has_no_weights_for_is_refused(run, model, recording):
    for command in ("transcribe", "evaluate"):
        result = run(command, "--model", model, "--backend", "torch", recording)
        assert result.status == 1
        assert result.err.count("\n") == 1
    assert "--weights" in run("transcribe", "--model", model, "--backend", "torch", recording).err


@pytest.mark.parametrize("option", ["--parameter", "--knob"])
def test_only_the_given_parameters_are_tuned(run, word_model, recording, tmp_path, option):
    (tmp_path / "list.tsv").write_text(f"path\ttext\n{recording}\ta cat\n")
    tuned = run(
        *("tune", word_model, tmp_path / "list.tsv", "--dry-run", "--rounds", "1"),
        *(option, "word_bonus"),
    )
    assert tuned.status == 0, tuned.err
    heads, *rows = [line.split() for line in tuned.out.splitlines() if line[0] == " "]
    assert heads == ["word_bonus", "list", "mean", "WER", "%"]
    assert len({row[0] for row in rows}) > 1


def test_export_writes_card_name_and_weights(run, data):
    (data / "elsewhere").mkdir()
    config = (data / "tiny.toml").rename(data / "elsewhere" / "tiny.toml")
    place = ("--run-dir", data / "run", "--cache", data / "cache")
    lost = run("train", config, *place)
    assert (lost.status, "list.tsv" in lost.err) == (1, True)
    changes = ("--set", "epochs=100000")
    trained = run("train", config, *place, *changes, "--root", data, "--minutes", "0.02")
    assert trained.status == 0, trained.err
    (data / "card.toml").write_text(
        'language = "fr"\nlicence = "MIT"\ntime_shift_s = -0.25\n'
        '[[sources]]\nname = "tones"\nlicence = "CC0"\n'
    )
    exported = run(
        *("export", data / "run", data / "folder", "--bound", "1000"),
        *("--calibration", data / "list.tsv", "--check", data / "list.tsv"),
        *("--card", data / "card.toml", "--name", "tones", "--float", "--weights"),
    )
    assert exported.status == 0, exported.err
    config = json.loads((data / "folder" / "config.json").read_text())
    assert (config["name"], config["language"], config["licence"]) == ("tones", "fr", "MIT")
    assert config["time_shift_s"] == -0.25
    assert config["sources"][0]["name"] == "tones"
    assert {"acoustic.float.onnx", "weights.npz"} <= set(config["files"])
    texts = [
        run("transcribe", "--model", data / "folder", "--backend", name, data / "0.wav").out
        for name in ("onnx", "torch")
    ]
    assert texts[0] == texts[1]
    judged = run(*("evaluate", "--model", data / "folder", "--backend", "torch", data / "list.tsv"))
    assert judged.status == 0, judged.err


@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize(
    "command",
    [
        ["train", "run.toml", "--minutes"],
        ["transcribe", "a.wav", "--rejection"],
    ],
    ids=lambda command: command[0],
)
def test_numbers_that_are_not_finite_are_refused(run, command, value):
    result = run(*command, value)
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert command[-1] in result.err


def test_words_of_low_confidence_are_left_out_or_marked(run, model, recording):
    def transcribe_to_json(*arguments):
        result = run("transcribe", "--model", model, "--format", "json", *arguments, recording)
        assert result.status == 0, result.err
        return json.loads(result.out)

    whole = transcribe_to_json()
    words = [word for segment in whole["segments"] for word in segment["words"]]
    assert words
    assert transcribe_to_json("--minimum-confidence", "1")["text"] == ""
    assert transcribe_to_json("--minimum-confidence", "0") == whole
    marked = transcribe_to_json("--minimum-confidence", "1", "--mark-uncertain")
    assert marked["text"] == " ".join(f"[{word['text']}?]" for word in words)


@pytest.mark.parametrize("command", ["transcribe", "live"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--mark-uncertain"], "--minimum-confidence"),
        (["--minimum-confidence", "1.5"], "--minimum-confidence"),
        (["--minimum-confidence", "nan"], "--minimum-confidence"),
    ],
)
def test_invalid_minimum_confidences_are_refused(run, command, options, message):
    source = ["a.wav"] if command == "transcribe" else ["--from-file", "a.wav"]
    result = run(command, *options, *source)
    assert result.status in (1, 2)
    assert (message in result.err, result.err.count("\n")) == (True, 1)
