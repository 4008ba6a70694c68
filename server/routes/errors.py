"""Every error over HTTP as OpenAI's error object: ours, the framework's, and bugs."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from ...protocol.errors import VoxwireError
from ...protocol.messages import own_words
from ...protocol.openai_rest.errors import body_of, error_body, error_headers, status_of


def add_error_handlers(app: FastAPI) -> None:
    """Have an application answer every error in one shape."""
    app.add_exception_handler(VoxwireError, _ours)
    app.add_exception_handler(HTTPException, _frameworks)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _bug)


def error_response(error: VoxwireError) -> JSONResponse:
    """Return the HTTP answer that says `error`."""
    body = error_body(error).model_dump()
    return JSONResponse(body, status_of(error), error_headers(error))


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, VoxwireError)
    return error_response(error)


async def _frameworks(request: Request, error: Exception) -> JSONResponse:
    """Say that a path or a method does not exist, or what else Starlette found."""
    assert isinstance(error, HTTPException)
    status = error.status_code
    code = HTTPStatus(status).phrase.lower().replace(" ", "_")
    message = error.detail
    if message == HTTPStatus(status).phrase:
        message = f"{message}: {request.method} {request.url.path[:200]}"
    return JSONResponse(body_of(status, message, code).model_dump(), status, error.headers)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = str(first["loc"][-1])
    body = body_of(400, f"{name}: {own_words(first['msg'])}", "invalid_request", name)
    return JSONResponse(body.model_dump(), 400)


async def _bug(request: Request, error: Exception) -> JSONResponse:
    """Tell nothing of a bug but that it is one; the server logs it."""
    return JSONResponse(body_of(500, "the server failed", "internal").model_dump(), 500)
