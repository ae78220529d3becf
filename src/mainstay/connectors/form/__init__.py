"""Any web form or system that can post: JSON, form-encoded or multipart."""

from mainstay.connectors.form.settings import FormSettings
from mainstay.connectors.form.webhook import compose, delivery_key, parse, verify
from mainstay.kit import Connector, SourceKind
from mainstay.kit.proving import SECRET_HEADERS, SECRET_PARAMS


def _kind(name: str, title: str) -> SourceKind:
    return SourceKind(
        name=name,
        title=title,
        settings=FormSettings,
        verify=verify,
        parse=parse,
        delivery_key=delivery_key,
        secret_headers=SECRET_HEADERS,
        secret_params=SECRET_PARAMS,
        compose=compose,
    )


CONNECTOR = Connector(
    name="form",
    title="Web form",
    sources=(_kind("form", "Web form"), _kind("json", "JSON webhook")),
)
