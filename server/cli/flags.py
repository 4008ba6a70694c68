"""The settings as flags: one for each, from what the settings say of themselves."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import annotated_types
import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from ..configure import flag_of, load_settings
from ..settings import ServeSettings

_UNITS = {"_s": "SECONDS", "_ms": "MS", "_bytes": "BYTES"}
_METAVARS = {int: "N", Path: "FILE", str: "TEXT"}
_SIZES = {1 << 40: "TiB", 1 << 30: "GiB", 1 << 20: "MiB", 1 << 10: "KiB"}


def takes_settings(command: Callable[[ServeSettings], None]) -> Callable[..., None]:
    """Return a Typer command with a flag for each setting that is no secret.

    It raises SettingsError. A flag that is not given is None, so that environment and file count.
    """

    @functools.wraps(command)
    def run(**flags: Any) -> None:
        command(load_settings({name: value for name, value in flags.items() if value is not None}))

    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in flag_types().items()
    ]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def flag_types() -> dict[str, Any]:
    """Return what Typer is to make of each setting, by its name."""
    return {
        name: _flag(name, field)
        for name, field in ServeSettings.model_fields.items()
        if SecretStr not in typing.get_args(field.annotation)
    }


def defaults_and_bounds(name: str, field: FieldInfo) -> str:
    """Return what holds where nothing is said, and what may be said, in words; maybe nothing."""
    default = field.default
    is_told = default not in (None, ()) and not isinstance(default, bool)
    told = f"Default: {_number(name, default)}" if is_told else ""
    if name == "delay_ms":
        told = "Default: the model's own"
    bounds = {type(each): each for each in field.metadata}
    low, high = bounds.get(annotated_types.Ge), bounds.get(annotated_types.Le)
    if told and low and high:
        told += f" ({_number(name, low.ge)} to {_number(name, high.le)})"
    return f"{told}." if told else ""


def _flag(name: str, field: FieldInfo) -> Any:
    kind = _kind(field.annotation)
    extra = field.json_schema_extra
    assert isinstance(extra, dict)
    option = typer.Option(
        flag_of(name),
        help=f"{field.description} {defaults_and_bounds(name, field)}".rstrip(),
        show_default=False,
        rich_help_panel=str(extra["group"]),
        metavar=None if kind is bool else _metavar(name, kind),
    )
    return Annotated[kind | None, option]


def _kind(annotation: Any) -> Any:
    """Return what Typer reads for a setting: one simple type, or a list of strings.

    What is said in a wrong way is told by the settings themselves.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return _kind(next(each for each in arguments if each is not types.NoneType))
    if origin is Annotated:
        return _kind(arguments[0])
    return {tuple: list[str], Literal: str}.get(origin, annotation)


def _metavar(name: str, kind: Any) -> str:
    units = (unit for suffix, unit in _UNITS.items() if name.endswith(suffix))
    return next(units, _METAVARS.get(kind, "TEXT"))


def _number(name: str, value: Any) -> str:
    if name.endswith("_bytes"):
        factor = max(factor for factor in _SIZES if value % factor == 0)
        return f"{value // factor} {_SIZES[factor]}"
    return f"{value:g}" if isinstance(value, float) else str(value)
