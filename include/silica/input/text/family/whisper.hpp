#pragma once
/// What Whisper puts around a transcript: language and task where the configuration names them.

#include <silica/core/quote.hpp>
#include <silica/input/text/family/whisper_languages.hpp>
#include <silica/input/text/parts.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::text {

/// Whisper's decoding leaves out the prompt in front of the transcript ("<|startofprev|> ...") where it leaves out
/// special tokens.
[[nodiscard]] inline std::span<const std::int64_t> without_prompt(const Parts& parts, const TokenizerConfig& config,
                                                                  std::span<const std::int64_t> ids) {
    const auto id_of = [&](const std::string& token) {
        const auto id = parts.id(token);
        const auto* unknown = config.find("unk_token");
        return id >= 0 || !unknown ? id : parts.id(unknown->content);
    };
    if (ids.empty() || ids.front() != id_of("<|startofprev|>")) return ids;
    const auto start = std::find(ids.begin(), ids.end(), id_of("<|startoftranscript|>"));
    return ids.subspan(static_cast<std::size_t>(start - ids.begin()));
}

/// Removes the timestamps "<|1.08|>" from a text.
inline void remove_timestamps(std::string& text) {
    const auto digits = [&](std::size_t at) { return std::min(text.find_first_not_of("0123456789", at), text.size()); };
    std::string out;
    std::size_t done = 0;
    for (auto at = text.find("<|"); at != std::string::npos; at = text.find("<|", at + 1)) {
        const auto point = digits(at + 2);
        if (point == at + 2 || text.compare(point, 1, ".") != 0) continue;
        const auto end = digits(point + 1);
        if (end == point + 1 || text.compare(end, 2, "|>") != 0) continue;
        out.append(text, done, at - done);
        done = end + 2;
    }
    text = out.append(text, done);
}

/// "<|startoftranscript|><|de|><|transcribe|><|notimestamps|> A <|endoftext|>" (`WhisperTokenizer.set_prefix_tokens`).
[[nodiscard]] inline PostProcessor whisper_template(const Parts& parts, const TokenizerConfig& config) {
    const auto place = config.place();
    std::vector<TemplateProcessing::Part> single;
    // A token that is not there counts as the unknown one.
    const auto id_of = [&](const std::string& token) -> std::int64_t {
        const auto id = parts.id(token);
        return id >= 0 ? id : parts.special(config, "unk_token").ids.front();
    };
    const auto add = [&](std::int64_t id) {
        const auto* token = parts.token(id);
        if (!token) {
            throw ConfigError(config.file + " asks for the token " + std::to_string(id) +
                                  " of a language, which the vocabulary does not have.",
                              "Take the files from the model's repository again.");
        }
        single.push_back({-1, 0, {{id}, {*token}}});
    };
    const auto start = id_of("<|startoftranscript|>");
    add(start);
    if (const auto language = place.find("language")) {
        const auto index = detail::whisper_language(language->string());
        if (index == std::size(detail::whisper_languages)) {
            language->fail("is " + quote(language->string()) + ", no language of Whisper");
        }
        add(start + 1 + static_cast<std::int64_t>(index));
    }
    if (const auto task = place.find("task")) {
        if (task->string() != "transcribe" && task->string() != "translate") {
            task->fail("is " + quote(task->string()) + ", neither \"transcribe\" nor \"translate\"");
        }
        add(id_of("<|" + task->string() + "|>"));
    }
    if (!place.boolean_or("predict_timestamps", false)) add(id_of("<|notimestamps|>"));
    auto pair = single;
    const auto eos = parts.special(config, "eos_token");
    single.push_back({0, 0});
    single.push_back({-1, 0, eos});
    pair.push_back({0, 0});
    pair.push_back({1, 1});
    pair.push_back({-1, 1, eos});
    return PostProcessor(TemplateProcessing(std::move(single), std::move(pair)));
}

}  // namespace silica::text
