use serde_json::json;

use super::fixtures::*;
use crate::store::objects::Selectors;

#[track_caller]
fn check(labels: &str, fields: &str, expected: &str) {
    let rig = rig();
    for (name, label, node) in [("one", "a", "n1"), ("two", "b", "n1"), ("three", "", "")] {
        let mut body = json!({ "metadata": { "name": name }, "spec": { "nodeName": node } });
        if !label.is_empty() {
            body["metadata"]["labels"] = json!({ "app": label, "x.dev/tier": "web" });
        }
        rig.create(&POD, body).expect("created");
    }
    let found = match Selectors::parse(&POD, labels, fields) {
        Err(error) => format!("{}: {}", error.code, error.message),
        Ok(selectors) => {
            let listed = rig.objects.list(&POD, Some("a"), &selectors);
            assert_eq!(listed.revision, 4, "a list is at the store's revision");
            listed.items.iter().map(|stored| stored.key().name.to_string()).collect::<Vec<_>>().join(" ")
        }
    };
    assert_eq!(found, expected, "labels `{labels}`, fields `{fields}`");
}

#[test]
fn labels_choose_as_kubectl_does() {
    check("", "", "one three two");
    check("app=a", "", "one");
    check("app==a", "", "one");
    check("app!=a", "", "three two");
    check("app", "", "one two");
    check("!app", "", "three");
    check("app in (a, b)", "", "one two");
    check("app notin (a,b)", "", "three");
    check("app in (a,b),x.dev/tier=web,app!=b", "", "one");
    check("app in (a", "", "400: unable to parse requirement `app in (a`: `)` is missing");
    check("app near (a)", "", "400: unable to parse requirement `app near (a)`: expected `in` or `notin` before `(`");
    check("a b", "", "400: unable to parse requirement `a b`: expected a label key");
}

#[test]
fn only_known_fields_choose() {
    check("", "metadata.name=one", "one");
    check("", "metadata.name!=one,spec.nodeName=n1", "two");
    check("", "spec.nodeName=", "three");
    check("", "spec.host=n1", "one two");
    check("", "spec.hostNetwork=false", "one three two");
    check("", "spec.image=x", "400: field label not supported: spec.image");
    check("", "nonsense", "400: invalid selector: 'nonsense'; can't understand 'nonsense'");
}
