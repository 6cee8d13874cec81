// Silica 0.1.0: models. Written by amalgamate.py from include/; change it there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

// ---- silica/arch/bert.hpp
#ifndef SILICA_SINGLE_ARCH_BERT_HPP
#define SILICA_SINGLE_ARCH_BERT_HPP
/// BERT: a transformer encoder with learned positions and post-norm layers. Devlin et al. 2019,
/// https://arxiv.org/abs/1810.04805. Followed: transformers, models/bert/modeling_bert.py.

// ---- silica/arch/bert/body.hpp
#ifndef SILICA_SINGLE_ARCH_BERT_BODY_HPP
#define SILICA_SINGLE_ARCH_BERT_BODY_HPP
/// BERT's encoder: embeddings, post-norm layers, pooler.

// ---- silica/arch/bert/config.hpp
#ifndef SILICA_SINGLE_ARCH_BERT_CONFIG_HPP
#define SILICA_SINGLE_ARCH_BERT_CONFIG_HPP
/// BERT's configuration, inputs and the spellings of its checkpoints.

// ---- silica/checkpoint/names.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_NAMES_HPP
#define SILICA_SINGLE_CHECKPOINT_NAMES_HPP
/// Weight-name rules: the many spellings of one family's checkpoints, as data, and the one spelling networks use.
///
/// The canonical spelling is that of the hub ("legacy"): what `save_pretrained` writes. transformers v5 uses other
/// names in memory (its `conversion_mapping.py`), and some files have those; they carry or lack the prefix of the base
/// model.

// ---- silica/checkpoint/entry.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_ENTRY_HPP
#define SILICA_SINGLE_CHECKPOINT_ENTRY_HPP
/// One tensor of a checkpoint: where its bytes are and how to read them.

// ---- silica/checkpoint/text.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_TEXT_HPP
#define SILICA_SINGLE_CHECKPOINT_TEXT_HPP
/// Words for error messages: quoted names, numbers of bytes, shapes.

// ---- silica/core/quote.hpp
#ifndef SILICA_SINGLE_CORE_QUOTE_HPP
#define SILICA_SINGLE_CORE_QUOTE_HPP
/// Names from files and users, made fit to print in an error.

#include <cstddef>
#include <string>
#include <string_view>

namespace silica {

/// `name` in single quotes, fit to print: cut after 120 bytes, control bytes shown as '?'.
[[nodiscard]] inline std::string quote(std::string_view name) {
    constexpr std::size_t longest = 120;
    std::string out = "'";
    for (const char c : name.substr(0, longest)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    if (name.size() > longest) {
        while (out.size() > 1 && (static_cast<unsigned char>(out.back()) & 0xc0U) == 0x80U) out.pop_back();
        if (static_cast<unsigned char>(out.back()) >= 0xc0U) out.pop_back();
        out += "...";
    }
    return out + "'";
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_QUOTE_HPP

#include <cstddef>
#include <cstdint>
#include <string>

namespace silica::checkpoint {

using silica::quote;

/// "1 byte", "4096 bytes".
[[nodiscard]] inline std::string bytes(std::uint64_t n) { return std::to_string(n) + (n == 1 ? " byte" : " bytes"); }

/// "(2, 3)" for a shape or strides; at most 16 numbers are written out.
template <class Numbers>
[[nodiscard]] std::string tuple_text(const Numbers& numbers) {
    std::string out = "(";
    std::size_t n = 0;
    for (const auto x : numbers) {
        if (n++ != 0) out += ", ";
        if (n > 16) return out + "...)";
        out += std::to_string(x);
    }
    return out + ")";
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_TEXT_HPP
// ---- silica/core/error.hpp
#ifndef SILICA_SINGLE_CORE_ERROR_HPP
#define SILICA_SINGLE_CORE_ERROR_HPP
/// What Silica throws: one sentence that says what is wrong, then what to do about it.

#include <stdexcept>
#include <string>
#include <utility>

namespace silica {

/// Base of every exception thrown on purpose. `what()` reads "<problem> Remedy: <remedy>".
class Error : public std::runtime_error {
public:
    /// Both arguments are whole sentences: "config.json has heads 0." and "Set num_attention_heads to 1 or more."
    Error(std::string problem, std::string remedy)
        : std::runtime_error(remedy.empty() ? problem : problem + " Remedy: " + remedy),
          problem_(std::move(problem)),
          remedy_(std::move(remedy)) {}

    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    [[nodiscard]] const std::string& remedy() const noexcept { return remedy_; }

private:
    std::string problem_, remedy_;
};

/// An argument, an input tensor or an input text is wrong (rank, dtype, range, option value).
class InputError : public Error {
    using Error::Error;
};

/// A configuration (config.json, tokenizer.json, ...) is missing a key, has a wrong value or an unsupported one.
class ConfigError : public Error {
    using Error::Error;
};

/// A file of weights, or the directory that should hold it, is missing, damaged or does not fit the model.
class CheckpointError : public Error {
    using Error::Error;
};

/// A device is absent, out of memory, or refuses an operation and nothing else may take it.
class DeviceError : public Error {
    using Error::Error;
};

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_ERROR_HPP

#include <c10/core/ScalarType.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::checkpoint {

/// A tensor as it lies in a file. Everything here has been checked against the file's size.
struct TensorEntry {
    std::string name = {};  ///< as the file spells it
    /// Undefined for a type that LibTorch cannot hold; `dtype_name` says which.
    at::ScalarType dtype = at::ScalarType::Undefined;
    std::vector<std::int64_t> shape = {};    ///< empty: a scalar
    std::vector<std::int64_t> strides = {};  ///< in elements; row-major, except for views in torch files
    std::uint64_t offset = 0;                ///< of the first element, from the start of the file; of any alignment
    std::uint64_t nbytes = 0;     ///< from the first to the last element; less than all elements for expanded views
    std::size_t file = 0;         ///< index in Checkpoint::files()
    std::string dtype_name = {};  ///< as the format spells it: "F32", "BF16", "FloatStorage"

    /// The number of elements.
    [[nodiscard]] std::int64_t numel() const noexcept {
        std::int64_t n = 1;
        for (const auto size : shape) n *= size;
        return n;
    }

    /// Whether the elements lie in row-major order without gaps, so that `nbytes` of them can be copied as they are.
    [[nodiscard]] bool contiguous() const noexcept {
        std::int64_t step = 1;
        for (std::size_t d = shape.size(); d-- > 0;) {
            if (shape[d] == 0) return true;
            if (shape[d] != 1 && strides[d] != step) return false;
            step *= shape[d];
        }
        return true;
    }

    /// Whether both are the same bytes, read the same way: a tensor stored once under two names.
    [[nodiscard]] bool same_storage(const TensorEntry& other) const noexcept {
        return file == other.file && offset == other.offset && nbytes == other.nbytes && dtype == other.dtype &&
               shape == other.shape && strides == other.strides;
    }
};

/// An element type of the safetensors format.
struct FormatDtype {
    std::string_view name;
    at::ScalarType dtype;  ///< Undefined where LibTorch has none
    unsigned bits;         ///< of one element
};

/// Every element type of the safetensors format (0.8), with LibTorch's type for it.
inline constexpr std::array<FormatDtype, 22> format_dtypes = {{
    {"BOOL", at::kBool, 8},
    {"U8", at::kByte, 8},
    {"I8", at::kChar, 8},
    {"I16", at::kShort, 16},
    {"U16", at::kUInt16, 16},
    {"F16", at::kHalf, 16},
    {"BF16", at::kBFloat16, 16},
    {"I32", at::kInt, 32},
    {"U32", at::kUInt32, 32},
    {"F32", at::kFloat, 32},
    {"F64", at::kDouble, 64},
    {"I64", at::kLong, 64},
    {"U64", at::kUInt64, 64},
    {"C64", at::kComplexFloat, 64},
    {"F8_E4M3", at::ScalarType::Float8_e4m3fn, 8},
    {"F8_E5M2", at::ScalarType::Float8_e5m2, 8},
    {"F8_E8M0", at::ScalarType::Float8_e8m0fnu, 8},
    {"F8_E4M3FNUZ", at::ScalarType::Float8_e4m3fnuz, 8},
    {"F8_E5M2FNUZ", at::ScalarType::Float8_e5m2fnuz, 8},
    {"F4", at::ScalarType::Undefined, 4},
    {"F6_E2M3", at::ScalarType::Undefined, 6},
    {"F6_E3M2", at::ScalarType::Undefined, 6},
}};

/// The element type of that name, if the format has it.
[[nodiscard]] inline std::optional<FormatDtype> format_dtype(std::string_view name) noexcept {
    for (const auto& dtype : format_dtypes)
        if (dtype.name == name) return dtype;
    return std::nullopt;
}

/// The strides of a row-major tensor of this shape, in elements.
[[nodiscard]] inline std::vector<std::int64_t> row_major(const std::vector<std::int64_t>& shape) {
    std::vector<std::int64_t> strides(shape.size());
    std::int64_t step = 1;
    for (std::size_t d = shape.size(); d-- > 0;) {
        strides[d] = step;
        step *= shape[d] > 0 ? shape[d] : 1;
    }
    return strides;
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_ENTRY_HPP
// ---- silica/checkpoint/name_pattern.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_NAME_PATTERN_HPP
#define SILICA_SINGLE_CHECKPOINT_NAME_PATTERN_HPP
/// The small language of weight-name rules: runs of dotted segments with numbers.
///
///     layers.{n}.attention.q_proj     these segments, one after another, anywhere in the name; {n} is a number
///     ^norm.weight                    only at the start        lm_head.weight$     only at the end
///     lay{n}.weight                   a number inside a segment
///     blocks.*.fc1                    * is one segment, whatever it is
///
/// In a replacement, {n} is the number found under that name, {n+1} and {n-1} its neighbours, and * the segments found
/// for *, in order.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::checkpoint {

/// A pattern and what replaces it.
class NamePattern {
public:
    /// InputError when either text is malformed.
    NamePattern(std::string_view from, std::string_view to) : rule_(std::string(from) + " -> " + std::string(to)) {
        at_start_ = from.starts_with('^');
        if (at_start_) from.remove_prefix(1);
        at_end_ = from.ends_with('$');
        if (at_end_) from.remove_suffix(1);
        if (to.starts_with('^')) to.remove_prefix(1);
        if (to.ends_with('$')) to.remove_suffix(1);
        if (from.empty()) malformed("an empty pattern");
        from_ = parse(from);
        to_ = parse(to);
        check();
    }

    /// Whether the pattern occurs in `name`.
    [[nodiscard]] bool matches(std::string_view name) const {
        Match ignored;
        return find(name, ignored);
    }

    /// Replaces the first occurrence in `name`; false when there is none.
    bool apply(std::string& name) const {
        Match match;
        if (!find(name, match)) return false;
        std::string out = name.substr(0, match.begin);
        std::size_t star = 0;
        for (const Piece& piece : to_) {
            if (piece.kind == Kind::text) out += piece.text;
            if (piece.kind == Kind::star) out += match.stars[star++];
            if (piece.kind == Kind::number) out += std::to_string(value(match, piece.text) + piece.shift);
        }
        std::string rest = name.substr(match.end);
        if (to_.empty()) {  // a replacement by nothing takes one dot with it
            if (!rest.empty())
                rest.erase(0, 1);
            else if (!out.empty())
                out.pop_back();
        }
        name = out + rest;
        return true;
    }

private:
    enum class Kind { text, number, star };
    struct Piece {
        Kind kind;
        std::string text;        // the text, or the number's name
        std::int64_t shift = 0;  // {n+1}: 1
    };
    struct Match {
        std::size_t begin = 0, end = 0;
        std::vector<std::pair<std::string_view, std::int64_t>> numbers;
        std::vector<std::string> stars;
    };

    static std::int64_t value(const Match& match, std::string_view name) {
        const auto at =
            std::find_if(match.numbers.begin(), match.numbers.end(), [&](const auto& n) { return n.first == name; });
        return at == match.numbers.end() ? 0 : at->second;
    }

    [[noreturn]] void malformed(std::string_view why) const {
        throw InputError("The weight-name rule '" + rule_ + "' has " + std::string(why) + ".",
                         "See checkpoint/name_pattern.hpp for the language.");
    }

    std::vector<Piece> parse(std::string_view text) const {
        std::vector<Piece> pieces;
        std::string plain;
        const auto flush = [&] {
            if (!plain.empty()) pieces.push_back({Kind::text, std::exchange(plain, {})});
        };
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] == '}' || text[i] == '^' || text[i] == '$')
                malformed("a stray '" + std::string(1, text[i]) + "'");
            if (text[i] == '*') {
                flush();
                pieces.push_back({Kind::star, {}});
            } else if (text[i] == '{') {
                flush();
                const auto close = text.find('}', i);
                if (close == std::string_view::npos || close == i + 1) malformed("an unfinished '{'");
                std::string_view name = text.substr(i + 1, close - i - 1);
                std::int64_t shift = 0;
                if (const auto sign = name.find_first_of("+-"); sign != std::string_view::npos) {
                    if (sign + 2 != name.size() || name.back() < '0' || name.back() > '9')
                        malformed("a bad number in braces");
                    shift = name.back() - '0';
                    if (name[sign] == '-') shift = -shift;
                    name = name.substr(0, sign);
                }
                pieces.push_back({Kind::number, std::string(name), shift});
                i = close;
            } else {
                plain += text[i];
            }
        }
        flush();
        return pieces;
    }

    void check() const {
        const auto stars = [](const std::vector<Piece>& pieces) {
            return std::count_if(pieces.begin(), pieces.end(), [](const Piece& p) { return p.kind == Kind::star; });
        };
        if (stars(to_) > stars(from_)) malformed("more * on the right than on the left");
        for (std::size_t i = 0; i < from_.size(); ++i) {
            if (from_[i].shift != 0) malformed("a sum on the left");
            if (i > 0 && from_[i].kind != Kind::text && from_[i - 1].kind != Kind::text)
                malformed("two wildcards in a row");
        }
        for (const Piece& piece : to_) {
            if (piece.kind != Kind::number) continue;
            const bool known = std::any_of(from_.begin(), from_.end(), [&](const Piece& p) {
                return p.kind == Kind::number && p.text == piece.text;
            });
            if (!known) malformed("{" + piece.text + "} on the right only");
        }
    }

    bool find(std::string_view name, Match& match) const {
        std::size_t begin = 0;
        while (true) {
            if (match_at(name, begin, match)) return true;
            if (at_start_) return false;
            const auto dot = name.find('.', begin);
            if (dot == std::string_view::npos) return false;
            begin = dot + 1;
        }
    }

    bool match_at(std::string_view name, std::size_t begin, Match& match) const {
        match = Match{begin, begin, {}, {}};
        std::size_t at = begin;
        for (const Piece& piece : from_) {
            const std::size_t start = at;
            if (piece.kind == Kind::text) {
                if (!name.substr(at).starts_with(piece.text)) return false;
                at += piece.text.size();
            } else if (piece.kind == Kind::star) {
                while (at < name.size() && name[at] != '.') ++at;
                if (at == start) return false;
                match.stars.emplace_back(name.substr(start, at - start));
            } else {
                std::int64_t number = 0;
                while (at < name.size() && at - start < 9 && name[at] >= '0' && name[at] <= '9')
                    number = number * 10 + (name[at++] - '0');
                if (at == start) return false;
                match.numbers.emplace_back(piece.text, number);
            }
        }
        match.end = at;
        return at == name.size() || (name[at] == '.' && !at_end_);
    }

    std::string rule_;
    bool at_start_ = false, at_end_ = false;
    std::vector<Piece> from_, to_;
};

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_NAME_PATTERN_HPP

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace silica::checkpoint {

/// Another spelling and the canonical one, in the language of `NamePattern`.
struct Rename {
    std::string from, to;
};

/// The spellings of one family. BERT's:
/// `{.base_prefix = "bert.", .head_prefixes = {"cls.", "classifier.", "qa_outputs."}, .ignored =
/// {"embeddings.position_ids$"}}`.
struct NameRules {
    std::string base_prefix = {};                 ///< of the base model in a head's file: "bert."; empty: none
    std::vector<std::string> head_prefixes = {};  ///< names that never carry the base prefix: "cls.", "lm_head."
    std::vector<Rename> renames = {};             ///< tried in order, on the name without its base prefix
    std::vector<std::string> ignored = {};        ///< patterns of known tensors that no network reads
    std::vector<std::string> tied = {};           ///< canonical names that a file leaves out where they equal another
};

/// Renames that hold for every family, tried before its own.
[[nodiscard]] inline const std::vector<Rename>& legacy_renames() {
    static const std::vector<Rename> renames = {
        {"LayerNorm.gamma$", "LayerNorm.weight"},  // TensorFlow's names, in bert-base-uncased and its kin
        {"LayerNorm.beta$", "LayerNorm.bias"},
        {"layer_norm.gamma$", "layer_norm.weight"},
        {"layer_norm.beta$", "layer_norm.bias"},
        {"parametrizations.weight.original0$", "weight_g"},  // torch >= 2.1's weight_norm
        {"parametrizations.weight.original1$", "weight_v"},
    };
    return renames;
}

/// The tensors of a checkpoint by canonical name.
struct CanonicalNames {
    std::map<std::string, const TensorEntry*, std::less<>> names;  ///< point into the entries given
    std::vector<const TensorEntry*> ignored;                       ///< matched by `NameRules::ignored`
};

/// Applies rules to names; made once per family, used for every tensor.
class NameTranslator {
public:
    /// InputError when a pattern is malformed.
    explicit NameTranslator(const NameRules& rules) : base_(rules.base_prefix), heads_(rules.head_prefixes) {
        for (const auto& [from, to] : legacy_renames()) renames_.emplace_back(from, to);
        for (const auto& [from, to] : rules.renames) renames_.emplace_back(from, to);
        for (const auto& pattern : rules.ignored) ignored_.emplace_back(pattern, pattern);
    }

    /// The canonical spelling of `name`: without its base prefix, then each rename in turn (once per name), then with
    /// the base prefix unless it begins like a head.
    [[nodiscard]] std::string canonical(std::string_view name) const {
        std::string stem = stem_of(name);
        for (const auto& head : heads_)
            if (stem.starts_with(head)) return stem;
        return base_ + stem;
    }

    /// Whether `name` is known and read by no network.
    [[nodiscard]] bool ignored(std::string_view name) const {
        const std::string stem = stem_of(name);
        for (const auto& pattern : ignored_)
            if (pattern.matches(stem)) return true;
        return false;
    }

private:
    [[nodiscard]] std::string stem_of(std::string_view name) const {
        if (!base_.empty() && name.starts_with(base_)) name.remove_prefix(base_.size());
        std::string stem(name);
        for (const auto& rename : renames_) rename.apply(stem);
        return stem;
    }

    std::string base_;
    std::vector<std::string> heads_;
    std::vector<NamePattern> renames_, ignored_;
};

/// The entries by canonical name. CheckpointError when two entries that are not the same bytes get one name.
[[nodiscard]] inline CanonicalNames canonical_names(std::span<const TensorEntry> entries, const NameRules& rules) {
    const NameTranslator translator(rules);
    CanonicalNames result;
    for (const auto& entry : entries) {
        if (translator.ignored(entry.name)) {
            result.ignored.push_back(&entry);
            continue;
        }
        const auto [at, added] = result.names.emplace(translator.canonical(entry.name), &entry);
        if (added || at->second->same_storage(entry)) continue;
        throw CheckpointError("The checkpoint holds two different tensors for " + quote(at->first) + ": " +
                                  quote(at->second->name) + " and " + quote(entry.name) + ".",
                              "Remove one of the two from the file; they are two spellings of one weight.");
    }
    return result;
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_NAMES_HPP
// ---- silica/core/inputs.hpp
#ifndef SILICA_SINGLE_CORE_INPUTS_HPP
#define SILICA_SINGLE_CORE_INPUTS_HPP
/// Checks of input tensors, on the host, before anything reaches a device.

// ---- silica/core/tensor.hpp
#ifndef SILICA_SINGLE_CORE_TENSOR_HPP
#define SILICA_SINGLE_CORE_TENSOR_HPP
/// The one door to LibTorch: its tensor, and the plain tensor code that every device runs.
///
/// Networks are held to what this header includes: shapes, views, indexing, `+ - * /`, comparisons, `cat`, `where`,
/// `arange`, `zeros`, `ones`, `full`, `empty`, `to` and `copy_`. Everything else is an op (`op/`), so that a device
/// that lacks it can send it elsewhere.

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

namespace silica {

using at::Tensor;

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_TENSOR_HPP

#include <initializer_list>
#include <string>
#include <string_view>

namespace silica {

/// "(2, 3)".
inline std::string shape_text(c10::IntArrayRef shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i != 0 ? ", " : "") + std::to_string(shape[i]);
    return text + ")";
}

/// Throws InputError unless `t` is defined, has this rank, one of these types, and no dimension of size 0.
inline void require_tensor(std::string_view name, const Tensor& t, std::int64_t rank,
                           std::initializer_list<c10::ScalarType> types) {
    const std::string input = "Input " + std::string(name);
    if (!t.defined())
        throw InputError(input + " is missing.", "set it: a tensor of rank " + std::to_string(rank) + ".");
    if (t.dim() != rank) {
        throw InputError(
            input + " has shape " + shape_text(t.sizes()) + ", rank " + std::to_string(rank) + " is wanted.",
            t.dim() + 1 == rank ? "add a batch dimension: " + std::string(name) + ".unsqueeze(0)." : "reshape it.");
    }
    std::string wanted;
    bool fits = false;
    for (const auto type : types) {
        fits = fits || t.scalar_type() == type;
        wanted += (wanted.empty() ? "" : " or ") + std::string(c10::toString(type));
    }
    if (!fits) {
        throw InputError(
            input + " is of type " + std::string(c10::toString(t.scalar_type())) + ", " + wanted + " is wanted.",
            "convert it with .to(...).");
    }
    if (t.numel() == 0)
        throw InputError(input + " is empty: " + shape_text(t.sizes()) + ".", "give at least one item.");
}

/// Throws InputError unless both have the same shape.
inline void require_same_shape(std::string_view name, const Tensor& t, std::string_view other, const Tensor& u) {
    if (t.sizes() == u.sizes()) return;
    throw InputError("Input " + std::string(name) + " has shape " + shape_text(t.sizes()) + ", " + std::string(other) +
                         " has " + shape_text(u.sizes()) + ".",
                     "give both the same shape.");
}

/// Throws InputError unless all ids (int64, any shape, on any device) are in [0, limit).
inline void require_ids(std::string_view name, const Tensor& ids, std::int64_t limit, std::string_view limit_name) {
    const Tensor host = ids.to(c10::Device(c10::DeviceType::CPU)).contiguous();
    const auto* id = host.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < host.numel(); ++i) {
        if (id[i] >= 0 && id[i] < limit) continue;
        throw InputError("Input " + std::string(name) + " holds " + std::to_string(id[i]) + ", ids from 0 to " +
                             std::to_string(limit - 1) + " exist (" + std::string(limit_name) + ").",
                         "use the tokenizer of this checkpoint.");
    }
}

/// A mask (batch, tokens), int64 or bool, as bool; absent when nothing is masked.
inline std::optional<Tensor> bool_mask(const Tensor& mask) {
    const Tensor host = mask.to(c10::Device(c10::DeviceType::CPU)).to(c10::ScalarType::Bool).contiguous();
    const auto* m = host.const_data_ptr<bool>();
    for (std::int64_t i = 0; i < host.numel(); ++i) {
        if (!m[i]) return host;
    }
    return std::nullopt;
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_INPUTS_HPP
// ---- silica/core/reflect.hpp
#ifndef SILICA_SINGLE_CORE_REFLECT_HPP
#define SILICA_SINGLE_CORE_REFLECT_HPP
/// Structs as lists of named members: how configurations are read from JSON.

// ---- silica/core/json.hpp
#ifndef SILICA_SINGLE_CORE_JSON_HPP
#define SILICA_SINGLE_CORE_JSON_HPP
/// JSON documents kept as values: configurations. Built on the reader that checkpoint headers use; small, since every
/// program that opens a model compiles it.

// ---- silica/core/json_reader.hpp
#ifndef SILICA_SINGLE_CORE_JSON_READER_HPP
#define SILICA_SINGLE_CORE_JSON_READER_HPP
/// Reads JSON front to back without keeping it: the headers and indexes of checkpoints, which come from strangers and
/// may be 100 MB. One pass, memory only for the string at hand, nesting bounded. (`core/json.hpp` keeps whole
/// documents.)

// ---- silica/core/utf8.hpp
#ifndef SILICA_SINGLE_CORE_UTF8_HPP
#define SILICA_SINGLE_CORE_UTF8_HPP
/// UTF-8: checking it, writing it.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace silica {

/// The position of the first byte that is not well-formed UTF-8 (RFC 3629), or text.size().
[[nodiscard]] inline std::size_t first_bad_utf8(std::string_view text) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    std::size_t i = 0;
    while (i < text.size()) {
        if (text.size() - i >= 8) {  // eight ASCII bytes at a time
            std::uint64_t word = 0;
            std::memcpy(&word, text.data() + i, 8);
            if ((word & 0x8080808080808080U) == 0) {
                i += 8;
                continue;
            }
        }
        const unsigned lead = at(i);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        if (lead < 0xc2 || lead > 0xf4 || text.size() - i < length) return i;
        const unsigned second = at(i + 1);
        const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;   // no overlong forms
        const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;  // no surrogates, nothing over 10FFFF
        if (second < low || second > high) return i;
        for (std::size_t k = 2; k < length; ++k)
            if ((at(i + k) & 0xc0U) != 0x80U) return i;
        i += length;
    }
    return i;
}

/// Appends the UTF-8 form of a code point (at most 0x10FFFF, no surrogate).
inline void append_utf8(std::string& out, std::uint32_t code) {
    const auto put = [&](std::uint32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
    if (code < 0x80) return put(code);
    if (code < 0x800) {
        put(0xc0U | code >> 6U);
    } else {
        if (code < 0x10000) {
            put(0xe0U | code >> 12U);
        } else {
            put(0xf0U | code >> 18U);
            put(0x80U | (code >> 12U & 0x3fU));
        }
        put(0x80U | (code >> 6U & 0x3fU));
    }
    put(0x80U | (code & 0x3fU));
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_UTF8_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace silica {

/// A cursor over JSON text. Every function reads one thing or throws a CheckpointError that says where and why.
class JsonReader {
public:
    /// `source` names the text in errors ("model.safetensors: header"); `remedy` is their second half.
    JsonReader(std::string_view text, std::string source, std::string remedy)
        : text_(text), source_(std::move(source)), remedy_(std::move(remedy)) {
        at_ = first_bad_utf8(text_);
        if (at_ != text_.size()) fail("is not UTF-8");
        at_ = 0;
    }

    /// Throws: the text, at this line and column, `problem` ("has no member 'dtype'").
    [[noreturn]] void fail(std::string_view problem) const {
        const auto before = text_.substr(0, std::min(at_, text_.size()));
        const auto line = 1 + std::count(before.begin(), before.end(), '\n');
        const auto newline = before.rfind('\n');
        const auto column = newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
        throw CheckpointError(source_ + " (line " + std::to_string(line) + ", column " + std::to_string(column) + ") " +
                                  std::string(problem) + ".",
                              remedy_);
    }

    /// The next byte that is not white space, not consumed; 0 at the end.
    [[nodiscard]] char peek() noexcept {
        while (at_ < text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
            ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }

    /// Reads an object; `member(key)` must read the value that follows.
    template <class Member>
    void object(Member&& member) {
        sequence('{', '}', "an object", [&] {
            std::string key = string();
            expect(':');
            member(std::move(key));
        });
    }

    /// Reads an array; `item()` must read one value.
    template <class Item>
    void array(Item&& item) {
        sequence('[', ']', "an array", item);
    }

    /// Reads a string, with its escapes replaced.
    [[nodiscard]] std::string string() {
        if (peek() != '"') fail("should have a string here");
        ++at_;
        std::string out;
        while (true) {
            const auto end = std::find_if(text_.begin() + static_cast<std::ptrdiff_t>(at_), text_.end(), [](char c) {
                return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
            });
            const auto stop = static_cast<std::size_t>(end - text_.begin());
            out.append(text_, at_, stop - at_);
            at_ = stop;
            if (at_ == text_.size()) fail("ends inside a string");
            if (text_[at_] == '"') break;
            if (text_[at_] != '\\') fail("has a control character in a string");
            escape(out);
        }
        ++at_;
        return out;
    }

    /// Reads a whole number from 0 to 2^64 - 1; `what()` names it in errors.
    template <class What>
    [[nodiscard]] std::uint64_t number(What&& what) {
        const char first = peek();
        if (first < '0' || first > '9') fail(what() + " should be a whole number, 0 or more");
        const std::size_t begin = at_;
        std::uint64_t value = 0;
        for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
            const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
            if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) fail(what() + " is 2^64 or more");
            value = value * 10 + digit;
        }
        if (first == '0' && at_ - begin > 1) fail(what() + " has a leading zero");
        if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E'))
            fail(what() + " should be a whole number");
        return value;
    }

    /// Reads `null` if that comes next.
    [[nodiscard]] bool null() {
        if (peek() != 'n') return false;
        literal("null");
        return true;
    }

    /// Reads `word`: true, false, null, and what Python writes besides.
    void literal(std::string_view word) {
        if (text_.substr(at_, word.size()) != word) fail("is not valid JSON");
        at_ += word.size();
    }

    /// Whether this comes next.
    [[nodiscard]] bool starts_with(std::string_view word) const noexcept {
        return text_.substr(at_, word.size()) == word;
    }

    /// Reads a number of any kind and returns its text.
    [[nodiscard]] std::string_view number_literal() {
        static_cast<void>(peek());
        const std::size_t begin = at_;
        const auto next = [this](std::string_view set) {
            return at_ < text_.size() && set.find(text_[at_]) != std::string_view::npos && (++at_, true);
        };
        static_cast<void>(next("-"));
        if (!next("0")) digits();
        if (next(".")) digits();
        if (next("eE")) {
            static_cast<void>(next("+-"));
            digits();
        }
        return text_.substr(begin, at_ - begin);
    }

    /// Reads any value and forgets it.
    void skip() {
        switch (peek()) {
            case '{':
                return object([this](const std::string&) { skip(); });
            case '[':
                return array([this] { skip(); });
            case '"':
                return static_cast<void>(string());
            case 't':
                return literal("true");
            case 'f':
                return literal("false");
            case 'n':
                return literal("null");
            default:
                static_cast<void>(number_literal());
        }
    }

    /// Throws unless nothing but white space is left.
    void end() {
        if (peek() != '\0' || at_ != text_.size()) fail("has more text after the end of the JSON");
    }

private:
    template <class Item>
    void sequence(char open, char close, std::string_view what, Item&& item) {
        constexpr int deepest = 64;
        if (peek() != open) fail("should have " + std::string(what) + " here");
        if (++depth_ > deepest) fail("is nested more than 64 deep");
        ++at_;
        if (peek() == close) {
            ++at_;
        } else {
            while (true) {
                item();
                const char c = peek();
                if (c != ',' && c != close) fail(at_ == text_.size() ? "ends too early" : "is not valid JSON");
                ++at_;
                if (c == close) break;
            }
        }
        --depth_;
    }

    void expect(char c) {
        if (peek() != c) fail(std::string("should have '") + c + "' here");
        ++at_;
    }

    void digits() {
        const std::size_t begin = at_;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
        if (at_ == begin) fail(at_ == text_.size() ? "ends too early" : "is not valid JSON");
    }

    unsigned hex4() {
        unsigned value = 0;
        for (int i = 0; i < 4; ++i, ++at_) {
            const char c = at_ < text_.size() ? text_[at_] : '\0';
            const char lower = static_cast<char>(c | 0x20);
            if (c >= '0' && c <= '9')
                value = value * 16 + static_cast<unsigned>(c - '0');
            else if (lower >= 'a' && lower <= 'f')
                value = value * 16 + static_cast<unsigned>(lower - 'a' + 10);
            else
                fail("has a bad \\u escape");
        }
        return value;
    }

    void escape(std::string& out) {
        constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
        ++at_;
        const char c = at_ < text_.size() ? text_[at_] : '\0';
        ++at_;
        if (const auto k = letters.find(c); c != '\0' && k != std::string_view::npos) {
            out += meanings[k];
            return;
        }
        if (c != 'u') fail("has a bad escape in a string");
        std::uint32_t code = hex4();
        if (code >= 0xd800 && code < 0xdc00 && text_.substr(std::min(at_, text_.size()), 2) == "\\u") {
            at_ += 2;
            const std::uint32_t low = hex4();
            if (low < 0xdc00 || low > 0xdfff) fail("has half of a surrogate pair");
            code = 0x10000 + ((code - 0xd800) << 10U) + (low - 0xdc00);
        } else if (code >= 0xd800 && code < 0xe000) {
            fail("has half of a surrogate pair");
        }
        append_utf8(out, code);
    }

    std::string_view text_;
    std::string source_, remedy_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_JSON_READER_HPP

#include <cstdint>
#include <limits>
#include <locale>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace silica {

/// A parsed value. Objects keep the order of the file; a name that stands twice in one object is an error of parsing.
class Json {
public:
    using Array = std::vector<Json>;
    using Object = std::vector<std::pair<std::string, Json>>;

    Json() = default;
    template <class T>
        requires(!std::is_same_v<std::remove_cvref_t<T>, Json>)
    explicit Json(T value) : value_(std::move(value)) {}

    /// Parses a whole text (RFC 8259, and the NaN and Infinity that Python writes). `source` names it in errors:
    /// ConfigError with line and column.
    [[nodiscard]] static Json parse(std::string_view text, const std::string& source);

    [[nodiscard]] bool is_null() const { return holds<std::monostate>(); }
    [[nodiscard]] bool is_bool() const { return holds<bool>(); }
    [[nodiscard]] bool is_integer() const { return holds<std::int64_t>(); }
    [[nodiscard]] bool is_number() const { return holds<std::int64_t>() || holds<double>(); }
    [[nodiscard]] bool is_string() const { return holds<std::string>(); }
    [[nodiscard]] bool is_array() const { return holds<Array>(); }
    [[nodiscard]] bool is_object() const { return holds<Object>(); }

    // Each of these is called only after the question above said yes.
    [[nodiscard]] bool boolean() const { return std::get<bool>(value_); }
    [[nodiscard]] std::int64_t integer() const { return std::get<std::int64_t>(value_); }
    [[nodiscard]] double number() const {
        return holds<double>() ? std::get<double>(value_) : static_cast<double>(integer());
    }
    [[nodiscard]] const std::string& string() const { return std::get<std::string>(value_); }
    [[nodiscard]] const Array& array() const { return std::get<Array>(value_); }
    [[nodiscard]] const Object& object() const { return std::get<Object>(value_); }

    /// The value of a name; null when this is no object or has no such name.
    [[nodiscard]] const Json* find(std::string_view name) const {
        if (!is_object()) return nullptr;
        for (const auto& [key, value] : object()) {
            if (key == name) return &value;
        }
        return nullptr;
    }

    /// The value as short text for an error: `true`, `-3`, `"gelu"`, `a list`.
    [[nodiscard]] std::string brief() const {
        if (is_null()) return "null";
        if (is_bool()) return boolean() ? "true" : "false";
        if (is_integer()) return std::to_string(integer());
        if (is_string()) return quote(string());
        if (is_array()) return "a list";
        if (is_object()) return "an object";
        std::ostringstream text;
        text.imbue(std::locale::classic());
        text << number();
        return text.str();
    }

private:
    template <class T>
    [[nodiscard]] bool holds() const {
        return std::holds_alternative<T>(value_);
    }
    std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

namespace detail {

/// The value of a JSON number: an integer where it is one and fits, else the nearest double.
inline Json json_number(std::string_view literal) {
    std::istringstream in{std::string(literal)};
    in.imbue(std::locale::classic());
    if (literal.find_first_of(".eE") == std::string_view::npos) {
        std::int64_t whole = 0;
        if (in >> whole) return Json(whole);
        in.clear();
        in.str(std::string(literal));
    }
    double value = 0;
    if (!(in >> value) && value != 0)
        value = value < 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
    return Json(value);
}

inline Json json_value(JsonReader& in) {
    switch (in.peek()) {
        case '{': {
            Json::Object members;
            std::set<std::string> seen;
            in.object([&](std::string name) {
                if (!seen.insert(name).second) in.fail("has the name " + quote(name) + " twice in one object");
                members.emplace_back(std::move(name), json_value(in));
            });
            return Json(std::move(members));
        }
        case '[': {
            Json::Array items;
            in.array([&] { items.push_back(json_value(in)); });
            return Json(std::move(items));
        }
        case '"':
            return Json(in.string());
        case 't':
            in.literal("true");
            return Json(true);
        case 'f':
            in.literal("false");
            return Json(false);
        case 'n':
            in.literal("null");
            return {};
        case 'N':
            in.literal("NaN");
            return Json(std::numeric_limits<double>::quiet_NaN());
        case 'I':
            in.literal("Infinity");
            return Json(std::numeric_limits<double>::infinity());
        default:
            break;
    }
    if (in.starts_with("-I")) {
        in.literal("-Infinity");
        return Json(-std::numeric_limits<double>::infinity());
    }
    return json_number(in.number_literal());
}

}  // namespace detail

inline Json Json::parse(std::string_view text, const std::string& source) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    try {
        JsonReader in(text, source, "Correct the file, or download it again.");
        Json value = detail::json_value(in);
        in.end();
        return value;
    } catch (const CheckpointError& e) {
        throw ConfigError(e.problem(), e.remedy());
    }
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_JSON_HPP

#include <boost/hana/accessors.hpp>
#include <boost/hana/concept/struct.hpp>
#include <boost/hana/core/to.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/second.hpp>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica {

/// A struct that Hana was told about with BOOST_HANA_ADAPT_STRUCT.
template <class T>
concept Reflected = boost::hana::Struct<std::remove_cvref_t<T>>::value;

/// Calls `f(name, member)` for each member in order; `name` is a std::string_view.
template <Reflected T, class F>
void for_each_member(T&& object, F&& f) {
    boost::hana::for_each(boost::hana::accessors<std::remove_cvref_t<T>>(), [&](auto member) {
        f(std::string_view(boost::hana::to<const char*>(boost::hana::first(member))),
          boost::hana::second(member)(object));
    });
}

/// Reads `json` into `value`: booleans, integers, numbers, strings, enums by name (`enum_names`), optionals (null is
/// absent), vectors (a single value is a list of one), maps, nested structs. A key that is missing keeps its default;
/// `T::aliases()` lists other spellings of keys. `path` is "config.json: key" so far.
/// Throws ConfigError with the file, the key, what was found and what is wanted.
template <class T>
void read_json(T& value, const Json& json, const std::string& path) {
    const auto wants = [&](std::string_view what) {
        throw ConfigError(path + " is " + json.brief() + ", " + std::string(what) + " is wanted.",
                          "correct the key, or download the file again.");
    };
    if constexpr (std::is_same_v<T, Json>) {
        value = json;
    } else if constexpr (std::is_same_v<T, bool>) {
        if (!json.is_bool()) wants("true or false");
        value = json.boolean();
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
        if (!json.is_integer()) wants("an integer");
        value = json.integer();
    } else if constexpr (std::is_same_v<T, double>) {
        if (!json.is_number()) wants("a number");
        value = json.number();
    } else if constexpr (std::is_same_v<T, std::string>) {
        if (!json.is_string()) wants("a string");
        value = json.string();
    } else if constexpr (std::is_enum_v<T>) {
        if (!json.is_string()) wants("a name");
        std::string known;
        for (const auto& [name, meaning] : enum_names(T{})) {
            if (name == json.string()) {
                value = meaning;
                return;
            }
            known += (known.empty() ? "" : ", ") + std::string(name);
        }
        throw ConfigError(path + " is " + json.brief() + ", which is not supported.", "known are " + known + ".");
    } else if constexpr (requires {
                             typename T::value_type;
                             value.has_value();
                         }) {
        if (json.is_null()) return value.reset();
        read_json(value.emplace(), json, path);
    } else if constexpr (requires { typename T::mapped_type; }) {
        if (!json.is_object()) wants("an object");
        for (const auto& [key, item] : json.object()) read_json(value[key], item, path + "." + key);
    } else if constexpr (Reflected<T>) {
        if (!json.is_object()) wants("an object");
        const std::string inside = path + (path.ends_with(':') ? " " : ".");
        for_each_member(value, [&](std::string_view name, auto& member) {
            std::string_view key = name;
            if constexpr (requires { T::aliases(); }) {
                for (const auto& [main, other] : T::aliases()) {
                    if (main == name && json.find(key) == nullptr && json.find(other) != nullptr) key = other;
                }
            }
            if (const Json* found = json.find(key)) {
                // null stands for "the default" in configurations that transformers writes
                if (!found->is_null() || requires { member.has_value(); })
                    read_json(member, *found, inside + std::string(key));
            }
        });
    } else {  // a vector
        value.clear();
        if (!json.is_array()) return read_json(value.emplace_back(), json, path);
        for (const auto& item : json.array()) read_json(value.emplace_back(), item, path);
    }
}

/// Throws ConfigError unless `value` is at least `least`: for sizes, which must not be zero or negative.
inline void require_at_least(const std::string& file, std::string_view key, std::int64_t value,
                             std::int64_t least = 1) {
    if (value >= least) return;
    throw ConfigError(file + ": " + std::string(key) + " is " + std::to_string(value) + ", " + std::to_string(least) +
                          " or more is needed.",
                      "correct the key, or download the file again.");
}

/// Throws ConfigError that says a key has a value whose meaning is not implemented.
[[noreturn]] inline void refuse_config(const std::string& file, std::string_view key, const std::string& value,
                                       const std::string& remedy) {
    throw ConfigError(file + ": " + std::string(key) + " = " + value + " is not supported.", remedy);
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_REFLECT_HPP
// ---- silica/op/activation.hpp
#ifndef SILICA_SINGLE_OP_ACTIVATION_HPP
#define SILICA_SINGLE_OP_ACTIVATION_HPP
/// The activation functions that configurations name, elementwise.

// ---- silica/op/concept.hpp
#ifndef SILICA_SINGLE_OP_CONCEPT_HPP
#define SILICA_SINGLE_OP_CONCEPT_HPP
/// What an op tag states, and how kernels attach to it. Smallest examples: op/gelu.hpp (plain), op/linear.hpp (with
/// weights), op/linear_add.hpp (fused).

// ---- silica/core/types.hpp
#ifndef SILICA_SINGLE_CORE_TYPES_HPP
#define SILICA_SINGLE_CORE_TYPES_HPP
/// Small helpers for code that computes with types.

namespace silica {

/// False, but only once `T` is known: for a `static_assert` that fires on instantiation.
template <class...>
inline constexpr bool always_false = false;

/// True when `T` has a definition where it is first asked for. Ask after everything that may define it.
template <class T>
concept Complete = requires { sizeof(T); };

/// Carries a type as a value.
template <class T>
struct type_tag {
    using type = T;
};

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_TYPES_HPP
// ---- silica/precision/concept.hpp
#ifndef SILICA_SINGLE_PRECISION_CONCEPT_HPP
#define SILICA_SINGLE_PRECISION_CONCEPT_HPP
/// What a precision policy states, and how a device says that it cannot run one. Smallest example: precision/fp32.hpp.

#include <c10/core/ScalarType.h>

#include <concepts>
#include <string_view>

namespace silica {

/// A precision: how weights are stored, in what products are computed and in what sums and norms are reduced.
template <class P>
concept PrecisionPolicy = requires {
    { P::name } -> std::convertible_to<std::string_view>;
    { P::storage } -> std::convertible_to<c10::ScalarType>;
    { P::compute } -> std::convertible_to<c10::ScalarType>;
    { P::reduce } -> std::convertible_to<c10::ScalarType>;
    { P::quantised } -> std::convertible_to<bool>;
};

/// In a `Kernel<Op, Device, AnyPrecision>`: serves every precision whose weights are not quantised.
struct AnyPrecision;

/// False where a device cannot hold or compute a precision; specialised in the header of the device or the precision.
template <class Precision, class Device>
inline constexpr bool runs_on = true;

namespace precision {

/// The precision a device (or a chain's first device) is at its best with: float16 on Mps, bfloat16 on Cuda, float32
/// on Cpu.
template <class DeviceOrChain>
using Default = typename DeviceOrChain::default_precision;

}  // namespace precision
}  // namespace silica
#endif  // SILICA_SINGLE_PRECISION_CONCEPT_HPP

#include <concepts>
#include <string_view>
#include <type_traits>

namespace silica {

/// The implementation of `Op` on `Device`; it exists where it is specialised, and nothing else records it.
///
/// Orphan rule: a specialisation stands in the header of its device, its op or its precision, nowhere else, and users
/// specialise only with a type of their own. One that a compiler meets after the first use is ignored without a word.
template <class Op, class Device, class Precision = AnyPrecision>
struct Kernel;

/// An argument that the op writes to. It is copied back after a hop, and such an op never recovers from a throw.
template <class T>
struct InOut {
    T& value;
};

namespace op {

/// Stands in a signature for weights in the layout that the kernel made of them: `Kernel::Packed`.
struct Prepared;

}  // namespace op

namespace detail {

template <class Signature>
struct signature;
template <class R, class... Args>
struct signature<R(Args...)> {
    using result = R;
    static constexpr bool weighted = (std::is_same_v<std::remove_cvref_t<Args>, op::Prepared> || ...);
    static constexpr bool writes = false;
};

template <class T>
inline constexpr bool is_in_out = false;
template <class T>
inline constexpr bool is_in_out<InOut<T>> = true;

template <class R, class... Args>
    requires(is_in_out<std::remove_cvref_t<Args>> || ...)
struct signature<R(Args...)> {
    using result = R;
    static constexpr bool weighted = (std::is_same_v<std::remove_cvref_t<Args>, op::Prepared> || ...);
    static constexpr bool writes = true;
};

}  // namespace detail

/// An op: a tag with a name and a signature.
template <class Op>
concept OpTag = requires {
    { Op::name } -> std::convertible_to<std::string_view>;
    typename detail::signature<typename Op::signature>::result;
};

/// What a call of `Op` returns.
template <OpTag Op>
using result_of = typename detail::signature<typename Op::signature>::result;

/// Runs `Op` where `Exec` places it; see run.hpp. Declared here so that `by_parts` of a fused op can name it.
template <class Op, class Exec, class... Args>
result_of<Op> run(const Args&... args);

/// Ops as a list of types: what a layer or a network may call.
template <class... Ops>
struct OpList {
    static constexpr std::size_t size = sizeof...(Ops);
};

namespace detail {

template <class List, class... More>
struct unite {
    using type = List;
};
template <class... Known, class Op, class... Ops, class... Lists>
struct unite<OpList<Known...>, OpList<Op, Ops...>, Lists...>
    : unite<std::conditional_t<(std::is_same_v<Known, Op> || ...), OpList<Known...>, OpList<Known..., Op>>,
            OpList<Ops...>, Lists...> {};
template <class Known, class... Lists>
struct unite<Known, OpList<>, Lists...> : unite<Known, Lists...> {};

}  // namespace detail

/// The union of op lists, in order of first appearance.
template <class... Lists>
using union_of = typename detail::unite<OpList<>, Lists...>::type;

/// True for ops that carry weights, which are packed once for the kernel that will use them.
template <OpTag Op>
inline constexpr bool weighted = detail::signature<typename Op::signature>::weighted;

namespace detail {

template <class Op>
struct packed_by {
    using type = Op;
};
template <class Op>
    requires requires { typename Op::packed_as; }
struct packed_by<Op> {
    using type = typename Op::packed_as;
};

template <class Op>
inline constexpr bool is_fused = requires { typename Op::parts; };

/// The kernel of `Op` on `Device` in `Precision`: the one for that precision, else the one for all unquantised ones.
template <class Op, class Device, class Precision>
struct kernel {
    static constexpr bool exists = false;
};
template <class Op, class Device, class Precision>
    requires Complete<Kernel<Op, Device, Precision>>
struct kernel<Op, Device, Precision> {
    static constexpr bool exists = true;
    using type = Kernel<Op, Device, Precision>;
};
template <class Op, class Device, class Precision>
    requires(!Complete<Kernel<Op, Device, Precision>> && Complete<Kernel<Op, Device, AnyPrecision>> &&
             !(Precision::quantised && weighted<Op>))
struct kernel<Op, Device, Precision> {
    static constexpr bool exists = true;
    using type = Kernel<Op, Device, AnyPrecision>;
};

/// Whether `K::run` takes what the signature promises, `Prepared` being the layout `Packed`, and returns its result.
template <class K, class Packed, class Signature>
inline constexpr bool runs_as = false;
template <class K, class Packed, class R, class... Args>
inline constexpr bool runs_as<K, Packed, R(Args...)> =
    requires(std::conditional_t<std::is_same_v<std::remove_cvref_t<Args>, op::Prepared>, const Packed&, Args>... args) {
        { K::run(args...) } -> std::same_as<R>;
    };

}  // namespace detail

/// True when `Device` has a kernel for `Op` in `Precision`.
template <class Op, class Device, class Precision>
inline constexpr bool has_kernel = detail::kernel<Op, Device, Precision>::exists;

/// The kernel of `Op` on `Device` in `Precision`.
template <class Op, class Device, class Precision>
using kernel_of = typename detail::kernel<Op, Device, Precision>::type;

}  // namespace silica
#endif  // SILICA_SINGLE_OP_CONCEPT_HPP

#include <array>
#include <utility>

namespace silica {

/// Activations by what they compute; several names of config.json stand for one (see `activation_names`).
enum class Activation {
    linear,      ///< x
    gelu,        ///< x Phi(x)
    gelu_tanh,   ///< 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
    gelu_10,     ///< gelu(x) clipped to [-10, 10]
    quick_gelu,  ///< x sigmoid(1.702 x)
    relu,        ///< max(0, x)
    relu2,       ///< max(0, x)^2
    relu6,       ///< min(max(0, x), 6)
    leaky_relu,  ///< x for x > 0, else 0.01 x
    silu,        ///< x sigmoid(x)
    sigmoid,     ///< 1 / (1 + exp(-x))
    tanh,        ///< tanh(x)
    mish,        ///< x tanh(log(1 + exp(x)))
    laplace,     ///< 0.5 (1 + erf((x - mu) / (sigma sqrt 2))), mu = 0.707107, sigma = 0.282095
};

/// Names as config.json spells them (transformers' ACT2FN).
inline constexpr std::array<std::pair<std::string_view, Activation>, 20> activation_names{{
    {"gelu", Activation::gelu},
    {"gelu_python", Activation::gelu},
    {"gelu_new", Activation::gelu_tanh},
    {"gelu_fast", Activation::gelu_tanh},
    {"gelu_pytorch_tanh", Activation::gelu_tanh},
    {"gelu_python_tanh", Activation::gelu_tanh},
    {"gelu_accurate", Activation::gelu_tanh},
    {"gelu_10", Activation::gelu_10},
    {"quick_gelu", Activation::quick_gelu},
    {"relu", Activation::relu},
    {"relu2", Activation::relu2},
    {"relu6", Activation::relu6},
    {"leaky_relu", Activation::leaky_relu},
    {"silu", Activation::silu},
    {"swish", Activation::silu},
    {"sigmoid", Activation::sigmoid},
    {"tanh", Activation::tanh},
    {"mish", Activation::mish},
    {"laplace", Activation::laplace},
    {"linear", Activation::linear},
}};

/// The table of names, found by argument-dependent lookup where configurations are read.
constexpr const auto& enum_names(Activation) { return activation_names; }

namespace op {

/// y = act(x), elementwise; x and y have any equal shape.
struct Activate {
    static constexpr std::string_view name = "activate";
    using signature = Tensor(const Tensor& x, Activation act);
};
static_assert(OpTag<Activate>);

}  // namespace op
}  // namespace silica
#endif  // SILICA_SINGLE_OP_ACTIVATION_HPP

#include <boost/hana/adapt_struct.hpp>

#include <map>
#include <optional>
#include <string>

namespace silica::arch {

/// Keys and defaults of config.json.
struct BertConfig {
    std::int64_t vocab_size = 30522, hidden_size = 768, num_hidden_layers = 12, num_attention_heads = 12,
                 intermediate_size = 3072, max_position_embeddings = 512, type_vocab_size = 2;
    double layer_norm_eps = 1e-12;
    Activation hidden_act = Activation::gelu;
    bool tie_word_embeddings = true, is_decoder = false, add_cross_attention = false;
    std::string position_embedding_type = "absolute";
    std::optional<std::int64_t> num_labels = {};
    std::map<std::string, std::string> id2label = {};

    /// How many classes a classifier tells apart.
    [[nodiscard]] std::int64_t labels() const {
        if (!id2label.empty()) return static_cast<std::int64_t>(id2label.size());
        return num_labels.value_or(2);
    }
};

struct BertInputs {
    Tensor input_ids;                           ///< (batch, tokens) int64
    std::optional<Tensor> attention_mask = {};  ///< (batch, tokens) int64 or bool, 1 = attend; absent: all
    std::optional<Tensor> token_type_ids = {};  ///< (batch, tokens) int64; absent: zeros
};

/// What all heads of BERT share.
struct BertFamily {
    static constexpr std::string_view family = "bert";
    using Config = BertConfig;
    using Inputs = BertInputs;

    static void check(const Config& c, const std::string& file) {
        require_at_least(file, "vocab_size", c.vocab_size);
        require_at_least(file, "hidden_size", c.hidden_size);
        require_at_least(file, "num_hidden_layers", c.num_hidden_layers, 0);
        require_at_least(file, "num_attention_heads", c.num_attention_heads);
        require_at_least(file, "intermediate_size", c.intermediate_size);
        require_at_least(file, "max_position_embeddings", c.max_position_embeddings);
        require_at_least(file, "type_vocab_size", c.type_vocab_size);
        require_at_least(file, "the number of labels", c.labels());
        if (c.hidden_size % c.num_attention_heads != 0) {
            throw ConfigError(file + ": hidden_size " + std::to_string(c.hidden_size) +
                                  " is not a multiple of num_attention_heads " + std::to_string(c.num_attention_heads) +
                                  ".",
                              "correct one of the two.");
        }
        if (!(c.layer_norm_eps >= 0)) {
            throw ConfigError(
                file + ": layer_norm_eps is " + std::to_string(c.layer_norm_eps) + ", 0 or more is needed.",
                "the usual value is 1e-12.");
        }
        if (c.position_embedding_type != "absolute") {
            refuse_config(file, "position_embedding_type", c.position_embedding_type,
                          "use a checkpoint with absolute positions.");
        }
        if (c.is_decoder) refuse_config(file, "is_decoder", "true", "use BERT as an encoder, or a decoder family.");
        if (c.add_cross_attention) refuse_config(file, "add_cross_attention", "true", "use BERT as an encoder.");
    }

    static Inputs prepare(const Config& c, Inputs in) {
        require_tensor("input_ids", in.input_ids, 2, {c10::ScalarType::Long});
        if (in.input_ids.size(1) > c.max_position_embeddings) {
            throw InputError("Input input_ids has " + std::to_string(in.input_ids.size(1)) +
                                 " tokens, the model has positions for " + std::to_string(c.max_position_embeddings) +
                                 ".",
                             "cut the text (truncation in the tokenizer) or split it.");
        }
        require_ids("input_ids", in.input_ids, c.vocab_size, "vocab_size");
        if (in.token_type_ids) {
            require_tensor("token_type_ids", *in.token_type_ids, 2, {c10::ScalarType::Long});
            require_same_shape("token_type_ids", *in.token_type_ids, "input_ids", in.input_ids);
            require_ids("token_type_ids", *in.token_type_ids, c.type_vocab_size, "type_vocab_size");
        }
        if (in.attention_mask) {
            require_tensor("attention_mask", *in.attention_mask, 2, {c10::ScalarType::Long, c10::ScalarType::Bool});
            require_same_shape("attention_mask", *in.attention_mask, "input_ids", in.input_ids);
            in.attention_mask = bool_mask(*in.attention_mask);
        }
        return in;
    }

    static checkpoint::NameRules names() {
        return {.base_prefix = "bert.",
                .head_prefixes = {"cls.", "classifier.", "qa_outputs."},
                .ignored = {"embeddings.position_ids$"},
                .tied = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias", "cls.predictions.bias"}};
    }
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::BertConfig, vocab_size, hidden_size, num_hidden_layers, num_attention_heads,
                        intermediate_size, max_position_embeddings, type_vocab_size, layer_norm_eps, hidden_act,
                        tie_word_embeddings, is_decoder, add_cross_attention, position_embedding_type, num_labels,
                        id2label);
BOOST_HANA_ADAPT_STRUCT(silica::arch::BertInputs, input_ids, attention_mask, token_type_ids);
#endif  // SILICA_SINGLE_ARCH_BERT_CONFIG_HPP
// ---- silica/checkpoint/weights.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_WEIGHTS_HPP
#define SILICA_SINGLE_CHECKPOINT_WEIGHTS_HPP
/// Weights: a place in a checkpoint. `w / "encoder" / "layer" / 3` is a place below it.

// ---- silica/checkpoint/account.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_ACCOUNT_HPP
#define SILICA_SINGLE_CHECKPOINT_ACCOUNT_HPP
/// The account of a load: what was taken from a checkpoint and what was not.

#include <cstdint>
#include <string>
#include <vector>

namespace silica {

/// Names are canonical (the family's), unless they are unexpected: then as in the file.
struct LoadingAccount {
    std::uint64_t tensors = 0;                 ///< taken
    std::uint64_t parameters = 0;              ///< elements of the tensors taken, tied ones once
    std::uint64_t bytes = 0;                   ///< of these tensors as they are stored on the device
    std::vector<std::string> unexpected = {};  ///< in the checkpoint, not used by this architecture
    std::vector<std::string> ignored = {};     ///< known to be without use (buffers, copies of tied weights)
    std::vector<std::string> notes = {};       ///< what a loader has to say: "mapped failed: ...; streamed was used"
    std::string loader = {};                   ///< the loader that did it
    double seconds = 0;
};

}  // namespace silica
#endif  // SILICA_SINGLE_CHECKPOINT_ACCOUNT_HPP
// ---- silica/checkpoint/nearest.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_NEAREST_HPP
#define SILICA_SINGLE_CHECKPOINT_NEAREST_HPP
/// "Did you mean ...?": the existing name nearest to one that was not found.

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::checkpoint {

/// The number of letters to insert, delete or replace to get from `a` to `b`; `limit + 1` when it is over `limit`.
[[nodiscard]] inline std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
    if (a.size() > b.size()) std::swap(a, b);
    if (b.size() - a.size() > limit) return limit + 1;
    std::vector<std::size_t> row(a.size() + 1);
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
        std::size_t diagonal = row[0];
        std::size_t least = row[0] = j;
        for (std::size_t i = 1; i <= a.size(); ++i) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[i];
            row[i] = std::min({replaced, row[i] + 1, row[i - 1] + 1});
            least = std::min(least, row[i]);
        }
        if (least > limit) return limit + 1;
    }
    return std::min(row.back(), limit + 1);
}

/// The candidate (anything a string_view can be made of) nearest to `name`, if one is near: at most a third of its
/// letters differ, and at most 16. Empty when none is. At most 20,000 candidates are looked at, names over 256 bytes
/// not at all.
template <class Candidates>
[[nodiscard]] std::string nearest(std::string_view name, const Candidates& candidates) {
    constexpr std::size_t most = 20'000, longest = 256, farthest = 16;
    std::string best;
    if (name.size() > longest) return best;
    std::size_t limit = std::clamp<std::size_t>(name.size() / 3, 2, farthest), seen = 0;
    for (const auto& candidate : candidates) {
        const std::string_view text = candidate;
        if (++seen > most) break;
        if (text.size() > longest || text.empty()) continue;
        const std::size_t distance = edit_distance(name, text, limit);
        if (distance > limit) continue;
        best = text;
        if (distance == 0) break;
        limit = distance - 1;
    }
    return best;
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_NEAREST_HPP
// ---- silica/checkpoint/source.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_SOURCE_HPP
#define SILICA_SINGLE_CHECKPOINT_SOURCE_HPP
/// A loader's view of a checkpoint: what tensors there are, and the one way to get one.

#include <string>

namespace silica::checkpoint {

/// Where a model under construction gets its tensors from. Each loader has one; see loader/concept.hpp.
class TensorSource {
public:
    TensorSource() = default;
    TensorSource(const TensorSource&) = delete;
    TensorSource& operator=(const TensorSource&) = delete;
    virtual ~TensorSource() = default;

    /// Every tensor there is; empty for a source that makes tensors up.
    [[nodiscard]] virtual const std::vector<TensorEntry>& entries() const = 0;

    /// The tensor in this type on this device. It must not be written to: it may be the file's own bytes.
    [[nodiscard]] virtual Tensor read(const TensorEntry& entry, at::ScalarType dtype, c10::Device device) = 0;

    /// Where the tensors come from, for errors: a file or a directory.
    [[nodiscard]] virtual std::string where() const = 0;

    /// True for a source that has a tensor of every name and shape: random weights.
    [[nodiscard]] virtual bool invents() const { return false; }
};

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_SOURCE_HPP

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace silica {

/// A place in a checkpoint, from which layers take their tensors. Copies are cheap and share the record of what was
/// taken.
class Weights {
public:
    /// The root. `source` outlives every copy; `home` is the device of the model.
    Weights(checkpoint::TensorSource& source, const checkpoint::NameRules& rules, c10::Device home)
        : tree_(std::make_shared<Tree>(source, rules, home)) {}

    /// A place below this one: a name, several joined by dots, or a number.
    [[nodiscard]] Weights operator/(std::string_view part) const {
        Weights below = *this;
        if (!below.path_.empty()) below.path_ += '.';
        below.path_ += part;
        return below;
    }
    [[nodiscard]] Weights operator/(std::int64_t number) const {
        return *this / std::string_view(std::to_string(number));
    }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] c10::Device home() const noexcept { return tree_->home; }

    /// Whether the checkpoint has this tensor. Random weights have all but those that are tied to another.
    [[nodiscard]] bool has(std::string_view name) const {
        const auto whole = full(name);
        if (tree_->source.invents()) return std::ranges::find(tree_->tied, whole) == tree_->tied.end();
        return tree_->canonical.names.contains(whole);
    }

    /// The tensor `name` below this place, in this type on this device.
    /// Throws CheckpointError when it is missing, has another shape, or a type that holds no weights.
    [[nodiscard]] Tensor get(std::string_view name, const std::vector<std::int64_t>& shape, at::ScalarType dtype,
                             c10::Device device) const {
        const auto whole = full(name);
        const auto entry = find(whole, shape);
        if (entry.shape != shape) {
            throw CheckpointError(tree_->source.where() + ": " + checkpoint::quote(entry.name) + " has shape " +
                                      checkpoint::tuple_text(entry.shape) + ", the configuration makes it " +
                                      checkpoint::tuple_text(shape) + ".",
                                  "config.json and the weights belong to different models: download both again.");
        }
        if (!c10::isFloatingType(entry.dtype)) {
            throw CheckpointError(tree_->source.where() + ": " + checkpoint::quote(entry.name) + " is of type " +
                                      entry.dtype_name + ", which is no type of weights here.",
                                  "use a checkpoint in float32, float16 or bfloat16.");
        }
        Tensor tensor = tree_->source.read(entry, dtype, device);
        if (tree_->taken.insert(whole).second) {
            tree_->parameters += static_cast<std::uint64_t>(tensor.numel());
            tree_->bytes += static_cast<std::uint64_t>(tensor.nbytes());
        }
        return tensor;
    }

    /// Whether two tensors are the same bytes of the same file: tied in the checkpoint itself.
    [[nodiscard]] bool same_bytes(std::string_view one, std::string_view other) const {
        const auto& names = tree_->canonical.names;
        const auto a = names.find(full(one)), b = names.find(full(other));
        return a != names.end() && b != names.end() && a->second->same_storage(*b->second);
    }

    /// What was taken so far, and what was left.
    [[nodiscard]] LoadingAccount account() const {
        LoadingAccount account;
        account.tensors = tree_->taken.size();
        account.parameters = tree_->parameters;
        account.bytes = tree_->bytes;
        for (const auto& [name, entry] : tree_->canonical.names) {
            if (tree_->taken.contains(name)) continue;
            const bool repeats = std::ranges::find(tree_->tied, name) != tree_->tied.end();
            (repeats ? account.ignored : account.unexpected).push_back(entry->name);
        }
        for (const auto* entry : tree_->canonical.ignored) account.ignored.push_back(entry->name);
        return account;
    }

private:
    struct Tree {
        Tree(checkpoint::TensorSource& s, const checkpoint::NameRules& rules, c10::Device h)
            : source(s), home(h), tied(rules.tied), canonical(checkpoint::canonical_names(s.entries(), rules)) {}
        checkpoint::TensorSource& source;
        c10::Device home;
        std::vector<std::string> tied;
        checkpoint::CanonicalNames canonical;
        std::set<std::string, std::less<>> taken;
        std::uint64_t parameters = 0, bytes = 0;
    };

    [[nodiscard]] std::string full(std::string_view name) const {
        return path_.empty() ? std::string(name) : path_ + '.' + std::string(name);
    }

    [[nodiscard]] checkpoint::TensorEntry find(const std::string& whole, const std::vector<std::int64_t>& shape) const {
        if (tree_->source.invents()) {
            return {.name = whole,
                    .dtype = at::kFloat,
                    .shape = shape,
                    .strides = checkpoint::row_major(shape),
                    .dtype_name = "float32"};
        }
        const auto& names = tree_->canonical.names;
        if (const auto found = names.find(whole); found != names.end()) return *found->second;
        std::vector<std::string_view> known;
        for (const auto& [name, entry] : names) known.push_back(name);
        const auto near = checkpoint::nearest(whole, known);
        throw CheckpointError(tree_->source.where() + " has no tensor " + checkpoint::quote(whole) + " of shape " +
                                  checkpoint::tuple_text(shape) +
                                  (near.empty() ? "." : "; the nearest is " + checkpoint::quote(near) + "."),
                              "use the architecture that config.json names, or download the weights again.");
    }

    std::shared_ptr<Tree> tree_;
    std::string path_;
};

}  // namespace silica
#endif  // SILICA_SINGLE_CHECKPOINT_WEIGHTS_HPP
// ---- silica/nn/attention.hpp
#ifndef SILICA_SINGLE_NN_ATTENTION_HPP
#define SILICA_SINGLE_NN_ATTENTION_HPP
/// Multi-head attention around op::Attention: how heads are cut from and joined to (batch, tokens, hidden).

// ---- silica/op/attention.hpp
#ifndef SILICA_SINGLE_OP_ATTENTION_HPP
#define SILICA_SINGLE_OP_ATTENTION_HPP
/// softmax(scale q k^T + mask) v. Vaswani et al. 2017, equation 1.

#include <optional>

namespace silica::op {

/// q (batch, heads, queries, d), k and v (batch, heads, keys, d) -> (batch, heads, queries, d).
/// mask: broadcasts to (batch, heads, queries, keys); bool, true = attend, or added to the scores.
/// causal: query i attends to keys 0..i; then there is no mask.
struct Attention {
    static constexpr std::string_view name = "attention";
    using signature = Tensor(const Tensor& q, const Tensor& k, const Tensor& v, const std::optional<Tensor>& mask,
                             bool causal, double scale);
};
static_assert(OpTag<Attention>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_ATTENTION_HPP
// ---- silica/run.hpp
#ifndef SILICA_SINGLE_RUN_HPP
#define SILICA_SINGLE_RUN_HPP
/// run<Op, Exec>(args...): the only place where a call meets a device.
///
/// | step      | when                                                              | cost |
/// |-----------|-------------------------------------------------------------------|-------------------------------------|
/// | 1 static  | the one candidate is the CPU at home and takes everything         | none: a direct call | | 2 hop |
/// the first candidate is another device                             | the arguments move there, the result back | | 3
/// decline | `Kernel::accepts(args...)` is false                               | one branch, then the next candidate |
/// | 4 recover | NotImplementedError; out of memory again after `empty_cache()`    | nothing until it happens |

// ---- silica/core/transfer.hpp
#ifndef SILICA_SINGLE_CORE_TRANSFER_HPP
#define SILICA_SINGLE_CORE_TRANSFER_HPP
/// Moves values that contain tensors to a device, whatever shape the value has.

#include <boost/hana/accessors.hpp>
#include <boost/hana/concept/struct.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/second.hpp>

#include <cstdint>
#include <optional>
#include <tuple>
#include <type_traits>
#include <vector>

namespace silica {

/// Calls `f(Tensor&)` on every defined tensor inside `value`: a tensor, an optional, a vector, a tuple or pair, a Hana
/// struct, or any nesting of these. Anything else holds no tensors and is left alone.
template <class T, class F>
void for_each_tensor(T& value, F&& f) {
    using Bare = std::remove_const_t<T>;
    if constexpr (std::is_same_v<Bare, Tensor>) {
        if (value.defined()) f(value);
    } else if constexpr (requires {
                             value.has_value();
                             *value;
                         }) {
        if (value.has_value()) for_each_tensor(*value, f);
    } else if constexpr (requires {
                             value.begin();
                             value.end();
                             typename Bare::value_type;
                         }) {
        if constexpr (!std::is_arithmetic_v<typename Bare::value_type>) {
            for (auto& item : value) for_each_tensor(item, f);
        }
    } else if constexpr (requires { std::tuple_size<Bare>::value; }) {
        std::apply([&](auto&... items) { (for_each_tensor(items, f), ...); }, value);
    } else if constexpr (boost::hana::Struct<Bare>::value) {
        boost::hana::for_each(boost::hana::accessors<Bare>(), [&](auto member) {
            auto& item = boost::hana::second(member)(value);
            for_each_tensor(item, f);
        });
    }
}

/// A copy of `value` whose tensors lie on `device`; adds the bytes that moved to `bytes`.
template <class T>
T moved_to(T value, c10::Device device, std::uint64_t& bytes) {
    for_each_tensor(value, [&](Tensor& t) {
        if (t.device() == device) return;
        bytes += static_cast<std::uint64_t>(t.nbytes());
        t = t.to(device);
    });
    return value;
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_TRANSFER_HPP
// ---- silica/fallback.hpp
#ifndef SILICA_SINGLE_FALLBACK_HPP
#define SILICA_SINGLE_FALLBACK_HPP
/// What ran elsewhere than at home, and why: the report of steps 2 to 4 of dispatch (run.hpp).

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <vector>

namespace silica {

/// Why an op left its home device.
enum class FallbackReason {
    no_kernel,        ///< home has no kernel for the op: every call hops (known at compile time)
    declined,         ///< home's kernel does not take these sizes, types or strides
    not_implemented,  ///< home's LibTorch threw NotImplementedError
    out_of_memory,    ///< home was out of memory twice, the second time with its cache emptied
};

/// The reason in words.
constexpr std::string_view describe(FallbackReason reason) {
    switch (reason) {
        case FallbackReason::no_kernel:
            return "no kernel for this op";
        case FallbackReason::declined:
            return "its kernel declines these arguments";
        case FallbackReason::not_implemented:
            return "its LibTorch does not implement the op";
        case FallbackReason::out_of_memory:
            return "out of memory";
    }
    return "";
}

/// One line of the report: all calls of an op that took the same way for the same reason.
struct Fallback {
    std::string_view op, from, to;  ///< names of the op and of the devices; `to` is "parts" for a fused op's parts
    FallbackReason reason = FallbackReason::no_kernel;
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;  ///< moved between the devices, both ways
    double ms = 0;            ///< wall time of the calls, waiting and copies included
};

/// Collects what falls back on this thread while it is open. Scopes nest; each sees what happens inside it.
class FallbackScope {
public:
    FallbackScope() : outer_(innermost()) { innermost() = this; }
    ~FallbackScope() { innermost() = outer_; }
    FallbackScope(const FallbackScope&) = delete;
    FallbackScope& operator=(const FallbackScope&) = delete;

    /// The lines so far, in order of first appearance.
    [[nodiscard]] const std::vector<Fallback>& report() const noexcept { return lines_; }

    /// Adds to every scope open on this thread; false when there is none.
    static bool record(const Fallback& event) {
        for (auto* scope = innermost(); scope != nullptr; scope = scope->outer_) scope->add(event);
        return innermost() != nullptr;
    }

private:
    void add(const Fallback& event) {
        for (auto& line : lines_) {
            if (line.op == event.op && line.from == event.from && line.to == event.to && line.reason == event.reason) {
                line.count += event.count;
                line.bytes += event.bytes;
                line.ms += event.ms;
                return;
            }
        }
        lines_.push_back(event);
    }

    static FallbackScope*& innermost() {
        thread_local FallbackScope* scope = nullptr;
        return scope;
    }

    FallbackScope* outer_;
    std::vector<Fallback> lines_;
};

/// Whether fallbacks outside of any FallbackScope are announced on stderr, once per op. On until turned off.
inline std::atomic<bool> announce_fallbacks{true};

namespace detail {

inline void announce(const Fallback& f) {
    const auto why = describe(f.reason);
    std::fprintf(stderr, "silica: %.*s runs on %.*s instead of %.*s: %.*s (said once)\n", static_cast<int>(f.op.size()),
                 f.op.data(), static_cast<int>(f.to.size()), f.to.data(), static_cast<int>(f.from.size()),
                 f.from.data(), static_cast<int>(why.size()), why.data());
}

}  // namespace detail
}  // namespace silica
#endif  // SILICA_SINGLE_FALLBACK_HPP
// ---- silica/placement.hpp
#ifndef SILICA_SINGLE_PLACEMENT_HPP
#define SILICA_SINGLE_PLACEMENT_HPP
/// Where each op of a network runs: known when the program is compiled.

// ---- silica/exec.hpp
#ifndef SILICA_SINGLE_EXEC_HPP
#define SILICA_SINGLE_EXEC_HPP
/// Exec<Device, Precision>: where a network runs and in what numbers; the one parameter of every layer.

// ---- silica/device/concept.hpp
#ifndef SILICA_SINGLE_DEVICE_CONCEPT_HPP
#define SILICA_SINGLE_DEVICE_CONCEPT_HPP
/// What a device policy states, and the chain of devices a call may fall back along. Smallest example:
/// examples/my_device.cpp; the shipped ones are device/cpu.hpp, device/mps.hpp and device/cuda.hpp.

#include <c10/core/Device.h>
#include <c10/util/Exception.h>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace silica {

/// Whether a device can be used in this process, and if not, why and what to do.
struct Availability {
    bool usable = false;
    std::string reason = {};  ///< empty when usable
    explicit operator bool() const noexcept { return usable; }
};

/// Bytes on a device; 0 where the device cannot tell.
struct DeviceMemory {
    std::uint64_t total = 0, allocated = 0, peak = 0;
};

/// Devices to try, in order; the first is home. `Chain<Mps>` is strict: Mps or a compile error, never a silent hop.
template <class... Devices>
struct Chain;

template <class Home, class... Rest>
struct Chain<Home, Rest...> {
    static constexpr std::size_t size = 1 + sizeof...(Rest);
    using default_precision = typename Home::default_precision;
};

template <>
struct Chain<> {
    static constexpr std::size_t size = 0;
};

namespace detail {

template <class C>
struct front;
template <class D, class... Rest>
struct front<Chain<D, Rest...>> {
    using type = D;
};

}  // namespace detail

/// The state of "no lock is needed here": what `lock()` returns on devices that any thread may use at any time.
struct NoLock {};

/// A device: an empty struct whose static members say what it is called, where calls go that it has no kernel for,
/// and how to wait for it. Kernels are `Kernel<Op, Device>` specialisations beside it.
template <class D>
concept DevicePolicy = requires(const c10::Error& error, c10::DeviceIndex index) {
    { D::name } -> std::convertible_to<std::string_view>;  // as in `--hardware`
    { D::type } -> std::convertible_to<c10::DeviceType>;   // where its tensors lie
    typename D::chain;                                     // Chain<D, ...>
    typename D::default_precision;                         // used when a Model names none
    { D::available() } -> std::same_as<Availability>;      // never throws
    D::synchronize(index);                                 // waits until all submitted work is done
    D::empty_cache();                                      // gives cached memory back
    { D::memory(index) } -> std::same_as<DeviceMemory>;
    { D::is_out_of_memory(error) } -> std::same_as<bool>;  // is this how the device says "no memory"?
    D::lock();                                             // held for a whole call of a Model
};

namespace detail {

template <class D>
struct chain_of {
    static_assert(DevicePolicy<D>,
                  "this is not a device policy. Remedy: give it the members listed in silica/device/concept.hpp, or "
                  "check the order of Model<Arch, Device, Precision, Loader>.");
    using type = typename D::chain;
};
template <class... Ds>
struct chain_of<Chain<Ds...>> {
    static_assert(sizeof...(Ds) > 0, "a chain needs at least one device. Remedy: write Chain<device::Cpu>.");
    static_assert((DevicePolicy<Ds> && ...),
                  "a chain holds something that is not a device policy. Remedy: give it the members listed in "
                  "silica/device/concept.hpp.");
    using type = Chain<Ds...>;
};

}  // namespace detail

/// The chain of a device policy, or a chain itself.
template <class DeviceOrChain>
using chain_of = typename detail::chain_of<DeviceOrChain>::type;

/// The device a policy or a chain starts from.
template <class DeviceOrChain>
using home_of = typename detail::front<chain_of<DeviceOrChain>>::type;

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CONCEPT_HPP

namespace silica {

namespace detail {

template <class Precision, class Device>
struct precision_not_on_device {
    static_assert(
        runs_on<Precision, Device>,
        "this device cannot run this precision. Remedy: choose another precision policy, or precision::Default "
        "of the device.");
    static constexpr bool ok = true;
};

}  // namespace detail

/// `DeviceOrChain` is a device policy (with the chain it carries) or a `Chain`. Layers name `Exec` only and never
/// spell its arguments.
template <class DeviceOrChain, class Precision = precision::Default<DeviceOrChain>>
struct Exec {
    static_assert(PrecisionPolicy<Precision>,
                  "this is not a precision policy. Remedy: see silica/precision/concept.hpp, or check the order of "
                  "Model<Arch, Device, Precision, Loader>.");
    using chain = chain_of<DeviceOrChain>;
    using home = home_of<DeviceOrChain>;
    using precision = Precision;
    static_assert(detail::precision_not_on_device<Precision, home>::ok);

    /// The same placement in another precision: for a layer that must not run in this one.
    template <class Other>
    using with = Exec<DeviceOrChain, Other>;
};

}  // namespace silica
#endif  // SILICA_SINGLE_EXEC_HPP

#include <boost/hana/bool.hpp>
#include <boost/hana/filter.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>
#include <boost/hana/unpack.hpp>

#include <array>
#include <concepts>
#include <string_view>

namespace silica {

/// Instantiated when an op has no kernel on any device of its chain.
template <class Op, class Chain, class Precision>
struct no_kernel {
    static_assert(always_false<Op>,
                  "this op has no kernel on any device of this chain in this precision. Remedy: use a longer chain (a "
                  "device policy carries one that ends on the CPU), or write silica/device/<name>/<op>.hpp with a "
                  "specialisation of silica::Kernel<Op, Device>.");
};

/// Instantiated when a kernel does not take what its op's signature says.
template <class Op, class Device, class Precision>
struct wrong_kernel_signature {
    static_assert(always_false<Op>,
                  "Kernel::run does not have the signature of its op. Remedy: compare it with Op::signature in "
                  "silica/op/<op>.hpp, with Prepared replaced by the Packed of the kernel.");
};

namespace detail {

template <class Op, class Device, class Precision>
consteval bool checked_kernel() {
    if constexpr (has_kernel<Op, Device, Precision>) {
        using K = kernel_of<Op, Device, Precision>;
        if constexpr (weighted<Op>) {
            using Packing = kernel_of<typename packed_by<Op>::type, Device, Precision>;
            if constexpr (!runs_as<K, typename Packing::Packed, typename Op::signature>) {
                return sizeof(wrong_kernel_signature<Op, Device, Precision>) > 0;
            }
        } else if constexpr (!runs_as<K, std::false_type, typename Op::signature>) {
            return sizeof(wrong_kernel_signature<Op, Device, Precision>) > 0;
        }
        return true;
    } else {
        return false;
    }
}

template <class Op, class Precision, class... Ds>
constexpr auto candidates_among(Chain<Ds...>) {
    namespace hana = boost::hana;
    constexpr auto has = [](auto d) {
        return hana::bool_c<checked_kernel<Op, typename decltype(d)::type, Precision>()>;
    };
    return hana::unpack(hana::filter(hana::tuple_t<Ds...>, has), hana::template_<Chain>);
}

}  // namespace detail

/// The devices of the chain that have a kernel for `Op` in this precision, in the chain's order: a `Chain`, maybe
/// empty.
template <OpTag Op, class Exec>
using candidates =
    typename decltype(detail::candidates_among<Op, typename Exec::precision>(typename Exec::chain{}))::type;

namespace detail {

/// True, or a compile error that names the op, the chain and the remedy.
template <class Op, class Exec>
consteval bool has_candidate() {
    if constexpr (candidates<Op, Exec>::size > 0)
        return true;
    else
        return sizeof(no_kernel<Op, typename Exec::chain, typename Exec::precision>) > 0;
}

template <class Op, class Exec>
consteval bool runs_at_home() {
    if constexpr (candidates<Op, Exec>::size == 0)
        return false;
    else
        return std::is_same_v<typename front<candidates<Op, Exec>>::type, typename Exec::home>;
}

/// A fused kernel serves only at home, and only where the weights are packed for home.
template <class Op, class Exec>
consteval bool fused_at_home() {
    if constexpr (weighted<Op>)
        return runs_at_home<Op, Exec>() && runs_at_home<typename packed_by<Op>::type, Exec>();
    else
        return runs_at_home<Op, Exec>();
}

/// The ops that a call may reach: itself, and its parts where it is fused.
template <class Op>
struct reaches {
    using type = OpList<Op>;
};
template <class Op>
    requires is_fused<Op>
struct reaches<Op> {
    using type = union_of<OpList<Op>, typename Op::parts>;
};

template <class List>
struct with_parts;
template <class... Ops>
struct with_parts<OpList<Ops...>> {
    using type = union_of<typename reaches<Ops>::type...>;
};

}  // namespace detail

/// Where one op runs.
struct Placed {
    std::string_view op;
    std::string_view device;  ///< the first candidate; "parts" for a fused op without a kernel at home; "" for none
    bool native;              ///< true when it stays at home
    bool may_decline;         ///< true when the kernel takes only some sizes, types or strides
};

/// Where `Op` runs under `Exec`.
template <OpTag Op, class Exec>
constexpr Placed placed() {
    using C = candidates<Op, Exec>;
    if constexpr (detail::is_fused<Op> && !detail::fused_at_home<Op, Exec>()) {
        return {Op::name, "parts", true, false};
    } else if constexpr (C::size == 0) {
        return {Op::name, "", false, false};
    } else {
        using First = typename detail::front<C>::type;
        constexpr bool declines = requires { &kernel_of<Op, First, typename Exec::precision>::accepts; };
        return {Op::name, First::name, std::is_same_v<First, typename Exec::home>, declines};
    }
}

namespace detail {

template <class Exec, class... Ops>
constexpr std::array<Placed, sizeof...(Ops)> table_of(OpList<Ops...>) {
    return {placed<Ops, Exec>()...};
}

}  // namespace detail

/// The table of a network's ops (and the parts of its fused ops): `placement<arch::Bert, Exec<device::Mps>>`.
template <class Arch, class Exec>
inline constexpr auto placement =
    detail::table_of<Exec>(typename detail::with_parts<typename Arch::template Network<Exec>::Ops>::type{});

/// True when no op of the network leaves home.
template <class Arch, class Exec>
concept native = [] {
    for (const auto& p : placement<Arch, Exec>) {
        if (!p.native) return false;
    }
    return true;
}();

}  // namespace silica
#endif  // SILICA_SINGLE_PLACEMENT_HPP
// ---- silica/prepared.hpp
#ifndef SILICA_SINGLE_PREPARED_HPP
#define SILICA_SINGLE_PREPARED_HPP
/// Weights packed once, for the kernel that will use them.

#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <utility>

namespace silica {

/// The weights of `Op` (Linear, Embedding, ...) in the layout of the first candidate's kernel. When a call falls back
/// they are unpacked, moved and packed for the next candidate too, and that is kept. Copies share the weights.
template <OpTag Op, class Exec>
class Prepared {
    using Precision = typename Exec::precision;
    using Candidates = candidates<Op, Exec>;
    static_assert(detail::has_candidate<Op, Exec>());

    template <class D>
    using packed_for = typename kernel_of<Op, D, Precision>::Packed;

public:
    /// The device the weights lie on: the first candidate, not always home.
    using Device = typename detail::front<Candidates>::type;
    using Packed = packed_for<Device>;

    /// `weight` and `bias` lie on `Device`, in the precision's storage type.
    Prepared(Tensor weight, std::optional<Tensor> bias)
        : state_(std::make_shared<State>(kernel_of<Op, Device, Precision>::pack(std::move(weight), std::move(bias)))) {}

    /// From weights that another op keeps as well (tied embeddings): they stay plain, so that there is one copy.
    static Prepared shared(Tensor weight, std::optional<Tensor> bias) {
        using K = kernel_of<Op, Device, Precision>;
        if constexpr (requires { K::keep(weight, bias); }) {
            return Prepared(K::keep(std::move(weight), std::move(bias)));
        } else {
            return Prepared(std::move(weight), std::move(bias));
        }
    }

    /// The layout that candidate `D` wants; the first one is there, the others are made at their first use.
    template <class D>
    [[nodiscard]] const packed_for<D>& on(c10::Device device) const {
        if constexpr (std::is_same_v<D, Device>) {
            return state_->first;
        } else {
            const std::lock_guard guard(state_->mutex);
            auto& slot = std::get<std::optional<Slot<D>>>(state_->others);
            if (!slot) {
                auto plain = state_->first.unpack();
                std::optional<Tensor> bias;
                if (plain.bias) bias = plain.bias->to(device);
                slot.emplace(Slot<D>{kernel_of<Op, D, Precision>::pack(plain.weight.to(device), std::move(bias))});
            }
            return slot->packed;
        }
    }
    [[nodiscard]] const Packed& first() const noexcept { return state_->first; }

    /// The weights as the checkpoint has them, on `Device`.
    [[nodiscard]] auto unpack() const { return state_->first.unpack(); }

private:
    explicit Prepared(Packed packed) : state_(std::make_shared<State>(std::move(packed))) {}

    template <class D>
    struct Slot {
        packed_for<D> packed;
    };
    template <class C>
    struct slots;
    template <class First, class... Rest>
    struct slots<Chain<First, Rest...>> {
        using type = std::tuple<std::optional<Slot<Rest>>...>;
    };

    struct State {
        explicit State(Packed packed) : first(std::move(packed)) {}
        Packed first;
        typename slots<Candidates>::type others;
        std::mutex mutex;
    };
    std::shared_ptr<State> state_;
};

namespace detail {

template <class T>
inline constexpr bool is_prepared = false;
template <class Op, class Exec>
inline constexpr bool is_prepared<Prepared<Op, Exec>> = true;

}  // namespace detail
}  // namespace silica
#endif  // SILICA_SINGLE_PREPARED_HPP

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>

#include <chrono>
#include <exception>
#include <string>
#include <tuple>

namespace silica {
namespace detail {

/// What a kernel on `D` gets for an argument: its own packed weights for `Prepared`, everything else as it is.
template <class D, class T>
decltype(auto) given(const T& arg, [[maybe_unused]] c10::Device device) {
    if constexpr (is_prepared<T>)
        return (arg.template on<D>(device));
    else
        return (arg);
}

/// The same for the first candidate, whose weights are always there.
template <class T>
decltype(auto) given_first(const T& arg) {
    if constexpr (is_prepared<T>)
        return (arg.first());
    else
        return (arg);
}

/// The device of the first tensor among the arguments: the home of the call.
template <class... Args>
c10::Device home_device(c10::DeviceType type, const Args&... args) {
    std::optional<c10::Device> home;
    [[maybe_unused]] const auto look = [&](const auto& arg) {
        using T = std::remove_cvref_t<decltype(arg)>;
        if (home) return;
        if constexpr (is_prepared<T>)
            return;
        else if constexpr (is_in_out<T>)
            home = arg.value.device();
        else
            for_each_tensor(arg, [&](const Tensor& t) {
                if (!home) home = t.device();
            });
    };
    (look(args), ...);
    return home.value_or(c10::Device(type));
}

/// Steps 2 to 4. `Index` counts candidates; a fused op has its parts as the last resort.
template <class Op, class Exec, std::size_t Index = 0>
struct Dispatch {
    using Precision = typename Exec::precision;
    using Home = typename Exec::home;
    using All = std::conditional_t<is_fused<Op>, Chain<Home>, candidates<Op, Exec>>;

    template <class C>
    struct nth;
    template <class... Ds>
    struct nth<Chain<Ds...>> {
        using type = std::tuple_element_t<Index, std::tuple<Ds...>>;
    };
    using Device = typename nth<All>::type;
    using K = kernel_of<Op, Device, Precision>;
    using Result = result_of<Op>;
    static constexpr bool stays = std::is_same_v<Device, Home>;
    static constexpr bool last = Index + 1 == All::size;
    static constexpr bool writes = signature<typename Op::signature>::writes;

    template <class... Args>
    static Result call(FallbackReason why, const Args&... args) {
        if constexpr (requires { &K::accepts; }) {
            const c10::Device there = stays ? home_device(Home::type, args...) : c10::Device(Device::type);
            if (!K::accepts(given<Device>(args, there)...)) return next(FallbackReason::declined, args...);
        }
        if constexpr (writes) {
            return invoke(why, args...);
        } else {
            FallbackReason failure;
            try {
                return invoke(why, args...);
            } catch (const c10::NotImplementedError&) {
                failure = FallbackReason::not_implemented;
            } catch (const c10::Error& e) {
                if (!is_full(e)) throw;
                failure = FallbackReason::out_of_memory;
            }
            return recover(why, failure, args...);
        }
    }

private:
    template <class... Args>
    static Result invoke(FallbackReason why, const Args&... args) {
        if constexpr (stays) {
            if constexpr (Index == 0)
                return K::run(given_first(args)...);
            else
                return K::run(given<Device>(args, home_device(Home::type, args...))...);
        } else {
            return hop(why, args...);
        }
    }

    /// Out of memory on the candidate, or at home, where its result has to go.
    static bool is_full(const c10::Error& e) { return Device::is_out_of_memory(e) || Home::is_out_of_memory(e); }

    /// The device's memory is full or the op is missing: one more try where that can help, then the next candidate.
    template <class... Args>
    static Result recover(FallbackReason why, FallbackReason failure, const Args&... args) {
        if (failure == FallbackReason::out_of_memory) {
            Device::empty_cache();
            if constexpr (!stays) Home::empty_cache();
            try {
                return invoke(why, args...);
            } catch (const c10::Error& e) {
                if (!is_full(e)) throw;
            }
        }
        return next(failure, args...);
    }

    template <class... Args>
    static Result next(FallbackReason why, const Args&... args) {
        if constexpr (!last) {
            return Dispatch<Op, Exec, Index + 1>::call(why, args...);
        } else if constexpr (is_fused<Op>) {
            record({Op::name, Home::name, "parts", why, 1, 0, 0});
            return Op::template by_parts<Exec>(args...);
        } else {
            throw DeviceError(std::string("Op '") + std::string(Op::name) + "' cannot run on " +
                                  std::string(Device::name) + ": " + std::string(describe(why)) + ".",
                              why == FallbackReason::out_of_memory
                                  ? "use smaller inputs, a smaller precision, or a chain with another device after it."
                                  : "use a chain with another device after it: Chain<..., device::Cpu>, or a device "
                                    "policy by itself, which carries such a chain.");
        }
    }

    /// Step 2: wait for both devices, move the arguments, run, wait, move the result home, and say so.
    template <class... Args>
    static Result hop(FallbackReason why, const Args&... args) {
        const auto start = std::chrono::steady_clock::now();
        const c10::Device home = home_device(Home::type, args...);
        const c10::Device there(Device::type);
        std::uint64_t bytes = 0;
        Home::synchronize(home.index());
        auto moved = std::make_tuple(move_argument(args, there, bytes)...);
        Device::synchronize(there.index());
        auto run_there = [&] {
            return std::apply([&](auto&... m) { return K::run(as_argument(args, m, there)...); }, moved);
        };
        Result result = run_there();
        Device::synchronize(there.index());
        result = moved_to(std::move(result), home, bytes);
        write_back(moved, bytes, std::index_sequence_for<Args...>{}, args...);
        Home::synchronize(home.index());
        const std::chrono::duration<double, std::milli> ms = std::chrono::steady_clock::now() - start;
        record({Op::name, Home::name, Device::name, why, 1, bytes, ms.count()});
        return result;
    }

    /// A copy of an argument on the device it hops to; Prepared has its own copies.
    template <class T>
    static auto move_argument(const T& arg, c10::Device there, std::uint64_t& bytes) {
        if constexpr (is_prepared<T>)
            return std::monostate{};
        else if constexpr (is_in_out<T>)
            return moved_to(arg.value, there, bytes);
        else
            return moved_to(arg, there, bytes);
    }

    template <class T, class M>
    static decltype(auto) as_argument(const T& arg, M& moved, [[maybe_unused]] c10::Device there) {
        if constexpr (is_prepared<T>)
            return (arg.template on<Device>(there));
        else if constexpr (is_in_out<T>)
            return InOut<M>{moved};
        else
            return (moved);
    }

    template <class Moved, std::size_t... I, class... Args>
    static void write_back(Moved& moved, std::uint64_t& bytes, std::index_sequence<I...>, const Args&... args) {
        const auto one = [&](const auto& arg, const auto& m) {
            if constexpr (is_in_out<std::remove_cvref_t<decltype(arg)>>) {
                arg.value.copy_(m);
                bytes += static_cast<std::uint64_t>(m.nbytes());
            }
        };
        (one(args, std::get<I>(moved)), ...);
    }

    static void record(const Fallback& event) {
        static std::atomic<bool> said{false};
        if (FallbackScope::record(event)) return;
        if (announce_fallbacks.load(std::memory_order_relaxed) && !said.exchange(true)) announce(event);
    }
};

/// Step 1 applies: nothing but a direct call.
template <class Op, class Exec>
consteval bool is_direct() {
    using C = candidates<Op, Exec>;
    if constexpr (C::size != 1) {
        return false;
    } else {
        using D = typename front<C>::type;
        using K = kernel_of<Op, D, typename Exec::precision>;
        return std::is_same_v<D, typename Exec::home> && D::type == c10::DeviceType::CPU && !requires { &K::accepts; };
    }
}

}  // namespace detail

/// Calls `Op` with the arguments of its signature, on the first device of the chain that takes them. Weights are passed
/// as `Prepared<Op, Exec>`.
/// Throws DeviceError when the last candidate declines or fails; errors of the op itself pass through.
template <class Op, class Exec, class... Args>
inline result_of<Op> run(const Args&... args) {
    using P = typename Exec::precision;
    if constexpr (detail::is_fused<Op> && !detail::fused_at_home<Op, Exec>()) {
        return Op::template by_parts<Exec>(args...);
    } else if constexpr (candidates<Op, Exec>::size == 0) {
        static_assert(detail::has_candidate<Op, Exec>());
    } else if constexpr (detail::is_direct<Op, Exec>()) {
        return kernel_of<Op, typename Exec::home, P>::run(detail::given_first(args)...);
    } else {
        return detail::Dispatch<Op, Exec>::call(FallbackReason::no_kernel, args...);
    }
}

}  // namespace silica
#endif  // SILICA_SINGLE_RUN_HPP

#include <cmath>

namespace silica::nn {

using AttentionOps = OpList<op::Attention>;

/// softmax(q k^T / sqrt(d)) v for each head, with q, k and v side by side: (batch, tokens, 3 hidden) -> (batch, tokens,
/// hidden). mask broadcasts to (batch, heads, tokens, tokens), true = attend.
template <class E>
Tensor self_attention(const Tensor& query_key_value, std::int64_t heads, const std::optional<Tensor>& mask) {
    const auto batch = query_key_value.size(0), tokens = query_key_value.size(1);
    const auto d = query_key_value.size(2) / (3 * heads);
    const Tensor parts = query_key_value.view({batch, tokens, 3, heads, d}).permute({2, 0, 3, 1, 4});
    const Tensor context = run<op::Attention, E>(parts.select(0, 0), parts.select(0, 1), parts.select(0, 2), mask,
                                                 false, 1.0 / std::sqrt(static_cast<double>(d)));
    return context.transpose(1, 2).reshape({batch, tokens, heads * d});
}

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_ATTENTION_HPP
// ---- silica/nn/embedding.hpp
#ifndef SILICA_SINGLE_NN_EMBEDDING_HPP
#define SILICA_SINGLE_NN_EMBEDDING_HPP
/// A table of vectors, one row for each id.

// ---- silica/nn/place.hpp
#ifndef SILICA_SINGLE_NN_PLACE_HPP
#define SILICA_SINGLE_NN_PLACE_HPP
/// Takes a tensor from the checkpoint to where an op wants it.

namespace silica::nn {

/// The device that the weights of `Op` lie on: that of its first candidate.
template <class Op, class E>
c10::Device device_of(const Weights& w) {
    static_assert(detail::has_candidate<Op, E>());
    using First = typename detail::front<candidates<Op, E>>::type;
    return First::type == E::home::type ? w.home() : c10::Device(First::type);
}

/// The tensor `name` at `w`, in the storage type of the precision, on the device of `Op`'s kernel.
template <class Op, class E>
Tensor take(const Weights& w, std::string_view name, const std::vector<std::int64_t>& shape) {
    return w.get(name, shape, E::precision::storage, device_of<Op, E>(w));
}

/// The tensor `name` at `w` for an op whose weights are plain arguments: on the home device, in the compute type.
template <class E>
Tensor take_home(const Weights& w, std::string_view name, const std::vector<std::int64_t>& shape) {
    return w.get(name, shape, E::precision::compute, w.home());
}

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_PLACE_HPP
// ---- silica/op/embedding.hpp
#ifndef SILICA_SINGLE_OP_EMBEDDING_HPP
#define SILICA_SINGLE_OP_EMBEDDING_HPP
/// y[i] = W[ids[i]]: one row of a table for each id.

// ---- silica/op/prepared.hpp
#ifndef SILICA_SINGLE_OP_PREPARED_HPP
#define SILICA_SINGLE_OP_PREPARED_HPP
/// Weights before a kernel has packed them.

#include <optional>

namespace silica::op {

/// Weights in the layout of the checkpoint; what `Packed::unpack()` gives back, and the `Packed` of kernels that keep
/// them as they are.
struct Plain {
    Tensor weight;                    ///< (out, in) for Linear, (rows, d) for Embedding
    std::optional<Tensor> bias = {};  ///< (out)

    [[nodiscard]] Plain unpack() const { return *this; }
};

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_PREPARED_HPP

namespace silica::op {

/// ids (...) int64, W (rows, d) -> (..., d). Ids are checked against the rows before they reach a device, not here.
struct Embedding {
    static constexpr std::string_view name = "embedding";
    using signature = Tensor(const Tensor& ids, const Prepared& table);
};
static_assert(OpTag<Embedding>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_EMBEDDING_HPP

namespace silica::nn {

/// y[i] = W[ids[i]].
template <class E>
class Embedding {
public:
    using Ops = OpList<op::Embedding>;

    /// `weight` (rows, d) at `w`.
    Embedding(const Weights& w, std::int64_t rows, std::int64_t d)
        : Embedding(take<op::Embedding, E>(w, "weight", {rows, d})) {}
    explicit Embedding(Tensor table) : table_(std::move(table), std::nullopt) {}

    /// ids (...) -> (..., d).
    Tensor operator()(const Tensor& ids) const { return run<op::Embedding, E>(ids, table_); }

    /// The table (rows, d), for an output projection that is tied to it.
    [[nodiscard]] Tensor weight() const { return table_.unpack().weight; }

private:
    Prepared<op::Embedding, E> table_;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_EMBEDDING_HPP
// ---- silica/nn/layer_norm.hpp
#ifndef SILICA_SINGLE_NN_LAYER_NORM_HPP
#define SILICA_SINGLE_NN_LAYER_NORM_HPP
/// Layer normalisation with its scale and shift.

// ---- silica/op/layer_norm.hpp
#ifndef SILICA_SINGLE_OP_LAYER_NORM_HPP
#define SILICA_SINGLE_OP_LAYER_NORM_HPP
/// y = (x - mean) / sqrt(var + eps) * w + b over the last dimension. Ba, Kiros and Hinton 2016, section 3.

namespace silica::op {

/// x (..., d), w (d), b (d) -> (..., d).
struct LayerNorm {
    static constexpr std::string_view name = "layer_norm";
    using signature = Tensor(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps);
};
static_assert(OpTag<LayerNorm>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_LAYER_NORM_HPP

namespace silica::nn {

/// y = (x - mean) / sqrt(var + eps) * w + b over the last dimension.
template <class E>
class LayerNorm {
public:
    using Ops = OpList<op::LayerNorm>;

    /// `weight` (d) and `bias` (d) at `w`.
    LayerNorm(const Weights& w, std::int64_t d, double eps)
        : weight_(take_home<E>(w, "weight", {d})), bias_(take_home<E>(w, "bias", {d})), eps_(eps) {}

    Tensor operator()(const Tensor& x) const { return run<op::LayerNorm, E>(x, weight_, bias_, eps_); }

private:
    Tensor weight_, bias_;
    double eps_;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_LAYER_NORM_HPP
// ---- silica/nn/linear.hpp
#ifndef SILICA_SINGLE_NN_LINEAR_HPP
#define SILICA_SINGLE_NN_LINEAR_HPP
/// A matrix of weights with its bias: one place in the checkpoint or several, joined by rows.

// ---- silica/core/allocate.hpp
#ifndef SILICA_SINGLE_CORE_ALLOCATE_HPP
#define SILICA_SINGLE_CORE_ALLOCATE_HPP
/// Memory for weights, which comes from the system and goes back to it at once.

#include <cstdint>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#endif

#include <ATen/ops/from_blob.h>

namespace silica {

/// An uninitialised contiguous tensor. On the CPU a large one has pages of its own: loading makes and drops a copy of
/// almost every weight, and a heap keeps the holes (measured: 1.4 times the weights instead of 1.0).
inline Tensor allocate(c10::IntArrayRef shape, c10::ScalarType dtype, c10::Device device) {
    const auto options = at::TensorOptions().dtype(dtype);
#if defined(__unix__) || defined(__APPLE__)
    constexpr std::int64_t large = std::int64_t{1} << 18;
    const auto bytes = c10::multiply_integers(shape) * static_cast<std::int64_t>(c10::elementSize(dtype));
    if (device.is_cpu() && bytes >= large) {
        const auto size = static_cast<std::size_t>(bytes);
        void* pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
        if (pages != MAP_FAILED) return at::from_blob(pages, shape, [size](void* p) { ::munmap(p, size); }, options);
    }
#endif
    return at::empty(shape, options.device(device));
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_ALLOCATE_HPP
// ---- silica/op/linear.hpp
#ifndef SILICA_SINGLE_OP_LINEAR_HPP
#define SILICA_SINGLE_OP_LINEAR_HPP
/// y = x W^T + b.

namespace silica::op {

/// x (..., in), W (out, in), b (out) or absent -> y (..., out).
struct Linear {
    static constexpr std::string_view name = "linear";
    using signature = Tensor(const Tensor& x, const Prepared& weight);
};
static_assert(OpTag<Linear>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_LINEAR_HPP
// ---- silica/op/linear_activation.hpp
#ifndef SILICA_SINGLE_OP_LINEAR_ACTIVATION_HPP
#define SILICA_SINGLE_OP_LINEAR_ACTIVATION_HPP
/// y = act(x W^T + b), in one pass over y.

// ---- silica/op/gelu.hpp
#ifndef SILICA_SINGLE_OP_GELU_HPP
#define SILICA_SINGLE_OP_GELU_HPP
/// gelu(x) = x Phi(x), Phi the distribution function of the standard normal. Hendrycks and Gimpel 2016, section 2.

namespace silica::op {

/// The exact form; x and the result have any equal shape. The tanh approximation is `op::Activate`.
struct Gelu {
    static constexpr std::string_view name = "gelu";
    using signature = Tensor(const Tensor& x);
};
static_assert(OpTag<Gelu>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_GELU_HPP

namespace silica::op {

/// x (..., in) -> (..., out). Uses the weights as Linear's kernel packed them.
struct LinearActivation {
    static constexpr std::string_view name = "linear_activation";
    using signature = Tensor(const Tensor& x, const Prepared& weight, Activation act);
    using packed_as = Linear;
    using parts = OpList<Linear, Gelu, Activate>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, const auto& weight, Activation act) {
        const Tensor y = run<Linear, Exec>(x, weight);
        return act == Activation::gelu ? run<Gelu, Exec>(y) : run<Activate, Exec>(y, act);
    }
};
static_assert(OpTag<LinearActivation>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_LINEAR_ACTIVATION_HPP
// ---- silica/op/linear_add.hpp
#ifndef SILICA_SINGLE_OP_LINEAR_ADD_HPP
#define SILICA_SINGLE_OP_LINEAR_ADD_HPP
/// y = x W^T + b + r: the end of a residual branch.

namespace silica::op {

/// x (..., in), r (..., out) -> (..., out). Uses the weights as Linear's kernel packed them.
struct LinearAdd {
    static constexpr std::string_view name = "linear_add";
    using signature = Tensor(const Tensor& x, const Prepared& weight, const Tensor& residual);
    using packed_as = Linear;
    using parts = OpList<Linear>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, const auto& weight, const Tensor& residual) {
        return run<Linear, Exec>(x, weight) + residual;
    }
};
static_assert(OpTag<LinearAdd>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_LINEAR_ADD_HPP

#include <algorithm>
#include <optional>
#include <vector>

namespace silica::nn {

/// y = x W^T + b. Joining places (query, key and value; gate and up) makes one larger product of several.
template <class E>
class Linear {
public:
    using Ops = OpList<op::Linear, op::LinearActivation, op::LinearAdd>;

    /// `weight` (out, in) and, where the checkpoint has it, `bias` (out) at `w`.
    Linear(const Weights& w, std::int64_t in, std::int64_t out) : Linear(std::vector<Weights>{w}, in, out) {}

    /// The same at each place of `parts`, `out` rows each; a part that lacks its bias counts as zeros.
    Linear(const std::vector<Weights>& parts, std::int64_t in, std::int64_t out) : weight_(join(parts, in, out)) {}

    /// Weights that another layer keeps as well (tied embeddings): there stays one copy.
    Linear(Tensor weight, std::optional<Tensor> bias)
        : weight_(Prepared<op::Linear, E>::shared(std::move(weight), std::move(bias))) {}

    /// Weights that are no one else's.
    static Linear packed(Tensor weight, std::optional<Tensor> bias) {
        return Linear(Prepared<op::Linear, E>(std::move(weight), std::move(bias)));
    }

    /// x (..., in) -> (..., out).
    Tensor operator()(const Tensor& x) const { return run<op::Linear, E>(x, weight_); }
    /// act(x W^T + b).
    Tensor operator()(const Tensor& x, Activation act) const { return run<op::LinearActivation, E>(x, weight_, act); }
    /// x W^T + b + residual.
    Tensor add(const Tensor& x, const Tensor& residual) const { return run<op::LinearAdd, E>(x, weight_, residual); }

private:
    explicit Linear(Prepared<op::Linear, E> weight) : weight_(std::move(weight)) {}

    static Prepared<op::Linear, E> join(const std::vector<Weights>& parts, std::int64_t in, std::int64_t out) {
        const bool biased = std::any_of(parts.begin(), parts.end(), [](const Weights& w) { return w.has("bias"); });
        if (parts.size() == 1) {
            std::optional<Tensor> bias;
            if (biased) bias = take<op::Linear, E>(parts[0], "bias", {out});
            return {take<op::Linear, E>(parts[0], "weight", {out, in}), std::move(bias)};
        }
        const auto rows = out * static_cast<std::int64_t>(parts.size());
        const auto dtype = E::precision::storage;
        const auto device = device_of<op::Linear, E>(parts.at(0));
        const Tensor weight = allocate({rows, in}, dtype, device);
        std::optional<Tensor> bias;
        if (biased) bias = at::zeros({rows}, weight.options());
        for (std::size_t i = 0; i < parts.size(); ++i) {  // one after another: the peak is the whole and one part
            const auto row = static_cast<std::int64_t>(i) * out;
            weight.slice(0, row, row + out).copy_(take<op::Linear, E>(parts[i], "weight", {out, in}));
            if (parts[i].has("bias"))
                bias->slice(0, row, row + out).copy_(take<op::Linear, E>(parts[i], "bias", {out}));
        }
        return {weight, std::move(bias)};
    }

    Prepared<op::Linear, E> weight_;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_LINEAR_HPP

#include <range/v3/numeric/accumulate.hpp>
#include <range/v3/range/conversion.hpp>
#include <range/v3/view/iota.hpp>
#include <range/v3/view/transform.hpp>

#include <vector>

namespace silica::arch {

/// Sums of token, type and position vectors, normalised.
template <class E>
class BertEmbeddings {
public:
    using Ops = union_of<typename nn::Embedding<E>::Ops, typename nn::LayerNorm<E>::Ops>;

    BertEmbeddings(const BertConfig& c, const Weights& w, const Weights& words)  // bert.embeddings
        : word_embeddings(words, c.vocab_size, c.hidden_size),
          position_embeddings(w / "position_embeddings", c.max_position_embeddings, c.hidden_size),
          token_type_embeddings(w / "token_type_embeddings", c.type_vocab_size, c.hidden_size),
          norm(w / "LayerNorm", c.hidden_size, c.layer_norm_eps) {}

    Tensor operator()(const BertInputs& in) const {
        const auto& ids = in.input_ids;
        const Tensor positions = at::arange(ids.size(1), ids.options()).unsqueeze(0);
        const Tensor types = in.token_type_ids ? *in.token_type_ids : at::zeros(ids.sizes(), ids.options());
        return norm(word_embeddings(ids) + token_type_embeddings(types) + position_embeddings(positions));
    }

    nn::Embedding<E> word_embeddings, position_embeddings, token_type_embeddings;
    nn::LayerNorm<E> norm;
};

/// One layer: h = LayerNorm(x + MultiHead(x)), y = LayerNorm(h + FFN(h)).
template <class E>
class BertLayer {
public:
    using Ops = union_of<typename nn::Linear<E>::Ops, nn::AttentionOps, typename nn::LayerNorm<E>::Ops>;

    BertLayer(const BertConfig& c, const Weights& w)  // bert.encoder.layer.N
        : query_key_value({w / "attention.self.query", w / "attention.self.key", w / "attention.self.value"},
                          c.hidden_size, c.hidden_size),
          attention_output(w / "attention.output.dense", c.hidden_size, c.hidden_size),
          attention_norm(w / "attention.output.LayerNorm", c.hidden_size, c.layer_norm_eps),
          up(w / "intermediate.dense", c.hidden_size, c.intermediate_size),
          down(w / "output.dense", c.intermediate_size, c.hidden_size),
          output_norm(w / "output.LayerNorm", c.hidden_size, c.layer_norm_eps),
          heads(c.num_attention_heads),
          act(c.hidden_act) {}

    Tensor operator()(const Tensor& x, const std::optional<Tensor>& mask) const {
        const Tensor context = nn::self_attention<E>(query_key_value(x), heads, mask);
        const Tensor h = attention_norm(attention_output.add(context, x));  // LayerNorm(x + MultiHead(x))
        return output_norm(down.add(up(h, act), h));                        // LayerNorm(h + FFN(h))
    }

private:
    nn::Linear<E> query_key_value, attention_output;
    nn::LayerNorm<E> attention_norm;
    nn::Linear<E> up, down;
    nn::LayerNorm<E> output_norm;
    std::int64_t heads;
    Activation act;
};

/// Embeddings and layers: what every head stands on.
template <class E>
class BertBody {
public:
    using Ops = union_of<typename BertEmbeddings<E>::Ops, typename BertLayer<E>::Ops>;

    /// `w` is the root: where the file leaves the word vectors out, they are those of the decoder they are tied to.
    BertBody(const BertConfig& c, const Weights& w)
        : embeddings(c, w / "bert.embeddings",
                     w.has("bert.embeddings.word_embeddings.weight") || !w.has("cls.predictions.decoder.weight")
                         ? w / "bert.embeddings.word_embeddings"
                         : w / "cls.predictions.decoder"),
          layers(ranges::views::iota(std::int64_t{0}, c.num_hidden_layers) |
                 ranges::views::transform([&](auto n) { return BertLayer<E>(c, w / "bert.encoder.layer" / n); }) |
                 ranges::to<std::vector>()) {}

    /// (batch, tokens, hidden)
    Tensor operator()(const BertInputs& in) const {
        std::optional<Tensor> mask;
        if (in.attention_mask) mask = in.attention_mask->unsqueeze(1).unsqueeze(1);  // (batch, 1, 1, tokens)
        return ranges::accumulate(layers, embeddings(in),
                                  [&](const Tensor& x, const auto& layer) { return layer(x, mask); });
    }

    BertEmbeddings<E> embeddings;
    std::vector<BertLayer<E>> layers;
};

/// tanh(W h_[CLS] + b): the sentence vector of next-sentence prediction.
template <class E>
class BertPooler {
public:
    using Ops = typename nn::Linear<E>::Ops;

    BertPooler(const BertConfig& c, const Weights& w)
        : dense(w / "dense", c.hidden_size, c.hidden_size) {}  // bert.pooler
    Tensor operator()(const Tensor& h) const { return dense(h.select(1, 0), Activation::tanh); }

private:
    nn::Linear<E> dense;
};

}  // namespace silica::arch
#endif  // SILICA_SINGLE_ARCH_BERT_BODY_HPP
// ---- silica/arch/concept.hpp
#ifndef SILICA_SINGLE_ARCH_CONCEPT_HPP
#define SILICA_SINGLE_ARCH_CONCEPT_HPP
/// What an architecture states. Smallest example: arch::Bert in arch/bert.hpp.

#include <concepts>
#include <string>
#include <string_view>

namespace silica {

/// An architecture: a family's body with one head.
/// - `family`: the `model_type` of config.json; `name`: the class that `architectures` names.
/// - `Config`, `Inputs`, `Outputs`: structs that Hana reflects, with the field names of Hugging Face.
/// - `check(config, file)`: throws ConfigError for values that contradict each other or are not supported.
/// - `prepare(config, inputs)`: throws InputError for wrong inputs; returns what the network is called with.
/// - `names`: the spellings of its checkpoints.
/// - `Network<Exec>`: built from (config, weights), called with inputs; `Network<Exec>::Ops` lists all ops it may call.
template <class A>
concept Architecture =
    Reflected<typename A::Config> && Reflected<typename A::Inputs> && Reflected<typename A::Outputs> &&
    requires(const typename A::Config& config, const typename A::Inputs& inputs, const std::string& file) {
        { A::family } -> std::convertible_to<std::string_view>;
        { A::name } -> std::convertible_to<std::string_view>;
        A::check(config, file);
        { A::prepare(config, inputs) } -> std::same_as<typename A::Inputs>;
        { A::names() } -> std::convertible_to<checkpoint::NameRules>;
    };

}  // namespace silica
#endif  // SILICA_SINGLE_ARCH_CONCEPT_HPP
// ---- silica/nn/activate.hpp
#ifndef SILICA_SINGLE_NN_ACTIVATE_HPP
#define SILICA_SINGLE_NN_ACTIVATE_HPP
/// An activation on its own; after a matrix it is fused with it: nn/linear.hpp.

namespace silica::nn {

using ActivationOps = OpList<op::Gelu, op::Activate>;

/// act(x), elementwise.
template <class E>
Tensor activate(const Tensor& x, Activation act) {
    return act == Activation::gelu ? run<op::Gelu, E>(x) : run<op::Activate, E>(x, act);
}

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_ACTIVATE_HPP

namespace silica::arch {

struct BertOutputs {
    Tensor last_hidden_state;                  ///< (batch, tokens, hidden)
    std::optional<Tensor> pooler_output = {};  ///< (batch, hidden); absent when the checkpoint has no pooler
};

/// BERT without a head; opens a checkpoint of any head.
struct Bert : BertFamily {
    static constexpr std::string_view name = "BertModel";
    using Outputs = BertOutputs;

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename BertBody<E>::Ops, typename BertPooler<E>::Ops>;

        Network(const Config& c, const Weights& w) : body(c, w) {
            if (w.has("bert.pooler.dense.weight")) pooler.emplace(c, w / "bert.pooler");
        }

        Outputs operator()(const Inputs& in) const {
            Outputs out{body(in)};
            if (pooler) out.pooler_output = (*pooler)(out.last_hidden_state);
            return out;
        }

    private:
        BertBody<E> body;
        std::optional<BertPooler<E>> pooler;
    };
};

/// Outputs of the heads that score something: tokens of the vocabulary, classes.
struct BertLogits {
    Tensor logits;  ///< (batch, tokens, vocabulary) or (batch, labels)
};

/// Which token stands at each place: section 3.1 of the paper, task 1.
struct BertForMaskedLM : BertFamily {
    static constexpr std::string_view name = "BertForMaskedLM";
    using Outputs = BertLogits;

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename BertBody<E>::Ops, typename nn::Linear<E>::Ops, typename nn::LayerNorm<E>::Ops>;

        Network(const Config& c, const Weights& w)
            : body(c, w),
              transform(w / "cls.predictions.transform.dense", c.hidden_size, c.hidden_size),
              norm(w / "cls.predictions.transform.LayerNorm", c.hidden_size, c.layer_norm_eps),
              decoder(make_decoder(c, w)),
              act(c.hidden_act) {}

        Outputs operator()(const Inputs& in) const { return {decoder(norm(transform(body(in), act)))}; }

    private:
        /// Tied to the word vectors, unless the file holds a matrix that differs from them, or tying is turned off.
        nn::Linear<E> make_decoder(const Config& c, const Weights& w) const {
            const Weights own = w / "cls.predictions.decoder";
            const Tensor bias =
                nn::take<op::Linear, E>(own.has("bias") ? own : w / "cls.predictions", "bias", {c.vocab_size});
            const Tensor words = body.embeddings.word_embeddings.weight();
            if (!own.has("weight") && c.tie_word_embeddings) return {words, bias};
            if (w.same_bytes("bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"))
                return {words, bias};
            Tensor weight = nn::take<op::Linear, E>(own, "weight", {c.vocab_size, c.hidden_size});
            if (c.tie_word_embeddings && words.device() == weight.device() && words.equal(weight)) return {words, bias};
            return nn::Linear<E>::packed(std::move(weight), bias);
        }

        BertBody<E> body;
        nn::Linear<E> transform;
        nn::LayerNorm<E> norm;
        nn::Linear<E> decoder;
        Activation act;
    };
};

/// One class for a text (or a number, with one label).
struct BertForSequenceClassification : BertFamily {
    static constexpr std::string_view name = "BertForSequenceClassification";
    using Outputs = BertLogits;

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename BertBody<E>::Ops, typename nn::Linear<E>::Ops>;

        Network(const Config& c, const Weights& w)
            : body(c, w), pooler(c, w / "bert.pooler"), classifier(w / "classifier", c.hidden_size, c.labels()) {}

        Outputs operator()(const Inputs& in) const { return {classifier(pooler(body(in)))}; }

    private:
        BertBody<E> body;
        BertPooler<E> pooler;
        nn::Linear<E> classifier;
    };
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::BertOutputs, last_hidden_state, pooler_output);
BOOST_HANA_ADAPT_STRUCT(silica::arch::BertLogits, logits);

namespace silica {

static_assert(Architecture<arch::Bert> && Architecture<arch::BertForMaskedLM> &&
              Architecture<arch::BertForSequenceClassification>);

}  // namespace silica
#endif  // SILICA_SINGLE_ARCH_BERT_HPP
// ---- silica/checkpoint/checkpoint.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_CHECKPOINT_HPP
#define SILICA_SINGLE_CHECKPOINT_CHECKPOINT_HPP
/// A checkpoint on disk: all of its tensors by name, whatever files and format hold them.
///
/// Nothing of the tensors themselves is read here; that is the loaders' work (`loader/`).

// ---- silica/checkpoint/file.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_FILE_HPP
#define SILICA_SINGLE_CHECKPOINT_FILE_HPP
/// A file of weights, open for reading: bytes at a position, or the whole file mapped into memory.

// ---- silica/checkpoint/origin.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_ORIGIN_HPP
#define SILICA_SINGLE_CHECKPOINT_ORIGIN_HPP
/// Where a file came from: a snapshot of the hub cache, or elsewhere. Remedies name the exact command.
///
/// A snapshot is `.../models--<org>--<name>/snapshots/<commit>/<file>`
/// (https://huggingface.co/docs/hub/local-cache).

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace silica::checkpoint {

/// A repository of the hub, as found in a path inside the cache.
struct Origin {
    std::string repo;      ///< "org/name"
    std::string revision;  ///< the commit of the snapshot
};

/// The repository that `path` (a snapshot directory or a file in one) was downloaded from; nothing for other paths.
[[nodiscard]] inline std::optional<Origin> origin_of(const std::filesystem::path& path) {
    std::filesystem::path before, parent;  // the two components before the one at hand
    for (const auto& part : path) {
        if (parent == "snapshots" && before.string().starts_with("models--") && !part.empty()) {
            std::string repo = before.string().substr(8);
            if (const auto dashes = repo.find("--"); dashes != std::string::npos) repo.replace(dashes, 2, "/");
            return Origin{repo, part.string()};
        }
        before = parent;
        parent = part;
    }
    return std::nullopt;
}

/// The command that brings `files` (names separated by blanks; empty: the whole repository) of `repo`.
[[nodiscard]] inline std::string download_line(std::string_view repo, std::string_view revision = {},
                                               std::string_view files = {}) {
    std::string line = "hf download " + std::string(repo);
    if (!files.empty()) line += " " + std::string(files);
    if (!revision.empty() && revision != "main") line += " --revision " + std::string(revision);
    return line;
}

/// What to do about a damaged `file`: the download command for a file of the hub cache, words for any other.
[[nodiscard]] inline std::string fetch_again(const std::filesystem::path& file) {
    if (const auto origin = origin_of(file)) {
        return "Run `" + download_line(origin->repo, origin->revision, file.filename().string()) +
               " --force-download`.";
    }
    return "The file is damaged or was not fully copied: copy, download or save it again.";
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_ORIGIN_HPP

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace silica::checkpoint {

/// The bytes of a whole file in memory, private and copy-on-write: writing to them never reaches the file.
/// Another program that shortens the file while it is mapped ends this one (SIGBUS): loader `CpuFirst` is for such
/// files.
class Mapping {
public:
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() {
        if (data_ != nullptr) ::munmap(data_, size_);
    }

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Gives the pages that lie wholly inside [offset, offset + nbytes) back to the system. They are read from the
    /// file again when touched; what was written to them is lost.
    void release(std::uint64_t offset, std::uint64_t nbytes) const noexcept {
        const auto [first, last] = pages(offset, nbytes, true);
        if (first < last) ::madvise(data_ + first, last - first, MADV_DONTNEED);
    }

    /// Tells the system that [offset, offset + nbytes) is read soon.
    void prefetch(std::uint64_t offset, std::uint64_t nbytes) const noexcept {
        const auto [first, last] = pages(offset, nbytes, false);
        if (first < last) ::madvise(data_ + first, last - first, MADV_WILLNEED);
    }

private:
    friend class File;
    Mapping(std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}

    [[nodiscard]] std::pair<std::size_t, std::size_t> pages(std::uint64_t offset, std::uint64_t nbytes,
                                                            bool inside) const noexcept {
        const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        const auto begin = static_cast<std::size_t>(std::min<std::uint64_t>(offset, size_));
        const auto end = begin + static_cast<std::size_t>(std::min<std::uint64_t>(nbytes, size_ - begin));
        if (!inside) return {begin / page * page, end};
        const std::size_t last = end == size_ ? end : end / page * page;  // the last page holds nothing after the file
        return {(begin + page - 1) / page * page, last};
    }

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// A regular file open for reading. Reads are positional, so several threads may share one.
class File {
public:
    /// Opens `path`; CheckpointError when it is missing, unreadable or not a regular file.
    [[nodiscard]] static std::shared_ptr<const File> open(const std::filesystem::path& path) {
        int fd = -1;
        do fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // not to wait for the writer of a pipe
        while (fd < 0 && errno == EINTR);
        if (fd < 0) fail_to_open(path, errno);
        std::shared_ptr<File> file(new File(path, fd));
        struct stat status = {};
        if (::fstat(fd, &status) != 0) fail_to_open(path, errno);
        if (!S_ISREG(status.st_mode)) {
            throw CheckpointError(path.string() + " is not a regular file.",
                                  "Name a file of weights, or the directory that holds it.");
        }
        file->size_ = static_cast<std::uint64_t>(status.st_size);
        return file;
    }

    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() { ::close(fd_); }

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    /// Fills `out` with the bytes at `offset`, all of them or a CheckpointError.
    void read(std::uint64_t offset, std::span<std::byte> out) const {
        if (offset > size_ || out.size() > size_ - offset) fail_short(offset, out.size(), size_);
        constexpr std::size_t most = std::size_t{1} << 30U;  // macOS refuses more than 2 GiB - 1 in one call
        while (!out.empty()) {
            const auto n = ::pread(fd_, out.data(), std::min(out.size(), most), static_cast<off_t>(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) {
                throw CheckpointError("Reading " + path_.string() + " at byte " + std::to_string(offset) +
                                          " failed: " + std::generic_category().message(errno) + ".",
                                      "Check the disk or the network share, and copy the file again.");
            }
            if (n == 0) fail_short(offset, out.size(), offset);
            out = out.subspan(static_cast<std::size_t>(n));
            offset += static_cast<std::uint64_t>(n);
        }
    }

    /// The `nbytes` bytes at `offset` as text.
    [[nodiscard]] std::string read_text(std::uint64_t offset, std::uint64_t nbytes) const {
        if (offset > size_ || nbytes > size_ - offset) fail_short(offset, nbytes, size_);
        std::string text(static_cast<std::size_t>(nbytes), '\0');
        read(offset, std::as_writable_bytes(std::span(text.data(), text.size())));
        return text;
    }

    /// Maps the whole file, anew on each call; the mapping outlives the File.
    [[nodiscard]] std::shared_ptr<Mapping> map() const {
        if (size_ == 0) return std::shared_ptr<Mapping>(new Mapping(nullptr, 0));
        int flags = MAP_PRIVATE;
#ifdef MAP_NORESERVE
        flags |= MAP_NORESERVE;  // the pages are clean: no swap space is set aside for them
#endif
        void* data = MAP_FAILED;
        if (size_ <= std::numeric_limits<std::size_t>::max())
            data = ::mmap(nullptr, static_cast<std::size_t>(size_), PROT_READ | PROT_WRITE, flags, fd_, 0);
        if (data == MAP_FAILED) {
            throw CheckpointError("Mapping " + path_.string() + " (" + bytes(size_) +
                                      ") into memory failed: " + std::generic_category().message(errno) + ".",
                                  "Load with loader::Streamed or loader::CpuFirst, which read instead of mapping.");
        }
        return std::shared_ptr<Mapping>(new Mapping(static_cast<std::byte*>(data), static_cast<std::size_t>(size_)));
    }

    /// Whether two files are one and the same open file.
    friend bool operator==(const File& a, const File& b) noexcept { return &a == &b; }

private:
    File(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}

    [[noreturn]] static void fail_to_open(const std::filesystem::path& path, int error) {
        std::string remedy = "Check the path, and that you may read the file.";
        if (error == EMFILE || error == ENFILE) remedy = "Allow more open files: ulimit -n 4096.";
        if (error == ENOENT)
            if (const auto origin = origin_of(path))
                remedy = "Run `" + download_line(origin->repo, origin->revision, path.filename().string()) + "`.";
        throw CheckpointError("Opening " + path.string() + " failed: " + std::generic_category().message(error) + ".",
                              remedy);
    }

    [[noreturn]] void fail_short(std::uint64_t offset, std::uint64_t nbytes, std::uint64_t end) const {
        throw CheckpointError(path_.string() + " ends at byte " + std::to_string(end) + ", where bytes " +
                                  std::to_string(offset) + " to " + std::to_string(offset + nbytes) + " were expected.",
                              fetch_again(path_));
    }

    std::filesystem::path path_;
    int fd_;
    std::uint64_t size_ = 0;
};

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_FILE_HPP
// ---- silica/checkpoint/index.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_INDEX_HPP
#define SILICA_SINGLE_CHECKPOINT_INDEX_HPP
/// The index of a checkpoint in several files: `model.safetensors.index.json`, `pytorch_model.bin.index.json`.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace silica::checkpoint {

/// Which tensor is in which file ("shard"), as the index says.
struct Index {
    std::map<std::string, std::string, std::less<>> weight_map;  ///< tensor name -> file name
    std::vector<std::string> shards;                             ///< the file names, sorted, each once
};

namespace detail {

/// A file name without any way out of its directory.
[[nodiscard]] inline bool plain_file_name(std::string_view name) {
    if (name.empty() || name.size() > 255 || name == "." || name == "..") return false;
    for (const char c : name)
        if (c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20) return false;
    return true;
}

}  // namespace detail

/// Reads an index file. CheckpointError when it is not one, names a tensor twice, or a shard by more than a file name.
[[nodiscard]] inline Index read_index(const std::filesystem::path& path) {
    constexpr std::uint64_t largest = 100'000'000;
    constexpr std::size_t most_shards = 10'000;
    const auto file = File::open(path);
    if (file->size() > largest)
        throw CheckpointError(path.string() + " is " + bytes(file->size()) + " long; an index has at most 100000000.",
                              fetch_again(path));
    const std::string text = file->read_text(0, file->size());
    JsonReader json(text, path.string(), fetch_again(path));
    Index index;
    std::map<std::string, bool, std::less<>> shards;
    bool seen = false;
    json.object([&](const std::string& key) {
        if (key != "weight_map") return json.skip();
        if (std::exchange(seen, true)) json.fail("has 'weight_map' twice");
        json.object([&](std::string name) {
            std::string shard = json.string();
            if (!detail::plain_file_name(shard))
                json.fail("puts tensor " + quote(name) + " in " + quote(shard) +
                          ", which is not a file name in the directory of the index");
            shards[shard] = true;
            if (shards.size() > most_shards) json.fail("names more than 10000 files");
            const auto [at, added] = index.weight_map.emplace(std::move(name), std::move(shard));
            if (!added) json.fail("has tensor " + quote(at->first) + " twice");
        });
    });
    json.end();
    if (!seen) json.fail("has no 'weight_map'");
    if (shards.empty()) json.fail("has an empty 'weight_map'");
    for (auto& [shard, used] : shards) index.shards.push_back(shard);
    return index;
}

/// The shards of `index` that `directory` lacks.
[[nodiscard]] inline std::vector<std::string> missing_shards(const Index& index,
                                                             const std::filesystem::path& directory) {
    std::vector<std::string> missing;
    std::error_code ignored;
    for (const auto& shard : index.shards)
        if (!std::filesystem::exists(directory / shard, ignored)) missing.push_back(shard);
    return missing;
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_INDEX_HPP
// ---- silica/checkpoint/locate.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_LOCATE_HPP
#define SILICA_SINGLE_CHECKPOINT_LOCATE_HPP
/// Which file of a directory holds the weights.

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace silica::checkpoint {

/// The names under which a directory may hold weights, in the order in which they are chosen.
inline constexpr std::array<std::string_view, 4> weight_files = {"model.safetensors", "model.safetensors.index.json",
                                                                 "pytorch_model.bin", "pytorch_model.bin.index.json"};

namespace detail {

/// The names in `directory`, sorted; at most 20 and then "...".
[[nodiscard]] inline std::string listing(const std::filesystem::path& directory) {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
        names.push_back(at->path().filename().string());
        if (names.size() == 1000) break;
    }
    std::sort(names.begin(), names.end());
    std::string text;
    for (std::size_t i = 0; i < names.size() && i < 20; ++i) text += (i == 0 ? "" : ", ") + quote(names[i]);
    return names.size() > 20 ? text + ", ..." : text.empty() ? "nothing" : text;
}

[[nodiscard]] inline bool has_any(const std::filesystem::path& directory,
                                  std::initializer_list<std::string_view> names) {
    std::error_code ignored;
    return std::any_of(names.begin(), names.end(),
                       [&](auto name) { return std::filesystem::exists(directory / std::string(name), ignored); });
}

[[nodiscard]] inline std::string remedy_without_weights(const std::filesystem::path& directory) {
    const auto origin = origin_of(directory);
    if (has_any(directory, {"tf_model.h5", "flax_model.msgpack", "model.onnx", "rust_model.ot", "model.gguf"})) {
        return "These are weights of another framework: get model.safetensors of the same model" +
               (origin ? ", `" + download_line(origin->repo, {}, "model.safetensors") +
                             "` (some repositories have it on --revision refs/pr/1 only)"
                       : std::string()) +
               ", or convert them with transformers: AutoModel.from_pretrained(..., from_tf or from_flax=True)."
               "save_pretrained(...).";
    }
    if (origin)
        return "Run `" + download_line(origin->repo, origin->revision, "--include \"*.safetensors*\"") +
               "` (\"*.bin*\" where the repository has no safetensors).";
    return "Put model.safetensors, or model.safetensors.index.json with its shards, there, or name the file itself.";
}

}  // namespace detail

/// The file to open in `directory`: the first of `weight_files` that is there. CheckpointError that lists what is there
/// when none is.
[[nodiscard]] inline std::filesystem::path locate_weights(const std::filesystem::path& directory) {
    std::error_code error;
    for (const auto name : weight_files)
        if (const auto path = directory / std::string(name); std::filesystem::exists(path, error)) return path;
    throw CheckpointError("The directory " + directory.string() +
                              " holds no weights (model.safetensors, "
                              "pytorch_model.bin or an index of either). It has " +
                              detail::listing(directory) + ".",
                          detail::remedy_without_weights(directory));
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_LOCATE_HPP
// ---- silica/checkpoint/safetensors.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_SAFETENSORS_HPP
#define SILICA_SINGLE_CHECKPOINT_SAFETENSORS_HPP
/// The safetensors format: 8 bytes of header length, a JSON header, the bytes of the tensors.
/// Accepts and refuses what the reference implementation does (https://github.com/huggingface/safetensors, 0.8), and
/// refuses besides: a name that occurs twice, a size over 2^63, more than 64 dimensions, more than 500,000 tensors.

// ---- silica/checkpoint/impostor.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_IMPOSTOR_HPP
#define SILICA_SINGLE_CHECKPOINT_IMPOSTOR_HPP
/// Files that stand where weights should be and are something else.

#include <algorithm>
#include <cstdint>
#include <string>

namespace silica::checkpoint {

/// Throws a CheckpointError when `file` is a Git LFS pointer or a web page.
inline void refuse_impostor(const File& file) {
    const auto start = file.read_text(0, std::min<std::uint64_t>(file.size(), 24));
    if (start.starts_with("version https://git-lfs"))
        throw CheckpointError(file.path().string() + " is a Git LFS pointer, not the file of weights itself.",
                              "Run `git lfs pull` in " + file.path().parent_path().string() + ".");
    if (start.starts_with("<!DO") || start.starts_with("<!do") || start.starts_with("<htm") ||
        start.starts_with("<HTM"))
        throw CheckpointError(file.path().string() + " is a web page, not a file of weights.",
                              fetch_again(file.path()));
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_IMPOSTOR_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::checkpoint {

/// What a safetensors file says about itself: its tensors in the order of their bytes, and its text metadata.
struct SafetensorsHeader {
    std::vector<TensorEntry> entries;
    std::map<std::string, std::string> metadata;
};

namespace detail {

inline constexpr std::uint64_t longest_header = 100'000'000;  // the reference's limit
inline constexpr std::size_t most_tensors = 500'000, most_metadata = 100'000, most_dimensions = 64;

/// Reads the header of one file. Used once per file.
class SafetensorsParser {
public:
    SafetensorsParser(const File& file, std::size_t index) : file_(file), path_(file.path().string()), index_(index) {}

    [[nodiscard]] SafetensorsHeader parse() && {
        const std::string text = header_text();
        JsonReader json(text, path_ + ": the header", fetch_again(file_.path()));
        json_ = &json;
        bool metadata_seen = false;
        if (json.peek() != '{') json.fail("should be a JSON object");
        json.object([&](std::string name) {
            if (name != "__metadata__") return tensor(std::move(name));
            if (std::exchange(metadata_seen, true)) json.fail("has '__metadata__' twice");
            if (json.null()) return;
            json.object([&](std::string key) {
                if (header_.metadata.size() == most_metadata) json.fail("has more than 100000 lines of metadata");
                header_.metadata[std::move(key)] = json.string();
            });
        });
        json.end();
        check_names();
        check_layout();
        return std::move(header_);
    }

private:
    [[nodiscard]] std::string header_text() {
        refuse_impostor(file_);
        const auto start = file_.read_text(0, std::min<std::uint64_t>(file_.size(), 8));
        if (start.starts_with("PK\x03\x04"))
            throw CheckpointError(path_ + " is a zip archive as torch.save writes them, not safetensors.",
                                  "Rename it to pytorch_model.bin.");
        if (start.size() < 8) refuse("is only " + bytes(start.size()) + " long, too short for a safetensors file");
        std::uint64_t length = 0;
        for (std::size_t i = 8; i-- > 0;) length = length << 8U | static_cast<unsigned char>(start[i]);
        if (length > longest_header)
            refuse("says that its header is " + bytes(length) + " long; safetensors allows 100000000");
        if (length > file_.size() - 8)
            refuse("says that its header is " + bytes(length) + " long, but only " + bytes(file_.size() - 8) +
                   " follow: it is cut short or not a safetensors file");
        data_ = 8 + length;
        return file_.read_text(8, length);
    }

    void tensor(std::string name) {
        if (header_.entries.size() == most_tensors) refuse("has more than 500000 tensors");
        TensorEntry entry = {std::move(name), at::ScalarType::Undefined, {}, {}, 0, 0, index_, {}};
        std::vector<std::uint64_t> offsets;
        bool has_dtype = false, has_shape = false, has_offsets = false;
        if (json_->peek() != '{') json_->fail("should have an object for tensor " + quote(entry.name));
        json_->object([&](const std::string& key) {
            const auto once = [&](bool& seen) {
                if (std::exchange(seen, true))
                    json_->fail("has " + quote(key) + " twice for tensor " + quote(entry.name));
            };
            if (key == "dtype") {
                once(has_dtype);
                entry.dtype_name = json_->string();
            } else if (key == "shape") {
                once(has_shape);
                json_->array([&] { dimension(entry); });
            } else if (key == "data_offsets") {
                once(has_offsets);
                json_->array([&] {
                    if (offsets.size() == 2)
                        json_->fail("should have two data_offsets for tensor " + quote(entry.name));
                    offsets.push_back(json_->number([&] { return "a data offset of tensor " + quote(entry.name); }));
                });
            } else {
                json_->skip();
            }
        });
        if (!has_dtype || !has_shape || offsets.size() != 2)
            json_->fail("lacks dtype, shape or data_offsets for tensor " + quote(entry.name));
        place(entry, offsets[0], offsets[1]);
        header_.entries.push_back(std::move(entry));
    }

    void dimension(TensorEntry& entry) {
        const auto size = json_->number([&] { return "a dimension of tensor " + quote(entry.name); });
        if (entry.shape.size() == most_dimensions)
            json_->fail("gives tensor " + quote(entry.name) + " more than 64 dimensions");
        if (size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
            json_->fail("gives tensor " + quote(entry.name) + " a dimension of " + std::to_string(size));
        entry.shape.push_back(static_cast<std::int64_t>(size));
    }

    void place(TensorEntry& entry, std::uint64_t begin, std::uint64_t end) {
        const auto dtype = format_dtype(entry.dtype_name);
        if (!dtype)
            refuse("has tensor " + quote(entry.name) + " of dtype " + quote(entry.dtype_name) +
                   ", which the safetensors format does not have");
        std::uint64_t bits = dtype->bits;
        bool empty = false;
        for (const auto size : entry.shape) {
            if (size == 0) empty = true;
            const auto factor = static_cast<std::uint64_t>(std::max<std::int64_t>(size, 1));
            if (bits > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor)
                refuse("has tensor " + quote(entry.name) + " of shape " + tuple_text(entry.shape) +
                       ", more than any memory holds");
            bits *= factor;
        }
        if (empty) bits = 0;
        const std::uint64_t data_size = file_.size() - data_;
        const auto where = [&] {
            return "tensor " + quote(entry.name) + " at bytes " + std::to_string(begin) + " to " + std::to_string(end) +
                   " of its data";
        };
        if (end < begin) refuse("has " + where() + ": reversed offsets");
        if (end > data_size)
            refuse("has " + where() + ", of which it has only " + bytes(data_size) + ": it is cut short or damaged");
        if (bits % 8 != 0 || bits / 8 != end - begin)
            refuse("has " + where() + ", but " + entry.dtype_name + " of shape " + tuple_text(entry.shape) + " takes " +
                   (bits % 8 == 0 ? bytes(bits / 8) : std::to_string(bits) + " bits"));
        entry.dtype = dtype->dtype;
        entry.offset = data_ + begin;
        entry.nbytes = end - begin;
        entry.strides = row_major(entry.shape);
    }

    void check_names() {
        std::vector<const std::string*> names;
        names.reserve(header_.entries.size());
        for (const auto& entry : header_.entries) names.push_back(&entry.name);
        std::sort(names.begin(), names.end(), [](const auto* a, const auto* b) { return *a < *b; });
        const auto twice =
            std::adjacent_find(names.begin(), names.end(), [](const auto* a, const auto* b) { return *a == *b; });
        if (twice != names.end()) refuse("has tensor " + quote(**twice) + " twice");
    }

    /// The tensors must cover the data without gap or overlap, as the reference requires.
    void check_layout() {
        auto& entries = header_.entries;
        std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
            return std::pair(a.offset, a.offset + a.nbytes) < std::pair(b.offset, b.offset + b.nbytes);
        });
        std::uint64_t end = data_;
        const TensorEntry* before = nullptr;
        for (const auto& entry : entries) {
            if (entry.offset < end)
                refuse("has tensors " + quote(before->name) + " and " + quote(entry.name) + " in the same bytes");
            if (entry.offset > end)
                refuse("has " + bytes(entry.offset - end) + " before tensor " + quote(entry.name) +
                       " that belong to no tensor");
            end = entry.offset + entry.nbytes;
            before = &entry;
        }
        if (end != file_.size())
            refuse("has " + bytes(file_.size() - end) + " after its last tensor that belong to none");
    }

    [[noreturn]] void refuse(const std::string& problem) const {
        throw CheckpointError(path_ + " " + problem + ".", fetch_again(file_.path()));
    }

    const File& file_;
    std::string path_;
    std::size_t index_;
    std::uint64_t data_ = 0;  // where the tensors' bytes begin
    JsonReader* json_ = nullptr;
    SafetensorsHeader header_;
};

}  // namespace detail

/// Reads and checks the header of `file`; entries get `index` as their file. CheckpointError on anything wrong.
[[nodiscard]] inline SafetensorsHeader read_safetensors(const File& file, std::size_t index = 0) {
    return detail::SafetensorsParser(file, index).parse();
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_SAFETENSORS_HPP
// ---- silica/checkpoint/torch_file.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_TORCH_FILE_HPP
#define SILICA_SINGLE_CHECKPOINT_TORCH_FILE_HPP
/// Files written by torch.save: a zip archive of a pickle and the storages (torch >= 1.6), or one stream of pickles and
/// storages before that. Formats: torch/serialization.py, `_save` and `_legacy_save`.

// ---- silica/checkpoint/state_dict.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_STATE_DICT_HPP
#define SILICA_SINGLE_CHECKPOINT_STATE_DICT_HPP
/// The tensors of an unpickled state dict, each checked against the storage it views.

// ---- silica/checkpoint/pickle.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_PICKLE_HPP
#define SILICA_SINGLE_CHECKPOINT_PICKLE_HPP
/// The values in a Python pickle of tensors: dictionaries, lists, tuples, numbers, text, and views of storages. The few
/// Python names that may occur stand in `pickle_globals`, each with its own meaning here. Reading: unpickler.hpp.

#include <c10/core/ScalarType.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace silica::checkpoint {

/// A value in a pickle. Everything but numbers is an index into the `Pickle` it belongs to.
struct PickleValue {
    enum class Kind : std::uint8_t { none, boolean, integer, real, text, tuple, list, dict, global, storage, tensor };
    Kind kind = Kind::none;
    std::int64_t number = 0;  ///< the integer or boolean; the index otherwise
};

/// What a call or a storage type in a pickle may name, and what it means here.
struct PickleGlobal {
    enum class Meaning : std::uint8_t { ordered_dict, size, tensor, parameter, storage };
    std::string_view module, name;
    Meaning meaning;
    at::ScalarType dtype = at::ScalarType::Undefined;  ///< of a storage type
};

/// The only Python names that are understood.
inline constexpr std::array<PickleGlobal, 16> pickle_globals = {{
    {"collections", "OrderedDict", PickleGlobal::Meaning::ordered_dict},
    {"torch", "Size", PickleGlobal::Meaning::size},
    {"torch._utils", "_rebuild_tensor_v2", PickleGlobal::Meaning::tensor},
    {"torch._utils", "_rebuild_parameter", PickleGlobal::Meaning::parameter},
    {"torch", "FloatStorage", PickleGlobal::Meaning::storage, at::kFloat},
    {"torch", "HalfStorage", PickleGlobal::Meaning::storage, at::kHalf},
    {"torch", "BFloat16Storage", PickleGlobal::Meaning::storage, at::kBFloat16},
    {"torch", "DoubleStorage", PickleGlobal::Meaning::storage, at::kDouble},
    {"torch", "LongStorage", PickleGlobal::Meaning::storage, at::kLong},
    {"torch", "IntStorage", PickleGlobal::Meaning::storage, at::kInt},
    {"torch", "ShortStorage", PickleGlobal::Meaning::storage, at::kShort},
    {"torch", "CharStorage", PickleGlobal::Meaning::storage, at::kChar},
    {"torch", "ByteStorage", PickleGlobal::Meaning::storage, at::kByte},
    {"torch", "BoolStorage", PickleGlobal::Meaning::storage, at::kBool},
    {"torch", "ComplexFloatStorage", PickleGlobal::Meaning::storage, at::kComplexFloat},
    {"torch", "ComplexDoubleStorage", PickleGlobal::Meaning::storage, at::kComplexDouble},
}};

/// The bytes that tensors view: `numel` elements, found in the file under `key`.
struct PickleStorage {
    std::string_view key;
    const PickleGlobal* type = nullptr;
    std::int64_t numel = 0;
};

/// A view of a storage; offset and strides in elements. Not yet checked against the storage.
struct PickleTensor {
    std::size_t storage = 0;
    std::int64_t offset = 0;
    std::vector<std::int64_t> shape, strides;
};

/// A whole pickle, unpacked. Text points into the bytes it was read from.
struct Pickle {
    PickleValue root;
    std::vector<std::string_view> texts;
    std::vector<std::vector<PickleValue>> sequences;  ///< tuples, lists; dicts as key, value, key, value, ...
    std::vector<PickleStorage> storages;
    std::vector<PickleTensor> tensors;
    std::size_t nbytes = 0;  ///< read, up to and including the STOP

    [[nodiscard]] std::string_view text(const PickleValue& value) const {
        return texts[static_cast<std::size_t>(value.number)];
    }
    [[nodiscard]] const std::vector<PickleValue>& items(const PickleValue& value) const {
        return sequences[static_cast<std::size_t>(value.number)];
    }
};

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_PICKLE_HPP
// ---- silica/checkpoint/zip.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_ZIP_HPP
#define SILICA_SINGLE_CHECKPOINT_ZIP_HPP
/// The table of contents of a zip archive as torch.save writes it: stored (uncompressed) members, zip64 where large.
/// Format: PKWARE APPNOTE.TXT 6.3.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace silica::checkpoint {

/// One member of an archive: its bytes lie in the file as they are.
struct ZipMember {
    std::uint64_t offset = 0, nbytes = 0;
};

/// The members of the zip archive in `file`, by name. Every offset has been checked against the file.
/// CheckpointError when the archive is damaged, compressed, encrypted or in several parts.
[[nodiscard]] std::map<std::string, ZipMember, std::less<>> read_zip(const File& file);

namespace detail {

class ZipParser {
public:
    explicit ZipParser(const File& file) : file_(file) {}

    [[nodiscard]] std::map<std::string, ZipMember, std::less<>> parse() && {
        find_directory();
        const std::string directory = file_.read_text(directory_, directory_size_);
        std::uint64_t at = 0;
        for (std::uint64_t i = 0; i < count_; ++i) at += member(std::string_view(directory).substr(at));
        if (at != directory_size_) damaged("its directory has " + bytes(directory_size_ - at) + " too many");
        return std::move(members_);
    }

private:
    static constexpr std::uint64_t most_members = 200'000, largest_directory = 200'000'000;

    [[nodiscard]] static std::uint64_t number(std::string_view text, std::size_t at, std::size_t width) {
        std::uint64_t value = 0;
        for (std::size_t i = width; i-- > 0;) value = value << 8U | static_cast<unsigned char>(text[at + i]);
        return value;
    }

    /// Finds the end-of-directory record (22 bytes and a comment, last in the file), and its zip64 form if there is
    /// one.
    void find_directory() {
        const std::uint64_t tail_size = std::min<std::uint64_t>(file_.size(), 22 + 65535);
        const std::uint64_t tail_at = file_.size() - tail_size;
        const std::string tail = file_.read_text(tail_at, tail_size);
        std::size_t end = tail.size() < 22 ? std::string::npos : tail.rfind("PK\x05\x06", tail.size() - 22);
        while (end != std::string::npos && end + 22 + number(tail, end + 20, 2) != tail.size())
            end = end == 0 ? std::string::npos : tail.rfind("PK\x05\x06", end - 1);
        if (end == std::string::npos) damaged("its directory is missing; the file is cut short");
        if (number(tail, end + 4, 2) != 0 || number(tail, end + 6, 2) != 0) refuse("is a zip archive in several parts");
        count_ = number(tail, end + 10, 2);
        directory_size_ = number(tail, end + 12, 4);
        directory_ = number(tail, end + 16, 4);
        limit_ = tail_at + end;
        if (end >= 20 && tail.compare(end - 20, 4, "PK\x06\x07") == 0) find_directory64(number(tail, end - 12, 8));
        if (count_ > most_members) refuse("is a zip archive of more than 200000 members");
        if (directory_size_ > largest_directory) refuse("has a zip directory of " + bytes(directory_size_));
        if (directory_ > limit_ || directory_size_ > limit_ - directory_)
            damaged("its directory at byte " + std::to_string(directory_) + ", " + bytes(directory_size_) +
                    ", does not fit in the file");
        if (count_ > directory_size_ / 46)
            damaged("its directory is too short for " + std::to_string(count_) + " members");
    }

    void find_directory64(std::uint64_t at) {
        limit_ -= 20;
        if (at > limit_ || limit_ - at < 56) damaged("its zip64 record is out of range");
        const std::string record = file_.read_text(at, 56);
        if (!record.starts_with("PK\x06\x06")) damaged("its zip64 record is missing");
        if (number(record, 16, 4) != 0 || number(record, 20, 4) != 0) refuse("is a zip archive in several parts");
        count_ = number(record, 32, 8);
        directory_size_ = number(record, 40, 8);
        directory_ = number(record, 48, 8);
        limit_ = at;
    }

    /// Reads one directory entry (46 bytes, name, extra fields, comment) and returns its length.
    std::uint64_t member(std::string_view entry) {
        if (entry.size() < 46 || !entry.starts_with("PK\x01\x02")) damaged("its directory is not one");
        const std::uint64_t flags = number(entry, 8, 2), method = number(entry, 10, 2);
        const std::uint64_t name_size = number(entry, 28, 2), extra_size = number(entry, 30, 2);
        const std::uint64_t total = 46 + name_size + extra_size + number(entry, 32, 2);
        if (total > entry.size()) damaged("its directory is cut short");
        std::string name(entry.substr(46, name_size));
        std::uint64_t packed = number(entry, 20, 4), nbytes = number(entry, 24, 4), header = number(entry, 42, 4);
        wide(entry.substr(46 + name_size, extra_size), name, nbytes, packed, header);
        if ((flags & 1U) != 0) refuse("has the encrypted member " + quote(name));
        if (method != 0) refuse("has the compressed member " + quote(name) + "; torch.save does not compress");
        if (packed != nbytes) damaged("member " + quote(name) + " has two sizes");
        const ZipMember found = {data_offset(header, name, nbytes), nbytes};
        if (const auto [at, added] = members_.emplace(std::move(name), found); !added)
            damaged("member " + quote(at->first) + " occurs twice");
        return total;
    }

    /// The 64-bit values of the extra field 1, for those that are 2^32 - 1 in the entry itself.
    void wide(std::string_view extra, const std::string& name, std::uint64_t& nbytes, std::uint64_t& packed,
              std::uint64_t& header) const {
        constexpr std::uint64_t elsewhere = 0xffffffffU;
        while (extra.size() >= 4) {
            const auto id = number(extra, 0, 2);
            const auto size = static_cast<std::size_t>(number(extra, 2, 2));
            if (size > extra.size() - 4) damaged("member " + quote(name) + " has a bad extra field");
            auto field = extra.substr(4, size);
            extra.remove_prefix(4 + size);
            if (id != 1) continue;
            for (std::uint64_t* value : {&nbytes, &packed, &header}) {
                if (*value != elsewhere) continue;
                if (field.size() < 8) damaged("member " + quote(name) + " has a bad zip64 field");
                *value = number(field, 0, 8);
                field.remove_prefix(8);
            }
            return;
        }
    }

    /// Where the bytes of a member begin: after its local header (30 bytes, name, extra fields).
    [[nodiscard]] std::uint64_t data_offset(std::uint64_t header, const std::string& name, std::uint64_t nbytes) const {
        if (header > directory_ || directory_ - header < 30 + name.size())
            damaged("member " + quote(name) + " begins at byte " + std::to_string(header) + ", outside of the archive");
        const std::string local = file_.read_text(header, 30 + name.size());
        if (!local.starts_with("PK\x03\x04") || number(local, 26, 2) != name.size() || local.substr(30) != name)
            damaged("member " + quote(name) + " is not where the directory says");
        const std::uint64_t data = header + 30 + name.size() + number(local, 28, 2);
        if (data > directory_ || nbytes > directory_ - data)
            damaged("member " + quote(name) + " at byte " + std::to_string(data) + ", " + bytes(nbytes) +
                    ", goes beyond the archive");
        return data;
    }

    [[noreturn]] void refuse(const std::string& problem) const {
        throw CheckpointError(file_.path().string() + " " + problem + ".",
                              "Save the tensors again with torch.save, or as safetensors.");
    }
    [[noreturn]] void damaged(const std::string& problem) const {
        throw CheckpointError(file_.path().string() + " is not an intact zip archive: " + problem + ".",
                              fetch_again(file_.path()));
    }

    const File& file_;
    std::uint64_t directory_ = 0, directory_size_ = 0, count_ = 0;
    std::uint64_t limit_ = 0;  // where the records after the directory begin
    std::map<std::string, ZipMember, std::less<>> members_;
};

}  // namespace detail

inline std::map<std::string, ZipMember, std::less<>> read_zip(const File& file) {
    return detail::ZipParser(file).parse();
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_ZIP_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::checkpoint {

namespace detail {

class StateDict {
public:
    using Kind = PickleValue::Kind;
    /// `place` says where in the file the bytes of a storage are.
    StateDict(const File& file, std::size_t index, const Pickle& pickle,
              const std::function<ZipMember(const PickleStorage&)>& place)
        : file_(file), index_(index), pickle_(pickle), place_(place) {}

    [[nodiscard]] std::vector<TensorEntry> entries() const {
        const auto& items = dictionary();
        std::vector<TensorEntry> entries;
        std::set<std::string_view> names;
        std::string_view inner;  // a dictionary in the dictionary, for the hint
        for (std::size_t i = 0; i < items.size(); i += 2) {
            if (items[i].kind != Kind::text) continue;
            const auto name = pickle_.text(items[i]);
            if (items[i + 1].kind == Kind::dict) inner = name;
            if (items[i + 1].kind != Kind::tensor) continue;  // step counts, versions
            if (first_bad_utf8(name) != name.size()) refuse("has a tensor whose name is not UTF-8");
            if (!names.insert(name).second) refuse("has tensor " + quote(name) + " twice");
            entries.push_back(entry(name, pickle_.tensors[static_cast<std::size_t>(items[i + 1].number)]));
        }
        if (entries.empty() && !inner.empty())
            refuse("holds no tensors itself, but a dictionary " + quote(inner),
                   "Save that one: torch.save(torch.load(...)[" + quote(inner) + "], 'pytorch_model.bin').");
        if (entries.empty()) refuse("holds no tensors", "Save model.state_dict() with torch.save, or safetensors.");
        std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
            return std::pair(a.offset, std::string_view(a.name)) < std::pair(b.offset, std::string_view(b.name));
        });
        return entries;
    }

private:
    /// The dictionary of tensors: the root, or its "state_dict".
    [[nodiscard]] const std::vector<PickleValue>& dictionary() const {
        if (pickle_.root.kind != Kind::dict)
            refuse("holds no dictionary of tensors", "Save model.state_dict() with torch.save, or safetensors.");
        const auto& items = pickle_.items(pickle_.root);
        for (std::size_t i = 0; i < items.size(); i += 2)
            if (items[i].kind == Kind::text && pickle_.text(items[i]) == "state_dict" &&
                items[i + 1].kind == Kind::dict)
                return pickle_.items(items[i + 1]);
        return items;
    }

    [[nodiscard]] TensorEntry entry(std::string_view name, const PickleTensor& tensor) const {
        const auto& storage = pickle_.storages[tensor.storage];
        const auto bytes_at = place_(storage);
        const auto item = static_cast<std::uint64_t>(at::elementSize(storage.type->dtype));
        const auto numel = static_cast<std::uint64_t>(storage.numel);
        const auto what = [&] {
            return "has tensor " + quote(name) + " of shape " + tuple_text(tensor.shape) + ", strides " +
                   tuple_text(tensor.strides) + ", offset " + std::to_string(tensor.offset) + " in a storage of " +
                   std::to_string(storage.numel) + " elements";
        };
        if (numel > bytes_at.nbytes / item || numel * item != bytes_at.nbytes)
            refuse(what() + ", whose data is " + bytes(bytes_at.nbytes) + " long");
        if (tensor.offset < 0 || static_cast<std::uint64_t>(tensor.offset) > numel) refuse(what() + ": out of range");
        const auto first = static_cast<std::uint64_t>(tensor.offset);
        std::uint64_t last = first, count = 1;
        const bool empty = std::find(tensor.shape.begin(), tensor.shape.end(), 0) != tensor.shape.end();
        for (std::size_t d = 0; d < tensor.shape.size(); ++d) {
            if (tensor.shape[d] < 0 || tensor.strides[d] < 0) refuse(what() + ": negative sizes");
            const auto size = static_cast<std::uint64_t>(std::max<std::int64_t>(tensor.shape[d], 1));
            const auto stride = static_cast<std::uint64_t>(tensor.strides[d]);
            if (count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / item / size)
                refuse(what() + ": more than any memory holds");
            count *= size;
            if (empty || size == 1) continue;
            if (stride > 0 && size - 1 > (numel - last) / stride) refuse(what() + ": out of range");
            last += (size - 1) * stride;
        }
        if (!empty && last >= numel) refuse(what() + ": out of range");
        if (!empty && count > file_.size() / item)
            refuse(what() + ": repeated to more than the file's own size", "Save the tensor contiguous().");
        TensorEntry out = {std::string(name),
                           storage.type->dtype,
                           tensor.shape,
                           tensor.strides,
                           0,
                           0,
                           index_,
                           std::string(storage.type->name)};
        out.offset = bytes_at.offset + (empty ? 0 : first * item);
        out.nbytes = empty ? 0 : (last - first + 1) * item;
        if (empty) out.strides = row_major(out.shape);
        return out;
    }

    [[noreturn]] void refuse(const std::string& problem, const std::string& remedy = {}) const {
        throw CheckpointError(file_.path().string() + " " + problem + ".",
                              remedy.empty() ? fetch_again(file_.path()) : remedy);
    }

    const File& file_;
    std::size_t index_;
    const Pickle& pickle_;
    const std::function<ZipMember(const PickleStorage&)>& place_;
};

}  // namespace detail

/// The tensors of `pickle`, a dictionary or one in a dictionary under "state_dict", in the order of their bytes.
[[nodiscard]] inline std::vector<TensorEntry> state_dict(const File& file, std::size_t index, const Pickle& pickle,
                                                         const std::function<ZipMember(const PickleStorage&)>& place) {
    return detail::StateDict(file, index, pickle, place).entries();
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_STATE_DICT_HPP
// ---- silica/checkpoint/unpickler.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_UNPICKLER_HPP
#define SILICA_SINGLE_CHECKPOINT_UNPICKLER_HPP
/// A restricted reader of Python pickles, for what torch.save writes. It builds plain values and executes nothing: a
/// name outside of `pickle_globals` is refused. Opcodes: CPython, Lib/pickletools.py (protocols 2 to 5).

// ---- silica/checkpoint/pickle_machine.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_PICKLE_MACHINE_HPP
#define SILICA_SINGLE_CHECKPOINT_PICKLE_MACHINE_HPP
/// The machine that a Python pickle is a program for: a stack, marks on it, a memo, and the bytes still to come. It
/// knows no opcodes; unpickler.hpp does. Memory and depth are bounded whatever the program is.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace silica::checkpoint {

/// Thrown when the bytes end before the pickle does: more of the file may help.
struct PickleCutShort {};

namespace detail {

class PickleMachine {
protected:
    using Kind = PickleValue::Kind;
    PickleMachine(std::string_view data, const std::string& source, const std::string& remedy)
        : data_(data), source_(source), remedy_(remedy) {}

    // Far above what real checkpoints have (about 90 MB for 100,000 tensors), so that a hostile file costs little.
    static constexpr std::size_t most_memory = std::size_t{128} << 20U, deepest_stack = 1'000'000;

    std::string_view take(std::size_t n) {
        if (n > data_.size() - at_) throw PickleCutShort{};
        return data_.substr(std::exchange(at_, at_ + n), n);
    }

    std::uint64_t raw(std::size_t width) {
        const auto field = take(width);
        std::uint64_t value = 0;
        for (std::size_t i = width; i-- > 0;) value = value << 8U | static_cast<unsigned char>(field[i]);
        return value;
    }
    std::int64_t number(std::size_t width) { return static_cast<std::int64_t>(raw(width)); }

    std::size_t length(std::size_t width) {
        const std::uint64_t n = raw(width);
        if (n > data_.size() - at_) throw PickleCutShort{};
        return static_cast<std::size_t>(n);
    }

    void long1() {
        const auto field = take(length(1));
        if (field.size() > 8) malformed("an integer of " + bytes(field.size()));
        const bool negative = !field.empty() && (static_cast<unsigned char>(field.back()) & 0x80U) != 0;
        std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
        for (std::size_t i = field.size(); i-- > 0;) value = value << 8U | static_cast<unsigned char>(field[i]);
        push({Kind::integer, static_cast<std::int64_t>(value)});
    }

    void limit(std::size_t n) const {
        if (n > deepest_stack) malformed("a stack deeper than a million");
    }
    void push(PickleValue value) {
        limit(stack_.size());
        stack_.push_back(value);
    }

    void charge(std::size_t nbytes) {
        memory_ += nbytes;
        if (memory_ > most_memory) malformed("values that need more than 128 MB");
    }

    /// Keeps `item` in its table and pushes a reference to it. `parts`: how many numbers or values it holds itself.
    template <class Item>
    void add(Kind kind, std::vector<Item>& all, Item item, std::size_t parts = 0) {
        charge(sizeof(Item) + parts * sizeof(PickleValue));
        all.push_back(std::move(item));
        push({kind, static_cast<std::int64_t>(all.size() - 1)});
    }
    void text(std::size_t n) { add(Kind::text, out_.texts, take(n)); }
    void sequence(Kind kind, std::vector<PickleValue> items) {
        if (kind == Kind::dict && items.size() % 2 != 0) malformed("a key without a value");
        const std::size_t n = items.size();
        add(kind, out_.sequences, std::move(items), n);
    }

    [[nodiscard]] std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

    PickleValue& top() {
        if (stack_.size() <= floor()) malformed("nothing on its stack where a value is needed");
        return stack_.back();
    }
    PickleValue pop() {
        const PickleValue value = top();
        stack_.pop_back();
        return value;
    }
    std::vector<PickleValue> pop(std::size_t n) {
        std::vector<PickleValue> items(n);
        while (n-- > 0) items[n] = pop();
        return items;
    }
    std::vector<PickleValue> pop_mark() {
        if (marks_.empty()) malformed("no MARK where one is needed");
        const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
        std::vector<PickleValue> items(begin, stack_.end());
        stack_.erase(begin, stack_.end());
        marks_.pop_back();
        return items;
    }

    /// Appends to the list or dictionary on top.
    void extend(Kind kind, const std::vector<PickleValue>& items) {
        if (top().kind != kind) malformed("items for something that is no list or dictionary");
        if (kind == Kind::dict && items.size() % 2 != 0) malformed("a key without a value");
        charge(items.size() * sizeof(PickleValue));
        auto& into = out_.sequences[static_cast<std::size_t>(top().number)];
        into.insert(into.end(), items.begin(), items.end());
    }

    void keep(std::int64_t index) {
        if (memo_.insert_or_assign(index, top()).second) charge(64);
    }
    void recall(std::int64_t index) {
        const auto at = memo_.find(index);
        if (at == memo_.end()) malformed("a reference to a value that was never kept");
        push(at->second);
    }

    const PickleValue& expect(const PickleValue& value, Kind one, Kind other) const {
        if (value.kind != one && value.kind != other) malformed("an argument of the wrong type");
        return value;
    }

    [[noreturn]] void malformed(const std::string& what) const {
        throw CheckpointError(source_ + " has, at byte " + std::to_string(at_) + " of its pickle, " + what + ".",
                              remedy_);
    }

    std::string_view data_;
    const std::string &source_, &remedy_;
    std::size_t at_ = 0, memory_ = 0;
    std::vector<PickleValue> stack_;
    std::vector<std::size_t> marks_;
    std::unordered_map<std::int64_t, PickleValue> memo_;
    Pickle out_;
};

}  // namespace detail

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_PICKLE_MACHINE_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::checkpoint {

namespace detail {

class Unpickler : PickleMachine {
public:
    Unpickler(std::string_view data, const std::string& source, const std::string& remedy)
        : PickleMachine(data, source, remedy) {}

    [[nodiscard]] Pickle run() && {
        while (step(static_cast<unsigned char>(take(1)[0]))) {
        }
        if (stack_.size() != 1 || !marks_.empty())
            malformed("a stack of " + std::to_string(stack_.size()) + " at its end");
        out_.root = stack_.back();
        out_.nbytes = at_;
        return std::move(out_);
    }

private:
    /// Executes one opcode; false for STOP.
    bool step(unsigned opcode) {
        // clang-format off
        switch (opcode) {
            case 0x80: take(1); break;                                                     // PROTO
            case 0x95: take(8); break;                                                     // FRAME
            case '.': return false;                                                        // STOP
            case '(': limit(marks_.size()); marks_.push_back(stack_.size()); break;        // MARK
            case '0': static_cast<void>(pop()); break;                                     // POP
            case '1': static_cast<void>(pop_mark()); break;                                // POP_MARK
            case 'N': push({}); break;                                                     // NONE
            case 0x88: push({Kind::boolean, 1}); break;                                    // NEWTRUE
            case 0x89: push({Kind::boolean, 0}); break;                                    // NEWFALSE
            case 'K': push({Kind::integer, number(1)}); break;                             // BININT1
            case 'M': push({Kind::integer, number(2)}); break;                             // BININT2
            case 'J': push({Kind::integer, static_cast<std::int32_t>(number(4))}); break;  // BININT
            case 0x8a: long1(); break;                                                     // LONG1
            case 'G': take(8); push({Kind::real, 0}); break;                               // BINFLOAT
            case 'U': case 'C': case 0x8c: text(length(1)); break;   // SHORT_BINSTRING, _BINBYTES, _BINUNICODE
            case 'T': case 'B': case 'X': text(length(4)); break;    // BINSTRING, BINBYTES, BINUNICODE
            case 0x8e: case 0x8d: text(length(8)); break;            // BINBYTES8, BINUNICODE8
            case ')': sequence(Kind::tuple, {}); break;                                    // EMPTY_TUPLE
            case ']': sequence(Kind::list, {}); break;                                     // EMPTY_LIST
            case '}': sequence(Kind::dict, {}); break;                                     // EMPTY_DICT
            case 0x85: case 0x86: case 0x87: sequence(Kind::tuple, pop(opcode - 0x84)); break;  // TUPLE1, 2, 3
            case 't': sequence(Kind::tuple, pop_mark()); break;                            // TUPLE
            case 'l': sequence(Kind::list, pop_mark()); break;                             // LIST
            case 'd': sequence(Kind::dict, pop_mark()); break;                             // DICT
            case 'a': extend(Kind::list, pop(1)); break;                                   // APPEND
            case 'e': extend(Kind::list, pop_mark()); break;                               // APPENDS
            case 's': extend(Kind::dict, pop(2)); break;                                   // SETITEM
            case 'u': extend(Kind::dict, pop_mark()); break;                               // SETITEMS
            case 'c': global_line(); break;                                                // GLOBAL
            case 0x93: stack_global(); break;                                              // STACK_GLOBAL
            case 'R': call(); break;                                                       // REDUCE
            case 'b': build(); break;                                                      // BUILD
            case 'Q': storage(); break;                                                    // BINPERSID
            case 'q': keep(number(1)); break;                                              // BINPUT
            case 'r': keep(number(4)); break;                                              // LONG_BINPUT
            case 0x94: keep(static_cast<std::int64_t>(memo_.size())); break;               // MEMOIZE
            case 'h': recall(number(1)); break;                                            // BINGET
            case 'j': recall(number(4)); break;                                            // LONG_BINGET
            default: malformed("opcode " + std::to_string(opcode) + ", which tensors do not need");
        }
        // clang-format on
        return true;
    }

    std::string_view line() {
        const auto end = data_.find('\n', at_);
        if (end == std::string_view::npos) {
            if (data_.size() - at_ > 1000) malformed("a name of more than 1000 bytes");
            throw PickleCutShort{};
        }
        const auto text = take(end - at_);
        take(1);
        return text;
    }
    void global_line() {
        const auto module = line();
        global(module, line());
    }
    void stack_global() {
        const auto names = pop(2);
        if (names[0].kind != Kind::text || names[1].kind != Kind::text) malformed("a name that is not text");
        global(out_.text(names[0]), out_.text(names[1]));
    }
    void global(std::string_view module, std::string_view name) {
        for (std::size_t i = 0; i < pickle_globals.size(); ++i)
            if (pickle_globals[i].module == module && pickle_globals[i].name == name)
                return push({Kind::global, static_cast<std::int64_t>(i)});
        throw CheckpointError(source_ + " asks for the Python object " +
                                  quote(std::string(module) + "." + std::string(name)) +
                                  ", which is no part of a tensor; nothing was executed.",
                              remedy_);
    }
    const PickleGlobal& global_of(const PickleValue& value) const {
        if (value.kind != Kind::global) malformed("a call of something that is no function");
        return pickle_globals[static_cast<std::size_t>(value.number)];
    }

    void call() {
        const auto operands = pop(2);
        const auto& function = global_of(operands[0]);
        if (operands[1].kind != Kind::tuple) malformed("a call whose arguments are no tuple");
        if (out_.items(operands[1]).size() > 7) malformed("a call with more than 7 arguments");
        const auto args = out_.items(operands[1]);  // a copy: the table may move
        switch (function.meaning) {
            case PickleGlobal::Meaning::ordered_dict:
                return ordered_dict(args);
            case PickleGlobal::Meaning::size:
                if (args.size() != 1) malformed("a torch.Size of " + std::to_string(args.size()) + " arguments");
                return sequence(Kind::tuple, out_.items(expect(args[0], Kind::tuple, Kind::list)));
            case PickleGlobal::Meaning::parameter:
                if (args.size() != 3) malformed("a parameter of " + std::to_string(args.size()) + " arguments");
                return push(expect(args[0], Kind::tensor, Kind::tensor));
            case PickleGlobal::Meaning::tensor:
                return tensor(args);
            case PickleGlobal::Meaning::storage:
                malformed("a call of a storage type");
        }
    }

    /// OrderedDict() or OrderedDict([(key, value), ...]).
    void ordered_dict(const std::vector<PickleValue>& args) {
        std::vector<PickleValue> items;
        if (args.size() > 1) malformed("an OrderedDict of " + std::to_string(args.size()) + " arguments");
        if (args.size() == 1) {
            for (const auto& item : out_.items(expect(args[0], Kind::list, Kind::tuple))) {
                const auto& pair = out_.items(expect(item, Kind::list, Kind::tuple));
                if (pair.size() != 2) malformed("an OrderedDict item that is no pair");
                items.insert(items.end(), pair.begin(), pair.end());
            }
        }
        sequence(Kind::dict, std::move(items));
    }

    /// _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks, metadata = None).
    void tensor(const std::vector<PickleValue>& args) {
        if (args.size() < 6 || args.size() > 7) malformed("a tensor of " + std::to_string(args.size()) + " arguments");
        if (args.size() == 7 && args[6].kind != Kind::none &&
            !(args[6].kind == Kind::dict && out_.items(args[6]).empty()))
            malformed("a conjugated, negated or otherwise marked tensor");
        PickleTensor found;
        found.storage = static_cast<std::size_t>(expect(args[0], Kind::storage, Kind::storage).number);
        found.offset = expect(args[1], Kind::integer, Kind::integer).number;
        found.shape = integers(args[2]);
        found.strides = integers(args[3]);
        if (found.shape.size() != found.strides.size()) malformed("a tensor with more sizes than strides, or fewer");
        const std::size_t parts = found.shape.size();
        add(Kind::tensor, out_.tensors, std::move(found), parts);
    }
    std::vector<std::int64_t> integers(const PickleValue& value) const {
        const auto& items = out_.items(expect(value, Kind::tuple, Kind::list));
        if (items.size() > 64) malformed("a tensor of more than 64 dimensions");
        std::vector<std::int64_t> numbers;
        for (const auto& item : items) numbers.push_back(expect(item, Kind::integer, Kind::integer).number);
        return numbers;
    }

    /// Attributes set on an OrderedDict (`_metadata`: versions of modules) do not matter to inference.
    void build() {
        const auto state = pop();
        if (top().kind != Kind::dict || (state.kind != Kind::dict && state.kind != Kind::none))
            malformed("attributes set on something that is no dictionary");
    }

    /// The persistent id ("storage", type, key, location, numel[, None]).
    void storage() {
        const auto id = pop();
        if (id.kind != Kind::tuple) malformed("a storage that is no tuple");
        const auto& args = out_.items(id);
        if (args.size() < 5 || args.size() > 6 || args[0].kind != Kind::text || out_.text(args[0]) != "storage")
            malformed("a storage of unknown form");
        if (args.size() == 6 && args[5].kind != Kind::none)
            malformed("a view of a storage, which torch >= 0.4 does not write");
        const auto& type = global_of(args[1]);
        if (type.meaning != PickleGlobal::Meaning::storage) malformed("a storage whose type is none");
        const auto numel = expect(args[4], Kind::integer, Kind::integer).number;
        if (numel < 0) malformed("a storage of " + std::to_string(numel) + " elements");
        add(Kind::storage, out_.storages,
            PickleStorage{out_.text(expect(args[2], Kind::text, Kind::text)), &type, numel});
    }
};

}  // namespace detail

/// Reads one pickle from the start of `data`. `source` and `remedy` are for errors. CheckpointError for anything
/// unknown or malformed; PickleCutShort when `data` ends too early.
[[nodiscard]] inline Pickle read_pickle(std::string_view data, const std::string& source, const std::string& remedy) {
    return detail::Unpickler(data, source, remedy).run();
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_UNPICKLER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::checkpoint {

/// What a torch file holds: its tensors in the order of their bytes, and the name of its format.
struct TorchContents {
    std::vector<TensorEntry> entries;
    std::string format;
};

/// Whether `file` begins like a zip archive or a pickle. (A safetensors file may begin with 0x80 0x02, but then its
/// header is shorter than 2^32 bytes.)
[[nodiscard]] inline bool is_torch_file(const File& file) {
    const auto start = file.read_text(0, std::min<std::uint64_t>(file.size(), 8));
    if (start.starts_with("PK\x03\x04") || start.starts_with("PK\x05\x06")) return true;
    return start.size() == 8 && start[0] == '\x80' && start[1] >= 1 && start[1] <= 5 &&
           start.substr(4) != std::string_view("\0\0\0\0", 4);
}

namespace detail {

inline constexpr std::uint64_t longest_pickle = std::uint64_t{64} << 20U;

/// How to make a safetensors file of a torch file that is not read here.
[[nodiscard]] inline std::string convert_remedy(const std::filesystem::path& path) {
    return "If you trust the file, convert it: python -c \"import torch, safetensors.torch as s; d = torch.load('" +
           path.string() +
           "', map_location='cpu'); d = d.get('state_dict', d); s.save_file({k: v.clone().contiguous() " +
           "for k, v in d.items() if torch.is_tensor(v)}, 'model.safetensors', {'format': 'pt'})\".";
}

[[noreturn]] inline void refuse_torch(const File& file, const std::string& problem, const std::string& remedy = {}) {
    throw CheckpointError(file.path().string() + " " + problem + ".",
                          remedy.empty() ? fetch_again(file.path()) : remedy);
}

[[nodiscard]] inline TorchContents read_torch_zip(const File& file, std::size_t index) {
    const auto members = read_zip(file);
    const auto ends_in = [&](std::string_view name) {  // the archive's own name is a directory of all members
        return std::find_if(members.begin(), members.end(), [&](const auto& member) {
            return member.first.ends_with(name) && member.first.find('/') == member.first.size() - name.size();
        });
    };
    if (ends_in("/constants.pkl") != members.end())
        refuse_torch(file, "is a TorchScript program, not a file of weights",
                     "Save the weights: torch.save(torch.jit.load(...).state_dict(), 'pytorch_model.bin').");
    const auto pickle_at = ends_in("/data.pkl");
    if (pickle_at == members.end()) refuse_torch(file, "is a zip archive without data.pkl, so not one of torch.save");
    const std::string root = pickle_at->first.substr(0, pickle_at->first.find('/') + 1);
    if (const auto at = members.find(root + "byteorder"); at != members.end()) {
        const auto order = file.read_text(at->second.offset, std::min<std::uint64_t>(at->second.nbytes, 16));
        if (order != "little")
            refuse_torch(file, "has the byte order " + quote(order) + "; this machine needs 'little'",
                         convert_remedy(file.path()));
    }
    const auto& member = pickle_at->second;
    if (member.nbytes > longest_pickle)
        refuse_torch(file, "has a pickle of " + bytes(member.nbytes) + "; at most 67108864 are read",
                     convert_remedy(file.path()));
    const std::string text = file.read_text(member.offset, member.nbytes);
    try {
        const auto pickle = read_pickle(text, file.path().string(), convert_remedy(file.path()));
        const auto place = [&](const PickleStorage& storage) -> ZipMember {
            const auto at = members.find(root + "data/" + std::string(storage.key));
            if (at == members.end()) refuse_torch(file, "lacks the data of storage " + quote(storage.key));
            return at->second;
        };
        return {state_dict(file, index, pickle, place), "torch zip"};
    } catch (const PickleCutShort&) {
        refuse_torch(file, "has a pickle that is cut short");
    }
}

/// The stream of torch < 1.6: a magic number, a protocol number, facts about the machine, the dictionary, the keys of
/// the storages (a pickle each); then, for each key, the number of elements (8 bytes) and the elements.
class LegacyReader {
public:
    LegacyReader(const File& file, std::size_t index) : file_(file), index_(index) {}

    [[nodiscard]] static bool is(const File& file) {
        constexpr std::string_view magic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
        return file.size() >= magic.size() && file.read_text(0, magic.size()) == magic;
    }

    [[nodiscard]] TorchContents read() {
        for (std::uint64_t n = 1U << 20U;; n *= 4) {  // the pickles come first; how long they are only they know
            const std::uint64_t all = std::min<std::uint64_t>(file_.size(), longest_pickle);
            text_ = file_.read_text(0, std::min(n, all));
            try {
                return read_pickles();
            } catch (const PickleCutShort&) {
                if (text_.size() == file_.size()) refuse_torch(file_, "is cut short");
                if (text_.size() == all)
                    refuse_torch(file_, "has a pickle of more than 67108864 bytes", convert_remedy(file_.path()));
            }
        }
    }

private:
    [[nodiscard]] Pickle next() {
        auto pickle =
            read_pickle(std::string_view(text_).substr(at_), file_.path().string(), convert_remedy(file_.path()));
        at_ += pickle.nbytes;
        return pickle;
    }

    [[nodiscard]] TorchContents read_pickles() {
        at_ = 15;  // after the magic number
        const auto protocol = next();
        if (protocol.root.kind != PickleValue::Kind::integer || protocol.root.number != 1001)
            refuse_torch(file_, "is of an unknown version of torch's old format", convert_remedy(file_.path()));
        const auto machine = next();
        if (machine.root.kind == PickleValue::Kind::dict) {
            const auto& items = machine.items(machine.root);
            for (std::size_t i = 0; i + 1 < items.size(); i += 2)
                if (items[i].kind == PickleValue::Kind::text && machine.text(items[i]) == "little_endian" &&
                    items[i + 1].number != 1)
                    refuse_torch(file_, "was written big-endian", convert_remedy(file_.path()));
        }
        const auto pickle = next();
        const auto keys = next();
        const auto places = storages(pickle, keys);
        const auto place = [&](const PickleStorage& storage) -> ZipMember {
            const auto at = places.find(storage.key);
            if (at == places.end()) refuse_torch(file_, "lacks the data of storage " + quote(storage.key));
            return at->second;
        };
        return {state_dict(file_, index_, pickle, place), "torch (before 1.6)"};
    }

    [[nodiscard]] std::map<std::string_view, ZipMember> storages(const Pickle& pickle, const Pickle& keys) const {
        std::map<std::string_view, const PickleStorage*> known;
        for (const auto& storage : pickle.storages) known.emplace(storage.key, &storage);
        std::map<std::string_view, ZipMember> places;
        if (keys.root.kind != PickleValue::Kind::list) refuse_torch(file_, "has no list of storages");
        std::uint64_t at = at_;
        for (const auto& key : keys.items(keys.root)) {
            const auto found = key.kind == PickleValue::Kind::text ? known.find(keys.text(key)) : known.end();
            if (found == known.end()) refuse_torch(file_, "lists a storage that no tensor uses");
            const auto& storage = *found->second;
            const auto count = file_.read_text(at, 8);
            std::uint64_t numel = 0;
            for (std::size_t i = 8; i-- > 0;) numel = numel << 8U | static_cast<unsigned char>(count[i]);
            const std::uint64_t item = at::elementSize(storage.type->dtype);
            if (numel != static_cast<std::uint64_t>(storage.numel) || numel > (file_.size() - at - 8) / item)
                refuse_torch(file_, "has storage " + quote(storage.key) + " of " + std::to_string(numel) +
                                        " elements at byte " + std::to_string(at) +
                                        ", which is not what its tensors need");
            if (!places.emplace(storage.key, ZipMember{at + 8, numel * item}).second)
                refuse_torch(file_, "lists storage " + quote(storage.key) + " twice");
            at += 8 + numel * item;
        }
        return places;
    }

    const File& file_;
    std::size_t index_, at_ = 0;
    std::string text_;
};

}  // namespace detail

/// Reads and checks what a torch file holds; entries get `index` as their file. CheckpointError on anything wrong, and
/// on any Python object but tensors and plain values: nothing is executed.
[[nodiscard]] inline TorchContents read_torch(const File& file, std::size_t index = 0) {
    refuse_impostor(file);
    if (detail::LegacyReader::is(file)) return detail::LegacyReader(file, index).read();
    const auto start = file.read_text(0, std::min<std::uint64_t>(file.size(), 4));
    if (!start.starts_with("PK"))
        detail::refuse_torch(file, "is not a file of torch.save (neither a zip archive nor torch's old format)");
    return detail::read_torch_zip(file, index);
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_TORCH_FILE_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

namespace silica::checkpoint {

/// The tensors of a checkpoint and the open files they lie in. Copies share the files.
class Checkpoint {
public:
    /// Opens a directory (the first of `weight_files` in it) or one file: safetensors, torch, or an index of either.
    /// CheckpointError for anything missing, damaged or dangerous; see `read_safetensors`, `read_torch`, `read_index`.
    [[nodiscard]] static Checkpoint open(const std::filesystem::path& dir_or_file) {
        std::error_code error;
        const bool is_directory = std::filesystem::is_directory(dir_or_file, error);
        const auto path = is_directory ? locate_weights(dir_or_file) : dir_or_file;
        Checkpoint result;
        result.directory_ = is_directory ? dir_or_file : path.parent_path().empty() ? "." : path.parent_path();
        if (path.filename().string().ends_with(".index.json"))
            result.add_shards(path);
        else
            result.format_ = result.add(path);
        result.sort_names();
        return result;
    }

    /// Every tensor, in the order of the files' bytes.
    [[nodiscard]] const std::vector<TensorEntry>& entries() const noexcept { return entries_; }

    /// The tensor of that name as the file spells it; null when there is none.
    [[nodiscard]] const TensorEntry* find(std::string_view name) const noexcept {
        const auto at = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                         [this](std::size_t i, std::string_view n) { return entries_[i].name < n; });
        return at != by_name_.end() && entries_[*at].name == name ? &entries_[*at] : nullptr;
    }

    /// The files, one per shard; TensorEntry::file counts them.
    [[nodiscard]] const std::vector<std::shared_ptr<const File>>& files() const noexcept { return files_; }

    /// The file that holds `entry`.
    [[nodiscard]] const File& file_of(const TensorEntry& entry) const { return *files_.at(entry.file); }

    /// The text metadata of safetensors files (`format`, ...); the first shard's where they differ.
    [[nodiscard]] const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }

    /// The bytes of all tensors; those that share bytes (tied weights) are counted once.
    [[nodiscard]] std::uint64_t total_bytes() const {
        std::vector<std::tuple<std::size_t, std::uint64_t, std::uint64_t>> spans;
        spans.reserve(entries_.size());
        for (const auto& entry : entries_) spans.emplace_back(entry.file, entry.offset, entry.offset + entry.nbytes);
        std::sort(spans.begin(), spans.end());
        std::uint64_t total = 0, reached = 0;
        std::size_t file = 0;
        for (const auto& [in, begin, end] : spans) {
            if (std::exchange(file, in) != in) reached = 0;
            total += std::max(reached, end) - std::max(reached, begin);
            reached = std::max(reached, end);
        }
        return total;
    }

    /// Where config.json and the tokenizer are looked for: the directory of the weights.
    [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

    /// "safetensors", "safetensors, 3 shards", "torch zip", ...
    [[nodiscard]] const std::string& format() const noexcept { return format_; }

private:
    [[nodiscard]] static bool torch_name(const std::filesystem::path& path) {
        const auto extension = path.extension();
        return extension == ".bin" || extension == ".pt" || extension == ".pth" || extension == ".ckpt";
    }

    /// Adds the tensors of one file and returns the name of its format.
    std::string add(const std::filesystem::path& path) {
        auto file = File::open(path);
        std::string format = "safetensors";
        if (torch_name(path) || (path.extension() != ".safetensors" && is_torch_file(*file))) {
            auto found = read_torch(*file, files_.size());
            std::move(found.entries.begin(), found.entries.end(), std::back_inserter(entries_));
            format = found.format;
        } else {
            auto found = read_safetensors(*file, files_.size());
            std::move(found.entries.begin(), found.entries.end(), std::back_inserter(entries_));
            metadata_.merge(found.metadata);
        }
        files_.push_back(std::move(file));
        return format;
    }

    /// Adds all shards of an index. A tensor that a shard holds and the index does not name is taken as found; one that
    /// two shards hold is taken from the shard the index names.
    void add_shards(const std::filesystem::path& path) {
        const Index index = read_index(path);
        if (const auto missing = missing_shards(index, directory_); !missing.empty())
            fail_missing(path, index, missing);
        for (const auto& shard : index.shards) {
            format_ = add(directory_ / shard);
            std::erase_if(entries_, [&](const TensorEntry& entry) {  // the index puts it elsewhere
                if (entry.file + 1 != files_.size()) return false;
                const auto at = index.weight_map.find(entry.name);
                return at != index.weight_map.end() && at->second != shard;
            });
        }
        format_ += ", " + std::to_string(index.shards.size()) + (index.shards.size() == 1 ? " shard" : " shards");
        sort_names();
        for (const auto& [name, shard] : index.weight_map)
            if (find(name) == nullptr)
                throw CheckpointError(
                    path.string() + " puts tensor " + quote(name) + " in " + shard + ", which does not hold it.",
                    fetch_again(directory_ / shard));
    }

    void sort_names() {
        by_name_.resize(entries_.size());
        for (std::size_t i = 0; i < by_name_.size(); ++i) by_name_[i] = i;
        const auto less = [this](std::size_t a, std::size_t b) { return entries_[a].name < entries_[b].name; };
        std::sort(by_name_.begin(), by_name_.end(), less);
        const auto twice = std::adjacent_find(by_name_.begin(), by_name_.end(), [this](std::size_t a, std::size_t b) {
            return entries_[a].name == entries_[b].name;
        });
        if (twice != by_name_.end())
            throw CheckpointError("Both " + file_of(entries_[twice[0]]).path().string() + " and " +
                                      file_of(entries_[twice[1]]).path().string() + " hold a tensor " +
                                      quote(entries_[*twice].name) + ", and the index names neither.",
                                  "Remove the file that does not belong to the checkpoint, or save it again.");
    }

    [[noreturn]] void fail_missing(const std::filesystem::path& path, const Index& index,
                                   const std::vector<std::string>& missing) const {
        std::string names;
        for (std::size_t i = 0; i < missing.size() && i < 8; ++i) names += (i == 0 ? "" : " ") + missing[i];
        const auto origin = origin_of(path);
        throw CheckpointError(
            path.string() + " names " + std::to_string(index.shards.size()) + " files, of which " +
                std::to_string(missing.size()) + (missing.size() == 1 ? " is" : " are") + " missing: " + names +
                (missing.size() > 8 ? " ..." : "") + ".",
            origin ? "Run `" + download_line(origin->repo, origin->revision, missing.size() > 8 ? "" : names) + "`."
                   : "Copy or download these files too, beside the index.");
    }

    std::filesystem::path directory_;
    std::string format_;
    std::vector<TensorEntry> entries_;
    std::vector<std::size_t> by_name_;  // indexes of entries_, sorted by name
    std::vector<std::shared_ptr<const File>> files_;
    std::map<std::string, std::string> metadata_;
};

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_CHECKPOINT_HPP
// ---- silica/checkpoint/config.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_CONFIG_HPP
#define SILICA_SINGLE_CHECKPOINT_CONFIG_HPP
/// Reads config.json.

#include <filesystem>
#include <string>
#include <string_view>

namespace silica::checkpoint {

/// The document in `directory / name`. ConfigError when it is missing, unreadable or not JSON.
inline Json read_json_document(const std::filesystem::path& directory, std::string_view name) {
    const auto path = directory / name;
    std::string text;
    try {
        const auto file = File::open(path);
        constexpr std::uint64_t longest = std::uint64_t{256} << 20;
        if (file->size() > longest) {
            throw ConfigError(path.string() + " is " + bytes(file->size()) + " long, which is no configuration.",
                              "download it again.");
        }
        text = file->read_text(0, file->size());
    } catch (const CheckpointError& e) {
        throw ConfigError(e.problem(), e.remedy());
    }
    return Json::parse(text, path.string());
}

/// The same for a file that must hold an object.
inline Json read_json_file(const std::filesystem::path& directory, std::string_view name) {
    Json json = read_json_document(directory, name);
    if (!json.is_object()) {
        throw ConfigError((directory / name).string() + " is not a JSON object.", "download the file again.");
    }
    return json;
}

/// The configuration of `Arch` in `directory / "config.json"`, checked. A file without `model_type` is taken to be of
/// the family that is asked for (old checkpoints leave it out).
template <class Arch>
typename Arch::Config read_config(const std::filesystem::path& directory) {
    const Json json = read_json_file(directory, "config.json");
    const auto file = (directory / "config.json").string();
    if (const Json* type = json.find("model_type"); type != nullptr && !type->is_null()) {
        if (!type->is_string() || type->string() != Arch::family) {
            throw ConfigError(file + ": model_type is " + type->brief() + ", not '" + std::string(Arch::family) + "'.",
                              "open this checkpoint with the architecture of its family.");
        }
    }
    typename Arch::Config config;
    read_json(config, json, file + ":");
    Arch::check(config, file);
    return config;
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_CONFIG_HPP
// ---- silica/checkpoint/hub.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_HUB_HPP
#define SILICA_SINGLE_CHECKPOINT_HUB_HPP
/// Finds a checkpoint: a directory, or a repository of the hub in the local cache. Nothing is downloaded.
///
/// The cache is laid out as in https://huggingface.co/docs/hub/local-cache, and found by the rule of huggingface_hub:
/// $HF_HUB_CACHE, else $HUGGINGFACE_HUB_CACHE, else hub/ in $HF_HOME, else in $XDG_CACHE_HOME/huggingface, else in
/// ~/.cache/huggingface.

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace silica::checkpoint {

/// A repository and revision as users write them: "org/name", "name", "org/name@revision".
struct RepoName {
    std::string repo;
    std::string revision;  ///< empty: not asked for, "main"
};

namespace detail {

/// A variable of the environment; an empty one counts as absent.
[[nodiscard]] inline std::optional<std::string> environment(const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

/// `path` with a leading "~" replaced by the home directory.
[[nodiscard]] inline std::filesystem::path expand_home(std::string_view path) {
    if (path == "~" || path.starts_with("~/"))
        if (const auto home = environment("HOME"))
            return std::filesystem::path(*home) / std::string(path.substr(std::min<std::size_t>(path.size(), 2)));
    return std::string(path);
}

[[nodiscard]] inline bool word(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// One half of a repository name, by the rules of huggingface_hub.
[[nodiscard]] inline bool repo_part(std::string_view part) {
    return !part.empty() && part.size() <= 96 && word(part.front()) && word(part.back()) &&
           std::all_of(part.begin(), part.end(), [](char c) { return word(c) || c == '-' || c == '.'; }) &&
           part.find("..") == std::string_view::npos && part.find("--") == std::string_view::npos &&
           !part.ends_with(".git");
}

/// A branch, tag, commit or "refs/pr/7": no way out of the cache.
[[nodiscard]] inline bool revision_name(std::string_view revision) {
    if (revision.empty() || revision.size() > 200 || revision.front() == '/' || revision.back() == '/') return false;
    if (revision.front() == '-' || revision.front() == '.') return false;
    if (revision.find("..") != std::string_view::npos || revision.find("//") != std::string_view::npos) return false;
    if (revision.find("/.") != std::string_view::npos) return false;
    return std::all_of(revision.begin(), revision.end(),
                       [](char c) { return word(c) || c == '-' || c == '.' || c == '/' || c == '+'; });
}

/// The names of the refs (or snapshots) below `directory`, for errors: "main, refs/pr/3".
[[nodiscard]] inline std::string names_below(const std::filesystem::path& directory) {
    std::vector<std::string> names;
    std::error_code error;
    std::filesystem::recursive_directory_iterator at(directory, error), end;
    for (; !error && at != end && names.size() < 20; at.increment(error))
        if (at->is_regular_file(error)) names.push_back(at->path().lexically_relative(directory).generic_string());
    std::sort(names.begin(), names.end());
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

}  // namespace detail

/// The directory of the hub cache, whether it exists or not.
[[nodiscard]] inline std::filesystem::path hub_cache() {
    for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
        if (const auto value = detail::environment(name)) return detail::expand_home(*value);
    if (const auto home = detail::environment("HF_HOME")) return detail::expand_home(*home) / "hub";
    if (const auto xdg = detail::environment("XDG_CACHE_HOME"))
        return std::filesystem::path(*xdg) / "huggingface" / "hub";
    return detail::expand_home("~/.cache/huggingface/hub");
}

/// Splits "org/name@revision"; nothing when it is not the name of a repository.
[[nodiscard]] inline std::optional<RepoName> repo_name(std::string_view text) {
    const auto at = text.find('@');
    const auto repo = text.substr(0, at);
    const auto slash = repo.find('/');
    const bool good = slash == std::string_view::npos
                          ? detail::repo_part(repo)
                          : detail::repo_part(repo.substr(0, slash)) && detail::repo_part(repo.substr(slash + 1));
    if (!good) return std::nullopt;
    if (at == std::string_view::npos) return RepoName{std::string(repo), {}};
    const auto revision = text.substr(at + 1);
    if (!detail::revision_name(revision)) return std::nullopt;
    return RepoName{std::string(repo), std::string(revision)};
}

/// The snapshot of `name` in the hub cache. CheckpointError with the `hf download` line when it is not there.
[[nodiscard]] inline std::filesystem::path hub_snapshot(const RepoName& name) {
    const auto cache = hub_cache();
    std::string folder = "models--" + name.repo;
    if (const auto slash = folder.find('/'); slash != std::string::npos) folder.replace(slash, 1, "--");
    const auto repo = cache / folder;
    const std::string remedy = "Run `" + download_line(name.repo, name.revision) + "`.";
    std::error_code error;
    if (!std::filesystem::is_directory(repo, error))
        throw CheckpointError(name.repo + " is neither a directory here nor in the hub cache " + cache.string() + ".",
                              remedy);
    const std::string revision = name.revision.empty() ? "main" : name.revision;
    std::string commit = revision;
    if (const auto ref = repo / "refs" / revision; std::filesystem::is_regular_file(ref, error)) {
        const auto file = File::open(ref);
        commit = file->read_text(0, std::min<std::uint64_t>(file->size(), 256));
        while (!commit.empty() && (commit.back() == '\n' || commit.back() == '\r' || commit.back() == ' '))
            commit.pop_back();
        if (!detail::revision_name(commit) || commit.find('/') != std::string::npos)
            throw CheckpointError(ref.string() + " should hold the name of a commit, but holds " + quote(commit) + ".",
                                  remedy);
    }
    const auto snapshot = repo / "snapshots" / commit;
    if (commit.find('/') == std::string::npos && std::filesystem::is_directory(snapshot, error)) return snapshot;
    const std::string refs = detail::names_below(repo / "refs");
    throw CheckpointError("The hub cache has " + name.repo + ", but not its revision " + quote(revision) +
                              (refs.empty() ? "" : " (it has " + refs + ")") + ": looked for " + snapshot.string() +
                              ".",
                          remedy);
}

/// What the caller of `resolve` will read.
enum class Need {
    directory,  ///< any file: a tokenizer, a config
    model,      ///< config.json and weights
};

/// The directory of a model: `dir_or_repo` itself when that exists (a file of weights may be named, too), else the
/// snapshot of "org/name" or "org/name@revision" in the hub cache, checked for the files that `need` asks for.
[[nodiscard]] inline std::filesystem::path resolve(std::string_view dir_or_repo, Need need = Need::model) {
    const auto path = detail::expand_home(dir_or_repo);
    std::error_code error;
    if (!dir_or_repo.empty() && std::filesystem::exists(path, error)) return path;
    const auto name = repo_name(dir_or_repo);
    if (!name)
        throw CheckpointError(
            "There is no directory " + quote(dir_or_repo) + ", and it is not the name of a repository of the hub.",
            "Name an existing directory, or a repository as org/name or org/name@revision.");
    const auto snapshot = hub_snapshot(*name);
    if (need == Need::directory) return snapshot;
    const auto lacks = [&](const std::string& what, const std::string& files) {
        throw CheckpointError(
            "The hub cache has only a part of " + name->repo + ": " + snapshot.string() + " has no " + what + ".",
            "Run `" + download_line(name->repo, name->revision, files) + "`.");
    };
    if (!std::filesystem::exists(snapshot / "config.json", error)) lacks("config.json", "config.json");
    static_cast<void>(locate_weights(snapshot));
    return snapshot;
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_HUB_HPP
// ---- silica/checkpoint/read.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_READ_HPP
#define SILICA_SINGLE_CHECKPOINT_READ_HPP
/// One tensor of a checkpoint as an ordinary CPU tensor: for tools, reference files and tests. Models load with
/// `loader/`.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace silica::checkpoint {

/// The elements of `entry`, copied from `file`, contiguous, in the type of the file.
/// CheckpointError when LibTorch has no such type or the file has changed.
[[nodiscard]] inline Tensor read_tensor(const File& file, const TensorEntry& entry) {
    if (entry.dtype == at::ScalarType::Undefined)
        throw CheckpointError("Tensor " + quote(entry.name) + " in " + file.path().string() + " is of type " +
                                  entry.dtype_name + ", which LibTorch cannot hold.",
                              "Use a checkpoint in float32, float16 or bfloat16.");
    const auto options = at::TensorOptions().dtype(entry.dtype);
    const bool contiguous = entry.contiguous();
    const auto item = static_cast<std::uint64_t>(at::elementSize(entry.dtype));
    Tensor out = contiguous ? at::empty(entry.shape, options)
                            : at::empty({static_cast<std::int64_t>(entry.nbytes / item)}, options);
    auto* const data = static_cast<std::byte*>(out.mutable_data_ptr());
    file.read(entry.offset, {data, static_cast<std::size_t>(entry.nbytes)});
    if (entry.dtype == at::kBool)  // any byte but 0 is true, in C++ only 1 is
        for (std::size_t i = 0; i < entry.nbytes; ++i) data[i] = std::byte{data[i] != std::byte{0}};
    return contiguous ? out : out.as_strided(entry.shape, entry.strides).contiguous();
}

/// The tensor of that name. CheckpointError when there is none.
[[nodiscard]] inline Tensor read_tensor(const Checkpoint& checkpoint, std::string_view name) {
    const auto* entry = checkpoint.find(name);
    if (entry == nullptr)
        throw CheckpointError("There is no tensor " + quote(name) + " in " + checkpoint.directory().string() + ".",
                              "Check the name; the names are in Checkpoint::entries().");
    return read_tensor(checkpoint.file_of(*entry), *entry);
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_READ_HPP
// ---- silica/checkpoint/write_safetensors.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_WRITE_SAFETENSORS_HPP
#define SILICA_SINGLE_CHECKPOINT_WRITE_SAFETENSORS_HPP
/// Writes safetensors files: for tests, tools and reference outputs.

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace silica::checkpoint {

/// Tensors with their names, in any order.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

namespace detail {

/// `text` as a JSON string.
[[nodiscard]] inline std::string json_string(std::string_view text) {
    constexpr std::string_view hex = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20) {
            out += "\\u00";
            out += hex[byte >> 4U];
            out += hex[byte & 0xfU];
            continue;
        }
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

/// A file that appears under its name when all of it is written, and not at all otherwise.
class AtomicFile {
public:
    explicit AtomicFile(std::filesystem::path path) : path_(std::move(path)), temporary_(path_) {
        temporary_ += ".part" + std::to_string(::getpid());
        fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (fd_ < 0) fail("Creating " + temporary_.string());
    }
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    ~AtomicFile() {
        if (fd_ < 0) return;
        ::close(fd_);
        ::unlink(temporary_.c_str());
    }

    void write(const void* data, std::size_t nbytes) {
        const auto* at = static_cast<const std::byte*>(data);
        while (nbytes > 0) {
            const auto n = ::write(fd_, at, std::min(nbytes, std::size_t{1} << 30U));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) fail("Writing " + temporary_.string());
            at += n;
            nbytes -= static_cast<std::size_t>(n);
        }
    }

    /// Gives the file its name, in place of whatever has it.
    void commit() {
        if (::fsync(fd_) != 0) fail("Writing " + temporary_.string());
        if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("Renaming " + temporary_.string());
        ::close(std::exchange(fd_, -1));
    }

private:
    [[noreturn]] static void fail(const std::string& what) {
        throw CheckpointError(what + " failed: " + std::generic_category().message(errno) + ".",
                              "Check that the directory exists, that you may write there, and that the disk has room.");
    }

    std::filesystem::path path_, temporary_;
    int fd_ = -1;
};

[[nodiscard]] inline std::string_view format_name(const std::string& name, at::ScalarType type) {
    for (const auto& dtype : format_dtypes)
        if (dtype.dtype == type && type != at::ScalarType::Undefined) return dtype.name;
    throw InputError("Tensor " + quote(name) + " is of type " + at::toString(type) + ", which safetensors cannot hold.",
                     "Convert it before it is written.");
}

}  // namespace detail

/// Writes `tensors` (of any device and strides) and text `metadata` to `path`, by way of a temporary file beside it.
/// InputError for a name that occurs twice or is not UTF-8, CheckpointError when the disk fails.
inline void write_safetensors(const std::filesystem::path& path, NamedTensors tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
    // as the reference does: wide elements first, so that every tensor is aligned, then by name
    std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
        const auto x = a.second.element_size(), y = b.second.element_size();
        return x != y ? x > y : a.first < b.first;
    });
    std::map<std::string_view, bool> seen;
    std::string header = "{";
    const auto text = [](std::string_view s) {
        if (first_bad_utf8(s) != s.size())
            throw InputError(quote(s) + " is not UTF-8.", "Use UTF-8 in names and metadata.");
        return detail::json_string(s);
    };
    if (!metadata.empty()) {
        header += "\"__metadata__\":{";
        for (const auto& [key, value] : metadata) {
            if (header.back() != '{') header += ',';
            header += text(key) + ':' + text(value);
        }
        header += '}';
    }
    std::uint64_t end = 0;
    for (auto& [name, tensor] : tensors) {
        if (!seen.emplace(name, true).second || name == "__metadata__")
            throw InputError("Tensor " + quote(name) + " cannot be written: the name is taken.",
                             "Give it another name.");
        tensor = tensor.detach().to(at::kCPU).resolve_conj().resolve_neg().contiguous();
        const std::uint64_t begin = std::exchange(end, end + tensor.nbytes());
        std::string shape;
        for (const auto size : tensor.sizes()) shape += (shape.empty() ? "" : ",") + std::to_string(size);
        if (header.size() > 1) header += ',';
        header += text(name) + ":{\"dtype\":\"" + std::string(detail::format_name(name, tensor.scalar_type())) +
                  "\",\"shape\":[" + shape + "],\"data_offsets\":[" + std::to_string(begin) + ',' +
                  std::to_string(end) + "]}";
    }
    header += '}';
    header.append((8 - header.size() % 8) % 8, ' ');
    unsigned char length[8];
    for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<unsigned char>(header.size() >> (8 * i));
    detail::AtomicFile file(path);
    file.write(length, sizeof length);
    file.write(header.data(), header.size());
    for (const auto& [name, tensor] : tensors) file.write(tensor.const_data_ptr(), tensor.nbytes());
    file.commit();
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_WRITE_SAFETENSORS_HPP
// ---- silica/core/host_alias.hpp
#ifndef SILICA_SINGLE_CORE_HOST_ALIAS_HPP
#define SILICA_SINGLE_CORE_HOST_ALIAS_HPP
/// Memory of a device tensor as the host may write it, where the device shares its memory with the host.

#include <ATen/detail/MPSHooksInterface.h>
#include <ATen/mps/MPSAllocatorInterface.h>
#include <c10/core/Storage.h>

#if __has_include(<torch/headeronly/version.h>)
#include <torch/headeronly/version.h>
#else
#include <torch/version.h>
#endif

namespace silica {

/// A host address of a tensor's first byte; false where there is none. Valid while it lives.
struct HostAlias {
    void* data = nullptr;
    c10::Storage keep = {};
    bool mps = false;

    explicit operator bool() const noexcept { return data != nullptr; }
    /// To be called between writing and the device's first use.
    void flush() const {
        if (mps) at::detail::getMPSHooks().deviceSynchronize();
    }
};

/// The tensor's own memory on the CPU; on MPS the shared buffer behind it (LibTorch 2.13 and newer, where every buffer
/// is shared), once the device has finished with it. `t` is contiguous and starts its storage.
inline HostAlias host_alias(const Tensor& t) {
    if (t.device().is_cpu()) return {t.mutable_data_ptr()};
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 13)
    if (t.device().is_mps()) {
        const auto& hooks = at::detail::getMPSHooks();
        const auto* allocator = dynamic_cast<at::mps::IMPSAllocator*>(hooks.getMPSDeviceAllocator());
        if (allocator == nullptr) return {};
        hooks.deviceSynchronize();  // a recycled buffer may still be in use
        c10::Storage host = allocator->getHostAliasStorage(t.storage());
        void* data = host.mutable_data();
        return {data, std::move(host), true};
    }
#endif
    return {};
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_HOST_ALIAS_HPP
// ---- silica/core/memory.hpp
#ifndef SILICA_SINGLE_CORE_MEMORY_HPP
#define SILICA_SINGLE_CORE_MEMORY_HPP
/// Memory of this process and of the machine, from the operating system.

#include <cstdint>
#include <cstdio>

#if defined(__APPLE__)
#include <mach/mach.h>
#include <sys/sysctl.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace silica {

/// Bytes; 0 where the system does not tell.
struct ProcessMemory {
    std::uint64_t resident = 0;  ///< physical memory of the process now
    std::uint64_t peak = 0;      ///< the most it ever had
    std::uint64_t machine = 0;   ///< physical memory of the machine
};

/// Reads /proc on Linux, Mach on macOS. Mapped pages of files count as resident while they are.
inline ProcessMemory process_memory() {
    ProcessMemory m;
#if defined(__unix__) || defined(__APPLE__)
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
#if defined(__APPLE__)
        m.peak = static_cast<std::uint64_t>(usage.ru_maxrss);  // bytes there, KiB elsewhere
#else
        m.peak = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
#endif
    }
#endif
#if defined(__APPLE__)
    mach_task_basic_info info{};
    mach_msg_type_number_t count = MACH_TASK_BASIC_INFO_COUNT;
    if (task_info(mach_task_self(), MACH_TASK_BASIC_INFO, reinterpret_cast<task_info_t>(&info), &count) ==
        KERN_SUCCESS) {
        m.resident = info.resident_size;
    }
    std::uint64_t bytes = 0;
    std::size_t size = sizeof bytes;
    if (sysctlbyname("hw.memsize", &bytes, &size, nullptr, 0) == 0) m.machine = bytes;
#elif defined(__unix__)
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
        unsigned long long total = 0, resident = 0;
        if (std::fscanf(f, "%llu %llu", &total, &resident) == 2) m.resident = resident * page;
        std::fclose(f);
    }
    m.machine = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * page;
#endif
    return m;
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_MEMORY_HPP
// ---- silica/device/aten/activate.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_ACTIVATE_HPP
#define SILICA_SINGLE_DEVICE_ATEN_ACTIVATE_HPP
/// The activation functions in ATen's terms, for every device whose LibTorch has them.

#include <ATen/ops/clamp.h>
#include <ATen/ops/erf.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/mish.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/tanh.h>

#include <cmath>

namespace silica::device::aten {

struct Activate {
    static Tensor run(const Tensor& x, Activation act) {
        switch (act) {
            case Activation::linear:
                return x;
            case Activation::gelu:
                return at::gelu(x);
            case Activation::gelu_tanh:
                return at::gelu(x, "tanh");
            case Activation::gelu_10:
                return at::clamp(at::gelu(x), -10, 10);
            case Activation::quick_gelu:
                return x * at::sigmoid(1.702 * x);
            case Activation::relu:
                return at::relu(x);
            case Activation::relu2: {
                const Tensor y = at::relu(x);
                return y * y;
            }
            case Activation::relu6:
                return at::clamp(x, 0, 6);
            case Activation::leaky_relu:
                return at::leaky_relu(x);
            case Activation::silu:
                return at::silu(x);
            case Activation::sigmoid:
                return at::sigmoid(x);
            case Activation::tanh:
                return at::tanh(x);
            case Activation::mish:
                return at::mish(x);
            case Activation::laplace:
                return 0.5 * (1.0 + at::erf((x - 0.707107) / (0.282095 * std::sqrt(2.0))));
        }
        return x;
    }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_ACTIVATE_HPP
// ---- silica/device/aten/attention.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_ATTENTION_HPP
#define SILICA_SINGLE_DEVICE_ATEN_ATTENTION_HPP
/// Attention by ATen's scaled_dot_product_attention, which picks a fused kernel where it has one.

#include <ATen/ops/scaled_dot_product_attention.h>

namespace silica::device::aten {

struct Attention {
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, const std::optional<Tensor>& mask, bool causal,
                      double scale) {
        return at::scaled_dot_product_attention(q, k, v, mask, /*dropout_p=*/0.0, causal, scale);
    }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_ATTENTION_HPP
// ---- silica/device/aten/embedding.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_EMBEDDING_HPP
#define SILICA_SINGLE_DEVICE_ATEN_EMBEDDING_HPP
/// Rows of a table that is kept as it is.

#include <ATen/ops/embedding.h>

namespace silica::device::aten {

struct Embedding {
    using Packed = op::Plain;
    static Packed pack(Tensor table, std::optional<Tensor> /*bias*/) { return {std::move(table)}; }
    static Tensor run(const Tensor& ids, const Packed& table) { return at::embedding(table.weight, ids); }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_EMBEDDING_HPP
// ---- silica/device/aten/layer_norm.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_LAYER_NORM_HPP
#define SILICA_SINGLE_DEVICE_ATEN_LAYER_NORM_HPP
/// Layer norm by ATen: statistics in float32 whatever the type of x.

#include <ATen/ops/layer_norm.h>

namespace silica::device::aten {

struct LayerNorm {
    static Tensor run(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
        return at::layer_norm(x, {x.size(-1)}, weight, bias, eps);
    }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_LAYER_NORM_HPP
// ---- silica/device/aten/linear.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_LINEAR_HPP
#define SILICA_SINGLE_DEVICE_ATEN_LINEAR_HPP
/// Linear by ATen on weights that are kept as they are.

#include <ATen/ops/linear.h>

namespace silica::device::aten {

struct Linear {
    using Packed = op::Plain;
    static Packed pack(Tensor weight, std::optional<Tensor> bias) { return {std::move(weight), std::move(bias)}; }
    static Tensor run(const Tensor& x, const Packed& w) { return at::linear(x, w.weight, w.bias); }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_LINEAR_HPP
// ---- silica/device/aten/pool.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_POOL_HPP
#define SILICA_SINGLE_DEVICE_ATEN_POOL_HPP
/// Pooling in ATen's terms, summed in float32.

// ---- silica/op/pool.hpp
#ifndef SILICA_SINGLE_OP_POOL_HPP
#define SILICA_SINGLE_OP_POOL_HPP
/// One vector for a sequence: Reimers and Gurevych 2019, section 3 (mean, first token, max), and its relatives.

#include <array>
#include <utility>

namespace silica {

/// How the vectors of a text's tokens become one. Masked tokens do not count.
enum class Pooling {
    mean,           ///< sum / n
    cls,            ///< the first token's
    max,            ///< the largest of each coordinate
    mean_sqrt_len,  ///< sum / sqrt(n)
    weighted_mean,  ///< sum of (position + 1) h / sum of (position + 1)
    last,           ///< the last token's
};

/// Names as 1_Pooling/config.json of sentence-transformers spells them after "pooling_mode_", or as its value.
inline constexpr std::array<std::pair<std::string_view, Pooling>, 12> pooling_names{{
    {"mean", Pooling::mean},
    {"mean_tokens", Pooling::mean},
    {"cls", Pooling::cls},
    {"cls_token", Pooling::cls},
    {"max", Pooling::max},
    {"max_tokens", Pooling::max},
    {"mean_sqrt_len_tokens", Pooling::mean_sqrt_len},
    {"weightedmean", Pooling::weighted_mean},
    {"weightedmean_tokens", Pooling::weighted_mean},
    {"lasttoken", Pooling::last},
    {"last", Pooling::last},
    {"mean_sqrt_len", Pooling::mean_sqrt_len},
}};
constexpr const auto& enum_names(Pooling) { return pooling_names; }

namespace op {

/// h (batch, tokens, d) and mask (batch, tokens) bool, true = counts, at least one in each row -> (batch, d) float32.
struct Pool {
    static constexpr std::string_view name = "pool";
    using signature = Tensor(const Tensor& h, const Tensor& mask, Pooling how);
};
static_assert(OpTag<Pool>);

}  // namespace op
}  // namespace silica
#endif  // SILICA_SINGLE_OP_POOL_HPP

#include <ATen/ops/amax.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/sum.h>

#include <limits>

namespace silica::device::aten {

struct Pool {
    static Tensor run(const Tensor& h, const Tensor& mask, Pooling how) {
        const Tensor x = h.to(at::kFloat);
        const Tensor weight = mask.to(at::kFloat).unsqueeze(-1);  // (batch, tokens, 1)
        const auto sum = [](const Tensor& t) { return at::sum(t, 1); };
        switch (how) {
            case Pooling::mean:
                return sum(x * weight) / sum(weight);
            case Pooling::mean_sqrt_len:
                return sum(x * weight) / at::sqrt(sum(weight));
            case Pooling::weighted_mean: {
                const Tensor w = weight * at::arange(1, x.size(1) + 1, weight.options()).view({1, -1, 1});
                return sum(x * w) / sum(w);
            }
            case Pooling::max:
                return at::amax(at::where(mask.unsqueeze(-1), x, -std::numeric_limits<float>::infinity()), 1);
            case Pooling::cls:
                return at_token(x, at::argmax(mask.to(at::kFloat), 1));
            case Pooling::last: {
                const Tensor position = at::arange(1, x.size(1) + 1, weight.options()).unsqueeze(0);
                return at_token(x, at::argmax(mask.to(at::kFloat) * position, 1));
            }
        }
        return x;
    }

private:
    /// The vector of one token per row: index (batch) -> (batch, d).
    static Tensor at_token(const Tensor& x, const Tensor& index) {
        return at::gather(x, 1, index.view({-1, 1, 1}).expand({-1, 1, x.size(2)})).squeeze(1);
    }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_POOL_HPP
// ---- silica/device/cpu.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_HPP
#define SILICA_SINGLE_DEVICE_CPU_HPP
/// The CPU: the device every chain ends on.

// ---- silica/precision/bf16.hpp
#ifndef SILICA_SINGLE_PRECISION_BF16_HPP
#define SILICA_SINGLE_PRECISION_BF16_HPP
/// bfloat16: float32 exponent, 8 bits of mantissa; norms and softmax accumulate in float32.

namespace silica::precision {

struct Bf16 {
    static constexpr std::string_view name = "bfloat16";
    static constexpr c10::ScalarType storage = c10::ScalarType::BFloat16, compute = c10::ScalarType::BFloat16,
                                     reduce = c10::ScalarType::Float;
    static constexpr bool quantised = false;
};
static_assert(PrecisionPolicy<Bf16>);

}  // namespace silica::precision
#endif  // SILICA_SINGLE_PRECISION_BF16_HPP
// ---- silica/precision/fp16.hpp
#ifndef SILICA_SINGLE_PRECISION_FP16_HPP
#define SILICA_SINGLE_PRECISION_FP16_HPP
/// IEEE half precision; norms and softmax accumulate in float32.

namespace silica::precision {

struct Fp16 {
    static constexpr std::string_view name = "float16";
    static constexpr c10::ScalarType storage = c10::ScalarType::Half, compute = c10::ScalarType::Half,
                                     reduce = c10::ScalarType::Float;
    static constexpr bool quantised = false;
};
static_assert(PrecisionPolicy<Fp16>);

}  // namespace silica::precision
#endif  // SILICA_SINGLE_PRECISION_FP16_HPP
// ---- silica/precision/fp32.hpp
#ifndef SILICA_SINGLE_PRECISION_FP32_HPP
#define SILICA_SINGLE_PRECISION_FP32_HPP
/// IEEE single precision.

namespace silica::precision {

struct Fp32 {
    static constexpr std::string_view name = "float32";
    static constexpr c10::ScalarType storage = c10::ScalarType::Float, compute = c10::ScalarType::Float,
                                     reduce = c10::ScalarType::Float;
    static constexpr bool quantised = false;
};
static_assert(PrecisionPolicy<Fp32>);

}  // namespace silica::precision
#endif  // SILICA_SINGLE_PRECISION_FP32_HPP

#include <c10/core/CPUAllocator.h>

#include <new>
#include <string>

namespace silica::device {

struct Cpu {
    static constexpr std::string_view name = "cpu";
    static constexpr c10::DeviceType type = c10::DeviceType::CPU;
    using chain = Chain<Cpu>;
    using default_precision = precision::Fp32;

    static Availability available() { return {true}; }
    static void synchronize(c10::DeviceIndex = -1) {}
    static void empty_cache() {}
    /// Memory of this process: resident now and at its peak, of all that the machine has.
    static DeviceMemory memory(c10::DeviceIndex = -1) {
        const auto m = process_memory();
        return {m.machine, m.resident, m.peak};
    }
    static bool is_out_of_memory(const c10::Error& error) {
        const std::string_view text = error.what_without_backtrace();
        return text.find("DefaultCPUAllocator: can't allocate memory") != std::string_view::npos ||
               text.find("DefaultCPUAllocator: not enough memory") != std::string_view::npos;
    }
    static NoLock lock() { return {}; }
};
static_assert(DevicePolicy<Cpu>);

}  // namespace silica::device

// ---- silica/device/cpu/activate.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ACTIVATE_HPP
#define SILICA_SINGLE_DEVICE_CPU_ACTIVATE_HPP
/// Activations on the CPU: ATen's, vectorised and threaded.

namespace silica {

template <>
struct Kernel<op::Activate, device::Cpu> : device::aten::Activate {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_ACTIVATE_HPP
// ---- silica/device/cpu/attention.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ATTENTION_HPP
#define SILICA_SINGLE_DEVICE_CPU_ATTENTION_HPP
/// Attention on the CPU: ATen's flash kernel, which takes strided q, k and v.

namespace silica {

template <>
struct Kernel<op::Attention, device::Cpu> : device::aten::Attention {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_ATTENTION_HPP
// ---- silica/device/cpu/embedding.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_EMBEDDING_HPP
#define SILICA_SINGLE_DEVICE_CPU_EMBEDDING_HPP
/// Embedding on the CPU: the table stays plain, so that a tied decoder can share it.

namespace silica {

template <>
struct Kernel<op::Embedding, device::Cpu> : device::aten::Embedding {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_EMBEDDING_HPP
// ---- silica/device/cpu/gelu.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_GELU_HPP
#define SILICA_SINGLE_DEVICE_CPU_GELU_HPP
/// Exact gelu on the CPU: ATen's, vectorised and threaded.

#include <ATen/ops/gelu.h>

namespace silica {

template <>
struct Kernel<op::Gelu, device::Cpu> {
    static Tensor run(const Tensor& x) { return at::gelu(x); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_GELU_HPP
// ---- silica/device/cpu/layer_norm.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_LAYER_NORM_HPP
#define SILICA_SINGLE_DEVICE_CPU_LAYER_NORM_HPP
/// Layer norm on the CPU: ATen's.

namespace silica {

template <>
struct Kernel<op::LayerNorm, device::Cpu> : device::aten::LayerNorm {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_LAYER_NORM_HPP
// ---- silica/device/cpu/linear.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_LINEAR_HPP
#define SILICA_SINGLE_DEVICE_CPU_LINEAR_HPP
/// Linear on the CPU: oneDNN on packed weights where this LibTorch and processor have it, else ATen on plain ones.

// ---- silica/device/cpu/packed_linear.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_PACKED_LINEAR_HPP
#define SILICA_SINGLE_DEVICE_CPU_PACKED_LINEAR_HPP
/// The weights of Linear on the CPU, and the product with them: what the kernels of linear and its fused forms share.

// ---- silica/device/cpu/onednn.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ONEDNN_HPP
#define SILICA_SINGLE_DEVICE_CPU_ONEDNN_HPP
/// oneDNN's packed linear, where LibTorch carries it (Linux on x86-64).
///
/// LibTorch has no public C++ function for it. Its kernels are exported all the same and are declared here weakly, with
/// their types in their mangled names: a LibTorch without them, or with others, leaves null and the plain kernel is
/// used. (The dispatcher reaches them too, but its headers cost every user a second of compile time.)

#include <ATen/core/List.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <optional>
#include <string_view>

#if defined(__linux__) && defined(__x86_64__)
#include <cpuid.h>

namespace at::native {

[[gnu::weak]] Tensor mkldnn_linear_pointwise(const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
                                             std::string_view attr, c10::List<std::optional<Scalar>> scalars,
                                             std::optional<std::string_view> algorithm);
[[gnu::weak]] Tensor mkldnn_linear_pointwise_binary(const Tensor& x, const Tensor& other, const Tensor& weight,
                                                    const std::optional<Tensor>& bias, std::string_view attr);

}  // namespace at::native

/// LibTorch's stable C interface to every registered op (torch/csrc/inductor/aoti_torch/c/shim.h).
extern "C" [[gnu::weak]] std::int32_t aoti_torch_call_dispatcher(const char* name, const char* overload,
                                                                 std::uint64_t* stack);
#endif

namespace silica::device::onednn {

#if defined(__linux__) && defined(__x86_64__)

/// W (out, in) in oneDNN's blocked layout: opaque, without address or views; `to_dense()` gives W back.
inline Tensor pack(const Tensor& weight) {
    // The interface takes tensors as owning pointers, and an absent `batch_size` as 0.
    std::uint64_t stack[2] = {reinterpret_cast<std::uint64_t>(new Tensor(weight)), 0};
    if (aoti_torch_call_dispatcher("mkldnn::_reorder_linear_weight", "", stack) != 0) {
        TORCH_CHECK(false, "mkldnn::_reorder_linear_weight failed");
    }
    const auto* result = reinterpret_cast<Tensor*>(stack[0]);
    Tensor packed = *result;
    delete result;
    return packed;
}

/// act(x W^T + b) for a packed W. `attr` and `algorithm` in oneDNN's words: "none", "relu", "gelu" with "none" or
/// "tanh".
inline Tensor linear(const Tensor& x, const Tensor& packed, const std::optional<Tensor>& bias,
                     std::string_view attr = "none", std::optional<std::string_view> algorithm = std::nullopt) {
    return at::native::mkldnn_linear_pointwise(x, packed, bias, attr, c10::List<std::optional<at::Scalar>>(),
                                               algorithm);
}

/// x W^T + b + residual for a packed W.
inline Tensor linear_add(const Tensor& x, const Tensor& packed, const std::optional<Tensor>& bias,
                         const Tensor& residual) {
    return at::native::mkldnn_linear_pointwise_binary(x, residual, packed, bias, "add");
}

namespace detail {

/// Leaf 7 of cpuid, bit 23 of edx: without it packing float16 fails with a message on stderr.
inline bool has_avx512_fp16() {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx >> 23U & 1U) != 0;
}

/// Whether this LibTorch and processor pack and multiply this type: found out by doing it once.
inline bool works(c10::ScalarType dtype) {
    if (&at::native::mkldnn_linear_pointwise == nullptr || &at::native::mkldnn_linear_pointwise_binary == nullptr ||
        &aoti_torch_call_dispatcher == nullptr) {
        return false;
    }
    try {
        const Tensor w = at::ones({2, 2}, at::TensorOptions().dtype(dtype));
        const Tensor packed = pack(w);
        return onednn::linear(w, packed, std::nullopt).defined() && packed.to_dense().defined();
    } catch (const c10::Error&) {
        return false;
    }
}

}  // namespace detail

/// Whether weights of this type can be packed here.
inline bool packs(c10::ScalarType dtype) {
    static const bool fp32 = detail::works(c10::ScalarType::Float), bf16 = detail::works(c10::ScalarType::BFloat16),
                      fp16 = detail::has_avx512_fp16() && detail::works(c10::ScalarType::Half);
    switch (dtype) {
        case c10::ScalarType::Float:
            return fp32;
        case c10::ScalarType::BFloat16:
            return bf16;
        case c10::ScalarType::Half:
            return fp16;
        default:
            return false;
    }
}

#else

inline bool packs(c10::ScalarType) { return false; }
inline Tensor pack(const Tensor& weight) { return weight; }
inline Tensor linear(const Tensor& x, const Tensor&, const std::optional<Tensor>&, std::string_view = {},
                     std::optional<std::string_view> = {}) {
    return x;
}
inline Tensor linear_add(const Tensor& x, const Tensor&, const std::optional<Tensor>&, const Tensor&) { return x; }

#endif

}  // namespace silica::device::onednn
#endif  // SILICA_SINGLE_DEVICE_CPU_ONEDNN_HPP

#include <ATen/ops/linear.h>

#include <optional>
#include <utility>

namespace silica::device::cpu {

/// W (out, in), plain or in oneDNN's blocks.
struct PackedLinear {
    Tensor weight;
    std::optional<Tensor> bias;
    bool blocked = false;

    [[nodiscard]] op::Plain unpack() const { return {blocked ? weight.to_dense() : weight, bias}; }

    /// x W^T + b.
    [[nodiscard]] Tensor operator()(const Tensor& x) const {
        return blocked ? onednn::linear(x, weight, bias) : at::linear(x, weight, bias);
    }
};

}  // namespace silica::device::cpu
#endif  // SILICA_SINGLE_DEVICE_CPU_PACKED_LINEAR_HPP

namespace silica {

template <>
struct Kernel<op::Linear, device::Cpu> {
    using Packed = device::cpu::PackedLinear;

    static Packed pack(Tensor weight, std::optional<Tensor> bias) {
        if (!device::onednn::packs(weight.scalar_type()) || weight.numel() == 0) {
            return keep(std::move(weight), std::move(bias));
        }
        return {device::onednn::pack(weight), std::move(bias), true};
    }
    /// For weights that another op reads as well.
    static Packed keep(Tensor weight, std::optional<Tensor> bias) {
        return {std::move(weight), std::move(bias), false};
    }

    static Tensor run(const Tensor& x, const Packed& w) { return w(x); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_LINEAR_HPP
// ---- silica/device/cpu/linear_activation.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_LINEAR_ACTIVATION_HPP
#define SILICA_SINGLE_DEVICE_CPU_LINEAR_ACTIVATION_HPP
/// Linear and activation on the CPU: oneDNN applies the activation to each block of y while it is in cache.

namespace silica {

template <>
struct Kernel<op::LinearActivation, device::Cpu> {
    static Tensor run(const Tensor& x, const device::cpu::PackedLinear& w, Activation act) {
        if (w.blocked) {
            namespace onednn = device::onednn;
            switch (act) {
                case Activation::gelu:
                    return onednn::linear(x, w.weight, w.bias, "gelu", "none");
                case Activation::gelu_tanh:
                    return onednn::linear(x, w.weight, w.bias, "gelu", "tanh");
                case Activation::relu:
                    return onednn::linear(x, w.weight, w.bias, "relu");
                case Activation::silu:
                    return onednn::linear(x, w.weight, w.bias, "swish");
                default:
                    break;
            }
        }
        return device::aten::Activate::run(w(x), act);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_LINEAR_ACTIVATION_HPP
// ---- silica/device/cpu/linear_add.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_LINEAR_ADD_HPP
#define SILICA_SINGLE_DEVICE_CPU_LINEAR_ADD_HPP
/// Linear and residual sum on the CPU: oneDNN adds each block of y while it is in cache.

namespace silica {

template <>
struct Kernel<op::LinearAdd, device::Cpu> {
    static Tensor run(const Tensor& x, const device::cpu::PackedLinear& w, const Tensor& residual) {
        if (w.blocked) return device::onednn::linear_add(x, w.weight, w.bias, residual);
        return w(x) + residual;
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_LINEAR_ADD_HPP
// ---- silica/device/cpu/pool.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_POOL_HPP
#define SILICA_SINGLE_DEVICE_CPU_POOL_HPP
/// Pooling on this device: ATen's.

namespace silica {

template <>
struct Kernel<op::Pool, device::Cpu> : device::aten::Pool {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_POOL_HPP
#endif  // SILICA_SINGLE_DEVICE_CPU_HPP
// ---- silica/device/cuda.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_HPP
#define SILICA_SINGLE_DEVICE_CUDA_HPP
/// NVIDIA GPUs, reached through LibTorch's device-neutral interfaces: no header here needs the CUDA toolkit.

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <string>

namespace silica::device {

struct Cuda {
    static constexpr std::string_view name = "cuda";
    static constexpr c10::DeviceType type = c10::DeviceType::CUDA;
    using chain = Chain<Cuda, Cpu>;
    using default_precision = precision::Bf16;

    static Availability available() {
        if (!c10::impl::hasDeviceGuardImpl(type)) {
            return {false, "this LibTorch is built without CUDA (install a CUDA build of torch)"};
        }
        try {
            if (c10::impl::VirtualGuardImpl(type).deviceCount() > 0) return {true};
        } catch (const c10::Error& e) {
            return {false, std::string("the CUDA driver failed: ") + e.what_without_backtrace()};
        }
        return {false, "no NVIDIA GPU, or no driver that fits (run nvidia-smi)"};
    }
    static void synchronize(c10::DeviceIndex index = 0) {
        c10::impl::VirtualGuardImpl(type).synchronizeDevice(index < 0 ? c10::DeviceIndex{0} : index);
    }
    static void empty_cache() {
        if (auto* a = allocator()) a->emptyCache();
    }
    static DeviceMemory memory(c10::DeviceIndex index = 0) {
        DeviceMemory m;
        auto* a = allocator();
        if (a == nullptr || !a->initialized()) return m;
        const auto stats = a->getDeviceStats(index < 0 ? c10::DeviceIndex{0} : index);
        m.allocated = static_cast<std::uint64_t>(stats.allocated_bytes[0].current);
        m.peak = static_cast<std::uint64_t>(stats.allocated_bytes[0].peak);
        try {
            m.total = a->getMemoryInfo(index < 0 ? c10::DeviceIndex{0} : index).second;
        } catch (const c10::Error&) {  // older LibTorch: total is not told
        }
        return m;
    }
    static bool is_out_of_memory(const c10::Error& error) {
        return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr;
    }
    static NoLock lock() { return {}; }

private:
    static c10::DeviceAllocator* allocator() {
        return c10::impl::hasDeviceGuardImpl(type) ? at::getDeviceAllocator(type) : nullptr;
    }
};
static_assert(DevicePolicy<Cuda>);

}  // namespace silica::device

// ---- silica/device/cuda/activate.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_ACTIVATE_HPP
#define SILICA_SINGLE_DEVICE_CUDA_ACTIVATE_HPP
/// Activations on CUDA: ATen's.

namespace silica {

template <>
struct Kernel<op::Activate, device::Cuda> : device::aten::Activate {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_ACTIVATE_HPP
// ---- silica/device/cuda/attention.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_ATTENTION_HPP
#define SILICA_SINGLE_DEVICE_CUDA_ATTENTION_HPP
/// Attention on CUDA: ATen picks flash, memory-efficient or cuDNN attention.

namespace silica {

template <>
struct Kernel<op::Attention, device::Cuda> : device::aten::Attention {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_ATTENTION_HPP
// ---- silica/device/cuda/embedding.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_EMBEDDING_HPP
#define SILICA_SINGLE_DEVICE_CUDA_EMBEDDING_HPP
/// Embedding on CUDA: ATen's.

namespace silica {

template <>
struct Kernel<op::Embedding, device::Cuda> : device::aten::Embedding {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_EMBEDDING_HPP
// ---- silica/device/cuda/gelu.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_GELU_HPP
#define SILICA_SINGLE_DEVICE_CUDA_GELU_HPP
/// Exact gelu on CUDA: ATen's.

#include <ATen/ops/gelu.h>

namespace silica {

template <>
struct Kernel<op::Gelu, device::Cuda> {
    static Tensor run(const Tensor& x) { return at::gelu(x); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_GELU_HPP
// ---- silica/device/cuda/layer_norm.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_LAYER_NORM_HPP
#define SILICA_SINGLE_DEVICE_CUDA_LAYER_NORM_HPP
/// Layer norm on CUDA: ATen's.

namespace silica {

template <>
struct Kernel<op::LayerNorm, device::Cuda> : device::aten::LayerNorm {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_LAYER_NORM_HPP
// ---- silica/device/cuda/linear.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_LINEAR_HPP
#define SILICA_SINGLE_DEVICE_CUDA_LINEAR_HPP
/// Linear on CUDA: cuBLASLt with the bias in its epilogue, through ATen.

namespace silica {

template <>
struct Kernel<op::Linear, device::Cuda> : device::aten::Linear {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_LINEAR_HPP
// ---- silica/device/cuda/pool.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_POOL_HPP
#define SILICA_SINGLE_DEVICE_CUDA_POOL_HPP
/// Pooling on this device: ATen's.

namespace silica {

template <>
struct Kernel<op::Pool, device::Cuda> : device::aten::Pool {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_POOL_HPP
#endif  // SILICA_SINGLE_DEVICE_CUDA_HPP
// ---- silica/device/mps.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_HPP
#define SILICA_SINGLE_DEVICE_MPS_HPP
/// Apple GPUs through LibTorch's Metal backend.

// ---- silica/device/mps/version.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_VERSION_HPP
#define SILICA_SINGLE_DEVICE_MPS_VERSION_HPP
/// Which LibTorch and which macOS this is: the conditions under which MPS kernels deviate from the plain ATen call.

#include <cstddef>
#include <cstdlib>
#include <string>

#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#if __has_include(<torch/headeronly/version.h>)
#include <torch/headeronly/version.h>
#else
#include <torch/version.h>
#endif

#include <ATen/detail/MPSHooksInterface.h>

namespace silica::device::mps {

/// True when compiled against a LibTorch older than the one named.
constexpr bool libtorch_before(int major, int minor) {
    return TORCH_VERSION_MAJOR < major || (TORCH_VERSION_MAJOR == major && TORCH_VERSION_MINOR < minor);
}

/// True when the running macOS is older than the one named.
inline bool macos_before(unsigned major, unsigned minor = 0) {
    return !at::detail::getMPSHooks().isOnMacOSorNewer(major, minor);
}

/// The macOS version as the system prints it ("15.1"); empty elsewhere.
inline std::string macos_version() {
#if defined(__APPLE__)
    char text[64] = {};
    std::size_t size = sizeof text - 1;
    if (sysctlbyname("kern.osproductversion", text, &size, nullptr, 0) == 0) return text;
#endif
    return {};
}

/// Compares the major number of a version text.
inline bool older(const std::string& version, long major) { return std::strtol(version.c_str(), nullptr, 10) < major; }

}  // namespace silica::device::mps
#endif  // SILICA_SINGLE_DEVICE_MPS_VERSION_HPP

#include <ATen/detail/MPSHooksInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <mutex>
#include <string>

namespace silica::device {

struct Mps {
    static constexpr std::string_view name = "mps";
    static constexpr c10::DeviceType type = c10::DeviceType::MPS;
    using chain = Chain<Mps, Cpu>;
    using default_precision = precision::Fp16;

    static Availability available() {
        if (!c10::impl::hasDeviceGuardImpl(type)) {
            return {false,
                    "this LibTorch is built without Metal (use the macOS arm64 build of torch on an Apple machine)"};
        }
        if (at::detail::getMPSHooks().hasMPS()) return {true};
        const auto found = mps::macos_version();
        if (!found.empty() && mps::older(found, 14)) {
            return {false, "macOS " + found + " is too old, 14.0 or newer is needed"};
        }
        return {false, "no Metal device (a virtual machine, or a sandbox without GPU access)"};
    }
    static void synchronize(c10::DeviceIndex = 0) { at::detail::getMPSHooks().deviceSynchronize(); }
    /// Also clears the cache of compiled graphs, which grows with every new shape (LibTorch 2.13 and newer).
    static void empty_cache() { at::detail::getMPSHooks().emptyCache(); }
    /// `peak` is what the driver holds, caches and graphs included: the backend keeps no other record.
    static DeviceMemory memory(c10::DeviceIndex = 0) {
        if (!available()) return {};
        const auto& hooks = at::detail::getMPSHooks();
        return {hooks.getRecommendedMaxMemory(), hooks.getCurrentAllocatedMemory(), hooks.getDriverAllocatedMemory()};
    }
    /// The backend throws a plain c10::Error, known by its text.
    static bool is_out_of_memory(const c10::Error& error) {
        const std::string_view text = error.what_without_backtrace();
        return text.find("MPS backend out of memory") != std::string_view::npos ||
               text.find("Invalid buffer size") != std::string_view::npos;
    }
    /// Two threads that encode at once crash the command queue (pytorch#197805), so calls take turns.
    static std::unique_lock<std::recursive_mutex> lock() {
        static std::recursive_mutex mutex;
        return std::unique_lock(mutex);
    }
};
static_assert(DevicePolicy<Mps>);

}  // namespace silica::device

namespace silica {

/// Metal has no float64.
template <class Precision>
    requires(Precision::storage == c10::ScalarType::Double || Precision::compute == c10::ScalarType::Double ||
             Precision::reduce == c10::ScalarType::Double)
inline constexpr bool runs_on<Precision, device::Mps> = false;

}  // namespace silica

// ---- silica/device/mps/activate.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_ACTIVATE_HPP
#define SILICA_SINGLE_DEVICE_MPS_ACTIVATE_HPP
/// Activations on MPS. Contiguous input: MPSGraph kernels ignore strides (the largest class of silent MPS errors).

namespace silica {

template <>
struct Kernel<op::Activate, device::Mps> {
    static Tensor run(const Tensor& x, Activation act) { return device::aten::Activate::run(x.contiguous(), act); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_ACTIVATE_HPP
// ---- silica/device/mps/attention.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_ATTENTION_HPP
#define SILICA_SINGLE_DEVICE_MPS_ATTENTION_HPP
/// Attention on MPS, around the faults of `scaled_dot_product_attention` there.

#include <ATen/ops/tril.h>

#include <algorithm>
#include <vector>

namespace silica {

template <>
struct Kernel<op::Attention, device::Mps> {
    /// One NDArray of MPSGraph holds 2^32 bytes; a larger one aborts the process on macOS 14 (pytorch#149261).
    static constexpr std::int64_t max_score_bytes = std::int64_t{1} << 32;

    /// The kernels read v with the head size of q: wrong results where they differ before LibTorch 2.12
    /// (pytorch#176843).
    static bool accepts(const Tensor& q, const Tensor&, const Tensor& v, const std::optional<Tensor>&, bool, double) {
        return !device::mps::libtorch_before(2, 12) || q.size(-1) == v.size(-1);
    }

    /// q, k and v contiguous: permuted ones give wrong results for head sizes from 64 on (pytorch#163597, #181133).
    /// `limit` is the most that a score matrix may have; tests make it small.
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, const std::optional<Tensor>& mask, bool causal,
                      double scale, std::int64_t limit = max_score_bytes) {
        const Tensor qc = q.contiguous(), kc = k.contiguous(), vc = v.contiguous();
        std::optional<Tensor> explicit_mask = mask;
        const auto rows = rows_per_chunk(qc, kc, limit);
        if (causal && (masks_explicitly(q) || rows < q.size(-2))) {
            const auto bools = at::TensorOptions().dtype(at::kBool).device(q.device());
            explicit_mask = at::tril(at::ones({q.size(-2), k.size(-2)}, bools)).unsqueeze(0).unsqueeze(0);
            causal = false;
        }
        if (explicit_mask && expands_mask()) {
            explicit_mask = explicit_mask->expand({q.size(0), q.size(1), q.size(2), k.size(2)}).contiguous();
        }
        if (rows >= q.size(-2)) return device::aten::Attention::run(qc, kc, vc, explicit_mask, causal, scale);
        std::vector<Tensor> parts;
        for (std::int64_t begin = 0; begin < q.size(-2); begin += rows) {
            const auto end = std::min(begin + rows, q.size(-2));
            auto part_mask = explicit_mask;
            if (part_mask && part_mask->size(-2) > 1) part_mask = part_mask->slice(-2, begin, end).contiguous();
            parts.push_back(
                device::aten::Attention::run(qc.slice(-2, begin, end).contiguous(), kc, vc, part_mask, false, scale));
        }
        return at::cat(parts, -2);
    }

    /// In half precision `is_causal` lets later tokens through, in LibTorch from 2.10 on (pytorch#195910). (And a score
    /// matrix that is cut into chunks needs its mask written out.)
    static bool masks_explicitly(const Tensor& q) {
        return !device::mps::libtorch_before(2, 10) && q.scalar_type() != at::kFloat;
    }
    /// A mask that broadcasts gives wrong results before LibTorch 2.13 (pytorch#184180).
    static constexpr bool expands_mask() { return device::mps::libtorch_before(2, 13); }

    /// How many queries keep the float32 score matrix (batch, heads, queries, keys) within one NDArray.
    static std::int64_t rows_per_chunk(const Tensor& q, const Tensor& k, std::int64_t limit) {
        const std::int64_t row = std::max<std::int64_t>(1, q.size(0) * q.size(1) * k.size(2) * 4);
        return std::max<std::int64_t>(1, limit / row);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_ATTENTION_HPP
// ---- silica/device/mps/embedding.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_EMBEDDING_HPP
#define SILICA_SINGLE_DEVICE_MPS_EMBEDDING_HPP
/// Embedding on MPS. Contiguous table and ids: gathers go through MPSGraph, which ignores strides.

namespace silica {

template <>
struct Kernel<op::Embedding, device::Mps> {
    using Packed = op::Plain;
    static Packed pack(Tensor table, std::optional<Tensor>) { return {table.contiguous()}; }
    static Tensor run(const Tensor& ids, const Packed& table) {
        return device::aten::Embedding::run(ids.contiguous(), table);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_EMBEDDING_HPP
// ---- silica/device/mps/gelu.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_GELU_HPP
#define SILICA_SINGLE_DEVICE_MPS_GELU_HPP
/// Exact gelu on MPS. Contiguous input: MPSGraph kernels ignore strides (the largest class of silent MPS errors).

#include <ATen/ops/gelu.h>

namespace silica {

template <>
struct Kernel<op::Gelu, device::Mps> {
    static Tensor run(const Tensor& x) { return at::gelu(x.contiguous()); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_GELU_HPP
// ---- silica/device/mps/layer_norm.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_LAYER_NORM_HPP
#define SILICA_SINGLE_DEVICE_MPS_LAYER_NORM_HPP
/// Layer norm on MPS. Contiguous input: the kernel reads rows by their distance in a contiguous tensor.

namespace silica {

template <>
struct Kernel<op::LayerNorm, device::Mps> {
    static Tensor run(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
        return device::aten::LayerNorm::run(x.contiguous(), weight, bias, eps);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_LAYER_NORM_HPP
// ---- silica/device/mps/linear.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_LINEAR_HPP
#define SILICA_SINGLE_DEVICE_MPS_LINEAR_HPP
/// Linear on MPS, around three faults of `at::linear` there.

#include <ATen/ops/linear.h>

namespace silica {

template <>
struct Kernel<op::Linear, device::Mps> {
    using Packed = op::Plain;

    /// A strided weight gives wrong products (pytorch#161641, LibTorch 2.8): contiguous at load time, always.
    static Packed pack(Tensor weight, std::optional<Tensor> bias) {
        if (bias) bias = bias->contiguous();
        return {weight.contiguous(), std::move(bias)};
    }

    static Tensor run(const Tensor& x, const Packed& w) {
        const Tensor rows = x.contiguous();
        if (flattens(rows, w)) {
            auto shape = rows.sizes().vec();
            shape.back() = w.weight.size(0);
            return at::linear(rows.view({-1, rows.size(-1)}), w.weight, w.bias).view(shape);
        }
        if (adds_bias(rows, w)) return at::linear(rows, w.weight) + *w.bias;
        return at::linear(rows, w.weight, w.bias);
    }

    /// Half precision without bias is not deterministic above two dimensions on M5: LibTorch before 2.13
    /// (pytorch#180776).
    static bool flattens(const Tensor& x, const Packed& w) {
        return device::mps::libtorch_before(2, 13) && !w.bias && x.dim() > 2 && x.scalar_type() != at::kFloat;
    }
    /// The bias is lost for a single row on M1 with macOS 26: LibTorch before 2.14 (pytorch#188438).
    static bool adds_bias(const Tensor& x, const Packed& w) {
        return device::mps::libtorch_before(2, 14) && w.bias && x.numel() == x.size(-1) &&
               !device::mps::macos_before(26);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_LINEAR_HPP
// ---- silica/device/mps/pool.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_POOL_HPP
#define SILICA_SINGLE_DEVICE_MPS_POOL_HPP
/// Pooling on this device: ATen's.

namespace silica {

template <>
struct Kernel<op::Pool, device::Mps> : device::aten::Pool {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_POOL_HPP
#endif  // SILICA_SINGLE_DEVICE_MPS_HPP
// ---- silica/device/simulated.hpp
#ifndef SILICA_SINGLE_DEVICE_SIMULATED_HPP
#define SILICA_SINGLE_DEVICE_SIMULATED_HPP
/// Which devices of this program are simulated. Only a test build links a simulation (`tests/support/sim_mps/`); it
/// sets the marker below before `main`, and every output that names the device must then name the simulation as well.

#include <c10/core/DeviceType.h>

#include <atomic>

namespace silica::device {

/// What simulates `mps` in this program, in words for people ("simulated MPS (tests only)"); null when nothing does.
inline std::atomic<const char*> simulated_mps{nullptr};

/// What simulates devices of `type` in this program; null when they are real or absent.
[[nodiscard]] inline const char* simulated(c10::DeviceType type) noexcept {
    return type == c10::DeviceType::MPS ? simulated_mps.load(std::memory_order_acquire) : nullptr;
}

/// True when devices of `type` are simulated in this program.
[[nodiscard]] inline bool is_simulated(c10::DeviceType type) noexcept { return simulated(type) != nullptr; }

}  // namespace silica::device
#endif  // SILICA_SINGLE_DEVICE_SIMULATED_HPP
// ---- silica/loader/concept.hpp
#ifndef SILICA_SINGLE_LOADER_CONCEPT_HPP
#define SILICA_SINGLE_LOADER_CONCEPT_HPP
/// What a loader policy states. Smallest examples: loader/cpu_first.hpp, examples/my_loader in docs/add-a-loader.md.

#include <concepts>
#include <memory>
#include <string_view>

namespace silica {

/// A strategy by which the bytes of a checkpoint become weights on a device: an empty struct with a `name` and a
/// template `load(checkpoint, build)`, which makes a TensorSource, calls `build(source)` and returns what that returns.
/// It may build more than once: `FirstOf` does, after a failure.
template <class L>
concept LoaderPolicy = requires(const checkpoint::Checkpoint& c) {
    { L::name } -> std::convertible_to<std::string_view>;
    {
        L::load(c, [](checkpoint::TensorSource&) { return 0; })
    } -> std::same_as<int>;
};

}  // namespace silica
#endif  // SILICA_SINGLE_LOADER_CONCEPT_HPP
// ---- silica/loader/cpu_first.hpp
#ifndef SILICA_SINGLE_LOADER_CPU_FIRST_HPP
#define SILICA_SINGLE_LOADER_CPU_FIRST_HPP
/// CpuFirst: everything into host memory, then to the device. The program's `--alternative-loading`.

// ---- silica/loader/source.hpp
#ifndef SILICA_SINGLE_LOADER_SOURCE_HPP
#define SILICA_SINGLE_LOADER_SOURCE_HPP
/// What the loaders of files have in common.

#include <string>
#include <vector>

namespace silica::loader {

/// A TensorSource over a checkpoint on disk.
class FileSource : public checkpoint::TensorSource {
public:
    explicit FileSource(const checkpoint::Checkpoint& c) : checkpoint_(c) {}
    [[nodiscard]] const std::vector<checkpoint::TensorEntry>& entries() const final { return checkpoint_.entries(); }
    [[nodiscard]] std::string where() const final { return checkpoint_.directory().string(); }

protected:
    const checkpoint::Checkpoint& checkpoint_;
};

/// How many elements lie between the first and the last of a tensor, both included: more than numel() for views.
inline std::int64_t span_of(const checkpoint::TensorEntry& e) {
    return static_cast<std::int64_t>(e.nbytes / c10::elementSize(e.dtype));
}

/// The tensor as the file has it, in memory of its own: one read of the bytes between its first and last element.
inline Tensor read_whole(const checkpoint::Checkpoint& c, const checkpoint::TensorEntry& e) {
    const Tensor flat = allocate({span_of(e)}, e.dtype, c10::Device(c10::DeviceType::CPU));
    c.file_of(e).read(e.offset, {static_cast<std::byte*>(flat.mutable_data_ptr()), static_cast<std::size_t>(e.nbytes)});
    return flat.as_strided(e.shape, e.strides);
}

/// `t` in this type on this device, contiguous; itself where it is that already.
inline Tensor placed(const Tensor& t, at::ScalarType dtype, c10::Device device) {
    if (t.scalar_type() == dtype && t.device() == device && t.is_contiguous()) return t;
    Tensor out = allocate(t.sizes(), dtype, device);
    out.copy_(t);
    return out;
}

}  // namespace silica::loader
#endif  // SILICA_SINGLE_LOADER_SOURCE_HPP

#include <unordered_map>

namespace silica::loader {

/// Reads all tensors before the first is used, so the files may change afterwards, then converts on the CPU and
/// transfers finished tensors: for devices whose direct copies or conversions fail.
struct CpuFirst {
    static constexpr std::string_view name = "cpu-first";

    template <class Build>
    static auto load(const checkpoint::Checkpoint& c, Build&& build) {
        Source source(c);
        return build(source);
    }

private:
    class Source final : public FileSource {
    public:
        explicit Source(const checkpoint::Checkpoint& c) : FileSource(c) {
            for (const auto& e : c.entries()) {
                if (e.dtype != at::ScalarType::Undefined) host_.emplace(e.name, read_whole(c, e));
            }
        }

        /// The host copy is dropped once it has been handed out; a second request reads the file again.
        Tensor read(const checkpoint::TensorEntry& e, at::ScalarType dtype, c10::Device device) override {
            auto found = host_.extract(e.name);
            const Tensor host = found.empty() ? read_whole(checkpoint_, e) : std::move(found.mapped());
            return placed(placed(host, dtype, c10::Device(c10::DeviceType::CPU)), dtype, device);
        }

    private:
        std::unordered_map<std::string, Tensor> host_;
    };
};
static_assert(LoaderPolicy<CpuFirst>);

}  // namespace silica::loader
#endif  // SILICA_SINGLE_LOADER_CPU_FIRST_HPP
// ---- silica/loader/first_of.hpp
#ifndef SILICA_SINGLE_LOADER_FIRST_OF_HPP
#define SILICA_SINGLE_LOADER_FIRST_OF_HPP
/// FirstOf: tries loaders in turn. Graceful degradation.

#include <c10/util/Exception.h>

#include <new>
#include <string>

namespace silica::loader {

/// What the loaders before the one that worked said; read by Model for the account of the load.
inline std::string& degradation_note() {
    thread_local std::string note;
    return note;
}

/// Tries `First`; when it runs out of memory or the device refuses, the next. Damaged files and wrong configurations
/// are no reason to try again.
template <LoaderPolicy First, LoaderPolicy... Rest>
struct FirstOf {
    static constexpr std::string_view name = "auto";

    template <class Build>
    static auto load(const checkpoint::Checkpoint& c, Build&& build) {
        if constexpr (sizeof...(Rest) == 0) {
            auto built = First::load(c, build);
            if (!degradation_note().empty()) degradation_note() += std::string(First::name) + " was used";
            return built;
        } else {
            std::string reason;
            try {
                return FirstOf<First>::load(c, build);
            } catch (const DeviceError& e) {
                reason = e.problem();
            } catch (const c10::Error& e) {
                reason = e.what_without_backtrace();
            } catch (const std::bad_alloc&) {
                reason = "the host is out of memory";
            }
            degradation_note() += std::string(First::name) + " failed (" + reason.substr(0, reason.find('\n')) + "); ";
            return FirstOf<Rest...>::load(c, build);
        }
    }
};

}  // namespace silica::loader
#endif  // SILICA_SINGLE_LOADER_FIRST_OF_HPP
// ---- silica/loader/in_memory.hpp
#ifndef SILICA_SINGLE_LOADER_IN_MEMORY_HPP
#define SILICA_SINGLE_LOADER_IN_MEMORY_HPP
/// InMemory: tensors that the caller holds, and weights made up for measuring.

#include <ATen/ops/randn.h>

#include <map>
#include <string>

namespace silica::loader {

/// Tensors by their names in a checkpoint: `Model::from(config, loader::InMemory({{"bert.embeddings...", t}, ...}))`. A
/// tensor that is already on the device in the right type is used as it is, not copied.
class InMemory final : public checkpoint::TensorSource {
public:
    static constexpr std::string_view name = "in-memory";

    explicit InMemory(std::map<std::string, Tensor> tensors) : tensors_(std::move(tensors)) {
        for (const auto& [key, t] : tensors_) {
            if (!t.defined()) throw InputError("Tensor '" + key + "' is not defined.", "give it a value.");
            entries_.push_back({.name = key,
                                .dtype = t.scalar_type(),
                                .shape = t.sizes().vec(),
                                .strides = t.strides().vec(),
                                .offset = reinterpret_cast<std::uintptr_t>(t.unsafeGetTensorImpl()),
                                .nbytes = static_cast<std::uint64_t>(t.nbytes()),
                                .dtype_name = c10::toString(t.scalar_type())});
        }
    }

    [[nodiscard]] const std::vector<checkpoint::TensorEntry>& entries() const override { return entries_; }
    [[nodiscard]] std::string where() const override { return "the tensors given"; }
    Tensor read(const checkpoint::TensorEntry& e, at::ScalarType dtype, c10::Device device) override {
        return placed(tensors_.at(e.name), dtype, device);
    }

private:
    std::map<std::string, Tensor> tensors_;
    std::vector<checkpoint::TensorEntry> entries_;
};

/// A tensor of every name and shape: normal with deviation 0.02, scales of norms 1. For measuring without a checkpoint.
class Random final : public checkpoint::TensorSource {
public:
    static constexpr std::string_view name = "random";

    [[nodiscard]] const std::vector<checkpoint::TensorEntry>& entries() const override { return none_; }
    [[nodiscard]] std::string where() const override { return "random weights"; }
    [[nodiscard]] bool invents() const override { return true; }
    Tensor read(const checkpoint::TensorEntry& e, at::ScalarType dtype, c10::Device device) override {
        if (e.shape.size() == 1 && e.name.ends_with("weight"))
            return placed(at::ones(e.shape, at::kFloat), dtype, device);
        if (!block_.defined()) block_ = at::randn({block}, at::kFloat) * 0.02;
        const Tensor t = at::empty(e.shape, at::kFloat);
        const Tensor flat = t.view({-1});
        for (std::int64_t at = 0; at < flat.numel(); at += block) {  // the same block again: values do not matter
            const auto n = std::min(block, flat.numel() - at);
            flat.slice(0, at, at + n).copy_(block_.slice(0, 0, n));
        }
        return placed(t, dtype, device);
    }

private:
    static constexpr std::int64_t block = std::int64_t{1} << 20;
    Tensor block_;
    std::vector<checkpoint::TensorEntry> none_;
};

}  // namespace silica::loader
#endif  // SILICA_SINGLE_LOADER_IN_MEMORY_HPP
// ---- silica/loader/mapped.hpp
#ifndef SILICA_SINGLE_LOADER_MAPPED_HPP
#define SILICA_SINGLE_LOADER_MAPPED_HPP
/// Mapped: the files are mapped into memory. The default.

#include <ATen/ops/from_blob.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace silica::loader {

/// Memory-maps each file, private to the process. A tensor that is wanted on the CPU in the file's own type is the
/// mapping itself where its alignment allows: no copy, read on first use. Otherwise it is converted straight to its
/// place. Pages are given back as soon as the last tensor on them is gone, which for packed weights is at once.
struct Mapped {
    static constexpr std::string_view name = "mapped";

    template <class Build>
    static auto load(const checkpoint::Checkpoint& c, Build&& build) {
        Source source(c);
        return build(source);
    }

private:
    class Source final : public FileSource {
    public:
        explicit Source(const checkpoint::Checkpoint& c) : FileSource(c) {
            for (const auto& file : c.files()) mappings_.push_back(file->map());
        }

        Tensor read(const checkpoint::TensorEntry& e, at::ScalarType dtype, c10::Device device) override {
            const auto& mapping = mappings_.at(e.file);
            std::byte* first = mapping->data() + e.offset;
            const auto options = at::TensorOptions().dtype(e.dtype);
            if (e.nbytes == 0) return placed(at::empty(e.shape, options), dtype, device);
            if (reinterpret_cast<std::uintptr_t>(first) % c10::elementSize(e.dtype) != 0) {
                return placed(read_whole(checkpoint_, e), dtype, device);
            }
            mapping->prefetch(e.offset, e.nbytes);
            const auto release = [mapping, offset = e.offset, nbytes = e.nbytes](void*) {
                mapping->release(offset, nbytes);
            };
            const Tensor in_file = at::from_blob(first, e.shape, e.strides, release, options);
            return placed(in_file, dtype, device);
        }

    private:
        std::vector<std::shared_ptr<checkpoint::Mapping>> mappings_;
    };
};
static_assert(LoaderPolicy<Mapped>);

}  // namespace silica::loader
#endif  // SILICA_SINGLE_LOADER_MAPPED_HPP
// ---- silica/loader/streamed.hpp
#ifndef SILICA_SINGLE_LOADER_STREAMED_HPP
#define SILICA_SINGLE_LOADER_STREAMED_HPP
/// Streamed: tensor by tensor through a bounded buffer. The program's `--memory-efficient`.

#include <algorithm>

namespace silica::loader {

/// Reads straight into the tensor's memory where the host can write it (CPU; MPS's shared buffers), and otherwise, or
/// to convert, through one staging buffer of `staging_bytes`: host memory beyond the weights stays below that.
struct Streamed {
    static constexpr std::string_view name = "streamed";
    static constexpr std::int64_t staging_bytes = std::int64_t{16} << 20;

    template <class Build>
    static auto load(const checkpoint::Checkpoint& c, Build&& build) {
        Source source(c);
        return build(source);
    }

private:
    class Source final : public FileSource {
    public:
        using FileSource::FileSource;

        Tensor read(const checkpoint::TensorEntry& e, at::ScalarType dtype, c10::Device device) override {
            if (!e.contiguous()) return placed(read_whole(checkpoint_, e), dtype, device);  // a view: torch files only
            const Tensor out = allocate(e.shape, dtype, device);
            if (e.nbytes == 0) return out;
            const auto& file = checkpoint_.file_of(e);
            if (dtype == e.dtype) {
                if (const auto host = host_alias(out)) {
                    file.read(e.offset, {static_cast<std::byte*>(host.data), static_cast<std::size_t>(e.nbytes)});
                    host.flush();
                    return out;
                }
            }
            const Tensor flat = out.view({-1});
            const auto item = static_cast<std::int64_t>(c10::elementSize(e.dtype));
            const Tensor stage =
                allocate({std::min(flat.numel(), staging_bytes / item)}, e.dtype, c10::Device(c10::DeviceType::CPU));
            for (std::int64_t done = 0; done < flat.numel(); done += stage.numel()) {
                const auto n = std::min(stage.numel(), flat.numel() - done);
                file.read(e.offset + static_cast<std::uint64_t>(done * item),
                          {static_cast<std::byte*>(stage.mutable_data_ptr()), static_cast<std::size_t>(n * item)});
                flat.slice(0, done, done + n).copy_(stage.slice(0, 0, n));
            }
            return out;
        }
    };
};
static_assert(LoaderPolicy<Streamed>);

}  // namespace silica::loader
#endif  // SILICA_SINGLE_LOADER_STREAMED_HPP
// ---- silica/model.hpp
#ifndef SILICA_SINGLE_MODEL_HPP
#define SILICA_SINGLE_MODEL_HPP
/// Model<Arch, Device, Precision, Loader>: a network with its weights, ready to be called. Start reading here.

#include <ATen/core/grad_mode.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace silica {

/// Which of several devices of a kind.
struct OpenOptions {
    c10::DeviceIndex index = 0;
};

/// - `Arch`: a family with a head, `arch::Bert`;
/// - `DeviceOrChain`: where it runs, `device::Mps`, or `Chain<device::Mps>` for "there or not at all";
/// - `Precision`: in what numbers, by default what the device is best at;
/// - `Loader`: how the bytes of a checkpoint get there.
///
/// Copies share the weights. Calls of one Model from several threads run at once on the CPU and CUDA; on MPS they take
/// turns.
template <class Arch, class DeviceOrChain, class Precision = precision::Default<DeviceOrChain>,
          class Loader = loader::Mapped>
class Model {
    static_assert(
        Architecture<Arch>,
        "the first argument of Model is not an architecture. Remedy: the order is Model<Arch, Device, Precision, "
        "Loader>; see silica/arch/concept.hpp.");
    static_assert(LoaderPolicy<Loader> || std::derived_from<Loader, checkpoint::TensorSource>,
                  "the fourth argument of Model is not a loader. Remedy: the order is Model<Arch, Device, Precision, "
                  "Loader>; see silica/loader/concept.hpp.");

public:
    using Exec = silica::Exec<DeviceOrChain, Precision>;
    using Device = typename Exec::home;
    using Config = typename Arch::Config;
    using Inputs = typename Arch::Inputs;
    using Outputs = typename Arch::Outputs;
    using Network = typename Arch::template Network<Exec>;

    /// Opens a directory, a file of weights with its config.json beside it, or "org/name" in the hub cache.
    /// Throws DeviceError (no such device, no memory), ConfigError (config.json), CheckpointError (the weights).
    [[nodiscard]] static Model open(std::string_view directory_or_repo, OpenOptions options = {}) {
        const auto home = require_device(options);
        const auto place = checkpoint::resolve(directory_or_repo);
        const bool is_file = std::filesystem::is_regular_file(place);
        const auto config = checkpoint::read_config<Arch>(is_file ? place.parent_path() : place);
        const auto files = checkpoint::Checkpoint::open(place);
        loader::degradation_note().clear();
        const auto start = std::chrono::steady_clock::now();
        Model model =
            Loader::load(files, [&](checkpoint::TensorSource& source) { return Model(config, source, home); });
        model.account_.loader = Loader::name;
        if (auto& note = loader::degradation_note(); !note.empty())
            model.account_.notes.push_back(std::exchange(note, {}));
        model.account_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        return model;
    }

    /// From a configuration and tensors that the caller holds (`loader::InMemory`), or random ones (`loader::Random`).
    template <class Source>
        requires std::derived_from<std::remove_cvref_t<Source>, checkpoint::TensorSource>
    [[nodiscard]] static Model from(const Config& config, Source&& source, OpenOptions options = {}) {
        Arch::check(config, "the configuration");
        Model model(config, source, require_device(options));
        model.account_.loader = std::remove_cvref_t<Source>::name;
        return model;
    }

    /// Runs the network. Inputs may lie on any device; outputs stay on the model's.
    /// Throws InputError for wrong inputs, before anything reaches the device.
    [[nodiscard]] Outputs operator()(const Inputs& inputs) const {
        Inputs prepared = Arch::prepare(config_, inputs);
        [[maybe_unused]] const auto turn = Device::lock();
        const at::NoGradGuard no_grad;
        const c10::OptionalDeviceGuard on(home_.is_cpu() ? std::nullopt : std::optional(home_));
        return within_memory("for this call", "use a smaller batch, shorter inputs or a smaller precision.", [&] {
            std::uint64_t bytes = 0;
            return network_(moved_to(std::move(prepared), home_, bytes));
        });
    }

    [[nodiscard]] const Config& config() const noexcept { return config_; }
    [[nodiscard]] const LoadingAccount& account() const noexcept { return account_; }
    [[nodiscard]] c10::Device device() const noexcept { return home_; }
    [[nodiscard]] const Network& network() const noexcept { return network_; }

private:
    Model(const Config& config, checkpoint::TensorSource& source, c10::Device home)
        : Model(config, Weights(source, Arch::names(), home), home) {}

    Model(const Config& config, const Weights& weights, c10::Device home)
        : config_(config), home_(home), network_(build(config, weights)), account_(weights.account()) {}

    static Network build(const Config& config, const Weights& weights) {
        [[maybe_unused]] const auto turn = Device::lock();
        const at::NoGradGuard no_grad;
        return within_memory("for the weights", "use a smaller precision or model, or the loader Streamed.", [&] {
            Network network(config, weights);
            Device::synchronize(weights.home().index());
            return network;
        });
    }

    /// What `f` returns. Where LibTorch throws that memory is out, and no op recovered from it, a DeviceError.
    template <class F>
    static auto within_memory(const char* what, const char* remedy, F&& f) {
        try {
            return f();
        } catch (const c10::Error& e) {
            if (!Device::is_out_of_memory(e) && !device::Cpu::is_out_of_memory(e)) throw;
            throw DeviceError(std::string(Device::name) + " has not enough memory " + what + ": " +
                                  first_line(e.what_without_backtrace()),
                              remedy);
        }
    }

    static std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

    static c10::Device require_device(OpenOptions options) {
        if (const auto can = Device::available(); !can) {
            throw DeviceError(std::string(Device::name) + " cannot be used here: " + can.reason + ".",
                              "choose another device policy, such as device::Cpu.");
        }
        if (Device::type == c10::DeviceType::CPU) return c10::Device(Device::type);
        const auto count = c10::impl::VirtualGuardImpl(Device::type).deviceCount();
        if (options.index < 0 || options.index >= count) {
            throw DeviceError("There is no " + std::string(Device::name) + " device " + std::to_string(options.index) +
                                  ", only " + std::to_string(count) + ".",
                              "choose an index from 0 to " + std::to_string(count - 1) + ".");
        }
        return {Device::type, options.index};
    }

    Config config_;
    c10::Device home_;
    Network network_;
    LoadingAccount account_;
};

}  // namespace silica
#endif  // SILICA_SINGLE_MODEL_HPP
