#include "prompt.hpp"

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
            prompt.extra.emplace_back(name, tensor);
    }
    return prompt;
}

}  // namespace silica::bench
