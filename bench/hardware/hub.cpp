#include "hardware/hub.hpp"

#include <algorithm>

#include "hardware/text.hpp"

namespace silica::bench::hardware {
namespace {

namespace fs = std::filesystem;

/// Calls `f` for what lies below a directory, at any depth, up to ten thousand entries. Links are not followed.
template <class F>
void each_below(const fs::path& directory, F f) {
    std::error_code error;
    std::size_t seen = 0;
    for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end && ++seen < 10000;
         it.increment(error))
        f(*it);
}

/// "models--org--name" as "org/name".
std::string repository(std::string name) {
    name.erase(0, std::string_view("models--").size());
    if (const auto at = name.find("--"); at != std::string::npos) name.replace(at, 2, "/");
    return name;
}

}  // namespace

HubFacts hub_facts(const fs::path& cache) {
    HubFacts facts;
    facts.directory = cache.string();
    std::error_code error;
    facts.exists = fs::exists(cache, error);
    fs::directory_iterator it(cache, error), end;
    facts.readable = !error;
    std::vector<fs::path> models;
    for (; !error && it != end; it.increment(error)) {
        if (it->path().filename().string().starts_with("models--")) models.push_back(it->path());
    }
    std::sort(models.begin(), models.end());
    facts.models = models.size();
    for (const auto& model : models) {
        const std::string name = repository(model.filename().string());
        bool lost = false, broken = false, partial = false;
        each_below(model / "refs", [&](const fs::directory_entry& ref) {
            std::error_code ignored;
            if (!ref.is_regular_file(ignored)) return;
            const std::string text = read_text(ref.path()).value_or("");
            const std::string commit(trimmed(text));
            lost |= commit.empty() || commit.find('/') != std::string::npos ||
                    !fs::is_directory(model / "snapshots" / commit, ignored);
        });
        each_below(model / "snapshots", [&](const fs::directory_entry& file) {
            std::error_code ignored;
            broken |= file.is_symlink(ignored) && !fs::exists(file.path(), ignored);
        });
        each_below(model / "blobs",
                   [&](const fs::directory_entry& blob) { partial |= blob.path().extension() == ".incomplete"; });
        if (lost) facts.no_snapshot.push_back(name);
        if (broken) facts.broken_links.push_back(name);
        if (partial) facts.incomplete.push_back(name);
    }
    return facts;
}

}  // namespace silica::bench::hardware
