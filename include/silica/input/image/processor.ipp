#pragma once
/// The steps of a processor over a batch.

#include "silica/core/error.hpp"
#include "silica/input/image/canvas.hpp"
#include "silica/input/image/check_steps.hpp"
#include "silica/input/image/geometry.hpp"
#include "silica/input/image/on_white.hpp"
#include "silica/input/image/processor.hpp"
#include "silica/input/image/resize.hpp"
#include "silica/input/image/tiles.hpp"

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
