// Silica 0.1.0: input, model and decoding together. Written by amalgamate.py from include/; change it there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef SILICA_COMPILED
#error "The single headers define everything. Remedy: link silica::silica beside them, or include the headers that silica::compiled is made from."
#endif

#include "silica.hpp"
#include "input.hpp"
// ---- silica/task/chat.hpp
#ifndef SILICA_SINGLE_TASK_CHAT_HPP
#define SILICA_SINGLE_TASK_CHAT_HPP
/// A talk with a model, turn by turn.

// ---- silica/task/generate.hpp
#ifndef SILICA_SINGLE_TASK_GENERATE_HPP
#define SILICA_SINGLE_TASK_GENERATE_HPP
/// Prompt or chat in, text out.

// ---- silica/task/writer.hpp
#ifndef SILICA_SINGLE_TASK_WRITER_HPP
#define SILICA_SINGLE_TASK_WRITER_HPP
/// Prompts and chats to text, with any decoder: tokenizer, chat template and generation_config.json of a checkpoint.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace silica::task {

/// Called for each token that is written; false ends the call. `token.text` is what became readable with it.
using OnToken = std::function<bool(const generate::Token&)>;

/// What a checkpoint has beside its network. Const calls may run at once, each with a decoder of its own.
class Writer {
public:
    /// Reads a checkpoint's directory. ConfigError for a wrong file; a chat template is missed when it is used.
    [[nodiscard]] static Writer open(const std::filesystem::path& directory);

    explicit Writer(text::Tokenizer tokenizer, generate::GenerationConfig config = {},
                    std::optional<text::ChatTemplate> chat_template = {});

    /// Continues each prompt (an encoder-decoder: answers it). What `config` does not say is as generation_config.json
    /// says, and else transformers' default, but for the length: 256 new tokens, as its pipeline writes. A stop string
    /// that is a special token ends a text as an end token does. `texts` of what comes back are without the prompts.
    /// InputError for an empty list, a text that is not UTF-8, a prompt beyond the context, a parameter out of range.
    [[nodiscard]] generate::Generated operator()(generate::Decoder& decoder, std::span<const std::string> prompts,
                                                 const generate::GenerationConfig& config = {},
                                                 const OnToken& on_token = {}) const;

    /// Answers a chat: `messages` is a list of objects like {"role": "user", "content": "..."}. With `held`, kept from
    /// turn to turn with one decoder, only what is new in the chat is read. ConfigError where the checkpoint has no
    /// chat template.
    [[nodiscard]] generate::Generated chat(generate::Decoder& decoder, const Json& messages,
                                           const generate::GenerationConfig& config = {}, const OnToken& on_token = {},
                                           const Json* tools = nullptr, generate::Held* held = nullptr) const;

    /// The prompt that opens the answer to a chat.
    [[nodiscard]] std::string prompt_of(const Json& messages, const Json* tools = nullptr) const;

    [[nodiscard]] bool has_template() const noexcept { return template_ != nullptr; }
    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
    /// What generation_config.json says.
    [[nodiscard]] const generate::GenerationConfig& config() const noexcept { return config_; }

private:
    [[nodiscard]] generate::Generated write(generate::Decoder& decoder, std::span<const std::string> prompts,
                                            bool add_special_tokens, const generate::GenerationConfig& config,
                                            const OnToken& on_token, generate::Held* held) const;

    /// `config` with what the checkpoint says; stop strings that are special tokens become end tokens.
    [[nodiscard]] generate::GenerationConfig complete_config(const generate::GenerationConfig& config,
                                                             const generate::DecoderFacts& facts) const;

    /// Rows of one width: a decoder's are padded on the left, an encoder's on the right.
    static generate::Prompt padded(const std::vector<std::vector<std::int64_t>>& rows,
                                   const generate::DecoderFacts& facts, const generate::GenerationConfig& c);

    std::shared_ptr<const text::Tokenizer> tokenizer_;
    std::shared_ptr<const text::ChatTemplate> template_;
    std::optional<ConfigError> without_template_;
    generate::GenerationConfig config_;
};

}  // namespace silica::task

// ---- silica/task/writer.ipp
#ifndef SILICA_SINGLE_TASK_WRITER_IPP
#define SILICA_SINGLE_TASK_WRITER_IPP
/// Definitions of writer.hpp.

// ---- silica/task/text_of.hpp
#ifndef SILICA_SINGLE_TASK_TEXT_OF_HPP
#define SILICA_SINGLE_TASK_TEXT_OF_HPP
/// A tokenizer's decoding, for generation.

#include <memory>

namespace silica::task {

/// The text of tokens without special ones. The tokenizer is shared.
[[nodiscard]] generate::TextOf text_of(std::shared_ptr<const text::Tokenizer> tokenizer);

}  // namespace silica::task

// ---- silica/task/text_of.ipp
#ifndef SILICA_SINGLE_TASK_TEXT_OF_IPP
#define SILICA_SINGLE_TASK_TEXT_OF_IPP
/// Definitions of text_of.hpp.

#include <cstdint>
#include <span>
#include <utility>

namespace silica::task {

SILICA_INLINE generate::TextOf text_of(std::shared_ptr<const text::Tokenizer> tokenizer) {
    generate::TextOf made;
    for (const char* byte : {"<0xFF>", "<0xff>"}) {
        if (const auto id = tokenizer->token_to_id(byte)) made.probes.push_back(*id);
    }
    made.decode = [tokenizer = std::move(tokenizer)](std::span<const std::int64_t> ids) {
        return tokenizer->decode(ids, true);
    };
    return made;
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_TEXT_OF_IPP
#endif  // SILICA_SINGLE_TASK_TEXT_OF_HPP

#include <algorithm>
#include <utility>

namespace silica::task {

SILICA_INLINE Writer Writer::open(const std::filesystem::path& directory) {
    Writer made(text::Tokenizer::open(directory), generate::read_generation_config(directory));
    try {
        made.template_ = std::make_shared<const text::ChatTemplate>(text::ChatTemplate::open(directory));
    } catch (const ConfigError& e) {
        made.without_template_ = e;
    }
    return made;
}

SILICA_INLINE Writer::Writer(text::Tokenizer tokenizer, generate::GenerationConfig config,
                             std::optional<text::ChatTemplate> chat_template)
    : config_(std::move(config)) {
    tokenizer.set_padding(std::nullopt);
    tokenizer.set_truncation(std::nullopt);
    tokenizer_ = std::make_shared<const text::Tokenizer>(std::move(tokenizer));
    if (chat_template) template_ = std::make_shared<const text::ChatTemplate>(*std::move(chat_template));
}

SILICA_INLINE generate::Generated Writer::operator()(generate::Decoder& decoder, std::span<const std::string> prompts,
                                                     const generate::GenerationConfig& config,
                                                     const OnToken& on_token) const {
    return write(decoder, prompts, true, config, on_token, nullptr);
}

SILICA_INLINE generate::Generated Writer::chat(generate::Decoder& decoder, const Json& messages,
                                               const generate::GenerationConfig& config, const OnToken& on_token,
                                               const Json* tools, generate::Held* held) const {
    const std::string prompt = prompt_of(messages, tools);
    return write(decoder, std::span(&prompt, 1), false, config, on_token, held);
}

SILICA_INLINE std::string Writer::prompt_of(const Json& messages, const Json* tools) const {
    if (!template_)
        throw without_template_.value_or(
            ConfigError("There is no chat template.", "give one, or a prompt instead of messages."));
    return template_->render(messages, {.add_generation_prompt = true, .tools = tools});
}

SILICA_INLINE generate::Generated Writer::write(generate::Decoder& decoder, std::span<const std::string> prompts,
                                                bool add_special_tokens, const generate::GenerationConfig& config,
                                                const OnToken& on_token, generate::Held* held) const {
    if (prompts.empty()) throw InputError("There is no prompt.", "give at least one.");
    const auto& facts = decoder.facts();
    const auto c = complete_config(config, facts);
    std::vector<std::vector<std::int64_t>> rows;
    for (const auto& prompt : prompts) {
        auto& ids = rows.emplace_back(tokenizer_->encode(prompt, add_special_tokens).ids);
        const auto bos = c.bos_token_id ? c.bos_token_id : facts.bos_token_id;
        if (ids.empty() && bos) ids.push_back(*bos);
        if (ids.empty()) throw InputError("The prompt is empty.", "write at least a word.");
    }
    return generate::complete(decoder, padded(rows, facts, c), c,
                              {.on_token = on_token, .text = text_of(tokenizer_), .held = held});
}

SILICA_INLINE generate::GenerationConfig Writer::complete_config(const generate::GenerationConfig& config,
                                                                 const generate::DecoderFacts& facts) const {
    auto c = generate::merged(config, config_);
    if (!c.max_new_tokens && !c.max_length) c.max_new_tokens = 256;
    if (!c.stop_strings) return c;
    auto ends = c.eos_token_id.value_or(facts.eos_token_id);
    std::erase_if(*c.stop_strings, [&](const std::string& stop) {
        const auto id = tokenizer_->token_to_id(stop);
        if (!id || !tokenizer_->is_special(*id)) return false;
        if (std::ranges::find(ends, *id) == ends.end()) ends.push_back(*id);
        return true;
    });
    c.eos_token_id = std::move(ends);
    return c;
}

SILICA_INLINE generate::Prompt Writer::padded(const std::vector<std::vector<std::int64_t>>& rows,
                                              const generate::DecoderFacts& facts,
                                              const generate::GenerationConfig& c) {
    const auto width = static_cast<std::int64_t>(std::ranges::max(rows, {}, &std::vector<std::int64_t>::size).size());
    const auto n = static_cast<std::int64_t>(rows.size());
    // Masked, so that any token would do; a pad token may be beyond the vocabulary.
    auto pad = c.pad_token_id.value_or(facts.pad_token_id.value_or(0));
    if (pad < 0 || (facts.vocab_size && pad >= *facts.vocab_size)) pad = 0;
    const Tensor ids = at::full({n, width}, pad, c10::ScalarType::Long);
    const Tensor mask = at::zeros({n, width}, c10::ScalarType::Long);
    for (std::int64_t r = 0; r < n; ++r) {
        const auto& row = rows[static_cast<std::size_t>(r)];
        const auto length = static_cast<std::int64_t>(row.size());
        const auto at = r * width + (facts.encoder_decoder ? 0 : width - length);
        std::ranges::copy(row, ids.mutable_data_ptr<std::int64_t>() + at);
        std::fill_n(mask.mutable_data_ptr<std::int64_t>() + at, length, 1);
    }
    return {ids, mask};
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_WRITER_IPP
#endif  // SILICA_SINGLE_TASK_WRITER_HPP

#include <string>
#include <utility>
#include <vector>

namespace silica::task {

/// Writes text with a model such as `Model<arch::LlamaForCausalLM, device::Mps>` or T5ForConditionalGeneration:
///
///     auto write = task::TextGenerator<Model<arch::LlamaForCausalLM, device::Cpu>>::open("TinyLlama/...");
///     std::string text = write("The capital of France is", {.max_new_tokens = 20});
///     write.chat(messages, {}, [](const generate::Token& t) { std::cout << t.text << std::flush; return true; });
///
/// Const calls may run at once from several threads; each makes a state of its own.
template <class Model>
class TextGenerator {
public:
    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its tokenizer, chat template and
    /// generation_config.json.
    [[nodiscard]] static TextGenerator open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto directory = checkpoint::resolve(location.text());
        return {Writer::open(directory), Model::open(directory, options)};
    }

    TextGenerator(Writer writer, Model model) : writer_(std::move(writer)), model_(std::move(model)) {}

    /// The text that follows a prompt (an encoder-decoder's answer), without the prompt. See Writer for `config`.
    [[nodiscard]] std::string operator()(const std::string& prompt, const generate::GenerationConfig& config = {},
                                         const OnToken& on_token = {}) const {
        return generate(std::span(&prompt, 1), config, on_token).texts.front();
    }

    /// The texts of several prompts, which run together.
    [[nodiscard]] std::vector<std::string> operator()(const std::vector<std::string>& prompts,
                                                      const generate::GenerationConfig& config = {},
                                                      const OnToken& on_token = {}) const {
        return generate(prompts, config, on_token).texts;
    }

    /// The answer to a chat: a list of messages like {"role": "user", "content": "..."}.
    std::string chat(const Json& messages, const generate::GenerationConfig& config = {},
                     const OnToken& on_token = {}) const {
        generate::ModelDecoder<Model> decoder(model_);
        return writer_.chat(decoder, messages, config, on_token).texts.front();
    }

    /// Everything about the texts of several prompts: tokens, how they ended, times.
    [[nodiscard]] generate::Generated generate(std::span<const std::string> prompts,
                                               const generate::GenerationConfig& config = {},
                                               const OnToken& on_token = {}) const {
        generate::ModelDecoder<Model> decoder(model_);
        return writer_(decoder, prompts, config, on_token);
    }

    [[nodiscard]] const Writer& writer() const noexcept { return writer_; }
    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return writer_.tokenizer(); }
    [[nodiscard]] const Model& model() const noexcept { return model_; }

private:
    Writer writer_;
    Model model_;
};

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_GENERATE_HPP

#include <string>
#include <utility>

namespace silica::task {

/// A message of a chat: {"role": "user", "content": "Where is the cat?"}.
[[nodiscard]] inline Json message(std::string role, std::string content) {
    return Json(Json::Object{{"role", Json(std::move(role))}, {"content", Json(std::move(content))}});
}

/// Asks and remembers. The caches are kept from turn to turn, so that each reads only what is new. The generator
/// outlives it; one caller at a time.
///
///     const auto write = task::TextGenerator<Model<arch::LlamaForCausalLM, device::Mps>>::open("TinyLlama/...");
///     task::Chat chat(write, {task::message("system", "You answer in one sentence.")});
///     std::string answer = chat("Where is the cat?", {.max_new_tokens = 200});
template <class Model>
class Chat {
public:
    explicit Chat(const TextGenerator<Model>& write, Json::Array messages = {})
        : writer_(&write.writer()), decoder_(write.model()), messages_(std::move(messages)) {}
    /// A temporary would be gone before the chat.
    explicit Chat(const TextGenerator<Model>&& write, Json::Array messages = {}) = delete;

    /// The answer, which is a message of the chat from then on. Where it fails, the question is none either.
    std::string operator()(std::string text, const generate::GenerationConfig& config = {},
                           const OnToken& on_token = {}) {
        return ask(std::move(text), config, on_token).texts.front();
    }

    /// The same, with everything about the answer: tokens, how it ended, times.
    generate::Generated ask(std::string text, const generate::GenerationConfig& config = {},
                            const OnToken& on_token = {}) {
        auto messages = messages_;
        messages.push_back(message("user", std::move(text)));
        auto out = writer_->chat(decoder_, Json(messages), config, on_token, nullptr, &held_);
        messages.push_back(message("assistant", out.texts.front()));
        messages_ = std::move(messages);
        return out;
    }

    /// All messages so far, the first ones included.
    [[nodiscard]] const Json::Array& messages() const noexcept { return messages_; }

private:
    const Writer* writer_;
    generate::ModelDecoder<Model> decoder_;
    generate::Held held_ = {};
    Json::Array messages_;
};

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_CHAT_HPP
// ---- silica/task/embed.hpp
#ifndef SILICA_SINGLE_TASK_EMBED_HPP
#define SILICA_SINGLE_TASK_EMBED_HPP
/// Sentences to vectors: tokenizer, encoder, pooling.

// ---- silica/task/sentence_config.hpp
#ifndef SILICA_SINGLE_TASK_SENTENCE_CONFIG_HPP
#define SILICA_SINGLE_TASK_SENTENCE_CONFIG_HPP
/// How a sentence-transformers checkpoint makes a vector of a text: modules.json with its folders,
/// config_sentence_transformers.json and sentence_bert_config.json. Followed: sentence-transformers 6.2, base/model.py
/// and its modules; docs/files.md lists the keys.

// ---- silica/task/sentence_module.hpp
#ifndef SILICA_SINGLE_TASK_SENTENCE_MODULE_HPP
#define SILICA_SINGLE_TASK_SENTENCE_MODULE_HPP
/// What sentence-transformers computes on the vector of a text after the pooling.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace silica::task {

/// One module of modules.json that follows the pooling, with its weights.
struct SentenceModule {
    std::string type;                            ///< its class without the path: "Dense", "LayerNorm", "Normalize"
    std::function<Tensor(const Tensor&)> apply;  ///< (texts, d) float32 on the CPU -> (texts, e)
};

/// x / |x|.
[[nodiscard]] Tensor normalized(const Tensor& x);

/// Reads the module of class `type` in `folder`: config.json and, for a Dense or a LayerNorm, model.safetensors or
/// pytorch_model.bin. What sentence-transformers ignores in config.json is added to `notes`.
/// ConfigError for what is not computed here, CheckpointError for wrong weights.
[[nodiscard]] SentenceModule read_sentence_module(const std::string& type, const std::filesystem::path& folder,
                                                  std::vector<std::string>& notes);

}  // namespace silica::task

// ---- silica/task/sentence_module.ipp
#ifndef SILICA_SINGLE_TASK_SENTENCE_MODULE_IPP
#define SILICA_SINGLE_TASK_SENTENCE_MODULE_IPP
/// Dense, LayerNorm and Normalize of sentence-transformers 6.2 (base/modules/dense.py, normalize.py,
/// sentence_transformer/modules/layer_norm.py).

// ---- silica/task/sentence_keys.hpp
#ifndef SILICA_SINGLE_TASK_SENTENCE_KEYS_HPP
#define SILICA_SINGLE_TASK_SENTENCE_KEYS_HPP
/// One JSON file of sentence-transformers, asked key by key.

#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::task::detail {

/// The object in a file, with errors that name file, key and value.
class SentenceFile {
public:
    /// Reads `directory / name`; an empty object where there is none and it is `optional`. ConfigError for a wrong
    /// file.
    SentenceFile(const std::filesystem::path& directory, std::string_view name, bool optional)
        : path_((directory / name).string()) {
        if (!optional || checkpoint::is_listed(directory / name)) json_ = checkpoint::read_json_file(directory, name);
    }
    /// An object inside another file.
    SentenceFile(Json json, std::string path) : json_(std::move(json)), path_(std::move(path)) {}

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] const Json& json() const noexcept { return json_; }
    [[nodiscard]] const Json* find(std::string_view key) const { return json_.find(key); }

    /// The value of a key that must be a string.
    [[nodiscard]] std::string string(std::string_view key) const {
        const Json* value = find(key);
        if (value == nullptr || !value->is_string()) refuse(key, "a string is wanted.");
        return value->string();
    }

    /// The value of a key that is true or false, or absent.
    [[nodiscard]] bool boolean(std::string_view key, bool otherwise) const {
        const Json* value = find(key);
        if (value == nullptr || value->is_null()) return otherwise;
        if (!value->is_bool()) refuse(key, "true or false is wanted.");
        return value->boolean();
    }

    /// Throws ConfigError: this key with this value.
    [[noreturn]] void refuse(std::string_view key, const std::string& remedy) const {
        const Json* value = find(key);
        refuse_config(path_, key, value == nullptr ? "(missing)" : value->brief(), remedy);
    }

    /// Adds a line for each key that is none of `known`: nothing reads it.
    void note_others(std::initializer_list<std::string_view> known, std::vector<std::string>& notes) const {
        if (!json_.is_object()) return;
        for (const auto& [key, value] : json_.object()) {
            if (std::ranges::find(known, key) == known.end())
                notes.push_back(path_ + ": " + quote(key) + " is not known and has no effect.");
        }
    }

private:
    Json json_ = Json(Json::Object{});
    std::string path_;
};

}  // namespace silica::task::detail
#endif  // SILICA_SINGLE_TASK_SENTENCE_KEYS_HPP

#include <ATen/ops/elu.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/hardtanh.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/mish.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/relu6.h>
#include <ATen/ops/selu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/tanh.h>

#include <optional>
#include <string_view>
#include <utility>

namespace silica::task {
namespace detail {

/// torch.nn's activations, with their defaults.
struct TorchActivation {
    std::string_view name;
    Tensor (*apply)(const Tensor&);
};
inline constexpr TorchActivation torch_activations[] = {
    {"Identity", [](const Tensor& x) { return x; }},
    {"Tanh", [](const Tensor& x) { return at::tanh(x); }},
    {"ReLU", [](const Tensor& x) { return at::relu(x); }},
    {"GELU", [](const Tensor& x) { return at::gelu(x); }},
    {"SiLU", [](const Tensor& x) { return at::silu(x); }},
    {"Sigmoid", [](const Tensor& x) { return at::sigmoid(x); }},
    {"LeakyReLU", [](const Tensor& x) { return at::leaky_relu(x); }},
    {"ReLU6", [](const Tensor& x) { return at::relu6(x); }},
    {"ELU", [](const Tensor& x) { return at::elu(x); }},
    {"SELU", [](const Tensor& x) { return at::selu(x); }},
    {"Mish", [](const Tensor& x) { return at::mish(x); }},
    {"Softplus", [](const Tensor& x) { return at::softplus(x); }},
    {"LogSigmoid", [](const Tensor& x) { return at::log_sigmoid(x); }},
    {"Hardtanh", [](const Tensor& x) { return at::hardtanh(x); }},
    {"Hardswish", [](const Tensor& x) { return at::hardswish(x); }},
};

/// The activation of a Dense: a class of torch.nn by its path; Tanh where none is named.
SILICA_INLINE const TorchActivation& torch_activation(const SentenceFile& file) {
    const Json* value = file.find("activation_function");
    const std::string path = value == nullptr ? "torch.nn.Tanh" : file.string("activation_function");
    std::string known;
    for (const auto& each : torch_activations) {
        if (path.starts_with("torch.nn.") && path.substr(path.rfind('.') + 1) == each.name) return each;
        known.append(known.empty() ? "" : ", ").append(each.name);
    }
    file.refuse("activation_function", "known are the classes of torch.nn: " + known + ".");
}

/// The weights of a module.
class SentenceWeights {
public:
    explicit SentenceWeights(const std::filesystem::path& folder) : file_(checkpoint::Checkpoint::open(folder)) {}

    /// The tensor of this name and shape, float32.
    [[nodiscard]] Tensor get(std::string_view name, const std::vector<std::int64_t>& shape) {
        const Tensor t = checkpoint::read_tensor(file_, name);
        if (t.sizes() != c10::IntArrayRef(shape)) {
            throw CheckpointError(file_.directory().string() + ": " + quote(name) + " has shape " +
                                      checkpoint::tuple_text(t.sizes()) + ", config.json makes it " +
                                      checkpoint::tuple_text(shape) + ".",
                                  "config.json and the weights belong to different modules: download both again.");
        }
        if (!t.is_floating_point() || t.element_size() < 2) {
            throw CheckpointError(file_.directory().string() + ": " + quote(name) + " is of type " +
                                      c10::toString(t.scalar_type()) + ", which is no type of weights here.",
                                  "save the module in float32.");
        }
        ++taken_;
        return t.toType(at::kFloat);
    }

    /// Throws where the file has more than was asked for.
    void settle() const {
        if (taken_ == file_.entries().size()) return;
        throw CheckpointError(file_.directory().string() + " holds " + std::to_string(file_.entries().size()) +
                                  " tensors, config.json asks for " + std::to_string(taken_) + ".",
                              "config.json and the weights belong to different modules: download both again.");
    }

private:
    checkpoint::Checkpoint file_;
    std::size_t taken_ = 0;
};

/// The sizes of a matrix that a module says it has.
SILICA_INLINE std::int64_t module_size(const SentenceFile& file, std::string_view key) {
    const Json* value = file.find(key);
    if (value == nullptr) file.refuse(key, "a module needs its sizes: download the file again.");
    std::int64_t size = 0;
    read_json(size, *value, file.path() + ": " + std::string(key));
    require_at_least(file.path(), key, size);
    return size;
}

SILICA_INLINE SentenceModule read_dense(const SentenceFile& file, const std::filesystem::path& folder) {
    const auto in = module_size(file, "in_features"), out = module_size(file, "out_features");
    const auto activation = torch_activation(file).apply;
    SentenceWeights weights(folder);
    const Tensor weight = weights.get("linear.weight", {out, in});
    std::optional<Tensor> bias, residual;
    if (file.boolean("bias", true)) bias = weights.get("linear.bias", {out});
    const bool adds = file.boolean("use_residual", false);
    if (adds && in != out) residual = weights.get("residual.weight", {out, in});
    weights.settle();
    return {"Dense", [=, where = file.path()](const Tensor& x) {
                if (x.size(1) != in) {
                    throw ConfigError(where + ": in_features is " + std::to_string(in) + ", but the vectors have " +
                                          std::to_string(x.size(1)) + " numbers.",
                                      "correct the key, or download the checkpoint again.");
                }
                const Tensor y = activation(at::linear(x, weight, bias));
                return adds ? y + (residual ? at::linear(x, *residual) : x) : y;
            }};
}

SILICA_INLINE SentenceModule read_layer_norm(const SentenceFile& file, const std::filesystem::path& folder) {
    const auto d = module_size(file, "dimension");
    SentenceWeights weights(folder);
    const Tensor weight = weights.get("norm.weight", {d}), bias = weights.get("norm.bias", {d});
    weights.settle();
    return {"LayerNorm", [=, where = file.path()](const Tensor& x) {
                if (x.size(1) != d) {
                    throw ConfigError(where + ": dimension is " + std::to_string(d) + ", but the vectors have " +
                                          std::to_string(x.size(1)) + " numbers.",
                                      "correct the key, or download the checkpoint again.");
                }
                return at::layer_norm(x, {d}, weight, bias, 1e-5);
            }};
}

}  // namespace detail

SILICA_INLINE Tensor normalized(const Tensor& x) {
    return x / at::linalg_vector_norm(x, 2, {1}, true).clamp_min(1e-12);
}

SILICA_INLINE SentenceModule read_sentence_module(const std::string& type, const std::filesystem::path& folder,
                                                  std::vector<std::string>& notes) {
    const bool optional = type == "Normalize";  // it has had no file for long
    const detail::SentenceFile file(folder, "config.json", optional);
    for (const char* key : {"module_input_name", "module_output_name"}) {
        const Json* value = file.find(key);
        if (value == nullptr || value->is_null() || (value->is_string() && value->string() == "sentence_embedding"))
            continue;
        file.refuse(key, "modules work on sentence_embedding here.");
    }
    if (type == "Dense") {
        file.note_others({"in_features", "out_features", "bias", "activation_function", "module_input_name",
                          "module_output_name", "use_residual"},
                         notes);
        return detail::read_dense(file, folder);
    }
    if (type == "LayerNorm") {
        file.note_others({"dimension"}, notes);
        return detail::read_layer_norm(file, folder);
    }
    file.note_others({"module_input_name", "module_output_name"}, notes);
    return {type, normalized};
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_SENTENCE_MODULE_IPP
#endif  // SILICA_SINGLE_TASK_SENTENCE_MODULE_HPP

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace silica::task {

/// Which network reads a text, what stands before it, and what follows the network.
struct SentenceConfig {
    std::filesystem::path directory = {};            ///< of the network and its tokenizer: the whole, or a folder
    std::vector<Pooling> pooling = {Pooling::mean};  ///< several are joined side by side
    bool include_prompt = true;                      ///< whether the tokens of a prompt count in the pooling
    std::vector<SentenceModule> modules = {};        ///< what follows the pooling, in turn
    std::optional<std::int64_t> max_tokens = {};     ///< longer texts are cut, special tokens included; goes before
                                                     ///< the tokenizer's own limit
    bool lower_case = false;                         ///< texts are made small before the tokenizer sees them
    bool cut_left = false;                           ///< long texts lose their beginning
    std::optional<bool> pad_left = {};               ///< absent: as tokenizer.json says
    std::map<std::string, std::string, std::less<>> prompts = {{"document", ""}, {"query", ""}};  ///< by name
    std::optional<std::string> default_prompt = {};  ///< the name of the prompt where none is asked for
    std::optional<std::int64_t> truncate_dim = {};   ///< vectors are cut to so many numbers
    std::vector<std::string> notes = {};             ///< keys that are not known, each a sentence

    /// Reads `directory`. Without modules.json it is mean pooling, or the last token where config.json names a causal
    /// language model, as sentence-transformers does for plain checkpoints.
    /// ConfigError for a module, a key or a value that is not supported; CheckpointError for wrong weights of a module.
    [[nodiscard]] static SentenceConfig read(const std::filesystem::path& directory);

    /// What stands before a text: `text` itself, else the prompt of that name, else the default prompt.
    /// InputError for a name that the checkpoint does not have, or both.
    [[nodiscard]] std::string prompt(const std::optional<std::string>& text,
                                     const std::optional<std::string>& name) const;
};

}  // namespace silica::task

// ---- silica/task/sentence_config.ipp
#ifndef SILICA_SINGLE_TASK_SENTENCE_CONFIG_IPP
#define SILICA_SINGLE_TASK_SENTENCE_CONFIG_IPP
/// Reads the files of sentence-transformers.

// ---- silica/task/sentence_transformer.ipp
#ifndef SILICA_SINGLE_TASK_SENTENCE_TRANSFORMER_IPP
#define SILICA_SINGLE_TASK_SENTENCE_TRANSFORMER_IPP
/// The Transformer of a sentence-transformers checkpoint: sentence_bert_config.json and the sides of the tokenizer.

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

namespace silica::task::detail {

/// Which side: "left" or "right".
SILICA_INLINE bool is_left(const SentenceFile& file, std::string_view key) {
    const auto side = file.string(key);
    if (side != "left" && side != "right") file.refuse(key, "left and right are known.");
    return side == "left";
}

/// What tokenizer_config.json says about long and short texts.
SILICA_INLINE void read_sides(SentenceConfig& config) {
    const SentenceFile file(config.directory, "tokenizer_config.json", true);
    const auto says = [&](std::string_view key) { return file.find(key) != nullptr && !file.find(key)->is_null(); };
    if (says("truncation_side")) config.cut_left = is_left(file, "truncation_side");
    if (says("padding_side")) config.pad_left = is_left(file, "padding_side");
}

/// Refuses what arguments of from_pretrained change; `known` are those that change nothing here.
SILICA_INLINE void refuse_arguments(const SentenceFile& file, std::initializer_list<std::string_view> names,
                                    std::initializer_list<std::string_view> known) {
    for (const auto name : names) {
        const Json* given = file.find(name);
        if (given == nullptr || given->is_null()) continue;
        if (!given->is_object()) file.refuse(name, "an object is wanted.");
        const SentenceFile inside(*given, file.path() + ": " + std::string(name));
        for (const auto& [key, value] : given->object()) {
            if (!value.is_null() && std::ranges::find(known, key) == known.end())
                inside.refuse(key, "remove the key where it does not matter.");
        }
    }
}

SILICA_INLINE void read_length(SentenceConfig& config, const SentenceFile& file, std::string_view key) {
    const Json* length = file.find(key);
    if (length == nullptr || length->is_null()) return;
    std::int64_t n = 0;
    read_json(n, *length, file.path() + ": " + std::string(key));
    require_at_least(file.path(), key, n);
    config.max_tokens = n;
}

/// sentence_bert_config.json, under any of the names it has had.
SILICA_INLINE void read_transformer(SentenceConfig& config) {
    constexpr std::array<std::string_view, 7> names = {
        "sentence_bert_config.json",      "sentence_roberta_config.json", "sentence_distilbert_config.json",
        "sentence_camembert_config.json", "sentence_albert_config.json",  "sentence_xlm-roberta_config.json",
        "sentence_xlnet_config.json"};
    SentenceFile file(config.directory, names.front(), true);
    for (std::size_t i = 1; i < names.size() && file.json().object().empty(); ++i)
        file = SentenceFile(config.directory, names[i], true);
    read_length(config, file, "max_seq_length");
    config.lower_case = file.boolean("do_lower_case", false);
    const auto only = [&](std::string_view key, std::string_view value) {
        if (file.find(key) != nullptr && !file.find(key)->is_null() && file.string(key) != value)
            file.refuse(key, std::string(value) + " is supported.");
    };
    only("transformer_task", "feature-extraction");
    only("module_output_name", "token_embeddings");
    if (const Json* modalities = file.find("modality_config")) {
        const Json* text = modalities->find("text");
        const auto is = [&](std::string_view key, std::string_view value) {
            const Json* said = text == nullptr ? nullptr : text->find(key);
            return said != nullptr && said->is_string() && said->string() == value;
        };
        if (!is("method", "forward") || !is("method_output_name", "last_hidden_state") ||
            modalities->find("message") != nullptr)
            file.refuse("modality_config", "texts that go to last_hidden_state are supported, and no chat messages.");
    }
    for (const char* key : {"tokenizer_name_or_path", "processing_kwargs"}) {
        const Json* value = file.find(key);
        if (value != nullptr && !value->is_null() && !(value->is_object() && value->object().empty()))
            file.refuse(key, "the tokenizer beside the network, with its own settings, is supported.");
    }
    refuse_arguments(file, {"model_args", "model_kwargs"},
                     {"trust_remote_code", "torch_dtype", "dtype", "attn_implementation", "low_cpu_mem_usage",
                      "use_safetensors", "device_map", "add_pooling_layer"});
    refuse_arguments(file, {"config_args", "config_kwargs"}, {"trust_remote_code", "use_cache"});
    refuse_arguments(file, {"tokenizer_args", "processor_kwargs"},
                     {"trust_remote_code", "use_fast", "clean_up_tokenization_spaces", "model_max_length",
                      "truncation_side", "padding_side"});
    for (const char* name : {"tokenizer_args", "processor_kwargs"}) {
        if (file.find(name) == nullptr || !file.find(name)->is_object()) continue;
        const SentenceFile inside(*file.find(name), file.path() + ": " + name);
        read_length(config, inside, "model_max_length");
        if (inside.find("truncation_side") != nullptr) config.cut_left = is_left(inside, "truncation_side");
        if (inside.find("padding_side") != nullptr) config.pad_left = is_left(inside, "padding_side");
    }
    file.note_others({"max_seq_length", "do_lower_case", "transformer_task", "module_output_name", "modality_config",
                      "tokenizer_name_or_path", "processing_kwargs", "model_args", "model_kwargs", "config_args",
                      "config_kwargs", "tokenizer_args", "processor_kwargs", "unpad_inputs", "query_length",
                      "document_length", "query_expansion", "backend"},
                     config.notes);
}

}  // namespace silica::task::detail
#endif  // SILICA_SINGLE_TASK_SENTENCE_TRANSFORMER_IPP

#include <algorithm>
#include <array>
#include <utility>

namespace silica::task {
namespace detail {

namespace fs = std::filesystem;

/// The six modes, in the order in which sentence-transformers joins those that booleans choose: the name in
/// "pooling_mode", and the boolean.
struct PoolingKey {
    std::string_view name, flag;
    Pooling mode;
};
inline constexpr std::array<PoolingKey, 6> pooling_keys = {
    {{"cls", "pooling_mode_cls_token", Pooling::cls},
     {"max", "pooling_mode_max_tokens", Pooling::max},
     {"mean", "pooling_mode_mean_tokens", Pooling::mean},
     {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", Pooling::mean_sqrt_len},
     {"weightedmean", "pooling_mode_weightedmean_tokens", Pooling::weighted_mean},
     {"lasttoken", "pooling_mode_lasttoken", Pooling::last}}};

/// The modes of 1_Pooling/config.json: "pooling_mode" alone where it is there, else the booleans that are true, else
/// the mean.
SILICA_INLINE std::vector<Pooling> read_pooling(const SentenceFile& file) {
    std::vector<Pooling> modes;
    const auto add = [&](const Json& value) {
        const auto known = std::ranges::find_if(
            pooling_keys, [&](const auto& key) { return value.is_string() && key.name == value.string(); });
        if (known == pooling_keys.end()) {
            refuse_config(file.path(), "pooling_mode", value.brief(),
                          "known are cls, max, mean, mean_sqrt_len_tokens, weightedmean and lasttoken.");
        }
        modes.push_back(known->mode);
    };
    if (const Json* mode = file.find("pooling_mode")) {
        if (!mode->is_array()) add(*mode);
        if (mode->is_array()) std::ranges::for_each(mode->array(), add);
        if (modes.empty()) file.refuse("pooling_mode", "name a mode.");
        return modes;
    }
    for (const auto& key : pooling_keys) {
        if (file.boolean(key.flag, false)) modes.push_back(key.mode);
    }
    return modes.empty() ? std::vector{Pooling::mean} : modes;
}

SILICA_INLINE void read_pooling_module(SentenceConfig& config, const fs::path& folder) {
    const SentenceFile file(folder, "config.json", false);
    for (const auto& [key, value] : file.json().object()) {
        const bool flag = std::ranges::find(pooling_keys, key, &PoolingKey::flag) != pooling_keys.end();
        if (!flag && key != "pooling_mode" && key.starts_with("pooling_mode"))
            file.refuse(key, "this way of pooling is not known.");
    }
    file.note_others(
        {"word_embedding_dimension", "embedding_dimension", "include_prompt", "pooling_mode", "pooling_mode_cls_token",
         "pooling_mode_max_tokens", "pooling_mode_mean_tokens", "pooling_mode_mean_sqrt_len_tokens",
         "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"},
        config.notes);
    config.pooling = read_pooling(file);
    config.include_prompt = file.boolean("include_prompt", true);
    config.modules.clear();  // they worked on what an earlier pooling gave
}

/// config_sentence_transformers.json.
SILICA_INLINE void read_prompts(SentenceConfig& config, const fs::path& directory) {
    const SentenceFile file(directory, "config_sentence_transformers.json", true);
    if (file.find("model_type") != nullptr && file.string("model_type") != "SentenceTransformer")
        file.refuse("model_type", "SentenceTransformer is supported.");
    if (const Json* prompts = file.find("prompts"); prompts != nullptr && !prompts->is_null()) {
        if (!prompts->is_object()) file.refuse("prompts", "an object of names and texts is wanted.");
        const SentenceFile inside(*prompts, file.path() + ": prompts");
        for (const auto& [name, text] : prompts->object())
            config.prompts.insert_or_assign(name, text.is_null() ? std::string() : inside.string(name));
    }
    if (const Json* name = file.find("default_prompt_name"); name != nullptr && !name->is_null()) {
        config.default_prompt = file.string("default_prompt_name");
        if (!config.prompts.contains(*config.default_prompt))
            file.refuse("default_prompt_name", "name one of the prompts.");
    }
    if (const Json* dim = file.find("truncate_dim"); dim != nullptr && !dim->is_null()) {
        read_json(config.truncate_dim.emplace(), *dim, file.path() + ": truncate_dim");
        require_at_least(file.path(), "truncate_dim", *config.truncate_dim);
    }
    file.note_others({"__version__", "prompts", "default_prompt_name", "similarity_fn_name", "truncate_dim",
                      "model_type", "requirements"},
                     config.notes);
}

/// What sentence-transformers makes of a checkpoint that is not its own.
SILICA_INLINE SentenceConfig plain(const fs::path& directory) {
    SentenceConfig config{.directory = directory};
    read_sides(config);
    if (!checkpoint::is_listed(directory / "config.json")) return config;
    const SentenceFile file(directory, "config.json", false);
    const Json* classes = file.find("architectures");
    if (classes != nullptr && classes->is_array() && !classes->array().empty() && classes->array()[0].is_string() &&
        classes->array()[0].string().ends_with("ForCausalLM") && file.boolean("is_causal", true))
        config.pooling = {Pooling::last};
    return config;
}

/// The folder of a module, which lies in the checkpoint.
SILICA_INLINE fs::path folder_of(const SentenceFile& module, const fs::path& directory) {
    const fs::path below(module.string("path"));
    const bool inside = below.is_relative() && below.string().find('\\') == std::string::npos &&
                        below.string().find(':') == std::string::npos &&
                        std::ranges::none_of(below, [](const auto& part) { return part == ".."; });
    if (!inside) module.refuse("path", "it leaves the checkpoint: download the checkpoint again.");
    return below.empty() || below == "." ? directory : directory / below;
}

/// The class of a module without its path; ConfigError for code that is not part of sentence-transformers.
SILICA_INLINE std::string class_of(const SentenceFile& module) {
    const auto type = module.string("type");
    if (!type.starts_with("sentence_transformers."))
        module.refuse("type", "it is code of its own, which is not run: modules of sentence_transformers are known.");
    return type.substr(type.rfind('.') + 1);
}

}  // namespace detail

SILICA_INLINE SentenceConfig SentenceConfig::read(const std::filesystem::path& directory) {
    if (!checkpoint::is_listed(directory / "modules.json")) return detail::plain(directory);
    const auto file = (directory / "modules.json").string();
    const Json modules = checkpoint::read_json_document(directory, "modules.json");
    if (!modules.is_array()) throw ConfigError(file + " is not a list of modules.", "download the checkpoint again.");
    SentenceConfig config;
    detail::read_prompts(config, directory);
    bool pools = false;
    for (const Json& each : modules.array()) {
        if (!each.is_object())
            throw ConfigError(file + " has a module that is no object.", "download the checkpoint again.");
        const detail::SentenceFile module(each, file);
        const auto type = detail::class_of(module);
        const auto folder = detail::folder_of(module, directory);
        module.note_others({"idx", "name", "path", "type", "kwargs"}, config.notes);
        if (config.directory.empty() != (type == "Transformer"))
            module.refuse("type", "the first module, and no other, is a Transformer.");
        if (type == "Transformer") {
            config.directory = folder;
            checkpoint::refuse_dangling_links(folder);
            detail::read_sides(config);
            detail::read_transformer(config);
        } else if (type == "Pooling") {
            detail::read_pooling_module(config, folder);
            pools = true;
        } else if (type == "Dense" || type == "LayerNorm" || type == "Normalize") {
            if (!pools && type != "Normalize") module.refuse("type", "it has to follow a Pooling.");
            auto made = read_sentence_module(type, folder, config.notes);
            if (pools) config.modules.push_back(std::move(made));  // before the pooling there is nothing to normalise
        } else if (type != "Dropout") {
            module.refuse("type", "supported are Transformer, Pooling, Dense, LayerNorm, Normalize and Dropout.");
        }
    }
    if (!pools)
        throw ConfigError(file + " names no Pooling.", "add one: without it there is no vector for a whole text.");
    return config;
}

SILICA_INLINE std::string SentenceConfig::prompt(const std::optional<std::string>& text,
                                                 const std::optional<std::string>& name) const {
    if (text && name) throw InputError("A prompt and the name of a prompt are given.", "give one of them.");
    if (text) return *text;
    if (!name && !default_prompt) return {};
    const auto found = prompts.find(name ? *name : *default_prompt);
    if (found != prompts.end()) return found->second;
    std::string known;
    for (const auto& [each, words] : prompts) known.append(known.empty() ? "" : ", ").append(each);
    throw InputError("The checkpoint has no prompt " + quote(name ? *name : *default_prompt) + ".",
                     "its prompts are " + known + ".");
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_SENTENCE_CONFIG_IPP
#endif  // SILICA_SINGLE_TASK_SENTENCE_CONFIG_HPP

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace silica::task {

/// What a caller may choose when embedding; absent: as the checkpoint says.
struct EmbedOptions {
    std::int64_t batch_size = 32;
    std::optional<Pooling> pooling = {};
    std::optional<bool> normalize = {};             ///< to length 1, after everything else; false: not at all
    std::optional<std::string> prompt = {};         ///< stands before each sentence; "": none
    std::optional<std::string> prompt_name = {};    ///< the same, by its name in the checkpoint ("query")
    std::optional<std::int64_t> truncate_dim = {};  ///< vectors are cut to so many numbers
};

/// Turns sentences into vectors with an encoder such as `Model<arch::Bert, device::Mps>`:
///
///     auto embed = task::Embedder<Model<arch::Bert, device::Cpu>>::open("sentence-transformers/all-MiniLM-L6-v2");
///     Tensor vectors = embed({"How do I sort a list?", "Sorting in Python"});   // (2, 384), float32, on the CPU
template <class Encoder>
class Embedder {
public:
    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its tokenizer and pooling.
    [[nodiscard]] static Embedder open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        auto config = SentenceConfig::read(place);
        const auto network = config.directory;
        return {text::Tokenizer::open(network), std::move(config), Encoder::open(network, options)};
    }

    Embedder(text::Tokenizer tokenizer, SentenceConfig config, Encoder encoder)
        : tokenizer_(std::move(tokenizer)), config_(std::move(config)), encoder_(std::move(encoder)) {
        auto longest = encoder_.config().max_position_embeddings;
        if (const auto n = config_.max_tokens ? config_.max_tokens : tokenizer_.model_max_length())
            longest = std::min(longest, *n);
        pad_left_ =
            config_.pad_left.value_or(tokenizer_.padding() && tokenizer_.padding()->direction == text::Side::left);
        if (tokenizer_.padding())
            pad_ = tokenizer_.padding()->id;
        else if (const auto token = tokenizer_.special_token("pad_token"))
            pad_ = tokenizer_.token_to_id(*token).value_or(0);
        if (config_.lower_case) tokenizer_.lower_first();
        tokenizer_.set_padding(std::nullopt);
        text::Truncation cut = tokenizer_.truncation().value_or(text::Truncation{});
        cut.max_length = static_cast<std::size_t>(std::max<std::int64_t>(longest, 1));
        cut.stride = 0;
        cut.strategy = text::Truncation::Strategy::longest_first;
        if (config_.cut_left) cut.direction = text::Side::left;
        tokenizer_.set_truncation(cut);
    }

    /// (sentences, d) float32 on the CPU, in the order given. Sentences of similar length run together.
    /// InputError when there are none, one is not UTF-8, or there is no such prompt.
    [[nodiscard]] Tensor operator()(std::span<const std::string> sentences, const EmbedOptions& options = {}) const {
        if (sentences.empty()) throw InputError("There is no sentence to embed.", "give at least one.");
        if (options.batch_size < 1) {
            throw InputError("batch_size is " + std::to_string(options.batch_size) + ".", "1 or more is needed.");
        }
        if (options.truncate_dim && *options.truncate_dim < 1) {
            throw InputError("truncate_dim is " + std::to_string(*options.truncate_dim) + ".", "1 or more is needed.");
        }
        const auto prompt = config_.prompt(options.prompt, options.prompt_name);
        const auto skipped = config_.include_prompt ? 0 : tokens_of(prompt);
        std::vector<text::Encoding> encodings;
        for (const auto& sentence : sentences) {
            encodings.push_back(tokenizer_.encode(prompt + sentence));
            if (skipped == 0 || encodings.back().size() > skipped) continue;
            throw InputError("Sentence " + std::to_string(encodings.size()) + " has no token beyond the prompt.",
                             "give a shorter prompt: the checkpoint leaves the prompt out of the pooling.");
        }
        std::vector<std::size_t> order(sentences.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return encodings[i].size(); });

        Tensor vectors;
        const auto step = static_cast<std::size_t>(options.batch_size);
        for (std::size_t begin = 0; begin < order.size(); begin += step) {
            const std::span batch(order.data() + begin, std::min(step, order.size() - begin));
            const Tensor part = pooled(encodings, batch, skipped, options);
            if (!vectors.defined())
                vectors = at::empty({static_cast<std::int64_t>(order.size()), part.size(1)}, part.options());
            encoder_.on_device([&] {
                for (std::size_t i = 0; i < batch.size(); ++i)
                    vectors[static_cast<std::int64_t>(batch[i])].copy_(part[static_cast<std::int64_t>(i)]);
            });
        }
        for (const auto& module : config_.modules) {
            if (options.normalize.value_or(true) || module.type != "Normalize") vectors = module.apply(vectors);
        }
        if (const auto d = options.truncate_dim ? options.truncate_dim : config_.truncate_dim)
            vectors = vectors.slice(1, 0, *d).contiguous();
        return options.normalize.value_or(false) ? normalized(vectors) : vectors;
    }

    [[nodiscard]] Tensor operator()(std::initializer_list<std::string> sentences,
                                    const EmbedOptions& options = {}) const {
        return (*this)(std::span(sentences.begin(), sentences.size()), options);
    }

    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return tokenizer_; }
    [[nodiscard]] const Encoder& encoder() const noexcept { return encoder_; }
    /// What the checkpoint says.
    [[nodiscard]] const SentenceConfig& config() const noexcept { return config_; }

private:
    /// How many tokens of a text are those of the prompt before it, as sentence-transformers counts them: with what the
    /// tokenizer puts in front, without a special token at the end.
    [[nodiscard]] std::size_t tokens_of(const std::string& prompt) const {
        if (prompt.empty()) return 0;
        const auto ids = tokenizer_.encode(prompt).ids;
        return ids.size() - (!ids.empty() && tokenizer_.is_special(ids.back()) ? 1 : 0);
    }

    /// The vectors of the encodings that `batch` counts, padded to the longest of them; the first `skipped` tokens of
    /// each are left out of the pooling.
    [[nodiscard]] Tensor pooled(const std::vector<text::Encoding>& encodings, std::span<const std::size_t> batch,
                                std::size_t skipped, const EmbedOptions& options) const {
        const auto rows = static_cast<std::int64_t>(batch.size());
        std::size_t longest = 1;
        for (const auto i : batch) longest = std::max(longest, encodings[i].size());
        const auto tokens = static_cast<std::int64_t>(longest);
        const Tensor ids = at::full({rows, tokens}, pad_, at::kLong), types = at::zeros({rows, tokens}, at::kLong),
                     mask = at::zeros({rows, tokens}, at::kLong), counted = at::zeros({rows, tokens}, at::kBool);
        for (std::int64_t row = 0; row < rows; ++row) {
            const auto& e = encodings[batch[static_cast<std::size_t>(row)]];
            const auto n = static_cast<std::int64_t>(std::max<std::size_t>(e.size(), 1));  // no token: the padding's
            const auto at = row * tokens + (pad_left_ ? tokens - n : 0);
            std::ranges::copy(e.ids, ids.mutable_data_ptr<std::int64_t>() + at);
            std::ranges::copy(e.type_ids, types.mutable_data_ptr<std::int64_t>() + at);
            std::fill_n(mask.mutable_data_ptr<std::int64_t>() + at, n, 1);
            const auto first = static_cast<std::int64_t>(skipped);
            std::fill_n(counted.mutable_data_ptr<bool>() + row * tokens + first, n - first, true);
        }
        return encoder_.on_device([&] {
            Tensor hidden =
                encoder_({.input_ids = ids, .attention_mask = mask, .token_type_ids = types}).last_hidden_state;
            if (pad_left_) hidden = from_the_first_token(hidden, encodings, batch);
            const Tensor home_counted = counted.to(encoder_.device());
            std::vector<Tensor> parts;
            const auto modes = options.pooling ? std::vector{*options.pooling} : config_.pooling;
            for (const auto how : modes)
                parts.push_back(run<op::Pool, typename Encoder::Exec>(hidden, home_counted, how));
            return at::cat(parts, 1).to(c10::Device(c10::DeviceType::CPU));
        });
    }

    /// Rows that were padded on the left, turned so that their first token comes first: a weighted mean counts from it.
    [[nodiscard]] static Tensor from_the_first_token(const Tensor& hidden, const std::vector<text::Encoding>& encodings,
                                                     std::span<const std::size_t> batch) {
        std::vector<Tensor> rows;
        for (std::size_t row = 0; row < batch.size(); ++row) {
            const Tensor h = hidden[static_cast<std::int64_t>(row)];
            const auto n = static_cast<std::int64_t>(std::max<std::size_t>(encodings[batch[row]].size(), 1));
            const auto pad = h.size(0) - n;
            rows.push_back(at::cat({h.slice(0, pad), h.slice(0, 0, pad)}).unsqueeze(0));
        }
        return at::cat(rows);
    }

    text::Tokenizer tokenizer_;
    SentenceConfig config_;
    Encoder encoder_;
    std::int64_t pad_ = 0;
    bool pad_left_ = false;
};

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_EMBED_HPP
