"""Fetch one file over HTTP so that an interrupted download goes on where it stopped.

`huggingface_hub` 2 throws a partial file away when its process ends, which
is 9 GB at worst: hence this.
"""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import re
import ssl
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import truststore

from ..errors import HubError

Progress = Callable[[str, int, int], None]  # file name, bytes so far, bytes in all
PART_SUFFIX = ".voxwire-part"
BLOCK_BYTES = 1 << 20
TIMEOUT_S = 30.0  # without a byte
MAX_FAILURES = 5  # in a row, with nothing gained
RETRY_WAIT_S = 1.0  # doubled with each failure in a row


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """Where one file lies and what it must be. `etag`: SHA-256 in hex, git's SHA-1, or a tag."""

    name: str
    url: str
    headers: dict[str, str]
    n_bytes: int
    etag: str


def fetch(
    remote: RemoteFile,
    renew: Callable[[], RemoteFile],
    target: Path,
    progress: Progress | None = None,
) -> None:
    """Download `remote` to `target`, whole and checked, or raise HubError and keep what came.

    renew: gives `remote` anew before each further attempt, because signed addresses expire; an
    OSError from it counts as a failed attempt. The part lies beside `target` under a lock, so
    that a second process waits instead of spoiling it.
    """
    part = target.with_name(target.name + PART_SUFFIX)
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0, os.SEEK_END)  # another process may have written meanwhile
        if target.exists():  # another process was faster
            return
        _fill(stream, remote, renew, progress or _silent)
        stream.flush()
        _verify(stream, part, remote)
        os.replace(part, target)


def _silent(name: str, n_done_bytes: int, n_all_bytes: int) -> None:
    """Show no progress."""


def _fill(
    stream: BinaryIO, remote: RemoteFile, renew: Callable[[], RemoteFile], progress: Progress
) -> None:
    """Append to `stream` until it has all bytes; give up after failures that gained nothing."""
    n_failures = 0
    while True:
        start = stream.tell()
        try:
            remote = renew() if n_failures else remote
            _transfer(stream, remote, progress)
            if stream.tell() == remote.n_bytes:
                return
            problem: Exception = EOFError("connection closed early")
        except (OSError, http.client.HTTPException) as error:
            refuse_stranger(error, remote.url)
            problem = error
        n_failures = 1 if stream.tell() > start else n_failures + 1
        if n_failures >= MAX_FAILURES:
            got = f"{stream.tell()} ({problem}); they are kept: run again to go on"
            raise HubError(None, None, f"{remote.n_bytes} bytes of {remote.name}", got) from problem
        time.sleep(RETRY_WAIT_S * 2 ** (n_failures - 1))


def refuse_stranger(error: Exception, url: str) -> None:
    """Raise HubError where the other side's certificate is not trusted: trying again is in vain."""
    reason: BaseException | None = error
    while reason is not None and not isinstance(reason, ssl.SSLCertVerificationError):
        reason = reason.__cause__ or reason.__context__  # under the HTTP libraries' own errors
    if reason is not None:
        host = urllib.parse.urlsplit(url).netloc
        got = f"{reason.verify_message}: have the system trust it, or name it in SSL_CERT_FILE"
        raise HubError(None, None, f"a certificate of {host} that is trusted", got) from error


def _tls() -> ssl.SSLContext:
    """Return what trusts whom the system trusts, as the hub's client does, or as is set."""
    if cafile := os.environ.get("SSL_CERT_FILE"):
        return ssl.create_default_context(cafile=cafile)
    if capath := os.environ.get("SSL_CERT_DIR"):
        return ssl.create_default_context(capath=capath)
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _transfer(stream: BinaryIO, remote: RemoteFile, progress: Progress) -> None:
    """Make one request for the bytes that are missing."""
    if stream.tell() > remote.n_bytes:
        _begin_anew(stream)
    if stream.tell() == remote.n_bytes:
        return
    headers = {**remote.headers, "Range": f"bytes={stream.tell()}-"}
    request = urllib.request.Request(remote.url, headers=headers)
    tls = urllib.request.HTTPSHandler(context=_tls())
    opener = urllib.request.build_opener(_KeepSecrets, tls)
    with opener.open(request, timeout=TIMEOUT_S) as response:
        if response.status != http.HTTPStatus.PARTIAL_CONTENT:  # Range was ignored
            _begin_anew(stream)
        while block := response.read(BLOCK_BYTES):
            stream.write(block)
            progress(remote.name, stream.tell(), remote.n_bytes)


def _begin_anew(stream: BinaryIO) -> None:
    stream.seek(0)
    stream.truncate()


class _KeepSecrets(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but send the token to no other host."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the request that follows a redirect, without Authorization on a new host."""
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following and urllib.parse.urlsplit(newurl).netloc != req.host:
            following.remove_header("Authorization")
        return following


def _verify(stream: BinaryIO, part: Path, remote: RemoteFile) -> None:
    """Raise HubError, and empty the part, where the content is not what its hash says."""
    digest = _digest(part, remote)
    if digest != remote.etag:
        _begin_anew(stream)  # removed, it would be lost to a process that waits for its lock
        raise HubError(None, None, f"{remote.name} with hash {remote.etag}", f"hash {digest}")


def _digest(part: Path, remote: RemoteFile) -> str:
    """Return the hash of `part` in the kind that the etag is; the etag itself if it is no hash."""
    hashed: Any = hashlib.sha256()  # of large files
    if re.fullmatch(r"[0-9a-f]{40}", remote.etag):  # git's own hash, of small ones
        hashed = hashlib.sha1(b"blob %d\0" % remote.n_bytes, usedforsecurity=False)
    elif not re.fullmatch(r"[0-9a-f]{64}", remote.etag):  # a mirror's own tag: the size must do
        return remote.etag
    with part.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            hashed.update(block)
    return str(hashed.hexdigest())
