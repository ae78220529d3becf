"""Watching: what broke becomes one incident per cause, and somebody hears of it."""

from mainstay.watch.alert import ALERT, Alerter
from mainstay.watch.routes import Alerts, Route
from mainstay.watch.rules import REPORTED, Trouble, trouble_of_quarantine, trouble_of_report, trouble_of_run
from mainstay.watch.store import mark_handled, recover, report, resolve_by_hand, resolve_foreseen, resolve_healed

__all__ = [
    "ALERT",
    "REPORTED",
    "Alerter",
    "Alerts",
    "Route",
    "Trouble",
    "mark_handled",
    "recover",
    "report",
    "resolve_by_hand",
    "resolve_foreseen",
    "resolve_healed",
    "trouble_of_quarantine",
    "trouble_of_report",
    "trouble_of_run",
]
