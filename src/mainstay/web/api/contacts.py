"""Contacts over HTTP: written, read, changed by hand, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.responses import JSONResponse, Response

from mainstay.contacts import outcome_of, outcome_to_json
from mainstay.errors import PermanentError
from mainstay.identity import ChangedMeanwhileError
from mainstay.identity.normalisation import normalise_email, normalise_phone
from mainstay.insight import list_contacts, search_contacts
from mainstay.insight.paging import id_in
from mainstay.insight.people import lineage, people_with, person_detail, person_elsewhere, still_there
from mainstay.web.api.bodies import ContactBody, EditBody
from mainstay.web.api.bulk import BulkAnswer
from mainstay.web.api.desk import Ask, Asking
from mainstay.web.api.etags import etag_of, states_in
from mainstay.web.api.problems import CHANGED, GONE, INVALID, NOT_FOUND, FieldError, ProblemError
from mainstay.web.api.shapes import (
    ChangeShape,
    ChangesPage,
    ContactShape,
    ContactsPage,
    DeletedElsewhereShape,
    DeletedShape,
    ExternalIdShape,
    IdentifierShape,
    OriginShape,
    PersonShape,
    WrittenShape,
)

if TYPE_CHECKING:
    from mainstay.contacts import Outcome
    from mainstay.insight import Page
    from mainstay.model import Contact

router = APIRouter(prefix="/contacts", tags=["contacts"])

REPEATED = "Idempotent-Replayed"
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most.")]
ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_CURSOR: dict[str, Any] = {"pattern": f"^({ID})?$"}
Cursor = Annotated[str, Query(max_length=100, description="The next of the page before.", json_schema_extra=_CURSOR)]
Key = Annotated[
    str,
    Header(
        max_length=200,
        pattern=r"^[\x21-\x7e]*$",
        description="Any text of your own, new for each write: sent again, it gives the first answer again.",
    ),
]
IfMatch = Annotated[
    str, Header(max_length=1000, description="The ETag that the edit goes by: if the contact has another, 412.")
]


@router.post(
    "",
    response_model=WrittenShape,
    responses={201: {"model": WrittenShape, "description": "A contact was created"}},
    response_description="The contact was known: updated, unchanged, or the write was dropped",
)
async def write(ask: Ask, body: ContactBody, idempotency_key: Key = "") -> Response:
    """Write what is known of one person; the rules of identity find or make the contact."""
    outcome = await write_one(ask, body, idempotency_key)
    contact = outcome.contact or await _as_it_is(ask, outcome.contact_id)
    shown = outcome_to_json(outcome) | {
        "contact": ContactShape.of(contact).model_dump(mode="json") if contact else None
    }
    headers = {REPEATED: "true"} if outcome.is_repeat else {}
    if contact:
        headers["ETag"] = etag_of(contact)
    if outcome.contact_id:
        headers["Location"] = f"/api/v1/contacts/{outcome.contact_id}"
    return JSONResponse(shown, 201 if outcome.outcome == "created" else 200, headers)


async def write_one(ask: Asking, body: ContactBody, key: str, *, besides: str = "") -> Outcome:
    """Carry out one write; each token has keys of its own. ``besides`` is a workflow that it does not start."""
    ask.check_connection(body)
    bare = key.strip('"')
    scoped = f"{ask.caller.name}:{bare}" if bare else ""
    return await ask.verbs.write(
        ask.workspace_id,
        body.submission(),
        source=ask.caller.name,
        kind=body.who,
        key=scoped,
        besides=besides,
    )


async def _as_it_is(ask: Asking, contact_id: UUID | None) -> Contact | None:
    if contact_id is None:
        return None
    async with ask.reading() as connection:
        detail = await person_detail(connection, ask.workspace_id, contact_id)
    return None if detail is None or detail.is_deleted else detail.contact


@router.post(
    "/bulk",
    response_class=Response,
    responses={
        200: {
            "description": "One outcome a line",
            "content": {
                "application/x-ndjson": {
                    "schema": {
                        "anyOf": [
                            {"$ref": "#/components/schemas/BulkShape"},
                            {"$ref": "#/components/schemas/BulkProblem"},
                        ]
                    }
                }
            },
        }
    },
    openapi_extra={
        "requestBody": {
            "content": {"application/x-ndjson": {"schema": {"$ref": "#/components/schemas/BulkLine"}}},
        }
    },
)
async def write_many(ask: Ask) -> Response:
    """Write many: one JSON object a line in, one outcome a line out, in the same order, as it comes."""
    return BulkAnswer(lambda line: write_one(ask, line, line.idempotency_key))


@router.get("")
async def find(  # noqa: PLR0917 - FastAPI hands them over by name
    ask: Ask,
    email: Annotated[str, Query(max_length=500, description="Who has exactly this e-mail.")] = "",
    phone: Annotated[str, Query(max_length=100, description="Who has exactly this phone number.")] = "",
    q: Annotated[str, Query(max_length=200, description="The beginning of a name, e-mail, phone or id.")] = "",
    connection: Annotated[str, Query(max_length=100, description="With external_id: the system it is an id of.")] = "",
    external_id: Annotated[str, Query(max_length=200, description="Whom another system's id means.")] = "",
    cursor: Cursor = "",
    limit: Limit = 50,
) -> ContactsPage:
    """Find contacts, or list them all, the newest first. A search by ``q`` has one page."""
    asked = [
        name for name, given in (("email", email), ("phone", phone), ("q", q), ("external_id", external_id)) if given
    ]
    if len(asked) > 1:
        raise _wrong(asked[1], f"search by one thing at a time: {' or '.join(asked)}")
    if bool(connection) != bool(external_id):
        raise _wrong("external_id", "connection and external_id go together")
    before = read_cursor(cursor)
    async with ask.reading() as at:
        if email or phone:
            kind = "email" if email else "phone"
            value = _canonical(ask, kind, email or phone)
            return _contacts(await people_with(at, ask.workspace_id, kind, value, before=before, size=limit))
        if external_id:
            return _some(await person_elsewhere(at, ask.workspace_id, connection, external_id))
        if q.strip():
            region = ask.desk.region(ask.workspace_id)
            found = await search_contacts(at, ask.workspace_id, q, region=region, size=limit)
            return _some(await still_there(at, ask.workspace_id, [each.id for each in found]))
        return _contacts(await list_contacts(at, ask.workspace_id, before=before, size=limit))


def _canonical(ask: Asking, kind: str, text: str) -> str:
    found = normalise_email(text) if kind == "email" else normalise_phone(text, ask.desk.region(ask.workspace_id))
    if not found.canonical:
        raise _wrong(kind, f"this cannot be read: {found.reason}")
    return found.canonical


def _wrong(field: str, message: str) -> ProblemError:
    return ProblemError(INVALID, f"{field}: {message}", errors=[FieldError(field, message)])


def read_cursor(cursor: str) -> UUID | None:
    """Return where a page goes on; None from the beginning. ProblemError when it is no cursor."""
    found = id_in(cursor) if cursor else None
    if cursor and found is None:
        raise _wrong("cursor", "this is not the next of a page")
    return found


def _contacts(page: Page[Contact]) -> ContactsPage:
    return ContactsPage(
        contacts=[ContactShape.of(each) for each in page.items], next=str(page.before) if page.before else None
    )


def _some(found: Sequence[Contact]) -> ContactsPage:
    return ContactsPage(contacts=[ContactShape.of(each) for each in found])


@router.get("/{contact_id}")
async def show(ask: Ask, contact_id: UUID, response: Response) -> PersonShape:
    """Show the contact that an id means today; the id of one that was merged leads to what took it in."""
    async with ask.reading() as connection:
        detail = await person_detail(connection, ask.workspace_id, contact_id)
    if detail is None:
        raise ProblemError(NOT_FOUND, "There is no such contact in this workspace.")
    if detail.is_deleted:
        raise ProblemError(GONE, "This contact was deleted; a new write makes a new one.")
    contact = detail.contact
    response.headers["ETag"] = etag_of(contact)
    response.headers["Content-Location"] = f"/api/v1/contacts/{contact.id}"
    return PersonShape(
        **ContactShape.of(contact).model_dump(),
        identifiers=[IdentifierShape.model_validate(each, from_attributes=True) for each in detail.identifiers],
        external_ids=[ExternalIdShape(connection=at, external_id=each) for at, each in detail.external_ids],
        merged_ids=list(detail.merged_ids),
        origins={
            name: OriginShape.model_validate(each, from_attributes=True)
            for name, each in (detail.origins or {}).items()
        },
        redirected_from=contact_id if contact.id != contact_id else None,
    )


@router.patch("/{contact_id}", response_model=WrittenShape)
async def edit(ask: Ask, contact_id: UUID, body: EditBody, response: Response, if_match: IfMatch = "") -> Any:
    """Set values by hand: from then on they change only by hand."""
    await ask.meant(contact_id)
    try:
        resolution = await ask.verbs.edit(
            ask.workspace_id,
            contact_id,
            body.values(),
            by=ask.caller.name,
            tags=body.tags,
            do_not_contact=body.do_not_contact,
            consent=body.consent,
            seen=states_in(if_match),
        )
    except ChangedMeanwhileError as error:
        raise ProblemError(
            CHANGED, "It is not what If-Match names: read it again.", headers={"ETag": etag_of(error.contact)}
        ) from error
    except PermanentError as error:
        raise ProblemError(INVALID, str(error)) from error
    response.headers["ETag"] = etag_of(resolution.contact)
    return outcome_to_json(outcome_of(resolution)) | {"contact": ContactShape.of(resolution.contact)}


@router.delete("/{contact_id}")
async def delete(ask: Ask, contact_id: UUID) -> DeletedShape:
    """Delete a contact with all that is merged into it, and what was kept of it, here and in its CRMs, for good."""
    await ask.meant(contact_id)
    erased = await ask.verbs.delete(ask.workspace_id, contact_id)
    return DeletedShape(
        contact_id=erased.contact_id,
        deleted_ids=erased.group,
        elsewhere=[
            DeletedElsewhereShape(connection=at, external_id=each, run_id=erased.begun.get((at, each)))
            for at, each in erased.elsewhere
        ],
    )


@router.get("/{contact_id}/changes")
async def changes(ask: Ask, contact_id: UUID, cursor: Cursor = "", limit: Limit = 50) -> ChangesPage:
    """List all that was said of a contact, and of what is merged into it, the newest first."""
    contact = await ask.meant(contact_id)
    async with ask.reading() as connection:
        page = await lineage(connection, ask.workspace_id, contact.id, before=read_cursor(cursor), size=limit)
    told = [
        ChangeShape(
            **{name: getattr(each, name) for name in ChangeShape.model_fields if name != "said"}, said=dict(each.person)
        )
        for each in page.items
    ]
    return ChangesPage(changes=told, next=str(page.before) if page.before else None)
