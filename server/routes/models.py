"""GET /v1/models: what is served, as OpenAI's clients ask for it."""

from __future__ import annotations

import time

from fastapi import APIRouter, Request

from ...protocol.openai_rest.answers import Model, ModelList
from ...protocol.openai_rest.errors import ErrorBody
from ..service import Service

router = APIRouter(prefix="/v1/models", tags=["Models"])
_STARTED_S = int(time.time())


@router.get("", summary="List the models")
async def list_models(request: Request) -> ModelList:
    """Return the one model that this process serves."""
    return ModelList(data=[_served(request)])


@router.get(
    "/{model:path}",
    summary="Tell about a model",
    responses={404: {"model": ErrorBody, "description": "The name has a line break."}},
)
async def get_model(request: Request, model: str) -> Model:
    """Return the served model: any name stands for it, as where audio is transcribed."""
    return _served(request)


def _served(request: Request) -> Model:
    service: Service = request.app.state.service
    return Model(id=service.model_name, created=_STARTED_S)
