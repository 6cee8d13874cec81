// The main of every test program, compiled once.
#define CATCH_CONFIG_RUNNER  // version 2 keeps its implementation behind this; version 3 ignores it
#include "support/catch.hpp"
#include "support/coverage.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>

void silica::test::skip(const std::string& reason) {
    std::cout << "skipped: " << reason << std::endl;
    if (const char* file = std::getenv("SILICA_SKIPPED_FILE")) std::ofstream(file, std::ios::app) << reason << '\n';
}

void silica::test::covered(const Point& p, double error) {
    static const char* file = std::getenv("SILICA_COVERAGE_FILE");
    if (file == nullptr) return;
    static std::ofstream out(file);
    out << p.family << '\t' << p.head << '\t' << p.device << '\t' << p.precision << '\t' << p.loader << '\t' << error
        << std::endl;
}

int main(int argc, char** argv) { return Catch::Session().run(argc, argv); }
