#!/usr/bin/env python3
"""Each header of ours, included first in a file, compiles: it includes what it needs.

    headers_alone.py <compile_commands.json> <reference.cpp> <include directory> <scratch> [--without-pch]
    headers_alone.py --self-test <compiler>

The flags are the reference's, its precompiled header too: what is missing of other libraries shows with --without-pch only.
One compiler serves several headers. A header may stand behind another when it includes, itself or through others, all that
the other one does, and the other one does not include it: then what it sees is what it would see alone. The fewest such rows
are a minimum path cover of that order.
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from compile_fail import command_of

INCLUDE = re.compile(r'\s*#\s*include\s*[<"](silica/[^>"]+)[>"]')


def includes(text):
    """(those of ours that are always included, those that a condition may leave out). Bodies are left to the library."""
    always, perhaps, conditions = [], [], []
    for line in text.splitlines():
        if re.match(r"\s*#\s*if", line):
            conditions.append(line.split())
        elif re.match(r"\s*#\s*endif", line):
            conditions.pop()
        elif (match := INCLUDE.match(line)) and ["#ifndef", "SILICA_COMPILED"] not in conditions:
            (perhaps if conditions else always).append(match[1])
    return always, perhaps


def closure(path, edges):
    seen, todo = {path}, [path]
    while todo:
        for other in edges[todo.pop()]:
            if other in edges and other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def rows(texts):
    """The headers in rows; each stands in one, behind those that cannot help it."""
    parsed = {path: includes(text) for path, text in texts.items()}
    surely = {path: closure(path, {p: a for p, (a, _) in parsed.items()}) for path in texts}
    at_most = {path: closure(path, {p: a + b for p, (a, b) in parsed.items()}) for path in texts}
    behind = {x: [y for y in texts if x != y and y not in at_most[x] and at_most[x] <= surely[y]] for x in texts}
    before = {}  # header -> the one in front of it

    def give_place(x, tried):
        for y in behind[x]:
            if y not in tried:
                tried.add(y)
                if y not in before or give_place(before[y], tried):
                    before[y] = x
                    return True
        return False

    for x in sorted(texts, key=lambda path: (len(at_most[path]), path)):
        give_place(x, set())
    after = {x: y for y, x in before.items()}
    found = []
    for path in sorted(texts):
        if path not in before:
            found.append([path])
            while found[-1][-1] in after:
                found[-1].append(after[found[-1][-1]])
    return found


def check(command, directory, include_directory, scratch):
    """Problems, one text for each file that does not compile, and how many files there were."""
    base = Path(include_directory)
    texts = {p.relative_to(base).as_posix(): p.read_text() for kind in ("*.hpp", "*.ipp") for p in base.rglob(kind)}
    scratch = Path(scratch)
    scratch.mkdir(parents=True, exist_ok=True)

    def compile_row(row):
        # Named and written by what it holds, so that a compiler cache knows it again.
        stem = re.sub(r"\W", "_", row[0])
        source = scratch / f"{stem}.cpp"
        source.write_text("".join(f'#include "{path}"\n' for path in row))
        result = subprocess.run(command + ["-c", str(source), "-o", str(scratch / f"{stem}.o")], cwd=directory,
                                capture_output=True, text=True, errors="replace")
        return result.stdout + result.stderr if result.returncode else ""

    todo = rows(texts)
    with ThreadPoolExecutor(int(os.environ.get("SILICA_JOBS", 0)) or os.cpu_count()) as pool:
        return [problem for problem in pool.map(compile_row, todo) if problem], len(texts), len(todo)


def self_test(compiler):
    first, second = '#pragma once\nstruct First {};\n', '#pragma once\nstruct Second { First first; };\n'
    include_first = '#include "silica/first.hpp"\n'
    user = '#pragma once\n#include "silica/first.hpp"\n#include "silica/second.hpp"\nstruct User { Second second; };\n'
    cases = [  # (name, files, whether they are as they should be)
        ("includes what it needs", {"first.hpp": first, "second.hpp": second.replace("struct S", include_first + "struct S")}, True),
        ("needs what another includes", {"first.hpp": first, "second.hpp": second, "user.hpp": user}, False),
        ("includes it under a condition", {"first.hpp": first, "second.hpp": second.replace(
            "struct S", "#ifdef NEVER\n" + include_first + "#endif\nstruct S")}, False),
        ("has a body that needs more", {"first.hpp": first, "second.hpp": '#pragma once\nvoid f();\n#ifndef SILICA_COMPILED\n'
            '#include "silica/second.ipp"\n#endif\n', "second.ipp": '#pragma once\n#include "silica/second.hpp"\nFirst g();\n'}, False),
        ("has a body that its header helps", {"first.hpp": first, "second.hpp": '#pragma once\n#ifndef SILICA_COMPILED\n'
            '#include "silica/first.hpp"\n#endif\nFirst f();\n'}, False),
    ]
    failed = 0
    for name, files, good in cases:
        with tempfile.TemporaryDirectory() as folder:
            for path, text in files.items():
                (Path(folder) / "silica").mkdir(exist_ok=True)
                (Path(folder) / "silica" / path).write_text(text)
            problems, _, _ = check([compiler, "-DSILICA_COMPILED", f"-I{folder}"], folder, folder, Path(folder) / "scratch")
        if bool(problems) == good:
            failed += 1
            print(f"self-test: a header that {name}: {problems}")
    # A chain of three is one row; nothing is left out, nothing stands twice.
    texts = {"a": "", "b": '#include "silica/a"\n', "c": '#include "silica/b"\n', "other": ""}
    texts = {f"silica/{name}": text for name, text in texts.items()}
    if rows(texts) != [["silica/a", "silica/b", "silica/c"], ["silica/other"]]:
        failed += 1
        print(f"self-test: rows {rows(texts)}")
    print(f"self-test: {len(cases) + 1 - failed} of {len(cases) + 1} hold")
    return 1 if failed else 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test(sys.argv[2])
    commands_file, reference, include_directory, scratch, *options = sys.argv[1:]
    command, directory = command_of(commands_file, reference, launcher=True)
    if "--without-pch" in options:
        while "-include" in command:
            at = command.index("-include")
            del command[at:at + 2]
    problems, headers, files = check(command, directory, include_directory, scratch)
    print(*problems, sep="\n")
    if problems:
        print("compiled by:", shlex.join(command))
    print(f"{headers} headers in {files} files, {len(problems)} of them with errors")
    return 1 if problems or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
