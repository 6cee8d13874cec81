#pragma once
/// Chats with pictures, as data.

#include "silica/core/compiled.hpp"
#include "silica/core/json.hpp"
#include "silica/input/image/image.hpp"

#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace silica::image_text {

/// A piece of a message: a text or a picture.
using Item = std::variant<std::string, image::Image>;

/// One turn of a chat: `{"user", {image::read("cat.jpg"), "What is this?"}}`.
struct Message {
    std::string role;  ///< "system", "user", "assistant", ... as the template knows them
    std::vector<Item> content;
};

/// A message of a user: pictures, then a text.
[[nodiscard]] Message user_message(std::span<const image::Image> images, std::string text);

/// Messages as templates take them: a list of {"role", "content"}, the content a list of {"type": "image"} and {"type":
/// "text", "text"}.
[[nodiscard]] Json messages(std::span<const Message> turns);

/// The pictures of a chat, in order.
[[nodiscard]] std::vector<image::Image> images_of(std::span<const Message> turns);

}  // namespace silica::image_text

#ifndef SILICA_COMPILED
#include "silica/input/image_text/message.ipp"
#endif
