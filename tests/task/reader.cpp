// Files read ahead on threads: their order, their errors, how many are held; and batches of those that are alike.
#include "silica/task/reader.hpp"

#include <atomic>
#include <chrono>
#include <new>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "silica/task/in_batches.hpp"
#include "support/catch.hpp"
#include "support/refuses.hpp"

using namespace silica;
using Path = std::filesystem::path;

namespace {

std::vector<Path> numbered(int n) {
    std::vector<Path> files;
    for (int i = 0; i < n; ++i) files.emplace_back(std::to_string(i));
    return files;
}

int number(const Path& path) { return std::stoi(path.string()); }

void pause(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

template <class R>
std::vector<std::string> texts_of(const std::vector<task::FileResult<R>>& results) {
    std::vector<std::string> texts;
    for (const auto& r : results) texts.push_back(r.error ? r.error->problem() : std::to_string(*r.value));
    return texts;
}

}  // namespace

TEST_CASE("results come in the order of the files, whoever is quicker", "[task]") {
    const auto threads = GENERATE(0, 1, 2, 7);
    task::Reader<int> reader(numbered(40),
                             [](const Path& path) {
                                 pause(number(path) % 5 == 0 ? 3 : 0);
                                 return number(path);
                             },
                             {.threads = static_cast<std::size_t>(threads)});
    CHECK(reader.size() == 40);
    int expected = 0;
    while (const auto file = reader.next()) {
        CHECK(file->index == static_cast<std::size_t>(expected));
        CHECK(file->path == std::to_string(expected));
        CHECK(file->get() == expected++);
    }
    CHECK(expected == 40);
    CHECK_FALSE(reader.next());
}

TEST_CASE("files are read while the caller works, not further than it was told", "[task]") {
    std::atomic<int> begun{0};
    task::Reader<int> reader(numbered(20),
                             [&](const Path& path) {
                                 ++begun;
                                 return number(path);
                             },
                             {.threads = 2, .files = 3});
    const auto settled = [&] {
        for (int i = 0; i < 2000 && begun.load() < 3; ++i) pause(1);
        pause(20);
        return begun.load();
    };
    CHECK(settled() == 3);
    for (int taken = 1; taken <= 20; ++taken) {
        REQUIRE(reader.next());
        CHECK(begun.load() <= taken + 3);
    }
    CHECK(begun.load() == 20);
}

TEST_CASE("a file that is refused is an error in its place, other exceptions are thrown there", "[task]") {
    task::Reader<int> reader(numbered(6),
                             [](const Path& path) -> int {
                                 if (number(path) == 1) throw InputError("1 is no picture.", "give another.");
                                 if (number(path) == 3) throw std::runtime_error("three");
                                 if (number(path) == 4) throw std::bad_alloc();
                                 return number(path);
                             },
                             {.threads = 3});
    CHECK(reader.next()->get() == 0);
    const auto refused = reader.next();
    REQUIRE(refused->error);
    CHECK_FALSE(refused->value);
    test::refuses<Error>([&] { static_cast<void>(refused->get()); }, {"1 is no picture.", "give another."});
    CHECK(reader.next()->get() == 2);
    CHECK_THROWS_WITH(reader.next(), "three");
    CHECK_THROWS_AS(reader.next(), std::bad_alloc);
    CHECK(reader.next()->get() == 5);
    CHECK_FALSE(reader.next());
    test::refuses<InputError>([] { task::Reader<int>(numbered(2), {}); }, {"nothing to process"});
    const auto same = [](int, int) { return true; };
    const auto one = [](const Path& path) { return number(path); };
    const auto run = [](std::span<const int> batch) { return std::vector<int>(batch.begin(), batch.end()); };
    const auto files = numbered(2);
    for (const std::int64_t n : {std::int64_t{0}, std::int64_t{-1}}) {
        test::refuses<InputError>([&] { static_cast<void>(task::checked_batch_size(n)); }, {"batch_size"});
        test::refuses<InputError>(
            [&] { static_cast<void>(task::over_items(one, same, std::span<const Path>(files), n, run)); },
            {"batch_size"});
        test::refuses<InputError>([&] { static_cast<void>(task::over_paths(one, same, files, n, run)); },
                                  {"batch_size"});
    }
}

TEST_CASE("a reader that is given up waits for what is in work and begins no more", "[task]") {
    std::atomic<int> begun{0}, ended{0};
    {
        task::Reader<std::vector<int>> reader(numbered(100),
                                              [&](const Path&) {
                                                  ++begun;
                                                  pause(5);
                                                  ++ended;
                                                  return std::vector<int>(10);
                                              },
                                              {.threads = 4, .files = 50});
        CHECK(reader.next()->get().size() == 10);
    }
    CHECK(begun.load() == ended.load());
    CHECK(begun.load() < 100);
    task::Reader<int> none({}, [](const Path&) { return 0; });
    CHECK_FALSE(none.next());
}

TEST_CASE("neighbours that are alike run together, results keep their order", "[task]") {
    std::vector<std::size_t> sizes;
    std::vector<task::FileResult<int>> results;
    const auto go = [&](std::vector<int> values, std::size_t batch_size) {
        sizes.clear();
        results.clear();
        std::vector<Path> files;
        for (const int v : values) files.emplace_back(std::to_string(v));
        task::Reader<int> reader(files, [](const Path& path) {
            if (number(path) < 0) throw InputError(path.string() + " is negative.", "give another.");
            return number(path);
        });
        task::in_batches(
            reader, batch_size, [](int a, int b) { return a % 2 == b % 2; },
            [&](std::span<const int> batch) {
                sizes.push_back(batch.size());
                std::vector<int> out;
                for (const int v : batch) {
                    if (v == 13) throw InputError("13 is too odd.", "give another.");
                    out.push_back(10 * v);
                }
                return out;
            },
            [&](task::FileResult<int> result) { results.push_back(std::move(result)); });
    };
    go({2, 4, 6, 8, 1, 3, 10}, 3);
    CHECK(sizes == std::vector<std::size_t>{3, 1, 2, 1});
    CHECK(texts_of(results) == std::vector<std::string>{"20", "40", "60", "80", "10", "30", "100"});
    CHECK(results[5].index == 5);
    CHECK(results[5].path == "3");

    go({-1, 2, -2, 4, -3}, 2);  // the refused do not part the others
    CHECK(sizes == std::vector<std::size_t>{2});
    CHECK(texts_of(results) ==
          std::vector<std::string>{"-1 is negative.", "20", "-2 is negative.", "40", "-3 is negative."});

    go({1, 13, 3}, 8);  // the network refuses one of them
    CHECK(sizes == std::vector<std::size_t>{3, 1, 1, 1});
    CHECK(texts_of(results) == std::vector<std::string>{"10", "13 is too odd.", "30"});

    go({}, 4);
    CHECK(sizes.empty());
    CHECK(results.empty());
}

TEST_CASE("what is no refusal ends the work, after what came before it", "[task]") {
    std::vector<int> given;
    task::Reader<int> reader(numbered(5), [](const Path& path) {
        if (number(path) == 3) throw std::bad_alloc();
        return number(path);
    });
    const auto all = [&] {
        task::in_batches(
            reader, 10, [](int, int) { return true; },
            [](std::span<const int> batch) { return std::vector<int>(batch.begin(), batch.end()); },
            [&](const task::FileResult<int>& result) { given.push_back(*result.value); });
    };
    CHECK_THROWS_AS(all(), std::bad_alloc);
    CHECK(given == std::vector<int>{0, 1, 2});
}
