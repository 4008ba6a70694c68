"""Certificates for tests of TLS."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


def make_certificate(folder: Path, *options: str) -> tuple[Path, Path]:
    """Make a certificate that signs itself; return its file and its key's. options: openssl's."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-subj", "/CN=localhost"]
    try:
        subprocess.run(
            [*command, "-keyout", key, "-out", cert, *options], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return cert, key
