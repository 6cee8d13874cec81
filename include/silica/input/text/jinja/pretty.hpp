#pragma once
/// The filter pprint: Python's pprint.pformat.

#include <silica/input/text/jinja/iteration.hpp>
#include <silica/input/text/jinja/merge_sort.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::jinja::detail {

/// PrettyPrinter of Python 3.11 with its defaults: 80 columns, an indent of 1, sorted keys.
class PrettyPrinter {
public:
    explicit PrettyPrinter(Session& session) : session_(session) {}

    [[nodiscard]] std::string run(const Value& v) {
        put(v, 0, 0);
        return std::move(out_);
    }

private:
    static constexpr std::size_t columns = 80;

    [[nodiscard]] std::string flat(const Value& v) const {
        std::string out;
        if (v.is_dict()) {
            put_joined(session_, out, sorted(v.dict()).items, "{", "}",
                       [&](const auto& item) { out += flat(item.first) + ": " + flat(item.second); });
        } else if (v.is_sequence() && !v.list().is_group) {
            put_joined(session_, out, v.list().items, v.is_tuple() ? "(" : "[", end_of(v.list()),
                       [&](const Value& item) { out += flat(item); });
        } else {
            put_repr(session_, out, v);
        }
        session_.take(out.size());
        return out;
    }
    [[nodiscard]] static const char* end_of(const List& list) {
        return !list.is_tuple ? "]" : list.items.size() == 1 ? ",)" : ")";
    }
    /// The items by their keys; those that have no order by the names of their types.
    [[nodiscard]] Dict sorted(const Dict& dict) const {
        Dict made = dict;
        session_.take(made.items.size() * 2 * sizeof(Value));
        stable_sort(made.items, [&](const auto& a, const auto& b) {
            try {
                return less(session_, a.first, b.first);
            } catch (const Problem&) {
                return std::string_view(type_name(a.first)) < std::string_view(type_name(b.first));
            }
        });
        return made;
    }
    void put(const Value& v, std::size_t indent, std::size_t allowance) {
        const Level level(session_);
        session_.spend(1);
        std::string line = flat(v);
        const std::size_t most = columns > indent + allowance ? columns - indent - allowance : 0;
        if (utf8::count(line) <= most) {
            add(line);
        } else if (v.is_dict()) {
            put_lines(v.dict(), indent, allowance);
        } else if (v.is_sequence() && !v.list().is_group) {
            put_items(v.list(), indent, allowance);
        } else if (v.is_text() && !v.is_markup() && !v.text().empty()) {
            put_text(v.text(), indent, allowance);
        } else {
            add(line);
        }
    }
    void add(std::string_view text) {
        session_.take(text.size());
        out_ += text;
    }
    void next_line(std::size_t indent) { add(",\n" + std::string(indent, ' ')); }
    void put_lines(const Dict& dict, std::size_t indent, std::size_t allowance) {
        add("{");
        const Dict items = sorted(dict);
        for (std::size_t i = 0; i < items.items.size(); ++i) {
            const auto& [key, value] = items.items[i];
            if (i > 0) next_line(indent + 1);
            const std::string name = flat(key);
            add(name + ": ");
            put(value, indent + 1 + utf8::count(name) + 2, i + 1 == items.items.size() ? allowance + 1 : 1);
        }
        add("}");
    }
    void put_items(const List& list, std::size_t indent, std::size_t allowance) {
        const std::string close = end_of(list);
        add(list.is_tuple ? "(" : "[");
        for (std::size_t i = 0; i < list.items.size(); ++i) {
            if (i > 0) next_line(indent + 1);
            put(list.items[i], indent + 1, i + 1 == list.items.size() ? allowance + close.size() : 1);
        }
        add(close);
    }
    /// A long string: its lines, and their words, as literals below each other.
    void put_text(const std::string& text, std::size_t indent, std::size_t allowance) {
        const auto size = [](const std::string& s) { return utf8::count(python_quoted(s)); };
        const auto lines = split_lines(text, true);
        const bool outermost = out_.empty();
        if (outermost) ++indent, ++allowance;
        const std::size_t width = columns > indent ? columns - indent : 0;
        std::vector<std::string> pieces;
        for (std::size_t i = 0; i < lines.size(); ++i) {
            const std::size_t last = i + 1 == lines.size() ? allowance : 0;
            if (size(lines[i]) + last <= width) {
                pieces.push_back(python_quoted(lines[i]));
                continue;
            }
            const auto words = words_of(lines[i]);
            std::string current;
            std::size_t most = width;
            for (std::size_t k = 0; k < words.size(); ++k) {
                session_.spend(1 + current.size() / 16);
                if (k + 1 == words.size() && i + 1 == lines.size()) most = width > allowance ? width - allowance : 0;
                if (size(current + words[k]) > most) {
                    if (!current.empty()) pieces.push_back(python_quoted(current));
                    current = words[k];
                } else {
                    current += words[k];
                }
            }
            if (!current.empty()) pieces.push_back(python_quoted(current));
        }
        if (pieces.size() == 1) return add(pieces[0]);
        if (outermost) add("(");
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            if (i > 0) add("\n" + std::string(indent, ' '));
            add(pieces[i]);
        }
        if (outermost) add(")");
    }
    /// Words, each with the white space that follows: the matches of \S*\s*.
    [[nodiscard]] static std::vector<std::string> words_of(const std::string& line) {
        std::vector<std::string> out;
        std::string word;
        bool space = false;
        for (const char32_t c : characters(line)) {
            if (space && !is_space(c)) out.push_back(std::exchange(word, {}));
            space = is_space(c);
            utf8::append(word, c);
        }
        if (!word.empty()) out.push_back(std::move(word));
        return out;
    }

    Session& session_;
    std::string out_;
};

}  // namespace silica::text::jinja::detail
