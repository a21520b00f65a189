#!/usr/bin/python3
"""A real agent beside a real overflow: what it serves, how it is told things, how it ends.

agent_service_test.py ACCEPTQ: the binary. 77 where something is missing.
"""

import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ACCEPTQ = sys.argv[1]
LIMIT = 3
# What is told to overflow does so for each line that it reads.
SERVER = f"""
import socket, sys
open("/proc/self/comm", "w").write("shop-server")
server = socket.create_server(("127.0.0.1", 8080), backlog={LIMIT})
print("listens", flush=True)
clients = []
for line in sys.stdin:
    for _ in range({LIMIT} + 10):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", 8080))
        clients.append(client)
    print("full", flush=True)
"""
LABELS = 'netns="%s",address="127.0.0.1",port="8080",process="shop-server"'


def die_with_the_test():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def eventually(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {seconds} s")


class Server:
    """Listens in a network namespace of its own, and ends with the block."""

    def __enter__(self):
        self.process = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh",
             sys.executable, "-c", SERVER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_the_test)
        assert self.process.stdout.readline() == "listens\n"
        self.netns = os.stat(f"/proc/{self.process.pid}/ns/net").st_ino
        return self

    def overflow(self):
        self.process.stdin.write("now\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "full\n"

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Agent:
    def __init__(self, folder, *more):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.socket = str(folder / "run" / "agent.sock")
        self.config = folder / "agent.yaml"
        self.config.write_text(f"listen: 127.0.0.1:{self.port}\nsocket: {self.socket}\ninterval: 1s\n")
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen([ACCEPTQ, "agent", "--config", str(self.config), *more],
                                        stderr=self.log, preexec_fn=die_with_the_test)

    def get(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return None, ""

    def metric(self, name, labels):
        """The value of the series with exactly these labels; None where there is none."""
        match = re.search(rf"^{name}\{{{re.escape(labels)}\}} (\S+)$", self.get("/metrics")[1], re.M)
        return float(match[1]) if match else None

    def said(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text()


def refused(agent, labels):
    """Of all stages and reasons."""
    values = re.findall(rf"^acceptq_listener_refused_packets_total\{{{re.escape(labels)},[^}}]*\}} (\S+)$",
                        agent.get("/metrics")[1], re.M)
    return sum(map(float, values)) if values else None


def test_metrics(agent, folder):
    with Server() as server:
        labels = LABELS % server.netns
        assert eventually("the series is there", lambda: refused(agent, labels) is not None)
        assert refused(agent, labels) == 0, "at zero before the first refusal"
        assert agent.metric("acceptq_listener_accept_queue_limit", labels) == LIMIT
        server.overflow()
        eventually("refusals are counted", lambda: refused(agent, labels) > 0)
        eventually("the queue is full",
                   lambda: agent.metric("acceptq_listener_accept_queue_length", labels) == LIMIT + 1)

        def counted():
            text = agent.get("/metrics")[1]
            overflows = re.search(
                rf'^acceptq_netns_listen_overflows_total\{{netns="{server.netns}"\}} (\S+)$', text, re.M)
            packets = refused(agent, labels)
            return packets is not None and overflows is not None and packets == float(overflows[1])

        # Packets come again and again: at some look both are of one moment.
        eventually("no more is refused than the kernel counted", counted)

        # Clients come again after 1, 3 and 7 s: an observation of one second may lie between two.
        def told():
            server.overflow()
            report = json.loads(subprocess.run(
                [ACCEPTQ, "check", "--agent", "--agent-socket", agent.socket, "--json",
                 f"netns:{server.netns}"],
                text=True, capture_output=True, timeout=60, check=False).stdout)
            assert [each["port"] for each in report["listeners"]] == [8080], report
            return report["verdict"] == "overflowing"

        eventually("the observation in which it overflowed is handed over", told)
        before = refused(agent, labels)
    eventually("it is gone", lambda: agent.metric("acceptq_listener_observed", labels) == 0)
    assert agent.metric("acceptq_listener_accept_queue_length", labels) is None, "absent, not 0"
    assert refused(agent, labels) >= before, "what was counted stays"
    if shutil.which("promtool"):
        checked = subprocess.run(["promtool", "check", "metrics"], input=agent.get("/metrics")[1], text=True,
                                 capture_output=True, timeout=60, check=False)
        assert checked.returncode == 0, checked


def test_reload(agent):
    agent.config.write_text("interval: 1x\n")
    agent.process.send_signal(signal.SIGHUP)
    eventually("it says what is wrong", lambda: "all stays as it was" in agent.said())
    agent.config.write_text(
        f"listen: 127.0.0.1:{agent.port}\nsocket: {agent.socket}\ninterval: 2s\n")
    agent.process.send_signal(signal.SIGHUP)
    eventually("it reads it again", lambda: "were read again" in agent.said())
    assert agent.get("/metrics")[0] == 200


def test_end(agent):
    agent.process.send_signal(signal.SIGTERM)
    assert agent.process.wait(timeout=30) == 0
    assert not os.path.exists(agent.socket)


def test_refusals(agent, folder):
    second = subprocess.run([ACCEPTQ, "agent", "--config", str(agent.config)], text=True, capture_output=True,
                            timeout=60, check=False)
    assert second.returncode == 2 and str(agent.port) in second.stderr, second
    wrong = folder / "wrong.yaml"
    wrong.write_text("intervall: 5s\n")
    checked = subprocess.run([ACCEPTQ, "agent", "--config", str(wrong), "--check-config"], text=True,
                             capture_output=True, timeout=60, check=False)
    assert checked.returncode == 2 and "wrong.yaml:1" in checked.stderr and "interval" in checked.stderr, checked
    absent = subprocess.run([ACCEPTQ, "check", "--agent", "--agent-socket", str(folder / "none")], text=True,
                            capture_output=True, timeout=60, check=False)
    assert absent.returncode == 3 and "no agent answers" in absent.stderr, absent


def main():
    if os.geteuid() != 0:
        print("skipped: needs root, to make a network namespace")
        return 77
    with tempfile.TemporaryDirectory(prefix="acceptq-agent-") as name:
        folder = pathlib.Path(name)
        agent = Agent(folder)
        try:
            eventually("it is ready", lambda: agent.get("/readyz")[0] == 200)
            test_metrics(agent, folder)
            test_refusals(agent, folder)
            test_reload(agent)
            test_end(agent)
        except BaseException:
            print(agent.said())
            raise
        finally:
            agent.process.kill()
            agent.process.wait()
    return 0


sys.exit(main())
