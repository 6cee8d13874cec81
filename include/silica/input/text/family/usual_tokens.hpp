#pragma once
/// The special tokens that transformers' tokenizer classes have where no file names others.

#include <string>
#include <utility>
#include <vector>

namespace silica::text::detail {

/// The usual tokens of a family.
[[nodiscard]] inline std::vector<std::pair<const char*, const char*>> usual_tokens(const std::string& family) {
    constexpr const char* end = "<|endoftext|>";
    if (family == "Bert") {
        return {{"unk_token", "[UNK]"},
                {"sep_token", "[SEP]"},
                {"pad_token", "[PAD]"},
                {"cls_token", "[CLS]"},
                {"mask_token", "[MASK]"}};
    }
    if (family == "Llama") return {{"unk_token", "<unk>"}, {"bos_token", "<s>"}, {"eos_token", "</s>"}};
    if (family == "T5") return {{"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}};
    if (family == "Qwen2") return {{"unk_token", end}, {"eos_token", end}, {"pad_token", end}};
    if (family == "GPT2" || family == "Whisper") return {{"unk_token", end}, {"bos_token", end}, {"eos_token", end}};
    if (family == "CLIP") {
        return {{"unk_token", end}, {"bos_token", "<|startoftext|>"}, {"eos_token", end}, {"pad_token", end}};
    }
    if (family == "Roberta") {
        return {{"bos_token", "<s>"},   {"eos_token", "</s>"},  {"sep_token", "</s>"},   {"cls_token", "<s>"},
                {"unk_token", "<unk>"}, {"pad_token", "<pad>"}, {"mask_token", "<mask>"}};
    }
    return {};
}

}  // namespace silica::text::detail
