from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainstay.connectors.sendgrid import CONNECTOR
from tests.connectors.email_conformance import TOKEN, EmailConformance, EmailVendor, Mail, sandbox

__all__ = ["sandbox"]


def written(mail: Mapping[str, Any]) -> Mail:
    parts = {part["type"]: part["value"] for part in mail["content"]}
    ((to,),) = [each["to"] for each in mail["personalizations"]]
    return Mail(
        to["email"],
        mail["from"]["email"],
        mail["subject"],
        parts["text/plain"],
        parts.get("text/html", ""),
        mail.get("reply_to", {}).get("email", ""),
    )


class TestConformance(EmailConformance):
    vendor = EmailVendor("sendgrid", CONNECTOR, {"api_key": TOKEN}, written)
