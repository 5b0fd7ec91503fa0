//! A short name for a pod template.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::api::kinds::PodTemplateSpec;
use crate::api::object::strip_absent;

/// Letters that make no words, as in generated names.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Ten letters: 47 bits, the length of Kubernetes' own.
const LENGTH: usize = 10;

/// Returns a hash that stays the same as long as the template says the same, whatever the order of its fields.
///
/// `collisions` gives another one where a ReplicaSet of that name exists with another template.
pub(super) fn template_hash(template: &PodTemplateSpec, collisions: i32) -> String {
    let mut value = serde_json::to_value(template).expect("invariant: a declared template serialises");
    strip_absent(&mut value);
    let mut text = String::new();
    write_sorted(&value, &mut text);
    let mut digest = Sha256::new();
    digest.update(text);
    if collisions > 0 {
        digest.update(collisions.to_be_bytes());
    }
    let mut number = digest.finalize().iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let mut hash = String::with_capacity(LENGTH);
    for _ in 0..LENGTH {
        hash.push(char::from(LETTERS[(number % LETTERS.len() as u64) as usize]));
        number /= LETTERS.len() as u64;
    }
    hash
}

fn write_sorted(value: &Value, text: &mut String) {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<_> = map.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in fields {
                text.push_str(&Value::String(key.clone()).to_string());
                text.push(':');
                write_sorted(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(list) => {
            text.push('[');
            for value in list {
                write_sorted(value, text);
                text.push(',');
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}
