"""The embedded server, with real processes: who shares it, who stops it, what survives which death."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import psycopg
import pytest

from mainstay.db.embedded import EmbeddedServer, EmbeddedServerError, binaries, cluster, program_folder
from mainstay.db.embedded.account import WORKING_DIRECTORY

DEADLINE = 60.0

AS_ROOT = os.geteuid() == 0

USER = """
import sys
from pathlib import Path
from mainstay.db.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]) / ".mainstay")
for line in sys.stdin:
    print({"start": server.start, "stop": server.stop}[line.strip()](), flush=True)
"""


class User:
    """A process of its own that starts and stops the server when told to."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, what: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def start(self) -> str:
        self.ask("start")
        return self.answer()

    def stop(self) -> None:
        self.ask("stop")
        assert self.answer() == "None"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder whose database was made and shut down: the tests copy it, which is quicker than making one."""
    folder = tmp_path_factory.mktemp("made")
    with EmbeddedServer(folder / ".mainstay"):
        pass
    return folder


@pytest.fixture(autouse=True)
def short(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary directory, ours and that of the processes we start, in which short ways to sockets are made."""
    folder = tmp_path_factory.mktemp("t")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Iterator[Path]:
    target = tmp_path / "project"
    copy_project(made, target)
    yield target
    for process in servers(target):
        with suppress(psutil.NoSuchProcess):
            process.kill()


@pytest.fixture
def user(folder: Path) -> Iterator[Callable[[], User]]:
    users: list[User] = []

    def new() -> User:
        users.append(User(folder))
        return users[-1]

    yield new
    for each in users:
        each.close()


def copy_project(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.lock"))


def servers(folder: Path) -> list[psutil.Process]:
    data = folder / ".mainstay/postgres/data"
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.name() == "postgres" and data.samefile(process.cwd()):
                found.append(process)
    return found


def postmaster(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / ".mainstay/postgres/data/postmaster.pid").read_text().splitlines()[0]))


def kill(process: psutil.Process) -> None:
    """By SIGKILL, and wait for the kernel to have done it; its parent has yet to notice."""
    process.kill()
    until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def write(dsn: str, value: int) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS lead (id int)")
        connection.execute("INSERT INTO lead VALUES (%s)", [value])


def read(dsn: str) -> list[int]:
    with psycopg.connect(dsn) as connection:
        return [row[0] for row in connection.execute("SELECT id FROM lead ORDER BY id")]


def test_the_first_start_makes_the_database_with_unicode_and_durable_settings(tmp_path: Path) -> None:
    with EmbeddedServer(tmp_path / ".mainstay") as server, psycopg.connect(server.start()) as connection:
        row = connection.execute(
            """SELECT current_database(), pg_encoding_to_char(encoding), datlocprovider::text, datlocale, upper('ä'),
                      current_setting('fsync'), current_setting('synchronous_commit'), current_setting('TimeZone'),
                      current_setting('server_version_num')::int / 10000, current_setting('listen_addresses')
               FROM pg_database WHERE datname = current_database()"""
        ).fetchone()
    assert row == ("mainstay", "UTF8", "b", "C.UTF-8", "Ä", "on", "on", "UTC", 18, "")
    assert servers(tmp_path) == []
    assert not list((tmp_path / ".mainstay/postgres").glob("data-new-*"))


async def test_the_dsn_serves_asyncpg_whatever_the_environment_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGHOST", "nowhere.invalid")
    monkeypatch.setenv("PGDATABASE", "other")
    with EmbeddedServer(folder / ".mainstay") as server:
        connection = await asyncpg.connect(server.start())
        assert await connection.fetchval("SELECT current_database()") == "mainstay"
        await connection.close()


def test_starting_twice_returns_the_same_and_one_stop_ends_it(folder: Path) -> None:
    server = EmbeddedServer(folder / ".mainstay")
    first = server.start()
    pid = postmaster(folder).pid
    assert server.start() == first
    assert postmaster(folder).pid == pid
    server.stop()
    server.stop()
    assert servers(folder) == []


def test_two_in_one_process_share_it(folder: Path) -> None:
    with EmbeddedServer(folder / ".mainstay") as one:
        with EmbeddedServer(folder / ".mainstay"):
            pass
        write(one.start(), 1)
    assert servers(folder) == []


def test_two_processes_share_it_and_the_last_to_leave_stops_it(folder: Path, user: Callable[[], User]) -> None:
    one, two = user(), user()
    dsn = one.start()
    assert two.start() == dsn
    write(dsn, 1)
    one.stop()
    write(dsn, 2)  # the one that started it has left, and it lives on
    two.stop()
    assert servers(folder) == []


def test_a_user_that_ends_without_stopping_has_left(folder: Path, user: Callable[[], User]) -> None:
    one = user()
    one.start()
    one.process.communicate()  # its input ends, and so does it
    assert one.process.returncode == 0
    assert servers(folder) == []


def test_a_killed_user_does_not_keep_it_alive(folder: Path, user: Callable[[], User]) -> None:
    killed, other = user(), user()
    dsn = killed.start()
    write(dsn, 1)
    pid = postmaster(folder).pid
    killed.kill()
    assert other.start() == dsn
    assert postmaster(folder).pid == pid  # taken over, not started anew
    assert read(dsn) == [1]
    other.stop()
    assert servers(folder) == []


def test_a_user_killed_while_starting_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    killed = User(tmp_path)
    killed.ask("start")
    until(lambda: bool(list(tmp_path.glob(".mainstay/postgres/data-new-*/global"))))
    killed.kill()
    killed.close()
    with EmbeddedServer(tmp_path / ".mainstay") as server:
        write(server.start(), 1)
    assert servers(tmp_path) == []
    assert not list((tmp_path / ".mainstay/postgres").glob("data-new-*"))


def test_after_the_server_is_killed_the_very_next_start_succeeds_and_nothing_is_lost(
    folder: Path, user: Callable[[], User]
) -> None:
    one = user()
    dsn = one.start()
    for value in range(8):
        write(dsn, value)
        kill(postmaster(folder))
        assert one.start() == dsn  # at once, in the process that is its parent
    assert read(dsn) == list(range(8))
    kill(postmaster(folder))
    two = user()
    two.start()  # at once, in another
    assert read(dsn) == list(range(8))
    two.stop()
    assert servers(folder)
    one.stop()
    assert servers(folder) == []


def test_a_child_that_outlives_a_killed_server_is_ended(
    folder: Path, user: Callable[[], User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "ORPHANS_MAY", 0.3)
    dsn = user().start()
    write(dsn, 1)
    with psycopg.connect(dsn, autocommit=True) as busy:
        backend = psutil.Process(busy.info.backend_pid)
        backend.suspend()  # cannot see that its server is gone
        kill(postmaster(folder))
        with EmbeddedServer(folder / ".mainstay") as server:
            assert read(server.start()) == [1]
        assert not backend.is_running() or backend.status() == psutil.STATUS_ZOMBIE


def test_a_server_somebody_told_to_stop_is_replaced(
    folder: Path, user: Callable[[], User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "ORPHANS_MAY", 0.3)
    dsn = user().start()
    with psycopg.connect(dsn):  # holds up the gentle end
        old = postmaster(folder)
        old.terminate()
        until(lambda: "stopping" in (folder / ".mainstay/postgres/data/postmaster.pid").read_text())
        with EmbeddedServer(folder / ".mainstay") as server:
            write(server.start(), 1)
            assert postmaster(folder).pid != old.pid


def test_what_a_reboot_left_behind_does_not_matter(folder: Path) -> None:
    data = folder / ".mainstay/postgres/data"
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)  # has the number now
    try:
        for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
            (data / name).write_text(f"{other.pid}\n{data}\n1700000000\n5432\n.\n\n  1 1\nready\n")
        (data / ".s.PGSQL.5432").touch()
        with EmbeddedServer(folder / ".mainstay") as server:
            write(server.start(), 1)
        assert other.poll() is None
    finally:
        other.communicate()


def test_five_processes_start_at_once(tmp_path: Path) -> None:
    users = [User(tmp_path) for _ in range(5)]
    try:
        for each in users:
            each.ask("start")
        dsns = {each.answer() for each in users}
        assert len(dsns) == 1
        write(dsns.pop(), 1)
        for each in users:
            each.ask("stop")
        assert [each.answer() for each in users] == ["None"] * 5
        assert servers(tmp_path) == []
    finally:
        for each in users:
            each.close()


@pytest.mark.parametrize("name", ["long-" + "x" * 120, "a, b & c'd %20+ü"])
def test_any_path_will_do(made: Path, tmp_path: Path, name: str, short: Path) -> None:
    folder = tmp_path / name
    copy_project(made, folder)
    with EmbeddedServer(folder / ".mainstay") as server:
        dsn = server.start()
        write(dsn, 1)
        with EmbeddedServer(folder / ".mainstay") as other:
            assert other.start() == dsn
        assert read(dsn) == [1]
    assert servers(folder) == []
    assert list(short.glob("*/*")) == []


def test_a_foreign_folder_on_the_short_way_is_refused(made: Path, tmp_path: Path, short: Path) -> None:
    (short / f"mainstay-{os.geteuid()}").mkdir()
    (short / f"mainstay-{os.geteuid()}").chmod(0o777)
    copy_project(made, tmp_path / ("x" * 120))
    with pytest.raises(EmbeddedServerError, match="open to others"):
        EmbeddedServer(tmp_path / ("x" * 120) / ".mainstay").start()
    assert servers(tmp_path / ("x" * 120)) == []


def test_nobody_else_reaches_the_socket_or_the_data(folder: Path) -> None:
    with EmbeddedServer(folder / ".mainstay"):
        data = folder / ".mainstay/postgres/data"
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        assert stat.S_IMODE((data / ".s.PGSQL.5432").stat().st_mode) == 0o700
        assert postmaster(folder).net_connections("inet") == []


def test_the_server_is_out_of_reach_of_the_terminal_and_knows_none_of_our_secrets(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_TOKEN", "very-secret")
    with EmbeddedServer(folder / ".mainstay"):
        server = postmaster(folder)
        assert os.getsid(server.pid) == server.pid != os.getsid(0)
        assert "CRM_TOKEN" not in server.environ()


def test_a_ctrl_c_to_the_whole_group_lets_a_user_finish(folder: Path) -> None:
    script = """
import signal, sys
from pathlib import Path
import psycopg
from mainstay.db.embedded import EmbeddedServer
with EmbeddedServer(Path(sys.argv[1]) / ".mainstay") as server:
    dsn = server.start()
    try:
        print("up", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        with psycopg.connect(dsn) as connection:
            connection.execute("CREATE TABLE last_words ()")
        print("written", flush=True)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.stdout.readline() == "written\n"
        assert process.wait() == 0
    assert servers(folder) == []


def test_a_forked_child_is_no_user(folder: Path, user: Callable[[], User]) -> None:
    script = """
import os, sys
from pathlib import Path
from mainstay.db.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]) / ".mainstay")
server.start()
if os.fork() == 0:
    server.stop()  # not its to stop
    print("forked", flush=True)
    sys.stdin.read()
    os._exit(0)
os.wait()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        assert parent.stdout.readline() == "forked\n"
        assert servers(folder)
        parent.kill()
        parent.wait()
        other = user()  # the child lives on, and holds nothing
        other.start()
        other.stop()
        assert servers(folder) == []


def test_logs_do_not_grow_for_ever_and_quote_no_data(folder: Path) -> None:
    logs = folder / ".mainstay/postgres/data/log"
    with EmbeddedServer(folder / ".mainstay") as server, psycopg.connect(server.start(), autocommit=True) as connection:
        connection.execute("CREATE TABLE contact (email text PRIMARY KEY)")
        connection.execute("INSERT INTO contact VALUES ('ann@example.com')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO contact VALUES ('ann@example.com')")
    text = "".join(path.read_text() for path in logs.iterdir())
    assert "duplicate key value" in text
    assert "ann@example.com" not in text
    for path in logs.iterdir():
        os.truncate(path, 100_000_000)
    (logs / "postgresql-Old.log").touch()
    os.utime(logs / "postgresql-Old.log", (0, 0))
    with EmbeddedServer(folder / ".mainstay"):
        assert sum(path.stat().st_size for path in logs.iterdir()) < 100_000
        assert not (logs / "postgresql-Old.log").exists()


def test_a_long_wait_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainstay.db.embedded.locks.FIRST_WORD", 0.0)
    monkeypatch.setattr("mainstay.db.embedded.locks.NEXT_WORD", 0.0)
    said: list[str] = []
    with EmbeddedServer(folder / ".mainstay"):
        kill(postmaster(folder))
        EmbeddedServer(folder / ".mainstay", on_wait=said.append).start()
    assert any("recover" in sentence for sentence in said)


def test_data_of_another_version_is_refused_with_the_mend(folder: Path) -> None:
    (folder / ".mainstay/postgres/data/PG_VERSION").write_text("12\n")
    with pytest.raises(EmbeddedServerError, match=r"PostgreSQL 12.*pg_upgrade"):
        EmbeddedServer(folder / ".mainstay").start()


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    (folder / ".mainstay/postgres/data/global/pg_control").unlink()
    with pytest.raises(EmbeddedServerError, match=r"pg_control|control file"):
        EmbeddedServer(folder / ".mainstay").start()
    assert servers(folder) == []


def test_a_place_where_nothing_can_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / ".mainstay").write_text("a file")
    with pytest.raises(EmbeddedServerError, match="DATABASE_URL"):
        EmbeddedServer(tmp_path / ".mainstay").start()


def test_a_server_of_somebody_else_on_the_data_is_told_and_left_alone(folder: Path) -> None:
    with EmbeddedServer(folder / ".mainstay") as server:
        dsn = server.start()
        (folder / ".mainstay/postgres/server.lock").unlink()  # as if it had been started by hand, without the lock
        pid = postmaster(folder).pid
        with (folder / ".mainstay/postgres/data/postmaster.pid").open() as before:
            with pytest.raises(EmbeddedServerError, match=f"kill -INT {pid}"):
                EmbeddedServer(folder / ".mainstay").start()
            assert before.read().startswith(f"{pid}\n")
        write(dsn, 1)
    assert servers(folder) == []


def test_the_client_programs_work_with_the_dsn(folder: Path) -> None:
    with EmbeddedServer(folder / ".mainstay") as server:
        write(server.start(), 7)
        dump = subprocess.run(
            [program_folder() / "pg_dump", server.start()], check=True, capture_output=True, text=True
        ).stdout
    assert "CREATE TABLE public.lead" in dump


def is_deleted(folder: Path) -> bool:
    """Delete a folder; False when something was written there meanwhile."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def test_a_deleted_folder_does_not_hang_the_stop(folder: Path) -> None:
    with EmbeddedServer(folder / ".mainstay"):
        server = postmaster(folder)
        until(lambda: is_deleted(folder))
    assert not server.is_running()


@pytest.mark.skipif(not AS_ROOT, reason="root only")
def test_root_works_in_a_closed_home_and_opens_no_folder(made: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    folder = home / "project"
    copy_project(made, folder)
    folder.chmod(0o700)
    parents = [path for path in (folder / ".mainstay/postgres").parents if path != Path("/")]
    before = {path: path.stat().st_mode for path in parents}
    with EmbeddedServer(folder / ".mainstay") as server:
        with psycopg.connect(server.start()) as connection:
            assert connection.execute("SHOW data_directory").fetchone() == (WORKING_DIRECTORY,)
            assert connection.execute("SELECT count(*) > 100 FROM pg_timezone_names").fetchone() == (True,)
        assert postmaster(folder).uids().real == pwd.getpwnam("nobody").pw_uid
    assert {path: path.stat().st_mode for path in parents} == before


@pytest.mark.skipif(not AS_ROOT, reason="root only")
def test_root_keeps_the_account_that_owns_the_data(folder: Path) -> None:
    data = folder / ".mainstay/postgres/data"
    daemon = pwd.getpwnam("daemon")
    for path in (data, *data.rglob("*")):
        os.chown(path, daemon.pw_uid, daemon.pw_gid)
    with EmbeddedServer(folder / ".mainstay") as server:
        write(server.start(), 1)
        assert postmaster(folder).uids().real == daemon.pw_uid


@pytest.mark.skipif(not AS_ROOT, reason="root only")
def test_root_runs_from_a_copy_where_the_programs_are_out_of_reach(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = program_folder().parent.parent
    closed = tmp_path / "closed"
    shutil.copytree(package, closed / package.name, ignore=shutil.ignore_patterns("pginstall", "*.a", "include"))
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs")
    closed.chmod(0o700)
    # Pytest's own folders are closed to others, and the cache must not be.
    cache = Path(f"/var/tmp/mainstay-test-{os.getpid()}")  # noqa: S108
    monkeypatch.setattr(binaries, "CACHE", cache)
    monkeypatch.syspath_prepend(str(closed))
    try:
        shutil.rmtree(folder / ".mainstay/postgres/data")  # initdb too
        for _ in range(2):
            with EmbeddedServer(folder / ".mainstay") as server:
                write(server.start(), 1)
                assert postmaster(folder).exe().startswith(f"{cache}/postgres18-")
        assert len(list(cache.iterdir())) == 1
        cache.chmod(0o777)
        with pytest.raises(EmbeddedServerError, match="cannot be trusted"):
            EmbeddedServer(folder / ".mainstay").start()
    finally:
        shutil.rmtree(cache)
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
