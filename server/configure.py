"""Gathering the settings from flags, environment and file, with errors that name the culprit."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from ..protocol.messages import own_words
from .settings import ENV_PREFIX, ServeSettings, SettingsError


def flag_of(name: str) -> str:
    """Return how a setting is written as a flag."""
    return "--" + name.replace("_", "-")


def load_settings(flags: Mapping[str, Any]) -> ServeSettings:
    """Gather the settings; flags: those that were given. Raises SettingsError, a line for each."""
    _refuse_misspelt(os.environ)
    try:
        return ServeSettings(**flags)
    except ValidationError as error:
        lines = [_line(each["loc"], each["msg"], flags) for each in error.errors()]
        raise SettingsError("\n".join(lines)) from None


def _line(where: tuple[int | str, ...], message: str, flags: Mapping[str, Any]) -> str:
    """Return an error with the place that the wrong value came from."""
    message = own_words(message)
    if not where:
        return message
    name = str(where[0])
    if name in flags:
        return f"{flag_of(name)}: {message}"
    variable = (ENV_PREFIX + name).upper()
    if variable in os.environ:
        return f"{variable}: {message}"
    if name not in ServeSettings.model_fields:
        near = difflib.get_close_matches(name, ServeSettings.model_fields, n=1, cutoff=0.8)
        message = "no such setting" + (f"; did you mean {near[0]}?" if near else "")
    return f"in the file, {name}: {message}"


def _refuse_misspelt(environment: Mapping[str, str]) -> None:
    """Raise SettingsError for a variable that is almost a setting's: a key misspelt locks nothing.

    Others with our prefix are let be: orchestrators set some for every service of that name.
    """
    known = [(ENV_PREFIX + name).upper() for name in ServeSettings.model_fields]
    for variable in environment:
        if variable.startswith(ENV_PREFIX) and variable not in known:
            near = difflib.get_close_matches(variable, known, n=1, cutoff=0.9)
            if near:
                raise SettingsError(f"{variable} is no setting; did you mean {near[0]}?")
