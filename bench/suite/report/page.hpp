#pragma once
/// The style and the script of a report's page, and what its Content-Security-Policy knows them by.

#include <string_view>

namespace silica::bench::suite::report {

extern const std::string_view style, script;
/// base64(SHA-256) of them. A test reckons them again and says what they must be after a change.
extern const std::string_view style_hash, script_hash;

}  // namespace silica::bench::suite::report
