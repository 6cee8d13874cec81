#pragma once
/// The verdicts on faults, read once.

#include "silica/core/compiled.hpp"
#include "silica/device/mps/faults.hpp"
#include "silica/device/mps/metal/verdicts.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>

namespace silica::device::mps {
namespace faults_detail {

inline constexpr std::size_t count = static_cast<std::size_t>(Fault::conv_3d) + 1;

/// 0 not read, 1 not known, 2 absent, 3 present.
struct Known {
    std::array<std::atomic<int>, count> states{};
    std::mutex mutex;
};

inline Known& known() {
    static Known instance;
    return instance;
}

inline void read() {
    auto& k = known();
    const std::lock_guard guard(k.mutex);
    const auto said = metal::read_verdicts(metal::verdicts_file(), metal::Machine::here()).faults;
    for (std::size_t i = 0; i < count; ++i) {
        int state = 1;
        for (const auto& f : said)
            if (f.fault == fault_id(static_cast<Fault>(i))) state = f.present ? 3 : 2;
        if (state == 2 && static_cast<Fault>(i) == Fault::linear_not_stable) state = 1;  // it comes and goes
        k.states[i].store(state, std::memory_order_release);
    }
}

}  // namespace faults_detail

SILICA_INLINE std::optional<bool> found(Fault fault) {
    auto& state = faults_detail::known().states[static_cast<std::size_t>(fault)];
    if (state.load(std::memory_order_acquire) == 0) faults_detail::read();
    const int now = state.load(std::memory_order_acquire);
    return now < 2 ? std::nullopt : std::optional(now == 3);
}

SILICA_INLINE void forget_found() {
    for (auto& state : faults_detail::known().states) state.store(0, std::memory_order_release);
}

}  // namespace silica::device::mps
