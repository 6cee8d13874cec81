#pragma once
/// `silica tokenize --jsonl`: JSON lines in, JSON lines out.

#include <silica/core/error.hpp>
#include <silica/input/text/tokenizer.hpp>
#include <silica/input/text/utf8.hpp>

#include <nlohmann/json.hpp>

#include <istream>
#include <ostream>
#include <string>

namespace silica::bench {

/// Encodes and decodes each line {"text", "pair"?, "add_special_tokens"?} of `in`, and writes {"ids", "type_ids",
/// "tokens", "decoded", "decoded_skip_special"} to `out`. InputError names the line that is wrong. Returns 0.
inline int tokenize_jsonl(std::istream& in, std::ostream& out, const text::Tokenizer& tokenizer) {
    using nlohmann::json;
    std::string line;
    for (std::size_t number = 1; std::getline(in, line); ++number) {
        const auto refuse = [number](const std::string& problem) {
            throw InputError("Line " + std::to_string(number) + " of the JSON lines " + problem + ".",
                             "Write each line as {\"text\": \"...\"}, with \"pair\" (a string) and "
                             "\"add_special_tokens\" (true or false) where wanted.");
        };
        if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
        const auto request = json::parse(line, nullptr, false);
        if (request.is_discarded()) {
            refuse(text::utf8::first_invalid(line) != std::string::npos ? "is not UTF-8" : "is not JSON");
        }
        if (!request.is_object()) refuse("is not a JSON object");
        const auto member = [&](const char* name) {
            const auto found = request.find(name);
            return found == request.end() || found->is_null() ? nullptr : &*found;
        };
        const json* text = member("text");
        const json* pair = member("pair");
        const json* special = member("add_special_tokens");
        if (!text) refuse("has no \"text\"");
        if (!text->is_string()) refuse("has a \"text\" that is not a string");
        if (pair && !pair->is_string()) refuse("has a \"pair\" that is not a string");
        if (special && !special->is_boolean()) refuse("has \"add_special_tokens\" that is neither true nor false");
        const bool add = !special || special->get<bool>();
        const auto& first = text->get_ref<const std::string&>();
        const auto encoding = pair ? tokenizer.encode_pair(first, pair->get_ref<const std::string&>(), add)
                                   : tokenizer.encode(first, add);
        const json answer = {{"ids", encoding.ids},
                             {"type_ids", encoding.type_ids},
                             {"tokens", encoding.tokens},
                             {"decoded", tokenizer.decode(encoding.ids, false)},
                             {"decoded_skip_special", tokenizer.decode(encoding.ids, true)}};
        out << answer.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    }
    return 0;
}

}  // namespace silica::bench
