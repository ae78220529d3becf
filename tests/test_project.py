"""The repository holds to its own rules: what is in git, what is pinned, what the pages link to."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from urllib.parse import unquote

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400
# A file that may be longer stands here with its reason.
LONGER: dict[str, str] = {}
NOT_OURS = {"node_modules", "__pycache__", "build", "dist", "htmlcov"}

# Written apart, so that this file does not hold what it looks for.
REGISTRY_HOSTS = ["pypi." + "org", "python" + "hosted", "npmjs." + "org", "npmjs." + "com", "deb.debian." + "org"]
MACHINE_PATHS = re.compile(r"(?<![\w./~$}>-])/" + r"(?:work|root|home/\w+|Users/\w+)/")


@cache
def project_files() -> tuple[Path, ...]:
    """Return what is, or would be, in git; without a checkout, all but hidden folders and what tools make."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listing.returncode == 0 and (ROOT / ".git").exists():
        names = [name.decode() for name in listing.stdout.split(b"\0") if name]
        return tuple(sorted(path for path in {ROOT / name for name in names} if path.is_file()))
    hidden = {".ci", ".github"}
    found = []
    for path in sorted(ROOT.rglob("*")):
        folders = path.relative_to(ROOT).parts[:-1]
        if path.is_file() and all(name in hidden or (name[0] != "." and name not in NOT_OURS) for name in folders):
            found.append(path)
    return tuple(found)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def text_of(path: Path) -> str:
    """Return a file's text, or nothing of a binary file."""
    content = path.read_bytes()
    return "" if b"\0" in content else content.decode(errors="replace")


def test_the_list_of_files_is_not_empty() -> None:
    names = {name_of(path) for path in project_files()}
    assert {"pyproject.toml", "dev.py", "src/mainstay/errors.py"} <= names
    assert not [name for name in names if name.startswith((".venv/", ".uv/", ".git/"))]


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = []
    for path in project_files():
        for number, line in enumerate(text_of(path).splitlines(), 1):
            if any(host in line for host in REGISTRY_HOSTS) or MACHINE_PATHS.search(line):
                found.append(f"{name_of(path)}:{number}: {line.strip()[:100]}")
    assert found == []


@pytest.mark.parametrize(
    "line", ["cd /" + "work/main", "HOME=/" + "root/x", '"/' + 'home/me/x"', "see /" + "Users/me/y"]
)
def test_a_path_of_one_machine_is_recognised(line: str) -> None:
    assert MACHINE_PATHS.search(line)


@pytest.mark.parametrize("line", ["https://vendor.example/work/1", "src/root/x", "../work/x", "/in/acme/website"])
def test_a_path_in_an_address_or_in_the_project_is_not(line: str) -> None:
    assert not MACHINE_PATHS.search(line)


def test_source_files_stay_short() -> None:
    too_long = {}
    for path in project_files():
        name = name_of(path)
        if name.startswith("src/") and path.suffix == ".py" and name not in LONGER:
            lines = len(text_of(path).splitlines())
            if lines >= MAX_LINES:
                too_long[name] = lines
    assert too_long == {}


def test_each_fault_names_tests_that_are_there() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text().partition("## Faults")[2].partition("\n## ")[0]
    rows = [line.rstrip("| ").rpartition("|") for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    named = {fault.strip("| "): re.findall(r"`((?:tests/|bench/|test_)[\w/.]+)`", tests) for fault, _, tests in rows}
    assert [fault for fault, tests in named.items() if not tests] == ["everything at once, at random"]
    paths = {name if "/" in name else f"tests/faults/{name}.py" for tests in named.values() for name in tests}
    assert sorted(path for path in paths if not (ROOT / path).is_file()) == []


def test_the_changelog_has_a_place_for_the_next_change() -> None:
    assert re.search(r"^## \[Unreleased\]$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_dev_py_can_be_read_by_a_python_that_is_too_old_for_it() -> None:
    ast.parse((ROOT / "dev.py").read_text(), feature_version=(3, 7))


class TestLock:
    @staticmethod
    def pins(name: str) -> dict[str, Requirement]:
        """Return the pins of a lock file by package; one package may stand there once only."""
        pins: dict[str, Requirement] = {}
        for block in re.split(r"\n(?=\S)", (ROOT / name).read_text()):
            requirement, *rest = block.replace("\\\n", "").splitlines()[0].split(" --hash=")
            assert rest, f"{name}: {requirement} has no hash"
            assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", digest) for digest in map(str.strip, rest))
            pin = Requirement(requirement)
            assert [each.operator for each in pin.specifier] == ["=="], f"{name}: {requirement} is not exact"
            assert canonicalize_name(pin.name) not in pins, f"{name}: {pin.name} stands there twice"
            pins[canonicalize_name(pin.name)] = pin
        return pins

    @staticmethod
    def wanted(*groups: str, project: bool) -> list[Requirement]:
        """Return what pyproject.toml asks for directly."""
        data = tomllib.loads((ROOT / "pyproject.toml").read_text())
        entries = list(data["project"]["dependencies"]) if project else []
        entries += [entry for group in groups for entry in data["dependency-groups"][group] if isinstance(entry, str)]
        return [Requirement(entry) for entry in entries]

    @pytest.mark.parametrize(
        ("name", "groups", "project"),
        [
            ("requirements.txt", ["build"], True),
            ("requirements-dev.txt", ["build", "dev"], True),
            ("requirements-uv.txt", ["uv"], False),
        ],
    )
    def test_every_direct_dependency_is_pinned_to_a_version_it_allows(
        self, name: str, groups: list[str], project: bool
    ) -> None:
        pins = self.pins(name)
        out_of_step = []
        for requirement in self.wanted(*groups, project=project):
            pin = pins.get(canonicalize_name(requirement.name))
            version = next(iter(pin.specifier)).version if pin else None
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                out_of_step.append(f"{requirement} is pinned to {version}; run: python3 dev.py lock")
        assert out_of_step == []

    def test_the_product_runs_on_the_versions_it_is_tested_on(self) -> None:
        tested = self.pins("requirements-dev.txt")
        assert {name: str(pin) for name, pin in self.pins("requirements.txt").items()}.items() <= {
            name: str(pin) for name, pin in tested.items()
        }.items()

    def test_the_build_backend_is_pinned_too(self) -> None:
        data = tomllib.loads((ROOT / "pyproject.toml").read_text())
        assert data["build-system"]["requires"] == data["dependency-groups"]["build"]

    def test_every_package_that_the_product_imports_is_a_dependency_of_its_own(self) -> None:
        declared = {canonicalize_name(requirement.name) for requirement in self.wanted(project=True)}
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        declared |= {canonicalize_name(Requirement(text).name) for texts in extras.values() for text in texts}
        sources = packages_distributions()
        undeclared = {}
        for path in project_files():
            if not name_of(path).startswith("src/") or path.suffix != ".py" or "tests" in path.parts:
                continue
            for module in imported(path) - sys.stdlib_module_names - {"mainstay"}:
                if not declared & {canonicalize_name(name) for name in sources.get(module, [])}:
                    undeclared[module] = name_of(path)
        assert undeclared == {}


def imported(path: Path) -> set[str]:
    """Return the top-level packages that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text_of(path))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


class TestLinks:
    LINK = re.compile(r"(?<!`)\[[^\]\n]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)|(?:src|href)=\"([^\"]+)\"")
    HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
    CODE = re.compile(r"^```.*?^```|^ {4,}.*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)

    @classmethod
    def anchors(cls, page: Path) -> set[str]:
        """Return the anchors that a page's headings get when it is shown."""
        plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in cls.HEADING.findall(page.read_text()))
        return {heading.strip().replace(" ", "-") for heading in plain}

    @classmethod
    def broken(cls, page: Path) -> list[str]:
        """Return the links of a page that lead nowhere inside the project."""
        # Code is blanked, not its fences alone: a bracket in an example is no link.
        text = cls.CODE.sub("", page.read_text())
        broken = []
        for match in cls.LINK.finditer(text):
            link = match[1] or match[2]
            if re.match(r"[a-z][a-z0-9+.-]*:|//", link):
                continue
            path, _, anchor = unquote(link).partition("#")
            target = page.parent / path if path else page
            if not target.exists() or (anchor and target.suffix == ".md" and anchor not in cls.anchors(target)):
                broken.append(link)
        return broken

    def test_every_link_between_pages_leads_somewhere(self) -> None:
        pages = [path for path in project_files() if path.suffix == ".md"]
        broken = {name_of(page): found for page in pages if (found := self.broken(page))}
        assert pages
        assert broken == {}

    def test_a_broken_link_is_found(self, tmp_path: Path) -> None:
        (tmp_path / "other.md").write_text("# Set up, run & test\n")
        page = tmp_path / "page.md"
        page.write_text(
            "[a](other.md) [b](other.md#set-up-run--test) ![c](gone.png) [d](other.md#gone) `[e](code.md)`\n"
            '<img src="gone.svg"> [f](https://vendor.example/x)\n\n    [g](code.md)\n'
        )
        assert self.broken(page) == ["gone.png", "other.md#gone", "gone.svg"]
