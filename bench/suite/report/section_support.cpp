/// What runs where.

#include "suite/report/cells.hpp"
#include "suite/report/matrix.hpp"
#include "suite/report/sections.hpp"

namespace silica::bench::suite::report {
namespace {

Tone tone_of(const MatrixCell& cell) {
    switch (cell.support) {
        case Support::native:
            return cell.failed > 0 || cell.simulated ? Tone::warning : Tone::good;
        case Support::with_fallbacks:
            return Tone::warning;
        case Support::failed:
            return Tone::bad;
        case Support::not_available:
        case Support::not_compiled:
        case Support::not_run:
            break;
    }
    return Tone::quiet;
}

}  // namespace

Section support_section(const Data& data) {
    Section section{.id = "support", .heading = "What runs where"};
    const Matrix m = matrix_of(data);
    if (m.families.empty() || m.precisions.empty()) {
        section.blocks.emplace_back("There are no rows.");
        return section;
    }
    section.blocks.emplace_back(
        "Native: every op ran on its own device. With fallbacks: some op ran elsewhere. Simulated: on a test device "
        "that "
        "computes on the CPU, which shows where ops run and nothing else. Not compiled: the program that wrote this "
        "report "
        "does not have it, and no row names it.");
    std::string without_rows;
    for (std::size_t d = 0; d < m.hardware.size(); ++d) {
        if (!m.has_rows(d)) {
            const auto& cell = m.at(0, d, 0);
            without_rows +=
                (without_rows.empty() ? "" : ", ") + m.hardware[d] + " (" +
                std::string(name_of(cell.support == Support::not_compiled ? Support::not_compiled : Support::not_run)) +
                ")";
            continue;
        }
        Table table{.caption = m.hardware[d], .columns = {{"family"}}};
        for (const auto& precision : m.precisions) table.columns.push_back({precision.empty() ? "-" : precision});
        for (std::size_t f = 0; f < m.families.size(); ++f) {
            std::vector<Cell> row = {{.text = m.families[f].empty() ? "unknown family" : m.families[f]}};
            for (std::size_t p = 0; p < m.precisions.size(); ++p)
                row.push_back({.text = m.at(f, d, p).text(), .tone = tone_of(m.at(f, d, p))});
            table.rows.push_back(std::move(row));
        }
        section.blocks.emplace_back(std::move(table));
    }
    if (!without_rows.empty()) section.blocks.emplace_back("Without any row: " + without_rows + ".");
    return section;
}

}  // namespace silica::bench::suite::report
