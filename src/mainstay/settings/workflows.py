"""The user's workflows: every ``*.py`` of ``workflows/`` beside ``stack.toml``."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from importlib import invalidate_caches
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import module_from_spec
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING

from mainstay.errors import ConfigError, Problem

if TYPE_CHECKING:
    from mainstay.engine.definition import Workflow

FOLDER = "workflows"
_known_folders: set[str] = set()


def load_workflows(folder: Path) -> list[Workflow]:
    """Load the workflows of the stack in ``folder``: files in order of their names, workflows in order of their lines.

    Files that begin with ``_`` are left to the others to import: ``import _shared`` or ``from ._shared import ...``.
    The standard library and installed packages go before files of the same name. Loading again reads the files again.

    Raises:
        ConfigError: every file that cannot be imported, with the line and the error's text; every name declared twice.
    """
    # The engine brings the database driver with it.
    from mainstay.engine.definition import declared_in  # noqa: PLC0415

    place = (folder / FOLDER).resolve()
    files = sorted(path for path in place.glob("*.py") if path.is_file() and not path.name.startswith("_"))
    found: dict[str, list[Workflow]] = {}
    problems: list[Problem] = []
    with _importable(place) as package:
        for file in files:
            try:
                found[str(file)] = declared_in(_import(file, package))
            except ConfigError as error:
                problems += [replace(each, where=_relative(each.where, place)) for each in error.problems]
            except (Exception, SystemExit) as error:  # noqa: BLE001 whatever a user's file raises is theirs to mend
                problems.append(_import_problem(error, file, place))
    workflows = [declared for file, group in found.items() for declared in _own(group, file, found)]
    problems += _doubled(workflows, place)
    if problems:
        raise ConfigError(*problems)
    return workflows


def _own(group: list[Workflow], file: str, found: dict[str, list[Workflow]]) -> list[Workflow]:
    """Leave out what one file imported from another: it counts where it stands."""
    return [
        declared
        for declared in group
        if declared.file == file
        or not any((each.name, each.line) == (declared.name, declared.line) for each in found.get(declared.file, ()))
    ]


def _doubled(workflows: list[Workflow], place: Path) -> list[Problem]:
    problems = []
    first: dict[str, Workflow] = {}
    for declared in workflows:
        earlier = first.setdefault(declared.name, declared)
        if earlier.function is not declared.function:
            here, there = (_relative(f"{each.file}:{each.line}", place) for each in (declared, earlier))
            problems.append(
                Problem(
                    here,
                    f'@workflow("{declared.name}")',
                    f"this name is declared twice: at {there} and at {here}",
                    "give one of them another name, or the next version",
                    "RUN003",
                )
            )
    return problems


class _Loader(SourceFileLoader):
    """Compiles from source each time: a cached form could be older than an edit of the same second."""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 the loader's signature
        return self.source_to_code(self.get_data(self.path), self.path)


def _import(file: Path, package: str) -> ModuleType:
    name = f"{package}.{file.stem.replace('.', '_')}"
    if name in sys.modules:
        return sys.modules[name]
    spec = ModuleSpec(name, _Loader(name, str(file)), origin=str(file))
    spec.has_location = True
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        _Loader(name, str(file)).exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _importable(place: Path) -> Iterator[str]:
    """Make the folder a package of a name that nothing else has, and its files importable by their own names.

    It stays on the path, at its end, for imports inside functions; another stack's folder leaves it.
    """
    package = f"mainstay_workflows_{sha256(str(place).encode()).hexdigest()[:12]}"
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None)
        is_loose = "." not in name and isinstance(origin, str) and str(Path(origin).parent) in _known_folders
        if is_loose or name == package or name.startswith(f"{package}."):
            del sys.modules[name]
    sys.path[:] = [entry for entry in sys.path if entry not in _known_folders]
    _known_folders.add(str(place))
    sys.path.append(str(place))
    root = ModuleType(package, "The workflows of one stack.")
    root.__path__ = [str(place)]
    sys.modules[package] = root
    invalidate_caches()
    writes_nothing, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield package
    finally:
        sys.dont_write_bytecode = writes_nothing


def _import_problem(error: BaseException, file: Path, place: Path) -> Problem:
    line = 0
    where = file
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).parent == place:
        where, line = Path(error.filename), error.lineno or 0
    else:
        for frame in traceback.extract_tb(error.__traceback__):
            if Path(frame.filename).is_relative_to(place):
                where, line = Path(frame.filename), frame.lineno or 0
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    kind = type(error).__name__
    shown = _relative(f"{where}:{line}" if line else str(where), place)
    return Problem(shown, "", f"{kind}: {text}" if text else kind, f"mend {shown.partition(':')[0]}, then start again")


def _relative(where: str, place: Path) -> str:
    prefix = f"{place.parent}/"
    return where.replace("\\", "/").removeprefix(prefix.replace("\\", "/"))
