"""Edits of ``stack.toml`` that a command makes: what people wrote around them, comments too, stays as it is."""

from __future__ import annotations

import difflib
import os
import tempfile
from collections.abc import MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit
from tomlkit.items import Table

from mainstay.settings.stack import load_stack

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

    from mainstay.settings.environment import Environment


def with_mirror(text: str, name: str) -> str:
    """Return a stack in which contacts are mirrored to ``name``, too."""
    document = tomlkit.parse(text)
    contact = _contact(document)
    _set_mirrors(contact, list(dict.fromkeys([*_mirrors(contact), name])))
    return tomlkit.dumps(document)


def without_mirror(text: str, name: str) -> str:
    """Return a stack in which contacts are not mirrored to ``name`` any more."""
    document = tomlkit.parse(text)
    contact = _contact(document)
    _set_mirrors(contact, [each for each in _mirrors(contact) if each != name])
    tables = document.get("mirrors")
    if tables is not None:
        tables.pop(name, None)
    return tomlkit.dumps(document)


def with_system_of_record(text: str, old: str, new: str, *, is_old_mirrored: bool = True) -> str:
    """Return a stack in which ``new``, a mirror so far, is the system of record, and ``old`` a mirror in its place.

    Mainstay's own store is never a mirror: it has all contacts as it is.

    Workflows get the new one, too, where the role crm was the old one's. ``[mirrors.NEW]`` is of the old then.
    """
    document = tomlkit.parse(text)
    contact = _contact(document)
    contact["system_of_record"] = new
    mirrors = [each for each in _mirrors(contact) if each != old]
    if is_old_mirrored:
        mirrors = [old if each == new else each for each in mirrors]
        mirrors += [] if old in mirrors else [old]
    _set_mirrors(contact, [each for each in mirrors if each != new])
    roles = document.setdefault("roles", tomlkit.table())
    if roles.get("crm", old) == old:
        roles["crm"] = new
    tables = document.get("mirrors")
    if tables is not None and new in tables:
        settings = tables.pop(new)
        if old not in tables:
            tables[old] = settings
    return tomlkit.dumps(document)


def difference(before: str, after: str, name: str) -> str:
    """Return how two texts of a file differ, as people read it; empty where they do not."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, n=2, lineterm="")
    return "\n".join(lines)


def write(path: Path, text: str, environment: Environment) -> None:
    """Put a stack in place of the one in ``path``, whole or not at all.

    Raises:
        ConfigError: it would not start; nothing was changed.
    """
    descriptor, name = tempfile.mkstemp(prefix=".stack-", suffix=".toml", dir=path.parent)
    new = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        load_stack(new, environment)
        new.chmod(path.stat().st_mode)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _contact(document: TOMLDocument) -> MutableMapping[str, Any]:
    records = document.setdefault("records", tomlkit.table(is_super_table=True))
    if "contact" not in records:
        records["contact"] = tomlkit.table() if isinstance(records, Table) else tomlkit.inline_table()
    found: MutableMapping[str, Any] = records["contact"]
    return found


def _mirrors(contact: MutableMapping[str, Any]) -> list[str]:
    return list(map(str, contact.get("mirrors", ())))


def _set_mirrors(contact: MutableMapping[str, Any], names: list[str]) -> None:
    """Set the list, item by item, so that comments within it stay."""
    written = contact.get("mirrors")
    if written is None:
        contact["mirrors"] = names
        return
    for place, name in enumerate(names[: len(written)]):
        if written[place] != name:
            written[place] = name
    for name in names[len(written) :]:
        written.append(name)
    while len(written) > len(names):
        written.pop()
