#pragma once
/// Definitions of host_alias.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/host_alias.hpp"

#include <ATen/detail/MPSHooksInterface.h>
#pragma push_macro("MB")  // which the next header defines, and leaves to all who include it
#include <ATen/mps/MPSAllocatorInterface.h>
#undef MB
#pragma pop_macro("MB")

#include <c10/util/Exception.h>

#include <utility>

#if __has_include(<torch/headeronly/version.h>)
#include <torch/headeronly/version.h>
#else
#include <torch/version.h>
#endif

namespace silica {

#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 13)
namespace detail {

/// The allocator of device mps; null where there is none that shares memory. On a Mac LibTorch says itself which it is:
/// a cast would find nothing in a program of hidden symbols, whose type has no part with LibTorch's.
SILICA_INLINE at::mps::IMPSAllocator* sharing_allocator() {
#if defined(__APPLE__)
    return at::mps::getIMPSAllocator();
#else
    return dynamic_cast<at::mps::IMPSAllocator*>(at::detail::getMPSHooks().getMPSDeviceAllocator());
#endif
}

}  // namespace detail
#endif

SILICA_INLINE void HostAlias::flush() const {
    if (mps) at::detail::getMPSHooks().deviceSynchronize();
}

SILICA_INLINE HostAlias host_alias(const Tensor& t) {
    if (t.device().is_cpu()) return {t.mutable_data_ptr()};
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 13)
    if (t.device().is_mps()) {
        const auto* allocator = detail::sharing_allocator();
        if (allocator == nullptr) return {};
        at::detail::getMPSHooks().deviceSynchronize();  // a recycled buffer may still be in use
        try {
            c10::Storage host = allocator->getHostAliasStorage(t.storage());
            void* data = host.mutable_data();
            return {data, std::move(host), true};
        } catch (const c10::Error&) {
            return {};  // a buffer that is not its own, or that the host does not see
        }
    }
#endif
    return {};
}

}  // namespace silica
