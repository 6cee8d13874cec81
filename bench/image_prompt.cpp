#include "image_prompt.hpp"

#include "files.hpp"
#include "silica/core/error.hpp"
#include "silica/input/image/read.hpp"

namespace silica::bench {

image::Image read_for(const image_text::Processor& processor, const std::string& file) {
    try {
        auto image = image::read(file);
        static_cast<void>(processor.tokens_of(image));
        return image;
    } catch (const InputError& e) {
        throw about_file(file, e);
    }
}

std::vector<image::Image> read_all_for(const image_text::Processor& processor, const std::vector<std::string>& files) {
    std::vector<image::Image> images;
    for (const auto& file : files) images.push_back(read_for(processor, file));
    return images;
}

}  // namespace silica::bench
