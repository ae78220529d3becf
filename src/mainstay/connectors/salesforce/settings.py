"""What stack.toml says of a Salesforce org: how to get in, and where its people keep what Mainstay writes."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from mainstay.kit import ConnectionSettings, NeedsHumanError, OAuth
from mainstay.kit.secrets import require_one_way_in

LOGIN = "https://login.salesforce.com"
_EMPTY = SecretStr("")
_FIELD = re.compile(r"[A-Za-z]\w{0,79}", re.ASCII)
_DOMAINS = (".salesforce.com", ".force.com", ".cloudforce.com", ".salesforce.mil", ".sfcrmproducts.cn")
_SHARED_HOSTS = ("login.salesforce.com", "test.salesforce.com")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class SalesforceConnection(ConnectionSettings):
    """``[connections]`` entry with ``connector = "salesforce"``: one org, and one of its two kinds of people."""

    access_token: SecretStr = Field(_EMPTY, description="A fixed access token; or give client_id and client_secret.")
    instance_url: str = Field("", description="The org's own address: https://acme.my.salesforce.com.")
    client_id: str = Field("", description="Consumer key of the app that lets Mainstay in.")
    client_secret: SecretStr = Field(_EMPTY, description="The app's consumer secret.")
    grant: Literal["authorization_code", "client_credentials"] = Field(
        "authorization_code", description='"client_credentials" needs no person; login_url is then the org\'s own.'
    )
    login_url: str = Field(
        LOGIN, description="Where people log in: https://test.salesforce.com for a sandbox, or the org's own address."
    )
    record: Literal["contact", "lead"] = Field("contact", description="What a person is there: a Contact or a Lead.")
    external_id_field: str = Field(
        "", description='Field by which records are upserted: "Email", or a unique one of yours that keeps our id.'
    )
    tag_field: str = Field(
        "Mainstay_Tags__c", description="Text or multi-picklist field for tags; empty for no tags in Salesforce."
    )
    company_field: str = Field(
        "", description="Field for the company's name; of a lead Company. Empty: a contact's is read from its account."
    )
    account_id: str = Field(
        "", description="Account that new contacts belong to.", pattern=r"^([A-Za-z0-9]{15}|[A-Za-z0-9]{18})?$"
    )
    fields: dict[str, str] = Field(
        default_factory=dict, description='Further fields: our key, or "source", to the API name of theirs.'
    )
    opt_out_fields: tuple[str, ...] = Field(
        ("HasOptedOutOfEmail", "DoNotCall"), description="Checkboxes of which each means: do not contact."
    )
    placeholder: str = Field(
        "-",
        description="What stands in a new record's LastName, and a lead's Company, where none is known.",
        min_length=1,
    )
    note_status: str = Field("Completed", description="The status of a task that is done, as this org names it.")
    match_phone: bool = Field(
        default=False, description="Before creating a record with an e-mail, look for one with its phone and no e-mail."
    )
    api_version: str = Field("64.0", description="Version of the REST API.", pattern=r"^\d{2,3}\.0$")

    @field_validator("instance_url", "login_url", "base_url")
    @classmethod
    def _is_salesforce(cls, value: str) -> str:
        address = value.rstrip("/")
        if address and not is_salesforce(address) and urlsplit(address).hostname not in _LOOPBACK:
            message = f"{value!r} is no address of Salesforce: write it as https://acme.my.salesforce.com"
            raise ValueError(message)
        return address

    @field_validator("external_id_field", "tag_field", "company_field")
    @classmethod
    def _is_field(cls, value: str) -> str:
        return _field(value) if value else value

    @field_validator("fields")
    @classmethod
    def _are_fields(cls, value: dict[str, str]) -> dict[str, str]:
        return {key: _field(name) for key, name in value.items()}

    @field_validator("opt_out_fields")
    @classmethod
    def _are_checkboxes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_field, value))

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        require_one_way_in("access_token with instance_url", self.access_token, self.client_id, self.client_secret)
        token = self.access_token.get_secret_value()
        if token and not (self.instance_url or self.base_url):
            message = "access_token needs instance_url: the org's own address, https://acme.my.salesforce.com"
            raise ValueError(message)
        if self.grant == "client_credentials" and urlsplit(self.login_url).hostname in _SHARED_HOSTS:
            message = (
                "client_credentials works at the org's own address alone: login_url = https://acme.my.salesforce.com"
            )
            raise ValueError(message)
        return self

    @property
    def sobject(self) -> str:
        """Salesforce's name of the object."""
        return "Lead" if self.record == "lead" else "Contact"

    @property
    def data(self) -> str:
        """The path that every call begins with."""
        return f"/services/data/v{self.api_version}"

    @property
    def company(self) -> str:
        """The field that a company's name is written to; empty where there is none."""
        return self.company_field or ("Company" if self.record == "lead" else "")


def _field(name: str) -> str:
    if not _FIELD.fullmatch(name):
        message = f"{name!r} is no API name of a field: write it as Setup shows it, such as Job_Type__c"
        raise ValueError(message)
    return name


def is_salesforce(address: str) -> bool:
    """Tell whether a token may be sent to this address: over https, on a host of Salesforce's."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    is_bare = not (parts.username or parts.password or parts.query or parts.fragment) and parts.path in {"", "/"}
    host = parts.hostname or ""
    # A name with a backslash or the like is read in one way here and in another by who connects.
    is_name = re.fullmatch(r"[a-z0-9.-]+", host) is not None
    return parts.scheme == "https" and port in {None, 443} and is_bare and is_name and host.endswith(_DOMAINS)


def oauth(settings: SalesforceConnection) -> OAuth | None:
    """Return how a person, or the app by itself, is let in; None with a fixed token."""
    if not settings.client_id:
        return None
    by_person = settings.grant == "authorization_code"
    return OAuth(
        authorize_url=f"{settings.login_url}/services/oauth2/authorize" if by_person else "",
        token_url=f"{settings.login_url}/services/oauth2/token",
        client_id=settings.client_id,
        client_secret=settings.client_secret.get_secret_value(),
        scopes=("api", "refresh_token") if by_person else (),
        grant=settings.grant,
        client_auth="body",
        uses_pkce=by_person,
        # The answer does not say how long: that is the org's policy, two hours unless changed.
        lifetime=timedelta(hours=1),
        facts=lambda answer, _callback: {"instance_url": _instance(settings, answer.get("instance_url", ""))},
        base_url=lambda facts: settings.base_url or _instance(settings, facts.get("instance_url", "")),
    )


def _instance(settings: SalesforceConnection, address: str) -> str:
    """Return where the org is; an address that the token must not go to is refused."""
    address = address.rstrip("/")
    own = {urlsplit(url)[:2] for url in (settings.base_url, settings.login_url, settings.instance_url) if url}
    if is_salesforce(address):
        return address
    with suppress(ValueError):
        if urlsplit(address)[:2] in own:
            return address
    raise NeedsHumanError(
        f"the log-in named {address[:100]!r} as the org's address, which is none of Salesforce's; nothing was sent "
        "there: check login_url in stack.toml, then connect anew"
    )


def record_url(settings: SalesforceConnection, external_id: str) -> str:
    """Return the record's page in Lightning; empty where the org's own address is not in stack.toml."""
    hosts = (settings.instance_url, settings.login_url)
    address = next((url for url in hosts if url and urlsplit(url).hostname not in _SHARED_HOSTS), "")
    return f"{address}/lightning/r/{settings.sobject}/{external_id}/view" if address else ""


def contact_fields(settings: SalesforceConnection) -> frozenset[str]:
    """Return what of a contact an org keeps, by the fields that are named for it."""
    further = {key if key == "source" else f"custom.{key}" for key in settings.fields}
    named = {
        "company": settings.company,
        "tags": settings.tag_field,
        "do_not_contact": settings.opt_out_fields,
    }
    return frozenset(
        {"first_name", "last_name", "email", "phone", *further, *(name for name, field in named.items() if field)}
    )


def account(settings: SalesforceConnection) -> str:
    """Return what Salesforce counts calls by: the org, as far as stack.toml names it."""
    return settings.base_url or settings.instance_url or f"{settings.login_url} {settings.client_id}"
