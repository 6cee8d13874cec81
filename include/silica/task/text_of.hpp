#pragma once
/// A tokenizer's decoding, for generation.

#include "silica/generate/text_stream.hpp"
#include "silica/input/text/tokenizer.hpp"

#include <memory>
#include <utility>

namespace silica::task {

/// The text of tokens without special ones. The tokenizer is shared.
[[nodiscard]] inline generate::TextOf text_of(std::shared_ptr<const text::Tokenizer> tokenizer) {
    generate::TextOf made;
    for (const char* byte : {"<0xFF>", "<0xff>"}) {
        if (const auto id = tokenizer->token_to_id(byte)) made.probes.push_back(*id);
    }
    made.decode = [tokenizer = std::move(tokenizer)](std::span<const std::int64_t> ids) {
        return tokenizer->decode(ids, true);
    };
    return made;
}

}  // namespace silica::task
