"""What Slack's refusals mean. The Web API says them in the body of a 200, incoming webhooks by status and plain text.

Sources: docs.slack.dev, reference of chat.postMessage and "Sending messages using incoming webhooks".
"""

from __future__ import annotations

from mainstay.kit import NeedsHumanError, PermanentError, Response, TransientError, VendorError, classify

_REINSTALL = 'make a new bot token on the app\'s page "OAuth & Permissions" and put it into the connection'
_INVITE = "invite the app in that channel: /invite @your-app"
_SCOPE = 'add the scope chat:write (and chat:write.public) on "OAuth & Permissions", then reinstall the app'
_CHANNEL = "check the channel's name, or use its id; a private channel must have the app as a member"
_ADMIN = "ask a Slack administrator of your workspace to allow it"

_HUMAN = {
    "access_denied": _ADMIN,
    "account_inactive": _REINSTALL,
    "channel_not_found": _CHANNEL,
    "ekm_access_denied": _ADMIN,
    "invalid_auth": _REINSTALL,
    "is_archived": "unarchive the channel or name another",
    "missing_scope": _SCOPE,
    "no_permission": _SCOPE,
    "not_allowed_token_type": "use a bot token (it starts with xoxb-)",
    "not_authed": _REINSTALL,
    "not_in_channel": _INVITE,
    "org_login_required": _ADMIN,
    "restricted_action": _ADMIN,
    "restricted_action_non_threadable_channel": _ADMIN,
    "restricted_action_read_only_channel": _ADMIN,
    "restricted_action_thread_only_channel": _ADMIN,
    "team_access_not_granted": _ADMIN,
    "token_expired": _REINSTALL,
    "token_revoked": _REINSTALL,
    "two_factor_setup_required": _ADMIN,
}
_TRANSIENT = frozenset(
    {
        "fatal_error",
        "internal_error",
        "rate_limited",
        "ratelimited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)
# Slack: "it's possible some aspect of the operation succeeded before the error was raised".
_UNSURE = frozenset({"fatal_error", "internal_error"})
_WEBHOOK_GONE = frozenset({401, 403, 404, 410})


def classify_api(response: Response) -> VendorError | None:
    """Judge an answer of the Web API."""
    refusal = classify(response)
    if refusal is not None and not isinstance(refusal, PermanentError):
        return refusal
    data = response.data
    if not isinstance(data, dict) or not isinstance(data.get("ok"), bool):
        return refusal or _unexpected(response, "is base_url right?")
    if data["ok"]:
        return refusal
    code = str(data.get("error") or "no error named")[:100]
    text = f"Slack: {code}"
    if code in _TRANSIENT:
        return TransientError(text, status=response.status, retry_after=response.retry_after, unsure=code in _UNSURE)
    if code in _HUMAN:
        needed = f" (needs {data['needed']})" if isinstance(data.get("needed"), str) else ""
        return NeedsHumanError(f"{text}{needed}; {_HUMAN[code]}", status=response.status)
    return PermanentError(text, status=response.status)


def classify_webhook(response: Response) -> VendorError | None:
    """Judge an answer of an incoming webhook: ``ok``, or a word that says why not."""
    refusal = classify(response)
    if refusal is None:
        return None if response.body.strip() == b"ok" else _unexpected(response, "is webhook_url right?")
    if response.status in _WEBHOOK_GONE:
        word = response.body[:100].decode(errors="replace").strip() or "no reason given"
        text = f"Slack: {word}; add a new incoming webhook on the app's page and put its URL into the connection"
        return NeedsHumanError(text, status=response.status)
    return refusal


def _unexpected(response: Response, hint: str) -> TransientError:
    text = f"{response.status}: the answer is not one of Slack's; {hint}"
    return TransientError(text, status=response.status, unsure=True)
