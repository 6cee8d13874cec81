#pragma once
/// Definitions of allocate.hpp.

#include "silica/core/allocate.hpp"
#include "silica/core/checked_product.hpp"
#include "silica/core/compiled.hpp"

#include <ATen/ops/from_blob.h>
#include <c10/core/CPUAllocator.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#endif

namespace silica {

SILICA_INLINE Tensor allocate(c10::IntArrayRef shape, c10::ScalarType dtype, c10::Device device) {
    const auto options = at::TensorOptions().dtype(dtype);
    constexpr std::string_view what = "The size of a tensor";
    const auto elements = checked_product(what, std::span(shape.data(), shape.size()));
    [[maybe_unused]] const auto bytes =
        checked_product(what, {elements, static_cast<std::int64_t>(c10::elementSize(dtype))});
#if defined(__unix__) || defined(__APPLE__)
    constexpr std::int64_t large = std::int64_t{1} << 18;
    if (device.is_cpu() && bytes >= large && c10::GetCPUAllocator() == c10::GetDefaultCPUAllocator()) {
        const auto size = static_cast<std::size_t>(bytes);
        void* pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
        if (pages != MAP_FAILED) return at::from_blob(pages, shape, [size](void* p) { ::munmap(p, size); }, options);
    }
#endif
    return at::empty(shape, options.device(device));
}

}  // namespace silica
