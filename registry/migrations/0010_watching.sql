-- What watching a service needs beyond sketches: rows as a flow, the calendar, estimators of performance and what a
-- verdict means.

-- JSON, monitor::Assessment: faults of the data, season, kind and date of each change, incidents.
ALTER TABLE drift_verdicts ADD COLUMN assessment TEXT;

-- Beside each sketch: how the rows came. Absolute per replica start, as sketches are.
CREATE TABLE flows (
    service      TEXT   NOT NULL,
    model        TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    window_start BIGINT NOT NULL,
    boot         TEXT   NOT NULL,
    rows_seen    BIGINT NOT NULL,
    repeated     BIGINT NOT NULL,         -- rows that were sent a moment before already
    first_at     BIGINT NOT NULL,
    last_at      BIGINT NOT NULL,
    PRIMARY KEY (service, model, version, window_start, boot)
);

-- The company's calendar, one row, id 1.
CREATE TABLE calendars (
    id         BIGINT NOT NULL PRIMARY KEY,
    body       TEXT   NOT NULL,           -- JSON, chasqui_drift::calendar::Calendar
    updated_at BIGINT NOT NULL,
    updated_by TEXT   NOT NULL
);

-- How the performance of a version is estimated before outcomes come: artifacts of the version.
CREATE TABLE estimators (
    model       TEXT   NOT NULL,
    version     BIGINT NOT NULL,
    sha256      TEXT   NOT NULL,          -- JSON, monitor::performance::Estimator
    loss_model_sha256 TEXT,               -- ONNX, the predictor of a regression's losses
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (model, version),
    FOREIGN KEY (model, version) REFERENCES versions (model, version)
);

-- The performance of a version in a window: estimated when the window closes, realized as outcomes come.
CREATE TABLE performance_windows (
    service      TEXT   NOT NULL,
    model        TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    window_start BIGINT NOT NULL,
    window_end   BIGINT NOT NULL,
    labels       BIGINT NOT NULL,         -- outcomes behind the realized part
    fell         BIGINT NOT NULL,         -- 1: it left its thresholds for the worse
    body         TEXT   NOT NULL,         -- JSON, monitor::performance::WindowPerformance
    updated_at   BIGINT NOT NULL,
    PRIMARY KEY (service, model, version, window_start)
);
CREATE INDEX performance_windows_by_time ON performance_windows (service, window_start);
