"""How many steps a workflow may take at the most, which calls it makes, and what in it cannot be judged."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mainstay.engine.policy.counting import Counting
from mainstay.engine.policy.source import NOTHING, Ctx, Defined, External, Module, Scope, Sources, Values
from mainstay.engine.policy.vendors import Impurity, impurity_of, impurity_of_method

if TYPE_CHECKING:
    from mainstay.engine.definition import Workflow

UNBOUNDED = math.inf


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file; ``allowed`` are the codes of the warnings that a comment there allows."""

    file: str
    line: int
    column: int = 0
    allowed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Call:
    """A step where it stands in the source: ``email.send``, or ``sleep`` with an empty role.

    ``first`` is its first argument, where that is a text.
    """

    role: str
    operation: str
    place: Place
    first: str = ""

    @property
    def name(self) -> str:
        """What the ledger calls it."""
        return f"{self.role}.{self.operation}" if self.role else self.operation


@dataclass(slots=True)
class Analysis:
    """What the source of one workflow says.

    Attributes:
        steps: how many it takes at the most; infinite where a loop has no known end.
        calls: its steps, by where they stand.
        unclear: why steps may be hidden from counting, by where.
        unbounded: what makes ``steps`` infinite, by where.
        impure: calls whose outcome may be another next time, by where; with whether it is done within a step.
        modules: the files that it reaches.
    """

    steps: float = 0
    calls: dict[Place, Call] = field(default_factory=dict)
    unclear: dict[Place, str] = field(default_factory=dict)
    unbounded: dict[Place, str] = field(default_factory=dict)
    impure: dict[tuple[Place, bool], Impurity] = field(default_factory=dict)
    modules: dict[Path, Module] = field(default_factory=dict)

    @property
    def is_known(self) -> bool:
        """Tell whether ``steps`` is all there can be."""
        return not self.unclear and self.steps != UNBOUNDED


def analyse(declared: Workflow, sources: Sources | None = None) -> Analysis:
    """Read a workflow's source, and that of the functions of the same folder it calls. Nothing is run."""
    found = Analysis()
    here = Place(declared.file, declared.line)
    module = (sources or Sources()).module(Path(declared.file))
    node = module.function_at(declared.line) if module else None
    if module is None or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        found.unclear[here] = "its source cannot be found"
        return found
    try:
        found.steps = _Reading(found).workflow(module, node)
    except RecursionError:
        found.unclear[here] = "it is nested too deeply"
    return found


class _Reading(Counting):
    """Follows one workflow through its functions."""

    def __init__(self, found: Analysis) -> None:
        super().__init__()
        self._found = found
        self._known: dict[object, float] = {}
        self._active: set[object] = set()
        self._again: set[object] = set()
        self._depth_in_step = 0

    def workflow(self, module: Module, node: ast.FunctionDef | ast.AsyncFunctionDef) -> float:
        scope = _enclosing(module, node)
        first = [*node.args.posonlyargs, *node.args.args][:1]
        if not first:
            self.note_unclear(module, node, "ctx comes to it in a way that cannot be followed")
            return UNBOUNDED
        given = {first[0].arg: frozenset({Ctx()})}
        return self.function(Defined(node, scope), given)

    def function(self, defined: Defined, given: Mapping[str, Values]) -> float:
        """Return how many steps a call of a function takes at the most, its names ``given``."""
        node = defined.node
        key = (node, defined.scope, frozenset(given.items()), self._depth_in_step > 0)
        if key in self._active:
            self._again.add(key)
            return 0
        if key not in self._known:
            self._active.add(key)
            self._known[key] = self._within(defined, given)
            self._active.discard(key)
            if key in self._again and self._known[key]:
                self.note_unbounded(defined.scope.module, node, "a function that calls itself")
                self._known[key] = UNBOUNDED
        return self._known[key]

    def _within(self, defined: Defined, given: Mapping[str, Values]) -> float:
        node, module = defined.node, defined.scope.module
        self._found.modules[module.path] = module
        names: dict[str, Values] = {**dict.fromkeys(_parameters(node.args), NOTHING), **given}
        if isinstance(node, ast.Lambda):
            scope = Scope([ast.Expr(node.body)], module, defined.scope, names)
            return self.expression(node.body, scope)
        scope = Scope(node.body, module, defined.scope, names)
        steps = self.longest(node.body, scope)
        strange = [each for each in node.decorator_list if not _is_transparent(each, defined.scope)]
        if strange and (steps or any(given.values())):
            self.note_unclear(module, strange[0], "a decorator may do more than it shows")
        return steps

    # What counting tells -----------------------------------------------------------------------------------------

    def note_call(self, scope: Scope, node: ast.AST, role: str, operation: str) -> None:
        place = _place(scope.module, node)
        self._found.calls.setdefault(place, Call(role, operation, place, _first(scope, node)))

    def note_unclear(self, module: Module, node: ast.AST, why: str) -> None:
        self._found.unclear.setdefault(_place(module, node), why)

    def note_unbounded(self, module: Module, node: ast.AST, what: str) -> None:
        self._found.unbounded.setdefault(_place(module, node), what)

    def note_outside(self, scope: Scope, node: ast.expr, dotted: str) -> None:
        has_arguments = isinstance(node, ast.Call) and bool(node.args or node.keywords)
        impurity = impurity_of(dotted, has_arguments=has_arguments)
        self._note_impure(scope, node, impurity)

    def note_method(self, scope: Scope, node: ast.Call, name: str) -> None:
        self._note_impure(scope, node, impurity_of_method(name))

    def _note_impure(self, scope: Scope, node: ast.expr, impurity: Impurity | None) -> None:
        if impurity is not None:
            self._found.impure.setdefault((_place(scope.module, node), self._depth_in_step > 0), impurity)

    def in_step(self, defined: Defined) -> float:
        """Return what a function takes that is done within a step."""
        self._depth_in_step += 1
        try:
            return self.function(defined, {})
        finally:
            self._depth_in_step -= 1


def _place(module: Module, node: ast.AST) -> Place:
    first: int = getattr(node, "lineno", 0)
    allowed = {code for codes in module.allowed.values() for code in codes if module.allows(code, node)}
    return Place(str(module.path), first, getattr(node, "col_offset", 0), frozenset(allowed))


def _first(scope: Scope, node: ast.AST) -> str:
    first = node.args[0] if isinstance(node, ast.Call) and node.args else None
    found = scope.literal(first.id) if isinstance(first, ast.Name) else first
    return found.value if isinstance(found, ast.Constant) and isinstance(found.value, str) else ""


def _enclosing(module: Module, wanted: ast.AST) -> Scope:
    """Return the scope that a function stands in: its module's, or that of the functions around it."""
    scope = module.scope
    for around in _functions_around(module.tree, wanted) or ():
        scope = Scope(around.body, module, scope, dict.fromkeys(_parameters(around.args), NOTHING))
    return scope


def _functions_around(node: ast.AST, wanted: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef] | None:
    for child in ast.iter_child_nodes(node):
        if child is wanted:
            return []
        within = _functions_around(child, wanted)
        if within is not None:
            return [child, *within] if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else within
    return None


def _parameters(arguments: ast.arguments) -> list[str]:
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [each.arg for each in (*every, arguments.vararg, arguments.kwarg) if each is not None]


_TRANSPARENT = {
    "builtins.staticmethod",
    "contextlib.asynccontextmanager",
    "contextlib.contextmanager",
    "functools.wraps",
    "mainstay.engine.workflow",
    "mainstay.workflow",
}


def _is_transparent(decorator: ast.expr, scope: Scope) -> bool:
    """Tell whether a decorator is known to call its function as it is, once a call."""
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    values = scope.values(named)
    return bool(values) and all(isinstance(each, External) and each.dotted in _TRANSPARENT for each in values)
