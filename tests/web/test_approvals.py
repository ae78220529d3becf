"""Approvals on the page Reviews: asked, answered, and told when somebody was quicker."""

from __future__ import annotations

from mainstay.db import acquire
from mainstay.model import new_id
from tests.web.conftest import Browser, Site


async def ask(site: Site, question: str) -> str:
    """Let a waiting run of the story ask; returns the question's id."""
    approval_id, run_id = new_id(), new_id()
    async with acquire(site.backend.pool) as connection:
        await connection.execute(
            """
            INSERT INTO runs (id, workspace_id, workflow, state, input, execution_id, created_at, waiting_for)
            VALUES ($1, $2, 'quote.v1', 'waiting', '{}', $1::uuid::text, now(), 'an answer: ' || $3::text)
            """,
            run_id,
            site.story.card.id,
            question,
        )
        await connection.execute(
            """
            INSERT INTO approvals (id, workspace_id, run_id, step, question, state, asked_at, expires_at)
            VALUES ($1, $2, $3, 1, $4, 'open', now(), now() + interval '2 days')
            """,
            approval_id,
            site.story.card.id,
            run_id,
            question,
        )
    return str(approval_id)


async def test_a_question_is_answered_on_the_page(site: Site) -> None:
    dana, ben = await site.sign_in("Dana"), await site.sign_in("Ben")
    root = f"/w/{site.story.card.slug}"
    approval = await ask(site, "Send <b>the</b> quote?")
    page = await dana.get(f"{root}/reviews/approvals")
    assert "Send &lt;b&gt;the&lt;/b&gt; quote?" in page.text
    assert f'href="{root}/reviews/approvals"' in (await dana.get(root)).text  # where Reviews leads while one waits

    taken = await dana.post(f"{root}/reviews/approvals/{approval}/approve", data={"note": "go ahead"})
    assert taken.status == 303
    page = await dana.get(taken.headers["location"])
    assert "Approved: the run goes on." in page.text
    assert "go ahead" in page.text

    late = await ben.post(f"{root}/reviews/approvals/{approval}/decline")
    assert late.status == 409
    assert "Your answer was not taken: Dana has approved it already." in late.text


async def test_another_workspace_and_an_unknown_answer_are_not_found(site: Site, operator: Browser) -> None:
    approval = await ask(site, "Send it?")
    assert (await operator.post(f"/w/bell/reviews/approvals/{approval}/approve")).status == 404
    root = f"/w/{site.story.card.slug}"
    assert (await operator.post(f"{root}/reviews/approvals/{new_id()}/approve")).status == 404
    assert (await operator.post(f"{root}/reviews/approvals/{approval}/shrug")).status in {404, 422}
