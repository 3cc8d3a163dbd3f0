"""One process or several (``torchrun``): averaging gradients is all they share."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["Processes", "join_processes"]


@dataclass(frozen=True, slots=True)
class Processes:
    """This process's number and how many there are."""

    rank: int
    count: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace every gradient by its mean over all processes, in one exchange."""
        if self.count == 1:
            return
        grads = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([grad.reshape(-1) for grad in grads])
        dist.all_reduce(flat)
        flat /= self.count
        for grad, mean in zip(grads, torch.split(flat, [g.numel() for g in grads]), strict=True):
            grad.copy_(mean.view_as(grad))

    def sum_(self, values: Tensor) -> None:
        """Replace ``values`` (wherever they are) by their sum over all processes."""
        if self.count > 1:
            moved = values.to(self.device)
            dist.all_reduce(moved)
            values.copy_(moved)

    def shares(self, counts: Tensor) -> Tensor:
        """Return, for each count, this process's share of the sum over all, times their number.

        A loss that is a mean over this process's own tokens, times its share, averages over the
        processes to the mean over the tokens of all.
        """
        if self.count == 1:
            return torch.ones_like(counts)
        total = counts.clone()
        self.sum_(total)
        return counts * self.count / total.clamp(min=1)

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.count > 1:
            dist.barrier()

    def leave(self) -> None:
        """End the exchange between processes."""
        if self.count > 1:
            dist.destroy_process_group()


def join_processes() -> Processes:
    """Join the others that ``torchrun`` started, or be alone."""
    count, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if count > 1:
        if cuda:
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if cuda else "gloo")
        torch.set_num_threads(1)
    return Processes(int(os.environ.get("RANK", "0")), count, device)
