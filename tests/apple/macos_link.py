"""Compiles and links for macOS 14 on arm64, by zig's clang, what a user of a Mac would: see `./run test --apple`.

The program with its families and the examples as CMake builds them; then what was installed, as a project of its own:
for each family a strict `Chain<Mps>`, and the single headers; and header-only with other LibTorchs and the oldest
compiler. Nothing runs: Apple's linker, its libc++ and its checks of availability are not here.
"""

import os
import re
import shutil
import stat

import stubs
from cmake_build import Build
from mach_o import MachO
from places import (NEWEST_ZIG, OLDEST_ZIG, OTHER_TORCHES, SOURCE, TORCH, CheckFailed, demand, macos_torch, place, say,
                    unpacked, wheel)

SIZES = "to download 500 MB (zig twice, LibTorch 2.11, 2.13 and 2.14 for macOS), 4.8 GB on disk"
MINIMUM = (14, 0)


def tools(version):
    """Wrappers of one zig under the names of a toolchain."""
    zig = unpacked(wheel(f"ziglang=={version}"), f"zig-{version}") / "ziglang" / "zig"
    zig.chmod(zig.stat().st_mode | stat.S_IXUSR)
    directory = place(f"tools-{version}")
    commands = {"c++": f'"{zig}" c++ -target aarch64-macos.14.0 -fno-sanitize=undefined', "ar": f'"{zig}" ar',
                "ranlib": f'"{zig}" ranlib', "install_name_tool": "true"}  # nothing that is installed here has a name
    for name, command in commands.items():
        (directory / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (directory / name).chmod(0o755)
    return directory


def families():
    every = sorted(path.stem for path in (SOURCE / "bench" / "arch").glob("*.cpp"))
    chosen = [name for name in os.environ.get("SILICA_FAMILIES", "").split(",") if name]
    for name in chosen:
        if name not in every:
            raise CheckFailed(f"SILICA_FAMILIES names '{name}'. What to do: choose from {', '.join(every)}.")
    return chosen or every, every


def first_head(family):
    """The first network that the program has of a family."""
    text = (SOURCE / "bench" / "arch" / f"{family}.cpp").read_text()
    head = re.search(r"\.heads = [{\s]*\w+<arch::(\w+)", text)
    header = re.search(r'#include "(silica/arch/\w+\.hpp)"', text)
    if not head or not header:
        raise CheckFailed(f"bench/arch/{family}.cpp names no `.heads = ...<arch::...>` that this script finds")
    return head[1], header[1]


class MacBuild(Build):
    """By zig's clang, against a LibTorch for macOS. Not optimised, but for the CPU's kernels, which always are: quicker, and
    each function that is called is a symbol that the linker must find."""

    def __init__(self, name, source, zig, torch, *options, roots):
        cache = str(place("zig-cache"))
        environment = {"SILICA_APPLE_TOOLS": str(tools(zig)), "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache,
                       "CCACHE_COMPILERTYPE": "clang", "CCACHE_COMPILERCHECK": f"string:zig-{zig}"}
        super().__init__(name, source, "macos.cmake", environment,
                         [f"-DCMAKE_PREFIX_PATH={';'.join(map(str, [torch, *roots]))}", *options], roots)

    def programs(self):
        """The linked programs, each looked at: for which macOS, and where it looks for its libraries."""
        found = []
        for path in sorted(self.directory.rglob("*")):
            if not path.is_file() or path.is_symlink() or "CMakeFiles" in path.parts or not os.access(path, os.X_OK):
                continue
            program = MachO(path)
            if program.minimum is None or program.minimum > MINIMUM:
                raise CheckFailed(f"{path.name} asks for macOS {program.minimum}, which is over {MINIMUM}")
            if len(program.rpaths) != len(set(program.rpaths)):
                raise CheckFailed(f"{path.name} has a path for libraries twice: {program.rpaths}")
            found.append(path.name)
        return found


def run(arguments):
    chosen, every = families()
    heads = ";".join(f"{family}|{'|'.join(first_head(family))}" for family in chosen)
    torch = macos_torch()
    for library in ("libtorch_cpu.dylib", "libc10.dylib"):
        if MachO(torch / "lib" / library).minimum > MINIMUM:
            raise CheckFailed(f"{library} of LibTorch {TORCH} asks for more than macOS {MINIMUM[0]}.{MINIMUM[1]}")
    root, names = stubs.prefix()
    say(f"No macOS builds of {', '.join(names)} are here: linked with stubs of the {sum(names.values())} names that "
        "Debian's builds export.")

    whole = MacBuild("macos-link", SOURCE, NEWEST_ZIG, torch, "-DSILICA_BUILD_TESTS=OFF", "-DSILICA_WERROR=ON",
                     "-DSILICA_DEVICES=mps,cpu",
                     "-DSILICA_PRECISIONS=fp16,fp32", f"-DSILICA_FAMILIES={','.join(chosen)}",
                     f"-DSILICA_BUILD_EXAMPLES={'ON' if chosen == every else 'OFF'}", roots=[root])
    # What most stands on comes first, and what it costs most to compile last.
    whole.build("silica_compiled")
    installed = place("macos-installed")
    shutil.rmtree(installed)
    demand(["cmake", "--install", str(whole.directory), "--prefix", str(installed), "--component", "library"], whole.log,
           env=whole.environment)
    project = SOURCE / "tests" / "apple" / "installed"
    user = MacBuild("macos-user", project, NEWEST_ZIG, torch, f"-DHEADS={heads}", f"-DSILICA_SOURCE={SOURCE}",
                 roots=[root, installed])
    user.build("strict")
    whole.build()
    user.build()
    programs = whole.programs() + user.programs()

    one = ";".join(f"{family}|{'|'.join(first_head(family))}" for family in ("bert", "llama"))
    others = []
    for zig, version in [(OLDEST_ZIG, TORCH), *((NEWEST_ZIG, other) for other in OTHER_TORCHES)]:
        other = MacBuild(f"macos-zig-{zig}-torch-{version}", project, zig, macos_torch(version),
                      f"-DHEADS={one if zig == OLDEST_ZIG else one.split(';')[0]}", f"-DSILICA_SOURCE={SOURCE}",
                      "-DHEADER_ONLY=ON", roots=[root, installed])
        other.build()
        other.programs()
        others.append(f"zig {zig} with LibTorch {version}")
    return (f"compiled and linked for macOS, not run: {whole.objects()} files of the program"
            f"{' and the examples' if chosen == every else ''} ({len(chosen)} of {len(every)} families), "
            f"{user.objects()} files of an installed Silica; {len(programs)} programs; header-only also "
            f"{', '.join(others)}")
