#pragma once
/// Pictures and what transformers' pipelines make of them: golden/chains/, written by make_chains.py.

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "silica/core/json.hpp"
#include "silica/task/class_labels.hpp"
#include "support/catch.hpp"
#include "support/directory.hpp"

namespace silica::test {

/// The checkpoint of a case.
inline std::filesystem::path chain(const std::string& name) {
    return std::filesystem::path(SILICA_TESTS_DIR) / "golden" / "chains" / name;
}

/// What is expected of it.
inline Json expected(const std::string& name) {
    return Json::parse(read_file(chain(name) / "expected.json"), "expected.json");
}

/// The pictures of all cases.
inline std::vector<std::filesystem::path> pictures() {
    std::vector<std::filesystem::path> files;
    for (const auto* name : {"wide.png", "tall.jpg", "small.png", "grey.jpg"})
        files.push_back(chain("pictures") / name);
    return files;
}

/// `wanted`: [[label, score], ...].
inline void check_labels(const std::vector<task::ScoredLabel>& got, const Json& wanted) {
    REQUIRE(got.size() == wanted.array().size());
    for (std::size_t i = 0; i < got.size(); ++i) {
        CHECK(got[i].label == wanted.array()[i].array()[0].string());
        CHECK(std::abs(got[i].score - wanted.array()[i].array()[1].number()) < 2e-3);
    }
}

}  // namespace silica::test
