#pragma once
/// What every number of a report carries, so that none is taken for what it is not.

#include <string>
#include <string_view>

namespace silica::bench::suite::report {

/// Why a number does not say what it seems to say.
struct Marks {
    bool simulated = false;  ///< measured on a simulated device: says nothing about a real one
    bool random = false;     ///< measured with random weights: the time is the model's, its results mean nothing

    [[nodiscard]] bool any() const noexcept { return simulated || random; }
    friend Marks operator|(Marks a, Marks b) noexcept { return {a.simulated || b.simulated, a.random || b.random}; }
    friend bool operator==(const Marks&, const Marks&) = default;
};

/// "", "S", "R" or "S R": what stands beside a number.
[[nodiscard]] inline std::string_view letters(Marks marks) {
    if (marks.simulated) return marks.random ? "S R" : "S";
    return marks.random ? "R" : "";
}

/// "simulated, random weights": what stands in the label of a plot; empty without marks.
[[nodiscard]] inline std::string_view words(Marks marks) {
    if (marks.simulated) return marks.random ? "simulated, random weights" : "simulated";
    return marks.random ? "random weights" : "";
}

/// What the letters mean, for the line below a table.
[[nodiscard]] inline std::string meaning(Marks marks) {
    std::string text;
    if (marks.simulated) text = "S: a simulated device; the number says nothing about a real one.";
    if (marks.random) text += (text.empty() ? "" : " ") + std::string("R: random weights.");
    return text;
}

}  // namespace silica::bench::suite::report
