"""Networks of every kind with random weights, their graphs, and noise as audio."""

import numpy as np
import torch

from asr_gru.export.acoustic_graph import acoustic_graph
from asr_gru.export.calibrate import calibrate
from asr_gru.model.net_config import EncoderConfig, FrontendConfig, LevelConfig, NetConfig
from asr_gru.model.onnx import OnnxAcousticModel
from asr_gru.nn.net import AcousticNet
from asr_gru.nn.torch_model import acoustic_info
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


GRU = make_net()
