"""The one place for what commands print: tables, facts, JSON, times, states."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mainstay.model import short_id

if TYPE_CHECKING:
    from rich.console import RenderableType

_PIPE_COLUMNS = 240
_LEAST = 8
_GAP = 3
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
    "recovering": ("~", "yellow"),
    "acknowledged": ("…", "yellow"),
    "retry": ("~", "yellow"),
    "rejected": ("✗", "red"),
    "refused": ("✗", "red"),
    "stopped": ("✗", "red"),
    "failed": ("✗", "red"),
    "broken": ("✗", "red"),
    "open": ("✗", "red"),
    "active": ("✓", "green"),
    "draining": ("~", "yellow"),
    "missing": ("✗", "red"),
    "handled": ("-", "dim"),
    "ignored": ("-", "dim"),
    "cancelled": ("-", "dim"),
}


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
    _print_trimmed(Padding(line, (0, 0, 0, indent), expand=False) if indent else line)


def text(*parts: str | Text | tuple[str, str]) -> Text:
    """Make a line of parts, each plain or with a style."""
    return Text.assemble(*parts)


def table(columns: Sequence[Column], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print a table: a line of titles, no boxes. What does not fit is cut with an ellipsis, ids never."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    natural = [
        max([cell_len(column.title), *(row[place].cell_len for row in cells)]) for place, column in enumerate(columns)
    ]
    room = console().width - _GAP * (len(columns) - 1)
    widths = _fit(natural, [column.grows for column in columns], room)
    made = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim", show_edge=False)
    for column, width in zip(columns, widths, strict=True):
        side: Literal["left", "right"] = "right" if column.right else "left"
        made.add_column(column.title, justify=side, no_wrap=True, overflow="ellipsis", width=width)
    for row in cells:
        made.add_row(*row)
    _print_trimmed(made)


def _fit(natural: Sequence[int], grows: Sequence[bool], room: int) -> list[int]:
    """Narrow the widest of the columns that may be narrowed, until all fit."""
    widths = list(natural)
    while sum(widths) > room:
        place = max(range(len(widths)), key=lambda place: (grows[place], widths[place]))
        if not grows[place] or widths[place] <= _LEAST:
            break
        widths[place] -= 1
    return widths


def _cell(value: str | Text) -> Text:
    """Return a cell that stays on its line."""
    made = Text(value) if isinstance(value, str) else value
    if "\n" not in made.plain:
        return made
    return Text(" ".join(made.plain.split()), style=made.style)


def facts(pairs: Iterable[tuple[str, RenderableType]], *, indent: int = 2) -> None:
    """Print names and values, one a line; values fold under themselves."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        made.add_row(f"{'':{indent}}{name}", value)
    _print_trimmed(made)


def _print_trimmed(made: RenderableType) -> None:
    """Print without the spaces that fill lines up to their right edge: what is piped has none."""
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
    """Return a duration: ``21 ms``, ``1.21 s``, ``12 min``."""
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
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


def pretty(body: bytes, content_type: str = "") -> str:
    """Return a payload as people read it: JSON indented, a form's fields one a line, anything else as it is."""
    decoded = body.decode(errors="replace")
    if content_type.startswith("application/x-www-form-urlencoded") and "=" in decoded:
        return "\n".join(f"{key}: {value}" for key, value in parse_qsl(decoded, keep_blank_values=True))
    try:
        return json.dumps(json.loads(decoded), indent=2, ensure_ascii=False)
    except ValueError:
        return decoded
