//! The functions of a program and their numbers.

use crate::Helper;
use std::collections::HashMap;
use wasmparser::FuncType;

/// A function of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionKey {
    /// One that a module defines.
    Wasm {
        /// Its instance.
        instance: u32,
        /// Its number in the module.
        function: u32,
    },
    /// An import that stands for something else than a function, as a function.
    Import {
        /// Its instance.
        instance: u32,
        /// Its number in the module.
        function: u32,
    },
    /// One that several instructions share.
    Helper(Helper),
    /// What puts the contents of memory into place that the program file does not have there.
    Prepare,
    /// What brings an instance into being.
    Instantiate(u32),
    /// An entry point, by a number that means something to whoever makes it.
    Entry(u32),
}

/// The functions that a program needs and their types, numbered as they are first mentioned. What is never mentioned is not
/// compiled.
#[derive(Clone, Debug, Default)]
pub struct Functions {
    numbers: HashMap<FunctionKey, u32>,
    list: Vec<FunctionKey>,
    type_numbers: HashMap<FuncType, u32>,
    types: Vec<FuncType>,
}

impl Functions {
    /// The number of a function.
    pub fn number(&mut self, key: FunctionKey) -> u32 {
        *self.numbers.entry(key).or_insert_with(|| {
            self.list.push(key);
            u32::try_from(self.list.len() - 1).expect("a module has fewer functions than that")
        })
    }

    /// The number of a function type. Equal types have equal numbers, and none has the number zero.
    pub fn type_number(&mut self, ty: &FuncType) -> u32 {
        if let Some(&number) = self.type_numbers.get(ty) {
            return number;
        }
        self.types.push(ty.clone());
        let number = u32::try_from(self.types.len()).expect("a module has fewer types than that");
        self.type_numbers.insert(ty.clone(), number);
        number
    }

    /// The type of this number.
    pub fn type_of(&self, number: u32) -> &FuncType {
        &self.types[number as usize - 1]
    }

    /// The function of this number, if there are so many by now.
    pub fn get(&self, number: u32) -> Option<FunctionKey> {
        self.list.get(number as usize).copied()
    }
}
