#include "suite/report/escape.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace silica::bench::suite::report {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

unsigned byte(std::string_view text, std::size_t at) { return static_cast<unsigned char>(text[at]); }

/// The bytes of the character at `at`, and its code point; 0 where there is no valid one.
std::size_t length_at(std::string_view text, std::size_t at, std::uint32_t& code) {
    const unsigned first = byte(text, at);
    if (first < 0x80) {
        code = first;
        return 1;
    }
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || at + length > text.size()) return 0;
    code = first & (0xFFU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        const unsigned next = byte(text, at + i);
        if ((next & 0xC0U) != 0x80U) return 0;
        code = code << 6U | (next & 0x3FU);
    }
    const bool overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return overlong || surrogate || code > 0x10FFFF ? 0 : length;
}

/// Whether a character changes how the text around it is shown, or is none at all.
bool misleads(std::uint32_t code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x200E || code == 0x200F ||
           (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF ||
           (code >= 0xFDD0 && code <= 0xFDEF) || (code & 0xFFFEU) == 0xFFFE;
}

bool is_simple(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7F; });
}

}  // namespace

std::string plain(std::string_view text) {
    if (is_simple(text)) return std::string(text);
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        std::uint32_t code = 0;
        const auto length = length_at(text, at, code);
        if (length == 1 && (code == '\n' || code == '\r' || code == '\t'))
            out += ' ';
        else if (length == 0 || misleads(code))
            out += replacement;
        else
            out += text.substr(at, length);
        at += std::max<std::size_t>(length, 1);
    }
    return out;
}

void append_html(std::string& out, std::string_view text) {
    if (!is_simple(text)) {
        const std::string valid = plain(text);
        for (const char c : valid) {
            switch (c) {
                case '&':
                    out += "&amp;";
                    break;
                case '<':
                    out += "&lt;";
                    break;
                case '>':
                    out += "&gt;";
                    break;
                case '"':
                    out += "&quot;";
                    break;
                case '\'':
                    out += "&#39;";
                    break;
                default:
                    out += c;
            }
        }
        return;
    }
    std::size_t done = 0;
    for (std::size_t at = text.find_first_of("&<>\"'"); at != std::string_view::npos;
         at = text.find_first_of("&<>\"'", at + 1)) {
        out += text.substr(done, at - done);
        const char c = text[at];
        out += c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : "&#39;";
        done = at + 1;
    }
    out += text.substr(done);
}

std::string html_text(std::string_view text) {
    std::string out;
    append_html(out, text);
    return out;
}

std::string markdown_text(std::string_view text) {
    std::string out;
    for (const char c : plain(text)) {
        if (std::string_view("\\`*_{}[]<>|#~&!").find(c) != std::string_view::npos) out += '\\';
        out += c;
    }
    // An address alone becomes a link in many readers of Markdown.
    for (std::size_t at = out.find("://"); at != std::string::npos; at = out.find("://", at + 4)) out.insert(at, "\\");
    return out;
}

std::string shortened(std::string_view text, std::size_t most) {
    std::size_t characters = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if ((byte(text, at) & 0xC0U) == 0x80U) continue;
        if (++characters > most) return std::string(text.substr(0, at)) + "…";
    }
    return std::string(text);
}

}  // namespace silica::bench::suite::report
