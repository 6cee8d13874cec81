#pragma once
/// From Oniguruma's Ruby syntax, in which tokenizer files write patterns, to PCRE2's.
///
/// The classes \s \w \h, \p{..} and [:..:] mean what they mean in Oniguruma (Unicode 16), whatever Unicode PCRE2 was
/// built with. Sets in sets and intersections, which PCRE2 does not know, become alternatives and look-aheads.

#include <silica/input/text/regex_classes.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text::regex_syntax {

/// A pattern for PCRE2, or why there is none.
struct Translated {
    std::string pattern, problem;
};

namespace detail {

/// Reads one pattern.
class Translator {
public:
    explicit Translator(std::string_view in) : in_(in) {}

    [[nodiscard]] Translated run() {
        while (at_ < in_.size() && problem_.empty()) {
            const char c = in_[at_];
            if (c == '\\') {
                Set set;
                if (escape(set)) {
                    out_ += set.items.empty() ? set.others.front() : "[" + set.items + "]";
                } else {
                    out_ += set.items;
                }
            } else if (c == '[') {
                out_ += bracket(0);
                in_brackets_ = false;
            } else {
                repetition();
                out_ += c;
                ++at_;
            }
        }
        if (!problem_.empty()) return {{}, problem_};
        return {std::move(out_), {}};
    }

private:
    /// Characters in the syntax inside brackets, and other ways to match one character.
    struct Set {
        std::string items;
        std::vector<std::string> others;
    };

    void fail(std::string problem) {
        if (problem_.empty()) problem_ = std::move(problem);
        at_ = in_.size();
    }
    [[nodiscard]] bool next_is(std::string_view text) const { return in_.substr(at_, text.size()) == text; }

    static void add(Set& set, const std::string& members, bool negated) {
        if (negated) {
            set.others.push_back("[^" + members + "]");
        } else {
            set.items += members;
        }
    }
    /// Reads what a backslash opens. True where it is a class of characters, not one.
    bool escape(Set& set) {
        if (++at_ >= in_.size()) {
            fail("it ends with a backslash");
            return false;
        }
        const char e = in_[at_++];
        if (e == 's' || e == 'S') {
            add(set, white_space, e == 'S');
        } else if (e == 'w' || e == 'W') {
            add(set, word() + (in_brackets_ ? "" : latin_numbers), e == 'W');
        } else if (e == 'h' || e == 'H') {
            add(set, "0-9a-fA-F", e == 'H');
        } else if (e == 'd' || e == 'D') {
            add(set, decimals(), e == 'D');
        } else if ((e == 'p' || e == 'P') && next_is("{")) {
            const auto close = in_.find('}', at_);
            if (close == std::string_view::npos) {
                fail("\\p{ has no }");
                return false;
            }
            std::string_view name = in_.substr(at_ + 1, close - at_ - 1);
            const bool caret = name.starts_with('^');
            if (caret) name.remove_prefix(1);
            at_ = close + 1;
            add(set, "\\p{" + std::string(name) + "}" + additions(name), caret != (e == 'P'));
        } else {
            set.items += '\\';
            set.items += e;
            return false;
        }
        return true;
    }
    /// Reads [:name:] or [:^name:], if that comes next.
    bool posix_class(Set& set) {
        if (!next_is("[:")) return false;
        const auto close = in_.find(":]", at_ + 2);
        if (close == std::string_view::npos) return false;
        std::string_view name = in_.substr(at_ + 2, close - at_ - 2);
        const bool caret = name.starts_with('^');
        if (caret) name.remove_prefix(1);
        const auto members = posix(name);
        if (members.empty()) {
            fail("the class [:" + std::string(name.substr(0, 40)) + ":] is not supported");
            return true;
        }
        add(set, members, caret);
        at_ = close + 2;
        return true;
    }
    /// Reads from a [ to its ]: a pattern that matches one character.
    [[nodiscard]] std::string bracket(int depth) {
        in_brackets_ = true;
        if (depth > 50) {
            fail("sets nest too deep");
            return {};
        }
        ++at_;
        const bool negated = next_is("^");
        at_ += negated;
        std::vector<Set> sides(1);  // of &&
        bool after_class = false;
        for (bool first = true;; first = false) {
            if (at_ >= in_.size()) {
                fail("a [ has no ]");
                return {};
            }
            Set& set = sides.back();
            const char c = in_[at_];
            if (c == ']' && !first) break;
            if (next_is("&&")) {
                at_ += 2;
                sides.emplace_back();
                after_class = false;
            } else if (c == '\\') {
                after_class = escape(set);
            } else if (c == '[') {
                if (!posix_class(set)) set.others.push_back(bracket(depth + 1));
                after_class = true;
            } else {
                // After a class a hyphen is one, not a range; a caret after && is one, too.
                if (c == ']' || c == '^' || (c == '-' && after_class)) set.items += '\\';
                set.items += c;
                after_class = false;
                ++at_;
            }
        }
        ++at_;
        if (sides.size() == 1 && sides[0].others.empty()) return (negated ? "[^" : "[") + sides[0].items + "]";
        std::string all;
        for (std::size_t i = 0; i < sides.size(); ++i) {
            const bool last = i + 1 == sides.size();
            all += (last ? "" : "(?=") + any_of(sides[i]) + (last ? "" : ")");
        }
        return negated ? "(?:(?!" + all + ")(?s:.))" : "(?:" + all + ")";
    }
    [[nodiscard]] static std::string any_of(const Set& set) {
        std::string out = set.items.empty() ? "" : "[" + set.items + "]";
        for (const auto& other : set.others) out += (out.empty() ? "" : "|") + other;
        return out.empty() ? "(?!)" : "(?:" + out + ")";
    }
    /// In Ruby {n,m}+ repeats again; in PCRE2 it would be possessive.
    void repetition() {
        if (in_[at_] != '+' || at_ == 0 || in_[at_ - 1] != '}' || !out_.ends_with('}')) return;
        const auto open = in_.rfind('{', at_);
        if (open == std::string_view::npos) return;
        const auto inside = in_.substr(open + 1, at_ - open - 2);
        if (!inside.empty() && inside.find_first_not_of("0123456789,") == std::string_view::npos) {
            fail("a repetition of {n,m} is not supported");
        }
    }

    std::string_view in_;
    std::size_t at_ = 0;
    bool in_brackets_ = false;
    std::string out_, problem_;
};

}  // namespace detail

/// Rewrites a pattern.
[[nodiscard]] inline Translated translate(std::string_view in) { return detail::Translator(in).run(); }

}  // namespace silica::text::regex_syntax
