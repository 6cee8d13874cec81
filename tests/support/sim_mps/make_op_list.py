#!/usr/bin/env python3
"""Writes ops-<major>.<minor>.inc: the ATen ops that have an MPS kernel, one name per line.

    python make_op_list.py            from the torch that this Python has
    python make_op_list.py TORCHGEN   from another unpacked torchgen package (the directory named torchgen) of the
                                      version given with --version 2.14

The names come from the package's own native_functions.yaml, read by the package's own torchgen. The functional and
in-place forms of a structured op inherit the kernel of its out= form. The file is one C++ raw string literal.
"""

import argparse
import importlib.metadata
import importlib.util
import pathlib
import sys


def mps_ops(torchgen_directory):
    sys.path.insert(0, str(torchgen_directory.parent))
    from torchgen.gen import get_grouped_native_functions, parse_native_yaml
    from torchgen.model import DispatchKey, NativeFunctionsGroup

    native = torchgen_directory / "packaged" / "ATen" / "native"
    parsed = parse_native_yaml(str(native / "native_functions.yaml"), str(native / "tags.yaml"))
    mps = parsed.backend_indices[DispatchKey.MPS]
    names = set()
    for entry in get_grouped_native_functions(parsed.native_functions):
        functions = list(entry.functions()) if isinstance(entry, NativeFunctionsGroup) else [entry]
        inherits = isinstance(entry, NativeFunctionsGroup) and entry.structured and mps.has_kernel(entry.out)
        names.update(str(f.func.name) for f in functions if inherits or mps.has_kernel(f))
    return sorted(names)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("torchgen", nargs="?", type=pathlib.Path)
    parser.add_argument("--version", help="of that torch, for the file name")
    parser.add_argument("--to", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    options = parser.parse_args()
    directory = options.torchgen or pathlib.Path(importlib.util.find_spec("torchgen").origin).parent
    version = options.version or importlib.metadata.version("torch")
    names = mps_ops(directory.resolve())
    path = options.to / f"ops-{'.'.join(version.split('.')[:2])}.inc"
    path.write_text('R"ops(\n' + "\n".join(names) + '\n)ops"\n')
    print(f"{path}: {len(names)} ops of torch {version}")


if __name__ == "__main__":
    main()
