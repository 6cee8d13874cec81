#pragma once
/// What ran elsewhere than at home, and why: the report of steps 2 to 4 of dispatch (run.hpp).

#include "silica/core/compiled.hpp"

#include <atomic>
#include <cstdint>
#include <string_view>
#include <vector>

namespace silica {

/// Why an op left its home device.
enum class FallbackReason {
    no_kernel,        ///< home has no kernel for the op: every call hops (known at compile time)
    declined,         ///< home's kernel does not take these sizes, types or strides
    not_implemented,  ///< home's LibTorch threw NotImplementedError
    out_of_memory,    ///< home was out of memory twice, the second time with its cache emptied
    unavailable,      ///< home's own kernel cannot be made on this machine
    failed_check,     ///< home's own kernel did not agree with LibTorch's ops on this machine: it is off
};

/// The reason in words.
constexpr std::string_view describe(FallbackReason reason) {
    switch (reason) {
        case FallbackReason::no_kernel:
            return "no kernel for this op";
        case FallbackReason::declined:
            return "its kernel declines these arguments";
        case FallbackReason::not_implemented:
            return "its LibTorch does not implement the op";
        case FallbackReason::out_of_memory:
            return "out of memory";
        case FallbackReason::unavailable:
            return "its own kernel cannot be made here";
        case FallbackReason::failed_check:
            return "its own kernel failed its check on this machine: see `silica devices`";
    }
    return "";
}

// Scopes are seen by all objects of a process, whichever version of Silica each was built with: another layout of these
// two, another name.
inline namespace abi_1 {

/// One line of the report: all calls of an op that took the same way for the same reason.
struct Fallback {
    /// Names of the op and of the devices. `to` is "parts" for a fused op's parts, "LibTorch" where that serves at home
    /// in place of an own kernel that failed its check.
    std::string_view op, from, to;
    FallbackReason reason = FallbackReason::no_kernel;
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;  ///< moved between the devices, both ways
    double ms = 0;            ///< wall time of the calls, waiting and copies included
};

/// Collects what falls back on this thread while it is open. Scopes nest; each sees what happens inside it.
class FallbackScope {
public:
    FallbackScope() : outer_(innermost()) { innermost() = this; }
    ~FallbackScope() { innermost() = outer_; }
    FallbackScope(const FallbackScope&) = delete;
    FallbackScope& operator=(const FallbackScope&) = delete;

    /// The lines so far, in order of first appearance.
    [[nodiscard]] const std::vector<Fallback>& report() const noexcept { return lines_; }

    /// Adds to every scope open on this thread; false when there is none.
    static bool record(const Fallback& event);

private:
    void add(const Fallback& event);

    SILICA_API static FallbackScope*& innermost() {
        thread_local FallbackScope* scope = nullptr;
        return scope;
    }

    FallbackScope* outer_;
    std::vector<Fallback> lines_;
};

}  // namespace abi_1

/// Whether fallbacks outside of any FallbackScope are announced on stderr, once per op. On until turned off.
SILICA_API inline std::atomic<bool> announce_fallbacks{true};

namespace detail {

/// One line about it on stderr.
void announce(const Fallback& f);

}  // namespace detail
}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/fallback.ipp"
#endif
