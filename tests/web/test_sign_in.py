from __future__ import annotations

from hashlib import sha256

import pytest

from mainstay.web import create_sign_in_link
from mainstay.web.security import is_local_path
from tests.web.conftest import Browser, Site


async def token_of(site: Site) -> str:
    return (await create_sign_in_link(site.backend.pool, site.url + "/")).partition("token=")[2]


async def test_a_link_shows_a_button_and_looking_at_it_does_not_use_it_up(site: Site) -> None:
    token = await token_of(site)

    for _ in range(3):
        page = await site.stranger.get(f"/sign-in?token={token}")
        assert (page.status, f'value="{token}"' in page.text) == (200, True)
    assert (await site.stranger.post("/sign-in", data={"token": token})).status == 303


async def test_a_link_works_once(site: Site) -> None:
    token = await token_of(site)
    assert (await site.stranger.post("/sign-in", data={"token": token})).status == 303

    second = await Browser(site.url, site.stranger.session).post("/sign-in", data={"token": token})

    assert second.status == 403
    assert "mainstay sign-in" in second.text
    assert "set-cookie" not in second.headers


@pytest.mark.parametrize("token", ["", "wrong", "x" * 5000, "\x00", "ünïcode", "' OR true --"])
async def test_an_unknown_token_opens_nothing(site: Site, token: str) -> None:
    answer = await site.stranger.post("/sign-in", data={"token": token})

    assert answer.status == 403
    assert "set-cookie" not in answer.headers


async def test_an_expired_link_opens_nothing(site: Site) -> None:
    token = await token_of(site)
    await site.backend.pool.execute("UPDATE sign_in_links SET expires_at = now() - interval '1 second'")

    assert (await site.stranger.post("/sign-in", data={"token": token})).status == 403


async def test_only_hashes_are_stored(site: Site) -> None:
    token = await token_of(site)
    await site.stranger.post("/sign-in", data={"token": token})

    links = await site.backend.pool.fetch("SELECT token_hash FROM sign_in_links")
    sessions = await site.backend.pool.fetch("SELECT token_hash FROM sessions")

    assert [row["token_hash"] for row in links] == [sha256(token.encode()).hexdigest()]
    assert [row["token_hash"] for row in sessions] == [
        sha256(site.stranger.cookies["mainstay_session"].encode()).hexdigest()
    ]


async def test_the_cookie_is_kept_from_scripts_and_other_sites(site: Site) -> None:
    answer = await site.stranger.post("/sign-in", data={"token": await token_of(site)})

    cookie = next(value for value in answer.headers.getall("set-cookie") if "mainstay_session" in value)  # type: ignore[attr-defined]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert "Path=/" in cookie


async def test_the_cookie_is_secure_where_the_pages_are_served_by_https(site: Site) -> None:
    token = await token_of(site)
    site.backend.public_url = "https://mainstay.example"

    answer = await site.stranger.post("/sign-in", data={"token": token})

    assert any("Secure" in value for value in answer.headers.getall("set-cookie"))  # type: ignore[attr-defined]


async def test_signing_out_ends_the_session_everywhere(site: Site, operator: Browser) -> None:
    stolen = dict(operator.cookies)

    assert (await operator.post("/sign-out")).status == 303
    operator.cookies = stolen

    assert (await operator.get("/w/acme")).status == 303


async def test_an_expired_session_is_none(site: Site, operator: Browser) -> None:
    await site.backend.pool.execute("UPDATE sessions SET expires_at = now() - interval '1 second'")

    assert (await operator.get("/w/acme")).headers["location"] == "/sign-in"


async def test_after_signing_in_people_arrive_where_they_wanted_to_go(site: Site) -> None:
    wanted = "/w/acme/runs?state=failed&q=s%C3%B6hne"
    assert (await site.stranger.get(wanted)).headers["location"] == "/sign-in"

    answer = await site.stranger.post("/sign-in", data={"token": await token_of(site)})

    assert answer.headers["location"] == wanted


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "https://evil.example", "evil.example", "/a\r\nSet-Cookie: x=1", "", "\\"],
)
async def test_nobody_is_led_to_another_site(site: Site, path: str) -> None:
    assert not is_local_path(path)
    site.stranger.cookies["mainstay_next"] = path.replace("\r", "%0D").replace("\n", "%0A")

    answer = await site.stranger.post("/sign-in", data={"token": await token_of(site)})

    assert answer.headers["location"] == "/"
