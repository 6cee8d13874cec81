#pragma once
/// Sentences to vectors: tokenizer, encoder, pooling.

#include "silica/input/text/tokenizer.hpp"
#include "silica/model.hpp"
#include "silica/run.hpp"
#include "silica/task/sentence_config.hpp"

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
    [[nodiscard]] static Embedder open(const checkpoint::Location& location, OpenOptions options = {}) {
        const auto directory = checkpoint::resolve(location.text());
        return {text::Tokenizer::open(directory), SentenceConfig::read(directory), Encoder::open(directory, options)};
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
            encoder_.on_device([&] {
                for (std::size_t i = 0; i < batch.size(); ++i)
                    vectors[static_cast<std::int64_t>(batch[i])].copy_(part[static_cast<std::int64_t>(i)]);
            });
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
        return encoder_.on_device([&] {
            const auto out = encoder_({.input_ids = ids, .attention_mask = mask, .token_type_ids = types});
            const Tensor home_mask = mask.to(at::kBool).to(encoder_.device());
            std::vector<Tensor> parts;
            const auto modes = options.pooling ? std::vector{*options.pooling} : config_.pooling;
            for (const auto how : modes)
                parts.push_back(run<op::Pool, typename Encoder::Exec>(out.last_hidden_state, home_mask, how));
            return at::cat(parts, 1).to(c10::Device(c10::DeviceType::CPU));
        });
    }

    text::Tokenizer tokenizer_;
    SentenceConfig config_;
    Encoder encoder_;
    std::int64_t pad_ = 0;
};

}  // namespace silica::task
