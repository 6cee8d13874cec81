#pragma once
/// Catch2, whichever there is: Debian has version 2 (one header), Homebrew version 3. The macros used here mean the same
/// in both: TEST_CASE, SECTION, REQUIRE..., TEMPLATE_TEST_CASE, TEMPLATE_LIST_TEST_CASE, STATIC_REQUIRE, GENERATE,
/// Approx, REQUIRE_THROWS_WITH with the matchers below.

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <string>

namespace silica::test {

#if __has_include(<catch2/catch_all.hpp>)
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#else
using Catch::Detail::Approx;
/// Version 3's name for version 2's `Contains` of a string.
inline auto ContainsSubstring(const std::string& text) { return Catch::Matchers::Contains(text); }
#endif

/// Says what a test leaves out on this machine and why; `./run test` lists these before its summary. The test goes on:
/// `if (!there) return skip("...");`
void skip(const std::string& reason);

}  // namespace silica::test
