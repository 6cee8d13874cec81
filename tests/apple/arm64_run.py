"""Compiles the CPU's kernels and what is under them for arm64 Linux, and runs their tests by qemu.

The instructions are those of an Apple chip, the compiler, the libraries and the processor are not: it shows that NEON
code computes what it should, not what Apple's clang makes of it.
"""

import os
import re
import subprocess

import stubs
from cmake_build import Build
from places import SOURCE, TORCH, CheckFailed, demand, place, run as run_command, say, unpacked, wheel

SIZES = "to download 430 MB (LibTorch for arm64 Linux, a build with CUDA) and 120 MB of Debian packages, 2 GB on disk"
COMPILER = "aarch64-linux-gnu-g++-12"
# Directories of tests, and of the others single files.
TESTS = ["core", "checkpoint", "op", "device/cpu", "arch/bert"]
# What qemu is: a processor with all that NEON has, and one without products of matrices of bytes and bfloats. (On one of
# ARMv8.0, as a Cortex-A72, LibTorch's build itself stops: its libnvpl_blas_core.so.0, NVIDIA's BLAS, waits for its threads by
# `ldaddal`, of ARMv8.1. No macOS build has it.) SVE is off, for which LibTorch has kernels: no Apple chip has it.
# LibTorch reads of /proc/cpuinfo what the processor has, and qemu shows this machine's: hence its features and its number.
PROCESSORS = ["max,sve=off", "neoverse-n1"]
FEATURES = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp"
PART = "0xd0c"


def torch():
    """LibTorch for arm64 Linux without CUDA's part, and stubs of the CUDA libraries that the rest asks for."""
    file = wheel(f"torch=={TORCH}", "manylinux_2_28_aarch64")
    directory = unpacked(file, f"torch-{TORCH}-arm64", lambda item: item == "torch/version.py" or (
        item.startswith(("torch/include/", "torch/lib/")) and "torch_cuda" not in item)) / "torch"
    place(f"torch-{TORCH}-arm64-stubs")
    stubs_directory = place(f"torch-{TORCH}-arm64-stubs")
    library = directory / "lib" / "libtorch_cpu.so"
    listing = subprocess.run(["readelf", "-d", str(library)], capture_output=True, text=True, check=True).stdout
    symbols = subprocess.run(["nm", "-D", "--undefined-only", str(library)], capture_output=True, text=True,
                             check=True).stdout
    for needed in re.findall(r"NEEDED.*\[(libcu[^\]]+)\]", listing):
        if (directory / "lib" / needed).exists() or (stubs_directory / needed).exists():
            continue
        names = sorted(set(re.findall(rf"U (\w+)@+{re.escape(needed)}", symbols)))
        source = stubs_directory / f"{needed}.c"
        source.write_text("".join(f"int {name}(void) {{ return 100; }}\n" for name in names))
        script = stubs_directory / f"{needed}.map"
        script.write_text(f"{needed} {{ global: *; }};\n")
        demand([COMPILER, "-x", "c", "-shared", "-fPIC", "-nostdlib", str(source), "-o", str(stubs_directory / needed),
                f"-Wl,-soname,{needed}", f"-Wl,--version-script={script}"], place("logs") / "arm64-stubs.log")
    return directory, stubs_directory


def sysroot():
    """The libraries of arm64, and the /proc/cpuinfo of such a processor."""
    root = place("arm64-sysroot")
    if not (root / "lib").exists():
        (root / "lib").symlink_to("/usr/aarch64-linux-gnu/lib")
    (root / "proc").mkdir(exist_ok=True)
    one = (f"BogoMIPS\t: 50.00\nFeatures\t: {FEATURES}\nCPU implementer\t: 0x41\nCPU architecture: 8\n"
           f"CPU variant\t: 0x3\nCPU part\t: {PART}\nCPU revision\t: 1\n\n")
    (root / "proc" / "cpuinfo").write_text("".join(f"processor\t: {i}\n{one}" for i in range(os.cpu_count() or 1)))
    return root


# What processors have beyond ARMv8.0: dot and matrix products of bytes and bfloats, arithmetic of halves, atomics without loops.
BEYOND = re.compile(r"\t(?:(?:[su]|us|su)dot|(?:[su]|us)mmla|bf(?:dot|mmla|mlal[bt]|cvtn?2?)|fml[as]l2?|sqrdml[as]h"
                    r"|(?:cas|swp|ld(?:add|clr|eor|set)|st(?:add|clr|eor|set))[albh]*"
                    r"|f(?:n?m?add|n?m?sub|n?mul|ml[as]|div|max|min|maxnm|minnm|sqrt|abs|neg|cm[a-z]+)(?= [hv]\d+(?:\.[48]h)?, "
                    r"(?:h|v\d+\.[48]h)))\s")
# Where they may stand: in what is called after a look at the processor (the second of these is libgcc's).
LOOKED = re.compile(r"isa::with_neon_\w+<|^__aarch64_")


def beyond(listing):
    """Of objdump's listing, the instructions that some arm64 processors lack: how many in functions that are called after
    a look at the processor, and which in others, that any processor may run."""
    function, guarded, others = "", 0, set()
    for line in listing.splitlines():
        if line.endswith(">:"):
            function = line.split("<", 1)[1][:-2]
        elif match := BEYOND.search(line):
            if LOOKED.search(function):
                guarded += 1
            else:
                others.add(f"{match[0].strip()} in {function}")
    return guarded, sorted(others)


def run(arguments):
    libtorch, cuda_stubs = torch()
    prefix, _ = stubs.prefix()
    qemu = place("tools-arm64") / "qemu"
    qemu.write_text(f'#!/bin/sh\nexec qemu-aarch64-static -cpu "${{SILICA_APPLE_CPU:-{PROCESSORS[0]}}}" -L "{sysroot()}" '
                    f'-E LD_LIBRARY_PATH="{libtorch / "lib"}:{cuda_stubs}" -E OMP_NUM_THREADS=2 "$@"\n')
    qemu.chmod(0o755)
    chosen = [name for name in os.environ.get("SILICA_APPLE_TESTS", "").split(",") if name] or TESTS
    for name in chosen:
        if not (SOURCE / "tests" / name).is_dir() and not (SOURCE / "tests" / f"{name}.cpp").exists():
            raise CheckFailed(f"SILICA_APPLE_TESTS names '{name}'. What to do: name directories or files of tests/, as "
                              f"{', '.join(TESTS)}.")
    files = "|".join(f"^{name}$" if (SOURCE / "tests" / f"{name}.cpp").exists() else f"^{name}/" for name in chosen)
    build = Build("arm64-run", SOURCE, "arm64.cmake", {"SILICA_APPLE_QEMU": str(qemu)},
                  [f"-DCMAKE_PREFIX_PATH={libtorch};{prefix}", "-DSILICA_BUILD_PROGRAM=OFF", "-DSILICA_BUILD_EXAMPLES=OFF",
                   "-DSILICA_TEST_SIM_MPS=OFF", f"-DSILICA_TEST_FILES={files}"], roots=[prefix],
                  build_type="Release", flags="-O1")
    directories = sorted({name if (SOURCE / "tests" / name).is_dir() else os.path.dirname(name) for name in chosen})
    programs = [f"test_{name.replace('/', '_')}" for name in directories]
    build.build(*programs)
    for name in programs:
        program = next(build.directory.rglob(name))
        listing = subprocess.run(["aarch64-linux-gnu-objdump", "-d", "-C", "--no-show-raw-insn", str(program)],
                                 capture_output=True, text=True, check=True).stdout
        guarded, others = beyond(listing)
        if others:
            raise CheckFailed(f"{name} runs on any processor what some lack: {'; '.join(others[:10])}")
        if name == "test_device_cpu" and guarded == 0:
            raise CheckFailed(f"{name} has no instruction beyond ARMv8.0, so its loops for newer processors are not there")

    pattern = "|".join(f"^{name}" for name in chosen)
    counts, skipped = [], {}
    for processor in PROCESSORS:
        # What needs no vectors is the same on each.
        these = pattern if processor == PROCESSORS[0] else "^(op|device/cpu)/"
        say(f"run as {processor}")
        log = place("logs") / f"arm64-{processor.split(',')[0]}.txt"
        log.write_text("")
        done = run_command(["ctest", "--test-dir", str(build.directory), "--output-on-failure", "--no-tests=error", "-R",
                            these], build.log, env={**build.environment, "SILICA_APPLE_CPU": processor,
                                                    "SILICA_SKIPPED_FILE": str(log)})
        summary = re.search(r"(\d+)% tests passed, (\d+) tests? failed out of (\d+)", done.stdout)
        if done.returncode != 0 or not summary:
            raise CheckFailed(f"tests for arm64, run as {processor}:\n" + "\n".join(done.stdout.splitlines()[-40:]))
        counts.append(f"{summary[3]} as {processor.split(',')[0]}")
        for line in log.read_text().splitlines():
            skipped[line] = skipped.get(line, 0) + 1
    for line, times in sorted(skipped.items()):
        say(f"skipped ({times} times): {line}")
    return (f"compiled for arm64 Linux and run by qemu, on no Apple processor: tests {', '.join(counts)}; "
            f"{sum(skipped.values())} things skipped (above)")
