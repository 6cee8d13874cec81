#include "suite/report/markdown.hpp"

#include "suite/report/escape.hpp"

namespace silica::bench::suite::report {
namespace {

struct Writer {
    std::string& out;

    void operator()(const std::string& sentence) const { out += markdown_text(sentence) + "\n\n"; }
    void operator()(const Heading& heading) const { out += "### " + markdown_text(heading.text) + "\n\n"; }
    void operator()(const Legend& /*unused*/) const {}
    void operator()(const BarPlot& /*unused*/) const {}
    void operator()(const LinePlot& /*unused*/) const {}
    void operator()(const Table& table) const {
        out += "**" + markdown_text(table.caption) + "**\n\n|";
        for (const auto& column : table.columns) out += " " + markdown_text(column.heading) + " |";
        out += "\n|";
        for (const auto& column : table.columns) out += column.number ? "---:|" : "---|";
        out += '\n';
        Marks marks;
        for (const auto& row : table.rows) {
            out += '|';
            for (const auto& cell : row) {
                out += ' ' + markdown_text(cell.text);
                if (cell.marks.any()) ((out += " (") += letters(cell.marks)) += ')';
                marks = marks | cell.marks;
                out += " |";
            }
            out += '\n';
        }
        out += '\n';
        const std::string key = meaning(marks);
        if (!table.note.empty()) out += markdown_text(table.note) + "\n\n";
        if (!key.empty()) out += markdown_text(key) + "\n\n";
    }
};

}  // namespace

std::string markdown(const Document& document) {
    std::string out = "# " + markdown_text(document.title) + "\n\n" + markdown_text(document.lead) + "\n\n";
    const Writer write{out};
    for (const auto& section : document.sections) {
        out += "## " + markdown_text(section.heading) + "\n\n";
        for (const auto& block : section.blocks) std::visit(write, block);
    }
    while (out.ends_with("\n\n")) out.pop_back();
    return out;
}

}  // namespace silica::bench::suite::report
