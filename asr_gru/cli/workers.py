"""Transcription in worker processes, with recovery from crashed workers."""

from __future__ import annotations

import os
import signal
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from asr_gru.cli.vocabulary import closed_decoder, hot_decoder
from asr_gru.closed_vocabulary import ClosedVocabulary
from asr_gru.errors import Error
from asr_gru.recognizer import DecoderChoice, Recognizer
from asr_gru.results import Transcript
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.recordings import Update

if TYPE_CHECKING:
    from asr_gru.audio import RawAudio
    from asr_gru.language import HotWord

__all__ = ["Emit", "Finished", "Settings", "transcribe_here", "transcribe_in_workers"]

EXIT_TIMEOUT_S = 1.0
"""Seconds for a worker to exit before it is killed."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings that each process needs to transcribe."""

    model: str
    backend: Literal["onnx", "torch"]
    device: str
    threads: int
    decoder: str | None
    beam: int | None
    rules: EndpointRules
    closed: ClosedVocabulary | None = None
    hot_words: tuple[HotWord, ...] | None = None
    minimum_confidence: float | None = None
    mark_uncertain: bool = False
    written: bool = False
    alternatives: int | None = None

    def load(self) -> Recognizer:
        """Load the model, compile phrases and hot words; raises as ``Recognizer`` does."""
        recognizer = Recognizer.load(
            self.model,
            backend=self.backend,
            device=self.device,
            threads=self.threads,
            decoder=self.decoder,
            beam=self.beam,
        )
        self.chosen(recognizer)
        if self.written:
            recognizer.check_written()
        return recognizer

    def chosen(self, recognizer: Recognizer) -> DecoderChoice:
        """Return the decoder for phrases or hot words, or None."""
        if self.hot_words is not None:
            return recognizer.decoder_with_hot_words(self.hot_words)
        return closed_decoder(recognizer, self.closed)


@dataclass(frozen=True, slots=True)
class Finished:
    """Final result of the recording at ``index``."""

    index: int
    result: Transcript | Error


Emit = Callable[[Update | Finished], None]


def transcribe_here(
    settings: Settings, sources: Sequence[str | Path | RawAudio], batch_size: int, emit: Emit
) -> None:
    """Transcribe in this process, passing updates and results to ``emit``."""
    recognizer = settings.load()
    hot_decoder(recognizer, settings.hot_words)
    _transcribe(recognizer, settings, sources, batch_size, emit)


def _transcribe(
    recognizer: Recognizer,
    settings: Settings,
    sources: Sequence[str | Path | RawAudio],
    batch_size: int,
    emit: Emit,
) -> None:
    results = recognizer.transcribe_batch(
        sources,
        batch_size=batch_size,
        decoder=settings.chosen(recognizer),
        minimum_confidence=settings.minimum_confidence,
        mark_uncertain=settings.mark_uncertain,
        written=settings.written,
        endpoint=settings.rules,
        alternatives=settings.alternatives,
        on_update=emit,
    )
    for index, (_, result) in enumerate(results):
        emit(Finished(index, result))


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection
    group: list[int]
    """Recordings assigned to it that are not finished."""
    is_ready: bool = False


def transcribe_in_workers(
    settings: Settings,
    sources: Sequence[str | Path | RawAudio],
    batch_size: int,
    jobs: int,
    emit: Emit,
) -> None:
    """Transcribe in ``jobs`` processes, each with ``batch_size`` recordings at a time.

    If a worker crashes, only the recording it was working on fails, with an Error; the others are
    transcribed again, without reporting a segment twice. Only this process handles signals; when
    it exits, for whatever reason, its workers exit too.

    Raises:
        Error: the workers cannot load the model.
    """
    waiting = deque(
        list(range(first, min(first + batch_size, len(sources))))
        for first in range(0, len(sources), batch_size)
    )
    workers: list[_Worker] = []
    reported: Counter[int] = Counter()  # segments of each recording
    try:
        while waiting or workers:
            while waiting and len(workers) < jobs:
                workers.append(_start(settings))
                _assign(workers[-1], waiting, sources)
            for pipe in connection.wait([worker.pipe for worker in workers]):
                worker = next(w for w in workers if w.pipe is pipe)
                try:
                    message = worker.pipe.recv()
                except (EOFError, OSError):
                    workers.remove(worker)
                    _handle_death(worker, waiting, sources, emit)
                    continue
                worker.is_ready = True
                if isinstance(message, Error):
                    raise message
                if message is None:
                    if waiting:
                        _assign(worker, waiting, sources)
                    else:
                        workers.remove(worker)
                        _terminate([worker])
                    continue
                if isinstance(message, Finished):
                    worker.group.remove(message.index)
                else:
                    fresh = tuple(s for s in message.segments if s.id >= reported[message.index])
                    reported[message.index] += len(fresh)
                    message = replace(message, segments=fresh)
                emit(message)
    finally:
        _terminate(workers)


def _start(settings: Settings) -> _Worker:
    context = get_context("spawn")
    parent_end, child_end = context.Pipe()
    process = context.Process(target=_work, args=(child_end, settings), daemon=True)
    with _sigint_blocked():  # inherited by the process until it ignores them itself
        process.start()
    child_end.close()
    return _Worker(process, parent_end, [])


def _assign(
    worker: _Worker, waiting: deque[list[int]], sources: Sequence[str | Path | RawAudio]
) -> None:
    worker.group = waiting.popleft()
    with suppress(OSError):  # a dead worker is noticed when its pipe is read
        worker.pipe.send((worker.group, [sources[index] for index in worker.group]))


def _handle_death(
    worker: _Worker, waiting: deque[list[int]], sources: Sequence[str | Path | RawAudio], emit: Emit
) -> None:
    """Requeue or fail the recordings of a worker that died."""
    worker.process.join(EXIT_TIMEOUT_S)
    code = worker.process.exitcode
    _terminate([worker])
    how = f"exit status {code}"
    if code is not None and code < 0:
        how = signal.Signals(-code).name
    if not worker.is_ready:
        raise Error(f"a worker process died while loading the model ({how}); try fewer --jobs")
    if len(worker.group) > 1:  # retry one by one to find the recording at fault
        waiting.extendleft([index] for index in reversed(worker.group))
        return
    for index in worker.group:
        emit(
            Finished(
                index,
                Error(
                    f"{sources[index]}: the worker process died ({how}), perhaps out of memory; "
                    "try fewer --jobs"
                ),
            )
        )


def _terminate(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.pipe.close()
        worker.process.terminate()
    for worker in workers:
        worker.process.join(EXIT_TIMEOUT_S)
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, settings: Settings) -> None:
    """Worker process: receive groups of recordings, send updates and transcripts."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches all processes; the parent stops this one
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_exit_with_parent, daemon=True).start()
    try:
        recognizer = settings.load()
    except Error as error:
        pipe.send(error)
        return
    while True:
        try:
            indices, sources = pipe.recv()
            _serve(pipe, recognizer, settings, indices, sources)
        except (EOFError, OSError):
            return


def _serve(
    pipe: Connection,
    recognizer: Recognizer,
    settings: Settings,
    indices: Sequence[int],
    sources: Sequence[Any],
) -> None:
    unfinished = set(indices)

    def emit(message: Update | Finished) -> None:
        message = replace(message, index=indices[message.index])
        if isinstance(message, Finished):
            unfinished.discard(message.index)
        pipe.send(message)

    try:
        _transcribe(recognizer, settings, sources, len(sources), emit)
    except (OSError, EOFError):
        raise
    except Exception as error:  # noqa: BLE001  only this group fails
        for index in sorted(unfinished):
            name = sources[indices.index(index)]
            problem = Error(f"{name}: {type(error).__name__}: {error}; please report this")
            problem.add_note(traceback.format_exc())
            pipe.send(Finished(index, problem))
    pipe.send(None)


def _exit_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
