#pragma once
/// A stream of a container, packet by packet.

#include "silica/core/error.hpp"
#include "silica/input/media/ffmpeg.hpp"
#include "silica/input/media/source.hpp"

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
