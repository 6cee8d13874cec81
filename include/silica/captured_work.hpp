#pragma once
/// Work as a CUDA graph: a few hundred small kernels with one launch.

#include "silica/device/cuda/graph.hpp"
#include "silica/placement.hpp"

#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace silica {

namespace detail {

template <class Exec, class Ops>
inline constexpr bool all_native = [] {
    for (const auto& p : table_of<Exec>(typename with_parts<Ops>::type{})) {
        if (!p.native) return false;
    }
    return true;
}();

template <class Model>
constexpr bool can_capture() {
    if constexpr (Model::Device::type == c10::DeviceType::CUDA)
        return all_native<typename Model::Exec, typename Model::Network::Ops>;
    else
        return false;
}

}  // namespace detail

/// Whether what `Model` does can be recorded: on CUDA, where no op leaves home.
template <class Model>
inline constexpr bool capturable = detail::can_capture<Model>();

/// Work cannot be recorded after all. The device has done nothing of it.
class NotRecorded : public DeviceError {
    using DeviceError::DeviceError;
};

/// Work that is the same each time, on tensors that stay where they are: run as it is at first, then recorded and
/// replayed.
class CapturedWork {
public:
    /// Whether what a Model does is recorded at all.
    template <class Model>
    static constexpr bool records = capturable<Model>;
    static Availability available() { return device::cuda::Graph::available(); }

    /// Does what `f` does, on `device`. True when `f` ran on the host, false when the device replayed it. What `f` does
    /// on the host alone happens only in the first case. Tensors that `f` makes are overwritten by the next call.
    /// NotRecorded where that fails; what `f` does on the host may have happened then.
    template <class F>
    bool operator()(c10::Device device, F&& f) {
        if (!warm_) {  // libraries make their handles, kernels are compiled
            f();
            warm_ = true;
            return true;
        }
        const bool first = graph_ == nullptr;
        if (first) {
            try {
                auto graph = std::make_unique<device::cuda::Graph>();
                device::cuda::record(*graph, device, f);
                graph_ = std::move(graph);
            } catch (const std::exception& e) {
                throw NotRecorded("It cannot be recorded: " + std::string(e.what()), "");
            }
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

}  // namespace silica
