#pragma once
/// A file of weights, open for reading: bytes at a position, or the whole file mapped into memory.

#include "silica/checkpoint/text.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace silica::checkpoint {

/// The bytes of a whole file in memory, private and copy-on-write: writing to them never reaches the file.
/// Another program that shortens the file while it is mapped ends this one (SIGBUS): loader `CpuFirst` is for such
/// files.
class Mapping {
public:
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping();

    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Gives the pages that lie wholly inside [offset, offset + nbytes) back to the system. They are read from the
    /// file again when touched; what was written to them is lost.
    void release(std::uint64_t offset, std::uint64_t nbytes) const noexcept;

    /// Tells the system that [offset, offset + nbytes) is read soon.
    void prefetch(std::uint64_t offset, std::uint64_t nbytes) const noexcept;

private:
    friend class File;
    Mapping(std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}

    [[nodiscard]] std::pair<std::size_t, std::size_t> pages(std::uint64_t offset, std::uint64_t nbytes,
                                                            bool inside) const noexcept;

    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

/// Whether a directory lists `path`, be it as a link to what is gone: opening it then says so, where leaving it out
/// would be another checkpoint.
[[nodiscard]] bool is_listed(const std::filesystem::path& path) noexcept;

/// Throws a CheckpointError where a file of text in `directory` (configuration, vocabulary, template) is a link to what
/// is gone.
void refuse_dangling_links(const std::filesystem::path& directory);

/// A regular file open for reading. Reads are positional, so several threads may share one.
class File {
public:
    /// Opens `path`; CheckpointError when it is missing, unreadable or not a regular file.
    [[nodiscard]] static std::shared_ptr<const File> open(const std::filesystem::path& path);

    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File();

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

    /// Fills `out` with the bytes at `offset`, all of them or a CheckpointError.
    void read(std::uint64_t offset, std::span<std::byte> out) const;

    /// The `nbytes` bytes at `offset` as text.
    [[nodiscard]] std::string read_text(std::uint64_t offset, std::uint64_t nbytes) const;

    /// Maps the whole file, anew on each call; the mapping outlives the File.
    [[nodiscard]] std::shared_ptr<Mapping> map() const;

    /// Whether two files are one and the same open file.
    friend bool operator==(const File& a, const File& b) noexcept { return &a == &b; }

private:
    File(std::filesystem::path path, int fd) : path_(std::move(path)), fd_(fd) {}

    [[noreturn]] static void fail_to_open(const std::filesystem::path& path, int error);

    [[noreturn]] void fail_short(std::uint64_t offset, std::uint64_t nbytes, std::uint64_t end) const;

    std::filesystem::path path_;
    int fd_;
    std::uint64_t size_ = 0;
};

}  // namespace silica::checkpoint

#ifndef SILICA_COMPILED
#include "silica/checkpoint/file.ipp"
#endif
