#pragma once
/// Packing codes, and products with them.

#include "silica/core/allocate.hpp"
#include "silica/device/cpu/coded_linear.hpp"
#include "silica/device/cpu/isa/codes.hpp"
#include "silica/device/cpu/isa/math.hpp"
#include "silica/device/cpu/isa/on_panels.hpp"
#include "silica/device/cpu/isa/product.hpp"
#include "silica/device/cpu/panels.hpp"
#include "silica/device/cpu/rows.hpp"

#include <ATen/ops/linear.h>

#include <vector>

namespace silica::device::cpu {
namespace coded {

inline const c10::Device& host() {
    static const c10::Device cpu(c10::DeviceType::CPU);
    return cpu;
}

/// Calls f.operator()<S>(scales) for the type of the scales.
template <class F>
auto with_scales(const CodedLinear& w, const F& f) {
    if (w.scales.scalar_type() == c10::ScalarType::BFloat16)
        return f.template operator()<c10::BFloat16>(w.scales.const_data_ptr<c10::BFloat16>());
    return f.template operator()<float>(w.scales.const_data_ptr<float>());
}

/// Blocks from `block` on.
template <class S>
isa::CodeBlocks<S> blocks(const CodedLinear& w, const S* scales, std::int64_t block) {
    const auto* codes = reinterpret_cast<const std::uint32_t*>(w.codes.const_data_ptr<std::int32_t>());
    return {codes + block * w.words * w.lanes, scales + block * w.groups * 2 * w.lanes, w.groups, w.group_words,
            w.words};
}

template <class S>
void dots(isa::Isa set, int bits, const isa::CodeDotsArguments<S>& a) {
    bits == 4 ? isa::on<isa::CodeDots<4>>(set, &a) : isa::on<isa::CodeDots<8>>(set, &a);
}
template <class S>
void decode(isa::Isa set, int bits, const isa::DecodeArguments<S>& a) {
    bits == 4 ? isa::on<isa::Decode<4>>(set, &a) : isa::on<isa::Decode<8>>(set, &a);
}

/// One row of x as the loops want it: groups at whole words, and their sums.
template <class T>
void lay_out(const T* x, const CodedLinear& w, float* out, float* sums) {
    const std::int64_t in_word = 32 / w.matrix.bits, group = w.matrix.group, columns = w.matrix.columns;
    std::fill(out, out + w.words * in_word, 0.0F);
    for (std::int64_t g = 0; g < w.groups; ++g) {
        float* const to = out + g * w.group_words * in_word;
        const std::int64_t n = std::min(group, columns - g * group);
        const isa::WidenArguments<T> a{x + g * group, n, to};
        isa::on_best<isa::Widen>(&a);
        float sum = 0;
        for (std::int64_t i = 0; i < n; ++i) sum += to[i];
        sums[g] = sum;
    }
}

/// Few rows of x: blocks of W are read once. What is gated needs blocks that begin with the rows of U.
template <class T, class S>
void product_of_few(isa::Isa set, const CodedLinear& w, const S* scales, const Product<T>& p) {
    constexpr std::int64_t columns = 64;
    const std::int64_t lanes = w.lanes, ldx = w.words * (32 / w.matrix.bits), at_once = columns / lanes;
    const Scratch<6> room(static_cast<std::size_t>(p.m * (ldx + w.groups)));
    float *const x = room.data(), *const of_x = x + p.m * ldx;
    for (std::int64_t i = 0; i < p.m; ++i) lay_out(p.x + i * p.ldx, w, x + i * ldx, of_x + i * w.groups);
    const std::int64_t all = (p.n + lanes - 1) / lanes, read = w.words * 4 * lanes * (p.gated ? 2 : 1);
    const std::int64_t grain = std::max<std::int64_t>(1, (std::int64_t{1} << 16) / std::max<std::int64_t>(read, 1));
    parallel_for(0, all, grain, [&](std::int64_t first, std::int64_t last) {
        alignas(64) std::array<std::array<float, few_rows * columns>, 2> sums;
        for (std::int64_t block = first; block < last; block += at_once) {
            const std::int64_t count = std::min(at_once, last - block);
            for (std::int64_t part = 0; part < (p.gated ? 2 : 1); ++part)
                dots<S>(set, w.matrix.bits,
                        {blocks(w, scales, block + part * (p.n / lanes)), count, x, ldx, of_x, p.m,
                         sums[static_cast<std::size_t>(part)].data(), columns});
            detail::finish(set, p, 0, p.m, block * lanes, std::min(count * lanes, p.n - block * lanes), sums[0].data(),
                           sums[1].data(), columns);
        }
    });
}

/// Panels that are made where they are used.
template <class S>
struct CodedPanels {
    static constexpr bool in_memory = false;
    isa::Isa set;
    const CodedLinear& w;
    const S* scales;
    std::int64_t n, width;

    [[nodiscard]] const float* at(std::int64_t part, std::int64_t panel, std::int64_t u, std::int64_t units,
                                  float* room) const {
        const std::int64_t each = width / w.lanes;
        for (std::int64_t i = 0; i < each; ++i)
            decode<S>(set, w.matrix.bits,
                      {blocks(w, scales, (part * (n / width) + panel) * each + i), w.matrix.group, w.matrix.columns, u,
                       units, room + i * w.lanes, width});
        return room;
    }
};

/// Rows [first, first + count) of W, plain.
inline Tensor decoded(const CodedLinear& w, std::int64_t first, std::int64_t count, c10::ScalarType type) {
    const Tensor rows = at::empty({count, w.matrix.columns}, at::TensorOptions().dtype(type));
    const isa::Isa set = isa::best();
    const std::int64_t k = w.matrix.columns, lanes = w.lanes, begin = first / lanes,
                       end = (first + count - 1) / lanes + 1;
    with_scales(w, [&]<class S>(const S* scales) {
        with_type(rows, [&]<class T>() {
            T* const out = rows.template mutable_data_ptr<T>();
            parallel_for(begin, end, (std::int64_t{1} << 14) / (k * lanes) + 1,
                         [&](std::int64_t from, std::int64_t to) {
                             const Scratch<6> room(static_cast<std::size_t>(k * lanes));
                             for (std::int64_t b = from; b < to; ++b) {
                                 decode<S>(set, w.matrix.bits,
                                           {blocks(w, scales, b), w.matrix.group, k, 0, k, room.data(), lanes});
                                 for (std::int64_t r = std::max(b * lanes, first);
                                      r < std::min((b + 1) * lanes, first + count); ++r)
                                     for (std::int64_t i = 0; i < k; ++i)
                                         out[(r - first) * k + i] = static_cast<T>(room.data()[i * lanes + r % lanes]);
                             }
                         });
        });
    });
    return rows;
}

/// Whether rounding to `type` and back changes nothing.
inline bool survives(const Tensor& t, c10::ScalarType type) { return t.to(type).to(t.scalar_type()).equal(t); }

/// By our own kernels; undefined where they do not serve.
template <class T>
Tensor product_of(const CodedLinear& w, const Tensor& x, const After& after) {
    const std::int64_t k = w.matrix.columns, n = w.matrix.rows / (after.gated ? 2 : 1), m = x.numel() / k;
    const isa::Isa set = isa::best();
    const bool few = m <= few_rows, panels = panel_width(set) > 0 && fits_panels(set, n, after.gated);
    if (few ? after.gated && n % w.lanes != 0 : !panels) return {};
    if (!few && (!std::is_same_v<T, float>)) return {};
    std::vector<std::int64_t> shape(x.sizes().begin(), x.sizes().end());
    shape.back() = n;
    Tensor residual;
    if (after.residual) {
        if (after.residual->scalar_type() != x.scalar_type() || after.residual->sizes() != shape) return {};
        residual = after.residual->contiguous();
    }
    const Tensor rows = x.contiguous(), y = at::empty(shape, x.options());
    const auto& bias = w.matrix.bias;
    const Product<T> p{.x = rows.const_data_ptr<T>(),
                       .ldx = k,
                       .m = m,
                       .w = nullptr,
                       .k = k,
                       .n = n,
                       .gated = after.gated,
                       .bias = bias ? bias->const_data_ptr<T>() : nullptr,
                       .residual = residual.defined() ? residual.const_data_ptr<T>() : nullptr,
                       .act = after.act,
                       .y = y.mutable_data_ptr<T>()};
    if (m == 0 || n == 0) return y;
    with_scales(w, [&]<class S>(const S* scales) {
        if (few) {
            product_of_few(set, w, scales, p);
        } else if constexpr (std::is_same_v<T, float>) {
            const CodedPanels<S> made{set, w, scales, n, panel_width(set)};
            detail::ProductOnPanels(set, p, made).run();
        }
    });
    return y;
}

}  // namespace coded

SILICA_INLINE CodedLinear CodedLinear::pack(op::Coded s, bool integers) {
    CodedLinear w;
    w.integers = integers;
    if (s.plain()) {
        w.plain = PackedLinear::pack({std::move(s.weight), std::move(s.bias)});
        return w;
    }
    const std::int64_t rows = s.rows, group = s.group, in_word = 32 / s.bits, width = panel_width(isa::best());
    w.lanes = isa::tiling<float>(isa::best()).lanes;
    w.groups = (s.columns + group - 1) / group;
    w.group_words = (group + in_word - 1) / in_word;
    w.words = (w.groups - 1) * w.group_words + (s.columns - (w.groups - 1) * group + in_word - 1) / in_word;
    const std::int64_t round = std::max(w.lanes, width), blocks = (rows + round - 1) / round * (round / w.lanes);
    const bool small =
        coded::survives(s.scales, c10::ScalarType::BFloat16) && coded::survives(s.biases, c10::ScalarType::BFloat16);
    w.codes = allocate({blocks, w.words, w.lanes}, c10::ScalarType::Int, coded::host());
    w.scales = allocate({blocks, w.groups, 2, w.lanes}, small ? c10::ScalarType::BFloat16 : c10::ScalarType::Float,
                        coded::host());
    const Tensor scales = s.scales.to(w.scales.scalar_type()), biases = s.biases.to(w.scales.scalar_type());
    const std::int64_t of_file = s.codes.size(1), lanes = w.lanes;
    const auto* from = s.codes.const_data_ptr<std::int32_t>();
    auto* const to = w.codes.mutable_data_ptr<std::int32_t>();
    parallel_for(0, blocks, 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t b = first; b < last; ++b) {
            for (std::int64_t lane = 0; lane < lanes; ++lane) {
                const std::int64_t r = b * lanes + lane;
                std::int32_t* const out = to + b * w.words * lanes + lane;
                for (std::int64_t i = 0; i < w.words; ++i) {
                    if (r >= rows) {
                        out[i * lanes] = 0;
                        continue;
                    }
                    const auto* const row = reinterpret_cast<const std::uint32_t*>(from) + r * of_file;
                    // The words of a group begin where its first code lies, which need not be at a word of the file.
                    const std::int64_t g = i / w.group_words, at = i % w.group_words * in_word;
                    const std::int64_t column = g * group + at, n = std::min({in_word, group - at, s.columns - column});
                    const std::int64_t bit = column * s.bits, word = bit / 32;
                    std::uint64_t two = row[word];
                    if (word + 1 < of_file) two |= static_cast<std::uint64_t>(row[word + 1]) << 32U;
                    two >>= static_cast<unsigned>(bit % 32);
                    if (n < in_word) two &= (std::uint64_t{1} << static_cast<unsigned>(n * s.bits)) - 1;
                    out[i * lanes] = static_cast<std::int32_t>(static_cast<std::uint32_t>(two));
                }
            }
        }
    });
    with_type(w.scales, [&]<class S>() {
        const S *const each = scales.template const_data_ptr<S>(), *const add = biases.template const_data_ptr<S>();
        S* out = w.scales.template mutable_data_ptr<S>();
        for (std::int64_t b = 0; b < blocks; ++b) {
            for (std::int64_t g = 0; g < w.groups; ++g) {
                for (const S* of : {each, add}) {
                    for (std::int64_t r = b * lanes; r < (b + 1) * lanes; ++r)
                        *out++ = r < rows ? of[r * w.groups + g] : S(0.0F);
                }
            }
        }
    });
    s.codes = s.scales = s.biases = Tensor();
    w.matrix = std::move(s);
    return w;
}

SILICA_INLINE CodedLinear CodedLinear::keep(op::Coded s, bool integers) {
    if (!s.plain()) return pack(std::move(s), integers);
    CodedLinear w;
    w.plain = PackedLinear::keep({std::move(s.weight), std::move(s.bias)});
    return w;
}

SILICA_INLINE op::Coded CodedLinear::unpack() const {
    if (plain) return plain->unpack();
    checkpoint::Quantised q = matrix.quantised();
    q.codes = at::zeros({q.rows, q.words()}, c10::ScalarType::Int);
    const std::int64_t in_word = 32 / q.bits;
    const auto mask = (std::uint32_t{1} << static_cast<unsigned>(q.bits)) - 1;
    const auto* from = reinterpret_cast<const std::uint32_t*>(codes.const_data_ptr<std::int32_t>());
    auto* to = reinterpret_cast<std::uint32_t*>(q.codes.mutable_data_ptr<std::int32_t>());
    for (std::int64_t r = 0; r < q.rows; ++r) {
        for (std::int64_t k = 0; k < q.columns; ++k) {
            const std::int64_t g = k / q.group, at = k % q.group;
            const std::int64_t word = g * group_words + at / in_word;
            const auto code =
                from[(r / lanes * words + word) * lanes + r % lanes] >> static_cast<unsigned>(at % in_word * q.bits);
            to[r * q.words() + k / in_word] |= (code & mask) << static_cast<unsigned>(k % in_word * q.bits);
        }
    }
    const Tensor both = scales.to(c10::ScalarType::Float).permute({2, 0, 3, 1}).reshape({2, -1, groups});
    q.scales = both[0].narrow(0, 0, q.rows).contiguous();
    q.biases = both[1].narrow(0, 0, q.rows).contiguous();
    return {q, matrix.bias, matrix.type};
}

SILICA_INLINE Tensor CodedLinear::operator()(const Tensor& x) const {
    if (plain) return (*plain)(x);
    if (const Tensor y = product(x, {}); y.defined()) return y;
    // Rows of W as many as the caches hold.
    const std::int64_t k = matrix.columns, step = std::max<std::int64_t>(64, (std::int64_t{1} << 20) / k / 64 * 64);
    std::vector<std::int64_t> shape(x.sizes().begin(), x.sizes().end());
    shape.back() = matrix.rows;
    const Tensor y = at::empty(shape, x.options());
    for (std::int64_t n = 0; n < matrix.rows; n += step) {
        const std::int64_t count = std::min(step, matrix.rows - n);
        const Tensor rows = coded::decoded(*this, n, count, x.scalar_type());
        y.narrow(-1, n, count)
            .copy_(at::linear(x, rows, matrix.bias ? std::optional(matrix.bias->narrow(0, n, count)) : std::nullopt));
    }
    return y;
}

SILICA_INLINE Tensor CodedLinear::product(const Tensor& x, const After& after) const {
    if (plain) return plain->product(x, after);
    if (x.scalar_type() != matrix.type || x.dim() == 0 || x.size(-1) != matrix.columns || !isa::has(after.act))
        return {};
    switch (x.scalar_type()) {
        case c10::ScalarType::Float:
            return coded::product_of<float>(*this, x, after);
        case c10::ScalarType::BFloat16:
            return coded::product_of<c10::BFloat16>(*this, x, after);
        case c10::ScalarType::Half:
            return coded::product_of<c10::Half>(*this, x, after);
        default:
            return {};
    }
}

}  // namespace silica::device::cpu
