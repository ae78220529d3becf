"""A simulator of Linear's GraphQL API, as far as issues go."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from mainstay.sandbox.state import Configurable, Effects, Ids, token_is_good
from mainstay.sandbox.vendors.linear_graphql import Field, GraphQLError, matches, read, selected
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer, now_iso

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_STATES = (("Backlog", "backlog"), ("Todo", "unstarted"), ("In Progress", "started"), ("Done", "completed"))
_STATES_LAST = (("Shipped", "completed"), ("Canceled", "canceled"))
_FIRST, _MOST = 50, 250
_CODES = {401: "AUTHENTICATION_ERROR", 403: "FORBIDDEN", 429: "RATELIMITED"}
_TYPES = {
    "AUTHENTICATION_ERROR": "authentication error",
    "FORBIDDEN": "forbidden",
    "RATELIMITED": "ratelimited",
    "INPUT_ERROR": "invalid input",
    "GRAPHQL_VALIDATION_FAILED": "graphql error",
    "INTERNAL_SERVER_ERROR": "internal error",
}


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/linear``.

    ``tokens`` lists the good API keys and access tokens (None: any); ``errors_on_200`` answers refusals with 200, as
    Linear does for some. ``duplicate_is_internal`` makes the refusal of an id that is taken an internal error: how
    Linear words it is not documented.
    """

    tokens: list[str] | None = None
    errors_on_200: bool = False
    duplicate_is_internal: bool = False


class _RefusalError(Exception):
    def __init__(self, code: str, said: str) -> None:
        self.code = code
        super().__init__(said)


class Linear(Configurable):
    """``POST /graphql``: issues, comments, labels, users, teams and their states."""

    name = "linear"

    def __init__(self) -> None:
        """Start with a workspace of two teams."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._issues: list[dict[str, Json]] = []
        self._comments: list[dict[str, Json]] = []
        self._labels: list[dict[str, Json]] = []
        self._users: list[dict[str, Json]] = []
        self._teams: list[dict[str, Json]] = []
        self._states: list[dict[str, Json]] = []
        self._viewer = self._user({"name": "Mainstay", "email": "bot@example.com"})
        for key, name in (("OPS", "Operations"), ("SAL", "Sales")):
            team = {"id": self._ids.uuid("team"), "key": key, "name": name}
            self._teams.append(team)
            for position, (state, kind) in enumerate(_STATES + _STATES_LAST):
                one = {"id": self._ids.uuid("state"), "name": state, "type": kind, "position": float(position)}
                self._states.append(one | {"team": team})

    def state(self) -> dict[str, Json]:
        """Return every record, oldest first, and the effects."""
        return {
            "issues": self._issues,
            "comments": self._comments,
            "labels": self._labels,
            "users": self._users,
            "teams": self._teams,
            "states": self._states,
            "effects": self._effects.listing(),
        }

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put in ``users`` (``email``, ``name``, ``active``), ``labels`` (``name``, ``team``, ``isGroup``), ``issues``.

        An issue of the first team has any field, with its ``id`` to change one that is there.
        """
        for record in records:
            if kind == "users":
                self._user(record)
            elif kind == "labels":
                team = next((each for each in self._teams if each["key"] == record.get("team")), None)
                self._label(self._ids.uuid("label"), str(record["name"]), team, is_group=bool(record.get("isGroup")))
            elif kind == "issues" and "id" in record:
                self._one(self._issues, record["id"], "Issue").update(record)
            elif kind == "issues":
                self._add_issue({"teamId": self._teams[0]["id"], "title": "", **record}, self._ids.uuid("issue"))
            else:
                raise SettingError(f"linear has no {kind} to seed; there are users, labels and issues")
        return len(records)

    def _user(self, record: Mapping[str, Json]) -> dict[str, Json]:
        user = {"id": self._ids.uuid("user"), "name": "", "active": True, **record}
        self._users.append(user)
        return user

    def _label(self, label_id: str, name: str, team: Json, *, is_group: bool = False) -> dict[str, Json]:
        label = {"id": label_id, "name": name, "isGroup": is_group, "team": team}
        self._labels.append(label)
        return label

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        if (request.method, request.path) != ("POST", "/graphql"):
            return answer(404, {"error": "Not found"})
        # An API key comes without "Bearer", a token with it.
        token = request.bearer or request.headers.get("Authorization", "")
        if not token or not token_is_good(token, self.settings.tokens):
            return self._refused(401, "AUTHENTICATION_ERROR", "Authentication required, not authenticated")
        try:
            sent = request.json()
            roots = read(sent["query"], sent.get("variables") or {})
            return answer(200, {"data": {root.name: self._root(root, request) for root in roots}})
        except _RefusalError as refusal:
            status = 500 if refusal.code == "INTERNAL_SERVER_ERROR" else 400
            return self._refused(200 if self.settings.errors_on_200 else status, refusal.code, str(refusal))
        except (GraphQLError, ValueError, KeyError, TypeError, AttributeError) as error:
            return self._refused(400, "GRAPHQL_VALIDATION_FAILED", str(error))

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return Linear's error shape; a rate limit is a 400 that tells when its bucket fills."""
        code = _CODES.get(status, "INTERNAL_SERVER_ERROR" if status >= 500 else "INPUT_ERROR")
        headers = {}
        if status == 429:
            headers = {"X-RateLimit-Requests-Limit": "1500", "X-RateLimit-Requests-Remaining": "0"}
            if retry_after is not None:
                headers["X-RateLimit-Requests-Reset"] = str(round((time.time() + retry_after) * 1000))
        return self._refused(400 if status == 429 else status, code, "The request was refused.", headers)

    @staticmethod
    def _refused(status: int, code: str, said: str, headers: Mapping[str, str] | None = None) -> Reply:
        extensions = {"code": code, "type": _TYPES[code], "userError": True, "userPresentableMessage": said}
        body: dict[str, Json] = {"errors": [{"message": said, "extensions": extensions}]}
        return answer(status, body | ({"data": None} if status == 200 else {}), headers)

    def _root(self, root: Field, request: Request) -> Json:
        listed: dict[str, list[dict[str, Json]]] = {
            "comments": self._comments,
            "issueLabels": self._labels,
            "teams": self._teams,
            "users": [user for user in self._users if user["active"]],
            "workflowStates": self._states,
        }
        if root.name == "issues":
            hidden = not root.arguments.get("includeArchived")
            ordered = root.arguments.get("orderBy", "createdAt")
            shown = [each for each in self._issues if not (hidden and each["trashed"])]
            return self._page(sorted(shown, key=lambda each: str(each[ordered]), reverse=True), root)
        if root.name in listed:
            return self._page(listed[root.name], root)
        if root.name == "viewer":
            return selected(self._viewer, root.fields)
        if root.name == "organization":
            return selected({"id": "1", "name": "Sandbox", "urlKey": "sandbox"}, root.fields)
        mutations: dict[str, Callable[[dict[str, Any], Request], dict[str, Json]]] = {
            "issueCreate": self._create,
            "issueUpdate": self._update,
            "issueDelete": self._delete,
            "issueLabelCreate": self._add_label,
            "commentCreate": self._comment,
        }
        if root.name not in mutations:
            raise GraphQLError(f'Cannot query field "{root.name}" on type "Query".')
        return selected({"success": True, **mutations[root.name](root.arguments, request)}, root.fields)

    @staticmethod
    def _page(records: list[dict[str, Json]], root: Field) -> Json:
        first = root.arguments.get("first", _FIRST)
        if not isinstance(first, int) or not 0 < first <= _MOST:
            raise _RefusalError("INPUT_ERROR", f"first is from 1 to {_MOST}")
        found = [record for record in records if matches(record, root.arguments.get("filter") or {})]
        if (after := root.arguments.get("after")) is not None:
            at = next((number for number, record in enumerate(found) if record["id"] == after), None)
            if at is None:
                raise _RefusalError("INPUT_ERROR", "after is not a valid cursor identifier.")
            found = found[at + 1 :]
        more = {"hasNextPage": len(found) > first, "endCursor": found[first - 1]["id"] if len(found) > first else None}
        return selected({"nodes": found[:first], "pageInfo": more}, root.fields)

    def _create(self, given: dict[str, Any], request: Request) -> dict[str, Json]:
        asked = given["input"]
        issue_id = self._new_id(asked, "issue", self._issues)
        self._one(self._teams, asked["teamId"], "Team")
        if not asked.get("title"):
            raise _RefusalError("INPUT_ERROR", "title should not be empty")
        if asked.get("dueDate") and not _DATE.fullmatch(asked["dueDate"]):
            raise _RefusalError("INPUT_ERROR", "dueDate must be a valid date")
        issue = self._add_issue(asked, issue_id)
        self._effects.add("task.created", issue_id, request)
        return {"issue": issue}

    def _add_issue(self, asked: Mapping[str, Json], issue_id: str) -> dict[str, Json]:
        team = self._one(self._teams, asked["teamId"], "Team")
        labels = [self._one(self._labels, each, "IssueLabel") for each in asked.get("labelIds") or ()]
        for label in labels:
            if label["isGroup"] or (label["team"] and label["team"] is not team):
                raise _RefusalError("INPUT_ERROR", f"labelIds: {label['name']} cannot be put on an issue of this team")
        assignee = self._one(self._users, asked["assigneeId"], "User") if asked.get("assigneeId") else None
        state = next(each for each in self._states if each["team"] is team and each["type"] == "unstarted")
        number = f"{team['key']}-{self._ids.number(team['key'])}"
        now = now_iso()
        issue = {
            "id": issue_id,
            "identifier": number,
            "title": asked["title"],
            "description": asked.get("description"),
            "dueDate": asked.get("dueDate"),
            "url": f"https://linear.app/sandbox/issue/{number}",
            "trashed": None,
            "assignee": assignee,
            "state": state,
            "team": team,
            "labels": {"nodes": labels},
            "createdAt": asked.get("createdAt", now),
            "updatedAt": asked.get("updatedAt", now),
        }
        self._issues.append(issue)
        return issue

    def _update(self, given: dict[str, Any], request: Request) -> dict[str, Json]:
        issue = self._one(self._issues, given["id"], "Issue")
        state = self._one(self._states, given["input"]["stateId"], "WorkflowState")
        if state["team"] is not issue["team"]:
            raise _RefusalError("INPUT_ERROR", "Discrepancy between issue team and state team")
        issue |= {"state": state, "updatedAt": now_iso()}
        self._effects.add("task.updated", issue["id"], request)
        return {"issue": issue}

    def _delete(self, given: dict[str, Any], request: Request) -> dict[str, Json]:
        issue = self._one(self._issues, given["id"], "Issue")
        issue |= {"trashed": True, "updatedAt": now_iso()}
        self._effects.add("task.deleted", issue["id"], request)
        return {"entity": issue}

    def _add_label(self, given: dict[str, Any], request: Request) -> dict[str, Json]:
        asked = given["input"]
        label_id = self._new_id(asked, "label", self._labels)
        team = self._one(self._teams, asked["teamId"], "Team") if asked.get("teamId") else None
        for label in self._labels:
            if label["name"].casefold() == asked["name"].casefold() and label["team"] in (None, team):
                raise _RefusalError("INPUT_ERROR", "Duplicate label name")
        self._effects.add("label.created", label_id, request)
        return {"issueLabel": self._label(label_id, asked["name"], team)}

    def _comment(self, given: dict[str, Any], request: Request) -> dict[str, Json]:
        asked = given["input"]
        comment_id = self._new_id(asked, "comment", self._comments)
        issue = self._one(self._issues, asked["issueId"], "Issue")
        comment = {"id": comment_id, "body": asked["body"], "issue": issue, "createdAt": now_iso()}
        self._comments.append(comment)
        self._effects.add("comment.created", comment_id, request)
        return {"comment": comment}

    def _new_id(self, asked: Mapping[str, Json], kind: str, records: list[dict[str, Json]]) -> str:
        given = asked.get("id") or self._ids.uuid(kind)
        if UUID(given).version != 4:
            raise _RefusalError("INPUT_ERROR", "id must be a UUID")
        if any(record["id"] == given for record in records):
            if self.settings.duplicate_is_internal:
                raise _RefusalError("INTERNAL_SERVER_ERROR", "Internal server error")
            raise _RefusalError("INPUT_ERROR", f"Entity already exists: {given}")
        return str(given)

    @staticmethod
    def _one(records: list[dict[str, Json]], wanted: Json, kind: str) -> dict[str, Json]:
        found = next((record for record in records if record["id"] == wanted), None)
        if found is None:
            raise _RefusalError("INPUT_ERROR", f"Entity not found: {kind} - Could not find referenced {kind}.")
        return found


SIMULATOR = Linear
