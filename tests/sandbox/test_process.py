from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from mainstay.sandbox import Sandbox, SandboxError, SandboxProcess
from tests.sandbox.wire import GHL, call


def test_it_starts_serves_and_stops() -> None:
    process = SandboxProcess()
    with process as running:
        assert "gohighlevel" in running.sandbox.health()
        pid = running.pid
    assert not psutil.pid_exists(pid)
    with pytest.raises(SandboxError, match="does not run"):
        process.url("slack")


def test_it_listens_on_loopback_alone() -> None:
    with SandboxProcess() as process:
        listening = [c for c in psutil.Process(process.pid).net_connections() if c.status == psutil.CONN_LISTEN]
        assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


def test_a_taken_port_is_said_in_words() -> None:
    refused = pytest.raises(SandboxError, match="cannot listen on 127.0.0.1.*choose other ports")
    with socket.create_server(("127.0.0.1", 0)) as taken, refused:
        SandboxProcess(port=taken.getsockname()[1]).start()


def test_it_ends_with_the_process_that_started_it() -> None:
    script = (
        "import sys, time\n"
        "from mainstay.sandbox import SandboxProcess\n"
        "process = SandboxProcess().start()\n"
        "print(process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdin is not None
    sandbox = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    parent.stdin.close()
    psutil.wait_procs([sandbox], timeout=10)
    assert not sandbox.is_running() or sandbox.status() == psutil.STATUS_ZOMBIE


def test_the_port_file_and_the_first_line_say_the_same(tmp_path: Path) -> None:
    port_file = tmp_path / "ports.json"
    command = [sys.executable, "-m", "mainstay.sandbox", "--port-file", str(port_file)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert json.loads(port_file.read_text()) == said
        assert "slack" in Sandbox(f"http://127.0.0.1:{said['http']}").health()
    finally:
        process.terminate()
        assert process.wait(timeout=10) == 0
        if process.stdout is not None:
            process.stdout.close()


def test_the_request_log_is_bounded_and_without_secrets() -> None:
    with SandboxProcess(keep_requests=3) as process:
        url = process.url("gohighlevel") + "/contacts/search/duplicate?locationId=loc&email=a%40example.com"
        for _ in range(5):
            call("GET", url, headers=GHL)
        requests = process.sandbox.requests("gohighlevel")
        assert [request["seq"] for request in requests] == [3, 4, 5]
        assert process.sandbox.request_count("gohighlevel") == 5
        assert requests[0]["headers"]["Authorization"] == "Bearer [redacted]"
        assert requests[0]["url"].endswith("email=a%40example.com")
        assert "pit-1" not in json.dumps(requests)


def test_ids_are_the_same_on_every_run(sandbox: Sandbox) -> None:
    def ids() -> list[str]:
        sandbox.reset()
        sandbox.seed("gohighlevel", "contacts", [{"locationId": "loc", "email": f"{n}@example.com"} for n in range(3)])
        return [contact["id"] for contact in sandbox.state("gohighlevel")["contacts"]]

    assert ids() == ids()
    assert len(set(ids())) == 3


async def test_the_async_client_does_the_same(sandbox_process: SandboxProcess, sandbox: Sandbox) -> None:
    aio = sandbox_process.aio
    assert await aio.seed("hubspot", "contacts", [{"email": "a@example.com"}]) == 1
    assert (await aio.state("hubspot"))["contacts"][0]["properties"]["email"] == "a@example.com"
    number = await aio.set_fault("slack", "status", status=500)
    assert sandbox.faults()[0]["id"] == number
    assert await aio.clear("slack") == 1


@pytest.mark.parametrize(
    ("vendor", "record", "change"),
    [
        ("gohighlevel", {"id": "abc", "locationId": "loc", "email": "a@example.com"}, {"firstName": "A"}),
        ("hubspot", {"id": "77", "properties": {"email": "a@example.com"}}, {"properties": {"firstname": "A"}}),
    ],
)
def test_a_record_is_seeded_under_its_own_id_and_again(
    sandbox: Sandbox, vendor: str, record: dict[str, Any], change: dict[str, Any]
) -> None:
    sandbox.seed(vendor, "contacts", [record])
    sandbox.seed(vendor, "contacts", [record | change])
    contacts = sandbox.state(vendor)["contacts"]
    assert [contact["id"] for contact in contacts] == [record["id"]]
    assert "A" in json.dumps(contacts)


def test_a_wrong_setting_or_path_is_refused_in_words(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="no setting 'lag'; there are .*properties"):
        sandbox.configure("hubspot", lag=1)
    with pytest.raises(SandboxError, match="search_lag_ms is of type int"):
        sandbox.configure("hubspot", search_lag_ms="1")
    with pytest.raises(SandboxError, match="no vendor 'nobody'; there are .*gohighlevel"):
        sandbox.state("nobody")
    with pytest.raises(SandboxError, match="slack has no channels to seed"):
        sandbox.seed("slack", "channels", [])


def test_a_sandbox_that_is_not_there_is_said_in_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(SandboxError, match="is it running"):
        Sandbox(f"http://127.0.0.1:{port}").health()
