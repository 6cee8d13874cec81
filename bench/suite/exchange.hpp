#pragma once
/// Runs as JSON: from one machine's store to another's.

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "suite/store.hpp"

namespace silica::bench::suite {

/// A run with its rows, as an object: {"format": "silica-run", "version": 1, "run": {...}, "rows": [...]}.
[[nodiscard]] nlohmann::ordered_json exported(const Run& run, const std::vector<StoredRow>& rows);

/// A run with its rows out of a text: what `exported` gave, or what `silica bench --output json` or `jsonl` printed.
/// `origin` says where it came from. What bench printed has no time: it gets the present one. InputError for anything
/// else.
[[nodiscard]] std::pair<Run, std::vector<StoredRow>> imported(std::string_view text, const std::string& origin);

/// The same out of a file, which is then the origin and, where the run has no name, gives it.
[[nodiscard]] std::pair<Run, std::vector<StoredRow>> imported_file(const std::filesystem::path& file);

}  // namespace silica::bench::suite
