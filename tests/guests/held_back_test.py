#!/usr/bin/python3
"""What holds servers back that only a kernel with cgroup v2 and device mapper of its own can show.

One server at a time, until its queue is full; acceptq has to name the cause, and what it hangs on:

  disk      reads of ext4 on a dm-delay device: by a descriptor, and by nginx with sendfile()
  memory    memory.high of a control group above the server's
  quota     cpu.max of a control group above the server's
  freezer   cgroup.freeze of a control group above the server's

Arguments choose among these. For guests only (tools/test-kernels): what it mounts and makes is gone
with the guest. Exit code 77: something that it needs is missing.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

from guest_support import nginx_conf, still_waits

ACCEPTQ = pathlib.Path(__file__).resolve().parent.parent / "acceptq"
WORK = pathlib.Path("/tmp/held-back")
IMAGES = pathlib.Path("/srv/held-back")
GROUPS = pathlib.Path("/sys/fs/cgroup")
FILES = 400
DELAY_MS = 300  # of each read of the disk
SECONDS = 8  # a look at threads takes long under emulation

# Answers each connection at once, after it has done `work`.
SERVER = """
import mmap, os, socket, time
listener = socket.create_server(("127.0.0.1", {port}), backlog=16)
kept = []
buffer = mmap.mmap(-1, 1 << 16)
number = 0
while True:
    connection, _ = listener.accept()
    number += 1
    {work}
    connection.close()
"""
READ = f"""file = os.open("{IMAGES}/%d.jpg" % (number % {FILES} + 1), os.O_RDONLY | os.O_DIRECT)
    os.readv(file, [buffer])
    os.close(file)"""
KEEP = "kept.append(b'x' * (1 << 20))"
COMPUTE = "sum(range(200000))"
NOTHING = "pass"

NGINX = nginx_conf(WORK, f"sendfile on; listen 127.0.0.1:8005 backlog=16; root {IMAGES};")


def fail(text):
    sys.exit(f"held_back_test: {text}")


def run(command):
    return subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout.strip()


def missing(programs, modules):
    for program in programs:
        if not shutil.which(program):
            return f"there is no {program}"
    for module in modules:
        if subprocess.run(["modprobe", module], check=False, capture_output=True).returncode != 0:
            return f"this kernel has no {module}"
    return None


def missing_controllers(names):
    controllers = GROUPS / "cgroup.controllers"
    there = controllers.read_text().split() if controllers.exists() else []
    lacking = [name for name in names if name not in there]
    return f"no control groups of version 2 with {' '.join(lacking)}" if lacking or not there else None


def is_full(port):
    text = run(f"ss -Hlnt sport = :{port}").split()
    return bool(text) and int(text[1]) > int(text[2])


def wait_for(what, condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            fail(f"timed out: {what}")
        time.sleep(0.1)


def group_in_group(name, controllers):
    """Two new groups, one in the other; the inner one takes processes."""
    outer = GROUPS / name
    inner = outer / "server"
    for parent in [GROUPS, outer]:
        parent.mkdir(exist_ok=True)
        for controller in controllers:
            (parent / "cgroup.subtree_control").write_text(f"+{controller}")
    inner.mkdir()
    return outer, inner


class Servers:
    """A server and its clients, until the end of the block."""

    def __init__(self, command, port, group=None):
        def enter():
            if group:
                (group / "cgroup.procs").write_text(str(os.getpid()))

        self.processes = [subprocess.Popen(command, preexec_fn=enter)]
        self.port = port

    def __enter__(self):
        wait_for("the server", lambda: run(f"ss -Hlnt sport = :{self.port}"))
        self.processes.append(subprocess.Popen([sys.executable, __file__, "--load", str(self.port)]))
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


def python(port, work):
    return [sys.executable, "-c", SERVER.format(port=port, work=work)]


def why(port):
    """The first cause that acceptq names."""
    wait_for("a full queue", lambda: is_full(port))
    ended = subprocess.run([ACCEPTQ, "check", "--json", "--for", f"{SECONDS}s", f":{port}"],
                           capture_output=True, text=True)
    if ended.returncode != 1:
        fail(f"acceptq ended with {ended.returncode}: {ended.stdout}{ended.stderr}")
    causes = [each for each in json.loads(ended.stdout)["findings"] if each["cause"]]
    for each in causes:
        print(f"  {each['cause']['kind']} {each['confidence']}: {each['explanation']} {each['cause']['detail']}",
              flush=True)
    if not causes:
        fail("no cause was named")
    return causes[0]


def expect(finding, kind, begin, **detail):
    if finding["cause"]["kind"] != kind:
        fail(f"{finding['cause']['kind']}, not {kind}")
    if begin not in finding["explanation"]:
        fail(f"\"{begin}\" is not said: {finding['explanation']}")
    for name, value in detail.items():
        if finding["cause"]["detail"].get(name) != value:
            fail(f"{name} is {finding['cause']['detail'].get(name)}, not {value}")


def make_disk():
    """The names of a slow disk and of the one beneath it."""
    IMAGES.mkdir(parents=True)
    run(f"truncate -s 128M {WORK}/disk && mkfs.ext4 -q -F {WORK}/disk")
    loop = run(f"losetup -f --show {WORK}/disk")
    run(f"mount {loop} {IMAGES}")
    for number in range(1, FILES + 1):
        (IMAGES / f"{number}.jpg").write_bytes(os.urandom(1 << 16))
    run(f"umount {IMAGES}")
    run(f"dmsetup create --noudevsync slow --table "
        f"'0 {run(f'blockdev --getsz {loop}')} delay {loop} 0 {DELAY_MS} {loop} 0 0' && "
        f"dmsetup mknodes && mount /dev/mapper/slow {IMAGES}")
    # The kernel's name: /dev/mapper/slow is a link, or a node of its own.
    disk = next(each.name for each in pathlib.Path("/sys/block").glob("dm-*")
                if (each / "dm/name").read_text().strip() == "slow")
    return disk, pathlib.Path(loop).name


def test_disk():
    lack = missing("dmsetup losetup mkfs.ext4 blockdev nginx".split(), ["loop", "ext4", "dm-delay"])
    if lack:
        return lack
    disk, beneath = make_disk()
    for command, port in [(python(8001, READ), 8001),
                          (["nginx", "-p", str(WORK), "-c", str(WORK / "nginx.conf")], 8005)]:
        with Servers(command, port):
            finding = why(port)
            # Before 5.15 no file is known, and the stack names no file system.
            if port == 8005 and os.uname().release.startswith("5.10.") and finding["cause"]["kind"] == "unknown":
                continue
            expect(finding, "io.block", f"waits for the disk {disk} ({IMAGES})", mapper="slow",
                   beneath=beneath)
            took = float(finding["cause"]["detail"]["read_ms"])
            if took < DELAY_MS * 0.9:
                fail(f"a read took {took} ms, not {DELAY_MS}")
    return None


def test_memory():
    lack = missing_controllers(["memory"])
    if lack:
        return lack
    outer, inner = group_in_group("squeezed", ["memory"])
    (outer / "memory.high").write_text("50000000")
    with Servers(python(8002, KEEP), 8002, inner):
        expect(why(8002), "memory.reclaim", "memory.high", cgroup="/squeezed")
    return None


def test_quota():
    lack = missing_controllers(["cpu"])
    if lack:
        return lack
    outer, inner = group_in_group("throttled", ["cpu"])
    with Servers(python(8003, COMPUTE), 8003, inner):
        # Once it listens: with so little of an emulated processor Python would take minutes to start.
        (outer / "cpu.max").write_text("5000 100000")
        expect(why(8003), "cpu.throttled", "its control group /throttled has used up its CPU quota",
               cgroup="/throttled", quota_us="5000")
    return None


def test_freezer():
    lack = missing_controllers([])
    if lack:
        return lack
    outer, inner = group_in_group("frozen", [])
    with Servers(python(8004, NOTHING), 8004, inner):
        (outer / "cgroup.freeze").write_text("1")
        expect(why(8004), "stopped", "is frozen by its control group /frozen", cgroup="/frozen")
        (outer / "cgroup.freeze").write_text("0")
    return None


TESTS = {"disk": test_disk, "memory": test_memory, "quota": test_quota, "freezer": test_freezer}


def main(names):
    WORK.mkdir(parents=True)
    (WORK / "nginx.conf").write_text(NGINX)
    run("ip link set lo up")
    skipped = 0
    for name in names or TESTS:
        print(f"held_back_test: {name}", flush=True)
        lack = TESTS[name]()
        if lack:
            print(f"held_back_test: {name} skipped: {lack}")
            skipped += 1
    if skipped == len(names or TESTS):
        sys.exit(77)


def load(port, clients=48, patience=10):
    """Keeps so many clients there, each of which asks for one file."""
    waiting = []
    number = 0
    while True:
        while len(waiting) < clients:
            number += 1
            fresh = socket.socket()
            fresh.setblocking(False)
            fresh.connect_ex(("127.0.0.1", port))
            request = b"GET /%d.jpg HTTP/1.0\r\nHost: images\r\n\r\n" % (number % FILES + 1)
            waiting.append([fresh, request, time.monotonic() + patience])
        waiting = [each for each in waiting if still_waits(each)]
        time.sleep(0.05)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        load(int(sys.argv[2]))
    else:
        main(sys.argv[1:])
