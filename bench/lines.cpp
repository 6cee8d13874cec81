#include "lines.hpp"

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "silica/core/utf8.hpp"

namespace silica::bench {

int with_lines(const std::vector<std::string>& texts, const std::string& jsonl,
               const std::function<int(std::istream&)>& use) {
    if (!jsonl.empty() && !texts.empty()) throw InputError("Texts and --jsonl are both given.", "give one of them.");
    if (jsonl.empty() && texts.empty()) {
        throw InputError("There is no text.",
                         "give texts after the directory, or --jsonl FILE (- for standard input).");
    }
    if (jsonl == "-") return use(std::cin);
    if (!jsonl.empty()) {
        std::error_code error;
        std::ifstream file(jsonl);
        if (!file || std::filesystem::is_directory(jsonl, error)) {
            throw InputError("The file " + quote(jsonl) + " cannot be read.", "check its name and permissions.");
        }
        return use(file);
    }
    std::stringstream lines;
    for (const auto& text : texts) {
        if (first_bad_utf8(text) != text.size()) {
            throw InputError("The text " + quote(text) + " is not UTF-8.", "convert it to UTF-8.");
        }
        lines << nlohmann::json{{"text", text}}.dump() << '\n';
    }
    return use(lines);
}

std::string json_numbers(std::span<const float> numbers) {
    std::string list;
    for (const float x : numbers) {
        char text[32] = "null";
        if (std::isfinite(x)) std::snprintf(text, sizeof text, "%.9g", static_cast<double>(x));
        list += list.empty() ? "[" : ",";
        list += text;
    }
    return list.empty() ? "[]" : list + "]";
}

}  // namespace silica::bench
