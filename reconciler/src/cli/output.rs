//! How results are written: tables for people, JSON and YAML for programs, colour only on a terminal.

use std::io::{self, IsTerminal, Write};

use anyhow::Context as _;
use serde::Serialize;

/// The form of a command's result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    #[value(skip)]
    Human,
    /// For people, with every column.
    Wide,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// `kind/name`, a line each.
    Name,
}

/// Writes a value as JSON or YAML to standard output.
pub fn machine(format: Format, value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = match format {
        Format::Yaml => serde_yaml::to_string(value).context("cannot write the result as YAML")?,
        _ => serde_json::to_string_pretty(value).context("cannot write the result as JSON")?,
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    print(&text)
}

/// Writes text to standard output. A closed pipe (`| head`) ends the program quietly.
pub fn print(text: &str) -> anyhow::Result<()> {
    bytes(text.as_bytes())
}

/// Writes a container's bytes to standard output, as they are. A closed pipe ends the program quietly.
pub fn bytes(data: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(data).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result.context("cannot write to standard output"),
    }
}

/// Lays rows out in columns with three spaces between them, the last column ragged.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width + 3 - cell.chars().count().min(*width)));
        }
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line(&mut header.iter().copied());
    for row in rows {
        line(&mut row.iter().map(String::as_str));
    }
    out
}

/// A colour with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// On its way, or worth a look.
    Warn,
    /// Wrong.
    Bad,
    /// Less important than its neighbours.
    Dim,
}

/// Colours text when standard output is a terminal and `NO_COLOR` is unset (no-color.org).
pub fn tone(tone: Tone, text: &str) -> String {
    if !coloured(&io::stdout()) {
        return text.to_owned();
    }
    painted(tone, text)
}

/// Colours the word before an error's text when standard error is a terminal and `NO_COLOR` is unset.
pub fn tone_of_errors(text: &str) -> String {
    if coloured(&io::stderr()) { painted(Tone::Bad, text) } else { text.to_owned() }
}

fn coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn painted(tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Good => "32",
        Tone::Warn => "33",
        Tone::Bad => "31",
        Tone::Dim => "2",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// Makes text from outside safe for a terminal: control characters but newline and tab become `\u{..}`.
pub fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escape = c.is_control() && c != '\n' && c != '\t';
            let (plain, escaped) = if escape { (None, Some(c.escape_unicode())) } else { (Some(c), None) };
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_trailing_blanks() {
        let rows = [vec!["web".to_owned(), "1/1".to_owned()], vec!["database".to_owned(), String::new()]];
        assert_eq!(table(&["NAME", "READY"], &rows), "NAME       READY\nweb        1/1\ndatabase\n");
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\n"), "a\\u{1b}[2Jb\n");
    }
}
