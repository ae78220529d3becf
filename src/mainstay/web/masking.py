"""What is seen by whoever may not see personal data: names by their initials, e-mails and phones by their ends."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mainstay.kit.redaction import MASK, Redactor
from mainstay.web.scopes import PERSONAL

_REDACTOR = Redactor()
_PLAIN = ("method", "url", "status", "ms", "error")


class Mask:
    """What may be seen of a value with these scopes; everything, where ``personal`` is among them."""

    def __init__(self, scopes: Collection[str]) -> None:
        self.is_on = PERSONAL not in scopes

    def text(self, text: str) -> str:
        """Show a text of ours or a vendor's, which may quote an e-mail or a phone number."""
        return _REDACTOR.text(text) if self.is_on else text

    def name(self, name: str) -> str:
        """Show a person's name."""
        return "".join(f"{part[0]}." for part in name.split()) if self.is_on else name

    def said(self, value: Any) -> Any:
        """Show what people or vendors wrote, of whatever form: not at all where personal data is masked."""
        return (MASK if value else value) if self.is_on else value

    def values(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Show values by their names: their names alone where personal data is masked."""
        return {name: self.said(value) for name, value in values.items()}

    def exchange(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Show a request and its response: without their bodies where personal data is masked."""
        if not self.is_on:
            return dict(entry)
        return {
            name: self.text(value) if isinstance(value, str) else value
            for name, value in entry.items()
            if name in _PLAIN
        }
