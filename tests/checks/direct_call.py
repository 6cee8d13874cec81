#!/usr/bin/env python3
"""The static step of dispatch costs nothing: run<op::Gelu, Exec<Cpu, Fp32>> is the op's law and at::gelu, instruction for
instruction.

    direct_call.py <compile_commands.json> <reference.cpp> <direct_call.cpp>

Compiles the file with -O2 and compares the disassembly of its two functions: the same instructions on the same operands,
addresses aside. Prints them. 77 (skipped) where there is no objdump.
"""
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from compile_fail import syntax_only, without_pch


def instructions(listing, function):
    """The instructions of one function; jumps by their distance, calls by the name of what they call."""
    body = re.search(rf"<_?{function}>:\n(.*?)(?=\n\s*\n|\n[0-9a-f]+ <|\nDisassembly|\Z)", listing, re.S)
    if not body:
        sys.exit(f"{function} is not in the object file")
    lines = []
    for line in body[1].splitlines():
        if relocation := re.search(r"R_\S+\s+(\S+)", line):
            lines[-1] += " -> " + relocation[1]
            continue
        address, _, text = line.partition(":")
        text = re.sub(r"\s+", " ", text.split("#")[0]).strip()
        if jump := re.fullmatch(r"(j\w+|b\.\w+|b|cbn?z \w+,) ([0-9a-f]+) <.*>", text):
            text = f"{jump[1]} {int(jump[2], 16) - int(address, 16):+d}"
        lines.append(re.sub(r"\b[0-9a-f]+ <.*>$", "", text))
    # A landing pad's place in the tables of exceptions is no instruction of the function.
    return [line for line in lines if not re.match(r"(data16 |cs )*nop|xchg %ax,%ax$", line)]


def main():
    commands_file, reference, source = sys.argv[1:]
    if not shutil.which("objdump"):
        print("objdump is not here")
        return 77
    command, directory = syntax_only(commands_file, reference)
    command = [w for w in command if w != "-fsyntax-only" and not re.fullmatch(r"-O\w|-g\d?|-fsanitize.*|-Winvalid-pch", w)]
    # Without the precompiled header, which was made with other flags; without folding equal functions into one.
    command = without_pch(command)
    with tempfile.TemporaryDirectory() as scratch:
        compiled = Path(scratch) / "direct_call.o"
        extra = ["-fno-ipa-icf"] if "clang" not in command[0] else []
        subprocess.run(command + ["-O2", *extra, "-c", source, "-o", str(compiled)], cwd=directory, check=True)
        listing = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", str(compiled)], check=True, capture_output=True, text=True).stdout
    run, hand = instructions(listing, "through_run"), instructions(listing, "by_hand")
    print("\n".join(run))
    if run == hand:
        print(f"{len(run)} instructions in run<op::Gelu, Exec<Cpu, Fp32>>, the same {len(hand)} in its law and at::gelu")
        return 0
    print("the law and at::gelu called directly differ:", *hand, sep="\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
