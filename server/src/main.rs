//! The program `chasqui`; everything it does is in the library.

fn main() -> std::process::ExitCode {
    chasqui_server::cli::main()
}
