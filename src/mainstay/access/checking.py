"""Whether a connection gets in, by one harmless call, in the user's words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mainstay.errors import VendorError

if TYPE_CHECKING:
    from mainstay.kit import Connector, Http

GOOD, BAD, UNSURE, NONE = "ok", "failed", "no answer", "no check"


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a check.

    ``state`` is ``ok`` (``text`` says whose account it is), ``failed`` (``text`` says what is wrong), ``no answer``
    (the vendor does not answer now: nothing is known) or ``no check`` (its connector has none).
    """

    name: str
    title: str
    state: str
    text: str

    @property
    def is_good(self) -> bool:
        """Tell whether nobody needs to do anything."""
        return self.state in {GOOD, NONE}


async def check(name: str, connector: Connector, settings: Any, http: Http) -> Checked:
    """Make a connector's one harmless call."""
    if connector.check is None:
        text = "Mainstay's own store" if connector.is_builtin else f"{connector.title} has no call that does nothing"
        return Checked(name, connector.title, NONE, text)
    try:
        text = await connector.check(settings, http)
    except VendorError as error:
        return Checked(name, connector.title, UNSURE if error.fate == "transient" else BAD, str(error))
    return Checked(name, connector.title, GOOD, text)
