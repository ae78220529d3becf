"""What a vendor's OAuth 2 is like. The tokens themselves are kept and renewed elsewhere, for all workers together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

Grant = Literal["authorization_code", "client_credentials", "jwt_bearer"]


def _nothing(_answer: Mapping[str, str], _callback: Mapping[str, str]) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class OAuth:
    """How somebody lets Mainstay into their account at a vendor, and how it stays in.

    Attributes:
        authorize_url: the page at which a person agrees; empty where the grant needs none.
        token_url: where codes and refresh tokens become access tokens.
        client_id: the app's name at the vendor.
        client_secret: the app's password there.
        scopes: what is asked for.
        grant: ``client_credentials`` and ``jwt_bearer`` (RFC 7523) need no person, and have no refresh token.
        assertion: for ``jwt_bearer``: returns a statement signed now, which each call to ``token_url`` carries (field
            ``assertion``) in place of the client's credentials.
        client_auth: how the app proves itself at ``token_url``: HTTP Basic, or fields of the form.
        authorize_params: more parameters of the page, such as ``access_type=offline``.
        token_params: more fields of each call to ``token_url``.
        token_headers: more headers of each such call.
        call_format: whether such a call is a form, as RFC 6749 has it, or a JSON object.
        uses_pkce: whether the vendor takes a code challenge (S256).
        lifetime: of an access token whose answer has no ``expires_in``.
        refresh_lifetime: how long a refresh token lives that nobody uses; None where it does not end.
        facts: what to keep of the vendor's answer (texts, without its tokens) and of the parameters that the page sent
            the person back with: a company's id, an instance's address. Asked again at each renewal, whose answer may
            say less: what is empty then stays as it was. Connectors read them in ``Http.access.facts``, before the
            first call by ``(await http.enter()).facts``.
        base_url: the address of the API where the facts decide it; empty for the connection's own.
    """

    authorize_url: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = ()
    grant: Grant = "authorization_code"
    client_auth: Literal["basic", "body"] = "basic"
    authorize_params: Mapping[str, str] = field(default_factory=dict)
    token_params: Mapping[str, str] = field(default_factory=dict)
    token_headers: Mapping[str, str] = field(default_factory=dict)
    call_format: Literal["form", "json"] = "form"
    uses_pkce: bool = False
    lifetime: timedelta = timedelta(hours=1)
    refresh_lifetime: timedelta | None = None
    facts: Callable[[Mapping[str, str], Mapping[str, str]], Mapping[str, str]] = _nothing
    base_url: Callable[[Mapping[str, str]], str] = lambda _facts: ""
    assertion: Callable[[], str] | None = field(default=None, repr=False)

    @property
    def needs_person(self) -> bool:
        """Tell whether somebody must agree on the vendor's page first."""
        return self.grant == "authorization_code"


@dataclass(frozen=True, slots=True)
class Access:
    """What a call to a vendor goes in with: a token of now, and what was kept when the account was connected."""

    token: str = field(repr=False)
    facts: Mapping[str, str] = field(default_factory=dict)
    base_url: str = ""
