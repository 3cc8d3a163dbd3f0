"""Data-parallel training in one process or several (``torchrun``)."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from asr_gru.errors import Error

__all__ = ["PeerLostError", "Processes", "init_processes"]


T = TypeVar("T")

MAX_TEXT_BYTES = 2_000

PATIENCE = timedelta(days=7)
"""How long processes wait in a barrier, as while the main process decodes all recordings. In other
exchanges they wait as long as torch does by default, 10 or 30 minutes."""


class PeerLostError(Error):
    """Another process of the group ended or cannot be reached."""


@contextmanager
def _collective() -> Iterator[None]:
    """Turn what torch raises when a peer is gone into one line."""
    try:
        yield
    except RuntimeError as error:
        raise PeerLostError(
            "another process of this run is gone; the same command goes on from the checkpoint"
        ) from error


@dataclass(frozen=True, slots=True)
class Processes:
    """The process group.

    Attributes:
        rank: index of this process.
        world_size: number of processes.
        device: torch device of this process.
    """

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and logs."""
        return self.rank == 0

    def own(self, batches: Sequence[T]) -> Sequence[T]:
        """Return this process's part of the batches of a step."""
        return batches[self.rank :: self.world_size]

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace each gradient by its mean over all processes, in a single all-reduce."""
        if self.world_size == 1:
            return
        grads = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([grad.reshape(-1) for grad in grads])
        with _collective():
            dist.all_reduce(flat)
        flat /= self.world_size
        for grad, mean in zip(grads, torch.split(flat, [g.numel() for g in grads]), strict=True):
            grad.copy_(mean.view_as(grad))

    def all_reduce_(self, values: Tensor) -> None:
        """Replace ``values`` by their sum over all processes, whatever device they are on."""
        if self.world_size > 1:
            local = values.to(self.device)
            with _collective():
                dist.all_reduce(local)
            values.copy_(local)

    def gather_texts(self, text: str) -> list[str]:
        """Return the text of each process, of at most ``MAX_TEXT_BYTES`` bytes."""
        if self.world_size == 1:
            return [text]
        rows = torch.zeros(self.world_size, MAX_TEXT_BYTES, dtype=torch.int32)
        data = text.encode("utf-8", "replace")[:MAX_TEXT_BYTES]
        rows[self.rank, : len(data)] = torch.tensor(list(data), dtype=torch.int32)
        self.all_reduce_(rows)
        return [
            bytes(byte for byte in row if byte).decode("utf-8", "ignore") for row in rows.tolist()
        ]

    def shares(self, counts: Tensor) -> Tensor:
        """Return the fraction of each count in its sum over all batches, times ``world_size``.

        If each process multiplies the mean loss per token of each of its batches by this factor and
        adds them up, the average over processes is the mean over all tokens. The loss of a batch
        without tokens, as of noise alone, is a sum and no mean, so it counts as one token.

        Args:
            counts: of each batch of this process, ``(batches, n)``.
        """
        if self.world_size == 1 and len(counts) == 1:
            return torch.ones_like(counts)
        total = counts.sum(dim=0)
        self.all_reduce_(total)
        return counts.clamp(min=1) * self.world_size / total.clamp(min=1)

    def barrier(self) -> None:
        """Block until all processes have reached this point, which may take hours."""
        if self.world_size > 1:
            with _collective():
                patient: Any = dist.new_group(timeout=PATIENCE, backend="gloo")
                dist.barrier(patient)
                dist.destroy_process_group(patient)

    def shutdown(self) -> None:
        """Destroy the process group."""
        if self.world_size > 1:
            with suppress(RuntimeError):  # other processes may be gone
                dist.destroy_process_group()


def init_processes() -> Processes:
    """Join the process group that ``torchrun`` set up; a single process without it."""
    world_size, local = (
        int(os.environ.get("WORLD_SIZE", "1")),
        int(os.environ.get("LOCAL_RANK", "0")),
    )
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if world_size > 1:
        if cuda:
            torch.cuda.set_device(device)
        # Default arguments of functions of this module hold the default group at the time of the
        # import, so it is imported before there is one: what holds the group after shutdown keeps
        # its threads, which abort the process if they release a tensor while Python finalises.
        importlib.import_module("torch.distributed.nn.functional")
        dist.init_process_group("nccl" if cuda else "gloo")
        torch.set_num_threads(1)
    return Processes(int(os.environ.get("RANK", "0")), world_size, device)
