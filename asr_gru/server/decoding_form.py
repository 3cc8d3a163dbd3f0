"""The decoding options of an upload, as fields of its form."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Form, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from asr_gru.results.transcript import MAX_ALTERNATIVES
from asr_gru.server.context import ServerContext
from asr_gru.server.decoding_request import MAX_PHRASE_LENGTH, MAX_PHRASES, DecodingRequest
from asr_gru.server.limits import RefusedError
from asr_gru.server.problems import refused

__all__ = ["FormRoute", "decoding_form"]

LISTS = ("hot_words", "phrases")
BARE = "The same, without the brackets."
MAX_FIELDS = MAX_PHRASES + 100
"""Every phrase may be a field of its own; Starlette takes 1,000 fields."""
MAX_FIELD_BYTES = 4 * MAX_PHRASES * (MAX_PHRASE_LENGTH + 1)
"""All phrases may be lines of one field, in UTF-8; Starlette takes 1 MiB."""


class _FormRequest(Request):
    """A request whose form has room for the longest lists."""

    def form(self, **limits: Any) -> Any:
        """Parse the form."""
        limits |= {"max_fields": MAX_FIELDS, "max_part_size": MAX_FIELD_BYTES}
        return super().form(**limits)


class FormRoute(APIRoute):
    """A route whose form may have the fields of ``decoding_form``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, which gets a request with these limits.

        A recording that would be refused for want of a slot is so before its body is read.
        """
        handle = super().get_route_handler()

        async def handle_form(request: Request) -> Response:
            context: ServerContext = request.app.state.context
            try:
                context.uploads.check()
            except RefusedError as error:
                return refused(error)
            return await handle(_FormRequest(request.scope, request.receive))

        return handle_form


async def decoding_form(
    request: Request,
    decoder: Annotated[
        Literal["greedy", "beam", "words", "phones"] | None,
        Form(description="Decoder, instead of the model's default."),
    ] = None,
    written: Annotated[
        bool, Form(description="Write numbers in digits and names with capitals (English).")
    ] = False,
    alternatives: Annotated[
        int | None,
        Form(ge=1, le=MAX_ALTERNATIVES, description="Hypotheses of each segment, in verbose_json."),
    ] = None,
    hot_words: Annotated[
        list[str],
        Form(alias="hot_words[]", description="Words to favour; lines of PHRASE [= WEIGHT]."),
    ] = [],  # noqa: B006  FastAPI copies it
    bare_hot_words: Annotated[list[str], Form(alias="hot_words", description=BARE)] = [],  # noqa: B006
    phrases: Annotated[
        list[str], Form(alias="phrases[]", description="The only phrases to recognise; lines.")
    ] = [],  # noqa: B006
    bare_phrases: Annotated[list[str], Form(alias="phrases", description=BARE)] = [],  # noqa: B006
    grammar: Annotated[
        str | None, Form(description="Recognise only sentences of this JSGF grammar.")
    ] = None,
    rejection: Annotated[
        float | None,
        Form(
            ge=0,
            le=20,
            allow_inf_nan=False,
            description="Rejection threshold of phrases and grammars, in nats.",
        ),
    ] = None,
    minimum_confidence: Annotated[
        float | None,
        Form(ge=0, le=1, allow_inf_nan=False, description="Omit words of lower confidence."),
    ] = None,
    mark_uncertain: Annotated[
        bool, Form(description="Mark such words as [word?] instead of omitting them.")
    ] = False,
) -> DecodingRequest:
    """Return the decoding options of a form; lists may also be lines of one field."""
    fields: dict[str, Any] = {
        "decoder": decoder,
        "written": written,
        "alternatives": alternatives,
        "hot_words": _lines([*hot_words, *bare_hot_words]),
        "phrases": _lines([*phrases, *bare_phrases]),
        "grammar": grammar,
        "rejection": rejection,
        "minimum_confidence": minimum_confidence,
        "mark_uncertain": mark_uncertain,
    }
    sent = await request.form()
    for name in fields:
        values = sent.getlist(name) + sent.getlist(f"{name}[]")
        texts = [str(value).strip() for value in values]
        filled = _lines(texts) if name in LISTS else any(texts)
        if values and not filled:  # FastAPI takes an empty field for a missing one
            raise _invalid(name, "is empty; leave this field out, or fill it")
    try:
        return msgspec.convert(fields, DecodingRequest)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        name = path.rstrip("`").partition("[")[0]
        raise _invalid(name, message) from None


def _invalid(name: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"loc": ("body", name), "msg": message}])


def _lines(given: Sequence[str]) -> list[str] | None:
    """Return the lines of the values of a field, without empty ones and ``#`` comments."""
    if not given:
        return None
    lines = [line.strip() for value in given for line in value.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]
