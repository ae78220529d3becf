"""Run Mainstay, or its tests, from a fresh clone: Python 3.11 and pip are enough.

Usage: ``python3 dev.py COMMAND [ARGUMENT ...]``

    demo        the whole product in one command, on simulated vendors
    up          web and worker, for the stack.toml of the folder you are in
    test        all tests; arguments go to pytest
    lint        style and likely bugs (ruff), and the format
    format      mend what ruff can mend
    types       static types (mypy)
    contracts   which package may import which (import-linter)
    bench       measure one lead from end to end
    screenshots write the pictures of the docs anew, from the pages as they are
    chaos       break everything at random for some minutes, and check that nothing is lost
    setup       make the environment and stop
    lock        pin anew after a change in pyproject.toml; ``--upgrade`` takes newer versions

Each command first brings ``.venv`` in step with the requirements files, so that exactly the versions (and hashes) in
git are installed; when they are, that costs no time. uv does it: the one on PATH if it is the pinned version, else one
of the project's own under ``.uv``.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

if sys.version_info < (3, 11):
    # This file must parse on an old Python to be able to say this.
    sys.exit(
        "Mainstay needs Python 3.11 or newer, and this is "
        + ".".join(map(str, sys.version_info[:3]))
        + " ("
        + sys.executable
        + "). Where a newer one is installed, run it by its name: python3.11 dev.py demo"
    )

from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "mainstay-installed"
TOOLS = ROOT / ".uv"
WINDOWS = os.name == "nt"
SCRIPTS = VENV / ("Scripts" if WINDOWS else "bin")
PYTHON = SCRIPTS / ("python.exe" if WINDOWS else "python")

RUN_LOCK = ROOT / "requirements.txt"
DEV_LOCK = ROOT / "requirements-dev.txt"
UV_LOCK = ROOT / "requirements-uv.txt"

PRODUCT_COMMANDS = ("demo", "up")
CHECKS: Mapping[str, Sequence[Sequence[str]]] = {
    "test": [["pytest"]],
    "lint": [["ruff", "check"], ["ruff", "format", "--check"]],
    "format": [["ruff", "check", "--fix"], ["ruff", "format"]],
    "types": [["mypy"]],
    "contracts": [["lint-imports"]],
    "bench": [["python", str(ROOT / "bench" / "lead_intake.py")]],
    "screenshots": [["pytest", "tests/browser/test_screenshots.py", "--write-screenshots"]],
    "chaos": [["python", "-m", "tests.faults.chaos"]],
}
# Tests wait for PostgreSQL and for one another's processes as much as they compute, so there is one worker more than
# processors; with four a small machine's memory and the server's connections are still at ease.
ALL_TESTS = ("-n", str(min(4, (os.cpu_count() or 1) + 1)), "--dist", "worksteal")


def main(arguments: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    command, *rest = arguments or ["help"]
    if command in PRODUCT_COMMANDS:
        set_up(RUN_LOCK)
        return hand_over("mainstay", [command, *rest])
    if command in CHECKS:
        set_up(DEV_LOCK)
        if command == "test":
            rest = rest or list(ALL_TESTS)
        *first, last = CHECKS[command]
        failed = sum(call([SCRIPTS / tool, *options]) != 0 for tool, *options in first)
        if failed:
            return 1
        tool, *options = last
        return hand_over(tool, [*options, *rest], folder=ROOT)
    if command == "setup":
        set_up(DEV_LOCK)
        say(f"ready: {VENV}")
        return 0
    if command == "lock":
        return lock(rest)
    print(__doc__)
    return 0 if command in {"help", "-h", "--help"} else 2


def set_up(lock_file: Path) -> None:
    """Bring ``.venv`` in step with a lock file, or do nothing where it is already."""
    if installed(lock_file):
        return
    with one_at_a_time():
        if installed(lock_file):
            return
        uv, environment = find_uv()
        STAMP.unlink(missing_ok=True)
        if not usable():
            say("making .venv")
            must([uv, "venv", "--quiet", "--clear", "--python", sys.executable, VENV], environment)
        say(f"installing the versions pinned in {lock_file.name}")
        target = ["--python", str(PYTHON)]
        # --no-build: a build would fetch tools that no lock file pins.
        must([uv, "pip", "sync", *target, "--require-hashes", "--no-build", lock_file], environment)
        must([uv, "pip", "install", *target, "--quiet", "--no-deps", "--no-build-isolation", "-e", ROOT], environment)
        STAMP.write_text(f"{lock_file.name} {digest(lock_file)}\n")


def installed(lock_file: Path) -> bool:
    """Tell whether ``.venv`` holds what a lock file asks for; the developer's environment holds the product's too."""
    if not (STAMP.is_file() and PYTHON.exists()):
        return False
    stamp = STAMP.read_text().strip()
    return stamp in {f"{file.name} {digest(file)}" for file in {lock_file, DEV_LOCK}}


def digest(lock_file: Path) -> str:
    """Return all that an installation depends on, in one word; the folder too, since its scripts name it."""
    parts = [lock_file.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), str(ROOT).encode()]
    if lock_file == DEV_LOCK:
        parts.append(RUN_LOCK.read_bytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def usable() -> bool:
    """Tell whether there is an environment whose interpreter runs, is new enough, and was made for this very folder."""
    probe = "import sys; print(sys.version_info >= (3, 11))"
    try:
        # Scripts name their interpreter by its full path: a folder that was moved needs a new environment.
        made_here = str(VENV) in (SCRIPTS / "activate").read_text()
        answer = subprocess.run([PYTHON, "-c", probe], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return made_here and answer.stdout.strip() == "True"


def find_uv() -> tuple[str, Mapping[str, str]]:
    """Return the pinned uv, installing it with pip if need be, and the environment to run it in."""
    pinned = re.search(r"^uv==(\S+)", UV_LOCK.read_text(), re.MULTILINE)
    if pinned is None:
        raise SystemExit(f"dev.py: {UV_LOCK.name} pins no uv; git checkout {UV_LOCK.name}")
    environment = {"UV_PYTHON_DOWNLOADS": "never", **pip_settings(), **os.environ}
    on_path = shutil.which("uv")
    if on_path and version_of(on_path) == pinned[1]:
        return on_path, environment
    home = TOOLS / pinned[1]
    binary = home / "bin" / ("uv.exe" if WINDOWS else "uv")
    if not binary.is_file():
        install_uv(home)
    return str(binary), environment


def version_of(uv: str) -> str:
    """Return the version of a uv, or nothing where it does not run."""
    try:
        answer = subprocess.run([uv, "--version"], capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return ([*answer.stdout.split(), "", ""])[1]


def install_uv(home: Path) -> None:
    """Install uv into a folder of its own: no venv module needed, and an externally managed Python stays untouched."""
    say("installing uv")
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        raise SystemExit(
            f"dev.py: {sys.executable} has no pip. Mend: {sys.executable} -m ensurepip, or your system's package "
            "(Debian, Ubuntu: apt-get install python3-pip)."
        )
    with tempfile.TemporaryDirectory(dir=TOOLS) as half_done:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", half_done]
        pip += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(UV_LOCK)]
        must(pip, {**os.environ, "PIP_USER": "0", "PIP_ROOT_USER_ACTION": "ignore"})
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(half_done, home)


def pip_settings() -> dict[str, str]:
    """Return what pip is told about this network (a mirror, a certificate), in uv's words: uv reads no pip settings."""
    words = {"index-url": "UV_DEFAULT_INDEX", "cert": "SSL_CERT_FILE"}
    pip = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(pip, capture_output=True, text=True, check=False)
    settings = {}
    for line in listing.stdout.splitlines():
        key, _, value = line.partition("=")
        word = words.get(key.rpartition(".")[2])
        if word:
            settings[word] = value.strip("'\"")
    return settings


def lock(options: Sequence[str]) -> int:
    """Pin every version, with hashes, for every platform; a pin stays unless pyproject.toml or an option moves it."""
    with one_at_a_time():
        uv, environment = find_uv()
        compile_ = [uv, "pip", "compile", "--quiet", "--no-config", "--no-header", "--universal", "--generate-hashes"]
        compile_ += ["--python-version", "3.11", *options]
        must([*compile_, "pyproject.toml", "--group", "dev", "-o", DEV_LOCK.name], environment)
        must([*compile_, "pyproject.toml", "--group", "build", "-c", DEV_LOCK.name, "-o", RUN_LOCK.name], environment)
        must([*compile_, "--group", "uv", "-o", UV_LOCK.name], environment)
    say(f"pinned: {DEV_LOCK.name}, {RUN_LOCK.name}, {UV_LOCK.name}")
    return 0


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the set-up lock, so that two commands started together do not install into one another."""
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "lock").open("w") as file:
        if not WINDOWS:
            import fcntl  # noqa: PLC0415 - Windows has none

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for another dev.py that is setting up")
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def must(command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
    """Run a step of the set-up; its failure ends the script, with what to try."""
    if call(command, environment):
        raise SystemExit(
            "dev.py: the step above failed, and running the same command again goes on from there. If it could not "
            "reach the package index: behind a proxy set HTTPS_PROXY, with a certificate of your company's own set "
            "SSL_CERT_FILE, with a mirror set UV_DEFAULT_INDEX."
        )


def call(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> int:
    """Run a command in the project's folder; return its exit code."""
    return subprocess.run(list(map(str, command)), cwd=ROOT, env=environment, check=False).returncode


def hand_over(tool: str, arguments: Sequence[str], *, folder: Path | None = None) -> int:
    """Become the tool, so that signals and the exit code are its own."""
    if folder:
        os.chdir(folder)
    os.environ["PATH"] = f"{SCRIPTS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    command = [str(SCRIPTS / (tool + ".exe" if WINDOWS else tool)), *arguments]
    if WINDOWS:
        return subprocess.run(command, check=False).returncode
    return os.execv(command[0], command)


def say(message: str) -> None:
    """Tell progress on stderr: stdout belongs to the command."""
    print(f"dev.py: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
