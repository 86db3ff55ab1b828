-- One series of bars: one vendor's, on one basis.
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    instrument TEXT NOT NULL,
    interval TEXT NOT NULL,
    vendor TEXT NOT NULL,
    adjustment TEXT NOT NULL,
    session TEXT NOT NULL,
    simulated INTEGER NOT NULL,
    currency TEXT,
    unit TEXT
);
CREATE UNIQUE INDEX series_key ON series (instrument, interval, vendor, adjustment, session, simulated);

-- Live bars, every version of them. Instants are nanoseconds since 1970, UTC; `row` is written by row.rs.
CREATE TABLE bar (
    series INTEGER NOT NULL,
    start INTEGER NOT NULL,
    learned_at INTEGER NOT NULL,
    row BLOB NOT NULL,
    PRIMARY KEY (series, start, learned_at)
) WITHOUT ROWID;

-- Sealed bars: up to 500 versions in one blob written by block.rs, ordered by start, then time learned.
-- Blocks of one series do not overlap in that order.
CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    series INTEGER NOT NULL,
    first INTEGER NOT NULL,
    first_learned INTEGER NOT NULL,
    last INTEGER NOT NULL,
    last_learned INTEGER NOT NULL,
    count INTEGER NOT NULL,
    rows BLOB NOT NULL
);
CREATE UNIQUE INDEX block_place ON block (series, first, first_learned);

-- Ranges of bar starts known completely: merged, half open.
CREATE TABLE covered (
    series INTEGER NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    PRIMARY KEY (series, start)
) WITHOUT ROWID;

CREATE TABLE action (
    instrument TEXT NOT NULL,
    ex_date TEXT NOT NULL,
    kind TEXT NOT NULL,
    learned_at INTEGER NOT NULL,
    vendor TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (instrument, ex_date, kind, learned_at)
) WITHOUT ROWID;

-- For which ranges all splits or dividends are known, and since when that is known.
CREATE TABLE action_known (
    instrument TEXT NOT NULL,
    kind TEXT NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    learned_at INTEGER NOT NULL,
    PRIMARY KEY (instrument, kind, start, end)
) WITHOUT ROWID;

CREATE TABLE quote (
    instrument TEXT NOT NULL,
    vendor TEXT NOT NULL,
    simulated INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    score REAL NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (instrument, vendor, simulated, received_at)
) WITHOUT ROWID;

CREATE TABLE latest_quote (
    instrument TEXT NOT NULL,
    vendor TEXT NOT NULL,
    simulated INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    score REAL NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (instrument, vendor, simulated)
) WITHOUT ROWID;

CREATE TABLE instrument (
    vendor TEXT NOT NULL,
    id TEXT NOT NULL,
    learned_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (vendor, id)
) WITHOUT ROWID;

-- The newest counters, and what the machine's clocks read when they were written.
CREATE TABLE quota (
    vendor TEXT NOT NULL PRIMARY KEY,
    sequence INTEGER NOT NULL,
    body TEXT NOT NULL,
    written_at INTEGER NOT NULL,
    uptime_ms INTEGER,
    boot TEXT
) WITHOUT ROWID;

CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    vendor TEXT,
    kind TEXT NOT NULL,
    severity TEXT NOT NULL,
    text TEXT NOT NULL
);
CREATE INDEX event_at ON event (at);

CREATE TABLE decision (
    request TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX decision_at ON decision (at);

CREATE TABLE failure (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX failure_at ON failure (at);

CREATE TABLE fact (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
