#include "errors.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>

#include <c10/util/Exception.h>

#include "silica/core/error.hpp"
#include "silica/core/utf8.hpp"

namespace silica::bench {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// The beginning and the end of a text of more than `most` bytes, at borders of characters.
std::string cut_inside(const std::string& text, std::size_t most) {
    if (text.size() <= most) return text;
    const auto border = [&](std::size_t at) {
        while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U) ++at;
        return at;
    };
    return text.substr(0, border(most / 2)) + "..." + text.substr(border(text.size() - most / 2));
}

}  // namespace

std::string sentence_of(const std::function<void()>& work) {
    try {
        work();
        return {};
    } catch (const Error& e) {
        return e.what();
    } catch (const c10::Error& e) {
        return "LibTorch failed: " + first_line(e.what_without_backtrace());
    } catch (const std::bad_alloc&) {
        return "There is not enough memory. Remedy: use --loader streamed, a smaller precision, model or batch.";
    } catch (const std::filesystem::filesystem_error& e) {
        return std::string("The file system failed: ") + e.what();
    } catch (const std::exception& e) {
        return "Something unexpected failed: " + first_line(e.what());
    }
}

std::string printable(std::string_view text) {
    std::string line;
    const auto put = [&](std::string_view good) {
        for (std::size_t i = 0; i < good.size(); ++i) {
            const auto byte = static_cast<unsigned char>(good[i]);
            if (byte == 0xc2 && static_cast<unsigned char>(good[i + 1]) < 0xa0) {  // U+0080 to U+009F
                line += '?';
                ++i;
            } else if (byte == '\n' || byte == '\r') {
                line += ' ';
            } else {
                line += byte < 0x20 || byte == 0x7f ? '?' : good[i];
            }
        }
    };
    while (!text.empty()) {
        const auto bad = first_bad_utf8(text);
        put(text.substr(0, bad));
        if (bad == text.size()) break;
        line += '?';
        text.remove_prefix(bad + 1);
    }
    return line;
}

void complain(const std::string& sentence) {
    constexpr std::size_t longest_word = 400, longest_sentence = 4000;  // a path may be as long
    std::string text;
    for (std::size_t at = 0; at < sentence.size();) {
        const auto end = std::min(sentence.find(' ', at), sentence.size() - 1) + 1;  // with the blank
        text += cut_inside(sentence.substr(at, end - at), longest_word);
        at = end;
    }
    std::fprintf(stderr, "silica: %s\n", printable(cut_inside(text, longest_sentence)).c_str());
}

}  // namespace silica::bench
