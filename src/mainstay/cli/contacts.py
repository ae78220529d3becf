"""``mainstay contacts``: who is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mainstay.cli.command import Command, LocalCommand, group, options_of
from mainstay.cli.contact_writing import add, delete, edit
from mainstay.cli.dedupe import dedupe
from mainstay.cli.errors import BROKEN, MissingError
from mainstay.cli.normalizing import normalize
from mainstay.cli.reading import Reading, read
from mainstay.cli.reviewing import merge, suggestions, unmerge
from mainstay.cli.suggest import suggest

if TYPE_CHECKING:
    from mainstay.identity import Checked
    from mainstay.insight import ContactDetail, Counterpart, Entry, Page
    from mainstay.model import Contact

contacts = group("Who is known: one person, one contact.")
contacts.command("normalize", cls=LocalCommand)(normalize)
contacts.command("suggest", cls=LocalCommand)(suggest)

_MOST = 1000


@contacts.command("list", cls=Command)
def list_(
    ctx: typer.Context,
    search: Annotated[str, typer.Option(metavar="TEXT", help="The beginning of a name, e-mail, phone or id.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How many, the newest first.")] = 25,
) -> None:
    """List contacts, the newest first.

    Examples:
        mainstay contacts list
        mainstay contacts list --search "(312) 555"
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> tuple[tuple[Contact, ...], bool]:
        from mainstay.insight import list_contacts, search_contacts

        at = (reading.connection, reading.workspace_id)
        if search:
            return await search_contacts(*at, search, region=reading.region, size=limit), False
        page = await list_contacts(*at, size=limit)
        return page.items, page.before is not None

    found, is_more = read(options, work)
    if options.as_json:
        from mainstay.cli.output import emit

        emit({"contacts": found, "more": is_more})
        return
    _show_list(found)
    if is_more:
        typer.echo(f"\nThere are more: --limit {min(limit * 4, _MOST)}, or --search")


@contacts.command("check", cls=Command)
def check(
    ctx: typer.Context,
    sample: Annotated[
        int, typer.Option(min=0, help="How many contacts are told again from their changes; 0: all of them.")
    ] = 1000,
) -> None:
    """Prove that the book is whole: one owner for each e-mail and phone, every contact as its changes say.

    It only reads; what it finds is told, and the exit code is 1 then.

    Examples:
        mainstay contacts check
        mainstay contacts check --sample 0
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> list[Checked]:
        from mainstay.identity import check_book

        done: dict[str, Checked] = {}
        async with reading.connection.transaction(isolation="repeatable_read", readonly=True):
            async for checked in check_book(reading.connection, reading.workspace_id, sample=sample or None):
                before = done.get(checked.invariant)
                done[checked.invariant] = replace(
                    checked, findings=(before.findings if before else ()) + checked.findings
                )
                if not options.as_json:
                    _show_progress(checked)
        return list(done.values())

    results = read(options, work)
    findings = [finding for checked in results for finding in checked.findings]
    if options.as_json:
        from mainstay.cli.output import emit

        emit({"invariants": [checked.invariant for checked in results], "findings": findings})
    else:
        typer.echo(f"{len(results)} invariants hold." if not findings else f"{len(findings)} findings.")
    if findings:
        raise typer.Exit(BROKEN)


def _show_progress(checked: Checked) -> None:
    for finding in checked.findings:
        typer.echo(f"{finding.invariant}: it is not so. {finding.where}")
    if not checked.findings:
        typer.echo(f"{checked.invariant}: yes" + (f", of {checked.rows}" if checked.rows else ""))


@contacts.command("show", cls=Command)
def show(
    ctx: typer.Context,
    contact: Annotated[
        str, typer.Argument(metavar="CONTACT", help="A short or whole id, an e-mail or a phone number.")
    ],
    limit: Annotated[int, typer.Option(min=1, max=_MOST, help="How much of the timeline, the newest first.")] = 25,
) -> None:
    """Show a contact: who, whose word each value is, its ids in each system, and everything that happened to it.

    Examples:
        mainstay contacts show sarah@example.com
        mainstay contacts show 52bb90aa --json
    """
    options = options_of(ctx)

    async def work(reading: Reading) -> tuple[ContactDetail, Page[Entry]]:
        from mainstay.insight import contact_detail, search_contacts, timeline

        at = (reading.connection, reading.workspace_id)
        if "@" in contact or not contact.isalnum():
            some = await search_contacts(*at, contact, region=reading.region, size=2)
            found_id = some[0].id if len(some) == 1 else await reading.find("contacts", "contact", contact)
        else:
            found_id = await reading.find("contacts", "contact", contact)
        detail = await contact_detail(*at, found_id)
        if detail is None:
            raise MissingError(f'there is no contact "{contact}"')
        return detail, await timeline(*at, found_id, size=limit)

    detail, story = read(options, work)
    if options.as_json:
        from dataclasses import asdict

        from mainstay.cli.output import emit

        emit(asdict(detail) | {"timeline": story.items, "more": story.before is not None})
        return
    _show_detail(detail)
    _show_story(story.items)


for verb in (add, edit, merge, unmerge, suggestions, dedupe, delete):
    contacts.command(cls=Command)(verb)


def _show_list(found: tuple[Contact, ...]) -> None:
    from mainstay.cli.output import Column, ago, identifier, table, text

    if not found:
        typer.echo("No contacts match. Send a lead: mainstay send website --email you@example.com")
        return
    table(
        [
            Column("contact"),
            Column("name", grows=True),
            Column("e-mail", grows=True),
            Column("phone"),
            Column("from"),
            Column("since", right=True),
        ],
        [
            (
                identifier(each.id),
                " ".join(part for part in (each.first_name, each.last_name) if part) or text(("no name", "dim")),
                each.email,
                phone(each.phone),
                each.source,
                ago(each.created_at),
            )
            for each in found
        ],
    )


def phone(number: str) -> str:
    """Return a number as people write it, with its country's code."""
    if not number:
        return ""
    import phonenumbers

    parsed = phonenumbers.parse(number)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def _show_detail(detail: ContactDetail) -> None:
    from mainstay.cli.output import ago, facts, say, text
    from mainstay.insight.lineage import WISH

    contact = detail.contact
    say(text((contact.name, "bold"), f" · from {contact.source or 'unknown'} · {ago(contact.created_at)}"))
    pairs: list[tuple[str, Any]] = [("contact", text((str(contact.id), "cyan")))]
    for each in detail.identifiers:
        shown = phone(each.value) if each.kind == "phone" else each.value
        is_main = each.value in {contact.email, contact.phone}
        pairs.append(
            (
                "e-mail" if each.kind == "email" else each.kind,
                text((shown, "bold" if is_main else ""), (f"  by {each.source}", "dim")),
            )
        )
    for field, name in (("first_name", "first name"), ("last_name", "last name"), ("company", "company")):
        if value := getattr(contact, field):
            pairs.append((name, text(value, (_whose(detail, field), "dim"))))
    if contact.tags:
        pairs.append(("tags", text(", ".join(contact.tags), (_whose(detail, "tags"), "dim"))))
    if WISH in detail.lineages:
        word = "do not contact" if contact.do_not_contact else "may be contacted"
        pairs.append((word, text((_whose(detail, WISH), "dim"))))
    pairs += [
        (key, text(value, (_whose(detail, f"custom.{key}"), "dim"))) for key, value in contact.custom.items() if value
    ]
    pairs += [(f"in {each.connection}", _counterpart(each)) for each in detail.counterparts]
    facts(pairs)


def _whose(detail: ContactDetail, field: str) -> str:
    """Return whose word a value is, when it was said and what of it was refused."""
    from mainstay.cli.output import ago

    line = detail.lineages.get(field)
    said = line.stands or next(iter(line.history), None) if line else None
    if line is None or said is None:
        return ""
    by = f"{said.file}, line {said.line}" if said.file else said.source
    told = f"  {'by hand, ' if said.kind == 'manual' else 'by '}{by}, {ago(said.at)}"
    if line.owner:
        told += ", which owns it" if line.is_owners else f"; {line.owner} owns it, and has not said"
    refused = [each for each in line.history if line.why_not(each) and each.value != said.value]
    return told + "".join(f"; {each.value!r} by {each.source}: {line.why_not(each)}" for each in refused[:2])


def _counterpart(each: Counterpart) -> Any:
    from mainstay.cli.output import text

    parts: list[Any] = [each.external_id or ("has none there yet", "dim")]
    if each.error:
        parts.append((f"  ✗ {each.error}", "red"))
    elif each.is_behind:
        parts.append(("  … newest version on its way", "yellow"))
    return text(*parts)


def _show_story(entries: tuple[Entry, ...]) -> None:
    from mainstay.cli.output import Column, ago, identifier, say, table

    if not entries:
        return
    say()
    rows = [(ago(entry.at), entry.kind, identifier(_target(entry)), _told(entry)) for entry in entries]
    table([Column("when", right=True), Column("what"), Column("id"), Column("", grows=True)], rows)


def _target(entry: Entry) -> Any:
    return entry.id if entry.kind in {"run", "record", "delivery"} else getattr(entry.item, "delivery_id", None)


def _told(entry: Entry) -> Any:
    from mainstay.cli.output import state, text
    from mainstay.insight import ContactChange, ContactEvent, DeliveryRow
    from mainstay.insight.records import RecordRow

    item = entry.item
    if isinstance(item, ContactChange):
        changed = ", ".join(f"{key}: {_value(value)}" for key, value in item.after.items())
        # A workflow's change has no rule of its own: the contact was named by its id.
        by = item.source if item.rule == "id" else item.rule
        return text(
            (f"{by}: ", "dim"), " · ".join(part for part in (changed, item.note) if part) or "seen again, nothing new"
        )
    if isinstance(item, ContactEvent):
        return text(item.type, (f" from {item.source}" if item.source else "", "dim"))
    if isinstance(item, RecordRow):
        status = "deleted there" if item.gone_at else item.values.get("status", "")
        return text(item.type, f" {item.title}", (f" {status}" if status else "", "dim"))
    if isinstance(item, DeliveryRow):
        return text(state(item.state), (f" {item.source}, {item.verified}", "dim"))
    return text(state(item.state), f" {item.workflow}", (f" {item.error}" if item.error else "", "red"))


def _value(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
