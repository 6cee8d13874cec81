#pragma once
/// A decoding step as a CUDA graph: a few hundred small kernels with one launch.

#include "silica/device/cuda.hpp"
#include "silica/device/cuda/graph.hpp"
#include "silica/placement.hpp"

#include <concepts>
#include <memory>

namespace silica::generate {

namespace detail {

template <class Exec, class Ops>
inline constexpr bool all_native = [] {
    for (const auto& p : silica::detail::table_of<Exec>(typename silica::detail::with_parts<Ops>::type{})) {
        if (!p.native) return false;
    }
    return true;
}();

/// A state that says when its steps are alike.
template <class State>
concept Replays = requires(State& state) {
    { state.replays() } -> std::convertible_to<bool>;
    state.advance(1);
};

template <class Model>
constexpr bool can_capture() {
    if constexpr (Model::Device::type == c10::DeviceType::CUDA && Replays<typename Model::Network::State>)
        return all_native<typename Model::Exec, typename Model::Network::Ops>;
    else
        return false;
}

}  // namespace detail

/// Whether a step of `Model` can be recorded: on CUDA, no op leaves home, and its State says which steps are alike:
/// - `replays()`: steps of one kind do the same to the same tensors; `step_kind()`: the kind of the next one;
/// - `advance(tokens)`: what the host counts, which a replay leaves as it was.
template <class Model>
inline constexpr bool capturable = detail::can_capture<Model>();

/// Work that is the same each time, on tensors that stay where they are: run as it is at first, then recorded and
/// replayed.
class CapturedStep {
public:
    /// Does what `f` does, on `device`. True when `f` ran on the host, false when the device replayed it. What `f` does
    /// on the host alone happens only in the first case. Tensors that `f` makes are overwritten by the next call.
    template <class F>
    bool operator()(c10::Device device, F&& f) {
        if (!warm_) {  // libraries make their handles, kernels are compiled
            f();
            warm_ = true;
            return true;
        }
        const bool first = graph_ == nullptr;
        if (first) {
            auto graph = std::make_unique<device::cuda::Graph>();
            device::cuda::record(*graph, device, f);
            graph_ = std::move(graph);
        }
        graph_->replay();
        return first;
    }

    /// The work is no longer the same: the next call records anew.
    void forget() { graph_.reset(); }

private:
    std::unique_ptr<device::cuda::Graph> graph_;
    bool warm_ = false;
};

}  // namespace silica::generate
