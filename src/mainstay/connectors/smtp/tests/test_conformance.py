from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.connectors.smtp import CONNECTOR
from tests.connectors.email_conformance import TOKEN, EmailConformance, EmailVendor, Mail, sandbox

__all__ = ["sandbox"]


def written(mail: Mapping[str, Any]) -> Mail:
    headers = mail["headers"]
    return Mail(
        ", ".join(mail["to"]),
        mail["from"],
        mail["subject"],
        mail["text"].replace("\r\n", "\n"),
        (mail["html"] or "").replace("\r\n", "\n"),
        headers.get("Reply-To", ""),
    )


class TestConformance(EmailConformance):
    vendor = EmailVendor(
        "smtp",
        CONNECTOR,
        {"security": "none", "username": "acme", "password": TOKEN},
        written,
        by_http=False,
    )
