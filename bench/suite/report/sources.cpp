#include "suite/report/sources.hpp"

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include "silica/core/error.hpp"
#include "silica/core/quote.hpp"
#include "suite/exchange.hpp"

namespace silica::bench::suite::report {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_earlier_runs = 11, most_earlier_rows = 20'000;

bool is_json_file(const std::string& name) {
    const bool looks_so = name.ends_with(".json") || name.ends_with(".jsonl") || name.find('/') != std::string::npos;
    std::error_code error;
    return looks_so || (fs::is_regular_file(name, error) && !error);
}

/// "2/8" as "8"; empty where the run is no shard.
std::string shards_of(const Run& run) {
    const auto slash = run.shard.find('/');
    return slash == std::string::npos ? "" : run.shard.substr(slash + 1);
}

}  // namespace

Sources::Sources(std::vector<fs::path> stores) : files_(std::move(stores)) {}

std::vector<Store>& Sources::opened() {
    if (stores_.empty()) {
        if (files_.empty()) files_.push_back(default_store());
        for (const auto& file : files_) stores_.push_back(Store::open_existing(file));
    }
    return stores_;
}

Source Sources::source_of(const Store& store, Run run) {
    auto rows = store.rows(run.id);
    return {std::move(run), std::move(rows), store.file().string()};
}

std::vector<Source> Sources::named(const std::string& name) {
    std::vector<Source> found;
    if (is_json_file(name)) {
        std::error_code error;
        if (!fs::is_regular_file(name, error))
            throw InputError("There is no file " + quote(name) + ".",
                             "name a file of `silica bench --output json` or `silica runs --export`, or a run.");
        auto [run, rows] = imported_file(name);
        found.push_back({std::move(run), std::move(rows), name});
        return found;
    }
    std::exception_ptr problem;
    for (const auto& store : opened()) {
        try {
            found.push_back(source_of(store, store.find(name)));
        } catch (const InputError&) {
            problem = std::current_exception();
        }
    }
    if (found.empty()) std::rethrow_exception(problem);
    return found;
}

std::vector<Source> Sources::newest() {
    std::vector<Source> found;
    for (const auto& store : opened()) {
        const auto runs = store.runs();
        if (runs.empty())
            throw InputError(quote(store.file().string()) + " has no runs.",
                             "measure something first: `silica bench`.");
        const Run& last = runs.back();
        std::vector<std::string> shards;
        for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
            const bool other_shard = !shards_of(last).empty() && shards_of(*run) == shards_of(last) &&
                                     run->name == last.name && std::ranges::find(shards, run->shard) == shards.end();
            if (run->id != last.id && !other_shard) continue;
            shards.push_back(run->shard);
            found.push_back(source_of(store, *run));
        }
    }
    return found;
}

std::vector<Source> Sources::earlier(const std::vector<Source>& reported) {
    std::vector<Source> found;
    for (const auto& store : stores_) {
        std::size_t runs = 0, rows = 0;
        const auto all = store.runs();
        for (auto run = all.rbegin(); run != all.rend() && runs < most_earlier_runs && rows < most_earlier_rows;
             ++run) {
            const auto place = store.file().string();
            const bool itself =
                std::ranges::any_of(reported, [&](const Source& s) { return s.place == place && s.run.id == run->id; });
            const bool of_them =
                std::ranges::any_of(reported, [&](const Source& s) { return s.run.machine == run->machine; });
            if (itself || !of_them) continue;
            found.push_back(source_of(store, *run));
            ++runs;
            rows += found.back().rows.size();
        }
    }
    return found;
}

}  // namespace silica::bench::suite::report
