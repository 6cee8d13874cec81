#pragma once
/// MLX's form of quantised weights: "q.weight" (rows, words) of uint32, the first code in the lowest bits, beside
/// "q.scales" and "q.biases" (rows, groups); w = code * scale + bias.

#include "silica/checkpoint/quantised.hpp"
#include "silica/checkpoint/source.hpp"
#include "silica/core/json.hpp"

#include <cstdint>

namespace silica::checkpoint {

/// Whether the object under `quantization` is MLX's and asks for codes of 4 or 8 bits, here and for each module.
[[nodiscard]] bool reads_mlx(const Json& quantisation);

/// The tensors of one matrix, whose shapes tell its bits and group once its columns are known.
struct MlxMatrix {
    const TensorEntry *codes, *scales, *biases;

    /// Throws CheckpointError, which begins with `where`, unless these are a matrix (rows, columns) of 4 or 8 bits.
    void check(std::int64_t rows, std::int64_t columns, const std::string& where) const;
    /// Reads it from the source that the tensors are of. CheckpointError as `check`.
    [[nodiscard]] Quantised read(TensorSource& source, std::int64_t rows, std::int64_t columns) const;
};

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/mlx.ipp"
#endif
