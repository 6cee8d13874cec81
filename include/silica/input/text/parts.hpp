#pragma once
/// The parts of a tokenizer, however they were read.

#include <silica/core/quote.hpp>
#include <silica/input/text/added_tokens.hpp>
#include <silica/input/text/decoder.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/model.hpp>
#include <silica/input/text/normalizer.hpp>
#include <silica/input/text/post_processor.hpp>
#include <silica/input/text/pre_tokenizer.hpp>
#include <silica/input/text/tokenizer_config.hpp>
#include <silica/input/text/truncation.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
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

    /// Reads a tokenizer.json.
    [[nodiscard]] static Parts read(const JsonPlace& top) {
        if (const auto version = top.find("version"); version && version->string() != "1.0") {
            version->fail("is " + quote(version->string()) + " where \"1.0\" is known");
        }
        Parts made{Model::read(top.at("model"))};
        if (const auto place = top.find("normalizer")) made.normalizer = Normalizer::read(*place);
        if (const auto place = top.find("pre_tokenizer")) made.pre_tokenizer = PreTokenizer::read(*place);
        if (const auto place = top.find("decoder")) made.decoder = Decoder::read(*place);
        made.read_processing(top);
        if (const auto place = top.find("added_tokens")) {
            std::vector<AddedToken> tokens;
            for (std::size_t i = 0; i < place->size(); ++i) {
                (void)place->at(i).at("id").id();
                tokens.push_back(TokenizerConfig::read_added_token(place->at(i)));
            }
            made.added.add(tokens, made.model, made.normalizer);
        }
        return made;
    }
    /// Reads what every class of transformers keeps of a tokenizer.json.
    void read_processing(const JsonPlace& top) {
        if (const auto place = top.find("post_processor")) post_processor = PostProcessor::read(*place);
        if (const auto place = top.find("truncation")) truncation = Truncation::read(*place);
        if (const auto place = top.find("padding")) padding = Padding::read(*place);
    }

    /// Adds the tokens that the files beside the vocabulary list, and the special tokens, as transformers does
    /// (tokenization_utils_tokenizers.py, `TokenizersBackend.__init__`).
    void add_special_tokens(const TokenizerConfig& config) {
        std::vector<NamedToken> tokens;
        std::set<std::string> listed;
        for (const auto& [id, token] : config.added_tokens) {
            tokens.push_back(token);
            listed.insert(token.content);
        }
        const auto offer = [&](const NamedToken& token) {
            if (added.find(token.content) || listed.count(token.content) > 0) return;
            if (std::find(tokens.begin(), tokens.end(), token) == tokens.end()) tokens.push_back(token);
        };
        for (const auto& [role, token] : config.special_tokens) offer(token);
        for (const NamedToken& token : extra(config)) offer(token);
        std::vector<AddedToken> plain;
        for (NamedToken& token : tokens) {
            const auto same = [&](const auto& entry) { return entry.second.content == token.content; };
            const bool named = std::any_of(config.special_tokens.begin(), config.special_tokens.end(), same);
            if (token.is_text || (named && !token.special)) token.make_special();
            plain.push_back(token);
        }
        added.add(plain, model, normalizer);
    }
    /// The extra special tokens, by whichever name.
    [[nodiscard]] static std::vector<NamedToken> extra(const TokenizerConfig& config) {
        if (config.extra) return *config.extra;
        return config.additional.value_or(std::vector<NamedToken>{});
    }

    /// The special token of a role, as templates hold it; where the files say null, what transformers holds then.
    [[nodiscard]] TemplateProcessing::Special special(const TokenizerConfig& config, const std::string& role,
                                                      std::optional<std::int64_t> without = std::nullopt) const {
        const auto* token = config.find(role);
        if (!token && without) return {{*without}, {"None"}};
        const auto found = token ? id(token->content) : -1;
        if (found < 0) {
            throw ConfigError(config.file + " leaves the tokenizer without a " + role + ".",
                              "Set " + role + " in tokenizer_config.json to a token of the vocabulary.");
        }
        return {{found}, {token->content}};
    }

    /// The beginning and end of sequence tokens around texts, as add_bos_token and add_eos_token ask. A tokenizer.json
    /// overrules both.
    void add_boundary_template(const TokenizerConfig& config, bool has_json) {
        const auto place = config.place();
        const bool asked = !has_json && (place.find("add_bos_token") || place.find("add_eos_token"));
        if (post_processor && !asked) return;
        std::vector<TemplateProcessing::Part> single, pair;
        for (int text = 0; text < 2; ++text) {
            const auto add = [&](const char* option, const char* role) {
                if (has_json || !place.boolean_or(option, false) || !config.find(role)) return;
                pair.push_back({-1, text, special(config, role)});
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
