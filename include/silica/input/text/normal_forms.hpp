#pragma once
/// The normal forms NFC, NFD, NFKC, NFKD (UAX 15), as of the Unicode version that tokenizers use.

#include <silica/input/text/unicode.hpp>

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace silica::text::unicode {

/// Calls `put` with each character of the decomposition of `c` (canonical, or compatibility too).
template <class Put>
void decompose(char32_t c, bool compatible, Put&& put) {
    if (!Classes::get().is(c, compatible ? is_compatible : is_decomposable)) {
        put(c);
        return;
    }
    utf8proc_int32_t buffer[32];
    int boundary = 0;
    const int options = UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
    const auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), buffer, 32,
                                           static_cast<utf8proc_option_t>(options), &boundary);
    for (int i = 0; i < n && i < 32; ++i) put(static_cast<char32_t>(buffer[i]));
}

/// Canonical ordering: sorts each run of combining characters by class, stably.
inline void order(std::u32string& text) {
    for (std::size_t i = 0; i < text.size();) {
        if (combining_class(text[i]) == 0) {
            ++i;
            continue;
        }
        // Class, then place: sorting these keeps the order of equals.
        std::vector<std::pair<std::uint64_t, char32_t>> run;
        std::size_t end = i;
        for (; end < text.size(); ++end) {
            const auto order = static_cast<std::uint64_t>(combining_class(text[end]));
            if (order == 0) break;
            run.emplace_back(order << 56 | end, text[end]);
        }
        std::sort(run.begin(), run.end());
        for (std::size_t k = 0; k < run.size(); ++k) text[i + k] = run[k].second;
        i = end;
    }
}

namespace detail {

/// Canonical composition of decomposed, ordered text.
inline void compose(std::u32string& text) {
    std::u32string out;
    std::vector<utf8proc_int32_t> run;
    const auto flush = [&] {
        if (run.empty()) return;
        const auto n = utf8proc_normalize_utf32(run.data(), static_cast<utf8proc_ssize_t>(run.size()),
                                                static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
        for (utf8proc_ssize_t i = 0; i < n; ++i) out.push_back(static_cast<char32_t>(run[static_cast<std::size_t>(i)]));
        run.clear();
    };
    for (char32_t c : text) {
        if (too_young(c, Classes::get().of(c))) {
            flush();
            out.push_back(c);
        } else {
            run.push_back(static_cast<utf8proc_int32_t>(c));
        }
    }
    flush();
    text.swap(out);
}

}  // namespace detail

/// Which normal form: compatibility decomposition or canonical; composed again or not.
struct Form {
    bool compatible, composed;
};
inline constexpr Form nfd{false, false}, nfc{false, true}, nfkd{true, false}, nfkc{true, true};

/// Rewrites valid UTF-8 into the normal form. Stretches that are in it already are copied.
inline void normalize(std::string& text, Form form) {
    const auto& classes = Classes::get();
    const unsigned unstable = (form.composed ? unsigned{is_unstable} : unsigned{is_decomposable} | is_combining) |
                              (form.compatible ? unsigned{is_compatible} : 0U);
    std::string out;
    std::u32string work;
    std::size_t copied = 0, last = 0;  // what is in `out`; the start of the last stable character before `i`
    for (std::size_t i = 0; i < text.size();) {
        if (static_cast<signed char>(text[i]) >= 0) {
            last = i++;
            continue;
        }
        const auto [c, length] = utf8::decode(text.data() + i);
        if (!classes.is(c, unstable)) {
            last = i, i += length;
            continue;
        }
        const std::size_t start = std::max(last, copied);
        out.append(text, copied, start - copied);
        work.clear();
        std::size_t j = start;
        for (; j < text.size();) {
            const auto next = utf8::decode(text.data() + j);
            if (j > i && !classes.is(next.value, unstable)) break;
            decompose(next.value, form.compatible, [&](char32_t part) { work.push_back(part); });
            j += next.length;
        }
        order(work);
        if (form.composed) detail::compose(work);
        for (char32_t part : work) utf8::append(out, part);
        copied = i = last = j;
    }
    if (copied == 0) return;
    out.append(text, copied, text.size() - copied);
    text.swap(out);
}

}  // namespace silica::text::unicode
