-- A store as the first version wrote it: one run, of which a row was measured and another failed.
PRAGMA application_id = 1397312579;
PRAGMA user_version = 1;
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
INSERT INTO runs VALUES (4, 'nightly', '2026-11-27T01:00:00Z', '2026-11-27T01:00:09Z', 'silica bench --model bert', '', '',
    '{"chip":"a chip","cores":2}', '{"silica":"0.1.0"}', '{}');
INSERT INTO rows VALUES (9, 4, 'bert-tiny|embed|cpu|float32|random|1|prompt_tokens=8|0', 'measured', '',
    '{"served":true,"median_ms":1.5}', '[1.25,1.5,2.0]', '["random weights"]',
    '{"model":"bert-tiny","task":"embed","hardware":"cpu","precision":"float32","weights":"random","batch":1}');
INSERT INTO rows VALUES (10, 4, 'bert-tiny|embed|cuda|float32|random|1|prompt_tokens=8|0', 'failed', 'No weights.', '{}',
    '[]', '[]', '{"model":"bert-tiny"}');
