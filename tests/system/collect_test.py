#!/usr/bin/python3
"""`acceptq collect` writes what `check --from` then gives the same answer to.

collect_test.py ACCEPTQ: the binary. 77 where something is missing. A listener of the test's own overflows
meanwhile, in a network namespace of its own.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ACCEPTQ = sys.argv[1]
LIMIT = 3
OVERFLOW = f"""
import signal, socket
server = socket.create_server(("127.0.0.1", 8080), backlog={LIMIT})
clients = []
for _ in range({LIMIT} + 20):
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", 8080))
    clients.append(client)
print("full", flush=True)
signal.pause()
"""


def run(*command):
    result = subprocess.run(command, text=True, capture_output=True, timeout=60, check=False)
    assert result.returncode in (0, 1), result
    return result.stdout


def report_of(file, selector):
    return json.loads(run(ACCEPTQ, "check", "--from", str(file), "--json", selector))


def test(folder, netns):
    bundle = folder / "bundle.tar.zst"
    run(ACCEPTQ, "collect", "--for", "2s", "-o", str(bundle))
    run("tar", "xf", str(bundle), "-C", str(folder))
    recording, = folder.glob("*/observation.json")
    report = report_of(bundle, f"netns:{netns}")
    assert report == report_of(recording, f"netns:{netns}")
    assert [each["accept_queue"]["limit"] for each in report["listeners"]] == [LIMIT], report
    assert report["verdict"] != "healthy", report
    text = run("env", "LC_ALL=C.UTF-8", "COLUMNS=100", ACCEPTQ, "check", "--from", str(bundle), "--all",
               "--verbose")
    assert "8080" in text and "8080" in recording.with_name("report.txt").read_text()

    redacted = folder / "redacted.tar.zst"
    run(ACCEPTQ, "collect", "--for", "1s", "--redact", "-o", str(redacted))
    report = report_of(redacted, f"netns:{netns}")
    assert report["host"]["name"] == "host-1"
    assert [each["accept_queue"]["limit"] for each in report["listeners"]] == [LIMIT], report


def main():
    for program in ("unshare", "tar", "zstd"):
        if shutil.which(program) is None:
            print(f"skipped: no {program}")
            return 77
    if os.geteuid() != 0:
        print("skipped: needs root, to make a network namespace")
        return 77
    script = 'ip link set lo up && exec "$@"'
    server = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", script, "sh", sys.executable, "-c", OVERFLOW],
        stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "full\n"
        with tempfile.TemporaryDirectory(prefix="acceptq-collect-") as folder:
            test(pathlib.Path(folder), os.stat(f"/proc/{server.pid}/ns/net").st_ino)
    finally:
        server.kill()
        server.wait()
    return 0


sys.exit(main())
