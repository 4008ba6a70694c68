"""Settings: where they come from, what is refused, that what is wrong is named and keys are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxwire.server.configure import load_settings
from voxwire.server.settings import ServeSettings, SettingsError

KEY = "a-key-that-nobody-sees"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ServeSettings.model_fields:
        monkeypatch.delenv(f"VOXWIRE_{name.upper()}", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "voxwire.toml"
    path.write_text('port = 9001\nmax_sessions = 9\ndrain_s = 2.5\nallow_hosts = ["a.example"]\n')
    return path


def test_a_flag_counts_before_a_variable_and_a_variable_before_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOXWIRE_PORT", "9002")
    monkeypatch.setenv("VOXWIRE_MAX_SESSIONS", "8")
    settings = load_settings({"config": file, "port": 9003})
    assert (settings.port, settings.max_sessions, settings.drain_s) == (9003, 8, 2.5)
    assert settings.session_idle_s == ServeSettings().session_idle_s


def test_a_variable_may_name_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXWIRE_CONFIG", str(file))
    assert load_settings({}).port == 9001


def test_names_in_a_variable_are_divided_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXWIRE_ALLOW_HOSTS", "a.example, B.example")
    monkeypatch.setenv("VOXWIRE_API_KEYS", f"{KEY},other-key-1")
    settings = load_settings({})
    assert settings.allow_hosts == ("a.example", "b.example")
    assert [key.get_secret_value() for key in settings.api_keys] == [KEY, "other-key-1"]


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXWIRE_PORT", "")
    assert load_settings({}).port == 8000


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        ServeSettings().port = 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"port": 65536}, "--port: .*65535"),
        ({"max_sessions": 0}, "--max-sessions: "),
        ({"delay_ms": 100}, "--delay-ms: expected a delay of 80 to 1200"),
        ({"drain_s": float("nan")}, "--drain-s: "),
        ({"session_idle_s": float("inf")}, "--session-idle-s: "),
        ({"session_max_s": 0.5}, "--session-max-s: expected 0 or at least 1"),
        ({"allow_origins": ["*"]}, "--allow-origins: expected SCHEME://HOST"),
        ({"allow_origins": ["null"]}, "--allow-origins: expected SCHEME://HOST"),
        ({"cors_origins": ["https://a.example/path"]}, "--cors-origins: "),
        ({"allow_hosts": ["https://a.example"]}, "--allow-hosts: expected the name of a host"),
        ({"host": "http://a.example"}, "--host: expected an address or a name"),
        ({"log_level": "loud"}, "--log-level: .*debug"),
        ({"tls_cert": "cert.pem"}, "both --tls-cert and --tls-key"),
        ({"config": "/no/such/file"}, "/no/such/file: No such file"),
    ],
)
def test_a_wrong_flag_is_named(flags: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(flags)


def test_a_wrong_variable_and_a_wrong_line_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "voxwire.toml"
    file.write_text("max_sesions = 3\n")
    monkeypatch.setenv("VOXWIRE_PORT", "http")
    with pytest.raises(SettingsError) as caught:
        load_settings({"config": file})
    lines = str(caught.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "VOXWIRE_PORT",
        "in the file, max_sesions",
    ]
    assert lines[1].endswith("no such setting; did you mean max_sessions?")


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "voxwire.toml"
    file.write_text("port 9000")
    with pytest.raises(SettingsError, match=f"{file}: "):
        load_settings({"config": file})


def test_a_misspelt_variable_stops_the_server_before_it_stands_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VOXWIRE_API_KEY", KEY)
    with pytest.raises(SettingsError, match="did you mean VOXWIRE_API_KEYS") as caught:
        load_settings({})
    assert KEY not in str(caught.value)


def test_what_an_orchestrator_sets_for_a_service_of_our_name_is_let_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("SERVICE_HOST", "SERVICE_PORT", "PORT_8000_TCP", "PORT_8000_TCP_ADDR"):
        monkeypatch.setenv(f"VOXWIRE_{name}", "10.0.0.1")
    monkeypatch.setenv("VOXWIRE_PORT", "tcp://10.0.0.1:9000")
    assert load_settings({}).port == 8000


# --- open doors ---

OPEN_HOSTS = ("0.0.0.0", "::", "192.168.1.7", "studio.lan")


@pytest.mark.parametrize("host", OPEN_HOSTS)
def test_other_machines_are_let_in_by_key_only_or_on_purpose(host: str) -> None:
    with pytest.raises(SettingsError, match=r"no key is set.*--insecure"):
        load_settings({"host": host})
    assert load_settings({"host": host, "api_keys": (KEY,)}).host == host
    assert load_settings({"host": host, "api_keys_file": "keys"}).host == host
    assert load_settings({"host": host, "insecure": True}).host == host


@pytest.mark.parametrize("host", OPEN_HOSTS)
def test_wyoming_which_knows_no_keys_is_not_opened_beside_a_locked_door(host: str) -> None:
    flags = {"host": host, "api_keys": (KEY,), "wyoming_port": 10300}
    with pytest.raises(SettingsError, match="Wyoming knows no keys"):
        load_settings(flags)
    assert load_settings({**flags, "insecure": True}).wyoming_port == 10300


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_this_machine_needs_no_key(host: str) -> None:
    settings = load_settings({"host": host, "wyoming_port": 10300})
    assert settings.is_loopback
    assert not settings.has_keys


def test_no_key_is_shown_by_settings_or_errors() -> None:
    assert KEY not in repr(ServeSettings(api_keys=(KEY,)))  # type: ignore[arg-type]
    for wrong in ({"api_keys": [[KEY]]}, {"api_keys": {KEY: 1}}, {"port": KEY}):
        with pytest.raises(SettingsError) as caught:
            load_settings({**wrong, "host": "0.0.0.0"})
        assert KEY not in str(caught.value)
