#pragma once
/// Files read, decoded and processed ahead on threads, while a network runs on those before them.

#include "silica/core/compiled.hpp"
#include "silica/core/error.hpp"

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace silica::task {

/// What became of a file: a value, or the error that says why there is none.
template <class T>
struct FileResult {
    std::size_t index = 0;            ///< which of the files, from 0
    std::filesystem::path path = {};  ///< as it was named
    std::optional<T> value = {};
    std::optional<Error> error = {};  ///< where, and only where, there is no value

    /// The value; throws the error where there is none, and InputError where nothing became of the file yet.
    [[nodiscard]] const T& get() const {
        if (error) throw Error(*error);
        if (!value) throw InputError("A file has neither a value nor an error.", "take results that a task gave.");
        return *value;
    }
};

/// How far ahead files are read. 0: chosen.
struct ReadAhead {
    std::size_t threads = 0;  ///< that read and process; chosen: as many as the machine runs at once
    std::size_t files = 0;    ///< that are held at most, ready or in work; chosen: two for each thread
};

namespace detail {

/// Calls work(i) for i in [0, count) on threads, in this order, not further than `window` beyond what was taken.
class WorkAhead {
public:
    /// `work` does not throw. Where the system gives no threads, `take` does the work itself.
    WorkAhead(std::size_t count, ReadAhead ahead, std::function<void(std::size_t)> work);
    WorkAhead(const WorkAhead&) = delete;
    WorkAhead& operator=(const WorkAhead&) = delete;
    /// Waits for what is in work, and begins no more.
    ~WorkAhead();

    /// Waits until work(i) is done, i being the next that was not taken. False where there are no more.
    [[nodiscard]] bool take();

private:
    void serve();

    std::size_t count_, window_;
    std::function<void(std::size_t)> work_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<bool> done_;
    std::size_t begun_ = 0, taken_ = 0;
    bool stop_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace detail

/// Gives `process(path)` for each of many files, in their order, from threads that work ahead of the caller. At most
/// `ReadAhead::files` values are held besides those that were handed out. A file that `process` refuses with an Error
/// is a result with that error; any other exception is thrown by `next` in the file's place, and the file after it is
/// next. `process` is called by several threads at once.
///
///     task::Reader<image::Pixels> reader(files, [&](const auto& path) { return processor(image::read(path)); });
///     while (auto file = reader.next()) run(file->get());
template <class T>
class Reader {
public:
    using Process = std::function<T(const std::filesystem::path&)>;

    /// InputError where `process` is empty.
    Reader(std::vector<std::filesystem::path> files, Process process, ReadAhead ahead = {})
        : files_(std::move(files)),
          process_(checked(std::move(process))),
          slots_(files_.size()),
          work_(files_.size(), ahead, [this](std::size_t i) { fill(i); }) {}

    /// What became of the next file; nothing after the last. One caller at a time.
    [[nodiscard]] std::optional<FileResult<T>> next() {
        if (!work_.take()) return std::nullopt;
        const auto i = next_++;
        Slot slot = std::move(slots_[i]);
        slots_[i] = {};
        if (slot.failure) std::rethrow_exception(slot.failure);
        return FileResult<T>{i, files_[i], std::move(slot.value), std::move(slot.error)};
    }

    /// How many files there are.
    [[nodiscard]] std::size_t size() const noexcept { return files_.size(); }

private:
    struct Slot {
        std::optional<T> value = {};
        std::optional<Error> error = {};
        std::exception_ptr failure = {};
    };

    static Process checked(Process process) {
        if (!process) throw InputError("There is nothing to process files with.", "give a function.");
        return process;
    }

    void fill(std::size_t i) {
        Slot& slot = slots_[i];
        try {
            slot.value.emplace(process_(files_[i]));
        } catch (const Error& e) {
            slot.error.emplace(e);
        } catch (...) {
            slot.failure = std::current_exception();
        }
    }

    std::vector<std::filesystem::path> files_;
    Process process_;
    std::vector<Slot> slots_;
    std::size_t next_ = 0;
    detail::WorkAhead work_;  // last: its threads end before what they use
};

}  // namespace silica::task

#ifndef SILICA_COMPILED
#include "silica/task/reader.ipp"
#endif
