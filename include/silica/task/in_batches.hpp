#pragma once
/// Many files through a network, alike ones together.

#include "silica/task/reader.hpp"

#include <cstddef>
#include <functional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::task {

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

}  // namespace silica::task
