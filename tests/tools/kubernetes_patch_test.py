#!/usr/bin/python3
"""Whether the patches that `acceptq fix` prints for pods are what kubectl and kustomize take.

kubernetes_patch_test.py ACCEPTQ SOURCE: the binary, and the root of the repository. 77 without kubectl.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: tcpbench}
spec:
  selector: {matchLabels: {app: tcpbench}}
  template:
    metadata: {labels: {app: tcpbench}}
    spec:
      securityContext: {fsGroup: 7}
      initContainers:
      - {name: migrate, image: migrate}
      containers:
      - {name: nginx, image: nginx}
"""


def run(command, **more):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, timeout=60, **more).stdout


def ways_of(acceptq, source):
    """The forms of the first knob, by name: those of the pod's somaxconn."""
    recording = source / "tests/golden/inputs/seed-step1.json"
    plan = json.loads(run([acceptq, "fix", "--json", "--from", recording, ":80"]))["plans"][0]
    return {way["form"]: way for way in plan["knobs"][0]["ways"]}


def piece(way, where):
    return next(piece["text"] for piece in way["pieces"] if where in piece["where"])


def patched(patch):
    """The pod's template after kubectl has applied the patch, which asks no server."""
    command = ["kubectl", "patch", "--local", "--type=strategic", "-f", "-", "-o", "json", "-p", patch]
    return json.loads(run(command, input=DEPLOYMENT))["spec"]["template"]["spec"]


def kustomized(kustomization):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / "deployment.yaml").write_text(DEPLOYMENT)
        (path / "kustomization.yaml").write_text("resources: [deployment.yaml]\n" + kustomization)
        return run(["kubectl", "kustomize", folder])


def main():
    if shutil.which("kubectl") is None:
        print("skipped: no kubectl")
        return 77
    ways = ways_of(sys.argv[1], pathlib.Path(sys.argv[2]))

    spec = patched(piece(ways["pod.sysctls"], "kubectl"))
    assert spec["securityContext"]["sysctls"] == [{"name": "net.core.somaxconn", "value": "2048"}], spec
    assert spec["securityContext"]["fsGroup"] == 7, spec

    spec = patched(piece(ways["pod.init_container"], "kubectl"))
    assert {each["name"] for each in spec["initContainers"]} == {"migrate", "set-sysctl"}, spec
    assert [each["name"] for each in spec["containers"]] == ["nginx"], spec

    # Inline patches are of kustomize 3; kubectl has an older one up to 1.20, as Debian 12 does.
    version = json.loads(run(["kubectl", "version", "--client", "-o", "json"]))["clientVersion"]
    if (int(version["major"]), int(version["minor"].rstrip("+"))) > (1, 20):
        for form, sign in (("pod.sysctls", "name: net.core.somaxconn"),
                           ("pod.init_container", "name: set-sysctl")):
            text = kustomized(piece(ways[form], "kustomization.yaml"))
            assert sign in text and "image: nginx" in text, text
    return 0


if __name__ == "__main__":
    sys.exit(main())
