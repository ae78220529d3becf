from __future__ import annotations

from mainstay.connectors.make import CONNECTOR
from tests.connectors.layer_conformance import LayerConformance, LayerVendor, sandbox

__all__ = ["sandbox"]

VENDOR = LayerVendor("make", CONNECTOR, "https://hook.eu1.make.com/sampleHookAddress")


class TestConformance(LayerConformance):
    vendor = VENDOR
