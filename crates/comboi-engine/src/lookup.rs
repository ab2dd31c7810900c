//! Values by number, as functions of SQL: DuckDB asks for them where it needs them, on all its threads, and keeps no table of them.

use std::error;
use std::marker::PhantomData;
use std::sync::Arc;

use duckdb::arrow::array::{Array, ArrayRef, AsArray as _, PrimitiveArray, RecordBatch};
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
