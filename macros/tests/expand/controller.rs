// `Object` of `RoundSpec`
///A round that brings letters.
#[derive(Clone, Debug, Default, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Round {
    ///Name, namespace, labels and all else that every object has.
    pub metadata: ::bowline_runtime::api::meta::ObjectMeta,
    ///What is wanted.
    pub spec: RoundSpec,
    ///What was last seen; written by controllers only.
    #[serde(skip_serializing_if = "::core::option::Option::is_none")]
    pub status: ::core::option::Option<RoundStatus>,
}
const _: () = {
    use ::bowline_runtime::api::schema as __schema;
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "RoundSpec",
        doc: "A round that brings letters.",
        fields: &[
            __schema::Field {
                default: Some("1"),
                rules: __schema::Rules {
                    min: Some(0i64),
                    ..__schema::Rules::NONE
                },
                ..__schema::Field::new(
                    "letters",
                    "How many letters.",
                    <i32 as __schema::Schema>::TYPE,
                )
            },
            __schema::Field::new(
                "bag",
                "The bag they come from.",
                <String as __schema::Schema>::TYPE,
            ),
        ],
        atomic: false,
    };
    #[automatically_derived]
    impl __schema::Schema for RoundSpec {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
};
const _: () = {
    use ::bowline_runtime::api::{object as __object, schema as __schema};
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "Round",
        doc: "A round that brings letters.",
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
                    <RoundSpec as __schema::Schema>::TYPE,
                )
            },
            __schema::Field::new(
                "status",
                "What was last seen; written by controllers only.",
                <RoundStatus as __schema::Schema>::TYPE,
            ),
        ],
        atomic: false,
    };
    #[automatically_derived]
    impl __schema::Schema for Round {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
    static KIND: __object::Kind = __object::Kind {
        group: "post.example.org",
        version: "v1",
        kind: "Round",
        plural: "rounds",
        singular: "round",
        short_names: &[],
        categories: &[],
        scope: __object::Scope::Namespaced,
        root: || &STRUCT,
        columns: &[],
        has_status: true,
        scale: None,
        default: None,
        validate: None,
        validate_update: None,
    };
    #[automatically_derived]
    impl __object::Object for Round {
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
    impl Round {
        /// Returns the kind's declaration.
        pub fn kind() -> &'static __object::Kind {
            &KIND
        }
    }
};

// `Schema` of `RoundStatus`
const _: () = {
    use ::bowline_runtime::api::schema as __schema;
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "RoundStatus",
        doc: "What was brought.",
        fields: &[
            __schema::Field::new(
                "letters",
                "How many letters.",
                <i32 as __schema::Schema>::TYPE,
            ),
        ],
        atomic: false,
    };
    #[automatically_derived]
    impl __schema::Schema for RoundStatus {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
};

// `Object` of `LetterSpec`
///A letter of a round.
#[derive(Clone, Debug, Default, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Letter {
    ///Name, namespace, labels and all else that every object has.
    pub metadata: ::bowline_runtime::api::meta::ObjectMeta,
    ///What is wanted.
    pub spec: LetterSpec,
}
const _: () = {
    use ::bowline_runtime::api::schema as __schema;
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "LetterSpec",
        doc: "A letter of a round.",
        fields: &[],
        atomic: false,
    };
    #[automatically_derived]
    impl __schema::Schema for LetterSpec {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
};
const _: () = {
    use ::bowline_runtime::api::{object as __object, schema as __schema};
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "Letter",
        doc: "A letter of a round.",
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
                    <LetterSpec as __schema::Schema>::TYPE,
                )
            },
        ],
        atomic: false,
    };
    #[automatically_derived]
    impl __schema::Schema for Letter {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
    static KIND: __object::Kind = __object::Kind {
        group: "post.example.org",
        version: "v1",
        kind: "Letter",
        plural: "letters",
        singular: "letter",
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
    impl __object::Object for Letter {
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
    impl Letter {
        /// Returns the kind's declaration.
        pub fn kind() -> &'static __object::Kind {
            &KIND
        }
    }
};

// `Object` of `BagSpec`
///A bag of letters.
#[derive(Clone, Debug, Default, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Bag {
    ///Name, namespace, labels and all else that every object has.
    pub metadata: ::bowline_runtime::api::meta::ObjectMeta,
    ///What is wanted.
    pub spec: BagSpec,
}
const _: () = {
    use ::bowline_runtime::api::schema as __schema;
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "BagSpec",
        doc: "A bag of letters.",
        fields: &[],
        atomic: false,
    };
    #[automatically_derived]
    impl __schema::Schema for BagSpec {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
};
const _: () = {
    use ::bowline_runtime::api::{object as __object, schema as __schema};
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "Bag",
        doc: "A bag of letters.",
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
                    <BagSpec as __schema::Schema>::TYPE,
                )
            },
        ],
        atomic: false,
    };
    #[automatically_derived]
    impl __schema::Schema for Bag {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
    static KIND: __object::Kind = __object::Kind {
        group: "post.example.org",
        version: "v1",
        kind: "Bag",
        plural: "bags",
        singular: "bag",
        short_names: &[],
        categories: &[],
        scope: __object::Scope::Cluster,
        root: || &STRUCT,
        columns: &[],
        has_status: false,
        scale: None,
        default: None,
        validate: None,
        validate_update: None,
    };
    #[automatically_derived]
    impl __object::Object for Bag {
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
    impl Bag {
        /// Returns the kind's declaration.
        pub fn kind() -> &'static __object::Kind {
            &KIND
        }
    }
};

// `controller` of `decide`
/// Writes the letters that are missing, and how many there are.
pub fn decide(observed: &Observed, desired: &Round, _now: Timestamp) -> Vec<Action> {
    let missing = observed.letters..desired.spec.letters;
    let letter = |_| Action::Create {
        object: Letter::default().to_value(),
    };
    let status = Action::Status {
        key: desired.key(),
        status: json!({ "letters" : observed.letters }),
    };
    missing.map(letter).chain([status]).collect()
}
///Carries out [`decide`] for every [`Round`].
#[derive(Clone, Copy, Debug, Default)]
pub struct RoundController;
const _: () = {
    use ::bowline_runtime::{api::object as __object, control as __control};
    #[automatically_derived]
    impl __control::Controller for RoundController {
        const NAME: &'static str = "round";
        type Object = Round;
        type Observed = Observed;
        fn owns() -> &'static [fn() -> &'static __object::Kind] {
            const OWNS: &[fn() -> &'static __object::Kind] = &[
                <Letter as __object::Object>::kind,
            ];
            OWNS
        }
        fn watches() -> &'static [__control::Watch] {
            const WATCHES: &[__control::Watch] = &[
                __control::Watch {
                    kind: <Bag as __object::Object>::kind,
                    map: rounds_with_bag,
                },
            ];
            WATCHES
        }
        fn observe(
            snapshot: &::bowline_runtime::store::Snapshot,
            key: &__object::Key,
        ) -> ::core::option::Option<(Self::Observed, ::std::sync::Arc<Self::Object>)> {
            observe(snapshot, key)
        }
        fn decide(
            observed: &Self::Observed,
            desired: &Self::Object,
            now: Timestamp,
        ) -> Vec<Action> {
            decide(observed, desired, now)
        }
    }
};
