//! Diagnostics as rustc prints them.
use annotate_snippets::renderer::{DecorStyle, Renderer};
use annotate_snippets::{AnnotationKind, Group, Level, Patch, Snippet};
use esos_diag::{Diagnostic, Severity, Span};

/// Longest line of which a mended form is shown.
const LONGEST: usize = 400;

/// One diagnostic about a text, with the offending lines, carets, help and fix. Only ASCII beside what
/// the text itself holds; escape bytes only with `color`.
///
/// ```
/// use esos_diag::{Diagnostic, Span};
///
/// let d = Diagnostic::error("scst-conf::lun", "`x` is no LUN", "scst.conf", Span::new(4, 5))
///     .help("LUNs are numbers from 0 to 16383");
/// assert_eq!(
///     esos_cli::render(&d, "LUN x disk1\n", 80, false),
///     "error[scst-conf::lun]: `x` is no LUN\n \
///       --> scst.conf:1:5\n  |\n1 | LUN x disk1\n  |     ^\n  |\n  = help: LUNs are numbers from 0 to 16383\n",
/// );
/// ```
#[must_use]
pub fn render(diagnostic: &Diagnostic, text: &str, columns: usize, color: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(&diagnostic.message).id(&diagnostic.code);
    let mut group = if diagnostic.labels.is_empty() {
        Group::with_title(title)
    } else {
        let mut snippet = Snippet::source(text).path(diagnostic.origin.as_str());
        for (i, label) in diagnostic.labels.iter().enumerate() {
            let kind = if i == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let mark = kind.span(within(label.span, text));
            snippet = snippet.annotation(if label.text.is_empty() {
                mark
            } else {
                mark.label(label.text.as_str())
            });
        }
        title.element(snippet)
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let mut report = vec![group];
    let long = |span: Span| {
        let (before, after) = text.split_at(within(span, text).start);
        let start = before.rsplit('\n').next().map_or(0, str::len);
        start.saturating_add(after.split('\n').next().map_or(0, str::len)) > LONGEST
    };
    let fix = diagnostic.fix.as_ref();
    // A line that fills screens is not shown twice.
    if let Some(fix) = fix.filter(|f| long(f.span) || f.replacement.len() > LONGEST) {
        report.push(
            Level::HELP
                .secondary_title(fix.what.as_str())
                .element(Level::NOTE.message("the line is too long to be shown")),
        );
    } else if let Some(fix) = fix {
        let patch = Patch::new(within(fix.span, text), fix.replacement.as_str());
        report
            .push(Level::HELP.secondary_title(fix.what.as_str()).element(Snippet::source(text).patch(patch)));
    }
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut rendered = renderer.decor_style(DecorStyle::Ascii).term_width(columns).render(&report);
    rendered.push('\n');
    rendered
}

/// The span inside the text, on character boundaries, and not over a line's end where it starts on one:
/// such a span would be drawn as a box over two lines.
fn within(span: Span, text: &str) -> std::ops::Range<usize> {
    let floor = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at = at.saturating_sub(1);
        }
        at
    };
    let start = floor(span.start.min(text.len()));
    let end = floor(span.end.min(text.len())).max(start);
    if text.get(start..end) == Some("\n") { start..start } else { start..end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_fix_shows_the_line_as_it_should_be() {
        let text = "HANDLER vdisk_blockio\n  DEVICE a\n}\n";
        let d = Diagnostic::error("scst-conf::missing-brace", "expected `{`", "s.conf", Span::point(21))
            .label(Span::new(33, 34), "this `}` closes nothing")
            .fix(Span::point(21), " {", "open the block on the same line");
        let shown = render(&d, text, 80, false);
        assert!(
            shown.starts_with("error[scst-conf::missing-brace]: expected `{`\n --> s.conf:1:22\n"),
            "{shown}"
        );
        assert!(shown.contains("this `}` closes nothing"), "{shown}");
        assert!(shown.contains("help: open the block on the same line"), "{shown}");
        assert!(shown.contains("1 | HANDLER vdisk_blockio {"), "{shown}");
        assert!(render(&d, text, 80, true).contains('\u{1b}'));
    }

    #[test]
    fn a_line_that_fills_screens_is_not_shown_twice() {
        let text = "{".repeat(100_000);
        let d =
            Diagnostic::error("x::y", "m", "f", Span::point(0)).fix(Span::point(100_000), "}", "close it");
        let shown = render(&d, &text, 80, false);
        assert!(shown.len() < 1000 && shown.contains("close it"), "{} bytes", shown.len());
    }

    proptest! {
        #[test]
        fn no_span_and_no_text_is_too_odd(text in "[a-zä\\n\\t\\r {}]{0,60}", a in 0usize..80, b in 0usize..80, c in 0usize..80) {
            let d = Diagnostic::warning("x::y", "m", "f", Span::new(a, b))
                .label(Span::new(c, b), "other").fix(Span::new(b, c), "z", "do it").help("h");
            let shown = render(&d, &text, 40, false);
            let escaped = shown.contains('\u{1b}');
            prop_assert!(!escaped);
        }
    }
}
