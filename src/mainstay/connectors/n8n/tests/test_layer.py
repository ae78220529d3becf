from __future__ import annotations

from mainstay.connectors.n8n import CONNECTOR
from tests.connectors.layer_conformance import LayerConformance, LayerVendor, sandbox

__all__ = ["sandbox"]

VENDOR = LayerVendor("n8n", CONNECTOR, "https://n8n.acme.example/webhook/sampleHookAddress")


class TestConformance(LayerConformance):
    vendor = VENDOR
