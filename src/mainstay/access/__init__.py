"""Into accounts by OAuth 2: tokens kept sealed, renewed by one worker for all, watched for their end."""

from mainstay.access.keys import Keys
from mainstay.access.rules import Grant
from mainstay.access.store import KeptRow, forget
from mainstay.access.tokens import Tokens

__all__ = ["Grant", "KeptRow", "Keys", "Tokens", "forget"]
