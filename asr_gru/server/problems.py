"""Errors of the REST interface, in the form that OpenAI's clients read."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from asr_gru.server.limits import INTERNAL, STATUSES, RefusedError

__all__ = ["add_handlers", "problem", "problem_body", "refused"]

log = logging.getLogger("asr_gru.server")


def problem(
    status: int,
    code: str,
    message: str,
    *,
    param: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Return the response that carries an error.

    Args:
        status: HTTP status.
        code: machine-readable code.
        message: human-readable message.
        param: the field of the request that is at fault.
        headers: additional headers.
    """
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return JSONResponse(problem_body(code, message, kind, param), status, headers)


def problem_body(
    code: str,
    message: str,
    kind: str = "invalid_request_error",
    param: str | None = None,
) -> dict[str, Any]:
    """Return an error as the body of a response, or as part of an event."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def refused(error: RefusedError) -> JSONResponse:
    """Return the response for a refused upload."""
    return problem(STATUSES[error.code], error.code, error.message)


def add_handlers(app: FastAPI) -> None:
    """Install handlers that return all errors in this form."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _internal)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ""
    for part in first["loc"][1:]:
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else part
    message = str(first["msg"]).removeprefix("Value error, ")
    if first.get("type") == "missing":
        message = "is missing; add this field"
    elif "UploadFile" in message:
        message = "is text; send a file, as curl does with file=@RECORDING"
    elif first.get("type") == "string_type":  # fields are text or files
        where = str(first["loc"][1])
        message = f"is a file; send its text, as curl does with '{where}=<FILE'"
    return problem(400, "invalid_request", f"{where}: {message}", param=where or None)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    """Answer errors of routing and parsing, such as 404 and 405."""
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).name.lower()
    message = f"{request.method} {request.url.path}: {error.detail}"
    headers = dict(error.headers) if error.headers else None
    return problem(error.status_code, code, message, headers=headers)


async def _internal(_: Request, error: Exception) -> JSONResponse:  # noqa: ARG001
    return problem(500, "internal", INTERNAL)  # uvicorn logs what was raised
