"""The first half of the graph: samples to the input of the encoder's first product.

It does what ``Frontend``, ``LevelNormaliser`` and the gathering half of ``Encoder`` do, in the same
order. Logarithms and exponentials are taken on rows of at least sixteen values, because vectorised
kernels treat leftovers differently; everything else is element-wise, within a row, or recursive in
a Scan. So results are bit-identical for every length and batch.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from asr_gru.export.calibrate import Calibration
from asr_gru.export.onnx_builder import Graph, Quantised
from asr_gru.nn.frontend import SAMPLE_LIMIT
from asr_gru.nn.net import AcousticNet
from asr_gru.nn.subsampling import ConvSubsampler

__all__ = ["FeatureGraph", "matrix_to_weight"]


class FeatureGraph:
    """Writes nodes into ``graph``; ``following`` collects the values of the next states by name."""

    def __init__(
        self, graph: Graph, net: AcousticNet, seen: Calibration, following: dict[str, str]
    ) -> None:
        self.graph = graph
        self.net = net
        self.seen = seen
        self.following = following
        self.mels = net.config.frontend.mels
        self.factor = net.config.encoder.subsampling

    def write(self) -> str | Quantised:
        """Return the input of ``encoder.subsample``, ``(frames, batch, inputs)``."""
        features = self._features(self._mel())
        if self.net.config.encoder.subsampler == "conv":
            return self._convolved(features)
        return self._stacked(features)

    def _mel(self) -> str:
        """Gather windows by slices of the divisor they share with the hop; then two products."""
        graph, config = self.graph, self.net.config.frontend
        limits = [graph.constant(sign * SAMPLE_LIMIT) for sign in (-1.0, 1.0)]
        heard = graph.op("Concat", "tail", graph.op("Clip", "samples", *limits), axis=1)
        self.following["tail"] = graph.slice(heard, -(config.window - config.hop), None, 1)
        unit = math.gcd(config.window, config.hop)
        rows = graph.op("Reshape", heard, graph.integers(0, -1, unit))
        frames = self._taps(rows, config.window // unit, config.hop // unit, axis=2)
        dft = graph.constant(self.net.frontend.dft.numpy(), name="frontend.dft")
        spectrum = graph.op("MatMul", frames, dft)
        real, imaginary = graph.ops(
            "Split", graph.op("Mul", spectrum, spectrum), outputs=2, axis=-1, num_outputs=2
        )
        power = graph.op("Add", real, imaginary)
        filters = graph.constant(self.net.frontend.mel.numpy(), name="frontend.mel")
        return graph.op("MatMul", power, filters)

    def _taps(self, x: str, kernel: int, stride: int, axis: int) -> str:
        """Join ``kernel`` consecutive rows of axis 1, every ``stride`` rows, along ``axis``."""
        graph = self.graph
        if kernel == stride == 1:
            return x
        taps = [
            graph.slice(x, k, None if k == kernel - 1 else k + 1 - kernel, 1, stride)
            for k in range(kernel)
        ]
        return graph.op("Concat", *taps, axis=axis)

    def _features(self, mel: str) -> str:
        """Return normalised features ``(batch, blocks, block * mels)``."""
        graph, level = self.graph, self.net.level
        width = level.block * self.mels
        blocks = graph.op("Reshape", mel, graph.integers(0, -1, width))
        energy = ""
        levels = graph.constant(np.zeros((1, 1, 1)))  # time-major, as the Scan returns them
        if level.config.follow or level.config.cmvn != "none":
            energy = self._energy(blocks, width)
        if level.config.follow:
            levels = self._level(energy)
        else:
            self.following.update(level="level", age="age")
        by_batch = graph.op("Transpose", levels, perm=[1, 0, 2])
        exponent = graph.op("Sub", graph.constant(np.full(width, -level.prior)), by_batch)
        scaled = graph.op("Mul", blocks, graph.op("Exp", exponent))
        x = graph.op("Log", graph.op("Add", scaled, graph.constant(np.full(width, level.floor))))
        mean = graph.constant(np.tile(level.mean.numpy(), level.block), name="level.mean")
        scale = graph.constant(np.tile(level.scale.numpy(), level.block), name="level.scale")
        x = graph.op("Mul", graph.op("Sub", x, mean), scale)
        if level.config.cmvn == "none":
            return x
        return self._normalise_bins(x, self._weights(energy, levels))

    def _energy(self, blocks: str, width: int) -> str:
        """Return the logarithm of each block's energy, ``(blocks, batch, 1)``."""
        graph = self.graph
        summing = graph.constant(np.full((width, 16), 1.0 / self.net.level.block))
        energy = graph.op("Add", graph.op("MatMul", blocks, summing), graph.constant([1e-10]))
        energy = graph.slice(graph.op("Log", energy), 0, 1, 2)
        return graph.op("Transpose", energy, perm=[1, 0, 2])

    def _level(self, energy: str) -> str:
        """Follow the level; see ``LevelNormaliser._follow``."""
        graph, level = self.graph, self.net.level
        target = graph.op("Max", energy, graph.constant([level.lowest]))
        target = graph.op("Sub", target, graph.constant([level.prior]))
        body = Graph(graph)
        one = graph.constant([1.0])
        older = body.op("Add", "b_age", graph.constant([level.prior_blocks]))
        falling = body.op("Max", body.op("Div", one, older), graph.constant([level.decay]))
        rising = body.op("Max", falling, graph.constant([level.attack]))
        above = body.op("Greater", "b_now", "b_level")
        rate = body.op("Where", above, rising, falling)
        step = body.op("Mul", rate, body.op("Sub", "b_now", "b_level"))
        moved = body.op("Add", "b_level", step)
        last, (levels,) = graph.scan(
            body,
            [("level", "b_level", 1), ("age", "b_age", 1)],
            [(target, "b_now", 1)],
            [moved, body.op("Add", "b_age", one)],
            [(moved, 1)],
        )
        self.following["level"], self.following["age"] = last
        return levels

    def _weights(self, energy: str, levels: str) -> str:
        """Return how much each block counts in the running statistics, ``(blocks, batch, 1)``."""
        graph, level = self.graph, self.net.level
        pause = graph.op("Add", levels, graph.constant([level.prior - level.gate]))
        pause = graph.op("Max", pause, graph.constant([level.lowest - level.ramp]))
        above = graph.op("Div", graph.op("Sub", energy, pause), graph.constant([level.ramp]))
        return graph.op("Clip", above, graph.constant(0.0), graph.constant(1.0))

    def _normalise_bins(self, x: str, weights: str) -> str:
        """Take out the running mean and variance; see ``LevelNormaliser._normalise_bins``."""
        graph, level = self.graph, self.net.level
        block, mels = level.block, self.mels
        window = graph.constant([level.window])
        heard = graph.op("Unsqueeze", "speech", graph.integers(0))
        ages = graph.op(
            "CumSum", graph.op("Concat", heard, weights, axis=0), graph.constant(0, np.int64)
        )
        ages = graph.op("Min", graph.slice(ages, 1, None, 0), window)
        self.following["speech"] = graph.op(
            "Squeeze", graph.slice(ages, -1, None, 0), graph.integers(0)
        )

        def rates(prior: float) -> str:
            counted = graph.op("Min", graph.op("Add", ages, graph.constant([prior])), window)
            return graph.op("Div", weights, counted)

        x = graph.op("Reshape", x, graph.integers(0, -1, block, mels))
        x = graph.op("Transpose", x, perm=[1, 0, 2, 3])
        axis = graph.integers(2)
        centre = graph.op("ReduceMean", x, axis, keepdims=0)
        body = Graph(graph)
        step = body.op("Mul", "m_rate", body.op("Sub", "m_centre", "m_mean"))
        mean = body.op("Add", "m_mean", step)
        states, results, outputs = [("bin_mean", "m_mean", mels)], [mean], [(mean, mels)]
        inputs = [(centre, "m_centre", mels), (rates(level.mean_prior), "m_rate", 1)]
        if level.config.cmvn == "mean_variance":
            away = graph.op("Sub", x, graph.op("Unsqueeze", centre, axis))
            spread = graph.op("ReduceMean", graph.op("Mul", away, away), axis, keepdims=0)
            spread = graph.op("Sub", spread, graph.constant([1.0]))
            off = body.op("Sub", "m_centre", mean)
            square = body.op("Add", "m_spread", body.op("Mul", off, off))
            step = body.op("Mul", "m_slow", body.op("Sub", square, "m_variance"))
            variance = body.op("Add", "m_variance", step)
            states.append(("bin_variance", "m_variance", mels))
            results.append(variance)
            outputs.append((variance, mels))
            inputs += [(spread, "m_spread", mels), (rates(level.variance_prior), "m_slow", 1)]
        else:
            self.following["bin_variance"] = "bin_variance"
        last, each = graph.scan(body, states, inputs, results, outputs)
        self.following.update(zip(("bin_mean", "bin_variance"), last, strict=False))
        x = graph.op("Sub", x, graph.op("Unsqueeze", each[0], axis))
        if level.config.cmvn == "mean_variance":
            whole = graph.op("Add", each[1], graph.constant([1.0]))
            bounded = graph.op("Max", whole, graph.constant([level.config.cmvn_min_std**2]))
            deviation = graph.op("Unsqueeze", graph.op("Sqrt", bounded), axis)
            x = graph.op("Div", x, deviation)
        x = graph.op("Transpose", x, perm=[1, 0, 2, 3])
        return graph.op("Reshape", x, graph.integers(0, 0, block * mels))

    def _stacked(self, features: str) -> str:
        """The previous and the present block side by side."""
        graph, factor, mels = self.graph, self.factor, self.mels
        before = graph.op("Reshape", "block", graph.integers(0, 1, factor * mels))
        x = graph.op("Concat", before, features, axis=1)
        last = graph.slice(x, -1, None, 1)
        self.following["block"] = graph.op("Reshape", last, graph.integers(0, factor, mels))
        return graph.op("Transpose", self._taps(x, 2, 1, axis=2), perm=[1, 0, 2])

    def _convolved(self, features: str) -> str | Quantised:
        """Both convolutions as products over gathered patches, in bytes with statistics."""
        graph, conv = self.graph, self.net.encoder.conv
        frames = graph.op("Reshape", features, graph.integers(0, -1, self.mels))
        x: str | Quantised = graph.op("Concat", "block", frames, axis=1)
        self.following["block"] = graph.slice(_value(x), -conv.history, None, 1)
        seen = self.seen.get("encoder.conv")
        if seen is not None:
            x = graph.quantise(_value(x), seen.span)
        x = self._rectified(self._convolution("first", conv, x, 1), "encoder.conv.second")
        y = self._convolution("second", conv, x, conv.first.out_channels)
        y = graph.op("Reshape", y, graph.integers(0, -1, conv.outputs))
        after = self._rectified(y, "encoder.subsample")
        turned = graph.op("Transpose", _value(after), perm=[1, 0, 2])
        return after._replace(value=turned) if isinstance(after, Quantised) else turned

    def _rectified(self, x: str, product: str) -> str | Quantised:
        """ReLU before ``product``: bytes that begin at zero are one."""
        seen = self.seen.get(product)
        if seen is None:
            return self.graph.op("Relu", x)
        return self.graph.quantise(x, (0.0, seen.span[1]))

    def _convolution(
        self, name: str, conv: ConvSubsampler, x: str | Quantised, channels: int
    ) -> str:
        """Gather patches (time, bin, channel) from ``(batch, frames, bins[, channels])``.

        Returns:
            ``(batch, frames, bins, channels)`` before the ReLU.
        """
        graph, layer = self.graph, getattr(conv, name)
        (kernel, width), (stride, hop) = layer.kernel_size, layer.stride
        bins = conv.bins[0 if name == "first" else 1]
        out = conv.bins[1 if name == "first" else 2]
        value = _value(x)
        beyond = (out - 1) * hop + width - 1 - bins  # zeros above the last bin
        rank = 3 if channels == 1 else 4
        ends = [0, 0, 1, 0][:rank] + [0, 0, beyond, 0][:rank]
        zero = [x.zero] if isinstance(x, Quantised) else []
        value = graph.op("Pad", value, graph.integers(*ends), *zero)
        index = (np.arange(out)[:, None] * hop + np.arange(width)).reshape(-1)
        value = graph.op("Gather", value, graph.constant(index, np.int64), axis=2)
        value = graph.op("Reshape", value, graph.integers(0, 0, out, width * channels))
        patches = self._taps(value, kernel, stride, axis=3)
        inputs = x._replace(value=patches) if isinstance(x, Quantised) else patches
        tag = f"encoder.conv.{name}"
        matrix = weight_to_matrix(layer.weight.detach().numpy())
        observed = "encoder.conv" if name == "first" else tag
        return graph.linear(
            inputs,
            matrix,
            layer.bias.detach().numpy(),
            seen=self.seen.get(observed),
            names=(f"{tag}.weight", f"{tag}.bias"),
        )


def weight_to_matrix(weight: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return ``(time * bins * inputs, outputs)`` of kernels ``(outputs, inputs, time, bins)``."""
    return weight.transpose(2, 3, 1, 0).reshape(-1, weight.shape[0])


def matrix_to_weight(
    matrix: npt.NDArray[np.float32], shape: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """Return the weight, of a convolution or of a linear layer, whose product is ``matrix``."""
    if len(shape) == 2:
        return matrix.T
    outputs, inputs, time, bins = shape
    return matrix.reshape(time, bins, inputs, outputs).transpose(3, 2, 0, 1)


def _value(x: str | Quantised) -> str:
    return x.value if isinstance(x, Quantised) else x
