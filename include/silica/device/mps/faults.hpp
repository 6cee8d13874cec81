#pragma once
/// The known faults of MPS that Silica's kernels go around, and what this machine said of them: `silica doctor --mps`
/// tries each (bench/mps_faults.hpp), and kernels take that verdict before the rule by versions.

#include "silica/core/compiled.hpp"

#include <optional>
#include <string_view>

namespace silica::device::mps {

/// Faults that decide how a kernel computes. `fault_id` names them in files.
enum class Fault {
    causal_leaks,       ///< is_causal in half precision lets later tokens through
    mask_broadcasts,    ///< a mask that broadcasts gives wrong attention
    value_head_size,    ///< attention is wrong where v has another head size than q
    linear_not_stable,  ///< half precision without bias above two dimensions is not deterministic
    linear_loses_bias,  ///< the bias of a single row is lost
    conv_large_kernel,  ///< a kernel side of 256 or more gives wrong convolutions
    conv_long,          ///< a side above 65,536 is refused
    conv_3d,            ///< kernels of three dimensions are wrong
};

/// "causal_leaks".
[[nodiscard]] constexpr std::string_view fault_id(Fault fault) {
    switch (fault) {
        case Fault::causal_leaks:
            return "causal_leaks";
        case Fault::mask_broadcasts:
            return "mask_broadcasts";
        case Fault::value_head_size:
            return "value_head_size";
        case Fault::linear_not_stable:
            return "linear_not_stable";
        case Fault::linear_loses_bias:
            return "linear_loses_bias";
        case Fault::conv_large_kernel:
            return "conv_large_kernel";
        case Fault::conv_long:
            return "conv_long";
        case Fault::conv_3d:
            return "conv_3d";
    }
    return "";
}

/// What this machine said of a fault when it was tried; absent where it was not. That a fault which comes and goes was
/// not seen decides nothing: then it is absent too.
[[nodiscard]] std::optional<bool> found(Fault fault);

/// Whether to go around a fault: what the machine said, else the rule by versions.
[[nodiscard]] inline bool has(Fault fault, bool by_version) { return found(fault).value_or(by_version); }

/// Reads anew what was found, after a test wrote it.
void forget_found();

}  // namespace silica::device::mps

#ifndef SILICA_COMPILED
#include "silica/device/mps/faults.ipp"
#endif
