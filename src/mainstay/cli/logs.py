"""Logs: for people on stderr, or one JSON object a line for collectors.

A line says which workspace, delivery and run it is about. What others wrote may be in it (an error quotes what it could
not read), so e-mails, phones and what follows a secret's name are masked, in both forms.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from mainstay.cli.errors import CommandError
from mainstay.kit.redaction import Redactor
from mainstay.telemetry import set_up_tracing, told_about, traceparent

if TYPE_CHECKING:
    from mainstay.settings.program import ProgramSettings

LogFormatOption = Annotated[
    str, typer.Option(help="Logs as text for people, or json for collectors; MAINSTAY_LOG_FORMAT.")
]
_TRACE = slice(3, 35)
_MASKING = Redactor()
_LONGEST_ERROR = 20_000


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _MASKING.loose(record.getMessage()),
        }
        entry |= {name: str(fact) for name, fact in told_about().items()}
        if parent := traceparent():
            entry["trace"] = parent[_TRACE]
        if record.exc_info:
            entry["error"] = _MASKING.loose(self.formatException(record.exc_info)[-_LONGEST_ERROR:])
        return orjson.dumps(entry).decode()


class TextFormatter(logging.Formatter):
    """A line for people; what it is about stands at its end."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return _MASKING.loose(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base's name
        """Return the line itself, without the traceback that may follow: one line, whatever it quotes."""
        run = told_about().get("run")
        line = super().formatMessage(record).replace("\r", "\\r").replace("\n", "\\n")
        return line if run is None or str(run) in line else f"{line} [run {run}]"


def set_up_logging(style: str) -> None:
    """Send logs to stderr, as ``text`` or ``json``."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in ("alembic", "asyncio", "uvicorn", "uvicorn.error", "dbos", "opentelemetry"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def set_up_telemetry(program: ProgramSettings, log_format: str = "") -> None:
    """Begin to log, in the form that the command or the settings say, and to follow work where that is wanted.

    Raises:
        CommandError: there is no such form.
    """
    if log_format not in {"", "text", "json"}:
        raise CommandError(f'"{log_format}" is no form of logs', "Write --log-format text, or json.")
    set_up_logging(log_format or program.log_format)
    if program.traces_url:
        set_up_tracing(program.traces_url, service="mainstay")
