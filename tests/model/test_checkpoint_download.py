"""Whose certificates a download trusts: a server on loopback with one that signs itself."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import truststore

from tests.model.fake_hub import Hub, digest, serve
from tests.server.certificates import make_certificate
from voxwire.model.checkpoint import download
from voxwire.model.errors import HubError

CONTENT = b"weights"
Fetch = Callable[[], bytes]


@pytest.fixture
def cert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a new certificate of localhost, with its key beside it and none set to be trusted."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    return make_certificate(tmp_path, "-nodes", "-addext", "subjectAltName=DNS:localhost")[0]


@pytest.fixture
def fetch(cert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fetch]:
    """Serve one file by `cert`; give what fetches it, and fails where it tries a second time."""
    server, address = serve(Hub({"a": CONTENT}), cert)
    remote = download.RemoteFile("a", f"{address}/a", {}, len(CONTENT), digest("a", CONTENT))
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("tried again"))

    def once() -> bytes:
        download.fetch(remote, lambda: remote, tmp_path / "a")
        return (tmp_path / "a").read_bytes()

    yield once
    server.shutdown()
    server.server_close()


def test_a_certificate_that_nobody_trusts_is_told_at_once(fetch: Fetch) -> None:
    with pytest.raises(HubError, match=r"certificate of localhost:.*SSL_CERT_FILE"):
        fetch()


def test_what_the_system_trusts_is_trusted(
    fetch: Fetch, cert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def system(protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.load_verify_locations(cert)
        return context

    monkeypatch.setattr(truststore, "SSLContext", system)
    assert fetch() == CONTENT


def test_a_certificate_that_is_named_is_trusted_without_the_system(
    fetch: Fetch, cert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    monkeypatch.setattr(truststore, "SSLContext", lambda _: pytest.fail("the system was asked"))
    assert fetch() == CONTENT


def test_where_a_file_is_named_only_its_certificates_are_trusted(
    fetch: Fetch, cert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["openssl", "x509", "-in", str(cert), "-noout", "-hash"]
    hashed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / f"{hashed}.0").symlink_to(cert)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    (tmp_path / "other").mkdir()
    other, _ = make_certificate(tmp_path / "other", "-nodes", "-subj", "/CN=other")
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    with pytest.raises(HubError, match="certificate of localhost"):
        fetch()
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setattr(truststore, "SSLContext", lambda _: pytest.fail("the system was asked"))
    assert fetch() == CONTENT
