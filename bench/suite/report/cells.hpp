#pragma once
/// Cells, labels and colours that the sections of a report share.

#include <initializer_list>
#include <set>
#include <string>
#include <vector>

#include "suite/report/data.hpp"
#include "suite/report/document.hpp"

namespace silica::bench::suite::report {

/// A number as number_text has it, with its marks; "-" without marks where there is none.
[[nodiscard]] Cell number_cell(double value, Marks marks);
/// Mebibytes in the same way.
[[nodiscard]] Cell memory_cell(double mb, Marks marks);
/// "1.28 to 1.35"; "-" where an end is no number.
[[nodiscard]] Cell interval_cell(double low, double high, Marks marks);
/// A ratio "1.23x".
[[nodiscard]] Cell ratio_cell(double ratio, Marks marks);

/// "1 row", "3 rows".
[[nodiscard]] std::string counted(std::size_t n, std::string_view what);

/// The columns that say which row it is: model, task, machine, run and threads where there are several, hardware,
/// precision, loader, batch, inputs; without those in `omitted`.
class Identity {
public:
    explicit Identity(const Data& data, std::set<std::string> omitted = {});

    [[nodiscard]] std::vector<Column> columns(std::initializer_list<Column> further) const;
    [[nodiscard]] std::vector<Cell> cells(const Entry& entry) const;

private:
    [[nodiscard]] bool has(const char* name) const { return !omitted_.contains(name); }

    const Data& data_;
    std::set<std::string> omitted_;
};

/// "bert-tiny, embed, batch 1, 128 tokens".
[[nodiscard]] std::string work_label(const Entry& entry);
/// "cpu, float32, mapped"; with the machine where there are several.
[[nodiscard]] std::string place_label(const Data& data, const Entry& entry);

/// The colour of hardware in all plots.
[[nodiscard]] std::size_t colour_of(const std::string& hardware);
/// A legend of the hardware of these bars' rows.
[[nodiscard]] Legend legend_of(const std::vector<const Entry*>& entries);

/// "remarks" of a row: "noisy" as a warning.
[[nodiscard]] Cell remarks_cell(const Entry& entry);

}  // namespace silica::bench::suite::report
