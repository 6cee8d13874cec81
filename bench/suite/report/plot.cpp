#include "suite/report/plot.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "suite/report/escape.hpp"
#include "suite/report/numbers.hpp"

namespace silica::bench::suite::report {
namespace {

constexpr double bars_wide = 80;  ///< percent: the rest is room for the values
constexpr int tick_room = 38;     ///< pixels below a plot: its marks, and below them its unit

std::string percent(double x) { return fixed_text(x, 2) + "%"; }
std::string pixels(double x) { return fixed_text(x, x == std::floor(x) ? 0 : 1); }

/// One element: attributes are written one by one.
class Element {
public:
    Element(std::string& out, std::string_view name) : out_(out), name_(name) { (out_ += '<') += name; }
    Element(const Element&) = delete;
    Element& operator=(const Element&) = delete;
    ~Element() { out_ += open_ ? "/>" : "</" + name_ + ">"; }

    Element& at(std::string_view attribute, std::string_view value) {
        (((out_ += ' ') += attribute) += "=\"") += html_text(value);
        out_ += '"';
        return *this;
    }
    Element& at(std::string_view attribute, double value) { return at(attribute, pixels(value)); }
    void content(std::string_view text) {
        out_ += '>';
        append_html(out_, text);
        open_ = false;
    }
    void begin() {
        out_ += '>';
        open_ = false;
    }

private:
    std::string& out_;
    std::string name_;
    bool open_ = true;
};

void line(std::string& out, std::string_view kind, const std::string& x1, double y1, const std::string& x2, double y2) {
    Element(out, "line").at("class", kind).at("x1", x1).at("y1", y1).at("x2", x2).at("y2", y2);
}

void text(std::string& out, std::string_view kind, const std::string& x, double y, std::string_view content,
          double shift = 0) {
    Element e(out, "text");
    e.at("class", kind).at("x", x).at("y", y);
    if (shift != 0) e.at("dx", shift);
    e.content(content);
}

std::string colour_class(std::size_t colour) { return "c" + std::to_string(colour % colours); }
std::string hatch(std::size_t colour) { return "url(#h" + std::to_string(colour % colours) + ")"; }

/// "<svg ...>" with its title and description.
void begin(std::string& out, double height, std::string_view title, std::string_view description, std::size_t number) {
    const std::string id = "p" + std::to_string(number);
    out += "<svg role=\"img\" width=\"100%\" height=\"" + pixels(height) + "\" aria-labelledby=\"" + id + "t " + id +
           "d\"><title id=\"" + id + "t\">";
    append_html(out, title);
    out += "</title><desc id=\"" + id + "d\">";
    append_html(out, description);
    out += "</desc>";
}

std::string with_marks(const std::string& label, Marks marks) {
    // "mps (simulated)" says it already
    if (marks.simulated && label.find("simulated") != std::string::npos) marks.simulated = false;
    if (marks.random && label.find("random weights") != std::string::npos) marks.random = false;
    return label + (marks.any() ? ", " : "") + std::string(words(marks));
}

/// A linear axis from 0, or a logarithmic one where the values are so far apart that some could not be seen.
Axis axis_of(const std::vector<double>& values, double apart) {
    double least = std::numeric_limits<double>::infinity(), most = 0;
    for (const double x : values) {
        if (!std::isfinite(x) || x <= 0) continue;
        least = std::min(least, x);
        most = std::max(most, x);
    }
    return most > apart * least ? logarithmic_axis(least, most) : linear_axis(most);
}

void draw_bar(std::string& out, const Axis& axis, const Bar& bar, double y) {
    const auto x = [&](double value) { return bars_wide * axis.place(value); };
    const bool interval = std::isfinite(bar.low) && std::isfinite(bar.high) && bar.high > bar.low;
    text(out, "label", "0", y + 11, with_marks(shortened(bar.label, 90), bar.marks));
    if (axis.logarithmic) {  // the length of a bar would mean nothing
        line(out, "stem", "0", y + 22, percent(x(bar.value)), y + 22);
    } else {
        Element rect(out, "rect");
        rect.at("class", colour_class(bar.colour)).at("x", "0").at("y", y + 16).at("height", 12);
        rect.at("width", percent(x(bar.value))).at("rx", 1.5);
        if (bar.marks.simulated) rect.at("fill", hatch(bar.colour));
    }
    if (interval) {
        line(out, "whisker", percent(x(bar.low)), y + 22, percent(x(bar.high)), y + 22);
        for (const double end : {bar.low, bar.high})
            line(out, "whisker", percent(x(end)), y + 18, percent(x(end)), y + 26);
    }
    if (axis.logarithmic) {
        Element dot(out, "circle");
        dot.at("class", colour_class(bar.colour)).at("cx", percent(x(bar.value))).at("cy", y + 22).at("r", 5);
        if (bar.marks.simulated) dot.at("fill", hatch(bar.colour));
    }
    const double end = std::max(x(bar.value), interval ? x(bar.high) : 0);
    const std::string mark = bar.marks.any() ? " (" + std::string(letters(bar.marks)) + ")" : "";
    text(out, "value", percent(end), y + 26, bar.text + mark, axis.logarithmic ? 9 : 6);
}

double nested_place(const Axis& axis, double value) { return 100 - 100 * axis.place(value); }

}  // namespace

void append_svg(std::string& out, const BarPlot& plot, std::size_t number) {
    constexpr double bar_room = 36, group_room = 24;
    std::vector<double> values;
    std::size_t groups = 0;
    std::string group;
    for (const auto& bar : plot.bars) {
        values.push_back(bar.value);
        // An outlier of an interval may leave the plot; a value never does.
        values.push_back(std::isfinite(bar.high) ? std::min(bar.high, 2 * bar.value) : bar.value);
        groups += bar.group != group ? 1 : 0;
        group = bar.group;
    }
    if (plot.reference > 0) values.push_back(plot.reference);
    const Axis axis = axis_of(values, 40);
    const double bottom =
        bar_room * static_cast<double>(plot.bars.size()) + group_room * static_cast<double>(groups) + 4;
    begin(out, bottom + tick_room, plot.title, plot.description, number);
    for (std::size_t i = 0; i < axis.ticks.size(); ++i) {
        const auto x = percent(bars_wide * axis.place(axis.ticks[i]));
        line(out, "grid", x, 0, x, bottom);
        text(out, i == 0 ? "tick first" : "tick", x, bottom + 15, axis.texts[i]);
    }
    if (plot.reference > 0) {
        const auto x = percent(bars_wide * axis.place(plot.reference));
        line(out, "reference", x, 0, x, bottom);
    }
    double y = 2;
    group.clear();
    for (const auto& bar : plot.bars) {
        if (bar.group != group) {
            text(out, "group", "0", y + 15, shortened(bar.group, 80));
            y += group_room;
            group = bar.group;
        }
        draw_bar(out, axis, bar, y);
        y += bar_room;
    }
    text(out, "unit", percent(bars_wide), bottom + 31, plot.unit + (axis.logarithmic ? ", log" : ""));
    out += "</svg>";
}

void append_svg(std::string& out, const LinePlot& plot, std::size_t number) {
    constexpr double left = 14, wide = 83, top = 20, high = 200, bottom = top + high;
    std::vector<double> values;
    for (const auto& s : plot.series) values.insert(values.end(), s.values.begin(), s.values.end());
    const Axis axis = axis_of(values, 40);
    const auto count = plot.places.size();
    const auto across = [&](std::size_t i) {
        return count < 2 ? 50.0 : 100 * static_cast<double>(i) / static_cast<double>(count - 1);
    };
    const auto inside = [&](double x) { return percent(left + wide * x / 100); };
    begin(out, bottom + 40, plot.title, plot.description, number);
    text(out, "unit start", "0", 11, plot.unit + (axis.logarithmic ? ", log" : ""));
    for (std::size_t i = 0; i < axis.ticks.size(); ++i) {
        const double y = top + high * nested_place(axis, axis.ticks[i]) / 100;
        line(out, "grid", percent(left), y, percent(left + wide), y);
        text(out, "tick end", percent(left), y + 4, axis.texts[i], -6);
    }
    const std::size_t every = std::max<std::size_t>(1, (count + 5) / 6);
    for (std::size_t i = 0; i < count; i += every) {
        const char* kind = count < 2 ? "tick" : i == 0 ? "tick first" : i == count - 1 ? "tick end" : "tick";
        text(out, kind, inside(across(i)), bottom + 16, shortened(plot.places[i], 16));
    }
    text(out, "unit", percent(left + wide), bottom + 33, plot.across);
    for (const auto& s : plot.series) {
        std::string points;
        for (std::size_t i = 0; i < std::min(count, s.values.size()); ++i)
            if (std::isfinite(s.values[i]))
                points += fixed_text(across(i), 2) + "," + fixed_text(nested_place(axis, s.values[i]), 2) + " ";
        Element box(out, "svg");
        box.at("x", percent(left)).at("y", top).at("width", percent(wide)).at("height", high);
        box.at("viewBox", "0 0 100 100").at("preserveAspectRatio", "none").at("overflow", "visible").begin();
        Element(out, "polyline")
            .at("class", "line k" + std::to_string(s.colour % colours) + (s.marks.simulated ? " dashed" : ""))
            .at("points", points);
    }
    for (const auto& s : plot.series) {
        for (std::size_t i = 0; i < std::min(count, s.values.size()); ++i) {
            if (!std::isfinite(s.values[i])) continue;
            Element dot(out, "circle");
            dot.at("class", colour_class(s.colour)).at("cx", inside(across(i))).at("r", 4);
            dot.at("cy", top + high * nested_place(axis, s.values[i]) / 100);
            if (s.marks.simulated) dot.at("fill", hatch(s.colour));
        }
    }
    out += "</svg>";
    Legend legend;
    for (const auto& s : plot.series) legend.items.push_back({s.label, s.colour, s.marks});
    append_legend(out, legend);
}

void append_legend(std::string& out, const Legend& legend) {
    out += "<ul class=\"legend\">";
    for (const auto& item : legend.items) {
        out += "<li><svg width=\"14\" height=\"12\" aria-hidden=\"true\">";
        {
            Element rect(out, "rect");
            rect.at("class", colour_class(item.colour)).at("width", 14).at("height", 12).at("rx", 2);
            if (item.marks.simulated) rect.at("fill", hatch(item.colour));
        }
        out += "</svg> ";
        append_html(out, with_marks(item.label, item.marks));
        out += "</li>";
    }
    out += "</ul>";
}

std::string patterns() {
    std::string out = "<svg class=\"patterns\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>";
    for (std::size_t i = 0; i < colours; ++i) {
        const auto n = std::to_string(i);
        out += "<pattern id=\"h" + n + "\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" " +
               "patternTransform=\"rotate(45)\"><rect class=\"paper\" width=\"6\" height=\"6\"/><rect class=\"c" + n +
               "\" width=\"2.5\" height=\"6\"/></pattern>";
    }
    return out + "</defs></svg>";
}

}  // namespace silica::bench::suite::report
