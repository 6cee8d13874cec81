#pragma once
/// The filters and tests there are, by name: others are refused when the template is read.

#include <algorithm>
#include <iterator>
#include <string_view>

namespace silica::text::jinja {

/// Whether there is a filter of this name.
[[nodiscard]] inline bool known_filter(std::string_view name) {
    constexpr std::string_view names[] = {
        "abs",       "attr",       "batch",    "capitalize", "center",     "count",    "d",         "default",
        "dictsort",  "e",          "escape",   "filesizeformat", "first",  "float",    "forceescape", "format",
        "groupby",   "indent",     "int",      "items",      "join",       "last",     "length",    "list",
        "lower",     "map",        "max",      "min",        "pprint",     "random",   "reject",    "rejectattr",
        "replace",   "reverse",    "round",    "safe",       "select",     "selectattr", "slice",   "sort",
        "string",    "striptags",  "sum",      "title",      "tojson",     "trim",     "truncate",  "unique",
        "upper",     "urlencode",  "urlize",   "wordcount",  "wordwrap",   "xmlattr"};
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

/// Whether there is a test of this name. `select` and its like also know the operators.
[[nodiscard]] inline bool known_test(std::string_view name) {
    constexpr std::string_view names[] = {
        "!=",    "<",        "<=",       "==",      ">",           ">=",       "boolean",  "callable",  "defined",
        "divisibleby", "eq", "equalto",  "escaped", "even",        "false",    "filter",   "float",     "ge",
        "greaterthan", "gt", "in",       "integer", "iterable",    "le",       "lessthan", "lower",     "lt",
        "mapping", "ne",     "none",     "number",  "odd",         "sameas",   "sequence", "string",    "test",
        "true",  "undefined", "upper"};
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace silica::text::jinja
