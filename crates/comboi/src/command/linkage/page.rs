//! A page of charts that needs no other file, no script and no network: SVG inside HTML, for light and dark.

use comboi_linkage::Waterfall;

/// A bar with its label.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: f64,
    /// What stands behind it; the value, if this is empty.
    pub(super) note: String,
}

const WIDTH: f64 = 860.0;
/// Where labels end and bars begin.
const LABELS: f64 = 330.0;
/// Room for the number behind a bar.
const NOTES: f64 = 190.0;
const LINE: f64 = 22.0;

const STYLE: &str = "
:root { color-scheme: light dark; --text: #1c2330; --dim: #5c6675; --line: #d8dde5; --back: #ffffff; --card: #f6f8fb; --for: #1f7a4d; --against: #b3423a; --bar: #3565b5; }
@media (prefers-color-scheme: dark) { :root { --text: #e6eaf1; --dim: #9aa5b5; --line: #36404f; --back: #12161d; --card: #1a2029; --for: #4fbf86; --against: #e5766d; --bar: #7ba4ea; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 920px; padding: 24px 16px 64px; font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); }
h1 { font-size: 26px; line-height: 1.25; } h2 { font-size: 19px; margin: 36px 0 4px; } h3 { font-size: 15px; margin: 0 0 8px; }
p { margin: 4px 0 12px; color: var(--dim); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px 16px; margin: 12px 0; overflow-x: auto; }
svg { display: block; width: 100%; min-width: 640px; height: auto; font: 12px system-ui, sans-serif; }
text { fill: var(--text); } .dim { fill: var(--dim); } .for { fill: var(--for); } .against { fill: var(--against); } .bar { fill: var(--bar); }
.axis { stroke: var(--line); stroke-width: 1; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: right; padding: 4px 8px; border-bottom: 1px solid var(--line); } th:first-child, td:first-child { text-align: left; }
";

pub(super) struct Page {
    html: String,
}

impl Page {
    pub(super) fn new(title: &str) -> Self {
        let title = escaped(title);
        Self {
            html: format!(
                "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
            ),
        }
    }

    pub(super) fn end(mut self) -> String {
        self.html.push_str("</body>\n</html>\n");
        self.html
    }

    pub(super) fn text(&mut self, text: &str) {
        self.put(&format!("<p>{}</p>\n", escaped(text)));
    }

    pub(super) fn heading(&mut self, heading: &str, text: &str) {
        self.put(&format!("<h2>{}</h2>\n", escaped(heading)));
        self.text(text);
    }

    /// Bars to the right and to the left of a line.
    pub(super) fn signed(&mut self, title: &str, bars: Vec<Bar>) {
        let most = bars.iter().map(|bar| bar.value.abs()).fold(1.0, f64::max);
        let half = (WIDTH - LABELS - 120.0) / 2.0;
        let middle = LABELS + 60.0 + half;
        let mut inner = line(middle, 0.0, middle, height(bars.len()));
        for (at, bar) in bars.iter().enumerate() {
            let (y, length) = (row(at), bar.value.abs() / most * half);
            let (x, class, label_x, anchor) = if bar.value < 0.0 {
                (middle - length, "against", middle - length - 6.0, "end")
            } else {
                (middle, "for", middle + length + 6.0, "start")
            };
            inner.push_str(&label(&bar.label, y));
            inner.push_str(&rect(x, y, length, class));
            inner.push_str(&words(
                label_x,
                y,
                anchor,
                "dim",
                &format!("{:+.2}", bar.value),
            ));
        }
        self.figure(title, &inner, height(bars.len()));
    }

    /// Bars from the left.
    pub(super) fn bars(&mut self, title: &str, bars: Vec<Bar>) {
        let most = bars
            .iter()
            .map(|bar| bar.value)
            .fold(f64::MIN_POSITIVE, f64::max);
        let mut inner = line(LABELS, 0.0, LABELS, height(bars.len()));
        for (at, bar) in bars.iter().enumerate() {
            let (y, length) = (row(at), bar.value / most * (WIDTH - LABELS - NOTES));
            inner.push_str(&label(&bar.label, y));
            inner.push_str(&rect(LABELS, y, length, "bar"));
            inner.push_str(&words(LABELS + length + 6.0, y, "start", "dim", &bar.note));
        }
        self.figure(title, &inner, height(bars.len()));
    }

    /// Columns side by side; what they stand for is counted.
    pub(super) fn columns(&mut self, title: &str, columns: &[(String, u64)]) {
        if columns.is_empty() {
            self.text("There are none.");
            return;
        }
        const TALL: f64 = 160.0;
        let most = columns
            .iter()
            .map(|(_, count)| *count)
            .max()
            .unwrap_or(1)
            .max(1);
        #[expect(clippy::cast_precision_loss, reason = "a chart needs no more digits")]
        let (share, step) = (
            |count: u64| count as f64 / most as f64,
            (WIDTH - 20.0) / columns.len() as f64,
        );
        let mut inner = line(10.0, TALL + 20.0, WIDTH - 10.0, TALL + 20.0);
        let every = columns.len().div_ceil(28);
        let mut x = 10.0;
        for (at, (name, count)) in columns.iter().enumerate() {
            let tall = share(*count) * TALL;
            let middle = x + step / 2.0;
            let title = format!("{}: {count}", escaped(name));
            inner.push_str(&format!(
                "<rect class=\"bar\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\"><title>{title}</title></rect>",
                x + step * 0.1,
                TALL + 20.0 - tall,
                step * 0.8,
            ));
            if at % every == 0 {
                inner.push_str(&format!(
                    "<text class=\"dim\" text-anchor=\"middle\" x=\"{middle:.1}\" y=\"{:.1}\">{}</text>",
                    TALL + 36.0,
                    escaped(name)
                ));
                if columns.len() <= 28 && *count > 0 {
                    inner.push_str(&format!(
                        "<text class=\"dim\" text-anchor=\"middle\" x=\"{middle:.1}\" y=\"{:.1}\">{count}</text>",
                        TALL + 14.0 - tall
                    ));
                }
            }
            x += step;
        }
        self.figure(title, &inner, TALL + 42.0);
    }

    pub(super) fn table(&mut self, head: &[&str], rows: Vec<Vec<String>>) {
        let cells = |cells: &[String], tag: &str| {
            let cells = cells
                .iter()
                .map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell)));
            format!("<tr>{}</tr>\n", cells.collect::<String>())
        };
        let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
        let body: String = rows.iter().map(|row| cells(row, "td")).collect();
        self.put(&format!(
            "<section><table>\n{}{body}</table></section>\n",
            cells(&head, "th")
        ));
    }

    /// A match weight, step by step.
    pub(super) fn waterfall(&mut self, waterfall: &Waterfall) {
        let mut steps = vec![("any two rows".to_owned(), String::new(), waterfall.prior)];
        let values = |values: &[(String, Option<String>)]| {
            let values: Vec<&str> = values
                .iter()
                .map(|(_, value)| value.as_deref().unwrap_or("NULL"))
                .collect();
            values.join(", ")
        };
        for bar in &waterfall.bars {
            let both = format!("{}  ↔  {}", values(&bar.values_l), values(&bar.values_r));
            steps.push((
                bar.name.clone(),
                both,
                bar.weight + bar.term_frequency_weight,
            ));
        }
        let (mut low, mut high, mut sum) = (0.0_f64, 0.0_f64, 0.0);
        for (_, _, weight) in &steps {
            sum += weight;
            (low, high) = (low.min(sum), high.max(sum));
        }
        let left = 130.0;
        let right = WIDTH - 330.0;
        let x = |weight: f64| left + (weight - low) / (high - low).max(1.0) * (right - left - 60.0);
        let mut inner = line(x(0.0), 0.0, x(0.0), height(steps.len()));
        let mut sum = 0.0;
        for (at, (name, both, weight)) in steps.iter().enumerate() {
            let (from, to, y) = (x(sum), x(sum + weight), row(at));
            sum += weight;
            let class = if *weight < 0.0 { "against" } else { "for" };
            inner.push_str(&within(left - 10.0, left - 20.0, y, "end", "", name));
            inner.push_str(&rect(from.min(to), y, (to - from).abs(), class));
            inner.push_str(&words(
                from.max(to) + 6.0,
                y,
                "start",
                "dim",
                &format!("{weight:+.2}"),
            ));
            let room = WIDTH - right - 20.0;
            inner.push_str(&within(right + 10.0, room, y, "start", "dim", both));
        }
        let title = format!(
            "match weight {:.2}, probability {:.6}",
            waterfall.weight, waterfall.probability
        );
        self.figure(&title, &inner, height(steps.len()));
    }

    fn figure(&mut self, title: &str, inner: &str, height: f64) {
        let title = escaped(title);
        self.put(&format!(
            "<section><h3>{title}</h3><svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{title}\">{inner}</svg></section>\n"
        ));
    }

    fn put(&mut self, html: &str) {
        self.html.push_str(html);
    }
}

fn height(rows: usize) -> f64 {
    row(rows)
}

#[expect(clippy::cast_precision_loss, reason = "a chart has few rows")]
fn row(at: usize) -> f64 {
    at as f64 * LINE
}

fn rect(x: f64, y: f64, width: f64, class: &str) -> String {
    format!(
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"14\" rx=\"2\"/>",
        y + 4.0,
        width.max(1.0)
    )
}

fn line(x: f64, y: f64, to_x: f64, to_y: f64) -> String {
    format!("<line class=\"axis\" x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{to_x:.1}\" y2=\"{to_y:.1}\"/>")
}

fn label(text: &str, y: f64) -> String {
    within(LABELS - 10.0, LABELS - 20.0, y, "end", "", text)
}

/// Words that take no more room than this, whatever font the browser has: long ones are cut, and drawn as wide as there is room.
fn within(x: f64, room: f64, y: f64, anchor: &str, class: &str, text: &str) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a few hundred pixels"
    )]
    let letters = |pixels: f64| (room / pixels) as usize;
    let short = cut(text, letters(7.0));
    if short.chars().count() <= letters(8.0) {
        return words(x, y, anchor, class, &short);
    }
    format!(
        "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{room:.0}\" lengthAdjust=\"spacingAndGlyphs\">{}<title>{}</title></text>",
        y + 15.0,
        escaped(&short),
        escaped(text)
    )
}

fn words(x: f64, y: f64, anchor: &str, class: &str, text: &str) -> String {
    format!(
        "<text class=\"{class}\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{:.1}\">{}</text>",
        y + 15.0,
        escaped(text)
    )
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most - 1).collect();
    short.push('…');
    short
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::{Bar, Page};

    #[test]
    fn a_page_needs_nothing_else_and_says_what_values_hold_as_text() {
        let mut page = Page::new("<script>");
        page.bars(
            "\"a\" & b",
            vec![Bar {
                label: "</svg><script>alert(1)</script>".to_owned(),
                value: 1.0,
                note: "1".to_owned(),
            }],
        );
        page.columns("none", &[]);
        let html = page.end();
        assert!(!html.contains("<script"), "{html}");
        assert!(
            !html.contains("http:") && !html.contains("https:"),
            "{html}"
        );
        assert!(
            html.contains("&lt;/svg&gt;&lt;script&gt;alert(1)"),
            "{html}"
        );
    }
}
