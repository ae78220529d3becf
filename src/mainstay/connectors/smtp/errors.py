"""What a mail server's refusals mean: 4yz try again, 5yz do not; some need a person (RFC 5321, 4954)."""

from __future__ import annotations

import aiosmtplib

from mainstay.kit import NeedsHumanError, PermanentError, TransientError, VendorError

_PERMANENT_FROM = 500
# 530 log in first, 534 mechanism too weak or app password needed, 535 wrong credentials, 538 encryption required.
_CREDENTIALS = frozenset({530, 534, 535, 538})
_MEND_LOGIN = "check username and password in stack.toml (many providers want an app password)"


def explain(error: Exception, *, sending: bool, timeout: float) -> VendorError:
    """Turn what the library raised into the fate of the step; ``sending`` says that the message may have left."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _refused(error)
    if isinstance(error, aiosmtplib.SMTPNotSupported) and sending:
        return PermanentError(f"the mail server cannot take this message: {error.message}")
    if type(error) in {aiosmtplib.SMTPNotSupported, aiosmtplib.SMTPException}:
        # No STARTTLS, or no way to log in that both sides know: the library gives it no class of its own.
        return NeedsHumanError(f"the mail server cannot do it: {error}; check security, port and username")
    if isinstance(error, aiosmtplib.SMTPConnectTimeoutError) or (isinstance(error, TimeoutError) and not sending):
        return TransientError(f"could not connect and log in within {timeout:g} s")
    if isinstance(error, TimeoutError):
        return TransientError(f"no answer within {timeout:g} s", unsure=True)
    if isinstance(error, OSError | aiosmtplib.SMTPException):
        what = "the connection broke" if sending else "could not connect"
        return TransientError(f"{what}: {str(error) or type(error).__name__}", unsure=sending)
    return PermanentError(f"the message cannot be sent: {error}")


def _refused(error: aiosmtplib.SMTPResponseException) -> VendorError:
    if error.code < 0:
        return TransientError("the mail server's answer is not SMTP; are host and port right?")
    text = f"SMTP {error.code}: {error.message[:300]}"
    if error.code in _CREDENTIALS:
        return NeedsHumanError(f"{text}; {_MEND_LOGIN}", status=error.code)
    if error.code >= _PERMANENT_FROM:
        if isinstance(error, aiosmtplib.SMTPAuthenticationError):
            return NeedsHumanError(f"{text}; {_MEND_LOGIN}", status=error.code)
        return PermanentError(text, status=error.code)
    return TransientError(text, status=error.code)
