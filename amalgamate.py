#!/usr/bin/env python3
"""Writes single_include/: Silica in a few files, for projects that would rather copy a header than a directory.

    python3 amalgamate.py            writes them
    python3 amalgamate.py --check    says which are out of date, and fails if one is

silica.hpp holds everything but input/ and task/; input.hpp holds input/ but for pictures, videos and sounds, which
image.hpp, video.hpp and audio.hpp hold, since those need libraries of their own (of input/media/ each of the last two
holds what it uses); image_text.hpp includes input.hpp and image.hpp and holds pictures among text; task.hpp includes all
and holds task/.
Each of our headers stands in its file once, where it is first included, behind a guard, so that the files may be included
in any order.
The bodies (`.ipp`) stand where their headers include them: the single headers are always header-only. Headers of other
libraries stay #included.
"""
import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
INCLUDE = re.compile(r'\s*#\s*include\s*[<"]silica/([^>"]+)[>"]')
CONDITION_BEGIN = re.compile(r"\s*#\s*if")
CONDITION_END = re.compile(r"\s*#\s*endif")
BODY = re.compile(r'^#ifndef SILICA_COMPILED\n(#include "silica/\S+\.ipp"\n)#endif\n?', re.MULTILINE)
HEADER_ONLY = """#ifdef SILICA_COMPILED
#error "The single headers define everything. Remedy: link silica::silica beside them, or include the headers that silica::compiled is made from."
#endif
"""


def headers(include):
    """Paths under include/silica, in the order of their names."""
    return sorted(p.relative_to(include / "silica").as_posix() for p in (include / "silica").rglob("*.hpp"))


def section(include, path, seen):
    """The lines of one header, with those of ours that it includes in their places."""
    seen.add(path)
    guard = "SILICA_SINGLE_" + re.sub(r"\W", "_", path).upper()
    yield f"// ---- silica/{path}"
    yield f"#ifndef {guard}"
    yield f"#define {guard}"
    depth = 0
    for line in BODY.sub(r"\1", (include / "silica" / path).read_text()).splitlines():
        if line.strip() == "#pragma once":
            continue
        depth += bool(CONDITION_BEGIN.match(line)) - bool(CONDITION_END.match(line))
        match = INCLUDE.match(line)
        if not match:
            yield line
        elif depth:
            # May be left out by the condition: so it stands here, and again where it is included without one.
            yield from section(include, match[1], set(seen))
        elif match[1] not in seen:
            yield from section(include, match[1], seen)
    yield f"#endif  // {guard}"


def amalgamate(include):
    """{file name: text} of all single headers."""
    version = re.search(r"project\(silica VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]
    lists = ("silica", "input", "image", "image_text", "video", "audio", "task")
    everything = [p for p in headers(include) if "/" in p or p[:-4] not in lists]
    apart = ("input/image/", "input/video/", "input/audio/", "input/media/", "input/image_text/")
    parts = {
        "silica.hpp": ("models", [], [p for p in everything if not p.startswith(("input/", "task/"))]),
        "input.hpp": ("what users have, to tensors", [],
                      [p for p in everything if p.startswith("input/") and not p.startswith(apart)]),
        "image.hpp": ("pictures to tensors", [], [p for p in everything if p.startswith(apart[0])]),
        "image_text.hpp": ("pictures among text to tensors", ["input.hpp", "image.hpp"],
                           [p for p in everything if p.startswith("input/image_text/")]),
        "video.hpp": ("videos to pictures", ["image.hpp"], [p for p in everything if p.startswith(apart[1])]),
        "audio.hpp": ("sounds to features", [], [p for p in everything if p.startswith(apart[2])]),
        "task.hpp": ("input, model and decoding together",
                     ["silica.hpp", "input.hpp", "image.hpp", "image_text.hpp", "video.hpp", "audio.hpp"],
                     [p for p in everything if p.startswith("task/")]),
    }
    files = {}
    for name, (what, includes, paths) in parts.items():
        if not paths:
            continue
        lines = [f"// Silica {version}: {what}. Written by amalgamate.py from include/; change it there.",
                 "// SPDX-License-Identifier: Apache-2.0", "#pragma once", "", HEADER_ONLY]
        includes = [other for other in includes if other in files]
        lines += [f'#include "{other}"' for other in includes]
        seen = set()
        for other in includes:  # what those hold need not stand here again
            seen |= files_paths(files, other)
        for path in paths:
            if path not in seen:
                lines += section(include, path, seen)
        # No two empty lines in a row, none at the end.
        files[name] = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"
    return files


def files_paths(files, name):
    return set(re.findall(r"^// ---- silica/(\S+)$", files.get(name, ""), re.MULTILINE))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    target = ROOT / "single_include" / "silica"
    wanted = amalgamate(ROOT / "include")
    present = {p.name: p.read_text() for p in target.glob("*.hpp")} if target.exists() else {}
    stale = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
    if options.check:
        for name in stale:
            print(f"single_include/silica/{name} is out of date. Remedy: python3 amalgamate.py")
        return 1 if stale else 0
    target.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in wanted:
            (target / name).write_text(wanted[name])
        else:
            (target / name).unlink()
    print(f"{len(wanted)} files, {len(stale)} changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
