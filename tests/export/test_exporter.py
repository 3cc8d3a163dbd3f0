"""The exported graph agrees with the network, and is bit-identical in chunks and batches."""

from dataclasses import replace

import msgspec
import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from asr_gru.backends import load_acoustic_model
from asr_gru.errors import DataError, ModelError
from asr_gru.export.acoustic_graph import acoustic_graph, state_shapes
from asr_gru.export.calibrate import calibrate
from asr_gru.export.equalise import equalise
from asr_gru.export.exporter import Card, export_model
from asr_gru.model.config import SpeechConfig
from asr_gru.model.directory import ModelDirectory
from asr_gru.model.net_config import EncoderConfig, FrontendConfig, LevelConfig, NetConfig
from asr_gru.model.onnx import OnnxAcousticModel
from asr_gru.nn.net import AcousticNet
from asr_gru.nn.torch_model import TorchAcousticModel, acoustic_info
from asr_gru.text import build_character_tokenizer

KINDS = {
    "gru": {},
    "lstm": {"cell": "lstm"},
    "rnn x3": {"cell": "rnn", "subsampling": 3},
    "look-ahead x2": {"lookahead": 3, "subsampling": 2},
    "bidirectional x6": {"direction": "bi", "subsampling": 6},
    "bidirectional lstm": {"direction": "bi", "cell": "lstm"},
    "chunked": {"direction": "chunked", "chunk_frames": 4, "right_frames": 2},
    "mean of bins": {"level": LevelConfig(cmvn="mean")},
    "bins at a fixed level x6": {
        "level": LevelConfig(cmvn="mean_variance", follow=False, prior_db=0.0),
        "subsampling": 6,
    },
    "conv": {
        "subsampler": "conv",
        "lookahead": 3,
        "level": LevelConfig(cmvn="mean_variance"),
        "frontend": FrontendConfig(remove_dc_offset=True),
    },
    **{
        f"conv x{factor}": {
            "subsampler": "conv",
            "subsampling": factor,
            "conv_channels": 8,
            "level": LevelConfig(cmvn="mean_variance"),
        }
        for factor in (2, 3, 6, 8)
    },
    "chunked conv": {
        "direction": "chunked",
        "chunk_frames": 4,
        "right_frames": 2,
        "subsampler": "conv",
        "level": LevelConfig(cmvn="mean"),
    },
}
RNN = "encoder.forwards"
TOKENS = build_character_tokenizer(["abcdefghij "])


def make_net(level=LevelConfig(), frontend=FrontendConfig(), **encoder):  # noqa: B008
    torch.manual_seed(0)
    config = NetConfig(
        frontend=frontend, level=level, encoder=EncoderConfig(width=32, layers=2, **encoder)
    )
    net = AcousticNet(config, len(TOKENS)).eval()
    net.level.mean += torch.linspace(-7.0, -5.0, len(net.level.mean))
    net.level.scale *= 0.4
    if config.encoder.lookahead:
        net.encoder.lookahead.data.normal_()
    return net


def sound(net, batch=1, frames=16, seed=0):
    random = np.random.default_rng(seed)
    count = frames * net.config.frame_samples
    loudness = np.linspace(0.001, 0.2, count) * random.uniform(0.1, 1.0, (batch, 1))
    return (random.standard_normal((batch, count)) * loudness).astype(np.float32)


def models(net):
    ranges = calibrate(net, [sound(net)[0]])
    info = acoustic_info(net)
    return [OnnxAcousticModel(acoustic_graph(net, r), info) for r in (None, ranges)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_float_graph_agrees_with_the_network(kind):
    """Features, network and states agree to 1e-4."""
    net = make_net(**KINDS[kind])
    samples = sound(net, batch=3)
    expected = TorchAcousticModel(net)
    graph, _ = models(net)
    rows, state = graph.step(samples, graph.start(3))
    wanted, wanted_state = expected.step(samples, expected.start(3))
    np.testing.assert_allclose(rows, wanted, atol=1e-4)
    for one, other in zip(state, wanted_state, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def rms_difference(one, other, samples):
    """Return the RMS difference of the log-probabilities of two models."""
    rows = [model.finish(samples, model.start()) for model in (one, other)]
    return np.sqrt(np.mean((rows[0] - rows[1]) ** 2))


@pytest.mark.parametrize("kind", KINDS)
def test_int8_log_probabilities_are_close_to_float(kind):
    net = make_net(**KINDS[kind])
    samples = sound(net)
    exact, small = models(net)
    assert 0 < rms_difference(exact, small, samples) < 0.03


@pytest.mark.parametrize(
    ("exact", "floats"),
    [
        (("encoder.conv", "encoder.head"), {"encoder.conv.first.weight", "encoder.head.weight"}),
        (
            ("encoder.norms.1", "encoder.forwards.0"),
            {f"{RNN}.1.rnn.weight_ih_l0", f"{RNN}.0.rnn.weight_hh_l0"},
        ),
        ((), set()),
    ],
)
def test_products_listed_as_exact_stay_in_float(exact, floats):
    net = make_net(**KINDS["conv"])
    samples = sound(net)
    data = acoustic_graph(net, calibrate(net, [samples[0]]), exact=exact)
    model = OnnxAcousticModel(data, acoustic_info(net))
    assert np.isfinite(model.finish(samples, model.start())).all()
    kinds = {c.name: c.data_type for c in onnx.load_from_string(data).graph.initializer}
    weights = {
        name for name, p in net.encoder.named_parameters() if p.ndim > 1 and name != "lookahead"
    }
    for name in (f"encoder.{weight}" for weight in weights):
        wanted = onnx.TensorProto.FLOAT if name in floats else onnx.TensorProto.INT8
        assert kinds[name] == wanted, name


def test_a_calibration_without_recordings_is_refused():
    with pytest.raises(DataError, match="no recordings to calibrate on"):
        calibrate(GRU, [])


def with_outliers(**encoder):
    """Return a network with an outlier unit in each norm and an outlier channel."""
    net = make_net(**encoder)
    with torch.no_grad():
        net.encoder.subsample_norm.bias[3] = 30.0
        net.encoder.head.weight[:, 5] *= 0.02
        net.encoder.norm.weight[5] = 50.0
        if net.config.encoder.subsampler == "conv":
            net.encoder.conv.first.bias[2] = 20.0
    return net


@pytest.mark.parametrize("kind", ["gru", "bidirectional lstm", "conv"])
def test_outlier_units_do_not_reduce_the_resolution_of_others(kind):
    net = with_outliers(**KINDS[kind])
    samples = sound(net)
    exact, small = models(net)
    assert 0 < rms_difference(exact, small, samples) < 0.006


@pytest.mark.parametrize("kind", KINDS)
def test_an_equalised_network_has_the_same_function(kind):
    net = with_outliers(**KINDS[kind])
    samples = torch.from_numpy(sound(net, batch=2))
    seen = calibrate(net, list(sound(net)))
    other, after = equalise(net, seen)
    torch.testing.assert_close(other(samples)[0], net(samples)[0], atol=2e-4, rtol=1e-4)
    measured = calibrate(other, list(sound(net)))
    for name, statistics in measured.items():
        if name.startswith("encoder.norms."):  # the means are measured before the affine part
            norm = other.get_submodule(name)
            gain, shift = (part.detach().double().numpy() for part in norm.parameters())
            statistics = statistics.scaled(gain, shift)
        for field in ("low", "high", "mean", "covariance"):
            wanted = getattr(statistics, field)
            np.testing.assert_allclose(
                getattr(after[name], field), wanted, atol=1e-3 * max(1.0, np.abs(wanted).max())
            )


def test_fixed_statistics_can_be_exported():
    net = make_net(level=LevelConfig(follow=False))
    samples = sound(net)
    graph, _ = models(net)
    wanted = TorchAcousticModel(net)
    np.testing.assert_allclose(
        graph.finish(samples, graph.start()), wanted.finish(samples, wanted.start()), atol=1e-4
    )


GRU = make_net()
CONV = make_net(**KINDS["conv"])
NETS = {"linear": GRU, "conv": CONV}
SMALL = {name: models(net)[1] for name, net in NETS.items()}
LONG = sound(GRU, frames=24)
WHOLE = {name: model.step(LONG, model.start()) for name, model in SMALL.items()}


@pytest.mark.parametrize("name", NETS)
@settings(max_examples=30)
@given(cuts=st.lists(st.integers(0, 24), max_size=10))
def test_chunking_is_bit_identical(name, cuts):
    frame, model = GRU.config.frame_samples, SMALL[name]
    state, rows = model.start(), []
    for piece in np.split(LONG, [cut * frame for cut in sorted(cuts)], axis=1):
        log_probs, state = model.step(piece, state)
        rows.append(log_probs)
    np.testing.assert_array_equal(np.concatenate(rows, axis=1), WHOLE[name][0])
    for one, other in zip(state, WHOLE[name][1], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("place", [0, 31, 63])
def test_batching_is_bit_identical(name, place):
    """Bit-identical alone and in a batch of 64 with other levels."""
    others, model = sound(GRU, batch=64, frames=24, seed=1), SMALL[name]
    others[place] = LONG[0]
    state, rows = model.start(64), []
    for piece in np.split(others, 6, axis=1):
        log_probs, state = model.step(piece, state)
        rows.append(log_probs[place])
    np.testing.assert_array_equal(np.concatenate(rows), WHOLE[name][0][0])


def stepped(model, samples, pieces):
    state, rows = model.start(len(samples)), []
    for piece in np.split(samples, pieces, axis=1):
        log_probs, state = model.step(piece, state)
        rows.append(log_probs)
    return np.concatenate(rows, axis=1)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", [*KINDS, "odd sizes linear", "odd sizes conv"])
def test_chunking_and_batching_are_bit_identical_for_every_cell_and_factor(kind, threads):
    """In the smallest chunks, alone and in a batch."""
    if kind.startswith("odd sizes"):  # rows do not fill a whole number of vector registers
        subsampler = kind.split()[-1]
        net = AcousticNet(
            NetConfig(
                frontend=FrontendConfig(mels=23),
                level=LevelConfig(cmvn="mean_variance"),
                encoder=EncoderConfig(width=21, layers=2, subsampling=3, subsampler=subsampler),
            ),
            len(TOKENS),
        ).eval()
    else:
        net = make_net(**KINDS[kind])
    samples = sound(net, batch=5)
    graph = acoustic_graph(net, calibrate(net, [samples[0]]))
    info = acoustic_info(net)
    model = OnnxAcousticModel(graph, info, threads=threads)
    whole = stepped(model, samples, 1)
    if info.streaming:
        finest = info.step_samples if "chunk" in kind else info.frame_samples
        cut = stepped(model, samples, samples.shape[1] // finest)
        np.testing.assert_array_equal(cut, whole)
    for place in range(5):
        alone = stepped(model, samples[place : place + 1], 1)
        np.testing.assert_array_equal(alone[0], whole[place])


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([("samples", [])], [("log_probs", [])]),
        ([("samples", ["b", "n"])], [("log_probs", ["b", "n"])]),
        ([("samples", ["b", "n", 11])], [("log_probs", ["b", "n", 11])]),
        ([("sound", ["b", "n"])], [("log_probs", ["b", "n"])]),
        ([("x", ["b", "k"]), ("samples", ["b", "n"])], [("a", ["b", "k"]), ("c", ["b", "n"])]),
    ],
)
def test_a_graph_with_other_inputs_is_refused(inputs, outputs):
    nodes = [
        helper.make_node("Identity", [x], [y])
        for (x, _), (y, _) in zip(inputs, outputs, strict=True)
    ]
    ends = [
        [helper.make_tensor_value_info(name, 1, shape) for name, shape in side]
        for side in (inputs, outputs)
    ]
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(
        helper.make_graph(nodes, "other", *ends), opset_imports=opset, ir_version=9
    )
    with pytest.raises(ModelError, match="not an acoustic model"):
        OnnxAcousticModel(model.SerializeToString(), acoustic_info(GRU))


def test_a_graph_of_another_size_is_refused():
    info = replace(acoustic_info(GRU), vocab_size=len(TOKENS) + 1)
    with pytest.raises(ModelError, match=f"{len(TOKENS)} tokens"):
        OnnxAcousticModel(acoustic_graph(GRU, None), info)


@pytest.mark.parametrize("kind", ["empty", "cut zip", "pickle", "one array", "another net"])
def test_invalid_weight_files_are_refused(tmp_path, kind):
    path = tmp_path / "weights.npz"
    if kind == "one array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif kind == "another net":
        np.savez(path, weight=np.zeros(3))
    else:
        path.write_bytes({"empty": b"", "cut zip": b"PK\x03\x04..", "pickle": b"\x80\x04N."}[kind])
    network = msgspec.to_builtins(GRU.config)
    with pytest.raises(ModelError, match=r"weights\.npz: not this model"):
        TorchAcousticModel.load(path, network, acoustic_info(GRU))


@pytest.mark.parametrize("kind", ["gru", "look-ahead x2", "chunked"])
def test_finish_returns_every_row(kind):
    net = make_net(**KINDS[kind])
    frame, delay = net.config.frame_samples, net.config.encoder.delay
    for model in [*models(net), TorchAcousticModel(net)]:
        for count, frames in ((0, 0), (1, 1), (frame, 1), (4 * frame + 1, 5)):
            samples = np.zeros((2, count), np.float32)
            assert model.finish(samples, model.start(2)).shape == (2, frames + delay, len(TOKENS))


def test_states_are_in_the_order_of_their_names():
    shapes = state_shapes(make_net(cell="lstm"))
    assert list(shapes) == [
        "tail",
        "level",
        "age",
        "block",
        "layer0",
        "memory0",
        "layer1",
        "memory1",
    ]
    assert shapes["tail"] == (240,)
    assert list(state_shapes(make_net(**KINDS["conv"])))[3:7] == [
        "bin_mean",
        "bin_variance",
        "speech",
        "block",
    ]


def check_set(net):
    return [(sound(net, seed=seed)[0], "abc") for seed in range(3)]


def test_an_export_is_a_model_directory(tmp_path):
    net = make_net(lookahead=2)
    card = Card(
        name="tiny", language="en", licence="CC0", speech=SpeechConfig(shown=3.0, kept=-1.0)
    )
    report = export_model(
        net,
        TOKENS,
        tmp_path / "tiny",
        card,
        calibration=[sound(net)[0]],
        check=check_set(net),
        bound=1000.0,
        with_float=True,
        with_weights=True,
    )
    assert report.int8.megabytes < report.float32.megabytes
    assert report.int8.words.words == 3
    assert 0 < report.agreement <= 100
    directory = ModelDirectory.open(tmp_path / "tiny")
    assert directory.config.lookahead_frames == 2
    assert directory.config.speech == card.speech
    assert directory.tokenizer().decode(TOKENS.encode("abc")) == "abc"
    onnx, weights = (load_acoustic_model(directory, backend=b) for b in ("onnx", "torch"))
    samples = sound(net)
    difference = onnx.finish(samples, onnx.start()) - weights.finish(samples, weights.start())
    assert np.abs(difference).max() < 0.5


def test_an_export_that_increases_the_error_rate_is_refused(tmp_path):
    net = make_net()
    with pytest.raises(ModelError, match="lost"):
        export_model(
            net,
            TOKENS,
            tmp_path / "tiny",
            Card(name="tiny"),
            calibration=[sound(net)[0]],
            check=check_set(net),
            bound=-1000.0,
        )
    assert list(tmp_path.iterdir()) == []
