#pragma once
/// NVIDIA GPUs, reached through LibTorch's device-neutral interfaces: no header here needs the CUDA toolkit.

#include "silica/device/cpu.hpp"

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <string>

namespace silica::device {

struct Cuda {
    static constexpr std::string_view name = "cuda";
    static constexpr c10::DeviceType type = c10::DeviceType::CUDA;
    using chain = Chain<Cuda, Cpu>;
    using default_precision = precision::Bf16;

    static Availability available() {
        if (!c10::impl::hasDeviceGuardImpl(type)) {
            return {false, "this LibTorch is built without CUDA (install a CUDA build of torch)"};
        }
        try {
            if (c10::impl::VirtualGuardImpl(type).deviceCount() > 0) return {true};
        } catch (const c10::Error& e) {
            return {false, std::string("the CUDA driver failed: ") + e.what_without_backtrace()};
        }
        return {false, "no NVIDIA GPU, or no driver that fits (run nvidia-smi)"};
    }
    static void synchronize(c10::DeviceIndex index = 0) {
        c10::impl::VirtualGuardImpl(type).synchronizeDevice(index < 0 ? c10::DeviceIndex{0} : index);
    }
    static void empty_cache() {
        if (auto* a = allocator()) a->emptyCache();
    }
    static DeviceMemory memory(c10::DeviceIndex index = 0) {
        DeviceMemory m;
        auto* a = allocator();
        if (a == nullptr || !a->initialized()) return m;
        const auto stats = a->getDeviceStats(index < 0 ? c10::DeviceIndex{0} : index);
        m.allocated = static_cast<std::uint64_t>(stats.allocated_bytes[0].current);
        m.peak = static_cast<std::uint64_t>(stats.allocated_bytes[0].peak);
        try {
            const auto [free, total] = a->getMemoryInfo(index < 0 ? c10::DeviceIndex{0} : index);
            m.total = total;
            m.free = free + static_cast<std::uint64_t>(stats.reserved_bytes[0].current) - m.allocated;
        } catch (const c10::Error&) {  // older LibTorch: total is not told
        }
        return m;
    }
    static bool is_out_of_memory(const c10::Error& error) {
        return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr;
    }
    static NoLock lock() { return {}; }

private:
    static c10::DeviceAllocator* allocator() {
        return c10::impl::hasDeviceGuardImpl(type) ? at::getDeviceAllocator(type) : nullptr;
    }
};
static_assert(DevicePolicy<Cuda>);

}  // namespace silica::device

#include "silica/device/cuda/activate.hpp"
#include "silica/device/cuda/argmax.hpp"
#include "silica/device/cuda/attention.hpp"
#include "silica/device/cuda/average_pool.hpp"
#include "silica/device/cuda/clamp.hpp"
#include "silica/device/cuda/conv.hpp"
#include "silica/device/cuda/conv_activation.hpp"
#include "silica/device/cuda/conv_add.hpp"
#include "silica/device/cuda/decode_attention.hpp"
#include "silica/device/cuda/embedding.hpp"
#include "silica/device/cuda/gated.hpp"
#include "silica/device/cuda/gelu.hpp"
#include "silica/device/cuda/graph.hpp"
#include "silica/device/cuda/group_norm.hpp"
#include "silica/device/cuda/layer_norm.hpp"
#include "silica/device/cuda/linear.hpp"
#include "silica/device/cuda/linear_activation.hpp"
#include "silica/device/cuda/linear_add.hpp"
#include "silica/device/cuda/linear_gated.hpp"
#include "silica/device/cuda/max_pool.hpp"
#include "silica/device/cuda/pool.hpp"
#include "silica/device/cuda/quantised.hpp"
#include "silica/device/cuda/resize.hpp"
#include "silica/device/cuda/rms_norm.hpp"
#include "silica/device/cuda/rms_norm_linear.hpp"
#include "silica/device/cuda/rms_norm_linear_gated.hpp"
#include "silica/device/cuda/rotary.hpp"
#include "silica/device/cuda/rotary_store.hpp"
#include "silica/device/cuda/scores.hpp"
#include "silica/device/cuda/sine_positions.hpp"
#include "silica/device/cuda/softmax.hpp"
#include "silica/device/cuda/store_kv.hpp"
