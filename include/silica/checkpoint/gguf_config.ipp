#pragma once
/// Makes a configuration of llama.cpp's keys.

#include "silica/checkpoint/file.hpp"
#include "silica/checkpoint/gguf_config.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::checkpoint {

namespace gguf_config_detail {

/// What the configuration is made of.
class Maker {
public:
    Maker(const Gguf& gguf, std::string_view family)
        : gguf_(gguf), family_(family), architecture_(gguf.text("general.architecture")) {}

    [[nodiscard]] Json make() {
        check();
        const auto heads = need("attention.head_count"), hidden = need("embedding_length");
        if (heads < 1 || hidden < 1)
            gguf_.fail("has " + std::to_string(heads) + " heads in a width of " + std::to_string(hidden));
        const auto d = integer("attention.key_length").value_or(hidden / heads);
        if (const auto value = integer("attention.value_length"); value && *value != d)
            refuse("attention.value_length", std::to_string(*value));
        if (const auto turned = integer("rope.dimension_count"); turned && *turned != d)
            refuse("rope.dimension_count", std::to_string(*turned));
        const auto* words = tensor("token_embd.weight");
        if (words == nullptr || words->shape.size() != 2) gguf_.fail("has no word vectors, token_embd.weight");
        const bool qwen = architecture_ == "qwen2", mistral = !qwen && is_mistral();
        set("model_type", std::string(qwen ? "qwen2" : mistral ? "mistral" : "llama"));
        set("architectures", Json::Array{Json(std::string(qwen      ? "Qwen2ForCausalLM"
                                                          : mistral ? "MistralForCausalLM"
                                                                    : "LlamaForCausalLM"))});
        set("vocab_size", words->shape[0]);
        set("hidden_size", hidden);
        set("intermediate_size", need("feed_forward_length"));
        set("num_hidden_layers", need("block_count"));
        set("num_attention_heads", heads);
        set("num_key_value_heads", integer("attention.head_count_kv").value_or(heads));
        set("head_dim", d);
        set("max_position_embeddings", need("context_length"));
        set("hidden_act", std::string("silu"));
        const Json* eps = gguf_.find(key("attention.layer_norm_rms_epsilon"));
        if (eps == nullptr || !eps->is_number())
            gguf_.fail("has no number " + quote(key("attention.layer_norm_rms_epsilon")));
        set("rms_norm_eps", eps->number());
        set("tie_word_embeddings", tensor("output.weight") == nullptr);
        if (!qwen && !mistral) {
            set("attention_bias", tensor("blk.0.attn_q.bias") != nullptr);
            set("mlp_bias", tensor("blk.0.ffn_down.bias") != nullptr);
        }
        if (qwen) set("use_sliding_window", false);
        if (mistral) {
            const auto window = integer("attention.sliding_window");
            set("sliding_window", window && *window > 0 ? Json(*window) : Json());
        }
        rope(d);
        tokens();
        return Json(std::move(made_));
    }

private:
    [[nodiscard]] std::string key(const char* name) const { return architecture_ + '.' + name; }
    [[nodiscard]] std::optional<std::int64_t> integer(const char* name) const { return gguf_.integer(key(name)); }
    [[nodiscard]] std::int64_t need(const char* name) const {
        const auto found = integer(name);
        if (!found) gguf_.fail("has no " + quote(key(name)));
        return *found;
    }
    [[nodiscard]] const Gguf::Tensor* tensor(std::string_view name) const {
        for (const auto& t : gguf_.tensors)
            if (t.name == name) return &t;
        return nullptr;
    }
    template <class T>
    void set(const char* name, T value) {
        if constexpr (std::is_same_v<T, Json>)
            made_.emplace_back(name, std::move(value));
        else
            made_.emplace_back(name, Json(std::move(value)));
    }
    [[noreturn]] void refuse(const char* name, const std::string& value) const {
        throw CheckpointError(gguf_.path.string() + ": " + key(name) + " = " + value + " is not supported.",
                              "Use a model of the kinds llama, mistral or qwen2.");
    }

    void check() const {
        const auto refuse_kind = [&](const std::string& what) {
            throw CheckpointError(gguf_.path.string() + " is " + what + ", which is not read.",
                                  "Read are models of llama.cpp's architectures llama (mistral too) and qwen2.");
        };
        if (const auto type = gguf_.text("general.type"); !type.empty() && type != "model")
            refuse_kind("a GGUF file of type " + quote(type));
        if (architecture_ != "llama" && architecture_ != "mistral" && architecture_ != "qwen2")
            refuse_kind(architecture_.empty() ? "a GGUF file without general.architecture"
                                              : "of the architecture " + quote(architecture_));
        if (const auto experts = integer("expert_count"); experts.value_or(0) > 0)
            refuse("expert_count", std::to_string(*experts));
        for (const char* name : {"attention.causal"})
            if (const auto on = gguf_.boolean(key(name)); on && !*on) refuse(name, "false");
    }

    /// Whether it is Mistral: as it is asked for, or as its name tells. Neither has what the other lacks: a window,
    /// biases.
    [[nodiscard]] bool is_mistral() const {
        if (architecture_ == "mistral") return true;
        if (family_ == "mistral") return tensor("blk.0.attn_q.bias") == nullptr;
        if (family_ == "llama" && integer("attention.sliding_window").value_or(0) < 1) return false;
        for (const char* name : {"general.basename", "general.name"}) {
            std::string small = gguf_.text(name);
            for (char& c : small)
                if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
            if (small.find("mistral") != std::string::npos) return true;
        }
        return false;
    }

    void rope(std::int64_t d) {
        const Json* base = gguf_.find(key("rope.freq_base"));
        if (base != nullptr && !base->is_number()) gguf_.fail("has no number " + quote(key("rope.freq_base")));
        set("rope_theta", base == nullptr ? 10000.0 : base->number());
        const auto type = gguf_.text(key("rope.scaling.type"));
        const Json* factor = gguf_.find(key("rope.scaling.factor"));
        if (factor == nullptr) factor = gguf_.find(key("rope.scale_linear"));
        Json::Object scaling;
        if (const auto* factors = tensor("rope_freqs.weight"); factors != nullptr && d > 0) {
            Json numbers = read_factors(*factors, d / 2);
            scaling = {{"rope_type", Json(std::string("longrope"))},
                       {"short_factor", numbers},
                       {"long_factor", numbers},
                       {"attention_factor", Json(1.0)}};
        } else if (type == "yarn" || type == "linear" || (type.empty() && factor != nullptr)) {
            if (factor == nullptr || !factor->is_number())
                gguf_.fail("has no number " + quote(key("rope.scaling.factor")));
            scaling = {{"rope_type", Json(type == "yarn" ? type : std::string("linear"))}, {"factor", *factor}};
            if (const auto length = integer("rope.scaling.original_context_length"); length && type == "yarn")
                scaling.emplace_back("original_max_position_embeddings", Json(*length));
        } else if (!type.empty() && type != "none") {
            refuse("rope.scaling.type", quote(type));
        }
        if (!scaling.empty()) set("rope_scaling", Json(std::move(scaling)));
    }

    /// What each frequency is divided by: llama.cpp's form of llama3's scaling.
    [[nodiscard]] Json read_factors(const Gguf::Tensor& t, std::int64_t pairs) const {
        if (t.type->name != "F32" || t.shape != std::vector{pairs})
            gguf_.fail("has rope_freqs.weight of shape " + tuple_text(t.shape) + ", where " + std::to_string(pairs) +
                       " numbers of float32 are wanted");
        const std::string bytes = File::open(gguf_.files.at(t.file))->read_text(t.offset, t.nbytes);
        Json::Array all;
        for (std::size_t i = 0; i < bytes.size(); i += 4) {
            std::uint32_t bits = 0;
            for (std::size_t b = 4; b-- > 0;) bits = bits << 8U | static_cast<unsigned char>(bytes[i + b]);
            const auto factor = std::bit_cast<float>(bits);
            if (!std::isfinite(factor) || factor <= 0)
                gguf_.fail("has rope_freqs.weight with a factor that is not above 0");
            all.emplace_back(static_cast<double>(factor));
        }
        return Json(std::move(all));
    }

    void tokens() {
        const auto id = [&](const char* name) { return gguf_.integer(std::string("tokenizer.ggml.") + name); };
        const auto or_null = [](std::optional<std::int64_t> token) { return token ? Json(*token) : Json(); };
        set("bos_token_id", or_null(id("bos_token_id")));
        set("pad_token_id", or_null(id("padding_token_id")));
        Json::Array ends;
        for (const char* name : {"eos_token_id", "eot_token_id"}) {
            const auto token = id(name);
            const auto same = [&](const Json& known) { return token && known.integer() == *token; };
            if (token && std::none_of(ends.begin(), ends.end(), same)) ends.emplace_back(*token);
        }
        if (ends.size() == 1)
            set("eos_token_id", ends[0]);
        else
            set("eos_token_id", ends.empty() ? Json() : Json(std::move(ends)));
    }

    const Gguf& gguf_;
    std::string_view family_;
    std::string architecture_;
    Json::Object made_;
};

}  // namespace gguf_config_detail

SILICA_INLINE Json gguf_config(const Gguf& gguf, std::string_view family) {
    return gguf_config_detail::Maker(gguf, family).make();
}

}  // namespace silica::checkpoint
