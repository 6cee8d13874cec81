#pragma once
/// Definitions of weights.hpp.

#include "silica/checkpoint/companions.hpp"
#include "silica/checkpoint/nearest.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/checkpoint/weights.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"

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
    account.notes = tree_->source.notes();
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
