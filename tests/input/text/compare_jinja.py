#!/usr/bin/env python3
"""Compares Silica's Jinja with Python's on small templates, most of them random.

    compare_jinja.py DRIVER [COUNT] [SEED] [TOKENIZER_CONFIG...]

DRIVER reads JSON lines {"template", "context"} and answers {"text"}, {"error"} (InputError) or {"refused"}
(ConfigError): a loop around `render` of jinja.cpp in this directory. What differs by design: a slice of a constant
that has none (undefined in Python), integers over 64 bits. Files named tokenizer_config.json are rendered with the
conversations of make_jinja_golden.py. Needs jinja2 and transformers.
"""
import json
import random
import subprocess
import sys

import make_jinja_golden as golden

CONTEXT = {
    "s": "Hello, Wörld! ß", "t": "  a b\tc \n", "e": "", "n": 7, "z": 0, "m": -3, "f": 2.5, "g": 1e20, "b": True, "c": False,
    "o": None, "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "x": [], "d": {"k": "v", "i": 1, "items": 3, "ü": [1, {"a": None}]},
    "messages": [{"role": "user", "content": "Hi 😀"}, {"role": "assistant", "content": None, "n": 2},
                 {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "x<y>&\"'"}], "n": 1}],
}

ATOMS = ["s", "t", "e", "n", "z", "m", "f", "g", "b", "c", "o", "l", "w", "x", "d", "messages", "messages[0]", "missing", "d.k",
         "d['i']", "d.missing", "messages[-1].content", "1", "0", "-2", "3", "10", "0.1", "1e3", "'a'", "'b, c'", "\"q'q\"", "''",
         "'é\\n\\t\\x41\\u00e9'", "true", "none", "[1, 2.0, 'x']", "[]", "(1,)", "(1, 'a')", "{}", "{'a': 1, 2: [none]}", "range(4)",
         "range(5, 0, -2)", "namespace(a=1).a", "dict(a=1, b='x')", "'ΑΣ ΌΣΟΣ'", "'a b  c'", "'x-y z'", "'%s|%d'", "' 42 '", "'1.5'"]
FILTERS = ["tojson", "tojson(indent=2)", "tojson(ensure_ascii=true)", "tojson(separators=(',', ':'))", "tojson(sort_keys=true)", "trim",
           "trim('a ')", "length", "count", "default('D')", "default('D', true)", "d('x')", "join", "join(', ')", "upper", "lower",
           "title", "capitalize", "replace('a', 'bb')", "replace('l', 'L', 1)", "replace('', '-')", "first", "last", "list",
           "items|list", "dictsort", "dictsort(by='value')", "map('upper')|list", "map(attribute='role')|list",
           "map(attribute='n', default=0)|list", "map('string')|join('|')", "select|list", "reject('none')|list",
           "select('string')|list", "selectattr('role', 'equalto', 'user')|list", "rejectattr('n', 'defined')|list",
           "selectattr('content')|list|length", "unique|list", "sort", "sort(reverse=true)", "sort(attribute='role')|length",
           "reverse|list", "reverse", "int", "int(9)", "float", "string", "safe", "e", "indent", "indent(2, true)",
           "indent('> ', blank=true)", "abs", "round", "round(1)", "round(1, 'floor')", "round(0, 'ceil')", "min", "max", "sum",
           "batch(2)|list", "batch(2, 'f')|list", "slice(2)|list", "wordcount", "urlencode", "format(1, 2)", "attr('k')", "map('length')|list"]
METHODS = ["strip()", "lstrip()", "rstrip()", "strip('He!')", "split()", "split(' ')", "split('l', 1)", "rsplit(' ', 1)",
           "rsplit(none, 1)", "startswith('H')", "startswith(('x', ' '))", "endswith('!')", "upper()", "lower()", "title()",
           "capitalize()", "replace('l', 'LL')", "replace('l', 'x', 1)", "find('l')", "find('zz')", "rfind('l')", "count('l')",
           "join(['a', 'b'])", "join(w)", "isdigit()", "isalpha()", "isspace()", "isupper()", "islower()", "isalnum()", "get('k')",
           "get('zz')", "get('zz', 5)", "items()|list", "keys()|list", "values()|list", "items()", "keys()", "append(1)", "pop()",
           "update({})", "index(1)", "count(1)", "splitlines()", "partition(',')", "rpartition('l')", "removeprefix('He')",
           "removesuffix('ß')", "zfill(5)", "ljust(9, '.')", "rjust(9)", "center(10, '*')", "format(1)", "copy()", "nope()", "__class__"]
TESTS = ["defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean",
         "true", "false", "odd", "even", "divisibleby(2)", "divisibleby 3", "equalto(1)", "eq 1", "ne 1", "gt(1)", "lt 5", "ge 2",
         "in [1, 'a']", "in(s)", "sameas(none)", "lower", "upper", "callable", "not none", "not defined"]
BINARY = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "not in"]


def expression(r, depth):
    if depth == 0 or r.random() < 0.15:
        return r.choice(ATOMS)
    e = lambda: expression(r, depth - 1)
    kind = r.randrange(13)
    if kind < 3:
        return f"{e()}|{r.choice(FILTERS)}"
    if kind < 5:
        return f"({e()}).{r.choice(METHODS)}"
    if kind == 5:
        return f"{e()} is {r.choice(TESTS)}"
    if kind < 9:
        return f"{e()} {r.choice(BINARY)} {e()}"
    if kind == 9:
        return f"({e()} if {e()} else {e()})"
    if kind == 10:
        bound = lambda: r.choice(["", "", "1", "-1", "2", "-2", "9", "-9", "none"])
        return f"({e()})[{bound()}:{bound()}{r.choice(['', ':', ':2', ':-1', ':-2'])}]"
    if kind == 11:
        return f"({e()})[{r.choice(['0', '-1', '1', repr('k'), repr('items'), 'n'])}]"
    return r.choice(["not ", "-", "+", ""]) + f"({e()})"


def tag(r, body):
    return "{%" + r.choice(["", "", "", "-", "+"]) + r.choice([" ", ""]) + body + r.choice([" ", ""]) + r.choice(["", "", "", "-", "+"]) + "%}"


def text(r):
    return r.choice(["", " ", "\n", "  \n", "a", " b ", "\n\n", "\n  ", "x\n", "{", "}", "%", "\t", "é\n  ", "{# c #}", "{#- c\n -#}\n", "  {# d #}\n",
                     "{% raw %}{{ x }}{% endraw %}\n", " {%- raw -%} {% y {%- endraw -%} z", "\r\n", "#}"])


def statements(r, depth):
    out = ""
    for _ in range(r.randrange(1, 4)):
        out += text(r)
        kind = r.randrange(12) if depth else 0
        e = lambda: expression(r, r.randrange(0, 3))
        if kind < 3:
            out += "{{" + r.choice(["", "-"]) + " " + e() + " " + r.choice(["", "-"]) + "}}"
        elif kind == 3:
            out += tag(r, f"set {r.choice(['v', 'u', 's', 'v, u', 'q.a', 'ns.a'])} = {e()}") + "{{ v }}{{ u }}"
        elif kind == 4:
            out += tag(r, f"set v{r.choice(['', ' | trim', ' | upper'])}") + statements(r, depth - 1) + tag(r, "endset") + "{{ v }}"
        elif kind == 5:
            out += tag(r, f"if {e()}") + statements(r, depth - 1)
            if r.random() < 0.5:
                out += tag(r, f"elif {e()}") + statements(r, depth - 1)
            if r.random() < 0.5:
                out += tag(r, "else") + statements(r, depth - 1)
            out += tag(r, "endif")
        elif kind < 9:
            what = r.choice(["l", "w", "messages", "d", "d.items()", "d|items", "range(3)", "s[:3]", "missing", "l|map('string')", "messages[1:]", e()])
            target = r.choice(["i", "i", "v", "i, v"]) if "items" not in what else "i, v"
            condition = r.choice(["", "", " if i", f" if {e()}", " if ns.a"])
            out += tag(r, f"for {target} in {what}{condition}")
            out += r.choice(["", "{{ loop.index }}", "{{ loop.last }}", "{{ loop.length }}{{ loop.revindex0 }}", "{{ loop.previtem }}",
                             "{{ loop.nextitem is defined }}", "{{ loop.cycle('a', 'b') }}", "{{ loop.changed(i) }}", "{{ i }}", "{{ loop.first }}{{ v }}",
                             "{% set ns.a = not ns.a %}", "{% if loop.index0 == 1 %}{% break %}{% endif %}", "{% if i %}{% continue %}{% endif %}"])
            out += statements(r, depth - 1)
            if r.random() < 0.3:
                out += tag(r, "else") + statements(r, depth - 1)
            out += tag(r, "endfor")
        elif kind == 9:
            out += tag(r, f"macro f(a, v={e()})") + "{{ a }}|{{ v }}" + r.choice(["", "{{ kwargs }}", "{{ varargs }}", "{{ caller is defined }}"])
            out += statements(r, depth - 1) + tag(r, "endmacro") + "{{ f(" + r.choice(["", "1", "1, 2", "v=1, a=2", "1, 2, 3", "1, y=2", "*l"]) + ") }}"
        elif kind == 10:
            out += tag(r, f"with v={e()}, i={e()}") + "{{ v }}" + statements(r, depth - 1) + tag(r, "endwith")
        else:
            out += tag(r, r.choice(["generation"])) + statements(r, depth - 1) + tag(r, "endgeneration")
    return out + text(r)


def main():
    driver, count, seed = sys.argv[1], int((sys.argv + ["", "2000"])[2] or 2000), int((sys.argv[3:] + ["1"])[0])
    r = random.Random(seed)
    cases = [(case["template"], case["context"]) for case in golden.cases()]
    for path in sys.argv[4:]:
        config = json.load(open(path))
        template = config.get("chat_template")
        if not isinstance(template, str):
            continue
        for context in golden.conversations():
            names = {k: v if isinstance(v, str) else v["content"] for k, v in config.items()
                     if k.endswith("_token") and isinstance(v, (str, dict))}
            cases.append((template, {**names, **context}))
    for i in range(count):
        if i % 2:
            cases.append(("{{ " + expression(r, r.randrange(1, 4)) + " }}", CONTEXT))
        else:
            cases.append(("{% set ns = namespace(a=1) %}" + statements(r, r.randrange(1, 4)), CONTEXT))
    lines = "".join(json.dumps({"template": t, "context": c}) + "\n" for t, c in cases)
    answers = subprocess.run([driver], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    assert len(answers) == len(cases), f"{len(answers)} answers to {len(cases)} templates"
    texts = errors = refused = bad = 0
    for (template, context), answer in zip(cases, answers):
        got = json.loads(answer)
        want = golden.render(template, context)
        if "refused" in got and "text" in want:
            refused += 1
        elif "text" in want and " at 0x" in want["text"] or "\\N" in template:
            continue
        if "text" in want and got.get("text") == want["text"]:
            texts += 1
        elif "text" not in want and "text" not in got:
            errors += 1
        else:
            bad += 1
            if bad <= 25:
                print("TEMPLATE", repr(template), "\n  python", repr(want)[:600], "\n  silica", repr(got)[:600])
    print(f"{len(cases)} templates: {texts} equal texts, {errors} errors in both, {bad} differ ({refused} of them refused when read)")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
