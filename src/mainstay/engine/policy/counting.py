"""Counts steps along the longest way through a function's body.

The count is never too low: whatever might take a step counts, both sides of an ``and``, all of a ``try`` before its
handler. What cannot be followed is noted as unclear instead.
"""

from __future__ import annotations

import ast
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mainstay.engine.policy.rounds import rounds
from mainstay.engine.policy.source import (
    Defined,
    External,
    Module,
    Plain,
    Role,
    Scope,
    Values,
    Verb,
    WithOptions,
    is_context,
)

_MANY = {"run_all"}
_LOOKS_ONLY = {"isinstance", "bool", "id", "repr", "str", "print", "hash", "type", "callable"}


@dataclass(frozen=True, slots=True)
class _Way:
    """The most steps until a body's end, and until what leaves it before; None where it never comes there."""

    falls: float | None
    leaves: float | None = None

    @property
    def most(self) -> float:
        return max(self.falls or 0, self.leaves or 0)


def _plus(steps: float | None, more: float | None) -> float | None:
    return None if steps is None or more is None else steps + more


def _most(*steps: float | None) -> float | None:
    return max((each for each in steps if each is not None), default=None)


def _times(steps: float, rounds: float) -> float:
    return steps * rounds if steps else 0


class Counting(ABC):
    """Walks statements and expressions; whoever inherits follows calls, and takes down what is found."""

    @abstractmethod
    def function(self, defined: Defined, given: Mapping[str, Values]) -> float:
        """Return the most steps that a call takes."""

    @abstractmethod
    def in_step(self, defined: Defined) -> float:
        """Return the most steps that a function takes which ``ctx.step`` runs."""

    @abstractmethod
    def note_call(self, scope: Scope, node: ast.AST, role: str, operation: str) -> None:
        """Take down a step."""

    @abstractmethod
    def note_unclear(self, module: Module, node: ast.AST, why: str) -> None:
        """Take down what may hide steps."""

    @abstractmethod
    def note_unbounded(self, module: Module, node: ast.AST, what: str) -> None:
        """Take down what repeats steps without a known end."""

    @abstractmethod
    def note_outside(self, scope: Scope, node: ast.expr, dotted: str) -> None:
        """Take down that another package's function is called, or handed on."""

    @abstractmethod
    def note_method(self, scope: Scope, node: ast.Call, name: str) -> None:
        """Take down a call of a method of something unknown."""

    # Statements --------------------------------------------------------------------------------------------------

    def longest(self, body: Sequence[ast.stmt], scope: Scope) -> float:
        """Return the most steps of a body."""
        return self._body(body, scope).most

    def _body(self, body: Sequence[ast.stmt], scope: Scope) -> _Way:
        so_far: float | None = 0.0
        leaves: float | None = None
        for statement in body:
            way = self._statement(statement, scope)
            leaves = _most(leaves, _plus(so_far, way.leaves))
            so_far = _plus(so_far, way.falls)
        return _Way(so_far, leaves)

    def _statement(self, node: ast.stmt, scope: Scope) -> _Way:  # noqa: PLR0911 - one for each kind of node
        match node:
            case ast.If():
                test = self.expression(node.test, scope, may_hold=True)
                return _after(test, _either([self._body(node.body, scope), self._body(node.orelse, scope)]))
            case ast.For() | ast.AsyncFor() | ast.While():
                return self._loop(node, scope)
            case ast.Try() | ast.TryStar():
                return self._try(node, scope)
            case ast.With() | ast.AsyncWith():
                before = sum(self.expression(item.context_expr, scope) for item in node.items)
                # It may swallow an exception, wherever that came from.
                way = self._body(node.body, scope)
                return _after(before, _Way(way.most, way.leaves))
            case ast.Match():
                subject = self.expression(node.subject, scope, may_hold=True)
                guards = sum(self.expression(case.guard, scope) for case in node.cases if case.guard)
                cases = [self._body(case.body, scope) for case in node.cases]
                return _after(subject + guards, _either([*cases, _Way(0.0)]))
            case ast.Return() | ast.Raise():
                return _Way(None, self._parts(node, scope))
            case ast.Break() | ast.Continue():
                return _Way(None, 0.0)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                around = [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
                return _Way(sum(self.expression(each, scope) for each in around))
            case ast.ClassDef():
                self._class(node, scope)
                return _Way(0.0)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                return _Way(self._assign(node, scope))
            case ast.Expr():
                return _Way(self.expression(node.value, scope, may_hold=True))
        return _Way(self._parts(node, scope))

    def _parts(self, node: ast.AST, scope: Scope) -> float:
        return sum(self.expression(each, scope) for each in ast.iter_child_nodes(node) if isinstance(each, ast.expr))

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, scope: Scope) -> float:
        if node.value is None:
            return 0.0
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        can_follow = not isinstance(node, ast.AugAssign) and all(_is_local(each, scope) for each in targets)
        literal = isinstance(node.value, ast.Tuple | ast.List) and any(
            isinstance(each, ast.Tuple | ast.List) for each in targets
        )
        if can_follow and literal and isinstance(node.value, ast.Tuple | ast.List):
            return sum(self.expression(each, scope, may_hold=True) for each in node.value.elts)
        steps = self.expression(node.value, scope, may_hold=can_follow)
        return steps + sum(self._parts(each, scope) for each in targets if not isinstance(each, ast.Name))

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, scope: Scope) -> _Way:
        if isinstance(node, ast.While):
            before, each_time, times = 0.0, self.expression(node.test, scope, may_hold=True), math.inf
        else:
            before, each_time = self._iterated(node.iter, scope), 0.0
            times = math.inf if isinstance(node, ast.AsyncFor) else rounds(node.iter, scope)
        body = self._body(node.body, scope)
        each_time += body.most
        all_rounds = _times(each_time, times)
        if each_time and times == math.inf:
            self.note_unbounded(scope.module, node, "a loop")
        orelse = self._body(node.orelse, scope)
        leaves = all_rounds if _leaves(node.body) else None
        falls = _most(_plus(all_rounds, orelse.falls), all_rounds if _breaks(node.body) else None)
        return _after(before, _Way(falls, _most(leaves, _plus(all_rounds, orelse.leaves))))

    def _try(self, node: ast.Try | ast.TryStar, scope: Scope) -> _Way:
        body = self._body(node.body, scope)
        orelse = self._body(node.orelse, scope)
        handlers = [_after(body.most, self._handler(each, scope)) for each in node.handlers]
        if isinstance(node, ast.TryStar):
            together = body.most + sum(self._body(each.body, scope).most for each in node.handlers)
            handlers.append(_Way(together, together))
        way = _either([_Way(_plus(body.falls, orelse.falls), _most(body.leaves, _plus(body.falls, orelse.leaves)))])
        # An exception that no handler takes leaves from wherever it was raised; in the handlers, too.
        way = _either([way, _Way(None, body.most), *handlers])
        final = self._body(node.finalbody, scope)
        return _Way(_plus(way.falls, final.falls), _most(_plus(way.leaves, final.falls), _plus(way.most, final.leaves)))

    def _handler(self, node: ast.ExceptHandler, scope: Scope) -> _Way:
        way = self._body(node.body, scope)
        return _after(self.expression(node.type, scope, may_hold=True), way) if node.type else way

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        for name in ast.walk(node):
            if isinstance(name, ast.Name) and is_context(scope.look_up(name.id)):
                self.note_unclear(scope.module, name, "ctx is used in a class")

    # Expressions -------------------------------------------------------------------------------------------------

    def expression(  # noqa: C901, PLR0911 - one for each kind of node
        self, node: ast.expr, scope: Scope, *, may_hold: bool = False
    ) -> float:
        """Return the most steps of an expression; ``may_hold`` where the context itself may come out of it."""
        values = scope.values(node)
        if not may_hold and is_context(values):
            self.note_unclear(scope.module, node, "ctx goes where it cannot be followed")
        match node:
            case ast.Call():
                return self._call(node, scope)
            case ast.Lambda():
                return 0.0 if may_hold else self._hand_over(node, scope)
            case ast.Name():
                return 0.0 if may_hold else self._hand_over(node, scope)
            case ast.Attribute():
                if is_context(scope.values(node.value)) and not values:
                    self.note_unclear(scope.module, node, "ctx goes where it cannot be followed")
                handed = 0.0 if may_hold else self._hand_over(node, scope)
                return handed + self.expression(node.value, scope, may_hold=True)
            case ast.Await() | ast.NamedExpr():
                return self.expression(node.value, scope, may_hold=may_hold)
            case ast.IfExp():
                sides = (self.expression(each, scope, may_hold=may_hold) for each in (node.body, node.orelse))
                return self.expression(node.test, scope, may_hold=True) + max(sides)
            case ast.BoolOp():
                return sum(self.expression(each, scope, may_hold=may_hold) for each in node.values)
            case ast.Compare() | ast.UnaryOp() | ast.FormattedValue():
                return sum(
                    self.expression(each, scope, may_hold=True)
                    for each in ast.iter_child_nodes(node)
                    if isinstance(each, ast.expr)
                )
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                return self._comprehension(node, [node.elt], scope)
            case ast.DictComp():
                return self._comprehension(node, [node.key, node.value], scope)
        return self._parts(node, scope)

    def _comprehension(
        self,
        node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
        made: Iterable[ast.expr],
        scope: Scope,
    ) -> float:
        steps = sum(self.expression(each, scope) for each in made)
        for part in reversed(node.generators):
            inner = steps + sum(self.expression(each, scope, may_hold=True) for each in part.ifs)
            times = math.inf if part.is_async else rounds(part.iter, scope)
            if inner and times == math.inf:
                self.note_unbounded(scope.module, node, "a comprehension")
            steps = _times(inner, times) + self._iterated(part.iter, scope)
        return steps

    def _iterated(self, node: ast.expr, scope: Scope) -> float:
        """Return the steps of what a loop goes over; in a literal the context may stand: the loop's name follows it."""
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            return sum(self.expression(each, scope, may_hold=True) for each in node.elts)
        return self.expression(node, scope)

    def _call(self, node: ast.Call, scope: Scope) -> float:
        called = scope.values(node.func)
        steps = self.expression(node.func, scope, may_hold=True)
        if not called and isinstance(node.func, ast.Attribute):
            self.note_method(scope, node, node.func.attr)
        if not called:
            return steps + self._arguments(node, scope)
        return steps + max(self._call_of(value, node, scope) for value in called)

    def _call_of(self, value: object, node: ast.Call, scope: Scope) -> float:
        match value:
            case Verb():
                return self._step(value, node, scope)
            case Role():
                self.note_call(scope, node, "", value.name)
                return 1 + self._arguments(node, scope)
            case Plain() | WithOptions():
                return self._arguments(node, scope)
            case Defined():
                return self._follow(value, node, scope)
            case External():
                self.note_outside(scope, node, value.dotted)
                if value.dotted.removeprefix("builtins.") in _LOOKS_ONLY:
                    return sum(self.expression(each, scope, may_hold=True) for each in node.args)
                return self._arguments(node, scope)
        self.note_unclear(scope.module, node, "ctx goes where it cannot be followed")
        return self._arguments(node, scope)

    def _step(self, verb: Verb, node: ast.Call, scope: Scope) -> float:
        self.note_call(scope, node, verb.role, verb.name)
        many = not verb.role and verb.name in _MANY
        if many:
            self.note_unbounded(scope.module, node, f"ctx.{verb.name}")
        if verb != Verb("", "step"):
            return (math.inf if many else 1) + self._arguments(node, scope)
        steps = 1.0
        for each in (*node.args, *(keyword.value for keyword in node.keywords)):
            within = [value for value in scope.values(each) if isinstance(value, Defined)]
            steps += sum(self.in_step(value) for value in within) if within else self._argument_of_step(each, scope)
        return steps

    def _argument_of_step(self, node: ast.expr, scope: Scope) -> float:
        """``functools.partial(function, ...)`` is called within the step as well."""
        if not isinstance(node, ast.Call):
            return self.expression(node, scope)
        steps = self.expression(node.func, scope, may_hold=True)
        for each in (*node.args, *(keyword.value for keyword in node.keywords)):
            within = [value for value in scope.values(each) if isinstance(value, Defined)]
            steps += sum(self.in_step(value) for value in within) if within else self.expression(each, scope)
        for value in scope.values(node.func):
            if isinstance(value, External):
                self.note_outside(scope, node, value.dotted)
            else:
                steps += self._call_of(value, node, scope)
        return steps

    def _follow(self, defined: Defined, node: ast.Call, scope: Scope) -> float:
        """Count a call of a function of these files, with the context where it is given."""
        arguments = defined.node.args
        names = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
        by_name = {*names, *(each.arg for each in arguments.kwonlyargs)}
        given: dict[str, Values] = {}
        steps = 0.0
        for place, each in enumerate(node.args):
            can_follow = place < len(names) and not any(isinstance(one, ast.Starred) for one in node.args[: place + 1])
            steps += self.expression(each, scope, may_hold=can_follow)
            if can_follow:
                given[names[place]] = scope.values(each)
        for keyword in node.keywords:
            can_follow = keyword.arg in by_name
            steps += self.expression(keyword.value, scope, may_hold=can_follow)
            if can_follow and keyword.arg is not None:
                given[keyword.arg] = scope.values(keyword.value)
        given = {name: values for name, values in given.items() if values}
        return steps + self.function(defined, given)

    def _arguments(self, node: ast.Call, scope: Scope) -> float:
        return sum(self.expression(each, scope) for each in (*node.args, *(one.value for one in node.keywords)))

    def _hand_over(self, node: ast.expr, scope: Scope) -> float:
        """Look into a function that is handed on: who knows how often it is called there."""
        values = scope.values(node)
        for value in values:
            if isinstance(value, External):
                self.note_outside(scope, node, value.dotted)
        steps = sum(self.function(value, {}) for value in values if isinstance(value, Defined))
        if steps:
            self.note_unclear(scope.module, node, "a function that takes steps goes where it cannot be followed")
        return steps


def _after(steps: float, way: _Way) -> _Way:
    return _Way(_plus(steps, way.falls), _plus(steps, way.leaves))


def _either(ways: Sequence[_Way]) -> _Way:
    return _Way(_most(*(way.falls for way in ways)), _most(*(way.leaves for way in ways)))


def _is_local(target: ast.expr, scope: Scope) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return all(_is_local(each, scope) for each in target.elts)
    if isinstance(target, ast.Starred):
        return False
    return isinstance(target, ast.Name) and target.id not in scope.elsewhere


def _leaves(body: Sequence[ast.stmt]) -> bool:
    return any(isinstance(node, ast.Return | ast.Raise) for each in body for node in ast.walk(each))


def _breaks(body: Sequence[ast.stmt]) -> bool:
    return any(isinstance(node, ast.Break) for each in body for node in ast.walk(each))
