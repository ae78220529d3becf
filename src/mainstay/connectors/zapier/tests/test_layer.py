from __future__ import annotations

from mainstay.connectors.zapier import CONNECTOR
from tests.connectors.layer_conformance import LayerConformance, LayerVendor, sandbox

__all__ = ["sandbox"]

VENDOR = LayerVendor("zapier", CONNECTOR, "https://hooks.zapier.com/hooks/catch/1234567/sampleHookAddress")


class TestConformance(LayerConformance):
    vendor = VENDOR
