#pragma once
/// A Model as a Decoder.

#include "silica/generate/decoder.hpp"
#include "silica/generate/step.hpp"
#include "silica/model.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace silica::generate {

/// Whether a Model writes text: its network is Generative.
template <class Model>
inline constexpr bool writes_text = Generative<typename Model::Network, typename Model::Inputs>;

namespace detail {

/// What an architecture and its configuration say. An Arch may state `encoder_decoder`, `whole_start`, `shares_inputs`,
/// `context(config)` and `text(config)`; the configuration of its text may have vocab_size and ids of special tokens.
template <class Arch>
DecoderFacts facts_of(const typename Arch::Config& whole) {
    DecoderFacts facts;
    facts.architecture = Arch::name;
    if constexpr (requires { Arch::encoder_decoder; }) facts.encoder_decoder = Arch::encoder_decoder;
    if constexpr (requires { Arch::whole_start; }) facts.whole_start = Arch::whole_start;
    if constexpr (requires { Arch::shares_inputs; }) facts.shares_inputs = Arch::shares_inputs;
    if constexpr (requires { Arch::context(whole); }) facts.context = Arch::context(whole);
    const auto& config = silica::detail::text_of<Arch>(whole);
    if constexpr (requires { config.vocab_size; }) facts.vocab_size = config.vocab_size;
    if constexpr (requires { config.bos_token_id; }) facts.bos_token_id = config.bos_token_id;
    if constexpr (requires { config.pad_token_id; }) facts.pad_token_id = config.pad_token_id;
    if constexpr (requires { config.decoder_start_token_id; })
        facts.decoder_start_token_id = config.decoder_start_token_id;
    if constexpr (requires { facts.eos_token_id = config.eos_token_id; })
        facts.eos_token_id = config.eos_token_id;
    else if constexpr (requires { facts.eos_token_id = {*config.eos_token_id}; }) {
        if (config.eos_token_id) facts.eos_token_id = {*config.eos_token_id};
    } else if constexpr (requires { facts.eos_token_id = {config.eos_token_id}; })
        facts.eos_token_id = {config.eos_token_id};
    return facts;
}

/// The architecture of a Model.
template <class M>
struct arch_of;
template <class Arch, class D, class P, class L>
struct arch_of<Model<Arch, D, P, L>> {
    using type = Arch;
};

}  // namespace detail

/// A state of a Model `M` and the steps on it. The model outlives it. `Recording`: see Step.
template <class M, class Recording = CapturedWork>
class ModelDecoder final : public Decoder {
    using Arch = typename detail::arch_of<M>::type;
    static_assert(writes_text<M>,
                  "this architecture does not write text. Remedy: its Network needs make_state, "
                  "prefill and step; see Generative in silica/arch/concept.hpp.");

public:
    explicit ModelDecoder(const M& model, StepOptions options = {})
        : model_(&model), facts_(detail::facts_of<Arch>(model.config())), options_(options) {}
    /// A temporary would be gone before the decoder.
    explicit ModelDecoder(const M&& model, StepOptions options = {}) = delete;

    const DecoderFacts& facts() const override { return facts_; }

    void start(std::int64_t rows, std::int64_t capacity) override {
        if (state_ && state_->batch() == rows && state_->capacity() == capacity) return step_->clear();
        step_.reset();
        on_device([&] { state_.reset(); });  // the old caches go before new ones come
        state_.emplace(model_->make_state(rows, capacity));
        step_.emplace(*model_, *state_, options_);
    }

    Tensor prefill(const Prompt& prompt) override {
        typename M::Inputs inputs{};
        const auto set = [&](std::string_view name, const std::optional<Tensor>& t) {
            if (t && t->defined()) set_named(inputs, name, *t);
        };
        set("input_ids", prompt.input_ids);
        set("attention_mask", prompt.attention_mask);
        set("decoder_input_ids", prompt.decoder_input_ids);
        for (const auto& [name, tensor] : prompt.extra) {
            if (!tensor.defined()) throw InputError("Input " + name + " is missing.", "set it, or leave its name out.");
            set_named(inputs, name, tensor);
        }
        return model_->prefill(inputs, state());
    }

    Tensor step(const Tensor& ids) override { return stepper()(ids); }
    Tensor greedy_step(const Tensor& ids) override { return stepper().greedy(ids); }
    Tensor most_likely(const Tensor& logits) override { return stepper().most_likely(logits); }
    std::optional<Tensor> draw(const Tensor& logits, const Tensor& uniform, double temperature) override {
        return stepper().draw(logits, uniform, temperature);
    }
    void reorder(const Tensor& rows) override { model_->reorder(rows, state()); }

    bool shorten(std::int64_t tokens) override {
        if (tokens == length()) return true;
        if constexpr (requires(typename M::State& s) { s.shortens(), s.shorten(tokens); }) {
            if (!state_ || tokens < 0 || tokens > length() || !state_->shortens()) return false;
            on_device([&] { state_->shorten(tokens); });
            return true;
        }
        return false;
    }

    bool extend(std::int64_t tokens) override {
        if (tokens <= capacity()) return true;
        if constexpr (requires(typename M::State& s) { s.shortens(), s.resume(s); }) {
            if (!state_ || !state_->in_place()) return false;
            try {
                auto larger = model_->make_state(state_->batch(), tokens);
                on_device([&] { larger.resume(*state_); });
                step_.reset();
                on_device([&] { state_.emplace(std::move(larger)); });
                step_.emplace(*model_, *state_, options_);
            } catch (const DeviceError&) {  // no memory for both: the text is read again
                return false;
            }
            return true;
        }
        return false;
    }

    std::int64_t length() const override { return state_ ? state_->length() : 0; }
    std::int64_t capacity() const override { return state_ ? state_->capacity() : 0; }
    std::uint64_t state_bytes() const override { return state_ ? state_->bytes() : 0; }
    c10::Device device() const override { return model_->device(); }
    void synchronize() override {
        on_device([&] { M::Device::synchronize(model_->device().index()); });
    }

private:
    void enter(Work work) const override { model_->on_device(work); }

    typename M::State& state() {
        if (!state_) throw InputError("The decoder was not started.", "call start(rows, capacity) first.");
        return *state_;
    }
    Step<M, Recording>& stepper() {
        static_cast<void>(state());
        return *step_;
    }

    const M* model_;
    DecoderFacts facts_;
    StepOptions options_;
    std::optional<typename M::State> state_;
    std::optional<Step<M, Recording>> step_;
};

}  // namespace silica::generate
