#!/usr/bin/env python3
"""Compares Silica's Jinja with Python's on small templates, most of them random.

    compare_jinja.py DRIVER [COUNT] [SEED] [TOKENIZER_CONFIG...]

DRIVER reads JSON lines {"template", "context"} and answers {"text"}, {"error"} (InputError) or {"refused"}
(ConfigError): a loop around `render` of jinja.cpp in this directory. What differs by design and is not counted: a slice
of a constant that has none (undefined in Python, which computes constants early), integers over 65,536 bits and ranges
over 64, complex numbers, sets (`d.keys() - x`), bytes (`''.encode()`), texts with an address in memory. A COUNT of "grid" tries every filter, method and test on every kind of value. Files named tokenizer_config.json are rendered with the
conversations of make_jinja_golden.py. Needs jinja2 and transformers.
"""
import json
import random
import re
import subprocess
import sys
import warnings

import make_jinja_golden as golden

# What Silica's errors say where it is meant to differ: see above.
BY_DESIGN = ["slices", "65536 bits", "has no text of its own", "complex number", "- dict view", "dict view -", "more than 64 bits", "'encode'"]

CONTEXT = {
    "s": "Hello, Wörld! ß", "t": "  a b\tc \n", "e": "", "n": 7, "z": 0, "m": -3, "f": 2.5, "g": 1e20, "b": True, "c": False,
    "o": None, "l": [3, 1, 2], "w": ["b", "A", "c", "a"], "x": [], "d": {"k": "v", "i": 1, "items": 3, "ü": [1, {"a": None}]},
    "messages": [{"role": "user", "content": "Hi 😀"}, {"role": "assistant", "content": None, "n": 2},
                 {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "x<y>&\"'"}], "n": 1}],
    "big": 123456789012345678901234567890, "nan": float("nan"), "inf": float("-inf"), "h": "<p class='x'>a &amp; b&nbsp;&lt;<!-- <c> -->d</p>\n e &#x41;&#128;&notit;",
    "html": "<script>", "tree": [{"v": 1, "c": [{"v": 2, "c": []}]}, {"v": 3, "c": []}], "rows": [[1, "b"], [0, "a"], [1, "a"]], "nested": [{"a": {"b": 2}, "c": [1]}, {"a": {"b": None}}], "u": "日本 😀 Ǆ ﬁ İ",
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
# Arguments of filters, methods and tests, each tried on every value of GRID_VALUES.
GRID_VALUES = ["s", "t", "e", "n", "z", "m", "f", "g", "b", "c", "o", "l", "w", "x", "d", "messages", "missing", "big", "nan", "inf", "h", "html",
               "rows", "nested", "u", "(1, 'a')", "()", "range(5)", "range(0)", "d.items()", "d.keys()", "d.values()", "namespace(a=1)", "l|map('string')",
               "w|select", "'<b>&\"'|e", "'x<y'|safe", "-0.0", "1e-7", "123456789.125", "2.5", "'٣٤'", "' 0x1f '", "'1_000.5e3'", "'%s %s'", "'{} {x}'", "'a\tb\nc'",
               "'Straße ΑΣ ǆ ŉ'", "'http://a.com (www.b.org) x@y.co.'", "{'b': 1, 'a': [1, {'z': none}]}", "cycler(1, 2)", "joiner('-')", "10**30", "-(2**64)",
               "'the quick brown-fox jumped over the-lazy dog -- and ran'", "{1: 2, 'a': 3, none: 4}", "[[1, 2], [3]]", "[{'a': {'b': 2}}, {'a': {'b': 1}}]", "true", "0.1"]
GRID = """|abs |attr('k') |attr('upper') |batch(2)|list |batch(3, 'x')|list |batch(0)|list |batch(2.0)|list |batch(-1, 'x')|list |capitalize |center |center(11) |center(0) |count |default('D') |default('D', true)
|default(default_value='q', boolean=true) |dictsort |dictsort(true) |dictsort(by='value') |dictsort(reverse=true) |dictsort(false, 'value', true) |dictsort(by='x') |e |escape |forceescape |safe|e |filesizeformat |filesizeformat(true) |first |float
|float(1) |float(default='x') |format(1) |format('a', 'b') |format(x=1) |groupby('role') |groupby('n', default=0)|list |groupby('role', case_sensitive=true)|map(attribute='grouper')|list |groupby(0) |groupby('a.b')|map('last')|list |indent |indent(2, true) |indent('>', blank=true) |indent(first=true)
|int |int(7) |int(base=16) |int(5, 0) |int(base=2) |int('x') |items|list |join |join('-') |join('<', attribute='role') |join(d=1) |last |length |list |lower |map('upper')|list |map('length')|list |map(attribute='role')|list |map(attribute='n', default=0)|list |map('default', 1)|list |map('nope')|list |map|list
|map('round', 1, 'floor')|list |map(attribute=0)|list |max |max(attribute='n') |min |min(true) |min(attribute='role') |pprint |reject|list |reject('none')|list |reject('==', 1)|list |rejectattr('n')|list |rejectattr('n', 'defined')|list |replace('a', 'b') |replace('l', '<', 1) |replace('', '-') |replace(1, 2) |replace('a', 'b', none)
|reverse|list |reverse |round |round(1) |round(2, 'ceil') |round(-1) |round(-2, 'floor') |round(0, 'ceil') |round(method='x') |round(none) |round(400) |round(-400) |safe |select|list |select('odd')|list |select('string')|list |select('>', 1)|list |select('in', [1, 'a'])|list |selectattr('role', 'equalto', 'user')|list |selectattr('n', 'gt', 1)|list |selectattr(0)|list |selectattr|list
|slice(2)|list |slice(3, 'x')|list |slice(0)|list |slice(-1)|list |sort |sort(true) |sort(case_sensitive=true) |sort(attribute='role') |sort(attribute='n,role')|length |sort(attribute=0) |sort(attribute='a.b') |string |striptags |sum |sum('n') |sum(start=1.5) |sum(start=[]) |sum(attribute=0) |title |tojson |tojson(indent=2) |tojson(true) |tojson(sort_keys=true) |tojson(indent='x', separators=(',', ':')) |tojson(indent=0)
|trim |trim('a ') |trim(chars=none) |truncate |truncate(9) |truncate(9, true) |truncate(9, end='<>') |truncate(5, leeway=0) |truncate(2) |truncate(12, false, '', 0) |unique|list |unique(true)|list |unique(attribute='role')|list |upper |urlencode |urlize |urlize(8) |urlize(nofollow=true, target='_blank', rel='x y') |urlize(extra_schemes=['tel:']) |urlize(-2) |wordcount |wordwrap |wordwrap(10) |wordwrap(10, false) |wordwrap(5, wrapstring='<') |wordwrap(8, true, '\n', false) |wordwrap(0) |wordwrap(1)
|xmlattr |xmlattr(false) |d  |upper(1) |length(1) |e(1) |string|e |title|e |e|upper |e|center(20) |e|replace('<', '>') |e|truncate(4, true, '<') |e|indent |e|string|e |e|list |e|first |e|reverse |e|join('<') |e|title |e|pprint
.strip() .strip('a ') .lstrip('He') .rstrip(none) .split() .split(' ') .split('l', 1) .split(none, 1) .split(sep='a', maxsplit=1) .split('') .rsplit() .rsplit('l', 1) .rsplit(none, 1) .startswith('H') .startswith(('x', ' ')) .startswith('e', 1) .startswith('', 99) .startswith(1) .endswith('ß') .endswith(('d', 'n'), 0, -1) .upper() .lower() .title() .capitalize() .swapcase() .casefold()
.replace('l', 'LL') .replace('l', 'x', 1) .replace('', '.') .replace('a', '<') .replace('l', 'x', count=1) .find('l') .find('') .find('l', -5) .find('z', 1, 3) .rfind('l') .rfind('l', 0, 4) .index('l') .rindex('zz') .count('l') .count('') .count('a', 1) .join(['a', 'b']) .join(w) .join(l) .join('xyz') .isdigit() .isdecimal() .isnumeric() .isalpha() .isspace() .isupper() .islower() .istitle() .isalnum() .isascii() .isidentifier() .isprintable()
.get('k') .get('zz') .get('zz', 5) .get(1) .get([]) .items()|list .keys()|list .values()|list .items() .keys() .copy() .fromkeys('ab') .fromkeys(['a'], 0) .append(1) .pop() .update({}) .clear() .setdefault('a', 1) .index(1) .index(2, 1) .index(1, -1) .count(1) .count('a') .splitlines() .splitlines(true) .splitlines(keepends=true) .partition(',') .partition('l') .partition('') .rpartition('l') .removeprefix('He') .removesuffix('ß')
.zfill(12) .zfill(-1) .ljust(9, '.') .rjust(12) .center(12, '*') .center(13, '<') .ljust(3, 'ab') .expandtabs() .expandtabs(3) .expandtabs(tabsize=0) .format(1) .format('a', x='b') .format_map({'x': 1}) .translate({97: 'b', 108: none, 32: 95}) .maketrans({'a': 'b'}) .maketrans('ab', 'cd', 'e') .nope() .nope .__class__ .__class__.mro() ['upper']() ['k'] [0] [-1] ['0'] [1:] [:-1] [::-1] [::2] [5:1:-2] [10**20:] [0, 1]
.real .imag .numerator .denominator .bit_length() .bit_count() .conjugate() .as_integer_ratio() .is_integer() .hex() .start .stop .step .next() .current .reset() .pos .sep .used .a .striptags() .unescape() .length .name .0 .1.0
 is defined  is undefined  is none  is string  is mapping  is iterable  is sequence  is number  is integer  is float  is boolean  is true  is false  is odd  is even  is divisibleby(2)  is divisibleby 3  is divisibleby(0)  is equalto(1)  is eq 'a'  is ne 1  is gt(1)  is lt 5  is ge 2  is le(2)  is greaterthan 1  is lessthan 1  is in [1, 'a']  is in(s)  is sameas(none)  is sameas true  is lower  is upper  is callable  is escaped  is filter  is test  is not none  is not in 'abc'
 + 1  + 'x'  + [1]  + (1,)  + 1.5  + true  - 1  - 2.5  * 2  * 2.5  * 'ab'  * -1  / 3  / 0  // 2  // 0.3  // -7  % 3  % -3  % 0.7  % 'a'  ** 2  ** -1  ** 0.5  ** 100  ~ 1  ~ none  ~ '<'  == 1  == 'a'  == none  != s  < 2  <= 'a'  > 1.5  >= [1]  in [1, 's']  in d  in s  not in l  and 1  or 'x'  < 3 < 10  == 1 == 1  in 5
""".split("\n")
GRID = [op for line in GRID for op in (re.split(r" (?= )", line) if line.startswith(" ") else re.split(r" (?=[|.\[])", line)) if op.strip()]
PREFIXES = ["not ", "-", "+", "- -", "'%s' % ", "'%d' % ", "'%5.2f' % ", "'%x' % ", "'%r' % ", "'%c' % ", "'%08.3e' % ", "'%+g' % ", "'% d' % ", "'%#o' % ", "'%-9s|' % ", "'%.2s' % ", "'%a' % ",
            "'%(k)s' % ", "'%*d' % ", "'%%' % ", "'%5%' % ", "'%i %s' % ", "'%.3d' % ", "'%#X' % ", "'%G' % ", "'%#.0f' % ", "'%F' % ", "'%y' % ", "'%' % ", "'<%s>'|e % "]
SPECS = ["", "5", "<8", ">8", "^9", "*^9", "=8", "08", "+", " ", "d", "b", "o", "x", "X", "#x", "#b", "#010x", ",", "_", "_x", "n", "c", "s", "e", "E", "f", "F", "g", "G", "%", ".2f", ".0f", "#.0f", "10.3f", "010.3f", "+.2e", ".3", ".0",
         ",.2f", "012,d", "012,.1f", "08,", "z.1f", ".1%", "é>6", "<08", "x<+8.1f", ".2s", "q", "5.", ",x", "_n", "#g", "#.3g", ".3g", "10g", "20,.5f", "#", "+d", "{0}", "=+8"]


def grid(r):
    """Every filter, method and test on every kind of value, and what goes before a value."""
    for value in GRID_VALUES:
        for op in GRID:
            yield "{{ (" + value + ")" + op + " }}"
        for prefix in PREFIXES:
            yield "{{ " + prefix + "(" + value + ") }}"
        for spec in SPECS:
            yield "{{ '{:" + spec + "}'.format(" + value + ") }}"
        for field in ["{!r}", "{!s:>9}", "{!a}", "{0[k]}", "{0[0]}", "{0.k}", "{0.upper}", "{x}", "{} {}", "{0} {}", "{{}}", "{", "}", "{!q}", "{0!r:.3}", "{:{1}}", "{:{}}", "{0[k]!r}", "{.real}", "{a b}"]:
            yield "{{ '" + field + "'.format(" + value + ", 7) }}"
        for other in r.sample(GRID_VALUES, 12):
            for op in ["+", "-", "*", "/", "//", "%", "~", "==", "<", ">=", "in", "is sameas"]:
                yield "{{ (" + value + ") " + op + " (" + other + ") }}"
        for statement in ["{% for a in @ %}{{ a }},{{ loop.length }}{{ loop }};{% else %}none{% endfor %}", "{% for a, b in @ %}{{ a }}{{ b }}{% endfor %}", "{% autoescape true %}{{ @ }}{{ @ ~ '<' }}{% endautoescape %}",
                          "{% set x = @ %}{{ x }}", "{% if @ %}1{% else %}0{% endif %}", "{% print @, 1 %}", "{% with x = @ %}{{ x }}{% endwith %}", "{% filter indent %}{{ @ }}{% endfilter %}", "{% call @ %}{% endcall %}", 
                          "{% macro f(a=@) %}{{ a }}{% endmacro %}{{ f() }}{{ f(@) }}", "{% set a, b = @ %}{{ a }}", "{% for a in @ recursive %}{{ a }}{{ loop([1]) if loop.depth < 3 else '.' }}{% endfor %}", "{{ {@: 1} }}", "{{ [*@] }}", "{{ dict(@) }}", "{{ range(@) }}",
                          "{{ [@, (@,)] }}", "{{ [@]|tojson }}", "{{ {'a': @}|xmlattr }}", "{{ [@]|join('<') }}", "{{ [@]|pprint }}", "{{ namespace(@) }}", "{{ raise_exception(@) }}", "{{ [@, 1, @]|unique|list }}", "{{ [@, 'a']|sort }}", "{{ [@, 1]|max }}", "{{ (@)() }}"]:
            yield statement.replace("@", value)


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
            what = r.choice(["generation", "autoescape false", "block b%d" % r.randrange(10**9), "filter upper", "call g(1)", "for n in tree recursive"])
            out += tag(r, what) + (r.choice(["{{ n.v }}{{ loop(n.c) }}", "{{ loop(n.c) if n.c else loop.depth }}"]) if "tree" in what else "")
            out += statements(r, depth - 1) + tag(r, "end" + what.split()[0])
    return out + text(r)


def main():
    driver, seed = sys.argv[1], int((sys.argv[3:] + ["1"])[0])
    count = int((sys.argv[2:] + ["2000"])[0].replace("grid", "0"))
    warnings.simplefilter("ignore")
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
    if count == 0:
        cases = [(template, CONTEXT) for template in grid(r)]
    for i in range(count):
        if i % 2:
            cases.append(("{{ " + expression(r, r.randrange(1, 4)) + " }}", CONTEXT))
        else:
            cases.append(("{% set ns = namespace(a=1) %}{% macro g(x) %}<{{ caller() }}>{% endmacro %}" + statements(r, r.randrange(1, 4)), CONTEXT))
    lines = "".join(json.dumps({"template": t, "context": c}) + "\n" for t, c in cases)
    answers = subprocess.run([driver], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    assert len(answers) == len(cases), f"{len(answers)} answers to {len(cases)} templates"
    texts = errors = refused = bad = 0
    for (template, context), answer in zip(cases, answers):
        got = json.loads(answer)
        want = golden.render(template, context)
        if "refused" in got and "text" in want:
            refused += 1
        elif "text" in want and (" at 0x" in want["text"] or "<class" in want["text"]) or "\\N" in template:
            continue
        elif "text" in want and any(design in got.get("error", "") for design in BY_DESIGN):
            continue
        if "text" in want and got.get("text") == want["text"]:
            texts += 1
        elif "text" not in want and "text" not in got:
            errors += 1
        else:
            bad += 1
            if bad <= 400:
                print("TEMPLATE", repr(template), "\n  python", repr(want)[:600], "\n  silica", repr(got)[:600])
    print(f"{len(cases)} templates: {texts} equal texts, {errors} errors in both, {bad} differ ({refused} of them refused when read)")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
