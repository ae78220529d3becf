"""What stack.toml says of an account at Stripe, and of the events that it sends."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from mainstay.kit import ConnectionSettings, SourceSettings
from mainstay.kit.secrets import Secrets, plain

Payments = Literal["invoices_and_checkout", "payment_intents"]
_NO_API_KEYS = {
    "pk_": "a publishable key; Stripe wants the secret or a restricted one here (sk_... or rk_...)",
    "whsec_": "a webhook's signing secret; it belongs into the source, as secret",
    "acct_": "an account's id, no key (sk_... or rk_...)",
}


class StripeConnection(ConnectionSettings):
    """``{ connector = "stripe", api_key = "${STRIPE_API_KEY}" }``."""

    api_key: SecretStr = Field(description="A restricted key (rk_...), or the secret one (sk_...).")
    account: str = Field(
        "",
        description="The connected account (acct_...) that a platform's key acts for.",
        pattern=r"^(acct_\w{1,60})?$",
    )
    days_until_due: int = Field(30, description="When an invoice is due that says no date.", ge=1, le=3650)
    auto_advance: bool = Field(
        default=False, description="Whether Stripe itself e-mails and chases an invoice, as its Billing settings say."
    )

    payments: Payments = Field(
        "invoices_and_checkout",
        description="Which of Stripe's events of one payment a pull counts; as at the source.",
    )

    @field_validator("api_key")
    @classmethod
    def _is_api_key(cls, value: SecretStr) -> SecretStr:
        key = value.get_secret_value().strip()
        if not key:
            message = "the key is empty: set it in the environment or in .env"
            raise ValueError(message)
        for prefix, what in _NO_API_KEYS.items():
            if key.startswith(prefix):
                message = f"this is {what}"
                raise ValueError(message)
        return SecretStr(key)

    @property
    def is_test(self) -> bool:
        """Whether the key is of a sandbox or of test mode."""
        return self.api_key.get_secret_value()[2:].startswith("_test_")


class StripeSource(SourceSettings):
    """``[sources.NAME]`` with ``kind = "stripe"``; ``connection`` names whose key reads customers whom an event names.

    Stripe tells of one payment in several events, so one kind of them counts: what bills and sells (invoices and
    Checkout), or the PaymentIntents below them.
    """

    secret: Secrets = Field(description="The endpoint's signing secret (whsec_...), or several while one is rolled.")
    payments: Payments = Field(
        "invoices_and_checkout", description="Which of Stripe's events of one payment is payment.received."
    )

    @field_validator("secret")
    @classmethod
    def _are_signing_secrets(cls, value: Secrets) -> Secrets:
        if any(secret.startswith(("sk_", "rk_", "pk_")) for secret in plain(value)):
            message = "this is an API key; Stripe signs with the endpoint's own secret (whsec_...)"
            raise ValueError(message)
        return value
