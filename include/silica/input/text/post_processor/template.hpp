#pragma once
/// TemplateProcessing: "[CLS] $A [SEP] $B [SEP]" around one text or a pair.

#include <silica/input/text/encoding.hpp>
#include <silica/input/text/json_place.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace silica::text {

/// Places special tokens around texts and sets the type ids.
class TemplateProcessing {
public:
    /// A special token of a template: often one id, sometimes several.
    struct Special {
        std::vector<std::int64_t> ids;
        std::vector<std::string> tokens;
    };
    /// One element of a template: text 0 or 1, or (-1) a special token.
    struct Part {
        int text = -1;
        std::int64_t type_id = 0;
        Special special = {};
    };

    TemplateProcessing(std::vector<Part> single, std::vector<Part> pair)
        : single_(std::move(single)), pair_(std::move(pair)) {}

    [[nodiscard]] static TemplateProcessing read(const JsonPlace& place) {
        const auto specials = place.find("special_tokens");
        auto single = read_parts(place.at("single"), specials);
        auto pair = read_parts(place.at("pair"), specials);
        for (const Part& part : single) {
            if (part.text == 1) place.at("single").fail("uses a second text");
        }
        return {std::move(single), std::move(pair)};
    }

    [[nodiscard]] std::size_t added(bool pair) const {
        std::size_t n = 0;
        for (const Part& part : pair ? pair_ : single_) n += part.special.ids.size();
        return n;
    }

    /// One element per place in the template.
    void operator()(std::vector<Encoding>& parts, bool add_special_tokens) const {
        const auto& wanted = parts.size() > 1 ? pair_ : single_;
        std::vector<Encoding> out;
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            const Part& part = wanted[i];
            if (part.text >= 0) {
                Encoding& text = parts[static_cast<std::size_t>(part.text)];
                text.type_ids.assign(text.size(), part.type_id);
                const bool again = std::any_of(wanted.begin() + static_cast<std::ptrdiff_t>(i) + 1, wanted.end(),
                                               [&](const Part& later) { return later.text == part.text; });
                out.push_back(again ? text : std::move(text));
            } else if (add_special_tokens) {
                out.push_back(special(part.special.ids, part.special.tokens, part.type_id));
            }
        }
        parts = std::move(out);
    }

    /// An encoding of special tokens only.
    [[nodiscard]] static Encoding special(std::vector<std::int64_t> ids, std::vector<std::string> tokens,
                                          std::int64_t type_id) {
        Encoding made;
        made.type_ids.assign(ids.size(), type_id);
        made.attention_mask.assign(ids.size(), 1);
        made.special_tokens_mask.assign(ids.size(), 1);
        made.ids = std::move(ids);
        made.tokens = std::move(tokens);
        return made;
    }

private:
    [[nodiscard]] static std::vector<Part> read_parts(const JsonPlace& place,
                                                      const std::optional<JsonPlace>& specials) {
        std::vector<Part> parts;
        constexpr std::size_t longest = 256, most_texts = 8;
        if (place.size() > longest) {
            place.fail("has " + std::to_string(place.size()) + " elements, more than " + std::to_string(longest));
        }
        std::size_t texts = 0;
        for (std::size_t i = 0; i < place.size(); ++i) {
            const auto element = place.at(i);
            if (const auto text = element.find("Sequence")) {
                const auto id = text->at("id");
                if (id.string() != "A" && id.string() != "B") id.fail("is neither \"A\" nor \"B\"");
                if (++texts > most_texts) place.fail("has more than " + std::to_string(most_texts) + " texts");
                parts.push_back({id.string() == "B", text->at("type_id").integer(0, INT32_MAX)});
            } else if (const auto token = element.find("SpecialToken")) {
                const auto id = token->at("id");
                const std::string& name = id.string();
                if (!specials) place.fail("names the special token \"" + name + "\" but there are no special_tokens");
                const auto entry = specials->at(name);
                Part part{-1, token->at("type_id").integer(0, INT32_MAX)};
                const auto ids = entry.at("ids"), tokens = entry.at("tokens");
                if (ids.size() != tokens.size()) entry.fail("has a different number of ids and tokens");
                if (ids.size() > longest) ids.fail("has " + std::to_string(ids.size()) + " ids");
                for (std::size_t k = 0; k < ids.size(); ++k) {
                    part.special.ids.push_back(ids.at(k).id());
                    part.special.tokens.push_back(tokens.at(k).string());
                }
                parts.push_back(std::move(part));
            } else {
                element.fail("is neither a Sequence nor a SpecialToken");
            }
        }
        return parts;
    }

    std::vector<Part> single_, pair_;
};

}  // namespace silica::text
