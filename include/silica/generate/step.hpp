#pragma once
/// One step of decoding: a token per row in, what follows it out.

#include "silica/generate/graph_step.hpp"
#include "silica/model.hpp"
#include "silica/op/argmax.hpp"
#include "silica/run.hpp"

namespace silica::generate {

/// How steps run.
struct StepOptions {
    bool capture = true;  ///< record the step as a graph where the device and the network can; the results are the same
};

/// Runs steps of one state. The model and the state outlive it. Tensors that come out hold until the next step.
template <class Model>
class Step {
public:
    using State = typename Model::Network::State;
    using Device = typename Model::Device;

    Step(const Model& model, State& state, StepOptions options = {})
        : model_(&model), state_(&state), options_(options) {}

    /// ids (batch) int64 on the device -> logits (batch, vocabulary). InputError where the state has no room.
    [[nodiscard]] Tensor operator()(const Tensor& ids) {
        if constexpr (capturable<Model>) {
            if (captures()) return captured(ids).logits;
        }
        return model_->step(ids, *state_);
    }

    /// The same -> the most likely next tokens (batch) int64, on the device.
    [[nodiscard]] Tensor greedy(const Tensor& ids) {
        if constexpr (capturable<Model>) {
            if (captures()) return captured(ids).next;
        }
        return most_likely(model_->step(ids, *state_));
    }

    /// Logits (batch, vocabulary) on the device -> the first index of the largest of each row, (batch) int64.
    [[nodiscard]] Tensor most_likely(const Tensor& logits) const {
        return on_device([&] { return run<op::Argmax, typename Model::Exec>(logits); });
    }

    /// Row i of the state becomes what row `rows[i]` was; rows (batch) int64.
    void reorder(const Tensor& rows) {
        on_device([&] { state_->reorder(rows.to(model_->device())); });
    }

    /// Forgets all tokens; what is recorded stays.
    void clear()
        requires requires(State& s) { s.clear(); }
    {
        on_device([&] { state_->clear(); });
    }

    [[nodiscard]] const StepOptions& options() const noexcept { return options_; }

private:
    /// What a recorded step leaves on the device, in the same tensors each time.
    struct Captured {
        Tensor ids, logits, next;
        CapturedStep step = {};
        std::int64_t kind = -1;  ///< of the step that is recorded
    };

    [[nodiscard]] bool captures() const {
        return options_.capture && device::cuda::Graph::available() && state_->replays() &&
               state_->length() < state_->capacity();
    }

    const Captured& captured(const Tensor& ids) {
        auto& c = captured_;
        if (const std::int64_t kind = state_->step_kind(); kind != c.kind) {
            c.step.forget();
            c.kind = kind;
        }
        on_device([&] {
            if (!c.ids.defined()) c.ids = at::empty(ids.sizes(), ids.options().device(model_->device()));
            c.ids.copy_(ids);
            const bool ran = c.step(model_->device(), [&] {
                c.logits = model_->step(c.ids, *state_);
                c.next = most_likely(c.logits);
            });
            if (!ran) state_->advance(1);
        });
        return c;
    }

    /// What `f` returns, without gradients, on the model's device, in this thread's turn.
    template <class F>
    auto on_device(F&& f) const {
        [[maybe_unused]] const auto turn = Device::lock();
        const at::NoGradGuard no_grad;
        const auto home = model_->device();
        const c10::OptionalDeviceGuard on(home.is_cpu() ? std::nullopt : std::optional(home));
        return f();
    }

    const Model* model_;
    State* state_;
    StepOptions options_;
    Captured captured_ = {};
};

}  // namespace silica::generate
