#pragma once
/// JPEG by libjpeg-turbo.

#include "silica/input/image/canvas.hpp"
#include "silica/input/image/jpeg.hpp"
#include "silica/input/image/kind.hpp"
#include "silica/input/image/orientation.hpp"

#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <jpeglib.h>
// After jpeglib.h.
#include <jerror.h>

namespace silica::image {

namespace detail {

/// A JPEG file being read. libjpeg leaves it by a jump where something is wrong, so nothing here has a destructor but
/// the whole, and what calls libjpeg is called through `step`.
class JpegFile {
public:
    explicit JpegFile(std::span<const std::byte> file) : file_(file) {
        info_.err = jpeg_std_error(&errors_);
        info_.client_data = this;
        errors_.error_exit = [](j_common_ptr info) {
            auto& self = *static_cast<JpegFile*>(info->client_data);
            (*info->err->format_message)(info, self.problem_);
            const int code = info->err->msg_code;
            self.too_large_ = code == JERR_NO_BACKING_STORE || code == JERR_OUT_OF_MEMORY;
            std::longjmp(self.back_, 1);
        };
        errors_.emit_message = [](j_common_ptr info, int level) {
            if (level < 0 && is_damage(info->err->msg_code)) (*info->err->error_exit)(info);
        };
        errors_.output_message = [](j_common_ptr) {};
        progress_.progress_monitor = [](j_common_ptr info) {
            static_cast<JpegFile*>(info->client_data)->check_scans();
        };
    }
    ~JpegFile() { jpeg_destroy_decompress(&info_); }
    JpegFile(const JpegFile&) = delete;
    JpegFile& operator=(const JpegFile&) = delete;

    /// Reads the header. False: `fail` says why not.
    [[nodiscard]] bool read_header() {
        return step([](JpegFile& self) {
            jpeg_create_decompress(&self.info_);
            self.info_.progress = &self.progress_;
            self.info_.mem->max_memory_to_use = most_memory;
            jpeg_mem_src(&self.info_, reinterpret_cast<const unsigned char*>(self.file_.data()),
                         static_cast<unsigned long>(self.file_.size()));
            jpeg_save_markers(&self.info_, JPEG_APP0 + 1, 0xffff);
            jpeg_read_header(&self.info_, TRUE);
        });
    }
    /// Begins with the pixels: rows of red, green and blue, or of four inks.
    [[nodiscard]] bool start() {
        return step([](JpegFile& self) {
            self.info_.out_color_space = self.channels() == 4 ? JCS_CMYK : JCS_RGB;
            jpeg_start_decompress(&self.info_);
        });
    }
    /// Reads rows to `to`, row after row; `stop` at most.
    [[nodiscard]] bool read_rows(std::uint8_t* to, std::int64_t stop) {
        to_ = to;
        stop_ = static_cast<JDIMENSION>(stop);
        return step([](JpegFile& self) {
            const std::size_t size = static_cast<std::size_t>(self.info_.output_width) *
                                     static_cast<std::size_t>(self.info_.output_components);
            while (self.info_.output_scanline < self.stop_) {
                JSAMPROW rows[] = {self.to_, self.to_ + size, self.to_ + 2 * size, self.to_ + 3 * size};
                const JDIMENSION left = self.stop_ - self.info_.output_scanline;
                const JDIMENSION read = jpeg_read_scanlines(&self.info_, rows, left < 4 ? left : 4);
                self.to_ += read * size;
            }
        });
    }
    [[nodiscard]] bool finish() {
        return step([](JpegFile& self) { jpeg_finish_decompress(&self.info_); });
    }

    [[nodiscard]] std::int64_t height() const noexcept { return info_.image_height; }
    [[nodiscard]] std::int64_t width() const noexcept { return info_.image_width; }
    [[nodiscard]] int channels() const noexcept { return info_.num_components; }
    /// Throws what went wrong with the picture `name`.
    [[noreturn]] void fail(std::string_view name) const {
        if (!too_large_) damaged(name, std::string("is no JPEG that can be read (") + problem_ + ")");
        throw InputError(std::string(name) +
                             " needs more memory, or more passes over the picture, than are given to one "
                             "JPEG (" +
                             problem_ + ").",
                         "Save it as a baseline JPEG, or smaller.");
    }

    /// Of the markers before the pixels.
    [[nodiscard]] int orientation() const {
        using namespace std::string_view_literals;
        constexpr auto exif_head = "Exif\0\0"sv, xmp_head = "http://ns.adobe.com/xap/1.0/\0"sv;
        std::vector<std::byte> exif;
        std::string_view xmp;
        for (auto* marker = info_.marker_list; marker != nullptr; marker = marker->next) {
            const std::span bytes(reinterpret_cast<const std::byte*>(marker->data), marker->data_length);
            if (text_at(bytes, 0, exif_head.size()) == exif_head) {
                exif.insert(exif.end(), bytes.begin() + exif_head.size(), bytes.end());
            } else if (text_at(bytes, 0, xmp_head.size()) == xmp_head) {
                xmp = text_at(bytes, xmp_head.size(), bytes.size());
            }
        }
        if (const auto found = exif_orientation(exif)) return *found;
        return xmp_orientation(xmp).value_or(1);
    }

private:
    /// For the coefficients of progressive pictures, in bytes.
    static constexpr long most_memory = 1300L << 20U;

    /// Calls libjpeg. False where it jumped back.
    [[nodiscard]] bool step(void (*call)(JpegFile&)) {
        if (setjmp(back_) != 0) return false;
        call(*this);
        return true;
    }
    /// Of what libjpeg only warns of, what leaves wrong pixels behind.
    [[nodiscard]] static bool is_damage(int code) {
        return code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_JPEG_EOF ||
               code == JWRN_MUST_RESYNC || code == JWRN_ARITH_BAD_CODE;
    }
    /// A progressive file may hold any number of scans, each of which passes over the whole picture in a few bytes.
    void check_scans() {
        constexpr std::int64_t free_scans = 32, most_work = std::int64_t{1} << 32U;  // scans, and scans times pixels
        const std::int64_t scans = info_.input_scan_number;
        if (scans <= free_scans || scans * height() * width() <= most_work) return;
        std::snprintf(problem_, sizeof problem_, "it has more than %d scans", info_.input_scan_number - 1);
        too_large_ = true;
        std::longjmp(back_, 1);
    }

    std::span<const std::byte> file_;
    jpeg_decompress_struct info_ = {};
    jpeg_error_mgr errors_ = {};
    jpeg_progress_mgr progress_ = {};
    std::jmp_buf back_;
    char problem_[JMSG_LENGTH_MAX] = "";
    bool too_large_ = false;
    std::uint8_t* to_ = nullptr;
    JDIMENSION stop_ = 0;
};

/// a b / 255, rounded.
[[nodiscard]] constexpr unsigned product_of_255(unsigned a, unsigned b) {
    const unsigned t = a * b + 128;
    return ((t >> 8U) + t) >> 8U;
}

/// Four inks, stored inverted, to light: red = k - (255 - c) k / 255, as Pillow rounds it.
inline void inks_to_light(const std::uint8_t* inks, std::uint8_t* to, std::int64_t pixels) {
    for (std::int64_t i = 0; i < pixels; ++i, inks += 4, to += 3) {
        const unsigned light = inks[3];
        for (int c = 0; c < 3; ++c) {
            const unsigned ink = 255U - inks[c];
            const unsigned taken = product_of_255(ink, light);
            to[c] = static_cast<std::uint8_t>(light > taken ? light - taken : 0);
        }
    }
}

}  // namespace detail

SILICA_INLINE Image decode_jpeg(std::span<const std::byte> file, std::string_view name) {
    detail::JpegFile jpeg(file);
    const auto require = [&](bool done) {
        if (!done) jpeg.fail(name);
    };
    require(jpeg.read_header());
    if (jpeg.channels() != 1 && jpeg.channels() != 3 && jpeg.channels() != 4)
        detail::damaged(name, "has " + std::to_string(jpeg.channels()) + " colours, which no JPEG has");
    Canvas canvas(jpeg.height(), jpeg.width(), name);
    const int orientation = jpeg.orientation();
    require(jpeg.start());
    if (jpeg.channels() != 4) {
        require(jpeg.read_rows(canvas.row(0), canvas.height()));
    } else {
        std::vector<std::uint8_t> inks(static_cast<std::size_t>(canvas.width()) * 4);
        for (std::int64_t y = 0; y < canvas.height(); ++y) {
            require(jpeg.read_rows(inks.data(), y + 1));
            detail::inks_to_light(inks.data(), canvas.row(y), canvas.width());
        }
    }
    require(jpeg.finish());
    return upright(std::move(canvas).finish(), orientation, name);
}

}  // namespace silica::image
