"""``POST /v1/audio/transcriptions``: a recording in, its transcript out."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import tempfile
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.responses import Response

from asr_gru.audio.finding import SUFFIXES
from asr_gru.errors import AudioError, Error
from asr_gru.formats import writer
from asr_gru.results import Segment, Transcript
from asr_gru.server.problems import problem, problem_body
from asr_gru.server.state import ServerState

__all__ = ["router"]

router = APIRouter()
Format = Literal["json", "text", "srt", "vtt", "verbose_json"]
UNUSED = "Taken for compatibility; this model has no use for it."
RECORDING = "The recording, in any format that is read."
BINARY: dict[str, Any] = {"format": "binary"}
"""Lets the documentation page show a file chooser."""
MEDIA = {"text": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}


class _TooLongError(Exception):
    pass


class _GoneError(Exception):
    pass


@router.post("/v1/audio/transcriptions", response_model=None)
async def transcriptions(
    request: Request,
    file: Annotated[UploadFile, File(description=RECORDING, json_schema_extra=BINARY)],
    model: Annotated[str, Form(description="As GET /v1/models lists it.")],
    response_format: Annotated[Format, Form()] = "json",
    language: Annotated[str | None, Form(description="Must be the model's own.")] = None,
    timestamp_granularities: Annotated[
        list[Literal["word", "segment"]], Form(alias="timestamp_granularities[]")
    ] = [],  # noqa: B006  FastAPI copies it
    stream: Annotated[bool, Form(description="Send segments as server-sent events.")] = False,
    prompt: Annotated[str | None, Form(description=UNUSED)] = None,  # noqa: ARG001
    temperature: Annotated[float | None, Form(description=UNUSED)] = None,  # noqa: ARG001
) -> Response:
    """Transcribe a recording, as OpenAI's clients ask for it."""
    state: ServerState = request.app.state.server
    if model != state.name:
        return problem(404, "model_not_found", f"no model {model!r} here; there is {state.name}")
    if language and state.language and language.split("-")[0] != state.language.split("-")[0]:
        return problem(400, "language", f"{state.name} writes {state.language}, not {language}")
    if state.uploads.locked() and state.waiting_uploads >= state.limits.queued_uploads:
        return problem(503, "too_many_uploads", "too many recordings wait; try again later")
    job = _Job(state, file)
    if stream:
        return StreamingResponse(_streamed(job), media_type="text/event-stream")
    try:
        await _while_wanted(request, job)
    except Error as error:
        return problem(400, "bad_audio", str(error))
    except _TooLongError:
        return problem(413, "audio_too_long", f"longer than {state.limits.upload_s:g} s")
    if job.transcript is None:
        return Response(status_code=499)  # nobody is there to read it
    return _response(job.transcript, response_format, set(timestamp_granularities), state)


async def _while_wanted(request: Request, job: _Job) -> None:
    """Transcribe, unless the client goes away before that is done."""

    async def transcribed() -> None:
        async for _ in job.segments():
            pass

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    tasks = [asyncio.create_task(transcribed()), asyncio.create_task(gone())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Job:
    """One recording, transcribed in a thread; ends early when nobody wants it any more."""

    def __init__(self, state: ServerState, file: UploadFile) -> None:
        self.state = state
        self.file = file
        self.transcript: Transcript | None = None
        self._gone = threading.Event()
        self._found: queue.SimpleQueue[Segment | None] = queue.SimpleQueue()

    async def segments(self) -> AsyncGenerator[Segment, None]:
        """Yield segments as they are found; raises Error and _TooLongError."""
        self.state.waiting_uploads += 1
        try:
            await self.state.uploads.acquire()
        finally:
            self.state.waiting_uploads -= 1
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(None, self._transcribe)
        work.add_done_callback(self._free)  # needs no await, so no cancellation skips it
        try:
            while (segment := await loop.run_in_executor(None, self._found.get)) is not None:
                yield segment
            await asyncio.wait([work])
            self.transcript = work.result()
        finally:
            self._gone.set()
        self.state.metrics.audio.labels("upload").inc(self.transcript.duration_s)
        self.state.metrics.finals.inc(len(self.transcript.segments))

    def _free(self, work: asyncio.Future[Transcript]) -> None:
        self.state.uploads.release()
        if not work.cancelled():
            work.exception()  # has been looked at

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
                    return self.state.recognizer.transcribe(
                        path, on_progress=self._check, on_segment=self._found.put
                    )
                except Error as error:  # where the upload was kept is nobody's business
                    raise AudioError(str(error).replace(str(path), "the upload")) from None
        finally:
            self._found.put(None)

    def _check(self, done_s: float) -> None:
        if self._gone.is_set():
            raise _GoneError
        if done_s > self.state.limits.upload_s:
            raise _TooLongError


async def _streamed(job: _Job) -> AsyncIterator[bytes]:
    """Server-sent events: a delta a segment, then all of the text."""
    first = True
    try:
        async with contextlib.aclosing(job.segments()) as segments:
            async for segment in segments:
                text = segment.text if first else f" {segment.text}"
                first = False
                yield _sse({"type": "transcript.text.delta", "delta": text})
        assert job.transcript is not None
        yield _sse({"type": "transcript.text.done", "text": job.transcript.text})
    except Error as error:
        yield _sse({"type": "error", **problem_body("bad_audio", str(error))})
    except _TooLongError:
        message = f"longer than {job.state.limits.upload_s:g} s"
        yield _sse({"type": "error", **problem_body("audio_too_long", message)})


def _sse(message: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(message) + b"\n\n"


def _response(
    transcript: Transcript, form: Format, granularities: set[str], state: ServerState
) -> Response:
    if form in MEDIA:
        text = writer({"text": "txt"}.get(form, form))(transcript, "upload")
        return PlainTextResponse(text, media_type=MEDIA[form])
    usage = {"type": "duration", "seconds": round(transcript.duration_s, 3)}
    if form == "json":
        return JSONResponse({"text": transcript.text, "usage": usage})
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": state.language,
        "duration": round(transcript.duration_s, 3),
        "text": transcript.text,
        "usage": usage,
    }
    if "segment" in granularities or not granularities:
        body["segments"] = [_segment(segment) for segment in transcript.segments]
    if "word" in granularities:
        body["words"] = [
            {
                "word": word.text,
                "start": round(word.start_s, 3),
                "end": round(word.end_s, 3),
                "confidence": round(word.confidence, 3),
            }
            for word in transcript.words
        ]
    return JSONResponse(body)


def _segment(segment: Segment) -> dict[str, Any]:
    """Return a segment with the fields that clients check for; those unknown here are 0."""
    confidence = sum(word.confidence for word in segment.words) / max(1, len(segment.words))
    unknown = {"seek": 0, "tokens": [], "temperature": 0.0, "avg_logprob": 0.0}
    return {
        "id": segment.id,
        "start": round(segment.start_s, 3),
        "end": round(segment.end_s, 3),
        "text": segment.text,
        "confidence": round(confidence, 3),
        **unknown,
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
    }
