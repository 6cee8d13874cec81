#pragma once
/// Memory of a device tensor as the host may write it, where the device shares its memory with the host.

#include "silica/core/tensor.hpp"

#include <ATen/detail/MPSHooksInterface.h>
#include <ATen/mps/MPSAllocatorInterface.h>
#include <c10/core/Storage.h>

#if __has_include(<torch/headeronly/version.h>)
#include <torch/headeronly/version.h>
#else
#include <torch/version.h>
#endif

namespace silica {

/// A host address of a tensor's first byte; false where there is none. Valid while it lives.
struct HostAlias {
    void* data = nullptr;
    c10::Storage keep = {};
    bool mps = false;

    explicit operator bool() const noexcept { return data != nullptr; }
    /// To be called between writing and the device's first use.
    void flush() const {
        if (mps) at::detail::getMPSHooks().deviceSynchronize();
    }
};

/// The tensor's own memory on the CPU; on MPS the shared buffer behind it (LibTorch 2.13 and newer, where every buffer
/// is shared), once the device has finished with it. `t` is contiguous and starts its storage.
inline HostAlias host_alias(const Tensor& t) {
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
