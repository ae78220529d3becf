"""The weekly review in words: as text, and as HTML that every mail program shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

_SECOND = 1000
_MINUTE = 60 * _SECOND
_CELL = "padding:4px 14px 4px 0;text-align:left;vertical-align:top"
_NUMBER = "padding:4px 0 4px 14px;text-align:right;vertical-align:top;white-space:nowrap"
_TEXT = "font:16px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif;max-width:38em;margin:0 auto;padding:16px"


@dataclass(frozen=True, slots=True)
class Letter:
    """One e-mail."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class _Part:
    """A titled list: rows of a text and what stands at its right, each with the address that the text leads to."""

    title: str
    rows: tuple[tuple[str, str, str], ...]
    empty: str = ""


def letter_of(review: Mapping[str, Any], name: str, root: str) -> Letter:
    """Write the letter of a review (``WeekReview.to_json``); ``root`` is the address of the workspace's pages."""
    leads = _many(review["leads"], "lead", "leads")
    failed = _many(review["failed"], "failed run", "failed runs")
    whole = f"{name}: {leads}, {failed} in the week of {review['words']}"
    subject = " ".join("".join(each if each.isprintable() else " " for each in whole).split())
    page = f"{root}/weeks/{review['week']}"
    parts = list(_parts(review, root))
    return Letter(subject, _as_text(review, name, parts, page), _as_html(review, name, parts, page))


def duration(milliseconds: int) -> str:
    """Return how long something took, as people say it."""
    if milliseconds < _SECOND:
        return f"{milliseconds} ms"
    if milliseconds < _MINUTE:
        return f"{milliseconds / _SECOND:.1f} s"
    return f"{milliseconds / _MINUTE:.1f} min"


def headline(review: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the week's few numbers, each with its words."""
    return (
        (f"{review['leads']:,}", "leads" + _beside(review["accepted"], review["before"])),
        (f"{review['done']:,}", "runs ended well"),
        (f"{review['failed']:,}", "runs failed"),
        (f"{review['saved']:,}", "runs saved by retries"),
        (f"{review['prevented']:,}", "duplicates prevented"),
        (f"{review['contacts']:,}", "new contacts"),
    )


def _beside(now: int, before: int) -> str:
    if not before:
        return ""
    change = round((now - before) * 100 / before)
    return f" ({'+' if change > 0 else ''}{change} % deliveries on the week before)" if change else ""


def _parts(review: Mapping[str, Any], root: str) -> Iterable[_Part]:
    yield _Part(
        "What to look at",
        tuple((text, "", f"{root}/{path}") for text, path in review["look"]),
        "Nothing: all went well.",
    )
    yield _Part(
        "What came in",
        tuple(
            (each["source"], _source_words(each), f"{root}/deliveries?source={each['source']}")
            for each in review["sources"]
        ),
        "Nothing came in.",
    )
    yield _Part(
        "What failed, and why",
        tuple(
            (
                f"{each['title']}: {each['cause']}" if each["cause"] else each["title"],
                f"{_many(each['runs'], 'run', 'runs')}, {'open' if each['is_open'] else 'over'}",
                f"{root}/incidents/{each['incident_id']}",
            )
            for each in review["causes"]
        ),
        "Nothing failed.",
    )
    yield _Part(
        "Slowest steps",
        tuple(
            (
                f"{each['step']} at {each['connection']}, {each['workflow']}",
                f"{duration(each['median_ms'])}; 19 of 20 under {duration(each['slow_ms'])}",
                "",
            )
            for each in review["slow"]
        ),
    )


def _source_words(source: Mapping[str, Any]) -> str:
    words = f"{source['accepted']:,}"
    if source["before"]:
        words += f" (before: {source['before']:,})"
    for name in ("repeated", "rejected"):
        if source[name]:
            words += f", {source[name]:,} {name}"
    return words


def _many(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"


def _as_text(review: Mapping[str, Any], name: str, parts: Sequence[_Part], page: str) -> str:
    lines = [f"{name}, {review['words']}", ""]
    lines += [f"  {number:>8}  {words}" for number, words in headline(review)]
    for part in parts:
        if not part.rows and not part.empty:
            continue
        lines += ["", part.title]
        lines += [f"- {text}{f' — {aside}' if aside else ''}" for text, aside, _ in part.rows] or [f"  {part.empty}"]
    return "\n".join([*lines, "", page, ""])


def _as_html(review: Mapping[str, Any], name: str, parts: Sequence[_Part], page: str) -> str:
    numbers = "".join(
        f'<tr><td style="{_NUMBER}"><b>{escape(number)}</b></td><td style="padding-left:8px">{escape(words)}</td></tr>'
        for number, words in headline(review)
    )
    told = "".join(_part_as_html(part) for part in parts if part.rows or part.empty)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
        f'<body style="{_TEXT}"><h1 style="font-size:1.3em;margin:0">{escape(name)}</h1>'
        f'<p style="margin:0 0 1em">{escape(review["words"])}</p><table role="presentation">{numbers}</table>{told}'
        f'<p style="margin-top:2em"><a href="{escape(page)}">The whole review</a></p></body></html>'
    )


def _part_as_html(part: _Part) -> str:
    title = f'<h2 style="font-size:1.05em;margin:1.6em 0 .4em">{escape(part.title)}</h2>'
    if not part.rows:
        return f"{title}<p>{escape(part.empty)}</p>"
    rows = "".join(
        f'<tr><td style="{_CELL}">{_linked(text, address)}</td><td style="{_NUMBER}">{escape(aside)}</td></tr>'
        for text, aside, address in part.rows
    )
    return f'{title}<table role="presentation" style="width:100%">{rows}</table>'


def _linked(text: str, address: str) -> str:
    return f'<a href="{escape(address)}">{escape(text)}</a>' if address else escape(text)
