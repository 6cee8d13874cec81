#include "image_chat.hpp"

#include <cstddef>
#include <utility>

#include "arguments.hpp"
#include "image_prompt.hpp"
#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"

namespace silica::bench {
namespace {

[[noreturn]] void refuse(const std::string& problem) {
    throw InputError("--chat " + problem + ".",
                     "write [{\"role\": \"user\", \"content\": [{\"type\": \"image\"}, {\"type\": \"text\", \"text\": "
                     "\"...\"}]}], an image for each picture.");
}

const std::string& string_of(const Json& object, const char* key, const std::string& what) {
    const Json* value = object.find(key);
    if (value == nullptr || !value->is_string()) refuse("has " + what + " without a \"" + key + "\" that is a text");
    return value->string();
}

/// Reads chats; pictures without a file of their own are taken in turn.
class Reader {
public:
    Reader(const image_text::Processor& processor, std::span<const image::Image> images)
        : processor_(processor), images_(images) {}

    std::vector<image_text::Message> chat(const Json& json) {
        std::vector<image_text::Message> made;
        for (const auto& message : json.array()) {
            if (!message.is_object()) refuse("has " + message.brief() + " among its messages");
            auto& turn = made.emplace_back();
            turn.role = string_of(message, "role", "a message");
            const Json* content = message.find("content");
            if (content != nullptr && content->is_string())
                turn.content.emplace_back(content->string());
            else if (content != nullptr && content->is_array())
                for (const auto& one : content->array()) turn.content.push_back(item(one));
            else
                refuse("has a message whose \"content\" is neither a text nor a list");
        }
        if (made.empty()) refuse("has no messages");
        return made;
    }

    void end() const {
        if (wanted_ != images_.size()) {
            throw InputError(
                "--chat has " + count_of(wanted_, "image") + " without a file, and there " +
                    (images_.size() == 1 ? "is 1 picture." : "are " + std::to_string(images_.size()) + " pictures."),
                "name a picture for each, or its file in the message: {\"type\": \"image\", \"path\": "
                "\"cat.jpg\"}.");
        }
    }

private:
    image_text::Item item(const Json& json) {
        if (!json.is_object()) refuse("has " + json.brief() + " in the content of a message");
        const std::string type = string_of(json, "type", "an item");
        if (type == "text") return string_of(json, "text", "a text");
        if (type != "image") refuse("has an item of type " + quote(type) + ", which is neither image nor text");
        for (const auto* key : {"path", "image", "url"}) {
            const Json* file = json.find(key);
            if (file == nullptr || file->is_null()) continue;
            if (!file->is_string()) refuse("has an image whose \"" + std::string(key) + "\" is no name of a file");
            const auto& name = file->string();
            if (name.find("://") != std::string::npos || name.starts_with("data:")) {
                throw InputError("--chat has the image " + quote(name) + ", which is no file.",
                                 "download it, and name the file.");
            }
            return read_for(processor_, name);
        }
        if (wanted_++ < images_.size()) return images_[wanted_ - 1];
        return std::string();  // end() says so
    }

    const image_text::Processor& processor_;
    std::span<const image::Image> images_;
    std::size_t wanted_ = 0;
};

}  // namespace

std::vector<std::vector<image_text::Message>> image_chats(const Json& json, const image_text::Processor& processor,
                                                          std::span<const image::Image> images) {
    if (!json.is_array()) refuse("is " + json.brief() + ", which is no list of messages");
    Reader reader(processor, images);
    std::vector<std::vector<image_text::Message>> chats;
    if (!json.array().empty() && json.array().front().is_array()) {
        for (const auto& one : json.array()) {
            if (!one.is_array()) refuse("has " + one.brief() + " among its chats");
            chats.push_back(reader.chat(one));
        }
    } else {
        chats.push_back(reader.chat(json));
    }
    reader.end();
    return chats;
}

}  // namespace silica::bench
