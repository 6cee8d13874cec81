#pragma once
/// Definitions of message.hpp.

#include "silica/input/image_text/message.hpp"

namespace silica::image_text {

SILICA_INLINE Message user_message(std::span<const image::Image> images, std::string text) {
    Message made{.role = "user", .content = {images.begin(), images.end()}};
    made.content.emplace_back(std::move(text));
    return made;
}

SILICA_INLINE Json messages(std::span<const Message> turns) {
    Json::Array list;
    for (const auto& turn : turns) {
        Json::Array content;
        for (const auto& item : turn.content) {
            const auto* text = std::get_if<std::string>(&item);
            Json::Object made{{"type", Json(std::string(text ? "text" : "image"))}};
            if (text) made.emplace_back("text", Json(*text));
            content.emplace_back(std::move(made));
        }
        list.emplace_back(Json::Object{{"role", Json(turn.role)}, {"content", Json(std::move(content))}});
    }
    return Json(std::move(list));
}

SILICA_INLINE std::vector<image::Image> images_of(std::span<const Message> turns) {
    std::vector<image::Image> made;
    for (const auto& turn : turns) {
        for (const auto& item : turn.content) {
            if (const auto* image = std::get_if<image::Image>(&item)) made.push_back(*image);
        }
    }
    return made;
}

}  // namespace silica::image_text
