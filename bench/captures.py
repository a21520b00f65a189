#!/usr/bin/python3
"""A capture of 2.5 million packets: `acceptq check --from` beside tshark asked for as much of it as it
can tell, the SYNs that were repeated. Whole processes, side by side, in pairs; and the peak of
acceptq's memory, also for a capture of SYNs that nobody answers, where every handshake stays open.

  bench/captures.py      $ACCEPTQ names the binary; tshark from Debian
"""

import heapq
import os
import pathlib
import random
import statistics
import struct
import subprocess
import tempfile
import time

ACCEPTQ = os.environ.get("ACCEPTQ", "build-bench/acceptq")
PACKETS = 2_500_000
PAIRS = 3
SERVER = bytes([10, 0, 0, 2])
SNAP = 96
SYN, RST, PSH, ACK, FIN = 2, 4, 8, 16, 1


def frame(source, target, source_port, target_port, sequence, acknowledged, flags, length, ttl, number):
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 52 + length, number & 0xffff, 0x4000, ttl, 6, 0, source, target)
    tcp = struct.pack("!HHIIBBHHH", source_port, target_port, sequence & 0xffffffff,
                      acknowledged & 0xffffffff, 0x80, flags, 500, 0, 0)
    tcp += struct.pack("!BBBBII", 1, 1, 8, 10, number & 0xffffffff, 0)  # timestamps
    return (bytes(12) + b"\x08\0" + ip + tcp + bytes(length))[:SNAP], 66 + length


def connection(number):
    """(microseconds, frame) of one client: a request and its answer; one in fifty repeats its SYN."""
    client, port = bytes([10, 1, number >> 8 & 255, number & 255]), 1024 + number * 7 % 60000
    mine, its = random.getrandbits(32), random.getrandbits(32)

    def out(at, flags, sequence, acknowledged=0, length=0):
        return at, frame(client, SERVER, port, 80, sequence, acknowledged, flags, length, 60, number + at)

    def back(at, flags, sequence, acknowledged, length=0):
        return at, frame(SERVER, client, 80, port, sequence, acknowledged, flags, length, 64, number + at)

    late = 1_000_000 if number % 50 == 0 else 0
    if late:
        yield out(0, SYN, mine)
    yield out(late, SYN, mine)
    yield back(late + 50, SYN | ACK, its, mine + 1)
    yield out(late + 400, ACK, mine + 1, its + 1)
    yield out(late + 420, PSH | ACK, mine + 1, its + 1, 300)
    yield back(late + 450, ACK, its + 1, mine + 301)
    for i in range(5):
        yield back(late + 500 + i * 10, ACK, its + 1 + i * 1448, mine + 301, 1448)
    yield out(late + 900, ACK, mine + 301, its + 7241)
    yield back(late + 1000, FIN | ACK, its + 7241, mine + 301)
    yield out(late + 1300, FIN | ACK, mine + 301, its + 7242)
    yield back(late + 1350, ACK, its + 7242, mine + 302)


def alone(number):
    """A SYN that gets no answer."""
    client = struct.pack("!I", 0x0b000000 + number)
    yield 0, frame(client, SERVER, 1024 + number % 60000, 80, random.getrandbits(32), 0, SYN, 0, 60, number)


def write(path, packets, of):
    random.seed(1)
    with open(path, "wb", buffering=1 << 22) as out:
        out.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, SNAP, 1))
        heap, count, clients, now = [], 0, 0, 1_700_000_000_000_000
        while count < packets or heap:
            if count < packets:
                for at, packet in of(clients):
                    heapq.heappush(heap, (now + at, count, packet))
                    count += 1
                clients += 1
                now += 100
            else:
                now = heap[-1][0] + 10_000_000
            while heap and heap[0][0] <= now:
                at, _, (kept, length) = heapq.heappop(heap)
                out.write(struct.pack("<IIII", at // 1_000_000, at % 1_000_000, len(kept), length) + kept)


def run(argv):
    """Seconds."""
    begin = time.monotonic()
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.monotonic() - begin


def peak_mb(argv):
    """Of a run, in MB."""
    shell = f"import resource, subprocess; subprocess.run({argv!r}, stdout=-3, stderr=-3); " \
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    return int(subprocess.run(["/usr/bin/python3", "-c", shell], capture_output=True, text=True,
                              check=True).stdout) / 1024


def main():
    with tempfile.TemporaryDirectory() as folder:
        file, open_file = pathlib.Path(folder) / "mixed.pcap", pathlib.Path(folder) / "open.pcap"
        write(file, PACKETS, connection)
        check = [ACCEPTQ, "check", "--json", "--from", str(file)]
        shark = ["tshark", "-n", "-r", str(file), "-Y", "tcp.flags.syn==1 && tcp.analysis.retransmission",
                 "-T", "fields", "-e", "ip.src", "-e", "ip.dst", "-e", "tcp.dstport"]
        run(check)  # the file is in the page cache from here on
        pairs = [(run(check), run(shark)) for _ in range(PAIRS)]
        ours, theirs = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
        print(f"{PACKETS / 1e6:.1f} million packets, {file.stat().st_size / 1e6:.0f} MB")
        print(f"acceptq   {ours:8.3f} s  {PACKETS / ours / 1e6:6.2f} M packets/s  {peak_mb(check):6.1f} MB")
        print(f"tshark    {theirs:8.3f} s  {PACKETS / theirs / 1e6:6.2f} M packets/s  {peak_mb(shark):6.1f} MB")
        print(f"ratio     {min(b / a for a, b in pairs):6.1f} to {max(b / a for a, b in pairs):.1f}")
        write(open_file, PACKETS, alone)
        check[-1] = str(open_file)
        print(f"acceptq, every handshake open: {run(check):.3f} s, {peak_mb(check):.1f} MB")


if __name__ == "__main__":
    main()
