#pragma once
/// Pictures through a network: processed one by one, those of one size together; files read ahead on threads.

#include "silica/input/image/processor.hpp"
#include "silica/input/image/read.hpp"
#include "silica/task/in_batches.hpp"
#include "silica/task/pixels.hpp"

#include <cstdint>
#include <filesystem>
#include <span>

namespace silica::task {

/// Whether pictures that were processed apart can run together: nothing is padded for it.
[[nodiscard]] inline bool alike(const image::Pixels& a, const image::Pixels& b) {
    return a.shape == b.shape && a.values.index() == b.values.index() && a.mask.has_value() == b.mask.has_value();
}

/// The pixels of one picture, by the processor of a checkpoint.
[[nodiscard]] inline image::Pixels processed(const image::Processor& processor, const image::Image& picture) {
    return processor(std::span(&picture, 1));
}
/// That as a function of the picture. The processor outlives it.
[[nodiscard]] inline auto pixels_by(const image::Processor& processor) {
    return [&processor](const image::Image& picture) { return processed(processor, picture); };
}

/// process(picture) -> T, and run(std::span<const T>) -> std::vector<R>, one for each picture, on up to `batch_size`
/// neighbours for which same(first, other) holds.
template <class Process, class Same, class Run>
auto over_images(const Process& process, const Same& same, std::span<const image::Image> images,
                 std::int64_t batch_size, const Run& run) {
    return over_items(process, same, images, batch_size, run);
}

/// The same for files: a result or the error of each, in their order.
template <class Process, class Same, class Run>
auto over_files(const Process& process, const Same& same, std::span<const std::filesystem::path> files,
                std::int64_t batch_size, const Run& run, const Progress& progress = {}) {
    return over_paths([&](const std::filesystem::path& path) { return process(image::read(path)); }, same, files,
                      batch_size, run, progress);
}

}  // namespace silica::task
