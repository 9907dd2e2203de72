//! Reading a module that is valid.

use crate::features::validate;
use crate::instance::Constant;
use crate::module::{
    Data, DataKind, Element, ElementKind, Export, Extern, Global, Import, ImportKind, Limits, Module, Table,
};
use crate::{Level, Problem, WasmError};
use wasmparser::{
    ConstExpr, ElementItems, ExternalKind, Name, NameSectionReader, Operator, Parser, Payload, TableInit, TypeRef,
};

/// The most references in one element segment.
const MAX_ITEMS: u64 = 10_000_000;

impl<'a> Module<'a> {
    /// Validates and reads a module.
    ///
    /// # Errors
    ///
    /// If it is not valid at this level of the standard. Errors in a function name it.
    pub fn parse(bytes: &'a [u8], level: Level) -> Result<Module<'a>, WasmError> {
        let valid = validate(bytes, level);
        let mut module = Module::default();
        let read = module.read(bytes);
        match valid {
            Ok(()) => read.map(|()| module),
            // The sections before the error tell the function that it is in.
            Err(error) => Err(module.locate(error)),
        }
    }

    fn read(&mut self, bytes: &'a [u8]) -> Result<(), WasmError> {
        for payload in Parser::new(0).parse_all(bytes) {
            self.section(payload?)?;
        }
        Ok(())
    }

    fn section(&mut self, payload: Payload<'a>) -> Result<(), WasmError> {
        match payload {
            Payload::TypeSection(section) => {
                for ty in section.into_iter_err_on_gc_types() {
                    self.types.push(ty?);
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    self.import(import?)?;
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.functions.push(ty?);
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    let table = table?;
                    if let TableInit::Expr(_) = table.init {
                        return Err(Problem::Invalid("tables with an initial value".into()).of_module());
                    }
                    self.tables.push(Table::from(table.ty));
                }
            }
            Payload::MemorySection(section) => {
                for memory in section {
                    let memory = memory?;
                    self.memory = Some(Limits { minimum: memory.initial, maximum: memory.maximum });
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    self.globals.push(Global { ty: global.ty, initial: Some(constant(&global.init_expr)?) });
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.export_item(export);
                }
            }
            Payload::StartSection { func, .. } => self.start = Some(func),
            Payload::ElementSection(section) => {
                for element in section {
                    self.elements.push(read_element(element?)?);
                }
            }
            Payload::DataSection(section) => {
                for data in section {
                    let data = data?;
                    let kind = match data.kind {
                        wasmparser::DataKind::Passive => DataKind::Passive,
                        wasmparser::DataKind::Active { offset_expr, .. } => {
                            DataKind::Active { offset: constant(&offset_expr)? }
                        }
                    };
                    self.data.push(Data { kind, bytes: data.data });
                }
            }
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::CustomSection(section) if section.name() == "name" => {
                let reader = wasmparser::BinaryReader::new(section.data(), section.data_offset());
                // Names are for messages only: what is wrong with them does no harm.
                let _ = self.names(NameSectionReader::new(reader));
            }
            _ => {}
        }
        Ok(())
    }

    fn import(&mut self, import: wasmparser::Import<'a>) -> Result<(), WasmError> {
        let kind = match import.ty {
            TypeRef::Func(ty) => {
                self.functions.push(ty);
                self.imported_functions += 1;
                ImportKind::Function(self.imported_functions - 1)
            }
            TypeRef::Table(ty) => {
                self.tables.push(Table::from(ty));
                self.imported_tables += 1;
                ImportKind::Table(self.imported_tables - 1)
            }
            TypeRef::Memory(ty) => {
                self.memory = Some(Limits { minimum: ty.initial, maximum: ty.maximum });
                self.imports_memory = true;
                ImportKind::Memory
            }
            TypeRef::Global(ty) => {
                self.globals.push(Global { ty, initial: None });
                self.imported_globals += 1;
                ImportKind::Global(self.imported_globals - 1)
            }
            TypeRef::Tag(_) | TypeRef::FuncExact(_) => {
                return Err(Problem::Invalid("an import of a kind that is not known".into()).of_module());
            }
        };
        self.imports.push(Import { module: import.module, name: import.name, kind });
        Ok(())
    }

    fn export_item(&mut self, export: wasmparser::Export<'a>) {
        let item = match export.kind {
            ExternalKind::Func | ExternalKind::FuncExact => Extern::Function(export.index),
            ExternalKind::Table => Extern::Table(export.index),
            ExternalKind::Memory => Extern::Memory,
            ExternalKind::Global => Extern::Global(export.index),
            ExternalKind::Tag => return,
        };
        self.exports.push(Export { name: export.name, item });
    }

    fn names(&mut self, reader: NameSectionReader<'a>) -> Result<(), WasmError> {
        for name in reader {
            match name? {
                Name::Module { name, .. } => self.name = Some(name),
                Name::Function(map) => {
                    for naming in map {
                        let naming = naming?;
                        self.function_names.insert(naming.index, naming.name);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds the function that an error is in.
    fn locate(&self, error: WasmError) -> WasmError {
        let inside = |offset: u64| {
            let index = self.bodies.iter().position(|body| body.range().contains(&offset))?;
            Some(self.describe(self.imported_functions + u32::try_from(index).ok()?))
        };
        WasmError { function: error.offset.and_then(inside), ..error }
    }
}

impl From<wasmparser::TableType> for Table {
    fn from(ty: wasmparser::TableType) -> Table {
        Table { element: ty.element_type, limits: Limits { minimum: ty.initial, maximum: ty.maximum } }
    }
}

fn read_element(element: wasmparser::Element<'_>) -> Result<Element, WasmError> {
    let kind = match element.kind {
        wasmparser::ElementKind::Passive => ElementKind::Passive,
        wasmparser::ElementKind::Declared => ElementKind::Declared,
        wasmparser::ElementKind::Active { table_index, offset_expr } => {
            ElementKind::Active { table: table_index.unwrap_or(0), offset: constant(&offset_expr)? }
        }
    };
    let count = match &element.items {
        ElementItems::Functions(items) => items.count(),
        ElementItems::Expressions(_, items) => items.count(),
    };
    if u64::from(count) > MAX_ITEMS {
        let (value, limit) = (u64::from(count), MAX_ITEMS);
        return Err(Problem::TooLarge { what: "references in an element segment", value, limit }.of_module());
    }
    let mut items = Vec::new();
    match element.items {
        ElementItems::Functions(section) => {
            for function in section {
                items.push(Constant::Function(function?));
            }
        }
        ElementItems::Expressions(_, section) => {
            for expression in section {
                items.push(constant(&expression?)?);
            }
        }
    }
    Ok(Element { kind, items })
}

/// The value of a constant expression, which at this level of the standard is one instruction.
fn constant(expression: &ConstExpr<'_>) -> Result<Constant, WasmError> {
    let mut reader = expression.get_operators_reader();
    let offset = reader.original_position();
    Ok(match reader.read()? {
        Operator::I32Const { value } => Constant::Bits(u64::from(value as u32)),
        Operator::I64Const { value } => Constant::Bits(value as u64),
        Operator::F32Const { value } => Constant::Bits(u64::from(value.bits())),
        Operator::F64Const { value } => Constant::Bits(value.bits()),
        Operator::RefNull { .. } => Constant::Bits(0),
        Operator::RefFunc { function_index } => Constant::Function(function_index),
        Operator::GlobalGet { global_index } => Constant::Global(global_index),
        _ => return Err(Problem::Invalid("a constant expression that is not known".into()).at(offset)),
    })
}
