#pragma once
/// Definitions of image_size.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/reflect.hpp"
#include "silica/nn/image_size.hpp"

namespace silica::nn {

SILICA_INLINE void ImageSize::read(const Json& json, const std::string& path) {
    if (!json.is_array()) {
        read_json(height, json, path);
        width = height;
        return;
    }
    if (json.array().size() != 2) silica::detail::fail_wanted(path, json, "a number or [height, width]");
    read_json(height, json.array()[0], path + "[0]");
    read_json(width, json.array()[1], path + "[1]");
}

}  // namespace silica::nn
