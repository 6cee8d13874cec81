#pragma once
/// The tokens that a window begins with.

#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "silica/generate/speech/start_tokens.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace silica::generate {

namespace detail {

/// The tokens that are forced from place 1 on, without a gap; none where they begin elsewhere.
inline std::vector<std::optional<std::int64_t>> forced_tokens(const SpeechConfig& config) {
    std::vector<std::optional<std::int64_t>> made;
    if (!config.forced_decoder_ids || config.forced_decoder_ids->empty()) return made;
    const auto& forced = *config.forced_decoder_ids;
    if (forced.front().place != 1) return made;
    for (const auto& token : forced) {
        if (token.place != static_cast<std::int64_t>(made.size()) + 1) {
            throw ConfigError("forced_decoder_ids has place " + std::to_string(token.place) + " after place " +
                                  std::to_string(made.size()) + ".",
                              "number them 1, 2, 3, ..., or name language and task instead.");
        }
        made.push_back(token.id);
    }
    return made;
}

inline const std::optional<std::string>& chosen(const std::optional<std::string>& option,
                                                const std::optional<std::string>& config) {
    return option ? option : config;
}

}  // namespace detail

SILICA_INLINE std::int64_t language_token(const SpeechConfig& config, std::string language) {
    for (char& c : language) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (config.lang_to_id) {
        for (const auto& name : {language, "<|" + language + "|>"}) {
            if (const auto found = config.lang_to_id->find(name); found != config.lang_to_id->end())
                return found->second;
        }
    }
    std::string known;
    if (config.lang_to_id) {
        for (const auto& [name, id] : *config.lang_to_id)
            known += (known.empty() ? "" : ", ") + language_of(config, id);
    }
    throw InputError("The language " + quote(language) + " is none that this checkpoint knows.",
                     known.empty() ? "its generation_config.json has no lang_to_id: take a newer one."
                                   : "use one of " + known + ".");
}

SILICA_INLINE std::string language_of(const SpeechConfig& config, std::int64_t token) {
    if (!config.lang_to_id) return {};
    for (const auto& [name, id] : *config.lang_to_id) {
        if (id != token) continue;
        return name.size() > 4 && name.starts_with("<|") && name.ends_with("|>") ? name.substr(2, name.size() - 4)
                                                                                 : name;
    }
    return {};
}

SILICA_INLINE std::string language_of(const SpeechConfig& config, std::span<const std::int64_t> start) {
    std::string language = config.is_multilingual.value_or(true) ? "" : "en";
    for (const auto token : start) {
        if (language.empty()) language = language_of(config, token);
    }
    return language;
}

SILICA_INLINE void require_start(const SpeechConfig& config, const std::optional<std::int64_t>& bos) {
    if (config.decoder_start_token_id || bos) return;
    throw ConfigError("The checkpoint names no token that a text starts with.",
                      "set decoder_start_token_id in generation_config.json.");
}

SILICA_INLINE bool detects_language(const SpeechConfig& config, const SpeechOptions& options) {
    if (!config.is_multilingual.value_or(true) && (options.language || options.task))
        throw InputError("This checkpoint knows English only: it takes neither a language nor a task.",
                         "leave both out, or use a checkpoint whose name does not end with .en.");
    if (options.task && !config.task_to_id)
        throw InputError("The checkpoint has no tokens for tasks.",
                         "leave the task out, or take a newer generation_config.json.");
    const auto& language = detail::chosen(options.language, config.language);
    const auto& task = detail::chosen(options.task, config.task);
    if (task && *task != "transcribe" && *task != "translate")
        throw InputError("The task is " + quote(*task) + ".", "it is transcribe or translate.");
    if (language || !config.lang_to_id || config.lang_to_id->empty()) return false;
    const auto forced = task ? std::vector<std::optional<std::int64_t>>{} : detail::forced_tokens(config);
    if (!forced.empty() && forced.front()) return false;
    if (!config.decoder_start_token_id)
        throw ConfigError(
            "Languages are detected by what follows the start token, and generation_config.json names none.",
            "set decoder_start_token_id in it, or name the language.");
    return true;
}

SILICA_INLINE std::vector<std::int64_t> start_tokens(const SpeechConfig& config, const SpeechOptions& options,
                                                     bool timestamps, std::optional<std::int64_t> detected) {
    const auto& language = detail::chosen(options.language, config.language);
    const auto& task = detail::chosen(options.task, config.task);
    std::vector<std::optional<std::int64_t>> made{config.decoder_start_token_id};
    if (!task && !language) {
        for (const auto& token : detail::forced_tokens(config)) made.push_back(token);
    }
    if (language) detected = language_token(config, *language);
    if (detected && made.size() > 1)
        made[1] = detected;
    else if (detected)
        made.push_back(detected);
    const auto task_token = [&](const std::string& name) {
        const auto found = config.task_to_id->find(name);
        if (found == config.task_to_id->end())
            throw InputError("The checkpoint has no token for the task " + quote(name) + ".", "use the other one.");
        return found->second;
    };
    if (task && config.task_to_id) {
        made.push_back(task_token(*task));
    } else if (language && config.task_to_id) {
        const bool there = std::ranges::any_of(made, [&](const auto& token) {
            return std::ranges::any_of(*config.task_to_id, [&](const auto& t) { return token == t.second; });
        });
        if (!there) made.push_back(task_token("transcribe"));
    }
    const auto& none = config.no_timestamps_token_id;
    if (none && !timestamps && made.back() != none)
        made.push_back(none);
    else if (none && timestamps && made.back() == none)
        made.pop_back();
    std::vector<std::int64_t> tokens;
    for (const auto& token : made) {
        if (token) tokens.push_back(*token);
    }
    if (tokens.empty())
        throw ConfigError("A window begins with no token.", "set decoder_start_token_id in generation_config.json.");
    return tokens;
}

SILICA_INLINE std::optional<std::int64_t> previous_start(const SpeechConfig& config,
                                                         const std::optional<std::vector<std::int64_t>>& suppressed) {
    if (config.prev_sot_token_id) return config.prev_sot_token_id;
    if (suppressed && suppressed->size() >= 2) return (*suppressed)[suppressed->size() - 2];
    return {};
}

SILICA_INLINE std::vector<std::int64_t> previous_tokens(const SpeechConfig& config, std::span<const std::int64_t> first,
                                                        std::span<const std::vector<std::int64_t>> texts) {
    std::vector<std::int64_t> all;
    for (const auto& text : texts) {
        const bool doubled =
            text.size() > 2 && config.no_timestamps_token_id && text[text.size() - 2] > *config.no_timestamps_token_id;
        all.insert(all.end(), text.begin(), text.end() - (doubled ? 1 : 0));
    }
    const auto most = static_cast<std::size_t>(config.max_target_positions / 2 - 1);
    // Nothing is cut where nothing may stay, as a Python slice [-0:] does.
    const auto cut = most == 0 || all.size() <= most ? 0 : all.size() - most;
    std::vector<std::int64_t> made(first.begin(), first.end());
    made.insert(made.end(), all.begin() + static_cast<std::ptrdiff_t>(cut), all.end());
    return made;
}

}  // namespace silica::generate
