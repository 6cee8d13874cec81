#pragma once
/// Weights as codes on the CPU: rows of a block side by side, as isa/codes.hpp reads them.

#include "silica/core/compiled.hpp"
#include "silica/device/cpu/isa.hpp"
#include "silica/op/quantised.hpp"

namespace silica::device::cpu {

/// As many blocks as fill panels, the last rows zeros.
struct CodedMatrix {
    op::Coded matrix = {};  ///< all but its tensors
    Tensor codes = {};      ///< (blocks, words, lanes) int32
    Tensor scales = {};     ///< (blocks, groups, 2, lanes), in 16 bits where that loses nothing, else float32
    std::int64_t lanes = 0, group_words = 0, words = 0, groups = 0;  ///< see isa::CodeBlocks

    /// Packs codes for the best instruction set here.
    [[nodiscard]] static CodedMatrix pack(op::Coded s);
    /// The codes as they were before.
    [[nodiscard]] op::Coded unpack() const;
};

}  // namespace silica::device::cpu

#ifndef SILICA_COMPILED
#include "silica/device/cpu/coded_matrix.ipp"
#endif
