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
#include <type_traits>
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
/// That as a function of the picture. The processor outlives it.
[[nodiscard]] inline auto pixels_by(const image::Processor& processor) {
    return [&processor](const image::Image& picture) { return processed(processor, picture); };
}

/// process(picture) -> T, and run(std::span<const T>) -> std::vector<R>, one for each picture, on up to `batch_size`
/// neighbours for which same(first, other) holds.
template <class Process, class Same, class Run>
auto over_images(const Process& process, const Same& same, std::span<const image::Image> images,
                 std::int64_t batch_size, const Run& run) {
    using T = std::invoke_result_t<const Process&, const image::Image&>;
    const auto most = checked_batch_size(batch_size);
    std::invoke_result_t<const Run&, std::span<const T>> all;
    std::vector<T> batch;
    const auto flush = [&] {
        if (batch.empty()) return;
        auto some = run(std::span<const T>(batch));
        std::ranges::move(some, std::back_inserter(all));
        batch.clear();
    };
    for (const auto& picture : images) {
        auto pixels = process(picture);
        if (!batch.empty() && (batch.size() == most || !same(std::as_const(batch.front()), std::as_const(pixels))))
            flush();
        batch.push_back(std::move(pixels));
    }
    flush();
    return all;
}

/// The same for files: a result or the error of each, in their order.
template <class Process, class Same, class Run>
auto over_files(const Process& process, const Same& same, std::span<const std::filesystem::path> files,
                std::int64_t batch_size, const Run& run, const Progress& progress = {}) {
    using T = std::invoke_result_t<const Process&, const image::Image&>;
    using R = typename std::invoke_result_t<const Run&, std::span<const T>>::value_type;
    std::vector<FileResult<R>> all;
    Reader<T> reader({files.begin(), files.end()}, [&](const auto& path) { return process(image::read(path)); });
    in_batches(reader, checked_batch_size(batch_size), same, run, [&](FileResult<R> result) {
        all.push_back(std::move(result));
        if (progress) progress(all.size(), files.size());
    });
    return all;
}

}  // namespace silica::task
