#pragma once
/// Weight-name rules: the many spellings of one family's checkpoints, as data, and the one spelling networks use.
///
/// The canonical spelling is that of the hub ("legacy"): what `save_pretrained` writes. transformers v5 uses other
/// names in memory (its `conversion_mapping.py`), and some files have those; they carry or lack the prefix of the base
/// model.

#include "silica/checkpoint/entry.hpp"
#include "silica/checkpoint/name_pattern.hpp"

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

#ifndef SILICA_COMPILED
#include "silica/checkpoint/names.ipp"
#endif
