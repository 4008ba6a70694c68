"""Typed errors of the model room: what was expected, what came, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Self


class ModelError(Exception):
    """Base of everything that `voxwire.model` raises on purpose."""


class DelayError(ModelError):
    """A transcription delay other than 80..1200 ms in steps of 80, or 2400 ms."""


class AudioError(ModelError):
    """Samples that are not finite mono float32."""


class LogitsError(ModelError):
    """Logits that became NaN or infinite: weights that overflow, or a device that errs."""


class CheckpointError(ModelError):
    """A checkpoint that cannot be used.

    `file`: the file or directory at fault, None where there is none (a configuration in memory).
    `tensor`: the tensor at fault, None where the whole file is.
    `expected`, `got`: in words; both always stand in the message.
    """

    def __init__(
        self,
        file: Path | None = None,
        tensor: str | None = None,
        expected: str = "",
        got: str = "",
    ) -> None:
        self.file = file
        self.tensor = tensor
        self.expected = expected
        self.got = got
        super().__init__(self._message())

    def _message(self) -> str:
        where = [str(self.file)] if self.file is not None else []
        where += [f"tensor {self.tensor}"] if self.tensor is not None else []
        return ": ".join([*where, f"expected {self.expected}, got {self.got}"])

    def at(self, file: Path) -> Self:
        """Return the same error, naming `file`."""
        return type(self)(file, self.tensor, self.expected, self.got)


class ConfigError(CheckpointError):
    """A configuration with a missing, ill-typed or contradictory key; `expected` starts with it."""


class MissingFileError(CheckpointError):
    """A directory without a file that every checkpoint of its layout has."""


class UnknownLayoutError(CheckpointError):
    """Tensor names that belong to no known layout."""


class UnsafeFileError(CheckpointError):
    """Weights in a format that can run code when read (pickle)."""


class CorruptFileError(CheckpointError):
    """A safetensors file whose header cannot be right."""


class TruncatedFileError(CorruptFileError):
    """A file shorter than its own header says."""


class MissingTensorError(CheckpointError):
    """A tensor that the configuration calls for and no file holds."""


class ExtraTensorError(CheckpointError):
    """A tensor that the configuration does not call for."""


class TensorShapeError(CheckpointError):
    """A tensor of another shape than the configuration gives it."""


class TensorDtypeError(CheckpointError):
    """A tensor stored in a number format that its place does not allow."""


class NonFiniteTensorError(CheckpointError):
    """A tensor with NaN or infinite elements."""


class TokenizerError(CheckpointError):
    """A tekken.json that is absent, unreadable, or made for another model."""


class HubError(CheckpointError):
    """A hub repository that cannot be reached or holds no checkpoint."""


class ConversionError(CheckpointError):
    """A conversion that cannot be written, or whose result differs from its source."""
