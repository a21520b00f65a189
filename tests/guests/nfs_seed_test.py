#!/usr/bin/python3
"""The seed case to its end, on the kernel's own NFS.

A client asks an ingress (HAProxy), which asks an nginx in a pod (network and mount namespace of its
own, somaxconn 128, the node's being 32768), which reads its files from an NFS server whose answers
take long. acceptq, pointed at nothing, has to name the listener, the limit, who set it, and the NFS
mount; pointed at the ingress, it has to lead to the same: with functions traced, with tracepoints,
and without tracing.

For guests only (tools/test-kernels): what it mounts and makes is gone with the guest. Exit code 77:
something that it needs is missing.
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
INGRESS_PORT = 8080
WORK = "/tmp/nfs-seed"
# In one network, as pods of one node are.
ADDRESSES = {"pod": "10.0.0.5", "ingress": "10.0.0.4", "client": "10.0.0.3", "storage": "10.0.0.9"}
NODE = "10.0.0.1"
SLOWNESS = "100ms"  # of each answer of the NFS server; to open and read a file takes several
FILES = 200
SECONDS = 8  # a look at threads takes long under emulation

NGINX = nginx_conf(WORK, "listen 80; root /mnt/images;")
HAPROXY = f"""
global
  maxconn 8000
defaults
  mode http
  timeout connect 30s
  timeout client 60s
  timeout server 60s
frontend web
  bind :{INGRESS_PORT}
  default_backend images
backend images
  option http-server-close
  server nginx {ADDRESSES["pod"]}:80
"""


def run(command):
    subprocess.run(command, shell=True, check=True)


def skip(reason):
    print(f"nfs_seed_test skipped: {reason}")
    sys.exit(77)


def wait_for(what, condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"nfs_seed_test: timed out: {what}")
        time.sleep(0.1)


def queue_of(namespace, port):
    """Length and limit of the accept queue; None where nothing listens."""
    text = subprocess.run(f"ip netns exec {namespace} ss -Hlnt sport = :{port}", shell=True, check=True,
                          capture_output=True, text=True).stdout.split()
    return (int(text[1]), int(text[2])) if text else None


def make_network():
    run(f"ip link add br0 type bridge && ip link set br0 up && ip addr add {NODE}/24 dev br0")
    for number, (name, address) in enumerate(ADDRESSES.items()):
        run(f"ip netns add {name} && ip link add v{number} type veth peer name eth0 netns {name} && "
            f"ip link set v{number} master br0 up && ip -n {name} link set lo up && "
            f"ip -n {name} addr add {address}/24 dev eth0 && ip -n {name} link set eth0 up")
    run("sysctl -qw net.core.somaxconn=32768")
    run("ip netns exec pod sysctl -qw net.core.somaxconn=128")
    run("ip netns exec ingress sysctl -qw net.core.somaxconn=32768")


def serve_files():
    """All of the server is in one network namespace, which is that of whoever mounts its nfsd; a
    node mounts, and its pods see the mount."""
    run("mount -t tmpfs nfs /var/lib/nfs && mkdir /var/lib/nfs/v4recovery && "
        "touch /var/lib/nfs/etab /var/lib/nfs/rmtab && "
        f"mkdir -p /export && mount -t tmpfs export /export && mkdir /export/data && "
        f"for i in $(seq {FILES}); do head -c 20000 /dev/urandom >/export/data/$i.jpg; done")
    pathlib.Path(f"{WORK}/nfsd").write_text(
        "mount -t nfsd nfsd /proc/fs/nfsd\n"
        "echo 10 >/proc/fs/nfsd/nfsv4gracetime\n"
        "echo 10 >/proc/fs/nfsd/nfsv4leasetime\n"
        "exportfs -i -o fsid=0,insecure,rw,no_root_squash '*:/export'\n"
        "rpc.nfsd --no-udp -N 3 8\n"
        f"rpc.mountd -F -N 3 2>{WORK}/mountd.log &\n")
    run(f"ip netns exec storage sh {WORK}/nfsd")
    run("mkdir -p /mnt/images && "
        f"mount -t nfs -o vers=4.1,noac,lookupcache=none {ADDRESSES['storage']}:/data /mnt/images")


def ask_for_a_file():
    run("ip netns exec client /usr/bin/python3 -c 'import urllib.request; "
        f"urllib.request.urlopen(\"http://{ADDRESSES['ingress']}:{INGRESS_PORT}/1.jpg\").read()'")


def check(*arguments):
    """The report, with its listeners by their port."""
    ended = subprocess.run([ACCEPTQ, "check", "--json", "--for", f"{SECONDS}s", *arguments],
                           capture_output=True, text=True)
    if ended.returncode not in (0, 1):
        sys.exit(f"acceptq ended with {ended.returncode}: {ended.stderr}")
    report = json.loads(ended.stdout)
    return report, {listener["port"]: listener for listener in report["listeners"]}


def expect(actual, wanted, what):
    if actual != wanted:
        sys.exit(f"nfs_seed_test: {what}: {actual!r}, not {wanted!r}")


def finding(report, identifier):
    found = [each for each in report["findings"] if each["id"] == identifier]
    if len(found) != 1:
        sys.exit(f"nfs_seed_test: {len(found)} findings {identifier}: "
                 f"{json.dumps(report['findings'], indent=1)}")
    return found[0]


def expect_diagnosis(report, listeners):
    nginx = listeners[80]
    expect(report["verdict"], "overflowing", "verdict")
    expect(finding(report, "AQ101")["listener"], nginx["key"], "who refuses")
    expect([owner["comm"] for owner in nginx["owners"]], ["nginx", "nginx"], "owners")
    expect(nginx["accept_queue"]["limit"], 128, "limit")
    expect(nginx["accept_queue"]["limit_set_by"], "somaxconn", "who set the limit")
    why = finding(report, "AQ310")
    expect(why["listener"], nginx["key"], "who is slow")
    expect(why["cause"]["kind"], "io.nfs", "cause")
    source = f"{ADDRESSES['storage']}:/data"
    expect(why["cause"]["detail"].get("source"), source, "what is slow")
    if not why["explanation"].startswith(f"nginx waits for NFS ({source})"):
        sys.exit(f"nfs_seed_test: {why['explanation']}")
    if report["host"]["scan"] != "iterator":
        return  # whose connections there are, nothing else tells
    behind = finding(report, "AQ315")
    expect(behind["listener"], listeners[INGRESS_PORT]["key"], "who waits")
    expect(behind["cause"]["detail"]["listener"], nginx["key"], "whom it waits for")
    expect(behind["cause"]["detail"]["peer"], f"{ADDRESSES['pod']}:80", "where")


def main():
    for program in "rpc.nfsd exportfs mount.nfs nginx haproxy tc ss".split():
        if not shutil.which(program):
            skip(f"no {program}")
    for module in "nfsd nfsv4 sch_netem bridge".split():
        if subprocess.run(["modprobe", module], check=False).returncode != 0:
            skip(f"this kernel has no {module}")
    os.makedirs(WORK)
    make_network()
    serve_files()
    pathlib.Path(f"{WORK}/nginx.conf").write_text(NGINX)
    pathlib.Path(f"{WORK}/haproxy.cfg").write_text(HAPROXY)
    for namespace, command in [("pod", f"unshare -m nginx -p {WORK} -c {WORK}/nginx.conf"),
                               ("ingress", f"haproxy -f {WORK}/haproxy.cfg")]:
        subprocess.Popen(f"ip netns exec {namespace} {command}", shell=True)
    wait_for("the servers", lambda: queue_of("pod", 80) and queue_of("ingress", INGRESS_PORT))
    ask_for_a_file()
    report, _ = check(":80", f":{INGRESS_PORT}")
    expect(report["verdict"], "healthy", "verdict before anything is slow")

    run(f"ip netns exec storage tc qdisc add dev eth0 root netem delay {SLOWNESS} limit 10000")
    subprocess.Popen(["ip", "netns", "exec", "client", "/usr/bin/python3", __file__, "--load"])
    wait_for("a full queue", lambda: queue_of("pod", 80)[0] > 128)
    for tracing in ["auto", "tracepoints", "none"]:
        print(f"nfs_seed_test: --tracing {tracing}", flush=True)
        expect_diagnosis(*check("--tracing", tracing))
    print("nfs_seed_test: the ingress", flush=True)
    report, listeners = check(f":{INGRESS_PORT}")
    if report["host"]["scan"] == "iterator":
        expect_diagnosis(report, listeners)


def load(rate=40, seconds=300, patience=20):
    """Asks for `rate` files a second, for each by a connection of its own."""
    pending = []
    begin = time.monotonic()
    for number in range(rate * seconds):
        fresh = socket.socket()
        fresh.setblocking(False)
        fresh.connect_ex((ADDRESSES["ingress"], INGRESS_PORT))
        request = b"GET /%d.jpg HTTP/1.0\r\nHost: images\r\n\r\n" % (number % FILES + 1)
        pending = [each for each in pending + [[fresh, request, time.monotonic() + patience]]
                   if still_waits(each)]
        time.sleep(max(0, begin + number / rate - time.monotonic()))


if __name__ == "__main__":
    if sys.argv[1:] == ["--load"]:
        load()
    else:
        main()
