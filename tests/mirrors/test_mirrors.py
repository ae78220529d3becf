from __future__ import annotations

pytest_plugins = ["mainstay.testing.plugin"]
