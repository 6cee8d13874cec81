#include "suite/report/html.hpp"

#include <algorithm>

#include "suite/report/escape.hpp"
#include "suite/report/page.hpp"
#include "suite/report/plot.hpp"

namespace silica::bench::suite::report {
namespace {

constexpr std::size_t most_open = 40;     ///< tables of more rows are folded,
constexpr std::size_t most_built = 100;   ///< and of more than these are not built before they are opened
constexpr std::size_t most_in_line = 48;  ///< texts of more bytes may take several lines

std::string_view class_of(Tone tone) {
    switch (tone) {
        case Tone::good:
            return "g";
        case Tone::bad:
            return "b";
        case Tone::warning:
            return "w";
        case Tone::quiet:
            return "q";
        case Tone::plain:
            break;
    }
    return "";
}

/// Such a table is text to a browser that runs scripts, until it is opened: thousands of rows cost nothing before. A
/// browser without scripts has it as it stands.
bool is_large(const Table& table) { return table.rows.size() > most_built; }

bool has_large(const Document& document) {
    for (const auto& section : document.sections)
        for (const auto& block : section.blocks)
            if (const auto* table = std::get_if<Table>(&block); table != nullptr && is_large(*table)) return true;
    return false;
}

class Writer {
public:
    explicit Writer(std::string& out) : out_(out) {}

    void operator()(const std::string& sentence) {
        leave_plots();
        element("p", sentence);
    }
    void operator()(const Heading& heading) {
        leave_plots();
        element("h3", heading.text);
    }
    void operator()(const Legend& legend) {
        leave_plots();
        append_legend(out_, legend);
    }
    void operator()(const BarPlot& plot) { figure(plot); }
    void operator()(const LinePlot& plot) { figure(plot); }
    void operator()(const Table& table) {
        enter(table.narrow ? Group::facts : Group::none);
        const bool folded = table.rows.size() > most_open, large = is_large(table);
        if (folded) {
            out_ += large ? "<details class=\"large\"><summary>" : "<details><summary>";
            append_html(out_, table.caption + " (" + std::to_string(table.rows.size()) + " rows)");
            out_ += "</summary>";
        }
        if (large) out_ += "<noscript>";
        out_ += "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"";
        append_html(out_, table.caption);
        out_ += "\"><table><caption>";
        append_html(out_, table.caption);
        out_ += "</caption><thead><tr>";
        for (const auto& column : table.columns) {
            out_ += column.number ? "<th scope=\"col\" class=\"n\">" : "<th scope=\"col\">";
            append_html(out_, column.heading);
            out_ += "</th>";
        }
        out_ += "</tr></thead><tbody>\n";
        const Marks marks = rows(table);
        out_ += "</tbody></table></div>";
        if (large) out_ += "</noscript>";
        const std::string key = meaning(marks);
        if (!key.empty() || !table.note.empty()) {
            out_ += "<p class=\"key\">";
            append_html(out_, table.note + (table.note.empty() || key.empty() ? "" : " ") + key);
            out_ += "</p>";
        }
        if (folded) out_ += "</details>";
        out_ += '\n';
    }
    void leave_plots() { enter(Group::none); }

private:
    /// Plots that follow each other stand beside each other, and so do narrow tables.
    enum class Group { none, plots, facts };
    void enter(Group group) {
        if (group == group_) return;
        if (group_ != Group::none) out_ += "</div>\n";
        if (group != Group::none)
            out_ += group == Group::plots ? "<div class=\"plots\">" : "<div class=\"plots facts\">";
        group_ = group;
    }

    void element(std::string_view name, std::string_view text) {
        ((out_ += '<') += name) += '>';
        append_html(out_, text);
        ((out_ += "</") += name) += ">\n";
    }

    template <class Plot>
    void figure(const Plot& plot) {
        enter(Group::plots);
        out_ += "<figure><figcaption>";
        append_html(out_, plot.title);
        out_ += "</figcaption>";
        append_svg(out_, plot, ++plots_);
        out_ += "</figure>";
    }

    /// End tags that HTML lets one leave out are left out: large tables are half as long.
    Marks rows(const Table& table) {
        Marks marks;
        for (const auto& row : table.rows) {
            out_ += "<tr>";
            for (std::size_t i = 0; i < row.size(); ++i) {
                const auto& cell = row[i];
                const auto tone = class_of(cell.tone);
                const bool number = i < table.columns.size() && table.columns[i].number;
                const bool large = !number && cell.text.size() > most_in_line;
                out_ += number ? "<td class=\"n" : large ? "<td class=\"l" : tone.empty() ? "<td" : "<td class=\"";
                if (!tone.empty() && (number || large)) out_ += ' ';
                out_ += tone;
                out_ += number || large || !tone.empty() ? "\">" : ">";
                append_html(out_, cell.text);
                if (cell.marks.any()) {
                    marks = marks | cell.marks;
                    (out_ += "<sup>") += letters(cell.marks);
                    out_ += "</sup>";
                }
            }
            out_ += '\n';
        }
        return marks;
    }

    std::string& out_;
    std::size_t plots_ = 0;
    Group group_ = Group::none;
};

std::size_t size_of(const Document& document) {
    std::size_t size = 1 << 16;
    for (const auto& section : document.sections)
        for (const auto& block : section.blocks)
            if (const auto* table = std::get_if<Table>(&block)) size += table->rows.size() * table->columns.size() * 24;
    return size;
}

}  // namespace

std::string html(const Document& document) {
    std::string out;
    out.reserve(size_of(document));
    out +=
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
        "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'sha256-";
    (((out += script_hash) += "'; style-src 'sha256-") += style_hash) += "'; base-uri 'none'; form-action 'none'\">\n";
    out +=
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" "
        "content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n<title>";
    append_html(out, document.title);
    ((out += "</title>\n<style>") += style) += "</style>\n</head>\n<body>\n";
    out += patterns() + "\n<header><h1>";
    append_html(out, document.title);
    out += "</h1><p class=\"lead\">";
    append_html(out, document.lead);
    if (has_large(document)) {
        out += "</p><p class=\"lead\">Tables of more than " + std::to_string(most_built) +
               " rows are folded: open one to see it, 200 rows at a time or all. Its headings sort and its filter "
               "searches all of its rows, also those that are not shown; the search of the browser does not see them.";
    }
    out += "</p><nav aria-label=\"Sections\"><ul>";
    for (const auto& section : document.sections) {
        out += "<li><a href=\"#";
        append_html(out, section.id);
        out += "\">";
        append_html(out, section.heading);
        out += "</a></li>";
    }
    out += "</ul></nav></header>\n<main>\n";
    Writer write(out);
    for (const auto& section : document.sections) {
        out += "<section id=\"";
        append_html(out, section.id);
        out += "\"><h2>";
        append_html(out, section.heading);
        out += "</h2>\n";
        for (const auto& block : section.blocks) std::visit(write, block);
        write.leave_plots();
        out += "</section>\n";
    }
    ((out += "</main>\n<script>") += script) += "</script>\n</body>\n</html>\n";
    return out;
}

}  // namespace silica::bench::suite::report
