#!/usr/bin/env python3
"""Checks the texts of own Metal kernels for what Apple's compiler refuses and g++ cannot see: address spaces, by clang's C++
for OpenCL, whose rules are the same under other names; and the conventions that the host relies on.

    metal_check.py [--clang clang]      checks every text in every kind of variant
    metal_check.py --self-test          shows that each kind of fault is found

Exit code 0: no fault; 1: faults; 77: there is no clang of version 14 or newer (Debian: clang-19 or clang-14 with its
libclang-common-*-dev). Checked, not run: no Apple compiler was asked.
"""
import argparse
import itertools
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TEXTS = Path(__file__).resolve().parents[2] / "include/silica/device/mps/metal"

# Metal's words for address spaces and what the kernels use of its library, in C++ for OpenCL.
SHIM = """
#pragma OPENCL EXTENSION cl_khr_fp16 : enable
#define device __global
#define constant __constant
#define threadgroup __local
#define thread __private
typedef uint uint3x __attribute__((ext_vector_type(3)));
template <class To, class From> To as_type(From from) { return __builtin_astype(from, To); }
namespace metal {
enum class mem_flags { mem_none, mem_device, mem_threadgroup };
void threadgroup_barrier(mem_flags);
template <class V> V simd_sum(V);
template <class V> V simd_max(V);
template <class V> V simd_min(V);
template <class V> V simd_shuffle_xor(V, ushort);
template <class V> V simd_shuffle_up(V, ushort);
}
"""

# What only Metal has: attributes of parameters.
ATTRIBUTES = ("buffer", "threadgroup_position_in_grid", "threadgroups_per_grid", "thread_index_in_simdgroup",
              "simdgroup_index_in_threadgroup", "simdgroups_per_threadgroup")
# What own kernels do without: newer than the oldest macOS, or not checkable here.
REFUSED = {r"\btemplate\b": "a template", r"\[\[host_name": "host_name", r"simdgroup_(float|half|bfloat|matrix)": "simdgroup_matrix",
           r"\bbfloat\b": "bfloat (bfloat16 is ushort here)", r"#include": "an include", r"\bdouble\b": "double, which Metal has not",
           r"\b(goto|new|delete|virtual|dynamic_cast|throw)\b": "what Metal C++ has not", r"\blambda|\]\s*\(.*\)\s*\{": "a lambda"}

VARIANTS = {
    "rows": [dict(TYPE=t, BITS=b, SCALES=s, ROWS=r, NORM=n) for t, b, s, r, n in itertools.product((0, 1, 2), (0, 4, 8), (0, 1), (1, 4), (0, 1))
             if b or not s],
    "decode_attention": [dict(TYPE=t, D=d, MASK=m, PARTS=p) for t, d, m, p in itertools.product((0, 1, 2), (20, 64, 256), (0, 1, 2, 3), (0, 1))],
    "rotary_store": [dict(TYPE=t) for t in (0, 1, 2)],
    "choose": [dict(TYPE=t) for t in (0, 1, 2)],
}


def text_of(name, directory=TEXTS):
    found = re.search(r'R"metal\((.*?)\)metal"', (directory / f"{name}.metal.hpp").read_text(), re.S)
    if not found:
        raise SystemExit(f"{name}.metal.hpp has no text between R\"metal( and )metal\"")
    return found[1]


def without_comments(text):
    return re.sub(r"//[^\n]*", "", text)


def conventions(name, text):
    """Faults of a text against what the host and Metal rely on."""
    code = without_comments(text)
    for pattern, what in REFUSED.items():
        for match in re.finditer(pattern, code):
            yield f"{name}: uses {what}: '{match[0].strip()}'"
    for attribute in set(re.findall(r"\[\[(\w+)", code)) - set(ATTRIBUTES):
        yield f"{name}: has the attribute {attribute}, which is not in the list of this check"
    for kernel, parameters in re.findall(r"kernel void (\w+)\((.*?)\)\s*\{", re.sub(r"\(\d+\)\]\]", lambda m: "<" + m[0][1:-3] + ">]]", code), re.S):
        numbers = [int(n) for n in re.findall(r"\[\[buffer<(\d+)>", parameters)]
        seen = list(dict.fromkeys(numbers))  # one under #if and one under #else have the same
        if seen != list(range(len(seen))):
            yield f"{name}: kernel {kernel} has buffers {seen}, not 0, 1, 2, ... in the order of its parameters"
        if not parameters.rstrip().endswith("PLACE"):
            yield f"{name}: kernel {kernel} does not end with PLACE"
        if "constant" in parameters and not re.search(r"constant \w+& s \[\[buffer<\d+>\]\], PLACE", parameters):
            yield f"{name}: the constants of kernel {kernel} are not its last buffer"
    for n, line in enumerate(text.splitlines(), 1):
        if len(line) > 120:
            yield f"{name}: line {n} has more than 120 columns"


def as_opencl(text, values):
    source = "".join(f"#define {k} {v}\n" for k, v in values.items()) + SHIM + "using namespace metal;\n"
    # A struct in constant memory is read member by member; Metal copies it by itself.
    body = re.sub(r"\s*\[\[(" + "|".join(ATTRIBUTES) + r")(\(\d+\))?\]\]", "", text)
    return source + body


def check_variant(clang, prelude, name, text, values):
    """What clang says of one variant."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / f"{name}.clcpp"
        file.write_text(as_opencl(prelude + text, values))
        result = subprocess.run(
            [clang, "-x", "clcpp", "-cl-std=clc++2021", "--target=spir64", "-fsyntax-only", "-Wall", "-Wextra", "-Wno-unused-parameter",
             "-Wno-unused-function", "-Wno-sign-compare", "-Xclang", "-finclude-default-header", "-Xclang",
             "-cl-ext=-__opencl_c_generic_address_space,-__opencl_c_pipes,-__opencl_c_device_enqueue,"
             "-__opencl_c_program_scope_global_variables", str(file)],
            capture_output=True, text=True)
        if result.returncode == 0 and not result.stderr.strip():
            return []
        label = " ".join(f"{k}={v}" for k, v in values.items())
        return [f"{name} ({label}): {line}" for line in result.stderr.splitlines() if "error:" in line or "warning:" in line][:5]


def find_clang(given):
    for name in [given] if given else ["clang", *(f"clang-{n}" for n in range(22, 13, -1))]:
        path = shutil.which(name)
        if not path:
            continue
        version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
        found = re.search(r"clang version (\d+)", version)
        if found and int(found[1]) >= 14:
            return path
    return None


def check(clang):
    faults, variants = [], 0
    prelude = text_of("prelude")
    texts = sorted(p.name.removesuffix(".metal.hpp") for p in TEXTS.glob("*.metal.hpp"))
    for name in texts:
        if name == "prelude":
            faults += conventions(name, prelude)
            continue
        if name not in VARIANTS:
            faults.append(f"{name}.metal.hpp is not in VARIANTS of this check")
            continue
        text = text_of(name)
        faults += conventions(name, text)
        for values in VARIANTS[name]:
            variants += 1
            faults += check_variant(clang, prelude, name, text, values)
    lines = sum(len(text_of(n).splitlines()) for n in texts)
    return faults, variants, len(texts), lines


# A change of a text, and a word of what must be said of it.
FAULTS = [
    ("rows", "device const T* row = x", "const T* row = x", "cannot initialize"),
    ("rows", "threadgroup float squares[32 * ROWS];", "threadgroup float squares[32 * ROWS]; device float* wrong = squares;", "cannot initialize"),
    ("rows", "float by[ROWS];", "float by[ROWS]; threadgroup float* wrong = by;", "cannot initialize"),
    ("rows", "device const S* term = terms", "device S* term = terms", "const"),
    ("rows", "device T* y [[buffer(6)]]", "device T* y [[buffer(7)]]", "buffers"),
    ("rows", "PLACE) {", "uint3 group [[threadgroup_position_in_grid]]) {", "PLACE"),
    ("decode_attention", "float query[EACH]", "double query[EACH]", "double"),
    ("decode_attention", "device const T* key = keys", "thread const T* key = keys", "cannot initialize"),
    ("choose", "inline bool before(float a", "template <class V> inline bool before(V a", "template"),
    ("rotary_store", "v[i] = in[i];", "v[i] = in[j];", "undeclared"),
]


def self_test(clang):
    prelude, missed = text_of("prelude"), []
    for name, old, new, word in FAULTS:
        text = text_of(name)
        if old not in text:
            missed.append(f"{name}: the text has no '{old}' any more")
            continue
        text = text.replace(old, new)
        values = next(v for v in VARIANTS[name] if v.get("BITS", 4) == 4 and v.get("NORM", 1) == 1)
        said = list(conventions(name, text)) + check_variant(clang, prelude, name, text, values)
        if not any(word in line for line in said):
            missed.append(f"{name}: '{new}' is not found to be wrong; said was: {said}")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clang")
    parser.add_argument("--self-test", action="store_true")
    options = parser.parse_args()
    clang = find_clang(options.clang)
    if clang is None:
        print("metal-check: no clang of version 14 or newer. Remedy: apt-get install clang-14 libclang-common-14-dev.")
        return 77
    if options.self_test:
        missed = self_test(clang)
        print("\n".join(missed) or f"metal-check: {len(FAULTS)} faults put in, all found")
        return 1 if missed else 0
    faults, variants, texts, lines = check(clang)
    print("\n".join(faults) if faults else
          f"metal-check: {texts} texts of {lines} lines in {variants} variants: address spaces and conventions hold "
          f"(checked by {Path(clang).name}, not run, not by Apple's compiler)")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
