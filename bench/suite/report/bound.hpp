#pragma once
/// --bound: how much slower counts.

#include <string>

namespace silica::bench::suite::report {

/// "5%" and "0.05" as 0.05; from 0 to 10 (1000 %). InputError for anything else.
[[nodiscard]] double bound_of(const std::string& text);

}  // namespace silica::bench::suite::report
