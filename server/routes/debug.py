"""What the server knows of its sessions, for whoever looks for a fault: no audio, no text."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from ...protocol.errors import ForbiddenError
from ...protocol.openai_rest.errors import ErrorBody
from ..doors.asgi import visitor_of
from ..doors.doorman import Visitor
from ..flights import FlightReport, FlightSummary
from ..service import Service

_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorBody, "description": "A key is needed."},
    403: {"model": ErrorBody, "description": "No place for browsers' tokens, or strangers."},
}


def _check(request: Request, visitor: Annotated[Visitor, Depends(visitor_of)]) -> None:
    """Let in who holds a key; where there are none, who is on this machine."""
    service: Service = request.app.state.service
    if visitor.token is not None:
        raise ForbiddenError("a token opens sessions only; a key is needed")
    if not service.settings.has_keys and not service.settings.is_loopback:
        raise ForbiddenError("where other machines can connect, this needs a key; none is set")


router = APIRouter(prefix="/debug", tags=["health"], dependencies=[Depends(_check)])


class FlightList(BaseModel):
    """The sessions that are open, and the last that ended, the newest last."""

    open: list[FlightSummary]
    ended: list[FlightSummary]


@router.get("/sessions", responses=_REFUSALS)
async def sessions(request: Request) -> FlightList:
    """List the sessions that are open, and the last that ended."""
    service: Service = request.app.state.service
    open_, ended = service.flights.summaries()
    return FlightList(open=open_, ended=ended)


@router.get(
    "/sessions/{session_id}",
    responses={
        **_REFUSALS,
        404: {"model": ErrorBody, "description": "No such session, or it ended long ago."},
    },
)
async def session(request: Request, session_id: str) -> FlightReport:
    """Tell what was lately decided in one session, and how long the model's passes took."""
    service: Service = request.app.state.service
    return service.flights.report(session_id)
