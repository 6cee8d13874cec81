#pragma once
/// The report of what fell back.

#include "silica/fallback.hpp"

#include <cstdio>

namespace silica {

SILICA_INLINE bool FallbackScope::record(const Fallback& event) {
    for (auto* scope = innermost(); scope != nullptr; scope = scope->outer_) scope->add(event);
    return innermost() != nullptr;
}

SILICA_INLINE void FallbackScope::add(const Fallback& event) {
    for (auto& line : lines_) {
        if (line.op == event.op && line.from == event.from && line.to == event.to && line.reason == event.reason) {
            line.count += event.count;
            line.bytes += event.bytes;
            line.ms += event.ms;
            return;
        }
    }
    lines_.push_back(event);
}

namespace detail {

SILICA_INLINE void announce(const Fallback& f) {
    const auto why = describe(f.reason);
    std::fprintf(stderr, "silica: %.*s runs on %.*s instead of %.*s: %.*s (said once)\n", static_cast<int>(f.op.size()),
                 f.op.data(), static_cast<int>(f.to.size()), f.to.data(), static_cast<int>(f.from.size()),
                 f.from.data(), static_cast<int>(why.size()), why.data());
}

}  // namespace detail
}  // namespace silica
