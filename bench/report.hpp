#pragma once
/// How the rows of a benchmark are printed.

#include <ostream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "arguments.hpp"
#include "measure.hpp"

namespace silica::bench {

/// How many times as fast a row is as the cpu's of the same model, task and sizes.
struct Speedup {
    double times = 0;
    std::string against;  ///< "cpu float32"
};

/// Against the cpu row of the same precision, or else the first cpu row. Nothing for the cpu itself, for a simulated
/// device (its speed means nothing) and where no such row was measured.
[[nodiscard]] std::optional<Speedup> speedup(const Row& row, const std::vector<Row>& rows);

/// One row with the field names of the peers.
[[nodiscard]] nlohmann::ordered_json row_json(const Row& row, const std::vector<Row>& rows);

/// All rows. JSON is one line: the row itself where there is one, {"rows": [...]} where there are more.
void print_report(std::ostream& out, Output output, const std::vector<Row>& rows);

/// "gelu to cpu, 12 per call, 3.1 % of the time"; "none".
[[nodiscard]] std::string fallback_text(const Measured& m);

}  // namespace silica::bench
