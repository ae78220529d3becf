"""``mainstay contacts add, edit, merge, unmerge, suggestions, delete`` and ``mainstay tokens``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.cli.conftest import Run


def added(run: Run, *arguments: str) -> Any:
    result = run("contacts", "add", *arguments, "--json")
    assert result.code == 0, result.err
    return result.json


def test_add_then_edit(acme: Path, run: Run) -> None:
    made = added(
        run, "--name", "Sarah Johnson", "--email", "Sarah@Example.com", "--tag", "vip", "--custom", "roof=slate"
    )
    assert (made["outcome"], made["contact"]["custom"]) == ("created", {"roof": "slate"})
    again = run("contacts", "add", "--email", "sarah@example.com", "--company", "Acme")
    assert again.code == 0
    assert "updated" in again.out
    assert "company" in again.out
    edited = run("contacts", "edit", "sarah@example.com", "--company", "Bell", "--clear", "custom.roof", "--json").json
    assert edited["contact_id"] == made["contact_id"]
    assert sorted(edited["changed"]) == ["company", "custom"]
    out = run("contacts", "edit", made["contact_id"], "--do-not-contact", "--json").json
    assert out["contact"]["do_not_contact"] is True
    back = run("contacts", "edit", made["contact_id"][-8:], "--consent", "by phone, 2 May", "--json").json
    assert back["contact"]["do_not_contact"] is False


def test_an_opt_out_can_be_the_first_thing_known(acme: Path, run: Run) -> None:
    made = added(run, "--phone", "(312) 555-0142", "--do-not-contact")
    assert made["contact"]["do_not_contact"] is True


def test_what_cannot_be_is_refused(acme: Path, run: Run) -> None:
    added(run, "--name", "Sarah Johnson", "--email", "sarah@example.com")
    for code, says, arguments in (
        (1, "no one can be recognised", ("add", "--company", "Acme")),
        (2, "not KEY=VALUE", ("add", "--name", "Kim", "--custom", "roof")),
        (2, "nothing is to be changed", ("edit", "sarah@example.com")),
        (2, "set and cleared at once", ("edit", "sarah@example.com", "--company", "A", "--clear", "company")),
        (1, "not a field that can be edited", ("edit", "sarah@example.com", "--clear", "surname")),
        (1, "not an e-mail address", ("edit", "sarah@example.com", "--email", "sarah at example")),
        (3, 'no contact in acme has "pat@example.com"', ("edit", "pat@example.com", "--company", "A")),
        (3, "neither an id nor", ("delete", "nobody", "--yes")),
        (3, "there is no contact", ("delete", "00000000", "--yes")),
        (2, "Say --yes", ("delete", "sarah@example.com")),
        (2, "one contact already", ("merge", "sarah@example.com", "sarah@example.com", "--yes")),
        (3, "no merge of Sarah Johnson stands", ("unmerge", "sarah@example.com")),
        (2, "There are: open", ("suggestions", "--state", "stale")),
        (2, "is no answer", ("suggestions", "accept")),
        (2, "is no answer", ("suggestions", "approve", "00000000")),
        (3, "no suggestion", ("suggestions", "reject", "00000000")),
    ):
        result = run("contacts", *arguments)
        assert result.code == code, (arguments, result.err)
        assert says in result.err, (arguments, result.err)


def test_merge_and_unmerge(acme: Path, run: Run) -> None:
    one = added(run, "--name", "Kim Lee", "--email", "kim@example.com", "--company", "Acme")
    two = added(run, "--name", "Kimberly Lee", "--phone", "+13125550143", "--company", "Acme Plumbing")
    refused = run("contacts", "merge", "kim@example.com", "+13125550143", "--keep", "00000000", "--yes")
    assert refused.code == 3
    merged = run(
        "contacts", "merge", "kim@example.com", "+13125550143", "--keep", two["contact_id"], "--yes", "--json"
    ).json
    assert (merged["survivor_id"], merged["merged_id"]) == (one["contact_id"], two["contact_id"])
    assert merged["contact"]["company"] == "Acme Plumbing"
    third = added(run, "--name", "K Lee", "--email", "k.lee@example.com")
    assert run("contacts", "merge", "k.lee@example.com", "kim@example.com", "--yes").code == 0
    several = run("contacts", "unmerge", "kim@example.com")
    assert several.code == 2
    assert "several merges" in several.err
    parted = run("contacts", "unmerge", third["contact_id"][-8:], "--json").json
    assert parted["restored"]["id"] == third["contact_id"]
    parted = run("contacts", "unmerge", "kim@example.com", "--merge", merged["merge_id"][-8:], "--json").json
    assert (parted["contact"]["id"], parted["restored"]["id"]) == (one["contact_id"], two["contact_id"])
    assert (parted["contact"]["company"], parted["restored"]["company"]) == ("Acme", "Acme Plumbing")


def test_suggestions_are_answered(acme: Path, run: Run) -> None:
    assert "Nothing waits" in run("contacts", "suggestions").out
    for number in (1, 2):
        added(run, "--name", "Kim Lee", "--email", f"kim{number}@example.com")
        added(run, "--name", "Pat Moore", "--phone", f"+1312555014{number}")
        both = ("--name", "Kim Lee", "--email", f"kim{number}@example.com", "--phone", f"+1312555014{number}")
        (opened,) = added(run, *both)["suggestions"]
        listed = run("contacts", "suggestions")
        assert opened[-8:] in listed.out
        assert "Pat Moore" in listed.out
        if number == 1:
            merged = run("contacts", "suggestions", "accept", opened[-8:], "--keep", "kim1@example.com", "--json").json
            assert merged["contact"]["first_name"] == "Kim"
        else:
            assert run("contacts", "suggestions", "reject", opened, "--json").json == {
                "id": opened,
                "state": "rejected",
            }
        assert run("contacts", "suggestions", "reject", opened).code == 1
    for state in ("accepted", "rejected"):
        assert len(run("contacts", "suggestions", "--state", state, "--json").json["suggestions"]) == 1


def test_delete(acme: Path, run: Run) -> None:
    made = added(run, "--name", "Sarah Johnson", "--email", "sarah@example.com")
    deleted = run("contacts", "delete", "sarah@example.com", "--yes")
    assert deleted.out == "Deleted: Sarah Johnson\n"
    assert run("contacts", "delete", "sarah@example.com", "--yes").code == 3
    gone = run("contacts", "edit", made["contact_id"], "--company", "Acme")
    assert gone.code == 3
    assert "was deleted" in gone.err


def test_tokens(acme: Path, run: Run) -> None:
    assert "There are no tokens" in run("tokens", "list").out
    made = run("tokens", "create", "zapier")
    token = made.out.strip()
    assert token.startswith("mst_")
    assert "not shown again" in made.err
    reports = run("tokens", "create", "reports", "--read-only", "--json").json
    assert reports["scopes"] == ["read", "personal"]
    assert run("tokens", "create", "robot", "--scope", "retry", "--json").json["scopes"] == ["read", "retry"]
    assert run("tokens", "create", "robot", "--scope", "fly").code == 2
    assert run("tokens", "create", "zapier").code == 1
    assert run("tokens", "create", "no name").code == 2
    listed = run("tokens", "list")
    assert token not in listed.out
    assert token[-4:] in listed.out
    assert "read, personal, retry, write" in listed.out
    assert run("tokens", "revoke", "zapier").out == "Revoked: zapier\n"
    assert run("tokens", "revoke", "zapier").code == 3
    states = {each["name"]: bool(each["revoked_at"]) for each in run("tokens", "list", "--json").json["tokens"]}
    assert states == {"zapier": True, "reports": False, "robot": False}
