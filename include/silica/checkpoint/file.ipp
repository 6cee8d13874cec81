#pragma once
/// Definitions of file.hpp.

#include "silica/checkpoint/file.hpp"
#include "silica/checkpoint/origin.hpp"
#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>

namespace silica::checkpoint {

SILICA_INLINE Mapping::~Mapping() {
    if (data_ != nullptr) ::munmap(data_, size_);
}

SILICA_INLINE void Mapping::release(std::uint64_t offset, std::uint64_t nbytes) const noexcept {
    const auto [first, last] = pages(offset, nbytes, true);
    if (first < last) ::madvise(data_ + first, last - first, MADV_DONTNEED);
}

SILICA_INLINE void Mapping::prefetch(std::uint64_t offset, std::uint64_t nbytes) const noexcept {
    const auto [first, last] = pages(offset, nbytes, false);
    if (first < last) ::madvise(data_ + first, last - first, MADV_WILLNEED);
}

SILICA_INLINE std::pair<std::size_t, std::size_t> Mapping::pages(std::uint64_t offset, std::uint64_t nbytes,
                                                                 bool inside) const noexcept {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = static_cast<std::size_t>(std::min<std::uint64_t>(offset, size_));
    const auto end = begin + static_cast<std::size_t>(std::min<std::uint64_t>(nbytes, size_ - begin));
    if (!inside) return {begin / page * page, end};
    const std::size_t last = end == size_ ? end : end / page * page;  // the last page holds nothing after the file
    return {(begin + page - 1) / page * page, last};
}

SILICA_INLINE std::shared_ptr<const File> File::open(const std::filesystem::path& path) {
    int fd = -1;
    do fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // not to wait for the writer of a pipe
    while (fd < 0 && errno == EINTR);
    if (fd < 0) fail_to_open(path, errno);
    std::shared_ptr<File> file(new File(path, fd));
    struct stat status = {};
    if (::fstat(fd, &status) != 0) fail_to_open(path, errno);
    if (!S_ISREG(status.st_mode)) {
        throw CheckpointError(path.string() + " is not a regular file.",
                              "Name a file of weights, or the directory that holds it.");
    }
    file->size_ = static_cast<std::uint64_t>(status.st_size);
    return file;
}

SILICA_INLINE File::~File() { ::close(fd_); }

SILICA_INLINE void File::read(std::uint64_t offset, std::span<std::byte> out) const {
    if (offset > size_ || out.size() > size_ - offset) fail_short(offset, out.size(), size_);
    constexpr std::size_t most = std::size_t{1} << 30U;  // macOS refuses more than 2 GiB - 1 in one call
    while (!out.empty()) {
        const auto n = ::pread(fd_, out.data(), std::min(out.size(), most), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            throw CheckpointError("Reading " + path_.string() + " at byte " + std::to_string(offset) +
                                      " failed: " + std::generic_category().message(errno) + ".",
                                  "Check the disk or the network share, and copy the file again.");
        }
        if (n == 0) fail_short(offset, out.size(), offset);
        out = out.subspan(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
}

SILICA_INLINE std::string File::read_text(std::uint64_t offset, std::uint64_t nbytes) const {
    if (offset > size_ || nbytes > size_ - offset) fail_short(offset, nbytes, size_);
    std::string text(static_cast<std::size_t>(nbytes), '\0');
    read(offset, std::as_writable_bytes(std::span(text.data(), text.size())));
    return text;
}

SILICA_INLINE std::shared_ptr<Mapping> File::map() const {
    if (size_ == 0) return std::shared_ptr<Mapping>(new Mapping(nullptr, 0));
    int flags = MAP_PRIVATE;
#ifdef MAP_NORESERVE
    flags |= MAP_NORESERVE;  // the pages are clean: no swap space is set aside for them
#endif
    void* data = MAP_FAILED;
    if (size_ <= std::numeric_limits<std::size_t>::max())
        data = ::mmap(nullptr, static_cast<std::size_t>(size_), PROT_READ | PROT_WRITE, flags, fd_, 0);
    if (data == MAP_FAILED) {
        throw CheckpointError("Mapping " + path_.string() + " (" + bytes(size_) +
                                  ") into memory failed: " + std::generic_category().message(errno) + ".",
                              "Load with loader::Streamed or loader::CpuFirst, which read instead of mapping.");
    }
    return std::shared_ptr<Mapping>(new Mapping(static_cast<std::byte*>(data), static_cast<std::size_t>(size_)));
}

SILICA_INLINE void File::fail_to_open(const std::filesystem::path& path, int error) {
    std::string remedy = "Check the path, and that you may read the file.";
    std::string problem = "Opening " + path.string() + " failed: " + std::generic_category().message(error) + ".";
    if (error == EMFILE || error == ENFILE) remedy = "Allow more open files: ulimit -n 4096.";
    if (error == ENOENT) {
        std::error_code no_link;
        const auto target = std::filesystem::read_symlink(path, no_link);
        if (!no_link) {
            problem = path.string() + " is a link, and what it points to is gone: " + target.string() + ".";
            remedy = "Put that file back, or copy the checkpoint with its links followed (cp -rL).";
        }
        if (const auto origin = origin_of(path))
            remedy = "Run `" + download_line(origin->repo, origin->revision, origin->file) + "`.";
    }
    throw CheckpointError(std::move(problem), std::move(remedy));
}

SILICA_INLINE void File::fail_short(std::uint64_t offset, std::uint64_t nbytes, std::uint64_t end) const {
    throw CheckpointError(path_.string() + " ends at byte " + std::to_string(end) + ", where bytes " +
                              std::to_string(offset) + " to " + std::to_string(offset + nbytes) + " were expected.",
                          fetch_again(path_));
}

SILICA_INLINE bool is_listed(const std::filesystem::path& path) noexcept {
    std::error_code ignored;
    return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

SILICA_INLINE void refuse_dangling_links(const std::filesystem::path& directory) {
    std::error_code error;
    for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
        std::error_code ignored;
        const auto extension = at->path().extension();
        if (extension != ".json" && extension != ".txt" && extension != ".model" && extension != ".jinja") continue;
        if (at->is_symlink(ignored) && !at->exists(ignored)) static_cast<void>(File::open(at->path()));
    }
}

}  // namespace silica::checkpoint
