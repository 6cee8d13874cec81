#!/usr/bin/env python3
"""A file that must not compile, and for the right reason.

    compile_fail.py <compile_commands.json> <reference.cpp> <file.cpp>

The file is compiled with the flags of the reference (its precompiled header too), for its errors only. It has to fail, and
for each of its lines `// expect: words` all of the words have to be in one line of what the compiler says. If the file
mentions SILICA_CONTROL, it is compiled with that defined as well, and then it has to succeed: so nothing but the mistake
it shows is wrong with it.
"""
import json
import os
import re
import shlex
import subprocess
import sys


def command_of(commands_file, reference):
    """The command that compiles `reference` without the source and what it writes, and its directory."""
    with open(commands_file) as file:
        entry = next(e for e in json.load(file) if os.path.samefile(e["file"], reference))
    words = shlex.split(entry["command"])
    compiler = next(i for i, word in enumerate(words) if re.search(r"(g\+\+|clang\+\+|c\+\+)(-[\d.]+)?$", word))
    command, skip = [], False
    for word in words[compiler:]:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MT", "-MQ", "-c"):
            skip = True  # with the word after it
        elif word not in ("-MD", "-MMD"):
            command.append(word)
    return command, entry["directory"]


def without_pch(command):
    """`command` without its precompiled header: `-include header` to g++; to clang each word stands behind an -Xclang."""
    kept, at = [], 0
    while at < len(command):
        step = 2 if command[at] == "-Xclang" else 1
        names_file = command[at + step - 1:at + step] in (["-include"], ["-include-pch"])
        if not names_file:
            kept += command[at:at + step]
        at += step * (2 if names_file else 1)
    return kept


def syntax_only(commands_file, reference):
    command, directory = command_of(commands_file, reference)
    return command + ["-fsyntax-only"], directory


def run(command, directory):
    # In English, and with plain quotes, whatever the machine speaks.
    result = subprocess.run(command, cwd=directory, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, errors="replace")
    return result.returncode, result.stdout + result.stderr


def main():
    commands_file, reference, source = sys.argv[1:]
    command, directory = syntax_only(commands_file, reference)
    with open(source) as file:
        text = file.read()
    expected = [words.split() for words in re.findall(r"//\s*expect:\s*(.+)", text)]
    if not expected:
        print(f"{source} has no line `// expect: words`")
        return 1

    problems = []
    status, output = run(command + [source], directory)
    lines = output.splitlines()
    if status == 0:
        problems.append("it compiles")
    for words in expected:
        if not any(all(word in line for word in words) for line in lines):
            problems.append("no line of the compiler has all of: " + " ".join(words))
    if "internal compiler error" in output:
        problems.append("the compiler broke")
    if "SILICA_CONTROL" in text:
        status, control = run(command + ["-DSILICA_CONTROL", source], directory)
        if status != 0:
            problems.append("with SILICA_CONTROL it should compile:\n" + control)
    if problems:
        print(output)
        for problem in problems:
            print(f"{source}: {problem}")
        print("compiled by:", shlex.join(command + [source]))
        return 1
    print(f"fails as expected, {len(expected)} expectations" + (", and compiles as the control" if "SILICA_CONTROL" in text else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
