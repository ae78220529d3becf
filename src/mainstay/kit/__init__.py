"""All that a connector's author may import.

A connector is one folder with one :class:`Connector` named ``CONNECTOR`` in its ``__init__.py``.
"""

from mainstay.errors import (
    MalformedError,
    NeedsHumanError,
    NotAuthenticError,
    PermanentError,
    TransientError,
    VendorError,
)
from mainstay.kit.connector import ConnectionSettings, Connector, RoleFactory
from mainstay.kit.http import Http, HttpSettings, Response, classify
from mainstay.kit.rate import Rate
from mainstay.kit.roles import CRM, SMS, Chat, Email, EmailMessage, MergingCRM, Pushed, RecordStore, Sent
from mainstay.kit.source import Duration, Reply, SourceKind, SourceSettings
from mainstay.model import Contact, Event, RawRequest, Submission

__all__ = [
    "CRM",
    "SMS",
    "Chat",
    "ConnectionSettings",
    "Connector",
    "Contact",
    "Duration",
    "Email",
    "EmailMessage",
    "Event",
    "Http",
    "HttpSettings",
    "MalformedError",
    "MergingCRM",
    "NeedsHumanError",
    "NotAuthenticError",
    "PermanentError",
    "Pushed",
    "Rate",
    "RawRequest",
    "RecordStore",
    "Reply",
    "Response",
    "RoleFactory",
    "Sent",
    "SourceKind",
    "SourceSettings",
    "Submission",
    "TransientError",
    "VendorError",
    "classify",
]
