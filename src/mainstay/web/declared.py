"""What a stack declares, in the words of the settings page: section by section, as stack.toml has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from mainstay.monitors.rules import length_of
from mainstay.records import OURS

if TYPE_CHECKING:
    from mainstay.engine import Workflow
    from mainstay.monitors.calendars import DaysOff
    from mainstay.settings.stack import Stack
    from mainstay.watch.routes import Ladder

_OWN_BOOK = "Mainstay's own book"


@dataclass(frozen=True, slots=True)
class Setting:
    """One line: what is set, and how; ``path`` leads on, below the workspace's address."""

    name: str
    text: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Settings that stand together; ``table`` is where they are declared, ``empty`` what to say of none."""

    title: str
    table: str
    settings: tuple[Setting, ...]
    empty: str = ""


def sections_of(stack: Stack, workflows: Mapping[str, Workflow]) -> Sequence[Section]:
    """Return all that a person may want to look up of a stack and its workflows; no secret is among it."""
    return (
        Section("The business", "[workspace]", tuple(_business(stack))),
        Section("Which system is right", "[records], [roles]", tuple(_right(stack))),
        Section("Sources", "[sources.NAME]", tuple(_sources(stack)), "None yet: leads come by a source, a form say."),
        Section("Workflows", "workflows/", tuple(_workflows(workflows)), "None yet: mainstay init writes one to see."),
        Section("Alerts", "[alerts]", tuple(_alerts(stack))),
        Section("How long it is kept", "[retention]", tuple(_kept(stack))),
    )


def _business(stack: Stack) -> Iterator[Setting]:
    yield Setting("Name", f"{stack.name} ({stack.slug})")
    yield Setting("Time zone", stack.timezone.key)
    yield Setting("Phone numbers", f"are read as in {stack.region}")
    yield Setting("Open", stack.hours.text if stack.hours else "always")
    yield Setting("Days off", _days_off(stack.days_off))


def _days_off(days_off: DaysOff) -> str:
    spans = [_day(first) if first == last else f"{_day(first)} to {_day(last)}" for first, last in days_off.spans]
    if days_off.assumed:
        spans.append(f"on public holidays of {days_off.assumed} silence is no news, as nothing is said of them")
    elif days_off.said.holidays:
        spans.insert(0, f"public holidays of {days_off.holidays}")
    return "; ".join(spans) or "none"


def _day(day: date) -> str:
    return f"{day:%d %b %Y}"


def _right(stack: Stack) -> Iterator[Setting]:
    def system(name: str) -> str:
        is_ours = name == OURS or stack.connections[name].connector.is_builtin
        return _OWN_BOOK if is_ours else name

    yield Setting("contact", system(stack.system_of_record))
    for field, owner in sorted(stack.owners.items()):
        yield Setting(f"contact.{field}", system(owner))
    for record_type, ownership in stack.records.items():
        yield Setting(record_type, system(ownership.system_of_record))
        for field, owner in sorted(ownership.owners.items()):
            yield Setting(f"{record_type}.{field}", system(owner))
    forwards = stack.foreign_writes == "forward"
    yield Setting("What a copy says", "is sent to the system that is right" if forwards else "is refused, and shown")
    for role, name in sorted(stack.roles.items()):
        yield Setting(f"Workflows' {role}", system(name))


def _sources(stack: Stack) -> Iterator[Setting]:
    for name, entry in stack.sources.items():
        rule = stack.expected.get(name)
        watched = rule.in_words() if rule else "may be silent"
        of = f" of {entry.speaks_for}" if entry.speaks_for else ""
        yield Setting(name, f"{entry.kind.title}{of}; {watched}", f"/deliveries?source={quote(name, safe='')}")


def _workflows(workflows: Mapping[str, Workflow]) -> Iterator[Setting]:
    for name, each in sorted(workflows.items()):
        begun = f"on {each.on}" if each.on else "by other workflows and programs"
        if each.schedule is not None:
            begun = each.schedule.in_words()
        more = (", its failures alert at once" if each.critical else "") + (", a caller waits" if each.is_sync else "")
        yield Setting(name, f"{begun}{more}", f"/runs?workflow={quote(name, safe='')}")


def _alerts(stack: Stack) -> Iterator[Setting]:
    alerts = stack.alerts
    if not any(alerts):
        yield Setting("Nobody is told", 'critical = ["slack:#alerts"] names who is; the pages tell all the same')
        return
    yield Setting("Critical", f"{_ladder(alerts.ladder('critical')[:1])}, at once")
    yield Setting("Other", f"{_ladder(alerts.ladder('other')[:1])}, gathered for {length_of(alerts.digest)}")
    if alerts.quiet is not None:
        yield Setting("Quiet", f"{alerts.quiet.text}: what is not critical waits")
    if alerts.escalate:
        after = length_of(alerts.escalate_after)
        yield Setting("Not acknowledged", f"after {after} {_ladder(alerts.escalate)}")
    yield Setting("A vendor is out", f"told after {length_of(alerts.outage_after)}; calls wait meanwhile")
    yield Setting("Weekly review", alerts.review or "on its page alone")
    yield Setting("Channels are tested", "each week" if alerts.test else "by hand: mainstay alerts test")


def _ladder(ladder: Ladder) -> str:
    return ", then ".join(" and ".join(route.written for route in step) for step in ladder)


def _kept(stack: Stack) -> Iterator[Setting]:
    kept = stack.retention
    for name, age in (("What calls sent and got", kept.calls), ("Runs", kept.runs), ("Deliveries", kept.deliveries)):
        yield Setting(name, _age(age))


def _age(age: timedelta | None) -> str:
    return length_of(age) if age else "for ever"
