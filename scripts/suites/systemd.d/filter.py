"""Holds a traced run to a unit: system calls, memory that is written and run, address families."""

import re
import subprocess
import sys


def group(name):
    """The system calls of a group, of the groups in it too."""
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True
    ).stdout
    calls = set()
    for line in said.splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            calls |= group(word)
        elif word and not word.startswith("#"):
            calls.add(word)
    return calls


def settings(unit):
    """Each setting of the unit, with its values in order."""
    found = {}
    for line in open(unit, encoding="utf-8"):
        name, equals, value = line.strip().partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def allowed(filters):
    """What a list of filters lets through; the first one says that it is a list of what may be."""
    calls = group("@default")
    for value in filters:
        taken = value.startswith("~")
        for word in value.lstrip("~").split():
            named = group(word) if word.startswith("@") else {word}
            calls = calls - named if taken else calls | named
    return calls


def main(unit, trace):
    known = settings(unit)
    may = allowed(known["SystemCallFilter"])
    families = set(known["RestrictAddressFamilies"][0].split())
    wrong, used, begun = set(), set(), False
    for line in open(trace, encoding="utf-8", errors="replace"):
        call = re.match(r"\d+\s+(?:<\.\.\. )?([a-z_0-9]+)[( ]", line)
        if not call:
            continue
        name = call.group(1)
        # What setpriv does before the program begins is systemd's to do.
        if not begun:
            begun = re.search(r'execve\("[^"]*/amaretti"', line) is not None
            continue
        used.add(name)
        if name not in may:
            wrong.add(f"{name} is not let through")
        if name in ("mmap", "mprotect") and "PROT_WRITE" in line and "PROT_EXEC" in line:
            wrong.add(f"memory that is written and run: {line.strip()}")
        family = re.match(r"\d+\s+socket\((AF_\w+)", line)
        if family and family.group(1) not in families:
            wrong.add(f"a socket of {family.group(1)}")
    if len(used) < 30:
        wrong.add(f"hardly anything was traced: {sorted(used)}")
    print("\n".join(sorted(wrong)))
    return 1 if wrong else 0


sys.exit(main(*sys.argv[1:]))
