"""Errors of the REST interface, in the form that OpenAI's clients read."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

__all__ = ["problem", "problem_body"]


def problem(status: int, code: str, message: str) -> JSONResponse:
    """Return an error as an answer."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return JSONResponse(problem_body(code, message, kind), status)


def problem_body(code: str, message: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    """Return an error as the body of an answer, or part of an event."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
