#pragma once
/// GGUF under the names of Hugging Face.

#include "silica/checkpoint/gguf.hpp"
#include "silica/checkpoint/gguf_blocks.hpp"
#include "silica/checkpoint/scheme.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/gguf_integer.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

namespace silica::checkpoint {

namespace gguf_names {

/// "attn_q" of llama.cpp is "self_attn.q_proj".
inline constexpr std::pair<std::string_view, std::string_view> in_layer[] = {
    {"attn_q", "self_attn.q_proj"},      {"attn_k", "self_attn.k_proj"},   {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"ffn_gate", "mlp.gate_proj"},    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},       {"attn_norm", "input_layernorm"}, {"ffn_norm", "post_attention_layernorm"}};
inline constexpr std::pair<std::string_view, std::string_view> at_top[] = {
    {"token_embd", "model.embed_tokens"}, {"output_norm", "model.norm"}, {"output", "lm_head"}};

/// Hugging Face's name; as it is where there is none.
inline std::string hugging_face(std::string_view name) {
    const auto renamed = [&](std::string_view rest, const auto& names, const std::string& before) {
        const auto dot = std::min(rest.find('.'), rest.size());
        for (const auto& [from, to] : names)
            if (rest.substr(0, dot) == from) return before + std::string(to) + std::string(rest.substr(dot));
        return std::string();
    };
    std::string found;
    if (name.starts_with("blk.")) {
        const auto dot = name.find('.', 4);
        if (dot != std::string_view::npos)
            found =
                renamed(name.substr(dot + 1), in_layer, "model.layers." + std::string(name.substr(4, dot - 4)) + ".");
    } else {
        found = renamed(name, at_top, {});
    }
    return found.empty() ? std::string(name) : found;
}

/// Frequencies that a configuration holds.
inline bool is_rope(std::string_view name) {
    return name == "rope_freqs.weight" || name.ends_with(".rope_freqs.weight") ||
           name.ends_with(".attn_rot_embd.weight");
}

inline std::optional<at::ScalarType> plain_type(std::string_view name) {
    if (name == "F32") return at::kFloat;
    if (name == "F16") return at::kHalf;
    if (name == "BF16") return at::kBFloat16;
    return std::nullopt;
}

}  // namespace gguf_names

namespace gguf_rows {

/// Where row r of Hugging Face's order lies in llama.cpp's: (heads, 2, half) is (heads, half, 2) there.
inline std::vector<std::int64_t> order(std::int64_t rows, std::int64_t heads) {
    const auto half = rows / heads / 2;
    std::vector<std::int64_t> from;
    for (std::int64_t h = 0; h < heads; ++h)
        for (std::int64_t j = 0; j < 2; ++j)
            for (std::int64_t i = 0; i < half; ++i) from.push_back((h * half + i) * 2 + j);
    return from;
}

inline Tensor reordered(const Tensor& t, const std::vector<std::int64_t>& order) {
    Tensor out = at::empty_like(t);
    const auto row = static_cast<std::size_t>(t.nbytes()) / order.size();
    const auto* from = static_cast<const std::byte*>(t.const_data_ptr());
    auto* to = static_cast<std::byte*>(out.mutable_data_ptr());
    for (std::size_t r = 0; r < order.size(); ++r)
        std::memcpy(to + r * row, from + static_cast<std::size_t>(order[r]) * row, row);
    return out;
}

/// Plain numbers in another order.
class PlainRows final : public Rows {
public:
    explicit PlainRows(Tensor t) : t_(std::move(t)) {}
    void decode(std::int64_t first, std::int64_t last, float* out) const override {
        const Tensor rows = t_.narrow(0, first, last - first).to(at::kFloat).contiguous();
        std::memcpy(out, rows.const_data_ptr<float>(), rows.nbytes());
    }

private:
    Tensor t_;
};

/// Blocks, taken apart as they are asked for.
class BlockRows final : public Rows {
public:
    BlockRows(const GgmlBlock& block, Tensor bytes) : block_(block), bytes_(std::move(bytes)) {}
    void decode(std::int64_t first, std::int64_t last, float* out) const override {
        rows_of(split_blocks(block_, bytes_.narrow(0, first, last - first)))->decode(0, last - first, out);
    }
    [[nodiscard]] std::optional<Quantised> quantised() const override {
        return rows_of(split_blocks(block_, bytes_))->quantised();
    }

private:
    const GgmlBlock& block_;
    Tensor bytes_;
};

}  // namespace gguf_rows

SILICA_INLINE std::vector<TensorEntry> gguf_entries(const Gguf& gguf, std::size_t index) {
    std::vector<TensorEntry> entries;
    for (const auto& t : gguf.tensors) {
        if (gguf_names::is_rope(t.name)) continue;
        TensorEntry entry{.name = gguf_names::hugging_face(t.name),
                          .shape = t.shape,
                          .offset = t.offset,
                          .nbytes = t.nbytes,
                          .file = index + t.file,
                          .dtype_name = std::string(t.type->name)};
        if (const auto plain = gguf_names::plain_type(t.type->name)) {
            entry.dtype = *plain;
        } else {
            if (ggml_block(t.type->name) == nullptr)
                throw CheckpointError(gguf.path.string() + ": " + quote(t.name) + " is of type " + entry.dtype_name +
                                          ", which is not read.",
                                      forms_that_are_read());
            if (t.shape.size() != 2)
                gguf.fail("has " + quote(t.name) + " of type " + entry.dtype_name + " and shape " +
                          tuple_text(t.shape) + ", no matrix");
            entry.dtype = at::kByte;
            entry.shape.back() = t.shape.back() / t.type->numbers * t.type->bytes;
        }
        entry.strides = row_major(entry.shape);
        entries.push_back(std::move(entry));
    }
    sort_by_place(entries);
    return entries;
}

SILICA_INLINE std::map<std::string, std::string> gguf_metadata(const Gguf& gguf) {
    std::map<std::string, std::string> text;
    for (const auto& [key, value] : gguf.metadata.object())
        if (value.is_string() && value.string().size() < 4096)
            text[key] = value.string();
        else if (const auto number = gguf_integer(value))
            text[key] = std::to_string(*number);
    return text;
}

SILICA_INLINE void find_gguf_blocks(Modules& modules, const std::map<std::string, std::string>& metadata,
                                    std::vector<PackedMatrix>& found) {
    const auto text = [&](const std::string& key) {
        const auto at = metadata.find(key);
        return at == metadata.end() ? std::string() : at->second;
    };
    const auto architecture = text("general.architecture");
    const bool reorders = architecture == "llama" || architecture == "mistral";
    const auto number = [&](const std::string& key) { return std::strtoll(text(key).c_str(), nullptr, 10); };
    const std::int64_t heads = number(architecture + ".attention.head_count");
    const auto kv_text = text(architecture + ".attention.head_count_kv");
    const std::int64_t kv_heads = kv_text.empty() ? heads : number(architecture + ".attention.head_count_kv");
    for (const auto& [module, parts] : modules.all()) {
        const bool q = reorders && module.ends_with(".self_attn.q_proj"),
                   k = reorders && module.ends_with(".self_attn.k_proj");
        for (const auto& [name, entry] : parts) {
            const GgmlBlock* block = ggml_block(entry->dtype_name);
            if (block == nullptr && !q && !k) continue;
            const auto rows = entry->shape.empty() ? 0 : entry->shape[0];
            std::vector<std::int64_t> order;
            if (q || k) {
                const auto n = q ? heads : kv_heads;
                if (n < 1 || rows < 1 || rows % (2 * n) != 0)
                    modules.fail(entry->name, "has " + std::to_string(rows) + " rows, which " + std::to_string(n) +
                                                  " heads do not share");
                order = gguf_rows::order(rows, n);
            }
            PackedMatrix p{.plain = *entry, .form = "GGUF, " + entry->dtype_name};
            p.plain.dtype = at::kFloat;
            if (block != nullptr) p.plain.shape[1] = entry->shape[1] / block->bytes * block->numbers;
            p.plain.strides = row_major(p.plain.shape);
            p.open = [stored = *entry, block, order = std::move(order)](TensorSource& source) -> std::unique_ptr<Rows> {
                Tensor t = on_host(source, stored);
                if (!order.empty()) t = gguf_rows::reordered(t, order);
                if (block == nullptr) return std::make_unique<gguf_rows::PlainRows>(std::move(t));
                return std::make_unique<gguf_rows::BlockRows>(*block, std::move(t));
            };
            if (block == nullptr) p.form.clear();
            modules.take(*entry);
            found.push_back(std::move(p));
        }
    }
}

}  // namespace silica::checkpoint
