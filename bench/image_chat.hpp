#pragma once
/// Chats with pictures from the command line.

#include <span>
#include <string>
#include <vector>

#include "silica/core/json.hpp"
#include "silica/input/image_text/processor.hpp"

namespace silica::bench {

/// The chats of --chat: a list of messages {"role", "content"}, or a list of such lists. A content is a text, or a list
/// of {"type": "text", "text"} and {"type": "image"}, which is the next of `images`, or names its own file as "path",
/// "image" or "url". InputError for anything else, and where pictures are left over or missing.
[[nodiscard]] std::vector<std::vector<image_text::Message>> image_chats(const Json& json,
                                                                        const image_text::Processor& processor,
                                                                        std::span<const image::Image> images);

}  // namespace silica::bench
