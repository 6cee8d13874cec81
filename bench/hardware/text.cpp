#include "hardware/text.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>

namespace silica::bench::hardware {

std::optional<std::string> read_text(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) return std::nullopt;
    std::string text;
    char piece[4096];
    while (text.size() < (1u << 20) && (in.read(piece, sizeof piece), in.gcount() > 0))
        text.append(piece, static_cast<std::size_t>(in.gcount()));
    if (in.bad() || (text.empty() && !in.eof())) return std::nullopt;
    return text;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n\0";
    const auto begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const auto end = text.find('\n');
        lines.push_back(text.substr(0, end));
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return lines;
}

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
        const auto end = std::min(text.find_first_of(" \t"), text.size());
        words.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return words;
}

std::optional<std::int64_t> number(std::string_view text) {
    text = trimmed(text);
    std::int64_t value = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) return std::nullopt;
    return value;
}

std::string value_of(std::string_view text, std::string_view key) {
    for (auto line : lines_of(text)) {
        line = trimmed(line);
        if (!line.starts_with(key)) continue;
        const auto rest = trimmed(line.substr(key.size()));
        if (rest.starts_with(':') || rest.starts_with('=')) return std::string(trimmed(rest.substr(1)));
    }
    return {};
}

std::vector<int> cpu_list(std::string_view text) {
    constexpr std::int64_t most = 65536;
    std::vector<int> cpus;
    for (text = trimmed(text); !text.empty();) {
        const auto end = std::min(text.find(','), text.size());
        const auto part = text.substr(0, end);
        const auto dash = part.find('-');
        const auto first = number(part);
        const auto last = dash == std::string_view::npos ? first : number(part.substr(dash + 1));
        if (!first || !last || *first < 0 || *last >= most) return {};
        for (auto i = *first; i <= *last; ++i) cpus.push_back(static_cast<int>(i));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return cpus;
}

std::vector<int> version(std::string_view text) {
    std::vector<int> parts;
    for (text = trimmed(text); !text.empty();) {
        int part = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), part);
        if (error != std::errc{}) break;
        parts.push_back(part);
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (!text.starts_with('.')) break;
        text.remove_prefix(1);
    }
    return parts;
}

std::string size_text(std::uint64_t bytes) {
    const double size = static_cast<double>(bytes) / (1u << 30);
    char text[32];
    if (size < 1)
        std::snprintf(text, sizeof text, "%.0f MiB", size * 1024);
    else
        std::snprintf(text, sizeof text, size < 10 ? "%.1f GiB" : "%.0f GiB", size);
    return text;
}

}  // namespace silica::bench::hardware
