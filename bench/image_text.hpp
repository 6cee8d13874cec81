#pragma once
/// What the program knows of models that write text about images: LLaVA and LLaVA-NeXT.

#include <algorithm>
#include <string>
#include <vector>

#include "causal_lm.hpp"
#include "opened.hpp"
#include "silica/arch/llava/inputs.hpp"
#include "silica/core/anyres.hpp"

namespace silica::bench {

/// Inputs about one image for each text: `prompt_tokens` counts those of the image too.
struct ImageTextExample {
    /// Tokens beside the image.
    static constexpr std::int64_t words = 32;

    static NamedSizes sizes(const arch::LlavaConfig& c) {
        const auto side = c.vision_config.patches().image.height;
        return {{"image_size", side}, {"prompt_tokens", features(c, side) + words}};
    }
    static NamedSizes sizes(const arch::LlavaNextConfig& c) {
        const auto side = c.vision_config.patches().image.height;
        return {{"image_size", side}, {"prompt_tokens", features(c, side) + words}};
    }

    static arch::LlavaInputs inputs(const auto& c, const Sizes& s) {
        const auto n = features(c, s.of("image_size"));
        auto in = TextOnly::inputs(c, s);
        if (s.tokens() <= n) {
            throw InputError("An image of this size is " + std::to_string(n) + " tokens, the prompt has " +
                                 std::to_string(s.tokens()) + ".",
                             "use a larger --prompt-tokens, or a smaller --image-size.");
        }
        in.input_ids.narrow(1, 1, n).fill_(c.image_token_index);
        auto images = image_inputs(c, s);
        in.pixel_values = std::move(images.pixel_values);
        in.image_sizes = std::move(images.image_sizes);
        return in;
    }
    static std::uint64_t step_parameters(const arch::LlavaConfig& c) {
        return CausalLmExample<arch::DecoderConfig>::step_parameters(c.text_config);
    }

    /// As many tokens, and no image: the decoder alone.
    struct TextOnly {
        static NamedSizes sizes(const auto& c) { return {ImageTextExample::sizes(c)[1]}; }
        static arch::LlavaInputs inputs(const auto& c, const Sizes& s) {
            const auto context = c.text_config.context();
            if (context && s.tokens() + s.new_tokens > *context) {
                throw InputError(std::to_string(s.tokens()) + " tokens of a prompt and " +
                                     std::to_string(s.new_tokens) + " new ones are more than the " +
                                     std::to_string(*context) + " positions of the model.",
                                 "use smaller --prompt-tokens or --new-tokens.");
            }
            const auto image = c.image_token_index, vocabulary = c.text_config.vocab_size();
            const bool below = image > vocabulary / 2;  // on which side of the image token there are more ids
            return {.input_ids = example_ids(s.batch, s.tokens(), below ? 3 : image + 1,
                                             below ? std::min(image, vocabulary) : vocabulary)};
        }
        static std::uint64_t step_parameters(const arch::LlavaConfig& c) {
            return ImageTextExample::step_parameters(c);
        }
    };

    /// The images alone.
    struct ImagesOnly {
        static NamedSizes sizes(const auto& c) { return {ImageTextExample::sizes(c)[0]}; }
        static arch::LlavaImageInputs inputs(const auto& c, const Sizes& s) { return image_inputs(c, s); }
    };

private:
    /// Features of one image that is `size` pixels high and wide.
    static std::int64_t features(const arch::LlavaConfig& c, std::int64_t) { return c.features(); }
    static std::int64_t features(const arch::LlavaNextConfig& c, std::int64_t size) {
        return arch::prepare_llava_next_images(c, image_inputs(c, {.named = {{"image_size", size}}}))
            .image_features->size(0);
    }

    static arch::LlavaImageInputs image_inputs(const arch::LlavaConfig& c, const Sizes& s) {
        const auto size = s.of("image_size");
        return {example_pixels(s.batch, c.vision_config.patches().channels, size, size)};
    }
    static arch::LlavaImageInputs image_inputs(const arch::LlavaNextConfig& c, const Sizes& s) {
        const auto patches = c.vision_config.patches();
        const auto size = s.of("image_size"), side = patches.image.height;
        std::vector<anyres::Extent> resolutions;
        for (const auto& point : c.image_grid_pinpoints) resolutions.push_back({point[0], point[1]});
        const auto best = anyres::best_resolution({size, size}, resolutions);
        const auto tiles = best ? 1 + best->height / side * (best->width / side) : 1;
        return {example_pixels(s.batch, tiles * patches.channels, side, side)
                    .view({s.batch, tiles, patches.channels, side, side}),
                at::full({s.batch, 2}, size, at::kLong)};
    }
};

/// Heads of a family: text about an image, the decoder without one, images alone, hidden states.
template <class Text, class Images, class Base>
std::vector<Head> image_text_heads() {
    return {generating_head<Text, ImageTextExample>("generate", 32),
            generating_head<Text, ImageTextExample::TextOnly>("prefill", 1),
            head<Images, ImageTextExample::ImagesOnly>("vision"), head<Base, ImageTextExample>("embed")};
}

}  // namespace silica::bench
