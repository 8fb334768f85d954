//! From spans and events to lines.

use chrono::{DateTime, Utc};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::{LookupSpan, Scope};

use super::fields::Fields;
use super::shape::{Line, Shape};

/// Writes every event as one line.
pub(super) struct Lines<W> {
    shape: Shape,
    now: fn() -> DateTime<Utc>,
    writer: W,
}

impl<W> Lines<W> {
    pub(super) fn new(shape: Shape, now: fn() -> DateTime<Utc>, writer: W) -> Self {
        Self { shape, now, writer }
    }
}

impl<S, W> Layer<S> for Lines<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flat_map(Scope::from_root) {
            if let Some(of_span) = span.extensions().get::<Fields>() {
                fields.extend(of_span);
            }
        }
        event.record(&mut fields);
        let metadata = event.metadata();
        let message = fields.take_message();
        let line = Line { at: (self.now)(), level: *metadata.level(), target: metadata.target(), message, fields };
        let text = self.shape.render(&line);
        // One write for a line, so that lines of other threads do not come between. A log that cannot be written has nowhere
        // to say so.
        let _ = std::io::Write::write_all(&mut self.writer.make_writer(), text.as_bytes());
    }
}
