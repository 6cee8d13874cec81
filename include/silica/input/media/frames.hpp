#pragma once
/// Packets to frames.

#include "silica/core/error.hpp"
#include "silica/input/media/demuxer.hpp"
#include "silica/input/media/ffmpeg.hpp"

#include <cerrno>
#include <new>
#include <string>

namespace silica::media {

/// The frames of a Demuxer's stream, which outlives it, in the order in which they are shown or heard.
class Frames {
public:
    /// `set` is told the decoder before it is opened. InputError where nothing decodes the stream.
    explicit Frames(Demuxer& packets, void (*set)(AVCodecContext&) = [](AVCodecContext&) {}) : packets_(packets) {
        const AVCodecParameters& parameters = *packets.stream().codecpar;
        const AVCodec* codec = avcodec_find_decoder(parameters.codec_id);
        if (codec == nullptr) {
            throw InputError(packets.name() + " is coded as " + avcodec_get_name(parameters.codec_id) +
                                 ", which this FFmpeg does not decode.",
                             std::string(packets.source().medium().recoded));
        }
        context_.reset(avcodec_alloc_context3(codec));
        frame_.reset(av_frame_alloc());
        if (!context_ || !frame_) throw std::bad_alloc();
        packets.require(avcodec_parameters_to_context(context_.get(), &parameters));
        context_->pkt_timebase = packets.stream().time_base;
        context_->err_recognition = AV_EF_CRCCHECK | AV_EF_EXPLODE;
        set(*context_);
        packets.require(avcodec_open2(context_.get(), codec, nullptr));
    }

    /// The next frame, until the call after; null at the end. InputError where the file is damaged.
    [[nodiscard]] const AVFrame* next() {
        while (true) {
            const int code = avcodec_receive_frame(context_.get(), frame_.get());
            if (code == AVERROR_EOF) return nullptr;
            if (code == AVERROR(EAGAIN)) {
                const AVPacket* packet = packets_.next();
                packets_.require(avcodec_send_packet(context_.get(), packet));  // null: what is held back comes out
                continue;
            }
            packets_.require(code);
            if (frame_->decode_error_flags != 0 || (frame_->flags & AV_FRAME_FLAG_CORRUPT) != 0)
                damaged(packets_.name(), "a frame of it does not decode");
            return frame_.get();
        }
    }

private:
    Demuxer& packets_;
    Owned<AVCodecContext> context_;
    Owned<AVFrame> frame_;
};

}  // namespace silica::media
