// Silica 0.1.0: models. Written by amalgamate.py from include/; change it there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef SILICA_COMPILED
#error "The single headers define everything. Remedy: link silica::silica beside them, or include the headers that silica::compiled is made from."
#endif

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

/// A kernel of Silica's own cannot be made on this machine; LibTorch's serves instead.
class KernelUnavailable : public DeviceError {
    using DeviceError::DeviceError;
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
[[nodiscard]] std::optional<FormatDtype> format_dtype(std::string_view name) noexcept;

/// Puts the tensors of one file in the order of their bytes, then of their ends, then of their names.
void sort_by_place(std::vector<TensorEntry>& entries);

/// The strides of a row-major tensor of this shape, in elements.
[[nodiscard]] std::vector<std::int64_t> row_major(const std::vector<std::int64_t>& shape);

}  // namespace silica::checkpoint

// ---- silica/checkpoint/entry.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_ENTRY_IPP
#define SILICA_SINGLE_CHECKPOINT_ENTRY_IPP
/// Definitions of entry.hpp.

// ---- silica/core/compiled.hpp
#ifndef SILICA_SINGLE_CORE_COMPILED_HPP
#define SILICA_SINGLE_CORE_COMPILED_HPP
/// Header-only, or compiled once.
///
/// What depends on no policy is declared in a header and defined in the `.ipp` beside it. By default the header
/// includes that file, and all of Silica is in headers. A program that links `silica::compiled` takes the definitions
/// from there instead: the target defines SILICA_COMPILED for its users and for itself.

#ifdef SILICA_COMPILED
#define SILICA_INLINE
#else
#define SILICA_INLINE inline
#endif

/// Marks what a process has once, whichever of its shared objects asks: one symbol under -fvisibility=hidden too.
#if defined(_WIN32)
#define SILICA_API
#else
#define SILICA_API __attribute__((visibility("default")))
#endif
#endif  // SILICA_SINGLE_CORE_COMPILED_HPP

#include <algorithm>
#include <utility>

namespace silica::checkpoint {

SILICA_INLINE std::optional<FormatDtype> format_dtype(std::string_view name) noexcept {
    for (const auto& dtype : format_dtypes)
        if (dtype.name == name) return dtype;
    return std::nullopt;
}

SILICA_INLINE void sort_by_place(std::vector<TensorEntry>& entries) {
    std::vector<std::size_t> order(entries.size());  // entries are large: each is moved once
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const auto &x = entries[a], &y = entries[b];
        if (x.offset != y.offset) return x.offset < y.offset;
        return x.nbytes != y.nbytes ? x.nbytes < y.nbytes : x.name < y.name;
    });
    std::vector<TensorEntry> sorted;
    sorted.reserve(entries.size());
    for (const auto i : order) sorted.push_back(std::move(entries[i]));
    entries = std::move(sorted);
}

SILICA_INLINE std::vector<std::int64_t> row_major(const std::vector<std::int64_t>& shape) {
    std::vector<std::int64_t> strides(shape.size());
    std::int64_t step = 1;
    for (std::size_t d = shape.size(); d-- > 0;) {
        strides[d] = step;
        step *= shape[d] > 0 ? shape[d] : 1;
    }
    return strides;
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_ENTRY_IPP
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
    NamePattern(std::string_view from, std::string_view to);

    /// Whether the pattern occurs in `name`.
    [[nodiscard]] bool matches(std::string_view name) const;

    /// Replaces the first occurrence in `name`; false when there is none.
    bool apply(std::string& name) const;

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

    static std::int64_t value(const Match& match, std::string_view name);

    [[noreturn]] void malformed(std::string_view why) const;

    std::vector<Piece> parse(std::string_view text) const;

    void check() const;

    bool find(std::string_view name, Match& match) const;

    bool match_at(std::string_view name, std::size_t begin, Match& match) const;

    std::string rule_;
    bool at_start_ = false, at_end_ = false;
    std::vector<Piece> from_, to_;
};

}  // namespace silica::checkpoint

// ---- silica/checkpoint/name_pattern.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_NAME_PATTERN_IPP
#define SILICA_SINGLE_CHECKPOINT_NAME_PATTERN_IPP
/// Definitions of name_pattern.hpp.

#include <algorithm>

namespace silica::checkpoint {

SILICA_INLINE NamePattern::NamePattern(std::string_view from, std::string_view to)
    : rule_(std::string(from) + " -> " + std::string(to)) {
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

SILICA_INLINE bool NamePattern::matches(std::string_view name) const {
    Match ignored;
    return find(name, ignored);
}

SILICA_INLINE bool NamePattern::apply(std::string& name) const {
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

SILICA_INLINE std::int64_t NamePattern::value(const Match& match, std::string_view name) {
    const auto at =
        std::find_if(match.numbers.begin(), match.numbers.end(), [&](const auto& n) { return n.first == name; });
    return at == match.numbers.end() ? 0 : at->second;
}

SILICA_INLINE void NamePattern::malformed(std::string_view why) const {
    throw InputError("The weight-name rule '" + rule_ + "' has " + std::string(why) + ".",
                     "See checkpoint/name_pattern.hpp for the language.");
}

SILICA_INLINE std::vector<NamePattern::Piece> NamePattern::parse(std::string_view text) const {
    std::vector<Piece> pieces;
    std::string plain;
    const auto flush = [&] {
        if (!plain.empty()) pieces.push_back({Kind::text, std::exchange(plain, {})});
    };
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '}' || text[i] == '^' || text[i] == '$') malformed("a stray '" + std::string(1, text[i]) + "'");
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

SILICA_INLINE void NamePattern::check() const {
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
        const bool known = std::any_of(from_.begin(), from_.end(),
                                       [&](const Piece& p) { return p.kind == Kind::number && p.text == piece.text; });
        if (!known) malformed("{" + piece.text + "} on the right only");
    }
}

SILICA_INLINE bool NamePattern::find(std::string_view name, Match& match) const {
    std::size_t begin = 0;
    while (true) {
        if (match_at(name, begin, match)) return true;
        if (at_start_) return false;
        const auto dot = name.find('.', begin);
        if (dot == std::string_view::npos) return false;
        begin = dot + 1;
    }
}

SILICA_INLINE bool NamePattern::match_at(std::string_view name, std::size_t begin, Match& match) const {
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

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_NAME_PATTERN_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_NAME_PATTERN_HPP

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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
    std::string place = {};                       ///< what all names begin with: "vision_tower."; empty: the root
    std::vector<NameRules> parts = {};            ///< families mounted at places of their own

    /// The same family mounted at `where`, which ends with a dot: `Llama::names().under("language_model.")`.
    [[nodiscard]] NameRules under(std::string_view where) const {
        NameRules mounted = *this;
        mounted.place.insert(0, where);
        return mounted;
    }
    /// `own` with `part` mounted: own renames come first, on the whole name, and bring it to the part's place; what
    /// lies there the part spells.
    [[nodiscard]] friend NameRules operator+(NameRules own, NameRules part) {
        own.parts.push_back(std::move(part));
        return own;
    }
};

/// Renames that hold for every family, tried before its own.
[[nodiscard]] const std::vector<Rename>& legacy_renames();

/// The tensors of a checkpoint by canonical name.
struct CanonicalNames {
    std::map<std::string, const TensorEntry*, std::less<>> names;  ///< point into the entries given
    std::vector<const TensorEntry*> ignored;                       ///< matched by `NameRules::ignored`
    std::vector<std::string> tied = {};                            ///< those of `NameRules::tied`, with their places
};

/// Applies rules to names; made once per family, used for every tensor.
class NameTranslator {
public:
    /// InputError when a pattern is malformed.
    explicit NameTranslator(const NameRules& rules);

    /// The canonical spelling of `name`: without its base prefix, then each rename in turn (once per name), then as the
    /// part spells it at whose place it lies, or with the base prefix unless it begins like a head. A name outside of
    /// the family's place stays as it is.
    [[nodiscard]] std::string canonical(std::string_view name) const;

    /// Whether `name` is known and read by no network.
    [[nodiscard]] bool ignored(std::string_view name) const;

    /// Canonical names that a file leaves out where they equal another.
    [[nodiscard]] const std::vector<std::string>& tied() const noexcept { return tied_; }

private:
    [[nodiscard]] std::string stem_of(std::string_view name) const;
    [[nodiscard]] const NameTranslator* part_of(std::string_view stem) const;

    std::string place_, base_;
    std::vector<std::string> heads_, tied_;
    std::vector<NamePattern> renames_, ignored_;
    std::vector<NameTranslator> parts_;
};

/// The entries by canonical name. CheckpointError when two entries that are not the same bytes get one name.
[[nodiscard]] CanonicalNames canonical_names(std::span<const TensorEntry> entries, const NameRules& rules);

}  // namespace silica::checkpoint

// ---- silica/checkpoint/names.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_NAMES_IPP
#define SILICA_SINGLE_CHECKPOINT_NAMES_IPP
/// Definitions of names.hpp.

namespace silica::checkpoint {

SILICA_INLINE const std::vector<Rename>& legacy_renames() {
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

SILICA_INLINE NameTranslator::NameTranslator(const NameRules& rules)
    : place_(rules.place), base_(rules.base_prefix), heads_(rules.head_prefixes) {
    for (const auto& [from, to] : legacy_renames()) renames_.emplace_back(from, to);
    for (const auto& [from, to] : rules.renames) renames_.emplace_back(from, to);
    for (const auto& pattern : rules.ignored) ignored_.emplace_back(pattern, pattern);
    for (const auto& part : rules.parts) parts_.emplace_back(part);
    for (const auto& name : rules.tied) tied_.push_back(place_ + name);
    for (const auto& part : parts_)
        for (const auto& name : part.tied_) tied_.push_back(place_ + name);
}

SILICA_INLINE std::string NameTranslator::canonical(std::string_view name) const {
    if (!name.starts_with(place_)) return std::string(name);
    const std::string stem = stem_of(name);
    if (const auto* part = part_of(stem)) return place_ + part->canonical(stem);
    for (const auto& head : heads_)
        if (stem.starts_with(head)) return place_ + stem;
    return place_ + base_ + stem;
}

SILICA_INLINE bool NameTranslator::ignored(std::string_view name) const {
    if (!name.starts_with(place_)) return false;
    const std::string stem = stem_of(name);
    for (const auto& pattern : ignored_)
        if (pattern.matches(stem)) return true;
    const auto* part = part_of(stem);
    return part != nullptr && part->ignored(stem);
}

SILICA_INLINE std::string NameTranslator::stem_of(std::string_view name) const {
    name.remove_prefix(place_.size());
    if (!base_.empty() && name.starts_with(base_)) name.remove_prefix(base_.size());
    std::string stem(name);
    for (const auto& rename : renames_) rename.apply(stem);
    return stem;
}

SILICA_INLINE const NameTranslator* NameTranslator::part_of(std::string_view stem) const {
    for (const auto& part : parts_)
        if (stem.starts_with(part.place_)) return &part;
    return nullptr;
}

SILICA_INLINE CanonicalNames canonical_names(std::span<const TensorEntry> entries, const NameRules& rules) {
    const NameTranslator translator(rules);
    CanonicalNames result;
    result.tied = translator.tied();
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
#endif  // SILICA_SINGLE_CHECKPOINT_NAMES_IPP
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
/// `arange`, `zeros`, `ones`, `full`, `empty`, `index_select`, `index_copy_`, `fill_`, `to` and `copy_`. Everything
/// else is an op (`op/`), so that a device that lacks it can send it elsewhere.

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

namespace silica {

using at::Tensor;

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_TENSOR_HPP

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace silica {

/// "(2, 3)".
std::string shape_text(c10::IntArrayRef shape);

/// Throws InputError unless `t` is defined, has this rank, one of these types, and no dimension of size 0.
void require_tensor(std::string_view name, const Tensor& t, std::int64_t rank,
                    std::initializer_list<c10::ScalarType> types);

/// Throws InputError unless both have the same shape.
void require_same_shape(std::string_view name, const Tensor& t, std::string_view other, const Tensor& u);

/// Throws InputError unless all ids (int64, any shape, on any device) are in [0, limit).
void require_ids(std::string_view name, const Tensor& ids, std::int64_t limit, std::string_view limit_name);

/// A mask (batch, tokens), int64 or bool, as bool; absent when nothing is masked.
std::optional<Tensor> bool_mask(const Tensor& mask);

/// The mask `name` beside ids (batch, tokens), which are called `ids_name`: int64 or bool, as bool; absent when nothing
/// is masked. Throws InputError for another type or shape.
std::optional<Tensor> checked_mask(std::string_view name, const std::optional<Tensor>& mask, std::string_view ids_name,
                                   const Tensor& ids);

}  // namespace silica

// ---- silica/core/inputs.ipp
#ifndef SILICA_SINGLE_CORE_INPUTS_IPP
#define SILICA_SINGLE_CORE_INPUTS_IPP
/// Definitions of inputs.hpp.

#include <cstddef>

namespace silica {

SILICA_INLINE std::string shape_text(c10::IntArrayRef shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i != 0 ? ", " : "") + std::to_string(shape[i]);
    return text + ")";
}

SILICA_INLINE void require_tensor(std::string_view name, const Tensor& t, std::int64_t rank,
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

SILICA_INLINE void require_same_shape(std::string_view name, const Tensor& t, std::string_view other, const Tensor& u) {
    if (t.sizes() == u.sizes()) return;
    throw InputError("Input " + std::string(name) + " has shape " + shape_text(t.sizes()) + ", " + std::string(other) +
                         " has " + shape_text(u.sizes()) + ".",
                     "give both the same shape.");
}

SILICA_INLINE void require_ids(std::string_view name, const Tensor& ids, std::int64_t limit,
                               std::string_view limit_name) {
    const Tensor host = ids.to(c10::Device(c10::DeviceType::CPU)).contiguous();
    const auto* id = host.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < host.numel(); ++i) {
        if (id[i] >= 0 && id[i] < limit) continue;
        throw InputError("Input " + std::string(name) + " holds " + std::to_string(id[i]) + ", ids from 0 to " +
                             std::to_string(limit - 1) + " exist (" + std::string(limit_name) + ").",
                         "use the tokenizer of this checkpoint.");
    }
}

SILICA_INLINE std::optional<Tensor> bool_mask(const Tensor& mask) {
    const Tensor host = mask.to(c10::Device(c10::DeviceType::CPU)).to(c10::ScalarType::Bool).contiguous();
    const auto* m = host.const_data_ptr<bool>();
    for (std::int64_t i = 0; i < host.numel(); ++i) {
        if (!m[i]) return host;
    }
    return std::nullopt;
}

SILICA_INLINE std::optional<Tensor> checked_mask(std::string_view name, const std::optional<Tensor>& mask,
                                                 std::string_view ids_name, const Tensor& ids) {
    if (!mask) return std::nullopt;
    require_tensor(name, *mask, 2, {c10::ScalarType::Long, c10::ScalarType::Bool});
    require_same_shape(name, *mask, ids_name, ids);
    return bool_mask(*mask);
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_INPUTS_IPP
#endif  // SILICA_SINGLE_CORE_INPUTS_HPP
// ---- silica/core/reflect.hpp
#ifndef SILICA_SINGLE_CORE_REFLECT_HPP
#define SILICA_SINGLE_CORE_REFLECT_HPP
/// Structs as lists of named members: how configurations are read from JSON.

// ---- silica/core/json.hpp
#ifndef SILICA_SINGLE_CORE_JSON_HPP
#define SILICA_SINGLE_CORE_JSON_HPP
/// JSON documents kept as values: configurations. Built on the reader that checkpoint headers use.

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace silica {

/// An integer that 64 bits do not hold: its digits, as the file has them.
struct LongInteger {
    std::string digits;  ///< a '-' comes first where it is negative
};

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
    [[nodiscard]] bool is_long_integer() const { return holds<LongInteger>(); }
    [[nodiscard]] bool is_number() const { return is_integer() || is_long_integer() || holds<double>(); }
    [[nodiscard]] bool is_string() const { return holds<std::string>(); }
    [[nodiscard]] bool is_array() const { return holds<Array>(); }
    [[nodiscard]] bool is_object() const { return holds<Object>(); }

    // Each of these is called only after the question above said yes.
    [[nodiscard]] bool boolean() const { return std::get<bool>(value_); }
    [[nodiscard]] std::int64_t integer() const { return std::get<std::int64_t>(value_); }
    [[nodiscard]] const std::string& digits() const { return std::get<LongInteger>(value_).digits; }
    /// Any number as the nearest double.
    [[nodiscard]] double number() const;
    [[nodiscard]] const std::string& string() const { return std::get<std::string>(value_); }
    [[nodiscard]] const Array& array() const { return std::get<Array>(value_); }
    [[nodiscard]] const Object& object() const { return std::get<Object>(value_); }

    /// The value of a name; null when this is no object or has no such name.
    [[nodiscard]] const Json* find(std::string_view name) const;

    /// The value as short text for an error: `true`, `-3`, `"gelu"`, `a list`.
    [[nodiscard]] std::string brief() const;

private:
    template <class T>
    [[nodiscard]] bool holds() const {
        return std::holds_alternative<T>(value_);
    }
    std::variant<std::monostate, bool, std::int64_t, double, LongInteger, std::string, Array, Object> value_;
};

}  // namespace silica

// ---- silica/core/json.ipp
#ifndef SILICA_SINGLE_CORE_JSON_IPP
#define SILICA_SINGLE_CORE_JSON_IPP
/// Definitions of json.hpp.

// ---- silica/core/json_reader.hpp
#ifndef SILICA_SINGLE_CORE_JSON_READER_HPP
#define SILICA_SINGLE_CORE_JSON_READER_HPP
/// Reads JSON front to back without keeping it: the headers and indexes of checkpoints, which come from strangers and
/// may be 100 MB. One pass, memory only for the string at hand, nesting bounded. (`core/json.hpp` keeps whole
/// documents.)

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
    JsonReader(std::string_view text, std::string source, std::string remedy);

    /// Throws: the text, at this line and column, `problem` ("has no member 'dtype'").
    [[noreturn]] void fail(std::string_view problem) const;

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
    [[nodiscard]] std::string string();

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
    [[nodiscard]] bool null();

    /// Reads `word`: true, false or null.
    void literal(std::string_view word);

    /// Reads a number of any kind and returns its text: that of JSON, or NaN, Infinity, -Infinity, as Python writes
    /// them.
    [[nodiscard]] std::string_view number_literal();

    /// Reads any value and forgets it.
    void skip();

    /// Throws unless nothing but white space is left.
    void end();

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

    void expect(char c);
    void digits();
    unsigned hex4();
    void escape(std::string& out);

    std::string_view text_;
    std::string source_, remedy_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

}  // namespace silica

// ---- silica/core/json_reader.ipp
#ifndef SILICA_SINGLE_CORE_JSON_READER_IPP
#define SILICA_SINGLE_CORE_JSON_READER_IPP
/// Definitions of json_reader.hpp.

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

namespace silica {

SILICA_INLINE JsonReader::JsonReader(std::string_view text, std::string source, std::string remedy)
    : text_(text), source_(std::move(source)), remedy_(std::move(remedy)) {
    at_ = first_bad_utf8(text_);
    if (at_ != text_.size()) fail("is not UTF-8");
    at_ = 0;
}

SILICA_INLINE void JsonReader::fail(std::string_view problem) const {
    const auto before = text_.substr(0, std::min(at_, text_.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto newline = before.rfind('\n');
    const auto column = newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
    throw CheckpointError(source_ + " (line " + std::to_string(line) + ", column " + std::to_string(column) + ") " +
                              std::string(problem) + ".",
                          remedy_);
}

SILICA_INLINE std::string JsonReader::string() {
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

SILICA_INLINE bool JsonReader::null() {
    if (peek() != 'n') return false;
    literal("null");
    return true;
}

SILICA_INLINE void JsonReader::literal(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) fail("is not valid JSON");
    at_ += word.size();
}

SILICA_INLINE std::string_view JsonReader::number_literal() {
    static_cast<void>(peek());
    const std::size_t begin = at_;
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
        if (text_.substr(at_, word.size()) != word) continue;
        at_ += word.size();
        return text_.substr(begin, word.size());
    }
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

SILICA_INLINE void JsonReader::skip() {
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

SILICA_INLINE void JsonReader::end() {
    if (peek() != '\0' || at_ != text_.size()) fail("has more text after the end of the JSON");
}

SILICA_INLINE void JsonReader::expect(char c) {
    if (peek() != c) fail(std::string("should have '") + c + "' here");
    ++at_;
}

SILICA_INLINE void JsonReader::digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    if (at_ == begin) fail(at_ == text_.size() ? "ends too early" : "is not valid JSON");
}

SILICA_INLINE unsigned JsonReader::hex4() {
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

SILICA_INLINE void JsonReader::escape(std::string& out) {
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

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_JSON_READER_IPP
#endif  // SILICA_SINGLE_CORE_JSON_READER_HPP
// ---- silica/core/real.hpp
#ifndef SILICA_SINGLE_CORE_REAL_HPP
#define SILICA_SINGLE_CORE_REAL_HPP
/// Decimal numbers, read as the nearest double whatever the locale.

#include <charconv>
#include <limits>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

namespace silica {

namespace detail {

/// For standard libraries whose from_chars knows no floating point, and for what from_chars calls out of range.
[[nodiscard]] inline double slow_real(std::string_view decimal) {
    std::istringstream in{std::string(decimal)};
    in.imbue(std::locale::classic());
    double value = 0;
    if (in >> value || value == 0) return value;
    return value < 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
}

}  // namespace detail

/// The nearest double of `-12.5e+3` and its like, as Python's float() reads it: infinite beyond the largest, zero
/// below the smallest.
[[nodiscard]] inline double read_real(std::string_view decimal) {
#if defined(__cpp_lib_to_chars) && __cpp_lib_to_chars >= 201611L
    double value = 0;
    if (std::from_chars(decimal.data(), decimal.data() + decimal.size(), value).ec == std::errc()) return value;
#endif
    return detail::slow_real(decimal);
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_REAL_HPP

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <functional>
#include <limits>
#include <locale>
#include <sstream>

namespace silica {

SILICA_INLINE double Json::number() const {
    if (is_integer()) return static_cast<double>(integer());
    return is_long_integer() ? read_real(digits()) : std::get<double>(value_);
}

SILICA_INLINE const Json* Json::find(std::string_view name) const {
    if (!is_object()) return nullptr;
    for (const auto& [key, value] : object()) {
        if (key == name) return &value;
    }
    return nullptr;
}

SILICA_INLINE std::string Json::brief() const {
    if (is_null()) return "null";
    if (is_bool()) return boolean() ? "true" : "false";
    if (is_integer()) return std::to_string(integer());
    if (is_long_integer()) return digits().size() > 40 ? digits().substr(0, 37) + "..." : digits();
    if (is_string()) return quote(string());
    if (is_array()) return "a list";
    if (is_object()) return "an object";
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text << number();
    return text.str();
}

namespace detail {

/// Reads one document.
class JsonBuilder {
public:
    JsonBuilder(std::string_view text, const std::string& source)
        : in_(text, source, "Correct the file, or download it again.") {}

    [[nodiscard]] Json run() {
        Json made = value();
        in_.end();
        return made;
    }

private:
    /// A value takes some fifty bytes whatever its text: `[[],[],` of a gigabyte would take twenty.
    static constexpr std::size_t most_values = std::size_t{1} << 24;
    static constexpr std::size_t most_digits = 4300;  ///< of an integer: Python's limit

    [[nodiscard]] Json value() {
        if (++values_ > most_values) in_.fail("has more than " + std::to_string(most_values) + " values");
        switch (in_.peek()) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return Json(in_.string());
            case 't':
                in_.literal("true");
                return Json(true);
            case 'f':
                in_.literal("false");
                return Json(false);
            case 'n':
                in_.literal("null");
                return {};
            default:
                return number();
        }
    }
    [[nodiscard]] Json object() {
        Json::Object members;
        in_.object([&](std::string name) { members.emplace_back(std::move(name), value()); });
        refuse_twins(members);
        return Json(std::move(members));
    }
    [[nodiscard]] Json array() {
        Json::Array items;
        in_.array([&] { items.push_back(value()); });
        return Json(std::move(items));
    }
    /// An integer where it is one, else the nearest double.
    [[nodiscard]] Json number() {
        const std::string_view literal = in_.number_literal();
        if (literal.ends_with('N')) return Json(std::numeric_limits<double>::quiet_NaN());
        if (literal.ends_with('y')) {
            const double infinity = std::numeric_limits<double>::infinity();
            return Json(literal.starts_with('-') ? -infinity : infinity);
        }
        if (literal.find_first_of(".eE") != std::string_view::npos) return Json(read_real(literal));
        std::int64_t whole = 0;
        if (std::from_chars(literal.data(), literal.data() + literal.size(), whole).ec == std::errc())
            return Json(whole);
        if (literal.size() > most_digits)
            in_.fail("has an integer of more than " + std::to_string(most_digits) + " digits");
        return Json(LongInteger{std::string(literal)});
    }
    void refuse_twins(const Json::Object& members) const {
        const auto refuse = [this](const std::string& name) {
            in_.fail("has the name " + quote(name) + " twice in one object");
        };
        if (members.size() <= 8) {
            for (std::size_t i = 1; i < members.size(); ++i) {
                for (std::size_t k = 0; k < i; ++k) {
                    if (members[i].first == members[k].first) refuse(members[i].first);
                }
            }
            return;
        }
        std::vector<std::pair<std::size_t, const std::string*>> names;
        names.reserve(members.size());
        for (const auto& member : members) names.emplace_back(std::hash<std::string>{}(member.first), &member.first);
        std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) {
            return a.first != b.first ? a.first < b.first : *a.second < *b.second;
        });
        for (std::size_t i = 1; i < names.size(); ++i) {
            if (names[i].first == names[i - 1].first && *names[i].second == *names[i - 1].second)
                refuse(*names[i].second);
        }
    }

    JsonReader in_;
    std::size_t values_ = 0;
};

}  // namespace detail

SILICA_INLINE Json Json::parse(std::string_view text, const std::string& source) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    try {
        return detail::JsonBuilder(text, source).run();
    } catch (const CheckpointError& e) {
        throw ConfigError(e.problem(), e.remedy());
    }
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_JSON_IPP
#endif  // SILICA_SINGLE_CORE_JSON_HPP

#include <boost/hana/accessors.hpp>
#include <boost/hana/concept/struct.hpp>
#include <boost/hana/core/to.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/second.hpp>

#include <array>
#include <cmath>
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

/// No integer of a configuration is larger than this, or smaller than its negative: sizes, ids, lengths.
inline constexpr std::int64_t largest_config_integer = 2'147'483'647;
/// No network has more layers than this: they are counted before the first weight is missed.
inline constexpr std::int64_t most_layers = 100'000;

namespace detail {

[[noreturn]] void fail_wanted(const std::string& path, const Json& json, std::string_view what);

/// The integer in `json`, within its bounds.
[[nodiscard]] std::int64_t config_integer(const Json& json, const std::string& path);

}  // namespace detail

/// Reads `json` into `value`: booleans, integers, numbers, strings, enums by name (`enum_names`), optionals (null is
/// absent), vectors (a single value is a list of one), maps, nested structs. A key that is missing keeps its default;
/// `T::aliases()` lists other spellings of keys. A type that reads itself has `read(json, path)`. `path` is
/// "config.json: key" so far. Integers have bounds
/// (`largest_config_integer`; `most_layers` where the key ends with "layers"); numbers may be infinite or NaN.
/// Throws ConfigError with the file, the key, what was found and what is wanted.
template <class T>
void read_json(T& value, const Json& json, const std::string& path) {
    const auto wants = [&](std::string_view what) { detail::fail_wanted(path, json, what); };
    if constexpr (std::is_same_v<T, Json>) {
        value = json;
    } else if constexpr (std::is_same_v<T, bool>) {
        if (!json.is_bool()) wants("true or false");
        value = json.boolean();
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
        value = detail::config_integer(json, path);
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
    } else if constexpr (requires { value.read(json, path); }) {
        value.read(json, path);
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

/// Throws ConfigError where a number among `value`'s members is infinite or NaN; `path` is "config.json:".
template <class T>
void require_finite(const T& value, const std::string& path) {
    if constexpr (std::is_same_v<T, double>) {
        if (!std::isfinite(value)) detail::fail_wanted(path, Json(value), "a finite number");
    } else if constexpr (Reflected<T>) {
        const std::string inside = path + (path.ends_with(':') ? " " : ".");
        for_each_member(value, [&](std::string_view name, const auto& member) {
            require_finite(member, inside + std::string(name));
        });
    } else if constexpr (requires {
                             typename T::value_type;
                             value.has_value();
                         }) {
        if (value) require_finite(*value, path);
    } else if constexpr (requires { typename T::mapped_type; }) {
        for (const auto& [key, item] : value) require_finite(item, path + "." + key);
    } else if constexpr (requires { typename T::allocator_type; } && !std::is_same_v<T, std::string>) {
        for (const auto& item : value) {
            if constexpr (!std::is_same_v<std::remove_cvref_t<decltype(item)>, bool>) require_finite(item, path);
        }
    }
}

/// Throws ConfigError unless `value` is at least `least`: for sizes, which must not be zero or negative.
void require_at_least(const std::string& file, std::string_view key, std::int64_t value, std::int64_t least = 1);

/// Throws ConfigError that says a key has a value whose meaning is not implemented.
[[noreturn]] void refuse_config(const std::string& file, std::string_view key, const std::string& value,
                                const std::string& remedy);

}  // namespace silica

// ---- silica/core/reflect.ipp
#ifndef SILICA_SINGLE_CORE_REFLECT_IPP
#define SILICA_SINGLE_CORE_REFLECT_IPP
/// Definitions of reflect.hpp.

namespace silica {

namespace detail {

SILICA_INLINE void fail_wanted(const std::string& path, const Json& json, std::string_view what) {
    std::string problem = path;
    problem.append(" is ").append(json.brief()).append(", ").append(what).append(" is wanted.");
    throw ConfigError(std::move(problem), "correct the key, or download the file again.");
}

/// The most that the integer at `path` ("config.json: num_hidden_layers") may be.
SILICA_INLINE std::int64_t config_bound(std::string_view path) {
    const auto key = path.substr(path.find_last_of(". ") + 1);
    return key.ends_with("layers") && !key.starts_with("max_") ? most_layers : largest_config_integer;
}

SILICA_INLINE std::int64_t config_integer(const Json& json, const std::string& path) {
    const auto most = config_bound(path);
    const double size = json.is_number() ? json.number() : 0;
    if (size > static_cast<double>(most)) fail_wanted(path, json, "at most " + std::to_string(most));
    if (size < static_cast<double>(-largest_config_integer))
        fail_wanted(path, json, "at least " + std::to_string(-largest_config_integer));
    if (!json.is_integer()) fail_wanted(path, json, "an integer");
    return json.integer();
}

}  // namespace detail

SILICA_INLINE void require_at_least(const std::string& file, std::string_view key, std::int64_t value,
                                    std::int64_t least) {
    if (value >= least) return;
    throw ConfigError(file + ": " + std::string(key) + " is " + std::to_string(value) + ", " + std::to_string(least) +
                          " or more is needed.",
                      "correct the key, or download the file again.");
}

SILICA_INLINE void refuse_config(const std::string& file, std::string_view key, const std::string& value,
                                 const std::string& remedy) {
    throw ConfigError(file + ": " + std::string(key) + " = " + value + " is not supported.", remedy);
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_REFLECT_IPP
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

/// A precision: in what products are computed, and so what a kernel's `pack` is given (`compute`); what kernels keep of
/// the weights of products (`storage`); in what sums and norms are reduced. A quantised one says in which precision
/// the rest is: embeddings, norms, convolutions (`plain`; of the others, itself).
template <class P>
concept PrecisionPolicy = requires {
    { P::name } -> std::convertible_to<std::string_view>;
    { P::storage } -> std::convertible_to<c10::ScalarType>;
    { P::compute } -> std::convertible_to<c10::ScalarType>;
    { P::reduce } -> std::convertible_to<c10::ScalarType>;
    { P::quantised } -> std::convertible_to<bool>;
    typename P::plain;
    requires !P::plain::quantised && P::plain::compute == P::compute;
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

/// True for ops that carry weights, which are packed once for the kernel that will use them. Such an op says in what
/// form they come (`Source`), and may say `quantisable = false`: under a quantised precision its kernels for all
/// unquantised ones serve.
template <OpTag Op>
inline constexpr bool weighted = detail::signature<typename Op::signature>::weighted;

namespace detail {

template <class Op>
consteval bool quantises() {
    if constexpr (requires { Op::quantisable; })
        return Op::quantisable;
    else
        return weighted<Op>;
}

}  // namespace detail

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
             !(Precision::quantised && quantises<Op>()))
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
        in.attention_mask = checked_mask("attention_mask", in.attention_mask, "input_ids", in.input_ids);
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

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
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
    [[nodiscard]] Weights operator/(std::string_view part) const;
    [[nodiscard]] Weights operator/(std::int64_t number) const {
        return *this / std::string_view(std::to_string(number));
    }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] c10::Device home() const noexcept { return tree_->home; }

    /// Whether the checkpoint has this tensor. Random weights have all but those that are tied to another.
    [[nodiscard]] bool has(std::string_view name) const;

    /// Throws what `get` would throw for this tensor, and reads nothing: for checks before memory is taken.
    void require(std::string_view name, const std::vector<std::int64_t>& shape) const {
        static_cast<void>(checked(full(name), shape));
    }

    /// The tensor `name` below this place, in this type on this device.
    /// Throws CheckpointError when it is missing, has another shape, or a type that holds no weights.
    [[nodiscard]] Tensor get(std::string_view name, const std::vector<std::int64_t>& shape, at::ScalarType dtype,
                             c10::Device device) const;

    /// Whether the `weight` here and the one at another place are the same bytes of the same file: tied in the
    /// checkpoint itself.
    [[nodiscard]] bool same_bytes(const Weights& other) const;

    /// What was taken so far, and what was left. CheckpointError where something that was left belongs to something
    /// that was taken, which means nothing without it: the scale of quantised weights, an adapter.
    [[nodiscard]] LoadingAccount account() const;

private:
    struct Tree {
        Tree(checkpoint::TensorSource& s, const checkpoint::NameRules& rules, c10::Device h)
            : source(s), home(h), canonical(checkpoint::canonical_names(s.entries(), rules)) {}
        checkpoint::TensorSource& source;
        c10::Device home;
        checkpoint::CanonicalNames canonical;
        std::set<std::string, std::less<>> taken;
        std::uint64_t parameters = 0, bytes = 0;
    };

    [[nodiscard]] std::string full(std::string_view name) const {
        return path_.empty() ? std::string(name) : path_ + '.' + std::string(name);
    }

    [[nodiscard]] checkpoint::TensorEntry checked(const std::string& whole,
                                                  const std::vector<std::int64_t>& shape) const;

    [[nodiscard]] checkpoint::TensorEntry find(const std::string& whole, const std::vector<std::int64_t>& shape) const;

    /// Throws where the tensor `name`, which nobody took, is of no use but with one that was taken: its name extends
    /// that one's ("q.weight_scale", "q.weight.absmax"), it is a companion beside it ("q.scales"), or an adapter.
    void refuse_companion(const std::string& name, const std::string& spelled) const;

    static constexpr const char* unquantised =
        "use a checkpoint in float32, float16 or bfloat16, without adapters: dequantise or merge this one and save it "
        "again.";

    std::shared_ptr<Tree> tree_;
    std::string path_;
};

}  // namespace silica

// ---- silica/checkpoint/weights.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_WEIGHTS_IPP
#define SILICA_SINGLE_CHECKPOINT_WEIGHTS_IPP
/// Definitions of weights.hpp.

// ---- silica/checkpoint/companions.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_COMPANIONS_HPP
#define SILICA_SINGLE_CHECKPOINT_COMPANIONS_HPP
/// Tensors that change what a weight beside them means: scales and codes of quantised weights, adapters.

#include <string_view>

namespace silica::checkpoint {

/// Whether `rest`, a name inside a module ("qweight", "lora_A.default.weight"), is that of a companion: as GPTQ, AWQ,
/// bitsandbytes, compressed-tensors, ModelOpt, torchao, Quanto, MLX and PEFT write them.
[[nodiscard]] bool is_companion(std::string_view rest) noexcept;

}  // namespace silica::checkpoint

// ---- silica/checkpoint/companions.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_COMPANIONS_IPP
#define SILICA_SINGLE_CHECKPOINT_COMPANIONS_IPP
/// Definitions of companions.hpp.

#include <algorithm>
#include <iterator>

namespace silica::checkpoint {

SILICA_INLINE bool is_companion(std::string_view rest) noexcept {
    const auto name = rest.substr(0, rest.find('.'));
    if (name == "weight_g" || name == "weight_v") return false;  // weight_norm's two halves
    constexpr std::string_view prefixes[] = {"lora_", "ia3_",    "oft_",  "boft_",  "hada_",   "lokr_",
                                             "vera_", "vblora_", "bone_", "quant_", "nested_", "weight_"};
    constexpr std::string_view names[] = {"qweight",         "qzeros",
                                          "scales",          "biases",
                                          "g_idx",           "SCB",
                                          "absmax",          "zero_point",
                                          "zero_points",     "k_scale",
                                          "v_scale",         "q_scale",
                                          "input_scale",     "input_zero_point",
                                          "output_scale",    "output_zero_point",
                                          "act_scales",      "base_layer",
                                          "original_module", "modules_to_save",
                                          "_data",           "_scale"};
    const auto same = [&](std::string_view other) { return name == other; };
    const auto begins = [&](std::string_view other) { return name.starts_with(other); };
    return std::any_of(std::begin(names), std::end(names), same) ||
           std::any_of(std::begin(prefixes), std::end(prefixes), begins);
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_COMPANIONS_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_COMPANIONS_HPP
// ---- silica/checkpoint/nearest.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_NEAREST_HPP
#define SILICA_SINGLE_CHECKPOINT_NEAREST_HPP
/// "Did you mean ...?": the existing name nearest to one that was not found.

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace silica::checkpoint {

/// The number of letters to insert, delete or replace to get from `a` to `b`; `limit + 1` when it is over `limit`.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit);

namespace detail {

/// Letters and digits, small.
[[nodiscard]] std::string letters_of(std::string_view name);

/// Whether one slip, not at the first letter and of no digit, makes `a` into `b`.
[[nodiscard]] bool is_slip(std::string_view a, std::string_view b);

}  // namespace detail

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

/// The candidate that `name` is a slip of the keyboard for: the same letters and digits but for case, or one letter too
/// many, too few, or two swapped; empty when there is none. For names of architectures, which differ by less than
/// `nearest` forgives: albert, bart, mt5 and qwen3 are no slips of bert, bert, t5 and qwen2.
template <class Candidates>
[[nodiscard]] std::string slip_of(std::string_view name, const Candidates& candidates) {
    for (const auto& candidate : candidates)
        if (detail::is_slip(detail::letters_of(name), detail::letters_of(candidate)))
            return std::string(std::string_view(candidate));
    return {};
}

}  // namespace silica::checkpoint

// ---- silica/checkpoint/nearest.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_NEAREST_IPP
#define SILICA_SINGLE_CHECKPOINT_NEAREST_IPP
/// Definitions of nearest.hpp.

#include <utility>
#include <vector>

namespace silica::checkpoint {

SILICA_INLINE std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
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

namespace detail {

SILICA_INLINE std::string letters_of(std::string_view name) {
    std::string out;
    for (const char c : name.substr(0, 256)) {
        if (c >= 'A' && c <= 'Z') out += static_cast<char>(c - 'A' + 'a');
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) out += c;
    }
    return out;
}

SILICA_INLINE bool is_slip(std::string_view a, std::string_view b) {
    if (a == b) return true;
    if (a.empty() || b.empty()) return false;
    const auto [same, there] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    const auto at = static_cast<std::size_t>(same - a.begin());
    if (at == 0) return false;
    const auto letter = [](std::string_view text, std::size_t i) { return text[i] >= 'a' && text[i] <= 'z'; };
    if (a.size() == b.size() + 1) return letter(a, at) && a.substr(at + 1) == b.substr(at);
    if (b.size() == a.size() + 1) return letter(b, at) && b.substr(at + 1) == a.substr(at);
    return a.size() == b.size() && at + 1 < a.size() && a[at] == b[at + 1] && a[at + 1] == b[at] && letter(a, at) &&
           letter(a, at + 1) && a.substr(at + 2) == b.substr(at + 2);
}

}  // namespace detail

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_NEAREST_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_NEAREST_HPP

#include <algorithm>
#include <iterator>

namespace silica {

SILICA_INLINE Weights Weights::operator/(std::string_view part) const {
    Weights below = *this;
    if (!below.path_.empty()) below.path_ += '.';
    below.path_ += part;
    return below;
}

SILICA_INLINE bool Weights::has(std::string_view name) const {
    const auto whole = full(name);
    if (tree_->source.invents()) return std::ranges::find(tree_->canonical.tied, whole) == tree_->canonical.tied.end();
    return tree_->canonical.names.contains(whole);
}

SILICA_INLINE Tensor Weights::get(std::string_view name, const std::vector<std::int64_t>& shape, at::ScalarType dtype,
                                  c10::Device device) const {
    const auto whole = full(name);
    Tensor tensor = tree_->source.read(checked(whole, shape), dtype, device);
    if (tree_->taken.insert(whole).second) {
        tree_->parameters += static_cast<std::uint64_t>(tensor.numel());
        tree_->bytes += static_cast<std::uint64_t>(tensor.nbytes());
    }
    return tensor;
}

SILICA_INLINE bool Weights::same_bytes(const Weights& other) const {
    const auto& names = tree_->canonical.names;
    const auto a = names.find(full("weight")), b = names.find(other.full("weight"));
    return a != names.end() && b != names.end() && a->second->same_storage(*b->second);
}

SILICA_INLINE LoadingAccount Weights::account() const {
    LoadingAccount account;
    account.tensors = tree_->taken.size();
    account.parameters = tree_->parameters;
    account.bytes = tree_->bytes;
    for (const auto& [name, entry] : tree_->canonical.names) {
        if (tree_->taken.contains(name)) continue;
        const bool repeats = std::ranges::find(tree_->canonical.tied, name) != tree_->canonical.tied.end();
        if (!repeats) refuse_companion(name, entry->name);
        (repeats ? account.ignored : account.unexpected).push_back(entry->name);
    }
    for (const auto* entry : tree_->canonical.ignored) account.ignored.push_back(entry->name);
    return account;
}

SILICA_INLINE checkpoint::TensorEntry Weights::checked(const std::string& whole,
                                                       const std::vector<std::int64_t>& shape) const {
    auto entry = find(whole, shape);
    if (entry.shape != shape) {
        throw CheckpointError(tree_->source.where() + ": " + checkpoint::quote(entry.name) + " has shape " +
                                  checkpoint::tuple_text(entry.shape) + ", the configuration makes it " +
                                  checkpoint::tuple_text(shape) + ".",
                              "config.json and the weights belong to different models: download both again.");
    }
    constexpr at::ScalarType known[] = {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble};
    if (std::ranges::find(known, entry.dtype) == std::end(known)) {
        throw CheckpointError(tree_->source.where() + ": " + checkpoint::quote(entry.name) + " is of type " +
                                  entry.dtype_name + ", which is no type of weights here.",
                              unquantised);
    }
    return entry;
}

SILICA_INLINE checkpoint::TensorEntry Weights::find(const std::string& whole,
                                                    const std::vector<std::int64_t>& shape) const {
    if (tree_->source.invents()) {
        return {.name = whole,
                .dtype = at::kFloat,
                .shape = shape,
                .strides = checkpoint::row_major(shape),
                .dtype_name = "float32"};
    }
    const auto& names = tree_->canonical.names;
    if (const auto found = names.find(whole); found != names.end()) return *found->second;
    const std::string missing = tree_->source.where() + " has no tensor " + checkpoint::quote(whole) + " of shape " +
                                checkpoint::tuple_text(shape);
    const auto module = whole.substr(0, whole.rfind('.') + 1);
    for (auto at = names.lower_bound(module); at != names.end() && at->first.starts_with(module); ++at)
        if (checkpoint::is_companion(std::string_view(at->first).substr(module.size())))
            throw CheckpointError(missing + ", but " + checkpoint::quote(at->second->name) + ".", unquantised);
    std::vector<std::string_view> known;
    for (const auto& [name, entry] : names) known.push_back(name);
    const auto near = checkpoint::nearest(whole, known);
    throw CheckpointError(missing + (near.empty() ? "." : "; the nearest is " + checkpoint::quote(near) + "."),
                          "use the architecture that config.json names, or download the weights again.");
}

SILICA_INLINE void Weights::refuse_companion(const std::string& name, const std::string& spelled) const {
    for (auto end = name.find_last_of("._"); end != std::string::npos; end = name.find_last_of("._", end - 1)) {
        if (end == 0) return;
        auto of = tree_->taken.find(std::string_view(name).substr(0, end));
        const auto rest = std::string_view(name).substr(end + 1);
        if (of == tree_->taken.end() && name[end] == '.' && checkpoint::is_companion(rest)) {
            const auto module = std::string_view(name).substr(0, end + 1);
            of = tree_->taken.lower_bound(module);
            while (of != tree_->taken.end() && of->starts_with(module) && of->rfind('.') != end) ++of;
            if (of != tree_->taken.end() && !of->starts_with(module)) of = tree_->taken.end();
        }
        if (of == tree_->taken.end() && !rest.starts_with("lora_")) continue;
        throw CheckpointError(tree_->source.where() + ": " + checkpoint::quote(spelled) + " belongs to " +
                                  (of == tree_->taken.end() ? "an adapter" : checkpoint::quote(*of)) +
                                  ", changes what the weights mean, and is not read.",
                              unquantised);
    }
}

}  // namespace silica
#endif  // SILICA_SINGLE_CHECKPOINT_WEIGHTS_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_WEIGHTS_HPP
// ---- silica/nn/embedding.hpp
#ifndef SILICA_SINGLE_NN_EMBEDDING_HPP
#define SILICA_SINGLE_NN_EMBEDDING_HPP
/// A table of vectors, one row for each id.

// ---- silica/nn/place.hpp
#ifndef SILICA_SINGLE_NN_PLACE_HPP
#define SILICA_SINGLE_NN_PLACE_HPP
/// Takes a tensor from the checkpoint to where an op wants it.

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
    /// The same without quantised weights.
    using plain = Exec<DeviceOrChain, typename Precision::plain>;
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

namespace silica::nn {

/// The device that the weights of `Op` lie on: that of its first candidate.
template <class Op, class E>
c10::Device device_of(const Weights& w) {
    static_assert(detail::has_candidate<Op, E>());
    using First = typename detail::front<candidates<Op, E>>::type;
    return First::type == E::home::type ? w.home() : c10::Device(First::type);
}

/// The tensor `name` at `w`, in the compute type of the precision, on the device of `Op`'s kernel: what its `pack`
/// takes.
template <class Op, class E>
Tensor take(const Weights& w, std::string_view name, const std::vector<std::int64_t>& shape) {
    return w.get(name, shape, E::precision::compute, device_of<Op, E>(w));
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
/// Weights before a kernel has packed them: what `pack` of Linear's and Embedding's kernels takes and `unpack` of what
/// it made gives back. An op with other weights has a source of its own (op/conv.hpp).

// ---- silica/op/law.hpp
#ifndef SILICA_SINGLE_OP_LAW_HPP
#define SILICA_SINGLE_OP_LAW_HPP
/// How an op refuses arguments that do not fit each other: own kernels trust what passes here.

#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

namespace silica::op {

/// What the host knows of packed weights: the shape and type of the weight they were packed from.
struct WeightShape {
    std::vector<std::int64_t> sizes;
    c10::ScalarType type = c10::ScalarType::Undefined;

    [[nodiscard]] std::int64_t size(std::size_t dim) const { return sizes[dim]; }
};

namespace detail {

/// An argument as an error names it.
struct Shown {
    c10::IntArrayRef sizes;
    c10::ScalarType type = c10::ScalarType::Undefined;

    Shown(const Tensor& t)  // NOLINT(google-explicit-constructor)
        : sizes(t.defined() ? t.sizes() : c10::IntArrayRef{}),
          type(t.defined() ? t.scalar_type() : c10::ScalarType::Undefined) {}
    Shown(const std::optional<Tensor>& t) : Shown(t ? *t : Tensor()) {}  // NOLINT(google-explicit-constructor)
    Shown(const WeightShape& w) : sizes(w.sizes), type(w.type) {}        // NOLINT(google-explicit-constructor)
};

/// Throws InputError: the op, what it takes, what it was given.
[[noreturn]] void break_law(std::string_view op, std::string_view takes, std::initializer_list<Shown> given);

}  // namespace detail

/// Throws InputError unless `fits`: op `name` takes what `takes` says, and was given `args` (tensors, weights).
template <class... Args>
void law(bool fits, std::string_view name, std::string_view takes, const Args&... args) {
    if (!fits) [[unlikely]]
        detail::break_law(name, takes, {detail::Shown(args)...});
}

/// Whether `t` is a vector of `n` values of `type`.
inline bool is_vector(const Tensor& t, std::int64_t n, c10::ScalarType type) {
    return t.defined() && t.dim() == 1 && t.size(0) == n && t.scalar_type() == type;
}

/// Whether x (..., in) meets weights (out, in).
inline bool meets(const Tensor& x, const WeightShape& w) {
    return x.dim() >= 1 && w.sizes.size() == 2 && x.size(-1) == w.size(1) && x.scalar_type() == w.type;
}

/// Whether `t` broadcasts to `shape`.
inline bool broadcasts(const Tensor& t, c10::IntArrayRef shape) {
    const auto sizes = t.sizes();
    if (sizes.size() > shape.size()) return false;
    const auto last = shape.slice(shape.size() - sizes.size());
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        if (sizes[i] != last[i] && sizes[i] != 1) return false;
    }
    return true;
}

}  // namespace silica::op

// ---- silica/op/law.ipp
#ifndef SILICA_SINGLE_OP_LAW_IPP
#define SILICA_SINGLE_OP_LAW_IPP
/// The error of arguments that do not fit each other.

#include <string>

namespace silica::op::detail {

SILICA_INLINE void break_law(std::string_view op, std::string_view takes, std::initializer_list<Shown> given) {
    std::string text;
    for (const auto& arg : given) {
        if (!text.empty()) text += ", ";
        text += arg.type == c10::ScalarType::Undefined
                    ? std::string("nothing")
                    : shape_text(arg.sizes) + " " + std::string(c10::toString(arg.type));
    }
    throw InputError("Op '" + std::string(op) + "' takes " + std::string(takes) + ", and was given " + text + ".",
                     "give it tensors of these shapes and types.");
}

}  // namespace silica::op::detail
#endif  // SILICA_SINGLE_OP_LAW_IPP
#endif  // SILICA_SINGLE_OP_LAW_HPP

#include <boost/hana/adapt_struct.hpp>

#include <optional>

namespace silica::op {

/// Weights in the layout of the checkpoint, and the `Packed` of kernels that keep them as they are.
struct Plain {
    Tensor weight;                    ///< (out, in) for Linear, (rows, d) for Embedding
    std::optional<Tensor> bias = {};  ///< (out)

    [[nodiscard]] const Plain& unpack() const { return *this; }
};

}  // namespace silica::op

BOOST_HANA_ADAPT_STRUCT(silica::op::Plain, weight, bias);
#endif  // SILICA_SINGLE_OP_PREPARED_HPP

namespace silica::op {

/// ids (...) int64, W (rows, d) -> (..., d). Ids are checked against the rows before they reach a device, not here.
struct Embedding {
    static constexpr std::string_view name = "embedding";
    using signature = Tensor(const Tensor& ids, const Prepared& table);
    using Source = Plain;
    static constexpr bool quantisable = false;
    static void check(const Source& s) {
        law(s.weight.dim() == 2 && !s.bias, name, "a table W (rows, d) and no bias", s.weight, s.bias);
    }
    static void check(const Tensor& ids, const WeightShape& table) {
        law(ids.scalar_type() == c10::ScalarType::Long, name, "ids (...) int64 and W (rows, d)", ids, table);
    }
};
static_assert(OpTag<Embedding>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_EMBEDDING_HPP
// ---- silica/run.hpp
#ifndef SILICA_SINGLE_RUN_HPP
#define SILICA_SINGLE_RUN_HPP
// clang-format off
/// run<Op, Exec>(args...): the only place where a call meets a device.
///
/// | step      | when                                                        | cost                                      |
/// |-----------|-------------------------------------------------------------|-------------------------------------------|
/// | 0 check   | always: the op's law, by what the host knows                | some compares                             |
/// | 1 static  | the one candidate is the CPU at home and takes everything   | none: a direct call                       |
/// | 2 hop     | the first candidate is another device                       | arguments move there, the result back     |
/// | 3 decline | `Kernel::accepts(args...)` is false                         | one branch, then the next candidate       |
/// | 4 recover | the op or its own kernel is missing; memory is out twice    | nothing until it happens                  |
///
/// While a graph is recorded (core/recording.hpp) steps 2 to 4 throw: nothing may wait or leave the device then.
// clang-format on

// ---- silica/dispatch.hpp
#ifndef SILICA_SINGLE_DISPATCH_HPP
#define SILICA_SINGLE_DISPATCH_HPP
/// Where a call goes that is no direct one: to another device, to the next candidate, through a second try. Steps 2 to
/// 4 of run.hpp.

// ---- silica/core/recording.hpp
#ifndef SILICA_SINGLE_CORE_RECORDING_HPP
#define SILICA_SINGLE_CORE_RECORDING_HPP
/// Whether this thread records a graph of what a device does.

namespace silica {

/// True while it does: nothing may then wait for the device, try again or go to another one, since what is recorded is
/// not done yet.
SILICA_API inline thread_local bool recording = false;

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_RECORDING_HPP
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
#include <string_view>
#include <vector>

namespace silica {

/// Why an op left its home device.
enum class FallbackReason {
    no_kernel,        ///< home has no kernel for the op: every call hops (known at compile time)
    declined,         ///< home's kernel does not take these sizes, types or strides
    not_implemented,  ///< home's LibTorch threw NotImplementedError
    out_of_memory,    ///< home was out of memory twice, the second time with its cache emptied
    unavailable,      ///< home's own kernel cannot be made on this machine
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
        case FallbackReason::unavailable:
            return "its own kernel cannot be made here";
    }
    return "";
}

// Scopes are seen by all objects of a process, whichever version of Silica each was built with: another layout of these
// two, another name.
inline namespace abi_1 {

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
    static bool record(const Fallback& event);

private:
    void add(const Fallback& event);

    SILICA_API static FallbackScope*& innermost() {
        thread_local FallbackScope* scope = nullptr;
        return scope;
    }

    FallbackScope* outer_;
    std::vector<Fallback> lines_;
};

}  // namespace abi_1

/// Whether fallbacks outside of any FallbackScope are announced on stderr, once per op. On until turned off.
SILICA_API inline std::atomic<bool> announce_fallbacks{true};

namespace detail {

/// One line about it on stderr.
void announce(const Fallback& f);

}  // namespace detail
}  // namespace silica

// ---- silica/fallback.ipp
#ifndef SILICA_SINGLE_FALLBACK_IPP
#define SILICA_SINGLE_FALLBACK_IPP
/// The report of what fell back.

#include <cstdio>

namespace silica {

SILICA_INLINE bool FallbackScope::record(const Fallback& event) {
    for (auto* scope = innermost(); scope != nullptr; scope = scope->outer_) scope->add(event);
    return innermost() != nullptr;
}

SILICA_INLINE void FallbackScope::add(const Fallback& event) {
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

namespace detail {

SILICA_INLINE void announce(const Fallback& f) {
    const auto why = describe(f.reason);
    std::fprintf(stderr, "silica: %.*s runs on %.*s instead of %.*s: %.*s (said once)\n", static_cast<int>(f.op.size()),
                 f.op.data(), static_cast<int>(f.to.size()), f.to.data(), static_cast<int>(f.from.size()),
                 f.from.data(), static_cast<int>(why.size()), why.data());
}

}  // namespace detail
}  // namespace silica
#endif  // SILICA_SINGLE_FALLBACK_IPP
#endif  // SILICA_SINGLE_FALLBACK_HPP
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
namespace detail {

/// What the laws of `Op` are told of its weights: its own `Shape`, made from the source, else the shape of the weight.
template <class Op>
struct shape_of {
    using type = op::WeightShape;
};
template <class Op>
    requires requires { typename Op::Shape; }
struct shape_of<Op> {
    using type = typename Op::Shape;
};

}  // namespace detail

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
    using Source = typename Op::Source;
    using Shape = typename detail::shape_of<Op>::type;

    /// `source` lies on `Device`, in the precision's compute type. InputError where its tensors do not fit each other.
    explicit Prepared(Source source)
        : Prepared(checked(source), [&] { return kernel_of<Op, Device, Precision>::pack(std::move(source)); }) {}
    Prepared(Tensor weight, std::optional<Tensor> bias)
        requires std::is_same_v<Source, op::Plain>
        : Prepared(Source{std::move(weight), std::move(bias)}) {}

    /// From weights that another op keeps as well (tied embeddings): they stay plain, so that there is one copy.
    static Prepared shared(Source source) {
        using K = kernel_of<Op, Device, Precision>;
        if constexpr (requires { K::keep(std::move(source)); }) {
            return Prepared(checked(source), [&] { return K::keep(std::move(source)); });
        } else {
            return Prepared(std::move(source));
        }
    }

    /// The layout that candidate `D` wants on `device`; the first one is there, the others are made at their first use.
    template <class D>
    [[nodiscard]] std::shared_ptr<const packed_for<D>> on(c10::Device device) const {
        if constexpr (std::is_same_v<D, Device>) {
            return {state_, &state_->first};
        } else {
            const std::lock_guard guard(state_->mutex);
            auto& slot = std::get<Slot<D>>(state_->others);
            if (!slot.packed || slot.device != device) {
                std::uint64_t bytes = 0;
                slot.packed = std::make_shared<const packed_for<D>>(
                    kernel_of<Op, D, Precision>::pack(moved_to(Source(state_->first.unpack()), device, bytes)));
                slot.device = device;
            }
            return slot.packed;
        }
    }
    [[nodiscard]] const Packed& first() const noexcept { return state_->first; }

    /// The weights as the checkpoint has them, on `Device`.
    [[nodiscard]] Source unpack() const { return state_->first.unpack(); }

    /// The shape and type of the weight, and what else the laws of ops ask for.
    [[nodiscard]] const Shape& shape() const noexcept { return state_->shape; }

private:
    template <class Pack>
    Prepared(Shape shape, Pack&& pack) : state_(std::make_shared<State>(std::move(shape), pack())) {}

    static Shape checked(const Source& source) {
        op::law(source.weight.defined(), Op::name, "a weight");
        Op::check(source);
        if constexpr (std::is_same_v<Shape, op::WeightShape>)
            return {source.weight.sizes().vec(), source.weight.scalar_type()};
        else
            return Shape(source);
    }

    template <class D>
    struct Slot {
        std::shared_ptr<const packed_for<D>> packed;
        c10::Device device = c10::Device(c10::DeviceType::CPU);
    };
    template <class C>
    struct slots;
    template <class First, class... Rest>
    struct slots<Chain<First, Rest...>> {
        using type = std::tuple<Slot<Rest>...>;
    };

    struct State {
        State(Shape s, Packed packed) : first(std::move(packed)), shape(std::move(s)) {}
        Packed first;
        Shape shape;
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

#include <atomic>
#include <chrono>
#include <exception>
#include <new>
#include <string>
#include <tuple>
#include <variant>

namespace silica::detail {

/// Packed weights, kept while a call uses them.
template <class Packed>
struct Held {
    std::shared_ptr<const Packed> packed;
    operator const Packed&() const noexcept { return *packed; }  // NOLINT(google-explicit-constructor)
};

/// What a kernel on `D` gets for an argument: its own packed weights for `Prepared`, everything else as it is.
template <class D, class T>
decltype(auto) given(const T& arg, [[maybe_unused]] c10::Device device) {
    if constexpr (is_prepared<T>)
        return Held{arg.template on<D>(device)};
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

/// Calls `f(tensor)` on the tensors of an argument, those that are not defined too where it is a tensor itself.
template <class T, class F>
void each_tensor(const T& arg, F&& f) {
    if constexpr (is_prepared<T>)
        return;
    else if constexpr (is_in_out<T>)
        f(arg.value);
    else if constexpr (std::is_same_v<T, Tensor>)
        f(arg);
    else
        for_each_tensor(arg, f);
}

/// The device of the first tensor among the arguments: the home of the call.
template <class... Args>
c10::Device home_device(c10::DeviceType type, const Args&... args) {
    std::optional<c10::Device> home;
    (each_tensor(args,
                 [&](const Tensor& t) {
                     if (!home) home = t.device();
                 }),
     ...);
    return home.value_or(c10::Device(type, type == c10::DeviceType::CPU ? -1 : 0));
}

[[noreturn]] void refuse_recording(std::string_view op, FallbackReason why);

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
        FallbackReason failure = FallbackReason::declined;
        try {
            if (accepts(args...)) return invoke(why, args...);
        } catch (const c10::NotImplementedError&) {
            if constexpr (writes) throw;
            failure = FallbackReason::not_implemented;
        } catch (const KernelUnavailable&) {  // before anything was written
            failure = FallbackReason::unavailable;
        } catch (const c10::Error& e) {
            if (writes || !is_full(e)) throw;
            failure = FallbackReason::out_of_memory;
        } catch (const std::bad_alloc&) {
            if constexpr (writes) throw;
            failure = FallbackReason::out_of_memory;
        }
        return recover(why, failure, args...);
    }

private:
    /// Packing for a candidate that was not asked before may fail like the kernel itself.
    template <class... Args>
    static bool accepts(const Args&... args) {
        if constexpr (requires { &K::accepts; }) {
            const c10::Device there = stays ? home_device(Home::type, args...) : c10::Device(Device::type);
            return K::accepts(given<Device>(args, there)...);
        } else {
            return true;
        }
    }

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

    /// One more try where that can help, then the next candidate.
    template <class... Args>
    static Result recover(FallbackReason why, FallbackReason failure, const Args&... args) {
        if (recording && failure != FallbackReason::declined) refuse_recording(Op::name, failure);
        try {
            if (failure == FallbackReason::unavailable) return invoke(why, args...);
            if (failure == FallbackReason::out_of_memory) {
                Device::empty_cache();
                if constexpr (!stays) Home::empty_cache();
                return invoke(why, args...);
            }
        } catch (const KernelUnavailable&) {
            if constexpr (writes) throw;
        } catch (const c10::Error& e) {
            if (writes || !is_full(e)) throw;
        } catch (const std::bad_alloc&) {
            if constexpr (writes) throw;
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
        if (recording) refuse_recording(Op::name, why);
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
            return Held{arg.template on<Device>(there)};
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

}  // namespace silica::detail

// ---- silica/dispatch.ipp
#ifndef SILICA_SINGLE_DISPATCH_IPP
#define SILICA_SINGLE_DISPATCH_IPP
/// The error of a call that cannot be recorded.

namespace silica::detail {

SILICA_INLINE void refuse_recording(std::string_view op, FallbackReason why) {
    throw DeviceError("Op '" + std::string(op) + "' cannot be recorded in a graph: " + std::string(describe(why)) + ".",
                      "run without a graph, or with smaller inputs.");
}

}  // namespace silica::detail
#endif  // SILICA_SINGLE_DISPATCH_IPP
#endif  // SILICA_SINGLE_DISPATCH_HPP

namespace silica {
namespace detail {

/// What the law of an op gets for an argument: the shape of weights, everything else as it is.
template <class T>
decltype(auto) lawful(const T& arg) {
    if constexpr (is_prepared<T>)
        return (arg.shape());
    else
        return (arg);
}

[[noreturn]] void refuse_tensor(std::string_view op, const Tensor& t, std::string_view home);

/// Step 0. InputError unless every tensor is there, on one device of the home's type, and the law of the op holds.
template <class Op, class Home, class... Args>
void check(const Args&... args) {
    const c10::TensorImpl* first = nullptr;
    const auto look = [&](const Tensor& t) {
        const bool fits =
            t.defined() && t.device().type() == Home::type && (first == nullptr || t.device() == first->device());
        if (!fits) [[unlikely]]
            refuse_tensor(Op::name, t, Home::name);
        first = t.unsafeGetTensorImpl();
    };
    (each_tensor(args, look), ...);
    if constexpr (requires { Op::check(lawful(args)...); }) Op::check(lawful(args)...);
}

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
/// Throws InputError where the arguments do not fit each other, DeviceError when the last candidate declines or fails;
/// errors of the op itself pass through.
template <class Op, class Exec, class... Args>
inline result_of<Op> run(const Args&... args) {
    using P = typename Exec::precision;
    detail::check<Op, typename Exec::home>(args...);
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

// ---- silica/run.ipp
#ifndef SILICA_SINGLE_RUN_IPP
#define SILICA_SINGLE_RUN_IPP
/// The errors of dispatch.

namespace silica::detail {

SILICA_INLINE void refuse_tensor(std::string_view op, const Tensor& t, std::string_view home) {
    const std::string name = "Op '" + std::string(op) + "' ";
    if (!t.defined()) throw InputError(name + "was given an undefined tensor.", "give it a value.");
    throw InputError(name + "runs on " + std::string(home) + ", and was given a tensor on " + t.device().str() + ".",
                     "move all arguments to one " + std::string(home) + " device with .to(...).");
}

}  // namespace silica::detail
#endif  // SILICA_SINGLE_RUN_IPP
#endif  // SILICA_SINGLE_RUN_HPP

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
// ---- silica/nn/layers.hpp
#ifndef SILICA_SINGLE_NN_LAYERS_HPP
#define SILICA_SINGLE_NN_LAYERS_HPP
/// The layers of a network, one after another.

#include <cstdint>
#include <utility>
#include <vector>

namespace silica::nn {

/// make(0), make(1), ..., make(n - 1).
template <class F>
auto layers(std::int64_t n, F&& make) {
    std::vector<decltype(make(std::int64_t{}))> all;
    for (std::int64_t i = 0; i < n; ++i) all.push_back(make(i));
    return all;
}

/// layer(... layer(layer(x, args...), args...), args...) for each of `all` in turn.
template <class Layer, class X, class... Args>
X through(const std::vector<Layer>& all, X x, const Args&... args) {
    for (const auto& layer : all) x = layer(x, args...);
    return x;
}

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_LAYERS_HPP
// ---- silica/nn/transformer_layer.hpp
#ifndef SILICA_SINGLE_NN_TRANSFORMER_LAYER_HPP
#define SILICA_SINGLE_NN_TRANSFORMER_LAYER_HPP
/// The layer of a transformer's encoder. Vaswani et al. 2017, section 3.1.

// ---- silica/nn/attention.hpp
#ifndef SILICA_SINGLE_NN_ATTENTION_HPP
#define SILICA_SINGLE_NN_ATTENTION_HPP
/// Multi-head attention: MultiHead(x, y) = Concat(head_1, ..., head_h) W_O, head_i = softmax(scale Q_i K_i^T) V_i with
/// Q = x W_Q, K = y W_K, V = y W_V. Vaswani et al. 2017, section 3.2.2.

// ---- silica/nn/heads.hpp
#ifndef SILICA_SINGLE_NN_HEADS_HPP
#define SILICA_SINGLE_NN_HEADS_HPP
/// How heads are cut from and joined to (batch, tokens, heads d).

namespace silica::nn {

/// Heads [first, first + n) of x (batch, tokens, all heads side by side), each of d values -> (batch, n, tokens, d).
inline Tensor heads_of(const Tensor& x, std::int64_t first, std::int64_t n, std::int64_t d) {
    return x.view({x.size(0), x.size(1), -1, d}).narrow(2, first, n).transpose(1, 2);
}

/// (batch, heads, tokens, d) -> (batch, tokens, heads d).
inline Tensor joined_heads(const Tensor& context) {
    return context.transpose(1, 2).reshape({context.size(0), context.size(2), context.size(1) * context.size(3)});
}

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_HEADS_HPP
// ---- silica/nn/kv_cache.hpp
#ifndef SILICA_SINGLE_NN_KV_CACHE_HPP
#define SILICA_SINGLE_NN_KV_CACHE_HPP
/// Caches of keys and values, of fixed shape: nothing grows from step to step, so a graph can replay a step.

// ---- silica/op/store_kv.hpp
#ifndef SILICA_SINGLE_OP_STORE_KV_HPP
#define SILICA_SINGLE_OP_STORE_KV_HPP
/// Writes keys and values into a cache of fixed shape.

namespace silica::op {

/// What an op returns that only writes.
struct Written {};

/// k and v (batch, heads, tokens, d) go to the slots `slots` (tokens) int64 of the caches (batch, heads, capacity, d).
/// Slots are below the capacity and differ from each other; `slots` lies on the device of the caches.
struct StoreKv {
    static constexpr std::string_view name = "store_kv";
    using signature = Written(InOut<Tensor> keys, InOut<Tensor> values, const Tensor& k, const Tensor& v,
                              const Tensor& slots);
    static void check(InOut<Tensor> keys, InOut<Tensor> values, const Tensor& k, const Tensor& v, const Tensor& slots) {
        const auto fits = [&](const Tensor& cache, const Tensor& t) {
            return cache.dim() == 4 && t.dim() == 4 && cache.size(0) == t.size(0) && cache.size(1) == t.size(1) &&
                   cache.size(3) == t.size(3) && t.size(2) == slots.numel() && t.size(2) <= cache.size(2) &&
                   cache.scalar_type() == t.scalar_type();
        };
        law(slots.dim() == 1 && slots.scalar_type() == c10::ScalarType::Long && fits(keys.value, k) &&
                fits(values.value, v),
            name,
            "caches (batch, heads, capacity, d), k and v (batch, heads, tokens, d) of one type, slots (tokens) int64",
            keys.value, values.value, k, v, slots);
    }
};
static_assert(OpTag<StoreKv>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_STORE_KV_HPP

#include <algorithm>
#include <optional>
#include <utility>

namespace silica::nn {

/// Keys and values of one layer, (batch, heads, capacity, d) each. A copy would share the tensors, so `clone` makes
/// one.
struct KvCache {
    Tensor keys, values;

    KvCache(std::int64_t batch, std::int64_t heads, std::int64_t capacity, std::int64_t d, at::TensorOptions options)
        : keys(at::zeros({batch, heads, capacity, d}, options)),
          values(at::zeros({batch, heads, capacity, d}, options)) {}
    KvCache(KvCache&&) = default;
    KvCache& operator=(KvCache&&) = default;

    [[nodiscard]] KvCache clone() const { return {keys.clone(), values.clone()}; }

    /// Row i becomes what row `rows[i]` was.
    void reorder(const Tensor& rows) {
        keys.copy_(keys.index_select(0, rows));
        values.copy_(values.index_select(0, rows));
    }
    [[nodiscard]] std::uint64_t bytes() const { return keys.nbytes() + values.nbytes(); }

private:
    KvCache(Tensor k, Tensor v) : keys(std::move(k)), values(std::move(v)) {}
};

/// Which slot of a cache holds which token. A cache that is smaller than the text is a ring: token t is in slot t
/// modulo its capacity, and so it holds the last `capacity` tokens, all that a sliding window of that size sees.
class KvSlots {
public:
    KvSlots(std::int64_t batch, std::int64_t capacity, c10::Device device)
        : capacity_(capacity),
          next_(at::zeros({1}, at::TensorOptions().dtype(c10::ScalarType::Long).device(device))),
          filled_(at::zeros({1}, next_.options())),
          all_(at::arange(capacity, next_.options())),
          attend_(at::ones({batch, 1, 1, capacity}, next_.options().dtype(c10::ScalarType::Bool))) {}
    KvSlots(KvSlots&&) = default;
    KvSlots& operator=(KvSlots&&) = default;

    [[nodiscard]] KvSlots clone() const {
        KvSlots copy(*this);
        for (Tensor* t : {&copy.next_, &copy.filled_, &copy.attend_}) *t = t->clone();
        return copy;
    }

    [[nodiscard]] std::int64_t capacity() const noexcept { return capacity_; }
    /// (1) int64 on the device: where the next token goes, and how many slots hold a token.
    [[nodiscard]] const Tensor& next() const noexcept { return next_; }
    [[nodiscard]] const Tensor& filled() const noexcept { return filled_; }
    /// (batch, 1, 1, capacity) bool: which slots may be attended to; absent while all may.
    [[nodiscard]] std::optional<Tensor> attend() const { return masked_ ? std::optional(attend_) : std::nullopt; }

    /// The slots of `tokens` new tokens after `length` old ones, (tokens) int64; `tokens` <= capacity.
    [[nodiscard]] Tensor of_new(std::int64_t length, std::int64_t tokens) const {
        const auto first = length % capacity_, until_end = std::min(tokens, capacity_ - first);
        const Tensor head = all_.narrow(0, first, until_end);
        return until_end == tokens ? head : at::cat({head, all_.narrow(0, 0, tokens - until_end)});
    }
    /// What a tensor with slots in dimension `dim` holds of the last min(`length`, capacity) tokens, the oldest first.
    [[nodiscard]] Tensor in_order(const Tensor& t, std::int64_t dim, std::int64_t length) const {
        const auto n = std::min(length, capacity_);
        return t.index_select(dim, of_new(length - n, n));
    }
    /// Which of those tokens may be attended to, (batch, tokens) bool.
    [[nodiscard]] Tensor attend_in_order(std::int64_t length) const {
        return in_order(attend_.squeeze(1).squeeze(1), 1, length);
    }

    /// Notes that the last of `tokens` tokens after `length` old ones were stored. `mask` (batch, tokens) bool, true =
    /// attend; absent: all.
    void stored(std::int64_t length, std::int64_t tokens, const std::optional<Tensor>& mask) {
        const auto kept = std::min(tokens, capacity_);
        if (mask || masked_) {
            const Tensor fresh =
                mask ? mask->narrow(1, tokens - kept, kept) : at::ones({attend_.size(0), kept}, attend_.options());
            attend_.index_copy_(3, of_new(length + tokens - kept, kept), fresh.unsqueeze(1).unsqueeze(1));
            masked_ = true;
        }
        next_.fill_((length + tokens) % capacity_);
        filled_.fill_(std::min(length + tokens, capacity_));
    }

    /// A step, in two halves: the new token counts as filled before attention, the next slot is another after it.
    void begin_step() {
        filled_ += filled_ < capacity_;
        if (masked_) attend_.copy_(attend_ | (all_ == next_));
    }
    void end_step() {
        next_ += 1;
        next_ *= next_ < capacity_;
    }

    /// Whether some slots may not be attended to.
    [[nodiscard]] bool masked() const noexcept { return masked_; }
    /// Forgets all tokens.
    void clear() {
        next_.fill_(0);
        filled_.fill_(0);
        attend_.fill_(true);
        masked_ = false;
    }
    void reorder(const Tensor& rows) {
        if (masked_) attend_.copy_(attend_.index_select(0, rows));
    }

private:
    KvSlots(const KvSlots&) = default;

    std::int64_t capacity_;
    Tensor next_, filled_, all_, attend_;
    bool masked_ = false;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_KV_CACHE_HPP
// ---- silica/nn/linear.hpp
#ifndef SILICA_SINGLE_NN_LINEAR_HPP
#define SILICA_SINGLE_NN_LINEAR_HPP
/// A matrix of weights with its bias: one place in the checkpoint or several, joined by rows.

// ---- silica/nn/recipe.hpp
#ifndef SILICA_SINGLE_NN_RECIPE_HPP
#define SILICA_SINGLE_NN_RECIPE_HPP
/// Recipes: how places of a checkpoint become what a kernel packs. A place holds it as it is, or several are joined; a
/// norm is folded into the matrix before it, a length and a direction are multiplied (nn/conv.hpp).

// ---- silica/core/allocate.hpp
#ifndef SILICA_SINGLE_CORE_ALLOCATE_HPP
#define SILICA_SINGLE_CORE_ALLOCATE_HPP
/// Memory for weights, which comes from the system and goes back to it at once.

namespace silica {

/// An uninitialised contiguous tensor. On the CPU a large one has pages of its own: loading makes and drops a copy of
/// almost every weight, and a heap keeps the holes (measured: 1.4 times the weights instead of 1.0).
/// ConfigError for a shape that no memory holds.
Tensor allocate(c10::IntArrayRef shape, c10::ScalarType dtype, c10::Device device);

}  // namespace silica

// ---- silica/core/allocate.ipp
#ifndef SILICA_SINGLE_CORE_ALLOCATE_IPP
#define SILICA_SINGLE_CORE_ALLOCATE_IPP
/// Definitions of allocate.hpp.

// ---- silica/core/checked_product.hpp
#ifndef SILICA_SINGLE_CORE_CHECKED_PRODUCT_HPP
#define SILICA_SINGLE_CORE_CHECKED_PRODUCT_HPP
/// Products of numbers that come from a file.

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

namespace silica {

/// The product of `factors`; ConfigError that names `what` ("num_attention_heads x head_dim") where 64 bits do not hold
/// it.
[[nodiscard]] std::int64_t checked_product(std::string_view what, std::span<const std::int64_t> factors);
[[nodiscard]] inline std::int64_t checked_product(std::string_view what, std::initializer_list<std::int64_t> factors) {
    return checked_product(what, std::span(factors.begin(), factors.size()));
}

}  // namespace silica

// ---- silica/core/checked_product.ipp
#ifndef SILICA_SINGLE_CORE_CHECKED_PRODUCT_IPP
#define SILICA_SINGLE_CORE_CHECKED_PRODUCT_IPP
/// Definitions of checked_product.hpp.

#include <string>

namespace silica {

SILICA_INLINE std::int64_t checked_product(std::string_view what, std::span<const std::int64_t> factors) {
    std::int64_t product = 1;
    bool zero = false, fits = true;
    for (const auto factor : factors) {
        zero = zero || factor == 0;
        fits = fits && !__builtin_mul_overflow(product, factor, &product);
    }
    if (zero) return 0;
    if (fits) return product;
    std::string numbers;
    for (const auto factor : factors) numbers.append(numbers.empty() ? "" : " x ").append(std::to_string(factor));
    throw ConfigError(std::string(what).append(" is ").append(numbers).append(", more than any memory holds."),
                      "correct the sizes, or download the file again.");
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_CHECKED_PRODUCT_IPP
#endif  // SILICA_SINGLE_CORE_CHECKED_PRODUCT_HPP

#include <ATen/ops/from_blob.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#endif

namespace silica {

SILICA_INLINE Tensor allocate(c10::IntArrayRef shape, c10::ScalarType dtype, c10::Device device) {
    const auto options = at::TensorOptions().dtype(dtype);
    constexpr std::string_view what = "The size of a tensor";
    const auto elements = checked_product(what, std::span(shape.data(), shape.size()));
    [[maybe_unused]] const auto bytes =
        checked_product(what, {elements, static_cast<std::int64_t>(c10::elementSize(dtype))});
#if defined(__unix__) || defined(__APPLE__)
    constexpr std::int64_t large = std::int64_t{1} << 18;
    if (device.is_cpu() && bytes >= large) {
        const auto size = static_cast<std::size_t>(bytes);
        void* pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
        if (pages != MAP_FAILED) return at::from_blob(pages, shape, [size](void* p) { ::munmap(p, size); }, options);
    }
#endif
    return at::empty(shape, options.device(device));
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_ALLOCATE_IPP
#endif  // SILICA_SINGLE_CORE_ALLOCATE_HPP

#include <optional>
#include <vector>

namespace silica::nn {

/// A place that gives `out` rows of a matrix. `bias`: whether the layer has one; absent: if the checkpoint has it.
struct MatrixPart {
    Weights place;
    std::int64_t out;
    std::optional<bool> bias = {};
    [[nodiscard]] bool biased() const { return bias.value_or(place.has("bias")); }
};

/// `weight` (out, in) and `bias` (out) at each place, one after another; a part that lacks its bias counts as zeros. On
/// the device of `Op`'s kernel, in the compute type.
template <class Op, class E>
op::Plain joined_rows(const std::vector<MatrixPart>& parts, std::int64_t in) {
    std::int64_t rows = 0;
    bool biased = false;
    for (const auto& part : parts) {
        part.place.require("weight", {part.out, in});
        rows += part.out, biased = biased || part.biased();
    }
    if (parts.size() == 1) {
        std::optional<Tensor> bias;
        if (biased) bias = take<Op, E>(parts[0].place, "bias", {rows});
        return {take<Op, E>(parts[0].place, "weight", {rows, in}), std::move(bias)};
    }
    const Tensor weight = allocate({rows, in}, E::precision::compute, device_of<Op, E>(parts.at(0).place));
    std::optional<Tensor> bias;
    if (biased) bias = at::zeros({rows}, weight.options());
    std::int64_t row = 0;
    for (const auto& part : parts) {  // one after another: the peak is the whole and one part
        const auto out = part.out;
        weight.narrow(0, row, out).copy_(take<Op, E>(part.place, "weight", {out, in}));
        if (part.biased()) bias->narrow(0, row, out).copy_(take<Op, E>(part.place, "bias", {out}));
        row += out;
    }
    return {weight, std::move(bias)};
}

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_RECIPE_HPP
// ---- silica/op/linear.hpp
#ifndef SILICA_SINGLE_OP_LINEAR_HPP
#define SILICA_SINGLE_OP_LINEAR_HPP
/// y = x W^T + b.

namespace silica::op {

/// x (..., in), W (out, in), b (out) or absent -> y (..., out).
struct Linear {
    static constexpr std::string_view name = "linear";
    using signature = Tensor(const Tensor& x, const Prepared& weight);
    using Source = Plain;
    static void check(const Source& s) {
        law(s.weight.dim() == 2 && (!s.bias || is_vector(*s.bias, s.weight.size(0), s.weight.scalar_type())), name,
            "weights W (out, in) and b (out) of one type", s.weight, s.bias);
    }
    static void check(const Tensor& x, const WeightShape& w) {
        law(meets(x, w), name, "x (..., in) and W (out, in) of one type", x, w);
    }
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
    static void check(const Tensor& x, const WeightShape& w, Activation) { Linear::check(x, w); }
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

    static void check(const Tensor& x, const WeightShape& w, const Tensor& residual) {
        law(meets(x, w) && residual.dim() == x.dim() && residual.scalar_type() == w.type &&
                residual.size(-1) == w.size(0) &&
                residual.sizes().slice(0, residual.sizes().size() - 1) == x.sizes().slice(0, x.sizes().size() - 1),
            name, "x (..., in), W (out, in) and r (..., out) of one type", x, w, residual);
    }
};
static_assert(OpTag<LinearAdd>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_LINEAR_ADD_HPP
// ---- silica/op/linear_gated.hpp
#ifndef SILICA_SINGLE_OP_LINEAR_GATED_HPP
#define SILICA_SINGLE_OP_LINEAR_GATED_HPP
/// y = act(x G^T + b) * (x U^T + c): both matrices of a gated feed-forward layer in one product.

// ---- silica/op/gated.hpp
#ifndef SILICA_SINGLE_OP_GATED_HPP
#define SILICA_SINGLE_OP_GATED_HPP
/// y = act(g) * u: the inside of a gated feed-forward layer. Shazeer 2020, equations 5 and 6.

namespace silica::op {

/// x (..., 2 n), the gate g before u -> (..., n).
struct Gated {
    static constexpr std::string_view name = "gated";
    using signature = Tensor(const Tensor& x, Activation act);
    static void check(const Tensor& x, Activation) {
        law(x.dim() >= 1 && x.size(-1) % 2 == 0, name, "x (..., 2 n)", x);
    }
    using parts = OpList<Gelu, Activate>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, Activation act) {
        const auto n = x.size(-1) / 2;
        const Tensor gate = x.narrow(-1, 0, n), up = x.narrow(-1, n, n);
        return (act == Activation::gelu ? run<Gelu, Exec>(gate) : run<Activate, Exec>(gate, act)) * up;
    }
};
static_assert(OpTag<Gated>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_GATED_HPP

namespace silica::op {

/// x (..., in), the weights of Linear with the rows of G before those of U: (2 n, in) -> (..., n).
struct LinearGated {
    static constexpr std::string_view name = "linear_gated";
    using signature = Tensor(const Tensor& x, const Prepared& weight, Activation act);
    static void check(const Tensor& x, const WeightShape& w, Activation) {
        law(meets(x, w) && w.size(0) % 2 == 0, name, "x (..., in) and W (2 n, in) of one type", x, w);
    }
    using packed_as = Linear;
    using parts = OpList<Linear, Gated, Gelu, Activate>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, const auto& weight, Activation act) {
        return run<Gated, Exec>(run<Linear, Exec>(x, weight), act);
    }
};
static_assert(OpTag<LinearGated>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_LINEAR_GATED_HPP
// ---- silica/op/rms_norm_linear.hpp
#ifndef SILICA_SINGLE_OP_RMS_NORM_LINEAR_HPP
#define SILICA_SINGLE_OP_RMS_NORM_LINEAR_HPP
/// y = RMSNorm(x) W^T + b: a pre-norm layer's way into attention.

// ---- silica/op/rms_norm.hpp
#ifndef SILICA_SINGLE_OP_RMS_NORM_HPP
#define SILICA_SINGLE_OP_RMS_NORM_HPP
/// y = x / sqrt(mean(x^2) + eps) * w over the last dimension. Zhang and Sennrich 2019, equation 4.

namespace silica::op {

/// x (..., d), w (d) -> (..., d). The quotient is computed in float32 and rounded to the type of x before it meets w.
struct RmsNorm {
    static constexpr std::string_view name = "rms_norm";
    using signature = Tensor(const Tensor& x, const Tensor& weight, double eps);
    static void check(const Tensor& x, const Tensor& weight, double) {
        law(x.dim() >= 1 && is_vector(weight, x.size(-1), x.scalar_type()), name, "x (..., d) and w (d) of one type", x,
            weight);
    }
};
static_assert(OpTag<RmsNorm>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_RMS_NORM_HPP

namespace silica::op {

/// x (..., in), scale (in) of the norm -> (..., out). Uses the weights as Linear's kernel packed them.
struct RmsNormLinear {
    static constexpr std::string_view name = "rms_norm_linear";
    using signature = Tensor(const Tensor& x, const Tensor& scale, double eps, const Prepared& weight);
    static void check(const Tensor& x, const Tensor& scale, double eps, const WeightShape& w) {
        RmsNorm::check(x, scale, eps);
        Linear::check(x, w);
    }
    using packed_as = Linear;
    using parts = OpList<RmsNorm, Linear>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, const Tensor& scale, double eps, const auto& weight) {
        return run<Linear, Exec>(run<RmsNorm, Exec>(x, scale, eps), weight);
    }
};
static_assert(OpTag<RmsNormLinear>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_RMS_NORM_LINEAR_HPP
// ---- silica/op/rms_norm_linear_gated.hpp
#ifndef SILICA_SINGLE_OP_RMS_NORM_LINEAR_GATED_HPP
#define SILICA_SINGLE_OP_RMS_NORM_LINEAR_GATED_HPP
/// y = act(h G^T + b) * (h U^T + c), h = RMSNorm(x): a pre-norm layer's way into a gated feed-forward layer.

namespace silica::op {

/// x (..., in), scale (in) of the norm, the weights of LinearGated (2 n, in) -> (..., n).
struct RmsNormLinearGated {
    static constexpr std::string_view name = "rms_norm_linear_gated";
    using signature = Tensor(const Tensor& x, const Tensor& scale, double eps, const Prepared& weight, Activation act);
    static void check(const Tensor& x, const Tensor& scale, double eps, const WeightShape& w, Activation act) {
        RmsNorm::check(x, scale, eps);
        LinearGated::check(x, w, act);
    }
    using packed_as = Linear;
    using parts = OpList<RmsNorm, LinearGated, Linear, Gated, Gelu, Activate>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, const Tensor& scale, double eps, const auto& weight, Activation act) {
        return run<LinearGated, Exec>(run<RmsNorm, Exec>(x, scale, eps), weight, act);
    }
};
static_assert(OpTag<RmsNormLinearGated>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_RMS_NORM_LINEAR_GATED_HPP

#include <vector>

namespace silica::nn {

/// y = x W^T + b. Joining places (query, key and value; gate and up) makes one larger product of several.
template <class E>
class Linear {
public:
    using Ops = OpList<op::Linear, op::LinearActivation, op::LinearAdd>;
    using GatedOps = union_of<Ops, OpList<op::LinearGated>>;
    using NormedOps = union_of<GatedOps, OpList<op::RmsNormLinear, op::RmsNormLinearGated>>;

    /// `weight` (out, in) and, where the checkpoint has it, `bias` (out) at `w`.
    Linear(const Weights& w, std::int64_t in, std::int64_t out) : Linear(std::vector<MatrixPart>{{w, out, {}}}, in) {}

    /// The same at each place of `parts`, joined by rows.
    Linear(const std::vector<MatrixPart>& parts, std::int64_t in) : weight_(joined_rows<op::Linear, E>(parts, in)) {}
    /// The same with `out` rows each.
    Linear(const std::vector<Weights>& parts, std::int64_t in, std::int64_t out) : Linear(of_size(parts, out), in) {}

    /// Weights that are no one else's.
    static Linear own(op::Plain source) { return Linear(Prepared<op::Linear, E>(std::move(source))); }
    /// Weights that another layer keeps as well (tied embeddings): there stays one copy.
    static Linear shared(op::Plain source) { return Linear(Prepared<op::Linear, E>::shared(std::move(source))); }

    /// x (..., in) -> (..., out).
    Tensor operator()(const Tensor& x) const { return run<op::Linear, E>(x, weight_); }
    /// act(x W^T + b).
    Tensor operator()(const Tensor& x, Activation act) const { return run<op::LinearActivation, E>(x, weight_, act); }
    /// x W^T + b + residual.
    Tensor add(const Tensor& x, const Tensor& residual) const { return run<op::LinearAdd, E>(x, weight_, residual); }
    /// act(x G^T + b) * (x U^T + c), the weights being those of G joined to those of U.
    Tensor gated(const Tensor& x, Activation act) const { return run<op::LinearGated, E>(x, weight_, act); }
    /// norm(x) W^T + b, `norm` being an RmsNorm.
    Tensor of_normed(const Tensor& x, const auto& norm) const {
        return run<op::RmsNormLinear, E>(x, norm.weight(), norm.eps(), weight_);
    }
    /// gated(norm(x), act).
    Tensor gated_of_normed(const Tensor& x, const auto& norm, Activation act) const {
        return run<op::RmsNormLinearGated, E>(x, norm.weight(), norm.eps(), weight_, act);
    }

private:
    explicit Linear(Prepared<op::Linear, E> weight) : weight_(std::move(weight)) {}

    static std::vector<MatrixPart> of_size(const std::vector<Weights>& places, std::int64_t out) {
        std::vector<MatrixPart> parts;
        for (const auto& w : places) parts.push_back({w, out, {}});
        return parts;
    }

    Prepared<op::Linear, E> weight_;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_LINEAR_HPP
// ---- silica/op/attention.hpp
#ifndef SILICA_SINGLE_OP_ATTENTION_HPP
#define SILICA_SINGLE_OP_ATTENTION_HPP
/// softmax(scale q k^T + bias) v over the keys that a query may attend to. Vaswani et al. 2017, equation 1.

// ---- silica/op/attends.hpp
#ifndef SILICA_SINGLE_OP_ATTENDS_HPP
#define SILICA_SINGLE_OP_ATTENDS_HPP
/// Who attends to whom.

#include <boost/hana/adapt_struct.hpp>

#include <memory>
#include <optional>
#include <string_view>

namespace silica::op {

/// What restricts and shifts the scores of attention, (batch, heads, queries, keys). All that is said holds at once;
/// where nothing is, every query attends to every key. What can be said without a tensor has none, so that a kernel can
/// leave out whole blocks of keys. Where a kernel knows masks only, one is made, once for all layers that are given the
/// same object; so an object serves one caller at a time.
struct Attends {
    std::optional<Tensor> mask = {};     ///< bool, true = attend; broadcasts to the scores
    std::optional<Tensor> bias = {};     ///< added to the scores; broadcasts to them
    std::optional<Tensor> lengths = {};  ///< (batch) int64: only the first lengths[i] keys of row i are there
    /// No one attends to what comes later; query i stands at position offset + i of the keys. Absent: everyone to all.
    std::optional<std::int64_t> offset = {};
    /// With `offset`: a query attends to its own position and the window - 1 before it. Absent: to all before.
    std::optional<std::int64_t> window = {};

    /// No one to what comes later, `before` keys standing before that of the first query.
    [[nodiscard]] static Attends causal(std::int64_t before = 0, std::optional<std::int64_t> window = {}) {
        return {.offset = before, .window = window};
    }

    /// Whether `offset` hides one of `keys` keys, and `window` one from the last of `queries` queries.
    [[nodiscard]] bool hides_later(std::int64_t keys) const { return offset && *offset + 1 < keys; }
    [[nodiscard]] bool hides_earlier(std::int64_t queries) const { return window && *offset + queries > *window; }

    /// All but `bias` as one mask: bool, true = attend, broadcasts to the scores; absent where nothing is hidden.
    [[nodiscard]] std::optional<Tensor> shown(std::int64_t queries, std::int64_t keys, c10::Device device) const;
    /// All of it as one tensor of the type and device of `like` that is added to the scores and broadcasts to them,
    /// -infinity where a query does not attend; absent where nothing is said.
    [[nodiscard]] std::optional<Tensor> added(std::int64_t queries, std::int64_t keys, const Tensor& like) const;
    /// `mask` and `bias` alone as such a tensor, of float32.
    [[nodiscard]] std::optional<Tensor> masked_bias() const;

    /// InputError, in the name of the op, for what does not fit scores of `shape`.
    void check(std::string_view name, c10::IntArrayRef shape) const {
        if (!mask && !bias && !lengths && !offset && !window) return;
        const auto fits = [&](const std::optional<Tensor>& t) { return !t || broadcasts(*t, shape); };
        const bool numbers =
            (!offset || (*offset >= 0 && *offset <= shape[3])) && (!window || (offset && *window >= 1));
        law(numbers && fits(mask) && fits(bias) && (!mask || mask->scalar_type() == c10::ScalarType::Bool) &&
                (!bias || c10::isFloatingType(bias->scalar_type())) &&
                (!lengths || is_vector(*lengths, shape[0], c10::ScalarType::Long)),
            name,
            "a mask (bool) and a bias that broadcast to (batch, heads, queries, keys), lengths (batch) int64, an "
            "offset "
            "from 0 to the number of keys and with it a window of 1 or more",
            mask, bias, lengths);
    }

    /// What was made of the members so far, and of which: a copy with another mask makes its own.
    struct Made {
        std::int64_t queries, keys;
        c10::Device device;
        std::optional<Tensor> of_mask, of_bias, of_lengths;
        std::optional<std::int64_t> of_offset, of_window;
        std::optional<Tensor> shown = {}, added = {}, masked_bias = {};
    };
    mutable std::shared_ptr<Made> made = {};
};

}  // namespace silica::op

BOOST_HANA_ADAPT_STRUCT(silica::op::Attends, mask, bias, lengths);

// ---- silica/op/attends.ipp
#ifndef SILICA_SINGLE_OP_ATTENDS_IPP
#define SILICA_SINGLE_OP_ATTENDS_IPP
/// Masks and biases out of what attention was told.

#include <limits>

namespace silica::op {
namespace detail {

/// What was made so far for these sizes on this device.
SILICA_INLINE Attends::Made& made_for(const Attends& a, std::int64_t queries, std::int64_t keys, c10::Device device) {
    const auto same = [](const std::optional<Tensor>& x, const std::optional<Tensor>& y) {
        return x.has_value() == y.has_value() && (!x || x->is_same(*y));
    };
    const auto* m = a.made.get();
    if (m == nullptr || m->queries != queries || m->keys != keys || m->device != device || !same(m->of_mask, a.mask) ||
        !same(m->of_bias, a.bias) || !same(m->of_lengths, a.lengths) || m->of_offset != a.offset ||
        m->of_window != a.window)
        a.made = std::make_shared<Attends::Made>(
            Attends::Made{queries, keys, device, a.mask, a.bias, a.lengths, a.offset, a.window});
    return *a.made;
}

/// `bias`, or zeros, where `shown`; -infinity elsewhere.
SILICA_INLINE std::optional<Tensor> hidden_by(const std::optional<Tensor>& shown, const std::optional<Tensor>& bias,
                                              c10::ScalarType type) {
    if (!shown) return bias ? std::optional(bias->to(type)) : std::nullopt;
    const auto options = shown->options().dtype(type);
    const Tensor never = at::full({}, -std::numeric_limits<double>::infinity(), options);
    return at::where(*shown, bias ? bias->to(type) : at::zeros({}, options), never);
}

}  // namespace detail

SILICA_INLINE std::optional<Tensor> Attends::shown(std::int64_t queries, std::int64_t keys, c10::Device device) const {
    const bool later = hides_later(keys), earlier = hides_earlier(queries);
    if (!later && !earlier && !lengths) return mask;
    auto& made_here = detail::made_for(*this, queries, keys, device);
    if (made_here.shown) return made_here.shown;
    const auto integers = at::TensorOptions().dtype(c10::ScalarType::Long).device(device);
    const Tensor key = at::arange(keys, integers).view({1, 1, 1, keys});
    std::optional<Tensor> all = mask;
    const auto also = [&](const Tensor& m) { all = all ? *all & m : m; };
    if (later || earlier) {
        const Tensor query = at::arange(*offset, *offset + queries, integers).view({1, 1, queries, 1});
        if (later) also(key <= query);
        if (earlier) also(key > query - *window);
    }
    if (lengths) also(key < lengths->to(device).view({-1, 1, 1, 1}));
    return made_here.shown = all;
}

SILICA_INLINE std::optional<Tensor> Attends::added(std::int64_t queries, std::int64_t keys, const Tensor& like) const {
    const auto where = shown(queries, keys, like.device());
    if (!where && (!bias || bias->scalar_type() == like.scalar_type())) return bias;
    auto& all = detail::made_for(*this, queries, keys, like.device()).added;
    if (!all || all->scalar_type() != like.scalar_type()) all = detail::hidden_by(where, bias, like.scalar_type());
    return all;
}

SILICA_INLINE std::optional<Tensor> Attends::masked_bias() const {
    if (!mask && (!bias || bias->scalar_type() == c10::ScalarType::Float)) return bias;
    const Tensor& any = mask ? *mask : *bias;
    auto& both = detail::made_for(*this, made ? made->queries : 0, made ? made->keys : 0, any.device()).masked_bias;
    if (!both) both = detail::hidden_by(mask, bias, c10::ScalarType::Float);
    return both;
}

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_ATTENDS_IPP
#endif  // SILICA_SINGLE_OP_ATTENDS_HPP

namespace silica::op {

/// q (batch, heads, queries, d), k and v (batch, kv_heads, keys, d), heads a multiple of kv_heads: each key head serves
/// as many query heads in turn (Ainslie et al. 2023) -> (batch, heads, queries, d). A query that attends to nothing
/// gets zeros.
struct Attention {
    static constexpr std::string_view name = "attention";
    using signature = Tensor(const Tensor& q, const Tensor& k, const Tensor& v, const Attends& attends, double scale);
    static void check(const Tensor& q, const Tensor& k, const Tensor& v, const Attends& attends, double) {
        const bool heads = q.dim() == 4 && k.dim() == 4 && v.dim() == 4 && k.size(0) == q.size(0) &&
                           v.size(0) == q.size(0) && k.size(1) > 0 && q.size(1) % k.size(1) == 0 &&
                           v.size(1) == k.size(1) && v.size(2) == k.size(2) && k.size(3) == q.size(3) &&
                           k.scalar_type() == q.scalar_type() && v.scalar_type() == q.scalar_type();
        law(heads, name, "q (batch, heads, queries, d), k and v (batch, kv_heads, keys, d) of one type", q, k, v);
        attends.check(name, {q.size(0), q.size(1), q.size(2), k.size(2)});
    }
};
static_assert(OpTag<Attention>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_ATTENTION_HPP
// ---- silica/op/decode_attention.hpp
#ifndef SILICA_SINGLE_OP_DECODE_ATTENTION_HPP
#define SILICA_SINGLE_OP_DECODE_ATTENTION_HPP
/// Attention of one new token to the filled part of a cache: softmax(scale q k^T + mask) v.

#include <optional>

namespace silica::op {

/// q (batch, heads, 1, d); keys and values (batch, kv_heads, capacity, d), heads a multiple of kv_heads; filled (1)
/// int64 on the device, at least 1: slots 0..filled-1 hold keys; mask broadcasts to (batch, heads, 1, capacity): bool,
/// true = attend, or added to the scores -> (batch, heads, 1, d). A row that attends to nothing gives zeros.
struct DecodeAttention {
    static constexpr std::string_view name = "decode_attention";
    using signature = Tensor(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                             const std::optional<Tensor>& mask, double scale);
    static void check(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                      const std::optional<Tensor>& mask, double) {
        law(q.dim() == 4 && q.size(2) == 1 && keys.dim() == 4 && values.dim() == 4 && keys.size(0) == q.size(0) &&
                values.size(0) == q.size(0) && keys.size(1) > 0 && q.size(1) % keys.size(1) == 0 &&
                values.size(1) == keys.size(1) && values.size(2) == keys.size(2) && keys.size(3) == q.size(3) &&
                keys.scalar_type() == q.scalar_type() && values.scalar_type() == q.scalar_type() &&
                is_vector(filled, 1, c10::ScalarType::Long) &&
                (!mask || broadcasts(*mask, {q.size(0), q.size(1), 1, keys.size(2)})),
            name,
            "q (batch, heads, 1, d), keys and values (batch, kv_heads, capacity, d) of one type, filled (1) int64, "
            "mask "
            "that broadcasts to (batch, heads, 1, capacity)",
            q, keys, values, filled, mask);
    }
};
static_assert(OpTag<DecodeAttention>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_DECODE_ATTENTION_HPP

#include <cmath>
#include <optional>

namespace silica::nn {

/// Sizes of attention; `scale` absent: 1 / sqrt(d).
struct AttentionShape {
    std::int64_t hidden;  ///< of x, and of the output
    std::int64_t heads, d;
    std::optional<double> scale = {};
    std::optional<std::int64_t> source = {};  ///< columns of y; absent: those of x

    [[nodiscard]] static AttentionShape of(std::int64_t hidden, std::int64_t heads) {
        return {hidden, heads, hidden / heads};
    }
    [[nodiscard]] std::int64_t width() const { return heads * d; }
};

/// Where the four matrices are; each has a bias if the checkpoint has one.
struct AttentionPlaces {
    Weights query, key, value, output;
};

/// Which of the products of q, k and v take the same input, and so become one.
enum class JoinedProducts {
    all,        ///< self-attention
    query_key,  ///< self-attention whose positions are added to what queries and keys are made of, not the values
    key_value,  ///< cross-attention
    none,       ///< cross-attention with such positions
};

/// Keys and values of one text, (batch, heads, tokens, d) each.
struct KeysValues {
    Tensor keys, values;
};

/// The result of all calls is Concat(head_1, ...), (batch, tokens, heads d), before `output`.
template <class E>
class Attention {
public:
    using Ops = union_of<typename Linear<E>::Ops, OpList<op::Attention, op::DecodeAttention, op::StoreKv>>;

    Attention(const AttentionShape& s, const AttentionPlaces& w, JoinedProducts joined = JoinedProducts::all)
        : output(w.output, s.width(), s.hidden),
          heads_(s.heads),
          d_(s.d),
          scale_(s.scale.value_or(1.0 / std::sqrt(static_cast<double>(s.d)))) {
        const auto n = s.width(), source = s.source.value_or(s.hidden);
        const auto product = [&](const std::vector<Weights>& places, std::int64_t in) {
            products_.emplace_back(places, in, n);
        };
        switch (joined) {
            case JoinedProducts::all:
                product({w.query, w.key, w.value}, s.hidden);
                break;
            case JoinedProducts::query_key:
                product({w.query, w.key}, s.hidden);
                product({w.value}, source);
                break;
            case JoinedProducts::key_value:
                product({w.query}, s.hidden);
                product({w.key, w.value}, source);
                break;
            case JoinedProducts::none:
                product({w.query}, s.hidden);
                product({w.key}, source);
                product({w.value}, source);
        }
    }

    /// x (batch, tokens, hidden) attends to itself.
    Tensor operator()(const Tensor& x, const op::Attends& attends = {}) const {
        const Tensor qkv = products_[0](x);
        return attend(part(qkv, 0), part(qkv, 1), part(qkv, 2), attends);
    }

    /// x attends to itself, with `positions` (broadcast to x) added to what queries and keys are made of.
    Tensor operator()(const Tensor& x, const Tensor& positions, const op::Attends& attends) const {
        const Tensor qk = products_[0](x + positions);
        return attend(part(qk, 0), part(qk, 1), part(products_[1](x), 0), attends);
    }

    /// The same for tokens that follow those in a cache: `length` tokens with the new ones, which go to `slots`.
    Tensor operator()(const Tensor& x, const op::Attends& attends, KvCache& cache, const Tensor& slots,
                      std::int64_t length) const {
        const Tensor q = stored(x, cache, slots);
        return attend(q, cache.keys.narrow(2, 0, length), cache.values.narrow(2, 0, length), attends);
    }

    /// The same for one token per row; `mask` (batch or 1, heads or 1, 1, capacity) as op::DecodeAttention takes it.
    Tensor step(const Tensor& x, KvCache& cache, const KvSlots& slots, const std::optional<Tensor>& mask) const {
        const Tensor q = stored(x, cache, slots.next());
        return joined_heads(run<op::DecodeAttention, E>(q, cache.keys, cache.values, slots.filled(), mask, scale_));
    }

    /// What the tokens of another text attend to: keys of y (batch, tokens, source) and values of it. `positions`:
    /// added to what keys are made of.
    [[nodiscard]] KeysValues keys_values(const Tensor& y, const std::optional<Tensor>& positions = {}) const {
        if (products_.size() == 3) {
            return {part(products_[1](positions ? y + *positions : y), 0), part(products_[2](y), 0)};
        }
        const Tensor kv = products_[1](y);
        return {part(kv, 0), part(kv, 1)};
    }
    /// Queries of x (batch, tokens, hidden) for that: (batch, heads, tokens, d).
    [[nodiscard]] Tensor queries(const Tensor& x) const { return part(products_[0](x), 0); }
    /// x attends to what `keys_values` made of another text.
    Tensor cross(const Tensor& x, const KeysValues& kv, const op::Attends& attends = {}) const {
        return attend(queries(x), kv.keys, kv.values, attends);
    }

    [[nodiscard]] double scale() const noexcept { return scale_; }

    Linear<E> output;  ///< W_O

private:
    Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const op::Attends& attends) const {
        return joined_heads(run<op::Attention, E>(q, k, v, attends, scale_));
    }
    /// Part i of products side by side.
    [[nodiscard]] Tensor part(const Tensor& joined, std::int64_t i) const {
        return heads_of(joined, i * heads_, heads_, d_);
    }
    /// The queries of x, whose keys and values go to `slots` of the cache.
    Tensor stored(const Tensor& x, KvCache& cache, const Tensor& slots) const {
        const Tensor qkv = products_[0](x);
        run<op::StoreKv, E>(InOut<Tensor>{cache.keys}, InOut<Tensor>{cache.values}, part(qkv, 1), part(qkv, 2), slots);
        return part(qkv, 0);
    }

    std::vector<Linear<E>> products_;
    std::int64_t heads_, d_;
    double scale_;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_ATTENTION_HPP
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
    static void check(const Tensor& x, const Tensor& weight, const Tensor& bias, double) {
        law(x.dim() >= 1 && is_vector(weight, x.size(-1), x.scalar_type()) &&
                is_vector(bias, x.size(-1), x.scalar_type()),
            name, "x (..., d), w (d) and b (d) of one type", x, weight, bias);
    }
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

namespace silica::nn {

/// Where the norms of a layer stand.
enum class NormPlace {
    after,   ///< h = Norm(x + Attention(x)), y = Norm(h + FFN(h)): the paper's
    before,  ///< h = x + Attention(Norm(x)), y = h + FFN(Norm(h)): Xiong et al. 2020
};

struct TransformerShape {
    AttentionShape attention;
    std::int64_t inner;  ///< columns within the feed-forward layer
    double eps;
    Activation act;
    NormPlace norms = NormPlace::after;
};

struct TransformerPlaces {
    AttentionPlaces attention;
    Weights attention_norm, up, down, output_norm;
};

/// Attention and FFN(h) = W_down act(W_up h + b) + c, each in a residual branch with a norm.
template <class E>
class TransformerLayer {
public:
    using Ops = union_of<typename Attention<E>::Ops, typename LayerNorm<E>::Ops>;

    TransformerLayer(const TransformerShape& s, const TransformerPlaces& w)
        : attention(s.attention, w.attention),
          attention_norm(w.attention_norm, s.attention.hidden, s.eps),
          up(w.up, s.attention.hidden, s.inner),
          down(w.down, s.inner, s.attention.hidden),
          output_norm(w.output_norm, s.attention.hidden, s.eps),
          act(s.act),
          norms(s.norms) {}

    /// x (batch, tokens, hidden)
    Tensor operator()(const Tensor& x, const op::Attends& attends) const {
        if (norms == NormPlace::before) {
            const Tensor h = attention.output.add(attention(attention_norm(x), attends), x);
            return down.add(up(output_norm(h), act), h);
        }
        const Tensor h = attention_norm(attention.output.add(attention(x, attends), x));
        return output_norm(down.add(up(h, act), h));
    }

private:
    Attention<E> attention;
    LayerNorm<E> attention_norm;
    Linear<E> up, down;
    LayerNorm<E> output_norm;
    Activation act;
    NormPlace norms;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_TRANSFORMER_LAYER_HPP

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
nn::TransformerLayer<E> bert_layer(const BertConfig& c, const Weights& w) {  // bert.encoder.layer.N
    return {{.attention = nn::AttentionShape::of(c.hidden_size, c.num_attention_heads),
             .inner = c.intermediate_size,
             .eps = c.layer_norm_eps,
             .act = c.hidden_act},
            {.attention = {w / "attention.self.query", w / "attention.self.key", w / "attention.self.value",
                           w / "attention.output.dense"},
             .attention_norm = w / "attention.output.LayerNorm",
             .up = w / "intermediate.dense",
             .down = w / "output.dense",
             .output_norm = w / "output.LayerNorm"}};
}

/// Embeddings and layers: what every head stands on.
template <class E>
class BertBody {
public:
    using Ops = union_of<typename BertEmbeddings<E>::Ops, typename nn::TransformerLayer<E>::Ops>;

    /// Where the file leaves the word vectors out, they are those of the decoder they are tied to.
    BertBody(const BertConfig& c, const Weights& w)
        : embeddings(c, w / "bert.embeddings",
                     w.has("bert.embeddings.word_embeddings.weight") || !w.has("cls.predictions.decoder.weight")
                         ? w / "bert.embeddings.word_embeddings"
                         : w / "cls.predictions.decoder"),
          layers(nn::layers(c.num_hidden_layers,
                            [&](auto n) { return bert_layer<E>(c, w / "bert.encoder.layer" / n); })) {}

    /// (batch, tokens, hidden)
    Tensor operator()(const BertInputs& in) const {
        op::Attends attends;
        if (in.attention_mask) attends.mask = in.attention_mask->unsqueeze(1).unsqueeze(1);  // (batch, 1, 1, tokens)
        return nn::through(layers, embeddings(in), attends);
    }

    BertEmbeddings<E> embeddings;
    std::vector<nn::TransformerLayer<E>> layers;
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
#include <type_traits>

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

/// What a network that writes text keeps of its rows (caches, positions): made once, of fixed shape, for one caller at
/// a time. It refers to memory of the device, so it is not copied by accident: `clone()` makes another one.
/// - `batch()`, `capacity()`: rows, and tokens that a row has room for; `length()`: tokens taken so far, padding
///   included; `bytes()` of all caches;
/// - `clear()`: forgets all tokens, the tensors stay;
/// - `reorder(rows)`: row i becomes what row `rows[i]` was, rows (batch) int64 on the device; with an encoder, of the
///   same text;
/// - `replays()`: steps of one kind do the same to the same tensors, so that a graph can replay them; `step_kind()`:
///   the kind of the next one; `advance(tokens)`: what the host counts, which a replay leaves as it was.
template <class S>
concept DecodingState = std::move_constructible<S> && !std::copy_constructible<S> && !std::is_copy_assignable_v<S> &&
                        requires(S& state, const S& fixed, const Tensor& rows) {
                            { fixed.batch() } -> std::same_as<std::int64_t>;
                            { fixed.length() } -> std::same_as<std::int64_t>;
                            { fixed.capacity() } -> std::same_as<std::int64_t>;
                            { fixed.bytes() } -> std::same_as<std::uint64_t>;
                            { fixed.clone() } -> std::same_as<S>;
                            { fixed.replays() } -> std::same_as<bool>;
                            { fixed.step_kind() } -> std::same_as<std::int64_t>;
                            state.clear();
                            state.reorder(rows);
                            state.advance(std::int64_t{});
                        };

/// A network that writes text token by token. What it keeps is in its `State`; the network itself stays const.
/// - `make_state(batch, capacity)`: empty, for `batch` rows of up to `capacity` tokens of the decoder;
/// - `prefill(inputs, state)`: takes a prompt, or the next piece of one -> logits of the next token (batch,
///   vocabulary). With an encoder, its inputs have a row for each text and decoder_input_ids one for each row of the
///   state, those of a text together;
/// - `step(ids, state)`: takes one token per row, ids (batch) int64 on the device -> the same. Reads nothing on the
///   host.
template <class N, class Inputs>
concept Generative = DecodingState<typename N::State> &&
                     requires(const N& network, typename N::State& state, const Inputs& inputs, const Tensor& t) {
                         { network.make_state(std::int64_t{}, std::int64_t{}) } -> std::same_as<typename N::State>;
                         { network.prefill(inputs, state) } -> std::same_as<Tensor>;
                         { network.step(t, state) } -> std::same_as<Tensor>;
                     };

namespace detail {

/// The State of a network; a network that writes no text has one that cannot be made.
template <class Network>
struct state_of {
    struct type {
        type() = delete;
    };
};
template <class Network>
    requires requires { typename Network::State; }
struct state_of<Network> {
    using type = typename Network::State;
};

}  // namespace detail
}  // namespace silica
#endif  // SILICA_SINGLE_ARCH_CONCEPT_HPP
// ---- silica/nn/vocabulary_projection.hpp
#ifndef SILICA_SINGLE_NN_VOCABULARY_PROJECTION_HPP
#define SILICA_SINGLE_NN_VOCABULARY_PROJECTION_HPP
/// The matrix from hidden states to the vocabulary, which many checkpoints tie to the word vectors.

namespace silica::nn {

namespace detail {

template <class Precision>
inline constexpr bool plain_projection = false;
template <class Precision>
    requires(Precision::plain_projection)
inline constexpr bool plain_projection<Precision> = true;

}  // namespace detail

/// The type of that matrix. A quantised precision that says `plain_projection = true` leaves it unquantised.
template <class E>
using VocabularyProjection =
    Linear<std::conditional_t<detail::plain_projection<typename E::precision>, typename E::plain, E>>;

/// The projection at `own`, (vocabulary, d). Tied to `words`, which the file has at the place `table`, where `tie` is
/// set and the file leaves the matrix out or repeats the word vectors there; a matrix that differs from them stays
/// apart. Where the file shares the bytes of the two they are one, whatever `tie` says.
template <class E>
VocabularyProjection<E> vocabulary_projection(const Weights& own, const Weights& table, const Embedding<E>& words,
                                              bool tie, std::int64_t vocabulary, std::int64_t d,
                                              std::optional<Tensor> bias = std::nullopt) {
    using Projection = VocabularyProjection<E>;
    const Tensor vectors = words.weight();
    const auto tied = [&] { return Projection::shared({vectors, std::move(bias)}); };
    if (!own.has("weight") && tie) return tied();
    if (own.same_bytes(table)) return tied();
    Tensor weight = take<op::Linear, E>(own, "weight", {vocabulary, d});
    if (tie && vectors.device() == weight.device() && vectors.equal(weight)) return tied();
    return Projection::own({std::move(weight), std::move(bias)});
}

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_VOCABULARY_PROJECTION_HPP

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
        nn::VocabularyProjection<E> make_decoder(const Config& c, const Weights& w) const {
            const Weights own = w / "cls.predictions.decoder";
            return nn::vocabulary_projection(
                own, w / "bert.embeddings.word_embeddings", body.embeddings.word_embeddings, c.tie_word_embeddings,
                c.vocab_size, c.hidden_size,
                nn::take<op::Linear, E>(own.has("bias") ? own : w / "cls.predictions", "bias", {c.vocab_size}));
        }

        BertBody<E> body;
        nn::Linear<E> transform;
        nn::LayerNorm<E> norm;
        nn::VocabularyProjection<E> decoder;
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
// ---- silica/arch/decoder_config.hpp
#ifndef SILICA_SINGLE_ARCH_DECODER_CONFIG_HPP
#define SILICA_SINGLE_ARCH_DECODER_CONFIG_HPP
/// The text decoder that a composite names by its `model_type`: LLaVA's `text_config` is LLaMA's, Mistral's or Qwen2's.

// ---- silica/arch/llama.hpp
#ifndef SILICA_SINGLE_ARCH_LLAMA_HPP
#define SILICA_SINGLE_ARCH_LLAMA_HPP
/// LLaMA: a decoder with rotary positions, RMS norms and a gated feed-forward layer. Touvron et al. 2023,
/// https://arxiv.org/abs/2302.13971. Followed: transformers, models/llama/modeling_llama.py.

// ---- silica/nn/causal_lm.hpp
#ifndef SILICA_SINGLE_NN_CAUSAL_LM_HPP
#define SILICA_SINGLE_NN_CAUSAL_LM_HPP
/// Language models on a decoder: what the families LLaMA, Qwen2 and Mistral share of their configurations, inputs and
/// heads.

// ---- silica/nn/decoder.hpp
#ifndef SILICA_SINGLE_NN_DECODER_HPP
#define SILICA_SINGLE_NN_DECODER_HPP
/// A decoder with rotary positions, RMS norms, grouped queries and a gated feed-forward layer: what LLaMA, Qwen2 and
/// Mistral share. Touvron et al. 2023, section 2.2; Ainslie et al. 2023; Jiang et al. 2023 for the sliding window.

// ---- silica/nn/decoder_layer.hpp
#ifndef SILICA_SINGLE_NN_DECODER_LAYER_HPP
#define SILICA_SINGLE_NN_DECODER_LAYER_HPP
/// One layer of a decoder with rotary positions: at once, for a piece of a prompt, and for one token.

// ---- silica/nn/decoder_state.hpp
#ifndef SILICA_SINGLE_NN_DECODER_STATE_HPP
#define SILICA_SINGLE_NN_DECODER_STATE_HPP
/// What a decoder with rotary positions keeps of a text while it generates.

// ---- silica/nn/decoder_slots.hpp
#ifndef SILICA_SINGLE_NN_DECODER_SLOTS_HPP
#define SILICA_SINGLE_NN_DECODER_SLOTS_HPP
/// What every decoder keeps of its own tokens while it generates.

#include <optional>
#include <string>
#include <vector>

namespace silica::nn {

/// Of each layer how many of the last tokens it attends to; absent: all.
using Windows = std::vector<std::optional<std::int64_t>>;

/// Keys and values of `batch` rows in all layers, and which slots hold which token. Everything on the device has a
/// fixed shape and place. What the host counts (`length`) advances apart from it, so that a graph can replay the
/// device's part. Moves, and copies by `clone`.
class DecoderSlots {
public:
    /// Caches in `options`, on the device. InputError for more than a machine could hold.
    DecoderSlots(std::int64_t batch, std::int64_t capacity, std::int64_t heads, std::int64_t d, const Windows& windows,
                 at::TensorOptions options)
        : full((check(batch, capacity, heads * d), batch), capacity, options.device()), batch_(batch) {
        for (const auto& window : windows) {
            const auto slots = window ? std::min(*window, capacity) : capacity;
            if (slots < capacity && !sliding) sliding.emplace(batch, slots, options.device());
            caches.emplace_back(batch, heads, slots, d, options);
        }
    }
    DecoderSlots(DecoderSlots&&) = default;
    DecoderSlots& operator=(DecoderSlots&&) = default;
    [[nodiscard]] DecoderSlots clone() const { return DecoderSlots(*this, 0); }

    /// Tokens taken so far, padding included.
    [[nodiscard]] std::int64_t length() const noexcept { return length_; }
    [[nodiscard]] std::int64_t capacity() const noexcept { return full.capacity(); }
    [[nodiscard]] std::int64_t batch() const noexcept { return batch_; }
    /// Bytes of all caches.
    [[nodiscard]] std::uint64_t bytes() const {
        std::uint64_t sum = 0;
        for (const auto& cache : caches) sum += cache.bytes();
        return sum;
    }
    /// Steps with a mask are of another kind: below 4.
    [[nodiscard]] std::int64_t step_kind() const {
        return (full.masked() ? 1 : 0) + (sliding && sliding->masked() ? 2 : 0);
    }

    /// InputError unless there is room for `tokens` more of `batch` rows.
    void require_room(std::int64_t batch, std::int64_t tokens) const {
        if (batch != batch_) {
            throw InputError("The inputs have " + std::to_string(batch) + " rows, the state was made for " +
                                 std::to_string(batch_) + ".",
                             "make a state for as many rows.");
        }
        if (tokens > capacity() - length_) {
            throw InputError("The decoder's tokens need " + std::to_string(length_ + tokens) +
                                 " places, the state has " + std::to_string(capacity()) + ".",
                             "make a state of a larger capacity, or shorten the prompt.");
        }
    }

    /// InputError for a state that a model of other sizes made, or whose caches were moved away.
    void require_caches(std::size_t layers, std::int64_t heads, std::int64_t d) const {
        const auto fits = [&](const Tensor& t) { return t.defined() && t.size(1) == heads && t.size(3) == d; };
        if (caches.size() == layers && (layers == 0 || fits(caches[0].keys))) return;
        throw InputError("The state is not of this model: its caches have other sizes.",
                         "use the state that make_state() of this model returned, where it was moved to.");
    }

    /// The slots of layer `n`.
    [[nodiscard]] KvSlots& slots(std::size_t n) { return caches[n].keys.size(2) < capacity() ? *sliding : full; }
    /// Calls `f(slots)` for each kind of cache there is.
    template <class F>
    void for_each_kind(F&& f) {
        f(full);
        if (sliding) f(*sliding);
    }

    /// What the host counts, after `tokens` more.
    void advance(std::int64_t tokens) { length_ += tokens; }
    /// Forgets all tokens; the tensors stay.
    void clear() {
        for_each_kind([](KvSlots& slots) { slots.clear(); });
        length_ = 0;
    }
    /// Row i becomes what row `rows[i]` was: for beam search.
    void reorder(const Tensor& rows) {
        for (auto& cache : caches) cache.reorder(rows);
        for_each_kind([&](KvSlots& slots) { slots.reorder(rows); });
    }

    std::vector<KvCache> caches;     ///< of each layer
    KvSlots full;                    ///< of the caches that keep every token
    std::optional<KvSlots> sliding;  ///< of those that keep a window

private:
    DecoderSlots(const DecoderSlots& from, int) : full(from.full.clone()), batch_(from.batch_), length_(from.length_) {
        if (from.sliding) sliding.emplace(from.sliding->clone());
        for (const auto& cache : from.caches) caches.push_back(cache.clone());
    }

    static void check(std::int64_t batch, std::int64_t capacity, std::int64_t width) {
        constexpr double most = 1e15;  // values of one layer
        if (static_cast<double>(batch) * static_cast<double>(capacity) * static_cast<double>(width) < most) return;
        throw InputError("A state for " + std::to_string(batch) + " rows of " + std::to_string(capacity) +
                             " tokens is larger than any memory.",
                         "ask for fewer rows, or a smaller capacity.");
    }

    std::int64_t batch_, length_ = 0;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_DECODER_SLOTS_HPP
// ---- silica/nn/rope.hpp
#ifndef SILICA_SINGLE_NN_ROPE_HPP
#define SILICA_SINGLE_NN_ROPE_HPP
/// Tables of rotary position embeddings. Su et al. 2021; the scalings as in transformers' modeling_rope_utils.py.

// ---- silica/nn/rope_parameters.hpp
#ifndef SILICA_SINGLE_NN_ROPE_PARAMETERS_HPP
#define SILICA_SINGLE_NN_ROPE_PARAMETERS_HPP
/// How a configuration says at which frequencies rotary embeddings turn: `rope_parameters`, before that `rope_scaling`
/// and `rope_theta`.

#include <boost/hana/adapt_struct.hpp>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::nn {

/// The kinds of transformers' ROPE_INIT_FUNCTIONS that these families use.
enum class RopeType { plain, linear, dynamic, yarn, longrope, llama3 };

inline constexpr std::array<std::pair<std::string_view, RopeType>, 6> rope_type_names{{
    {"default", RopeType::plain},
    {"linear", RopeType::linear},
    {"dynamic", RopeType::dynamic},
    {"yarn", RopeType::yarn},
    {"longrope", RopeType::longrope},
    {"llama3", RopeType::llama3},
}};
constexpr const auto& enum_names(RopeType) { return rope_type_names; }

/// Keys of `rope_parameters` or `rope_scaling`; which of them count depends on the type.
struct RopeParameters {
    std::optional<RopeType> rope_type = {};
    std::optional<double> rope_theta = {}, factor = {}, low_freq_factor = {}, high_freq_factor = {},
                          attention_factor = {}, beta_fast = {}, beta_slow = {}, mscale = {}, mscale_all_dim = {},
                          partial_rotary_factor = {};
    std::optional<std::int64_t> original_max_position_embeddings = {};
    std::optional<bool> truncate = {};
    std::vector<double> short_factor = {}, long_factor = {};

    static constexpr std::array<std::pair<std::string_view, std::string_view>, 1> aliases() {
        return {{{"rope_type", "type"}}};
    }
    [[nodiscard]] RopeType type() const { return rope_type.value_or(RopeType::plain); }
};

}  // namespace silica::nn

BOOST_HANA_ADAPT_STRUCT(silica::nn::RopeParameters, rope_type, rope_theta, factor, low_freq_factor, high_freq_factor,
                        attention_factor, beta_fast, beta_slow, mscale, mscale_all_dim, partial_rotary_factor,
                        original_max_position_embeddings, truncate, short_factor, long_factor);

namespace silica::nn {

/// What the keys of one configuration say together, with transformers' defaults for what they leave out.
/// `parameters` is `rope_parameters`, `scaling` is `rope_scaling`, `theta` the older key beside it.
/// ConfigError for parameters that the type needs and that are missing or impossible.
[[nodiscard]] RopeParameters rope_of(const std::string& file, const std::optional<RopeParameters>& parameters,
                                     const std::optional<RopeParameters>& scaling, std::optional<double> theta,
                                     std::optional<std::int64_t> original, std::int64_t max_positions, std::int64_t d);

}  // namespace silica::nn

// ---- silica/nn/rope_parameters.ipp
#ifndef SILICA_SINGLE_NN_ROPE_PARAMETERS_IPP
#define SILICA_SINGLE_NN_ROPE_PARAMETERS_IPP
/// One configuration's rotary embeddings, out of its old and new keys.

#include <string>

namespace silica::nn {

SILICA_INLINE RopeParameters rope_of(const std::string& file, const std::optional<RopeParameters>& parameters,
                                     const std::optional<RopeParameters>& scaling, std::optional<double> theta,
                                     std::optional<std::int64_t> original, std::int64_t max_positions, std::int64_t d) {
    RopeParameters r = scaling ? *scaling : parameters.value_or(RopeParameters{});
    if (!r.rope_theta) r.rope_theta = theta.value_or(10000.0);
    if (original) r.original_max_position_embeddings = original;
    if (!r.original_max_position_embeddings) r.original_max_position_embeddings = max_positions;
    const std::string key = file + ": rope_" + (scaling ? "scaling" : "parameters");
    const auto refuse = [&](const std::string& what) {
        throw ConfigError(key + ": " + what, "correct the key, or download the file again.");
    };
    const auto need = [&](const std::optional<double>& value, std::string_view name) {
        if (!value) refuse(std::string(name) + " is missing, which this rope type needs.");
        if (!(*value > 0)) refuse(std::string(name) + " is not above 0.");
    };
    if (d % 2 != 0) refuse("rotary embeddings turn pairs, but head_dim " + std::to_string(d) + " is odd.");
    need(r.rope_theta, "rope_theta");
    if (r.partial_rotary_factor.value_or(1.0) != 1.0) refuse("partial_rotary_factor other than 1 is not supported.");
    if (*r.original_max_position_embeddings < 1) refuse("original_max_position_embeddings is not above 0.");
    switch (r.type()) {
        case RopeType::plain:
            break;
        case RopeType::dynamic:
            if (d <= 2) refuse("type dynamic needs a head_dim above 2.");
            [[fallthrough]];
        case RopeType::linear:
            need(r.factor, "factor");
            break;
        case RopeType::yarn:
            if (!r.factor) {
                r.factor =
                    static_cast<double>(max_positions) / static_cast<double>(*r.original_max_position_embeddings);
            }
            need(r.factor, "factor");
            if (*r.rope_theta == 1.0) refuse("rope_theta 1 gives every pair one frequency, which yarn cannot scale.");
            break;
        case RopeType::llama3:
            need(r.factor, "factor");
            need(r.low_freq_factor, "low_freq_factor");
            need(r.high_freq_factor, "high_freq_factor");
            if (*r.low_freq_factor == *r.high_freq_factor) refuse("low_freq_factor and high_freq_factor are equal.");
            break;
        case RopeType::longrope: {
            const auto pairs = static_cast<std::size_t>(d / 2);
            const auto check = [&](const std::vector<double>& factors, const std::string& name) {
                if (factors.size() == pairs) return;
                refuse(name + " has " + std::to_string(factors.size()) +
                       " numbers, head_dim / 2 = " + std::to_string(pairs) + " are needed.");
            };
            check(r.short_factor, "short_factor");
            check(r.long_factor, "long_factor");
            break;
        }
    }
    return r;
}

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_ROPE_PARAMETERS_IPP
#endif  // SILICA_SINGLE_NN_ROPE_PARAMETERS_HPP

#include <utility>

namespace silica::nn {

/// cos and sin of position times frequency: (positions, d / 2) float32 on the host.
struct RopeTable {
    Tensor cos, sin;
};

/// Turns positions into angles: position p turns pair i of a head by p theta^(-2 i / d), or by what a scaling makes of
/// that frequency.
class Rope {
public:
    /// `d` is the size of a head; parameters come from `rope_of`, checked.
    Rope(RopeParameters parameters, std::int64_t d, std::int64_t max_positions)
        : p_(std::move(parameters)), d_(d), max_positions_(max_positions) {}

    /// Texts with the same key have the same table: dynamic and longrope make it depend on how long a text is.
    [[nodiscard]] std::int64_t key(std::int64_t length) const;
    /// Whether all texts share one table.
    [[nodiscard]] bool fixed() const { return p_.type() != RopeType::dynamic && p_.type() != RopeType::longrope; }

    /// Rows for positions 0 to `positions` - 1, in a text of `length` tokens.
    [[nodiscard]] RopeTable table(std::int64_t positions, std::int64_t length) const;

private:
    /// theta^(2 i / d), (d / 2) float32.
    [[nodiscard]] Tensor powers(double theta) const;

    [[nodiscard]] Tensor frequencies(std::int64_t length) const;

    /// NTK scaling that grows with the text: theta (factor length / max - (factor - 1))^(d / (d - 2)), in float32.
    [[nodiscard]] double stretched_theta(std::int64_t length) const;

    /// Peng et al. 2023, section 3.2: slow pairs are interpolated, fast ones kept, a ramp between.
    [[nodiscard]] Tensor yarn(Tensor f) const;

    /// LLaMA 3.1: wavelengths above original / low are stretched, below original / high kept, a blend between.
    [[nodiscard]] Tensor llama3(Tensor f) const;

    /// What cos and sin are multiplied by: above 1 where a scaling makes attention flatter.
    [[nodiscard]] double attention_scale() const;

    RopeParameters p_;
    std::int64_t d_, max_positions_;
};

}  // namespace silica::nn

// ---- silica/nn/rope.ipp
#ifndef SILICA_SINGLE_NN_ROPE_IPP
#define SILICA_SINGLE_NN_ROPE_IPP
/// The frequencies of each kind of rotary embedding, and their tables.

// ---- silica/core/host_math.hpp
#ifndef SILICA_SINGLE_CORE_HOST_MATH_HPP
#define SILICA_SINGLE_CORE_HOST_MATH_HPP
/// Functions of float32 tensors on the host, for tables that are made there and then moved: the same routines as
/// transformers calls, so that tables agree to the last bit.

#include <ATen/ops/cos.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/sin.h>

namespace silica::host {

/// base^x, elementwise; x on the CPU.
inline Tensor power(double base, const Tensor& x) { return at::pow(at::Scalar(base), x); }
inline Tensor cos(const Tensor& x) { return at::cos(x); }
inline Tensor sin(const Tensor& x) { return at::sin(x); }

}  // namespace silica::host
#endif  // SILICA_SINGLE_CORE_HOST_MATH_HPP

#include <algorithm>
#include <cmath>
#include <numbers>

namespace silica::nn {

SILICA_INLINE std::int64_t Rope::key(std::int64_t length) const {
    if (p_.type() == RopeType::dynamic) return std::max(length, max_positions_);
    if (p_.type() == RopeType::longrope) return length > *p_.original_max_position_embeddings ? 1 : 0;
    return 0;
}

SILICA_INLINE RopeTable Rope::table(std::int64_t positions, std::int64_t length) const {
    const Tensor at_position = at::arange(positions, at::TensorOptions().dtype(c10::ScalarType::Float));
    const Tensor angles = at_position.unsqueeze(1) * frequencies(length).unsqueeze(0);
    const double scale = attention_scale();
    return {host::cos(angles) * scale, host::sin(angles) * scale};
}

SILICA_INLINE Tensor Rope::powers(double theta) const {
    const Tensor even = at::arange(0, d_, 2, at::TensorOptions().dtype(c10::ScalarType::Float));
    return host::power(theta, even / static_cast<double>(d_));
}

SILICA_INLINE Tensor Rope::frequencies(std::int64_t length) const {
    switch (p_.type()) {
        case RopeType::linear:
            return 1.0 / powers(*p_.rope_theta) / *p_.factor;
        case RopeType::dynamic:
            return 1.0 / powers(stretched_theta(std::max(length, max_positions_)));
        case RopeType::yarn:
            return yarn(powers(*p_.rope_theta));
        case RopeType::llama3:
            return llama3(1.0 / powers(*p_.rope_theta));
        case RopeType::longrope: {
            Tensor f = powers(*p_.rope_theta);
            const auto& factors = key(length) == 1 ? p_.long_factor : p_.short_factor;
            auto* at = f.mutable_data_ptr<float>();
            for (std::size_t i = 0; i < factors.size(); ++i) at[i] = 1.0F / (static_cast<float>(factors[i]) * at[i]);
            return f;
        }
        case RopeType::plain:
            break;
    }
    return 1.0 / powers(*p_.rope_theta);
}

SILICA_INLINE double Rope::stretched_theta(std::int64_t length) const {
    const auto factor = static_cast<float>(*p_.factor);
    const float ratio = factor * static_cast<float>(length) / static_cast<float>(max_positions_);
    const auto exponent = static_cast<float>(static_cast<double>(d_) / static_cast<double>(d_ - 2));
    const float stretch = std::pow(ratio - static_cast<float>(*p_.factor - 1), exponent);
    return static_cast<double>(static_cast<float>(*p_.rope_theta) * stretch);
}

SILICA_INLINE Tensor Rope::yarn(Tensor f) const {
    const auto d = static_cast<double>(d_);
    const auto pair_that_turns = [&](double times) {
        const double longest = static_cast<double>(*p_.original_max_position_embeddings);
        return d * std::log(longest / (times * 2 * std::numbers::pi)) / (2 * std::log(*p_.rope_theta));
    };
    const auto or_usual = [](const std::optional<double>& value, double usual) {
        return value.value_or(0) != 0 ? *value : usual;
    };
    double low = pair_that_turns(or_usual(p_.beta_fast, 32)), high = pair_that_turns(or_usual(p_.beta_slow, 1));
    if (p_.truncate.value_or(true)) low = std::floor(low), high = std::ceil(high);
    low = std::max(low, 0.0), high = std::min(high, d - 1);
    if (low == high) high += 0.001;
    auto* at = f.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < f.numel(); ++i) {
        const float ramp = (static_cast<float>(i) - static_cast<float>(low)) / static_cast<float>(high - low);
        const float kept = 1 - std::clamp(ramp, 0.0F, 1.0F);
        const float slow = 1.0F / (static_cast<float>(*p_.factor) * at[i]), fast = 1.0F / at[i];
        at[i] = slow * (1 - kept) + fast * kept;
    }
    return f;
}

SILICA_INLINE Tensor Rope::llama3(Tensor f) const {
    const auto original = static_cast<double>(*p_.original_max_position_embeddings);
    const double low = *p_.low_freq_factor, high = *p_.high_freq_factor;
    const auto longest = static_cast<float>(original / low), shortest = static_cast<float>(original / high);
    const auto factor = static_cast<float>(*p_.factor);
    auto* at = f.mutable_data_ptr<float>();
    for (std::int64_t i = 0; i < f.numel(); ++i) {
        const float wave = static_cast<float>(2 * std::numbers::pi) / at[i];
        const float stretched = wave > longest ? at[i] / factor : at[i];
        const float smooth =
            (static_cast<float>(original) / wave - static_cast<float>(low)) / static_cast<float>(high - low);
        const bool between = !(wave < shortest) && !(wave > longest);
        at[i] = between ? (1 - smooth) * stretched / factor + smooth * stretched : stretched;
    }
    return f;
}

SILICA_INLINE double Rope::attention_scale() const {
    const auto flattening = [](double factor, double m) { return factor <= 1 ? 1.0 : 0.1 * m * std::log(factor) + 1; };
    if (p_.type() == RopeType::yarn) {
        if (p_.attention_factor) return *p_.attention_factor;
        const double m = p_.mscale.value_or(0), all = p_.mscale_all_dim.value_or(0);
        if (m != 0 && all != 0) return flattening(*p_.factor, m) / flattening(*p_.factor, all);
        return flattening(*p_.factor, 1);
    }
    if (p_.type() == RopeType::longrope) {
        if (p_.attention_factor) return *p_.attention_factor;
        const auto original = static_cast<double>(*p_.original_max_position_embeddings);
        const double factor = p_.factor.value_or(static_cast<double>(max_positions_) / original);
        return factor <= 1 ? 1.0 : std::sqrt(1 + std::log(factor) / std::log(original));
    }
    return 1.0;
}

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_ROPE_IPP
#endif  // SILICA_SINGLE_NN_ROPE_HPP

namespace silica::nn {

/// Caches, positions and angles of `batch` rows. Moves, and copies by `clone`.
class DecoderState : public DecoderSlots {
public:
    /// Caches and angles in `options`, on the device.
    DecoderState(std::int64_t batch, std::int64_t capacity, std::int64_t kv_heads, std::int64_t d,
                 const Windows& windows, const Rope& rope, at::TensorOptions options)
        : DecoderSlots(batch, capacity, kv_heads, d, windows, options),
          positions(at::zeros({batch}, options.dtype(c10::ScalarType::Long))),
          cos(at::empty({capacity, d / 2}, options)),
          sin(at::empty({capacity, d / 2}, options)),
          rope_(rope) {
        use_angles(1);
    }

    [[nodiscard]] DecoderState clone() const { return DecoderState(*this, DecoderSlots::clone()); }
    /// Whether every step of a kind does the same to the same tensors, so that a graph can replay it.
    [[nodiscard]] bool replays() const { return rope_.fixed(); }
    void clear() {
        DecoderSlots::clear();
        positions.fill_(0);
        use_angles(1);
    }
    void reorder(const Tensor& rows) {
        DecoderSlots::reorder(rows);
        positions.copy_(positions.index_select(0, rows));
    }

    /// Makes the angles right for a text of `longest` tokens in its longest row.
    void use_angles(std::int64_t longest) {
        longest_ = longest;
        if (key_ == rope_.key(longest)) return;
        key_ = rope_.key(longest);
        const auto table = rope_.table(cos.size(0), longest);
        cos.copy_(table.cos);
        sin.copy_(table.sin);
    }
    [[nodiscard]] std::int64_t longest() const noexcept { return longest_; }

    Tensor positions;  ///< (batch) int64: of the next token of each row
    Tensor cos, sin;   ///< (capacity, d / 2)

private:
    DecoderState(const DecoderState& from, DecoderSlots slots)
        : DecoderSlots(std::move(slots)),
          positions(from.positions.clone()),
          cos(from.cos.clone()),
          sin(from.sin.clone()),
          rope_(from.rope_),
          longest_(from.longest_),
          key_(from.key_) {}

    Rope rope_;
    std::int64_t longest_ = 0, key_ = -1;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_DECODER_STATE_HPP
// ---- silica/nn/rms_norm.hpp
#ifndef SILICA_SINGLE_NN_RMS_NORM_HPP
#define SILICA_SINGLE_NN_RMS_NORM_HPP
/// Root-mean-square normalisation with its scale.

namespace silica::nn {

/// y = x / sqrt(mean(x^2) + eps) * w over the last dimension.
template <class E>
class RmsNorm {
public:
    using Ops = OpList<op::RmsNorm>;

    /// `weight` (d) at `w`.
    RmsNorm(const Weights& w, std::int64_t d, double eps) : weight_(take_home<E>(w, "weight", {d})), eps_(eps) {}

    Tensor operator()(const Tensor& x) const { return run<op::RmsNorm, E>(x, weight_, eps_); }

    [[nodiscard]] const Tensor& weight() const noexcept { return weight_; }
    [[nodiscard]] double eps() const noexcept { return eps_; }

private:
    Tensor weight_;
    double eps_;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_RMS_NORM_HPP
// ---- silica/op/rotary_store.hpp
#ifndef SILICA_SINGLE_OP_ROTARY_STORE_HPP
#define SILICA_SINGLE_OP_ROTARY_STORE_HPP
/// The start of attention in a decode step, in one pass: q and k turn, k and v go into the cache.

// ---- silica/op/rotary.hpp
#ifndef SILICA_SINGLE_OP_ROTARY_HPP
#define SILICA_SINGLE_OP_ROTARY_HPP
/// Rotary position embedding: y = x cos + rotate_half(x) sin, where rotate_half maps (a, b) to (-b, a).
/// Su et al. 2021, equation 34, with the halves paired as in transformers' apply_rotary_pos_emb.

namespace silica::op {

/// x (batch, heads, tokens, d), cos and sin (batch or 1, tokens, d / 2) in the type of x -> (batch, heads, tokens, d).
/// Both halves of d turn by the same angles.
struct Rotary {
    static constexpr std::string_view name = "rotary";
    using signature = Tensor(const Tensor& x, const Tensor& cos, const Tensor& sin);
    static void check(const Tensor& x, const Tensor& cos, const Tensor& sin) {
        law(x.dim() == 4 && x.size(3) % 2 == 0 && turns(cos, x.size(0), x.size(2), x.size(3), x.scalar_type()) &&
                turns(sin, x.size(0), x.size(2), x.size(3), x.scalar_type()),
            name, "x (batch, heads, tokens, d), cos and sin (batch or 1, tokens, d / 2) of one type", x, cos, sin);
    }
    /// Whether `t` holds the angles of `tokens` tokens in heads of `d`.
    static bool turns(const Tensor& t, std::int64_t batch, std::int64_t tokens, std::int64_t d, c10::ScalarType type) {
        return t.dim() == 3 && (t.size(0) == 1 || t.size(0) == batch) && t.size(1) == tokens && t.size(2) == d / 2 &&
               t.scalar_type() == type;
    }
};
static_assert(OpTag<Rotary>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_ROTARY_HPP

namespace silica::op {

/// qkv (batch, 1, (heads + 2 kv_heads) d), the product of the joined projections; cos and sin (batch or 1, 1, d / 2);
/// caches (batch, kv_heads, capacity, d); slot (1) int64 on the device -> q, turned (batch, heads, 1, d).
struct RotaryStore {
    static constexpr std::string_view name = "rotary_store";
    using signature = Tensor(const Tensor& qkv, const Tensor& cos, const Tensor& sin, InOut<Tensor> keys,
                             InOut<Tensor> values, const Tensor& slot);
    static void check(const Tensor& qkv, const Tensor& cos, const Tensor& sin, InOut<Tensor> keys, InOut<Tensor> values,
                      const Tensor& slot) {
        const Tensor &k = keys.value, &v = values.value;
        const bool caches = k.dim() == 4 && k.sizes() == v.sizes() && v.scalar_type() == k.scalar_type();
        const std::int64_t d = caches ? k.size(3) : 0;
        law(caches && d > 0 && d % 2 == 0 && qkv.dim() == 3 && qkv.size(0) == k.size(0) && qkv.size(1) == 1 &&
                qkv.size(2) % d == 0 && (qkv.size(2) / d - 2 * k.size(1)) > 0 &&
                (qkv.size(2) / d - 2 * k.size(1)) % k.size(1) == 0 && qkv.scalar_type() == k.scalar_type() &&
                Rotary::turns(cos, k.size(0), 1, d, k.scalar_type()) &&
                Rotary::turns(sin, k.size(0), 1, d, k.scalar_type()) && is_vector(slot, 1, c10::ScalarType::Long),
            name,
            "qkv (batch, 1, (heads + 2 kv_heads) d), cos and sin (batch or 1, 1, d / 2), caches (batch, kv_heads, "
            "capacity, d) of one type, slot (1) int64",
            qkv, cos, sin, k, v, slot);
    }
    using parts = OpList<Rotary, StoreKv>;

    template <class Exec>
    static Tensor by_parts(const Tensor& qkv, const Tensor& cos, const Tensor& sin, InOut<Tensor> keys,
                           InOut<Tensor> values, const Tensor& slot) {
        const auto kv_heads = keys.value.size(1), d = keys.value.size(3), heads = qkv.size(2) / d - 2 * kv_heads;
        const Tensor by_head = qkv.view({qkv.size(0), 1, heads + 2 * kv_heads, d}).transpose(1, 2);
        const Tensor k = run<Rotary, Exec>(by_head.narrow(1, heads, kv_heads), cos, sin);
        run<StoreKv, Exec>(keys, values, k, by_head.narrow(1, heads + kv_heads, kv_heads), slot);
        return run<Rotary, Exec>(by_head.narrow(1, 0, heads), cos, sin);
    }
};
static_assert(OpTag<RotaryStore>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_ROTARY_STORE_HPP

#include <algorithm>
#include <cmath>
#include <vector>

namespace silica::nn {

/// Sizes of a decoder, in the words of config.json.
struct DecoderShape {
    std::int64_t vocab_size, hidden_size, intermediate_size, num_hidden_layers, num_attention_heads,
        num_key_value_heads, head_dim, max_position_embeddings;
    double rms_norm_eps;
    Activation hidden_act;
    RopeParameters rope;
    Windows windows;
    bool qkv_bias = false, o_bias = false, mlp_bias = false;
    bool tie_word_embeddings = false;
};

/// cos and sin of the positions at hand, (batch or 1, tokens, d / 2).
struct Angles {
    Tensor cos, sin;
};

/// A piece of a prompt, as a layer needs to know it.
struct PromptPiece {
    std::int64_t before, tokens;  ///< before this piece, and in it
    const Angles& angles;
    const op::Attends &full, &sliding;  ///< over what the caches of the kind hold, and the piece
};

/// softmax(q k^T / sqrt(d)) v with q and k turned by their positions; several query heads share a key head.
template <class E>
class DecoderAttention {
public:
    using Ops = union_of<typename Linear<E>::Ops,
                         OpList<op::Rotary, op::StoreKv, op::RotaryStore, op::Attention, op::DecodeAttention>>;

    DecoderAttention(const DecoderShape& c, const Weights& w)  // model.layers.N.self_attn
        : query_key_value({{w / "q_proj", c.num_attention_heads * c.head_dim, c.qkv_bias},
                           {w / "k_proj", c.num_key_value_heads * c.head_dim, c.qkv_bias},
                           {w / "v_proj", c.num_key_value_heads * c.head_dim, c.qkv_bias}},
                          c.hidden_size),
          output({{w / "o_proj", c.hidden_size, c.o_bias}}, c.num_attention_heads * c.head_dim),
          heads(c.num_attention_heads),
          kv_heads(c.num_key_value_heads),
          d(c.head_dim),
          scale(1.0 / std::sqrt(static_cast<double>(c.head_dim))) {}

    /// x (batch, tokens, hidden) -> x + attention(h), h being x normalised. Without a cache.
    Tensor operator()(const Tensor& x, const Tensor& h, const Angles& angles, const op::Attends& attends) const {
        const auto [q, k, v] = turned(h, angles);
        return output.add(joined_heads(run<op::Attention, E>(q, k, v, attends, scale)), x);
    }

    /// The same for a piece of a prompt, whose keys and values go into the cache.
    Tensor prefill(const Tensor& x, const Tensor& h, const PromptPiece& piece, const op::Attends& attends,
                   KvCache& cache, const KvSlots& slots) const {
        const auto [q, k, v] = turned(h, piece.angles);
        const auto attend = [&](const Tensor& keys, const Tensor& values) {
            return joined_heads(run<op::Attention, E>(q, keys, values, attends, scale));
        };
        const auto store = [&] {
            const auto kept = std::min(piece.tokens, slots.capacity()), first = piece.tokens - kept;
            run<op::StoreKv, E>(InOut<Tensor>{cache.keys}, InOut<Tensor>{cache.values}, k.narrow(2, first, kept),
                                v.narrow(2, first, kept), slots.of_new(piece.before + first, kept));
        };
        const auto all = piece.before + piece.tokens;
        if (piece.before > 0 && all <= slots.capacity()) {  // the cache holds all in order, the piece too
            store();
            return output.add(attend(cache.keys.narrow(2, 0, all), cache.values.narrow(2, 0, all)), x);
        }
        const auto with_cached = [&](const Tensor& cached, const Tensor& fresh) {
            return piece.before == 0 ? fresh : at::cat({slots.in_order(cached, 2, piece.before), fresh}, 2);
        };
        const Tensor context = attend(with_cached(cache.keys, k), with_cached(cache.values, v));
        store();
        return output.add(context, x);
    }

    /// The same for one token per row, before its norm.
    Tensor step(const Tensor& x, const RmsNorm<E>& norm, const Angles& angles, KvCache& cache,
                const KvSlots& slots) const {
        const Tensor q = run<op::RotaryStore, E>(query_key_value.of_normed(x, norm), angles.cos, angles.sin,
                                                 InOut<Tensor>{cache.keys}, InOut<Tensor>{cache.values}, slots.next());
        return output.add(joined_heads(run<op::DecodeAttention, E>(q, cache.keys, cache.values, slots.filled(),
                                                                   slots.attend(), scale)),
                          x);
    }

private:
    struct Heads {
        Tensor q, k, v;
    };

    /// (batch, tokens, hidden) -> (batch, heads, tokens, d) each.
    Heads turned(const Tensor& h, const Angles& angles) const {
        const Tensor qkv = query_key_value(h);
        return {run<op::Rotary, E>(heads_of(qkv, 0, heads, d), angles.cos, angles.sin),
                run<op::Rotary, E>(heads_of(qkv, heads, kv_heads, d), angles.cos, angles.sin),
                heads_of(qkv, heads + kv_heads, kv_heads, d)};
    }

    Linear<E> query_key_value, output;
    std::int64_t heads, kv_heads, d;
    double scale;
};

/// h = x + Attention(RMSNorm(x)), y = h + FFN(RMSNorm(h)), FFN(x) = W_down (act(W_gate x) * W_up x).
template <class E>
class DecoderLayer {
public:
    using Ops = union_of<typename DecoderAttention<E>::Ops, typename RmsNorm<E>::Ops, typename Linear<E>::NormedOps>;

    DecoderLayer(const DecoderShape& c, const Weights& w)  // model.layers.N
        : attention_norm(w / "input_layernorm", c.hidden_size, c.rms_norm_eps),
          attention(c, w / "self_attn"),
          mlp_norm(w / "post_attention_layernorm", c.hidden_size, c.rms_norm_eps),
          gate_up({{w / "mlp.gate_proj", c.intermediate_size, c.mlp_bias},
                   {w / "mlp.up_proj", c.intermediate_size, c.mlp_bias}},
                  c.hidden_size),
          down({{w / "mlp.down_proj", c.hidden_size, c.mlp_bias}}, c.intermediate_size),
          act(c.hidden_act) {}

    Tensor operator()(const Tensor& x, const Angles& angles, const op::Attends& attends) const {
        return feed_forward(attention(x, attention_norm(x), angles, attends));
    }
    Tensor prefill(const Tensor& x, const PromptPiece& piece, const op::Attends& attends, KvCache& cache,
                   const KvSlots& slots) const {
        return feed_forward(attention.prefill(x, attention_norm(x), piece, attends, cache, slots));
    }
    Tensor step(const Tensor& x, const Angles& angles, KvCache& cache, const KvSlots& slots) const {
        const Tensor h = attention.step(x, attention_norm, angles, cache, slots);
        return down.add(gate_up.gated_of_normed(h, mlp_norm, act), h);
    }

private:
    Tensor feed_forward(const Tensor& h) const { return down.add(gate_up.gated(mlp_norm(h), act), h); }

    RmsNorm<E> attention_norm;
    DecoderAttention<E> attention;
    RmsNorm<E> mlp_norm;
    Linear<E> gate_up, down;
    Activation act;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_DECODER_LAYER_HPP

#include <algorithm>
#include <string>
#include <vector>

namespace silica::nn {

/// Embedding, layers, last norm: from ids to hidden states, at once or token by token.
template <class E>
class Decoder {
public:
    using Ops = union_of<typename Embedding<E>::Ops, typename DecoderLayer<E>::Ops, typename RmsNorm<E>::Ops>;

    Decoder(const DecoderShape& c, const Weights& w, const Weights& words)  // model
        : embed_tokens(words, c.vocab_size, c.hidden_size),
          layers(nn::layers(c.num_hidden_layers, [&](auto n) { return DecoderLayer<E>(c, w / "layers" / n); })),
          norm(w / "norm", c.hidden_size, c.rms_norm_eps),
          rope(c.rope, c.head_dim, c.max_position_embeddings),
          shape(c),
          home(w.home()) {}

    /// x (batch, tokens, hidden), `attend` (batch, tokens) bool or absent -> (batch, tokens, hidden). Positions count
    /// from the first token, whatever the mask.
    Tensor operator()(Tensor x, const std::optional<Tensor>& attend) const {
        const auto tokens = x.size(1);
        const auto table = rope.table(tokens, tokens);
        const Angles angles{table.cos.to(x.options()).unsqueeze(0), table.sin.to(x.options()).unsqueeze(0)};
        const auto full = attends(0, std::nullopt, attend), sliding = attends(0, window(), attend);
        for (std::size_t n = 0; n < layers.size(); ++n) {
            x = layers[n](x, angles, shape.windows[n] ? sliding : full);
        }
        return norm(x);
    }

    [[nodiscard]] DecoderState make_state(std::int64_t batch, std::int64_t capacity) const {
        return {batch,
                capacity,
                shape.num_key_value_heads,
                shape.head_dim,
                shape.windows,
                rope,
                at::TensorOptions().dtype(E::precision::compute).device(home)};
    }

    /// A piece of a prompt, x (batch, tokens, hidden), `attend` (batch, tokens) bool or absent -> the hidden state of
    /// its last token (batch, hidden). Positions count the tokens that are attended to.
    Tensor prefill(Tensor x, const std::optional<Tensor>& attend, DecoderState& state) const {
        const auto tokens = x.size(1), length = state.length();
        require_own(state);
        state.require_room(x.size(0), tokens);
        const auto [positions, longest] = positions_of(attend, x.size(0), tokens, state);
        state.use_angles(longest);
        const Angles angles{state.cos.index_select(0, positions.view({-1})).view({x.size(0), tokens, -1}),
                            state.sin.index_select(0, positions.view({-1})).view({x.size(0), tokens, -1})};
        const auto full = attends(state.full, length, tokens, std::nullopt, attend);
        const auto sliding = state.sliding ? attends(*state.sliding, length, tokens, window(), attend) : full;
        const PromptPiece piece{length, tokens, angles, full, sliding};
        for (std::size_t n = 0; n < layers.size(); ++n) {
            const auto& slots = state.slots(n);
            x = layers[n].prefill(x, piece, &slots == &state.full ? full : sliding, state.caches[n], slots);
        }
        state.for_each_kind([&](KvSlots& slots) { slots.stored(length, tokens, attend); });
        state.advance(tokens);
        return norm(x.select(1, tokens - 1));
    }

    /// One token per row, x (batch, hidden) -> (batch, hidden).
    Tensor step(Tensor x, DecoderState& state) const {
        require_own(state);
        if (!state.replays()) state.use_angles(state.longest() + 1);
        const auto batch = x.size(0);
        const Angles angles{state.cos.index_select(0, state.positions).view({batch, 1, -1}),
                            state.sin.index_select(0, state.positions).view({batch, 1, -1})};
        state.for_each_kind([](KvSlots& slots) { slots.begin_step(); });
        x = x.unsqueeze(1);
        for (std::size_t n = 0; n < layers.size(); ++n) {
            x = layers[n].step(x, angles, state.caches[n], state.slots(n));
        }
        state.for_each_kind([](KvSlots& slots) { slots.end_step(); });
        state.positions += 1;
        state.advance(1);
        return norm(x.squeeze(1));
    }

    Embedding<E> embed_tokens;

private:
    struct Positions {
        Tensor of_tokens;      ///< (batch, tokens) int64 on the device
        std::int64_t longest;  ///< tokens attended to in the longest row so far
    };

    void require_own(const DecoderState& state) const {
        state.require_caches(layers.size(), shape.num_key_value_heads, shape.head_dim);
    }

    [[nodiscard]] std::optional<std::int64_t> window() const {
        for (const auto& w : shape.windows) {
            if (w) return w;
        }
        return std::nullopt;
    }

    /// Each token's position: how many tokens before it are attended to. Leaves the next token's in the state.
    static Positions positions_of(const std::optional<Tensor>& attend, std::int64_t batch, std::int64_t tokens,
                                  DecoderState& state) {
        if (!attend) {
            const Tensor positions =
                state.positions.unsqueeze(1) + at::arange(tokens, state.positions.options()).unsqueeze(0);
            state.positions.copy_(state.positions + tokens);
            return {positions, (state.length() == 0 ? 0 : state.longest()) + tokens};
        }
        const c10::Device host(c10::DeviceType::CPU);
        const Tensor seen = attend->to(host).contiguous();
        const Tensor next = state.positions.to(host).clone(), positions = at::zeros({batch, tokens}, next.options());
        auto *p = positions.mutable_data_ptr<std::int64_t>(), *n = next.mutable_data_ptr<std::int64_t>();
        std::int64_t longest = 0;
        for (std::int64_t row = 0; row < batch; ++row) {
            for (std::int64_t i = 0; i < tokens; ++i) {
                if (!seen.const_data_ptr<bool>()[row * tokens + i]) continue;
                p[row * tokens + i] = n[row]++;
            }
            longest = std::max(longest, n[row]);
        }
        state.positions.copy_(next);
        return {positions.to(state.positions.device()), longest};
    }

    /// No one attends to what comes later than `before` tokens and itself, nor to what `attend` (batch, keys) leaves
    /// out.
    static op::Attends attends(std::int64_t before, std::optional<std::int64_t> window,
                               const std::optional<Tensor>& attend) {
        auto a = op::Attends::causal(before, window);
        if (attend) a.mask = attend->unsqueeze(1).unsqueeze(1);
        return a;
    }
    /// The same for a piece of a prompt, over what a kind of cache still holds, and the piece.
    static op::Attends attends(const KvSlots& slots, std::int64_t length, std::int64_t tokens,
                               std::optional<std::int64_t> window, const std::optional<Tensor>& attend) {
        const auto before = std::min(length, slots.capacity());
        if (before == 0 || (!slots.masked() && !attend)) return attends(before, window, attend);
        const Tensor rows = slots.attend_in_order(length);
        const Tensor fresh = attend ? *attend : at::ones({rows.size(0), tokens}, rows.options());
        return attends(before, window, at::cat({rows, fresh}, 1));
    }

    std::vector<DecoderLayer<E>> layers;
    RmsNorm<E> norm;
    Rope rope;
    DecoderShape shape;
    c10::Device home;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_DECODER_HPP

#include <boost/hana/adapt_struct.hpp>

#include <algorithm>
#include <optional>
#include <string>

namespace silica::nn {

struct DecoderInputs {
    Tensor input_ids;                           ///< (batch, tokens) int64
    std::optional<Tensor> attention_mask = {};  ///< (batch, tokens) int64 or bool, 1 = attend; absent: all
};
struct DecoderOutputs {
    Tensor last_hidden_state;  ///< (batch, tokens, hidden)
};
struct CausalLmOutputs {
    Tensor logits;  ///< (batch, tokens, vocabulary): of the token that follows
};

/// What all heads of a family share. `Config::shape(file)` throws for values that contradict each other.
template <class ConfigOfFamily>
struct DecoderFamily {
    using Config = ConfigOfFamily;
    using Inputs = DecoderInputs;

    static void check(const Config& c, const std::string& file) { static_cast<void>(c.shape(file)); }

    /// The most positions the model was made for; none where its frequencies follow the length of the text.
    static std::optional<std::int64_t> context(const Config& c) {
        const auto shape = c.shape("the configuration");
        if (shape.rope.type() == RopeType::dynamic) return std::nullopt;
        const double factor = shape.rope.type() == RopeType::linear ? std::max(*shape.rope.factor, 1.0) : 1.0;
        return static_cast<std::int64_t>(static_cast<double>(c.max_position_embeddings) * factor);
    }

    static Inputs prepare(const Config& c, Inputs in) {
        require_tensor("input_ids", in.input_ids, 2, {c10::ScalarType::Long});
        require_ids("input_ids", in.input_ids, c.vocab_size, "vocab_size");
        in.attention_mask = checked_mask("attention_mask", in.attention_mask, "input_ids", in.input_ids);
        return in;
    }

    static checkpoint::NameRules names() {
        return {.base_prefix = "model.",
                .head_prefixes = {"lm_head."},
                .ignored = {"rotary_emb.inv_freq$"},
                .tied = {"lm_head.weight"}};
    }
};

/// `s`, or ConfigError for sizes that are out of range or contradict each other.
[[nodiscard]] DecoderShape checked(DecoderShape s, const std::string& file);

/// hidden_size / num_attention_heads, unless the configuration says `head_dim`.
[[nodiscard]] std::int64_t head_size(const std::string& file, std::optional<std::int64_t> head_dim, std::int64_t hidden,
                                     std::int64_t heads);

/// What the families name alike; windows and biases are theirs.
template <class Config>
DecoderShape decoder_shape(const Config& c, const std::string& file) {
    const auto d = head_size(file, c.head_dim, c.hidden_size, c.num_attention_heads);
    std::optional<std::int64_t> original;
    if constexpr (requires { c.original_max_position_embeddings; }) original = c.original_max_position_embeddings;
    return {
        .vocab_size = c.vocab_size,
        .hidden_size = c.hidden_size,
        .intermediate_size = c.intermediate_size,
        .num_hidden_layers = c.num_hidden_layers,
        .num_attention_heads = c.num_attention_heads,
        .num_key_value_heads = c.num_key_value_heads.value_or(c.num_attention_heads),
        .head_dim = d,
        .max_position_embeddings = c.max_position_embeddings,
        .rms_norm_eps = c.rms_norm_eps,
        .hidden_act = c.hidden_act,
        .rope = rope_of(file, c.rope_parameters, c.rope_scaling, c.rope_theta, original, c.max_position_embeddings, d),
        .windows = Windows(static_cast<std::size_t>(std::max<std::int64_t>(c.num_hidden_layers, 0))),
        .tie_word_embeddings = c.tie_word_embeddings};
}

/// The word vectors of a decoder; where the file leaves them out, the matrix they are tied to.
inline Weights decoder_words(const Weights& w) {
    const Weights own = w / "model.embed_tokens", head = w / "lm_head";
    return own.has("weight") || !head.has("weight") ? own : head;
}

/// The decoder without a head. One type for all families: what tells them apart is in the shape.
template <class E>
class DecoderNetwork {
public:
    using Ops = typename Decoder<E>::Ops;

    DecoderNetwork(const auto& config, const Weights& w)
        : model(config.shape("the configuration"), w / "model", decoder_words(w)) {}

    DecoderOutputs operator()(const DecoderInputs& in) const {
        return {model(model.embed_tokens(in.input_ids), in.attention_mask)};
    }

private:
    Decoder<E> model;
};

/// Which token follows: softmax(W h) over the vocabulary.
template <class E>
class CausalLmNetwork {
public:
    using Ops = union_of<typename Decoder<E>::Ops, typename Linear<E>::Ops>;
    using State = DecoderState;

    CausalLmNetwork(const DecoderShape& c, const Weights& w)
        : model(c, w / "model", decoder_words(w)),
          lm_head(vocabulary_projection(w / "lm_head", w / "model.embed_tokens", model.embed_tokens,
                                        c.tie_word_embeddings, c.vocab_size, c.hidden_size)) {}
    CausalLmNetwork(const auto& config, const Weights& w)
        : CausalLmNetwork(DecoderShape(config.shape("the configuration")), w) {}

    CausalLmOutputs operator()(const DecoderInputs& in) const {
        return {lm_head(model(model.embed_tokens(in.input_ids), in.attention_mask))};
    }

    [[nodiscard]] State make_state(std::int64_t batch, std::int64_t capacity) const {
        return model.make_state(batch, capacity);
    }
    [[nodiscard]] Tensor prefill(const DecoderInputs& in, State& state) const {
        return lm_head(model.prefill(model.embed_tokens(in.input_ids), in.attention_mask, state));
    }
    [[nodiscard]] Tensor step(const Tensor& ids, State& state) const {
        return lm_head(model.step(model.embed_tokens(ids), state));
    }

private:
    Decoder<E> model;
    VocabularyProjection<E> lm_head;
};

}  // namespace silica::nn

BOOST_HANA_ADAPT_STRUCT(silica::nn::DecoderInputs, input_ids, attention_mask);
BOOST_HANA_ADAPT_STRUCT(silica::nn::DecoderOutputs, last_hidden_state);
BOOST_HANA_ADAPT_STRUCT(silica::nn::CausalLmOutputs, logits);

// ---- silica/nn/causal_lm.ipp
#ifndef SILICA_SINGLE_NN_CAUSAL_LM_IPP
#define SILICA_SINGLE_NN_CAUSAL_LM_IPP
/// What configurations of language models must fulfil.

namespace silica::nn {

SILICA_INLINE DecoderShape checked(DecoderShape s, const std::string& file) {
    require_at_least(file, "vocab_size", s.vocab_size);
    require_at_least(file, "hidden_size", s.hidden_size);
    require_at_least(file, "intermediate_size", s.intermediate_size);
    require_at_least(file, "num_hidden_layers", s.num_hidden_layers, 0);
    require_at_least(file, "num_attention_heads", s.num_attention_heads);
    require_at_least(file, "num_key_value_heads", s.num_key_value_heads);
    require_at_least(file, "head_dim", s.head_dim);
    require_at_least(file, "max_position_embeddings", s.max_position_embeddings);
    if (s.num_attention_heads % s.num_key_value_heads != 0) {
        throw ConfigError(file + ": num_attention_heads " + std::to_string(s.num_attention_heads) +
                              " is not a multiple of num_key_value_heads " + std::to_string(s.num_key_value_heads) +
                              ".",
                          "correct one of the two.");
    }
    if (!(s.rms_norm_eps >= 0)) {
        throw ConfigError(file + ": rms_norm_eps is " + std::to_string(s.rms_norm_eps) + ", 0 or more is needed.",
                          "the usual value is 1e-6.");
    }
    for (const auto& window : s.windows) {
        if (window) require_at_least(file, "sliding_window", *window);
    }
    return s;
}

SILICA_INLINE std::int64_t head_size(const std::string& file, std::optional<std::int64_t> head_dim, std::int64_t hidden,
                                     std::int64_t heads) {
    require_at_least(file, "hidden_size", hidden);
    require_at_least(file, "num_attention_heads", heads);
    if (head_dim) return *head_dim;
    if (hidden % heads != 0) {
        throw ConfigError(file + ": hidden_size " + std::to_string(hidden) +
                              " is not a multiple of num_attention_heads " + std::to_string(heads) + ".",
                          "correct one of the two, or give head_dim.");
    }
    return hidden / heads;
}

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_CAUSAL_LM_IPP
#endif  // SILICA_SINGLE_NN_CAUSAL_LM_HPP

namespace silica::arch {

/// Keys and defaults of config.json.
struct LlamaConfig {
    std::int64_t vocab_size = 32000, hidden_size = 4096, intermediate_size = 11008, num_hidden_layers = 32,
                 num_attention_heads = 32, max_position_embeddings = 2048;
    std::optional<std::int64_t> num_key_value_heads = {}, head_dim = {}, original_max_position_embeddings = {};
    std::optional<std::int64_t> bos_token_id = 1, pad_token_id = {};
    std::vector<std::int64_t> eos_token_id = {2};
    Activation hidden_act = Activation::silu;
    double rms_norm_eps = 1e-6;
    bool tie_word_embeddings = false, attention_bias = false, mlp_bias = false;
    std::optional<double> rope_theta = {};
    std::optional<nn::RopeParameters> rope_scaling = {}, rope_parameters = {};

    [[nodiscard]] nn::DecoderShape shape(const std::string& file) const {
        auto s = nn::decoder_shape(*this, file);
        s.qkv_bias = s.o_bias = attention_bias;
        s.mlp_bias = mlp_bias;
        return nn::checked(std::move(s), file);
    }
};

/// What all heads of LLaMA share.
struct LlamaFamily : nn::DecoderFamily<LlamaConfig> {
    static constexpr std::string_view family = "llama";
};

/// LLaMA without a head; opens a checkpoint of any head.
struct Llama : LlamaFamily {
    static constexpr std::string_view name = "LlamaModel";
    using Outputs = nn::DecoderOutputs;
    template <class E>
    using Network = nn::DecoderNetwork<E>;
};

/// LLaMA that writes text.
struct LlamaForCausalLM : LlamaFamily {
    static constexpr std::string_view name = "LlamaForCausalLM";
    using Outputs = nn::CausalLmOutputs;
    template <class E>
    using Network = nn::CausalLmNetwork<E>;
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::LlamaConfig, vocab_size, hidden_size, intermediate_size, num_hidden_layers,
                        num_attention_heads, max_position_embeddings, num_key_value_heads, head_dim,
                        original_max_position_embeddings, bos_token_id, pad_token_id, eos_token_id, hidden_act,
                        rms_norm_eps, tie_word_embeddings, attention_bias, mlp_bias, rope_theta, rope_scaling,
                        rope_parameters);

namespace silica {

static_assert(Architecture<arch::Llama> && Architecture<arch::LlamaForCausalLM>);

}  // namespace silica
#endif  // SILICA_SINGLE_ARCH_LLAMA_HPP
// ---- silica/arch/mistral.hpp
#ifndef SILICA_SINGLE_ARCH_MISTRAL_HPP
#define SILICA_SINGLE_ARCH_MISTRAL_HPP
/// Mistral: LLaMA's decoder with a sliding window. Jiang et al. 2023, https://arxiv.org/abs/2310.06825. Followed:
/// transformers, models/mistral/modeling_mistral.py. LLaVA-NeXT's text model is one.

namespace silica::arch {

/// Keys and defaults of config.json.
struct MistralConfig {
    std::int64_t vocab_size = 32000, hidden_size = 4096, intermediate_size = 14336, num_hidden_layers = 32,
                 num_attention_heads = 32, max_position_embeddings = 131072;
    std::optional<std::int64_t> num_key_value_heads = 8, head_dim = {}, sliding_window = 4096;
    std::optional<std::int64_t> bos_token_id = 1, pad_token_id = {};
    std::vector<std::int64_t> eos_token_id = {2};
    Activation hidden_act = Activation::silu;
    double rms_norm_eps = 1e-6;
    bool tie_word_embeddings = false;
    std::optional<double> rope_theta = {};
    std::optional<nn::RopeParameters> rope_scaling = {}, rope_parameters = {};

    [[nodiscard]] nn::DecoderShape shape(const std::string& file) const {
        auto s = nn::decoder_shape(*this, file);
        for (auto& window : s.windows) window = sliding_window;
        return nn::checked(std::move(s), file);
    }
};

/// What all heads of Mistral share.
struct MistralFamily : nn::DecoderFamily<MistralConfig> {
    static constexpr std::string_view family = "mistral";
};

/// Mistral without a head; opens a checkpoint of any head.
struct Mistral : MistralFamily {
    static constexpr std::string_view name = "MistralModel";
    using Outputs = nn::DecoderOutputs;
    template <class E>
    using Network = nn::DecoderNetwork<E>;
};

/// Mistral that writes text.
struct MistralForCausalLM : MistralFamily {
    static constexpr std::string_view name = "MistralForCausalLM";
    using Outputs = nn::CausalLmOutputs;
    template <class E>
    using Network = nn::CausalLmNetwork<E>;
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::MistralConfig, vocab_size, hidden_size, intermediate_size, num_hidden_layers,
                        num_attention_heads, max_position_embeddings, num_key_value_heads, head_dim, sliding_window,
                        bos_token_id, pad_token_id, eos_token_id, hidden_act, rms_norm_eps, tie_word_embeddings,
                        rope_theta, rope_scaling, rope_parameters);

namespace silica {

static_assert(Architecture<arch::Mistral> && Architecture<arch::MistralForCausalLM>);

}  // namespace silica
#endif  // SILICA_SINGLE_ARCH_MISTRAL_HPP
// ---- silica/arch/qwen2.hpp
#ifndef SILICA_SINGLE_ARCH_QWEN2_HPP
#define SILICA_SINGLE_ARCH_QWEN2_HPP
/// Qwen2: LLaMA's decoder with biases on queries, keys and values, and a sliding window in some layers. Yang et al.
/// 2024, https://arxiv.org/abs/2407.10671. Followed: transformers, models/qwen2/modeling_qwen2.py.

namespace silica::arch {

/// Keys and defaults of config.json.
struct Qwen2Config {
    std::int64_t vocab_size = 151936, hidden_size = 4096, intermediate_size = 22016, num_hidden_layers = 32,
                 num_attention_heads = 32, max_position_embeddings = 32768, max_window_layers = 28;
    std::optional<std::int64_t> num_key_value_heads = 32, head_dim = {}, sliding_window = 4096;
    std::optional<std::int64_t> bos_token_id = {}, pad_token_id = {};
    std::vector<std::int64_t> eos_token_id = {};
    Activation hidden_act = Activation::silu;
    double rms_norm_eps = 1e-6;
    bool tie_word_embeddings = false, use_sliding_window = false;
    std::optional<double> rope_theta = {};
    std::optional<nn::RopeParameters> rope_scaling = {}, rope_parameters = {};
    std::optional<std::vector<std::string>> layer_types = {};

    [[nodiscard]] nn::DecoderShape shape(const std::string& file) const {
        auto s = nn::decoder_shape(*this, file);
        s.windows = windows(file);
        s.qkv_bias = true;
        return nn::checked(std::move(s), file);
    }

private:
    /// `layer_types` says which layers slide; without it those from `max_window_layers` on, where a window is used.
    [[nodiscard]] nn::Windows windows(const std::string& file) const {
        const auto layers = static_cast<std::size_t>(std::max<std::int64_t>(num_hidden_layers, 0));
        nn::Windows all(layers);
        const auto window = use_sliding_window ? sliding_window : std::nullopt;
        if (!layer_types) {
            for (std::size_t n = 0; n < layers; ++n) {
                if (static_cast<std::int64_t>(n) >= max_window_layers) all[n] = window;
            }
            return all;
        }
        if (layer_types->size() != layers) {
            throw ConfigError(file + ": layer_types names " + std::to_string(layer_types->size()) +
                                  " layers, num_hidden_layers is " + std::to_string(layers) + ".",
                              "correct one of the two.");
        }
        for (std::size_t n = 0; n < layers; ++n) {
            const auto& type = (*layer_types)[n];
            if (type == "sliding_attention") {
                if (!window) {
                    throw ConfigError(file + ": layer_types has sliding_attention, but no window is in use.",
                                      "set use_sliding_window and sliding_window.");
                }
                all[n] = window;
            } else if (type != "full_attention") {
                refuse_config(file, "layer_types", type, "known are full_attention and sliding_attention.");
            }
        }
        return all;
    }
};

/// What all heads of Qwen2 share.
struct Qwen2Family : nn::DecoderFamily<Qwen2Config> {
    static constexpr std::string_view family = "qwen2";
};

/// Qwen2 without a head; opens a checkpoint of any head.
struct Qwen2 : Qwen2Family {
    static constexpr std::string_view name = "Qwen2Model";
    using Outputs = nn::DecoderOutputs;
    template <class E>
    using Network = nn::DecoderNetwork<E>;
};

/// Qwen2 that writes text.
struct Qwen2ForCausalLM : Qwen2Family {
    static constexpr std::string_view name = "Qwen2ForCausalLM";
    using Outputs = nn::CausalLmOutputs;
    template <class E>
    using Network = nn::CausalLmNetwork<E>;
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::Qwen2Config, vocab_size, hidden_size, intermediate_size, num_hidden_layers,
                        num_attention_heads, max_position_embeddings, max_window_layers, num_key_value_heads, head_dim,
                        sliding_window, bos_token_id, pad_token_id, eos_token_id, hidden_act, rms_norm_eps,
                        tie_word_embeddings, use_sliding_window, rope_theta, rope_scaling, rope_parameters,
                        layer_types);

namespace silica {

static_assert(Architecture<arch::Qwen2> && Architecture<arch::Qwen2ForCausalLM>);

}  // namespace silica
#endif  // SILICA_SINGLE_ARCH_QWEN2_HPP

#include <string>
#include <variant>

namespace silica::arch {

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

private:
    template <class Config>
    void read_as(const Json& json, const std::string& path) {
        read_json(family.emplace<Config>(), json, path);
    }
};

}  // namespace silica::arch
#endif  // SILICA_SINGLE_ARCH_DECODER_CONFIG_HPP
// ---- silica/arch/t5.hpp
#ifndef SILICA_SINGLE_ARCH_T5_HPP
#define SILICA_SINGLE_ARCH_T5_HPP
/// T5: an encoder and a decoder with relative positions, pre-norm layers and no biases. Raffel et al. 2020,
/// https://arxiv.org/abs/1910.10683; version 1.1 and Flan-T5 with gated feed-forward layers (Shazeer 2020,
/// https://arxiv.org/abs/2002.05202). Followed: transformers, models/t5/modeling_t5.py.

// ---- silica/arch/t5/body.hpp
#ifndef SILICA_SINGLE_ARCH_T5_BODY_HPP
#define SILICA_SINGLE_ARCH_T5_BODY_HPP
/// T5's encoder and decoder: at once, piece by piece, token by token.

// ---- silica/arch/t5/layers.hpp
#ifndef SILICA_SINGLE_ARCH_T5_LAYERS_HPP
#define SILICA_SINGLE_ARCH_T5_LAYERS_HPP
/// T5's layers: attention and feed-forward networks, each within a residual branch that begins with a norm.

// ---- silica/arch/t5/config.hpp
#ifndef SILICA_SINGLE_ARCH_T5_CONFIG_HPP
#define SILICA_SINGLE_ARCH_T5_CONFIG_HPP
/// T5's configuration, inputs and the spellings of its checkpoints.

#include <boost/hana/adapt_struct.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::arch {

/// Keys and defaults of config.json.
struct T5Config {
    std::int64_t vocab_size = 32128, d_model = 512, d_kv = 64, d_ff = 2048, num_layers = 6;
    std::optional<std::int64_t> num_decoder_layers = {};  ///< absent: as many as the encoder has
    std::int64_t num_heads = 8, relative_attention_num_buckets = 32, relative_attention_max_distance = 128;
    double layer_norm_epsilon = 1e-6;
    std::string feed_forward_proj = "relu";  ///< an activation, or "gated-" and an activation
    std::optional<Activation> dense_act_fn = {};
    std::optional<bool> is_gated_act = {}, tie_word_embeddings = {}, scale_decoder_outputs = {};
    bool is_decoder = false;
    std::optional<std::int64_t> decoder_start_token_id = {}, pad_token_id = 0;
    std::vector<std::int64_t> eos_token_id = {1};

    [[nodiscard]] std::int64_t decoder_layers() const { return num_decoder_layers.value_or(num_layers); }

    /// Whether the feed-forward layer is act(x W_0) * (x W_1), not act(x W).
    [[nodiscard]] bool gated() const { return is_gated_act.value_or(feed_forward_proj.starts_with("gated-")); }

    /// The activation of the feed-forward layer; "gated-gelu" means the approximation by tanh. Absent: no such name.
    [[nodiscard]] std::optional<Activation> activation() const {
        if (dense_act_fn) return dense_act_fn;
        if (feed_forward_proj == "gated-gelu") return Activation::gelu_tanh;
        std::string_view wanted = feed_forward_proj;
        if (wanted.starts_with("gated-")) wanted.remove_prefix(6);
        for (const auto& [name, act] : activation_names)
            if (name == wanted) return act;
        return std::nullopt;
    }

    /// Whether the decoder's output is scaled by d_model^-0.5 before the words are scored: T5 1.0, which ties them.
    /// Version 1.1 says `tie_word_embeddings: false` for that and no more: what the file ties is tied all the same.
    [[nodiscard]] bool scales_outputs() const {
        return scale_decoder_outputs.value_or(tie_word_embeddings.value_or(true));
    }
};

struct T5Inputs {
    Tensor input_ids;                           ///< (batch, tokens) int64
    std::optional<Tensor> attention_mask = {};  ///< (batch, tokens) int64 or bool, 1 = attend; absent: all
    /// (batch, decoder tokens) int64; absent: one start token. With k rows for each text they stand together: its
    /// beams.
    std::optional<Tensor> decoder_input_ids = {};
    std::optional<Tensor> decoder_attention_mask = {};  ///< (batch, decoder tokens) as attention_mask
};

struct T5EncoderInputs {
    Tensor input_ids;                           ///< (batch, tokens) int64
    std::optional<Tensor> attention_mask = {};  ///< (batch, tokens) int64 or bool, 1 = attend; absent: all
};

/// What all heads of T5 share.
struct T5Family {
    static constexpr std::string_view family = "t5";
    using Config = T5Config;
    using Inputs = T5Inputs;

    static void check(const Config& c, const std::string& file) {
        require_at_least(file, "vocab_size", c.vocab_size);
        require_at_least(file, "d_model", c.d_model);
        require_at_least(file, "d_kv", c.d_kv);
        require_at_least(file, "d_ff", c.d_ff);
        require_at_least(file, "num_layers", c.num_layers);
        require_at_least(file, "num_decoder_layers", c.decoder_layers());
        require_at_least(file, "num_heads", c.num_heads);
        require_at_least(file, "relative_attention_num_buckets", c.relative_attention_num_buckets, 4);
        require_at_least(file, "relative_attention_max_distance", c.relative_attention_max_distance,
                         c.relative_attention_num_buckets / 2 + 1);
        constexpr std::int64_t farthest = std::int64_t{1} << 20;
        if (c.relative_attention_max_distance > farthest) {
            refuse_config(file, "relative_attention_max_distance", std::to_string(c.relative_attention_max_distance),
                          "the usual value is 128; " + std::to_string(farthest) + " is the most.");
        }
        if (!(c.layer_norm_epsilon >= 0)) {
            throw ConfigError(
                file + ": layer_norm_epsilon is " + std::to_string(c.layer_norm_epsilon) + ", 0 or more is needed.",
                "the usual value is 1e-6.");
        }
        if (!c.activation()) {
            refuse_config(file, "feed_forward_proj", "'" + c.feed_forward_proj + "'",
                          "use an activation such as relu, or one after gated-: gated-gelu.");
        }
        if (c.decoder_start_token_id && (*c.decoder_start_token_id < 0 || *c.decoder_start_token_id >= c.vocab_size)) {
            throw ConfigError(file + ": decoder_start_token_id is " + std::to_string(*c.decoder_start_token_id) +
                                  ", ids from 0 to " + std::to_string(c.vocab_size - 1) + " exist.",
                              "the usual value is 0, that of pad_token_id.");
        }
    }

    /// Fills in the start token where there are no `decoder_input_ids`.
    static Inputs prepare(const Config& c, Inputs in) {
        prepare_text(c, "input_ids", in.input_ids, "attention_mask", in.attention_mask);
        if (!in.decoder_input_ids) {
            if (in.decoder_attention_mask) {
                throw InputError("Input decoder_attention_mask is given without decoder_input_ids.",
                                 "give both or neither.");
            }
            if (!c.decoder_start_token_id) {
                throw InputError("Input decoder_input_ids is missing, and config.json names no decoder_start_token_id.",
                                 "give the first token of the decoder; T5 starts with pad_token_id.");
            }
            in.decoder_input_ids = at::full({in.input_ids.size(0), 1}, *c.decoder_start_token_id,
                                            at::TensorOptions().dtype(c10::ScalarType::Long));
        }
        prepare_text(c, "decoder_input_ids", *in.decoder_input_ids, "decoder_attention_mask",
                     in.decoder_attention_mask);
        if (in.decoder_input_ids->size(0) % in.input_ids.size(0) != 0) {
            throw InputError("Input decoder_input_ids has shape " + shape_text(in.decoder_input_ids->sizes()) +
                                 ", input_ids has " + shape_text(in.input_ids.sizes()) + ".",
                             "give both the same number of rows, or each text as many rows of the decoder, one after "
                             "another.");
        }
        return in;
    }

    static checkpoint::NameRules names() {
        return {.renames = {{"^transformer", ""}},  // heads for classes of texts and tokens keep their body there
                .ignored = {"^decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight$"},
                .tied = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"}};
    }

protected:
    static void prepare_text(const Config& c, std::string_view ids_name, const Tensor& ids, std::string_view mask_name,
                             std::optional<Tensor>& mask) {
        require_tensor(ids_name, ids, 2, {c10::ScalarType::Long});
        require_ids(ids_name, ids, c.vocab_size, "vocab_size");
        mask = checked_mask(mask_name, mask, ids_name, ids);
    }
};

/// The encoder by itself.
struct T5EncoderFamily : T5Family {
    using Inputs = T5EncoderInputs;

    static void check(const Config& c, const std::string& file) {
        T5Family::check(c, file);
        if (c.is_decoder) refuse_config(file, "is_decoder", "true", "use a checkpoint of an encoder.");
    }

    static Inputs prepare(const Config& c, Inputs in) {
        prepare_text(c, "input_ids", in.input_ids, "attention_mask", in.attention_mask);
        return in;
    }

    static checkpoint::NameRules names() {
        auto rules = T5Family::names();
        rules.ignored = {"^decoder"};
        return rules;
    }
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::T5Config, vocab_size, d_model, d_kv, d_ff, num_layers, num_decoder_layers,
                        num_heads, relative_attention_num_buckets, relative_attention_max_distance, layer_norm_epsilon,
                        feed_forward_proj, dense_act_fn, is_gated_act, tie_word_embeddings, scale_decoder_outputs,
                        is_decoder, decoder_start_token_id, pad_token_id, eos_token_id);
BOOST_HANA_ADAPT_STRUCT(silica::arch::T5Inputs, input_ids, attention_mask, decoder_input_ids, decoder_attention_mask);
BOOST_HANA_ADAPT_STRUCT(silica::arch::T5EncoderInputs, input_ids, attention_mask);
#endif  // SILICA_SINGLE_ARCH_T5_CONFIG_HPP
// ---- silica/op/clamp.hpp
#ifndef SILICA_SINGLE_OP_CLAMP_HPP
#define SILICA_SINGLE_OP_CLAMP_HPP
/// y = min(max(x, low), high).

namespace silica::op {

/// Elementwise; x and y have any equal shape. NaN stays NaN.
struct Clamp {
    static constexpr std::string_view name = "clamp";
    using signature = Tensor(const Tensor& x, double low, double high);
};
static_assert(OpTag<Clamp>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_CLAMP_HPP
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
    using plain = Fp32;
};
static_assert(PrecisionPolicy<Fp32>);

}  // namespace silica::precision
#endif  // SILICA_SINGLE_PRECISION_FP32_HPP

#include <string_view>
#include <type_traits>

namespace silica::arch {

/// The precision of the sums over the layers. In float16 these leave its range, so they, the norms and the last product
/// of each feed-forward layer are in float32, as in transformers.
template <class E>
using T5Residual =
    std::conditional_t<E::precision::compute == c10::ScalarType::Half, typename E::template with<precision::Fp32>, E>;

/// x / sqrt(mean(x^2) + eps) * w, of the residual sum.
template <class E>
class T5Norm {
public:
    using Ops = typename nn::RmsNorm<T5Residual<E>>::Ops;

    T5Norm(const T5Config& c, const Weights& w) : norm(w, c.d_model, c.layer_norm_epsilon) {}
    Tensor operator()(const Tensor& x) const { return norm(x).to(E::precision::compute); }

private:
    nn::RmsNorm<T5Residual<E>> norm;
};

/// x + W_O attend(Norm(x)). There is no scale 1 / sqrt(d_kv): the weights have it.
template <class E>
class T5Attention {
public:
    using Ops = union_of<typename T5Norm<E>::Ops, typename nn::Attention<E>::Ops, OpList<op::Clamp>>;

    T5Attention(const T5Config& c, const Weights& w, std::string_view name,
                nn::JoinedProducts joined)  // block.N.layer.i
        : norm(c, w / "layer_norm"),
          attention({c.d_model, c.num_heads, c.d_kv, 1.0},
                    {w / name / "q", w / name / "k", w / name / "v", w / name / "o"}, joined) {}

    /// `attend(attention, h)` is what attention makes of h = Norm(x), (batch, tokens, heads d_kv).
    template <class F>
    Tensor operator()(const Tensor& x, F&& attend) const {
        const Tensor context = attend(attention, norm(x));
        if constexpr (std::is_same_v<T5Residual<E>, E>) {
            return attention.output.add(context, x);
        } else {  // an infinity becomes the largest number less 1000, as in transformers
            constexpr double most = 65504 - 1000;
            return x + run<op::Clamp, E>(attention.output(context), -most, most);
        }
    }

    [[nodiscard]] nn::KeysValues keys_values(const Tensor& encoded) const { return attention.keys_values(encoded); }

private:
    T5Norm<E> norm;
    nn::Attention<E> attention;
};

/// x + W_o act(W_i Norm(x)), or gated: x + W_o (act(W_0 h) * (W_1 h)), h = Norm(x). Shazeer 2020, equation 6.
template <class E>
class T5FeedForward {
public:
    using Ops = union_of<typename T5Norm<E>::Ops, typename nn::Linear<E>::GatedOps>;

    T5FeedForward(const T5Config& c, const Weights& w)  // the last layer of a block
        : norm(c, w / "layer_norm"),
          input(c.gated() ? nn::Linear<E>({w / "DenseReluDense.wi_0", w / "DenseReluDense.wi_1"}, c.d_model, c.d_ff)
                          : nn::Linear<E>(w / "DenseReluDense.wi", c.d_model, c.d_ff)),
          output(w / "DenseReluDense.wo", c.d_ff, c.d_model),
          act(c.activation().value()),
          gated(c.gated()) {}

    Tensor operator()(const Tensor& x) const {
        const Tensor h = norm(x);
        const Tensor inner = gated ? input.gated(h, act) : input(h, act);
        return output.add(inner.to(T5Residual<E>::precision::compute), x);
    }

private:
    T5Norm<E> norm;
    nn::Linear<E> input;
    nn::Linear<T5Residual<E>> output;
    Activation act;
    bool gated;
};

/// The word vectors: one matrix for encoder, decoder and scores, under any of its names; what the file holds apart and
/// different stays apart.
template <class E>
class T5Words {
public:
    T5Words(const T5Config& c, const Weights& w) : model(w), place(w / "shared"), shape{c.vocab_size, c.d_model} {
        for (const auto* other : {"encoder.embed_tokens", "decoder.embed_tokens", "lm_head"})
            if (!place.has("weight") && (w / other).has("weight")) place = w / other;
        table = nn::take<op::Embedding, E>(place, "weight", shape);
    }

    /// Those of "encoder.embed_tokens" or "decoder.embed_tokens".
    [[nodiscard]] nn::Embedding<E> embedding(std::string_view name) const {
        return nn::Embedding<E>(own<op::Embedding>(model / name).value_or(table));
    }

    /// Scores of all words: x W^T.
    [[nodiscard]] nn::VocabularyProjection<E> scores() const {
        using Projection = nn::VocabularyProjection<E>;
        auto other = own<op::Linear>(model / "lm_head");
        return other ? Projection::own({std::move(*other)}) : Projection::shared({table});
    }

private:
    /// What the file holds at `there` and nowhere else.
    template <class Op>
    [[nodiscard]] std::optional<Tensor> own(const Weights& there) const {
        if (there.path() == place.path() || !there.has("weight") || there.same_bytes(place)) return std::nullopt;
        Tensor other = nn::take<Op, E>(there, "weight", shape);
        if (other.device() == table.device() && other.equal(table)) return std::nullopt;
        return other;
    }

    Weights model, place;
    std::vector<std::int64_t> shape;
    Tensor table;
};

}  // namespace silica::arch
#endif  // SILICA_SINGLE_ARCH_T5_LAYERS_HPP
// ---- silica/arch/t5/position_bias.hpp
#ifndef SILICA_SINGLE_ARCH_T5_POSITION_BIAS_HPP
#define SILICA_SINGLE_ARCH_T5_POSITION_BIAS_HPP
/// T5's relative positions: a learned number for each head and each bucket of distances, added to the scores. Raffel et
/// al. 2020, section 2.1.

// ---- silica/core/limits.hpp
#ifndef SILICA_SINGLE_CORE_LIMITS_HPP
#define SILICA_SINGLE_CORE_LIMITS_HPP
/// The numbers that floating types can hold.

#include <c10/core/ScalarType.h>

namespace silica {

/// The least finite number of float16, bfloat16 or float32: what transformers adds to scores to hide a key.
constexpr double least_of(c10::ScalarType type) {
    return type == c10::ScalarType::Half ? -65504.0 : type == c10::ScalarType::BFloat16 ? -0x1.FEp127 : -0x1.FFFFFEp127;
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_LIMITS_HPP

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace silica::arch {

/// The bucket of `relative` = position of the key - position of the query. Half of the buckets are for single
/// distances, the others grow with the logarithm up to `max_distance`; all beyond fall in the last. In both directions,
/// keys after the query have buckets of their own; else they count as distance 0. In float32, as transformers computes
/// it.
inline std::int64_t t5_bucket(std::int64_t relative, bool both_directions, std::int64_t buckets,
                              std::int64_t max_distance) {
    if (both_directions) buckets /= 2;
    const std::int64_t first = both_directions && relative > 0 ? buckets : 0;
    const std::int64_t distance = both_directions ? std::abs(relative) : std::max<std::int64_t>(-relative, 0);
    const std::int64_t exact = buckets / 2;
    if (distance < exact) return first + distance;
    const auto growth = static_cast<float>(std::log(static_cast<double>(max_distance) / static_cast<double>(exact)));
    const float steps = std::log(static_cast<float>(distance) / static_cast<float>(exact)) / growth *
                        static_cast<float>(buckets - exact);
    return first + std::min(exact + static_cast<std::int64_t>(steps), buckets - 1);
}

/// What each head adds to the score of a key for a query: b[bucket(key - query)], by distance.
template <class E>
class T5PositionBias {
public:
    T5PositionBias(const T5Config& c, const Weights& w, bool both_directions)  // block.0.layer.0.SelfAttention
        : farthest_(c.relative_attention_max_distance), last_(both_directions ? farthest_ : 0) {
        const auto buckets = c.relative_attention_num_buckets;
        const Tensor ids = at::empty({farthest_ + last_ + 1}, at::TensorOptions().dtype(c10::ScalarType::Long));
        for (std::int64_t i = 0; i < ids.numel(); ++i)
            ids.mutable_data_ptr<std::int64_t>()[i] = t5_bucket(i - farthest_, both_directions, buckets, farthest_);
        const Tensor bias = nn::take_home<E>(w, "relative_attention_bias.weight", {buckets, c.num_heads});
        by_distance_ = bias.index_select(0, ids.to(bias.device())).t().contiguous();
    }

    /// For relative positions (n) int64 on the device -> (heads, n).
    Tensor operator()(const Tensor& relative) const {
        const auto ids = relative.options();
        const Tensor near = at::where(relative < -farthest_, at::full({}, -farthest_, ids), relative);
        return by_distance_.index_select(1, at::where(near > last_, at::full({}, last_, ids), near) + farthest_);
    }

    /// For `queries` positions from `first` on and the keys 0 to `keys` - 1 -> (1, heads, queries, keys).
    Tensor operator()(std::int64_t first, std::int64_t queries, std::int64_t keys) const {
        return (*this)(relative(first, queries, keys).view({-1})).view({1, -1, queries, keys});
    }

    /// Position of the key - position of the query, (queries, keys) int64 on the device.
    [[nodiscard]] Tensor relative(std::int64_t first, std::int64_t queries, std::int64_t keys) const {
        const auto ids = by_distance_.options().dtype(c10::ScalarType::Long);
        return at::arange(keys, ids) - at::arange(first, first + queries, ids).unsqueeze(1);
    }

private:
    std::int64_t farthest_, last_;  // beyond these distances, to the left and to the right, nothing changes
    Tensor by_distance_;            // (heads, farthest_ + 1 + last_)
};

/// `bias` where `attend` (bool, broadcasts) is true, elsewhere the least number there is: a query that may attend to
/// nothing attends to all alike, as in transformers.
template <class E>
Tensor t5_masked(const Tensor& bias, const Tensor& attend) {
    return at::where(attend, bias, at::full({}, least_of(E::precision::compute), bias.options()));
}

}  // namespace silica::arch
#endif  // SILICA_SINGLE_ARCH_T5_POSITION_BIAS_HPP
// ---- silica/nn/cross_cache.hpp
#ifndef SILICA_SINGLE_NN_CROSS_CACHE_HPP
#define SILICA_SINGLE_NN_CROSS_CACHE_HPP
/// What a decoder keeps of the text, picture or sound that an encoder read.

#include <optional>
#include <vector>

namespace silica::nn {

/// Keys and values of an encoder's output in all layers, once for all that follows. Several rows of the decoder that
/// stand together may share one text: the beams of a search. The tensors keep their places while texts are no longer
/// than the longest so far, so that a graph can replay a step. Moves, and copies by `clone`.
class CrossCache {
public:
    explicit CrossCache(std::int64_t layers) : layers_(static_cast<std::size_t>(layers)) {}
    CrossCache(CrossCache&&) = default;
    CrossCache& operator=(CrossCache&&) = default;
    [[nodiscard]] CrossCache clone() const {
        CrossCache copy(*this);
        if (!filled_.defined()) return copy;  // nothing was taken yet
        for (auto& kv : copy.layers_) kv = {kv.keys.clone(), kv.values.clone()};
        for (Tensor* t : {&copy.filled_, &copy.hidden_}) *t = t->clone();
        return copy;
    }

    /// Takes an encoder's output (texts, tokens, d), of which layer `n` makes keys and values by `make(n)`, for `rows`
    /// rows of the decoder, a multiple of the texts. `attend` (texts, tokens) bool, true = attend; absent: all.
    template <class Make>
    void take(const Tensor& encoded, const std::optional<Tensor>& attend, std::int64_t rows, Make&& make) {
        const auto texts = encoded.size(0);
        tokens_ = encoded.size(1);
        const bool fits = filled_.defined() && texts == texts_ && rows / texts == share_ && tokens_ <= capacity();
        texts_ = texts, share_ = rows / texts;
        if (!fits) {
            ++shapes_;
            filled_ = at::empty({1}, encoded.options().dtype(c10::ScalarType::Long));
            hidden_ = at::zeros({texts, 1, 1, tokens_}, encoded.options());
        }
        for (std::size_t n = 0; n < layers_.size(); ++n) {
            const KeysValues kv = make(n);
            if (!fits) {
                layers_[n] = {kv.keys.contiguous(), kv.values.contiguous()};
            } else {
                layers_[n].keys.narrow(2, 0, tokens_).copy_(kv.keys);
                layers_[n].values.narrow(2, 0, tokens_).copy_(kv.values);
            }
        }
        filled_.fill_(tokens_);
        if (attend) hidden_.narrow(3, 0, tokens_).copy_(hidden_by(*attend));
        if (masked_ != attend.has_value()) masked_ = attend.has_value(), ++shapes_;
    }

    /// x (rows, tokens, hidden) attends to it through `attention`, in layer `n`.
    template <class E>
    Tensor attend(const Attention<E>& attention, const Tensor& x, std::size_t n) const {
        const auto queries = x.size(1);
        const KeysValues kv{layers_[n].keys.narrow(2, 0, tokens_), layers_[n].values.narrow(2, 0, tokens_)};
        op::Attends attends;
        if (masked_) attends.bias = hidden_.narrow(3, 0, tokens_);
        if (share_ == 1) return attention.cross(x, kv, attends);
        // The rows of a text ask one after another, like the tokens of one row.
        return attention.cross(x.reshape({texts_, share_ * queries, x.size(2)}), kv, attends)
            .reshape({texts_ * share_, queries, -1});
    }

    /// The same for one token per row, x (rows, 1, hidden).
    template <class E>
    Tensor step(const Attention<E>& attention, const Tensor& x, std::size_t n) const {
        const Tensor q = attention.queries(x);  // (rows, heads, 1, d)
        const auto heads = q.size(1), d = q.size(3);
        // The rows of a text are to each head of keys what grouped query heads are.
        const Tensor grouped =
            share_ == 1 ? q
                        : q.reshape({texts_, share_, heads, d}).transpose(1, 2).reshape({texts_, heads * share_, 1, d});
        const auto& kv = layers_[n];
        const Tensor y = run<op::DecodeAttention, E>(grouped, kv.keys, kv.values, filled_, bias(), attention.scale());
        if (share_ == 1) return joined_heads(y);
        return y.view({texts_, heads, share_, d}).transpose(1, 2).reshape({texts_ * share_, 1, heads * d});
    }

    /// Tokens that fit without new tensors.
    [[nodiscard]] std::int64_t capacity() const {
        return layers_.empty() || !layers_[0].keys.defined() ? 0 : layers_[0].keys.size(2);
    }
    /// Counts how often the tensors changed their shapes or places: steps before and after are of another kind.
    [[nodiscard]] std::int64_t shapes() const noexcept { return shapes_; }
    [[nodiscard]] std::uint64_t bytes() const {
        std::uint64_t sum = 0;
        for (const auto& kv : layers_) {
            if (kv.keys.defined()) sum += static_cast<std::uint64_t>(kv.keys.nbytes() + kv.values.nbytes());
        }
        return sum;
    }
    /// Row i becomes what row `rows[i]` was. Where rows share a text they stay with it, and nothing moves.
    void reorder(const Tensor& rows) {
        if (share_ > 1) return;
        for (auto& kv : layers_) {
            kv.keys.copy_(kv.keys.index_select(0, rows));
            kv.values.copy_(kv.values.index_select(0, rows));
        }
        if (masked_) hidden_.copy_(hidden_.index_select(0, rows));
    }

private:
    CrossCache(const CrossCache&) = default;

    [[nodiscard]] std::optional<Tensor> bias() const { return masked_ ? std::optional(hidden_) : std::nullopt; }

    /// What is added to the scores, (texts, 1, 1, tokens): the least number there is where `attend` is false. A query
    /// that may attend to nothing attends to all alike, as in transformers.
    [[nodiscard]] Tensor hidden_by(const Tensor& attend) const {
        const Tensor mask = attend.unsqueeze(1).unsqueeze(1);
        return at::where(mask, at::zeros({}, hidden_.options()),
                         at::full({}, least_of(hidden_.scalar_type()), hidden_.options()));
    }

    std::vector<KeysValues> layers_;
    Tensor filled_, hidden_;  // (1) int64 tokens of the text; (texts, 1, 1, capacity), added to the scores
    std::int64_t texts_ = 1, share_ = 1, tokens_ = 0, shapes_ = 0;
    bool masked_ = false;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_CROSS_CACHE_HPP

namespace silica::arch {

/// What T5's decoder keeps of a text while it generates: its own tokens, the encoder's text, and the position bias of
/// every distance. Moves, and copies by `clone`.
class T5State : public nn::DecoderSlots {
public:
    /// Caches in `options`, on the device. `position_bias` for the relative positions 1 - capacity to capacity - 1,
    /// (heads, 2 capacity - 1).
    T5State(std::int64_t batch, std::int64_t capacity, const T5Config& c, Tensor position_bias,
            at::TensorOptions options)
        : DecoderSlots(batch, capacity, c.num_heads, c.d_kv, nn::Windows(static_cast<std::size_t>(c.decoder_layers())),
                       options),
          text(c.decoder_layers()),
          bias_by_distance_(std::move(position_bias)),
          all_(at::arange(capacity, options.dtype(c10::ScalarType::Long))) {}

    [[nodiscard]] T5State clone() const { return {DecoderSlots::clone(), text.clone(), bias_by_distance_, all_}; }
    [[nodiscard]] std::uint64_t bytes() const { return DecoderSlots::bytes() + text.bytes(); }
    /// Every step of a kind does the same to the same tensors, so that a graph can replay it.
    [[nodiscard]] bool replays() const noexcept { return true; }
    /// Steps after an encoder's output of another shape are of another kind.
    [[nodiscard]] std::int64_t step_kind() const { return 4 * text.shapes() + DecoderSlots::step_kind(); }
    void reorder(const Tensor& rows) {
        DecoderSlots::reorder(rows);
        text.reorder(rows);
    }

    /// The position bias of the last token that is filled, for every slot: (1, heads, 1, capacity).
    [[nodiscard]] Tensor step_bias() const {
        return bias_by_distance_.index_select(1, all_ + (capacity() - full.filled())).unsqueeze(1).unsqueeze(0);
    }

    nn::CrossCache text;

private:
    T5State(DecoderSlots slots, nn::CrossCache t, Tensor bias, Tensor all)
        : DecoderSlots(std::move(slots)),
          text(std::move(t)),
          bias_by_distance_(std::move(bias)),
          all_(std::move(all)) {}

    Tensor bias_by_distance_, all_;
};

/// h = x + SelfAttention(Norm(x)), y = h + FeedForward(Norm(h)).
template <class E>
class T5EncoderBlock {
public:
    using Ops = union_of<typename T5Attention<E>::Ops, typename T5FeedForward<E>::Ops>;

    T5EncoderBlock(const T5Config& c, const Weights& w)  // encoder.block.N
        : self_attention(c, w / "layer.0", "SelfAttention", nn::JoinedProducts::all), feed_forward(c, w / "layer.1") {}

    Tensor operator()(const Tensor& x, const op::Attends& attends) const {
        return feed_forward(self_attention(x, [&](const auto& a, const Tensor& h) { return a(h, attends); }));
    }

private:
    T5Attention<E> self_attention;
    T5FeedForward<E> feed_forward;
};

template <class E>
class T5Encoder {
public:
    using Ops = union_of<typename nn::Embedding<E>::Ops, typename T5EncoderBlock<E>::Ops, typename T5Norm<E>::Ops>;

    T5Encoder(const T5Config& c, const Weights& w, const T5Words<E>& words)  // encoder
        : embed_tokens(words.embedding("encoder.embed_tokens")),
          position_bias(c, w / "block.0.layer.0.SelfAttention", true),
          blocks(nn::layers(c.num_layers, [&](auto n) { return T5EncoderBlock<E>(c, w / "block" / n); })),
          norm(c, w / "final_layer_norm") {}

    /// ids and mask (batch, tokens) -> (batch, tokens, d_model).
    Tensor operator()(const Tensor& ids, const std::optional<Tensor>& attention_mask) const {
        op::Attends attends{.bias = position_bias(0, ids.size(1), ids.size(1))};
        if (attention_mask) attends.bias = t5_masked<E>(*attends.bias, attention_mask->unsqueeze(1).unsqueeze(1));
        return norm(nn::through(blocks, embed_tokens(ids).to(T5Residual<E>::precision::compute), attends));
    }

private:
    nn::Embedding<E> embed_tokens;
    T5PositionBias<E> position_bias;
    std::vector<T5EncoderBlock<E>> blocks;
    T5Norm<E> norm;
};

/// h = x + SelfAttention(Norm(x)), g = h + CrossAttention(Norm(h), encoder), y = g + FeedForward(Norm(g)).
template <class E>
class T5DecoderBlock {
public:
    using Ops = union_of<typename T5Attention<E>::Ops, typename T5FeedForward<E>::Ops>;

    T5DecoderBlock(const T5Config& c, const Weights& w)  // decoder.block.N
        : self_attention(c, w / "layer.0", "SelfAttention", nn::JoinedProducts::all),
          cross_attention(c, w / "layer.1", "EncDecAttention", nn::JoinedProducts::key_value),
          feed_forward(c, w / "layer.2") {}

    /// `self` and `cross` as T5Attention takes them.
    template <class Self, class Cross>
    Tensor operator()(const Tensor& x, Self&& self, Cross&& cross) const {
        return feed_forward(cross_attention(self_attention(x, self), cross));
    }
    /// Keys and values of the encoder's output.
    [[nodiscard]] nn::KeysValues keys_values(const Tensor& encoded) const {
        return cross_attention.keys_values(encoded);
    }

private:
    T5Attention<E> self_attention, cross_attention;
    T5FeedForward<E> feed_forward;
};

template <class E>
class T5Decoder {
public:
    using Ops = union_of<typename nn::Embedding<E>::Ops, typename T5DecoderBlock<E>::Ops, typename T5Norm<E>::Ops>;

    T5Decoder(const T5Config& c, const Weights& w, const T5Words<E>& words)  // decoder
        : embed_tokens(words.embedding("decoder.embed_tokens")),
          position_bias(c, w / "block.0.layer.0.SelfAttention", false),
          blocks(nn::layers(c.decoder_layers(), [&](auto n) { return T5DecoderBlock<E>(c, w / "block" / n); })),
          norm(c, w / "final_layer_norm"),
          config(c),
          home(w.home()) {}

    [[nodiscard]] T5State make_state(std::int64_t batch, std::int64_t capacity) const {
        const auto options = at::TensorOptions().dtype(E::precision::compute).device(home);
        const Tensor distances = at::arange(1 - capacity, capacity, options.dtype(c10::ScalarType::Long));
        return {batch, capacity, config, position_bias(distances), options};
    }

    /// What all that follows attends to: the encoder's output (texts, tokens, d_model).
    void attend_to(const Tensor& encoded, const std::optional<Tensor>& attention_mask, T5State& state) const {
        state.require_caches(blocks.size(), config.num_heads, config.d_kv);
        state.text.take(encoded, attention_mask, state.batch(), [&](auto n) { return blocks[n].keys_values(encoded); });
    }

    /// The next tokens of a text, ids and mask (batch, tokens) -> (batch, tokens, d_model).
    Tensor operator()(const Tensor& ids, const std::optional<Tensor>& attention_mask, T5State& state) const {
        const auto before = state.length(), tokens = ids.size(1), length = before + tokens;
        const Tensor slots = state.full.of_new(before, tokens);
        state.full.stored(before, tokens, attention_mask);
        op::Attends attends{.bias = position_bias(before, tokens, length)};
        if (const auto kept = state.full.attend()) {  // `t5_masked` says why that is not a mask
            const Tensor earlier = position_bias.relative(before, tokens, length) <= 0;
            attends.bias = t5_masked<E>(*attends.bias, earlier & kept->narrow(3, 0, length));
        } else {
            attends.offset = before;
        }
        return through(
            ids, state,
            [&](const auto& attention, const Tensor& h, std::size_t n) {
                return attention(h, attends, state.caches[n], slots, length);
            },
            [&](const auto& attention, const Tensor& h, std::size_t n) { return state.text.attend(attention, h, n); });
    }

    /// One token per row, ids (batch) -> (batch, 1, d_model).
    Tensor step(const Tensor& ids, T5State& state) const {
        state.require_caches(blocks.size(), config.num_heads, config.d_kv);
        if (state.length() == 0) throw InputError("The state has no text of the encoder.", "call prefill first.");
        state.full.begin_step();
        Tensor bias = state.step_bias();
        if (const auto kept = state.full.attend()) bias = t5_masked<E>(bias, *kept);
        const Tensor y = through(
            ids.unsqueeze(1), state,
            [&](const auto& attention, const Tensor& h, std::size_t n) {
                return attention.step(h, state.caches[n], state.full, bias);
            },
            [&](const auto& attention, const Tensor& h, std::size_t n) { return state.text.step(attention, h, n); });
        state.full.end_step();
        return y;
    }

private:
    /// Embedding, blocks, and the last norm; `self(attention, h, n)` and `cross(attention, h, n)` attend in block n.
    template <class Self, class Cross>
    Tensor through(const Tensor& ids, T5State& state, Self&& self, Cross&& cross) const {
        Tensor x = embed_tokens(ids).to(T5Residual<E>::precision::compute);
        for (std::size_t n = 0; n < blocks.size(); ++n) {
            x = blocks[n](
                x, [&](const auto& a, const Tensor& h) { return self(a, h, n); },
                [&](const auto& a, const Tensor& h) { return cross(a, h, n); });
        }
        state.advance(ids.size(1));
        return norm(x);
    }

    nn::Embedding<E> embed_tokens;
    T5PositionBias<E> position_bias;
    std::vector<T5DecoderBlock<E>> blocks;
    T5Norm<E> norm;
    T5Config config;
    c10::Device home;
};

/// Encoder and decoder with their word vectors: what T5 and its language model stand on.
template <class E>
class T5Body {
public:
    using Ops = union_of<typename T5Encoder<E>::Ops, typename T5Decoder<E>::Ops>;

    T5Body(const T5Config& c, const Weights& w, const T5Words<E>& words)
        : encoder(c, w / "encoder", words), decoder(c, w / "decoder", words) {}

    struct Hidden {
        Tensor decoder, encoder;  ///< (batch, decoder tokens, d_model), (texts, tokens, d_model)
    };

    /// Inputs with decoder_input_ids.
    Hidden operator()(const T5Inputs& in) const {
        T5State state = decoder.make_state(in.decoder_input_ids->size(0), in.decoder_input_ids->size(1));
        return (*this)(in, state);
    }

    /// The same into a state: the encoder runs before the first piece only.
    Hidden operator()(const T5Inputs& in, T5State& state) const {
        state.require_room(in.decoder_input_ids->size(0), in.decoder_input_ids->size(1));
        Hidden h;
        if (state.length() == 0) {
            h.encoder = encoder(in.input_ids, in.attention_mask);
            decoder.attend_to(h.encoder, in.attention_mask, state);
        }
        h.decoder = decoder(*in.decoder_input_ids, in.decoder_attention_mask, state);
        return h;
    }

    T5Encoder<E> encoder;
    T5Decoder<E> decoder;
};

}  // namespace silica::arch
#endif  // SILICA_SINGLE_ARCH_T5_BODY_HPP

#include <cmath>

namespace silica::arch {

struct T5EncoderOutputs {
    Tensor last_hidden_state;  ///< (batch, tokens, d_model)
};

/// The encoder by itself; opens a checkpoint of any head.
struct T5EncoderModel : T5EncoderFamily {
    static constexpr std::string_view name = "T5EncoderModel";
    using Outputs = T5EncoderOutputs;

    template <class E>
    class Network {
    public:
        using Ops = typename T5Encoder<E>::Ops;

        Network(const Config& c, const Weights& w) : encoder(c, w / "encoder", T5Words<E>(c, w)) {}

        Outputs operator()(const Inputs& in) const { return {encoder(in.input_ids, in.attention_mask)}; }

    private:
        T5Encoder<E> encoder;
    };
};

struct T5Outputs {
    Tensor last_hidden_state;          ///< (batch, decoder tokens, d_model)
    Tensor encoder_last_hidden_state;  ///< (batch, tokens, d_model)
};

/// Encoder and decoder without a head.
struct T5 : T5Family {
    static constexpr std::string_view name = "T5Model";
    using Outputs = T5Outputs;

    template <class E>
    class Network {
    public:
        using Ops = typename T5Body<E>::Ops;

        Network(const Config& c, const Weights& w) : body(c, w, T5Words<E>(c, w)) {}

        Outputs operator()(const Inputs& in) const {
            const auto h = body(in);
            return {h.decoder, h.encoder};
        }

    private:
        T5Body<E> body;
    };
};

struct T5LmOutputs {
    Tensor logits;                     ///< (batch, decoder tokens, vocabulary): of the token that follows
    Tensor encoder_last_hidden_state;  ///< (batch, tokens, d_model)
};

/// Which token follows, given the encoder's text and the tokens before. Section 2.1 of the paper.
struct T5ForConditionalGeneration : T5Family {
    static constexpr std::string_view name = "T5ForConditionalGeneration";
    static constexpr bool encoder_decoder = true;
    using Outputs = T5LmOutputs;

    template <class E>
    class Network {
    public:
        using Ops = union_of<typename T5Body<E>::Ops, typename nn::Linear<E>::Ops>;
        using State = T5State;

        Network(const Config& c, const Weights& w) : Network(c, w, T5Words<E>(c, w)) {}

        Outputs operator()(const Inputs& in) const {
            const auto h = body(in);
            return {scores(h.decoder), h.encoder};
        }

        [[nodiscard]] State make_state(std::int64_t batch, std::int64_t capacity) const {
            return body.decoder.make_state(batch, capacity);
        }
        /// The encoder's text and the first tokens of the decoder; after that, only more tokens of the decoder.
        [[nodiscard]] Tensor prefill(const Inputs& in, State& state) const {
            return scores(body(in, state).decoder.select(1, in.decoder_input_ids->size(1) - 1));
        }
        [[nodiscard]] Tensor step(const Tensor& ids, State& state) const {
            return scores(body.decoder.step(ids, state).squeeze(1));
        }

    private:
        Network(const Config& c, const Weights& w, const T5Words<E>& words)
            : body(c, w, words), lm_head(words.scores()), scale(c.scales_outputs() ? std::pow(c.d_model, -0.5) : 1) {}

        [[nodiscard]] Tensor scores(const Tensor& h) const { return lm_head(scale == 1 ? h : h * scale); }

        T5Body<E> body;
        nn::VocabularyProjection<E> lm_head;
        double scale;
    };
};

}  // namespace silica::arch

BOOST_HANA_ADAPT_STRUCT(silica::arch::T5EncoderOutputs, last_hidden_state);
BOOST_HANA_ADAPT_STRUCT(silica::arch::T5Outputs, last_hidden_state, encoder_last_hidden_state);
BOOST_HANA_ADAPT_STRUCT(silica::arch::T5LmOutputs, logits, encoder_last_hidden_state);

namespace silica {

static_assert(Architecture<arch::T5EncoderModel> && Architecture<arch::T5> &&
              Architecture<arch::T5ForConditionalGeneration>);

}  // namespace silica
#endif  // SILICA_SINGLE_ARCH_T5_HPP
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

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace silica::checkpoint {

/// The bytes of a whole file in memory, private and copy-on-write: writing to them never reaches the file.
/// Another program that shortens the file while it is mapped ends this one (SIGBUS): loader `CpuFirst` is for such
/// files.
class Mapping {
public:
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping();

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Gives the pages that lie wholly inside [offset, offset + nbytes) back to the system. They are read from the
    /// file again when touched; what was written to them is lost.
    void release(std::uint64_t offset, std::uint64_t nbytes) const noexcept;

    /// Tells the system that [offset, offset + nbytes) is read soon.
    void prefetch(std::uint64_t offset, std::uint64_t nbytes) const noexcept;

private:
    friend class File;
    Mapping(std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}

    [[nodiscard]] std::pair<std::size_t, std::size_t> pages(std::uint64_t offset, std::uint64_t nbytes,
                                                            bool inside) const noexcept;

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Whether a directory lists `path`, be it as a link to what is gone: opening it then says so, where leaving it out
/// would be another checkpoint.
[[nodiscard]] bool is_listed(const std::filesystem::path& path) noexcept;

/// Throws a CheckpointError where a file of text in `directory` (configuration, vocabulary, template) is a link to what
/// is gone.
void refuse_dangling_links(const std::filesystem::path& directory);

/// A regular file open for reading. Reads are positional, so several threads may share one.
class File {
public:
    /// Opens `path`; CheckpointError when it is missing, unreadable or not a regular file.
    [[nodiscard]] static std::shared_ptr<const File> open(const std::filesystem::path& path);

    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File();

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    /// Fills `out` with the bytes at `offset`, all of them or a CheckpointError.
    void read(std::uint64_t offset, std::span<std::byte> out) const;

    /// The `nbytes` bytes at `offset` as text.
    [[nodiscard]] std::string read_text(std::uint64_t offset, std::uint64_t nbytes) const;

    /// Maps the whole file, anew on each call; the mapping outlives the File.
    [[nodiscard]] std::shared_ptr<Mapping> map() const;

    /// Whether two files are one and the same open file.
    friend bool operator==(const File& a, const File& b) noexcept { return &a == &b; }

private:
    File(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}

    [[noreturn]] static void fail_to_open(const std::filesystem::path& path, int error);

    [[noreturn]] void fail_short(std::uint64_t offset, std::uint64_t nbytes, std::uint64_t end) const;

    std::filesystem::path path_;
    int fd_;
    std::uint64_t size_ = 0;
};

}  // namespace silica::checkpoint

// ---- silica/checkpoint/file.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_FILE_IPP
#define SILICA_SINGLE_CHECKPOINT_FILE_IPP
/// Definitions of file.hpp.

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
    std::string file;      ///< the path inside the snapshot: "1_Pooling/config.json"; empty for the snapshot itself
};

/// The repository that `path` (a snapshot directory or a file in one) was downloaded from; nothing for other paths.
[[nodiscard]] std::optional<Origin> origin_of(const std::filesystem::path& path);

/// The command that brings `files` (names separated by blanks; empty: the whole repository) of `repo`.
[[nodiscard]] std::string download_line(std::string_view repo, std::string_view revision = {},
                                        std::string_view files = {});

/// What to do about a damaged `file`: the download command for a file of the hub cache, words for any other.
[[nodiscard]] std::string fetch_again(const std::filesystem::path& file);

}  // namespace silica::checkpoint

// ---- silica/checkpoint/origin.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_ORIGIN_IPP
#define SILICA_SINGLE_CHECKPOINT_ORIGIN_IPP
/// Definitions of origin.hpp.

#include <utility>

namespace silica::checkpoint {

SILICA_INLINE std::optional<Origin> origin_of(const std::filesystem::path& path) {
    std::filesystem::path before, parent;  // the two components before the one at hand
    std::optional<Origin> origin;
    for (const auto& part : path) {
        if (origin) {
            origin->file.append(origin->file.empty() ? "" : "/").append(part.string());
        } else if (parent == "snapshots" && before.string().starts_with("models--") && !part.empty()) {
            std::string repo = before.string().substr(8);
            if (const auto dashes = repo.find("--"); dashes != std::string::npos) repo.replace(dashes, 2, "/");
            origin = Origin{std::move(repo), part.string(), {}};
        }
        before = parent;
        parent = part;
    }
    return origin;
}

SILICA_INLINE std::string download_line(std::string_view repo, std::string_view revision, std::string_view files) {
    std::string line = "hf download ";
    line.append(repo);
    if (!files.empty()) line.append(" ").append(files);
    if (!revision.empty() && revision != "main") line.append(" --revision ").append(revision);
    return line;
}

SILICA_INLINE std::string fetch_again(const std::filesystem::path& file) {
    if (const auto origin = origin_of(file)) {
        std::string remedy = "Run `";
        return remedy.append(download_line(origin->repo, origin->revision, origin->file)).append(" --force-download`.");
    }
    return "The file is damaged or was not fully copied: copy, download or save it again.";
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_ORIGIN_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_ORIGIN_HPP

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>

namespace silica::checkpoint {

SILICA_INLINE Mapping::~Mapping() {
    if (data_ != nullptr) ::munmap(data_, size_);
}

SILICA_INLINE void Mapping::release(std::uint64_t offset, std::uint64_t nbytes) const noexcept {
    const auto [first, last] = pages(offset, nbytes, true);
    if (first < last) ::madvise(data_ + first, last - first, MADV_DONTNEED);
}

SILICA_INLINE void Mapping::prefetch(std::uint64_t offset, std::uint64_t nbytes) const noexcept {
    const auto [first, last] = pages(offset, nbytes, false);
    if (first < last) ::madvise(data_ + first, last - first, MADV_WILLNEED);
}

SILICA_INLINE std::pair<std::size_t, std::size_t> Mapping::pages(std::uint64_t offset, std::uint64_t nbytes,
                                                                 bool inside) const noexcept {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = static_cast<std::size_t>(std::min<std::uint64_t>(offset, size_));
    const auto end = begin + static_cast<std::size_t>(std::min<std::uint64_t>(nbytes, size_ - begin));
    if (!inside) return {begin / page * page, end};
    const std::size_t last = end == size_ ? end : end / page * page;  // the last page holds nothing after the file
    return {(begin + page - 1) / page * page, last};
}

SILICA_INLINE std::shared_ptr<const File> File::open(const std::filesystem::path& path) {
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

SILICA_INLINE File::~File() { ::close(fd_); }

SILICA_INLINE void File::read(std::uint64_t offset, std::span<std::byte> out) const {
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

SILICA_INLINE std::string File::read_text(std::uint64_t offset, std::uint64_t nbytes) const {
    if (offset > size_ || nbytes > size_ - offset) fail_short(offset, nbytes, size_);
    std::string text(static_cast<std::size_t>(nbytes), '\0');
    read(offset, std::as_writable_bytes(std::span(text.data(), text.size())));
    return text;
}

SILICA_INLINE std::shared_ptr<Mapping> File::map() const {
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

SILICA_INLINE void File::fail_to_open(const std::filesystem::path& path, int error) {
    std::string remedy = "Check the path, and that you may read the file.";
    std::string problem = "Opening " + path.string() + " failed: " + std::generic_category().message(error) + ".";
    if (error == EMFILE || error == ENFILE) remedy = "Allow more open files: ulimit -n 4096.";
    if (error == ENOENT) {
        std::error_code no_link;
        const auto target = std::filesystem::read_symlink(path, no_link);
        if (!no_link) {
            problem = path.string() + " is a link, and what it points to is gone: " + target.string() + ".";
            remedy = "Put that file back, or copy the checkpoint with its links followed (cp -rL).";
        }
        if (const auto origin = origin_of(path))
            remedy = "Run `" + download_line(origin->repo, origin->revision, origin->file) + "`.";
    }
    throw CheckpointError(std::move(problem), std::move(remedy));
}

SILICA_INLINE void File::fail_short(std::uint64_t offset, std::uint64_t nbytes, std::uint64_t end) const {
    throw CheckpointError(path_.string() + " ends at byte " + std::to_string(end) + ", where bytes " +
                              std::to_string(offset) + " to " + std::to_string(offset + nbytes) + " were expected.",
                          fetch_again(path_));
}

SILICA_INLINE bool is_listed(const std::filesystem::path& path) noexcept {
    std::error_code ignored;
    return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

SILICA_INLINE void refuse_dangling_links(const std::filesystem::path& directory) {
    std::error_code error;
    for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
        std::error_code ignored;
        const auto extension = at->path().extension();
        if (extension != ".json" && extension != ".txt" && extension != ".model" && extension != ".jinja") continue;
        if (at->is_symlink(ignored) && !at->exists(ignored)) static_cast<void>(File::open(at->path()));
    }
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_FILE_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_FILE_HPP
// ---- silica/checkpoint/index.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_INDEX_HPP
#define SILICA_SINGLE_CHECKPOINT_INDEX_HPP
/// The index of a checkpoint in several files: `model.safetensors.index.json`, `pytorch_model.bin.index.json`.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace silica::checkpoint {

/// Which tensor is in which file ("shard"), as the index says.
struct Index {
    std::map<std::string, std::string, std::less<>> weight_map;  ///< tensor name -> file name
    std::vector<std::string> shards;                             ///< the file names, sorted, each once
};

/// Reads an index file. CheckpointError when it is not one, names a tensor twice, or a shard by more than a file name.
[[nodiscard]] Index read_index(const std::filesystem::path& path);

/// The shards of `index` that `directory` lacks.
[[nodiscard]] std::vector<std::string> missing_shards(const Index& index, const std::filesystem::path& directory);

}  // namespace silica::checkpoint

// ---- silica/checkpoint/index.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_INDEX_IPP
#define SILICA_SINGLE_CHECKPOINT_INDEX_IPP
/// Reads an index.

// ---- silica/checkpoint/impostor.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_IMPOSTOR_HPP
#define SILICA_SINGLE_CHECKPOINT_IMPOSTOR_HPP
/// Files that stand where weights should be and are something else.

namespace silica::checkpoint {

/// Throws a CheckpointError when `file` is a Git LFS pointer or a web page.
void refuse_impostor(const File& file);

}  // namespace silica::checkpoint

// ---- silica/checkpoint/impostor.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_IMPOSTOR_IPP
#define SILICA_SINGLE_CHECKPOINT_IMPOSTOR_IPP
/// Definitions of impostor.hpp.

// ---- silica/core/impostor.hpp
#ifndef SILICA_SINGLE_CORE_IMPOSTOR_HPP
#define SILICA_SINGLE_CORE_IMPOSTOR_HPP
/// Files that a download left in the place of another: their first bytes tell.

#include <cstddef>
#include <optional>
#include <string_view>

namespace silica {

/// What stands in a file's place, and what to do about it.
struct Impostor {
    std::string_view what;    ///< "a Git LFS pointer"
    std::string_view remedy;  ///< a sentence
};

/// How many bytes of a file `impostor` wants to see.
inline constexpr std::size_t impostor_bytes = 64;

/// What a file that begins with `start` is, when it can be neither weights nor a configuration; nothing otherwise.
[[nodiscard]] std::optional<Impostor> impostor(std::string_view start);

}  // namespace silica

// ---- silica/core/impostor.ipp
#ifndef SILICA_SINGLE_CORE_IMPOSTOR_IPP
#define SILICA_SINGLE_CORE_IMPOSTOR_IPP
/// Definitions of impostor.hpp.

#include <algorithm>

namespace silica {

SILICA_INLINE std::optional<Impostor> impostor(std::string_view start) {
    constexpr std::string_view again = "Download the file again, signed in where its repository asks for that.";
    if (start.starts_with("version https://git-lfs"))
        return Impostor{"a Git LFS pointer", "Run `git lfs pull` in its directory."};
    for (const std::string_view message : {"Entry not found", "Repository not found", "Invalid username or password",
                                           "Invalid credentials", "Access to model"})
        if (start.starts_with(message)) return Impostor{"the error message of a download", again};
    start.remove_prefix(std::min(start.find_first_not_of(" \t\r\n\xEF\xBB\xBF"), start.size()));
    for (const std::string_view tag : {"<!doctype", "<html", "<head", "<?xml"}) {
        const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b; };
        if (start.size() >= tag.size() && std::equal(tag.begin(), tag.end(), start.begin(),
                                                     [&](char letter, char found) { return same(found, letter); }))
            return Impostor{"a web page", again};
    }
    return std::nullopt;
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_IMPOSTOR_IPP
#endif  // SILICA_SINGLE_CORE_IMPOSTOR_HPP

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

namespace silica::checkpoint {

SILICA_INLINE void refuse_impostor(const File& file) {
    const auto found = impostor(file.read_text(0, std::min<std::uint64_t>(file.size(), impostor_bytes)));
    if (!found) return;
    std::string problem = file.path().string();
    problem.append(" is ").append(found->what).append(", not the file itself.");
    throw CheckpointError(std::move(problem), std::string(found->remedy));
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_IMPOSTOR_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_IMPOSTOR_HPP

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace silica::checkpoint {

namespace detail {

/// A file name without any way out of its directory.
SILICA_INLINE bool plain_file_name(std::string_view name) {
    if (name.empty() || name.size() > 255 || name == "." || name == "..") return false;
    for (const char c : name)
        if (c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20) return false;
    return true;
}

}  // namespace detail

SILICA_INLINE Index read_index(const std::filesystem::path& path) {
    constexpr std::uint64_t largest = 100'000'000;
    constexpr std::size_t most_shards = 10'000;
    const auto file = File::open(path);
    if (file->size() > largest)
        throw CheckpointError(path.string() + " is " + bytes(file->size()) + " long; an index has at most 100000000.",
                              fetch_again(path));
    refuse_impostor(*file);
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

SILICA_INLINE std::vector<std::string> missing_shards(const Index& index, const std::filesystem::path& directory) {
    std::vector<std::string> missing;
    for (const auto& shard : index.shards)
        if (!is_listed(directory / shard)) missing.push_back(shard);
    return missing;
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_INDEX_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_INDEX_HPP
// ---- silica/checkpoint/locate.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_LOCATE_HPP
#define SILICA_SINGLE_CHECKPOINT_LOCATE_HPP
/// Which file of a directory holds the weights.

#include <array>
#include <filesystem>
#include <string_view>

namespace silica::checkpoint {

/// The names under which a directory may hold weights, in the order in which they are chosen.
inline constexpr std::array<std::string_view, 4> weight_files = {"model.safetensors", "model.safetensors.index.json",
                                                                 "pytorch_model.bin", "pytorch_model.bin.index.json"};

/// Throws a CheckpointError where `directory` holds a PEFT adapter: weights that change those of a base model, beside
/// it or elsewhere.
void refuse_adapter(const std::filesystem::path& directory);

/// The file to open in `directory`: the first of `weight_files` that is there. CheckpointError that lists what is there
/// when none is, and for a link to what is gone.
[[nodiscard]] std::filesystem::path locate_weights(const std::filesystem::path& directory);

}  // namespace silica::checkpoint

// ---- silica/checkpoint/locate.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_LOCATE_IPP
#define SILICA_SINGLE_CHECKPOINT_LOCATE_IPP
/// Definitions of locate.hpp.

#include <algorithm>
#include <initializer_list>
#include <string>
#include <system_error>
#include <vector>

namespace silica::checkpoint {

namespace detail {

/// The names in `directory`, sorted; at most 20 and then "...".
SILICA_INLINE std::string listing(const std::filesystem::path& directory) {
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

SILICA_INLINE bool has_any(const std::filesystem::path& directory, std::initializer_list<std::string_view> names) {
    return std::any_of(names.begin(), names.end(), [&](auto name) { return is_listed(directory / name); });
}

/// Whether huggingface_hub has noted that the repository of a snapshot has no such file.
SILICA_INLINE bool noted_absent(const std::filesystem::path& snapshot, std::string_view name) {
    return is_listed(snapshot.parent_path().parent_path() / ".no_exist" / snapshot.filename() / name);
}

SILICA_INLINE std::string remedy_without_weights(const std::filesystem::path& directory) {
    const auto origin = origin_of(directory);
    if (is_listed(directory / "adapter_config.json")) {
        return "adapter_config.json makes it a PEFT adapter, not a model: merge it into its base model "
               "(model.merge_and_unload().save_pretrained(...)) and open that.";
    }
    if (has_any(directory, {"tf_model.h5", "flax_model.msgpack", "model.onnx", "rust_model.ot", "model.gguf"})) {
        return "These are weights of another framework: get model.safetensors of the same model" +
               (origin ? ", `" + download_line(origin->repo, {}, "model.safetensors") +
                             "` (some repositories have it on --revision refs/pr/1 only)"
                       : std::string()) +
               ", or convert them with transformers: AutoModel.from_pretrained(..., from_tf or from_flax=True)."
               "save_pretrained(...).";
    }
    if (origin && noted_absent(directory, "model.safetensors") &&
        noted_absent(directory, "model.safetensors.index.json"))
        return "Run `" + download_line(origin->repo, origin->revision, "--include \"*.bin*\"") +
               "`: the repository has no safetensors.";
    if (origin)
        return "Run `" + download_line(origin->repo, origin->revision, "--include \"*.safetensors*\"") +
               "` (\"*.bin*\" where the repository has no safetensors).";
    return "Put model.safetensors, or model.safetensors.index.json with its shards, there, or name the file itself.";
}

}  // namespace detail

SILICA_INLINE void refuse_adapter(const std::filesystem::path& directory) {
    if (!is_listed(directory / "adapter_config.json")) return;
    throw CheckpointError(
        directory.string() + " holds a PEFT adapter (adapter_config.json): it changes the weights of its base model.",
        "Merge it (model.merge_and_unload().save_pretrained(...)) and open the result, or remove adapter_config.json "
        "to open base weights that lie beside it as they are.");
}

SILICA_INLINE std::filesystem::path locate_weights(const std::filesystem::path& directory) {
    std::error_code ignored;
    for (const auto name : weight_files) {
        auto path = directory / name;
        if (!is_listed(path)) continue;
        if (!std::filesystem::exists(path, ignored)) static_cast<void>(File::open(path));  // says what it points to
        return path;
    }
    throw CheckpointError("The directory " + directory.string() +
                              " holds no weights (model.safetensors, "
                              "pytorch_model.bin or an index of either). It has " +
                              detail::listing(directory) + ".",
                          detail::remedy_without_weights(directory));
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_LOCATE_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_LOCATE_HPP

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace silica::checkpoint {

/// The tensors of a checkpoint and the open files they lie in. Copies share the files.
class Checkpoint {
public:
    /// Opens a directory (the first of `weight_files` in it) or one file: safetensors, torch, or an index of either.
    /// CheckpointError for anything missing, damaged or dangerous; see `read_safetensors`, `read_torch`, `read_index`.
    [[nodiscard]] static Checkpoint open(const std::filesystem::path& dir_or_file);

    /// Every tensor, in the order of the files' bytes.
    [[nodiscard]] const std::vector<TensorEntry>& entries() const noexcept { return entries_; }

    /// The tensor of that name as the file spells it; null when there is none.
    [[nodiscard]] const TensorEntry* find(std::string_view name) const noexcept;

    /// The files, one per shard; TensorEntry::file counts them.
    [[nodiscard]] const std::vector<std::shared_ptr<const File>>& files() const noexcept { return files_; }

    /// The file that holds `entry`.
    [[nodiscard]] const File& file_of(const TensorEntry& entry) const { return *files_.at(entry.file); }

    /// The text metadata of safetensors files (`format`, ...); the first shard's where they differ.
    [[nodiscard]] const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }

    /// The bytes of all tensors; those that share bytes (tied weights) are counted once.
    [[nodiscard]] std::uint64_t total_bytes() const;

    /// Where config.json and the tokenizer are looked for: the directory of the weights.
    [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

    /// "safetensors", "safetensors, 3 shards", "torch zip", ...
    [[nodiscard]] const std::string& format() const noexcept { return format_; }

private:
    [[nodiscard]] static bool torch_name(const std::filesystem::path& path);

    /// Adds the tensors of one file and returns the name of its format.
    std::string add(const std::filesystem::path& path);

    /// Adds all shards of an index. A tensor that a shard holds and the index does not name is taken as found; one that
    /// two shards hold is taken from the shard the index names.
    void add_shards(const std::filesystem::path& path);

    void sort_names();

    [[noreturn]] void fail_missing(const std::filesystem::path& path, const Index& index,
                                   const std::vector<std::string>& missing) const;

    std::filesystem::path directory_;
    std::string format_;
    std::vector<TensorEntry> entries_;
    std::vector<std::size_t> by_name_;  // indexes of entries_, sorted by name
    std::vector<std::shared_ptr<const File>> files_;
    std::map<std::string, std::string> metadata_;
};

}  // namespace silica::checkpoint

// ---- silica/checkpoint/checkpoint.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_CHECKPOINT_IPP
#define SILICA_SINGLE_CHECKPOINT_CHECKPOINT_IPP
/// Definitions of checkpoint.hpp.

// ---- silica/checkpoint/safetensors.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_SAFETENSORS_HPP
#define SILICA_SINGLE_CHECKPOINT_SAFETENSORS_HPP
/// The safetensors format: 8 bytes of header length, a JSON header, the bytes of the tensors.
/// Accepts and refuses what the reference implementation does (https://github.com/huggingface/safetensors, 0.8), and
/// refuses besides: a name that occurs twice, a size over 2^63, more than 64 dimensions, more than 500,000 tensors.

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace silica::checkpoint {

/// What a safetensors file says about itself: its tensors in the order of their bytes, and its text metadata.
struct SafetensorsHeader {
    std::vector<TensorEntry> entries;
    std::map<std::string, std::string> metadata;
};

/// Reads and checks the header of `file`; entries get `index` as their file. CheckpointError on anything wrong.
[[nodiscard]] SafetensorsHeader read_safetensors(const File& file, std::size_t index = 0);

}  // namespace silica::checkpoint

// ---- silica/checkpoint/safetensors.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_SAFETENSORS_IPP
#define SILICA_SINGLE_CHECKPOINT_SAFETENSORS_IPP
/// The parser of safetensors headers.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string_view>
#include <utility>

namespace silica::checkpoint {

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
        sort_by_place(entries);
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

SILICA_INLINE SafetensorsHeader read_safetensors(const File& file, std::size_t index) {
    return detail::SafetensorsParser(file, index).parse();
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_SAFETENSORS_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_SAFETENSORS_HPP
// ---- silica/checkpoint/torch_file.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_TORCH_FILE_HPP
#define SILICA_SINGLE_CHECKPOINT_TORCH_FILE_HPP
/// Files written by torch.save: a zip archive of a pickle and the storages (torch >= 1.6), or one stream of pickles and
/// storages before that. Formats: torch/serialization.py, `_save` and `_legacy_save`.

#include <cstddef>
#include <string>
#include <vector>

namespace silica::checkpoint {

/// What a torch file holds: its tensors in the order of their bytes, and the name of its format.
struct TorchContents {
    std::vector<TensorEntry> entries;
    std::string format;
};

/// Whether `file` begins like a zip archive or a pickle. (A safetensors file may begin with 0x80 0x02, but then its
/// header is shorter than 2^32 bytes.)
[[nodiscard]] bool is_torch_file(const File& file);

/// Reads and checks what a torch file holds; entries get `index` as their file. CheckpointError on anything wrong, and
/// on any Python object but tensors and plain values: nothing is executed.
[[nodiscard]] TorchContents read_torch(const File& file, std::size_t index = 0);

}  // namespace silica::checkpoint

// ---- silica/checkpoint/torch_file.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_TORCH_FILE_IPP
#define SILICA_SINGLE_CHECKPOINT_TORCH_FILE_IPP
/// Reads torch files.

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
        sort_by_place(entries);
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
#include <cstdint>
#include <filesystem>
#include <map>
#include <string_view>
#include <utility>

namespace silica::checkpoint {

SILICA_INLINE bool is_torch_file(const File& file) {
    const auto start = file.read_text(0, std::min<std::uint64_t>(file.size(), 8));
    if (start.starts_with("PK\x03\x04") || start.starts_with("PK\x05\x06")) return true;
    return start.size() == 8 && start[0] == '\x80' && start[1] >= 1 && start[1] <= 5 &&
           start.substr(4) != std::string_view("\0\0\0\0", 4);
}

namespace detail {

inline constexpr std::uint64_t longest_pickle = std::uint64_t{64} << 20U;

/// How to make a safetensors file of a torch file that is not read here.
SILICA_INLINE std::string convert_remedy(const std::filesystem::path& path) {
    return "If you trust the file, convert it: python -c \"import torch, safetensors.torch as s; d = torch.load('" +
           path.string() +
           "', map_location='cpu'); d = d.get('state_dict', d); s.save_file({k: v.clone().contiguous() " +
           "for k, v in d.items() if torch.is_tensor(v)}, 'model.safetensors', {'format': 'pt'})\".";
}

[[noreturn]] SILICA_INLINE void refuse_torch(const File& file, const std::string& problem,
                                             const std::string& remedy = {}) {
    throw CheckpointError(file.path().string() + " " + problem + ".",
                          remedy.empty() ? fetch_again(file.path()) : remedy);
}

SILICA_INLINE TorchContents read_torch_zip(const File& file, std::size_t index) {
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

SILICA_INLINE TorchContents read_torch(const File& file, std::size_t index) {
    refuse_impostor(file);
    if (detail::LegacyReader::is(file)) return detail::LegacyReader(file, index).read();
    const auto start = file.read_text(0, std::min<std::uint64_t>(file.size(), 4));
    if (!start.starts_with("PK"))
        detail::refuse_torch(file, "is not a file of torch.save (neither a zip archive nor torch's old format)");
    return detail::read_torch_zip(file, index);
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_TORCH_FILE_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_TORCH_FILE_HPP

#include <algorithm>
#include <iterator>
#include <system_error>
#include <tuple>
#include <utility>

namespace silica::checkpoint {

SILICA_INLINE Checkpoint Checkpoint::open(const std::filesystem::path& dir_or_file) {
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

SILICA_INLINE const TensorEntry* Checkpoint::find(std::string_view name) const noexcept {
    const auto at = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                     [this](std::size_t i, std::string_view n) { return entries_[i].name < n; });
    return at != by_name_.end() && entries_[*at].name == name ? &entries_[*at] : nullptr;
}

SILICA_INLINE std::uint64_t Checkpoint::total_bytes() const {
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

SILICA_INLINE bool Checkpoint::torch_name(const std::filesystem::path& path) {
    const auto extension = path.extension();
    return extension == ".bin" || extension == ".pt" || extension == ".pth" || extension == ".ckpt";
}

SILICA_INLINE std::string Checkpoint::add(const std::filesystem::path& path) {
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

SILICA_INLINE void Checkpoint::add_shards(const std::filesystem::path& path) {
    const Index index = read_index(path);
    if (const auto missing = missing_shards(index, directory_); !missing.empty()) fail_missing(path, index, missing);
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

SILICA_INLINE void Checkpoint::sort_names() {
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

SILICA_INLINE void Checkpoint::fail_missing(const std::filesystem::path& path, const Index& index,
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

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_CHECKPOINT_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_CHECKPOINT_HPP
// ---- silica/checkpoint/config.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_CONFIG_HPP
#define SILICA_SINGLE_CHECKPOINT_CONFIG_HPP
/// Reads config.json.

#include <concepts>
#include <filesystem>
#include <string>
#include <string_view>

namespace silica::checkpoint {

/// The document in `directory / name`. ConfigError when it is missing, unreadable or not JSON.
Json read_json_document(const std::filesystem::path& directory, std::string_view name);

/// The same for a file that must hold an object.
Json read_json_file(const std::filesystem::path& directory, std::string_view name);

/// A precision that reads weights which are quantised in a way of their own: `P::reads(object)` says whether it knows
/// what `quantization_config` asks for.
template <class P>
concept ReadsQuantised = requires(const Json& quantisation) {
    { P::reads(quantisation) } -> std::same_as<bool>;
};

namespace detail {

/// Refuses what changes the meaning of the weights, here and in the configurations inside (text_config, ...), unless
/// `reads` knows it.
void check_meaning_of_weights(const Json& json, const std::string& file, bool (*reads)(const Json&));

}  // namespace detail

/// The configuration of `Arch` in `directory / "config.json"`, checked. A file without `model_type` is taken to be of
/// the family that is asked for (old checkpoints leave it out). ConfigError for weights that are quantised in a way
/// that `Precision` does not say it reads, and for a PEFT adapter.
template <class Arch, class Precision = void>
typename Arch::Config read_config(const std::filesystem::path& directory) {
    const Json json = read_json_file(directory, "config.json");
    const auto file = (directory / "config.json").string();
    if (const Json* type = json.find("model_type"); type != nullptr && !type->is_null()) {
        if (!type->is_string() || type->string() != Arch::family) {
            throw ConfigError(file + ": model_type is " + type->brief() + ", not '" + std::string(Arch::family) + "'.",
                              "open this checkpoint with the architecture of its family.");
        }
    }
    bool (*reads)(const Json&) = nullptr;
    if constexpr (ReadsQuantised<Precision>) reads = &Precision::reads;
    detail::check_meaning_of_weights(json, file, reads);
    typename Arch::Config config;
    read_json(config, json, file + ":");
    require_finite(config, file + ":");
    Arch::check(config, file);
    return config;
}

}  // namespace silica::checkpoint

// ---- silica/checkpoint/config.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_CONFIG_IPP
#define SILICA_SINGLE_CHECKPOINT_CONFIG_IPP
/// Definitions of config.hpp.

#include <algorithm>
#include <cstdint>
#include <iterator>

namespace silica::checkpoint {

SILICA_INLINE Json read_json_document(const std::filesystem::path& directory, std::string_view name) {
    const auto path = directory / name;
    std::string text;
    try {
        if (name == "config.json" && !is_listed(path)) refuse_adapter(directory);
        const auto file = File::open(path);
        constexpr std::uint64_t longest = std::uint64_t{256} << 20;
        if (file->size() > longest) {
            throw ConfigError(path.string() + " is " + bytes(file->size()) + " long, which is no configuration.",
                              "download it again.");
        }
        refuse_impostor(*file);
        text = file->read_text(0, file->size());
    } catch (const CheckpointError& e) {
        throw ConfigError(e.problem(), e.remedy());
    }
    return Json::parse(text, path.string());
}

SILICA_INLINE Json read_json_file(const std::filesystem::path& directory, std::string_view name) {
    Json json = read_json_document(directory, name);
    if (!json.is_object()) {
        throw ConfigError((directory / name).string() + " is not a JSON object.", "download the file again.");
    }
    return json;
}

namespace detail {

/// The keys whose object says that the weights are not what they look like: transformers' and older tools', MLX's.
inline constexpr std::string_view quantisation_keys[] = {"quantization_config", "compression_config", "quantization"};

[[noreturn]] SILICA_INLINE void refuse_quantised(const std::string& file, std::string_view key, const Json& value) {
    const Json* method = value.find("quant_method");
    std::string what(key);
    if (method != nullptr) what += ".quant_method";
    refuse_config(file, what, method != nullptr ? method->brief() : value.brief(),
                  "use a checkpoint in float32, float16 or bfloat16, or dequantise this one and save it again.");
}

SILICA_INLINE void check_meaning_of_weights(const Json& json, const std::string& file, bool (*reads)(const Json&)) {
    for (const auto& [key, value] : json.object()) {
        const bool off =
            value.is_null() || (value.is_bool() && !value.boolean()) || (value.is_object() && value.object().empty());
        if (off) continue;
        if (std::ranges::find(quantisation_keys, key) != std::end(quantisation_keys)) {
            if (reads == nullptr || !reads(value)) refuse_quantised(file, key, value);
        } else if ((key == "dtype" || key == "torch_dtype") && value.is_string()) {
            const std::string_view type = value.string();
            const bool quantised =
                type.find("float8") != type.npos || type.find("float4") != type.npos || type.find("int") != type.npos;
            if (quantised && reads == nullptr)
                refuse_config(file, key, value.brief(), "use a checkpoint in float32, float16 or bfloat16.");
        } else if (key.ends_with("_config") && value.is_object()) {
            check_meaning_of_weights(value, file + ": " + key, reads);
        }
    }
}

}  // namespace detail

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_CONFIG_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_CONFIG_HPP
// ---- silica/checkpoint/hub.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_HUB_HPP
#define SILICA_SINGLE_CHECKPOINT_HUB_HPP
/// Finds a checkpoint: a directory, or a repository of the hub in the local cache. Nothing is downloaded.
///
/// The cache is laid out as in https://huggingface.co/docs/hub/local-cache, and found by the rule of huggingface_hub:
/// $HF_HUB_CACHE, else $HUGGINGFACE_HUB_CACHE, else hub/ in $HF_HOME, else in $XDG_CACHE_HOME/huggingface, else in
/// ~/.cache/huggingface. "~" and "$NAME" in them are expanded.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace silica::checkpoint {

/// A repository and revision as users write them: "org/name", "name", "org/name@revision".
struct RepoName {
    std::string repo;
    std::string revision;  ///< empty: not asked for, "main"
};

/// The directory of the hub cache, whether it exists or not.
[[nodiscard]] std::filesystem::path hub_cache();

/// Splits "org/name@revision"; nothing when it is not the name of a repository.
[[nodiscard]] std::optional<RepoName> repo_name(std::string_view text);

/// The snapshot of `name` in the hub cache. CheckpointError with the `hf download` line when it is not there.
[[nodiscard]] std::filesystem::path hub_snapshot(const RepoName& name);

/// What the caller of `resolve` will read.
enum class Need {
    directory,  ///< any file: a tokenizer, a config
    model,      ///< config.json and weights
};

/// The directory of a model: `dir_or_repo` itself when that exists (a file of weights may be named, too), else the
/// snapshot of "org/name" or "org/name@revision" in the hub cache, checked for the files that `need` asks for.
[[nodiscard]] std::filesystem::path resolve(std::string_view dir_or_repo, Need need = Need::model);

}  // namespace silica::checkpoint

// ---- silica/checkpoint/hub.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_HUB_IPP
#define SILICA_SINGLE_CHECKPOINT_HUB_IPP
/// Definitions of hub.hpp.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <system_error>
#include <vector>

namespace silica::checkpoint {

namespace detail {

/// A variable of the environment; an empty one counts as absent.
SILICA_INLINE std::optional<std::string> environment(const char* name) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    return value == nullptr || *value == '\0' ? std::nullopt : std::optional<std::string>(value);
}

/// `path` with a leading "~" replaced by the home directory.
SILICA_INLINE std::filesystem::path expand_home(std::string_view path) {
    if (path == "~" || path.starts_with("~/"))
        if (const auto home = environment("HOME"))
            return std::filesystem::path(*home) / std::string(path.substr(std::min<std::size_t>(path.size(), 2)));
    return std::string(path);
}

SILICA_INLINE bool word(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// `text` with "$NAME" and "${NAME}" replaced by variables of the environment; those that are not set stay.
SILICA_INLINE std::string expand_variables(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t begin = at + 1, end = begin, next = begin;
        if (text[at] == '$' && begin < text.size() && text[begin] == '{') {
            end = std::min(text.find('}', ++begin), text.size());
            next = end + 1;
        } else if (text[at] == '$') {
            while (end < text.size() && word(text[end])) ++end;
            next = end;
        }
        const char* value = nullptr;
        if (end > begin && next <= text.size())
            value = std::getenv(std::string(text.substr(begin, end - begin)).c_str());  // NOLINT(concurrency-mt-unsafe)
        if (value != nullptr)
            out += value;
        else
            out += text.substr(at, std::min(next, text.size()) - at);
        at = next;
    }
    return out;
}

/// A path as a variable of huggingface_hub holds it.
SILICA_INLINE std::filesystem::path expanded(std::string_view path) {
    return expand_variables(expand_home(path).string());
}

/// One half of a repository name, by the rules of huggingface_hub.
SILICA_INLINE bool repo_part(std::string_view part) {
    return !part.empty() && part.size() <= 96 && word(part.front()) && word(part.back()) &&
           std::all_of(part.begin(), part.end(), [](char c) { return word(c) || c == '-' || c == '.'; }) &&
           part.find("..") == std::string_view::npos && part.find("--") == std::string_view::npos &&
           !part.ends_with(".git");
}

/// A branch, tag, commit or "refs/pr/7": no way out of the cache.
SILICA_INLINE bool revision_name(std::string_view revision) {
    if (revision.empty() || revision.size() > 200 || revision.front() == '/' || revision.back() == '/') return false;
    if (revision.front() == '-' || revision.front() == '.') return false;
    if (revision.find("..") != std::string_view::npos || revision.find("//") != std::string_view::npos) return false;
    if (revision.find("/.") != std::string_view::npos) return false;
    return std::all_of(revision.begin(), revision.end(),
                       [](char c) { return word(c) || c == '-' || c == '.' || c == '/' || c == '+'; });
}

/// The names of the refs (or snapshots) below `directory`, for errors: "main, refs/pr/3".
SILICA_INLINE std::string names_below(const std::filesystem::path& directory) {
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

SILICA_INLINE std::filesystem::path hub_cache() {
    for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"})
        if (const auto value = detail::environment(name)) return detail::expanded(*value);
    if (const auto home = detail::environment("HF_HOME")) return detail::expanded(*home) / "hub";
    if (const auto xdg = detail::environment("XDG_CACHE_HOME")) return detail::expanded(*xdg) / "huggingface" / "hub";
    return detail::expand_home("~/.cache/huggingface/hub");
}

SILICA_INLINE std::optional<RepoName> repo_name(std::string_view text) {
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

SILICA_INLINE std::filesystem::path hub_snapshot(const RepoName& name) {
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

SILICA_INLINE std::filesystem::path resolve(std::string_view dir_or_repo, Need need) {
    const auto path = detail::expand_home(dir_or_repo);
    std::error_code error;
    if (!dir_or_repo.empty() && std::filesystem::exists(path, error)) {
        refuse_dangling_links(path);
        if (need == Need::model) refuse_adapter(path);
        return path;
    }
    const auto name = repo_name(dir_or_repo);
    if (!name)
        throw CheckpointError(
            "There is no directory " + quote(dir_or_repo) + ", and it is not the name of a repository of the hub.",
            "Name an existing directory, or a repository as org/name or org/name@revision.");
    const auto snapshot = hub_snapshot(*name);
    refuse_dangling_links(snapshot);
    if (need == Need::directory) return snapshot;
    refuse_adapter(snapshot);
    if (!is_listed(snapshot / "config.json"))
        throw CheckpointError(
            "The hub cache has only a part of " + name->repo + ": " + snapshot.string() + " has no config.json.",
            "Run `" + download_line(name->repo, name->revision, "config.json") + "`.");
    static_cast<void>(locate_weights(snapshot));
    return snapshot;
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_HUB_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_HUB_HPP
// ---- silica/checkpoint/location.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_LOCATION_HPP
#define SILICA_SINGLE_CHECKPOINT_LOCATION_HPP
/// Where a checkpoint is, as users write it.

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace silica::checkpoint {

/// A directory, a file of weights with its config.json beside it, or "org/name" in the hub cache: made of a path or of
/// any kind of string.
class Location {
public:
    Location(std::string text) : text_(std::move(text)) {}
    Location(std::string_view text) : text_(text) {}
    /// InputError for a null pointer.
    Location(const char* text) {
        if (text == nullptr) throw InputError("The checkpoint to open is a null pointer.", "name a directory.");
        text_ = text;
    }
    Location(const std::filesystem::path& path) : text_(path.string()) {}

    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    std::string text_;
};

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_LOCATION_HPP
// ---- silica/checkpoint/read.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_READ_HPP
#define SILICA_SINGLE_CHECKPOINT_READ_HPP
/// One tensor of a checkpoint as an ordinary CPU tensor: for tools, reference files and tests. Models load with
/// `loader/`.

#include <string_view>

namespace silica::checkpoint {

/// The elements of `entry`, copied from `file`, contiguous, in the type of the file.
/// CheckpointError when LibTorch has no such type or the file has changed.
[[nodiscard]] Tensor read_tensor(const File& file, const TensorEntry& entry);

/// The tensor of that name. CheckpointError when there is none.
[[nodiscard]] Tensor read_tensor(const Checkpoint& checkpoint, std::string_view name);

}  // namespace silica::checkpoint

// ---- silica/checkpoint/read.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_READ_IPP
#define SILICA_SINGLE_CHECKPOINT_READ_IPP
/// Definitions of read.hpp.

#include <cstddef>
#include <cstdint>

namespace silica::checkpoint {

SILICA_INLINE Tensor read_tensor(const File& file, const TensorEntry& entry) {
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

SILICA_INLINE Tensor read_tensor(const Checkpoint& checkpoint, std::string_view name) {
    const auto* entry = checkpoint.find(name);
    if (entry == nullptr)
        throw CheckpointError("There is no tensor " + quote(name) + " in " + checkpoint.directory().string() + ".",
                              "Check the name; the names are in Checkpoint::entries().");
    return read_tensor(checkpoint.file_of(*entry), *entry);
}

}  // namespace silica::checkpoint
#endif  // SILICA_SINGLE_CHECKPOINT_READ_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_READ_HPP
// ---- silica/checkpoint/write_safetensors.hpp
#ifndef SILICA_SINGLE_CHECKPOINT_WRITE_SAFETENSORS_HPP
#define SILICA_SINGLE_CHECKPOINT_WRITE_SAFETENSORS_HPP
/// Writes safetensors files: for tests, tools and reference outputs.

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace silica::checkpoint {

/// Tensors with their names, in any order.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// Writes `tensors` (of any device and strides) and text `metadata` to `path`, by way of a temporary file beside it.
/// InputError for a name that occurs twice or is not UTF-8, CheckpointError when the disk fails.
void write_safetensors(const std::filesystem::path& path, NamedTensors tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace silica::checkpoint

// ---- silica/checkpoint/write_safetensors.ipp
#ifndef SILICA_SINGLE_CHECKPOINT_WRITE_SAFETENSORS_IPP
#define SILICA_SINGLE_CHECKPOINT_WRITE_SAFETENSORS_IPP
/// Writes safetensors.

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

namespace silica::checkpoint {

namespace detail {

/// `text` as a JSON string.
SILICA_INLINE std::string json_string(std::string_view text) {
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

    /// Gives the file its name, in place of whatever has it, so that a loss of power leaves one or the other.
    void commit() {
        if (::fsync(fd_) != 0) fail("Writing " + temporary_.string());
        if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("Renaming " + temporary_.string());
        ::close(std::exchange(fd_, -1));
        const auto parent = path_.parent_path();
        const int directory = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0) return;  // one may write there and not read; the file is whole
        const bool synced = ::fsync(directory) == 0 || errno == EINVAL || errno == ENOTSUP;
        const int error = std::exchange(errno, 0);
        ::close(directory);
        errno = error;
        if (!synced) fail("Writing the directory of " + path_.string());
    }

private:
    [[noreturn]] static void fail(const std::string& what) {
        throw CheckpointError(what + " failed: " + std::generic_category().message(errno) + ".",
                              "Check that the directory exists, that you may write there, and that the disk has room.");
    }

    std::filesystem::path path_, temporary_;
    int fd_ = -1;
};

SILICA_INLINE std::string_view format_name(const std::string& name, at::ScalarType type) {
    for (const auto& dtype : format_dtypes)
        if (dtype.dtype == type && type != at::ScalarType::Undefined) return dtype.name;
    throw InputError("Tensor " + quote(name) + " is of type " + at::toString(type) + ", which safetensors cannot hold.",
                     "Convert it before it is written.");
}

}  // namespace detail

SILICA_INLINE void write_safetensors(const std::filesystem::path& path, NamedTensors tensors,
                                     const std::map<std::string, std::string>& metadata) {
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
#endif  // SILICA_SINGLE_CHECKPOINT_WRITE_SAFETENSORS_IPP
#endif  // SILICA_SINGLE_CHECKPOINT_WRITE_SAFETENSORS_HPP
// ---- silica/core/fields.hpp
#ifndef SILICA_SINGLE_CORE_FIELDS_HPP
#define SILICA_SINGLE_CORE_FIELDS_HPP
/// Inputs and Outputs structs as lists of named tensors, and back.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica {

/// Tensors by field: "input_ids", "hidden_states.0" for the items of a list, "text.logits" for the fields of a struct.
using Named = std::vector<std::pair<std::string, Tensor>>;

/// Appends the tensors inside `value`: "name" for a tensor, "name.0", "name.1", ... for a list, "name.field" for a
/// struct.
template <class T>
void append_named(Named& out, const std::string& name, const T& value) {
    if constexpr (std::is_same_v<T, Tensor>) {
        if (value.defined()) out.emplace_back(name, value);
    } else if constexpr (requires {
                             value.has_value();
                             *value;
                         }) {
        if (value.has_value()) append_named(out, name, *value);
    } else if constexpr (Reflected<T>) {
        for_each_member(value, [&](std::string_view field, const auto& member) {
            append_named(out, name.empty() ? std::string(field) : name + "." + std::string(field), member);
        });
    } else if constexpr (requires {
                             value.begin();
                             typename T::value_type;
                         }) {
        if constexpr (!std::is_arithmetic_v<typename T::value_type>) {
            std::size_t i = 0;
            for (const auto& item : value) append_named(out, name + "." + std::to_string(i++), item);
        }
    }
}

/// The tensors of a struct, by field.
template <Reflected T>
[[nodiscard]] Named named(const T& value) {
    Named out;
    append_named(out, "", value);
    return out;
}

namespace detail {

/// Puts a tensor where `rest` says: nothing left for a tensor, an index for a list, a field for a struct.
template <class T>
bool put_named(T& value, std::string_view rest, const Tensor& t) {
    if constexpr (std::is_same_v<T, Tensor>) {
        if (!rest.empty()) return false;
        value = t;
        return true;
    } else if constexpr (requires {
                             value.has_value();
                             value.emplace();
                         }) {
        return put_named(value.has_value() ? *value : value.emplace(), rest, t);
    } else if constexpr (Reflected<T>) {
        const auto dot = rest.find('.');
        bool placed = false;
        for_each_member(value, [&](std::string_view field, auto& member) {
            if (field == rest.substr(0, dot))
                placed = put_named(member, dot == std::string_view::npos ? "" : rest.substr(dot + 1), t);
        });
        return placed;
    } else if constexpr (requires {
                             typename T::value_type;
                             value.push_back(t);
                         }) {
        if (rest != std::to_string(value.size())) return false;  // items come in order
        value.push_back(t);
        return true;
    } else {
        return false;
    }
}

}  // namespace detail

/// Puts a tensor into the field `name` of a struct of inputs. InputError for a name that is no field of it.
template <Reflected T>
void set_named(T& value, std::string_view name, const Tensor& tensor) {
    if (detail::put_named(value, name, tensor)) return;
    std::string known;
    for_each_member(
        value, [&](std::string_view field, const auto&) { known += (known.empty() ? "" : ", ") + std::string(field); });
    throw InputError("Input '" + std::string(name) + "' is none of this architecture.",
                     "the inputs are " + known + ".");
}

/// A struct from tensors by field. InputError for a name that is no field of it.
template <Reflected T>
[[nodiscard]] T from_named(const Named& tensors) {
    T value{};
    for (const auto& item : tensors) set_named(value, item.first, item.second);
    return value;
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_FIELDS_HPP
// ---- silica/core/host_alias.hpp
#ifndef SILICA_SINGLE_CORE_HOST_ALIAS_HPP
#define SILICA_SINGLE_CORE_HOST_ALIAS_HPP
/// Memory of a device tensor as the host may write it, where the device shares its memory with the host.

#include <c10/core/Storage.h>

namespace silica {

/// A host address of a tensor's first byte; false where there is none. Valid while it lives.
struct HostAlias {
    void* data = nullptr;
    c10::Storage keep = {};
    bool mps = false;

    explicit operator bool() const noexcept { return data != nullptr; }
    /// To be called between writing and the device's first use.
    void flush() const;
};

/// The tensor's own memory on the CPU; on MPS the shared buffer behind it (LibTorch 2.13 and newer, where every buffer
/// is shared), once the device has finished with it. `t` is contiguous and starts its storage.
HostAlias host_alias(const Tensor& t);

}  // namespace silica

// ---- silica/core/host_alias.ipp
#ifndef SILICA_SINGLE_CORE_HOST_ALIAS_IPP
#define SILICA_SINGLE_CORE_HOST_ALIAS_IPP
/// Definitions of host_alias.hpp.

#include <ATen/detail/MPSHooksInterface.h>
#include <ATen/mps/MPSAllocatorInterface.h>

#include <utility>

#if __has_include(<torch/headeronly/version.h>)
#include <torch/headeronly/version.h>
#else
#include <torch/version.h>
#endif

namespace silica {

SILICA_INLINE void HostAlias::flush() const {
    if (mps) at::detail::getMPSHooks().deviceSynchronize();
}

SILICA_INLINE HostAlias host_alias(const Tensor& t) {
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
#endif  // SILICA_SINGLE_CORE_HOST_ALIAS_IPP
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
// ---- silica/core/parallel.hpp
#ifndef SILICA_SINGLE_CORE_PARALLEL_HPP
#define SILICA_SINGLE_CORE_PARALLEL_HPP
/// parallel_for: a range of work over the threads of this process.
///
/// LibTorch's own at::parallel_for is serial in a file that is compiled without OpenMP. There a pool of our own serves,
/// with as many threads.

#include <algorithm>
#include <cstdint>

// Where everything is in headers, a file with OpenMP and one without have each their own; the library has one of them.
#if defined(_OPENMP) && !defined(SILICA_COMPILED)
#define SILICA_THREADS with_openmp
#else
#define SILICA_THREADS by_default
#endif

namespace silica {
namespace detail {
inline namespace SILICA_THREADS {

/// Calls piece(f, first, last) as parallel_for calls f, for a range that is longer than `grain`.
void in_pieces(std::int64_t begin, std::int64_t end, std::int64_t grain,
               void (*piece)(const void* f, std::int64_t first, std::int64_t last), const void* f);

}  // namespace SILICA_THREADS
}  // namespace detail

inline namespace SILICA_THREADS {

/// Calls f(first, last) on disjoint pieces that make up [begin, end), at most one for each of at::get_num_threads()
/// threads and for each `grain` of the range. A range no longer than `grain`, and a call from inside a parallel region
/// (this one's or OpenMP's), is one call on this thread. The first exception of `f` is thrown here.
///
/// A child of fork() may call it: it starts with one thread, and at::set_num_threads gives it more.
template <class F>
void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain, const F& f) {
    if (begin >= end) return;
    const std::int64_t least = std::max<std::int64_t>(1, grain);
    if (end - begin <= least) return f(begin, end);
    detail::in_pieces(
        begin, end, least,
        [](const void* self, std::int64_t first, std::int64_t last) { (*static_cast<const F*>(self))(first, last); },
        &f);
}

}  // namespace SILICA_THREADS
}  // namespace silica

#undef SILICA_THREADS

// ---- silica/core/parallel.ipp
#ifndef SILICA_SINGLE_CORE_PARALLEL_IPP
#define SILICA_SINGLE_CORE_PARALLEL_IPP
/// A range cut into pieces, by OpenMP or by the pool.

// ---- silica/core/thread_pool.hpp
#ifndef SILICA_SINGLE_CORE_THREAD_POOL_HPP
#define SILICA_SINGLE_CORE_THREAD_POOL_HPP
/// Threads that wait for work, and what fork() does to them.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <pthread.h>
#endif

namespace silica::detail {

// Shared by all objects of a process, whichever version of Silica each was built with: another layout, another name.
inline namespace abi_1 {

/// Threads that wait for work. One caller at a time has them; another one meanwhile works alone.
class SILICA_API ThreadPool {
public:
    ThreadPool() = default;
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;
    ~ThreadPool() {
        stop_.store(true, std::memory_order_relaxed);
        for (const auto& w : workers_) wake(*w);
        for (const auto& w : workers_) w->thread.join();
    }

    /// The pool of this process. It is never destroyed: its threads may be in use when the process exits.
    static ThreadPool& instance() {
        static std::atomic<ThreadPool*> pool{nullptr};
        // Its threads are not there in a child of fork(), which gets a pool of its own.
        [[maybe_unused]] static const bool watched = [] {
            in_children([] { pool.store(nullptr, std::memory_order_relaxed); });
            return true;
        }();
        ThreadPool* found = pool.load(std::memory_order_acquire);
        if (found == nullptr) {
            auto made = std::make_unique<ThreadPool>();
            if (pool.compare_exchange_strong(found, made.get(), std::memory_order_acq_rel)) found = made.release();
        }
        return *found;
    }

    /// True inside a task.
    static bool& inside() {
        thread_local bool flag = false;
        return flag;
    }

    /// Has f called in every child of fork() from now on. What f is in is never unloaded.
    static void in_children(void (*f)()) {
#if defined(__unix__) || defined(__APPLE__)
        pthread_atfork(nullptr, nullptr, f);
        Dl_info here{};
        if (dladdr(reinterpret_cast<const void*>(f), &here) != 0 && here.dli_fname != nullptr)
            dlopen(here.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
#else
        static_cast<void>(f);
#endif
    }

    /// task(i) for i in [0, count), on up to `threads` threads. The first exception of a task is thrown here.
    template <class Task>
    void run(std::int64_t count, int threads, const Task& task) {
        const std::unique_lock busy(mutex_, std::try_to_lock);
        if (!busy) {
            for (std::int64_t i = 0; i < count; ++i) task(i);
            return;
        }
        const std::size_t helpers = hire(std::min<std::int64_t>(threads, count) - 1);
        call_ = [](const void* self, std::int64_t i) { (*static_cast<const Task*>(self))(i); };
        task_ = &task;
        count_ = count;
        failure_ = nullptr;
        failed_.clear();
        next_.store(0, std::memory_order_relaxed);
        pending_.store(helpers, std::memory_order_relaxed);
        for (std::size_t i = 0; i < helpers; ++i) wake(*workers_[i]);
        work();
        for (std::size_t left = pending_.load(std::memory_order_acquire); left != 0;
             left = pending_.load(std::memory_order_acquire)) {
            pending_.wait(left, std::memory_order_acquire);
        }
        if (failure_) std::rethrow_exception(failure_);
    }

private:
    struct Worker {
        std::atomic<std::uint32_t> calls{0};
        std::thread thread;
    };

    static void wake(Worker& w) {
        w.calls.fetch_add(1, std::memory_order_release);
        w.calls.notify_one();
    }

    /// How many of `wanted` helpers there are, once those that lack are started. They stay for later calls.
    std::size_t hire(std::int64_t wanted) {
        const auto all = static_cast<std::size_t>(std::max<std::int64_t>(wanted, 0));
        while (workers_.size() < all) {
            auto worker = std::make_unique<Worker>();
            try {
                worker->thread = std::thread([this, w = worker.get()] { serve(*w); });
            } catch (const std::system_error&) {  // no more threads are to be had
                break;
            }
            workers_.push_back(std::move(worker));
        }
        return std::min(all, workers_.size());
    }

    void serve(Worker& w) {
        for (std::uint32_t seen = 0;;) {
            w.calls.wait(seen, std::memory_order_acquire);
            seen = w.calls.load(std::memory_order_acquire);
            if (stop_.load(std::memory_order_relaxed)) return;
            work();
            if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_one();
        }
    }

    void work() {
        inside() = true;
        for (std::int64_t i = next_.fetch_add(1); i < count_; i = next_.fetch_add(1)) {
            try {
                call_(task_, i);
            } catch (...) {
                if (!failed_.test_and_set()) failure_ = std::current_exception();
            }
        }
        inside() = false;
    }

    std::mutex mutex_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::atomic<std::size_t> pending_{0};
    std::atomic<std::int64_t> next_{0};
    std::int64_t count_ = 0;
    void (*call_)(const void*, std::int64_t) = nullptr;
    const void* task_ = nullptr;
    std::atomic_flag failed_ = ATOMIC_FLAG_INIT;
    std::exception_ptr failure_;
    std::atomic<bool> stop_{false};
};

}  // namespace abi_1
}  // namespace silica::detail
#endif  // SILICA_SINGLE_CORE_THREAD_POOL_HPP

#include <ATen/Parallel.h>

namespace silica {
namespace detail {

/// Whether this process is a child of fork() whose parent had called `in_pieces`. OpenMP's threads are not there then:
/// g++'s would be waited for for ever, by LibTorch too unless it is told to use one thread.
SILICA_INLINE bool forked() {
    static std::atomic<bool> flag{false};
    [[maybe_unused]] static const bool watched = [] {
        ThreadPool::in_children([] {
            flag.store(true, std::memory_order_relaxed);
            at::set_num_threads(1);
        });
        return true;
    }();
    return flag.load(std::memory_order_relaxed);
}

}  // namespace detail

SILICA_INLINE void detail::in_pieces(std::int64_t begin, std::int64_t end, std::int64_t grain,
                                     void (*piece)(const void*, std::int64_t, std::int64_t), const void* f) {
    [[maybe_unused]] const bool child = detail::forked();
#ifdef _OPENMP
    if (!child) {
        at::parallel_for(begin, end, grain, [&](std::int64_t first, std::int64_t last) { piece(f, first, last); });
        return;
    }
#endif
    const int threads = at::get_num_threads();
    if (threads == 1 || ThreadPool::inside() || at::in_parallel_region()) return piece(f, begin, end);
    const std::int64_t count = end - begin, pieces = std::min<std::int64_t>(threads, (count + grain - 1) / grain);
    const std::int64_t length = (count + pieces - 1) / pieces;
    ThreadPool::instance().run(pieces, threads, [&](std::int64_t i) {
        if (begin + i * length < end) piece(f, begin + i * length, std::min(end, begin + (i + 1) * length));
    });
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_PARALLEL_IPP
#endif  // SILICA_SINGLE_CORE_PARALLEL_HPP
// ---- silica/core/state_inputs.hpp
#ifndef SILICA_SINGLE_CORE_STATE_INPUTS_HPP
#define SILICA_SINGLE_CORE_STATE_INPUTS_HPP
/// Checks of what a state of generation is asked for, on the host and without waiting for a device.

#include <optional>
#include <string_view>

namespace silica {

/// Throws InputError unless a state of `batch` rows of up to `capacity` tokens is one that a machine could hold.
void require_state_size(std::int64_t batch, std::int64_t capacity);

/// Throws InputError unless `t` lies on `home`.
void require_device(std::string_view name, const Tensor& t, c10::Device home);

/// Throws InputError unless `t` is (batch) int64.
void require_row_each(std::string_view name, const Tensor& t, std::int64_t batch);

/// Throws InputError unless `ids` are what a step of a state takes: (batch) int64 on `home`, where there is room. On
/// the CPU they are looked at too: all are in [0, limit).
void require_step(const Tensor& ids, std::int64_t batch, std::int64_t length, std::int64_t capacity, c10::Device home,
                  std::optional<std::int64_t> limit);

/// Throws InputError unless `rows` are (batch) int64, and each one of [0, batch) where they lie on the CPU.
void require_rows(const Tensor& rows, std::int64_t batch);

}  // namespace silica

// ---- silica/core/state_inputs.ipp
#ifndef SILICA_SINGLE_CORE_STATE_INPUTS_IPP
#define SILICA_SINGLE_CORE_STATE_INPUTS_IPP
/// Checks of what a state of generation is asked for.

#include <string>

namespace silica {

SILICA_INLINE void require_state_size(std::int64_t batch, std::int64_t capacity) {
    constexpr std::int64_t most = std::int64_t{1} << 40;  // places, each of kilobytes
    const std::string what = "A state for " + std::to_string(batch) + " rows of " + std::to_string(capacity);
    if (batch < 1 || capacity < 1) throw InputError(what + " tokens cannot be made.", "1 or more of both is needed.");
    if (batch > most / capacity)
        throw InputError(what + " tokens is larger than any memory.", "ask for fewer rows, or a smaller capacity.");
}

SILICA_INLINE void require_device(std::string_view name, const Tensor& t, c10::Device home) {
    if (t.device().type() == home.type() && (home.is_cpu() || t.device().index() == home.index())) return;
    const std::string input(name);
    throw InputError("Input " + input + " lies on " + t.device().str() + ", the model on " + home.str() + ".",
                     "move it: " + input + ".to(model.device()).");
}

SILICA_INLINE void require_row_each(std::string_view name, const Tensor& t, std::int64_t batch) {
    require_tensor(name, t, 1, {c10::ScalarType::Long});
    if (t.size(0) == batch) return;
    throw InputError("Input " + std::string(name) + " has " + std::to_string(t.size(0)) +
                         " rows, the state was made for " + std::to_string(batch) + ".",
                     "give one for each row, or make a state for as many rows.");
}

SILICA_INLINE void require_step(const Tensor& ids, std::int64_t batch, std::int64_t length, std::int64_t capacity,
                                c10::Device home, std::optional<std::int64_t> limit) {
    require_row_each("ids", ids, batch);
    require_device("ids", ids, home);
    if (limit && home.is_cpu()) require_ids("ids", ids, *limit, "vocab_size");
    if (length < capacity) return;
    throw InputError("The state holds " + std::to_string(length) + " tokens and has no room for more.",
                     "make a state of a larger capacity.");
}

SILICA_INLINE void require_rows(const Tensor& rows, std::int64_t batch) {
    require_row_each("rows", rows, batch);
    if (!rows.device().is_cpu()) return;
    const Tensor host = rows.contiguous();
    const auto* row = host.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < batch; ++i) {
        if (row[i] >= 0 && row[i] < batch) continue;
        throw InputError(
            "Input rows holds " + std::to_string(row[i]) + ", rows from 0 to " + std::to_string(batch - 1) + " exist.",
            "name rows of the state.");
    }
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_STATE_INPUTS_IPP
#endif  // SILICA_SINGLE_CORE_STATE_INPUTS_HPP
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
// ---- silica/device/aten/argmax.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_ARGMAX_HPP
#define SILICA_SINGLE_DEVICE_ATEN_ARGMAX_HPP
/// The index of the largest value by ATen.

// ---- silica/op/argmax.hpp
#ifndef SILICA_SINGLE_OP_ARGMAX_HPP
#define SILICA_SINGLE_OP_ARGMAX_HPP
/// The index of the largest value of each row: greedy decoding.

namespace silica::op {

/// x (rows, n) -> (rows) int64, the first index where several are largest.
struct Argmax {
    static constexpr std::string_view name = "argmax";
    using signature = Tensor(const Tensor& x);
    static void check(const Tensor& x) { law(x.dim() == 2 && x.size(1) > 0, name, "x (rows, n), n above 0", x); }
};
static_assert(OpTag<Argmax>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_ARGMAX_HPP

#include <ATen/ops/argmax.h>

namespace silica::device::aten {

struct Argmax {
    static Tensor run(const Tensor& x) { return at::argmax(x, -1); }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_ARGMAX_HPP
// ---- silica/device/aten/attention.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_ATTENTION_HPP
#define SILICA_SINGLE_DEVICE_ATEN_ATTENTION_HPP
/// Attention by ATen's scaled_dot_product_attention, which picks a fused kernel where it has one.

#include <ATen/ops/scaled_dot_product_attention.h>

namespace silica::device::aten {

struct Attention {
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, const op::Attends& attends, double scale) {
        // `is_causal` counts from the first key, so it says what an offset of 0 says.
        const bool causal = attends.offset == 0 && !attends.mask && !attends.bias && !attends.lengths &&
                            !attends.hides_earlier(q.size(2)) && attends.hides_later(k.size(2));
        if (causal) return run(q, k, v, std::nullopt, true, scale);
        return run(q, k, v, mask_of(attends, q, k), false, scale);
    }

    /// `mask`: bool, or added to the scores; `causal`: query i attends to keys 0..i.
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, const std::optional<Tensor>& mask, bool causal,
                      double scale) {
        return at::scaled_dot_product_attention(q, k, v, mask, /*dropout_p=*/0.0, causal, scale,
                                                /*enable_gqa=*/q.size(1) != k.size(1));
    }

    /// All that `attends` says as one mask of this kind.
    static std::optional<Tensor> mask_of(const op::Attends& attends, const Tensor& q, const Tensor& k) {
        return attends.bias ? attends.added(q.size(2), k.size(2), q) : attends.shown(q.size(2), k.size(2), q.device());
    }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_ATTENTION_HPP
// ---- silica/device/aten/average_pool.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_AVERAGE_POOL_HPP
#define SILICA_SINGLE_DEVICE_ATEN_AVERAGE_POOL_HPP
/// Global average pooling by ATen, summed in float32.

// ---- silica/op/average_pool.hpp
#ifndef SILICA_SINGLE_OP_AVERAGE_POOL_HPP
#define SILICA_SINGLE_OP_AVERAGE_POOL_HPP
/// The mean of each channel over all positions: global average pooling. Lin, Chen and Yan 2014, section 3.2.

namespace silica::op {

/// x (batch, channels, size...) -> (batch, channels), summed in float32.
struct AveragePool {
    static constexpr std::string_view name = "average_pool";
    using signature = Tensor(const Tensor& x);
    static void check(const Tensor& x) {
        law(x.dim() >= 3 && c10::isFloatingType(x.scalar_type()) &&
                c10::multiply_integers(x.sizes().slice(2, x.sizes().size() - 2)) > 0,
            name, "x (batch, channels, size...) of floating numbers, of one position or more", x);
    }
};
static_assert(OpTag<AveragePool>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_AVERAGE_POOL_HPP

#include <ATen/ops/mean.h>

namespace silica::device::aten {

struct AveragePool {
    static Tensor run(const Tensor& x) { return at::mean(x.flatten(2), {2}, false, at::kFloat).to(x.scalar_type()); }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_AVERAGE_POOL_HPP
// ---- silica/device/aten/clamp.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_CLAMP_HPP
#define SILICA_SINGLE_DEVICE_ATEN_CLAMP_HPP
/// Clamp by ATen.

#include <ATen/ops/clamp.h>

namespace silica::device::aten {

struct Clamp {
    static Tensor run(const Tensor& x, double low, double high) { return at::clamp(x, low, high); }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_CLAMP_HPP
// ---- silica/device/aten/conv.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_CONV_HPP
#define SILICA_SINGLE_DEVICE_ATEN_CONV_HPP
/// Convolutions by ATen on weights that are kept as they are.

// ---- silica/op/conv.hpp
#ifndef SILICA_SINGLE_OP_CONV_HPP
#define SILICA_SINGLE_OP_CONV_HPP
/// y = W * x + b: a kernel moved over the last dimensions of x, which networks call convolution. Dumoulin and Visin
/// 2016, sections 2 (strides, padding) and 5.1 (dilation).

#include <boost/hana/adapt_struct.hpp>

#include <optional>
#include <vector>

namespace silica::op {

/// How a kernel moves over its input: one number for each dimension that it moves in.
struct ConvSteps {
    std::vector<std::int64_t> stride, padding, dilation;
    std::int64_t groups = 1;  ///< output i reads the channels of its own group only

    /// At how many places a kernel of `kernel` values fits into `size` values, those of the padding included.
    [[nodiscard]] std::int64_t places(std::size_t dim, std::int64_t size, std::int64_t kernel) const {
        const std::int64_t left = size + 2 * padding[dim] - dilation[dim] * (kernel - 1) - 1;
        return left < 0 ? 0 : left / stride[dim] + 1;
    }
};

/// Weights in the layout of the checkpoint, and the `Packed` of kernels that keep them as they are.
struct PlainConv {
    Tensor weight;                    ///< (out, in / groups, kernel...)
    std::optional<Tensor> bias = {};  ///< (out)
    ConvSteps steps = {};

    [[nodiscard]] const PlainConv& unpack() const { return *this; }
};

/// x (batch, in, size...), W (out, in / groups, kernel...), b (out) or absent -> y (batch, out, places...), for one,
/// two or three dimensions. Padding is of zeros and the same at both ends; any other is the caller's (nn/pad.hpp).
struct Conv {
    static constexpr std::string_view name = "conv";
    static constexpr bool quantisable = false;
    using signature = Tensor(const Tensor& x, const Prepared& weight);
    using Source = PlainConv;

    /// What is known of packed weights.
    struct Shape : WeightShape {
        ConvSteps steps;
        explicit Shape(const Source& s) : WeightShape{s.weight.sizes().vec(), s.weight.scalar_type()}, steps(s.steps) {}
    };

    static void check(const Source& s);
    static void check(const Tensor& x, const Shape& w) {
        law(fits(x, w), name,
            "x (batch, in, size...) that holds the kernel, and W (out, in / groups, kernel...) of one type", x, w);
    }

    /// Whether the kernel finds a place in x.
    static bool fits(const Tensor& x, const Shape& w) {
        const std::size_t rank = w.sizes.size() - 2;
        if (x.dim() != static_cast<std::int64_t>(rank) + 2 || x.scalar_type() != w.type ||
            x.size(1) != w.size(1) * w.steps.groups)
            return false;
        for (std::size_t i = 0; i < rank; ++i) {
            const std::int64_t size = x.size(static_cast<std::int64_t>(i) + 2);
            if (size < 1 || w.steps.places(i, size, w.size(i + 2)) < 1) return false;
        }
        return true;
    }
};
static_assert(OpTag<Conv>);

}  // namespace silica::op

BOOST_HANA_ADAPT_STRUCT(silica::op::PlainConv, weight, bias);

// ---- silica/op/conv.ipp
#ifndef SILICA_SINGLE_OP_CONV_IPP
#define SILICA_SINGLE_OP_CONV_IPP
/// The law of a convolution's weights.

#include <algorithm>

namespace silica::op {

SILICA_INLINE void Conv::check(const Source& s) {
    const auto rank = static_cast<std::size_t>(s.weight.dim()) - 2;
    const auto all = [&](const std::vector<std::int64_t>& numbers, std::int64_t least) {
        constexpr std::int64_t most = std::int64_t{1} << 30;  // sums and products of two stay in range
        return numbers.size() == rank &&
               std::ranges::all_of(numbers, [&](std::int64_t n) { return n >= least && n <= most; });
    };
    law(s.weight.dim() >= 3 && s.weight.dim() <= 5 && s.weight.numel() > 0 &&
            (!s.bias || is_vector(*s.bias, s.weight.size(0), s.weight.scalar_type())),
        name,
        "weights W (out, in / groups, kernel...) with one to three dimensions of a kernel and b (out) of one type",
        s.weight, s.bias);
    law(all(s.steps.stride, 1) && all(s.steps.padding, 0) && all(s.steps.dilation, 1), name,
        "a stride, a padding and a dilation for each dimension of the kernel of W (out, in / groups, kernel...), "
        "strides and dilations from 1 on, padding from 0 on",
        s.weight);
    law(s.steps.groups >= 1 && s.weight.size(0) % s.steps.groups == 0, name,
        "a number of groups that divides the outputs of W (out, in / groups, kernel...)", s.weight);
}

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_CONV_IPP
#endif  // SILICA_SINGLE_OP_CONV_HPP

#include <ATen/ops/convolution.h>

#include <array>

namespace silica::device::aten {

/// Output padding is for transposed convolutions.
inline c10::IntArrayRef no_output_padding(const op::ConvSteps& steps) {
    static constexpr std::array<std::int64_t, 3> zeros{};
    return c10::IntArrayRef(zeros).slice(0, steps.stride.size());
}

struct Conv {
    using Packed = op::PlainConv;
    static Packed pack(op::Conv::Source s) { return s; }
    static Tensor run(const Tensor& x, const Packed& w) {
        const auto& s = w.steps;
        return at::convolution(x, w.weight, w.bias, s.stride, s.padding, s.dilation, false, no_output_padding(s),
                               s.groups);
    }
};

/// act(y) of a y that nobody else has: in place where that is enough.
inline Tensor activated(Tensor y, Activation act) {
    switch (act) {
        case Activation::relu:
            return at::relu_(y);
        case Activation::gelu:
            return at::gelu_(y);
        case Activation::silu:
            return at::silu_(y);
        default:
            return Activate::run(y, act);
    }
}

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_CONV_HPP
// ---- silica/device/aten/decode_attention.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_DECODE_ATTENTION_HPP
#define SILICA_SINGLE_DEVICE_ATEN_DECODE_ATTENTION_HPP
/// Attention to a cache by ATen, over its whole capacity: shapes stay the same from step to step.

#include <ATen/ops/scaled_dot_product_attention.h>
#include <limits>

namespace silica::device::aten {

struct DecodeAttention {
    static Tensor run(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                      const std::optional<Tensor>& mask, double scale) {
        return at::scaled_dot_product_attention(q, keys, values, mask_of(keys, filled, mask), /*dropout_p=*/0.0,
                                                /*is_causal=*/false, scale,
                                                /*enable_gqa=*/q.size(1) != keys.size(1));
    }

    /// `mask`, and nothing beyond the filled slots.
    static Tensor mask_of(const Tensor& keys, const Tensor& filled, const std::optional<Tensor>& mask) {
        const Tensor there = (at::arange(keys.size(2), filled.options()) < filled).view({1, 1, 1, -1});
        if (!mask) return there;
        if (mask->scalar_type() == at::kBool) return there.logical_and(*mask);
        return at::where(there, *mask, -std::numeric_limits<float>::infinity()).to(mask->scalar_type());
    }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_DECODE_ATTENTION_HPP
// ---- silica/device/aten/embedding.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_EMBEDDING_HPP
#define SILICA_SINGLE_DEVICE_ATEN_EMBEDDING_HPP
/// Rows of a table that is kept as it is.

#include <ATen/ops/embedding.h>

namespace silica::device::aten {

struct Embedding {
    using Packed = op::Plain;
    static Packed pack(op::Embedding::Source s) { return s; }
    static Tensor run(const Tensor& ids, const Packed& table) { return at::embedding(table.weight, ids); }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_EMBEDDING_HPP
// ---- silica/device/aten/group_norm.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_GROUP_NORM_HPP
#define SILICA_SINGLE_DEVICE_ATEN_GROUP_NORM_HPP
/// Group norm by ATen: statistics in float32 whatever the type of x.

// ---- silica/op/group_norm.hpp
#ifndef SILICA_SINGLE_OP_GROUP_NORM_HPP
#define SILICA_SINGLE_OP_GROUP_NORM_HPP
/// y = (x - mean) / sqrt(var + eps) * w + b, mean and var over a group of channels at all positions. Wu and He 2018,
/// equations 1 to 6.

namespace silica::op {

/// x (batch, channels, size...), w (channels), b (channels) -> as x; `groups` divides the channels.
struct GroupNorm {
    static constexpr std::string_view name = "group_norm";
    using signature = Tensor(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups,
                             double eps);
    static void check(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups, double) {
        law(x.dim() >= 2 && c10::isFloatingType(x.scalar_type()) && x.size(1) > 0 &&
                is_vector(weight, x.size(1), x.scalar_type()) && is_vector(bias, x.size(1), x.scalar_type()),
            name, "x (batch, channels, size...), w (channels) and b (channels) of one type", x, weight, bias);
        law(groups >= 1 && x.size(1) % groups == 0, name,
            "x (batch, channels, size...) whose channels make whole groups", x);
    }
};
static_assert(OpTag<GroupNorm>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_GROUP_NORM_HPP

#include <ATen/ops/group_norm.h>

namespace silica::device::aten {

struct GroupNorm {
    static Tensor run(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups, double eps) {
        if (x.numel() == 0) return at::empty(x.sizes(), x.options());  // LibTorch 2.11 refuses it
        return at::group_norm(x, groups, weight, bias, eps);
    }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_GROUP_NORM_HPP
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
    static Packed pack(op::Linear::Source s) { return s; }
    static Tensor run(const Tensor& x, const Packed& w) { return at::linear(x, w.weight, w.bias); }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_LINEAR_HPP
// ---- silica/device/aten/max_pool.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_MAX_POOL_HPP
#define SILICA_SINGLE_DEVICE_ATEN_MAX_POOL_HPP
/// Max pooling by ATen.

// ---- silica/op/max_pool.hpp
#ifndef SILICA_SINGLE_OP_MAX_POOL_HPP
#define SILICA_SINGLE_OP_MAX_POOL_HPP
/// The largest value of each window of an image.

namespace silica::op {

/// x (batch, channels, h, w) -> (batch, channels, h', w') with h' = floor((h + 2 padding - kernel) / stride) + 1. What
/// is padded never wins.
struct MaxPool {
    static constexpr std::string_view name = "max_pool";
    using signature = Tensor(const Tensor& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding);
    static void check(const Tensor& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
        constexpr std::int64_t most = std::int64_t{1} << 30;
        law(kernel >= 1 && kernel <= most && stride >= 1 && stride <= most && padding >= 0 && padding <= kernel / 2,
            name, "a kernel and a stride of 1 or more, and padding of half a kernel at most", x);
        law(x.dim() == 4 && c10::isFloatingType(x.scalar_type()) && x.size(1) > 0 && x.size(2) > 0 && x.size(3) > 0 &&
                x.size(2) + 2 * padding >= kernel && x.size(3) + 2 * padding >= kernel,
            name, "x (batch, channels, h, w) of floating numbers that holds the window", x);
    }
};
static_assert(OpTag<MaxPool>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_MAX_POOL_HPP

#include <ATen/ops/max_pool2d.h>

namespace silica::device::aten {

struct MaxPool {
    static Tensor run(const Tensor& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
        return at::max_pool2d(x, {kernel, kernel}, {stride, stride}, {padding, padding});
    }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_MAX_POOL_HPP
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
    static void check(const Tensor& h, const Tensor& mask, Pooling) {
        law(h.dim() == 3 && mask.dim() == 2 && mask.scalar_type() == c10::ScalarType::Bool &&
                mask.size(0) == h.size(0) && mask.size(1) == h.size(1) && h.size(1) > 0,
            name, "h (batch, tokens, d) and mask (batch, tokens) bool", h, mask);
    }
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
// ---- silica/device/aten/resize.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_RESIZE_HPP
#define SILICA_SINGLE_DEVICE_ATEN_RESIZE_HPP
/// Resizing by ATen.

// ---- silica/op/resize.hpp
#ifndef SILICA_SINGLE_OP_RESIZE_HPP
#define SILICA_SINGLE_OP_RESIZE_HPP
/// Images of another size, by interpolation between their pixels, as PyTorch's `interpolate` does it without antialias.

namespace silica {

/// Which pixels make a new one.
enum class Resampling {
    nearest,   ///< the one at floor(i h / h'), h / h' being of float32
    bilinear,  ///< the two around its place in each dimension, by distance
    bicubic,   ///< the four around it, by Keys' kernel with a = -0.75 (Keys 1981, equation 4)
};

namespace op {

/// x (batch, channels, h, w) -> (batch, channels, height, width). New pixel i stands at (i + 1/2) h / height - 1/2 of
/// x; with `align_corners`, at i (h - 1) / (height - 1), so that the corners stay. Pixels beyond an edge are those of
/// the edge.
struct Resize {
    static constexpr std::string_view name = "resize";
    using signature = Tensor(const Tensor& x, std::int64_t height, std::int64_t width, Resampling how,
                             bool align_corners);
    static void check(const Tensor& x, std::int64_t height, std::int64_t width, Resampling how, bool align_corners) {
        constexpr std::int64_t most = std::int64_t{1} << 30;
        law(x.dim() == 4 && c10::isFloatingType(x.scalar_type()) && x.size(1) > 0 && x.size(2) > 0 && x.size(3) > 0,
            name, "x (batch, channels, h, w) of floating numbers", x);
        law(height > 0 && width > 0 && height <= most && width <= most, name, "a height and a width of 1 or more", x);
        law(how != Resampling::nearest || !align_corners, name, "align_corners for bilinear and bicubic only", x);
    }
};
static_assert(OpTag<Resize>);

}  // namespace op
}  // namespace silica
#endif  // SILICA_SINGLE_OP_RESIZE_HPP

#include <ATen/ops/upsample_bicubic2d.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_nearest2d.h>

namespace silica::device::aten {

struct Resize {
    static Tensor run(const Tensor& x, std::int64_t height, std::int64_t width, Resampling how, bool align_corners) {
        switch (how) {
            case Resampling::nearest:
                return at::upsample_nearest2d(x, {height, width});
            case Resampling::bilinear:
                return at::upsample_bilinear2d(x, {height, width}, align_corners);
            case Resampling::bicubic:
                return at::upsample_bicubic2d(x, {height, width}, align_corners);
        }
        return x;
    }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_RESIZE_HPP
// ---- silica/device/aten/rms_norm.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_RMS_NORM_HPP
#define SILICA_SINGLE_DEVICE_ATEN_RMS_NORM_HPP
/// RMS norm in ATen's terms, the mean in float32.

#include <ATen/ops/mean.h>
#include <ATen/ops/rsqrt.h>

namespace silica::device::aten {

struct RmsNorm {
    static Tensor run(const Tensor& x, const Tensor& weight, double eps) {
        const Tensor h = x.to(at::kFloat);
        return weight * (h * at::rsqrt(at::mean(h * h, {-1}, /*keepdim=*/true) + eps)).to(x.scalar_type());
    }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_RMS_NORM_HPP
// ---- silica/device/aten/rotary.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_ROTARY_HPP
#define SILICA_SINGLE_DEVICE_ATEN_ROTARY_HPP
/// Rotary embedding in plain tensor code.

namespace silica::device::aten {

struct Rotary {
    static Tensor run(const Tensor& x, const Tensor& cos, const Tensor& sin) {
        const auto half = x.size(-1) / 2;
        const Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half), c = cos.unsqueeze(1),
                     s = sin.unsqueeze(1);
        return at::cat({a * c - b * s, b * c + a * s}, -1);
    }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_ROTARY_HPP
// ---- silica/device/aten/softmax.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_SOFTMAX_HPP
#define SILICA_SINGLE_DEVICE_ATEN_SOFTMAX_HPP
/// Softmax by ATen: sums in float32 whatever the type of x.

// ---- silica/op/softmax.hpp
#ifndef SILICA_SINGLE_OP_SOFTMAX_HPP
#define SILICA_SINGLE_OP_SOFTMAX_HPP
/// y_i = exp(x_i) / sum of exp(x_j) over the last dimension.

namespace silica::op {

/// x (..., d) -> (..., d). A row of nothing but -infinity gives NaN.
struct Softmax {
    static constexpr std::string_view name = "softmax";
    using signature = Tensor(const Tensor& x);
    static void check(const Tensor& x) {
        law(x.dim() >= 1 && c10::isFloatingType(x.scalar_type()), name, "x (..., d) of floating numbers", x);
    }
};
static_assert(OpTag<Softmax>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_SOFTMAX_HPP

#include <ATen/ops/softmax.h>

namespace silica::device::aten {

struct Softmax {
    static Tensor run(const Tensor& x) { return at::softmax(x, -1); }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_SOFTMAX_HPP
// ---- silica/device/aten/store_kv.hpp
#ifndef SILICA_SINGLE_DEVICE_ATEN_STORE_KV_HPP
#define SILICA_SINGLE_DEVICE_ATEN_STORE_KV_HPP
/// Writing to a cache by ATen's index_copy_.

#include <ATen/ops/index_copy.h>

namespace silica::device::aten {

struct StoreKv {
    static op::Written run(InOut<Tensor> keys, InOut<Tensor> values, const Tensor& k, const Tensor& v,
                           const Tensor& slots) {
        keys.value.index_copy_(2, slots, k);
        values.value.index_copy_(2, slots, v);
        return {};
    }
};

}  // namespace silica::device::aten
#endif  // SILICA_SINGLE_DEVICE_ATEN_STORE_KV_HPP
// ---- silica/device/cpu.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_HPP
#define SILICA_SINGLE_DEVICE_CPU_HPP
/// The CPU: the device every chain ends on.

// ---- silica/device/cpu/scratch.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_SCRATCH_HPP
#define SILICA_SINGLE_DEVICE_CPU_SCRATCH_HPP
/// Memory that a thread keeps from call to call, until `release_scratch`.

#include <atomic>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>

namespace silica::device::cpu {

/// Frees what no kernel uses now, of all threads.
void release_scratch();

namespace detail {

struct FreeFloats {
    void operator()(float* p) const { ::operator delete[](p, std::align_val_t{64}); }
};

/// What one thread keeps for one use. `release_scratch` takes it too, for a moment.
struct Room {
    Room();
    ~Room();
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;

    std::unique_ptr<float[], FreeFloats> floats;
    std::size_t size = 0;
    bool lent = false;  ///< to its own thread, which alone looks at this
    std::atomic<bool> taken{false};
};

/// Takes the room, with `count` floats on lines of cache; what was there is lost when it grows.
void take(Room& room, std::size_t count);

}  // namespace detail

/// Room for `count` floats on lines of cache for the life of this object, one for each `Use` and thread.
template <int Use>
class Scratch {
public:
    explicit Scratch(std::size_t count) : room_(mine().lent ? own_.emplace() : mine()) { detail::take(room_, count); }
    ~Scratch() {
        room_.lent = false;
        room_.taken.store(false, std::memory_order_release);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    [[nodiscard]] float* data() const noexcept { return room_.floats.get(); }

private:
    static detail::Room& mine() {
        thread_local detail::Room room;
        return room;
    }

    std::optional<detail::Room> own_;  // where a kernel runs inside another one of its kind
    detail::Room& room_;
};

}  // namespace silica::device::cpu

// ---- silica/device/cpu/scratch.ipp
#ifndef SILICA_SINGLE_DEVICE_CPU_SCRATCH_IPP
#define SILICA_SINGLE_DEVICE_CPU_SCRATCH_IPP
/// The rooms of all threads.

#include <algorithm>
#include <mutex>
#include <thread>
#include <vector>

namespace silica::device::cpu {
namespace detail {

struct Rooms {
    std::mutex mutex;
    std::vector<Room*> all;
};

/// Never destroyed: threads may end after it would have been.
SILICA_INLINE Rooms& rooms() {
    static auto* const all = new Rooms;
    return *all;
}

SILICA_INLINE Room::Room() {
    const std::lock_guard guard(rooms().mutex);
    rooms().all.push_back(this);
}

SILICA_INLINE Room::~Room() {
    const std::lock_guard guard(rooms().mutex);
    std::erase(rooms().all, this);
}

SILICA_INLINE void take(Room& room, std::size_t count) {
    while (room.taken.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
    room.lent = true;
    if (room.size >= count) return;
    room.floats.reset();
    room.size = 0;
    try {
        room.floats.reset(static_cast<float*>(::operator new[](count * sizeof(float), std::align_val_t{64})));
    } catch (...) {
        room.lent = false;
        room.taken.store(false, std::memory_order_release);
        throw;
    }
    room.size = count;
    std::fill_n(room.floats.get(), count, 0.0F);
}

}  // namespace detail

SILICA_INLINE void release_scratch() {
    const std::lock_guard guard(detail::rooms().mutex);
    for (detail::Room* room : detail::rooms().all) {
        if (room->taken.exchange(true, std::memory_order_acquire)) continue;
        room->floats.reset();
        room->size = 0;
        room->taken.store(false, std::memory_order_release);
    }
}

}  // namespace silica::device::cpu
#endif  // SILICA_SINGLE_DEVICE_CPU_SCRATCH_IPP
#endif  // SILICA_SINGLE_DEVICE_CPU_SCRATCH_HPP
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
    using plain = Bf16;
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
    using plain = Fp16;
};
static_assert(PrecisionPolicy<Fp16>);

}  // namespace silica::precision
#endif  // SILICA_SINGLE_PRECISION_FP16_HPP

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
    /// Frees what kernels keep from call to call.
    static void empty_cache() { cpu::release_scratch(); }
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
// ---- silica/device/cpu/argmax.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ARGMAX_HPP
#define SILICA_SINGLE_DEVICE_CPU_ARGMAX_HPP
/// The index of the largest value on the CPU.

namespace silica {

template <>
struct Kernel<op::Argmax, device::Cpu> {
    static Tensor run(const Tensor& x);
};

}  // namespace silica

// ---- silica/device/cpu/argmax.ipp
#ifndef SILICA_SINGLE_DEVICE_CPU_ARGMAX_IPP
#define SILICA_SINGLE_DEVICE_CPU_ARGMAX_IPP
/// The largest value of a row, then its first index.

// ---- silica/device/cpu/isa/target.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ISA_TARGET_HPP
#define SILICA_SINGLE_DEVICE_CPU_ISA_TARGET_HPP
/// How a loop is compiled for each instruction set.
///
/// A loop is a type with a static member template `run<width>(args...)`, always inlined, written with the vectors of
/// isa/vector.hpp. `on_best<Loop>(args...)` calls the copy of it that is compiled for the best instructions found at
/// run time. Everything a loop calls must be always inlined too: a lambda or a std algorithm does not inherit the
/// target.

// ---- silica/device/cpu/isa.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ISA_HPP
#define SILICA_SINGLE_DEVICE_CPU_ISA_HPP
/// Which vector instructions the kernels of this device use, and how products are cut for them.

#include <c10/util/BFloat16.h>

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace silica::device::cpu::isa {

/// Instruction sets, the better ones later. `baseline` is what the program is compiled for: SSE2 on x86-64, NEON on
/// arm64.
enum class Isa : std::uint8_t { baseline, avx2, avx512, avx512_bf16 };

/// The instruction set that a name means: baseline, avx2, avx512 or avx512_bf16.
Isa named(std::string_view name);

/// The best that this processor and its operating system have. The environment variable SILICA_CPU_ISA, a name as
/// above, sets a limit; it is read once.
Isa best();

/// How a product is cut on an instruction set.
struct Tiling {
    std::int64_t lanes;    ///< rows of x in a vector
    std::int64_t vectors;  ///< vectors in a full panel; 0 where this product is left to LibTorch
    bool pairs;            ///< whether a unit of 32 bits is two bfloats, else a float

    /// Rows of w in a tile that meets this many vectors: what fits the registers, and less than the ways of a cache,
    /// since rows are often a power of two apart.
    [[nodiscard]] constexpr std::int64_t rows(std::int64_t of_vectors) const {
        return lanes == 16 && of_vectors < 4 ? 8 : 6;
    }
};

/// For weights of type T.
template <class T>
constexpr Tiling tiling(Isa set) {
    switch (set) {
        case Isa::avx512_bf16:
            return {16, 4, std::is_same_v<T, c10::BFloat16>};
        case Isa::avx512:
            return {16, 4, false};
        case Isa::avx2:
            return {8, 2, false};
        case Isa::baseline:
            break;
    }
    return {4, 0, false};
}

}  // namespace silica::device::cpu::isa

// ---- silica/device/cpu/isa.ipp
#ifndef SILICA_SINGLE_DEVICE_CPU_ISA_IPP
#define SILICA_SINGLE_DEVICE_CPU_ISA_IPP
/// What this processor has, and the limit that the environment sets.

#include <cstdlib>
#include <string>
#include <string_view>

namespace silica::device::cpu::isa {
namespace detail {

SILICA_INLINE Isa of_processor() {
#if defined(__x86_64__)
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512 && __builtin_cpu_supports("avx512bf16")) return Isa::avx512_bf16;
    if (avx512) return Isa::avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
#endif
    return Isa::baseline;
}

}  // namespace detail

SILICA_INLINE Isa named(std::string_view name) {
    if (name == "baseline") return Isa::baseline;
    if (name == "avx2") return Isa::avx2;
    if (name == "avx512") return Isa::avx512;
    if (name == "avx512_bf16") return Isa::avx512_bf16;
    throw InputError("'" + std::string(name.substr(0, 40)) + "' is no instruction set of the CPU's kernels.",
                     "Name baseline, avx2, avx512 or avx512_bf16 in SILICA_CPU_ISA, or unset it.");
}

SILICA_INLINE Isa best() {
    static const Isa found = [] {
        const Isa there = detail::of_processor();
        const char* const limit = std::getenv("SILICA_CPU_ISA");
        if (limit == nullptr || *limit == '\0') return there;
        const Isa most = named(limit);
        return most < there ? most : there;
    }();
    return found;
}

}  // namespace silica::device::cpu::isa
#endif  // SILICA_SINGLE_DEVICE_CPU_ISA_IPP
#endif  // SILICA_SINGLE_DEVICE_CPU_ISA_HPP

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0)
#error \
    "Silica's CPU kernels need infinities and NaN, which -ffast-math, -Ofast and -ffinite-math-only take away. \
Remedy: link silica::compiled, whose kernels have flags of their own, or add -fno-fast-math -fno-finite-math-only."
#endif

namespace silica::device::cpu::isa {

#if defined(__x86_64__)

namespace detail {

template <class Loop, class... Args>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,fma")]] void with_avx512(Args... args) {
    Loop::template run<16>(args...);
}
template <class Loop, class... Args>
[[gnu::target("avx2,fma")]] void with_avx2(Args... args) {
    Loop::template run<8>(args...);
}

}  // namespace detail

/// Runs the loop as compiled for `set`, which this processor must have. Vectors have 16, 8 or 4 lanes of 32 bits.
template <class Loop, class... Args>
inline void on(Isa set, Args... args) {
    switch (set) {
        case Isa::avx512_bf16:
        case Isa::avx512:
            return detail::with_avx512<Loop>(args...);
        case Isa::avx2:
            return detail::with_avx2<Loop>(args...);
        case Isa::baseline:
            return Loop::template run<4>(args...);
    }
}

#else

template <class Loop, class... Args>
inline void on(Isa, Args... args) {
    Loop::template run<4>(args...);
}

#endif

/// The same for the best of this processor.
template <class Loop, class... Args>
inline void on_best(Args... args) {
    on<Loop>(best(), args...);
}

}  // namespace silica::device::cpu::isa
#endif  // SILICA_SINGLE_DEVICE_CPU_ISA_TARGET_HPP
// ---- silica/device/cpu/isa/vector.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ISA_VECTOR_HPP
#define SILICA_SINGLE_DEVICE_CPU_ISA_VECTOR_HPP
/// Vectors of floats for loops that are compiled for several instruction sets: see isa/target.hpp.
///
/// The vector types of g++ and clang: `+ - * /` and comparisons work on lanes. They travel by reference, since how they
/// are passed by value depends on the instruction set.

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace silica::device::cpu::isa {

/// The vectors of `W` lanes: floats `F`, signed and unsigned integers of 32 bits, `I` and `U`, and of 16 bits, `S` and
/// `H`; and the same at any address. (memcpy would do, but it is cut into pieces for the instruction set of the
/// program.)
template <int W>
struct Lanes;
template <>
struct Lanes<4> {
    typedef float F __attribute__((vector_size(16)));
    typedef std::int32_t I __attribute__((vector_size(16)));
    typedef std::uint32_t U __attribute__((vector_size(16)));
    typedef std::uint16_t H __attribute__((vector_size(8)));
    typedef std::int16_t S __attribute__((vector_size(8)));
    typedef float FloatsAnywhere __attribute__((vector_size(16), aligned(1), may_alias));
    typedef std::uint32_t UAnywhere __attribute__((vector_size(16), aligned(1), may_alias));
    typedef std::uint16_t HAnywhere __attribute__((vector_size(8), aligned(1), may_alias));
};
template <>
struct Lanes<8> {
    typedef float F __attribute__((vector_size(32)));
    typedef std::int32_t I __attribute__((vector_size(32)));
    typedef std::uint32_t U __attribute__((vector_size(32)));
    typedef std::uint16_t H __attribute__((vector_size(16)));
    typedef std::int16_t S __attribute__((vector_size(16)));
    typedef float FloatsAnywhere __attribute__((vector_size(32), aligned(1), may_alias));
    typedef std::uint32_t UAnywhere __attribute__((vector_size(32), aligned(1), may_alias));
    typedef std::uint16_t HAnywhere __attribute__((vector_size(16), aligned(1), may_alias));
};
template <>
struct Lanes<16> {
    typedef float F __attribute__((vector_size(64)));
    typedef std::int32_t I __attribute__((vector_size(64)));
    typedef std::uint32_t U __attribute__((vector_size(64)));
    typedef std::uint16_t H __attribute__((vector_size(32)));
    typedef std::int16_t S __attribute__((vector_size(32)));
    typedef float FloatsAnywhere __attribute__((vector_size(64), aligned(1), may_alias));
    typedef std::uint32_t UAnywhere __attribute__((vector_size(64), aligned(1), may_alias));
    typedef std::uint16_t HAnywhere __attribute__((vector_size(32), aligned(1), may_alias));
};

template <int W>
using Floats = typename Lanes<W>::F;

/// The bits of a vector as another one of the same size.
template <class To, class From>
[[gnu::always_inline]] inline void bits(To& to, const From& from) {
    static_assert(sizeof(To) == sizeof(From));
    to = (To)from;
}

/// All lanes s.
template <int W>
[[gnu::always_inline]] inline void fill(Floats<W>& v, float s) {
    v = s - Floats<W>{};
}

/// mask ? a : b, lane by lane.
template <int W>
[[gnu::always_inline]] inline void select(Floats<W>& v, const typename Lanes<W>::I& mask, const Floats<W>& a,
                                          const Floats<W>& b) {
    typename Lanes<W>::I x, y;
    bits(x, a);
    bits(y, b);
    x = (x & mask) | (y & ~mask);
    bits(v, x);
}

/// W values at p, of any alignment, as floats.
template <int W, class T>
[[gnu::always_inline]] inline void load(Floats<W>& v, const T* p) {
    using L = Lanes<W>;
    if constexpr (std::is_same_v<T, float>) {
        v = (Floats<W>)*reinterpret_cast<const typename L::FloatsAnywhere*>(p);
    } else {
        const auto h = (typename L::H) * reinterpret_cast<const typename L::HAnywhere*>(p);
        if constexpr (std::is_same_v<T, c10::BFloat16>) {
            const typename L::U u = __builtin_convertvector(h, typename L::U) << 16;
            bits(v, u);
        } else {
            static_assert(std::is_same_v<T, c10::Half>);
            const auto wide = __builtin_convertvector((typename L::S)h, typename L::I);
            typename L::U u;
            bits(u, wide);
            u <<= 13;  // the sign has its place, and so has the rest
            // Normal numbers need another exponent. Others are what is left of 2^-14 (1 + mantissa), which is less than
            // the former just for them: no float on the way is denormal, so that they survive where those are flushed.
            const typename L::U magnitude = u & 0x0fffe000U, normal = magnitude + (112U << 23);
            typename L::U least = magnitude + (113U << 23);
            bits(v, least);
            v -= 0x1p-14F;
            bits(least, v);
            least = least < normal ? least : normal;
            const typename L::I special = magnitude >= 0x0f800000U;
            typename L::U mask;
            bits(mask, special);
            u = (u & 0x80000000U) | least | (mask & 0x7f800000U);
            bits(v, u);
        }
    }
}

/// W floats to p, rounded to nearest, ties to even.
template <int W, class T>
[[gnu::always_inline]] inline void store(T* p, const Floats<W>& v) {
    using L = Lanes<W>;
    if constexpr (std::is_same_v<T, float>) {
        *reinterpret_cast<typename L::FloatsAnywhere*>(p) = v;
    } else {
        typename L::U u, mask;
        bits(u, v);
        if constexpr (std::is_same_v<T, c10::BFloat16>) {
            const typename L::I nan = v != v;
            bits(mask, nan);
            u = (((u + 0x7fffU + ((u >> 16) & 1U)) >> 16) & ~mask) | (mask & 0x7fc0U);
        } else {
            static_assert(std::is_same_v<T, c10::Half>);
            const typename L::U sign = (u >> 16) & 0x8000U;
            u &= 0x7fffffffU;
            // Numbers below the least normal one: a sum places their bits, and rounds.
            Floats<W> small;
            bits(small, u);
            small += 0.5F;
            typename L::U denormal;
            bits(denormal, small);
            denormal -= 0x3f000000U;
            const typename L::U normal = (u - (112U << 23) + 0xfffU + ((u >> 13) & 1U)) >> 13;
            const typename L::I is_denormal = u < (113U << 23), is_large = u >= (143U << 23), is_nan = u > 0x7f800000U;
            bits(mask, is_denormal);
            typename L::U h = (denormal & mask) | (normal & ~mask);
            bits(mask, is_large);
            h = (h & ~mask) | (mask & 0x7c00U);
            bits(mask, is_nan);
            u = h | (mask & 0x200U) | sign;
        }
        *reinterpret_cast<typename L::HAnywhere*>(p) = __builtin_convertvector(u, typename L::H);
    }
}

/// v rounded to what T can hold.
template <class T, int W>
[[gnu::always_inline]] inline void round_to(Floats<W>& v) {
    if constexpr (!std::is_same_v<T, float>) {
        T block[W];
        store<W>(block, v);
        load<W>(v, block);
    }
}

/// The first n < W values at p, then zeros.
template <int W, class T>
[[gnu::always_inline]] inline void load_some(Floats<W>& v, const T* p, std::int64_t n) {
    alignas(64) unsigned char block[W * sizeof(T)] = {};
    for (std::int64_t i = 0; i < n * static_cast<std::int64_t>(sizeof(T)); ++i)
        block[i] = reinterpret_cast<const unsigned char*>(p)[i];
    load<W>(v, reinterpret_cast<const T*>(block));
}

/// The first n < W lanes to p.
template <int W, class T>
[[gnu::always_inline]] inline void store_some(T* p, const Floats<W>& v, std::int64_t n) {
    alignas(64) unsigned char block[W * sizeof(T)];
    store<W>(reinterpret_cast<T*>(block), v);
    for (std::int64_t i = 0; i < n * static_cast<std::int64_t>(sizeof(T)); ++i)
        reinterpret_cast<unsigned char*>(p)[i] = block[i];
}

/// m = the largest lane, unless m is larger.
template <int W>
[[gnu::always_inline]] inline void maximum(float& m, const Floats<W>& v) {
    float lanes[W];
    store<W>(lanes, v);
    for (int i = 0; i < W; ++i) m = lanes[i] > m ? lanes[i] : m;
}

/// The sum of the lanes.
template <int W>
[[gnu::always_inline]] inline float sum(const Floats<W>& v) {
    if constexpr (W == 4) {
        float s[4];
        __builtin_memcpy(s, &v, sizeof v);
        return (s[0] + s[2]) + (s[1] + s[3]);
    } else {
        Floats<W / 2> half[2];
        __builtin_memcpy(half, &v, sizeof v);
        half[0] += half[1];
        return sum<W / 2>(half[0]);
    }
}

}  // namespace silica::device::cpu::isa
#endif  // SILICA_SINGLE_DEVICE_CPU_ISA_VECTOR_HPP
// ---- silica/device/cpu/rows.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ROWS_HPP
#define SILICA_SINGLE_DEVICE_CPU_ROWS_HPP
/// Ops on the CPU that work on each row by itself.

#include <c10/core/ScalarType.h>

#include <vector>

namespace silica::device::cpu {

/// Whether x is of a type that the loops of isa/ serve.
inline bool is_floating(const Tensor& x) {
    return x.scalar_type() == c10::ScalarType::Float || x.scalar_type() == c10::ScalarType::BFloat16 ||
           x.scalar_type() == c10::ScalarType::Half;
}

/// Calls f.operator()<T>() for the type of x, which `is_floating`.
template <class F>
auto with_type(const Tensor& x, const F& f) {
    switch (x.scalar_type()) {
        case c10::ScalarType::BFloat16:
            return f.template operator()<c10::BFloat16>();
        case c10::ScalarType::Half:
            return f.template operator()<c10::Half>();
        default:
            return f.template operator()<float>();
    }
}

/// Rows so small in all are not worth waking another thread for.
inline constexpr std::int64_t values_for_a_thread = 16384;

/// x (..., d) -> (..., n): f(row, out) for each row, in parallel where there is enough to do.
template <class F>
Tensor by_rows(const Tensor& x, std::int64_t n, const F& f) {
    std::vector<std::int64_t> shape(x.sizes().begin(), x.sizes().end());
    shape.back() = n;
    const Tensor y = at::empty(shape, x.options()), in = x.contiguous();
    const std::int64_t d = x.size(-1);
    if (y.numel() == 0) return y;
    with_type(x, [&]<class T>() {
        const T* from = in.template const_data_ptr<T>();
        T* to = y.template mutable_data_ptr<T>();
        parallel_for(0, y.numel() / n, (values_for_a_thread + d - 1) / d, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t i = first; i < last; ++i) f(from + i * d, to + i * n);
        });
    });
    return y;
}

}  // namespace silica::device::cpu
#endif  // SILICA_SINGLE_DEVICE_CPU_ROWS_HPP

#include <limits>

namespace silica {
namespace device::cpu {

/// The largest of n values, and whether one of them is NaN.
template <class T>
struct MaximumArguments {
    const T* x;
    std::int64_t n;
    float* most;
    bool* nan;
};
struct Maximum {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const MaximumArguments<T>* a) {
        isa::Floats<W> v, most;
        isa::fill<W>(most, -std::numeric_limits<float>::infinity());
        typename isa::Lanes<W>::I nan = {};
        std::int64_t i = 0;
        for (; i + W <= a->n; i += W) {
            isa::load<W>(v, a->x + i);
            nan |= v != v;
            isa::select<W>(most, v > most, v, most);
        }
        float lanes[W], m = -std::numeric_limits<float>::infinity();
        isa::store<W>(lanes, most);
        for (const float lane : lanes) m = lane > m ? lane : m;
        bool any = false;
        for (int lane = 0; lane < W; ++lane) any = any || nan[lane] != 0;
        for (; i < a->n; ++i) {
            const float f = a->x[i];
            any = any || f != f;
            m = f > m ? f : m;
        }
        *a->most = m;
        *a->nan = any;
    }
};

/// The first index of the largest value; of the first NaN where there is one.
template <class T>
std::int64_t index_of_most(const T* x, std::int64_t n) {
    float most = 0;
    bool nan = false;
    const MaximumArguments<T> a{x, n, &most, &nan};
    isa::on_best<Maximum>(&a);
    for (std::int64_t i = 0; i < n; ++i) {
        const float f = x[i];
        if (nan ? f != f : f == most) return i;
    }
    return 0;
}

}  // namespace device::cpu

SILICA_INLINE Tensor Kernel<op::Argmax, device::Cpu>::run(const Tensor& x) {
    namespace cpu = device::cpu;
    if (!cpu::is_floating(x) || x.numel() == 0) return device::aten::Argmax::run(x);
    const Tensor in = x.contiguous(), y = at::empty({x.size(0)}, x.options().dtype(c10::ScalarType::Long));
    const std::int64_t n = x.size(1);
    cpu::with_type(x, [&]<class T>() {
        const T* from = in.const_data_ptr<T>();
        auto* const to = y.mutable_data_ptr<std::int64_t>();
        const std::int64_t grain = 4 * cpu::values_for_a_thread / n + 1;
        parallel_for(0, x.size(0), grain, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t i = first; i < last; ++i) to[i] = cpu::index_of_most(from + i * n, n);
        });
    });
    return y;
}

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_ARGMAX_IPP
#endif  // SILICA_SINGLE_DEVICE_CPU_ARGMAX_HPP
// ---- silica/device/cpu/attention.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ATTENTION_HPP
#define SILICA_SINGLE_DEVICE_CPU_ATTENTION_HPP
/// Attention on the CPU: our own kernel, block by block; ATen's where the processor has no tiles for it.

namespace silica {

template <>
struct Kernel<op::Attention, device::Cpu> {
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, const op::Attends& attends, double scale);
};

}  // namespace silica

// ---- silica/device/cpu/attention.ipp
#ifndef SILICA_SINGLE_DEVICE_CPU_ATTENTION_IPP
#define SILICA_SINGLE_DEVICE_CPU_ATTENTION_IPP
/// From tensors to attention by addresses.

// ---- silica/device/cpu/attend.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ATTEND_HPP
#define SILICA_SINGLE_DEVICE_CPU_ATTEND_HPP
/// Attention of one query per row and head: what the kernels of decode_attention and attention share.
///
/// Each key and value is read once for all its query heads. Scores, softmax and sums are in float32, over blocks of
/// keys with a running maximum (Dao et al. 2022).

#include <optional>

namespace silica::device::cpu {

struct AttendOne {
    /// Attention to the slots 0..filled-1, of one type, each key and value contiguous.
    static Tensor run(const Tensor& q, const Tensor& keys, const Tensor& values, std::int64_t filled,
                      const std::optional<Tensor>& mask, double scale);
};

}  // namespace silica::device::cpu

// ---- silica/device/cpu/attend.ipp
#ifndef SILICA_SINGLE_DEVICE_CPU_ATTEND_IPP
#define SILICA_SINGLE_DEVICE_CPU_ATTEND_IPP
/// Attention of one query: heads of keys, or parts of them, over threads.

// ---- silica/device/cpu/isa/attend.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ISA_ATTEND_HPP
#define SILICA_SINGLE_DEVICE_CPU_ISA_ATTEND_HPP
/// Attention of the query heads of one head of keys to a range of the keys.

// ---- silica/device/cpu/isa/dots.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ISA_DOTS_HPP
#define SILICA_SINGLE_DEVICE_CPU_ISA_DOTS_HPP
/// Rows of a matrix times a few vectors: the product of a decode step, bound by reading the matrix.

#include <c10/util/BFloat16.h>

#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace silica::device::cpu::isa {

/// y[i ldy + n] = sum over k of x[i ldx + k] w[n ldw + k], for n < rows and i < vectors; sums in float32.
template <class T>
struct DotsArguments {
    const T* w;
    std::int64_t ldw, rows;
    const T* x;
    std::int64_t ldx, vectors;
    std::int64_t k;
    float* y;
    std::int64_t ldy;
};

namespace detail {

template <int N>
using Indices = std::make_integer_sequence<int, N>;

/// What one step reads: 2 W values of a row of 16-bit bfloats as two vectors, else W values as one.
template <class T, int W>
struct Piece {
    static constexpr int vectors = std::is_same_v<T, c10::BFloat16> ? 2 : 1;
    static constexpr int length = W * vectors;
    Floats<W> v[vectors];

    [[gnu::always_inline]] void load(const T* p) {
        if constexpr (vectors == 2) {  // the even and the odd ones, in an order that both factors share
            const auto u = (typename Lanes<W>::U) * reinterpret_cast<const typename Lanes<W>::UAnywhere*>(p);
            bits(v[0], u << 16);
            bits(v[1], u & 0xffff0000U);
        } else {
            isa::load<W>(v[0], p);
        }
    }
    [[gnu::always_inline]] void add_product(Floats<W>& sum, const Piece& x) const {
        sum += v[0] * x.v[0];
        if constexpr (vectors == 2) sum += v[1] * x.v[1];
    }
};

template <class T, int W, int... V>
[[gnu::always_inline]] inline void dot_step(Floats<W>* sums, const T* w, const Piece<T, W>* x,
                                            std::integer_sequence<int, V...>) {
    Piece<T, W> row;
    row.load(w);
    (row.add_product(sums[V], x[V]), ...);
}
template <class T, int W, int V, int... R>
[[gnu::always_inline]] inline void dot_steps(Floats<W>* sums, const T* w, std::int64_t ldw, const Piece<T, W>* x,
                                             std::integer_sequence<int, R...>) {
    (dot_step<T, W>(sums + R * V, w + R * ldw, x, Indices<V>{}), ...);
}
template <class T, int W, int... V>
[[gnu::always_inline]] inline void load_pieces(Piece<T, W>* x, const T* p, std::int64_t ldx,
                                               std::integer_sequence<int, V...>) {
    (x[V].load(p + V * ldx), ...);
}
template <int W, int... I>
[[gnu::always_inline]] inline void clear(Floats<W>* v, std::integer_sequence<int, I...>) {
    ((v[I] = Floats<W>{}), ...);
}
template <int W, int V, int... I>
[[gnu::always_inline]] inline void write_sums(float* y, std::int64_t ldy, const Floats<W>* v,
                                              std::integer_sequence<int, I...>) {
    ((y[(I % V) * ldy + I / V] = sum<W>(v[I])), ...);
}

/// R rows of w times V vectors.
template <class T, int W, int R, int V>
[[gnu::always_inline]] inline void dots(const T* w, std::int64_t ldw, const T* x, std::int64_t ldx, std::int64_t k,
                                        float* y, std::int64_t ldy) {
    using P = Piece<T, W>;
    Floats<W> sums[R * V];
    clear<W>(sums, Indices<R * V>{});
    std::int64_t i = 0;
    for (; i + P::length <= k; i += P::length) {
        P pieces[V];
        load_pieces<T, W>(pieces, x + i, ldx, Indices<V>{});
        dot_steps<T, W, V>(sums, w + i, ldw, pieces, Indices<R>{});
    }
    write_sums<W, V>(y, ldy, sums, Indices<R * V>{});
    for (; i < k; ++i) {
        for (int r = 0; r < R; ++r)
            for (int v = 0; v < V; ++v)
                y[v * ldy + r] += static_cast<float>(w[r * ldw + i]) * static_cast<float>(x[v * ldx + i]);
    }
}

/// All rows meet all vectors: four of each at a time, while the rows are in the first cache.
template <class Kernel, class T>
[[gnu::always_inline]] inline void all_dots(const DotsArguments<T>& a) {
    for (std::int64_t n = 0, rows = 0; n < a.rows; n += rows) {
        rows = n + 4 <= a.rows ? 4 : 1;
        for (std::int64_t v = 0, vectors = 0; v < a.vectors; v += vectors) {
            vectors = rows == 4 && v + 4 <= a.vectors ? 4 : 1;
            const T *w = a.w + n * a.ldw, *x = a.x + v * a.ldx;
            float* y = a.y + v * a.ldy + n;
            if (vectors == 4)
                Kernel::template block<4, 4>(w, a.ldw, x, a.ldx, a.k, y, a.ldy);
            else if (rows == 4)
                Kernel::template block<4, 1>(w, a.ldw, x, a.ldx, a.k, y, a.ldy);
            else
                Kernel::template block<1, 1>(w, a.ldw, x, a.ldx, a.k, y, a.ldy);
        }
    }
}

}  // namespace detail

/// The loop in plain vectors.
struct Dots {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const DotsArguments<T>* a) {
        detail::all_dots<Of<T, W>>(*a);
    }

private:
    template <class T, int W>
    struct Of {
        template <int R, int V>
        [[gnu::always_inline]] static void block(const T* w, std::int64_t ldw, const T* x, std::int64_t ldx,
                                                 std::int64_t k, float* y, std::int64_t ldy) {
            detail::dots<T, W, R, V>(w, ldw, x, ldx, k, y, ldy);
        }
    };
};

#if defined(__x86_64__)

namespace detail::bf16 {

// Products of pairs of bfloats, vdpbf16ps. An intrinsic wants its target on every function around it.
/// sum += the products of the pairs in a and b.
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] [[gnu::always_inline]] inline void add_product(
    Floats<16>& sum, __m512i a, __m512i b) {
    sum = (Floats<16>)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}
template <int... V>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] [[gnu::always_inline]] inline void row(
    Floats<16>* sums, __m512i w, const __m512i* x, std::integer_sequence<int, V...>) {
    (add_product(sums[V], w, x[V]), ...);
}
template <int V, int... R>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] [[gnu::always_inline]] inline void rows(
    Floats<16>* sums, const c10::BFloat16* w, std::int64_t ldw, const __m512i* x, std::integer_sequence<int, R...>) {
    (row(sums + R * V, _mm512_loadu_si512(w + R * ldw), x, Indices<V>{}), ...);
}
template <int V, int... R>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] [[gnu::always_inline]] inline void rows(
    Floats<16>* sums, const c10::BFloat16* w, std::int64_t ldw, const __m512i* x, __mmask32 some,
    std::integer_sequence<int, R...>) {
    (row(sums + R * V, _mm512_maskz_loadu_epi16(some, w + R * ldw), x, Indices<V>{}), ...);
}
template <int... V>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] [[gnu::always_inline]] inline void vectors(
    __m512i* x, const c10::BFloat16* p, std::int64_t ldx, __mmask32 some, std::integer_sequence<int, V...>) {
    ((x[V] = _mm512_maskz_loadu_epi16(some, p + V * ldx)), ...);
}

struct Kernel {
    template <int R, int V>
    [[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] static void block(
        const c10::BFloat16* w, std::int64_t ldw, const c10::BFloat16* x, std::int64_t ldx, std::int64_t k, float* y,
        std::int64_t ldy) {
        Floats<16> sums[R * V];
        __m512i pieces[V];
        clear<16>(sums, Indices<R * V>{});
        std::int64_t i = 0;
        for (; i + 32 <= k; i += 32) {
            vectors(pieces, x + i, ldx, ~__mmask32{0}, Indices<V>{});
            rows<V>(sums, w + i, ldw, pieces, Indices<R>{});
        }
        if (i < k) {
            const auto some = static_cast<__mmask32>((std::uint32_t{1} << (k - i)) - 1);
            vectors(pieces, x + i, ldx, some, Indices<V>{});
            rows<V>(sums, w + i, ldw, pieces, some, Indices<R>{});
        }
        write_sums<16, V>(y, ldy, sums, Indices<R * V>{});
    }
};

}  // namespace detail::bf16

#endif

/// The product on instruction set `set`, which this processor must have.
template <class T>
void dots(Isa set, const DotsArguments<T>& a) {
#if defined(__x86_64__)
    if constexpr (std::is_same_v<T, c10::BFloat16>)
        if (set == Isa::avx512_bf16) return detail::all_dots<detail::bf16::Kernel>(a);
#endif
    on<Dots>(set, &a);
}

}  // namespace silica::device::cpu::isa
#endif  // SILICA_SINGLE_DEVICE_CPU_ISA_DOTS_HPP
// ---- silica/device/cpu/isa/math.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ISA_MATH_HPP
#define SILICA_SINGLE_DEVICE_CPU_ISA_MATH_HPP
/// Elementary functions and activations on vectors of floats.

namespace silica::device::cpu::isa {

/// v = exp(x), within 2 units in the last place; 0 below -87.3, finite above 88.
template <int W>
[[gnu::always_inline]] inline void exp(Floats<W>& v, const Floats<W>& x) {
    using F = Floats<W>;
    using I = typename Lanes<W>::I;
    F low, high, y;
    fill<W>(low, -87.33F);
    fill<W>(high, 88.0F);
    const I below = x < low;
    select<W>(y, x > high, high, x);
    select<W>(y, below, low, y);
    // x = n ln 2 + r; the sum rounds n to a whole number and leaves it in the last bits, from where it is taken: not by
    // a difference, which -fassociative-math would cancel
    const F magic = y * 1.44269504F + 12582912.0F;
    typename Lanes<W>::U exponent, value, zero;  // unsigned: with NaN they overflow
    bits(exponent, magic);
    const typename Lanes<W>::U from_zero = exponent - 0x4b400000U;
    I whole;
    bits(whole, from_zero);
    const F n = __builtin_convertvector(whole, F), r = (y - n * 0.693359375F) + n * 2.12194440e-4F;
    F p = r * 1.9875691500e-4F + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    p = (p * r) * r + r + 1.0F;
    bits(value, p);
    bits(zero, below);
    value += exponent << 23;
    value &= ~zero;
    bits(v, value);
    const I nan = x != x;
    select<W>(v, nan, x, v);
}

/// v = 1 / (1 + exp(-x)).
template <int W>
[[gnu::always_inline]] inline void sigmoid(Floats<W>& v, const Floats<W>& x) {
    Floats<W> e;
    exp<W>(e, -x);
    v = 1.0F / (1.0F + e);
}

/// v = tanh(x), within 1e-7.
template <int W>
[[gnu::always_inline]] inline void tanh(Floats<W>& v, const Floats<W>& x) {
    Floats<W> e;
    exp<W>(e, x * 2.0F);
    v = 1.0F - 2.0F / (e + 1.0F);
}

/// c[0] + c[1] x + ... + c[n - 1] x^(n - 1).
template <int W, std::size_t n>
[[gnu::always_inline]] inline void polynomial(Floats<W>& v, const Floats<W>& x, const float (&c)[n]) {
    v = Floats<W>{} + c[n - 1];
    for (std::size_t i = n - 1; i-- > 0;) v = v * x + c[i];
}

/// v = Phi(x), the normal distribution's, to the last bits of float32. Polynomials fitted for the least largest error:
/// erf(z) / z - 1 of z^2 below 1, -ln erfc(z) - z^2 from there on, z = |x| / sqrt(2).
template <int W>
[[gnu::always_inline]] inline void phi(Floats<W>& v, const Floats<W>& x) {
    using F = Floats<W>;
    constexpr float near[] = {0.12837915F,   -0.37612605F,    0.112834305F, -0.026848592F,
                              0.0051797493F, -0.00079423556F, 7.647116e-05F};
    constexpr float far[] = {0.00035370718F, 1.12704F,     -0.3617744F,    0.10303745F,
                             -0.021805357F,  0.002939617F, -0.00018557505F};
    const F z = x * 0.707106781F, square = z * z, most = F{} + 4.25F;
    F a, b, p, tail;
    select<W>(a, z < F{}, -z, z);
    select<W>(b, a < most, a, most);  // beyond, the tail is below 1e-9
    polynomial<W>(p, b, far);
    exp<W>(tail, -(square + p));
    tail *= 0.5F;  // Phi(-|x|)
    polynomial<W>(p, square, near);
    p = (p * z + z) * 0.5F + 0.5F;
    F outer;
    select<W>(outer, z < F{}, tail, 1.0F - tail);
    select<W>(v, a < 1.0F, p, outer);
}

/// The activations that `activate` has.
constexpr bool has(Activation act) {
    switch (act) {
        case Activation::linear:
        case Activation::gelu:
        case Activation::gelu_tanh:
        case Activation::quick_gelu:
        case Activation::relu:
        case Activation::silu:
            return true;
        default:
            return false;
    }
}

/// x = act(x), for an activation of `has`.
template <int W>
[[gnu::always_inline]] inline void activate(Floats<W>& x, Activation act) {
    Floats<W> v;
    switch (act) {
        case Activation::gelu:
            phi<W>(v, x);
            x *= v;
            return;
        case Activation::gelu_tanh:
            tanh<W>(v, (x * x * 0.044715F + 1.0F) * x * 0.797884561F);
            x = 0.5F * x * (v + 1.0F);
            return;
        case Activation::quick_gelu:
            sigmoid<W>(v, x * 1.702F);
            x *= v;
            return;
        case Activation::relu: {
            const typename Lanes<W>::I below = x < Floats<W>{};
            select<W>(x, below, Floats<W>{}, x);
            return;
        }
        case Activation::silu:
            sigmoid<W>(v, x);
            x *= v;
            return;
        default:
            return;
    }
}

}  // namespace silica::device::cpu::isa
#endif  // SILICA_SINGLE_DEVICE_CPU_ISA_MATH_HPP

#include <algorithm>
#include <cmath>
#include <limits>

namespace silica::device::cpu::isa {

/// q (group, d) to keys (.., d) and values (.., dv) of the slots [begin, end). `sums` gets, for each query: dv sums of
/// exp(score - m) v, then for all queries m, then for all the sums of exp(score - m). With no key m is -infinity.
template <class T>
struct Attend {
    const T *q, *keys, *values;
    std::int64_t ldk, ldv, group, d, dv, begin, end;
    float scale;
    float* sums;
    const bool* keep = nullptr;   ///< attend where true; null: everywhere
    const float* bias = nullptr;  ///< added to the scores, or null
    std::int64_t mask_head = 0, mask_key = 0;
};

namespace detail {

/// How many keys are scored before their values are read: both fit the first cache.
inline constexpr std::int64_t key_block = 64;

/// Scores to weights exp(s - m) over one block, with what came before rescaled to the new maximum.
struct SoftmaxArguments {
    float* s;  ///< n scores, room up to a multiple of 16
    std::int64_t n;
    float *m, *total, *sums;
    std::int64_t dv;
};
struct Softmax {
    template <int W>
    [[gnu::always_inline]] static void run(const SoftmaxArguments* a) {
        constexpr float never = -std::numeric_limits<float>::infinity();
        for (std::int64_t j = a->n; j % W != 0; ++j) a->s[j] = never;
        Floats<W> v, most;
        fill<W>(most, *a->m);
        for (std::int64_t j = 0; j < a->n; j += W) {
            load<W>(v, a->s + j);
            select<W>(most, v > most, v, most);
        }
        float lanes[W], m = *a->m;
        store<W>(lanes, most);
        for (const float lane : lanes) m = lane > m ? lane : m;
        if (m == never) {  // nothing to attend to so far
            for (std::int64_t j = 0; j < a->n; ++j) a->s[j] = 0;
            return;
        }
        if (*a->m < m) {
            const float by = *a->m == never ? 0 : std::exp(*a->m - m);
            *a->total *= by;
            for (std::int64_t i = 0; i < a->dv; ++i) a->sums[i] *= by;
            *a->m = m;
        }
        Floats<W> total = {};
        for (std::int64_t j = 0; j < a->n; j += W) {
            load<W>(v, a->s + j);
            v -= m;
            exp<W>(v, v);
            total += v;
            store<W>(a->s + j, v);
        }
        *a->total += sum<W>(total);
    }
};

/// sums[g] += sum over j of s[g][j] v[j], for the queries of a group.
template <class T>
struct WeighArguments {
    const T* v;
    std::int64_t ldv, n, dv, group;
    const float* s;
    float* sums;
};
struct Weigh {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const WeighArguments<T>* a) {
        std::int64_t i = 0;
        for (; i + 2 * W <= a->dv; i += 2 * W) {
            std::int64_t g = 0;
            for (; g + 4 <= a->group; g += 4) columns<W, 4, 2>(*a, g, i);
            for (; g < a->group; ++g) columns<W, 1, 2>(*a, g, i);
        }
        for (; i + W <= a->dv; i += W)
            for (std::int64_t g = 0; g < a->group; ++g) columns<W, 1, 1>(*a, g, i);
        for (; i < a->dv; ++i) {
            for (std::int64_t g = 0; g < a->group; ++g) {
                float sum = 0;
                for (std::int64_t j = 0; j < a->n; ++j)
                    sum += a->s[g * key_block + j] * static_cast<float>(a->v[j * a->ldv + i]);
                a->sums[g * a->dv + i] += sum;
            }
        }
    }

private:
    template <int W, int G, int C, class T>
    [[gnu::always_inline]] static void columns(const WeighArguments<T>& a, std::int64_t g, std::int64_t i) {
        Floats<W> sums[G * C];
        clear<W>(sums, Indices<G * C>{});
        const float* s = a.s + g * key_block;
        for (std::int64_t j = 0; j < a.n; ++j) {
            Floats<W> v[C];
            row<W>(v, a.v + j * a.ldv + i, Indices<C>{});
            add<W, C>(sums, v, s + j, Indices<G>{});
        }
        for (int r = 0; r < G; ++r) {
            for (int c = 0; c < C; ++c) {
                float* to = a.sums + (g + r) * a.dv + i + c * W;
                Floats<W> old;
                load<W>(old, to);
                store<W>(to, old + sums[r * C + c]);
            }
        }
    }
    template <int W, class T, int... C>
    [[gnu::always_inline]] static void row(Floats<W>* v, const T* p, std::integer_sequence<int, C...>) {
        (load<W>(v[C], p + C * W), ...);
    }
    template <int W, int C, int... G>
    [[gnu::always_inline]] static void add(Floats<W>* sums, const Floats<W>* v, const float* s,
                                           std::integer_sequence<int, G...>) {
        (add_one<W>(sums + G * C, v, s[G * key_block], Indices<C>{}), ...);
    }
    template <int W, int... C>
    [[gnu::always_inline]] static void add_one(Floats<W>* sums, const Floats<W>* v, float s,
                                               std::integer_sequence<int, C...>) {
        ((sums[C] += v[C] * s), ...);
    }
};

}  // namespace detail

/// Computes it with instruction set `set`, eight queries at a time.
template <class T>
void attend(Isa set, const Attend<T>& a) {
    constexpr std::int64_t block = detail::key_block, together = 8;
    alignas(64) float s[together * block];
    float *const m = a.sums + a.group * a.dv, *const total = m + a.group;
    std::fill(a.sums, m, 0.0F);
    std::fill(m, total, -std::numeric_limits<float>::infinity());
    std::fill(total, total + a.group, 0.0F);
    for (std::int64_t j = a.begin; j < a.end; j += block) {
        const std::int64_t n = std::min(block, a.end - j);
        for (std::int64_t first = 0; first < a.group; first += together) {
            const std::int64_t queries = std::min(together, a.group - first);
            dots<T>(set, {a.keys + j * a.ldk, a.ldk, n, a.q + first * a.d, a.d, queries, a.d, s, block});
            for (std::int64_t i = 0; i < queries; ++i) {
                const std::int64_t g = first + i;
                float* of_g = s + i * block;
                for (std::int64_t k = 0; k < n; ++k) of_g[k] *= a.scale;
                if (a.keep) {
                    const bool* keep = a.keep + g * a.mask_head + j * a.mask_key;
                    for (std::int64_t k = 0; k < n; ++k)
                        if (!keep[k * a.mask_key]) of_g[k] = -std::numeric_limits<float>::infinity();
                } else if (a.bias) {
                    const float* bias = a.bias + g * a.mask_head + j * a.mask_key;
                    for (std::int64_t k = 0; k < n; ++k) of_g[k] += bias[k * a.mask_key];
                }
                const detail::SoftmaxArguments softmax{of_g, n, m + g, total + g, a.sums + g * a.dv, a.dv};
                on<detail::Softmax>(set, &softmax);
            }
            const detail::WeighArguments<T> weigh{a.values + j * a.ldv, a.ldv, n, a.dv, queries, s,
                                                  a.sums + first * a.dv};
            on<detail::Weigh>(set, &weigh);
        }
    }
}

/// The attention of a group of queries, y (group, dv), from the results of `parts` ranges that are `stride` apart;
/// zeros for a query without keys. The results are overwritten.
template <class T>
struct MergeArguments {
    float* sums;
    std::int64_t parts, stride, group, dv;
    T* y;
};
struct Merge {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const MergeArguments<T>* a) {
        constexpr float never = -std::numeric_limits<float>::infinity();
        for (std::int64_t g = 0; g < a->group; ++g) {
            float *const m = a->sums + a->group * a->dv + g, *const totals = m + a->group;
            float most = never, total = 0;
            for (std::int64_t p = 0; p < a->parts; ++p) most = m[p * a->stride] > most ? m[p * a->stride] : most;
            for (std::int64_t p = 0; p < a->parts; ++p) {  // m becomes the weight of the part
                float& of_part = m[p * a->stride];
                of_part = of_part == never ? 0.0F : std::exp(of_part - most);
                total += of_part * totals[p * a->stride];
            }
            const float by = total > 0 ? 1.0F / total : total == total ? 0.0F : total;
            const float* sums = a->sums + g * a->dv;
            T* y = a->y + g * a->dv;
            for (std::int64_t i = 0; i < a->dv; i += W) {
                const std::int64_t left = a->dv - i;
                Floats<W> v, all = {};
                for (std::int64_t p = 0; p < a->parts; ++p) {
                    if (left >= W)
                        load<W>(v, sums + p * a->stride + i);
                    else
                        load_some<W>(v, sums + p * a->stride + i, left);
                    all += v * m[p * a->stride];
                }
                all *= by;
                if (left >= W)
                    store<W>(y + i, all);
                else
                    store_some<W>(y + i, all, left);
            }
        }
    }
};

}  // namespace silica::device::cpu::isa
#endif  // SILICA_SINGLE_DEVICE_CPU_ISA_ATTEND_HPP

#include <ATen/Parallel.h>

#include <algorithm>

namespace silica::device::cpu {
namespace detail {

template <class T>
void merge(float* sums, std::int64_t parts, std::int64_t stride, std::int64_t group, std::int64_t dv, T* y) {
    const isa::MergeArguments<T> a{sums, parts, stride, group, dv, y};
    isa::on_best<isa::Merge>(&a);
}

template <class T>
void attend_one(const Tensor& q, const Tensor& keys, const Tensor& values, std::int64_t filled,
                const std::optional<Tensor>& mask, float scale, const Tensor& y) {
    const std::int64_t batch = q.size(0), kv = keys.size(1), group = q.size(1) / kv, d = q.size(3), dv = values.size(3),
                       heads = batch * kv;
    if (y.numel() == 0) return;
    // A thread takes some heads of keys; when there are fewer of them than threads, a part of the keys of one.
    const std::int64_t work = filled * group * (d + dv), threads = at::get_num_threads();
    std::int64_t parts = 1;
    if (heads < threads) {
        parts = std::clamp<std::int64_t>(std::min((threads + heads - 1) / heads, filled / 128), 1,
                                         work / values_for_a_thread + 1);
    }
    const std::int64_t length = (filled + parts - 1) / parts, stride = group * (dv + 2);
    T* const out = y.mutable_data_ptr<T>();
    const Scratch<3> sums(static_cast<std::size_t>(heads * parts * stride));
    float* const partial = sums.data();
    const std::int64_t grain = values_for_a_thread * parts / (work + 1) + 1;
    parallel_for(0, heads * parts, grain, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) {
            const std::int64_t head = i / parts, b = head / kv, h = head % kv, begin = i % parts * length;
            isa::Attend<T> a{
                .q = q.const_data_ptr<T>() + head * group * d,
                .keys = keys.const_data_ptr<T>() + b * keys.stride(0) + h * keys.stride(1),
                .values = values.const_data_ptr<T>() + b * values.stride(0) + h * values.stride(1),
                .ldk = keys.stride(2),
                .ldv = values.stride(2),
                .group = group,
                .d = d,
                .dv = dv,
                .begin = std::min(begin, filled),
                .end = std::min(begin + length, filled),
                .scale = scale,
                .sums = partial + i * stride,
            };
            if (mask) {
                const std::int64_t offset = b * mask->stride(0) + h * group * mask->stride(1);
                if (mask->scalar_type() == c10::ScalarType::Bool)
                    a.keep = mask->const_data_ptr<bool>() + offset;
                else
                    a.bias = mask->const_data_ptr<float>() + offset;
                a.mask_head = mask->stride(1), a.mask_key = mask->stride(3);
            }
            isa::attend(isa::best(), a);
            if (parts == 1) merge(a.sums, 1, stride, group, dv, out + head * group * dv);
        }
    });
    for (std::int64_t head = 0; parts > 1 && head < heads; ++head)
        merge(partial + head * parts * stride, parts, stride, group, dv, out + head * group * dv);
}

}  // namespace detail

SILICA_INLINE Tensor AttendOne::run(const Tensor& q, const Tensor& keys, const Tensor& values, std::int64_t filled,
                                    const std::optional<Tensor>& mask, double scale) {
    const Tensor y = at::empty({q.size(0), q.size(1), 1, values.size(3)}, q.options());
    const Tensor in = q.contiguous();
    std::optional<Tensor> all;  // the mask, with a stride of 0 where it broadcasts
    if (mask) {
        const bool boolean = mask->scalar_type() == c10::ScalarType::Bool;
        all = (boolean ? *mask : mask->to(c10::ScalarType::Float)).expand({q.size(0), q.size(1), 1, keys.size(2)});
    }
    const auto by = static_cast<float>(scale);
    with_type(q, [&]<class T>() { detail::attend_one<T>(in, keys, values, filled, all, by, y); });
    return y;
}

}  // namespace silica::device::cpu
#endif  // SILICA_SINGLE_DEVICE_CPU_ATTEND_IPP
#endif  // SILICA_SINGLE_DEVICE_CPU_ATTEND_HPP
// ---- silica/device/cpu/flash_attention.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_FLASH_ATTENTION_HPP
#define SILICA_SINGLE_DEVICE_CPU_FLASH_ATTENTION_HPP
/// softmax(scale q k^T + mask) v for many queries, block by block: scores never leave the cache (Dao et al. 2022).
///
/// Both products are tiles of isa/tile.hpp: queries meet keys in panels, then the weights of the keys meet values in
/// panels. A thread takes a head of keys, lays its keys and values out once, and serves all its query heads.

#include <c10/util/Half.h>

namespace silica::device::cpu {

template <class T>
struct FlashAttention;

/// Computes it with instruction set `set`, which must have tiles.
void attend(isa::Isa set, const FlashAttention<float>& a);
void attend(isa::Isa set, const FlashAttention<c10::Half>& a);
void attend(isa::Isa set, const FlashAttention<c10::BFloat16>& a);

/// The problem, by addresses. Heads of d values are contiguous; strides count values.
template <class T>
struct FlashAttention {
    struct Strides {
        std::int64_t batch, head, token;
    };
    const T *q, *k, *v;
    Strides of_q, of_k, of_v;
    std::int64_t batch, heads, kv_heads, queries, keys, d, dv;
    float scale;
    std::int64_t offset;          ///< query i attends to the keys 0..offset + i; the number of keys: to all
    std::int64_t window;          ///< and to none before offset + i - window + 1; the largest number: to all
    const std::int64_t* lengths;  ///< of each row, how many keys are there; null: all
    const float* mask;            ///< added to the scores, or null; keys are contiguous
    Strides of_mask;              ///< `token` counts queries
    T* y;
    Strides of_y;

    /// Computes y with instruction set `set`, which must have tiles.
    void run(isa::Isa set) const { attend(set, *this); }
};

}  // namespace silica::device::cpu

// ---- silica/device/cpu/flash_attention.ipp
#ifndef SILICA_SINGLE_DEVICE_CPU_FLASH_ATTENTION_IPP
#define SILICA_SINGLE_DEVICE_CPU_FLASH_ATTENTION_IPP
/// Attention of many queries, block by block: a thread and what it works with.

// ---- silica/device/cpu/isa/rows.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ISA_ROWS_HPP
#define SILICA_SINGLE_DEVICE_CPU_ISA_ROWS_HPP
/// What happens to rows before and after the tiles of a product: transposed, widened, and finished with bias,
/// activation, gate and residual.

#include <algorithm>
#include <utility>

namespace silica::device::cpu::isa {

/// out[u][r] = unit u of row r, for rows r < `rows` of x, and zeros for the others below `lanes`, a multiple of 4.
/// A unit is a float, or two values of T side by side (an absent second one is 0).
template <class T>
struct TransposeArguments {
    const T* x;
    std::int64_t ldx, rows, length;  ///< length of a row, in values
    float* out;
    std::int64_t ldo, lanes;
};

namespace detail {

/// Units from p on, W of them; `n` values are left there.
template <bool pairs, int W, class T>
[[gnu::always_inline]] inline void units_at(Floats<W>& v, const T* p, std::int64_t n) {
    if constexpr (pairs) {
        static_assert(sizeof(T) == 2);
        const auto* bytes = reinterpret_cast<const unsigned char*>(p);
        if (n >= 2 * W) {
            load<W>(v, reinterpret_cast<const float*>(bytes));
        } else {
            alignas(4) unsigned char block[4 * W] = {};
            for (std::int64_t i = 0; i < 2 * n; ++i) block[i] = bytes[i];
            load<W>(v, reinterpret_cast<const float*>(block));
        }
    } else if (n >= W) {
        load<W>(v, p);
    } else {
        load_some<W>(v, p, n);
    }
}

[[gnu::always_inline]] inline void transpose(Floats<4>* v) {
    const Floats<4> a = __builtin_shufflevector(v[0], v[1], 0, 4, 1, 5);
    const Floats<4> b = __builtin_shufflevector(v[2], v[3], 0, 4, 1, 5);
    const Floats<4> c = __builtin_shufflevector(v[0], v[1], 2, 6, 3, 7);
    const Floats<4> d = __builtin_shufflevector(v[2], v[3], 2, 6, 3, 7);
    v[0] = __builtin_shufflevector(a, b, 0, 1, 4, 5);
    v[1] = __builtin_shufflevector(a, b, 2, 3, 6, 7);
    v[2] = __builtin_shufflevector(c, d, 0, 1, 4, 5);
    v[3] = __builtin_shufflevector(c, d, 2, 3, 6, 7);
}

/// Four rows, in each half by itself as above.
[[gnu::always_inline]] inline void transpose_halves(Floats<8>* v) {
    const Floats<8> a = __builtin_shufflevector(v[0], v[1], 0, 8, 1, 9, 4, 12, 5, 13);
    const Floats<8> b = __builtin_shufflevector(v[2], v[3], 0, 8, 1, 9, 4, 12, 5, 13);
    const Floats<8> c = __builtin_shufflevector(v[0], v[1], 2, 10, 3, 11, 6, 14, 7, 15);
    const Floats<8> d = __builtin_shufflevector(v[2], v[3], 2, 10, 3, 11, 6, 14, 7, 15);
    v[0] = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
    v[1] = __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
    v[2] = __builtin_shufflevector(c, d, 0, 1, 8, 9, 4, 5, 12, 13);
    v[3] = __builtin_shufflevector(c, d, 2, 3, 10, 11, 6, 7, 14, 15);
}
[[gnu::always_inline]] inline void swap_halves(Floats<8>& v, Floats<8>& w) {
    const Floats<8> low = __builtin_shufflevector(v, w, 0, 1, 2, 3, 8, 9, 10, 11);
    w = __builtin_shufflevector(v, w, 4, 5, 6, 7, 12, 13, 14, 15);
    v = low;
}
[[gnu::always_inline]] inline void transpose(Floats<8>* v) {
    transpose_halves(v);
    transpose_halves(v + 4);
    swap_halves(v[0], v[4]);
    swap_halves(v[1], v[5]);
    swap_halves(v[2], v[6]);
    swap_halves(v[3], v[7]);
}

template <bool pairs, int W, class T, int... R>
[[gnu::always_inline]] inline void read_square(Floats<W>* v, const T* p, std::int64_t ldx, std::int64_t n,
                                               std::integer_sequence<int, R...>) {
    (units_at<pairs, W>(v[R], p + R * ldx, n), ...);
}
template <int W, int... U>
[[gnu::always_inline]] inline void write_square(float* out, std::int64_t ldo, const Floats<W>* v,
                                                std::integer_sequence<int, U...>) {
    (store<W>(out + U * ldo, v[U]), ...);
}

}  // namespace detail

template <bool pairs>
struct Transpose {
    template <int Width, class T>
    [[gnu::always_inline]] static void run(const TransposeArguments<T>* a) {
        constexpr int W = Width > 8 ? 8 : Width;
        constexpr std::int64_t values = pairs ? 2 : 1;
        const std::int64_t units = (a->length + values - 1) / values;
        for (std::int64_t r = 0; r < a->lanes; r += 16) {  // what is written is a line of cache at a time
            const std::int64_t end = std::min(r + 16, a->lanes);
            for (std::int64_t u = 0; u < units; u += W) {
                std::int64_t q = r;
                for (; q + W <= end; q += W) square<W>(*a, q, u, a->length - u * values, units - u);
                if constexpr (W == 8) {
                    for (; q < end; q += 4) {
                        square<4>(*a, q, u, a->length - u * values, units - u);
                        if (units - u > 4) square<4>(*a, q, u + 4, a->length - (u + 4) * values, units - u - 4);
                    }
                }
            }
        }
    }

private:
    /// W rows by W units.
    template <int W, class T>
    [[gnu::always_inline]] static void square(const TransposeArguments<T>& a, std::int64_t r, std::int64_t u,
                                              std::int64_t values, std::int64_t units) {
        using All = std::make_integer_sequence<int, W>;
        Floats<W> v[W] = {};
        const T* p = a.x + r * a.ldx + u * (pairs ? 2 : 1);
        const std::int64_t there = a.rows - r;
        if (there >= W) {
            detail::read_square<pairs, W>(v, p, a.ldx, values, All{});
        } else {
            for (std::int64_t i = 0; i < there; ++i) detail::units_at<pairs, W>(v[i], p + i * a.ldx, values);
        }
        detail::transpose(v);
        float* out = a.out + u * a.ldo + r;
        if (units >= W) {
            detail::write_square<W>(out, a.ldo, v, All{});
        } else {
            for (std::int64_t i = 0; i < units; ++i) store<W>(out + i * a.ldo, v[i]);
        }
    }
};

/// Transposes units, which are two values of T side by side if `pairs`.
template <class T>
void transpose(Isa set, [[maybe_unused]] bool pairs, const TransposeArguments<T>& a) {
    if constexpr (std::is_same_v<T, c10::BFloat16>) {
        if (pairs) return on<Transpose<true>>(set, &a);
    }
    on<Transpose<false>>(set, &a);
}

/// Rows of T as floats.
template <class T>
struct WidenArguments {
    const T* x;
    std::int64_t n;
    float* out;
};
struct Widen {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const WidenArguments<T>* a) {
        Floats<W> v;
        std::int64_t i = 0;
        for (; i + W <= a->n; i += W) {
            load<W>(v, a->x + i);
            store<W>(a->out + i, v);
        }
        if (i < a->n) {
            load_some<W>(v, a->x + i, a->n - i);
            store_some<W>(a->out + i, v, a->n - i);
        }
    }
};

/// Several rows of n values as floats, with zeros up to the next row where `ldo` leaves room.
template <class T>
struct WidenRowsArguments {
    const T* x;
    std::int64_t ldx;
    float* out;
    std::int64_t ldo, rows, n;
};
struct WidenRows {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const WidenRowsArguments<T>* a) {
        for (std::int64_t r = 0; r < a->rows; ++r) {
            for (std::int64_t i = 0; i < a->ldo; i += W) {
                Floats<W> v = {};
                if (i + W <= a->n)
                    load<W>(v, a->x + r * a->ldx + i);
                else if (i < a->n)
                    load_some<W>(v, a->x + r * a->ldx + i, a->n - i);
                store<W>(a->out + r * a->ldo + i, v);
            }
        }
    }
};

/// out = act(sums + bias) * (up + up_bias) + residual, over n columns of some rows; what is null is left out. `sums`
/// and `up` may be read up to the next multiple of 16.
template <class T>
struct FinishArguments {
    const float *sums, *up;
    std::int64_t lds;  ///< from row to row of the sums
    const T *bias, *up_bias, *residual;
    T* out;
    std::int64_t ldo;  ///< from row to row of out and residual
    std::int64_t rows, n;
    Activation act;
};
struct Finish {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const FinishArguments<T>* a) {
        for (std::int64_t r = 0; r < a->rows; ++r) {
            std::int64_t i = 0;
            for (; i + W <= a->n; i += W) piece<W, false>(*a, r, i);
            if (i < a->n) piece<W, true>(*a, r, i);
        }
    }

private:
    template <int W, bool last, class T>
    [[gnu::always_inline]] static void read(Floats<W>& v, const T* p, std::int64_t n) {
        if constexpr (last)
            load_some<W>(v, p, n);
        else
            load<W>(v, p);
    }
    template <int W, bool last, class T>
    [[gnu::always_inline]] static void piece(const FinishArguments<T>& a, std::int64_t r, std::int64_t i) {
        const std::int64_t left = a.n - i;
        Floats<W> v, u, w;
        load<W>(v, a.sums + r * a.lds + i);
        if (a.bias) read<W, last>(w, a.bias + i, left), v += w;
        activate<W>(v, a.act);
        if (a.up) {
            load<W>(u, a.up + r * a.lds + i);
            if (a.up_bias) read<W, last>(w, a.up_bias + i, left), u += w;
            v *= u;
        }
        if (a.residual) read<W, last>(w, a.residual + r * a.ldo + i, left), v += w;
        if constexpr (last)
            store_some<W>(a.out + r * a.ldo + i, v, left);
        else
            store<W>(a.out + r * a.ldo + i, v);
    }
};

}  // namespace silica::device::cpu::isa
#endif  // SILICA_SINGLE_DEVICE_CPU_ISA_ROWS_HPP
// ---- silica/device/cpu/isa/softmax.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ISA_SOFTMAX_HPP
#define SILICA_SINGLE_DEVICE_CPU_ISA_SOFTMAX_HPP
/// The softmax of a block of scores, with a running maximum (Milakov and Gimelshein 2018; Dao et al. 2022).

#include <algorithm>
#include <cmath>
#include <limits>

namespace silica::device::cpu::isa {

/// For each row: its scores, scaled and masked, become weights exp(score - m), where m is the largest score so far. The
/// sums of this and earlier blocks are brought to the new m. Rows without a score so far have m = -infinity.
struct BlockSoftmaxArguments {
    const float* scores;  ///< panels of `width` columns, `ldp` apart: row r of a panel at r width
    std::int64_t width, ldp;
    std::int64_t rows, columns;
    float scale;
    const float* mask;      ///< added to the scores, or null
    std::int64_t mask_row;  ///< from row to row of the mask
    std::int64_t seen;      ///< the first row attends to the columns before this one, the next to one more, ...
    std::int64_t limit;     ///< no row attends to this column or later ones
    std::int64_t hidden;    ///< the first row does not attend to the columns before this one, the next to one more, ...
    float* weights;         ///< row r at r ldw
    std::int64_t ldw;
    float *m, *total;  ///< of each row
    float* sums;       ///< `sum_panels` panels, `lds` apart: row r of a panel at r `sum_width`
    std::int64_t sum_panels, sum_width, lds;
};
struct BlockSoftmax {
    template <int W>
    [[gnu::always_inline]] static void run(const BlockSoftmaxArguments* a) {
        for (std::int64_t r = 0; r < a->rows; ++r) row<W>(*a, r);
    }

private:
    static constexpr float never = -std::numeric_limits<float>::infinity();

    template <int W>
    [[gnu::always_inline]] static void row(const BlockSoftmaxArguments& a, std::int64_t r) {
        const std::int64_t columns = std::min({a.columns, a.seen + r, a.limit}), hidden = a.hidden + r;
        float* weights = a.weights + r * a.ldw;
        Floats<W> v, w, most;
        fill<W>(most, a.m[r]);
        for (std::int64_t j = 0; j < columns; j += W) {
            load<W>(v, a.scores + j / a.width * a.ldp + r * a.width + j % a.width);
            v *= a.scale;
            const std::int64_t left = columns - j;
            if (a.mask) {
                const float* mask = a.mask + r * a.mask_row + j;
                if (left >= W)
                    load<W>(w, mask);
                else
                    load_some<W>(w, mask, left);
                v += w;
            }
            if (left < W || j < hidden) {
                float lanes[W];
                store<W>(lanes, v);
                for (std::int64_t i = 0; i < W; ++i) lanes[i] = i < left && j + i >= hidden ? lanes[i] : never;
                load<W>(v, lanes);
            }
            select<W>(most, v > most, v, most);
            store<W>(weights + j, v);
        }
        float m = never;
        maximum<W>(m, most);
        std::int64_t j = 0;
        if (m != never) {
            const float by = a.m[r] == m ? 1.0F : a.m[r] == never ? 0.0F : std::exp(a.m[r] - m);
            Floats<W> total = {};
            for (; j < columns; j += W) {
                load<W>(v, weights + j);
                v -= m;
                exp<W>(v, v);
                total += v;
                store<W>(weights + j, v);
            }
            a.total[r] = a.total[r] * by + sum<W>(total);
            a.m[r] = m;
            if (by != 1.0F) {
                for (std::int64_t panel = 0; panel < a.sum_panels; ++panel) {
                    float* sums = a.sums + panel * a.lds + r * a.sum_width;
                    for (std::int64_t i = 0; i < a.sum_width; i += W) {
                        load<W>(v, sums + i);
                        store<W>(sums + i, v * by);
                    }
                }
            }
        }
        for (; j < a.columns; j += W) store<W>(weights + j, Floats<W>{});
    }
};

/// out = sums / total for the columns of a panel, rounded; zeros where the total is 0.
template <class T>
struct DivideArguments {
    const float* sums;
    std::int64_t lds;
    const float* total;
    T* out;
    std::int64_t ldo, rows, columns;
};
struct Divide {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const DivideArguments<T>* a) {
        for (std::int64_t r = 0; r < a->rows; ++r) {
            const float by = a->total[r] == 0 ? 0.0F : 1.0F / a->total[r];
            Floats<W> v;
            for (std::int64_t i = 0; i < a->columns; i += W) {
                load<W>(v, a->sums + r * a->lds + i);
                v *= by;
                if (i + W <= a->columns)
                    store<W>(a->out + r * a->ldo + i, v);
                else
                    store_some<W>(a->out + r * a->ldo + i, v, a->columns - i);
            }
        }
    }
};

}  // namespace silica::device::cpu::isa
#endif  // SILICA_SINGLE_DEVICE_CPU_ISA_SOFTMAX_HPP
// ---- silica/device/cpu/isa/tile.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ISA_TILE_HPP
#define SILICA_SINGLE_DEVICE_CPU_ISA_TILE_HPP
/// The inner loop of a product with many rows of x: a tile of rows of w times a panel of rows of x.
///
/// The weights are read where they lie (or widened to float32 first, where the processor cannot multiply their type);
/// x was transposed once, so that a vector holds the same unit of several rows.

namespace silica::device::cpu::isa {

/// c[r][m] (+)= sum over u of w[r][u] x[u][m], where x has `vectors` vectors of lanes for each unit u, c as many for
/// each row. On the way, `lines` lines of cache from `ahead` on are fetched.
struct TileArguments {
    const std::uint32_t* x;
    const char* const* w;  ///< the rows, `Tiling::rows` of them (with full panels of floats also 1, 2 or 4)
    std::int64_t rows;
    std::int64_t skip;  ///< units of each row that come before the first one
    std::int64_t units, vectors;
    float* c;
    bool first;  ///< whether c is written, else added to
    const char* ahead;
    std::int64_t lines;
};

namespace detail {

template <int W, class V, int... C>
[[gnu::always_inline]] inline void units_of(V* v, const std::uint32_t* x, std::integer_sequence<int, C...>) {
    ((v[C] = (V) * reinterpret_cast<const typename Lanes<W>::UAnywhere*>(x + C * W)), ...);
}
template <int... R>
[[gnu::always_inline]] inline void rows_of(const char** w, const TileArguments& a, std::integer_sequence<int, R...>) {
    ((w[R] = a.w[R] + 4 * a.skip), ...);
}
template <int W>
[[gnu::always_inline]] inline void add_to(float* c, const Floats<W>& v) {
    Floats<W> old;
    load<W>(old, c);
    store<W>(c, old + v);
}
/// Sums of some units meet those of others when they are done: a sum of few terms, then one of few sums, is more exact
/// than one chain.
template <int W, int... I>
[[gnu::always_inline]] inline void write_tile(float* c, bool first, const Floats<W>* v,
                                              std::integer_sequence<int, I...>) {
    if (first)
        (store<W>(c + I * W, v[I]), ...);
    else
        (add_to<W>(c + I * W, v[I]), ...);
}
[[gnu::always_inline]] inline void fetch(const char*& ahead, std::int64_t& lines) {
    if (lines <= 0) return;
    __builtin_prefetch(ahead, 0, 2);
    ahead += 64;
    --lines;
}

template <int W, int... C>
[[gnu::always_inline]] inline void tile_row(Floats<W>* sums, const Floats<W>* x, const char* w,
                                            std::integer_sequence<int, C...>) {
    float f;
    __builtin_memcpy(&f, w, sizeof f);
    ((sums[C] += x[C] * f), ...);
}
template <int W, int C, int... R>
[[gnu::always_inline]] inline void tile_step(Floats<W>* sums, const std::uint32_t*& x, const char* const* w,
                                             std::int64_t u, std::integer_sequence<int, R...>) {
    Floats<W> v[C];
    units_of<W>(v, x, Indices<C>{});
    (tile_row<W>(sums + R * C, v, w[R] + 4 * u, Indices<C>{}), ...);
    x += C * W;
}

template <int W, int R, int C>
[[gnu::always_inline]] inline void tile(const TileArguments& a) {
    constexpr Indices<R> rows{};
    constexpr Indices<R * C> all{};
    Floats<W> sums[R * C];
    clear<W>(sums, all);
    const std::uint32_t* x = a.x;
    const char *w[R], *ahead = a.ahead;
    rows_of(w, a, rows);
    std::int64_t lines = a.lines, u = 0;
    for (; u + 4 <= a.units; u += 4) {
        tile_step<W, C>(sums, x, w, u, rows);
        fetch(ahead, lines);
        tile_step<W, C>(sums, x, w, u + 1, rows);
        fetch(ahead, lines);
        tile_step<W, C>(sums, x, w, u + 2, rows);
        fetch(ahead, lines);
        tile_step<W, C>(sums, x, w, u + 3, rows);
        fetch(ahead, lines);
    }
    for (; u < a.units; ++u) tile_step<W, C>(sums, x, w, u, rows);
    write_tile<W>(a.c, a.first, sums, all);
}

}  // namespace detail

/// The loop on floats.
struct Tile {
    template <int W>
    [[gnu::always_inline]] static void run(const TileArguments* a) {
        constexpr int full = W == 16 ? 4 : 2;
        if (a->vectors == full) {
            if (a->rows == 6) return detail::tile<W, 6, full>(*a);
            if (a->rows == 4) return detail::tile<W, 4, full>(*a);
            if (a->rows == 2) return detail::tile<W, 2, full>(*a);
            return detail::tile<W, 1, full>(*a);
        }
        if constexpr (W == 16) {
            if (a->vectors == 3) return detail::tile<W, 8, 3>(*a);
            if (a->vectors == 2) return detail::tile<W, 8, 2>(*a);
        }
        detail::tile<W, W == 16 ? 8 : 6, 1>(*a);
    }
};

#if defined(__x86_64__)

namespace detail::bf16 {

template <int... C>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] [[gnu::always_inline]] inline void tile_row(
    Floats<16>* sums, const __m512i* x, const char* w, std::integer_sequence<int, C...>) {
    int pair = 0;
    __builtin_memcpy(&pair, w, sizeof pair);
    __m512i pairs = _mm512_set1_epi32(pair);
#if defined(__clang__) && __clang_major__ < 18
    asm("" : "+v"(pairs));  // VectorCombine of clang 16 crashes on a broadcast that is taken for bfloats
#endif
    (add_product(sums[C], x[C], pairs), ...);
}
template <int C, int... R>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] [[gnu::always_inline]] inline void tile_step(
    Floats<16>* sums, const std::uint32_t*& x, const char* const* w, std::int64_t u, std::integer_sequence<int, R...>) {
    __m512i v[C];
    units_of<16>(v, x, Indices<C>{});
    (tile_row(sums + R * C, v, w[R] + 4 * u, Indices<C>{}), ...);
    x += C * 16;
}
template <int R, int C>
[[gnu::target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]] void tile(const TileArguments& a) {
    constexpr Indices<R> rows{};
    constexpr Indices<R * C> all{};
    Floats<16> sums[R * C];
    clear<16>(sums, all);
    const std::uint32_t* x = a.x;
    const char *w[R], *ahead = a.ahead;
    rows_of(w, a, rows);
    std::int64_t lines = a.lines, u = 0;
    for (; u + 4 <= a.units; u += 4) {
        tile_step<C>(sums, x, w, u, rows);
        tile_step<C>(sums, x, w, u + 1, rows);
        tile_step<C>(sums, x, w, u + 2, rows);
        tile_step<C>(sums, x, w, u + 3, rows);
        fetch(ahead, lines);
    }
    for (; u < a.units; ++u) tile_step<C>(sums, x, w, u, rows);
    write_tile<16>(a.c, a.first, sums, all);
}

}  // namespace detail::bf16

#endif

/// The tile on instruction set `set`, of units as `tiling` has them.
inline void tile(Isa set, [[maybe_unused]] bool pairs, const TileArguments& a) {
#if defined(__x86_64__)
    if (pairs) {
        switch (a.vectors) {
            case 4:
                return detail::bf16::tile<6, 4>(a);
            case 3:
                return detail::bf16::tile<8, 3>(a);
            case 2:
                return detail::bf16::tile<8, 2>(a);
            default:
                return detail::bf16::tile<8, 1>(a);
        }
    }
#endif
    on<Tile>(set, &a);
}

}  // namespace silica::device::cpu::isa
#endif  // SILICA_SINGLE_DEVICE_CPU_ISA_TILE_HPP

#include <ATen/Parallel.h>

#include <array>
#include <atomic>
#include <cstring>
#include <optional>

namespace silica::device::cpu {
namespace detail {

template <class T>
class AttentionByBlocks {
public:
    explicit AttentionByBlocks(const FlashAttention<T>& p) : p_(p) {}

    void run(isa::Isa set) const {
        const std::int64_t threads = at::get_num_threads(), units = p_.batch * p_.kv_heads,
                           blocks = (p_.queries + block_queries - 1) / block_queries;
        const std::int64_t slices = std::clamp<std::int64_t>(threads / std::max<std::int64_t>(units, 1), 1, blocks);
        const std::int64_t work = p_.heads / p_.kv_heads * p_.queries * p_.keys * (p_.d + p_.dv) / slices;
        const std::int64_t grain = (std::int64_t{1} << 16) / std::max<std::int64_t>(work, 1) + 1,
                           tasks = units * slices;
        std::atomic<std::int64_t> next{0};
        parallel_for(0, std::min(threads, (tasks + grain - 1) / grain), 1, [&](std::int64_t, std::int64_t) {
            for (std::int64_t i = next.fetch_add(1); i < tasks; i = next.fetch_add(1))
                head(set, i / slices / p_.kv_heads, i / slices % p_.kv_heads, i % slices, slices);
        });
    }

private:
    static constexpr std::int64_t block_queries = 48, block_keys = 64;

    /// What a thread works with.
    struct Room {
        isa::Isa set;
        isa::Tiling tiling;
        std::int64_t seen;          ///< keys that some query may attend to
        std::int64_t units, width;  ///< of a query or key; of a full panel
        std::int64_t padded_v;      ///< columns of all panels of values
        float *k, *v, *q, *scores, *weights, *sums, *m, *total;

        /// Keys of the panel that begins with key `first`: where a block has several, they are of one width.
        [[nodiscard]] std::int64_t key_columns(std::int64_t first) const {
            return width < block_keys ? width : columns(first, seen);
        }
        /// Columns of the panel that begins at column `first` of `all`.
        [[nodiscard]] std::int64_t columns(std::int64_t first, std::int64_t all) const {
            return std::min(width, (all - first + tiling.lanes - 1) / tiling.lanes * tiling.lanes);
        }
    };

    /// For row `b` of the batch; takes its memory from `memory`.
    Room room(isa::Isa set, std::int64_t b, std::optional<Scratch<4>>& memory) const {
        Room r{};
        r.set = set;
        r.tiling = isa::tiling<T>(set);
        r.seen = std::min(p_.keys, p_.offset + p_.queries);
        if (p_.lengths) r.seen = std::clamp<std::int64_t>(p_.lengths[b], 0, r.seen);
        r.units = r.tiling.pairs ? (p_.d + 1) / 2 : p_.d;
        r.width = r.tiling.lanes * r.tiling.vectors;
        r.padded_v = (p_.dv + r.tiling.lanes - 1) / r.tiling.lanes * r.tiling.lanes;
        const std::int64_t for_k = (r.seen + r.width) * r.units, for_v = r.seen * r.padded_v,
                           for_q = block_queries * r.units, for_scores = block_queries * block_keys,
                           for_sums = block_queries * r.padded_v;
        const std::int64_t all = for_k + for_v + for_q + 2 * for_scores + for_sums + 2 * block_queries + 8 * 16;
        float* next = memory.emplace(static_cast<std::size_t>(all)).data();
        const auto take = [&](std::int64_t n) {
            float* p = next;
            next += (n + 15) / 16 * 16;
            return p;
        };
        r.k = take(for_k), r.v = take(for_v), r.q = take(for_q);
        r.scores = take(for_scores), r.weights = take(for_scores), r.sums = take(for_sums), r.m = take(block_queries),
        r.total = take(block_queries);
        return r;
    }

    /// One head of keys: every `slices`-th block of queries of each of its query heads.
    void head(isa::Isa set, std::int64_t b, std::int64_t h, std::int64_t slice, std::int64_t slices) const {
        std::optional<Scratch<4>> memory;
        const Room r = room(set, b, memory);
        const T* from_k = p_.k + b * p_.of_k.batch + h * p_.of_k.head;
        const T* from_v = p_.v + b * p_.of_v.batch + h * p_.of_v.head;
        for (std::int64_t j = 0; j < r.seen; j += r.width) {
            const std::int64_t width = r.key_columns(j);
            const isa::TransposeArguments<T> a{from_k + j * p_.of_k.token,
                                               p_.of_k.token,
                                               std::min(width, r.seen - j),
                                               p_.d,
                                               r.k + j * r.units,
                                               width,
                                               width};
            isa::transpose<T>(set, r.tiling.pairs, a);
        }
        for (std::int64_t c = 0; c < p_.dv; c += r.width) {
            const isa::WidenRowsArguments<T> a{from_v + c,          p_.of_v.token, r.v + c * r.seen,
                                               r.columns(c, p_.dv), r.seen,        std::min(r.width, p_.dv - c)};
            isa::on<isa::WidenRows>(set, &a);
        }
        const std::int64_t group = p_.heads / p_.kv_heads;
        for (std::int64_t g = h * group; g < (h + 1) * group; ++g) {
            for (std::int64_t i = slice * block_queries; i < p_.queries; i += slices * block_queries) block(r, b, g, i);
        }
    }

    /// Queries [first, first + 48) of one head.
    void block(const Room& r, std::int64_t b, std::int64_t h, std::int64_t first) const {
        const std::int64_t rows = std::min(block_queries, p_.queries - first);
        const float* const mask =
            p_.mask ? p_.mask + b * p_.of_mask.batch + h * p_.of_mask.head + first * p_.of_mask.token : nullptr;
        T* const y = p_.y + b * p_.of_y.batch + h * p_.of_y.head + first * p_.of_y.token;
        for (std::int64_t i = 0; i < rows; ++i) {
            const T* from = p_.q + b * p_.of_q.batch + h * p_.of_q.head + (first + i) * p_.of_q.token;
            float* to = r.q + i * r.units;
            if (r.tiling.pairs) {
                to[r.units - 1] = 0;
                std::memcpy(to, from, static_cast<std::size_t>(p_.d) * sizeof(T));
            } else {
                const isa::WidenArguments<T> a{from, p_.d, to};
                isa::on<isa::Widen>(r.set, &a);
            }
        }
        std::fill(r.m, r.m + rows, -std::numeric_limits<float>::infinity());
        std::fill(r.total, r.total + rows, 0.0F);
        const std::int64_t position = p_.offset + first, end = std::min(r.seen, position + rows),
                           begin = std::max<std::int64_t>(0, position + 1 - p_.window) / block_keys * block_keys;
        if (begin >= end) std::fill(r.sums, r.sums + block_queries * r.padded_v, 0.0F);
        for (std::int64_t j = begin; j < end; j += block_keys) {
            const std::int64_t columns = std::min(block_keys, end - j);
            for (std::int64_t c = 0; c < columns; c += r.width)
                product(r, r.tiling.pairs, r.q, r.units, r.units, rows, r.k + (j + c) * r.units, r.key_columns(j + c),
                        r.scores + c * block_queries, true);
            const isa::BlockSoftmaxArguments softmax{
                .scores = r.scores,
                .width = r.key_columns(j),
                .ldp = r.width * block_queries,
                .rows = rows,
                .columns = columns,
                .scale = p_.scale,
                .mask = mask ? mask + j : nullptr,
                .mask_row = p_.of_mask.token,
                .seen = position + 1 - j,
                .limit = r.seen - j,
                .hidden = position + 1 - p_.window - j,
                .weights = r.weights,
                .ldw = block_keys,
                .m = r.m,
                .total = r.total,
                .sums = r.sums,
                .sum_panels = j == begin ? 0 : (p_.dv + r.width - 1) / r.width,
                .sum_width = std::min(r.width, r.padded_v),
                .lds = r.width * block_queries,
            };
            isa::on<isa::BlockSoftmax>(r.set, &softmax);
            for (std::int64_t c = 0; c < p_.dv; c += r.width) {
                const std::int64_t width = r.columns(c, p_.dv);
                product(r, false, r.weights, block_keys, columns, rows, r.v + c * r.seen + j * width, width,
                        r.sums + c * block_queries, j == begin);
            }
        }
        for (std::int64_t c = 0; c < p_.dv; c += r.width) {
            const isa::DivideArguments<T> divide{
                r.sums + c * block_queries,  r.columns(c, p_.dv), r.total, y + c, p_.of_y.token, rows,
                std::min(r.width, p_.dv - c)};
            isa::on<isa::Divide>(r.set, &divide);
        }
    }

    /// c[row][column] (+)= w x, of `rows` rows of w that are `ldw` units apart, and one panel.
    static void product(const Room& r, bool pairs, const float* w, std::int64_t ldw, std::int64_t units,
                        std::int64_t rows, const float* x, std::int64_t width, float* c, bool first) {
        const std::int64_t vectors = width / r.tiling.lanes, step = r.tiling.rows(vectors);
        for (std::int64_t i = 0; i < rows; i += step) {  // 48 rows are there, whatever the last ones hold
            std::array<const char*, 8> pointers{};
            for (std::int64_t p = 0; p < step; ++p)
                pointers[static_cast<std::size_t>(p)] = reinterpret_cast<const char*>(w + (i + p) * ldw);
            isa::tile(r.set, pairs,
                      {.x = reinterpret_cast<const std::uint32_t*>(x),
                       .w = pointers.data(),
                       .rows = step,
                       .skip = 0,
                       .units = units,
                       .vectors = vectors,
                       .c = c + i * width,
                       .first = first,
                       .ahead = nullptr,
                       .lines = 0});
        }
    }

    const FlashAttention<T>& p_;
};

}  // namespace detail

SILICA_INLINE void attend(isa::Isa set, const FlashAttention<float>& a) {
    detail::AttentionByBlocks<float>(a).run(set);
}
SILICA_INLINE void attend(isa::Isa set, const FlashAttention<c10::Half>& a) {
    detail::AttentionByBlocks<c10::Half>(a).run(set);
}
SILICA_INLINE void attend(isa::Isa set, const FlashAttention<c10::BFloat16>& a) {
    detail::AttentionByBlocks<c10::BFloat16>(a).run(set);
}

}  // namespace silica::device::cpu
#endif  // SILICA_SINGLE_DEVICE_CPU_FLASH_ATTENTION_IPP
#endif  // SILICA_SINGLE_DEVICE_CPU_FLASH_ATTENTION_HPP

#include <limits>

namespace silica {
namespace device::cpu::detail {

SILICA_INLINE Tensor rows_in_place(const Tensor& t) { return t.stride(3) == 1 ? t : t.contiguous(); }

/// What is added to the scores, contiguous over keys, with a stride of 0 where it broadcasts.
SILICA_INLINE std::optional<Tensor> added_to_scores(const op::Attends& attends, c10::IntArrayRef scores) {
    const auto bias = attends.masked_bias();
    if (!bias) return std::nullopt;
    const Tensor all = bias->expand(scores);
    if (all.stride(3) == 1 || scores[3] == 1) return all;
    const auto rows = bias->dim() < 2 ? 1 : bias->size(-2);  // one number for all keys, or a strided bias
    return bias->expand({all.stride(0) == 0 ? 1 : scores[0], all.stride(1) == 0 ? 1 : scores[1], rows, scores[3]})
        .contiguous()
        .expand(scores);
}

template <class T>
void attend_in_blocks(const Tensor& q, const Tensor& k, const Tensor& v, const op::Attends& attends, double scale,
                      const Tensor& y) {
    using Flash = FlashAttention<T>;
    const auto strides = [](const Tensor& t) { return typename Flash::Strides{t.stride(0), t.stride(1), t.stride(2)}; };
    const auto keys = k.size(2);
    const auto bias = added_to_scores(attends, {q.size(0), q.size(1), q.size(2), keys});
    const auto lengths = attends.lengths ? std::optional(attends.lengths->contiguous()) : std::nullopt;
    const Flash problem{.q = q.const_data_ptr<T>(),
                        .k = k.const_data_ptr<T>(),
                        .v = v.const_data_ptr<T>(),
                        .of_q = strides(q),
                        .of_k = strides(k),
                        .of_v = strides(v),
                        .batch = q.size(0),
                        .heads = q.size(1),
                        .kv_heads = k.size(1),
                        .queries = q.size(2),
                        .keys = keys,
                        .d = q.size(3),
                        .dv = v.size(3),
                        .scale = static_cast<float>(scale),
                        .offset = attends.offset.value_or(keys),
                        .window = attends.window ? *attends.window : std::numeric_limits<std::int64_t>::max() / 2,
                        .lengths = lengths ? lengths->template const_data_ptr<std::int64_t>() : nullptr,
                        .mask = bias ? bias->template const_data_ptr<float>() : nullptr,
                        .of_mask = bias ? strides(*bias) : typename Flash::Strides{},
                        .y = y.mutable_data_ptr<T>(),
                        .of_y = strides(y)};
    problem.run(isa::best());
}

}  // namespace device::cpu::detail

SILICA_INLINE Tensor Kernel<op::Attention, device::Cpu>::run(const Tensor& q, const Tensor& k, const Tensor& v,
                                                             const op::Attends& attends, double scale) {
    namespace cpu = device::cpu;
    if (!cpu::is_floating(q) || q.numel() == 0 || k.numel() == 0 || v.numel() == 0)
        return device::aten::Attention::run(q, k, v, attends, scale);
    const bool alone = q.size(2) == 1 && !attends.hides_later(k.size(2)) && !attends.hides_earlier(1) &&
                       !attends.lengths && k.stride(3) == 1 && v.stride(3) == 1;
    if (alone)
        return cpu::AttendOne::run(q, k, v, k.size(2), attends.bias ? attends.masked_bias() : attends.mask, scale);
    if (cpu::isa::tiling<float>(cpu::isa::best()).vectors == 0)
        return device::aten::Attention::run(q, k, v, attends, scale);
    // (batch, tokens, heads, d), so that joining the heads again costs nothing
    const Tensor y = at::empty({q.size(0), q.size(2), q.size(1), v.size(3)}, q.options()).transpose(1, 2);
    cpu::with_type(q, [&]<class T>() {
        using cpu::detail::rows_in_place;
        cpu::detail::attend_in_blocks<T>(rows_in_place(q), rows_in_place(k), rows_in_place(v), attends, scale, y);
    });
    return y;
}

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_ATTENTION_IPP
#endif  // SILICA_SINGLE_DEVICE_CPU_ATTENTION_HPP
// ---- silica/device/cpu/average_pool.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_AVERAGE_POOL_HPP
#define SILICA_SINGLE_DEVICE_CPU_AVERAGE_POOL_HPP
/// Global average pooling on the CPU: ATen's.

namespace silica {

template <>
struct Kernel<op::AveragePool, device::Cpu> : device::aten::AveragePool {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_AVERAGE_POOL_HPP
// ---- silica/device/cpu/clamp.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_CLAMP_HPP
#define SILICA_SINGLE_DEVICE_CPU_CLAMP_HPP
/// Clamp on the CPU: ATen's.

namespace silica {

template <>
struct Kernel<op::Clamp, device::Cpu> : device::aten::Clamp {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_CLAMP_HPP
// ---- silica/device/cpu/conv.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_CONV_HPP
#define SILICA_SINGLE_DEVICE_CPU_CONV_HPP
/// Convolutions on the CPU: our own product where windows tile x, else oneDNN through ATen.

// ---- silica/device/cpu/packed_conv.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_PACKED_CONV_HPP
#define SILICA_SINGLE_DEVICE_CPU_PACKED_CONV_HPP
/// The weights of Conv on the CPU, and what its kernel and its fused forms share: where windows tile x side by side
/// (the patches of a vision transformer), our own product on rows of patches, else oneDNN through ATen, channels last.

// ---- silica/device/cpu/packed_linear.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_PACKED_LINEAR_HPP
#define SILICA_SINGLE_DEVICE_CPU_PACKED_LINEAR_HPP
/// The weights of Linear on the CPU, and the product with them: what the kernels of linear and its fused forms share.

// ---- silica/device/cpu/panels.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_PANELS_HPP
#define SILICA_SINGLE_DEVICE_CPU_PANELS_HPP
/// The product on weights that were packed at load: float32, in panels of columns.
///
/// A panel holds some rows of W side by side: for each k, one value of each. So x is read as it lies, and y comes out
/// as it is wanted. That is worth a second copy of the weights while they load; for 16-bit ones it is not.

// ---- silica/device/cpu/product.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_PRODUCT_HPP
#define SILICA_SINGLE_DEVICE_CPU_PRODUCT_HPP
/// y = act(x W^T + b) * (x U^T + c) + r on plain weights: what linear and its fused forms are made of on the CPU.

#include <cstdint>

namespace silica::device::cpu {

/// Products with up to this many rows read W as it lies.
inline constexpr std::int64_t few_rows = 8;

/// A product, by addresses. Rows of W, y are contiguous and follow each other.
template <class T>
struct Product {
    const T* x;
    std::int64_t ldx, m;  ///< rows of x
    const T* w;
    std::int64_t k, n;                             ///< columns of x; columns of y
    bool gated = false;                            ///< whether the rows of U follow those of W, those of c those of b
    const T *bias = nullptr, *residual = nullptr;  ///< b (and c), contiguous; r as y
    Activation act = Activation::linear;
    T* y = nullptr;
};

}  // namespace silica::device::cpu
#endif  // SILICA_SINGLE_DEVICE_CPU_PRODUCT_HPP

namespace silica::device::cpu {

/// Columns of a panel on this processor; 0 where weights are not packed.
constexpr std::int64_t panel_width(isa::Isa set) {
    const isa::Tiling tiling = isa::tiling<float>(set);
    return tiling.lanes * tiling.vectors;
}

/// W (n, k), contiguous float32 -> (panels, k, width), the last one filled up with zeros.
Tensor pack_panels(isa::Isa set, const Tensor& weight);

/// The weights that were packed, (n, k).
Tensor unpack_panels(const Tensor& packed, std::int64_t n);

/// Whether this product can be computed on panels: those of W and of U must begin at the same place.
constexpr bool fits_panels(isa::Isa set, std::int64_t n, bool gated) { return !gated || n % panel_width(set) == 0; }

/// Computes the product on the panels that `p.w` points to.
void multiply_panels(isa::Isa set, const Product<float>& p);

}  // namespace silica::device::cpu

// ---- silica/device/cpu/panels.ipp
#ifndef SILICA_SINGLE_DEVICE_CPU_PANELS_IPP
#define SILICA_SINGLE_DEVICE_CPU_PANELS_IPP
/// Packing weights in panels, and the product on them.

// ---- silica/device/cpu/isa/product.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ISA_PRODUCT_HPP
#define SILICA_SINGLE_DEVICE_CPU_ISA_PRODUCT_HPP
/// A product from its sums, and the product of few rows.
///
/// Few rows of x (a decode step) are bound by reading W: each row of it is read once, as it lies. Sums are in float32,
/// and rounded once.

#include <algorithm>
#include <array>

namespace silica::device::cpu::detail {

/// Columns [column, column + columns) of rows [row, row + rows) of y, from the sums of the products.
template <class T>
void finish(isa::Isa set, const Product<T>& p, std::int64_t row, std::int64_t rows, std::int64_t column,
            std::int64_t columns, const float* sums, const float* up, std::int64_t lds) {
    const isa::FinishArguments<T> a{sums,
                                    p.gated ? up : nullptr,
                                    lds,
                                    p.bias ? p.bias + column : nullptr,
                                    p.bias ? p.bias + p.n + column : nullptr,
                                    p.residual ? p.residual + row * p.n + column : nullptr,
                                    p.y + row * p.n + column,
                                    p.n,
                                    rows,
                                    columns,
                                    p.act};
    isa::on<isa::Finish>(set, &a);
}

template <class T>
void product_of_few(isa::Isa set, const Product<T>& p) {
    constexpr std::int64_t columns = 64;
    const std::int64_t read = p.k * (p.gated ? 2 : 1) * static_cast<std::int64_t>(sizeof(T));  // bytes for a column
    const std::int64_t grain = std::max<std::int64_t>(4, (std::int64_t{1} << 16) / std::max<std::int64_t>(read, 1));
    parallel_for(0, (p.n + 3) / 4, (grain + 3) / 4, [&](std::int64_t first, std::int64_t last) {
        alignas(64) std::array<std::array<float, few_rows * columns>, 2> sums;
        const std::int64_t end = std::min(4 * last, p.n);
        for (std::int64_t n = 4 * first; n < end; n += columns) {
            const std::int64_t count = std::min(columns, end - n);
            for (std::int64_t part = 0; part < (p.gated ? 2 : 1); ++part)
                isa::dots<T>(set, {p.w + (part * p.n + n) * p.k, p.k, count, p.x, p.ldx, p.m, p.k,
                                   sums[static_cast<std::size_t>(part)].data(), columns});
            finish(set, p, 0, p.m, n, count, sums[0].data(), sums[1].data(), columns);
        }
    });
}

}  // namespace silica::device::cpu::detail
#endif  // SILICA_SINGLE_DEVICE_CPU_ISA_PRODUCT_HPP

#include <ATen/Parallel.h>

#include <atomic>

namespace silica::device::cpu {

SILICA_INLINE Tensor pack_panels(isa::Isa set, const Tensor& weight) {
    const std::int64_t n = weight.size(0), k = weight.size(1), width = panel_width(set);
    const Tensor packed = at::empty({(n + width - 1) / width, k, width}, weight.options());
    const float* from = weight.const_data_ptr<float>();
    float* to = packed.mutable_data_ptr<float>();
    parallel_for(0, packed.size(0), 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) {
            isa::transpose<float>(
                set, false,
                {from + i * width * k, k, std::min(width, n - i * width), k, to + i * width * k, width, width});
        }
    });
    return packed;
}

SILICA_INLINE Tensor unpack_panels(const Tensor& packed, std::int64_t n) {
    const std::int64_t k = packed.size(1), width = packed.size(2);
    const Tensor weight = at::empty({n, k}, packed.options());
    const float* from = packed.const_data_ptr<float>();
    float* to = weight.mutable_data_ptr<float>();
    parallel_for(0, n, width, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t row = first; row < last; ++row) {
            for (std::int64_t i = 0; i < k; ++i) to[row * k + i] = from[(row / width * k + i) * width + row % width];
        }
    });
    return weight;
}

namespace detail {

/// The product of all rows of x with panels: a panel stays in the second cache while rows pass.
class ProductOnPanels {
public:
    /// `p.w` points to the panels.
    ProductOnPanels(isa::Isa set, const Product<float>& p)
        : set_(set), vectors_(isa::tiling<float>(set).vectors), width_(panel_width(set)), p_(p) {}

    void run() const {
        const std::int64_t panels = (p_.n + width_ - 1) / width_, threads = at::get_num_threads();
        // Few panels for many threads: rows are cut too. Small products are left to fewer threads.
        const std::int64_t cuts = std::max<std::int64_t>(1, threads / panels);
        const std::int64_t height = std::min(most_rows, ((p_.m + cuts - 1) / cuts + 5) / 6 * 6);
        const std::int64_t down = (p_.m + height - 1) / height, tasks = down * panels;
        const std::int64_t work = p_.k * width_ * std::min(height, p_.m) * (p_.gated ? 2 : 1);
        const std::int64_t grain = (std::int64_t{1} << 15) / std::max<std::int64_t>(work, 1) + 1;
        std::atomic<std::int64_t> next{0};
        parallel_for(0, std::min(threads, (tasks + grain - 1) / grain), 1, [&](std::int64_t, std::int64_t) {
            std::int64_t i = next.fetch_add(1);
            while (i < tasks) {
                const std::int64_t first = i / panels * height, then = next.fetch_add(1);
                part(i % panels, first, std::min(p_.m, first + height), then < tasks ? then % panels : -1);
                i = then;
            }
        });
    }

private:
    static constexpr std::int64_t most_rows = 252, most_units = 512;

    [[nodiscard]] const float* place(std::int64_t part, std::int64_t panel, std::int64_t u) const {
        return p_.w + ((part * (p_.n / width_) + panel) * p_.k + u) * width_;
    }

    /// Rows [first, last) of y and the columns of a panel. The weights that come next are fetched into the cache bit by
    /// bit; after the last ones those of the panel `then`, or none.
    void part(std::int64_t panel, std::int64_t first, std::int64_t last, std::int64_t then) const {
        const std::int64_t parts = p_.gated ? 2 : 1, rows = last - first, column = panel * width_;
        const Scratch<2> sums(static_cast<std::size_t>(parts * most_rows * width_));
        float* const c = sums.data();
        for (std::int64_t u = 0; u < p_.k; u += most_units) {
            const std::int64_t units = std::min(most_units, p_.k - u);
            const bool end = u + units == p_.k;
            const std::int64_t soon = rows < 12 || (end && then < 0) ? 0 : end ? p_.k : p_.k - u - units;
            const std::int64_t lines = std::min(most_units, soon) * width_ * 4 / 64;
            for (std::int64_t r = 0, taken = 0; r < rows; r += taken) {
                const std::int64_t left = rows - r;
                taken = left >= 5 ? 6 : left >= 3 ? 4 : left;
                std::array<const char*, 6> x{};
                for (std::int64_t i = 0; i < taken; ++i)
                    x[static_cast<std::size_t>(i)] =
                        reinterpret_cast<const char*>(p_.x + (first + std::min(r + i, rows - 1)) * p_.ldx + u);
                for (std::int64_t part = 0; part < parts; ++part) {
                    const float *w = place(part, panel, u), *ahead = end ? place(part, then, 0) : w + units * width_;
                    isa::tile(set_, false,
                              {.x = reinterpret_cast<const std::uint32_t*>(w),
                               .w = x.data(),
                               .rows = taken,
                               .skip = 0,
                               .units = units,
                               .vectors = vectors_,
                               .c = c + (part * most_rows + r) * width_,
                               .first = u == 0,
                               .ahead = reinterpret_cast<const char*>(ahead) + r * lines / rows * 64,
                               .lines = std::min(r + taken, rows) * lines / rows - r * lines / rows});
                }
                if (end) {
                    detail::finish(set_, p_, first + r, std::min(taken, left), column, std::min(width_, p_.n - column),
                                   c + r * width_, c + (most_rows + r) * width_, width_);
                }
            }
        }
    }

    isa::Isa set_;
    std::int64_t vectors_, width_;
    const Product<float>& p_;
};

}  // namespace detail

SILICA_INLINE void multiply_panels(isa::Isa set, const Product<float>& p) {
    if (p.m > 0 && p.n > 0) detail::ProductOnPanels(set, p).run();
}

}  // namespace silica::device::cpu
#endif  // SILICA_SINGLE_DEVICE_CPU_PANELS_IPP
#endif  // SILICA_SINGLE_DEVICE_CPU_PANELS_HPP

#include <optional>
#include <utility>

namespace silica::device::cpu {

/// What is done to x W^T + b before it is rounded.
struct After {
    Activation act = Activation::linear;
    bool gated = false;                ///< W holds the rows of the gate, then those of what it multiplies
    const Tensor* residual = nullptr;  ///< added last; (..., out)
};

/// W (out, in), contiguous: as it lies in the file where it was mapped, and one copy where two ops share it. Or, of
/// float32, in panels.
struct PackedLinear {
    Tensor weight;
    std::optional<Tensor> bias;
    std::int64_t out = weight.size(0);
    bool panels = false;

    /// Packed in panels where that is worth it.
    [[nodiscard]] static PackedLinear pack(op::Plain s);
    /// As it lies: for weights that another op reads as well.
    [[nodiscard]] static PackedLinear keep(op::Plain s) { return {s.weight.contiguous(), std::move(s.bias)}; }
    [[nodiscard]] op::Plain unpack() const;

    /// x W^T + b.
    [[nodiscard]] Tensor operator()(const Tensor& x) const;

    /// The product by our own kernels; undefined where they do not serve this type, layout or number of rows.
    [[nodiscard]] Tensor product(const Tensor& x, const After& after) const;
};

}  // namespace silica::device::cpu

// ---- silica/device/cpu/packed_linear.ipp
#ifndef SILICA_SINGLE_DEVICE_CPU_PACKED_LINEAR_IPP
#define SILICA_SINGLE_DEVICE_CPU_PACKED_LINEAR_IPP
/// From tensors to products by addresses.

// ---- silica/device/cpu/multiply.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_MULTIPLY_HPP
#define SILICA_SINGLE_DEVICE_CPU_MULTIPLY_HPP
/// The product on weights as they lie.

#include <c10/util/Half.h>

namespace silica::device::cpu {

/// Whether the product is computed here: many rows on a processor without AVX2 are better left to LibTorch.
template <class T>
constexpr bool computes(isa::Isa set, std::int64_t m) {
    return m <= few_rows || isa::tiling<T>(set).vectors > 0;
}

/// Computes the product with instruction set `set`, which this processor must have.
void multiply(isa::Isa set, const Product<float>& p);
void multiply(isa::Isa set, const Product<c10::Half>& p);
void multiply(isa::Isa set, const Product<c10::BFloat16>& p);

}  // namespace silica::device::cpu

// ---- silica/device/cpu/multiply.ipp
#ifndef SILICA_SINGLE_DEVICE_CPU_MULTIPLY_IPP
#define SILICA_SINGLE_DEVICE_CPU_MULTIPLY_IPP
/// The product of many rows: tiles of W stay in cache while all of x passes.

#include <ATen/Parallel.h>

#include <atomic>
#include <cstring>

namespace silica::device::cpu {
namespace detail {

/// The product of many rows: x in panels, transposed; W in blocks that stay in the second cache while panels pass.
template <class T>
class ProductOfMany {
public:
    ProductOfMany(isa::Isa set, const Product<T>& p)
        : set_(set),
          tiling_(isa::tiling<T>(set)),
          in_place_(tiling_.pairs || std::is_same_v<T, float>),
          p_(p),
          parts_(p.gated ? 2 : 1),
          values_(tiling_.pairs ? 2 : 1),
          units_((p.k + values_ - 1) / values_),
          lanes_(tiling_.vectors * tiling_.lanes) {}

    void run() const {
        for (std::int64_t m = 0; m < p_.m; m += most_vectors) rows(m, std::min(p_.m, m + most_vectors));
    }

private:
    /// Rows of W (and U) in a block, its units, rows of x at a time; columns are handed out by `step`, which the rows
    /// of every tile divide.
    static constexpr std::int64_t most_rows = 96, most_units = 512, most_vectors = 256, step = 24;

    /// Rows [first, last) of y.
    void rows(std::int64_t first, std::int64_t last) const {
        const std::int64_t panels = (last - first + lanes_ - 1) / lanes_;
        const Scratch<0> packed(static_cast<std::size_t>(panels * lanes_ * units_));
        float* const x = packed.data();
        pack(x, first, last, panels);

        // Columns are cut into several times as many parts as there are threads, and rows too when columns are few.
        const std::int64_t threads = at::get_num_threads(), steps = (p_.n + step - 1) / step;
        const std::int64_t cuts = std::min(steps, p_.n >= 768 * threads ? 4 * threads : threads);
        const std::int64_t width = (steps + cuts - 1) / cuts * step, across = (p_.n + width - 1) / width;
        const std::int64_t down = std::clamp<std::int64_t>(threads / across, 1, panels);
        const std::int64_t height = (panels + down - 1) / down;
        std::atomic<std::int64_t> next{0};
        parallel_for(0, threads, 1, [&](std::int64_t, std::int64_t) {
            for (std::int64_t task = next.fetch_add(1); task < across * down; task = next.fetch_add(1)) {
                const std::int64_t n = task % across * width, q = task / across * height;
                if (q >= panels) continue;
                part(x + q * lanes_ * units_, first + q * lanes_, std::min(last, first + (q + height) * lanes_), n,
                     std::min(p_.n, n + width));
            }
        });
    }

    /// Vectors of the panel that starts with row `first` of y.
    [[nodiscard]] std::int64_t vectors(std::int64_t first, std::int64_t last) const {
        return std::min(tiling_.vectors, (last - first + tiling_.lanes - 1) / tiling_.lanes);
    }

    /// Rows [first, last) of x, in panels: for each panel its units, of each unit all rows.
    void pack(float* x, std::int64_t first, std::int64_t last, std::int64_t panels) const {
        const std::int64_t piece = 64, pieces = (units_ + piece - 1) / piece;
        parallel_for(0, panels * pieces, 4, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) {
                const std::int64_t panel = i / pieces, unit = i % pieces * piece, k = unit * values_;
                const std::int64_t row = first + panel * lanes_, width = vectors(row, last) * tiling_.lanes;
                const isa::TransposeArguments<T> a{p_.x + row * p_.ldx + k,
                                                   p_.ldx,
                                                   std::min(width, last - row),
                                                   std::min(piece * values_, p_.k - k),
                                                   x + panel * lanes_ * units_ + unit * width,
                                                   width,
                                                   width};
                isa::transpose(set_, tiling_.pairs, a);
            }
        });
    }

    /// Rows [first, last) of y, from the panels x on, and columns [begin, end).
    void part(const float* x, std::int64_t first, std::int64_t last, std::int64_t begin, std::int64_t end) const {
        const std::int64_t panels = (last - first + lanes_ - 1) / lanes_, most_columns = most_rows / parts_;
        Block block;
        const Scratch<1> wide(in_place_ ? 0 : static_cast<std::size_t>(most_rows * most_units));
        const Scratch<2> sums(static_cast<std::size_t>(panels * most_rows * lanes_));
        block.c = sums.data();
        block.wide = wide.data();
        for (block.n = begin; block.n < end; block.n += most_columns) {
            block.columns = std::min(most_columns, end - block.n);
            block.padded = (block.columns + step - 1) / step * step;
            for (std::int64_t u = 0; u < units_; u += most_units) {
                const std::int64_t units = std::min(most_units, units_ - u);
                find(block, u, units);
                const bool more = u + units < units_;
                Ahead ahead(*this, more ? block.n : block.n + most_columns, more ? u + units : 0, end,
                            panels * parts_ * ((block.columns + 5) / 6));
                for (std::int64_t panel = 0; panel < panels; ++panel) {
                    tiles(block, x, panel, vectors(first + panel * lanes_, last), u, units, ahead);
                    if (!more) finish(block, panel, first + panel * lanes_, last);
                }
            }
        }
    }

    /// Columns [n, n + columns) of y in the making.
    struct Block {
        std::int64_t n = 0, columns = 0, padded = 0;
        std::array<const char*, most_rows> w{};  ///< the rows of W, `padded` of them, then those of U
        std::array<std::uint32_t, most_rows> odd{};
        float *c = nullptr, *wide = nullptr;
    };

    /// Sets the rows of W, widened where they have to be. Rows beyond the last are that one again.
    void find(Block& block, std::int64_t u, std::int64_t units) const {
        for (std::int64_t part = 0; part < parts_; ++part) {
            for (std::int64_t r = 0; r < block.padded; ++r) {
                const std::int64_t column = std::min(r, block.columns - 1), i = part * block.padded + r;
                const T* row = p_.w + (part * p_.n + block.n + column) * p_.k;
                auto& w = block.w[static_cast<std::size_t>(i)];
                if (in_place_) {
                    w = reinterpret_cast<const char*>(row + u * values_);
                } else {
                    float* wide = block.wide + i * most_units;
                    w = reinterpret_cast<const char*>(wide);
                    const isa::WidenArguments<T> a{row + u, units, wide};
                    if (r < block.columns) isa::on<isa::Widen>(set_, &a);
                }
                if (p_.k % values_ != 0 && u + units == units_) {  // the last unit is half a pair
                    auto& odd = block.odd[static_cast<std::size_t>(i)];
                    odd = 0;
                    std::memcpy(&odd, row + p_.k - 1, sizeof(T));
                }
            }
        }
    }

    class Ahead;

    /// A panel of x and units [u, u + units), all rows of the block.
    void tiles(const Block& block, const float* x, std::int64_t panel, std::int64_t vectors, std::int64_t u,
               std::int64_t units, Ahead& ahead) const {
        const std::int64_t width = vectors * tiling_.lanes, rows = tiling_.rows(vectors);
        const bool odd = p_.k % values_ != 0 && u + units == units_;
        const auto* const from = reinterpret_cast<const std::uint32_t*>(x) + panel * lanes_ * units_ + u * width;
        for (std::int64_t part = 0; part < parts_; ++part) {
            for (std::int64_t r = 0; r < block.columns; r += rows) {
                const std::int64_t i = part * block.padded + r;
                const auto [address, lines] = ahead.next();
                isa::TileArguments a{.x = from,
                                     .w = block.w.data() + i,
                                     .rows = rows,
                                     .skip = 0,
                                     .units = odd ? units - 1 : units,
                                     .vectors = vectors,
                                     .c = block.c + panel * most_rows * lanes_ + i * width,
                                     .first = u == 0,
                                     .ahead = address,
                                     .lines = lines};
                isa::tile(set_, tiling_.pairs, a);
                if (odd) {
                    std::array<const char*, 8> last{};
                    for (std::int64_t j = 0; j < rows; ++j)
                        last[static_cast<std::size_t>(j)] = reinterpret_cast<const char*>(block.odd.data() + i + j);
                    a.x = from + (units - 1) * width;
                    a.w = last.data();
                    a.units = 1, a.first = false, a.lines = 0;
                    isa::tile(set_, tiling_.pairs, a);
                }
            }
        }
    }

    /// From the sums of one panel, [row of W][row of x], to y.
    void finish(const Block& block, std::int64_t panel, std::int64_t first, std::int64_t last) const {
        constexpr std::int64_t room = most_rows + 16;
        alignas(64) float sums[64 * room];
        const std::int64_t rows = std::min(lanes_, last - first), width = vectors(first, last) * tiling_.lanes,
                           all = parts_ * block.padded;
        const isa::TransposeArguments<float> a{block.c + panel * most_rows * lanes_, width, all, rows, sums, room, all};
        isa::on<isa::Transpose<false>>(set_, &a);
        detail::finish(set_, p_, first, rows, block.n, block.columns, sums, sums + block.padded, room);
    }

    /// The weights that come next, fetched into the cache bit by bit while the present ones are at work.
    class Ahead {
    public:
        Ahead(const ProductOfMany& of, std::int64_t n, std::int64_t u, std::int64_t end, std::int64_t steps)
            : steps_(steps) {
            if (n >= end) return;
            const Product<T>& p = of.p_;
            const std::int64_t k = u * of.values_;
            row_ = reinterpret_cast<const char*>(p.w + n * p.k + k);
            stride_ = p.k * static_cast<std::int64_t>(sizeof(T));
            rows_ = std::min(most_rows / of.parts_, end - n);
            jump_ = (p.n - rows_) * stride_;
            all_ = rows_ * of.parts_;
            lines_ = (std::min(most_units * of.values_, p.k - k) * static_cast<std::int64_t>(sizeof(T)) + 63) / 64;
        }

        /// Address and number of lines for one step.
        std::pair<const char*, std::int64_t> next() {
            const std::int64_t begin = all_ * step_ / steps_, end = all_ * (step_ + 1) / steps_;
            ++step_;
            if (begin == end) return {nullptr, 0};
            return {row_ + begin * stride_ + (begin >= rows_ ? jump_ : 0), lines_};
        }

    private:
        const char* row_ = nullptr;
        std::int64_t stride_ = 0, jump_ = 0, rows_ = 0, all_ = 0, lines_ = 0, steps_, step_ = 0;
    };

    isa::Isa set_;
    isa::Tiling tiling_;
    bool in_place_;
    const Product<T>& p_;
    std::int64_t parts_, values_, units_, lanes_;
};

template <class T>
void product(isa::Isa set, const Product<T>& p) {
    if (p.m == 0 || p.n == 0) return;
    if (p.m <= few_rows)
        product_of_few(set, p);
    else
        ProductOfMany<T>(set, p).run();
}

}  // namespace detail

SILICA_INLINE void multiply(isa::Isa set, const Product<float>& p) { detail::product(set, p); }
SILICA_INLINE void multiply(isa::Isa set, const Product<c10::Half>& p) { detail::product(set, p); }
SILICA_INLINE void multiply(isa::Isa set, const Product<c10::BFloat16>& p) { detail::product(set, p); }

}  // namespace silica::device::cpu
#endif  // SILICA_SINGLE_DEVICE_CPU_MULTIPLY_IPP
#endif  // SILICA_SINGLE_DEVICE_CPU_MULTIPLY_HPP

#include <ATen/ops/linear.h>

#include <vector>

namespace silica::device::cpu {
namespace detail {

template <class T>
Tensor product_of(const PackedLinear& w, const Tensor& x, const After& after) {
    const std::int64_t k = w.weight.size(1), n = w.out / (after.gated ? 2 : 1);
    if (x.size(-1) != k || k == 0 || !w.weight.is_contiguous()) return {};
    if (w.bias && (w.bias->scalar_type() != x.scalar_type() || !w.bias->is_contiguous())) return {};
    const std::int64_t m = x.numel() / k;
    const isa::Isa set = isa::best();
    if (w.panels ? !fits_panels(set, n, after.gated) : !computes<T>(set, m)) return {};
    std::vector<std::int64_t> shape(x.sizes().begin(), x.sizes().end());
    shape.back() = n;
    Tensor residual;
    if (after.residual) {
        if (after.residual->scalar_type() != x.scalar_type() || after.residual->sizes() != shape) return {};
        residual = after.residual->contiguous();
    }
    const Tensor rows = x.is_contiguous() ? x : x.dim() == 2 && x.stride(1) == 1 ? x : x.contiguous();
    const Tensor y = at::empty(shape, x.options());
    const Product<T> p{.x = rows.const_data_ptr<T>(),
                       .ldx = rows.is_contiguous() ? k : rows.stride(0),
                       .m = m,
                       .w = w.weight.const_data_ptr<T>(),
                       .k = k,
                       .n = n,
                       .gated = after.gated,
                       .bias = w.bias ? w.bias->const_data_ptr<T>() : nullptr,
                       .residual = residual.defined() ? residual.const_data_ptr<T>() : nullptr,
                       .act = after.act,
                       .y = y.mutable_data_ptr<T>()};
    if constexpr (std::is_same_v<T, float>) {
        if (w.panels) {
            multiply_panels(set, p);
            return y;
        }
    }
    cpu::multiply(set, p);
    return y;
}

}  // namespace detail

SILICA_INLINE op::Plain PackedLinear::unpack() const { return {panels ? unpack_panels(weight, out) : weight, bias}; }

SILICA_INLINE Tensor PackedLinear::operator()(const Tensor& x) const {
    const Tensor y = product(x, {});
    return y.defined() ? y : at::linear(x, panels ? unpack().weight : weight, bias);
}

SILICA_INLINE Tensor PackedLinear::product(const Tensor& x, const After& after) const {
    if (x.scalar_type() != weight.scalar_type() || x.dim() == 0 || !isa::has(after.act)) return {};
    switch (x.scalar_type()) {
        case c10::ScalarType::Float:
            return detail::product_of<float>(*this, x, after);
        case c10::ScalarType::BFloat16:
            return detail::product_of<c10::BFloat16>(*this, x, after);
        case c10::ScalarType::Half:
            return detail::product_of<c10::Half>(*this, x, after);
        default:
            return {};
    }
}

SILICA_INLINE PackedLinear PackedLinear::pack(op::Plain s) {
    const Tensor& weight = s.weight;
    const std::int64_t n = weight.size(0), width = panel_width(isa::best());
    // A panel that is filled up with more than an eighth of zeros is not worth it.
    const bool panels = weight.scalar_type() == c10::ScalarType::Float && weight.numel() > 0 && width > 0 &&
                        (n + width - 1) / width * width - n <= n / 8;
    if (!panels) return keep(std::move(s));
    return {pack_panels(isa::best(), weight.contiguous()), std::move(s.bias), n, true};
}

}  // namespace silica::device::cpu
#endif  // SILICA_SINGLE_DEVICE_CPU_PACKED_LINEAR_IPP
#endif  // SILICA_SINGLE_DEVICE_CPU_PACKED_LINEAR_HPP

#include <algorithm>
#include <optional>
#include <vector>

namespace silica::device::cpu {

struct PackedConv {
    std::vector<std::int64_t> sizes;          ///< of the weight
    op::ConvSteps steps;                      ///< as they were given
    std::optional<PackedLinear> matrix = {};  ///< (out, in * kernel...), where windows tile x
    op::PlainConv conv = {};                  ///< elsewhere: channels last, a kernel of one dimension as one of two

    static PackedConv pack(op::PlainConv s) {
        PackedConv packed{s.weight.sizes().vec(), s.steps};
        if (tiles(s)) {
            packed.matrix = PackedLinear::pack({s.weight.flatten(1), std::move(s.bias)});
            return packed;
        }
        if (s.weight.dim() == 3) {
            s.weight = s.weight.unsqueeze(2);
            s.steps.stride.insert(s.steps.stride.begin(), 1);
            s.steps.padding.insert(s.steps.padding.begin(), 0);
            s.steps.dilation.insert(s.steps.dilation.begin(), 1);
        }
        s.weight = s.weight.contiguous(layout(s.weight));
        packed.conv = std::move(s);
        return packed;
    }

    [[nodiscard]] op::PlainConv unpack() const {
        if (!matrix) return {conv.weight.reshape(sizes), conv.bias, steps};
        auto [weight, bias] = matrix->unpack();
        return {weight.view(sizes), std::move(bias), steps};
    }

    /// act(W * x + b + residual); without a residual where there is none.
    [[nodiscard]] Tensor operator()(const Tensor& x, Activation act = Activation::linear,
                                    const Tensor* residual = nullptr) const {
        if (matrix) {
            const Tensor rows = patches(x);
            // The activation comes after the residual, which the product adds last.
            const bool fused = residual == nullptr || act == Activation::linear;
            const Tensor r = residual == nullptr ? Tensor() : residual->movedim(1, -1);
            Tensor y = fused ? matrix->product(rows, {.act = act, .residual = r.defined() ? &r : nullptr}) : Tensor();
            if (!y.defined()) {
                y = (*matrix)(rows);
                y = aten::activated(r.defined() ? y.add_(r) : y, act);
            }
            return y.movedim(-1, 1);
        }
        const bool flat = sizes.size() == 3;
        const Tensor in = flat ? x.unsqueeze(2) : x;
        Tensor y = aten::Conv::run(in.contiguous(layout(in)), conv);
        if (flat) y = y.squeeze(2);
        return aten::activated(residual == nullptr ? y : y.add_(*residual), act);
    }

private:
    /// oneDNN is up to twenty times as fast on images with their channels last in bfloat16, and not slower in float32;
    /// what it returns has them last too, so a network turns its input once.
    static at::MemoryFormat layout(const Tensor& image) {
        return image.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    }

    /// Whether each value of x is in one window at most, windows side by side, of float32: in bfloat16 oneDNN is the
    /// quicker. Not kernels of one value, which oneDNN computes as a product itself.
    static bool tiles(const op::PlainConv& s) {
        const auto kernel = s.weight.sizes().slice(2);
        const auto is = [](std::int64_t n) { return [n](std::int64_t m) { return m == n; }; };
        return s.weight.scalar_type() == at::kFloat && s.steps.groups == 1 &&
               kernel == c10::IntArrayRef(s.steps.stride) && !std::ranges::all_of(kernel, is(1)) &&
               std::ranges::all_of(s.steps.padding, is(0)) && std::ranges::all_of(s.steps.dilation, is(1));
    }

    /// x (batch, in, size...) -> (batch, places..., in * kernel...).
    [[nodiscard]] Tensor patches(Tensor x) const {
        std::vector<std::int64_t> split{x.size(0), x.size(1)}, order{0}, rows{x.size(0)};
        for (std::size_t i = 2; i < sizes.size(); ++i) {
            const auto dim = static_cast<std::int64_t>(i), places = x.size(dim) / sizes[i];
            x = x.narrow(dim, 0, places * sizes[i]);
            split.insert(split.end(), {places, sizes[i]});
            order.push_back(2 * dim - 2);
            rows.push_back(places);
        }
        order.push_back(1);
        for (std::size_t i = 2; i < sizes.size(); ++i) order.push_back(2 * static_cast<std::int64_t>(i) - 1);
        rows.push_back(c10::multiply_integers(sizes) / sizes[0]);
        return x.view(split).permute(order).reshape(rows);
    }
};

}  // namespace silica::device::cpu
#endif  // SILICA_SINGLE_DEVICE_CPU_PACKED_CONV_HPP

namespace silica {

template <>
struct Kernel<op::Conv, device::Cpu> {
    using Packed = device::cpu::PackedConv;
    static Packed pack(op::Conv::Source s) { return Packed::pack(std::move(s)); }
    static Tensor run(const Tensor& x, const Packed& w) { return w(x); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_CONV_HPP
// ---- silica/device/cpu/conv_activation.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_CONV_ACTIVATION_HPP
#define SILICA_SINGLE_DEVICE_CPU_CONV_ACTIVATION_HPP
/// Convolution and activation on the CPU: y is activated where it lies.

// ---- silica/op/conv_activation.hpp
#ifndef SILICA_SINGLE_OP_CONV_ACTIVATION_HPP
#define SILICA_SINGLE_OP_CONV_ACTIVATION_HPP
/// y = act(W * x + b).

namespace silica::op {

/// x (batch, in, size...) -> (batch, out, places...). Uses the weights as Conv's kernel packed them.
struct ConvActivation {
    static constexpr std::string_view name = "conv_activation";
    static constexpr bool quantisable = false;
    using signature = Tensor(const Tensor& x, const Prepared& weight, Activation act);
    static void check(const Tensor& x, const Conv::Shape& w, Activation) { Conv::check(x, w); }
    using packed_as = Conv;
    using parts = OpList<Conv, Gelu, Activate>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, const auto& weight, Activation act) {
        const Tensor y = run<Conv, Exec>(x, weight);
        if (act == Activation::linear) return y;
        return act == Activation::gelu ? run<Gelu, Exec>(y) : run<Activate, Exec>(y, act);
    }
};
static_assert(OpTag<ConvActivation>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_CONV_ACTIVATION_HPP

namespace silica {

template <>
struct Kernel<op::ConvActivation, device::Cpu> {
    static Tensor run(const Tensor& x, const device::cpu::PackedConv& w, Activation act) { return w(x, act); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_CONV_ACTIVATION_HPP
// ---- silica/device/cpu/conv_add.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_CONV_ADD_HPP
#define SILICA_SINGLE_DEVICE_CPU_CONV_ADD_HPP
/// Convolution, residual sum and activation on the CPU: y meets the residual and is activated where it lies.

// ---- silica/op/conv_add.hpp
#ifndef SILICA_SINGLE_OP_CONV_ADD_HPP
#define SILICA_SINGLE_OP_CONV_ADD_HPP
/// y = act(W * x + b + r): the end of a residual block. He et al. 2016, figure 2.

namespace silica::op {

/// x (batch, in, size...), r (batch, out, places...) -> (batch, out, places...). Uses the weights as Conv's kernel
/// packed them.
struct ConvAdd {
    static constexpr std::string_view name = "conv_add";
    static constexpr bool quantisable = false;
    using signature = Tensor(const Tensor& x, const Prepared& weight, const Tensor& residual, Activation act);
    static void check(const Tensor& x, const Conv::Shape& w, const Tensor& residual, Activation) {
        law(Conv::fits(x, w) && is_result(residual, x, w), name,
            "x (batch, in, size...) that holds the kernel, W (out, in / groups, kernel...) and r (batch, out, "
            "places...) of one type",
            x, w, residual);
    }
    using packed_as = Conv;
    using parts = OpList<Conv, Gelu, Activate>;

    template <class Exec>
    static Tensor by_parts(const Tensor& x, const auto& weight, const Tensor& residual, Activation act) {
        const Tensor y = run<Conv, Exec>(x, weight) + residual;
        if (act == Activation::linear) return y;
        return act == Activation::gelu ? run<Gelu, Exec>(y) : run<Activate, Exec>(y, act);
    }

private:
    static bool is_result(const Tensor& r, const Tensor& x, const Conv::Shape& w) {
        if (r.scalar_type() != w.type || r.dim() != x.dim() || r.size(0) != x.size(0) || r.size(1) != w.size(0))
            return false;
        for (std::size_t i = 2; i < w.sizes.size(); ++i) {
            const auto dim = static_cast<std::int64_t>(i);
            if (r.size(dim) != w.steps.places(i - 2, x.size(dim), w.size(i))) return false;
        }
        return true;
    }
};
static_assert(OpTag<ConvAdd>);

}  // namespace silica::op
#endif  // SILICA_SINGLE_OP_CONV_ADD_HPP

namespace silica {

template <>
struct Kernel<op::ConvAdd, device::Cpu> {
    static Tensor run(const Tensor& x, const device::cpu::PackedConv& w, const Tensor& residual, Activation act) {
        return w(x, act, &residual);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_CONV_ADD_HPP
// ---- silica/device/cpu/decode_attention.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_DECODE_ATTENTION_HPP
#define SILICA_SINGLE_DEVICE_CPU_DECODE_ATTENTION_HPP
/// Attention to a cache on the CPU: only the filled slots are read.

#include <optional>

namespace silica {

template <>
struct Kernel<op::DecodeAttention, device::Cpu> {
    static Tensor run(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                      const std::optional<Tensor>& mask, double scale);
};

}  // namespace silica

// ---- silica/device/cpu/decode_attention.ipp
#ifndef SILICA_SINGLE_DEVICE_CPU_DECODE_ATTENTION_IPP
#define SILICA_SINGLE_DEVICE_CPU_DECODE_ATTENTION_IPP
/// Attention to the filled slots of a cache.

#include <algorithm>

namespace silica {

SILICA_INLINE Tensor Kernel<op::DecodeAttention, device::Cpu>::run(const Tensor& q, const Tensor& keys,
                                                                   const Tensor& values, const Tensor& filled,
                                                                   const std::optional<Tensor>& mask, double scale) {
    if (!device::cpu::is_floating(q) || keys.scalar_type() != q.scalar_type() ||
        values.scalar_type() != q.scalar_type() || keys.stride(3) != 1 || values.stride(3) != 1)
        return device::aten::DecodeAttention::run(q, keys, values, filled, mask, scale);
    const std::int64_t n = std::clamp<std::int64_t>(filled.const_data_ptr<std::int64_t>()[0], 0, keys.size(2));
    return device::cpu::AttendOne::run(q, keys, values, n, mask, scale);
}

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_DECODE_ATTENTION_IPP
#endif  // SILICA_SINGLE_DEVICE_CPU_DECODE_ATTENTION_HPP
// ---- silica/device/cpu/embedding.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_EMBEDDING_HPP
#define SILICA_SINGLE_DEVICE_CPU_EMBEDDING_HPP
/// Embedding on the CPU: the table stays plain, so that a tied decoder can share it.

namespace silica {

/// Ids lie on the host here, so they are checked.
template <>
struct Kernel<op::Embedding, device::Cpu> : device::aten::Embedding {
    static Tensor run(const Tensor& ids, const Packed& table) {
        require_ids("of op 'embedding'", ids, table.weight.size(0), "rows of the table");
        return device::aten::Embedding::run(ids, table);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_EMBEDDING_HPP
// ---- silica/device/cpu/gated.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_GATED_HPP
#define SILICA_SINGLE_DEVICE_CPU_GATED_HPP
/// act(g) * u on the CPU, in one pass.

// ---- silica/device/cpu/gate.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_GATE_HPP
#define SILICA_SINGLE_DEVICE_CPU_GATE_HPP
/// act(g) * u, in one pass: what the kernels of gated and linear_gated share.

namespace silica::device::cpu {

/// x (..., 2 n), the gate before what it multiplies -> (..., n).
Tensor gate(const Tensor& x, Activation act);

}  // namespace silica::device::cpu

// ---- silica/device/cpu/gate.ipp
#ifndef SILICA_SINGLE_DEVICE_CPU_GATE_IPP
#define SILICA_SINGLE_DEVICE_CPU_GATE_IPP
/// A gate's activation and product in one pass.

namespace silica::device::cpu {

template <class T>
struct GatedArguments {
    const T *gate, *up;
    T* y;
    std::int64_t n;
    Activation act;
};

/// y = act(gate) * up, rounded once.
struct GatedLoop {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const GatedArguments<T>* a) {
        isa::Floats<W> g, u;
        std::int64_t i = 0;
        for (; i + W <= a->n; i += W) {
            isa::load<W>(g, a->gate + i);
            isa::load<W>(u, a->up + i);
            isa::activate<W>(g, a->act);
            isa::store<W>(a->y + i, g *= u);
        }
        if (const std::int64_t left = a->n - i; left > 0) {
            isa::load_some<W>(g, a->gate + i, left);
            isa::load_some<W>(u, a->up + i, left);
            isa::activate<W>(g, a->act);
            isa::store_some<W>(a->y + i, g *= u, left);
        }
    }
};

SILICA_INLINE Tensor gate(const Tensor& x, Activation act) {
    const auto n = x.size(-1) / 2;
    if (!isa::has(act) || !is_floating(x)) return aten::Activate::run(x.narrow(-1, 0, n), act) * x.narrow(-1, n, n);
    return by_rows(x, n, [&]<class T>(const T* row, T* y) {
        const GatedArguments<T> a{row, row + n, y, n, act};
        isa::on_best<GatedLoop>(&a);
    });
}

}  // namespace silica::device::cpu
#endif  // SILICA_SINGLE_DEVICE_CPU_GATE_IPP
#endif  // SILICA_SINGLE_DEVICE_CPU_GATE_HPP

namespace silica {

template <>
struct Kernel<op::Gated, device::Cpu> {
    static Tensor run(const Tensor& x, Activation act) { return device::cpu::gate(x, act); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_GATED_HPP
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
// ---- silica/device/cpu/group_norm.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_GROUP_NORM_HPP
#define SILICA_SINGLE_DEVICE_CPU_GROUP_NORM_HPP
/// Group norm on the CPU: ATen's.

namespace silica {

template <>
struct Kernel<op::GroupNorm, device::Cpu> : device::aten::GroupNorm {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_GROUP_NORM_HPP
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
/// Linear on the CPU: our own product, on weights as they lie or, of float32, packed in panels.

#include <utility>

namespace silica {

template <>
struct Kernel<op::Linear, device::Cpu> {
    using Packed = device::cpu::PackedLinear;
    static Packed pack(op::Linear::Source s) { return Packed::pack(std::move(s)); }
    static Packed keep(op::Linear::Source s) { return Packed::keep(std::move(s)); }
    static Tensor run(const Tensor& x, const Packed& w) { return w(x); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_LINEAR_HPP
// ---- silica/device/cpu/linear_activation.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_LINEAR_ACTIVATION_HPP
#define SILICA_SINGLE_DEVICE_CPU_LINEAR_ACTIVATION_HPP
/// Linear and activation on the CPU: y is activated before it is rounded and written.

namespace silica {

template <>
struct Kernel<op::LinearActivation, device::Cpu> {
    static Tensor run(const Tensor& x, const device::cpu::PackedLinear& w, Activation act) {
        if (const Tensor y = w.product(x, {.act = act}); y.defined()) return y;
        return device::aten::Activate::run(w(x), act);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_LINEAR_ACTIVATION_HPP
// ---- silica/device/cpu/linear_add.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_LINEAR_ADD_HPP
#define SILICA_SINGLE_DEVICE_CPU_LINEAR_ADD_HPP
/// Linear and residual sum on the CPU: y meets the residual before it is rounded and written.

namespace silica {

template <>
struct Kernel<op::LinearAdd, device::Cpu> {
    static Tensor run(const Tensor& x, const device::cpu::PackedLinear& w, const Tensor& residual) {
        if (const Tensor y = w.product(x, {.residual = &residual}); y.defined()) return y;
        return w(x) + residual;
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_LINEAR_ADD_HPP
// ---- silica/device/cpu/linear_gated.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_LINEAR_GATED_HPP
#define SILICA_SINGLE_DEVICE_CPU_LINEAR_GATED_HPP
/// Both products of a gated layer on the CPU: the gate meets what it multiplies before either is written.

namespace silica {

template <>
struct Kernel<op::LinearGated, device::Cpu> {
    static Tensor run(const Tensor& x, const device::cpu::PackedLinear& w, Activation act) {
        if (const Tensor y = w.product(x, {.act = act, .gated = true}); y.defined()) return y;
        return device::cpu::gate(w(x), act);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_LINEAR_GATED_HPP
// ---- silica/device/cpu/max_pool.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_MAX_POOL_HPP
#define SILICA_SINGLE_DEVICE_CPU_MAX_POOL_HPP
/// Max pooling on the CPU: ATen's.

namespace silica {

template <>
struct Kernel<op::MaxPool, device::Cpu> : device::aten::MaxPool {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_MAX_POOL_HPP
// ---- silica/device/cpu/pool.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_POOL_HPP
#define SILICA_SINGLE_DEVICE_CPU_POOL_HPP
/// Pooling on this device: ATen's.

namespace silica {

template <>
struct Kernel<op::Pool, device::Cpu> : device::aten::Pool {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_POOL_HPP
// ---- silica/device/cpu/resize.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_RESIZE_HPP
#define SILICA_SINGLE_DEVICE_CPU_RESIZE_HPP
/// Resizing on the CPU: ATen's.

namespace silica {

template <>
struct Kernel<op::Resize, device::Cpu> : device::aten::Resize {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_RESIZE_HPP
// ---- silica/device/cpu/rms_norm.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_RMS_NORM_HPP
#define SILICA_SINGLE_DEVICE_CPU_RMS_NORM_HPP
/// RMS norm on the CPU, each row in one pass from cache.

namespace silica {

template <>
struct Kernel<op::RmsNorm, device::Cpu> {
    static Tensor run(const Tensor& x, const Tensor& weight, double eps);
};

}  // namespace silica

// ---- silica/device/cpu/rms_norm.ipp
#ifndef SILICA_SINGLE_DEVICE_CPU_RMS_NORM_IPP
#define SILICA_SINGLE_DEVICE_CPU_RMS_NORM_IPP
/// RMS norm of a row.

#include <cmath>

namespace silica {
namespace device::cpu {

/// y = w * round(x * scale), rounded; d values of a row.
template <class T>
struct RmsNormArguments {
    const T *x, *w;
    T* y;
    std::int64_t d;
    float eps;
};
struct RmsNormLoop {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const RmsNormArguments<T>* a) {
        isa::Floats<W> v, w, sums[2] = {};
        std::int64_t i = 0;
        for (; i + 2 * W <= a->d; i += 2 * W) {
            isa::load<W>(v, a->x + i);
            isa::load<W>(w, a->x + i + W);
            sums[0] += v * v;
            sums[1] += w * w;
        }
        for (; i < a->d; i += W) {
            part<W>(v, a->x, i, a->d);
            sums[0] += v * v;
        }
        sums[0] += sums[1];
        const float scale = 1.0F / std::sqrt(isa::sum<W>(sums[0]) / static_cast<float>(a->d) + a->eps);
        for (i = 0; i < a->d; i += W) {
            part<W>(v, a->x, i, a->d);
            part<W>(w, a->w, i, a->d);
            v *= scale;
            isa::round_to<T, W>(v);
            v *= w;
            if (i + W <= a->d)
                isa::store<W>(a->y + i, v);
            else
                isa::store_some<W>(a->y + i, v, a->d - i);
        }
    }

private:
    template <int W, class T>
    [[gnu::always_inline]] static void part(isa::Floats<W>& v, const T* p, std::int64_t i, std::int64_t d) {
        if (i + W <= d)
            isa::load<W>(v, p + i);
        else
            isa::load_some<W>(v, p + i, d - i);
    }
};

}  // namespace device::cpu

SILICA_INLINE Tensor Kernel<op::RmsNorm, device::Cpu>::run(const Tensor& x, const Tensor& weight, double eps) {
    namespace cpu = device::cpu;
    if (!cpu::is_floating(x) || weight.scalar_type() != x.scalar_type() || !weight.is_contiguous())
        return device::aten::RmsNorm::run(x, weight, eps);
    const std::int64_t d = x.size(-1);
    return cpu::by_rows(x, d, [&]<class T>(const T* row, T* y) {
        const cpu::RmsNormArguments<T> a{row, weight.const_data_ptr<T>(), y, d, static_cast<float>(eps)};
        cpu::isa::on_best<cpu::RmsNormLoop>(&a);
    });
}

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_RMS_NORM_IPP
#endif  // SILICA_SINGLE_DEVICE_CPU_RMS_NORM_HPP
// ---- silica/device/cpu/rotary.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ROTARY_HPP
#define SILICA_SINGLE_DEVICE_CPU_ROTARY_HPP
/// Rotary embedding on the CPU, in one pass.

// ---- silica/device/cpu/turn.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_TURN_HPP
#define SILICA_SINGLE_DEVICE_CPU_TURN_HPP
/// Rotary embedding: what the kernels of rotary and rotary_store share.

namespace silica::device::cpu {

/// x (batch, heads, tokens, d), cos and sin (batch or 1, tokens, d / 2) -> (batch, heads, tokens, d).
Tensor rotary(const Tensor& x, const Tensor& cos, const Tensor& sin);

}  // namespace silica::device::cpu

// ---- silica/device/cpu/turn.ipp
#ifndef SILICA_SINGLE_DEVICE_CPU_TURN_IPP
#define SILICA_SINGLE_DEVICE_CPU_TURN_IPP
/// Rotary embedding, all heads of a token at a time.

// ---- silica/device/cpu/isa/turn.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ISA_TURN_HPP
#define SILICA_SINGLE_DEVICE_CPU_ISA_TURN_HPP
/// Rotary embedding of some vectors.

namespace silica::device::cpu {

/// y = x cos + rotate_half(x) sin for `count` vectors of 2 h values, `ldx` and `ldy` apart, all by the same h angles.
template <class T>
struct TurnArguments {
    const T *x, *cos, *sin;
    T* y;
    std::int64_t h, count, ldx, ldy;
};
struct Turn {
    template <int W, class T>
    [[gnu::always_inline]] static void run(const TurnArguments<T>* a) {
        isa::Floats<W> first, second, c, s;
        std::int64_t i = 0;
        for (; i + W <= a->h; i += W) {
            isa::load<W>(c, a->cos + i);
            isa::load<W>(s, a->sin + i);
            for (std::int64_t n = 0; n < a->count; ++n) {
                const T* x = a->x + n * a->ldx + i;
                T* y = a->y + n * a->ldy + i;
                isa::load<W>(first, x);
                isa::load<W>(second, x + a->h);
                isa::store<W>(y, first * c - second * s);
                isa::store<W>(y + a->h, second * c + first * s);
            }
        }
        for (; i < a->h; ++i) {
            const float cos = a->cos[i], sin = a->sin[i];
            for (std::int64_t n = 0; n < a->count; ++n) {
                const T* x = a->x + n * a->ldx + i;
                T* y = a->y + n * a->ldy + i;
                const float p = x[0], q = x[a->h];
                y[0] = static_cast<T>(p * cos - q * sin);
                y[a->h] = static_cast<T>(q * cos + p * sin);
            }
        }
    }
};

/// Turns by the best instructions of this processor.
template <class T>
void turn(const TurnArguments<T>& a) {
    isa::on_best<Turn>(&a);
}

}  // namespace silica::device::cpu
#endif  // SILICA_SINGLE_DEVICE_CPU_ISA_TURN_HPP

namespace silica::device::cpu {

SILICA_INLINE Tensor rotary(const Tensor& x, const Tensor& cos, const Tensor& sin) {
    const auto type = x.scalar_type();
    if (!is_floating(x) || cos.scalar_type() != type || sin.scalar_type() != type || x.numel() == 0)
        return aten::Rotary::run(x, cos, sin);
    const Tensor in = x.stride(3) == 1 ? x : x.contiguous(), c = cos.contiguous(), s = sin.contiguous();
    const Tensor y = at::empty(x.sizes(), x.options());
    const std::int64_t heads = x.size(1), tokens = x.size(2), d = x.size(3), h = d / 2;
    with_type(x, [&]<class T>() {
        const T *from = in.const_data_ptr<T>(), *of_cos = c.const_data_ptr<T>(), *of_sin = s.const_data_ptr<T>();
        T* to = y.mutable_data_ptr<T>();
        const std::int64_t grain = values_for_a_thread / (heads * d) + 1;
        parallel_for(0, x.size(0) * tokens, grain, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t i = first; i < last; ++i) {
                const std::int64_t b = i / tokens, t = i % tokens, angle = (cos.size(0) == 1 ? t : i) * h;
                turn<T>({from + b * in.stride(0) + t * in.stride(2), of_cos + angle, of_sin + angle,
                         to + (b * heads * tokens + t) * d, h, heads, in.stride(1), tokens * d});
            }
        });
    });
    return y;
}

}  // namespace silica::device::cpu
#endif  // SILICA_SINGLE_DEVICE_CPU_TURN_IPP
#endif  // SILICA_SINGLE_DEVICE_CPU_TURN_HPP

namespace silica {

template <>
struct Kernel<op::Rotary, device::Cpu> {
    static Tensor run(const Tensor& x, const Tensor& cos, const Tensor& sin) {
        return device::cpu::rotary(x, cos, sin);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_ROTARY_HPP
// ---- silica/device/cpu/rotary_store.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_ROTARY_STORE_HPP
#define SILICA_SINGLE_DEVICE_CPU_ROTARY_STORE_HPP
/// The start of attention in a decode step on the CPU: one pass over the product of the joined projections.

namespace silica {

template <>
struct Kernel<op::RotaryStore, device::Cpu> {
    static Tensor run(const Tensor& qkv, const Tensor& cos, const Tensor& sin, InOut<Tensor> keys, InOut<Tensor> values,
                      const Tensor& slot);
};

}  // namespace silica

// ---- silica/device/cpu/rotary_store.ipp
#ifndef SILICA_SINGLE_DEVICE_CPU_ROTARY_STORE_IPP
#define SILICA_SINGLE_DEVICE_CPU_ROTARY_STORE_IPP
/// Queries are turned, keys turned into their cache, values copied into theirs.

// ---- silica/device/cpu/store.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_STORE_HPP
#define SILICA_SINGLE_DEVICE_CPU_STORE_HPP
/// Copying keys and values into a cache: what the kernels of store_kv and rotary_store share.

namespace silica::device::cpu {

struct StoreKv {
    /// Rows of k and v to their slots; ATen where types or strides are unusual.
    static op::Written run(InOut<Tensor> keys, InOut<Tensor> values, const Tensor& k, const Tensor& v,
                           const Tensor& slots);
};

/// Throws unless all of `count` slots are in a cache of `room`.
void require_slots(const std::int64_t* slots, std::int64_t count, std::int64_t room);

}  // namespace silica::device::cpu

// ---- silica/device/cpu/store.ipp
#ifndef SILICA_SINGLE_DEVICE_CPU_STORE_IPP
#define SILICA_SINGLE_DEVICE_CPU_STORE_IPP
/// Rows of keys and values, copied to their slots.

#include <algorithm>
#include <cstring>
#include <string>

namespace silica::device::cpu {
namespace detail {

SILICA_INLINE bool copies_rows(const Tensor& cache, const Tensor& x, const Tensor& slots) {
    return cache.scalar_type() == x.scalar_type() && cache.stride(3) == 1 && x.stride(3) == 1 && slots.is_contiguous();
}

SILICA_INLINE void copy_rows(const Tensor& cache, const Tensor& x, const Tensor& slots) {
    const auto* const slot = slots.const_data_ptr<std::int64_t>();
    const auto bytes = static_cast<std::int64_t>(x.element_size());
    const auto* const from = static_cast<const char*>(x.const_data_ptr());
    auto* const to = static_cast<char*>(cache.mutable_data_ptr());
    const std::int64_t heads = x.size(1), tokens = x.size(2), row = x.size(3) * bytes;
    const std::int64_t grain = values_for_a_thread * bytes / (tokens * row + 1) + 1;
    parallel_for(0, x.size(0) * heads, grain, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) {
            const std::int64_t b = i / heads, h = i % heads;
            const char* in = from + (b * x.stride(0) + h * x.stride(1)) * bytes;
            char* out = to + (b * cache.stride(0) + h * cache.stride(1)) * bytes;
            for (std::int64_t t = 0; t < tokens; ++t) {
                std::memcpy(out + slot[t] * cache.stride(2) * bytes, in + t * x.stride(2) * bytes,
                            static_cast<std::size_t>(row));
            }
        }
    });
}

}  // namespace detail

SILICA_INLINE void require_slots(const std::int64_t* slots, std::int64_t count, std::int64_t room) {
    for (std::int64_t i = 0; i < count; ++i) {
        if (slots[i] >= 0 && slots[i] < room) continue;
        throw InputError("Keys and values are written to slot " + std::to_string(slots[i]) + " of a cache of " +
                             std::to_string(room) + ".",
                         "Pass slots from 0 to the number of slots less one.");
    }
}

SILICA_INLINE op::Written StoreKv::run(InOut<Tensor> keys, InOut<Tensor> values, const Tensor& k, const Tensor& v,
                                       const Tensor& slots) {
    const Tensor rows = slots.contiguous();
    require_slots(rows.const_data_ptr<std::int64_t>(), rows.numel(),
                  std::min(keys.value.size(2), values.value.size(2)));
    if (!detail::copies_rows(keys.value, k, rows) || !detail::copies_rows(values.value, v, rows))
        return aten::StoreKv::run(keys, values, k, v, rows);
    detail::copy_rows(keys.value, k, rows);
    detail::copy_rows(values.value, v, rows);
    return {};
}

}  // namespace silica::device::cpu
#endif  // SILICA_SINGLE_DEVICE_CPU_STORE_IPP
#endif  // SILICA_SINGLE_DEVICE_CPU_STORE_HPP

#include <algorithm>
#include <cstring>

namespace silica {
namespace device::cpu::detail {

template <class T>
T* place_in(const Tensor& cache, std::int64_t slot) {
    return cache.mutable_data_ptr<T>() + slot * cache.stride(2);
}

SILICA_INLINE bool stores_rotary(const Tensor& qkv, const Tensor& cos, const Tensor& sin, const Tensor& keys,
                                 const Tensor& values) {
    const auto type = qkv.scalar_type();
    for (const Tensor* t : {&cos, &sin, &keys, &values})
        if (t->scalar_type() != type) return false;
    return is_floating(qkv) && qkv.is_contiguous() && cos.is_contiguous() && sin.is_contiguous() &&
           keys.stride(3) == 1 && values.stride(3) == 1;
}

}  // namespace device::cpu::detail

SILICA_INLINE Tensor Kernel<op::RotaryStore, device::Cpu>::run(const Tensor& qkv, const Tensor& cos, const Tensor& sin,
                                                               InOut<Tensor> keys, InOut<Tensor> values,
                                                               const Tensor& slot) {
    namespace cpu = device::cpu;
    const std::int64_t batch = qkv.size(0), kv = keys.value.size(1), d = keys.value.size(3),
                       heads = qkv.size(2) / d - 2 * kv;
    if (!cpu::detail::stores_rotary(qkv, cos, sin, keys.value, values.value)) {
        const Tensor by_head = qkv.view({batch, 1, heads + 2 * kv, d}).transpose(1, 2);
        const Tensor k = cpu::rotary(by_head.narrow(1, heads, kv), cos, sin);
        cpu::StoreKv::run(keys, values, k, by_head.narrow(1, heads + kv, kv), slot);
        return cpu::rotary(by_head.narrow(1, 0, heads), cos, sin);
    }
    const Tensor q = at::empty({batch, heads, 1, d}, qkv.options());
    const std::int64_t at = slot.const_data_ptr<std::int64_t>()[0];
    cpu::require_slots(&at, 1, std::min(keys.value.size(2), values.value.size(2)));
    cpu::with_type(qkv, [&]<class T>() {
        const std::int64_t grain = cpu::values_for_a_thread / qkv.size(2) + 1;
        const T *of_cos = cos.const_data_ptr<T>(), *of_sin = sin.const_data_ptr<T>(), *rows = qkv.const_data_ptr<T>();
        T *to_q = q.mutable_data_ptr<T>(), *to_k = cpu::detail::place_in<T>(keys.value, at),
          *to_v = cpu::detail::place_in<T>(values.value, at);
        parallel_for(0, batch, grain, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t b = first; b < last; ++b) {
                const T* row = rows + b * qkv.size(2);
                const std::int64_t angle = cos.size(0) == 1 ? 0 : b * (d / 2);
                cpu::turn<T>({row, of_cos + angle, of_sin + angle, to_q + b * heads * d, d / 2, heads, d, d});
                cpu::turn<T>({row + heads * d, of_cos + angle, of_sin + angle, to_k + b * keys.value.stride(0), d / 2,
                              kv, d, keys.value.stride(1)});
                for (std::int64_t h = 0; h < kv; ++h) {
                    std::memcpy(to_v + b * values.value.stride(0) + h * values.value.stride(1),
                                row + (heads + kv + h) * d, static_cast<std::size_t>(d) * sizeof(T));
                }
            }
        });
    });
    return q;
}

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_ROTARY_STORE_IPP
#endif  // SILICA_SINGLE_DEVICE_CPU_ROTARY_STORE_HPP
// ---- silica/device/cpu/softmax.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_SOFTMAX_HPP
#define SILICA_SINGLE_DEVICE_CPU_SOFTMAX_HPP
/// Softmax on the CPU: ATen's.

namespace silica {

template <>
struct Kernel<op::Softmax, device::Cpu> : device::aten::Softmax {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_SOFTMAX_HPP
// ---- silica/device/cpu/store_kv.hpp
#ifndef SILICA_SINGLE_DEVICE_CPU_STORE_KV_HPP
#define SILICA_SINGLE_DEVICE_CPU_STORE_KV_HPP
/// Writing to a cache on the CPU: rows of keys and values, copied.

namespace silica {

template <>
struct Kernel<op::StoreKv, device::Cpu> : device::cpu::StoreKv {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CPU_STORE_KV_HPP
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
// ---- silica/device/cuda/argmax.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_ARGMAX_HPP
#define SILICA_SINGLE_DEVICE_CUDA_ARGMAX_HPP
/// The index of the largest value on CUDA: blocks share a long row, a warp joins what they found.

// ---- silica/device/cuda/nvrtc.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_NVRTC_HPP
#define SILICA_SINGLE_DEVICE_CUDA_NVRTC_HPP
/// Own CUDA kernels: source text that NVRTC compiles for the GPU at hand at its first use, once for the process.

// ---- silica/device/cuda/driver.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_DRIVER_HPP
#define SILICA_SINGLE_DEVICE_CUDA_DRIVER_HPP
/// The CUDA driver and NVRTC, found at run time: nothing of the CUDA toolkit is needed to build.
///
/// The CUDA builds of LibTorch carry NVRTC (the compiler for kernels kept as text) and libcaffe2_nvrtc, which is linked
/// to it and to the driver. The declarations here follow cuda.h and nvrtc.h, whose C interfaces are stable.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>

#if __has_include(<dlfcn.h>)
#include <dlfcn.h>
#endif

namespace silica::device::cuda {

/// cuda.h's CUlaunchAttribute, CUlaunchConfig and handles.
struct LaunchAttribute {
    int id = 0;
    int unused = 0;
    std::array<int, 16> value{};
};
struct LaunchConfig {
    std::array<unsigned, 3> grid{1, 1, 1}, block{1, 1, 1};
    unsigned shared_bytes = 0;
    void* stream = nullptr;
    LaunchAttribute* attributes = nullptr;
    unsigned count = 0;
};

/// The functions that Silica calls; `usable` is false, with a reason, where one of them is missing.
struct Driver {
    using Status = int;  // 0 is success, for CUresult and nvrtcResult alike

    Status (*device_attribute)(int*, int, int) = nullptr;
    Status (*retain_primary_context)(void**, int) = nullptr;
    Status (*current_context)(void**) = nullptr;
    Status (*push_context)(void*) = nullptr;
    Status (*pop_context)(void**) = nullptr;
    Status (*load_module)(void**, const void*) = nullptr;
    Status (*function_of)(void**, void*, const char*) = nullptr;
    Status (*launch)(const LaunchConfig*, void*, void**, void**) = nullptr;
    Status (*error_text)(Status, const char**) = nullptr;

    Status (*create_program)(void**, const char*, const char*, int, const char* const*, const char* const*) = nullptr;
    Status (*destroy_program)(void**) = nullptr;
    Status (*compile_program)(void*, int, const char* const*) = nullptr;
    Status (*log_size)(void*, std::size_t*) = nullptr;
    Status (*log)(void*, char*) = nullptr;
    Status (*cubin_size)(void*, std::size_t*) = nullptr;
    Status (*cubin)(void*, char*) = nullptr;
    Status (*ptx_size)(void*, std::size_t*) = nullptr;
    Status (*ptx)(void*, char*) = nullptr;
    Status (*architecture_count)(int*) = nullptr;
    Status (*architectures)(int*) = nullptr;

    bool usable = false;
    std::string reason = {};  ///< empty when usable

    /// Loaded at the first call, once for the process.
    static const Driver& get() {
        static const Driver driver = load();
        return driver;
    }

private:
#if __has_include(<dlfcn.h>)
    static Driver load() {
        Driver d;
        const Libraries from = open();
        if (from.cuda == nullptr || from.nvrtc == nullptr) {
            d.reason = from.cuda == nullptr ? "the CUDA driver (libcuda.so.1) was not found"
                                            : "NVRTC (libnvrtc.so) was not found beside LibTorch";
            return d;
        }
        bool all = true;
        const auto find = [&](void* library, const char* name, auto& function) {
            void* address = ::dlsym(library, name);
            function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(address);
            if (address != nullptr || !all) return;
            all = false;
            d.reason = std::string(name) + " is missing from the CUDA libraries";
        };
        find(from.cuda, "cuDeviceGetAttribute", d.device_attribute);
        find(from.cuda, "cuDevicePrimaryCtxRetain", d.retain_primary_context);
        find(from.cuda, "cuCtxGetCurrent", d.current_context);
        find(from.cuda, "cuCtxPushCurrent_v2", d.push_context);
        find(from.cuda, "cuCtxPopCurrent_v2", d.pop_context);
        find(from.cuda, "cuModuleLoadData", d.load_module);
        find(from.cuda, "cuModuleGetFunction", d.function_of);
        find(from.cuda, "cuLaunchKernelEx", d.launch);
        find(from.cuda, "cuGetErrorString", d.error_text);
        find(from.nvrtc, "nvrtcCreateProgram", d.create_program);
        find(from.nvrtc, "nvrtcDestroyProgram", d.destroy_program);
        find(from.nvrtc, "nvrtcCompileProgram", d.compile_program);
        find(from.nvrtc, "nvrtcGetProgramLogSize", d.log_size);
        find(from.nvrtc, "nvrtcGetProgramLog", d.log);
        find(from.nvrtc, "nvrtcGetCUBINSize", d.cubin_size);
        find(from.nvrtc, "nvrtcGetCUBIN", d.cubin);
        find(from.nvrtc, "nvrtcGetPTXSize", d.ptx_size);
        find(from.nvrtc, "nvrtcGetPTX", d.ptx);
        find(from.nvrtc, "nvrtcGetNumSupportedArchs", d.architecture_count);
        find(from.nvrtc, "nvrtcGetSupportedArchs", d.architectures);
        d.usable = all;
        return d;
    }

    struct Libraries {
        void *cuda = nullptr, *nvrtc = nullptr;
    };

    /// By name, and beside libtorch_cuda: libcaffe2_nvrtc knows where its NVRTC lies.
    static Libraries open() {
        Libraries found{::dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL)};
        if (found.cuda == nullptr) return found;
        std::string beside;
        if (void* torch = ::dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD)) {
            Dl_info info{};
            if (void* symbol = ::dlsym(torch, "aoti_torch_get_current_cuda_stream");
                symbol != nullptr && ::dladdr(symbol, &info) != 0 && info.dli_fname != nullptr) {
                beside = info.dli_fname;
                beside = beside.substr(0, beside.rfind('/') + 1) + "libcaffe2_nvrtc.so";
            }
            ::dlclose(torch);
        }
        for (const char* name : {beside.c_str(), "libcaffe2_nvrtc.so", "libnvrtc.so.13", "libnvrtc.so.12"}) {
            void* library = *name == '\0' ? nullptr : ::dlopen(name, RTLD_LAZY | RTLD_LOCAL);
            if (library != nullptr && ::dlsym(library, "nvrtcCreateProgram") != nullptr) {
                found.nvrtc = library;
                break;
            }
            if (library != nullptr) ::dlclose(library);
        }
        return found;
    }
#else
    static Driver load() {
        Driver d;
        d.reason = "this system has no dlopen";
        return d;
    }
#endif
};

}  // namespace silica::device::cuda
#endif  // SILICA_SINGLE_DEVICE_CUDA_DRIVER_HPP

#include <c10/core/impl/VirtualGuardImpl.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::device::cuda {

/// Whether Silica's own kernels may serve; set to false to have LibTorch's alone, for comparison. Becomes false where
/// one cannot be made on this machine.
SILICA_API inline std::atomic<bool> own_kernels{true};

/// Whether own kernels can run here; where not, ATen's serve.
inline bool has_nvrtc() { return own_kernels.load(std::memory_order_relaxed) && Driver::get().usable; }

/// A kernel's text and what it is compiled with: the text may use `T` and the constants `values`.
struct KernelSource {
    std::string_view name;  ///< of the `extern "C"` function
    std::string_view text;
    std::vector<std::pair<std::string_view, std::int64_t>> values = {};
    at::ScalarType type = at::kFloat;  ///< T
};

/// A compiled kernel on one GPU.
struct Function {
    void* handle = nullptr;
    void* context = nullptr;
    bool overlaps = false;  ///< may be launched before the kernel ahead of it has ended (it waits for it itself)
};

/// Blocks and threads of a launch.
struct Shape {
    std::array<unsigned, 3> grid{1, 1, 1};
    unsigned threads = 32;
};

namespace detail {

inline void check(Driver::Status status, std::string_view what) {
    if (status == 0) return;
    const char* text = nullptr;
    Driver::get().error_text(status, &text);
    throw DeviceError("CUDA: " + std::string(what) + " failed: " + (text != nullptr ? text : "unknown error") + " (" +
                          std::to_string(status) + ").",
                      "look at the GPU with nvidia-smi; run with CUDA_LAUNCH_BLOCKING=1 to find the kernel.");
}

/// The whole text: types and constants first.
inline std::string text_of(const KernelSource& source) {
    std::string text =
        "typedef long long i64;\nstruct bf16 { unsigned short bits; };\nstruct f16 { unsigned short bits; };\ntypedef ";
    text += source.type == at::kHalf ? "f16" : source.type == at::kBFloat16 ? "bf16" : "float";
    text += " T;\n";
    for (const auto& [name, value] : source.values)
        text += "constexpr int " + std::string(name) + " = " + std::to_string(value) + ";\n";
    return text.append(source.text);
}

/// The machine code of `source` for compute capability `capability` (90 for 9.0), or PTX where NVRTC is older than the
/// GPU.
inline std::string compile(const KernelSource& source, int capability) {
    const auto& d = Driver::get();
    int count = 0;
    d.architecture_count(&count);
    std::vector<int> known(static_cast<std::size_t>(count));
    if (count > 0) d.architectures(known.data());
    int best = 0;
    for (const int a : known)
        if (a <= capability && a > best) best = a;
    const bool exact = best == capability || best == 0;
    std::vector<std::string> options{
        "--gpu-architecture=" + std::string(exact ? "sm_" : "compute_") + std::to_string(exact ? capability : best),
        "--std=c++17"};
    std::vector<const char*> words;
    for (const auto& o : options) words.push_back(o.c_str());
    const std::string text = text_of(source), name(source.name);
    void* program = nullptr;
    auto status = d.create_program(&program, text.c_str(), (name + ".cu").c_str(), 0, nullptr, nullptr);
    if (status == 0) status = d.compile_program(program, static_cast<int>(words.size()), words.data());
    std::string code;
    std::size_t size = 0;
    const auto fetch = [&](auto get_size, auto get) {
        get_size(program, &size);
        code.resize(size);
        if (size > 0) get(program, code.data());
    };
    if (status == 0)
        exact ? fetch(d.cubin_size, d.cubin) : fetch(d.ptx_size, d.ptx);
    else if (program != nullptr)
        fetch(d.log_size, d.log);
    if (program != nullptr) d.destroy_program(&program);
    if (status != 0) {
        throw KernelUnavailable("NVRTC cannot compile kernel '" + name + "' for compute capability " +
                                    std::to_string(capability) + ": " + code,
                                "please report this; LibTorch's kernels serve until then.");
    }
    return code;
}

inline Function build(const KernelSource& source, c10::DeviceIndex device) {
    const auto& d = Driver::get();
    int major = 0, minor = 0;
    check(d.device_attribute(&major, 75, device), "reading the compute capability");
    check(d.device_attribute(&minor, 76, device), "reading the compute capability");
    const std::string code = compile(source, 10 * major + minor);
    Function f;
    f.overlaps = major >= 9;
    check(d.retain_primary_context(&f.context, device), "opening the GPU");
    void *previous = nullptr, *module = nullptr;
    check(d.push_context(f.context), "choosing the GPU");
    auto status = d.load_module(&module, code.data());
    if (status == 0) status = d.function_of(&f.handle, module, std::string(source.name).c_str());
    d.pop_context(&previous);
    if (status != 0) {  // PTX that is newer than the driver, ...
        throw KernelUnavailable("Kernel '" + std::string(source.name) + "' cannot be loaded on this GPU (CUDA error " +
                                    std::to_string(status) + ").",
                                "install a newer NVIDIA driver; LibTorch's kernels serve until then.");
    }
    return f;
}

}  // namespace detail

/// The kernel that `make()` describes, compiled at the first call with this `key` on this GPU. `key` tells apart all
/// variants of the kernels of one `Family`. KernelUnavailable where it cannot be made: then no own kernel is used any
/// more, so that a second try of the op finds LibTorch's.
template <class Family, class Make>
const Function& function(c10::DeviceIndex device, std::uint64_t key, Make make) {
    static std::mutex mutex;
    static std::map<std::pair<c10::DeviceIndex, std::uint64_t>, Function> known;
    const std::lock_guard guard(mutex);
    const auto at = std::pair{device, key};
    if (const auto found = known.find(at); found != known.end()) return found->second;
    try {
        return known.emplace(at, detail::build(make(), device)).first->second;
    } catch (const KernelUnavailable&) {
        own_kernels = false;
        throw;
    }
}

/// How many multiprocessors a GPU has.
inline int multiprocessors(c10::DeviceIndex device) {
    int count = 0;
    detail::check(Driver::get().device_attribute(&count, 16, device), "counting the multiprocessors");
    return count;
}

/// The address of a tensor's values, null for an absent one, as kernels take it.
inline void* address(const Tensor& t) { return t.defined() ? t.data_ptr() : nullptr; }

/// Whether kernels can load 16 bytes at once from the start of `t`.
inline bool aligned(const Tensor& t) { return reinterpret_cast<std::uintptr_t>(t.data_ptr()) % 16 == 0; }

/// The types that own kernels are compiled for.
inline bool takes_type(at::ScalarType type) { return type == at::kFloat || type == at::kHalf || type == at::kBFloat16; }

/// Launches a kernel on the current stream of `device`. The types of `args` are exactly those of its parameters.
template <class... Args>
void launch(const Function& f, const Shape& shape, c10::Device device, Args... args) {
    const auto& d = Driver::get();
    const c10::impl::VirtualGuardImpl guard(c10::DeviceType::CUDA);
    LaunchAttribute overlap;
    overlap.id = 6;  // CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION
    overlap.value[0] = 1;
    LaunchConfig config;
    config.grid = shape.grid;
    config.block = {shape.threads, 1, 1};
    config.stream = guard.getStreamNativeHandle(guard.getStream(device));
    config.attributes = &overlap;
    config.count = f.overlaps ? 1 : 0;
    std::array<void*, sizeof...(Args)> parameters{static_cast<void*>(&args)...};
    void* context = nullptr;
    detail::check(d.current_context(&context), "asking for the current GPU");
    const bool other = context != f.context;
    if (other) detail::check(d.push_context(f.context), "choosing the GPU");
    const auto status = d.launch(&config, f.handle, parameters.data(), nullptr);
    if (other) d.pop_context(&context);
    detail::check(status, "launching a kernel");
}

}  // namespace silica::device::cuda
#endif  // SILICA_SINGLE_DEVICE_CUDA_NVRTC_HPP
// ---- silica/device/cuda/source.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_SOURCE_HPP
#define SILICA_SINGLE_DEVICE_CUDA_SOURCE_HPP
/// What the texts of all own CUDA kernels begin with: types, 16-byte loads, activations, sums over a warp.

#include <string_view>

namespace silica::device::cuda {

/// `T` is float, f16 or bf16; arithmetic is float32. A kernel calls `wait_for_previous` before it touches what an
/// earlier kernel wrote: it may have been started before that one's end. Such
/// data is not __restrict__, or it would be loaded as read-only, past what the wait makes visible.
inline constexpr std::string_view prelude = R"cuda(
__device__ __forceinline__ float to_float(float x) { return x; }
__device__ __forceinline__ float to_float(bf16 x) { return __uint_as_float((unsigned)x.bits << 16); }
__device__ __forceinline__ float to_float(f16 x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}
template <class To> __device__ __forceinline__ To from_float(float x);
template <> __device__ __forceinline__ float from_float<float>(float x) { return x; }
template <> __device__ __forceinline__ f16 from_float<f16>(float x) {
    f16 y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
    return y;
}
template <> __device__ __forceinline__ bf16 from_float<bf16>(float x) {
    bf16 y;
#if __CUDA_ARCH__ >= 800
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y.bits) : "f"(x));
#else
    const unsigned u = __float_as_uint(x);
    y.bits = x != x ? 0x7fc0 : (unsigned short)((u + 0x7fff + ((u >> 16) & 1)) >> 16);
#endif
    return y;
}

constexpr int VEC = 16 / (int)sizeof(T);  // values in one load

__device__ __forceinline__ void unpack(const uint4& v, float (&to)[VEC], const float*) {
    to[0] = __uint_as_float(v.x); to[1] = __uint_as_float(v.y);
    to[2] = __uint_as_float(v.z); to[3] = __uint_as_float(v.w);
}
__device__ __forceinline__ float low(unsigned w, const bf16*) { return __uint_as_float(w << 16); }
__device__ __forceinline__ float high(unsigned w, const bf16*) { return __uint_as_float(w & 0xffff0000u); }
__device__ __forceinline__ float low(unsigned w, const f16*) { return to_float(f16{(unsigned short)w}); }
__device__ __forceinline__ float high(unsigned w, const f16*) { return to_float(f16{(unsigned short)(w >> 16)}); }
template <class H>
__device__ __forceinline__ void unpack(const uint4& v, float (&to)[VEC], const H* h) {
    to[0] = low(v.x, h); to[1] = high(v.x, h); to[2] = low(v.y, h); to[3] = high(v.y, h);
    to[VEC - 4] = low(v.z, h); to[VEC - 3] = high(v.z, h); to[VEC - 2] = low(v.w, h); to[VEC - 1] = high(v.w, h);
}
__device__ __forceinline__ void unpack(const uint4& v, float (&to)[VEC]) { unpack(v, to, (const T*)0); }

// Read once: past the first cache. Not as read-only data (.nc): the compiler moves such loads behind a wait.
__device__ __forceinline__ uint4 stream(const uint4* p) {
    uint4 v;
#if __CUDA_ARCH__ >= 800
    asm volatile("ld.global.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(p));
#else
    v = __ldcs(p);
#endif
    return v;
}

__device__ __forceinline__ void wait_for_previous() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
__device__ __forceinline__ void let_next_start() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

__device__ __forceinline__ float warp_sum(float x) {
    for (int d = 16; d > 0; d >>= 1) x += __shfl_xor_sync(0xffffffffu, x, d);
    return x;
}

// The order of silica::Activation.
template <int WHICH>
__device__ __forceinline__ float activate(float x) {
    const float gelu = WHICH == 1 || WHICH == 3 ? 0.5f * x * (1 + erff(x * 0.70710678118654752f)) : 0;
    switch (WHICH) {
        case 1: return gelu;
        case 2: return 0.5f * x * (1 + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
        case 3: return fminf(fmaxf(gelu, -10), 10);
        case 4: return x / (1 + expf(-1.702f * x));
        case 5: return x > 0 || x != x ? x : 0;
        case 6: return x > 0 || x != x ? x * x : 0;
        case 7: return x != x ? x : fminf(fmaxf(x, 0), 6);
        case 8: return x > 0 ? x : 0.01f * x;
        case 9: return x / (1 + expf(-x));
        case 10: return 1 / (1 + expf(-x));
        case 11: return tanhf(x);
        case 12: return x * tanhf(x > 20 ? x : log1pf(expf(x)));
        case 13: return 0.5f * (1 + erff((x - 0.707107f) / (0.282095f * 1.4142135623730951f)));
        default: return x;
    }
}
)cuda";

}  // namespace silica::device::cuda
#endif  // SILICA_SINGLE_DEVICE_CUDA_SOURCE_HPP

namespace silica {
namespace device::cuda::detail {

inline constexpr std::string_view argmax_text = R"cuda(
// NaN is larger than everything, as in ATen; among equals the first wins.
__device__ __forceinline__ bool before(float a, i64 i, float b, i64 j) {
    const bool an = a != a, bn = b != b;
    if (an || bn) return an && (!bn || i < j);
    return a > b || (a == b && i < j);
}

__device__ __forceinline__ void best_of_warp(float& best, i64& at) {
    for (int d = 16; d > 0; d >>= 1) {
        const float v = __shfl_down_sync(0xffffffffu, best, d);
        const i64 i = __shfl_down_sync(0xffffffffu, at, d);
        if (before(v, i, best, at)) best = v, at = i;
    }
}

struct Found { i64 at; float value; };

// Block x of a row looks at `share` of its n values.
extern "C" __global__ void __launch_bounds__(512)
argmax(const T* x, i64* y, Found* found, i64 n, i64 share) {
    __shared__ Found warps[16];
    let_next_start();
    wait_for_previous();
    const T* row = x + blockIdx.y * n;
    const i64 begin = blockIdx.x * share, end = begin + share < n ? begin + share : n;
    float best = -__int_as_float(0x7f800000);
    i64 at = n;
    if (WIDE) {
        constexpr int DEPTH = 4;
        for (i64 c = begin / VEC + threadIdx.x; c < end / VEC; c += 512 * DEPTH) {
            uint4 loaded[DEPTH];
            #pragma unroll
            for (int d = 0; d < DEPTH; ++d)
                if (c + d * 512 < end / VEC) loaded[d] = ((const uint4*)row)[c + d * 512];
            #pragma unroll
            for (int d = 0; d < DEPTH; ++d) {
                if (c + d * 512 >= end / VEC) break;
                float v[VEC];
                unpack(loaded[d], v);
                for (int j = 0; j < VEC; ++j) {
                    const i64 i = (c + d * 512) * VEC + j;
                    if (before(v[j], i, best, at)) best = v[j], at = i;
                }
            }
        }
    } else {
        for (i64 i = begin + threadIdx.x; i < end; i += 512) {
            const float v = to_float(row[i]);
            if (before(v, i, best, at)) best = v, at = i;
        }
    }
    best_of_warp(best, at);
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = Found{at, best};
    __syncthreads();
    if (threadIdx.x >= 32) return;
    best = warps[threadIdx.x % 16].value;
    at = warps[threadIdx.x % 16].at;
    best_of_warp(best, at);
    if (threadIdx.x != 0) return;
    if (gridDim.x == 1) y[blockIdx.y] = at;
    else found[blockIdx.y * gridDim.x + blockIdx.x] = Found{at, best};
}

extern "C" __global__ void __launch_bounds__(32)
join_argmax(const Found* found, i64* y, int parts) {
    let_next_start();
    wait_for_previous();
    float best = -__int_as_float(0x7f800000);
    i64 at = 1ll << 62;
    for (int i = threadIdx.x; i < parts; i += 32) {
        const Found f = found[blockIdx.x * parts + i];
        if (before(f.value, f.at, best, at)) best = f.value, at = f.at;
    }
    best_of_warp(best, at);
    if (threadIdx.x == 0) y[blockIdx.x] = at;
}
)cuda";

struct Argmax;

}  // namespace device::cuda::detail

template <>
struct Kernel<op::Argmax, device::Cuda> {
    static Tensor run(const Tensor& x) {
        namespace cuda = device::cuda;
        const auto type = x.scalar_type();
        if (!cuda::has_nvrtc() || !cuda::takes_type(type) || x.numel() == 0 || x.dim() != 2 || x.size(0) > 64) {
            return device::aten::Argmax::run(x);
        }
        const auto rows = x.size(0), n = x.size(1);
        const Tensor in = x.contiguous(), y = at::empty({rows}, x.options().dtype(at::kLong));
        const bool wide = n * static_cast<std::int64_t>(x.element_size()) % 16 == 0 && cuda::aligned(in);
        const std::int64_t share = n <= 8192 ? (n + 7) / 8 * 8 : 4096, parts = (n + share - 1) / share;
        Tensor found;  // of each part, a place and a value
        if (parts > 1) found = at::empty({rows, parts, 2}, y.options());
        static const std::string text = std::string(cuda::prelude) + std::string(cuda::detail::argmax_text);
        const std::uint64_t key = static_cast<std::uint64_t>(type) | (wide ? 256u : 0u);
        const auto source = [&](std::string_view name) {
            return cuda::KernelSource{name, text, {{"WIDE", wide}}, type};
        };
        const auto device = x.device();
        const auto& f = cuda::function<cuda::detail::Argmax>(device.index(), key, [&] { return source("argmax"); });
        cuda::launch(f, {{static_cast<unsigned>(parts), static_cast<unsigned>(rows), 1}, 512}, device,
                     cuda::address(in), cuda::address(y), cuda::address(found), static_cast<long long>(n),
                     static_cast<long long>(share));
        if (parts > 1) {
            const auto& joined =
                cuda::function<cuda::detail::Argmax>(device.index(), key | 512u, [&] { return source("join_argmax"); });
            cuda::launch(joined, {{static_cast<unsigned>(rows), 1, 1}, 32}, device, cuda::address(found),
                         cuda::address(y), static_cast<int>(parts));
        }
        return y;
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_ARGMAX_HPP
// ---- silica/device/cuda/attention.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_ATTENTION_HPP
#define SILICA_SINGLE_DEVICE_CUDA_ATTENTION_HPP
/// Attention on CUDA: ATen's, with zeros where nothing is attended to.

// ---- silica/device/cuda/attend.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_ATTEND_HPP
#define SILICA_SINGLE_DEVICE_CUDA_ATTEND_HPP
/// ATen's attention, which picks flash, memory-efficient or cuDNN attention, with zeros where nothing is attended to.

#include <ATen/ops/any.h>

#include <limits>

namespace silica::device::cuda {

/// Which queries of a mask for ATen attend to something, (.., queries, 1) bool.
inline Tensor attends_to_some(const Tensor& mask) {
    const Tensor attends = mask.scalar_type() == at::kBool ? mask : mask > -std::numeric_limits<double>::infinity();
    return at::any(attends, -1, /*keepdim=*/true);
}

/// Attention with a mask for ATen. In half precision with a mask LibTorch picks cuDNN's attention, which gives a query
/// without any key some values; on every other device and in float32 it gets zeros. Here too (seen with LibTorch 2.11
/// on an H100).
inline Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const std::optional<Tensor>& mask,
                     double scale) {
    const Tensor y = aten::Attention::run(q, k, v, mask, false, scale);
    if (!mask || q.scalar_type() == at::kFloat) return y;
    return at::where(attends_to_some(*mask), y, 0);
}

/// op::Attention.
inline Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const op::Attends& attends, double scale) {
    // Only a mask, a bias or lengths can leave a query without any key.
    if (!attends.mask && !attends.bias && !attends.lengths) return aten::Attention::run(q, k, v, attends, scale);
    return attend(q, k, v, aten::Attention::mask_of(attends, q, k), scale);
}

}  // namespace silica::device::cuda
#endif  // SILICA_SINGLE_DEVICE_CUDA_ATTEND_HPP

namespace silica {

template <>
struct Kernel<op::Attention, device::Cuda> {
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, const op::Attends& attends, double scale) {
        return device::cuda::attend(q, k, v, attends, scale);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_ATTENTION_HPP
// ---- silica/device/cuda/average_pool.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_AVERAGE_POOL_HPP
#define SILICA_SINGLE_DEVICE_CUDA_AVERAGE_POOL_HPP
/// Global average pooling on CUDA: ATen's.

namespace silica {

template <>
struct Kernel<op::AveragePool, device::Cuda> : device::aten::AveragePool {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_AVERAGE_POOL_HPP
// ---- silica/device/cuda/clamp.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_CLAMP_HPP
#define SILICA_SINGLE_DEVICE_CUDA_CLAMP_HPP
/// Clamp on CUDA: ATen's.

namespace silica {

template <>
struct Kernel<op::Clamp, device::Cuda> : device::aten::Clamp {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_CLAMP_HPP
// ---- silica/device/cuda/conv.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_CONV_HPP
#define SILICA_SINGLE_DEVICE_CUDA_CONV_HPP
/// Convolutions on CUDA: cuDNN's.

// ---- silica/device/cuda/convolve.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_CONVOLVE_HPP
#define SILICA_SINGLE_DEVICE_CUDA_CONVOLVE_HPP
/// cuDNN's convolution through ATen: what the kernels of conv and its fused forms share.

#include <ATen/Context.h>
#include <ATen/ops/_convolution.h>

namespace silica::device::cuda {

/// op::Conv, without TF32, which LibTorch has cuDNN use for float32 unless it is told otherwise: eleven bits of 24.
inline Tensor convolve(const Tensor& x, const op::PlainConv& w) {
    const auto& s = w.steps;
    const auto& set = at::globalContext();
    return at::_convolution(x, w.weight, w.bias, s.stride, s.padding, s.dilation, false, aten::no_output_padding(s),
                            s.groups, set.benchmarkCuDNN(), set.deterministicCuDNN() || set.deterministicAlgorithms(),
                            set.userEnabledCuDNN(), false);
}

}  // namespace silica::device::cuda
#endif  // SILICA_SINGLE_DEVICE_CUDA_CONVOLVE_HPP

namespace silica {

template <>
struct Kernel<op::Conv, device::Cuda> {
    using Packed = op::PlainConv;
    static Packed pack(op::Conv::Source s) { return s; }
    static Tensor run(const Tensor& x, const Packed& w) { return device::cuda::convolve(x, w); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_CONV_HPP
// ---- silica/device/cuda/conv_activation.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_CONV_ACTIVATION_HPP
#define SILICA_SINGLE_DEVICE_CUDA_CONV_ACTIVATION_HPP
/// Convolution and activation on CUDA: the activation in place.

namespace silica {

template <>
struct Kernel<op::ConvActivation, device::Cuda> {
    static Tensor run(const Tensor& x, const op::PlainConv& w, Activation act) {
        return device::aten::activated(device::cuda::convolve(x, w), act);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_CONV_ACTIVATION_HPP
// ---- silica/device/cuda/conv_add.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_CONV_ADD_HPP
#define SILICA_SINGLE_DEVICE_CUDA_CONV_ADD_HPP
/// Convolution, residual sum and activation on CUDA: sum and activation in place.

namespace silica {

template <>
struct Kernel<op::ConvAdd, device::Cuda> {
    static Tensor run(const Tensor& x, const op::PlainConv& w, const Tensor& residual, Activation act) {
        Tensor y = device::cuda::convolve(x, w);
        return device::aten::activated(y.add_(residual), act);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_CONV_ADD_HPP
// ---- silica/device/cuda/decode_attention.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_DECODE_ATTENTION_HPP
#define SILICA_SINGLE_DEVICE_CUDA_DECODE_ATTENTION_HPP
/// Attention of one new token on CUDA: reads the filled slots only, which are split over a grid of fixed size, so that
/// a captured step serves every length (Dao et al. 2023, "Flash-Decoding for long-context inference").

// ---- silica/device/cuda/decode_attention_text.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_DECODE_ATTENTION_TEXT_HPP
#define SILICA_SINGLE_DEVICE_CUDA_DECODE_ATTENTION_TEXT_HPP
/// The text of the kernels of decode_attention.hpp.

#include <string_view>

namespace silica::device::cuda::detail {

struct DecodeAttention;

/// A key lies on LANES neighbouring lanes of a warp, PER_LANE values on each; a warp scores 32 / LANES keys at a time.
/// Each keeps a running maximum and sum (Milakov and Gimelshein 2018), which are joined at the end. Scores are in
/// powers of two.
inline constexpr std::string_view decode_attention_text = R"cuda(
constexpr int WARPS = 8, DEPTH = HEADS > 1 ? 2 : 4;
constexpr int AT_ONCE = 32 / LANES * WARPS;       // keys that a block scores at a time
constexpr int LOADS = PER_LANE / VEC > 0 ? PER_LANE / VEC : 1;
constexpr float NONE = -1e30f;                    // stands for minus infinity: differences stay numbers
constexpr float LOG2E = 1.4426950408889634f;

extern "C" __global__ void __launch_bounds__(256)
decode_attention(const T* q, const T* keys, const T* values,
                 const i64* filled, const void* mask, T* out,
                 float* parts, int heads, int group, float scale, i64 key_batch, i64 key_head,
                 i64 key_slot, i64 value_batch, i64 value_head, i64 value_slot, i64 mask_batch, i64 mask_head,
                 i64 mask_slot) {
    let_next_start();
    wait_for_previous();
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, place = lane % LANES;
    const int head = blockIdx.x * HEADS % heads, b = blockIdx.x * HEADS / heads;  // the first of HEADS heads
    const bool whole = place * PER_LANE < D;      // lanes beyond the end of a key have nothing
    const int at = whole ? place * PER_LANE : 0;
    const i64 count = *filled, chunk = (count + gridDim.y - 1) / gridDim.y;
    const i64 begin = blockIdx.y * chunk, end = begin + chunk < count ? begin + chunk : count;
    const T* key = keys + b * key_batch + head / group * key_head + at;
    const T* value = values + b * value_batch + head / group * value_head + at;

    float query[HEADS][PER_LANE], sum[HEADS][PER_LANE] = {}, top[HEADS], total[HEADS] = {};
    #pragma unroll
    for (int h = 0; h < HEADS; ++h) {
        top[h] = NONE;
        #pragma unroll
        for (int i = 0; i < PER_LANE; ++i)
            query[h][i] = whole ? to_float(q[((i64)b * heads + head + h) * D + at + i]) * (scale * LOG2E) : 0;
    }

    for (i64 s = begin + warp * (32 / LANES) + lane / LANES; s - lane / LANES < end; s += AT_ONCE * DEPTH) {
        uint4 k[DEPTH][LOADS], v[DEPTH][LOADS];
        #pragma unroll
        for (int n = 0; n < DEPTH; ++n)
            #pragma unroll
            for (int l = 0; l < LOADS; ++l) {
                const i64 slot = s + n * AT_ONCE;
                if (slot < end) {
                    k[n][l] = *(const uint4*)(key + slot * key_slot + l * VEC);
                    v[n][l] = *(const uint4*)(value + slot * value_slot + l * VEC);
                }
            }
        float score[DEPTH][HEADS];
        #pragma unroll
        for (int n = 0; n < DEPTH; ++n) {
            const i64 slot = s + n * AT_ONCE;
            float dot[HEADS] = {};
            if (slot < end) {
                #pragma unroll
                for (int l = 0; l < LOADS; ++l) {
                    float x[VEC];
                    unpack(k[n][l], x);
                    #pragma unroll
                    for (int h = 0; h < HEADS; ++h)
                        #pragma unroll
                        for (int i = 0; i < VEC; ++i) dot[h] += query[h][l * VEC + i] * x[i];
                }
            }
            #pragma unroll
            for (int h = 0; h < HEADS; ++h) {
                #pragma unroll
                for (int step = LANES / 2; step > 0; step >>= 1)
                    dot[h] += __shfl_xor_sync(0xffffffffu, dot[h], step);
                bool kept = slot < end;
                if (MASK != 0 && kept) {
                    const i64 m = b * mask_batch + (head + h) * mask_head + slot * mask_slot;
                    if (MASK == 1) kept = ((const unsigned char*)mask)[m] != 0;
                    if (MASK > 1) {
                        const float add = MASK == 2 ? to_float(((const T*)mask)[m]) : ((const float*)mask)[m];
                        kept = add != -__int_as_float(0x7f800000);
                        dot[h] += add < 0.1f * NONE ? 0.1f * NONE : add * LOG2E;
                    }
                }
                score[n][h] = kept ? fmaxf(dot[h], 0.5f * NONE) + 0 * dot[h] : NONE;
            }
        }
        #pragma unroll
        for (int h = 0; h < HEADS; ++h) {
            float best = top[h];
            #pragma unroll
            for (int n = 0; n < DEPTH; ++n) best = fmaxf(best, score[n][h]);
            const float shrink = exp2f(top[h] - best);
            top[h] = best;
            total[h] *= shrink;
            #pragma unroll
            for (int i = 0; i < PER_LANE; ++i) sum[h][i] *= shrink;
            #pragma unroll
            for (int n = 0; n < DEPTH; ++n) {
                score[n][h] = score[n][h] == NONE ? 0 : exp2f(score[n][h] - best);
                total[h] += score[n][h];
            }
        }
        #pragma unroll
        for (int n = 0; n < DEPTH; ++n) {
            if (s + n * AT_ONCE >= end) break;
            #pragma unroll
            for (int l = 0; l < LOADS; ++l) {
                float x[VEC];
                unpack(v[n][l], x);
                #pragma unroll
                for (int h = 0; h < HEADS; ++h)
                    #pragma unroll
                    for (int i = 0; i < VEC; ++i) sum[h][l * VEC + i] += score[n][h] * x[i];
            }
        }
    }

    __shared__ float all_sums[WARPS][D], all_tops[WARPS], all_totals[WARPS];
    #pragma unroll
    for (int h = 0; h < HEADS; ++h) {
        #pragma unroll
        for (int step = LANES; step < 32; step <<= 1) {  // the keys of a warp
            const float other = __shfl_xor_sync(0xffffffffu, top[h], step), best = fmaxf(top[h], other);
            const float mine = exp2f(top[h] - best), theirs = exp2f(other - best);
            total[h] = total[h] * mine + __shfl_xor_sync(0xffffffffu, total[h], step) * theirs;
            #pragma unroll
            for (int i = 0; i < PER_LANE; ++i)
                sum[h][i] = sum[h][i] * mine + __shfl_xor_sync(0xffffffffu, sum[h][i], step) * theirs;
            top[h] = best;
        }
        if (h > 0) __syncthreads();
        if (lane < LANES && whole)
            #pragma unroll
            for (int i = 0; i < PER_LANE; ++i) if (at + i < D) all_sums[warp][at + i] = sum[h][i];
        if (lane == 0) all_tops[warp] = top[h], all_totals[warp] = total[h];
        __syncthreads();
        float best = NONE, joined = 0;  // the warps of a block
        for (int w = 0; w < WARPS; ++w) best = fmaxf(best, all_tops[w]);
        for (int w = 0; w < WARPS; ++w) joined += all_totals[w] * exp2f(all_tops[w] - best);
        const i64 row = (i64)b * heads + head + h;
        for (int i = threadIdx.x; i < D; i += WARPS * 32) {
            float x = 0;
            for (int w = 0; w < WARPS; ++w) x += all_sums[w][i] * exp2f(all_tops[w] - best);
            if (PARTS)
                parts[(row * gridDim.y + blockIdx.y) * (D + 2) + i] = x;
            else
                out[row * D + i] = from_float<T>(joined == 0 ? 0 : x / joined);
        }
        if (PARTS && threadIdx.x == 0) {
            parts[(row * gridDim.y + blockIdx.y) * (D + 2) + D] = best;
            parts[(row * gridDim.y + blockIdx.y) * (D + 2) + D + 1] = joined;
        }
    }
}

extern "C" __global__ void __launch_bounds__(128) join_parts(const float* parts, T* out, int split) {
    __shared__ float tops[64], totals[64], weights[64];  // of at most 64 parts
    let_next_start();
    wait_for_previous();
    const float* part = parts + (i64)blockIdx.x * split * (D + 2);
    float total = 0;
    if (threadIdx.x < split) {
        tops[threadIdx.x] = part[threadIdx.x * (D + 2) + D];
        total = part[threadIdx.x * (D + 2) + D + 1];
    }
    __syncthreads();
    float best = NONE, joined = 0;
    for (int s = 0; s < split; ++s) best = fmaxf(best, tops[s]);
    if (threadIdx.x < split) {
        const float weight = exp2f(tops[threadIdx.x] - best);
        weights[threadIdx.x] = weight;
        totals[threadIdx.x] = total * weight;
    }
    __syncthreads();
    for (int s = 0; s < split; ++s) joined += totals[s];
    for (int i = threadIdx.x; i < D; i += 128) {
        float x = 0;
        #pragma unroll 8
        for (int s = 0; s < split; ++s) x += part[s * (D + 2) + i] * weights[s];
        out[(i64)blockIdx.x * D + i] = from_float<T>(joined == 0 ? 0 : x / joined);
    }
}
)cuda";

}  // namespace silica::device::cuda::detail
#endif  // SILICA_SINGLE_DEVICE_CUDA_DECODE_ATTENTION_TEXT_HPP

#include <algorithm>

namespace silica {

template <>
struct Kernel<op::DecodeAttention, device::Cuda> {
    static Tensor run(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                      const std::optional<Tensor>& mask, double scale) {
        namespace cuda = device::cuda;
        if (!takes(q, keys, values, mask)) {
            return cuda::attend(q, keys, values,
                                std::optional(device::aten::DecodeAttention::mask_of(keys, filled, mask)), scale);
        }
        const auto batch = q.size(0), heads = q.size(1), d = q.size(3), kv_heads = keys.size(1);
        const auto capacity = keys.size(2), group = heads / kv_heads;
        const auto type = q.scalar_type();
        // Heads that share keys read them together where the cache is long; a block has at least 512 slots.
        const std::int64_t together = capacity <= 4096 ? 1 : group % 4 == 0 ? 4 : group % 2 == 0 ? 2 : 1;
        const auto blocks = batch * heads / together;
        const auto split = std::clamp<std::int64_t>(
            std::min((capacity + 511) / 512, 2 * cuda::multiprocessors(q.device().index()) / blocks), 1, 64);

        const Tensor in = q.contiguous(), out = at::empty(q.sizes(), q.options());
        Tensor parts;
        if (split > 1) parts = at::empty({batch * heads, split, d + 2}, q.options().dtype(at::kFloat));
        const int masked = !mask ? 0 : mask->scalar_type() == at::kBool ? 1 : mask->scalar_type() == type ? 2 : 3;
        const Tensor m = mask ? mask->expand({batch, heads, 1, capacity}) : Tensor();
        const auto stride = [&](std::int64_t dim) { return static_cast<long long>(mask ? m.stride(dim) : 0); };
        const std::int64_t per_lane = values_per_lane(q);
        std::int64_t lanes = 1;
        while (lanes * per_lane < d) lanes *= 2;

        const std::uint64_t key = static_cast<std::uint64_t>(type) | static_cast<std::uint64_t>(d) << 8 |
                                  static_cast<std::uint64_t>(together) << 24 |
                                  static_cast<std::uint64_t>(masked) << 28 | (split > 1 ? std::uint64_t{1} << 32 : 0);
        static const std::string text = std::string(cuda::prelude) + std::string(cuda::detail::decode_attention_text);
        const auto source = [&](std::string_view name) {
            return cuda::KernelSource{name,
                                      text,
                                      {{"D", d},
                                       {"PER_LANE", per_lane},
                                       {"LANES", lanes},
                                       {"HEADS", together},
                                       {"MASK", masked},
                                       {"PARTS", split > 1}},
                                      type};
        };
        const auto device = q.device();
        const auto& f = cuda::function<cuda::detail::DecodeAttention>(device.index(), key,
                                                                      [&] { return source("decode_attention"); });
        using Long = long long;
        cuda::launch(f, {{static_cast<unsigned>(blocks), static_cast<unsigned>(split), 1}, 256}, device,
                     cuda::address(in), cuda::address(keys), cuda::address(values), cuda::address(filled),
                     cuda::address(m), cuda::address(out), cuda::address(parts), static_cast<int>(heads),
                     static_cast<int>(group), static_cast<float>(scale), Long{keys.stride(0)}, Long{keys.stride(1)},
                     Long{keys.stride(2)}, Long{values.stride(0)}, Long{values.stride(1)}, Long{values.stride(2)},
                     stride(0), stride(1), stride(3));
        if (split > 1) {
            const auto& joined = cuda::function<cuda::detail::DecodeAttention>(
                device.index(), key | std::uint64_t{1} << 33, [&] { return source("join_parts"); });
            cuda::launch(joined, {{static_cast<unsigned>(batch * heads), 1, 1}, 128}, device, cuda::address(parts),
                         cuda::address(out), static_cast<int>(split));
        }
        return out;
    }

private:
    /// Whole loads, and at most 32 lanes for a head.
    static std::int64_t values_per_lane(const Tensor& q) {
        const auto load = 16 / static_cast<std::int64_t>(q.element_size());
        return ((q.size(3) + 31) / 32 + load - 1) / load * load;
    }

    static bool takes(const Tensor& q, const Tensor& keys, const Tensor& values, const std::optional<Tensor>& mask) {
        namespace cuda = device::cuda;
        const auto whole = [&](const Tensor& t) {  // 16-byte loads of every slot
            const auto n = 16 / static_cast<std::int64_t>(t.element_size());
            return t.stride(3) == 1 && t.stride(0) % n == 0 && t.stride(1) % n == 0 && t.stride(2) % n == 0 &&
                   cuda::aligned(t);
        };
        const auto type = q.scalar_type();
        const auto d = q.size(3);
        return cuda::has_nvrtc() && cuda::takes_type(type) && keys.scalar_type() == type &&
               values.scalar_type() == type && d > 0 && d <= 256 && d % values_per_lane(q) == 0 && q.numel() > 0 &&
               keys.size(2) > 0 && whole(keys) && whole(values) &&
               (!mask || mask->scalar_type() == at::kBool || mask->scalar_type() == type ||
                mask->scalar_type() == at::kFloat);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_DECODE_ATTENTION_HPP
// ---- silica/device/cuda/embedding.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_EMBEDDING_HPP
#define SILICA_SINGLE_DEVICE_CUDA_EMBEDDING_HPP
/// Embedding on CUDA: ATen's.

namespace silica {

template <>
struct Kernel<op::Embedding, device::Cuda> : device::aten::Embedding {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_EMBEDDING_HPP
// ---- silica/device/cuda/gated.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_GATED_HPP
#define SILICA_SINGLE_DEVICE_CUDA_GATED_HPP
/// act(g) * u on CUDA: an own kernel.

// ---- silica/device/cuda/gate.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_GATE_HPP
#define SILICA_SINGLE_DEVICE_CUDA_GATE_HPP
/// act(g) * u in one pass.

#include <algorithm>

namespace silica::device::cuda {
namespace detail {

inline constexpr std::string_view gated_text = R"cuda(
extern "C" __global__ void __launch_bounds__(256) gated(const T* x, T* y, i64 rows, i64 n) {
    let_next_start();
    wait_for_previous();
    const i64 step = (i64)gridDim.x * blockDim.x;
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < rows * n; i += step) {
        const T* g = x + i / n * 2 * n + i % n;
        y[i] = from_float<T>(activate<ACT>(to_float(g[0])) * to_float(g[n]));
    }
}
)cuda";

struct Gated;

}  // namespace detail

/// op::Gated.
inline Tensor gated(const Tensor& x, Activation act) {
    const auto n = x.size(-1) / 2;
    const auto type = x.scalar_type();
    if (!has_nvrtc() || x.numel() == 0 || !takes_type(type)) {
        return aten::Activate::run(x.narrow(-1, 0, n), act) * x.narrow(-1, n, n);
    }
    auto sizes = x.sizes().vec();
    sizes.back() = n;
    const Tensor y = at::empty(sizes, x.options()), in = x.contiguous();
    static const std::string text = std::string(prelude) + std::string(detail::gated_text);
    const auto& f = function<detail::Gated>(
        x.device().index(), static_cast<std::uint64_t>(type) | static_cast<std::uint64_t>(act) << 8,
        [&] { return KernelSource{"gated", text, {{"ACT", static_cast<std::int64_t>(act)}}, type}; });
    const auto blocks = std::min<std::int64_t>((y.numel() + 255) / 256, 4096);
    launch(f, {{static_cast<unsigned>(blocks), 1, 1}, 256}, x.device(), address(in), address(y),
           static_cast<long long>(y.numel() / n), static_cast<long long>(n));
    return y;
}

}  // namespace silica::device::cuda
#endif  // SILICA_SINGLE_DEVICE_CUDA_GATE_HPP

namespace silica {

template <>
struct Kernel<op::Gated, device::Cuda> {
    static Tensor run(const Tensor& x, Activation act) { return device::cuda::gated(x, act); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_GATED_HPP
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
// ---- silica/device/cuda/graph.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_GRAPH_HPP
#define SILICA_SINGLE_DEVICE_CUDA_GRAPH_HPP
/// CUDA graphs: work recorded once and replayed with one launch, its memory kept apart. Through LibTorch's
/// device-neutral graphs (2.13 on); in 2.11 and 2.12 through at::cuda::CUDAGraph, whose header needs the CUDA toolkit,
/// by the names that libtorch_cuda exports: its layout is that of a release, so these two were tried.

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <torch/version.h>

#if __has_include(<ATen/core/GraphImplInterface.h>)
#include <ATen/core/GraphImplInterface.h>
#elif __has_include(<dlfcn.h>)
#include <dlfcn.h>
#endif

namespace silica::device::cuda {

#if __has_include(<ATen/core/GraphImplInterface.h>)

/// A graph: `begin`, work on the current stream, `end`, then `replay` any number of times.
class Graph {
public:
    /// Whether this LibTorch can record.
    static Availability available() {
        if (at::has_graph_impl(c10::DeviceType::CUDA)) return {true};
        return {false, "this LibTorch is built without CUDA graphs"};
    }

    Graph() : impl_(at::create_graph_impl(c10::DeviceType::CUDA)) {}
    void begin() { impl_->capture_begin({0, 0}, at::GraphCaptureMode::ThreadLocal); }
    void end() { impl_->capture_end(); }
    void replay() { impl_->replay(); }

private:
    std::unique_ptr<at::GraphImplInterface> impl_;
};

#elif TORCH_VERSION_MAJOR == 2 && (TORCH_VERSION_MINOR == 11 || TORCH_VERSION_MINOR == 12) && __has_include(<dlfcn.h>)

/// A graph: `begin`, work on the current stream, `end`, then `replay` any number of times.
class Graph {
public:
    /// Whether this LibTorch can record.
    static Availability available() {
        if (symbols().usable) return {true};
        return {false, "this LibTorch is built without CUDA graphs"};
    }

    Graph() : memory_(new Storage) {
        if (const auto can = available(); !can)
            throw DeviceError("CUDA graphs cannot be recorded: " + can.reason + ".", "run steps as they are.");
        symbols().construct(memory_.get(), false);
        alive_ = true;
    }
    Graph(const Graph&) = delete;
    Graph& operator=(const Graph&) = delete;
    ~Graph() {
        if (alive_) symbols().destroy(memory_.get());
    }
    void begin() { symbols().begin(memory_.get(), {0, 0}, thread_local_mode); }
    void end() { symbols().end(memory_.get()); }
    void replay() { symbols().replay(memory_.get()); }

private:
    /// Room for an at::cuda::CUDAGraph, about 150 bytes in 2.11.
    struct alignas(64) Storage {
        std::byte bytes[4096];
    };
    static constexpr int thread_local_mode = 1;  // cudaStreamCaptureModeThreadLocal

    struct Symbols {
        void (*construct)(void*, bool);
        void (*destroy)(void*);
        void (*begin)(void*, std::pair<unsigned long long, unsigned long long>, int);
        void (*end)(void*);
        void (*replay)(void*);
        bool usable;
    };
    static const Symbols& symbols() {
        static const Symbols found = [] {
            void* torch = ::dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD);
            const auto find = [&]<class F>(F*& f, const char* name) {
                f = torch == nullptr ? nullptr : reinterpret_cast<F*>(::dlsym(torch, name));
                return f != nullptr;
            };
            Symbols s{};
            s.usable = find(s.construct, "_ZN2at4cuda9CUDAGraphC1Eb") && find(s.destroy, "_ZN2at4cuda9CUDAGraphD1Ev") &&
                       find(s.begin, "_ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode") &&
                       find(s.end, "_ZN2at4cuda9CUDAGraph11capture_endEv") &&
                       find(s.replay, "_ZN2at4cuda9CUDAGraph6replayEv");
            return s;
        }();
        return found;
    }

    std::unique_ptr<Storage> memory_;
    bool alive_ = false;
};

#else

/// Nothing to record with here.
class Graph {
public:
    static Availability available() {
        return {false, "CUDA graphs were tried with LibTorch 2.11, 2.12 and from 2.13 on, and this is " +
                           std::to_string(TORCH_VERSION_MAJOR) + "." + std::to_string(TORCH_VERSION_MINOR)};
    }
    void begin() {}
    void end() {}
    void replay() {}
};

#endif

/// Records what `f` does on `device` without doing it. `f` does not write the weights of products (they are read
/// ahead). On a throw the recording is given up.
template <class F>
void record(Graph& graph, c10::Device device, F&& f) {
    const c10::impl::VirtualGuardImpl guard(c10::DeviceType::CUDA);
    const auto before = guard.exchangeStream(guard.getStreamFromGlobalPool(device, /*isHighPriority=*/false));
    try {
        graph.begin();
        silica::recording = true;
        try {
            f();
            silica::recording = false;
        } catch (...) {
            silica::recording = false;
            try {
                graph.end();
            } catch (const std::exception&) {  // the first error says more
            }
            throw;
        }
        graph.end();
    } catch (...) {
        guard.exchangeStream(before);
        throw;
    }
    guard.exchangeStream(before);
}

}  // namespace silica::device::cuda
#endif  // SILICA_SINGLE_DEVICE_CUDA_GRAPH_HPP
// ---- silica/device/cuda/group_norm.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_GROUP_NORM_HPP
#define SILICA_SINGLE_DEVICE_CUDA_GROUP_NORM_HPP
/// Group norm on CUDA: ATen's.

namespace silica {

template <>
struct Kernel<op::GroupNorm, device::Cuda> : device::aten::GroupNorm {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_GROUP_NORM_HPP
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
/// Linear on CUDA: an own kernel for few rows, else cuBLASLt with the bias in its epilogue, through ATen.

// ---- silica/device/cuda/products.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_PRODUCTS_HPP
#define SILICA_SINGLE_DEVICE_CUDA_PRODUCTS_HPP
/// Products with weights: the own kernel for few rows, else cuBLASLt through ATen.

// ---- silica/device/cuda/gemv.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_GEMV_HPP
#define SILICA_SINGLE_DEVICE_CUDA_GEMV_HPP
/// y = x W^T for few rows of x, at the speed of reading W: one to four warps for each output, sums in float32.

#include <optional>

namespace silica::device::cuda {

/// What happens to the sums before they are stored: nothing, a residual is added, act(first half) * second half, act.
enum class Epilogue { none, add, gated, activation };

namespace detail {

inline constexpr std::string_view gemv_text = R"cuda(
constexpr int PER_BLOCK = WARPS / SPLIT;          // outputs of a block
constexpr int THREADS = WARPS * 32;
constexpr int MATS = EPILOGUE == 2 ? 2 : 1;       // rows of W for one output
constexpr int CHUNKS = K / VEC, STEP = 32 * SPLIT;
constexpr int TURNS = (CHUNKS + STEP - 1) / STEP;  // loads of a lane for a row of W
constexpr int MOST = (ROWS > 2 ? 4 : 8) / MATS, DEPTH = TURNS < MOST ? TURNS : MOST;  // in flight
constexpr bool EVEN = CHUNKS % STEP == 0;

// x in shared memory, divided by its root mean square and times `scale` where NORM.
__device__ __forceinline__ void fetch(uint4 (*xs)[CHUNKS], const uint4* x, const T* scale, double eps, int warp,
                                      int lane) {
    __shared__ float squares[WARPS][ROWS];
    for (int r = 0; r < ROWS; ++r) {
        float sum = 0;
        #pragma unroll 2
        for (int c = threadIdx.x; c < CHUNKS; c += THREADS) {
            const uint4 loaded = x[r * CHUNKS + c];
            xs[r][c] = loaded;
            if (!NORM) continue;
            float v[VEC];
            unpack(loaded, v);
            for (int i = 0; i < VEC; ++i) sum += v[i] * v[i];
        }
        if (!NORM) continue;
        sum = warp_sum(sum);
        if (lane == 0) squares[warp][r] = sum;
    }
    __syncthreads();
    if (!NORM) return;
    for (int r = 0; r < ROWS; ++r) {
        float sum = 0;
        for (int i = 0; i < WARPS; ++i) sum += squares[i][r];
        const float by = 1 / sqrtf(sum / K + (float)eps);
        #pragma unroll 2
        for (int c = threadIdx.x; c < CHUNKS; c += THREADS) {
            float v[VEC], u[VEC];
            unpack(xs[r][c], v);
            unpack(__ldg((const uint4*)scale + c), u);
            alignas(16) T rounded[VEC];
            for (int i = 0; i < VEC; ++i) rounded[i] = from_float<T>(to_float(from_float<T>(v[i] * by)) * u[i]);
            xs[r][c] = *(const uint4*)rounded;
        }
    }
    __syncthreads();
}

extern "C" __global__ void __launch_bounds__(THREADS, ROWS > 2 ? 1 : 32 / WARPS)
gemv(const T* x, const T* __restrict__ w, const T* __restrict__ bias, const T* residual,
     const T* __restrict__ scale, T* y, int n, double eps) {
    const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, part = warp % SPLIT;
    const int out = blockIdx.x * PER_BLOCK + warp / SPLIT, first = part * 32 + lane;
    const uint4* at = (const uint4*)w + (i64)(out < n ? out : n - 1) * CHUNKS + first;
    const i64 other = (i64)n * CHUNKS;            // from a row of the gate to one of up

    let_next_start();
    if (!AHEAD) wait_for_previous();
    uint4 loaded[DEPTH][MATS];
    #pragma unroll
    for (int d = 0; d < DEPTH; ++d)
        #pragma unroll
        for (int m = 0; m < MATS; ++m)
            if (EVEN || first + d * STEP < CHUNKS) loaded[d][m] = stream(at + m * other + d * STEP);
    if (AHEAD) wait_for_previous();

    const bool stores = part == 0 && lane < ROWS && out < n;  // this lane stores y[lane][out]
    float added[MATS] = {};
    if (stores && BIAS)
        for (int m = 0; m < MATS; ++m) added[m] = to_float(bias[m * n + out]);
    if (stores && EPILOGUE == 1) added[0] += to_float(residual[lane * n + out]);

    __shared__ uint4 xs[SHARED ? ROWS : 1][CHUNKS];
    if (SHARED) fetch(xs, (const uint4*)x, scale, eps, warp, lane);

    float sum[MATS][ROWS][2] = {};
    for (int turn = 0; turn < TURNS; turn += DEPTH) {
        #pragma unroll
        for (int d = 0; d < DEPTH; ++d) {
            const int here = first + (turn + d) * STEP;
            if ((TURNS % DEPTH != 0 && turn + d >= TURNS) || (!EVEN && here >= CHUNKS)) break;
            float a[MATS][VEC];
            #pragma unroll
            for (int m = 0; m < MATS; ++m) {
                unpack(loaded[d][m], a[m]);
                if (TURNS > DEPTH && turn + d + DEPTH < TURNS && (EVEN || here + DEPTH * STEP < CHUNKS))
                    loaded[d][m] = stream(at + m * other + (turn + d + DEPTH) * STEP);
            }
            #pragma unroll
            for (int r = 0; r < ROWS; ++r) {
                float b[VEC];
                unpack(SHARED ? xs[r][here] : ((const uint4*)x)[r * CHUNKS + here], b);
                #pragma unroll
                for (int m = 0; m < MATS; ++m)
                    #pragma unroll
                    for (int i = 0; i < VEC; ++i) sum[m][r][i & 1] += a[m][i] * b[i];
            }
        }
    }

    __shared__ float parts[WARPS][MATS][ROWS];
    #pragma unroll
    for (int m = 0; m < MATS; ++m)
        #pragma unroll
        for (int r = 0; r < ROWS; ++r) {
            const float s = warp_sum(sum[m][r][0] + sum[m][r][1]);
            if (lane == 0) parts[warp][m][r] = s;
        }
    if (SPLIT > 1) __syncthreads(); else __syncwarp();
    if (!stores) return;
    float s[MATS];
    for (int m = 0; m < MATS; ++m) {
        s[m] = added[m];
        for (int p = 0; p < SPLIT; ++p) s[m] += parts[warp + p][m][lane];
    }
    if (EPILOGUE == 2) s[0] = activate<ACT>(s[0]) * s[MATS - 1];
    if (EPILOGUE == 3) s[0] = activate<ACT>(s[0]);
    y[lane * n + out] = from_float<T>(s[0]);
}
)cuda";

struct Gemv;

}  // namespace detail

/// Rows of x up to which reading W is what costs.
inline constexpr std::int64_t gemv_rows = 4;

/// Whether `gemv` takes these: at most four rows, one type for all, whole 16-byte loads, W contiguous.
inline bool takes_gemv(const Tensor& x, const op::Plain& w) {
    const auto k = x.size(-1);
    const auto bytes = k * static_cast<std::int64_t>(x.element_size());
    return k > 0 && x.numel() > 0 && x.numel() / k <= gemv_rows && bytes % 16 == 0 && w.weight.size(0) > 0 &&
           w.weight.scalar_type() == x.scalar_type() && w.weight.is_contiguous() && takes_type(x.scalar_type()) &&
           (!w.bias || (w.bias->scalar_type() == x.scalar_type() && w.bias->is_contiguous())) &&
           w.weight.size(0) < (std::int64_t{1} << 30) && k < (std::int64_t{1} << 24) && has_nvrtc() &&
           aligned(w.weight);
}

/// Bytes of x that a block can keep for itself.
inline constexpr std::int64_t shared_x = 32768;

/// The same with a norm ahead, whose factors are `scale` (k).
inline bool takes_gemv(const Tensor& x, const op::Plain& w, const Tensor& scale) {
    return takes_gemv(x, w) && static_cast<std::int64_t>(x.nbytes()) <= shared_x &&
           scale.scalar_type() == x.scalar_type() && scale.is_contiguous() && aligned(scale);
}

/// x / sqrt(mean(x^2) + eps) * scale before the product, where there is a scale.
struct NormAhead {
    Tensor scale = {};
    double eps = 0;
};

/// x (..., k), w (n, k) or, gated, (2 n, k) -> (..., n). `takes_gemv` has said yes; residual is (..., n), for `add`.
/// While a graph is recorded the weights are read ahead of the kernels before them: those do not write weights.
inline Tensor gemv(const Tensor& x, const op::Plain& w, Epilogue epilogue, Activation act = Activation::linear,
                   const Tensor& residual = {}, const NormAhead& norm = {}) {
    const auto k = x.size(-1), rows = x.numel() / k, n = w.weight.size(0) / (epilogue == Epilogue::gated ? 2 : 1);
    auto sizes = x.sizes().vec();
    sizes.back() = n;
    const Tensor y = at::empty(sizes, x.options());
    Tensor in = x.contiguous(), r = residual.defined() ? residual.contiguous() : residual;
    if (!aligned(in)) in = in.clone();
    // Few outputs need several warps each to keep memory busy; many are enough by themselves (tried on an H100).
    const auto chunks = k * static_cast<std::int64_t>(x.element_size()) / 16;
    const bool few = n < 1024 || (epilogue == Epilogue::gated && chunks >= 256);
    const std::int64_t split = n >= 16384 || chunks < 64 ? 1 : few ? 4 : 2;
    constexpr std::int64_t warps = 8;
    const std::uint64_t key = static_cast<std::uint64_t>(x.scalar_type()) | static_cast<std::uint64_t>(rows) << 8 |
                              static_cast<std::uint64_t>(split) << 12 | static_cast<std::uint64_t>(epilogue) << 16 |
                              static_cast<std::uint64_t>(act) << 20 | (w.bias ? std::uint64_t{1} << 28 : 0) |
                              (recording ? std::uint64_t{1} << 29 : 0) |
                              (norm.scale.defined() ? std::uint64_t{1} << 30 : 0) | static_cast<std::uint64_t>(k) << 32;
    static const std::string text = std::string(prelude) + std::string(detail::gemv_text);
    const auto& f = function<detail::Gemv>(x.device().index(), key, [&] {
        return KernelSource{"gemv",
                            text,
                            {{"ROWS", rows},
                             {"K", k},
                             {"WARPS", warps},
                             {"SPLIT", split},
                             {"EPILOGUE", static_cast<std::int64_t>(epilogue)},
                             {"ACT", static_cast<std::int64_t>(act)},
                             {"BIAS", w.bias.has_value()},
                             {"NORM", norm.scale.defined()},
                             {"SHARED", static_cast<std::int64_t>(x.nbytes()) <= shared_x},
                             {"AHEAD", recording}},
                            x.scalar_type()};
    });
    const auto blocks = (n * split + warps - 1) / warps;
    launch(f, {{static_cast<unsigned>(blocks), 1, 1}, warps * 32}, x.device(), address(in), address(w.weight),
           w.bias ? address(*w.bias) : nullptr, address(r), address(norm.scale), address(y), static_cast<int>(n),
           norm.eps);
    return y;
}

}  // namespace silica::device::cuda
#endif  // SILICA_SINGLE_DEVICE_CUDA_GEMV_HPP
// ---- silica/device/cuda/normalise.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_NORMALISE_HPP
#define SILICA_SINGLE_DEVICE_CUDA_NORMALISE_HPP
/// RMS norm: a block for each row.

namespace silica::device::cuda {
namespace detail {

inline constexpr std::string_view rms_norm_text = R"cuda(
extern "C" __global__ void __launch_bounds__(256)
rms_norm(const T* x, const T* __restrict__ w, T* y, int n, double eps) {
    constexpr int STEP = WIDE ? VEC : 1;
    __shared__ float parts[8];
    let_next_start();
    wait_for_previous();
    const T* row = x + (i64)blockIdx.x * n;
    T* out = y + (i64)blockIdx.x * n;
    float sum = 0;
    for (int i = threadIdx.x * STEP; i < n; i += 256 * STEP) {
        if (WIDE) {
            float v[VEC];
            unpack(*(const uint4*)(row + i), v);
            for (int j = 0; j < VEC; ++j) sum += v[j] * v[j];
        } else {
            const float v = to_float(row[i]);
            sum += v * v;
        }
    }
    sum = warp_sum(sum);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
    __syncthreads();
    sum = 0;
    for (int i = 0; i < 8; ++i) sum += parts[i];
    const float scale = 1 / sqrtf(sum / n + (float)eps);
    for (int i = threadIdx.x * STEP; i < n; i += 256 * STEP) {
        if (WIDE) {
            float v[VEC], u[VEC];
            unpack(*(const uint4*)(row + i), v);
            unpack(*(const uint4*)(w + i), u);
            alignas(16) T rounded[VEC];
            for (int j = 0; j < VEC; ++j) rounded[j] = from_float<T>(to_float(from_float<T>(v[j] * scale)) * u[j]);
            *(uint4*)(out + i) = *(const uint4*)rounded;
        } else {
            out[i] = from_float<T>(to_float(from_float<T>(to_float(row[i]) * scale)) * to_float(w[i]));
        }
    }
}
)cuda";

struct RmsNorm;

}  // namespace detail

/// op::RmsNorm.
inline Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) {
    const auto n = x.size(-1);
    const auto type = x.scalar_type();
    if (!has_nvrtc() || x.numel() == 0 || n >= 1 << 30 || weight.scalar_type() != type || !takes_type(type)) {
        return aten::RmsNorm::run(x, weight, eps);
    }
    const Tensor in = x.contiguous(), w = weight.contiguous(), y = at::empty(x.sizes(), x.options());
    const bool wide = n * static_cast<std::int64_t>(x.element_size()) % 16 == 0 && aligned(in) && aligned(w);
    static const std::string text = std::string(prelude) + std::string(detail::rms_norm_text);
    const auto& f = function<detail::RmsNorm>(x.device().index(), static_cast<std::uint64_t>(type) | (wide ? 256u : 0u),
                                              [&] { return KernelSource{"rms_norm", text, {{"WIDE", wide}}, type}; });
    launch(f, {{static_cast<unsigned>(x.numel() / n), 1, 1}, 256}, x.device(), address(in), address(w), address(y),
           static_cast<int>(n), eps);
    return y;
}

}  // namespace silica::device::cuda
#endif  // SILICA_SINGLE_DEVICE_CUDA_NORMALISE_HPP

namespace silica::device::cuda {

/// op::Linear.
inline Tensor linear(const Tensor& x, const op::Plain& w) {
    return takes_gemv(x, w) ? gemv(x, w, Epilogue::none) : aten::Linear::run(x, w);
}

/// op::LinearActivation.
inline Tensor linear_activation(const Tensor& x, const op::Plain& w, Activation act) {
    if (takes_gemv(x, w)) return gemv(x, w, Epilogue::activation, act);
    return aten::Activate::run(aten::Linear::run(x, w), act);
}

/// op::LinearAdd.
inline Tensor linear_add(const Tensor& x, const op::Plain& w, const Tensor& residual) {
    const bool fits =
        residual.scalar_type() == x.scalar_type() && residual.numel() / w.weight.size(0) * x.size(-1) == x.numel();
    if (fits && takes_gemv(x, w)) return gemv(x, w, Epilogue::add, Activation::linear, residual);
    return aten::Linear::run(x, w) + residual;
}

/// op::LinearGated.
inline Tensor linear_gated(const Tensor& x, const op::Plain& w, Activation act) {
    if (takes_gemv(x, w)) return gemv(x, w, Epilogue::gated, act);
    return gated(aten::Linear::run(x, w), act);
}

/// op::RmsNormLinear: every block of the kernel normalises x for itself.
inline Tensor rms_norm_linear(const Tensor& x, const Tensor& scale, double eps, const op::Plain& w) {
    if (takes_gemv(x, w, scale)) return gemv(x, w, Epilogue::none, Activation::linear, {}, {scale, eps});
    return linear(rms_norm(x, scale, eps), w);
}

/// op::RmsNormLinearGated, in the same way.
inline Tensor rms_norm_linear_gated(const Tensor& x, const Tensor& scale, double eps, const op::Plain& w,
                                    Activation act) {
    if (takes_gemv(x, w, scale)) return gemv(x, w, Epilogue::gated, act, {}, {scale, eps});
    return linear_gated(rms_norm(x, scale, eps), w, act);
}

}  // namespace silica::device::cuda
#endif  // SILICA_SINGLE_DEVICE_CUDA_PRODUCTS_HPP

namespace silica {

template <>
struct Kernel<op::Linear, device::Cuda> {
    using Packed = op::Plain;
    static Packed pack(op::Linear::Source s) { return s; }

    static Tensor run(const Tensor& x, const Packed& w) { return device::cuda::linear(x, w); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_LINEAR_HPP
// ---- silica/device/cuda/linear_activation.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_LINEAR_ACTIVATION_HPP
#define SILICA_SINGLE_DEVICE_CUDA_LINEAR_ACTIVATION_HPP
/// Linear and an activation on CUDA: one kernel for few rows, else cuBLASLt and ATen's activation.

namespace silica {

template <>
struct Kernel<op::LinearActivation, device::Cuda> {
    static Tensor run(const Tensor& x, const op::Plain& w, Activation act) {
        return device::cuda::linear_activation(x, w, act);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_LINEAR_ACTIVATION_HPP
// ---- silica/device/cuda/linear_add.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_LINEAR_ADD_HPP
#define SILICA_SINGLE_DEVICE_CUDA_LINEAR_ADD_HPP
/// Linear and the residual on CUDA: one kernel for few rows, else cuBLASLt and an addition.

namespace silica {

template <>
struct Kernel<op::LinearAdd, device::Cuda> {
    static Tensor run(const Tensor& x, const op::Plain& w, const Tensor& residual) {
        return device::cuda::linear_add(x, w, residual);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_LINEAR_ADD_HPP
// ---- silica/device/cuda/linear_gated.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_LINEAR_GATED_HPP
#define SILICA_SINGLE_DEVICE_CUDA_LINEAR_GATED_HPP
/// Gate and up of a feed-forward layer on CUDA: one kernel for few rows, else cuBLASLt and one pass over its product.

namespace silica {

template <>
struct Kernel<op::LinearGated, device::Cuda> {
    static Tensor run(const Tensor& x, const op::Plain& w, Activation act) {
        return device::cuda::linear_gated(x, w, act);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_LINEAR_GATED_HPP
// ---- silica/device/cuda/max_pool.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_MAX_POOL_HPP
#define SILICA_SINGLE_DEVICE_CUDA_MAX_POOL_HPP
/// Max pooling on CUDA: ATen's.

namespace silica {

template <>
struct Kernel<op::MaxPool, device::Cuda> : device::aten::MaxPool {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_MAX_POOL_HPP
// ---- silica/device/cuda/pool.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_POOL_HPP
#define SILICA_SINGLE_DEVICE_CUDA_POOL_HPP
/// Pooling on this device: ATen's.

namespace silica {

template <>
struct Kernel<op::Pool, device::Cuda> : device::aten::Pool {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_POOL_HPP
// ---- silica/device/cuda/resize.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_RESIZE_HPP
#define SILICA_SINGLE_DEVICE_CUDA_RESIZE_HPP
/// Resizing on CUDA: ATen's.

namespace silica {

template <>
struct Kernel<op::Resize, device::Cuda> : device::aten::Resize {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_RESIZE_HPP
// ---- silica/device/cuda/rms_norm.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_RMS_NORM_HPP
#define SILICA_SINGLE_DEVICE_CUDA_RMS_NORM_HPP
/// RMS norm on CUDA: an own kernel.

namespace silica {

template <>
struct Kernel<op::RmsNorm, device::Cuda> {
    static Tensor run(const Tensor& x, const Tensor& weight, double eps) {
        return device::cuda::rms_norm(x, weight, eps);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_RMS_NORM_HPP
// ---- silica/device/cuda/rms_norm_linear.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_RMS_NORM_LINEAR_HPP
#define SILICA_SINGLE_DEVICE_CUDA_RMS_NORM_LINEAR_HPP
/// RMS norm and Linear on CUDA: one kernel for few rows, else two.

namespace silica {

template <>
struct Kernel<op::RmsNormLinear, device::Cuda> {
    static Tensor run(const Tensor& x, const Tensor& scale, double eps, const op::Plain& w) {
        return device::cuda::rms_norm_linear(x, scale, eps, w);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_RMS_NORM_LINEAR_HPP
// ---- silica/device/cuda/rms_norm_linear_gated.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_RMS_NORM_LINEAR_GATED_HPP
#define SILICA_SINGLE_DEVICE_CUDA_RMS_NORM_LINEAR_GATED_HPP
/// RMS norm, gate and up on CUDA: one kernel for few rows, else their own.

namespace silica {

template <>
struct Kernel<op::RmsNormLinearGated, device::Cuda> {
    static Tensor run(const Tensor& x, const Tensor& scale, double eps, const op::Plain& w, Activation act) {
        return device::cuda::rms_norm_linear_gated(x, scale, eps, w, act);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_RMS_NORM_LINEAR_GATED_HPP
// ---- silica/device/cuda/rotary.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_ROTARY_HPP
#define SILICA_SINGLE_DEVICE_CUDA_ROTARY_HPP
/// Rotary embedding on CUDA: ATen's.

namespace silica {

template <>
struct Kernel<op::Rotary, device::Cuda> : device::aten::Rotary {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_ROTARY_HPP
// ---- silica/device/cuda/rotary_store.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_ROTARY_STORE_HPP
#define SILICA_SINGLE_DEVICE_CUDA_ROTARY_STORE_HPP
/// The start of attention in a decode step on CUDA: one launch turns q and k and writes k and v to the cache.

namespace silica {
namespace device::cuda::detail {

inline constexpr std::string_view rotary_store_text = R"cuda(
// A block for each head of qkv and each row of the batch.
extern "C" __global__ void __launch_bounds__(128)
rotary_store(const T* qkv, const T* cosine, const T* sine, T* q,
             T* keys, T* values, const i64* slot, int heads, int kv_heads, int d,
             i64 angle_stride, i64 key_batch, i64 key_head, i64 key_slot, i64 value_batch, i64 value_head,
             i64 value_slot) {
    let_next_start();
    wait_for_previous();
    const int head = blockIdx.x, b = blockIdx.y, half = d / 2;
    const T* in = qkv + ((i64)b * gridDim.x + head) * d;
    if (head >= heads + kv_heads) {
        T* v = values + b * value_batch + (head - heads - kv_heads) * value_head + *slot * value_slot;
        for (int i = threadIdx.x; i < d; i += blockDim.x) v[i] = in[i];
        return;
    }
    T* out = head < heads ? q + ((i64)b * heads + head) * d
                          : keys + b * key_batch + (head - heads) * key_head + *slot * key_slot;
    for (int i = threadIdx.x; i < half; i += blockDim.x) {
        const float a = to_float(in[i]), c = to_float(in[i + half]);
        const float cs = to_float(cosine[b * angle_stride + i]), sn = to_float(sine[b * angle_stride + i]);
        out[i] = from_float<T>(a * cs - c * sn);
        out[i + half] = from_float<T>(c * cs + a * sn);
    }
}
)cuda";

struct RotaryStore;

}  // namespace device::cuda::detail

template <>
struct Kernel<op::RotaryStore, device::Cuda> {
    static Tensor run(const Tensor& qkv, const Tensor& cos, const Tensor& sin, InOut<Tensor> keys, InOut<Tensor> values,
                      const Tensor& slot) {
        namespace cuda = device::cuda;
        const Tensor &k = keys.value, &v = values.value;
        const auto batch = qkv.size(0), kv_heads = k.size(1), d = k.size(3), heads = qkv.size(2) / d - 2 * kv_heads;
        const auto type = qkv.scalar_type();
        const bool one_type = cos.scalar_type() == type && sin.scalar_type() == type && k.scalar_type() == type &&
                              v.scalar_type() == type;
        if (!cuda::has_nvrtc() || !cuda::takes_type(type) || !one_type || qkv.numel() == 0 || k.stride(3) != 1 ||
            v.stride(3) != 1 || batch >= 65536) {
            return by_aten(qkv, cos, sin, keys, values, slot);
        }
        const Tensor in = qkv.contiguous(), c = cos.contiguous(), s = sin.contiguous();
        const Tensor q = at::empty({batch, heads, 1, d}, qkv.options());
        static const std::string text = std::string(cuda::prelude) + std::string(cuda::detail::rotary_store_text);
        const auto& f = cuda::function<cuda::detail::RotaryStore>(
            qkv.device().index(), static_cast<std::uint64_t>(type),
            [&] { return cuda::KernelSource{"rotary_store", text, {}, type}; });
        const unsigned threads = d / 2 > 64 ? 128 : d / 2 > 32 ? 64 : 32;
        using Long = long long;
        cuda::launch(f, {{static_cast<unsigned>(heads + 2 * kv_heads), static_cast<unsigned>(batch), 1}, threads},
                     qkv.device(), cuda::address(in), cuda::address(c), cuda::address(s), cuda::address(q),
                     cuda::address(k), cuda::address(v), cuda::address(slot), static_cast<int>(heads),
                     static_cast<int>(kv_heads), static_cast<int>(d), Long{c.size(0) == 1 ? 0 : d / 2},
                     Long{k.stride(0)}, Long{k.stride(1)}, Long{k.stride(2)}, Long{v.stride(0)}, Long{v.stride(1)},
                     Long{v.stride(2)});
        return q;
    }

private:
    static Tensor by_aten(const Tensor& qkv, const Tensor& cos, const Tensor& sin, InOut<Tensor> keys,
                          InOut<Tensor> values, const Tensor& slot) {
        const auto kv_heads = keys.value.size(1), d = keys.value.size(3), heads = qkv.size(2) / d - 2 * kv_heads;
        const Tensor by_head = qkv.reshape({qkv.size(0), 1, heads + 2 * kv_heads, d}).transpose(1, 2);
        const Tensor k = device::aten::Rotary::run(by_head.narrow(1, heads, kv_heads), cos, sin);
        device::aten::StoreKv::run(keys, values, k, by_head.narrow(1, heads + kv_heads, kv_heads), slot);
        return device::aten::Rotary::run(by_head.narrow(1, 0, heads), cos, sin);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_ROTARY_STORE_HPP
// ---- silica/device/cuda/softmax.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_SOFTMAX_HPP
#define SILICA_SINGLE_DEVICE_CUDA_SOFTMAX_HPP
/// Softmax on CUDA: ATen's.

namespace silica {

template <>
struct Kernel<op::Softmax, device::Cuda> : device::aten::Softmax {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_SOFTMAX_HPP
// ---- silica/device/cuda/store_kv.hpp
#ifndef SILICA_SINGLE_DEVICE_CUDA_STORE_KV_HPP
#define SILICA_SINGLE_DEVICE_CUDA_STORE_KV_HPP
/// Writing to a cache on CUDA: ATen's.

namespace silica {

template <>
struct Kernel<op::StoreKv, device::Cuda> : device::aten::StoreKv {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_CUDA_STORE_KV_HPP
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
    /// Two threads that encode at once crash the command queue (pytorch#197805), so calls take turns, whichever shared
    /// object of the process they come from.
    SILICA_API static std::unique_lock<std::recursive_mutex> lock() {
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
// ---- silica/device/mps/argmax.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_ARGMAX_HPP
#define SILICA_SINGLE_DEVICE_MPS_ARGMAX_HPP
/// The index of the largest value on MPS. Contiguous input, as everywhere on MPS.

namespace silica {

template <>
struct Kernel<op::Argmax, device::Mps> {
    static Tensor run(const Tensor& x) { return device::aten::Argmax::run(x.contiguous()); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_ARGMAX_HPP
// ---- silica/device/mps/attention.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_ATTENTION_HPP
#define SILICA_SINGLE_DEVICE_MPS_ATTENTION_HPP
/// Attention on MPS.

// ---- silica/device/mps/attend.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_ATTEND_HPP
#define SILICA_SINGLE_DEVICE_MPS_ATTEND_HPP
/// Attention on MPS, around the faults of `scaled_dot_product_attention` there.

#include <algorithm>
#include <vector>

namespace silica::device::mps {

/// Attention as the kernels of op::Attention and op::DecodeAttention on MPS compute it.
struct Attend {
    /// One NDArray of MPSGraph holds 2^32 bytes; a larger one aborts the process on macOS 14 (pytorch#149261).
    static constexpr std::int64_t max_score_bytes = std::int64_t{1} << 32;

    /// The kernels read v with the head size of q: wrong results where they differ before LibTorch 2.12
    /// (pytorch#176843).
    static bool accepts(const Tensor& q, const Tensor&, const Tensor& v, const op::Attends&, double) {
        return !libtorch_before(2, 12) || q.size(-1) == v.size(-1);
    }

    /// op::Attention; `limit` is the most that a score matrix may have, which tests make small.
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, const op::Attends& attends, double scale,
                      std::int64_t limit = max_score_bytes) {
        const bool causal = attends.offset == 0 && !attends.mask && !attends.bias && !attends.lengths &&
                            !attends.hides_earlier(q.size(2)) && attends.hides_later(k.size(2));
        if (causal && !masks_explicitly(q) && rows_per_chunk(q, k, limit) >= q.size(2))
            return aten::Attention::run(q.contiguous(), k.contiguous(), v.contiguous(), std::nullopt, true, scale);
        return run(q, k, v, aten::Attention::mask_of(attends, q, k), scale, limit);
    }

    /// With a mask for ATen. q, k and v contiguous: permuted ones give wrong results for head sizes from 64 on
    /// (pytorch#163597, #181133).
    static Tensor run(const Tensor& q, const Tensor& k, const Tensor& v, std::optional<Tensor> mask, double scale,
                      std::int64_t limit = max_score_bytes) {
        const Tensor qc = q.contiguous(), kc = k.contiguous(), vc = v.contiguous();
        const auto rows = rows_per_chunk(qc, kc, limit);
        if (mask) {
            if (expands_mask()) mask = mask->expand({q.size(0), q.size(1), q.size(2), k.size(2)});
            mask = mask->contiguous();
        }
        if (rows >= q.size(-2)) return aten::Attention::run(qc, kc, vc, mask, false, scale);
        std::vector<Tensor> parts;
        for (std::int64_t begin = 0; begin < q.size(-2); begin += rows) {
            const auto end = std::min(begin + rows, q.size(-2));
            auto part_mask = mask;
            if (part_mask && part_mask->dim() > 1 && part_mask->size(-2) > 1)
                part_mask = part_mask->slice(-2, begin, end).contiguous();
            parts.push_back(
                aten::Attention::run(qc.slice(-2, begin, end).contiguous(), kc, vc, part_mask, false, scale));
        }
        return at::cat(parts, -2);
    }

    /// In half precision `is_causal` lets later tokens through, in LibTorch from 2.10 on (pytorch#195910). (And a score
    /// matrix that is cut into chunks needs its mask written out.)
    static bool masks_explicitly(const Tensor& q) { return !libtorch_before(2, 10) && q.scalar_type() != at::kFloat; }
    /// A mask that broadcasts gives wrong results before LibTorch 2.13 (pytorch#184180).
    static constexpr bool expands_mask() { return libtorch_before(2, 13); }

    /// How many queries keep the float32 score matrix (batch, heads, queries, keys) within one NDArray.
    static std::int64_t rows_per_chunk(const Tensor& q, const Tensor& k, std::int64_t limit) {
        const std::int64_t row = std::max<std::int64_t>(1, q.size(0) * q.size(1) * k.size(2) * 4);
        return std::max<std::int64_t>(1, limit / row);
    }
};

}  // namespace silica::device::mps
#endif  // SILICA_SINGLE_DEVICE_MPS_ATTEND_HPP

namespace silica {

template <>
struct Kernel<op::Attention, device::Mps> : device::mps::Attend {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_ATTENTION_HPP
// ---- silica/device/mps/average_pool.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_AVERAGE_POOL_HPP
#define SILICA_SINGLE_DEVICE_MPS_AVERAGE_POOL_HPP
/// Global average pooling on MPS. Contiguous input: MPSGraph kernels ignore strides.

namespace silica {

template <>
struct Kernel<op::AveragePool, device::Mps> {
    static Tensor run(const Tensor& x) { return device::aten::AveragePool::run(x.contiguous()); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_AVERAGE_POOL_HPP
// ---- silica/device/mps/clamp.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_CLAMP_HPP
#define SILICA_SINGLE_DEVICE_MPS_CLAMP_HPP
/// Clamp on MPS. Contiguous input, as everywhere on MPS.

namespace silica {

template <>
struct Kernel<op::Clamp, device::Mps> {
    static Tensor run(const Tensor& x, double low, double high) {
        return device::aten::Clamp::run(x.contiguous(), low, high);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_CLAMP_HPP
// ---- silica/device/mps/conv.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_CONV_HPP
#define SILICA_SINGLE_DEVICE_MPS_CONV_HPP
/// Convolutions on MPS, where LibTorch's are right.

#include <algorithm>
#include <vector>

namespace silica {

template <>
struct Kernel<op::Conv, device::Mps> {
    using Packed = op::PlainConv;

    /// A strided weight is read as if it were contiguous before LibTorch 2.14 (pytorch#192212).
    static Packed pack(op::Conv::Source s) {
        s.weight = s.weight.contiguous();
        if (s.bias) s.bias = s.bias->contiguous();
        return s;
    }

    /// Not: kernels of three dimensions (wrong for most numbers of channels, pytorch#197114); a kernel side of 256 or
    /// more before LibTorch 2.14 (pytorch#188359); a side of x or y above 65,536 before macOS 15.1, but for kernels of
    /// one dimension after LibTorch 2.14 (pytorch#129207, #152278); tensors that one NDArray or an int32 index cannot
    /// hold.
    static bool accepts(const Tensor& x, const Packed& w) {
        namespace mps = device::mps;
        const auto kernel = w.weight.sizes().slice(2, w.steps.stride.size());
        if (kernel.size() > 2) return false;
        const auto at_least = [](std::int64_t least) { return [least](std::int64_t n) { return n >= least; }; };
        if (mps::libtorch_before(2, 14) && std::ranges::any_of(kernel, at_least(256))) return false;
        std::vector<std::int64_t> y{x.size(0), w.weight.size(0)};
        for (std::size_t i = 0; i < kernel.size(); ++i)
            y.push_back(w.steps.places(i, x.size(static_cast<std::int64_t>(i) + 2), kernel[i]));
        const bool limited = (kernel.size() == 2 || mps::libtorch_before(2, 15)) && mps::macos_before(15, 1);
        for (const c10::IntArrayRef sizes : {x.sizes(), c10::IntArrayRef(y)}) {
            if (limited && std::ranges::any_of(sizes, at_least(65'537))) return false;
            const auto bytes = c10::multiply_integers(sizes) * static_cast<std::int64_t>(x.element_size());
            if (bytes >= std::int64_t{1} << 32) return false;
        }
        return true;
    }

    /// x contiguous: a slice of a channels-last image is read as if it were whole (pytorch#180984).
    static Tensor run(const Tensor& x, const Packed& w) { return device::aten::Conv::run(x.contiguous(), w); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_CONV_HPP
// ---- silica/device/mps/decode_attention.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_DECODE_ATTENTION_HPP
#define SILICA_SINGLE_DEVICE_MPS_DECODE_ATTENTION_HPP
/// Attention to a cache on MPS, through its kernel of op::Attention and so around the same faults. The whole capacity,
/// so that no graph is compiled anew from step to step (pytorch#181213).

namespace silica {

template <>
struct Kernel<op::DecodeAttention, device::Mps> {
    static Tensor run(const Tensor& q, const Tensor& keys, const Tensor& values, const Tensor& filled,
                      const std::optional<Tensor>& mask, double scale) {
        const Tensor attend = device::aten::DecodeAttention::mask_of(keys, filled, mask);
        return device::mps::Attend::run(q, keys, values, std::optional(attend), scale);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_DECODE_ATTENTION_HPP
// ---- silica/device/mps/embedding.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_EMBEDDING_HPP
#define SILICA_SINGLE_DEVICE_MPS_EMBEDDING_HPP
/// Embedding on MPS. Contiguous table and ids: gathers go through MPSGraph, which ignores strides.

namespace silica {

template <>
struct Kernel<op::Embedding, device::Mps> {
    using Packed = op::Plain;
    static Packed pack(const op::Embedding::Source& s) { return {s.weight.contiguous()}; }
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
// ---- silica/device/mps/group_norm.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_GROUP_NORM_HPP
#define SILICA_SINGLE_DEVICE_MPS_GROUP_NORM_HPP
/// Group norm on MPS. Contiguous input: before LibTorch 2.13 it is made of batch norm, which reads a slice of a
/// channels-last image at wrong places (pytorch#174345).

namespace silica {

template <>
struct Kernel<op::GroupNorm, device::Mps> {
    static Tensor run(const Tensor& x, const Tensor& weight, const Tensor& bias, std::int64_t groups, double eps) {
        return device::aten::GroupNorm::run(x.contiguous(), weight, bias, groups, eps);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_GROUP_NORM_HPP
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
    static Packed pack(op::Linear::Source s) {
        if (s.bias) s.bias = s.bias->contiguous();
        return {s.weight.contiguous(), std::move(s.bias)};
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
// ---- silica/device/mps/max_pool.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_MAX_POOL_HPP
#define SILICA_SINGLE_DEVICE_MPS_MAX_POOL_HPP
/// Max pooling on MPS. Contiguous input: a slice of a channels-last image is read as if it were whole (pytorch#180984).

namespace silica {

template <>
struct Kernel<op::MaxPool, device::Mps> {
    static Tensor run(const Tensor& x, std::int64_t kernel, std::int64_t stride, std::int64_t padding) {
        return device::aten::MaxPool::run(x.contiguous(), kernel, stride, padding);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_MAX_POOL_HPP
// ---- silica/device/mps/pool.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_POOL_HPP
#define SILICA_SINGLE_DEVICE_MPS_POOL_HPP
/// Pooling on this device: ATen's.

namespace silica {

template <>
struct Kernel<op::Pool, device::Mps> : device::aten::Pool {};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_POOL_HPP
// ---- silica/device/mps/resize.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_RESIZE_HPP
#define SILICA_SINGLE_DEVICE_MPS_RESIZE_HPP
/// Resizing on MPS. Contiguous input: MPSGraph kernels ignore strides.

namespace silica {

template <>
struct Kernel<op::Resize, device::Mps> {
    static Tensor run(const Tensor& x, std::int64_t height, std::int64_t width, Resampling how, bool align_corners) {
        return device::aten::Resize::run(x.contiguous(), height, width, how, align_corners);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_RESIZE_HPP
// ---- silica/device/mps/rms_norm.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_RMS_NORM_HPP
#define SILICA_SINGLE_DEVICE_MPS_RMS_NORM_HPP
/// RMS norm on MPS. Contiguous input: MPSGraph kernels ignore strides (the largest class of silent MPS errors).

namespace silica {

template <>
struct Kernel<op::RmsNorm, device::Mps> {
    static Tensor run(const Tensor& x, const Tensor& weight, double eps) {
        return device::aten::RmsNorm::run(x.contiguous(), weight, eps);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_RMS_NORM_HPP
// ---- silica/device/mps/rotary.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_ROTARY_HPP
#define SILICA_SINGLE_DEVICE_MPS_ROTARY_HPP
/// Rotary embedding on MPS. Contiguous input, as everywhere on MPS.

namespace silica {

template <>
struct Kernel<op::Rotary, device::Mps> {
    static Tensor run(const Tensor& x, const Tensor& cos, const Tensor& sin) {
        return device::aten::Rotary::run(x.contiguous(), cos.contiguous(), sin.contiguous());
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_ROTARY_HPP
// ---- silica/device/mps/softmax.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_SOFTMAX_HPP
#define SILICA_SINGLE_DEVICE_MPS_SOFTMAX_HPP
/// Softmax on MPS. Contiguous input: some shapes with strides abort the process (pytorch#175190).

namespace silica {

template <>
struct Kernel<op::Softmax, device::Mps> {
    static Tensor run(const Tensor& x) { return device::aten::Softmax::run(x.contiguous()); }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_SOFTMAX_HPP
// ---- silica/device/mps/store_kv.hpp
#ifndef SILICA_SINGLE_DEVICE_MPS_STORE_KV_HPP
#define SILICA_SINGLE_DEVICE_MPS_STORE_KV_HPP
/// Writing to a cache on MPS. index_copy_ checks no index there (pytorch#189968), so the caller's slots must be right;
/// k and v contiguous, as everywhere on MPS.

namespace silica {

template <>
struct Kernel<op::StoreKv, device::Mps> {
    static op::Written run(InOut<Tensor> keys, InOut<Tensor> values, const Tensor& k, const Tensor& v,
                           const Tensor& slots) {
        return device::aten::StoreKv::run(keys, values, k.contiguous(), v.contiguous(), slots);
    }
};

}  // namespace silica
#endif  // SILICA_SINGLE_DEVICE_MPS_STORE_KV_HPP
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
SILICA_API inline std::atomic<const char*> simulated_mps{nullptr};

/// What simulates devices of `type` in this program; null when they are real or absent.
[[nodiscard]] inline const char* simulated(c10::DeviceType type) noexcept {
    return type == c10::DeviceType::MPS ? simulated_mps.load(std::memory_order_acquire) : nullptr;
}

/// True when devices of `type` are simulated in this program.
[[nodiscard]] inline bool is_simulated(c10::DeviceType type) noexcept { return simulated(type) != nullptr; }

}  // namespace silica::device
#endif  // SILICA_SINGLE_DEVICE_SIMULATED_HPP
// ---- silica/generate/beam.hpp
#ifndef SILICA_SINGLE_GENERATE_BEAM_HPP
#define SILICA_SINGLE_GENERATE_BEAM_HPP
/// Beam search, and sampling with beams. Followed: transformers 5.23, generation/utils.py, _beam_search and the
/// functions above it; scores are float32 as there.

// ---- silica/generate/decoder.hpp
#ifndef SILICA_SINGLE_GENERATE_DECODER_HPP
#define SILICA_SINGLE_GENERATE_DECODER_HPP
/// A model that writes text, with its types forgotten: what the loops of generation drive. `ModelDecoder` makes one of
/// a Model, so that a loop is compiled once for all models, devices and precisions.

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::generate {

/// What generation starts from. A family whose encoder takes no text (speech) has no input_ids.
struct Prompt {
    Tensor input_ids = {};  ///< (batch, tokens) int64: prompts padded on the left, or an encoder's texts padded on the
                            ///< right
    std::optional<Tensor> attention_mask = {};     ///< (batch, tokens) int64 or bool, 1 = a token; absent: all are
    std::optional<Tensor> decoder_input_ids = {};  ///< (batch, tokens) int64, encoder-decoder only; absent: the start
    Named extra = {};  ///< further inputs of the family, by field: {"input_features", (batch, mels, frames)}
};

/// What a loop has to know about a model.
struct DecoderFacts {
    std::string architecture;                     ///< "LlamaForCausalLM"
    bool encoder_decoder = false;                 ///< the prompt goes through an encoder, the text starts apart from it
    std::optional<std::int64_t> context = {};     ///< most positions of the decoder, where they are limited
    std::optional<std::int64_t> vocab_size = {};  ///< tokens that can be fed
    std::vector<std::int64_t> eos_token_id = {};  ///< of config.json or the family, as the next three
    std::optional<std::int64_t> bos_token_id = {}, pad_token_id = {}, decoder_start_token_id = {};
};

/// One caller's decoding: the model and a state. Logits are (rows, vocabulary) on the device, of the next token.
class Decoder {
public:
    Decoder() = default;
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;
    virtual ~Decoder() = default;

    [[nodiscard]] virtual const DecoderFacts& facts() const = 0;
    /// Forgets what was taken; room for `rows` rows of up to `capacity` tokens.
    virtual void start(std::int64_t rows, std::int64_t capacity) = 0;
    /// Takes a prompt or its next piece -> logits. InputError for ids out of range.
    virtual Tensor prefill(const Prompt& prompt) = 0;
    /// Takes one token per row, ids (rows) int64 on the device -> logits.
    virtual Tensor step(const Tensor& ids) = 0;
    /// The same -> the most likely next tokens (rows), which stay on the device.
    virtual Tensor greedy_step(const Tensor& ids) = 0;
    /// Logits -> the most likely tokens (rows) int64, on the device.
    [[nodiscard]] virtual Tensor most_likely(const Tensor& logits) = 0;
    /// Row i becomes what row `rows[i]` was; rows (rows) int64 on any device.
    virtual void reorder(const Tensor& rows) = 0;

    [[nodiscard]] virtual std::int64_t length() const = 0;
    [[nodiscard]] virtual std::int64_t capacity() const = 0;
    /// Bytes of the state's tensors (caches, encoder outputs).
    [[nodiscard]] virtual std::uint64_t state_bytes() const = 0;
    [[nodiscard]] virtual c10::Device device() const = 0;
    /// Waits until the device has done all it was given.
    virtual void synchronize() = 0;

    /// What `f` returns, called as Model::on_device calls it: whatever reads or writes a tensor of the device is done
    /// in here.
    template <class F>
    auto on_device(F&& f) const {
        using Result = std::invoke_result_t<F&>;
        if constexpr (std::is_void_v<Result>) {
            enter(Work(f));
        } else {
            std::optional<Result> result;
            const auto keep = [&] { result.emplace(f()); };
            enter(Work(keep));
            return *std::move(result);
        }
    }

protected:
    /// Something to call, which lives where it was handed over.
    class Work {
    public:
        template <class F>
        explicit Work(F& f) : f_(&f), call_([](const void* p) { (*static_cast<F*>(const_cast<void*>(p)))(); }) {}
        void operator()() const { call_(f_); }

    private:
        const void* f_;
        void (*call_)(const void*);
    };
    virtual void enter(Work work) const = 0;
};

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_DECODER_HPP
// ---- silica/generate/generated.hpp
#ifndef SILICA_SINGLE_GENERATE_GENERATED_HPP
#define SILICA_SINGLE_GENERATE_GENERATED_HPP
/// What generation is told beside a prompt and a configuration, and what it gives.

// ---- silica/generate/scores.hpp
#ifndef SILICA_SINGLE_GENERATE_SCORES_HPP
#define SILICA_SINGLE_GENERATE_SCORES_HPP
/// Scores of the next token on the host: what processors change, and what a row knows of its past.

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace silica::generate {

/// The scores (vocabulary) float32 of one row, logits or logarithms of probabilities, -inf where a token is forbidden.
using Scores = std::span<float>;

inline constexpr float forbidden = -std::numeric_limits<float>::infinity();

/// What a row holds so far.
struct Row {
    std::span<const std::int64_t> ids;      ///< all its tokens: padding on the left, prompt, new ones
    std::size_t prompt = 0;                 ///< of these, padding and prompt
    std::size_t padding = 0;                ///< of these, padding
    std::span<const std::int64_t> encoder;  ///< the encoder's text, with its padding
};

/// Changes the scores of a row.
using Processor = std::function<void(Scores, const Row&)>;

/// The largest score; NaN where one is. Several at once, which max_element is too careful for.
[[nodiscard]] float largest(std::span<const float> scores);

/// exp(s - max) over their sum, in float32 as torch computes it; the sum is kept in double.
[[nodiscard]] std::vector<float> softmax(std::span<const float> scores);

/// s - max - log(sum of exp(s - max)), in place.
void log_softmax(Scores scores);

/// The k-th largest score (k from 1), the smallest where there are fewer. One pass over the scores for a small k.
[[nodiscard]] float kth_largest(std::span<const float> scores, std::size_t k);

/// The first index of the largest score; -1 where one is NaN.
[[nodiscard]] std::int64_t most_likely(std::span<const float> scores);

}  // namespace silica::generate

// ---- silica/generate/scores.ipp
#ifndef SILICA_SINGLE_GENERATE_SCORES_IPP
#define SILICA_SINGLE_GENERATE_SCORES_IPP
/// Scores of the next token on the host.

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace silica::generate {

SILICA_INLINE float largest(std::span<const float> scores) {
    constexpr std::size_t lanes = 16;
    float most[lanes];
    unsigned nan[lanes] = {};
    std::fill_n(most, lanes, forbidden);
    std::size_t i = 0;
    for (; i + lanes <= scores.size(); i += lanes) {
        for (std::size_t k = 0; k < lanes; ++k) {
            const float v = scores[i + k];
            most[k] = v > most[k] ? v : most[k];
            nan[k] |= v != v ? 1U : 0U;
        }
    }
    for (; i < scores.size(); ++i) {
        most[0] = scores[i] > most[0] ? scores[i] : most[0];
        nan[0] |= scores[i] != scores[i] ? 1U : 0U;
    }
    if (std::ranges::any_of(nan, [](unsigned n) { return n != 0; })) return std::numeric_limits<float>::quiet_NaN();
    return *std::ranges::max_element(most);
}

SILICA_INLINE std::vector<float> softmax(std::span<const float> scores) {
    std::vector<float> p(scores.begin(), scores.end());
    if (p.empty()) return p;
    const float most = largest(p);
    double sum = 0;
    for (float& v : p) {
        v = v == forbidden && most != forbidden ? 0.0F : std::exp(v - most);
        sum += static_cast<double>(v);
    }
    const auto whole = static_cast<float>(sum);
    for (float& v : p) v /= whole;
    return p;
}

SILICA_INLINE void log_softmax(Scores scores) {
    if (scores.empty()) return;
    const float most = largest(scores);
    double sum = 0;
    for (const float v : scores)
        sum += v == forbidden && most != forbidden ? 0.0 : static_cast<double>(std::exp(v - most));
    const auto log_sum = static_cast<float>(std::log(sum));
    for (float& v : scores) v = v - most - log_sum;
}

SILICA_INLINE float kth_largest(std::span<const float> scores, std::size_t k) {
    k = std::clamp<std::size_t>(k, 1, scores.size());
    if (k > 2048) {
        std::vector<float> all(scores.begin(), scores.end());
        std::ranges::nth_element(all, all.begin() + static_cast<std::ptrdiff_t>(k - 1), std::greater{});
        return all[k - 1];
    }
    std::vector<float> heap(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(k));  // the smallest on top
    std::ranges::make_heap(heap, std::greater{});
    for (const float v : scores.subspan(k)) {
        if (!(v > heap.front())) continue;
        std::ranges::pop_heap(heap, std::greater{});
        heap.back() = v;
        std::ranges::push_heap(heap, std::greater{});
    }
    return heap.front();
}

SILICA_INLINE std::int64_t most_likely(std::span<const float> scores) {
    const float most = largest(scores);
    return most != most ? -1 : std::ranges::find(scores, most) - scores.begin();
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_SCORES_IPP
#endif  // SILICA_SINGLE_GENERATE_SCORES_HPP
// ---- silica/generate/text_stream.hpp
#ifndef SILICA_SINGLE_GENERATE_TEXT_STREAM_HPP
#define SILICA_SINGLE_GENERATE_TEXT_STREAM_HPP
/// Text token by token: what is handed out never changes later, never splits a character, and joined is the text of all
/// tokens. Works with any way of decoding whose text only grows, but for an end that later tokens may still change.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::generate {

/// How tokens become text.
struct TextOf {
    /// The text of tokens, special ones left out.
    std::function<std::string(std::span<const std::int64_t>)> decode = {};
    /// Tokens that change the text before them if anything does: the byte token <0xFF>, which turns the byte tokens
    /// before it into U+FFFD. They are tried to see how much text is final.
    std::vector<std::int64_t> probes = {};

    [[nodiscard]] explicit operator bool() const { return static_cast<bool>(decode); }
};

/// The tokens of one row, and their text as it becomes final.
class TextStream {
public:
    explicit TextStream(TextOf text) : text_(std::move(text)) {}

    /// Takes a token -> what of the text is final now and was not before.
    [[nodiscard]] std::string push(std::int64_t id);
    /// The text behind what was handed out, as it is now.
    [[nodiscard]] const std::string& pending() const noexcept { return pending_; }

private:
    /// How much of `all` later tokens cannot change. A character whose first bytes are there reads U+FFFD so far.
    [[nodiscard]] std::size_t final_length(const std::string& all);

    /// Where all is final, tokens far back are not decoded again; some stay, since a text's first token is decoded
    /// apart.
    void forget(const std::string& all);

    TextOf text_;
    std::vector<std::int64_t> tokens_;
    std::size_t seam_ = 0;   // tokens before this place need no others to be decoded
    std::size_t given_ = 0;  // bytes of the text of tokens_ that were handed out
    std::string pending_;
};

/// Text that ends at a stop string, which is not handed out, nor what might become one.
class StoppedText {
public:
    /// What came of a token: text for the reader, and whether a stop string is complete.
    struct Piece {
        std::string text;
        bool stopped = false;
    };

    StoppedText(TextOf text, std::vector<std::string> stops) : stream_(std::move(text)), stops_(std::move(stops)) {}

    /// Takes a token; `last`: no other follows.
    [[nodiscard]] Piece push(std::int64_t id, bool last);
    /// Text that was held back, where a row ends without a further token.
    [[nodiscard]] std::string rest() const { return held_ + stream_.pending(); }

private:
    /// The longest end of what is held that a stop string begins with.
    [[nodiscard]] std::size_t at_risk() const;

    TextStream stream_;
    std::vector<std::string> stops_;
    std::string held_;
};

/// Whether the text of `tokens` holds a stop string that its last token completes: for texts that are not followed
/// token by token.
[[nodiscard]] bool completes(const TextOf& text, const std::vector<std::string>& stops,
                             std::span<const std::int64_t> tokens);

}  // namespace silica::generate

// ---- silica/generate/text_stream.ipp
#ifndef SILICA_SINGLE_GENERATE_TEXT_STREAM_IPP
#define SILICA_SINGLE_GENERATE_TEXT_STREAM_IPP
/// Text token by token.

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::generate {
namespace detail {

/// Bytes that both begin with, whole characters only.
[[nodiscard]] inline std::size_t common_prefix(std::string_view a, std::string_view b) {
    auto n = static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
    if (n == a.size()) return n;
    while (n > 0 && (static_cast<unsigned char>(a[n]) & 0xC0U) == 0x80U) --n;
    return n;
}

}  // namespace detail

SILICA_INLINE std::string TextStream::push(std::int64_t id) {
    tokens_.push_back(id);
    const std::string all = text_.decode(tokens_);
    const auto end = std::max(given_, final_length(all));
    std::string piece = given_ < all.size() ? all.substr(given_, end - given_) : std::string();
    given_ = end;
    pending_ = end < all.size() ? all.substr(end) : std::string();
    if (pending_.empty()) forget(all);
    return piece;
}

SILICA_INLINE std::size_t TextStream::final_length(const std::string& all) {
    std::size_t n = all.size();
    for (const auto probe : text_.probes) {
        tokens_.push_back(probe);
        n = std::min(n, detail::common_prefix(all, text_.decode(tokens_)));
        tokens_.pop_back();
    }
    constexpr std::string_view replacement = "\xEF\xBF\xBD";
    auto end = all.size();
    while (std::string_view(all).substr(0, end).ends_with(replacement)) end -= replacement.size();
    return std::min(n, end);
}

SILICA_INLINE void TextStream::forget(const std::string& all) {
    constexpr std::size_t few = 8;
    if (tokens_.size() < seam_ + few || all.empty()) return;
    std::vector<std::int64_t> rest(tokens_.begin() + static_cast<std::ptrdiff_t>(seam_), tokens_.end());
    const std::string tail = text_.decode(rest);
    if (tail.empty()) return;
    tokens_ = std::move(rest);
    seam_ = tokens_.size();
    given_ = tail.size();
}

SILICA_INLINE StoppedText::Piece StoppedText::push(std::int64_t id, bool last) {
    held_ += stream_.push(id);
    const std::string all = held_ + stream_.pending();
    auto first = std::string::npos;
    for (const auto& stop : stops_) first = std::min(first, all.find(stop));
    if (first != std::string::npos) return {all.substr(0, first), true};
    if (last) return {all, false};
    const auto n = held_.size() - at_risk();
    Piece piece{held_.substr(0, n), false};
    held_.erase(0, n);
    return piece;
}

SILICA_INLINE std::size_t StoppedText::at_risk() const {
    std::size_t most = 0;
    for (const auto& stop : stops_) {
        for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > most; --n) {
            if (held_.ends_with(std::string_view(stop).substr(0, n))) most = n;
        }
    }
    return most;
}

SILICA_INLINE bool completes(const TextOf& text, const std::vector<std::string>& stops,
                             std::span<const std::int64_t> tokens) {
    if (stops.empty() || tokens.empty()) return false;
    const auto longest = std::ranges::max(stops, {}, &std::string::size).size();
    const auto near = tokens.last(std::min(tokens.size(), longest + 8));  // a token is a byte or more
    const std::string all = text.decode(near), before = text.decode(near.first(near.size() - 1));
    const auto same = detail::common_prefix(all, before);
    return std::ranges::any_of(stops, [&](const std::string& stop) {
        const auto at = all.find(stop, same >= stop.size() ? same - stop.size() + 1 : 0);
        return at != std::string::npos && at + stop.size() > same;
    });
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_TEXT_STREAM_IPP
#endif  // SILICA_SINGLE_GENERATE_TEXT_STREAM_HPP

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::generate {

/// Why a row ended.
enum class Finish {
    eos,          ///< an end token, which is the last of its tokens
    stop_string,  ///< its text holds a stop string
    length,       ///< max_new_tokens, max_length, or the context is full
    time,         ///< max_time
    cancelled     ///< the callback said so
};

/// "eos", "stop_string", ...
[[nodiscard]] constexpr std::string_view name_of(Finish finish) {
    constexpr std::string_view names[] = {"eos", "stop_string", "length", "time", "cancelled"};
    return names[static_cast<std::size_t>(finish)];
}

/// A token that was written.
struct Token {
    std::int64_t row = 0;    ///< of the batch
    std::int64_t index = 0;  ///< how many this row wrote before
    std::int64_t id = 0;
    std::string_view text = {};         ///< text that became final with it; whole characters, often empty. It ends with
                                        ///< the callback: keep a std::string of it
    std::optional<Finish> finish = {};  ///< of the last token of a row
};

/// The tokens that a decoder's state holds: kept by a caller from call to call with one decoder, so that a prompt that
/// goes on where the last text ended (the next turn of a chat) is read from there. Of single texts, without beams and
/// without an encoder; a prompt that does not go on is read whole.
struct Held {
    std::vector<std::int64_t> tokens = {};
};

/// What the caller adds. All of it may be absent.
struct Hooks {
    /// Called for each token, row after row; false ends the call. With beams: once they are chosen.
    std::function<bool(const Token&)> on_token = {};
    /// For text in the callback and for stop strings.
    TextOf text = {};
    /// More processors, before those of sampling.
    std::vector<Processor> processors = {};
    /// What the decoder holds of the last call, and after the call of this one.
    Held* held = nullptr;
};

/// The texts of a call; rows are (batch x num_return_sequences), those of one prompt together.
struct Generated {
    Tensor sequences;  ///< (rows, tokens) int64 on the CPU, as transformers' generate gives them: the prompt or the
                       ///< decoder's start, new tokens, padding
    std::vector<std::vector<std::int64_t>> tokens;  ///< of each row the new ones, its end token included
    std::vector<std::string> texts = {};            ///< their text, where hooks say how; without the stop string
    std::vector<Finish> finish;
    std::vector<float> scores = {};  ///< of beams: log p / length^length_penalty

    std::int64_t start = 0;          ///< tokens of a row of `sequences` before the first new one
    std::int64_t prompt_tokens = 0;  ///< taken before the first new one, padding apart
    std::int64_t held_tokens = 0;    ///< of these, those that the state held already
    std::int64_t new_tokens = 0;     ///< of all rows
    double prefill_seconds = 0;      ///< until the first logits
    double decode_seconds = 0;       ///< from there to the end
};

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_GENERATED_HPP
// ---- silica/generate/plan.hpp
#ifndef SILICA_SINGLE_GENERATE_PLAN_HPP
#define SILICA_SINGLE_GENERATE_PLAN_HPP
/// What a call of generation comes down to: lengths, start tokens, rows. Followed: transformers 5.23,
/// generation/utils.py, _prepare_special_tokens, _prepare_generated_length, _expand_inputs_for_generation.

// ---- silica/generate/config.hpp
#ifndef SILICA_SINGLE_GENERATE_CONFIG_HPP
#define SILICA_SINGLE_GENERATE_CONFIG_HPP
/// How text is chosen: the keys of generation_config.json. Followed: transformers 5.23,
/// generation/configuration_utils.py, whose names, defaults and meaning these are.

#include <boost/hana/adapt_struct.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace silica::generate {

/// When beam search stops: `yes` with the first num_beams finished texts; `no` when the best running one can hardly
/// become better than the worst finished one; `never` when it cannot.
enum class EarlyStopping { no, yes, never };

/// What is added to the score of the last of `tokens` when those before it were just written.
struct SequenceBias {
    std::vector<std::int64_t> tokens;
    double bias = 0;
};

/// From the `start`-th new token on, the score s of the end tokens grows by |s| (factor^(new tokens - start) - 1).
struct LengthDecay {
    std::int64_t start = 0;
    double factor = 1;
};

/// What is absent is as the checkpoint says, else as the default beside it. Sampling keys matter with do_sample only,
/// those of beams with num_beams over 1.
struct GenerationConfig {
    std::optional<std::int64_t> max_length = {};      ///< tokens in all, prompt included. Default: prompt + 20
    std::optional<std::int64_t> max_new_tokens = {};  ///< goes before max_length
    std::optional<std::int64_t> min_length = {};      ///< 0
    std::optional<std::int64_t> min_new_tokens = {};  ///< goes before min_length
    std::optional<double> max_time = {};              ///< seconds; the step that is running ends
    std::optional<std::vector<std::string>> stop_strings = {};      ///< text that ends a row, where decoding is at hand
    std::optional<bool> do_sample = {};                             ///< false: the most likely token
    std::optional<std::int64_t> num_beams = {};                     ///< 1
    std::optional<EarlyStopping> early_stopping = {};               ///< no
    std::optional<double> length_penalty = {};                      ///< 1: score / length^penalty
    std::optional<std::int64_t> num_return_sequences = {};          ///< 1: texts per prompt, at most num_beams
    std::optional<double> temperature = {};                         ///< 1: logits / temperature
    std::optional<std::int64_t> top_k = {};                         ///< 50; 0: all
    std::optional<double> top_p = {};                               ///< 1: the most likely that make up so much
    std::optional<double> min_p = {};                               ///< off: this share of the largest probability
    std::optional<double> top_h = {};                               ///< off: this share of the entropy of the top 100
    std::optional<double> typical_p = {};                           ///< 1: the most typical that make up so much
    std::optional<double> epsilon_cutoff = {};                      ///< 0: the least probability
    std::optional<double> eta_cutoff = {};                          ///< 0: the same, lower where the entropy is high
    std::optional<double> repetition_penalty = {};                  ///< 1: scores of tokens that were there before
    std::optional<double> encoder_repetition_penalty = {};          ///< 1: of tokens of the encoder's text, upwards
    std::optional<double> frequency_penalty = {};                   ///< 0: less this for each time a token was written
    std::optional<double> presence_penalty = {};                    ///< 0: less this where a token was written
    std::optional<std::int64_t> no_repeat_ngram_size = {};          ///< 0: no n tokens in a row twice
    std::optional<std::int64_t> encoder_no_repeat_ngram_size = {};  ///< 0: none of the encoder's text
    std::optional<std::vector<std::vector<std::int64_t>>> bad_words_ids = {};  ///< never completed
    std::optional<std::vector<SequenceBias>> sequence_bias = {};               ///< none
    std::optional<std::vector<std::int64_t>> suppress_tokens = {};             ///< never written
    std::optional<std::vector<std::int64_t>> begin_suppress_tokens = {};       ///< not written first
    std::optional<std::int64_t> forced_bos_token_id = {};                      ///< the first after a single token
    std::optional<std::vector<std::int64_t>> forced_eos_token_id = {};         ///< the last, at max_length
    std::optional<LengthDecay> exponential_decay_length_penalty = {};          ///< none
    std::optional<bool> remove_invalid_values = {};                            ///< NaN to 0, infinities to the largest
    std::optional<bool> renormalize_logits = {};                               ///< log-softmax at the end
    std::optional<std::int64_t> bos_token_id = {};                             ///< what an empty prompt starts with
    std::optional<std::vector<std::int64_t>> eos_token_id = {};                ///< one or several; {}: none
    std::optional<std::int64_t> pad_token_id = {};                             ///< the first eos
    std::optional<std::int64_t> decoder_start_token_id = {};                   ///< bos
    std::optional<std::int64_t> prefill_chunk_size = {};                       ///< 2048; 0: prompts whole
    std::optional<std::uint64_t> seed = {};  ///< 0; of the samples. No key of generation_config.json, so not reflected
    /// Whether a text may go on where the context is full, as transformers lets it, and not end there. No key either.
    bool beyond_context = false;
};

/// true, false or "never".
void read_json(EarlyStopping& value, const Json& json, const std::string& path);
/// [[tokens], bias].
void read_json(SequenceBias& value, const Json& json, const std::string& path);
/// [start, factor].
void read_json(LengthDecay& value, const Json& json, const std::string& path);

}  // namespace silica::generate

BOOST_HANA_ADAPT_STRUCT(silica::generate::GenerationConfig, max_length, max_new_tokens, min_length, min_new_tokens,
                        max_time, stop_strings, do_sample, num_beams, early_stopping, length_penalty,
                        num_return_sequences, temperature, top_k, top_p, min_p, top_h, typical_p, epsilon_cutoff,
                        eta_cutoff, repetition_penalty, encoder_repetition_penalty, frequency_penalty, presence_penalty,
                        no_repeat_ngram_size, encoder_no_repeat_ngram_size, bad_words_ids, sequence_bias,
                        suppress_tokens, begin_suppress_tokens, forced_bos_token_id, forced_eos_token_id,
                        exponential_decay_length_penalty, remove_invalid_values, renormalize_logits, bos_token_id,
                        eos_token_id, pad_token_id, decoder_start_token_id, prefill_chunk_size);

namespace silica::generate {

/// `first`, and where it is silent, `then`.
[[nodiscard]] GenerationConfig merged(GenerationConfig first, const GenerationConfig& then);

}  // namespace silica::generate

// ---- silica/generate/config.ipp
#ifndef SILICA_SINGLE_GENERATE_CONFIG_IPP
#define SILICA_SINGLE_GENERATE_CONFIG_IPP
/// How text is chosen: what is read and merged.

#include <string>
#include <string_view>
#include <type_traits>

namespace silica::generate {

SILICA_INLINE void read_json(EarlyStopping& value, const Json& json, const std::string& path) {
    if (json.is_bool())
        value = json.boolean() ? EarlyStopping::yes : EarlyStopping::no;
    else if (json.is_string() && json.string() == "never")
        value = EarlyStopping::never;
    else
        throw ConfigError(path + " is " + json.brief() + ".", "write true, false or \"never\".");
}

namespace detail {

/// [a, b]. ConfigError for anything else.
inline const Json::Array& pair_of(const Json& json, const std::string& path, const char* what) {
    if (!json.is_array() || json.array().size() != 2)
        throw ConfigError(path + " is " + json.brief() + ".", std::string("write ") + what + ".");
    return json.array();
}

}  // namespace detail

SILICA_INLINE void read_json(SequenceBias& value, const Json& json, const std::string& path) {
    const auto& both = detail::pair_of(json, path, "[[token ids], bias]");
    silica::read_json(value.tokens, both[0], path + "[0]");
    silica::read_json(value.bias, both[1], path + "[1]");
}

SILICA_INLINE void read_json(LengthDecay& value, const Json& json, const std::string& path) {
    const auto& both = detail::pair_of(json, path, "[start, factor]");
    silica::read_json(value.start, both[0], path + "[0]");
    silica::read_json(value.factor, both[1], path + "[1]");
}

SILICA_INLINE GenerationConfig merged(GenerationConfig first, const GenerationConfig& then) {
    for_each_member(then, [&](std::string_view name, const auto& value) {
        for_each_member(first, [&](std::string_view same, auto& mine) {
            if constexpr (std::is_same_v<std::remove_cvref_t<decltype(mine)>, std::remove_cvref_t<decltype(value)>>) {
                if (name == same && !mine.has_value()) mine = value;
            }
        });
    });
    if (!first.seed) first.seed = then.seed;
    first.beyond_context = first.beyond_context || then.beyond_context;
    return first;
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_CONFIG_IPP
#endif  // SILICA_SINGLE_GENERATE_CONFIG_HPP

#include <cstdint>
#include <vector>

namespace silica::generate {

/// A call, checked: `rows` rows that start with the same number of tokens.
struct Plan {
    GenerationConfig config;  ///< with the family's special tokens where it had none
    Prompt prompt;            ///< on the CPU, a row for each text that is followed
    std::int64_t batch = 0, rows = 0;
    std::size_t start = 0, max_length = 0;           ///< tokens of a row before the first new one, and at the end
    std::vector<std::vector<std::int64_t>> history;  ///< (rows) tokens of the decoder so far, padding included
    std::vector<std::size_t> padding;                ///< (rows) of these, padding
    std::vector<std::vector<std::int64_t>> encoder;  ///< (rows) the encoder's text, if it is one; else the prompt
    std::vector<std::int64_t> ends;                  ///< end tokens
    std::int64_t pad = 0;                            ///< what rows that ended are filled with
    std::int64_t prompt_tokens = 0;

    [[nodiscard]] Row row(std::size_t i) const { return {history[i], start, padding[i], encoder[i]}; }
};

/// A call as a plan, of a prompt on the CPU. InputError for whatever is wrong with it.
[[nodiscard]] Plan plan(const DecoderFacts& facts, const Prompt& prompt, GenerationConfig c);

}  // namespace silica::generate

// ---- silica/generate/plan.ipp
#ifndef SILICA_SINGLE_GENERATE_PLAN_IPP
#define SILICA_SINGLE_GENERATE_PLAN_IPP
/// A call as a plan.

// ---- silica/generate/check_config.hpp
#ifndef SILICA_SINGLE_GENERATE_CHECK_CONFIG_HPP
#define SILICA_SINGLE_GENERATE_CHECK_CONFIG_HPP
/// Parameters out of range. Followed: transformers, generation/configuration_utils.py, GenerationConfig.validate, and
/// the constructors of generation/logits_process.py.

namespace silica::generate {

/// Throws InputError with the key, its value and the remedy for a parameter out of range, or for a combination that
/// cannot be. `facts` gives the vocabulary.
void check(const GenerationConfig& c, const DecoderFacts& facts);

}  // namespace silica::generate

// ---- silica/generate/check_config.ipp
#ifndef SILICA_SINGLE_GENERATE_CHECK_CONFIG_IPP
#define SILICA_SINGLE_GENERATE_CHECK_CONFIG_IPP
/// Parameters out of range.

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace silica::generate {
namespace detail {

/// One parameter at a time, each with its key in the error.
struct Ranges {
    /// InputError unless `right`, or absent.
    template <class T, class Right>
    static void require(std::string_view key, const std::optional<T>& value, Right&& right, const char* remedy) {
        if (!value || right(*value)) return;
        std::ostringstream text;
        text << *value;
        throw InputError(std::string(key) + " is " + text.str() + ".", remedy);
    }
    /// From `least` to what 32 bits hold: larger numbers are damage, and would overflow where they are added up.
    static void whole(std::string_view key, const std::optional<std::int64_t>& value, std::int64_t least) {
        require(
            key, value, [&](auto v) { return v >= least; }, (std::to_string(least) + " or more is needed.").c_str());
        require(
            key, value, [](auto v) { return v <= most_of_any; },
            ("at most " + std::to_string(most_of_any) + " is possible.").c_str());
    }
    static constexpr std::int64_t most_of_any = std::numeric_limits<std::int32_t>::max();
    static void positive(std::string_view key, const std::optional<double>& value, const char* remedy) {
        require(key, value, [](double v) { return v > 0 && std::isfinite(v); }, remedy);
    }
    static void share(std::string_view key, const std::optional<double>& value) {
        require(key, value, [](double v) { return v >= 0 && v <= 1; }, "a number from 0 to 1 is needed.");
    }
    static void finite(std::string_view key, const std::optional<double>& value) {
        require(key, value, [](double v) { return std::isfinite(v); }, "a finite number is needed.");
    }
    /// InputError for ids that the vocabulary does not have; without a vocabulary, for negative ones.
    static void ids(std::string_view key, const std::optional<std::vector<std::int64_t>>& ids,
                    std::optional<std::int64_t> vocab) {
        if (!ids) return;
        for (const auto id : *ids) {
            if (id >= 0 && (!vocab || id < *vocab)) continue;
            throw InputError(
                std::string(key) + " is " + std::to_string(id) +
                    (vocab ? ", which is no token: ids from 0 to " + std::to_string(*vocab - 1) + " exist (vocab_size)."
                           : ", which is no token."),
                "correct generation_config.json, or use the tokenizer of this checkpoint.");
        }
    }
    static void id(std::string_view key, const std::optional<std::int64_t>& value, std::optional<std::int64_t> vocab) {
        if (value) ids(key, std::vector{*value}, vocab);
    }
};

}  // namespace detail

SILICA_INLINE void check(const GenerationConfig& c, const DecoderFacts& facts) {
    using R = detail::Ranges;
    const bool sample = c.do_sample.value_or(false);
    const auto beams = c.num_beams.value_or(1);
    R::whole("max_length", c.max_length, 1);
    R::whole("max_new_tokens", c.max_new_tokens, 1);
    R::whole("min_length", c.min_length, 0);
    R::whole("min_new_tokens", c.min_new_tokens, 0);
    R::positive("max_time", c.max_time, "a number of seconds over 0 is needed.");
    R::whole("num_beams", c.num_beams, 1);
    R::whole("num_return_sequences", c.num_return_sequences, 1);
    R::whole("no_repeat_ngram_size", c.no_repeat_ngram_size, 0);
    R::whole("encoder_no_repeat_ngram_size", c.encoder_no_repeat_ngram_size, 0);
    R::whole("prefill_chunk_size", c.prefill_chunk_size, 0);
    R::finite("length_penalty", c.length_penalty);
    R::finite("frequency_penalty", c.frequency_penalty);
    R::finite("presence_penalty", c.presence_penalty);
    R::positive("repetition_penalty", c.repetition_penalty, "a number over 0 is needed; 1 is no penalty.");
    R::positive("encoder_repetition_penalty", c.encoder_repetition_penalty,
                "a number over 0 is needed; 1 is no penalty.");
    if (sample) {
        R::positive("temperature", c.temperature,
                    "a number over 0 is needed; for the most likely token set do_sample to false.");
        R::whole("top_k", c.top_k, 0);
        R::share("top_p", c.top_p);
        R::share("min_p", c.min_p);
        R::require(
            "top_h", c.top_h, [](double v) { return v > 0 && v <= 1; }, "a number over 0, at most 1, is needed.");
        R::require(
            "typical_p", c.typical_p, [](double v) { return v > 0 && v <= 1; },
            "a number over 0, at most 1, is needed.");
        R::require(
            "epsilon_cutoff", c.epsilon_cutoff, [](double v) { return v >= 0 && v < 1; },
            "a number from 0 to below 1 is needed.");
        R::require(
            "eta_cutoff", c.eta_cutoff, [](double v) { return v >= 0 && v < 1; },
            "a number from 0 to below 1 is needed.");
    }
    if (const auto n = c.num_return_sequences.value_or(1); n > 1 && !sample && beams == 1) {
        throw InputError("num_return_sequences is " + std::to_string(n) + ", but the most likely text is one.",
                         "set do_sample, or num_beams to as many or more.");
    } else if (beams > 1 && n > beams) {
        throw InputError("num_return_sequences is " + std::to_string(n) + ", num_beams " + std::to_string(beams) + ".",
                         "ask for as many texts as there are beams, or fewer.");
    }
    if (const auto& decay = c.exponential_decay_length_penalty) {
        R::whole("exponential_decay_length_penalty: start", std::optional(decay->start), -R::most_of_any);
        R::finite("exponential_decay_length_penalty: factor", std::optional(decay->factor));
    }
    if (c.exponential_decay_length_penalty && (!c.eos_token_id || c.eos_token_id->empty()))
        throw InputError("exponential_decay_length_penalty needs an end token.", "set eos_token_id.");

    R::ids("eos_token_id", c.eos_token_id, facts.vocab_size);
    R::ids("forced_eos_token_id", c.forced_eos_token_id, facts.vocab_size);
    R::ids("suppress_tokens", c.suppress_tokens, facts.vocab_size);
    R::ids("begin_suppress_tokens", c.begin_suppress_tokens, facts.vocab_size);
    R::id("forced_bos_token_id", c.forced_bos_token_id, facts.vocab_size);
    if (facts.encoder_decoder) R::id("decoder_start_token_id", c.decoder_start_token_id, facts.vocab_size);
    const auto sequence = [&](std::string_view key, const std::vector<std::int64_t>& tokens) {
        if (tokens.empty()) throw InputError(std::string(key) + " has an empty list of tokens.", "remove it.");
        R::ids(key, tokens, facts.vocab_size);
    };
    for (const auto& word : c.bad_words_ids.value_or(std::vector<std::vector<std::int64_t>>{}))
        sequence("bad_words_ids", word);
    for (const auto& s : c.sequence_bias.value_or(std::vector<SequenceBias>{})) {
        sequence("sequence_bias", s.tokens);
        R::require(
            "sequence_bias", std::optional(s.bias), [](double v) { return !std::isnan(v); }, "a number is needed.");
    }
    for (const auto& text : c.stop_strings.value_or(std::vector<std::string>{})) {
        if (text.empty()) throw InputError("stop_strings has an empty string.", "remove it.");
    }

    const auto all_suppressed = [&](const std::vector<std::int64_t>& forced) {
        return !forced.empty() && c.suppress_tokens && std::ranges::all_of(forced, [&](auto id) {
            return std::ranges::find(*c.suppress_tokens, id) != c.suppress_tokens->end();
        });
    };
    if ((c.forced_bos_token_id && all_suppressed({*c.forced_bos_token_id})) ||
        (c.forced_eos_token_id && all_suppressed(*c.forced_eos_token_id))) {
        throw InputError("suppress_tokens forbids every token that forced_bos_token_id or forced_eos_token_id forces.",
                         "remove them from one of the two; min_new_tokens puts off the end.");
    }
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_CHECK_CONFIG_IPP
#endif  // SILICA_SINGLE_GENERATE_CHECK_CONFIG_HPP

#include <ATen/ops/full.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::generate {
namespace detail {

inline std::vector<std::vector<std::int64_t>> rows_of(const Tensor& ids) {
    const Tensor host = ids.contiguous();
    const auto* id = host.const_data_ptr<std::int64_t>();
    std::vector<std::vector<std::int64_t>> rows;
    for (std::int64_t r = 0; r < host.size(0); ++r)
        rows.emplace_back(id + r * host.size(1), id + (r + 1) * host.size(1));
    return rows;
}

/// Each row `times` times, one after another.
inline Tensor repeated(const Tensor& t, std::int64_t times) { return times == 1 ? t : t.repeat_interleave(times, 0); }

/// InputError for tensors that are not on the CPU: a plan reads them.
inline void require_host(const Prompt& prompt) {
    const auto look = [](std::string_view name, const std::optional<Tensor>& t) {
        if (t && t->defined()) require_device(name, *t, c10::Device(c10::DeviceType::CPU));
    };
    look("input_ids", prompt.input_ids);
    look("attention_mask", prompt.attention_mask);
    look("decoder_input_ids", prompt.decoder_input_ids);
    for (const auto& item : prompt.extra) look(item.first, item.second);
}

/// How many texts are asked for. InputError for a prompt without any.
inline std::int64_t batch_of(const Prompt& prompt) {
    const auto& ids = prompt.input_ids;
    if (ids.defined() && ids.numel() > 0) {
        require_tensor("input_ids", ids, 2, {c10::ScalarType::Long});
        return ids.size(0);
    }
    if (ids.defined() || prompt.extra.empty())
        throw InputError("The prompt has no tokens.", "give at least one, such as bos_token_id.");
    const auto& [name, first] = prompt.extra.front();
    if (!first.defined() || first.dim() == 0 || first.numel() == 0)
        throw InputError("Input " + name + " is empty.", "give a row for each text.");
    return first.size(0);
}

/// Rows of all prompts. More than any device runs at once would fill the host's memory first.
inline std::int64_t rows_of_call(std::int64_t batch, std::int64_t times) {
    constexpr std::int64_t most = 65536;
    if (batch <= most / times) return batch * times;
    throw InputError(std::to_string(batch) + " prompts with " + std::to_string(times) +
                         " texts each (num_beams, num_return_sequences) are too many.",
                     "ask for at most " + std::to_string(most) + " texts at once.");
}

/// Further inputs for rows that are `times` as many. What has a row for each prompt is repeated.
inline Named repeated(const Named& extra, std::int64_t batch, std::int64_t times) {
    Named all;
    for (const auto& [name, t] : extra) {
        if (times > 1 && (t.dim() == 0 || t.size(0) != batch)) {
            throw InputError("Input " + name + " has shape " + shape_text(t.sizes()) + ", not a row for each of " +
                                 std::to_string(batch) + " prompts: it cannot be shared out to several texts of each.",
                             "give one, or set num_beams and num_return_sequences to 1.");
        }
        all.emplace_back(name, repeated(t, times));
    }
    return all;
}

/// How many of a mask are set.
inline std::int64_t count(const Tensor& mask) {
    const auto* m = mask.const_data_ptr<bool>();
    return std::count(m, m + mask.numel(), true);
}

/// The mask of a prompt as bool on the CPU, checked; absent where nothing is masked.
inline std::optional<Tensor> prompt_mask(const Prompt& prompt, bool left) {
    if (!prompt.attention_mask || !prompt.input_ids.defined()) return {};
    require_tensor("attention_mask", *prompt.attention_mask, 2, {c10::ScalarType::Long, c10::ScalarType::Bool});
    require_same_shape("attention_mask", *prompt.attention_mask, "input_ids", prompt.input_ids);
    auto mask = bool_mask(*prompt.attention_mask);
    if (!mask) return {};
    const auto width = mask->size(1);
    const auto* m = mask->const_data_ptr<bool>();
    for (std::int64_t r = 0; r < mask->size(0); ++r) {
        const auto* row = m + r * width;
        if (std::find(row, row + width, true) == row + width)
            throw InputError("Row " + std::to_string(r) + " of the prompt is all padding.", "give it a token.");
        if (left && !row[width - 1])
            throw InputError("Row " + std::to_string(r) + " of the prompt is padded on the right.",
                             "pad on the left: what is written follows the last token.");
    }
    return mask;
}

/// (batch, tokens): what the decoder of an encoder-decoder starts with.
inline Tensor decoder_start(const Prompt& prompt, const GenerationConfig& c, const DecoderFacts& facts,
                            std::int64_t batch) {
    const auto start = c.decoder_start_token_id ? c.decoder_start_token_id : c.bos_token_id;
    if (!start)
        throw InputError(facts.architecture + " starts its text with a token that nothing names.",
                         "set decoder_start_token_id.");
    const Tensor first = at::full({batch, 1}, *start, c10::ScalarType::Long);
    if (!prompt.decoder_input_ids) return first;
    require_tensor("decoder_input_ids", *prompt.decoder_input_ids, 2, {c10::ScalarType::Long});
    const Tensor& given = *prompt.decoder_input_ids;
    if (given.size(0) != batch)
        throw InputError("decoder_input_ids has " + std::to_string(given.size(0)) + " rows, the other inputs have " +
                             std::to_string(batch) + ".",
                         "give all a row for each text.");
    const auto rows = rows_of(given);
    const bool there = std::ranges::any_of(rows, [&](const auto& row) { return row.front() == *start; });
    return there ? given : at::cat({first, given}, 1);
}

/// Tokens of a row at its end. InputError where nothing can be written.
inline std::size_t length_limit(const GenerationConfig& c, const DecoderFacts& facts, std::size_t start) {
    const auto n = static_cast<std::int64_t>(start);
    const auto context = c.beyond_context ? std::nullopt : facts.context;
    if (context && n > *context) {
        throw InputError("The prompt has " + std::to_string(n) + " tokens, the model's context " +
                             std::to_string(*context) + " (max_position_embeddings).",
                         "shorten the prompt.");
    }
    std::int64_t most = n + c.max_new_tokens.value_or(20);
    if (!c.max_new_tokens && c.max_length) {
        most = *c.max_length;
        if (n >= most) {
            throw InputError("The prompt has " + std::to_string(n) + " tokens, max_length is " + std::to_string(most) +
                                 ", prompt included.",
                             "set max_new_tokens instead, or a larger max_length.");
        }
    }
    if (context) most = std::min(most, std::max(*context, n + 1));
    return static_cast<std::size_t>(most);
}

}  // namespace detail

SILICA_INLINE Plan plan(const DecoderFacts& facts, const Prompt& prompt, GenerationConfig c) {
    if (!c.bos_token_id) c.bos_token_id = facts.bos_token_id;
    if (!c.eos_token_id && !facts.eos_token_id.empty()) c.eos_token_id = facts.eos_token_id;
    if (!c.pad_token_id) c.pad_token_id = facts.pad_token_id;
    if (!c.decoder_start_token_id) c.decoder_start_token_id = facts.decoder_start_token_id;
    check(c, facts);
    detail::require_host(prompt);

    Plan p;
    p.batch = detail::batch_of(prompt);
    const auto times = std::max(c.num_beams.value_or(1), c.num_return_sequences.value_or(1));
    p.rows = detail::rows_of_call(p.batch, times);
    const auto mask = detail::prompt_mask(prompt, !facts.encoder_decoder);
    // An encoder runs once for each text, whatever number of rows the decoder follows.
    const auto copies = facts.encoder_decoder ? 1 : times;
    p.prompt.extra = detail::repeated(prompt.extra, p.batch, copies);
    p.encoder.resize(static_cast<std::size_t>(p.rows));
    if (prompt.input_ids.defined()) {
        p.prompt.input_ids = detail::repeated(prompt.input_ids, copies);
        if (mask) p.prompt.attention_mask = detail::repeated(*mask, copies);
        p.encoder = detail::rows_of(detail::repeated(prompt.input_ids, times));
        p.prompt_tokens = mask ? detail::count(*mask) : prompt.input_ids.numel();
    } else if (prompt.attention_mask) {  // of another input, which the family checks
        p.prompt.attention_mask = detail::repeated(*prompt.attention_mask, copies);
    }
    if (facts.encoder_decoder) {
        p.prompt.decoder_input_ids = detail::repeated(detail::decoder_start(prompt, c, facts, p.batch), times);
        p.history = detail::rows_of(*p.prompt.decoder_input_ids);
    } else if (!prompt.input_ids.defined()) {
        throw InputError("The prompt has no tokens.", "give input_ids: " + facts.architecture + " continues them.");
    } else {
        p.history = p.encoder;
    }
    p.start = p.history.front().size();
    p.padding.resize(static_cast<std::size_t>(p.rows));
    if (mask && !facts.encoder_decoder) {
        const auto width = mask->size(1);
        for (std::int64_t r = 0; r < p.rows; ++r) {
            const auto* m = mask->const_data_ptr<bool>() + r / times * width;
            p.padding[static_cast<std::size_t>(r)] = static_cast<std::size_t>(std::find(m, m + width, true) - m);
        }
    }
    p.max_length = detail::length_limit(c, facts, p.start);
    p.ends = c.eos_token_id.value_or(std::vector<std::int64_t>{});
    p.pad = c.pad_token_id.value_or(p.ends.empty() ? 0 : p.ends.front());
    p.config = std::move(c);
    return p;
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_PLAN_IPP
#endif  // SILICA_SINGLE_GENERATE_PLAN_HPP

namespace silica::generate {

/// Follows num_beams texts of each prompt, and gives the best num_return_sequences.
[[nodiscard]] Generated beam_search(Decoder& decoder, Plan plan, const Hooks& hooks);

}  // namespace silica::generate

// ---- silica/generate/beam.ipp
#ifndef SILICA_SINGLE_GENERATE_BEAM_IPP
#define SILICA_SINGLE_GENERATE_BEAM_IPP
/// Beam search.

// ---- silica/generate/host_scores.hpp
#ifndef SILICA_SINGLE_GENERATE_HOST_SCORES_HPP
#define SILICA_SINGLE_GENERATE_HOST_SCORES_HPP
/// Scores on the host, where processors and samples want them.

#include <cstdint>
#include <string>

namespace silica::generate {

/// The scores of each row on the host, float32, to be changed in place. Their memory is kept from step to step.
class HostScores {
public:
    /// Copies logits (rows, vocabulary) of any type from the device of `decoder`.
    void copy(const Decoder& decoder, const Tensor& logits) {
        decoder.on_device([&] {
            if (!host_.defined() || host_.sizes() != logits.sizes())
                host_ = at::empty(logits.sizes(), at::TensorOptions().dtype(c10::ScalarType::Float));
            host_.copy_(logits);
        });
    }
    [[nodiscard]] Scores row(std::size_t r) {
        const auto n = host_.size(1);
        return {host_.mutable_data_ptr<float>() + static_cast<std::int64_t>(r) * n, static_cast<std::size_t>(n)};
    }

private:
    Tensor host_;
};

/// InputError that says that a row's scores are no numbers.
[[noreturn]] inline void no_numbers(std::size_t row) {
    throw InputError("The scores of row " + std::to_string(row) + " are not numbers, or forbid every token.",
                     "use a wider precision (bfloat16, float32), or forbid less.");
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_HOST_SCORES_HPP
// ---- silica/generate/prefill.hpp
#ifndef SILICA_SINGLE_GENERATE_PREFILL_HPP
#define SILICA_SINGLE_GENERATE_PREFILL_HPP
/// Reading a prompt: whole, in pieces, or from where the last text ended.

#include <algorithm>
#include <cstdint>
#include <utility>

namespace silica::generate {
namespace detail {

/// How many tokens of the prompt the state of `decoder` holds, and has room to go on from.
inline std::int64_t held_tokens(const Decoder& decoder, const Plan& p, const Held& held) {
    const auto n = static_cast<std::int64_t>(held.tokens.size());
    const auto& prompt = p.history.front();
    const bool goes_on = p.rows == 1 && !decoder.facts().encoder_decoder && !p.prompt.attention_mask &&
                         p.prompt.extra.empty() && n == decoder.length() && held.tokens.size() < prompt.size() &&
                         decoder.capacity() >= static_cast<std::int64_t>(p.max_length) - 1;
    return goes_on && std::equal(held.tokens.begin(), held.tokens.end(), prompt.begin()) ? n : 0;
}

/// Room for all tokens of the call; where more calls may go on from it, twice that, within the context.
inline std::int64_t capacity_of(const Decoder& decoder, const Plan& p, bool more) {
    const auto needed = static_cast<std::int64_t>(std::max(p.max_length - 1, p.start));
    const auto context = decoder.facts().context;
    return more ? std::max(needed, context ? std::min(*context, 2 * needed) : 2 * needed) : needed;
}

}  // namespace detail

/// Gives the decoder the prompt, a long one in pieces of prefill_chunk_size (one with
/// further inputs whole) -> logits (rows, vocabulary) of what
/// follows. `held` (or null) is empty until `keep` fills it again: a call that fails leaves a state that nobody may go
/// on from. `reused` tokens of the prompt were there.
[[nodiscard]] inline Tensor prefill(Decoder& decoder, const Plan& p, Held* held, std::int64_t& reused) {
    const Held before = held != nullptr ? std::exchange(*held, {}) : Held{};
    reused = before.tokens.empty() ? 0 : detail::held_tokens(decoder, p, before);
    if (reused == 0) decoder.start(p.rows, detail::capacity_of(decoder, p, held != nullptr && p.rows == 1));
    const auto chunk = p.config.prefill_chunk_size.value_or(2048);
    if (decoder.facts().encoder_decoder || !p.prompt.extra.empty()) return decoder.prefill(p.prompt);
    const auto width = p.prompt.input_ids.size(1);
    if (reused == 0 && (chunk == 0 || width <= chunk)) return decoder.prefill(p.prompt);
    Tensor logits;
    for (std::int64_t from = reused; from < width;) {
        const auto to = chunk == 0 ? width : std::min(from + chunk, width);
        Prompt piece{p.prompt.input_ids.slice(1, from, to)};
        if (p.prompt.attention_mask) piece.attention_mask = p.prompt.attention_mask->slice(1, from, to);
        logits = decoder.prefill(piece);
        from = to;
    }
    return logits;
}

/// Fills `held` at the end of a call: the last token was chosen, but the state did not take it.
inline void keep(const Decoder& decoder, const Plan& p, Held* held) {
    if (held == nullptr || p.rows != 1 || decoder.facts().encoder_decoder || !p.prompt.extra.empty()) return;
    const auto& all = p.history.front();
    held->tokens.assign(all.begin(), all.end() - 1);
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_PREFILL_HPP
// ---- silica/generate/processors.hpp
#ifndef SILICA_SINGLE_GENERATE_PROCESSORS_HPP
#define SILICA_SINGLE_GENERATE_PROCESSORS_HPP
/// All that changes scores before a token is chosen, in transformers' order. Followed: transformers 5.23,
/// generation/utils.py, _get_logits_processor.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace silica::generate {

/// The processors that a configuration asks for.
class Processors {
public:
    Processors() = default;

    /// `prompt`: tokens of a row before the first new one, padding included; `max_length`: tokens of a row at its end;
    /// `more`: processors of the caller, which run before those of sampling.
    Processors(const GenerationConfig& c, std::size_t prompt, std::size_t max_length,
               const std::vector<Processor>& more = {});

    /// Whether scores stay as the model gives them.
    [[nodiscard]] bool empty() const noexcept { return all_.empty(); }

    void operator()(Scores scores, const Row& row) {
        for (auto& each : all_) each(scores, row);
    }

private:
    void add(Processor p) { all_.push_back(std::move(p)); }

    /// Beams keep a token more than there are ends, so that one of them goes on.
    void add_warpers(const GenerationConfig& c, std::int64_t ends);

    std::vector<Processor> all_;
};

}  // namespace silica::generate

// ---- silica/generate/processors.ipp
#ifndef SILICA_SINGLE_GENERATE_PROCESSORS_IPP
#define SILICA_SINGLE_GENERATE_PROCESSORS_IPP
/// All that changes scores, in order.

// ---- silica/generate/processors/bias.hpp
#ifndef SILICA_SINGLE_GENERATE_PROCESSORS_BIAS_HPP
#define SILICA_SINGLE_GENERATE_PROCESSORS_BIAS_HPP
/// Tokens that are favoured or forbidden. Followed: transformers, generation/logits_process.py.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace silica::generate {

/// Sets the scores of tokens; ids beyond the scores are left out.
inline void set_scores(Scores scores, const std::vector<std::int64_t>& ids, float value) {
    for (const auto id : ids) {
        if (id >= 0 && static_cast<std::size_t>(id) < scores.size()) scores[static_cast<std::size_t>(id)] = value;
    }
}

/// Adds a bias to the last token of each sequence whose other tokens were just written. Followed:
/// SequenceBiasLogitsProcessor.
class AddBias {
public:
    /// Of two biases for one sequence, the last counts.
    explicit AddBias(const std::vector<SequenceBias>& sequences) {
        for (const auto& [tokens, bias] : sequences) {
            const auto same = std::ranges::find(sequences_, tokens, &Sequence::tokens);
            if (same != sequences_.end())
                same->bias = static_cast<float>(bias);
            else if (!tokens.empty())
                sequences_.push_back({tokens, static_cast<float>(bias)});
        }
    }

    void operator()(Scores scores, const Row& row) {
        sums_.clear();
        for (const auto& [tokens, bias] : sequences_) {
            const auto before = tokens.size() - 1;
            const auto id = static_cast<std::size_t>(tokens.back());
            if (id >= scores.size() || before > row.ids.size() ||
                !std::equal(tokens.begin(), tokens.end() - 1, row.ids.end() - static_cast<std::ptrdiff_t>(before)))
                continue;
            const auto found = std::ranges::find(sums_, id, &std::pair<std::size_t, float>::first);
            if (found == sums_.end())
                sums_.emplace_back(id, bias);
            else
                found->second += bias;
        }
        for (const auto& [id, bias] : sums_) scores[id] += bias;
    }

private:
    struct Sequence {
        std::vector<std::int64_t> tokens;
        float bias;
    };
    std::vector<Sequence> sequences_;
    std::vector<std::pair<std::size_t, float>> sums_;
};

/// Forbids the last token of each sequence whose other tokens were just written; a sequence that is an end token alone
/// does not count. Followed: NoBadWordsLogitsProcessor.
inline Processor forbid_words(const std::vector<std::vector<std::int64_t>>& words,
                              const std::vector<std::int64_t>& ends) {
    std::vector<SequenceBias> sequences;
    for (const auto& word : words) {
        if (word.size() != 1 || std::ranges::find(ends, word.front()) == ends.end())
            sequences.push_back({word, -std::numeric_limits<double>::infinity()});
    }
    return AddBias(sequences);
}

/// Forbids tokens. Followed: SuppressTokensLogitsProcessor.
inline Processor suppress(std::vector<std::int64_t> tokens) {
    return [tokens = std::move(tokens)](Scores scores, const Row&) { set_scores(scores, tokens, forbidden); };
}

/// Forbids tokens where a row is `length` long. Followed: SuppressTokensAtBeginLogitsProcessor.
inline Processor suppress_at(std::vector<std::int64_t> tokens, std::size_t length) {
    return [tokens = std::move(tokens), length](Scores scores, const Row& row) {
        if (row.ids.size() == length) set_scores(scores, tokens, forbidden);
    };
}

/// Where a row is `length` long, only these tokens may follow. Followed: ForcedBOSTokenLogitsProcessor and
/// ForcedEOSTokenLogitsProcessor.
inline Processor force_at(std::vector<std::int64_t> tokens, std::size_t length) {
    return [tokens = std::move(tokens), length](Scores scores, const Row& row) {
        if (row.ids.size() != length) return;
        std::ranges::fill(scores, forbidden);
        set_scores(scores, tokens, 0);
    };
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_PROCESSORS_BIAS_HPP
// ---- silica/generate/processors/entropy.hpp
#ifndef SILICA_SINGLE_GENERATE_PROCESSORS_ENTROPY_HPP
#define SILICA_SINGLE_GENERATE_PROCESSORS_ENTROPY_HPP
/// Which tokens a sample is taken from, by the entropy of their distribution: typical, epsilon, eta and top-h sampling.
/// Followed: transformers, generation/logits_process.py. Each keeps at least `keep` tokens.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace silica::generate {

/// - sum of p log p; tokens that cannot be add nothing.
[[nodiscard]] inline float entropy(std::span<const float> log_p) {
    double sum = 0;
    for (const float v : log_p) {
        if (const float term = v * std::exp(v); !std::isnan(term)) sum -= static_cast<double>(term);
    }
    return static_cast<float>(sum);
}

/// The tokens whose surprise is closest to the entropy, until they make up `p`. Meister et al. 2022,
/// https://arxiv.org/abs/2202.00666. Followed: TypicalLogitsWarper.
inline Processor typical_p(double p, std::int64_t keep) {
    return [p = static_cast<float>(p), keep = static_cast<std::size_t>(keep)](Scores scores, const Row&) {
        std::vector<float> distance(scores.begin(), scores.end());
        log_softmax(distance);
        const float h = entropy(distance);
        for (float& v : distance) v = std::abs(-v - h);
        const auto probability = softmax(scores);
        std::vector<std::size_t> order(scores.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::ranges::stable_sort(order, {}, [&](std::size_t i) { return distance[i]; });
        double sum = 0;
        std::size_t last = 0;
        for (const auto i : order) last += static_cast<float>(sum += static_cast<double>(probability[i])) < p ? 1 : 0;
        const float limit = distance[order[std::min(last, order.size() - 1)]];
        for (std::size_t rank = keep; rank < order.size(); ++rank) {
            if (distance[order[rank]] > limit) scores[order[rank]] = forbidden;
        }
    };
}

/// Forbids what is less likely than `limit` and not among the `keep` most likely.
inline void forbid_unlikely(Scores scores, float limit, std::int64_t keep) {
    const auto probability = softmax(scores);
    const float kept = kth_largest(scores, static_cast<std::size_t>(keep));
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (probability[i] < limit && scores[i] < kept) scores[i] = forbidden;
    }
}

/// What is at least so likely. Hewitt et al. 2022, https://arxiv.org/abs/2210.15191. Followed: EpsilonLogitsWarper.
inline Processor epsilon_cutoff(double epsilon, std::int64_t keep) {
    return [e = static_cast<float>(epsilon), keep](Scores scores, const Row&) { forbid_unlikely(scores, e, keep); };
}

/// The same with the limit min(eta, sqrt(eta) exp(-entropy)). Followed: EtaLogitsWarper.
inline Processor eta_cutoff(double eta, std::int64_t keep) {
    return [e = static_cast<float>(eta), keep](Scores scores, const Row&) {
        std::vector<float> log_p(scores.begin(), scores.end());
        log_softmax(log_p);
        forbid_unlikely(scores, std::min(e, std::sqrt(e) * std::exp(-entropy(log_p))), keep);
    };
}

/// Of the 100 most likely the first whose terms of the entropy make up `share` of it. Baghaei Potraghloo et al. 2025,
/// https://arxiv.org/abs/2509.02510. Followed: TopHLogitsWarper.
inline Processor top_h(double top) {
    return [share = static_cast<float>(top)](Scores scores, const Row&) {
        const auto n = std::min<std::size_t>(100, scores.size());
        std::vector<std::size_t> order(scores.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(n), [&](auto a, auto b) {
            return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
        });
        std::vector<float> log_p;
        for (std::size_t i = 0; i < n; ++i) log_p.push_back(scores[order[i]]);
        log_softmax(log_p);
        const float limit = entropy(log_p) * share;
        double sum = 0;
        std::vector<std::pair<std::size_t, float>> kept;
        for (std::size_t i = 0; i < n; ++i) {
            const float p = std::exp(log_p[i]);
            sum -= static_cast<double>(p * std::log(p));  // NaN where p is 0: none after it
            if (i == 0 || static_cast<float>(sum) <= limit) kept.emplace_back(order[i], scores[order[i]]);
        }
        std::ranges::fill(scores, forbidden);
        for (const auto& [i, score] : kept) scores[i] = score;
    };
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_PROCESSORS_ENTROPY_HPP
// ---- silica/generate/processors/length.hpp
#ifndef SILICA_SINGLE_GENERATE_PROCESSORS_LENGTH_HPP
#define SILICA_SINGLE_GENERATE_PROCESSORS_LENGTH_HPP
/// When a text may end, and scores that are no numbers. Followed: transformers, generation/logits_process.py.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace silica::generate {

/// Forbids the end tokens while a row is shorter than `length`. Followed: MinLengthLogitsProcessor.
inline Processor no_end_before(std::size_t length, std::vector<std::int64_t> ends) {
    return [length, ends = std::move(ends)](Scores scores, const Row& row) {
        if (row.ids.size() < length) set_scores(scores, ends, forbidden);
    };
}

/// Raises the end tokens more with every token. Followed: ExponentialDecayLengthPenalty.
inline Processor urge_end(LengthDecay decay, std::vector<std::int64_t> ends) {
    return [decay, ends = std::move(ends)](Scores scores, const Row& row) {
        const auto over = static_cast<std::int64_t>(row.ids.size() - row.prompt) - decay.start;
        if (over <= 0) return;
        const auto by = static_cast<float>(std::pow(decay.factor, static_cast<double>(over)) - 1);
        for (const auto id : ends) {
            float& s = scores[static_cast<std::size_t>(id)];
            if (std::isfinite(s)) s += std::abs(s) * by;
        }
    };
}

/// NaN to 0, infinities to the largest numbers. Followed: InfNanRemoveLogitsProcessor.
inline void remove_invalid(Scores scores, const Row&) {
    constexpr float most = std::numeric_limits<float>::max();
    for (float& s : scores) s = std::isnan(s) ? 0.0F : std::clamp(s, -most, most);
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_PROCESSORS_LENGTH_HPP
// ---- silica/generate/processors/ngrams.hpp
#ifndef SILICA_SINGLE_GENERATE_PROCESSORS_NGRAMS_HPP
#define SILICA_SINGLE_GENERATE_PROCESSORS_NGRAMS_HPP
/// No n tokens in a row twice. Followed: transformers, generation/logits_process.py.

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace silica::generate {

/// Forbids each token that ends a run of `n` in `text` whose other tokens were just written.
inline void forbid_ngrams(Scores scores, std::span<const std::int64_t> text, std::span<const std::int64_t> written,
                          std::size_t n) {
    if (written.size() + 1 < n) return;
    const auto last = written.last(n - 1);
    for (std::size_t i = 0; i + n <= text.size(); ++i) {
        const auto next = static_cast<std::size_t>(text[i + n - 1]);
        if (next < scores.size() && std::ranges::equal(text.subspan(i, n - 1), last)) scores[next] = forbidden;
    }
}

/// Runs of `n` tokens of a row, its prompt and padding included. Followed: NoRepeatNGramLogitsProcessor.
inline Processor no_repeat_ngrams(std::size_t n) {
    return [n](Scores scores, const Row& row) { forbid_ngrams(scores, row.ids, row.ids, n); };
}

/// Runs of `n` tokens of the encoder's text. Followed: EncoderNoRepeatNGramLogitsProcessor.
inline Processor no_encoder_ngrams(std::size_t n) {
    return [n](Scores scores, const Row& row) { forbid_ngrams(scores, row.encoder, row.ids, n); };
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_PROCESSORS_NGRAMS_HPP
// ---- silica/generate/processors/penalties.hpp
#ifndef SILICA_SINGLE_GENERATE_PROCESSORS_PENALTIES_HPP
#define SILICA_SINGLE_GENERATE_PROCESSORS_PENALTIES_HPP
/// Scores of tokens that were there before.

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace silica::generate {

/// Tokens met in one row, each once.
class Seen {
public:
    /// Calls `f(score)` for the score of each different token of `ids` that has one.
    template <class F>
    void each(Scores scores, std::span<const std::int64_t> ids, F&& f) {
        if (stamps_.size() < scores.size()) stamps_.assign(scores.size(), 0);
        if (++now_ == 0) {
            std::ranges::fill(stamps_, 0U);
            now_ = 1;
        }
        for (const auto id : ids) {
            const auto i = static_cast<std::size_t>(id);
            if (i >= scores.size() || stamps_[i] == now_) continue;
            stamps_[i] = now_;
            f(scores[i]);
        }
    }

private:
    std::vector<std::uint32_t> stamps_;
    std::uint32_t now_ = 0;
};

/// Divides the scores of the tokens of a row (padding apart) by `penalty`, or multiplies them where negative. Keskar et
/// al. 2019, https://arxiv.org/abs/1909.05858, section 4.1. Followed: RepetitionPenaltyLogitsProcessor.
inline Processor repetition_penalty(double penalty) {
    return [p = static_cast<float>(penalty), seen = Seen()](Scores scores, const Row& row) mutable {
        seen.each(scores, row.ids.subspan(row.padding), [p](float& s) { s = s < 0 ? s * p : s / p; });
    };
}

/// The other way round for the tokens of the encoder's text. Followed: EncoderRepetitionPenaltyLogitsProcessor.
inline Processor encoder_repetition_penalty(double penalty) {
    return [p = static_cast<float>(1 / penalty), seen = Seen()](Scores scores, const Row& row) mutable {
        seen.each(scores, row.encoder, [p](float& s) { s = s < 0 ? s * p : s / p; });
    };
}

/// Takes `frequency` for each time that a token was written, and `presence` where it was written at all; the prompt
/// does not count. Followed: OpenAI's parameters of these names, as vLLM applies them.
inline Processor frequency_penalty(double frequency, double presence) {
    return [f = static_cast<float>(frequency), p = static_cast<float>(presence)](Scores scores, const Row& row) {
        std::unordered_map<std::int64_t, int> times;
        for (const auto id : row.ids.subspan(row.prompt)) ++times[id];
        for (const auto& [id, n] : times) {
            if (static_cast<std::size_t>(id) < scores.size())
                scores[static_cast<std::size_t>(id)] -= f * static_cast<float>(n) + p;
        }
    };
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_PROCESSORS_PENALTIES_HPP
// ---- silica/generate/processors/warpers.hpp
#ifndef SILICA_SINGLE_GENERATE_PROCESSORS_WARPERS_HPP
#define SILICA_SINGLE_GENERATE_PROCESSORS_WARPERS_HPP
/// Which tokens a sample is taken from: temperature, top-k, top-p, min-p. Followed: transformers,
/// generation/logits_process.py. Each keeps at least `keep` tokens.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace silica::generate {

/// Divides. Followed: TemperatureLogitsWarper.
inline Processor temperature(double t) {
    return [t = static_cast<float>(t)](Scores scores, const Row&) {
        for (float& s : scores) s /= t;
    };
}

/// Forbids what is below `limit`.
inline void forbid_below(Scores scores, float limit) {
    for (float& s : scores) s = s < limit ? forbidden : s;
}

/// The k most likely, and what is as likely as the k-th. Followed: TopKLogitsWarper.
inline Processor top_k(std::int64_t k, std::int64_t keep) {
    return [k = static_cast<std::size_t>(std::max(k, keep))](Scores scores, const Row&) {
        if (k < scores.size()) forbid_below(scores, kth_largest(scores, k));
    };
}

/// Tokens that are too unlikely to be among the most likely: those whose probability has an exponent (base 2) below
/// `exponent`. Together they make up `mass`.
struct Tail {
    std::uint32_t exponent = 0;
    double mass = 0;

    static std::uint32_t exponent_of(float p) { return std::bit_cast<std::uint32_t>(p) >> 23U; }

    /// The longest tail of at most `limit` that leaves `keep` tokens.
    Tail(std::span<const float> probability, float limit, std::size_t keep) {
        std::array<double, 512> masses{};
        std::array<std::size_t, 512> counts{};
        for (const float p : probability) {
            ++counts[exponent_of(p)];
            if (p > 0) masses[exponent_of(p)] += static_cast<double>(p);  // after top-k most are 0
        }
        for (auto left = probability.size(); exponent < 255; ++exponent) {
            if (static_cast<float>(mass + masses[exponent]) > limit || left - counts[exponent] < keep) break;
            mass += masses[exponent];
            left -= counts[exponent];
        }
    }
};

/// The fewest of the most likely whose probabilities make up `p`; of equals the later ones. Holtzman et al. 2019,
/// https://arxiv.org/abs/1904.09751. Followed: TopPLogitsWarper; only what is near the limit is sorted.
inline Processor top_p(double p, std::int64_t keep) {
    return [limit = static_cast<float>(1 - p), keep = static_cast<std::size_t>(keep)](Scores scores, const Row&) {
        const auto probability = softmax(scores);
        const Tail tail(probability, limit, keep);
        std::vector<std::size_t> rising;
        for (std::size_t i = 0; i < scores.size(); ++i) {
            if (Tail::exponent_of(probability[i]) >= tail.exponent)
                rising.push_back(i);
            else
                scores[i] = forbidden;
        }
        std::ranges::sort(rising, [&](std::size_t a, std::size_t b) {
            return scores[a] < scores[b] || (scores[a] == scores[b] && a < b);
        });
        double sum = tail.mass;
        for (std::size_t rank = 0; rank + keep < rising.size(); ++rank) {
            sum += static_cast<double>(probability[rising[rank]]);
            if (static_cast<float>(sum) > limit) break;
            scores[rising[rank]] = forbidden;
        }
    };
}

/// What is at least `p` times as likely as the most likely. Nguyen et al. 2024, https://arxiv.org/abs/2407.01082.
/// Followed: MinPLogitsWarper.
inline Processor min_p(double p, std::int64_t keep) {
    return [p = static_cast<float>(p), keep = static_cast<std::size_t>(keep)](Scores scores, const Row&) {
        const auto probability = softmax(scores);
        const float limit = p * largest(probability);
        const float kept = kth_largest(scores, keep);
        for (std::size_t i = 0; i < scores.size(); ++i) {
            if (probability[i] < limit && scores[i] < kept) scores[i] = forbidden;
        }
    };
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_PROCESSORS_WARPERS_HPP

#include <algorithm>
#include <optional>
#include <vector>

namespace silica::generate {
namespace detail {

/// Whether a value is there and is not the one that means "off".
inline bool differs(const std::optional<double>& value, double off) { return value && *value != off; }

}  // namespace detail

SILICA_INLINE Processors::Processors(const GenerationConfig& c, std::size_t prompt, std::size_t max_length,
                                     const std::vector<Processor>& more) {
    const auto ends = c.eos_token_id.value_or(std::vector<std::int64_t>{});
    if (c.sequence_bias) add(AddBias(*c.sequence_bias));
    if (detail::differs(c.encoder_repetition_penalty, 1))
        add(encoder_repetition_penalty(*c.encoder_repetition_penalty));
    if (detail::differs(c.repetition_penalty, 1)) add(repetition_penalty(*c.repetition_penalty));
    if (detail::differs(c.frequency_penalty, 0) || detail::differs(c.presence_penalty, 0))
        add(frequency_penalty(c.frequency_penalty.value_or(0), c.presence_penalty.value_or(0)));
    if (const auto n = c.no_repeat_ngram_size.value_or(0); n > 0) add(no_repeat_ngrams(static_cast<std::size_t>(n)));
    if (const auto n = c.encoder_no_repeat_ngram_size.value_or(0); n > 0)
        add(no_encoder_ngrams(static_cast<std::size_t>(n)));
    if (c.bad_words_ids && !c.bad_words_ids->empty()) add(forbid_words(*c.bad_words_ids, ends));
    const auto least = c.min_new_tokens ? prompt + static_cast<std::size_t>(*c.min_new_tokens)
                                        : static_cast<std::size_t>(c.min_length.value_or(0));
    if (least > prompt && !ends.empty()) add(no_end_before(least, ends));
    if (c.forced_bos_token_id && prompt <= 1) add(force_at({*c.forced_bos_token_id}, 1));
    if (c.forced_eos_token_id) add(force_at(*c.forced_eos_token_id, max_length - 1));
    if (c.remove_invalid_values.value_or(false)) add(remove_invalid);
    if (c.exponential_decay_length_penalty) add(urge_end(*c.exponential_decay_length_penalty, ends));
    if (c.suppress_tokens && !c.suppress_tokens->empty()) add(suppress(*c.suppress_tokens));
    if (c.begin_suppress_tokens && !c.begin_suppress_tokens->empty()) {
        const bool forced_first = prompt == 1 && c.forced_bos_token_id;
        add(suppress_at(*c.begin_suppress_tokens, prompt + (forced_first ? 1 : 0)));
    }
    for (const auto& each : more) add(each);
    if (c.do_sample.value_or(false)) add_warpers(c, static_cast<std::int64_t>(ends.size()));
    if (c.renormalize_logits.value_or(false)) add([](Scores scores, const Row&) { log_softmax(scores); });
}

SILICA_INLINE void Processors::add_warpers(const GenerationConfig& c, std::int64_t ends) {
    const std::int64_t keep = c.num_beams.value_or(1) > 1 ? std::max<std::int64_t>(ends, 1) + 1 : 1;
    if (detail::differs(c.temperature, 1)) add(temperature(*c.temperature));
    if (c.top_h) add(top_h(*c.top_h));
    if (const auto k = c.top_k.value_or(50); k != 0) add(top_k(k, keep));
    if (c.top_p.value_or(1) < 1) add(top_p(*c.top_p, keep));
    if (c.min_p) add(min_p(*c.min_p, keep));
    if (c.typical_p.value_or(1) < 1) add(typical_p(*c.typical_p, keep));
    if (c.epsilon_cutoff.value_or(0) > 0) add(epsilon_cutoff(*c.epsilon_cutoff, keep));
    if (c.eta_cutoff.value_or(0) > 0) add(eta_cutoff(*c.eta_cutoff, keep));
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_PROCESSORS_IPP
#endif  // SILICA_SINGLE_GENERATE_PROCESSORS_HPP
// ---- silica/generate/progress.hpp
#ifndef SILICA_SINGLE_GENERATE_PROGRESS_HPP
#define SILICA_SINGLE_GENERATE_PROGRESS_HPP
/// What a call has written so far: rows that go on and rows that ended, text and callbacks, the clock.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace silica::generate {

/// The clock of one call.
class Clock {
public:
    [[nodiscard]] double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Takes each row's tokens as they are chosen, and says which rows ended.
class Progress {
public:
    Progress(Plan& plan, const Hooks& hooks, const Clock& clock) : plan_(plan), hooks_(hooks), clock_(clock) {
        const auto rows = static_cast<std::size_t>(plan.rows);
        finish_.resize(rows);
        if (!hooks.text) return;
        texts_.resize(rows);
        for (std::size_t r = 0; r < rows; ++r)
            streams_.emplace_back(hooks.text, plan.config.stop_strings.value_or(std::vector<std::string>{}));
    }

    /// Adds a token to a row that goes on.
    void take(std::size_t r, std::int64_t id) {
        auto& history = plan_.history[r];
        history.push_back(id);
        const auto index = history.size() - plan_.start - 1;
        std::optional<Finish> finish;
        if (std::ranges::find(plan_.ends, id) != plan_.ends.end())
            finish = Finish::eos;
        else if (history.size() >= plan_.max_length)
            finish = Finish::length;
        else if (plan_.config.max_time && clock_.seconds() > *plan_.config.max_time)
            finish = Finish::time;
        std::string piece;
        if (hooks_.text) {
            auto [text, stopped] = streams_[r].push(id, finish.has_value());
            if (stopped && finish != Finish::eos) finish = Finish::stop_string;
            texts_[r] += text;
            piece = std::move(text);
        }
        if (finish) end(r, *finish);
        ++new_tokens_;
        if (!hooks_.on_token || cancelled_) return;
        const Token token{static_cast<std::int64_t>(r), static_cast<std::int64_t>(index), id, piece, finish};
        cancelled_ = !hooks_.on_token(token);
    }

    [[nodiscard]] bool ended(std::size_t r) const { return finish_[r].has_value(); }
    /// Whether nothing more is to be written: all rows ended, or the callback said so.
    [[nodiscard]] bool done() const { return cancelled_ || ended_ == finish_.size(); }

    /// What came of it. Rows that the callback cut off hold what they have.
    [[nodiscard]] Generated result() && {
        Generated out;
        std::size_t longest = 0;
        for (std::size_t r = 0; r < finish_.size(); ++r) {
            const auto& ids = plan_.history[r];
            longest = std::max(longest, ids.size());
            out.tokens.emplace_back(ids.begin() + static_cast<std::ptrdiff_t>(plan_.start), ids.end());
            if (!finish_[r] && hooks_.text) texts_[r] += streams_[r].rest();
            out.finish.push_back(finish_[r].value_or(Finish::cancelled));
        }
        out.texts = std::move(texts_);
        out.sequences = sequences(plan_.history, longest, plan_.pad);
        out.start = static_cast<std::int64_t>(plan_.start);
        out.prompt_tokens = plan_.prompt_tokens;
        out.new_tokens = new_tokens_;
        return out;
    }

    /// Rows of tokens as one tensor (rows, tokens) int64, filled up on the right.
    static Tensor sequences(const std::vector<std::vector<std::int64_t>>& rows, std::size_t tokens, std::int64_t fill) {
        const auto width = static_cast<std::int64_t>(tokens);
        Tensor all = at::full({static_cast<std::int64_t>(rows.size()), width}, fill, c10::ScalarType::Long);
        auto* id = all.mutable_data_ptr<std::int64_t>();
        for (std::size_t r = 0; r < rows.size(); ++r)
            std::ranges::copy(rows[r], id + static_cast<std::int64_t>(r) * width);
        return all;
    }

private:
    void end(std::size_t r, Finish how) {
        finish_[r] = how;
        ++ended_;
    }

    Plan& plan_;
    const Hooks& hooks_;
    const Clock& clock_;
    std::vector<std::optional<Finish>> finish_;
    std::vector<StoppedText> streams_;
    std::vector<std::string> texts_;
    std::size_t ended_ = 0;
    std::int64_t new_tokens_ = 0;
    bool cancelled_ = false;
};

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_PROGRESS_HPP
// ---- silica/generate/random.hpp
#ifndef SILICA_SINGLE_GENERATE_RANDOM_HPP
#define SILICA_SINGLE_GENERATE_RANDOM_HPP
/// Random numbers of sampling: Philox4x32-10, Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"
/// (https://doi.org/10.1145/2063384.2063405). A number depends on the seed, the row and the place only: the same on
/// every platform, whatever ran before, however many threads there are.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace silica::generate {

/// Ten rounds of Philox: four random words from a 64-bit key and a 128-bit counter.
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox(std::uint64_t key, std::array<std::uint32_t, 4> counter) {
    auto k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32U);
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53U} * counter[0], b = std::uint64_t{0xCD9E8D57U} * counter[2];
        counter = {static_cast<std::uint32_t>(b >> 32U) ^ counter[1] ^ k0, static_cast<std::uint32_t>(b),
                   static_cast<std::uint32_t>(a >> 32U) ^ counter[3] ^ k1, static_cast<std::uint32_t>(a)};
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    return counter;
}

/// The random numbers of one place in one row. The seed is the key; the counter is (draw, place, row, 0).
class Random {
public:
    constexpr Random(std::uint64_t seed, std::uint32_t row, std::uint32_t place)
        : seed_(seed), row_(row), place_(place) {}

    /// The `draw`-th number, uniform in [0, 1), of 53 bits.
    [[nodiscard]] constexpr double uniform(std::uint32_t draw = 0) const {
        const auto words = philox(seed_, {draw, place_, row_, 0});
        return static_cast<double>((std::uint64_t{words[0]} << 32U | words[1]) >> 11U) * 0x1p-53;
    }
    /// The `draw`-th number, of Gumbel's distribution: the largest of log p + gumbel is a sample of p.
    [[nodiscard]] double gumbel(std::uint32_t draw) const {
        return -std::log(-std::log(std::max(uniform(draw), 0x1p-54)));  // of neither 0 nor 1
    }

private:
    std::uint64_t seed_;
    std::uint32_t row_, place_;
};

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_RANDOM_HPP

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::generate {
namespace detail {

inline constexpr float out_of_the_question = -1e9F;

/// A text that is followed, or was finished.
struct Beam {
    std::vector<std::int64_t> ids;
    float score = 0;       ///< log p; of a finished one divided by length^penalty
    std::size_t from = 0;  ///< the beam that it continues
    bool finished = false;
};

/// The indices of the `k` largest, largest first, of equals the first.
inline std::vector<std::size_t> largest_of(std::span<const float> values, std::size_t k) {
    const auto before = [&](std::size_t a, std::size_t b) {
        return values[a] > values[b] || (values[a] == values[b] && a < b);
    };
    std::vector<std::size_t> heap;  // the last of them on top
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (heap.size() == k) {
            if (!before(i, heap.front())) continue;
            std::ranges::pop_heap(heap, before);
            heap.pop_back();
        }
        heap.push_back(i);
        std::ranges::push_heap(heap, before);
    }
    std::ranges::sort_heap(heap, before);
    return heap;
}

/// The beams of one prompt.
class Beams {
public:
    Beams(const Plan& plan, std::size_t row)
        : n_(static_cast<std::size_t>(plan.config.num_beams.value_or(1))),
          keep_(std::max<std::size_t>(2, 1 + plan.ends.size()) * n_),
          early_(plan.config.early_stopping.value_or(EarlyStopping::no)),
          penalty_(plan.config.length_penalty.value_or(1)),
          start_(plan.start),
          max_length_(plan.max_length) {
        for (std::size_t i = 0; i < n_; ++i) {
            running.push_back({plan.history[row], i == 0 ? 0.0F : out_of_the_question, i});
            done.push_back({plan.history[row], out_of_the_question});
        }
    }

    std::vector<Beam> running, done;

    /// Takes the scores of what continues the running beams (beams x vocabulary). `hits(ids)`: the text ends there.
    /// `random`: candidates are drawn instead.
    template <class Hits>
    void step(std::span<const float> scores, std::size_t vocab, Hits&& hits, const Random* random) {
        std::vector<Beam> candidates;
        std::vector<float> open;
        for (const auto i : random ? drawn(scores, *random) : largest_of(scores, keep_)) {
            Beam next{running[i / vocab].ids, scores[i], i / vocab};
            next.ids.push_back(static_cast<std::int64_t>(i % vocab));
            next.finished = hits(next.ids);
            open.push_back(next.score + (next.finished ? out_of_the_question : 0.0F));
            candidates.push_back(std::move(next));
        }
        all_hit_ = std::ranges::all_of(candidates, &Beam::finished);
        const auto length = candidates.front().ids.size();
        std::vector<Beam> going;
        for (const auto i : largest_of(open, n_)) {
            going.push_back(candidates[i]);
            going.back().score = open[i];
        }
        finish(std::move(candidates), length);
        running = std::move(going);
        improvable_ = improvable_ && can_improve(length);
    }

    [[nodiscard]] bool improvable() const noexcept { return improvable_; }
    [[nodiscard]] bool all_hit() const noexcept { return all_hit_; }
    [[nodiscard]] bool full() const { return std::ranges::all_of(done, &Beam::finished); }

private:
    /// The best of what was finished before and now. Of the candidates only the first `num_beams` may finish.
    void finish(std::vector<Beam> candidates, std::size_t length) {
        const auto divisor = static_cast<float>(std::pow(static_cast<double>(length - start_), penalty_));
        const bool closed = full() && early_ == EarlyStopping::yes;
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            Beam& c = candidates[i];
            c.finished = c.finished && i < n_;
            c.score /= divisor;
            c.score += closed ? out_of_the_question : 0.0F;
            c.score += improvable_ ? 0.0F : out_of_the_question;
            c.score += c.finished ? 0.0F : out_of_the_question;
        }
        std::vector<Beam> all = std::move(done);
        std::ranges::move(candidates, std::back_inserter(all));
        std::vector<float> scores;
        for (const Beam& b : all) scores.push_back(b.score);
        done.clear();
        for (const auto i : largest_of(scores, n_)) done.push_back(std::move(all[i]));
    }

    /// Whether the best running beam may become better than the worst finished one.
    [[nodiscard]] bool can_improve(std::size_t length) const {
        const bool to_the_end = early_ == EarlyStopping::never && penalty_ > 0;
        const auto reach = static_cast<double>((to_the_end ? max_length_ : length) - start_);
        const float best = running.front().score / static_cast<float>(std::pow(reach, penalty_));
        const float worst = std::ranges::min(done, {}, &Beam::score).score;
        return std::ranges::any_of(done,
                                   [&](const Beam& b) { return best > (b.finished ? worst : out_of_the_question); });
    }

    /// Without replacement, with the probabilities softmax(scores): the largest of score + Gumbel noise (Kool et al.
    /// 2019, https://arxiv.org/abs/1903.06059).
    [[nodiscard]] std::vector<std::size_t> drawn(std::span<const float> scores, const Random& random) const {
        std::vector<float> noisy(scores.begin(), scores.end());
        for (std::size_t i = 0; i < noisy.size(); ++i) {
            if (noisy[i] != forbidden)
                noisy[i] =
                    static_cast<float>(static_cast<double>(noisy[i]) + random.gumbel(static_cast<std::uint32_t>(i)));
        }
        return largest_of(noisy, keep_);
    }

    std::size_t n_, keep_;
    EarlyStopping early_;
    double penalty_;
    std::size_t start_, max_length_;
    bool improvable_ = true, all_hit_ = false;
};

/// The best num_return_sequences of each prompt, handed to the callback token by token.
inline Generated chosen(const Plan& plan, const std::vector<Beams>& all, const Hooks& hooks, const Clock& clock) {
    const auto n = static_cast<std::size_t>(plan.config.num_beams.value_or(1));
    const auto given = static_cast<std::size_t>(plan.config.num_return_sequences.value_or(1));
    Plan best = plan;
    best.config.max_time.reset();
    best.rows = static_cast<std::int64_t>(all.size() * given);
    best.history.clear();
    std::vector<std::vector<std::int64_t>> texts;
    std::vector<float> scores;
    std::size_t longest = 0;
    for (std::size_t b = 0; b < all.size(); ++b) {
        for (std::size_t i = 0; i < given; ++i) {
            const auto& ids = plan.history[b * n];
            best.history.emplace_back(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(plan.start));
            texts.push_back(all[b].done[i].ids);
            scores.push_back(all[b].done[i].score);
            longest = std::max(longest, texts.back().size());
        }
    }
    Progress progress(best, hooks, clock);
    for (std::size_t r = 0; r < texts.size(); ++r) {
        for (std::size_t i = plan.start; i < texts[r].size() && !progress.ended(r); ++i) progress.take(r, texts[r][i]);
    }
    Generated out = std::move(progress).result();
    const bool no_pad = plan.config.pad_token_id.value_or(0) == 0;  // transformers takes 0 for "none" here
    out.sequences = Progress::sequences(texts, longest, plan.ends.empty() ? -1 : no_pad ? plan.ends.front() : plan.pad);
    out.scores = std::move(scores);
    return out;
}

}  // namespace detail

SILICA_INLINE Generated beam_search(Decoder& decoder, Plan plan, const Hooks& hooks) {
    const Clock clock;
    const auto n = static_cast<std::size_t>(plan.config.num_beams.value_or(1));
    const auto batch = static_cast<std::size_t>(plan.batch);
    const auto stops = plan.config.stop_strings.value_or(std::vector<std::string>{});
    Processors processors(plan.config, plan.start, plan.max_length, hooks.processors);
    std::vector<detail::Beams> all;
    for (std::size_t b = 0; b < batch; ++b) all.emplace_back(plan, b * n);

    const auto hits = [&](const std::vector<std::int64_t>& ids) {
        return std::ranges::find(plan.ends, ids.back()) != plan.ends.end() || ids.size() >= plan.max_length ||
               (plan.config.max_time && clock.seconds() > *plan.config.max_time) ||
               completes(hooks.text, stops, std::span(ids).subspan(plan.start));
    };
    std::int64_t reused = 0;
    Tensor logits = prefill(decoder, plan, hooks.held, reused);
    HostScores scores;
    double prefilled = 0;
    for (std::uint32_t place = 0;; ++place) {
        scores.copy(decoder, logits);
        const auto vocab = static_cast<std::size_t>(logits.size(1));
        if (n * vocab < std::max<std::size_t>(2, 1 + plan.ends.size()) * n)
            throw InputError("num_beams cannot be followed in a vocabulary of " + std::to_string(vocab) + ".",
                             "use the most likely token: num_beams 1.");
        if (place == 0) prefilled = clock.seconds();
        for (std::size_t b = 0; b < batch; ++b) {
            for (std::size_t i = 0; i < n; ++i) {
                const auto r = b * n + i;
                plan.history[r] = all[b].running[i].ids;
                const Scores row = scores.row(r);
                log_softmax(row);
                if (std::isnan(row.front())) no_numbers(r);
                processors(row, plan.row(r));
                for (float& s : row) s += all[b].running[i].score;
            }
            const Random random(plan.config.seed.value_or(0), static_cast<std::uint32_t>(b), place);
            all[b].step({scores.row(b * n).data(), n * vocab}, vocab, hits,
                        plan.config.do_sample.value_or(false) ? &random : nullptr);
        }
        const bool full =
            plan.config.early_stopping == EarlyStopping::yes && std::ranges::all_of(all, &detail::Beams::full);
        if (std::ranges::none_of(all, &detail::Beams::improvable) || full ||
            std::ranges::all_of(all, &detail::Beams::all_hit))
            break;
        Tensor from = at::empty({plan.rows}, c10::ScalarType::Long),
               ids = at::empty({plan.rows}, c10::ScalarType::Long);
        for (std::size_t r = 0; r < batch * n; ++r) {
            const auto& beam = all[r / n].running[r % n];
            from.mutable_data_ptr<std::int64_t>()[r] = static_cast<std::int64_t>(r / n * n + beam.from);
            ids.mutable_data_ptr<std::int64_t>()[r] = beam.ids.back();
        }
        decoder.reorder(from);
        logits = decoder.step(decoder.on_device([&] { return ids.to(decoder.device()); }));
    }

    Generated out = detail::chosen(plan, all, hooks, clock);
    out.prefill_seconds = prefilled;
    out.decode_seconds = clock.seconds() - prefilled;
    return out;
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_BEAM_IPP
#endif  // SILICA_SINGLE_GENERATE_BEAM_HPP
// ---- silica/generate/complete.hpp
#ifndef SILICA_SINGLE_GENERATE_COMPLETE_HPP
#define SILICA_SINGLE_GENERATE_COMPLETE_HPP
/// Writes text: the entry to generation. Start reading here.
///
///     auto model = Model<arch::Llama, device::Cpu>::open("TinyLlama/TinyLlama-1.1B-Chat-v1.0");
///     generate::ModelDecoder decoder(model);
///     auto out = generate::complete(decoder, {.input_ids = ids}, {.max_new_tokens = 50});    // out.sequences

// ---- silica/generate/model_decoder.hpp
#ifndef SILICA_SINGLE_GENERATE_MODEL_DECODER_HPP
#define SILICA_SINGLE_GENERATE_MODEL_DECODER_HPP
/// A Model as a Decoder.

// ---- silica/generate/step.hpp
#ifndef SILICA_SINGLE_GENERATE_STEP_HPP
#define SILICA_SINGLE_GENERATE_STEP_HPP
/// One step of decoding: a token per row in, what follows it out.

// ---- silica/generate/graph_step.hpp
#ifndef SILICA_SINGLE_GENERATE_GRAPH_STEP_HPP
#define SILICA_SINGLE_GENERATE_GRAPH_STEP_HPP
/// A decoding step as a CUDA graph: a few hundred small kernels with one launch.

#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace silica::generate {

namespace detail {

template <class Exec, class Ops>
inline constexpr bool all_native = [] {
    for (const auto& p : silica::detail::table_of<Exec>(typename silica::detail::with_parts<Ops>::type{})) {
        if (!p.native) return false;
    }
    return true;
}();

template <class Model>
constexpr bool can_capture() {
    if constexpr (Model::Device::type == c10::DeviceType::CUDA)
        return all_native<typename Model::Exec, typename Model::Network::Ops>;
    else
        return false;
}

}  // namespace detail

/// Whether a step of `Model` can be recorded: on CUDA, where no op leaves home.
template <class Model>
inline constexpr bool capturable = detail::can_capture<Model>();

/// A step cannot be recorded after all. The device has done nothing of it.
class NotRecorded : public DeviceError {
    using DeviceError::DeviceError;
};

/// Work that is the same each time, on tensors that stay where they are: run as it is at first, then recorded and
/// replayed.
class CapturedStep {
public:
    /// Whether steps of a Model are recorded at all.
    template <class Model>
    static constexpr bool records = capturable<Model>;
    static Availability available() { return device::cuda::Graph::available(); }

    /// Does what `f` does, on `device`. True when `f` ran on the host, false when the device replayed it. What `f` does
    /// on the host alone happens only in the first case. Tensors that `f` makes are overwritten by the next call.
    /// NotRecorded where that fails; what `f` does on the host may have happened then.
    template <class F>
    bool operator()(c10::Device device, F&& f) {
        if (!warm_) {  // libraries make their handles, kernels are compiled
            f();
            warm_ = true;
            return true;
        }
        const bool first = graph_ == nullptr;
        if (first) {
            try {
                auto graph = std::make_unique<device::cuda::Graph>();
                device::cuda::record(*graph, device, f);
                graph_ = std::move(graph);
            } catch (const std::exception& e) {
                throw NotRecorded("A step cannot be recorded: " + std::string(e.what()), "");
            }
        }
        graph_->replay();
        return first;
    }

    /// The work is no longer the same: the next call records anew.
    void forget() { graph_.reset(); }

private:
    std::unique_ptr<device::cuda::Graph> graph_;
    bool warm_ = false;
};

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_GRAPH_STEP_HPP
// ---- silica/model.hpp
#ifndef SILICA_SINGLE_MODEL_HPP
#define SILICA_SINGLE_MODEL_HPP
/// Model<Arch, Device, Precision, Loader>: a network with its weights, ready to be called. Start reading here.

// ---- silica/loader/first_of.hpp
#ifndef SILICA_SINGLE_LOADER_FIRST_OF_HPP
#define SILICA_SINGLE_LOADER_FIRST_OF_HPP
/// FirstOf: tries loaders in turn. Graceful degradation.

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

#include <c10/util/Exception.h>

#include <new>
#include <string>

namespace silica::loader {

/// What the loaders before the one that worked said; read by Model for the account of the load.
SILICA_API inline std::string& degradation_note() {
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

// ---- silica/loader/source.hpp
#ifndef SILICA_SINGLE_LOADER_SOURCE_HPP
#define SILICA_SINGLE_LOADER_SOURCE_HPP
/// What the loaders of files have in common.

#include <cstdint>
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
std::int64_t span_of(const checkpoint::TensorEntry& e);

/// The tensor as the file has it, in memory of its own: one read of the bytes between its first and last element.
Tensor read_whole(const checkpoint::Checkpoint& c, const checkpoint::TensorEntry& e);

/// `t` in this type on this device, contiguous; itself where it is that already.
Tensor placed(const Tensor& t, at::ScalarType dtype, c10::Device device);

}  // namespace silica::loader

// ---- silica/loader/source.ipp
#ifndef SILICA_SINGLE_LOADER_SOURCE_IPP
#define SILICA_SINGLE_LOADER_SOURCE_IPP
/// Definitions of source.hpp.

#include <cstddef>

namespace silica::loader {

SILICA_INLINE std::int64_t span_of(const checkpoint::TensorEntry& e) {
    return static_cast<std::int64_t>(e.nbytes / c10::elementSize(e.dtype));
}

SILICA_INLINE Tensor read_whole(const checkpoint::Checkpoint& c, const checkpoint::TensorEntry& e) {
    const Tensor flat = allocate({span_of(e)}, e.dtype, c10::Device(c10::DeviceType::CPU));
    c.file_of(e).read(e.offset, {static_cast<std::byte*>(flat.mutable_data_ptr()), static_cast<std::size_t>(e.nbytes)});
    return flat.as_strided(e.shape, e.strides);
}

SILICA_INLINE Tensor placed(const Tensor& t, at::ScalarType dtype, c10::Device device) {
    if (t.scalar_type() == dtype && t.device() == device && t.is_contiguous()) return t;
    Tensor out = allocate(t.sizes(), dtype, device);
    out.copy_(t);
    return out;
}

}  // namespace silica::loader
#endif  // SILICA_SINGLE_LOADER_SOURCE_IPP
#endif  // SILICA_SINGLE_LOADER_SOURCE_HPP

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

/// A tensor of every name and shape: normal with deviation 0.02, scales of norms and variances 1. For measuring without
/// a checkpoint.
class Random final : public checkpoint::TensorSource {
public:
    static constexpr std::string_view name = "random";

    [[nodiscard]] const std::vector<checkpoint::TensorEntry>& entries() const override { return none_; }
    [[nodiscard]] std::string where() const override { return "random weights"; }
    [[nodiscard]] bool invents() const override { return true; }
    Tensor read(const checkpoint::TensorEntry& e, at::ScalarType dtype, c10::Device device) override {
        if (e.shape.size() == 1 && (e.name.ends_with("weight") || e.name.ends_with("running_var")))
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

#include <ATen/core/grad_mode.h>
#include <c10/core/DeviceGuard.h>

#include <chrono>
#include <filesystem>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace silica {

/// How a model is opened.
struct OpenOptions {
    c10::DeviceIndex index = 0;  ///< which of several devices of a kind
    bool strict = false;         ///< whether weights that the architecture does not use are an error
};

namespace detail {

/// What an argument that is no State of the model runs into.
template <class Argument, class State>
struct not_a_state_of_this_model {
    static_assert(always_false<Argument>,
                  "this is no state that the model can change. Remedy: keep what its make_state() returns in a "
                  "variable that is not const, and pass that.");
};

/// The part of a text that says what went wrong.
[[nodiscard]] std::string first_line(const std::string& text);

/// CheckpointError for weights that nothing uses.
void refuse_unexpected(const LoadingAccount& account, const std::string& place);

/// The device `index` of a kind that `can` be used. DeviceError where there is none.
[[nodiscard]] c10::Device device_at(c10::DeviceType type, std::string_view name, const Availability& can,
                                    c10::DeviceIndex index);

}  // namespace detail

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
    /// What a text needs while it is written: made by make_state().
    using State = typename detail::state_of<Network>::type;

    /// Opens a directory, a file of weights with its config.json beside it, or "org/name" in the hub cache, named by a
    /// path or a string.
    /// Throws DeviceError (no such device, no memory), ConfigError (config.json), CheckpointError (the weights).
    [[nodiscard]] static Model open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto home = require_device(options);
        const auto place = checkpoint::resolve(location.text());
        std::error_code ignored;
        const bool is_file = std::filesystem::is_regular_file(place, ignored);
        const auto config = checkpoint::read_config<Arch, Precision>(is_file ? place.parent_path() : place);
        const auto files = checkpoint::Checkpoint::open(place);
        loader::degradation_note().clear();
        const auto start = std::chrono::steady_clock::now();
        Model model =
            Loader::load(files, [&](checkpoint::TensorSource& source) { return Model(config, source, home); });
        model.account_.loader = Loader::name;
        if (auto& note = loader::degradation_note(); !note.empty())
            model.account_.notes.push_back(std::exchange(note, {}));
        model.account_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (options.strict) detail::refuse_unexpected(model.account_, place.string());
        return model;
    }

    /// From a configuration and tensors that the caller holds (`loader::InMemory`), or random ones (`loader::Random`).
    template <class Source>
        requires std::derived_from<std::remove_cvref_t<Source>, checkpoint::TensorSource>
    [[nodiscard]] static Model from(const Config& config, Source&& source, OpenOptions options = {}) {
        Arch::check(config, "the configuration");
        Model model(config, source, require_device(options));
        model.account_.loader = std::remove_cvref_t<Source>::name;
        if (options.strict) detail::refuse_unexpected(model.account_, source.where());
        return model;
    }

    /// Runs the network. Inputs may lie on any device; outputs stay on the model's.
    /// Throws InputError for wrong inputs, before anything reaches the device.
    [[nodiscard]] Outputs operator()(const Inputs& inputs) const {
        return on_device([&] { return network_(prepared(inputs)); });
    }

    /// Empty caches for generating `batch` rows of up to `capacity` tokens. The state belongs to one caller at a time.
    /// Throws InputError for less than one of both, and for more than any memory holds.
    [[nodiscard]] State make_state(std::int64_t batch, std::int64_t capacity) const
        requires Generative<Network, Inputs>
    {
        require_state_size(batch, capacity);
        return on_device([&] { return network_.make_state(batch, capacity); });
    }

    /// Takes a prompt, or its next piece: logits of the token that follows, (batch, vocabulary), on the device.
    /// Throws InputError for wrong inputs, and where the state has no room.
    Tensor prefill(const Inputs& inputs, State& state) const
        requires Generative<Network, Inputs>
    {
        return on_device([&] { return network_.prefill(prepared(inputs), state); });
    }

    /// Takes one token per row, ids (batch) int64 on the device: logits of the next, (batch, vocabulary). Their values
    /// are looked at on the CPU only: elsewhere that would wait for the device.
    /// Throws InputError for ids of another shape, type or device, and where the state has no room.
    Tensor step(const Tensor& ids, State& state) const
        requires Generative<Network, Inputs>
    {
        std::optional<std::int64_t> limit;
        if constexpr (requires { config_.vocab_size; }) limit = config_.vocab_size;
        require_step(ids, state.batch(), state.length(), state.capacity(), home_, limit);
        return on_device([&] { return network_.step(ids, state); });
    }

    /// Row i of the state becomes what row `rows[i]` was: rows (batch) int64 on any device, looked at on the CPU only.
    /// Throws InputError for rows that there are not.
    void reorder(const Tensor& rows, State& state) const
        requires Generative<Network, Inputs>
    {
        require_rows(rows, state.batch());
        on_device([&] { state.reorder(rows.to(home_)); });
    }

    /// What is no state of this model's kind does not compile, and the compiler says what to pass.
    template <class Other>
    void prefill(const Inputs&, const Other&) const {
        static_cast<void>(detail::not_a_state_of_this_model<Other, State>());
    }
    /// See prefill.
    template <class Other>
    void step(const Tensor&, const Other&) const {
        static_cast<void>(detail::not_a_state_of_this_model<Other, State>());
    }

    /// What `f` returns, called where the device may be used: in this thread's turn, without gradients, with the
    /// model's device as the current one. May be called inside itself. Throws DeviceError where memory is out.
    template <class F>
    decltype(auto) on_device(F&& f) const {
        return enter(home_, "for this call", "use a smaller batch, shorter inputs or a smaller precision.", f);
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
        const char* remedy = "use a smaller precision or model, or the loader Streamed.";
        return enter(weights.home(), "for the weights", remedy, [&] {
            Network network(config, weights);
            Device::synchronize(weights.home().index());
            return network;
        });
    }

    /// Inputs checked, on the device.
    [[nodiscard]] Inputs prepared(const Inputs& inputs) const {
        std::uint64_t bytes = 0;
        return moved_to(Arch::prepare(config_, inputs), home_, bytes);
    }

    /// See on_device. Memory that is out, and that no op recovered from, is a DeviceError `what` with `remedy`.
    template <class F>
    static decltype(auto) enter(c10::Device home, const char* what, const char* remedy, F&& f) {
        [[maybe_unused]] const auto turn = Device::lock();
        const at::NoGradGuard no_grad;
        const c10::OptionalDeviceGuard on(home.is_cpu() ? std::nullopt : std::optional(home));
        try {
            return f();
        } catch (const c10::Error& e) {
            const bool here = Device::is_out_of_memory(e);
            if (!here && !device::Cpu::is_out_of_memory(e)) throw;
            throw DeviceError(std::string(here ? Device::name : device::Cpu::name) + " has not enough memory " + what +
                                  ": " + detail::first_line(e.what_without_backtrace()),
                              remedy);
        } catch (const std::bad_alloc&) {
            throw DeviceError(std::string(device::Cpu::name) + " has not enough memory " + what + ".", remedy);
        }
    }

    static c10::Device require_device(OpenOptions options) {
        return detail::device_at(Device::type, Device::name, Device::available(), options.index);
    }

    Config config_;
    c10::Device home_;
    Network network_;
    LoadingAccount account_;
};

}  // namespace silica

// ---- silica/model.ipp
#ifndef SILICA_SINGLE_MODEL_IPP
#define SILICA_SINGLE_MODEL_IPP
/// What Model does that depends on none of its types.

#include <c10/core/impl/VirtualGuardImpl.h>

#include <string>

namespace silica::detail {

SILICA_INLINE std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

SILICA_INLINE void refuse_unexpected(const LoadingAccount& account, const std::string& place) {
    if (account.unexpected.empty()) return;
    std::string names;
    for (const auto& name : account.unexpected) {
        if (names.size() > 300) {
            names += ", ...";
            break;
        }
        names += (names.empty() ? "" : ", ") + quote(name);
    }
    throw CheckpointError(place + " holds " + std::to_string(account.unexpected.size()) +
                              " tensors that the architecture does not use: " + names + ".",
                          "open it without OpenOptions::strict, or with the architecture that config.json names.");
}

SILICA_INLINE c10::Device device_at(c10::DeviceType type, std::string_view name, const Availability& can,
                                    c10::DeviceIndex index) {
    if (!can) {
        throw DeviceError(std::string(name) + " cannot be used here: " + can.reason + ".",
                          "choose another device policy, such as device::Cpu.");
    }
    if (type == c10::DeviceType::CPU) return c10::Device(type);
    const auto count = c10::impl::VirtualGuardImpl(type).deviceCount();
    if (index < 0 || index >= count) {
        throw DeviceError("There is no " + std::string(name) + " device " + std::to_string(index) + ", only " +
                              std::to_string(count) + ".",
                          "choose an index from 0 to " + std::to_string(count - 1) + ".");
    }
    return {type, index};
}

}  // namespace silica::detail
#endif  // SILICA_SINGLE_MODEL_IPP
#endif  // SILICA_SINGLE_MODEL_HPP

#include <string>

namespace silica::generate {

/// How steps run.
struct StepOptions {
    bool capture = true;  ///< record the step as a graph where the device and the network can; the results are the same
};

/// Runs steps of one state. The model and the state outlive it. Tensors that come out hold until the next step.
/// `Recording` records and replays them.
template <class Model, class Recording = CapturedStep>
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
#endif  // SILICA_SINGLE_GENERATE_STEP_HPP

#include <optional>
#include <string>
#include <string_view>

namespace silica::generate {

/// Whether a Model writes text: its network is Generative.
template <class Model>
inline constexpr bool writes_text = Generative<typename Model::Network, typename Model::Inputs>;

namespace detail {

/// What an architecture and its configuration say. An Arch may state `encoder_decoder` and `context(config)`; a Config
/// may have vocab_size and ids of special tokens.
template <class Arch>
DecoderFacts facts_of(const typename Arch::Config& config) {
    DecoderFacts facts;
    facts.architecture = Arch::name;
    if constexpr (requires { Arch::encoder_decoder; }) facts.encoder_decoder = Arch::encoder_decoder;
    if constexpr (requires { Arch::context(config); }) facts.context = Arch::context(config);
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
template <class M, class Recording = CapturedStep>
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
        for (const auto& item : prompt.extra) set(item.first, item.second);
        return model_->prefill(inputs, state());
    }

    Tensor step(const Tensor& ids) override { return stepper()(ids); }
    Tensor greedy_step(const Tensor& ids) override { return stepper().greedy(ids); }
    Tensor most_likely(const Tensor& logits) override { return stepper().most_likely(logits); }
    void reorder(const Tensor& rows) override { model_->reorder(rows, state()); }

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
#endif  // SILICA_SINGLE_GENERATE_MODEL_DECODER_HPP

namespace silica::generate {

/// Continues the prompts (or, with an encoder-decoder, answers the texts) as `config` says; what it does not say is
/// transformers' default. Equal to transformers' generate token for token in float32, but for samples, whose random
/// numbers are our own (random.hpp). InputError for wrong prompts and parameters, before the model runs; DeviceError
/// where memory is out.
[[nodiscard]] Generated complete(Decoder& decoder, const Prompt& prompt, const GenerationConfig& config,
                                 const Hooks& hooks = {});

}  // namespace silica::generate

// ---- silica/generate/complete.ipp
#ifndef SILICA_SINGLE_GENERATE_COMPLETE_IPP
#define SILICA_SINGLE_GENERATE_COMPLETE_IPP
/// Generation: from a prompt to texts.

// ---- silica/generate/sample.hpp
#ifndef SILICA_SINGLE_GENERATE_SAMPLE_HPP
#define SILICA_SINGLE_GENERATE_SAMPLE_HPP
/// One text per row: the most likely token each time, or a sample. Followed: transformers 5.23, generation/utils.py,
/// _sample.

namespace silica::generate {

/// Writes until every row ended. Without processors the most likely tokens stay on the device and are only looked at.
[[nodiscard]] Generated sample(Decoder& decoder, Plan plan, const Hooks& hooks);

}  // namespace silica::generate

// ---- silica/generate/sample.ipp
#ifndef SILICA_SINGLE_GENERATE_SAMPLE_IPP
#define SILICA_SINGLE_GENERATE_SAMPLE_IPP
/// One text per row.

#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace silica::generate {
namespace detail {

/// A token drawn with the probabilities softmax(scores), added up in double in the order of the vocabulary.
[[nodiscard]] inline std::int64_t draw(std::span<const float> scores, const Random& random, std::size_t row) {
    const float most = largest(scores);
    std::vector<std::pair<std::size_t, float>> likely;  // exp(score - most) of what can be
    double sum = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (scores[i] == forbidden) continue;
        likely.emplace_back(i, std::exp(scores[i] - most));
        sum += static_cast<double>(likely.back().second);
    }
    if (!(sum > 0) || !std::isfinite(sum)) no_numbers(row);
    double left = random.uniform() * sum;
    for (const auto& [i, weight] : likely) {
        left -= static_cast<double>(weight);
        if (left < 0) return static_cast<std::int64_t>(i);
    }
    return most_likely(scores);  // lost in rounding
}

}  // namespace detail

SILICA_INLINE Generated sample(Decoder& decoder, Plan plan, const Hooks& hooks) {
    const Clock clock;
    Processors processors(plan.config, plan.start, plan.max_length, hooks.processors);
    Progress progress(plan, hooks, clock);
    const bool sampled = plan.config.do_sample.value_or(false), on_device = processors.empty() && !sampled;
    const auto seed = plan.config.seed.value_or(0);
    const auto rows = static_cast<std::size_t>(plan.rows);

    std::int64_t reused = 0;
    Tensor logits = prefill(decoder, plan, hooks.held, reused), ids;
    if (on_device) ids = decoder.most_likely(logits);
    HostScores scores;
    Tensor chosen = at::empty({plan.rows}, c10::ScalarType::Long);
    double prefilled = 0;
    for (std::uint32_t place = 0;; ++place) {
        if (on_device) {
            chosen = decoder.on_device([&] { return ids.to(c10::Device(c10::DeviceType::CPU)); });
        } else {
            scores.copy(decoder, logits);
            for (std::size_t r = 0; r < rows; ++r) {
                if (progress.ended(r)) continue;
                const Scores row = scores.row(r);
                processors(row, plan.row(r));
                auto* id = chosen.mutable_data_ptr<std::int64_t>() + r;
                const Random random(seed, static_cast<std::uint32_t>(r), place);
                *id = sampled ? detail::draw(row, random, r) : most_likely(row);
                if (*id < 0) no_numbers(r);
            }
        }
        if (place == 0) prefilled = clock.seconds();
        for (std::size_t r = 0; r < rows; ++r) {
            if (!progress.ended(r)) progress.take(r, chosen.const_data_ptr<std::int64_t>()[r]);
        }
        if (progress.done()) break;
        // A row that ended goes on in the state with whatever token: rows do not see each other.
        if (on_device)
            ids = decoder.greedy_step(ids);
        else
            logits = decoder.step(decoder.on_device([&] { return chosen.to(decoder.device()); }));
    }
    keep(decoder, plan, hooks.held);
    Generated out = std::move(progress).result();
    out.held_tokens = reused;
    out.prefill_seconds = prefilled;
    out.decode_seconds = clock.seconds() - prefilled;
    return out;
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_SAMPLE_IPP
#endif  // SILICA_SINGLE_GENERATE_SAMPLE_HPP

#include <new>
#include <utility>

namespace silica::generate {
namespace detail {

/// A prompt on the CPU, where it is planned with.
inline Prompt on_host(const Decoder& decoder, Prompt prompt) {
    decoder.on_device([&] {
        const auto home = [](Tensor& t) {
            if (t.defined()) t = t.to(c10::Device(c10::DeviceType::CPU));
        };
        home(prompt.input_ids);
        if (prompt.attention_mask) home(*prompt.attention_mask);
        if (prompt.decoder_input_ids) home(*prompt.decoder_input_ids);
        for (auto& item : prompt.extra) home(item.second);
    });
    return prompt;
}

}  // namespace detail

SILICA_INLINE Generated complete(Decoder& decoder, const Prompt& prompt, const GenerationConfig& config,
                                 const Hooks& hooks) {
    try {
        Plan p = plan(decoder.facts(), detail::on_host(decoder, prompt), config);
        if (p.config.stop_strings && !p.config.stop_strings->empty() && !hooks.text)
            throw InputError("stop_strings are given, but no way to decode tokens.",
                             "set the text of the hooks, or use task::TextGenerator.");
        return p.config.num_beams.value_or(1) > 1 ? beam_search(decoder, std::move(p), hooks)
                                                  : sample(decoder, std::move(p), hooks);
    } catch (const std::bad_alloc&) {
        throw DeviceError("There is not enough memory for the texts.", "ask for fewer or shorter ones.");
    }
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_COMPLETE_IPP
#endif  // SILICA_SINGLE_GENERATE_COMPLETE_HPP
// ---- silica/generate/read_config.hpp
#ifndef SILICA_SINGLE_GENERATE_READ_CONFIG_HPP
#define SILICA_SINGLE_GENERATE_READ_CONFIG_HPP
/// Reads generation_config.json, or what older checkpoints say in config.json.

#include <filesystem>
#include <string>

namespace silica::generate {
namespace detail {

/// The keys that `json` has.
[[nodiscard]] GenerationConfig from_json(const Json& json, const std::string& file);

}  // namespace detail

/// What the checkpoint in `directory` says. As in transformers, generation_config.json alone counts where it is there;
/// else the keys of config.json and of its text_config or decoder. ConfigError for a wrong value, and for a key that is
/// not implemented and asks for something (num_beam_groups, penalty_alpha, ...). A key of generation_config.json that
/// nobody knows is named on stderr.
[[nodiscard]] GenerationConfig read_generation_config(const std::filesystem::path& directory);

}  // namespace silica::generate

// ---- silica/generate/read_config.ipp
#ifndef SILICA_SINGLE_GENERATE_READ_CONFIG_IPP
#define SILICA_SINGLE_GENERATE_READ_CONFIG_IPP
/// Reading generation_config.json.

#include <algorithm>
#include <array>
#include <cstdio>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace silica::generate {
namespace detail {

/// Keys of transformers that change what is written and are not implemented, with the number that means "off".
inline constexpr std::array<std::pair<std::string_view, double>, 16> unsupported{{{"penalty_alpha", 0},
                                                                                  {"num_beam_groups", 1},
                                                                                  {"diversity_penalty", 0},
                                                                                  {"constraints", 0},
                                                                                  {"force_words_ids", 0},
                                                                                  {"dola_layers", 0},
                                                                                  {"guidance_scale", 1},
                                                                                  {"watermarking_config", 0},
                                                                                  {"token_healing", 0},
                                                                                  {"low_memory", 0},
                                                                                  {"use_mtp", 0},
                                                                                  {"prompt_lookup_num_tokens", 0},
                                                                                  {"assistant_early_exit", 0},
                                                                                  {"is_assistant", 0},
                                                                                  {"assistant_ensemble_weight", 0},
                                                                                  {"speculation_type", 0}}};

/// Keys of transformers that do not change what is written: how it computes, caches, guesses ahead and reports.
inline constexpr std::array<std::string_view, 24> without_meaning{"_commit_hash",
                                                                  "_from_model_config",
                                                                  "assistant_confidence_threshold",
                                                                  "assistant_lookbehind",
                                                                  "cache_config",
                                                                  "cache_implementation",
                                                                  "compile_config",
                                                                  "continuous_batching_config",
                                                                  "disable_compile",
                                                                  "dtype",
                                                                  "max_cache_len",
                                                                  "max_matching_ngram_size",
                                                                  "num_assistant_tokens",
                                                                  "num_assistant_tokens_schedule",
                                                                  "output_attentions",
                                                                  "output_hidden_states",
                                                                  "output_logits",
                                                                  "output_scores",
                                                                  "return_dict_in_generate",
                                                                  "target_lookbehind",
                                                                  "torch_dtype",
                                                                  "transformers_version",
                                                                  "trust_remote_code",
                                                                  "use_cache"};

/// Whether GenerationConfig has a key, or it is known to mean nothing or to be refused.
inline bool is_known(std::string_view key) {
    bool found = std::ranges::find(without_meaning, key) != without_meaning.end() ||
                 std::ranges::find(unsupported, key, &std::pair<std::string_view, double>::first) != unsupported.end();
    for_each_member(GenerationConfig{}, [&](std::string_view name, const auto&) { found = found || name == key; });
    return found;
}

/// Names on stderr, once for each file, the keys that neither transformers nor this reader gives a meaning: a misspelt
/// one would else be missed.
inline void announce_unknown(const Json& json, const std::string& file) {
    std::string names;
    for (const auto& [key, value] : json.object()) {
        if (!is_known(key)) names += (names.empty() ? "" : ", ") + quote(key);
    }
    if (names.empty()) return;
    static std::mutex mutex;
    static std::set<std::string> said;
    const std::lock_guard guard(mutex);
    if (said.size() < 1000 && said.insert(file).second)
        std::fprintf(stderr, "silica: %s: no meaning is known for %s (said once)\n", file.c_str(), names.c_str());
}

/// ConfigError for a key that is not implemented and asks for something.
inline void refuse_unsupported(const Json& json, const std::string& file) {
    const char* remedy = "remove the key: this way of generating is not implemented.";
    for (const auto& [key, off] : unsupported) {
        const Json* value = json.find(key);
        if (value == nullptr || value->is_null() || (value->is_bool() && !value->boolean()) ||
            (value->is_number() && value->number() == off) || (value->is_array() && value->array().empty()))
            continue;
        refuse_config(file, key, value->brief(), remedy);
    }
    if (const Json* cache = json.find("cache_implementation");
        cache != nullptr && cache->is_string() && cache->string() == "quantized")
        refuse_config(file, "cache_implementation", cache->brief(), remedy);
}

SILICA_INLINE GenerationConfig from_json(const Json& json, const std::string& file) {
    refuse_unsupported(json, file);
    GenerationConfig config;
    silica::read_json(config, json, file + ":");
    return config;
}

}  // namespace detail

SILICA_INLINE GenerationConfig read_generation_config(const std::filesystem::path& directory) {
    std::error_code ignored;
    if (const auto file = directory / "generation_config.json"; std::filesystem::exists(file, ignored)) {
        const Json json = checkpoint::read_json_file(directory, "generation_config.json");
        auto config = detail::from_json(json, file.string());
        detail::announce_unknown(json, file.string());
        if (!config.eos_token_id) config.eos_token_id.emplace();  // none, whatever config.json says
        return config;
    }
    const auto file = directory / "config.json";
    if (!std::filesystem::exists(file, ignored)) return {};
    const Json json = checkpoint::read_json_file(directory, "config.json");
    GenerationConfig config = detail::from_json(json, file.string());
    for (const char* inner : {"decoder", "generator", "text_config"}) {
        const Json* text = json.find(inner);
        if (text == nullptr || !text->is_object()) continue;
        config = merged(std::move(config), detail::from_json(*text, file.string() + ": " + inner));
        break;
    }
    return config;
}

}  // namespace silica::generate
#endif  // SILICA_SINGLE_GENERATE_READ_CONFIG_IPP
#endif  // SILICA_SINGLE_GENERATE_READ_CONFIG_HPP
// ---- silica/loader/cpu_first.hpp
#ifndef SILICA_SINGLE_LOADER_CPU_FIRST_HPP
#define SILICA_SINGLE_LOADER_CPU_FIRST_HPP
/// CpuFirst: everything into host memory, then to the device. The program's `--alternative-loading`.

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
// ---- silica/nn/batch_norm.hpp
#ifndef SILICA_SINGLE_NN_BATCH_NORM_HPP
#define SILICA_SINGLE_NN_BATCH_NORM_HPP
/// Batch normalisation of a trained network: its statistics are constants, so it scales and shifts each channel.

#include <vector>

namespace silica::nn {

/// y = x * scale + shift, (channels) each, in float64 on the host.
struct BatchNormTerms {
    Tensor scale, shift;
};

/// scale = w / sqrt(var + eps), shift = b - mean * scale (Ioffe and Szegedy 2015, algorithm 2), of `weight`, `bias`,
/// `running_mean` and `running_var` (channels) at `w`.
inline BatchNormTerms batch_norm_terms(const Weights& w, std::int64_t channels, double eps) {
    const auto get = [&](std::string_view name) {
        return w.get(name, {channels}, c10::ScalarType::Double, c10::Device(c10::DeviceType::CPU));
    };
    const Tensor var = get("running_var") + eps;
    if (!(var > 0).all().item<bool>()) {
        throw CheckpointError("Tensor '" + w.path() + ".running_var' holds values that are no variances.",
                              "download the weights again.");
    }
    const Tensor scale = get("weight") / var.sqrt();
    return {scale, get("bias") - get("running_mean") * scale};
}

/// A batch norm that stands alone; after a convolution it is folded into it: nn/conv.hpp.
template <class E>
class BatchNorm {
public:
    using Ops = OpList<>;

    /// `weight`, `bias`, `running_mean` and `running_var` (channels) at `w`.
    BatchNorm(const Weights& w, std::int64_t channels, double eps) {
        const auto terms = batch_norm_terms(w, channels, eps);
        scale_ = terms.scale.to(E::precision::reduce).to(w.home());
        shift_ = terms.shift.to(E::precision::reduce).to(w.home());
    }

    /// x with its channels at `dim` -> as x, in the type of x.
    Tensor operator()(const Tensor& x, std::int64_t dim = 1) const {
        std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
        shape.at(static_cast<std::size_t>(dim)) = scale_.size(0);
        return (x.to(scale_.scalar_type()) * scale_.view(shape) + shift_.view(shape)).to(x.scalar_type());
    }

private:
    Tensor scale_, shift_;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_BATCH_NORM_HPP
// ---- silica/nn/conv.hpp
#ifndef SILICA_SINGLE_NN_CONV_HPP
#define SILICA_SINGLE_NN_CONV_HPP
/// A convolution with its bias, over one, two or three dimensions.

// ---- silica/nn/conv_recipe.hpp
#ifndef SILICA_SINGLE_NN_CONV_RECIPE_HPP
#define SILICA_SINGLE_NN_CONV_RECIPE_HPP
/// Recipes of convolutions: as the checkpoint has them, with a batch norm folded in, or as lengths and directions.

#include <algorithm>
#include <optional>
#include <vector>

namespace silica::nn {

/// A convolution as configurations describe it. Lists have a number for each dimension of the kernel; an empty one
/// stands for stride 1, padding 0, dilation 1.
struct ConvSize {
    std::int64_t in, out;  ///< channels
    std::vector<std::int64_t> kernel, stride = {}, padding = {}, dilation = {};
    std::int64_t groups = 1;
    std::optional<bool> bias = {};  ///< absent: if the checkpoint has it

    /// (out, in / groups, kernel...).
    [[nodiscard]] std::vector<std::int64_t> weight() const {
        std::vector<std::int64_t> shape{out, in / std::max<std::int64_t>(groups, 1)};
        shape.insert(shape.end(), kernel.begin(), kernel.end());
        return shape;
    }
    [[nodiscard]] op::ConvSteps steps() const {
        const auto filled = [&](const std::vector<std::int64_t>& list, std::int64_t n) {
            return list.empty() ? std::vector<std::int64_t>(kernel.size(), n) : list;
        };
        return {filled(stride, 1), filled(padding, 0), filled(dilation, 1), groups};
    }
    [[nodiscard]] bool biased(const Weights& w) const { return bias.value_or(w.has("bias")); }
};

namespace detail {

/// A tensor for recipes that compute: in float64 on the host, so that they round once.
inline Tensor take_exact(const Weights& w, std::string_view name, const std::vector<std::int64_t>& shape) {
    return w.get(name, shape, c10::ScalarType::Double, c10::Device(c10::DeviceType::CPU));
}

/// What a recipe computed, as `take` gives what is there.
template <class Op, class E>
Tensor rounded(const Weights& w, const Tensor& exact) {
    return exact.to(E::precision::compute).to(device_of<Op, E>(w));
}

/// (n) as one of `rank` dimensions, the one at `dim`.
inline Tensor along(const Tensor& t, std::size_t rank, std::size_t dim) {
    std::vector<std::int64_t> shape(rank, 1);
    shape.at(dim) = t.size(0);
    return t.view(shape);
}

}  // namespace detail

/// `weight` (out, in / groups, kernel...) and `bias` (out) at `w`.
template <class Op, class E>
op::PlainConv plain_conv(const Weights& w, const ConvSize& size) {
    std::optional<Tensor> bias;
    if (size.biased(w)) bias = take<Op, E>(w, "bias", {size.out});
    return {take<Op, E>(w, "weight", size.weight()), std::move(bias), size.steps()};
}

/// The same with the batch norm at `norm` after it: W' = W scale, b' = b scale + shift, output by output.
template <class Op, class E>
op::PlainConv batch_normed_conv(const Weights& w, const ConvSize& size, const Weights& norm, double eps) {
    const auto [scale, shift] = batch_norm_terms(norm, size.out, eps);
    const auto shape = size.weight();
    const Tensor weight = detail::take_exact(w, "weight", shape) * detail::along(scale, shape.size(), 0);
    const Tensor bias = size.biased(w) ? detail::take_exact(w, "bias", {size.out}) * scale + shift : shift;
    return {detail::rounded<Op, E>(w, weight), detail::rounded<Op, E>(w, bias), size.steps()};
}

/// W = g v / |v|, `weight_g` being lengths along `dim` and |v| those of `weight_v` over all other dimensions (Salimans
/// and Kingma 2016, equation 2).
template <class Op, class E>
op::PlainConv weight_normed_conv(const Weights& w, const ConvSize& size, std::size_t dim) {
    const auto shape = size.weight();
    std::vector<std::int64_t> lengths(shape.size(), 1), others;
    lengths.at(dim) = shape.at(dim);
    for (std::size_t i = 0; i < shape.size(); ++i) {
        if (i != dim) others.push_back(static_cast<std::int64_t>(i));
    }
    const Tensor v = detail::take_exact(w, "weight_v", shape);
    const Tensor weight = detail::take_exact(w, "weight_g", lengths) * v / (v * v).sum(others, true).sqrt();
    std::optional<Tensor> bias;
    if (size.biased(w)) bias = take<Op, E>(w, "bias", {size.out});
    return {detail::rounded<Op, E>(w, weight), std::move(bias), size.steps()};
}

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_CONV_RECIPE_HPP

namespace silica::nn {

/// y = W * x + b.
template <class E>
class Conv {
public:
    using Ops = OpList<op::Conv, op::ConvActivation, op::ConvAdd>;

    /// `weight` (out, in / groups, kernel...) and `bias` (out) at `w`.
    Conv(const Weights& w, const ConvSize& size) : Conv(plain_conv<op::Conv, E>(w, size)) {}
    /// The same and the batch norm at `norm` after it, folded into one.
    static Conv batch_normed(const Weights& w, const ConvSize& size, const Weights& norm, double eps) {
        return Conv(batch_normed_conv<op::Conv, E>(w, size, norm, eps));
    }
    /// `weight_g`, lengths along `dim`, and directions `weight_v`; `bias` as ever.
    static Conv weight_normed(const Weights& w, const ConvSize& size, std::size_t dim) {
        return Conv(weight_normed_conv<op::Conv, E>(w, size, dim));
    }
    explicit Conv(op::PlainConv source) : weight_(std::move(source)) {}

    /// x (batch, in, size...) -> (batch, out, places...).
    Tensor operator()(const Tensor& x) const { return run<op::Conv, E>(x, weight_); }
    /// act(W * x + b).
    Tensor operator()(const Tensor& x, Activation act) const { return run<op::ConvActivation, E>(x, weight_, act); }
    /// act(W * x + b + residual).
    Tensor add(const Tensor& x, const Tensor& residual, Activation act = Activation::linear) const {
        return run<op::ConvAdd, E>(x, weight_, residual, act);
    }

private:
    Prepared<op::Conv, E> weight_;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_CONV_HPP
// ---- silica/nn/group_norm.hpp
#ifndef SILICA_SINGLE_NN_GROUP_NORM_HPP
#define SILICA_SINGLE_NN_GROUP_NORM_HPP
/// Group normalisation with its scale and shift.

namespace silica::nn {

/// y = (x - mean) / sqrt(var + eps) * w + b, mean and var over a group of channels at all positions.
template <class E>
class GroupNorm {
public:
    using Ops = OpList<op::GroupNorm>;

    /// `weight` (channels) and `bias` (channels) at `w`.
    GroupNorm(const Weights& w, std::int64_t groups, std::int64_t channels, double eps)
        : weight_(take_home<E>(w, "weight", {channels})),
          bias_(take_home<E>(w, "bias", {channels})),
          groups_(groups),
          eps_(eps) {}

    /// x (batch, channels, size...) -> as x.
    Tensor operator()(const Tensor& x) const { return run<op::GroupNorm, E>(x, weight_, bias_, groups_, eps_); }

private:
    Tensor weight_, bias_;
    std::int64_t groups_;
    double eps_;
};

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_GROUP_NORM_HPP
// ---- silica/nn/pad.hpp
#ifndef SILICA_SINGLE_NN_PAD_HPP
#define SILICA_SINGLE_NN_PAD_HPP
/// More of a tensor at its ends, in one dimension.

#include <vector>

namespace silica::nn {

/// x with `before` and `after` times `value` around it in `dim`.
inline Tensor pad(const Tensor& x, std::int64_t dim, std::int64_t before, std::int64_t after, double value = 0) {
    op::law(dim >= -x.dim() && dim < x.dim() && before >= 0 && after >= 0, "pad",
            "a tensor that has the dimension, and 0 or more values at each end", x);
    std::vector<Tensor> parts;
    const auto more = [&](std::int64_t n) {
        auto shape = x.sizes().vec();
        shape.at(static_cast<std::size_t>(dim < 0 ? dim + x.dim() : dim)) = n;
        if (n > 0) parts.push_back(at::full(shape, value, x.options()));
    };
    more(before);
    parts.push_back(x);
    more(after);
    return parts.size() == 1 ? x : at::cat(parts, dim);
}

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_PAD_HPP
// ---- silica/nn/roll.hpp
#ifndef SILICA_SINGLE_NN_ROLL_HPP
#define SILICA_SINGLE_NN_ROLL_HPP
/// A tensor moved round in a circle, in one dimension.

namespace silica::nn {

/// y[(i + shift) mod n] = x[i] in `dim`; a negative shift moves the other way.
inline Tensor roll(const Tensor& x, std::int64_t shift, std::int64_t dim) {
    op::law(dim >= -x.dim() && dim < x.dim(), "roll", "a tensor that has the dimension", x);
    const std::int64_t n = x.size(dim);
    if (n == 0 || shift % n == 0) return x;
    const std::int64_t first = (n - shift % n) % n;  // of x, in front
    return at::cat({x.narrow(dim, first, n - first), x.narrow(dim, 0, first)}, dim);
}

}  // namespace silica::nn
#endif  // SILICA_SINGLE_NN_ROLL_HPP
