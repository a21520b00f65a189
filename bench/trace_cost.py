#!/usr/bin/python3
"""What tracing costs a server that accepts as many connections as it can: connections accepted a
second beside each tracer and without, interleaved; and what the tracer itself takes meanwhile.

  bench/trace_cost.py [ROUNDS [TRACER…]]     needs root; $ACCEPTQ names the binary

TRACER is acceptq (alone by default), bcc (Debian's tcpaccept-bpfcc) or bpftrace (trace_cost.bt); the
last two need tools/install-deps tracers. The kernel of this machine decides how acceptq follows
handshakes; the first line says it. On one CPU, what the tracer takes is lost to the server, too.
"""

import contextlib
import json
import os
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ACCEPTQ = os.environ.get("ACCEPTQ", "build-bench/acceptq")
LOAD = pathlib.Path(ACCEPTQ).parent / "bench/accept_load"
SECONDS = 1.0
# Looks at a tracer that begins or ends, of which each waits a moment. Not seconds: the clock of a
# guest that counts instructions leaps while all wait for a disk, by a quarter of an hour at once.
LOOKS = 6000
MOMENT = 0.05


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


class Tracer:
    """A tracer with its hooks in place; what it printed is there when it has ended."""

    def __init__(self, argv):
        self.argv = argv

    def __enter__(self):
        # A file: a pipe that nobody reads would stop those that print each connection.
        self.file = tempfile.NamedTemporaryFile()
        self.process = subprocess.Popen(self.argv, stdout=self.file, stderr=subprocess.STDOUT)
        if not self.comes_to(lambda: self.is_ready() or self.has_ended()):
            self.process.kill()
            sys.exit(f"{self.argv[0]} does not begin")
        if self.has_ended():
            sys.exit(f"{self.argv[0]} ended at once: {self.printed().strip()}")
        time.sleep(self.SETTLES)
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        if not self.comes_to(self.has_ended):
            self.process.kill()
            sys.exit(f"{self.argv[0]} does not end")
        self.out = self.printed()
        self.file.close()

    def has_ended(self):
        return self.process.poll() is not None

    @staticmethod
    def comes_to(state):
        """Whether it does, within the looks that it is given."""
        for _ in range(LOOKS):
            if state():
                return True
            time.sleep(MOMENT)
        return False

    def printed(self):
        return pathlib.Path(self.file.name).read_text(encoding="utf-8", errors="replace")

    def holds(self, kind):
        """A descriptor of this kind."""
        descriptors = pathlib.Path(f"/proc/{self.process.pid}/fd")
        with contextlib.suppress(FileNotFoundError):  # closed between listing and looking
            return any(kind in os.readlink(fd) for fd in descriptors.iterdir())
        return False


class Acceptq(Tracer):
    """acceptq trace, by default with nothing but the ledgers at the end."""

    SETTLES = 1.0  # it looks at the host, and then begins to count

    def __init__(self, options=("--summary",)):
        super().__init__([ACCEPTQ, "trace", "--json", *options])

    def is_ready(self):
        """With its hooks in place, it waits for events."""
        return self.holds("eventpoll")

    def summary(self):
        return json.loads([line for line in self.out.splitlines() if line.startswith("{")][-1])

    def counted(self, term):
        """In all ledgers. Tracepoints leave some terms empty."""
        return sum(ledger["counts"][term] or 0 for ledger in self.summary()["ledgers"])

    def accepted(self):
        return self.counted("accepted")


class Bcc(Tracer):
    """One line for each connection that accept() returns."""

    SETTLES = 1.0  # its buffers come after its hook

    def __init__(self):
        super().__init__(["tcpaccept-bpfcc"])

    def is_ready(self):
        return self.holds("perf_event")

    def accepted(self):
        return self.out.count("accept_load")


class Bpftrace(Tracer):
    """Counts by listener; see the script."""

    SETTLES = 3.0  # it prints before it attaches

    def __init__(self):
        super().__init__(["bpftrace", str(pathlib.Path(__file__).with_suffix(".bt"))])

    def is_ready(self):
        return "Attaching" in self.printed()

    def accepted(self):
        return sum(map(int, re.findall(r"^@accepted\[.*\]: (\d+)", self.out, re.M)))


TRACERS = {"acceptq": Acceptq, "bcc": Bcc, "bpftrace": Bpftrace}


class Measured:
    """One tracer, over all rounds."""

    def __init__(self):
        self.lost, self.busy, self.told = [], [], []

    def round(self, make, untraced):
        with make() as tracer:
            before = cpu_seconds(tracer.process.pid)
            rate = accepted_per_second()
            self.busy.append(100 * (cpu_seconds(tracer.process.pid) - before) / SECONDS)
            self.memory = resident_mb(tracer.process.pid)
            time.sleep(1)  # to catch up, for those that print each connection
        self.lost.append(100 * (1 - rate / untraced))
        self.told.append(100 * tracer.accepted() / (rate * SECONDS))
        return rate


def interval(values):
    """Mean, and half the width of its 95 % confidence interval, by resampling."""
    random.seed(1)
    means = sorted(statistics.fmean(random.choices(values, k=len(values))) for _ in range(2000))
    return statistics.fmean(values), (means[1950] - means[50]) / 2


def idle_acceptq():
    """Of one core, in per cent."""
    with Acceptq() as tracer:
        time.sleep(5)
        before = cpu_seconds(tracer.process.pid)
        time.sleep(5)
        idle = 100 * (cpu_seconds(tracer.process.pid) - before) / 5
    return tracer.summary()["hooks"], idle


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    names = sys.argv[2:] or ["acceptq"]
    if not TRACERS.keys() >= set(names):
        sys.exit(__doc__.strip())
    accepted_per_second()  # warm
    hooks, idle = idle_acceptq()
    print(f"acceptq by {hooks}, {idle:.2f} % of one core idle", flush=True)
    measured = {name: Measured() for name in names}
    rates = []
    for turn in range(rounds):
        rates.append(accepted_per_second())
        for name in names if turn % 2 == 0 else reversed(names):
            rate = measured[name].round(TRACERS[name], rates[-1])
            print(f"  {name}: {rate:.0f}; untraced: {rates[-1]:.0f}", file=sys.stderr, flush=True)
    print(f"{statistics.median(rates):.0f} connections a second without tracing (median of {rounds})")
    for name, of in measured.items():
        mean, half = interval(of.lost)
        print(f"{name}: lost {mean:.1f} % (95 % interval: {mean - half:.1f} … {mean + half:.1f} %); itself "
              f"{statistics.fmean(of.busy):.2f} % of one core, {of.memory:.1f} MB resident; counted "
              f"{statistics.fmean(of.told):.1f} % of the connections")


if __name__ == "__main__":
    main()
