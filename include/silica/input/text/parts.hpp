#pragma once
/// The parts of a tokenizer, however they were read.

#include <silica/input/text/added_tokens.hpp>
#include <silica/input/text/decoder.hpp>
#include <silica/input/text/file.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/model.hpp>
#include <silica/input/text/normalizer.hpp>
#include <silica/input/text/post_processor.hpp>
#include <silica/input/text/pre_tokenizer.hpp>
#include <silica/input/text/tokenizer_config.hpp>
#include <silica/input/text/truncation.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::text {

/// Everything a tokenizer.json can hold.
struct Parts {
    Model model;
    std::optional<Normalizer> normalizer = {};
    std::optional<PreTokenizer> pre_tokenizer = {};
    std::optional<PostProcessor> post_processor = {};
    std::optional<Decoder> decoder = {};
    std::optional<Truncation> truncation = {};
    std::optional<Padding> padding = {};
    AddedTokens added = {};

    /// Reads the text of a tokenizer.json; `file` is its name in errors.
    [[nodiscard]] static Parts read(std::string_view json, const std::string& file) {
        const auto parsed = parse_json(json, file);
        const JsonPlace top(parsed, file);
        if (!top.is_object()) top.fail("is no JSON object");
        if (const auto version = top.find("version"); version && version->string() != "1.0") {
            version->fail("is \"" + version->string() + "\" where \"1.0\" is known");
        }
        Parts made{Model::read(top.at("model"))};
        if (const auto place = top.find("normalizer")) made.normalizer = Normalizer::read(*place);
        if (const auto place = top.find("pre_tokenizer")) made.pre_tokenizer = PreTokenizer::read(*place);
        if (const auto place = top.find("post_processor")) made.post_processor = PostProcessor::read(*place);
        if (const auto place = top.find("decoder")) made.decoder = Decoder::read(*place);
        if (const auto place = top.find("truncation")) made.truncation = Truncation::read(*place);
        if (const auto place = top.find("padding")) made.padding = Padding::read(*place);
        if (const auto place = top.find("added_tokens")) {
            std::vector<AddedToken> tokens;
            for (std::size_t i = 0; i < place->size(); ++i) {
                (void)place->at(i).at("id").id();
                tokens.push_back(AddedToken::read(place->at(i)));
            }
            made.added.add(tokens, made.model, made.normalizer);
        }
        return made;
    }

    /// Adds the tokens that tokenizer_config.json lists and the special tokens, as transformers does.
    void add_special_tokens(const TokenizerConfig& config) {
        std::vector<AddedToken> tokens;
        const auto listed = [&](const std::string& content) {
            return added.find(content) || std::any_of(tokens.begin(), tokens.end(), [&](const AddedToken& token) {
                       return token.content == content;
                   });
        };
        for (const AddedToken& token : config.added_tokens) {
            const auto* known = added.find(token.content);
            if (!known || !(*known == token)) tokens.push_back(token);
        }
        for (const char* role : TokenizerConfig::roles) {
            const auto found = config.special_tokens.find(role);
            if (found != config.special_tokens.end() && !listed(found->second.content)) tokens.push_back(found->second);
        }
        for (const AddedToken& token : config.extra) {
            if (!listed(token.content)) tokens.push_back(token);
        }
        for (AddedToken& token : tokens) {
            for (const auto& [role, special] : config.special_tokens) token.special |= special.content == token.content;
        }
        added.add(tokens, model, normalizer);
    }

    /// The special token of a role, as templates hold it.
    [[nodiscard]] TemplateProcessing::Special special(const TokenizerConfig& config, const std::string& role,
                                                      const std::string& fallback) const {
        const auto token = config.token_or(role, fallback);
        const auto found = id(token);
        if (found < 0) {
            throw ConfigError("The tokenizer has no token \"" + token + "\" for the role " + role + ".",
                              "Set " + role + " in tokenizer_config.json to a token of the vocabulary.");
        }
        return {{found}, {token}};
    }

    /// The beginning and end of sequence tokens around texts, as add_bos_token and add_eos_token ask.
    void add_boundary_template(const TokenizerConfig& config) {
        std::vector<TemplateProcessing::Part> single, pair;
        for (int text = 0; text < 2; ++text) {
            const auto add = [&](const char* option, const char* role) {
                if (!config.place().boolean_or(option, false) || config.special_tokens.count(role) == 0) return;
                pair.push_back({-1, text, special(config, role, "")});
            };
            add("add_bos_token", "bos_token");
            pair.push_back({text, text});
            add("add_eos_token", "eos_token");
            if (text == 0) single = pair;
        }
        post_processor = PostProcessor(TemplateProcessing(std::move(single), std::move(pair)));
    }

    /// The id of a token, added ones first, or -1.
    [[nodiscard]] std::int32_t id(const std::string& token) const {
        const auto found = added.id(token);
        return found >= 0 ? found : model.id(token);
    }
    /// The token of an id, or null.
    [[nodiscard]] const std::string* token(std::int64_t id) const {
        const auto* found = added.token(id);
        return found ? found : model.token(id);
    }
};

}  // namespace silica::text
