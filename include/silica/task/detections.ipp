#pragma once
/// Definitions of detections.hpp.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"
#include "silica/core/inputs.hpp"
#include "silica/input/image/canvas.hpp"
#include "silica/task/detections.hpp"
#include "silica/task/scores.hpp"

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
