// `Schema` of `Mailbox`
const _: () = {
    use ::bowline_runtime::api::schema as __schema;
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "Mailbox",
        doc: "A mailbox.\n\nIts letters are kept; see `Letter`.",
        fields: &[
            __schema::Field {
                required: true,
                immutable: true,
                rules: __schema::Rules {
                    max_len: Some(63usize),
                    format: __schema::Format::DnsLabel,
                    ..__schema::Rules::NONE
                },
                ..__schema::Field::new(
                    "ownerName",
                    "Whose mailbox it is.",
                    <String as __schema::Schema>::TYPE,
                )
            },
            __schema::Field {
                default: Some("\"Refuse\""),
                rules: __schema::Rules {
                    one_of: &["Refuse", "Forward"],
                    ..__schema::Rules::NONE
                },
                ..__schema::Field::new(
                    "whenFull",
                    "What happens when it is full.",
                    <Option<String> as __schema::Schema>::TYPE,
                )
            },
            __schema::Field {
                default: Some("100"),
                rules: __schema::Rules {
                    min: Some(1i64),
                    max: Some(65535i64),
                    ..__schema::Rules::NONE
                },
                ..__schema::Field::new(
                    "capacity",
                    "The most letters.",
                    <Option<i32> as __schema::Schema>::TYPE,
                )
            },
            __schema::Field {
                default: Some("-1"),
                rules: __schema::Rules {
                    min: Some(-1i64),
                    ..__schema::Rules::NONE
                },
                ..__schema::Field::new(
                    "priority",
                    "The place in the order of delivery.",
                    <Option<i64> as __schema::Schema>::TYPE,
                )
            },
            __schema::Field {
                default: Some("true"),
                ..__schema::Field::new(
                    "open",
                    "Whether it takes letters.",
                    <Option<bool> as __schema::Schema>::TYPE,
                )
            },
            __schema::Field {
                default: Some("\"25%\""),
                ..__schema::Field::new(
                    "advertising",
                    "The share that may be advertising.",
                    <Option<IntOrString> as __schema::Schema>::TYPE,
                )
            },
            __schema::Field {
                rules: __schema::Rules {
                    min_text: Some("1Ki"),
                    ..__schema::Rules::NONE
                },
                ..__schema::Field::new(
                    "letterSize",
                    "The largest letter.",
                    <Option<Quantity> as __schema::Schema>::TYPE,
                )
            },
            __schema::Field {
                default: Some("{\"kept\": \"yes\"}"),
                ..__schema::Field::new(
                    "forwards",
                    "Where else to deliver.",
                    <BTreeMap<String, String> as __schema::Schema>::TYPE,
                )
            },
            __schema::Field {
                list: __schema::ListKind::Map {
                    keys: &["sender", "date"],
                    patch_key: "date",
                },
                rules: __schema::Rules {
                    min_items: Some(1usize),
                    ..__schema::Rules::NONE
                },
                ..__schema::Field::new(
                    "letters",
                    "The letters.",
                    <Vec<Letter> as __schema::Schema>::TYPE,
                )
            },
            __schema::Field {
                list: __schema::ListKind::Map {
                    keys: &["sender"],
                    patch_key: "sender",
                },
                ..__schema::Field::new(
                    "labels",
                    "The labels on the letters.",
                    <Vec<Letter> as __schema::Schema>::TYPE,
                )
            },
            __schema::Field {
                list: __schema::ListKind::Set,
                rules: __schema::Rules {
                    format: __schema::Format::QualifiedName,
                    ..__schema::Rules::NONE
                },
                ..__schema::Field::new(
                    "keys",
                    "Who may open it.",
                    <Vec<String> as __schema::Schema>::TYPE,
                )
            },
            __schema::Field {
                atomic: true,
                ..__schema::Field::new(
                    "top",
                    "The letter on top.",
                    <Option<Box<Letter>> as __schema::Schema>::TYPE,
                )
            },
            __schema::Field {
                sensitive: true,
                ..__schema::Field::new(
                    "combination",
                    "The combination of the lock.",
                    <Option<String> as __schema::Schema>::TYPE,
                )
            },
            __schema::Field {
                not_enforced: Some("bowline has no paint"),
                ..__schema::Field::new(
                    "colour",
                    "The colour.",
                    <Option<String> as __schema::Schema>::TYPE,
                )
            },
        ],
        atomic: false,
    };
    #[automatically_derived]
    impl __schema::Schema for Mailbox {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
};

// `Schema` of `Letter`
const _: () = {
    use ::bowline_runtime::api::schema as __schema;
    static STRUCT: __schema::Struct = __schema::Struct {
        name: "Letter",
        doc: "A letter, which may hold letters.",
        fields: &[
            __schema::Field::new(
                "sender",
                "Who wrote it.",
                <String as __schema::Schema>::TYPE,
            ),
            __schema::Field::new("date", "When.", <String as __schema::Schema>::TYPE),
            __schema::Field::new(
                "type",
                "What kind it is.",
                <Class as __schema::Schema>::TYPE,
            ),
            __schema::Field::new(
                "enclosed",
                "What it holds.",
                <Vec<Letter> as __schema::Schema>::TYPE,
            ),
        ],
        atomic: true,
    };
    #[automatically_derived]
    impl __schema::Schema for Letter {
        const TYPE: __schema::Type = __schema::Type::Struct(|| &STRUCT);
    }
};

// `Schema` of `Class`
const _: () = {
    use ::bowline_runtime::api::schema as __schema;
    #[automatically_derived]
    impl __schema::Schema for Class {
        const TYPE: __schema::Type = __schema::Type::Enum(&["first-class", "economy"]);
    }
};
