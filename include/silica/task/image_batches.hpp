#pragma once
/// Pictures through a network: processed one by one, those of one size together; files read ahead on threads.

#include "silica/input/image/processor.hpp"
#include "silica/input/image/read.hpp"
#include "silica/task/in_batches.hpp"
#include "silica/task/pixels.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::task {

/// Told after each file how many of how many are done.
using Progress = std::function<void(std::size_t done, std::size_t files)>;

/// Whether pictures that were processed apart can run together: nothing is padded for it.
[[nodiscard]] inline bool alike(const image::Pixels& a, const image::Pixels& b) {
    return a.shape == b.shape && a.values.index() == b.values.index() && a.mask.has_value() == b.mask.has_value();
}

/// How many run together, checked.
[[nodiscard]] inline std::size_t checked_batch_size(std::int64_t n) {
    if (n < 1) throw InputError("batch_size is " + std::to_string(n) + ".", "1 or more is needed.");
    return static_cast<std::size_t>(n);
}

/// The pixels of one picture, by the processor of a checkpoint.
[[nodiscard]] inline image::Pixels processed(const image::Processor& processor, const image::Image& picture) {
    return processor(std::span(&picture, 1));
}

/// run(std::span<const image::Pixels>) -> std::vector<R>, one for each picture, on up to `batch_size` neighbours that
/// are alike.
template <class Run>
auto over_images(const image::Processor& processor, std::span<const image::Image> images, std::int64_t batch_size,
                 const Run& run) {
    const auto most = checked_batch_size(batch_size);
    decltype(run(std::span<const image::Pixels>())) all;
    std::vector<image::Pixels> batch;
    const auto flush = [&] {
        if (batch.empty()) return;
        auto some = run(std::span<const image::Pixels>(batch));
        std::ranges::move(some, std::back_inserter(all));
        batch.clear();
    };
    for (const auto& picture : images) {
        auto pixels = processed(processor, picture);
        if (!batch.empty() && (batch.size() == most || !alike(batch.front(), pixels))) flush();
        batch.push_back(std::move(pixels));
    }
    flush();
    return all;
}

/// The same for files: a result or the error of each, in their order.
template <class Run>
auto over_files(const image::Processor& processor, std::span<const std::filesystem::path> files,
                std::int64_t batch_size, const Run& run, const Progress& progress = {}) {
    using R = typename decltype(run(std::span<const image::Pixels>()))::value_type;
    std::vector<FileResult<R>> all;
    Reader<image::Pixels> reader({files.begin(), files.end()},
                                 [&](const auto& path) { return processed(processor, image::read(path)); });
    in_batches(reader, checked_batch_size(batch_size), alike, run, [&](FileResult<R> result) {
        all.push_back(std::move(result));
        if (progress) progress(all.size(), files.size());
    });
    return all;
}

}  // namespace silica::task
