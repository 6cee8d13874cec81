#pragma once
/// The video stream of a file.

#include "silica/core/error.hpp"
#include "silica/input/media/demuxer.hpp"
#include "silica/input/media/ffmpeg.hpp"
#include "silica/input/media/source.hpp"
#include "silica/input/video/limits.hpp"

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
