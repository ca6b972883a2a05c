#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fabrica_runtime_fuzz::marks(data));
