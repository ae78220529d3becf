"""Connectors, one folder each; found by folder name, or by the entry point group ``mainstay.connectors``."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from types import MappingProxyType
from typing import TYPE_CHECKING

from mainstay.kit.connector import Connector

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mainstay.kit.source import SourceKind


@cache
def all_connectors() -> Mapping[str, Connector]:
    """Return every connector by name, our own folders first, then installed packages'."""
    found: dict[str, Connector] = {}
    for module in iter_modules(__path__):
        if module.ispkg:
            connector = import_module(f"{__name__}.{module.name}").CONNECTOR
            found[connector.name] = connector
    for entry in entry_points(group="mainstay.connectors"):
        connector = entry.load()
        if not isinstance(connector, Connector):
            message = f"entry point {entry.name!r} ({entry.value}) is not a mainstay.kit.Connector"
            raise TypeError(message)
        found.setdefault(connector.name, connector)
    return MappingProxyType(found)


@cache
def all_source_kinds() -> Mapping[str, SourceKind]:
    """Return every source kind by the name that ``kind = "..."`` takes."""
    kinds = [kind for connector in all_connectors().values() for kind in connector.sources]
    return MappingProxyType({kind.name: kind for kind in kinds})
