#pragma once
/// Two runs side by side: for people, and for CI, which wants one answer.

#include <string>
#include <vector>

#include "suite/report/data.hpp"
#include "suite/report/document.hpp"

namespace silica::bench::suite::report {

/// What `silica compare A B` says.
struct Compared {
    std::vector<RunFacts> before, after;  ///< the runs that A and B are made of
    std::vector<Entry> before_rows, after_rows;
    std::vector<Change> changes;                        ///< rows that both have; each judged for itself
    std::vector<const Entry*> only_before, only_after;  ///< measured rows that one side lacks
    std::vector<std::string> differences;               ///< "another machine: ..." and the like, whole sentences
    double bound = usual_bound;

    Compared() = default;
    Compared(const Compared&) = delete;  // `changes` points into the rows
    Compared& operator=(const Compared&) = delete;
    Compared(Compared&&) = default;
    Compared& operator=(Compared&&) = default;
    ~Compared() = default;

    /// Whether some row of a real device became slower than the bound, beyond its interval.
    [[nodiscard]] bool slower() const;
};

/// B against A. Where a side has a row twice, its last counts.
[[nodiscard]] Compared comparison_of(std::vector<Source> before, std::vector<Source> after, double bound);

/// The comparison as sentences and tables.
[[nodiscard]] Document document_of(const Compared& compared);
/// The comparison as JSON: docs/reports.md has its fields.
[[nodiscard]] nlohmann::ordered_json json_of(const Compared& compared);
/// "2 slower, 1 faster, 7 the same, 0 unclear of 10 rows that both have".
[[nodiscard]] std::string summary_of(const Compared& compared);

}  // namespace silica::bench::suite::report
