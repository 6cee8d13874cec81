#pragma once
/// PNG by libpng.

#include "silica/input/image/canvas.hpp"
#include "silica/input/image/kind.hpp"
#include "silica/input/image/orientation.hpp"
#include "silica/input/image/png.hpp"

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <png.h>

namespace silica::image {

namespace detail {

/// A PNG file being read. libpng leaves it by a jump where something is wrong, so nothing here has a destructor but the
/// whole, and what calls libpng is called through `step`.
class PngFile {
public:
    explicit PngFile(std::span<const std::byte> file) : file_(file) {
        png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, [](png_structp, png_const_charp) {});
        if (png_) info_ = png_create_info_struct(png_);
    }
    ~PngFile() { png_destroy_read_struct(&png_, &info_, nullptr); }
    PngFile(const PngFile&) = delete;
    PngFile& operator=(const PngFile&) = delete;

    /// Reads up to the pixels. False: `problem` says why not.
    [[nodiscard]] bool read_header() {
        if (info_ == nullptr) return false;
        return step([](PngFile& self) {
            png_set_read_fn(self.png_, &self, read);
            png_set_crc_action(self.png_, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
            png_set_user_limits(self.png_, most_side, most_side);
            png_set_chunk_malloc_max(self.png_, most_text);
            png_set_chunk_cache_max(self.png_, most_texts);
            png_set_benign_errors(self.png_, 1);
            png_read_info(self.png_, self.info_);
        });
    }
    /// Says how rows are wanted: red, green and blue of 8 bits; or grey of 16 bits as it is, where there is no alpha.
    [[nodiscard]] bool start() {
        return step([](PngFile& self) {
            const auto colours = png_get_color_type(self.png_, self.info_);
            if (colours == PNG_COLOR_TYPE_PALETTE) {
                png_set_palette_to_rgb(self.png_);
            } else if ((colours & PNG_COLOR_MASK_COLOR) == 0) {
                if (self.bits() < 8) png_set_expand_gray_1_2_4_to_8(self.png_);
                if (!self.clamps()) png_set_gray_to_rgb(self.png_);
            }
            if (self.bits() == 16 && !self.clamps()) png_set_strip_16(self.png_);
            png_set_strip_alpha(self.png_);
            self.passes_ = png_set_interlace_handling(self.png_);
            png_read_update_info(self.png_, self.info_);
            self.row_size_ = png_get_rowbytes(self.png_, self.info_);
        });
    }
    /// Reads one row, or a pass of it over what is there. Rows come in order, as often as there are `passes`.
    [[nodiscard]] bool read_row(std::uint8_t* to) {
        to_ = to;
        return step([](PngFile& self) { png_read_row(self.png_, self.to_, nullptr); });
    }
    /// Reads what stands behind the pixels.
    [[nodiscard]] bool read_end() {
        return step([](PngFile& self) { png_read_end(self.png_, self.info_); });
    }

    [[nodiscard]] std::int64_t height() const noexcept { return png_get_image_height(png_, info_); }
    [[nodiscard]] std::int64_t width() const noexcept { return png_get_image_width(png_, info_); }
    [[nodiscard]] int bits() const noexcept { return png_get_bit_depth(png_, info_); }
    [[nodiscard]] int passes() const noexcept { return passes_; }
    [[nodiscard]] std::size_t row_size() const noexcept { return row_size_; }
    [[nodiscard]] const char* problem() const noexcept { return problem_; }
    /// 16-bit grey without alpha: Pillow clamps it at 255 instead of taking the upper byte.
    [[nodiscard]] bool clamps() const noexcept { return clamps_; }
    void note_kind() noexcept { clamps_ = bits() == 16 && png_get_color_type(png_, info_) == PNG_COLOR_TYPE_GRAY; }

    [[nodiscard]] int orientation() const;
    /// The colour that tRNS makes transparent, as Pillow's pixels have it after convert("RGB"). Before `start`.
    [[nodiscard]] std::optional<std::array<std::uint8_t, 3>> transparent() const;

private:
    /// For what stands beside the pixels: bytes in a chunk, and chunks of text.
    static constexpr png_alloc_size_t most_text = 8U << 20U;
    static constexpr png_uint_32 most_texts = 64;

    [[nodiscard]] bool step(void (*call)(PngFile&)) {
        if (setjmp(png_jmpbuf(png_)) != 0) return false;
        call(*this);
        return true;
    }
    static void fail(png_structp png, png_const_charp message) {
        auto& self = *static_cast<PngFile*>(png_get_error_ptr(png));
        std::snprintf(self.problem_, sizeof self.problem_, "%s", message);
        png_longjmp(png, 1);
    }
    static void read(png_structp png, png_bytep to, png_size_t size) {
        auto& self = *static_cast<PngFile*>(png_get_io_ptr(png));
        if (self.file_.size() - self.at_ < size) png_error(png, "the file ends early");
        std::memcpy(to, self.file_.data() + self.at_, size);
        self.at_ += size;
    }

    std::span<const std::byte> file_;
    std::size_t at_ = 0, row_size_ = 0;
    png_structp png_ = nullptr;
    png_infop info_ = nullptr;
    int passes_ = 1;
    bool clamps_ = false;
    std::uint8_t* to_ = nullptr;
    char problem_[128] = "no memory";
};

/// Four bytes at `at` as a number.
[[nodiscard]] inline std::int64_t png_number(std::span<const std::byte> file, std::size_t at) {
    std::int64_t made = 0;
    for (const auto byte : file.subspan(at, 4)) made = made << 8U | std::to_integer<std::int64_t>(byte);
    return made;
}

/// The file as far as its chunks are whole: libpng takes the memory that a chunk asks for before it sees the bytes.
[[nodiscard]] inline std::span<const std::byte> whole_chunks(std::span<const std::byte> file) {
    constexpr std::size_t signature = 8, frame = 12;  // a chunk's length, kind and sum
    std::size_t at = signature;
    while (at + frame <= file.size()) {
        const auto size = static_cast<std::size_t>(png_number(file, at));
        if (size > file.size() - at - frame) break;
        at += frame + size;
    }
    return file.first(std::min(at, file.size()));
}

/// The bytes of a "Raw profile": hexadecimal digits after three lines.
[[nodiscard]] inline std::vector<std::byte> raw_profile(std::string_view text) {
    for (int line = 0; line < 3; ++line) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) return {};
        text.remove_prefix(end + 1);
    }
    std::vector<std::byte> made;
    int high = -1;
    for (const char c : text) {
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0) continue;
        if (high < 0) {
            high = digit;
        } else {
            made.push_back(static_cast<std::byte>(high << 4 | digit));
            high = -1;
        }
    }
    return made;
}

inline int PngFile::orientation() const {
    png_uint_32 size = 0;
    png_bytep exif = nullptr;
    std::optional<int> found;
    if (png_get_eXIf_1(png_, info_, &size, &exif) != 0)
        found = exif_orientation({reinterpret_cast<const std::byte*>(exif), size});
    png_textp texts = nullptr;
    const int count = png_get_text(png_, info_, &texts, nullptr);
    const auto text_of = [&](std::string_view key) {
        std::string_view text;
        for (int i = 0; i < count; ++i) {
            if (key == texts[i].key && texts[i].text)
                text = {texts[i].text, std::max(texts[i].text_length, texts[i].itxt_length)};
        }
        return text;
    };
    if (exif == nullptr) found = exif_orientation(raw_profile(text_of("Raw profile type exif")));
    if (!found) found = xmp_orientation(text_of("XML:com.adobe.xmp"));
    return found.value_or(1);
}

inline std::optional<std::array<std::uint8_t, 3>> PngFile::transparent() const {
    png_bytep first = nullptr;
    int count = 0;
    png_color_16p key = nullptr;
    if (png_get_tRNS(png_, info_, &first, &count, &key) == 0) return std::nullopt;
    const auto kind = png_get_color_type(png_, info_);
    if (kind == PNG_COLOR_TYPE_PALETTE) {  // one colour that is not seen, the others whole; more are forgotten
        const std::span<const png_byte> alphas(first, static_cast<std::size_t>(count));
        png_colorp palette = nullptr;
        int colours = 0;
        const auto hidden = std::find(alphas.begin(), alphas.end(), png_byte{0});
        if (hidden == alphas.end() || std::count(alphas.begin(), alphas.end(), png_byte{255}) + 1 != count ||
            png_get_PLTE(png_, info_, &palette, &colours) == 0) {
            return std::nullopt;
        }
        const auto index = hidden - alphas.begin();
        if (index >= colours) return std::array<std::uint8_t, 3>{0, 0, 0};
        return std::array<std::uint8_t, 3>{palette[index].red, palette[index].green, palette[index].blue};
    }
    const auto low = [](png_uint_16 level) { return static_cast<std::uint8_t>(level & 255U); };
    if (kind == PNG_COLOR_TYPE_RGB) return std::array{low(key->red), low(key->green), low(key->blue)};
    // Grey: a level as it stands in the file, not spread to 0..255; of 1 and 16 bits Pillow compares red alone with it.
    if (bits() == 1) return std::array<std::uint8_t, 3>{key->gray != 0 ? std::uint8_t{255} : std::uint8_t{0}, 0, 0};
    if (bits() == 16) return std::array<std::uint8_t, 3>{low(key->gray), 0, 0};
    const auto level = static_cast<std::uint8_t>(std::min<png_uint_16>(key->gray, 255));
    return std::array{level, level, level};
}

}  // namespace detail

SILICA_INLINE Image decode_png(std::span<const std::byte> file, std::string_view name) {
    // Sizes that libpng would refuse in words of its own. The header comes first, at a place of its own.
    constexpr std::size_t header = 16;
    if (file.size() >= header + 8)
        check_size(detail::png_number(file, header + 4), detail::png_number(file, header), name);
    detail::PngFile png(detail::whole_chunks(file));
    const auto require = [&](bool done) {
        if (!done) detail::damaged(name, std::string("is no PNG that can be read (") + png.problem() + ")");
    };
    require(png.read_header());
    png.note_kind();
    const auto transparent = png.transparent();
    require(png.start());
    Canvas canvas(png.height(), png.width(), name);
    if (!png.clamps()) {
        for (int pass = 0; pass < png.passes(); ++pass) {
            for (std::int64_t y = 0; y < canvas.height(); ++y) require(png.read_row(canvas.row(y)));
        }
    } else {
        // A row of 16-bit values; of an interlaced picture, all of them, since passes add to what is there.
        const std::size_t size = png.row_size();
        const auto kept = static_cast<std::size_t>(png.passes() > 1 ? canvas.height() : 1);
        const std::unique_ptr<std::uint8_t[]> rows(new (std::nothrow) std::uint8_t[kept * size]);
        if (!rows) throw InputError(std::string(name) + " needs more memory than there is.", "Give a smaller picture.");
        for (int pass = 0; pass < png.passes(); ++pass) {
            for (std::int64_t y = 0; y < canvas.height(); ++y) {
                std::uint8_t* row = rows.get() + (png.passes() > 1 ? static_cast<std::size_t>(y) * size : 0);
                require(png.read_row(row));
                if (pass + 1 < png.passes()) continue;
                std::uint8_t* to = canvas.row(y);
                for (std::int64_t x = 0; x < canvas.width(); ++x) {
                    const std::uint8_t level = row[2 * x] != 0 ? 255 : row[2 * x + 1];
                    std::fill_n(to + 3 * x, 3, level);
                }
            }
        }
    }
    (void)png.read_end();  // the pixels are whole; only an orientation may stand there
    Image picture = upright(std::move(canvas).finish(), png.orientation(), name);
    picture.set_transparent(transparent);
    return picture;
}

}  // namespace silica::image
