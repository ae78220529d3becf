"""GoHighLevel is swapped for HubSpot, and back: runs that wait go on there, and nobody is lost or doubled."""

from __future__ import annotations

from mainstay.sandbox.client import Sandbox
from tests.conftest import MakeStack
from tests.mirrors.crm import AFTER, BEFORE, MIRRORED, Twofold

WORKFLOW = """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.crm.add_tag(contact, "welcomed")
        await ctx.sleep("1d")
        await ctx.crm.add_note(contact, f"Called {contact.email}")
"""
BACK = MIRRORED.replace('mirrors = ["hubspot"]', 'mirrors = ["hubspot"]\n')


def notes(sandbox: Sandbox) -> tuple[list[str], list[str]]:
    """What stands in GoHighLevel's notes, and in HubSpot's."""
    there = [each["body"] for each in sandbox.state("gohighlevel")["notes"]]
    return sorted(there), sorted(each["properties"]["hs_note_body"] for each in sandbox.state("hubspot")["notes"])


async def test_a_swap_and_back(make_stack: MakeStack, sandbox: Sandbox) -> None:
    both = await Twofold.make(make_stack, sandbox, BEFORE, WORKFLOW)
    sandbox.seed("hubspot", "contacts", [{"properties": {"email": "ann@example.com", "company": "Theirs"}}])
    await both.submit("ann", "bob")

    await both.edit(MIRRORED, WORKFLOW)
    await both.submit("cat")
    await both.write()
    assert both.ghl().keys() == both.hubspot().keys() == {f"{name}@example.com" for name in ("ann", "bob", "cat")}
    assert await both.compare() == []

    await both.edit(AFTER, WORKFLOW)
    await both.submit("dan")
    assert "dan@example.com" in both.hubspot()
    calls = [each for each in sandbox.requests("gohighlevel") if each["method"] in {"PUT", "POST"}]
    await both.write("ghl")
    more = [each for each in sandbox.requests("gohighlevel") if each["method"] in {"PUT", "POST"}]
    # To fill the old one costs no call for those whom it has.
    assert len(more) - len(calls) <= 2, more[len(calls) :]
    assert both.ghl().keys() == both.hubspot().keys()
    assert await both.compare("ghl") == []

    await both.stack.advance("25h")
    said = [f"Called {name}@example.com" for name in ("ann", "bob", "cat", "dan")]
    assert notes(sandbox) == ([], said)

    await both.edit(BACK, WORKFLOW)
    await both.submit("eve")
    await both.submit("bob", company="Acme")
    await both.write()
    assert both.ghl().keys() == both.hubspot().keys()
    assert both.hubspot()["bob@example.com"]["company"] == "Acme"
    await both.stack.advance("25h")
    assert notes(sandbox) == (["Called eve@example.com"], said)
    assert {state for _, _, state in await both.stack.runs()} == {"done"}
