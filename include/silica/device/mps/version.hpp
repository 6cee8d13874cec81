#pragma once
/// Which LibTorch and which macOS this is: the conditions under which MPS kernels deviate from the plain ATen call.

#include <cstddef>
#include <cstdlib>
#include <string>

#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#if __has_include(<torch/headeronly/version.h>)
#include <torch/headeronly/version.h>
#else
#include <torch/version.h>
#endif

#include <ATen/detail/MPSHooksInterface.h>

namespace silica::device::mps {

/// True when compiled against a LibTorch older than the one named.
constexpr bool libtorch_before(int major, int minor) {
    return TORCH_VERSION_MAJOR < major || (TORCH_VERSION_MAJOR == major && TORCH_VERSION_MINOR < minor);
}

/// True when the running macOS is older than the one named.
inline bool macos_before(unsigned major, unsigned minor = 0) {
    return !at::detail::getMPSHooks().isOnMacOSorNewer(major, minor);
}

/// The macOS version as the system prints it ("15.1"); empty elsewhere.
inline std::string macos_version() {
#if defined(__APPLE__)
    char text[64] = {};
    std::size_t size = sizeof text - 1;
    if (sysctlbyname("kern.osproductversion", text, &size, nullptr, 0) == 0) return text;
#endif
    return {};
}

/// Compares the major number of a version text.
inline bool older(const std::string& version, long major) { return std::strtol(version.c_str(), nullptr, 10) < major; }

}  // namespace silica::device::mps
