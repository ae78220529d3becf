"""The demo's own folder: a whole stack on simulated vendors, as a user would write it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_STACK = """\
# The stack of `mainstay demo`. The vendors are simulated; everything else is real.
[workspace]
name     = "Acme Plumbing"
slug     = "acme"
timezone = "America/Chicago"
region   = "US"

[connections]
slack = {{ connector = "slack", token = "${{SLACK_TOKEN}}", base_url = "{slack}", rate = "off" }}

[connections.ghl]
connector   = "gohighlevel"
token       = "${{GHL_TOKEN}}"
location_id = "ve9EPM428h8vShlRW1KT"
base_url    = "{gohighlevel}"
rate        = "off"  # the simulated one takes more than the real one's 100 calls in 10 s

[roles]
crm  = "ghl"
chat = "slack"

[records.contact]
system_of_record = "ghl"

[sources.website]
kind   = "form"
secret = "${{WEBSITE_SECRET}}"
map    = {{ email = "Email Address", phone = "Phone", name = "Full name", company = "Company" }}

[sources.partner]
kind   = "json"
secret = "${{PARTNER_SECRET}}"

[sources.typeform]
kind   = "typeform"
secret = "${{TYPEFORM_SECRET}}"

[sources.facebook]
kind         = "facebook_lead_ads"
app_secret   = "${{META_SECRET}}"
verify_token = "${{META_VERIFY_TOKEN}}"
page_token   = "${{META_PAGE_TOKEN}}"
base_url     = "{meta}"

[sources.calendly]
kind        = "calendly"
signing_key = "${{CALENDLY_SECRET}}"

[sources.jotform]
kind   = "jotform"
secret = "${{JOTFORM_SECRET}}"

[alerts]
critical = ["slack:#alerts"]
other    = ["slack:#alerts"]
"""

_WORKFLOW = '''\
"""What Acme does with a new lead."""

from mainstay import Contact, Context, workflow


@workflow("speed_to_lead.v1", on="contact.created", critical=True)
async def speed_to_lead(ctx: Context, contact: Contact) -> None:
    """Tell the team at once, and mark the lead in the CRM."""
    await ctx.chat.post("#leads", f"New lead: {contact.name}, by {contact.source}")
    await ctx.crm.add_tag(contact, "speed-to-lead")
'''

_SECRETS = (
    "GHL_TOKEN",
    "SLACK_TOKEN",
    "WEBSITE_SECRET",
    "PARTNER_SECRET",
    "TYPEFORM_SECRET",
    "META_SECRET",
    "META_VERIFY_TOKEN",
    "META_PAGE_TOKEN",
    "CALENDLY_SECRET",
    "JOTFORM_SECRET",
)


@dataclass(frozen=True, slots=True)
class DemoProject:
    """Where the demo's stack lies, and the secrets its senders sign with."""

    folder: Path
    secrets: Mapping[str, str]


def write_project(folder: Path, vendors: Mapping[str, str]) -> DemoProject:
    """Write the stack, its workflow and fresh secrets into ``folder``; ``vendors`` are the simulators' addresses."""
    values = {name: secrets.token_urlsafe(24) for name in _SECRETS}
    values["SLACK_TOKEN"] = f"xoxb-{values['SLACK_TOKEN']}"
    (folder / "workflows").mkdir(parents=True, exist_ok=True)
    (folder / "stack.toml").write_text(_STACK.format(**vendors), encoding="utf-8")
    (folder / "workflows" / "speed_to_lead.py").write_text(_WORKFLOW, encoding="utf-8")
    environment = folder / ".env"
    environment.touch(mode=0o600)
    environment.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
    return DemoProject(folder, values)
