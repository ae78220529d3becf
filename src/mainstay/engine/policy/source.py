"""The user's files as trees, and what their names stand for: the context, a role, a call, a function, an import."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_ALLOW = re.compile(r"#\s*mainstay:\s*allow\s+((?:[A-Z]{3}\d{3}[\s,]*)+)")

PLAIN = {"run_id", "open_now", "next_open", "input", "now"}
"""What a context tells without a step."""
WAITS = {"sleep", "sleep_until", "wait_for", "approval", "run", "run_all"}
"""The context's own verbs that may take long; ``step`` and ``start`` are the others."""
_VERBS = WAITS | {"step", "start"}
OWN_ROLE = "records"
"""What the context has of our own book: no connection is asked for it."""


@dataclass(frozen=True, slots=True)
class Ctx:
    """The run's context."""


@dataclass(frozen=True, slots=True)
class Plain:
    """Something of the context that is no step."""


@dataclass(frozen=True, slots=True)
class WithOptions:
    """``ctx.with_options``: called, it gives the context again."""


@dataclass(frozen=True, slots=True)
class Role:
    """``ctx.crm`` and the like."""

    name: str


@dataclass(frozen=True, slots=True)
class Verb:
    """What is a step when it is called: ``crm.add_tag``, or the context's own verb, whose role is empty."""

    role: str
    name: str


@dataclass(frozen=True, slots=True)
class External:
    """A name of another package, or a builtin, by its import: ``datetime.datetime.now``."""

    dotted: str


@dataclass(frozen=True, slots=True)
class File:
    """Another file of the same folder."""

    module: Module


@dataclass(frozen=True, slots=True)
class Defined:
    """A function of these files, with the names it sees."""

    node: Function
    scope: Scope


Value = Ctx | Plain | WithOptions | Role | Verb | External | File | Defined
Values = frozenset[Value]
NOTHING: Values = frozenset()
_TRACKED = (Ctx, WithOptions, Role, Verb)


def is_context(values: Iterable[Value]) -> bool:
    """Tell whether steps can be taken with one of these."""
    return any(isinstance(value, _TRACKED) for value in values)


class Module:
    """One file, parsed."""

    def __init__(self, path: Path, sources: Sources) -> None:
        text = path.read_bytes()
        self.path = path
        self.sources = sources
        self.tree = ast.parse(text, str(path))
        self.allowed = _allowed(text)
        self.scope = Scope(self.tree.body, self, None)

    def function_at(self, line: int) -> Function | None:
        """Return the function whose first line, its first decorator's if it has any, is this."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                if first == line:
                    return node
        return None

    def allows(self, code: str, node: ast.AST) -> bool:
        """Tell whether a comment on one of a node's lines allows a warning."""
        first: int = getattr(node, "lineno", 0)
        last: int = getattr(node, "end_lineno", first) or first
        return any(code in self.allowed.get(line, ()) for line in range(first, last + 1))


def _allowed(text: bytes) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for token in tokenize.tokenize(io.BytesIO(text).readline):
        if token.type == tokenize.COMMENT and (match := _ALLOW.search(token.string)):
            found.setdefault(token.start[0], set()).update(re.findall(r"[A-Z]{3}\d{3}", match[1]))
    return found


class Sources:
    """The files of one folder, each read once."""

    def __init__(self) -> None:
        self._modules: dict[Path, Module | None] = {}

    def module(self, path: Path) -> Module | None:
        """Return a file's tree; None where it cannot be read as Python."""
        if path not in self._modules:
            self._modules[path] = None  # files that import each other
            try:
                self._modules[path] = Module(path, self)
            except (OSError, SyntaxError, ValueError, RecursionError, tokenize.TokenError):
                return None
        return self._modules[path]

    def beside(self, module: Module, dotted: str, level: int) -> Module | None:
        """Return the file of the same folder that an import means; None where it is another package's."""
        first = dotted.partition(".")[0]
        if not first or (level == 0 and first in sys.stdlib_module_names):
            return None
        path = module.path.parent / f"{first}.py"
        return self.module(path) if path.is_file() else None


class Scope:
    """The names that a body binds, and what each may stand for, in whatever order its lines run."""

    def __init__(
        self, body: list[ast.stmt], module: Module, outer: Scope | None, given: dict[str, Values] | None = None
    ) -> None:
        self.module = module
        self.outer = outer
        self._values: dict[str, Values] = dict(given or {})
        self.elsewhere: set[str] = set()
        self._flows: list[tuple[ast.expr, ast.expr]] = []
        self._stars: list[Module] = []
        self._times: dict[str, int] = dict.fromkeys(self._values, 2)
        self._literals: dict[str, ast.expr] = {}
        for node in _own(body):
            self._note(node)
        self._settle()

    def look_up(self, name: str) -> Values:
        """Return what a name may stand for."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope._times and name not in scope.elsewhere:  # noqa: SLF001 - of its own kind
                return scope._values.get(name, NOTHING)  # noqa: SLF001
            for module in scope._stars:  # noqa: SLF001
                if name in module.scope._times:  # noqa: SLF001
                    return module.scope.look_up(name)
            scope = scope.outer
        return frozenset({External(f"builtins.{name}")})

    def literal(self, name: str) -> ast.expr | None:
        """Return the constant that a name is bound to, once and for all."""
        scope: Scope | None = self
        while scope is not None and name not in scope._times:  # noqa: SLF001
            scope = scope.outer
        return scope._literals.get(name) if scope and scope._times[name] == 1 else None  # noqa: SLF001

    def values(self, node: ast.expr) -> Values:  # noqa: PLR0911 - one for each kind of node
        """Return what an expression may stand for."""
        match node:
            case ast.Name():
                return self.look_up(node.id)
            case ast.Attribute():
                return frozenset(found for base in self.values(node.value) for found in _attribute(base, node.attr))
            case ast.Await() | ast.NamedExpr() | ast.Starred():
                return self.values(node.value)
            case ast.IfExp():
                return self.values(node.body) | self.values(node.orelse)
            case ast.BoolOp():
                return frozenset().union(*(self.values(each) for each in node.values))
            case ast.Lambda():
                return frozenset({Defined(node, self)})
            case ast.Call() if any(isinstance(each, WithOptions) for each in self.values(node.func)):
                return frozenset({Ctx()})
        return NOTHING

    def within(self, node: ast.expr) -> Values:
        """Return what an expression may stand for or, where it is a literal of several, what is in it."""
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            return frozenset().union(*(self.within(each) for each in node.elts))
        if isinstance(node, ast.IfExp):
            return self.within(node.body) | self.within(node.orelse)
        return self.values(node)

    def _bind(self, name: str, values: Values = NOTHING) -> None:
        self._times[name] = self._times.get(name, 0) + 1
        self._values[name] = self._values.get(name, NOTHING) | values

    def _note(self, node: ast.AST) -> None:  # noqa: C901, PLR0912 - one for each kind of node
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._bind(node.name, frozenset({Defined(node, self)}))
            case ast.ClassDef():
                self._bind(node.name)
            case ast.Import():
                for each in node.names:
                    self._import(each)
            case ast.ImportFrom():
                self._import_from(node)
            case ast.Assign():
                for target in node.targets:
                    self._flow(target, node.value)
            case ast.AnnAssign(value=ast.expr()) | ast.NamedExpr():
                self._flow(node.target, node.value)  # type: ignore[arg-type]
            case ast.For() | ast.AsyncFor() | ast.comprehension():
                self._flow(node.target, node.iter, is_literal=False)
            case ast.withitem(optional_vars=ast.expr()):
                self._flow(node.optional_vars, node.context_expr, is_literal=False)  # type: ignore[arg-type]
            case ast.Match():
                for case in node.cases:
                    for name in _captured(case.pattern):
                        self._flow(ast.Name(name, ast.Store()), node.subject, is_literal=False)
            case ast.Global() | ast.Nonlocal():
                self.elsewhere.update(node.names)
            case ast.Name(ctx=ast.Store() | ast.Del()):
                self._times.setdefault(node.id, 2)
            case ast.ExceptHandler(name=str()):
                self._bind(node.name)  # type: ignore[arg-type]

    def _flow(self, target: ast.expr, value: ast.expr, *, is_literal: bool = True) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id)
            if is_literal and isinstance(value, ast.Tuple | ast.Constant):
                self._literals[target.id] = value
            else:
                self._times[target.id] += 1
        self._flows.append((target, value))

    def _import(self, alias: ast.alias) -> None:
        beside = self.module.sources.beside(self.module, alias.name, 0)
        if beside is not None:
            self._bind(alias.asname or alias.name.partition(".")[0], frozenset({File(beside)}))
        elif alias.asname:
            self._bind(alias.asname, frozenset({External(alias.name)}))
        else:
            first = alias.name.partition(".")[0]
            self._bind(first, frozenset({External(first)}))

    def _import_from(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            dotted = node.module or (alias.name if node.level else "")
            beside = self.module.sources.beside(self.module, dotted, node.level)
            if alias.name == "*":
                self._stars += [beside] if beside else []
            elif beside is None:
                self._bind(alias.asname or alias.name, frozenset({External(f"{node.module or ''}.{alias.name}")}))
            elif node.module:
                self._bind(alias.asname or alias.name, beside.scope.look_up(alias.name))
            else:
                self._bind(alias.asname or alias.name, frozenset({File(beside)}))

    def _settle(self) -> None:
        """Let values flow along the assignments until nothing new comes."""
        is_new = True
        while is_new:
            is_new = False
            for target, value in self._flows:
                for name, values in _targets(self, target, value):
                    before = self._values.get(name, NOTHING)
                    self._values[name] = before | values
                    is_new = is_new or len(self._values[name]) > len(before)


def _targets(scope: Scope, target: ast.expr, value: ast.expr) -> Iterator[tuple[str, Values]]:
    if isinstance(target, ast.Name):
        yield target.id, scope.within(value)
    elif isinstance(target, ast.Starred):
        yield from _targets(scope, target.value, value)
    elif isinstance(target, ast.Tuple | ast.List):
        parts = value.elts if isinstance(value, ast.Tuple | ast.List) else []
        is_plain = len(parts) == len(target.elts) and not any(
            isinstance(each, ast.Starred) for each in (*parts, *target.elts)
        )
        for place, each in enumerate(target.elts):
            yield from _targets(scope, each, parts[place] if is_plain else value)


def _attribute(base: Value, name: str) -> Iterator[Value]:
    match base:
        case Ctx():
            if name in PLAIN:
                yield Plain()
            elif name == "with_options":
                yield WithOptions()
            else:
                yield Verb("", name) if name in _VERBS else Role(name)
        case Role():
            yield Verb(base.name, name)
        case External():
            yield External(f"{base.dotted}.{name}")
        case File():
            yield from base.module.scope.look_up(name)


def _own(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Give the nodes of a body without those inside its functions and classes."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _captured(pattern: ast.pattern) -> Iterator[str]:
    for node in ast.walk(pattern):
        if isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest
