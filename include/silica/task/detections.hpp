#pragma once
/// What a detector's outputs say about a picture: boxes, and masks at the picture's size. As transformers'
/// post_process_object_detection and post_process_*_segmentation decide.

#include "silica/core/tensor.hpp"
#include "silica/task/class_labels.hpp"

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

#ifndef SILICA_COMPILED
#include "silica/task/detections.ipp"
#endif
