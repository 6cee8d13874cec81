#pragma once
/// Runs out of files that `silica bench --output json` or jsonl wrote, perhaps on another machine and long ago.

#include <filesystem>
#include <vector>

#include "suite/store.hpp"

namespace silica::bench::suite {

/// A run and its rows.
struct RunWithRows {
    Run run;
    std::vector<StoredRow> rows;
};

/// One run for each machine and version that the rows of the file are of. Run::origin is the name of the file; what a
/// file does not say (name, command, times) is empty. InputError for a file that cannot be read, is not such JSON, or
/// is larger than 1 GiB.
[[nodiscard]] std::vector<RunWithRows> read_runs(const std::filesystem::path& file);

/// What one row of such JSON says, as the store has it: state, reason, samples, marks and job.
[[nodiscard]] StoredRow stored_row(nlohmann::ordered_json row);

}  // namespace silica::bench::suite
