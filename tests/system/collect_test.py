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
import socket, time
server = socket.create_server(("127.0.0.1", 8080), backlog={LIMIT})
clients = []
for _ in range({LIMIT} + 20):
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", 8080))
    clients.append(client)
print("full", flush=True)
# Clients go on coming, a few of them at a time.
while True:
    time.sleep(0.2)
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", 8080))
    clients = clients[-100:] + [client]
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
    assert "packets-" not in run("tar", "tf", str(redacted)), "packets are taken only when asked for"

    captured = folder / "captured.tar.zst"
    run(ACCEPTQ, "collect", "--for", "1s", "--capture", "3s", "-o", str(captured))
    assert f"/packets-{netns}.pcap" in run("tar", "tf", str(captured))
    listener, = report_of(captured, f"netns:{netns}")["listeners"]
    assert listener["verdict"] != "healthy", listener
    assert sum(part["syn_unanswered"] for part in listener["course"]["parts"]) > 0, listener["course"]
    # The same by itself: what packets alone tell.
    run("tar", "xf", str(captured), "-C", str(folder))
    file, = folder.glob(f"*/packets-{netns}.pcap")
    server, = report_of(file, ":8080")["listeners"]
    assert server["captured"]["side"] == "both" and server["captured"]["never_answered"] > 0, server


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
