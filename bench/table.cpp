#include "table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "errors.hpp"

namespace silica::bench {
namespace {

/// How many columns of a terminal a UTF-8 text takes, wide characters not considered.
std::size_t width_of(const std::string& text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

std::string padded(const std::string& text, std::size_t width, bool right) {
    const std::string space(width - std::min(width, width_of(text)), ' ');
    return right ? space + text : text + space;
}

std::string csv_cell(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + '"';
}

std::string md_cell(const std::string& text) {
    std::string escaped;
    for (const char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
    return escaped;
}

}  // namespace

std::string fixed(double value, int digits) {
    if (std::isnan(value)) return "nan";  // which has a sign for printf
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

void Table::print(std::ostream& out, Output output) const {
    auto rows = rows_;
    if (output != Output::csv) {  // whose cells may have lines
        for (auto& row : rows) {
            for (auto& cell : row) cell = printable(cell);
        }
    }
    std::vector<std::size_t> widths;
    for (const auto& c : columns_) widths.push_back(std::max<std::size_t>(width_of(c.heading), 3));
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
    }
    const auto line = [&](auto&& cell, std::string_view before, std::string_view between, std::string_view after) {
        std::string text(before);
        for (std::size_t i = 0; i < columns_.size(); ++i) text += (i != 0 ? std::string(between) : "") + cell(i);
        text += after;
        if (output == Output::table) text.erase(text.find_last_not_of(' ') + 1);
        out << text << '\n';
    };
    const auto print_row = [&](auto&& text_of) {
        if (output == Output::csv) {
            line([&](std::size_t i) { return csv_cell(text_of(i)); }, "", ",", "");
        } else if (output == Output::md) {
            line([&](std::size_t i) { return padded(md_cell(text_of(i)), widths[i], columns_[i].number); }, "| ", " | ",
                 " |");
        } else {
            line([&](std::size_t i) { return padded(text_of(i), widths[i], columns_[i].number); }, "", "  ", "");
        }
    };
    print_row([&](std::size_t i) { return columns_[i].heading; });
    if (output == Output::md) {
        line([&](std::size_t i) { return std::string(widths[i] + 1, '-') + (columns_[i].number ? ":" : "-"); }, "|",
             "|", "|");
    } else if (output == Output::table) {
        line([&](std::size_t i) { return std::string(widths[i], '-'); }, "", "  ", "");
    }
    for (const auto& row : rows) print_row([&](std::size_t i) { return row[i]; });
}

}  // namespace silica::bench
