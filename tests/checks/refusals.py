#!/usr/bin/env python3
"""Every public function of generate/ and task/ is called with what it refuses: a test names it in a refusal.

    refusals.py <source directory>   checks it
    refusals.py --self-test          shows that it catches a function that is left out
"""
import re
import sys
from pathlib import Path

NAMESPACE = re.compile(r"namespace ([\w:]+) \{(.*?)\n\}  // namespace \1\n", re.S)
# A function of a namespace: a line that begins with its type (or what stands before it) and ends in a parameter.
FUNCTION = re.compile(r"^(?!template|struct|class|enum|using|namespace|static_assert|concept|BOOST|#|/|\}|\s)"
                      r"(?:[\w:<>,&*\[\] ]+[ &*>])(\w+)\(", re.M)
REFUSAL = re.compile(r"\brefuses<[^()]*>\s*\(|\bCHECK_THROWS_\w+\s*\(|\bREQUIRE_THROWS_\w+\s*\(")
STRING = re.compile(r'"(?:\\.|[^"\\])*"')

# What takes any argument of its type, and why nothing of it is wrong.
ANY = {
    "name_of": "every value has a name",
    "philox": "any words", "set_scores": "ids beyond the scores are left out", "suppress": "ids beyond the scores are left out",
    "suppress_at": "ids beyond the scores are left out", "force_at": "ids beyond the scores are left out",
    "forbid_words": "ids beyond the scores are left out", "no_end_before": "ids beyond the scores are left out",
    "remove_invalid": "any numbers", "forbid_below": "any numbers", "entropy": "any numbers", "largest": "any numbers",
    "softmax": "any numbers", "log_softmax": "any numbers", "log_sum_exp": "any numbers",
    "most_likely": "any numbers: -1 where none is the largest", "by_falling_score": "any numbers, however many are asked for",
    "merged": "any configurations", "keep": "what cannot be kept is not held", "no_numbers": "it throws",
    "compression_ratio": "any tokens: nothing where there is none", "has_no_spaces": "any language",
    "language_of": "empty where it is no language", "previous_start": "nothing where there is none",
    "previous_tokens": "any tokens", "overlapped": "any tokens", "is_picture": "false where it cannot be read",
    "alike": "any pixels", "alike_in_size": "any pixels", "pixels_by": "a function of a processor",
    "processed": "the processor refuses", "message": "any texts; the tokenizer refuses what is not UTF-8",
    "in_batches": "any size: one runs at least", "image_vector": "outputs of a model, by their type", "sound_vector": "outputs of a model, by their type",
}


def functions(header):
    """Names of functions that a header declares in its namespaces, those of details apart."""
    names = []
    for name, body in NAMESPACE.findall(header):
        if "detail" in name.split("::"):
            continue
        body = re.sub(r"\nnamespace \w*detail \{.*?\n\}  // namespace \w*detail\n", "\n", "\n" + body, flags=re.S)
        names += [f for f in FUNCTION.findall(body) if f not in ("operator", "if", "for", "while", "return")]
    return names


def refusals(test):
    """The arguments of all refusals of a test."""
    for start in REFUSAL.finditer(test):
        depth, at = 1, start.end()
        while depth and at < len(test):
            depth += {"(": 1, ")": -1}.get(test[at], 0)
            at += 1
        yield STRING.sub('""', test[start.end():at])


def left_out(headers, tests):
    """How many functions headers (texts) declare, and those that no refusal of the tests (texts) names."""
    names = sorted({name for text in headers for name in functions(text)})
    named = {word for text in tests for span in refusals(text) for word in re.findall(r"\w+", span)}
    return len(names), [name for name in names if name not in named and name not in ANY]


def self_test():
    header = ("namespace silica::task {\n\n/// Cuts.\n[[nodiscard]] std::vector<int> cut(int n);\nvoid check(const Plan& plan);\n"
              "namespace detail {\nint hidden(int n);\n}  // namespace detail\n\n}  // namespace silica::task\n")
    assert left_out([header], ["refuses<InputError>([&] { cut(f(-1)); }, {}); check(2);"]) == (2, ["check"])
    assert left_out([header], ["CHECK_THROWS_AS(check({}), E); refuses<E>([] { cut(1); }, {});"]) == (2, [])
    assert left_out([header], ['refuses<E>([] { f(1); }, {"cut", "a (check)"});']) == (2, ["check", "cut"])
    assert left_out([header], ["cut(1); check(2);"]) == (2, ["check", "cut"])
    print("a function without a refusal is caught")
    return 0


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    source = Path(sys.argv[1])
    headers = [p.read_text() for part in ("generate", "task") for p in sorted((source / "include/silica" / part).rglob("*.hpp"))]
    tests = [p.read_text() for p in sorted((source / "tests").rglob("*.cpp"))]
    count, missing = left_out(headers, tests)
    for name in missing:
        print(f"{name} is named in no refusal. Remedy: a test that calls it with each argument wrong in turn, "
              "refuses<InputError>(...); or a line in ANY of this file that says why nothing is wrong.")
    print(f"{count} functions, {len(missing)} without a refusal")
    return 1 if missing or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
