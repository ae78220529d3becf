"""The pages: server-rendered, for people who have signed in. The composition root hands in the verbs."""

from mainstay.web.app import create_app
from mainstay.web.backend import Backend, ConnectionCard, SourceCard, WorkspaceCard
from mainstay.web.sign_in import create_sign_in_link

__all__ = ["Backend", "ConnectionCard", "SourceCard", "WorkspaceCard", "create_app", "create_sign_in_link"]
