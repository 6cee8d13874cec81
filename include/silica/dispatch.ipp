#pragma once
/// What a call does that failed.

#include "silica/core/compiled.hpp"
#include "silica/dispatch.hpp"

namespace silica::detail {

SILICA_INLINE void refuse_recording(std::string_view op, FallbackReason why) {
    throw DeviceError("Op '" + std::string(op) + "' cannot be recorded in a graph: " + std::string(describe(why)) + ".",
                      "run without a graph, or with smaller inputs.");
}

SILICA_INLINE void refuse_last(std::string_view op, std::string_view device, FallbackReason why) {
    throw DeviceError("Op '" + std::string(op) + "' cannot run on " + std::string(device) + ": " +
                          std::string(describe(why)) + ".",
                      why == FallbackReason::out_of_memory
                          ? "use smaller inputs, a smaller precision, or a chain with another device after it."
                          : "use a chain with another device after it: Chain<..., device::Cpu>, or a device "
                            "policy by itself, which carries such a chain.");
}

SILICA_INLINE FallbackReason failure_handled(bool writes, bool (*is_full)(const c10::Error&)) {
    try {
        throw;
    } catch (const c10::NotImplementedError&) {
        if (writes) throw;
        return FallbackReason::not_implemented;
    } catch (const KernelUnavailable&) {  // before anything was written
        return FallbackReason::unavailable;
    } catch (const c10::Error& e) {
        if (writes || !is_full(e)) throw;
        return FallbackReason::out_of_memory;
    } catch (const std::bad_alloc&) {
        if (writes) throw;
        return FallbackReason::out_of_memory;
    }
}

SILICA_INLINE void require_next_helps(bool writes, bool (*is_full)(const c10::Error&)) {
    try {
        throw;
    } catch (const KernelUnavailable&) {
        if (writes) throw;
    } catch (const c10::Error& e) {
        if (writes || !is_full(e)) throw;
    } catch (const std::bad_alloc&) {
        if (writes) throw;
    }
}

}  // namespace silica::detail
