#pragma once
/// Weights of products as codes of few bits, everything else in a plain precision.

#include "silica/precision/concept.hpp"
#include "silica/precision/fp32.hpp"

namespace silica {

/// In what numbers the products with codes take their inputs.
namespace activations {

/// As they are.
struct Exact {
    static constexpr bool integers = false;
};

/// In 8 bits by groups of 32, where the processor multiplies such (AVX-512 VNNI, AVX2, NEON's dot products): faster,
/// within half a percent for a product. Elsewhere as they are.
struct Int8 {
    static constexpr bool integers = true;
};

}  // namespace activations

namespace precision {

/// Matrices of Linear and of projections to the vocabulary in codes of `Bits` (4 or 8; 0: as OpenOptions::bits says),
/// each group of a row with a scale and a bias; embeddings, norms, convolutions, inputs and outputs in `C`. A
/// checkpoint whose weights are codes already keeps its own bits and groups, others are quantised while they load.
template <class C, int Bits, class Activations = activations::Exact>
struct WeightOnly {
    static_assert(Bits == 0 || Bits == 4 || Bits == 8, "weights are quantised in 4 or 8 bits");
    static_assert(!C::quantised, "the first argument is a plain precision: what is not quantised is in it");

    static constexpr std::string_view name = [] {
        constexpr bool exact = !Activations::integers;
        if (Bits == 4) return std::string_view(exact ? "int4" : "int4, int8 activations");
        if (Bits == 8) return std::string_view(exact ? "int8" : "int8, int8 activations");
        return std::string_view(exact ? "codes" : "codes, int8 activations");
    }();
    static constexpr c10::ScalarType storage = c10::ScalarType::Byte, compute = C::compute, reduce = C::reduce;
    static constexpr bool quantised = true;
    static constexpr int bits = Bits;
    using plain = C;
    static constexpr bool integers = Activations::integers;
};

}  // namespace precision
}  // namespace silica
