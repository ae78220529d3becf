"""Gates: what every call to a connection passes. Budget of its account, breaker, pause, calls at once."""

from mainstay.gates.declaring import Declared, gates_of
from mainstay.gates.gates import Gates
from mainstay.gates.store import Pause, pause, resume

__all__ = ["Declared", "Gates", "Pause", "gates_of", "pause", "resume"]
