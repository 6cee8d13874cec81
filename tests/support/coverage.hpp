#pragma once
/// What a golden test has covered: docs/coverage.md is made of it (tests/checks/coverage.py).

#include <string>
#include <string_view>

namespace silica::test {

/// One point of the grid: family, head, device ("mps (simulated)" where it is), precision, loader.
struct Point {
    std::string_view family, head;
    std::string device;
    std::string_view precision, loader;
};

/// Adds a line to the file that SILICA_COVERAGE_FILE names, if it does: the point, and how far its outputs were from
/// the reference, ||got - want|| / ||want||. The first line of a process begins the file anew. In support/main.cpp.
void covered(const Point& point, double error);

}  // namespace silica::test
