-- The whole history of the database starts here. One text for SQLite and PostgreSQL:
-- TEXT, BIGINT, DOUBLE PRECISION and nothing else; times are microseconds since 1970 UTC,
-- documents are JSON text, ids are UUIDv7 text, deleted_at/revoked_at are nullable times.

CREATE TABLE models (
    name        TEXT   NOT NULL PRIMARY KEY,
    description TEXT   NOT NULL,
    task        TEXT,                    -- regression | binary | multiclass
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    deleted_at  BIGINT
);

CREATE TABLE versions (
    model       TEXT   NOT NULL REFERENCES models (name),
    version     BIGINT NOT NULL,         -- 1, 2, 3 …; a number is never reused
    sha256      TEXT   NOT NULL,         -- of the ONNX file; its object path follows from it
    size_bytes  BIGINT NOT NULL,
    signature   TEXT   NOT NULL,         -- JSON, chasqui_runtime::Signature
    metrics     TEXT   NOT NULL,         -- JSON object name -> number
    params      TEXT   NOT NULL,         -- JSON object name -> text
    tags        TEXT   NOT NULL,         -- JSON object name -> text
    lineage     TEXT   NOT NULL,         -- JSON, version::Lineage
    card        TEXT   NOT NULL,         -- Markdown, Spanish
    profile_sha256 TEXT,                 -- reference profile for drift, an artifact of its own
    created_at  BIGINT NOT NULL,
    created_by  TEXT   NOT NULL,
    deleted_at  BIGINT,
    PRIMARY KEY (model, version)
);

CREATE TABLE aliases (
    model      TEXT   NOT NULL REFERENCES models (name),
    alias      TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (model, alias),
    FOREIGN KEY (model, version) REFERENCES versions (model, version)
);

CREATE TABLE datasets (
    name        TEXT   NOT NULL PRIMARY KEY,
    description TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    deleted_at  BIGINT
);

CREATE TABLE dataset_versions (
    dataset     TEXT   NOT NULL REFERENCES datasets (name),
    version     BIGINT NOT NULL,
    sha256      TEXT   NOT NULL,         -- of the Parquet file
    size_bytes  BIGINT NOT NULL,
    row_count   BIGINT NOT NULL,
    schema      TEXT   NOT NULL,         -- JSON, [{name, type}]
    profile     TEXT   NOT NULL,         -- JSON, per column counts and ranges
    source      TEXT   NOT NULL,         -- JSON: upload with its detected format, sql, or predictions
    created_at  BIGINT NOT NULL,
    created_by  TEXT   NOT NULL,
    PRIMARY KEY (dataset, version)
);

CREATE TABLE services (
    name       TEXT   NOT NULL PRIMARY KEY,
    model      TEXT   NOT NULL REFERENCES models (name),
    config     TEXT   NOT NULL,          -- JSON, service::ServiceConfig
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);

-- One row, id 1: replicas poll `epoch` and rebuild their routing snapshot when it grew.
CREATE TABLE routing_epoch (
    id    BIGINT NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL
);
INSERT INTO routing_epoch (id, epoch) VALUES (1, 1);

CREATE TABLE prediction_segments (
    id          TEXT   NOT NULL PRIMARY KEY,
    service     TEXT   NOT NULL,
    model       TEXT   NOT NULL,
    version     BIGINT NOT NULL,
    path        TEXT   NOT NULL,         -- object path of the Parquet file
    row_count   BIGINT NOT NULL,
    size_bytes  BIGINT NOT NULL,
    from_at     BIGINT NOT NULL,         -- first and last prediction, inclusive
    to_at       BIGINT NOT NULL,
    created_at  BIGINT NOT NULL
);
CREATE INDEX prediction_segments_by_time ON prediction_segments (service, from_at);

CREATE TABLE outcomes (
    prediction_id TEXT   NOT NULL PRIMARY KEY,
    service       TEXT,                  -- when given by (service, key, at), resolved before it is stored
    label         TEXT,                  -- class name, classification
    value         DOUBLE PRECISION,      -- realised number, regression or revenue
    converted     BIGINT,                -- 0 | 1
    occurred_at   BIGINT NOT NULL,
    received_at   BIGINT NOT NULL
);
CREATE INDEX outcomes_by_time ON outcomes (received_at);

-- Cumulative sketches of a service version per window; `boot` keeps replicas apart, merging adds them.
CREATE TABLE sketches (
    service    TEXT   NOT NULL,
    model      TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    window_start BIGINT NOT NULL,
    boot       TEXT   NOT NULL,
    rows_seen  BIGINT NOT NULL,
    body       TEXT   NOT NULL,          -- JSON, chasqui_drift::WindowSketch
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (service, model, version, window_start, boot)
);

CREATE TABLE drift_verdicts (
    id           TEXT   NOT NULL PRIMARY KEY,
    service      TEXT   NOT NULL,
    model        TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    window_start BIGINT NOT NULL,
    window_end   BIGINT NOT NULL,
    drifted      BIGINT NOT NULL,
    body         TEXT   NOT NULL,        -- JSON, chasqui_drift::DriftVerdict
    created_at   BIGINT NOT NULL
);
CREATE INDEX drift_verdicts_by_time ON drift_verdicts (service, window_end);

CREATE TABLE pipelines (
    name       TEXT   NOT NULL PRIMARY KEY,
    service    TEXT   NOT NULL,
    declaration TEXT  NOT NULL,          -- the TOML as given
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    deleted_at BIGINT
);

CREATE TABLE jobs (
    id           TEXT   NOT NULL PRIMARY KEY,
    kind         TEXT   NOT NULL,        -- retrain | drift_check | report | compact
    subject      TEXT   NOT NULL,        -- pipeline or service name
    payload      TEXT   NOT NULL,        -- JSON
    dedup_key    TEXT UNIQUE,            -- at most one job per key; NULL when repeats are wanted
    state        TEXT   NOT NULL,        -- queued | running | succeeded | failed | cancelled
    attempts     BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    progress     DOUBLE PRECISION NOT NULL,
    message      TEXT   NOT NULL,
    result       TEXT,                   -- JSON
    error        TEXT,
    worker       TEXT,
    lease_until  BIGINT,
    cancel_requested_at BIGINT,
    run_after    BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    created_by   TEXT   NOT NULL,
    updated_at   BIGINT NOT NULL,
    finished_at  BIGINT
);
CREATE INDEX jobs_by_state ON jobs (state, run_after);

CREATE TABLE pipeline_runs (
    id          TEXT   NOT NULL PRIMARY KEY,
    pipeline    TEXT   NOT NULL,
    job_id      TEXT   NOT NULL,
    trigger_kind TEXT  NOT NULL,         -- drift | schedule | hand
    dataset     TEXT,
    dataset_version BIGINT,
    model       TEXT,
    version     BIGINT,                  -- the candidate it registered
    gate        TEXT,                    -- JSON, gate::GateVerdict
    rollout_id  TEXT,
    created_at  BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX pipeline_runs_by_pipeline ON pipeline_runs (pipeline, created_at);

CREATE TABLE rollouts (
    id          TEXT   NOT NULL PRIMARY KEY,
    service     TEXT   NOT NULL,
    model       TEXT   NOT NULL,
    stable_version BIGINT NOT NULL,
    canary_version BIGINT NOT NULL,
    plan        TEXT   NOT NULL,         -- JSON, rollout::Plan (steps, metrics, budget)
    salt        TEXT   NOT NULL,
    state       TEXT   NOT NULL,         -- JSON, rollout::state::State
    status      TEXT   NOT NULL,         -- the state's name, for queries
    terminal    BIGINT NOT NULL,
    weight      DOUBLE PRECISION NOT NULL,
    segment     BIGINT NOT NULL,         -- grows with every change of weight
    epoch       BIGINT NOT NULL,         -- compare-and-swap guard
    created_at  BIGINT NOT NULL,
    created_by  TEXT   NOT NULL,
    updated_at  BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX rollouts_by_service ON rollouts (service, created_at);
-- At most one live rollout per service.
CREATE UNIQUE INDEX rollouts_one_live ON rollouts (service) WHERE terminal = 0;

CREATE TABLE rollout_events (
    rollout_id TEXT   NOT NULL REFERENCES rollouts (id),
    epoch      BIGINT NOT NULL,          -- the epoch this event led to
    from_status TEXT  NOT NULL,
    to_status  TEXT   NOT NULL,
    actor      TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    evidence   TEXT   NOT NULL,          -- JSON: counts per segment and ln E per guard
    previous_hash TEXT NOT NULL,
    hash       TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (rollout_id, epoch)
);

-- Absolute cumulative counts of one replica start; written with max(old, new), so repeats are harmless.
CREATE TABLE rollout_counts (
    rollout_id TEXT   NOT NULL REFERENCES rollouts (id),
    segment    BIGINT NOT NULL,
    boot       TEXT   NOT NULL,
    arm        TEXT   NOT NULL,          -- stable | canary
    metric     TEXT   NOT NULL,          -- requests | entities | errors | error_entities | latency | latency_entities
    count      BIGINT NOT NULL,
    PRIMARY KEY (rollout_id, segment, boot, arm, metric)
);

CREATE TABLE alerts (
    id         TEXT   NOT NULL PRIMARY KEY,
    service    TEXT   NOT NULL,
    kind       TEXT   NOT NULL,          -- drift | rollback | gate | retrain_failed
    severity   TEXT   NOT NULL,          -- normal | esperado | atencion | importante | urgente
    title      TEXT   NOT NULL,          -- Spanish, for people
    body       TEXT   NOT NULL,          -- JSON facts
    dedup_key  TEXT UNIQUE,
    created_at BIGINT NOT NULL,
    acknowledged_at BIGINT,
    acknowledged_by TEXT
);
CREATE INDEX alerts_by_time ON alerts (service, created_at);

CREATE TABLE reports (
    id         TEXT   NOT NULL PRIMARY KEY,
    service    TEXT   NOT NULL,
    from_at    BIGINT NOT NULL,
    to_at      BIGINT NOT NULL,
    level      TEXT   NOT NULL,
    sha256     TEXT   NOT NULL,          -- of the HTML artifact
    body       TEXT   NOT NULL,          -- JSON, chasqui_report::Report: the same figures
    created_at BIGINT NOT NULL
);
CREATE INDEX reports_by_time ON reports (service, created_at);

CREATE TABLE api_keys (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL,
    role       TEXT   NOT NULL,          -- viewer | editor | admin
    hash       TEXT   NOT NULL UNIQUE,   -- SHA-256 of the secret, which has 256 bits of entropy when made by us
    created_at BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    last_used_at BIGINT,
    revoked_at BIGINT
);

CREATE TABLE idempotency_keys (
    actor      TEXT   NOT NULL,
    key        TEXT   NOT NULL,
    request_sha256 TEXT NOT NULL,
    status     BIGINT NOT NULL,          -- 0 while the first request is still at work
    body       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (actor, key)
);

-- Append-only and hash-chained: hash = SHA-256(previous_hash, the row's other columns).
CREATE TABLE audit (
    seq        BIGINT NOT NULL PRIMARY KEY,
    at         BIGINT NOT NULL,
    actor      TEXT   NOT NULL,
    action     TEXT   NOT NULL,          -- model.create, alias.set, rollout.rollback …
    subject    TEXT   NOT NULL,
    before_json TEXT,
    after_json TEXT,
    reason     TEXT   NOT NULL,
    previous_hash TEXT NOT NULL,
    hash       TEXT   NOT NULL
);
CREATE INDEX audit_by_subject ON audit (subject, seq);
