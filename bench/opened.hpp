#pragma once
/// From types to the registry: the grid of one architecture. Used by arch/<family>.cpp only.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/hana/at.hpp>
#include <boost/hana/cartesian_product.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/tuple.hpp>

#include "activations.hpp"
#include "grid.hpp"
#include "registry.hpp"
#include "silica/budget.hpp"
#include "silica/checkpoint/config.hpp"
#include "silica/core/fields.hpp"
#include "silica/generate/model_decoder.hpp"
#include "silica/generate/speech/speech_model.hpp"
#include "silica/model.hpp"
#include "silica/replayed.hpp"

namespace silica::bench {

/// What reads the configuration of every checkpoint, those of quantised weights too.
using AnyWeights = precision::WeightOnly<precision::Fp32, 0>;

/// What says which quantised weights are read (checkpoint::weights_read_by).
using WeightsRead = bool (*)(const Json&);

/// The configuration of a model, with what the adapter of a language changes; that adapter in the place of what `files`
/// has.
template <class Arch>
typename Arch::Config speaking(const Origin& origin, checkpoint::Checkpoint& files, WeightsRead reads) {
    auto config = checkpoint::read_config<Arch>(origin.directory, reads);
    if constexpr (requires { Arch::speak(config, files, origin.target_lang); })
        Arch::speak(config, files, origin.target_lang);
    else
        silica::detail::refuse_target_lang(Arch::name, origin.target_lang);
    return config;
}

/// The configuration of a model, checked. ConfigError for quantised weights that are not read.
template <class Arch>
typename Arch::Config config_of(const Origin& origin, WeightsRead reads = checkpoint::weights_read_by<AnyWeights>()) {
    if (!origin.target_lang.empty()) {
        auto files = checkpoint::Checkpoint::open(origin.directory);
        return speaking<Arch>(origin, files, reads);
    }
    if (!origin.directory.empty()) return checkpoint::read_config<Arch>(origin.directory, reads);
    typename Arch::Config config;
    read_json(config, Json::parse(origin.config, origin.name), origin.name + ":");
    Arch::check(config, origin.name);
    return config;
}

namespace detail {

/// Any source of tensors under one type, so that a network is compiled once for all loaders.
class AnySource final : public checkpoint::TensorSource {
public:
    static constexpr std::string_view name = "any";
    explicit AnySource(TensorSource& source) : source_(source) {}
    [[nodiscard]] const std::vector<checkpoint::TensorEntry>& entries() const override { return source_.entries(); }
    [[nodiscard]] Tensor read(const checkpoint::TensorEntry& e, at::ScalarType dtype, c10::Device device) override {
        return source_.read(e, dtype, device);
    }
    [[nodiscard]] std::optional<checkpoint::Quantised> codes(const checkpoint::TensorEntry& e) override {
        return source_.codes(e);
    }
    [[nodiscard]] bool holds_codes() const override { return source_.holds_codes(); }
    [[nodiscard]] std::string where() const override { return source_.where(); }
    [[nodiscard]] bool invents() const override { return source_.invents(); }
    [[nodiscard]] bool reads_rows() const override { return source_.reads_rows(); }
    [[nodiscard]] std::vector<std::string> notes() const override { return source_.notes(); }

private:
    TensorSource& source_;
};

/// What is the same on all devices, in all precisions, and for all heads with these inputs and outputs.
template <class Inputs, class Outputs>
class OpenedFields : public Opened {
public:
    void feed(const Named& inputs) final {
        inputs_ = from_named<Inputs>(inputs);
        // Pictures and sounds lie on the device, ids and masks on the host, where they are looked at.
        for_each_tensor(inputs_, [&](Tensor& t) {
            if (t.is_floating_point() && t.scalar_type() != at::kDouble) lay(t);  // MPS has no double
        });
    }
    Named outputs() const final { return outputs_ ? named(*outputs_) : Named{}; }

protected:
    /// Lays a tensor on the device.
    virtual void lay(Tensor& t) = 0;

    Inputs inputs_;
    const Outputs* outputs_ = nullptr;  ///< of the last call
};

template <class Arch, class Device, class Precision>
class OpenedModel final : public OpenedFields<typename Arch::Inputs, typename Arch::Outputs> {
    using M = Model<Arch, Device, Precision>;

public:
    explicit OpenedModel(M model) : forward_(std::move(model)) {}

    const LoadingAccount& account() const override { return model().account(); }
    void call() override { this->outputs_ = &forward_(this->inputs_); }
    void synchronize() override { Device::synchronize(model().device().index()); }
    generate::Decoder* decoder() override {
        if constexpr (generate::writes_text<M>) {
            if (!decoder_) decoder_.reset(new generate::ModelDecoder<M>(model()));
        }
        return decoder_.get();
    }
    generate::SpeechModel* speech() override {
        if constexpr (generate::Hears<M>) {
            if (!speech_) speech_.reset(new generate::ModelSpeech<M>(model()));
        }
        return speech_.get();
    }

private:
    void lay(Tensor& t) override {
        model().on_device([&] { t = t.to(model().device()); });
    }
    [[nodiscard]] const M& model() const { return forward_.model(); }

    Replayed<M> forward_;
    std::unique_ptr<generate::Decoder> decoder_;
    std::unique_ptr<generate::SpeechModel> speech_;
};

/// The budget is the program's own matter: load.hpp.
inline OpenOptions options_of(const Origin& origin) {
    return {.group = origin.group, .bits = origin.bits, .int8_activations = origin.int8_activations, .budget = false};
}

template <class Arch, class Device, class Precision>
std::unique_ptr<Opened> open(const Origin& origin, checkpoint::TensorSource& source) {
    using M = Model<Arch, Device, Precision>;
    const auto config = config_of<Arch>(origin, checkpoint::weights_read_by<Precision>());
    // Not std::make_unique: to convert its pointer is a dozen functions for each point of the grid.
    return std::unique_ptr<Opened>(
        new OpenedModel<Arch, Device, Precision>(M::from(config, AnySource(source), options_of(origin))));
}

/// How many numbers a call gives for each of its inputs' tokens: the scores of words.
template <class Arch>
std::int64_t scores([[maybe_unused]] const typename Arch::Config& c, [[maybe_unused]] const bound::Extent& e,
                    [[maybe_unused]] bool generates) {
    if constexpr (requires { std::declval<typename Arch::Outputs>().logits; }) {
        const std::int64_t rows = generates ? 3 * e.batch() : e.numbers("input_ids");
        if constexpr (requires { c.text_config.shape(""); })
            return rows * c.text_config.shape("the configuration").vocab_size;
        else if constexpr (requires { c.vocab_size; })
            return rows * c.vocab_size;
    }
    return 0;
}

/// See Cell::budget.
template <class Arch, class Device, class Precision>
Budget budget(const Origin& origin, const checkpoint::Checkpoint* files, const Named& inputs, std::int64_t rows,
              std::int64_t tokens) {
    const auto config = config_of<Arch>(origin, checkpoint::weights_read_by<Precision>());
    OpenOptions options = options_of(origin);
    options.state_rows = rows, options.state_tokens = tokens;
    Budget made;
    if (files != nullptr) {
        made = budget_of<Arch, Exec<Device, Precision>>(config, *files, options);
    } else {
        loader::Random random;
        checkpoint::Shapes shapes(random);
        made = budget_of<Arch, Exec<Device, Precision>>(config, shapes, {}, options, {});
    }
    const bound::Extent extent(inputs);
    const auto bytes = [&](std::int64_t numbers) { return static_cast<std::uint64_t>(numbers) * made.form.item; };
    made.model = origin.name;
    made.activations = bytes(bound::numbers(config, extent) + scores<Arch>(config, extent, tokens > 0));
    // In half precision LibTorch lays the matrix of a product out anew for it.
    if (made.on_host && made.form.item == 2) made.activations += weight_bytes(made.kept).largest_matrix;
    if (tokens > 0) made.caches += bytes(bound::cross(config, extent));
    return made;
}

template <class Arch>
void speak(const Origin& origin, checkpoint::Checkpoint& files) {
    static_cast<void>(speaking<Arch>(origin, files, checkpoint::weights_read_by<AnyWeights>()));
}

template <class Arch, class E>
std::vector<OpPlace> places() {
    std::vector<OpPlace> list;
    for (const auto& p : placement<Arch, E>) list.push_back({p.op, p.device, p.native, p.may_decline});
    return list;
}

inline constexpr auto points = boost::hana::cartesian_product(boost::hana::make_tuple(devices, precisions));

/// All of devices x precisions that the devices can run, with every loader.
template <class Arch>
std::vector<Cell> cells() {
    std::vector<Cell> all;
    boost::hana::for_each(points, [&](auto point) {
        using D = typename decltype(+boost::hana::at_c<0>(point))::type;
        using Named = typename decltype(+boost::hana::at_c<1>(point))::type;
        using P = typename precision_on<Named, D>::type;
        if constexpr (runs_on<P, D>) {
            for (const auto& way : loader_ways()) {
                all.push_back({D::name, Named::name, way.name, &open<Arch, D, P>, way.load, &places<Arch, Exec<D, P>>,
                               &speak<Arch>, precision_on<Named, D>::bits, &budget<Arch, D, P>});
            }
        }
    });
    return all;
}

template <class Arch, class Example>
NamedSizes usual_sizes(const Origin& origin) {
    return Example::sizes(config_of<Arch>(origin));
}

template <class Arch, class Example>
std::uint64_t step_parameters(const Origin& origin) {
    return Example::step_parameters(config_of<Arch>(origin));
}

template <class Arch, class Example>
Named checked_inputs(const Origin& origin, const Sizes& sizes) {
    const auto config = config_of<Arch>(origin);
    const typename Arch::Inputs inputs = Example::inputs(config, sizes);
    static_cast<void>(Arch::prepare(config, inputs));
    return named(inputs);
}

}  // namespace detail

/// A head that is one forward pass, for the registry. `Example::sizes(config)` says in what its inputs are measured and
/// what is usual, `Example::inputs(config, sizes)` makes them.
template <class Arch, class Example>
Head head(std::string_view task) {
    return {task,
            Arch::name,
            &detail::usual_sizes<Arch, Example>,
            &detail::checked_inputs<Arch, Example>,
            detail::cells<Arch>(),
            &checkpoint::detail::opens_model_type<Arch>};
}

/// A head that generates: prefill and `new_tokens` - 1 steps. `Example::step_parameters(config)` says how many
/// parameters a step reads.
template <class Arch, class Example>
Head generating_head(std::string_view task, std::int64_t new_tokens) {
    Head made = head<Arch, Example>(task);
    made.usual_new_tokens = new_tokens;
    made.step_parameters = &detail::step_parameters<Arch, Example>;
    return made;
}

/// (batch, n) ids in [low, limit), pseudo-random and the same in every run.
inline Tensor example_ids(std::int64_t batch, std::int64_t n, std::int64_t low, std::int64_t limit) {
    Tensor ids = at::empty({batch, n}, at::kLong);
    auto* id = ids.mutable_data_ptr<std::int64_t>();
    std::uint64_t state = 1;
    const auto span = static_cast<std::uint64_t>(std::max<std::int64_t>(limit - low, 1));
    for (std::int64_t i = 0; i < ids.numel(); ++i) {
        state = state * 6364136223846793005U + 1442695040888963407U;  // Knuth's MMIX
        id[i] = (limit > low ? low : 0) + static_cast<std::int64_t>((state >> 33U) % span);
    }
    return ids;
}

/// Pixels (batch, channels, height, width) between -1 and 1, pseudo-random and the same in every run.
inline Tensor example_pixels(std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width) {
    const Tensor levels = example_ids(batch, channels * height * width, 0, 256).to(at::kFloat);
    return (levels / 127.5 - 1).view({batch, channels, height, width});
}

/// Samples (batch, n) between -1 and 1, pseudo-random and the same in every run.
inline Tensor example_sound(std::int64_t batch, std::int64_t n) {
    return example_ids(batch, n, 0, 65536).to(at::kFloat) / 32768 - 1;
}

}  // namespace silica::bench
