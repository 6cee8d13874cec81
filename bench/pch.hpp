#pragma once
/// Headers that most files of the program include; compiled once.

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "grid.hpp"
#include "loaders.hpp"
#include "registry.hpp"
#include "silica/model.hpp"
