//! Tables of what YAML means, each row checked against `kubectl` where it is installed.
#![expect(clippy::disallowed_methods, reason = "the bound is one of time")]

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;

const HEAD: &str = "apiVersion: example.dev/v1\nkind: X\nmetadata: {name: a}\n";

/// Rows: the text of a document's body, and the member `v` it gives.
fn accepted() -> Vec<(&'static str, Value)> {
    let mut rows: Vec<(&'static str, Value)> = Vec::new();
    let mut all = |texts: &[&'static str], value: Value| rows.extend(texts.iter().map(|text| (*text, value.clone())));
    all(&["v: 0644", "v: 0o644", "v: !!int 0644"], json!(420));
    all(&["v: yes", "v: y", "v: Y", "v: on", "v: TRUE", "v: !!bool yes", "v: !!bool \"yes\""], json!(true));
    all(&["v: no", "v: n", "v: off", "v: No", "v: False"], json!(false));
    all(&["v: ~", "v: null", "v: Null", "v:", "v: NULL"], json!(null));
    all(&["v: 1_0", "v: 1__0"], json!(10));
    all(&["v: 0x1f", "v: 0X1F", "v: +0x1f"], json!(31));
    all(&["v: 0O17", "v: 0o17", "v: 017"], json!(15));
    all(&["v: 0b11"], json!(3));
    all(&["v: -0b11"], json!(-3));
    all(&["v: -0o17"], json!(-15));
    all(&["v: -0644"], json!(-420));
    all(&["v: 089"], json!(89));
    all(&["v: 08"], json!(8));
    all(&["v: 0_7"], json!(7));
    all(&["v: 00", "v: -0", "v: -0.0", "v: 1e-400"], json!(0));
    all(&["v: 1.0", "v: 1.", "v: +1", "v: !!float 1", "v: 1_"], json!(1));
    all(&["v: 1e3", "v: 1.0e3", "v: !!float \"1e3\""], json!(1000));
    all(&["v: 1e21"], json!(1e21));
    all(&["v: .5", "v: +.5"], json!(0.5));
    all(&["v: -.5"], json!(-0.5));
    all(&["v: 1_000.5"], json!(1000.5));
    all(&["v: 685.230_15e+03"], json!(685_230.15));
    all(&["v: 9223372036854775807", "v: 0x7fffffffffffffff"], json!(i64::MAX));
    all(&["v: -9223372036854775808"], json!(i64::MIN));
    all(&["v: 18446744073709551615", "v: 0xffffffffffffffff"], json!(18_446_744_073_709_551_615_f64));
    all(&["v: 99999999999999999999"], json!(1e20));
    all(&["v: \"5\"", "v: '5'", "v: !!str 5", "v: !foo 5", "v: ! 5"], json!("5"));
    all(&["v: !!int \"5\"", "v: !<tag:yaml.org,2002:int> \"5\"", "v:\t5"], json!(5));
    for text in
        ["1e400", "._5", "_1", "tRUE", "=", "<<", "1:30", "0x1p4", "0o8", "0x", "1e", ".e1", "2020-01-01", "nUll"]
    {
        rows.push((Box::leak(format!("v: {text}").into_boxed_str()), json!(text)));
    }
    rows.extend([
        ("v: !!timestamp 2020-01-01", json!("2020-01-01")),
        ("v: !!binary aGk=", json!("hi")),
        ("v: !!str", json!("")),
        ("v: !!str ~", json!("~")),
        ("v: \"\"", json!("")),
        ("v: \"<<\"", json!("<<")),
        ("v: |\n  a\n  b", json!("a\nb\n")),
        ("v: |-\n  a\n  b", json!("a\nb")),
        ("v: >\n  a\n  b", json!("a b\n")),
        ("v: \"a\\tb\\x41\\u00e9\"", json!("a\tbAé")),
        ("v: \"a\n  b\"", json!("a b")),
        ("v: a #c", json!("a")),
        ("v: a#c", json!("a#c")),
        ("v: [a, b,]", json!(["a", "b"])),
        ("v: [<<]", json!(["<<"])),
        ("v: [a: 1]", json!([{"a": 1}])),
        ("v: {a: 1,}", json!({"a": 1})),
        ("v: {a, b: 1}", json!({"a": null, "b": 1})),
        ("v: {? a}", json!({"a": null})),
        ("v: !!set {a, b}", json!({"a": null, "b": null})),
        ("v: !foo {a: 1}", json!({"a": 1})),
        ("v: {1: a}", json!({"1": "a"})),
        ("v: {0x10: a}", json!({"16": "a"})),
        ("v: {0o17: a}", json!({"15": "a"})),
        ("v: {1.5: a}", json!({"1.5": "a"})),
        ("v: {1e3: a}", json!({"1000": "a"})),
        ("v: {1.0: a}", json!({"1": "a"})),
        ("v: {-0.0: a}", json!({"-0": "a"})),
        ("v: {123456789.123: x}", json!({"1.2345679e+08": "x"})),
        ("v: {1e21: x}", json!({"1e+21": "x"})),
        ("v: {0.00001: x}", json!({"1e-05": "x"})),
        ("v: {.inf: x}", json!({".inf": "x"})),
        ("v: {true: a}", json!({"true": "a"})),
        ("v: {yes: a}", json!({"true": "a"})),
        ("v: {2020-01-01: a}", json!({"2020-01-01": "a"})),
        ("v: {\"\": a}", json!({"": "a"})),
        ("v: {<<: {a: 1}}", json!({"a": 1})),
        ("v: {\"<<\": {a: 1}}", json!({"<<": {"a": 1}})),
        ("b: &b {x: 1, z: 2}\nv: {<<: *b, x: 9}", json!({"x": 9, "z": 2})),
        ("b: &b {x: 1, z: 2}\nv: {x: 9, <<: *b}", json!({"x": 1, "z": 2})),
        ("b: &b {x: 1}\nc: &c {x: 2, z: 3}\nv: {<<: [*b, *c]}", json!({"x": 1, "z": 3})),
        ("b: &b {x: {p: 1}}\nv: {<<: *b, x: {q: 2}}", json!({"x": {"q": 2}})),
        ("b: &b {q: 1}\nv:\n  <<: *b\n  <<: {r: 2}", json!({"q": 1, "r": 2})),
        ("b: &b 0644\nv: *b", json!(420)),
        ("b: &b [1]\nc: &b [2]\nv: *b", json!([2])),
    ]);
    rows
}

/// Bodies that both we and `kubectl` refuse.
const REFUSED: &[&str] = &[
    "v: .inf",
    "v: .nan",
    "v: -.inf",
    "v: {~: a}",
    "v: {[1]: a}",
    "v: {18446744073709551615: a}",
    "v: {<<: 5}",
    "b: &b [1]\nv: {<<: *b}",
    "v: !!int abc",
    "v: !!int 1.5",
    "v: !!float abc",
    "v: !!null x",
    "v: !!binary \"?\"",
    "v: *nope",
    "v: a: b",
    "v: @a",
    "v: `a",
    "v: %a",
    "  v: 5",
    "v: [a",
    "v: {a: 1",
    "v: \"a",
    "v: -",
];

fn parse(body: &str) -> Result<Value, String> {
    let text = format!("{HEAD}{body}\n");
    let (documents, faults) = documents(&text);
    if let Some(fault) = faults.first() {
        return Err(fault.problem.to_string());
    }
    let root = documents[0].root.as_ref().expect("a document");
    let (value, _) = root.to_value().map_err(|fault| fault.problem.to_string())?;
    Ok(value["v"].clone())
}

#[track_caller]
fn check(body: &str, expected: &Value) {
    let value = parse(body);
    let same = match (&value, expected.as_f64()) {
        (Ok(Value::Number(number)), Some(expected)) => number.as_f64() == Some(expected),
        (value, _) => value.as_ref() == Ok(expected),
    };
    assert!(same, "{body}: {value:?}, expected {expected}");
}

#[test]
fn a_document_means_what_it_means_to_kubectl() {
    for (body, expected) in accepted() {
        check(body, &expected);
    }
    for body in REFUSED {
        assert!(parse(body).is_err(), "{body}: {:?}", parse(body));
    }
}

/// Runs `kubectl annotate --local` on the documents; `None` where there is no `kubectl`.
fn kubectl(documents: &str) -> Option<Result<Vec<Value>, String>> {
    let mut child = Command::new("kubectl")
        .args(["annotate", "--local", "-o", "json", "-f", "-", "x=y"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take().expect("a pipe").write_all(documents.as_bytes()).expect("kubectl reads its input");
    let output = child.wait_with_output().expect("kubectl ends");
    if !output.status.success() {
        return Some(Err(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let values = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>();
    Some(Ok(values.map(|value| value.expect("kubectl prints JSON")).collect()))
}

#[test]
fn the_tables_say_what_the_installed_kubectl_does() {
    let rows = accepted();
    let text: String = rows.iter().map(|(body, _)| format!("{HEAD}{body}\n---\n")).collect();
    let Some(values) = kubectl(&text) else {
        println!("skipped: `kubectl` is not installed");
        return;
    };
    let values = values.expect("kubectl accepts every row");
    assert_eq!(values.len(), rows.len());
    for ((body, expected), value) in rows.iter().zip(&values) {
        let same = match expected.as_f64() {
            Some(expected) => value["v"].as_f64() == Some(expected),
            None => value["v"] == *expected,
        };
        assert!(same, "{body}: kubectl gives {}, the table {expected}", value["v"]);
    }
    for body in REFUSED {
        let answer = kubectl(&format!("{HEAD}{body}\n")).expect("kubectl ran before");
        assert!(answer.is_err(), "{body}: kubectl accepts it: {answer:?}");
    }
}

#[track_caller]
fn check_fault(case: &str, text: &str, expected: &[&str]) {
    let (_, faults) = documents(text);
    let shown: Vec<String> =
        faults.iter().map(|fault| format!("{}:{}: {}", fault.line, fault.column.unwrap_or(0), fault.problem)).collect();
    assert_eq!(shown.len(), expected.len(), "{case}: {shown:?}");
    for (shown, expected) in shown.iter().zip(expected) {
        assert!(shown.contains(expected), "{case}: `{shown}` lacks `{expected}`");
    }
}

#[test]
fn every_broken_document_is_reported_with_its_place() {
    check_fault("duplicate keys name both lines", "a: 1\nb: 2\na: 3\n", &["3:1: the key `a` is already set on line 1"]);
    check_fault("duplicates by meaning", "{1: a, \"1\": b}\n", &["1:8: the key `1` is already set on line 1"]);
    check_fault("nested duplicates", "a:\n  b: 1\n  b: 2\n", &["3:3: the key `b`"]);
    check_fault("two documents", "a: [\n---\nb: 1\n---\nc: 1\nc: 2\n", &["", "6:1: the key `c`"]);
    check_fault("templates are named", "a: {{ .Values.x }}\n", &["this looks like a template"]);
    check_fault("tabs are named", "a:\n\tb: 1\n\tc: 2\n", &["tabs"]);
    check_fault("anchors in themselves", "a: &a [*a]\n", &["1:"]);
    check_fault("merge conflicts are named", "a: 1\n<<<<<<< HEAD\nb: 1\n", &["merge conflict"]);
}

#[test]
fn ordinary_oddities_are_no_errors() {
    let count = |text: &str| {
        let (documents, faults) = documents(text);
        assert!(faults.is_empty(), "{text:?}: {:?}", faults[0]);
        documents.iter().filter(|document| document.root.is_some()).count()
    };
    for (text, expected) in [
        ("", 0),
        ("# only a comment\n", 0),
        ("---\n---\n---\n", 0),
        ("--- # c\na: 1\n...\n---\nb: 1\n", 2),
        ("a: 1\r\nb:\r\n- 1\r\n---\r\nc: 1\r\n", 2),
        ("%YAML 1.1\n---\na: 1\n", 1),
        ("{\n\t\"a\": [1,\n\t\t2],\n\t\"b\": \"\\ud83d\\ude00\\/\"\n}\n", 1),
        ("a: |\n  ---\n  b\n", 1),
        ("\n\n\n# c\n---\n# d\na: 1", 1),
    ] {
        assert_eq!(count(text), expected, "{text:?}");
    }
}

#[test]
fn bombs_are_refused_quickly() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let merges = (1..40).fold("a0: &a0 {k: v}\n".to_owned(), |text, level| {
        text + &format!("a{level}: &a{level} {{k{level}: *a{0}, l{level}: *a{0}}}\n", level - 1)
    });
    let big = format!("a: &a \"{}\"\nb: [{}]\n", "x".repeat(500_000), "*a, ".repeat(1000));
    let cases = [
        ("aliases of aliases", laughs, "too many values"),
        ("mappings of aliases", merges, "too many values"),
        ("one large text many times", big, "too large once its aliases"),
        ("deep flow lists", "[".repeat(100_000), ""),
        ("deep flow mappings", "{a: ".repeat(100_000), ""),
        ("deep block lists", "- ".repeat(100_000), ""),
        ("deep indentation", (0..2000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(), ""),
        ("too large", format!("a: \"{}\"\n", "x".repeat(1 << 20)), "the document is too large"),
        ("a long key", format!("{}: 1", "k".repeat(900_000)), ""),
        ("many anchors", (0..50_000).map(|at| format!("- &a{at} 1\n")).collect(), "none"),
        ("many documents", "---\na: 1\n".repeat(90_000), "none"),
        ("many tags", "%TAG ! tag:x,2000:\n".repeat(50_000), ""),
        ("many commas", "[,".repeat(50_000), ""),
        ("many question marks", "? ".repeat(100_000), ""),
        ("quotes", "\"\\".repeat(200_000), ""),
        ("comments", "#\n".repeat(500_000), "none"),
        ("unclosed flow over many lines", format!("a: [\n{}", "b,\n".repeat(200_000)), ""),
    ];
    for (case, text, expected) in cases {
        let started = Instant::now();
        let (_, faults) = documents(&text);
        let took = started.elapsed();
        assert!(took < Duration::from_secs(5), "{case}: took {took:?}");
        if expected == "none" {
            assert!(faults.is_empty(), "{case}: {}", faults[0].problem);
        } else {
            let first = faults.first().unwrap_or_else(|| panic!("{case}: accepted"));
            assert!(first.problem.to_string().contains(expected), "{case}: {}", first.problem);
        }
    }
}
