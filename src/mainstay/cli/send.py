"""``mainstay send``: a test lead over real HTTP, in the real shape and signature of a source."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast
from uuid import uuid4

import typer

from mainstay.cli.command import Options, options_of
from mainstay.cli.errors import BROKEN, CommandError, MissingError

if TYPE_CHECKING:
    from mainstay.sandbox.senders import SignedRequest
    from mainstay.settings.stack import SourceEntry, Stack

_TIMEOUT_SECONDS = 15
_NAMES_ONLY = {"facebook_lead_ads": "Meta's Lead Ads Testing Tool", "hubspot": "a contact made in HubSpot"}


def send(  # noqa: PLR0917 - one argument per option
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A source of stack.toml.")],
    email: Annotated[str, typer.Option(help="The lead's e-mail address, as a person types it.")] = "",
    phone: Annotated[str, typer.Option(help="The lead's phone number, as a person types it.")] = "",
    name: Annotated[str, typer.Option(help="The lead's full name.")] = "",
    company: Annotated[str, typer.Option(help="The lead's company.")] = "",
    field: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A further field (form and json); may be repeated.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Send this file as the body instead (form and json).")
    ] = None,
    key: Annotated[str, typer.Option(help="The delivery's id: sent again with it, it is a repeat.")] = "",
    url: Annotated[str, typer.Option(help="Where Mainstay runs. Default: where `mainstay up` listens.")] = "",
) -> None:
    """Send a test lead to the running server, exactly as the source's own sender would: shape, signature and all.

    Examples:
        mainstay send website --email sarah@example.com --name "Sarah Johnson"
        mainstay send website --file body.json --url https://mainstay.acme.example
    """
    from mainstay.cli.reading import choose, program_settings
    from mainstay.settings.environment import Environment
    from mainstay.settings.stack import load_stack

    options = options_of(ctx)
    stacks = [load_stack(path, Environment.load(path.resolve().parent)) for path in options.stacks]
    slug = choose(options.workspace, [stack.slug for stack in stacks])
    stack = next(stack for stack in stacks if stack.slug == slug)
    program = program_settings(options)
    host = "127.0.0.1" if program.host in {"0.0.0.0", "::"} else program.host  # noqa: S104 - compared, not bound
    local = f"http://{f'[{host}]' if ':' in host else host}:{program.port}"
    base = (url or local).rstrip("/")
    path = f"/in/{stack.slug}/{source}"
    person = _person(email, phone, name, company)
    if not person and file is None:
        raise CommandError("say who: --email, --phone or both", "For example --email sarah@example.com")
    entry = _entry(stack, source)
    request = _request(
        entry,
        person,
        _pairs(field or []),
        file,
        key or uuid4().hex,
        (program.public_url or base) + path,
    )
    target = f"{base}{path}" + (f"?{request.query}" if request.query else "")
    status, answer = _post(target, request)
    receipt = entry.kind.receipt
    if receipt is not None and answer.get("detail") == receipt.body.decode():
        answer = {}
    _tell(options, status, answer, f"{base}{path}")


def _person(email: str, phone: str, name: str, company: str) -> dict[str, str]:
    first, _, last = name.strip().partition(" ")
    values = {"email": email, "phone": phone, "first_name": first, "last_name": last.strip(), "company": company}
    return {key: value for key, value in values.items() if value}


def _pairs(fields: list[str]) -> dict[str, str]:
    pairs = {}
    for entry in fields:
        key, mark, value = entry.partition("=")
        if not mark or not key:
            raise CommandError(f'--field "{entry}" is no KEY=VALUE', 'Write --field "Message=Call me".')
        pairs[key] = value
    return pairs


def _entry(stack: Stack, name: str) -> SourceEntry:
    if name in stack.sources:
        return stack.sources[name]
    from mainstay.settings.document import suggest

    hint = suggest(name, stack.sources) or f"There is: {', '.join(stack.sources) or 'none yet'}."
    raise MissingError(f'stack.toml has no source "{name}"', hint)


def _request(
    entry: SourceEntry, person: dict[str, str], fields: dict[str, str], file: Path | None, key: str, url: str
) -> SignedRequest:
    """Build what the source's sender would send."""
    from mainstay.sandbox import senders

    kind, settings, now = entry.kind.name, entry.settings, datetime.now(UTC)
    if kind in {"form", "json"}:
        return _open_shape(entry, person, fields, file, key)
    if fields or file is not None:
        raise CommandError(f"--field and --file are for sources of kind form or json; this is {kind}")
    if kind in _NAMES_ONLY:
        raise CommandError(
            f"a {kind} notice only names a record that is then read from the vendor: a made-up one is not there",
            f"Try it with {_NAMES_ONLY[kind]}; `mainstay demo` shows it on simulated vendors.",
        )
    match kind:
        case "typeform" | "tally" | "jotform":
            made: SignedRequest = getattr(senders, kind)(
                person,
                _first(settings.secret),  # type: ignore[attr-defined]
                key=key,
                at=now,
            )
            return made
        case "calendly":
            return senders.calendly(person, _first(settings.signing_key), key=key, at=now)  # type: ignore[attr-defined]
        case "gohighlevel":
            return _gohighlevel(settings, person, key, now)
        case "twilio":
            if not person.get("phone", "").startswith("+"):
                raise CommandError("say from which number, with its country", "For example --phone +13125550147")
            return senders.twilio(person, _first(settings.auth_token), key=key, url=url)  # type: ignore[attr-defined]
        case _:
            from mainstay.sandbox.vendors import sender

            make = sender(kind)
            if make is None:
                raise CommandError(f"no sender is known for sources of kind {kind}", f"Post to {url} yourself.")
            return make(settings, person, key=key, at=now, url=url)


def _open_shape(
    entry: SourceEntry, person: dict[str, str], fields: dict[str, str], file: Path | None, key: str
) -> SignedRequest:
    """Build a JSON body, or a form's, with the fields that were asked for."""
    import json
    from dataclasses import replace
    from urllib.parse import parse_qsl, urlencode

    from mainstay.sandbox import senders
    from mainstay.settings.canary import named_fields

    kind, settings = entry.kind.name, cast("Any", entry.settings)
    secret = _first(settings.secret)
    headers = {"Idempotency-Key": key}
    if secret:
        headers["X-Webhook-Secret"] = secret
    if file is not None:
        try:
            body = file.read_bytes()
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}") from error
        is_json = body.lstrip()[:1] in {b"{", b"["}
        content_type = "application/json" if is_json else "application/x-www-form-urlencoded"
        return senders.SignedRequest(body, {"Content-Type": content_type, **headers})
    named = named_fields(settings.map, person)
    if named != person:
        # The stack's own map says what the sender calls its fields.
        values = named | fields
    elif kind == "json":
        values = {**person, **fields}
    else:
        values = dict(parse_qsl(senders.form(person).body.decode())) | fields
    if kind == "json":
        return senders.SignedRequest(json.dumps(values).encode(), {"Content-Type": "application/json", **headers})
    made = senders.form(person, "", key=key)
    return replace(made, body=urlencode(values).encode(), headers={**made.headers, **headers})


def _gohighlevel(settings: Any, person: dict[str, str], key: str, now: datetime) -> SignedRequest:
    """Build GoHighLevel's shape. Only GoHighLevel can sign it; the source's own secret proves it as well."""
    from dataclasses import replace

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from mainstay.sandbox import senders

    secret = _first(settings.secret)
    if not secret:
        raise CommandError(
            "only GoHighLevel itself can sign such a delivery, and this source has no secret of its own",
            'Add secret = "${GHL_WEBHOOK_SECRET}" to the source to try it by hand.',
        )
    made = senders.gohighlevel(
        person,
        Ed25519PrivateKey.generate(),
        key=key,
        at=now,
        location_id=settings.location_id or "ve9EPM428h8vShlRW1KT",
    )
    return replace(made, headers={"Content-Type": made.content_type, "X-Webhook-Secret": secret})


def _first(secrets: Any) -> str:
    from mainstay.kit.secrets import plain

    return next(iter(plain(secrets)), "")


def _post(url: str, request: SignedRequest) -> tuple[int, dict[str, Any]]:
    import json
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.parse import urlsplit
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class _Stay(HTTPRedirectHandler):
        def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
            return None

    where = f"{urlsplit(url).scheme}://{urlsplit(url).netloc}"
    if urlsplit(url).scheme not in {"http", "https"}:
        raise CommandError(f"{where} is no web address", "Write --url http://127.0.0.1:8080")
    try:
        made = Request(url, data=request.body, headers=dict(request.headers), method="POST")  # noqa: S310 - checked above
        with build_opener(_Stay).open(made, timeout=_TIMEOUT_SECONDS) as response:
            status, body = response.status, response.read()
    except HTTPError as error:
        status, body = error.code, error.read()
    except (URLError, HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        said = getattr(reason, "strerror", None) or str(reason)
        error_ = CommandError(f"nothing answers at {where}: {said}", "Start it: mainstay up (or say where: --url)")
        error_.code = BROKEN
        raise error_ from error
    try:
        answer = json.loads(body or b"{}")
    except ValueError:
        answer = {"detail": body.decode(errors="replace")[:200]}
    return status, answer if isinstance(answer, dict) else {"detail": str(answer)}


def _tell(options: Options, status: int, answer: dict[str, Any], url: str) -> None:
    from mainstay.cli.output import emit, facts, say, state, text
    from mainstay.model import short_id

    delivery = str(answer.get("delivery", ""))
    is_kept = status in {200, 202, 303}
    if options.as_json:
        emit({"status": status, "url": url, **answer})
    else:
        said = str(answer.get("state") or ("accepted" if is_kept else "refused"))
        say(text(state(said), f" · HTTP {status} · {url}"))
        if answer.get("detail"):
            say(text((str(answer["detail"]), "red")), indent=2)
        if delivery:
            facts([("delivery", text((delivery, "cyan")))])
            say(text("what became of it: ", (f"mainstay deliveries show {short_id(delivery)}", "cyan")))
        elif is_kept:
            say(text("what became of it: ", ("mainstay deliveries list", "cyan")))
    if not is_kept:
        raise typer.Exit(BROKEN)
