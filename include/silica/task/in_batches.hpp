#pragma once
/// Many files through a network, alike ones together.

#include "silica/core/error.hpp"
#include "silica/task/reader.hpp"

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

/// How many run together, checked.
[[nodiscard]] inline std::size_t checked_batch_size(std::int64_t n) {
    if (n < 1) throw InputError("batch_size is " + std::to_string(n) + ".", "1 or more is needed.");
    return static_cast<std::size_t>(n);
}

/// Takes all files of `reader` in their order. Up to `batch_size` neighbours for which alike(first, other) holds run
/// together: run(std::span<const T>) -> std::vector<R>, one for each. give(FileResult<R>) is called for each file, in
/// order, as soon as it is known. Where `run` refuses a batch with an InputError each of it runs alone, and the error
/// is that of the files that are refused again. Whatever else is thrown ends the work; where it is the reader who
/// throws, what was read before has been given.
template <class T, class Alike, class Run, class Give>
void in_batches(Reader<T>& reader, std::size_t batch_size, const Alike& alike, const Run& run, const Give& give) {
    using R = typename std::invoke_result_t<const Run&, std::span<const T>>::value_type;
    std::vector<FileResult<R>> held;  // in order; those without an error wait for the batch
    std::vector<T> batch;

    const auto run_alone = [&](FileResult<R>& result, const T& value) {
        try {
            result.value.emplace(std::move(run(std::span(&value, 1)).front()));
        } catch (const InputError& e) {
            result.error.emplace(e);
        }
    };
    const auto flush = [&] {
        std::vector<FileResult<R>*> waiting;
        for (auto& result : held) {
            if (!result.error) waiting.push_back(&result);
        }
        bool alone = batch.size() == 1;
        if (batch.size() > 1) {
            try {
                auto values = run(std::span<const T>(batch));
                for (std::size_t i = 0; i < waiting.size(); ++i) waiting[i]->value.emplace(std::move(values.at(i)));
            } catch (const InputError&) {
                alone = true;
            }
        }
        for (std::size_t i = 0; alone && i < waiting.size(); ++i) run_alone(*waiting[i], batch[i]);
        batch.clear();
        for (auto& result : std::exchange(held, {})) give(std::move(result));
    };
    const auto next = [&] {
        try {
            return reader.next();
        } catch (...) {
            flush();
            throw;
        }
    };
    while (auto file = next()) {
        if (file->value && !batch.empty() && !alike(std::as_const(batch.front()), std::as_const(*file->value))) flush();
        held.push_back({file->index, std::move(file->path), {}, std::move(file->error)});
        if (file->value) batch.push_back(std::move(*file->value));
        if (batch.empty() || batch.size() >= batch_size) flush();
    }
    flush();
}

/// process(item) -> T, and run(std::span<const T>) -> std::vector<R>, one for each item, on up to `batch_size`
/// neighbours for which alike(first, other) holds.
template <class Process, class Alike, class Item, class Run>
auto over_items(const Process& process, const Alike& alike, std::span<const Item> items, std::int64_t batch_size,
                const Run& run) {
    using T = std::invoke_result_t<const Process&, const Item&>;
    const auto most = checked_batch_size(batch_size);
    std::invoke_result_t<const Run&, std::span<const T>> all;
    std::vector<T> batch;
    const auto flush = [&] {
        if (batch.empty()) return;
        auto some = run(std::span<const T>(batch));
        std::ranges::move(some, std::back_inserter(all));
        batch.clear();
    };
    for (const auto& item : items) {
        auto value = process(item);
        if (!batch.empty() && (batch.size() == most || !alike(std::as_const(batch.front()), std::as_const(value))))
            flush();
        batch.push_back(std::move(value));
    }
    flush();
    return all;
}

/// The same for files, process(path) being called ahead on threads: a result or the error of each, in their order.
template <class Process, class Alike, class Run>
auto over_paths(const Process& process, const Alike& alike, std::span<const std::filesystem::path> files,
                std::int64_t batch_size, const Run& run, const Progress& progress = {}) {
    using T = std::invoke_result_t<const Process&, const std::filesystem::path&>;
    using R = typename std::invoke_result_t<const Run&, std::span<const T>>::value_type;
    const auto most = checked_batch_size(batch_size);
    std::vector<FileResult<R>> all;
    Reader<T> reader({files.begin(), files.end()}, process);
    in_batches(reader, most, alike, run, [&](FileResult<R> result) {
        all.push_back(std::move(result));
        if (progress) progress(all.size(), files.size());
    });
    return all;
}

}  // namespace silica::task
