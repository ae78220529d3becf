"""How a connection by OAuth 2 stands, and how long before its end people hear of it."""

from __future__ import annotations

from datetime import timedelta

CONNECTED, NEEDS_PERSON = "connected", "needs a person"
FORESEEN = timedelta(days=14)
