"""``mainstay contacts normalize``: the rules of normalisation as a filter, for files and for whoever checks them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
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
        block.append(_line(answer(line, region)))
        if len(block) == _BATCH:
            yield b"".join(block)
            block.clear()
    yield b"".join(block)


def _line(told: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:
        # An id nested deeper than can be written.
        return orjson.dumps(told | {"id": None}, option=orjson.OPT_APPEND_NEWLINE)


def answer(line: bytes, region: str = "") -> dict[str, Any]:
    """Return the answer to one line, whatever it holds."""
    from mainstay.identity.normalisation import Reason, normalise_email, normalise_name, normalise_phone

    try:
        asked = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return _refusal(None, Reason.NOT_JSON)
    if not isinstance(asked, dict):
        return _refusal(None, Reason.NOT_JSON)
    known, kind, raw = asked.get("id"), asked.get("kind"), asked.get("raw")
    if kind not in ("email", "phone", "name"):
        return _refusal(known, Reason.UNKNOWN_KIND)
    if not isinstance(raw, str):
        return _refusal(known, Reason.NOT_TEXT)
    if kind == "name":
        name = normalise_name(raw)
        return _told(known, name.status, name.canonical, "", "", name.reason, "") | {"suffix": name.suffix or None}
    given = asked.get("region")
    where = given if isinstance(given, str) and given.strip() else region
    read = normalise_email(raw) if kind == "email" else normalise_phone(raw, where.strip().upper())
    return _told(known, read.status, read.canonical, read.alias_key, read.ext, read.reason, read.hint)


def _refusal(known: Any, reason: str) -> dict[str, Any]:
    return _told(known, "invalid", "", "", "", reason, "")


def _told(known: Any, status: str, *values: str) -> dict[str, Any]:
    keys = ("canonical", "alias_key", "ext", "reason", "hint")
    return {"id": known, "status": status} | {key: value or None for key, value in zip(keys, values, strict=True)}
