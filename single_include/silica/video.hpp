// Silica 0.1.0: videos to pictures. Written by amalgamate.py from include/; change it there.
// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef SILICA_COMPILED
#error "The single headers define everything. Remedy: link silica::silica beside them, or include the headers that silica::compiled is made from."
#endif

#include "image.hpp"
// ---- silica/input/video/decoder.hpp
#ifndef SILICA_SINGLE_INPUT_VIDEO_DECODER_HPP
#define SILICA_SINGLE_INPUT_VIDEO_DECODER_HPP
/// Frames, and a frame to a picture.

// ---- silica/input/media/demuxer.hpp
#ifndef SILICA_SINGLE_INPUT_MEDIA_DEMUXER_HPP
#define SILICA_SINGLE_INPUT_MEDIA_DEMUXER_HPP
/// A stream of a container, packet by packet.

// ---- silica/input/media/ffmpeg.hpp
#ifndef SILICA_SINGLE_INPUT_MEDIA_FFMPEG_HPP
#define SILICA_SINGLE_INPUT_MEDIA_FFMPEG_HPP
/// FFmpeg's headers, and who frees what they give.

#include <memory>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/dict.h>
#include <libavutil/error.h>
#include <libavutil/frame.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
}

namespace silica::media {

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
using Owned = std::unique_ptr<T, FreeFfmpeg>;

}  // namespace silica::media
#endif  // SILICA_SINGLE_INPUT_MEDIA_FFMPEG_HPP
// ---- silica/input/media/source.hpp
#ifndef SILICA_SINGLE_INPUT_MEDIA_SOURCE_HPP
#define SILICA_SINGLE_INPUT_MEDIA_SOURCE_HPP
/// The bytes of a sound or a video, on a disk or in memory.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace silica::media {

/// What its files are called in errors, and which of them FFmpeg opens.
struct Medium {
    std::string_view kind;      ///< "sound": of a sound file
    std::string_view content;   ///< "a video": what is in one
    std::string_view unread;    ///< "is no video that is read": of a file that is something else
    std::string_view examples;  ///< "WAV or FLAC": what may be given instead of it
    std::string_view recoded;   ///< the remedy where nothing decodes the content
    const char* containers;     ///< FFmpeg's names of those that hold it themselves, with commas between
};

/// Throws InputError: the file `name` is damaged or cut short; `why` says how.
[[noreturn]] inline void damaged(const std::string& name, const std::string& why) {
    throw InputError(name + " is damaged or cut short: " + why + ".", "Give the whole file, copied or made anew.");
}

/// Bytes at any place, and a place where C libraries read on. One caller at a time.
class Source {
public:
    /// A regular file. InputError where there is none, or it may not be read.
    Source(const std::filesystem::path& path, const Medium& medium) : name_(path.string()), medium_(&medium) {
        std::error_code error;
        const auto status = std::filesystem::status(path, error);
        if (!std::filesystem::exists(status)) unreadable("there is no such file");
        if (std::filesystem::is_directory(status)) unreadable("it is a directory");
        if (!std::filesystem::is_regular_file(status)) unreadable("it is no file");
        size_ = std::filesystem::file_size(path, error);
        if (error) unreadable(error.message());
        file_.open(path, std::ios::binary);
        if (!file_) unreadable("it does not open");
        require_bytes();
    }

    /// Bytes that the caller keeps. `name` stands for them in errors.
    Source(std::span<const std::byte> bytes, std::string_view name, const Medium& medium)
        : name_(name), medium_(&medium), bytes_(bytes), size_(bytes.size()), in_memory_(true) {
        require_bytes();
    }

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const Medium& medium() const noexcept { return *medium_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    /// Fills `out` with what stands at `offset` -> how much there was; less than was wanted at the end of the file, or
    /// where the disk fails.
    std::size_t read(std::uint64_t offset, std::span<std::byte> out) noexcept {
        if (offset >= size_) return 0;
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size_ - offset));
        if (n == 0) return 0;
        if (in_memory_) {
            std::memcpy(out.data(), bytes_.data() + offset, n);
            return n;
        }
        file_.clear();  // no exceptions are asked for, so none come
        file_.seekg(static_cast<std::streamoff>(offset));
        file_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(n));
        return static_cast<std::size_t>(std::max<std::streamsize>(file_.gcount(), 0));
    }

    /// Reads from where the last reading or seeking ended.
    std::size_t read_on(void* to, std::size_t size) noexcept {
        const auto n = read(at_, {static_cast<std::byte*>(to), size});
        at_ += n;
        return n;
    }
    /// fseek -> the new place, or -1.
    std::int64_t seek(std::int64_t offset, int whence) noexcept {
        const auto base = whence == SEEK_CUR ? at_ : whence == SEEK_END ? size_ : 0;
        const auto place = static_cast<std::int64_t>(static_cast<std::uint64_t>(offset) + base);
        if (place < 0) return -1;
        at_ = static_cast<std::uint64_t>(place);
        return place;
    }
    [[nodiscard]] std::uint64_t at() const noexcept { return at_; }

private:
    [[noreturn]] void unreadable(const std::string& why) const {
        throw InputError(name_ + " cannot be read: " + why + ".",
                         "Name a " + std::string(medium_->kind) + " file that you may read.");
    }
    void require_bytes() const {
        if (size_ == 0)
            throw InputError(name_ + " is empty.", "Name a file with " + std::string(medium_->content) + " in it.");
    }

    std::string name_;
    const Medium* medium_;
    std::span<const std::byte> bytes_;
    std::ifstream file_;
    std::uint64_t size_ = 0, at_ = 0;
    bool in_memory_ = false;
};

}  // namespace silica::media
#endif  // SILICA_SINGLE_INPUT_MEDIA_SOURCE_HPP

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <new>
#include <span>
#include <string>

namespace silica::media {

/// A container, opened by its content. `source` outlives it, and has one Demuxer at a time.
class Demuxer {
public:
    /// InputError where the file is no container of its medium, or is damaged. Turns FFmpeg's log off, if it is at its
    /// default level.
    explicit Demuxer(Source& source) : source_(source) {
        if (av_log_get_level() == AV_LOG_INFO) av_log_set_level(AV_LOG_QUIET);
        source.seek(0, SEEK_SET);
        open_bytes();
        open_container();
        packet_.reset(av_packet_alloc());
        if (!packet_) throw std::bad_alloc();
    }

    [[nodiscard]] Source& source() const noexcept { return source_; }
    [[nodiscard]] const std::string& name() const noexcept { return source_.name(); }
    [[nodiscard]] AVFormatContext& format() const noexcept { return *format_; }
    [[nodiscard]] std::span<AVStream* const> streams() const noexcept {
        return {format_->streams, format_->nb_streams};
    }
    /// The stream whose packets come.
    [[nodiscard]] const AVStream& stream() const noexcept { return *format_->streams[index_]; }

    /// Makes number `index` the stream whose packets come.
    void choose(int index) noexcept {
        index_ = index;
        for (AVStream* each : streams()) {
            if (each->index != index) each->discard = AVDISCARD_ALL;
        }
    }

    /// The next packet, until the call after; null at the end. InputError where the file is damaged.
    [[nodiscard]] const AVPacket* next() {
        while (true) {
            av_packet_unref(packet_.get());
            const int code = av_read_frame(format_.get(), packet_.get());
            if (code == AVERROR_EOF && bytes_->error >= 0) return nullptr;
            require(code == AVERROR_EOF ? bytes_->error : code);
            if (packet_->stream_index != index_) continue;
            if ((packet_->flags & AV_PKT_FLAG_CORRUPT) != 0) damaged(name(), "a packet of it is not whole");
            return packet_.get();
        }
    }

    /// Throws where an error code of FFmpeg is one: InputError, std::bad_alloc.
    void require(int code) const {
        if (code >= 0) return;
        if (code == AVERROR(ENOMEM)) throw std::bad_alloc();
        char words[AV_ERROR_MAX_STRING_SIZE] = {};
        av_strerror(code, words, sizeof words);
        damaged(name(), "FFmpeg says '" + std::string(words) + "'");
    }

private:
    void open_bytes() {
        constexpr int size = 1 << 16;
        auto* buffer = static_cast<unsigned char*>(av_malloc(size));
        if (buffer == nullptr) throw std::bad_alloc();
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
        const Medium& medium = source_.medium();
        // Without a name: what stands in the file decides.
        const int code = av_probe_input_buffer2(bytes_.get(), &kind, "", nullptr, 0, 0);
        const bool known = code >= 0 && kind != nullptr;
        if (!known || av_match_list(kind->name, medium.containers, ',') <= 0) {
            throw InputError(name() + " " + std::string(medium.unread) +
                                 (known ? ": it looks like " + std::string(kind->long_name) + "." : "."),
                             "Give a file such as " + std::string(medium.examples) + ".");
        }
        AVFormatContext* format = avformat_alloc_context();
        if (format == nullptr) throw std::bad_alloc();
        format->pb = bytes_.get();
        format->io_open = refuse_to_open;  // what a file refers to is not opened
        AVDictionary* options = nullptr;
        av_dict_set(&options, "protocol_whitelist", "none", 0);
        av_dict_set(&options, "format_whitelist", medium.containers, 0);
        av_dict_set(&options, "err_detect", "crccheck+explode", 0);
        const int opened = avformat_open_input(&format, "", kind, &options);  // frees `format` where it fails
        av_dict_free(&options);
        require(opened);
        format_.reset(format);
    }

    static int read(void* self, std::uint8_t* to, int size) noexcept {
        auto& source = *static_cast<Source*>(self);
        const auto n = source.read_on(to, static_cast<std::size_t>(size));
        if (n != 0) return static_cast<int>(n);
        return source.at() < source.size() ? AVERROR(EIO) : AVERROR_EOF;
    }

    static std::int64_t seek(void* self, std::int64_t offset, int whence) noexcept {
        auto& source = *static_cast<Source*>(self);
        whence &= ~AVSEEK_FORCE;
        if (whence == AVSEEK_SIZE) return static_cast<std::int64_t>(source.size());
        const auto place = source.seek(offset, whence);
        return place < 0 ? AVERROR(EINVAL) : place;
    }

    static int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) noexcept {
        return AVERROR(EPERM);
    }

    Source& source_;
    Owned<AVIOContext> bytes_;
    Owned<AVFormatContext> format_;  // before the bytes it reads
    Owned<AVPacket> packet_;
    int index_ = 0;
};

}  // namespace silica::media
#endif  // SILICA_SINGLE_INPUT_MEDIA_DEMUXER_HPP
// ---- silica/input/media/frames.hpp
#ifndef SILICA_SINGLE_INPUT_MEDIA_FRAMES_HPP
#define SILICA_SINGLE_INPUT_MEDIA_FRAMES_HPP
/// Packets to frames.

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
#endif  // SILICA_SINGLE_INPUT_MEDIA_FRAMES_HPP
// ---- silica/input/video/limits.hpp
#ifndef SILICA_SINGLE_INPUT_VIDEO_LIMITS_HPP
#define SILICA_SINGLE_INPUT_VIDEO_LIMITS_HPP
/// How large videos may be.

#include <cstdint>
#include <string>

namespace silica::video {

/// Frames of more pixels are refused.
inline constexpr std::int64_t most_pixels = std::int64_t{8192} * 4352;
/// What is read at once takes no more memory.
inline constexpr std::int64_t most_bytes = std::int64_t{1} << 30;

namespace detail {

/// InputError unless `frames` frames of the video `name` may have this size.
inline void require_size(const std::string& name, std::int64_t width, std::int64_t height, std::int64_t frames) {
    const std::string size =
        name + " has frames of " + std::to_string(height) + " rows and " + std::to_string(width) + " columns";
    if (width < 1 || height < 1) throw InputError(size + ".", "Give a video with pixels; the file is damaged.");
    if (width > most_pixels / height) {
        throw InputError(size + ", more than " + std::to_string(most_pixels) + " pixels.",
                         "Give a smaller video; one as large as this exhausts memory.");
    }
    if (width * height * image::Image::channels > most_bytes / frames) {
        throw InputError(size + ", and " + std::to_string(frames) + " of them take more than " +
                             std::to_string(most_bytes) + " bytes.",
                         "Ask for fewer frames, or give a smaller video.");
    }
}

}  // namespace detail
}  // namespace silica::video
#endif  // SILICA_SINGLE_INPUT_VIDEO_LIMITS_HPP

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
#endif  // SILICA_SINGLE_INPUT_VIDEO_DECODER_HPP
// ---- silica/input/video/read.hpp
#ifndef SILICA_SINGLE_INPUT_VIDEO_READ_HPP
#define SILICA_SINGLE_INPUT_VIDEO_READ_HPP
/// Frames of videos, by FFmpeg's libraries.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace silica::video {

/// `frames` frames of the first video stream of a file, spread evenly: number floor(i * total / frames) in the order
/// in which they are shown, i from 0. Total is how many can be decoded, whatever the file's header says. They are not
/// rotated, and keep their own size. The content of the file decides what it is, not its name, and it is the only file
/// that is opened, whatever it refers to. InputError, which names the file, where it cannot be read, is no video, has
/// no video stream (a cover picture is none) or fewer frames, is damaged or cut short, or is too large (`most_pixels`,
/// `most_bytes`).
///
/// The first call in a process turns FFmpeg's log off, if it is at its default level.
[[nodiscard]] std::vector<image::Image> read(const std::filesystem::path& path, std::int64_t frames);

/// The same for a file whose bytes are in memory. `name` stands for it in errors.
[[nodiscard]] std::vector<image::Image> decode(std::span<const std::byte> file, std::string_view name,
                                               std::int64_t frames);

}  // namespace silica::video

// ---- silica/input/video/read.ipp
#ifndef SILICA_SINGLE_INPUT_VIDEO_READ_IPP
#define SILICA_SINGLE_INPUT_VIDEO_READ_IPP
/// Which frames are taken, and by which pass over the file.

// ---- silica/input/media/whole.hpp
#ifndef SILICA_SINGLE_INPUT_MEDIA_WHOLE_HPP
#define SILICA_SINGLE_INPUT_MEDIA_WHOLE_HPP
/// Whether a file has all that its outermost structure says. Demuxers take what is missing at the end for the end.

// ---- silica/input/media/window.hpp
#ifndef SILICA_SINGLE_INPUT_MEDIA_WINDOW_HPP
#define SILICA_SINGLE_INPUT_MEDIA_WINDOW_HPP
/// Numbers and names at any place of a file.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace silica::media {

/// A few bytes of a file at a time, read in larger pieces.
class Window {
public:
    explicit Window(Source& source) : source_(source) {}

    /// Up to `n` <= 4096 bytes at `offset`; fewer at the end of the file.
    [[nodiscard]] std::string_view text(std::uint64_t offset, std::size_t n) {
        if (offset < begin_ || offset + n > begin_ + count_) {
            begin_ = offset;
            count_ = source_.read(offset, std::as_writable_bytes(std::span(bytes_)));
        }
        return std::string_view(bytes_.data(), count_).substr(static_cast<std::size_t>(offset - begin_), n);
    }
    /// A number of n <= 8 bytes, the most significant first; what the file lacks counts as 0.
    [[nodiscard]] std::uint64_t big(std::uint64_t offset, std::size_t n) {
        const auto bytes = text(offset, n);
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < n; ++i) value = value << 8U | (i < bytes.size() ? byte(bytes[i]) : 0U);
        return value;
    }
    /// The least significant first.
    [[nodiscard]] std::uint64_t little(std::uint64_t offset, std::size_t n) {
        const auto bytes = text(offset, n);
        std::uint64_t value = 0;
        for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8U | byte(bytes[i]);
        return value;
    }
    [[nodiscard]] bool begins(std::uint64_t offset, std::string_view bytes) {
        return text(offset, bytes.size()) == bytes;
    }
    [[nodiscard]] Source& source() const noexcept { return source_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return source_.size(); }

private:
    [[nodiscard]] static unsigned byte(char c) noexcept { return static_cast<unsigned char>(c); }

    Source& source_;
    std::array<char, 1U << 16U> bytes_;
    std::uint64_t begin_ = 0;
    std::size_t count_ = 0;
};

}  // namespace silica::media
#endif  // SILICA_SINGLE_INPUT_MEDIA_WINDOW_HPP

#include <cstdint>
#include <string_view>

namespace silica::media {

/// Throws InputError where [offset, offset + size) reaches beyond the end of the file; `what` stands there.
void require_inside(const Window& file, std::uint64_t offset, std::uint64_t size, std::string_view what);

/// Throws InputError where a part of the file reaches beyond its end, or its own checksum says that it is damaged:
/// boxes of MP4 and MOV (ISO/IEC 14496-12, 4.2), elements of Matroska and WebM (RFC 8794), chunks of AVI (RIFF), pages
/// of Ogg (RFC 3533), tags of FLV, frames of IVF, packets of MPEG-TS (ISO/IEC 13818-1). Other kinds are not looked
/// into.
void require_whole(Window& file);

}  // namespace silica::media

// ---- silica/input/media/whole.ipp
#ifndef SILICA_SINGLE_INPUT_MEDIA_WHOLE_IPP
#define SILICA_SINGLE_INPUT_MEDIA_WHOLE_IPP
/// Walks over the outermost parts of a file.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <string>

namespace silica::media {

SILICA_INLINE void require_inside(const Window& file, std::uint64_t offset, std::uint64_t size, std::string_view what) {
    if (offset <= file.size() && size <= file.size() - offset) return;
    damaged(file.source().name(), std::string(what) + " at byte " + std::to_string(offset) + " has " +
                                      std::to_string(size) + " bytes, and the file ends at " +
                                      std::to_string(file.size()));
}

namespace detail {

/// Boxes: a size of 32 bits with the 8 bytes of its head, a type; 1: a size of 64 bits follows; 0: up to the end.
inline void require_whole_boxes(Window& file) {
    for (std::uint64_t at = 0; at + 8 <= file.size();) {
        const auto type = std::string(file.text(at + 4, 4));
        bool known = false;
        for (const std::string_view each : {"ftyp", "moov", "mdat", "moof", "free", "skip", "wide", "mfra", "sidx",
                                            "styp", "uuid", "meta", "pnot", "udta", "emsg", "prft", "ssix"})
            known = known || type == each;
        if (!known) return;  // what stands behind the boxes is not read
        auto size = file.big(at, 4);
        if (size == 0) return;
        if (size == 1) size = at + 16 <= file.size() ? file.big(at + 8, 8) : file.size() + 1;
        require_inside(file, at, size, "the box '" + type + "'");
        if (size < 8) return;
        at += size;
    }
}

/// What a byte changes in a CRC-32 of the polynomial 0x04c11db7, the first bit of a byte being its least significant
/// one, or its most.
template <bool least_first>
inline constexpr auto crc_table = [] {
    std::array<std::uint32_t, 256> made{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t c = least_first ? i : i << 24U;
        for (int bit = 0; bit < 8; ++bit)
            c = least_first ? c >> 1U ^ (c & 1U) * 0xEDB88320U : c << 1U ^ (c >> 31U) * 0x04C11DB7U;
        made[i] = c;
    }
    return made;
}();

/// The CRC-32 of [offset, offset + size), continued from `crc`.
template <bool least_first>
std::uint32_t crc_of(Window& file, std::uint64_t offset, std::uint64_t size, std::uint32_t crc) {
    while (size > 0) {
        const auto piece = file.text(offset, static_cast<std::size_t>(std::min<std::uint64_t>(size, 4096)));
        if (piece.empty()) damaged(file.source().name(), "it ends while it is read");
        for (const char c : piece) {
            const auto byte = static_cast<unsigned char>(c);
            crc = least_first ? crc >> 8U ^ crc_table<true>[(crc ^ byte) & 0xFFU]
                              : crc << 8U ^ crc_table<false>[crc >> 24U ^ byte];
        }
        offset += piece.size(), size -= piece.size();
    }
    return crc;
}

/// A number of EBML, whose length is told by its first byte.
struct Vint {
    std::uint64_t value = 0;
    std::size_t length = 0;  ///< 0: there is none
    bool unknown = false;    ///< all ones, for a size that is not known
};

inline Vint vint_at(Window& file, std::uint64_t at, bool keep_marker) {
    const auto length = static_cast<std::size_t>(std::countl_zero(static_cast<std::uint8_t>(file.big(at, 1)))) + 1;
    if (length > 8 || at + length > file.size()) return {};
    const auto ones = (std::uint64_t{1} << 7U * length) - 1, all = file.big(at, length);
    return {keep_marker ? all : all & ones, length, (all & ones) == ones};
}

/// Elements: an id, a size, then the content, which may begin with a CRC-32 of the rest (RFC 8794, 11.3.1).
inline void require_whole_elements(Window& file) {
    constexpr std::uint64_t segment = 0x18538067, cluster = 0x1F43B675, seek_head = 0x114D9B74, info = 0x1549A966,
                            tracks = 0x1654AE6B, cues = 0x1C53BB6B, chapters = 0x1043A770, tags = 0x1254C367,
                            attachments = 0x1941A469;
    for (std::uint64_t at = 0; at < file.size();) {
        const auto id = vint_at(file, at, true), size = vint_at(file, at + id.length, false);
        if (id.length == 0 || size.length == 0) {
            if (at + 16 < file.size()) return;
            damaged(file.source().name(), "an element at byte " + std::to_string(at) + " is not whole");
        }
        const auto begin = at + id.length + size.length;
        if (!size.unknown) require_inside(file, begin, size.value, "an element");
        if (size.unknown || id.value == segment) {
            if (id.value != segment && id.value != cluster) return;
            at = begin;  // what is in it comes next
            continue;
        }
        bool parent = false;
        for (const auto each : {cluster, seek_head, info, tracks, cues, chapters, tags, attachments})
            parent = parent || id.value == each;
        if (parent && size.value >= 6 && file.big(begin, 2) == 0xBF84) {
            const auto crc = ~crc_of<true>(file, begin + 6, size.value - 6, ~std::uint32_t{0});
            if (crc != file.little(begin + 2, 4))
                damaged(file.source().name(), "the checksum of an element at byte " + std::to_string(at) + " is wrong");
        }
        at = begin + size.value;
    }
}

/// AVI: RIFF, a size, AVI or AVIX. A size of 0 was never filled in.
inline void require_whole_avi(Window& file) {
    for (std::uint64_t at = 0; at + 8 <= file.size() && file.begins(at, "RIFF");) {
        const auto size = file.little(at + 4, 4);
        if (size == 0) return;
        require_inside(file, at + 8, size, "a chunk");
        at += 8 + size + size % 2;
    }
}

/// Pages of Ogg: the last of a stream says that it is. Their checksums begin with 0, and count their own place as 0.
inline void require_whole_pages(Window& file) {
    const auto& name = file.source().name();
    bool ended = false;
    for (std::uint64_t at = 0; at < file.size();) {
        if (!file.begins(at, "OggS")) {
            if (ended) return;  // what stands behind the end is not read
            damaged(name, "no page begins at byte " + std::to_string(at));
        }
        const auto segments = file.big(at + 26, 1);
        std::uint64_t size = 27 + segments;
        for (std::uint64_t i = 0; i < segments; ++i) size += file.big(at + 27 + i, 1);
        require_inside(file, at, size, "a page");
        auto crc = crc_of<false>(file, at, 22, 0);
        for (int i = 0; i < 4; ++i) crc = crc << 8U ^ crc_table<false>[crc >> 24U];
        if (crc_of<false>(file, at + 26, size - 26, crc) != file.little(at + 22, 4))
            damaged(name, "the page at byte " + std::to_string(at) + " has another checksum than it says");
        ended = (file.big(at + 5, 1) & 4U) != 0;
        at += size;
    }
    if (!ended) damaged(name, "no page of it says that it is the last");
}

/// Tags of FLV: a type, a size of 24 bits, the rest of a head of 11 bytes, the content; before each the size of the
/// last.
inline void require_whole_tags(Window& file) {
    for (std::uint64_t at = file.big(5, 4); at < file.size();) {
        require_inside(file, at, 4, "the size of a tag");
        at += 4;
        if (at == file.size()) return;
        require_inside(file, at, 11, "the head of a tag");
        const auto size = file.big(at + 1, 3);
        require_inside(file, at + 11, size, "a tag");
        at += 11 + size;
    }
}

/// Frames of IVF: a size of 32 bits in a head of 12 bytes, the content.
inline void require_whole_frames(Window& file) {
    for (std::uint64_t at = file.little(6, 2); at < file.size();) {
        require_inside(file, at, 12, "the head of a frame");
        const auto size = file.little(at, 4);
        require_inside(file, at + 12, size, "a frame");
        at += 12 + size;
    }
}

}  // namespace detail

SILICA_INLINE void require_whole(Window& file) {
    if (file.begins(0, "\x1a\x45\xdf\xa3")) return detail::require_whole_elements(file);
    if (file.begins(0, "RIFF")) return detail::require_whole_avi(file);
    if (file.begins(0, "OggS")) return detail::require_whole_pages(file);
    if (file.begins(0, "FLV")) return detail::require_whole_tags(file);
    if (file.begins(0, "DKIF")) return detail::require_whole_frames(file);
    constexpr std::uint64_t packet = 188;  // of an MPEG transport stream, each of which begins with 'G'
    if (file.begins(0, "G") && file.begins(packet, "G")) {
        if (file.size() % packet != 0) damaged(file.source().name(), "its last packet is not whole");
        return;
    }
    detail::require_whole_boxes(file);
}

}  // namespace silica::media
#endif  // SILICA_SINGLE_INPUT_MEDIA_WHOLE_IPP
#endif  // SILICA_SINGLE_INPUT_MEDIA_WHOLE_HPP
// ---- silica/input/video/stream.hpp
#ifndef SILICA_SINGLE_INPUT_VIDEO_STREAM_HPP
#define SILICA_SINGLE_INPUT_VIDEO_STREAM_HPP
/// The video stream of a file.

#include <cstddef>
#include <vector>

namespace silica::video::detail {

/// No playlists, no lists of files, no pictures.
inline constexpr media::Medium videos{
    .kind = "video",
    .content = "a video",
    .unread = "is no video that is read",
    .examples = "MP4, MOV, MKV, WebM or AVI",
    .recoded = "Give it in another coding, such as H.264, or install an FFmpeg that has it.",
    .containers =
        "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,ogg,flv,asf,nut,yuv4mpegpipe,dv,mxf",
};

/// The first video stream that is no cover picture. InputError where the file is no video, has no stream of one, or
/// says that its frames are too large.
inline media::Demuxer open_stream(media::Source& source) {
    media::Demuxer file(source);
    for (const AVStream* each : file.streams()) {
        const AVCodecParameters& stream = *each->codecpar;
        if (stream.width > 0 && stream.height > 0) require_size(file.name(), stream.width, stream.height, 1);
    }
    std::vector<AVDictionary*> options(file.streams().size(), nullptr);
    for (auto& each : options) av_dict_set_int(&each, "max_pixels", most_pixels, 0);
    const int found = avformat_find_stream_info(&file.format(), options.data());
    for (auto& each : options) av_dict_free(&each);
    file.require(found);
    for (const AVStream* each : file.streams()) {
        const AVCodecParameters& stream = *each->codecpar;
        if (stream.codec_type != AVMEDIA_TYPE_VIDEO || (each->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0) continue;
        require_size(file.name(), stream.width, stream.height, 1);
        file.choose(each->index);
        return file;
    }
    throw InputError(file.name() + " has no video stream.", "Give a file with moving pictures, not with sound alone.");
}

}  // namespace silica::video::detail
#endif  // SILICA_SINGLE_INPUT_VIDEO_STREAM_HPP

#include <new>
#include <string>
#include <utility>

namespace silica::video {

namespace detail {

/// floor(i * total / n), for i < n.
constexpr std::int64_t sample(std::int64_t i, std::int64_t total, std::int64_t n) {
    return total / n * i + total % n * i / n;
}

/// How many packets come that are to be shown.
inline std::int64_t count(media::Demuxer& stream) {
    std::int64_t n = 0;
    while (const AVPacket* packet = stream.next()) n += (packet->flags & AV_PKT_FLAG_DISCARD) == 0 ? 1 : 0;
    return n;
}

/// Decodes all, and keeps the frames that belong to `total` -> how many there were.
inline std::int64_t decode_all(media::Source& source, std::int64_t total, std::int64_t frames,
                               std::vector<image::Image>& kept) {
    kept.clear();
    auto stream = open_stream(source);
    Decoder decoder(stream);
    std::int64_t n = 0, wanted = 0;
    for (; const AVFrame* frame = decoder.next(); ++n) {
        if (total < frames || wanted == frames || n != sample(wanted, total, frames)) continue;
        kept.push_back(decoder.picture(*frame, frames));
        ++wanted;
    }
    return n;
}

inline std::vector<image::Image> sampled(media::Source& source, std::int64_t frames) {
    constexpr std::int64_t most_frames = 65536;
    if (frames < 1 || frames > most_frames) {
        throw InputError(std::to_string(frames) + " frames of a video are asked for.",
                         "ask for 1 to " + std::to_string(most_frames) + ".");
    }
    {
        media::Window file(source);
        media::require_whole(file);
    }
    const auto packets = [&] {
        auto stream = open_stream(source);
        return stream.stream().nb_frames > 0 ? stream.stream().nb_frames : count(stream);
    }();
    // Most often each packet is a frame: then one pass is enough.
    std::vector<image::Image> kept;
    const auto total = decode_all(source, packets, frames, kept);
    if (total < frames) {
        throw InputError(source.name() + " has " + std::to_string(total) + " frames, fewer than the " +
                             std::to_string(frames) + " that are wanted.",
                         "Give a longer video.");
    }
    if (total != packets && decode_all(source, total, frames, kept) != total)
        media::damaged(source.name(), "it decodes to another number of frames each time");
    return kept;
}

/// The same, with an error of ours where memory runs out.
inline std::vector<image::Image> sampled_within_memory(media::Source source, std::int64_t frames) {
    try {
        return sampled(source, frames);
    } catch (const std::bad_alloc&) {
        throw InputError(source.name() + " needs more memory than there is.", "Give a smaller video, or free memory.");
    }
}

}  // namespace detail

SILICA_INLINE std::vector<image::Image> read(const std::filesystem::path& path, std::int64_t frames) {
    return detail::sampled_within_memory({path, detail::videos}, frames);
}

SILICA_INLINE std::vector<image::Image> decode(std::span<const std::byte> file, std::string_view name,
                                               std::int64_t frames) {
    return detail::sampled_within_memory({file, name, detail::videos}, frames);
}

}  // namespace silica::video
#endif  // SILICA_SINGLE_INPUT_VIDEO_READ_IPP
#endif  // SILICA_SINGLE_INPUT_VIDEO_READ_HPP
