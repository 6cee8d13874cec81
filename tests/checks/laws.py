#!/usr/bin/env python3
"""Every op is called with each of its arguments wrong: the test of tests/op/laws.cpp names all tags of op/*.hpp.

    laws.py <source directory>   checks it
    laws.py --self-test          shows that it catches an op that is left out
"""
import re
import sys
from pathlib import Path

TAG = re.compile(r"static_assert\(OpTag<(\w+)>\);")  # what each header of an op ends with
CALL = re.compile(r"each_wrong<op::(\w+)>\(")


def left_out(headers, test):
    """Ops that headers (texts) define and the test does not call."""
    ops = [op for text in headers for op in TAG.findall(text)]
    called = set(CALL.findall(test))
    return len(ops), [op for op in ops if op not in called]


def self_test():
    headers = ["struct Gelu {};\nstatic_assert(OpTag<Gelu>);", "struct Linear {};\nstatic_assert(OpTag<Linear>);"]
    assert left_out(headers, "each_wrong<op::Gelu>(x); each_wrong<op::Linear>(x, w);") == (2, [])
    assert left_out(headers, "each_wrong<op::Gelu>(x); refuses<op::Linear>(x, w);") == (2, ["Linear"])
    print("an op without a case is caught")
    return 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    source = Path(sys.argv[1])
    headers = [path.read_text() for path in sorted((source / "include/silica/op").glob("*.hpp"))]
    ops, missing = left_out(headers, (source / "tests/op/laws.cpp").read_text())
    for op in missing:
        print(f"op::{op} has no case. Remedy: tests/op/laws.cpp: T::template each_wrong<op::{op}>(arguments that are right);")
    print(f"{ops} ops, {len(missing)} without a case")
    return 1 if missing or ops == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
