#pragma once
/// Packets to frames, and a frame to a picture.

#include "silica/core/error.hpp"
#include "silica/input/image/image.hpp"
#include "silica/input/video/ffmpeg.hpp"
#include "silica/input/video/limits.hpp"
#include "silica/input/video/source.hpp"
#include "silica/input/video/stream.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace silica::video::detail {

/// The frames of a stream in the order in which they are shown.
class Decoder {
public:
    /// InputError where nothing decodes the stream, or its frames have more than `most_pixels` pixels.
    explicit Decoder(Stream& stream) : stream_(stream) {
        const AVCodecParameters& parameters = *stream.video().codecpar;
        require_size(stream.name(), parameters.width, parameters.height, 1);
        const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
        if (codec == nullptr) {
            throw InputError(stream.name() + " is coded as " + avcodec_get_name(parameters.codec_id) +
                                 ", which this FFmpeg does not decode.",
                             "Give it in another coding, such as H.264, or install an FFmpeg that has it.");
        }
        context_.reset(avcodec_alloc_context3(codec));
        frame_.reset(av_frame_alloc());
        if (!context_ || !frame_) throw std::bad_alloc();
        require(avcodec_parameters_to_context(context_.get(), &parameters));
        context_->pkt_timebase = stream.video().time_base;
        context_->max_pixels = most_pixels;
        context_->err_recognition = AV_EF_CRCCHECK | AV_EF_EXPLODE;
        context_->thread_count = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 4U));
        context_->thread_type = FF_THREAD_SLICE;  // threads by frame and AV_EF_EXPLODE: FFmpeg 5.1 aborts on damage
        require(avcodec_open2(context_.get(), codec, nullptr));
    }

    /// The next frame, until the call after; null at the end. InputError where the file is damaged.
    [[nodiscard]] const AVFrame* next() {
        while (true) {
            const int code = avcodec_receive_frame(context_.get(), frame_.get());
            if (code == AVERROR_EOF) return nullptr;
            if (code == AVERROR(EAGAIN)) {
                const AVPacket* packet = stream_.next();
                require(avcodec_send_packet(context_.get(), packet));  // null: what is held back comes out
                continue;
            }
            require(code);
            if (frame_->decode_error_flags != 0 || (frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0)
                damaged(stream_.name(), "a frame of it does not decode");
            return frame_.get();
        }
    }

    /// A frame as a picture, one of `frames` that are held at once. InputError where they are too large.
    [[nodiscard]] image::Image picture(const AVFrame& frame, std::int64_t frames) {
        require_size(stream_.name(), frame.width, frame.height, frames);
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
    void require(int code) const {
        if (code >= 0) return;
        if (code == AVERROR(ENOMEM)) no_memory(stream_.name());
        damaged(stream_.name(), "FFmpeg says '" + words_of(code) + "'");
    }

    [[noreturn]] void unconvertible(AVPixelFormat format) const {
        const char* name = av_get_pix_fmt_name(format);
        throw InputError(stream_.name() + " has pixels of the form " + (name != nullptr ? name : "unknown") +
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

    Stream& stream_;
    Owned<AVCodecContext> context_;
    Owned<AVFrame> frame_;
    Owned<SwsContext> converter_;
    std::vector<std::uint8_t> rows_;
};

}  // namespace silica::video::detail
