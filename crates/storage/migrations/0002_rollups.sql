-- What the final bars of one UTC hour and one trading date of an intraday series amount to, in the versions
-- believed now. `hour` is its start in nanoseconds, `date` the number of row.rs, `row` a bar written by row.rs.
CREATE TABLE rollup (
    series INTEGER NOT NULL,
    hour INTEGER NOT NULL,
    date INTEGER NOT NULL,
    bars INTEGER NOT NULL,
    learned_at INTEGER NOT NULL,
    row BLOB NOT NULL,
    PRIMARY KEY (series, hour, date)
) WITHOUT ROWID;

-- Intraday series with bars that were kept before there were rollups.
CREATE TABLE rollup_due (series INTEGER PRIMARY KEY);
INSERT INTO rollup_due SELECT id FROM series WHERE interval IN ('1s', '1m', '5m', '15m', '30m', '1h', '4h');

-- For what is dropped by its age.
CREATE INDEX quote_received ON quote (received_at);
