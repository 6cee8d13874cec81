#pragma once
/// The table of contents of a zip archive as torch.save writes it: stored (uncompressed) members, zip64 where large.
/// Format: PKWARE APPNOTE.TXT 6.3.

#include "silica/checkpoint/file.hpp"
#include "silica/checkpoint/origin.hpp"
#include "silica/checkpoint/text.hpp"
#include "silica/core/error.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace silica::checkpoint {

/// One member of an archive: its bytes lie in the file as they are.
struct ZipMember {
    std::uint64_t offset = 0, nbytes = 0;
};

/// The members of the zip archive in `file`, by name. Every offset has been checked against the file.
/// CheckpointError when the archive is damaged, compressed, encrypted or in several parts.
[[nodiscard]] std::map<std::string, ZipMember, std::less<>> read_zip(const File& file);

namespace detail {

class ZipParser {
public:
    explicit ZipParser(const File& file) : file_(file) {}

    [[nodiscard]] std::map<std::string, ZipMember, std::less<>> parse() && {
        find_directory();
        const std::string directory = file_.read_text(directory_, directory_size_);
        std::uint64_t at = 0;
        for (std::uint64_t i = 0; i < count_; ++i) at += member(std::string_view(directory).substr(at));
        if (at != directory_size_) damaged("its directory has " + bytes(directory_size_ - at) + " too many");
        return std::move(members_);
    }

private:
    static constexpr std::uint64_t most_members = 200'000, largest_directory = 200'000'000;

    [[nodiscard]] static std::uint64_t number(std::string_view text, std::size_t at, std::size_t width) {
        std::uint64_t value = 0;
        for (std::size_t i = width; i-- > 0;) value = value << 8U | static_cast<unsigned char>(text[at + i]);
        return value;
    }

    /// Finds the end-of-directory record (22 bytes and a comment, last in the file), and its zip64 form if there is
    /// one.
    void find_directory() {
        const std::uint64_t tail_size = std::min<std::uint64_t>(file_.size(), 22 + 65535);
        const std::uint64_t tail_at = file_.size() - tail_size;
        const std::string tail = file_.read_text(tail_at, tail_size);
        std::size_t end = tail.size() < 22 ? std::string::npos : tail.rfind("PK\x05\x06", tail.size() - 22);
        while (end != std::string::npos && end + 22 + number(tail, end + 20, 2) != tail.size())
            end = end == 0 ? std::string::npos : tail.rfind("PK\x05\x06", end - 1);
        if (end == std::string::npos) damaged("its directory is missing; the file is cut short");
        if (number(tail, end + 4, 2) != 0 || number(tail, end + 6, 2) != 0) refuse("is a zip archive in several parts");
        count_ = number(tail, end + 10, 2);
        directory_size_ = number(tail, end + 12, 4);
        directory_ = number(tail, end + 16, 4);
        limit_ = tail_at + end;
        if (end >= 20 && tail.compare(end - 20, 4, "PK\x06\x07") == 0) find_directory64(number(tail, end - 12, 8));
        if (count_ > most_members) refuse("is a zip archive of more than 200000 members");
        if (directory_size_ > largest_directory) refuse("has a zip directory of " + bytes(directory_size_));
        if (directory_ > limit_ || directory_size_ > limit_ - directory_)
            damaged("its directory at byte " + std::to_string(directory_) + ", " + bytes(directory_size_) +
                    ", does not fit in the file");
        if (count_ > directory_size_ / 46)
            damaged("its directory is too short for " + std::to_string(count_) + " members");
    }

    void find_directory64(std::uint64_t at) {
        limit_ -= 20;
        if (at > limit_ || limit_ - at < 56) damaged("its zip64 record is out of range");
        const std::string record = file_.read_text(at, 56);
        if (!record.starts_with("PK\x06\x06")) damaged("its zip64 record is missing");
        if (number(record, 16, 4) != 0 || number(record, 20, 4) != 0) refuse("is a zip archive in several parts");
        count_ = number(record, 32, 8);
        directory_size_ = number(record, 40, 8);
        directory_ = number(record, 48, 8);
        limit_ = at;
    }

    /// Reads one directory entry (46 bytes, name, extra fields, comment) and returns its length.
    std::uint64_t member(std::string_view entry) {
        if (entry.size() < 46 || !entry.starts_with("PK\x01\x02")) damaged("its directory is not one");
        const std::uint64_t flags = number(entry, 8, 2), method = number(entry, 10, 2);
        const std::uint64_t name_size = number(entry, 28, 2), extra_size = number(entry, 30, 2);
        const std::uint64_t total = 46 + name_size + extra_size + number(entry, 32, 2);
        if (total > entry.size()) damaged("its directory is cut short");
        std::string name(entry.substr(46, name_size));
        std::uint64_t packed = number(entry, 20, 4), nbytes = number(entry, 24, 4), header = number(entry, 42, 4);
        wide(entry.substr(46 + name_size, extra_size), name, nbytes, packed, header);
        if ((flags & 1U) != 0) refuse("has the encrypted member " + quote(name));
        if (method != 0) refuse("has the compressed member " + quote(name) + "; torch.save does not compress");
        if (packed != nbytes) damaged("member " + quote(name) + " has two sizes");
        const ZipMember found = {data_offset(header, name, nbytes), nbytes};
        if (const auto [at, added] = members_.emplace(std::move(name), found); !added)
            damaged("member " + quote(at->first) + " occurs twice");
        return total;
    }

    /// The 64-bit values of the extra field 1, for those that are 2^32 - 1 in the entry itself.
    void wide(std::string_view extra, const std::string& name, std::uint64_t& nbytes, std::uint64_t& packed,
              std::uint64_t& header) const {
        constexpr std::uint64_t elsewhere = 0xffffffffU;
        while (extra.size() >= 4) {
            const auto id = number(extra, 0, 2);
            const auto size = static_cast<std::size_t>(number(extra, 2, 2));
            if (size > extra.size() - 4) damaged("member " + quote(name) + " has a bad extra field");
            auto field = extra.substr(4, size);
            extra.remove_prefix(4 + size);
            if (id != 1) continue;
            for (std::uint64_t* value : {&nbytes, &packed, &header}) {
                if (*value != elsewhere) continue;
                if (field.size() < 8) damaged("member " + quote(name) + " has a bad zip64 field");
                *value = number(field, 0, 8);
                field.remove_prefix(8);
            }
            return;
        }
    }

    /// Where the bytes of a member begin: after its local header (30 bytes, name, extra fields).
    [[nodiscard]] std::uint64_t data_offset(std::uint64_t header, const std::string& name, std::uint64_t nbytes) const {
        if (header > directory_ || directory_ - header < 30 + name.size())
            damaged("member " + quote(name) + " begins at byte " + std::to_string(header) + ", outside of the archive");
        const std::string local = file_.read_text(header, 30 + name.size());
        if (!local.starts_with("PK\x03\x04") || number(local, 26, 2) != name.size() || local.substr(30) != name)
            damaged("member " + quote(name) + " is not where the directory says");
        const std::uint64_t data = header + 30 + name.size() + number(local, 28, 2);
        if (data > directory_ || nbytes > directory_ - data)
            damaged("member " + quote(name) + " at byte " + std::to_string(data) + ", " + bytes(nbytes) +
                    ", goes beyond the archive");
        return data;
    }

    [[noreturn]] void refuse(const std::string& problem) const {
        throw CheckpointError(file_.path().string() + " " + problem + ".",
                              "Save the tensors again with torch.save, or as safetensors.");
    }
    [[noreturn]] void damaged(const std::string& problem) const {
        throw CheckpointError(file_.path().string() + " is not an intact zip archive: " + problem + ".",
                              fetch_again(file_.path()));
    }

    const File& file_;
    std::uint64_t directory_ = 0, directory_size_ = 0, count_ = 0;
    std::uint64_t limit_ = 0;  // where the records after the directory begin
    std::map<std::string, ZipMember, std::less<>> members_;
};

}  // namespace detail

inline std::map<std::string, ZipMember, std::less<>> read_zip(const File& file) {
    return detail::ZipParser(file).parse();
}

}  // namespace silica::checkpoint
