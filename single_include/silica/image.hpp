// Silica 0.1.0: pictures to tensors. Written by amalgamate.py from include/; change it there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef SILICA_COMPILED
#error "The single headers define everything. Remedy: link silica::silica beside them, or include the headers that silica::compiled is made from."
#endif

// ---- silica/input/image/canvas.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_CANVAS_HPP
#define SILICA_SINGLE_INPUT_IMAGE_CANVAS_HPP
/// Room for the pixels of a picture, taken only after its size was checked.

// ---- silica/core/error.hpp
#ifndef SILICA_SINGLE_CORE_ERROR_HPP
#define SILICA_SINGLE_CORE_ERROR_HPP
/// What Silica throws: one sentence that says what is wrong, then what to do about it.

#include <stdexcept>
#include <string>
#include <utility>

namespace silica {

/// Base of every exception thrown on purpose. `what()` reads "<problem> Remedy: <remedy>".
class Error : public std::runtime_error {
public:
    /// Both arguments are whole sentences: "config.json has heads 0." and "Set num_attention_heads to 1 or more."
    Error(std::string problem, std::string remedy)
        : std::runtime_error(remedy.empty() ? problem : problem + " Remedy: " + remedy),
          problem_(std::move(problem)),
          remedy_(std::move(remedy)) {}

    [[nodiscard]] const std::string& problem() const noexcept { return problem_; }
    [[nodiscard]] const std::string& remedy() const noexcept { return remedy_; }

private:
    std::string problem_, remedy_;
};

/// An argument, an input tensor or an input text is wrong (rank, dtype, range, option value).
class InputError : public Error {
    using Error::Error;
};

/// A configuration (config.json, tokenizer.json, ...) is missing a key, has a wrong value or an unsupported one.
class ConfigError : public Error {
    using Error::Error;
};

/// A file of weights, or the directory that should hold it, is missing, damaged or does not fit the model.
class CheckpointError : public Error {
    using Error::Error;
};

/// A device is absent, out of memory, or refuses an operation and nothing else may take it.
class DeviceError : public Error {
    using Error::Error;
};

/// A kernel of Silica's own cannot be made on this machine; LibTorch's serves instead.
class KernelUnavailable : public DeviceError {
    using DeviceError::DeviceError;
};

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_ERROR_HPP
// ---- silica/input/image/image.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_IMAGE_HPP
#define SILICA_SINGLE_INPUT_IMAGE_IMAGE_HPP
/// A picture in memory.

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::image {

/// Rows from the top, each of pixels from the left, each of red, green and blue from 0 to 255; without gaps. Copies
/// share the pixels, which nobody writes to.
class Image {
public:
    static constexpr std::int64_t channels = 3;

    /// Pixels that lie elsewhere, not copied: `owner` keeps them alive, or, where it is null, the caller does.
    /// InputError unless height and width are 1 or more and there are height * width * 3 values.
    Image(std::int64_t height, std::int64_t width, std::span<const std::uint8_t> pixels,
          std::shared_ptr<const void> owner)
        : height_(height), width_(width), pixels_(checked(height, width, pixels)), owner_(std::move(owner)) {}

    /// Pixels that become the image's own.
    Image(std::int64_t height, std::int64_t width, std::vector<std::uint8_t> pixels)
        : Image(height, width, std::make_shared<const std::vector<std::uint8_t>>(std::move(pixels))) {}
    /// What is moved from stays as it was: it would else name pixels that it no longer keeps.
    Image(const Image&) = default;
    Image& operator=(const Image&) = default;

    [[nodiscard]] std::int64_t height() const noexcept { return height_; }
    [[nodiscard]] std::int64_t width() const noexcept { return width_; }
    /// All values, height * width * 3.
    [[nodiscard]] std::span<const std::uint8_t> pixels() const noexcept { return pixels_; }
    /// The values of a row, width * 3.
    [[nodiscard]] std::span<const std::uint8_t> row(std::int64_t y) const noexcept {
        const auto size = static_cast<std::size_t>(width_ * channels);
        return pixels_.subspan(static_cast<std::size_t>(y) * size, size);
    }

    /// The colour that the file says is transparent, as the tRNS of a PNG does: its pixels have it all the same, and a
    /// processor whose do_convert_rgb is true makes them white.
    [[nodiscard]] std::optional<std::array<std::uint8_t, channels>> transparent() const noexcept {
        return transparent_;
    }
    void set_transparent(std::optional<std::array<std::uint8_t, channels>> colour) noexcept { transparent_ = colour; }

private:
    Image(std::int64_t height, std::int64_t width, std::shared_ptr<const std::vector<std::uint8_t>> own)
        : Image(height, width, std::span(own->data(), own->size()), own) {}

    static std::span<const std::uint8_t> checked(std::int64_t height, std::int64_t width,
                                                 std::span<const std::uint8_t> pixels) {
        const std::string size =
            "An image of " + std::to_string(height) + " rows and " + std::to_string(width) + " columns";
        constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / channels;
        if (height < 1 || width < 1 || height > most / width)
            throw InputError(size + " cannot be.", "give both a height and a width of 1 or more, in pixels.");
        if (pixels.data() == nullptr || pixels.size() != static_cast<std::uint64_t>(height * width * channels)) {
            throw InputError(size + " has " + std::to_string(height * width * channels) + " values, and was given " +
                                 std::to_string(pixels.size()) + ".",
                             "give red, green and blue of each pixel in turn, row by row, without gaps.");
        }
        return pixels;
    }

    std::int64_t height_, width_;
    std::span<const std::uint8_t> pixels_;
    std::shared_ptr<const void> owner_;
    std::optional<std::array<std::uint8_t, channels>> transparent_;
};

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_IMAGE_HPP

#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace silica::image {

/// Pictures of more pixels are refused: they are made to exhaust memory. The same number as Pillow's. And so are
/// slivers with a longer side than this.
inline constexpr std::int64_t most_pixels = 178'956'970, most_side = 1'000'000;

/// InputError unless a picture of this size can be held. `name` is the file's.
inline void check_size(std::int64_t height, std::int64_t width, std::string_view name) {
    const std::string size = std::string(name) + " has " + std::to_string(height) + " rows and " +
                             std::to_string(width) + " columns of pixels";
    if (height < 1 || width < 1)
        throw InputError(size + ".", "Give a picture with at least one pixel; the file is damaged.");
    if (height > most_pixels / width) {
        throw InputError(size + ", together more than " + std::to_string(most_pixels) + ".",
                         "Give a smaller picture; one as large as this exhausts memory.");
    }
    if (height > most_side || width > most_side) {
        throw InputError(size + ", more than " + std::to_string(most_side) + " on one side.",
                         "Cut the picture into pieces.");
    }
}

/// Rows of red, green and blue to write to, not initialised.
class Canvas {
public:
    /// InputError where the size is refused (`check_size`) or the memory is not there.
    Canvas(std::int64_t height, std::int64_t width, std::string_view name) : height_(height), width_(width) {
        check_size(height, width, name);
        values_.reset(new (std::nothrow) std::uint8_t[size()]);
        if (!values_) {
            throw InputError(
                std::string(name) + " needs " + std::to_string(size() >> 20U) + " MB of memory, more than there is.",
                "Give a smaller picture, or free memory.");
        }
    }

    [[nodiscard]] std::int64_t height() const noexcept { return height_; }
    [[nodiscard]] std::int64_t width() const noexcept { return width_; }
    [[nodiscard]] std::size_t row_size() const noexcept { return static_cast<std::size_t>(width_ * Image::channels); }
    [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(height_) * row_size(); }
    [[nodiscard]] std::uint8_t* row(std::int64_t y) noexcept {
        return values_.get() + static_cast<std::size_t>(y) * row_size();
    }

    /// The picture; nobody writes to it from here on.
    [[nodiscard]] Image finish() && {
        const std::span<const std::uint8_t> pixels(values_.get(), size());
        return {height_, width_, pixels, std::shared_ptr<const std::uint8_t[]>(std::move(values_))};
    }

private:
    std::int64_t height_, width_;
    std::unique_ptr<std::uint8_t[]> values_;
};

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_CANVAS_HPP
// ---- silica/input/image/check_steps.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_CHECK_STEPS_HPP
#define SILICA_SINGLE_INPUT_IMAGE_CHECK_STEPS_HPP
/// What the steps of a processor can work with, whether a file or a program says it.

// ---- silica/input/image/filter.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_FILTER_HPP
#define SILICA_SINGLE_INPUT_IMAGE_FILTER_HPP
/// The filters of resizing, and their weights: those of Pillow.

// ---- silica/core/compiled.hpp
#ifndef SILICA_SINGLE_CORE_COMPILED_HPP
#define SILICA_SINGLE_CORE_COMPILED_HPP
/// Header-only, or compiled once.
///
/// What depends on no policy is declared in a header and defined in the `.ipp` beside it. By default the header
/// includes that file, and all of Silica is in headers. A program that links `silica::compiled` takes the definitions
/// from there instead: the target defines SILICA_COMPILED for its users and for itself.

#ifdef SILICA_COMPILED
#define SILICA_INLINE
#else
#define SILICA_INLINE inline
#endif

/// Marks what a process has once, whichever of its shared objects asks: one symbol under -fvisibility=hidden too.
#if defined(_WIN32)
#define SILICA_API
#else
#define SILICA_API __attribute__((visibility("default")))
#endif
#endif  // SILICA_SINGLE_CORE_COMPILED_HPP

#include <cstdint>
#include <vector>

namespace silica::image {

/// By the numbers that files give them (`resample`).
enum class Filter { nearest = 0, lanczos = 1, bilinear = 2, bicubic = 3, box = 4, hamming = 5 };

/// How pixels of a side are made of another's: pixel i is the sum over k < count[i] of weights[i taps + k] / 2^22 times
/// the pixel first[i] + k; the weights from count[i] to taps are 0.
struct Weights {
    static constexpr int fraction_bits = 22;

    std::int64_t taps = 0;
    std::vector<std::int64_t> first = {}, count = {};
    std::vector<std::int32_t> weights = {};

    /// The `size` pixels from `begin` on of a side that `in` pixels become `out` pixels. Not for Filter::nearest.
    [[nodiscard]] static Weights of(Filter filter, std::int64_t in, std::int64_t out, std::int64_t begin,
                                    std::int64_t size);

    /// The pixels that any of them takes: from `low()` on, before `high()`.
    [[nodiscard]] std::int64_t low() const { return first.front(); }
    [[nodiscard]] std::int64_t high() const { return first.back() + count.back(); }
};

/// The source of each of `out` pixels of a side of `in` when nothing is filtered.
[[nodiscard]] std::vector<std::int64_t> nearest_of(std::int64_t in, std::int64_t out);

}  // namespace silica::image

// ---- silica/input/image/filter.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_FILTER_IPP
#define SILICA_SINGLE_INPUT_IMAGE_FILTER_IPP
/// Weights from filters.

#include <algorithm>
#include <cmath>
#include <numbers>

namespace silica::image {

namespace detail {

[[nodiscard]] inline double sinc(double x) {
    if (x == 0) return 1;
    x *= std::numbers::pi;
    return std::sin(x) / x;
}

[[nodiscard]] inline double filter_radius(Filter filter) {
    switch (filter) {
        case Filter::box:
            return 0.5;
        case Filter::bicubic:
            return 2;
        case Filter::lanczos:
            return 3;
        default:
            return 1;
    }
}

[[nodiscard]] inline double filter_at(Filter filter, double x) {
    const double far = std::abs(x);
    switch (filter) {
        case Filter::box:
            return x > -0.5 && x <= 0.5 ? 1 : 0;
        case Filter::bicubic: {
            constexpr double a = -0.5;
            if (far < 1) return ((a + 2) * far - (a + 3)) * far * far + 1;
            if (far < 2) return (((far - 5) * far + 8) * far - 4) * a;
            return 0;
        }
        case Filter::lanczos:
            return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
        case Filter::hamming: {
            if (far == 0) return 1;
            if (far >= 1) return 0;
            const double y = far * std::numbers::pi;
            // Floats, as in Pillow's source.
            return std::sin(y) / y * (0.54F + 0.46F * std::cos(y));
        }
        default:
            return far < 1 ? 1 - far : 0;
    }
}

}  // namespace detail

SILICA_INLINE Weights Weights::of(Filter filter, std::int64_t in, std::int64_t out, std::int64_t begin,
                                  std::int64_t size) {
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    const double filter_scale = std::max(scale, 1.0);
    const double support = detail::filter_radius(filter) * filter_scale;
    const double inverse = 1 / filter_scale;
    Weights made{.taps = std::min(static_cast<std::int64_t>(std::ceil(support)) * 2 + 1, in)};
    made.weights.resize(static_cast<std::size_t>(size * made.taps));
    std::vector<double> w(static_cast<std::size_t>(made.taps));
    for (std::int64_t i = 0; i < size; ++i) {
        const double centre = (static_cast<double>(begin + i) + 0.5) * scale;
        const auto first = static_cast<std::int64_t>(std::max(centre - support + 0.5, 0.0));
        const auto last = std::min(static_cast<std::int64_t>(centre + support + 0.5), in);
        const auto count = static_cast<std::size_t>(last - first);
        double sum = 0;
        for (std::size_t k = 0; k < count; ++k) {
            const double x = static_cast<double>(static_cast<std::int64_t>(k) + first) - centre + 0.5;
            sum += w[k] = detail::filter_at(filter, x * inverse);
        }
        std::int32_t* to = made.weights.data() + i * made.taps;
        for (std::size_t k = 0; k < count; ++k) {
            const double exact = w[k] / sum * (1 << fraction_bits);
            to[k] = static_cast<std::int32_t>(exact < 0 ? exact - 0.5 : exact + 0.5);
        }
        made.first.push_back(first);
        made.count.push_back(last - first);
    }
    return made;
}

SILICA_INLINE std::vector<std::int64_t> nearest_of(std::int64_t in, std::int64_t out) {
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    std::vector<std::int64_t> made;
    made.reserve(static_cast<std::size_t>(out));
    double at = scale * 0.5;  // summed up, as Pillow does: its roundings decide
    for (std::int64_t i = 0; i < out; ++i, at += scale) made.push_back(std::min(static_cast<std::int64_t>(at), in - 1));
    return made;
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_FILTER_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_FILTER_HPP
// ---- silica/input/image/processor_config.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_PROCESSOR_CONFIG_HPP
#define SILICA_SINGLE_INPUT_IMAGE_PROCESSOR_CONFIG_HPP
/// What the files of a checkpoint say about its pictures: preprocessor_config.json, processor_config.json.

// ---- silica/input/image/extent.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_EXTENT_HPP
#define SILICA_SINGLE_INPUT_IMAGE_EXTENT_HPP
/// The size of a picture: `Extent`, a height and a width in pixels.

// ---- silica/core/anyres.hpp
#ifndef SILICA_SINGLE_CORE_ANYRES_HPP
#define SILICA_SINGLE_CORE_ANYRES_HPP
/// How LLaVA-NeXT looks at an image of any size: resized into one of a list of resolutions, which is cut into tiles.
/// Liu et al. 2024, https://llava-vl.github.io/blog/2024-01-30-llava-next. Followed: transformers,
/// models/llava_next/modeling_llava_next.py and image_processing_utils.py, whose arithmetic this is to the last bit.

#include <cstdint>
#include <optional>
#include <span>

namespace silica::anyres {

/// Height and width, in pixels or in patches.
struct Extent {
    std::int64_t height = 0, width = 0;
    friend bool operator==(const Extent&, const Extent&) = default;
};

/// The resolution that shows most of an image, and of several the one that leaves least empty; the first of equals.
/// Absent where there is none to choose from. All sizes are at least 1 and at most 2^31 - 1.
[[nodiscard]] std::optional<Extent> best_resolution(Extent image, std::span<const Extent> resolutions);

/// What of a grid shows the image, the rest being padding.
struct Shown {
    std::int64_t top = 0, left = 0;  ///< rows and columns before it
    Extent grid;                     ///< its rows and columns
    friend bool operator==(const Shown&, const Shown&) = default;
};

/// What of `grid` (rows and columns of patches) shows an image that was resized into it with its aspect kept. Padding
/// is taken off in pairs: of an odd number one row or column stays.
[[nodiscard]] Shown shown(Extent image, Extent grid);

/// How many features an image has: the patches of the whole image in one tile (`side` x `side`), then those that show
/// it in `tiles` (rows and columns of tiles), with a newline after each row.
[[nodiscard]] inline std::int64_t features(Extent image, Extent tiles, std::int64_t side) {
    const auto grid = shown(image, {tiles.height * side, tiles.width * side}).grid;
    return side * side + grid.height * (grid.width + 1);
}

}  // namespace silica::anyres

// ---- silica/core/anyres.ipp
#ifndef SILICA_SINGLE_CORE_ANYRES_IPP
#define SILICA_SINGLE_CORE_ANYRES_IPP
/// Definitions of anyres.hpp.

#include <algorithm>
#include <cmath>

namespace silica::anyres {

SILICA_INLINE std::optional<Extent> best_resolution(Extent image, std::span<const Extent> resolutions) {
    const auto h = static_cast<double>(image.height), w = static_cast<double>(image.width);
    std::optional<Extent> best;
    std::int64_t most = 0, least_waste = 0;
    for (const auto& r : resolutions) {
        const double scale = std::min(static_cast<double>(r.width) / w, static_cast<double>(r.height) / h);
        const auto area = static_cast<std::int64_t>(w * scale) * static_cast<std::int64_t>(h * scale);
        const auto effective = std::min(area, image.height * image.width);
        const auto waste = r.width * r.height - effective;
        if (best && (effective < most || (effective == most && waste >= least_waste))) continue;
        best = r, most = effective, least_waste = waste;
    }
    return best;
}

namespace detail {

/// int(round(x, 7)) of Python, x >= 0: the whole part, and one more where seven decimals round up to it.
SILICA_INLINE std::int64_t whole_of_rounded(double x) {
    const double above = std::floor(x) + 1;
    return static_cast<std::int64_t>(above - x <= 5e-8 ? above : above - 1);
}

}  // namespace detail

SILICA_INLINE Shown shown(Extent image, Extent grid) {
    const auto h = static_cast<double>(image.height), w = static_cast<double>(image.width);
    const auto rows = static_cast<double>(grid.height), columns = static_cast<double>(grid.width);
    if (w / h > columns / rows) {
        const auto top = (grid.height - detail::whole_of_rounded(h * (columns / w))) / 2;
        return {top, 0, {grid.height - 2 * top, grid.width}};
    }
    const auto left = (grid.width - detail::whole_of_rounded(w * (rows / h))) / 2;
    return {0, left, {grid.height, grid.width - 2 * left}};
}

}  // namespace silica::anyres
#endif  // SILICA_SINGLE_CORE_ANYRES_IPP
#endif  // SILICA_SINGLE_CORE_ANYRES_HPP

namespace silica::image {

using anyres::Extent;

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_EXTENT_HPP
// ---- silica/input/image/size_rule.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_SIZE_RULE_HPP
#define SILICA_SINGLE_INPUT_IMAGE_SIZE_RULE_HPP
/// Sizes as the files of processors give them.

#include <cstdint>

namespace silica::image {

/// A size as the files give one, in one of the forms; the members of other forms are 0.
struct SizeRule {
    std::int64_t height = 0, width = 0;          ///< exactly so
    std::int64_t shortest_edge = 0;              ///< the shorter side is this; the ratio of the sides stays
    std::int64_t longest_edge = 0;               ///< with shortest_edge: and the longer side is at most this
    std::int64_t max_height = 0, max_width = 0;  ///< as large as fits into this
};

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_SIZE_RULE_HPP

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace silica::image {

/// The steps of a processor, by the names of the keys. docs/images.md has the table of keys.
struct ProcessorConfig {
    /// Whose processor: ViTImageProcessor, DeiTImageProcessor, CLIPImageProcessor, VideoMAEImageProcessor,
    /// DetrImageProcessor, SiglipImageProcessor, LlavaImageProcessor, LlavaNextImageProcessor.
    enum class Family { vit, deit, clip, videomae, detr, siglip, llava, llava_next };

    Family family = Family::vit;
    bool do_convert_rgb = false;  ///< before all else, a picture's transparent colour becomes white
    bool do_resize = true;
    SizeRule size = {.height = 224, .width = 224};
    Filter resample = Filter::bilinear;
    bool do_center_crop = false;
    std::optional<SizeRule> crop_size = {};
    bool do_rescale = true;
    double rescale_factor = 1.0 / 255;
    bool do_normalize = true;
    std::array<double, 3> image_mean = {0.5, 0.5, 0.5}, image_std = {0.5, 0.5, 0.5};
    bool do_pad = false;
    std::optional<SizeRule> pad_size = {};  ///< absent: the largest of the batch
    bool pad_to_square = false;             ///< before it is resized, with the colour image_mean: LLaVA's do_pad
    std::vector<Extent> image_grid_pinpoints = {};  ///< LLaVA-NeXT: what pictures may become before they are cut

    /// The side of the squares that LLaVA-NeXT cuts a resized picture into.
    [[nodiscard]] std::int64_t tile_side() const;

    /// What a family's processor does where a file says nothing.
    [[nodiscard]] static ProcessorConfig of(Family family);
    /// Reads the files of a directory. ConfigError where there is none, where it names a processor that is not known,
    /// or where a key has a value that the processor cannot work with.
    [[nodiscard]] static ProcessorConfig open(const std::filesystem::path& directory);
};

}  // namespace silica::image

// ---- silica/input/image/processor_config.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_PROCESSOR_CONFIG_IPP
#define SILICA_SINGLE_INPUT_IMAGE_PROCESSOR_CONFIG_IPP
/// The reading of preprocessor_config.json and its kin, as transformers 5.23 does.

// ---- silica/core/json.hpp
#ifndef SILICA_SINGLE_CORE_JSON_HPP
#define SILICA_SINGLE_CORE_JSON_HPP
/// JSON documents kept as values: configurations. Built on the reader that checkpoint headers use.

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace silica {

/// An integer that 64 bits do not hold: its digits, as the file has them.
struct LongInteger {
    std::string digits;  ///< a '-' comes first where it is negative
};

/// A parsed value. Objects keep the order of the file; a name that stands twice in one object has its last value, as in
/// Python.
class Json {
public:
    using Array = std::vector<Json>;
    using Object = std::vector<std::pair<std::string, Json>>;

    Json() = default;
    template <class T>
        requires(!std::is_same_v<std::remove_cvref_t<T>, Json>)
    explicit Json(T value) : value_(std::move(value)) {}

    /// Parses a whole text (RFC 8259, and the NaN and Infinity that Python writes). `source` names it in errors:
    /// ConfigError with line and column.
    [[nodiscard]] static Json parse(std::string_view text, const std::string& source);

    [[nodiscard]] bool is_null() const { return holds<std::monostate>(); }
    [[nodiscard]] bool is_bool() const { return holds<bool>(); }
    [[nodiscard]] bool is_integer() const { return holds<std::int64_t>(); }
    [[nodiscard]] bool is_long_integer() const { return holds<LongInteger>(); }
    [[nodiscard]] bool is_number() const { return is_integer() || is_long_integer() || holds<double>(); }
    [[nodiscard]] bool is_string() const { return holds<std::string>(); }
    [[nodiscard]] bool is_array() const { return holds<Array>(); }
    [[nodiscard]] bool is_object() const { return holds<Object>(); }

    // Each of these is called only after the question above said yes.
    [[nodiscard]] bool boolean() const { return std::get<bool>(value_); }
    [[nodiscard]] std::int64_t integer() const { return std::get<std::int64_t>(value_); }
    [[nodiscard]] const std::string& digits() const { return std::get<LongInteger>(value_).digits; }
    /// Any number as the nearest double.
    [[nodiscard]] double number() const;
    [[nodiscard]] const std::string& string() const { return std::get<std::string>(value_); }
    [[nodiscard]] const Array& array() const { return std::get<Array>(value_); }
    [[nodiscard]] const Object& object() const { return std::get<Object>(value_); }

    /// The value of a name; null when this is no object or has no such name.
    [[nodiscard]] const Json* find(std::string_view name) const;

    /// The value as short text for an error: `true`, `-3`, `"gelu"`, `a list`.
    [[nodiscard]] std::string brief() const;

private:
    template <class T>
    [[nodiscard]] bool holds() const {
        return std::holds_alternative<T>(value_);
    }
    std::variant<std::monostate, bool, std::int64_t, double, LongInteger, std::string, Array, Object> value_;
};

}  // namespace silica

// ---- silica/core/json.ipp
#ifndef SILICA_SINGLE_CORE_JSON_IPP
#define SILICA_SINGLE_CORE_JSON_IPP
/// Definitions of json.hpp.

// ---- silica/core/json_reader.hpp
#ifndef SILICA_SINGLE_CORE_JSON_READER_HPP
#define SILICA_SINGLE_CORE_JSON_READER_HPP
/// Reads JSON front to back without keeping it: the headers and indexes of checkpoints, which come from strangers and
/// may be 100 MB. One pass, memory only for the string at hand, nesting bounded. (`core/json.hpp` keeps whole
/// documents.)

// ---- silica/core/quote.hpp
#ifndef SILICA_SINGLE_CORE_QUOTE_HPP
#define SILICA_SINGLE_CORE_QUOTE_HPP
/// Names from files and users, made fit to print in an error.

#include <cstddef>
#include <string>
#include <string_view>

namespace silica {

/// `name` in single quotes, fit to print: cut after 120 bytes, control bytes shown as '?'.
[[nodiscard]] inline std::string quote(std::string_view name) {
    constexpr std::size_t longest = 120;
    std::string out = "'";
    for (const char c : name.substr(0, longest)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    if (name.size() > longest) {
        while (out.size() > 1 && (static_cast<unsigned char>(out.back()) & 0xc0U) == 0x80U) out.pop_back();
        if (static_cast<unsigned char>(out.back()) >= 0xc0U) out.pop_back();
        out += "...";
    }
    return out + "'";
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_QUOTE_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

namespace silica {

/// A cursor over JSON text. Every function reads one thing or throws a CheckpointError that says where and why.
class JsonReader {
public:
    /// `source` names the text in errors ("model.safetensors: header"); `remedy` is their second half.
    JsonReader(std::string_view text, std::string source, std::string remedy);

    /// Throws: the text, at this line and column, `problem` ("has no member 'dtype'").
    [[noreturn]] void fail(std::string_view problem) const;

    /// The next byte that is not white space, not consumed; 0 at the end.
    [[nodiscard]] char peek() noexcept {
        while (at_ < text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
            ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }

    /// Reads an object; `member(key)` must read the value that follows.
    template <class Member>
    void object(Member&& member) {
        sequence('{', '}', "an object", [&] {
            std::string key = string();
            expect(':');
            member(std::move(key));
        });
    }

    /// Reads an array; `item()` must read one value.
    template <class Item>
    void array(Item&& item) {
        sequence('[', ']', "an array", item);
    }

    /// Reads a string, with its escapes replaced.
    [[nodiscard]] std::string string();

    /// Reads a whole number from 0 to 2^64 - 1; `what()` names it in errors.
    template <class What>
    [[nodiscard]] std::uint64_t number(What&& what) {
        const char first = peek();
        if (first < '0' || first > '9') fail(what() + " should be a whole number, 0 or more");
        const std::size_t begin = at_;
        std::uint64_t value = 0;
        for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
            const auto digit = static_cast<std::uint64_t>(text_[at_] - '0');
            if (value > (std::numeric_limits<std::uint64_t>::max() - digit) / 10) fail(what() + " is 2^64 or more");
            value = value * 10 + digit;
        }
        if (first == '0' && at_ - begin > 1) fail(what() + " has a leading zero");
        if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E'))
            fail(what() + " should be a whole number");
        return value;
    }

    /// Reads `null` if that comes next.
    [[nodiscard]] bool null();

    /// Reads `word`: true, false or null.
    void literal(std::string_view word);

    /// Reads a number of any kind and returns its text: that of JSON, or NaN, Infinity, -Infinity, as Python writes
    /// them.
    [[nodiscard]] std::string_view number_literal();

    /// Reads any value and forgets it.
    void skip();

    /// Throws unless nothing but white space is left.
    void end();

private:
    template <class Item>
    void sequence(char open, char close, std::string_view what, Item&& item) {
        constexpr int deepest = 64;
        if (peek() != open) fail("should have " + std::string(what) + " here");
        if (++depth_ > deepest) fail("is nested more than 64 deep");
        ++at_;
        if (peek() == close) {
            ++at_;
        } else {
            while (true) {
                item();
                const char c = peek();
                if (c != ',' && c != close) fail(at_ == text_.size() ? "ends too early" : "is not valid JSON");
                ++at_;
                if (c == close) break;
            }
        }
        --depth_;
    }

    void expect(char c);
    void digits();
    unsigned hex4();
    void escape(std::string& out);

    std::string_view text_;
    std::string source_, remedy_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

}  // namespace silica

// ---- silica/core/json_reader.ipp
#ifndef SILICA_SINGLE_CORE_JSON_READER_IPP
#define SILICA_SINGLE_CORE_JSON_READER_IPP
/// Definitions of json_reader.hpp.

// ---- silica/core/utf8.hpp
#ifndef SILICA_SINGLE_CORE_UTF8_HPP
#define SILICA_SINGLE_CORE_UTF8_HPP
/// UTF-8: checking it, writing it.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace silica {

/// The position of the first byte that is not well-formed UTF-8 (RFC 3629), or text.size().
[[nodiscard]] inline std::size_t first_bad_utf8(std::string_view text) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    std::size_t i = 0;
    while (i < text.size()) {
        if (text.size() - i >= 8) {  // eight ASCII bytes at a time
            std::uint64_t word = 0;
            std::memcpy(&word, text.data() + i, 8);
            if ((word & 0x8080808080808080U) == 0) {
                i += 8;
                continue;
            }
        }
        const unsigned lead = at(i);
        if (lead < 0x80) {
            ++i;
            continue;
        }
        const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        if (lead < 0xc2 || lead > 0xf4 || text.size() - i < length) return i;
        const unsigned second = at(i + 1);
        const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;   // no overlong forms
        const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;  // no surrogates, nothing over 10FFFF
        if (second < low || second > high) return i;
        for (std::size_t k = 2; k < length; ++k)
            if ((at(i + k) & 0xc0U) != 0x80U) return i;
        i += length;
    }
    return i;
}

/// Appends the UTF-8 form of a code point (at most 0x10FFFF, no surrogate).
inline void append_utf8(std::string& out, std::uint32_t code) {
    const auto put = [&](std::uint32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
    if (code < 0x80) return put(code);
    if (code < 0x800) {
        put(0xc0U | code >> 6U);
    } else {
        if (code < 0x10000) {
            put(0xe0U | code >> 12U);
        } else {
            put(0xf0U | code >> 18U);
            put(0x80U | (code >> 12U & 0x3fU));
        }
        put(0x80U | (code >> 6U & 0x3fU));
    }
    put(0x80U | (code & 0x3fU));
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_UTF8_HPP

#include <algorithm>

namespace silica {

SILICA_INLINE JsonReader::JsonReader(std::string_view text, std::string source, std::string remedy)
    : text_(text), source_(std::move(source)), remedy_(std::move(remedy)) {
    at_ = first_bad_utf8(text_);
    if (at_ != text_.size()) fail("is not UTF-8");
    at_ = 0;
}

SILICA_INLINE void JsonReader::fail(std::string_view problem) const {
    const auto before = text_.substr(0, std::min(at_, text_.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto newline = before.rfind('\n');
    const auto column = newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
    throw CheckpointError(source_ + " (line " + std::to_string(line) + ", column " + std::to_string(column) + ") " +
                              std::string(problem) + ".",
                          remedy_);
}

SILICA_INLINE std::string JsonReader::string() {
    if (peek() != '"') fail("should have a string here");
    ++at_;
    std::string out;
    while (true) {
        const auto end = std::find_if(text_.begin() + static_cast<std::ptrdiff_t>(at_), text_.end(), [](char c) {
            return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20;
        });
        const auto stop = static_cast<std::size_t>(end - text_.begin());
        out.append(text_, at_, stop - at_);
        at_ = stop;
        if (at_ == text_.size()) fail("ends inside a string");
        if (text_[at_] == '"') break;
        if (text_[at_] != '\\') fail("has a control character in a string");
        escape(out);
    }
    ++at_;
    return out;
}

SILICA_INLINE bool JsonReader::null() {
    if (peek() != 'n') return false;
    literal("null");
    return true;
}

SILICA_INLINE void JsonReader::literal(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) fail("is not valid JSON");
    at_ += word.size();
}

SILICA_INLINE std::string_view JsonReader::number_literal() {
    static_cast<void>(peek());
    const std::size_t begin = at_;
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
        if (text_.substr(at_, word.size()) != word) continue;
        at_ += word.size();
        return text_.substr(begin, word.size());
    }
    const auto next = [this](std::string_view set) {
        return at_ < text_.size() && set.find(text_[at_]) != std::string_view::npos && (++at_, true);
    };
    static_cast<void>(next("-"));
    if (!next("0")) digits();
    if (next(".")) digits();
    if (next("eE")) {
        static_cast<void>(next("+-"));
        digits();
    }
    return text_.substr(begin, at_ - begin);
}

SILICA_INLINE void JsonReader::skip() {
    switch (peek()) {
        case '{':
            return object([this](const std::string&) { skip(); });
        case '[':
            return array([this] { skip(); });
        case '"':
            return static_cast<void>(string());
        case 't':
            return literal("true");
        case 'f':
            return literal("false");
        case 'n':
            return literal("null");
        default:
            static_cast<void>(number_literal());
    }
}

SILICA_INLINE void JsonReader::end() {
    if (peek() != '\0' || at_ != text_.size()) fail("has more text after the end of the JSON");
}

SILICA_INLINE void JsonReader::expect(char c) {
    if (peek() != c) fail(std::string("should have '") + c + "' here");
    ++at_;
}

SILICA_INLINE void JsonReader::digits() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    if (at_ == begin) fail(at_ == text_.size() ? "ends too early" : "is not valid JSON");
}

SILICA_INLINE unsigned JsonReader::hex4() {
    unsigned value = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
        const char c = at_ < text_.size() ? text_[at_] : '\0';
        const char lower = static_cast<char>(c | 0x20);
        if (c >= '0' && c <= '9')
            value = value * 16 + static_cast<unsigned>(c - '0');
        else if (lower >= 'a' && lower <= 'f')
            value = value * 16 + static_cast<unsigned>(lower - 'a' + 10);
        else
            fail("has a bad \\u escape");
    }
    return value;
}

SILICA_INLINE void JsonReader::escape(std::string& out) {
    constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    ++at_;
    const char c = at_ < text_.size() ? text_[at_] : '\0';
    ++at_;
    if (const auto k = letters.find(c); c != '\0' && k != std::string_view::npos) {
        out += meanings[k];
        return;
    }
    if (c != 'u') fail("has a bad escape in a string");
    std::uint32_t code = hex4();
    if (code >= 0xd800 && code < 0xdc00 && text_.substr(std::min(at_, text_.size()), 2) == "\\u") {
        at_ += 2;
        const std::uint32_t low = hex4();
        if (low < 0xdc00 || low > 0xdfff) fail("has half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10U) + (low - 0xdc00);
    } else if (code >= 0xd800 && code < 0xe000) {
        fail("has half of a surrogate pair");
    }
    append_utf8(out, code);
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_JSON_READER_IPP
#endif  // SILICA_SINGLE_CORE_JSON_READER_HPP
// ---- silica/core/real.hpp
#ifndef SILICA_SINGLE_CORE_REAL_HPP
#define SILICA_SINGLE_CORE_REAL_HPP
/// Decimal numbers, read as the nearest double whatever the locale.

#include <charconv>
#include <limits>
#include <locale>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>

namespace silica {

namespace detail {

/// For standard libraries whose from_chars knows no floating point, and for what from_chars calls out of range.
[[nodiscard]] inline double slow_real(std::string_view decimal) {
    std::istringstream in{std::string(decimal)};
    in.imbue(std::locale::classic());
    double value = 0;
    if (in >> value || value == 0) return value;
    return value < 0 ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity();
}

}  // namespace detail

/// The nearest double of `-12.5e+3` and its like, as Python's float() reads it: infinite beyond the largest, zero
/// below the smallest.
[[nodiscard]] inline double read_real(std::string_view decimal) {
#if defined(__cpp_lib_to_chars) && __cpp_lib_to_chars >= 201611L
    double value = 0;
    if (std::from_chars(decimal.data(), decimal.data() + decimal.size(), value).ec == std::errc()) return value;
#endif
    return detail::slow_real(decimal);
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_REAL_HPP

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <functional>
#include <limits>
#include <locale>
#include <sstream>
#include <system_error>

namespace silica {

SILICA_INLINE double Json::number() const {
    if (is_integer()) return static_cast<double>(integer());
    return is_long_integer() ? read_real(digits()) : std::get<double>(value_);
}

SILICA_INLINE const Json* Json::find(std::string_view name) const {
    if (!is_object()) return nullptr;
    for (const auto& [key, value] : object()) {
        if (key == name) return &value;
    }
    return nullptr;
}

SILICA_INLINE std::string Json::brief() const {
    if (is_null()) return "null";
    if (is_bool()) return boolean() ? "true" : "false";
    if (is_integer()) return std::to_string(integer());
    if (is_long_integer()) return digits().size() > 40 ? digits().substr(0, 37) + "..." : digits();
    if (is_string()) return quote(string());
    if (is_array()) return "a list";
    if (is_object()) return "an object";
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text << number();
    return text.str();
}

namespace detail {

/// Reads one document.
class JsonBuilder {
public:
    JsonBuilder(std::string_view text, const std::string& source)
        : in_(text, source, "Correct the file, or download it again.") {}

    [[nodiscard]] Json run() {
        Json made = value();
        in_.end();
        return made;
    }

private:
    /// A value takes some fifty bytes whatever its text: `[[],[],` of a gigabyte would take twenty.
    static constexpr std::size_t most_values = std::size_t{1} << 24;
    static constexpr std::size_t most_digits = 4300;  ///< of an integer: Python's limit

    [[nodiscard]] Json value() {
        if (++values_ > most_values) in_.fail("has more than " + std::to_string(most_values) + " values");
        switch (in_.peek()) {
            case '{':
                return object();
            case '[':
                return array();
            case '"':
                return Json(in_.string());
            case 't':
                in_.literal("true");
                return Json(true);
            case 'f':
                in_.literal("false");
                return Json(false);
            case 'n':
                in_.literal("null");
                return {};
            default:
                return number();
        }
    }
    [[nodiscard]] Json object() {
        Json::Object members;
        in_.object([&](std::string name) { members.emplace_back(std::move(name), value()); });
        keep_last(members);
        return Json(std::move(members));
    }
    [[nodiscard]] Json array() {
        Json::Array items;
        in_.array([&] { items.push_back(value()); });
        return Json(std::move(items));
    }
    /// An integer where it is one, else the nearest double.
    [[nodiscard]] Json number() {
        const std::string_view literal = in_.number_literal();
        if (literal.ends_with('N')) return Json(std::numeric_limits<double>::quiet_NaN());
        if (literal.ends_with('y')) {
            const double infinity = std::numeric_limits<double>::infinity();
            return Json(literal.starts_with('-') ? -infinity : infinity);
        }
        if (literal.find_first_of(".eE") != std::string_view::npos) return Json(read_real(literal));
        std::int64_t whole = 0;
        if (std::from_chars(literal.data(), literal.data() + literal.size(), whole).ec == std::errc())
            return Json(whole);
        if (literal.size() > most_digits)
            in_.fail("has an integer of more than " + std::to_string(most_digits) + " digits");
        return Json(LongInteger{std::string(literal)});
    }
    /// Python's rule for a name that stands twice: the first place, the last value.
    static void keep_last(Json::Object& members) {
        std::vector<std::pair<std::size_t, std::size_t>> order;  // hash of the name, place
        order.reserve(members.size());
        for (const auto& member : members) order.emplace_back(std::hash<std::string>{}(member.first), order.size());
        const auto name = [&](const auto& entry) -> const std::string& { return members[entry.second].first; };
        std::sort(order.begin(), order.end(), [&](const auto& a, const auto& b) {
            if (a.first != b.first) return a.first < b.first;
            const int names = name(a).compare(name(b));
            return names != 0 ? names < 0 : a.second < b.second;
        });
        std::vector<bool> gone;
        std::size_t first = 0;
        for (std::size_t i = 1; i < order.size(); ++i) {
            if (order[i].first != order[first].first || name(order[i]) != name(order[first])) {
                first = i;
                continue;
            }
            members[order[first].second].second = std::move(members[order[i].second].second);
            gone.resize(members.size());
            gone[order[i].second] = true;
        }
        if (gone.empty()) return;
        std::size_t place = 0;
        std::erase_if(members, [&](const auto&) { return gone[place++]; });
    }

    JsonReader in_;
    std::size_t values_ = 0;
};

}  // namespace detail

SILICA_INLINE Json Json::parse(std::string_view text, const std::string& source) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    try {
        return detail::JsonBuilder(text, source).run();
    } catch (const CheckpointError& e) {
        throw ConfigError(e.problem(), e.remedy());
    }
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_JSON_IPP
#endif  // SILICA_SINGLE_CORE_JSON_HPP
// ---- silica/input/image/processor_keys.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_PROCESSOR_KEYS_HPP
#define SILICA_SINGLE_INPUT_IMAGE_PROCESSOR_KEYS_HPP
/// The keys of a processor's file, read with the addresses that errors name.

// ---- silica/input/text/json_place.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_JSON_PLACE_HPP
#define SILICA_SINGLE_INPUT_TEXT_JSON_PLACE_HPP
/// A value inside a JSON file together with its address, so that whatever is wrong with it is said by file and key.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace silica::text {

/// A place in a tokenizer file: "tokenizer.json", then "model.vocab" and so on. Reads typed values or throws
/// ConfigError.
class JsonPlace {
public:
    JsonPlace(const Json& value, std::string file, std::string key = {})
        : value_(&value), file_(std::move(file)), key_(std::move(key)) {}

    [[nodiscard]] const Json& raw() const noexcept { return *value_; }
    [[nodiscard]] bool is_null() const noexcept { return value_->is_null(); }
    [[nodiscard]] bool is_object() const noexcept { return value_->is_object(); }
    [[nodiscard]] bool is_array() const noexcept { return value_->is_array(); }
    [[nodiscard]] bool is_string() const noexcept { return value_->is_string(); }

    /// The member `name`, or nothing where it is absent or null.
    [[nodiscard]] std::optional<JsonPlace> find(std::string_view name) const {
        require(value_->is_object(), "an object");
        const Json* found = value_->find(name);
        if (!found || found->is_null()) return std::nullopt;
        return JsonPlace(*found, file_, key_.empty() ? std::string(name) : key_ + "." + std::string(name));
    }
    /// The member `name`; an error where it is absent or null.
    [[nodiscard]] JsonPlace at(std::string_view name) const {
        auto found = find(name);
        if (!found) fail("lacks the key \"" + std::string(name) + "\"");
        return *std::move(found);
    }
    /// The element `index` of an array.
    [[nodiscard]] JsonPlace at(std::size_t index) const {
        require(value_->is_array(), "an array");
        if (index >= size()) fail("has fewer than " + std::to_string(index + 1) + " elements");
        return JsonPlace(value_->array()[index], file_, key_ + "[" + std::to_string(index) + "]");
    }
    [[nodiscard]] std::size_t size() const {
        require(value_->is_array(), "an array");
        return value_->array().size();
    }
    [[nodiscard]] const std::string& string() const {
        require(value_->is_string(), "a string");
        return value_->string();
    }
    [[nodiscard]] bool boolean() const {
        require(value_->is_bool(), "true or false");
        return value_->boolean();
    }
    [[nodiscard]] double number() const {
        require(value_->is_number(), "a number");
        return value_->number();
    }
    /// An integer within [low, high].
    [[nodiscard]] std::int64_t integer(std::int64_t low, std::int64_t high) const {
        require(value_->is_number(), "an integer");
        if (!value_->is_integer() || value_->integer() < low || value_->integer() > high) {
            fail("is " + value_->brief() + ", no integer from " + std::to_string(low) + " to " + std::to_string(high));
        }
        return value_->integer();
    }
    /// A token id.
    [[nodiscard]] std::int32_t id() const { return static_cast<std::int32_t>(integer(0, max_id)); }

    [[nodiscard]] std::string string_or(std::string_view name, std::string fallback) const {
        const auto found = find(name);
        return found ? found->string() : fallback;
    }
    [[nodiscard]] bool boolean_or(std::string_view name, bool fallback) const {
        const auto found = find(name);
        return found ? found->boolean() : fallback;
    }
    /// Whether this is an object with all of these members, null or not.
    [[nodiscard]] bool has(std::initializer_list<std::string_view> names) const {
        for (const auto name : names) {
            if (!value_->find(name)) return false;
        }
        return is_object();
    }
    /// The value of "type"; empty where there is none, as in files of old.
    [[nodiscard]] std::string type_or_none() const {
        const Json* type = value_->find("type");
        return type && type->is_string() ? type->string() : std::string();
    }
    /// The value of "type", which every component of a tokenizer.json has.
    [[nodiscard]] const std::string& type() const { return value_type().value_->string(); }

    /// The steps of a Sequence.
    [[nodiscard]] JsonPlace steps(std::string_view name) const;

    /// Throws ConfigError: this place, and `problem` ("lacks the key ...").
    [[noreturn]] void fail(const std::string& problem) const {
        throw ConfigError(
            file_ + (key_.empty() ? "" : ": " + key_) + " " + problem + ".",
            "Take " + file_ + " from the model's repository again; it is damaged or of an unknown format.");
    }
    /// Throws ConfigError: a component of a type nobody here implements.
    [[noreturn]] void unknown(const std::string& kind) const {
        if (!is_object() || !value_->find("type"))
            fail("has no \"type\", and is no " + kind + " that is known without");
        throw ConfigError(file_ + ": " + key_ + " has the " + kind + " type \"" + type().substr(0, 100) +
                              "\", which Silica does not know.",
                          "Use a checkpoint whose tokenizer has known components, or add the " + kind +
                              " under include/silica/input/text/.");
    }
    [[nodiscard]] const std::string& file() const noexcept { return file_; }
    [[nodiscard]] const std::string& key() const noexcept { return key_; }

    /// The largest token id taken for real; a vocabulary is dense, so larger ones are damage.
    static constexpr std::int64_t max_id = (1 << 26) - 1;

private:
    [[nodiscard]] JsonPlace value_type() const {
        auto place = at("type");
        place.require(place.is_string(), "a string");
        return place;
    }
    void require(bool holds, const char* wanted) const {
        if (!holds) fail("is " + value_->brief() + " where " + wanted + " belongs");
    }

    const Json* value_;
    std::string file_, key_;
};

/// Components nest (Sequence in Sequence); deeper, or more in one sequence, than this is damage.
inline constexpr int max_depth = 4;
inline constexpr std::size_t max_steps = 64;

inline JsonPlace JsonPlace::steps(std::string_view name) const {
    auto made = at(name);
    if (made.size() > max_steps) {
        made.fail("has " + std::to_string(made.size()) + " steps, more than " + std::to_string(max_steps));
    }
    return made;
}

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_JSON_PLACE_HPP

#include <array>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::image::detail {

using text::JsonPlace;

/// The largest side that a file may ask for.
inline constexpr std::int64_t largest_side = 1 << 20;
/// More tiles of a picture than this are refused.
inline constexpr std::int64_t most_tiles = 4096;

/// Reads the keys of a processor. A key that is absent leaves what stands there; one that is null does not.
class ProcessorKeys {
public:
    explicit ProcessorKeys(JsonPlace place) : place_(std::move(place)) {}

    [[nodiscard]] bool has(std::string_view key) const { return place_.raw().find(key) != nullptr; }
    [[nodiscard]] std::optional<JsonPlace> find(std::string_view key) const { return place_.find(key); }

    /// Null is false.
    void read(std::string_view key, bool& value) const {
        if (!has(key)) return;
        const auto place = find(key);
        value = place && (place->raw().is_integer() ? place->integer(0, 1) == 1 : place->boolean());
    }
    /// One number for all three, or three.
    void read(std::string_view key, std::array<double, 3>& values) const {
        const auto place = find(key);
        if (!place) return;
        if (!place->is_array()) return values.fill(finite(*place));
        if (place->size() != values.size())
            place->fail("has " + std::to_string(place->size()) + " numbers where 3 belong, or one without a list");
        for (std::size_t i = 0; i < values.size(); ++i) values[i] = finite(place->at(i));
    }
    void read(std::string_view key, double& value) const {
        if (const auto place = find(key)) value = finite(*place);
    }
    void read(std::string_view key, Filter& filter) const {
        if (const auto place = find(key)) filter = static_cast<Filter>(place->integer(0, 5));
    }
    /// A list of [height, width]; leaves what stands there where the key is absent.
    void read(std::string_view key, std::vector<Extent>& extents) const {
        const auto place = find(key);
        if (!place) return;
        extents.clear();
        for (std::size_t i = 0; i < place->size(); ++i) {
            const auto pair = place->at(i);
            if (pair.size() != 2) pair.fail("has other than two numbers, a height and a width");
            extents.push_back({side(pair.at(std::size_t{0})), side(pair.at(std::size_t{1}))});
        }
    }
    /// Null where the key is absent or null.
    [[nodiscard]] std::optional<SizeRule> size(std::string_view key, bool square,
                                               std::optional<std::int64_t> longest = {}) const {
        const auto place = find(key);
        if (!place) return std::nullopt;
        SizeRule made;
        if (place->is_array()) {
            if (place->size() != 2) place->fail("has other than two numbers, a height and a width");
            made.height = side(place->at(std::size_t{0}));
            made.width = side(place->at(std::size_t{1}));
        } else if (!place->is_object()) {
            const auto n = side(*place);
            if (square)
                made.height = made.width = n;
            else
                made.shortest_edge = n, made.longest_edge = longest.value_or(0);
        } else if (is_form(*place, {"height", "width"})) {
            made.height = side(place->at("height"));
            made.width = side(place->at("width"));
        } else if (is_form(*place, {"shortest_edge"})) {
            made.shortest_edge = side(place->at("shortest_edge"));
        } else if (is_form(*place, {"shortest_edge", "longest_edge"})) {
            made.shortest_edge = side(place->at("shortest_edge"));
            made.longest_edge = side(place->at("longest_edge"));
        } else if (is_form(*place, {"longest_edge"})) {
            made.longest_edge = side(place->at("longest_edge"));
        } else if (is_form(*place, {"max_height", "max_width"})) {
            made.max_height = side(place->at("max_height"));
            made.max_width = side(place->at("max_width"));
        } else {
            place->fail(
                "has none of these sets of keys: height, width; shortest_edge; shortest_edge, longest_edge; "
                "max_height, max_width");
        }
        return made;
    }
    /// Throws where a step is to be done and the key that it needs is null.
    void require(bool step, std::string_view step_key, std::string_view key) const {
        if (!step || !has(key) || find(key)) return;
        place_.fail("has " + std::string(step_key) + " true and " + std::string(key) + " null");
    }
    [[nodiscard]] const JsonPlace& place() const noexcept { return place_; }

private:
    [[nodiscard]] static std::int64_t side(const JsonPlace& place) { return place.integer(1, largest_side); }
    [[nodiscard]] static double finite(const JsonPlace& place) {
        const double value = place.number();
        if (!std::isfinite(value)) place.fail("is no finite number");
        return value;
    }
    [[nodiscard]] static bool is_form(const JsonPlace& place, std::initializer_list<std::string_view> keys) {
        return place.raw().object().size() == keys.size() && place.has(keys);
    }

    JsonPlace place_;
};

}  // namespace silica::image::detail
#endif  // SILICA_SINGLE_INPUT_IMAGE_PROCESSOR_KEYS_HPP
// ---- silica/input/text/file.hpp
#ifndef SILICA_SINGLE_INPUT_TEXT_FILE_HPP
#define SILICA_SINGLE_INPUT_TEXT_FILE_HPP
/// Reading tokenizer files.

// ---- silica/core/impostor.hpp
#ifndef SILICA_SINGLE_CORE_IMPOSTOR_HPP
#define SILICA_SINGLE_CORE_IMPOSTOR_HPP
/// Files that a download left in the place of another: their first bytes tell.

#include <cstddef>
#include <optional>
#include <string_view>

namespace silica {

/// What stands in a file's place, and what to do about it.
struct Impostor {
    std::string_view what;    ///< "a Git LFS pointer"
    std::string_view remedy;  ///< a sentence
};

/// How many bytes of a file `impostor` wants to see.
inline constexpr std::size_t impostor_bytes = 64;

/// What a file that begins with `start` is, when it can be neither weights nor a configuration; nothing otherwise.
[[nodiscard]] std::optional<Impostor> impostor(std::string_view start);

}  // namespace silica

// ---- silica/core/impostor.ipp
#ifndef SILICA_SINGLE_CORE_IMPOSTOR_IPP
#define SILICA_SINGLE_CORE_IMPOSTOR_IPP
/// Definitions of impostor.hpp.

#include <algorithm>

namespace silica {

SILICA_INLINE std::optional<Impostor> impostor(std::string_view start) {
    constexpr std::string_view again = "Download the file again, signed in where its repository asks for that.";
    if (start.starts_with("version https://git-lfs"))
        return Impostor{"a Git LFS pointer", "Run `git lfs pull` in its directory."};
    for (const std::string_view message : {"Entry not found", "Repository not found", "Invalid username or password",
                                           "Invalid credentials", "Access to model"})
        if (start.starts_with(message)) return Impostor{"the error message of a download", again};
    start.remove_prefix(std::min(start.find_first_not_of(" \t\r\n\xEF\xBB\xBF"), start.size()));
    for (const std::string_view tag : {"<!doctype", "<html", "<head", "<?xml"}) {
        const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b; };
        if (start.size() >= tag.size() && std::equal(tag.begin(), tag.end(), start.begin(),
                                                     [&](char letter, char found) { return same(found, letter); }))
            return Impostor{"a web page", again};
    }
    return std::nullopt;
}

}  // namespace silica
#endif  // SILICA_SINGLE_CORE_IMPOSTOR_IPP
#endif  // SILICA_SINGLE_CORE_IMPOSTOR_HPP

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace silica::text {

/// Whether a regular file of this name is in the directory.
[[nodiscard]] inline bool has_file(const std::filesystem::path& directory, const char* name) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(directory / name, ignored);
}

/// The bytes of a file. ConfigError where it cannot be read or is larger than any tokenizer.
[[nodiscard]] inline std::string read_file(const std::filesystem::path& path) {
    constexpr std::uintmax_t largest = std::uintmax_t{1} << 29;
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (!error && size > largest) {
        throw ConfigError(path.string() + " has " + std::to_string(size) + " bytes, more than any tokenizer file.",
                          "Take the file from the model's repository again.");
    }
    std::ifstream in(path, std::ios::binary);
    std::string bytes(error ? 0 : static_cast<std::size_t>(size), '\0');
    if (error || !in || !in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
        throw ConfigError(path.string() + " cannot be read.", "Check that the file exists and that you may read it.");
    }
    if (const auto found = impostor(bytes)) {
        throw ConfigError(path.string() + " is " + std::string(found->what) + ", not the file itself.",
                          std::string(found->remedy));
    }
    return bytes;
}

/// Parses JSON. `name` is the file, for the error.
[[nodiscard]] inline Json parse_json(std::string_view text, const std::string& name) { return Json::parse(text, name); }

}  // namespace silica::text
#endif  // SILICA_SINGLE_INPUT_TEXT_FILE_HPP

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace silica::image {

namespace detail {

using text::JsonPlace;
using Family = ProcessorConfig::Family;

/// The family that a class name stands for. `place` is where it was found.
[[nodiscard]] inline Family family_of_processor(const JsonPlace& place) {
    std::string_view name = place.string();
    for (const std::string_view ending : {"Fast", "Pil"}) {
        if (name.ends_with(ending)) name.remove_suffix(ending.size());
    }
    for (const std::string_view ending : {"ImageProcessor", "FeatureExtractor"}) {
        if (name.ends_with(ending)) name.remove_suffix(ending.size());
    }
    if (name == "ViT") return Family::vit;
    if (name == "DeiT") return Family::deit;
    if (name == "CLIP") return Family::clip;
    if (name == "VideoMAE") return Family::videomae;
    if (name == "Detr") return Family::detr;
    if (name == "Siglip") return Family::siglip;
    if (name == "Llava") return Family::llava;
    if (name == "LlavaNext") return Family::llava_next;
    throw ConfigError(place.file() + ": " + place.key() + " is " + quote(place.string()) +
                          ", an image processor that Silica does not know.",
                      "Use a checkpoint whose processor is ViT's, DeiT's, CLIP's, SigLIP's, VideoMAE's, DETR's or "
                      "LLaVA's.");
}

/// The same by config.json, where the processor's file names no class.
[[nodiscard]] inline Family family_of_model(const std::filesystem::path& directory, const JsonPlace& place) {
    const auto refuse = [&] {
        throw ConfigError(place.file() +
                              " names no image_processor_type, and config.json beside it does not say whose "
                              "processor this is.",
                          "Add an image_processor_type, as \"ViTImageProcessor\".");
    };
    if (!text::has_file(directory, "config.json")) refuse();
    const auto path = (directory / "config.json").string();
    const auto json = text::parse_json(text::read_file(path), path);
    const JsonPlace config(json, path);
    if (const auto type = config.find("image_processor_type")) return family_of_processor(*type);
    const auto type = config.string_or("model_type", "");
    if (type == "vit") return Family::vit;
    if (type == "deit") return Family::deit;
    if (type == "clip" || type == "xclip") return Family::clip;
    if (type == "videomae") return Family::videomae;
    if (type == "siglip") return Family::siglip;
    if (type == "llava") return Family::llava;
    if (type == "llava_next") return Family::llava_next;
    if (type != "detr") refuse();
    return Family::detr;
}

}  // namespace detail

SILICA_INLINE ProcessorConfig ProcessorConfig::of(Family family) {
    constexpr std::array imagenet_mean = {0.485, 0.456, 0.406}, imagenet_std = {0.229, 0.224, 0.225};
    constexpr std::array openai_mean = {0.48145466, 0.4578275, 0.40821073};
    constexpr std::array openai_std = {0.26862954, 0.26130258, 0.27577711};
    ProcessorConfig made;
    made.family = family;
    const SizeRule square = {.height = 224, .width = 224};
    switch (family) {
        case Family::vit:
            break;
        case Family::deit:
            made.size = {.height = 256, .width = 256};
            made.resample = Filter::bicubic;
            made.do_center_crop = true;
            made.crop_size = square;
            break;
        case Family::siglip:
            made.do_convert_rgb = true;
            made.resample = Filter::bicubic;
            break;
        case Family::llava_next:
            made.image_grid_pinpoints = {{336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008}};
            [[fallthrough]];
        case Family::llava:
        case Family::clip:
            made.do_convert_rgb = true;
            made.resample = Filter::bicubic;
            made.image_mean = openai_mean;
            made.image_std = openai_std;
            [[fallthrough]];
        case Family::videomae:
            made.size = {.shortest_edge = 224};
            made.do_center_crop = true;
            made.crop_size = square;
            break;
        case Family::detr:
            made.size = {.shortest_edge = 800, .longest_edge = 1333};
            made.image_mean = imagenet_mean;
            made.image_std = imagenet_std;
            made.do_pad = true;
            break;
    }
    return made;
}

namespace detail {

/// Sets a size; a null one fails where the step that needs it is on.
inline void read_sizes(const ProcessorKeys& keys, ProcessorConfig& made) {
    const bool detr = made.family == Family::detr, square = made.family == Family::vit || made.family == Family::deit;
    std::optional<std::int64_t> longest;
    if (detr) {
        longest = 1333;
        if (keys.has("max_size")) {
            const auto place = keys.find("max_size");
            longest = place ? place->integer(1, largest_side) : 0;
        }
    }
    bool square_size = false;
    if (made.family == Family::clip) keys.read("use_square_size", square_size);
    if (square_size) {
        made.size = {.height = 224, .width = 224};
    } else {
        if (const auto size = keys.size("size", square, longest)) made.size = *size;
        if (!detr) keys.require(made.do_resize, "do_resize", "size");  // DETR's takes null for absent
    }
    const auto& size = made.size;
    const bool ratio_of_detr = size.shortest_edge > 0 && size.longest_edge == 0 && detr;
    if (made.do_resize && ((size.longest_edge > 0 && size.shortest_edge == 0) || ratio_of_detr)) {
        keys.find("size")->fail(detr ? "has one of shortest_edge and longest_edge, and DETR's processor needs both"
                                     : "has longest_edge alone, which does not say how large a picture becomes");
    }
    if (keys.has("crop_size")) made.crop_size = keys.size("crop_size", true);
    if (made.do_center_crop && !made.crop_size) keys.place().fail("has do_center_crop true and no crop_size");
    if (made.do_center_crop && !detr && made.crop_size->height == 0)
        keys.find("crop_size")->fail("does not have the keys height and width");
    made.pad_size = keys.size("pad_size", true);
    if (made.do_pad && made.pad_size && made.pad_size->height == 0)
        keys.find("pad_size")->fail("does not have the keys height and width");
}

/// Whether do_pad means something else to a family than the sizes of one batch.
[[nodiscard]] inline bool pads_apart(Family family) {
    return family == Family::videomae || family == Family::llava || family == Family::llava_next;
}

/// The colour that pads to a square.
inline void check_square(const ProcessorKeys& keys, const ProcessorConfig& made) {
    if (!made.pad_to_square) return;
    for (const double mean : made.image_mean) {
        if (!(mean > -1.0 / 255 && mean < 256.0 / 255))
            keys.place().fail("has an image_mean that is no colour, and do_pad, which fills with it");
    }
}

/// The tiles of LLaVA-NeXT.
inline void read_tiles(const ProcessorKeys& keys, ProcessorConfig& made) {
    if (made.family != Family::llava_next) return;
    keys.read("image_grid_pinpoints", made.image_grid_pinpoints);
    if (made.image_grid_pinpoints.empty()) keys.place().fail("has no image_grid_pinpoints");
    if (made.size.height == 0 && made.size.shortest_edge == 0)
        keys.place().fail("has a size that does not say how large a tile is");
    for (const auto& grid : made.image_grid_pinpoints) {
        const auto tile = made.tile_side();
        const auto rows = (grid.height + tile - 1) / tile, columns = (grid.width + tile - 1) / tile;
        if (rows * columns > most_tiles) {
            keys.place().fail("has image_grid_pinpoints of " + std::to_string(rows * columns) + " tiles, more than " +
                              std::to_string(most_tiles));
        }
    }
}

[[nodiscard]] inline ProcessorConfig read_processor(const JsonPlace& place, const std::filesystem::path& directory) {
    if (!place.is_object()) place.fail("is no JSON object");
    const ProcessorKeys keys(place);
    auto type = keys.find("image_processor_type");
    if (!type) type = keys.find("feature_extractor_type");
    auto made = ProcessorConfig::of(type ? family_of_processor(*type) : family_of_model(directory, place));
    keys.read("do_convert_rgb", made.do_convert_rgb);
    keys.read("do_resize", made.do_resize);
    keys.read("do_center_crop", made.do_center_crop);
    keys.read("do_rescale", made.do_rescale);
    keys.read("do_normalize", made.do_normalize);
    const bool old_name = made.family == Family::detr && !keys.has("do_pad");
    keys.read(old_name ? "pad_and_return_pixel_mask" : "do_pad", made.do_pad);
    made.pad_to_square = made.do_pad && made.family == Family::llava;
    // VideoMAE's never pads, LLaVA's before it resizes, LLaVA-NeXT's with whole tiles.
    made.do_pad = made.do_pad && !pads_apart(made.family);
    read_sizes(keys, made);
    // DETR's never crops, but wants a crop_size where it is told to.
    made.do_center_crop = made.do_center_crop && made.family != Family::detr;
    if (made.do_resize) {
        keys.require(true, "do_resize", "resample");
        keys.read("resample", made.resample);
    }
    if (made.do_rescale) {
        keys.require(true, "do_rescale", "rescale_factor");
        keys.read("rescale_factor", made.rescale_factor);
    }
    if (made.do_normalize) {
        keys.require(true, "do_normalize", "image_mean");
        keys.require(true, "do_normalize", "image_std");
        keys.read("image_mean", made.image_mean);
        keys.read("image_std", made.image_std);
        for (const double deviation : made.image_std) {
            if (static_cast<float>(deviation) == 0) keys.place().fail("has an image_std of 0");
        }
    }
    if (made.pad_to_square) keys.read("image_mean", made.image_mean);
    check_square(keys, made);
    read_tiles(keys, made);
    return made;
}

}  // namespace detail

SILICA_INLINE std::int64_t ProcessorConfig::tile_side() const {
    if (crop_size && crop_size->height > 0) return crop_size->height;
    return size.height > 0 ? size.height : size.shortest_edge;
}

SILICA_INLINE ProcessorConfig ProcessorConfig::open(const std::filesystem::path& directory) {
    const auto parse = [&](const char* name) {
        auto path = (directory / name).string();
        auto json = text::parse_json(text::read_file(path), path);
        return std::pair(std::move(json), std::move(path));
    };
    if (text::has_file(directory, "processor_config.json")) {
        const auto [json, path] = parse("processor_config.json");
        const detail::JsonPlace top(json, path);
        if (!top.is_object()) top.fail("is no JSON object");
        if (const auto nested = top.find("image_processor")) return detail::read_processor(*nested, directory);
    }
    if (!text::has_file(directory, "preprocessor_config.json")) {
        throw ConfigError(directory.string() +
                              " has no image processor: neither preprocessor_config.json nor "
                              "processor_config.json with an image_processor.",
                          "Download the processor's files of the model into that directory.");
    }
    const auto [json, path] = parse("preprocessor_config.json");
    return detail::read_processor({json, path}, directory);
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_PROCESSOR_CONFIG_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_PROCESSOR_CONFIG_HPP

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

namespace silica::image::detail {

[[noreturn]] inline void refuse_step(const std::string& problem) {
    throw ConfigError("The processor has " + problem + ".",
                      "Take the numbers of the model's preprocessor_config.json.");
}

/// Whether it is a height and a width.
[[nodiscard]] inline bool is_exact(const SizeRule& rule) {
    return rule.height >= 1 && rule.height <= largest_side && rule.width >= 1 && rule.width <= largest_side;
}
/// Whether it says how large a picture becomes.
[[nodiscard]] inline bool says_a_size(const SizeRule& rule) {
    const auto none = [](std::int64_t a, std::int64_t b = 0) { return a == 0 && b == 0; };
    const auto side = [](std::int64_t n, std::int64_t least) { return n >= least && n <= largest_side; };
    const bool exact = is_exact(rule) || none(rule.height, rule.width);
    const bool edges =
        none(rule.shortest_edge, rule.longest_edge) || (side(rule.shortest_edge, 1) && side(rule.longest_edge, 0));
    const bool most = none(rule.max_height, rule.max_width) || (side(rule.max_height, 1) && side(rule.max_width, 1));
    return exact && edges && most && (rule.height > 0 || rule.shortest_edge > 0 || rule.max_height > 0);
}

/// Throws ConfigError where a step that is on lacks what it works with.
inline void check_steps(const ProcessorConfig& config) {
    if (config.family < ProcessorConfig::Family::vit || config.family > ProcessorConfig::Family::llava_next)
        refuse_step("a family that is none");
    const bool tiles = config.family == ProcessorConfig::Family::llava_next;
    if ((config.do_resize || tiles) && !says_a_size(config.size)) refuse_step("a size that is none");
    if (config.do_center_crop && !(config.crop_size && is_exact(*config.crop_size)))
        refuse_step("do_center_crop and no crop_size with height and width");
    if (config.do_pad && config.pad_size && !is_exact(*config.pad_size))
        refuse_step("a pad_size without height and width");
    const auto filter = static_cast<int>(config.resample);
    if (filter < 0 || filter > static_cast<int>(Filter::hamming)) refuse_step("a resample that is no filter");
    if (config.do_rescale && !std::isfinite(config.rescale_factor)) refuse_step("a rescale_factor that is not finite");
    for (std::size_t c = 0; c < 3; ++c) {
        const double mean = config.image_mean[c], deviation = config.image_std[c];
        if (config.do_normalize && !std::isfinite(mean)) refuse_step("an image_mean that is not finite");
        if (config.do_normalize && (static_cast<float>(deviation) == 0 || !std::isfinite(deviation)))
            refuse_step("an image_std that nothing can be divided by");
        if (config.pad_to_square && !(mean > -1.0 / 255 && mean < 256.0 / 255))
            refuse_step("pad_to_square and an image_mean that is no colour");
    }
    if (!tiles) return;
    const auto side = config.tile_side();
    if (side < 1 || side > largest_side || config.image_grid_pinpoints.empty()) refuse_step("no tiles to cut");
    for (const auto& grid : config.image_grid_pinpoints) {
        if (grid.height < 1 || grid.width < 1 || grid.height > largest_side || grid.width > largest_side)
            refuse_step("image_grid_pinpoints that are no sizes");
        const auto rows = (grid.height + side - 1) / side, columns = (grid.width + side - 1) / side;
        if (rows * columns > most_tiles)
            refuse_step("image_grid_pinpoints of more than " + std::to_string(most_tiles) + " tiles");
    }
}

}  // namespace silica::image::detail
#endif  // SILICA_SINGLE_INPUT_IMAGE_CHECK_STEPS_HPP
// ---- silica/input/image/draw.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_DRAW_HPP
#define SILICA_SINGLE_INPUT_IMAGE_DRAW_HPP
/// What was found in a picture, drawn into a copy of it.

#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace silica::image {

/// Red, green and blue, 0 to 255.
using Colour = std::array<std::uint8_t, 3>;

/// The colour that stands for a class or a segment: bright, and unlike those of its neighbours. A number below 0 is
/// nothing, and black.
[[nodiscard]] Colour colour_of(std::int64_t number);

/// A box and what is written at it.
struct DrawnBox {
    /// xmin, ymin, xmax, ymax in pixels from the upper left corner; they may lie outside of the picture.
    std::array<double, 4> corners = {};
    std::string text = {};    ///< "cat 0.98"; what is not printable ASCII is shown as '?'
    std::int64_t number = 0;  ///< of the class, for `colour_of`
};

/// The picture with boxes around what was found, cut at its edges, and their texts on top. Lines and letters are
/// thicker in larger pictures. InputError for a corner that is no finite number.
[[nodiscard]] Image draw_boxes(const Image& image, std::span<const DrawnBox> boxes);

/// The picture with each pixel half in the colour of its number, but for those whose number is not above `none`.
/// `numbers` has one for each pixel, row by row. InputError where there are more or fewer.
[[nodiscard]] Image draw_segments(const Image& image, std::span<const std::int32_t> numbers, std::int32_t none = 0);

/// The colours alone, black where a number is not above `none`. InputError where there are not height * width numbers.
[[nodiscard]] Image segment_colours(std::int64_t height, std::int64_t width, std::span<const std::int32_t> numbers,
                                    std::int32_t none = 0);

}  // namespace silica::image

// ---- silica/input/image/draw.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_DRAW_IPP
#define SILICA_SINGLE_INPUT_IMAGE_DRAW_IPP
/// Rectangles and letters on pixels.

// ---- silica/input/image/font.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_FONT_HPP
#define SILICA_SINGLE_INPUT_IMAGE_FONT_HPP
/// A font of 5 x 7 pixels for what is written into pictures.

#include <array>
#include <cstddef>
#include <cstdint>

namespace silica::image {

/// One character: columns from the left, in each the lowest bit is the topmost of seven pixels.
using Glyph = std::array<std::uint8_t, 5>;

// clang-format off
/// The printable characters of ASCII, from the space to '~'.
inline constexpr std::array<Glyph, 95> font = {{
    {0x00, 0x00, 0x00, 0x00, 0x00}, {0x00, 0x00, 0x5F, 0x00, 0x00}, {0x00, 0x07, 0x00, 0x07, 0x00}, {0x14, 0x7F, 0x14, 0x7F, 0x14}, {0x24, 0x2A, 0x7F, 0x2A, 0x12},
    {0x23, 0x13, 0x08, 0x64, 0x62}, {0x36, 0x49, 0x56, 0x20, 0x50}, {0x00, 0x04, 0x03, 0x00, 0x00}, {0x00, 0x1C, 0x22, 0x41, 0x00}, {0x00, 0x41, 0x22, 0x1C, 0x00},
    {0x2A, 0x1C, 0x7F, 0x1C, 0x2A}, {0x08, 0x08, 0x3E, 0x08, 0x08}, {0x00, 0x50, 0x30, 0x00, 0x00}, {0x08, 0x08, 0x08, 0x08, 0x08}, {0x00, 0x60, 0x60, 0x00, 0x00},
    {0x20, 0x10, 0x08, 0x04, 0x02}, {0x3E, 0x51, 0x49, 0x45, 0x3E}, {0x00, 0x42, 0x7F, 0x40, 0x00}, {0x42, 0x61, 0x51, 0x49, 0x46}, {0x21, 0x41, 0x45, 0x4B, 0x31},
    {0x18, 0x14, 0x12, 0x7F, 0x10}, {0x27, 0x45, 0x45, 0x45, 0x39}, {0x3C, 0x4A, 0x49, 0x49, 0x30}, {0x01, 0x71, 0x09, 0x05, 0x03}, {0x36, 0x49, 0x49, 0x49, 0x36},
    {0x06, 0x49, 0x49, 0x29, 0x1E}, {0x00, 0x36, 0x36, 0x00, 0x00}, {0x00, 0x56, 0x36, 0x00, 0x00}, {0x08, 0x14, 0x22, 0x41, 0x00}, {0x14, 0x14, 0x14, 0x14, 0x14},
    {0x00, 0x41, 0x22, 0x14, 0x08}, {0x02, 0x01, 0x51, 0x09, 0x06}, {0x32, 0x49, 0x79, 0x41, 0x3E}, {0x7E, 0x11, 0x11, 0x11, 0x7E}, {0x7F, 0x49, 0x49, 0x49, 0x36},
    {0x3E, 0x41, 0x41, 0x41, 0x22}, {0x7F, 0x41, 0x41, 0x22, 0x1C}, {0x7F, 0x49, 0x49, 0x49, 0x41}, {0x7F, 0x09, 0x09, 0x09, 0x01}, {0x3E, 0x41, 0x49, 0x49, 0x7A},
    {0x7F, 0x08, 0x08, 0x08, 0x7F}, {0x00, 0x41, 0x7F, 0x41, 0x00}, {0x20, 0x40, 0x41, 0x3F, 0x01}, {0x7F, 0x08, 0x14, 0x22, 0x41}, {0x7F, 0x40, 0x40, 0x40, 0x40},
    {0x7F, 0x02, 0x0C, 0x02, 0x7F}, {0x7F, 0x04, 0x08, 0x10, 0x7F}, {0x3E, 0x41, 0x41, 0x41, 0x3E}, {0x7F, 0x09, 0x09, 0x09, 0x06}, {0x3E, 0x41, 0x51, 0x21, 0x5E},
    {0x7F, 0x09, 0x19, 0x29, 0x46}, {0x46, 0x49, 0x49, 0x49, 0x31}, {0x01, 0x01, 0x7F, 0x01, 0x01}, {0x3F, 0x40, 0x40, 0x40, 0x3F}, {0x1F, 0x20, 0x40, 0x20, 0x1F},
    {0x3F, 0x40, 0x38, 0x40, 0x3F}, {0x63, 0x14, 0x08, 0x14, 0x63}, {0x07, 0x08, 0x70, 0x08, 0x07}, {0x61, 0x51, 0x49, 0x45, 0x43}, {0x00, 0x7F, 0x41, 0x41, 0x00},
    {0x02, 0x04, 0x08, 0x10, 0x20}, {0x00, 0x41, 0x41, 0x7F, 0x00}, {0x04, 0x02, 0x01, 0x02, 0x04}, {0x40, 0x40, 0x40, 0x40, 0x40}, {0x00, 0x01, 0x02, 0x04, 0x00},
    {0x20, 0x54, 0x54, 0x54, 0x78}, {0x7F, 0x48, 0x44, 0x44, 0x38}, {0x38, 0x44, 0x44, 0x44, 0x20}, {0x38, 0x44, 0x44, 0x48, 0x7F}, {0x38, 0x54, 0x54, 0x54, 0x18},
    {0x08, 0x7E, 0x09, 0x01, 0x02}, {0x0C, 0x52, 0x52, 0x52, 0x3E}, {0x7F, 0x08, 0x04, 0x04, 0x78}, {0x00, 0x44, 0x7D, 0x40, 0x00}, {0x20, 0x40, 0x44, 0x3D, 0x00},
    {0x7F, 0x10, 0x28, 0x44, 0x00}, {0x00, 0x41, 0x7F, 0x40, 0x00}, {0x7C, 0x04, 0x18, 0x04, 0x78}, {0x7C, 0x08, 0x04, 0x04, 0x78}, {0x38, 0x44, 0x44, 0x44, 0x38},
    {0x7C, 0x14, 0x14, 0x14, 0x08}, {0x08, 0x14, 0x14, 0x18, 0x7C}, {0x7C, 0x08, 0x04, 0x04, 0x08}, {0x48, 0x54, 0x54, 0x54, 0x20}, {0x04, 0x3F, 0x44, 0x40, 0x20},
    {0x3C, 0x40, 0x40, 0x20, 0x7C}, {0x1C, 0x20, 0x40, 0x20, 0x1C}, {0x3C, 0x40, 0x30, 0x40, 0x3C}, {0x44, 0x28, 0x10, 0x28, 0x44}, {0x0C, 0x50, 0x50, 0x50, 0x3C},
    {0x44, 0x64, 0x54, 0x4C, 0x44}, {0x00, 0x08, 0x36, 0x41, 0x00}, {0x00, 0x00, 0x7F, 0x00, 0x00}, {0x00, 0x41, 0x36, 0x08, 0x00}, {0x10, 0x08, 0x08, 0x10, 0x08},
}};
// clang-format on

/// The picture of a character; that of '?' for what is not printable ASCII.
[[nodiscard]] constexpr const Glyph& glyph_of(char c) noexcept {
    return font[static_cast<std::size_t>((c >= ' ' && c <= '~' ? c : '?') - ' ')];
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_FONT_HPP

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace silica::image {

namespace detail {

/// A copy of a picture to draw on. What lies outside of it is not drawn.
class Drawing {
public:
    explicit Drawing(const Image& image) : canvas_(image.height(), image.width(), "The drawing") {
        std::ranges::copy(image.pixels(), canvas_.row(0));
    }

    [[nodiscard]] std::int64_t height() const noexcept { return canvas_.height(); }
    [[nodiscard]] std::int64_t width() const noexcept { return canvas_.width(); }
    /// A unit of thickness: 1 pixel, more where the shorter side has 480 and more.
    [[nodiscard]] std::int64_t unit() const noexcept {
        return std::max<std::int64_t>(1, std::min(height(), width()) / 240);
    }

    /// Fills columns [left, right) of rows [top, bottom).
    void fill(std::int64_t left, std::int64_t top, std::int64_t right, std::int64_t bottom, Colour colour) {
        left = std::max<std::int64_t>(left, 0);
        right = std::min(right, width());
        bottom = std::min(bottom, height());
        for (std::int64_t y = std::max<std::int64_t>(top, 0); y < bottom; ++y) {
            auto* row = canvas_.row(y);
            for (std::int64_t x = left; x < right; ++x) std::ranges::copy(colour, row + x * Image::channels);
        }
    }

    /// A frame of lines as thick as `thick`, inside [left, right) x [top, bottom).
    void frame(std::int64_t left, std::int64_t top, std::int64_t right, std::int64_t bottom, std::int64_t thick,
               Colour colour) {
        fill(left, top, right, std::min(top + thick, bottom), colour);
        fill(left, std::max(bottom - thick, top), right, bottom, colour);
        fill(left, top, std::min(left + thick, right), bottom, colour);
        fill(std::max(right - thick, left), top, right, bottom, colour);
    }

    /// A character with its upper left corner there, each of its pixels a square of `unit()`.
    void letter(std::int64_t left, std::int64_t top, char c, Colour colour) {
        const auto& glyph = glyph_of(c);
        for (std::int64_t x = 0; x < 5; ++x) {
            for (std::int64_t y = 0; y < 7; ++y) {
                if ((glyph[static_cast<std::size_t>(x)] >> y & 1) == 0) continue;
                fill(left + x * unit(), top + y * unit(), left + (x + 1) * unit(), top + (y + 1) * unit(), colour);
            }
        }
    }

    [[nodiscard]] Image finish() && { return std::move(canvas_).finish(); }

private:
    Canvas canvas_;
};

/// A coordinate as a pixel; far outside is as good as just outside.
inline std::int64_t pixel_of(double coordinate, std::int64_t size) {
    if (!std::isfinite(coordinate)) {
        throw InputError("A corner of a box is " + std::to_string(coordinate) + ".",
                         "draw boxes whose corners are numbers of pixels.");
    }
    return static_cast<std::int64_t>(std::floor(std::clamp(coordinate, -1e4, static_cast<double>(size) + 1e4)));
}

/// One character for each of UTF-8, those that take several bytes being '?'.
inline std::string letters_of(std::string_view text) {
    std::string letters;
    for (const char c : text) {
        if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80U) letters += c;
    }
    return letters;
}

/// Black or white, whichever is seen on `ground` (ITU-R BT.601's luma).
inline Colour ink_on(Colour ground) {
    const int luma = 299 * ground[0] + 587 * ground[1] + 114 * ground[2];
    return luma > 128'000 ? Colour{0, 0, 0} : Colour{255, 255, 255};
}

/// Writes the text of a box above it, or inside where there is no room above.
inline void write_text(Drawing& drawing, const DrawnBox& box) {
    const auto letters = letters_of(box.text);
    if (letters.empty()) return;
    const auto u = drawing.unit(), count = static_cast<std::int64_t>(letters.size());
    const auto width = (6 * count + 1) * u, height = 9 * u;
    const auto left = std::clamp<std::int64_t>(pixel_of(box.corners[0], drawing.width()), 0,
                                               std::max<std::int64_t>(drawing.width() - width, 0));
    auto top = pixel_of(box.corners[1], drawing.height());
    top = std::clamp<std::int64_t>(top < height ? top : top - height, 0,
                                   std::max<std::int64_t>(drawing.height() - height, 0));
    const auto ground = colour_of(box.number);
    drawing.fill(left, top, left + width, top + height, ground);
    for (std::int64_t i = 0; i < count; ++i) {
        const auto at = left + (6 * i + 1) * u;
        if (at >= drawing.width()) break;
        drawing.letter(at, top + u, letters[static_cast<std::size_t>(i)], ink_on(ground));
    }
}

inline void require_count(std::int64_t height, std::int64_t width, std::size_t count) {
    check_size(height, width, "The picture");
    if (count == static_cast<std::size_t>(height * width)) return;
    throw InputError("A picture of " + std::to_string(height) + " rows and " + std::to_string(width) + " columns has " +
                         std::to_string(count) + " numbers of segments.",
                     "give one for each pixel.");
}

}  // namespace detail

SILICA_INLINE Colour colour_of(std::int64_t number) {
    if (number < 0) return {0, 0, 0};
    // Hues a golden section of the circle apart, the circle having 1536 steps: full colours, lightened by a quarter.
    const auto hue = static_cast<int>(static_cast<std::uint64_t>(number) % 1536U * 949U % 1536U);
    const int part = hue / 256, rest = hue % 256;
    const std::array<std::array<int, 3>, 6> circle = {{{255, rest, 0},
                                                       {255 - rest, 255, 0},
                                                       {0, 255, rest},
                                                       {0, 255 - rest, 255},
                                                       {rest, 0, 255},
                                                       {255, 0, 255 - rest}}};
    Colour colour{};
    for (std::size_t c = 0; c < colour.size(); ++c)
        colour[c] = static_cast<std::uint8_t>(64 + circle[static_cast<std::size_t>(part)][c] * 3 / 4);
    return colour;
}

SILICA_INLINE Image draw_boxes(const Image& image, std::span<const DrawnBox> boxes) {
    detail::Drawing drawing(image);
    for (const auto& box : boxes) {
        const auto [x0, y0, x1, y1] = box.corners;
        drawing.frame(detail::pixel_of(x0, drawing.width()), detail::pixel_of(y0, drawing.height()),
                      detail::pixel_of(x1, drawing.width()) + 1, detail::pixel_of(y1, drawing.height()) + 1,
                      std::max<std::int64_t>(drawing.unit(), 1), colour_of(box.number));
    }
    for (const auto& box : boxes) detail::write_text(drawing, box);
    return std::move(drawing).finish();
}

SILICA_INLINE Image draw_segments(const Image& image, std::span<const std::int32_t> numbers, std::int32_t none) {
    detail::require_count(image.height(), image.width(), numbers.size());
    Canvas canvas(image.height(), image.width(), "The drawing");
    const auto from = image.pixels();
    auto* to = canvas.row(0);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const auto colour = colour_of(numbers[i]);
        for (std::size_t c = 0; c < colour.size(); ++c) {
            const auto level = from[3 * i + c];
            to[3 * i + c] = numbers[i] <= none ? level : static_cast<std::uint8_t>((level + colour[c] + 1) / 2);
        }
    }
    return std::move(canvas).finish();
}

SILICA_INLINE Image segment_colours(std::int64_t height, std::int64_t width, std::span<const std::int32_t> numbers,
                                    std::int32_t none) {
    detail::require_count(height, width, numbers.size());
    Canvas canvas(height, width, "The drawing");
    auto* to = canvas.row(0);
    for (std::size_t i = 0; i < numbers.size(); ++i)
        std::ranges::copy(colour_of(numbers[i] <= none ? -1 : numbers[i]), to + 3 * i);
    return std::move(canvas).finish();
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_DRAW_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_DRAW_HPP
// ---- silica/input/image/geometry.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_GEOMETRY_HPP
#define SILICA_SINGLE_INPUT_IMAGE_GEOMETRY_HPP
/// How large a picture becomes, and which part of it a crop takes.

// ---- silica/input/image/region.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_REGION_HPP
#define SILICA_SINGLE_INPUT_IMAGE_REGION_HPP
/// A rectangle of a picture.

#include <cstdint>

namespace silica::image {

/// Rows from `top` and columns from `left` on, in pixels.
struct Region {
    std::int64_t top = 0, left = 0, height = 0, width = 0;

    bool operator==(const Region&) const = default;
};

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_REGION_HPP

#include <cstdint>

namespace silica::image {

/// The size that a picture is resized to. A side may come out as 0, which cannot be.
[[nodiscard]] Extent resized(const SizeRule& rule, Extent picture);

/// A crop about the middle: `part` of the picture stands in the crop from (top, left) on, with zeros around it.
struct Crop {
    Region part = {};
    std::int64_t top = 0, left = 0;
};
[[nodiscard]] Crop cropped(Extent crop, Extent picture);

}  // namespace silica::image

// ---- silica/input/image/geometry.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_GEOMETRY_IPP
#define SILICA_SINGLE_INPUT_IMAGE_GEOMETRY_IPP
/// Sizes and crops, rounded as transformers 5.23 rounds them.

#include <algorithm>
#include <cmath>

namespace silica::image {

namespace detail {

[[nodiscard]] inline std::int64_t whole(double x) { return static_cast<std::int64_t>(x); }

/// One side of a crop: where it begins in the picture, how much of that is there, and where that begins in the crop.
struct CropSide {
    std::int64_t from, size, to;
};
[[nodiscard]] inline CropSide crop_side(std::int64_t crop, std::int64_t picture) {
    if (picture >= crop) return {(picture - crop) / 2, crop, 0};
    return {0, picture, (crop - picture + 1) / 2};
}

}  // namespace detail

SILICA_INLINE Extent resized(const SizeRule& rule, Extent picture) {
    const auto h = static_cast<double>(picture.height), w = static_cast<double>(picture.width);
    if (rule.max_height > 0) {
        const double scale =
            std::min(static_cast<double>(rule.max_height) / h, static_cast<double>(rule.max_width) / w);
        return {detail::whole(h * scale), detail::whole(w * scale)};
    }
    if (rule.shortest_edge == 0) return {rule.height, rule.width};

    std::int64_t side = rule.shortest_edge;
    double exact = static_cast<double>(side);
    if (rule.longest_edge > 0) {
        const double longest = static_cast<double>(rule.longest_edge), low = std::min(h, w), high = std::max(h, w);
        if (high / low * static_cast<double>(side) > longest) {
            exact = longest * low / high;
            side = detail::whole(std::nearbyint(exact));  // half to even
        }
        if (std::min(picture.height, picture.width) == side) return picture;
    }
    if (picture.width < picture.height) return {detail::whole(exact * h / w), side};
    return {side, detail::whole(exact * w / h)};
}

SILICA_INLINE Crop cropped(Extent crop, Extent picture) {
    const auto rows = detail::crop_side(crop.height, picture.height);
    const auto columns = detail::crop_side(crop.width, picture.width);
    return {.part = {.top = rows.from, .left = columns.from, .height = rows.size, .width = columns.size},
            .top = rows.to,
            .left = columns.to};
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_GEOMETRY_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_GEOMETRY_HPP
// ---- silica/input/image/jpeg.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_JPEG_HPP
#define SILICA_SINGLE_INPUT_IMAGE_JPEG_HPP
/// JPEG pictures.

#include <cstddef>
#include <span>
#include <string_view>

namespace silica::image {

/// The picture in a JPEG file, upright, in red, green and blue; see `decode` of read.hpp.
[[nodiscard]] Image decode_jpeg(std::span<const std::byte> file, std::string_view name);

}  // namespace silica::image

// ---- silica/input/image/jpeg.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_JPEG_IPP
#define SILICA_SINGLE_INPUT_IMAGE_JPEG_IPP
/// JPEG by libjpeg-turbo.

// ---- silica/input/image/kind.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_KIND_HPP
#define SILICA_SINGLE_INPUT_IMAGE_KIND_HPP
/// Which kind of picture a file is. The content decides, not the name.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace silica::image {

/// The kinds of file that are read.
enum class Kind { jpeg, png, webp };

/// The kind of a file, from its first bytes. `name` stands in errors. InputError where it is another kind of picture,
/// or none; the error names what it is where that is known.
[[nodiscard]] Kind kind_of(std::span<const std::byte> file, std::string_view name);

namespace detail {

/// `size` bytes from `offset` on as characters; fewer where the file ends.
[[nodiscard]] inline std::string_view text_at(std::span<const std::byte> bytes, std::size_t offset, std::size_t size) {
    if (offset >= bytes.size()) return {};
    const auto rest = bytes.subspan(offset);
    return {reinterpret_cast<const char*>(rest.data()), size < rest.size() ? size : rest.size()};
}

/// Throws InputError: the picture `name` is damaged; `what` says how.
[[noreturn]] void damaged(std::string_view name, const std::string& what);

}  // namespace detail
}  // namespace silica::image

// ---- silica/input/image/kind.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_KIND_IPP
#define SILICA_SINGLE_INPUT_IMAGE_KIND_IPP
/// The first bytes of pictures.

#include <array>
#include <utility>

namespace silica::image {

namespace detail {

SILICA_INLINE void damaged(std::string_view name, const std::string& what) {
    throw InputError(std::string(name) + " " + what + ".",
                     "Take the picture from its source again; the file is damaged.");
}

/// A kind of file that is not read, by what stands in it.
struct OtherKind {
    std::size_t offset;
    std::string_view bytes, kind;
};

inline constexpr std::array other_kinds = {
    OtherKind{0, "GIF8", "a GIF picture"},
    OtherKind{0, std::string_view("BM", 2), "a BMP picture"},
    OtherKind{0, std::string_view("II*\0", 4), "a TIFF picture"},
    OtherKind{0, std::string_view("MM\0*", 4), "a TIFF picture"},
    OtherKind{4, "ftypavif", "an AVIF picture"},
    OtherKind{4, "ftypavis", "an AVIF picture"},
    OtherKind{4, "ftypheic", "a HEIC picture"},
    OtherKind{4, "ftypheix", "a HEIC picture"},
    OtherKind{4, "ftypmif1", "a HEIF picture"},
    OtherKind{4, "ftyp", "a video"},
    OtherKind{0, std::string_view("\0\0\0\x0cjP  ", 8), "a JPEG 2000 picture"},
    OtherKind{0, std::string_view("\xff\x4f\xff\x51", 4), "a JPEG 2000 picture"},
    OtherKind{0, std::string_view("\0\0\0\x0cJXL ", 8), "a JPEG XL picture"},
    OtherKind{0, std::string_view("\xff\x0a", 2), "a JPEG XL picture"},
    OtherKind{0, "8BPS", "a Photoshop picture"},
    OtherKind{0, std::string_view("\0\0\1\0", 4), "an icon"},
    OtherKind{0, "qoif", "a QOI picture"},
    OtherKind{0, "P1", "a PNM picture"},
    OtherKind{0, "P2", "a PNM picture"},
    OtherKind{0, "P3", "a PNM picture"},
    OtherKind{0, "P4", "a PNM picture"},
    OtherKind{0, "P5", "a PNM picture"},
    OtherKind{0, "P6", "a PNM picture"},
    OtherKind{8, "AVI ", "a video"},
    OtherKind{0, "\x1a\x45\xdf\xa3", "a video"},
    OtherKind{0, "<svg", "an SVG drawing"},
    OtherKind{0, "<?xml", "an XML file"},
    OtherKind{0, "%PDF", "a PDF document"},
};

}  // namespace detail

SILICA_INLINE Kind kind_of(std::span<const std::byte> file, std::string_view name) {
    const auto begins = [&](std::size_t offset, std::string_view bytes) {
        return detail::text_at(file, offset, bytes.size()) == bytes;
    };
    if (begins(0, "\xff\xd8\xff")) return Kind::jpeg;
    if (begins(0, "\x89PNG\r\n\x1a\n")) return Kind::png;
    if (begins(0, "RIFF") && begins(8, "WEBPVP8")) return Kind::webp;

    const std::string remedy = "Give a JPEG, PNG or WebP picture; other kinds must be converted first.";
    if (file.empty()) throw InputError(std::string(name) + " is empty.", remedy);
    for (const auto& other : detail::other_kinds) {
        if (begins(other.offset, other.bytes)) {
            throw InputError(std::string(name) + " is " + std::string(other.kind) + ", which is not read.", remedy);
        }
    }
    if (const auto found = impostor(detail::text_at(file, 0, impostor_bytes))) {
        throw InputError(std::string(name) + " is " + std::string(found->what) + ", not the picture itself.",
                         std::string(found->remedy));
    }
    throw InputError(std::string(name) + " is no picture: it begins as no JPEG, PNG or WebP file does.", remedy);
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_KIND_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_KIND_HPP
// ---- silica/input/image/orientation.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_ORIENTATION_HPP
#define SILICA_SINGLE_INPUT_IMAGE_ORIENTATION_HPP
/// Which way up a picture is: the EXIF tag Orientation (274), and XMP's where there is none.

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace silica::image {

/// The orientation in a block of EXIF (a TIFF header and its first directory, in either byte order; "Exif\0\0" may
/// stand before it), from 1 to 8; nothing where the block has none or is damaged.
[[nodiscard]] std::optional<int> exif_orientation(std::span<const std::byte> exif);

/// The orientation in XMP, as `tiff:Orientation="6"` or `<tiff:Orientation>6`; nothing where it has none.
[[nodiscard]] std::optional<int> xmp_orientation(std::string_view xmp);

/// The picture the right way up. An orientation other than 2 to 8 changes nothing.
[[nodiscard]] Image upright(Image image, int orientation, std::string_view name);

}  // namespace silica::image

// ---- silica/input/image/orientation.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_ORIENTATION_IPP
#define SILICA_SINGLE_INPUT_IMAGE_ORIENTATION_IPP
/// Reading the orientation, and turning pictures by it.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

namespace silica::image {

namespace detail {

/// Numbers of a TIFF block; 0 beyond its end.
struct TiffNumbers {
    std::span<const std::byte> bytes;
    bool big_endian = false;

    [[nodiscard]] std::uint32_t number(std::size_t at, std::size_t size) const {
        if (at > bytes.size() || bytes.size() - at < size) return 0;
        std::uint32_t made = 0;
        for (std::size_t i = 0; i < size; ++i) {
            const auto byte = std::to_integer<std::uint32_t>(bytes[at + (big_endian ? i : size - 1 - i)]);
            made = made << 8U | byte;
        }
        return made;
    }
};

/// Copies the pixel (y, x) of the image to (to_y, to_x): to = start + y by_row + x by_column, in pixels.
inline void turn(const Image& image, std::uint8_t* to, std::int64_t start, std::int64_t by_row,
                 std::int64_t by_column) {
    constexpr std::int64_t block = 32;  // both sides of a block fit the first cache
    for (std::int64_t y0 = 0; y0 < image.height(); y0 += block) {
        const std::int64_t y1 = std::min(y0 + block, image.height());
        for (std::int64_t x0 = 0; x0 < image.width(); x0 += block) {
            const std::int64_t x1 = std::min(x0 + block, image.width());
            for (std::int64_t y = y0; y < y1; ++y) {
                const std::uint8_t* from = image.row(y).data();
                for (std::int64_t x = x0; x < x1; ++x) {
                    std::memcpy(to + 3 * (start + y * by_row + x * by_column), from + 3 * x, 3);
                }
            }
        }
    }
}

}  // namespace detail

SILICA_INLINE std::optional<int> exif_orientation(std::span<const std::byte> exif) {
    using namespace std::string_view_literals;
    for (int i = 0; i < 2 && detail::text_at(exif, 0, 6) == "Exif\0\0"sv; ++i) exif = exif.subspan(6);
    const auto magic = detail::text_at(exif, 0, 4);
    if (magic != "II*\0"sv && magic != "MM\0*"sv) return std::nullopt;
    const detail::TiffNumbers tiff{exif, magic[0] == 'M'};
    constexpr std::size_t entry_size = 12;
    constexpr std::uint32_t orientation_tag = 274, short_type = 3, long_type = 4;
    const std::size_t directory = tiff.number(4, 4);
    std::optional<int> found;
    const std::uint32_t entries = tiff.number(directory, 2);
    for (std::uint32_t i = 0; i < entries; ++i) {
        const std::size_t entry = directory + 2 + i * entry_size;
        if (entry + entry_size > exif.size()) break;
        if (tiff.number(entry, 2) != orientation_tag || tiff.number(entry + 4, 4) != 1) continue;
        const auto type = tiff.number(entry + 2, 2);
        if (type != short_type && type != long_type) continue;
        const auto value = tiff.number(entry + 8, type == short_type ? 2 : 4);
        found = value <= 8 ? static_cast<int>(value) : 0;
    }
    return found;
}

SILICA_INLINE std::optional<int> xmp_orientation(std::string_view xmp) {
    constexpr std::string_view name = "tiff:Orientation";
    for (auto at = xmp.find(name); at != std::string_view::npos; at = xmp.find(name, at + 1)) {
        auto rest = xmp.substr(at + name.size());
        if (rest.starts_with("=\""))
            rest.remove_prefix(2);
        else if (rest.starts_with(">"))
            rest.remove_prefix(1);
        else
            continue;
        if (!rest.empty() && rest[0] >= '0' && rest[0] <= '9') return rest[0] - '0';
    }
    return std::nullopt;
}

SILICA_INLINE Image upright(Image image, int orientation, std::string_view name) {
    if (orientation < 2 || orientation > 8) return image;
    const std::int64_t h = image.height(), w = image.width();
    const bool sides_swap = orientation >= 5;
    Canvas to(sides_swap ? w : h, sides_swap ? h : w, name);
    const std::int64_t last = h * w - 1;
    // Where the first pixel goes, and by how much a row and a column move it.
    switch (orientation) {
        case 2:
            detail::turn(image, to.row(0), w - 1, w, -1);
            break;  // mirrored
        case 3:
            detail::turn(image, to.row(0), last, -w, -1);
            break;  // turned by 180 degrees
        case 4:
            detail::turn(image, to.row(0), last - w + 1, -w, 1);
            break;  // upside down
        case 5:
            detail::turn(image, to.row(0), 0, 1, h);
            break;  // rows become columns
        case 6:
            detail::turn(image, to.row(0), h - 1, -1, h);
            break;  // to be turned clockwise
        case 7:
            detail::turn(image, to.row(0), last, -1, -h);
            break;  // 5 and 180 degrees
        default:
            detail::turn(image, to.row(0), last - h + 1, 1, -h);
            break;  // to be turned anticlockwise
    }
    return std::move(to).finish();
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_ORIENTATION_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_ORIENTATION_HPP

#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <jpeglib.h>
// After jpeglib.h.
#include <jerror.h>

namespace silica::image {

namespace detail {

/// A JPEG file being read. libjpeg leaves it by a jump where something is wrong, so nothing here has a destructor but
/// the whole, and what calls libjpeg is called through `step`.
class JpegFile {
public:
    explicit JpegFile(std::span<const std::byte> file) : file_(file) {
        info_.err = jpeg_std_error(&errors_);
        info_.client_data = this;
        errors_.error_exit = [](j_common_ptr info) {
            auto& self = *static_cast<JpegFile*>(info->client_data);
            (*info->err->format_message)(info, self.problem_);
            const int code = info->err->msg_code;
            self.too_large_ = code == JERR_NO_BACKING_STORE || code == JERR_OUT_OF_MEMORY;
            std::longjmp(self.back_, 1);
        };
        errors_.emit_message = [](j_common_ptr info, int level) {
            if (level < 0 && is_damage(info->err->msg_code)) (*info->err->error_exit)(info);
        };
        errors_.output_message = [](j_common_ptr) {};
        progress_.progress_monitor = [](j_common_ptr info) {
            static_cast<JpegFile*>(info->client_data)->check_scans();
        };
    }
    ~JpegFile() { jpeg_destroy_decompress(&info_); }
    JpegFile(const JpegFile&) = delete;
    JpegFile& operator=(const JpegFile&) = delete;

    /// Reads the header. False: `fail` says why not.
    [[nodiscard]] bool read_header() {
        return step([](JpegFile& self) {
            jpeg_create_decompress(&self.info_);
            self.info_.progress = &self.progress_;
            self.info_.mem->max_memory_to_use = most_memory;
            jpeg_mem_src(&self.info_, reinterpret_cast<const unsigned char*>(self.file_.data()),
                         static_cast<unsigned long>(self.file_.size()));
            jpeg_save_markers(&self.info_, JPEG_APP0 + 1, 0xffff);
            jpeg_read_header(&self.info_, TRUE);
        });
    }
    /// Begins with the pixels: rows of red, green and blue, or of four inks.
    [[nodiscard]] bool start() {
        return step([](JpegFile& self) {
            self.info_.out_color_space = self.channels() == 4 ? JCS_CMYK : JCS_RGB;
            jpeg_start_decompress(&self.info_);
        });
    }
    /// Reads rows to `to`, row after row; `stop` at most.
    [[nodiscard]] bool read_rows(std::uint8_t* to, std::int64_t stop) {
        to_ = to;
        stop_ = static_cast<JDIMENSION>(stop);
        return step([](JpegFile& self) {
            const std::size_t size = static_cast<std::size_t>(self.info_.output_width) *
                                     static_cast<std::size_t>(self.info_.output_components);
            while (self.info_.output_scanline < self.stop_) {
                JSAMPROW rows[] = {self.to_, self.to_ + size, self.to_ + 2 * size, self.to_ + 3 * size};
                const JDIMENSION left = self.stop_ - self.info_.output_scanline;
                const JDIMENSION read = jpeg_read_scanlines(&self.info_, rows, left < 4 ? left : 4);
                self.to_ += read * size;
            }
        });
    }
    [[nodiscard]] bool finish() {
        return step([](JpegFile& self) { jpeg_finish_decompress(&self.info_); });
    }

    [[nodiscard]] std::int64_t height() const noexcept { return info_.image_height; }
    [[nodiscard]] std::int64_t width() const noexcept { return info_.image_width; }
    [[nodiscard]] int channels() const noexcept { return info_.num_components; }
    /// Throws what went wrong with the picture `name`.
    [[noreturn]] void fail(std::string_view name) const {
        if (!too_large_) damaged(name, std::string("is no JPEG that can be read (") + problem_ + ")");
        throw InputError(std::string(name) +
                             " needs more memory, or more passes over the picture, than are given to one "
                             "JPEG (" +
                             problem_ + ").",
                         "Save it as a baseline JPEG, or smaller.");
    }

    /// Of the markers before the pixels.
    [[nodiscard]] int orientation() const {
        using namespace std::string_view_literals;
        constexpr auto exif_head = "Exif\0\0"sv, xmp_head = "http://ns.adobe.com/xap/1.0/\0"sv;
        std::vector<std::byte> exif;
        std::string_view xmp;
        for (auto* marker = info_.marker_list; marker != nullptr; marker = marker->next) {
            const std::span bytes(reinterpret_cast<const std::byte*>(marker->data), marker->data_length);
            if (text_at(bytes, 0, exif_head.size()) == exif_head) {
                exif.insert(exif.end(), bytes.begin() + exif_head.size(), bytes.end());
            } else if (text_at(bytes, 0, xmp_head.size()) == xmp_head) {
                xmp = text_at(bytes, xmp_head.size(), bytes.size());
            }
        }
        if (const auto found = exif_orientation(exif)) return *found;
        return xmp_orientation(xmp).value_or(1);
    }

private:
    /// For the coefficients of progressive pictures, in bytes.
    static constexpr long most_memory = 1300L << 20U;

    /// Calls libjpeg. False where it jumped back.
    [[nodiscard]] bool step(void (*call)(JpegFile&)) {
        if (setjmp(back_) != 0) return false;
        call(*this);
        return true;
    }
    /// Of what libjpeg only warns of, what leaves wrong pixels behind.
    [[nodiscard]] static bool is_damage(int code) {
        return code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_JPEG_EOF ||
               code == JWRN_MUST_RESYNC || code == JWRN_ARITH_BAD_CODE;
    }
    /// A progressive file may hold any number of scans, each of which passes over the whole picture in a few bytes.
    void check_scans() {
        constexpr std::int64_t free_scans = 32, most_work = std::int64_t{1} << 32U;  // scans, and scans times pixels
        const std::int64_t scans = info_.input_scan_number;
        if (scans <= free_scans || scans * height() * width() <= most_work) return;
        std::snprintf(problem_, sizeof problem_, "it has more than %d scans", info_.input_scan_number - 1);
        too_large_ = true;
        std::longjmp(back_, 1);
    }

    std::span<const std::byte> file_;
    jpeg_decompress_struct info_ = {};
    jpeg_error_mgr errors_ = {};
    jpeg_progress_mgr progress_ = {};
    std::jmp_buf back_;
    char problem_[JMSG_LENGTH_MAX] = "";
    bool too_large_ = false;
    std::uint8_t* to_ = nullptr;
    JDIMENSION stop_ = 0;
};

/// a b / 255, rounded.
[[nodiscard]] constexpr unsigned product_of_255(unsigned a, unsigned b) {
    const unsigned t = a * b + 128;
    return ((t >> 8U) + t) >> 8U;
}

/// Four inks, stored inverted, to light: red = k - (255 - c) k / 255, as Pillow rounds it.
inline void inks_to_light(const std::uint8_t* inks, std::uint8_t* to, std::int64_t pixels) {
    for (std::int64_t i = 0; i < pixels; ++i, inks += 4, to += 3) {
        const unsigned light = inks[3];
        for (int c = 0; c < 3; ++c) {
            const unsigned ink = 255U - inks[c];
            const unsigned taken = product_of_255(ink, light);
            to[c] = static_cast<std::uint8_t>(light > taken ? light - taken : 0);
        }
    }
}

}  // namespace detail

SILICA_INLINE Image decode_jpeg(std::span<const std::byte> file, std::string_view name) {
    detail::JpegFile jpeg(file);
    const auto require = [&](bool done) {
        if (!done) jpeg.fail(name);
    };
    require(jpeg.read_header());
    if (jpeg.channels() != 1 && jpeg.channels() != 3 && jpeg.channels() != 4)
        detail::damaged(name, "has " + std::to_string(jpeg.channels()) + " colours, which no JPEG has");
    Canvas canvas(jpeg.height(), jpeg.width(), name);
    const int orientation = jpeg.orientation();
    require(jpeg.start());
    if (jpeg.channels() != 4) {
        require(jpeg.read_rows(canvas.row(0), canvas.height()));
    } else {
        std::vector<std::uint8_t> inks(static_cast<std::size_t>(canvas.width()) * 4);
        for (std::int64_t y = 0; y < canvas.height(); ++y) {
            require(jpeg.read_rows(inks.data(), y + 1));
            detail::inks_to_light(inks.data(), canvas.row(y), canvas.width());
        }
    }
    require(jpeg.finish());
    return upright(std::move(canvas).finish(), orientation, name);
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_JPEG_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_JPEG_HPP
// ---- silica/input/image/on_white.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_ON_WHITE_HPP
#define SILICA_SINGLE_INPUT_IMAGE_ON_WHITE_HPP
/// Pictures without their transparent colour.

#include <span>
#include <vector>

namespace silica::image {

/// The pictures with white where each has its transparent colour; others share their pixels with what is given.
/// InputError where the memory is not there.
[[nodiscard]] std::vector<Image> on_white(std::span<const Image> images);

}  // namespace silica::image

// ---- silica/input/image/on_white.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_ON_WHITE_IPP
#define SILICA_SINGLE_INPUT_IMAGE_ON_WHITE_IPP
/// Definitions of on_white.hpp. Followed: transformers 5.23, image_transforms.py (convert_to_rgb).

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace silica::image {

SILICA_INLINE std::vector<Image> on_white(std::span<const Image> images) {
    constexpr std::array<std::uint8_t, 3> white = {255, 255, 255};
    std::vector<Image> made(images.begin(), images.end());
    for (auto& image : made) {
        const auto hidden = image.transparent();
        if (!hidden) continue;
        Canvas canvas(image.height(), image.width(), "A picture on white");
        for (std::int64_t y = 0; y < image.height(); ++y) {
            const std::uint8_t* from = image.row(y).data();
            std::uint8_t* to = canvas.row(y);
            for (std::int64_t x = 0; x < image.width(); ++x, from += Image::channels) {
                const bool shown = !std::equal(hidden->begin(), hidden->end(), from);
                to = std::copy_n(shown ? from : white.data(), Image::channels, to);
            }
        }
        image = std::move(canvas).finish();
    }
    return made;
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_ON_WHITE_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_ON_WHITE_HPP
// ---- silica/input/image/passes.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_PASSES_HPP
#define SILICA_SINGLE_INPUT_IMAGE_PASSES_HPP
/// The two passes of resizing, over rows of bytes, for the instructions that this processor has.
///
/// A level is (2^21 + sum of weight times level) / 2^22, clamped to 0..255. Sums are of integers, so any order of them
/// gives the same bytes.

#include <cstddef>
#include <cstdint>

namespace silica::image {

/// How many rows the pass over columns takes at once, and how many bytes of each in a step.
inline constexpr int rows_at_once = 4;
inline constexpr int step_bytes = 32;

/// The pass over columns: `count` pixels of each of `rows_at_once` rows. Pixel i is the sum over j < steps step_bytes
/// of the weight of j times the byte from[r][3 first[i] + j], each third j for one colour. The weight of the byte 4 l +
/// b of a step is weights[(i steps + step) step_bytes + b step_bytes / 4 + l]: bytes are taken from words.
struct AcrossArguments {
    const std::uint8_t* from[rows_at_once];  ///< a step more than the row may be read
    const std::int64_t* first;
    const std::int32_t* weights;
    std::int64_t count, steps;
    std::uint8_t* to[rows_at_once];
};

/// The pass over rows: `size` bytes, each the sum over k < count of weights[k] times the byte of row k.
struct DownArguments {
    const std::uint8_t* from;
    std::size_t stride;  ///< from row to row, in bytes
    const std::int32_t* weights;
    std::int64_t count, size;
    std::uint8_t* to;
};

/// Both, compiled for one set of instructions.
struct Passes {
    void (*across)(const AcrossArguments&);
    void (*down)(const DownArguments&);
};

/// For the instructions that the program is compiled for, and for the best that this processor has.
[[nodiscard]] Passes baseline_passes();
[[nodiscard]] Passes best_passes();

}  // namespace silica::image

// ---- silica/input/image/passes.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_PASSES_IPP
#define SILICA_SINGLE_INPUT_IMAGE_PASSES_IPP
/// The passes on vectors, the types that g++ and clang have for them.

namespace silica::image {

namespace detail {

/// `W` words of four bytes each at any address, and `W` sums. (Conversions of vectors of bytes are slow with g++.)
template <int W>
struct PassLanes;
template <>
struct PassLanes<4> {
    typedef std::uint32_t Words __attribute__((vector_size(16)));
    typedef std::uint32_t WordsAnywhere __attribute__((vector_size(16), aligned(1), may_alias));
    typedef std::int32_t Sums __attribute__((vector_size(16)));
};
template <>
struct PassLanes<8> {
    typedef std::uint32_t Words __attribute__((vector_size(32)));
    typedef std::uint32_t WordsAnywhere __attribute__((vector_size(32), aligned(1), may_alias));
    typedef std::int32_t Sums __attribute__((vector_size(32)));
};

inline constexpr std::int32_t half_level = 1 << (Weights::fraction_bits - 1);

[[gnu::always_inline]] inline std::uint8_t level_of(std::int32_t sum) {
    const std::int32_t level = sum >> Weights::fraction_bits;
    return static_cast<std::uint8_t>(level < 0 ? 0 : level > 255 ? 255 : level);
}

template <int W>
[[gnu::always_inline]] inline void load_words(typename PassLanes<W>::Words& words, const void* p) {
    words = (typename PassLanes<W>::Words) * static_cast<const typename PassLanes<W>::WordsAnywhere*>(p);
}

/// The byte b of each word.
template <int W>
[[gnu::always_inline]] inline void take_byte(typename PassLanes<W>::Sums& to, const typename PassLanes<W>::Words& words,
                                             int b) {
    to = (typename PassLanes<W>::Sums)(b == 3 ? words >> 24U : (words >> (8U * static_cast<unsigned>(b))) & 255U);
}

template <int W>
[[gnu::always_inline]] inline void across(const AcrossArguments& a) {
    using L = PassLanes<W>;
    constexpr int loads = step_bytes / (4 * W);
    for (std::int64_t i = 0; i < a.count; ++i) {
        // Lane l of sums[r][q] is for the colour (phase + q + l) % 3, phase being that of the first byte of a step.
        typename L::Sums sums[rows_at_once][3] = {};
        const std::int32_t* w = a.weights + i * a.steps * step_bytes;
        const std::int64_t first = 3 * a.first[i];
        for (std::int64_t step = 0; step < a.steps; ++step, w += step_bytes) {
#pragma GCC unroll 2
            for (int m = 0; m < loads; ++m) {
                typename L::Words words[rows_at_once], weight;
#pragma GCC unroll 4
                for (int r = 0; r < rows_at_once; ++r)
                    load_words<W>(words[r], a.from[r] + first + step * step_bytes + m * 4 * W);
#pragma GCC unroll 4
                for (int b = 0; b < 4; ++b) {
                    load_words<W>(weight, w + (b * loads + m) * W);
#pragma GCC unroll 4
                    for (int r = 0; r < rows_at_once; ++r) {
                        typename L::Sums bytes;
                        take_byte<W>(bytes, words[r], b);
                        sums[r][(m * 4 * W + b) % 3] += (typename L::Sums)weight * bytes;
                    }
                }
            }
#pragma GCC unroll 4
            for (auto& s : sums) {
                const typename L::Sums last = s[2];
                s[2] = s[1], s[1] = s[0], s[0] = last;
            }
        }
        const auto phase = static_cast<int>(a.steps * step_bytes % 3);
        for (int r = 0; r < rows_at_once; ++r) {
            std::int32_t of[3] = {half_level, half_level, half_level};
#pragma GCC unroll 3
            for (int q = 0; q < 3; ++q) {
#pragma GCC unroll 8
                for (int l = 0; l < W; ++l) of[(q + l) % 3] += sums[r][q][l];
            }
            for (int c = 0; c < 3; ++c) a.to[r][3 * i + (phase + c) % 3] = level_of(of[c]);
        }
    }
}

template <int W>
[[gnu::always_inline]] inline void down(const DownArguments& a) {
    using L = PassLanes<W>;
    constexpr int words_at_once = 2, block = words_at_once * 4 * W;
    std::int64_t x = 0;
    for (; x + block <= a.size; x += block) {
        typename L::Sums sums[words_at_once][4];
        for (auto& s : sums) {
            for (auto& sum : s) sum = half_level - typename L::Sums{};
        }
        const std::uint8_t* p = a.from + x;
        for (std::int64_t k = 0; k < a.count; ++k, p += a.stride) {
            const auto weight = a.weights[k] - typename L::Sums{};
#pragma GCC unroll 2
            for (int v = 0; v < words_at_once; ++v) {
                typename L::Words words;
                load_words<W>(words, p + v * 4 * W);
#pragma GCC unroll 4
                for (int b = 0; b < 4; ++b) {
                    typename L::Sums bytes;
                    take_byte<W>(bytes, words, b);
                    sums[v][b] += weight * bytes;
                }
            }
        }
        for (int v = 0; v < words_at_once; ++v) {
            typename L::Sums words = {};
            for (int b = 0; b < 4; ++b) {
                typename L::Sums level = sums[v][b] >> Weights::fraction_bits;
                level &= level >= 0;  // a comparison that holds is -1
                level = (level | (level > 255)) & 255;
                words |= level << (8 * b);
            }
            *reinterpret_cast<typename L::WordsAnywhere*>(a.to + x + v * 4 * W) = (typename L::WordsAnywhere)words;
        }
    }
    for (; x < a.size; ++x) {
        std::int32_t sum = half_level;
        const std::uint8_t* p = a.from + x;
        for (std::int64_t k = 0; k < a.count; ++k, p += a.stride) sum += a.weights[k] * *p;
        a.to[x] = level_of(sum);
    }
}

inline void across_baseline(const AcrossArguments& a) { across<4>(a); }
inline void down_baseline(const DownArguments& a) { down<4>(a); }
#if defined(__x86_64__)
[[gnu::target("avx2")]] inline void across_avx2(const AcrossArguments& a) { across<8>(a); }
[[gnu::target("avx2")]] inline void down_avx2(const DownArguments& a) { down<8>(a); }
#endif

}  // namespace detail

SILICA_INLINE Passes baseline_passes() { return {detail::across_baseline, detail::down_baseline}; }

SILICA_INLINE Passes best_passes() {
#if defined(__x86_64__)
    static const bool has_avx2 = __builtin_cpu_supports("avx2") != 0;
    if (has_avx2) return {detail::across_avx2, detail::down_avx2};
#endif
    return baseline_passes();
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_PASSES_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_PASSES_HPP
// ---- silica/input/image/pixels.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_PIXELS_HPP
#define SILICA_SINGLE_INPUT_IMAGE_PIXELS_HPP
/// What a processor makes of pictures.

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace silica::image {

/// The tensors of a batch, row after row.
struct Pixels {
    /// (batch, 3, height, width); of the frames of a video (1, frames, 3, height, width); of tiles (batch, tiles, 3,
    /// height, width), pictures of fewer tiles being padded with tiles of 0.
    std::vector<std::int64_t> shape;
    /// pixel_values: float32, or uint8 where the processor neither rescales nor normalises.
    std::variant<std::vector<float>, std::vector<std::uint8_t>> values;
    /// pixel_mask (batch, height, width): 1 = picture, 0 = padding. Only DETR's processor has one, where it pads.
    std::optional<std::vector<std::int64_t>> mask = {};
};

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_PIXELS_HPP
// ---- silica/input/image/png.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_PNG_HPP
#define SILICA_SINGLE_INPUT_IMAGE_PNG_HPP
/// PNG pictures.

#include <cstddef>
#include <span>
#include <string_view>

namespace silica::image {

/// The picture in a PNG file, upright, in red, green and blue; see `decode` of read.hpp.
[[nodiscard]] Image decode_png(std::span<const std::byte> file, std::string_view name);

}  // namespace silica::image

// ---- silica/input/image/png.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_PNG_IPP
#define SILICA_SINGLE_INPUT_IMAGE_PNG_IPP
/// PNG by libpng.

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <png.h>

namespace silica::image {

namespace detail {

/// A PNG file being read. libpng leaves it by a jump where something is wrong, so nothing here has a destructor but the
/// whole, and what calls libpng is called through `step`.
class PngFile {
public:
    explicit PngFile(std::span<const std::byte> file) : file_(file) {
        png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, [](png_structp, png_const_charp) {});
        if (png_) info_ = png_create_info_struct(png_);
    }
    ~PngFile() { png_destroy_read_struct(&png_, &info_, nullptr); }
    PngFile(const PngFile&) = delete;
    PngFile& operator=(const PngFile&) = delete;

    /// Reads up to the pixels. False: `problem` says why not.
    [[nodiscard]] bool read_header() {
        if (info_ == nullptr) return false;
        return step([](PngFile& self) {
            png_set_read_fn(self.png_, &self, read);
            png_set_crc_action(self.png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
            png_set_user_limits(self.png_, most_side, most_side);
            png_set_chunk_malloc_max(self.png_, most_text);
            png_set_chunk_cache_max(self.png_, most_texts);
            png_set_benign_errors(self.png_, 1);
            png_read_info(self.png_, self.info_);
        });
    }
    /// Says how rows are wanted: red, green and blue of 8 bits; or grey of 16 bits as it is, where there is no alpha.
    [[nodiscard]] bool start() {
        return step([](PngFile& self) {
            const auto colours = png_get_color_type(self.png_, self.info_);
            if (colours == PNG_COLOR_TYPE_PALETTE) {
                png_set_palette_to_rgb(self.png_);
            } else if ((colours & PNG_COLOR_MASK_COLOR) == 0) {
                if (self.bits() < 8) png_set_expand_gray_1_2_4_to_8(self.png_);
                if (!self.clamps()) png_set_gray_to_rgb(self.png_);
            }
            if (self.bits() == 16 && !self.clamps()) png_set_strip_16(self.png_);
            png_set_strip_alpha(self.png_);
            self.passes_ = png_set_interlace_handling(self.png_);
            png_read_update_info(self.png_, self.info_);
            self.row_size_ = png_get_rowbytes(self.png_, self.info_);
        });
    }
    /// Reads one row, or a pass of it over what is there. Rows come in order, as often as there are `passes`.
    [[nodiscard]] bool read_row(std::uint8_t* to) {
        to_ = to;
        return step([](PngFile& self) { png_read_row(self.png_, self.to_, nullptr); });
    }
    /// Reads what stands behind the pixels.
    [[nodiscard]] bool read_end() {
        return step([](PngFile& self) { png_read_end(self.png_, self.info_); });
    }

    [[nodiscard]] std::int64_t height() const noexcept { return png_get_image_height(png_, info_); }
    [[nodiscard]] std::int64_t width() const noexcept { return png_get_image_width(png_, info_); }
    [[nodiscard]] int bits() const noexcept { return png_get_bit_depth(png_, info_); }
    [[nodiscard]] int passes() const noexcept { return passes_; }
    [[nodiscard]] std::size_t row_size() const noexcept { return row_size_; }
    [[nodiscard]] const char* problem() const noexcept { return problem_; }
    /// 16-bit grey without alpha: Pillow clamps it at 255 instead of taking the upper byte.
    [[nodiscard]] bool clamps() const noexcept { return clamps_; }
    void note_kind() noexcept { clamps_ = bits() == 16 && png_get_color_type(png_, info_) == PNG_COLOR_TYPE_GRAY; }

    [[nodiscard]] int orientation() const;
    /// The colour that tRNS makes transparent, as Pillow's pixels have it after convert("RGB"). Before `start`.
    [[nodiscard]] std::optional<std::array<std::uint8_t, 3>> transparent() const;

private:
    /// For what stands beside the pixels: bytes in a chunk, and chunks of text.
    static constexpr png_alloc_size_t most_text = 8U << 20U;
    static constexpr png_uint_32 most_texts = 64;

    [[nodiscard]] bool step(void (*call)(PngFile&)) {
        if (setjmp(png_jmpbuf(png_)) != 0) return false;
        call(*this);
        return true;
    }
    static void fail(png_structp png, png_const_charp message) {
        auto& self = *static_cast<PngFile*>(png_get_error_ptr(png));
        std::snprintf(self.problem_, sizeof self.problem_, "%s", message);
        png_longjmp(png, 1);
    }
    static void read(png_structp png, png_bytep to, png_size_t size) {
        auto& self = *static_cast<PngFile*>(png_get_io_ptr(png));
        if (self.file_.size() - self.at_ < size) png_error(png, "the file ends early");
        std::memcpy(to, self.file_.data() + self.at_, size);
        self.at_ += size;
    }

    std::span<const std::byte> file_;
    std::size_t at_ = 0, row_size_ = 0;
    png_structp png_ = nullptr;
    png_infop info_ = nullptr;
    int passes_ = 1;
    bool clamps_ = false;
    std::uint8_t* to_ = nullptr;
    char problem_[128] = "no memory";
};

/// Four bytes at `at` as a number.
[[nodiscard]] inline std::int64_t png_number(std::span<const std::byte> file, std::size_t at) {
    std::int64_t made = 0;
    for (const auto byte : file.subspan(at, 4)) made = made << 8U | std::to_integer<std::int64_t>(byte);
    return made;
}

/// The file as far as its chunks are whole: libpng takes the memory that a chunk asks for before it sees the bytes.
[[nodiscard]] inline std::span<const std::byte> whole_chunks(std::span<const std::byte> file) {
    constexpr std::size_t signature = 8, frame = 12;  // a chunk's length, kind and sum
    std::size_t at = signature;
    while (at + frame <= file.size()) {
        const auto size = static_cast<std::size_t>(png_number(file, at));
        if (size > file.size() - at - frame) break;
        at += frame + size;
    }
    return file.first(std::min(at, file.size()));
}

/// The bytes of a "Raw profile": hexadecimal digits after three lines.
[[nodiscard]] inline std::vector<std::byte> raw_profile(std::string_view text) {
    for (int line = 0; line < 3; ++line) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) return {};
        text.remove_prefix(end + 1);
    }
    std::vector<std::byte> made;
    int high = -1;
    for (const char c : text) {
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) continue;
        if (high < 0) {
            high = digit;
        } else {
            made.push_back(static_cast<std::byte>(high << 4 | digit));
            high = -1;
        }
    }
    return made;
}

inline int PngFile::orientation() const {
    png_uint_32 size = 0;
    png_bytep exif = nullptr;
    std::optional<int> found;
    if (png_get_eXIf_1(png_, info_, &size, &exif) != 0)
        found = exif_orientation({reinterpret_cast<const std::byte*>(exif), size});
    png_textp texts = nullptr;
    const int count = png_get_text(png_, info_, &texts, nullptr);
    const auto text_of = [&](std::string_view key) {
        std::string_view text;
        for (int i = 0; i < count; ++i) {
            if (key == texts[i].key && texts[i].text)
                text = {texts[i].text, std::max(texts[i].text_length, texts[i].itxt_length)};
        }
        return text;
    };
    if (exif == nullptr) found = exif_orientation(raw_profile(text_of("Raw profile type exif")));
    if (!found) found = xmp_orientation(text_of("XML:com.adobe.xmp"));
    return found.value_or(1);
}

inline std::optional<std::array<std::uint8_t, 3>> PngFile::transparent() const {
    png_bytep first = nullptr;
    int count = 0;
    png_color_16p key = nullptr;
    if (png_get_tRNS(png_, info_, &first, &count, &key) == 0) return std::nullopt;
    const auto kind = png_get_color_type(png_, info_);
    if (kind == PNG_COLOR_TYPE_PALETTE) {  // one colour that is not seen, the others whole; more are forgotten
        const std::span<const png_byte> alphas(first, static_cast<std::size_t>(count));
        png_colorp palette = nullptr;
        int colours = 0;
        const auto hidden = std::find(alphas.begin(), alphas.end(), png_byte{0});
        if (hidden == alphas.end() || std::count(alphas.begin(), alphas.end(), png_byte{255}) + 1 != count ||
            png_get_PLTE(png_, info_, &palette, &colours) == 0) {
            return std::nullopt;
        }
        const auto index = hidden - alphas.begin();
        if (index >= colours) return std::array<std::uint8_t, 3>{0, 0, 0};
        return std::array<std::uint8_t, 3>{palette[index].red, palette[index].green, palette[index].blue};
    }
    const auto low = [](png_uint_16 level) { return static_cast<std::uint8_t>(level & 255U); };
    if (kind == PNG_COLOR_TYPE_RGB) return std::array{low(key->red), low(key->green), low(key->blue)};
    // Grey: a level as it stands in the file, not spread to 0..255; of 1 and 16 bits Pillow compares red alone with it.
    if (bits() == 1) return std::array<std::uint8_t, 3>{key->gray != 0 ? std::uint8_t{255} : std::uint8_t{0}, 0, 0};
    if (bits() == 16) return std::array<std::uint8_t, 3>{low(key->gray), 0, 0};
    const auto level = static_cast<std::uint8_t>(std::min<png_uint_16>(key->gray, 255));
    return std::array{level, level, level};
}

}  // namespace detail

SILICA_INLINE Image decode_png(std::span<const std::byte> file, std::string_view name) {
    // Sizes that libpng would refuse in words of its own. The header comes first, at a place of its own.
    constexpr std::size_t header = 16;
    if (file.size() >= header + 8)
        check_size(detail::png_number(file, header + 4), detail::png_number(file, header), name);
    detail::PngFile png(detail::whole_chunks(file));
    const auto require = [&](bool done) {
        if (!done) detail::damaged(name, std::string("is no PNG that can be read (") + png.problem() + ")");
    };
    require(png.read_header());
    png.note_kind();
    const auto transparent = png.transparent();
    require(png.start());
    Canvas canvas(png.height(), png.width(), name);
    if (!png.clamps()) {
        for (int pass = 0; pass < png.passes(); ++pass) {
            for (std::int64_t y = 0; y < canvas.height(); ++y) require(png.read_row(canvas.row(y)));
        }
    } else {
        // A row of 16-bit values; of an interlaced picture, all of them, since passes add to what is there.
        const std::size_t size = png.row_size();
        const auto kept = static_cast<std::size_t>(png.passes() > 1 ? canvas.height() : 1);
        const std::unique_ptr<std::uint8_t[]> rows(new (std::nothrow) std::uint8_t[kept * size]);
        if (!rows) throw InputError(std::string(name) + " needs more memory than there is.", "Give a smaller picture.");
        for (int pass = 0; pass < png.passes(); ++pass) {
            for (std::int64_t y = 0; y < canvas.height(); ++y) {
                std::uint8_t* row = rows.get() + (png.passes() > 1 ? static_cast<std::size_t>(y) * size : 0);
                require(png.read_row(row));
                if (pass + 1 < png.passes()) continue;
                std::uint8_t* to = canvas.row(y);
                for (std::int64_t x = 0; x < canvas.width(); ++x) {
                    const std::uint8_t level = row[2 * x] != 0 ? 255 : row[2 * x + 1];
                    std::fill_n(to + 3 * x, 3, level);
                }
            }
        }
    }
    (void)png.read_end();  // the pixels are whole; only an orientation may stand there
    Image picture = upright(std::move(canvas).finish(), png.orientation(), name);
    picture.set_transparent(transparent);
    return picture;
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_PNG_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_PNG_HPP
// ---- silica/input/image/processor.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_PROCESSOR_HPP
#define SILICA_SINGLE_INPUT_IMAGE_PROCESSOR_HPP
/// Pictures to the tensors of a model, by the files that stand beside its weights.

#include <filesystem>
#include <span>
#include <utility>
#include <vector>

namespace silica::image {

/// Resizes, crops, rescales, normalises and pads pictures as the PIL processors of transformers 5.23 do, value for
/// value:
///
///     const auto processor = image::Processor::open(directory);
///     const image::Image cat = image::read("cat.jpg");
///     const image::Pixels pixels = processor({&cat, 1});                     // (1, 3, 224, 224), float32
///
/// Several threads may call one processor.
class Processor {
public:
    /// Reads processor_config.json or preprocessor_config.json of a directory. ConfigError where there is neither, or
    /// where a key is wrong.
    [[nodiscard]] static Processor open(const std::filesystem::path& directory) {
        return Processor(ProcessorConfig::open(directory));
    }

    /// ConfigError for a configuration that no step can work with.
    explicit Processor(ProcessorConfig config);

    /// The tensors of a batch. InputError where there is no picture, where pictures come out in different sizes and
    /// nothing pads them, or where one is too narrow to be resized.
    [[nodiscard]] Pixels operator()(std::span<const Image> images) const;

    /// The size that a picture comes out in, a batch's padding apart; of LLaVA-NeXT's the size of each tile.
    /// InputError as above.
    [[nodiscard]] Extent size_of(Extent picture) const;

    /// Whether the pictures of a call are the frames of one video (VideoMAE's processor, which X-CLIP uses).
    [[nodiscard]] bool frames_of_video() const noexcept { return config_.family == ProcessorConfig::Family::videomae; }
    [[nodiscard]] const ProcessorConfig& config() const noexcept { return config_; }

private:
    [[nodiscard]] Pixels process_shown(std::span<const Image> images) const;
    [[nodiscard]] Pixels process(std::span<const Image> images) const;
    [[nodiscard]] Pixels process_tiles(std::span<const Image> images) const;
    [[nodiscard]] std::vector<Image> in_squares(std::span<const Image> images) const;

    ProcessorConfig config_;
};

}  // namespace silica::image

// ---- silica/input/image/processor.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_PROCESSOR_IPP
#define SILICA_SINGLE_INPUT_IMAGE_PROCESSOR_IPP
/// The steps of a processor over a batch.

// ---- silica/input/image/resize.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_RESIZE_HPP
#define SILICA_SINGLE_INPUT_IMAGE_RESIZE_HPP
/// Resizing as Pillow does it, byte for byte.

#include <cstdint>

namespace silica::image {

/// The picture in another size. Each side is filtered on its own, in integers (`Weights`), and rounded to bytes between
/// the two passes; a side that has its size already is left alone. InputError where the size is refused (`check_size`),
/// or the filter is none.
[[nodiscard]] Image resize(const Image& image, std::int64_t height, std::int64_t width, Filter filter);

/// A part of the resized picture, without the work for the rest. InputError where it is not inside of the picture. Any
/// `passes` give the same bytes.
[[nodiscard]] Image resize(const Image& image, std::int64_t height, std::int64_t width, Filter filter, Region part,
                           const Passes& passes = best_passes());

}  // namespace silica::image

// ---- silica/input/image/resize.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_RESIZE_IPP
#define SILICA_SINGLE_INPUT_IMAGE_RESIZE_IPP
/// Resizing: the order of the passes, and what each reads.

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::image {

namespace detail {

inline constexpr std::string_view resized_name = "The resized picture";

/// The pass over columns of the rows from `top` on, before `bottom`.
[[nodiscard]] inline Image resize_across(const Image& image, std::int64_t top, std::int64_t bottom, const Weights& w,
                                         const Passes& passes) {
    const auto width = static_cast<std::int64_t>(w.first.size());
    Canvas to(bottom - top, width, resized_name);
    // Each weight three times, for the three colours, and 0 up to a whole number of steps; in the order of words.
    const std::int64_t steps = (3 * w.taps + step_bytes - 1) / step_bytes;
    std::vector<std::int32_t> weights(static_cast<std::size_t>(width * steps * step_bytes));
    for (std::int64_t i = 0; i < width; ++i) {
        for (std::int64_t j = 0; j < 3 * w.taps; ++j) {
            const std::int64_t step = j / step_bytes, word = j % step_bytes / 4, b = j % 4;
            weights[static_cast<std::size_t>((i * steps + step) * step_bytes + b * step_bytes / 4 + word)] =
                w.weights[static_cast<std::size_t>(i * w.taps + j / 3)];
        }
    }
    // Rows with room behind them, since a step may read beyond the last pixel.
    const std::int64_t low = w.low();
    const auto used = static_cast<std::size_t>(3 * (w.high() - low)),
               padded = used + static_cast<std::size_t>(steps * step_bytes);
    std::vector<std::uint8_t> rows(padded * rows_at_once);
    std::vector<std::int64_t> first(w.first);
    for (auto& i : first) i -= low;
    AcrossArguments arguments{
        .from = {}, .first = first.data(), .weights = weights.data(), .count = width, .steps = steps, .to = {}};
    for (std::int64_t y = top; y < bottom; y += rows_at_once) {
        for (int r = 0; r < rows_at_once; ++r) {
            const std::int64_t row = std::min(y + r, bottom - 1);  // the last ones more than once
            auto* copy = rows.data() + static_cast<std::size_t>(r) * padded;
            std::memcpy(copy, image.row(row).data() + 3 * low, used);
            arguments.from[r] = copy;
            arguments.to[r] = to.row(row - top);
        }
        passes.across(arguments);
    }
    return std::move(to).finish();
}

/// The pass over rows of the columns from `left` on, before `right`. The image's first row is the row `top` of the side
/// that the weights are for.
[[nodiscard]] inline Image resize_down(const Image& image, std::int64_t top, std::int64_t left, std::int64_t right,
                                       const Weights& w, const Passes& passes) {
    const auto height = static_cast<std::int64_t>(w.first.size());
    Canvas to(height, right - left, resized_name);
    for (std::int64_t y = 0; y < height; ++y) {
        const auto i = static_cast<std::size_t>(y);
        passes.down({.from = image.row(w.first[i] - top).data() + 3 * left,
                     .stride = static_cast<std::size_t>(image.width() * Image::channels),
                     .weights = w.weights.data() + y * w.taps,
                     .count = w.count[i],
                     .size = 3 * (right - left),
                     .to = to.row(y)});
    }
    return std::move(to).finish();
}

/// A part of a picture, row by row, each pixel from where `columns` says.
[[nodiscard]] inline Image pick(const Image& image, std::span<const std::int64_t> rows,
                                std::span<const std::int64_t> columns) {
    Canvas to(static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(columns.size()), resized_name);
    for (std::int64_t y = 0; y < to.height(); ++y) {
        const auto* row = image.row(rows[static_cast<std::size_t>(y)]).data();
        auto* out = to.row(y);
        for (const auto x : columns) {
            std::memcpy(out, row + 3 * x, 3);
            out += 3;
        }
    }
    return std::move(to).finish();
}

[[nodiscard]] inline Image cut(const Image& image, const Region& part) {
    if (part == Region{0, 0, image.height(), image.width()}) return image;
    Canvas to(part.height, part.width, resized_name);
    for (std::int64_t y = 0; y < part.height; ++y)
        std::memcpy(to.row(y), image.row(part.top + y).data() + 3 * part.left, to.row_size());
    return std::move(to).finish();
}

[[nodiscard]] inline Image resize_with(const Passes& passes, const Image& image, std::int64_t height,
                                       std::int64_t width, Filter filter, const Region& part) {
    const std::int64_t h = image.height(), w = image.width();
    const std::int64_t right = part.left + part.width, bottom = part.top + part.height;
    if (height == h && width == w) return cut(image, part);
    if (filter == Filter::nearest) {
        const auto rows = nearest_of(h, height), columns = nearest_of(w, width);
        return pick(
            image, std::span(rows).subspan(static_cast<std::size_t>(part.top), static_cast<std::size_t>(part.height)),
            std::span(columns).subspan(static_cast<std::size_t>(part.left), static_cast<std::size_t>(part.width)));
    }
    const auto of_columns = [&] { return Weights::of(filter, w, width, part.left, part.width); };
    const auto of_rows = [&] { return Weights::of(filter, h, height, part.top, part.height); };
    if (width == w) return resize_down(image, 0, part.left, right, of_rows(), passes);
    if (height == h) return resize_across(image, part.top, bottom, of_columns(), passes);
    const Weights rows = of_rows(), columns = of_columns();
    // Pillow's order since its version 13. Levels are clamped between the passes, so it shows.
    if (h > height && h - height > 2 * (w - width)) {
        const std::int64_t left = columns.low();
        const auto between = resize_down(image, 0, left, columns.high(), rows, passes);
        Weights moved = columns;
        for (auto& i : moved.first) i -= left;
        return resize_across(between, 0, part.height, moved, passes);
    }
    const auto between = resize_across(image, rows.low(), rows.high(), columns, passes);
    return resize_down(between, rows.low(), 0, part.width, rows, passes);
}

}  // namespace detail

SILICA_INLINE Image resize(const Image& image, std::int64_t height, std::int64_t width, Filter filter) {
    return resize(image, height, width, filter, {.height = height, .width = width});
}

SILICA_INLINE Image resize(const Image& image, std::int64_t height, std::int64_t width, Filter filter, Region part,
                           const Passes& passes) {
    check_size(height, width, detail::resized_name);
    if (filter < Filter::nearest || filter > Filter::hamming) {
        throw InputError("A picture is resized by filter " + std::to_string(static_cast<int>(filter)) + ".",
                         "Give one of image::Filter.");
    }
    if (part.top < 0 || part.left < 0 || part.height < 1 || part.width < 1 || part.height > height - part.top ||
        part.width > width - part.left) {
        throw InputError("A part of a resized picture lies outside of it.",
                         "Give a part of at least one row and column that is inside.");
    }
    return detail::resize_with(passes, image, height, width, filter, part);
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_RESIZE_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_RESIZE_HPP
// ---- silica/input/image/tiles.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_TILES_HPP
#define SILICA_SINGLE_INPUT_IMAGE_TILES_HPP
/// Pictures of any resolution as tiles of one size (LLaVA-NeXT), and pictures in squares (LLaVA).

#include <array>
#include <cstdint>
#include <vector>

namespace silica::image {

/// The picture as a whole, squeezed to the size of a tile, then its tiles, row by row: resized into its best
/// resolution with its ratio kept, black around it. InputError where a size is refused (`check_size`).
[[nodiscard]] std::vector<Image> tiles_of(const Image& image, const ProcessorConfig& config);

/// The picture in the middle of a square of its longer side, the rest in one colour; an odd row or column is after it.
[[nodiscard]] Image in_square(const Image& image, std::array<std::uint8_t, 3> colour);

}  // namespace silica::image

// ---- silica/input/image/tiles.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_TILES_IPP
#define SILICA_SINGLE_INPUT_IMAGE_TILES_IPP
/// Tiles and squares. Followed: transformers 5.23, image_processing_utils.py
/// (get_patch_output_size), models/llava_next/image_processing_pil_llava_next.py,
/// models/llava/image_processing_pil_llava.py.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>
#include <utility>

namespace silica::image {

namespace tiles_detail {

/// The size of a picture in a grid: the ratio of its sides kept, one of them the grid's.
[[nodiscard]] inline Extent fitted(Extent picture, Extent grid) {
    const auto h = static_cast<double>(picture.height), w = static_cast<double>(picture.width);
    const double scale_w = static_cast<double>(grid.width) / w, scale_h = static_cast<double>(grid.height) / h;
    const auto up = [](double x, std::int64_t most) { return std::min(static_cast<std::int64_t>(std::ceil(x)), most); };
    if (scale_w < scale_h) return {up(h * scale_w, grid.height), grid.width};
    return {grid.height, up(w * scale_h, grid.width)};
}

/// A canvas of one colour.
[[nodiscard]] inline Canvas filled(Extent size, std::array<std::uint8_t, 3> colour, std::string_view name) {
    Canvas canvas(size.height, size.width, name);
    for (std::int64_t y = 0; y < size.height; ++y) {
        auto* to = canvas.row(y);
        for (std::int64_t x = 0; x < size.width; ++x) to = std::copy(colour.begin(), colour.end(), to);
    }
    return canvas;
}

/// A picture on a larger canvas, its first pixel at (top, left).
[[nodiscard]] inline Image placed(const Image& image, std::int64_t top, std::int64_t left, Canvas canvas) {
    for (std::int64_t y = 0; y < image.height(); ++y) {
        const auto row = image.row(y);
        std::memcpy(canvas.row(top + y) + Image::channels * left, row.data(), row.size());
    }
    return std::move(canvas).finish();
}

[[nodiscard]] inline Image cut(const Image& image, const Region& part) {
    Canvas to(part.height, part.width, "A tile");
    for (std::int64_t y = 0; y < part.height; ++y)
        std::memcpy(to.row(y), image.row(part.top + y).data() + Image::channels * part.left, to.row_size());
    return std::move(to).finish();
}

}  // namespace tiles_detail

SILICA_INLINE std::vector<Image> tiles_of(const Image& image, const ProcessorConfig& config) {
    using namespace tiles_detail;
    constexpr std::string_view name = "A picture resized for its tiles";
    const Extent picture{image.height(), image.width()};
    const auto best = anyres::best_resolution(picture, config.image_grid_pinpoints);
    if (!best) throw ConfigError("There are no image_grid_pinpoints.", "List sizes that a picture may be resized to.");
    const Extent grid = *best, size = fitted(picture, grid);
    check_size(grid.height, grid.width, name);
    const auto& rule = config.size;
    const bool exact = rule.height > 0 && rule.width > 0;
    const Extent whole = exact ? Extent{rule.height, rule.width} : Extent{rule.shortest_edge, rule.shortest_edge};
    std::vector<Image> made{resize(image, whole.height, whole.width, config.resample)};
    const Image resized =
        placed(resize(image, size.height, size.width, config.resample), (grid.height - size.height) / 2,
               (grid.width - size.width) / 2, filled(grid, {0, 0, 0}, name));
    const auto side = config.tile_side();
    for (std::int64_t y = 0; y < grid.height; y += side) {
        for (std::int64_t x = 0; x < grid.width; x += side) {
            made.push_back(cut(resized, {.top = y,
                                         .left = x,
                                         .height = std::min(side, grid.height - y),
                                         .width = std::min(side, grid.width - x)}));
        }
    }
    return made;
}

SILICA_INLINE Image in_square(const Image& image, std::array<std::uint8_t, 3> colour) {
    if (image.height() == image.width()) return image;
    const auto side = std::max(image.height(), image.width());
    return tiles_detail::placed(image, (side - image.height()) / 2, (side - image.width()) / 2,
                                tiles_detail::filled({side, side}, colour, "A picture padded to a square"));
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_TILES_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_TILES_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace silica::image {

namespace detail {

[[nodiscard]] inline std::string text_of(Extent size) {
    return std::to_string(size.height) + " x " + std::to_string(size.width);
}

/// What becomes of one picture.
struct Plan {
    Extent resized = {}, out = {};
    Crop crop = {};
};

[[nodiscard]] inline Plan plan_of(const ProcessorConfig& config, Extent picture) {
    Plan plan{.resized = picture};
    if (config.do_resize) {
        plan.resized = resized(config.size, plan.resized);
        const std::string name = "A picture of " + text_of(picture) + " resized for the model";
        if (plan.resized.height < 1 || plan.resized.width < 1) {
            throw InputError(name + " would have " + text_of(plan.resized) + " pixels.",
                             "Give a picture that is less long and narrow.");
        }
        check_size(plan.resized.height, plan.resized.width, name);
    }
    plan.out = plan.resized;
    plan.crop.part = {.height = plan.out.height, .width = plan.out.width};
    if (config.do_center_crop) {
        plan.out = {config.crop_size->height, config.crop_size->width};
        check_size(plan.out.height, plan.out.width, "A picture cropped for the model");
        plan.crop = cropped(plan.out, plan.resized);
    }
    return plan;
}

/// The size that all pictures of a batch get.
[[nodiscard]] inline Extent common_size(const ProcessorConfig& config, std::span<const Plan> plans) {
    Extent size = plans[0].out;
    if (!config.do_pad) {
        for (const auto& plan : plans) {
            if (plan.out == size) continue;
            throw InputError("Pictures of one batch come out as " + text_of(size) + " and " + text_of(plan.out) +
                                 " pixels, and the processor does not pad them.",
                             "Give them one by one, or set do_pad in preprocessor_config.json.");
        }
        return size;
    }
    for (const auto& plan : plans) {
        size.height = std::max(size.height, plan.out.height);
        size.width = std::max(size.width, plan.out.width);
    }
    if (config.pad_size) {
        const Extent wanted{config.pad_size->height, config.pad_size->width};
        if (wanted.height < size.height || wanted.width < size.width) {
            throw InputError("A picture comes out as " + text_of(size) + " pixels, more than the pad_size of " +
                                 text_of(wanted) + ".",
                             "Set a larger pad_size in preprocessor_config.json, or a smaller size.");
        }
        size = wanted;
    }
    check_size(size.height, size.width, "A picture padded for the model");
    return size;
}

/// The number that each level of a colour becomes.
template <class T>
[[nodiscard]] std::array<T, 256> levels_of(const ProcessorConfig& config, std::size_t channel) {
    std::array<T, 256> made;
    for (int level = 0; level < 256; ++level) {
        auto& to = made[static_cast<std::size_t>(level)];
        if constexpr (std::is_same_v<T, std::uint8_t>) {
            to = static_cast<T>(level);
        } else {
            to = static_cast<float>(config.do_rescale ? level * config.rescale_factor : level);
            if (config.do_normalize) {
                to = (to - static_cast<float>(config.image_mean[channel])) /
                     static_cast<float>(config.image_std[channel]);
            }
        }
    }
    return made;
}

/// Writes one picture, rows of `width` numbers, colour after colour `plane` numbers apart.
template <class T>
void process(const ProcessorConfig& config, const Image& image, const Plan& plan,
             const std::array<std::array<T, 256>, 3>& levels, T* to, std::int64_t width, std::int64_t plane) {
    const auto& part = plan.crop.part;
    const Image resized = resize(image, plan.resized.height, plan.resized.width, config.resample, part);
    const bool whole = part.height == plan.out.height && part.width == plan.out.width;
    for (std::size_t c = 0; c < 3; ++c, to += plane) {
        const auto& level = levels[c];
        for (std::int64_t y = 0; !whole && y < plan.out.height; ++y)
            std::fill_n(to + y * width, plan.out.width, level[0]);  // the crop lies on black
        for (std::int64_t y = 0; y < part.height; ++y) {
            const std::uint8_t* from = resized.row(y).data() + c;
            T* row = to + (plan.crop.top + y) * width + plan.crop.left;
            for (std::int64_t x = 0; x < part.width; ++x) row[x] = level[from[3 * x]];
        }
    }
}

template <class T>
[[nodiscard]] std::vector<T> process_all(const ProcessorConfig& config, std::span<const Image> images,
                                         std::span<const Plan> plans, Extent size) {
    const std::int64_t plane = size.height * size.width;
    std::vector<T> values(images.size() * static_cast<std::size_t>(3 * plane));
    const std::array levels = {levels_of<T>(config, 0), levels_of<T>(config, 1), levels_of<T>(config, 2)};
    for (std::size_t i = 0; i < images.size(); ++i) {
        process(config, images[i], plans[i], levels, values.data() + static_cast<std::ptrdiff_t>(i) * 3 * plane,
                size.width, plane);
    }
    return values;
}

/// 1 where a picture is.
[[nodiscard]] inline std::vector<std::int64_t> mask_of(std::span<const Plan> plans, Extent size) {
    const std::int64_t plane = size.height * size.width;
    std::vector<std::int64_t> mask(plans.size() * static_cast<std::size_t>(plane));
    for (std::size_t i = 0; i < plans.size(); ++i) {
        for (std::int64_t y = 0; y < plans[i].out.height; ++y) {
            std::fill_n(mask.begin() + static_cast<std::ptrdiff_t>(i) * plane + y * size.width, plans[i].out.width, 1);
        }
    }
    return mask;
}

}  // namespace detail

SILICA_INLINE Processor::Processor(ProcessorConfig config) : config_(std::move(config)) {
    detail::check_steps(config_);
}

SILICA_INLINE Pixels Processor::process(std::span<const Image> images) const {
    std::vector<detail::Plan> plans;
    for (const auto& image : images) plans.push_back(detail::plan_of(config_, {image.height(), image.width()}));
    const Extent size = detail::common_size(config_, plans);
    Pixels made;
    const auto count = static_cast<std::int64_t>(images.size());
    made.shape = {count, 3, size.height, size.width};
    if (frames_of_video()) made.shape.insert(made.shape.begin(), 1);
    if (config_.do_rescale || config_.do_normalize)
        made.values = detail::process_all<float>(config_, images, plans, size);
    else
        made.values = detail::process_all<std::uint8_t>(config_, images, plans, size);
    if (config_.family == ProcessorConfig::Family::detr && config_.do_pad) made.mask = detail::mask_of(plans, size);
    return made;
}

SILICA_INLINE Pixels Processor::process_tiles(std::span<const Image> images) const {
    std::vector<Pixels> each;
    std::int64_t most = 0;
    for (const auto& image : images) {
        each.push_back(process(tiles_of(image, config_)));
        most = std::max(most, each.back().shape[0]);
    }
    Pixels made;
    made.shape = each.front().shape;
    made.shape[0] = most;
    made.shape.insert(made.shape.begin(), static_cast<std::int64_t>(images.size()));
    std::size_t whole = 1;  // numbers of one picture
    for (auto side = made.shape.begin() + 1; side != made.shape.end(); ++side) whole *= static_cast<std::size_t>(*side);
    std::visit(
        [&](const auto& first) {
            auto all = std::remove_cvref_t<decltype(first)>(whole * images.size());
            for (std::size_t i = 0; i < each.size(); ++i) {
                const auto& part = std::get<std::remove_cvref_t<decltype(first)>>(each[i].values);
                std::ranges::copy(part, all.begin() + static_cast<std::ptrdiff_t>(i * whole));
            }
            made.values = std::move(all);
        },
        each.front().values);
    return made;
}

SILICA_INLINE std::vector<Image> Processor::in_squares(std::span<const Image> images) const {
    std::array<std::uint8_t, 3> colour{};
    for (std::size_t c = 0; c < 3; ++c) colour[c] = static_cast<std::uint8_t>(config_.image_mean[c] * 255);
    std::vector<Image> made;
    for (const auto& image : images) made.push_back(in_square(image, colour));
    return made;
}

SILICA_INLINE Extent Processor::size_of(Extent picture) const {
    constexpr std::int64_t most = std::int64_t{1} << 40;  // what becomes of the sides stays in range
    if (picture.height < 1 || picture.width < 1 || picture.height > most || picture.width > most)
        throw InputError("There is no picture of " + detail::text_of(picture) + " pixels.", "Give the size of one.");
    if (config_.family == ProcessorConfig::Family::llava_next) {
        const auto& size = config_.size;
        picture = size.height > 0 ? Extent{size.height, size.width} : Extent{size.shortest_edge, size.shortest_edge};
    } else if (config_.pad_to_square) {
        picture.height = picture.width = std::max(picture.height, picture.width);
        check_size(picture.height, picture.width, "A picture padded to a square");
    }
    return detail::plan_of(config_, picture).out;
}

SILICA_INLINE Pixels Processor::process_shown(std::span<const Image> images) const {
    if (config_.family == ProcessorConfig::Family::llava_next) return process_tiles(images);
    return config_.pad_to_square ? process(in_squares(images)) : process(images);
}

SILICA_INLINE Pixels Processor::operator()(std::span<const Image> images) const try {
    if (images.empty()) throw InputError("There is no picture to process.", "Give one or more.");
    const auto has_hidden = [](const Image& image) { return image.transparent().has_value(); };
    const bool changes = config_.do_convert_rgb && std::ranges::any_of(images, has_hidden);
    return changes ? process_shown(on_white(images)) : process_shown(images);
} catch (const std::bad_alloc&) {
    throw InputError("A batch of " + std::to_string(images.size()) + " pictures needs more memory than there is.",
                     "Give fewer at a time, or smaller ones.");
} catch (const std::length_error&) {
    throw InputError("A batch of " + std::to_string(images.size()) + " pictures is larger than any memory.",
                     "Give fewer at a time, or smaller ones.");
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_PROCESSOR_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_PROCESSOR_HPP
// ---- silica/input/image/read.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_READ_HPP
#define SILICA_SINGLE_INPUT_IMAGE_READ_HPP
/// Pictures from files: JPEG, PNG, WebP.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace silica::image {

/// The picture in a file, upright (its EXIF orientation applied) and in red, green and blue: grey is spread, a palette
/// looked up, transparency dropped, 16 bits cut to the upper 8 (16-bit grey without alpha is clamped at 255 instead, as
/// Pillow does). Of several pictures in a file it is the first. InputError, which names the file, where it cannot be
/// read, is damaged, is of another kind, or is too large (`most_pixels`).
[[nodiscard]] Image read(const std::filesystem::path& path);

/// The same for a file whose bytes are in memory. `name` stands for it in errors.
[[nodiscard]] Image decode(std::span<const std::byte> file, std::string_view name);

}  // namespace silica::image

// ---- silica/input/image/read.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_READ_IPP
#define SILICA_SINGLE_INPUT_IMAGE_READ_IPP
/// From a file's bytes to the decoder of its kind.

// ---- silica/input/image/webp.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_WEBP_HPP
#define SILICA_SINGLE_INPUT_IMAGE_WEBP_HPP
/// WebP pictures.

#include <cstddef>
#include <span>
#include <string_view>

namespace silica::image {

/// The picture in a WebP file, upright, in red, green and blue; see `decode` of read.hpp.
[[nodiscard]] Image decode_webp(std::span<const std::byte> file, std::string_view name);

}  // namespace silica::image

// ---- silica/input/image/webp.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_WEBP_IPP
#define SILICA_SINGLE_INPUT_IMAGE_WEBP_IPP
/// WebP by libwebp.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include <webp/decode.h>

namespace silica::image {

namespace detail {

/// What stands in a WebP file: a RIFF file of chunks.
struct WebpFile {
    std::span<const std::byte> exif;
    std::string_view xmp;
    bool animated = false;

    /// Throws InputError: the file ends before its chunks do.
    [[nodiscard]] static WebpFile read(std::span<const std::byte> file, std::string_view name) {
        constexpr std::size_t head = 12, chunk_head = 8;
        const auto number = [&](std::size_t at) {
            std::uint32_t made = 0;
            for (std::size_t i = 4; i-- > 0;) made = made << 8U | std::to_integer<std::uint32_t>(file[at + i]);
            return std::size_t{made};
        };
        WebpFile made;
        const std::size_t end = number(4) + chunk_head;
        if (end > file.size()) damaged(name, "is no WebP that can be read (the file ends early)");
        for (std::size_t at = head; at + chunk_head <= end;) {
            const std::size_t size = number(at + 4);
            if (size > end - at - chunk_head) damaged(name, "is no WebP that can be read (a part of it ends early)");
            const auto kind = text_at(file, at, 4);
            const auto bytes = file.subspan(at + chunk_head, size);
            if (kind == "EXIF") made.exif = bytes;
            if (kind == "XMP ") made.xmp = text_at(bytes, 0, size);
            made.animated = made.animated || kind == "ANIM" || kind == "ANMF";
            at += chunk_head + size + size % 2;
        }
        return made;
    }
};

}  // namespace detail

SILICA_INLINE Image decode_webp(std::span<const std::byte> file, std::string_view name) {
    const auto parts = detail::WebpFile::read(file, name);
    if (parts.animated) {
        throw InputError(std::string(name) + " is an animated WebP, which is not read.",
                         "Give one picture, or a video file.");
    }
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(file.data());
    int width = 0, height = 0;
    if (WebPGetInfo(bytes, file.size(), &width, &height) == 0)
        detail::damaged(name, "is no WebP that can be read (its header is wrong)");
    Canvas canvas(height, width, name);
    if (WebPDecodeRGBInto(bytes, file.size(), canvas.row(0), canvas.size(), static_cast<int>(canvas.row_size())) ==
        nullptr) {
        detail::damaged(name, "is no WebP that can be read (its pixels end early or are wrong)");
    }
    auto orientation = exif_orientation(parts.exif);
    if (!orientation) orientation = xmp_orientation(parts.xmp);
    return upright(std::move(canvas).finish(), orientation.value_or(1), name);
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_WEBP_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_WEBP_HPP

#include <cstdint>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <system_error>

namespace silica::image {

namespace detail {

/// Files larger than this are refused: a picture of as many pixels as are allowed is smaller.
inline constexpr std::uintmax_t largest_file = std::uintmax_t{1} << 29U;

[[noreturn]] inline void unreadable(const std::string& name, const std::string& why) {
    throw InputError(name + " cannot be read: " + why + ".", "Check that the file exists and that you may read it.");
}

}  // namespace detail

SILICA_INLINE Image decode(std::span<const std::byte> file, std::string_view name) {
    switch (kind_of(file, name)) {
        case Kind::jpeg:
            return decode_jpeg(file, name);
        case Kind::png:
            return decode_png(file, name);
        case Kind::webp:
            break;
    }
    return decode_webp(file, name);
}

SILICA_INLINE Image read(const std::filesystem::path& path) {
    const std::string name = path.string();
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) detail::unreadable(name, "there is no such file");
    if (!std::filesystem::is_regular_file(status)) detail::unreadable(name, "it is no file");
    const auto size = std::filesystem::file_size(path, error);
    if (error) detail::unreadable(name, error.message());
    std::ifstream in(path, std::ios::binary);
    if (!in) detail::unreadable(name, "it does not open");
    constexpr std::uintmax_t head_size = 4096;
    std::byte head[head_size];
    const auto read_into = [&](std::byte* to, std::uintmax_t count) {
        if (!in.read(reinterpret_cast<char*>(to), static_cast<std::streamsize>(count)))
            detail::unreadable(name, "it ends early");
    };
    // What is no picture is not read to its end.
    const auto first = size < head_size ? size : head_size;
    read_into(head, first);
    (void)kind_of({head, static_cast<std::size_t>(first)}, name);
    if (size > detail::largest_file) {
        throw InputError(name + " has " + std::to_string(size) + " bytes, more than any picture that is read.",
                         "Give a smaller picture.");
    }
    const std::unique_ptr<std::byte[]> bytes(new (std::nothrow) std::byte[static_cast<std::size_t>(size)]);
    if (!bytes) throw InputError(name + " is larger than the memory there is.", "Give a smaller picture.");
    in.seekg(0);
    read_into(bytes.get(), size);
    return decode({bytes.get(), static_cast<std::size_t>(size)}, name);
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_READ_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_READ_HPP
// ---- silica/input/image/write_png.hpp
#ifndef SILICA_SINGLE_INPUT_IMAGE_WRITE_PNG_HPP
#define SILICA_SINGLE_INPUT_IMAGE_WRITE_PNG_HPP
/// Pictures to PNG files.

#include <cstddef>
#include <filesystem>
#include <vector>

namespace silica::image {

/// The bytes of a PNG file (8 bits, red, green and blue) with this picture.
[[nodiscard]] std::vector<std::byte> encode_png(const Image& image);

/// Writes a picture to a PNG file, by way of a temporary file beside it: all of it or nothing, and what had the name
/// stays until then. InputError where the file cannot be written.
void write_png(const std::filesystem::path& path, const Image& image);

}  // namespace silica::image

// ---- silica/input/image/write_png.ipp
#ifndef SILICA_SINGLE_INPUT_IMAGE_WRITE_PNG_IPP
#define SILICA_SINGLE_INPUT_IMAGE_WRITE_PNG_IPP
/// PNG by libpng's simplified interface, which leaves nothing by a jump.

// ---- silica/core/atomic_file.hpp
#ifndef SILICA_SINGLE_CORE_ATOMIC_FILE_HPP
#define SILICA_SINGLE_CORE_ATOMIC_FILE_HPP
/// Files that are written whole or not at all.

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

namespace silica::detail {

/// A file that appears under its name when all of it is written, and not at all otherwise. Where the name is a link,
/// the file that it leads to is replaced; a device or a pipe (`/dev/stdout`) is written to as it is. Throws a
/// `Failure`, which takes a problem and a remedy, where the system does.
template <class Failure>
class AtomicFile {
public:
    explicit AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
        namespace fs = std::filesystem;
        std::error_code error;
        const auto there = fs::status(path_, error);
        in_place_ = fs::exists(there) && !fs::is_regular_file(there) && !fs::is_directory(there);
        if (const auto file = fs::canonical(path_, error); !error && !in_place_) path_ = file;
        temporary_ = path_;
        if (!in_place_) temporary_ += ".part" + std::to_string(::getpid());
        fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CLOEXEC | (in_place_ ? 0 : O_CREAT | O_TRUNC), 0666);
        if (fd_ < 0) fail((in_place_ ? "Opening " : "Creating ") + temporary_.string());
    }
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    ~AtomicFile() {
        if (fd_ < 0) return;
        ::close(fd_);
        if (!in_place_) ::unlink(temporary_.c_str());
    }

    void write(const void* data, std::size_t nbytes) {
        const auto* at = static_cast<const std::byte*>(data);
        while (nbytes > 0) {
            const auto n = ::write(fd_, at, std::min(nbytes, std::size_t{1} << 30U));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) fail("Writing " + temporary_.string());
            at += n;
            nbytes -= static_cast<std::size_t>(n);
        }
    }

    /// Gives the file its name, in place of whatever has it, so that a loss of power leaves one or the other.
    void commit() {
        if (in_place_) return;
        if (::fsync(fd_) != 0) fail("Writing " + temporary_.string());
        if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail("Renaming " + temporary_.string());
        ::close(std::exchange(fd_, -1));
        const auto parent = path_.parent_path();
        const int directory = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0) return;  // one may write there and not read; the file is whole
        const bool synced = ::fsync(directory) == 0 || errno == EINVAL || errno == ENOTSUP;
        const int error = std::exchange(errno, 0);
        ::close(directory);
        errno = error;
        if (!synced) fail("Writing the directory of " + path_.string());
    }

private:
    [[noreturn]] static void fail(const std::string& what) {
        throw Failure(what + " failed: " + std::generic_category().message(errno) + ".",
                      "Check that the directory exists, that you may write there, and that the disk has room.");
    }

    std::filesystem::path path_, temporary_;
    bool in_place_ = false;
    int fd_ = -1;
};

}  // namespace silica::detail
#endif  // SILICA_SINGLE_CORE_ATOMIC_FILE_HPP

#include <cstdint>
#include <cstdio>
#include <new>
#include <string>

#include <png.h>

namespace silica::image {

SILICA_INLINE std::vector<std::byte> encode_png(const Image& image) {
    check_size(image.height(), image.width(), "The picture");
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    png.height = static_cast<png_uint_32>(image.height());
    png.width = static_cast<png_uint_32>(image.width());
    png.format = PNG_FORMAT_RGB;
    const auto problem = [&](const std::string& what) {
        throw InputError("The picture cannot be written as PNG: " + what + ".",
                         "Draw a smaller picture, or free memory.");
    };
    std::vector<std::byte> bytes;
    try {
        bytes.resize(PNG_IMAGE_PNG_SIZE_MAX(png));
    } catch (const std::bad_alloc&) {
        problem("there is not enough memory");
    }
    png_alloc_size_t size = bytes.size();
    if (png_image_write_to_memory(&png, bytes.data(), &size, 0, image.pixels().data(), 0, nullptr) == 0)
        problem(static_cast<const char*>(png.message));
    bytes.resize(size);
    return bytes;
}

SILICA_INLINE void write_png(const std::filesystem::path& path, const Image& image) {
    const auto bytes = encode_png(image);
    silica::detail::AtomicFile<InputError> file(path);
    file.write(bytes.data(), bytes.size());
    file.commit();
}

}  // namespace silica::image
#endif  // SILICA_SINGLE_INPUT_IMAGE_WRITE_PNG_IPP
#endif  // SILICA_SINGLE_INPUT_IMAGE_WRITE_PNG_HPP
