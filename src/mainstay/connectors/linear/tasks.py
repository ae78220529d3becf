"""The role ``tasks`` on Linear: a task is an issue of a team.

Every document is fixed; what varies goes into its variables. Contract: linear.graphql.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from mainstay.connectors.linear.account import ask, strange
from mainstay.connectors.linear.errors import may_be_taken
from mainstay.connectors.linear.markdown import as_plain
from mainstay.connectors.linear.pulling import pull
from mainstay.connectors.linear.records import DONE
from mainstay.connectors.linear.settings import LinearConnection
from mainstay.kit import (
    Http,
    Made,
    PermanentError,
    PulledRecords,
    RecordStore,
    RecordType,
    Sent,
    Task,
    TaskState,
    TransientError,
)

TEAMS = "query Teams($teams: TeamFilter) { teams(filter: $teams, first: 2) { nodes { id key name } } }"
PEOPLE = "query People($users: UserFilter) { users(filter: $users, first: 5) { nodes { id email active } } }"
LABELS = """query Labels($labels: IssueLabelFilter) {
  issueLabels(filter: $labels, first: 250) { nodes { id name isGroup team { id } } }
}"""
ADD_LABEL = """mutation AddLabel($input: IssueLabelCreateInput!) {
  issueLabelCreate(input: $input) { success issueLabel { id } }
}"""
CREATE = "mutation Create($input: IssueCreateInput!) { issueCreate(input: $input) { success issue { id url } } }"
ISSUE = """query Read($issues: IssueFilter) {
  issues(filter: $issues, includeArchived: true, first: 1) {
    nodes { id title dueDate url trashed assignee { email } state { type } team { id } }
  }
}"""
STATES = """query States($states: WorkflowStateFilter) {
  workflowStates(filter: $states, first: 100) { nodes { id name position } }
}"""
UPDATE = """mutation Complete($id: String!, $input: IssueUpdateInput!) {
  issueUpdate(id: $id, input: $input) { success }
}"""
COMMENT = "mutation Comment($input: CommentCreateInput!) { commentCreate(input: $input) { success comment { id } } }"
HAS_COMMENT = """query HasComment($comments: CommentFilter) {
  comments(filter: $comments, includeArchived: true, first: 1) { nodes { id } }
}"""


def make_tasks(settings: LinearConnection, http: Http, _store: RecordStore | None = None) -> LinearTasks:
    """Build the role for one attempt."""
    return LinearTasks(settings, http)


class LinearTasks:
    """Tasks as issues."""

    def __init__(self, settings: LinearConnection, http: Http) -> None:
        self._team = settings.team
        self._done_state = settings.done_state
        self._http = http

    async def create_task(self, task: Task) -> Made:
        """Create an issue under an id that is made of this step's key, so that a repeat finds it."""
        if not task.title.strip():
            raise PermanentError("a task needs a title")
        team = await self._team_of(task.project)
        given: dict[str, Any] = {"id": self._id("issue"), "teamId": team, "title": task.title.strip()}
        if task.assignee:
            given["assigneeId"] = await self._person(task.assignee)
        if task.labels:
            given["labelIds"] = await self._labels(task.labels, team)
        if task.notes.strip():
            given["description"] = as_plain(task.notes)
        if task.due:
            given["dueDate"] = task.due.isoformat()
        try:
            made = _payload(await ask(self._http, CREATE, {"input": given}), "issueCreate", "issue")
        except (PermanentError, TransientError) as refusal:
            there = await self._found(given["id"]) if may_be_taken(refusal) else None
            if there is None:
                raise
            made = there
        return Made(_text(made, "id"), _text(made, "url"))

    async def complete_task(self, task_id: str) -> None:
        """Move an issue to its team's first completed state, or to the one that the connection names."""
        issue = await self._issue_of(task_id)
        if _within(issue, "state").get("type") == DONE:
            return
        state = await self._done(_text(_within(issue, "team"), "id"))
        data = await ask(self._http, UPDATE, {"id": task_id, "input": {"stateId": state}})
        if _within(data, "issueUpdate").get("success") is not True:
            raise strange("success")

    async def add_comment(self, task_id: str, text: str) -> Sent:
        """Comment under an id that is made of this step's key."""
        _require_id(task_id)
        if not text.strip():
            raise PermanentError("the comment is empty")
        given = {"id": self._id("comment"), "issueId": task_id, "body": as_plain(text)}
        try:
            made = _payload(await ask(self._http, COMMENT, {"input": given}), "commentCreate", "comment")
        except (PermanentError, TransientError) as refusal:
            if not may_be_taken(refusal):
                raise
            found = _nodes(await ask(self._http, HAS_COMMENT, {"comments": {"id": {"eq": given["id"]}}}), "comments")
            if found:
                return Sent(_text(found[0], "id"))
            if await self._issue(task_id) is None:
                raise _gone(task_id) from None
            raise
        return Sent(_text(made, "id"))

    async def fetch_task(self, task_id: str) -> TaskState | None:
        """Read an issue, also one that Linear has archived since; None where it is in the trash."""
        _require_id(task_id)
        issue = await self._issue(task_id)
        if issue is None:
            return None
        return TaskState(
            id=_text(issue, "id"),
            title=_text(issue, "title"),
            is_done=_within(issue, "state").get("type") == DONE,
            due=str(issue.get("dueDate") or ""),
            assignee=str(_within(issue, "assignee").get("email") or ""),
            url=_text(issue, "url"),
        )

    async def pull_records(self, _kind: RecordType, cursor: str) -> PulledRecords:
        """Read a page of the issues that changed: of the connection's team, or of all where it names none."""
        return await pull(self._http, self._team.strip(), cursor)

    def _id(self, kind: str) -> str:
        """Return a UUID of version 4, always the same for one step of one run."""
        digest = hashlib.sha256(f"mainstay:{kind}:{self._http.idempotency_key}".encode()).digest()
        return str(UUID(bytes=digest[:16], version=4))

    async def _found(self, task_id: str) -> Mapping[str, Any] | None:
        found = _nodes(await ask(self._http, ISSUE, {"issues": {"id": {"eq": task_id}}}), "issues")
        return found[0] if found else None

    async def _issue(self, task_id: str) -> Mapping[str, Any] | None:
        issue = await self._found(task_id)
        return None if issue is None or issue.get("trashed") else issue

    async def _issue_of(self, task_id: str) -> Mapping[str, Any]:
        _require_id(task_id)
        issue = await self._issue(task_id)
        if issue is None:
            raise _gone(task_id)
        return issue

    async def _team_of(self, project: str) -> str:
        name = (project or self._team).strip()
        if not name:
            raise PermanentError("no team: name one in the call (project=), or in the connection (team)")
        same: list[dict[str, Any]] = [{"key": {"eqIgnoreCase": name}}, {"name": {"eqIgnoreCase": name}}]
        if _is_uuid(name):
            same = [{"id": {"eq": name}}]
        teams = _nodes(await ask(self._http, TEAMS, {"teams": {"or": same}}), "teams")
        # A key is one team's; a name may be the key of another.
        teams.sort(key=lambda team: str(team.get("key")).casefold() != name.casefold())
        if not teams:
            raise PermanentError(f"Linear has no team {name!r} that this connection may see; name its key or its name")
        return _text(teams[0], "id")

    async def _person(self, address: str) -> str:
        wanted = {"email": {"eqIgnoreCase": address.strip()}}
        people = _nodes(await ask(self._http, PEOPLE, {"users": wanted}), "users")
        active = next((person for person in people if person.get("active") is not False), None)
        if active is None:
            raise PermanentError(f"nobody in this Linear workspace has the e-mail {address}: invite them first")
        return _text(active, "id")

    async def _labels(self, names: Sequence[str], team: str) -> list[str]:
        """Return the ids of labels by their names; what the team and the workspace lack is made, for the team."""
        wanted: dict[str, str] = {}
        for name in filter(None, map(str.strip, names)):
            wanted.setdefault(name.casefold(), name)
        known = await self._known_labels(wanted.values(), team)
        for folded, name in wanted.items():
            if folded not in known:
                known[folded] = await self._add_label(name, team)
        return [known[folded] for folded in wanted]

    async def _known_labels(self, names: Iterable[str], team: str) -> dict[str, str]:
        same = [{"name": {"eqIgnoreCase": name}} for name in names]
        found = _nodes(await ask(self._http, LABELS, {"labels": {"or": same}}), "issueLabels") if same else []
        known: dict[str, str] = {}
        for label in found:
            if label.get("isGroup") is not True and _within(label, "team").get("id") in {None, team}:
                known.setdefault(_text(label, "name").casefold(), _text(label, "id"))
        return known

    async def _add_label(self, name: str, team: str) -> str:
        given = {"id": self._id(f"label:{team}:{name.casefold()}"), "name": name, "teamId": team}
        try:
            made = _payload(await ask(self._http, ADD_LABEL, {"input": given}), "issueLabelCreate", "issueLabel")
        except (PermanentError, TransientError) as refusal:
            # Another run may have made it in between: a name is one label's.
            known = await self._known_labels((name,), team) if may_be_taken(refusal) else {}
            if name.casefold() not in known:
                raise
            return known[name.casefold()]
        return _text(made, "id")

    async def _done(self, team: str) -> str:
        wanted: dict[str, Any] = {"team": {"id": {"eq": team}}, "type": {"eq": DONE}}
        if self._done_state:
            wanted["name"] = {"eqIgnoreCase": self._done_state}
        states = _nodes(await ask(self._http, STATES, {"states": wanted}), "workflowStates")
        if not states:
            which = f"completed state {self._done_state!r}" if self._done_state else "completed state"
            raise PermanentError(f"the task's team has no {which}: see Settings > Teams > Issue statuses in Linear")
        return _text(min(states, key=_position), "id")


def _position(state: Mapping[str, Any]) -> float:
    position = state.get("position")
    return position if isinstance(position, int | float) else 0.0


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _require_id(task_id: str) -> None:
    if not _is_uuid(task_id):
        raise PermanentError(f"{task_id[:60]!r} is not the id of a task: Linear's are UUIDs, as create gives back")


def _gone(task_id: str) -> PermanentError:
    return PermanentError(f"Linear has no such task (any more): {task_id}")


def _payload(data: Mapping[str, Any], mutation: str, kind: str) -> Mapping[str, Any]:
    payload = _within(data, mutation)
    made = payload.get(kind)
    if payload.get("success") is not True or not isinstance(made, dict):
        raise strange(kind)
    return made


def _nodes(data: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    nodes = _within(data, name).get("nodes")
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise strange(name)
    return nodes


def _within(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = value.get(key)
    return inner if isinstance(inner, dict) else {}


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key)
    if not isinstance(found, str) or not found:
        raise strange(key)
    return found
