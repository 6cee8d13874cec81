#!/usr/bin/env python3
"""docs/coverage.md: what the golden tests have covered, and how far they were from transformers.

    coverage.py ROOT RECORDS TEST...           compares the page with what the tests recorded; fails when it is out of date
    coverage.py ROOT RECORDS TEST... --write   writes the page
    coverage.py --self-test

A test `arch/bert` leaves its cells in RECORDS/bert.tsv (tests/support/coverage.hpp): family, head, device, precision, loader
and error, with tabs between them. A device that only the page or only the records have is left alone: a machine with another
GPU covers more, and says so. Exits with 77 when a test has left no record.
"""
import math
import re
import sys
import tempfile
from pathlib import Path

PRECISIONS = ("float32", "float16", "bfloat16", "int8", "int4")
FACTOR, FLOOR = 10.0, 3e-6  # errors differ by instruction set; what is below FLOOR is rounding

HEAD = """\
# What is tested

Written by `tests/checks/coverage.py` from what the golden tests recorded as they ran; a ctest fails when it is out of date.
Remedy then: run the tests, then the command that the failure prints.

Each row is a head on a device. A number is the worst error of all its golden cases, ||got - want|| / ||want|| over an output,
against `transformers` in float32 (int8 and int4: against the same network with the weights that the codes stand for), with the
loader `mapped`; `-` is not covered by a golden test. The last column has the other loaders. Errors differ by a small factor
between instruction sets.

**(simulated)**: on the simulated MPS device of the tests, whose arithmetic is the CPU's. It proves where ops run, what is
copied and which types are refused; its errors say nothing about Apple's. Devices without that mark were real: `cuda` was an
NVIDIA H200 with LibTorch 2.11 and g++ 13. What was not run has no row: no Apple GPU was at hand.
"""


def read_records(lines):
    """{(family, head, device): {(precision, loader): worst error}}"""
    cells = {}
    for line in lines:
        family, head, device, precision, loader, error = line.split("\t")
        row = cells.setdefault((family, head, device), {})
        error = float(error)
        if not math.isfinite(error):
            raise SystemExit(f"coverage.py: the error of {family}, {head}, {device}, {precision} is {error}")
        row[precision, loader] = max(row.get((precision, loader), 0.0), error)
    return cells


def with_one_number(row):
    """The loaders but `mapped` share a number, the worst, as the page prints them."""
    worst = {}
    for (precision, loader), error in row.items():
        if loader != "mapped":
            worst[precision] = max(worst.get(precision, 0.0), error)
    return {(p, l): e if l == "mapped" else worst[p] for (p, l), e in row.items()}


def printed(error):
    return f"{error:.1e}"


def row_text(key, row):
    _, head, device = key
    columns = [printed(row[p, "mapped"]) if (p, "mapped") in row else "-" for p in PRECISIONS]
    others = []
    for precision in PRECISIONS:
        loaders = sorted(l for p, l in row if p == precision and l != "mapped")
        if loaders:
            others.append(f"{precision}: {', '.join(loaders)} {printed(row[precision, loaders[0]])}")
    return f"| {head} | {device} | {' | '.join(columns)} | {'; '.join(others) or '-'} |"


def page_text(cells, uncovered):
    devices = sorted({device for _, _, device in cells})
    out = [HEAD]
    out.append(f"{sum(len(row) for row in cells.values())} cells: {len({f for f, _, _ in cells})} families, "
               f"{len({(f, h) for f, h, _ in cells})} heads, on {', '.join(devices)}.\n")
    for family in sorted({f for f, _, _ in cells}):
        out.append(f"## {family}\n")
        out.append(f"| head | device | {' | '.join(PRECISIONS)} | other loaders |")
        out.append("|---" * (len(PRECISIONS) + 3) + "|")
        out += [row_text(key, with_one_number(row)) for key, row in sorted(cells.items()) if key[0] == family]
        out.append("")
    if uncovered:
        out.append("## Without a golden case of their own\n")
        out.append(f"{', '.join(uncovered)}. They are parts of heads above, or run in other tests (`tests/arch`, `tests/task`).\n")
    return "\n".join(out)


def read_page(text):
    cells, family = {}, None
    for line in text.splitlines():
        if line.startswith("## "):
            family = line[3:].strip()
        parts = [p.strip() for p in line.strip().strip("|").split("|")]
        if not line.startswith("|") or len(parts) != len(PRECISIONS) + 3 or parts[0] in ("head", "---"):
            continue
        row = cells.setdefault((family, parts[0], parts[1]), {})
        for precision, number in zip(PRECISIONS, parts[2:]):
            if number != "-":
                row[precision, "mapped"] = float(number)
        for precision, loaders, number in re.findall(r"(\w+): ([\w, -]+?) ([\d.e+-]+)(?:;|$)", parts[-1]):
            for loader in loaders.split(", "):
                row[precision, loader] = float(number)
    return cells


def cell_names(cells):
    return {key + point for key, row in cells.items() for point in row}


def differences(page, found):
    """What is wrong with the page, and the devices that only one side has."""
    shared = {d for _, _, d in page} & {d for _, _, d in found}
    alone = ({d for _, _, d in page} | {d for _, _, d in found}) - shared
    here = {k: with_one_number(row) for k, row in found.items() if k[2] in shared}
    there = {k: row for k, row in page.items() if k[2] in shared}
    wrong = [f"not on the page: {', '.join(c)}" for c in sorted(cell_names(here) - cell_names(there))]
    wrong += [f"on the page, but not tested: {', '.join(c)}" for c in sorted(cell_names(there) - cell_names(here))]
    for key in sorted(here.keys() & there.keys()):
        for point in sorted(here[key].keys() & there[key].keys()):
            now, then = max(here[key][point], FLOOR), max(there[key][point], FLOOR)
            if now > FACTOR * then or then > FACTOR * now:
                wrong.append(f"{', '.join(key + point)}: the error is {printed(here[key][point])}, on the page "
                             f"{printed(there[key][point])}")
    return wrong, sorted(alone)


def heads_in(root):
    names = set()
    for header in (root / "include/silica/arch").rglob("*.hpp"):
        names |= set(re.findall(r'string_view name = "(\w+)"', header.read_text()))
    return names


def main(arguments):
    write = "--write" in arguments
    root, records, *tests = [a for a in arguments if a != "--write"]
    root, files = Path(root), [Path(records) / f"{Path(test).name}.tsv" for test in tests]
    missing = [test for test, file in zip(tests, files) if not file.exists()]
    if missing:
        print(f"skipped: no record of {', '.join(missing)}; ctest runs them before this")
        return 77
    found = read_records(line for file in files for line in file.read_text().splitlines())
    path = root / "docs/coverage.md"
    page = read_page(path.read_text()) if path.exists() else {}
    if write:
        devices = {d for _, _, d in found}
        kept = {k: row for k, row in page.items() if k[2] not in devices}  # of machines that are not here
        cells = kept | found
        uncovered = sorted(heads_in(root) - {h for _, h, _ in cells})
        path.write_text(page_text(cells, uncovered))
        print(f"{path} is written: {len(cell_names(cells))} cells")
        return 0
    wrong, alone = differences(page, found)
    if alone:
        print(f"not compared, on one side alone: {', '.join(alone)}")
    for line in wrong[:40]:
        print(line)
    if wrong or not page:
        print(f"docs/coverage.md is out of date ({len(wrong)} cells). Remedy: after the tests of this build,\n  "
              f"{sys.executable} {' '.join(sys.argv)} --write")
        return 1
    print(f"{len(cell_names(found))} cells as on the page")
    return 0


def self_test():
    record = ["bert\tBertModel\tcpu\tfloat32\tmapped\t1.5e-07", "bert\tBertModel\tcpu\tfloat32\tstreamed\t2e-07",
              "bert\tBertModel\tcpu\tfloat32\tcpu-first\t1e-07", "bert\tBertModel\tcpu\tfloat16\tmapped\t4e-04",
              "bert\tBertModel\tcpu\tfloat16\tmapped\t2e-04", "bert\tBertModel\tmps (simulated)\tfloat16\tmapped\t4e-04"]
    found = read_records(record)
    assert found["bert", "BertModel", "cpu"]["float16", "mapped"] == 4e-4
    page = page_text(found, ["LlavaImages"])
    assert differences(read_page(page), found) == ([], [])
    assert cell_names(read_page(page)) == cell_names(found)
    worse = read_records(record + ["bert\tBertModel\tcpu\tfloat16\tmapped\t5e-03"])
    assert len(differences(read_page(page), worse)[0]) == 1
    assert differences(read_page(page), read_records(record + ["bert\tBertModel\tcpu\tfloat32\tmapped\t1e-06"]))[0] == []
    more = read_records(record + ["bert\tBertForMaskedLM\tcpu\tfloat32\tmapped\t1e-07"])
    assert differences(read_page(page), more)[0] == ["not on the page: bert, BertForMaskedLM, cpu, float32, mapped"]
    assert len(differences(read_page(page), read_records(record[:1] + record[3:]))[0]) == 2
    gpu = read_records(record + ["bert\tBertModel\tcuda\tfloat32\tmapped\t1e-07"])
    assert differences(read_page(page), gpu) == ([], ["cuda"])
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "docs").mkdir()
        assert main([directory, directory, "arch/bert"]) == 77
        (root / "bert.tsv").write_text("\n".join(record) + "\n")
        assert main([directory, directory, "arch/bert"]) == 1
        assert main([directory, directory, "arch/bert", "--write"]) == 0
        assert main([directory, directory, "arch/bert"]) == 0
        (root / "bert.tsv").write_text("\n".join(record[:3]) + "\n")  # no device mps here: its cells are kept
        assert main([directory, directory, "arch/bert", "--write"]) == 0
        assert "simulated" in {d.split("(")[-1].strip(")") for _, _, d in read_page((root / "docs/coverage.md").read_text())}
    return 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else main(sys.argv[1:]))
