#pragma once
/// The layers of a network, one after another.

#include <cstdint>
#include <utility>
#include <vector>

namespace silica::nn {

/// make(0), make(1), ..., make(n - 1).
template <class F>
auto layers(std::int64_t n, F&& make) {
    std::vector<decltype(make(std::int64_t{}))> all;
    for (std::int64_t i = 0; i < n; ++i) all.push_back(make(i));
    return all;
}

/// layer(... layer(layer(x, args...), args...), args...) for each of `all` in turn.
template <class Layer, class X, class... Args>
X through(const std::vector<Layer>& all, X x, const Args&... args) {
    for (const auto& layer : all) x = layer(x, args...);
    return x;
}

}  // namespace silica::nn
