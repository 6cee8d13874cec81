#pragma once
/// Models of two halves that run apart: what is made of texts serves any number of pictures, videos or sounds.

#include "silica/core/transfer.hpp"
#include "silica/task/forward.hpp"

#include <cstdint>
#include <utility>

namespace silica::task {

/// A part of a Model, called as if it were one. `Part` states
/// - `Inputs`: a struct that Hana reflects; `prepare(config, inputs)` returns what `run` takes, or throws InputError;
/// - `run(network, inputs)`: a tensor.
template <class M, class Part>
class PartOf {
public:
    using Exec = typename M::Exec;
    using Device = typename M::Device;
    using Inputs = typename Part::Inputs;
    using Outputs = Tensor;

    /// The part of the network.
    struct Network {
        using Ops = typename M::Network::Ops;
        const typename M::Network& whole;
        Tensor operator()(const Inputs& in) const { return Part::run(whole, in); }
    };

    explicit PartOf(M model) : model_(std::move(model)) {}

    [[nodiscard]] Tensor operator()(const Inputs& inputs) const {
        std::uint64_t bytes = 0;
        return on_device([&] { return network()(moved_to(checked(inputs), device(), bytes)); });
    }
    [[nodiscard]] Inputs checked(Inputs inputs) const { return Part::prepare(model_.config(), std::move(inputs)); }
    template <class F>
    decltype(auto) on_device(F&& f) const {
        return model_.on_device(std::forward<F>(f));
    }
    [[nodiscard]] c10::Device device() const noexcept { return model_.device(); }
    [[nodiscard]] Network network() const noexcept { return {model_.network()}; }
    /// The model that this is a part of.
    [[nodiscard]] const M& whole() const noexcept { return model_; }

private:
    M model_;
};

/// A Model of texts and of what they are compared with. `Texts` and `Others` are parts of it (see PartOf), `Texts` of
/// the ids and the mask of texts.
template <class M, class Texts, class Others>
class Halves {
public:
    explicit Halves(M model) : texts_(PartOf<M, Texts>(model)), others_(PartOf<M, Others>(std::move(model))) {}

    /// Vectors of texts, (texts, projection), on the host.
    [[nodiscard]] Tensor text_embeds(const Tensor& ids, const Tensor& mask) const {
        return texts_({.input_ids = ids, .attention_mask = mask}, as_it_is);
    }
    /// What a text may have.
    [[nodiscard]] std::int64_t most_tokens() const { return Texts::most_tokens(model().config().text_config); }
    [[nodiscard]] const M& model() const noexcept { return texts_.model().whole(); }

protected:
    /// Logits (others, texts), float32 on the host.
    [[nodiscard]] Tensor logits_of(const typename Others::Inputs& in) const { return others_(in, as_it_is); }

private:
    static Tensor as_it_is(const Tensor& t) { return t; }

    Forward<PartOf<M, Texts>> texts_;
    Forward<PartOf<M, Others>> others_;
};

}  // namespace silica::task
