"""What the operator may choose, in one frozen object: each setting with its unit, bounds and help.

A setting comes from a flag, else from the environment (`VOXWIRE_PORT`), else from a TOML file
(`--config`, `VOXWIRE_CONFIG`), else from its default. `configure` gathers them.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from ..model.delay import delay_tokens_from_ms
from ..model.errors import DelayError

ENV_PREFIX = "VOXWIRE_"
MIB = 1 << 20


class SettingsError(ValueError):
    """Settings with which the server will not start; says what to change."""


def _split(value: object) -> object:
    """Take apart what came as one string: names in a variable are divided by commas."""
    return (
        [part for part in re.split(r"[,\s]+", value) if part] if isinstance(value, str) else value
    )


def _delay(value: int | None) -> int | None:
    if value is not None:
        try:
            delay_tokens_from_ms(value)
        except DelayError as error:
            raise ValueError(str(error)) from None
    return value


def _origin(value: str) -> str:
    """Return an origin as browsers write it. Raises ValueError."""
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/\s?#@*]+", origin := value.rstrip("/").lower()):
        raise ValueError("expected SCHEME://HOST or SCHEME://HOST:PORT, each origin by its name")
    return origin


def _host(value: str) -> str:
    """Return a host name as it is compared. Raises ValueError."""
    name = value.lower().strip("[]")
    if not re.fullmatch(r"[a-z0-9_.-]+|[0-9a-f:.]+", name):
        raise ValueError("expected the name of a host, without scheme, port or path")
    return name


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], *Names.__metadata__]
Hosts = Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], *Names.__metadata__]
Keys = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_split)]


def _setting(default: Any, group: str, help_text: str, **bounds: Any) -> Any:
    extra: dict[str, JsonValue] = {"group": group}
    return Field(default, description=help_text, json_schema_extra=extra, **bounds)


NETWORK, HEARING, DOORS, LIMITS, RUNNING = "Network", "Hearing", "Doors", "Limits", "Running"


class ServeSettings(BaseSettings):
    """Everything `voxwire serve` can be told; see `configure.load_settings`.

    The name of a setting ends in its unit. Keys have no flag: whoever lists processes would read
    them. Raises ValidationError.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # it may be a key
    )

    host: str = _setting("127.0.0.1", NETWORK, "The address to listen on; 0.0.0.0 for all of IPv4.")
    port: int = _setting(
        8000, NETWORK, "The TCP port to listen on; 0 takes a free one.", ge=0, le=65535
    )
    tls_cert: Path | None = _setting(
        None, NETWORK, "A certificate chain (PEM), to serve https and wss."
    )
    tls_key: Path | None = _setting(None, NETWORK, "The certificate's private key (PEM).")
    wyoming_port: int | None = _setting(
        None,
        NETWORK,
        "A TCP port for Wyoming (Home Assistant), which knows no keys.",
        ge=0,
        le=65535,
    )

    model: str = _setting(
        "embedded", HEARING, "A folder, a hub id ORG/NAME, or an alias.", min_length=1
    )
    delay_ms: Annotated[int | None, AfterValidator(_delay)] = _setting(
        None, HEARING, "How far to listen ahead before writing: 80 to 1200 by 80, or 2400."
    )
    endpoint_silence_ms: int = _setting(
        800,
        HEARING,
        "Time without a new word that closes a segment: a pause, and the word after it, which is "
        "written when it ends.",
        ge=80,
        le=60_000,
    )

    api_keys: Keys = _setting((), DOORS, "Keys that let a client in, divided by commas.")
    api_keys_file: Path | None = _setting(None, DOORS, "A file with one key on each line.")
    insecure: bool = _setting(
        False, DOORS, "Let in, from other machines too, whoever comes without a key."
    )
    allow_origins: Origins = _setting(
        (), DOORS, "Other sites whose pages may connect, as https://app.example."
    )
    allow_hosts: Hosts = _setting(
        (), DOORS, "Names under which this server is reached, as speech.example."
    )
    cors_origins: Origins = _setting(
        (), DOORS, "Other sites whose pages may read REST answers; they may connect too."
    )

    max_sessions: int = _setting(
        128, LIMITS, "Sessions open at once, uploads included.", ge=1, le=4096
    )
    max_sessions_per_key: int = _setting(
        0, LIMITS, "Sessions that one key may have open; 0 for no such limit.", ge=0, le=4096
    )
    max_uploads: int = _setting(16, LIMITS, "Uploads among them.", ge=0, le=4096)
    max_message_bytes: int = _setting(
        16 * MIB, LIMITS, "The longest WebSocket message.", ge=1024, le=256 * MIB
    )
    max_upload_bytes: int = _setting(
        512 * MIB, LIMITS, "The largest uploaded file.", ge=1024, le=1 << 40
    )
    max_upload_s: float = _setting(
        4 * 3600.0, LIMITS, "The longest audio of an upload.", ge=1, le=7 * 24 * 3600
    )
    session_idle_s: float = _setting(
        120,
        LIMITS,
        "Silence of the client, no audio and no sign of life, that ends a session.",
        ge=1,
    )
    session_max_s: float = _setting(
        0.0, LIMITS, "The longest session, in seconds of audio; 0 for endless.", ge=0
    )
    segment_max_s: float = _setting(
        120.0, LIMITS, "The longest segment; a longer one is closed and another begun.", ge=1
    )
    stuck_after_s: float = _setting(
        16.0,
        HEARING,
        "Speech without text, after which the decoder is taken for stuck and begins anew; 0 never.",
        ge=0,
        le=120,
    )
    resume_grace_s: float = _setting(
        30.0, LIMITS, "How long a session waits for a client whose socket broke.", ge=0, le=3600
    )

    config: Path | None = _setting(None, RUNNING, "A TOML file with settings, named as here.")
    drain_s: float = _setting(
        30.0, RUNNING, "At shutdown, how long open sessions may go on.", ge=0, le=3600
    )
    debug_dir: Path | None = _setting(
        None, RUNNING, "A folder for what is known of sessions that an error of the server's ended."
    )
    record_audio_dir: Path | None = _setting(
        None, RUNNING, "A folder to record the audio and the text of every session in; see replay."
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", RUNNING, "What to log: debug, info, warning or error."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read flags before the environment before the file; nothing else is read."""
        return init_settings, _Environment(settings_cls), _ConfigFile(settings_cls)

    @field_validator("host")
    @classmethod
    def _check_host(cls, host: str) -> str:
        if not host or re.search(r"[\s/\[\]]", host):
            raise ValueError("expected an address or a name, without brackets, scheme or port")
        return host

    @field_validator("session_max_s")
    @classmethod
    def _check_session_max(cls, value: float) -> float:
        if 0 < value < 1:
            raise ValueError("expected 0 or at least 1 second")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("TLS needs both --tls-cert and --tls-key")
        if self.wyoming_port == self.port != 0:
            message = "--wyoming-port: expected another port than --port"
            raise ValueError(f"{message}, got {self.port}")
        if not self.is_loopback and not self.insecure:
            self._check_open_doors()
        return self

    def _check_open_doors(self) -> None:
        where = f"{self.host} can be reached from other machines"
        if not self.has_keys:
            raise ValueError(
                f"{where}, and no key is set: set {ENV_PREFIX}API_KEYS or --api-keys-file, "
                "listen on 127.0.0.1, or let everybody in with --insecure"
            )
        if self.wyoming_port is not None:
            raise ValueError(
                f"{where}, and Wyoming knows no keys: leave out --wyoming-port, "
                "listen on 127.0.0.1, or let everybody in with --insecure"
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    @property
    def has_keys(self) -> bool:
        """Whether clients need a key."""
        return bool(self.api_keys) or self.api_keys_file is not None


class _Environment(EnvSettingsSource):
    def __call__(self) -> dict[str, Any]:
        """Read the variables, less the port that Kubernetes tells of a service of our name."""
        found = super().__call__()
        if str(found.get("port")).startswith("tcp://"):
            del found["port"]
        return found


class _ConfigFile(PydanticBaseSettingsSource):
    """The file that the flags or the environment named."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Say nothing of single fields: the file is read as a whole."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return what the file sets. Raises SettingsError."""
        path = self.current_state.get("config")
        if path is None:
            return {}
        try:
            with open(path, "rb") as file:
                return tomllib.load(file)
        except OSError as error:
            raise SettingsError(f"{path}: {error.strerror}") from None
        except ValueError as error:
            raise SettingsError(f"{path}: {error}") from None
