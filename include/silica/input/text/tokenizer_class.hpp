#pragma once
/// Which of transformers' tokenizer classes a checkpoint gets, as AutoTokenizer decides (transformers 5.23,
/// models/auto/tokenization_auto.py).

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace silica::text {

/// What takes tokenizer.json as it is: TokenizersBackend, which PreTrainedTokenizerFast is a name of.
inline constexpr const char* backend_family = "Backend";

namespace detail {

/// Whether `list`, words with spaces between, has this word.
[[nodiscard]] inline bool has_word(std::string_view list, std::string_view word) {
    for (std::size_t at = 0; at < list.size();) {
        const auto end = std::min(list.find(' ', at), list.size());
        if (list.substr(at, end - at) == word) return true;
        at = end + 1;
    }
    return false;
}

/// Families and the model types of config.json whose tokenizer is of that family.
inline constexpr std::pair<const char*, const char*> registered_types[] = {
    {"Bert",
     "align bark bert blip bros chinese_clip convbert distilbert electra ernie flava git grounding-dino layoutlm "
     "megatron-bert mm-grounding-dino nezha nomic_bert qdqbert realm retribert squeezebert tvp vilt visual_bert "
     "mobilebert lxmert"},
    {"Llama", "idefics idefics2"},
    {"T5", "mt5 musicgen musicgen_melody switch_transformers t5"},
    {"Qwen2",
     "audioflamingo3 colqwen2 cosmos3_omni dots3_note fun_asr_nano hunyuan_vl internvl lighton_ocr "
     "moss_transcribe_diarize ovis2 qianfan_ocr qwen2 qwen2_5_omni qwen2_5_vl qwen2_audio qwen2_moe qwen2_vl qwen3 "
     "qwen3_asr qwen3_moe qwen3_next qwen3_omni_moe qwen3_vl qwen3_vl_moe vibevoice"},
    {"GPT2",
     "blip-2 codegen dbrx emu3 gpt2 gpt_neo gptj hyperclovax_vision_v2 instructblip instructblipvideo jais2 opt phi "
     "starcoder2"},
    {"CLIP", "aimv2 clip clipseg groupvit omdet-turbo oneformer owlv2 owlvit sam3 sam3_video xclip"},
    {"Roberta",
     "bart bridgetower clap data2vec-text ibert lilt longformer mega mra roberta roberta-prelayernorm florence2 led "
     "mvp"},
    {"Whisper", "whisper"},
    {"Wav2Vec2CTC",
     "data2vec-audio hubert sew sew-d unispeech unispeech-sat wav2vec2 wav2vec2-bert wav2vec2-conformer wavlm"},
    {backend_family,
     "aria beam bigbird_pegasus canary flex_olmo glm glm4 glm4_moe glm4_moe_lite glm4v glm4v_moe glm_image glmasr "
     "got_ocr2 gpt_bigcode granite granitemoe granitemoehybrid granitemoeshared kimi_k25 kimi_linear kosmos-2 "
     "mimo_v2_flash ministral ministral3 mistral mistral3 mixtral nystromformer olmo2 olmo3 olmo_hybrid pegasus_x "
     "persimmon pix2struct pixtral stablelm umt5 voxtral voxtral_realtime xlm-roberta-xl molmo2 ernie4_5 arctic "
     "phi3_v jamba h2ovl_chat llava molmo phimoe minicpm3 minimax_m2 modernbert openvla modernbert-decoder vipllava "
     "minicpmv internlm2 internlm3 hyperclovax_vlm nvfp4 camembertv2-base chatlm opencua cohere_asr phi3 step3_vl "
     "iquestcoder ernie4_5_moe smolvlm llava_next fuyu paddleocr_vl hyperclovax nemotron"}};

/// Model types whose checkpoints name a wrong class: theirs is taken whatever tokenizer_config.json says.
inline constexpr const char* overruling_types = "qwen2 hyperclovax_vision_v2";

}  // namespace detail

/// The family of a model type: "Bert", "Backend"; empty where transformers has none, or one that Silica does not know.
[[nodiscard]] inline std::string family_of_type(std::string_view model_type) {
    for (const auto& [family, types] : detail::registered_types) {
        if (detail::has_word(types, model_type)) return family;
    }
    return {};
}

/// The family of a class: "LlamaTokenizerFast" is "Llama", "BartTokenizer" is "Roberta". Classes that Silica does not
/// know keep their name.
[[nodiscard]] inline std::string family_of_class(std::string name) {
    if (name.empty()) return {};
    for (const std::string_view ending : {"Fast", "Tokenizer"}) {
        if (name.ends_with(ending)) name.erase(name.size() - ending.size());
    }
    constexpr std::pair<const char*, const char*> aliases[] = {
        {backend_family, "PreTrained TokenizersBackend PythonBackend Bloom"},
        {"Bert", "DistilBert Electra MobileBert SqueezeBert Lxmert LayoutLM"},
        {"Roberta", "Bart LED Mvp"}};
    for (const auto& [family, names] : aliases) {
        if (detail::has_word(names, name)) return family;
    }
    return name;
}

/// The family that AutoTokenizer takes. `byte_level`: tokenizer.json has a ByteLevel component.
[[nodiscard]] inline std::string choose_family(const std::string& class_name, std::string_view model_type,
                                               bool byte_level) {
    const std::string registered = family_of_type(model_type), named = family_of_class(class_name);
    if (named.empty()) return registered;
    const bool overruled = detail::has_word(detail::overruling_types, model_type);
    if (named == "Llama" && byte_level && !overruled) return backend_family;
    if (registered.empty() || registered == named) return named;
    return registered == backend_family || overruled ? registered : named;
}

}  // namespace silica::text
