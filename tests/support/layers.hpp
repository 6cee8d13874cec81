#pragma once
/// Layers alone: weights for them, and what their equations are computed in.

#include <map>
#include <string>
#include <utility>

#include "silica/checkpoint/weights.hpp"
#include "silica/loader/in_memory.hpp"
#include "support/devices.hpp"

namespace silica::test {

/// A checkpoint of these tensors for a model on `D`.
template <class D>
struct Checkpoint {
    explicit Checkpoint(std::map<std::string, Tensor> tensors) : source(std::move(tensors)) {}
    loader::InMemory source;
    Weights root{source, {}, place<D>()};
};

inline Tensor exact(const Tensor& t) { return t.to(at::kDouble); }

}  // namespace silica::test
