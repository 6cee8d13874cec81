#!/usr/bin/env python3
"""Holds the headers, and the bodies (.ipp) beside them, to the rules of the design: which directory may include which, and
how they are laid out.

    include_rules.py <include directory>       checks it
    include_rules.py --self-test               shows that each rule catches its violation
"""
import re
import sys
import tempfile
from pathlib import Path

# Who may include whom, directly or through others. The files at the top (exec.hpp, run.hpp, model.hpp, ...) are parts too.
MAY_INCLUDE = {
    "core": [],
    "op": ["core", "precision"],
    "precision": ["core"],
    "checkpoint": ["core"],
    "device": ["op", "precision"],
    "exec": ["device"],
    "run": ["exec", "device"],
    "nn": ["exec", "run", "checkpoint"],
    "arch": ["nn"],
    "loader": ["checkpoint"],
    "model": ["arch", "loader", "exec"],
    "input": ["core"],
    "generate": ["model"],
    "task": ["model", "generate", "input"],
}
# Top-level headers that belong to a part of another name.
PART_OF = {"call_arguments": "run", "carried": "run", "dispatch": "run", "fallback": "run", "placement": "run",
           "prepared": "run", "captured_work": "model", "entered": "model", "replayed": "model", "budget": "model",
           "model_errors": "model"}
EVERYTHING = {"silica", "input"}  # silica.hpp and input.hpp list the others

HEAVY = {"torch/torch.h", "torch/nn.h", "torch/all.h", "ATen/ATen.h", "boost/hana.hpp", "range/v3/all.hpp"}
NETWORKS = {"arch", "nn"}  # they see LibTorch through core/tensor.hpp, so that ops that a device may lack are routed
MAX_LINES = {".hpp": 250, ".ipp": 300}
DOORED = {"generate", "task"}  # they touch a device inside of on_device(...) only, which takes turns and knows memory
TOUCH = re.compile(r"(\.|->)(to|copy_|cpu|item)\s*[(<]|\brun<")

INCLUDE = re.compile(r'\s*#\s*include\s*[<"]([^>"]+)[>"]')
END_WITH_BODY = '#ifndef SILICA_COMPILED\n#include "silica/{}"\n#endif\n'  # the last lines of a header that has one


def allowed_from(part, table=MAY_INCLUDE):
    reached, todo = {part}, [part]
    while todo:
        for below in table[todo.pop()]:
            if below not in reached:
                reached.add(below)
                todo.append(below)
    return reached


def part_of(path):
    """The part that a header belongs to, from its path under include/silica: 'op/gelu.hpp' -> 'op'."""
    pieces = path.split("/")
    top = pieces[0] if len(pieces) > 1 else re.sub(r"\.[hi]pp$", "", pieces[0])
    return PART_OF.get(top, top)


def own(include):
    """'silica/op/gelu.hpp' -> 'op/gelu.hpp'; None for another library's."""
    return include.removeprefix("silica/") if include.startswith("silica/") else None


def check_header(path, text):
    """Problems of one header; `path` is relative to include/silica."""
    lines = text.splitlines()
    part = part_of(path)
    listing = "/" not in path and part in EVERYTHING
    if not listing and part not in MAY_INCLUDE:
        yield f"'{part}' is not in the tree of the design. Remedy: move the header, or add the part to MAY_INCLUDE."
        return
    if not lines or lines[0].strip() != "#pragma once":
        yield "does not begin with #pragma once."
    most = MAX_LINES[Path(path).suffix]
    generated = "Made by tests/" in "\n".join(lines[:3])  # tables
    if len(lines) > most and not generated:
        yield f"has {len(lines)} lines, more than {most}. Remedy: one idea per header, so make it two."

    allowed = None if listing else allowed_from(part)
    others_seen, in_first_block, in_comment = False, True, False
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            stripped = line.strip()
            comment = in_comment or stripped.startswith(("//", "/*"))
            in_comment = ("/*" in stripped or in_comment) and "*/" not in stripped
            if stripped and not comment and stripped != "#pragma once":
                in_first_block = False  # kernels are included below the device that they are for
            continue
        include, target = match[1], own(match[1])
        where = f"line {number} includes {include}: "
        if target is None:
            others_seen = True
            if include.endswith(".hpp") and "/" not in include or include.startswith("."):
                yield where + "name our headers from silica/ on."
            if include in HEAVY:
                yield where + "too heavy for a header. Remedy: the few headers of it that are used."
            if part in NETWORKS and include.startswith(("ATen/", "c10/", "torch/")):
                yield where + "networks reach LibTorch through silica/core/tensor.hpp only. Remedy: make it an op."
            continue
        if in_first_block and others_seen:
            yield where + "our headers come before those of other libraries."
        if allowed is not None and part_of(target) not in allowed:
            yield where + f"{part} may include {', '.join(sorted(allowed))}, not {part_of(target)}."
        if part == "arch" and part_of(target) == "arch" and re.sub(r"\.[hi]pp$", "", path.split("/")[1]) not in COMPOSITES:
            family, other = (re.sub(r"\.[hi]pp$", "", p.split("/")[1]) for p in (path, target))
            if other not in (family, "concept"):
                yield where + "families share through nn/; only composites include another family."


COMPOSITES = {"decoder_config", "llava", "llava_next", "siglip", "xclip"}


def check_bodies(headers):
    """A body belongs to the header of its name, whose last lines include it, or to other bodies: a header that included one
    elsewhere would define it in every file of a project that links silica::compiled."""
    included = set()
    for path, text in headers.items():
        end = END_WITH_BODY.format(re.sub(r"\.hpp$", ".ipp", path))
        rest = text.removesuffix(end) if path.endswith(".hpp") else text
        if rest != text:
            included.add(re.sub(r"\.hpp$", ".ipp", path))
        for line in rest.splitlines():
            include = INCLUDE.match(line)
            target = own(include[1]) if include else None
            if target is None or not target.endswith(".ipp"):
                continue
            if path.endswith(".ipp"):
                included.add(target)
            else:
                yield path, f"includes {target}. Remedy: the header of its name does, as its last lines:\n{END_WITH_BODY.format(target)}"
    for path in sorted(p for p in headers if p.endswith(".ipp")):
        header = re.sub(r"\.ipp$", ".hpp", path)
        if path not in included:
            yield path, "is included by nothing: header-only programs would miss it."
        if header in headers and f'#include "silica/{header}"\n' not in headers[path]:
            yield path, f"does not include its header, silica/{header}."
        if re.search(r"^\s*namespace\s*{", headers[path], re.MULTILINE):
            yield path, "has a namespace without a name. Remedy: detail, since the bodies of a directory are compiled together."


def check_circles(headers):
    """In header-only programs a body follows its header at once. What it includes must be whole by then, so it may not be what
    the header was included from: a header that leads to the body's own."""
    edges = {path: [t for line in text.splitlines() if (i := INCLUDE.match(line)) and (t := own(i[1])) in headers]
             for path, text in headers.items()}
    for body in sorted(p for p in headers if p.endswith(".ipp")):
        header = re.sub(r"\.ipp$", ".hpp", body)
        if header not in headers:
            continue
        had = reached(header, {path: [] if path.endswith(".ipp") else others for path, others in edges.items()})
        parts = reached(body, {path: [t for t in others if t.endswith(".ipp")] for path, others in edges.items()})
        for target in (t for part in sorted(parts) for t in edges[part] if t.endswith(".hpp")):
            if target not in had and target != header and header in reached(target, edges):
                yield body, f"includes {target}, which leads to {header}: where {target} comes first, the body comes too early."


def reached(path, edges):
    seen, todo = {path}, [path]
    while todo:
        for other in edges[todo.pop()]:
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def blanked(text):
    """The text without what is in comments and strings, of the same length."""
    what = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)\'', re.S)
    return what.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def check_door(path, text):
    """What generation and tasks do with tensors that may be on a device stands between the brackets of on_device(...)."""
    if part_of(path) not in DOORED:
        return
    code, inside = blanked(text), []
    for call in re.finditer(r"\bon_device\s*\(", code):
        depth, end = 1, call.end()
        while end < len(code) and depth > 0:
            depth += {"(": 1, ")": -1}.get(code[end], 0)
            end += 1
        inside.append(range(call.end(), end))
    for touch in TOUCH.finditer(code):
        if not any(touch.start() in place for place in inside):
            line = code.count("\n", 0, touch.start()) + 1
            yield f"line {line} has {touch[0].strip()} outside of on_device(...). Remedy: put it inside: it uses the device."


def check_device_lists(headers):
    """device/<name>.hpp includes all of device/<name>/: a kernel that nobody sees would silently not be there."""
    for path, text in headers.items():
        match = re.fullmatch(r"device/(\w+)\.hpp", path)
        if not match:
            continue
        folder = f"device/{match[1]}/"
        seen, todo = set(), [path]
        while todo:
            for line in headers.get(todo.pop(), "").splitlines():
                include = INCLUDE.match(line)
                target = own(include[1]) if include else None
                if target and target not in seen:
                    seen.add(target)
                    todo.append(target)
        for kernel in sorted(headers):
            if kernel.startswith(folder) and kernel.endswith(".hpp") and kernel not in seen:
                yield path, f"does not include {kernel}: the kernels of a device belong to its header."


def check(headers):
    for path in sorted(headers):
        for problem in (*check_header(path, headers[path]), *check_door(path, headers[path])):
            yield path, problem
    yield from check_device_lists(headers)
    yield from check_bodies(headers)
    yield from check_circles(headers)


def read(include_directory):
    base = Path(include_directory) / "silica"
    return {p.relative_to(base).as_posix(): p.read_text() for p in base.rglob("*.[hi]pp")}


def self_test():
    good = '#pragma once\n/// Text.\n\n#include "silica/core/tensor.hpp"\n\n#include <vector>\n\nnamespace silica {}\n'
    cases = [  # (path, text, a word of the complaint); None: no complaint
        ("op/gelu.hpp", good, None),
        ("core/a.hpp", good.replace("core/tensor", "op/gelu"), "not op"),
        ("op/gelu.hpp", good.replace("core/tensor", "device/cpu"), "not device"),
        ("device/cpu/gelu.hpp", good.replace("core/tensor", "run"), "not run"),
        ("device/cpu/gelu.hpp", good.replace("core/tensor", "op/gelu"), None),
        ("checkpoint/a.hpp", good.replace("core/tensor", "device/cpu"), "not device"),
        ("loader/a.hpp", good.replace("core/tensor", "arch/bert"), "not arch"),
        ("nn/a.hpp", good.replace("core/tensor", "loader/mapped"), "not loader"),
        ("input/text/a.hpp", good.replace("core/tensor", "model"), "not model"),
        ("model.hpp", good.replace("core/tensor", "input/text/a"), "not input"),
        ("model.hpp", good.replace("core/tensor", "arch/bert"), None),
        ("task/a.hpp", good.replace("core/tensor", "input/text/a"), None),
        ("run.hpp", good.replace("core/tensor", "model"), "not model"),
        ("silica.hpp", good.replace("core/tensor", "arch/bert"), None),
        ("arch/vit.hpp", good.replace("core/tensor", "arch/bert"), "share through nn/"),
        ("arch/llava.hpp", good.replace("core/tensor", "arch/clip"), None),
        ("misc/a.hpp", good, "not in the tree"),
        ("op/a.hpp", good.replace("<vector>", "<ATen/ATen.h>"), "too heavy"),
        ("op/a.hpp", good.replace("<vector>", "<torch/torch.h>"), "too heavy"),
        ("op/a.hpp", good.replace("<vector>", "<boost/hana.hpp>"), "too heavy"),
        ("op/a.hpp", good.replace("<vector>", "<range/v3/all.hpp>"), "too heavy"),
        ("op/a.hpp", good.replace("<vector>", "<ATen/ops/gelu.h>"), None),
        ("nn/a.hpp", good.replace("<vector>", "<ATen/ops/gelu.h>"), "core/tensor.hpp only"),
        ("arch/a.hpp", good.replace("<vector>", "  <c10/core/Device.h>"), "core/tensor.hpp only"),
        ("op/a.hpp", "\n" + good, "#pragma once"),
        ("op/a.hpp", good + "\n" * 250, "lines"),
        ("op/a.ipp", good + "\n" * 250, None),
        ("op/a.ipp", good + "\n" * 300, "lines"),
        ("op/a.hpp", good.replace("core/tensor.hpp\"\n\n#include <vector>", "x.hpp\"").replace(
            '#include "silica/x.hpp"', '#include <vector>\n#include "silica/core/tensor.hpp"'), "come before"),
        ("op/a.hpp", good.replace("silica/core/tensor.hpp", "tensor.hpp"), "from silica/ on"),
        ("op/a.hpp", good.replace('#include "', '# include   "').replace("core/tensor", "model"), "not model"),
        ("core/a.ipp", good, None),
        ("core/a.ipp", good.replace("core/tensor", "op/gelu"), "not op"),
        ("arch/vit.ipp", good.replace("core/tensor", "arch/bert"), "share through nn/"),
    ]
    end = END_WITH_BODY.format("core/a.ipp")
    body = '#pragma once\n#include "silica/core/a.hpp"\n'
    bodies = [  # (files, a word of the complaint); None: no complaint
        ({"core/a.hpp": good + end, "core/a.ipp": body}, None),
        ({"core/a.hpp": good + end, "core/a.ipp": body + '#include "silica/core/b.ipp"\n', "core/b.ipp": "#pragma once\n"}, None),
        ({"core/a.hpp": good + "\n#include \"silica/core/a.ipp\"\n", "core/a.ipp": body}, "as its last lines"),
        ({"core/a.hpp": good + end + "int after;\n", "core/a.ipp": body}, "as its last lines"),
        ({"core/a.hpp": good + end, "core/a.ipp": body, "core/b.hpp": good + end}, "as its last lines"),
        ({"core/a.hpp": good, "core/a.ipp": body}, "included by nothing"),
        ({"core/a.hpp": good + end, "core/a.ipp": "#pragma once\n#include <vector>\n"}, "include its header"),
        ({"core/a.hpp": good + end, "core/a.ipp": body + "namespace {\n}\n"}, "without a name"),
    ]
    failed = 0
    for path, text, word in cases:
        problems = [*check_header(path, text), *check_door(path, text)]
        if (not problems) if word else bool(problems):
            failed += 1
            print(f"self-test: {path}, expected {word!r}, got {problems}\n{text}")
        elif word and not any(word in p for p in problems):
            failed += 1
            print(f"self-test: {path}, expected {word!r}, got {problems}")
    for files, word in bodies:
        problems = [problem for _, problem in check_bodies(files)]
        if bool(problems) != bool(word) or (word and word not in problems[0]):
            failed += 1
            print(f"self-test: bodies {files}, expected {word!r}, got {problems}")
    # core/user.hpp includes core/a.hpp, whose body needs core/user.hpp.
    circle = {"core/a.hpp": good + end, "core/a.ipp": body + '#include "silica/core/user.hpp"\n',
              "core/user.hpp": '#pragma once\n#include "silica/core/a.hpp"\n'}
    if [path for path, _ in check_circles(circle)] != ["core/a.ipp"] or list(check_circles({**circle, "core/a.ipp": body})):
        failed += 1
        print(f"self-test: a circle, got {list(check_circles(circle))}")
    # Through the file system, with a kernel that its device forgets and one that it reaches through another.
    with tempfile.TemporaryDirectory() as folder:
        for path, text in {
            "device/cpu.hpp": '#pragma once\nstruct Cpu;\n#include "silica/device/cpu/gelu.hpp"\n',
            "device/cpu/gelu.hpp": '#pragma once\n#include "silica/device/cpu/onednn.hpp"\n',
            "device/cpu/onednn.hpp": "#pragma once\n",
            "device/cpu/linear.hpp": "#pragma once\n",
        }.items():
            file = Path(folder) / "silica" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        problems = list(check(read(folder)))
        if problems != [("device/cpu.hpp", "does not include device/cpu/linear.hpp: the kernels of a device belong to its header.")]:
            failed += 1
            print(f"self-test: forgotten kernel, got {problems}")
    print(f"self-test: {len(cases) + len(bodies) + 2 - failed} of {len(cases) + len(bodies) + 2} rules hold")
    return 1 if failed else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    headers = read(sys.argv[1])
    problems = list(check(headers))
    for path, problem in problems:
        print(f"include/silica/{path}: {problem}")
    print(f"{len(headers)} headers, {len(problems)} problems")
    return 1 if problems or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
