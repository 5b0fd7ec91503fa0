// `Object` of `Board`
const _: () = {
    use ::bowline_runtime::api::{object as __object, schema as __schema};
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "Board",
        doc: "A board with notes.",
        fields: &[
            __schema::Field::new(
                "metadata",
                "Name and labels.",
                <ObjectMeta as __schema::Schema>::TYPE,
            ),
            __schema::Field {
                immutable: true,
                ..__schema::Field::new(
                    "notes",
                    "The notes.",
                    <BTreeMap<String, String> as __schema::Schema>::TYPE,
                )
            },
        ],
        atomic: false,
    };
    #[automatically_derived]
    impl __schema::Schema for Board {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
    static KIND: __object::Kind = __object::Kind {
        group: "",
        version: "v1",
        kind: "Board",
        plural: "boards",
        singular: "board",
        short_names: &[],
        categories: &[],
        scope: __object::Scope::Namespaced,
        root: || &STRUCT,
        columns: &[
            __object::Column {
                name: "Notes",
                kind: "string",
                wide: false,
                source: __object::ColumnSource::Pointer("/notes"),
            },
        ],
        has_status: false,
        scale: None,
        default: None,
        validate: None,
        validate_update: None,
    };
    #[automatically_derived]
    impl __object::Object for Board {
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
    impl Board {
        /// Returns the kind's declaration.
        pub fn kind() -> &'static __object::Kind {
            &KIND
        }
    }
};

// `Object` of `Gateway`
const _: () = {
    use ::bowline_runtime::api::{object as __object, schema as __schema};
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "Gateway",
        doc: "A board that reports.",
        fields: &[
            __schema::Field::new(
                "metadata",
                "Name and labels.",
                <ObjectMeta as __schema::Schema>::TYPE,
            ),
            __schema::Field::new(
                "status",
                "What was last seen.",
                <Option<String> as __schema::Schema>::TYPE,
            ),
        ],
        atomic: false,
    };
    #[automatically_derived]
    impl __schema::Schema for Gateway {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
    static KIND: __object::Kind = __object::Kind {
        group: "example.org",
        version: "v1",
        kind: "Gateway",
        plural: "gateways",
        singular: "gateway",
        short_names: &[],
        categories: &[],
        scope: __object::Scope::Cluster,
        root: || &STRUCT,
        columns: &[],
        has_status: true,
        scale: None,
        default: None,
        validate: None,
        validate_update: None,
    };
    #[automatically_derived]
    impl __object::Object for Gateway {
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
    impl Gateway {
        /// Returns the kind's declaration.
        pub fn kind() -> &'static __object::Kind {
            &KIND
        }
    }
};
