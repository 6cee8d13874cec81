#pragma once
/// The text decoder that a composite names by its `model_type`: LLaVA's `text_config` is LLaMA's, Mistral's or Qwen2's.

#include "silica/arch/llama.hpp"
#include "silica/arch/mistral.hpp"
#include "silica/arch/qwen2.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace silica::arch {

/// What generation asks of a decoder's configuration.
struct TextFacts {
    std::int64_t vocab_size;
    std::optional<std::int64_t> bos_token_id, pad_token_id;
    std::vector<std::int64_t> eos_token_id;
};

/// The configuration of one of the families on nn::Decoder, read with that family's keys and defaults.
struct DecoderConfig {
    std::variant<LlamaConfig, MistralConfig, Qwen2Config> family = {};

    /// ConfigError where `model_type` names another family; without one it is LLaMA, as in transformers.
    void read(const Json& json, const std::string& path) {
        const Json* type = json.find("model_type");
        if (type == nullptr || type->is_null()) return read_as<LlamaConfig>(json, path);
        const std::string name = type->is_string() ? type->string() : "";
        if (name == LlamaFamily::family) return read_as<LlamaConfig>(json, path);
        if (name == MistralFamily::family) return read_as<MistralConfig>(json, path);
        if (name == Qwen2Family::family) return read_as<Qwen2Config>(json, path);
        refuse_config(path, "model_type", type->brief(), "known decoders are llama, mistral and qwen2.");
    }

    /// Its sizes; ConfigError for values that contradict each other.
    [[nodiscard]] nn::DecoderShape shape(const std::string& file) const {
        return std::visit([&](const auto& c) { return c.shape(file); }, family);
    }

    [[nodiscard]] TextFacts facts() const {
        return std::visit(
            [](const auto& c) { return TextFacts{c.vocab_size, c.bos_token_id, c.pad_token_id, c.eos_token_id}; },
            family);
    }
    [[nodiscard]] std::int64_t vocab_size() const {
        return std::visit([](const auto& c) { return c.vocab_size; }, family);
    }
    /// The most positions it was made for, as its family says.
    [[nodiscard]] std::optional<std::int64_t> context() const {
        return std::visit([]<class Config>(const Config& c) { return nn::DecoderFamily<Config>::context(c); }, family);
    }

private:
    template <class Config>
    void read_as(const Json& json, const std::string& path) {
        read_json(family.emplace<Config>(), json, path);
    }
};

}  // namespace silica::arch
