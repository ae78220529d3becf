"""Suggestions: which contacts are probably one person though no identifier says so, how likely, and why."""

from mainstay.identity.suggestions.columns import Builder, Columns, Frequencies
from mainstay.identity.suggestions.scoring import Model, score, shipped_model
from mainstay.identity.suggestions.suggest import Suggestions, shares_identifier, suggest, why
from mainstay.identity.suggestions.traits import FIELDS, Traits, read

__all__ = [
    "FIELDS",
    "Builder",
    "Columns",
    "Frequencies",
    "Model",
    "Suggestions",
    "Traits",
    "read",
    "score",
    "shares_identifier",
    "shipped_model",
    "suggest",
    "why",
]
