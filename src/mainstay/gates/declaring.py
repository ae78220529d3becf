"""From what a stack declares to its gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.kit.rate import read_rates

if TYPE_CHECKING:
    from mainstay.kit import ConnectionSettings, Connector, HttpSettings, Rate, SourceKind


@dataclass(frozen=True, slots=True)
class Declared:
    """A connection as its stack has it. ``account`` names the account: the same for the same one, and no secret."""

    workspace_id: UUID
    name: str
    account: str
    rates: tuple[Rate, ...] = ()
    max_concurrent: int = 0


class ConnectionDeclared(Protocol):
    """An entry of ``[connections]``."""

    @property
    def connector(self) -> Connector:
        """Its connector."""
        ...

    @property
    def settings(self) -> ConnectionSettings:
        """Its settings."""
        ...


class SourceDeclared(Protocol):
    """An entry of ``[sources]``."""

    @property
    def kind(self) -> SourceKind:
        """Its kind."""
        ...

    @property
    def settings(self) -> Any:
        """Its settings."""
        ...


class StackDeclared(Protocol):
    """A stack, as far as gates go."""

    @property
    def connections(self) -> Mapping[str, ConnectionDeclared]:
        """By name."""
        ...

    @property
    def sources(self) -> Mapping[str, SourceDeclared]:
        """By name."""
        ...


def gates_of(workspace_id: UUID, stack: StackDeclared) -> Iterator[Declared]:
    """Return the gates of a stack: of each connection that reaches out, and of each source that reads by itself."""
    for name, entry in stack.connections.items():
        connector, settings = entry.connector, entry.settings
        if connector.http is None:
            continue
        own = connector.account(settings) if connector.account else ""
        yield Declared(
            workspace_id,
            name,
            _account(connector.name, connector.http(settings), own),
            read_rates(settings.rate) if settings.rate else connector.rates(settings),
            settings.max_concurrent or connector.max_concurrent,
        )
    for name, source in stack.sources.items():
        if source.kind.http is not None:
            account = _account(source.kind.name, source.kind.http(source.settings), "")
            yield Declared(workspace_id, f"source:{name}", account)


def _account(connector: str, http: HttpSettings, own: str) -> str:
    made_of = "\0".join((http.base_url, own) if own else (http.base_url, *http.secrets))
    return f"{connector}:{blake2b(made_of.encode(), digest_size=9, key=b'mainstay.account').hexdigest()}"
