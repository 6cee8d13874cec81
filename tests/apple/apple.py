"""Checks of the Apple side that need no Apple machine: `./run test --apple [part...]`, on Debian or Ubuntu on x86-64.

    macos-link    everything compiled for macOS on arm64 against LibTorch's macOS wheel, and linked
    arm64-run     the CPU's kernels compiled for arm64, and run by qemu
    wheel-facts   what the macOS wheel says of itself, against what device/mps and the simulated device assume
    metal-check   texts of Metal kernels, checked for what Apple's compiler would refuse

No part named: all. What they download and build lies in build/apple (or in SILICA_APPLE_DIR) and may be deleted.
SILICA_FAMILIES=bert,t5 makes macos-link smaller, SILICA_APPLE_TESTS=op,device/cpu arm64-run; SILICA_JOBS is how many
files are compiled at once.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import arm64_run
import macos_link
import wheel_facts
from metal_check import find_clang
from places import SOURCE, CheckFailed, CheckSkipped, place, say


def metal_check(arguments):
    """metal_check.py: first that it finds faults, then that there are none."""
    script = SOURCE / "tests" / "apple" / "metal_check.py"
    for options in (["--self-test"], []):
        status = subprocess.run([sys.executable, str(script), *options], cwd=SOURCE).returncode
        if status == 77:
            raise CheckSkipped("there is no clang of version 14 or newer, and apt could not install one. What to do: "
                               "apt-get install clang-14, then again")
        if status != 0:
            raise CheckFailed("metal_check.py found faults (above)")
    return "texts of Metal kernels checked by clang's C++ for OpenCL, not by Apple's compiler, and not run on a GPU"


# Of each part: what it does, the Debian packages it needs, and a word on its size.
PARTS = {
    "macos-link": (macos_link.run, list, macos_link.SIZES),
    "arm64-run": (arm64_run.run, lambda: ["g++-12-aarch64-linux-gnu", "qemu-user-static"], arm64_run.SIZES),
    "wheel-facts": (wheel_facts.run, list, wheel_facts.SIZES),
    "metal-check": (metal_check, list, "nothing to download where there is a clang, else up to 100 MB"),
}


def main():
    parser = argparse.ArgumentParser(prog="./run test --apple", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--wheel", help="wheel-facts: a macOS wheel of torch (a file), or a version to download")
    parser.add_argument("--packages", action="store_true", help=argparse.SUPPRESS)  # for ./run: what to install
    parser.add_argument("--wants-clang", action="store_true", help=argparse.SUPPRESS)  # for ./run: status 0 is yes
    arguments = parser.parse_args()
    for part in arguments.parts:
        if part not in PARTS:
            parser.error(f"'{part}' is no part. Parts: {', '.join(PARTS)}.")
    if platform.system() != "Linux" or platform.machine() != "x86_64" or not shutil.which("apt-get"):
        print("--apple checks the Apple side from Debian or Ubuntu on x86-64, and this is neither. What to do: run it "
              "there; on a Mac, ./run test tests the real thing.", file=sys.stderr)
        return 2
    parts = arguments.parts or list(PARTS)
    if arguments.packages:
        print(" ".join(package for part in parts for package in PARTS[part][1]()))
        return 0
    if arguments.wants_clang:
        return 0 if "metal-check" in parts and find_clang(None) is None else 1

    print(f"Cache: {place()}. Sizes where nothing is there yet:", flush=True)
    for part in parts:
        print(f"  {part}: {PARTS[part][2]}", flush=True)
    results = []
    for part in parts:
        say(f"---- {part} ----")
        start = time.monotonic()
        try:
            outcome, result = "passed", PARTS[part][0](arguments)
        except CheckSkipped as e:
            outcome, result = "skipped", str(e)
        except CheckFailed as e:
            outcome, result = "FAILED", str(e)
        results.append((part, outcome, result, time.monotonic() - start))
    size = subprocess.run(["du", "-sm", str(place())], capture_output=True, text=True).stdout.split()
    print()
    for part, outcome, result, seconds in results:
        print(f"{outcome:<7} {part} ({seconds / 60:.1f} min): {result}")
    print(f"The cache holds {size[0] if size else '?'} MB. Nothing of this ran on macOS or on an Apple processor.")
    counts = {word: sum(outcome == word for _, outcome, _, _ in results) for word in ("passed", "FAILED", "skipped")}
    print(f"{counts['passed']} passed, {counts['FAILED']} failed, {counts['skipped']} skipped")
    return 1 if counts["FAILED"] else 0


if __name__ == "__main__":
    os.chdir(SOURCE)
    sys.exit(main())
