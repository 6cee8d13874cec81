#pragma once
/// A report before it is HTML or Markdown: sections of sentences, tables and plots. Texts in it are not escaped yet.

#include <cstddef>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "suite/report/marks.hpp"

namespace silica::bench::suite::report {

/// What a cell says beyond its text; never by colour alone.
enum class Tone : unsigned char { plain, good, bad, warning, quiet };

/// A cell. `marks` are those of the number in it.
struct Cell {
    std::string text;
    Marks marks = {};
    Tone tone = Tone::plain;
};

/// A column; numbers stand right and sort as numbers.
struct Column {
    std::string heading;
    bool number = false;
};

/// A table with as many cells in each row as columns.
struct Table {
    std::string caption;
    std::vector<Column> columns;
    std::vector<std::vector<Cell>> rows = {};
    std::string note = {};  ///< a sentence below it
    bool narrow = false;    ///< it may stand beside others
};

/// A bar, or a dot where the axis is logarithmic, with the interval of what was measured.
struct Bar {
    std::string group;  ///< bars of one group stand below its name
    std::string label;
    double value = 0, low = 0, high = 0;  ///< low and high not finite: no interval
    std::string text;                     ///< the value as it is printed beside it
    std::size_t colour = 0;
    Marks marks = {};
};

/// Bars below each other.
struct BarPlot {
    std::string title, unit;
    std::string description;  ///< for those who cannot see it
    std::vector<Bar> bars = {};
    double reference = 0;  ///< a line at this value, such as 1 for "as fast as the CPU"; 0: none
};

/// Values of one thing at the places of the plot; those not finite are left out.
struct Series {
    std::string label;
    std::vector<double> values;
    std::size_t colour = 0;
    Marks marks = {};
};

/// Lines over places that have names, at equal distances.
struct LinePlot {
    std::string title, unit, across;  ///< across: what the places are
    std::string description;
    std::vector<std::string> places = {};
    std::vector<Series> series = {};
};

/// What the colours of the plots that follow mean; those of simulated devices are hatched.
struct Legend {
    struct Item {
        std::string label;
        std::size_t colour = 0;
        Marks marks = {};
    };
    std::vector<Item> items;
};

/// A heading within a section.
struct Heading {
    std::string text;
};

using Block = std::variant<std::string, Heading, Table, BarPlot, LinePlot, Legend>;

struct Section {
    std::string id, heading;
    std::vector<Block> blocks = {};
};

struct Document {
    std::string title, lead;
    std::vector<Section> sections = {};
};

}  // namespace silica::bench::suite::report
