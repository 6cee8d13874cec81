#pragma once
/// One step of decoding: a token per row in, what follows it out.

#include "silica/captured_work.hpp"
#include "silica/core/inputs.hpp"
#include "silica/core/state_inputs.hpp"
#include "silica/fallback.hpp"
#include "silica/model.hpp"
#include "silica/op/argmax.hpp"
#include "silica/op/draw.hpp"
#include "silica/run.hpp"

#include <atomic>
#include <optional>
#include <string>

namespace silica::generate {

/// How steps run.
struct StepOptions {
    bool capture = true;  ///< record the step as a graph where the device and the network can; the results are the same
};

/// Runs steps of one state. The model and the state outlive it. Tensors that come out hold until the next step.
/// `Recording` records and replays them.
template <class Model, class Recording = CapturedWork>
class Step {
public:
    using State = typename Model::State;

    Step(const Model& model, State& state, StepOptions options = {})
        : model_(&model), state_(&state), options_(options) {}
    /// A temporary would be gone before the step.
    Step(const Model&& model, State& state, StepOptions options = {}) = delete;

    /// ids (batch) int64 on the device -> logits (batch, vocabulary). InputError as Model::step throws it.
    Tensor operator()(const Tensor& ids) {
        if (const auto* c = captured(ids)) return c->logits;
        return model_->step(ids, *state_);
    }

    /// The same -> the most likely next tokens (batch) int64, on the device.
    Tensor greedy(const Tensor& ids) {
        if (const auto* c = captured(ids)) return c->next;
        return most_likely(model_->step(ids, *state_));
    }

    /// Logits (batch, vocabulary) on the device -> the first index of the largest of each row, (batch) int64.
    [[nodiscard]] Tensor most_likely(const Tensor& logits) const {
        require_tensor("logits", logits, 2, {Model::Exec::precision::compute, c10::ScalarType::Float});
        require_device("logits", logits, model_->device());
        return model_->on_device([&] { return run<op::Argmax, typename Model::Exec>(logits); });
    }

    /// Logits -> what `uniform` (batch) float32 on the CPU draws from softmax(logits / temperature), (batch) int64 on
    /// the device and below zero where the host has to: see op::Draw. Nothing where the device does not draw.
    [[nodiscard]] std::optional<Tensor> draw(const Tensor& logits, const Tensor& uniform, double temperature) const {
        using E = typename Model::Exec;
        if constexpr (has_kernel<op::Draw, typename E::home, typename E::precision>) {
            using K = kernel_of<op::Draw, typename E::home, typename E::precision>;
            require_tensor("logits", logits, 2, {E::precision::compute, c10::ScalarType::Float});
            require_device("logits", logits, model_->device());
            return model_->on_device([&]() -> std::optional<Tensor> {
                if (K::serves(logits)) return run<op::Draw, E>(logits, uniform.to(model_->device()), temperature);
                if (K::failed(logits, uniform, temperature)) say_host_draws(E::home::name);
                return {};
            });
        }
        return {};
    }

    /// Forgets all tokens; what is recorded stays.
    void clear() {
        model_->on_device([&] { state_->clear(); });
    }

    [[nodiscard]] const StepOptions& options() const noexcept { return options_; }
    /// Why steps are not recorded though they could be: what went wrong when it was tried. Else empty.
    [[nodiscard]] const std::string& not_recorded() const noexcept { return not_recorded_; }

private:
    /// What a recorded step leaves on the device, in the same tensors each time.
    struct Captured {
        Tensor ids, logits, next;
        Recording step = {};
        std::int64_t kind = -1;  ///< of the step that is recorded
    };

    /// Says that the host draws in place of a kernel that failed its check.
    static void say_host_draws(std::string_view device) {
        static std::atomic<bool> said{false};
        const Fallback event{op::Draw::name, device, device::Cpu::name, FallbackReason::failed_check, 1};
        if (FallbackScope::record(event)) return;
        if (announce_fallbacks.load(std::memory_order_relaxed) && !said.exchange(true)) silica::detail::announce(event);
    }

    /// Takes a step as it is recorded; null where steps are not.
    [[nodiscard]] const Captured* captured(const Tensor& ids) {
        if constexpr (!Recording::template records<Model>) {
            return nullptr;
        } else {
            if (!options_.capture || !not_recorded_.empty() || !state_->replays() || !Recording::available())
                return nullptr;
            require_step(ids, state_->batch(), state_->length(), state_->capacity(), model_->device(), {});
            auto& c = captured_;
            if (const std::int64_t kind = state_->step_kind(); kind != c.kind) {
                c.step.forget();
                c.kind = kind;
            }
            const auto before = state_->length();
            try {
                model_->on_device([&] {
                    if (!c.ids.defined()) c.ids = at::empty(ids.sizes(), ids.options());
                    c.ids.copy_(ids);
                    const bool ran = c.step(model_->device(), [&] {
                        c.logits = model_->step(c.ids, *state_);
                        c.next = most_likely(c.logits);
                    });
                    if (!ran) state_->advance(1);
                });
            } catch (const NotRecorded& e) {  // the device did nothing, the host may have counted
                state_->advance(before - state_->length());
                not_recorded_ = e.problem();
                return nullptr;
            }
            return &c;
        }
    }

    const Model* model_;
    State* state_;
    StepOptions options_;
    Captured captured_ = {};
    std::string not_recorded_;
};

}  // namespace silica::generate
