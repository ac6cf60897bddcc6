//! The forms in which Prometheus reads a page.

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;

/// A form of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The text format of Prometheus, version 0.0.4.
    Prometheus,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

impl Form {
    /// The form for a reader that accepts these media types (the header `Accept`). Prometheus names
    /// OpenMetrics first; other readers get what all of them read.
    #[must_use]
    pub fn accepted(accept: Option<&str>) -> Self {
        match accept {
            Some(accept) if accept.contains("application/openmetrics-text") => Self::OpenMetrics,
            _ => Self::Prometheus,
        }
    }

    /// The media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The page.
#[must_use]
pub fn encode(registry: &Registry, form: Form) -> String {
    let mut page = String::with_capacity(16 << 10);
    let written = match form {
        Form::Prometheus => prometheus_text::encode(&mut page, registry),
        Form::OpenMetrics => text::encode(&mut page, registry),
    };
    // A `String` takes everything; a value that cannot be written ends the page where it stands.
    debug_assert!(written.is_ok());
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Amount, Levels, Tally};

    #[test]
    fn a_reader_gets_the_form_that_it_accepts() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2";
        assert_eq!(Form::accepted(Some(prometheus)), Form::OpenMetrics);
        assert_eq!(Form::accepted(Some("*/*")), Form::Prometheus);
        assert_eq!(Form::accepted(None), Form::Prometheus);
    }

    #[test]
    fn all_words_are_there_before_anything_happens() {
        let mut registry = Registry::default();
        let tally = Tally::new("outcome", &["ok", "failed"]);
        tally.register(&mut registry, "flwr_reloads", "Reloads");
        let nodes = Levels::new("state");
        nodes.register(&mut registry, "flwr_nodes", "Nodes");
        let held = Amount::default();
        held.register(&mut registry, "flwr_held_calls", "Held calls");
        let _entered = held.enter();
        drop(held.enter());
        tally.count("failed");
        nodes.set("online", 10_000);
        let page = encode(&registry, Form::Prometheus);
        let mut lines: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "flwr_held_calls 1.0",
                "flwr_nodes{state=\"online\"} 10000.0",
                "flwr_reloads_total{outcome=\"failed\"} 1",
                "flwr_reloads_total{outcome=\"ok\"} 0",
            ]
        );
        assert!(encode(&registry, Form::OpenMetrics).ends_with("# EOF\n"));
    }
}
