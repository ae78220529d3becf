"""The HTTP API: contacts for programs, with tokens instead of a login."""

from mainstay.web.api.app import create_api
from mainstay.web.api.gate import PREFIX

__all__ = ["PREFIX", "create_api"]
