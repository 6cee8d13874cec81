#pragma once
/// Definitions of names.hpp.

#include "silica/checkpoint/names.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"

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
