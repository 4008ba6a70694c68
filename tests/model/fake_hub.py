"""A hub on loopback: the few endpoints that a download needs, with faults on request."""

from __future__ import annotations

import hashlib
import json
import ssl
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass(slots=True)
class Hub:
    """What the fake holds, what it was asked for, and how it misbehaves.

    cut: file name -> how many bytes of a body to send before hanging up, one for each request.
    """

    files: dict[str, bytes]
    repository: str = "org/name"
    requests: list[str] = field(default_factory=list)
    cut: dict[str, list[int]] = field(default_factory=dict)
    ignore_ranges: bool = False
    corrupt: str = ""
    tag: str = ""  # instead of hashes, as a mirror may have it
    elsewhere: str = ""  # address of another host that holds the bytes
    tells_heads: bool = True  # whether HEAD says so too, or only GET
    tokens: set[str | None] = field(default_factory=set)  # as given when bytes were asked for

    def sent(self, name: str) -> list[str]:
        """Return the ranges in which `name` was asked for ("" for all of it)."""
        prefix = f"GET {name} "
        return [line.removeprefix(prefix) for line in self.requests if line.startswith(prefix)]


def digest(name: str, content: bytes) -> str:
    """Return the etag that a hub gives: SHA-256 for weights, git's hash for small files."""
    if name.endswith(".safetensors"):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def read_directory(directory: Path) -> dict[str, bytes]:
    """Return the files of a directory."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


class _Server(ThreadingHTTPServer):
    hub: Hub


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self._file(with_body=False)

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/"):
            self._info()
        else:
            self._file(with_body=True)

    def _info(self) -> None:
        hub = self.server.hub
        if not self.path.startswith(f"/api/models/{hub.repository}"):
            self._answer(404, {"X-Error-Code": "RepoNotFound"}, b"{}")
            return
        siblings = [{"rfilename": name} for name in hub.files]
        body = {"id": hub.repository, "sha": REVISION, "siblings": siblings}
        self._answer(200, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def _file(self, with_body: bool) -> None:
        hub = self.server.hub
        name = self.path.rpartition("/")[2]
        if name not in hub.files:
            self._answer(404, {"X-Error-Code": "EntryNotFound"}, b"")
            return
        content = hub.files[name]
        if with_body:
            hub.tokens.add(self.headers.get("Authorization"))
        if hub.elsewhere and (with_body or hub.tells_heads):
            self._redirect(name, content)
            return
        asked = self.headers.get("Range", "")
        start = 0 if hub.ignore_ranges else int(asked.removeprefix("bytes=").rstrip("-") or 0)
        tag = f"{hub.tag}-{len(content)}" if hub.tag else digest(name, content)
        headers = {"ETag": f'"{tag}"', "X-Repo-Commit": REVISION}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        if not with_body:
            self._answer(200, headers, b"", len(content))
            return
        hub.requests.append(f"GET {name} {start or ''}")
        body = content if name != hub.corrupt else bytes(len(content))
        cuts = hub.cut.get(name)
        n_sent = cuts.pop(0) if cuts else len(body)
        self._answer(206 if start else 200, headers, body[start:][:n_sent], len(body) - start)
        if n_sent < len(body) - start:
            self.close_connection = True

    def _redirect(self, name: str, content: bytes) -> None:
        headers = {
            "Location": self.server.hub.elsewhere + self.path,
            "X-Linked-Size": str(len(content)),
            "X-Linked-ETag": f'"{digest(name, content)}"',
            "X-Repo-Commit": REVISION,
        }
        self._answer(302, headers, b"")

    def _answer(
        self, status: int, headers: dict[str, str], body: bytes, length: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


def serve(hub: Hub, cert: Path | None = None) -> tuple[_Server, str]:
    """Serve `hub` on a free port in a thread; return the server and its address.

    cert: over TLS, by that certificate of localhost, whose key lies beside it.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.hub = hub
    if cert is not None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cert, cert.with_name("key.pem"))
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    host = "http://127.0.0.1" if cert is None else "https://localhost"
    return server, f"{host}:{server.server_port}"
