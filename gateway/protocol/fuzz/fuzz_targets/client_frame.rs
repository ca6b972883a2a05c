#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fabrica_protocol_fuzz::client_frame(data));
