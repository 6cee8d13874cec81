#pragma once
/// Reading Whisper's keys.

#include "silica/checkpoint/config.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/generate/speech/config.hpp"

#include <algorithm>
#include <limits>
#include <string_view>
#include <system_error>

namespace silica::generate {

SILICA_INLINE void read_json(ForcedToken& value, const Json& json, const std::string& path) {
    if (!json.is_array() || json.array().size() != 2)
        throw ConfigError(path + " is " + json.brief() + ".", "write [place, token id], or [place, null].");
    silica::read_json(value.place, json.array()[0], path + "[0]");
    silica::read_json(value.id, json.array()[1], path + "[1]");
}

SILICA_INLINE void check(const SpeechConfig& c, const std::string& file) {
    require_at_least(file, "vocab_size", c.vocab_size);
    require_at_least(file, "max_source_positions", c.max_source_positions);
    require_at_least(file, "max_target_positions", c.max_target_positions, 2);
    require_at_least(file, "median_filter_width", c.median_filter_width);
    const auto size = [&](std::string_view key, std::int64_t value) {
        constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
        if (value > most)
            refuse_config(file, key, std::to_string(value), "at most " + std::to_string(most) + " is possible.");
    };
    size("vocab_size", c.vocab_size);
    size("max_source_positions", c.max_source_positions);
    size("max_target_positions", c.max_target_positions);
    size("median_filter_width", c.median_filter_width);
    if (c.median_filter_width % 2 == 0)
        refuse_config(file, "median_filter_width", std::to_string(c.median_filter_width), "write an odd number.");
    const auto token = [&](std::string_view key, std::int64_t id) {
        if (id >= 0 && id < c.vocab_size) return;
        throw ConfigError(file + ": " + std::string(key) + " is " + std::to_string(id) +
                              ", which is no token: ids from 0 to " + std::to_string(c.vocab_size - 1) +
                              " exist (vocab_size).",
                          "correct the key, or download the file again.");
    };
    if (c.no_timestamps_token_id) token("no_timestamps_token_id", *c.no_timestamps_token_id);
    if (c.prev_sot_token_id) token("prev_sot_token_id", *c.prev_sot_token_id);
    if (c.max_initial_timestamp_index)
        require_at_least(file, "max_initial_timestamp_index", *c.max_initial_timestamp_index, 0);
    if (c.decoder_start_token_id) token("decoder_start_token_id", *c.decoder_start_token_id);
    if (c.lang_to_id) {
        for (const auto& [language, id] : *c.lang_to_id) token("lang_to_id." + language, id);
    }
    if (c.task_to_id) {
        for (const auto& [task, id] : *c.task_to_id) token("task_to_id." + task, id);
    }
    if (c.forced_decoder_ids) {
        for (const auto& forced : *c.forced_decoder_ids) {
            if (forced.id) token("forced_decoder_ids", *forced.id);
        }
    }
    if (!c.alignment_heads) return;
    for (const auto& head : *c.alignment_heads) {
        if (head.size() != 2 || head[0] < 0 || head[1] < 0)
            throw ConfigError(file + ": alignment_heads has an item that is no [layer, head].",
                              "correct the key, or download the file again.");
    }
}

SILICA_INLINE SpeechConfig read_speech_config(const std::filesystem::path& directory) {
    SpeechConfig config;
    const Json model = checkpoint::read_json_file(directory, "config.json");
    silica::read_json(config, model, (directory / "config.json").string() + ":");
    std::error_code ignored;
    const auto file = directory / "generation_config.json";
    if (!std::filesystem::exists(file, ignored)) {
        check(config, (directory / "config.json").string());
        return config;
    }
    // Of config.json only the sizes count where the other file is there, and the tokens that older ones force.
    SpeechConfig made;
    made.vocab_size = config.vocab_size;
    made.max_source_positions = config.max_source_positions;
    made.max_target_positions = config.max_target_positions;
    made.median_filter_width = config.median_filter_width;
    made.decoder_start_token_id.reset();
    silica::read_json(made, checkpoint::read_json_file(directory, "generation_config.json"), file.string() + ":");
    if (!made.forced_decoder_ids) made.forced_decoder_ids = config.forced_decoder_ids;
    check(made, file.string());
    return made;
}

}  // namespace silica::generate
