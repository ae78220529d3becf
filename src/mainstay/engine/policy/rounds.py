"""How often a loop goes round."""

from __future__ import annotations

import ast
import math

from mainstay.engine.policy.source import External, Scope


def rounds(node: ast.expr, scope: Scope) -> float:  # noqa: PLR0911 - one for each kind of node
    """Return how often a loop over this goes round: known of literals, and of what is made of them."""
    match node:
        case ast.Tuple() | ast.List() | ast.Set():
            return math.inf if any(isinstance(each, ast.Starred) for each in node.elts) else len(node.elts)
        case ast.Dict():
            return math.inf if None in node.keys else len(node.keys)
        case ast.Constant(value=str() | bytes()):
            return len(node.value)  # type: ignore[arg-type]
        case ast.Name():
            literal = scope.literal(node.id)
            return rounds(literal, scope) if literal is not None else math.inf
        case ast.Call(func=ast.Attribute(value=ast.Dict(), attr="items" | "keys" | "values")):
            return rounds(node.func.value, scope)  # type: ignore[attr-defined]
        case ast.Call():
            dotted = {value.dotted for value in scope.values(node.func) if isinstance(value, External)}
            if dotted <= {f"builtins.{name}" for name in ("enumerate", "reversed", "sorted", "list", "tuple", "set")}:
                return rounds(node.args[0], scope) if node.args and dotted else math.inf
            if dotted == {"builtins.zip"}:
                return min((rounds(each, scope) for each in node.args), default=0)
            if dotted == {"builtins.range"}:
                return _range(node)
    return math.inf


def _range(node: ast.Call) -> float:
    try:
        return len(range(*(ast.literal_eval(each) for each in node.args)))
    except (ValueError, TypeError, OverflowError):
        return math.inf
