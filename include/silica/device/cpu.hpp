#pragma once
/// The CPU: the device every chain ends on.

#include "silica/core/memory.hpp"
#include "silica/device/concept.hpp"
#include "silica/device/cpu/scratch.hpp"
#include "silica/precision/bf16.hpp"
#include "silica/precision/fp16.hpp"
#include "silica/precision/fp32.hpp"

#include <c10/core/CPUAllocator.h>

#include <new>
#include <string>

namespace silica::device {

struct Cpu {
    static constexpr std::string_view name = "cpu";
    static constexpr c10::DeviceType type = c10::DeviceType::CPU;
    using chain = Chain<Cpu>;
    using default_precision = precision::Fp32;

    static Availability available() { return {true}; }
    static void synchronize(c10::DeviceIndex = -1) {}
    /// Frees what kernels keep from call to call.
    static void empty_cache() { cpu::release_scratch(); }
    /// Memory of this process: resident now and at its peak, of all that the machine has.
    static DeviceMemory memory(c10::DeviceIndex = -1) {
        const auto m = process_memory();
        return {m.machine, m.resident, m.peak};
    }
    static bool is_out_of_memory(const c10::Error& error) {
        const std::string_view text = error.what_without_backtrace();
        return text.find("DefaultCPUAllocator: can't allocate memory") != std::string_view::npos ||
               text.find("DefaultCPUAllocator: not enough memory") != std::string_view::npos;
    }
    static NoLock lock() { return {}; }
};
static_assert(DevicePolicy<Cpu>);

}  // namespace silica::device

#include "silica/device/cpu/activate.hpp"
#include "silica/device/cpu/argmax.hpp"
#include "silica/device/cpu/attention.hpp"
#include "silica/device/cpu/average_pool.hpp"
#include "silica/device/cpu/clamp.hpp"
#include "silica/device/cpu/conv.hpp"
#include "silica/device/cpu/conv_activation.hpp"
#include "silica/device/cpu/conv_add.hpp"
#include "silica/device/cpu/decode_attention.hpp"
#include "silica/device/cpu/embedding.hpp"
#include "silica/device/cpu/gated.hpp"
#include "silica/device/cpu/gelu.hpp"
#include "silica/device/cpu/group_norm.hpp"
#include "silica/device/cpu/layer_norm.hpp"
#include "silica/device/cpu/linear.hpp"
#include "silica/device/cpu/linear_activation.hpp"
#include "silica/device/cpu/linear_add.hpp"
#include "silica/device/cpu/linear_gated.hpp"
#include "silica/device/cpu/max_pool.hpp"
#include "silica/device/cpu/pool.hpp"
#include "silica/device/cpu/quantised.hpp"
#include "silica/device/cpu/resize.hpp"
#include "silica/device/cpu/rms_norm.hpp"
#include "silica/device/cpu/rotary.hpp"
#include "silica/device/cpu/rotary_store.hpp"
#include "silica/device/cpu/scores.hpp"
#include "silica/device/cpu/sine_positions.hpp"
#include "silica/device/cpu/softmax.hpp"
#include "silica/device/cpu/store_kv.hpp"
