"""Functions of fixed shapes, recorded once as CUDA graphs and replayed.

The level follower and the log-partition are loops of thousands of small operations, which take
longer to start from Python than to run on a GPU.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["Replayed"]


@functools.cache
def _pool() -> Any:
    """Return the memory that all graphs share, as only one of them runs at a time."""
    return torch.cuda.graph_pool_handle()


class Replayed:
    """A function of tensors without gradients, whose outputs live until the next call of any.

    On a CPU the function is simply called.
    """

    def __init__(self, function: Callable[..., tuple[Tensor, ...]]) -> None:
        self._function = function
        self._graphs: dict[
            tuple[torch.Size, ...], tuple[torch.cuda.CUDAGraph, list[Tensor], tuple[Tensor, ...]]
        ] = {}

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute the function."""
        if inputs[0].device.type != "cuda":
            return self._function(*inputs)
        shapes = tuple(one.shape for one in inputs)
        if shapes not in self._graphs:
            self._graphs[shapes] = self._record(inputs)
        graph, places, outputs = self._graphs[shapes]
        for place, one in zip(places, inputs, strict=True):
            place.copy_(one)
        graph.replay()
        return outputs

    def _record(
        self, inputs: tuple[Tensor, ...]
    ) -> tuple[torch.cuda.CUDAGraph, list[Tensor], tuple[Tensor, ...]]:
        places = [one.clone() for one in inputs]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._function(*places)
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=_pool()):
            outputs = self._function(*places)
        return graph, places, outputs
