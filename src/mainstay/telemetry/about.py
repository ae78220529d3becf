"""What the code at hand is about: a workspace, a delivery, a run. Logs carry it: nobody has to search by time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_ABOUT: ContextVar[Mapping[str, object]] = ContextVar("about", default={})  # noqa: B039 - never changed in place


def told_about() -> Mapping[str, object]:
    """Return what the code at hand is about, by name: ``workspace``, ``delivery``, ``run``, ``workflow``."""
    return _ABOUT.get()


@contextmanager
def about(**facts: object) -> Iterator[None]:
    """Say what everything within is about. Ids and names alone: no secret, and nothing of a person."""
    token = _ABOUT.set({**_ABOUT.get(), **{name: fact for name, fact in facts.items() if fact is not None}})
    try:
        yield
    finally:
        _ABOUT.reset(token)
