"""Transcription of parts by actors of Ray Data."""

from __future__ import annotations

import logging
import socket
from collections.abc import Generator, Sequence
from typing import Any

import ray
import ray.data

from asr_gru.errors import Error
from recipes.archive.parts import Part
from recipes.archive.sources import reason_of
from recipes.archive.worker import PartTranscriber, Settings

__all__ = ["connect", "transcribe_parts"]

MAX_BLOCKS = 10_000
"""Blocks of the dataset; with more parts than that, each block has several."""
RETRIES = 3
"""How often a block is tried again whose worker died."""
CONNECT_TIMEOUT_S = 10.0


def connect(address: str | None) -> int:
    """Connect to a cluster, or start one on this machine; return its number of CPUs.

    A connection that this process has already is used.

    Args:
        address: ``HOST:PORT``, ``"auto"`` for the cluster of this machine, or None for the one
            that the environment names, else one that ends with this process.

    Raises:
        Error: there is no cluster at the address, or Ray does not start.
    """
    host, _, port = (address or "").rpartition(":")
    try:
        if host and port.isdecimal():  # Ray itself would try for minutes
            socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S).close()
        if not ray.is_initialized():
            ray.init(address, include_dashboard=False, logging_level=logging.ERROR)
    except Exception as error:  # noqa: BLE001 - Ray raises plain ones
        reason = reason_of(error)
        if address is None:
            raise Error(f"Ray does not start: {reason}; run the command again") from None
        raise Error(f"--address {address}: {reason}; start one with: ray start --head") from None
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def transcribe_parts(
    parts: Sequence[Part], settings: Settings, actors: int
) -> Generator[dict[str, Any]]:
    """Transcribe ``parts`` on the cluster that Ray is connected to.

    A worker that dies is replaced, and what it was doing is tried again, on any machine; after
    ``RETRIES`` such deaths the block is given up and the others go on.

    Args:
        parts: the parts to do.
        settings: settings of all workers.
        actors: number of workers, each on a CPU of its own.

    Yields:
        what ``PartTranscriber`` returns for each part, in the order in which they are finished.
    """
    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1
    context.enable_progress_bars = False
    context.execution_no_progress_timeout_s = -1  # a part may take hours
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    rows = [{"recordings": [one.to_dict() for one in part.recordings]} for part in parts]
    done = ray.data.from_items(rows, override_num_blocks=min(len(rows), MAX_BLOCKS)).map(
        PartTranscriber,  # type: ignore[arg-type]  # Ray takes a class whose objects are called
        fn_constructor_args=[settings],
        compute=ray.data.ActorPoolStrategy(size=min(actors, len(rows))),
        num_cpus=1,
        ray_remote_args_fn=lambda: {"max_restarts": -1, "max_task_retries": RETRIES},
    )
    yield from done.iter_rows()
