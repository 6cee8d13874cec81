"""A prefix as Homebrew makes it: headers of this machine's packages that are the same everywhere, and stubs of their
libraries.

There are no macOS builds of these libraries here. A stub (.tbd) names what a library exports, which is what a linker
looks at; the names are those that Debian's build of the library exports.
"""

import subprocess
from pathlib import Path

from places import CheckFailed, place

# Library: its headers.
LIBRARIES = {
    "utf8proc": ["utf8proc.h"],
    "pcre2-8": ["pcre2.h"],
    "jpeg": ["jpeglib.h", "jconfig.h", "jmorecfg.h", "jerror.h"],
    "png": ["png.h", "pngconf.h", "pnglibconf.h"],
    "webp": ["webp"],
    "avformat": ["libavformat"],
    "avcodec": ["libavcodec"],
    "swscale": ["libswscale"],
    "avutil": ["libavutil"],
    "sndfile": ["sndfile.h"],
    "mpg123": ["mpg123.h", "fmt123.h"],
    "soxr": ["soxr.h"],
    "z": ["zlib.h", "zconf.h"],
    "sqlite3": ["sqlite3.h"],
}
# Header-only: the package, its target, its headers.
HEADERS = {
    "Boost": ("Boost::headers", ["boost"]),
    "range-v3": ("range-v3::range-v3", ["range", "concepts", "meta", "std"]),
    "nlohmann_json": ("nlohmann_json::nlohmann_json", ["nlohmann"]),
    "CLI11": ("CLI11::CLI11", ["CLI"]),
    "Catch2": ("Catch2::Catch2", ["catch2"]),
}
# Of the headers of macOS's SDK, what Silica uses of those that zig does not bring. Their functions are in zig's libSystem.
SDK = {
    "notify.h": """#pragma once
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif
#define NOTIFY_STATUS_OK 0
uint32_t notify_register_check(const char* name, int* out_token);
uint32_t notify_get_state(int token, uint64_t* state64);
uint32_t notify_cancel(int token);
#ifdef __cplusplus
}
#endif
""",
}
MULTIARCH = "x86_64-linux-gnu"


def found(name, *directories):
    for directory in directories:
        if (Path(directory) / name).exists():
            return Path(directory) / name
    return None


def exported(library):
    """The names that a shared library of this machine exports."""
    listing = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", str(library)], capture_output=True,
                             text=True, check=True).stdout
    names = {line.split()[0].split("@")[0] for line in listing.splitlines() if len(line.split()) > 1
             and line.split()[1] in "TWBDRVi"}
    return sorted(names)


def write(path, text):
    """Only what is new, so that nothing that stands on it is made again."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def prefix():
    """Makes the prefix anew; its directory and how many names each stub has."""
    root = place("prefix")
    include, lib = root / "include", root / "lib"
    for directory in (include, lib):
        directory.mkdir(exist_ok=True)
    for old in include.iterdir():
        if old.is_symlink():
            old.unlink()
    for name, text in SDK.items():
        write(include / name, text)
    counts = {}

    def link_headers(names):
        for name in names:
            header = found(name, "/usr/include", f"/usr/include/{MULTIARCH}")
            if header is None:
                return name
            (include / name).symlink_to(header)
        return None

    for library, headers in LIBRARIES.items():
        shared = found(f"lib{library}.so", f"/usr/lib/{MULTIARCH}", "/usr/lib")
        missing = link_headers(headers) if shared else f"lib{library}.so"
        if missing:
            raise CheckFailed(f"{missing} is not here. What to do: ./run setup installs the packages that have it.")
        names = exported(shared)
        counts[library] = len(names)
        symbols = ",\n               ".join(f"'_{name}'" for name in names)
        write(lib / f"lib{library}.tbd", f"--- !tapi-tbd\ntbd-version: 4\ntargets: [ arm64-macos ]\n"
              f"install-name: '/opt/homebrew/lib/lib{library}.dylib'\n"
              f"exports:\n  - targets: [ arm64-macos ]\n    symbols: [ {symbols} ]\n...\n")
    for old in lib.glob("*.tbd"):
        if old.stem.removeprefix("lib") not in counts:
            old.unlink()
    for package, (target, headers) in HEADERS.items():
        missing = link_headers(headers)
        if missing:
            raise CheckFailed(f"{missing} is not here. What to do: ./run setup installs the packages that have it.")
        config = lib / "cmake" / package
        config.mkdir(parents=True, exist_ok=True)
        (config / f"{package}Config.cmake").write_text(
            f"if(NOT TARGET {target})\n    add_library({target} INTERFACE IMPORTED)\n"
            f"    target_include_directories({target} SYSTEM INTERFACE \"{include}\")\nendif()\n")
        (config / f"{package}ConfigVersion.cmake").write_text(
            "set(PACKAGE_VERSION 99)\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n")
    return root, counts
