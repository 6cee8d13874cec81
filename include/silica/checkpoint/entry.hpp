#pragma once
/// One tensor of a checkpoint: where its bytes are and how to read them.

#include "silica/checkpoint/text.hpp"
#include "silica/core/error.hpp"

#include <c10/core/ScalarType.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::checkpoint {

/// A tensor as it lies in a file. Everything here has been checked against the file's size.
struct TensorEntry {
    std::string name = {};  ///< as the file spells it
    /// Undefined for a type that LibTorch cannot hold; `dtype_name` says which.
    at::ScalarType dtype = at::ScalarType::Undefined;
    std::vector<std::int64_t> shape = {};    ///< empty: a scalar
    std::vector<std::int64_t> strides = {};  ///< in elements; row-major, except for views in torch files
    std::uint64_t offset = 0;                ///< of the first element, from the start of the file; of any alignment
    std::uint64_t nbytes = 0;     ///< from the first to the last element; less than all elements for expanded views
    std::size_t file = 0;         ///< index in Checkpoint::files()
    std::string dtype_name = {};  ///< as the format spells it: "F32", "BF16", "FloatStorage"
    bool mlx = false;             ///< of a file that MLX wrote: kernels of convolution may lie channels last

    /// The number of elements.
    [[nodiscard]] std::int64_t numel() const noexcept {
        std::int64_t n = 1;
        for (const auto size : shape) n *= size;
        return n;
    }

    /// Whether the elements lie in row-major order without gaps, so that `nbytes` of them can be copied as they are.
    [[nodiscard]] bool contiguous() const noexcept {
        std::int64_t step = 1;
        for (std::size_t d = shape.size(); d-- > 0;) {
            if (shape[d] == 0) return true;
            if (shape[d] != 1 && strides[d] != step) return false;
            step *= shape[d];
        }
        return true;
    }

    /// Whether both are the same bytes, read the same way: a tensor stored once under two names.
    [[nodiscard]] bool same_storage(const TensorEntry& other) const noexcept {
        return file == other.file && offset == other.offset && nbytes == other.nbytes && dtype == other.dtype &&
               shape == other.shape && strides == other.strides;
    }
};

/// An element type of the safetensors format.
struct FormatDtype {
    std::string_view name;
    at::ScalarType dtype;  ///< Undefined where LibTorch has none
    unsigned bits;         ///< of one element
};

/// Every element type of the safetensors format (0.8), with LibTorch's type for it.
inline constexpr std::array<FormatDtype, 22> format_dtypes = {{
    {"BOOL", at::kBool, 8},
    {"U8", at::kByte, 8},
    {"I8", at::kChar, 8},
    {"I16", at::kShort, 16},
    {"U16", at::kUInt16, 16},
    {"F16", at::kHalf, 16},
    {"BF16", at::kBFloat16, 16},
    {"I32", at::kInt, 32},
    {"U32", at::kUInt32, 32},
    {"F32", at::kFloat, 32},
    {"F64", at::kDouble, 64},
    {"I64", at::kLong, 64},
    {"U64", at::kUInt64, 64},
    {"C64", at::kComplexFloat, 64},
    {"F8_E4M3", at::ScalarType::Float8_e4m3fn, 8},
    {"F8_E5M2", at::ScalarType::Float8_e5m2, 8},
    {"F8_E8M0", at::ScalarType::Float8_e8m0fnu, 8},
    {"F8_E4M3FNUZ", at::ScalarType::Float8_e4m3fnuz, 8},
    {"F8_E5M2FNUZ", at::ScalarType::Float8_e5m2fnuz, 8},
    {"F4", at::ScalarType::Undefined, 4},
    {"F6_E2M3", at::ScalarType::Undefined, 6},
    {"F6_E3M2", at::ScalarType::Undefined, 6},
}};

/// The element type of that name, if the format has it.
[[nodiscard]] std::optional<FormatDtype> format_dtype(std::string_view name) noexcept;

/// Puts the tensors of one file in the order of their bytes, then of their ends, then of their names.
void sort_by_place(std::vector<TensorEntry>& entries);

/// The strides of a row-major tensor of this shape, in elements.
[[nodiscard]] std::vector<std::int64_t> row_major(const std::vector<std::int64_t>& shape);

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/entry.ipp"
#endif
