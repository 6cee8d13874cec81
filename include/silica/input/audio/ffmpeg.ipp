#pragma once
/// FFmpeg over a Source, where Silica was built with it.

#include "silica/input/audio/ffmpeg.hpp"

#ifdef SILICA_AUDIO_FFMPEG

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>
#include <type_traits>
#include <vector>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/dict.h>
#include <libavutil/error.h>
#include <libavutil/frame.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
#include <libavutil/samplefmt.h>
}

namespace silica::audio::detail {

struct FreeFfmpeg {
    void operator()(AVFormatContext* p) const { avformat_close_input(&p); }
    void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
    void operator()(AVPacket* p) const { av_packet_free(&p); }
    void operator()(AVFrame* p) const { av_frame_free(&p); }
    void operator()(AVIOContext* p) const {
        av_freep(&p->buffer);
        avio_context_free(&p);
    }
};
template <class T>
using OwnedFfmpeg = std::unique_ptr<T, FreeFfmpeg>;

inline int channels_of(const AVCodecContext& c) {
#if LIBAVCODEC_VERSION_MAJOR >= 60 || (LIBAVCODEC_VERSION_MAJOR == 59 && LIBAVCODEC_VERSION_MINOR >= 24)
    return c.ch_layout.nb_channels;
#else
    return c.channels;
#endif
}
inline int channels_of(const AVFrame& f) {
#if LIBAVUTIL_VERSION_MAJOR >= 58 || (LIBAVUTIL_VERSION_MAJOR == 57 && LIBAVUTIL_VERSION_MINOR >= 24)
    return f.ch_layout.nb_channels;
#else
    return f.channels;
#endif
}

class FfmpegDecoder final : public Decoder {
public:
    explicit FfmpegDecoder(Source& source) : source_(source) {
        if (av_log_get_level() == AV_LOG_INFO) av_log_set_level(AV_LOG_QUIET);
        open_bytes();
        open_container();
        require(avformat_find_stream_info(format_.get(), nullptr));
        const AVCodec* codec = choose_stream();
        packet_.reset(av_packet_alloc());
        frame_.reset(av_frame_alloc());
        context_.reset(avcodec_alloc_context3(codec));
        if (!packet_ || !frame_ || !context_) throw std::bad_alloc();
        const AVStream& stream = *format_->streams[index_];
        require(avcodec_parameters_to_context(context_.get(), stream.codecpar));
        context_->pkt_timebase = stream.time_base;
        context_->err_recognition = AV_EF_CRCCHECK | AV_EF_EXPLODE;
        require(avcodec_open2(context_.get(), codec, nullptr));
        // The first frame tells the form: a container may be wrong about it.
        if (!decode()) damaged(source.name(), "nothing of its sound decodes");
        set_form(source.name(), frame_->sample_rate, channels_of(*frame_));
        take();
    }

    std::size_t read(std::span<float> to) override {
        const auto wanted = to.size() / static_cast<std::size_t>(channels()) * static_cast<std::size_t>(channels());
        std::size_t have = 0;
        while (have < wanted) {
            if (given_ == samples_.size()) {
                if (ended_ || !decode()) break;
                if (frame_->sample_rate != rate() || channels_of(*frame_) != channels())
                    damaged(source_.name(), "its rate or channels change on the way");
                take();
            }
            const auto n = std::min(wanted - have, samples_.size() - given_);
            std::copy_n(samples_.begin() + static_cast<std::ptrdiff_t>(given_), n,
                        to.begin() + static_cast<std::ptrdiff_t>(have));
            given_ += n, have += n;
        }
        return have / static_cast<std::size_t>(channels());
    }

private:
    static constexpr const char* containers =
        "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,mpegts,mpeg,aac,amr,wv,ape,tta,ogg";

    void require(int code) const {
        if (code >= 0) return;
        if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
        char text[AV_ERROR_MAX_STRING_SIZE] = {};
        av_strerror(code, text, sizeof text);
        damaged(source_.name(), "FFmpeg says '" + std::string(text) + "'");
    }

    void open_bytes() {
        constexpr int size = 1 << 16;
        auto* buffer = static_cast<unsigned char*>(av_malloc(size));
        if (buffer == nullptr) throw std::bad_alloc();
        const auto read = [](void* self, std::uint8_t* to, int n) {
            const auto got = static_cast<Source*>(self)->read_on(to, static_cast<std::size_t>(n));
            return got > 0 ? static_cast<int>(got) : static_cast<int>(AVERROR_EOF);
        };
        const auto seek = [](void* self, std::int64_t offset, int whence) {
            auto& s = *static_cast<Source*>(self);
            whence &= ~AVSEEK_FORCE;
            return whence == AVSEEK_SIZE ? static_cast<std::int64_t>(s.size()) : s.seek(offset, whence);
        };
        bytes_.reset(avio_alloc_context(buffer, size, 0, &source_, read, nullptr, seek));
        if (bytes_) return;
        av_free(buffer);
        throw std::bad_alloc();
    }

    void open_container() {
#if LIBAVFORMAT_VERSION_MAJOR < 59
        AVInputFormat* kind = nullptr;
#else
        const AVInputFormat* kind = nullptr;
#endif
        const int code = av_probe_input_buffer2(bytes_.get(), &kind, "", nullptr, 0, 0);
        if (code < 0 || kind == nullptr || av_match_list(kind->name, containers, ',') <= 0) {
            const bool known = code >= 0 && kind != nullptr;
            throw InputError(source_.name() + " is no sound that is read" +
                                 (known ? ": it looks like " + std::string(kind->long_name) + "." : "."),
                             "Give a file such as WAV, FLAC, MP3, MP4 or WebM.");
        }
        AVFormatContext* format = avformat_alloc_context();
        if (format == nullptr) throw std::bad_alloc();
        format->pb = bytes_.get();
        format->io_open = [](AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) {
            return AVERROR(EPERM);  // what a file refers to is not opened
        };
        AVDictionary* options = nullptr;
        av_dict_set(&options, "protocol_whitelist", "none", 0);
        av_dict_set(&options, "format_whitelist", containers, 0);
        av_dict_set(&options, "err_detect", "crccheck+explode", 0);
        const int opened = avformat_open_input(&format, "", kind, &options);  // frees `format` where it fails
        av_dict_free(&options);
        require(opened);
        format_.reset(format);
    }

    const AVCodec* choose_stream() {
        index_ = av_find_best_stream(format_.get(), AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0);
        if (index_ < 0) throw InputError(source_.name() + " has no sound in it.", "Give a file with a sound track.");
        for (unsigned i = 0; i < format_->nb_streams; ++i) {
            if (static_cast<int>(i) != index_) format_->streams[i]->discard = AVDISCARD_ALL;
        }
        const auto id = format_->streams[index_]->codecpar->codec_id;
        const AVCodec* codec = avcodec_find_decoder(id);
        if (codec == nullptr) {
            throw InputError(
                source_.name() + " is coded as " + avcodec_get_name(id) + ", which this FFmpeg does not decode.",
                "Convert it, to WAV or FLAC for example.");
        }
        return codec;
    }

    /// Decodes the next frame that has samples -> false at the end.
    bool decode() {
        while (true) {
            const int code = avcodec_receive_frame(context_.get(), frame_.get());
            if (code == AVERROR_EOF) {
                ended_ = true;
                return false;
            }
            if (code == AVERROR(EAGAIN)) {
                require(avcodec_send_packet(context_.get(), next_packet()));  // null: what is held back comes out
                continue;
            }
            require(code);
            if (frame_->decode_error_flags != 0) damaged(source_.name(), "a frame of it does not decode");
            if (frame_->nb_samples > 0) return true;
        }
    }

    const AVPacket* next_packet() {
        while (true) {
            av_packet_unref(packet_.get());
            const int code = av_read_frame(format_.get(), packet_.get());
            if (code == AVERROR_EOF && bytes_->error >= 0) return nullptr;
            require(code);
            if (packet_->stream_index != index_) continue;
            if ((packet_->flags & AV_PKT_FLAG_CORRUPT) != 0) damaged(source_.name(), "a packet of it is not whole");
            return packet_.get();
        }
    }

    /// The frame as numbers, full scale being from -1 to 1.
    void take() {
        const auto format = static_cast<AVSampleFormat>(frame_->format);
        const auto convert = [&]<class T>(T, double scale, double zero) {
            const auto n = static_cast<std::size_t>(frame_->nb_samples), c = static_cast<std::size_t>(channels());
            const bool planar = av_sample_fmt_is_planar(format) != 0;
            samples_.resize(n * c);
            for (std::size_t channel = 0; channel < c; ++channel) {
                const std::uint8_t* from = frame_->extended_data[planar ? channel : 0];
                for (std::size_t i = 0; i < n; ++i) {
                    T value;
                    std::memcpy(&value, from + (planar ? i : i * c + channel) * sizeof(T), sizeof(T));
                    samples_[i * c + channel] = static_cast<float>((static_cast<double>(value) - zero) * scale);
                }
            }
        };
        given_ = 0;
        switch (av_get_packed_sample_fmt(format)) {
            case AV_SAMPLE_FMT_U8:
                return convert(std::uint8_t{}, 1.0 / 128, 128);
            case AV_SAMPLE_FMT_S16:
                return convert(std::int16_t{}, 1.0 / 32768, 0);
            case AV_SAMPLE_FMT_S32:
                return convert(std::int32_t{}, 1.0 / 2147483648.0, 0);
            case AV_SAMPLE_FMT_FLT:
                return convert(float{}, 1, 0);
            case AV_SAMPLE_FMT_DBL:
                return convert(double{}, 1, 0);
            default:
                damaged(source_.name(), "its samples have no form that is known");
        }
    }

    Source& source_;
    OwnedFfmpeg<AVIOContext> bytes_;
    OwnedFfmpeg<AVFormatContext> format_;  // before the bytes it reads
    OwnedFfmpeg<AVPacket> packet_;
    OwnedFfmpeg<AVFrame> frame_;
    OwnedFfmpeg<AVCodecContext> context_;
    std::vector<float> samples_;
    std::size_t given_ = 0;
    int index_ = 0;
    bool ended_ = false;
};

SILICA_INLINE std::unique_ptr<Decoder> open_ffmpeg(Source& source) { return std::make_unique<FfmpegDecoder>(source); }

}  // namespace silica::audio::detail

#else

namespace silica::audio::detail {

SILICA_INLINE std::unique_ptr<Decoder> open_ffmpeg(Source& source) {
    throw InputError(source.name() + " is sound in a container that FFmpeg reads, and Silica was built without it.",
                     "Convert it to WAV or FLAC, or install FFmpeg's libraries and configure Silica again.");
}

}  // namespace silica::audio::detail

#endif
