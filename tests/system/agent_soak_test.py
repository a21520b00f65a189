#!/usr/bin/python3
"""An agent beside servers that come, overflow, hang and go at random: nothing that the kernel refused is lost, nothing
is invented, and memory and descriptors stay as they are.

agent_soak_test.py ACCEPTQ SECONDS [SEED]: the binary, and for how long. 77 where something is missing.
"""

import ctypes
import os
import pathlib
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ACCEPTQ = sys.argv[1]
SECONDS = int(sys.argv[2])
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 30)
NAME = f"soak-{os.getpid() % 100000}"  # the label `process`: at most 15 characters
SERVERS = 6
# "overflow" until "quiet", which says what the kernel dropped in this network namespace.
SERVER = f"""
import socket, sys
open("/proc/self/comm", "w").write("{NAME}")
limit, port = int(sys.argv[1]), int(sys.argv[2])
server = socket.create_server(("127.0.0.1", port), backlog=limit)
clients = []
print("listens", flush=True)
for line in sys.stdin:
    if line == "overflow\\n":
        for _ in range(limit + 20):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            clients.append(client)
        print("done", flush=True)
    else:
        for client in clients:
            client.close()
        with open("/proc/thread-self/net/netstat") as lines:
            names, values = [line.split() for line in lines if line.startswith("TcpExt:")]
        print(values[names.index("ListenDrops")], flush=True)
"""


def die_with_the_test():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Server:
    def __init__(self, chance):
        self.ends = time.monotonic() + chance.uniform(1, 8)
        self.overflows = chance.random() < 0.5
        self.process = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", sys.executable, "-c", SERVER,
             str(chance.choice((1, 5, 40))), str(chance.choice((8080, 8081, 8443)))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_the_test)
        assert self.process.stdout.readline() == "listens\n"
        if chance.random() < 0.2:
            # Hangs for a while, with its queue as it is.
            self.process.send_signal(signal.SIGSTOP)

    def ask(self, what):
        self.process.stdin.write(what + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self):
        """What the kernel dropped in its namespace."""
        self.process.send_signal(signal.SIGCONT)
        dropped = int(self.ask("quiet"))
        self.kill()
        return dropped

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Agent:
    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        config = folder / "agent.yaml"
        config.write_text(f"listen: 127.0.0.1:{self.port}\nsocket: \"\"\ninterval: 1s\nmax_listeners: 20000\n"
                          "forget_after: 24h\nhttp: {requests_per_second: 1000}\n")
        self.log = (folder / "log").open("w+")
        self.process = subprocess.Popen([ACCEPTQ, "agent", "--config", str(config)], stderr=self.log,
                                        preexec_fn=die_with_the_test)

    def text(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as reply:
            return reply.read().decode()


def value(text, name):
    return float(re.search(rf"^{name} (\S+)$", text, re.M)[1])


def refused(text):
    """Of the servers of this test; and what the agent could name nobody for."""
    named = re.findall(rf'^acceptq_listener_refused_packets_total\{{[^}}]*process="{NAME}"[^}}]*\}} (\S+)$', text, re.M)
    return int(sum(map(float, named))), int(value(text, "acceptq_unexported_refused_packets_total"))


def until_scanned(agent, scans):
    # Beside thousands of listeners of others they come less than once a minute.
    end = time.monotonic() + 200
    while time.monotonic() < end:
        text = agent.text()
        if value(text, "acceptq_scans_total") >= scans:
            return text
        time.sleep(0.2)
    raise AssertionError(f"no {scans} scans in time")


def soak(agent, servers):
    chance = random.Random(SEED)
    begin = time.monotonic()
    dropped, lived, warm, nobody = 0, 0, None, None
    while time.monotonic() - begin < SECONDS:
        while len(servers) < SERVERS:
            servers.append(Server(chance))
            lived += 1
        for server in [each for each in servers if time.monotonic() >= each.ends]:
            servers.remove(server)
            dropped += server.end()
        for server in servers:
            if server.overflows and time.monotonic() > server.ends - 1:
                server.overflows = False
                server.process.send_signal(signal.SIGCONT)
                server.ask("overflow")
        text = agent.text()
        nobody = nobody if nobody is not None else refused(text)[1]
        if warm is None and time.monotonic() - begin > SECONDS / 3:
            warm = value(text, "process_resident_memory_bytes"), value(text, "process_open_fds")
        if chance.random() < 0.05:
            agent.process.send_signal(signal.SIGHUP)
        time.sleep(chance.uniform(0, 0.3))
    while servers:
        dropped += servers.pop().end()
    text = until_scanned(agent, value(agent.text(), "acceptq_scans_total") + 2)
    named, unnamed = refused(text)
    memory, descriptors = (value(text, "process_resident_memory_bytes"), value(text, "process_open_fds"))
    print(f"seed {SEED}: {lived} servers in {SECONDS} s; the kernel dropped {dropped} packets, the agent says {named}, "
          f"and {unnamed - nobody} of nobody; memory {warm[0] / 1e6:.1f} MB, then {memory / 1e6:.1f}; descriptors "
          f"{warm[1]:.0f}, then {descriptors:.0f}; {value(text, 'acceptq_scan_failures_total'):.0f} scans failed")
    others = [line for line in text.splitlines() if line.startswith("acceptq_listener_refused_packets_total") and
              not line.endswith(" 0") and NAME not in line]
    assert named <= dropped, "more than the kernel counted"
    # What is of nobody may be of others on this host.
    admitted = re.search(r'^acceptq_blind_spots\{id="AQ611",[^}]*\} [1-9]', text, re.M)
    assert named + unnamed - nobody >= dropped or admitted, ("lost, and not said", others)
    assert memory < warm[0] * 1.25 + 8e6, "memory grows"
    assert descriptors <= warm[1] + 8, "descriptors leak"


def main():
    if os.geteuid() != 0:
        print("skipped: needs root, to make network namespaces")
        return 77
    with tempfile.TemporaryDirectory(prefix="acceptq-soak-") as name:
        agent = Agent(pathlib.Path(name))
        servers = []
        try:
            end = time.monotonic() + 60
            while True:
                try:
                    agent.text()
                    break
                except OSError:
                    assert time.monotonic() < end, "it does not serve"
                    time.sleep(0.2)
            if 'acceptq_tracing_info{level="none"}' in agent.text():
                print("skipped: nothing is traced here, and counters do not say what was refused to whom at once")
                return 77
            soak(agent, servers)
            agent.process.send_signal(signal.SIGTERM)
            assert agent.process.wait(timeout=30) == 0
        except BaseException:
            agent.log.flush()
            print(f"seed {SEED}", pathlib.Path(agent.log.name).read_text())
            raise
        finally:
            agent.process.kill()
            agent.process.wait()
            for server in servers:
                server.kill()
    return 0


sys.exit(main())
