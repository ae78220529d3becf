"""When a breaker opens, when it probes, what a leased call is good for. Pure; times are seconds of one clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from mainstay.errors import TransientError, VendorError

WINDOW_SECONDS = 60.0
LEAST_FAILURES = 5
LEAST_RUNS = 3
FIRST_PROBE_SECONDS = 5.0
LONGEST_PROBE_SECONDS = 300.0
REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 86_400.0
_TOO_MANY_REQUESTS = 429
# Of one record, not of the vendor: it is locked, or asks for another moment.
_OF_THE_RECORD = frozenset({409, 423, 425})
_BUSY = frozenset({_TOO_MANY_REQUESTS, 503})


def is_outage(error: VendorError) -> bool:
    """Tell whether a failure says that the vendor is out, rather than that it refused this call."""
    return isinstance(error, TransientError) and error.status not in _OF_THE_RECORD | {_TOO_MANY_REQUESTS}


def rest_of(error: VendorError) -> float:
    """Return for how many seconds the vendor asks everybody to stay away; 0 where it does not."""
    if not isinstance(error, TransientError) or error.status not in _BUSY:
        return 0.0
    asked = error.retry_after
    if asked is None:
        return REST_SECONDS if error.status == _TOO_MANY_REQUESTS else 0.0
    return min(asked, LONGEST_REST_SECONDS)


def probe_pause(failed_probes: int) -> float:
    """Return how many seconds an open breaker waits for its next probe: doubling, five minutes at most."""
    doublings = min(failed_probes, 30)
    return min(FIRST_PROBE_SECONDS * (1 << doublings), LONGEST_PROBE_SECONDS)


@dataclass(slots=True)
class Outcomes:
    """How the calls of the last minute went. Nothing is kept while nothing fails."""

    _failures: deque[tuple[float, object]] = field(default_factory=deque)
    _successes: deque[float] = field(default_factory=deque)

    def succeeded(self, now: float) -> None:
        """Note a success."""
        if self._failures:
            self._successes.append(now)
            self._forget(now)

    def failed(self, now: float, run: object) -> bool:
        """Note a failure; tells whether there are so many that the vendor must be out.

        So many are five within a minute, of three runs (one run keeps its own distance), and half of all outcomes.
        """
        self._failures.append((now, run))
        self._forget(now)
        return (
            len(self._failures) >= LEAST_FAILURES
            and len(self._failures) >= len(self._successes)
            and len({each for _, each in self._failures}) >= LEAST_RUNS
        )

    def clear(self) -> None:
        """Begin anew."""
        self._failures.clear()
        self._successes.clear()

    def _forget(self, now: float) -> None:
        while self._failures and self._failures[0][0] <= now - WINDOW_SECONDS:
            self._failures.popleft()
        since = self._failures[0][0] if self._failures else now
        while self._successes and self._successes[0] < since:
            self._successes.popleft()


@dataclass(slots=True)
class Lease:
    """Calls that this process may make until ``until``; what is left then is lost, as others were not given it."""

    left: int = 0
    until: float = 0.0
    used: int = 0

    def take(self, now: float) -> bool:
        """Use one call, if there is one."""
        if self.left <= 0 or now >= self.until:
            return False
        self.left -= 1
        self.used += 1
        return True

    def renew(self, granted: int, until: float) -> None:
        """Begin the next lease; nothing of the last one is good any more."""
        self.left, self.until, self.used = granted, until, 0
