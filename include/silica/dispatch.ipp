#pragma once
/// The error of a call that cannot be recorded.

#include "silica/core/compiled.hpp"
#include "silica/dispatch.hpp"

namespace silica::detail {

SILICA_INLINE void refuse_recording(std::string_view op, FallbackReason why) {
    throw DeviceError("Op '" + std::string(op) + "' cannot be recorded in a graph: " + std::string(describe(why)) + ".",
                      "run without a graph, or with smaller inputs.");
}

}  // namespace silica::detail
