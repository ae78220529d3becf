"""A message over a channel, whatever kind it is: a post, a mail, a text message, a signed webhook, a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from mainstay.engine.operations import call_operation, find_operation
from mainstay.kit.roles import MAX_SMS_CHARS, Button, EmailMessage, Page

if TYPE_CHECKING:
    from mainstay.engine import StepRunner
    from mainstay.kit import Http
    from mainstay.watch.routes import Route

ROLES = ("chat", "email", "sms", "pager", "layer")
"""What can carry an alert; a connection with several of them does it by the first."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is told, for every kind of channel.

    ``short`` is for text messages. ``event`` and ``data`` are a webhook's. ``pages`` are what a pager is told; where
    there are none, a pager is told nothing.
    """

    subject: str
    text: str
    short: str
    event: str
    data: Mapping[str, Any] = field(default_factory=dict)
    buttons: Sequence[Button] = ()
    pages: Sequence[Page] = ()

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Message:
        """Read one back from a run's input, as ``asdict`` made it."""
        buttons = tuple(Button(**each) for each in kept["buttons"])
        pages = tuple(Page(**each) for each in kept["pages"])
        return cls(**{**kept, "buttons": buttons, "pages": pages})


class Vendors(Protocol):
    """What the composition root knows of a workspace's connections."""

    def vendor(self, workspace_id: UUID, connection: str, role: str, http: Http) -> Any:
        """Return a connection's object for a role, for one attempt."""
        ...


def calls(route: Route, message: Message) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the operations of the route's role that send a message, each with its arguments."""
    match route.role:
        case "chat":
            yield "post", (route.target, message.text, tuple(message.buttons))
        case "email":
            yield "send", (EmailMessage(to=route.target, subject=message.subject, text=message.text),)
        case "sms":
            yield "send", (route.target, message.short[:MAX_SMS_CHARS])
        case "layer":
            yield "send_event", (message.event, message.data)
        case _:
            for page in message.pages:
                yield "page", (page,)


async def pass_on(steps: StepRunner, vendors: Vendors, route: Route, message: Message) -> None:
    """Send a message over a route, as a run's steps."""

    def made(http: Http) -> Any:
        return vendors.vendor(steps.run.workspace_id, route.connection, route.role, http)

    for operation, arguments in calls(route, message):

        async def call(http: Http, operation: str = operation, arguments: tuple[Any, ...] = arguments) -> Any:
            return await call_operation(made(http), operation, *arguments)

        async def find(http: Http, operation: str = operation, arguments: tuple[Any, ...] = arguments) -> Any:
            return await find_operation(made(http), operation, *arguments)

        await steps.step(f"{route.role}.{operation}", call, connection=route.connection, find=find)
