#pragma once
/// What a loader policy states. Smallest examples: loader/cpu_first.hpp, examples/my_loader in docs/add-a-loader.md.

#include "silica/checkpoint/checkpoint.hpp"
#include "silica/checkpoint/source.hpp"

#include <concepts>
#include <memory>
#include <string_view>

namespace silica {

/// A strategy by which the bytes of a checkpoint become weights on a device: an empty struct with a `name` and a
/// template `load(checkpoint, build)`, which makes a TensorSource, calls `build(source)` and returns what that returns.
/// It may build more than once: `FirstOf` does, after a failure.
template <class L>
concept LoaderPolicy = requires(const checkpoint::Checkpoint& c) {
    { L::name } -> std::convertible_to<std::string_view>;
    {
        L::load(c, [](checkpoint::TensorSource&) { return 0; })
    } -> std::same_as<int>;
};

}  // namespace silica
