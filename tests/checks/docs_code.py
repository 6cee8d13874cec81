#!/usr/bin/env python3
"""Checks README.md and docs/*.md against the source tree.

    docs_code.py ROOT            prints what is wrong, and fails if anything is
    docs_code.py ROOT --missing  lists messages of the code that docs/errors.md does not quote (never fails)
    docs_code.py --self-test     plants mistakes and fails if one is not found

* A ```cpp block of more than one line follows `<!-- from FILE -->`, FILE under examples/, tests/ or include/, and what
  follows such a comment stands there as consecutive lines; the same indentation may be missing from all of them.
* A relative link leads to a file, and its #anchor to a heading.
* `silica COMMAND --option` and `./run COMMAND` name what bench/*.cpp and run have.
* Messages quoted in docs/errors.md, `... <value> ...` or `... {one|other} ...`, are in the code.
"""
import re
import sys
import tempfile
from pathlib import Path

FROM = re.compile(r"<!-- from (\S+) -->")
FENCE = re.compile(r"\s*```(\S*)")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|[\s/])(?:(\./run)|silica) +(--?[a-z-]+|[a-z_]+)([^#\n]*)")
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


def blocks(lines):
    """(number of the first line, language, lines, the line before) of each fenced block."""
    inside, language, start, before = None, "", 0, ""
    for number, line in enumerate(lines, 1):
        fence = FENCE.match(line)
        if inside is None and fence:
            inside, language, start = [], fence.group(1), number
        elif inside is not None and fence:
            yield start, language, inside, before
            inside, before = None, ""
        elif inside is not None:
            inside.append(line)
        elif line.strip():
            before = line.strip()


def stands_in(block, text):
    """Whether the lines of `block` are consecutive lines of `text`, but for one indentation."""
    block = [line.rstrip() for line in block]
    lines = [line.rstrip() for line in text.splitlines()]
    filled = [i for i, line in enumerate(block) if line]
    for at in range(len(lines) - len(block) + 1):
        first = lines[at + filled[0]]
        if not first.endswith(block[filled[0]]):
            continue
        indent = first[: len(first) - len(block[filled[0]])]
        if not indent.strip() and all(lines[at + i] == (indent + line if line else "") for i, line in enumerate(block)):
            return True
    return False


def anchors(text):
    """What GitHub makes of the headings."""
    titles = re.findall(r"^#+ +(.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", t).lower()).strip().replace(" ", "-") for t in titles}


def sources(root):
    """The files that messages are in."""
    return [p for d in ("include", "bench") for p in sorted((root / d).rglob("*")) if p.suffix in (".hpp", ".ipp", ".cpp", ".txt")]


def literals(text):
    """The string literals of C++ code, those that stand side by side joined."""
    text = re.sub(r"^\s*(//.*|#.*)$", "", text, flags=re.M)
    text = re.sub(r'"\s*\+?\s*\n\s*"', "", text)
    return [s.replace('\\"', '"').replace("\\\\", "\\").replace("\\n", "\n") for s in STRING.findall(text)]


def fragments(message):
    """What of a quoted message must be in the code as it is: all but <values>, {one|other} being each of the two."""
    parts = [message]
    for choice in re.findall(r"\{([^}|]*\|[^}]*)\}", message):
        parts += choice.split("|")
    pieces = [p for part in parts for p in re.split(r"<[^>]*>|\{[^}|]*\|[^}]*\}|\.\.\.", part)]
    return [p for p in (piece.strip(" .:") for piece in pieces) if len(p) > 3]


def quoted_messages(text):
    """The first cell of each row of docs/errors.md, where it is code."""
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"\| (`+)(.+?)\1 \|", line)
        if found and " " in found.group(2):
            yield number, found.group(2).strip().replace("\\|", "|")


def check(root):
    """Sentences about what is wrong."""
    pages = [p for p in [root / "README.md", *sorted((root / "docs").glob("*.md"))] if p.exists()]
    program = "\n".join(p.read_text() for p in sorted((root / "bench").glob("*.cpp"))) if (root / "bench").is_dir() else ""
    script = (root / "run").read_text() if (root / "run").exists() else ""
    commands = set(re.findall(r'Command c\(app, "([a-z_]+)"', program))
    options = set(re.findall(r"--[a-z-]+", program + script)) | {"--help", "--version"}
    targets = set(re.findall(r"^    ([a-z]+)\)$", script, re.M)) | {"--help", "--families"}
    for page in pages:
        name, text = page.relative_to(root), page.read_text()
        lines = text.splitlines()
        prose = list(enumerate(lines, 1))
        for start, language, block, before in blocks(lines):
            for number in range(start - 1, start + len(block) + 1):
                prose[number] = (number + 1, "")
            shell = language in ("", "sh", "bash", "console", "text")
            prose += [(start + i + 1, "`" + line + "`") for i, line in enumerate(block)] if shell else []
            origin = FROM.fullmatch(before)
            if (language not in ("cpp", "c++") or len(block) < 2) and not origin:
                continue
            if not origin:
                yield f"{name}:{start}: code without `<!-- from examples/FILE.cpp -->` before it"
                continue
            file = root / origin.group(1)
            if not re.match(r"(examples|tests|include)/", origin.group(1)) or ".." in origin.group(1):
                yield f"{name}:{start}: code from {origin.group(1)}, which is not compiled"
            elif not file.is_file():
                yield f"{name}:{start}: code from {origin.group(1)}, which does not exist"
            elif any(line.strip() for line in block) and not stands_in(block, file.read_text()):
                yield f"{name}:{start}: this code does not stand in {origin.group(1)}"
        for number, line in prose:
            for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                file = page.parent / path if path else page
                if not file.exists():
                    yield f"{name}:{number}: a link to {path}, which does not exist"
                elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
                    yield f"{name}:{number}: a link to {target}, a heading that does not exist"
            for code in re.findall(r"`([^`]+)`", line):
                for run, command, rest in COMMAND.findall(code):
                    known = commands | {"--help", "--version"} | (targets if run else set())
                    if command not in known:
                        yield f"{name}:{number}: there is no `{run or 'silica'} {command}`"
                    for option in re.findall(r"(?<=\s)--[a-z-]+", rest):
                        if option not in options:
                            yield f"{name}:{number}: `{run or 'silica'} {command}` has no {option}"
    errors = root / "docs" / "errors.md"
    if errors.exists():
        code = [s for p in sources(root) for s in literals(p.read_text())]
        for number, message in quoted_messages(errors.read_text()):
            for fragment in fragments(message):
                if not any(fragment in s for s in code):
                    yield f"docs/errors.md:{number}: no message of the code has \"{fragment}\""


def missing(root):
    """Beginnings of messages that docs/errors.md does not quote."""
    page = (root / "docs" / "errors.md").read_text().replace("\\|", "|")
    known = [f for m in re.findall(r"`([^`\n]+)`", page) for f in fragments(m)]
    call = re.compile(r"(?:throw (?:\w+::)*\w+Error\(|\b(?:fail|refuse|refuse_torch|malformed|damaged|wrong)\()")
    for path in sources(root):
        text = re.sub(r'"\s*\n\s*"', "", path.read_text())
        for found in call.finditer(text):
            end = text.find(";", found.end())
            strings = [s for s in literals(text[found.start():end]) if len(s.strip()) > 8]
            if strings and not any(f in s or s.strip() in f for s in strings for f in known):
                yield f"{path.relative_to(root)}:{text.count(chr(10), 0, found.start()) + 1}: {strings[0].strip()}"


GOOD = {
    "README.md": "# T\n\n[page](docs/a.md#two-words) [site](https://x.y) `silica bench --model x` `./run test`\n\n"
                 "<!-- from examples/a.cpp -->\n```cpp\nint f() {\n\n    return 1;\n}\n```\n\n```cpp\none_line();\n```\n",
    "docs/a.md": "## Two words\n\n```\n./run bench --model x\nfind_package(silica 0.1 REQUIRED)\n```\n",
    "docs/errors.md": "| message | |\n|---|---|\n| `<file> is {bad|worse} for <n> bytes.` | x |\n",
    "examples/a.cpp": "namespace x {\n    int f() {\n\n        return 1;\n    }\n}\n",
    "bench/a.cpp": 'Command c(app, "bench", "x"); c.option("--model", m);',
    "include/a.hpp": 'throw E(file + " is " + (n ? "bad" : "worse") + " for " + n +\n    " byt"\n    "es.");',
    "run": "case $1 in\n    test)\n        true\n        ;;\nesac\n",
}
MISTAKES = [
    ("README.md", "return 1", "return 2", "does not stand in examples/a.cpp"),
    ("README.md", "    return 1", "return 1", "does not stand in examples/a.cpp"),
    ("README.md", "\n\n    return", "\n    return", "does not stand in examples/a.cpp"),
    ("README.md", "<!-- from examples/a.cpp -->\n", "", "code without"),
    ("README.md", "from examples/a.cpp", "from examples/b.cpp", "which does not exist"),
    ("README.md", "from examples/a.cpp", "from docs/a.md", "which is not compiled"),
    ("README.md", "docs/a.md#", "docs/b.md#", "a link to docs/b.md"),
    ("README.md", "#two-words", "#three-words", "a heading that does not exist"),
    ("README.md", "silica bench", "silica bencj", "no `silica bencj`"),
    ("README.md", "--model x`", "--modle x`", "no --modle"),
    ("README.md", "./run test", "./run tests", "no `./run tests`"),
    ("docs/a.md", "./run bench", "./run bend", "no `./run bend`"),
    ("docs/errors.md", "bytes.", "octets.", 'has "octets"'),
    ("docs/errors.md", "worse", "worst", 'has "worst"'),
]


def self_test():
    def found(changed):
        with tempfile.TemporaryDirectory() as directory:
            root = Path(directory)
            for name, text in changed.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            return list(check(root))

    failures = [f"the right tree: {problem}" for problem in found(GOOD)]
    for name, old, new, want in MISTAKES:
        assert old in GOOD[name], (name, old)
        problems = found({**GOOD, name: GOOD[name].replace(old, new, 1)})
        if len(problems) != 1 or want not in problems[0]:
            failures.append(f"{name} with {new!r} for {old!r}: wanted {want!r}, found {problems}")
    return failures


def main():
    if sys.argv[1:] == ["--self-test"]:
        problems = self_test()
    elif sys.argv[2:] == ["--missing"]:
        print(*missing(Path(sys.argv[1])), sep="\n")
        return 0
    else:
        problems = list(check(Path(sys.argv[1])))
    print(*problems, sep="\n")
    print(f"{len(problems)} problem{'' if len(problems) == 1 else 's'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
