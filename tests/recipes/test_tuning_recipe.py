"""The search of hyperparameters: folds, space, pruning, and a whole search on tones."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest
import soundfile
from PIL import Image

from asr_gru.data.manifest import Utterance, read_manifest, write_manifest
from asr_gru.errors import ConfigError, DataError, MissingExtraError
from asr_gru.training.config_file import load_train_config
from asr_gru.training.run import locked
from recipes.tuning import folds, search
from recipes.tuning.__main__ import BASE, load_base, main

LARGEST_PICTURE = 80_000
CONFIG = load_train_config(BASE)
PARAMETERS = search.base_parameters(CONFIG)


def utterances(durations: dict[str, list[float]]) -> list[Utterance]:
    return [
        Utterance(Path(f"{speaker}-{n}.wav"), "a", duration_s=duration_s, speaker=speaker)
        for speaker, own in durations.items()
        for n, duration_s in enumerate(own)
    ]


def test_folds_have_no_speaker_in_common_and_are_about_equally_long():
    speech = utterances({f"s{n}": [1.0 + n % 4] * (1 + n % 3) for n in range(17)})
    parts = folds.split_speakers(speech, 3)
    assert sorted(u.path for part in parts for u in part) == sorted(u.path for u in speech)
    speakers = [{u.speaker for u in part} for part in parts]
    assert sum(map(len, speakers)) == len(set.union(*speakers))
    totals = [sum(u.duration_s for u in part) for part in parts]
    assert max(totals) - min(totals) < 0.1 * sum(totals)


def test_folds_need_speakers():
    with pytest.raises(DataError, match="2 speakers for 3 folds"):
        folds.split_speakers(utterances({"a": [1.0], "b": [1.0]}), 3)
    with pytest.raises(DataError, match=r"-0\.wav: has no speaker"):
        folds.split_speakers(utterances({"": [1.0], "b": [1.0]}), 2)


def test_each_fold_is_trained_on_the_others(tmp_path):
    speech = utterances({f"s{n}": [1.0] for n in range(6)})
    written = folds.write_folds(speech, 3, tmp_path)
    held_out = []
    for folder in written:
        train, dev = (read_manifest(folder / name) for name in ("train.tsv", "dev.tsv"))
        assert len(train) == 4
        assert not {u.speaker for u in train} & {u.speaker for u in dev}
        held_out += [u.speaker for u in dev]
    assert sorted(held_out) == sorted({u.speaker for u in speech})


def test_the_first_trial_is_the_base():
    assert search.configure(CONFIG, PARAMETERS) == CONFIG


def test_the_lists_of_a_configuration_are_those_of_the_folds():
    changes = ['data.train=["own.tsv"]', "data.validation=[]"]
    assert load_base(BASE, changes) == CONFIG


def test_every_parameter_changes_its_key():
    other = {
        "layers": 3, "width": 64, "dropout": 0.25, "optimiser": "muon", "rate_factor": 0.5,
        "batch_s": 12.0,
    }  # fmt: skip
    config = search.configure(CONFIG, other)
    assert (config.encoder.layers, config.encoder.width, config.encoder.dropout) == (3, 64, 0.25)
    assert (config.optimiser.name, config.optimiser.learning_rate) == ("muon", 5e-3)
    assert config.data.batch_s == 12.0
    assert set(other) == set(PARAMETERS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("encoder.width=100", "encoder.width = 100 is not searched; give one of 64, 96"),
        ("encoder.layers=9", "layers of the base is 9, and 1 to 4 is searched"),
        ("optimiser.name=adam", "optimiser.name = 'adam' is not searched"),
        ("optimiser.learning_rate=1.0", "rate_factor of the base is 166.667"),
        ("ctc_crf_weight=0.9", "ctc_crf_weight: not supported in trials"),
        ("distillation.teacher=large", "distillation.teacher: not supported"),
        ("optimiser.accumulate=2", "optimiser.accumulate: not supported"),
    ],
)
def test_a_base_outside_the_space_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        search.base_parameters(load_train_config(BASE, [change]))


def plan_of(tmp_path: Path, **changes) -> search.Plan:
    places = [tmp_path / "fold-1", tmp_path / "fold-2"]
    plan = search.Plan(CONFIG, places, tmp_path / "cache", 1, "median", lambda _line: None)
    return plan._replace(**changes)


def fake_training(losses: dict[int, float], trained: list):
    """Return a training whose loss falls by a tenth each epoch, from a value for its layers."""

    def train(config, fold, _cache, on_epoch):
        layers = config.encoder.layers
        for epoch in range(config.epochs):
            trained.append((layers, fold.name, epoch))
            on_epoch(epoch, losses[layers] * 0.9**epoch)
        return folds.FoldResult(losses[layers] * 0.9**config.epochs, 10.0)

    return train


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_bad_trials_are_pruned_on_the_first_fold(tmp_path, monkeypatch, pruner):
    trained: list = []
    losses = {1: 1.0, 2: 1.1, 3: 5.0, 4: 6.0}
    monkeypatch.setattr(search, "train_fold", fake_training(losses, trained))
    plan = plan_of(tmp_path, pruner=pruner)
    study = search.open_study(tmp_path / "study.db", plan, {"speech": "s"})
    search.run_trials(study, plan, 10)
    assert search.finished(study) == 10
    pruned = [t for t in study.trials if t.state == optuna.trial.TrialState.PRUNED]
    assert pruned
    assert all(len(t.intermediate_values) <= CONFIG.epochs for t in pruned)
    complete = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
    epochs = sum(len(t.intermediate_values) for t in pruned)
    assert len(trained) == epochs + 2 * CONFIG.epochs * len(complete)
    assert study.best_trial.params["layers"] == 1
    assert study.best_trial.user_attrs["losses"] == [losses[1] * 0.9**CONFIG.epochs] * 2


def test_without_a_pruner_every_trial_is_completed(tmp_path, monkeypatch):
    monkeypatch.setattr(search, "train_fold", fake_training(dict.fromkeys(range(5), 2.0), []))
    plan = plan_of(tmp_path, pruner="none")
    study = search.open_study(tmp_path / "study.db", plan, {"speech": "s"})
    search.run_trials(study, plan, 7)
    assert all(t.state == optuna.trial.TrialState.COMPLETE for t in study.trials)


def test_a_trial_that_diverges_is_pruned(tmp_path, monkeypatch):
    losses = {**dict.fromkeys(range(5), 2.0), PARAMETERS["layers"]: float("nan")}
    monkeypatch.setattr(search, "train_fold", fake_training(losses, []))
    plan = plan_of(tmp_path, pruner="none")
    study = search.open_study(tmp_path / "study.db", plan, {"speech": "s"})
    search.run_trials(study, plan, 1)
    assert study.trials[0].state == optuna.trial.TrialState.PRUNED


def test_a_trial_that_diverges_on_a_later_fold_is_pruned(tmp_path, monkeypatch):
    def train(config, fold, _cache, on_epoch):
        loss = 2.0 if fold.name == "fold-1" else float("nan")
        on_epoch(0, loss)
        return folds.FoldResult(loss, 10.0)

    monkeypatch.setattr(search, "train_fold", train)
    plan = plan_of(tmp_path, pruner="none")
    study = search.open_study(tmp_path / "study.db", plan, {"speech": "s"})
    search.run_trials(study, plan, 2)
    assert [t.state for t in study.trials] == [optuna.trial.TrialState.PRUNED] * 2


def test_a_stopped_trial_is_run_again(tmp_path, monkeypatch):
    def stopped(*_arguments):
        raise KeyboardInterrupt

    plan = plan_of(tmp_path)
    study = search.open_study(tmp_path / "study.db", plan, {"speech": "s"})
    monkeypatch.setattr(search, "train_fold", fake_training(dict.fromkeys(range(5), 2.0), []))
    search.run_trials(study, plan, 2)
    trial = study.ask()  # a process that was killed leaves a running trial
    search.suggest(trial)
    study = search.open_study(tmp_path / "study.db", plan, {"speech": "s"})
    search.run_trials(study, plan, 3)
    assert search.finished(study) == 3
    assert study.trials[-1].params == study.trials[2].params
    assert study.trials[2].state == optuna.trial.TrialState.FAIL
    monkeypatch.setattr(search, "train_fold", stopped)
    with pytest.raises(KeyboardInterrupt):
        search.run_trials(study, plan, 4)
    interrupted = study.trials[-1].params
    for _ in range(2):  # it is queued once, however often the study is opened
        study = search.open_study(tmp_path / "study.db", plan, {"speech": "s"})
    assert search.finished(study) == 3
    monkeypatch.setattr(search, "train_fold", fake_training(dict.fromkeys(range(5), 2.0), []))
    search.run_trials(study, plan, 4)
    assert search.finished(study) == 4
    assert study.trials[-1].params == interrupted
    assert not study.get_trials(states=(optuna.trial.TrialState.WAITING,))


def test_a_study_of_something_else_is_refused(tmp_path):
    plan = plan_of(tmp_path)
    search.open_study(tmp_path / "study.db", plan, {"speech": "one", "configuration": 1})
    with pytest.raises(ConfigError, match=r"study\.db: holds a study with another speech; give"):
        search.open_study(tmp_path / "study.db", plan, {"speech": "two", "configuration": 1})
    (tmp_path / "other.db").write_bytes(b"not a database at all, but long enough to be one" * 30)
    with pytest.raises(ConfigError, match=r"other\.db: not a study"):
        search.open_study(tmp_path / "other.db", plan, {"speech": "one"})


def test_a_missing_optuna_is_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install '\.\[tuning\]'"):
        search.load_optuna()
    assert main(["--train", str(tmp_path / "none.tsv")]) == 2
    assert capsys.readouterr().err.startswith("error: optuna is not installed; run: pip install")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """Words written in tones, one for each letter, by four speakers of different pitch."""
    folder = tmp_path_factory.mktemp("tones")
    random = np.random.default_rng(0)
    utterances = []
    for number in range(24):
        speaker, said = number % 4, "".join(random.choice(list("abc"), 4))
        time = np.arange(1600) / 16000
        tones = [np.sin(2 * np.pi * (300 + 40 * speaker) * (1 + ord(c) - 97) * time) for c in said]
        path = folder / f"{number}.wav"
        soundfile.write(path, 0.2 * np.concatenate(tones), 16000)
        utterances.append(Utterance(path, said, duration_s=0.4, speaker=f"speaker-{speaker}"))
    write_manifest(folder / "speech.tsv", utterances)
    return folder / "speech.tsv"


SMALL = [
    "--folds", "2", "--longest-s", "20", "--hours", "0.1", "--set", "epochs=2",
    "--set", 'data.tokens="characters"', "--set", "encoder.layers=1", "--set", "encoder.width=64",
    "--pruner", "none",
]  # fmt: skip


def test_a_search_is_resumed_and_repeatable(corpus, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(search, "WIDTHS", (64,))
    monkeypatch.setattr(search, "LAYERS", (1, 1))
    command = ["--train", str(corpus), "--output", str(tmp_path / "study"), *SMALL]
    assert main([*command, "--trials", "1"]) == 0
    first = capsys.readouterr().out.splitlines()
    assert first[-1].startswith("best: --set encoder.layers=1 --set encoder.width=64")
    assert main([*command, "--trials", "3"]) == 0
    printed = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in printed[1:4]]
    assert sorted(int(row[0]) for row in rows) == [0, 1, 2]
    losses = [float(row[7]) for row in rows]
    assert losses == sorted(losses)
    assert first[1] in printed  # the first trial was not run again
    assert printed[4] == "3 trials, 0 of them pruned; ± is over folds"
    with Image.open(tmp_path / "study" / "importance.png") as image:
        assert image.width > 300
    with locked(tmp_path / "study"):
        assert main([*command, "--trials", "3"]) == 2
    assert "another run is going on here" in (error := capsys.readouterr().err)
    assert "another --output" in error

    again = ["--train", str(corpus), "--output", str(tmp_path / "again"), *SMALL]
    assert main([*again, "--trials", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == first[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--train", "missing.tsv"], "missing.tsv"),
        (
            ["--train", "own.tsv", "--set", "epoch=2"],
            "unknown key 'epoch' (did you mean 'epochs'?)",
        ),
        (["--train", "own.tsv"], "has no speaker"),
    ],
)
def test_wrong_input_is_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    write_manifest("own.tsv", [Utterance(Path("a.wav").absolute(), "a", duration_s=1.0)])
    assert main(arguments) != 0
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_the_picture_of_the_readme_is_small():
    shown = re.findall(r"\]\((\S+\.png)\)", BASE.with_name("README.md").read_text())
    assert [one.name for one in BASE.parent.glob("*.png")] == shown
    assert all(BASE.with_name(name).stat().st_size < LARGEST_PICTURE for name in shown)
