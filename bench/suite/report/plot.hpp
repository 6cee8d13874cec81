#pragma once
/// Plots as inline SVG. Places across are in percent, so that a plot is as wide as the page and its text stays
/// readable; colours come from the page's style.

#include <cstddef>
#include <string>

#include "suite/report/document.hpp"

namespace silica::bench::suite::report {

/// How many colours the style has; further ones repeat.
inline constexpr std::size_t colours = 6;

/// Writes a plot at the end of `out`. `number` is the plot's own on its page: its title and description are named by
/// it.
void append_svg(std::string& out, const BarPlot& plot, std::size_t number);
void append_svg(std::string& out, const LinePlot& plot, std::size_t number);
/// The legend of plots, as a list.
void append_legend(std::string& out, const Legend& legend);

/// The patterns that mark simulated devices, once for all plots of a page.
[[nodiscard]] std::string patterns();

}  // namespace silica::bench::suite::report
