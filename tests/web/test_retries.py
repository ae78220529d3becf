"""Edit and retry, and orders to retry many: on the pages."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from mainstay.db import acquire
from tests.web.conftest import Browser, Site


async def row(site: Site, query: str, *values: Any) -> Any:
    async with acquire(site.backend.pool) as connection:
        (found,) = await connection.fetch(query, *values)
    return found


async def given(site: Site) -> Any:
    return (await row(site, "SELECT input FROM runs WHERE id = $1", site.story.failed_run))["input"]


async def test_a_run_is_retried_from_an_earlier_step_with_another_input(site: Site, operator: Browser) -> None:
    page = f"/w/acme/runs/{site.story.failed_run}"
    text = (await operator.get(page)).text
    assert "Edit and retry" in text
    assert re.findall(r'<option value="(\d*)">', text) == ["", "1", "2"]

    before = await given(site)
    edited = {**before, **{name: "changed" for name, value in before.items() if isinstance(value, str)}}
    answer = await operator.post(
        f"/w/acme/retries/of/{site.story.failed_run}", data={"from_step": "2", "given": json.dumps(edited)}
    )
    assert (answer.status, answer.headers["Location"]) == (303, f"{page}?done=retried_from")
    assert await given(site) == edited
    aside = await row(
        site, "SELECT count(*) FILTER (WHERE is_set_aside) AS n FROM attempts WHERE run_id = $1", site.story.failed_run
    )
    assert aside["n"] == 5
    text = (await operator.get(page)).text
    assert "Retried by hand" in text
    assert "set aside" in text
    assert "Edit and retry" not in text, "it is under way"
    if edited != before:
        assert "with another input; before it was" in text


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"given": "{"}, "The input is not JSON"),
        ({"given": '{"x": 1}'}, "x is new"),
        ({"from_step": "9"}, "it has no step 9"),
        ({"from_step": "-1", "given": "[]"}, "the input is a list now"),
    ],
)
async def test_what_cannot_be_is_said_and_changes_nothing(
    site: Site, operator: Browser, form: dict[str, str], said: str
) -> None:
    before = await given(site)
    answer = await operator.post(f"/w/acme/retries/of/{site.story.failed_run}", data=form)
    assert answer.status == 422
    assert said in answer.text
    assert await given(site) == before


async def test_a_run_of_another_workspace_is_not_there(site: Site, operator: Browser) -> None:
    assert (await operator.post(f"/w/bell/retries/of/{site.story.failed_run}", data={})).status == 404


async def test_all_that_an_incident_holds_up_are_retried_by_one_order(site: Site, operator: Browser) -> None:
    assert "retry-all" in (await operator.get(f"/w/acme/incidents/{site.story.incident}")).text
    form = {"incident_id": str(site.story.incident), "per_second": "2.5", "stops_on_error": "true"}
    answer = await operator.post("/w/acme/retries", data=form)
    assert answer.status == 303
    order = await row(site, "SELECT * FROM bulk_retries")
    assert answer.headers["Location"] == f"/w/acme/retries/{order['id']}?done=order_begun"
    assert (order["per_second"], order["stops_on_error"], order["state"]) == (2.5, True, "running")

    path = f"/w/acme/retries/{order['id']}"
    text = (await operator.get(path)).text
    assert "Stop: send nothing more" in text
    assert "2.5 a second at the most; stops when one fails again" in text
    assert (await operator.post(f"{path}/stop")).headers["Location"].endswith("order_stopped")
    assert (await operator.post(f"{path}/stop")).headers["Location"].endswith("order_not")
    assert "Go on with the others" in (await operator.get(path)).text
    assert (await operator.post(f"{path}/resume")).headers["Location"].endswith("order_resumed")
    assert f"of incident {str(site.story.incident)[-8:]}" in (await operator.get("/w/acme/retries")).text
    assert (await operator.get(f"/w/bell/retries/{order['id']}")).status == 404


@pytest.mark.parametrize("rate", ["fast", "0", "-1", "nan"])
async def test_what_is_no_rate_begins_nothing(site: Site, operator: Browser, rate: str) -> None:
    form = {"incident_id": str(site.story.incident), "per_second": rate}
    assert (await operator.post("/w/acme/retries", data=form)).status == 422
    assert (await row(site, "SELECT count(*) AS n FROM bulk_retries"))["n"] == 0


async def test_with_no_order_the_page_says_how_to_give_one(operator: Browser) -> None:
    assert "mainstay runs retry --failed --dry-run" in (await operator.get("/w/acme/retries")).text
