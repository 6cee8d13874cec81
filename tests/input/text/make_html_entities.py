#!/usr/bin/env python3
"""Writes include/silica/input/text/jinja/html_entities.hpp from Python's html.entities. Run by hand."""
import html.entities
import os

HEAD = '''#pragma once
/// The named characters of HTML 5, for the filter striptags. Made by tests/input/text/make_html_entities.py.

#include <cstddef>
#include <string_view>

namespace silica::text::jinja::detail {

/// Name, a space, the characters, a newline; in order of the names.
inline constexpr std::string_view html_entities =
'''
TAIL = '''
/// The characters of a name, which may end in ';'; empty where there is none such.
[[nodiscard]] inline std::string_view html_entity(std::string_view name) {
    std::size_t low = 0, high = html_entities.size();
    while (low < high) {
        std::size_t at = low + (high - low) / 2;
        while (at > low && html_entities[at - 1] != '\\n') --at;
        const std::size_t end = html_entities.find('\\n', at), space = html_entities.find(' ', at);
        const std::string_view key = html_entities.substr(at, space - at);
        if (key == name) return html_entities.substr(space + 1, end - space - 1);
        if (key < name) {
            low = end + 1;
        } else {
            high = at;
        }
    }
    return {};
}

}  // namespace silica::text::jinja::detail
'''


def literal(text):
    out = ""
    for byte in text.encode():
        if byte == 10:
            out += "\\n"
        elif byte in (34, 92):
            out += "\\" + chr(byte)
        elif 32 <= byte < 127:
            out += chr(byte)
        else:
            out += "\\%03o" % byte
    return out


def main():
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
    lines, line = [], ""
    for name, value in sorted(html.entities.html5.items()):
        if value == "\n":
            continue  # NewLine; is named by hand
        entry = literal(f"{name} {value}\n")
        if len(line) + len(entry) > 112:
            lines.append(line)
            line = ""
        line += entry
    lines.append(line)
    with open(os.path.join(root, "include/silica/input/text/jinja/html_entities.hpp"), "w") as f:
        f.write(HEAD)
        f.write("\n".join(f'    "{line}"' for line in lines) + ";\n")
        f.write(TAIL)


if __name__ == "__main__":
    main()
