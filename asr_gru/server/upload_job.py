"""Transcription of an uploaded recording in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

from fastapi import UploadFile

from asr_gru.audio.discovery import SUFFIXES
from asr_gru.errors import Error
from asr_gru.results import Segment, Transcript
from asr_gru.server.context import ServerContext
from asr_gru.server.decoding_request import StreamOptions
from asr_gru.server.limits import SHUTTING_DOWN, RefusedError

__all__ = ["UploadJob"]


class _AbandonedError(Exception):
    """The client has disconnected."""


class UploadJob:
    """One recording; its thread stops early when the request has ended.

    Attributes:
        transcript: set once ``segments`` has come to its end.
    """

    def __init__(
        self,
        context: ServerContext,
        file: UploadFile,
        options: StreamOptions,
    ) -> None:
        self.context = context
        self.file = file
        self._options = options
        self.transcript: Transcript | None = None
        self._gone = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._found: asyncio.Queue[Segment | None] = asyncio.Queue()

    async def segments(self) -> AsyncGenerator[Segment, None]:
        """Yield segments as they are found.

        Raises:
            RefusedError: the recording cannot be read, is too long, or the server has no slot
                for it or shuts down.
        """
        uploads = self.context.uploads
        await uploads.acquire()
        try:
            work = self._loop.run_in_executor(uploads.threads, self._transcribe)
        except RuntimeError:  # the threads are shut down already
            uploads.release()
            raise
        work.add_done_callback(self._free)  # needs no await, so no cancellation skips it
        try:
            while (segment := await self._found.get()) is not None:
                yield segment
            await asyncio.wait([work])
            self.transcript = work.result()
        finally:
            self._gone.set()
        metrics = self.context.metrics
        metrics.audio.labels("upload").inc(self.transcript.duration_s)
        metrics.finals.inc(len(self.transcript.segments))

    async def run(self) -> None:
        """Transcribe to the end; raises as ``segments``."""
        async for _ in self.segments():
            pass

    def _free(self, work: asyncio.Future[Transcript]) -> None:
        self.context.uploads.release()
        if not work.cancelled():
            work.exception()  # waiters receive the error, too

    def _transcribe(self) -> Transcript:
        suffix = Path(self.file.filename or "").suffix.lower()
        suffix = suffix if suffix in SUFFIXES else ".audio"
        try:
            with tempfile.TemporaryDirectory(prefix="asr-gru-") as folder:
                path = Path(folder) / f"upload{suffix}"
                with path.open("wb") as copy:
                    while block := self.file.file.read(1 << 20):
                        copy.write(block)
                try:
                    return self.context.recognizer.transcribe(
                        path,
                        on_progress=self._check,
                        on_segment=self._hand_over,
                        **self._options,
                    )
                except Error as error:  # do not reveal where the upload was stored
                    message = str(error).replace(str(path), "the upload")
                    raise RefusedError("bad_audio", message) from None
        finally:
            self._hand_over(None)

    def _hand_over(self, segment: Segment | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may be closed at a shutdown
            self._loop.call_soon_threadsafe(self._found.put_nowait, segment)

    def _check(self, done_s: float) -> None:
        if self._gone.is_set():
            raise _AbandonedError
        if self.context.uploads.abandoned:
            raise RefusedError("shutting_down", SHUTTING_DOWN)
        if done_s > self.context.limits.upload_s:
            raise RefusedError("audio_too_long", f"longer than {self.context.limits.upload_s:g} s")
