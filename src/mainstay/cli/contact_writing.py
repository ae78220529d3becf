"""``mainstay contacts add | edit | delete``: contacts written by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mainstay.cli.command import options_of
from mainstay.cli.errors import CommandError
from mainstay.cli.people import (
    BY,
    ContactArgument,
    YesOption,
    act_on,
    confirm,
    find_contact,
    read_custom,
    tell_outcome,
)

if TYPE_CHECKING:
    from mainstay.app import App
    from mainstay.cli.reading import Reading
    from mainstay.contacts import Outcome
    from mainstay.identity import Erased

Email = Annotated[str, typer.Option(help="E-mail address.")]
Phone = Annotated[str, typer.Option(help="Phone number, as people of the workspace's region write it.")]
FirstName = Annotated[str, typer.Option(help="First name.")]
LastName = Annotated[str, typer.Option(help="Last name.")]
Company = Annotated[str, typer.Option(help="Company.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="TAG", help="A tag to add; may be repeated.")]
Custom = Annotated[
    list[str] | None, typer.Option("--custom", metavar="KEY=VALUE", help="A further field; may be repeated.")
]
DoNotContact = Annotated[bool, typer.Option("--do-not-contact", help="They asked not to be contacted.")]
Consent = Annotated[str, typer.Option(metavar="EVIDENCE", help="They agreed to be contacted: when and how.")]


def add(  # noqa: PLR0917 - one argument per option
    ctx: typer.Context,
    email: Email = "",
    phone: Phone = "",
    name: Annotated[str, typer.Option(help="Full name.")] = "",
    first_name: FirstName = "",
    last_name: LastName = "",
    company: Company = "",
    tag: Tags = None,
    custom: Custom = None,
    source: Annotated[str, typer.Option(help="Where the person came from.")] = "",
    do_not_contact: DoNotContact = False,
    consent: Consent = "",
) -> None:
    """Add what you know of a person; where they are known already, their contact is updated.

    What is written by hand changes only by hand.

    Examples:
        mainstay contacts add --name "Sarah Johnson" --email sarah@example.com --tag vip
        mainstay contacts add --phone "(312) 555-0142" --do-not-contact
    """
    options = options_of(ctx)
    from mainstay.model import Submission

    submission = Submission(
        email=email,
        phone=phone,
        name=name,
        first_name=first_name,
        last_name=last_name,
        company=company,
        source=source,
        tags=tuple(tag or ()),
        custom=read_custom(custom or ()),
        do_not_contact=do_not_contact,
        consent=consent,
    )

    async def work(app: App, reading: Reading) -> Outcome:
        return await app.contacts.write(reading.workspace_id, submission, source=BY, kind="manual")

    tell_outcome(act_on(options, work), options)


def edit(  # noqa: PLR0917 - one argument per option
    ctx: typer.Context,
    contact: ContactArgument,
    email: Email = "",
    phone: Phone = "",
    first_name: FirstName = "",
    last_name: LastName = "",
    company: Company = "",
    tag: Tags = None,
    custom: Custom = None,
    clear: Annotated[
        list[str] | None, typer.Option(metavar="FIELD", help="A field to empty, custom.KEY too; may be repeated.")
    ] = None,
    do_not_contact: DoNotContact = False,
    consent: Consent = "",
) -> None:
    """Set values of a contact by hand; they change only by hand from then on.

    Examples:
        mainstay contacts edit sarah@example.com --company "Acme Plumbing"
        mainstay contacts edit 52bb90aa --clear phone --clear custom.roof
    """
    options = options_of(ctx)
    values = {"email": email, "phone": phone, "first_name": first_name, "last_name": last_name, "company": company}
    values = {field: value for field, value in values.items() if value}
    values |= {f"custom.{key}": value for key, value in read_custom(custom or ()).items()}
    both = [field for field in clear or () if values.get(field)]
    if both:
        raise CommandError(f"{both[0]} is set and cleared at once", "Say one of the two.")
    values |= dict.fromkeys(clear or (), "")
    if not (values or tag or do_not_contact or consent):
        raise CommandError("nothing is to be changed", 'Say what: mainstay contacts edit ID --company "Acme Plumbing"')

    async def work(app: App, reading: Reading) -> Outcome:
        from mainstay.contacts import outcome_of

        found = await find_contact(reading, contact)
        resolution = await app.contacts.edit(
            reading.workspace_id,
            found.id,
            values,
            by=BY,
            tags=tag or (),
            do_not_contact=do_not_contact,
            consent=consent,
        )
        return outcome_of(resolution)

    tell_outcome(act_on(options, work), options)


def delete(ctx: typer.Context, contact: ContactArgument, yes: YesOption = False) -> None:
    """Delete a contact and what was kept of it, here and in its CRMs; what stays in other systems is named.

    That they asked not to be contacted outlives it.

    Example: mainstay contacts delete sarah@example.com
    """
    options = options_of(ctx)

    async def work(app: App, reading: Reading) -> tuple[str, Erased]:
        found = await find_contact(reading, contact)
        confirm(f"Delete {found.name}, and all that was kept of them? This cannot be undone.", options, yes=yes)
        return found.name, await app.contacts.delete(reading.workspace_id, found.id)

    name, erased = act_on(options, work)
    from mainstay.cli.output import emit
    from mainstay.model import short_id

    if options.as_json:
        elsewhere = [
            {"connection": at, "external_id": each, "run_id": erased.begun.get((at, each))}
            for at, each in erased.elsewhere
        ]
        emit({"contact_id": erased.contact_id, "deleted_ids": erased.group, "elsewhere": elsewhere})
        return
    typer.echo(f"Deleted: {name}")
    for connection, external_id in erased.elsewhere:
        run_id = erased.begun.get((connection, external_id))
        told = f"Being deleted by run {short_id(run_id)}" if run_id else "Still there, to be deleted by you"
        typer.echo(f"{told}: {external_id} in {connection}")
