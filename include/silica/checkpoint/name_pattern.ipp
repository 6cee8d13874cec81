#pragma once
/// Definitions of name_pattern.hpp.

#include "silica/checkpoint/name_pattern.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"

#include <algorithm>

namespace silica::checkpoint {

SILICA_INLINE NamePattern::NamePattern(std::string_view from, std::string_view to)
    : rule_(std::string(from) + " -> " + std::string(to)) {
    at_start_ = from.starts_with('^');
    if (at_start_) from.remove_prefix(1);
    at_end_ = from.ends_with('$');
    if (at_end_) from.remove_suffix(1);
    if (to.starts_with('^')) to.remove_prefix(1);
    if (to.ends_with('$')) to.remove_suffix(1);
    if (from.empty()) malformed("an empty pattern");
    from_ = parse(from);
    to_ = parse(to);
    check();
}

SILICA_INLINE bool NamePattern::matches(std::string_view name) const {
    Match ignored;
    return find(name, ignored);
}

SILICA_INLINE bool NamePattern::apply(std::string& name) const {
    Match match;
    if (!find(name, match)) return false;
    std::string out = name.substr(0, match.begin);
    std::size_t star = 0;
    for (const Piece& piece : to_) {
        if (piece.kind == Kind::text) out += piece.text;
        if (piece.kind == Kind::star) out += match.stars[star++];
        if (piece.kind == Kind::number) out += std::to_string(value(match, piece.text) + piece.shift);
    }
    std::string rest = name.substr(match.end);
    if (to_.empty()) {  // a replacement by nothing takes one dot with it
        if (!rest.empty())
            rest.erase(0, 1);
        else if (!out.empty())
            out.pop_back();
    }
    name = out + rest;
    return true;
}

SILICA_INLINE std::int64_t NamePattern::value(const Match& match, std::string_view name) {
    const auto at =
        std::find_if(match.numbers.begin(), match.numbers.end(), [&](const auto& n) { return n.first == name; });
    return at == match.numbers.end() ? 0 : at->second;
}

SILICA_INLINE void NamePattern::malformed(std::string_view why) const {
    throw InputError("The weight-name rule '" + rule_ + "' has " + std::string(why) + ".",
                     "See checkpoint/name_pattern.hpp for the language.");
}

SILICA_INLINE std::vector<NamePattern::Piece> NamePattern::parse(std::string_view text) const {
    std::vector<Piece> pieces;
    std::string plain;
    const auto flush = [&] {
        if (!plain.empty()) pieces.push_back({Kind::text, std::exchange(plain, {})});
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '}' || text[i] == '^' || text[i] == '$') malformed("a stray '" + std::string(1, text[i]) + "'");
        if (text[i] == '*') {
            flush();
            pieces.push_back({Kind::star, {}});
        } else if (text[i] == '{') {
            flush();
            const auto close = text.find('}', i);
            if (close == std::string_view::npos || close == i + 1) malformed("an unfinished '{'");
            std::string_view name = text.substr(i + 1, close - i - 1);
            std::int64_t shift = 0;
            if (const auto sign = name.find_first_of("+-"); sign != std::string_view::npos) {
                if (sign + 2 != name.size() || name.back() < '0' || name.back() > '9')
                    malformed("a bad number in braces");
                shift = name.back() - '0';
                if (name[sign] == '-') shift = -shift;
                name = name.substr(0, sign);
            }
            pieces.push_back({Kind::number, std::string(name), shift});
            i = close;
        } else {
            plain += text[i];
        }
    }
    flush();
    return pieces;
}

SILICA_INLINE void NamePattern::check() const {
    const auto stars = [](const std::vector<Piece>& pieces) {
        return std::count_if(pieces.begin(), pieces.end(), [](const Piece& p) { return p.kind == Kind::star; });
    };
    if (stars(to_) > stars(from_)) malformed("more * on the right than on the left");
    for (std::size_t i = 0; i < from_.size(); ++i) {
        if (from_[i].shift != 0) malformed("a sum on the left");
        if (i > 0 && from_[i].kind != Kind::text && from_[i - 1].kind != Kind::text)
            malformed("two wildcards in a row");
    }
    for (const Piece& piece : to_) {
        if (piece.kind != Kind::number) continue;
        const bool known = std::any_of(from_.begin(), from_.end(),
                                       [&](const Piece& p) { return p.kind == Kind::number && p.text == piece.text; });
        if (!known) malformed("{" + piece.text + "} on the right only");
    }
}

SILICA_INLINE bool NamePattern::find(std::string_view name, Match& match) const {
    std::size_t begin = 0;
    while (true) {
        if (match_at(name, begin, match)) return true;
        if (at_start_) return false;
        const auto dot = name.find('.', begin);
        if (dot == std::string_view::npos) return false;
        begin = dot + 1;
    }
}

SILICA_INLINE bool NamePattern::match_at(std::string_view name, std::size_t begin, Match& match) const {
    match = Match{begin, begin, {}, {}};
    std::size_t at = begin;
    for (const Piece& piece : from_) {
        const std::size_t start = at;
        if (piece.kind == Kind::text) {
            if (!name.substr(at).starts_with(piece.text)) return false;
            at += piece.text.size();
        } else if (piece.kind == Kind::star) {
            while (at < name.size() && name[at] != '.') ++at;
            if (at == start) return false;
            match.stars.emplace_back(name.substr(start, at - start));
        } else {
            std::int64_t number = 0;
            while (at < name.size() && at - start < 9 && name[at] >= '0' && name[at] <= '9')
                number = number * 10 + (name[at++] - '0');
            if (at == start) return false;
            match.numbers.emplace_back(piece.text, number);
        }
    }
    match.end = at;
    return at == name.size() || (name[at] == '.' && !at_end_);
}

}  // namespace silica::checkpoint
