#pragma once
/// Weights as codes on CUDA: as the checkpoint has them, with scale and bias of a group side by side; and back to
/// numbers, for products with many rows.

#include "silica/device/aten/codes.hpp"
#include "silica/device/cuda/nvrtc.hpp"
#include "silica/device/cuda/source.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace silica::device::cuda {

namespace detail {

/// Codes of 64 bytes of a row.
inline std::int64_t line_of(const op::Coded& m) { return 512 / m.bits; }

/// Whether tensor cores take these codes: see mma_codes.hpp.
inline bool suits_tensor_cores(const op::Coded& m, const Tensor& codes) {
    const std::int64_t line = line_of(m), piece = m.columns % (2 * line) == 0 ? 2 * line : line;
    const bool whole = m.group <= line ? line % m.group == 0 && m.group % (line / 4) == 0
                                       : m.group % piece == 0 || m.group == m.columns;
    if (!codes.is_cuda() || m.columns % line != 0 || !whole || m.type == c10::ScalarType::Float || !has_nvrtc())
        return false;
    int major = 0;
    check(Driver::get().device_attribute(&major, 75, codes.device().index()), "reading the compute capability");
    return major >= 8;
}

/// The words of each line of 16 as four columns instead of four rows, or back: lane t of four then has words t, 4 + t,
/// 8 + t and 12 + t in one load.
inline Tensor turned(const Tensor& codes) {
    return codes.view({codes.size(0), -1, 4, 4}).transpose(2, 3).contiguous().view(codes.sizes());
}

}  // namespace detail

/// The `Packed` of kernels with codes. A matrix that stays plain has its weight in `matrix` and no codes.
struct Codes : aten::Codes {
    bool turned = false;  ///< whether the codes are in the order of tensor cores

    [[nodiscard]] static Codes pack(op::Coded s) {
        Codes c{aten::Codes::pack(std::move(s))};
        if (c.matrix.plain()) return c;
        c.turned = detail::suits_tensor_cores(c.matrix, c.codes);
        if (c.turned) c.codes = detail::turned(c.codes);
        return c;
    }
    [[nodiscard]] op::Coded unpack() const {
        op::Coded s = aten::Codes::unpack();
        if (turned) s.codes = detail::turned(s.codes);
        return s;
    }
};

namespace detail {

/// Takes BFLOAT_SCALES.
inline constexpr std::string_view scales_text = R"cuda(
template <int WHICH> struct ScaleType { typedef float type; };
template <> struct ScaleType<1> { typedef bf16 type; };
typedef ScaleType<BFLOAT_SCALES>::type S;
)cuda";

inline constexpr std::string_view decode_text = R"cuda(
constexpr int PER = 32 / BITS;

extern "C" __global__ void decode(const unsigned* __restrict__ codes, const S* __restrict__ scales, T* y, i64 count) {
    wait_for_previous();
    const i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= count) return;
    const unsigned word = codes[i];
    const int row = (int)(i / WORDS), place = (int)(i % WORDS);
    const int k = (TURNED ? (place & ~15) | (place & 3) * 4 | (place >> 2 & 3) : place) * PER;
    const S* of = scales + ((i64)row * GROUPS + k / GROUP) * 2;
    const float scale = to_float(of[0]), bias = to_float(of[1]);
    alignas(16) T some[PER];
    #pragma unroll
    for (int j = 0; j < PER; ++j)
        some[j] = from_float<T>((float)((word >> (BITS * j)) & ((1u << BITS) - 1)) * scale + bias);
    uint2* to = (uint2*)(y + (i64)row * K + k);
    #pragma unroll
    for (int j = 0; j < PER * (int)sizeof(T) / 8; ++j) to[j] = ((const uint2*)some)[j];
}
)cuda";

struct DecodeCodes;

}  // namespace detail

/// Rows [first, first + count) of W as numbers of `type`.
inline Tensor decoded(const Codes& w, std::int64_t first, std::int64_t count, at::ScalarType type) {
    const auto& m = w.matrix;
    const Tensor codes = w.codes.narrow(0, first, count), scales = w.scales.narrow(0, first, count);
    const std::int64_t in_word = 32 / m.bits, words = codes.size(1);
    const bool whole = m.columns % in_word == 0 && m.group % in_word == 0;
    if (!whole || !takes_type(type) || !has_nvrtc() || codes.numel() == 0)
        return Codes::numbers(w.matrix, w.turned ? detail::turned(codes) : codes, scales, type);
    const Tensor y = at::empty({count, m.columns}, codes.options().dtype(type));
    const bool small = scales.scalar_type() == at::kBFloat16;
    const std::uint64_t key = static_cast<std::uint64_t>(type) | static_cast<std::uint64_t>(m.bits) << 8 |
                              (small ? std::uint64_t{1} << 16 : 0) | (w.turned ? std::uint64_t{1} << 15 : 0) |
                              static_cast<std::uint64_t>(m.group) << 17 | static_cast<std::uint64_t>(m.columns) << 40;
    static const std::string text =
        std::string(prelude) + std::string(detail::scales_text) + std::string(detail::decode_text);
    const auto& f = function<detail::DecodeCodes>(y.device().index(), key, [&] {
        return KernelSource{"decode",
                            text,
                            {{"BITS", m.bits},
                             {"K", m.columns},
                             {"WORDS", words},
                             {"GROUP", m.group},
                             {"GROUPS", scales.size(1)},
                             {"BFLOAT_SCALES", small},
                             {"TURNED", w.turned}},
                            type};
    });
    const std::int64_t all = codes.numel();
    constexpr unsigned threads = 256;
    launch(f, {{static_cast<unsigned>((all + threads - 1) / threads), 1, 1}, threads}, y.device(), address(codes),
           address(scales), address(y), static_cast<long long>(all));
    return y;
}

}  // namespace silica::device::cuda
