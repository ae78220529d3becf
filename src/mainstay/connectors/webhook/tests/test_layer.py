from __future__ import annotations

from mainstay.connectors.webhook import CONNECTOR
from tests.connectors.layer_conformance import LayerConformance, LayerVendor, sandbox

__all__ = ["sandbox"]

VENDOR = LayerVendor("webhook", CONNECTOR, "https://partner.example/in/sampleHookAddress")


class TestConformance(LayerConformance):
    vendor = VENDOR
