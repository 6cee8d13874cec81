#include "suite/report/bound.hpp"

#include <cmath>
#include <cstdlib>

#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"

namespace silica::bench::suite::report {

double bound_of(const std::string& text) {
    std::string number = text;
    while (number.ends_with(' ')) number.pop_back();
    const bool percent = number.ends_with('%');
    if (percent) number.pop_back();
    const bool digits = !number.empty() && number.find_first_not_of("0123456789. ") == std::string::npos &&
                        number.find_first_of("0123456789") != std::string::npos;
    char* end = nullptr;
    const double value = std::strtod(number.c_str(), &end) / (percent ? 100 : 1);
    while (end != nullptr && *end == ' ') ++end;
    if (!digits || *end != '\0' || !(value >= 0 && value <= 10))
        throw InputError("--bound is " + quote(text) + ", which is no share.",
                         "give for example 5% or 0.05, up to 1000%.");
    return value;
}

}  // namespace silica::bench::suite::report
