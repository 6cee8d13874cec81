#pragma once
/// The video stream of a file, packet by packet.

#include "silica/core/error.hpp"
#include "silica/input/video/ffmpeg.hpp"
#include "silica/input/video/limits.hpp"
#include "silica/input/video/source.hpp"

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
