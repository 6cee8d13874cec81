#pragma once
/// JSON lines from a file, standard input, or the command line.

#include <functional>
#include <istream>
#include <span>
#include <string>
#include <vector>

namespace silica::bench {

/// Opens `jsonl` ("-" is standard input), or makes lines {"text": ...} of `texts`, and hands the stream to `use`.
/// InputError when both or neither are given, when the file cannot be read, or when a text is not UTF-8.
int with_lines(const std::vector<std::string>& texts, const std::string& jsonl,
               const std::function<int(std::istream&)>& use);

/// "[0.25,-1,null]": numbers that read back as they are; null for what is not finite.
[[nodiscard]] std::string json_numbers(std::span<const float> numbers);

}  // namespace silica::bench
