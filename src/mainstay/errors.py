"""Every error Mainstay raises on purpose; each class says what happens next.

::

    MainstayError
    ├── ConfigError          the stack cannot start: each problem names file, key and the mend
    ├── NotAuthenticError    a delivery whose sender could not be proven: quarantined
    ├── MalformedError       authentic, but unreadable: kept, shown as rejected, replayable
    ├── ConflictError        the same key came with another write: nothing was done
    ├── OverloadedError      come back later: the sender is told when
    ├── DatabaseUnavailableError  PostgreSQL is away: nothing was decided, go on when it is back
    ├── RetryRefusedError    a run cannot be retried as it was asked: nothing was done
    ├── FencedError          this worker lost its run to another: stop, record nothing
    ├── WorkflowError        a workflow's own code cannot go on: stop and tell a human
    │   └── ChildFailedError runs that it began, and waited for, did not end well
    └── VendorError
        ├── TransientError   try again, after ``retry_after`` seconds where the vendor says so
        ├── PermanentError   the same call would fail again: stop and tell a human
        └── NeedsHumanError  credentials, consent, payment: stop until a person has acted
            └── UnsureError  it may have happened, and only a person can tell: stop and ask
"""

from __future__ import annotations

from dataclasses import dataclass


class MainstayError(Exception):
    """Root of all errors that Mainstay raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a user's file.

    ``where`` is ``file:line`` or ``file``; ``key`` the dotted key; ``hint`` how to mend it; ``code`` the rule that is
    broken (``mainstay check --explain CODE``), where it has one.
    """

    where: str
    key: str
    message: str
    hint: str = ""
    code: str = ""

    def __str__(self) -> str:
        head = "  ".join(part for part in (self.where, self.code, self.key) if part)
        lines = [head, *(f"    {text}" for text in (self.message, self.hint) if text)]
        return "\n".join(lines)


class ConfigError(MainstayError):
    """A stack that cannot start. All problems at once, never the first alone."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


class NotAuthenticError(MainstayError):
    """The sender of a delivery could not be proven; the message says which check failed."""


class MalformedError(MainstayError):
    """An authentic delivery that its source's parser or mapping cannot read."""


class ConflictError(MainstayError):
    """A key that makes a write repeatable came again with another write."""


class OverloadedError(MainstayError):
    """Intake takes no more for now.

    Attributes:
        retry_after: whole seconds after which the sender should come back.
    """

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DatabaseUnavailableError(MainstayError):
    """PostgreSQL did not answer; whether the last write was kept is not known."""


class RetryRefusedError(MainstayError):
    """A run cannot be retried as it was asked; nothing was done. ``hint`` says what can be done instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class MirrorRefusedError(MainstayError):
    """What a mirror was to do or to give cannot be; nothing was done. ``hint`` says what can be done instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class FencedError(MainstayError):
    """Another worker owns this run now; whatever this one still holds must not be recorded."""


class WorkflowError(MainstayError):
    """A workflow's own code raised, or does something else than its record says."""


class ChildFailedError(WorkflowError):
    """Runs that a workflow began, and waited for, failed or were cancelled.

    Attributes:
        run_ids: their ids, in the order in which they were asked for.
    """

    def __init__(self, message: str, run_ids: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.run_ids = run_ids


class VendorError(MainstayError):
    """A vendor refused or did not answer.

    Attributes:
        status: the HTTP status, or None when there was no answer.
        retry_after: seconds the vendor asks to wait, or None.
        unsure: True when the request may have taken effect although no answer arrived.
    """

    fate = "transient"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        unsure: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.unsure = unsure


class TransientError(VendorError):
    """Try again: time-outs, 429, 5xx, a record that is locked."""

    fate = "transient"


class PermanentError(VendorError):
    """The same call would fail again."""

    fate = "permanent"


class NeedsHumanError(VendorError):
    """Only a person can mend it: credentials, consent, an unpaid account."""

    fate = "human"


class UnsureError(NeedsHumanError):
    """A call may have had its effect, nobody could tell, and the stack wants a person to say so."""

    fate = "asked"
