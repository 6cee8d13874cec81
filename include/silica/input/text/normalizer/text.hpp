#pragma once
/// The text that normalizers rewrite.

#include <string>

namespace silica::text {

/// A stretch of the input on its way to tokens.
struct Text {
    std::string value;
    /// Its first character stands for the first character of the input (Metaspace's "first" asks).
    bool at_origin = true;
};

}  // namespace silica::text
