#include "suite/report/text.hpp"

#include <algorithm>
#include <cstddef>

#include "suite/report/escape.hpp"

namespace silica::bench::suite::report {
namespace {

/// How many columns of a terminal a text takes, wide characters not considered.
std::size_t width_of(const std::string& text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string cell_text(const Cell& cell) {
    std::string text = plain(cell.text);
    if (cell.marks.any()) ((text += " (") += letters(cell.marks)) += ')';
    return text;
}

struct Writer {
    std::string& out;

    void operator()(const std::string& sentence) const { out += plain(sentence) + "\n"; }
    void operator()(const Heading& heading) const { out += "\n" + plain(heading.text) + "\n"; }
    void operator()(const Legend& /*unused*/) const {}
    void operator()(const BarPlot& /*unused*/) const {}
    void operator()(const LinePlot& /*unused*/) const {}
    void operator()(const Table& table) const {
        std::vector<std::vector<std::string>> lines(1);
        for (const auto& column : table.columns) lines[0].push_back(plain(column.heading));
        Marks marks;
        for (const auto& row : table.rows) {
            lines.emplace_back();
            for (const auto& cell : row) {
                lines.back().push_back(cell_text(cell));
                marks = marks | cell.marks;
            }
        }
        std::vector<std::size_t> widths(table.columns.size(), 0);
        for (const auto& line : lines)
            for (std::size_t i = 0; i < std::min(line.size(), widths.size()); ++i)
                widths[i] = std::max(widths[i], width_of(line[i]));
        out += "\n" + plain(table.caption) + "\n";
        for (const auto& line : lines) {
            std::string text;
            for (std::size_t i = 0; i < std::min(line.size(), widths.size()); ++i) {
                const std::string space(widths[i] - width_of(line[i]), ' ');
                text += (i == 0 ? "" : "  ") + (table.columns[i].number ? space + line[i] : line[i] + space);
            }
            text.erase(text.find_last_not_of(' ') + 1);
            out += text + "\n";
        }
        const std::string key = meaning(marks);
        for (const auto& note : {table.note, key})
            if (!note.empty()) out += plain(note) + "\n";
    }
};

}  // namespace

std::string terminal_text(const Document& document) {
    std::string out = plain(document.lead) + "\n";
    const Writer write{out};
    for (const auto& section : document.sections)
        for (const auto& block : section.blocks) std::visit(write, block);
    return out;
}

}  // namespace silica::bench::suite::report
