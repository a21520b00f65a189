#!/usr/bin/python3
"""Records the captures of this folder anew: real kernels, real refusals. Needs root, tcpdump, nft.

record.py [FOLDER [SCENARIO…]]. A client, a router and a server are network namespaces of their own:

  client 10.77.1.2, fd77:1::2 --- router --- server 10.77.2.2, fd77:2::2

Each scenario is captured at the client (on its interface), at the server (on its interface), and
"any" (on all interfaces of the server, or of the router where addresses are translated).
"""

import contextlib
import json
import os
import pathlib
import random
import signal
import socket
import struct
import subprocess
import sys
import time

CLIENT, ROUTER, SERVER = (f"capture-{name}-{os.getpid()}" for name in ("c", "r", "s"))
SERVER_ADDRESS = "10.77.2.2"


def sh(line, ns=None):
    prefix = ["ip", "netns", "exec", ns] if ns else []
    subprocess.run(prefix + ["sh", "-c", line], check=True)


@contextlib.contextmanager
def network():
    try:
        for ns in (CLIENT, ROUTER, SERVER):
            sh(f"ip netns add {ns}")
            sh("ip link set lo up", ns)
        for far, net, name in ((CLIENT, 1, "eth1"), (SERVER, 2, "eth2")):
            sh(f"ip -n {ROUTER} link add {name} type veth peer name eth0 netns {far}")
            sh(f"ip addr add 10.77.{net}.1/24 dev {name}; ip addr add fd77:{net}::1/64 dev {name} nodad;"
               f" ip link set {name} up", ROUTER)
            sh(f"ip addr add 10.77.{net}.2/24 dev eth0; ip addr add fd77:{net}::2/64 dev eth0 nodad;"
               f" ip link set eth0 up; ip route add default via 10.77.{net}.1;"
               f" ip -6 route add default via fd77:{net}::1", far)
        sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1", ROUTER)
        time.sleep(1)
        yield
    finally:
        for ns in (CLIENT, ROUTER, SERVER):
            subprocess.run(["ip", "netns", "del", ns], check=False)


@contextlib.contextmanager
def inside(ns):
    """Sockets that are made here are of that namespace, for good."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{ns}", os.O_RDONLY)
    libc = __import__("ctypes").CDLL(None)
    libc.setns(there, 0x40000000)
    try:
        yield
    finally:
        libc.setns(own, 0x40000000)
        os.close(own)
        os.close(there)


@contextlib.contextmanager
def captured(folder, name, points, rest="tcp", snap=96):
    runs = []
    for point, ns, device in points:
        file = folder / f"{name}.{point}.pcap"
        runs.append(subprocess.Popen(
            ["ip", "netns", "exec", ns, "tcpdump", "-i", device, "-s", str(snap), "-U", "-n", "-w",
             str(file), rest], stderr=subprocess.PIPE))
        runs[-1].stderr.readline()
    time.sleep(0.5)
    yield
    time.sleep(1.2)
    for run in runs:
        run.send_signal(signal.SIGINT)
        run.wait()


BOTH = [("client", CLIENT, "eth0"), ("server", SERVER, "eth0")]
ALL = BOTH + [("any", SERVER, "any")]


def listener(port, backlog, family=socket.AF_INET):
    with inside(SERVER):
        sock = socket.socket(family)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", port))
        sock.listen(backlog)
        return sock


def connect(port, address=SERVER_ADDRESS, family=socket.AF_INET, wait=False):
    with inside(CLIENT):
        sock = socket.socket(family)
    sock.setblocking(wait)
    try:
        sock.connect((address, port))
    except (BlockingIOError, ConnectionRefusedError):
        pass
    return sock


def say(sock, what=b"GET / HTTP/1.0\r\n\r\n"):
    with contextlib.suppress(OSError):
        sock.send(what)


def full_at_syn(folder):
    """Nobody accepts; two connections fit, and five more attempts get no answer."""
    server = listener(80, 1)
    with captured(folder, "full-at-syn", ALL):
        clients = [connect(80) for _ in range(2)]
        time.sleep(0.2)
        clients += [connect(80) for _ in range(5)]
        time.sleep(8.5)
        for client in clients:
            client.close()
    server.close()


def in_part(folder):
    """What filters leave of the first one, as the client saw it."""
    whole = folder / "full-at-syn.client.pcap"
    for part, rest in (("syns", "tcp[tcpflags] == tcp-syn"), ("questions", "dst port 80"),
                       ("answers", "src port 80")):
        subprocess.run(["tcpdump", "-r", str(whole), "-w", str(folder / f"full-at-syn.{part}.pcap"), rest],
                       check=True, stderr=subprocess.DEVNULL)


def full_at_ack(folder):
    """Seven wait where nine fit; six more are half-way when the SYN-ACKs come through, so that four
    final ACKs are refused. Their clients send a request, and repeat it."""
    server = listener(80, 8)
    waiting = [connect(80) for _ in range(7)]
    time.sleep(0.3)
    with captured(folder, "full-at-ack", ALL):
        sh("nft add table ip t; nft add chain ip t f '{ type filter hook forward priority 0; }';"
           " nft add rule ip t f ip saddr 10.77.2.2 'tcp flags & (syn|ack) == syn|ack' drop", ROUTER)
        clients = [connect(80) for _ in range(6)]
        time.sleep(0.3)
        sh("nft delete table ip t", ROUTER)
        time.sleep(1.3)
        for client in clients:
            say(client)
        time.sleep(5)
    for client in clients + waiting:
        client.close()
    server.close()


def filtered(folder):
    """A packet filter of the server drops what comes to its port 82; it serves another port."""
    server, healthy = listener(82, 16), listener(81, 16)
    sh("nft add table ip t; nft add chain ip t i '{ type filter hook input priority 0; }';"
       " nft add rule ip t i tcp dport 82 drop", SERVER)
    with captured(folder, "filtered", ALL):
        clients = [connect(82) for _ in range(6)]
        time.sleep(0.1)
        clients.append(connect(81, wait=True))
        accepted, _ = healthy.accept()
        say(clients[-1])
        time.sleep(0.1)
        say(accepted, b"HTTP/1.0 200 OK\r\n\r\n")
        time.sleep(4.3)
        for client in clients + [accepted]:
            client.close()
    sh("nft delete table ip t", SERVER)
    server.close()
    healthy.close()


def closed(folder):
    """Nothing listens on port 83."""
    with captured(folder, "closed", BOTH):
        for _ in range(6):
            connect(83, wait=True).close()


def healthy(folder):
    """Twelve requests over IPv4 and over IPv6, all answered."""
    with captured(folder, "healthy", ALL):
        for family, address in ((socket.AF_INET, SERVER_ADDRESS), (socket.AF_INET6, "fd77:2::2")):
            server = listener(80, 16, family)
            for _ in range(12):
                client = connect(80, address, family, wait=True)
                accepted, _ = server.accept()
                say(client)
                accepted.recv(100)
                say(accepted, b"HTTP/1.0 200 OK\r\n\r\n")
                client.recv(100)
                accepted.close()
                client.close()
            server.close()


def reset(folder):
    """The server accepts, and closes without reading what was sent."""
    server = listener(80, 16)
    with captured(folder, "reset", BOTH):
        for _ in range(6):
            client = connect(80, wait=True)
            accepted, _ = server.accept()
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            accepted.close()
            client.close()
    server.close()


def syn(source, port, number):
    """A SYN of nobody's, without options."""
    def checksum(data):
        total = sum(struct.unpack(f"!{len(data) // 2}H", data))
        while total >> 16:
            total = (total & 0xffff) + (total >> 16)
        return ~total & 0xffff
    target = socket.inet_aton(SERVER_ADDRESS)
    tcp = struct.pack("!HHIIBBHHH", port, 80, number, 0, 0x50, 2, 64240, 0, 0)
    pseudo = source + target + struct.pack("!BBH", 0, 6, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    return struct.pack("!BBHHHBBH", 0x45, 0, 40, random.randrange(65536), 0, 64, 6, 0) + source + target + tcp


def flood(folder):
    """150 SYNs from 150 addresses that do not answer, and ten clients that do."""
    server = listener(80, 1024)
    sh("ip route add blackhole 10.78.0.0/16", ROUTER)
    with inside(CLIENT):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with captured(folder, "flood", [("server", SERVER, "eth0")], snap=68):
        for i in range(150):
            raw.sendto(syn(socket.inet_aton(f"10.78.0.{i + 1}"), random.randrange(1024, 65536),
                           random.getrandbits(32)), (SERVER_ADDRESS, 80))
        for _ in range(10):
            client = connect(80, wait=True)
            accepted, _ = server.accept()
            say(accepted, b"220\r\n")
            client.recv(100)
            accepted.close()
            client.close()
        time.sleep(3)
    server.close()


def ask(count, seconds, server):
    """Connections at random times, each of which the server takes."""
    for _ in range(count):
        client = connect(80, wait=True)
        accepted, _ = server.accept()
        accepted.close()
        client.close()
        time.sleep(random.uniform(0, 2 * seconds / count))


def grown(counter):
    """What the server's kernel has counted, as nstat has it."""
    lines = subprocess.run(["ip", "netns", "exec", SERVER, "nstat", "-asz", counter], check=True,
                           capture_output=True, text=True).stdout.splitlines()
    return int(lines[-1].split()[1])


def cookies(folder):
    """Sixty connections of one client. "always": with tcp_syncookies 2, every SYN is answered with a cookie.
    "full": with tcp_syncookies 1, SYNs of nobody's fill the SYN queue in the middle of it. "never": the
    same without a full queue. NAME.truth.json has how many cookies the kernel counted."""
    sh("ip route add blackhole 10.79.0.0/16 2>/dev/null || true", ROUTER)
    with inside(CLIENT):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for name, setting in (("always", 2), ("full", 1), ("never", 1)):
        sh(f"sysctl -qw net.ipv4.tcp_syncookies={setting} net.ipv4.tcp_synack_retries=2", SERVER)
        server = listener(80, 16)
        before = grown("TcpExtSyncookiesSent")
        with captured(folder, f"cookies-{name}", [("server", SERVER, "eth0"), ("client", CLIENT, "eth0")], snap=96):
            ask(20, 5, server)
            if name == "full":
                for i in range(20):
                    raw.sendto(syn(socket.inet_aton(f"10.79.0.{i + 1}"), random.randrange(1024, 65536),
                                   random.getrandbits(32)), (SERVER_ADDRESS, 80))
            ask(20, 5, server)
            time.sleep(3)  # until what filled it is given up
            ask(20, 5, server)
        truth = {"cookies": grown("TcpExtSyncookiesSent") - before}
        (folder / f"cookies-{name}.truth.json").write_text(json.dumps(truth) + "\n")
        for point in ("server", "client"):
            sh(f"gzip -9nf {folder}/cookies-{name}.{point}.pcap")
        server.close()
    sh("sysctl -qw net.ipv4.tcp_syncookies=1", SERVER)


def translated(folder):
    """Clients speak to 10.77.1.1:8080, which the router translates; the queue behind it is full."""
    server = listener(80, 1)
    sh("nft add table ip n; nft add chain ip n p '{ type nat hook prerouting priority -100; }';"
       " nft add rule ip n p ip daddr 10.77.1.1 tcp dport 8080 dnat to 10.77.2.2:80", ROUTER)
    with captured(folder, "translated", [("any", ROUTER, "any")]):
        clients = [connect(8080, "10.77.1.1") for _ in range(2)]
        time.sleep(0.2)
        clients += [connect(8080, "10.77.1.1") for _ in range(3)]
        time.sleep(4.5)
        for client in clients:
            client.close()
    sh("nft delete table ip n", ROUTER)
    server.close()


@contextlib.contextmanager
def traced(file):
    """Writes what the kernel of the server did meanwhile with its port 80, as `acceptq trace` ($ACCEPTQ) has it."""
    trace = subprocess.Popen([os.environ.get("ACCEPTQ", "acceptq"), "trace", "--summary", "--json", "--for",
                              "18s", f"netns:{os.stat(f'/run/netns/{SERVER}').st_ino}"], stdout=subprocess.PIPE, text=True)
    time.sleep(7)  # until it has attached
    yield
    summary = json.loads(trace.communicate()[0].splitlines()[-1])
    ledger, = (each for each in summary["ledgers"] if each["port"] == 80 and each["counts"]["syn_received"])
    truth = {name: count for name, count in ledger["counts"].items() if count}
    file.write_text(json.dumps(truth, indent=1, sort_keys=True) + "\n")


def overflow(address, port, server):
    """Twelve clients, where four fit until the server accepts."""
    clients = []
    for _ in range(12):
        clients.append(connect(port, address))
        time.sleep(0.02)
    time.sleep(2.3)
    server.setblocking(False)
    accepted = []
    end = time.monotonic() + 3
    while time.monotonic() < end:
        with contextlib.suppress(BlockingIOError):
            accepted.append(server.accept()[0])
        time.sleep(0.01)
    for sock in clients + accepted:
        sock.close()


def incident(folder):
    """The same incident everywhere at once: at the client, on the router in front, whose address the
    clients know and which puts its own in place of theirs, at the server ("pod") and on all of its
    interfaces. Four connections wait where four fit, eight attempts are refused until the server
    accepts. incident.truth.json is what the kernel did meanwhile."""
    server = listener(80, 3)
    sh("nft add table ip n; nft add chain ip n p '{ type nat hook prerouting priority -100; }';"
       " nft add rule ip n p ip daddr 10.77.1.1 tcp dport 8080 dnat to 10.77.2.2:80;"
       " nft add chain ip n o '{ type nat hook postrouting priority 100; }';"
       " nft add rule ip n o ip daddr 10.77.2.2 masquerade", ROUTER)
    points = [("client", CLIENT, "eth0"), ("ingress", ROUTER, "any"), ("pod", SERVER, "eth0"),
              ("any", SERVER, "any")]
    with traced(folder / "incident.truth.json"), captured(folder, "incident", points):
        overflow("10.77.1.1", 8080, server)
    sh("nft delete table ip n", ROUTER)
    server.close()


TUNNELS = {"vxlan": "id 42 dstport 8472 local 10.77.{mine}.2 remote 10.77.{its}.2 dev eth0",
           "geneve": "id 42 remote 10.77.{its}.2",
           "ipip": "local 10.77.{mine}.2 remote 10.77.{its}.2"}


@contextlib.contextmanager
def tunnel(kind):
    """Between client and server, 10.80.0.1 and 10.80.0.2."""
    for ns, mine, its in ((CLIENT, 1, 2), (SERVER, 2, 1)):
        sh(f"ip link add tunnel type {kind} {TUNNELS[kind].format(mine=mine, its=its)};"
           f" ip addr add 10.80.0.{mine}/24 dev tunnel; ip link set tunnel up", ns)
    try:
        yield
    finally:
        for ns in (CLIENT, SERVER):
            sh("ip link del tunnel", ns)


def tunnelled(folder):
    """An overflow behind a tunnel: four connections wait where four fit, and eight attempts are refused until
    the server accepts. Captured at the server: in the tunnel, outside of it, and on all interfaces, where each
    packet is seen both ways."""
    points = [("inside", SERVER, "tunnel"), ("outside", SERVER, "eth0"), ("any", SERVER, "any")]
    for name in TUNNELS:
        server = listener(80, 3)
        with tunnel(name), traced(folder / f"{name}.truth.json"):
            with captured(folder, name, points, "tcp or udp port 8472 or udp port 6081 or ip proto 4", snap=146):
                overflow("10.80.0.2", 80, server)
        sh(f"gzip -9nf {folder}/{name}.*.pcap")
        server.close()


def loopback(folder):
    """Client and server are one host; the accept queue is full."""
    server = listener(80, 0)
    with inside(SERVER):
        clients = [socket.socket() for _ in range(4)]
    with captured(folder, "loopback", [("lo", SERVER, "lo"), ("any", SERVER, "any")]):
        for client in clients:
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(("127.0.0.1", 80))
            time.sleep(0.1)
        time.sleep(3.3)
    for client in clients:
        client.close()
    server.close()


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    folder.mkdir(parents=True, exist_ok=True)
    scenarios = (full_at_syn, in_part, full_at_ack, filtered, closed, healthy, reset, flood, cookies, translated,
                 incident, tunnelled, loopback)
    with network():
        for scenario in scenarios:
            if sys.argv[2:] and scenario.__name__ not in sys.argv[2:]:
                continue
            print(scenario.__name__, flush=True)
            scenario(folder)


if __name__ == "__main__":
    main()
