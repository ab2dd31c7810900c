//! Values by number, as functions of SQL: DuckDB asks for them where it needs them, on all its threads, and keeps no table of them.

use std::error;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError, RwLock};

use duckdb::arrow::array::{
    Array, ArrayRef, AsArray as _, PrimitiveArray, RecordBatch, StringArray,
};
use duckdb::arrow::datatypes::{ArrowPrimitiveType, DataType, UInt32Type};
use duckdb::vscalar::{ArrowFunctionSignature, VArrowScalar};

/// A function from `UINTEGER` to the value of that number, from 0; to NULL where there is none.
pub(crate) struct Lookup<T>(PhantomData<T>);

impl<T: ArrowPrimitiveType> VArrowScalar for Lookup<T> {
    type State = Arc<Vec<T::Native>>;

    fn invoke(
        values: &Self::State,
        input: RecordBatch,
    ) -> Result<Arc<dyn Array>, Box<dyn error::Error>> {
        let numbers: &PrimitiveArray<UInt32Type> = input.column(0).as_primitive();
        let value = |number: Option<u32>| values.get(number? as usize).copied();
        let found: PrimitiveArray<T> = numbers.iter().map(value).collect();
        Ok(Arc::new(found) as ArrayRef)
    }

    fn signatures() -> Vec<ArrowFunctionSignature> {
        let parameters = vec![DataType::UInt32];
        vec![ArrowFunctionSignature::exact(parameters, T::DATA_TYPE)]
    }
}

/// Texts by number.
pub trait NumberedTexts: Send + Sync {
    /// How many numbers there are, from 0.
    fn count(&self) -> u32;

    /// The text of a number; None stands for NULL.
    fn text(&self, number: u32) -> Option<&str>;
}

/// The texts that [`TextOf`] gives, while there are any.
#[derive(Clone, Default)]
pub(crate) struct Slot(Arc<RwLock<Option<Arc<dyn NumberedTexts>>>>);

impl Slot {
    /// Nobody else holds the texts before any more when this is done.
    pub(crate) fn set(&self, texts: Option<Arc<dyn NumberedTexts>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = texts;
    }
}

/// A function from `UINTEGER` to the text of that number.
pub(crate) struct TextOf;

impl VArrowScalar for TextOf {
    type State = Slot;

    fn invoke(slot: &Slot, input: RecordBatch) -> Result<Arc<dyn Array>, Box<dyn error::Error>> {
        let slot = slot.0.read().unwrap_or_else(PoisonError::into_inner);
        let texts = slot.as_ref().ok_or("there are no texts")?;
        let numbers: &PrimitiveArray<UInt32Type> = input.column(0).as_primitive();
        let found: StringArray = numbers.iter().map(|it| texts.text(it?)).collect();
        Ok(Arc::new(found) as ArrayRef)
    }

    fn signatures() -> Vec<ArrowFunctionSignature> {
        let parameters = vec![DataType::UInt32];
        vec![ArrowFunctionSignature::exact(parameters, DataType::Utf8)]
    }
}
