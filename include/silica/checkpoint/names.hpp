#pragma once
/// Weight-name rules: the many spellings of one family's checkpoints, as data, and the one spelling networks use.
///
/// The canonical spelling is that of the hub ("legacy"): what `save_pretrained` writes. transformers v5 uses other
/// names in memory (its `conversion_mapping.py`), and some files have those; they carry or lack the prefix of the base
/// model.

#include "silica/checkpoint/entry.hpp"
#include "silica/checkpoint/name_pattern.hpp"
#include "silica/core/error.hpp"

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
    std::string place = {};                       ///< what all names begin with: "vision_tower."; empty: the root
    std::vector<NameRules> parts = {};            ///< families mounted at places of their own

    /// The same family mounted at `where`, which ends with a dot: `Llama::names().under("language_model.")`.
    [[nodiscard]] NameRules under(std::string_view where) const {
        NameRules mounted = *this;
        mounted.place.insert(0, where);
        return mounted;
    }
    /// `own` with `part` mounted: own renames come first, on the whole name, and bring it to the part's place; what lies
    /// there the part spells.
    [[nodiscard]] friend NameRules operator+(NameRules own, NameRules part) {
        own.parts.push_back(std::move(part));
        return own;
    }
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
    std::vector<std::string> tied = {};                            ///< those of `NameRules::tied`, with their places
};

/// Applies rules to names; made once per family, used for every tensor.
class NameTranslator {
public:
    /// InputError when a pattern is malformed.
    explicit NameTranslator(const NameRules& rules)
        : place_(rules.place), base_(rules.base_prefix), heads_(rules.head_prefixes) {
        for (const auto& [from, to] : legacy_renames()) renames_.emplace_back(from, to);
        for (const auto& [from, to] : rules.renames) renames_.emplace_back(from, to);
        for (const auto& pattern : rules.ignored) ignored_.emplace_back(pattern, pattern);
        for (const auto& part : rules.parts) parts_.emplace_back(part);
        for (const auto& name : rules.tied) tied_.push_back(place_ + name);
        for (const auto& part : parts_)
            for (const auto& name : part.tied_) tied_.push_back(place_ + name);
    }

    /// The canonical spelling of `name`: without its base prefix, then each rename in turn (once per name), then as the
    /// part spells it at whose place it lies, or with the base prefix unless it begins like a head. A name outside of the
    /// family's place stays as it is.
    [[nodiscard]] std::string canonical(std::string_view name) const {
        if (!name.starts_with(place_)) return std::string(name);
        const std::string stem = stem_of(name);
        if (const auto* part = part_of(stem)) return place_ + part->canonical(stem);
        for (const auto& head : heads_)
            if (stem.starts_with(head)) return place_ + stem;
        return place_ + base_ + stem;
    }

    /// Whether `name` is known and read by no network.
    [[nodiscard]] bool ignored(std::string_view name) const {
        if (!name.starts_with(place_)) return false;
        const std::string stem = stem_of(name);
        for (const auto& pattern : ignored_)
            if (pattern.matches(stem)) return true;
        const auto* part = part_of(stem);
        return part != nullptr && part->ignored(stem);
    }

    /// Canonical names that a file leaves out where they equal another.
    [[nodiscard]] const std::vector<std::string>& tied() const noexcept { return tied_; }

private:
    [[nodiscard]] std::string stem_of(std::string_view name) const {
        name.remove_prefix(place_.size());
        if (!base_.empty() && name.starts_with(base_)) name.remove_prefix(base_.size());
        std::string stem(name);
        for (const auto& rename : renames_) rename.apply(stem);
        return stem;
    }
    [[nodiscard]] const NameTranslator* part_of(std::string_view stem) const {
        for (const auto& part : parts_)
            if (stem.starts_with(part.place_)) return &part;
        return nullptr;
    }

    std::string place_, base_;
    std::vector<std::string> heads_, tied_;
    std::vector<NamePattern> renames_, ignored_;
    std::vector<NameTranslator> parts_;
};

/// The entries by canonical name. CheckpointError when two entries that are not the same bytes get one name.
[[nodiscard]] inline CanonicalNames canonical_names(std::span<const TensorEntry> entries, const NameRules& rules) {
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
