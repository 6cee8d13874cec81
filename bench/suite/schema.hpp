#pragma once
/// The tables of the store, version by version.

#include <array>
#include <cstdint>

namespace silica::bench::suite {

/// "SILC", in SQLite's header: the file is a store of Silica.
inline constexpr std::int64_t application_id = 0x53494c43;

/// migrations[n] makes version n + 1 of version n. What was released is never changed: a new version is a new entry.
inline constexpr std::array migrations{
    R"sql(
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    started TEXT NOT NULL,
    finished TEXT NOT NULL,
    command TEXT NOT NULL,
    shard TEXT NOT NULL,
    origin TEXT NOT NULL,
    machine TEXT NOT NULL,
    versions TEXT NOT NULL,
    conditions TEXT NOT NULL
);
CREATE TABLE rows (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    row TEXT NOT NULL,
    samples_ms TEXT NOT NULL,
    marks TEXT NOT NULL,
    job TEXT NOT NULL
);
CREATE INDEX rows_of_run ON rows (run, id);
)sql",
    R"sql(
ALTER TABLE rows ADD COLUMN seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE rows ADD COLUMN result TEXT NOT NULL DEFAULT '{}';
)sql",
};

inline constexpr auto schema_version = static_cast<std::int64_t>(migrations.size());

}  // namespace silica::bench::suite
