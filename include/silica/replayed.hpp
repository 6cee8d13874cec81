#pragma once
/// Calls of a Model that are recorded once and replayed: on CUDA a forward pass with one launch.

#include "silica/captured_work.hpp"
#include "silica/core/reflect.hpp"
#include "silica/core/transfer.hpp"
#include "silica/model.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica {

namespace detail {

/// Appends what makes two inputs the same work: which tensors there are, their shapes and types, and all plain values.
template <class T>
void append_kind(std::vector<std::int64_t>& kind, const T& value) {
    if constexpr (std::is_same_v<T, Tensor>) {
        kind.push_back(value.defined() ? value.dim() : -1);
        if (!value.defined()) return;
        kind.push_back(static_cast<std::int64_t>(value.scalar_type()));
        kind.insert(kind.end(), value.sizes().begin(), value.sizes().end());
    } else if constexpr (requires {
                             value.has_value();
                             *value;
                         }) {
        kind.push_back(value.has_value() ? 1 : 0);
        if (value.has_value()) append_kind(kind, *value);
    } else if constexpr (Reflected<T>) {
        for_each_member(value, [&](std::string_view, const auto& member) { append_kind(kind, member); });
    } else if constexpr (requires {
                             value.begin();
                             value.size();
                         }) {
        kind.push_back(static_cast<std::int64_t>(value.size()));
        for (const auto& item : value) append_kind(kind, item);
    } else {
        static_assert(std::is_integral_v<T> || std::is_enum_v<T>,
                      "inputs are tensors, whole numbers, enumerations, and structs, lists and optionals of these.");
        kind.push_back(static_cast<std::int64_t>(value));
    }
}

/// What a device keeps for one kind of inputs.
template <class Inputs, class Outputs, class Recording>
struct KeptCall {
    std::vector<std::int64_t> kind;
    Inputs inputs;
    std::optional<Outputs> outputs = {};
    Recording work = {};
};

/// The last kinds of inputs that there were, each with what is kept for it. Of inputs and outputs only, so that the
/// models of an architecture share it.
template <class Inputs, class Outputs, class Recording>
class KeptCalls {
public:
    using Kept = KeptCall<Inputs, Outputs, Recording>;

    explicit KeptCalls(std::size_t kinds) : kinds_(std::max<std::size_t>(kinds, 1)) {}

    /// The place of this kind, at the front, holding these inputs on `device`.
    Kept& of_kind(std::vector<std::int64_t> kind, Inputs& inputs, c10::Device device) {
        std::size_t found = 0;
        while (found != kept_.size() && kept_[found]->kind != kind) ++found;
        if (found != kept_.size()) {
            for (; found != 0; --found) std::swap(kept_[found], kept_[found - 1]);
            std::vector<Tensor> from;
            for_each_tensor(inputs, [&](Tensor& t) { from.push_back(t); });
            auto next = from.begin();
            for_each_tensor(kept_.front()->inputs, [&](Tensor& t) { t.copy_(*next++, /*non_blocking=*/true); });
        } else {
            if (kept_.size() == kinds_) kept_.pop_back();
            for_each_tensor(inputs, [&](Tensor& t) { t = at::empty(t.sizes(), t.options().device(device)).copy_(t); });
            kept_.insert(kept_.begin(), std::unique_ptr<Kept>(new Kept{std::move(kind), std::move(inputs)}));
        }
        return *kept_.front();
    }

    void clear() { kept_.clear(); }

private:
    std::size_t kinds_;
    std::vector<std::unique_ptr<Kept>> kept_;  ///< the last used comes first
};

}  // namespace detail

/// A Model `M` for one caller at a time, whose calls give what the model's give. For each kind of inputs (shapes,
/// types, which are there) the first call is the model's, the second is recorded, and later ones replay that. Where
/// nothing can be recorded all calls are the model's. `Recording` records and replays.
///
///     Replayed forward(Model<arch::Bert, device::Cuda>::open("google-bert/bert-base-uncased"));
///     const auto& out = forward({.input_ids = ids});   // holds until the next call with inputs of this kind
template <class M, class Recording = CapturedWork>
class Replayed {
public:
    using Inputs = typename M::Inputs;
    using Outputs = typename M::Outputs;

    /// What was recorded is kept for the last `kinds` kinds of inputs, each with the memory of one forward pass.
    explicit Replayed(M model, std::size_t kinds = 4)
        : model_(std::move(model)), kept_(kinds) {}

    /// As `model()(inputs)`. The next call with inputs of this kind overwrites what comes out.
    const Outputs& operator()(const Inputs& inputs) {
        if constexpr (Recording::template records<M>) {
            if (not_recorded_.empty() && Recording::available()) {
                try {
                    return recorded(model_.checked(inputs));
                } catch (const DeviceError& e) {  // NotRecorded, or no memory beside what was recorded
                    not_recorded_ = e.problem();
                    model_.on_device([&] { kept_.clear(); });
                }
            }
        }
        plain_.reset();  // the last outputs go before new ones come
        return plain_.emplace(model_(inputs));
    }

    [[nodiscard]] const M& model() const noexcept { return model_; }
    /// Why calls are not recorded though they could be: what went wrong when it was tried. Else empty.
    [[nodiscard]] const std::string& not_recorded() const noexcept { return not_recorded_; }

private:
    const Outputs& recorded(Inputs inputs) {
        std::vector<std::int64_t> kind;
        detail::append_kind(kind, inputs);
        return model_.on_device([&]() -> const Outputs& {
            auto& kept = kept_.of_kind(std::move(kind), inputs, model_.device());
            kept.work(model_.device(), [&] { kept.outputs.emplace(model_.network()(kept.inputs)); });
            return *kept.outputs;
        });
    }

    M model_;
    detail::KeptCalls<Inputs, Outputs, Recording> kept_;
    std::optional<Outputs> plain_;
    std::string not_recorded_;
};

}  // namespace silica
