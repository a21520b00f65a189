#!/usr/bin/python3
"""What acceptq's own process takes under a flood of forged SYNs, by the rate of the flood: while the
accept queue has room, so that they become requests and then cookies, and while it is full, so that
each is refused. (What the kernel takes for the hooks is no process's time: bench/trace_cost.py.)

  bench/flood_cost.py [SYNS_PER_SECOND…]     needs root; $ACCEPTQ names the binary

Between two network namespaces of its own; 0, 1,000, 5,000 and 20,000 SYNs a second by default.
"""

import contextlib
import ctypes
import itertools
import os
import pathlib
import resource
import socket
import struct
import subprocess
import sys
import time

from trace_cost import Acceptq, cpu_seconds

SERVER, ATTACKER = f"flooded-{os.getpid()}", f"flooding-{os.getpid()}"
ADDRESS, PORT = "10.9.0.2", 80
BACKLOG = 128
FORGED_CLIENTS = 1 << 16
SECONDS = 10
BURSTS_PER_SECOND = 100
CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def namespaces():
    def ip(*argv):
        subprocess.run(["ip", *argv], check=True)

    with contextlib.ExitStack() as stack:
        for name in (SERVER, ATTACKER):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
        ip("-n", SERVER, "link", "add", "veth", "type", "veth", "peer", "name", "veth", "netns", ATTACKER)
        for name, address in (SERVER, ADDRESS), (ATTACKER, "10.9.0.1"):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "veth")
            ip("-n", name, "link", "set", "veth", "up")
            ip("-n", name, "link", "set", "lo", "up")
        # Answers go there, where nobody knows the forged addresses, and nobody says so.
        ip("-n", SERVER, "route", "add", "default", "via", "10.9.0.1")
        yield


def inside(namespace, make):
    """A socket stays in the namespace in which it was made."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net", "rb") as own, open(f"/run/netns/{namespace}", "rb") as other:
        if libc.setns(other.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")
        try:
            return make()
        finally:
            libc.setns(own.fileno(), CLONE_NEWNET)


def fill_accept_queue(stack):
    """One more than the backlog has room."""
    for _ in range(BACKLOG + 1):
        stack.enter_context(inside(SERVER, lambda: socket.create_connection((ADDRESS, PORT))))


def forged_syn(client):
    """From an address and a port of its own. The kernel completes the header of IPv4."""
    source, target = struct.pack("!I", 0x0a640000 + client), socket.inet_aton(ADDRESS)
    port, sequence = 1024 + client * 7919 % 60000, client * 2654435761 % (1 << 32)

    def header(checksum):
        return struct.pack("!HHIIBBHHH", port, PORT, sequence, 0, 5 << 4, 2, 64240, checksum, 0)

    pseudo = source + target + struct.pack("!HH", socket.IPPROTO_TCP, 20)
    total = sum(struct.unpack("!16H", pseudo + header(0)))
    total = (total & 0xffff) + (total >> 16)
    checksum = ~(total + (total >> 16)) & 0xffff
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0, 64, socket.IPPROTO_TCP, 0, source, target)
    return ip + header(checksum)


def flood(raw, packets, rate):
    """For SECONDS; gives how many were sent, which are fewer where the machine is too slow."""
    begin = time.monotonic()
    sent = 0
    while (elapsed := time.monotonic() - begin) < SECONDS:
        due = min(int(rate * elapsed) - sent, rate // 10)  # what is too late would make it late to end
        for packet in itertools.islice(packets, due):
            raw.sendto(packet, (ADDRESS, 0))
        sent += due
        time.sleep(1 / BURSTS_PER_SECOND)
    return sent


def running_seconds(pid):
    """Of the thread that follows, to the nanosecond: there is less of it than the ticks that ps shows."""
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def ended_children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def measure(options, raw, packets, rate):
    ended_before = ended_children_seconds()
    with Acceptq(options) as tracer:
        before = running_seconds(tracer.process.pid)
        sent = flood(raw, packets, rate)
        busy = running_seconds(tracer.process.pid) - before
        until_end = cpu_seconds(tracer.process.pid)
    ending = ended_children_seconds() - ended_before - until_end
    # A forged client that comes round again finds its request, where it became one.
    syns = tracer.counted("syn_received") + tracer.counted("syn_duplicate")
    print(f"  {rate:6} SYNs a second: {100 * busy / SECONDS:.3f} % of one core; {1000 * ending:.0f} ms to end; "
          f"{sent} sent, {syns} counted: {tracer.counted('syn_cookie')} answered by cookie, "
          f"{tracer.counted('syn_refused_accept_full')} refused", flush=True)


def main():
    rates = [int(word) for word in sys.argv[1:]] or [0, 1000, 5000, 20000]
    with namespaces(), contextlib.ExitStack() as stack:
        stack.enter_context(inside(SERVER, lambda: socket.create_server((ADDRESS, PORT), backlog=BACKLOG)))
        raw = stack.enter_context(inside(ATTACKER, lambda: socket.socket(
            socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)))
        packets = itertools.cycle([forged_syn(client) for client in range(FORGED_CLIENTS)])
        print("trace --summary, accept queue with room:")
        for rate in rates:
            measure(["--summary"], raw, packets, rate)
        fill_accept_queue(stack)
        for options in ["--summary"], []:
            print(" ".join(["trace", *options]) + ", accept queue full:")
            for rate in rates:
                measure(options, raw, packets, rate)


if __name__ == "__main__":
    main()
