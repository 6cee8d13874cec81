#pragma once
/// `silica template --jsonl`: JSON lines in, JSON lines out.

#include <silica/core/error.hpp>
#include <silica/core/json.hpp>
#include <silica/input/text/chat_template.hpp>

#include <nlohmann/json.hpp>

#include <istream>
#include <ostream>
#include <string>

namespace silica::bench {

/// Renders each line {"messages", "add_generation_prompt"?, "tools"?} of `in` and writes {"text"}, or {"error"} where
/// the template or the messages refuse, to `out`. InputError names a line that is no such object. Returns 0.
inline int template_jsonl(std::istream& in, std::ostream& out, const text::ChatTemplate& chat) {
    std::string line;
    for (std::size_t number = 1; std::getline(in, line); ++number) {
        if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
        const std::string place = "Line " + std::to_string(number) + " of the JSON lines";
        const auto refuse = [&place](const std::string& problem) {
            throw InputError(
                place + " " + problem + ".",
                "Write each line as {\"messages\": [...]}, with \"add_generation_prompt\" (true or false) and "
                "\"tools\" (a list) where wanted.");
        };
        Json request;
        try {
            request = Json::parse(line, place);
        } catch (const ConfigError& e) {
            throw InputError(e.problem(), "Write each line as one JSON object.");
        }
        if (!request.is_object()) refuse("is not a JSON object");
        const Json* messages = request.find("messages");
        const Json* prompt = request.find("add_generation_prompt");
        if (!messages) refuse("has no \"messages\"");
        if (prompt && !prompt->is_bool() && !prompt->is_null()) {
            refuse("has \"add_generation_prompt\" that is neither true nor false");
        }
        nlohmann::json answer;
        try {
            answer["text"] =
                chat.render(*messages, {.add_generation_prompt = prompt && prompt->is_bool() && prompt->boolean(),
                                        .tools = request.find("tools")});
        } catch (const InputError& e) {
            answer["error"] = e.what();
        }
        out << answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
    }
    return 0;
}

}  // namespace silica::bench
