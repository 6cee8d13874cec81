#pragma once
/// What ends a rendering early.

#include <stdexcept>

namespace silica::text::jinja {

/// Something a template does that cannot be done. The template's name and the line are added where it is caught.
struct Problem : std::runtime_error {
    using std::runtime_error::runtime_error;
};
/// The text that a template passed to raise_exception.
struct Raised : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace silica::text::jinja
