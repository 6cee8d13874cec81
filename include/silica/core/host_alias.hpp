#pragma once
/// Memory of a device tensor as the host may write it, where the device shares its memory with the host.

#include "silica/core/tensor.hpp"

#include <c10/core/Storage.h>

namespace silica {

/// A host address of a tensor's first byte; false where there is none. Valid while it lives.
struct HostAlias {
    void* data = nullptr;
    c10::Storage keep = {};
    bool mps = false;

    explicit operator bool() const noexcept { return data != nullptr; }
    /// To be called between writing and the device's first use.
    void flush() const;
};

/// The tensor's own memory on the CPU; on MPS the shared buffer behind it (LibTorch 2.13 and newer, where every buffer
/// is shared, unless it did not allocate this one), once the device has finished with it. `t` is contiguous and starts
/// its storage.
HostAlias host_alias(const Tensor& t);

}  // namespace silica

#ifndef SILICA_COMPILED
#include "silica/core/host_alias.ipp"
#endif
