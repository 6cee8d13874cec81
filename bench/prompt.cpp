#include "prompt.hpp"

#include "silica/core/error.hpp"

namespace silica::bench {

generate::Prompt prompt_of(const Named& inputs) {
    generate::Prompt prompt;
    for (const auto& [name, tensor] : inputs) {
        if (name == "input_ids")
            prompt.input_ids = tensor;
        else if (name == "attention_mask")
            prompt.attention_mask = tensor;
        else if (name == "decoder_input_ids")
            prompt.decoder_input_ids = tensor;
        else
            throw InputError("The reference holds inputs." + name + ", which no text is generated from.",
                             "texts start from input_ids, attention_mask and decoder_input_ids.");
    }
    return prompt;
}

}  // namespace silica::bench
