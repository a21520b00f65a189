#!/usr/bin/python3
"""Text, JSON, Markdown and HTML say the same: what the JSON of each golden recording says is found in
the others, and HTML is as its own rules say.

report_formats_test.py ACCEPTQ ROOT
"""

import html
import html.parser
import json
import pathlib
import re
import subprocess
import sys

# Elements and attributes of a page, all of them: nothing that runs, loads or leads elsewhere.
ELEMENTS = set("""html head meta title style body header main footer section h1 h2 h3 h4 h5 p ul ol li
 dl dt dd div table caption thead tbody tr th td pre span figure figcaption details summary
 svg path rect text""".split())
ATTRIBUTES = set("""lang charset http-equiv content name class role tabindex aria-label aria-labelledby
 scope id viewbox preserveaspectratio d x y width height rx stroke-width""".split())
VOID = {"meta"}


class Page(html.parser.HTMLParser):
    """The text of a page; complains of what may not be in it."""

    def __init__(self):
        super().__init__()
        self.wrong = []
        self.open = []
        self.words = []
        self.headings = []

    def handle_starttag(self, tag, attrs):
        if tag not in ELEMENTS:
            self.wrong.append(f"<{tag}>")
        self.wrong += [f"<{tag} {name}>" for name, _ in attrs if name not in ATTRIBUTES]
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes nothing")

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    def handle_comment(self, data):
        self.wrong.append(f"<!--{data}-->")


def text_of_markdown(text):
    return html.unescape(re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text))


def text_of_html(text):
    page = Page()
    page.feed(text)
    page.close()
    wrong = page.wrong + [f"<{tag}> is not closed" for tag in page.open]
    if page.headings[:1] != [1] or page.headings.count(1) != 1:
        wrong.append("not one <h1>, first")
    wrong += [f"<h{b}> below <h{a}>" for a, b in zip(page.headings, page.headings[1:]) if b > a + 1]
    if "default-src 'none'" not in text:
        wrong.append("no Content-Security-Policy")
    return " ".join(page.words), wrong


def unescaped(text):
    """Of a JSON string: a page shows a backslash single, and bytes that are not shown as \\xHH."""
    return re.sub(r"[\x00-\x1f]", lambda sign: f"\\x{ord(sign[0]):02x}", text.replace("\\\\", "\\"))


def course_of(listener):
    """What happened over time, as it is said of listeners in trouble."""
    if listener["course"] is None or listener["verdict"] not in ("failing", "overflowing"):
        return
    for member, said in (("syn_unanswered", "SYN without an answer"), ("ack_unheard", "SYN-ACK repeated"),
                         ("resets", "reset by the server"), ("slow", "handshake that took 1 s")):
        count = sum(part[member] for part in listener["course"]["parts"])
        one, _, rest = said.partition(" ")
        if count:
            yield "course", f"{count} {one}{'s' if count > 1 else ''} {rest}"


def facts_of(report):
    """What must be found in every format: a name for each, and its text."""
    yield "verdict", report["verdict"]
    yield "host", unescaped(report["host"]["name"])
    for finding in report["findings"]:
        yield "finding", finding["id"]
        if finding["severity"] != "notice":
            yield "title", finding["title"]
    for spot in report["blind_spots"]:
        yield "blind spot", spot["id"]
    for listener in report["listeners"]:
        address = listener["address"]
        if address is None:
            yield "path", "unix:" + unescaped(listener["path"])
        else:
            yield "endpoint", f"[{address}]:{listener['port']}" if ":" in address else f"{address}:{listener['port']}"
        yield "verdict of a listener", listener["verdict"]
        if listener["accept_queue"]["limit"] is not None:
            yield "limit", str(listener["accept_queue"]["limit"])
        yield from course_of(listener)
        packets = listener["refused"]["packets"]
        if packets["total"]:
            yield "refused", str(packets["total"])
            for step in ("at_syn", "at_ack"):
                if packets[step]:
                    yield step, str(packets[step])


def run(program, recording, *options):
    done = subprocess.run([program, "check", "--from", "-", "--all", "--fail-on", "never", *options],
                          input=recording, capture_output=True, check=False)
    assert done.returncode in (0, 3), (done.returncode, done.stderr)
    return done.stdout.decode()


def recordings(root):
    """The name and the bytes of each golden recording, of those that are made of them, and of captures."""
    for capture in ("full-at-syn.any", "full-at-ack.server", "translated.any"):
        yield capture, (root / f"tests/data/captures/{capture}.pcap").read_bytes()
    inputs, edits = root / "tests/golden/inputs", root / "tests/golden/edits"
    for file in sorted(inputs.glob("*.json")):
        yield file.stem, file.read_bytes()
    for name, command in (("armed", ["jq", "-f", edits / "armed.jq", inputs / "seed-why.json"]),
                          ("markup-names", ["sed", "-f", edits / "markup-names.sed", inputs / "hostile-names.json"])):
        yield name, subprocess.run(command, capture_output=True, check=True).stdout


def is_said(what, text):
    """As a word of its own: 128 is not said by 1280."""
    return re.search(rf"(?<![\w.]){re.escape(what)}(?![\w])", text) is not None


def main():
    program, root = sys.argv[1], pathlib.Path(sys.argv[2])
    checked, bad = 0, []
    for name, recording in recordings(root):
        report = json.loads(run(program, recording, "--format", "json"))
        page, wrong = text_of_html(run(program, recording, "--format", "html"))
        bad += [f"{name}: html: {each}" for each in wrong]
        if report["host"]["tracing"] == "packets" and "taken by accept()" in page:
            bad.append(f"{name}: html: packets show nothing of accept()")
        texts = {"text": run(program, recording, "--verbose"),
                 "markdown": text_of_markdown(run(program, recording, "--format", "markdown")),
                 "html": page}
        for form, text in texts.items():
            for kind, what in facts_of(report):
                checked += 1
                # The text wraps its lines, and shows a verdict but in its table of other listeners.
                if form == "text" and ("verdict" in kind or kind in ("title", "path", "finding")):
                    continue
                if not is_said(what, " ".join(text.split()) if kind == "course" else text):
                    bad.append(f"{name}: {form}: {kind} {what!r} is not said")
    print("\n".join(bad))
    print(f"{checked} facts looked for, {len(bad)} wrong")
    return 1 if bad or checked == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
