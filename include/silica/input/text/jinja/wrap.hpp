#pragma once
/// The filter wordwrap: Python's textwrap, paragraph by paragraph.

#include <silica/input/text/jinja/arguments.hpp>
#include <silica/input/text/jinja/text_parts.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja::detail {

/// TextWrapper of Python 3.11 with expand_tabs and replace_whitespace off.
class TextWrapper {
public:
    using Text = std::u32string;
    using View = std::u32string_view;

    TextWrapper(Session& session, std::size_t width, bool break_long_words, bool break_on_hyphens)
        : session_(session), width_(width), long_words_(break_long_words), hyphens_(break_on_hyphens) {}

    [[nodiscard]] std::vector<Text> wrap(const Text& text) const {
        auto chunks = split(text);
        std::reverse(chunks.begin(), chunks.end());
        std::vector<Text> lines;
        while (!chunks.empty()) {
            session_.spend(1);
            std::vector<Text> line;
            std::size_t size = 0;
            if (!lines.empty() && blank(chunks.back())) chunks.pop_back();
            while (!chunks.empty() && size + chunks.back().size() <= width_) {
                size += chunks.back().size();
                line.push_back(std::move(chunks.back()));
                chunks.pop_back();
            }
            if (!chunks.empty() && chunks.back().size() > width_) long_word(chunks, line, size);
            if (!line.empty() && blank(line.back())) line.pop_back();
            if (line.empty()) continue;
            auto& made = lines.emplace_back();
            for (const auto& part : line) made += part;
        }
        return lines;
    }

private:
    [[nodiscard]] static bool white(char32_t c) { return c == U' ' || (c >= U'\t' && c <= U'\r'); }
    [[nodiscard]] static bool blank(View text) { return std::all_of(text.begin(), text.end(), is_space); }
    [[nodiscard]] static bool word(char32_t c) {
        return c == U'_' || letter(c) || unicode::Classes::get().is(c, unicode::is_numeric);
    }
    /// \w without digits, as textwrap's [^\d\W].
    [[nodiscard]] static bool letter_like(char32_t c) { return word(c) && category(c) != UTF8PROC_CATEGORY_ND; }
    [[nodiscard]] static bool punctuated(char32_t c) { return word(c) || View(U"!\"'&.,?").find(c) != View::npos; }

    void long_word(std::vector<Text>& chunks, std::vector<Text>& line, std::size_t size) const {
        if (!long_words_) {
            if (!line.empty()) return;
            line.push_back(std::move(chunks.back()));
            chunks.pop_back();
            return;
        }
        auto& chunk = chunks.back();
        std::size_t end = width_ - size;
        if (hyphens_ && chunk.size() > end) {
            const auto hyphen = end == 0 ? View::npos : View(chunk).substr(0, end).rfind(U'-');
            const bool found = hyphen != View::npos && hyphen > 0;
            if (found && View(chunk).substr(0, hyphen).find_first_not_of(U'-') != View::npos) end = hyphen + 1;
        }
        session_.spend(chunk.size() / 16);
        line.push_back(chunk.substr(0, end));
        chunk.erase(0, end);
    }
    /// The chunks that no line breaks inside.
    [[nodiscard]] std::vector<Text> split(const Text& text) const {
        std::vector<Text> out;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t end = chunk_end(text, at);
            session_.take((end - at) * sizeof(char32_t) + 32);
            out.push_back(text.substr(at, end - at));
            at = end;
        }
        return out;
    }
    [[nodiscard]] std::size_t chunk_end(View text, std::size_t start) const {
        std::size_t end = start;
        while (end < text.size() && white(text[end])) ++end;
        if (end > start) return end;
        if (!hyphens_) {
            while (end < text.size() && !white(text[end])) ++end;
            return end;
        }
        const auto dashes = [&](std::size_t at) {
            std::size_t n = 0;
            while (at + n < text.size() && text[at + n] == U'-') ++n;
            session_.spend(n);
            return n;
        };
        const auto is = [&](std::size_t at, bool (*test)(char32_t)) { return at < text.size() && test(text[at]); };
        // An em-dash between words.
        if (const auto n = dashes(start); n >= 2 && start > 0 && punctuated(text[start - 1]) && is(start + n, word)) {
            return start + n;
        }
        for (end = start + 1; end < text.size() && !white(text[end]); ++end) {
            // The word up to `end` goes on with text[end]: may it be broken there?
            if (text[end] == U'-') {
                const bool two = end >= 2 && letter_like(text[end - 1]) && letter_like(text[end - 2]);
                const bool apart =
                    end >= 3 && letter_like(text[end - 1]) && text[end - 2] == U'-' && letter_like(text[end - 3]);
                const bool after = is(end + 1, letter_like) &&
                                   (is(end + 2, letter_like) ||
                                    (is(end + 2, [](char32_t c) { return c == U'-'; }) && is(end + 3, letter_like)));
                if ((two || apart) && after) return end + 1;
                if (const auto n = dashes(end); n >= 2 && punctuated(text[end - 1]) && is(end + n, word)) return end;
            }
        }
        return end;
    }

    Session& session_;
    std::size_t width_;
    bool long_words_, hyphens_;
};

/// The filter wordwrap.
[[nodiscard]] inline Value word_wrap(Session& session, const Value& v, const Args& args) {
    const Bound b("wordwrap", args, {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
    if (!v.is_text()) wrong_type("wraps", v);
    const std::int64_t width = b.whole(0, 79);
    const Value glue = b.absent(2) ? Value("\n") : *b[2];
    if (!glue.is_text()) wrong_type("joins lines by", glue);
    const bool hyphens = !b[3] || (b[3]->is_bool() && b[3]->boolean());
    const TextWrapper wrapper(session, static_cast<std::size_t>(std::clamp<std::int64_t>(width, 1, 1 << 30)),
                              b.flag(1, true), hyphens);
    Values paragraphs;
    for (const auto& line : split_lines(v.text())) {
        if (width < 1) b.refuse("wraps to a width of 1 or more");
        Values lines;
        for (const auto& part : wrapper.wrap(characters(line))) lines.push_back(session.text(utf8_of(part)));
        paragraphs.push_back(join(session, glue, lines));
    }
    return join(session, glue, paragraphs);
}

}  // namespace silica::text::jinja::detail
