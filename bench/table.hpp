#pragma once
/// A table of texts, printed for people or programs.

#include <ostream>
#include <string>
#include <vector>

#include "arguments.hpp"

namespace silica::bench {

/// Columns with a heading; numbers stand right, texts left.
class Table {
public:
    struct Column {
        std::string heading;
        bool number = false;
    };

    explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
    /// As table, csv (RFC 4180) or md.
    void print(std::ostream& out, Output output) const;

private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

/// A number with `digits` decimals.
[[nodiscard]] std::string fixed(double value, int digits);

}  // namespace silica::bench
