#pragma once
/// Sentences to vectors: tokenizer, encoder, pooling.

#include "silica/input/text/tokenizer.hpp"
#include "silica/model.hpp"
#include "silica/run.hpp"
#include "silica/task/sentence_config.hpp"

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
