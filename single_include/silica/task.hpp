// Silica 0.1.0: input, model and decoding together. Written by amalgamate.py from include/; change it there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "silica.hpp"
#include "input.hpp"
// ---- silica/task/embed.hpp
#ifndef SILICA_SINGLE_TASK_EMBED_HPP
#define SILICA_SINGLE_TASK_EMBED_HPP
/// Sentences to vectors: tokenizer, encoder, pooling.

// ---- silica/task/sentence_config.hpp
#ifndef SILICA_SINGLE_TASK_SENTENCE_CONFIG_HPP
#define SILICA_SINGLE_TASK_SENTENCE_CONFIG_HPP
/// How a sentence-transformers checkpoint makes a vector of a text: modules.json, 1_Pooling/config.json and
/// sentence_bert_config.json. Followed: https://www.sbert.net/docs/package_reference/sentence_transformer/models.html.

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace silica::task {

/// What follows the network.
struct SentenceConfig {
    std::vector<Pooling> pooling = {Pooling::mean};  ///< several are joined side by side
    bool normalize = false;                          ///< to length 1
    std::optional<std::int64_t> max_tokens = {};     ///< longer texts are cut, special tokens included

    /// Reads `directory`. Without modules.json it is mean pooling, as sentence-transformers does for plain checkpoints.
    /// ConfigError for a module that is not supported.
    static SentenceConfig read(const std::filesystem::path& directory) {
        SentenceConfig config;
        if (exists(directory, "sentence_bert_config.json")) {
            const Json json = checkpoint::read_json_file(directory, "sentence_bert_config.json");
            if (const Json* n = json.find("max_seq_length"); n != nullptr && n->is_integer())
                config.max_tokens = n->integer();
            if (is_true(json, "do_lower_case") && !lowers(directory)) {
                refuse_config((directory / "sentence_bert_config.json").string(), "do_lower_case", "true",
                              "set it in tokenizer_config.json as well, where the tokenizer sees it.");
            }
        }
        if (!exists(directory, "modules.json")) return config;
        const Json modules = checkpoint::read_json_document(directory, "modules.json");
        if (!modules.is_array()) wrong(directory / "modules.json", "is not a list of modules");
        for (const Json& module : modules.array()) {
            const Json *type = module.find("type"), *path = module.find("path");
            if (type == nullptr || !type->is_string() || path == nullptr || !path->is_string()) {
                wrong(directory / "modules.json", "has a module without type and path");
            }
            const auto kind = type->string().substr(type->string().rfind('.') + 1);
            if (kind == "Transformer") continue;
            if (kind == "Pooling")
                config.pooling = read_pooling(directory, path->string());
            else if (kind == "Normalize")
                config.normalize = true;
            else
                refuse_config((directory / "modules.json").string(), "type", type->string(),
                              "supported are Transformer, Pooling and Normalize.");
        }
        return config;
    }

private:
    static bool exists(const std::filesystem::path& directory, std::string_view name) {
        std::error_code ignored;
        return std::filesystem::exists(directory / name, ignored);
    }

    static bool is_true(const Json& json, std::string_view key) {
        const Json* value = json.find(key);
        return value != nullptr && value->is_bool() && value->boolean();
    }

    /// Whether the tokenizer lowers letters itself, so that doing it before changes nothing.
    static bool lowers(const std::filesystem::path& directory) {
        return exists(directory, "tokenizer_config.json") &&
               is_true(checkpoint::read_json_file(directory, "tokenizer_config.json"), "do_lower_case");
    }

    [[noreturn]] static void wrong(const std::filesystem::path& file, const std::string& what) {
        throw ConfigError(file.string() + " " + what + ".", "download the checkpoint again.");
    }

    /// The modes that are true, or the one that "pooling_mode" names.
    static std::vector<Pooling> read_pooling(const std::filesystem::path& directory, const std::string& path) {
        const std::filesystem::path below(path);
        const bool inside =
            std::ranges::none_of(below, [](const auto& part) { return part == ".."; }) && below.is_relative();
        if (!inside) wrong(directory / "modules.json", "has a path that leaves the checkpoint: " + path);
        const auto name = (below / "config.json").generic_string();
        const Json json = checkpoint::read_json_file(directory, name);
        const auto file = (directory / name).string();
        std::vector<Pooling> modes;
        for (const auto& [key, value] : json.object()) {
            constexpr std::string_view prefix = "pooling_mode";
            if (!key.starts_with(prefix)) continue;
            if (key == prefix) {
                read_json(modes, value, file + ": " + key);
            } else if (value.is_bool() && value.boolean()) {
                read_json(modes.emplace_back(), Json(key.substr(prefix.size() + 1)), file + ": " + key);
            }
        }
        if (modes.empty()) wrong(file, "names no pooling mode");
        return modes;
    }
};

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_SENTENCE_CONFIG_HPP

#include <ATen/ops/linalg_vector_norm.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace silica::task {

/// What a caller may choose when embedding; absent: as the checkpoint says.
struct EmbedOptions {
    std::int64_t batch_size = 32;
    std::optional<Pooling> pooling = {};
    std::optional<bool> normalize = {};
};

/// Turns sentences into vectors with an encoder such as `Model<arch::Bert, device::Mps>`:
///
///     auto embed = task::Embedder<Model<arch::Bert, device::Cpu>>::open("sentence-transformers/all-MiniLM-L6-v2");
///     Tensor vectors = embed({"How do I sort a list?", "Sorting in Python"});   // (2, 384), float32, on the CPU
template <class Encoder>
class Embedder {
public:
    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its tokenizer and pooling.
    [[nodiscard]] static Embedder open(std::string_view directory_or_repo, OpenOptions options = {}) {
        const auto directory = checkpoint::resolve(directory_or_repo);
        return {text::Tokenizer::open(directory), SentenceConfig::read(directory),
                Encoder::open(directory.string(), options)};
    }

    Embedder(text::Tokenizer tokenizer, SentenceConfig config, Encoder encoder)
        : tokenizer_(std::move(tokenizer)), config_(std::move(config)), encoder_(std::move(encoder)) {
        auto longest = encoder_.config().max_position_embeddings;
        if (const auto n = tokenizer_.model_max_length()) longest = std::min(longest, *n);
        if (config_.max_tokens) longest = std::min(longest, *config_.max_tokens);
        if (tokenizer_.padding())
            pad_ = tokenizer_.padding()->id;
        else if (const auto token = tokenizer_.special_token("pad_token"))
            pad_ = tokenizer_.token_to_id(*token).value_or(0);
        tokenizer_.set_padding(std::nullopt);
        text::Truncation cut = tokenizer_.truncation().value_or(text::Truncation{});
        cut.max_length = static_cast<std::size_t>(std::max<std::int64_t>(longest, 1));
        cut.stride = 0;
        tokenizer_.set_truncation(cut);
    }

    /// (sentences, d) float32 on the CPU, in the order given. Sentences of similar length run together.
    /// InputError when there are none, or one is not UTF-8.
    [[nodiscard]] Tensor operator()(std::span<const std::string> sentences, const EmbedOptions& options = {}) const {
        if (sentences.empty()) throw InputError("There is no sentence to embed.", "give at least one.");
        if (options.batch_size < 1) {
            throw InputError("batch_size is " + std::to_string(options.batch_size) + ".", "1 or more is needed.");
        }
        std::vector<text::Encoding> encodings;
        for (const auto& sentence : sentences) encodings.push_back(tokenizer_.encode(sentence));
        std::vector<std::size_t> order(sentences.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::ranges::stable_sort(order, std::greater{}, [&](std::size_t i) { return encodings[i].size(); });

        Tensor vectors;
        const auto step = static_cast<std::size_t>(options.batch_size);
        for (std::size_t begin = 0; begin < order.size(); begin += step) {
            const std::span batch(order.data() + begin, std::min(step, order.size() - begin));
            const Tensor part = embed(encodings, batch, options);
            if (!vectors.defined())
                vectors = at::empty({static_cast<std::int64_t>(order.size()), part.size(1)}, part.options());
            for (std::size_t i = 0; i < batch.size(); ++i) {
                vectors[static_cast<std::int64_t>(batch[i])].copy_(part[static_cast<std::int64_t>(i)]);
            }
        }
        if (!options.normalize.value_or(config_.normalize)) return vectors;
        return vectors / at::linalg_vector_norm(vectors, 2, {1}, true).clamp_min(1e-12);
    }

    [[nodiscard]] Tensor operator()(std::initializer_list<std::string> sentences,
                                    const EmbedOptions& options = {}) const {
        return (*this)(std::span(sentences.begin(), sentences.size()), options);
    }

    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return tokenizer_; }
    [[nodiscard]] const Encoder& encoder() const noexcept { return encoder_; }

private:
    /// The vectors of the encodings that `batch` counts, padded on the right to the longest of them.
    Tensor embed(const std::vector<text::Encoding>& encodings, std::span<const std::size_t> batch,
                 const EmbedOptions& options) const {
        const auto rows = static_cast<std::int64_t>(batch.size());
        std::size_t longest = 1;
        for (const auto i : batch) longest = std::max(longest, encodings[i].size());
        const auto tokens = static_cast<std::int64_t>(longest);
        const Tensor ids = at::full({rows, tokens}, pad_, at::kLong), types = at::zeros({rows, tokens}, at::kLong),
                     mask = at::zeros({rows, tokens}, at::kLong);
        for (std::int64_t row = 0; row < rows; ++row) {
            const auto& e = encodings[batch[static_cast<std::size_t>(row)]];
            const auto put = [&](const Tensor& into, const std::vector<std::int64_t>& values) {
                std::ranges::copy(values, into.mutable_data_ptr<std::int64_t>() + row * tokens);
            };
            put(ids, e.ids);
            put(types, e.type_ids);
            put(mask, e.attention_mask);
            if (e.size() == 0) mask[row][0] = 1;  // a tokenizer that adds nothing, and an empty text: the padding token
        }
        const at::NoGradGuard no_grad;
        const auto out = encoder_({.input_ids = ids, .attention_mask = mask, .token_type_ids = types});
        const Tensor home_mask = mask.to(at::kBool).to(encoder_.device());
        std::vector<Tensor> parts;
        const auto modes = options.pooling ? std::vector{*options.pooling} : config_.pooling;
        for (const auto how : modes) {
            parts.push_back(run<op::Pool, typename Encoder::Exec>(out.last_hidden_state, home_mask, how));
        }
        return at::cat(parts, 1).to(c10::Device(c10::DeviceType::CPU));
    }

    text::Tokenizer tokenizer_;
    SentenceConfig config_;
    Encoder encoder_;
    std::int64_t pad_ = 0;
};

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_EMBED_HPP
// ---- silica/task/generate.hpp
#ifndef SILICA_SINGLE_TASK_GENERATE_HPP
#define SILICA_SINGLE_TASK_GENERATE_HPP
/// Prompt or chat in, text out.

// ---- silica/task/writer.hpp
#ifndef SILICA_SINGLE_TASK_WRITER_HPP
#define SILICA_SINGLE_TASK_WRITER_HPP
/// Prompts and chats to text, with any decoder: tokenizer, chat template and generation_config.json of a checkpoint.

// ---- silica/task/text_of.hpp
#ifndef SILICA_SINGLE_TASK_TEXT_OF_HPP
#define SILICA_SINGLE_TASK_TEXT_OF_HPP
/// A tokenizer's decoding, for generation.

#include <memory>
#include <utility>

namespace silica::task {

/// The text of tokens without special ones. The tokenizer is shared.
[[nodiscard]] inline generate::TextOf text_of(std::shared_ptr<const text::Tokenizer> tokenizer) {
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
#endif  // SILICA_SINGLE_TASK_TEXT_OF_HPP

#include <ATen/ops/zeros.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::task {

/// Called for each token that is written; false ends the call. `token.text` is what became readable with it.
using OnToken = std::function<bool(const generate::Token&)>;

/// What a checkpoint has beside its network. Const calls may run at once, each with a decoder of its own.
class Writer {
public:
    /// Reads a checkpoint's directory. ConfigError for a wrong file; a chat template is missed when it is used.
    [[nodiscard]] static Writer open(const std::filesystem::path& directory) {
        Writer made(text::Tokenizer::open(directory), generate::read_generation_config(directory));
        try {
            made.template_ = std::make_shared<const text::ChatTemplate>(text::ChatTemplate::open(directory));
        } catch (const ConfigError& e) {
            made.without_template_ = e;
        }
        return made;
    }

    explicit Writer(text::Tokenizer tokenizer, generate::GenerationConfig config = {},
                    std::optional<text::ChatTemplate> chat_template = {})
        : config_(std::move(config)) {
        tokenizer.set_padding(std::nullopt);
        tokenizer.set_truncation(std::nullopt);
        tokenizer_ = std::make_shared<const text::Tokenizer>(std::move(tokenizer));
        if (chat_template) template_ = std::make_shared<const text::ChatTemplate>(*std::move(chat_template));
    }

    /// Continues each prompt (an encoder-decoder: answers it). What `config` does not say is as generation_config.json
    /// says, and else transformers' default, but for the length: 256 new tokens, as its pipeline writes. A stop string
    /// that is a special token ends a text as an end token does. `texts` of what comes back are without the prompts.
    /// InputError for an empty list, a text that is not UTF-8, a prompt beyond the context, a parameter out of range.
    [[nodiscard]] generate::Generated operator()(generate::Decoder& decoder, std::span<const std::string> prompts,
                                                 const generate::GenerationConfig& config = {},
                                                 const OnToken& on_token = {}) const {
        return write(decoder, prompts, true, config, on_token, nullptr);
    }

    /// Answers a chat: `messages` is a list of objects like {"role": "user", "content": "..."}. With `held`, kept from
    /// turn to turn with one decoder, only what is new in the chat is read. ConfigError where the checkpoint has no
    /// chat template.
    [[nodiscard]] generate::Generated chat(generate::Decoder& decoder, const Json& messages,
                                           const generate::GenerationConfig& config = {}, const OnToken& on_token = {},
                                           const Json* tools = nullptr, generate::Held* held = nullptr) const {
        const std::string prompt = prompt_of(messages, tools);
        return write(decoder, std::span(&prompt, 1), false, config, on_token, held);
    }

    /// The prompt that opens the answer to a chat.
    [[nodiscard]] std::string prompt_of(const Json& messages, const Json* tools = nullptr) const {
        if (!template_)
            throw without_template_.value_or(
                ConfigError("There is no chat template.", "give one, or a prompt instead of messages."));
        return template_->render(messages, {.add_generation_prompt = true, .tools = tools});
    }

    [[nodiscard]] bool has_template() const noexcept { return template_ != nullptr; }
    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
    /// What generation_config.json says.
    [[nodiscard]] const generate::GenerationConfig& config() const noexcept { return config_; }

private:
    [[nodiscard]] generate::Generated write(generate::Decoder& decoder, std::span<const std::string> prompts,
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

    /// `config` with what the checkpoint says; stop strings that are special tokens become end tokens.
    [[nodiscard]] generate::GenerationConfig complete_config(const generate::GenerationConfig& config,
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

    /// Rows of one width: a decoder's are padded on the left, an encoder's on the right.
    static generate::Prompt padded(const std::vector<std::vector<std::int64_t>>& rows,
                                   const generate::DecoderFacts& facts, const generate::GenerationConfig& c) {
        const auto width =
            static_cast<std::int64_t>(std::ranges::max(rows, {}, &std::vector<std::int64_t>::size).size());
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

    std::shared_ptr<const text::Tokenizer> tokenizer_;
    std::shared_ptr<const text::ChatTemplate> template_;
    std::optional<ConfigError> without_template_;
    generate::GenerationConfig config_;
};

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_WRITER_HPP

#include <string>
#include <string_view>
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
    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its tokenizer, its chat template and
    /// generation_config.json.
    [[nodiscard]] static TextGenerator open(std::string_view directory_or_repo, OpenOptions options = {}) {
        const auto directory = checkpoint::resolve(directory_or_repo);
        return {Writer::open(directory), Model::open(directory.string(), options)};
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
