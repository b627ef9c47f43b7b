"""Processes that are forked with their imports done behave as ones that `subprocess` starts."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time

import pytest

pytestmark = [
    pytest.mark.usefixtures("preloaded"),
    pytest.mark.skipif(sys.platform != "linux", reason="process descriptors are Linux's"),
]


def start(code, *words, **options):
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.Popen([sys.executable, "-c", code, *words], **settings)


def test_code_folder_environment_and_streams_are_the_callers(tmp_path):
    code = "import os, sys; print(os.getcwd(), sys.argv[1:], os.environ['WORD'], input()); sys.exit(7)"
    process = start(code, "a", "b c", cwd=tmp_path, stdin=subprocess.PIPE, env={**os.environ, "WORD": "said"})
    assert process.communicate("line\n") == (f"{tmp_path} ['a', 'b c'] said line\n", "")
    assert process.returncode == 7


def test_imports_are_done():
    printed, _ = start("import sys; print('torch' in sys.modules)").communicate()
    assert printed == "True\n"


def test_an_exception_is_a_traceback_and_exit_code_1():
    process = start("1 / 0")
    assert "ZeroDivisionError" in process.communicate()[1]
    assert process.returncode == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_reach_it_and_end_both(number):
    process = start("import time; print(1, flush=True); time.sleep(60)")
    process.stdout.readline()
    process.send_signal(number)
    process.communicate(timeout=20)
    assert process.returncode == -number


def test_killing_it_kills_what_it_stands_for():
    process = start("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    forked = int(process.stdout.readline())
    process.kill()
    process.communicate()
    end = time.monotonic() + 20
    while os.path.exists(f"/proc/{forked}") and time.monotonic() < end:  # noqa: PTH110 - no file of a file system
        time.sleep(0.01)
    assert not os.path.exists(f"/proc/{forked}")  # noqa: PTH110


def test_limits_and_further_files_are_handed_over(tmp_path):
    reading, writing = os.pipe()
    code = (
        "import os, resource, sys\n"
        "os.write(int(sys.argv[1]), str(resource.getrlimit(resource.RLIMIT_FSIZE)).encode())"
    )
    limited = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (12345, 12345))  # noqa: E731
    process = start(code, str(writing), pass_fds=[writing], preexec_fn=limited)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == "(12345, 12345)"
    assert process.communicate()[1] == ""


@pytest.mark.parametrize("asks", [False, True])
def test_clients_that_end_early_leave_the_server_at_work(fork_server, asks):
    """One is killed before it has asked for anything, one before it has been told its process."""
    job = {"arguments": ["-c", "pass"], "executable": sys.executable, "folder": os.getcwd(), "umask": 0o22}  # noqa: PTH109
    job |= {"environment": dict(os.environ), "numbers": [0, 1, 2], "limits": {}}
    for _ in range(5):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(fork_server)
            if asks:
                socket.send_fds(client, [json.dumps(job).encode()], [0, 1, 2])
    assert start("print(1)").communicate() == ("1\n", "")
