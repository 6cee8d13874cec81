#pragma once
/// A report as one page that needs nothing else: no network, no fonts, no libraries.

#include <string>

#include "suite/report/document.hpp"

namespace silica::bench::suite::report {

/// The page. Its Content-Security-Policy forbids all that is not in it: only the script and the style whose hashes it
/// names may run, so that not even a fault of escaping lets a name of an untrusted store become code.
[[nodiscard]] std::string html(const Document& document);

}  // namespace silica::bench::suite::report
