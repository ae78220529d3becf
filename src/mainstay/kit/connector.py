"""The one declaration of a connector."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from mainstay.kit.http import Http, HttpSettings
from mainstay.kit.oauth import OAuth
from mainstay.kit.rate import Rate, read_rates
from mainstay.kit.retrying import RetryTable
from mainstay.kit.roles import RecordStore
from mainstay.kit.source import SourceKind
from mainstay.model import Contact, RecordType


@dataclass(frozen=True, slots=True)
class Pullable:
    """How a type of record is pulled from a vendor.

    Attributes:
        role: the role whose object has ``pull_records`` (:class:`mainstay.kit.roles.PullingRecords`).
        by_status: a status that a record came to, and the event that the vendor's webhook tells then. Otherwise
            webhooks tell ``invoice.created``, ``invoice.updated`` and ``invoice.deleted``.
        when: whether a connection may be asked, by its settings.
    """

    role: str
    by_status: Mapping[str, str] = field(default_factory=dict)
    when: Callable[[Any], bool] = lambda _settings: True


RoleFactory = Callable[[Any, Http, RecordStore | None], Any]


class ConnectionSettings(BaseModel):
    """Keys every ``[connections]`` entry takes; a connector adds its own (secrets as ``SecretStr``)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    connector: str
    base_url: str = ""
    retry: RetryTable | None = Field(default=None, description="How this connection's calls are tried again.")
    rate: str = Field(
        default="", description='Calls that the account takes, in place of the usual: "100 in 10s", or "off".'
    )
    max_concurrent: int = Field(
        default=0, ge=0, le=1000, description="Calls at once, over all workers; 0 for the usual."
    )

    @field_validator("rate")
    @classmethod
    def _is_rate(cls, value: str) -> str:
        if value:
            read_rates(value)
        return value


@dataclass(frozen=True, slots=True)
class Connector:
    """Everything Mainstay knows of one vendor.

    Attributes:
        name: what ``connector = "..."`` says in stack.toml; the folder's name.
        title: the vendor's name as people write it.
        settings: pydantic class of the connection; None for a connector that is a source only.
        http: base address, fixed headers, secrets and error mapping of a connection.
        oauth: the vendor's OAuth 2 as a connection uses it; gives None for a connection with a fixed token. With it,
            ``http`` gives no Authorization header.
        check: makes one harmless call with a connection, and returns in words whose account it is.
        roles: role name to ``factory(settings, http, store)``, giving the object with the role's methods.
        idempotency: per operation (``"chat.post"``): ``key`` the vendor takes an idempotency key; ``state`` doing it
            twice leaves the same state; ``lookup`` the role's object has a method ``find_<operation>`` of the same
            arguments, which returns what the operation would have (of one without an outcome: a ``Sent``), or None
            where the vendor has not done it; ``none`` it would happen twice and nobody can tell.
        lookup_after: seconds after a call from which on a look-up can be trusted that does not find it.
        account: what the vendor counts calls by, the same wherever the same account is used; may be secret (only a
            digest is kept). None: the connection's secrets and address.
        rates: calls that the vendor takes of one account, each of which holds; ``rate`` in stack.toml goes before.
        max_concurrent: calls at once that the vendor takes of one account; 0 where it sets no such limit.
        record_url: link to a contact in the vendor's own screens, or None: ``(settings, external_id) -> url``.
        can_pull: whether a connection may be asked what changed (``crm.pull_contacts``) or what failed
            (``layer.pull_failures``), by its settings.
        pulls: the types of record that a connection may be asked for what changed; ``ROLE.pull_records`` is among the
            operations of ``idempotency``.
        own_channel: whether a post (role ``chat``) that names no channel gets somewhere, by a connection's settings.
        contact_fields: what of a contact a connection with the role ``crm`` keeps as it was pushed: names of fields,
            and ``custom.`` with a key of ours for each custom field that is mapped.
        is_builtin: True for Mainstay's own store alone: the record needs no push.
        sources: source kinds of this vendor.
    """

    name: str
    title: str
    settings: type[ConnectionSettings] | None = None
    http: Callable[[Any], HttpSettings] | None = None
    oauth: Callable[[Any], OAuth | None] | None = None
    check: Callable[[Any, Http], Awaitable[str]] | None = None
    roles: Mapping[str, RoleFactory] = field(default_factory=dict)
    idempotency: Mapping[str, str] = field(default_factory=dict)
    lookup_after: float = 10.0
    account: Callable[[Any], str] | None = None
    rates: Callable[[Any], tuple[Rate, ...]] = lambda _settings: ()
    max_concurrent: int = 0
    record_url: Callable[[Any, str], str] | None = None
    can_pull: Callable[[Any], bool] = lambda _settings: True
    own_channel: Callable[[Any], bool] = lambda _settings: False
    contact_fields: Callable[[Any], frozenset[str]] = lambda _settings: frozenset(
        {"first_name", "last_name", "email", "phone", "company"}
    )
    pulls: Mapping[RecordType, Pullable] = field(default_factory=dict)
    is_builtin: bool = False
    sources: tuple[SourceKind, ...] = ()


__all__ = ["ConnectionSettings", "Connector", "Contact", "Pullable", "RoleFactory"]
