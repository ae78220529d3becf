from __future__ import annotations

from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any

from mainstay.connectors.postmark import CONNECTOR
from tests.connectors.email_conformance import TOKEN, EmailConformance, EmailVendor, Mail, sandbox

__all__ = ["sandbox"]


def written(mail: Mapping[str, Any]) -> Mail:
    return Mail(
        mail["To"],
        parseaddr(mail["From"])[1],
        mail["Subject"],
        mail["TextBody"],
        mail.get("HtmlBody", ""),
        mail.get("ReplyTo", ""),
    )


class TestConformance(EmailConformance):
    vendor = EmailVendor("postmark", CONNECTOR, {"token": TOKEN}, written)
