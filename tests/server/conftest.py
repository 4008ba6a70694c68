"""One small random model for all tests of this room: it writes much, and means nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.random_checkpoint import PARAMS, write_mistral
from voxwire.server.live import OpenModel, open_model


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a checkpoint whose text depends on what it hears."""
    return write_mistral(tmp_path_factory.mktemp("checkpoint"), PARAMS["tiny"], seed=3)


@pytest.fixture(scope="session")
def opened(checkpoint: Path) -> OpenModel:
    """That checkpoint, loaded."""
    return open_model(str(checkpoint))
