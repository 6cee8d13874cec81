// The main of every test program, compiled once.
#define CATCH_CONFIG_RUNNER  // version 2 keeps its implementation behind this; version 3 ignores it
#include "support/catch.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>

void silica::test::skip(const std::string& reason) {
    std::cout << "skipped: " << reason << std::endl;
    if (const char* file = std::getenv("SILICA_SKIPPED_FILE")) std::ofstream(file, std::ios::app) << reason << '\n';
}

int main(int argc, char** argv) { return Catch::Session().run(argc, argv); }
