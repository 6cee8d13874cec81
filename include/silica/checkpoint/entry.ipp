#pragma once
/// Definitions of entry.hpp.

#include "silica/checkpoint/entry.hpp"
#include "silica/core/compiled.hpp"

#include <algorithm>
#include <utility>

namespace silica::checkpoint {

SILICA_INLINE std::optional<FormatDtype> format_dtype(std::string_view name) noexcept {
    for (const auto& dtype : format_dtypes)
        if (dtype.name == name) return dtype;
    return std::nullopt;
}

SILICA_INLINE void sort_by_place(std::vector<TensorEntry>& entries) {
    std::vector<std::size_t> order(entries.size());  // entries are large: each is moved once
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const auto &x = entries[a], &y = entries[b];
        if (x.offset != y.offset) return x.offset < y.offset;
        return x.nbytes != y.nbytes ? x.nbytes < y.nbytes : x.name < y.name;
    });
    std::vector<TensorEntry> sorted;
    sorted.reserve(entries.size());
    for (const auto i : order) sorted.push_back(std::move(entries[i]));
    entries = std::move(sorted);
}

SILICA_INLINE std::vector<std::int64_t> row_major(const std::vector<std::int64_t>& shape) {
    std::vector<std::int64_t> strides(shape.size());
    std::int64_t step = 1;
    for (std::size_t d = shape.size(); d-- > 0;) {
        strides[d] = step;
        step *= shape[d] > 0 ? shape[d] : 1;
    }
    return strides;
}

}  // namespace silica::checkpoint
