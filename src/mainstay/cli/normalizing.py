"""``mainstay contacts normalize``: the rules of normalisation as a filter, for files and for whoever checks them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, BinaryIO

import orjson
import typer

from mainstay.cli.errors import CommandError

# Enough to write in few calls, little enough that a reader sees answers soon.
_BATCH = 500


def normalize(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="JSON lines; without it they are read from stdin.")
    ] = None,
    region: Annotated[
        str, typer.Option(metavar="CC", help="The region (ISO 3166, as US) of phone lines that name none.")
    ] = "",
) -> None:
    """Bring e-mail addresses, phone numbers and names into canonical form. Needs no stack and no database.

    Reads {"id", "kind": "email|phone|name", "raw", "region"}, one a line, and answers each, in order, with {"id",
    "status": "valid|invalid", "canonical", "alias_key", "ext", "reason", "hint"}, and "suffix" for a name; what there
    is not is null. A line that cannot be read is answered as invalid too, with the reason.

    Examples:
        mainstay contacts normalize values.jsonl > keys.jsonl
        echo '{"id": 1, "kind": "phone", "raw": "(312) 555-0147", "region": "US"}' | mainstay contacts normalize
    """
    with ExitStack() as stack:
        try:
            lines: BinaryIO = stack.enter_context(file.open("rb")) if file else sys.stdin.buffer
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}", "Name a file of JSON lines.") from error
        out = getattr(sys.stdout, "buffer", None)
        for block in _blocks(lines, region):
            if out is None:
                sys.stdout.write(block.decode())
            else:
                out.write(block)
                out.flush()


def _blocks(lines: Iterable[bytes], region: str) -> Iterator[bytes]:
    block: list[bytes] = []
    for line in lines:
        if not line.strip():
            continue
        block.append(line_of(answer(line, region)))
        if len(block) == _BATCH:
            yield b"".join(block)
            block.clear()
    yield b"".join(block)


def line_of(told: dict[str, Any]) -> bytes:
    """Return an answer as a line of JSON."""
    try:
        return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        # An id nested deeper than can be written.
        return orjson.dumps(told | {"id": None}, option=orjson.OPT_APPEND_NEWLINE)


def answer(line: bytes, region: str = "") -> dict[str, Any]:
    """Return the answer to one line, whatever it holds."""
    rules = _rules()
    try:
        asked = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return _refusal(None, rules.Reason.NOT_JSON)
    if not isinstance(asked, dict):
        return _refusal(None, rules.Reason.NOT_JSON)
    known, kind, raw = asked.get("id"), asked.get("kind"), asked.get("raw")
    if kind not in ("email", "phone", "name"):
        return _refusal(known, rules.Reason.UNKNOWN_KIND)
    if not isinstance(raw, str):
        return _refusal(known, rules.Reason.NOT_TEXT)
    if kind == "name":
        name = rules.normalise_name(raw)
        told = _told(known, (name.status, name.canonical, "", "", name.reason, ""))
        told["suffix"] = name.suffix or None
        return told
    if kind == "email":
        return _told(known, rules.normalise_email(raw)[:6])
    given = asked.get("region")
    where = given if isinstance(given, str) and given.strip() else region
    return _told(known, rules.normalise_phone(raw, where.strip().upper())[:6])


@cache
def _rules() -> ModuleType:
    # Not at the top: the other commands of the group do without.
    from mainstay.identity import normalisation

    return normalisation


def _refusal(known: Any, reason: str) -> dict[str, Any]:
    return _told(known, ("invalid", "", "", "", reason, ""))


def _told(known: Any, read: tuple[str, str, str, str, str, str]) -> dict[str, Any]:
    status, canonical, alias_key, ext, reason, hint = read
    return {
        "id": known,
        "status": status,
        "canonical": canonical or None,
        "alias_key": alias_key or None,
        "ext": ext or None,
        "reason": reason or None,
        "hint": hint or None,
    }
