from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstay.errors import ConfigError, Problem
from mainstay.settings import load_workflows

HEAD = "from mainstay.engine.definition import workflow\n"


def flow(name: str, function: str = "run") -> str:
    return f'@workflow("{name}", on="contact.created")\nasync def {function}(ctx, contact): ...\n'


@pytest.fixture(autouse=True)
def _the_path_is_left_as_it_was() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "workflows").mkdir()
    return tmp_path


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / "workflows" / f"{name}.py").write_text(text)


def names(folder: Path) -> list[str]:
    return [declared.name for declared in load_workflows(folder)]


def refused(folder: Path) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        load_workflows(folder)
    return list(caught.value.problems)


def test_no_folder_is_no_workflows(tmp_path: Path) -> None:
    assert load_workflows(tmp_path) == []


def test_files_by_name_and_workflows_by_line(folder: Path) -> None:
    write(folder, b=HEAD + flow("b.v2", "two") + flow("a.v1", "one"), a=HEAD + flow("c.v1"), _c="raise ValueError")
    (folder / "workflows" / "notes.txt").write_text("not Python")
    assert names(folder) == ["c.v1", "b.v2", "a.v1"]
    assert [(Path(each.file).name, each.line) for each in load_workflows(folder)] == [
        ("a.py", 2),
        ("b.py", 2),
        ("b.py", 4),
    ]


def test_loading_writes_nothing_and_reads_edits(folder: Path) -> None:
    write(folder, a=HEAD + "import _shared\n" + flow("a.v1"), _shared="")
    assert names(folder) == ["a.v1"]
    write(folder, a=HEAD + "import _shared\n" + flow("a.v2"), _shared="")
    assert names(folder) == ["a.v2"]
    assert sorted(path.name for path in (folder / "workflows").iterdir()) == ["_shared.py", "a.py"]


@pytest.mark.parametrize("statement", ["from _shared import NAME", "from ._shared import NAME"])
def test_a_file_may_import_its_neighbours(folder: Path, statement: str) -> None:
    write(folder, a=f"{HEAD}{statement}\n" + flow("a.v1").replace('"a.v1"', "NAME"), _shared='NAME = "shared.v1"\n')
    assert names(folder) == ["shared.v1"]


@pytest.mark.parametrize("statement", ["from b import run", "from .b import run"])
@pytest.mark.parametrize("importer", ["a", "c"])
def test_what_is_imported_counts_where_it_stands(folder: Path, importer: str, statement: str) -> None:
    write(folder, **{importer: f"{statement}\n", "b": HEAD + flow("b.v1")})
    assert names(folder) == ["b.v1"]


def test_a_factory_may_declare_from_another_file(folder: Path) -> None:
    factory = (
        HEAD + "def make(name):\n    @workflow(name, on='contact.created')\n    async def run(ctx, contact): ...\n"
    )
    write(
        folder,
        _factory=factory + "    return run\n",
        a='from _factory import make\nrun = make("a.v1")\n',
        b='from _factory import make\nrun = make("b.v1")\n',
    )
    assert names(folder) == ["a.v1", "b.v1"]


def test_a_file_named_like_a_library_shadows_nothing(folder: Path) -> None:
    write(
        folder,
        email=HEAD + flow("email.v1"),
        orjson=HEAD + flow("orjson.v1"),
        z=HEAD + "import email, orjson\nassert email.message and orjson.dumps\n" + flow("z.v1"),
    )
    assert names(folder) == ["email.v1", "orjson.v1", "z.v1"]


def test_two_stacks_do_not_share_their_neighbours(tmp_path: Path) -> None:
    for stack in ("one", "two"):
        (tmp_path / stack / "workflows").mkdir(parents=True)
        text = HEAD + "from _shared import NAME\n" + flow("a.v1").replace('"a.v1"', "NAME")
        write(tmp_path / stack, a=text, _shared=f'NAME = "{stack}.v1"\n')
    assert [names(tmp_path / stack) for stack in ("one", "two", "one")] == [["one.v1"], ["two.v1"], ["one.v1"]]


def test_dataclasses_in_a_workflow_file_find_their_module(folder: Path) -> None:
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n" + HEAD
    write(folder, a=text + "@dataclass(slots=True)\nclass Lead:\n    name: str\n" + flow("a.v1"))
    assert names(folder) == ["a.v1"]


def test_a_name_declared_twice_names_both_places(folder: Path) -> None:
    write(folder, a=HEAD + flow("a.v1"), b=HEAD + "\n" + flow("a.v1"))
    expected = Problem(
        "workflows/b.py:3",
        '@workflow("a.v1")',
        "this name is declared twice: at workflows/a.py:2 and at workflows/b.py:3",
        "give one of them another name, or the next version",
        "RUN003",
    )
    assert refused(folder) == [expected]


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        ("x = 1\nraise ValueError('no such thing')\n", "workflows/a.py:2", "ValueError: no such thing"),
        ("def f():\n    return 1 / 0\nf()\n", "workflows/a.py:2", "ZeroDivisionError: division by zero"),
        ("import json\njson.loads('{')\n", "workflows/a.py:2", "JSONDecodeError: Expecting property name"),
        ("import nosuchmodule\n", "workflows/a.py:1", "ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("import _broken\n", "workflows/_broken.py:2", "NameError: name 'nothing' is not defined"),
        ("import _unfinished\n", "workflows/_unfinished.py:1", "SyntaxError: '(' was never closed"),
        ("x = 1\nasync def f(:\n", "workflows/a.py:2", "SyntaxError: invalid syntax"),
        ("import sys\nsys.exit()\n", "workflows/a.py:2", "SystemExit"),
        ("x = '\0'\n", "workflows/a.py", "SyntaxError: source code string cannot contain null bytes"),
    ],
)
def test_what_a_file_raises_is_told_with_its_line(folder: Path, text: str, where: str, message: str) -> None:
    write(folder, a=text, _broken="\nnothing\n", _unfinished="f(\n")
    (problem,) = refused(folder)
    assert problem.where == where
    assert problem.message.startswith(message)
    assert problem.hint == f"mend {where.partition(':')[0]}, then start again"


def test_all_problems_come_at_once(folder: Path) -> None:
    write(folder, a="raise ValueError\n", b=HEAD + flow("no version"), c=HEAD + flow("c.v1") + flow("c.v1", "other"))
    assert [(each.where, each.message) for each in refused(folder)] == [
        ("workflows/a.py:1", "ValueError"),
        ("workflows/b.py:2", "a workflow's name is lower case with a version at its end"),
        ("workflows/c.py:4", "this name is declared twice: at workflows/c.py:2 and at workflows/c.py:4"),
    ]


def test_ctrl_c_is_not_swallowed(folder: Path) -> None:
    write(folder, a="raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        load_workflows(folder)
