#pragma once
/// WordLevel: a token per word.

#include <silica/input/text/encoding.hpp>
#include <silica/input/text/json_place.hpp>
#include <silica/input/text/model/vocabulary_reader.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace silica::text {

/// Words are looked up; what is not there is unknown.
class WordLevel {
public:
    WordLevel(Vocabulary vocabulary, std::string unknown)
        : vocabulary_(std::move(vocabulary)), unknown_(std::move(unknown)) {}

    [[nodiscard]] static WordLevel read(const JsonPlace& place) {
        return {read_vocabulary(place.at("vocab")), place.at("unk_token").string()};
    }

    [[nodiscard]] const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
    [[nodiscard]] std::size_t size() const noexcept { return vocabulary_.size(); }

    /// Appends the token of a word.
    void operator()(std::string_view word, Tokens& out) const {
        if (const auto id = vocabulary_.find(word); id >= 0) return out.add(id, word);
        const auto id = vocabulary_.find(unknown_);
        if (id < 0) missing_unknown(unknown_);
        out.add(id, unknown_);
    }

private:
    Vocabulary vocabulary_;
    std::string unknown_;
};

}  // namespace silica::text
