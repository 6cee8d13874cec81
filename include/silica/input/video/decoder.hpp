#pragma once
/// Frames, and a frame to a picture.

#include "silica/core/error.hpp"
#include "silica/input/image/image.hpp"
#include "silica/input/media/demuxer.hpp"
#include "silica/input/media/ffmpeg.hpp"
#include "silica/input/media/frames.hpp"
#include "silica/input/video/limits.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

extern "C" {
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

namespace silica::video::detail {

/// The frames of a video in the order in which they are shown.
class Decoder {
public:
    /// InputError where nothing decodes the stream, or its frames have more than `most_pixels` pixels.
    explicit Decoder(media::Demuxer& packets) : name_(packets.name()), frames_(packets, set) {}

    /// The next frame, until the call after; null at the end. InputError where the file is damaged.
    [[nodiscard]] const AVFrame* next() { return frames_.next(); }

    /// A frame as a picture, one of `frames` that are held at once. InputError where they are too large.
    [[nodiscard]] image::Image picture(const AVFrame& frame, std::int64_t frames) {
        require_size(name_, frame.width, frame.height, frames);
        const auto format = static_cast<AVPixelFormat>(frame.format);
        auto* converter = sws_getCachedContext(converter_.release(), frame.width, frame.height, format, frame.width,
                                               frame.height, AV_PIX_FMT_RGB24, SWS_BILINEAR, nullptr, nullptr, nullptr);
        converter_.reset(converter);
        if (converter == nullptr) unconvertible(format);
        set_colours(frame);
        // swscale writes whole vectors: each row has room behind it.
        const auto row = static_cast<std::size_t>(frame.width) * image::Image::channels;
        const auto stride = (row + 63) / 64 * 64 + 64;
        rows_.resize(stride * static_cast<std::size_t>(frame.height));
        std::uint8_t* to[4] = {rows_.data(), nullptr, nullptr, nullptr};
        const int strides[4] = {static_cast<int>(stride), 0, 0, 0};
        if (sws_scale(converter, frame.data, frame.linesize, 0, frame.height, to, strides) != frame.height)
            unconvertible(format);
        std::vector<std::uint8_t> pixels(row * static_cast<std::size_t>(frame.height));
        for (std::size_t y = 0; y < static_cast<std::size_t>(frame.height); ++y)
            std::copy_n(rows_.data() + y * stride, row, pixels.data() + y * row);
        return {frame.height, frame.width, std::move(pixels)};
    }

private:
    struct FreeConverter {
        void operator()(SwsContext* p) const { sws_freeContext(p); }
    };

    static void set(AVCodecContext& context) {
        context.max_pixels = most_pixels;
        context.thread_count = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 4U));
        context.thread_type = FF_THREAD_SLICE;  // threads by frame and AV_EF_EXPLODE: FFmpeg 5.1 aborts on damage
    }

    [[noreturn]] void unconvertible(AVPixelFormat format) const {
        const char* name = av_get_pix_fmt_name(format);
        throw InputError(name_ + " has pixels of the form " + (name != nullptr ? name : "unknown") +
                             ", which FFmpeg does not convert to RGB.",
                         "Give it in another form, such as yuv420p.");
    }

    /// Colours as the frame says they are: the matrix (BT.601 where it is silent) and whether black is 0 or 16.
    void set_colours(const AVFrame& frame) {
        const auto* form = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
        if (form == nullptr || form->nb_components < 3 || (form->flags & AV_PIX_FMT_FLAG_RGB) != 0) return;
        int *matrix = nullptr, *rgb = nullptr, full = 0, rgb_full = 0, brightness = 0, contrast = 0, saturation = 0;
        if (sws_getColorspaceDetails(converter_.get(), &matrix, &full, &rgb, &rgb_full, &brightness, &contrast,
                                     &saturation) < 0)
            return;
        if (frame.color_range == AVCOL_RANGE_JPEG) full = 1;
        sws_setColorspaceDetails(converter_.get(), sws_getCoefficients(frame.colorspace), full, rgb, rgb_full,
                                 brightness, contrast, saturation);
    }

    const std::string& name_;
    media::Frames frames_;
    std::unique_ptr<SwsContext, FreeConverter> converter_;
    std::vector<std::uint8_t> rows_;
};

}  // namespace silica::video::detail
