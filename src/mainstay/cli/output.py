"""The one place for what commands print: tables, facts, JSON, times, states."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mainstay.model import short_id

if TYPE_CHECKING:
    from rich.console import RenderableType

_PIPE_COLUMNS = 240
_MINUTE, _HOUR, _DAY, _MONTH = 60, 3600, 86_400, 30 * 86_400

# Each state has its sign: colour is never alone.
_STATES = {
    "fine": ("✓", "green"),
    "ok": ("✓", "green"),
    "done": ("✓", "green"),
    "processed": ("✓", "green"),
    "resolved": ("✓", "green"),
    "accepted": ("→", "blue"),
    "repeated": ("=", "blue"),
    "queued": ("→", "blue"),
    "running": ("▸", "blue"),
    "waiting": ("…", "yellow"),
    "healing": ("~", "yellow"),
    "retry": ("~", "yellow"),
    "rejected": ("✗", "red"),
    "refused": ("✗", "red"),
    "failed": ("✗", "red"),
    "broken": ("✗", "red"),
    "open": ("✗", "red"),
    "handled": ("-", "dim"),
    "ignored": ("-", "dim"),
    "cancelled": ("-", "dim"),
}


@cache
def console(*, stderr: bool = False) -> Console:
    """Return the console of stdout or stderr. Plain without a terminal, and with NO_COLOR."""
    stream = sys.stderr if stderr else sys.stdout
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
    columns = shutil.get_terminal_size((_PIPE_COLUMNS, 24)).columns
    # file stays unset, so that whoever replaces sys.stdout is followed.
    return Console(
        stderr=stderr, highlight=False, markup=False, emoji=False, width=None if stream.isatty() else columns
    )


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. One with ``grows`` takes the room that is left, and folds or is cut first."""

    title: str
    right: bool = False
    grows: bool = False


def say(line: RenderableType = "", *, indent: int = 0) -> None:
    """Print a line to stdout, folded at the terminal's width."""
    console().print(Padding(line, (0, 0, 0, indent), expand=False) if indent else line)


def text(*parts: str | Text | tuple[str, str]) -> Text:
    """Make a line of parts, each plain or with a style."""
    return Text.assemble(*parts)


def table(columns: Sequence[Column], rows: Iterable[Sequence[RenderableType]]) -> None:
    """Print a table: a line of titles, no boxes. What does not fit is cut with an ellipsis, ids never."""
    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim", show_edge=False)
    for column in columns:
        made.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=True,
            overflow="ellipsis",
            ratio=None,
            min_width=12 if column.grows else None,
            # Rich narrows the widest columns first where these may be narrowed.
            max_width=60 if column.grows else None,
        )
    for row in rows:
        made.add_row(*row)
    _print_trimmed(made)


def facts(pairs: Iterable[tuple[str, RenderableType]], *, indent: int = 2) -> None:
    """Print names and values, one a line; values fold under themselves."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        made.add_row(f"{'':{indent}}{name}", value)
    _print_trimmed(made)


def _print_trimmed(made: Table) -> None:
    """Print without the spaces that fill a table up to its right edge: what is copied or piped has none."""
    to = console()
    if to.is_terminal:
        to.print(made)
        return
    with to.capture() as captured:
        to.print(made)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def emit(value: Any) -> None:
    """Print JSON to stdout."""
    indent = orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0
    sys.stdout.write(orjson.dumps(value, default=_plain, option=indent | orjson.OPT_NON_STR_KEYS).decode() + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)


def state(name: str) -> Text:
    """Return a state as a sign and a word."""
    sign, style = _STATES.get(name, ("·", ""))
    return Text(f"{sign} {name}", style=style)


def identifier(value: UUID | str | None) -> Text:
    """Return the short form of an id: what people type."""
    return Text(short_id(value), style="cyan") if value else Text("")


def ago(moment: datetime | None, now: datetime | None = None) -> str:
    """Return a past or coming moment as people say it; the date where it is far."""
    if moment is None:
        return ""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    length = abs(seconds)
    if length < 1:
        return "now"
    if length < _MINUTE:
        said = f"{length:.0f} s"
    elif length < _HOUR:
        said = f"{length / _MINUTE:.0f} min"
    elif length < _DAY:
        said = f"{length / _HOUR:.0f} h"
    elif length < _MONTH:
        said = f"{length / _DAY:.0f} d"
    else:
        return f"{moment:%Y-%m-%d}"
    return f"{said} ago" if seconds > 0 else f"in {said}"


def clock(moment: datetime) -> str:
    """Return a moment exactly, on this machine's clock."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def lasted(milliseconds: float) -> str:
    """Return a duration: ``0.21 s``, ``12 min``."""
    seconds = milliseconds / 1000
    if seconds < _MINUTE:
        return f"{seconds:.2f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < _HOUR else f"{seconds / _HOUR:.1f} h"


def size(count: int) -> str:
    """Return a number of bytes: ``412 B``, ``3.1 kB``."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def number(count: int, one: str, many: str = "") -> str:
    """Return ``1 run``, ``2 runs``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def pretty(body: bytes) -> str:
    """Return a payload as people read it: JSON indented, anything else as it is."""
    decoded = body.decode(errors="replace")
    try:
        return json.dumps(json.loads(decoded), indent=2, ensure_ascii=False)
    except ValueError:
        return decoded
