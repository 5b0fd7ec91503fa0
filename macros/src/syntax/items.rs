//! The inside of an attribute as named items, read so that one bad item does not hide the others.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, Parser};
use syn::{Attribute, LitStr, Meta};

use super::Errors;
use super::suggest::{nearest, suggestion};

/// One `name`, `name = value` or `name(…)`.
pub struct Item {
    /// The name, where messages about the item point.
    pub name: Ident,
    value: Value,
}

enum Value {
    Flag,
    Assigned(TokenStream),
    Listed(TokenStream),
}

/// A number and where it stands.
#[derive(Clone, Copy)]
pub struct Number {
    /// The number.
    pub value: i64,
    /// Where it stands.
    pub span: Span,
}

/// A value that must be given.
pub struct Wanted<'a> {
    /// The item's name.
    pub name: &'a str,
    /// What the value is, with its article.
    pub what: &'a str,
    /// A right one.
    pub example: &'a str,
}

/// The items of all attributes of one name on one declaration.
#[derive(Default)]
pub struct Items {
    items: Vec<Item>,
    /// What the misspelt names most likely mean.
    meant: Vec<String>,
}

impl Items {
    /// Reads `#[path(…)]` attributes; what cannot be read is reported and left out.
    pub fn of_attributes(attrs: &[Attribute], path: &str, errors: &mut Errors) -> Self {
        let mut items = Vec::new();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident(path)) {
            match &attr.meta {
                Meta::List(list) => items.extend(Self::of_tokens(list.tokens.clone(), errors).items),
                meta => errors
                    .absorb(syn::Error::new_spanned(meta, format!("expected a list of attributes: `#[{path}(…)]`"))),
            }
        }
        Self { items, meant: Vec::new() }
    }

    /// Reads a list of items that are separated by commas.
    pub fn of_tokens(tokens: TokenStream, errors: &mut Errors) -> Self {
        Self {
            items: split(tokens).into_iter().filter_map(|item| Item::read(item, errors)).collect(),
            meant: Vec::new(),
        }
    }

    /// Returns the items when every name is known and only the `repeatable` ones stand twice.
    ///
    /// Reports and leaves out the others; `elsewhere` may explain a name that is known in another place.
    pub fn check(
        self,
        known: &[&str],
        repeatable: &[&str],
        elsewhere: impl Fn(&str) -> Option<String>,
        errors: &mut Errors,
    ) -> Self {
        let mut kept = Self::default();
        for item in self.items {
            let name = item.name.unraw().to_string();
            if !known.contains(&name.as_str()) {
                let hint = elsewhere(&name).map_or_else(|| suggestion(&name, known), |hint| format!(": {hint}"));
                errors.push(item.name.span(), format!("unknown attribute `{name}`{hint}"));
                kept.meant.extend(nearest(&name, known).map(str::to_owned));
            } else if !repeatable.contains(&name.as_str()) && kept.items.iter().any(|other| other.name == item.name) {
                errors.push(item.name.span(), format!("`{name}` is given twice; keep one of the two"));
            } else {
                kept.items.push(item);
            }
        }
        kept
    }

    /// Removes and returns the item of this name.
    pub fn take(&mut self, name: &str) -> Option<Item> {
        let index = self.items.iter().position(|item| item.name.unraw() == name)?;
        Some(self.items.remove(index))
    }

    /// Whether there is an item of this name, or a misspelt one, reported already, that was meant for it.
    pub fn has(&self, name: &str) -> bool {
        self.items.iter().any(|item| item.name.unraw() == name) || self.meant.iter().any(|meant| meant == name)
    }

    /// Removes and returns a value that must be given; reports at `here` with `missing` when it is not.
    pub fn wanted<T: Parse>(
        &mut self,
        wanted: Wanted<'_>,
        here: Span,
        missing: &str,
        errors: &mut Errors,
    ) -> Option<T> {
        if !self.has(wanted.name) {
            errors.push(here, missing);
        }
        self.parsed(wanted.name, wanted.what, wanted.example, errors)
    }

    /// Removes and returns all items of this name.
    pub fn take_all(&mut self, name: &str) -> Vec<Item> {
        std::iter::from_fn(|| self.take(name)).collect()
    }

    /// Removes a flag; returns where it stands.
    pub fn flag(&mut self, name: &str, errors: &mut Errors) -> Option<Span> {
        let item = self.take(name)?;
        match &item.value {
            Value::Flag => {}
            _ => errors.push(item.name.span(), format!("`{name}` takes no value; write `{name}` alone")),
        }
        Some(item.name.span())
    }

    /// Removes and returns a string; `example` completes the message about a wrong value.
    pub fn string(&mut self, name: &str, example: &str, errors: &mut Errors) -> Option<LitStr> {
        self.take(name)?.parsed("a string", example, errors)
    }

    /// Removes and returns a whole number.
    pub fn number(&mut self, name: &str, example: &str, errors: &mut Errors) -> Option<Number> {
        self.take(name)?.number(example, errors)
    }

    /// Removes and returns one string or a list of them: `name = "a"`, `name = ["a", "b"]` or `name("a", "b")`.
    pub fn strings(&mut self, name: &str, example: &str, errors: &mut Errors) -> Option<Vec<LitStr>> {
        self.take(name)?.strings(example, errors)
    }

    /// Removes and returns a path, a type or whatever else `T` parses.
    pub fn parsed<T: Parse>(&mut self, name: &str, what: &str, example: &str, errors: &mut Errors) -> Option<T> {
        self.take(name)?.parsed(what, example, errors)
    }
}

impl Item {
    fn read(tokens: TokenStream, errors: &mut Errors) -> Option<Self> {
        let mut rest = tokens.clone().into_iter();
        let name = match rest.next() {
            Some(TokenTree::Ident(name)) => name,
            _ => {
                errors.absorb(syn::Error::new_spanned(tokens, "expected `name`, `name = value` or `name(…)`"));
                return None;
            }
        };
        let value = match rest.next() {
            None => Value::Flag,
            Some(TokenTree::Punct(punct)) if punct.as_char() == '=' => Value::Assigned(rest.collect()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis => {
                let more: TokenStream = rest.collect();
                if !more.is_empty() {
                    errors.absorb(syn::Error::new_spanned(more, "expected a comma"));
                }
                Value::Listed(group.stream())
            }
            Some(other) => {
                errors.push(other.span(), format!("expected `=`, `(` or a comma after `{name}`"));
                return None;
            }
        };
        if matches!(&value, Value::Assigned(tokens) if tokens.is_empty()) {
            errors.push(name.span(), format!("a value is missing after `{name} =`"));
            return None;
        }
        Some(Self { name, value })
    }

    /// Whether the value starts with a string literal.
    pub fn is_string(&self) -> bool {
        matches!(&self.value, Value::Assigned(tokens) if syn::parse2::<LitStr>(tokens.clone()).is_ok())
    }

    /// Returns the tokens after `=`; reports anything else.
    pub fn assigned(&self, what: &str, example: &str, errors: &mut Errors) -> Option<TokenStream> {
        match &self.value {
            Value::Assigned(tokens) => Some(tokens.clone()),
            _ => {
                errors.push(self.name.span(), format!("`{}` wants {what}: `{example}`", self.name));
                None
            }
        }
    }

    /// Returns the tokens in parentheses; reports anything else.
    pub fn listed(&self, example: &str, errors: &mut Errors) -> Option<TokenStream> {
        match &self.value {
            Value::Listed(tokens) => Some(tokens.clone()),
            _ => {
                errors.push(self.name.span(), format!("`{}` wants a list in parentheses: `{example}`", self.name));
                None
            }
        }
    }

    /// Returns the value as a `T`; reports anything else.
    pub fn parsed<T: Parse>(&self, what: &str, example: &str, errors: &mut Errors) -> Option<T> {
        let tokens = self.assigned(what, example, errors)?;
        let parsed = syn::parse2(tokens.clone()).ok();
        if parsed.is_none() {
            errors.absorb(syn::Error::new_spanned(tokens, format!("`{}` wants {what}: `{example}`", self.name)));
        }
        parsed
    }

    /// Returns the value as a whole number; reports anything else.
    pub fn number(&self, example: &str, errors: &mut Errors) -> Option<Number> {
        let literal: syn::LitInt = self.parsed("a whole number", example, errors)?;
        match literal.base10_parse() {
            Ok(value) => Some(Number { value, span: literal.span() }),
            Err(error) => {
                errors.push(literal.span(), format!("`{}` wants a 64-bit number: {error}", self.name));
                None
            }
        }
    }

    /// Returns the value as strings; reports anything else.
    pub fn strings(&self, example: &str, errors: &mut Errors) -> Option<Vec<LitStr>> {
        let tokens = match &self.value {
            Value::Listed(tokens) => tokens.clone(),
            Value::Assigned(tokens) => match syn::parse2::<proc_macro2::Group>(tokens.clone()) {
                Ok(group) if group.delimiter() == Delimiter::Bracket => group.stream(),
                _ => tokens.clone(),
            },
            Value::Flag => TokenStream::new(),
        };
        let parser = syn::punctuated::Punctuated::<LitStr, syn::Token![,]>::parse_terminated;
        match parser.parse2(tokens) {
            Ok(strings) if !strings.is_empty() => Some(strings.into_iter().collect()),
            Ok(_) => {
                errors.push(self.name.span(), format!("`{}` wants at least one string: `{example}`", self.name));
                None
            }
            Err(error) => {
                errors.push(error.span(), format!("`{}` wants strings: `{example}`", self.name));
                None
            }
        }
    }
}

/// Splits at the commas that stand outside all brackets.
pub fn split(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![TokenStream::new()];
    for token in tokens {
        match token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => parts.push(TokenStream::new()),
            token => parts.last_mut().expect("invariant: there is always a part").extend([token]),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}
