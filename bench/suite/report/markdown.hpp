#pragma once
/// A report as Markdown: the sentences and tables of the page, without its plots.

#include <string>

#include "suite/report/document.hpp"

namespace silica::bench::suite::report {

[[nodiscard]] std::string markdown(const Document& document);

}  // namespace silica::bench::suite::report
