#!/usr/bin/python3
"""What `acceptq agent` takes under a flood of SYNs from forged addresses, while it is asked for its metrics more often
than it allows. For a guest: it makes interfaces of its own, and fills a SYN queue.

  tools/vm 6.1 --timeout 300 --load "veth" -- env ACCEPTQ=$PWD/build-bench/acceptq bench/agent_flood.py [SECONDS]
"""

import contextlib
import os
import pathlib
import random
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ACCEPTQ = os.environ.get("ACCEPTQ", "build-bench/acceptq")
SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
PORT = 19927
ASKERS, PAUSE = 5, 0.05  # at most 100 requests a second
SERVER = ("import socket\ns = socket.create_server(('0.0.0.0', 80), backlog=128)\n"
          "while True: s.accept()[0].close()")


def make_network():
    for command in ["ip link add va type veth peer name vb", "ip netns add pod", "ip link set vb netns pod",
                    "ip addr add 10.9.0.1/24 dev va", "ip link set va up", "ip -n pod addr add 10.9.0.2/24 dev vb",
                    "ip -n pod link set vb up", "ip -n pod link set lo up",
                    "ip -n pod route add default via 10.9.0.1"]:
        subprocess.run(command.split(), check=True)


def scrape():
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=30) as reply:
        return reply.read().decode()


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def syn(draw):
    source, target = struct.pack("!I", 0x0A640000 + draw.randrange(65536)), socket.inet_aton("10.9.0.2")
    tcp = struct.pack("!HHIIBBHHH", draw.randrange(1024, 65535), 80, draw.randrange(1 << 32), 0, 5 << 4, 2, 64240, 0, 0)
    total = checksum(source + target + struct.pack("!HH", 6, len(tcp)) + tcp)
    tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, 6, 0, source, target) + tcp


class Counts:
    syns = served = refused = 0


def flood(until, counts):
    draw = random.Random(1)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        while time.monotonic() < until:
            for _ in range(200):
                raw.sendto(syn(draw), ("10.9.0.2", 0))
                counts.syns += 1
            time.sleep(0.05)


def ask(until, counts, lock):
    while time.monotonic() < until:
        served = False
        with contextlib.suppress(urllib.error.HTTPError):
            scrape()
            served = True
        with lock:
            counts.served += served
            counts.refused += not served
        time.sleep(PAUSE)


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return (f"{int(re.search(r'VmRSS:.*?([0-9]+)', text)[1]) / 1024:.1f} MB resident, {seconds:.1f} s of a core, "
            f"{len(os.listdir(f'/proc/{pid}/fd'))} descriptors")


def main():
    make_network()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="acceptq-bench-"))
    (folder / "agent.yaml").write_text(f'listen: 127.0.0.1:{PORT}\nsocket: ""\n')
    server = subprocess.Popen(["ip", "netns", "exec", "pod", sys.executable, "-c", SERVER])
    agent = subprocess.Popen([ACCEPTQ, "agent", "--config", str(folder / "agent.yaml")], stderr=subprocess.DEVNULL)
    for _ in range(100):
        with contextlib.suppress(OSError):
            scrape()
            break
        time.sleep(0.5)
    print("before:", status(agent.pid), flush=True)
    counts, lock, until = Counts(), threading.Lock(), time.monotonic() + SECONDS
    threads = [threading.Thread(target=flood, args=(until, counts))]
    threads += [threading.Thread(target=ask, args=(until, counts, lock)) for _ in range(ASKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(f"after {SECONDS} s, {counts.syns} SYNs, {counts.served} requests answered and {counts.refused} told that they "
          "are too many:", status(agent.pid))
    agent.terminate()
    print("ended with", agent.wait(20))
    server.kill()


main()
