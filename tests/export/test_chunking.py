"""The exported graph is bit-identical in chunks and batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.export.acoustic_graph import acoustic_graph
from asr_gru.export.calibrate import calibrate
from asr_gru.model.net_config import EncoderConfig, FrontendConfig, LevelConfig, NetConfig
from asr_gru.model.onnx import OnnxAcousticModel
from asr_gru.nn.net import AcousticNet
from asr_gru.nn.torch_model import acoustic_info
from tests.export.nets import GRU, KINDS, TOKENS, make_net, models, sound

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
