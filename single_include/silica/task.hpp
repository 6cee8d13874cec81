// Silica 0.1.0: input, model and decoding together. Written by amalgamate.py from include/; change it there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef SILICA_COMPILED
#error "The single headers define everything. Remedy: link silica::silica beside them, or include the headers that silica::compiled is made from."
#endif

#include "silica.hpp"
#include "input.hpp"
#include "image.hpp"
#include "image_text.hpp"
#include "video.hpp"
#include "audio.hpp"
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
    /// What is moved from stays as it was: copies share all that is large.
    Writer(const Writer&) = default;
    Writer& operator=(const Writer&) = default;

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

    /// Continues a prompt of tokens. `extra_from`: see generate::Hooks.
    [[nodiscard]] generate::Generated continued(generate::Decoder& decoder, const generate::Prompt& prompt,
                                                const generate::GenerationConfig& config = {},
                                                const OnToken& on_token = {}, generate::Held* held = nullptr,
                                                std::function<Named(std::int64_t from)> extra_from = {}) const;

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

/// The text of tokens without special ones. The tokenizer is shared. InputError where it is null.
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
    if (!tokenizer) throw InputError("There is no tokenizer: the pointer is null.", "give one that was opened.");
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

SILICA_INLINE generate::Generated Writer::continued(generate::Decoder& decoder, const generate::Prompt& prompt,
                                                    const generate::GenerationConfig& config, const OnToken& on_token,
                                                    generate::Held* held,
                                                    std::function<Named(std::int64_t from)> extra_from) const {
    return generate::complete(
        decoder, prompt, complete_config(config, decoder.facts()),
        {.on_token = on_token, .text = text_of(tokenizer_), .held = held, .extra_from = std::move(extra_from)});
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

#include <span>
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
    /// What is moved from stays as it was: copies share all that is large.
    TextGenerator(const TextGenerator&) = default;
    TextGenerator& operator=(const TextGenerator&) = default;

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
// ---- silica/task/class_labels.hpp
#ifndef SILICA_SINGLE_TASK_CLASS_LABELS_HPP
#define SILICA_SINGLE_TASK_CLASS_LABELS_HPP
/// The classes of a checkpoint: their names, and how scores come from logits.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace silica::task {

/// A class, and how likely it is.
struct ScoredLabel {
    std::string label;
    double score = 0;
};

/// Throws InputError for fewer than one label.
void require_top_k(std::int64_t top_k);

/// How logits become scores.
enum class Scoring {
    softmax,  ///< one of the classes holds: exp(x_i) / sum_j exp(x_j)
    sigmoid,  ///< each holds or not: 1 / (1 + exp(-x_i))
    raw,      ///< numbers that the model was taught: x_i
};

/// Classes by their number, as config.json says: `id2label`, or LABEL_0, LABEL_1, ... for `num_labels` (2).
struct ClassLabels {
    std::vector<std::string> names;
    Scoring scoring = Scoring::softmax;

    /// Reads config.json of a directory. ConfigError where a key is wrong, or a class between others has no name.
    [[nodiscard]] static ClassLabels read(const std::filesystem::path& directory);
    /// The same for a document; `file` names it in errors. As transformers' image-classification pipeline decides:
    /// `problem_type` regression is raw; multi_label_classification, or a single class, sigmoid; all else softmax.
    [[nodiscard]] static ClassLabels of(const Json& config, const std::string& file);

    /// The `top_k` best classes for logits, best first; those of equal score in the order of their numbers.
    /// InputError where there are not as many logits as classes, or `top_k` is less than 1.
    [[nodiscard]] std::vector<ScoredLabel> best(std::span<const float> logits, std::int64_t top_k) const;
};

}  // namespace silica::task

// ---- silica/task/class_labels.ipp
#ifndef SILICA_SINGLE_TASK_CLASS_LABELS_IPP
#define SILICA_SINGLE_TASK_CLASS_LABELS_IPP
/// Definitions of class_labels.hpp.

// ---- silica/task/scores.hpp
#ifndef SILICA_SINGLE_TASK_SCORES_HPP
#define SILICA_SINGLE_TASK_SCORES_HPP
/// Scores on the host: softmax, and the order of the best.

#include <cstddef>
#include <span>
#include <vector>

namespace silica::task {

/// exp(x_i) / sum_j exp(x_j), in float64, rounded once.
[[nodiscard]] std::vector<float> softmax(std::span<const float> x);

/// The indices of the `most` largest values, largest first; equal ones in their order, NaN after all numbers.
[[nodiscard]] std::vector<std::size_t> by_falling_score(std::span<const float> scores, std::size_t most);

}  // namespace silica::task

// ---- silica/task/scores.ipp
#ifndef SILICA_SINGLE_TASK_SCORES_IPP
#define SILICA_SINGLE_TASK_SCORES_IPP
/// Definitions of scores.hpp.

#include <algorithm>
#include <cmath>
#include <numeric>

namespace silica::task {

SILICA_INLINE std::vector<float> softmax(std::span<const float> x) {
    std::vector<double> e(x.size());
    const double largest = x.empty() ? 0 : *std::ranges::max_element(x);
    for (std::size_t i = 0; i < x.size(); ++i) e[i] = std::exp(static_cast<double>(x[i]) - largest);
    const double sum = std::accumulate(e.begin(), e.end(), 0.0);
    std::vector<float> y(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = static_cast<float>(e[i] / sum);
    return y;
}

SILICA_INLINE std::vector<std::size_t> by_falling_score(std::span<const float> scores, std::size_t most) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
        return scores[a] > scores[b] || (std::isnan(scores[b]) && !std::isnan(scores[a]));
    });
    order.resize(std::min(order.size(), most));
    return order;
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_SCORES_IPP
#endif  // SILICA_SINGLE_TASK_SCORES_HPP

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

namespace silica::task {

SILICA_INLINE void require_top_k(std::int64_t top_k) {
    if (top_k < 1) throw InputError("top_k is " + std::to_string(top_k) + ".", "1 or more is needed.");
}

SILICA_INLINE ClassLabels ClassLabels::read(const std::filesystem::path& directory) {
    return of(checkpoint::read_json_file(directory, "config.json"), (directory / "config.json").string());
}

SILICA_INLINE ClassLabels ClassLabels::of(const Json& config, const std::string& file) {
    if (!config.is_object())
        throw ConfigError(file + " is " + config.brief() + ", an object is wanted.", "download the file again.");
    ClassLabels classes;
    std::optional<std::map<std::string, std::string>> id2label;
    std::optional<std::int64_t> num_labels;
    std::optional<std::string> problem_type;
    const auto take = [&](const char* key, auto& value) {
        if (const Json* found = config.find(key)) read_json(value, *found, file + ": " + key);
    };
    take("id2label", id2label);
    take("num_labels", num_labels);
    take("problem_type", problem_type);
    constexpr std::int64_t most = 1 << 24;  // each has a name
    const std::int64_t n = id2label ? static_cast<std::int64_t>(id2label->size()) : num_labels.value_or(2);
    if (n < 1 || n > most) {
        throw ConfigError(file + ": the number of labels is " + std::to_string(n) + ", so there are no classes.",
                          "use a checkpoint with classes: id2label names them.");
    }
    for (std::int64_t i = 0; i < n; ++i) {
        const auto key = std::to_string(i);
        if (!id2label) {
            classes.names.push_back("LABEL_" + key);
            continue;
        }
        const auto found = id2label->find(key);
        if (found == id2label->end()) {
            throw ConfigError(file + ": id2label has " + std::to_string(n) + " classes, but no '" + key + "'.",
                              "number them from 0 on.");
        }
        classes.names.push_back(found->second);
    }
    if (problem_type == "regression")
        classes.scoring = Scoring::raw;
    else if (problem_type == "multi_label_classification" || n == 1)
        classes.scoring = Scoring::sigmoid;
    return classes;
}

SILICA_INLINE std::vector<ScoredLabel> ClassLabels::best(std::span<const float> logits, std::int64_t top_k) const {
    if (logits.size() != names.size()) {
        throw InputError("The model gives " + std::to_string(logits.size()) + " logits, config.json names " +
                             std::to_string(names.size()) + " classes.",
                         "correct id2label in config.json.");
    }
    require_top_k(top_k);
    std::vector<float> scores(logits.begin(), logits.end());
    if (scoring == Scoring::softmax) scores = softmax(scores);
    if (scoring == Scoring::sigmoid) {
        for (auto& x : scores) x = static_cast<float>(1 / (1 + std::exp(-static_cast<double>(x))));
    }
    std::vector<ScoredLabel> list;
    for (const auto i : by_falling_score(scores, static_cast<std::size_t>(top_k)))
        list.push_back({names[i], static_cast<double>(scores[i])});
    return list;
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_CLASS_LABELS_IPP
#endif  // SILICA_SINGLE_TASK_CLASS_LABELS_HPP
// ---- silica/task/classify.hpp
#ifndef SILICA_SINGLE_TASK_CLASSIFY_HPP
#define SILICA_SINGLE_TASK_CLASSIFY_HPP
/// Pictures to labels: processor, classifier, scores.

// ---- silica/task/forward.hpp
#ifndef SILICA_SINGLE_TASK_FORWARD_HPP
#define SILICA_SINGLE_TASK_FORWARD_HPP
/// Forward passes as tasks need them: called from any thread, and what they give lies on the host.

#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace silica::task {

namespace detail {

/// Whether calls of `M` are recorded. Of what is no Model, though called like one, none are.
template <class M, class Recording>
constexpr bool recorded_in() {
    if constexpr (requires {
                      typename M::Device;
                      typename M::Network;
                  })
        return Recording::template records<M>;
    else
        return false;
}

}  // namespace detail

/// Forward passes of a model `M`. Where they can be recorded (see Replayed) they take turns, each until what it gave
/// has left the device, and copies share what was recorded; elsewhere they are the model's own.
template <class M, class Recording = CapturedWork>
class Forward {
public:
    static constexpr bool recorded = detail::recorded_in<M, Recording>();

    explicit Forward(M model) : calls_(shared(std::move(model))) {}

    /// The tensors in what pick(outputs) returns, a tensor or an array of them: on the CPU, in float32, contiguous.
    template <class Pick>
    [[nodiscard]] auto operator()(const typename M::Inputs& in, const Pick& pick) const {
        [[maybe_unused]] const auto turn = my_turn();
        return model().on_device([&] {
            auto picked = pick(call(in));
            for_each_tensor(picked, [](Tensor& t) {  // outputs that are recorded are overwritten by the next call
                t = t.to(c10::Device(c10::DeviceType::CPU), t.scalar_type(), /*non_blocking=*/false, /*copy=*/recorded)
                        .to(c10::ScalarType::Float)
                        .contiguous();
            });
            return picked;
        });
    }

    [[nodiscard]] const M& model() const noexcept {
        if constexpr (recorded)
            return calls_->replayed.model();
        else
            return calls_;
    }

private:
    /// What the copies share.
    struct Turns {
        static constexpr std::size_t kinds = 2;  // full batches, and what is left of them

        explicit Turns(M model) : replayed(std::move(model), kinds) {}

        std::mutex mutex;
        Replayed<M, Recording> replayed;
    };
    struct NoTurn {};

    static auto shared(M model) {
        if constexpr (recorded)
            return std::make_shared<Turns>(std::move(model));
        else
            return model;
    }
    auto my_turn() const {
        if constexpr (recorded)
            return std::unique_lock(calls_->mutex);
        else
            return NoTurn{};
    }
    decltype(auto) call(const typename M::Inputs& in) const {
        if constexpr (recorded)
            return calls_->replayed(in);
        else
            return model()(in);
    }

    std::conditional_t<recorded, std::shared_ptr<Turns>, M> calls_;
};

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_FORWARD_HPP
// ---- silica/task/image_batches.hpp
#ifndef SILICA_SINGLE_TASK_IMAGE_BATCHES_HPP
#define SILICA_SINGLE_TASK_IMAGE_BATCHES_HPP
/// Pictures through a network: processed one by one, those of one size together; files read ahead on threads.

// ---- silica/task/in_batches.hpp
#ifndef SILICA_SINGLE_TASK_IN_BATCHES_HPP
#define SILICA_SINGLE_TASK_IN_BATCHES_HPP
/// Many files through a network, alike ones together.

// ---- silica/task/reader.hpp
#ifndef SILICA_SINGLE_TASK_READER_HPP
#define SILICA_SINGLE_TASK_READER_HPP
/// Files read, decoded and processed ahead on threads, while a network runs on those before them.

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace silica::task {

/// What became of a file: a value, or the error that says why there is none.
template <class T>
struct FileResult {
    std::size_t index = 0;            ///< which of the files, from 0
    std::filesystem::path path = {};  ///< as it was named
    std::optional<T> value = {};
    std::optional<Error> error = {};  ///< where, and only where, there is no value

    /// The value; throws the error where there is none, and InputError where nothing became of the file yet.
    [[nodiscard]] const T& get() const {
        if (error) throw Error(*error);
        if (!value) throw InputError("A file has neither a value nor an error.", "take results that a task gave.");
        return *value;
    }
};

/// How far ahead files are read. 0: chosen.
struct ReadAhead {
    std::size_t threads = 0;  ///< that read and process; chosen: as many as the machine runs at once
    std::size_t files = 0;    ///< that are held at most, ready or in work; chosen: two for each thread
};

namespace detail {

/// Calls work(i) for i in [0, count) on threads, in this order, not further than `window` beyond what was taken.
class WorkAhead {
public:
    /// `work` does not throw. Where the system gives no threads, `take` does the work itself.
    WorkAhead(std::size_t count, ReadAhead ahead, std::function<void(std::size_t)> work);
    WorkAhead(const WorkAhead&) = delete;
    WorkAhead& operator=(const WorkAhead&) = delete;
    /// Waits for what is in work, and begins no more.
    ~WorkAhead();

    /// Waits until work(i) is done, i being the next that was not taken. False where there are no more.
    [[nodiscard]] bool take();

private:
    void serve();

    std::size_t count_, window_;
    std::function<void(std::size_t)> work_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<bool> done_;
    std::size_t begun_ = 0, taken_ = 0;
    bool stop_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace detail

/// Gives `process(path)` for each of many files, in their order, from threads that work ahead of the caller. At most
/// `ReadAhead::files` values are held besides those that were handed out. A file that `process` refuses with an Error
/// is a result with that error; any other exception is thrown by `next` in the file's place, and the file after it is
/// next. `process` is called by several threads at once.
///
///     task::Reader<image::Pixels> reader(files, [&](const auto& path) { return processor(image::read(path)); });
///     while (auto file = reader.next()) run(file->get());
template <class T>
class Reader {
public:
    using Process = std::function<T(const std::filesystem::path&)>;

    /// InputError where `process` is empty.
    Reader(std::vector<std::filesystem::path> files, Process process, ReadAhead ahead = {})
        : files_(std::move(files)),
          process_(checked(std::move(process))),
          slots_(files_.size()),
          work_(files_.size(), ahead, [this](std::size_t i) { fill(i); }) {}

    /// What became of the next file; nothing after the last. One caller at a time.
    [[nodiscard]] std::optional<FileResult<T>> next() {
        if (!work_.take()) return std::nullopt;
        const auto i = next_++;
        Slot slot = std::move(slots_[i]);
        slots_[i] = {};
        if (slot.failure) std::rethrow_exception(slot.failure);
        return FileResult<T>{i, files_[i], std::move(slot.value), std::move(slot.error)};
    }

    /// How many files there are.
    [[nodiscard]] std::size_t size() const noexcept { return files_.size(); }

private:
    struct Slot {
        std::optional<T> value = {};
        std::optional<Error> error = {};
        std::exception_ptr failure = {};
    };

    static Process checked(Process process) {
        if (!process) throw InputError("There is nothing to process files with.", "give a function.");
        return process;
    }

    void fill(std::size_t i) {
        Slot& slot = slots_[i];
        try {
            slot.value.emplace(process_(files_[i]));
        } catch (const Error& e) {
            slot.error.emplace(e);
        } catch (...) {
            slot.failure = std::current_exception();
        }
    }

    std::vector<std::filesystem::path> files_;
    Process process_;
    std::vector<Slot> slots_;
    std::size_t next_ = 0;
    detail::WorkAhead work_;  // last: its threads end before what they use
};

}  // namespace silica::task

// ---- silica/task/reader.ipp
#ifndef SILICA_SINGLE_TASK_READER_IPP
#define SILICA_SINGLE_TASK_READER_IPP
/// Definitions of reader.hpp.

#include <algorithm>
#include <new>
#include <system_error>

namespace silica::task::detail {

SILICA_INLINE WorkAhead::WorkAhead(std::size_t count, ReadAhead ahead, std::function<void(std::size_t)> work)
    : count_(count), work_(std::move(work)), done_(count) {
    constexpr std::size_t most = 256;
    auto threads = ahead.threads != 0 ? ahead.threads : std::size_t{std::thread::hardware_concurrency()};
    threads = std::min({std::max<std::size_t>(threads, 1), most, count});
    window_ = ahead.files != 0 ? ahead.files : 2 * std::max<std::size_t>(threads, 1);
    threads = std::min(threads, window_);
    threads_.reserve(threads);
    try {
        while (threads_.size() < threads) threads_.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {  // no more are to be had
    } catch (const std::bad_alloc&) {
    }
}

SILICA_INLINE WorkAhead::~WorkAhead() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
}

SILICA_INLINE void WorkAhead::serve() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return stop_ || begun_ == count_ || begun_ - taken_ < window_; });
        if (stop_ || begun_ == count_) return;
        const auto i = begun_++;
        lock.unlock();
        work_(i);
        lock.lock();
        done_[i] = true;
        changed_.notify_all();
    }
}

SILICA_INLINE bool WorkAhead::take() {
    if (taken_ == count_) return false;
    if (threads_.empty()) {
        work_(taken_++);
        return true;
    }
    {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return done_[taken_]; });
        ++taken_;
    }
    changed_.notify_all();
    return true;
}

}  // namespace silica::task::detail
#endif  // SILICA_SINGLE_TASK_READER_IPP
#endif  // SILICA_SINGLE_TASK_READER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iterator>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::task {

/// Told after each file how many of how many are done.
using Progress = std::function<void(std::size_t done, std::size_t files)>;

/// How many run together, checked.
[[nodiscard]] inline std::size_t checked_batch_size(std::int64_t n) {
    if (n < 1) throw InputError("batch_size is " + std::to_string(n) + ".", "1 or more is needed.");
    return static_cast<std::size_t>(n);
}

/// Takes all files of `reader` in their order. Up to `batch_size` neighbours for which alike(first, other) holds run
/// together: run(std::span<const T>) -> std::vector<R>, one for each. give(FileResult<R>) is called for each file, in
/// order, as soon as it is known. Where `run` refuses a batch with an InputError each of it runs alone, and the error
/// is that of the files that are refused again. Whatever else is thrown ends the work; where it is the reader who
/// throws, what was read before has been given.
template <class T, class Alike, class Run, class Give>
void in_batches(Reader<T>& reader, std::size_t batch_size, const Alike& alike, const Run& run, const Give& give) {
    using R = typename std::invoke_result_t<const Run&, std::span<const T>>::value_type;
    std::vector<FileResult<R>> held;  // in order; those without an error wait for the batch
    std::vector<T> batch;

    const auto run_alone = [&](FileResult<R>& result, const T& value) {
        try {
            result.value.emplace(std::move(run(std::span(&value, 1)).front()));
        } catch (const InputError& e) {
            result.error.emplace(e);
        }
    };
    const auto flush = [&] {
        std::vector<FileResult<R>*> waiting;
        for (auto& result : held) {
            if (!result.error) waiting.push_back(&result);
        }
        bool alone = batch.size() == 1;
        if (batch.size() > 1) {
            try {
                auto values = run(std::span<const T>(batch));
                for (std::size_t i = 0; i < waiting.size(); ++i) waiting[i]->value.emplace(std::move(values.at(i)));
            } catch (const InputError&) {
                alone = true;
            }
        }
        for (std::size_t i = 0; alone && i < waiting.size(); ++i) run_alone(*waiting[i], batch[i]);
        batch.clear();
        for (auto& result : std::exchange(held, {})) give(std::move(result));
    };
    const auto next = [&] {
        try {
            return reader.next();
        } catch (...) {
            flush();
            throw;
        }
    };
    while (auto file = next()) {
        if (file->value && !batch.empty() && !alike(std::as_const(batch.front()), std::as_const(*file->value))) flush();
        held.push_back({file->index, std::move(file->path), {}, std::move(file->error)});
        if (file->value) batch.push_back(std::move(*file->value));
        if (batch.empty() || batch.size() >= batch_size) flush();
    }
    flush();
}

/// process(item) -> T, and run(std::span<const T>) -> std::vector<R>, one for each item, on up to `batch_size`
/// neighbours for which alike(first, other) holds.
template <class Process, class Alike, class Item, class Run>
auto over_items(const Process& process, const Alike& alike, std::span<const Item> items, std::int64_t batch_size,
                const Run& run) {
    using T = std::invoke_result_t<const Process&, const Item&>;
    const auto most = checked_batch_size(batch_size);
    std::invoke_result_t<const Run&, std::span<const T>> all;
    std::vector<T> batch;
    const auto flush = [&] {
        if (batch.empty()) return;
        auto some = run(std::span<const T>(batch));
        std::ranges::move(some, std::back_inserter(all));
        batch.clear();
    };
    for (const auto& item : items) {
        auto value = process(item);
        if (!batch.empty() && (batch.size() == most || !alike(std::as_const(batch.front()), std::as_const(value))))
            flush();
        batch.push_back(std::move(value));
    }
    flush();
    return all;
}

/// The same for files, process(path) being called ahead on threads: a result or the error of each, in their order.
template <class Process, class Alike, class Run>
auto over_paths(const Process& process, const Alike& alike, std::span<const std::filesystem::path> files,
                std::int64_t batch_size, const Run& run, const Progress& progress = {}) {
    using T = std::invoke_result_t<const Process&, const std::filesystem::path&>;
    using R = typename std::invoke_result_t<const Run&, std::span<const T>>::value_type;
    const auto most = checked_batch_size(batch_size);
    std::vector<FileResult<R>> all;
    Reader<T> reader({files.begin(), files.end()}, process);
    in_batches(reader, most, alike, run, [&](FileResult<R> result) {
        all.push_back(std::move(result));
        if (progress) progress(all.size(), files.size());
    });
    return all;
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_IN_BATCHES_HPP
// ---- silica/task/pixels.hpp
#ifndef SILICA_SINGLE_TASK_PIXELS_HPP
#define SILICA_SINGLE_TASK_PIXELS_HPP
/// What an image processor made, as the tensors that a model takes.

#include <optional>
#include <span>

namespace silica::task {

/// Pixels as inputs of a vision model, on the CPU, under transformers' names.
struct PixelTensors {
    Tensor pixel_values;  ///< (batch, 3, height, width) or (1, frames, 3, height, width), float32 or uint8
    std::optional<Tensor> pixel_mask = {};  ///< (batch, height, width), int64: 1 where there is image, 0 where padding
};

/// The tensors of `pixels`, whose memory they take over. InputError where its values are not as many as its shape says.
[[nodiscard]] PixelTensors tensors_of(image::Pixels pixels);

/// Batches that were processed apart as one, in their order. Those with a mask may differ in height and width: zeros
/// are added on the right and below up to the largest, as the processor pads a batch. InputError where there are none,
/// or shapes or types differ otherwise.
[[nodiscard]] image::Pixels joined(std::span<const image::Pixels> parts);

}  // namespace silica::task

// ---- silica/task/pixels.ipp
#ifndef SILICA_SINGLE_TASK_PIXELS_IPP
#define SILICA_SINGLE_TASK_PIXELS_IPP
/// Definitions of pixels.hpp.

// ---- silica/task/tensor_over.hpp
#ifndef SILICA_SINGLE_TASK_TENSOR_OVER_HPP
#define SILICA_SINGLE_TASK_TENSOR_OVER_HPP
/// Numbers of `input/` as tensors.

#include <ATen/ops/from_blob.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace silica::task::detail {

/// Throws InputError unless `n` is the product of `shape`, in which nothing is below 1.
inline void require_count(const char* what, std::size_t n, const std::vector<std::int64_t>& shape) {
    std::size_t left = n;
    bool fits = true;
    for (const auto d : shape) {
        fits = fits && d >= 1 && left % static_cast<std::uint64_t>(d) == 0;
        if (fits) left /= static_cast<std::size_t>(d);
    }
    if (fits && left == 1) return;
    throw InputError(std::string(what) + " has " + std::to_string(n) + " values, which is not what its shape " +
                         shape_text(shape) + " says.",
                     "give as many values as the product of the shape.");
}

/// Throws InputError unless `shape` has so many dimensions or more.
inline void require_rank(const char* what, const std::vector<std::int64_t>& shape, std::size_t least) {
    if (shape.size() >= least) return;
    throw InputError(std::string(what) + " has the shape " + shape_text(shape) + ".",
                     "give at least " + std::to_string(least) + " dimensions, the first being the batch.");
}

/// A tensor on memory that it takes over; `type` has as many bytes as T.
template <class T>
Tensor tensor_over(std::vector<T> values, const std::vector<std::int64_t>& shape,
                   c10::ScalarType type = c10::CppTypeToScalarType<T>::value) {
    const auto own = std::make_shared<std::vector<T>>(std::move(values));
    return at::from_blob(own->data(), shape, [own](void*) {}, type);
}

}  // namespace silica::task::detail
#endif  // SILICA_SINGLE_TASK_TENSOR_OVER_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace silica::task {

namespace detail {

/// (batch, height, width) of (batch, ..., height, width).
inline std::vector<std::int64_t> shape_of_mask(std::vector<std::int64_t> shape) {
    if (shape.size() > 3) shape.erase(shape.begin() + 1, shape.end() - 2);
    return shape;
}

inline void require_counts(const image::Pixels& pixels) {
    const auto n = std::visit([](const auto& values) { return values.size(); }, pixels.values);
    require_rank("pixel_values", pixels.shape, 3);
    require_count("pixel_values", n, pixels.shape);
    if (pixels.mask) require_count("pixel_mask", pixels.mask->size(), shape_of_mask(pixels.shape));
}

/// The last two of a shape.
inline std::pair<std::int64_t, std::int64_t> height_and_width(const std::vector<std::int64_t>& shape) {
    return {shape[shape.size() - 2], shape[shape.size() - 1]};
}

/// Copies planes of h x w, one after another, to the upper left corners of planes of height x width.
template <class T>
T* place_planes(const std::vector<T>& from, std::int64_t h, std::int64_t w, T* to, std::int64_t height,
                std::int64_t width) {
    const auto plane = static_cast<std::size_t>(h * w);
    for (std::size_t begin = 0; begin < from.size(); begin += plane, to += height * width) {
        for (std::int64_t y = 0; y < h; ++y)
            std::copy_n(from.data() + begin + static_cast<std::size_t>(y * w), w, to + y * width);
    }
    return to;
}

/// Throws InputError unless `part` may stand behind `first` in a batch.
inline void require_joinable(const image::Pixels& first, const image::Pixels& part) {
    require_counts(part);
    const auto rank = part.shape.size();
    const bool same =
        rank == first.shape.size() && part.values.index() == first.values.index() &&
        part.mask.has_value() == first.mask.has_value() && rank >= 3 &&
        std::equal(first.shape.begin() + 1, first.shape.end() - (first.mask ? 2 : 0), part.shape.begin() + 1);
    if (same) return;
    throw InputError(
        "Images of shapes " + shape_text(first.shape) + " and " + shape_text(part.shape) + " do not make one batch.",
        "give images of one size, or run each alone.");
}

}  // namespace detail

SILICA_INLINE PixelTensors tensors_of(image::Pixels pixels) {
    detail::require_counts(pixels);
    PixelTensors made;
    made.pixel_values =
        std::visit([&](auto& values) { return detail::tensor_over(std::move(values), pixels.shape); }, pixels.values);
    if (pixels.mask) {
        made.pixel_mask = detail::tensor_over(std::move(*pixels.mask), detail::shape_of_mask(pixels.shape));
    }
    return made;
}

SILICA_INLINE image::Pixels joined(std::span<const image::Pixels> parts) {
    if (parts.empty()) throw InputError("There are no pixels to join.", "give at least one image.");
    const auto& first = parts.front();
    std::int64_t rows = 0, height = 0, width = 0;
    for (const auto& part : parts) {
        detail::require_joinable(first, part);
        const auto [h, w] = detail::height_and_width(part.shape);
        rows += part.shape.front();
        height = std::max(height, h);
        width = std::max(width, w);
    }
    image::Pixels made{.shape = first.shape, .values = {}, .mask = {}};
    made.shape.front() = rows;
    made.shape[made.shape.size() - 2] = height;
    made.shape.back() = width;
    const auto elements = static_cast<std::size_t>(checked_product("The size of a batch of images", made.shape));
    std::visit(
        [&](const auto& kind) {
            using Values = std::remove_cvref_t<decltype(kind)>;
            auto& all = made.values.template emplace<Values>(elements);
            auto* to = all.data();
            for (const auto& part : parts) {
                const auto [h, w] = detail::height_and_width(part.shape);
                to = detail::place_planes(std::get<Values>(part.values), h, w, to, height, width);
            }
        },
        first.values);
    if (first.mask) {
        auto& all = made.mask.emplace(static_cast<std::size_t>(rows * height * width));
        auto* to = all.data();
        for (const auto& part : parts) {
            const auto [h, w] = detail::height_and_width(part.shape);
            to = detail::place_planes(*part.mask, h, w, to, height, width);
        }
    }
    return made;
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_PIXELS_IPP
#endif  // SILICA_SINGLE_TASK_PIXELS_HPP

#include <cstdint>
#include <filesystem>
#include <span>

namespace silica::task {

/// Whether pictures that were processed apart can run together: nothing is padded for it.
[[nodiscard]] inline bool alike(const image::Pixels& a, const image::Pixels& b) {
    return a.shape == b.shape && a.values.index() == b.values.index() && a.mask.has_value() == b.mask.has_value();
}

/// The pixels of one picture, by the processor of a checkpoint.
[[nodiscard]] inline image::Pixels processed(const image::Processor& processor, const image::Image& picture) {
    return processor(std::span(&picture, 1));
}
/// That as a function of the picture. The processor outlives it.
[[nodiscard]] inline auto pixels_by(const image::Processor& processor) {
    return [&processor](const image::Image& picture) { return processed(processor, picture); };
}

/// process(picture) -> T, and run(std::span<const T>) -> std::vector<R>, one for each picture, on up to `batch_size`
/// neighbours for which same(first, other) holds.
template <class Process, class Same, class Run>
auto over_images(const Process& process, const Same& same, std::span<const image::Image> images,
                 std::int64_t batch_size, const Run& run) {
    return over_items(process, same, images, batch_size, run);
}

/// The same for files: a result or the error of each, in their order.
template <class Process, class Same, class Run>
auto over_files(const Process& process, const Same& same, std::span<const std::filesystem::path> files,
                std::int64_t batch_size, const Run& run, const Progress& progress = {}) {
    return over_paths([&](const std::filesystem::path& path) { return process(image::read(path)); }, same, files,
                      batch_size, run, progress);
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_IMAGE_BATCHES_HPP
// ---- silica/task/rows.hpp
#ifndef SILICA_SINGLE_TASK_ROWS_HPP
#define SILICA_SINGLE_TASK_ROWS_HPP
/// The rows of a tensor on the host.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace silica::task {

/// The rows of (rows, columns), float32 on the CPU, one after another. They live as long as the tensor. InputError for
/// another tensor, and for one with gaps.
[[nodiscard]] inline std::vector<std::span<const float>> rows_of(const Tensor& t) {
    require_tensor("rows", t, 2, {c10::ScalarType::Float});
    if (!t.device().is_cpu() || !t.is_contiguous())
        throw InputError("Input rows is not on the CPU, or has gaps.", "call .cpu().contiguous() on it.");
    const auto columns = static_cast<std::size_t>(t.size(1));
    const auto* first = t.const_data_ptr<float>();
    std::vector<std::span<const float>> rows;
    for (std::int64_t i = 0; i < t.size(0); ++i)
        rows.emplace_back(first + static_cast<std::size_t>(i) * columns, columns);
    return rows;
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_ROWS_HPP

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

namespace silica::task {

/// What a caller may choose when classifying.
struct ClassifyOptions {
    std::int64_t top_k = 5;       ///< so many labels of each picture, the best
    std::int64_t batch_size = 8;  ///< so many pictures of one size run together
    Progress progress = {};       ///< told after each file
};

/// Says what a picture shows, with a model that gives `logits` of classes:
///
///     using ViT = Model<arch::ViTForImageClassification, device::Cpu>;
///     const auto classify = task::Classifier<ViT>::open("google/vit-base-patch16-224");
///     for (const auto& [label, score] : classify(image::read("cat.jpg"))) ...
template <class M>
class Classifier {
public:
    using Labels = std::vector<ScoredLabel>;

    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its processor and labels.
    [[nodiscard]] static Classifier open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {image::Processor::open(place), ClassLabels::read(place), M::open(place, options)};
    }

    Classifier(image::Processor processor, ClassLabels classes, M model)
        : processor_(std::move(processor)), classes_(std::move(classes)), forward_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    Classifier(const Classifier&) = default;
    Classifier& operator=(const Classifier&) = default;

    /// The best labels of a picture, best first. InputError for a picture that the model cannot look at.
    [[nodiscard]] Labels operator()(const image::Image& picture, const ClassifyOptions& options = {}) const {
        return (*this)(std::span(&picture, 1), options).front();
    }

    /// Those of each picture, in the order given.
    [[nodiscard]] std::vector<Labels> operator()(std::span<const image::Image> pictures,
                                                 const ClassifyOptions& options = {}) const {
        require_top_k(options.top_k);
        return over_images(pixels_by(processor_), alike, pictures, options.batch_size,
                           [&](std::span<const image::Pixels> batch) { return of_pixels(batch, options.top_k); });
    }

    /// Those of each file, in the order given, or the error that says why there are none. Files are read ahead on
    /// threads while the model runs.
    [[nodiscard]] std::vector<FileResult<Labels>> operator()(std::span<const std::filesystem::path> files,
                                                             const ClassifyOptions& options = {}) const {
        require_top_k(options.top_k);
        return over_files(
            pixels_by(processor_), alike, files, options.batch_size,
            [&](std::span<const image::Pixels> batch) { return of_pixels(batch, options.top_k); }, options.progress);
    }
    [[nodiscard]] std::vector<FileResult<Labels>> operator()(std::initializer_list<std::filesystem::path> files,
                                                             const ClassifyOptions& options = {}) const {
        return (*this)(std::span(files.begin(), files.size()), options);
    }

    /// Those of pictures that are processed already, and of one size: they run together.
    [[nodiscard]] std::vector<Labels> of_pixels(std::span<const image::Pixels> batch, std::int64_t top_k) const {
        typename M::Inputs in;
        in.pixel_values = tensors_of(joined(batch)).pixel_values;
        const Tensor logits = forward_(in, [](const auto& out) { return out.logits; });
        std::vector<Labels> all;
        for (const auto& row : rows_of(logits)) all.push_back(classes_.best(row, top_k));
        return all;
    }

    [[nodiscard]] const image::Processor& processor() const noexcept { return processor_; }
    /// What the checkpoint says about its classes.
    [[nodiscard]] const ClassLabels& classes() const noexcept { return classes_; }
    [[nodiscard]] const M& model() const noexcept { return forward_.model(); }

private:
    image::Processor processor_;
    ClassLabels classes_;
    Forward<M> forward_;
};

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_CLASSIFY_HPP
// ---- silica/task/ctc_pieces.hpp
#ifndef SILICA_SINGLE_TASK_CTC_PIECES_HPP
#define SILICA_SINGLE_TASK_CTC_PIECES_HPP
/// Long sounds in pieces that overlap. What a model that gives a symbol for each frame hears at an end of a piece lacks
/// what comes next, and is left out; texts that overlap are joined (generate/speech/pieces.hpp). As transformers'
/// pipeline with `chunk_length_s` cuts them (pipelines/automatic_speech_recognition.py, chunk_iter and rescale_stride).

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace silica::task {

/// How sounds are cut.
struct CtcCutting {
    double whole_seconds = 120;                       ///< a sound up to this long is heard in one piece
    double chunk_seconds = 30;                        ///< else pieces are this long
    double stride_seconds = 5;                        ///< and so much at each end of a piece is heard by its neighbour
    std::optional<double> right_stride_seconds = {};  ///< at its right end; absent: as at its left one
};

/// A piece of a sound.
struct CtcPiece {
    std::vector<float> samples;
    std::int64_t left = 0, right = 0;  ///< samples at its ends that count in its neighbours
    bool last = false;

    /// Which of the `frames` frames that a model gives count, one of them being of `ratio` samples: from the first on,
    /// up to the second without it.
    struct Range {
        std::int64_t begin, end;
    };
    /// InputError for sizes below 0, a ratio below 1, and ends that are longer than the piece.
    [[nodiscard]] Range counted(std::int64_t frames, std::int64_t ratio) const;
};

/// The pieces of a sound, one after another; no more than `whole_seconds` of it are kept.
class CtcPieces {
public:
    /// The next `n` samples of a sound, fewer at its end.
    using Read = std::function<std::vector<float>(std::int64_t n)>;

    /// `ratio`: samples of a frame; pieces are of whole frames.
    /// InputError where a number of `cutting` is no length, the ends are all of a piece, there is nothing to read from,
    /// or rate and ratio are no sizes.
    CtcPieces(Read read, std::int64_t rate, std::int64_t ratio, const CtcCutting& cutting);

    /// The next piece, nothing after the last.
    [[nodiscard]] std::optional<CtcPiece> next();

private:
    /// Reads until there are `n` samples or the sound ends.
    void fill(std::int64_t n);

    Read read_;
    std::vector<float> samples_;  // from the beginning of the next piece on
    std::int64_t whole_, chunk_, left_, right_;
    bool begun_ = false, ended_ = false, done_ = false;
};

}  // namespace silica::task

// ---- silica/task/ctc_pieces.ipp
#ifndef SILICA_SINGLE_TASK_CTC_PIECES_IPP
#define SILICA_SINGLE_TASK_CTC_PIECES_IPP
/// Definitions of ctc_pieces.hpp.

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace silica::task {
namespace ctc_pieces {

/// Python's round(): halves to the even neighbour.
SILICA_INLINE std::int64_t rounded(double x) {
    const double down = std::floor(x), rest = x - down;
    const bool up = rest > 0.5 || (rest == 0.5 && std::fmod(down, 2.0) != 0);
    return static_cast<std::int64_t>(up ? down + 1 : down);
}

/// Seconds as samples, a whole number of frames.
SILICA_INLINE std::int64_t samples_of(const char* name, double seconds, std::int64_t rate, std::int64_t ratio) {
    constexpr double longest = 86400;
    constexpr std::int64_t most = 1 << 30;
    if (rate < 1 || rate > most || ratio < 1 || ratio > most)
        throw InputError("A sound of " + std::to_string(rate) + " samples in a second, " + std::to_string(ratio) +
                             " of them a frame, cannot be cut.",
                         "give 1 or more of both.");
    if (!(seconds >= 0 && seconds <= longest)) {
        throw InputError(std::string(name) + " is " + std::to_string(seconds) + " seconds.",
                         "give 0 or more, and a day at most.");
    }
    return rounded(seconds * static_cast<double>(rate) / static_cast<double>(ratio)) * ratio;
}

}  // namespace ctc_pieces

SILICA_INLINE CtcPiece::Range CtcPiece::counted(std::int64_t frames, std::int64_t ratio) const {
    const auto size = static_cast<std::int64_t>(samples.size());
    if (frames < 0 || ratio < 1 || left < 0 || right < 0 || left > size || right > size)
        throw InputError("A piece of " + std::to_string(size) + " samples has ends of " + std::to_string(left) +
                             " and " + std::to_string(right) + ", and " + std::to_string(frames) + " frames of " +
                             std::to_string(ratio) + ".",
                         "give sizes of 0 or more, frames of 1 or more, and ends within the piece.");
    if (left == 0 && right == 0) return {0, frames};
    const auto n = static_cast<double>(samples.size());
    const auto all = ctc_pieces::rounded(n * (1.0 / static_cast<double>(ratio)));
    const auto of = [&](std::int64_t overlap) {
        return ctc_pieces::rounded(static_cast<double>(overlap) / n * static_cast<double>(all));
    };
    const auto end = std::clamp<std::int64_t>(all - of(right), 0, frames);
    return {std::min(of(left), end), end};
}

SILICA_INLINE CtcPieces::CtcPieces(Read read, std::int64_t rate, std::int64_t ratio, const CtcCutting& cutting)
    : read_(std::move(read)),
      whole_(ctc_pieces::samples_of("whole_seconds", cutting.whole_seconds, rate, ratio)),
      chunk_(ctc_pieces::samples_of("chunk_seconds", cutting.chunk_seconds, rate, ratio)),
      left_(ctc_pieces::samples_of("stride_seconds", cutting.stride_seconds, rate, ratio)),
      right_(ctc_pieces::samples_of("right_stride_seconds",
                                    cutting.right_stride_seconds.value_or(cutting.stride_seconds), rate, ratio)) {
    if (!read_) throw InputError("There is nothing to read samples with.", "give a function.");
    if (chunk_ <= left_ + right_) {
        const double right = cutting.right_stride_seconds.value_or(cutting.stride_seconds);
        throw InputError("Pieces of " + std::to_string(cutting.chunk_seconds) + " seconds are nothing but ends of " +
                             std::to_string(cutting.stride_seconds) + " and " + std::to_string(right) + " seconds.",
                         "give chunk_seconds of more than both, twice stride_seconds.");
    }
}

SILICA_INLINE void CtcPieces::fill(std::int64_t n) {
    while (!ended_ && static_cast<std::int64_t>(samples_.size()) < n) {
        const auto more = read_(n - static_cast<std::int64_t>(samples_.size()));
        if (more.empty()) ended_ = true;
        samples_.insert(samples_.end(), more.begin(), more.end());
    }
}

SILICA_INLINE std::optional<CtcPiece> CtcPieces::next() {
    if (done_) return std::nullopt;
    if (!begun_) {
        fill(whole_ + 1);
        if (static_cast<std::int64_t>(samples_.size()) <= whole_) {
            done_ = true;
            return CtcPiece{std::move(samples_), 0, 0, true};
        }
    }
    fill(chunk_ + 1);
    const auto there = static_cast<std::int64_t>(samples_.size());
    CtcPiece piece;
    piece.left = begun_ ? left_ : 0;
    piece.last = there <= chunk_;
    piece.right = piece.last ? 0 : right_;
    begun_ = true;
    done_ = piece.last;
    if (there <= piece.left) return std::nullopt;  // the piece before heard all of it
    piece.samples.assign(samples_.begin(), samples_.begin() + std::min(there, chunk_));
    if (!piece.last) samples_.erase(samples_.begin(), samples_.begin() + (chunk_ - left_ - right_));
    return piece;
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_CTC_PIECES_IPP
#endif  // SILICA_SINGLE_TASK_CTC_PIECES_HPP
// ---- silica/task/describe.hpp
#ifndef SILICA_SINGLE_TASK_DESCRIBE_HPP
#define SILICA_SINGLE_TASK_DESCRIBE_HPP
/// Pictures and a text in, text out.

// ---- silica/task/image_writer.hpp
#ifndef SILICA_SINGLE_TASK_IMAGE_WRITER_HPP
#define SILICA_SINGLE_TASK_IMAGE_WRITER_HPP
/// Texts about pictures, with any decoder: processor, tokenizer, chat template and generation_config.json of a
/// checkpoint.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::task {

/// A text, and what it was written from.
struct Described {
    std::string prompt;                      ///< with one image token for each picture
    std::vector<std::int64_t> image_tokens;  ///< of each picture, in the prompt as the model read it
    generate::Generated written;             ///< one row: tokens, how it ended, times

    /// InputError where nothing was written.
    [[nodiscard]] const std::string& text() const {
        if (written.texts.empty()) throw InputError("There is no answer yet.", "take what a writer gave.");
        return written.texts.front();
    }
};

/// A prompt, and the pictures that it shows, in order.
struct Asked {
    image_text::Prompt prompt;
    std::vector<image::Image> images = {};
};

/// Pictures as inputs of a model, on the CPU, under transformers' names: pixel_values (images, 3, height, width) or
/// (images, tiles, 3, side, side) float32, and image_sizes (images, 2) int64 where the model takes them.
[[nodiscard]] Named tensors_of(image_text::Pictures pictures);
/// A prompt as inputs of a model: input_ids and attention_mask (1, tokens) int64.
[[nodiscard]] Named tensors_of(const image_text::Tokens& tokens);

/// What a checkpoint of LLaVA or LLaVA-NeXT has beside its network. Const calls may run at once, each with a decoder of
/// its own.
class ImageWriter {
public:
    /// Reads a checkpoint's directory. ConfigError for a wrong file; a chat template is missed when it is used.
    [[nodiscard]] static ImageWriter open(const std::filesystem::path& directory);

    explicit ImageWriter(image_text::Processor processor, generate::GenerationConfig config = {})
        : processor_(std::make_shared<const image_text::Processor>(std::move(processor))),
          writer_(processor_->tokenizer(), std::move(config)) {}
    /// What is moved from stays as it was: copies share all that is large.
    ImageWriter(const ImageWriter&) = default;
    ImageWriter& operator=(const ImageWriter&) = default;

    /// Answers a text about pictures (image_text::Processor::prompt_of says how it becomes a prompt). See Writer for
    /// `config`. InputError where the text has image tokens, and not one for each picture.
    [[nodiscard]] Described operator()(generate::Decoder& decoder, std::string_view text,
                                       std::span<const image::Image> images,
                                       const generate::GenerationConfig& config = {},
                                       const OnToken& on_token = {}) const {
        return write(decoder, processor_->prompt_of(text, images), images, config, on_token, nullptr);
    }

    /// Answers a chat. With `held`, kept from turn to turn with one decoder while messages are only added, only what is
    /// new is read, and only new pictures are looked at. ConfigError where the checkpoint has no chat template.
    [[nodiscard]] Described chat(generate::Decoder& decoder, std::span<const image_text::Message> messages,
                                 const generate::GenerationConfig& config = {}, const OnToken& on_token = {},
                                 generate::Held* held = nullptr) const {
        const auto images = image_text::images_of(messages);
        return write(decoder, processor_->prompt_of(messages), images, config, on_token, held);
    }

    /// Answers several prompts together, each as if it were alone: the rows of one batch, padded on the left. One for
    /// each, in the order given; times are those of all.
    [[nodiscard]] std::vector<Described> batch(generate::Decoder& decoder, std::span<const Asked> asked,
                                               const generate::GenerationConfig& config = {},
                                               const OnToken& on_token = {}) const;

    [[nodiscard]] const image_text::Processor& processor() const noexcept { return *processor_; }
    /// What generation_config.json says.
    [[nodiscard]] const generate::GenerationConfig& config() const noexcept { return writer_.config(); }

private:
    [[nodiscard]] Described write(generate::Decoder& decoder, image_text::Prompt prompt,
                                  std::span<const image::Image> images, const generate::GenerationConfig& config,
                                  const OnToken& on_token, generate::Held* held) const;

    std::shared_ptr<const image_text::Processor> processor_;
    Writer writer_;
};

/// A talk about pictures, turn by turn: what was said, and what the decoder holds of it. Of one caller and one decoder.
class ImageTalk {
public:
    explicit ImageTalk(std::vector<image_text::Message> messages = {}) : messages_(std::move(messages)) {}

    /// The answer to a text about further pictures, which becomes a message of the talk. Where it fails, the question
    /// is none either.
    Described ask(const ImageWriter& writer, generate::Decoder& decoder, std::span<const image::Image> images,
                  std::string text, const generate::GenerationConfig& config = {}, const OnToken& on_token = {});

    /// All messages so far, the first ones included.
    [[nodiscard]] const std::vector<image_text::Message>& messages() const noexcept { return messages_; }

private:
    std::vector<image_text::Message> messages_;
    generate::Held held_ = {};
};

}  // namespace silica::task

// ---- silica/task/image_writer.ipp
#ifndef SILICA_SINGLE_TASK_IMAGE_WRITER_IPP
#define SILICA_SINGLE_TASK_IMAGE_WRITER_IPP
/// Definitions of image_writer.hpp.

#include <algorithm>
#include <iterator>
#include <numeric>
#include <type_traits>
#include <utility>

namespace silica::task {

namespace image_writer_detail {

/// (rows, columns) int64 of what `at(i)` gives in order.
template <class At>
[[nodiscard]] Tensor integers(std::int64_t rows, std::int64_t columns, const At& at) {
    const Tensor made = at::empty({rows, columns}, c10::ScalarType::Long);
    auto* to = made.mutable_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < rows * columns; ++i) to[i] = at(static_cast<std::size_t>(i));
    return made;
}

/// How many pictures stand before a token of the prompt. InputError inside of one.
[[nodiscard]] inline std::size_t images_before(const image_text::Tokens& tokens, std::int64_t image_token,
                                               std::int64_t from) {
    auto left = std::count(tokens.ids.begin(), tokens.ids.begin() + from, image_token);
    std::size_t n = 0;
    for (; left > 0 && n < tokens.image_tokens.size(); ++n) left -= tokens.image_tokens[n];
    if (left == 0) return n;
    throw InputError("What was read before ends inside of a picture.", "begin the talk anew.");
}

/// Forgets what is held where an image token in it stands for no picture: one that was written.
inline void forget_written_images(const image_text::Tokens& tokens, std::int64_t image_token, generate::Held& held) {
    auto left = std::ranges::count(held.tokens, image_token);
    for (const auto n : tokens.image_tokens) {
        if (left > 0) left -= n;
    }
    if (left != 0) held.tokens.clear();
}

/// Rows padded on the left, with any token that shows no picture: it is masked.
[[nodiscard]] inline generate::Prompt padded(const std::vector<image_text::Tokens>& rows, std::int64_t padding) {
    const auto longest = [](std::size_t n, const auto& row) { return std::max(n, row.ids.size()); };
    const auto width = std::accumulate(rows.begin(), rows.end(), std::size_t{0}, longest);
    const auto at = [&](std::size_t i) {
        const auto& ids = rows[i / width].ids;
        const auto before = width - ids.size();
        return i % width < before ? std::pair(padding, std::int64_t{0})
                                  : std::pair(ids[i % width - before], std::int64_t{1});
    };
    const auto n = static_cast<std::int64_t>(rows.size()), columns = static_cast<std::int64_t>(width);
    generate::Prompt made{.input_ids = integers(n, columns, [&](std::size_t i) { return at(i).first; })};
    const bool even = std::ranges::all_of(rows, [&](const auto& row) { return row.ids.size() == width; });
    if (!even) made.attention_mask = integers(n, columns, [&](std::size_t i) { return at(i).second; });
    return made;
}

/// Text `i` of `n`, of which `read` was read, as if it had been written alone.
[[nodiscard]] inline generate::Generated one_of(const generate::Generated& all, std::size_t i, std::size_t n,
                                                std::size_t read) {
    const auto rows = all.tokens.size() / n;
    const auto part = [&](const auto& list) {
        auto made = std::decay_t<decltype(list)>();
        if (list.empty()) return made;
        const auto from = list.begin() + static_cast<std::ptrdiff_t>(i * rows);
        made.assign(from, from + static_cast<std::ptrdiff_t>(rows));
        return made;
    };
    generate::Generated made{
        .sequences = all.sequences.narrow(0, static_cast<std::int64_t>(i * rows), static_cast<std::int64_t>(rows)),
        .tokens = part(all.tokens),
        .texts = part(all.texts),
        .finish = part(all.finish),
        .scores = part(all.scores),
        .log_probabilities = part(all.log_probabilities)};
    made.start = all.start;
    made.prompt_tokens = static_cast<std::int64_t>(read);
    for (const auto& tokens : made.tokens) made.new_tokens += static_cast<std::int64_t>(tokens.size());
    made.prefill_seconds = all.prefill_seconds, made.decode_seconds = all.decode_seconds;
    return made;
}

}  // namespace image_writer_detail

SILICA_INLINE Named tensors_of(image_text::Pictures pictures) {
    const auto& sizes = pictures.image_sizes;
    Named made{{"pixel_values", tensors_of(std::move(pictures.pixels)).pixel_values}};
    auto& pixels = made.front().second;
    if (pixels.scalar_type() == c10::ScalarType::Byte) pixels = pixels.toType(c10::ScalarType::Float);
    if (!sizes.empty()) {
        const auto side = [&](std::size_t i) { return i % 2 == 0 ? sizes[i / 2].height : sizes[i / 2].width; };
        made.emplace_back("image_sizes",
                          image_writer_detail::integers(static_cast<std::int64_t>(sizes.size()), 2, side));
    }
    return made;
}

SILICA_INLINE Named tensors_of(const image_text::Tokens& tokens) {
    const auto row = [](const std::vector<std::int64_t>& values) {
        return image_writer_detail::integers(1, static_cast<std::int64_t>(values.size()),
                                             [&](std::size_t i) { return values[i]; });
    };
    return {{"input_ids", row(tokens.ids)}, {"attention_mask", row(tokens.mask)}};
}

SILICA_INLINE ImageWriter ImageWriter::open(const std::filesystem::path& directory) {
    return ImageWriter(image_text::Processor::open(directory), generate::read_generation_config(directory));
}

SILICA_INLINE Described ImageWriter::write(generate::Decoder& decoder, image_text::Prompt prompt,
                                           std::span<const image::Image> images,
                                           const generate::GenerationConfig& config, const OnToken& on_token,
                                           generate::Held* held) const {
    const auto tokens = processor_->tokens(prompt, images);
    if (tokens.ids.empty()) throw InputError("The prompt is empty.", "write at least a word.");
    if (const auto id = processor_->image_token_id(); held != nullptr && id)
        image_writer_detail::forget_written_images(tokens, *id, *held);
    // Pictures that the decoder holds are not processed again.
    const auto pictures = [&](std::int64_t from) -> Named {
        if (images.empty()) return {};
        const auto known = image_writer_detail::images_before(tokens, *processor_->image_token_id(), from);
        if (known == images.size()) return {};
        return tensors_of(processor_->pictures(images.subspan(known)));
    };
    Described made{.prompt = std::move(prompt.text), .image_tokens = tokens.image_tokens, .written = {}};
    made.written =
        writer_.continued(decoder, {.input_ids = tensors_of(tokens)[0].second}, config, on_token, held, pictures);
    return made;
}

SILICA_INLINE std::vector<Described> ImageWriter::batch(generate::Decoder& decoder, std::span<const Asked> asked,
                                                        const generate::GenerationConfig& config,
                                                        const OnToken& on_token) const {
    if (asked.empty()) throw InputError("There is no prompt.", "give at least one.");
    std::vector<image_text::Tokens> rows;
    std::vector<image::Image> images;
    for (const auto& one : asked) {
        rows.push_back(processor_->tokens(one.prompt, one.images));
        if (rows.back().ids.empty()) throw InputError("The prompt is empty.", "write at least a word.");
        images.insert(images.end(), one.images.begin(), one.images.end());
    }
    const auto prompt = image_writer_detail::padded(rows, processor_->image_token_id() == 0 ? 1 : 0);
    const auto written = writer_.continued(decoder, prompt, config, on_token, nullptr, [&](std::int64_t) -> Named {
        return images.empty() ? Named() : tensors_of(processor_->pictures(images));
    });
    std::vector<Described> made;
    for (std::size_t i = 0; i < asked.size(); ++i) {
        made.push_back({.prompt = asked[i].prompt.text,
                        .image_tokens = rows[i].image_tokens,
                        .written = image_writer_detail::one_of(written, i, asked.size(), rows[i].ids.size())});
    }
    return made;
}

SILICA_INLINE Described ImageTalk::ask(const ImageWriter& writer, generate::Decoder& decoder,
                                       std::span<const image::Image> images, std::string text,
                                       const generate::GenerationConfig& config, const OnToken& on_token) {
    auto messages = messages_;
    messages.push_back(image_text::user_message(images, std::move(text)));
    auto made = writer.chat(decoder, messages, config, on_token, &held_);
    messages.push_back({.role = "assistant", .content = {made.text()}});
    messages_ = std::move(messages);
    return made;
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_IMAGE_WRITER_IPP
#endif  // SILICA_SINGLE_TASK_IMAGE_WRITER_HPP

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::task {

/// Writes about pictures with a model such as `Model<arch::LlavaForConditionalGeneration, device::Mps>`:
///
///     using Llava = Model<arch::LlavaForConditionalGeneration, device::Cpu, precision::Bf16>;
///     const auto describe = task::Describer<Llava>::open("llava-hf/llava-1.5-7b-hf");
///     const image::Image cat = image::read("cat.jpg");
///     std::string text = describe({&cat, 1}, "What is this?", {.max_new_tokens = 50});
///
/// Const calls may run at once from several threads; each makes a state of its own.
template <class Model>
class Describer {
public:
    using Images = std::span<const image::Image>;

    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its processor, tokenizer, chat
    /// template and generation_config.json.
    [[nodiscard]] static Describer open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto directory = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {ImageWriter::open(directory), Model::open(directory, options)};
    }

    Describer(ImageWriter writer, Model model) : writer_(std::move(writer)), model_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    Describer(const Describer&) = default;
    Describer& operator=(const Describer&) = default;

    /// The answer to a text about pictures (none, one or several). A text with image tokens is the prompt as it stands.
    [[nodiscard]] std::string operator()(Images images, const std::string& text,
                                         const generate::GenerationConfig& config = {},
                                         const OnToken& on_token = {}) const {
        return describe(images, text, config, on_token).text();
    }

    /// The answer to a chat: messages of texts and pictures, {"user", {picture, "What is this?"}}.
    [[nodiscard]] std::string chat(std::span<const image_text::Message> messages,
                                   const generate::GenerationConfig& config = {}, const OnToken& on_token = {}) const {
        generate::ModelDecoder<Model> decoder(model_);
        return writer_.chat(decoder, messages, config, on_token).text();
    }

    /// Everything about an answer: the prompt, tokens, how it ended, times.
    [[nodiscard]] Described describe(Images images, const std::string& text,
                                     const generate::GenerationConfig& config = {},
                                     const OnToken& on_token = {}) const {
        generate::ModelDecoder<Model> decoder(model_);
        return writer_(decoder, text, images, config, on_token);
    }

    [[nodiscard]] const ImageWriter& writer() const noexcept { return writer_; }
    [[nodiscard]] const Model& model() const noexcept { return model_; }

private:
    ImageWriter writer_;
    Model model_;
};

/// Asks about pictures and remembers. The caches are kept from turn to turn, so that each reads only what is new and
/// looks only at new pictures. The describer outlives it; one caller at a time.
///
///     task::ImageChat chat(describe);
///     chat({&cat, 1}, "What is this?");
///     chat({}, "And what is behind it?");
template <class Model>
class ImageChat {
public:
    explicit ImageChat(const Describer<Model>& describe, std::vector<image_text::Message> messages = {})
        : writer_(&describe.writer()), decoder_(describe.model()), talk_(std::move(messages)) {}
    /// A temporary would be gone before the chat.
    explicit ImageChat(const Describer<Model>&& describe, std::vector<image_text::Message> messages = {}) = delete;

    /// The answer, which is a message of the chat from then on. Where it fails, the question is none either.
    std::string operator()(std::span<const image::Image> images, std::string text,
                           const generate::GenerationConfig& config = {}, const OnToken& on_token = {}) {
        return ask(images, std::move(text), config, on_token).text();
    }

    /// The same, with everything about the answer.
    Described ask(std::span<const image::Image> images, std::string text, const generate::GenerationConfig& config = {},
                  const OnToken& on_token = {}) {
        return talk_.ask(*writer_, decoder_, images, std::move(text), config, on_token);
    }

    /// All messages so far, the first ones included.
    [[nodiscard]] const std::vector<image_text::Message>& messages() const noexcept { return talk_.messages(); }

private:
    const ImageWriter* writer_;
    generate::ModelDecoder<Model> decoder_;
    ImageTalk talk_;
};

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_DESCRIBE_HPP
// ---- silica/task/detect.hpp
#ifndef SILICA_SINGLE_TASK_DETECT_HPP
#define SILICA_SINGLE_TASK_DETECT_HPP
/// Pictures to objects: processor, detector, boxes and masks.

// ---- silica/task/detections.hpp
#ifndef SILICA_SINGLE_TASK_DETECTIONS_HPP
#define SILICA_SINGLE_TASK_DETECTIONS_HPP
/// What a detector's outputs say about a picture: boxes, and masks at the picture's size. As transformers'
/// post_process_object_detection and post_process_*_segmentation decide.

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace silica::task {

/// Rows and columns of an upright picture.
struct PictureSize {
    std::int64_t height = 0, width = 0;
};

/// Corners in pixels of the upright picture, neither rounded nor cut to it.
struct Box {
    double xmin = 0, ymin = 0, xmax = 0, ymax = 0;
};

/// An object that was found.
struct Detection {
    std::string label;
    std::int64_t label_id = 0;
    double score = 0;  ///< the probability of the label, "no object" being one of the classes
    Box box;
};

/// The objects whose best class has a score above `threshold`, in the order of the queries. logits (queries, classes +
/// 1), the last being "no object", and boxes (queries, 4) as parts of the picture (centre x, centre y, width, height),
/// float32 on the CPU. InputError where there are not as many classes as names, for tensors of other shapes or types,
/// for a picture of no size and for a threshold that is no number.
[[nodiscard]] std::vector<Detection> detections(const Tensor& logits, const Tensor& boxes, PictureSize size,
                                                const ClassLabels& classes, double threshold);

/// Throws InputError for a threshold that is no number: nothing is above it.
void require_threshold(std::string_view name, double value);

/// How masks become segments.
enum class Segments {
    panoptic,  ///< each pixel belongs to one segment; classes of `fused` make one segment of all their masks
    instance,  ///< the same with nothing fused
    semantic,  ///< each pixel belongs to the class that all queries together give it
};

/// What a caller may choose when masks are made; the numbers are those of transformers' pipeline.
struct SegmentOptions {
    Segments kind = Segments::panoptic;
    double threshold = 0.9;       ///< a query counts above this score, if its best class is an object
    double mask_threshold = 0.5;  ///< a pixel counts for the area of a mask from score times probability of this on
    double overlap = 0.5;         ///< a segment stays if it got more than this part of its mask's area
    std::set<std::int64_t> fused = {};
};

/// A part of a picture.
struct Segment {
    std::int64_t id = 0;  ///< what its pixels have in the map
    std::int64_t label_id = 0;
    std::string label;
    double score = 0;  ///< rounded to six places; semantic segments have none: 1
    bool was_fused = false;
};

/// Which pixel belongs to which segment.
struct Segmentation {
    PictureSize size;
    /// For each pixel, row after row: the id of its segment from 1 on, 0 for none, and -1 everywhere where no query
    /// counted. Of semantic segments: the class, from 0 on.
    std::vector<std::int32_t> map;
    std::vector<Segment> segments;  ///< in the order of the queries; semantic: those that have pixels, by class
};

/// The segments of a picture: logits as for `detections`, masks (queries, h, w) of logits, float32 on the CPU.
/// InputError as there, and for a picture larger than any that is read.
[[nodiscard]] Segmentation segmentation(const Tensor& logits, const Tensor& masks, PictureSize size,
                                        const ClassLabels& classes, const SegmentOptions& options = {});

}  // namespace silica::task

// ---- silica/task/detections.ipp
#ifndef SILICA_SINGLE_TASK_DETECTIONS_IPP
#define SILICA_SINGLE_TASK_DETECTIONS_IPP
/// Definitions of detections.hpp.

#include <ATen/ops/sigmoid.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace silica::task {
namespace detections_detail {

/// Throws InputError unless logits are (queries, classes) and `beside` (queries, ...) of `rank`, both as tasks have
/// them.
SILICA_INLINE void require_queries(const Tensor& logits, std::string_view name, const Tensor& beside,
                                   std::int64_t rank) {
    require_tensor("logits", logits, 2, {c10::ScalarType::Float});
    require_tensor(name, beside, rank, {c10::ScalarType::Float});
    if (!logits.device().is_cpu() || !beside.device().is_cpu()) {
        throw InputError("logits and " + std::string(name) + " are not on the CPU.", "bring them there with .cpu().");
    }
    if (beside.size(0) == logits.size(0)) return;
    throw InputError(std::string(name) + " are of " + std::to_string(beside.size(0)) + " queries, logits of " +
                         std::to_string(logits.size(0)) + ".",
                     "give both of one picture.");
}

/// Probabilities of the classes of each query, "no object" included.
SILICA_INLINE std::vector<std::vector<float>> probabilities(const Tensor& logits, const ClassLabels& classes) {
    const Tensor rows = logits.contiguous();
    const auto columns = static_cast<std::size_t>(rows.size(1));
    if (columns != classes.names.size() + 1 || classes.names.empty()) {
        throw InputError("The model gives " + std::to_string(columns) + " logits, config.json names " +
                             std::to_string(classes.names.size()) + " classes; one more is for no object.",
                         "correct id2label in config.json.");
    }
    std::vector<std::vector<float>> all;
    for (std::int64_t q = 0; q < rows.size(0); ++q) {
        const auto* row = rows.const_data_ptr<float>() + static_cast<std::size_t>(q) * columns;
        all.push_back(softmax(std::span(row, columns)));
    }
    return all;
}

/// The first of the largest of the first n.
SILICA_INLINE std::size_t best_of(const std::vector<float>& scores, std::size_t n) {
    return static_cast<std::size_t>(std::max_element(scores.begin(), scores.begin() + static_cast<std::ptrdiff_t>(n)) -
                                    scores.begin());
}

/// A mask (h, w) at the size of the picture.
SILICA_INLINE Tensor resized(const Tensor& mask, PictureSize size) {
    return at::upsample_bilinear2d(mask.unsqueeze(0).unsqueeze(0), {size.height, size.width}, false).contiguous();
}

/// A query that counts, and what became of its mask.
struct Kept {
    std::int64_t query = 0;
    std::size_t label = 0;
    float score = 0;
    std::int64_t area = 0, pixels = 0;  // of its mask; that it got
};

/// Each pixel to the mask that is the largest there, score times probability: the index of that, mask by mask, so that
/// two maps are held at once, however many queries there are.
SILICA_INLINE std::vector<std::int32_t> largest_of(const Tensor& probabilities, std::vector<Kept>& kept,
                                                   PictureSize size, float mask_threshold) {
    const auto n = static_cast<std::size_t>(size.height * size.width);
    std::vector<std::int32_t> owner(n, 0);
    std::vector<float> largest(n, -std::numeric_limits<float>::infinity());
    for (std::size_t k = 0; k < kept.size(); ++k) {
        const Tensor mask = resized(probabilities[kept[k].query], size);
        const auto* p = mask.const_data_ptr<float>();
        for (std::size_t i = 0; i < n; ++i) {
            const float weighted = p[i] * kept[k].score;
            if (weighted >= mask_threshold) ++kept[k].area;
            if (weighted > largest[i]) {
                largest[i] = weighted;
                owner[i] = static_cast<std::int32_t>(k);
            }
        }
    }
    for (const auto k : owner) ++kept[static_cast<std::size_t>(k)].pixels;
    return owner;
}

/// transformers' compute_segments. A class of `fused` that comes again takes the id it had, from which later ids count
/// on, as there.
SILICA_INLINE Segmentation segments(const Tensor& logits, const Tensor& masks, PictureSize size,
                                    const ClassLabels& classes, const SegmentOptions& options) {
    const auto scores = probabilities(logits, classes);
    std::vector<Kept> kept;
    for (std::size_t q = 0; q < scores.size(); ++q) {
        const auto label = best_of(scores[q], scores[q].size());
        if (label == classes.names.size() || !(scores[q][label] > static_cast<float>(options.threshold))) continue;
        kept.push_back({static_cast<std::int64_t>(q), label, scores[q][label]});
    }
    Segmentation out{.size = size, .map = {}, .segments = {}};
    if (kept.empty()) {
        out.map.assign(static_cast<std::size_t>(size.height * size.width), -1);
        return out;
    }
    out.map = largest_of(at::sigmoid(masks), kept, size, static_cast<float>(options.mask_threshold));
    std::vector<std::int32_t> id_of(kept.size(), 0);
    std::map<std::size_t, std::int32_t> fused;
    std::int32_t id = 0;
    for (std::size_t k = 0; k < kept.size(); ++k) {
        const auto& one = kept[k];
        const auto part = static_cast<float>(one.pixels) / static_cast<float>(one.area);
        if (one.pixels == 0 || one.area == 0 || !(static_cast<double>(part) > options.overlap)) continue;
        const auto before = fused.find(one.label);
        id = before != fused.end() ? before->second : id + 1;
        id_of[k] = id;
        const auto label = static_cast<std::int64_t>(one.label);
        const bool fuses = options.kind == Segments::panoptic && options.fused.contains(label);
        if (fuses) fused.emplace(one.label, id);
        out.segments.push_back({.id = id,
                                .label_id = label,
                                .label = classes.names[one.label],
                                .score = std::nearbyint(static_cast<double>(one.score) * 1e6) / 1e6,
                                .was_fused = fuses});
    }
    for (auto& pixel : out.map) pixel = id_of[static_cast<std::size_t>(pixel)];
    return out;
}

/// The class of each pixel: the largest of sum over queries of p(class) sigmoid(mask), at the size of the picture.
SILICA_INLINE Segmentation classes_of_pixels(const Tensor& logits, const Tensor& masks, PictureSize size,
                                             const ClassLabels& classes) {
    const auto scores = probabilities(logits, classes);
    const Tensor probability = at::sigmoid(masks).flatten(1);  // (queries, h w)
    const auto queries = static_cast<std::int64_t>(scores.size());
    const auto n = static_cast<std::size_t>(size.height * size.width);
    Segmentation out{.size = size, .map = std::vector<std::int32_t>(n, 0), .segments = {}};
    std::vector<float> largest(n, -std::numeric_limits<float>::infinity());
    const Tensor weights = at::empty({1, queries}, probability.options());
    for (std::size_t c = 0; c < classes.names.size(); ++c) {
        auto* weight = weights.mutable_data_ptr<float>();
        for (std::size_t q = 0; q < scores.size(); ++q) weight[q] = scores[q][c];
        const Tensor map = resized(weights.matmul(probability).view({masks.size(1), masks.size(2)}), size);
        const auto* p = map.const_data_ptr<float>();
        for (std::size_t i = 0; i < n; ++i) {
            if (!(p[i] > largest[i])) continue;
            largest[i] = p[i];
            out.map[i] = static_cast<std::int32_t>(c);
        }
    }
    std::vector<bool> there(classes.names.size(), false);
    for (const auto c : out.map) there[static_cast<std::size_t>(c)] = true;
    for (std::size_t c = 0; c < there.size(); ++c) {
        const auto id = static_cast<std::int64_t>(c);
        if (there[c]) out.segments.push_back({.id = id, .label_id = id, .label = classes.names[c], .score = 1});
    }
    return out;
}

}  // namespace detections_detail

SILICA_INLINE void require_threshold(std::string_view name, double value) {
    if (!std::isnan(value)) return;
    throw InputError(std::string(name) + " is not a number.", "give one from 0 to 1.");
}

SILICA_INLINE std::vector<Detection> detections(const Tensor& logits, const Tensor& boxes, PictureSize size,
                                                const ClassLabels& classes, double threshold) {
    detections_detail::require_queries(logits, "boxes", boxes, 2);
    if (boxes.size(1) != 4) {
        throw InputError("boxes have shape " + shape_text(boxes.sizes()) + ".",
                         "give centre x, centre y, width and height of each query.");
    }
    image::check_size(size.height, size.width, "The picture");
    require_threshold("threshold", threshold);
    const auto scores = detections_detail::probabilities(logits, classes);
    const Tensor rows = boxes.contiguous();
    const auto w = static_cast<double>(size.width), h = static_cast<double>(size.height);
    std::vector<Detection> found;
    for (std::size_t q = 0; q < scores.size(); ++q) {
        const auto label = detections_detail::best_of(scores[q], classes.names.size());
        if (!(scores[q][label] > static_cast<float>(threshold))) continue;
        const auto* box = rows.const_data_ptr<float>() + 4 * q;
        const double x = box[0], y = box[1], half_width = 0.5 * box[2], half_height = 0.5 * box[3];
        found.push_back(
            {.label = classes.names[label],
             .label_id = static_cast<std::int64_t>(label),
             .score = static_cast<double>(scores[q][label]),
             .box = {(x - half_width) * w, (y - half_height) * h, (x + half_width) * w, (y + half_height) * h}});
    }
    return found;
}

SILICA_INLINE Segmentation segmentation(const Tensor& logits, const Tensor& masks, PictureSize size,
                                        const ClassLabels& classes, const SegmentOptions& options) {
    detections_detail::require_queries(logits, "masks", masks, 3);
    image::check_size(size.height, size.width, "The picture");
    require_threshold("threshold", options.threshold);
    require_threshold("mask_threshold", options.mask_threshold);
    require_threshold("overlap", options.overlap);
    return options.kind == Segments::semantic ? detections_detail::classes_of_pixels(logits, masks, size, classes)
                                              : detections_detail::segments(logits, masks, size, classes, options);
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_DETECTIONS_IPP
#endif  // SILICA_SINGLE_TASK_DETECTIONS_HPP

#include <array>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

namespace silica::task {

/// What a caller may choose when detecting.
struct DetectOptions {
    double threshold = 0.5;       ///< objects count above this score
    std::int64_t batch_size = 1;  ///< so many neighbouring pictures of one size run together
    Progress progress = {};       ///< told after each file
};

/// A picture that was processed, and how large it was before.
struct SizedPixels {
    image::Pixels pixels;
    PictureSize size;
};

/// Whether they can run together: nothing is padded for it.
[[nodiscard]] inline bool alike_in_size(const SizedPixels& a, const SizedPixels& b) {
    return alike(a.pixels, b.pixels);
}

/// A detector's outputs for a batch, float32 on the CPU.
struct DetectorOutputs {
    Tensor logits, boxes;  ///< (batch, queries, classes + 1), (batch, queries, 4)
    Tensor masks;          ///< (batch, queries, h, w); undefined where the model gives none
};

/// Finds objects in pictures, with a model that gives `logits` and `pred_boxes`, and `pred_masks` where it has masks:
///
///     using Detr = Model<arch::DetrForObjectDetection, device::Cpu>;
///     const auto detect = task::Detector<Detr>::open("facebook/detr-resnet-50");
///     for (const auto& [label, id, score, box] : detect(image::read("cats.jpg"))) ...
///
/// A picture is never padded to the size of another.
template <class M>
class Detector {
public:
    using Detections = std::vector<Detection>;

    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its processor and labels.
    [[nodiscard]] static Detector open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {image::Processor::open(place), ClassLabels::read(place), M::open(place, options)};
    }

    Detector(image::Processor processor, ClassLabels classes, M model)
        : processor_(std::move(processor)), classes_(std::move(classes)), forward_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    Detector(const Detector&) = default;
    Detector& operator=(const Detector&) = default;

    /// The objects of a picture, in the order of the model's queries. InputError for a picture that the model cannot
    /// look at.
    [[nodiscard]] Detections operator()(const image::Image& picture, const DetectOptions& options = {}) const {
        return (*this)(std::span(&picture, 1), options).front();
    }

    /// Those of each picture, in the order given.
    [[nodiscard]] std::vector<Detections> operator()(std::span<const image::Image> pictures,
                                                     const DetectOptions& options = {}) const {
        require_threshold("threshold", options.threshold);
        return over_images(sized(), alike_in_size, pictures, options.batch_size,
                           [&](std::span<const SizedPixels> batch) { return of_pixels(batch, options.threshold); });
    }

    /// Those of each file, in the order given, or the error that says why there are none. Files are read ahead on
    /// threads while the model runs.
    [[nodiscard]] std::vector<FileResult<Detections>> operator()(std::span<const std::filesystem::path> files,
                                                                 const DetectOptions& options = {}) const {
        require_threshold("threshold", options.threshold);
        return over_files(
            sized(), alike_in_size, files, options.batch_size,
            [&](std::span<const SizedPixels> batch) { return of_pixels(batch, options.threshold); }, options.progress);
    }
    [[nodiscard]] std::vector<FileResult<Detections>> operator()(std::initializer_list<std::filesystem::path> files,
                                                                 const DetectOptions& options = {}) const {
        return (*this)(std::span(files.begin(), files.size()), options);
    }

    /// The masks of a picture, at its size. InputError for a picture that the model cannot look at.
    [[nodiscard]] Segmentation segment(const image::Image& picture, const SegmentOptions& options = {}) const
        requires requires(const typename M::Outputs& out) { out.pred_masks; }
    {
        const auto pixels = pixels_of(picture);
        const auto out = outputs_of(std::span(&pixels, 1));
        return segmentation(out.logits[0], out.masks[0], pixels.size, classes_, options);
    }

    /// The objects of pictures that are processed already, and of one size: they run together.
    [[nodiscard]] std::vector<Detections> of_pixels(std::span<const SizedPixels> batch, double threshold) const {
        const auto out = outputs_of(batch);
        std::vector<Detections> all;
        for (std::size_t i = 0; i < batch.size(); ++i) {
            const auto row = static_cast<std::int64_t>(i);
            all.push_back(detections(out.logits[row], out.boxes[row], batch[i].size, classes_, threshold));
        }
        return all;
    }

    /// What the model gives for pictures of one size.
    [[nodiscard]] DetectorOutputs outputs_of(std::span<const SizedPixels> batch) const {
        std::vector<image::Pixels> parts;
        for (const auto& one : batch) parts.push_back(one.pixels);
        auto tensors = tensors_of(joined(parts));
        typename M::Inputs in;
        in.pixel_values = std::move(tensors.pixel_values);
        in.pixel_mask = std::move(tensors.pixel_mask);
        auto [logits, boxes, masks] = forward_(in, [](const auto& out) -> std::array<Tensor, 3> {
            if constexpr (requires { out.pred_masks; })
                return {out.logits, out.pred_boxes, out.pred_masks};
            else
                return {out.logits, out.pred_boxes, Tensor()};
        });
        return {std::move(logits), std::move(boxes), std::move(masks)};
    }

    /// A picture as the model takes it.
    [[nodiscard]] SizedPixels pixels_of(const image::Image& picture) const {
        return {processed(processor_, picture), {picture.height(), picture.width()}};
    }

    [[nodiscard]] const image::Processor& processor() const noexcept { return processor_; }
    /// What the checkpoint says about its classes.
    [[nodiscard]] const ClassLabels& classes() const noexcept { return classes_; }
    [[nodiscard]] const M& model() const noexcept { return forward_.model(); }

private:
    auto sized() const {
        return [this](const image::Image& picture) { return pixels_of(picture); };
    }

    image::Processor processor_;
    ClassLabels classes_;
    Forward<M> forward_;
};

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_DETECT_HPP
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

    /// `apply(x)`. InputError where there is no such function, and where x or what it gives is not (texts, d) float32.
    [[nodiscard]] Tensor operator()(const Tensor& x) const;
};

/// x (rows, d) / |x|, of floating numbers. InputError for another tensor.
[[nodiscard]] Tensor normalized(const Tensor& x);

/// Reads the module of class `type` in `folder`: config.json and, for a Dense or a LayerNorm, model.safetensors or
/// pytorch_model.bin. What sentence-transformers ignores in config.json is added to `notes`.
/// ConfigError for a class or a key that is not computed here, CheckpointError for wrong weights.
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
                require_tensor("x", x, 2, {c10::ScalarType::Float});
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
                require_tensor("x", x, 2, {c10::ScalarType::Float});
                if (x.size(1) != d) {
                    throw ConfigError(where + ": dimension is " + std::to_string(d) + ", but the vectors have " +
                                          std::to_string(x.size(1)) + " numbers.",
                                      "correct the key, or download the checkpoint again.");
                }
                return at::layer_norm(x, {d}, weight, bias, 1e-5);
            }};
}

}  // namespace detail

SILICA_INLINE Tensor SentenceModule::operator()(const Tensor& x) const {
    if (!apply) throw InputError("The module " + quote(type) + " computes nothing.", "set apply, or leave it out.");
    require_tensor("x", x, 2, {c10::ScalarType::Float});
    Tensor made = apply(x);
    require_tensor(type, made, 2, {c10::ScalarType::Float});
    if (made.size(0) == x.size(0)) return made;
    throw InputError("The module " + quote(type) + " gives " + std::to_string(made.size(0)) + " vectors for " +
                         std::to_string(x.size(0)) + " texts.",
                     "give one for each.");
}

SILICA_INLINE Tensor normalized(const Tensor& x) {
    require_tensor("x", x, 2, floating_types);
    return x / at::linalg_vector_norm(x, 2, {1}, true).clamp_min(1e-12);
}

SILICA_INLINE SentenceModule read_sentence_module(const std::string& type, const std::filesystem::path& folder,
                                                  std::vector<std::string>& notes) {
    if (type != "Dense" && type != "LayerNorm" && type != "Normalize")
        throw ConfigError("The module " + quote(type) + " of " + folder.string() + " is not known.",
                          "known are Dense, LayerNorm and Normalize.");
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
#include <functional>
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
    /// ConfigError where there is no such directory, for a module, a key or a value that is not supported;
    /// CheckpointError for wrong weights of a module.
    [[nodiscard]] static SentenceConfig read(const std::filesystem::path& directory);

    /// What stands before a text: `text` itself, else the prompt of that name, else the default prompt.
    /// InputError for a name that the checkpoint does not have, or both.
    [[nodiscard]] std::string prompt(const std::optional<std::string>& text,
                                     const std::optional<std::string>& name) const;
};

/// Throws ConfigError for sizes below 1, for no way of pooling, a module that computes nothing, and a default prompt
/// that there is not.
void check(const SentenceConfig& config);

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
#include <system_error>
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
    if (std::error_code ignored; !std::filesystem::is_directory(directory, ignored))
        throw ConfigError(quote(directory.string()) + " is no directory.", "name the directory of a checkpoint.");
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

SILICA_INLINE void check(const SentenceConfig& c) {
    const std::string where = "the configuration of sentences";
    if (c.pooling.empty()) throw ConfigError(where + ": pooling is empty.", "name a way of pooling.");
    if (c.max_tokens) require_at_least(where, "max_tokens", *c.max_tokens);
    if (c.truncate_dim) require_at_least(where, "truncate_dim", *c.truncate_dim);
    for (const auto& module : c.modules) {
        if (!module.apply)
            throw ConfigError(where + ": the module " + quote(module.type) + " computes nothing.",
                              "set apply, or leave it out.");
    }
    if (c.default_prompt && !c.prompts.contains(*c.default_prompt))
        throw ConfigError(where + ": there is no prompt " + quote(*c.default_prompt) + ", the default one.",
                          "name one of the prompts.");
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
#include <functional>
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
        check(config_);
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
    /// What is moved from stays as it was: copies share all that is large.
    Embedder(const Embedder&) = default;
    Embedder& operator=(const Embedder&) = default;

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
            if (options.normalize.value_or(true) || module.type != "Normalize") vectors = module(vectors);
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
// ---- silica/task/embed_images.hpp
#ifndef SILICA_SINGLE_TASK_EMBED_IMAGES_HPP
#define SILICA_SINGLE_TASK_EMBED_IMAGES_HPP
/// Pictures to vectors that can be compared.

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

namespace silica::task {

/// What a caller may choose when embedding pictures.
struct EmbedImagesOptions {
    std::int64_t batch_size = 8;  ///< so many pictures of one size run together
    bool normalize = true;        ///< to length 1
    Progress progress = {};       ///< told after each file
};

/// The vector that a vision model gives of a whole picture: `image_embeds`, which lies in the space of the texts
/// (CLIP); else `pooler_output`, where the checkpoint has a pooler; else what became of the class token, the first of
/// `last_hidden_state`. (images, d)
template <class Outputs>
[[nodiscard]] Tensor image_vector(const Outputs& out) {
    if constexpr (requires { out.image_embeds; }) {
        return out.image_embeds;
    } else {
        static_assert(
            requires { out.last_hidden_state; },
            "this architecture gives no vector of a picture. Remedy: name one such as "
            "arch::ClipVisionModelWithProjection or arch::ViT.");
        if constexpr (requires { out.pooler_output.has_value(); }) {
            if (out.pooler_output) return *out.pooler_output;
        } else if constexpr (requires { out.pooler_output; }) {
            return out.pooler_output;
        }
        return out.last_hidden_state.select(1, 0);
    }
}

/// Turns pictures into vectors, with a vision model (see image_vector):
///
///     using Clip = Model<arch::ClipVisionModelWithProjection, device::Cpu>;
///     const auto embed = task::ImageEmbedder<Clip>::open("openai/clip-vit-base-patch32");
///     Tensor vector = embed(image::read("cat.jpg"));                       // (512), float32, on the CPU
template <class M>
class ImageEmbedder {
public:
    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its processor.
    [[nodiscard]] static ImageEmbedder open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {image::Processor::open(place), M::open(place, options)};
    }

    ImageEmbedder(image::Processor processor, M model) : processor_(std::move(processor)), forward_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    ImageEmbedder(const ImageEmbedder&) = default;
    ImageEmbedder& operator=(const ImageEmbedder&) = default;

    /// (d) float32 on the CPU. InputError for a picture that the model cannot look at.
    [[nodiscard]] Tensor operator()(const image::Image& picture, const EmbedImagesOptions& options = {}) const {
        return (*this)(std::span(&picture, 1), options).front();
    }
    /// One for each picture, in the order given.
    [[nodiscard]] std::vector<Tensor> operator()(std::span<const image::Image> pictures,
                                                 const EmbedImagesOptions& options = {}) const {
        return over_images(pixels_by(processor_), alike, pictures, options.batch_size,
                           [&](std::span<const image::Pixels> batch) { return of_pixels(batch, options.normalize); });
    }
    /// One for each file, in the order given, or the error that says why there is none. Files are read ahead on
    /// threads while the model runs.
    [[nodiscard]] std::vector<FileResult<Tensor>> operator()(std::span<const std::filesystem::path> files,
                                                             const EmbedImagesOptions& options = {}) const {
        return over_files(
            pixels_by(processor_), alike, files, options.batch_size,
            [&](std::span<const image::Pixels> batch) { return of_pixels(batch, options.normalize); },
            options.progress);
    }

    /// Those of pictures that are processed already, and of one size: they run together.
    [[nodiscard]] std::vector<Tensor> of_pixels(std::span<const image::Pixels> batch, bool normalize = true) const {
        typename M::Inputs in;
        in.pixel_values = tensors_of(joined(batch)).pixel_values;
        Tensor vectors = forward_(in, [](const auto& out) { return image_vector(out); });
        if (normalize) vectors = normalized(vectors);
        std::vector<Tensor> rows;
        for (std::int64_t i = 0; i < vectors.size(0); ++i) rows.push_back(vectors.select(0, i));
        return rows;
    }

    [[nodiscard]] const image::Processor& processor() const noexcept { return processor_; }
    [[nodiscard]] const M& model() const noexcept { return forward_.model(); }

private:
    image::Processor processor_;
    Forward<M> forward_;
};

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_EMBED_IMAGES_HPP
// ---- silica/task/embed_sounds.hpp
#ifndef SILICA_SINGLE_TASK_EMBED_SOUNDS_HPP
#define SILICA_SINGLE_TASK_EMBED_SOUNDS_HPP
/// Sounds to vectors that can be compared, with each other and with those of texts: CLAP.

// ---- silica/task/features.hpp
#ifndef SILICA_SINGLE_TASK_FEATURES_HPP
#define SILICA_SINGLE_TASK_FEATURES_HPP
/// What a feature extractor made, as the tensors that a model takes.

#include <optional>
#include <string>

namespace silica::task {

/// Features as inputs of a model of sounds, on the CPU.
struct FeatureTensors {
    std::string name;  ///< transformers' name of `features`: input_features or input_values
    Tensor features;   ///< (batch, mels, frames), (batch, samples) or (batch, planes, frames, mels), float32
    std::optional<Tensor> attention_mask = {};  ///< (batch, frames) or (batch, samples), int64
    std::optional<Tensor> is_longer = {};       ///< (batch, 1), bool
};

/// The tensors of `features`, whose memory they take over. InputError where its values are not as many as its shape
/// says.
[[nodiscard]] FeatureTensors tensors_of(audio::Features features);

}  // namespace silica::task

// ---- silica/task/features.ipp
#ifndef SILICA_SINGLE_TASK_FEATURES_IPP
#define SILICA_SINGLE_TASK_FEATURES_IPP
/// Definitions of features.hpp.

#include <cstdint>
#include <utility>

namespace silica::task {

SILICA_INLINE FeatureTensors tensors_of(audio::Features features) {
    detail::require_rank(features.name.c_str(), features.shape, 2);
    detail::require_count(features.name.c_str(), features.values.size(), features.shape);
    const auto batch = features.shape.front();
    FeatureTensors made{.name = std::move(features.name),
                        .features = detail::tensor_over(std::move(features.values), features.shape)};
    if (features.mask) {
        const auto last = features.shape.back();
        detail::require_count("attention_mask", features.mask->size(), {batch, last});
        made.attention_mask = detail::tensor_over(std::move(*features.mask), {batch, last});
    }
    if (features.is_longer) {
        detail::require_count("is_longer", features.is_longer->size(), {batch, 1});
        made.is_longer = detail::tensor_over(std::move(*features.is_longer), {batch, 1}, c10::ScalarType::Bool);
    }
    return made;
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_FEATURES_IPP
#endif  // SILICA_SINGLE_TASK_FEATURES_HPP
// ---- silica/task/halves.hpp
#ifndef SILICA_SINGLE_TASK_HALVES_HPP
#define SILICA_SINGLE_TASK_HALVES_HPP
/// Models of two halves that run apart: what is made of texts serves any number of pictures, videos or sounds.

#include <cstdint>
#include <utility>

namespace silica::task {

/// A part of a Model, called as if it were one. `Part` states
/// - `Inputs`: a struct that Hana reflects; `prepare(config, inputs)` returns what `run` takes, or throws InputError;
/// - `run(network, inputs)`: a tensor.
template <class M, class Part>
class PartOf {
public:
    using Exec = typename M::Exec;
    using Device = typename M::Device;
    using Inputs = typename Part::Inputs;
    using Outputs = Tensor;

    /// The part of the network.
    struct Network {
        using Ops = typename M::Network::Ops;
        const typename M::Network& whole;
        Tensor operator()(const Inputs& in) const { return Part::run(whole, in); }
    };

    explicit PartOf(M model) : model_(std::move(model)) {}

    [[nodiscard]] Tensor operator()(const Inputs& inputs) const {
        std::uint64_t bytes = 0;
        return on_device([&] { return network()(moved_to(checked(inputs), device(), bytes)); });
    }
    [[nodiscard]] Inputs checked(Inputs inputs) const { return Part::prepare(model_.config(), std::move(inputs)); }
    template <class F>
    decltype(auto) on_device(F&& f) const {
        return model_.on_device(std::forward<F>(f));
    }
    [[nodiscard]] c10::Device device() const noexcept { return model_.device(); }
    [[nodiscard]] Network network() const noexcept { return {model_.network()}; }
    /// The model that this is a part of.
    [[nodiscard]] const M& whole() const noexcept { return model_; }

private:
    M model_;
};

/// A Model of texts and of what they are compared with. `Texts` and `Others` are parts of it (see PartOf), `Texts` of
/// the ids and the mask of texts.
template <class M, class Texts, class Others>
class Halves {
public:
    explicit Halves(M model) : texts_(PartOf<M, Texts>(model)), others_(PartOf<M, Others>(std::move(model))) {}

    /// Vectors of texts, (texts, projection), on the host.
    [[nodiscard]] Tensor text_embeds(const Tensor& ids, const Tensor& mask) const {
        return texts_({.input_ids = ids, .attention_mask = mask}, as_it_is);
    }
    /// What a text may have.
    [[nodiscard]] std::int64_t most_tokens() const { return Texts::most_tokens(model().config().text_config); }
    [[nodiscard]] const M& model() const noexcept { return texts_.model().whole(); }

protected:
    /// Logits (others, texts), float32 on the host.
    [[nodiscard]] Tensor logits_of(const typename Others::Inputs& in) const { return others_(in, as_it_is); }

private:
    static Tensor as_it_is(const Tensor& t) { return t; }

    Forward<PartOf<M, Texts>> texts_;
    Forward<PartOf<M, Others>> others_;
};

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_HALVES_HPP

#include <ATen/ops/cat.h>

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::task {

/// What a caller may choose when embedding sounds.
struct EmbedSoundsOptions {
    std::int64_t batch_size = 8;  ///< so many sounds run together
    bool normalize = true;        ///< to length 1
    std::uint32_t seed = 0;       ///< what the extractor draws it draws from numpy.random.seed(seed), sound by sound
    Progress progress = {};       ///< told after each file
};

/// The vector that an audio model gives of a whole sound, (sounds, d): `audio_embeds`, which lies in the space of the
/// texts, else `pooler_output`.
template <class Outputs>
[[nodiscard]] Tensor sound_vector(const Outputs& out) {
    if constexpr (requires { out.audio_embeds; }) {
        return out.audio_embeds;
    } else {
        static_assert(
            requires { out.pooler_output; },
            "this architecture gives no vector of a sound. Remedy: name one such as "
            "arch::ClapAudioModelWithProjection.");
        return out.pooler_output;
    }
}

/// The half of CLAP that makes vectors of sounds.
struct ClapSoundVectors {
    using Inputs = arch::ClapAudioInputs;
    static Inputs prepare(const auto& config, Inputs in) {
        return arch::prepare_clap_audio(config.audio_config, std::move(in));
    }
    static Tensor run(const auto& network, const Inputs& in) { return network.audio_embeds(in); }
};

/// Whether a model has texts too, and its half of sounds can run apart.
template <class M>
concept HasSoundHalf =
    requires { typename M::Network; } && requires(const typename M::Network& network, const arch::ClapAudioInputs& in) {
        { network.audio_embeds(in) } -> std::same_as<Tensor>;
    };

/// Turns sounds into vectors, with an audio model (see sound_vector) or the half of `Model<arch::Clap, ...>`:
///
///     using Clap = Model<arch::ClapAudioModelWithProjection, device::Cpu>;
///     const auto embed = task::AudioEmbedder<Clap>::open("laion/clap-htsat-unfused");
///     Tensor vector = embed(embed.read("bark.flac"));                      // (512), float32, on the CPU
///
/// Each sound is extracted alone, as transformers' pipeline does it, so that its vector is the same in any batch.
template <class M>
class AudioEmbedder {
public:
    using Tower = std::conditional_t<HasSoundHalf<M>, PartOf<M, ClapSoundVectors>, M>;

    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its extractor.
    [[nodiscard]] static AudioEmbedder open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {audio::Extractor::open(place), M::open(place, options)};
    }

    AudioEmbedder(audio::Extractor extractor, M model)
        : extractor_(std::move(extractor)), forward_(Tower(std::move(model))) {}
    /// What is moved from stays as it was: copies share all that is large.
    AudioEmbedder(const AudioEmbedder&) = default;
    AudioEmbedder& operator=(const AudioEmbedder&) = default;

    /// (d) float32 on the CPU. InputError for a sound of another rate than the extractor's.
    [[nodiscard]] Tensor operator()(const audio::Samples& sound, const EmbedSoundsOptions& options = {}) const {
        return (*this)(std::span(&sound, 1), options).front();
    }
    /// One for each sound, in the order given.
    [[nodiscard]] std::vector<Tensor> operator()(std::span<const audio::Samples> sounds,
                                                 const EmbedSoundsOptions& options = {}) const {
        audio::NumpyRandom random(options.seed);
        return over_items(
            [](const audio::Samples& sound) { return sound; }, any, sounds, options.batch_size,
            [&](std::span<const audio::Samples> batch) { return of_sounds(batch, random, options.normalize); });
    }
    /// One for each file, in the order given, or the error that says why there is none. Files are read ahead on
    /// threads while the model runs.
    [[nodiscard]] std::vector<FileResult<Tensor>> operator()(std::span<const std::filesystem::path> files,
                                                             const EmbedSoundsOptions& options = {}) const {
        audio::NumpyRandom random(options.seed);
        return over_paths(
            [this](const std::filesystem::path& file) { return read(file); }, any, files, options.batch_size,
            [&](std::span<const audio::Samples> batch) { return of_sounds(batch, random, options.normalize); },
            options.progress);
    }

    /// Those of sounds that run together, one or more. What is drawn for them is drawn from `random`, which stays as it
    /// was where a sound is refused.
    [[nodiscard]] std::vector<Tensor> of_sounds(std::span<const audio::Samples> batch, audio::NumpyRandom& random,
                                                bool normalize = true) const {
        if (batch.empty()) throw InputError("There is no sound to embed.", "give one or more.");
        auto drawn = random;
        std::vector<Tensor> features, longer;
        for (const auto& sound : batch) {
            auto made = tensors_of(extractor_(std::span(&sound, 1), drawn));
            features.push_back(std::move(made.features));
            if (made.is_longer) longer.push_back(std::move(*made.is_longer));
        }
        typename Tower::Inputs in;
        in.input_features = at::cat(features);
        if (!longer.empty()) in.is_longer = at::cat(longer);
        Tensor vectors = forward_(in, [](const auto& out) {
            if constexpr (HasSoundHalf<M>)
                return out;
            else
                return sound_vector(out);
        });
        random = drawn;
        if (normalize) vectors = normalized(vectors);
        std::vector<Tensor> rows;
        for (std::int64_t i = 0; i < vectors.size(0); ++i) rows.push_back(vectors.select(0, i));
        return rows;
    }
    /// The sound of a file at the rate of the extractor, as far as it looks at it. InputError where it is no sound.
    [[nodiscard]] audio::Samples read(const std::filesystem::path& file) const {
        return audio::read(file, extractor_.rate(), extractor_.most_samples());
    }

    [[nodiscard]] const audio::Extractor& extractor() const noexcept { return extractor_; }
    [[nodiscard]] const M& model() const noexcept {
        if constexpr (HasSoundHalf<M>)
            return forward_.model().whole();
        else
            return forward_.model();
    }

private:
    static bool any(const audio::Samples&, const audio::Samples&) { return true; }

    audio::Extractor extractor_;
    Forward<Tower> forward_;
};

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_EMBED_SOUNDS_HPP
// ---- silica/task/match.hpp
#ifndef SILICA_SINGLE_TASK_MATCH_HPP
#define SILICA_SINGLE_TASK_MATCH_HPP
/// Pictures to the texts that say what they show, with a model that puts both into one space: CLIP, zero-shot.

// ---- silica/task/match_texts.hpp
#ifndef SILICA_SINGLE_TASK_MATCH_TEXTS_HPP
#define SILICA_SINGLE_TASK_MATCH_TEXTS_HPP
/// Texts that pictures and videos are compared with: from labels to tokens, and from logits to labels.

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::task {

/// The sentence that transformers' zero-shot-image-classification pipeline makes of a label.
inline constexpr std::string_view photo_template = "This is a photo of {}.";

/// Labels, and the tokens of what is said of each.
struct MatchTexts {
    std::vector<std::string> labels;
    Tensor input_ids;       ///< (texts, tokens) int64, padded to the longest
    Tensor attention_mask;  ///< the same shape, 1 = no padding
    Tensor embeds = {};     ///< (texts, projection): what the model makes of them, on the host
};

/// The tokens of each label, put where `{}` stands in `sentence`, or {0}, once or several times; {{ and }} are braces,
/// as in Python's str.format. Nothing is cut. InputError where there are no labels, `sentence` has no place for them,
/// or other braces, a text is not UTF-8, or has more than `most` tokens.
[[nodiscard]] MatchTexts match_texts(text::Tokenizer tokenizer, std::span<const std::string> labels,
                                     std::string_view sentence, std::int64_t most);

/// Throws InputError unless texts have ids and a mask of one shape, int64, a row for each label.
void require_texts(const MatchTexts& texts);

/// The same with `embeds`: model.text_embeds(ids, mask) -> (texts, projection), on the host, of up to 64 texts at once.
/// InputError for texts without ids, or with a mask of another shape.
template <class Model>
[[nodiscard]] MatchTexts embedded(MatchTexts texts, const Model& model) {
    constexpr std::int64_t at_once = 64;
    require_texts(texts);
    std::vector<Tensor> parts;
    for (std::int64_t begin = 0, n = texts.input_ids.size(0); begin < n; begin += at_once) {
        const auto rows = std::min(at_once, n - begin);
        parts.push_back(
            model.text_embeds(texts.input_ids.narrow(0, begin, rows), texts.attention_mask.narrow(0, begin, rows)));
    }
    texts.embeds = at::cat(parts);
    return texts;
}

/// Throws InputError unless `embeds` are vectors of texts, (texts, projection), as `embedded` makes them.
void require_embeds(const Tensor& embeds, std::int64_t projection);

/// Labels by falling score, those of equal score in their order; scores are the softmax of `logits`, one for each.
/// InputError where there are not as many of both.
[[nodiscard]] std::vector<ScoredLabel> ranked(const std::vector<std::string>& labels, std::span<const float> logits);

}  // namespace silica::task

// ---- silica/task/match_texts.ipp
#ifndef SILICA_SINGLE_TASK_MATCH_TEXTS_IPP
#define SILICA_SINGLE_TASK_MATCH_TEXTS_IPP
/// Definitions of match_texts.hpp.

#include <algorithm>
#include <optional>

namespace silica::task {
namespace match_texts_detail {

/// A template without its labels: what stands before, between and after them. As Python's str.format has it, {} once
/// or {0} as often as wanted is the label, {{ and }} are braces.
SILICA_INLINE std::vector<std::string> around_labels(const std::string_view sentence) {
    std::vector<std::string> pieces(1);
    bool numbered = false;
    const auto refuse = [&](const std::string& what, const std::string& remedy) {
        throw InputError("The template " + quote(sentence) + " " + what + ".", remedy);
    };
    for (auto rest = sentence; !rest.empty();) {
        std::size_t taken = 1;
        const bool any = rest.starts_with("{}"), first = rest.starts_with("{0}");
        if (any || first) {
            if (pieces.size() > 1 && !(first && numbered))
                refuse("has more than one {}", "write {0} wherever the label belongs.");
            numbered = first;
            taken = first ? 3 : 2;
            pieces.emplace_back();
        } else {
            const char c = rest.front();
            const bool brace = c == '{' || c == '}';
            if (brace && (rest.size() < 2 || rest[1] != c))
                refuse("has a brace that is no place for a label", "write {} for the label, {{ and }} for braces.");
            taken = brace ? 2 : 1;
            pieces.back() += c;
        }
        rest.remove_prefix(taken);
    }
    return pieces;
}

}  // namespace match_texts_detail

SILICA_INLINE MatchTexts match_texts(text::Tokenizer tokenizer, std::span<const std::string> labels,
                                     std::string_view sentence, std::int64_t most) {
    if (labels.empty()) throw InputError("There are no labels to match.", "give at least one.");
    const auto pieces = match_texts_detail::around_labels(sentence);
    if (pieces.size() == 1) {
        throw InputError("The template " + quote(sentence) + " has no place for a label.",
                         "write {} there: 'This is a photo of {}.'");
    }
    std::int64_t pad = 0;
    if (tokenizer.padding())
        pad = tokenizer.padding()->id;
    else if (const auto token = tokenizer.special_token("pad_token"))
        pad = tokenizer.token_to_id(*token).value_or(0);
    const bool left = tokenizer.padding_side() == text::Side::left;
    tokenizer.set_padding(std::nullopt);
    tokenizer.set_truncation(std::nullopt);

    MatchTexts texts{{labels.begin(), labels.end()}, {}, {}};
    std::vector<std::vector<std::int64_t>> rows;
    std::size_t longest = 1;
    for (const auto& label : labels) {
        std::string text = pieces.front();
        for (std::size_t i = 1; i < pieces.size(); ++i) text += label + pieces[i];
        rows.push_back(tokenizer.encode(text).ids);
        const auto n = rows.back().size();
        if (n > static_cast<std::size_t>(most)) {
            throw InputError("The text " + quote(text) + " has " + std::to_string(n) +
                                 " tokens, the model has positions for " + std::to_string(most) + ".",
                             "give a shorter label or template: no text is cut.");
        }
        longest = std::max(longest, n);
    }
    const auto tokens = static_cast<std::int64_t>(longest);
    texts.input_ids = at::full({static_cast<std::int64_t>(rows.size()), tokens}, pad,
                               at::TensorOptions().dtype(c10::ScalarType::Long));
    texts.attention_mask = at::zeros(texts.input_ids.sizes(), texts.input_ids.options());
    auto* ids = texts.input_ids.mutable_data_ptr<std::int64_t>();
    auto* mask = texts.attention_mask.mutable_data_ptr<std::int64_t>();
    for (const auto& row : rows) {
        const auto before = static_cast<std::ptrdiff_t>(left ? longest - row.size() : 0);
        std::ranges::copy(row, ids + before);
        std::fill_n(mask + before, row.size(), 1);
        ids += tokens, mask += tokens;
    }
    return texts;
}

SILICA_INLINE void require_texts(const MatchTexts& texts) {
    require_tensor("input_ids", texts.input_ids, 2, {c10::ScalarType::Long});
    require_tensor("attention_mask", texts.attention_mask, 2, {c10::ScalarType::Long});
    require_same_shape("attention_mask", texts.attention_mask, "input_ids", texts.input_ids);
    if (texts.labels.size() == static_cast<std::size_t>(texts.input_ids.size(0))) return;
    throw InputError("There are " + std::to_string(texts.labels.size()) + " labels and tokens of " +
                         std::to_string(texts.input_ids.size(0)) + " texts.",
                     "make them with match_texts, or texts(labels) of a matcher.");
}

SILICA_INLINE void require_embeds(const Tensor& embeds, std::int64_t projection) {
    if (!embeds.defined())
        throw InputError("The texts have no vectors.", "make them with texts(labels) of the matcher, or embedded().");
    if (embeds.dim() == 2 && embeds.size(0) > 0 && embeds.size(1) == projection && embeds.is_floating_point())
        return require_tensor("embeds", embeds, 2, floating_types);
    throw InputError("The vectors of the texts have shape " + shape_text(embeds.sizes()) + ", (texts, " +
                         std::to_string(projection) + ") is wanted.",
                     "make them with texts(labels) of the same model's matcher.");
}

SILICA_INLINE std::vector<ScoredLabel> ranked(const std::vector<std::string>& labels, std::span<const float> logits) {
    if (labels.size() != logits.size()) {
        throw InputError(
            "There are " + std::to_string(labels.size()) + " labels and " + std::to_string(logits.size()) + " scores.",
            "give the labels that the vectors of the texts were made of.");
    }
    const auto scores = softmax(logits);
    std::vector<ScoredLabel> list;
    for (const auto i : by_falling_score(scores, labels.size()))
        list.push_back({labels[i], static_cast<double>(scores[i])});
    return list;
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_MATCH_TEXTS_IPP
#endif  // SILICA_SINGLE_TASK_MATCH_TEXTS_HPP

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::task {

/// What a Matcher asks of a model: vectors of texts, of length 1, and how well each text goes with each image.
/// - `text_embeds(ids, mask)` -> (texts, projection), on the host; `most_tokens()`: what a text may have;
/// - `logits(pixels, embeds)` -> (images, texts), float32 on the host.
template <class M>
concept MatchingModel = requires(const M& model, const Tensor& t) {
    { model.text_embeds(t, t) } -> std::same_as<Tensor>;
    { model.logits(t, t) } -> std::same_as<Tensor>;
    { model.most_tokens() } -> std::same_as<std::int64_t>;
};

/// The half of CLIP that is of texts.
struct ClipTexts {
    using Inputs = arch::ClipTextInputs;
    static Inputs prepare(const auto& config, Inputs in) {
        return arch::prepare_clip_text(config.text_config, std::move(in));
    }
    static Tensor run(const auto& network, const Inputs& in) { return network.text_embeds(in); }
    static std::int64_t most_tokens(const auto& text_config) { return text_config.max_position_embeddings; }
};

/// The half that is of images, and how well texts go with them.
struct ClipImages {
    struct Inputs {
        arch::ClipVisionInputs images;
        Tensor texts;  ///< (texts, projection), of length 1
    };
    static Inputs prepare(const auto& config, Inputs in) {
        in.images = arch::prepare_clip_images(config.vision_config, std::move(in.images));
        require_embeds(in.texts, config.projection_dim);
        return in;
    }
    static Tensor run(const auto& network, const Inputs& in) {
        const Tensor images = network.image_embeds(in.images);
        return network.logits(images, in.texts.type_as(images));
    }
};

/// A `Model<arch::Clip, ...>`, whose halves run apart.
template <class M>
class ClipHalves : public Halves<M, ClipTexts, ClipImages> {
public:
    using Halves<M, ClipTexts, ClipImages>::Halves;

    [[nodiscard]] Tensor logits(const Tensor& pixels, const Tensor& texts) const {
        return this->logits_of({{.pixel_values = pixels}, texts});
    }
};

/// What a caller may choose when matching many pictures.
struct MatchOptions {
    std::int64_t batch_size = 8;  ///< so many pictures of one size run together
    Progress progress = {};       ///< told after each file
};

/// Says which text goes with a picture:
///
///     const auto match = task::Matcher<Model<arch::Clip, device::Cpu>>::open("openai/clip-vit-base-patch32");
///     const auto texts = match.texts({"a cat", "a dog", "a car"});      // computed once, for any number of pictures
///     for (const auto& [label, score] : match(image::read("cat.jpg"), texts)) ...
template <class M>
class Matcher {
public:
    using Halves = std::conditional_t<MatchingModel<M>, M, ClipHalves<M>>;
    using Labels = std::vector<ScoredLabel>;

    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its tokenizer and processor.
    [[nodiscard]] static Matcher open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {image::Processor::open(place), text::Tokenizer::open(place), Halves(M::open(place, options))};
    }

    Matcher(image::Processor processor, text::Tokenizer tokenizer, Halves model)
        : processor_(std::move(processor)), tokenizer_(std::move(tokenizer)), model_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    Matcher(const Matcher&) = default;
    Matcher& operator=(const Matcher&) = default;

    /// What is said of each label, put where {} stands in `sentence`, as the model sees it.
    /// InputError for a text of more tokens than the model takes: none is cut.
    [[nodiscard]] MatchTexts texts(std::span<const std::string> labels,
                                   std::string_view sentence = photo_template) const {
        return embedded(match_texts(tokenizer_, labels, sentence, model_.most_tokens()), model_);
    }
    [[nodiscard]] MatchTexts texts(std::initializer_list<std::string> labels,
                                   std::string_view sentence = photo_template) const {
        return texts(std::span(labels.begin(), labels.size()), sentence);
    }

    /// All labels, the best first; their scores sum to 1. InputError for a picture that the model cannot look at.
    [[nodiscard]] Labels operator()(const image::Image& picture, const MatchTexts& texts) const {
        return (*this)(std::span(&picture, 1), texts).front();
    }
    /// Those of each picture, in the order given.
    [[nodiscard]] std::vector<Labels> operator()(std::span<const image::Image> pictures, const MatchTexts& texts,
                                                 const MatchOptions& options = {}) const {
        return over_images(pixels_by(processor_), alike, pictures, options.batch_size,
                           [&](std::span<const image::Pixels> batch) { return of_pixels(batch, texts); });
    }
    /// Those of each file, in the order given, or the error that says why there are none.
    [[nodiscard]] std::vector<FileResult<Labels>> operator()(std::span<const std::filesystem::path> files,
                                                             const MatchTexts& texts,
                                                             const MatchOptions& options = {}) const {
        return over_files(
            pixels_by(processor_), alike, files, options.batch_size,
            [&](std::span<const image::Pixels> batch) { return of_pixels(batch, texts); }, options.progress);
    }

    /// Those of pictures that are processed already, and of one size: they run together.
    [[nodiscard]] std::vector<Labels> of_pixels(std::span<const image::Pixels> batch, const MatchTexts& texts) const {
        const Tensor logits = model_.logits(tensors_of(joined(batch)).pixel_values, texts.embeds).contiguous();
        std::vector<Labels> all;
        for (const auto& row : rows_of(logits)) all.push_back(ranked(texts.labels, row));
        return all;
    }

    [[nodiscard]] const image::Processor& processor() const noexcept { return processor_; }
    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return tokenizer_; }
    [[nodiscard]] const Halves& model() const noexcept { return model_; }

private:
    image::Processor processor_;
    text::Tokenizer tokenizer_;
    Halves model_;
};

}  // namespace silica::task

BOOST_HANA_ADAPT_STRUCT(silica::task::ClipImages::Inputs, images, texts);
#endif  // SILICA_SINGLE_TASK_MATCH_HPP
// ---- silica/task/match_sounds.hpp
#ifndef SILICA_SINGLE_TASK_MATCH_SOUNDS_HPP
#define SILICA_SINGLE_TASK_MATCH_SOUNDS_HPP
/// Sounds to the texts that say what one hears, with a model that puts both into one space: CLAP, zero-shot.

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::task {

/// The sentence that transformers' zero-shot-audio-classification pipeline makes of a label.
inline constexpr std::string_view sound_template = "This is a sound of {}.";

/// What a SoundMatcher asks of a model: vectors of texts, of length 1, and how well each text goes with a sound.
/// - `text_embeds(ids, mask)` -> (texts, projection), on the host; `most_tokens()`: what a text may have;
/// - `logits(features, is_longer, embeds)` -> (sounds, texts), float32 on the host.
template <class M>
concept SoundMatchingModel = requires(const M& model, const Tensor& t, const std::optional<Tensor>& o) {
    { model.text_embeds(t, t) } -> std::same_as<Tensor>;
    { model.logits(t, o, t) } -> std::same_as<Tensor>;
    { model.most_tokens() } -> std::same_as<std::int64_t>;
};

/// The half of CLAP that is of texts.
struct ClapTexts {
    using Inputs = arch::ClapTextInputs;
    static Inputs prepare(const auto& config, Inputs in) {
        return arch::prepare_clap_text(config.text_config, std::move(in));
    }
    static Tensor run(const auto& network, const Inputs& in) { return network.text_embeds(in); }
    static std::int64_t most_tokens(const auto& text_config) {
        return text_config.max_position_embeddings - text_config.pad_token_id - 1;
    }
};

/// The half that is of sounds, and how well texts go with them.
struct ClapSounds {
    struct Inputs {
        arch::ClapAudioInputs sounds;
        Tensor texts;  ///< (texts, projection), of length 1
    };
    static Inputs prepare(const auto& config, Inputs in) {
        in.sounds = arch::prepare_clap_audio(config.audio_config, std::move(in.sounds));
        require_embeds(in.texts, config.projection_dim);
        return in;
    }
    static Tensor run(const auto& network, const Inputs& in) {
        const Tensor sounds = network.audio_embeds(in.sounds);
        return network.logits(sounds, in.texts.type_as(sounds));
    }
};

/// A `Model<arch::Clap, ...>`, whose halves run apart.
template <class M>
class ClapHalves : public Halves<M, ClapTexts, ClapSounds> {
public:
    using Halves<M, ClapTexts, ClapSounds>::Halves;

    [[nodiscard]] Tensor logits(const Tensor& features, const std::optional<Tensor>& is_longer,
                                const Tensor& texts) const {
        return this->logits_of({{.input_features = features, .is_longer = is_longer}, texts});
    }
};

/// Says which text goes with a sound:
///
///     const auto match = task::SoundMatcher<Model<arch::Clap, device::Cpu>>::open("laion/clap-htsat-unfused");
///     const auto texts = match.texts({"a dog", "rain", "a train"});     // computed once, for any number of sounds
///     for (const auto& [label, score] : match(audio::read("bark.flac", match.extractor().rate()), texts)) ...
///
/// Sounds go one by one, as in transformers' pipeline: with the fusion of long sounds a batch would be another thing.
template <class M>
class SoundMatcher {
public:
    using Halves = std::conditional_t<SoundMatchingModel<M>, M, ClapHalves<M>>;
    using Labels = std::vector<ScoredLabel>;

    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its tokenizer and extractor.
    [[nodiscard]] static SoundMatcher open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {audio::Extractor::open(place), text::Tokenizer::open(place), Halves(M::open(place, options))};
    }

    SoundMatcher(audio::Extractor extractor, text::Tokenizer tokenizer, Halves model)
        : extractor_(std::move(extractor)), tokenizer_(std::move(tokenizer)), model_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    SoundMatcher(const SoundMatcher&) = default;
    SoundMatcher& operator=(const SoundMatcher&) = default;

    /// What is said of each label, put where {} stands in `sentence`, as the model sees it.
    /// InputError for a text of more tokens than the model takes: none is cut.
    [[nodiscard]] MatchTexts texts(std::span<const std::string> labels,
                                   std::string_view sentence = sound_template) const {
        return embedded(match_texts(tokenizer_, labels, sentence, model_.most_tokens()), model_);
    }
    [[nodiscard]] MatchTexts texts(std::initializer_list<std::string> labels,
                                   std::string_view sentence = sound_template) const {
        return texts(std::span(labels.begin(), labels.size()), sentence);
    }

    /// All labels, the best first; their scores sum to 1. What the extractor draws it draws from `random`.
    /// InputError for a sound of another rate than the extractor's.
    [[nodiscard]] Labels operator()(const audio::Samples& sound, const MatchTexts& texts,
                                    audio::NumpyRandom& random) const {
        auto made = tensors_of(extractor_(std::span(&sound, 1), random));
        const Tensor logits = model_.logits(made.features, made.is_longer, texts.embeds).contiguous();
        return ranked(texts.labels, rows_of(logits).front());
    }
    /// The same, drawn from numpy.random.seed(0).
    [[nodiscard]] Labels operator()(const audio::Samples& sound, const MatchTexts& texts) const {
        audio::NumpyRandom random;
        return (*this)(sound, texts, random);
    }
    /// Of a file. InputError where it is no sound.
    [[nodiscard]] Labels operator()(const std::filesystem::path& file, const MatchTexts& texts) const {
        return (*this)(read(file), texts);
    }
    /// The sound of a file at the rate of the extractor, as far as it looks at it.
    [[nodiscard]] audio::Samples read(const std::filesystem::path& file) const {
        return audio::read(file, extractor_.rate(), extractor_.most_samples());
    }

    [[nodiscard]] const audio::Extractor& extractor() const noexcept { return extractor_; }
    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return tokenizer_; }
    [[nodiscard]] const Halves& model() const noexcept { return model_; }

private:
    audio::Extractor extractor_;
    text::Tokenizer tokenizer_;
    Halves model_;
};

}  // namespace silica::task

BOOST_HANA_ADAPT_STRUCT(silica::task::ClapSounds::Inputs, sounds, texts);
#endif  // SILICA_SINGLE_TASK_MATCH_SOUNDS_HPP
// ---- silica/task/match_video.hpp
#ifndef SILICA_SINGLE_TASK_MATCH_VIDEO_HPP
#define SILICA_SINGLE_TASK_MATCH_VIDEO_HPP
/// A video to the texts that say what happens in it: X-CLIP, zero-shot.

// ---- silica/task/read_frames.hpp
#ifndef SILICA_SINGLE_TASK_READ_FRAMES_HPP
#define SILICA_SINGLE_TASK_READ_FRAMES_HPP
/// The frames of one video, from pictures or from a video file.

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace silica::task {

/// Whether a file begins as a picture does that is read (JPEG, PNG, WebP). False where it cannot be read.
[[nodiscard]] bool is_picture(const std::filesystem::path& file);

/// The frames of one video: where `files` is a single file that is no picture, `frames` of it, spread evenly (see
/// video::read); else each file is one frame, in this order. Pictures are read on several threads. InputError, which
/// names the file, for what is not read, and where there are no files.
[[nodiscard]] std::vector<image::Image> read_frames(std::span<const std::filesystem::path> files, std::int64_t frames);

}  // namespace silica::task

// ---- silica/task/read_frames.ipp
#ifndef SILICA_SINGLE_TASK_READ_FRAMES_IPP
#define SILICA_SINGLE_TASK_READ_FRAMES_IPP
/// Definitions of read_frames.hpp.

#include <array>
#include <cstddef>
#include <fstream>
#include <system_error>
#include <utility>

namespace silica::task {

SILICA_INLINE bool is_picture(const std::filesystem::path& file) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(file, ignored)) return false;
    std::array<char, 4096> head{};
    std::ifstream in(file, std::ios::binary);
    in.read(head.data(), head.size());
    try {
        static_cast<void>(image::kind_of(std::as_bytes(std::span(head.data(), static_cast<std::size_t>(in.gcount()))),
                                         file.string()));
        return true;
    } catch (const InputError&) {
        return false;
    }
}

SILICA_INLINE std::vector<image::Image> read_frames(std::span<const std::filesystem::path> files, std::int64_t frames) {
    if (files.empty()) throw InputError("There are no frames.", "name a video, or pictures.");
    if (files.size() == 1 && !is_picture(files.front())) return video::read(files.front(), frames);
    Reader<image::Image> reader({files.begin(), files.end()},
                                [](const std::filesystem::path& file) { return image::read(file); });
    std::vector<image::Image> made;
    while (auto file = reader.next()) {
        if (file->error) throw InputError(file->error->problem(), file->error->remedy());
        made.push_back(std::move(*file->value));
    }
    return made;
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_READ_FRAMES_IPP
#endif  // SILICA_SINGLE_TASK_READ_FRAMES_HPP

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::task {

/// The half of X-CLIP that is of texts.
struct XClipTexts {
    using Inputs = arch::ClipTextInputs;
    static Inputs prepare(const auto& config, Inputs in) {
        return arch::prepare_clip_text(config.text_config, std::move(in));
    }
    static Tensor run(const auto& network, const Inputs& in) { return network.text_vectors(in); }
    static std::int64_t most_tokens(const auto& text_config) { return text_config.max_position_embeddings; }
};

/// The half that is of videos, and how well texts go with them that are told what they show.
struct XClipVideos {
    struct Inputs {
        arch::ClipVisionInputs frames;
        Tensor texts;  ///< (texts, projection)
    };
    static Inputs prepare(const auto& config, Inputs in) {
        in.frames = arch::prepare_xclip_frames(config.vision_config, std::move(in.frames));
        require_embeds(in.texts, config.projection_dim);
        return in;
    }
    static Tensor run(const auto& network, const Inputs& in) { return network.logits_per_video(in.frames, in.texts); }
};

/// A `Model<arch::XClip, ...>`, whose halves run apart.
template <class M>
class XClipHalves : public Halves<M, XClipTexts, XClipVideos> {
public:
    using Halves<M, XClipTexts, XClipVideos>::Halves;

    [[nodiscard]] Tensor logits(const Tensor& frames, const Tensor& texts) const {
        return this->logits_of({{.pixel_values = frames}, texts});
    }
};

/// Says which text goes with a video:
///
///     const auto match = task::VideoMatcher<Model<arch::XClip, device::Cpu>>::open("microsoft/xclip-base-patch32");
///     const auto texts = match.texts({"playing the guitar", "washing a car"});
///     for (const auto& [label, score] : match(std::filesystem::path("clip.mp4"), texts)) ...
template <class M>
class VideoMatcher {
public:
    using Labels = std::vector<ScoredLabel>;

    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its tokenizer and processor.
    [[nodiscard]] static VideoMatcher open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {image::Processor::open(place), text::Tokenizer::open(place), M::open(place, options)};
    }

    VideoMatcher(image::Processor processor, text::Tokenizer tokenizer, M model)
        : processor_(std::move(processor)), tokenizer_(std::move(tokenizer)), halves_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    VideoMatcher(const VideoMatcher&) = default;
    VideoMatcher& operator=(const VideoMatcher&) = default;

    /// What is said of each label, put where {} stands in `sentence`, with the vectors that no video has changed yet.
    /// InputError for a text of more tokens than the model takes: none is cut.
    [[nodiscard]] MatchTexts texts(std::span<const std::string> labels, std::string_view sentence = "{}") const {
        return embedded(match_texts(tokenizer_, labels, sentence, halves_.most_tokens()), halves_);
    }
    [[nodiscard]] MatchTexts texts(std::initializer_list<std::string> labels, std::string_view sentence = "{}") const {
        return texts(std::span(labels.begin(), labels.size()), sentence);
    }

    /// All labels, the best first; their scores sum to 1. Of a video frames are taken evenly: number
    /// floor(i * total / num_frames). InputError for a file that is no video, or has fewer frames than the model wants.
    [[nodiscard]] Labels operator()(const std::filesystem::path& video, const MatchTexts& texts) const {
        return (*this)(std::span(&video, 1), texts);
    }
    /// The same for a video, or for the pictures that are its frames: as many as the model wants.
    [[nodiscard]] Labels operator()(std::span<const std::filesystem::path> files, const MatchTexts& texts) const {
        const auto frames = read_frames(files, frame_count());
        return (*this)(frames, texts);
    }
    /// The same for frames in memory.
    [[nodiscard]] Labels operator()(std::span<const image::Image> frames, const MatchTexts& texts) const {
        auto pixels = processor_(frames);
        if (processor_.frames_of_video()) pixels.shape.erase(pixels.shape.begin());
        require_frames(pixels.shape.front());
        const Tensor logits = halves_.logits(tensors_of(std::move(pixels)).pixel_values, texts.embeds);
        return ranked(texts.labels, rows_of(logits).front());
    }

    /// How many frames the model looks at.
    [[nodiscard]] std::int64_t frame_count() const { return model().config().vision_config.num_frames; }
    [[nodiscard]] const image::Processor& processor() const noexcept { return processor_; }
    [[nodiscard]] const M& model() const noexcept { return halves_.model(); }

private:
    void require_frames(std::int64_t n) const {
        if (n == frame_count()) return;
        throw InputError(
            "There are " + std::to_string(n) + " frames, the model looks at " + std::to_string(frame_count()) + ".",
            "give as many frames as num_frames of config.json says, or a video file.");
    }

    image::Processor processor_;
    text::Tokenizer tokenizer_;
    XClipHalves<M> halves_;
};

}  // namespace silica::task

BOOST_HANA_ADAPT_STRUCT(silica::task::XClipVideos::Inputs, frames, texts);
#endif  // SILICA_SINGLE_TASK_MATCH_VIDEO_HPP
// ---- silica/task/scribe.hpp
#ifndef SILICA_SINGLE_TASK_SCRIBE_HPP
#define SILICA_SINGLE_TASK_SCRIBE_HPP
/// Sounds to text, with any model that hears: extractor, tokenizer and generation_config.json of a checkpoint.

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace silica::task {

using generate::SpeechHooks, generate::SpeechOptions, generate::Transcript;

/// What Whisper has beside its network. Const calls may run at once, each with a model of its own.
class Scribe {
public:
    /// Reads a checkpoint's directory. ConfigError for a wrong file, and where it has no extractor of spectrograms.
    [[nodiscard]] static Scribe open(const std::filesystem::path& directory);

    Scribe(audio::WhisperExtractor extractor, text::Tokenizer tokenizer, generate::SpeechFacts facts);
    /// What is moved from stays as it was: copies share all that is large.
    Scribe(const Scribe&) = default;
    Scribe& operator=(const Scribe&) = default;

    /// The spectrogram of a sound: kept, 115 MB an hour, while the sound itself goes by. InputError where it is none,
    /// or has another rate than the extractor's.
    [[nodiscard]] std::unique_ptr<const generate::Recording> hear(audio::Stream& sound) const;
    [[nodiscard]] std::unique_ptr<const generate::Recording> hear(const audio::Samples& sound) const;
    [[nodiscard]] std::unique_ptr<const generate::Recording> hear(const std::filesystem::path& file) const;

    /// What is said in sounds, which run together. Languages may be named ("french"); `prompt_text` becomes a prompt.
    [[nodiscard]] std::vector<Transcript> operator()(generate::SpeechModel& model,
                                                     std::span<const generate::Recording* const> sounds,
                                                     const SpeechOptions& options = {},
                                                     const SpeechHooks& hooks = {}) const;

    /// What is said in a sound that is cut into pieces which overlap, each heard by itself and `together` at a time, as
    /// transformers' pipeline with `chunk_length_s` hears it: quicker than window after window, and less exact where
    /// pieces meet. `cutting.whole_seconds` does not count. Segments have times where options ask for them; one without
    /// an end ends with the sound. InputError for pieces longer than a window, none together, and where words are asked
    /// for.
    [[nodiscard]] Transcript in_pieces(generate::SpeechModel& model, audio::Stream& sound, const CtcCutting& cutting,
                                       const SpeechOptions& options = {}, const SpeechHooks& hooks = {},
                                       std::size_t together = 8) const;

    [[nodiscard]] const audio::WhisperExtractor& extractor() const noexcept { return extractor_; }
    [[nodiscard]] const text::Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
    [[nodiscard]] const generate::SpeechFacts& facts() const noexcept { return facts_; }

private:
    /// "<|startofprev|>" and the tokens of a text. InputError where a special token is written in it.
    [[nodiscard]] std::vector<std::int64_t> prompt_of(const std::string& text) const;

    audio::WhisperExtractor extractor_;
    std::shared_ptr<const text::Tokenizer> tokenizer_;
    generate::SpeechFacts facts_;
};

}  // namespace silica::task

// ---- silica/task/scribe.ipp
#ifndef SILICA_SINGLE_TASK_SCRIBE_IPP
#define SILICA_SINGLE_TASK_SCRIBE_IPP
/// Sounds to text, with any model that hears.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

namespace silica::task {
namespace detail {

/// A sound of up to a chunk, padded to it.
class ShortRecording final : public generate::Recording {
public:
    ShortRecording(const audio::WhisperExtractor& extractor, const audio::Samples& sound)
        : features_(extractor(std::span(&sound, 1))),
          sounding_(extractor.frames_of(static_cast<std::int64_t>(sound.mono().size()))),
          seconds_(sound.seconds()) {}

    std::int64_t frames() const override { return features_.shape[2]; }
    std::int64_t frames_of_sound() const override { return sounding_; }
    std::int64_t mels() const override { return features_.shape[1]; }
    double seconds() const override { return seconds_; }
    void window(std::int64_t begin, std::int64_t count, std::span<float> to) const override {
        const auto room = static_cast<std::int64_t>(to.size());
        if (begin < 0 || count < 0 || room % mels() != 0 || room / mels() != count)
            throw InputError("A window of " + std::to_string(count) + " frames from " + std::to_string(begin) +
                                 " on does not go into " + std::to_string(room) + " values.",
                             "give room for (mels, frames), from a frame of 0 or more.");
        std::ranges::fill(to, 0.0F);
        if (begin >= frames()) return;
        const auto some = std::clamp<std::int64_t>(frames() - begin, 0, count);
        for (std::int64_t m = 0; m < mels(); ++m)
            std::copy_n(features_.values.data() + m * frames() + begin, some, to.data() + m * count);
    }

private:
    audio::Features features_;
    std::int64_t sounding_;
    double seconds_;
};

/// A longer one.
class LongRecording final : public generate::Recording {
public:
    LongRecording(audio::LogMel mel, std::int64_t rate) : mel_(std::move(mel)), rate_(rate) {}

    std::int64_t frames() const override { return mel_.frames(); }
    std::int64_t frames_of_sound() const override { return mel_.frames(); }
    std::int64_t mels() const override { return mel_.mels(); }
    double seconds() const override { return static_cast<double>(mel_.samples()) / static_cast<double>(rate_); }
    void window(std::int64_t begin, std::int64_t count, std::span<float> to) const override {
        mel_.window(begin, count, to);
    }

private:
    audio::LogMel mel_;
    std::int64_t rate_;
};

inline void require_rate(std::int64_t rate, const audio::WhisperExtractor& extractor) {
    const auto wanted = extractor.config().sampling_rate;
    if (rate == wanted) return;
    throw InputError("The sound has " + std::to_string(rate) + " samples in a second, the model wants " +
                         std::to_string(wanted) + ".",
                     "read it with audio::read(path, rate).");
}

/// "fr" of "french"; "<|fr|>" stays.
inline std::string code_of(const std::string& language) {
    return language.starts_with("<|") ? language : text::whisper_language_code(language);
}

/// A text without the spaces around it.
inline std::string without_ends(const std::string& text) {
    constexpr const char* spaces = " \t\n\v\f\r";
    const auto first = text.find_first_not_of(spaces);
    return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(spaces) - first + 1);
}

}  // namespace detail

SILICA_INLINE Scribe::Scribe(audio::WhisperExtractor extractor, text::Tokenizer tokenizer, generate::SpeechFacts facts)
    : extractor_(std::move(extractor)), facts_(std::move(facts)) {
    tokenizer.set_padding(std::nullopt);
    tokenizer.set_truncation(std::nullopt);
    tokenizer_ = std::make_shared<const text::Tokenizer>(std::move(tokenizer));
    if (!facts_.text) facts_.text = text_of(tokenizer_);
}

SILICA_INLINE Scribe Scribe::open(const std::filesystem::path& directory) {
    const auto extractor = audio::Extractor::open(directory);
    const auto* own = std::get_if<audio::WhisperExtractor>(&extractor.kind());
    if (own == nullptr)
        throw ConfigError(directory.string() + " has the feature extractor of another model than Whisper.",
                          "take preprocessor_config.json from the model's repository again.");
    generate::SpeechFacts facts;
    facts.config = generate::read_speech_config(directory);
    facts.generation = generate::read_generation_config(directory);
    if (facts.config.language) facts.config.language = detail::code_of(*facts.config.language);
    return {*own, text::Tokenizer::open(directory), std::move(facts)};
}

SILICA_INLINE std::unique_ptr<const generate::Recording> Scribe::hear(audio::Stream& sound) const {
    detail::require_rate(sound.rate(), extractor_);
    constexpr std::int64_t piece = 1 << 18;
    const auto chunk = extractor_.chunk_samples();
    auto beginning = sound.read(chunk + 1);
    if (static_cast<std::int64_t>(beginning.size()) <= chunk)
        return std::make_unique<detail::ShortRecording>(extractor_, audio::Samples(std::move(beginning), sound.rate()));
    audio::LogMel mel(extractor_);
    mel.add(beginning);
    beginning = {};
    for (auto more = sound.read(piece); !more.empty(); more = sound.read(piece)) mel.add(more);
    mel.finish();
    return std::make_unique<detail::LongRecording>(std::move(mel), sound.rate());
}

SILICA_INLINE std::unique_ptr<const generate::Recording> Scribe::hear(const audio::Samples& sound) const {
    detail::require_rate(sound.rate(), extractor_);
    if (static_cast<std::int64_t>(sound.mono().size()) <= extractor_.chunk_samples())
        return std::make_unique<detail::ShortRecording>(extractor_, sound);
    audio::LogMel mel(extractor_);
    mel.add(sound.mono());
    mel.finish();
    return std::make_unique<detail::LongRecording>(std::move(mel), sound.rate());
}

SILICA_INLINE std::unique_ptr<const generate::Recording> Scribe::hear(const std::filesystem::path& file) const {
    auto stream = audio::Stream::open(file, extractor_.config().sampling_rate);
    return hear(stream);
}

SILICA_INLINE std::vector<std::int64_t> Scribe::prompt_of(const std::string& text) const {
    const auto start = tokenizer_->token_to_id("<|startofprev|>");
    if (!start)
        throw ConfigError("The tokenizer has no token <|startofprev|>, which a prompt begins with.",
                          "leave the prompt out, or take the tokenizer from the model's repository again.");
    std::vector<std::int64_t> made{*start};
    for (const auto id : tokenizer_->encode(" " + detail::without_ends(text), false).ids) {
        if (tokenizer_->is_special(id)) {
            throw InputError("The prompt has the special token " +
                                 quote(tokenizer_->id_to_token(id).value_or(std::to_string(id))) + " in it.",
                             "write plain text.");
        }
        made.push_back(id);
    }
    return made;
}

SILICA_INLINE std::vector<Transcript> Scribe::operator()(generate::SpeechModel& model,
                                                         std::span<const generate::Recording* const> sounds,
                                                         const SpeechOptions& options, const SpeechHooks& hooks) const {
    if (std::ranges::any_of(sounds, [](const auto* sound) { return sound == nullptr; }))
        throw InputError("A sound is a null pointer.", "give what hear() returns.");
    if (!options.prompt_text.empty() && !options.prompt.empty())
        throw InputError("A prompt is given as text and as tokens.", "give one of them.");
    auto facts = facts_;
    // What an older generation_config.json does not say, where it is needed.
    const bool longer = std::ranges::any_of(
        sounds, [&](const auto* sound) { return sound->frames() > 2 * facts.config.max_source_positions; });
    const bool timestamps = longer || options.words || options.timestamps.value_or(false);
    if (timestamps && !facts.config.no_timestamps_token_id)
        facts.config.no_timestamps_token_id = tokenizer_->token_to_id("<|notimestamps|>");
    auto resolved = options;
    if (resolved.language) resolved.language = detail::code_of(*resolved.language);
    if (!resolved.prompt_text.empty() && resolved.prompt.empty()) resolved.prompt = prompt_of(resolved.prompt_text);
    return generate::listen(model, facts, sounds, resolved, hooks);
}

SILICA_INLINE Transcript Scribe::in_pieces(generate::SpeechModel& model, audio::Stream& sound,
                                           const CtcCutting& cutting, const SpeechOptions& options,
                                           const SpeechHooks& hooks, std::size_t together) const {
    detail::require_rate(sound.rate(), extractor_);
    if (together == 0) throw InputError("0 pieces are to be heard together.", "give 1 or more.");
    if (options.words)
        throw InputError("A sound in pieces has no times of words.", "ask for those of segments, or give no pieces.");
    auto cut = cutting;
    cut.whole_seconds = 0;
    CtcPieces pieces([&](std::int64_t n) { return sound.read(n); }, sound.rate(), 1, cut);
    const auto rate = static_cast<double>(sound.rate());
    if (const auto window = extractor_.chunk_samples(); cut.chunk_seconds * rate > static_cast<double>(window)) {
        throw InputError("A piece has " + std::to_string(cut.chunk_seconds) + " seconds, the model hears " +
                             std::to_string(static_cast<double>(window) / rate) + " at once.",
                         "give shorter pieces.");
    }
    auto all = options;
    all.timestamps = options.timestamps.value_or(facts_.config.return_timestamps.value_or(false));
    Transcript made;
    std::vector<generate::HeardPiece> said;
    std::vector<audio::Samples> held;
    const auto write = [&] {
        std::vector<std::unique_ptr<const generate::Recording>> recordings;
        std::vector<const generate::Recording*> some;
        for (const auto& piece : held) some.push_back(recordings.emplace_back(hear(piece)).get());
        const auto transcripts = (*this)(model, some, all, {.go_on = hooks.go_on});
        for (std::size_t i = 0; i < transcripts.size(); ++i) {
            auto& tokens = said[said.size() - transcripts.size() + i].tokens;
            for (const auto& s : transcripts[i].segments) tokens.insert(tokens.end(), s.tokens.begin(), s.tokens.end());
            made.complete = made.complete && transcripts[i].complete;
            if (made.language.empty()) made.language = transcripts[i].language;
        }
        held.clear();
        if (hooks.on_progress) hooks.on_progress(0, made.seconds, made.seconds);
    };
    std::optional<CtcPiece> piece;
    while (made.complete && (piece = pieces.next())) {
        const auto seconds = [&](std::int64_t n) { return static_cast<double>(n) / rate; };
        const auto n = static_cast<std::int64_t>(piece->samples.size());
        said.push_back(
            {.tokens = {}, .seconds = seconds(n), .left = seconds(piece->left), .right = seconds(piece->right)});
        made.seconds += seconds(n - piece->left - piece->right);
        held.emplace_back(std::move(piece->samples), sound.rate());
        if (held.size() == together) write();
    }
    if (made.complete && !held.empty()) write();
    auto first_time = facts_.config.no_timestamps_token_id;
    if (!first_time) first_time = tokenizer_->token_to_id("<|notimestamps|>");
    const generate::PieceTokens kinds{.first_time = first_time ? *first_time + 1 : facts_.config.vocab_size + 1,
                                      .is_special = [&](std::int64_t id) { return tokenizer_->is_special(id); },
                                      .most = facts_.config.max_source_positions};
    for (auto& part : generate::joined_pieces(said, kinds)) {
        generate::Segment segment{.start = part.start.value_or(made.segments.empty() ? 0 : made.segments.back().end),
                                  .end = part.end.value_or(made.seconds)};
        segment.text = facts_.text.decode(part.tokens);
        segment.tokens = std::move(part.tokens);
        made.text += segment.text;
        made.segments.push_back(std::move(segment));
        if (hooks.on_segment && !hooks.on_segment(0, made.segments.back())) break;
    }
    return made;
}

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_SCRIBE_IPP
#endif  // SILICA_SINGLE_TASK_SCRIBE_HPP
// ---- silica/task/transcribe.hpp
#ifndef SILICA_SINGLE_TASK_TRANSCRIBE_HPP
#define SILICA_SINGLE_TASK_TRANSCRIBE_HPP
/// Speech to text: Whisper here, and, with the same name, Wav2Vec2 (transcribe_ctc.hpp).

// ---- silica/task/transcribe_ctc.hpp
#ifndef SILICA_SINGLE_TASK_TRANSCRIBE_CTC_HPP
#define SILICA_SINGLE_TASK_TRANSCRIBE_CTC_HPP
/// Speech to text with a model that gives a symbol for each frame: Wav2Vec2.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::task {

/// A character or a word, and when it was said, in seconds.
struct TimedText {
    std::string text;
    double begin, end;
};

/// What was said. The space between two words is a character.
struct CtcTranscript {
    std::string text;
    std::vector<TimedText> characters, words;
    double seconds = 0;  ///< of sound
};

/// What a caller may choose when transcribing.
struct CtcOptions {
    CtcCutting cutting = {};
    std::function<void(double seconds)> progress = {};  ///< told after each piece how much was heard
};

/// Writes down what is said in a sound:
///
///     using Ctc = Model<arch::Wav2Vec2ForCTC, device::Cpu>;
///     const auto transcribe = task::CtcTranscriber<Ctc>::open("facebook/wav2vec2-base-960h");
///     for (const auto& word : transcribe("speech.flac").words) ...
///
/// The symbol of each frame is the likeliest one; equal neighbours are one, and blanks are left out.
template <class M>
class CtcTranscriber {
public:
    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its extractor and its symbols. With
    /// `options.target_lang`, in that language.
    [[nodiscard]] static CtcTranscriber open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto place = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {audio::Extractor::open(place), text::CtcDecoder::open(place, options.target_lang),
                M::open(place, options)};
    }

    CtcTranscriber(audio::Extractor extractor, text::CtcDecoder decoder, M model)
        : extractor_(std::move(extractor)), decoder_(std::move(decoder)), forward_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    CtcTranscriber(const CtcTranscriber&) = default;
    CtcTranscriber& operator=(const CtcTranscriber&) = default;

    /// Of sound in memory. InputError for a sound of another rate than the extractor's, or too short for a frame.
    [[nodiscard]] CtcTranscript operator()(const audio::Samples& sound, const CtcOptions& options = {}) const {
        if (sound.rate() != extractor_.rate()) {
            throw InputError("The sound has " + std::to_string(sound.rate()) +
                                 " samples in a second, the model wants " + std::to_string(extractor_.rate()) + ".",
                             "read it with audio::read(path, rate).");
        }
        std::span<const float> rest = sound.mono();
        return heard(
            [&](std::int64_t n) {
                const auto some = rest.first(std::min(rest.size(), static_cast<std::size_t>(n)));
                rest = rest.subspan(some.size());
                return std::vector<float>(some.begin(), some.end());
            },
            options);
    }
    /// Of a stream, in memory that does not grow with its length.
    [[nodiscard]] CtcTranscript operator()(audio::Stream& sound, const CtcOptions& options = {}) const {
        return heard([&](std::int64_t n) { return sound.read(n); }, options);
    }
    /// Of a file. InputError where it is no sound.
    [[nodiscard]] CtcTranscript operator()(const std::filesystem::path& file, const CtcOptions& options = {}) const {
        auto stream = audio::Stream::open(file, extractor_.rate());
        return (*this)(stream, options);
    }

    [[nodiscard]] const audio::Extractor& extractor() const noexcept { return extractor_; }
    [[nodiscard]] const text::CtcDecoder& decoder() const noexcept { return decoder_; }
    [[nodiscard]] const M& model() const noexcept { return forward_.model(); }

private:
    CtcTranscript heard(CtcPieces::Read read, const CtcOptions& options) const {
        const auto ratio = model().config().inputs_to_logits_ratio();
        const std::int64_t rate = extractor_.rate();
        CtcPieces pieces(std::move(read), rate, ratio, options.cutting);
        std::vector<std::int64_t> ids;
        std::int64_t samples = 0;
        while (auto piece = pieces.next()) {
            samples += static_cast<std::int64_t>(piece->samples.size()) - 2 * piece->left;
            const auto all = symbols(piece->samples, rate);
            const auto [begin, end] = piece->counted(static_cast<std::int64_t>(all.size()), ratio);
            ids.insert(ids.end(), all.begin() + begin, all.begin() + end);
            if (options.progress) options.progress(static_cast<double>(samples) / static_cast<double>(rate));
        }
        const auto said = decoder_(ids);
        const auto timed = [&](const std::vector<text::CtcSpan>& spans) {
            const auto seconds = [&](std::int64_t frame) {
                return static_cast<double>(frame * ratio) / static_cast<double>(rate);
            };
            std::vector<TimedText> made;
            for (const auto& s : spans) made.push_back({s.text, seconds(s.start), seconds(s.end)});
            return made;
        };
        return {said.text, timed(said.characters), timed(said.words),
                static_cast<double>(samples) / static_cast<double>(rate)};
    }

    /// The likeliest symbol of each frame.
    std::vector<std::int64_t> symbols(std::span<const float> piece, std::int64_t rate) const {
        const audio::Samples sound(piece, rate, nullptr);
        typename M::Inputs in;
        in.input_values = tensors_of(extractor_(std::span(&sound, 1))).features;
        const Tensor best = forward_(in, [](const auto& out) { return out.logits; }).argmax(-1).contiguous();
        const auto* id = best.template const_data_ptr<std::int64_t>();
        return {id, id + best.numel()};
    }

    audio::Extractor extractor_;
    text::CtcDecoder decoder_;
    Forward<M> forward_;
};

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_TRANSCRIBE_CTC_HPP

#include <filesystem>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::task {

/// Writes down, or translates to English, what is said in sounds of any length:
///
///     using Whisper = Model<arch::WhisperForConditionalGeneration, device::Cpu>;
///     const auto transcribe = task::Transcriber<Whisper>::open("openai/whisper-tiny");
///     const auto heard = transcribe("speech.flac", {.words = true});
///     for (const auto& segment : heard.segments) ...              // .start, .end, .text, .words
///     transcribe("lecture.mp3", {}, {.on_segment = [](auto, const auto& s) { std::cout << s.text; return true; }});
///
/// Const calls may run at once from several threads; each makes a state of its own.
template <class M>
class SpeechTranscriber {
public:
    /// Opens a directory or "org/name" in the hub cache, as Model::open does, with its extractor, its tokenizer and
    /// generation_config.json.
    [[nodiscard]] static SpeechTranscriber open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto directory = checkpoint::resolve(location.text(), checkpoint::Need::directory);
        return {Scribe::open(directory), M::open(directory, options)};
    }

    SpeechTranscriber(Scribe scribe, M model) : scribe_(std::move(scribe)), model_(std::move(model)) {}
    /// What is moved from stays as it was: copies share all that is large.
    SpeechTranscriber(const SpeechTranscriber&) = default;
    SpeechTranscriber& operator=(const SpeechTranscriber&) = default;

    /// What is said in a file. InputError where it is no sound, or for wrong options.
    [[nodiscard]] Transcript operator()(const std::filesystem::path& file, const SpeechOptions& options = {},
                                        const SpeechHooks& hooks = {}) const {
        return one(scribe_.hear(file), options, hooks);
    }
    /// In a stream at the extractor's rate, in memory that grows by 115 MB an hour.
    [[nodiscard]] Transcript operator()(audio::Stream& sound, const SpeechOptions& options = {},
                                        const SpeechHooks& hooks = {}) const {
        return one(scribe_.hear(sound), options, hooks);
    }
    /// In memory. InputError for another rate than the extractor's.
    [[nodiscard]] Transcript operator()(const audio::Samples& sound, const SpeechOptions& options = {},
                                        const SpeechHooks& hooks = {}) const {
        return one(scribe_.hear(sound), options, hooks);
    }
    /// In several sounds, whose windows run together.
    [[nodiscard]] std::vector<Transcript> operator()(std::span<const audio::Samples> sounds,
                                                     const SpeechOptions& options = {},
                                                     const SpeechHooks& hooks = {}) const {
        std::vector<std::unique_ptr<const generate::Recording>> heard;
        for (const auto& sound : sounds) heard.push_back(scribe_.hear(sound));
        return all(heard, options, hooks);
    }
    /// In several files.
    [[nodiscard]] std::vector<Transcript> operator()(std::span<const std::filesystem::path> files,
                                                     const SpeechOptions& options = {},
                                                     const SpeechHooks& hooks = {}) const {
        std::vector<std::unique_ptr<const generate::Recording>> heard;
        for (const auto& file : files) heard.push_back(scribe_.hear(file));
        return all(heard, options, hooks);
    }

    /// In a file that is cut into pieces which overlap: see Scribe::in_pieces.
    [[nodiscard]] Transcript in_pieces(const std::filesystem::path& file, const CtcCutting& cutting = {},
                                       const SpeechOptions& options = {}, const SpeechHooks& hooks = {}) const {
        auto sound = audio::Stream::open(file, scribe_.extractor().config().sampling_rate);
        generate::ModelSpeech<M> speech(model_);
        return scribe_.in_pieces(speech, sound, cutting, options, hooks);
    }

    [[nodiscard]] const Scribe& scribe() const noexcept { return scribe_; }
    [[nodiscard]] const M& model() const noexcept { return model_; }

private:
    using Heard = std::unique_ptr<const generate::Recording>;

    Transcript one(const Heard& sound, const SpeechOptions& options, const SpeechHooks& hooks) const {
        return std::move(all(std::span(&sound, 1), options, hooks).front());
    }
    std::vector<Transcript> all(std::span<const Heard> sounds, const SpeechOptions& options,
                                const SpeechHooks& hooks) const {
        generate::ModelSpeech<M> speech(model_);
        std::vector<const generate::Recording*> heard;
        for (const auto& sound : sounds) heard.push_back(sound.get());
        return scribe_(speech, heard, options, hooks);
    }

    Scribe scribe_;
    M model_;
};

/// The transcriber of a Model: that of Whisper where it writes, that of Wav2Vec2 where it gives a symbol for each
/// frame.
template <class M>
using Transcriber = std::conditional_t<generate::Hears<M>, SpeechTranscriber<M>, CtcTranscriber<M>>;

}  // namespace silica::task
#endif  // SILICA_SINGLE_TASK_TRANSCRIBE_HPP
