//! Which row of a SQLite state goes where in PostgreSQL, table by table.
//!
//! | of SQLite | to PostgreSQL | how |
//! | --- | --- | --- |
//! | `link` | `state` | `oldest` stays behind: `schema_version` has that of PostgreSQL |
//! | `node`, `node_certificate`, `node_dismissed` | the same | `edition` begins at 0: all SuperLinks read all nodes at their start |
//! | `join_token`, `join_token_use` | the same | |
//! | `run` | `run` | in the order in which runs came, which `number` keeps; `fab_blob` names the bundle |
//! | `task` | `task` | tokens by their hashes; `link` is the SuperLink that may adopt the process; `alive_until` is not known, as after each restart |
//! | `instruction`, `reply`, `awaited` | the same | `place` stays; `instruction_place` goes on after the highest |
//! | `object` | `object` | `blob` names the bytes, if they stand under a name |
//! | `log` | `log` | `bytes` is counted |
//! | `metric_point`, `metric_total` | the same | NULL stays NULL: it stands for NaN |
//! | files of `objects/` up to 32 KiB | `inline` | one row for each run that has the object |
//! | larger files, and those of `fabs/` | `blob`, and the bucket | a name of its own for each run |
//!
//! `garbage`, `login`, `refresh`, `link` and `writer` of PostgreSQL begin empty: they hold nothing that a file
//! keeps.

/// Where a SQLite connection notes the names of bytes, and the SuperLink that may adopt processes. The tables
/// last as long as the connection.
pub(super) const NAMED: &str = "temp.named";
pub(super) const ADOPTER: &str = "temp.adopter";

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// What a column holds in PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    /// 0 or 1 in SQLite.
    Truth,
    Real,
    /// Escaped in PostgreSQL.
    Text,
    Bytes,
}

/// A column of PostgreSQL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// What SQLite gives for the column.
    pub(super) from: &'static str,
}

/// A table of PostgreSQL, and what SQLite gives for the table.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) name: &'static str,
    /// The table of SQLite, and the order of the rows.
    pub(super) from: &'static str,
    pub(super) order: &'static str,
    pub(super) columns: &'static [Column],
}

const fn column(name: &'static str, kind: Kind) -> Column {
    let from = name;
    Column { name, kind, from }
}

const fn int(name: &'static str) -> Column {
    column(name, Kind::Integer)
}

const fn truth(name: &'static str) -> Column {
    column(name, Kind::Truth)
}

const fn real(name: &'static str) -> Column {
    column(name, Kind::Real)
}

const fn text(name: &'static str) -> Column {
    column(name, Kind::Text)
}

const fn bytes(name: &'static str) -> Column {
    column(name, Kind::Bytes)
}

const fn of(from: &'static str, column: Column) -> Column {
    Column { from, ..column }
}

const fn table(name: &'static str, columns: &'static [Column]) -> Table {
    Table {
        name,
        from: name,
        order: "",
        columns,
    }
}

const NODE: &[Column] = &[
    int("id"),
    text("key"),
    text("next_key"),
    text("owner"),
    text("wire"),
    int("session"),
    truth("heard"),
    real("registered_at"),
    real("activated_at"),
    real("deactivated_at"),
    real("unregistered_at"),
    real("online_until"),
    int("unconfirmed_run"),
    bytes("unconfirmed"),
    text("name"),
    text("location"),
    text("release"),
    text("certificate"),
];

const RUN: &[Column] = &[
    int("id"),
    text("fab_id"),
    text("fab_version"),
    text("fab_hash"),
    bytes("override_config"),
    text("phase"),
    text("details"),
    real("pending_at"),
    real("starting_at"),
    real("running_at"),
    real("finished_at"),
    text("account"),
    bytes("first_context"),
    bytes("context"),
    truth("resumed"),
    int("log_bytes"),
    real("log_dropped"),
    int("bytes_received"),
    int("bytes_sent"),
    int("worked"),
    int("points"),
    of(
        "(SELECT key FROM temp.named WHERE named.run = main.run.id AND is_fab)",
        text("fab_blob"),
    ),
];

const TASK: &[Column] = &[
    int("id"),
    int("run"),
    text("kind"),
    bytes("token"),
    real("claimed_at"),
    text("holder"),
    text("host"),
    int("pid"),
    text("started"),
    of(
        "iif(token IS NULL AND pid IS NULL, NULL, (SELECT name FROM temp.adopter))",
        text("link"),
    ),
];

const INSTRUCTION: &[Column] = &[
    int("run"),
    bytes("id"),
    int("src"),
    int("dst"),
    text("grp"),
    real("ttl"),
    text("type"),
    real("created_at"),
    int("error_code"),
    text("error_reason"),
    real("expires_at"),
    int("missing"),
    int("place"),
    truth("taken"),
    bytes("reply"),
];

const REPLY: &[Column] = &[
    int("run"),
    bytes("id"),
    int("src"),
    int("dst"),
    bytes("reply_to"),
    text("grp"),
    real("ttl"),
    text("type"),
    real("created_at"),
    int("error_code"),
    text("error_reason"),
    int("missing"),
];

const OBJECT: &[Column] = &[
    int("run"),
    bytes("id"),
    bytes("children"),
    truth("available"),
    int("referrers"),
    of(
        "(SELECT key FROM temp.named WHERE named.run = main.object.run
            AND named.id = main.object.id AND NOT is_fab)",
        text("blob"),
    ),
];

const METRIC_TOTAL: &[Column] = &[
    int("run"),
    int("round"),
    text("type"),
    text("source"),
    text("name"),
    real("least"),
    real("most"),
    real("mean"),
    real("weight"),
    int("replies"),
    int("failures"),
];

/// All tables, but for `inline`, whose bytes stand in files.
pub(super) const TABLES: &[Table] = &[
    Table {
        from: "link",
        ..table("state", &[text("id"), real("seen_at")])
    },
    table("node", NODE),
    table("node_certificate", &[text("owner")]),
    table("node_dismissed", &[text("key"), real("at")]),
    table(
        "join_token",
        &[
            bytes("id"),
            bytes("secret"),
            text("owner"),
            text("name"),
            text("address"),
            real("issued_at"),
            real("expires_at"),
            int("uses"),
            real("revoked_at"),
        ],
    ),
    table(
        "join_token_use",
        &[bytes("token"), text("key"), int("node"), real("at")],
    ),
    Table {
        order: " ORDER BY pending_at, rowid",
        ..table("run", RUN)
    },
    table("task", TASK),
    table("instruction", INSTRUCTION),
    table("reply", REPLY),
    table("object", OBJECT),
    table("awaited", &[int("run"), bytes("object"), bytes("message")]),
    table(
        "log",
        &[
            int("run"),
            real("at"),
            text("text"),
            of("octet_length(text)", int("bytes")),
        ],
    ),
    Table {
        order: " ORDER BY rowid",
        ..table(
            "metric_point",
            &[
                int("run"),
                int("round"),
                text("type"),
                int("node"),
                text("source"),
                text("name"),
                real("value"),
            ],
        )
    },
    table("metric_total", METRIC_TOTAL),
    Table {
        from: NAMED,
        ..table(
            "blob",
            &[
                text("key"),
                int("run"),
                bytes("id"),
                int("size"),
                truth("is_fab"),
            ],
        )
    },
];

/// Small objects. Their bytes come from files, and not from a column.
pub(super) const INLINE: Table = Table {
    from: "object",
    ..table("inline", &[int("run"), bytes("id"), bytes("bytes")])
};

#[cfg(test)]
mod tests;
