#pragma once
/// Whether something is refused as it should be.

#include <initializer_list>
#include <string>
#include <string_view>

#include "support/catch.hpp"

namespace silica::test {

inline bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

/// `f` must throw an `Exception` whose text has all `words` and a remedy.
template <class Exception, class F>
void refuses(F f, std::initializer_list<std::string_view> words) {
    try {
        f();
    } catch (const Exception& e) {
        const std::string text = e.what();
        CAPTURE(text);
        CHECK_FALSE(e.remedy().empty());
        CHECK(contains(text, "Remedy: "));
        for (const auto word : words) {
            CAPTURE(std::string(word));
            CHECK(contains(text, word));
        }
        return;
    }
    FAIL("nothing was thrown");
}

}  // namespace silica::test
