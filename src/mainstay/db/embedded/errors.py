"""The one error of the embedded server."""

from mainstay.errors import MainstayError


class EmbeddedServerError(MainstayError):
    """The embedded PostgreSQL cannot be started or stopped; the message says what, where and how to mend it."""
