#pragma once
// What tests/golden/make_images.py wrote.
#include "silica/core/json.hpp"
#include "silica/input/image/read.hpp"

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/directory.hpp"

namespace silica::test {

/// Pictures, and the numbers that Pillow and transformers make of them.
class ImagesGolden {
public:
    [[nodiscard]] static std::filesystem::path directory() {
        return std::filesystem::path(SILICA_TESTS_DIR) / "golden" / "images";
    }
    [[nodiscard]] const Json::Array& entries(std::string_view key) const { return index_.find(key)->array(); }
    /// `count` numbers from a byte on.
    template <class T>
    [[nodiscard]] std::vector<T> numbers(std::int64_t at, std::size_t count) const {
        std::vector<T> made(count);
        REQUIRE(static_cast<std::size_t>(at) + count * sizeof(T) <= expected_.size());
        std::memcpy(made.data(), expected_.data() + at, count * sizeof(T));
        return made;
    }
    [[nodiscard]] static image::Image picture(const Json& name) {
        return image::read(directory() / "pictures" / name.string());
    }

private:
    Json index_ = Json::parse(read_file(directory() / "index.json"), "index.json");
    std::string expected_ = read_file(directory() / "expected.bin");
};

}  // namespace silica::test
