"""The role of whatever calls people who are on duty: PagerDuty, and what takes its events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from mainstay.kit.roles.outcomes import Sent

Action = Literal["trigger", "acknowledge", "resolve"]


@dataclass(frozen=True, slots=True)
class Page:
    """What a pager is told of one trouble.

    ``key`` is the same for all that is told of it, so that the vendor keeps one alert of it, whatever comes twice.
    ``severity`` is ``critical``, ``error``, ``warning`` or ``info``; ``link`` the address at which people see to it.
    """

    action: Action
    key: str
    summary: str
    severity: str = "error"
    component: str = ""
    details: str = ""
    link: str = ""


class Pager(Protocol):
    """Calls whoever is on duty."""

    async def page(self, page: Page) -> Sent:
        """Trigger, acknowledge or resolve; what was told before changes nothing."""
        ...
