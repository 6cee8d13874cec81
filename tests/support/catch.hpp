#pragma once
/// Catch2, whichever there is: Debian has version 2 (one header), Homebrew version 3. The macros used here mean the
/// same in both: TEST_CASE, SECTION, REQUIRE..., TEMPLATE_TEST_CASE, TEMPLATE_LIST_TEST_CASE, STATIC_REQUIRE, GENERATE,
/// Approx, REQUIRE_THROWS_WITH with the matchers below.

// Version 2's header first: some LibTorch have headers of version 3 among their own, without the library.
#if __has_include(<catch2/catch.hpp>)
#include <catch2/catch.hpp>
#else
#include <catch2/catch_all.hpp>
#endif

#include <string>

namespace silica::test {

#if __has_include(<catch2/catch.hpp>)
using Catch::Detail::Approx;
/// Version 3's name for version 2's `Contains` of a string.
inline auto ContainsSubstring(const std::string& text) { return Catch::Matchers::Contains(text); }
#else
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#endif

/// Says what a test leaves out on this machine and why; `./run test` lists these before its summary. The test goes on:
/// `if (!there) return skip("...");`
void skip(const std::string& reason);

}  // namespace silica::test
