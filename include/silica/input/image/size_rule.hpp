#pragma once
/// Sizes as the files of processors give them.

#include <cstdint>

namespace silica::image {

/// A size as the files give one, in one of the forms; the members of other forms are 0.
struct SizeRule {
    std::int64_t height = 0, width = 0;          ///< exactly so
    std::int64_t shortest_edge = 0;              ///< the shorter side is this; the ratio of the sides stays
    std::int64_t longest_edge = 0;               ///< with shortest_edge: and the longer side is at most this
    std::int64_t max_height = 0, max_width = 0;  ///< as large as fits into this
};

}  // namespace silica::image
