"""What a supervisor asks: does the engine live, and may sessions come here."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from ..service import Service

router = APIRouter(tags=["health"])

_RETRY_S = 5


class Health(BaseModel):
    """Whether the engine's loop turns; the web server alone proves nothing."""

    status: Literal["ok", "dead"]


class Slots(BaseModel):
    """Sessions that are open, and how many live ones would be admitted now."""

    used: int
    free: int
    total: int = Field(description="Of now: it follows what the machine is measured to carry.")


class Readiness(BaseModel):
    """Whether to send sessions here."""

    ready: bool
    reason: Literal["engine_dead", "draining", "full"] | None = Field(
        description="Why not, where it is not ready."
    )
    model: str
    slots: Slots


@router.get("/healthz", responses={503: {"model": Health}})
async def healthz(request: Request, response: Response) -> Health:
    """Say whether the engine lives: 503 means that the process should be replaced."""
    service: Service = request.app.state.service
    if service.engine.is_alive:
        return Health(status="ok")
    response.status_code = 503
    return Health(status="dead")


@router.get("/readyz", responses={503: {"model": Readiness}})
async def readyz(request: Request, response: Response) -> Readiness:
    """Say whether a session would be admitted: 503 means to send it elsewhere, for now."""
    service: Service = request.app.state.service
    used, free = service.engine.n_open, service.engine.n_free
    reason = _why_not(service, free)
    if reason is not None:
        response.status_code = 503
        response.headers["Retry-After"] = str(_RETRY_S)
    slots = Slots(used=used, free=free, total=used + free)
    return Readiness(ready=reason is None, reason=reason, model=service.model_name, slots=slots)


def _why_not(service: Service, n_free: int) -> Literal["engine_dead", "draining", "full"] | None:
    if not service.engine.is_alive:
        return "engine_dead"
    if service.is_draining or not service.engine.is_ready:
        return "draining"
    return None if n_free else "full"
