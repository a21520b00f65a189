#!/usr/bin/python3
"""What one `acceptq check` costs besides the time that it watches, and how much memory it takes,
beside `ss -lntp` and `nstat -az`, which show a part of it for one namespace. First on this host as
it is, then with 500 network namespaces of 10 listeners each, beside `nsenter ss -lntp` in each.

  bench/start.py      needs root; $ACCEPTQ names the binary
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import statistics
import subprocess
import time

ACCEPTQ = os.environ.get("ACCEPTQ", "build-bench/acceptq")
NAMESPACES = int(os.environ.get("NAMESPACES", "500"))
LISTENERS = 10
ASKED = 25  # namespaces in which ss is really run
CLONE_NEWNET = 0x40000000


def peak_memory(pid):
    """Peak of resident memory so far, in MB; 0 once it is a zombie."""
    # Not wait4()'s ru_maxrss, which counts what this program held when it started the other.
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def run(argv):
    """Seconds, and the peak of resident memory in MB, of one run."""
    begin = time.monotonic()
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        memory = 0.0
        while child.poll() is None:
            memory = max(memory, peak_memory(child.pid))
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.005)
        return time.monotonic() - begin, memory


def measure(title, argv, rounds, watched=0.0):
    """Prints the median time of one run besides `watched` seconds, which is also returned, and the peak of memory."""
    runs = [run(argv) for _ in range(rounds)]
    besides = statistics.median(seconds for seconds, _ in runs) - watched
    memory = max(memory for _, memory in runs)
    # What ends within milliseconds was not looked at in time.
    shown = f"{memory:8.1f} MB" if memory > 1 else "       ?"
    print(f"  {title:48} {1000 * besides:8.1f} ms {shown}")
    return besides


def really_watched():
    """Seconds that `check --for 2s` says it has watched."""
    out = subprocess.run([ACCEPTQ, "check", "--for", "2s", "--json"], stdout=subprocess.PIPE, check=False)
    return json.loads(out.stdout)["host"]["observed_seconds"]


def measure_all(rounds):
    measure("ss -lntp (one namespace)", ["ss", "-lntp"], rounds)
    measure("nstat -az (one namespace)", ["nstat", "-azs"], rounds)
    one_shot = [ACCEPTQ, "check", "--for", "0s"]
    text = measure("check --for 0s --tracing none", [*one_shot, "--tracing", "none"], rounds)
    as_json = measure("… --json", [*one_shot, "--tracing", "none", "--json"], rounds)
    netlink = measure("… --scan netlink", [*one_shot, "--tracing", "none", "--scan", "netlink"], rounds)
    traced = measure("check --for 0s", one_shot, rounds)
    measure("check --for 2s, besides these", [ACCEPTQ, "check", "--for", "2s"], rounds, watched=2.0)
    print(f"  of the first line of acceptq: --json {as_json / text:.2f}, netlink {netlink / text:.2f}, "
          f"with tracing {traced / text:.2f}; of 2 s watched: {really_watched():.3f} s")
    return text


def live_in_a_namespace(ready):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        os._exit(1)
    kept = []
    for port in range(10000, 10000 + LISTENERS):
        kept.append(socket.create_server(("127.0.0.1", port), backlog=128))
    os.write(ready, b"r")
    while True:
        signal.pause()


@contextlib.contextmanager
def fleet():
    """Processes in namespaces of their own; ended with the block."""
    parent_end, child_end = os.pipe()
    pids = []
    try:
        for _ in range(NAMESPACES):
            pid = os.fork()
            if pid == 0:
                # PR_SET_PDEATHSIG: they end with this program, whatever ends it.
                ctypes.CDLL(None).prctl(1, signal.SIGKILL)
                live_in_a_namespace(child_end)
            pids.append(pid)
        for _ in pids:
            os.read(parent_end, 1)
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)


def loop_of_ss(pids):
    """Seconds that it takes to ask ss in each of the namespaces, by some of them."""
    begin = time.monotonic()
    for pid in pids[:ASKED]:
        subprocess.run(["nsenter", "-t", str(pid), "-n", "ss", "-lntp"], stdout=subprocess.DEVNULL, check=True)
    return (time.monotonic() - begin) * len(pids) / ASKED


def main():
    subprocess.run([ACCEPTQ, "--version"], check=True)
    print("this host as it is")
    measure_all(rounds=15)
    with fleet() as pids:
        print(f"{NAMESPACES} namespaces x {LISTENERS} listeners")
        one_shot = measure_all(rounds=5)
        loop = loop_of_ss(pids)
        print(f"  nsenter ss -lntp in each of them (by {ASKED}): {loop:.1f} s, {loop / one_shot:.0f} times as long as the "
              "first line of acceptq")


if __name__ == "__main__":
    main()
