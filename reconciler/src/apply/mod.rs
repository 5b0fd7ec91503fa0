//! What an Application owns: the inventory that is written before the first object.

pub mod inventory;
