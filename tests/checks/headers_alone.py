#!/usr/bin/env python3
"""Each header of ours, included first in a file, compiles: it includes what it needs.

    headers_alone.py <compile_commands.json> <reference.cpp> <include directory> <scratch> [--without-pch]
    headers_alone.py --self-test <compiler>

The flags are the reference's, its precompiled header too: what is missing of other libraries shows with --without-pch only.
One compiler serves a row of headers. Without the precompiled header, a header stands behind others only when it includes,
itself or through others, all that they do, and they do not include it: what it sees is what it would see alone. With it, also
when it and what it brings names nothing that is declared in what it does not include: so all rows are a few. (What has a name
that both know, such as a specialisation, can then be missed: the strict rows see it.)
"""
import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from compile_fail import command_of, without_pch

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


class Closures:
    """Of each header, itself and those that it includes, directly or not: surely, and at most."""

    def __init__(self, texts):
        parsed = {path: includes(text) for path, text in texts.items()}
        self.surely = {path: closure(path, {p: a for p, (a, _) in parsed.items()}) for path in texts}
        self.at_most = {path: closure(path, {p: a + b for p, (a, b) in parsed.items()}) for path in texts}


def strict_rows(texts):
    """The fewest rows in which each header includes all that stands before it: a minimum path cover."""
    c = Closures(texts)
    behind = {x: [y for y in texts if x != y and y not in c.at_most[x] and c.at_most[x] <= c.surely[y]] for x in texts}
    before = {}  # header -> the one in front of it

    def give_place(x, tried):
        for y in behind[x]:
            if y not in tried:
                tried.add(y)
                if y not in before or give_place(before[y], tried):
                    before[y] = x
                    return True
        return False

    for x in sorted(texts, key=lambda path: (len(c.at_most[path]), path)):
        give_place(x, set())
    after = {x: y for y, x in before.items()}
    found = []
    for path in sorted(texts):
        if path not in before:
            found.append([path])
            while found[-1][-1] in after:
                found[-1].append(after[found[-1][-1]])
    return found


WORD = re.compile(r"[A-Za-z_]\w*")
NO_CODE = re.compile(r'//.*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|^\s*#\s*include.*|\b(?:std|at|c10)(?:::\w+)+', re.M)
KEYWORDS = set("""alignas auto bool break case catch char class concept const consteval constexpr const_cast continue default
    define delete do double else endif enum explicit extern false final float for friend if ifdef ifndef inline int long
    mutable namespace new noexcept nodiscard noreturn nullptr operator override private public protected requires return
    short signed sizeof static static_assert static_cast std struct switch template this throw true try typename undef
    union unsigned using virtual void while silica detail once pragma SILICA_COMPILED SILICA_INLINE SILICA_API""".split())


def words_of(text):
    """(the words of the code, those of lines that are not indented: what the file declares is among them)."""
    code = NO_CODE.sub(" ", text)
    declaring = "\n".join(line for line in code.splitlines() if line[:1].strip())
    return set(WORD.findall(code)) - KEYWORDS, set(WORD.findall(declaring)) - KEYWORDS


def rows(texts):
    """A few rows in which no header names what only those before it brought."""
    c = Closures(texts)
    words, declared = {}, {}
    for path, text in texts.items():
        words[path], declared[path] = words_of(text)
    own = {path: set().union(*(words[p] for p in c.surely[path] - {path})) for path in texts}
    found = []  # (the row, all that it has included)
    for path in sorted(texts, key=lambda p: (len(c.at_most[p]), p)):
        brings = c.at_most[path]
        for row, seen in found:
            foreign = set().union(*(declared[p] for p in seen - c.surely[path])) - own[path]
            if path not in seen and not any(words[p] & foreign for p in brings - seen):
                break
        else:
            row, seen = [], set()
            found.append((row, seen))
        row.append(path)
        seen |= brings
    return [row for row, _ in found]


def check(command, directory, include_directory, scratch, arrange):
    """Problems, one text for each file that does not compile, and how many files there were."""
    base = Path(include_directory)
    texts = {p.relative_to(base).as_posix(): p.read_text() for kind in ("*.hpp", "*.ipp") for p in base.rglob(kind)}
    scratch = Path(scratch)
    scratch.mkdir(parents=True, exist_ok=True)

    def compile_row(row):
        source = scratch / f"{re.sub(r'[^a-zA-Z0-9]', '_', row[0])}.cpp"
        source.write_text("".join(f'#include "{path}"\n' for path in row))
        # For its errors only: the code of all bodies would be half of the work.
        result = subprocess.run(command + ["-fsyntax-only", str(source)], cwd=directory, capture_output=True, text=True,
                                errors="replace")
        return result.stdout + result.stderr if result.returncode else ""

    todo = arrange(texts)
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
    for arrange in (rows, strict_rows):
        for name, files, good in cases:
            with tempfile.TemporaryDirectory() as folder:
                for path, text in files.items():
                    (Path(folder) / "silica").mkdir(exist_ok=True)
                    (Path(folder) / "silica" / path).write_text(text)
                command = [compiler, "-DSILICA_COMPILED", f"-I{folder}"]
                problems, _, _ = check(command, folder, folder, Path(folder) / "scratch", arrange)
            if bool(problems) == good:
                failed += 1
                print(f"self-test: {arrange.__name__}: a header that {name}: {problems}")
    # What names nothing of the others stands with them; what is included already does not.
    a, b, c = "silica/a.hpp", "silica/b.hpp", "silica/c.hpp"
    texts = {a: "struct A {};", b: f'#include "{a}"\nstruct B : A {{}};', c: f'#include "{b}"\n', "silica/d.hpp": "struct D {};",
             "silica/e.hpp": "using E = A;", "silica/f.hpp": "// like A\nstruct F {};"}
    wanted = {strict_rows: [[a, b, c], ["silica/d.hpp"], ["silica/e.hpp"], ["silica/f.hpp"]],
              rows: [[a, "silica/d.hpp", "silica/f.hpp", b, c], ["silica/e.hpp"]]}
    for arrange, found in wanted.items():
        if arrange(texts) != found:
            failed += 1
            print(f"self-test: {arrange.__name__}: {arrange(texts)}")
    # Both compilers' words for the precompiled header go, and only they.
    told = {"g++ -O1 -Winvalid-pch -include pch.hxx -g": "g++ -O1 -Winvalid-pch -g",
            "clang++ -Xclang -fno-pch-timestamp -Xclang -include-pch -Xclang pch.pch -Xclang -include -Xclang pch.hxx -g":
                "clang++ -Xclang -fno-pch-timestamp -g"}
    for words, bare in told.items():
        if without_pch(words.split()) != bare.split():
            failed += 1
            print(f"self-test: a precompiled header stays: {without_pch(words.split())}")
    count = 2 * len(cases) + len(wanted) + len(told)
    print(f"self-test: {count - failed} of {count} hold")
    return 1 if failed else 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test(sys.argv[2])
    commands_file, reference, include_directory, scratch, *options = sys.argv[1:]
    command, directory = command_of(commands_file, reference)
    arrange = strict_rows if "--without-pch" in options else rows
    if "--without-pch" in options:
        command = without_pch(command)
    problems, headers, files = check(command, directory, include_directory, scratch, arrange)
    print(*problems, sep="\n")
    if problems:
        print("compiled by:", shlex.join(command))
    print(f"{headers} headers in {files} files, {len(problems)} of them with errors")
    return 1 if problems or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
