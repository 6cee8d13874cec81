#pragma once
/// Which devices of this program are simulated. Only a test build links a simulation (`tests/support/sim_mps/`); it
/// sets the marker below before `main`, and every output that names the device must then name the simulation as well.

#include "silica/core/compiled.hpp"

#include <c10/core/DeviceType.h>

#include <atomic>

namespace silica::device {

/// What simulates `mps` in this program, in words for people ("simulated MPS (tests only)"); null when nothing does.
SILICA_API inline std::atomic<const char*> simulated_mps{nullptr};

/// What simulates devices of `type` in this program; null when they are real or absent.
[[nodiscard]] inline const char* simulated(c10::DeviceType type) noexcept {
    return type == c10::DeviceType::MPS ? simulated_mps.load(std::memory_order_acquire) : nullptr;
}

/// True when devices of `type` are simulated in this program.
[[nodiscard]] inline bool is_simulated(c10::DeviceType type) noexcept { return simulated(type) != nullptr; }

}  // namespace silica::device
