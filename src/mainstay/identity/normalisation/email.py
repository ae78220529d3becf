"""E-mail addresses."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

from mainstay.identity.normalisation.result import Normalised, Reason, Status
from mainstay.identity.normalisation.text import clean


def normalise_email(raw: str) -> Normalised:
    """Read an e-mail address."""
    text = clean(raw).removeprefix("mailto:").strip("<>\"'")
    try:
        found = validate_email(text, check_deliverability=False, allow_quoted_local=True)
    except EmailNotValidError:
        return Normalised(Status.INVALID, reason=Reason.UNREADABLE, identifying=False)
    canonical = found.normalized.lower()
    return Normalised(Status.VALID, canonical, canonical)
