#!/usr/bin/python3
"""Processor time of one `acceptq check` of a server with 200 threads: healthy, and in trouble, when
the server's threads are looked at and counted; beside `top -H`, which a person would look at instead.

  bench/cause_cost.py      needs root; $ACCEPTQ names the binary
"""

import contextlib
import os
import resource
import signal
import socket
import statistics
import subprocess
import threading
import time

ACCEPTQ = os.environ.get("ACCEPTQ", "build-bench/acceptq")
PORT = 39481
THREADS = 200
SECONDS = 2
ROUNDS = 5


def serve(ready):
    """Threads that work on a connection for 50 ms each, with room for five in the queue."""
    listener = socket.create_server(("127.0.0.1", PORT), backlog=5)

    def work():
        while True:
            connection, _ = listener.accept()
            time.sleep(0.05)
            connection.close()

    for _ in range(THREADS):
        threading.Thread(target=work, daemon=True).start()
    os.write(ready, b"r")
    while True:
        signal.pause()


def keep_full(ready):
    """A server of as many threads that sleep, of which none accepts, and clients of it."""
    listener = socket.create_server(("127.0.0.1", PORT), backlog=5)
    for _ in range(THREADS):
        threading.Thread(target=time.sleep, args=(3600,), daemon=True).start()
    clients = []
    os.write(ready, b"r")
    while True:
        client = socket.socket()
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.connect(("127.0.0.1", PORT))
        clients.append(client)
        if len(clients) > 200:
            clients.pop(0).close()
        time.sleep(0.02)


@contextlib.contextmanager
def server(body):
    parent_end, child_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        body(child_end)
        os._exit(0)
    os.read(parent_end, 1)
    time.sleep(1)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(parent_end)
        os.close(child_end)


def cpu_of(argv):
    """Milliseconds of processor time, user's and kernel's, of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(title, argv):
    median = statistics.median(cpu_of(argv) for _ in range(ROUNDS))
    print(f"  {title:44} {median:8.1f} ms")
    return median


def main():
    check = [ACCEPTQ, "check", "--for", f"{SECONDS}s", f"127.0.0.1:{PORT}"]
    print(f"processor time in {SECONDS} s, {THREADS} threads, median of {ROUNDS}")
    with server(serve):
        healthy = measure("acceptq check, healthy", check)
    with server(keep_full) as pid:
        trouble = measure("acceptq check, in trouble", check)
        tool = measure("top -H, twice a second", ["top", "-H", "-b", "-d", "0.5", "-n",
                                                  str(2 * SECONDS + 1), "-p", str(pid)])
    print(f"  in trouble {trouble / healthy:.2f} x healthy, and {trouble / tool:.2f} x top -H")


if __name__ == "__main__":
    main()
