// `Object` of `PartySpec`
///A team of sorters.
#[derive(Clone, Debug, Default, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SortingParty {
    ///Name, namespace, labels and all else that every object has.
    pub metadata: ::bowline_runtime::api::meta::ObjectMeta,
    ///What is wanted.
    pub spec: PartySpec,
    ///What was last seen; written by controllers only.
    #[serde(skip_serializing_if = "::core::option::Option::is_none")]
    pub status: ::core::option::Option<PartyStatus>,
}
const _: () = {
    use ::bowline_runtime::api::schema as __schema;
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "PartySpec",
        doc: "A team of sorters.",
        fields: &[
            __schema::Field {
                required: true,
                rules: __schema::Rules {
                    min: Some(1i64),
                    ..__schema::Rules::NONE
                },
                ..__schema::Field::new(
                    "sorters",
                    "How many sort.",
                    <i32 as __schema::Schema>::TYPE,
                )
            },
        ],
        atomic: false,
    };
    #[automatically_derived]
    impl __schema::Schema for PartySpec {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
};
const _: () = {
    use ::bowline_runtime::api::{object as __object, schema as __schema};
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "SortingParty",
        doc: "A team of sorters.",
        fields: &[
            __schema::Field::new(
                "metadata",
                "Name, namespace, labels and all else that every object has.",
                <::bowline_runtime::api::meta::ObjectMeta as __schema::Schema>::TYPE,
            ),
            __schema::Field {
                required: true,
                ..__schema::Field::new(
                    "spec",
                    "What is wanted.",
                    <PartySpec as __schema::Schema>::TYPE,
                )
            },
            __schema::Field::new(
                "status",
                "What was last seen; written by controllers only.",
                <PartyStatus as __schema::Schema>::TYPE,
            ),
        ],
        atomic: false,
    };
    #[automatically_derived]
    impl __schema::Schema for SortingParty {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
    static KIND: __object::Kind = __object::Kind {
        group: "post.example.org",
        version: "v1beta2",
        kind: "SortingParty",
        plural: "parties",
        singular: "party",
        short_names: &["sp", "sort"],
        categories: &["all"],
        scope: __object::Scope::Cluster,
        root: || &STRUCT,
        columns: &[
            __object::Column {
                name: "Sorters",
                kind: "integer",
                wide: false,
                source: __object::ColumnSource::Pointer("/spec/sorters"),
            },
            __object::Column {
                name: "Mood",
                kind: "string",
                wide: false,
                source: __object::ColumnSource::Render(mood),
            },
            __object::Column {
                name: "Age",
                kind: "date",
                wide: true,
                source: __object::ColumnSource::Pointer("/metadata/creationTimestamp"),
            },
        ],
        has_status: true,
        scale: Some(__object::Scale {
            spec: "/spec/sorters",
            status: "/status/sorters",
            selector: "/status/labelSelector",
        }),
        default: Some(fill),
        validate: Some(check),
        validate_update: Some(check_change),
    };
    #[automatically_derived]
    impl __object::Object for SortingParty {
        fn kind() -> &'static __object::Kind {
            &KIND
        }
        fn meta(&self) -> &::bowline_runtime::api::meta::ObjectMeta {
            &self.metadata
        }
        fn meta_mut(&mut self) -> &mut ::bowline_runtime::api::meta::ObjectMeta {
            &mut self.metadata
        }
    }
    impl SortingParty {
        /// Returns the kind's declaration.
        pub fn kind() -> &'static __object::Kind {
            &KIND
        }
    }
};

// `Schema` of `PartyStatus`
const _: () = {
    use ::bowline_runtime::api::schema as __schema;
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "PartyStatus",
        doc: "What the team does.",
        fields: &[
            __schema::Field::new(
                "sorters",
                "How many are there.",
                <Option<i32> as __schema::Schema>::TYPE,
            ),
            __schema::Field::new(
                "labelSelector",
                "How to find them.",
                <Option<String> as __schema::Schema>::TYPE,
            ),
        ],
        atomic: false,
    };
    #[automatically_derived]
    impl __schema::Schema for PartyStatus {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
};

// `Object` of `InboxSpec`
///A kind with the fewest attributes.
#[derive(Clone, Debug, Default, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Inbox {
    ///Name, namespace, labels and all else that every object has.
    pub metadata: ::bowline_runtime::api::meta::ObjectMeta,
    ///What is wanted.
    pub spec: InboxSpec,
}
const _: () = {
    use ::bowline_runtime::api::schema as __schema;
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "InboxSpec",
        doc: "A kind with the fewest attributes.",
        fields: &[],
        atomic: false,
    };
    #[automatically_derived]
    impl __schema::Schema for InboxSpec {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
};
const _: () = {
    use ::bowline_runtime::api::{object as __object, schema as __schema};
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "Inbox",
        doc: "A kind with the fewest attributes.",
        fields: &[
            __schema::Field::new(
                "metadata",
                "Name, namespace, labels and all else that every object has.",
                <::bowline_runtime::api::meta::ObjectMeta as __schema::Schema>::TYPE,
            ),
            __schema::Field {
                required: true,
                ..__schema::Field::new(
                    "spec",
                    "What is wanted.",
                    <InboxSpec as __schema::Schema>::TYPE,
                )
            },
        ],
        atomic: false,
    };
    #[automatically_derived]
    impl __schema::Schema for Inbox {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
    static KIND: __object::Kind = __object::Kind {
        group: "",
        version: "v1",
        kind: "Inbox",
        plural: "inboxes",
        singular: "inbox",
        short_names: &[],
        categories: &[],
        scope: __object::Scope::Namespaced,
        root: || &STRUCT,
        columns: &[],
        has_status: false,
        scale: None,
        default: None,
        validate: None,
        validate_update: None,
    };
    #[automatically_derived]
    impl __object::Object for Inbox {
        fn kind() -> &'static __object::Kind {
            &KIND
        }
        fn meta(&self) -> &::bowline_runtime::api::meta::ObjectMeta {
            &self.metadata
        }
        fn meta_mut(&mut self) -> &mut ::bowline_runtime::api::meta::ObjectMeta {
            &mut self.metadata
        }
    }
    impl Inbox {
        /// Returns the kind's declaration.
        pub(crate) fn kind() -> &'static __object::Kind {
            &KIND
        }
    }
};
