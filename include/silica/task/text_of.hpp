#pragma once
/// A tokenizer's decoding, for generation.

#include "silica/generate/text_stream.hpp"
#include "silica/input/text/tokenizer.hpp"

#include <memory>

namespace silica::task {

/// The text of tokens without special ones. The tokenizer is shared. InputError where it is null.
[[nodiscard]] generate::TextOf text_of(std::shared_ptr<const text::Tokenizer> tokenizer);

}  // namespace silica::task

#ifndef SILICA_COMPILED
#include "silica/task/text_of.ipp"
#endif
