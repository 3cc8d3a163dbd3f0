"""Finds the first layer and utterances of a step in which a NaN or an infinity arises.

The step is repeated, with the same batch and random numbers, while hooks look at the inputs and
outputs of every layer, and then at the gradients on their way back. The first value that is not
finite counts, as everything computed from it is not finite either.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from asr_gru.training.dataset import Batch
from asr_gru.training.loss import utterance_losses
from asr_gru.training.step import Losses, TrainStep

__all__ = ["Anomaly", "find_anomaly"]


@dataclass(frozen=True, slots=True)
class Anomaly:
    """The first value of a step that is not finite.

    Attributes:
        kind: ``"NaN"`` or ``"infinity"``.
        place: where it is, such as ``"the output of encoder.head (Linear)"``.
        rows: utterances of the batch that have it; empty where it belongs to no utterance.
    """

    kind: str
    place: str
    rows: tuple[int, ...] = ()


def find_anomaly(
    train_step: TrainStep, batch: Batch, progress: float, seed: tuple[int, ...]
) -> Anomaly | None:
    """Repeat a step without its update; return the first value that is not finite, if any.

    In order: samples, weights, outputs of layers, losses, gradients of outputs from the loss
    back to the first layer, gradients of weights, and their norm. With several processes, all of
    them have to call this, each with its own batch. The gradients of the network are replaced.

    Args:
        train_step: the step; its weights are not changed.
        batch: the batch of this process.
        progress: as it was for the step.
        seed: as it was for the step.
    """
    search = _Search(train_step, batch)
    search.tensor("the samples", batch.samples)
    for module in search.roots:
        for name, weight in (*module.named_parameters(), *module.named_buffers()):
            search.weight(f"the weights {name}", weight)
    with search.forward_hooks(), search.backward_hooks():
        losses = train_step.losses(batch, progress, seed)
        search.losses(losses)
        if search.found is None:
            train_step.optimiser.zero_grad(set_to_none=True)
            search.backward_started = True
            with warnings.catch_warnings():  # of layers whose inputs need no gradients
                warnings.simplefilter("ignore", UserWarning)
                losses.total.backward()  # type: ignore[no-untyped-call]
            search.gradients()
    train_step.optimiser.zero_grad(set_to_none=True)
    return search.found


class _Search:
    """Keeps the first anomaly of a step."""

    def __init__(self, train_step: TrainStep, batch: Batch) -> None:
        self.train_step = train_step
        self.batch = batch
        self.roots = [train_step.net, *([] if train_step.head is None else [train_step.head])]
        self.found: Anomaly | None = None
        self.backward_started = False
        self.seen_gradient = False

    def tensor(self, place: str, value: Tensor, *, time_major: bool = False) -> None:
        """Look at a tensor that has a row for each utterance, or for each view of one."""
        if self.found is None and not _finite(value):
            self.found = Anomaly(_kind(value), place, self._rows(value, time_major=time_major))

    def weight(self, place: str, value: Tensor) -> None:
        """Look at a tensor that belongs to no utterance."""
        if self.found is None and not _finite(value):
            self.found = Anomaly(_kind(value), place)

    def losses(self, losses: Losses) -> None:
        """Look at the losses, utterance by utterance if their sum is not finite."""
        if self.found is not None or _finite(losses.total):
            return
        batch, config = self.batch, self.train_step.config
        self.tensor("the log-probabilities", losses.log_probs)
        if self.found is None:
            device = losses.log_probs.device
            each = utterance_losses(
                losses.log_probs,
                batch.targets.to(device),
                batch.frames.to(device),
                batch.target_lengths.to(device),
                config.ctc_crf_weight,
                self.train_step.trigram,
            )
            self.tensor("the CTC loss", each)
        self.weight("the loss", losses.total)

    def gradients(self) -> None:
        """Look at the gradients of all weights, and at their norm."""
        gradients: list[Tensor] = []
        for module in self.roots:
            for name, parameter in module.named_parameters():
                if parameter.grad is not None:
                    self.weight(f"the gradient of the weights {name}", parameter.grad)
                    gradients.append(parameter.grad)
        norm = torch.stack([gradient.float().norm() for gradient in gradients]).norm()
        self.weight("the norm of the gradient, each of whose values is finite", norm)

    @contextmanager
    def forward_hooks(self) -> Iterator[None]:
        """Look at the outputs of every layer while this is open."""

        def look(
            layer: str, time_major: bool, _module: nn.Module, inputs: Any, outputs: Any
        ) -> None:
            for value in _tensors(outputs):
                if self.found is None and not _finite(value):
                    bad = [one for one in _tensors(inputs) if not _finite(one)]
                    kind = "the input of" if bad else "the output of"
                    self.tensor(f"{kind} {layer}", (*bad, value)[0], time_major=time_major)

        with ExitStack() as stack:
            for layer, time_major, module in self._layers():
                hook = module.register_forward_hook(partial(look, layer, time_major))
                stack.callback(hook.remove)
            yield

    @contextmanager
    def backward_hooks(self) -> Iterator[None]:
        """Look at the gradients of inputs and outputs of every layer while this is open."""

        def look(
            layer: str, time_major: bool, _module: nn.Module, inputs: Any, outputs: Any
        ) -> None:
            if not self.backward_started:
                return
            incoming = list(_tensors(outputs))
            if self.found is None and not all(map(_finite, incoming)):
                place = "the gradient of the output of" if self.seen_gradient else _OF_LOSS
                bad = next(one for one in incoming if not _finite(one))
                self.tensor(f"{place} {layer}", bad, time_major=time_major)
            self.seen_gradient = True
            for value in _tensors(inputs):
                self.tensor(f"the gradient of the input of {layer}", value, time_major=time_major)

        with ExitStack() as stack:
            for layer, time_major, module in self._layers():
                hook = module.register_full_backward_hook(partial(look, layer, time_major))
                stack.callback(hook.remove)
            yield

    def _layers(self) -> Iterator[tuple[str, bool, nn.Module]]:
        """Yield the description of each layer, whether it is time-major, and the layer."""
        for root in self.roots:
            for name, module in root.named_modules():
                if name:
                    time_major = name.startswith("encoder.") and ".conv" not in name
                    yield f"{name} ({type(module).__name__})", time_major, module

    def _rows(self, value: Tensor, *, time_major: bool) -> tuple[int, ...]:
        """Return the utterances for which ``value`` is not finite; empty if it has no such axis."""
        batch = len(self.batch.frames)
        axes = [axis for axis in ((1, 0) if time_major else (0, 1)) if axis < value.ndim]
        axis = next((a for a in axes if value.shape[a] in (batch, 2 * batch)), None)
        if axis is None:
            return ()
        bad = ~torch.isfinite(value.detach()).transpose(0, axis).reshape(value.shape[axis], -1)
        rows: Sequence[int] = bad.any(dim=1).nonzero()[:, 0].tolist()
        return tuple(sorted({row % batch for row in rows}))


_OF_LOSS = "the gradient of the loss with respect to the output of"


def _tensors(values: Any) -> Iterator[Tensor]:
    """Yield the floating-point tensors of nested tuples and lists."""
    if isinstance(values, Tensor):
        if values.is_floating_point():
            yield values
    elif isinstance(values, tuple | list):
        for value in values:
            yield from _tensors(value)


def _finite(value: Tensor) -> bool:
    return bool(torch.isfinite(value.detach()).all())


def _kind(value: Tensor) -> str:
    return "NaN" if bool(torch.isnan(value.detach()).any()) else "infinity"
