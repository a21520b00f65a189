#!/usr/bin/python3
"""What tracing costs a server that accepts as many connections as it can: connections accepted a
second, with `acceptq trace --summary` beside it and without, as interleaved pairs; and what acceptq
itself takes meanwhile.

  bench/trace_cost.py [PAIRS]     needs root; $ACCEPTQ names the binary

The kernel of this machine decides how handshakes are followed; the first line says it.
"""

import contextlib
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import time

ACCEPTQ = os.environ.get("ACCEPTQ", "build-bench/acceptq")
LOAD = pathlib.Path(ACCEPTQ).parent / "bench/accept_load"
SECONDS = 1.0


def accepted_per_second():
    out = subprocess.run([LOAD, str(SECONDS)], check=True, capture_output=True, text=True).stdout
    return float(out)


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def polls(descriptors):
    """With its hooks in place, acceptq waits for events."""
    with contextlib.suppress(FileNotFoundError):  # closed between listing and looking
        return any("eventpoll" in os.readlink(fd) for fd in descriptors.iterdir())
    return False


class Tracer:
    """acceptq trace --summary, with its hooks in place."""

    def __enter__(self):
        self.process = subprocess.Popen([ACCEPTQ, "trace", "--summary"], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        descriptors = pathlib.Path(f"/proc/{self.process.pid}/fd")
        end = time.monotonic() + 60
        while not polls(descriptors):
            if self.process.poll() is not None:
                sys.exit("trace_cost: " + self.process.stderr.read().strip())
            if time.monotonic() > end:
                sys.exit("trace_cost: the tracer does not begin")
            time.sleep(0.05)
        time.sleep(0.2)  # it begins to count a moment after its hooks are there
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.out = self.process.communicate(timeout=60)[0]


def interval(values):
    """Mean, and half the width of its 95 % confidence interval, by resampling."""
    random.seed(1)
    means = sorted(statistics.fmean(random.choices(values, k=len(values))) for _ in range(2000))
    return statistics.fmean(values), (means[1950] - means[50]) / 2


def main():
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    accepted_per_second()  # warm
    with Tracer() as tracer:
        time.sleep(5)
        idle = cpu_seconds(tracer.process.pid)
        time.sleep(5)
        idle = (cpu_seconds(tracer.process.pid) - idle) / 5
        memory = resident_mb(tracer.process.pid)
    print(tracer.out.splitlines()[0])
    lost, rates, busy = [], [], []
    for pair in range(pairs):
        both = {}
        for traced in (False, True) if pair % 2 == 0 else (True, False):
            if not traced:
                both[traced] = accepted_per_second()
                continue
            with Tracer() as tracer:
                before = cpu_seconds(tracer.process.pid)
                both[traced] = accepted_per_second()
                busy.append((cpu_seconds(tracer.process.pid) - before) / SECONDS)
        rates.append(both[False])
        lost.append(100 * (1 - both[True] / both[False]))
    mean, half = interval(lost)
    print(f"{statistics.median(rates):.0f} connections a second without tracing (median of {pairs})")
    print(f"lost by tracing: {mean:.1f} % (95 % interval: {mean - half:.1f} … {mean + half:.1f} %)")
    print(f"acceptq itself: {100 * idle:.2f} % of one core idle, {100 * statistics.fmean(busy):.2f} % "
          f"beside the load, {memory:.1f} MB resident")


if __name__ == "__main__":
    main()
