#pragma once
/// The text that normalizers rewrite.

#include <silica/core/error.hpp>

#include <cstddef>
#include <string>

namespace silica::text {

/// A stretch of the input on its way to tokens.
struct Text {
    std::string value;
    /// Its first character stands for the first character of the input (Metaspace's "first" asks).
    bool at_origin = true;
    /// The longest that it may become.
    std::size_t limit = longest_text(value.size());

    /// A normalizer that makes more of a text is damage; real ones make less than twenty times as much.
    [[nodiscard]] static constexpr std::size_t longest_text(std::size_t size) { return 64 * size + (1 << 16); }
};

/// Throws InputError: the text grew beyond all measure.
[[noreturn]] inline void grew_too_long(std::size_t limit) {
    throw InputError("The tokenizer makes more than " + std::to_string(limit) + " bytes of the text.",
                     "Take the tokenizer's files from the model's repository again.");
}

}  // namespace silica::text
