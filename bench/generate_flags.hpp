#pragma once
/// The flags of `silica generate` that say how text is chosen.

#include <string>
#include <vector>

#include "cli.hpp"
#include "silica/generate/config.hpp"

namespace silica::bench {

/// The flags as they were given.
struct GenerateFlags {
    Flag max_new_tokens, min_new_tokens, temperature, top_k, top_p, min_p, repetition_penalty, seed, num_beams, config;
    std::vector<std::string> stop;

    void add_to(Command& command);
    /// What they ask for: what they do not name is absent. InputError for values that are no numbers or out of range.
    [[nodiscard]] generate::GenerationConfig parsed() const;
};

/// An object of keys of generation_config.json. InputError for a wrong one; `place` names it.
[[nodiscard]] generate::GenerationConfig generation_keys(const Json& json, const std::string& place);

/// JSON that is given as text or as a file ("-" is standard input). InputError when it is neither.
[[nodiscard]] Json json_argument(const std::string& option, const std::string& text);

}  // namespace silica::bench
