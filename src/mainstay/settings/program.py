"""Settings of the program itself, from the environment alone."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from mainstay.errors import ConfigError, Problem
from mainstay.settings.environment import Environment

LogFormat = Literal["text", "json"]
_HIGHEST_PORT = 65535
_KEY_BYTES = 32
_LEAST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """How this process runs, whichever stack it serves."""

    home: Path
    """``MAINSTAY_HOME``: data folder, relative to the stack's folder. Default: ``.mainstay``."""

    database_url: str = field(default="", repr=False)
    """``DATABASE_URL``: ``postgresql://...`` of a server of your own. Default: the embedded one."""

    host: str = "127.0.0.1"
    """``MAINSTAY_HOST``: address to listen on; ``0.0.0.0`` for all. Default: this machine alone."""

    port: int = 8080
    """``MAINSTAY_PORT``: port to listen on; 0 for any that is free. Default: 8080."""

    public_url: str = ""
    """``MAINSTAY_PUBLIC_URL``: address by which people and senders reach this server, without a slash at its end.

    Default: empty, where it listens.
    """

    log_format: LogFormat = "text"
    """``MAINSTAY_LOG_FORMAT``: ``text`` for people, ``json`` for collectors of logs. Default: ``text``."""

    metrics_token: str = field(default="", repr=False)
    """``MAINSTAY_METRICS_TOKEN``: what Prometheus shows to read ``/metrics``. Default: empty, and nobody may."""

    traces_url: str = ""
    """``OTEL_EXPORTER_OTLP_ENDPOINT``: where traces go, for example ``http://localhost:4318``. Default: nowhere."""

    secret_keys: tuple[str, ...] = field(default=(), repr=False)
    """``MAINSTAY_SECRET_KEY``: what seals the tokens of connections: 32 bytes in base64. Several, separated by commas,
    while one replaces the other: the first seals, each opens. Default: a key of its own in the data folder.
    """

    @classmethod
    def read(cls, environment: Environment) -> ProgramSettings:
        """Read and check all of them.

        Raises:
            ConfigError: each variable that cannot be used, with where it is set; values are never quoted.
        """
        reading = _Reading(environment)
        settings = cls(
            home=environment.folder / (reading.text("MAINSTAY_HOME") or ".mainstay"),
            database_url=reading.database_url(),
            host=reading.text("MAINSTAY_HOST") or "127.0.0.1",
            port=reading.port(),
            public_url=reading.public_url(),
            log_format=reading.log_format(),
            metrics_token=reading.metrics_token(),
            traces_url=reading.traces_url(),
            secret_keys=reading.secret_keys(),
        )
        if reading.problems:
            raise ConfigError(*reading.problems)
        return settings


class _Reading:
    """Reads one variable after the other and keeps what is wrong with them."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self.problems: list[Problem] = []

    def text(self, name: str) -> str:
        try:
            return (self._environment.get(name) or "").strip()
        except ConfigError as error:
            self.problems.extend(error.problems)
            return ""

    def database_url(self) -> str:
        url = self.text("DATABASE_URL")
        scheme = url.partition("://")[0]
        if url and (scheme not in {"postgresql", "postgres"} or not _is_url(url)):
            self._refuse("DATABASE_URL", "is not the address of a PostgreSQL server", "postgresql://user@host/database")
        return url

    def port(self) -> int:
        text = self.text("MAINSTAY_PORT") or "8080"
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(_HIGHEST_PORT))):
            self._refuse("MAINSTAY_PORT", "is not a number from 0 to 65535", "8080")
            return 0
        if int(text) > _HIGHEST_PORT:
            self._refuse("MAINSTAY_PORT", "is not a number from 0 to 65535", "8080")
        return int(text)

    def public_url(self) -> str:
        url = self.text("MAINSTAY_PUBLIC_URL").rstrip("/")
        if url and (url.partition("://")[0] not in {"http", "https"} or not _is_url(url) or urlsplit(url).query):
            self._refuse("MAINSTAY_PUBLIC_URL", "is not a web address", "https://mainstay.acme.example")
        return url

    def metrics_token(self) -> str:
        token = self.text("MAINSTAY_METRICS_TOKEN")
        if token and len(token) < _LEAST_TOKEN:
            where = self._environment.where("MAINSTAY_METRICS_TOKEN")
            message = f"MAINSTAY_METRICS_TOKEN is shorter than {_LEAST_TOKEN} characters"
            self.problems.append(Problem(where, "MAINSTAY_METRICS_TOKEN", message, "make one:  openssl rand -hex 24"))
        return token

    def traces_url(self) -> str:
        name = "OTEL_EXPORTER_OTLP_ENDPOINT"
        url = self.text(name).rstrip("/")
        if url and (url.partition("://")[0] not in {"http", "https"} or not _is_url(url)):
            self._refuse(name, "is not a web address", "http://localhost:4318")
        return url

    def secret_keys(self) -> tuple[str, ...]:
        keys = tuple(key for part in self.text("MAINSTAY_SECRET_KEY").split(",") if (key := part.strip()))
        if not all(map(_is_key, keys)):
            where = self._environment.where("MAINSTAY_SECRET_KEY")
            message = "MAINSTAY_SECRET_KEY is not 32 bytes in base64"
            self.problems.append(Problem(where, "MAINSTAY_SECRET_KEY", message, "make one:  openssl rand -base64 32"))
        return keys

    def log_format(self) -> LogFormat:
        match self.text("MAINSTAY_LOG_FORMAT") or "text":
            case "json":
                return "json"
            case "text":
                return "text"
            case _:
                self._refuse("MAINSTAY_LOG_FORMAT", 'is neither "text" nor "json"', "json")
                return "text"

    def _refuse(self, name: str, message: str, example: str) -> None:
        where = self._environment.where(name)
        self.problems.append(Problem(where, name, f"{name} {message}", f"for example {name}={example}"))


def _is_key(text: str) -> bool:
    try:
        return len(b64decode(text.replace("-", "+").replace("_", "/"), validate=True)) == _KEY_BYTES
    except ValueError:
        return False


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return bool(parts.netloc or parts.path.strip("/")) and not any(letter.isspace() for letter in url)
