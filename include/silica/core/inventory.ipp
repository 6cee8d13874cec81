#pragma once
/// Definitions of inventory.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/inventory.hpp"

namespace silica {

// A tensor of the meta device has a storage of its own, which its views share.
SILICA_INLINE void Inventory::read(const Tensor& t, const std::string& name) {
    const void* at = t.storage().unsafeGetStorageImpl();
    alive_.push_back(t);
    numbers_[at] = names_.emplace(name, names_.size()).first->second;
    read_[at] = true;
}

SILICA_INLINE void Inventory::read_codes(const Tensor& codes, const std::string& name, const std::string& matrix) {
    read(codes, name);
    in_codes_.insert(matrix);
}

SILICA_INLINE std::size_t Inventory::number_of(const Tensor& t, bool& as_read) {
    const void* at = t.storage().unsafeGetStorageImpl();
    as_read = read_.contains(at);
    if (const auto found = numbers_.find(at); found != numbers_.end()) return found->second;
    alive_.push_back(t);
    const auto number = names_.emplace("\n" + std::to_string(names_.size()), names_.size()).first->second;
    return numbers_[at] = number;
}

SILICA_INLINE void Inventory::keep(const Tensor& t, bool product, bool host) {
    KeptWeight w{.elements = t.numel(), .bytes = static_cast<std::uint64_t>(t.nbytes()), .host = host};
    w.tensor = number_of(t, w.as_read);
    if (product && t.dim() == 2) w.rows = t.size(0), w.columns = t.size(1);
    kept_.push_back(w);
}

SILICA_INLINE void Inventory::keep_codes(const Tensor& codes, const Tensor& scales, const Tensor& biases, int bits,
                                         std::int64_t rows, std::int64_t columns, bool host) {
    KeptWeight w{.elements = rows * columns, .rows = rows, .columns = columns, .bits = bits, .host = host};
    w.bytes = static_cast<std::uint64_t>(codes.nbytes() + scales.nbytes() + biases.nbytes());
    w.tensor = number_of(codes, w.as_read);
    kept_.push_back(w);
}

}  // namespace silica
