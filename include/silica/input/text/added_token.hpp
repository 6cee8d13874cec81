#pragma once
/// A token that is looked for in the text before the model sees it.

#include <string>
#include <utility>

namespace silica::text {

/// One token of "added_tokens".
struct AddedToken {
    std::string content;
    bool single_word = false;  ///< only where no word character touches it
    bool lstrip = false;       ///< takes the white space on its left with it
    bool rstrip = false;       ///< takes the white space on its right with it
    bool normalized = true;    ///< looked for in the normalized text, in its own normalized form
    bool special = false;      ///< left out by decode(..., skip_special_tokens)

    bool operator==(const AddedToken&) const = default;
};

/// A token as the files beside the vocabulary name it: a string, or an object with options.
struct NamedToken : AddedToken {
    bool is_text = false;           ///< written as a string
    bool normalized_given = false;  ///< else it is normalized where it is not special
    bool is_object = false;         ///< written as an object in tokenizer_config.json

    /// A special token written as a string.
    [[nodiscard]] static NamedToken of(std::string content) {
        NamedToken made;
        made.content = std::move(content);
        made.normalized = false, made.special = true, made.is_text = true;
        return made;
    }
    void make_special() {
        special = true;
        if (!normalized_given) normalized = false;
    }
    bool operator==(const NamedToken& other) const {
        return is_text == other.is_text && (is_text ? content == other.content : AddedToken::operator==(other));
    }
};

}  // namespace silica::text
