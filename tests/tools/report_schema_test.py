#!/usr/bin/python3
"""Checks that the reports of the golden cases are what docs/report.schema.json says, member by member.

report_schema_test.py ROOT. The published schema allows members that it does not name, since releases
may add some; here none is allowed, so that nothing is added without being described.
"""

import json
import pathlib
import sys

try:
    import jsonschema
except ImportError:
    print("skipped: python3-jsonschema is not installed")
    sys.exit(77)


def closed(schema):
    """The schema, with no member allowed that it does not name."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: closed(value) for key, value in schema.items()}
    if "properties" in copy and isinstance(copy.get("required"), list):
        copy["additionalProperties"] = False
    return copy


def main():
    root = pathlib.Path(sys.argv[1])
    schema = json.loads((root / "docs/report.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(closed(schema))
    reports = bad = 0
    for file in sorted((root / "tests/golden").glob("*/out")):
        text = file.read_text(encoding="utf-8")
        if not text.startswith("{") or '"acceptq.report/1"' not in text:
            continue
        reports += 1
        for error in validator.iter_errors(json.loads(text)):
            bad += 1
            print(f"{file}: $.{'.'.join(map(str, error.absolute_path))}: {error.message}")
    if reports == 0:
        print("no golden report was found")
    return 1 if bad or reports == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
