"""``POST /v1/audio/transcriptions``: transcription of uploaded recordings."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.responses import Response

from asr_gru.formats import writer
from asr_gru.results import Alternative, Segment, Transcript, Word
from asr_gru.server.context import ServerContext
from asr_gru.server.decoding_form import FormRoute, decoding_form
from asr_gru.server.decoding_request import DecodingRequest, FieldError
from asr_gru.server.limits import INTERNAL, RefusedError
from asr_gru.server.logprobs import log_probability, token_log_probabilities
from asr_gru.server.problems import problem, problem_body, refused
from asr_gru.server.upload_job import UploadJob

__all__ = ["router"]

log = logging.getLogger("asr_gru.server")
router = APIRouter(route_class=FormRoute)
Format = Literal["json", "text", "srt", "vtt", "verbose_json"]
Granularity = Literal["word", "segment"]
Include = Literal["logprobs"]
UNUSED = "Accepted for compatibility, and ignored."
RECORDING = "The recording, in any supported format."
BINARY: dict[str, Any] = {"format": "binary"}
"""Lets the documentation page show a file chooser."""
MEDIA = {"text": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}


@router.post("/v1/audio/transcriptions", response_model=None)
async def transcriptions(
    request: Request,
    file: Annotated[UploadFile, File(description=RECORDING, json_schema_extra=BINARY)],
    model: Annotated[str, Form(description="A name from GET /v1/models, or one of OpenAI's.")],
    asked: Annotated[DecodingRequest, Depends(decoding_form)],
    response_format: Annotated[Format, Form()] = "json",
    language: Annotated[
        str | None, Form(description="Language code; must be that of the model.")
    ] = None,
    timestamp_granularities: Annotated[
        list[Granularity], Form(alias="timestamp_granularities[]")
    ] = [],  # noqa: B006  FastAPI copies it
    granularities: Annotated[
        list[Granularity],
        Form(alias="timestamp_granularities", description="The same, without the brackets."),
    ] = [],  # noqa: B006
    included: Annotated[
        list[Include],
        Form(alias="include[]", description="logprobs: log-probabilities of words, in json."),
    ] = [],  # noqa: B006
    include: Annotated[
        list[Include], Form(alias="include", description="The same, without the brackets.")
    ] = [],  # noqa: B006
    stream: Annotated[bool, Form(description="Send segments as server-sent events.")] = False,
    prompt: Annotated[str | None, Form(description=UNUSED)] = None,  # noqa: ARG001
    temperature: Annotated[float | None, Form(description=UNUSED)] = None,  # noqa: ARG001
) -> Response:
    """Transcribe a recording, as OpenAI's clients ask for it."""
    context: ServerContext = request.app.state.context
    if not context.answers_to(model):
        message = f"no model {model!r} here; there is {context.model}"
        return problem(404, "model_not_found", message, param="model")
    if language and not context.writes(language):
        message = f"{context.model} writes {context.language}, not {language}"
        return problem(400, "language", message, param="language")
    if asked.alternatives is not None and (stream or response_format != "verbose_json"):
        message = "alternatives come in verbose_json; ask for that, and not for a stream"
        return problem(400, "alternatives", message, param="alternatives")
    with_logprobs = bool(included or include)
    if with_logprobs and response_format not in ("json", "verbose_json") and not stream:
        message = f"logprobs come in json, verbose_json and streams, not in {response_format}"
        return problem(400, "include", message, param="include")
    try:
        context.uploads.check()
        options = await asyncio.to_thread(asked.compile, context.recognizer)
        job = UploadJob(context, file, options)
        if stream:
            return StreamingResponse(
                _streamed(job, logprobs=with_logprobs), media_type="text/event-stream"
            )
        await _while_connected(request, job)
    except FieldError as error:
        return problem(400, error.field, str(error), param=error.field)
    except RefusedError as error:
        return refused(error)
    if job.transcript is None:
        return Response(status_code=499)  # the client has left
    answer = _response(
        job.transcript, response_format, {*timestamp_granularities, *granularities}, context
    )
    if isinstance(answer, Response):
        return answer
    return JSONResponse(answer | _logprobs(job.transcript.segments, asked=with_logprobs))


async def _while_connected(request: Request, job: UploadJob) -> None:
    """Transcribe, but stop if the client disconnects."""

    async def left() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    tasks = [asyncio.create_task(job.run()), asyncio.create_task(left())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _streamed(job: UploadJob, *, logprobs: bool) -> AsyncIterator[bytes]:
    """Server-sent events: a delta per segment, then the whole text, or an error."""
    space = ""
    try:
        async with contextlib.aclosing(job.segments()) as segments:
            async for segment in segments:
                delta = {"type": "transcript.text.delta", "delta": space + _text(segment)}
                yield _event(delta | _logprobs([segment], space, asked=logprobs))
                space = " "
        assert job.transcript is not None
        done = {"type": "transcript.text.done", "text": _text(job.transcript)}
        yield _event(done | _logprobs(job.transcript.segments, asked=logprobs))
    except RefusedError as error:
        yield _event({"type": "error", **problem_body(error.code, error.message)})
    except Exception:
        log.exception("an upload failed")
        yield _event({"type": "error", **problem_body("internal", INTERNAL, "server_error")})


def _event(message: dict[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(message) + b"\n\n"


def _logprobs(segments: Sequence[Segment], space: str = "", *, asked: bool) -> dict[str, Any]:
    """Return the field of the words' log-probabilities, or none if they are not ``asked`` for."""
    return {"logprobs": token_log_probabilities(segments, space)} if asked else {}


def _response(
    transcript: Transcript, form: Format, granularities: set[Granularity], context: ServerContext
) -> Response | dict[str, Any]:
    """Return a response of text, or the body of one in JSON."""
    if form in MEDIA:
        text = writer({"text": "txt"}.get(form, form))(transcript, "upload")
        return PlainTextResponse(text, media_type=MEDIA[form])
    usage = {"type": "duration", "seconds": round(transcript.duration_s, 3)}
    if form == "json":
        return {"text": _text(transcript), **_spoken(transcript), "usage": usage}
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": context.language,
        "duration": round(transcript.duration_s, 3),
        "text": _text(transcript),
        **_spoken(transcript),
        "usage": usage,
    }
    if "segment" in granularities or not granularities:
        body["segments"] = [_segment(segment) for segment in transcript.segments]
    if "word" in granularities:
        body["words"] = [_word(word) for word in transcript.words]
    return body


def _word(word: Word) -> dict[str, Any]:
    return {
        "word": word.text,
        "start": round(word.start_s, 3),
        "end": round(word.end_s, 3),
        "confidence": round(word.confidence, 3),
        **({"uncertain": True} if word.uncertain else {}),
        **_competing(word),
    }


def _competing(word: Word) -> dict[str, Any]:
    if not word.alternatives:
        return {}
    return {
        "alternatives": [
            {"word": one.text, "probability": round(one.probability, 3)}
            for one in word.alternatives
        ]
    }


def _alternative(one: Alternative) -> dict[str, Any]:
    return {
        "text": one.text,
        "log_prob": round(one.log_prob, 3),
        "probability": round(one.probability, 3),
        "words": [
            {"word": word.text, "start": round(word.start_s, 3), "end": round(word.end_s, 3)}
            for word in one.words
        ],
    }


def _text(result: Transcript | Segment) -> str:
    return result.written or result.text


def _spoken(result: Transcript | Segment) -> dict[str, Any]:
    """Return the additional fields of a written text."""
    if result.written is None:
        return {}
    if isinstance(result, Transcript):
        return {"spoken": result.text}
    return {"spoken": result.text, "written_words": [_word(word) for word in result.written_words]}


def _segment(segment: Segment) -> dict[str, Any]:
    """Return a segment with all fields that clients check for; those unknown here are 0."""
    confidence = sum(word.confidence for word in segment.words) / max(1, len(segment.words))
    unknown = {"seek": 0, "tokens": [], "temperature": 0.0}
    found = [_alternative(one) for one in segment.alternatives]
    return {
        "id": segment.id,
        "start": round(segment.start_s, 3),
        "end": round(segment.end_s, 3),
        "text": _text(segment),
        **_spoken(segment),
        **(segment.match.to_dict() if segment.match else {}),
        "confidence": round(confidence, 3),
        **unknown,
        "avg_logprob": round(
            sum(map(log_probability, segment.words)) / max(1, len(segment.words)), 4
        ),
        "compression_ratio": 1.0,
        "no_speech_prob": 0.0,
        **({"alternatives": found} if found else {}),
    }
