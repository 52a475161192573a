#!/usr/bin/env python3
"""Run as a ctest: check_proto_comments.py FOLDER...

Every field, enum value and rpc of the .proto files below FOLDER has a comment of its own: at the end
of its line, or in the lines directly above it.
"""
import pathlib
import re
import sys

DECLARATION = re.compile(
    r"^\s*(?:rpc\s+(?P<rpc>\w+)\s*\("
    r"|(?:optional\s+|repeated\s+)?(?:map\s*<[^>]*>|[\w.]+)\s+(?P<field>\w+)\s*=\s*\d+\s*[;\[]"
    r"|(?P<value>\w+)\s*=\s*\d+\s*[;\[])")


def undocumented(text):
    """Yields (line number, name) of each declaration without a comment."""
    before = ""
    for number, line in enumerate(text.splitlines(), 1):
        match = DECLARATION.match(line)
        if match and not before.startswith("//") and "//" not in line:
            yield number, match["rpc"] or match["field"] or match["value"]
        before = line.strip()


def main():
    files = sorted(path for folder in sys.argv[1:] for path in pathlib.Path(folder).rglob("*.proto"))
    if not files:
        sys.exit(f"no .proto files below {sys.argv[1:]}")
    declarations, missing = 0, 0
    for path in files:
        text = path.read_text(encoding="utf-8")
        declarations += sum(1 for line in text.splitlines() if DECLARATION.match(line))
        for number, name in undocumented(text):
            print(f"{path}:{number}: '{name}' has no comment (meaning, unit, range, what absent means)")
            missing += 1
    print(f"{declarations} fields, enum values and rpcs in {len(files)} files, {missing} undocumented")
    sys.exit(1 if missing or declarations < 200 else 0)


if __name__ == "__main__":
    main()
