"""What ``mainstay monitors show`` says of a source, an outcome, a canary, and of what is checked by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from rich.text import Text

    from mainstay.insight.canaries import CanaryRow
    from mainstay.insight.monitors import BreachRow, MonitorRow, PingRow

    Told = tuple[PingRow, ...] | tuple[BreachRow, ...] | tuple[CanaryRow, ...]

_LOOKS = {"down": "red", "late": "yellow", "running": "cyan", "up": "green", "new": "dim"}
_WORDS = {"new": "not heard of yet"}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_BARS = " ▁▂▃▄▅▆▇█"


def state_of(name: str) -> Text:
    """Return a monitor's state as it is shown."""
    from mainstay.cli.output import text

    return text((_WORDS.get(name, name), _LOOKS[name]))


def show_watched(monitor: MonitorRow, found: Told, *, as_json: bool) -> None:
    """Show a monitor that gets no pings."""
    from mainstay.cli.output import ago, emit, facts, say, text

    if as_json:
        emit({"monitor": monitor, "found": found})
        return
    say(text((monitor.name, "bold"), f"  {monitor.kind}  ", state_of(monitor.state)))
    told = [("expected", text(monitor.rule)), ("heard of", text(ago(monitor.seen_at) if monitor.seen_at else "never"))]
    if monitor.expected_at:
        told.append(("by", text(f"{ago(monitor.expected_at)}, {monitor.expected_at:%Y-%m-%d %H:%M} UTC")))
    facts(told)
    if monitor.rhythm:
        _show_rhythm(monitor)
    if monitor.kind == "outcome" and found:
        _show_breaches(cast("tuple[BreachRow, ...]", found))
    if monitor.kind == "canary" and found:
        _show_canaries(cast("tuple[CanaryRow, ...]", found))


def _show_rhythm(monitor: MonitorRow) -> None:
    from mainstay.cli.output import Column, say, table

    assert monitor.rhythm is not None  # noqa: S101 - its caller has looked
    most = max(max(hours) for hours in monitor.rhythm) or 1.0
    say()
    table(
        [Column("usual"), Column("a day", right=True), Column("by hour, 00 to 23", grows=True)],
        [
            (name, f"{sum(hours):.1f}", "".join(_BARS[round(8 * each / most)] for each in hours))
            for name, hours in zip(_DAYS, monitor.rhythm, strict=True)
        ],
    )


def _show_breaches(breaches: tuple[BreachRow, ...]) -> None:
    from mainstay.cli.output import Column, ago, say, table
    from mainstay.model import short_id

    say()
    table(
        [Column("lead"), Column("came", right=True), Column("missing", grows=True), Column("now")],
        [
            (
                each.name or short_id(each.event_id),
                ago(each.at),
                ", ".join(each.missing),
                "came late" if each.is_met else "closed" if each.closed_at else "missing",
            )
            for each in breaches
        ],
    )


def _show_canaries(canaries: tuple[CanaryRow, ...]) -> None:
    from mainstay.cli.output import Column, ago, say, table

    say()
    table(
        [Column("sent", right=True), Column("state"), Column("hops, ms"), Column("what broke", grows=True)],
        [
            (
                ago(each.sent_at),
                each.state,
                ", ".join(f"{hop.name} {hop.ms}" for hop in each.hops),
                f"{each.hop}: {each.error}" if each.hop else "",
            )
            for each in canaries
        ],
    )
