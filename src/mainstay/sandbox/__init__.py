"""Vendors' simulators over real HTTP and SMTP, stateful, with faults on demand, in a process of their own.

``SandboxProcess`` starts and stops one; ``Sandbox`` (and ``AsyncSandbox``) sets faults and reads what the vendors
were asked and did.
"""

from mainstay.sandbox.client import AsyncSandbox, Sandbox, SandboxError
from mainstay.sandbox.faults import Fault, Kind
from mainstay.sandbox.process import SandboxProcess

__all__ = ["AsyncSandbox", "Fault", "Kind", "Sandbox", "SandboxError", "SandboxProcess"]
