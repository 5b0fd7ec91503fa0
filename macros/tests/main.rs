//! The macros on real declarations.

mod pass {
    mod field_attributes;
    mod kind_from_spec;
    mod kind_whole;
}
