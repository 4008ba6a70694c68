"""The address: taken at once, not yet answered, and clear words where it cannot be had."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.server.certificates import make_certificate
from voxwire.server.listening import about_to_listen, bind, check_tls
from voxwire.server.settings import ServeSettings, SettingsError


def close(sockets: list[socket.socket]) -> None:
    for each in sockets:
        each.close()


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port} of 127.0.0.1 is in use") as caught:
            bind("127.0.0.1", port, "--wyoming-port")
    assert f"--wyoming-port {port + 1}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nobody_can_connect_before_the_server_listens() -> None:
    (bound,) = bind("127.0.0.1", 0)
    with bound, pytest.raises(ConnectionRefusedError):
        socket.create_connection(bound.getsockname(), timeout=5)


def test_a_port_is_held_before_the_server_listens() -> None:
    (bound,) = bind("127.0.0.1", 0)
    with bound, pytest.raises(SettingsError, match="in use"):
        bind("127.0.0.1", bound.getsockname()[1])


def test_a_port_can_be_taken_again_right_after_a_server_that_closed_its_connections() -> None:
    (bound,) = bind("127.0.0.1", 0)
    place = bound.getsockname()
    with bound:
        about_to_listen([bound])
        bound.listen()
        with socket.create_connection(place, timeout=5) as client:
            bound.accept()[0].close()  # first, so that TCP keeps it for a while on this side
            assert client.recv(1) == b""
    close(bind(*place))


def test_all_addresses_of_a_name_have_one_port() -> None:
    bound = bind("localhost", 0)
    ports = {each.getsockname()[1] for each in bound}
    close(bound)
    assert len(ports) == 1
    assert ports != {0}


def test_what_was_taken_is_given_back_where_one_address_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsError, match="in use"):
            bind("localhost", port)
    close(bind("localhost", port))


# --- TLS ---


def tls(cert: Path, key: Path) -> ServeSettings:
    return ServeSettings(tls_cert=cert, tls_key=key)


def test_a_certificate_with_its_key_will_do(tmp_path: Path) -> None:
    check_tls(tls(*make_certificate(tmp_path, "-nodes")))
    check_tls(ServeSettings())


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the key is encrypted"):
        check_tls(tls(*make_certificate(tmp_path, "-passout", "pass:secret")))


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path, "-nodes")
    with pytest.raises(SettingsError, match="are no certificate with its key"):
        check_tls(tls(key, cert))
    with pytest.raises(SettingsError, match=f"TLS: {tmp_path}/missing: No such file"):
        check_tls(tls(cert, tmp_path / "missing"))
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(SettingsError, match="key values mismatch"):
        check_tls(tls(cert, make_certificate(other, "-nodes")[1]))
