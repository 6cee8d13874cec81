#pragma once
/// Definitions of budget.hpp.

#include "silica/budget.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <string>

namespace silica {

SILICA_INLINE WeightFiles weight_files(const checkpoint::Checkpoint& files) {
    WeightFiles facts{.bytes = files.total_bytes()};
    std::map<std::uint64_t, std::uint64_t> by_item;
    for (const auto& e : files.entries()) {
        facts.largest = std::max(facts.largest, e.nbytes);
        if (e.dtype == c10::ScalarType::Undefined) continue;
        const std::uint64_t item = c10::elementSize(e.dtype);
        if ((by_item[item] += e.nbytes) >= by_item[facts.item]) facts.item = item;
    }
    return facts;
}

SILICA_INLINE void check_state(const OpenOptions& options) {
    if (options.state_rows > 0 && options.state_tokens >= 0) return;
    throw InputError("A budget for a state of " + std::to_string(options.state_rows) + " rows of " +
                         std::to_string(options.state_tokens) + " tokens is none.",
                     "give OpenOptions at least one row, and no fewer than 0 tokens.");
}

SILICA_INLINE Room room_on_host() {
    const auto memory = free_memory();
    return {.device = "the host", .free = memory.free, .total = memory.total};
}

SILICA_INLINE std::array<NamedForm, 4> forms_to_propose(std::uint64_t item, std::int64_t group) {
    return {{{"float32", {.item = 4}},
             {"bfloat16", {.item = 2}},
             {"int8", {.item = item, .bits = 8, .group = group}},
             {"int4", {.item = item, .bits = 4, .group = group == 0 ? 64 : group}}}};
}

SILICA_INLINE std::span<const std::string_view> loaders_to_propose() {
    static constexpr std::array<std::string_view, 2> all{"mapped", "streamed"};
    return all;
}

}  // namespace silica
