#pragma once
/// Weights packed once, for the kernel that will use them.

#include "silica/core/inventory.hpp"
#include "silica/core/transfer.hpp"
#include "silica/op/prepared.hpp"
#include "silica/placement.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace silica {
namespace detail {

/// What the laws of `Op` are told of its weights: its own `Shape`, made from the source, else the shape of the weight.
template <class Op>
struct shape_of {
    using type = op::WeightShape;
};
template <class Op>
    requires requires { typename Op::Shape; }
struct shape_of<Op> {
    using type = typename Op::Shape;
};

/// From what a kernel packs the weights of `Op`: its own `Source` (a quantised precision's: op/quantised.hpp), else the
/// op's.
template <class Op, class K>
struct source_of {
    using type = typename Op::Source;
};
template <class Op, class K>
    requires requires { typename K::Source; }
struct source_of<Op, K> {
    using type = typename K::Source;
};

}  // namespace detail

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
    using Source = typename detail::source_of<Op, kernel_of<Op, Device, Precision>>::type;
    using Shape = typename detail::shape_of<Op>::type;

    /// `source` lies on `Device`, in the precision's compute type. InputError where its tensors do not fit each other.
    explicit Prepared(Source source)
        : Prepared(checked(source), source, [&] { return kernel_of<Op, Device, Precision>::pack(std::move(source)); }) {
    }
    Prepared(Tensor weight, std::optional<Tensor> bias)
        requires std::is_convertible_v<op::Plain, Source>
        : Prepared(Source(op::Plain{std::move(weight), std::move(bias)})) {}

    /// From weights that another op keeps as well (tied embeddings): they stay plain, so that there is one copy.
    static Prepared shared(Source source) {
        using K = kernel_of<Op, Device, Precision>;
        if constexpr (requires { K::keep(std::move(source)); }) {
            return Prepared(checked(source), source, [&] { return K::keep(std::move(source)); });
        } else {
            return Prepared(std::move(source));
        }
    }

    /// The layout that candidate `D` wants on `device`; the first one is there, the others are made at their first use.
    template <class D>
    [[nodiscard]] std::shared_ptr<const packed_for<D>> on(c10::Device device) const {
        if constexpr (std::is_same_v<D, Device>) {
            return {state_, &*state_->first};
        } else {
            const std::lock_guard guard(state_->mutex);
            auto& slot = std::get<Slot<D>>(state_->others);
            if (!slot.packed || slot.device != device) {
                std::uint64_t bytes = 0;
                slot.packed = std::make_shared<const packed_for<D>>(
                    kernel_of<Op, D, Precision>::pack(moved_to(Source(state_->first->unpack()), device, bytes)));
                slot.device = device;
            }
            return slot.packed;
        }
    }
    [[nodiscard]] const Packed& first() const noexcept { return *state_->first; }

    /// What the kernel was given to pack, on `Device`.
    [[nodiscard]] Source unpack() const { return state_->counted ? *state_->counted : Source(state_->first->unpack()); }

    /// The shape and type of the weight, and what else the laws of ops ask for.
    [[nodiscard]] const Shape& shape() const noexcept { return state_->shape; }

private:
    template <class Pack>
    Prepared(Shape shape, Source& source, Pack&& pack)
        : state_(Inventory::current() == nullptr ? std::make_shared<State>(std::move(shape), pack())
                                                 : std::make_shared<State>(std::move(shape), noted(source))) {}

    /// The source, kept as it is: an inventory is taken and there is nothing to pack.
    static Source& noted(Source& source) {
        constexpr bool host = Device::type != Exec::home::type;
        auto& inventory = *Inventory::current();
        if constexpr (requires { source.codes; }) {
            if (!source.plain())
                inventory.keep_codes(source.codes, source.scales, source.biases, source.bits, source.rows,
                                     source.columns, host);
            else
                inventory.keep(source.weight, true, host);
            if (source.bias) inventory.keep(*source.bias, false, host);
        } else {
            bool matrix = std::is_same_v<Source, op::Plain> && detail::quantises<Op>();
            for_each_tensor(source, [&](const Tensor& t) { inventory.keep(t, std::exchange(matrix, false), host); });
        }
        return source;
    }

    static Shape checked(const Source& source) {
        if (Inventory::current() == nullptr) {
            for_each_tensor(source, [](const Tensor& t) {
                op::law(t.device().type() == Device::type && t.layout() == c10::kStrided && !t.is_neg(), Op::name,
                        "dense weights on " + std::string(Device::name), t);
            });
        }
        if constexpr (!std::is_same_v<Source, typename Op::Source>) {
            source.check(Op::name);
            return source.shape();
        } else {
            return checked_plain(source);
        }
    }
    static Shape checked_plain(const typename Op::Source& source) {
        op::law(source.weight.defined(), Op::name, "a weight");
        Op::check(source);
        if constexpr (std::is_same_v<Shape, op::WeightShape>)
            return {source.weight.sizes().vec(), source.weight.scalar_type()};
        else
            return Shape(source);
    }

    template <class D>
    struct Slot {
        std::shared_ptr<const packed_for<D>> packed;
        c10::Device device = c10::Device(c10::DeviceType::CPU);
    };
    template <class C>
    struct slots;
    template <class First, class... Rest>
    struct slots<Chain<First, Rest...>> {
        using type = std::tuple<Slot<Rest>...>;
    };

    struct State {
        State(Shape s, Packed packed) : first(std::move(packed)), shape(std::move(s)) {}
        State(Shape s, Source& source)
            requires(!std::is_same_v<Packed, Source>)
            : counted(source), shape(std::move(s)) {}
        std::optional<Packed> first;
        std::optional<Source> counted;  ///< of an inventory
        Shape shape;
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
