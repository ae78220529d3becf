"""HubSpot's deals and companies: what a notice is of, what is read, and how it stands."""

from __future__ import annotations

from typing import Any

import pytest

from mainstay.connectors.hubspot import CONNECTOR
from mainstay.connectors.hubspot.webhook import HubSpotSource, fetch, parse
from mainstay.kit import Event, Http, MalformedError, TransientError
from mainstay.kit.http import open_session
from tests.kit.recorder import recording
from tests.sources import plain, request

SOURCE = HubSpotSource.model_validate({"kind": "hubspot", "connection": "crm", "client_secret": "s"})
DEAL = {
    "id": "77",
    "properties": {
        "dealname": "Boiler for Zoë 李",
        "amount": "120.50",
        "dealstage": "closedwon",
        "pipeline": "default",
        "closedate": "2026-05-04T09:30:00.000Z",
        "deal_currency_code": "EUR",
        "hubspot_owner_id": "5",
        "hs_is_closed": "true",
        "hs_is_closed_won": "true",
        "createdate": "2026-03-01T09:00:00.000Z",
        "hs_lastmodifieddate": "2026-03-02T10:04:05.123Z",
    },
    "associations": {"contacts": {"results": [{"id": "123", "type": "deal_to_contact"}]}},
}


def notice(kind: str, object_id: Any = 77, at: int = 1772445845000, **more: Any) -> dict[str, Any]:
    return {"eventId": at, "subscriptionType": kind, "objectId": object_id, "occurredAt": at, "portalId": 6, **more}


def associated(kind: str, **more: Any) -> dict[str, Any]:
    told = notice("deal.associationChange", associationType=kind, fromObjectId=77, toObjectId=123, **more)
    del told["objectId"]
    return told


def read(*notices: dict[str, Any]) -> list[Event]:
    return list(parse(request(list(notices)), SOURCE))


async def fetched(event: Event, *answers: tuple[int, Any]) -> tuple[Event, list[Any]]:
    async with recording() as vendor, open_session() as session:
        assert CONNECTOR.settings is not None
        assert CONNECTOR.http is not None
        told = {"connector": "hubspot", "token": "t", "base_url": vendor.url}
        for status, body in answers:
            vendor.answer(body, status=status)
        http = Http(session, CONNECTOR.http(CONNECTOR.settings.model_validate(told)))
        return await fetch(event, SOURCE, http), list(vendor.requests)


@pytest.mark.parametrize(
    ("sent", "types"),
    [
        ([notice("deal.creation")], ["deal.created"]),
        ([notice("deal.creation"), notice("deal.propertyChange", at=1772445846000)], ["deal.created"]),
        ([notice("deal.creation"), notice("deal.deletion", at=1772445846000)], ["deal.deleted"]),
        ([notice("object.propertyChange", objectTypeId="0-3")], ["deal.updated"]),
        ([notice("object.creation", objectTypeId="0-2"), notice("deal.creation")], ["company.created", "deal.created"]),
        ([notice("company.restore"), notice("contact.creation")], ["company.updated", "contact.submitted"]),
        ([associated("DEAL_TO_CONTACT"), associated("DEAL_TO_COMPANY")], ["deal.updated", "unsupported"]),
        ([notice("deal.creation"), associated("DEAL_TO_CONTACT")], ["deal.created"]),
        ([notice("object.creation", objectTypeId="0-5"), notice("contact.associationChange")], ["unsupported"] * 2),
    ],
)
def test_what_a_notice_is_of(sent: list[dict[str, Any]], types: list[str]) -> None:
    assert sorted(event.type for event in read(*sent)) == sorted(types)


def test_an_id_that_is_none_is_named() -> None:
    with pytest.raises(MalformedError, match="objectId is not the number of a deal"):
        read(notice("deal.creation", "1/../2"))


async def test_a_deal_is_read_with_its_contact() -> None:
    (event,) = read(notice("deal.propertyChange"))
    found, asked = await fetched(event, (200, DEAL))

    assert asked[0].path == "/crm/v3/objects/0-3/77"
    assert "associations=contacts" in asked[0].url
    assert found.type == "deal.updated"
    assert (found.data["id"], found.data["contact"], found.data["status"]) == ("77", "123", "won")
    assert plain([found])[0]["record"] == {
        "type": "deal",
        "external_id": "77",
        "fields": {
            "title": "Boiler for Zoë 李",
            "status": "won",
            "stage": "closedwon",
            "pipeline": "default",
            "amount": "120.50",
            "currency": "EUR",
            "closes_on": "2026-05-04",
            "owner": "5",
        },
        "contact_external_id": "123",
        "changed_at": "2026-03-02T10:04:05.123000+00:00",
    }


@pytest.mark.parametrize(
    ("closed", "won", "status"), [("true", "false", "lost"), ("false", "false", "open"), (None, None, "open")]
)
async def test_how_a_deal_ended(closed: Any, won: Any, status: str) -> None:
    properties = DEAL["properties"] | {"hs_is_closed": closed, "hs_is_closed_won": won}  # type: ignore[operator]
    found, _ = await fetched(read(notice("deal.propertyChange"))[0], (200, DEAL | {"properties": properties}))
    assert found.record is not None
    assert found.record.fields["status"] == status


async def test_a_company_is_read() -> None:
    properties = {"name": "Groß & Söhne", "domain": "gross.example", "city": "Köln", "zip": "50667", "phone": None}
    answer = {"id": "8", "properties": properties, "updatedAt": "2026-03-02T10:04:05Z"}
    found, asked = await fetched(read(notice("company.propertyChange", 8))[0], (200, answer))

    assert asked[0].path == "/crm/v3/objects/companies/8"
    assert found.record is not None
    assert found.record.fields == {
        "name": "Groß & Söhne",
        "domain": "gross.example",
        "phone": "",
        "address": "50667, Köln",
    }


async def test_what_is_gone_is_said_so() -> None:
    gone: list[tuple[str, list[tuple[int, Any]]]] = [("deal.propertyChange", [(404, {})]), ("deal.deletion", [])]
    for kind, answers in gone:
        found, _ = await fetched(read(notice(kind))[0], *answers)
        assert found.record is not None
        assert (found.type, found.record.is_gone, found.record.changed_at) == ("deal.deleted", True, found.time)


@pytest.mark.parametrize("answer", [{}, [], {"id": 7, "properties": {}}, {"id": "7", "properties": []}, "x"])
async def test_an_answer_that_is_no_deal_is_tried_again(answer: Any) -> None:
    with pytest.raises(TransientError):
        await fetched(read(notice("deal.propertyChange"))[0], (200, answer))


@pytest.mark.parametrize("value", [7, [], {}, True, "x" * 3000, "\x00"])
async def test_a_wrong_type_in_a_deal_harms_nothing(value: Any) -> None:
    for name in DEAL["properties"]:
        properties = DEAL["properties"] | {name: value}  # type: ignore[operator]
        answer = DEAL | {"properties": properties, "associations": value}
        found, _ = await fetched(read(notice("deal.propertyChange"))[0], (200, answer))
        assert found.record is not None
        assert found.record == found.record.canonical()
