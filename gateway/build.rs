//! Makes sure that the folder of the built web page exists: the gateway also builds without it, and then says so.

use std::io::Result;

fn main() -> Result<()> {
    std::fs::create_dir_all("web/dist")?;
    println!("cargo::rerun-if-changed=web/dist");
    Ok(())
}
