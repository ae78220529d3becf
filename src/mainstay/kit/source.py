"""What a source kind must say: how its deliveries are verified, told apart and read. All pure, but ``fetch``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mainstay.kit.http import Http, HttpSettings
from mainstay.model import Event, RawRequest
from mainstay.model.duration import read_duration


def _as_written(value: Any) -> Any:
    try:
        return read_duration(value) if isinstance(value, str) else value
    except ValueError:
        return value


Duration = Annotated[timedelta, BeforeValidator(_as_written)]
"""A setting that is a length of time: ``"10m"``, ``"1h 30m"``, seconds, or ``"HH:MM:SS"``."""


class SourceSettings(BaseModel):
    """Keys every ``[sources.NAME]`` takes; a source kind adds its own (secrets as ``SecretStr``)."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    takes_records: ClassVar[bool] = False
    """Whether ``record`` may name another type than contact; other kinds tell by each delivery what it is about."""

    kind: str
    record: str = Field("contact", description="The record type its deliveries become.")
    redirect: str = Field("", description="Where a browser is sent after a plain HTML form was accepted.")
    cors: tuple[str, ...] = Field((), description="Origins that may post from a script, or '*'.")
    repeat_window: Duration = Field(
        timedelta(0),
        description="Without a delivery id: how long the same payload counts as the same delivery; 0 for never.",
    )
    max_bytes: int = Field(1_000_000, description="Largest body taken, in bytes.", gt=0)
    expect: str = Field(
        "",
        description='What should come: expect = "at least 1 in 4 business hours", or "off"; else it is learned.',
    )
    connection: str = Field("", description="The connection that this source's system is, where it is one.")


class AskedSourceSettings(SourceSettings):
    """Keys of a source of failures, whose ``connection`` is any that is asked for them (``layer.pull_failures``)."""

    connection: str = Field("", description="A connection that is asked what failed, such as n8n's with its api_key.")
    every: Duration = Field(timedelta(minutes=5), description="How often it is asked.", ge=timedelta(minutes=1))


@dataclass(frozen=True, slots=True)
class Reply:
    """An immediate answer to a sender: handshakes and challenges."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Composed:
    """A delivery as its sender would post it: the body, and headers that prove who sends it."""

    body: bytes
    headers: Mapping[str, str] = field(repr=False)


def _no_key(_request: RawRequest, _settings: Any) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class SourceKind:
    """One kind of source. ``settings`` below is an instance of the class named here.

    Attributes:
        name: what ``kind = "..."`` says in stack.toml.
        title: the vendor's name as people write it.
        settings: the pydantic class of ``[sources.NAME]``.
        verify: returns in words how the sender was proven (``"signature ok"``, ``"unsigned"``), or raises
            NotAuthenticError. Compares in constant time, checks the age by ``request.received_at``.
        parse: the events of one delivery, oldest first; raises MalformedError with what is wrong and how to mend it
            (field, value shape, mapping key). Called only after ``verify``.
        delivery_key: the sender's own id of this delivery, stable over its re-sends; empty when there is none.
        challenge: answers handshakes (GET or POST) that are no deliveries; None means: it is a delivery.
        receipt: what the sender hears of a delivery that was kept, where it cannot bear our JSON.
        fetch: for notices that carry an id only: reads the record and returns the event with its submission filled.
        http: base address and credentials for ``fetch``; needed with it unless ``connection`` gives them.
        secret_headers: lower-case header names that carry a shared secret: never stored.
        secret_params: query parameters that carry a shared secret: never stored.
        compose: what its sender would post of one person at a time, rightly signed, from the settings, the person's
            fields as the sender names them, and the delivery's own key. None where we cannot be the sender.
        is_signed_by_vendor: its signature is made with a private key that the vendor alone has.
    """

    name: str
    title: str
    settings: type[SourceSettings]
    verify: Callable[[RawRequest, Any], str]
    parse: Callable[[RawRequest, Any], Sequence[Event]]
    delivery_key: Callable[[RawRequest, Any], str] = _no_key
    challenge: Callable[[RawRequest, Any], Reply | None] | None = None
    receipt: Reply | None = None
    fetch: Callable[[Event, Any, Http], Awaitable[Event]] | None = None
    http: Callable[[Any], HttpSettings] | None = None
    secret_headers: tuple[str, ...] = ()
    secret_params: tuple[str, ...] = ()
    compose: Callable[[Any, Mapping[str, str], str, datetime], Composed] | None = None
    is_signed_by_vendor: bool = False
