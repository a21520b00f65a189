#!/usr/bin/python3
"""What `acceptq agent` takes, beside node_exporter with its collectors netstat and tcpstat, which tell of the host's own
network namespace alone. Both run at the same time and are scraped every 5 s: first on this host as it is, then with 500
network namespaces of 10 listeners each.

  bench/agent.py [SECONDS]     needs root; $ACCEPTQ names the binary
"""

import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

from start import ACCEPTQ, LISTENERS, NAMESPACES, fleet

SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 120
EVERY = 5
AGENT, EXPORTER = 19927, 19100


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid):
    return int(re.search(r"^VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]) / 1024


def scrape(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
        return reply.read()


@contextlib.contextmanager
def running(argv, port):
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(200):
                with contextlib.suppress(OSError):
                    scrape(port)
                    break
                time.sleep(0.1)
            yield process.pid
        finally:
            process.terminate()


def measure(title, folder):
    agent = [ACCEPTQ, "agent", "--config", str(folder / "agent.yaml")]
    exporter = ["prometheus-node-exporter", "--collector.disable-defaults", "--collector.netstat",
                "--collector.tcpstat", f"--web.listen-address=127.0.0.1:{EXPORTER}"]
    with running(agent, AGENT) as one, running(exporter, EXPORTER) as other:
        time.sleep(3 * EVERY)
        ports = {one: AGENT, other: EXPORTER}
        before = {pid: cpu_seconds(pid) for pid in ports}
        begin = time.monotonic()
        size, most = {}, {pid: 0.0 for pid in ports}
        scans = -scans_of(scrape(AGENT))
        while time.monotonic() - begin < SECONDS:
            time.sleep(EVERY)
            for pid, port in ports.items():
                size[pid] = len(scrape(port))
                most[pid] = max(most[pid], resident_mb(pid))
        seconds = time.monotonic() - begin
        scans += scans_of(scrape(AGENT))
        share = {pid: 100 * (cpu_seconds(pid) - before[pid]) / seconds for pid in ports}
    print(f"{title}, {seconds:.0f} s, a scan every {seconds / max(scans, 1):.1f} s")
    for name, pid in (("acceptq agent", one), ("node_exporter (netstat, tcpstat)", other)):
        print(f"  {name:34} {share[pid]:6.2f} % of a core {most[pid]:7.1f} MB {size[pid] / 1000:9.1f} kB a scrape")
    print(f"  {'ratio':34} {share[one] / max(share[other], 0.01):6.1f} {most[one] / most[other]:16.1f}")


def scans_of(text):
    return int(float(re.search(rb"^acceptq_scans_total (\S+)", text, re.M)[1]))


def main():
    if shutil.which("prometheus-node-exporter") is None:
        sys.exit("bench/agent.py: no prometheus-node-exporter")
    with tempfile.TemporaryDirectory(prefix="acceptq-bench-") as name:
        folder = pathlib.Path(name)
        (folder / "agent.yaml").write_text(f"listen: 127.0.0.1:{AGENT}\nsocket: \"\"\n")
        measure("this host", folder)
        with fleet():
            measure(f"{NAMESPACES} network namespaces of {LISTENERS} listeners", folder)


main()
