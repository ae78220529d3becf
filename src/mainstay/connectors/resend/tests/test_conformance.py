from __future__ import annotations

from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any

from mainstay.connectors.resend import CONNECTOR
from tests.connectors.email_conformance import TOKEN, EmailConformance, EmailVendor, Mail, sandbox

__all__ = ["sandbox"]


def written(mail: Mapping[str, Any]) -> Mail:
    return Mail(
        ", ".join(mail["to"]),
        parseaddr(mail["from"])[1],
        mail["subject"],
        mail["text"],
        mail.get("html", ""),
        mail.get("reply_to", ""),
    )


class TestConformance(EmailConformance):
    vendor = EmailVendor("resend", CONNECTOR, {"api_key": TOKEN}, written)
