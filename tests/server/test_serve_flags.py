"""`voxwire serve --help`: every limit with its unit and its default, and examples to begin with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from voxwire.server.cli.flags import defaults_and_bounds, takes_settings
from voxwire.server.cli.main import app
from voxwire.server.configure import flag_of
from voxwire.server.settings import ServeSettings, SettingsError

SECRET = "api_keys"
UNITS = {"_s": "SECONDS", "_ms": "MS", "_bytes": "BYTES"}
FIELDS = {name: each for name, each in ServeSettings.model_fields.items() if name != SECRET}


def shown_help() -> str:
    """Return the help on a wide terminal, without its boxes."""
    result = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "300"})
    assert result.exit_code == 0
    return re.sub(r" +", " ", result.output)


HELP = shown_help()


@pytest.mark.parametrize("name", FIELDS)
def test_each_setting_has_a_flag_with_its_unit_its_meaning_and_its_default(name: str) -> None:
    line = next(line for line in HELP.splitlines() if f"│ {flag_of(name)} " in line)
    field = FIELDS[name]
    assert field.description
    assert field.description in line
    assert defaults_and_bounds(name, field) in line
    for suffix, unit in UNITS.items():
        assert not name.endswith(suffix) or f" {unit} " in line


@pytest.mark.parametrize("name", [name for name in FIELDS if name.startswith("max_")])
def test_a_limit_is_a_count_or_names_its_unit(name: str) -> None:
    is_count = re.fullmatch(r"max_(sessions|sessions_per_key|uploads)", name)
    assert is_count or name.endswith(tuple(UNITS))


def test_the_key_has_no_flag_and_its_ways_are_told() -> None:
    assert "--api-keys " not in HELP
    assert "VOXWIRE_API_KEYS" in HELP
    assert "--api-keys-file" in HELP


def test_the_help_teaches_with_examples_whose_flags_exist() -> None:
    examples = HELP[HELP.index("Examples") : HELP.index("The first Ctrl-C")]
    flags = set(re.findall(r"--[a-z-]+", examples))
    assert len(flags) >= 5
    assert flags <= {flag_of(name) for name in FIELDS}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("max_message_bytes", "Default: 16 MiB (1 KiB to 256 MiB)."),
        ("drain_s", "Default: 30 (0 to 3600)."),
        ("host", "Default: 127.0.0.1."),
        ("delay_ms", "Default: the model's own."),
        ("session_idle_s", "Default: 120."),
        ("insecure", ""),
        ("allow_hosts", ""),
        ("wyoming_port", ""),
    ],
)
def test_defaults_are_told_in_words(name: str, told: str) -> None:
    assert defaults_and_bounds(name, FIELDS[name]) == told


def given(*arguments: str, environment: Mapping[str, str] | None = None) -> ServeSettings:
    """Return the settings that a command line makes."""
    made: list[ServeSettings] = []
    command = typer.Typer(pretty_exceptions_enable=False)
    command.command()(takes_settings(made.append))
    CliRunner().invoke(command, arguments, env=environment, catch_exceptions=False)
    return made[0]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["--port", "9000"], {"port": 9000}),
        (["--insecure"], {"insecure": True}),
        (["--drain-s", "2.5"], {"drain_s": 2.5}),
        (["--allow-hosts", "a", "--allow-hosts", "b"], {"allow_hosts": ("a", "b")}),
        (["--log-level", "debug"], {"log_level": "debug"}),
        ([], {"port": 8000, "insecure": False}),
    ],
)
def test_flags_become_settings(arguments: list[str], wanted: dict[str, Any]) -> None:
    settings = given(*arguments)
    assert {name: getattr(settings, name) for name in wanted} == wanted


def test_a_flag_that_is_not_given_leaves_the_variable_its_word() -> None:
    assert given(environment={"VOXWIRE_INSECURE": "true"}).insecure
    with pytest.raises(SettingsError, match="--port"):
        given("--port", "70000")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "no key is set"),
        (["--api-keys-file", "/no/such"], "/no/such: No such file"),
        (["--tls-cert", "/no/cert", "--tls-key", "/no/key"], "TLS: /no/cert: No such file"),
        (["--host", "203.0.113.7", "--insecure"], "this machine has no such address"),
        (["--host", "no.such.host.invalid", "--insecure"], "no such address"),
    ],
)
def test_what_cannot_be_is_one_line_and_status_2_before_any_model(
    arguments: list[str], message: str
) -> None:
    result = CliRunner().invoke(app, ["serve", "--model", "no such model", *arguments])
    assert result.exit_code == 2
    last = result.stderr.splitlines()[-1]
    assert last.startswith("voxwire: ")
    assert message in last
