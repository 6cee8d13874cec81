#pragma once
/// BertNormalizer: cleaning, spaces around ideographs, accents, lower case (Devlin et al. 2018, `BasicTokenizer`).

#include <silica/input/text/json_place.hpp>
#include <silica/input/text/normal_forms.hpp>
#include <silica/input/text/normalizer/text.hpp>
#include <silica/input/text/unicode.hpp>

#include <array>
#include <optional>
#include <string>

namespace silica::text {

/// The four steps of BERT's text clean-up, in one pass.
class BertNormalizer {
public:
    bool clean_text = true, handle_chinese_chars = true, lowercase = true;
    std::optional<bool> strip_accents = {};  ///< as `lowercase` where not set

    [[nodiscard]] static BertNormalizer read(const JsonPlace& place) {
        BertNormalizer made;
        made.clean_text = place.at("clean_text").boolean();
        made.handle_chinese_chars = place.at("handle_chinese_chars").boolean();
        if (const auto strip = place.find("strip_accents")) made.strip_accents = strip->boolean();
        made.lowercase = place.at("lowercase").boolean();
        return made;
    }

    void operator()(Text& text) const {
        const auto& classes = unicode::Classes::get();
        const bool strip = strip_accents.value_or(lowercase);
        std::array<char, 128> ascii;
        for (int c = 0; c < 128; ++c) ascii[static_cast<std::size_t>(c)] = simple(static_cast<char>(c), classes);
        std::string out;
        out.reserve(text.value.size() + text.value.size() / 8);
        Marks marks;
        const char* p = text.value.data();
        const char* const end = p + text.value.size();
        while (p < end) {
            if (const char c = *p; static_cast<signed char>(c) >= 0) {
                const char kept = ascii[static_cast<std::size_t>(c)];
                if (kept != dropped || (c == dropped && !clean_text)) {
                    if (!marks.empty()) marks.flush(out, lowercase);
                    out.push_back(kept);
                } else if (out.empty()) {
                    text.at_origin = false;
                }
                ++p;
                continue;
            }
            const auto [c, length] = utf8::decode(p);
            p += length;
            const unsigned bits = classes.of(c);
            if (clean_text && (bits & unicode::is_control)) {
                if (out.empty()) text.at_origin = false;
                continue;
            }
            if (clean_text && (bits & unicode::is_space)) {
                marks.flush(out, lowercase);
                out.push_back(' ');
                continue;
            }
            const bool apart = handle_chinese_chars && (bits & unicode::is_ideograph);
            if (apart) {
                marks.flush(out, lowercase);
                out.push_back(' ');
            }
            if (!strip) {
                put(out, c, bits);
            } else if (bits & unicode::is_decomposable) {
                unicode::decompose(c, false,
                                   [&](char32_t part) { put_unaccented(out, marks, part, classes.of(part)); });
            } else {
                put_unaccented(out, marks, c, bits);
            }
            if (apart) {
                marks.flush(out, lowercase);
                out.push_back(' ');
            }
        }
        marks.flush(out, lowercase);
        text.value.swap(out);
    }

private:
    static constexpr char dropped = '\0';

    /// Marks that are kept although accents are stripped, waiting to be put in canonical order.
    class Marks {
    public:
        [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
        void add(char32_t c) { waiting_.push_back(c); }
        void flush(std::string& out, bool lower) {
            if (waiting_.empty()) return;
            unicode::order(waiting_);
            for (char32_t c : waiting_) lower ? unicode::append_lower(out, c) : utf8::append(out, c);
            waiting_.clear();
        }

    private:
        std::u32string waiting_;
    };

    [[nodiscard]] char simple(char c, const unicode::Classes& classes) const {
        if (clean_text) {
            const unsigned bits = classes.of(static_cast<unsigned char>(c));
            if (bits & unicode::is_control) return dropped;
            if (bits & unicode::is_space) return ' ';
        }
        return lowercase && c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    void put(std::string& out, char32_t c, unsigned bits) const {
        if (lowercase && (bits & unicode::is_cased)) {
            unicode::append_lower(out, c);
        } else {
            utf8::append(out, c);
        }
    }
    void put_unaccented(std::string& out, Marks& marks, char32_t c, unsigned bits) const {
        if ((bits & unicode::is_combining) && unicode::combining_class(c) != 0) {
            if (!(bits & unicode::is_nonspacing)) marks.add(c);
            return;
        }
        if (!marks.empty()) marks.flush(out, lowercase);
        if (!(bits & unicode::is_nonspacing)) put(out, c, bits);
    }
};

}  // namespace silica::text
