#pragma once
/// Quantising by groups and back.

#include "silica/checkpoint/codes.hpp"
#include "silica/checkpoint/quantised.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/core/allocate.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/narrowed.hpp"
#include "silica/core/parallel.hpp"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>

namespace silica::checkpoint {
namespace detail {

/// Memory on the host for what `q` says it holds.
inline void allocate_for(Quantised& q) {
    const c10::Device host(c10::DeviceType::CPU);
    q.codes = allocate({q.rows, q.words()}, c10::ScalarType::Int, host);
    q.scales = allocate({q.rows, q.groups()}, c10::ScalarType::Float, host);
    q.biases = allocate({q.rows, q.groups()}, c10::ScalarType::Float, host);
}

/// Rows so short are not worth another thread.
inline std::int64_t quantise_grain(std::int64_t columns) {
    return (std::int64_t{1} << 14) / std::max<std::int64_t>(columns, 1) + 1;
}

/// x rounded to a whole number, ties to even; |x| < 2^22.
inline float whole(float x) {
    constexpr float shift = 12582912.0F;  // 1.5 * 2^23: the last bit of what is near to it counts ones
    return (x + shift) - shift;
}

/// Quantises a group of n values; scale and bias are rounded in T. False where one of them is not finite.
template <class T>
bool quantise_group(const float* w, std::int64_t n, float top, float& scale, float& bias, std::uint8_t* codes) {
    float least = w[0], most = w[0], odd = 0;
    for (std::int64_t i = 0; i < n; ++i) {
        least = std::min(least, w[i]);
        most = std::max(most, w[i]);
        odd += w[i] * 0.0F;  // NaN, unless all are finite
    }
    const float width = most - least;
    if (odd != 0 || std::isnan(odd) || !(width <= std::numeric_limits<float>::max())) return false;
    const bool down = std::abs(least) > std::abs(most);
    const float step = std::max(width / top, 1e-7F), edge = down ? least : most;
    float s = down ? step : -step, b = 0;
    if (const float steps = std::nearbyint(std::clamp(edge / s, -1e30F, 1e30F)); steps != 0) {
        s = edge / steps;
        b = edge;
    }
    for (std::int64_t i = 0; i < n; ++i)
        codes[i] = static_cast<std::uint8_t>(whole(std::clamp((w[i] - b) / s, 0.0F, top)));
    scale = static_cast<float>(narrowed<T>(s));
    bias = static_cast<float>(narrowed<T>(b));
    return true;
}

template <class T>
void quantise_rows(const Tensor& weight, Quantised& q, const std::string& where) {
    const T* from = weight.const_data_ptr<T>();
    auto* const codes = q.codes.mutable_data_ptr<std::int32_t>();
    float *const scales = q.scales.mutable_data_ptr<float>(), *const biases = q.biases.mutable_data_ptr<float>();
    const float top = q.bits == 4 ? 15.0F : 255.0F;
    const std::int64_t words = q.words(), groups = q.groups();
    std::atomic<std::int64_t> bad{-1};
    parallel_for(0, q.rows, quantise_grain(q.columns), [&](std::int64_t first, std::int64_t last) {
        std::vector<float> row(static_cast<std::size_t>(q.columns));
        std::vector<std::uint8_t> bytes(row.size());
        for (std::int64_t r = first; r < last; ++r) {
            for (std::int64_t i = 0; i < q.columns; ++i)
                row[static_cast<std::size_t>(i)] = static_cast<float>(from[r * q.columns + i]);
            for (std::int64_t g = 0; g < groups; ++g) {
                const std::int64_t at = g * q.group;
                if (!quantise_group<T>(row.data() + at, std::min(q.group, q.columns - at), top, scales[r * groups + g],
                                       biases[r * groups + g], bytes.data() + at))
                    bad = r;
            }
            pack_codes(bytes.data(), q.columns, q.bits, codes + r * words);
        }
    });
    if (bad >= 0) {
        throw CheckpointError(where + " has NaN, infinities or a range that float32 does not hold in row " +
                                  std::to_string(bad) + ", which no codes stand for.",
                              "use a precision without quantised weights, or download the weights again.");
    }
}

template <class T>
void dequantise_rows(const Quantised& q, Tensor& weight) {
    T* const to = weight.mutable_data_ptr<T>();
    const auto* const codes = q.codes.const_data_ptr<std::int32_t>();
    const float *const scales = q.scales.const_data_ptr<float>(), *const biases = q.biases.const_data_ptr<float>();
    const std::int64_t words = q.words(), groups = q.groups();
    parallel_for(0, q.rows, quantise_grain(q.columns), [&](std::int64_t first, std::int64_t last) {
        std::vector<std::uint8_t> bytes(static_cast<std::size_t>(q.columns));
        for (std::int64_t r = first; r < last; ++r) {
            unpack_codes(codes + r * words, q.columns, q.bits, bytes.data());
            for (std::int64_t g = 0; g < groups; ++g) {
                const float scale = scales[r * groups + g], bias = biases[r * groups + g];
                for (std::int64_t i = g * q.group; i < std::min((g + 1) * q.group, q.columns); ++i) {
                    const float w = static_cast<float>(bytes[static_cast<std::size_t>(i)]) * scale + bias;
                    to[r * q.columns + i] = narrowed<T>(w);
                }
            }
        }
    });
}

/// The same weights in codes of `bits` and groups of `group`, which divides theirs.
inline Quantised refined(const Quantised& q, int bits, std::int64_t group) {
    Quantised fine{.bits = bits, .rows = q.rows, .columns = q.columns, .group = group};
    fine.codes = q.codes;
    if (bits != q.bits) {
        fine.codes = at::zeros({q.rows, fine.words()}, c10::ScalarType::Int);
        std::vector<std::uint8_t> bytes(static_cast<std::size_t>(q.columns));
        for (std::int64_t r = 0; r < q.rows; ++r) {
            unpack_codes(q.codes.const_data_ptr<std::int32_t>() + r * q.words(), q.columns, q.bits, bytes.data());
            pack_codes(bytes.data(), q.columns, bits, fine.codes.mutable_data_ptr<std::int32_t>() + r * fine.words());
        }
    }
    const std::int64_t times = q.group / group;
    const auto spread = [&](const Tensor& t) {
        if (times == 1) return t;
        const Tensor each = t.unsqueeze(2).expand({q.rows, q.groups(), times}).reshape({q.rows, q.groups() * times});
        return each.narrow(1, 0, fine.groups()).contiguous();
    };
    fine.scales = spread(q.scales);
    fine.biases = spread(q.biases);
    return fine;
}

}  // namespace detail

SILICA_INLINE void require_quantising(int bits, std::int64_t group) {
    const bool known = group == 32 || group == 64 || group == 128 || (group == 0 && bits == 8);
    if ((bits == 4 || bits == 8) && known) return;
    throw InputError(
        "Weights are not quantised in " + std::to_string(bits) + " bits by groups of " + std::to_string(group) + ".",
        "use 4 or 8 bits and groups of 32, 64 or 128 columns, or with 8 bits 0 for one of the whole row.");
}

SILICA_INLINE void check(const Quantised& q, const std::string& where) {
    const auto refuse = [&](const std::string& what) {
        throw CheckpointError(where + ": " + what, "download the file again, or have it quantised again.");
    };
    if (q.bits != 4 && q.bits != 8) refuse("codes of " + std::to_string(q.bits) + " bits, not 4 or 8.");
    if (q.rows < 0 || q.columns < 1 || q.group < 1 || q.group > q.columns) {
        refuse(std::to_string(q.rows) + " rows of " + std::to_string(q.columns) + " columns in groups of " +
               std::to_string(q.group) + ".");
    }
    const auto require = [&](const Tensor& t, std::string_view what, c10::ScalarType type, std::int64_t columns) {
        const std::vector<std::int64_t> shape{q.rows, columns};
        if (t.defined() && t.sizes() == shape && t.scalar_type() == type && t.device().is_cpu() && t.is_contiguous())
            return;
        refuse("the " + std::string(what) + " are not " + tuple_text(shape) + " of " + c10::toString(type) +
               " on the host.");
    };
    require(q.codes, "codes", c10::ScalarType::Int, q.words());
    require(q.scales, "scales", c10::ScalarType::Float, q.groups());
    require(q.biases, "biases", c10::ScalarType::Float, q.groups());
}

SILICA_INLINE Quantised quantise(const Tensor& weight, int bits, std::int64_t group, const std::string& where) {
    if ((bits != 4 && bits != 8) || group < 0 || !weight.defined() || weight.dim() != 2 || weight.size(1) < 1 ||
        !weight.device().is_cpu()) {
        throw InputError(
            "A weight is quantised in 4 or 8 bits by groups of 0 columns (the whole row) or more, and lies "
            "on the host as (rows, columns).",
            "pass such a weight, number of bits and group.");
    }
    Quantised q{.bits = bits, .rows = weight.size(0), .columns = weight.size(1)};
    q.group = Quantised::group_of(group, q.columns);
    detail::allocate_for(q);
    const Tensor rows = weight.contiguous();
    switch (rows.scalar_type()) {
        case c10::ScalarType::Float:
            detail::quantise_rows<float>(rows, q, where);
            break;
        case c10::ScalarType::Half:
            detail::quantise_rows<c10::Half>(rows, q, where);
            break;
        case c10::ScalarType::BFloat16:
            detail::quantise_rows<c10::BFloat16>(rows, q, where);
            break;
        case c10::ScalarType::Double:
            detail::quantise_rows<float>(rows.to(c10::ScalarType::Float), q, where);
            break;
        default:
            throw InputError(std::string("A weight of ") + c10::toString(rows.scalar_type()) + " is not quantised.",
                             "pass one of float32, float16, bfloat16 or float64.");
    }
    return q;
}

SILICA_INLINE Tensor dequantised(const Quantised& q, c10::ScalarType type) {
    Tensor weight = allocate({q.rows, q.columns}, type, c10::Device(c10::DeviceType::CPU));
    switch (type) {
        case c10::ScalarType::Float:
            detail::dequantise_rows<float>(q, weight);
            break;
        case c10::ScalarType::Half:
            detail::dequantise_rows<c10::Half>(q, weight);
            break;
        case c10::ScalarType::BFloat16:
            detail::dequantise_rows<c10::BFloat16>(q, weight);
            break;
        case c10::ScalarType::Double:
            detail::dequantise_rows<double>(q, weight);
            break;
        default:
            throw InputError(std::string("Weights are not dequantised to ") + c10::toString(type) + ".",
                             "name float32, float16, bfloat16 or float64.");
    }
    return weight;
}

SILICA_INLINE Quantised joined_rows(std::span<const Quantised> parts) {
    if (parts.empty()) throw InputError("No quantised weights are joined.", "pass one or more.");
    if (parts.size() == 1) return parts[0];
    Quantised all{.bits = 4, .rows = 0, .columns = parts[0].columns, .group = 0};
    for (const auto& part : parts) {
        if (part.columns != all.columns)
            throw InputError("Quantised weights of different columns are joined.", "pass those of one layer.");
        all.bits = std::max(all.bits, part.bits);
        all.group = std::gcd(all.group, part.group);
        all.rows += part.rows;
    }
    detail::allocate_for(all);
    std::int64_t row = 0;
    for (const auto& part : parts) {
        const Quantised fine = detail::refined(part, all.bits, all.group);
        all.codes.narrow(0, row, part.rows).copy_(fine.codes);
        all.scales.narrow(0, row, part.rows).copy_(fine.scales);
        all.biases.narrow(0, row, part.rows).copy_(fine.biases);
        row += part.rows;
    }
    return all;
}

}  // namespace silica::checkpoint
