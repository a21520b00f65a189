#!/usr/bin/python3
"""The HTML report in a real browser: at the widths of a telephone, a tablet and a desk, in light and
dark, axe-core finds nothing wrong and the page does not scroll sideways.

report_html_test.py ACCEPTQ ROOT. Skipped without Chromium, or without axe-core: its axe.min.js is
looked for in tests/tools/node_modules/axe-core, or where ACCEPTQ_AXE says (CONTRIBUTING.md).
ACCEPTQ_SHOTS=FOLDER keeps a picture of each page.
"""

import html
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from report_formats_test import recordings, run

WIDTHS = (360, 768, 1280)
# What --blink-settings calls them.
SCHEMES = {"dark": 0, "light": 1}

# A window of Chromium is at least 500 wide; a frame has any width, and media queries go by it.
FRAME = """<!DOCTYPE html><html lang="en"><title>frame</title><body style="margin:0">
<iframe style="border:0;width:{width}px;height:{height}px" srcdoc="{page}"></iframe>"""

# Runs in a copy of the page, which lacks the policy that lets nothing run. What axe cannot tell is
# the contrast of a text in a picture, and of one that a box which scrolls hides in part.
PROBE = """
const wide = [...document.querySelectorAll('*')].filter(
  e => e.scrollWidth > e.clientWidth && getComputedStyle(e).overflowX === 'auto');
axe.run(document, {resultTypes: ['violations', 'incomplete']}).then(result => {
  const hidden = node => document.querySelector(node.target[0]).closest('.scroll, svg') !== null;
  const brief = (list, keep) => list.map(each => ({id: each.id, nodes: each.nodes.filter(keep).map(
    node => node.html.slice(0, 200) + ' ' + (node.failureSummary || '').slice(0, 300))}));
  const answer = JSON.stringify({
    width: innerWidth, dark: matchMedia('(prefers-color-scheme: dark)').matches,
    page: document.documentElement.scrollWidth, passes: result.passes.length,
    unreachable: wide.filter(e => e.tabIndex !== 0).map(e => e.outerHTML.slice(0, 200)),
    violations: brief(result.violations, () => true), incomplete: brief(result.incomplete, node => !hidden(node))});
  const place = parent.document;
  place.body.replaceChildren(Object.assign(place.createElement('pre'), {id: 'answer', textContent: answer}));
});
"""


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def axe_source(root):
    path = pathlib.Path(os.environ.get("ACCEPTQ_AXE", root / "tests/tools/node_modules/axe-core/axe.min.js"))
    if not path.is_file():
        skip(f"no axe-core: {path} is not there")
    return path.read_text(encoding="utf-8")


def browse(browser, page, scheme, home, *options):
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={home}",
               f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}", *options, page.as_uri()]
    return subprocess.run(command, capture_output=True, timeout=120, check=False).stdout.decode()


def checked(answer, width, scheme):
    """What is wrong with a page."""
    if answer["width"] != width or answer["dark"] != (scheme == "dark"):
        return [f"the browser showed it {answer['width']} wide, dark: {answer['dark']}"]
    wrong = [f"axe: {each['id']}: {node}" for each in answer["violations"] for node in each["nodes"]]
    wrong += [f"cannot be reached by key: {each}" for each in answer["unreachable"]]
    if answer["page"] > width:
        wrong.append(f"is {answer['page']} wide")
    wrong += [f"axe could not tell: {each['id']}: {node}" for each in answer["incomplete"]
              for node in each["nodes"]]
    if answer["passes"] < 10:
        wrong.append(f"axe looked at hardly anything: {answer['passes']} rules passed")
    return wrong


def main():
    program, root = sys.argv[1], pathlib.Path(sys.argv[2])
    browser = shutil.which("chromium") or skip("chromium is not installed")
    axe = axe_source(root)
    shots = os.environ.get("ACCEPTQ_SHOTS")
    bad = looks = 0
    with tempfile.TemporaryDirectory(prefix="acceptq-html-") as home:
        for name, recording in recordings(root):
            text = run(program, recording, "--format", "html")
            probed, count = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
            assert count == 1, name
            probed += f"<script>{axe}</script><script>{PROBE}</script>"
            page = pathlib.Path(home) / "page.html"
            for width in WIDTHS:
                for scheme in SCHEMES:
                    if shots:
                        page.write_text(FRAME.format(width=width, height=5000, page=html.escape(text)), encoding="utf-8")
                        browse(browser, page, scheme, home, f"--window-size={max(width, 500)},5000", "--hide-scrollbars",
                               f"--screenshot={shots}/{name}-{width}-{scheme}.png")
                    page.write_text(FRAME.format(width=width, height=1000, page=html.escape(probed)), encoding="utf-8")
                    dom = browse(browser, page, scheme, home, "--window-size=1400,1200",
                                 "--virtual-time-budget=60000", "--dump-dom")
                    found = re.search(r'<pre id="answer">(.*?)</pre>', dom, re.DOTALL)
                    wrong = checked(json.loads(html.unescape(found[1])), width, scheme) if found else ["axe gave no answer"]
                    looks += 1
                    bad += len(wrong)
                    for each in wrong:
                        print(f"{name} {width} {scheme}: {each}")
    print(f"{looks} looks, {bad} wrong")
    return 1 if bad or looks == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
