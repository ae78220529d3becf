"""The one error of the embedded server."""


class EmbeddedServerError(Exception):
    """The embedded PostgreSQL cannot be started or stopped; the message says what, where and how to mend it."""
