#pragma once
/// A report as JSON. docs/reports.md has its fields.

#include "suite/report/data.hpp"

namespace silica::bench::suite::report {

/// The version of what follows; a field that is added does not change it.
inline constexpr int json_schema = 1;

/// Everything: runs, machines, rows, and what follows from them.
[[nodiscard]] nlohmann::ordered_json json_of(const Data& data);

/// Which row it is: model, family, task, hardware, precision, loader, batch_size, sizes, with simulated and weights.
[[nodiscard]] nlohmann::ordered_json identity_json(const Entry& entry);
/// [low, high]; null where there is none.
[[nodiscard]] nlohmann::ordered_json interval_json(double low, double high);
/// A change with its numbers and verdict.
[[nodiscard]] nlohmann::ordered_json change_json(const Change& change);

}  // namespace silica::bench::suite::report
