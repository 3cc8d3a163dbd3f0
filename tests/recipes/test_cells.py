"""The comparison of recurrent cells: exact checks, and a small complete run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from asr_gru.errors import ConfigError
from asr_gru.model.net_config import EncoderConfig, FrontendConfig, NetConfig
from asr_gru.nn.net import AcousticNet
from asr_gru.nn.recurrent import RecurrentLayer
from asr_gru.results.words import Phone, Word
from asr_gru.training.run import Run
from recipes.cells import figures as figures_module
from recipes.cells import gates, gradients, pictures, report, rows, verdicts
from recipes.cells.__main__ import main
from recipes.cells.attention import AttentionNet, CausalAttention
from recipes.cells.measure import parameters
from recipes.minute import prepare

ROWS = {row.name: row for row in rows.load_rows()}
FOLDER = Path(report.__file__).parent
LARGEST_PICTURE, ALL_PICTURES = 150_000, 800_000


def small_net(**encoder) -> AcousticNet:
    config = EncoderConfig(**{"layers": 2, "width": 16, "subsampling": 2, **encoder})
    return AcousticNet(NetConfig(frontend=FrontendConfig(mels=8), encoder=config), 5).eval()


def build_net(name: str) -> AcousticNet:
    return rows.net_builder(name)(ROWS[name].config.net, 40, None)


def test_a_gru_has_three_quarters_of_the_recurrent_parameters():
    gru, lstm, rnn = (parameters(build_net(cell)) for cell in ("gru", "lstm", "rnn"))
    width, layers = 128, 2
    assert gru["recurrent"] == layers * 3 * (2 * width * width + 2 * width)
    assert gru["recurrent"] / lstm["recurrent"] == 0.75
    assert gru["matrices"] / lstm["matrices"] == 0.75
    assert rnn["recurrent"] * 4 == lstm["recurrent"]


@pytest.mark.parametrize("name", ["lstm-narrow", "rnn-wide"])
def test_rows_of_equal_parameters_are_within_one_percent_of_the_gru(name):
    counts = [parameters(build_net(row))["all"] for row in ("gru", name)]
    assert counts[1] == pytest.approx(counts[0], rel=0.01)


def test_rows_differ_only_in_what_their_name_says():
    assert ROWS["rnn-no-clip"].config.optimiser.clip == 1e9
    assert ROWS["rnn-uniform"].config.recurrent_init == "uniform"
    assert ROWS["lstm-no-dropout"].config.encoder.dropout == 0.0
    assert all(not (row.after or row.start_from) for row in ROWS.values())
    for name, row in ROWS.items():
        assert row.config.encoder.cell == name.split("-")[0]
        assert verdicts.baseline(name) in ROWS


@pytest.mark.parametrize("weight", [0.5, 1.0, 1.5])
def test_the_gradient_of_a_plain_rnn_is_a_power_of_its_weights(weight):
    layer = RecurrentLayer("rnn", 6)
    rotation = torch.linalg.qr(torch.randn(6, 6)).Q
    with torch.no_grad():
        layer.rnn.weight_ih_l0.copy_(torch.eye(6))
        layer.rnn.weight_hh_l0.copy_(weight * rotation)
    norms = gradients.gradient_norms(
        lambda x: layer(x, layer.start(2))[0], torch.zeros(40, 2, 6), 30, 3
    )
    assert norms.shape == (6, 31)  # at 0, tanh has a slope of 1
    np.testing.assert_allclose(norms, np.tile(weight ** np.arange(31.0), (6, 1)), rtol=1e-4)
    expected = {0.5: 6, 1.0: 30, 1.5: 30}  # 0.5 ** 6 is above 0.01, 0.5 ** 7 below
    assert gradients.horizon(norms[0]) == expected[weight]


def test_without_recurrence_the_gradient_reaches_only_the_previous_block():
    torch.manual_seed(0)
    net = small_net(cell="rnn")
    recordings = [np.random.default_rng(n).normal(0, 0.1, 9000 + n).astype("f4") for n in (0, 7)]
    features = gradients.features_of(net, recordings)
    assert features.shape == (2, 56, 8)
    assert gradients.net_reach(net, features, 20)[20] > 0
    norms = gradients.net_reach(gradients.scale_recurrence(net, 0.0), features, 20)
    assert (norms[:2] > 0).all()
    assert not norms[2:].any()


def test_gates_agree_with_the_equations():
    torch.manual_seed(0)
    layer = RecurrentLayer("gru", 5)
    layer.init_uniform()
    x = torch.randn(9, 2, 5)
    found = gates.gru_gates(layer, x)
    w, u, b, c = (p.detach().double().numpy() for p in layer.rnn.parameters())
    state = np.zeros((2, 5))
    for t in range(9):
        a, h = x[t].double().numpy() @ w.T + b, state @ u.T + c
        reset, update = (1 / (1 + np.exp(-(a + h)[:, n : n + 5])) for n in (0, 5))
        candidate = np.tanh(a[:, 10:] + reset * h[:, 10:])
        state = (1 - update) * candidate + update * state
        np.testing.assert_allclose(found.reset[t], reset, atol=1e-5)
        np.testing.assert_allclose(found.update[t], update, atol=1e-5)
    with torch.no_grad():
        np.testing.assert_allclose(layer(x, layer.start(2))[0][-1], state, atol=1e-5)


def test_gates_of_a_network_agree_with_those_of_its_layers():
    torch.manual_seed(0)
    net = small_net()
    samples = np.random.default_rng(0).normal(0, 0.1, 10 * 320 + 5).astype("f4")
    found = gates.net_gates(net, samples)
    assert [one.update.shape for one in found] == [(10, 1, 16)] * 2
    assert not torch.equal(found[0].update, found[1].update)


def test_events_are_assigned_to_frames():
    vowel = (Phone("B", 0.2, 0.28, 1.0), Phone("IY", 0.28, 0.48, 1.0))
    words = [
        Word("bee", 0.2, 0.48, 1.0, vowel),
        Word("a", 0.61, 0.72, 1.0, (Phone("AH", 0.61, 0.72, 1.0),)),
    ]
    found = gates.event_frames(words, 10, 0.08)  # middles at 0.04, 0.12, ...
    where = {name: np.flatnonzero(flags).tolist() for name, flags in found.items()}
    assert where == {
        "silence": [0, 1, 6, 7, 9],
        "word ends": [5, 6, 8, 9],
        "long vowels": [3, 4, 5],
    }


def test_correlations_find_the_unit_that_follows_an_event():
    random = np.random.default_rng(0)
    flags = random.random(400) < 0.3
    gate = random.random((400, 6)).astype("f4")
    gate[:, 4] = 0.9 - 0.6 * flags
    halves = np.arange(400) < 200
    events = {"silence": flags, "never": np.zeros(400, bool)}
    found = gates.correlate(
        gate, {name: gates.shifted(one) for name, one in events.items()}, halves
    )
    assert found["silence"]["index"] == 4
    assert found["silence"]["unit"] == pytest.approx(-1.0, abs=1e-6)
    mean = gate.mean(axis=1)
    expected = np.corrcoef(mean, flags)[0, 1]
    lags = found["silence"]["mean"]
    assert lags[gates.LAGS.index(0)] == pytest.approx(expected, abs=1e-5)
    assert lags[gates.LAGS.index(1)] == pytest.approx(
        np.corrcoef(mean[1:], flags[:-1])[0, 1], abs=0.02
    )
    assert gates.strongest(lags) == (lags[gates.LAGS.index(0)], 0)
    assert found["silence"]["inside"] == pytest.approx(float(mean[flags].mean()))
    assert "never" not in found


def test_attention_sees_a_limited_number_of_past_frames():
    torch.manual_seed(0)
    layer = CausalAttention(8, heads=2, past=5)
    x = torch.randn(20, 1, 8)
    changed = x.clone()
    changed[10] = torch.randn(8)
    with torch.no_grad():
        moved = (layer(changed) - layer(x)).abs().amax(dim=(1, 2)) > 1e-6
    assert torch.nonzero(moved).flatten().tolist() == [10, 11, 12, 13, 14]


def test_attention_is_refused_before_any_row_is_trained(tmp_path):
    changed = rows.choose_rows(rows.load_rows(["encoder.width=18"]), ["gru", rows.ATTENTION])
    run = Run(tmp_path / "rows", tmp_path / "data", tmp_path / "cache")
    with pytest.raises(ConfigError, match=r"encoder.width = 18 is not a multiple of 4 heads"):
        rows.train_rows(changed, run, print)
    assert not run.folder.exists()


def test_attention_is_the_only_difference_of_its_row():
    gru, attention = build_net("gru"), build_net(rows.ATTENTION)
    assert isinstance(attention, AttentionNet)
    more = parameters(attention)["all"] - parameters(gru)["all"]
    assert more == 2 * 128 + 128 * 3 * 128 + 3 * 128 + 128 * 128 + 128


def row(rate: float, versus: float = 0.0, significant: bool = True) -> dict:
    return {
        "rate": rate,
        "versus": {
            "difference": versus,
            "interval": [versus - 1, versus + 1],
            "significant": significant,
        },
        "parameters": {"all": 100, "recurrent": 75, "matrices": 75},
        "gradient": {"median": 1.0, "largest": 2.0},
    }


def test_differences_count_if_they_exceed_those_between_seeds():
    figures = {
        "rows": {"gru": row(20.0), "gru-seed-2": row(21.5), "gru-no-dropout": row(21.0, 1.0)}
    }
    assert verdicts.seed_spread(figures) == 1.5
    judged = {one.claim: one.verdict for one in verdicts.judge(figures)}
    assert judged["Dropout lowers the error rate."] == verdicts.NO_DIFFERENCE
    figures["rows"]["gru-no-dropout"] = row(22.0, 2.0)
    judged = {one.claim: one.verdict for one in verdicts.judge(figures)}
    assert judged["Dropout lowers the error rate."] == verdicts.HOLDS
    figures["rows"]["gru-no-dropout"] = row(22.0, 2.0, significant=False)
    judged = {one.claim: one.verdict for one in verdicts.judge(figures)}
    assert judged["Dropout lowers the error rate."] == verdicts.NO_DIFFERENCE
    figures["rows"]["gru-no-dropout"] = row(18.0, -2.0)
    judged = {one.claim: one.verdict for one in verdicts.judge(figures)}
    assert judged["Dropout lowers the error rate."] == verdicts.FAILS
    assert list(judged.values()).count(verdicts.NOT_MEASURED) == len(verdicts.CLAIMS) - 1


def test_a_row_that_diverged_is_worse_than_its_baseline():
    figures = {
        "rows": {"gru": row(20.0), "gru-no-clip": row(20.0), "gru-sgd": row(21.0, 1.0)},
        "diverged": ["gru-sgd-no-clip", "rnn-sgd-no-clip"],  # rnn-sgd is not measured
    }
    (found,) = [one for one in verdicts.judge(figures) if one.claim.startswith("Clipping")]
    assert found.verdict == "holds for `gru-sgd`"
    assert "`gru-sgd-no-clip` diverged" in found.evidence
    assert "rnn" not in found.evidence


def test_a_plain_rnn_may_be_worse_at_equal_width_only():
    figures = {"rows": {"gru": row(20.0), "rnn": row(25.0, 5.0), "rnn-wide": row(20.0)}}
    judged = {one.claim: one.verdict for one in verdicts.judge(figures)}
    claim = "Gates are worth their parameters: a plain RNN makes more errors than a GRU."
    assert judged[claim] == "holds for `rnn`"
    figures["rows"]["rnn-wide"] = row(23.0, 3.0)
    assert {one.claim: one.verdict for one in verdicts.judge(figures)}[claim] == verdicts.HOLDS


def test_equal_parameters_are_checked():
    figures = {"rows": {"gru": row(20.0), "lstm-narrow": row(22.0, 2.0)}}
    claim = "At equal parameters, a GRU makes fewer errors than an LSTM."
    assert {one.claim: one.verdict for one in verdicts.judge(figures)}[claim] == verdicts.HOLDS
    figures["rows"]["lstm-narrow"]["parameters"] = {"all": 102, "recurrent": 75, "matrices": 75}
    judged = {one.claim: one for one in verdicts.judge(figures)}
    assert judged[claim].verdict == verdicts.NOT_MEASURED
    assert judged[claim].evidence == "parameters differ: 100 and 102"


def test_a_claim_that_is_not_measured_names_the_missing_row():
    figures = {"rows": {"lstm-narrow": {**row(20.0), "versus": None}}}
    judged = {one.claim: one.evidence for one in verdicts.judge(figures)}
    assert judged["fewer errors than an LSTM at equal parameters"] == "needs 'gru'"


def test_the_committed_report_agrees_with_its_figures():
    figures = json.loads((FOLDER / "results.json").read_text(encoding="utf-8"))
    assert set(figures["rows"]) | set(figures["diverged"]) <= set(ROWS)
    assert (FOLDER / "report.md").read_text(encoding="utf-8") == report.render(figures)
    sizes = [path.stat().st_size for path in (FOLDER / "pictures").glob("*.png")]
    assert len(sizes) == 4
    assert max(sizes) < LARGEST_PICTURE
    assert sum(sizes) < ALL_PICTURES


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speech")
    prepare.prepare(folder, (8, 3, 1), "tones", 1, 1)
    return folder


def arguments(speech, output, *more: str) -> list[str]:
    return [
        *("--train", str(speech / "train.tsv"), "--dev", str(speech / "dev.tsv")),
        *("--output", str(output), "--longest-s", "20", "--frames", "12", "--repeats", "1"),
        *("--set", "epochs=1", "--set", "encoder.width=16", "--set", "gru_kernel=torch", *more),
    ]


def test_one_command_trains_measures_and_writes_the_report(speech, tmp_path, monkeypatch, capsys):
    chosen = ("gru", "lstm", "rnn", rows.ATTENTION)
    assert main(arguments(speech, tmp_path, "--rows", *chosen)) == 0
    written = (tmp_path / "report.md").read_text(encoding="utf-8")
    figures = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert list(figures["rows"]) == list(chosen)
    assert "A GRU has three quarters of the recurrent parameters of an LSTM. | **holds**" in written
    assert figures["rows"]["gru"]["curves"]["gradient norm"][0] > 0
    assert set(figures["speed"]["gru"]) == set(report.SPEED_FORMS)
    assert len(figures["reach"]["trained"]["lstm"]) == 13
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 4
    assert "a stream\nadvances by 200 ms at a time" in written
    assert "## What the gates do" in written
    capsys.readouterr()
    monkeypatch.setattr(
        figures_module, "align_words", lambda corpus, _texts, _log: [()] * len(corpus)
    )
    assert main(arguments(speech, tmp_path, "--rows", "gru", "lstm")) == 0
    progress = capsys.readouterr().err
    assert "stage lstm: finished" in progress
    assert "no text could be aligned" in progress
    assert "## What the gates do" not in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_rows_without_speed_and_gradients_are_reported(speech, tmp_path, monkeypatch, capsys):
    assert main(arguments(speech, tmp_path, "--rows", "gru-rmsprop")) == 0
    written = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "| `gru-rmsprop` |" in written
    assert "## Speed" not in written
    assert "gradients.png" not in written
    capsys.readouterr()
    monkeypatch.setattr(figures_module, "load_trained", lambda _folder, _name: None)
    assert main(arguments(speech, tmp_path, "--rows", "gru-rmsprop")) == 2
    assert "error: nothing to compare: gru-rmsprop diverged" in capsys.readouterr().err


def test_rows_are_not_compared_with_rows_of_other_training_data(speech, tmp_path):
    run = Run(tmp_path / "rows", tmp_path / "data", tmp_path / "cache")
    lists = (speech / "train.tsv", speech / "dev.tsv")
    rows.slice_lists(run, lists, (2.0, 2.0), 20.0)
    chosen = (run.root / "train.tsv").read_bytes()
    rows.slice_lists(run, lists, (0.003, 2.0), 20.0)  # nothing is trained yet
    assert (run.root / "train.tsv").read_bytes() != chosen
    rows.slice_lists(run, lists, (2.0, 2.0), 20.0)
    (run.folder / "gru").mkdir(parents=True)
    with pytest.raises(ConfigError, match="give another --output"):
        rows.slice_lists(run, lists, (0.003, 2.0), 20.0)
    assert (run.root / "train.tsv").read_bytes() == chosen
    rows.slice_lists(run, lists, (2.0, 0.003), 20.0)
    assert sorted(path.name for path in run.root.iterdir()) == ["dev.tsv", "train.tsv"]


def test_rows_that_changes_have_made_equal_are_refused():
    changed = rows.load_rows(["encoder.width=64"])
    with pytest.raises(ConfigError, match="'lstm' and 'lstm-narrow' do not differ"):
        rows.choose_rows(changed, [])
    chosen = rows.choose_rows(changed, ["gru", "lstm", rows.ATTENTION])
    assert [one.name for one in chosen] == ["gru", "lstm", rows.ATTENTION]


def test_invalid_arguments_are_refused(speech, tmp_path, capsys):
    assert main(arguments(speech, tmp_path, "--rows", "gur")) == 2
    assert "no row 'gur' (did you mean 'gru'?)" in capsys.readouterr().err
    assert main(arguments(speech, tmp_path, "--rows", "gru", "--longest-s", "0.1")) == 2
    assert "no utterance of at most 0.1 s" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(arguments(speech, tmp_path, "--hours", "0"))
    assert "0 is not above 0" in capsys.readouterr().err


def test_diverged_rows_are_reported(tmp_path):
    assert rows.load_trained(tmp_path, "rnn") is None
    figures = json.loads((FOLDER / "results.json").read_text(encoding="utf-8"))
    text = report.render({**figures, "diverged": ["rnn-fast"]})
    assert "`rnn-fast` diverged" in text


def test_plots_are_saved_with_a_palette(tmp_path):
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure()
    figure.subplots().imshow(np.random.default_rng(0).random((50, 50)))
    pictures.save(figure, tmp_path / "a" / "picture.png")
    with Image.open(tmp_path / "a" / "picture.png") as image:
        assert image.mode == "P"
