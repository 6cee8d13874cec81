#!/usr/bin/env python3
"""Holds headers, and the bodies (.ipp) beside them, to include the standard headers of the names that they use. One that
comes by chance, through another library or another standard header, is not there with the next compiler.

    std_includes.py <directory>...   checks those below each, which include each other by their paths from there
    std_includes.py --self-test      shows that it catches what is left out
"""
import re
import sys
from pathlib import Path

# What nearly every file uses: reached through our headers is enough.
COMMON = {
    "cstdint": r"u?int(?:8|16|32|64|ptr|max)_t", "cstddef": r"byte|ptrdiff_t|nullptr_t|max_align_t|to_integer",
    "optional": r"optional|nullopt|make_optional", "string": r"string|to_string|stoi|stoll|stoull|stod|stof",
    "string_view": r"string_view", "vector": r"vector",
    "utility": r"move|forward|exchange|swap|pair|make_pair|declval|as_const|in_range|cmp_\w+|(?:make_)?index_sequence(?:_for)?"
               r"|integer_sequence|in_place|piecewise_construct",
}
# The others stand in the file itself, or in the header of a body.
OTHERS = {
    "algorithm": r"(?:sort|min|max|clamp|minmax|fill|copy|find|count|equal|search|remove|transform|unique|rotate|reverse|merge"
                 r"|generate|replace|partition|mismatch|includes)(?:_if|_if_not|_n|_backward)?(?=[(<])|(?:any|all|none)_of"
                 r"|(?:min|max|minmax|nth|is_sorted)_(?:element|until)|(?:lower|upper)_bound|binary_search|stable_\w+|partial_sort"
                 r"|equal_range|for_each|is_sorted|lexicographical_\w+|set_(?:difference|union|intersection)|adjacent_find|swap_ranges"
                 r"|ranges::(?!views|range|(?:\w+_)?(?:range|view)\b|begin|end|size|data|empty|subrange)\w+(?=[(<])",
    "array": r"array|to_array", "atomic": r"atomic\w*|memory_order\w*",
    "bit": r"bit_cast|popcount|count[lr]_(?:zero|one)|bit_(?:ceil|floor|width)|endian|has_single_bit|rot[lr](?=\()",
    "charconv": r"(?:from|to)_chars|chars_format|(?:from|to)_chars_result", "chrono": r"chrono",
    "cmath": r"(?:sqrt|cbrt|exp2?|expm1|log(?:2|10|1p)?|pow|f?abs|floor|ceil|l?l?round|l?l?rint|nearbyint|trunc|fmod|remainder"
             r"|sinh?|cosh?|tanh?|a(?:sin|cos|tan)h?|atan2|erfc?|fma|hypot|ldexp|frexp|modf|copysign)(?=\()"
             r"|isfinite|isnan|isinf|isnormal|signbit",
    "complex": r"complex", "concepts": r"same_as|convertible_to|integral|floating_point|derived_from|constructible_from|invocable"
                                       r"|default_initializable|(?:copy|move)_constructible|movable|copyable|semiregular|regular"
                                       r"|(?:un)?signed_integral|predicate|equality_comparable|totally_ordered|assignable_from",
    "condition_variable": r"condition_variable\w*", "cstdio": r"v?(?:f|sn)?printf|fputs|fputc|fopen|fclose|FILE|fread|fwrite|fflush",
    "cstdlib": r"getenv|abort|exit|malloc|calloc|realloc|free|strto\w+|aligned_alloc",
    "cstring": r"mem(?:cpy|set|cmp|move|chr)|str(?:len|cmp|ncmp|error|chr)",
    "deque": r"deque", "exception": r"exception|exception_ptr|(?:current|rethrow|make)_exception\w*|terminate|uncaught_exceptions",
    "filesystem": r"filesystem", "fstream": r"[io]?fstream",
    "functional": r"function|reference_wrapper|c?ref(?=\()|hash|less|greater|plus|multiplies|invoke|equal_to",
    "future": r"future|promise|async|packaged_task", "initializer_list": r"initializer_list",
    "iterator": r"back_inserter|inserter|make_move_iterator|(?:i|o)streambuf_iterator|iterator_traits|\w+_iterator_tag|reverse_iterator",
    "limits": r"numeric_limits", "list": r"list", "map": r"(?:multi)?map",
    "memory": r"(?:unique|shared|weak)_ptr|make_(?:unique|shared)\w*|addressof",
    "mutex": r"(?:recursive_)?mutex|lock_guard|unique_lock|scoped_lock|once_flag|call_once|adopt_lock|defer_lock|try_to_lock",
    "new": r"bad_alloc|bad_array_new_length|nothrow|align_val_t|launder", "numbers": r"numbers",
    "numeric": r"accumulate|iota|partial_sum|inner_product|reduce|gcd|lcm|midpoint|transform_reduce|(?:in|ex)clusive_scan",
    "queue": r"queue|priority_queue", "random": r"mt19937\w*|uniform_\w+_distribution|normal_distribution|random_device",
    "regex": r"regex\w*|[cs]match",
    "set": r"(?:multi)?set", "shared_mutex": r"shared_mutex|shared_lock", "span": r"span|as_(?:writable_)?bytes|dynamic_extent",
    "sstream": r"[io]?stringstream",
    "stdexcept": r"runtime_error|logic_error|invalid_argument|out_of_range|length_error|overflow_error|range_error",
    "system_error": r"errc|error_code|system_error|(?:generic|system)_category|error_category", "thread": r"thread|jthread|this_thread",
    "tuple": r"tuple|tie|make_tuple|apply|tuple_(?:size|element|cat)\w*|forward_as_tuple|ignore",
    "typeindex": r"type_index", "typeinfo": r"type_info",
    "type_traits": r"is_\w+_v|is_constant_evaluated|(?:remove|add|make)_\w+_t|conditional(?:_t)?|enable_if_t|decay_t|underlying_type_t|invoke_result_t"
                   r"|(?:true|false)_type|void_t|type_identity(?:_t)?|common_type_t|integral_constant|bool_constant|is_same",
    "unordered_map": r"unordered_(?:multi)?map", "unordered_set": r"unordered_(?:multi)?set",
    "variant": r"variant|variant_\w+|visit|get_if|holds_alternative|monostate", "any": r"any(?=\b(?!_))",
}
# What a header has by the standard's own words.
BRINGS = {"initializer_list": {"utility", "string", "vector", "map", "set", "array", "algorithm", "unordered_map", "unordered_set",
                               "deque"},
          "filesystem": {"fstream"}, "exception": {"new", "stdexcept"}}
NAMES = {header: re.compile(rf"\bstd::(?:{names})\b") for header, names in {**COMMON, **OTHERS}.items()}
NAME = re.compile(r"\bstd::[\w:]+[(<]?")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.M)
NO_CODE = re.compile(r'R"(\w*)\(.*?\)\1"|"(?:[^"\\\n]|\\.)*"|/\*.*?\*/|//[^\n]*', re.S)


def left_out(files):
    """(path, standard header, name) of what `files`, {path: text}, use and do not include."""
    includes = {path: set(INCLUDE.findall(text)) for path, text in files.items()}

    def reached(path, seen):
        for other in includes[path]:
            # A body does not count: programs that link silica::compiled do not see it.
            if other in includes and other not in seen and not other.endswith(".ipp"):
                seen.add(other)
                reached(other, seen)
        return seen

    def there(header, found):
        return header in found or bool(BRINGS.get(header, set()) & found)

    for path in sorted(files):
        # Each name once: few to look through, of a file that uses many.
        code = "\n".join(sorted(set(NAME.findall(NO_CODE.sub("", files[path])))))
        own = includes[path] | (includes.get(re.sub(r"\.ipp$", ".hpp", path), set()) if path.endswith(".ipp") else set())
        all_of_it = set().union(*(includes[other] for other in reached(path, {path})))
        for header, names in NAMES.items():
            used = names.search(code)
            if used and not there(header, all_of_it if header in COMMON else own):
                yield path, header, used[0]


def self_test():
    head = "#pragma once\n"
    cases = [  # (files, what is left out)
        ({"a.hpp": head + "#include <limits>\nauto a = std::numeric_limits<int>::max();"}, []),
        ({"a.hpp": head + "auto a = std::numeric_limits<int>::max();"}, [("a.hpp", "limits")]),
        ({"b.hpp": "#include <limits>\n", "a.hpp": '#include "b.hpp"\nauto a = std::numeric_limits<int>::max();'}, [("a.hpp", "limits")]),
        ({"b.hpp": "#include <cstdint>\n", "a.hpp": '#include "b.hpp"\nstd::int64_t a;'}, []),
        ({"b.hpp": "#include <vector>\n", "a.hpp": '#include "b.hpp"\nstd::int64_t a;'}, [("a.hpp", "cstdint")]),
        ({"a.hpp": "#include <cstdint>\n", "a.ipp": '#include "a.hpp"\nstd::int64_t a;'}, []),
        ({"a.hpp": '#include "a.ipp"\nstd::int64_t a;', "a.ipp": '#include <cstdint>\n'}, [("a.hpp", "cstdint")]),
        ({"a.hpp": "#include <limits>\n", "a.ipp": '#include "a.hpp"\nauto a = std::numeric_limits<int>::max();'}, []),
        ({"a.hpp": '// std::sort(x)\nauto a = "std::sort(x)"; /* std::sort(x) */ auto b = R"(std::sort(x))";'}, []),
        ({"a.hpp": "auto a = std::max(1, 2), b = std::ranges::sort(c);"}, [("a.hpp", "algorithm")]),
        ({"a.hpp": "auto a = std::ranges::begin(c); std::max_align_t d;"}, [("a.hpp", "cstddef")]),
        ({"a.hpp": "std::string_view a;"}, [("a.hpp", "string_view")]),
    ]
    failed = 0
    for files, want in cases:
        got = [(path, header) for path, header, _ in left_out(files)]
        if got != want:
            failed += 1
            print(f"self-test: {files}, expected {want}, got {got}")
    print(f"self-test: {len(cases) - failed} of {len(cases)} as they should be")
    return 1 if failed else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    headers = problems = 0
    for base in map(Path, sys.argv[1:]):
        files = {path.relative_to(base).as_posix(): path.read_text() for path in base.rglob("*.[hi]pp")}
        headers += len(files)
        for path, header, name in left_out(files):
            problems += 1
            print(f"{base / path} uses {name} without a header for it. Remedy: #include <{header}>.")
    print(f"{headers} headers, {problems} includes left out")
    return 1 if problems or not headers else 0


if __name__ == "__main__":
    sys.exit(main())
