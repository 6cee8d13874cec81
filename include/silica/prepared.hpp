#pragma once
/// Weights packed once, for the kernel that will use them.

#include "silica/placement.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>

namespace silica {

/// The weights of `Op` (Linear, Embedding, ...) in the layout of the first candidate's kernel. When a call falls back
/// they are unpacked, moved and packed for the next candidate too, and that is kept. Copies share the weights.
template <OpTag Op, class Exec>
class Prepared {
    using Precision = typename Exec::precision;
    using Candidates = candidates<Op, Exec>;
    static_assert(detail::has_candidate<Op, Exec>());

    template <class D>
    using packed_for = typename kernel_of<Op, D, Precision>::Packed;

public:
    /// The device the weights lie on: the first candidate, not always home.
    using Device = typename detail::front<Candidates>::type;
    using Packed = packed_for<Device>;

    /// `weight` and `bias` lie on `Device`, in the precision's storage type.
    Prepared(Tensor weight, std::optional<Tensor> bias)
        : state_(std::make_shared<State>(kernel_of<Op, Device, Precision>::pack(std::move(weight), std::move(bias)))) {}

    /// From weights that another op keeps as well (tied embeddings): they stay plain, so that there is one copy.
    static Prepared shared(Tensor weight, std::optional<Tensor> bias) {
        using K = kernel_of<Op, Device, Precision>;
        if constexpr (requires { K::keep(weight, bias); }) {
            return Prepared(K::keep(std::move(weight), std::move(bias)));
        } else {
            return Prepared(std::move(weight), std::move(bias));
        }
    }

    /// The layout that candidate `D` wants; the first one is there, the others are made at their first use.
    template <class D>
    [[nodiscard]] const packed_for<D>& on(c10::Device device) const {
        if constexpr (std::is_same_v<D, Device>) {
            return state_->first;
        } else {
            const std::lock_guard guard(state_->mutex);
            auto& slot = std::get<std::optional<Slot<D>>>(state_->others);
            if (!slot) {
                auto plain = state_->first.unpack();
                std::optional<Tensor> bias;
                if (plain.bias) bias = plain.bias->to(device);
                slot.emplace(Slot<D>{kernel_of<Op, D, Precision>::pack(plain.weight.to(device), std::move(bias))});
            }
            return slot->packed;
        }
    }
    [[nodiscard]] const Packed& first() const noexcept { return state_->first; }

    /// The weights as the checkpoint has them, on `Device`.
    [[nodiscard]] auto unpack() const { return state_->first.unpack(); }

private:
    explicit Prepared(Packed packed) : state_(std::make_shared<State>(std::move(packed))) {}

    template <class D>
    struct Slot {
        packed_for<D> packed;
    };
    template <class C>
    struct slots;
    template <class First, class... Rest>
    struct slots<Chain<First, Rest...>> {
        using type = std::tuple<std::optional<Slot<Rest>>...>;
    };

    struct State {
        explicit State(Packed packed) : first(std::move(packed)) {}
        Packed first;
        typename slots<Candidates>::type others;
        std::mutex mutex;
    };
    std::shared_ptr<State> state_;
};

namespace detail {

template <class T>
inline constexpr bool is_prepared = false;
template <class Op, class Exec>
inline constexpr bool is_prepared<Prepared<Op, Exec>> = true;

}  // namespace detail
}  // namespace silica
