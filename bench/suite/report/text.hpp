#pragma once
/// A document for a terminal: its sentences, and its tables in columns.

#include <string>

#include "suite/report/document.hpp"

namespace silica::bench::suite::report {

[[nodiscard]] std::string terminal_text(const Document& document);

}  // namespace silica::bench::suite::report
