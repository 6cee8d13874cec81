#pragma once
/// Patterns of Split and Replace: {"String": "..."} or {"Regex": "..."}.

#include <silica/input/text/json_place.hpp>
#include <silica/input/text/normalizer/text.hpp>
#include <silica/input/text/regex.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text {

/// A literal text or a regular expression.
class Pattern {
public:
    explicit Pattern(std::string literal) : literal_(std::move(literal)) {}
    explicit Pattern(Regex regex) : regex_(std::move(regex)) {}

    [[nodiscard]] static Pattern read(const JsonPlace& place) {
        if (place.is_string()) return Pattern(place.string());
        if (const auto literal = place.find("String")) return Pattern(literal->string());
        if (const auto regex = place.find("Regex"))
            return Pattern(Regex(regex->string(), regex->file() + ": " + regex->key()));
        place.fail("is neither {\"String\": ...} nor {\"Regex\": ...}");
    }

    /// Calls `found(start, end)` for every match in the text, from left to right.
    template <class Found>
    void each_match(std::string_view text, Found&& found) const {
        if (regex_) {
            regex_->each_match(text, found);
            return;
        }
        if (literal_.empty()) {
            // The empty pattern matches between all characters.
            for (std::size_t i = 0; i < text.size(); i += utf8::length(text[i])) found(i, i);
            if (!text.empty()) found(text.size(), text.size());
            return;
        }
        for (std::size_t at = text.find(literal_); at != std::string_view::npos;) {
            found(at, at + literal_.size());
            at = text.find(literal_, at + literal_.size());
        }
    }

    /// Every match becomes `content`. InputError where that makes more than `limit` bytes.
    void replace(std::string& text, std::string_view content, std::size_t limit) const {
        std::string out;
        std::size_t done = 0;
        bool any = false;
        each_match(text, [&](std::size_t start, std::size_t end) {
            out.append(text, done, start - done).append(content);
            if (out.size() > limit) grew_too_long(limit);
            done = end;
            any = true;
        });
        if (!any) return;
        out.append(text, done);
        text.swap(out);
    }

private:
    std::string literal_;
    std::optional<Regex> regex_;
};

}  // namespace silica::text
