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
/// Packets to frames, and a frame to a picture.

// ---- silica/input/video/ffmpeg.hpp
#ifndef SILICA_SINGLE_INPUT_VIDEO_FFMPEG_HPP
#define SILICA_SINGLE_INPUT_VIDEO_FFMPEG_HPP
/// FFmpeg's headers, and who frees what they give.

#include <memory>
#include <string>

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/avstring.h>
#include <libavutil/crc.h>
#include <libavutil/dict.h>
#include <libavutil/error.h>
#include <libavutil/frame.h>
#include <libavutil/log.h>
#include <libavutil/mem.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

namespace silica::video::detail {

struct FreeFfmpeg {
    void operator()(AVFormatContext* p) const { avformat_close_input(&p); }
    void operator()(AVCodecContext* p) const { avcodec_free_context(&p); }
    void operator()(AVPacket* p) const { av_packet_free(&p); }
    void operator()(AVFrame* p) const { av_frame_free(&p); }
    void operator()(SwsContext* p) const { sws_freeContext(p); }
    void operator()(AVIOContext* p) const {
        av_freep(&p->buffer);
        avio_context_free(&p);
    }
};

template <class T>
using Owned = std::unique_ptr<T, FreeFfmpeg>;

/// What an error code of FFmpeg says.
inline std::string words_of(int code) {
    char text[AV_ERROR_MAX_STRING_SIZE] = {};
    av_strerror(code, text, sizeof text);
    return text;
}

}  // namespace silica::video::detail
#endif  // SILICA_SINGLE_INPUT_VIDEO_FFMPEG_HPP
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
// ---- silica/input/video/source.hpp
#ifndef SILICA_SINGLE_INPUT_VIDEO_SOURCE_HPP
#define SILICA_SINGLE_INPUT_VIDEO_SOURCE_HPP
/// The bytes of a video, on a disk or in memory.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace silica::video::detail {

/// Throws InputError: the video `name` is damaged or cut short; `why` says how.
[[noreturn]] inline void damaged(const std::string& name, const std::string& why) {
    throw InputError(name + " is damaged or cut short: " + why + ".", "Give the whole file, copied or made anew.");
}

/// Throws InputError: what the video `name` asks for does not fit into memory.
[[noreturn]] inline void no_memory(const std::string& name) {
    throw InputError(name + " needs more memory than there is.", "Give a smaller video, or free memory.");
}

/// Bytes at any place. One caller at a time.
class Source {
public:
    /// A regular file. InputError where there is none, or it may not be read.
    explicit Source(const std::filesystem::path& path) : name_(path.string()) {
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
    Source(std::span<const std::byte> bytes, std::string_view name)
        : name_(name), bytes_(bytes), size_(bytes.size()), in_memory_(true) {
        require_bytes();
    }

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    /// Fills `out` with what stands at `offset` -> how much there was; less than was wanted at the end of the file, or
    /// where the disk fails.
    std::size_t read(std::uint64_t offset, std::span<std::byte> out) noexcept {
        if (offset >= size_) return 0;
        const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), size_ - offset));
        if (in_memory_) {
            std::memcpy(out.data(), bytes_.data() + offset, n);
            return n;
        }
        file_.clear();  // no exceptions are asked for, so none come
        file_.seekg(static_cast<std::streamoff>(offset));
        file_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(n));
        return static_cast<std::size_t>(std::max<std::streamsize>(file_.gcount(), 0));
    }

private:
    [[noreturn]] void unreadable(const std::string& why) const {
        throw InputError(name_ + " cannot be read: " + why + ".", "Name a video file that you may read.");
    }
    void require_bytes() const {
        if (size_ == 0) throw InputError(name_ + " is empty.", "Name a file with a video in it.");
    }

    std::string name_;
    std::span<const std::byte> bytes_;
    std::ifstream file_;
    std::uint64_t size_ = 0;
    bool in_memory_ = false;
};

}  // namespace silica::video::detail
#endif  // SILICA_SINGLE_INPUT_VIDEO_SOURCE_HPP
// ---- silica/input/video/stream.hpp
#ifndef SILICA_SINGLE_INPUT_VIDEO_STREAM_HPP
#define SILICA_SINGLE_INPUT_VIDEO_STREAM_HPP
/// The video stream of a file, packet by packet.

#include <cerrno>
#include <cstdint>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace silica::video::detail {

/// Containers that hold their video themselves: no playlists, no lists of files, no pictures.
inline constexpr const char* containers =
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc,av1,obu,ivf,ogg,flv,asf,nut,yuv4mpegpipe,dv,mxf";

/// Opened by its content. It outlives nothing of `source`.
class Stream {
public:
    /// InputError where the file is no video, has no stream of one, or says that its frames are too large.
    explicit Stream(Source& source) : source_(source) {
        open_bytes();
        open_container();
        find_streams();
        index_ = video_stream();
        for (unsigned i = 0; i < format_->nb_streams; ++i) {
            if (static_cast<int>(i) != index_) format_->streams[i]->discard = AVDISCARD_ALL;
        }
        packet_.reset(av_packet_alloc());
        if (!packet_) throw std::bad_alloc();
    }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    [[nodiscard]] const AVStream& video() const noexcept { return *format_->streams[index_]; }
    [[nodiscard]] const std::string& name() const noexcept { return source_.name(); }

    /// The next packet of the video, until the call after; null at the end. InputError where the file is damaged.
    [[nodiscard]] const AVPacket* next() {
        while (true) {
            av_packet_unref(packet_.get());
            const int code = av_read_frame(format_.get(), packet_.get());
            if (code == AVERROR_EOF && bytes_->error >= 0) return nullptr;
            if (code < 0) fail(code == AVERROR_EOF ? bytes_->error : code);
            if (packet_->stream_index != index_) continue;
            if ((packet_->flags & AV_PKT_FLAG_CORRUPT) != 0) damaged(name(), "a packet of it is not whole");
            return packet_.get();
        }
    }

    /// How many packets come that are to be shown.
    [[nodiscard]] std::int64_t count() {
        std::int64_t n = 0;
        while (const AVPacket* packet = next()) n += (packet->flags & AV_PKT_FLAG_DISCARD) == 0 ? 1 : 0;
        return n;
    }

private:
    [[noreturn]] void fail(int code) const {
        if (code == AVERROR(ENOMEM)) no_memory(name());
        damaged(name(), "FFmpeg says '" + words_of(code) + "'");
    }

    void open_bytes() {
        constexpr int size = 1 << 16;
        auto* buffer = static_cast<unsigned char*>(av_malloc(size));
        if (buffer == nullptr) throw std::bad_alloc();
        bytes_.reset(avio_alloc_context(buffer, size, 0, this, read, nullptr, seek));
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
        // Without a name: what stands in the file decides.
        const int code = av_probe_input_buffer2(bytes_.get(), &kind, "", nullptr, 0, 0);
        if (code < 0 || kind == nullptr || av_match_list(kind->name, containers, ',') <= 0) {
            const bool known = code >= 0 && kind != nullptr;
            throw InputError(name() + " is no video that is read" +
                                 (known ? ": it looks like " + std::string(kind->long_name) + "." : "."),
                             "Give a file such as MP4, MOV, MKV, WebM or AVI.");
        }
        AVFormatContext* format = avformat_alloc_context();
        if (format == nullptr) throw std::bad_alloc();
        format->pb = bytes_.get();
        format->io_open = refuse_to_open;  // what a file refers to is not opened
        AVDictionary* options = nullptr;
        av_dict_set(&options, "protocol_whitelist", "none", 0);
        av_dict_set(&options, "format_whitelist", containers, 0);
        av_dict_set(&options, "err_detect", "crccheck+explode", 0);
        const int opened = avformat_open_input(&format, "", kind, &options);  // frees `format` where it fails
        av_dict_free(&options);
        if (opened < 0) fail(opened);
        format_.reset(format);
    }

    void find_streams() {
        for (unsigned i = 0; i < format_->nb_streams; ++i) {
            const AVCodecParameters& stream = *format_->streams[i]->codecpar;
            if (stream.width > 0 && stream.height > 0) require_size(name(), stream.width, stream.height, 1);
        }
        std::vector<AVDictionary*> options(format_->nb_streams, nullptr);
        for (auto& each : options) av_dict_set_int(&each, "max_pixels", most_pixels, 0);
        const int found = avformat_find_stream_info(format_.get(), options.data());
        for (auto& each : options) av_dict_free(&each);
        if (found < 0) fail(found);
    }

    /// The first video stream that is no cover picture.
    [[nodiscard]] int video_stream() const {
        for (unsigned i = 0; i < format_->nb_streams; ++i) {
            const AVStream& stream = *format_->streams[i];
            if (stream.codecpar->codec_type == AVMEDIA_TYPE_VIDEO &&
                (stream.disposition & AV_DISPOSITION_ATTACHED_PIC) == 0)
                return static_cast<int>(i);
        }
        throw InputError(name() + " has no video stream.", "Give a file with moving pictures, not with sound alone.");
    }

    static int read(void* self, std::uint8_t* to, int size) noexcept {
        auto& s = *static_cast<Stream*>(self);
        const auto n = s.source_.read(s.at_, std::as_writable_bytes(std::span(to, static_cast<std::size_t>(size))));
        s.at_ += n;
        if (n != 0) return static_cast<int>(n);
        return s.at_ < s.source_.size() ? AVERROR(EIO) : AVERROR_EOF;
    }

    static std::int64_t seek(void* self, std::int64_t offset, int whence) noexcept {
        auto& s = *static_cast<Stream*>(self);
        const auto size = static_cast<std::int64_t>(s.source_.size());
        whence &= ~AVSEEK_FORCE;
        if (whence == AVSEEK_SIZE) return size;
        if (whence == SEEK_CUR) offset += static_cast<std::int64_t>(s.at_);
        if (whence == SEEK_END) offset += size;
        if (offset < 0) return AVERROR(EINVAL);
        s.at_ = static_cast<std::uint64_t>(offset);
        return offset;
    }

    static int refuse_to_open(AVFormatContext*, AVIOContext**, const char*, int, AVDictionary**) noexcept {
        return AVERROR(EPERM);
    }

    Source& source_;
    std::uint64_t at_ = 0;
    Owned<AVIOContext> bytes_;
    Owned<AVFormatContext> format_;  // before the bytes it reads
    Owned<AVPacket> packet_;
    int index_ = 0;
};

}  // namespace silica::video::detail
#endif  // SILICA_SINGLE_INPUT_VIDEO_STREAM_HPP

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

// ---- silica/input/video/whole.hpp
#ifndef SILICA_SINGLE_INPUT_VIDEO_WHOLE_HPP
#define SILICA_SINGLE_INPUT_VIDEO_WHOLE_HPP
/// Whether a video file has all that its outermost structure says. Demuxers take what is missing at the end for the
/// end.

namespace silica::video::detail {

/// Throws InputError where a part of the file reaches beyond its end, or its own checksum says that it is damaged:
/// boxes of MP4 and MOV (ISO/IEC 14496-12, 4.2), elements of Matroska and WebM (RFC 8794), chunks of AVI (RIFF), pages
/// of Ogg (RFC 3533), tags of FLV, frames of IVF, packets of MPEG-TS (ISO/IEC 13818-1). Other kinds are not looked
/// into.
void require_whole(Source& source);

}  // namespace silica::video::detail

// ---- silica/input/video/whole.ipp
#ifndef SILICA_SINGLE_INPUT_VIDEO_WHOLE_IPP
#define SILICA_SINGLE_INPUT_VIDEO_WHOLE_IPP
/// Walks over the outermost parts of a file.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace silica::video::detail {

/// Up to N bytes of a file at an offset.
template <std::size_t N>
struct Peek {
    Peek(Source& source, std::uint64_t offset) : count(source.read(offset, std::as_writable_bytes(std::span(bytes)))) {}

    [[nodiscard]] std::uint64_t big(std::size_t at, std::size_t n) const {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < n; ++i) value = value << 8U | bytes[at + i];
        return value;
    }
    [[nodiscard]] std::uint64_t little(std::size_t at, std::size_t n) const {
        std::uint64_t value = 0;
        for (std::size_t i = n; i-- > 0;) value = value << 8U | bytes[at + i];
        return value;
    }
    [[nodiscard]] std::string_view text(std::size_t at, std::size_t n) const {
        return {reinterpret_cast<const char*>(bytes.data()) + at, n};
    }

    std::array<unsigned char, N> bytes{};
    std::size_t count;
};

/// Throws InputError where [offset, offset + size) reaches beyond the end of the file.
inline void require_inside(const Source& source, std::uint64_t offset, std::uint64_t size, std::string_view what) {
    if (offset <= source.size() && size <= source.size() - offset) return;
    damaged(source.name(), std::string(what) + " at byte " + std::to_string(offset) + " has " + std::to_string(size) +
                               " bytes, and the file ends at " + std::to_string(source.size()));
}

/// Boxes: a size of 32 bits with the 8 bytes of its head, a type; 1: a size of 64 bits follows; 0: up to the end.
inline void require_whole_boxes(Source& source) {
    for (std::uint64_t at = 0; at < source.size();) {
        const Peek<16> head(source, at);
        const auto type = head.text(4, 4);
        bool known = false;
        for (const std::string_view name : {"ftyp", "moov", "mdat", "moof", "free", "skip", "wide", "mfra", "sidx",
                                            "styp", "uuid", "meta", "pnot", "udta", "emsg", "prft", "ssix"})
            known = known || type == name;
        if (head.count < 8 || !known) return;  // what stands behind the boxes is not read
        auto size = head.big(0, 4);
        if (size == 0) return;
        if (size == 1) size = head.count == 16 ? head.big(8, 8) : source.size() + 1;
        require_inside(source, at, size, "the box '" + std::string(type) + "'");
        if (size < 8) return;
        at += size;
    }
}

/// A number of EBML, whose length is told by its first byte.
struct Vint {
    std::uint64_t value = 0;
    std::size_t length = 0;  ///< 0: there is none
    bool unknown = false;    ///< all ones, for a size that is not known
};

inline Vint vint_at(const Peek<16>& head, std::size_t at, bool keep_marker) {
    if (at >= head.count) return {};
    const auto length = static_cast<std::size_t>(std::countl_zero(head.bytes[at])) + 1;
    if (length > 8 || at + length > head.count) return {};
    const auto ones = (std::uint64_t{1} << 7U * length) - 1, all = head.big(at, length);
    return {keep_marker ? all : all & ones, length, (all & ones) == ones};
}

/// The CRC-32 of [offset, offset + size), continued from `crc`.
inline std::uint32_t crc_of(Source& source, std::uint64_t offset, std::uint64_t size, AVCRCId kind, std::uint32_t crc) {
    std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>(size, 1U << 20U)));
    while (size > 0) {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(size, piece.size()));
        const auto n = source.read(offset, std::span(piece.data(), wanted));
        if (n == 0) damaged(source.name(), "it ends while it is read");
        crc = av_crc(av_crc_get_table(kind), crc, reinterpret_cast<const std::uint8_t*>(piece.data()), n);
        offset += n;
        size -= n;
    }
    return crc;
}

/// Elements: an id, a size, then the content, which may begin with a CRC-32 of the rest (RFC 8794, 11.3.1).
inline void require_whole_elements(Source& source) {
    constexpr std::uint64_t segment = 0x18538067, cluster = 0x1F43B675, seek_head = 0x114D9B74, info = 0x1549A966,
                            tracks = 0x1654AE6B, cues = 0x1C53BB6B, chapters = 0x1043A770, tags = 0x1254C367,
                            attachments = 0x1941A469;
    for (std::uint64_t at = 0; at < source.size();) {
        const Peek<16> head(source, at);
        const auto id = vint_at(head, 0, true), size = vint_at(head, id.length, false);
        if (id.length == 0 || size.length == 0) {
            if (at + head.count < source.size()) return;
            damaged(source.name(), "an element at byte " + std::to_string(at) + " is not whole");
        }
        const auto begin = at + id.length + size.length;
        if (!size.unknown) require_inside(source, begin, size.value, "an element");
        if (size.unknown || id.value == segment) {
            if (id.value != segment && id.value != cluster) return;
            at = begin;  // what is in it comes next
            continue;
        }
        bool parent = false;
        for (const auto each : {cluster, seek_head, info, tracks, cues, chapters, tags, attachments})
            parent = parent || id.value == each;
        const Peek<6> first(source, begin);
        if (parent && size.value >= 6 && first.big(0, 2) == 0xBF84) {
            const auto crc = ~crc_of(source, begin + 6, size.value - 6, AV_CRC_32_IEEE_LE, ~std::uint32_t{0});
            if (crc != first.little(2, 4))
                damaged(source.name(), "the checksum of an element at byte " + std::to_string(at) + " is wrong");
        }
        at = begin + size.value;
    }
}

/// Chunks: RIFF, a size, AVI or AVIX. A size of 0 was never filled in.
inline void require_whole_chunks(Source& source) {
    for (std::uint64_t at = 0; at < source.size();) {
        const Peek<12> head(source, at);
        if (head.count < 12 || head.text(0, 4) != "RIFF") return;
        const auto size = head.little(4, 4);
        if (size == 0) return;
        require_inside(source, at + 8, size, "a chunk");
        at += 8 + size + size % 2;
    }
}

/// Pages: the last of a stream says that it is.
inline void require_whole_pages(Source& source) {
    bool ended = false;
    for (std::uint64_t at = 0; at < source.size();) {
        const Peek<27 + 255> head(source, at);
        if (head.count < 4 || head.text(0, 4) != "OggS") break;
        const std::size_t segments = head.bytes[26], heads = 27 + segments;
        if (head.count < heads) damaged(source.name(), "a page at byte " + std::to_string(at) + " is not whole");
        std::uint64_t size = 0;
        for (std::size_t i = 0; i < segments; ++i) size += head.bytes[27 + i];
        require_inside(source, at + heads, size, "a page");
        constexpr std::array<std::uint8_t, 4> zero{};  // stands for the checksum in what it is of
        auto crc = crc_of(source, at, 22, AV_CRC_32_IEEE, 0);
        crc = av_crc(av_crc_get_table(AV_CRC_32_IEEE), crc, zero.data(), zero.size());
        crc = crc_of(source, at + 26, heads - 26 + size, AV_CRC_32_IEEE, crc);
        if (crc != head.big(22, 4))
            damaged(source.name(), "the checksum of a page at byte " + std::to_string(at) + " is wrong");
        ended = (head.bytes[5] & 4U) != 0;
        at += heads + size;
    }
    if (!ended) damaged(source.name(), "no page of it says that it is the last");
}

/// Tags: a type, a size of 24 bits, the rest of a head of 11 bytes, the content; before each the size of the last.
inline void require_whole_tags(Source& source) {
    const Peek<9> start(source, 0);
    for (std::uint64_t at = start.big(5, 4); at < source.size();) {
        require_inside(source, at, 4, "the size of a tag");
        at += 4;
        if (at == source.size()) return;
        const Peek<11> head(source, at);
        require_inside(source, at, 11, "the head of a tag");
        require_inside(source, at + 11, head.big(1, 3), "a tag");
        at += 11 + head.big(1, 3);
    }
}

/// Frames: a size of 32 bits in a head of 12 bytes, the content.
inline void require_whole_frames(Source& source) {
    const Peek<8> start(source, 0);
    for (std::uint64_t at = start.little(6, 2); at < source.size();) {
        const Peek<12> head(source, at);
        require_inside(source, at, 12, "the head of a frame");
        require_inside(source, at + 12, head.little(0, 4), "a frame");
        at += 12 + head.little(0, 4);
    }
}

SILICA_INLINE void require_whole(Source& source) {
    const Peek<12> head(source, 0);
    if (head.count < 12) return;
    if (head.big(0, 4) == 0x1A45DFA3) return require_whole_elements(source);
    if (head.text(0, 4) == "RIFF") return require_whole_chunks(source);
    if (head.text(0, 4) == "OggS") return require_whole_pages(source);
    if (head.text(0, 3) == "FLV") return require_whole_tags(source);
    if (head.text(0, 4) == "DKIF") return require_whole_frames(source);
    constexpr std::uint64_t packet = 188;  // of an MPEG transport stream, each of which begins with 'G'
    if (head.text(0, 1) == "G" && Peek<1>(source, packet).text(0, 1) == "G") {
        if (source.size() % packet != 0) damaged(source.name(), "its last packet is not whole");
        return;
    }
    require_whole_boxes(source);
}

}  // namespace silica::video::detail
#endif  // SILICA_SINGLE_INPUT_VIDEO_WHOLE_IPP
#endif  // SILICA_SINGLE_INPUT_VIDEO_WHOLE_HPP

#include <new>
#include <string>
#include <utility>

namespace silica::video {

namespace detail {

/// floor(i * total / n), for i < n.
constexpr std::int64_t sample(std::int64_t i, std::int64_t total, std::int64_t n) {
    return total / n * i + total % n * i / n;
}

/// Decodes all, and keeps the frames that belong to `total` -> how many there were.
inline std::int64_t decode_all(Source& source, std::int64_t total, std::int64_t frames,
                               std::vector<image::Image>& kept) {
    kept.clear();
    Stream stream(source);
    Decoder decoder(stream);
    std::int64_t n = 0, wanted = 0;
    for (; const AVFrame* frame = decoder.next(); ++n) {
        if (total < frames || wanted == frames || n != sample(wanted, total, frames)) continue;
        kept.push_back(decoder.picture(*frame, frames));
        ++wanted;
    }
    return n;
}

inline std::vector<image::Image> sampled(Source& source, std::int64_t frames) {
    constexpr std::int64_t most_frames = 65536;
    if (frames < 1 || frames > most_frames) {
        throw InputError(std::to_string(frames) + " frames of a video are asked for.",
                         "ask for 1 to " + std::to_string(most_frames) + ".");
    }
    if (av_log_get_level() == AV_LOG_INFO) av_log_set_level(AV_LOG_QUIET);
    require_whole(source);
    const auto packets = [&] {
        Stream stream(source);
        return stream.video().nb_frames > 0 ? stream.video().nb_frames : stream.count();
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
        damaged(source.name(), "it decodes to another number of frames each time");
    return kept;
}

/// The same, with an error of ours where memory runs out.
inline std::vector<image::Image> sampled_within_memory(Source source, std::int64_t frames) {
    try {
        return sampled(source, frames);
    } catch (const std::bad_alloc&) {
        no_memory(source.name());
    }
}

}  // namespace detail

SILICA_INLINE std::vector<image::Image> read(const std::filesystem::path& path, std::int64_t frames) {
    return detail::sampled_within_memory(detail::Source(path), frames);
}

SILICA_INLINE std::vector<image::Image> decode(std::span<const std::byte> file, std::string_view name,
                                               std::int64_t frames) {
    return detail::sampled_within_memory(detail::Source(file, name), frames);
}

}  // namespace silica::video
#endif  // SILICA_SINGLE_INPUT_VIDEO_READ_IPP
#endif  // SILICA_SINGLE_INPUT_VIDEO_READ_HPP
