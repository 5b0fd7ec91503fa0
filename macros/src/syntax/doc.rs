//! Doc comments as running text, for `explain` and the API's schema.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// Returns the text of the `///` lines: one line a paragraph, an empty line between paragraphs.
///
/// List items and code blocks keep their lines. Links to Rust items lose their brackets.
pub fn text(attrs: &[Attribute]) -> String {
    let mut text = String::new();
    let mut code = false;
    for line in attrs.iter().filter_map(doc_line).flat_map(|line| line.lines().map(str::to_owned).collect::<Vec<_>>()) {
        let trimmed = line.trim();
        let fence = trimmed.starts_with("```");
        if trimmed.is_empty() && !code {
            text.push_str(if text.is_empty() || text.ends_with("\n\n") { "" } else { "\n\n" });
            continue;
        }
        if !text.is_empty() && !text.ends_with('\n') {
            let own_line = code || fence || ["- ", "* ", "| ", "# "].iter().any(|mark| trimmed.starts_with(mark));
            text.push(if own_line { '\n' } else { ' ' });
        }
        text.push_str(if code { line.strip_prefix(' ').unwrap_or(&line) } else { trimmed });
        code ^= fence;
        if code || fence {
            text.push('\n');
        }
    }
    without_links(text.trim_end())
}

fn doc_line(attr: &Attribute) -> Option<String> {
    match &attr.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(match text.value() {
                empty if empty.is_empty() => "\n".to_owned(),
                line => line,
            }),
            _ => None,
        },
        _ => None,
    }
}

/// Turns ``[`Name`]`` into `` `Name` ``; a link with an address stays.
fn without_links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("[`") {
        out.push_str(&rest[..start]);
        let link = &rest[start..];
        match link.find("`]") {
            Some(end) if !link[end + 2..].starts_with(['(', '[']) => {
                out.push_str(&link[1..=end]);
                rest = &link[end + 2..];
            }
            _ => {
                out.push_str("[`");
                rest = &link[2..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_paragraph_become_one_and_links_become_code() {
        let check =
            |case: &str, item: syn::ItemStruct, expected: &str| assert_eq!(text(&item.attrs), expected, "{case}");
        check(
            "no comment",
            syn::parse_quote!(
                struct A;
            ),
            "",
        );
        check(
            "two paragraphs",
            syn::parse_quote! {
                /// Where to
                /// clone from.
                ///
                /// See [`Url`] and [`Key`](x).
                struct A;
            },
            "Where to clone from.\n\nSee `Url` and [`Key`](x).",
        );
        check(
            "a list",
            syn::parse_quote! {
                /// One of:
                /// - this
                /// - that
                struct A;
            },
            "One of:\n- this\n- that",
        );
    }
}
