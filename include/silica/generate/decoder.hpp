#pragma once
/// A model that writes text, with its types forgotten: what the loops of generation drive. `ModelDecoder` makes one of
/// a Model, so that a loop is compiled once for all models, devices and precisions.

#include "silica/core/fields.hpp"
#include "silica/core/tensor.hpp"

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace silica::generate {

/// What generation starts from. A family whose encoder takes no text (speech) has no input_ids.
struct Prompt {
    Tensor input_ids = {};  ///< (batch, tokens) int64: prompts padded on the left, or an encoder's texts padded on the
                            ///< right
    std::optional<Tensor> attention_mask = {};     ///< (batch, tokens) int64 or bool, 1 = a token; absent: all are
    std::optional<Tensor> decoder_input_ids = {};  ///< (batch, tokens) int64, encoder-decoder only; absent: the start
    Named extra = {};  ///< further inputs of the family, by field: {"input_features", (batch, mels, frames)}
};

/// What a loop has to know about a model.
struct DecoderFacts {
    std::string architecture;                  ///< "LlamaForCausalLM"
    bool encoder_decoder = false;              ///< the prompt goes through an encoder, the text starts apart from it
    bool whole_start = false;                  ///< decoder_input_ids stay as they are given, whatever they begin with
    bool shares_inputs = false;                ///< rows of one text share further inputs: it takes `rows_per_text`
    std::optional<std::int64_t> context = {};  ///< most positions of the decoder, where they are limited
    std::optional<std::int64_t> vocab_size = {};  ///< tokens that can be fed
    std::vector<std::int64_t> eos_token_id = {};  ///< of config.json or the family, as the next three
    std::optional<std::int64_t> bos_token_id = {}, pad_token_id = {}, decoder_start_token_id = {};
};

/// One caller's decoding: the model and a state. Logits are (rows, vocabulary) on the device, of the next token.
class Decoder {
public:
    Decoder() = default;
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;
    virtual ~Decoder() = default;

    [[nodiscard]] virtual const DecoderFacts& facts() const = 0;
    /// Forgets what was taken; room for `rows` rows of up to `capacity` tokens.
    virtual void start(std::int64_t rows, std::int64_t capacity) = 0;
    /// Takes a prompt or its next piece -> logits. InputError for ids out of range.
    virtual Tensor prefill(const Prompt& prompt) = 0;
    /// Takes one token per row, ids (rows) int64 on the device -> logits.
    virtual Tensor step(const Tensor& ids) = 0;
    /// The same -> the most likely next tokens (rows), which stay on the device.
    virtual Tensor greedy_step(const Tensor& ids) = 0;
    /// Logits -> the most likely tokens (rows) int64, on the device; below zero where there is none.
    [[nodiscard]] virtual Tensor most_likely(const Tensor& logits) = 0;
    /// Logits -> the tokens that `uniform` (rows) float32 on the CPU draws from softmax(logits / temperature), on the
    /// device and below zero where the host has to draw; nothing where the device does not. See op::Draw.
    [[nodiscard]] virtual std::optional<Tensor> draw(const Tensor& logits, const Tensor& uniform, double temperature) {
        static_cast<void>(logits), static_cast<void>(uniform), static_cast<void>(temperature);
        return {};
    }
    /// Row i becomes what row `rows[i]` was; rows (rows) int64 on any device.
    virtual void reorder(const Tensor& rows) = 0;

    /// Forgets all but the first `tokens` tokens of each row. False, with nothing done, where the state cannot.
    [[nodiscard]] virtual bool shorten(std::int64_t tokens) { return tokens == length(); }

    /// Makes room for up to `tokens` tokens of each row, those that were taken among them. False, with nothing done,
    /// where the state cannot.
    [[nodiscard]] virtual bool extend(std::int64_t tokens) { return tokens <= capacity(); }

    [[nodiscard]] virtual std::int64_t length() const = 0;
    [[nodiscard]] virtual std::int64_t capacity() const = 0;
    /// Which text the state holds, of all texts of all decoders; 0 where no call of generation began one.
    [[nodiscard]] std::uint64_t text() const noexcept { return text_; }
    /// What the state holds is another text from now on.
    void begin_text() {
        static std::atomic<std::uint64_t> texts = 0;
        text_ = ++texts;
    }

    /// Bytes of the state's tensors (caches, encoder outputs).
    [[nodiscard]] virtual std::uint64_t state_bytes() const = 0;
    [[nodiscard]] virtual c10::Device device() const = 0;
    /// Waits until the device has done all it was given.
    virtual void synchronize() = 0;

    /// What `f` returns, called as Model::on_device calls it: whatever reads or writes a tensor of the device is done
    /// in here.
    template <class F>
    auto on_device(F&& f) const {
        using Result = std::invoke_result_t<F&>;
        if constexpr (std::is_void_v<Result>) {
            enter(Work(f));
        } else {
            std::optional<Result> result;
            const auto keep = [&] { result.emplace(f()); };
            enter(Work(keep));
            return *std::move(result);
        }
    }

protected:
    /// Something to call, which lives where it was handed over.
    class Work {
    public:
        template <class F>
        explicit Work(F& f) : f_(&f), call_([](const void* p) { (*static_cast<F*>(const_cast<void*>(p)))(); }) {}
        void operator()() const { call_(f_); }

    private:
        const void* f_;
        void (*call_)(const void*);
    };
    virtual void enter(Work work) const = 0;

private:
    std::uint64_t text_ = 0;
};

}  // namespace silica::generate
