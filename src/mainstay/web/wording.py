"""Stored values in the words, times and numbers of people. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import orjson
import phonenumbers

from mainstay.insight import DeliveryRow, RunRow
from mainstay.model import AttemptState, Contact

LONGEST_SHOWN = 60_000
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Look:
    """How a state is shown: never by colour alone. ``tone`` names the colour, ``icon`` the sign, ``word`` says it."""

    tone: str
    icon: str
    word: str


_RUN_LOOKS = {
    "queued": Look("waiting", "queued", "Queued"),
    "running": Look("waiting", "running", "Running"),
    "waiting": Look("waiting", "waiting", "Waiting"),
    "done": Look("fine", "fine", "Done"),
    "failed": Look("broken", "broken", "Failed"),
    "cancelled": Look("quiet", "quiet", "Cancelled"),
}
_ATTEMPT_LOOKS = {
    "ok": Look("fine", "fine", "Done"),
    "retry": Look("healing", "healing", "Tried again"),
    "failed": Look("broken", "broken", "Failed"),
    "waiting": Look("waiting", "waiting", "Waiting"),
}
_DELIVERY_LOOKS = {
    "accepted": Look("waiting", "queued", "Accepted"),
    "processed": Look("fine", "fine", "Done"),
    "ignored": Look("quiet", "quiet", "Ignored"),
    "rejected": Look("broken", "broken", "Rejected"),
    "failed": Look("broken", "broken", "Failed"),
}
_VERDICT_LOOKS = {
    "fine": Look("fine", "fine", "Fine"),
    "healing": Look("healing", "healing", "Healing"),
    "broken": Look("broken", "broken", "Broken"),
}
_SUGGESTION_LOOKS = {
    "open": Look("waiting", "waiting", "Open"),
    "accepted": Look("fine", "merge", "Merged"),
    "rejected": Look("quiet", "quiet", "Not the same"),
    "stale": Look("quiet", "quiet", "Overtaken"),
}
_APPROVAL_LOOKS = {
    "open": Look("waiting", "waiting", "Open"),
    "approved": Look("fine", "fine", "Approved"),
    "declined": Look("quiet", "quiet", "Declined"),
    "expired": Look("healing", "waiting", "No answer in time"),
    "withdrawn": Look("quiet", "quiet", "Its run ended"),
}
_STANDING_LOOKS = {
    "shared": Look("healing", "contacts", "Shared with others"),
    "weak": Look("quiet", "quiet", "Names nobody"),
}
_GATE_LOOKS = {
    "open": Look("fine", "fine", "Open"),
    "paused": Look("waiting", "waiting", "Paused"),
    "out": Look("broken", "broken", "Out"),
    "not connected": Look("broken", "broken", "Not connected"),
    "resting": Look("healing", "waiting", "Resting"),
}


def run_look(run: RunRow) -> Look:
    """Return how a run's state is shown."""
    if run.state == "waiting" and run.waiting_for.startswith("retry of "):
        return Look("healing", "healing", "Trying again")
    if run.state == "failed" and run.handled_at is not None:
        return Look("quiet", "quiet", "Failed, handled")
    return _RUN_LOOKS[run.state]


def attempt_look(state: AttemptState | str) -> Look:
    """Return how an attempt's state is shown."""
    return _ATTEMPT_LOOKS[str(state)]


def order_look(state: str) -> Look:
    """Return how the state of an order to retry many runs is shown."""
    return _ORDER_LOOKS[state]


_ORDER_LOOKS = {
    "running": Look("healing", "healing", "Under way"),
    "stopped": Look("broken", "broken", "Stopped"),
    "done": Look("fine", "fine", "Done"),
}


def delivery_look(delivery: DeliveryRow) -> Look:
    """Return how a delivery's state is shown."""
    return _DELIVERY_LOOKS[delivery.state]


def gate_look(state: str) -> Look:
    """Return how the state of a connection's gate is shown."""
    return _GATE_LOOKS[state]


def verdict_look(state: str) -> Look:
    """Return how the verdict is shown."""
    return _VERDICT_LOOKS[state]


def suggestion_look(state: str) -> Look:
    """Return how a suggestion's state is shown."""
    return _SUGGESTION_LOOKS[state]


def approval_look(state: str) -> Look:
    """Return how a question's state is shown."""
    return _APPROVAL_LOOKS[state]


def standing_look(standing: str) -> Look | None:
    """Return how an identifier's standing is shown; None for one that names its contact, which is the rule."""
    return _STANDING_LOOKS.get(standing)


def relative(moment: datetime, now: datetime) -> str:
    """Return "3 min ago", "in 2 h" and the like."""
    seconds = round((now - moment).total_seconds())
    size = abs(seconds)
    if size < 5:
        return "just now"
    if size < _MINUTE:
        amount = f"{size} s"
    elif size < _HOUR:
        amount = f"{size // _MINUTE} min"
    elif size < _DAY:
        amount = f"{size // _HOUR} h"
    elif size < 2 * _DAY:
        amount = "1 day"
    else:
        amount = f"{size // _DAY} days"
    return f"in {amount}" if seconds < 0 else f"{amount} ago"


def exact(moment: datetime, timezone: str) -> str:
    """Return the whole time in a workspace's own time zone."""
    return moment.astimezone(ZoneInfo(timezone)).strftime("%a %d %b %Y, %H:%M:%S %Z")


def hour(moment: datetime, timezone: str) -> str:
    """Return an hour of the day in a workspace's own time zone."""
    return moment.astimezone(ZoneInfo(timezone)).strftime("%a %H:%M")


def duration(milliseconds: float) -> str:
    """Return "21 ms", "1.21 s", "4 min 10 s" and the like."""
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    return span(timedelta(seconds=seconds))


def span(length: timedelta) -> str:
    """Return a length of time in its two largest units."""
    seconds = int(length.total_seconds())
    parts = []
    for unit, size in (("days", _DAY), ("h", _HOUR), ("min", _MINUTE), ("s", 1)):
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount} {'day' if (unit, amount) == ('days', 1) else unit}")
    return " ".join(parts[:2]) or "0 s"


def phone(number: str, region: str) -> str:
    """Return a number of E.164 as people of ``region`` write it."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    is_local = bool(region) and phonenumbers.country_code_for_region(region) == parsed.country_code
    form = phonenumbers.PhoneNumberFormat.NATIONAL if is_local else phonenumbers.PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(parsed, form)


def display_name(contact: Contact, region: str) -> str:
    """Return what a contact is called, be it only by an address or a number."""
    name = contact.name
    if not name:
        return "No name"
    if name == contact.phone:
        return phone(name, region)
    return email(name) if name == contact.email else name


def pretty(value: Any) -> str:
    """Return a JSON-able value, laid out; what is too long to read is cut and says so."""
    text = value if isinstance(value, str) else orjson.dumps(value, default=str, option=_PRETTY).decode()
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}\n… ({len(text):,} characters)"


_PRETTY = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS


def body_text(body: bytes, content_type: str) -> str:
    """Return a request's body for reading: JSON laid out, a form one line per field, other text as it is."""
    text = body.decode(errors="replace")
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return pretty(orjson.loads(body))
        except orjson.JSONDecodeError:
            return text
    if content_type.startswith("application/x-www-form-urlencoded"):
        pairs = parse_qsl(text, keep_blank_values=True)
        return "\n".join(f"{name}: {value}" for name, value in pairs) or text
    return text


def size(number: int) -> str:
    """Return a number of bytes."""
    return f"{number:,} bytes" if number < 10_000 else f"{number / 1000:,.0f} kB"


def email(address: str) -> str:
    """Return an address with its domain in the letters that its owner uses (a key has it in ASCII)."""
    local, at, domain = address.rpartition("@")
    try:
        return f"{local}{at}{domain.encode('ascii').decode('idna')}"
    except UnicodeError:
        return address


def field_label(name: str) -> str:
    """Return what a field of a contact is called on screens; a custom one by its own name."""
    return _LABELS.get(name, name.removeprefix("custom."))


_LABELS = {
    "name": "Name",
    "first_name": "First name",
    "last_name": "Last name",
    "email": "E-mail",
    "phone": "Phone",
    "company": "Company",
    "source": "Source",
    "tags": "Tags",
    "do_not_contact": "Do not contact",
    "flags": "Flags",
}


def field_value(name: str, value: str, region: str) -> str:
    """Return a field's value as people write it."""
    if not value:
        return ""
    return phone(value, region) if name == "phone" else email(value) if name == "email" else value


def prose(text: str, region: str) -> str:
    """Return a sentence with its phone numbers as people write them."""
    return _E164.sub(lambda found: phone(found[0], region), text)


_E164 = re.compile(r"\+[1-9]\d{6,14}\b")


def merge_reason(rule: str, by: str, note: str = "") -> str:
    """Return by which rule, or on whose word, two contacts became one."""
    if rule == "bridge":
        return note or "one write named both"
    who = "" if by in {"", "by hand"} else f" by {by}"
    if rule == "suggestion accepted":
        return f"review accepted{who}"
    return f"by hand{f', {by}' if who else ''}" if rule == "by hand" else f"{rule}{who}"


def suggestion_rule(rule: str) -> str:
    """Return in words why a pair is asked about."""
    return {"bridge": "One write named both", "un-merge": "They were parted by hand"}.get(rule, "They are alike")


def percent(score: float) -> str:
    """Return a probability; never a certainty."""
    return f"{min(max(round(score * 100), 1), 99)} %"


def changed_fields(before: dict[str, Any], after: dict[str, Any], region: str = "") -> list[tuple[str, str, str]]:
    """Return (field, before, after) of a contact's change, in words."""
    return [
        line
        for name in sorted(after, key=place)
        for line in (
            _changed_custom(before.get(name) or {}, after[name])
            if isinstance(after[name], dict)
            else [(name.replace("_", " "), _plain(before.get(name), name, region), _plain(after[name], name, region))]
        )
    ]


_FIELDS = ("first_name", "last_name", "email", "phone", "company", "source", "tags", "custom")


def place(name: str) -> tuple[int, str]:
    """Return where a contact's field stands among the others, as a key to sort by."""
    return (_FIELDS.index(name) if name in _FIELDS else len(_FIELDS)), name


def _changed_custom(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(key, _plain(before.get(key)), _plain(after[key])) for key in after if before.get(key) != after[key]]


def _plain(value: Any, name: str = "", region: str = "") -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else field_value(name, str(value), region)


def web_link(url: str) -> str:
    """Return an address that may stand in a link: http or https, nothing else; empty when it may not."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in {"http", "https"} and parts.netloc else ""


def initials(contact: Contact) -> str:
    """Return up to two letters that stand for a contact."""
    letters = "".join(part[0] for part in (contact.first_name, contact.last_name) if part)
    return (letters or (contact.email or "?")[0]).upper()[:2]
