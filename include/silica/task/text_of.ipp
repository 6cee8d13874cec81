#pragma once
/// Definitions of text_of.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/task/text_of.hpp"

#include <cstdint>
#include <span>
#include <utility>

namespace silica::task {

SILICA_INLINE generate::TextOf text_of(std::shared_ptr<const text::Tokenizer> tokenizer) {
    if (!tokenizer) throw InputError("There is no tokenizer: the pointer is null.", "give one that was opened.");
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
