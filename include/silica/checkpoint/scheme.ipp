#pragma once
/// Reads what configurations say about quantised weights.

#include "silica/checkpoint/scheme.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "silica/core/reflect.hpp"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <string_view>
#include <utility>

namespace silica::checkpoint {

SILICA_INLINE const std::string& forms_that_are_read() {
    static const std::string text =
        "read are awq (gemm, 4 bits), gptq (4 and 8 bits, v1 and v2), compressed-tensors (pack-quantized and "
        "int-quantized, 4 and 8 bits), bitsandbytes (int8 and nf4), MLX (affine, 4 and 8 bits) and GGUF (F32, F16, "
        "BF16, Q8_0, Q4_0, Q4_1, Q4_K, Q6_K); use one of these, or a checkpoint in float32, float16 or bfloat16.";
    return text;
}

namespace scheme_detail {

/// One object of a configuration that says how weights lie. Every refusal lists the forms that are read.
class Keys {
public:
    /// `path` is where it stands in the file: "quantization_config"; empty: the file is the object.
    Keys(const Json& json, std::string file, std::string path)
        : json_(json), file_(std::move(file)), path_(std::move(path)) {
        if (!json.is_object())
            throw ConfigError(file_ + ": " + path_ + " is " + json.brief() + ", no object.", forms_that_are_read());
    }
    /// An object inside.
    [[nodiscard]] Keys below(const Json& json, const std::string& name) const {
        return {json, file_, path_.empty() ? name : path_ + '.' + name};
    }
    [[nodiscard]] const Json& json() const noexcept { return json_; }

    /// The first of these keys that is there and not null.
    [[nodiscard]] const Json* find(std::initializer_list<std::string_view> keys) {
        for (const auto key : keys) {
            const Json* found = json_.find(key);
            if (found == nullptr || found->is_null()) continue;
            key_ = key;
            return found;
        }
        return nullptr;
    }
    [[nodiscard]] std::string text(std::initializer_list<std::string_view> keys, std::string usual) {
        const Json* found = find(keys);
        if (found == nullptr) return usual;
        if (!found->is_string()) refuse(*found);
        std::string small = found->string();
        for (char& c : small)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        return small;
    }
    [[nodiscard]] std::optional<std::int64_t> integer(std::initializer_list<std::string_view> keys) {
        const Json* found = find(keys);
        if (found == nullptr) return std::nullopt;
        if (!found->is_integer() || found->integer() < -1 || found->integer() > largest_config_integer) refuse(*found);
        return found->integer();
    }
    [[nodiscard]] bool boolean(std::initializer_list<std::string_view> keys, bool usual) {
        const Json* found = find(keys);
        if (found == nullptr) return usual;
        if (!found->is_bool()) refuse(*found);
        return found->boolean();
    }
    /// 4 or 8, or only 4.
    [[nodiscard]] std::int64_t bits(std::initializer_list<std::string_view> keys, bool eight) {
        const auto bits = integer(keys).value_or(4);
        if (bits != 4 && !(eight && bits == 8)) refuse(std::to_string(bits));
        return bits;
    }
    [[nodiscard]] std::optional<std::int64_t> group() {
        const auto group = integer({"group_size", "q_group_size"});
        if (group == 0) refuse("0");
        return group;
    }

    /// Refuses the value of the key that was looked for last.
    [[noreturn]] void refuse(const Json& value) const { refuse(value.brief()); }
    [[noreturn]] void refuse(const std::string& value) const {
        std::string path = path_;
        path.append(path.empty() || key_.empty() ? "" : ".").append(key_);
        refuse_config(file_, path, value, forms_that_are_read());
    }

private:
    const Json& json_;
    std::string file_, path_;
    std::string_view key_;
};

inline Scheme gptq(Keys keys) {
    Scheme made{.method = Scheme::Method::gptq};
    made.bits = keys.bits({"bits"}, true);
    made.group = keys.group();
    const auto format = keys.text({"checkpoint_format", "format"}, "gptq");
    if (format != "gptq" && format != "gptq_v2") keys.refuse(quote(format));
    if (keys.boolean({"is_marlin_format"}, false)) keys.refuse("true");
    if (const auto type = keys.text({"pack_dtype"}, "int32"); type != "int32") keys.refuse(quote(type));
    made.zeros_as_they_are = format == "gptq_v2";
    made.symmetric = keys.boolean({"sym"}, false);
    return made;
}

inline Scheme awq(Keys keys) {
    Scheme made{.method = Scheme::Method::awq};
    made.bits = keys.bits({"bits", "w_bit"}, false);
    made.group = keys.group();
    if (const auto version = keys.text({"version"}, "gemm"); version != "gemm") keys.refuse(quote(version));
    return made;
}

/// The weights of one of `config_groups`.
inline void compressed_group(Keys keys, Scheme& made) {
    if (const auto format = keys.text({"format"}, "pack-quantized");
        format != "pack-quantized" && format != "int-quantized" && format != "naive-quantized")
        keys.refuse(quote(format));
    if (const Json* inputs = keys.find({"input_activations"}); inputs != nullptr)
        made.notes.emplace_back("activations stay in the compute type, where the checkpoint asks for quantised ones");
    const Json* weights = keys.find({"weights"});
    if (weights == nullptr) return;
    Keys of = keys.below(*weights, "weights");
    if (const auto type = of.text({"type"}, "int"); type != "int") of.refuse(quote(type));
    made.bits = of.bits({"num_bits"}, true);
    const auto strategy = of.text({"strategy"}, "channel");
    if (strategy != "channel" && strategy != "group" && strategy != "tensor") of.refuse(quote(strategy));
    static_cast<void>(of.group());  // refused where it is none; the tensors say how many there are
}

inline Scheme compressed_tensors(Keys keys) {
    Scheme made{.method = Scheme::Method::compressed_tensors};
    const auto format = keys.text({"format"}, "pack-quantized");
    constexpr std::string_view formats[] = {"pack-quantized", "int-quantized", "naive-quantized", "mixed-precision",
                                            "dense"};
    if (std::ranges::find(formats, format) == std::end(formats)) keys.refuse(quote(format));
    if (const Json* sparsity = keys.find({"sparsity_config"}); sparsity != nullptr && sparsity->is_object()) {
        const Json* kind = sparsity->find("format");
        if (kind != nullptr && !(kind->is_string() && kind->string() == "dense")) keys.refuse(kind->brief());
    }
    if (const Json* transforms = keys.find({"transform_config"});
        transforms != nullptr && !(transforms->is_object() && transforms->object().empty())) {
        const Json* groups = transforms->find("config_groups");
        if (groups == nullptr || !groups->is_object() || !groups->object().empty()) keys.refuse(*transforms);
    }
    if (const Json* cache = keys.find({"kv_cache_scheme"}); cache != nullptr)
        made.notes.emplace_back(
            "the cache of keys and values is in the compute type, where the checkpoint asks for a "
            "quantised one");
    const Json* groups = keys.find({"config_groups"});
    if (groups == nullptr) return made;
    if (!groups->is_object()) keys.refuse(*groups);
    for (const auto& [name, group] : groups->object())
        if (group.is_object()) compressed_group(keys.below(group, "config_groups." + name), made);
    std::ranges::sort(made.notes);
    made.notes.erase(std::unique(made.notes.begin(), made.notes.end()), made.notes.end());
    return made;
}

inline Scheme bitsandbytes(Keys keys) {
    Scheme made{.method = Scheme::Method::bitsandbytes};
    if (keys.boolean({"load_in_4bit", "_load_in_4bit"}, false)) {
        const auto type = keys.text({"bnb_4bit_quant_type"}, "fp4");
        if (type != "nf4") keys.refuse(quote(type));
    } else {
        made.bits = 8;
    }
    return made;
}

/// One object of MLX: bits, which are 4 or 8, by the one mode that is read.
inline std::int64_t mlx_bits(Keys& keys) {
    if (const auto mode = keys.text({"mode"}, "affine"); mode != "affine") keys.refuse(quote(mode));
    return keys.bits({"bits"}, true);
}

inline Scheme mlx(Keys keys) {
    Scheme made{.method = Scheme::Method::mlx, .modules = keys.json()};
    made.bits = mlx_bits(keys);
    made.group = keys.group();
    for (const auto& [module, own] : keys.json().object()) {
        if (!own.is_object()) continue;
        Keys of = keys.below(own, module);
        static_cast<void>(mlx_bits(of));
        static_cast<void>(of.group());
    }
    return made;
}

inline Scheme of_object(Keys keys) {
    const auto has = [&](std::string_view key) { return keys.json().find(key) != nullptr; };
    const auto method = keys.text({"quant_method"}, "");
    if (method == "gptq") return gptq(std::move(keys));
    if (method == "awq") return awq(std::move(keys));
    if (method == "compressed-tensors") return compressed_tensors(std::move(keys));
    if (method == "bitsandbytes") return bitsandbytes(std::move(keys));
    if (!method.empty()) keys.refuse(quote(method));
    if (has("bits") && has("group_size")) return mlx(std::move(keys));
    if (has("config_groups")) return compressed_tensors(std::move(keys));
    if (has("load_in_4bit") || has("load_in_8bit")) return bitsandbytes(std::move(keys));
    keys.refuse(keys.json());
}

}  // namespace scheme_detail

SILICA_INLINE Scheme Scheme::read_object(const Json& json, const std::string& file, std::string_view key) {
    return scheme_detail::of_object({json, file, std::string(key)});
}

SILICA_INLINE std::optional<Scheme> Scheme::read(const Json& json, const std::string& file) {
    if (!json.is_object()) return std::nullopt;
    for (const char* key : {"quantization_config", "compression_config", "quantization"}) {
        const Json* found = json.find(key);
        const bool off = found == nullptr || found->is_null() || (found->is_bool() && !found->boolean()) ||
                         (found->is_object() && found->object().empty());
        if (!off) return read_object(*found, file, key);
    }
    for (const auto& [key, value] : json.object()) {
        if (!key.ends_with("_config")) continue;
        if (auto found = read(value, file + ": " + key)) return found;
    }
    return std::nullopt;
}

SILICA_INLINE Scheme Scheme::read_file(const Json& json, const std::string& file, Method method) {
    scheme_detail::Keys keys(json, file, {});
    return method == Method::gptq ? scheme_detail::gptq(std::move(keys)) : scheme_detail::awq(std::move(keys));
}

}  // namespace silica::checkpoint
