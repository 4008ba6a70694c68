"""The address of the server: taken before the model is loaded, so that a mistake costs no time."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterable

from .settings import ServeSettings, SettingsError


def bind(host: str, port: int, flag: str = "--port") -> list[socket.socket]:
    """Take a port of the host's addresses, not listening yet: nobody connects to what is not there.

    Call `about_to_listen` before they do. port: 0 takes a free one. flag: which sets the port.
    Raises SettingsError where that cannot be, with what to do.
    """
    taken: list[socket.socket] = []
    try:
        for family, address in _resolve(host, port):
            taken.append(_bind_one(family, (address[0], port, *address[2:])))
            port = taken[0].getsockname()[1]
    except OSError as error:
        for each in taken:
            each.close()
        raise SettingsError(_why(error, host, port, flag)) from None
    return taken


def about_to_listen(sockets: Iterable[socket.socket]) -> None:
    """Let their ports be taken again right after this process, whose connections linger in TCP."""
    for each in sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def check_tls(settings: ServeSettings) -> None:
    """Read certificate and key as a server does. Raises SettingsError."""
    if settings.tls_cert is None or settings.tls_key is None:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=_no_password)
    except ssl.SSLError as error:
        files = f"{settings.tls_cert} and {settings.tls_key}"
        reason = (error.reason or str(error)).replace("_", " ").lower()
        raise SettingsError(f"TLS: {files} are no certificate with its key: {reason}") from None
    except OSError as error:
        missing = [str(each) for each in (settings.tls_cert, settings.tls_key) if not each.exists()]
        name = missing[0] if missing else str(settings.tls_key)
        raise SettingsError(f"TLS: {name}: {error.strerror}") from None


def _no_password() -> str:
    raise SettingsError("TLS: the key is encrypted, and there is nobody to ask for its password")


def _resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, tuple[object, ...]]]:
    kind, flags = socket.SOCK_STREAM, socket.AI_PASSIVE
    found = socket.getaddrinfo(host, port, type=kind, flags=flags)
    return list(dict.fromkeys((each[0], each[4]) for each in found))


def _bind_one(family: socket.AddressFamily, address: tuple[object, ...]) -> socket.socket:
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind(address)
        # Until it listens, it would share the port with whoever binds so, too.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError:
        listening.close()
        raise
    return listening


def _why(error: OSError, host: str, port: int, flag: str) -> str:
    if isinstance(error, socket.gaierror):
        return f"--host {host}: no such address"
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is in use: stop the program that has it "
            f"(`lsof -i :{port}` names it), or take another with {flag} {port + 1}"
        )
    if error.errno == errno.EACCES:
        return f"port {port} is for administrators: take one from 1024 on with {flag}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host {host}: this machine has no such address"
    return f"{host}, port {port}: {error.strerror}"
