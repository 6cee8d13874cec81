#pragma once
/// Forward passes as tasks need them: called from any thread, and what they give lies on the host.

#include "silica/core/transfer.hpp"
#include "silica/replayed.hpp"

#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace silica::task {

namespace detail {

/// Whether calls of `M` are recorded. Of what is no Model, though called like one, none are.
template <class M, class Recording>
constexpr bool recorded_in() {
    if constexpr (requires {
                      typename M::Device;
                      typename M::Network;
                  })
        return Recording::template records<M>;
    else
        return false;
}

}  // namespace detail

/// Forward passes of a model `M`. Where they can be recorded (see Replayed) they take turns, each until what it gave
/// has left the device, and copies share what was recorded; elsewhere they are the model's own.
template <class M, class Recording = CapturedWork>
class Forward {
public:
    static constexpr bool recorded = detail::recorded_in<M, Recording>();

    explicit Forward(M model) : calls_(shared(std::move(model))) {}

    /// The tensors in what pick(outputs) returns, a tensor or an array of them: on the CPU, in float32, contiguous.
    template <class Pick>
    [[nodiscard]] auto operator()(const typename M::Inputs& in, const Pick& pick) const {
        [[maybe_unused]] const auto turn = my_turn();
        return model().on_device([&] {
            auto picked = pick(call(in));
            for_each_tensor(picked, [](Tensor& t) {  // outputs that are recorded are overwritten by the next call
                t = t.to(c10::Device(c10::DeviceType::CPU), t.scalar_type(), /*non_blocking=*/false, /*copy=*/recorded)
                        .to(c10::ScalarType::Float)
                        .contiguous();
            });
            return picked;
        });
    }

    [[nodiscard]] const M& model() const noexcept {
        if constexpr (recorded)
            return calls_->replayed.model();
        else
            return calls_;
    }

private:
    /// What the copies share.
    struct Turns {
        static constexpr std::size_t kinds = 2;  // full batches, and what is left of them

        explicit Turns(M model) : replayed(std::move(model), kinds) {}

        std::mutex mutex;
        Replayed<M, Recording> replayed;
    };
    struct NoTurn {};

    static auto shared(M model) {
        if constexpr (recorded)
            return std::make_shared<Turns>(std::move(model));
        else
            return model;
    }
    auto my_turn() const {
        if constexpr (recorded)
            return std::unique_lock(calls_->mutex);
        else
            return NoTurn{};
    }
    decltype(auto) call(const typename M::Inputs& in) const {
        if constexpr (recorded)
            return calls_->replayed(in);
        else
            return model()(in);
    }

    std::conditional_t<recorded, std::shared_ptr<Turns>, M> calls_;
};

}  // namespace silica::task
