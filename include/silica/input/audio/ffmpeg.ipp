#pragma once
/// FFmpeg over a Source, where Silica was built with it.

#include "silica/input/audio/ffmpeg.hpp"

#ifdef SILICA_AUDIO_FFMPEG

#include "silica/input/media/frames.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <vector>

extern "C" {
#include <libavutil/samplefmt.h>
}

namespace silica::audio::detail {

inline int channels_of(const AVFrame& f) {
#if LIBAVUTIL_VERSION_MAJOR >= 58 || (LIBAVUTIL_VERSION_MAJOR == 57 && LIBAVUTIL_VERSION_MINOR >= 24)
    return f.ch_layout.nb_channels;
#else
    return f.channels;
#endif
}

class FfmpegDecoder final : public Decoder {
public:
    explicit FfmpegDecoder(media::Source& source) : packets_(open_stream(source)), frames_(packets_) {
        // The first frame tells the form: a container may be wrong about it.
        if (!decode()) media::damaged(source.name(), "nothing of its sound decodes");
        set_form(source.name(), frame_->sample_rate, channels_of(*frame_));
        take();
    }

    std::size_t read(std::span<float> to) override {
        const auto wanted = to.size() / static_cast<std::size_t>(channels()) * static_cast<std::size_t>(channels());
        std::size_t have = 0;
        while (have < wanted) {
            if (given_ == samples_.size()) {
                if (!decode()) break;
                if (frame_->sample_rate != rate() || channels_of(*frame_) != channels())
                    media::damaged(packets_.name(), "its rate or channels change on the way");
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
    static media::Demuxer open_stream(media::Source& source) {
        media::Demuxer file(source);
        file.require(avformat_find_stream_info(&file.format(), nullptr));
        const int best = av_find_best_stream(&file.format(), AVMEDIA_TYPE_AUDIO, -1, -1, nullptr, 0);
        if (best < 0) throw InputError(source.name() + " has no sound in it.", "Give a file with a sound track.");
        file.choose(best);
        return file;
    }

    /// Decodes the next frame that has samples -> false at the end.
    bool decode() {
        frame_ = frames_.next();
        while (frame_ != nullptr && frame_->nb_samples <= 0) frame_ = frames_.next();
        return frame_ != nullptr;
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
                media::damaged(packets_.name(), "its samples have no form that is known");
        }
    }

    media::Demuxer packets_;
    media::Frames frames_;
    const AVFrame* frame_ = nullptr;
    std::vector<float> samples_;
    std::size_t given_ = 0;
};

SILICA_INLINE std::unique_ptr<Decoder> open_ffmpeg(media::Source& source) {
    return std::make_unique<FfmpegDecoder>(source);
}

}  // namespace silica::audio::detail

#else

namespace silica::audio::detail {

SILICA_INLINE std::unique_ptr<Decoder> open_ffmpeg(media::Source& source) {
    throw InputError(source.name() + " is sound in a container that FFmpeg reads, and Silica was built without it.",
                     "Convert it to WAV or FLAC, or install FFmpeg's libraries and configure Silica again.");
}

}  // namespace silica::audio::detail

#endif
