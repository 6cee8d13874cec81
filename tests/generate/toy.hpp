#pragma once
/// A network so small that its text can be foreseen: the logits depend on the last two tokens and on how many there
/// were. tests/golden/make_generate.py has the same one in Python, for transformers' generate.

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <boost/hana/adapt_struct.hpp>

#include "silica/arch/concept.hpp"
#include "silica/core/inputs.hpp"
#include "silica/generate/model_decoder.hpp"
#include "silica/loader/in_memory.hpp"

namespace silica::test {

struct ToyConfig {
    std::int64_t vocab_size = 24, max_position_embeddings = 64, table = 97, seed = 1;
    std::optional<std::int64_t> eos_token_id = {};
};
struct ToyInputs {
    Tensor input_ids;
    std::optional<Tensor> attention_mask = {};
};
struct ToyOutputs {
    Tensor logits;
};

/// Rows of pseudo-random logits: (x >> 33) % 4001 - 2000 over 500, x from Knuth's MMIX generator.
inline std::vector<float> toy_table(const ToyConfig& c) {
    std::vector<float> made;
    auto x = static_cast<std::uint64_t>(c.seed);
    for (std::int64_t i = 0; i < c.table * c.vocab_size; ++i) {
        x = x * 6364136223846793005U + 1442695040888963407U;
        made.push_back(static_cast<float>(static_cast<std::int64_t>((x >> 33U) % 4001U) - 2000) / 500.0F);
    }
    return made;
}

/// What the network remembers of each row: the last two tokens that are not padding, and their number.
struct ToyState {
    struct Row {
        std::int64_t last = 0, before = 0, count = 0;
    };
    ToyState(std::int64_t batch, std::int64_t capacity) : rows(static_cast<std::size_t>(batch)), room(capacity) {}
    ToyState(ToyState&&) noexcept = default;
    ToyState& operator=(ToyState&&) = default;

    std::vector<Row> rows;
    std::int64_t taken = 0, room = 0;
    Tensor encoder;  ///< (texts, features): of a toy with an encoder

    [[nodiscard]] std::int64_t batch() const { return static_cast<std::int64_t>(rows.size()); }
    [[nodiscard]] std::int64_t length() const { return taken; }
    [[nodiscard]] std::int64_t capacity() const { return room; }
    [[nodiscard]] std::uint64_t bytes() const { return rows.size() * sizeof(Row); }
    [[nodiscard]] ToyState clone() const { return *this; }
    [[nodiscard]] bool replays() const { return false; }
    [[nodiscard]] std::int64_t step_kind() const { return 0; }
    void advance(std::int64_t tokens) { taken += tokens; }
    void clear() {
        std::ranges::fill(rows, Row{});
        taken = 0;
    }
    void reorder(const Tensor& from) {
        const Tensor host = from.to(at::kCPU);
        auto old = rows;
        for (std::size_t i = 0; i < rows.size(); ++i)
            rows[i] = old.at(static_cast<std::size_t>(host[static_cast<std::int64_t>(i)].item<std::int64_t>()));
    }

private:
    ToyState(const ToyState&) = default;
};

/// The tokens (rows, n) that `state` takes -> logits of what follows.
inline Tensor toy_logits(const ToyConfig& config, const std::vector<float>& table, const Tensor& ids,
                         const std::optional<Tensor>& mask, ToyState& state) {
    const auto rows = ids.size(0), n = ids.size(1);
    if (state.taken + n > state.room) throw InputError("The toy has no room.", "a larger capacity.");
    const Tensor host = ids.to(at::kCPU);
    const Tensor logits = at::empty({rows, config.vocab_size}, at::kFloat);
    for (std::int64_t r = 0; r < rows; ++r) {
        auto& row = state.rows.at(static_cast<std::size_t>(r));
        for (std::int64_t t = 0; t < n; ++t) {
            if (mask && !(*mask)[r][t].item<bool>()) continue;
            row.before = std::exchange(row.last, host[r][t].item<std::int64_t>());
            ++row.count;
        }
        const auto at = (row.last * 31 + row.before * 17 + row.count * 7) % config.table;
        for (std::int64_t v = 0; v < config.vocab_size; ++v)
            logits[r][v] = table[static_cast<std::size_t>(at * config.vocab_size + v)];
    }
    state.taken += n;
    return logits;
}

struct Toy {
    static constexpr std::string_view family = "toy", name = "ToyForCausalLM";
    using Config = ToyConfig;
    using Inputs = ToyInputs;
    using Outputs = ToyOutputs;

    static void check(const Config&, const std::string&) {}
    static Inputs prepare(const Config& c, Inputs in) {
        require_tensor("input_ids", in.input_ids, 2, {c10::ScalarType::Long});
        require_ids("input_ids", in.input_ids, c.vocab_size, "vocab_size");
        if (in.attention_mask) in.attention_mask = bool_mask(*in.attention_mask);
        return in;
    }
    static checkpoint::NameRules names() { return {}; }
    static std::optional<std::int64_t> context(const Config& c) { return c.max_position_embeddings; }

    template <class E>
    class Network {
    public:
        using Ops = OpList<op::Argmax>;
        using State = ToyState;

        Network(const Config& c, const Weights&) : config(c), table(toy_table(c)) {}

        Outputs operator()(const Inputs& in) const {
            State state = make_state(in.input_ids.size(0), in.input_ids.size(1));
            return {prefill(in, state)};
        }
        [[nodiscard]] State make_state(std::int64_t batch, std::int64_t capacity) const { return {batch, capacity}; }
        [[nodiscard]] Tensor prefill(const Inputs& in, State& state) const {
            return take(in.input_ids, in.attention_mask, state);
        }
        [[nodiscard]] Tensor step(const Tensor& ids, State& state) const {
            return take(ids.unsqueeze(1), std::nullopt, state);
        }

    private:
        Tensor take(const Tensor& ids, const std::optional<Tensor>& mask, State& state) const {
            return toy_logits(config, table, ids, mask, state).to(E::precision::compute).to(ids.device());
        }

        Config config;
        std::vector<float> table;
    };
};

struct ToySpeechInputs {
    Tensor input_features;                         ///< (texts, mels, frames) float
    std::optional<Tensor> attention_mask = {};     ///< (texts, frames) int64
    std::optional<Tensor> decoder_input_ids = {};  ///< (rows, tokens) int64, those of a text together
};

/// A toy whose encoder takes sound and no text: the sum of what the mask leaves of a text's features, rounded, shifts
/// the logits of its rows.
struct ToySpeech {
    static constexpr std::string_view family = "toy_speech", name = "ToyForSpeech";
    static constexpr bool encoder_decoder = true;
    using Config = ToyConfig;
    using Inputs = ToySpeechInputs;
    using Outputs = ToyOutputs;

    static void check(const Config&, const std::string&) {}
    static Inputs prepare(const Config& c, Inputs in) {
        require_tensor("input_features", in.input_features, 3, {c10::ScalarType::Float});
        if (in.attention_mask) require_tensor("attention_mask", *in.attention_mask, 2, {c10::ScalarType::Long});
        if (!in.decoder_input_ids) throw InputError("The toy speaks from the first token on.", "give it.");
        require_tensor("decoder_input_ids", *in.decoder_input_ids, 2, {c10::ScalarType::Long});
        require_ids("decoder_input_ids", *in.decoder_input_ids, c.vocab_size, "vocab_size");
        return in;
    }
    static checkpoint::NameRules names() { return {}; }

    template <class E>
    class Network {
    public:
        using Ops = OpList<op::Argmax>;
        using State = ToyState;
        /// Texts of each run of the encoder.
        static inline std::vector<std::int64_t> encoded = {};

        Network(const Config& c, const Weights&) : config(c), table(toy_table(c)) {}

        Outputs operator()(const Inputs& in) const {
            State state = make_state(in.decoder_input_ids->size(0), in.decoder_input_ids->size(1));
            return {prefill(in, state)};
        }
        [[nodiscard]] State make_state(std::int64_t batch, std::int64_t capacity) const { return {batch, capacity}; }
        [[nodiscard]] Tensor prefill(const Inputs& in, State& state) const {
            if (state.taken == 0) {
                encoded.push_back(in.input_features.size(0));
                Tensor x = in.input_features.to(at::kCPU).sum(1);
                if (in.attention_mask) x = x * in.attention_mask->to(at::kCPU);
                state.encoder = x.sum(1).round().to(at::kLong);
            }
            return take(*in.decoder_input_ids, state);
        }
        [[nodiscard]] Tensor step(const Tensor& ids, State& state) const { return take(ids.unsqueeze(1), state); }

    private:
        [[nodiscard]] Tensor take(const Tensor& ids, State& state) const {
            const Tensor logits = toy_logits(config, table, ids, std::nullopt, state);
            const auto rows = logits.size(0), each = rows / state.encoder.size(0);
            if (each * state.encoder.size(0) != rows) throw InputError("The toy's rows are not of its texts.", "-");
            Tensor moved = at::empty_like(logits);
            for (std::int64_t r = 0; r < rows; ++r)
                moved[r] = logits[r].roll(state.encoder[r / each].item<std::int64_t>());
            return moved.to(E::precision::compute).to(ids.device());
        }

        Config config;
        std::vector<float> table;
    };
};

/// The toy on a device.
template <class Device, class Precision = precision::Fp32>
Model<Toy, Device, Precision> toy(const ToyConfig& config = {}) {
    return Model<Toy, Device, Precision>::from(config, loader::InMemory{{}});
}

/// The toy of speech on a device.
template <class Device, class Precision = precision::Fp32>
Model<ToySpeech, Device, Precision> toy_speech(const ToyConfig& config = {}) {
    return Model<ToySpeech, Device, Precision>::from(config, loader::InMemory{{}});
}

}  // namespace silica::test

BOOST_HANA_ADAPT_STRUCT(silica::test::ToyConfig, vocab_size, max_position_embeddings, table, seed, eos_token_id);
BOOST_HANA_ADAPT_STRUCT(silica::test::ToyInputs, input_ids, attention_mask);
BOOST_HANA_ADAPT_STRUCT(silica::test::ToyOutputs, logits);
BOOST_HANA_ADAPT_STRUCT(silica::test::ToySpeechInputs, input_features, attention_mask, decoder_input_ids);
