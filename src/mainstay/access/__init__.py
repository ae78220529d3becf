"""Into accounts by OAuth 2: tokens kept sealed, renewed by one worker for all, watched for their end."""

from mainstay.access.checking import Checked, check
from mainstay.access.connecting import ConnectError, Connecting, Landing
from mainstay.access.keys import Keys
from mainstay.access.rules import Grant
from mainstay.access.tokens import Tokens

__all__ = ["Checked", "ConnectError", "Connecting", "Grant", "Keys", "Landing", "Tokens", "check"]
