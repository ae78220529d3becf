"""Templates, and the shell that every page stands in."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_environment
from jinja2.filters import do_truncate
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse

from mainstay.db import acquire
from mainstay.insight import Count, Verdict, verdict
from mainstay.insight.approvals import approvals_waiting
from mainstay.insight.mark import mark_of
from mainstay.model import short_id
from mainstay.web import (
    contact_wording,
    drift_wording,
    incident_wording,
    monitor_wording,
    record_wording,
    wording,
    workflow_wording,
)
from mainstay.web.masking import Mask
from mainstay.web.news import News
from mainstay.web.scopes import ALL, SCOPES, in_order, needed
from mainstay.web.security import signed_in

if TYPE_CHECKING:
    from mainstay.db import Connection
    from mainstay.web.backend import Backend, WorkspaceCard
    from mainstay.web.sign_in import Person

STATIC = Path(__file__).parent / "static"
_NOTICES = {
    "retried": "The run is back on the queue. It goes on from the step that stopped.",
    "answered": "The run is back on the queue, and goes on with your answer.",
    "not_asked": "Nothing was done: the run does not ask this any more.",
    "retried_from": "The run is back on the queue. It begins again at the step that you chose.",
    "order_begun": "The order is given. It goes on by itself; this page shows how far it is.",
    "order_stopped": "Nothing more of it is sent.",
    "order_resumed": "It goes on where it stopped.",
    "order_not": "Nothing was done: it is not at that point any more.",
    "handled": "Marked as handled.",
    "cancelled": "Cancelled. What waited behind it begins.",
    "cancelled_all": "The open runs of this contact are cancelled.",
    "not_cancelled": "Nothing was cancelled: no run of a workflow was open any more.",
    "replayed": "The delivery was read again and has a new run.",
    "released_accepted": "The delivery left quarantine and is on its way.",
    "released_repeated": "It left quarantine. It is a repeat of this delivery, so it is not run again.",
    "released_rejected": "It left quarantine, but cannot be read; the reason is below.",
    "renewed": "It has a new address, and the old one takes no pings any more: change it where the job runs.",
    "resolved": "The incident is resolved.",
    "acknowledged": "Acknowledged: nobody else is called about it.",
    "not_acknowledged": "Nothing was done: it is over, or somebody sees to it already.",
    "revoked": "The token is revoked: from now on it opens nothing.",
    "edited": "Saved. What was set by hand changes only by hand from now on.",
    "edited_with_a_note": "Saved, with a remark: read the newest line of what happened.",
    "unchanged": "Nothing was changed.",
    "merged": "Merged. If that was a mistake, un-merge it below: nothing is lost.",
    "parted": "Parted: each has again what was said of it, and the two stay two.",
    "forwarded": "Sent to the system that owns it: here it stands once it is there.",
    "taken_over": "Taken over: the contact has it now, and it is on its way to the system of record and to every copy.",
    "taken_over_all": "Taken over: the contacts have it now, and it is on its way to the system of record.",
    "reverted": "The copy is being written again as it was.",
    "left": "It may stay as it is, until it changes.",
    "undone": "Undone: it is again as it was before.",
    "reopened": "Taken back: the pair waits for a decision again.",
    "deleted": "The contact is deleted.",
    "not_failed": "Nothing was done: it is not a failed run any more.",
    "approved": "Approved: the run goes on.",
    "declined": "Declined: the run goes on.",
    "paused": "Paused. Calls under way come to their end; the runs that want to call now wait, and nothing is lost.",
    "paused_already": "It was paused already; nothing was changed.",
    "connected": "Connected. Runs that stopped for want of access can be retried.",
    "resumed": "Its calls go again. What was held goes on, the oldest first.",
    "not_stopped": "Nothing was done: nothing stopped it.",
    "not_open": "Nothing was done: the incident is not open any more.",
}


def _version() -> str:
    """Return a mark of the static files' contents, so that a browser may keep them for ever."""
    digest = blake2b(digest_size=6)
    for file in sorted(STATIC.iterdir()):
        digest.update(file.read_bytes())
    return digest.hexdigest()


_SEES_ALL = Mask(ALL)


def _masked_by(mask: Mask) -> Callable[[Any], Any]:
    def shown(value: Any) -> Any:
        # What a macro has made is markup, and its texts have come through here already.
        return mask.text(value) if isinstance(value, str) and not hasattr(value, "__html__") else value

    return shown


def _masked_truncate(mask: Mask) -> Callable[..., str]:
    # What is masked after it was cut could not be recognised: half an e-mail looks like a word.
    @pass_environment
    def truncate(environment: Environment, text: str, *args: Any, **options: Any) -> str:
        return do_truncate(environment, mask.text(text), *args, **options)

    return truncate


def make_environment(mask: Mask = _SEES_ALL) -> Environment:
    """Return the templates: everything shown is escaped, a name that is missing is an error.

    Where ``mask`` is on, whatever text a template shows has passed through it.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_masked_by(mask) if mask.is_on else None,
    )
    environment.filters |= {
        "short": short_id,
        "relative": wording.relative,
        "exact": wording.exact,
        "hour": wording.hour,
        "duration": wording.duration,
        "rate": monitor_wording.rate,
        "span": wording.span,
        "phone": wording.phone,
        "email": wording.email,
        "prose": wording.prose,
        "label": wording.field_label,
        "as_written": wording.field_value,
        "percent": wording.percent,
        "said_by": contact_wording.said_by,
        "pretty": wording.pretty,
        "bytes": wording.size,
        "web_link": wording.web_link,
        "workflow": workflow_wording.workflow_title,
        "initials": wording.initials,
        "display_name": wording.display_name,
        "number": "{:,}".format,
        "plural": record_wording.plural,
        "record_label": record_wording.record_label,
        "person": mask.name,
        "said": mask.said,
        "address": lambda url: mask.text(url.partition("?")[0] if mask.is_on else url),
    }
    if mask.is_on:
        # A number as people write it where they live is recognised less surely than the one that is kept.
        environment.filters |= {
            "pretty": mask.said,
            "as_written": mask.said,
            "phone": lambda number, _region: mask.text(number),
            "prose": lambda text, _region: mask.text(text),
            "truncate": _masked_truncate(mask),
        }
    environment.globals |= {
        "run_look": wording.run_look,
        "attempt_look": wording.attempt_look,
        "order_look": wording.order_look,
        "delivery_look": wording.delivery_look,
        "gate_look": wording.gate_look,
        "verdict_look": wording.verdict_look,
        "incident_look": incident_wording.incident_look,
        "alert_look": incident_wording.alert_look,
        "alert_words": incident_wording.alert_words,
        "suggestion_look": wording.suggestion_look,
        "approval_look": wording.approval_look,
        "standing_look": wording.standing_look,
        "swap_look": drift_wording.swap_look,
        "drift_look": drift_wording.drift_look,
        "drift_words": drift_wording.drift_words,
        "mirror_look": drift_wording.mirror_look,
        "record_look": record_wording.record_look,
        "record_value": record_wording.value_of,
        "is_right": record_wording.is_right,
        "monitor_look": monitor_wording.monitor_look,
        "ping_look": monitor_wording.ping_look,
        "kind_word": monitor_wording.kind_word,
        "seen_word": monitor_wording.seen_word,
        "expected_word": monitor_wording.expected_word,
        "what_comes": monitor_wording.what_comes,
        "day_names": monitor_wording.DAYS,
        "breach_look": monitor_wording.breach_look,
        "canary_look": monitor_wording.canary_look,
        "suggestion_rule": wording.suggestion_rule,
        "recognised": contact_wording.recognised,
        "change_title": contact_wording.change_title,
        "merge_reason": wording.merge_reason,
        "changed_fields": wording.changed_fields,
        "one_hour": timedelta(hours=1),
        "version": _version(),
    }
    return environment


@dataclass(frozen=True, slots=True)
class Page:
    """One page being made: its workspace, the verdict at its head, a connection to read with."""

    site: Site
    request: Request
    workspace: WorkspaceCard
    verdict: Verdict
    approvals: Count
    connection: Connection
    now: datetime
    mark: str

    @property
    def person(self) -> Person:
        """Who looks at it."""
        return signed_in(self.request)

    @property
    def mask(self) -> Mask:
        """What they may see of personal data."""
        return Mask(self.person.scopes)

    def may(self, path: str, method: str = "POST") -> bool:
        """Tell whether whoever looks may go on to an address, so that no button leads to a refusal."""
        return self.person.may(*needed(method, path))

    def again(self, **values: object) -> str:
        """Return the address of this very page, with further values in its query."""
        url = self.request.url.include_query_params(**values)
        return f"{url.path}?{url.query}" if url.query else url.path

    def html(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """Return the page."""
        text = (
            self.site.environment(self.mask)
            .get_template(template)
            .render(
                page=self,
                person=self.person,
                may=self.may,
                held=in_order(self.person.scopes),
                workspace=self.workspace,
                workspaces=self.site.backend.workspace_cards(),
                verdict=self.verdict,
                reviews=self.verdict.suggestions,
                proposals=self.verdict.proposals,
                approvals=self.approvals,
                now=self.now,
                mark=self.mark,
                root=f"/w/{self.workspace.slug}",
                notice=_NOTICES.get(self.request.query_params.get("done", ""), ""),
                here=self.again(),
                **context,
            )
        )
        return HTMLResponse(text, status)


class Site:
    """The pages of one process."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self._environment, self._masked = make_environment(), make_environment(Mask(()))
        self.news = News(backend.pool)

    def workspace(self, slug: str) -> WorkspaceCard:
        """Return a workspace by its name in addresses.

        Raises:
            HTTPException: 404, there is none of that name.
        """
        for card in self.backend.workspace_cards():
            if card.slug == slug:
                return card
        raise HTTPException(404, "There is no such workspace.")

    @asynccontextmanager
    async def page(self, request: Request, slug: str) -> AsyncIterator[Page]:
        """Begin a page: find its workspace, borrow a connection, reach the verdict."""
        workspace = self.workspace(slug)
        async with acquire(self.backend.pool) as connection:
            now = datetime.now(UTC)
            # Before all else: what changes while the page is made is news to it.
            mark = await mark_of(connection, workspace.id)
            reached = await verdict(connection, workspace.id, now)
            approvals = await approvals_waiting(connection, workspace.id)
            yield Page(self, request, workspace, reached, approvals, connection, now, mark)

    def environment(self, mask: Mask) -> Environment:
        """Return the templates for who may see so much."""
        return self._masked if mask.is_on else self._environment

    def plain(self, template: str, person: Person, *, status: int = 200, **context: Any) -> HTMLResponse:
        """Return a page outside every workspace: signing in, errors."""
        found = self.environment(Mask(person.scopes)).get_template(template)
        return HTMLResponse(found.render(**context), status)

    def refused(self, person: Person, missing: Sequence[str]) -> HTMLResponse:
        """Return the page for somebody who may not do what they asked for: what is missing, and who gives it."""
        whose = ["--as", person.name] if person.name else []
        wanted = ",".join(in_order({*person.scopes, *missing}))
        return self.plain(
            "refused.html",
            person,
            status=403,
            name=person.name,
            missing={scope: SCOPES[scope] for scope in missing},
            held=in_order(person.scopes),
            command=shlex.join(["mainstay", "sign-in", *whose, "--may", wanted]),
        )


def site_of(request: Request) -> Site:
    """Return the site that a request belongs to."""
    site: Site = request.app.state.site
    return site
