#!/usr/bin/env python3
"""Compiles a file for its errors only, with clang and libc++, the standard library of macOS. Skipped (77) where that is not installed.

    libcxx.py <compile_commands.json> <reference.cpp> <file.cpp>
"""
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from compile_fail import syntax_only


def main():
    commands_file, reference, source = sys.argv[1:]
    # Of the reference's flags, those that every compiler understands; single_include/ before include/.
    words, _ = syntax_only(commands_file, reference)
    flags = [f"-I{Path(source).parents[3] / 'single_include'}", "-w"]
    for i, word in enumerate(words):
        if word.startswith(("-D", "-I", "-std=")) and word != "-DSILICA_COMPILED":  # single headers define everything
            flags.append(word)
        elif word == "-isystem":
            flags += [word, words[i + 1]]
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "trial.cpp"
        trial.write_text("#include <vector>\n")
        for name in ("clang++-19", "clang++-16", "clang++"):
            clang = shutil.which(name)
            command = [clang, "-stdlib=libc++", "-fsyntax-only"]
            if clang and subprocess.run([*command, str(trial)], capture_output=True).returncode == 0:
                return subprocess.run([*command, *flags, source]).returncode
    print("skipped: no clang++ with libc++")
    return 77


if __name__ == "__main__":
    sys.exit(main())
