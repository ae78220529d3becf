"""Faults on demand: what goes wrong, where, how often."""

from __future__ import annotations

import asyncio
import dataclasses
import fnmatch
import itertools
import random
import time
from collections.abc import Mapping
from typing import Any, Literal, TypedDict, get_args

from mainstay.sandbox.wire import SettingError

Kind = Literal[
    "latency", "hold", "status", "status_after", "timeout_before", "timeout_after", "drop_before", "drop_after",
    "reset", "truncated", "html", "drip", "empty", "reshaped"
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(Kind)
DONE = frozenset({"hold", "status_after", "timeout_after", "drop_after", "truncated", "drip", "empty", "reshaped"})
"""The kinds that strike once the effect is done."""


class FaultOptions(TypedDict, total=False):
    """Everything of a ``Fault`` but its vendor and kind."""

    method: str
    path: str
    contains: str
    count: int
    skip: int
    probability: float
    seed: int
    for_ms: int
    latency_ms: int
    status: int
    retry_after: float
    hold_ms: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault of one vendor.

    ``kind``:

    - ``latency``: wait ``latency_ms``, then go on as usual (adds to any other fault);
    - ``hold``: the effect is done, and the answer held until the fault is cleared, however long that is;
    - ``status``: answer ``status`` in the vendor's own error shape, with ``Retry-After`` when ``retry_after`` (s) is
      given; nothing is done;
    - ``status_after``: the same answer, and the effect is done all the same;
    - ``timeout_before`` / ``timeout_after``: hold the connection ``hold_ms`` without an answer, then close it; the
      effect is not done / is done first;
    - ``drop_before`` / ``drop_after``: close the connection at once without an answer; not done / done;
    - ``reset``: reset the connection (TCP RST); nothing is done;
    - ``truncated``: the effect is done, the answer's body is cut in half;
    - ``html``: 200 with a proxy's HTML error page; nothing is done;
    - ``drip``: the effect is done, the answer comes in small pieces over ``hold_ms``;
    - ``empty``: the effect is done, the answer is 204 without a body;
    - ``reshaped``: the effect is done, every key of the answer's JSON has another name.

    ``method``, ``path`` (a shell pattern on the path without the vendor's prefix, such as ``/contacts/*``) and
    ``contains`` (a text that stands in the body) narrow it. ``skip`` matching requests pass first; then it strikes
    ``count`` times (always, when None), each with ``probability``, drawn from ``seed`` so that a run repeats exactly;
    ``for_ms`` ends it by the clock. ``latency_ms`` may be given with every kind. For ``smtp`` the method is MAIL or
    DATA and there is no path.
    """

    vendor: str
    kind: Kind
    method: str | None = None
    path: str | None = None
    contains: str = ""
    count: int | None = None
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    for_ms: int | None = None
    latency_ms: int = 0
    status: int = 503
    retry_after: float | None = None
    hold_ms: int = 30_000

    @classmethod
    def parse(cls, value: Mapping[str, Any], vendors: tuple[str, ...]) -> Fault:
        """Build a fault from JSON. Raises ``SettingError`` that names the key and the mend."""
        names = [f.name for f in dataclasses.fields(cls)]
        unknown = sorted(set(value) - set(names))
        if unknown:
            raise SettingError(f"a fault has no {', '.join(unknown)}; it has {', '.join(names)}")
        if value.get("vendor") not in vendors:
            raise SettingError(f"vendor {value.get('vendor')!r} is not one of {', '.join(vendors)}")
        if value.get("kind") not in KINDS:
            raise SettingError(f"kind {value.get('kind')!r} is not one of {', '.join(KINDS)}")
        for name in ("count", "skip", "seed", "for_ms", "latency_ms", "status", "hold_ms"):
            given = value.get(name)
            if given is not None and (not isinstance(given, int) or isinstance(given, bool) or given < 0):
                raise SettingError(f"{name} is a whole number from 0, not {given!r}")
        for name, unit in (("retry_after", " of seconds"), ("probability", "")):
            given = value.get(name)
            if given is not None and (isinstance(given, bool) or not isinstance(given, int | float) or given < 0):
                raise SettingError(f"{name} is a number{unit} from 0, not {given!r}")
        if not isinstance(value.get("contains", ""), str):
            raise SettingError(f"contains is a text, not {value['contains']!r}")
        fault = cls(**value)
        if not 0 <= fault.probability <= 1:
            raise SettingError(f"probability is between 0 and 1, not {fault.probability}")
        if not 400 <= fault.status <= 599:
            raise SettingError(f"status is an error, from 400 to 599, not {fault.status}")
        return fault


class Armed:
    """A fault that has been set, and how often it met a request and struck.

    Attributes:
        cleared: set when the fault is taken away.
    """

    def __init__(self, number: int, fault: Fault) -> None:
        self.number = number
        self.fault = fault
        self.met = 0
        self.hits = 0
        self.cleared = asyncio.Event()
        self._draw = random.Random(fault.seed)
        self._ends = None if fault.for_ms is None else time.monotonic() + fault.for_ms / 1000

    def strikes(self, vendor: str, method: str, path: str, body: bytes) -> bool:
        """Tell whether it strikes this request, and count it."""
        fault = self.fault
        if fault.vendor != vendor or (fault.method is not None and fault.method.upper() != method):
            return False
        if fault.path is not None and not fnmatch.fnmatchcase(path, fault.path):
            return False
        if fault.contains and fault.contains.encode() not in body:
            return False
        if self._ends is not None and time.monotonic() >= self._ends:
            return False
        self.met += 1
        if self.met <= fault.skip or (fault.count is not None and self.hits >= fault.count):
            return False
        if fault.probability < 1 and self._draw.random() >= fault.probability:
            return False
        self.hits += 1
        return True


class Faults:
    """The faults in force, asked once for each request."""

    def __init__(self) -> None:
        """Start with none."""
        self._armed: list[Armed] = []
        self._numbers = itertools.count(1)

    def __bool__(self) -> bool:
        """Whether any fault is set."""
        return bool(self._armed)

    def add(self, fault: Fault) -> int:
        """Set a fault and return its number."""
        armed = Armed(next(self._numbers), fault)
        self._armed.append(armed)
        return armed.number

    def clear(self, vendor: str | None = None, number: int | None = None) -> int:
        """Remove the faults of a vendor, or one fault, or all; return how many."""
        kept = [
            armed
            for armed in self._armed
            if (vendor is not None and armed.fault.vendor != vendor) or (number is not None and armed.number != number)
        ]
        removed = [armed for armed in self._armed if armed not in kept]
        self._armed = kept
        for armed in removed:
            armed.cleared.set()
        return len(removed)

    def strike(self, vendor: str, method: str, path: str, body: bytes = b"") -> tuple[int, Armed | None]:
        """Return the milliseconds to wait and the first fault that strikes; ``latency`` faults only add waiting."""
        wait = 0
        for armed in self._armed:
            if armed.strikes(vendor, method, path, body):
                wait += armed.fault.latency_ms
                if armed.fault.kind != "latency":
                    return wait, armed
        return wait, None

    def listing(self) -> list[dict[str, Any]]:
        """Return the faults with their numbers and how often each struck."""
        return [{"id": a.number, "hits": a.hits, **dataclasses.asdict(a.fault)} for a in self._armed]
