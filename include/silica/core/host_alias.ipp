#pragma once
/// Definitions of host_alias.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/host_alias.hpp"

#include <ATen/detail/MPSHooksInterface.h>
#include <ATen/mps/MPSAllocatorInterface.h>

#include <utility>

#if __has_include(<torch/headeronly/version.h>)
#include <torch/headeronly/version.h>
#else
#include <torch/version.h>
#endif

namespace silica {

SILICA_INLINE void HostAlias::flush() const {
    if (mps) at::detail::getMPSHooks().deviceSynchronize();
}

SILICA_INLINE HostAlias host_alias(const Tensor& t) {
    if (t.device().is_cpu()) return {t.mutable_data_ptr()};
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 13)
    if (t.device().is_mps()) {
        const auto& hooks = at::detail::getMPSHooks();
        const auto* allocator = dynamic_cast<at::mps::IMPSAllocator*>(hooks.getMPSDeviceAllocator());
        if (allocator == nullptr) return {};
        hooks.deviceSynchronize();  // a recycled buffer may still be in use
        c10::Storage host = allocator->getHostAliasStorage(t.storage());
        void* data = host.mutable_data();
        return {data, std::move(host), true};
    }
#endif
    return {};
}

}  // namespace silica
