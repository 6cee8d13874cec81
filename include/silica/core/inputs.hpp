#pragma once
/// Checks of input tensors, on the host, before anything reaches a device.

#include "silica/core/tensor.hpp"

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

#ifndef SILICA_COMPILED
#include "silica/core/inputs.ipp"
#endif
