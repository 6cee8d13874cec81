#pragma once
/// Texts of /proc, /sys and of commands, taken apart. Nothing here throws: what is not as expected is absent.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::bench::hardware {

/// The text of a file, up to a megabyte; absent when it cannot be read.
[[nodiscard]] std::optional<std::string> read_text(const std::filesystem::path& file);

/// Without blanks and ends of lines around it.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// Both point into `text`, which must live on.
[[nodiscard]] std::vector<std::string_view> lines_of(std::string_view text);
std::vector<std::string_view> lines_of(std::string&&) = delete;

/// "a b  c" as {a, b, c}.
[[nodiscard]] std::vector<std::string_view> words_of(std::string_view text);
std::vector<std::string_view> words_of(std::string&&) = delete;

/// The whole number that a text begins with, after blanks; absent when it begins with none, or one beyond 2^63 - 1.
[[nodiscard]] std::optional<std::int64_t> number(std::string_view text);

/// The value of the first line "key: value", "key : value" or "key = value", trimmed; empty when there is none.
[[nodiscard]] std::string value_of(std::string_view text, std::string_view key);

/// "0-3,8" as {0, 1, 2, 3, 8}: how Linux writes sets of processors. At most 65536 of them.
[[nodiscard]] std::vector<int> cpu_list(std::string_view text);

/// "2.14.1" as {2, 14, 1}; what is no number ends it.
[[nodiscard]] std::vector<int> version(std::string_view text);

/// "16 GiB", "1.5 GiB", "300 MiB".
[[nodiscard]] std::string size_text(std::uint64_t bytes);

}  // namespace silica::bench::hardware
