"""Reading one configuration file key by key, with errors that name the key."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from .errors import ConfigError

MAX_INTEGER = 2**31 - 1  # MLX counts sizes in 32 bits


class Section:
    """One object of a configuration file. Pure standard library."""

    def __init__(self, data: object, path: str = "") -> None:
        if not isinstance(data, Mapping):
            raise ConfigError(expected=f"{path or 'configuration'}: an object", got=_show(data))
        self._data: Mapping[str, Any] = data
        self._path = path

    def name(self, key: str) -> str:
        """Return the full dotted name of `key`."""
        return f"{self._path}.{key}" if self._path else key

    def has(self, key: str) -> bool:
        """Say whether `key` is there and not null."""
        return self._data.get(key) is not None

    def section(self, key: str) -> Section:
        """Return the object under `key`. Raises ConfigError."""
        return Section(self._get(key, "an object"), self.name(key))

    def integer(self, key: str, default: int | None = None) -> int:
        """Return a positive integer of 32 bits. Raises ConfigError."""
        value = default if default is not None and not self.has(key) else None
        value = self._get(key, "a positive integer") if value is None else value
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            raise ConfigError(expected=f"{self.name(key)}: a positive integer", got=_show(value))
        if value > MAX_INTEGER:
            wanted = f"{self.name(key)}: an integer up to {MAX_INTEGER}"
            raise ConfigError(expected=wanted, got=_show(value))
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """Return a positive, finite number. Raises ConfigError."""
        value = default if default is not None and not self.has(key) else None
        value = self._get(key, "a positive number") if value is None else value
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
            raise ConfigError(expected=f"{self.name(key)}: a positive number", got=_show(value))
        # JSON readers of Python let NaN (refused above), infinity and any number of digits through.
        if value > sys.float_info.max:
            raise ConfigError(
                expected=f"{self.name(key)}: a number that a float holds", got=_show(value)
            )
        return float(value)

    def allow(self, key: str, *values: object) -> None:
        """Refuse `key` where it is given with a meaning that this model does not have."""
        if self.has(key) and self._data[key] not in values:
            wanted = " or ".join(repr(value) for value in values)
            raise ConfigError(expected=f"{self.name(key)}: {wanted}", got=_show(self._data[key]))

    def _get(self, key: str, kind: str) -> Any:
        if not self.has(key):
            raise ConfigError(expected=f"{self.name(key)}: {kind}", got="no such key")
        return self._data[key]


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
