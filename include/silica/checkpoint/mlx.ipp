#pragma once
/// Reading MLX's form.

#include "silica/checkpoint/mlx.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"

#include <algorithm>
#include <iterator>

namespace silica::checkpoint {
namespace mlx_detail {

/// The bits of codes that fill `words` words with `columns` of them; 0 for none that are read.
inline int bits_of(std::int64_t words, std::int64_t columns) {
    for (const int bits : {4, 8})
        if (columns > 0 && Quantised::words(columns, bits) == words) return bits;
    return 0;
}

inline bool is_real(const TensorEntry& e) {
    return e.dtype == c10::ScalarType::Float || e.dtype == c10::ScalarType::Half ||
           e.dtype == c10::ScalarType::BFloat16;
}

inline bool affine(const Json& json) {
    const Json *bits = json.find("bits"), *mode = json.find("mode"), *group = json.find("group_size");
    if (mode != nullptr && !mode->is_null() && !(mode->is_string() && mode->string() == "affine")) return false;
    if (group != nullptr && !(group->is_integer() && group->integer() > 0)) return false;
    return bits != nullptr && bits->is_integer() && (bits->integer() == 4 || bits->integer() == 8);
}

}  // namespace mlx_detail

SILICA_INLINE bool reads_mlx(const Json& quantisation) {
    if (!quantisation.is_object() || quantisation.find("quant_method") != nullptr || !mlx_detail::affine(quantisation))
        return false;
    const auto& keys = quantisation.object();
    return std::all_of(keys.begin(), keys.end(), [](const auto& item) {
        const Json& value = item.second;
        return !value.is_object() || mlx_detail::affine(value);
    });
}

SILICA_INLINE void MlxMatrix::check(std::int64_t rows, std::int64_t columns, const std::string& where) const {
    const std::string name = where + ": " + quote(codes->name);
    const auto refuse = [&](const std::string& what) {
        throw CheckpointError(name + what,
                              "use a checkpoint that MLX quantised in 4 or 8 bits, and its own config.json.");
    };
    const std::string wanted =
        ", which are no codes of 4 or 8 bits of a matrix " + tuple_text(std::vector<std::int64_t>{rows, columns}) + ".";
    if (codes->dtype != c10::ScalarType::UInt32 && codes->dtype != c10::ScalarType::Int)
        refuse(" is of type " + codes->dtype_name + " beside scales" + wanted);
    if (codes->shape.size() != 2 || codes->shape[0] != rows || mlx_detail::bits_of(codes->shape[1], columns) == 0)
        refuse(" has shape " + tuple_text(codes->shape) + wanted);
    for (const auto* e : {scales, biases}) {
        const bool fits = mlx_detail::is_real(*e) && e->shape.size() == 2 && e->shape[0] == rows && e->shape[1] > 0 &&
                          columns % e->shape[1] == 0 && e->shape == scales->shape;
        if (!fits) {
            refuse(" goes with " + quote(e->name) + " of " + e->dtype_name + " " + tuple_text(e->shape) +
                   ", which are no scales or biases of equal groups of " + std::to_string(columns) + " columns.");
        }
    }
}

SILICA_INLINE Quantised MlxMatrix::read(TensorSource& source, std::int64_t rows, std::int64_t columns) const {
    check(rows, columns, source.where());
    const c10::Device host(c10::DeviceType::CPU);
    Quantised q{.bits = mlx_detail::bits_of(codes->shape[1], columns),
                .rows = rows,
                .columns = columns,
                .group = columns / scales->shape[1]};
    q.codes = source.read(*codes, codes->dtype, host).contiguous().view(c10::ScalarType::Int);
    q.scales = source.read(*scales, c10::ScalarType::Float, host);
    q.biases = source.read(*biases, c10::ScalarType::Float, host);
    checkpoint::check(q, source.where());
    return q;
}

}  // namespace silica::checkpoint
