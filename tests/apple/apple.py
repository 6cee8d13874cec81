"""Checks of the Apple side that need no Apple machine: `./run test --apple [part...]`, on Debian or Ubuntu on x86-64.

    macos-link    everything compiled for macOS on arm64 against LibTorch's macOS wheel, and linked
    arm64-run     the CPU's kernels compiled for arm64, and run by qemu
    wheel-facts   what the macOS wheel says of itself, against what device/mps and the simulated device assume
    metal-check   Metal kernels, run by a shim on this processor

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
from places import SOURCE, CheckFailed, place, say


def metal_check(arguments):
    """The script beside this one, when it is there."""
    for script, command in (("metal_check.py", [sys.executable]), ("metal_check.sh", ["bash"])):
        path = SOURCE / "tests" / "apple" / script
        if path.exists():
            done = subprocess.run([*command, str(path)], cwd=SOURCE)
            if done.returncode != 0:
                raise CheckFailed("metal-check failed (above)")
            return "Metal kernels: run by a shim on this processor, not on a GPU"
    return "metal-check: there are no Metal kernels in this source tree, so nothing was checked"


# Of each part: what it does, the Debian packages it needs, and a word on its size.
PARTS = {
    "macos-link": (macos_link.run, [], macos_link.SIZES),
    "arm64-run": (arm64_run.run, ["g++-12-aarch64-linux-gnu", "qemu-user-static"], arm64_run.SIZES),
    "wheel-facts": (wheel_facts.run, [], wheel_facts.SIZES),
    "metal-check": (metal_check, [], "nothing to download"),
}


def main():
    parser = argparse.ArgumentParser(prog="./run test --apple", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--wheel", help="wheel-facts: a macOS wheel of torch (a file), or a version to download")
    parser.add_argument("--packages", action="store_true", help=argparse.SUPPRESS)  # for ./run: what to install
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
        print(" ".join(package for part in parts for package in PARTS[part][1]))
        return 0

    print(f"Cache: {place()}. Sizes where nothing is there yet:", flush=True)
    for part in parts:
        print(f"  {part}: {PARTS[part][2]}", flush=True)
    results = []
    for part in parts:
        say(f"---- {part} ----")
        start = time.monotonic()
        try:
            result, failed = PARTS[part][0](arguments), False
        except CheckFailed as e:
            result, failed = str(e), True
        results.append((part, result, failed, time.monotonic() - start))
    size = subprocess.run(["du", "-sm", str(place())], capture_output=True, text=True).stdout.split()
    print()
    for part, result, failed, seconds in results:
        print(f"{'FAILED' if failed else 'passed'}  {part} ({seconds / 60:.1f} min): {result}")
    print(f"The cache holds {size[0] if size else '?'} MB. Nothing of this ran on macOS or on an Apple processor.")
    passed = sum(not failed for _, _, failed, _ in results)
    print(f"{passed} passed, {len(results) - passed} failed")
    return 0 if passed == len(results) else 1


if __name__ == "__main__":
    os.chdir(SOURCE)
    sys.exit(main())
