"""Who gets in: every route is tried, so that a new one cannot be forgotten."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tests.web.conftest import Browser, Site

OPEN = {("GET", "/sign-in"), ("POST", "/sign-in"), ("GET", "/healthz"), ("GET", "/readyz")}


def routes(site: Site) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []

    def walk(entries: Any) -> None:
        for route in entries:
            if hasattr(route, "methods"):
                found.extend((method, route.path) for method in route.methods or ())
            elif hasattr(route, "original_router"):
                walk(route.original_router.routes)

    walk(site.pages.routes)
    return found


async def test_every_page_needs_a_session(site: Site) -> None:
    tried = 0
    for method, pattern in routes(site):
        if method == "HEAD" or (method, pattern) in OPEN:
            continue
        path = pattern.replace("{slug}", "acme")
        for name in ("run_id", "contact_id", "delivery_id", "quarantine_id", "incident_id"):
            path = path.replace(f"{{{name}}}", str(uuid4()))
        for cookies in ({}, {"mainstay_session": "made-up"}):
            browser = Browser(site.url, site.stranger.session, dict(cookies))
            answer = await browser.ask(method, path)
            assert (answer.status, answer.headers["location"]) == (303, "/sign-in"), (method, path)
            assert "Acme" not in answer.text
            tried += 1
    assert tried >= 34
    assert site.backend.asked == []


async def test_what_is_open_tells_nothing(site: Site) -> None:
    assert (await site.stranger.get("/healthz")).text == "ok"
    assert (await site.stranger.get("/readyz")).text.startswith("ready\ndatabase: ok\n")
    assert "Acme" not in (await site.stranger.get("/sign-in")).text


@pytest.mark.parametrize(
    "path",
    ["/static/../render.py", "/static/%2e%2e/render.py", "/static/..%2frender.py", "/static//etc/passwd"],
)
async def test_static_files_are_those_alone(site: Site, path: str) -> None:
    answer = await site.stranger.get(path)

    assert answer.status in {303, 404}
    assert "import" not in answer.text


async def test_an_address_that_is_none_looks_the_same_to_a_stranger(site: Site) -> None:
    assert (await site.stranger.get("/w/nobody/runs")).headers["location"] == "/sign-in"
    assert (await site.stranger.get("/docs")).headers["location"] == "/sign-in"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_a_request_from_another_site_changes_nothing(
    site: Site, operator: Browser, headers: dict[str, str]
) -> None:
    answer = await operator.post(f"/w/acme/runs/{site.story.failed_run}/retry", headers=headers)

    assert (answer.status, site.backend.asked) == (403, [])


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "file://", "http://127.0.0.1:1"])
async def test_an_older_browsers_origin_must_be_ours(site: Site, operator: Browser, origin: str) -> None:
    path = site.url + f"/w/acme/runs/{site.story.failed_run}/retry"
    cookie = f"mainstay_session={operator.cookies['mainstay_session']}"
    headers = {"Cookie": cookie} | ({"Origin": origin} if origin else {})

    async with operator.session.post(path, headers=headers, allow_redirects=False) as answer:
        assert answer.status == 403
    async with operator.session.post(
        path, headers={"Cookie": cookie, "Origin": site.url}, allow_redirects=False
    ) as answer:
        assert answer.status == 303


async def test_every_answer_carries_the_headers_that_hold_a_browser_back(site: Site, operator: Browser) -> None:
    stranger = site.stranger
    for browser, path in ((stranger, "/sign-in"), (stranger, "/w/acme"), (operator, "/w/acme"), (operator, "/x")):
        headers = (await browser.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"


async def test_a_live_part_of_a_page_is_led_to_sign_in_whole(site: Site) -> None:
    answer = await site.stranger.get("/w/acme", headers={"HX-Request": "true"})

    assert (answer.status, answer.headers["hx-redirect"]) == (401, "/sign-in")


async def test_intake_passes_by_the_gate(site: Site) -> None:
    async with site.stranger.session.post(site.url + "/in/acme/website", data=b"{}") as answer:
        assert (answer.status, await answer.text()) == (202, "kept")
        assert "content-security-policy" not in answer.headers


async def test_a_database_that_is_away_is_said_so(site: Site, operator: Browser) -> None:
    await site.backend.pool.close()

    assert (await operator.get("/w/acme")).status == 503
    assert (await operator.get("/readyz")).status == 503
    assert (await operator.get("/healthz")).status == 200
