#pragma once
/// Definitions of read_frames.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/input/image/kind.hpp"
#include "silica/input/image/read.hpp"
#include "silica/input/video/read.hpp"
#include "silica/task/read_frames.hpp"
#include "silica/task/reader.hpp"

#include <array>
#include <cstddef>
#include <fstream>
#include <system_error>
#include <utility>

namespace silica::task {

SILICA_INLINE bool is_picture(const std::filesystem::path& file) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(file, ignored)) return false;
    std::array<char, 4096> head{};
    std::ifstream in(file, std::ios::binary);
    in.read(head.data(), head.size());
    try {
        static_cast<void>(image::kind_of(std::as_bytes(std::span(head.data(), static_cast<std::size_t>(in.gcount()))),
                                         file.string()));
        return true;
    } catch (const InputError&) {
        return false;
    }
}

SILICA_INLINE std::vector<image::Image> read_frames(std::span<const std::filesystem::path> files, std::int64_t frames) {
    if (files.empty()) throw InputError("There are no frames.", "name a video, or pictures.");
    if (files.size() == 1 && !is_picture(files.front())) return video::read(files.front(), frames);
    Reader<image::Image> reader({files.begin(), files.end()},
                                [](const std::filesystem::path& file) { return image::read(file); });
    std::vector<image::Image> made;
    while (auto file = reader.next()) {
        if (file->error) throw InputError(file->error->problem(), file->error->remedy());
        made.push_back(std::move(*file->value));
    }
    return made;
}

}  // namespace silica::task
