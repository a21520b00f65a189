#!/usr/bin/python3
"""What becomes of pasted text on its way through terminals, mail and chat changes no conclusion.

Each golden ticket is altered. What keeps the words (line ends, encodings, colours, quotes) gives the
same verdict and the same limits. What loses some (broken or cut lines) gives nothing that the whole
text does not: a listener's numbers are right or not there, and so is a counter's.

import_mutations_test.py ACCEPTQ ROOT
"""

import concurrent.futures
import json
import pathlib
import subprocess
import sys


def check(acceptq, text):
    """What acceptq makes of the bytes, as it concerns us; None where it could not read any."""
    run = subprocess.run(
        [acceptq, "check", "--json", "--from", "-"], input=text, capture_output=True, timeout=120, check=False)
    if run.returncode == 2:
        return None
    if run.returncode not in (0, 1, 3):
        raise AssertionError(f"exit code {run.returncode}: {run.stderr.decode(errors='replace')}")
    report = json.loads(run.stdout)
    listeners = sorted({(
        listener["address"] or listener["path"],
        listener["port"] or 0,
        listener["accept_queue"]["length"],
        -1 if listener["accept_queue"]["limit"] is None else listener["accept_queue"]["limit"],
    ) for listener in report["listeners"]}, key=str)
    counters = sorted({
        (name, -1 if value["total"] is None else value["total"])
        for namespace in report["namespaces"]
        for name, value in namespace["counters"].items()
        if value["total"] != 0
    })
    return {"verdict": report["verdict"], "listeners": listeners, "counters": counters}


def each_line(text, before=b"", after=b"\n"):
    return b"".join(before + line + after for line in text.splitlines())


def wrapped(text, width):
    lines = []
    for line in text.decode().splitlines():
        lines += [line[at:at + width] for at in range(0, len(line), width)] or [""]
    return "\n".join(lines).encode() + b"\n"


KEPT = {
    "CRLF": lambda text: each_line(text, after=b"\r\n"),
    "UTF-16, little-endian": lambda text: b"\xff\xfe" + text.decode().encode("utf-16-le"),
    "UTF-16, big-endian": lambda text: b"\xfe\xff" + text.decode().encode("utf-16-be"),
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "colours": lambda text: each_line(text, before=b"\x1b[01;31m\x1b[K", after=b"\x1b[m\x1b[K\n"),
    "quoted": lambda text: each_line(text, before=b"> "),
    "quoted twice": lambda text: each_line(text, before=b"> > "),
    "blanks at line ends": lambda text: each_line(text, after=b"   \n"),
    "blanks that do not break": lambda text: text.replace(b"  ", b"\xc2\xa0 "),
    "tabs": lambda text: text.replace(b"        ", b"\t"),
    "a fence": lambda text: b"```console\n" + text + b"```\n",
}
LOSSY = {
    "broken at 80 columns": lambda text: wrapped(text, 80),
    "broken at 60 columns": lambda text: wrapped(text, 60),
}


def cuts(text):
    """Places in the middle of lines, spread over the text."""
    most = 24
    lines = [at for at in range(1, len(text)) if text[at - 1:at] != b"\n" and text[at:at + 1] != b"\n"]
    step = max(1, len(lines) // most)
    # At the last line a bare number may have lost digits, and nothing tells.
    return [at for at in lines[::step] if at < text.rstrip(b"\n").rfind(b"\n")]


def faults_of(acceptq, name, text):
    whole = check(acceptq, text)
    faults = []
    for kind, alter in KEPT.items():
        got = check(acceptq, alter(text))
        if got != whole:
            faults.append(f"{name}, {kind}: {got} for {whole}")
    for kind, alter in LOSSY.items():
        got = check(acceptq, alter(text))
        if got and whole and not set(got["listeners"]) <= set(whole["listeners"]):
            faults.append(f"{name}, {kind}: {got['listeners']} for {whole['listeners']}")
        if got and whole and not set(got["counters"]) <= set(whole["counters"]):
            faults.append(f"{name}, {kind}: {got['counters']} for {whole['counters']}")
    for at in cuts(text):
        begin = text.rfind(b"\n", 0, at) + 1
        end = text.find(b"\n", at) + 1
        got = check(acceptq, text[:at])
        before = check(acceptq, text[:begin])
        after = check(acceptq, text[:end])
        if got not in (before, after):
            faults.append(f"{name}, cut at byte {at}: {got} is neither {before} nor {after}")
    return faults


def main():
    acceptq, root = sys.argv[1], pathlib.Path(sys.argv[2])
    tickets = sorted((root / "tests/golden").glob("*/ticket.txt"))
    assert len(tickets) > 10, tickets
    faults = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(faults_of, acceptq, path.parent.name, path.read_bytes()) for path in tickets]
        for run in runs:
            faults += run.result()
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
