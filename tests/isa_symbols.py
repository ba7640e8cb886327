#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each instruction set's object defines one symbol, its kernel table.

Anything else visible to the linker, above all a weak inline function, could become the copy that the whole program
calls, on machines that lack the instructions it was compiled for.

Usage: isa_symbols.py NM ARCHIVE SOURCE…, the sources that the build compiles with flags of their own. Prints what is too
much or missing and exits with 1 if anything is.
It first checks itself on a listing with such a symbol.
"""
import pathlib
import re
import subprocess
import sys

TABLE = re.compile(r"tern::cpu::k\w+(Floats|Coded|Ternary|Probe|Array\w+)")


def symbols_of_members(listing):
    """Archive member -> the names it defines, from the output of nm -g."""
    members, current = {}, None
    for line in listing.splitlines():
        if line.endswith(":") and " " not in line:
            current = members.setdefault(line[:-1], [])
        elif line.strip() and current is not None:
            current.append(line.split(maxsplit=2)[2])
    return members


def complaints(listing, sources):
    members = symbols_of_members(listing)
    for source in sources:
        member = source + ".o"
        names = members.get(member)
        if names is None:
            yield f"{member}: not in the archive"
            continue
        tables = [name for name in names if TABLE.fullmatch(name)]
        if len(tables) != 1:
            yield f"{member}: expected one kernel table, got {tables}"
        yield from (f"{member}: defines {name}" for name in names if name not in tables)
    for member in members.keys() - {source + ".o" for source in sources}:
        yield from (f"{member}: defines {name}, but is not in the list of sources" for name in members[member] if TABLE.fullmatch(name))


def check_itself():
    good = "\nbackend.cpp.o:\n0000 T tern::cpu::open()\n\navx2.cpp.o:\n0000 R tern::cpu::kAvx2Floats\n"
    assert not list(complaints(good, ["avx2.cpp"]))
    assert list(complaints(good + "0000 W std::max(float, float)\n", ["avx2.cpp"])) == ["avx2.cpp.o: defines std::max(float, float)"]
    assert len(list(complaints(good, ["avx2.cpp", "scalar.cpp"]))) == 1
    assert len(list(complaints(good, []))) == 1
    assert len(list(complaints("avx2.cpp.o:\n", ["avx2.cpp"]))) == 1


def main():
    nm, archive, *paths = sys.argv[1:]
    check_itself()
    listing = subprocess.run([nm, "-C", "-g", "--defined-only", archive], check=True, capture_output=True, text=True).stdout
    sources = sorted(pathlib.Path(path).name for path in paths)
    found = list(complaints(listing, sources))
    print("\n".join(found) if found else f"one kernel table each: {', '.join(sources)}")
    return 1 if found or not sources else 0


if __name__ == "__main__":
    sys.exit(main())
