"""The command as a process: the port, overload, odd bodies, many bad requests, a quiet end."""

import contextlib
import http.client
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from typing import Any

import numpy as np
import pytest

import compoundnet as c
from compoundnet.export import random_weights
from compoundnet.serve.limits import Limits
from compoundnet.serve.line import Runner
from compoundnet.serve.port import listening
from compoundnet.serve.reading import Pixels
from compoundnet.serve.running import run

from .pictures import COFFEE
from .served import FORM, MODEL, Server, answered, form, head, serving, until

GOOD = form(COFFEE.read_bytes(), "coffee.png")


@pytest.fixture(scope="module")
def server() -> Generator[Server]:
    with serving("--megabytes", "1") as running:
        yield running


def test_the_first_line_says_what_is_served_and_where(server: Server) -> None:
    expected = f"compoundnet: serving {MODEL} on torch, 1 thread, one picture at a time: http://127.0.0.1:"
    assert server.line == f"{expected}{server.port}\n"
    assert server.get("/readyz").status == 200


def test_it_listens_on_this_machine_only(server: Server) -> None:
    with socket.socket() as sock:
        sock.settimeout(5)
        assert sock.connect_ex(("127.0.0.2", server.port)) != 0


def test_the_socket_says_that_it_is_tcp_so_that_asyncio_sends_small_answers_at_once() -> None:
    """Otherwise head and body of an answer go 40 ms apart."""
    with listening("127.0.0.1", 0) as sock:
        assert sock.proto == socket.IPPROTO_TCP


def test_a_port_in_use_is_one_line_and_exit_code_2(server: Server) -> None:
    command = [sys.executable, "-m", "compoundnet", "serve", MODEL, "--port", str(server.port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    remedy = "choose another with --port, or 0 for any free one"
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"compoundnet: error: port {server.port} on 127.0.0.1 is in use; {remedy}\n"


@pytest.mark.parametrize("declared", [True, False], ids=["with a length", "chunked"])
def test_a_body_over_the_limit_is_refused_while_it_arrives(server: Server, declared: bool) -> None:
    """The limit is 1 MB; of 40 MB sent in 64 kB pieces the server must not keep what is over it."""
    size, piece = 40_000_000, bytes(65536)
    before = server.memory_mb()
    with server.connect() as sock:
        sock.sendall(head("/predict", size if declared else None))
        for _ in range(size // len(piece)):
            sock.sendall(piece if declared else b"10000\r\n" + piece + b"\r\n")
        sock.sendall(bytes(size % len(piece)) if declared else b"0\r\n\r\n")
        reply = answered(sock)
    assert reply.status == 413
    assert "the limit is 1,000,000 bytes" in reply.json["error"]
    assert server.memory_mb() - before < 20


def test_a_chunked_body_within_the_limit_is_answered(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(head("/predict?top=1", None))
        for start in range(0, len(GOOD), 10_000):
            piece = GOOD[start : start + 10_000]
            sock.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        sock.sendall(b"0\r\n\r\n")
        assert answered(sock).json["top"][0]["label"] == "espresso"


@pytest.mark.parametrize("kind", ["cut in the body", "cut in a chunk", "cut in the head"])
def test_a_client_that_breaks_off_leaves_nothing_behind(server: Server, kind: str) -> None:
    start = head("/predict", 1000 if kind == "cut in the body" else None)
    with server.connect() as sock:
        sock.sendall(start[:30] if kind == "cut in the head" else start + b"ff\r\nabc")
    until(lambda: b"compoundnet_requests_at_work 0.0" in server.get("/metrics").body)
    assert server.post("/predict", GOOD).status == 200


def test_no_http_at_all_is_refused(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert answered(sock).status == 400
    assert server.get("/healthz").status == 200


@pytest.mark.slow
def test_too_many_requests_are_told_when_to_come_again_and_sigterm_finishes_what_was_begun() -> None:
    with serving("--queue", "1") as server, server.connect() as first:
        first.sendall(head("/predict?top=1", len(GOOD)) + GOOD[:1000])
        until(lambda: b"compoundnet_requests_at_work 1.0" in server.get("/metrics").body)

        refused = server.post("/predict", GOOD)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert refused.json == {"error": "1 request is at work; the limit is 1; try again later"}
        assert server.get("/selftest").status == 503
        assert server.get("/healthz").status == 200

        server.process.terminate()
        until(lambda: not connects(server.port))
        first.sendall(GOOD[1000:])
        reply = answered(first)
        assert (reply.status, reply.json["top"][0]["label"]) == (200, "espresso")
        assert server.process.wait(20) == 0
        assert server.process.stderr is not None
        assert server.process.stderr.read() == ""


SLOW = """
import time, compoundnet as c
from compoundnet.export import random_weights
from compoundnet.serve.limits import Limits
from compoundnet.serve.port import listening
from compoundnet.serve.running import run

def slow(x_NCHW):
    time.sleep(1)
    return x_NCHW[:, :, 0, 0]

model = random_weights(c.named("tiny"), "tiny")
with listening("127.0.0.1", 0) as sock:
    print(sock.getsockname()[1], flush=True)
    run(sock, model, slow, "slow", Limits(batch=1), lambda: print("ready"))
print("stopped")
"""


@pytest.mark.slow
def test_sigterm_during_the_selftest_ends_the_server_with_0_before_it_is_ready() -> None:
    command = [sys.executable, "-c", SLOW]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            until(lambda: answers(port, "/healthz"), 60)
            assert not answers(port, "/readyz")
            process.terminate()
            assert process.communicate(timeout=15) == ("stopped\n", "")
            assert process.returncode == 0
        finally:
            process.kill()


def answers(port: int, path: str) -> bool:
    """Whether the server answers with 200; no connection is kept."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except ConnectionRefusedError:
            return False


def out_of_order(_: Pixels) -> Any:
    raise RuntimeError("out of order")


def zeros(x_NCHW: Pixels) -> Any:
    return np.zeros((len(x_NCHW), 1000), np.float32)


@pytest.mark.parametrize(
    ("run_", "problem"),
    [
        (out_of_order, "the model failed: RuntimeError: out of order"),
        (zeros, "the engine's logits differ by 1 of the largest"),
    ],
    ids=["fails", "differs"],
)
def test_an_engine_that_fails_the_selftest_is_not_served(run_: Runner, problem: str) -> None:
    model = random_weights(c.named("tiny"), "tiny")
    with listening("127.0.0.1", 0) as sock, pytest.raises(ValueError, match=problem) as raised:
        run(sock, model, run_, "wrong", Limits(batch=1), lambda: pytest.fail("it was ready"))
    assert str(raised.value).endswith("; choose another with --engine")


@pytest.mark.slow
def test_threads_and_readers_are_by_the_cores_that_the_process_may_use_not_by_those_of_the_machine() -> None:
    command = [sys.executable, "-c", CONFINED, "serve", MODEL, "--port", "0", "--batch", "1", "--engine", "torch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert f"serving {MODEL} on torch, 1 thread, " in process.stdout.readline()
            process.terminate()
            assert process.communicate(timeout=20)[1] == "1 readers\n"
        finally:
            process.kill()


CONFINED = """
import os, sys, threading, time
os.cpu_count = lambda: 64
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from compoundnet.cli import main

def count():
    names = []
    while not any("_run_all" in name for name in names):  # begins last
        time.sleep(0.05)
        names = [thread.name for thread in threading.enumerate()]
    sys.stderr.write(f"{sum('_read_all' in name for name in names)} readers\\n")

threading.Thread(target=count, daemon=True).start()
sys.exit(main())
"""


def connects(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
def test_an_idle_server_that_measured_its_batches_stops_at_once_and_an_interrupted_one_says_so() -> None:
    import signal

    with serving("--batch", "2") as server, server.connect():
        found = r"(one picture at a time \(2 at once are|up to 2 pictures at once \()[ ]?[0-9.]+ times as fast\): http"
        assert re.search(found, server.line), server.line
        started = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) == 130
        assert time.monotonic() - started < 5
        assert server.process.stderr is not None
        assert server.process.stderr.read() == "compoundnet: error: interrupted\n"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--port", "99999"], "--port: 99999 is not a port; use 1 to 65535, or 0 for any free one"),
        (["--port", "x"], "--port: expected a whole number, got 'x'"),
        (["--host", "no.such.host.invalid"], "--host: 'no.such.host.invalid' is no address of this machine"),
        (["--host", "203.0.113.1", "--port", "0"], "cannot listen on 203.0.113.1 port 0: Cannot assign requested"),
        (["--port", "0", "--engine", "fast"], "unknown engine 'fast'"),
        (["--port", "0", "--queue", "0"], "queue: 0 is not a whole number of at least 1"),
        (["--port", "0", "--threads", "0"], "threads: 0 is not a whole number of at least 1"),
        (["--port", "0", "--wait", "-1"], "wait_ms: -1.0 is not between 0 and 10,000 milliseconds"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(
    capsys: pytest.CaptureFixture[str], options: list[str], problem: str
) -> None:
    from compoundnet.cli import main

    assert main(["serve", MODEL, *options]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"compoundnet: error: {problem}")


def test_a_model_that_does_not_exist_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    from compoundnet.cli import main

    assert main(["serve", "efficientnet_b0", "--port", "0"]) == 2
    assert capsys.readouterr().err.startswith("compoundnet: error: no weights come with efficientnet_b0")


def test_a_missing_extra_is_one_line_with_the_command_that_installs_it() -> None:
    script = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'uvicorn' else find(name, *rest)\n"
        f"from compoundnet.cli import main; sys.exit(main(['serve', {MODEL!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    remedy = "install it with: pip install 'compoundnet[serve]'"
    assert done.returncode == 2
    assert done.stderr == f"compoundnet: error: serving needs uvicorn, which is not installed; {remedy}\n"


def test_the_help_of_serve_loads_nothing_heavy() -> None:
    script = (
        "import sys; from compoundnet.cli import main; main(['serve', '--help'])\n"
        "sys.exit(bool({'torch', 'numpy', 'fastapi', 'uvicorn', 'PIL'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60, check=False).returncode == 0


def test_json_is_served_too(server: Server) -> None:
    import base64

    body = json.dumps({"image": base64.b64encode(COFFEE.read_bytes()).decode()}).encode()
    assert server.post("/predict", body, "application/json").json["top"][0]["label"] == "espresso"
    assert server.post("/predict", GOOD, FORM).json["top"][0]["label"] == "espresso"
