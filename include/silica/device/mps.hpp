#pragma once
/// Apple GPUs through LibTorch's Metal backend.

#include "silica/core/compiled.hpp"
#include "silica/device/cpu.hpp"
#include "silica/device/mps/out_of_memory.hpp"
#include "silica/device/mps/version.hpp"

#include <ATen/detail/MPSHooksInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <string>

namespace silica::device {

struct Mps {
    static constexpr std::string_view name = "mps";
    static constexpr c10::DeviceType type = c10::DeviceType::MPS;
    using chain = Chain<Mps, Cpu>;
    using default_precision = precision::Fp16;

    static Availability available() {
        if (!c10::impl::hasDeviceGuardImpl(type)) {
            return {false,
                    "this LibTorch is built without Metal (use the macOS arm64 build of torch on an Apple machine)"};
        }
        if (at::detail::getMPSHooks().hasMPS()) return {true};
        const auto found = mps::macos_version();
        if (!found.empty() && mps::older(found, 14)) {
            return {false, "macOS " + found + " is too old, 14.0 or newer is needed"};
        }
        return {false, "no Metal device (a virtual machine, or a sandbox without GPU access)"};
    }
    static void synchronize(c10::DeviceIndex = 0) { at::detail::getMPSHooks().deviceSynchronize(); }
    /// Also clears the cache of compiled graphs, which grows with every new shape (LibTorch 2.13 and newer).
    static void empty_cache() { at::detail::getMPSHooks().emptyCache(); }
    /// `peak` is what the driver holds, caches and graphs included: the backend keeps no other record.
    static DeviceMemory memory(c10::DeviceIndex = 0) {
        if (!available()) return {};
        const auto& hooks = at::detail::getMPSHooks();
        const std::uint64_t most = hooks.getRecommendedMaxMemory(), now = hooks.getCurrentAllocatedMemory();
        return {most, now, hooks.getDriverAllocatedMemory(), most - std::min(most, now)};
    }
    static bool is_out_of_memory(const c10::Error& error) { return mps::is_out_of_memory(error); }
    /// Two threads that encode at once crash the command queue (pytorch#197805), so calls take turns, whichever shared
    /// object of the process they come from.
    SILICA_API static std::unique_lock<std::recursive_mutex> lock() {
        static std::recursive_mutex mutex;
        return std::unique_lock(mutex);
    }
};
static_assert(DevicePolicy<Mps>);

}  // namespace silica::device

namespace silica {

/// Metal has no float64.
template <class Precision>
    requires(Precision::storage == c10::ScalarType::Double || Precision::compute == c10::ScalarType::Double ||
             Precision::reduce == c10::ScalarType::Double)
inline constexpr bool runs_on<Precision, device::Mps> = false;

}  // namespace silica

#include "silica/device/mps/activate.hpp"
#include "silica/device/mps/argmax.hpp"
#include "silica/device/mps/attention.hpp"
#include "silica/device/mps/average_pool.hpp"
#include "silica/device/mps/bundled.hpp"
#include "silica/device/mps/clamp.hpp"
#include "silica/device/mps/conv.hpp"
#include "silica/device/mps/decode_attention.hpp"
#include "silica/device/mps/draw.hpp"
#include "silica/device/mps/embedding.hpp"
#include "silica/device/mps/gelu.hpp"
#include "silica/device/mps/group_norm.hpp"
#include "silica/device/mps/layer_norm.hpp"
#include "silica/device/mps/linear.hpp"
#include "silica/device/mps/linear_activation.hpp"
#include "silica/device/mps/linear_add.hpp"
#include "silica/device/mps/linear_gated.hpp"
#include "silica/device/mps/max_pool.hpp"
#include "silica/device/mps/pool.hpp"
#include "silica/device/mps/quantised.hpp"
#include "silica/device/mps/resize.hpp"
#include "silica/device/mps/rms_norm.hpp"
#include "silica/device/mps/rms_norm_linear.hpp"
#include "silica/device/mps/rms_norm_linear_gated.hpp"
#include "silica/device/mps/rotary.hpp"
#include "silica/device/mps/rotary_store.hpp"
#include "silica/device/mps/scores.hpp"
#include "silica/device/mps/sine_positions.hpp"
#include "silica/device/mps/softmax.hpp"
#include "silica/device/mps/store_kv.hpp"
