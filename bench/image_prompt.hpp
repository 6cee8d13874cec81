#pragma once
/// Pictures for a prompt.

#include <string>
#include <vector>

#include "silica/input/image_text/processor.hpp"

namespace silica::bench {

/// A picture that the processor takes. InputError, which names the file, where it cannot be read or is refused.
[[nodiscard]] image::Image read_for(const image_text::Processor& processor, const std::string& file);

/// All of them, in order.
[[nodiscard]] std::vector<image::Image> read_all_for(const image_text::Processor& processor,
                                                     const std::vector<std::string>& files);

}  // namespace silica::bench
