#pragma once
/// Checks of what a state of generation is asked for, on the host and without waiting for a device.

#include "silica/core/tensor.hpp"

#include <cstdint>
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

#ifndef SILICA_COMPILED
#include "silica/core/state_inputs.ipp"
#endif
