//! In which order steps are carried out.

use super::Verb;

/// Returns the rank of a step: what others stand on comes first, deletions come last, in reverse.
pub fn wave(verb: Verb, resource: &str) -> i8 {
    let rank = match resource {
        "namespaces" => 0,
        "customresourcedefinitions.apiextensions.k8s.io" => 1,
        "serviceaccounts" | "secrets" | "configmaps" => 2,
        "gitrepositories.bowline.dev" => 3,
        "applications.bowline.dev" => 6,
        "cronjobs.batch" => 5,
        _ => 4,
    };
    if verb == Verb::Delete { 20 - rank } else { rank }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_come_first_and_go_last() {
        let mut steps = [
            (Verb::Delete, "namespaces"),
            (Verb::Create, "deployments.apps"),
            (Verb::Delete, "deployments.apps"),
            (Verb::Update, "configmaps"),
            (Verb::Create, "namespaces"),
        ];
        steps.sort_by_key(|(verb, resource)| wave(*verb, resource));
        let names: Vec<_> = steps.iter().map(|(verb, resource)| format!("{verb:?} {resource}")).collect();
        assert_eq!(
            names,
            [
                "Create namespaces",
                "Update configmaps",
                "Create deployments.apps",
                "Delete deployments.apps",
                "Delete namespaces"
            ]
        );
    }
}
